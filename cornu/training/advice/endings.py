"""Losses that do not match the model's final activation."""

from cornu.losses import validation
from cornu.training import anatomy
from cornu.training.advice.case import Case, name_of

_BOUNDED = (  # activations whose range is bounded, unlike that of logits
    "hard_sigmoid", "hard_tanh", "log_sigmoid", "relu", "relu6", "softplus", "softsign", "sparse_sigmoid", "tanh",
)  # fmt: skip
_NO_PROBABILITIES = (
    "celu", "elu", "gelu", "hard_shrink", "hard_silu", "hard_tanh", "leaky_relu", "linear", "log_sigmoid",
    "log_softmax", "mish", "relu", "relu6", "selu", "silu", "soft_shrink", "softplus", "softsign", "squareplus", "tanh",
    "tanh_shrink", "threshold",
)  # fmt: skip


def one_unit(case: Case) -> str | None:
    """A single class."""
    for output in case.outputs:
        is_crossentropy = output.family in ("one-hot", "sparse") and validation.takes_logits(output.loss) is not None
        if output.units == 1 and (output.ending == "softmax" or is_crossentropy):
            always = "softmax over one unit is always 1"
            if output.ending != "softmax":
                always = f"the loss {name_of(output.loss)} over one unit is always 0"
            return (
                f"{output.where}{always}, so nothing is learned. For yes/no labels, use "
                'Dense(1, activation="sigmoid") with binary_crossentropy; for several classes, one unit per class.'
            )
    return None


def activated_twice(case: Case) -> str | None:
    """A softmax or sigmoid applied to the output of another one."""
    for output in case.outputs:
        if output.ending == anatomy.TWICE:
            return (
                f"{output.where}the model ends with softmax or sigmoid twice in a row, which makes its classes nearly "
                "equal and training slow. Remove one of the two."
            )
    return None


def sigmoid_of_classes(case: Case) -> str | None:
    """A sigmoid for each class although each row has a single class."""
    for output in case.outputs:
        if output.ending == "sigmoid" and output.family == "sparse" and validation.takes_logits(output.loss) is False:
            return (
                f"{output.where}the loss {name_of(output.loss)} expects one class per row, but the model ends with "
                'sigmoid, which gives each class an independent probability. End it with activation="softmax"; for '
                "multi-label data, use binary_crossentropy."
            )
    return None


def no_logits(case: Case) -> str | None:
    """A loss with `from_logits=True` after an activation."""
    for output in case.outputs:
        if not validation.takes_logits(output.loss):
            continue
        start = f"{output.where}the loss {name_of(output.loss)} has from_logits=True, but the model ends with "
        if output.ending in anatomy.PROBABILITIES:
            return (
                f"{start}{output.ending}, which is therefore applied twice and slows training. Remove from_logits=True "
                f"or the {output.ending}."
            )
        if output.ending in _BOUNDED:
            return f"{start}{output.ending}, which restricts the range of the logits. End it without an activation."
    return None


def no_probabilities(case: Case) -> str | None:
    """A loss that expects probabilities, which the model does not output."""
    for output in case.outputs:
        if validation.takes_logits(output.loss) is False and output.ending in _NO_PROBABILITIES:
            activation = "sigmoid" if output.family == "binary" else "softmax"
            ends = "without an activation" if output.ending == "linear" else f"with {output.ending}"
            return (
                f"{output.where}the loss {name_of(output.loss)} expects probabilities, but the model ends {ends}. End "
                "it "
                f'with activation="{activation}", or '
                + ("" if output.ending == "linear" else "without one and ")
                + "use from_logits=True in the loss."
            )
    return None
