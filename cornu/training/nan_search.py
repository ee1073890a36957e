"""Finding the cause of a NaN: the step is repeated from the state before it, observing the values in each layer.

A step does not donate the values of the variables, so keeping the state before the last call just means not releasing
it until the next one. When the loss or a weight is no longer finite, the call's steps are repeated one by one until the
first that fails, and that one with a `Watch` on every call.

Findings are reported in the order of a step: in the weights before it, in the data, forward, in the loss, backward, in
the update.
"""

import ast
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from cornu import tree, validate
from cornu.core import context, dtypes
from cornu.core.read_text import ReadBatch
from cornu.core.typing import AnyDict, AnyList, AnyTuple, Batch, Data, Logs, Nested, Tensor
from cornu.core.variable import Variable, functional, values_of
from cornu.layers.layer import LossesOfCall
from cornu.losses.loss import as_arrays
from cornu.saving import atomic, plain_npz
from cornu.training import step as steps
from cornu.training.data.batches import Batches, unpack_x_y_sample_weight
from cornu.training.data.convert import named_leaves
from cornu.training.execution.multi_step import Call
from cornu.training.watch import Moment, Passage, Watch

if TYPE_CHECKING:
    from cornu.models.model import Model

_MOST = 3  # number of gradients, weights and layers to name
_MOST_ROWS = 8
_VARIABLE = re.compile(r"variables/(\d+)/(.+)")
_KEY = re.compile(r"\[('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\d+)\]")


@dataclass
class NanReport:
    """The findings of a repeated step; as text it describes them in sentences.

    Attributes:
        epoch, batch: the step, both counted from 0.
        stage: where the first non-finite value was: `"weights"` (before the step), `"data"`, `"forward"`, `"loss"`,
            `"gradient"`, `"update"`, or None if the step was finite when repeated.
        layer: the path of the layer at fault; None if there is none.
        rows: the rows of the batch with such values, as far as they can be determined.
        data_rows: the indices of these rows in the arrays passed to `fit`; None for other data.
        gradients: (path of a weight, largest absolute value of its gradient), in decreasing order.
        findings: the sentences.
        filepath: path of the saved batch and state; None if they were not saved.
    """

    epoch: int
    batch: int
    stage: str | None = None
    layer: str | None = None
    rows: list[int] = field(default_factory=list)
    data_rows: list[int] | None = None
    gradients: list[tuple[str, float]] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    filepath: str | None = None

    def __str__(self) -> str:
        lines = [f"Batch {self.batch} of epoch {self.epoch + 1}, repeated from the weights before it:", *self.findings]
        if self.filepath is not None:
            lines.append(
                f"The batch and the state before it are in {self.filepath!r}; keras.utils.find_nan(model, "
                f"{self.filepath!r}) repeats it."
            )
        return "\n  ".join(lines)


class NanSearch:
    """Keeps the state before the last call of a run, and finds the layer in which it went wrong.

    Args:
        model: the model being trained.
        batches: the data.
    """

    def __init__(self, model: Any, batches: Batches):
        self._model, self._batches = model, batches
        self._epoch = self._first = 0
        self._values: list[jax.Array] = []
        self._call: Call | None = None
        self._earlier: Call | None = None

    def before(self, call: Call, epoch: int, first: int) -> None:
        """Keep the state; `call` is about to run, from step `first` of the epoch on."""
        self._earlier, self._call = self._call, call
        self._epoch, self._first = epoch, first
        self._values = values_of(_variables(self._model))

    def finite_weights(self) -> Any:
        """Whether all trainable weights are currently finite: true or false once that is computed."""
        weights = [v for v in steps.variables_of(self._model, "train")[0] if dtypes.is_float(v._dtype)]
        return _finite(values_of(weights)) if weights else True

    def report(self, filepath: str | None) -> NanReport | None:
        """The findings for the last call; None if there was none, or if the step is a user's function.

        Args:
            filepath: where to save the batch; None to not save it.
        """
        if self._call is None or self._model._computations["train"].made is not None:
            return None
        self._model._advised.add("loss_that_is_no_number")  # which would only guess at what is already known
        number, values, data, rows = self._bad_step(self._call.batches())
        report = _examined(self._model, values, data, rows, NanReport(self._epoch, self._first + number))
        if report.stage is not None and report.stage != "weights" and not report.gradients:
            report.gradients = self._gradients_of_earlier_batch(values, self._call.batches()[:number])
            _tell_sizes(report.gradients, "gradients of the previous batch, with the same weights", report)
        self._find_in_arrays(report)
        if filepath is not None and isinstance(data[0], ReadBatch):
            report.findings.append(
                "The batch could not be saved: it contains text, but the file only supports numbers."
            )
        elif filepath is not None:
            try:
                _save(os.path.abspath(filepath), report, _variables(self._model), values, data, rows)
                report.filepath = os.path.abspath(filepath)
            except OSError as error:
                report.findings.append(f"The batch could not be saved: {error}.")
        return report

    def _bad_step(self, batches: list[Batch]) -> tuple[int, list[jax.Array], Any, int | None]:
        """(number, values of the variables before, batch, valid rows) of the first step that fails; else of the
        last."""
        values, compiled = self._values, self._model._computations["train"].compiled(self._model)
        for number, (data, rows) in enumerate(batches[:-1]):
            logs, after = compiled.on_state(_parted(values, compiled.parts), _on_device(data), rows)
            trainable = [value for value in after[0] if jnp.issubdtype(value.dtype, jnp.inexact)]
            if not _are_finite([*trainable, *(logs[name] for name in logs if name == "loss")]):
                return number, values, data, rows
            values = [value for part in after for value in part]
        return len(batches) - 1, values, *batches[-1]

    def _gradients_of_earlier_batch(self, values: list[jax.Array], earlier: list[Batch]) -> list[tuple[str, float]]:
        """The largest gradients of the last batch of `earlier`, or else of the previous call, with these weights."""
        if not earlier and self._earlier is not None and self._first > 0:
            earlier = self._earlier.batches()
        if not earlier:
            return []
        watch, _, _ = _watched(self._model, values, *earlier[-1])
        return _largest(watch)

    def _find_in_arrays(self, report: NanReport) -> None:
        size = self._batches.batch_size
        if self._batches.arrays is None or size is None or not report.rows:
            return
        order = self._batches.order(report.epoch)
        report.data_rows = [int(order[report.batch * size + row]) for row in report.rows]
        if report.data_rows != report.rows and len(report.rows) < size:
            report.findings.append(f"In the data passed to fit(): {_rows(report.data_rows)}.")


def find_nan(model: Any, filepath: str | os.PathLike[str]) -> NanReport:
    """Repeat the step saved by `TerminateOnNaN(explain=True)`, from the state before it, and report the findings.

    After a layer was changed, this shows whether that helped. The weights, optimizer and metrics of `model` are not
    modified.

    Args:
        model: the compiled model, with the same variables as the trained one.
        filepath: the file, which contains only arrays.

    Returns:
        The findings, as in `TerminateOnNaN.report`; as text they are sentences.

    Raises:
        ValueError: if the file has another format, or belongs to another model.

    Example:
        model = cornu.Sequential([cornu.Input((1,)), cornu.layers.Lambda(cornu.ops.log), cornu.layers.Dense(1)])
        model.compile("sgd", "mse")
        guard = cornu.callbacks.TerminateOnNaN(explain=True, filepath="bad.npz")
        model.fit(np.array([[1.0], [-1.0]]), np.ones((2, 1)), callbacks=[guard], verbose=0)
        print(cornu.utils.find_nan(model, "bad.npz"))
    """
    members = plain_npz.load(filepath)
    model._require_compiled("find_nan")
    data, real = _batch_of(members, filepath), int(members["rows"])
    model._one_batch("train", *data, owner="find_nan")  # builds the model if needed
    variables = _variables(model)
    saved = _variables_of(members)
    here = [tuple(variable.shape) for variable in variables]
    if here != [value.shape for _, value in saved]:
        path = next((p for (p, value), shape in zip(saved, here, strict=False) if value.shape != shape), None)
        raise ValueError(
            f"{validate.describe(model)}: the step in {str(filepath)!r} belongs to a different model or optimizer. It "
            "has "
            f"{len(saved)} variables, and this one {len(here)}"
            + ("." if path is None else f"; the first that differs is {path!r}.")
        )
    values = [jnp.asarray(value, variable._dtype) for (_, value), variable in zip(saved, variables, strict=True)]
    report = NanReport(int(members["epoch"]), int(members["batch"]))
    return _examined(model, values, data, None if real < 0 else real, report)


# ---------------------------------------------------------------- one repeated step


def _watched(
    model: "Model", values: list[jax.Array], data: Batch, rows: int | None
) -> tuple[Watch, Logs, list[jax.Array]]:
    """(observations, logs, values of the variables after) of a step."""
    parts = steps.variables_of(model, "train")

    def run(gradients: bool) -> tuple[Watch, Logs, list[jax.Array]]:
        watch = Watch(len(jax.tree.leaves(data)[0]), gradients)

        def step(state: Any, data: Any, rows: Any) -> AnyTuple:
            with context.scope(watch=watch):
                return steps.pure_step(model, "train", parts)(state, data, rows)

        function = jax.jit(step) if model.jit_compile else step
        logs, after = jax.block_until_ready(function(_parted(values, parts), _on_device(data), rows))
        jax.effects_barrier()
        return watch, logs, [value for part in after for value in part]

    try:
        return run(gradients=True)
    except TypeError:  # a step with forward-mode differentiation, which gradient taps do not support
        return run(gradients=False)


def _examined(model: Any, values: list[jax.Array], data: Batch, rows: int | None, report: NanReport) -> NanReport:
    """`report`, completed with the observations of a step."""
    variables = _variables(model)
    bad = _not_finite(variables, values)
    odd_data = _tell_data(report, data, rows)
    if bad:
        report.stage = "weights"
        report.findings.append(f"Already not finite before this step: {_some(bad)}.")
        return report
    watch, logs, after = _watched(model, values, data, rows)
    real = len(jax.tree.leaves(data)[0]) if rows is None else rows
    loss = logs.get("loss")
    trained = [_are_finite([value]) for value in after[: len(steps.variables_of(model, "train")[0])]]
    if all(trained) and (loss is None or bool(jnp.isfinite(loss))):
        report.findings.append("It was finite this time, so nothing can be named: the step is not deterministic.")
        report.stage = None
        return report
    tell = _Teller(model, watch, real, report)
    loss_is_bad = loss is not None and not bool(jnp.isfinite(loss))
    told = tell.forward(odd_data) or (loss_is_bad and _tell_loss(model, values, data, rows, watch, report))
    if not told and loss_is_bad:
        report.stage = "loss"
        report.findings.append("Every layer's outputs were finite, but the loss computed from them is not.")
    elif not told and not tell.backward():
        tell.update(_not_finite(variables, after))
    report.gradients = _largest(watch)
    _tell_sizes(_largest_weights(model, values), "weights before the step", report)
    _tell_sizes(report.gradients, "finite gradients in this step", report)
    return report


class _Teller:
    """Describes observations in words.

    Args:
        model: the model.
        watch: the observations.
        real: number of valid rows.
        report: where the sentences are added.
    """

    def __init__(self, model: Any, watch: Watch, real: int, report: NanReport):
        self.model, self.watch, self.real, self.report = model, watch, real, report

    def forward(self, odd_data: bool) -> bool:
        """Name the first layer that produced non-finite values; whether there is one, or its inputs were not finite."""
        found = [text for passage, out in self.watch.bad_moments() for text in self._source(passage, out)]
        self.report.findings += found[:1]
        if found[1:]:
            self.report.findings.append(f"Also, after it: {' '.join(found[1:_MOST])}")
        if not found and odd_data and any(p.before.is_bad for p in self.watch.passages):
            self.report.stage = "data"
            return True
        return bool(found)

    def _source(self, passage: Passage, out: bool) -> Iterator[str]:
        """A sentence, if non-finite values originated here rather than elsewhere."""
        if out:
            arose = not passage.before.is_bad and not any(
                p.before.is_bad or p.after.is_bad for p in self.watch.passages if p.is_within(passage)
            )
            if arose:
                came = passage.before
                of = f" Its inputs were finite{_range(came)}." if came.number is not None else ""
                of += _of_half_precision(passage, passage.after)
                yield self._name("forward", passage, passage.after, f"Forward: {{what}} came out of {{layer}}.{of}")
            return
        parent = passage.parent
        beside = [p for p in self.watch.passages if p.parent is parent and p is not passage]
        carried = any(p.after.is_bad and (p.after.number or 0) < (passage.before.number or 0) for p in beside)
        if carried or (parent is None and (not beside or beside[0] is passage)) or (parent and parent.before.is_bad):
            return
        where = "the train_step" if parent is None else f"the code of {_layer(parent)}"
        text = f"Forward: {{what}} arose in {where}, before it calls {_layer(passage)}."
        text += _of_half_precision(passage, passage.before)
        yield self._name("forward", parent or passage, passage.before, text)

    def backward(self) -> bool:
        """Name the first layer, in backward order from the loss, with a non-finite gradient."""
        found = []
        for p in self.watch.passages:
            found += [(p.gradient_after.number, p, p.gradient_after, "after")] if p.gradient_after.is_bad else []
            found += [(p.gradient_before.number, p, p.gradient_before, "before")] if p.gradient_before.is_bad else []
        found += list(self._weights())
        if not found:
            return False
        _, passage, moment, place = min(found, key=lambda each: each[0] or 0)
        loss = passage.parent is None
        text = {
            "before": "Gradients: {what} came back from {layer} to its inputs, while that of its outputs was finite.",
            "after": "Gradients: {what} came back "
            + ("from the loss to its predictions, the outputs of {layer}." if loss else
               f"to the outputs of {{layer}} from what {_layer(passage.parent)} does with them."),
        }.get(place, f"Gradients: {{what}} in that of {place}, a weight of {{layer}}, while that of its outputs was "
                     "finite.")  # fmt: skip
        if place not in ("before", "after") and moment.rows is not None:
            moment = _without_rows(moment)
        values = f" The loss and all values were finite; the inputs of the layer{_range(passage.before)}."
        self.report.findings.append(self._name("gradient", passage, moment, text) + values)
        return True

    def update(self, bad: list[str]) -> None:
        """Report that the optimizer computed non-finite variables from finite gradients."""
        self.report.stage = "update"
        self.report.findings.append(
            f"The loss and all gradients were finite, but not the update by {_kind(self.model.optimizer)} of "
            f"{_some(bad)}."
        )

    def _weights(self) -> Iterator[AnyTuple]:
        """The weights' non-finite gradients, ordered as if computed with the gradient of their layer's output."""
        for variable, moment in self.watch.weights.items():
            if not moment.is_bad:
                continue
            owners = [p for p in self.watch.passages if variable in getattr(p.operation, "_variables", ())]
            owners = [p for p in owners if p.gradient_after.number is not None and not p.gradient_after.is_bad]
            if owners:
                owner = max(owners, key=lambda p: -(p.gradient_after.number or 0))
                yield (owner.gradient_after.number or 0) + 0.5, owner, moment, variable.path

    def _name(self, stage: str, passage: Passage, moment: Moment, text: str) -> str:
        what = "NaN" if moment.has_nan else "infinity"
        rows = [] if moment.rows is None else [int(row) for row in np.flatnonzero(~moment.rows) if row < self.real]
        if self.report.stage is None or (self.report.stage == "data" and not self.report.layer):
            self.report.stage, self.report.layer = stage, passage.path
            self.report.rows = rows or self.report.rows
        return text.format(what=what + (_in_rows(rows, self.real) if rows else ""), layer=_layer(passage))


def _tell_data(report: NanReport, data: Batch, rows: int | None) -> bool:
    """Report which rows of the batch are not finite; whether there are any."""
    parts = zip(("x", "y", "sample_weight"), unpack_x_y_sample_weight(data), strict=True)
    found = False
    for name, leaf in ((name, leaf) for part, given in parts for name, leaf in named_leaves(given, part)):
        leaf = np.asarray(leaf)[:rows]
        if jnp.issubdtype(leaf.dtype, jnp.inexact) and leaf.size and not np.isfinite(leaf).all():
            bad = ~np.isfinite(leaf).reshape(len(leaf), -1).all(1)
            numbers = [int(row) for row in np.flatnonzero(bad)]
            what = "NaN" if np.isnan(leaf).any() else "infinity"
            report.findings.append(f"The data: {name} contains {what} in {_rows(numbers)}.")
            report.rows = sorted({*report.rows, *numbers})
            report.stage, found = "data", True
    return found


def _tell_loss(
    model: "Model", values: list[jax.Array], data: Batch, rows: int | None, watch: Watch, report: NanReport
) -> bool:  # fmt: skip
    """Report which loss is not finite, and in which rows; whether that can be determined."""
    if type(model).compute_loss is not steps.Steps.compute_loss or not steps.is_default(model, "train"):
        return False
    found = _losses(model, values, tree.map_structure(lambda leaf: None if leaf is None else leaf[:rows], data))
    root = next((p for p in watch.passages if p.parent is None), None)
    for what, value in found:
        value = np.asarray(value)
        if np.isfinite(value).all():
            continue
        bad = np.flatnonzero(~np.isfinite(value).reshape(len(value), -1).all(1)).tolist() if value.ndim else []
        kind = "NaN" if np.isnan(value).any() else "infinite"
        predictions = f" The predictions were finite{_range(root.after)}." if root is not None else ""
        report.findings.append(f"{what} is {kind}{_in_rows(bad, len(value)) if bad else ''}.{predictions}")
        if report.stage is None:
            report.stage, report.rows = "loss", bad
        return True
    return False


def _losses(model: Any, values: list[jax.Array], data: Batch) -> list[tuple[str, Any]]:
    """(description, values) for all terms of a batch's loss."""
    x, y, weight = unpack_x_y_sample_weight(_on_device(data))
    variables = _variables(model)
    found: list[tuple[str, Any]] = []

    def run() -> None:
        added = LossesOfCall()
        with context.scope(losses=added):
            predicted = model(x, **steps.mode(model, True))
            for name, loss, target, output in model._compile_loss.pairs(y, predicted) if model._compile_loss else ():
                arrays = (as_arrays(part, loss.dtype) for part in (target, getattr(output, "outputs", output)))
                where = f' of output "{name}"' if len(model._compile_loss.losses) > 1 else ""
                found.append((f'The loss "{loss.name}"{where}', loss.call(*arrays)))
            found.extend(
                (f"The loss added by {validate.describe(owner)}", value)
                for owner, value in zip(added.owners, added, strict=True)
            )
            found.extend(
                (f"The penalty on the weight {variable.path!r}", variable.regularizer(variable.value))
                for variable in model.trainable_variables if variable.regularizer is not None
            )  # fmt: skip
            if model._compile_loss is not None:
                found.append(("The loss with its sample weights", model._compile_loss(y, predicted, weight)))

    functional(run, variables)(values)
    return found


# ---------------------------------------------------------------- the file


def _save(
    path: str, report: NanReport, variables: Sequence[Variable], values: list[jax.Array], data: Batch, rows: int | None
) -> None:
    """Save the batch and the state before the step as plain arrays."""
    parts = zip(("x", "y", "sample_weight"), unpack_x_y_sample_weight(data), strict=True)
    members = {name: leaf for part, given in parts for name, leaf in named_leaves(given, part)}
    members |= {f"variables/{i}/{variable.path}": values[i] for i, variable in enumerate(variables)}
    members |= {"epoch": report.epoch, "batch": report.batch, "rows": -1 if rows is None else rows}
    with atomic.replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, allow_pickle=False, **{name: _plain(value) for name, value in members.items()})


def _plain(value: Any) -> np.ndarray:
    """An array of a dtype that NumPy has; bfloat16 and similar as float32, which represents them exactly."""
    array = np.asarray(value)
    return array if array.dtype.kind in "biufc" else array.astype("float32")


def _batch_of(members: dict[str, np.ndarray], filepath: str | os.PathLike[str]) -> Batch:
    """(x, y, sample_weight) without the parts that were None, in the original structure."""
    if not {"epoch", "batch", "rows"} <= set(members):
        raise ValueError(f"find_nan: {str(filepath)!r} was not written by TerminateOnNaN(explain=True).")
    parts = [_nested({k: v for k, v in members.items() if re.split(r"\[", k)[0] == part}, part)
             for part in ("x", "y", "sample_weight")]  # fmt: skip
    while parts and parts[-1] is None:
        parts.pop()
    return tuple(parts)


def _nested(members: dict[str, np.ndarray], name: str) -> np.ndarray | AnyDict | AnyList | None:
    """The structure whose leaves `named_leaves` returned."""
    if name in members:
        return members[name]
    first = {key: _KEY.match(key[len(name) :]) for key in members}
    keys = list(dict.fromkeys(match[0] for match in first.values() if match))
    if not keys:
        return None
    below = {
        ast.literal_eval(key[1:-1]): _nested({k: v for k, v in members.items() if k.startswith(name + key)}, name + key)
        for key in keys
    }
    return below if isinstance(next(iter(below)), str) else [below[index] for index in sorted(below)]


def _variables_of(members: dict[str, np.ndarray]) -> list[tuple[str, np.ndarray]]:
    """(path, value) in order."""
    found = [(_VARIABLE.fullmatch(name), value) for name, value in members.items()]
    numbered = sorted((int(match[1]), match[2], value) for match, value in found if match)
    return [(path, value) for _, path, value in numbered]


# ---------------------------------------------------------------- words


def _layer(passage: Passage | None) -> str:
    if passage is None:
        return "train_step"
    operation = passage.operation
    kind = getattr(operation, "class_name", None) or type(operation).__name__
    return f'{kind} "{passage.path}"'


def _kind(optimizer: object) -> str:
    return type(getattr(optimizer, "inner_optimizer", optimizer)).__name__


def _range(moment: Moment) -> str:
    return f", from {moment.low:.4g} to {moment.high:.4g}" if moment.low <= moment.high else ""


def _of_half_precision(passage: Passage, moment: Moment) -> str:
    is_half = getattr(passage.operation, "compute_dtype", None) == "float16"
    return " It computes in float16, whose maximum is 65504: scale its inputs." * (is_half and not moment.has_nan)


def _rows(rows: Sequence[int]) -> str:
    shown = ", ".join(map(str, rows[:_MOST_ROWS]))
    more = f" and {len(rows) - _MOST_ROWS} more" if len(rows) > _MOST_ROWS else ""
    return f"row{'s' if len(rows) > 1 else ''} {shown}{more}"


def _in_rows(rows: Sequence[int], real: int) -> str:
    return " in " + ("every row" if len(rows) == real and real > 1 else _rows(rows))


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more


def _largest(watch: Watch) -> list[tuple[str, float]]:
    finite = [(variable.path, moment.largest) for variable, moment in watch.weights.items() if not moment.is_bad]
    return sorted(finite, key=lambda each: -each[1])[:_MOST]


def _largest_weights(model: "Model", values: list[jax.Array]) -> list[tuple[str, float]]:
    trainable = steps.variables_of(model, "train")[0]
    sizes = [(v.path, float(jnp.abs(value).max(initial=0))) for v, value in zip(trainable, values, strict=False)]
    return sorted(sizes, key=lambda each: -each[1])[:_MOST]


def _tell_sizes(sizes: list[tuple[str, float]], of_what: str, report: NanReport) -> None:
    if sizes:
        told = ", ".join(f"{path} {size:.3g}" for path, size in sizes)
        report.findings.append(f"Largest {of_what}: {told}.")


def _without_rows(moment: Moment) -> Moment:
    """The same, for values whose first axis is not that of the rows, whatever its size."""
    bare = Moment()
    bare.has_nan = moment.has_nan
    return bare


# ---------------------------------------------------------------- helpers


@jax.jit
def _finite(values: list[jax.Array]) -> jax.Array:
    return jnp.stack([jnp.isfinite(value).all() for value in values]).all()


def _are_finite(values: Iterable[Tensor]) -> bool:
    inexact = [value for value in values if jnp.issubdtype(value.dtype, jnp.inexact)]
    return bool(_finite(inexact)) if inexact else True


def _not_finite(variables: Sequence[Variable], values: Sequence[jax.Array]) -> list[str]:
    pairs = zip(variables, values, strict=True)
    return [variable.path for variable, value in pairs if not _are_finite([value])]


def _variables(model: Any) -> list[Variable]:
    """All variables read by a training step, in the order of its state."""
    return [variable for part in steps.variables_of(model, "train") for variable in part]


def _parted(values: list[jax.Array], parts: steps.Parts) -> steps.TrainState:
    remaining = iter(values)
    return steps.TrainState(*([next(remaining) for _ in part] for part in parts))


def _on_device(data: Data) -> Nested:
    return jax.tree.map(jnp.asarray, data)
