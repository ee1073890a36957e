"""`fit(fast_dev_run=True)`: one training batch and one validation batch through everything, without lasting effects.

Everything runs as in normal training: the step is compiled, callbacks are notified of one epoch with one step, files
are written. Afterwards the values of all variables, the attributes of the model and its parts, and the random state of
the row order are restored, so that a subsequent run is bit-identical to one without the dry run.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cornu.callbacks.rehearsal import rehearsed
from cornu.core.typing import AnyList
from cornu.training.data.batches import Batches
from cornu.training.resume import variables_of_training
from cornu.training.trial import undone


@contextmanager
def rehearsal(
    model: object, data: list[Batches | None], callbacks: object, orders: Callable[[], None]
) -> Iterator[AnyList]:  # fmt: skip
    """Scope of a dry run, with the callbacks for it.

    Args:
        model: the model to train, built and compiled.
        data: the training and validation data, of which one batch each is used.
        callbacks: those passed to `fit`.
        orders: the result of `orders_kept`, called before the data were accessed.
    """
    for batches in data:
        if batches is not None:
            batches.steps = 1
    with undone(model, orders, variables_of_training(model)), rehearsed(callbacks) as stand_ins:
        yield stand_ins
