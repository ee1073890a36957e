"""What is timed: each function builds one training from the Keras API alone, so every peer runs the same lines.

A function takes the `keras` module and returns (model, x, y, batch_size), the model compiled.
"""

from typing import Any

import numpy as np


def _random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def demo(keras: Any) -> tuple:
    """The network of `cornu demo` on as many 8×8 images."""
    layers, random = keras.layers, _random()
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Dropout(0.3),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dropout(0.4),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, random.random((1198, 8, 8, 1), np.float32), random.integers(0, 10, 1198), 32


def mlp(keras: Any) -> tuple:
    """784-512-dropout-10, batch 32, Adam."""
    layers, random = keras.layers, _random()
    model = keras.Sequential(
        [
            keras.Input((784,)),
            layers.Dense(512, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, random.random((12800, 784), np.float32), random.integers(0, 10, 12800), 32


def simple_rnn(keras: Any) -> tuple:
    """The three stacked SimpleRNNs of the page for learners: sequences of 100 words, batch 32, RMSprop."""
    layers, random = keras.layers, _random()
    model = keras.Sequential()
    model.add(layers.Embedding(input_dim=10000, output_dim=32))
    model.add(layers.SimpleRNN(32, return_sequences=True))
    model.add(layers.SimpleRNN(32, return_sequences=True))
    model.add(layers.SimpleRNN(32))
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["acc"])
    return model, random.integers(0, 10000, (3200, 100)), random.integers(0, 2, 3200), 32


WORK = {"demo": demo, "mlp": mlp, "simple_rnn": simple_rnn}
