"""Functions of tensors that scripts call on TensorFlow; values as TensorFlow's documentation gives them."""

import sys
import wave

import jax
import numpy as np
import pytest

import cornu
from cornu import tensorflow as tf

pytestmark = pytest.mark.usefixtures("tensorflow_is_served")
T = np.array([[1.0, 2.0], [3.0, 4.0]], "float32")
PICTURE = np.arange(96, dtype="uint8").reshape(8, 4, 3)

VALUES = {
    "constant that fills a shape": (lambda: tf.constant(7, shape=[2, 2]), [[7, 7], [7, 7]]),
    "zeros": (lambda: tf.zeros([2, 1]), [[0], [0]]),
    "ones of a shape that was asked for": (lambda: tf.ones(tf.shape(T)), np.ones((2, 2))),
    "fill": (lambda: tf.fill([2], 9), [9, 9]),
    "range": (lambda: tf.range(1, 10, delta=3), [1, 4, 7]),
    "range with one argument": (lambda: tf.range(tf.constant(3)), [0, 1, 2]),
    "linspace": (lambda: tf.linspace(0.0, 1.0, 3), [0, 0.5, 1]),
    "eye": (lambda: tf.eye(2, batch_shape=[1]), [np.eye(2)]),
    "shape": (lambda: tf.shape(T), [2, 2]),
    "a size and arithmetic": (lambda: tf.shape(T)[0] * 3, 6),
    "cast": (lambda: tf.cast([1.7, -1.2], tf.int32), [1, -1]),
    "reshape": (lambda: tf.reshape(T, [-1]), [1, 2, 3, 4]),
    "newaxis": (lambda: tf.constant(T)[..., 1, tf.newaxis], [[2], [4]]),
    "concat": (lambda: tf.concat([T, T], axis=1), [[1, 2, 1, 2], [3, 4, 3, 4]]),
    "stack": (lambda: tf.stack([1, 2], name="both"), [1, 2]),
    "split by sizes": (lambda: tf.split(tf.range(5), [1, -1])[1], [1, 2, 3, 4]),
    "unstack": (lambda: tf.unstack(T, axis=1)[1], [2, 4]),
    "gather": (lambda: tf.gather(T, [1], axis=1), [[2], [4]]),
    "gather with batches": (lambda: tf.gather(T, [[1], [0]], batch_dims=1), [[2], [3]]),
    "gather_nd": (lambda: tf.gather_nd(T, [[0, 1], [1, 0]]), [2, 3]),
    "tile": (lambda: tf.tile([1, 2], [2]), [1, 2, 1, 2]),
    "transpose": (lambda: tf.transpose(T, perm=[1, 0]), T.T),
    "argmax of columns by default": (lambda: tf.argmax(T), [1, 1]),
    "mean of whole numbers": (lambda: tf.reduce_mean([1, 2, 3, 5]), 2),
    "sum": (lambda: tf.reduce_sum(T, axis=1, keepdims=True), [[3], [7]]),
    "where of a condition": (lambda: tf.where([True, False, True]), [[0], [2]]),
    "where": (lambda: tf.where(T > 2, T, 0.0), [[0, 0], [3, 4]]),
    "boolean_mask": (lambda: tf.boolean_mask(T, [False, True]), [[3, 4]]),
    "one_hot": (lambda: tf.one_hot([0, 2], depth=3), [[1, 0, 0], [0, 0, 1]]),
    "one_hot of other values": (lambda: tf.one_hot([1], 2, on_value=5, off_value=-1), [[-1, 5]]),
    "matmul": (lambda: tf.matmul(T, T, transpose_b=True), [[5, 11], [11, 25]]),
    "tensordot": (lambda: tf.tensordot(T, T, axes=1), T @ T),
    "einsum": (lambda: tf.einsum("ij,jk->ik", T, T), T @ T),
    "clip_by_value": (lambda: tf.clip_by_value(T, 1.5, 3.0), [[1.5, 2], [3, 3]]),
    "clip_by_global_norm": (lambda: tf.clip_by_global_norm([[3.0, 4.0], None], 1.0)[0][0], [0.6, 0.8]),
    "sort": (lambda: tf.sort([3, 1, 2], direction="DESCENDING"), [3, 2, 1]),
    "cumsum before each": (lambda: tf.cumsum([1, 2, 3], exclusive=True), [0, 1, 3]),
    "cumsum from the end": (lambda: tf.cumsum([1, 2, 3], reverse=True), [6, 5, 3]),
    "pad": (lambda: tf.pad([[1]], [[0, 1], [1, 0]]), [[0, 1], [0, 0]]),
    "unique": (lambda: tf.unique([3, 1, 3])[1], [0, 1, 0]),
    "sequence_mask": (lambda: tf.sequence_mask([1, 3]), [[1, 0, 0], [1, 1, 1]]),
    "tensor_scatter_nd_update": (lambda: tf.tensor_scatter_nd_update(T, [[0, 0]], [9.0]), [[9, 2], [3, 4]]),
    "top_k": (lambda: tf.math.top_k([1, 3, 2], 2).indices, [1, 2]),
    "confusion_matrix": (lambda: tf.math.confusion_matrix([0, 1, 1], [0, 0, 1]), [[1, 0], [1, 1]]),
    "bincount": (lambda: tf.math.bincount([1, 1, 2]), [0, 2, 1]),
    "l2_normalize": (lambda: tf.nn.l2_normalize([[3.0, 4.0]], axis=1), [[0.6, 0.8]]),
    "leaky_relu": (lambda: tf.nn.leaky_relu([-1.0], alpha=0.3), [-0.3]),
    "sparse softmax loss": (
        lambda: tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[1], logits=[[0.0, 0.0]]), [np.log(2)],
    ),
    "sigmoid loss": (lambda: tf.nn.sigmoid_cross_entropy_with_logits(labels=[1.0], logits=[0.0]), [np.log(2)]),
    "conv2d": (lambda: tf.nn.conv2d(np.ones((1, 2, 2, 1)), np.ones((2, 2, 1, 1)), [1, 1, 1, 1], "VALID"), [[[[4]]]]),
    "max_pool2d": (lambda: tf.nn.max_pool2d(T.reshape(1, 2, 2, 1), 2, 2, "VALID"), [[[[4]]]]),
    "singular values first": (lambda: tf.linalg.svd(T)[0], [5.4649854, 0.3659662]),
    "band_part": (lambda: tf.linalg.band_part(T, 0, -1), [[1, 2], [0, 4]]),
    "flip": (lambda: tf.image.flip_left_right(PICTURE)[0, 0], PICTURE[0, -1]),
    "resize by nearest": (lambda: tf.image.resize(PICTURE, [4, 2], method="nearest").shape, (4, 2, 3)),
    "scale of a picture": (lambda: tf.image.convert_image_dtype(PICTURE, tf.float32)[7, 3, 2], 95 / 255),
    "and back": (
        lambda: tf.image.convert_image_dtype(tf.image.convert_image_dtype(PICTURE, tf.float32), tf.uint8), PICTURE,
    ),
    "central_crop": (lambda: tf.image.central_crop(PICTURE, 0.5), PICTURE[2:6, 1:3]),
    "resize_with_crop_or_pad": (lambda: tf.image.resize_with_crop_or_pad(PICTURE, 4, 6).shape, (4, 6, 3)),
    "resize_with_pad": (tf.image.resize_with_pad(PICTURE, 4, 4)[:, 0].sum, 0),
    "grayscale": (lambda: tf.image.rgb_to_grayscale(np.ones((1, 1, 3), "float32")), [[[0.9999]]]),
    "brightness": (lambda: tf.image.adjust_brightness(np.zeros((1, 1, 3), "float32"), 0.2), np.full((1, 1, 3), 0.2)),
    "contrast": (lambda: tf.image.adjust_contrast(T[..., None], 2.0)[..., 0], [[-0.5, 1.5], [3.5, 5.5]]),
    "a picture of 16 bits": (
        lambda: tf.io.decode_png(tf.io.encode_png(tf.constant([[[0], [4000]]], tf.uint16)), dtype=tf.uint16),
        [[[0], [4000]]],
    ),
    "a picture of 16 bits in 8": (
        lambda: tf.io.decode_png(tf.io.encode_png(tf.constant([[[0], [4000]]], tf.uint16)), channels=3),
        [[[0, 0, 0], [15, 15, 15]]],
    ),
    "a picture in a file": (lambda: tf.io.decode_png(tf.io.encode_png(PICTURE)), PICTURE),
    "psnr": (lambda: tf.image.psnr(PICTURE, PICTURE + 1, 255), 48.1308),
    "boxes that overlap little": (
        lambda: tf.image.non_max_suppression([[0, 0, 2, 2], [0, 0, 2, 1.9], [3, 3, 4, 4]], [0.5, 0.9, 0.1], 3), [1, 2],
    ),
    "spectra": (lambda: tf.abs(tf.signal.stft(np.ones(8, "float32"), 4, 2))[:, 0], [2, 2, 2]),
    "cond": (lambda: tf.cond(tf.reduce_sum(T) > 3, lambda: 1, lambda: 2), 1),
    "case": (lambda: tf.case([(tf.constant(False), lambda: 1)], default=lambda: 2), 2),
    "switch_case": (lambda: tf.switch_case(1, [lambda: 1, lambda: 2]), 2),
    "while_loop": (lambda: tf.while_loop(lambda i: i < 10, lambda i: (i + 3,), [tf.constant(0)])[0], 12),
    "map_fn": (lambda: tf.map_fn(lambda row: row * 2, T), T * 2),
    "scan": (lambda: tf.scan(lambda total, x: total + x, tf.constant([1, 2, 3])), [1, 3, 6]),
    "py_function": (lambda: tf.py_function(lambda x: x.numpy() + 1, [tf.constant(T)], tf.float32), T + 1),
}  # fmt: skip


@pytest.mark.parametrize("case", VALUES)
def test_a_function_gives_the_value_that_tensorflow_gives(case):
    found, expected = VALUES[case][0](), VALUES[case][1]
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-6)


TEXTS = {
    "lower": (lambda: tf.strings.lower("ABC"), b"abc"),
    "regex_replace": (lambda: tf.strings.regex_replace("a<br>b", "<[^>]+>", " "), b"a b"),
    "join": (lambda: tf.strings.join(["a", "b"], separator="-"), b"a-b"),
    "split": (lambda: tf.strings.split("a/b/c.png", "/")[-1], b"c.png"),
    "substr": (lambda: tf.strings.substr("hello", 1, 3), b"ell"),
    "characters": (lambda: tf.strings.unicode_split("añ", "UTF-8")[1], "ñ".encode()),
    "as_string": (lambda: tf.strings.as_string(tf.constant(3)), b"3"),
    "sum of texts": (lambda: tf.constant("a") + "b", b"ab"),
    "reduce_join": (lambda: tf.strings.reduce_join(["a", "b"], separator=" "), b"a b"),
}


@pytest.mark.parametrize("case", TEXTS)
def test_text_is_bytes(case):
    assert TEXTS[case][0]().numpy() == TEXTS[case][1]


def test_text_can_be_compared_and_counted():
    names = tf.constant(["plum", "fig"])
    assert (names == "fig").tolist() == [False, True]
    assert tf.strings.length(names).numpy().tolist() == [4, 3]
    assert tf.strings.to_number(["1.5", "2"]).numpy().tolist() == [1.5, 2]
    assert [name.numpy() for name in names] == [b"plum", b"fig"]
    assert tf.strings.split(["a b", "c"]).to_list() == [[b"a", b"b"], [b"c"]]


def test_files_are_read_and_written(tmp_path):
    tf.io.write_file(str(tmp_path / "new" / "a.txt"), "plum")
    assert tf.io.read_file(str(tmp_path / "new" / "a.txt")).numpy() == b"plum"
    assert tf.io.gfile.exists(str(tmp_path / "new")) and tf.io.gfile.listdir(str(tmp_path)) == ["new"]
    with tf.io.gfile.GFile(str(tmp_path / "new" / "a.txt")) as file:
        assert file.read() == "plum"


def test_tensors_have_the_methods_that_scripts_call():
    model = cornu.Sequential([cornu.Input((2,)), cornu.layers.Dense(3)])
    for tensor in (tf.constant(T), model(T), cornu.ops.ones((2, 3)), cornu.random.normal((2, 2))):
        assert isinstance(tensor, tf.Tensor) and isinstance(tensor.numpy(), np.ndarray)
        assert tensor.get_shape().as_list() == list(tensor.shape) and tensor.dtype == tf.float32
        assert tensor.dtype.name == "float32"
    assert isinstance(tf.reduce_sum(T).numpy(), np.float32)
    copied = tf.constant(T).numpy()
    copied[0] = 0  # belongs to the script
    assert isinstance(model.layers[0].kernel, tf.Variable) and not isinstance(T, tf.Tensor)
    with pytest.raises(NotImplementedError, match="no values yet"):
        jax.jit(lambda x: x.numpy() + 1)(T)


def test_types_of_numbers_go_wherever_a_type_goes():
    assert tf.float32 == "float32" == tf.constant(1.0).dtype and tf.as_dtype(np.int32) is not None
    assert tf.int32.is_integer and tf.float16.is_floating and tf.float32.as_numpy_dtype is np.float32
    assert tf.uint8.max == 255 and repr(tf.int64) == "tf.int64" and tf.string.name == "string"
    assert cornu.layers.Dense(1, dtype=tf.float16).compute_dtype == "float16"
    assert np.zeros(1, tf.int32).dtype == "int32" and cornu.ops.zeros((1,), tf.bool).dtype == "bool"


def test_a_variable_is_assigned_to_as_a_whole_and_in_parts():
    v = tf.Variable([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], name="v")
    v.assign(2 * v)
    v[0, 1].assign(42.0)
    v[:, 2].assign([0.0, 1.0])
    v.scatter_nd_update(indices=[[0, 0], [1, 2]], updates=[100.0, 200.0])
    assert v.numpy().tolist() == [[100, 42, 0], [8, 10, 200]]
    assert (v.assign_add(tf.ones((2, 3)))).numpy()[0, 0] == 101 and v.dtype.name == "float32"
    assert isinstance(v, tf.Variable) and v.shape == (2, 3) and not tf.Variable(1, trainable=False).trainable
    assert tf.Variable(lambda: tf.zeros((2,))).shape == (2,) and (v + 1).numpy()[0, 1] == 44


def test_a_module_finds_its_variables():
    class Line(tf.Module):
        def __init__(self):
            super().__init__()
            self.parts = [tf.Variable(1.0), {"b": tf.Variable(2.0, trainable=False)}]
            self.dense = cornu.layers.Dense(1)

    line = Line()
    line.dense(T)
    assert len(line.variables) == 4 and len(line.trainable_variables) == 3 and line.name == "line"


def test_models_and_optimizers_are_kept_in_checkpoints(tmp_path):
    model = cornu.Sequential([cornu.Input((2,)), cornu.layers.Dense(1)])
    optimizer, step = cornu.optimizers.Adam(), tf.Variable(1)
    optimizer.build(model.trainable_variables)
    checkpoint = tf.train.Checkpoint(step=step, optimizer=optimizer, net=model)
    manager = tf.train.CheckpointManager(checkpoint, tmp_path / "kept", max_to_keep=2)
    assert manager.restore_or_initialize() is None
    before = model.get_weights()
    for _ in range(3):
        manager.save()
        checkpoint.step.assign_add(1)
    model.set_weights([weights + 1 for weights in before])
    checkpoint.restore(tf.train.latest_checkpoint(str(tmp_path / "kept"))).expect_partial()
    assert step.numpy() == 3 and np.array_equal(model.get_weights()[0], before[0])
    assert sorted(path.name for path in (tmp_path / "kept").glob("*.npz")) == ["ckpt-2.npz", "ckpt-3.npz"]
    with pytest.raises(ValueError, match="Build the models"):
        tf.train.Checkpoint(net=tf.Module()).restore(manager.latest_checkpoint)
    partial = tf.train.Checkpoint(step=step, other=tf.Variable(0.0)).restore(manager.latest_checkpoint)
    with pytest.raises(AssertionError, match="no values for other"):
        partial.assert_existing_objects_matched()
    again = tf.train.CheckpointManager(tf.train.Checkpoint(step=step), tmp_path / "kept", max_to_keep=2)
    again.restore_or_initialize()
    assert again.save().endswith("ckpt-4") and not (tmp_path / "kept" / "ckpt-2.npz").exists()


@pytest.mark.parametrize("compiled", [False, True])
def test_a_model_without_weights_takes_those_of_a_checkpoint_in_its_first_call(tmp_path, compiled):
    class Two(cornu.Model):
        def __init__(self):
            super().__init__()
            self.last, self.first = cornu.layers.Dense(1), cornu.layers.Dense(3)

        def call(self, x):
            return self.last(self.first(x))

    def made():
        model, optimizer = Two(), cornu.optimizers.Adam(0.1)
        return tf.train.Checkpoint(model=model, optimizer=optimizer), model, optimizer

    x = np.ones((2, 2), "float32")
    checkpoint, model, optimizer = made()
    before = model(x)
    optimizer.build(model.trainable_variables)
    optimizer.apply([cornu.ops.ones(variable.shape) for variable in model.trainable_variables])
    path, after = checkpoint.save(tmp_path / "ckpt"), model(x)
    assert np.abs(before - after).max() > 0.1

    checkpoint, model, optimizer = made()
    status = checkpoint.restore(path)
    with pytest.raises(AssertionError, match="model, optimizer will be set"):
        status.assert_consumed()
    shown = tf.function(model)(x) if compiled else model(x)
    assert np.allclose(shown, after) and int(optimizer.iterations) == 1
    status.assert_consumed()
    if not compiled:
        other = cornu.Sequential([cornu.layers.Dense(1)])
        other(x)
        path = tf.train.Checkpoint(other).save(tmp_path / "other")
        again = cornu.Sequential([cornu.layers.Dense(1)])
        tf.train.Checkpoint(again).restore(path)
        again.build((None, 2))
        assert np.array_equal(again.get_weights()[0], other.get_weights()[0])


def test_python_functions_are_made_functions_of_tensors_by_a_decorator():
    @tf.numpy_function(Tout=[tf.float32, tf.int32])
    def parts(x):
        return x.astype("float32") / 2, np.int32(x.sum())

    @tf.py_function(Tout=tf.float32)
    def double(x):
        return x * 2

    half, total = parts(tf.constant([1, 2]))
    assert half.numpy().tolist() == [0.5, 1] and int(total) == 3 and double(half).numpy().tolist() == [1, 2]


def test_a_function_keeps_the_order_of_the_keys_that_it_returns():
    both = tf.function(lambda found: {"z": found["b"] + 1, "a": next(iter(found.values()))})
    made = both({"b": T[0], "a": T[1]})
    assert list(made) == ["z", "a"] and np.allclose(made["a"], T[0])


def test_a_checkpoint_keeps_the_place_in_a_dataset_and_is_read_by_name(tmp_path):
    places = iter(cornu.data.Dataset.range(6))
    checkpoint = tf.train.Checkpoint(places=places, value=tf.Variable([1.0, 2.0]))
    first = int(next(places))
    path = checkpoint.save(tmp_path / "ckpt")
    assert [int(next(places)) for _ in range(2)] == [first + 1, first + 2]
    checkpoint.restore(path).assert_consumed()
    assert int(next(places)) == first + 1
    reader = tf.train.load_checkpoint(tmp_path)
    name = "value/.ATTRIBUTES/VARIABLE_VALUE"
    assert reader.get_tensor(name).tolist() == [1, 2] and reader.get_variable_to_shape_map()[name] == [2]
    with pytest.raises(tf.errors.NotFoundError, match="has no 'other'"):
        reader.get_tensor("other")


def test_modules_are_saved_with_their_functions(tmp_path):
    class Line(tf.Module):
        def __init__(self):
            super().__init__()
            self.scale = tf.Variable(3.0)

        @tf.function(input_signature=[tf.TensorSpec([None], "float32")])
        def times(self, x):
            return {"y": self.scale * x}

    line = Line()
    concrete = line.times.get_concrete_function()
    assert concrete.structured_outputs["y"].shape == [None] and concrete.inputs[0].name == "x"
    tf.saved_model.save(line, tmp_path / "line", signatures=line.times)
    loaded = tf.saved_model.load(tmp_path / "line")
    assert loaded.times(np.float32([1, 2]))["y"].tolist() == [3, 6] and loaded.scale.numpy() == 3
    assert loaded.signatures["serving_default"](x=np.float32([2]))["y"].tolist() == [6]
    (tmp_path / "saved_model.pb").write_bytes(b"")
    with pytest.raises(ValueError, match="which only TensorFlow runs"):
        tf.saved_model.load(tmp_path)


def test_sparse_tensors_are_cut_and_filled():
    held = tf.sparse.SparseTensor([[0, 3], [2, 4]], [10, 20], [3, 10])
    assert tf.sparse.slice(held, [0, 2], [1, 3]).indices.tolist() == [[0, 1]]
    assert [list(each.shape) for each in tf.sparse.split(held, 3, 1)] == [[3, 4], [3, 3], [3, 3]]
    filled, is_empty = tf.sparse.fill_empty_rows(held, 7)
    assert filled.values.tolist() == [10, 7, 20] and is_empty.tolist() == [False, True, False]
    assert list(tf.sparse.reset_shape(held).shape) == [3, 5]


def test_sounds_are_read(tmp_path):
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(np.array([0, 16384, -32768], "<i2").tobytes())
    sound, rate = tf.audio.decode_wav(tf.io.read_file(str(tmp_path / "a.wav")), desired_samples=4)
    assert sound.numpy()[:, 0].tolist() == [0, 0.5, -1, 0] and rate.numpy() == 8000
    again = tf.audio.decode_wav(tf.audio.encode_wav([[0.318712], [0.4911437], [1.0], [-1.0]], 8000)).audio
    assert (again.numpy()[:, 0] * 32768).tolist() == [10444, 16094, 32767, -32768]  # TensorFlow rounds


def test_draws_follow_from_the_seed():
    tf.random.set_seed(42)
    first = [tf.random.normal([2]), tf.random.normal([2], seed=3), tf.random.normal([2], seed=3)]
    tf.random.set_seed(42)
    again = [tf.random.normal([2]), tf.random.normal([2], seed=3), tf.random.normal([2], seed=3)]
    assert np.array_equal(first, again) and not np.array_equal(first[1], first[2])
    same = [tf.random.stateless_uniform([2], seed=(1, 2)) for _ in range(2)]
    assert np.array_equal(*same) and not np.array_equal(same[0], tf.random.stateless_uniform([2], seed=(2, 1)))
    whole = tf.random.uniform([50], 1, 4, dtype=tf.int32).numpy()
    assert set(whole) == {1, 2, 3} and sorted(tf.random.shuffle([3, 1, 2]).numpy()) == [1, 2, 3]
    assert tf.random.categorical([[0.0, -50.0]], 3).numpy().tolist() == [[0, 0, 0]]
    flipped = [tf.image.random_flip_left_right(PICTURE)[0, 0, 0].item() for _ in range(20)]
    assert set(flipped) == {0, 9}
    assert tf.image.random_crop(PICTURE, [2, 2, 3]).shape == (2, 2, 3)
    assert tf.random.Generator.from_seed(1).normal([2]).shape == (2,)


def test_lines_that_compute_nothing_do_not_stop_a_script(capsys, tmp_path):
    tf.get_logger().setLevel("ERROR")
    tf.autograph.set_verbosity(0)
    tf.config.experimental.enable_op_determinism()
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    assert tf.config.list_physical_devices("CPU")[0].device_type == "CPU" and tf.executing_eagerly()
    assert tf.test.is_gpu_available() == bool(tf.config.list_physical_devices("GPU"))
    with tf.distribute.MirroredStrategy().scope(), tf.device("/CPU:0"), tf.name_scope("here"):
        assert tf.distribute.get_strategy().num_replicas_in_sync == 1
        assert "device" in (device := tf.constant(1).device) and device.endswith(("CPU:0", "GPU:0"))
    with tf.summary.create_file_writer(tmp_path).as_default():
        tf.summary.scalar("loss", 1.0, step=0)
    tf.debugging.assert_equal(tf.constant(1), 1)
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected equal values"):
        tf.debugging.assert_equal(1, 2)


def test_print_writes_as_tensorflow_does_and_where_it_is_told_to(capsys, tmp_path):
    file = f"file://{tmp_path}/log.txt"

    @tf.function
    def told(x):
        tf.print("in:", x, {"twice": 2 * x}, output_stream=sys.stdout)
        return x

    told(tf.constant([0.1, 1 / 3]))
    jax.effects_barrier()
    tf.print("loss:", tf.constant(2.0), [1, "a"], tf.constant([True, False]), tf.constant(["x", "y"]))
    tf.print(tf.reshape(tf.range(16), (8, 2)), tf.range(3), summarize=1, output_stream=file)
    tf.print(tf.ragged.constant([[1], [2, 3]]), tf.Variable(1e-8), sep=", ", output_stream=file)
    out, error = capsys.readouterr()
    assert out == "in: [0.1 0.333333343] {'twice': [0.2 0.666666687]}\n"
    assert error == 'loss: 2 [1, \'a\'] [1 0] ["x" "y"]\n'
    assert (tmp_path / "log.txt").read_text() == "[[0 1]\n ...\n [14 15]] [0 ... 2]\n[[1], [2, 3]], 1e-08\n"
    with pytest.raises(ValueError, match="an open file"):
        tf.print(1, output_stream=3)


@pytest.mark.parametrize(
    "path, words",
    [
        ("Session", "TensorFlow 1's"),
        ("io.decode_proto", "closest names"),
        ("reduce_meen", "'reduce_mean'"),
        ("image.resise", "'resize'"),
        ("compat.v1.placeholder", "TensorFlow 1's"),
    ],
)
def test_what_is_not_there_says_what_to_use(path, words):
    with pytest.raises(AttributeError, match=words) as told:
        found = tf
        for part in path.split("."):
            found = getattr(found, part)
    assert "without TensorFlow" in str(told.value)


def test_an_argument_that_a_function_has_not_is_named():
    with pytest.raises(TypeError, match="reduce_sum has no argument 'dim'"):
        tf.reduce_sum(T, dim=1)


def test_words_become_the_numbers_of_a_vocabulary_and_other_words_share_a_few():
    words = tf.constant(["sea", "sky", "tree"])
    table = tf.lookup.StaticVocabularyTable(tf.lookup.KeyValueTensorInitializer(words, tf.range(3)), num_oov_buckets=2)
    assert table.lookup(words).tolist() == [0, 1, 2] and int(table.size()) == 5
    others = ["cloud", "stone", "grass", "sand"]
    hashed = np.asarray(cornu.layers.Hashing(2)(np.array(others)))
    np.testing.assert_array_equal(table.lookup(tf.constant(others)), 3 + hashed)


def test_a_table_gives_its_default_for_other_keys_and_refuses_one_key_twice():
    names = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer([1, 2], ["one", "two"]), default_value="many")
    assert names.lookup([[2], [7]]).numpy().tolist() == [[b"two"], [b"many"]] and names[1].numpy() == b"one"
    with pytest.raises(ValueError, match="the keys must be unique"):
        tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer([1, 1], [2, 3]), -1)
    with pytest.raises(ValueError, match="same length"):
        tf.lookup.KeyValueTensorInitializer([1], [2, 3])


def test_lines_of_csv_become_columns():
    lines = tf.constant(['1;"a;b";x', ";c;y"])
    number, letter = tf.io.decode_csv(lines, [[7], [""]], field_delim=";", select_cols=[0, 1])
    assert number.tolist() == [1, 7] and number.dtype == "int32" and letter.numpy().tolist() == [b"a;b", b"c"]
    with pytest.raises(ValueError, match="field 0 is empty"):
        tf.io.decode_csv(",2", [tf.constant([], tf.float32), [1.5]])
    with pytest.raises(ValueError, match="expected 1 fields"):
        tf.io.decode_csv("1,2", [[0]])


@pytest.mark.parametrize("pad", [False, True])
def test_bytes_of_any_length_go_through_base64(pad):
    pieces = [b"", b"\xff", b"\xfe\xff", b"abc"]
    coded = tf.io.encode_base64(pieces, pad=pad)
    assert all(len(one) % 4 == 0 for one in coded.numpy()) == pad
    assert tf.io.decode_base64(coded).numpy().tolist() == pieces


def test_summaries_reach_the_file_also_from_compiled_functions(tmp_path):
    files = pytest.importorskip("tensorboardX.event_file_writer")
    assert files
    writer = tf.summary.create_file_writer(tmp_path)

    @tf.function
    def step(x, number):
        tf.summary.scalar("inner", tf.reduce_sum(x), step=number)
        return x * 2

    with writer.as_default(step=7):
        assert tf.summary.scalar("loss", 0.5)
        assert tf.summary.text("note", "good")
        step(tf.ones(3), tf.constant(1))
        jax.effects_barrier()
        with tf.summary.record_if(False):
            assert not tf.summary.scalar("left out", 0.5)
    assert not tf.summary.scalar("outside", 0.5, step=8)
    written = next(tmp_path.iterdir()).read_bytes()
    assert all(name in written for name in (b"loss", b"note", b"inner"))
    assert b"left out" not in written
    with writer.as_default(), pytest.raises(ValueError, match="pass step="):
        tf.summary.scalar("loss", 0.5)


def test_a_mask_is_taken_away_as_scripts_do_it():
    class Words(cornu.Model):
        def __init__(self, keep):
            super().__init__()
            self.keep = keep
            self.embedding, self.dense = cornu.layers.Embedding(5, 3, mask_zero=True), cornu.layers.Dense(5)

        def call(self, x):
            scores = self.dense(self.embedding(x))
            if not self.keep:
                del scores._keras_mask
            assert hasattr(scores, "_keras_mask") == self.keep
            return scores

    x = np.array([[1, 2, 0], [3, 0, 0]])
    found = []
    for keep in (True, False):
        cornu.utils.set_random_seed(0)
        model = Words(keep)
        model.compile("sgd", cornu.losses.SparseCategoricalCrossentropy(from_logits=True))
        found.append(model.evaluate(x, x, verbose=0))
    assert found[0] != pytest.approx(found[1])


def test_text_of_a_tensor_goes_into_records():
    picture = tf.io.encode_jpeg(PICTURE)
    held = tf.train.Feature(bytes_list=tf.train.BytesList(value=[picture]))
    assert held.bytes_list.value[0] == picture.numpy()


def test_a_function_of_text_has_a_signature():
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def shout(words):
        return tf.strings.upper(words)

    assert shout(tf.constant(["a", "b"])).numpy().tolist() == [b"A", b"B"]
    assert shout(["c"]).numpy().tolist() == [b"C"]
