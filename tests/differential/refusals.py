"""Wrong arguments given to every layer, loss, metric, optimizer, initializer, regularizer, constraint and op, on both.

A probe takes one good call and changes one argument of it to something that does not belong there: text, None, a
negative number, a number that is not one, a list of the wrong length, an object. Two things are found:

- accepted: Keras refuses, cornu goes on, and gives something;
- raw: cornu refuses, but not in words of its own: the error comes out of JAX, NumPy or Python itself.

Where an error was raised is seen from its traceback: words of its own are a `raise` in a file of cornu.
"""

import argparse
import dis
import importlib
import inspect
import os
import random
import signal
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

import cornu
from cornu import registry, tree
from cornu.core import tracebacks
from tests.contracts import examples
from tests.contracts.test_object_contract import ARGUMENTS, classes
from tests.differential.edges import CALLS
from tests.differential.refusals_on_purpose import reason
from tests.parity.test_ops import TABLE, is_array, pick

_SECONDS = 20  # that one call may take
_FOLDER = os.path.dirname(cornu.__file__) + os.sep


class Thing:
    """Something that no argument is."""

    def __repr__(self) -> str:
        return "Thing()"


WRONG = {
    "text": "nonsense", "none": None, "negative": -1, "zero": 0, "fraction": 0.5, "large": 99, "nan": float("nan"),
    "many": [1, 2, 3, 4, 5, 6, 7], "empty": [], "pair": (2, -3), "dictionary": {"a": 1}, "object": Thing(), "yes": True,
    "class": Thing,
}  # fmt: skip
WRONG_TENSORS = {
    "text": "nonsense", "texts": np.array(["a", "b"]), "none": None, "empty": [], "ragged": [[1.0, 2.0], [3.0]],
    "dictionary": {"a": 1}, "object": Thing(), "class": Thing, "row": np.ones((1, 7), "float32"),
    "number": np.float32(2), "deep": np.ones((1, 2, 1, 2, 1, 2, 1), "float32"), "pairs": [np.ones(2), np.ones((3, 3))],
    "complex": np.ones((2, 3), "complex64"), "nothing": np.zeros((0, 3), "float32"), "vector": np.ones(5, "float32"),
}  # fmt: skip


class Probe(NamedTuple):
    """One call with a wrong argument: in which namespace, of what, which argument, how it is wrong, and the call."""

    space: str
    name: str
    argument: str
    wrong: str
    run: Callable[[Any], Any]  # package -> what comes of it

    def __str__(self) -> str:
        return f"{self.space}.{self.name}({self.argument}={self.wrong})"


class Outcome(NamedTuple):
    """What came of a probe: outputs, or an error and whether a `raise` of the package itself says it."""

    outputs: Any = None
    error: str = ""
    message: str = ""
    own: bool = True
    place: str = ""


class Found(NamedTuple):
    """A disagreement."""

    probe: Probe
    what: str
    ours: Outcome
    theirs: Outcome


# ---------------------------------------------------------------- what is asked


def _arguments(cls: type) -> list[str]:
    return [
        name for name, p in inspect.signature(cls.__init__).parameters.items()
        if name not in ("self", "name", "dtype") and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ]  # fmt: skip


def _changed(space: str, name: str, good: dict, bad: dict, use: Callable) -> Callable:
    def run(package: Any) -> Any:
        arguments = {key: _of(package, value) for key, value in good.items()} | bad
        return use(getattr(pick(package, space), name)(**arguments), package)

    return run


def _of(package: Any, value: Any) -> Any:
    """The package's own object for a config of one."""
    if isinstance(value, dict) and "class_name" in value:
        return package.saving.deserialize_keras_object(value)
    if isinstance(value, list):
        return [_of(package, one) for one in value]
    return value


def _good(obj: Any) -> dict:
    """The constructor's arguments that are not at their defaults."""
    parameters = inspect.signature(type(obj).__init__).parameters
    config = cornu.saving.serialize_keras_object(obj)["config"]
    return {k: v for k, v in config.items() if k in parameters and k != "name" and v != parameters[k].default}


def _of_class(space: str, obj: Any, use: Callable) -> Iterator[Probe]:
    name = registry.in_files(type(obj)).name
    good = _good(obj)
    for argument in _arguments(type(obj)):
        for wrong, value in WRONG.items():
            yield Probe(space, name, argument, wrong, _changed(space, name, good, {argument: value}, use))


def _inputs(shapes: Any) -> Any:
    numbers = np.random.default_rng(0)
    if shapes == examples.IDS:
        return numbers.integers(0, 5, (2, 4))
    draw = lambda shape: numbers.normal(size=(2, *shape)).astype("float32")
    return [draw(shape) for shape in shapes] if isinstance(shapes, list) else draw(shapes)


def _layers() -> Iterator[Probe]:
    for name, example in examples.EXAMPLES.items():
        if example is None or name == "Layer":
            continue
        make, shapes = example
        x = _inputs(shapes)
        apart = name in ("MultiHeadAttention", "GroupQueryAttention")

        def use(layer: Any, package: Any, x: Any = x, apart: bool = apart) -> Any:
            return layer(*x) if apart else layer(x)

        yield from _of_class("layers", make(), use)
        good = _good(make())
        for wrong, value in WRONG_TENSORS.items():

            def wrongly(layer: Any, package: Any, value: Any = value, x: Any = x, apart: bool = apart) -> Any:
                if isinstance(x, list):
                    return layer(x[0], value) if apart else layer([x[0], value])
                return layer(value)

            yield Probe("layers", name, "call", wrong, _changed("layers", name, good, {}, wrongly))
            if "mask" in inspect.signature(type(make()).call).parameters:

                def masked(layer: Any, package: Any, value: Any = value, x: Any = x) -> Any:
                    return layer(x, mask=value)

                yield Probe("layers", name, "mask", wrong, _changed("layers", name, good, {}, masked))


_TRUE, _SAID = np.array([[0, 1, 0], [1, 0, 0]], "float32"), np.array([[0.2, 0.7, 0.1], [0.5, 0.2, 0.3]], "float32")
_NUMBERS = np.array([1, 0], "int32")


def _labels(name: str) -> np.ndarray:
    return _NUMBERS if name.startswith("Sparse") else _TRUE


def _values(name: str) -> tuple:
    return (_SAID,) if name in ("Mean", "Sum") else (_labels(name), _SAID)


def _step(optimizer: Any, package: Any) -> Any:
    variable = package.Variable(np.array([1.0, 2.0], "float32"))
    optimizer.build([variable])
    for _ in range(2):
        optimizer.apply([package.ops.convert_to_tensor(np.array([0.5, -1.0], "float32"))])
    return variable.numpy()


def _objects() -> Iterator[Probe]:
    x = np.linspace(-1, 1, 6, dtype="float32").reshape(2, 3)
    used = {
        "losses": lambda name: lambda loss, p: loss(_labels(name), _SAID),
        "metrics": lambda name: lambda metric, p: metric(*_values(name)),
        "optimizers": lambda name: _step,
        "optimizers.schedules": lambda name: lambda schedule, p: schedule(3),
        "initializers": lambda name: lambda start, p: start((3, 3)),
        "regularizers": lambda name: lambda regularizer, p: regularizer(x),
        "constraints": lambda name: lambda constraint, p: constraint(x),
    }  # fmt: skip
    for space, use in used.items():
        for cls in classes(space):
            if cls.__name__ in ("CTC", "MultiOptimizer", "LossScaleOptimizer", "MeanMetricWrapper"):
                continue
            made = cls(**ARGUMENTS.get(cls.__name__, {}))
            yield from _of_class(space, made, use(cls.__name__))
            yield from _of_calls(space, cls.__name__, _good(made))


def _of_calls(space: str, name: str, good: dict) -> Iterator[Probe]:
    """Good objects, wrongly called."""
    wrongs = WRONG if space in ("initializers", "optimizers.schedules") else WRONG_TENSORS
    for wrong, value in wrongs.items():
        if space in ("losses", "metrics"):
            calls = {
                "y_true": lambda o, p, v=value: o(v, _SAID), "y_pred": lambda o, p, v=value: o(_labels(name), v),
                "sample_weight": lambda o, p, v=value: o(_labels(name), _SAID, sample_weight=v),
            }  # fmt: skip
            if name in ("Mean", "Sum"):
                calls = {"values": lambda o, p, v=value: o(v)}
        elif space == "optimizers":
            calls = {"gradient": lambda o, p, v=value: _apply(o, p, v)}
        elif space == "initializers":
            calls = {
                "shape": lambda o, p, v=value: o(v), "dtype": lambda o, p, v=value: o((2, 2), dtype=v),
            }  # fmt: skip
        else:
            calls = {"call": lambda o, p, v=value: o(v)}
        for argument, use in calls.items():
            yield Probe(space, name, argument, wrong, _changed(space, name, good, {}, use))


def _apply(optimizer: Any, package: Any, gradient: Any) -> Any:
    variable = package.Variable(np.array([1.0, 2.0], "float32"))
    optimizer.apply([gradient], [variable])
    return variable.numpy()


def _functions() -> Iterator[Probe]:
    for name, calls in CALLS.items():
        call = calls[0]
        function = pick(cornu.ops if name in TABLE else cornu, name)
        parameters = [
            p.name for p in inspect.signature(function).parameters.values() if p.kind is not p.VAR_KEYWORD
        ]  # fmt: skip
        given = dict(zip(parameters, call.args, strict=False)) if len(parameters) >= len(call.args) else {}
        for argument in parameters:
            tensor = is_array(given.get(argument, call.kwargs.get(argument)))
            for wrong, value in (WRONG_TENSORS if tensor else WRONG).items():

                def run(package: Any, argument: str = argument, value: Any = value, name: str = name) -> Any:
                    call = CALLS[name][0]
                    args = list(call.args)
                    kwargs = dict(call.kwargs)
                    place = parameters_of(name).index(argument)
                    if place < len(args):
                        args[place] = value
                    else:
                        kwargs[argument] = value
                    return pick(package.ops if name in TABLE else package, name)(*args, **kwargs)

                yield Probe("ops" if name in TABLE else "", name, argument, wrong, run)


def parameters_of(name: str) -> list[str]:
    """The parameters of a function."""
    return list(inspect.signature(pick(cornu.ops if name in TABLE else cornu, name)).parameters)


def probes() -> Iterator[Probe]:
    """Every probe."""
    yield from _layers()
    yield from _objects()
    yield from _functions()


# ---------------------------------------------------------------- what comes


def outcome(package: Any, probe: Probe) -> Outcome:
    """What a package makes of a probe."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            outputs = probe.run(package)
            flat = [np.asarray(getattr(x, "value", x)) for x in tree.flatten(outputs) if x is not None]
            return Outcome([(x.shape, str(x.dtype), x.ravel()[:4].tolist()) for x in flat])
        except Exception as error:
            message = str(error).strip().replace("\n", " ")[:240]
            return Outcome(error=type(error).__name__, message=message, own=_is_own(error), place=_place(error))


def _is_own(error: Exception) -> bool:
    """Whether words of cornu's own say what is wrong."""
    if getattr(error, "_cornu_explained", False) or "Received: " in str(error):
        return True
    *_, step = tracebacks._steps(error.__traceback__)
    code = step.tb_frame.f_code
    opcode = dis.opname[code.co_code[step.tb_lasti]]
    return code.co_filename.startswith(_FOLDER) and opcode in ("RAISE_VARARGS", "RERAISE")


def _place(error: Exception) -> str:
    """The last line of cornu's own that the error came through."""
    lines = ((step.tb_frame.f_code.co_filename, step.tb_lineno) for step in tracebacks._steps(error.__traceback__))
    own = [f"{file.removeprefix(_FOLDER)}:{line}" for file, line in lines if file.startswith(_FOLDER)]
    return own[-1] if own else ""


def of_keras(probe: Probe) -> Outcome:
    """What the installed Keras makes of a probe."""
    return outcome(importlib.import_module("keras"), probe)


def compare(probe: Probe, asked: Callable[[Probe], Outcome] = of_keras) -> Found | None:
    """What is wrong with cornu's answer, if anything; `asked` tells what Keras makes of a probe."""
    ours = outcome(cornu, probe)
    if ours.error and ours.own:
        return None
    theirs = asked(probe)
    what = "raw" if ours.error else "accepted" if theirs.error not in ("", "TimeoutError") else ""
    found = Found(probe, what, ours, theirs) if what else None
    return None if found is None or reason(found) else found


# ---------------------------------------------------------------- the command


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--only", help="a part of the names of probes, such as layers.Dense(")
    parser.add_argument("--count", type=int, help="how many probes are drawn of all (all)")
    parser.add_argument("--seed", type=int, default=0, help="another seed draws others (0)")


def main(options: argparse.Namespace) -> int:
    """Go through the probes, and say what was found."""
    cornu.config.disable_traceback_filtering()
    importlib.import_module("keras").config.disable_traceback_filtering()
    signal.signal(signal.SIGALRM, _late)
    chosen = [probe for probe in probes() if options.only is None or options.only in str(probe)]
    if options.count is not None:
        chosen = random.Random(options.seed).sample(chosen, min(options.count, len(chosen)))
    kinds, began = Counter(), time.monotonic()
    for probe in chosen:
        signal.alarm(_SECONDS)
        found = compare(probe)
        signal.alarm(0)
        if found is None:
            continue
        kinds[found.what] += 1
        print(f"{probe}: {found.what} {found.ours.place}")
        print(f"    cornu {_told(found.ours)}\n    Keras {_told(found.theirs)}", flush=True)
    print(f"{len(chosen)} probes in {time.monotonic() - began:.0f} s: {dict(kinds)}")
    return 1 if kinds else 0


def _late(*_: Any) -> None:
    raise TimeoutError(f"over {_SECONDS} s")


def _told(outcome: Outcome) -> str:
    return f"{outcome.error}: {outcome.message}" if outcome.error else str(outcome.outputs)[:200]
