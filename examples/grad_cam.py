"""Grad-CAM: which places of a picture speak for the class that a network sees in it.

    python examples/grad_cam.py cat.jpg                    # ResNet50 with the published ImageNet weights
    python examples/grad_cam.py                            # a small network, trained on digits in some seconds

Each channel of the last feature map is weighted by the mean gradient of the class's score; what is positive of the sum
is the heat. Writes `grad_cam.png`. Needs matplotlib, and Pillow or scikit-learn: `pip install '.[demo,image]'`.
Paper: Selvaraju et al., 2017, https://arxiv.org/abs/1610.02391.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np

import cornu as keras
from cornu.applications import resnet50
from cornu.cli import demo

matplotlib.use("agg")
import matplotlib.pyplot as plt


def grad_cam(model: keras.Model, layer: str, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The heat of each picture for the class that the model sees, and that class.

    Args:
        model: a classifier that gives probabilities.
        layer: name of the layer with the last feature map.
        pictures: array of shape (pictures, height, width, channels), preprocessed.

    Returns:
        Heat from 0 to 1, of shape (pictures, height, width) at the size of the pictures, and the classes.
    """
    features_of = keras.Model(model.inputs, model.get_layer(layer).output)
    head = keras.Model(model.get_layer(layer).output, model.output)
    features = features_of(pictures)  # (pictures, rows, columns, channels)
    classes = np.asarray(head(features)).argmax(axis=-1)

    def scores(features: jax.Array) -> jax.Array:
        chosen = jnp.take_along_axis(head(features), jnp.asarray(classes)[:, None], axis=-1)
        return jnp.sum(jnp.log(chosen))  # pictures do not mix, so one gradient serves all

    weights = jnp.mean(jax.grad(scores)(features), axis=(1, 2), keepdims=True)
    heat = jax.nn.relu(jnp.sum(weights * features, axis=-1))
    heat = heat / jnp.maximum(jnp.max(heat, axis=(1, 2), keepdims=True), 1e-9)
    return np.asarray(jax.image.resize(heat, pictures.shape[:3], "bilinear")), classes


def of_photographs(paths: Sequence[Path]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """(pictures from 0 to 1, heat, captions) by ResNet50."""
    model = resnet50.ResNet50()
    images = [keras.utils.load_img(path, target_size=(224, 224)) for path in paths]
    pictures = np.stack([keras.utils.img_to_array(image) for image in images])
    inputs = resnet50.preprocess_input(pictures.copy())
    heat, _ = grad_cam(model, "conv5_block3_out", inputs)
    best = resnet50.decode_predictions(model.predict(inputs, verbose=0), top=1)
    return pictures / 255, heat, [f"{name.replace('_', ' ')} {score:.0%}" for ((_, name, score),) in best]


def of_digits(count: int = 12) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """(pictures from 0 to 1, heat, captions) by the network of `cornu demo`."""
    keras.utils.set_random_seed(7)
    (x_train, y_train), (x_test, y_test) = demo.digits()
    model = demo.network()
    model.fit(x_train, y_train, epochs=10, batch_size=32, verbose=2, validation_data=(x_test, y_test))
    last = [layer.name for layer in model.layers if isinstance(layer, keras.layers.Conv2D)][-1]
    heat, classes = grad_cam(model, last, x_test[:count])
    captions = [f"{label} seen as {found}" for label, found in zip(y_test, classes, strict=False)]
    return x_test[:count], heat, captions


def draw(pictures: np.ndarray, heat: np.ndarray, captions: Sequence[str], file: Path) -> None:
    """Each picture, and below it the same under its heat."""
    size = (1.6 * len(pictures), 3.8)
    figure, rows = plt.subplots(2, len(pictures), figsize=size, squeeze=False, layout="constrained")
    for column, (picture, warmth, caption) in enumerate(zip(pictures, heat, captions, strict=True)):
        for axes in rows[:, column]:
            axes.imshow(picture, cmap="gray_r")
            axes.axis("off")
        rows[0, column].set_title(caption, fontsize=9)
        rows[1, column].imshow(warmth, cmap="Reds", alpha=0.8 * warmth, vmin=0, vmax=1)
    figure.savefig(file, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("pictures", nargs="*", type=Path, metavar="PICTURE")
    parser.add_argument("--out", type=Path, default=Path("grad_cam.png"))
    options = parser.parse_args()
    draw(*(of_photographs(options.pictures) if options.pictures else of_digits()), options.out)
    print(f"Wrote {options.out.resolve()}")


if __name__ == "__main__":
    main()
