"""The first network of every book, and the parts that its later chapters replace by their own."""

import numpy as np
import tensorflow as tf
from tensorflow import keras

assert int(tf.__version__.split(".")[0]) == 2
tf.random.set_seed(42)
pixels = np.random.default_rng(0)
np.savez(
    "digits.npz",
    x_train=pixels.integers(0, 256, (120, 28, 28), "uint8"), y_train=pixels.integers(0, 10, 120, "uint8"),
    x_test=pixels.integers(0, 256, (30, 28, 28), "uint8"), y_test=pixels.integers(0, 10, 30, "uint8"),
)  # fmt: skip
with np.load("digits.npz") as digits:
    x_train, y_train, x_test, y_test = (digits[name] for name in ("x_train", "y_train", "x_test", "y_test"))
x_train, x_test = x_train / 255.0, x_test / 255.0

model = keras.models.Sequential(
    [keras.layers.Flatten(input_shape=(28, 28)), keras.layers.Dense(16, activation="relu"), keras.layers.Dense(10)]
)
probabilities = tf.nn.softmax(model(x_train[:1])).numpy()
assert probabilities.shape == (1, 10) and abs(probabilities.sum() - 1) < 1e-5
loss_fn = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
print("first loss:", loss_fn(y_train[:1], model(x_train[:1])).numpy())
model.compile(optimizer="adam", loss=loss_fn, metrics=["accuracy"])
history = model.fit(x_train, y_train, epochs=3, validation_split=0.1, verbose=0)
assert history.history["loss"][-1] < history.history["loss"][0]
with_softmax = tf.keras.Sequential([model, tf.keras.layers.Softmax()])
assert tf.reduce_all(tf.abs(tf.reduce_sum(with_softmax(x_test[:5]), axis=1) - 1) < 1e-5)


def huber(y_true, y_pred):
    error = y_true - y_pred
    return tf.where(tf.abs(error) < 1.0, tf.square(error) / 2, tf.abs(error) - 0.5)


class MeanHuber(keras.metrics.Metric):
    """A metric that keeps its own sums."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.total = self.add_weight(name="total", initializer="zeros")
        self.count = self.add_weight(name="count", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.total.assign_add(tf.reduce_sum(huber(y_true, y_pred)))
        self.count.assign_add(tf.cast(tf.size(y_true), tf.float32))

    def result(self):
        return self.total / self.count


class Noisy(keras.layers.Layer):
    """Noise in training alone, of the shape of the batch."""

    def call(self, inputs, training=None):
        return inputs + tf.random.normal(tf.shape(inputs), stddev=0.01) if training else inputs


def positive(weights):
    return tf.where(weights < 0.0, tf.zeros_like(weights), weights)


x = np.linspace(0, 1, 60, dtype="float32").reshape(20, 3)
y = x.sum(axis=1, keepdims=True)
own = keras.Sequential(
    [
        keras.layers.Dense(8, activation=lambda z: tf.math.log(1.0 + tf.exp(z)), input_shape=[3]),
        Noisy(),
        keras.layers.Lambda(lambda z: tf.concat([z, tf.square(z)], axis=-1)),
        keras.layers.Dense(1, kernel_constraint=positive, kernel_regularizer=lambda w: tf.reduce_sum(tf.abs(0.01 * w))),
    ]
)
own.compile(loss=huber, optimizer="nadam", metrics=[MeanHuber(), "mae"])
history = own.fit(x, y, epochs=4, verbose=0).history
assert history["loss"][-1] < history["loss"][0] and "mean_huber" in history
rows = keras.Input((2, 3))
flat = tf.reduce_sum(tf.reshape(rows, (tf.shape(rows)[0], -1))[:, tf.newaxis], axis=1)
assert keras.Model(rows, flat)(np.ones((4, 2, 3))).shape == (4, 6)
assert own.layers[-1].kernel.numpy().min() >= 0
