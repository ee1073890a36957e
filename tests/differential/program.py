"""A program as data, and the Python text of it.

A program is a model (`Net`) and a script of actions (`Do`). Both libraries run the same text, in which `K` is either of
them: there is one meaning, that of the public API. What `see` is given is compared; `prelude` says what the names are.
"""

import textwrap
from dataclasses import dataclass, field
from typing import Any

from tests.differential.own import OWN


@dataclass(frozen=True)
class New:
    """A call of a public name or a class of `OWN`: `New("layers.Dense", {"units": 3})` is `K.layers.Dense(units=3)`."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        given = (f"{key}={value!r}" if key.isidentifier() else repr(value) for key, value in self.arguments.items())
        return f"{'' if self.name in OWN else 'K.'}{self.name}({', '.join(given)})"


@dataclass(frozen=True)
class Word:
    """A piece of text that stands in the program as it is."""

    text: str

    def __repr__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Given:
    """An input: its name, the shape of a sample as declared, the shape as given, and what it holds."""

    name: str
    declared: tuple[int | None, ...]
    shape: tuple[int, ...]
    dtype: str = "float32"

    def array(self) -> str:
        """Text of an array of `rows` such samples, in which sizes that are not declared are `more` larger."""
        kind = {"bool": "truths", "float32": "numbers", "int32": "ids"}[self.dtype]
        sizes = (f"{n} + more" if d is None else str(n) for n, d in zip(self.shape, self.declared, strict=True))
        return f"{kind}(seed, {', '.join(['rows', *sizes])})"


@dataclass(frozen=True)
class Step:
    """A call in a model: `result = how`, in which {f} is the layer and {0}, {1} are the tensors it takes."""

    result: str
    layer: str | None
    takes: tuple[str, ...]
    how: str = "{f}({0})"


@dataclass(frozen=True)
class Net:
    """A model: inputs, layers (which may be models), calls, outputs, and the form in which all that is written."""

    name: str
    form: str  # sequential, functional or subclassed
    inputs: tuple[Given, ...]
    layers: dict[str, "New | Net"]
    steps: tuple[Step, ...]
    outputs: tuple[str, ...]
    takes: str = "single"  # form of the inputs: single, list, tuple or dict
    gives: str = "single"  # form of the outputs
    holds: str = "attributes"  # how a class keeps its layers: attributes, list, dict or nested
    late: bool = False  # a Sequential that is told no input
    options: dict[str, Any] = field(default_factory=dict)  # of the constructor
    after: tuple[str, ...] = ()  # lines once it is made, in which {me} is the model

    def text(self) -> str:
        """Functions and classes that make the model, the inner ones first."""
        inner = [layer.text() for layer in self.layers.values() if isinstance(layer, Net)]
        body = {"sequential": _sequential, "functional": _functional, "subclassed": _subclassed}[self.form](self)
        return "\n".join([*inner, body])

    def call(self) -> str:
        """Text that makes the model."""
        return f"make_{self.name}()"

    def classes(self) -> list[str]:
        """Names of the classes that a file of the model needs."""
        inner = [name for layer in self.layers.values() if isinstance(layer, Net) for name in layer.classes()]
        own = [layer.name for layer in self.layers.values() if layer.name in OWN]
        return [*inner, *own, *([self.name.capitalize()] if self.form == "subclassed" else [])]


def structure(form: str, names: tuple[str, ...], values: tuple[str, ...] | None = None) -> str:
    """Text of a structure of named values."""
    values = names if values is None else values
    if form == "dict":
        return "{" + ", ".join(f"{n!r}: {v}" for n, v in zip(names, values, strict=True)) + "}"
    if form == "list":
        return f"[{', '.join(values)}]"
    if form == "tuple":
        return f"({', '.join(values)},)"
    return values[0]


def _made(layer: New | Net) -> str:
    return layer.call() if isinstance(layer, Net) else repr(layer)


def _function(net: Net, lines: list[str]) -> str:
    lines = [*lines, *(line.format(me="model") for line in net.after), "return model"]
    return f"def make_{net.name}():\n" + textwrap.indent("\n".join(lines), "    ")


def _options(net: Net) -> str:
    return "".join(f", {key}={value!r}" for key, value in net.options.items())


def _sequential(net: Net) -> str:
    given = net.inputs[0]
    first = [] if net.late else [f"K.Input({given.declared}, dtype={given.dtype!r}, name={given.name!r})"]
    parts = ", ".join([*first, *(_made(net.layers[step.layer]) for step in net.steps)])
    return _function(net, [f"model = K.Sequential([{parts}]{_options(net)})"])


def _functional(net: Net) -> str:
    lines = [f"{i.name} = K.Input({i.declared}, dtype={i.dtype!r}, name={i.name!r})" for i in net.inputs]
    lines += [f"{name} = {_made(layer)}" for name, layer in net.layers.items()]
    lines += [f"{s.result} = {s.how.format(*s.takes, f=s.layer)}" for s in net.steps]
    takes = structure(net.takes, tuple(i.name for i in net.inputs))
    lines.append(f"model = K.Model({takes}, {structure(net.gives, net.outputs)}{_options(net)})")
    return _function(net, lines)


def _subclassed(net: Net) -> str:
    places, holders = _holders(net)
    start = ["super().__init__(**kwargs)", *holders]
    names = tuple(i.name for i in net.inputs)
    if net.takes == "dict":
        call = [f"{name} = inputs[{name!r}]" for name in names]
    else:
        call = [f"{names[0]} = inputs" if net.takes == "single" else f"{', '.join(names)}, = inputs"]
    call += [f"{s.result} = {s.how.format(*s.takes, f=places.get(s.layer))}" for s in net.steps]
    call.append(f"return {structure(net.gives, net.outputs)}")
    name = net.name.capitalize()
    body = ["def __init__(self, **kwargs):", *(f"    {line}" for line in start)]
    body += ["def call(self, inputs):", *(f"    {line}" for line in call)]
    text = f"class {name}(K.Model):\n" + textwrap.indent("\n".join(body), "    ")
    return text + "\n" + _function(net, [f"model = {name}({_options(net)[2:]})"])


def _holders(net: Net) -> tuple[dict[str, str], list[str]]:
    """Where a class finds each layer, and the lines that put them there."""
    names = list(net.layers)
    made = [_made(layer) for layer in net.layers.values()]
    if net.holds == "attributes" or not names:
        return {n: f"self.{n}" for n in names}, [f"self.{n} = {m}" for n, m in zip(names, made, strict=True)]
    if net.holds == "list":
        return {n: f"self.parts[{i}]" for i, n in enumerate(names)}, [f"self.parts = [{', '.join(made)}]"]
    if net.holds == "dict":
        held = structure("dict", tuple(names), tuple(made))
        return {n: f"self.parts[{n!r}]" for n in names}, [f"self.parts = {held}"]
    half = len(names) // 2
    places = {n: f"self.parts[0][{i}]" for i, n in enumerate(names[:half])}
    places |= {n: f"self.parts[1]['rest'][{i}]" for i, n in enumerate(names[half:])}
    return places, [f"self.parts = [[{', '.join(made[:half])}], {{'rest': [{', '.join(made[half:])}]}}]"]


@dataclass(frozen=True)
class Do:
    """An action: a verb of `actions` and its arguments."""

    verb: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Program:
    """A model, what its labels are (text for each output), actions, and the dtype policy of the whole."""

    net: Net
    labels: tuple[str, ...]
    actions: tuple[Do, ...]
    policy: str = "float32"

    def opening(self) -> str:
        """Text that makes the model and the functions that make data."""
        given = structure(
            self.net.takes, tuple(i.name for i in self.net.inputs), tuple(i.array() for i in self.net.inputs)
        )
        wanted = structure(self.net.gives, self.net.outputs, self.labels)
        classes = dict.fromkeys(self.net.classes())
        return "\n".join([
            *([f"K.config.set_dtype_policy({self.policy!r})"] if self.policy != "float32" else []),
            *(OWN[name] for name in classes if name in OWN),
            self.net.text(),
            f"classes = [{', '.join(classes)}]",
            f"def inputs(rows, seed=1, more=0):\n    return {given}",
            f"def labels(rows, seed=2):\n    return {wanted}",
            f"model = {self.net.call()}",
        ])  # fmt: skip
