"""The networks of `cornu bench`: each function takes the `keras` module, and cornu is not mentioned anywhere.

So the comparison with other libraries, in the repository's `benchmarks/`, runs the same code on all of them.
"""

from types import ModuleType
from typing import Any

WORDS = 10_000


def mlp(keras: ModuleType, width: int = 512, depth: int = 1) -> Any:
    """784 numbers, `depth` dense layers of `width`, dropout, 10 classes."""
    layers = keras.layers
    hidden = [layers.Dense(width, activation="relu") for _ in range(depth)]
    ends = [layers.Dropout(0.2), layers.Dense(10, activation="softmax")]
    return keras.Sequential([keras.Input((784,)), *hidden, *ends])


def cnn(keras: ModuleType, size: int = 28) -> Any:
    """Two convolutions with pooling, for handwritten digits."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((size, size, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )


def lstm(keras: ModuleType, width: int = 64) -> Any:
    """One LSTM over embedded words."""
    layers = keras.layers
    return keras.Sequential([layers.Embedding(WORDS, width), layers.LSTM(width), layers.Dense(1, activation="sigmoid")])


def transformer(keras: ModuleType, time: int = 128, width: int = 128, depth: int = 2, heads: int = 4) -> Any:
    """A classifier of `depth` Transformer encoder blocks over embedded words."""
    layers: Any = keras.layers

    class Positions(layers.Layer):
        """Adds a learned vector at each position."""

        def build(self, input_shape: Any) -> None:
            self.table = self.add_weight(shape=(time, width), initializer="uniform", name="table")

        def call(self, x: Any) -> Any:
            return x + self.table

    words = keras.Input((time,), dtype="int32")
    x = Positions()(layers.Embedding(WORDS, width)(words))
    for _ in range(depth):
        seen = layers.MultiHeadAttention(heads, width // heads, dropout=0.1)(x, x)
        x = layers.LayerNormalization(epsilon=1e-5)(layers.Add()([x, layers.Dropout(0.1)(seen)]))
        inner = layers.Dropout(0.1)(layers.Dense(4 * width, activation="relu")(x))
        inner = layers.Dropout(0.1)(layers.Dense(width)(inner))
        x = layers.LayerNormalization(epsilon=1e-5)(layers.Add()([x, inner]))
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(words, layers.Dense(2, activation="softmax")(x))
