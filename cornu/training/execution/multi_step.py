"""Several steps in one compiled call, so that the host overhead is paid once per call.

Batches of the same shape are stacked into a `Chunk` of a fixed size. A compiled loop runs any span of its steps, so one
function serves any number of steps without recompilation. The number of steps per call is determined by
`steps_per_call`.

A call runs a single step, with the function for one batch, if callbacks observe every batch, if a batch has a different
shape (the last one, unless it can be padded), if it is large, or if a loop would slow the step down.
"""

import functools
from collections.abc import Callable, Iterable, Iterator
from operator import is_
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from cornu import tree
from cornu.core import placement
from cornu.core.typing import AnyFunction, AnyTuple, Batch, Nested, Tensor, Values
from cornu.core.variable import values_of
from cornu.kernels import platform, xla
from cornu.training.data.chunks import Chunk
from cornu.training.execution.in_flight import InFlight
from cornu.training.execution.steps_per_call import StepsPerCall
from cornu.training.step import TrainState, only_changes

if TYPE_CHECKING:
    from cornu.training.execution.compiled import Compiled

STACKED_BYTES = 32 * 2**20  # maximum size of the stacked predictions of a chunk


class Call(NamedTuple):
    """One compiled call.

    Attributes:
        steps: number of steps.
        run: function that runs it.
        real: function that extracts the valid rows of its outputs.
        batches: function that returns the (batch, number of valid rows) of each step.
    """

    steps: int
    run: Callable[[], Any]
    real: Callable[[Any], Any]
    batches: Callable[[], list[Batch]]


class LoopUnfitError(Exception):
    """A step that should not be put into a loop."""


# ---------------------------------------------------------------- the compiled loop


class Repeated:
    """A pure step over a span of a chunk: `(state, data, (rows, start, stop)) -> (result, state)`.

    The result is that of the last step, or for predictions those of all steps, stacked.

    Args:
        step: `(state, data, rows) -> (result, state)`.
        stacks: whether to keep the results of all steps.
    """

    def __init__(self, step: AnyFunction, stacks: bool):
        self.stacks = stacks
        self._step = jax.jit(only_changes(step))  # traced once, although the loop needs its output shapes first
        self.__name__ = "repeated"

    def __call__(self, state: Values, data: object, span: AnyTuple) -> tuple[object, Values]:
        rows, start, stop = span

        def batch(index: object) -> Batch:
            return jax.tree.map(lambda a: jax.lax.dynamic_index_in_dim(a, index, keepdims=False), (data, rows))

        def body(index: object, carry: AnyTuple) -> AnyTuple:
            values, results = carry
            result, values = self._step(_replaced(state, values), *batch(index))
            return values, self._kept(results, result, index)

        traced = self._step.trace(state, *batch(start))
        result, changed = traced.out_info
        size = len(jax.tree.leaves(data)[0])
        _refuse_slow_loops(traced.jaxpr, jax.tree.leaves(result), size if self.stacks else 1)
        values = [{i: part[i] for i in changes} for part, changes in zip(state, changed, strict=True)]
        shape = (size,) if self.stacks else ()
        results = jax.tree.map(lambda a: jnp.zeros((*shape, *a.shape), a.dtype), result)
        values, results = jax.lax.fori_loop(start, stop, body, (values, results))
        return results, _replaced(state, values)

    def _kept(self, results: object, result: object, index: object) -> Nested:
        if not self.stacks:
            return result
        return jax.tree.map(lambda all_, one: jax.lax.dynamic_update_index_in_dim(all_, one, index, 0), results, result)


def _replaced(state: Values, values: list[dict[int, jax.Array]]) -> Values:
    parts = [
        [changed.get(i, value) for i, value in enumerate(part)] for part, changed in zip(state, values, strict=True)
    ]
    return TrainState(*parts) if isinstance(state, TrainState) else tuple(parts)


# ---------------------------------------------------------------- steps that are slow in a loop


def _refuse_slow_loops(jaxpr: Any, results: list[Tensor], copies: int) -> None:
    """Reject results too large to stack, and convolutions that XLA's CPU compiler rewrites only outside of loops."""
    if copies * sum(a.size * a.dtype.itemsize for a in results) > STACKED_BYTES:
        raise LoopUnfitError("The predictions of a chunk are too large.")
    if platform.name() == "cpu" and any(map(xla.is_slow_in_a_loop, _equations(jaxpr.jaxpr))):
        raise LoopUnfitError("There are convolutions in layouts that are slow inside a loop.")


def _equations(jaxpr: Any) -> Iterator[object]:
    """All equations of a jaxpr and of those inside it."""
    for equation in jaxpr.eqns:
        yield equation
        for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=_is_jaxpr):
            if _is_jaxpr(inner):
                yield from _equations(getattr(inner, "jaxpr", inner))


def _is_jaxpr(value: object) -> bool:
    return hasattr(value, "eqns") or hasattr(getattr(value, "jaxpr", None), "eqns")


# ---------------------------------------------------------------- the calls of an epoch


class Runner:
    """The calls that run the steps of one stage.

    Args:
        stage: "train", "test" or "predict".
        pace: determines the number of steps per call.
        function: function that returns the compiled step: for one batch (False) or for a span of a chunk (True).
        under_way: tracks the calls in progress.
        metrics: the initial values of the metrics' variables.
        start: number of steps done before, over all epochs.
        interval: maximum number of steps in a call.
    """

    def __init__(
        self,
        stage: str,
        pace: StepsPerCall,
        function: "Callable[[bool], Compiled]",
        under_way: InFlight,
        metrics: list[jax.Array] | None,
        start: int = 0,
        interval: int | None = None,
    ):
        self.stacks = stage == "predict"
        self.pace = pace
        self.metrics = metrics
        self._done, self._interval = start, interval
        self._function = functools.cache(function)
        self._under_way = under_way

    def run(self, several: bool, data: object, rows: object) -> Any:
        """Run the step for one batch, or for a span of a chunk, and return its result.

        Metrics continue from where this runner left them, whatever another thread does with the same model.
        """
        outcome = self._under_way.run(self._function(several), data, rows, self.metrics)
        self.metrics = outcome.metrics
        return outcome.result

    def heeding(self, callback: AnyFunction) -> AnyFunction:
        """`callback`, after which metrics continue from the values that it assigned, such as those of a reset."""

        def heeded(*args: object) -> None:
            variables = self._function(False).parts[-1]
            before = values_of(variables)
            callback(*args)
            now = values_of(variables)
            if not all(map(is_, now, before)):
                self.metrics = now

        return callback if self.stacks else heeded

    def calls(self, items: Iterable[Chunk | Batch]) -> Iterator[Call]:
        """The calls for chunks and for single (batch, valid rows) pairs."""
        found = self._calls(items)
        return self._grouped(found, self.pace.steps) if self.pace.fixed and self.pace.steps > 1 else found

    def _grouped(self, calls: Iterable[Call], steps: int) -> Iterator[Call]:
        """Calls with as many steps as requested, even if batches of another shape need separate calls."""
        waiting: list[Call] = []
        for call in calls:
            waiting.append(call)
            if sum(one.steps for one in waiting) >= steps:
                yield self._joined(waiting)
                waiting = []
        if waiting:
            yield self._joined(waiting)

    def _joined(self, calls: list[Call]) -> Call:
        """Several calls combined: the result is that of the last one, or for predictions those of all."""
        if len(calls) == 1:
            return calls[0]
        steps = sum(call.steps for call in calls)

        def batches() -> list[Batch]:
            return [batch for call in calls for batch in call.batches()]

        if not self.stacks:
            return Call(steps, lambda: [call.run() for call in calls][-1], calls[-1].real, batches)

        def real(results: list[Tensor]) -> Nested:
            parts = [call.real(result) for call, result in zip(calls, results, strict=True)]
            return tree.map_structure(lambda *rows: np.concatenate(rows), *parts)

        return Call(steps, lambda: [call.run() for call in calls], real, batches)

    def _calls(self, items: Iterable[Chunk | Batch]) -> Iterator[Call]:
        for item in items:
            if isinstance(item, Chunk):
                yield from self._spans(item)
            else:
                self._done += 1
                yield self._single(*item)

    def _single(self, data: object, rows: int | None) -> Call:
        real = functools.partial(_on_host, cut=lambda a: a if rows is None else a[:rows])
        return Call(1, lambda: self.run(False, data, rows), real, lambda: [(data, rows)])

    def _spans(self, chunk: Chunk) -> Iterator[Call]:
        start, data = 0, self._on_device(chunk) if self.pace.loops else None
        while start < chunk.steps:
            most = self.pace.steps if self._interval is None else self._interval - self._done % self._interval
            steps = range(start, min(start + self.pace.steps, start + most, chunk.steps))
            self._done += len(steps)
            span = Span(self, chunk, data, steps)
            yield Call(len(steps), span.run, span.real, span.batches)
            start = steps.stop

    @staticmethod
    def _on_device(chunk: Chunk) -> Any:
        alone = placement.current() is None
        return jax.device_put(chunk.data) if alone else placement.batch(chunk.data, stacked=True)


class Span:
    """Some steps of a chunk, whose data on the device is `data`."""

    def __init__(self, runner: Runner, chunk: Chunk, data: object, steps: range):
        self.runner, self.chunk, self.data, self.steps = runner, chunk, data, steps
        self.first = steps.start  # start of this span in the stacked results

    def run(self) -> Any:
        """Run the steps: in one call, or one at a time if a loop would be slow."""
        if self.runner.pace.loops:
            try:
                span = (self.chunk.rows, np.int32(self.steps.start), np.int32(self.steps.stop))
                return self.runner.run(True, self.data, span)
            except LoopUnfitError:
                self.runner.pace.loops = False
        self.first = 0
        results = [self.runner.run(False, *batch) for batch in self.batches()]
        return jax.tree.map(lambda *leaves: np.stack(leaves), *results) if self.runner.stacks else results[-1]

    def batches(self) -> list[Batch]:
        """The (batch, number of valid rows) of each step."""
        stacked = (self.chunk.data, self.chunk.rows)
        return [jax.tree.map(lambda leaf: leaf[index], stacked) for index in self.steps]  # noqa: B023

    def real(self, result: object) -> Nested:
        """The stacked predictions flattened to rows, without the padding rows."""
        counts = [None if self.chunk.rows is None else self.chunk.rows[index] for index in self.steps]
        parts = list(enumerate(counts, self.first))
        return _on_host(result, lambda a: np.concatenate([a[place, :count] for place, count in parts]))


def _on_host(outputs: object, cut: AnyFunction) -> Nested:
    """Outputs as separate NumPy arrays, sliced."""
    return tree.map_structure(lambda a: np.array(cut(np.asarray(a))) if hasattr(a, "dtype") else a, outputs)
