"""Tensors of other kinds: ragged and sparse ones, texts, lookup tables, records, structured columns."""

import numpy as np
import tensorflow as tf

digits = tf.ragged.constant([[3, 1, 4, 1], [], [5, 9, 2], [6], []])
words = tf.ragged.constant([["So", "long"], ["thanks", "for", "all", "the", "fish"]])
print(tf.reduce_mean(tf.cast(digits, tf.float32), axis=1).numpy()[[0, 2, 3]], tf.concat([digits, [[5, 3]] * 5], axis=0))
print(tf.strings.substr(words, 0, 2), tf.map_fn(tf.math.square, digits), digits + 3, digits[0], digits[:, :2])
print(digits.to_tensor(), digits.row_lengths(), digits.row_splits, digits.flat_values, digits.nrows(), digits.shape)
print(tf.RaggedTensor.from_value_rowids([1, 2, 3], [0, 0, 2]), tf.RaggedTensor.from_row_splits([1, 2], [0, 1, 2]))
print(tf.RaggedTensor.from_tensor([[1, 2, 0], [3, 0, 0]], padding=0), digits.bounding_shape(), tf.ragged.range([2, 3]))
st = tf.sparse.SparseTensor(indices=[[0, 3], [2, 4]], values=[10, 20], dense_shape=[3, 10])
print(st, tf.sparse.to_dense(st)[2], tf.sparse.add(st, st).values, tf.sparse.slice(st, [0, 2], [1, 3]).values)
print(tf.sparse.reduce_sum(st, axis=1), tf.sparse.sparse_dense_matmul(tf.cast(st, tf.float32), tf.ones([10, 1])))
print(tf.sparse.fill_empty_rows(st, 7)[0].values, tf.sparse.fill_empty_rows(st, 0)[1], tf.sparse.reset_shape(st).shape)
print(tf.sparse.concat(axis=1, sp_inputs=[st, st]).shape, [each.shape for each in tf.sparse.split(st, 3, 1)])
print(
    tf.strings.length(["a", "bcd"]), tf.strings.join(["x", "y"], "-"), tf.strings.split("a b c"), tf.strings.upper("ab")
)
print(tf.strings.to_number(["1.5", "2"]), tf.strings.unicode_decode("héé", "UTF-8"), tf.strings.bytes_split("abc"))
print(
    tf.strings.reduce_join(["a", "b"], separator=" "), tf.strings.strip("  a "), tf.strings.regex_full_match("ab", "a.")
)
print(
    tf.strings.unicode_split(["ab", "c"], "UTF-8"),
    tf.strings.ngrams(["a", "b", "c"], 2),
    tf.strings.to_hash_bucket_fast("a", 5),
)
print(
    tf.strings.format("{} and {}", (tf.constant(1), tf.constant([2, 3]))), tf.strings.as_string(tf.constant([1.5, 2.0]))
)
table = tf.lookup.StaticHashTable(
    tf.lookup.KeyValueTensorInitializer(tf.constant(["emerson", "lake"]), tf.constant([1, 2], tf.int64)), -1
)
print(table.lookup(tf.constant(["lake", "palmer"])), table.size(), table[tf.constant("emerson")])
vocabulary = tf.lookup.StaticVocabularyTable(
    tf.lookup.KeyValueTensorInitializer(["a", "b"], tf.constant([0, 1], tf.int64)), num_oov_buckets=1
)
print(vocabulary.lookup(tf.constant(["b", "zzz"])))
mutable = tf.lookup.experimental.DenseHashTable(tf.string, tf.int64, -1, "", "$")
mutable.insert(["k"], tf.constant([7], tf.int64))
print(mutable.lookup(["k", "l"]))
mutable = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
mutable.insert(["k"], tf.constant([7], tf.int64))
print(mutable.lookup(tf.constant(["k", "l"])), mutable.export()[1])


def _bytes_feature(value):
    if isinstance(value, type(tf.constant(0))):
        value = value.numpy()
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def serialize_example(number, name):
    feature = {
        "number": tf.train.Feature(int64_list=tf.train.Int64List(value=[number])),
        "name": _bytes_feature(name),
        "rows": tf.train.Feature(float_list=tf.train.FloatList(value=[number, number / 2])),
    }
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


with tf.io.TFRecordWriter("numbers.tfrecord") as writer:
    for i in range(4):
        writer.write(serialize_example(i, f"name {i}".encode()))
description = {
    "number": tf.io.FixedLenFeature([], tf.int64, default_value=0),
    "name": tf.io.FixedLenFeature([], tf.string),
    "rows": tf.io.VarLenFeature(tf.float32),
}
parsed = tf.data.TFRecordDataset("numbers.tfrecord").map(lambda record: tf.io.parse_single_example(record, description))
for record in parsed.take(2):
    print(record["number"].numpy(), record["name"].numpy(), tf.sparse.to_dense(record["rows"]).numpy())
print(tf.train.Example.FromString(serialize_example(3, b"x")).features.feature["rows"].float_list.value)

titles = {"age": np.array([20.0, 35.0, 50.0, 65.0]), "kind": np.array(["cat", "dog", "cat", "bird"])}
target = np.array([0, 1, 0, 1])
ds = tf.data.Dataset.from_tensor_slices((dict(titles), target)).batch(2)
normalizer = tf.keras.layers.Normalization(axis=None)
normalizer.adapt(ds.map(lambda row, y: row["age"]))
lookup = tf.keras.layers.StringLookup(vocabulary=["cat", "dog", "bird"])
encoding = tf.keras.layers.CategoryEncoding(num_tokens=lookup.vocabulary_size(), output_mode="multi_hot")
age, kind = tf.keras.Input((1,), name="age"), tf.keras.Input((1,), name="kind", dtype="string")
joined = tf.keras.layers.concatenate([normalizer(age), encoding(lookup(kind))])
model = tf.keras.Model({"age": age, "kind": kind}, tf.keras.layers.Dense(1)(joined))
model.compile(optimizer="adam", loss=tf.keras.losses.BinaryCrossentropy(from_logits=True), metrics=["accuracy"])
reshaped = ds.map(lambda row, y: ({name: tf.expand_dims(value, -1) for name, value in row.items()}, y))
model.fit(reshaped, epochs=2)
sample = {"age": tf.convert_to_tensor([[30.0]]), "kind": tf.convert_to_tensor([["dog"]])}
print(tf.nn.sigmoid(model.predict(sample, verbose=0)))
ragged = tf.keras.Sequential([tf.keras.layers.Embedding(12, 4), tf.keras.layers.GlobalAveragePooling1D()])
print(ragged(digits.to_tensor()).numpy().sum(axis=1))
print(tf.data.Dataset.from_tensor_slices(digits).batch(2).element_spec is not None)
print(
    tf.unique([1, 1, 2]),
    tf.math.bincount([1, 1, 3]),
    tf.math.segment_sum([1, 2, 3], [0, 0, 1]),
    tf.where([True, False]),
)
print(
    tf.one_hot([0, 2], 3),
    tf.sequence_mask([1, 3]),
    tf.boolean_mask([1, 2, 3], [True, False, True]),
    tf.reverse([1, 2], [0]),
)
print(
    tf.tensor_scatter_nd_update([1, 2, 3], [[1]], [9]),
    tf.gather_nd([[1, 2], [3, 4]], [[1, 0]]),
    tf.meshgrid([1, 2], [3]),
)
