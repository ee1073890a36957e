"""Mistakes that raise no error: detected in the model, its data or its numbers, and reported once, with a fix.

Each check is a function from a `Case` to a sentence, or None. Checks run at four times: when the model and a first
batch are examined anyway; before the first step of a `fit` on arrays in memory, of which a sample is examined; as later
batches arrive, whose labels are examined anyway; and after an epoch whose loss, which is read anyway, is not finite. A
healthy run is checked once, within milliseconds, without a message. Anything that cannot work at all is rejected in
`prepare` instead.

`config.disable_preflight()` disables the checks before training.
"""

from collections.abc import Callable, Iterator
from typing import Any

from cornu import settings, validate
from cornu.core.tracebacks import warn
from cornu.core.typing import AnyTuple, Batch, Logs
from cornu.losses import validation
from cornu.training.advice import devices, endings, features, labels, rows
from cornu.training.advice.case import Case, Output
from cornu.training.advice.not_finite import is_finite, loss_that_is_no_number
from cornu.training.anatomy import Reader
from cornu.training.data.batches import Batches
from cornu.training.execution.signature import signature

Check = Callable[[Case], str | None]

_REASONS = {"no_probabilities", "labels_below_zero"}  # causes of a NaN loss that were already reported

OF_A_BATCH: tuple[Check, ...] = (
    endings.one_unit, endings.activated_twice, endings.sigmoid_of_classes, endings.no_logits, endings.no_probabilities,
    labels.accuracy_of_numbers, labels.labels_out_of_reach, labels.labels_below_zero, features.uneven_inputs,
    features.unscaled_inputs, features.odd_indices, features.never_adapted, devices.batches_that_cannot_be_split,
)  # fmt: skip
OF_ARRAYS: tuple[Check, ...] = (
    features.constant_features, rows.labels_in_order, rows.labels_never_shuffled, rows.shared_rows,
)  # fmt: skip


def of_a_batch(
    model: object, data: Batch, pairs: list[AnyTuple], ends: dict[int, str | None], readers: list[Reader]
) -> None:
    """Report mistakes in a model and its data, both of which run.

    Args:
        model: the model, compiled and built.
        data: (x, y, sample_weight) of a first batch.
        pairs: (name, loss, labels, predictions) for each output that has a loss.
        ends: the final activations of the predictions, by identity.
        readers: the layers that read the inputs first.
    """
    if settings.read("preflight"):
        _ask(model, OF_A_BATCH, Case(model, data, list(_outputs(pairs, ends)), readers=readers))


def of_arrays(model: Any, batches: Batches, checks: Batches | None, was_split: bool) -> None:
    """Report mistakes in the data of a `fit`, if all of it is in memory; equal data are examined once.

    Args:
        model: the model, compiled and built.
        batches: the training data.
        checks: the validation data.
        was_split: whether that was split from the end of the same arrays.
    """
    arrays, held_out = batches.source.arrays, checks.source.arrays if checks is not None else None
    if arrays is None or not settings.read("preflight"):
        return
    seen = repr(signature((arrays, held_out)))
    if seen not in model._advised:
        model._advised.add(seen)
        shuffle, size = batches.source.shuffle, batches.batch_size
        known = list(model._computations["train"].prepared.values())
        readers = known[-1].told.readers if known else []
        case = Case(model, arrays, [], readers, held_out, was_split, size, shuffle)
        _ask(model, OF_ARRAYS, case)


def of_later_batches(model: object) -> Callable[[Batch], None]:
    """A function that receives each batch of a run as it arrives, and reports problems with their order."""
    sorted_batches = rows.SortedBatches()

    def look(batch: Batch) -> None:
        _ask(model, (sorted_batches,), Case(model, batch))

    return look if settings.read("preflight") else lambda batch: None


def after_epoch(model: Any, logs: Logs, epoch: int, arrays: Batch | None) -> None:
    """Explain a loss that is not finite.

    Args:
        model: the model.
        logs: the logs of the epoch.
        epoch: its number, from 0.
        arrays: the data if it is in memory.
    """
    finite = all(is_finite(value) for name, value in logs.items() if name.endswith("loss"))
    if not finite and not _REASONS & model._advised:
        _ask(model, (loss_that_is_no_number,), Case(model, arrays or (None,) * 3, logs=logs, epoch=epoch))


def _ask(model: Any, checks: tuple[Check, ...], case: Case) -> None:
    for check in checks:
        sentence = None if check.__name__ in model._advised else check(case)
        if sentence is not None:
            model._advised.add(check.__name__)
            warn(f"{validate.describe(model)}: {sentence}")


def _outputs(pairs: list[AnyTuple], ends: dict[int, str | None]) -> Iterator[Output]:
    for name, loss, target, predictions in pairs:
        units = predictions.shape[-1] if predictions.shape else None
        where = f'output "{name}": ' if len(ends) > 1 else ""
        yield Output(name, where, loss, validation.family(loss), target, ends.get(id(predictions)), units)
