"""What must hold of any model, tried out: rows by themselves, no look ahead, masks, modes, files, gradients.

Each check runs the model twice where something may not make a difference, such as the other rows of the batch, and
compares. The runs are pure functions of the variables' values (`functional`), so that nothing of the model changes.
Where there is a difference, both runs are done again with note taken of each call (`context.watch`): the layer at fault
is the first whose inputs are the same and whose outputs are not.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cornu import layers, registry, tree, validate
from cornu.core import border, context, dtypes, parts, promises
from cornu.core.masks import get_mask
from cornu.core.operation import Operation
from cornu.core.tracebacks import filtered
from cornu.core.typing import Data, Nested, Tensor
from cornu.core.variable import Variable, functional, give_values, values_of
from cornu.layers.layer import Layer, LossesOfCall
from cornu.models.model import Model
from cornu.random.seed_generator import SeedGenerator, global_seed_generator
from cornu.saving import load_model
from cornu.training import anatomy, step
from cornu.training.watch import path_of

OK, FAULT, NOTE, LEFT_OUT = "ok", "fault", "note", "left out"

_ROUNDING = 1e-5  # of the largest value, where the same operations run
_COMPILED = {"float16": 2e-2, "bfloat16": 5e-2}  # where they run in another order; by the dtype of a layer
_SIZES = (8, 16, 32, 64, 128, 224)  # tried for sizes that a model does not fix
_CALLABLE: Any = Callable
_TRIES = 3  # weights with which a gradient is looked for


@dataclass
class Finding:
    """What one check found.

    Attributes:
        check: what was checked.
        outcome: `"ok"`, `"fault"`, `"note"` (no fault, but to be known) or `"left out"` (it does not apply).
        layer: the path of the layer concerned; None where it is none.
        detail: a sentence.
    """

    check: str
    outcome: str
    layer: str | None = None
    detail: str = ""


@dataclass
class ModelReport:
    """What `check_model` found; as text a table.

    Attributes:
        model: the model's class and name.
        findings: what each check found.
    """

    model: str
    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether there is no fault."""
        return not self.faults

    @property
    def faults(self) -> list[Finding]:
        """The findings that are faults."""
        return [finding for finding in self.findings if finding.outcome == FAULT]

    def raise_if_faulty(self) -> None:
        """Raise a ValueError that holds the table, unless all is well."""
        if not self.ok:
            raise ValueError(f"check_model: {self}")

    def __str__(self) -> str:
        rows = [("check", "outcome", "layer"), *((f.check, f.outcome, f.layer or "") for f in self.findings)]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        details = ["", *(f.detail for f in self.findings)]
        lines = [
            "  ".join((*(cell.ljust(width) for cell, width in zip(row, widths, strict=True)), detail)).rstrip()
            for row, detail in zip(rows, details, strict=True)
        ]
        verdict = "no fault found" if self.ok else f"{len(self.faults)} fault(s) found"
        return "\n".join((f"{self.model}: {verdict}", *lines))

    __repr__ = __str__


@filtered
def check_model(
    model: object, data: Data = None, causal: bool | str | Sequence[str] | None = None, batch_size: int = 4
) -> ModelReport:
    """Try out what must hold of a model, and name the layer at fault where it does not.

    - Rows of a batch do not influence each other, neither in inference nor in training. Layers that look at the whole
      batch in training by their nature, such as `BatchNormalization`, are named, and are run as in inference.
    - What is masked (the steps that `Embedding(mask_zero=True)` and `Masking` leave out) does not influence the output.
    - A causal model's output at a step depends on no later step.
    - Training and inference give the same, but for layers that differ by their nature (`Dropout` and its like).
    - The compiled model gives what it gives operation by operation, also the second time.
    - A saved and loaded model gives the same.
    - Gradients of the output, and of losses added in calls, reach every trainable weight.

    The model stays as it is: weights, metrics, seeds, what was compiled. One that is not built is built for `data`.

    Args:
        model: the model; it needs no `compile`.
        data: inputs as for `predict`, of which the first `batch_size` rows are used. None draws numbers for the model's
            inputs: from a normal distribution; integers from what the `Embedding` that reads them knows, else 0 and 1;
            sizes that are not fixed are 8, or the first that works.
        causal: whether the output at each step (axis 1) may depend on earlier steps of the inputs alone: True, or the
            names of the inputs for which that holds. None looks, where a layer is said to be causal (`use_causal_mask`,
            `padding="causal"`), and notes what it finds, which is no fault of a model that was not said to be causal.
        batch_size: number of rows, 2 or more.

    Returns:
        A report with `ok`, `faults`, `findings` and `raise_if_faulty()`, which is shown as a table.

    Raises:
        ValueError: when there are no inputs to try: for a model that was not made from symbolic tensors, give `data`.

    Example:

        centre = cornu.layers.Lambda(lambda x: x - x.mean(0))
        model = cornu.Sequential([cornu.Input((3,)), cornu.layers.Dense(2), centre])
        report = cornu.utils.check_model(model)
        print(report.ok, report.faults[0].layer)  # False sequential/lambda
    """
    if not isinstance(model, Model):
        raise TypeError(f"check_model: expected a model. Received: {validate.describe(model)}.")
    if validate.positive_int(batch_size, "batch_size", "check_model") < 2:
        raise ValueError(f"check_model: batch_size must be 2 or more. Received: batch_size={batch_size}.")
    if not (causal is None or isinstance(causal, (bool, str)) or _are_names(causal)):
        raise ValueError(
            "check_model: causal must be True, False, None or names of inputs; labels are not needed. Received: "
            f"causal={validate.describe(causal)}."
        )
    seeds = global_seed_generator().variables
    before = values_of(seeds)
    try:
        with context.uids_kept():
            return _Checks(model, _inputs(model, data, batch_size), data is not None, causal).report()
    finally:
        give_values(seeds, before)


def _are_names(value: object) -> bool:
    return isinstance(value, (list, tuple, set)) and all(isinstance(name, str) for name in value)


# ---------------------------------------------------------------- inputs


def _inputs(model: "Model", data: Data, rows: int) -> Any:
    if data is not None:
        given = tree.map_structure(lambda x: None if x is None else _array(x)[:rows], data)
        if min(len(x) for x in tree.flatten(given) if x is not None) < 2:
            raise ValueError("check_model: data must have 2 rows or more, since rows are compared with each other.")
        if not model.built:
            model(given)
        return given
    if model.inputs is None:
        raise ValueError(
            f"check_model: {validate.describe(model)} is not made from symbolic tensors, so nothing says what its "
            "inputs are. Give some: check_model(model, data=x)."
        )
    return _drawn(model, rows)


def _array(x: object) -> jax.Array:
    array = border.to_numpy(x, "check_model", "data")
    if array.dtype.kind in "OUS":
        raise ValueError("check_model: data must be numbers. Give the part of the model behind the layers of text.")
    return border.to_tensor(array)


def _drawn(model: Any, rows: int) -> Any:
    """Inputs for a graph, of the first size that works where sizes are not fixed."""
    tensors = model.inputs
    if any(tensor.dtype == "string" for tensor in tensors):
        raise ValueError(
            f"check_model: {validate.describe(model)} takes text, and a compiled model computes with numbers. Check "
            "the part of the model behind the layers of text."
        )
    open_sizes = any(None in tensor.shape[1:] for tensor in tensors)
    error: Exception | None = None
    for size in _SIZES if open_sizes else _SIZES[:1]:
        drawn = [
            _draw(model, tensor, [rows, *(d or size for d in tensor.shape[1:])], i) for i, tensor in enumerate(tensors)
        ]
        inputs = tree.pack_sequence_as(model._graph._inputs_struct, drawn)
        try:
            jax.eval_shape(lambda x: _Run(model).outputs(x, False), inputs)
            return inputs
        except Exception as reason:  # another size may do
            error = error or reason
    raise ValueError(
        f"check_model: {validate.describe(model)} takes no drawn inputs; give some: check_model(model, data=x)."
    ) from error


def _draw(model: object, tensor: Any, shape: list[int], seed: int) -> jax.Array:
    """Numbers for one input; the last steps of more than half of the rows are such as layers mask."""
    draw = np.random.default_rng(seed)
    readers = _readers(model, tensor, (layers.Embedding, layers.Masking))
    top = min((layer.input_dim for layer in readers if isinstance(layer, layers.Embedding)), default=2)
    is_float = dtypes.is_float(tensor.dtype)
    values = draw.normal(size=shape) if is_float else draw.integers(min(1, top - 1), top, shape)
    array = jnp.asarray(values, tensor.dtype)
    for layer in filter(_makes_masks, readers):
        if len(shape) > 1 and shape[1] > 2:
            array = array.at[: shape[0] // 2 + 1, -(shape[1] // 3) :].set(getattr(layer, "mask_value", 0))
    return array


def _readers(model: Any, tensor: Any, kind: tuple[type, ...]) -> list[Any]:
    found = [layer for layer, _ in anatomy.first_readers(model, tensor)]
    return [layer for layer in found if isinstance(layer, kind)]


# ---------------------------------------------------------------- running the model


class _Run:
    """A model as pure functions of the values of its variables and of inputs."""

    def __init__(self, model: Any):
        self.model = model
        self.variables: list[Variable] = [*model.variables, *global_seed_generator().variables]
        self.trainable = [v for v in model.trainable_variables if dtypes.is_float(v._dtype)]

    def outputs(
        self, x: Tensor, training: bool, watch: Callable | None = None, values: list | None = None,
        losses: list | None = None,
    ) -> Nested:  # fmt: skip
        """The outputs for inputs; nothing of the model changes."""

        def run() -> Nested:
            with context.scope(losses=LossesOfCall(), watch=watch):
                found = self.model(x, **step.mode(self.model, training))
                if losses is not None:
                    losses.extend(context.current().losses or [])
                return found

        pure = functional(run, self.variables)
        return pure(values_of(self.variables) if values is None else values)[0]

    def function(self, call: Callable) -> Callable:
        """`call` compiled, if the model's calls are to be."""
        return jax.jit(call) if self.model.jit_compile else call


class _Record:
    """Takes note of the arrays that go into each call and come out; layers of cornu are looked at as a whole."""

    def __init__(self, change: Callable | None = None, keeps: bool = True):
        self._keeps = keeps
        self.calls: list[tuple[str, Operation, list, list]] = []
        self.causal: list[str] = []
        self.masking = False
        self._change = change
        self._whole = 0

    def __call__(self, operation: Any, function: Callable, *args: Any, **kwargs: Any) -> Nested:
        arguments = args[0] if isinstance(operation, Layer) and args and isinstance(args[0], dict) else kwargs
        path = path_of(operation)
        if arguments.get("use_causal_mask") is True or getattr(operation, "padding", None) == "causal":
            self.causal.append(path)
        self.masking |= _makes_masks(operation)
        inside, whole = self._whole, _is_cornus(operation)
        self._whole += whole
        try:
            outputs = function(*args, **kwargs)
        finally:
            self._whole = inside
        if self._change is not None:
            outputs = self._change(operation, arguments, outputs)
        if not inside and self._keeps:
            self.calls.append((path, operation, _arrays((args, kwargs)), _arrays(outputs)))
        return outputs


def _arrays(structure: object) -> list[tuple[object, object]]:
    """(array, its mask) for the arrays of numbers that are there now."""
    found = [leaf for leaf in jax.tree.leaves(structure) if isinstance(leaf, jax.Array)]
    return [(leaf, get_mask(leaf)) for leaf in found if not isinstance(leaf, jax.core.Tracer)]


def _shown(operation: Any) -> str:
    """An operation in words: `Dense "hidden"`, or `Log "log"` for a function."""
    return f'{getattr(operation, "class_name", type(operation).__name__)} "{operation.name}"'


def _is_cornus(operation: object) -> bool:
    """Whether a layer, with all that is in it, runs cornu's own code."""
    if not isinstance(operation, Layer) or isinstance(operation, (Model, layers.Lambda)):
        return False
    return all(registry.is_builtin(type(part).call) for part in operation._flatten_layers())


def _makes_masks(operation: object) -> bool:
    return isinstance(operation, layers.Masking) or (isinstance(operation, layers.Embedding) and operation.mask_zero)


def _as_in_inference(operation: object, function: Callable, *args: object, **kwargs: object) -> Nested:
    """Calls layers that differ in training by their nature as if it were inference."""
    if not _differs_by_nature(operation):
        return function(*args, **kwargs)
    with context.scope(training=False):
        return function(args[0], False)


def _has_modes(layer: Layer) -> bool:
    """Whether there are random numbers or statistics in a layer."""
    return any(True for part in layer._flatten_layers() for _ in part._parts(SeedGenerator)) or any(
        not variable.trainable for variable in layer.non_trainable_weights
    )


def _first_of(found: list) -> str:
    """The first of some layers, and how many more there are."""
    return validate.describe(found[0]) + (f" and {len(found) - 1} more" if len(found) > 1 else "")


def _differs_by_nature(operation: object) -> bool:
    if not isinstance(operation, Layer) or isinstance(operation, Model):
        return False
    return promises.kept(operation, "rowwise") == "inference" or (
        _is_cornus(operation) and operation._call_accepts("training")
    )


# ---------------------------------------------------------------- comparing


def _everything(x: jax.Array, mask: jax.Array | None) -> jax.Array | None:
    return x


def _same(
    a: jax.Array, b: jax.Array, part: Callable = _everything, mask: object = None, tolerance: float = _ROUNDING
) -> bool:
    """Whether the parts of two arrays are the same up to rounding; what has no such part is.

    Args:
        a, b: the arrays.
        part: function of an array and its mask; it gives None where an array has no such part.
        mask: the mask of `a`.
        tolerance: share of the largest value.
    """
    if a.shape != b.shape:
        return False
    a, b = part(a, mask), part(b, mask)
    if a is None or b is None or not a.size:
        return True
    if not jnp.issubdtype(a.dtype, jnp.inexact):
        return bool((a == b).all())
    x, y = (np.asarray(each, "complex128" if jnp.iscomplexobj(each) else "float64") for each in (a, b))
    finite = np.isfinite(x) & np.isfinite(y)
    if not np.array_equal(np.where(finite, 0, x), np.where(finite, 0, y), equal_nan=True):
        return False
    x, y = np.where(finite, x, 0), np.where(finite, y, 0)
    return bool(np.abs(x - y).max(initial=0) <= tolerance * max(np.abs(x).max(initial=0), 1e-6))


def _alike(some: Sequence[tuple], others: Sequence[tuple], part: Callable = _everything) -> bool:
    """Whether all pairs of (array, mask) are the same in a part."""
    return all(_same(a, b, part, mask) for (a, mask), (b, _) in zip(some, others, strict=False))


def _first_difference(one: _Record, other: _Record, part: Callable = _everything) -> tuple[str | None, object]:
    """(path, operation) of the first call that made one run differ from the other; (None, None) where none did."""
    for (path, operation, inputs, outputs), (_, _, others, results) in zip(one.calls, other.calls, strict=False):
        runs_a_graph = isinstance(operation, Model) and registry.is_builtin(type(operation).call)
        if not runs_a_graph and _alike(inputs, others, part) and not _alike(outputs, results, part):
            return path, operation
    return None, None


# ---------------------------------------------------------------- the checks


class _Checks:
    """The checks of one model on inputs."""

    def __init__(self, model: Any, x: object, given: bool, causal: object):
        self.model, self.x, self.given, self.causal = model, x, given, causal
        self.run = _Run(model)
        self.rows = len(next(leaf for leaf in jax.tree.leaves(x)))
        self.look = _Record(keeps=False)
        self.eager = self.run.outputs(x, False, self.look)
        self.compiled = self.run.function(lambda values, x: self.run.outputs(x, False, values=values))
        self.outputs = self._infer(x)
        self.training = self.run.function(self._train)
        self.findings: list[Finding] = []
        found = {layer.compute_dtype for layer in model._flatten_layers()}
        self.tolerance = max(_COMPILED.get(dtype, 1e-4) for dtype in found)

    def report(self) -> ModelReport:
        """Do all checks."""
        for check in (
            self.rows_in_inference, self.rows_in_training, self.masked_steps, self.the_future, self.modes,
            self.compiled_and_not, self.files, self.gradients,
        ):  # fmt: skip
            self.findings += check()
        return ModelReport(validate.describe(self.model), self.findings)

    def _infer(self, x: object) -> list:
        return jax.tree.leaves(self.compiled(values_of(self.run.variables), x))

    def _train(self, values: list, x: object, cotangents: list) -> tuple:
        """(outputs, gradients) in training, but for layers that differ in it by their nature."""
        index = {id(v): i for i, v in enumerate(self.run.variables)}
        places = [index[id(v)] for v in self.run.trainable]

        def total(weights: list) -> tuple:
            merged = list(values)
            for place, weight in zip(places, weights, strict=True):
                merged[place] = weight
            losses: list = []
            outputs = jax.tree.leaves(self.run.outputs(x, True, _as_in_inference, merged, losses))
            floats = [o for o in outputs if jnp.issubdtype(o.dtype, jnp.floating)]
            parts = [jnp.sum(o.astype("float32") * c) for o, c in zip(floats, cotangents, strict=True)]
            scale = cotangents[0].reshape(-1)[0] if cotangents else 1.0
            parts += [jnp.sum(jnp.asarray(loss, "float32")) * scale for loss in losses]
            return sum(parts[1:], parts[0]) if parts else jnp.zeros(()), outputs

        (_, outputs), gradients = jax.value_and_grad(total, has_aux=True)([values[place] for place in places])
        return outputs, gradients

    def _trained(self, x: object, values: list | None = None, fill: float | None = None) -> tuple:
        floats = [o for o in self.outputs if jnp.issubdtype(o.dtype, jnp.floating)]
        draw = np.random.default_rng(0)
        made = [np.full(o.shape, fill) if fill is not None else draw.uniform(0.5, 1.5, o.shape) for o in floats]
        cotangents = [jnp.asarray(c, "float32") for c in made]
        return self.training(values_of(self.run.variables) if values is None else values, x, cotangents)

    def _fault_at(
        self, check: str, x: object, other: object, part: Callable, what: str, training: bool = False,
        changes: tuple[Callable | None, Callable | None] = (None, None),
    ) -> Finding:  # fmt: skip
        """The finding of a difference, with the layer that makes it."""
        records = []
        for inputs, change in zip((x, other), changes, strict=True):
            record = _Record(change)
            watch = record if not training else _through(record)
            self.run.outputs(inputs, training, watch)
            records.append(record)
        path, operation = _first_difference(records[0], records[1], part)
        layer = f" The first layer in which that shows: {_shown(operation)}." if path else ""
        return Finding(check, FAULT, path, what + layer)

    # ------------------------------------------------------------ rows

    def _other_rows(self) -> Nested:
        """The inputs with other rows behind the first half."""
        kept = self.rows // 2

        def changed(x: Tensor) -> Nested:
            return x if x is None else x.at[kept:].set(x[0])

        return jax.tree.map(changed, self.x)

    def _kept(self, x: Tensor, mask: object = None) -> Nested:
        return x[: self.rows // 2] if x.ndim and x.shape[0] == self.rows else None

    def rows_in_inference(self) -> list[Finding]:
        """Other rows must not matter."""
        check, other = "rows alone, inference", self._other_rows()
        if all(o.ndim == 0 or o.shape[0] != self.rows for o in self.outputs):
            return [Finding(check, LEFT_OUT, None, "No output has the rows of the batch as its first axis.")]
        if all(map(_same, self.outputs, self._infer(other), [self._kept] * len(self.outputs))):
            return [Finding(check, OK)]
        what = "The output of a row depends on the other rows of the batch."
        return [self._fault_at(check, self.x, other, self._kept, what)]

    def rows_in_training(self) -> list[Finding]:
        """The same in training, but for layers whose nature it is."""
        check, other = "rows alone, training", self._other_rows()
        natural = [
            layer for layer in self.model._flatten_layers()
            if not isinstance(layer, Model) and promises.kept(layer, "rowwise") == "inference"
        ]  # fmt: skip
        if self.findings[0].outcome != OK:
            return [Finding(check, LEFT_OUT, None, "As in inference.")]
        outputs, others = (self._trained(x)[0] for x in (self.x, other))
        if not all(map(_same, outputs, others, [self._kept] * len(outputs))):
            what = "In training, the output of a row depends on the other rows of the batch."
            return [self._fault_at(check, self.x, other, self._kept, what, training=True)]
        if not natural:
            return [Finding(check, OK)]
        return [Finding(check, OK, None, f"But for {_first_of(natural)}, which by nature take all rows.")]

    # ------------------------------------------------------------ masks

    def masked_steps(self) -> list[Finding]:
        """What flows through masked steps must not matter."""
        check = "masked steps"
        if not self.look.masking:
            return [Finding(check, LEFT_OUT, None, "No layer makes a mask.")]
        masks: list = []

        def with_noise(scale: float) -> Callable:
            def change(operation: Any, arguments: dict, outputs: Nested) -> Any:
                if not _makes_masks(operation):
                    return outputs
                mask = operation.compute_mask(next(iter(arguments.values())), None)
                masks.append(mask)
                noise = jax.random.normal(jax.random.key(0), outputs.shape, "float32") * scale
                return jnp.where(mask[..., None], outputs, noise.astype(outputs.dtype))

            return change

        changes = with_noise(1.0), with_noise(3.0)
        pairs = [self.run.outputs(self.x, False, _Record(change)) for change in changes]
        if all(bool(mask.all()) for mask in masks):
            return [Finding(check, LEFT_OUT, None, "No step of the inputs is masked.")]

        def part(x: Tensor, own: Tensor = None) -> Any:
            """The real steps; where the axis of steps is gone, the rows that have any."""
            if own is not None and own.shape == x.shape[: own.ndim]:
                return x[own.astype(bool)]
            known = [mask for mask in masks if mask.shape == x.shape[: mask.ndim]]
            known = known or [mask.reshape(self.rows, -1).any(1) for mask in masks if x.shape[:1] == mask.shape[:1]]
            return x[jnp.stack(known).all(0)] if known and len({mask.ndim for mask in known}) == 1 else None

        if _alike(_arrays(pairs[0]), _arrays(pairs[1]), part):
            return [Finding(check, OK)]
        what = "The values at masked steps change the output."
        return [self._fault_at(check, self.x, self.x, part, what, changes=changes)]

    # ------------------------------------------------------------ time

    def the_future(self) -> list[Finding]:
        """Later steps must not matter to earlier ones."""
        check = "no look ahead"
        asked = self.causal not in (None, False)
        if not asked and (self.causal is False or not self.look.causal):
            return [Finding(check, LEFT_OUT, None, "Not asked for (causal=True).")]
        named: Any = [self.causal] if isinstance(self.causal, str) else self.causal
        named = named if asked and named is not True else None
        flat, names = jax.tree.leaves(self.x), self._names()
        if named is not None and not set(named) <= set(names):
            raise ValueError(f"check_model: causal names {sorted(named)}; the inputs are {sorted(names)}.")
        chosen = [i for i, x in enumerate(flat) if x.ndim > 1 and (named is None or names[i] in named)]
        steps = {flat[i].shape[1] for i in chosen} & {o.shape[1] for o in self.outputs if o.ndim > 2 and o.shape[1] > 1}
        if not steps:
            text = "No output has the steps of an input as its axis 1."
            return [Finding(check, FAULT if asked else LEFT_OUT, None, text)]
        length = max(steps)
        past = length // 2
        changed = [self._with_other_steps(x, past) if i in chosen and x.shape[1] == length else x
                   for i, x in enumerate(flat)]  # fmt: skip
        other = jax.tree.unflatten(jax.tree.structure(self.x), changed)

        def part(x: Tensor, mask: object = None) -> Any:
            return x[:, :past] if x.ndim > 1 and x.shape[:2] == (self.rows, length) else None

        if all(map(_same, self.outputs, self._infer(other), [part] * len(self.outputs))):
            return [Finding(check, OK)]
        found = self._fault_at(check, self.x, other, part, "The output at a step depends on later steps of the input.")
        if not asked:
            found.outcome = NOTE
            found.detail += f" {self.look.causal[0]} is causal, the whole is not: pass causal=True if it has to be."
        return [found]

    def _names(self) -> list[str]:
        paths = tree.flatten_with_path(self.x)
        own = [tensor.name for tensor in self.model.inputs or ()]
        return own if len(own) == len(paths) else ["/".join(map(str, path)) or "x" for path, _ in paths]

    def _with_other_steps(self, x: Tensor, past: int) -> Nested:
        """Those of the row before, in the other direction, from step `past` on."""
        return x.at[:, past:].set(jnp.roll(x, 1, axis=0)[:, past:][:, ::-1])

    # ------------------------------------------------------------ modes

    def modes(self) -> list[Finding]:
        """Training and inference agree but for what differs by nature."""
        check = "training like inference"
        outputs, _ = self._trained(self.x)
        if self._are_same(self.outputs, outputs):
            return [Finding(check, OK)]
        if self._are_same(self._inference_of_natural_layers(), outputs):
            layers_within = self.model._flatten_layers()
            natural = [layer for layer in layers_within if _differs_by_nature(layer) and _has_modes(layer)]
            return [Finding(check, OK, None, f"But for {_first_of(natural)}, which by nature do more in training.")]
        records = [_Record(), _Record()]
        for training, record in enumerate(records):
            self.run.outputs(self.x, bool(training), _through(record))
        path, layer = _first_difference(records[0], records[1])
        if path is None:
            return [Finding(check, FAULT, None, "Training gives other outputs than inference.")]
        about = f"{_shown(layer)} gives other outputs in training"
        if isinstance(layer, Layer) and _has_modes(layer):
            return [Finding(check, NOTE, path, f"{about}; it has random numbers or statistics of its own.")]
        why = "though neither random numbers nor statistics of its own are in it."
        return [Finding(check, FAULT, path, f"{about}, {why}")]

    def _inference_of_natural_layers(self) -> list:
        """The outputs in inference of a model that has layers always run as in training."""
        return jax.tree.leaves(self.run.outputs(self.x, False, _as_in_inference))

    def _are_same(self, some: list, others: list) -> bool:
        """Whether outputs are the same that were computed in another order."""
        return all(_same(a, b, tolerance=self.tolerance) for a, b in zip(some, others, strict=True))

    def compiled_and_not(self) -> list[Finding]:
        """Compiled, and operation by operation twice: the same."""
        check = "compiled like eager"
        eager = jax.tree.leaves(self.eager)
        if not all(map(_same, eager, jax.tree.leaves(self.run.outputs(self.x, False)))):
            what = "The model gives other outputs when it is called again."
            return [self._fault_at(check, self.x, self.x, _everything, what)]
        if not self.model.jit_compile:
            return [Finding(check, LEFT_OUT, None, "The model has jit_compile=False.")]
        if self._are_same(self.outputs, eager):
            return [Finding(check, OK)]
        return [
            Finding(
                check, FAULT, None, "The compiled model gives other outputs than the same operations by themselves."
            )
        ]

    # ------------------------------------------------------------ files

    def files(self) -> list[Finding]:
        """What is saved and loaded gives the same."""
        check = "saved and loaded"
        with tempfile.TemporaryDirectory() as folder:
            path, own = Path(folder) / "model.keras", _own_objects(self.model)
            try:
                self.model.save(path)
                loaded = load_model(path, own, compile=False, safe_mode=False)
            except Exception as error:
                return [Finding(check, FAULT, None, f"{type(error).__name__}: {str(error).splitlines()[0]}")]
        run = _Run(loaded)
        values = [
            here if same_seed else there
            for here, there, same_seed in zip(
                values_of(self.run.variables), values_of(run.variables), _are_seeds(self.model, self.run), strict=False
            )
        ]
        if len(values_of(self.run.variables)) != len(run.variables):
            return [Finding(check, FAULT, None, "The loaded model has another number of variables.")]
        outputs = jax.tree.leaves(run.outputs(self.x, False, values=values))
        if all(map(_same, jax.tree.leaves(self.eager), outputs)):
            return [Finding(check, OK)]
        here, there = _Record(), _Record()
        self.run.outputs(self.x, False, here)
        run.outputs(self.x, False, there, values)
        path_of_layer, _ = _first_difference(here, there)
        return [Finding(check, FAULT, path_of_layer, "The loaded model gives other outputs.")]

    # ------------------------------------------------------------ gradients

    def gradients(self) -> list[Finding]:
        """Every trainable weight has a gradient: with these weights, or with some close by."""
        check = "gradients"
        if not self.run.trainable:
            return [Finding(check, LEFT_OUT, None, "No weight is trainable.")]
        left = set(range(len(self.run.trainable)))
        for attempt in range(_TRIES):
            values = self._shaken(attempt)
            for fill in (None, np.nan):  # NaN passes where numbers happen to be multiplied by zero
                if left:
                    _, gradients = self._trained(self.x, values, fill)
                    left = {i for i in left if not np.asarray(gradients[i], "float32").astype(bool).any()}
        if not left:
            return [Finding(check, OK)]
        missing = [self.run.trainable[i].path for i in sorted(left)]
        owner = next(
            (layer for layer in self.model._flatten_layers()
             if any(self.run.trainable[min(left)] is v for v in layer._own_variables())), None
        )  # fmt: skip
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        text = f"No gradient of the outputs reaches {', '.join(missing[:3])}{more}."
        outcome = FAULT if step.is_default(self.model, "train") else NOTE
        if outcome == NOTE:
            text += " The model's own train_step or compute_loss may use it."
        return [Finding(check, outcome, owner.path if owner is not None else None, text)]

    def _shaken(self, attempt: int) -> list:
        """The variables' values, in later attempts with some noise on the trainable ones."""
        values = values_of(self.run.variables)
        if not attempt:
            return values
        draw, trained = np.random.default_rng(attempt), {id(v) for v in self.run.trainable}
        return [
            value + jnp.asarray(draw.normal(size=value.shape) * 0.1, value.dtype) if id(variable) in trained else value
            for variable, value in zip(self.run.variables, values, strict=True)
        ]


def _through(record: _Record) -> Callable:
    """A watch that calls layers which differ by nature as in inference, and has `record` take note."""

    def watch(operation: object, function: Callable, *args: object, **kwargs: object) -> Nested:
        return record(operation, lambda *a, **k: _as_in_inference(operation, function, *a, **k), *args, **kwargs)

    return watch


def _are_seeds(model: "Layer", run: _Run) -> Iterator[bool]:
    """For each variable of a run whether it is the state of a seed generator."""
    weights = {id(v) for v in model.weights}
    return (id(variable) not in weights for variable in run.variables)


def _own_objects(model: "Layer") -> dict[str, Any]:
    """The classes and functions of the user's that a file of the model names."""
    found: dict[str, Any] = {}
    for layer in model._flatten_layers():
        held = [value for name, value in vars(layer).items() if name not in layer._hidden]
        for one in (layer, *(each for value in held for each in parts.find(value, _CALLABLE))):
            kind = one if hasattr(one, "__name__") else type(one)
            if callable(one) and not registry.is_builtin(kind):
                found[kind.__name__] = kind
    return found
