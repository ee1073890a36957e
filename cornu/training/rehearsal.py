"""`fit(fast_dev_run=True)`: one batch of training and one of validation through everything, and nothing is changed.

Everything runs as in a training: the step is compiled, callbacks hear of one epoch of one step, files are written.
After it the values of all variables, the attributes of the model and its parts, and the place in the orders of rows are
those of before, so that a training which follows is, bit by bit, the one that there would have been.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cornu.callbacks.rehearsal import rehearsed
from cornu.training.data.batches import Batches
from cornu.training.resume import variables_of_training
from cornu.training.trial import undone


@contextmanager
def rehearsal(
    model: object, data: list[Batches | None], callbacks: object, orders: Callable[[], None]
) -> Iterator[list]:  # fmt: skip
    """Scope of a training that is only tried out, with the callbacks for it.

    Args:
        model: what is trained, built and compiled.
        data: what it is trained and validated on, of which one batch is taken.
        callbacks: those given to `fit`.
        orders: what `orders_kept` gave before the data were looked at.
    """
    for batches in data:
        if batches is not None:
            batches.steps = 1
    with undone(model, orders, variables_of_training(model)), rehearsed(callbacks) as stand_ins:
        yield stand_ins
