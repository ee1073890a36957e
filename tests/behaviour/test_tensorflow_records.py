"""Files of records, and rows of different lengths, in scripts that say `import tensorflow as tf`."""

import struct

import numpy as np
import pytest

from cornu import tensorflow as tf
from cornu.errors import DataError
from cornu.tensorflow.records import crc32c, masked

pytestmark = pytest.mark.usefixtures("tensorflow_is_served")


def example(number, word):
    feature = {
        "number": tf.train.Feature(int64_list=tf.train.Int64List(value=[number])),
        "word": tf.train.Feature(bytes_list=tf.train.BytesList(value=[word])),
    }
    return tf.train.Example(features=tf.train.Features(feature=feature))


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "fruit.tfrecord"
    with tf.io.TFRecordWriter(path) as writer:
        for number, word in enumerate((b"plum", b"fig", b"apple")):
            writer.write(example(number, word).SerializeToString())
    return path


DESCRIBED = {"number": tf.io.FixedLenFeature([], tf.int64), "word": tf.io.FixedLenFeature([], tf.string)}


def test_a_checksum_is_the_published_one_however_long_the_text():
    assert crc32c(b"123456789") == 0xE3069283
    text = bytes(at * 31 % 251 for at in range(5000))
    halves = [crc32c(text[:size]) for size in (2047, 2048, 2049, 4096, 5000)]
    slow = 0xFFFFFFFF
    found = []
    for at, byte in enumerate(text, 1):
        slow ^= byte
        for _ in range(8):
            slow = slow >> 1 ^ (0x82F63B78 if slow & 1 else 0)
        if at in (2047, 2048, 2049, 4096, 5000):
            found.append(slow ^ 0xFFFFFFFF)
    assert halves == found


def test_a_file_with_any_byte_changed_or_cut_off_is_refused(path):
    whole = path.read_bytes()
    for at in range(len(whole)):
        for damaged in (whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :], whole[:at]):
            path.write_bytes(damaged)
            try:
                records = list(tf.data.TFRecordDataset(str(path)))
            except tf.errors.DataLossError:
                continue
            assert len(damaged) < len(whole) and len(records) < 3  # cut between two records


def test_a_length_that_the_file_does_not_have_takes_no_memory(path):
    length = struct.pack("<Q", 2**60)
    path.write_bytes(length + struct.pack("<I", masked(length)) + b"plum")
    with pytest.raises(tf.errors.DataLossError, match="truncated"):
        list(tf.data.TFRecordDataset(str(path)))


def test_a_file_compressed_otherwise_says_so(path):
    with pytest.raises(Exception, match=r"(?i)gzip"):
        list(tf.data.TFRecordDataset(str(path), "GZIP"))
    with pytest.raises(ValueError, match="compression_type must be"):
        tf.data.TFRecordDataset(str(path), "LZMA")


def test_records_become_batches_and_go_on_where_they_were(path):
    def read():
        data = tf.data.TFRecordDataset([str(path)] * 2).map(lambda raw: tf.io.parse_single_example(raw, DESCRIBED))
        return data.shuffle(4, seed=1).batch(2)

    iterator = iter(read())
    next(iterator)
    state, rest = iterator.get_state(), [batch["number"].numpy().tolist() for batch in iterator]
    again = iter(read())
    again.set_state(state)
    assert [batch["number"].numpy().tolist() for batch in again] == rest and len(rest) == 2


def test_what_an_example_lacks_is_named_with_the_element(path):
    wanted = {"weight": tf.io.FixedLenFeature([], tf.float32)}
    data = tf.data.TFRecordDataset(str(path)).map(lambda raw: tf.io.parse_single_example(raw, wanted))
    with pytest.raises(DataError, match=r"element 0: InvalidArgumentError: Feature: weight .* is required"):
        next(iter(data))
    with pytest.raises(tf.errors.InvalidArgumentError, match="Data types don't match"):
        tf.io.parse_single_example(
            example(1, b"a").SerializeToString(), {"number": tf.io.FixedLenFeature([], tf.float32)}
        )
    with pytest.raises(tf.errors.InvalidArgumentError, match="Could not parse"):
        tf.io.parse_single_example(b"no example", DESCRIBED)


def test_values_of_another_kind_are_refused_when_they_are_given():
    for kind, values in ((tf.train.BytesList, ["plum"]), (tf.train.Int64List, [1.5]), (tf.train.Int64List, [True]),
                         (tf.train.FloatList, ["a"])):  # fmt: skip
        with pytest.raises((TypeError, ValueError)):
            kind(value=values)
    with pytest.raises(ValueError, match='no "feature" field'):
        tf.train.Example(feature={})


def test_a_feature_is_made_by_asking_for_it():
    made = tf.train.Example()
    made.features.feature["number"].int64_list.value.extend([3, 4])
    made.features.feature["word"].bytes_list.value.append(b"fig")
    again = tf.train.Example.FromString(made.SerializeToString())
    assert again == made and again.features.feature["number"].int64_list.value == [3, 4]


def test_rows_of_different_lengths_train_a_model_once_they_are_padded():
    rows = tf.ragged.constant([[1, 2, 3], [4], [5, 6]])
    data = tf.data.Dataset.from_tensor_slices((rows, [0.0, 1.0, 0.0])).batch(3)
    for batch, _ in data:
        assert isinstance(batch, tf.RaggedTensor) and batch.to_list() == [[1, 2, 3], [4], [5, 6]]
    model = tf.keras.Sequential([tf.keras.layers.Embedding(7, 2), tf.keras.layers.GlobalAveragePooling1D(),
                                 tf.keras.layers.Dense(1)])  # fmt: skip
    model.compile("sgd", "mse")
    losses = model.fit(data.map(lambda x, y: (x.to_tensor(), y)), epochs=1, verbose=0).history["loss"]
    assert np.isfinite(losses).all()


def test_characters_become_text_again_row_by_row():
    points = tf.strings.unicode_decode(["plum", "é"], "UTF-8")
    assert points.to_list() == [[112, 108, 117, 109], [233]]
    assert tf.strings.unicode_encode(points, "UTF-8").numpy().tolist() == [b"plum", "é".encode()]


def test_a_function_that_takes_no_ragged_tensor_says_so():
    with pytest.raises(TypeError, match="to_tensor"):
        tf.argmax(tf.ragged.constant([[1, 2], [3]]), 1)
    with pytest.raises(tf.errors.InvalidArgumentError, match="same lengths"):
        tf.ragged.constant([[1, 2], [3]]) + tf.ragged.constant([[1], [2, 3]])


def test_boxes_draw_their_edges_in_turns_of_the_given_colours():
    picture = tf.image.draw_bounding_boxes(
        tf.zeros([1, 5, 5, 1]), [[[0.0, 0.0, 0.5, 0.5], [1.0, 0.0, 1.0, 1.0]]], [[1.0], [2.0]]
    )
    assert picture[0, :, :, 0].numpy().tolist() == [
        [1, 1, 1, 0, 0], [1, 0, 1, 0, 0], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0], [2, 2, 2, 2, 2]
    ]  # fmt: skip


def test_candidates_are_different_and_the_loss_of_a_true_one_falls():
    drawn = tf.random.log_uniform_candidate_sampler(tf.constant([[1]]), 1, 6, True, 10, seed=3)
    assert len(set(drawn.sampled_candidates.numpy().tolist())) == 6
    weights, x = tf.Variable(tf.zeros([10, 2])), tf.ones([1, 2])
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(
            tf.nn.nce_loss(weights, tf.zeros([10]), tf.constant([[1]]), x, 4, 10, remove_accidental_hits=True)
        )
    weights.assign_sub(tape.gradient(loss, weights))
    assert weights[1].numpy().min() > 0
