"""What operations do otherwise than Keras at the edges, on purpose, and why."""

from collections.abc import Callable
from typing import Any, NamedTuple


class Row(NamedTuple):
    """A difference on purpose: why, for which ops (all if none is named), and how it is seen."""

    why: str
    names: tuple[str, ...] = ()
    seen: Callable[[Any], bool] = lambda found: True


UNKNOWN = "Unknown dtype"


def other_type(found: Any) -> bool:
    """Whether nothing but types differ."""
    return found.what == "dtype"


def says_so(found: Any) -> bool:
    """Whether both refuse, and cornu says at which argument."""
    return bool(found.theirs.error) and found.ours.message.startswith(found.probe.name.split(".")[-1])


_INITIALIZERS = ("initializers.Identity", "initializers.STFT")

TABLE = [
    Row(
        "An unknown dtype is a ValueError that says which are known.", seen=lambda f: f.ours.message.startswith(UNKNOWN)
    ),
    Row("A weight is made in the dtype that is asked for, as all others are.", _INITIALIZERS, other_type),
    Row("The one axis between is of size 1.", ("initializers.STFT",), lambda f: f.ours.message.startswith("STFT: ")),
    Row(
        "The penalty on whole numbers is a float, as its factor is.",
        ("regularizers.L1", "regularizers.L2", "regularizers.L1L2"),
        other_type,
    ),
    Row("As many rows as columns, both unknown.", ("corrcoef",), lambda f: f.probe.unknown and f.what == "shape"),
    Row("Moments of whole numbers are floats, symbolically too.", ("moments",), other_type),
    Row("Truth stays truth.", ("constraints.NonNeg",), other_type),
    Row(
        "The shape of the noise has each axis of the input, as the layer wants it.",
        ("random.dropout",),
        lambda f: "noise_shape" in f.ours.message,
    ),
    Row("What does not fit is a ValueError that names the argument, where JAX's error came through.", seen=says_so),
    Row(
        "What is averaged, scaled or filtered comes out in floats; Keras rounds it to the integers that went in.",
        ("image.sobel_edges", "image.ssim", "rms_normalization", "layer_normalization", "batch_normalization"),
        other_type,
    ),
    Row("Two types promote as everywhere else; Keras's result depends on their order.", ("psnr",), other_type),
    Row(
        "Two types promote as everywhere else; Keras takes that of the kernel.",
        ("conv", "conv_transpose", "depthwise_conv", "separable_conv"),
        other_type,
    ),
    Row(
        "The loss has the type of the predictions.",
        tuple(f"{space}sparse_categorical_crossentropy" for space in ("", "losses.", "metrics.")),
        other_type,
    ),
    Row("What an integer cannot hold has no right value.", ("cast",), lambda found: found.what == "values"),
    Row(
        "NaN and infinity stay where they are instead of spreading to the whole block.",
        ("fold", "image.extract_patches"),
        lambda found: found.what == "values",
    ),
    Row("A size that is said must be the size.", ("unstack", "image.rgb_to_grayscale")),
    Row("A single index gives one vector, as a row of them gives one.", ("multi_hot",)),
    Row("A number has no axis to normalize over.", ("rms_normalization",), lambda found: found.ours.error != ""),
    Row(
        "64-bit symbolic tensors are read as the 32 bits that JAX keeps.",
        ("view",),
        lambda found: "64" in str(found.probe),
    ),
]


def reason(found: Any) -> str:
    """Why a disagreement is there on purpose; empty if it is not."""
    name = found.probe.name
    return next((row.why for row in TABLE if name in (row.names or (name,)) and row.seen(found)), "")
