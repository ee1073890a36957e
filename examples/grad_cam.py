"""Grad-CAM: which places of a picture speak for the class that a network sees in it.

    python examples/grad_cam.py cat.jpg                    # ResNet50 with the published ImageNet weights
    python examples/grad_cam.py                            # a small network, trained on digits in some seconds

Writes `grad_cam.png`. Needs matplotlib, and Pillow or scikit-learn: `pip install '.[demo,image]'`.
Paper: Selvaraju et al., 2017, https://arxiv.org/abs/1610.02391.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import cornu as keras
from cornu.applications import resnet50
from cornu.cli import demo


def of_photographs(paths: Sequence[Path], file: Path) -> None:
    """Draw where ResNet50 sees what it sees."""
    model = resnet50.ResNet50()
    images = [keras.utils.load_img(path, target_size=(224, 224)) for path in paths]
    pictures = np.stack([keras.utils.img_to_array(image) for image in images])
    inputs = resnet50.preprocess_input(pictures.copy())
    scores = model.predict(inputs, verbose=0)
    best = resnet50.decode_predictions(scores, top=1)
    captions = [f"{name.replace('_', ' ')} {score:.0%}" for ((_, name, score),) in best]
    names = dict(zip(scores.argmax(axis=-1).tolist(), captions, strict=True))
    keras.visualization.plot_grad_cam(model, inputs, pictures_shown=pictures, class_names=names, path=file)


def of_digits(file: Path, count: int = 12, epochs: int = 10) -> None:
    """Train the network of `cornu demo`, and draw where it sees digits that it was not trained on."""
    keras.utils.set_random_seed(7)
    (x_train, y_train), (x_test, y_test) = demo.digits()
    model = demo.network()
    model.fit(x_train, y_train, epochs=epochs, batch_size=32, verbose=2, validation_data=(x_test, y_test))
    keras.visualization.plot_grad_cam(model, x_test[:count], path=file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("pictures", nargs="*", type=Path, metavar="PICTURE")
    parser.add_argument("--out", type=Path, default=Path("grad_cam.png"))
    options = parser.parse_args()
    if options.pictures:
        of_photographs(options.pictures, options.out)
    else:
        of_digits(options.out)
    print(f"Wrote {options.out.resolve()}")


if __name__ == "__main__":
    main()
