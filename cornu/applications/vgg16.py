"""VGG: stacks of 3 × 3 convolutions, each followed by max pooling (Simonyan & Zisserman, 2014, arXiv 1409.1556)."""

from collections.abc import Sequence

from cornu import layers
from cornu.applications.building import Application, Plan, constructor, pooled_unnamed, predictions
from cornu.applications.imagenet_utils import decode_predictions, preprocessing
from cornu.core.symbolic import KerasTensor

__all__ = ["VGG16", "decode_predictions", "preprocess_input"]

_FILTERS = (64, 128, 256, 512, 512)


def _top(x: KerasTensor, plan: Plan) -> KerasTensor:
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(4096, activation="relu", name="fc1")(x)
    x = layers.Dense(4096, activation="relu", name="fc2")(x)
    return predictions(x, plan)


def vgg(kind: str, depths: Sequence[int]) -> Application:
    """The constructor of the VGG with the given numbers of convolutions in its five blocks."""

    def body(x: KerasTensor) -> KerasTensor:
        for block, (depth, filters) in enumerate(zip(depths, _FILTERS, strict=True), 1):
            for conv in range(1, depth + 1):
                x = layers.Conv2D(
                    filters, 3, padding="same", activation="relu", name=f"block{block}_conv{conv}"
                )(x)  # fmt: skip
            x = layers.MaxPooling2D(2, 2, name=f"block{block}_pool")(x)
        return x

    return constructor(kind, body, "Simonyan & Zisserman, 2014", top=_top, bottom=pooled_unnamed)


VGG16 = vgg("VGG16", (2, 2, 3, 3, 3))
preprocess_input = preprocessing("caffe")
