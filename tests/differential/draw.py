"""Draw a program: a model whose parts fit together, and actions on it.

Shapes are asked of Keras while a model grows (`compute_output_shape`), so that most models can be built. `number` and
`seed` alone decide what is drawn.
"""

import functools
import random
import re
from dataclasses import dataclass, replace
from typing import Any

import keras

from tests.differential import tables
from tests.differential.own import OWN
from tests.differential.program import Do, Given, Net, New, Program, Step, Word

Shape = tuple[int | None, ...]
_PART = re.compile(r"\{0\}\[[^:]*\]$")  # one of the outputs of a model inside
_MODE = re.compile(r", training=(True|False)")
_LARGEST = 60  # numbers in a sample; beyond that nothing new is found


@dataclass(frozen=True)
class Tensor:
    """A tensor in a model: its name, the shape of a sample as declared and as given, whether it holds whole numbers."""

    name: str
    declared: Shape
    shape: Shape
    whole: bool = False


class Draw:
    """The choices of one program."""

    def __init__(self, seed: int, number: int):
        self._random = random.Random(f"{seed}-{number}")
        self._names = 0
        self._masked = False  # whether anything of the model so far makes a mask

    def chance(self, of: float) -> bool:
        """True in a share of the cases."""
        return self._random.random() < of

    def one(self, choices: Any) -> Any:
        """One of the choices."""
        return self._random.choice(list(choices))

    def some(self, choices: Any, least: int = 1, most: int = 3) -> list:
        """A few different ones of the choices."""
        choices = list(choices)
        return self._random.sample(choices, min(self._random.randint(least, most), len(choices)))

    def name(self, kind: str) -> str:
        """A name that no other part has."""
        self._names += 1
        return f"{kind}{self._names}"

    # ------------------------------------------------------------ models

    def program(self) -> Program:
        """A program."""
        policy = self.one(["mixed_bfloat16", "bfloat16"]) if self.chance(0.06) else "float32"
        net, ends = self.net()
        if policy == "bfloat16" and _has(net, tables.RECURRENT_LAYERS):
            policy = "mixed_bfloat16"
        if policy == "mixed_bfloat16" and _has(net, tables.LOSING_POLICY):
            policy = "float32"
        if _has(net, tables.OF_TWO_MODES) or "Counted(" in net.text():
            net = _without_modes(net)
        heads = [self._head(end, net) for end in ends]
        labels = tuple(labels for labels, *_ in heads)
        actions = Actions(self, net, heads).draw()
        return Program(net, labels, actions, policy)

    def net(self, depth: int = 0, like: list[Tensor] | None = None) -> tuple[Net, list[Tensor]]:
        """A model and what it gives. A model inside takes what the tensors `like` are."""
        form = self.one(["sequential", "functional", "functional", "functional", "subclassed"])
        inputs = self._inputs(form, like)
        tensors = [Tensor(i.name, i.declared, i.shape, i.dtype == "int32") for i in inputs if i.dtype != "bool"]
        masks = [i.name for i in inputs if i.dtype == "bool"]
        layers: dict[str, New | Net] = {}
        steps: list[Step] = []
        self._start(tensors, layers, steps)
        for _ in range(self._random.randint(1, 2 if depth else 4)):
            self._grow(form, depth, tensors, masks, layers, steps)
        if not layers:
            self._add_layer(
                "Dense", New("layers.Dense", {"units": 2}), [self._floats(tensors)[-1]], tensors, layers, steps
            )
        if not depth and self.chance(0.5):
            self._finish(form, tensors, layers, steps)
        ends = self._ends(form, tensors, inputs, steps)
        made = [steps[-1].result] if form == "sequential" else [t.name for t in ends]
        takes = self.one(["list", "list", "dict", "tuple"]) if len(inputs) > 1 else "single"
        if len(inputs) == 1 and form != "sequential" and self.chance(0.1):
            takes = self.one(["list", "dict"])
        gives = self.one(["list", "dict", "tuple"]) if len(made) > 1 else "single"
        if len(made) == 1 and form != "sequential" and not depth and self.chance(0.12):
            gives = self.one(["list", "dict"])
        name = self.name("net")
        options = {"name": self.one(["model", "mine", name])} if self.chance(0.5) else {}
        if depth and takes == "single" and gives == "single" and form == "functional" and self.chance(0.1):
            options["trainable"] = False
        net = Net(
            name, form, tuple(inputs), layers, tuple(steps), tuple(made), takes, gives,
            self.one(["attributes", "attributes", "list", "dict", "nested"]) if form == "subclassed" else "attributes",
            form == "sequential" and self.chance(0.3) and not _only_a_model(layers), options,
            tuple(self._after(depth, form, layers)),
        )  # fmt: skip
        return net, ends

    def _inputs(self, form: str, like: list[Tensor] | None) -> list[Given]:
        if like is not None:
            return [Given(self.name("x"), t.declared, t.shape, "int32" if t.whole else "float32") for t in like]
        first = [self._input(self.one([(4,), (4,), (3,), (4, 3), (4, 3), (5, 2), (3, 3, 2)]), self.chance(0.25))]
        if form == "sequential" or self.chance(0.6):
            return first
        more = [self._input(self.one([first[0].shape, (4,), (4, 3)]), self.chance(0.2))]
        if self.chance(0.4):
            more.append(Given(self.name("m"), (4,), (4,), "bool"))
        return [*first, *more]

    def _input(self, shape: tuple[int, ...], whole: bool) -> Given:
        if whole:
            shape = shape[:1]
        declared = (None, *shape[1:]) if (whole or len(shape) > 1) and self.chance(0.25) else shape
        return Given(self.name("x"), declared, shape, "int32" if whole else "float32")

    def _start(self, tensors: list[Tensor], layers: dict, steps: list[Step]) -> None:
        """Make floats of whole numbers first."""
        for tensor in [t for t in tensors if t.whole]:
            rows = [n for n, row in tables.LAYERS.items() if row.whole and len(tensor.shape) in row.axes]
            weights = [tables.LAYERS[n].weight for n in rows]
            name = self._random.choices(rows, weights)[0] if None not in tensor.declared else "Embedding"
            if not self._add_layer(name, self._layer(name), [tensor], tensors, layers, steps):
                made = New("layers.Embedding", {"input_dim": 5, "output_dim": 2})
                self._add_layer("Embedding", made, [tensor], tensors, layers, steps)

    def _layer(self, name: str) -> New:
        row = tables.LAYERS[name]
        arguments = {key: self.one(values) for key, values in row.must.items()}
        arguments |= {key: self.one(values) for key, values in row.may.items() if self.chance(0.15)}
        arguments |= {key: self.one(values) for key, values in tables.ANY.items() if self.chance(0.02)}
        if name in tables.LOSING_POLICY:
            arguments.pop("dtype", None)
        if name in tables.NOT_WHOLLY_HALF and arguments.get("dtype") == "bfloat16":
            arguments["dtype"] = "mixed_bfloat16"
        if self.chance(0.08):
            arguments["name"] = self.name(self.one(["mine", "layer_"]))
        return New(name if name in OWN else f"layers.{name}", arguments)

    def _grow(self, form: str, depth: int, tensors: list, masks: list, layers: dict, steps: list) -> None:
        """Add a call of a new layer, of one that is there, of an inner model, or an operation."""
        floats = self._floats(tensors)
        last = tensors[-1] if form == "sequential" or self.chance(0.7) else self.one(floats)
        kind = self._random.random()
        if kind < 0.14 and depth < 2:
            return self._add_net(form, depth, last, tensors, layers, steps)
        if form != "sequential" and kind < 0.26:
            return self._again(tensors, layers, steps)
        if form != "sequential" and kind < 0.42:
            return self._operate(form, last, tensors, steps)
        for _ in range(6):
            fitting = {
                n: row for n, row in tables.LAYERS.items()
                if len(last.shape) in row.axes and not row.whole and (row.takes == 1 or form != "sequential")
                and not (self._masked and n in tables.LOSING_MASKS)
            }  # fmt: skip
            if not fitting:
                return None
            name = self._random.choices(list(fitting), [row.weight for row in fitting.values()])[0]
            taken = [last]
            if fitting[name].takes == 2:
                partners = [t for t in floats if len(t.shape) == len(last.shape) and t.shape[-1] == last.shape[-1]]
                taken.append(self.one(partners) if partners and self.chance(0.8) else last)
            if self._add_layer(name, self._layer(name), taken, tensors, layers, steps, masks):
                return None
        return None

    def _floats(self, tensors: list[Tensor]) -> list[Tensor]:
        return [t for t in tensors if not t.whole]

    def _add_layer(self, name: str, made: New, taken: list, tensors: list, layers: dict, steps: list, masks=()) -> bool:
        row = tables.LAYERS[name]
        shapes = _output_shapes(made, row, taken)
        if shapes is None:
            return False
        key, result = self.name("f"), self.name("h")
        layers[key] = made
        self._masked |= "mask_zero" in made.arguments or name == "Masking" or bool(masks)
        how = row.how
        steps_of = taken[0].declared[0] if len(taken[0].shape) == 2 else "none"
        if row.takes == 1 and not row.whole and masks and self.chance({4: 0.5, "none": 0.03}.get(steps_of, 0.0)):
            how = "{f}({0}, mask=" + self.one(masks) + ")"
        elif name == "MultiHeadAttention" and self.chance(0.2):
            how = "{f}({0}, {1}, use_causal_mask=True)"
        elif self.chance(0.02):
            how = how[:-1] + ", training=" + self.one(["True", "False"]) + ")"
        steps.append(Step(result, key, tuple(t.name for t in taken), how))
        tensors.append(Tensor(result, *shapes))
        return True

    def _add_net(self, form: str, depth: int, last: Tensor, tensors: list, layers: dict, steps: list) -> None:
        net, ends = self.net(depth + 1, [last])
        if len(ends) > 1 and form == "sequential":
            return
        key, result = self.name("inner"), self.name("h")
        layers[key] = net
        how = "{f}({0})"
        if net.takes in ("list", "dict"):
            how = "{f}([{0}])" if net.takes == "list" else "{f}({{" + repr(net.inputs[0].name) + ": {0}}})"
        if form == "sequential" and net.takes != "single":
            del layers[key]
            return
        steps.append(Step(result, key, (last.name,), how))
        if net.gives == "single":
            tensors.append(Tensor(result, ends[0].declared, ends[0].shape))
            return
        for index, end in enumerate(ends):
            place = repr(end.name) if net.gives == "dict" else index
            steps.append(Step(part := self.name("h"), None, (result,), f"{{0}}[{place}]"))
            tensors.append(Tensor(part, end.declared, end.shape))

    def _again(self, tensors: list, layers: dict, steps: list) -> None:
        """Call a layer or a model once more, on a tensor of the shape that it took before."""
        shapes = {t.name: t for t in tensors}
        used = [s for s in steps if s.layer and len(s.takes) == 1 and s.result in shapes and s.takes[0] in shapes]
        used = [s for s in used if not _penalizes(layers[s.layer])]  # of which Keras trains on the last call's alone
        if not used:
            return
        step = self.one(used)
        before, after = shapes[step.takes[0]], shapes[step.result]
        fitting = [t for t in tensors if (t.declared, t.whole) == (before.declared, before.whole)]
        result = self.name("h")
        steps.append(Step(result, step.layer, (self.one(fitting).name,), step.how))
        tensors.append(Tensor(result, after.declared, after.shape))

    def _operate(self, form: str, last: Tensor, tensors: list, steps: list) -> None:
        partners = [t for t in self._floats(tensors) if t.declared == last.declared and t is not last]
        pair = bool(partners) and self.chance(0.6)
        how = self.one(tables.PAIRS if pair else tables.OPERATIONS)
        if form == "subclassed" and "K.layers." in how:  # a new layer in each call, and a step is no call in cornu
            return
        taken = [last, self.one(partners)] if pair else [last]
        shapes = _operation_shapes(how, taken)
        if shapes is not None:
            result = self.name("h")
            steps.append(Step(result, None, tuple(t.name for t in taken), how))
            tensors.append(Tensor(result, *shapes))

    def _finish(self, form: str, tensors: list, layers: dict, steps: list) -> None:
        """End in classes or a probability."""
        last = tensors[-1]
        if len(last.shape) > 1:
            flat = self.one(["Flatten", "GlobalAveragePooling1D", "GlobalMaxPooling1D", "LSTM"] if len(last.shape) == 2
                            else ["Flatten", "GlobalAveragePooling2D"])  # fmt: skip
            arguments = {"units": 2} if flat == "LSTM" else {}
            if not self._add_layer(flat, New(f"layers.{flat}", arguments), [last], tensors, layers, steps):
                return
        units, activation = self.one([(3, "softmax"), (1, "sigmoid"), (1, "linear"), (2, "softmax")])
        made = New("layers.Dense", {"units": units, "activation": activation})
        self._add_layer("Dense", made, [tensors[-1]], tensors, layers, steps)

    def _ends(self, form: str, tensors: list[Tensor], inputs: list[Given], steps: list[Step]) -> list[Tensor]:
        given = {i.name for i in inputs}
        made = [t for t in tensors if t.name not in given]
        ends = [made[-1]]
        if form != "sequential" and len(made) > 1 and self.chance(0.3):
            ends = [*self.some([t for t in made if t is not made[-1]], 1, 2), made[-1]]
        parts = {s.result: s.takes[0] for s in steps if s.layer is None and _PART.match(s.how)}
        layers = {s.result: s.layer or parts.get(s.result, s.result) for s in steps}  # that losses are named by
        return list({layers[t.name]: t for t in ends}.values())

    def _after(self, depth: int, form: str, layers: dict) -> list[str]:
        """What is done to a model once it is made: compiled inside another, frozen in part."""
        lines = []
        if depth and self.chance(0.3):
            lines.append('{me}.compile("sgd", loss="mse", metrics=["mae"])')
        if (depth and self.chance(0.1)) or (not depth and self.chance(0.05)):
            lines.append("{me}.trainable = False" if depth else "{me}.layers[-1].trainable = False")
        return lines

    # ------------------------------------------------------------ labels

    def _head(self, end: Tensor, net: Net) -> tuple[str, list, list, bool]:
        """(text of labels, losses, metrics, whether a row has no more axes) for an output."""
        return (*self._wanted(end, net), len(end.shape) == 1)

    def _wanted(self, end: Tensor, net: Net) -> tuple[str, list, list]:
        step = next((s for s in net.steps if s.result == end.name), None)
        layer = net.layers.get(step.layer) if step is not None else None
        activation = layer.arguments.get("activation") if isinstance(layer, New) else None
        shape = "".join(f", {n}" for n in end.shape)
        if layer is not None and activation == "softmax" and getattr(layer, "name", "") == "layers.Dense":
            leading, top = "".join(f", {n}" for n in end.shape[:-1]), end.shape[-1]
            if self.chance(0.5):
                return f"classes_of(seed, rows{leading}, top={top})", tables.CLASSES, tables.CLASS_METRICS
            if top > 1:
                return f"one_hot(seed, rows{leading}, top={top})", tables.HOT, tables.HOT_METRICS
        if activation == "sigmoid":
            return f"classes_of(seed, rows{shape}, top=2).astype('float32')", tables.BINARY, tables.BINARY_METRICS
        return f"numbers(seed, rows{shape})", tables.REGRESSION, tables.REGRESSION_METRICS


def _has(net: Net, layers: tuple[str, ...]) -> bool:
    """Whether one of these layers is in a model."""
    return any(f"layers.{name}(" in net.text() for name in layers)


def _without_modes(net: Net) -> Net:
    """A model in which no call says `training`."""
    steps = tuple(replace(s, how=_MODE.sub("", s.how)) for s in net.steps)
    layers = {name: _without_modes(x) if isinstance(x, Net) else x for name, x in net.layers.items()}
    return replace(net, steps=steps, layers=layers)


def _penalizes(layer: New | Net) -> bool:
    """Whether a layer's calls add to the loss."""
    text = layer.text() if isinstance(layer, Net) else repr(layer)
    return any(word in text for word in ("activity_regularizer", "ActivityRegularization", "Counted"))


def _only_a_model(layers: dict[str, New | Net]) -> bool:
    """Whether there is nothing but a model of known inputs, which Keras then ties to the rows of its first batch."""
    return [getattr(layer, "form", None) for layer in layers.values()] in (["functional"], ["sequential"])


@functools.cache
def _of_keras() -> dict[str, Any]:
    """What the text of a layer names, as Keras has it."""
    names = {"K": keras}
    exec("\n".join(OWN.values()), names)
    return names


def _output_shapes(made: New, row: tables.Row, taken: list[Tensor]) -> tuple[Shape, Shape] | None:
    """The shape of a sample that a layer gives, as declared and as given; None where Keras refuses."""
    shapes = []
    for which in ("declared", "shape"):
        given = [(None, *getattr(t, which)) for t in taken]
        try:
            layer = eval(repr(made), _of_keras())
            if row.how == tables.PAIR:
                shape = layer.compute_output_shape(*given)
            else:
                shape = layer.compute_output_shape(given if row.takes == 2 else given[0])
        except Exception:
            return None
        if not isinstance(shape, (tuple, list)) or shape[0] is not None:
            return None
        shapes.append(tuple(shape[1:]))
    return _of_use(*shapes)


def _operation_shapes(how: str, taken: list[Tensor]) -> tuple[Shape, Shape] | None:
    shapes = []
    for which in ("declared", "shape"):
        try:
            tensors = [keras.KerasTensor((None, *getattr(t, which)), dtype="float32") for t in taken]
            shape = eval(how.format(*(f"t[{i}]" for i in range(len(tensors)))), {**_of_keras(), "t": tensors}).shape
        except Exception:
            return None
        shapes.append(tuple(shape[1:]))
    return _of_use(*shapes)


def _of_use(declared: Shape, shape: Shape) -> tuple[Shape, Shape] | None:
    if not shape or None in shape or len(shape) != len(declared) or len(shape) > 4:
        return None
    size = 1
    for n in shape:
        size *= n
    return (declared, shape) if 0 < size <= _LARGEST else None


# ---------------------------------------------------------------- actions


_VERBS = [
    "call", "predict", "config", "json", "clone", "summary", "save", "save", "weights", "by_hand", "freeze", "losses",
    "features", "shapes", "edited", "listed", "longer",
]  # fmt: skip
_TRAINING = [
    "fit", "fit", "evaluate", "train_on_batch", "test_on_batch", "stopped", "compile", "checkpoint", "logged", "broken",
    "mistaken", "rate",
]  # fmt: skip


class Actions:
    """The script of a program."""

    def __init__(self, draw: Draw, net: Net, heads: list):
        self._draw, self._net, self._heads = draw, net, heads
        self._compiled = self._grouped = self._averaged = False
        self._weighable = all(flat for *_, flat in heads)  # Keras lays weights of two rows on two steps
        self._kept: dict[str, Any] = {}  # metrics that were once compiled

    def draw(self) -> tuple[Do, ...]:
        """A few actions; a model is compiled before it is trained."""
        d = self._draw
        actions = [Do("look")] if d.chance(0.3) else []
        if not d.chance(0.05):
            actions.append(Do("call"))
        trains = d.chance(0.5)
        for _ in range(d._random.randint(1, 3)):
            verb = d.one([*_VERBS, *_TRAINING, *_TRAINING] if trains else _VERBS)
            if verb == "longer" and all(None not in given.declared for given in self._net.inputs):
                verb = "call"
            if verb in _TRAINING and not self._compiled:
                actions.append(self._compile())
            if verb == "stopped" and self._averaged:  # Keras leaves the averages, not what the last step gave
                verb = "fit"
            if verb != "compile":
                actions.append(Do(verb, getattr(self, f"_{verb}", dict)()))
            if verb in ("clone", "json"):
                self._compiled = False
            if verb == "freeze" and self._compiled:
                actions.append(self._compile())
        return tuple(actions)

    def _structured(self, parts: list, always: bool = False) -> Any:
        """One value for each output, in a form that `compile` takes."""
        form = self._net.gives
        if form == "dict":
            return dict(zip(self._net.outputs, parts, strict=True))
        return parts[0] if form == "single" else parts

    def _compile(self) -> Do:
        d = self._draw
        losses = [d.one(losses) for _, losses, *_ in self._heads]
        optimizer = Word("model.optimizer") if self._compiled and d.chance(0.1) else d.one(tables.OPTIMIZERS)
        arguments = {"optimizer": optimizer, "loss": self._structured(losses)}
        self._compiled = True
        self._averaged |= "use_ema" in repr(optimizer)
        for kind in ("metrics", "weighted_metrics"):
            if d.chance(0.6 if kind == "metrics" else 0.15):
                arguments[kind] = self._metrics()
        if len(self._heads) > 1 and d.chance(0.3):
            arguments["loss_weights"] = self._structured([d.one([0.3, 1.0, 2.0]) for _ in self._heads])
        if d.chance(0.1):
            arguments["steps_per_execution"] = 2
        self._grouped = "steps_per_execution" in arguments  # then Keras begins batches that never come
        self._kept |= {kind: arguments[kind] for kind in ("metrics", "weighted_metrics") if kind in arguments}
        arguments = self._kept | arguments  # Keras goes on with the metrics of an earlier compile, where one has none
        if d.chance(0.02):
            arguments["run_eagerly"] = True
        return Do("compile", arguments)

    def _metrics(self) -> Any:
        d = self._draw
        found = [d.some(metrics, 1, 2) for _, _, metrics, _ in self._heads]
        return found[0] if len(found) == 1 and self._net.gives != "dict" else self._structured(found)

    def _call(self) -> dict:
        d = self._draw
        return {"rows": 3, **({"training": d.one([True, False])} if d.chance(0.3) else {})}

    def _predict(self) -> dict:
        d = self._draw
        return {"rows": 5, **({"batch_size": 2} if d.chance(0.5) else {}),
                **({"source": d.one(["generator", "dataset"])} if d.chance(0.2) else {})}  # fmt: skip

    def _fit(self) -> dict:
        d = self._draw
        arguments: dict[str, Any] = {}
        if d.chance(0.35):
            arguments["source"] = d.one(["generator", "dataset"])
        if "source" not in arguments or d.chance(0.1):
            arguments["batch_size"] = d.one([3, 3, 2, 8])
        if d.chance(0.5):
            arguments["epochs"] = d.one([2, 2, 2, 2, 3, 0])
        if arguments.get("source") == "generator" and arguments.get("epochs", 1) > 1:
            steps = 2 if self._grouped else d.one([2, 3])
            arguments["steps_per_epoch"] = steps  # a generator that has run out ends the training in cornu alone
        if self._weighable and d.chance(0.25):
            arguments["sample_weight"] = Word("weights_of_rows(5)")
        elif self._net.gives == "single" and self._heads[0][0].startswith("classes_of") and d.chance(0.3):
            arguments["class_weight"] = {0: 1.0, 1: 2.0, 2: 0.5}
        if "source" not in arguments and d.chance(0.15):
            arguments["validation_split"] = 0.4
        elif d.chance(0.25):
            arguments["validation"] = d.one(["arrays", "generator", "dataset", *["weighted"][: self._weighable]])
        if "steps_per_epoch" not in arguments and d.chance(0.1) and not self._grouped:  # which Keras rounds up
            arguments["steps_per_epoch"] = d.one([1, 1, 2]) if arguments.get("epochs", 1) == 1 else 1  # 2 of 3 go round
        if d.chance(0.5) and not self._grouped:
            arguments["hooks"] = True
        if d.chance(0.15):
            arguments["callbacks"] = [d.one(_CALLBACKS)]
        return arguments

    def _stopped(self) -> dict:
        return {"batch": self._draw.one([0, 1]), "epoch": self._draw.one([0, 0, 1]), "epochs": 2}

    def _checkpoint(self) -> dict:
        d = self._draw
        return {"whole": d.chance(0.7), "best": d.chance(0.5), "from_other": d.chance(0.5)}

    def _broken(self) -> dict:
        return {"verb": self._draw.one(["evaluate", "predict"])}

    def _mistaken(self) -> dict:
        return {"call": self._draw.one(tables.MISTAKES)}

    def _rate(self) -> dict:
        return {"to": self._draw.one([0.003, 0.02])}

    def _evaluate(self) -> dict:
        d = self._draw
        arguments: dict[str, Any] = {"return_dict": True} if len(self._heads) > 1 or d.chance(0.8) else {}
        if d.chance(0.3):
            arguments["source"] = d.one(["generator", "dataset"])
        else:
            arguments["batch_size"] = d.one([3, 3, 8])
        if self._weighable and d.chance(0.2):
            arguments["sample_weight"] = Word("weights_of_rows(5)")
        if d.chance(0.2) and not self._grouped:
            arguments["hooks"] = True
        return arguments

    def _train_on_batch(self) -> dict:
        d = self._draw
        return {"rows": 3, **({"sample_weight": True} if d.chance(0.2) else {})}

    _test_on_batch = _train_on_batch

    def _save(self) -> dict:
        d = self._draw
        format = d.one([".keras", ".keras", ".h5", ".weights.h5"])
        if format == ".h5" and any(name in repr(self._kept) for name in tables.RENAMED_IN_H5):
            format = ".keras"
        return {"format": format, "from_other": d.chance(0.5)}

    def _weights(self) -> dict:
        return {"seed": self._draw.one([5, 6])}

    def _by_hand(self) -> dict:
        return {"factor": self._draw.one([0.5, 2.0, 0.0])}

    def _freeze(self) -> dict:
        d = self._draw
        return {"layer": d.one([0, -1, None]), "trainable": d.one([False, False, True])}

    def _summary(self) -> dict:
        d = self._draw
        return {key: True for key in ("expand_nested", "show_trainable") if d.chance(0.4)}

    def _features(self) -> dict:
        return {"layer": self._draw.one([0, 1, -1, -2])}


_CALLBACKS = [
    New("callbacks.EarlyStopping", {"monitor": "loss", "patience": 0, "restore_best_weights": True}),
    New("callbacks.ReduceLROnPlateau", {"monitor": "loss", "patience": 0, "min_delta": 1.0}),
    New("callbacks.TerminateOnNaN"),
    New("callbacks.LearningRateScheduler", {"schedule": Word("lambda epoch, rate: rate * 0.5")}),
    New(
        "callbacks.LambdaCallback", {"on_epoch_end": Word("lambda number, found: see('lambda', number, sorted(found))")}
    ),
]
