"""`compile`: how a model is trained, and its metrics."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from cornu import optimizers, registry, validate
from cornu.core import context
from cornu.core.configurable import Configurable, deserialize_keras_object, serialize_keras_object
from cornu.core.structure import Found, Structure
from cornu.core.tracebacks import filtered
from cornu.core.typing import AnyList, ConfigDict, Logs
from cornu.core.variable import values_of
from cornu.initializers import Initializer
from cornu.metrics import Mean, Metric
from cornu.training.execution.compilations import Compilations
from cornu.training.execution.computations import STAGES, Computations
from cornu.training.outputs import CompiledLoss, CompiledMetrics, results

if TYPE_CHECKING:
    from cornu.callbacks.history import History
    from cornu.layers.layer import Layer as _Half  # the other half of a model, whose attributes are used here
else:
    _Half = object


class Compilable(_Half):
    """The part of a trainer that `compile` configures: optimizer, loss, metrics."""

    def _start_training_state(self) -> None:
        self.optimizer: optimizers.Optimizer | None = None
        self.loss: Any = None
        self.stop_training = False
        self.stop_evaluating = False
        self.stop_predicting = False
        self.history: History = None  # type: ignore[assignment]  # before the first fit
        self.compiled = False
        self._run_eagerly = False
        self._jit_compile = True
        self.steps_per_execution: int | str = 1
        self._compile_loss: CompiledLoss | None = None
        self._compile_metrics: CompiledMetrics | None = None
        self._loss_tracker: Mean | None = None
        self._compile_arguments: dict[str, object] = {}
        self._trainings = 0  # number of runs that began at epoch 0
        self._compilations = Compilations(validate.describe(self))
        self._known_structure: Structure | None = None
        self._call_structures = 0  # number of structures for which calls were compiled
        self._forget_computations()

    def _forget_computations(self) -> None:
        self._computations = {stage: Computations(stage) for stage in STAGES}
        self._advised: set[str] = set()

    @property
    def run_eagerly(self) -> bool:
        """Whether steps run uncompiled, for debugging."""
        return self._run_eagerly

    @run_eagerly.setter
    def run_eagerly(self, value: bool) -> None:
        self._run_eagerly = bool(value)

    @property
    def jit_compile(self) -> bool:
        """Whether steps are compiled with XLA."""
        return self._jit_compile and not self._run_eagerly

    @jit_compile.setter
    def jit_compile(self, value: bool) -> None:
        self._jit_compile = bool(value)

    @property
    def compilations(self) -> dict[str, int]:
        """The number of compilations so far, by "train", "test" and "predict": one for each batch shape."""
        return self._compilations.counts

    # ------------------------------------------------------------ structure

    volatile_attributes = frozenset({
        "_advised", "_call_structures", "_compilations", "_computations", "_known_structure", "_trainings", "history",
        "stop_evaluating", "stop_predicting", "stop_training",
    })  # fmt: skip

    def _structure(self) -> Structure:
        """The structure of the model: the same object as before, unless a part of it was replaced."""
        known = self._known_structure
        if known is None or not known.holds():
            found = Structure(self, (Configurable, CompiledLoss, CompiledMetrics), (optimizers.Optimizer, Initializer))
            self._known_structure = known = found if known is None else known.renewed(found)
        return known

    def _remembered(self, look: Callable[..., Found], *args: object) -> Found:
        """The result of `look(model, *args)`, computed once for each structure.

        If a user's class overrides how its parts are listed, nothing is cached.
        """
        structure = self._structure()
        return look(self, *args) if structure.remember(_overrides, _LISTS) else structure.remember(look, *args)

    def _remembered_list(self, look: Callable[..., AnyList], *args: object) -> AnyList:
        """As `_remembered`, for a list that follows from the attributes alone, not from other lists of parts."""
        structure = self._structure()
        return look(self, *args) if structure.remember(_overrides, _SOURCES) else [*structure.remember(look, *args)]

    # ------------------------------------------------------------ compile

    @filtered
    def compile(
        self,
        optimizer: object = "rmsprop",
        loss: object = None,
        loss_weights: object = None,
        metrics: object = None,
        weighted_metrics: object = None,
        run_eagerly: bool = False,
        steps_per_execution: int | str = 1,
        jit_compile: str | bool = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Configure the model for training.

        Args:
            optimizer: name, object, or an optax transformation.
            loss: name, `Loss` or function of (y_true, y_pred); a list or dictionary of them for several outputs.
            loss_weights: weights of the outputs' losses, a list or dictionary.
            metrics: list of names, metrics or functions; a list or dictionary of lists for several outputs.
            weighted_metrics: the same, with `sample_weight` and `class_weight` applied.
            run_eagerly: whether steps run uncompiled, for debugging.
            steps_per_execution: maximum number of batches in one compiled call, after which callbacks are called.
                "auto" finds a number for which a call takes 0.4 to 1 s, or up to 4 s if steps are long. With 1,
                training on arrays behaves as with "auto" unless a callback observes each batch. Defaults to 1.
            jit_compile: "auto" or True to compile steps with XLA, False to run them uncompiled.
            auto_scale_loss: whether to wrap the optimizer of a `mixed_float16` model in a `LossScaleOptimizer`.
            Defaults to True.

        Example:

            model = cornu.Sequential([cornu.Input((4,)), cornu.layers.Dense(3, "softmax")])
            model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        """
        chosen = optimizers.get(optimizer)
        scaled = isinstance(chosen, optimizers.LossScaleOptimizer)
        if auto_scale_loss and self._own_dtype_policy.name == "mixed_float16" and chosen is not None and not scaled:
            chosen = optimizers.LossScaleOptimizer(chosen, name="loss_scale_optimizer")
        names = getattr(self, "output_names", None)
        compile_loss = CompiledLoss(loss, loss_weights, names) if loss is not None else None
        compile_metrics = None
        if metrics is not None or weighted_metrics is not None:
            compile_metrics = CompiledMetrics(metrics, weighted_metrics, names, compile_loss)
        validate.one_of(jit_compile, ("auto", True, False), "jit_compile", "compile")
        if steps_per_execution != "auto":
            steps_per_execution = validate.positive_int(steps_per_execution, "steps_per_execution", "compile")
        self.steps_per_execution = steps_per_execution
        self.optimizer, self._compile_loss, self._compile_metrics = chosen, compile_loss, compile_metrics
        self.loss = loss
        self._run_eagerly = bool(run_eagerly)
        self._jit_compile = bool(jit_compile)
        self._loss_tracker = Mean(name="loss")
        self.stop_training = False
        self.compiled = True
        self._compile_arguments = {
            "optimizer": chosen, "loss": loss, "loss_weights": loss_weights, "metrics": metrics,
            "weighted_metrics": weighted_metrics, "run_eagerly": run_eagerly,
            "steps_per_execution": steps_per_execution, "jit_compile": jit_compile,
        }  # fmt: skip
        self._forget_computations()

    def get_compile_config(self) -> ConfigDict:
        """The arguments of `compile` as plain data; none before `compile`."""
        return {key: serialize_keras_object(value) for key, value in self._compile_arguments.items()}

    def compile_from_config(self, config: ConfigDict) -> None:
        """Compile with the result of `get_compile_config`."""
        if not config or (type(self).compile is not Compilable.compile and "optimizer" not in config):
            return
        self.compile(**deserialize_keras_object(config))
        if self.optimizer is not None and self.built:
            self.optimizer.build(self.trainable_variables)

    def _require_compiled(self, method: str) -> None:
        if not self.compiled:
            raise ValueError(
                # KerasHub's tests look for these words.
                f"{validate.describe(self)}: You must call `compile()` before {method}(), for example "
                'model.compile(optimizer="adam", loss="mse").'
            )

    # ------------------------------------------------------------ metrics

    @property
    def compiled_loss(self) -> CompiledLoss | None:
        """The losses of all outputs."""
        return self._compile_loss

    def _loss_metrics(self) -> list[Metric]:
        """The means of the total loss and of the outputs' losses."""
        if self.__dict__.get("_loss_tracker") is None:
            return []
        return [self._loss_tracker, *(self._compile_loss.trackers if self._compile_loss else ())]

    @property
    def metrics(self) -> list[Metric]:
        """The loss, the combined metrics of `compile`, those in layers and attributes, and the outputs' losses."""
        compiled = self.__dict__.get("_compile_metrics")
        own, losses = super().metrics, self._loss_metrics()
        found = [*losses[:1], *([compiled] if compiled is not None else []), *own, *losses[1:]]
        return list({id(metric): metric for metric in found}.values())

    def _metrics_for_outer(self) -> list[Metric]:
        return self._inner_metrics()

    @property
    def metrics_names(self) -> list[str]:
        """The names of the values that `evaluate` returns, in order."""
        return list(self.get_metrics_result()) or ["loss"]

    def reset_metrics(self) -> None:
        """Reset all metrics."""
        for metric in self.metrics:
            metric.reset_state()

    def _metrics_at_start(self) -> AnyList:
        """The values that `reset_metrics` would assign to `metrics_variables`, without assigning them."""
        starts = self._remembered(_metrics_at_start)
        if starts is not None:
            return [value.copy() for value in starts]
        variables = self.metrics_variables  # a user's metric must be queried each time
        assigned = dict(zip(variables, values_of(variables), strict=True))
        with context.state(assigned):
            self.reset_metrics()
        return [assigned.pop(variable) for variable in variables]

    def get_metrics_result(self) -> Logs:
        """Every metric's value by name: the loss, the outputs' losses, the metrics of `compile`, then others."""
        compiled = [(name, metric) for _, _, metric, name in getattr(self._compile_metrics, "entries", ())]
        known = {id(metric) for metric in (*self._loss_metrics(), self._compile_metrics, *dict(compiled).values())}
        listed = self.metrics
        losses = [(metric.name, metric) for metric in self._loss_metrics() if metric in listed]
        others = [(metric.name, metric) for metric in listed if id(metric) not in known]
        return results([*losses, *compiled, *others])


def _metrics_at_start(model: Compilable) -> list[np.ndarray] | None:
    inner = [one for metric in model.metrics for one in getattr(metric, "metrics", (metric,))]
    if not all(registry.is_builtin(type(metric).reset_state) for metric in inner):
        return None
    return [np.asarray(value) for metric in model.metrics for value in metric.stateless_reset_state()]


_SOURCES = ("_collect", "_graph_parts", "_held", "_own_variables", "_parts")

_LISTS = (
    *_SOURCES, "_flatten_layers", "layers", "metrics", "metrics_variables", "non_trainable_variables",
    "non_trainable_weights", "trainable", "trainable_variables", "trainable_weights", "variables", "weights",
)  # fmt: skip


def _overrides(model: Compilable, names: tuple[str, ...]) -> bool:
    """Whether a user's class in the model has one of these methods of its own."""
    return any(_has_own(part, names) for part in model._structure().objects)


def _has_own(part: object, names: tuple[str, ...]) -> bool:
    own = [base for base in type(part).__mro__ if base is not object and not registry.is_builtin(base)]
    return any(name in base.__dict__ for base in own for name in names)
