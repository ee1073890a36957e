"""`compile`, `fit`, `evaluate`, `predict`: how data goes through a model, batch by batch.

All of them do the same: look at the first batch to build what is not built and to refuse what cannot work, then run
one epoch after the other with one compiled step. Logs stay on the device until a callback reads them. The variables
get their new values after every step, so callbacks see an ordinary model.

The last batch is often smaller. Where no layer, loss or metric mixes rows, it is filled up and the extra rows are
masked out exactly, so that nothing is compiled a second time; otherwise its own shape is compiled once.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from cornu import optimizers, settings, tree, validate
from cornu.callbacks import CallbackList
from cornu.core import context
from cornu.core.configurable import deserialize_keras_object, serialize_keras_object
from cornu.core.operation import narrowed
from cornu.core.symbolic import KerasTensor, any_symbolic, output_spec
from cornu.core.variable import Variable, functional
from cornu.losses import validation
from cornu.metrics import Mean, Metric
from cornu.random import global_seed
from cornu.training import padding, step
from cornu.training.compile import CompiledLoss, CompiledMetrics, batch_rows
from cornu.training.data import (
    Batches,
    is_source_of_batches,
    make_batches,
    split_validation,
    unpack_x_y_sample_weight,
)

_ALL_ROWS = 2**31  # a batch size that no array in memory reaches


class Compiled(NamedTuple):
    """A compiled step, with the variables it was made for."""

    function: Callable
    bound: step.Bound
    jit: bool


class Trainer:
    """Training, evaluation and prediction; the half of a `Model` that is about data."""

    hidden_attributes = frozenset(
        {"_functions", "_compile_loss", "_compile_metrics", "_loss_tracker", "_compile_arguments", "optimizer", "history"}
    )

    def _start_training_state(self) -> None:
        self.optimizer = None
        self.stop_training = False
        self.history = None
        self.compiled = False
        self.run_eagerly = False
        self.jit_compile = True
        self.steps_per_execution = 1
        self._compile_loss: CompiledLoss | None = None
        self._compile_metrics: CompiledMetrics | None = None
        self._loss_tracker = None
        self._compile_arguments: dict[str, Any] = {}
        self._trainings = 0
        self._forget_functions()

    def _forget_functions(self) -> None:
        self._functions: dict[str, Compiled] = {}

    # ------------------------------------------------------------ compile

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
        self._loss_tracker = Mean(name="loss") if loss is not None else None
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
        if not config or type(self).compile is not Trainer.compile and "optimizer" not in config:
            return
        self.compile(**deserialize_keras_object(config))
        if self.optimizer is not None and self.built:
            self.optimizer.build(self.trainable_variables)

    @property
    def compiled_loss(self) -> CompiledLoss | None:
        """The losses of all outputs."""
        return self._compile_loss

    @property
    def metrics(self) -> list[Metric]:
        """The loss, the metrics of `compile`, and those that layers and attributes hold."""
        own = [self._loss_tracker] if getattr(self, "_loss_tracker", None) is not None else []
        if getattr(self, "_compile_loss", None) is not None:
            own += self._compile_loss.trackers
        found = [*own, *super().metrics]
        if getattr(self, "_compile_metrics", None) is not None:
            found += self._compile_metrics.metrics
        return list({id(metric): metric for metric in found}.values())

    @property
    def metrics_names(self) -> list[str]:
        """The names of what `evaluate` returns, in its order."""
        return [name for name in self._named_results() or {"loss": None}]

    def reset_metrics(self) -> None:
        """Start all metrics afresh."""
        for metric in self.metrics:
            metric.reset_state()

    def _named_results(self) -> dict[str, Any]:
        """Every metric's value by name, the loss first, then outputs' losses, metrics of `compile`, others."""
        compiled = self._compile_metrics.metrics if self._compile_metrics is not None else []
        named: dict[str, Any] = {}
        plain = [m for m in self.metrics if not any(m is other for other in compiled)]
        trackers = [self._loss_tracker, *(self._compile_loss.trackers if self._compile_loss else ())]
        first = [m for m in plain if any(m is t for t in trackers)]
        for metric in first:
            named[metric.name] = metric.result()
        if self._compile_metrics is not None:
            named.update(self._compile_metrics.result())
        for metric in plain:
            if not any(metric is t for t in first):
                value = metric.result()
                named.update(value if isinstance(value, dict) else {metric.name: value})
        return named

    def get_metrics_result(self) -> dict[str, Any]:
        """The value of every metric by name."""
        return self._named_results()

    def _require_compiled(self, method: str) -> None:
        if not self.compiled:
            raise ValueError(
                f"{validate.describe(self)}: call compile() before {method}(), for example "
                'model.compile(optimizer="adam", loss="mse").'
            )

    # ------------------------------------------------------------ what users override

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The total loss of a batch: the loss of `compile`, plus what layers and regularizers add.

        Args:
            x, y, sample_weight: the batch.
            y_pred: what the model predicts for `x`.
            training: whether this is a training step.
        """
        total = None
        if self._compile_loss is not None:
            total = self._compile_loss(y, y_pred, sample_weight)
        for loss in self.losses:
            value = jnp.sum(jnp.asarray(loss, settings.floatx()))
            total = value if total is None else total + value
        if total is None:
            raise ValueError(
                f"{validate.describe(self)}: there is no loss. Give compile() a loss, or call add_loss() in a layer."
            )
        return total

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Update the metrics of `compile` with a batch and return all values by name."""
        if self._compile_metrics is not None:
            self._compile_metrics.update_state(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def stateless_compute_loss(
        self,
        trainable_variables: Sequence,
        non_trainable_variables: Sequence,
        metrics_variables: Sequence,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tuple:
        """`compute_loss` as a pure function: (loss, (trainable, non-trainable, metrics variables))."""
        bound = step.Bound.of(self, optimizer=False)._replace(optimizer=())
        pure = functional(
            lambda: self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=training),
            [v for part in bound for v in part],
        )
        loss, values = pure([*trainable_variables, *non_trainable_variables, *metrics_variables])
        trainable, rest, _, metrics = step._split(values, bound)
        return loss, (trainable, rest, metrics)

    def compute_loss_and_updates(
        self,
        trainable_variables: Sequence,
        non_trainable_variables: Sequence,
        metrics_variables: Sequence,
        x: Any,
        y: Any,
        sample_weight: Any,
        training: bool = False,
        optimizer_variables: Sequence | None = None,
    ) -> tuple:
        """The loss to differentiate, and (loss, predictions, non-trainable and metrics variables) beside it."""
        bound = step.Bound.of(self, optimizer=optimizer_variables is not None)
        optimizer_values = list(optimizer_variables) if optimizer_variables is not None else []
        if len(optimizer_values) != len(bound.optimizer):
            bound = bound._replace(optimizer=())
            optimizer_values = []

        def run() -> tuple:
            with context.scope(losses=[]):
                y_pred = self(x, training=training) if _takes_training(self) else self(x)
                loss = self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=training)
            scaled = self.optimizer.scale_loss(loss) if training and self.optimizer is not None else loss
            return scaled, loss, y_pred

        pure = functional(run, [v for part in bound for v in part])
        values = [*trainable_variables, *non_trainable_variables, *optimizer_values, *metrics_variables]
        (scaled, loss, y_pred), after = pure(values)
        _, rest, _, metrics = step._split(after, bound)
        return scaled, (loss, y_pred, rest, metrics)

    def train_step(self, state: Any, data: Any) -> tuple[dict, step.TrainState]:
        """One step of training as a pure function; override it as `train_step(self, state, data)` or `(self, data)`."""
        x, y, weight = unpack_x_y_sample_weight(data)
        trainable, rest, optimizer_variables, metrics_variables = state
        differentiate = jax.value_and_grad(self.compute_loss_and_updates, has_aux=True)
        (_, (loss, y_pred, rest, metrics_variables)), gradients = differentiate(
            trainable, rest, metrics_variables, x, y, weight, training=True, optimizer_variables=optimizer_variables
        )
        trainable, optimizer_variables = self.optimizer.stateless_apply(optimizer_variables, gradients, trainable)
        logs, metrics_variables = self._update_metrics(metrics_variables, x, y, y_pred, weight, loss)
        return logs, step.TrainState(trainable, rest, optimizer_variables, metrics_variables)

    def test_step(self, state: Any, data: Any) -> tuple[dict, tuple]:
        """One step of evaluation as a pure function; override it as `test_step(self, state, data)` or `(self, data)`."""
        x, y, weight = unpack_x_y_sample_weight(data)
        trainable, rest, metrics_variables = state
        _, (loss, y_pred, rest, metrics_variables) = self.compute_loss_and_updates(
            trainable, rest, metrics_variables, x, y, weight, training=False
        )
        logs, metrics_variables = self._update_metrics(metrics_variables, x, y, y_pred, weight, loss)
        return logs, (trainable, rest, metrics_variables)

    def predict_step(self, state: Any, data: Any) -> tuple[Any, list]:
        """One step of prediction as a pure function; override it as `predict_step(self, state, data)` or `(self, data)`."""
        x, _, _ = unpack_x_y_sample_weight(data)
        trainable, rest = state
        kwargs = {"training": False} if _takes_training(self) else {}
        return self.stateless_call(trainable, rest, x, **kwargs)

    def _update_metrics(
        self, metrics_variables: Sequence, x: Any, y: Any, y_pred: Any, weight: Any, loss: Any
    ) -> tuple[dict, list]:
        def update() -> dict:
            if self._loss_tracker is not None:
                example = next(leaf for leaf in tree.flatten(x) if leaf is not None)
                self._loss_tracker.update_state(loss, sample_weight=batch_rows(example))
            return self.compute_metrics(x, y, y_pred, sample_weight=weight)

        return functional(update, self.metrics_variables)(metrics_variables)

    # ------------------------------------------------------------ preparation

    def _prepare(self, data: Any, training: bool | None) -> None:
        """Build what the first batch shows the shape of, and refuse what cannot work, before anything changes."""
        x, y, _ = unpack_x_y_sample_weight(data)
        if not self.built:
            self._predict_abstractly(x, training=False)
            self.built = True
        if training is None:
            return
        if _is_default(self):
            self._line_up(x, y, training)
        if training and self.optimizer is not None and not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)

    def _predict_abstractly(self, x: Any, training: bool) -> Any:
        """The symbolic outputs for a batch."""
        inputs = tree.map_structure(_symbolic, x)
        kwargs = {"training": training} if _takes_training(self) else {}
        if not any_symbolic(inputs):
            raise ValueError(f"{validate.describe(self)}: the data has no arrays. Received: {type(x).__name__}.")
        with context.scope(losses=[]):
            return output_spec(lambda values: self(values, **kwargs), inputs)

    def _line_up(self, x: Any, y: Any, training: bool) -> None:
        """Line losses and metrics up with the outputs and check labels against predictions."""
        loss, metrics = self._compile_loss, self._compile_metrics
        if loss is None and metrics is None:
            return
        if y is None and loss is not None:
            raise ValueError(
                f"{validate.describe(self)}: the loss {_loss_names(loss)} needs labels. Give y beside x, "
                "or let the data yield (x, y)."
            )
        y_pred = self._predict_abstractly(x, training)
        if loss is not None:
            if not loss.built:
                loss.build(y, y_pred)
            for label, one, target, output in loss.pairs(y, y_pred):
                if target is not None:
                    owner = f"{validate.describe(self)}, output {label!r}"
                    validation.check_shapes(one, np.shape(target), output.shape, owner)
        if metrics is not None and not metrics.built:
            metrics.build(y, y_pred)

    def _check_labels(self, arrays: Any) -> None:
        """Refuse labels whose values cannot be right, where all of them are at hand."""
        if arrays is None or self._compile_loss is None or not self._compile_loss.built or not _is_default(self):
            return
        x, y, _ = unpack_x_y_sample_weight(arrays)
        if y is None:
            return
        outputs = self._predict_abstractly(tree.map_structure(lambda a: a[:1] if a is not None else a, x), False)
        for label, one, target, output in self._compile_loss.pairs(y, outputs):
            classes = output.shape[-1] if output.shape else None
            if target is not None:
                validation.check_values(one, target, classes, f"{validate.describe(self)}, output {label!r}")

    def _function(self, kind: str, make: Callable, donate: tuple[int, ...], optimizer: bool = False) -> Compiled:
        """The compiled step of one kind, made again when variables were added, frozen or replaced."""
        bound = step.Bound.of(self, optimizer=optimizer)
        known = self._functions.get(kind)
        if known is None or known.bound != bound or known.jit != self.jit_compile:
            _check_still_trained(self, bound if optimizer else None)
            function = step.compiled(make(self, bound), donate, self.jit_compile)
            known = self._functions[kind] = Compiled(function, bound, self.jit_compile)
        return known

    def make_train_function(self, force: bool = False) -> Callable:
        """The compiled training step, `(state, data, rows) -> (logs, state)`."""
        if force:
            self._functions.pop("train", None)
        return self._function("train", step.train, (0,), optimizer=True).function

    def make_test_function(self, force: bool = False) -> Callable:
        """The compiled evaluation step."""
        if force:
            self._functions.pop("test", None)
        return self._function("test", step.test, (1,)).function

    def make_predict_function(self, force: bool = False) -> Callable:
        """The compiled prediction step."""
        if force:
            self._functions.pop("predict", None)
        return self._function("predict", step.predict, (1,)).function

    # ------------------------------------------------------------ steps

    def _train_batch(self, data: Any, rows: int | None) -> dict[str, Any]:
        train = self._function("train", step.train, (0,), optimizer=True)
        logs, state = train.function(train.bound.state(), data, rows)
        train.bound.write(state)
        return logs

    def _train_batches(self, group: Sequence) -> dict[str, Any]:
        """Several batches of one shape in one compiled call."""
        make = lambda model, bound: step.repeated(step.train(model, bound))  # noqa: E731
        train = self._function("train_many", make, (0,), optimizer=True)
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *group)
        logs, state = train.function(train.bound.state(), stacked, None)
        train.bound.write(state)
        return logs

    def _test_batch(self, data: Any, rows: int | None) -> dict[str, Any]:
        test = self._function("test", step.test, (1,))
        state = test.bound.state()
        rest = (state.non_trainable_variables, state.metrics_variables)
        logs, changed = test.function(state.trainable_variables, rest, data, rows)
        for variables, values in zip((test.bound.non_trainable, test.bound.metrics), changed, strict=True):
            _write_changed(variables, values)
        return logs

    def _predict_batch(self, data: Any) -> Any:
        predict = self._function("predict", step.predict, ())
        state = predict.bound.state()
        outputs, changed = predict.function(state.trainable_variables, state.non_trainable_variables, data)
        _write_changed(predict.bound.non_trainable, changed)
        return outputs

    # ------------------------------------------------------------ fit, evaluate, predict

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: str | int = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Any = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1,
    ) -> Any:
        """Train the model.

        Args:
            x: inputs: array, list or dictionary of arrays, generator, `PyDataset`, or any iterable of batches.
            y: labels, when `x` is arrays.
            batch_size: rows in a batch; 32 by default for arrays.
            epochs: number of the epoch after the last (so the number of epochs, from `initial_epoch` 0).
            verbose: 0 silent, 1 progress bar, 2 one line an epoch, "auto" 1 on a terminal or notebook and 2 elsewhere.
            callbacks: list of callbacks.
            validation_split: fraction of the arrays, taken from their end, to validate on.
            validation_data: (x, y), (x, y, sample_weight) or a data set to validate on after each epoch.
            shuffle: whether the order of rows changes each epoch; it depends on the seed and the epoch alone.
            class_weight: dictionary from class to weight.
            sample_weight: weight of each row (and time step).
            initial_epoch: number of the first epoch.
            steps_per_epoch: number of batches in an epoch; needed for endless data.
            validation_steps: the same for validation.
            validation_batch_size: rows in a validation batch; `batch_size` by default.
            validation_freq: validate every so many epochs, or after the listed epochs (counted from 1).

        Returns:
            A `History`, whose `history` is a dictionary from name to the list of its values by epoch.
        """
        self._require_compiled("fit")
        epochs = min(validate.positive_int(epochs, "epochs", "fit"), settings.read("max_epochs") or epochs)
        if validation_split:
            if validation_data is not None:
                raise ValueError("fit: give validation_split or validation_data, not both.")
            (x, y, sample_weight), validation_data = split_validation((x, y, sample_weight), validation_split)
        batches = make_batches(
            x, y, sample_weight, batch_size=batch_size, steps=_limit(steps_per_epoch), shuffle=shuffle,
            class_weight=class_weight, seed=self._data_seed(initial_epoch), owner="fit",
        )  # fmt: skip
        self._look_at(batches, training=True)
        checks = None
        if validation_data is not None:
            checks = self._validation(validation_data, validation_batch_size or batch_size, validation_steps)
        callbacks = self._callback_list(callbacks, verbose, epochs, batches.num_batches)
        self.stop_training = False
        callbacks.on_train_begin()
        logs: dict[str, Any] = {}
        for epoch in range(initial_epoch, epochs):
            self.reset_metrics()
            callbacks.on_epoch_begin(epoch)
            logs = self._train_epoch(batches.epoch(epoch), batches, callbacks)
            if checks is not None and self._validates(epoch, validation_freq):
                found = self._evaluate(checks, callbacks)
                logs |= {f"val_{name}": value for name, value in found.items()}
            callbacks.on_epoch_end(epoch, logs)
            batches.on_epoch_end()
            if self.stop_training or (epoch + 1 < epochs and not batches.has_next_epoch()):
                break
        if self.optimizer is not None and epochs > initial_epoch:
            self.optimizer.finalize_variable_values(self.trainable_variables)
        callbacks.on_train_end(logs)
        return self.history

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
        **kwargs: Any,
    ) -> Any:
        """The loss and the metrics on data.

        Args:
            x, y, sample_weight, batch_size: as for `fit`.
            verbose: 0 silent, 1 progress bar, 2 one line.
            steps: number of batches; all by default.
            callbacks: list of callbacks.
            return_dict: whether to return a dictionary by name instead of a list.

        Returns:
            The loss alone, or a list in the order of `metrics_names`, or a dictionary.
        """
        if kwargs:
            raise ValueError(f"evaluate: unknown argument(s) {', '.join(map(repr, kwargs))}.")
        self._require_compiled("evaluate")
        batches = make_batches(
            x, y, sample_weight, batch_size=batch_size, steps=_limit(steps), shuffle=False, owner="evaluate"
        )
        self._look_at(batches, training=False)
        callbacks = self._callback_list(callbacks, verbose, 1, batches.num_batches, history=False)
        logs = self._evaluate(batches, callbacks)
        return logs if return_dict else self._listed(logs)

    def predict(
        self, x: Any, batch_size: int | None = None, verbose: str | int = "auto", steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:  # fmt: skip
        """The model's outputs for all rows of `x`, as NumPy arrays.

        Args:
            x, batch_size, verbose, steps, callbacks: as for `evaluate`.
        """
        batches = make_batches(x, batch_size=batch_size, steps=_limit(steps), shuffle=False, owner="predict")
        self._look_at(batches, training=None)
        callbacks = self._callback_list(callbacks, verbose, 1, batches.num_batches, history=False)
        callbacks.on_predict_begin()
        outputs: list = []
        pending: Any = None
        full = padding.size(self, batches, "predict")
        for index, (x_only, _, _) in enumerate(batches.epoch(0)):
            callbacks.on_predict_batch_begin(index)
            filled, rows = padding.fill(x_only, full)
            result = self._predict_batch((filled,))
            if rows is not None:
                result = tree.map_structure(lambda a, n=rows: a[:n], result)
            if pending is not None:
                outputs.append(_on_host(pending))
            pending = result
            callbacks.on_predict_batch_end(index, {"outputs": result} if callbacks.needs_batches("predict") else None)
        outputs.append(_on_host(pending))
        callbacks.on_predict_end()
        return tree.map_structure(lambda *parts: np.concatenate(parts) if len(parts) > 1 else parts[0], *outputs)

    # ------------------------------------------------------------ epochs

    def _look_at(self, batches: Batches, training: bool | None) -> None:
        """Build the model on a first batch and refuse data that cannot work, before anything changes."""
        self._prepare(_packed(batches.example()), training)
        if training is not None:
            self._check_labels(batches.arrays)

    def _data_seed(self, initial_epoch: int) -> int:
        """What the order of batches depends on: the global seed and how many trainings began at epoch 0 before.

        So a training that goes on at a later epoch, also in another process, sees the batches of an unbroken one.
        """
        self._trainings += initial_epoch == 0
        return global_seed() + (max(self._trainings, 1) << 32)

    def _callback_list(
        self, callbacks: Any, verbose: Any, epochs: int, steps: int | None, history: bool = True
    ) -> CallbackList:
        if isinstance(callbacks, CallbackList):
            return callbacks
        return CallbackList(
            callbacks, add_history=history, add_progbar=verbose != 0, verbose=verbose, epochs=epochs, steps=steps,
            model=self,
        )  # fmt: skip

    def _train_epoch(self, iterator: Iterable, batches: Batches, callbacks: CallbackList) -> dict[str, Any]:
        """One epoch of training; the logs of its end."""
        full = padding.size(self, batches, "train")
        logs: dict[str, Any] = {}
        position = 0
        for group in _groups(map(_packed, iterator), self.steps_per_execution):
            callbacks.on_train_batch_begin(position)
            if len(group) > 1 and len(group) == self.steps_per_execution:
                logs = self._train_batches(group)
            else:
                for data in group:
                    filled, rows = padding.fill(data, full)
                    logs = self._train_batch(filled, rows)
            position += len(group)
            callbacks.on_train_batch_end(position - 1, logs)
            if self.stop_training:
                break
        return self._final(logs)

    def _evaluate(self, batches: Batches, callbacks: CallbackList) -> dict[str, Any]:
        """One pass of evaluation; the logs of its end."""
        full = padding.size(self, batches, "test")
        self.reset_metrics()
        callbacks.on_test_begin()
        logs: dict[str, Any] = {}
        for index, batch in enumerate(batches.epoch(0)):
            callbacks.on_test_batch_begin(index)
            filled, rows = padding.fill(_packed(batch), full)
            logs = self._test_batch(filled, rows)
            callbacks.on_test_batch_end(index, logs)
        logs = self._final(logs)
        callbacks.on_test_end(logs)
        return logs

    def _final(self, logs: dict[str, Any]) -> dict[str, Any]:
        """The logs of the last batch as numbers."""
        return {name: _number(value) for name, value in jax.device_get(dict(logs)).items()}

    def _validation(self, data: Any, batch_size: int | None, steps: int | None) -> Batches:
        """The validation data as batches, checked against the model before training starts."""
        if isinstance(data, (list, tuple)) and len(data) in (2, 3) and not hasattr(data, "shape"):
            x, y, weight = unpack_x_y_sample_weight(tuple(data))
        else:
            x, y, weight = data, None, None
        batches = make_batches(
            x, y, weight, batch_size=None if is_source_of_batches(x) else batch_size, steps=_limit(steps),
            shuffle=False, owner="validation_data",
        )  # fmt: skip
        self._look_at(batches, training=False)
        return batches

    @staticmethod
    def _validates(epoch: int, frequency: int | Sequence[int]) -> bool:
        if isinstance(frequency, (list, tuple, set, range)):
            return epoch + 1 in frequency
        return (epoch + 1) % validate.positive_int(frequency, "validation_freq", "fit") == 0

    def _listed(self, logs: dict[str, Any]) -> Any:
        """Values in the order of `metrics_names`; a single one alone."""
        names = [name for name in self.metrics_names if name in logs]
        names += [name for name in logs if name not in names]
        values = [logs[name] for name in names]
        return values[0] if len(values) == 1 else values

    # ------------------------------------------------------------ single batches

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """One step of training on one batch; metrics go on from the batches before.

        Returns:
            The loss alone, a list in the order of `metrics_names`, or a dictionary.
        """
        self._require_compiled("train_on_batch")
        data = self._one_batch(x, y, sample_weight, class_weight, "train_on_batch")
        self._prepare(data, training=True)
        logs = self._final(self._train_batch(data, None))
        return logs if return_dict else self._listed(logs)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """One step of evaluation on one batch; metrics go on from the batches before."""
        self._require_compiled("test_on_batch")
        data = self._one_batch(x, y, sample_weight, None, "test_on_batch")
        self._prepare(data, training=False)
        logs = self._final(self._test_batch(data, None))
        return logs if return_dict else self._listed(logs)

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch, as NumPy arrays."""
        data = self._one_batch(x, None, None, None, "predict_on_batch")
        self._prepare(data, training=None)
        return _on_host(self._predict_batch(data[:1]))

    @staticmethod
    def _one_batch(x: Any, y: Any, sample_weight: Any, class_weight: Any, owner: str) -> tuple:
        batches = make_batches(x, y, sample_weight, batch_size=_ALL_ROWS, class_weight=class_weight, owner=owner)
        return _packed(batches.example())

    # ------------------------------------------------------------ state

    def get_state_tree(self, value_format: str = "backend_tensor") -> dict[str, Any]:
        """The values of all variables, nested by path.

        Args:
            value_format: "backend_tensor" for JAX arrays, "numpy_array" for NumPy ones.
        """
        validate.one_of(value_format, ("backend_tensor", "numpy_array"), "value_format", self)
        parts = {
            "trainable_variables": self.trainable_variables,
            "non_trainable_variables": self.non_trainable_variables,
            "optimizer_variables": self.optimizer.variables if self.optimizer is not None else [],
            "metrics_variables": self.metrics_variables,
        }
        result: dict[str, Any] = {}
        for key, variables in parts.items():
            branch = result[key] = {}
            for variable in variables:
                value = variable.numpy() if value_format == "numpy_array" else jnp.array(variable.value)
                *folders, leaf = variable.path.split("/")
                inner = branch
                for folder in folders:
                    inner = inner.setdefault(folder, {})
                inner[leaf] = value
        return result

    def set_state_tree(self, state_tree: dict[str, Any]) -> None:
        """Give variables the values of `get_state_tree`."""
        parts = {
            "trainable_variables": self.trainable_variables,
            "non_trainable_variables": self.non_trainable_variables,
            "optimizer_variables": self.optimizer.variables if self.optimizer is not None else [],
            "metrics_variables": self.metrics_variables,
        }
        for key, branch in state_tree.items():
            validate.one_of(key, tuple(parts), "each key of state_tree", self)
            by_path = {variable.path: variable for variable in parts[key]}
            for path, value in tree.flatten_with_path(branch):
                joined = "/".join(map(str, path))
                if joined not in by_path:
                    raise ValueError(
                        f"{validate.describe(self)}: no variable is called {joined!r}. "
                        f"Closest: {validate.closest(joined, by_path)}."
                    )
                by_path[joined].assign(value)

    def jax_state_sync(self) -> None:
        """Kept for scripts that call it: variables always hold their newest values."""


# ---------------------------------------------------------------- helpers


def _is_default(model: Any) -> bool:
    """Whether training goes through the built-in steps, so that shapes can be checked for the user."""
    cls = type(model)
    return cls.train_step is Trainer.train_step and cls.compute_loss is Trainer.compute_loss


def _loss_names(loss: CompiledLoss) -> str:
    names = [getattr(one, "name", None) or getattr(one, "__name__", "loss") for one in tree.flatten(loss.loss)]
    return ", ".join(f'"{name}"' for name in names)


def _takes_training(model: Any) -> bool:
    return model._call_accepts("training")


def _symbolic(x: Any) -> Any:
    """A symbolic tensor with the shape of a batch's array; the number of rows stays open."""
    if x is None or not hasattr(x, "shape") or np.dtype(getattr(x, "dtype", None)).kind in "OUS":
        return x
    array = narrowed(x) if isinstance(x, np.ndarray) else x
    return KerasTensor((None, *x.shape[1:]) if x.shape else (), array.dtype)


def _packed(batch: tuple) -> tuple:
    """(x,), (x, y) or (x, y, sample_weight): what a user's step unpacks."""
    x, y, weight = batch
    return (x,) if y is None and weight is None else (x, y) if weight is None else batch


def _number(value: Any) -> Any:
    array = np.asarray(value)
    return float(array) if array.ndim == 0 else array


def _on_host(outputs: Any) -> Any:
    return tree.map_structure(lambda a: np.array(a) if isinstance(a, (jax.Array, Variable)) else a, outputs)


def _write_changed(variables: Sequence[Variable], values: dict[int, Any]) -> None:
    for index, value in values.items():
        variables[index]._value = value


def _groups(iterator: Iterable, size: int) -> Iterator[list]:
    """Batches in groups of `size`; a batch of another shape starts a group of its own."""
    if size == 1:
        for data in iterator:
            yield [data]
        return
    group: list = []
    for data in iterator:
        if group and _shapes(data) != _shapes(group[0]):
            yield group
            group = []
        group.append(data)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def _shapes(data: Any) -> list:
    return [np.shape(leaf) for leaf in tree.flatten(data)]


def _limit(steps: int | None) -> int | None:
    highest = settings.read("max_steps_per_epoch")
    return steps if highest is None else highest if steps is None else min(steps, highest)


def _check_still_trained(model: Any, bound: step.Bound | None) -> None:
    """Refuse to train other variables than the optimizer was built for."""
    if bound is None or model.optimizer is None or not model.optimizer.built:
        return
    known = getattr(model.optimizer, "_trainable_variables", None)
    if known is not None and {id(v) for v in known} != {id(v) for v in bound.trainable}:
        raise ValueError(
            f"{validate.describe(model)}: what is trainable has changed since the optimizer was built "
            f"({len(known)} variables then, {len(bound.trainable)} now). Call compile() again after changing "
            "`trainable` or adding layers."
        )
