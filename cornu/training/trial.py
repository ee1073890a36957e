"""Trying out training: steps run on values of their own, and the model is unchanged afterwards.

A compiled step is a function of a state, so trial steps never assign the variables. Other changes, from building what
is not built, using other learning rates or drawing seeds, are undone, also after an error or Ctrl-C: a subsequent run
gives the same numbers as without the trial. A full dry run (`rehearsal.py`) assigns the variables, which are restored
likewise.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cornu import validate
from cornu.core import context, interrupts
from cornu.core.typing import Batch, Data
from cornu.core.variable import Variable, give_values, values_of
from cornu.data.dataset import passes_kept
from cornu.random import global_seed
from cornu.random.seed_generator import draws_undone
from cornu.training.compile import Compilable
from cornu.training.data.batches import Batches, is_source_of_batches, make_batches
from cornu.training.data.chunks import packed
from cornu.training.prepare import attributes_kept

if TYPE_CHECKING:
    from cornu.models.model import Model
    from cornu.training.loop import Trainer


@contextmanager
def trial(model: "Model", *data: object) -> Iterator[None]:
    """Scope of trial steps of a model on data, which leave no trace in it.

    Args:
        model: the model.
        data: the source of the rows.
    """
    global_seed()  # drawn once per process, and must not be undone
    with undone(model, orders_kept(model, *data)), context.uids_kept(), draws_undone():
        model._computations = {stage: known.fresh() for stage, known in model._computations.items()}
        yield


@contextmanager
def undone(model: object, orders: Callable[[], None], variables: Sequence[Variable] = ()) -> Iterator[None]:
    """Scope that restores the current attributes of a model and all its parts at its end.

    Args:
        model: the model.
        orders: the result of `orders_kept`; it is called.
        variables: variables whose current values are restored.
    """
    attributes, values = attributes_kept(model), values_of(variables)
    try:
        yield
    finally:
        with interrupts.held():
            attributes()
            give_values(variables, values)
            orders()


def orders_kept(model: "Trainer", *data: object) -> Callable[[], None]:
    """A function that restores the random state, so that the next run has the row order it would have now.

    Args:
        model: the model.
        data: the source of the rows.
    """
    trainings, passes = model._trainings, passes_kept(*data)

    def put_back() -> None:
        model._trainings = trainings
        passes()

    return put_back


def check_compiled(model: object, owner: str) -> None:
    """Reject anything that is not a trainable model.

    Args:
        model: the object to check.
        owner: the caller, for error messages.
    """
    if not isinstance(model, Compilable):
        raise TypeError(f"{owner}: model must be a compiled model. Received: {validate.shown(model)}.")
    model._require_compiled(owner)
    if model.optimizer is None:
        raise ValueError(
            f"{owner}: {validate.describe(model)} was compiled with optimizer=None. Compile it with an optimizer."
        )


def batches_for(model: "Model", data: tuple[Data, Data, Data], most: int, owner: str, **options: Any) -> Batches:
    """Training data as batches, in the order in which the next `fit` would use them; the model is built for them.

    Args:
        model: the model, in a `trial`.
        data: (x, y, sample_weight), as passed to `fit`.
        most: maximum number of batches, which ends infinite data.
        owner: the caller, for error messages.
        options: additional arguments of `make_batches`.
    """
    x, y, sample_weight = data
    makes_batches = is_source_of_batches(x)
    batches = make_batches(
        x, y, sample_weight, steps=most if makes_batches else None, owner=owner,
        seed=global_seed() + (model._trainings + 1 << 32), **options,
    )  # fmt: skip
    if makes_batches and not batches.source.has_no_end:
        batches.steps = None
    model._look_at(batches, "train")
    if not model.trainable_variables:
        raise ValueError(
            f"{owner}: {validate.describe(model)} has no weights to train. Set trainable = True on the model or on "
            "some layers, then call compile() again."
        )
    return batches


def whole_batches(batches: Batches) -> Iterator[Batch]:
    """Batches as passed to steps, over as many epochs as there are.

    A short last batch of arrays is omitted: it would be compiled separately.
    """
    whole = batches.num_samples // batches.batch_size if batches.num_samples and batches.batch_size else None
    number = 0
    while True:
        for position, batch in enumerate(batches.epoch(number)):
            if not whole or position < whole:
                yield packed(batch)
        batches.on_epoch_end()
        number += 1
        if not batches.source.repeats:
            return
