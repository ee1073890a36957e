"""Benchmark cornu on this machine: a step of `fit` for four small networks, and `predict` of one row.

The rows are those of the table in `docs/speed.md`, which also lists Keras and PyTorch on another machine. A comparison
on your own machine needs environments with these libraries, and is in the repository:
`python -m benchmarks`.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import jax
import numpy as np
from rich.console import Console
from rich.table import Table

import cornu
from cornu import native
from cornu.cli.bench import networks
from cornu.kernels import platform as kernels, xla

_LEAST_ROUNDS = 3
_SPARSE = "sparse_categorical_crossentropy"


class Case(NamedTuple):
    """`run(n)` does `n` steps; `steps` of them form a round."""

    title: str
    run: Callable[[int], object]
    steps: int


class Figures(NamedTuple):
    """The measurements of one workload."""

    title: str
    first: float  # seconds until the first step was done, compilation included
    times: list[float]  # milliseconds per step, for each round

    def to_dict(self) -> dict[str, str | float | list[float]]:
        """The figures by name, including the best and the median of the rounds."""
        return {"best": min(self.times), "median": statistics.median(self.times), **self._asdict()}


def mlp() -> Case:
    """784-512-dropout-10."""
    return _fit("MLP 784-512-10", networks.mlp(cornu), _images(784, rows=32 * 400), batch=32)


def cnn() -> Case:
    """Two convolutions with pooling on 28×28."""
    return _fit("CNN 28×28", networks.cnn(cornu), _images(28, 28, 1, rows=128 * 40), batch=128)


def lstm() -> Case:
    """An embedding and LSTM(64)."""
    return _fit(
        "LSTM(64), 100 steps", networks.lstm(cornu), _sentences(100, rows=32 * 50), batch=32, loss="binary_crossentropy"
    )


def transformer() -> Case:
    """Two encoder blocks over 128 words, width 128."""
    words = _sentences(128, rows=32 * 10)
    return _fit("Transformer, 2 blocks, 128 × 128", networks.transformer(cornu), words, batch=32)


def predict_one() -> Case:
    """`predict` of one row, NumPy in and out."""
    model = networks.mlp(cornu)
    row = np.zeros((1, 784), np.float32)
    return Case("MLP: predict of one row", lambda n: [model.predict(row, verbose=0) for _ in range(n)], 300)


WORK = {make.__name__: make for make in (mlp, cnn, lstm, transformer, predict_one)}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `cornu bench`."""
    parser.epilog = "For a comparison with Keras and PyTorch: python -m benchmarks, in cornu's repository."
    parser.add_argument("--work", action="append", choices=sorted(WORK), help="what to benchmark (all)")
    parser.add_argument("--list", action="store_true", help="list the workloads and what computes them here, and stop")
    parser.add_argument("--seconds", type=float, default=5.0, help="duration of the rounds of each workload (5)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")


def run(options: argparse.Namespace) -> int:
    """Benchmark the selected workloads and print the figures."""
    if options.list:
        print("\n".join(listed()))
        return 0
    figures = {name: timed(WORK[name], options.seconds) for name in options.work or WORK}
    if options.json:
        results = {name: figure.to_dict() for name, figure in figures.items()}
        print(json.dumps({"about": about(), "results": results}, indent=1))
    else:
        Console(highlight=False).print(table(figures.values()))
    return 0


def listed() -> Iterator[str]:
    """A line for each workload, then one for each kernel with a form of its own for some platforms."""
    for name, make in WORK.items():
        yield f"{name:20} {make.__doc__}"
    compiled = {"native": native.instructions(), "onednn": xla.has_onednn() or None}
    yield f"\nKernels on {kernels.name()}:"
    for name in kernels.FAST_ON:
        here = compiled.get(name, "fast") if kernels.fast(name) else None
        yield f"{name:20} {here or 'plain'}"


def timed(make: Callable[[], Case], seconds: float) -> Figures:
    """Rounds for this many seconds, at least a few, after one round that compiles everything."""
    cornu.utils.set_random_seed(0)
    case = make()
    first = _seconds(case, 1)
    case.run(case.steps)
    return Figures(case.title, first, [taken / case.steps * 1e3 for taken in _rounds(case, seconds)])


def about() -> dict[str, str | int | None]:
    """The machine and the versions."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    device = jax.devices()[0].device_kind
    versions = {"cornu": cornu.__version__, "jax": jax.__version__, "python": platform.python_version()}
    return {"system": platform.platform(), "device": device, "cores": cores, **versions}


def table(figures: Iterable[Figures]) -> Table:
    """A row for each workload."""
    here = about()
    title = f"{here['device']}, {here['cores']} cores; cornu {here['cornu']}, JAX {here['jax']}"
    drawn = Table("work", title=title)
    for column in ("ms, best", "ms, median", "first step, s"):
        drawn.add_column(column, justify="right")
    for figure in figures:
        best, median = min(figure.times), statistics.median(figure.times)
        drawn.add_row(figure.title, f"{best:.3g}", f"{median:.3g}", f"{figure.first:.2f}")
    return drawn


def _images(*shape: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.random((rows, *shape), np.float32), random.integers(0, 10, rows)


def _sentences(length: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.integers(1, networks.WORDS, (rows, length)), random.integers(0, 2, rows)


def _fit(title: str, model: cornu.Model, data: tuple[np.ndarray, np.ndarray], batch: int, loss: str = _SPARSE) -> Case:
    x, y = data
    model.compile("adam", loss, metrics=["accuracy"])

    def fit(n: int) -> None:
        model.fit(x[: n * batch], y[: n * batch], batch_size=batch, verbose=0)

    return Case(f"{title}, batch {batch}: step of fit", fit, len(x) // batch)


def _rounds(case: Case, seconds: float) -> Iterator[float]:
    """The duration of each round in seconds."""
    end = time.monotonic() + seconds
    number = 0
    while number < _LEAST_ROUNDS or time.monotonic() < end:
        yield _seconds(case, case.steps)
        number += 1


def _seconds(case: Case, steps: int) -> float:
    began = time.perf_counter()
    case.run(steps)
    return time.perf_counter() - began
