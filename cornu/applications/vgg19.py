"""VGG with nineteen weight layers; see `cornu.applications.vgg16`."""

from cornu.applications.imagenet_utils import decode_predictions
from cornu.applications.vgg16 import preprocess_input, vgg

__all__ = ["VGG19", "decode_predictions", "preprocess_input"]

VGG19 = vgg("VGG19", (2, 2, 4, 4, 4))
