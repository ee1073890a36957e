"""`compile`: how a model is trained, and the metrics that say how it goes."""

from typing import Any

from cornu import optimizers, validate
from cornu.core.configurable import deserialize_keras_object, serialize_keras_object
from cornu.metrics import Mean, Metric
from cornu.training.outputs import CompiledLoss, CompiledMetrics


class Compilable:
    """The half of a trainer that `compile` sets up: optimizer, loss, metrics."""

    def _start_training_state(self) -> None:
        self.optimizer = None
        self.loss = None
        self.stop_training = False
        self.history = None
        self.compiled = False
        self.run_eagerly = False
        self.jit_compile = True
        self.steps_per_execution = 1
        self._compile_loss: CompiledLoss | None = None
        self._compile_metrics: CompiledMetrics | None = None
        self._loss_tracker: Mean | None = None
        self._compile_arguments: dict[str, Any] = {}
        self._trainings = 0  # how many began at epoch 0
        self._forget_functions()

    def _forget_functions(self) -> None:
        self._functions: dict[str, Any] = {}
        self._prepared: dict[tuple, Any] = {}

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: str | bool = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Say how the model is trained.

        Args:
            optimizer: name, object, or an optax transformation.
            loss: name, `Loss` or function of (y_true, y_pred); a list or dictionary of them for several outputs.
            loss_weights: factors of the outputs' losses, a list or dictionary.
            metrics: list of names, metrics or functions; a list or dictionary of lists for several outputs.
            weighted_metrics: the same, with `sample_weight` and `class_weight` applied.
            run_eagerly: whether steps run uncompiled, for debugging.
            steps_per_execution: how many batches one compiled call takes.
            jit_compile: "auto" or True to compile steps with XLA, False to run them uncompiled.
            auto_scale_loss: whether a `mixed_float16` model gets a `LossScaleOptimizer`.

        Example:

            model = cornu.Sequential([cornu.Input((4,)), cornu.layers.Dense(3, "softmax")])
            model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        """
        chosen = optimizers.get(optimizer)
        scaled = isinstance(chosen, optimizers.LossScaleOptimizer)
        if auto_scale_loss and self.dtype_policy.name == "mixed_float16" and chosen is not None and not scaled:
            chosen = optimizers.LossScaleOptimizer(chosen, name="loss_scale_optimizer")
        names = getattr(self, "output_names", None)
        compile_loss = CompiledLoss(loss, loss_weights, names) if loss is not None else None
        compile_metrics = None
        if metrics is not None or weighted_metrics is not None:
            compile_metrics = CompiledMetrics(metrics, weighted_metrics, names)
        validate.one_of(jit_compile, ("auto", True, False), "jit_compile", "compile")
        self.steps_per_execution = validate.positive_int(steps_per_execution, "steps_per_execution", "compile")
        self.optimizer, self._compile_loss, self._compile_metrics = chosen, compile_loss, compile_metrics
        self.loss = loss
        self.run_eagerly = bool(run_eagerly)
        self.jit_compile = bool(jit_compile) and not run_eagerly
        self._loss_tracker = Mean(name="loss")
        self.stop_training = False
        self.compiled = True
        self._compile_arguments = {
            "optimizer": chosen, "loss": loss, "loss_weights": loss_weights, "metrics": metrics,
            "weighted_metrics": weighted_metrics, "run_eagerly": run_eagerly,
            "steps_per_execution": steps_per_execution, "jit_compile": jit_compile,
        }  # fmt: skip
        self._forget_functions()

    def get_compile_config(self) -> dict[str, Any] | None:
        """The arguments of `compile` as plain data; None before `compile`."""
        if not self.compiled:
            return None
        return {key: serialize_keras_object(value) for key, value in self._compile_arguments.items()}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile with what `get_compile_config` gave."""
        if not config or (type(self).compile is not Compilable.compile and "optimizer" not in config):
            return
        self.compile(**deserialize_keras_object(config))
        if self.optimizer is not None and self.built:
            self.optimizer.build(self.trainable_variables)

    def _require_compiled(self, method: str) -> None:
        if not self.compiled:
            raise ValueError(
                f"{validate.describe(self)}: call compile() before {method}(), for example "
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
        """The loss, the metrics of `compile`, and those that layers and attributes hold."""
        compiled = self.__dict__.get("_compile_metrics")
        found = [*self._loss_metrics(), *super().metrics, *(compiled.metrics if compiled else ())]
        return list({id(metric): metric for metric in found}.values())

    @property
    def metrics_names(self) -> list[str]:
        """The names of what `evaluate` returns, in its order."""
        return list(self.get_metrics_result()) or ["loss"]

    def reset_metrics(self) -> None:
        """Start all metrics afresh."""
        for metric in self.metrics:
            metric.reset_state()

    def get_metrics_result(self) -> dict[str, Any]:
        """Every metric's value by name: the loss, the outputs' losses, the metrics of `compile`, then others."""
        losses = self._loss_metrics()
        compiled = self._compile_metrics.metrics if self._compile_metrics is not None else []
        known = {id(metric) for metric in (*losses, *compiled)}
        others = [metric for metric in self.metrics if id(metric) not in known]
        found = {metric.name: metric.result() for metric in losses if metric in self.metrics}
        if self._compile_metrics is not None:
            found |= self._compile_metrics.result()
        for metric in others:
            value = metric.result()
            found |= value if isinstance(value, dict) else {metric.name: value}
        return found
