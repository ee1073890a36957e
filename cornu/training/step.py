"""One step of training, evaluation or prediction: its computation, and how it becomes a pure function.

`Steps` defines the computation of a model for a batch; every method of it may be overridden. A step method is called as
it was written: with `(state, data)` it is already pure; with `(data)` alone it reads and assigns variables, and
`functional` makes it pure (`pure_step`). `execution/compiled.py` compiles it.
"""

import functools
import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from cornu import registry, settings, tree
from cornu.core import context, placement
from cornu.core.read_text import opened
from cornu.core.typing import AnyFunction, AnyTuple, Data, Logs, Nested, Tensor, Values
from cornu.core.variable import Variable, changed_values, functional
from cornu.optimizers import Optimizer
from cornu.random.seed_generator import carried_states
from cornu.training.data.batches import pack_x_y_sample_weight, unpack_x_y_sample_weight
from cornu.training.outputs import CompiledLoss, CompiledMetrics, batch_rows

if TYPE_CHECKING:
    from cornu.layers.layer import (
        Layer,
        Layer as _Half,  # the other half of a model, whose attributes are used here
    )
    from cornu.metrics import Mean
    from cornu.models.model import Model
else:
    _Half = object

Parts = tuple[tuple[Variable, ...], ...]  # variables by kind: trainable, non-trainable, optimizer's, metrics'


class TrainState(NamedTuple):
    """The values of a model's and its optimizer's variables."""

    trainable_variables: list[jax.Array]
    non_trainable_variables: list[jax.Array]
    optimizer_variables: list[jax.Array]
    metrics_variables: list[jax.Array]


class Steps(_Half):
    """The computation of a model for one batch: loss, gradients, metrics, predictions."""

    if TYPE_CHECKING:  # set up by `Compilable`
        optimizer: Any  # an `Optimizer`, or None
        _compile_loss: CompiledLoss | None
        _compile_metrics: CompiledMetrics | None
        _loss_tracker: Mean | None

        def get_metrics_result(self) -> Logs: ...

    def compute_loss(
        self,
        x: Data = None,
        y: Data = None,
        y_pred: Tensor = None,
        sample_weight: Data = None,
        training: bool = True,
    ) -> Nested:
        """The total loss of a batch: the loss of `compile`, plus those added by layers and regularizers.

        Args:
            x, y, sample_weight: the batch.
            y_pred: the model's predictions for `x`.
            training: whether this is a training step. Defaults to True.
        """
        parts = [] if self._compile_loss is None else [self._compile_loss(y, y_pred, sample_weight)]
        parts += [jnp.sum(jnp.asarray(loss, settings.floatx())) for loss in self.losses]
        return sum(parts[1:], parts[0]) if parts else jnp.zeros((), settings.floatx())

    def compute_metrics(self, x: Data, y: Data, y_pred: Tensor, sample_weight: Data = None) -> Logs:
        """Update the metrics of `compile` with a batch and return all values by name."""
        if self._compile_metrics is not None:
            self._compile_metrics.update_state(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def train_step(self, state: Any, data: Data) -> tuple[Logs, TrainState]:
        """One step of training; override it as a pure `(self, state, data)` or with assignments as `(self, data)`."""
        x, y, weight = unpack_x_y_sample_weight(data)
        trainable, rest, optimizer, metrics = state
        if context.current().sums is not None:
            loss, y_pred, rest, trainable, optimizer = context.current().sums.step(self, state, x, y, weight)
            logs, metrics = self._update_metrics(metrics, x, y, y_pred, weight, loss)
            return logs, TrainState(trainable, rest, optimizer, metrics)
        differentiate = jax.value_and_grad(self.compute_loss_and_updates, has_aux=True)
        (_, (loss, y_pred, rest, metrics)), gradients = differentiate(
            trainable, rest, metrics, x, y, weight, training=True, optimizer_variables=optimizer
        )
        if trainable:
            trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)
        logs, metrics = self._update_metrics(metrics, x, y, y_pred, weight, loss)
        return logs, TrainState(trainable, rest, optimizer, metrics)

    def test_step(self, state: Nested, data: Data) -> tuple[Logs, Values]:
        """One step of evaluation; override it as a pure `(self, state, data)` or with assignments as `(self, data)`."""
        x, y, weight = unpack_x_y_sample_weight(data)
        trainable, rest, metrics = state
        _, (loss, y_pred, rest, metrics) = self.compute_loss_and_updates(
            trainable, rest, metrics, x, y, weight, training=False
        )
        logs, metrics = self._update_metrics(metrics, x, y, y_pred, weight, loss)
        return logs, (trainable, rest, metrics)

    def predict_step(self, state: Nested, data: Data) -> tuple[Any, list[jax.Array]]:
        """One step of prediction; override it as a pure `(self, state, data)` or with assignments as `(self, data)`.

        The pure form returns the outputs and the values of the non-trainable variables.
        """
        x, _, _ = unpack_x_y_sample_weight(data)
        trainable, rest = state
        return self.stateless_call(trainable, rest, x, **mode(self, False))

    def compute_loss_and_updates(
        self,
        trainable_variables: Sequence[jax.Array],
        non_trainable_variables: Sequence[jax.Array],
        metrics_variables: Sequence[jax.Array],
        x: Data,
        y: Data,
        sample_weight: Data,
        training: bool = False,
        optimizer_variables: Sequence[jax.Array] | None = None,
    ) -> AnyTuple:
        """The loss to differentiate, and (loss, predictions, non-trainable and metrics variables) as aux."""
        parts = own_variables(self)
        if optimizer_variables is not None:  # used if the optimizer scales the loss
            parts = (*parts, tuple(self.optimizer.variables))

        def run() -> AnyTuple:
            with context.scope(losses=[]):
                y_pred = self(x, **mode(self, training))
                loss = self._loss_of(x, y, y_pred, sample_weight, training)
            scales = training and self.optimizer is not None
            return self.optimizer.scale_loss(loss) if scales else loss, loss, y_pred

        state = (trainable_variables, non_trainable_variables, metrics_variables, optimizer_variables or ())
        step: AnyFunction = functools.partial(_on_state, run, parts=parts)
        if training and context.current().watch is None:
            step = placement.gathering_again(step, parts[0])
        (scaled, loss, y_pred), after = step(state[: len(parts)])
        return scaled, (loss, y_pred, after[1], after[2])

    def stateless_compute_loss(
        self,
        trainable_variables: Sequence[jax.Array],
        non_trainable_variables: Sequence[jax.Array],
        metrics_variables: Sequence[jax.Array],
        x: Data = None,
        y: Data = None,
        y_pred: Tensor = None,
        sample_weight: Data = None,
        training: bool = True,
    ) -> AnyTuple:
        """`compute_loss` as a pure function: (loss, (trainable, non-trainable, metrics variables))."""
        state = (trainable_variables, non_trainable_variables, metrics_variables)
        loss, after = _on_state(
            lambda: self._loss_of(x, y, y_pred, sample_weight, training), state, parts=own_variables(self)
        )
        return loss, tuple(after)

    def _loss_of(self, x: Data, y: Data, y_pred: Tensor, sample_weight: Data, training: bool) -> Nested:
        """`compute_loss`, which has no `training` argument in older scripts."""
        takes_mode = "training" in inspect.signature(self.compute_loss).parameters
        kwargs = {"training": training} if takes_mode else {}
        return self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, **kwargs)

    def _update_metrics(
        self, metrics_variables: Sequence[jax.Array], x: Data, y: Data, y_pred: Tensor, weight: object, loss: object
    ) -> tuple[Logs, list[jax.Array]]:
        def update() -> Logs:
            if self._loss_tracker is not None:
                example = next(leaf for leaf in tree.flatten(x) if leaf is not None)
                self._loss_tracker.update_state(loss, sample_weight=batch_rows(example))
            return self.compute_metrics(x, y, y_pred, sample_weight=weight)

        return functional(update, self.metrics_variables)(metrics_variables)


def mode(model: "Layer", training: bool) -> dict[str, bool]:
    """The `training` argument for `model`, if its `call` has one."""
    return {"training": training} if model._call_accepts("training") else {}


def is_default(model: Any, stage: str) -> bool:
    """Whether a stage ("train", "test" or "predict") uses cornu's own step, loss and metrics."""
    if makes_own_function(model, stage) or model._computations[stage].made is not None:
        return False
    names = {"predict": ("predict_step",)}.get(stage, (f"{stage}_step", "compute_loss", "compute_metrics"))
    return all(getattr(type(model), name) is getattr(Steps, name) for name in names)


def makes_own_function(model: object, stage: str) -> bool:
    """Whether a subclass overrides `make_train_function` or similar."""
    return not registry.is_builtin(getattr(type(model), f"make_{stage}_function"))


def is_pure(method: AnyFunction) -> bool:
    """Whether a step method accepts `(state, data)`, or anything (`*args`), rather than `(data)`."""
    return _positional_count(getattr(method, "__func__", method)) - inspect.ismethod(method) >= 2


@functools.lru_cache(maxsize=256)
def _positional_count(function: AnyFunction) -> int:
    kinds = [parameter.kind for parameter in inspect.signature(function).parameters.values()]
    if inspect.Parameter.VAR_POSITIONAL in kinds:
        return sys.maxsize
    return len([k for k in kinds if k in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)])


# ---------------------------------------------------------------- from a method to a compiled function


def variables_of(model: object, stage: str) -> Parts:
    """The variables in the state of a stage, as currently in the model."""
    return layers_and_variables(model, stage)[1]


def layers_and_variables(model: Any, stage: str) -> tuple[AnyTuple, Parts]:
    """The model's layers, each with its `trainable`, and the variables in the state of a stage."""
    structure = model._structure()  # compared once for both
    layers = structure.remember(_layers)
    trainable, rest, *metrics = structure.remember(_model_variables, stage != "predict")
    rest = (*rest, *carried_states())
    return layers, (trainable, rest, *((_optimizer_variables(model),) if stage == "train" else ()), *metrics)


def own_variables(model: Any) -> Parts:
    """The model's own variables, without its optimizer's and without those that every step carries."""
    return model._remembered(_model_variables, True)


def _layers(model: "Model") -> AnyTuple:
    return tuple(fact for layer in model._flatten_layers() for fact in (layer, layer.trainable))


def _model_variables(model: "Model", with_metrics: bool) -> Parts:
    trainable = model.trainable_variables
    known = {id(variable) for variable in trainable}
    rest = [variable for variable in model.variables if id(variable) not in known]
    metrics = [tuple(model.metrics_variables)] if with_metrics else []
    return tuple(trainable), tuple(rest), *metrics


def _optimizer_variables(model: object) -> tuple[Variable, ...]:
    return tuple(variable for optimizer in optimizers_of(model) for variable in optimizer.variables)


def optimizers_of(model: Any) -> list[Optimizer]:
    """The optimizer of `compile`; for a step that assigns variables also other optimizers among the attributes."""
    found = [model.optimizer] if model.optimizer is not None else []
    if not is_pure(model.train_step):
        found += [o for o in vars(model).values() if isinstance(o, Optimizer) and o is not model.optimizer]
    return found


def pure_step(model: object, stage: str, parts: Parts, names: list[str] | None = None) -> AnyFunction:
    """`(state, data, rows) -> (result, state)`; `rows` is the number of valid rows in a padded batch, else None.

    The names of the logs are appended to the list `names` in order, which would be lost in a compiled function.
    """
    method = getattr(model, f"{stage}_step")
    known = set(map(id, carried_states()))
    carried = [variable for variable in parts[1] if id(variable) in known]

    def step(state: Values, data: Any, rows: object) -> tuple[Any, AnyTuple]:
        x, *labels = data
        data = (opened(x), *labels)
        data = data if stage == "predict" else pack_x_y_sample_weight(*data)  # x alone is not a tuple, as in Keras
        with _rows(data, rows):
            if is_pure(method):
                result, after = _carrying(method, state, data, carried) if carried else method(state, data)
            else:
                result, after = _on_state(method, state, data, parts=parts)
        if stage == "predict":
            rest = after if is_pure(method) else after[1]
            return tree.map_structure(_array, result), (state[0], rest)
        logs = dict(_flat_logs(result))
        if names is not None:
            names[:] = logs
        return logs, TrainState(*after) if stage == "train" else tuple(after)

    return step


def only_changes(step: AnyFunction) -> AnyFunction:
    """The step with a new state that contains, by index and in the old dtypes, only the values that it changed."""

    def changes(state: Values, data: Data, rows: object) -> tuple[object, list[dict[int, jax.Array]]]:
        result, after = step(state, data, rows)
        replaced = [changed_values(old, new) for old, new in zip(state, after, strict=True)]
        return result, [
            {i: jnp.asarray(new, part[i].dtype) for i, new in changed.items()}
            for part, changed in zip(state, replaced, strict=True)
        ]

    return changes


def _on_state(
    function: AnyFunction, state: Sequence[Sequence[Any]], *args: object, parts: Parts
) -> tuple[Any, list[list[jax.Array]]]:
    """The result of a function that assigns variables, and the new state."""
    pure = functional(function, [variable for part in parts for variable in part])
    result, values = pure([value for part in state for value in part], *args)
    remaining = iter(values)
    return result, [[next(remaining) for _ in part] for part in parts]


def _carrying(method: AnyFunction, state: Values, data: Data, carried: list[Variable]) -> tuple[Logs, list[jax.Array]]:
    """The result of a pure step and its new state, where the state ends its second part with what every step carries.

    The method does not see those values. Of prediction that second part is the whole new state.
    """
    trainable, rest, *others = state
    own = (trainable, rest[: -len(carried)], *others)
    pure = functional(method, carried)
    (result, after), drawn = pure(rest[-len(carried) :], TrainState(*own) if len(own) > 3 else own, data)
    if not others:
        return result, [*after, *drawn]
    trainable, rest, *others = after
    return result, [trainable, [*rest, *drawn], *others]


def _flat_logs(logs: Mapping[str, object]) -> Iterator[tuple[str, jax.Array]]:
    """Names and values; those of a metric with several values are inserted among the others."""
    for name, value in logs.items():
        if isinstance(value, Mapping):
            yield from _flat_logs(value)
        else:
            yield str(name), jnp.asarray(_array(value))


def _array(x: Data) -> Tensor:
    return x.value if isinstance(x, Variable) else x


def _rows(data: Data, rows: Tensor) -> Tensor:
    """Scope that defines which rows of the batch are valid."""
    if rows is None:
        return context.scope(rows=None)
    size = jax.tree.leaves(data)[0].shape[0]
    return context.scope(rows=jnp.arange(size) < rows)
