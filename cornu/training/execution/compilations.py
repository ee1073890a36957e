"""How often the steps of a model were compiled, and warnings about it.

A step is compiled once for every batch shape. That takes seconds while a step takes milliseconds, so constantly
changing shapes make training slow: `fit` warns once, naming the input. While a step is being compiled, a terminal with
a progress bar shows a temporary line.
"""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import numpy as np

from cornu import settings, tree
from cornu.callbacks.messages import resolve_verbose, show, takes_lines_back

MANY = 5  # number of shapes of a step in one `fit` that triggers the warning
_PATIENCE = 1.0  # seconds of compiling before a line is shown
_STEPS = {"train": "training step", "test": "evaluation step", "predict": "prediction step"}
_PARTS = ("x", "y", "sample_weight")


class Compilations:
    """The shapes that the steps of a model were compiled for.

    Args:
        owner: the name of the model in messages.
    """

    def __init__(self, owner: str):
        self._owner = owner
        self._counts = dict.fromkeys(_STEPS, 0)
        self._shapes: dict[str, list[dict[str, tuple[int, ...]]]] | None = None  # by stage, while `fit` runs
        self._has_warned = False
        self._shows = False

    @property
    def counts(self) -> dict[str, int]:
        """The number of compilations by stage."""
        return dict(self._counts)

    @contextmanager
    def during_fit(self, verbose: int | str) -> Iterator[None]:
        """Scope of one `fit`, in which shapes are tracked and compilation is displayed."""
        before = self._shapes, self._has_warned, self._shows
        self._shapes, self._has_warned = {stage: [] for stage in _STEPS}, False
        self._shows = resolve_verbose(verbose) == 1 and takes_lines_back() and settings.is_interactive_logging_enabled()
        try:
            yield
        finally:
            self._shapes, self._has_warned, self._shows = before

    @contextmanager
    def counted(self, stage: str, data: object, stacked: bool = False) -> Iterator[None]:
        """Scope of the first run of a step on data of new shapes; `stacked` batches have one more axis."""
        with _shown(f"Compiling the {_STEPS[stage]}...") if self._shows else nullcontext():
            yield
        self._counts[stage] += 1
        self._look_at_shapes(stage, shapes_of(data, stacked))

    def _look_at_shapes(self, stage: str, shapes: dict[str, tuple[int, ...]]) -> None:
        if self._shapes is None or self._has_warned:
            return
        seen = self._shapes[stage]
        if shapes not in seen:
            seen.append(shapes)
        if len(seen) >= MANY:
            self._has_warned = True
            warnings.warn(f"{self._owner}: {_advice(stage, seen)}", stacklevel=2)


def shapes_of(data: object, stacked: bool = False) -> dict[str, tuple[int, ...]]:
    """The shapes of a batch by name: `x`, `x['tokens']`, `y`, ..."""
    named = {}
    for (part, *path), leaf in tree.flatten_with_path(data):
        if leaf is not None:
            named[_PARTS[part] + "".join(f"[{key!r}]" for key in path)] = tuple(np.shape(leaf)[stacked:])
    return named


def _advice(stage: str, seen: list[dict[str, tuple[int, ...]]]) -> str:
    changing = [name for name in seen[0] if len({shapes.get(name) for shapes in seen}) > 1]
    if not changing:
        changing = list(seen[0])
    lines = [f"the {_STEPS[stage]} was compiled {len(seen)} times, once for each shape of a batch:"]
    for name in changing:
        found = dict.fromkeys(str(shapes.get(name)) for shapes in seen)
        lines.append(f"  {name} came as {', '.join(found)}")
    lines.append(_remedy(changing, seen))
    return "\n".join(lines)


def _remedy(changing: list[str], seen: list[dict[str, tuple[int, ...]]]) -> str:
    """What to do about shapes that change in their first or in other dimensions."""
    inner = {name: {shapes[name][1:] for shapes in seen if name in shapes} for name in changing}
    varying = [name for name, shapes in inner.items() if len(shapes) > 1]
    if varying:
        return (
            f"Each compilation takes seconds. Pad {' and '.join(varying)} to one length, or to a few lengths, so "
            "that shapes recur; utils.LengthBuckets does that for sequences."
        )
    return (
        "Each compilation takes seconds. Only the number of rows changes: make it equal for all batches, for example "
        "with drop_remainder=True when batching."
    )


@contextmanager
def _shown(text: str) -> Iterator[None]:
    """Show `text` on the progress bar's line once the body has run for a while, and remove it at its end."""
    drawn = threading.Event()

    def draw() -> None:
        drawn.set()
        show(f"\r{text}")

    timer = threading.Timer(_PATIENCE, draw)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        if drawn.is_set():
            show("\r" + " " * len(text) + "\r")
