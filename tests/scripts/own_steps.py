"""Steps of one's own inside `fit`: they draw, look at values, compute with sizes, take unlike batches."""

import numpy as np
import tensorflow as tf
import tensorflow.experimental.numpy as tnp
from tensorflow import keras
from tensorflow.keras import layers

rows = np.random.default_rng(0).random((8, 3)).astype("float32")


class OneUnit(keras.Model):
    """A model of one layer."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1)

    def call(self, x):
        return self.dense(x)


class Drawing(OneUnit):
    """Draws anew in each step, by TensorFlow's functions and Keras's, neither of which is given a seed."""

    def train_step(self, data):
        return {"tf": tf.random.uniform(()), "keras": keras.random.uniform(()), "own": tf.random.uniform((), seed=3)}


class Seen(keras.callbacks.Callback):
    """The logs of all steps."""

    def __init__(self):
        super().__init__()
        self.logs = []

    def on_train_batch_end(self, batch, logs=None):
        self.logs.append(dict(logs))


seen, model = Seen(), Drawing()
model.compile("adam")
model.fit(rows, rows[:, :1], batch_size=4, epochs=2, verbose=0, callbacks=[seen])
for name in ("tf", "keras", "own"):
    assert len({log[name] for log in seen.logs}) == 4, (name, seen.logs)


class Noise(layers.Layer):
    """Adds noise to what goes through, also in the steps that every model has."""

    def call(self, x):
        return x + tf.random.normal(tf.shape(x))


seen, model = Seen(), keras.Sequential([Noise(), layers.Dense(1)])
model.compile(keras.optimizers.SGD(0.0), "mse")
model.fit(np.ones((8, 3)), np.ones(8), batch_size=2, verbose=0, callbacks=[seen])
assert len({log["loss"] for log in seen.logs}) == 4, seen.logs
assert (model.predict(rows, verbose=0) != model.predict(rows, verbose=0)).any()


class Choosing(OneUnit):
    """Trains on the rows with a label alone, whose number no compiled step can know."""

    def train_step(self, data):
        (x, extra), (y, _) = data
        kept = tf.boolean_mask(x, y > 0)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(self(kept))) + tf.reduce_mean(extra)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {"loss": loss, "rows": tf.shape(kept)[0]}


pairs = tf.data.Dataset.from_tensor_slices((rows, np.array([1.0, 1, 1, 0, 0, 0, 1, 0], "float32"))).batch(4)
others = tf.data.Dataset.from_tensor_slices((rows[:4], np.zeros(4, "float32"))).batch(2)


def unlike_rows(one, two):
    return (one[0], two[0]), (one[1], two[1])


unlike = tf.data.Dataset.zip((pairs, others)).map(unlike_rows)
model = Choosing()
model.compile("adam")
assert model.fit(unlike, epochs=2, verbose=0).history["rows"] == [1.0, 1.0]


class Causal(layers.Layer):
    """A mask whose shape is computed from the sizes of the input."""

    def call(self, x):
        shape = tf.shape(x)
        count, length = shape[0], tf.cast(shape[1], "int64")
        mask = tf.range(shape[1])[:, tf.newaxis] >= tf.range(shape[1])
        mask = tf.reshape(tf.cast(mask, x.dtype), (1, shape[1], shape[1]))
        many = tf.concat([tf.expand_dims(count, -1), tf.constant([1, 1], dtype=tf.int32)], axis=0)
        return tf.matmul(tf.tile(mask, many), x) / tf.cast(length * tf.ones((count, 1, 1), "int64"), x.dtype)


inputs = keras.Input((None, 2))
places = layers.Embedding(5, 2)(tf.range(5)[tf.newaxis, :])
model = keras.Model(inputs, Causal()(inputs))
assert np.allclose(model.predict(np.ones((2, 4, 2)), verbose=0)[1, :, 0], [0.25, 0.5, 0.75, 1.0])
add = layers.Add()
add([places, places])
assert add([tf.ones((3, 5, 2)), places]).shape == (3, 5, 2)

probabilities = np.squeeze(tf.nn.softmax([[0.1, 0.2, 0.3]]))
assert type(probabilities) is np.ndarray and np.random.default_rng(0).choice(3, p=probabilities) in {0, 1, 2}
assert {0: "a", 1: "b"}[np.argmax(tf.constant([0.1, 0.9]))] == "b"

tags = tf.ragged.constant([["b", "a"], [], ["a"]])
lookup = layers.StringLookup(output_mode="binary")
lookup.adapt(tags)
assert lookup(tags).numpy().tolist() == [[0, 1, 1], [0, 0, 0], [0, 1, 0]]
assert layers.StringLookup(vocabulary=["a", "b"])(tags).to_list() == [[2, 1], [], [1]]
words = layers.TextVectorization(vocabulary=["a", "b"], ragged=True)
assert words(["a b a", "b"])[..., :-1].to_list() == [[2, 3], []]
assert keras.ops.convert_to_tensor(["fixed"]).numpy().tolist() == [b"fixed"]

tnp.random.seed(3)
first = tnp.random.randn(2, 3)
tnp.random.seed(3)
assert np.array_equal(first, tnp.random.randn(2, 3)) and tnp.random.randint(0, 5, (4,)).shape == (4,)
assert "unlike_rows(" in tf.autograph.to_code(unlike_rows)
