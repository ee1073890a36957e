"""Mistakes that raise no error: seen in the model, in its data or in its numbers, and said once, with the cure.

Each check is a function from a `Case` to a sentence, or None where all is well. They run before training, where the
model and a first batch are looked at anyway, and after an epoch whose loss, which is read anyway, is not a number. A
healthy training is looked through once, for microseconds, and told nothing. What cannot work at all is refused in
`prepare` instead.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from cornu import layers, metrics, validate
from cornu.core.tracebacks import warn
from cornu.core.typing import Data, Tensor
from cornu.losses import validation
from cornu.training import anatomy
from cornu.training.data.convert import named_leaves

_LARGE = 200  # inputs beyond this are unscaled: pixels go to 255, images prepared for older networks to 152
_FEW_ROWS = 12  # labels of fewer rows are in order by chance

_PROBABILITIES = ("softmax", "sigmoid")
_RANGES = {  # of an activation's values
    "sigmoid": (0, 1), "hard_sigmoid": (0, 1), "softmax": (0, 1), "tanh": (-1, 1), "hard_tanh": (-1, 1),
    "softsign": (-1, 1), "relu": (0, math.inf), "softplus": (0, math.inf), "relu6": (0, 6),
}  # fmt: skip


class Output(NamedTuple):
    """One output that has a loss."""

    name: str
    where: str  # `output "price": ` in messages; "" for the only output
    loss: Any
    family: str | None  # of the loss
    labels: Any
    ending: str | None  # the activation it ends with, where that is known
    units: int | None  # the size of its last axis


class Case(NamedTuple):
    """What the checks look at."""

    model: Any
    x: Any
    y: Any
    sample_weight: Any
    outputs: list[Output]
    logs: dict[str, Any] = {}
    epoch: int = 0


# ---------------------------------------------------------------- before training


def softmax_of_one(case: Case) -> str | None:
    for output in case.outputs:
        if output.ending == "softmax" and output.units == 1:
            return (
                f"{output.where}softmax over one unit is always 1, so nothing is learned. For yes or no use "
                'Dense(1, activation="sigmoid") with binary_crossentropy; for several classes one unit a class.'
            )
    return None


def probabilities_as_logits(case: Case) -> str | None:
    for output in case.outputs:
        if validation.takes_logits(output.loss) and output.ending in _PROBABILITIES:
            return (
                f"{output.where}the loss {_name(output.loss)} has from_logits=True, but the model ends with "
                f"{output.ending}, so that is applied twice and training is slow. Take from_logits=True away, or the "
                f"{output.ending}."
            )
    return None


def logits_as_probabilities(case: Case) -> str | None:
    for output in case.outputs:
        if validation.takes_logits(output.loss) is False and output.ending == "linear":
            activation = "sigmoid" if output.family == "binary" else "softmax"
            return (
                f"{output.where}the loss {_name(output.loss)} takes probabilities, but the model ends without an "
                f'activation. End it with activation="{activation}", or give the loss from_logits=True.'
            )
    return None


def accuracy_of_numbers(case: Case) -> str | None:
    for output in case.outputs:
        metric = _accuracy_of(case.model, output.name)
        if metric is not None and output.family == "regression" and not _are_classes(output.labels, metric):
            return (
                f'{output.where}the metric "{metric.name}" counts predictions that hit the label exactly, which says '
                f"nothing about numbers such as {_fraction_of(output.labels):g}. For a regression use "
                'metrics=["mae"], or "r2_score".'
            )
    return None


def _accuracy_of(model: Any, name: str) -> Any:
    kinds = (metrics.BinaryAccuracy, metrics.CategoricalAccuracy, metrics.SparseCategoricalAccuracy, metrics.Accuracy)
    entries = model._compile_metrics.entries if model._compile_metrics is not None else ()
    numbers = [number for number, label in enumerate(model._compile_loss.labels) if label == name]
    return next((metric for index, _, metric, _ in entries if index in numbers and isinstance(metric, kinds)), None)


def _are_classes(labels: Tensor, metric: object) -> bool:
    """Whether labels are 0 and 1, or, for an accuracy over classes, parts of a whole."""
    if not anatomy.is_numeric(labels):
        return True
    if isinstance(metric, metrics.CategoricalAccuracy) and np.allclose(labels.sum(-1), 1) and labels.min() >= 0:
        return True
    return bool(np.all((labels == 0) | (labels == 1)))


def labels_out_of_reach(case: Case) -> str | None:
    for output in case.outputs:
        if output.family == "regression" and output.ending in _RANGES and anatomy.is_numeric(output.labels):
            low, high = _RANGES[output.ending]
            beyond = np.mean((output.labels < low) | (output.labels > high))
            if beyond > 0.5:
                reach = f"from {low} to {high}" if high < math.inf else f"from {low} up"
                return (
                    f"{output.where}the model ends with {output.ending}, which gives values {reach}, but labels go "
                    f"from {output.labels.min():g} to {output.labels.max():g}. End it without an activation, or scale "
                    "the labels."
                )
    return None


def unscaled_inputs(case: Case) -> str | None:
    if getattr(case.model, "_graph", None) is None:
        return None
    for tensor, values in anatomy.inputs_and_values(case.model, case.x):
        if not anatomy.is_numeric(values):
            continue
        low, high = float(values.min()), float(values.max())
        if not _LARGE < max(-low, high) < math.inf:
            continue
        for layer, after in anatomy.first_readers(case.model, tensor):
            if isinstance(layer, anatomy.LINEAR_MAPS) and layer.trainable and not _is_normalized(after):
                scaled = "x / 255, a Rescaling(1 / 255) layer" if low >= 0 and high <= 255 else "a Normalization layer"
                return (
                    f"inputs from {low:g} to {high:g} go unscaled into {validate.describe(layer)}, which makes "
                    f"training slow or lets it fail. Bring them to about -1 to 1: {scaled}, or (x - mean) / deviation."
                )
    return None


def _is_normalized(operations: list) -> bool:
    return any(isinstance(operation, anatomy.NORMALIZING) for operation in operations)


def labels_in_order(case: Case, held_out: object) -> str | None:
    """Asked of the labels before and behind the cut of `validation_split`."""
    parts = [[leaf for _, leaf in named_leaves(y, "y")] for y in (case.y, held_out)]
    if any(len(leaves) != 1 for leaves in parts):
        return None
    kept, held = (_classes(leaves[0]) for leaves in parts)
    if kept is None or held is None or len(kept) + len(held) < _FEW_ROWS:
        return None
    every = np.concatenate([kept, held])
    missing = np.setdiff1d(held, kept)
    turns, kinds = np.count_nonzero(every[1:] != every[:-1]), len(np.unique(every))
    if turns != kinds - 1 or (len(missing) == 0 and len(np.unique(held)) > 1) or kinds < 2:
        return None
    lacks = f"class {missing[0]:g} is not in the training part" if len(missing) else f"all of it is class {held[0]:g}"
    return (
        "the labels are sorted, and validation_split takes the last rows as they stand, before shuffling: "
        f"{lacks if len(missing) else 'in the validation part ' + lacks}. Shuffle first: "
        "order = np.random.permutation(len(x)); x, y = x[order], y[order]."
    )


def _classes(labels: np.ndarray) -> np.ndarray | None:
    if not anatomy.is_numeric(labels) or labels.ndim > 2:
        return None
    return labels.argmax(1) if labels.ndim == 2 and labels.shape[1] > 1 else labels.reshape(-1)


# ---------------------------------------------------------------- after an epoch without a finite loss


def loss_that_is_no_number(case: Case) -> str | None:
    bad = next((name for name, value in case.logs.items() if name.endswith("loss") and not _is_finite(value)), None)
    if bad is None:
        return None
    start = f"{bad} is {float(case.logs[bad]):g} at the end of epoch {case.epoch + 1}:"
    parts = {"x": case.x, "y": case.y, "sample_weight": case.sample_weight}
    for name, leaf in ((name, leaf) for part, data in parts.items() for name, leaf in named_leaves(data, part)):
        if anatomy.is_numeric(leaf) and leaf.dtype.kind == "f" and not np.isfinite(leaf).all():
            row, *column = map(int, np.argwhere(~np.isfinite(leaf))[0])
            place = f"row {row}" + (f", column {column[0]}" if len(column) == 1 else "")
            kind = "NaN" if np.isnan(leaf[~np.isfinite(leaf)][0]) else "infinity"
            return (
                f"{start} {name} holds {kind} (first in {place}). Leave such rows out or fill them in, for example "
                f"{name} = np.nan_to_num({name}), and make a new model, since its weights are NaN now."
            )
    return f"{start} {_of_masked_rows(case) or _of_large_steps(case)}"


def _of_masked_rows(case: Case) -> str | None:
    """What to do about rows of which a mask leaves nothing, where a layer of the model takes averages over steps."""
    inner = case.model._flatten_layers()
    if not any(isinstance(layer, layers.GlobalAveragePooling1D) for layer in inner):
        return None
    ids_masked = any(isinstance(layer, layers.Embedding) and layer.mask_zero for layer in inner)
    values = [(3, layer.mask_value) for layer in inner if isinstance(layer, layers.Masking)] + [(2, 0)] * ids_masked
    for name, leaf in named_leaves(case.x, "x"):
        for rank, value in values:
            if anatomy.is_numeric(leaf) and leaf.ndim == rank:
                empty = np.flatnonzero((leaf == value).reshape(len(leaf), -1).all(1))
                if len(empty):
                    return (
                        f"{name} has rows in which every step is masked (the first is row {empty[0]}), so an average "
                        f"over their steps is 0 / 0. Leave such rows out, or give them one step that is not {value:g}."
                    )
    return None


def _of_large_steps(case: Case) -> str:
    checked = "the data holds no NaN, so " if case.x is not None else "if np.isnan(x).any() is False for your data, "
    optimizer = case.model.optimizer
    rate = _rate(optimizer)
    cures = [] if rate is None else [f"a smaller learning rate than {rate:g}, such as {_tenth(rate):g}"]
    cures += [] if getattr(optimizer, "clipnorm", None) else ["clipnorm=1.0 in the optimizer"]
    sizes = [np.abs(leaf).max() for _, leaf in named_leaves(case.x, "x") if anatomy.is_numeric(leaf)]
    if sizes and max(sizes) > 10:
        cures.append(f"inputs scaled to about -1 to 1 (they go up to {max(sizes):g})")
    labels = [np.abs(leaf).max() for _, leaf in named_leaves(case.y, "y") if anatomy.is_numeric(leaf)]
    if labels and max(labels) > 1000:
        cures.append(f"labels scaled likewise (up to {max(labels):g})")
    return f"{checked}the steps were too large, or the loss is not defined there. Try {'; '.join(cures)}."


def _rate(optimizer: object) -> float | None:
    rate = getattr(optimizer, "learning_rate", None)
    try:
        return float(np.asarray(getattr(rate, "value", rate)))
    except (TypeError, ValueError):
        return None


def _tenth(rate: float) -> float:
    """A tenth of `rate`, or less, as a round number that is no more than 0.001."""
    return min(1e-3, 10.0 ** math.floor(math.log10(rate / 10))) if rate > 0 else 1e-3


# ---------------------------------------------------------------- the table, and who is told


BEFORE_TRAINING: tuple[Callable[[Case], str | None], ...] = (
    softmax_of_one, probabilities_as_logits, logits_as_probabilities, accuracy_of_numbers, labels_out_of_reach,
    unscaled_inputs,
)  # fmt: skip


def before_training(model: object, data: tuple, pairs: list[tuple]) -> None:
    """Say what is wrong with a model and its data, both of which work.

    Args:
        model: the model, compiled and built.
        data: (x, y, sample_weight) of a first batch.
        pairs: (name, loss, labels, predictions) for each output that has a loss.
    """
    x, y, sample_weight = data
    case = Case(model, x, y, sample_weight, list(_outputs(model, pairs)))
    for check in BEFORE_TRAINING:
        _say(model, check.__name__, check, case)


def of_a_split(model: Any, y: Data, held_out: Any) -> None:
    """Say that `validation_split` cut sorted classes."""
    classes = ("sparse", "one-hot", "binary")
    if model._compile_loss is not None and validation.family(model._compile_loss.loss) in classes:
        _say(model, "labels_in_order", labels_in_order, Case(model, None, y, None, []), held_out)


def after_epoch(model: object, logs: dict[str, Any], epoch: int, arrays: tuple | None) -> None:
    """Say why a loss is not a number.

    Args:
        model: the model.
        logs: what the epoch gave.
        epoch: its number, from 0.
        arrays: the data where it is in memory.
    """
    if all(_is_finite(value) for name, value in logs.items() if name.endswith("loss")):
        return
    x, y, sample_weight = arrays or (None, None, None)
    case = Case(model, x, y, sample_weight, [], logs, epoch)
    _say(model, "loss_that_is_no_number", loss_that_is_no_number, case)


def _say(model: Any, name: str, check: Callable, *arguments: Any) -> None:
    if name in model._advised:
        return
    sentence = check(*arguments)
    if sentence is not None:
        model._advised.add(name)
        warn(f"{validate.describe(model)}: {sentence}")


def _outputs(model: object, pairs: list[tuple]) -> Iterator[Output]:
    ends = anatomy.endings(model)
    flat = getattr(model, "outputs", None) or ()
    several = len(flat) > 1
    names = getattr(model, "output_names", None) or ()
    by_name = dict(zip(names, ends, strict=True)) if len(names) == len(ends) else {}
    for name, loss, labels, predictions in pairs:
        ending = by_name.get(name) if several else ends[0] if ends else None
        units = predictions.shape[-1] if predictions.shape else None
        where = f'output "{name}": ' if several else ""
        yield Output(name, where, loss, validation.family(loss), labels, ending, units)


def _fraction_of(labels: np.ndarray) -> float:
    return float(labels[(labels != 0) & (labels != 1)].flat[0])


def _name(loss: object) -> str:
    return str(getattr(loss, "name", None) or getattr(loss, "__name__", type(loss).__name__))


def _is_finite(value: object) -> bool:
    return not isinstance(value, (int, float)) or math.isfinite(value)
