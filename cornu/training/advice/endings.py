"""Losses against what the model ends with."""

from cornu.losses import validation
from cornu.training.advice.case import Case, name_of

_PROBABILITIES = ("softmax", "sigmoid")
_BOUNDED = (  # activations that give no logits, which go from below zero to above, without an end
    "hard_sigmoid", "hard_tanh", "log_sigmoid", "relu", "relu6", "softplus", "softsign", "sparse_sigmoid", "tanh",
)  # fmt: skip
_NO_PROBABILITIES = (
    "celu", "elu", "gelu", "hard_shrink", "hard_silu", "hard_tanh", "leaky_relu", "linear", "log_sigmoid",
    "log_softmax", "mish", "relu", "relu6", "selu", "silu", "soft_shrink", "softplus", "softsign", "squareplus", "tanh",
    "tanh_shrink", "threshold",
)  # fmt: skip


def one_unit(case: Case) -> str | None:
    """Classes of which there is only one."""
    for output in case.outputs:
        is_crossentropy = output.family in ("one-hot", "sparse") and validation.takes_logits(output.loss) is not None
        if output.units == 1 and (output.ending == "softmax" or is_crossentropy):
            always = "softmax over one unit is always 1"
            if output.ending != "softmax":
                always = f"the loss {name_of(output.loss)} over one unit is always 0"
            return (
                f"{output.where}{always}, so nothing is learned. For yes or no use "
                'Dense(1, activation="sigmoid") with binary_crossentropy; for several classes one unit a class.'
            )
    return None


def no_logits(case: Case) -> str | None:
    """A loss that applies softmax or sigmoid itself, behind an activation."""
    for output in case.outputs:
        if not validation.takes_logits(output.loss):
            continue
        start = f"{output.where}the loss {name_of(output.loss)} has from_logits=True, but the model ends with "
        if output.ending in _PROBABILITIES:
            return (
                f"{start}{output.ending}, so that is applied twice and training is slow. Take from_logits=True away, "
                f"or the {output.ending}."
            )
        if output.ending in _BOUNDED:
            return f"{start}{output.ending}, which keeps logits from most values. End it without an activation."
    return None


def no_probabilities(case: Case) -> str | None:
    """A loss that takes probabilities, which the model does not give."""
    for output in case.outputs:
        if validation.takes_logits(output.loss) is False and output.ending in _NO_PROBABILITIES:
            activation = "sigmoid" if output.family == "binary" else "softmax"
            ends = "without an activation" if output.ending == "linear" else f"with {output.ending}"
            return (
                f"{output.where}the loss {name_of(output.loss)} takes probabilities, but the model ends {ends}. End it "
                f'with activation="{activation}", or '
                + ("" if output.ending == "linear" else "without one and ")
                + "give the loss from_logits=True."
            )
    return None
