"""Observing the values that pass through each layer of a step, forward and backward, to find where they become NaN.

A `Watch` is notified of every call of an operation within a step (`context.watch`), however the step is written. It
passes inputs and outputs through taps, which do not change them: a tap reports the values when they are computed, and
their gradient when that is computed. So the step may be compiled, loop or differentiate freely.

The order of the calls is that in which the step was traced, which is the order of the program.
"""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cornu.core import context
from cornu.core.masks import get_mask, set_mask
from cornu.core.operation import Operation
from cornu.core.typing import AnyFunction, Nested, Tensor
from cornu.core.variable import Variable


def path_of(operation: Operation) -> str:
    """The names of the layers around an observed call and its own; a layer's own scope is already open then."""
    around = context.current()
    return "/".join(around.path if around.scope_caller is operation else (*around.path, operation.name))


class Moment:
    """Observations of the values at one point of a step.

    Attributes:
        number: position among all moments; None before any values arrive.
        is_finite, has_nan: of all values seen.
        rows: for each row of the batch, whether all its values were finite; None if the first axis is not the batch.
        low, high: the range of the finite values.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.is_finite, self.has_nan = True, False
        self.rows: np.ndarray | None = None
        self.low, self.high = np.inf, -np.inf
        self._came = False

    @property
    def is_bad(self) -> bool:
        """Whether a non-finite value was seen."""
        return self._came and not self.is_finite

    @property
    def largest(self) -> float:
        """The largest finite absolute value; 0 if there is none."""
        return abs(max(-self.low, self.high, 0.0))

    def note(self, has_nan: object, rows: object, low: Tensor, high: Tensor) -> None:
        """Record values."""
        found = np.asarray(rows)
        self._came = True
        self.is_finite &= bool(found.all())
        self.has_nan |= bool(has_nan)
        self.low, self.high = min(self.low, float(low)), max(self.high, float(high))
        if found.ndim:
            self.rows = found if self.rows is None else self.rows & found


class Passage:
    """One call of an operation.

    Attributes:
        operation: the layer, model or function.
        path: the names of the enclosing layers and its own.
        parent: the enclosing call; None for the outermost.
        before, after: the inputs and the outputs.
        gradient_after, gradient_before: the gradients with respect to its outputs and its inputs.
    """

    def __init__(self, operation: Operation, path: str, parent: "Passage | None"):
        self.operation, self.path, self.parent = operation, path, parent
        self.before, self.after = Moment(), Moment()
        self.gradient_after, self.gradient_before = Moment(), Moment()

    def is_within(self, other: "Passage") -> bool:
        """Whether this call happened within the other one."""
        return self.parent is not None and (self.parent is other or self.parent.is_within(other))


class Watch:
    """Observes each call of a step: `with context.scope(watch=Watch(rows)): step(...)`.

    Args:
        rows: number of rows of the batch.
        gradients: whether to observe gradients; not possible for a step with forward-mode differentiation.

    Attributes:
        passages: the calls, in the order in which they began.
        weights: by variable, the observations of its gradient when passed to an optimizer.
    """

    def __init__(self, rows: int, gradients: bool = True):
        self.passages: list[Passage] = []
        self.weights: dict[Variable, Moment] = {}
        self._rows, self._gradients = rows, gradients
        self._open: list[Passage] = []
        self._numbers = itertools.count()

    def __call__(self, operation: object, function: AnyFunction, *args: Any, **kwargs: Any) -> Nested:
        """The outputs of `function`, the call of `operation`."""
        if not isinstance(operation, Operation):  # an optimizer, with gradients and their variables
            for gradient, variable in zip(*args, strict=True):
                self._tell(self.weights.setdefault(variable, Moment()), gradient)
            return None
        passage = Passage(operation, path_of(operation), self._open[-1] if self._open else None)
        self.passages.append(passage)
        args, kwargs = self._tapped((args, kwargs), passage.before, passage.gradient_before)
        self._open.append(passage)
        try:
            outputs = function(*args, **kwargs)
        finally:
            self._open.pop()
        return self._tapped(outputs, passage.after, passage.gradient_after)

    def bad_moments(self) -> Iterator[tuple[Passage, bool]]:
        """(call, whether its outputs are concerned) for non-finite values, in the order of the step."""
        found = [(p.before.number, p, False) for p in self.passages if p.before.is_bad]
        found += [(p.after.number, p, True) for p in self.passages if p.after.is_bad]
        yield from ((p, out) for _, p, out in sorted(found, key=lambda each: each[0] or 0))

    def _tapped(self, structure: object, values: Moment, gradients: Moment) -> Nested:
        def tapped(leaf: object) -> object:
            if not isinstance(leaf, jax.Array) or not jnp.issubdtype(leaf.dtype, jnp.inexact):
                return leaf
            self._tell(values, leaf)
            if not self._gradients:
                return leaf
            passed = self._tap(gradients)(leaf)
            set_mask(passed, get_mask(leaf))
            return passed

        return jax.tree.map(tapped, structure)

    def _tap(self, gradients: Moment) -> Callable[[jax.Array], jax.Array]:
        """A function that returns its argument, and reports the gradient."""

        @jax.custom_vjp
        def tap(x: jax.Array) -> jax.Array:
            return x

        def backward(_: None, gradient: jax.Array) -> tuple[jax.Array]:
            self._tell(gradients, gradient)
            return (gradient,)

        tap.defvjp(lambda x: (x, None), backward)
        return tap

    def _tell(self, moment: Moment, x: Tensor) -> None:
        """Have `moment` record an array once it is computed."""
        if moment.number is None:
            moment.number = next(self._numbers)
        finite = jnp.isfinite(x)
        by_row = finite.ndim > 0 and finite.shape[0] == self._rows and finite.size > 0
        rows = finite.reshape(self._rows, -1).all(1) if by_row else finite.all()
        sizes = jnp.abs(x) if jnp.iscomplexobj(x) else x
        low = jnp.where(finite, sizes, jnp.inf).min(initial=jnp.inf)
        high = jnp.where(finite, sizes, -jnp.inf).max(initial=-jnp.inf)
        jax.debug.callback(moment.note, jnp.isnan(x).any(), rows, low, high)
