"""Say what is in pictures, with a network trained on ImageNet.

    python examples/classify.py cat.jpg dog.png
    python examples/classify.py --model MobileNetV2 --top 3 cat.jpg

The published weights are downloaded once and kept where Keras keeps them. Without a network, `--weights FILE` takes
them from a file: `.h5`, `.weights.h5`, `.keras` or `.safetensors`. Needs Pillow: `pip install '.[image]'`.
"""

import argparse
import importlib

import numpy as np

import cornu as keras
from cornu import applications


def main() -> None:
    options = _options()
    network = getattr(applications, options.model)
    family = importlib.import_module(network.__module__)  # has the family's own preprocessing and names of classes
    model = network(weights=options.weights)
    size = model.input_shape[1:3]
    pictures = [keras.utils.load_img(path, target_size=size, interpolation="bilinear") for path in options.pictures]
    batch = np.stack([keras.utils.img_to_array(picture) for picture in pictures])
    scores = model.predict(family.preprocess_input(batch), verbose=0)
    for path, best in zip(options.pictures, family.decode_predictions(scores, top=options.top), strict=True):
        print(path)
        for _, name, score in best:
            print(f"  {score:6.1%}  {name.replace('_', ' ')}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    networks = sorted(name for name in applications.__all__ if isinstance(name, str) and name[0].isupper())
    parser.add_argument("pictures", nargs="+", metavar="PICTURE")
    parser.add_argument("--model", default="ResNet50", choices=networks, metavar="NAME", help=", ".join(networks))
    parser.add_argument("--weights", default="imagenet", help="imagenet, or a file with weights")
    parser.add_argument("--top", type=int, default=5, help="how many classes to show (5)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
