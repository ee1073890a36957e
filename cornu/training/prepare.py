"""Before the first step: a first batch builds what is not built, and data that cannot work is rejected.

Nothing is computed here: the model runs abstractly, on shapes alone. On an error, `undone_on_error` restores the model,
its optimizer and its metrics.
"""

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from cornu import tree, validate
from cornu.core import context, parts
from cornu.core.border import is_text, narrowed
from cornu.core.read_text import opened
from cornu.core.symbolic import KerasTensor, any_symbolic, output_spec
from cornu.core.typing import AnyTuple, Batch, Data, Nested, Tensor
from cornu.core.variable import values_of
from cornu.losses import validation
from cornu.training import advice, anatomy, step
from cornu.training.data.batches import unpack_x_y_sample_weight
from cornu.training.execution.signature import signature
from cornu.training.outputs import Part

if TYPE_CHECKING:
    from cornu.models.model import Model
    from cornu.optimizers.optimizer import Optimizer
    from cornu.training.loop import Trainer


_log = logging.getLogger(__name__)

needs_values: list[type[Exception]] = []
"""Errors of a step that looks at values, after which it runs uncompiled.

There are none but where scripts for TensorFlow run, whose steps may look.
"""


class Prepared(NamedTuple):
    """What is known about a model for batches of certain shapes."""

    outputs: Any  # symbolic; None if labels are not checked against them
    told: anatomy.Told
    embeddings: list[tuple[KerasTensor, object]]  # the inputs and their embedding layers

    def check(self, model: object, data: Data) -> None:
        """Reject invalid labels, and integers that are out of range for an `Embedding`."""
        x, y, _ = unpack_x_y_sample_weight(data)
        for owner, one, target, output in _pairs(model, y, self.outputs) if self.outputs is not None else ():
            if not isinstance(output, Part):
                validation.check_values(one, target, output.shape[-1] if output.shape else None, owner)
        for tensor, value in anatomy.inputs_and_values(model, x) if self.embeddings else ():
            for looked_up, layer in self.embeddings:
                if looked_up is tensor:
                    _check_rows(layer, value, model)


def prepare(model: Any, data: Data, stage: str, whole: Any = None) -> None:
    """Prepare `model` for batches like `data`, or raise an error that says why that is impossible.

    Args:
        model: the model.
        data: a first batch, as passed to steps.
        stage: "train", "test" or "predict".
        whole: all of the data if it is in memory, to check every label and name complete shapes.
    """
    try:
        _prepare(model, data, stage, whole)
    except tuple(needs_values) as error:
        if not model.jit_compile:
            raise
        why = str(error).partition("\n")[0]
        _log.warning("%s: its steps run uncompiled, since they look at values: %s", validate.describe(model), why)
        model.run_eagerly = True
        _prepare(model, data, stage, whole)


def _prepare(model: Any, data: Data, stage: str, whole: Data) -> None:
    key = signature(data)
    is_new = key not in model._computations[stage].prepared
    with undone_on_error(model) if is_new else contextlib.nullcontext():
        if is_new:
            if whole is not None and model.built:  # shapes as the user knows them, before batching
                x, y, _ = unpack_x_y_sample_weight(whole)
                _expect_labels(model, x, y, stage)
                model._check_inputs(x)
            known = Prepared(*_fitted_together(model, data, stage), anatomy.embeddings(model))
            model._computations[stage].prepared[key] = known  # building the model may have recreated it
        known = model._computations[stage].prepared[key]
        known.check(model, whole if whole is not None else data)
        if stage == "train":
            _make_optimizer_ready(model)
    if is_new and stage == "train" and known.outputs is not None:
        data = unpack_x_y_sample_weight(data)
        pairs = model._compile_loss.pairs(data[1], known.outputs)
        ends = dict(zip(map(id, tree.flatten(known.outputs)), known.told.endings, strict=True))
        pairs = [pair for pair in pairs if not isinstance(pair[-1], Part)]
        advice.of_a_batch(model, data, pairs, ends, known.told.readers)


def check_of_later_batches(model: "Trainer", first: Batch, stage: str, owner: str) -> Callable[[Batch, int], None]:
    """A function that rejects a batch (given with its number from 1) unlike the first one passed to `prepare`.

    Args:
        model: the model.
        first: the first batch, as passed to steps.
        stage: "train", "test" or "predict".
        owner: the caller, for error messages.
    """
    known = model._computations[stage].prepared[signature(first)]
    forms = ("x alone", "(x, y)", "(x, y, sample_weight)")
    look = advice.of_later_batches(model) if owner == "fit" else None

    def check(batch: Batch, number: int) -> None:
        if known.outputs is not None and len(batch) < len(first):
            raise ValueError(
                f"{owner}: batch {number} is {forms[len(batch) - 1]}, but the first was {forms[len(first) - 1]}. All "
                "batches must have the same parts."
            )
        try:
            known.check(model, batch)
        except ValueError as error:
            raise ValueError(f"{owner}, batch {number}: {error}") from None
        if look is not None:
            look(batch)

    return check


def _fitted_together(model: object, data: Data, stage: str) -> tuple[Nested, anatomy.Told]:
    """Build the model, its losses and metrics; returns the symbolic outputs, and what is known about the model.

    The outputs are None if labels are not checked against them.
    """
    _, *labels = unpack_x_y_sample_weight(data)
    for name, part in zip(("y", "sample_weight"), labels, strict=True):
        _refuse_text_labels(model, part, name)
    if step.is_default(model, stage):
        return _lined_up(model, data, stage)
    _try_out(model, data, stage)
    return None, anatomy.Told()


def _lined_up(model: Any, data: Data, stage: str) -> tuple[Nested, anatomy.Told]:
    """Match losses and metrics to the outputs, and check the shapes of labels against predictions."""
    x, y, weight = unpack_x_y_sample_weight(data)
    if stage == "predict":
        if not model.built:
            _outputs(model, x, training=False)
        return None, anatomy.Told()
    _expect_labels(model, x, y, stage)
    loss, metrics = model._compile_loss, model._compile_metrics
    outputs, told = _outputs(model, x, training=stage == "train")
    if loss is not None:
        if not loss.built:
            loss.build(y, outputs)
        for owner, one, target, output in _pairs(model, y, outputs):
            if isinstance(output, Part):
                continue
            validation.check_shapes(one, np.shape(target), output.shape, owner)
        symbols = [tree.map_structure(_symbolic, part) for part in (y, weight)]
        output_spec(lambda y, weight, outputs: loss(y, outputs, weight), *symbols, outputs)
    if metrics is not None and not metrics.built:
        metrics.build(y, outputs)
        symbols = [tree.map_structure(_symbolic, part) for part in (y, weight)]
        # Some metrics create their variables when they first see data: a compiled step must find them.
        output_spec(lambda y, weight, outputs: metrics.update_state(y, outputs, weight), *symbols, outputs)
    return (outputs, told) if loss is not None else (None, anatomy.Told())


def _expect_labels(model: Any, x: Data, y: Data, stage: str) -> None:
    """Reject data without labels if a loss or metric of the model needs them."""
    loss, metrics = model._compile_loss, model._compile_metrics
    if y is not None or stage == "predict" or loss is metrics is None or not step.is_default(model, stage):
        return
    raise ValueError(
        f"{validate.describe(model)}: {_names(loss, metrics)} needs labels. Pass y together with x, "
        "or use data that yields (x, y)." + _of_pairs(x)
    )


def _of_pairs(x: Data) -> str:
    """What to do if x is a pair that looks like (x, y)."""
    if not isinstance(x, (list, tuple)) or len(x) != 2:
        return ""
    return f" A {type(x).__name__} of two arrays means two inputs: for data = (x, y), write fit(*data)."


def _pairs(model: Any, y: Data, outputs: Nested) -> Iterator[AnyTuple]:
    """(description, loss, labels, symbolic output) for each output with a loss."""
    for label, one, target, output in model._compile_loss.pairs(y, outputs):
        yield f"{validate.describe(model)}, output {label!r}", one, target, output


def _check_rows(layer: Any, values: Nested, model: Any) -> None:
    if anatomy.is_numeric(values) and values.max() >= layer.input_dim:
        highest = int(values.max())
        raise ValueError(
            f"{validate.describe(model)}: {validate.describe(layer)} has {layer.input_dim} rows, for integers from 0 "
            f"to {layer.input_dim - 1}, but the data contains {highest}. input_dim is the largest integer plus 1: "
            f"Embedding({highest + 1}, {layer.output_dim})."
        )


def _names(loss: Any, metrics: Any) -> str:
    found = tree.flatten(loss.loss) if loss is not None else tree.flatten(list(metrics.given.values()))
    names = [
        one if isinstance(one, str) else getattr(one, "name", None) or getattr(one, "__name__", "loss") for one in found
    ]
    return f"the {'loss' if loss is not None else 'metric'} " + ", ".join(f'"{name}"' for name in names if name)


# ---------------------------------------------------------------- running the model on shapes


def _outputs(model: "Model", x: Data, training: bool) -> tuple[Nested, anatomy.Told]:
    """The model's symbolic outputs for a batch, and what its calls reveal.

    A model that is not built is built for any number of rows.
    """
    if not model.built:
        _run_on_shapes(model, x, training, any_rows=True)
        model.built = True
    return _run_on_shapes(model, x, training)


def _run_on_shapes(model: "Model", x: Data, training: bool, any_rows: bool = False) -> tuple[Nested, anatomy.Told]:
    inputs = tree.map_structure(lambda leaf: _symbolic(leaf, any_rows), x)
    if not any_symbolic(inputs):
        raise ValueError(f"{validate.describe(model)}: the data contains no arrays. Received: {type(x).__name__}.")
    added: list[jax.Array] = []
    told = anatomy.Told()

    def run(values: Nested) -> Nested:
        nonlocal told
        calls = anatomy.Calls()
        with context.scope(watch=calls):
            given = opened(values)
            outputs = model(given, **step.mode(model, training))
        told = anatomy.told(calls, given, outputs)
        return outputs

    with context.scope(losses=added):
        outputs = output_spec(run, inputs)
    if training and model._compile_loss is None and not added and not model._regularization_losses():
        raise ValueError(
            f"{validate.describe(model)}: there is no loss. Pass a loss to compile(), or call add_loss() in a layer."
        )
    return outputs, told


def _symbolic(x: Nested, any_rows: bool = False) -> Nested:
    """A symbolic tensor with the shape and dtype of an array in a batch."""
    if x is None or is_text(x):
        return x
    rows = None if any_rows else x.shape[0]
    return KerasTensor((rows, *x.shape[1:]), narrowed(x[:0]).dtype)


def _refuse_text_labels(model: object, labels: Tensor, name: str) -> None:
    for path, leaf in tree.flatten_with_path(labels):
        if leaf is not None and is_text(leaf):
            where = name + "".join(f"[{part!r}]" for part in path)
            raise ValueError(
                f"{validate.describe(model)}: {where} must contain numbers. Received: text (strings), such as "
                f"{str(leaf.flat[0])!r}. Convert classes to numbers first: "
                f"names, {name} = np.unique({name}, return_inverse=True)."
            )


def _try_out(model: Any, data: Data, stage: str) -> None:
    """Create what a user's own step creates on its first run: it runs once abstractly, and its new values are dropped.

    A pure step receives the values of all variables, so those must exist beforehand: losses and metrics are matched as
    for the built-in step, as far as possible.
    """
    method, own = getattr(model, f"{stage}_step"), getattr(type(model), f"{stage}_step")
    is_built_in = own is getattr(step.Steps, f"{stage}_step")
    lined_up = False
    with contextlib.suppress(Exception):
        _lined_up(model, data, stage)
        lined_up = True
    if not model.jit_compile or (lined_up if is_built_in else step.is_pure(method)):
        return
    if stage == "train" and is_built_in:
        _prepare_optimizer(model, model.optimizer)
    variables = step.variables_of(model, stage)
    state = tuple(map(values_of, variables))
    jax.eval_shape(step.pure_step(model, stage, variables), state, data, None)


# ---------------------------------------------------------------- optimizer


def _make_optimizer_ready(model: Any) -> None:
    """Prepare the optimizer, once for each structure of the model."""
    optimizer = model.optimizer
    if optimizer is None or not optimizer.built:
        _prepare_optimizer(model, optimizer)
    else:
        model._remembered(_prepare_optimizer, optimizer)


def _prepare_optimizer(model: "Model", optimizer: "Optimizer") -> None:
    """Build the optimizer for the trainable variables, and refuse to train any others afterwards."""
    wanted = model.trainable_variables
    if not step.is_default(model, "train"):
        if optimizer is not None and wanted and not optimizer.built:
            optimizer.build(wanted)
        return
    if optimizer is None:
        raise ValueError(
            f"{validate.describe(model)}: fit needs an optimizer, but compile() was called with optimizer=None."
        )
    if not wanted:
        warnings.warn(
            f"{validate.describe(model)}: there are no weights to train, so only the metrics and the state of layers "
            "change. To train, set trainable = True on the model or on some layers, then call compile() again.",
            stacklevel=2,
        )
        return
    if not optimizer.built:
        optimizer.build(wanted)
    known = optimizer._trainable_variables
    if {id(v) for v in known} != {id(v) for v in wanted}:
        raise ValueError(
            f"{validate.describe(model)}: the optimizer {validate.describe(optimizer)} was built for other variables: "
            f"{len(known)} then, {len(wanted)} to train now. An optimizer belongs to one model with fixed values of "
            "`trainable`. After changing `trainable` or adding layers, or for another model, call compile() again with "
            f"a new optimizer: compile({type(optimizer).__name__}(...))."
        )


# ---------------------------------------------------------------- all or nothing


@contextlib.contextmanager
def undone_on_error(model: object) -> Iterator[None]:
    """Scope that restores the model, its layers, optimizer, losses and metrics if it fails."""
    put_back = attributes_kept(model)
    try:
        yield
    except BaseException:
        put_back()
        raise


def attributes_kept(model: Any) -> Callable[[], None]:
    """A function that restores the current attributes of the model, its layers, optimizer, losses and metrics.

    It also restores `trainable`; the variables keep their values.
    """
    optimizers = [part for _, part in parts.walk(model.optimizer)]
    compiled = [part for part in (model._compile_loss, model._compile_metrics) if part is not None]
    metrics = [*model.metrics, *getattr(model._compile_metrics, "metrics", ())]
    held = [*model._flatten_layers(), *metrics, *optimizers, *compiled]
    before = [(part.__dict__, dict(part.__dict__), _copies(part)) for part in held]
    flags = [(variable, variable.trainable) for variable in model.variables]

    def put_back() -> None:
        for attributes, old, copies in before:
            attributes.clear()
            attributes.update(old)
            for container, content in copies:
                container.clear()
                container.extend(content) if isinstance(container, list) else container.update(content)
        for variable, trainable in flags:
            variable.trainable = trainable

    return put_back


def _copies(part: object) -> list[AnyTuple]:
    """The lists and dictionaries among the attributes, with copies of their current contents."""
    return [(value, value.copy()) for value in part.__dict__.values() if isinstance(value, (list, dict))]
