"""Run a program on cornu and on Keras, action by action, and compare after each what was seen and what is left."""

import contextlib
import gc
import io
import logging
import os
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import jax
import keras
import numpy as np
from jax._src.config import use_direct_linearize

import cornu
from tests.differential import actions, prelude
from tests.differential.compare import Found, config, differences, plain, table
from tests.differential.differences import on_purpose
from tests.differential.interpret import interpreted
from tests.differential.on_numpy import on_numpy
from tests.differential.program import Program
from tests.lowering import lower_quickly

_PRELUDE = compile(Path(prelude.__file__).read_text(), prelude.__file__, "exec")
_READ = {"config": config, "json": config, "summary": table}  # what is compared as JSON, as the cells of a table
# Compiled in a third of the time; and without AVX2 no product is added in one rounding. Where it is, a sum that two
# fusions compute may come out as two numbers: then none equals the maximum, whose gradient is NaN.
_FLAGS = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1 --xla_cpu_max_isa=AVX"
_FOR_GOOD = contextlib.ExitStack()
_NEEDED = {"make", "save", "checkpoint"}  # what comes next needs what they make
_SHAKES = 6  # how often numbers are moved in their last places, to see whether rounding alone makes a difference


class Side:
    """One library at work on a program.

    Keras runs operation by operation: what is compiled then serves all programs that come after, and what is compared
    with is not subject to tracing.
    """

    def __init__(
        self, library: ModuleType, folder: Path, other: str, shake: tuple[int, float] = (0, 0.0), compiled: bool = True
    ):
        self.seen: list = []
        self.warned: list[str] = []
        self.error: Exception | None = None
        self.trace = ""
        self._library, self._files, self._compiled = library, 0, compiled
        self.names: dict[str, Any] = {"__name__": "__main__"}
        exec(_PRELUDE, self.names)
        places = {"mine": library.__name__, "theirs": other}
        self.names |= {"K": library, "see": self._see, "next_file": self._next_file, "shake": shake}
        for word, side in places.items():
            self.names[word] = lambda ending, side=side: str(folder / f"{side}{self._files}{ending}")
        library.utils.clear_session(free_memory=False)
        library.utils.set_random_seed(1)

    def _see(self, label: str, *values: Any) -> None:
        self.seen.append((label, [_READ.get(label, plain)(v) for v in values]))

    def run(self, text: str) -> None:
        """Run statements; an error is kept."""
        self.seen, self.error, self.trace = [], None, ""
        with self._quickly(), warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("always")
            try:
                exec(compile(text, "<program>", "exec"), self.names)
            except Exception as error:
                self.error, self.trace = error, traceback.format_exc(limit=-8)
        self.warned = [str(w.message) for w in caught if issubclass(w.category, UserWarning)]

    @contextlib.contextmanager
    def _quickly(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            if self._library is cornu and not self._compiled:
                stack.enter_context(interpreted())
            if self._library is keras:
                stack.enter_context(jax.disable_jit())
                stack.enter_context(use_direct_linearize(False))  # a tenth faster where nothing is compiled
            yield

    def _next_file(self) -> None:
        """Another name for the next file."""
        self._files += 1

    def state(self, values: bool) -> dict[str, Any]:
        """All that the model holds: weights, optimizer, flags, names; without `values` no numbers."""
        model = self.names["model"]
        trained = {id(v) for v in model.trainable_weights}
        found = {
            "paths": [v.path for v in model.weights],
            "trained": [id(v) in trained for v in model.weights],
            "weights": [plain(v) if values else list(v.shape) for v in model.weights],
            "built": bool(model.built),
            "layers": [layer.name for layer in model.layers],
        }
        optimizer = getattr(model, "optimizer", None)
        if optimizer is not None and optimizer.iterations > 0:  # Keras makes its variables earlier
            found["optimizer"] = [plain(v) for v in optimizer.variables]
        found["compiled"] = bool(model.compiled)
        if model.compiled:
            found["metrics"] = " ".join(model.metrics_names)
        return found

    def close(self) -> None:
        """Leave no setting behind."""
        self._library.config.set_dtype_policy("float32")


def stages(program: Program) -> list[tuple[str, str]]:
    """(verb, text) of all that is run, in order."""
    parts = [("make", program.opening()), ("make", "model(inputs(3))\ngive_weights(model)")]
    for action in program.actions:
        parts += [(action.verb, text) for text in actions.text(action).split("\n---\n")]
    return parts


def run(program: Program, note: list | None = None, compiled: bool = True) -> Found | None:
    """The first disagreement of a program; None where there is none.

    Args:
        compiled: whether cornu's steps are compiled, or what is traced is evaluated on NumPy.
        note: what happened is added to it: "refused" where both refuse to make the model, "error" where both refuse
            an action, "rounded" where rounding alone decides what is seen, "done" at the end.
    """
    note = [] if note is None else note
    explained: set[Found] = set()
    tolerance = 6e-2 if _is_half(program) else 1e-3
    with TemporaryDirectory() as folder:
        folder = Path(folder)
        sides = [Side(cornu, folder, "keras", compiled=compiled), Side(keras, folder, "cornu")]
        try:
            for number, (verb, text) in enumerate(stages(program)):
                for side in sides:
                    side.run(text)
                rest = [text for each, text in stages(program)[number + 1 :] if each == "make"]
                if verb == "make" and _refuses_early(*sides, rest):
                    note.append("refused")
                    return None
                done = "\n".join(text for _, text in stages(program)[: number + 1])
                here = [replace(f, text=done) for f in _compared(verb, *sides, tolerance, values=number > 0)]
                ending = next((row for row in map(on_purpose, here) if row is not None and row.ends), None)
                if ending is not None:
                    note.append(f"on purpose: {ending.name}")
                    return None
                for found in here:
                    row, lasting = on_purpose(found), replace(found, verb="")
                    if row is not None:
                        note.append(f"on purpose: {row.name}")
                        explained.add(lasting)
                    elif found.label == "state" and lasting in explained:
                        continue  # as it was after an earlier action
                    elif is_rounding(program, number, found, tolerance):
                        note.append("rounded")
                        return None
                    else:
                        return found
                refused = [side.error is not None for side in sides]
                if any(refused) and (verb in _NEEDED or not all(refused)):
                    note.append("refused")
                    return None
            note.append("done")
            return None
        finally:
            for side in sides:
                side.close()


def _refuses_early(ours: Side, theirs: Side, rest: list[str]) -> bool:
    """Whether cornu refuses to make a model that Keras cannot call, on purpose."""
    if ours.error is None or theirs.error is not None:
        return False
    for text in rest:
        theirs.run(text)
    return theirs.error is not None


def _is_half(program: Program) -> bool:
    return "float16" in "\n".join(text for _, text in stages(program))


def is_rounding(program: Program, number: int, found: Found, tolerance: float) -> bool:
    """Whether Keras differs from itself at this place once weights and data are moved by as much as rounding does."""
    size = 4e-3 if _is_half(program) else 1e-6
    shaken = (_keras_alone(program, number, (seed, size)) for seed in range(_SHAKES))
    still, verb = _keras_alone(program, number, (0, 0.0)), stages(program)[number][0]
    others = (other for side in shaken for other in _compared(verb, side, still, tolerance, values=number > 0))
    return any((other.label, other.place) == (found.label, found.place) for other in others)


def _keras_alone(program: Program, number: int, shake: tuple[int, float]) -> Side:
    """Keras after the stages up to a number, reading its own files."""
    with TemporaryDirectory() as folder, contextlib.closing(Side(keras, Path(folder), "keras", shake)) as side:
        for _, text in stages(program)[: number + 1]:
            side.run(text)
    return side


def _compared(verb: str, ours: Side, theirs: Side, tolerance: float, values: bool) -> Iterator[Found]:
    """All that differs after an action."""
    if (ours.error is None) != (theirs.error is None):
        yield Found(verb, "error", "", _said(ours.error), _said(theirs.error), ours.trace or theirs.trace)
        return
    if verb == "make" and ours.error is not None:
        return
    labels = [[label for label, _ in side.seen] for side in (ours, theirs)]
    if labels[0] != labels[1]:
        early = ours.error is not None and labels[0] == labels[1][: len(labels[0])]  # and theirs too, or see above
        yield Found(verb, "order", ".refused early" if early else "", *map(str, labels))
    else:
        for (label, a), (_, b) in zip(ours.seen, theirs.seen, strict=True):
            for found in differences(a, b, tolerance):
                yield Found(verb, label, *found)
    if "model" in ours.names and "model" in theirs.names:
        try:
            kept = theirs.state(values)
        except (RuntimeError, TypeError) as error:  # deleted, or put away for the time of a step
            yield Found(verb, "state", ".lost", "", _said(error))
            return
        for found in differences(ours.state(values), kept, tolerance):
            yield Found(verb, "state", *found)


def _said(error: Exception | None) -> str:
    return "" if error is None else f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"


def quick() -> None:
    """Compile quickly: what is compiled runs once or twice. To be called before JAX computes anything."""
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {_FLAGS}"
    jax.config.update("jax_disable_most_optimizations", True)
    lower_quickly()
    logging.getLogger("absl").setLevel(logging.CRITICAL)
    gc.collect()
    gc.freeze()  # what is imported is looked through no more
    gc.set_threshold(200_000)  # a quarter of all time went into collecting
    np.seterr(all="ignore")
    _FOR_GOOD.enter_context(on_numpy())
