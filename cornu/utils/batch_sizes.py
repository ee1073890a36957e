"""How many rows per second a model trains on, by batch size: larger batches keep a device busier, up to a point."""

import contextlib
import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from cornu import memory, validate
from cornu.callbacks.messages import resolve_verbose, say
from cornu.core import interrupts, notebook
from cornu.core.tracebacks import filtered
from cornu.core.typing import Batch, Data
from cornu.core.variable import values_of
from cornu.kernels import platform
from cornu.saving import pictures
from cornu.training.data.chunks import packed
from cornu.training.execution.compiled import Compiled, composition
from cornu.training.execution.multi_step import LoopUnfitError
from cornu.training.step import TrainState, makes_own_function
from cornu.training.trial import batches_for, check_compiled, trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cornu.models import Model
else:
    Figure: TypeAlias = Any
    Model: TypeAlias = Any

_OWNER = "find_batch_size"
_ENOUGH = 0.9  # fraction of the highest throughput that suffices for the suggestion
_GROWTH = 1.05  # minimum growth of throughput in one of two successive doublings
_SHARE = 0.8  # fraction of the free memory that a step may use
_CALLS = 8  # number of calls, of which the fastest counts: other programs may run too


class BatchSize(NamedTuple):
    """The measurements for one batch size.

    Attributes:
        size: number of rows in a batch.
        rows_per_second: number of rows trained on per second.
        step: seconds per step.
        memory: bytes needed by a step, including the weights, the optimizer's state and the batch.
    """

    size: int
    rows_per_second: float
    step: float
    memory: int


@dataclass(frozen=True, repr=False)
class BatchSizes:
    """The measurements of `find_batch_size`: `repr` describes them in a sentence, `print` also as a table, `plot` draws
    them.

    Attributes:
        table: a `BatchSize` for each measured size, in increasing order.
        ending: why no larger size was measured.
    """

    table: tuple[BatchSize, ...]
    ending: str

    @property
    def suggestion(self) -> int:
        """The smallest batch size with 90 % of the highest throughput."""
        most = max(row.rows_per_second for row in self.table)
        return next(row.size for row in self.table if row.rows_per_second >= _ENOUGH * most)

    def __repr__(self) -> str:
        best = max(self.table, key=lambda row: row.rows_per_second)
        chosen = next(row for row in self.table if row.size == self.suggestion)
        reach = "the maximum" if chosen is best else f"where {best.size} gives the maximum, {best.rows_per_second:,.0f}"
        return (
            f"The suggested batch size is {chosen.size}: it trains on {chosen.rows_per_second:,.0f} rows per second, "
            f"{reach}. {self.ending}"
        )

    def __str__(self) -> str:
        lines = [_HEADINGS, *map(_cells, self.table)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        table = ("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
        return "\n".join([*table, repr(self)])

    def _repr_html_(self) -> str:
        return notebook.fragment(repr(self), notebook.table(_HEADINGS, map(_cells, self.table), numbers=_HEADINGS))

    def plot(self, path: str | os.PathLike[str] | None = None) -> Figure:
        """Draw rows per second by batch size, with the suggestion.

        Args:
            path: file to write, in the format given by its extension; None, the default, writes nothing.

        Returns:
            A `matplotlib.figure.Figure`, which a notebook displays; no window is opened.

        Raises:
            ImportError: if matplotlib is not installed (the extra `plot`).
        """
        figure = pictures.new_figure(6.4, 4.0, f"{_OWNER}(...).plot()")
        axes, sizes = figure.add_subplot(), [row.size for row in self.table]
        axes.plot(sizes, [row.rows_per_second for row in self.table], color="C0", marker="o", label="measured")
        axes.axvline(self.suggestion, color="C1", linestyle="--", label=f"suggested: {self.suggestion}")
        axes.set_xscale("log", base=2)
        axes.set_xticks(sizes, labels=list(map(str, sizes)))
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend()
        pictures.label(axes, "", "batch size", "rows per second")
        pictures.write(figure, path)
        return figure


_HEADINGS = ["batch size", "rows/s", "ms/step", "MiB"]


def _cells(row: BatchSize) -> list[str]:
    return [str(row.size), f"{row.rows_per_second:,.0f}", f"{1e3 * row.step:,.3g}", f"{row.memory / 2**20:,.1f}"]


@filtered
@interrupts.kept()
def find_batch_size(
    model: Model,
    x: Data,
    y: Data = None,
    *,
    sample_weight: Data = None,
    class_weight: Mapping[int, float] | None = None,
    minimum: int = 8,
    maximum: int = 4096,
    memory_limit: int | None = None,
    seconds: float = 0.5,
    verbose: str | int = "auto",
) -> BatchSizes:
    """Measure how many rows per second the model trains on, by batch size, and suggest a size.

    Sizes are powers of two starting at `minimum`, until two successive doublings gain less than 5 % each, the number of
    rows of `x` or `maximum` is reached, or a step would need more memory than there is, according to XLA before it
    runs. Compilation is not counted. Steps run on copies: the model, its optimizer, its metrics and all seeds are
    restored afterwards, even after an error or Ctrl-C.

        found = cornu.utils.find_batch_size(model, x, y)
        print(found)
        model.fit(x, y, batch_size=found.suggestion)

    The suggestion is the smallest size with 90 % of the highest throughput: smaller batches usually learn more per row.
    A different batch size requires a different learning rate (`find_learning_rate`).

    Args:
        model: a compiled model.
        x, y, sample_weight, class_weight: data, as for `fit`. The rows of a first batch are repeated if a generator or
            dataset makes the batches.
        minimum: the first size, rounded up to a power of two. Defaults to 8.
        maximum: upper bound of the sizes. Defaults to 4096.
        memory_limit: bytes that a step may use; None for 80 % of the free memory of the host or the GPU.
        seconds: approximate duration of each measurement. Defaults to 0.5.
        verbose: 0 for silence, 1 to print each measurement, "auto" for 1 in a terminal or notebook.
            Defaults to `"auto"`.

    Returns:
        An object with `suggestion` (an int), `table` (rows of `size`, `rows_per_second`, `step` in seconds and `memory`
        in bytes), `ending`, and `plot(path=None)`.

    Raises:
        ValueError: for arguments out of range, a model that is not compiled, runs eagerly, has nothing to train or
            accepts only one batch size, and if not even the first size fits in memory.

    Example:

        model = cornu.Sequential([cornu.Input((3,)), cornu.layers.Dense(1)])
        model.compile("sgd", "mse")
        found = cornu.utils.find_batch_size(model, np.ones((64, 3)), np.ones((64, 1)), seconds=0.01, verbose=0)
        print(found.suggestion in (8, 16, 32, 64))  # True
    """
    minimum, maximum = (
        validate.positive_int(value, name, _OWNER) for name, value in (("minimum", minimum), ("maximum", maximum))
    )
    if isinstance(seconds, bool) or not validate.is_real(seconds) or not 0 < seconds < math.inf:
        raise ValueError(f"{_OWNER}: seconds must be a positive number. Received: {seconds=}.")
    limit, says = _limit(memory_limit), resolve_verbose(verbose) == 1
    _check(model)
    with trial(model, x):
        batches = batches_for(
            model, (x, y, sample_weight), 1, _OWNER, batch_size=minimum, class_weight=class_weight, shuffle=False
        )
        sizes = _sizes(minimum, maximum, batches.num_samples)
        steps = _Steps(model, packed(batches.example()))
        table, ending = _measured(steps, sizes, seconds, limit, says)
    ending = ending or f"{sizes[-1]} is the largest size that the {_bound(maximum, batches.num_samples)} allows."
    if not table:
        raise ValueError(f"{_OWNER}: a batch of {ending} Use a smaller minimum, or a larger memory_limit in bytes.")
    return BatchSizes(tuple(table), ending)


def _measured(
    steps: "_Steps", sizes: list[int], seconds: float, limit: float, says: bool
) -> tuple[list[BatchSize], str | None]:
    """The measurements, and why not all sizes were measured, if so."""
    table: list[BatchSize] = []
    for size in sizes:
        step = steps.of(size)
        if step.memory > limit:
            return table, f"{size} would need {_mib(step.memory)} of memory, but the limit is {_mib(limit)}."
        try:
            table.append(step.measured(seconds))
        except jax.errors.JaxRuntimeError as error:  # another program may have used the free memory
            if "RESOURCE_EXHAUSTED" not in str(error):
                raise
            return table, f"{size} ran out of memory."
        if says:
            say(", ".join(f"{name} {cell}" for name, cell in zip(_HEADINGS, _cells(table[-1]), strict=True)))
        if _has_stopped_growing(table):
            return table, f"Above {table[-3].size}, throughput hardly grows."
    return table, None


def _limit(given: int | None) -> float:
    """The number of bytes a step may use."""
    if given is not None:
        return validate.positive_int(given, "memory_limit", _OWNER)
    told = jax.local_devices(backend=platform.name())[0].memory_stats()
    free = told["bytes_limit"] - told["bytes_in_use"] if told else memory.free_memory()
    if free is None:
        raise ValueError(
            f"{_OWNER}: the free memory of this system is unknown. Pass memory_limit, the number of bytes that a step "
            "may use."
        )
    return _SHARE * free


def _check(model: "Model") -> None:
    check_compiled(model, _OWNER)
    if not model.jit_compile or makes_own_function(model, "train") or model._computations["train"].made is not None:
        raise ValueError(
            f"{_OWNER}: {validate.describe(model)} runs its steps uncompiled (run_eagerly=True, jit_compile=False or a "
            "custom train_function), so that the memory they need is not known in advance."
        )
    fixed = {tensor.shape[0] for tensor in getattr(model, "inputs", None) or ()} - {None}
    if fixed:
        raise ValueError(
            f"{_OWNER}: {validate.describe(model)} only accepts batches of {fixed.pop()} rows. Use a shape in Input() "
            "instead of batch_shape."
        )


def _sizes(minimum: int, maximum: int, rows: int | None) -> list[int]:
    """The powers of two to measure."""
    most = maximum if rows is None else min(maximum, rows)
    sizes = [2**power for power in range((minimum - 1).bit_length(), most.bit_length())]
    if not sizes:
        raise ValueError(
            f"{_OWNER}: there is no power of two from {minimum=} up to the {_bound(maximum, rows)}, {most}."
        )
    return sizes


def _bound(maximum: int, rows: int | None) -> str:
    return "maximum" if rows is None or maximum <= rows else "number of rows"


def _has_stopped_growing(table: list[BatchSize]) -> bool:
    before, last = table[:-2], table[-2:]
    return bool(before) and all(
        row.rows_per_second < _GROWTH * max(one.rows_per_second for one in before) for row in last
    )


def _mib(size: float) -> str:
    return f"{size / 2**20:,.4g} MiB"


# ---------------------------------------------------------------- measured steps


class _Steps:
    """The training step of a model on batches of any size, several per call if `fit` would combine them.

    Args:
        model: the model, in a `trial` and prepared for its batches.
        example: some rows, as passed to steps, which are repeated.
    """

    def __init__(self, model: object, example: Batch):
        made_of = composition(model, "train")
        self._functions: dict[bool, Any] = {
            many: Compiled(model, "train", made_of, many).function for many in (True, False)
        }
        self._many = True
        self._state = TrainState(*map(values_of, made_of.parts))
        self._example = jax.tree.map(jnp.asarray, example)

    def of(self, size: int) -> "_Step":
        """The step on batches of `size` rows, compiled but not run."""
        if self._many:
            with contextlib.suppress(LoopUnfitError):
                return self._compiled(size)
            self._many = False
        return self._compiled(size)

    def _compiled(self, size: int) -> "_Step":
        around = (1,) if self._many else ()  # a chunk of one batch, used by each step of a call
        shapes = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct((*around, size, *leaf.shape[1:]), leaf.dtype), self._example
        )
        lowered = self._functions[self._many].lower(self._state, shapes, _span(1) if self._many else None)
        return _Step(size, lowered.compile(), self._state, self._example, self._many)


def _span(steps: int) -> tuple[None, np.int32, np.int32]:
    return None, np.int32(0), np.int32(steps)


class _Step:
    """The step on batches of one size.

    Args:
        size: number of rows.
        function: the compiled function.
        state: the initial values.
        example: rows to repeat.
        many: whether a call comprises any number of steps.
    """

    def __init__(self, size: int, function: Any, state: TrainState, example: Batch, many: bool):
        told = function.memory_analysis()
        self.memory = told.temp_size_in_bytes + told.argument_size_in_bytes + told.output_size_in_bytes
        self._size, self._function, self._state, self._example, self._many = size, function, state, example, many

    def measured(self, seconds: float) -> BatchSize:
        """The throughput of the step, measured for about this many seconds."""
        rows = jnp.arange(self._size)
        data = jax.tree.map(lambda leaf: leaf[rows % len(leaf)], self._example)
        data = jax.tree.map(lambda leaf: leaf[None], data) if self._many else data
        self._time(data, 1)
        once = self._time(data, 1)
        steps = max(1, int(seconds / _CALLS / once))
        fastest = min(self._time(data, steps) for _ in range(_CALLS if once < seconds else 1)) / steps
        return BatchSize(self._size, self._size / fastest, fastest, self.memory)

    def _time(self, data: Data, steps: int) -> float:
        began = time.perf_counter()
        if self._many:
            jax.block_until_ready(self._function(self._state, data, _span(steps)))
        else:
            for _ in range(steps):
                jax.block_until_ready(self._function(self._state, data, None))
        return time.perf_counter() - began
