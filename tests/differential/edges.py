"""Every operation on Keras and on cornu at the edges of its arguments: types, shapes, axes and values.

A probe takes one call of the table that the parity tests have, and changes its arrays: another dtype each (Python
numbers among them), no elements, one element, numbers at the ends of the range. What comes of it is seen in three ways:

- traced: shapes and dtypes that real arrays would give, found without computing;
- symbolic: what symbolic tensors give, with and without an unknown first size;
- computed: the values.

Where Keras gives an answer, cornu must give the same one, or stand in the table of differences; where Keras's symbolic
answer is not what it computes, what it computes counts. Where Keras refuses,
cornu may answer, but never with an error of another kind.
"""

import argparse
import importlib
import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from inspect import isfunction
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import cornu
from cornu.core.dtypes import as_computed
from tests.differential.edges_on_purpose import reason
from tests.parity.test_ops import TABLE, Call, P, X, is_array, leaves, pick

DTYPES = (
    "bool", "uint8", "uint16", "uint32", "int8", "int16", "int32", "float16", "bfloat16", "float32",
)  # fmt: skip
WIDE = ("int64", "float64", "uint64")  # of symbolic tensors alone: JAX narrows arrays
NUMBERS = (2, 2.5, True)
EXTREMES = (np.nan, np.inf, -np.inf, -0.0, 0.5, -0.5, 1.5, 2.5, 1e-45, 3e38, -3e38, 65504.0, 1e-8)
# Symbolic tensors of 64 bits: Keras says 64, and computes in the 32 that cornu says.
_NARROW = {"int64": "int32", "float64": "float32", "uint64": "uint32", "complex128": "complex64"}
# What depends on chance, gives no tensors, or takes functions.
LEFT_OUT = {
    "associative_scan", "cond", "convert_to_numpy", "custom_gradient", "dtype", "empty", "empty_like", "fori_loop",
    "image.elastic_transform", "image.gaussian_blur", "is_tensor", "jvp", "map", "ndim", "scan", "shape", "size",
    "switch", "vectorize", "vectorized_map", "while_loop",
}  # fmt: skip


def _functions(space: str, *args: Any, but: tuple[str, ...] = ()) -> dict[str, list[Call]]:
    """The functions of tensors of another namespace, each with one call."""
    functions = [n for n in getattr(cornu, space).__all__ if isfunction(getattr(getattr(cornu, space), n))]
    return {f"{space}.{n}": [Call(*args)] for n in functions if n not in {"deserialize", "get", "serialize", *but}}


_SPARSE = ("sparse_categorical_accuracy", "sparse_categorical_crossentropy", "sparse_top_k_categorical_accuracy")
_OTHER_LOSSES = (*_SPARSE, "circle", "ctc", "categorical_generalized_cross_entropy")
CALLS = {
    **{n: calls for n, calls in TABLE.items() if n not in LEFT_OUT and calls},
    **_functions("activations", X, but=("glu", "threshold")),
    **_functions("losses", P, P / (P + 1), but=_OTHER_LOSSES),
    **_functions("metrics", P, P / (P + 1), but=_SPARSE),
    **{f"metrics.{n}": [Call(np.array([0, 2], "int32"), P)] for n in _SPARSE},
    "regularizers.L1": [Call(X, l1=0.1)],
    "regularizers.L2": [Call(X, l2=0.1)],
    "regularizers.L1L2": [Call(X, l1=0.1, l2=0.2)],
    "regularizers.OrthogonalRegularizer": [Call(X), Call(X, mode="columns")],
    "constraints.MaxNorm": [Call(X), Call(X, max_value=0.5, axis=1)],
    "constraints.MinMaxNorm": [Call(X), Call(X, min_value=0.5, max_value=0.7, rate=0.3)],
    "constraints.NonNeg": [Call(X)],
    "constraints.UnitNorm": [Call(X), Call(X, axis=[0, 1])],
    "random.categorical": [Call(X, 3, seed=1)],
    "random.dropout": [Call(X, 0.3, seed=1), Call(X, 0.3, noise_shape=(2, 1), seed=1)],
    "random.shuffle": [Call(X, seed=1), Call(X, axis=1, seed=1)],
}
# What is made from a shape and a dtype: of it types and shapes are compared, and values where chance has no part.
MADE = {
    "initializers.Zeros": [{}],
    "initializers.Ones": [{}],
    "initializers.Constant": [{"value": 2.5}, {"value": 3}, {"value": True}],
    "initializers.Identity": [{}, {"gain": 2}],
    "initializers.STFT": [{}, {"side": "imag", "window": "hamming", "scaling": "density"}],
    **{
        f"initializers.{name}": [{"seed": 1}]
        for name in (
            "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "LecunNormal", "LecunUniform", "Orthogonal",
            "RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling",
        )
    },
    "random.uniform": [{"seed": 1}, {"minval": -2, "maxval": 3, "seed": 1}],
    "random.normal": [{"seed": 1}, {"mean": 2, "stddev": 0.5, "seed": 1}],
    "random.truncated_normal": [{"seed": 1}],
    "random.randint": [{"minval": -2, "maxval": 5, "seed": 1}],
    "random.beta": [{"alpha": 2.0, "beta": 1.5, "seed": 1}],
    "random.gamma": [{"alpha": 2, "seed": 1}],
    "random.binomial": [{"counts": 4, "probabilities": 0.5, "seed": 1}],
}  # fmt: skip
SHAPES = ((), (0,), (3,), (2, 3), (3, 3), (2, 0), [2, 3], (2, 3, 4), (1, 2, 3, 4), (5, 1, 6))
_STEADY = ("initializers.Zeros", "initializers.Ones", "initializers.Constant", "initializers.Identity")


class Probe(NamedTuple):
    """One call: an op, and the arguments with `Slot`s in the place of arrays."""

    name: str
    arguments: tuple[list, dict]
    values: tuple  # for each slot an array, or a Python number
    way: str  # "traced", "symbolic" or "computed"
    unknown: bool = False  # whether symbolic tensors leave their first size open

    def __str__(self) -> str:
        values = [x if x.__class__ is not np.ndarray else self._spelled(x) for x in self.values]
        return f"{self.name}({_spelled(self.arguments, values)}) {self.way}{' (None, ...)' * self.unknown}"

    def _spelled(self, x: np.ndarray) -> str:
        return str(x.tolist()) if self.way == "computed" else f"{x.dtype}{list(x.shape)}"


class Slot(int):
    """The place of a changed argument."""


class Outcome(NamedTuple):
    """What came of a probe: outputs, or an error."""

    outputs: tuple = ()
    error: str = ""
    message: str = ""


class Found(NamedTuple):
    """A disagreement."""

    probe: Probe
    what: str
    ours: Outcome
    theirs: Outcome


def _spelled(arguments: tuple, values: list) -> str:
    def spell(x: Any) -> str:
        if not isinstance(x, Slot):
            return repr(x) if not callable(x) else x.__name__
        return str(values[x])

    args, kwargs = jax.tree.map(spell, arguments, is_leaf=lambda x: x is None)
    return ", ".join([*map(str, args), *(f"{k}={v}" for k, v in kwargs.items())]).replace("'", "")


def slots(call: Call) -> tuple[tuple[list, dict], list]:
    """The call's arguments with slots in them, and the arrays that were there."""
    found: list = []

    def place(x: Any) -> Any:
        if not is_array(x):
            return x
        found.append(np.asarray(x))
        return Slot(len(found) - 1)

    return jax.tree.map(place, (list(call.args), dict(call.kwargs)), is_leaf=lambda x: x is None), found


# ---------------------------------------------------------------- what is asked


def probes(name: str) -> Iterator[Probe]:
    """All probes of types and shapes of an op."""
    for kwargs, shape, dtype in itertools.product(MADE.get(name, ()), SHAPES, (None, *DTYPES, *WIDE, "float8", 3)):
        given = kwargs if dtype is None else {**kwargs, "dtype": dtype}
        yield Probe(name, ([shape], given), (), "computed" if name in _STEADY else "traced")
    for number, call in enumerate(CALLS.get(name, ())):
        arguments, arrays = slots(call)
        if not arrays or len(arrays) > 4:
            continue
        numbers = NUMBERS if name in TABLE else ()  # losses refuse labels that would only broadcast
        for values in _typed(arrays, numbers) if number == 0 else _resized(arrays):
            for way in ("traced", "symbolic"):
                yield Probe(name, arguments, values, way)
        if number == 0:
            for dtype in WIDE:
                yield Probe(name, arguments, tuple(_as(x, dtype) for x in arrays), "symbolic")
                yield Probe(name, arguments, (*arrays[:-1], _as(arrays[-1], dtype)), "symbolic")
        if call.symbolic:
            yield Probe(name, arguments, tuple(arrays), "symbolic", unknown=True)


def _typed(arrays: list, numbers: tuple) -> Iterator[tuple]:
    """The arrays in all pairs of types; of more than two arrays the first two vary."""
    if len(arrays) == 1:
        yield from ((_as(arrays[0], dtype),) for dtype in DTYPES)
        return
    for first, second in itertools.product(DTYPES, DTYPES):
        yield (_as(arrays[0], first), _as(arrays[1], second), *arrays[2:])
    for dtype, number in itertools.product(DTYPES, numbers):
        yield (_as(arrays[0], dtype), number, *arrays[2:])
        yield (number, _as(arrays[1], dtype), *arrays[2:])


def _resized(arrays: list) -> Iterator[tuple]:
    """The arrays with no elements, with one along each axis, and without axes."""
    yield tuple(arrays)
    yield tuple(x[:0] for x in arrays)
    yield tuple(x[..., :0] for x in arrays)
    yield tuple(x[(slice(1),) * x.ndim] for x in arrays)
    yield tuple(np.asarray(x[(0,) * x.ndim]) for x in arrays)
    yield tuple(x[None] for x in arrays)


def computed(name: str, chance: random.Random) -> Probe | None:
    """A probe of values."""
    if name not in CALLS or name.startswith("random."):
        return None
    arguments, arrays = slots(chance.choice(CALLS[name]))
    if not arrays:
        return None
    return Probe(name, arguments, tuple(_extreme(x, chance) for x in arrays), "computed")


def _extreme(x: np.ndarray, chance: random.Random) -> np.ndarray:
    """`x` with a few of its numbers at the ends of its type's range."""
    flat = x.ravel().copy()
    if x.dtype == "float32":
        for _ in range(chance.randint(1, 3)):
            flat[chance.randrange(flat.size)] = chance.choice(EXTREMES)
    elif x.dtype.kind == "f":
        flat[chance.randrange(flat.size)] = chance.choice((np.nan, np.inf, 0.5))
    return flat.reshape(x.shape)


def _as(x: np.ndarray, dtype: str) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.abs(x).astype(jnp.dtype(dtype)) if dtype != "bool" else x.astype(bool)


# ---------------------------------------------------------------- what comes


def outcome(package: Any, probe: Probe) -> Outcome:
    """What a package makes of a probe."""
    try:
        results = _WAYS[probe.way](package, probe)
    except Exception as error:
        kind = next(k for k in (ValueError, TypeError, Exception) if isinstance(error, k))
        return Outcome(error=kind.__name__, message=str(error).strip().split("\n")[0][:200])
    return Outcome(tuple(results))


def _call(package: Any, probe: Probe, values: Any) -> Any:
    args, kwargs = jax.tree.map(
        lambda x: values[x] if isinstance(x, Slot) else x, probe.arguments, is_leaf=lambda x: x is None
    )
    is_op = probe.name in TABLE
    function = pick(package.ops if is_op else package, probe.name)
    if not isinstance(function, type):
        return function(*args, **kwargs)
    settings = {name: kwargs.pop(name) for name in [*kwargs] if name != "dtype"}
    return function(**settings)(*args, **kwargs)


def _traced(package: Any, probe: Probe) -> list:
    places = [i for i, x in enumerate(probe.values) if isinstance(x, np.ndarray)]

    def run(*arrays: Any) -> Any:
        values = list(probe.values)
        for i, array in zip(places, arrays, strict=True):
            values[i] = array
        outputs = leaves(_call(package, probe, values))
        weak.append([getattr(x, "weak_type", False) for x in outputs])
        return [x for x in outputs if hasattr(x, "dtype")]

    weak: list = []
    described = [jax.ShapeDtypeStruct(x.shape, as_computed(str(x.dtype))) for x in (probe.values[i] for i in places)]
    shapes = jax.eval_shape(run, *described)
    return [(tuple(x.shape), str(x.dtype), bool(w)) for x, w in zip(shapes, weak[-1], strict=True)]


def _symbolic(package: Any, probe: Probe) -> list:
    def tensor(x: Any) -> Any:
        if not isinstance(x, np.ndarray):
            return x
        shape = (None, *x.shape[1:]) if probe.unknown and x.ndim else x.shape
        return package.KerasTensor(shape, dtype=str(x.dtype))

    outputs = leaves(_call(package, probe, [tensor(x) for x in probe.values]))
    return [(tuple(x.shape), str(x.dtype), False) for x in outputs if hasattr(x, "dtype")]


def _computed(package: Any, probe: Probe) -> list:
    return [np.asarray(x) for x in leaves(_call(package, probe, probe.values))]


_WAYS = {"traced": _traced, "symbolic": _symbolic, "computed": _computed}


# ---------------------------------------------------------------- whether they agree


def of_keras(probe: Probe) -> Outcome:
    """What the installed Keras makes of a probe."""
    return outcome(importlib.import_module("keras"), probe)


def compare(probe: Probe, asked: Callable[[Probe], Outcome] = of_keras) -> Found | None:
    """The disagreement that a probe shows, if any; `asked` tells what Keras makes of one."""
    theirs = asked(probe)
    if theirs.error == "Exception":
        return None  # Keras broke; it did not refuse
    ours = outcome(cornu, probe)
    what = _difference(probe, ours, theirs)
    if what and probe.way == "symbolic":
        computed = asked(probe._replace(way="traced", unknown=False))
        if computed.error or (not probe.unknown and computed.outputs != theirs.outputs):
            if computed.error == "Exception":
                return None
            theirs = computed  # Keras computes something else than it promises: what it computes counts
            what = _difference(probe, ours, theirs)
    found = Found(probe, what, ours, theirs) if what else None
    return None if found is None or reason(found) else found


def _difference(probe: Probe, ours: Outcome, theirs: Outcome) -> str:
    if theirs.error and any(isinstance(x, (bool, int, float)) for x in probe.values):
        return ""  # a number where an array belongs: each side stumbles where it does
    if theirs.error:
        return f"{ours.error} for {theirs.error}" if ours.error and ours.error != theirs.error else ""
    if ours.error:
        return f"refused with {ours.error}"
    if len(ours.outputs) != len(theirs.outputs):
        return "other outputs"
    if probe.way == "computed":
        return next(filter(None, map(_values, ours.outputs, theirs.outputs)), "")
    for (shape, dtype, weak), (their_shape, their_dtype, their_weak) in zip(ours.outputs, theirs.outputs, strict=True):
        if dtype not in (their_dtype, _NARROW.get(their_dtype)):
            return "dtype"
        if weak and not their_weak:
            return "weakly typed"
        if len(shape) != len(their_shape) or any(
            a != b and b is not None for a, b in zip(shape, their_shape, strict=True)
        ):
            return "shape"
    return ""


def _values(ours: np.ndarray, theirs: np.ndarray) -> str:
    if ours.dtype != theirs.dtype:
        return "dtype"
    if ours.shape != theirs.shape:
        return "shape"
    wide = "complex64" if ours.dtype.kind == "c" else "float64"
    tolerance = 3e-2 if ours.dtype.itemsize == 2 else 2e-4
    close = np.allclose(ours.astype(wide), theirs.astype(wide), rtol=tolerance, atol=tolerance, equal_nan=True)
    return "" if close else "values"


# ---------------------------------------------------------------- the command


def names(only: str | None = None) -> list[str]:
    """The ops that are asked."""
    return [n for n in (*CALLS, *MADE) if only is None or n in only.split(",")]


def drawn(seed: int, count: int) -> list[Probe]:
    """Some probes of types and shapes, each op as likely as every other."""
    chance = random.Random(seed)
    some = (list(probes(chance.choice(names()))) for _ in range(count))
    return [chance.choice(found) for found in some if found]


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--only", help="names of ops, with commas between them")
    parser.add_argument("--count", type=int, help="how many probes are drawn of all (all)")
    parser.add_argument("--values", type=int, default=0, help="how many probes of values are drawn besides (0)")
    parser.add_argument("--seed", type=int, default=0, help="another seed draws others (0)")
    parser.add_argument("--shown", type=int, default=2, help="how many disagreements of one kind are shown (2)")


def main(options: argparse.Namespace) -> int:
    """Go through the probes, and say what was found."""
    chance = random.Random(options.seed)
    asked = names(options.only)
    chosen = [probe for name in asked for probe in probes(name)]
    chosen = chosen if options.count is None else chance.sample(chosen, min(options.count, len(chosen)))
    chosen += filter(None, (computed(chance.choice(asked), chance) for _ in range(options.values)))
    kinds, began = Counter(), time.monotonic()
    for probe in chosen:
        found = compare(probe)
        if found is None:
            continue
        kind = (probe.name, probe.way, found.what)
        kinds[kind] += 1
        if kinds[kind] <= options.shown:
            print(f"{probe}: {found.what}\n    cornu {_told(found.ours)}\n    Keras {_told(found.theirs)}", flush=True)
    print(f"{len(chosen)} probes in {time.monotonic() - began:.0f} s: {sum(kinds.values())} disagreements")
    for kind, times in kinds.most_common():
        print(f"{times:5} {' '.join(kind)}")
    return 1 if kinds else 0


def _told(outcome: Outcome) -> str:
    return f"{outcome.error}: {outcome.message}" if outcome.error else ", ".join(map(str, outcome.outputs))
