"""Fine-tune ResNet50 on handwritten digits: first a new head on frozen features, then all of it at a low rate.

    python examples/fine_tune_digits.py                    # from the published ImageNet weights, downloaded once
    python examples/fine_tune_digits.py --weights none     # from random weights, without a network

The 1,797 digits of scikit-learn, 8×8 and gray, become RGB pictures of 64×64. Every third one is held out. Needs
scikit-learn: `pip install '.[demo]'`.
"""

import argparse
import time

import numpy as np
from sklearn.datasets import load_digits

import cornu as keras
from cornu import layers
from cornu.applications.resnet50 import ResNet50, preprocess_input

SIDE = 64


def main() -> None:
    options = _options()
    keras.utils.set_random_seed(0)
    train, held_out = digits()
    base = ResNet50(
        include_top=False,
        weights=None if options.weights == "none" else options.weights,
        input_shape=(SIDE, SIDE, 3),
        pooling="avg",
    )
    model = with_head(base)

    base.trainable = False
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    report("A new head on frozen features", model, train, held_out, options.epochs)

    base.trainable = True
    model.compile(keras.optimizers.Adam(1e-5), "sparse_categorical_crossentropy", metrics=["accuracy"])
    report("All of it, at a low rate", model, train, held_out, options.fine_epochs)


def digits() -> tuple[tuple, tuple]:
    """((pictures, labels) to train on, the same held out), preprocessed as ResNet50 wants them."""
    data = load_digits()
    factor = SIDE // 8
    gray = np.kron(data.images / 16.0 * 255.0, np.ones((1, factor, factor))).astype("float32")
    pictures = preprocess_input(np.repeat(gray[..., None], 3, axis=-1))  # (1797, 64, 64, 3)
    labels = data.target.astype("int32")
    held_out = np.arange(len(labels)) % 3 == 0
    return (pictures[~held_out], labels[~held_out]), (pictures[held_out], labels[held_out])


def with_head(base: keras.Model) -> keras.Model:
    """The network with a softmax over ten classes on its features.

    `training=False` keeps BatchNormalization at the statistics it came with, also once the base is unfrozen.
    """
    pictures = keras.Input((SIDE, SIDE, 3))
    features = layers.BatchNormalization(momentum=0.9)(base(pictures, training=False))
    outputs = layers.Dense(10, activation="softmax")(layers.Dropout(0.2)(features))
    return keras.Model(pictures, outputs, name="digits")


def report(title: str, model: keras.Model, train: tuple, held_out: tuple, epochs: int) -> None:
    trained = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    print(f"\n{title}: {trained:,} of {model.count_params():,} parameters are trained.")
    started = time.perf_counter()
    model.fit(*train, batch_size=32, epochs=epochs, validation_data=held_out)
    loss, accuracy = model.evaluate(*held_out, verbose=0)
    print(f"Held-out pictures: accuracy {accuracy:.1%}, loss {loss:.3f}, after {time.perf_counter() - started:.0f} s.")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--weights", default="imagenet", help="imagenet, none, or a file with weights")
    parser.add_argument("--epochs", type=int, default=5, help="epochs on frozen features (5)")
    parser.add_argument("--fine-epochs", type=int, default=2, help="epochs of the whole (2)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
