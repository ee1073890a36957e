"""Train a small convolutional network on the 1,797 handwritten digits of scikit-learn, and show the results."""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import cornu
from cornu import validate
from cornu.models.sequential import Sequential

_CLASSES = 10
_SEED = 7


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `cornu demo`."""
    parser.add_argument("--epochs", type=int, default=30, help="number of passes over the training images (30)")
    parser.add_argument("--out", type=Path, default=Path("cornu-demo"), help="directory for the files (cornu-demo)")


def run(options: argparse.Namespace) -> int:
    """Train, save, load back, compare, and draw."""
    try:
        for package in ("sklearn", "matplotlib"):
            validate.optional_import(package, extra="demo", purpose="cornu demo")
    except ImportError as error:
        print(error, file=sys.stderr)
        return 1
    cornu.utils.set_random_seed(_SEED)
    (x_train, y_train), (x_test, y_test) = digits()
    print(f"{len(x_train)} training images, {len(x_test)} held out, each of {x_train.shape[1]}×{x_train.shape[2]}.")
    model = network()
    model.summary()
    started = time.perf_counter()
    history = model.fit(x_train, y_train, epochs=options.epochs, batch_size=32, validation_data=(x_test, y_test))
    seconds = time.perf_counter() - started
    options.out.mkdir(parents=True, exist_ok=True)
    loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
    predicted = model.predict(x_test, verbose=0)
    file = options.out / "digits.keras"
    model.save(file)
    same = np.array_equal(predicted, cornu.models.load_model(file).predict(x_test, verbose=0))
    picture = options.out / "digits.png"
    draw(history.history, x_test, y_test, predicted.argmax(axis=-1), picture)
    print(f"\nTrained in {seconds:.1f} s. Held-out images: accuracy {accuracy:.2%}, loss {loss:.4f}.")
    print(f"Saved and loaded: {'predictions are bit-identical.' if same else 'predictions DIFFER.'}")
    print(f"Model:   {file.resolve()}\nPicture: {picture.resolve()}")
    print(
        f"\nNext: `cornu inspect {file}` shows the contents of the file, and `cornu run train.py` runs your own "
        "Keras script unmodified.\nThe network and its training are defined in "
        f"{Path(__file__).resolve()}: change a layer, and run it again."
    )
    return 0 if same else 1


def digits() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """((images, labels) for training, the same held out): every third image is held out."""
    from sklearn.datasets import load_digits

    data = load_digits()
    images = (data.images / 16.0).astype("float32")[..., None]  # (1797, 8, 8, 1), from 0 to 1
    held_out = np.arange(len(images)) % 3 == 0
    labels = data.target.astype("int32")
    return (images[~held_out], labels[~held_out]), (images[held_out], labels[held_out])


def network() -> Sequential:
    """Two convolutions, pooling, dropout and a softmax, compiled with Adam."""
    layers = cornu.layers
    model = cornu.Sequential(
        [
            cornu.Input((8, 8, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Dropout(0.3),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dropout(0.4),
            layers.Dense(_CLASSES, activation="softmax"),
        ],
        name="digits",
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def draw(
    history: dict[str, list[float]], images: np.ndarray, labels: np.ndarray, predicted: np.ndarray, file: Path
) -> None:
    """Training curves, the confusion matrix and some misclassified digits, as one PNG."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(13, 7.5), layout="constrained")
    grid = figure.add_gridspec(2, 3, height_ratios=[2.4, 1])
    epochs = range(1, len(history["loss"]) + 1)
    for column, (name, title) in enumerate([("loss", "Loss"), ("accuracy", "Accuracy")]):
        axes = figure.add_subplot(grid[0, column])
        axes.plot(epochs, history[name], label="training")
        axes.plot(epochs, history[f"val_{name}"], label="held out")
        axes.set(title=title, xlabel="epoch")
        axes.grid(alpha=0.3)
        axes.legend()
    _draw_confusion(figure.add_subplot(grid[0, 2]), labels, predicted)
    _draw_mistakes(figure.add_subfigure(grid[1, :]), images, labels, predicted)
    figure.savefig(file, dpi=110)
    plt.close(figure)


def _draw_confusion(axes: Any, labels: np.ndarray, predicted: np.ndarray) -> None:
    counts = np.zeros((_CLASSES, _CLASSES), int)
    np.add.at(counts, (labels, predicted), 1)
    axes.imshow(counts, cmap="Blues", vmax=counts.max() * 1.6)
    axes.set(title="Confusion matrix, held-out images", xlabel="predicted", ylabel="true")
    axes.set_xticks(range(_CLASSES))
    axes.set_yticks(range(_CLASSES))
    for (row, column), count in np.ndenumerate(counts):
        if count:
            axes.text(column, row, str(count), ha="center", va="center", fontsize=8)


def _draw_mistakes(figure: Any, images: np.ndarray, labels: np.ndarray, predicted: np.ndarray) -> None:
    wrong = np.flatnonzero(labels != predicted)
    shown = wrong[:12]
    figure.suptitle(f"{len(wrong)} of {len(labels)} held-out digits are misclassified" + (":" if len(shown) else "."))
    for axes, index in zip(figure.subplots(1, max(len(shown), 1), squeeze=False)[0], shown, strict=False):
        axes.imshow(images[index, ..., 0], cmap="gray_r")
        axes.set_title(f"{labels[index]} read as {predicted[index]}", fontsize=9)
    for axes in figure.axes:
        axes.axis("off")
