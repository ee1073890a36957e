"""`fit`, `evaluate`, `predict`: how data passes through a model, batch by batch.

All of them do the same: use a first batch to build what is not built and to reject what cannot work (`prepare`), then
run epochs with one compiled step (`step`). `_run_calls` is the loop itself. Data preparation is in `data/`, and the
compilation and execution of steps in `execution/`.

If a callback observes each batch, each step is a separate call, variables have their new values after it, and logs stay
on the device until they are read. Otherwise, a call comprises several steps (`execution/multi_step`), whose number is
determined by `execution/steps_per_call`. Where batches come from, and what is prefetched, is described in
`data/chunks`.

The last batch is often smaller. If no layer, loss or metric mixes rows, it is padded and the extra rows are masked out
exactly (`execution/padding`), so that nothing is recompiled; otherwise its shape is compiled once.
"""

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import jax
import numpy as np

from cornu import settings, tree, validate
from cornu.callbacks import CallbackList
from cornu.callbacks.history import History
from cornu.callbacks.messages import resolve_verbose, say
from cornu.callbacks.several_processes import written_by_first
from cornu.core import interrupts, placement
from cornu.core.border import on_device, to_host
from cornu.core.tracebacks import filtered, lacks
from cornu.core.typing import AnyFunction, Batch, Data, Logs, Nested, Tensor
from cornu.core.variable import Variable, give_values, values_of
from cornu.random import global_seed
from cornu.training import advice, facts, state_tree, text
from cornu.training.compile import Compilable
from cornu.training.data.batches import (
    Batches,
    is_source_of_batches,
    make_batches,
    split_validation,
    unpack_x_y_sample_weight,
)
from cornu.training.data.chunks import feed, packed
from cornu.training.data.convert import as_array
from cornu.training.data.shared import require_one, require_same_end
from cornu.training.execution import multi_step, padding
from cornu.training.execution.in_flight import InFlight
from cornu.training.execution.signature import signature
from cornu.training.execution.steps_per_call import DelayedReports
from cornu.training.prepare import check_of_later_batches, prepare, undone_on_error
from cornu.training.rehearsal import rehearsal
from cornu.training.resume import Run
from cornu.training.step import Steps, is_default, makes_own_function
from cornu.training.trial import orders_kept

_STOPS = {"train": "stop_training", "test": "stop_evaluating", "predict": "stop_predicting"}
_ALL_ROWS = 2**31  # a batch size that no array in memory reaches


def _function_of(stage: str) -> property:
    def read(self: "Trainer") -> AnyFunction | None:
        return self._computations[stage].function(self)

    def write(self: "Trainer", function: AnyFunction | None) -> None:
        if function is not None and not callable(function):
            raise TypeError(
                f"{validate.describe(self)}: {stage}_function must be a function of (state, batches), or None, to "
                f"recreate the step. Received: {validate.shown(function)}."
            )
        self._computations[stage].forget()
        self._computations[stage].made = function

    return property(
        read, write, doc=f"The step of `{stage}`, `(state, batches) -> (result, state)`; None before it is created."
    )


class Trainer(Compilable, Steps):
    """Training, evaluation and prediction; the data-related part of a `Model`."""

    hidden_attributes = frozenset({
        "_compile_arguments", "_compile_loss", "_compile_metrics", "_loss_tracker", "loss", "optimizer",
    })  # fmt: skip

    # ------------------------------------------------------------ fit, evaluate, predict

    @filtered
    @interrupts.kept()
    def fit(
        self,
        x: object = None,
        y: object = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: str | int = "auto",
        callbacks: object = None,
        validation_split: float = 0.0,
        validation_data: object = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: object = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1,
        fast_dev_run: bool = False,
    ) -> History:
        """Train the model.

        Args:
            x: inputs: array, list or dictionary of arrays, generator, `PyDataset`, or any iterable of batches.
                Iterables other than generators are prefetched in a thread. For sequences of different lengths, see
                `utils.LengthBuckets`.
            y: labels, if `x` consists of arrays.
            batch_size: number of rows in a batch of arrays, 32 by default; a source of batches has its own.
            epochs: number of the epoch at which training ends (the number of epochs, if `initial_epoch` is 0). Defaults
            to 1.
            verbose: 0 silent, 1 progress bar, 2 one line per epoch, "auto" 1 in a terminal or notebook and 2 elsewhere.
            callbacks: list of callbacks.
            validation_split: fraction of the arrays, taken from their end, used for validation if there is no
                `validation_data`. Defaults to 0.0.
            validation_data: (x, y), (x, y, sample_weight) or a dataset to validate on after each epoch. The batches of
                a generator are kept, so that each epoch is evaluated on the same ones.
            shuffle: whether to shuffle the rows in each epoch; the order depends only on the seed and the epoch.
            Defaults to True.
            class_weight: dictionary from classes to weights.
            sample_weight: weight of each row (and time step).
            initial_epoch: number of the first epoch. Defaults to 0.
            steps_per_epoch: number of batches in an epoch; required for infinite data.
            validation_steps: the same for validation.
            validation_batch_size: number of rows in a validation batch; `batch_size` by default.
            validation_freq: validate every so many epochs, or after the listed epochs (counted from 1). Defaults to 1.
            fast_dev_run: whether to do only a dry run, on one training batch and one validation batch, as an epoch of
                one step. Afterwards the weights and all other state are restored. Files written by callbacks of this
                package go to a temporary location and are deleted; custom callbacks run normally. An iterator is
                advanced by one batch, and a `PyDataset` is notified of the end of an epoch. Defaults to False.

        Returns:
            A `History`, whose `history` is a dictionary from names to lists of values by epoch, and whose `plot()`
            draws them.
        """
        arguments = dict(locals())
        self._require_compiled("fit")
        epochs = min(validate.non_negative_int(epochs, "epochs", "fit"), settings.read("max_epochs") or epochs)
        initial_epoch = validate.non_negative_int(initial_epoch, "initial_epoch", "fit")
        validates = _validation_epochs(validation_freq)
        fast_dev_run = validate.one_of(fast_dev_run, (True, False), "fast_dev_run", "fit")
        orders = orders_kept(self, x, validation_data) if fast_dev_run else None
        with undone_on_error(self):
            is_split = bool(validation_split) and validation_data is None
            if is_split:
                (x, y, sample_weight), validation_data = split_validation((x, y, sample_weight), validation_split)
            batches = make_batches(
                x, y, sample_weight, batch_size=batch_size, steps=_limit(steps_per_epoch), shuffle=shuffle,
                class_weight=class_weight, seed=self._data_seed(initial_epoch), owner="fit",
            )  # fmt: skip
            self._look_at(batches, "train")
            checks = self._validation(validation_data, validation_batch_size or batch_size, validation_steps)
            advice.of_arrays(self, batches, checks, is_split)
        if fast_dev_run:
            epochs, validates = initial_epoch + 1, lambda epoch: True
        tried = nullcontext(callbacks) if orders is None else rehearsal(self, [batches, checks], callbacks, orders)
        with tried as given, written_by_first(given), self._compilations.during_fit(verbose):
            callbacks = self._callback_list(given, verbose, epochs, batches.num_batches, history=True)
            if initial_epoch >= epochs > 0 and resolve_verbose(verbose):
                say(
                    f"fit: no epoch is left to train: epochs={epochs} is where training ends, counted from the "
                    f"start, and it starts after initial_epoch={initial_epoch}."
                )
            facts.tell(callbacks, arguments, batches, checks)
            return self._train(batches, checks, callbacks, initial_epoch, epochs, validates)

    def _train(
        self, batches: Batches, checks: Batches | None, callbacks: CallbackList, initial_epoch: int, epochs: int,
        validates: Callable[[int], bool],
    ) -> History:  # fmt: skip
        """The epochs of `fit`."""
        self.stop_training = False
        logs: Logs = {}
        run = Run(self, batches, checks, callbacks, initial_epoch, epochs)
        with run.under_way():
            while run.epoch < epochs and run.goes_on:
                epoch = run.epoch
                callbacks.on_epoch_begin(epoch)
                run.on_epoch_begin()
                logs = self._epoch("train", batches, callbacks, epoch, run)
                batches.on_epoch_end()
                if checks is not None and validates(epoch + 1):
                    logs |= {f"val_{name}": value for name, value in self._evaluate(checks, callbacks).items()}
                callbacks.on_epoch_end(epoch, logs)
                run.on_epoch_end()
                run.goes_on = not self.stop_training and (run.epoch == epochs or _has_next_epoch(batches))
            if self.optimizer is not None and epochs > initial_epoch:
                self.optimizer.finalize_variable_values(self.trainable_variables)
            callbacks.on_train_end(logs)
        return self.history

    @filtered
    @interrupts.kept()
    def evaluate(
        self,
        x: object = None,
        y: object = None,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        sample_weight: object = None,
        steps: int | None = None,
        callbacks: object = None,
        return_dict: bool = False,
        **kwargs: object,
    ) -> Any:
        """The loss and the metrics on data.

        Args:
            x, y, sample_weight, batch_size: as for `fit`.
            verbose: 0 silent, 1 progress bar, 2 one line.
            steps: number of batches; all by default.
            callbacks: list of callbacks.
            return_dict: whether to return a dictionary by name instead of a list. Defaults to False.

        Returns:
            The loss alone if there are no metrics, a list in the order of `metrics_names`, or a dictionary.
        """
        if kwargs:
            raise ValueError(f"evaluate: unknown argument(s) {', '.join(map(repr, kwargs))}.")
        self._require_compiled("evaluate")
        batches = make_batches(
            x, y, sample_weight, batch_size=batch_size, steps=_limit(steps), shuffle=False, owner="evaluate"
        )
        self._look_at(batches, "test")
        with written_by_first(callbacks):
            logs = self._evaluate(batches, self._callback_list(callbacks, verbose, 1, batches.num_batches))
        return logs if return_dict else _listed(logs)

    @filtered
    @interrupts.kept()
    def predict(
        self, x: object, batch_size: int | None = None, verbose: str | int = "auto", steps: int | None = None,
        callbacks: object = None,
    ) -> Any:  # fmt: skip
        """The model's outputs for all rows of `x`, as NumPy arrays.

        Args:
            x, batch_size, verbose, steps, callbacks: as for `evaluate`.
        """
        if verbose == 0 and not callbacks and steps is None and _is_one_batch(x, batch_size):
            return self._predict_one_batch(x, "predict")
        batches = make_batches(x, batch_size=batch_size, steps=_limit(steps), shuffle=False, owner="predict")
        self._look_at(batches, "predict")
        callbacks = self._callback_list(callbacks, verbose, 1, batches.num_batches)
        outputs: list[Tensor] = []

        def keep(call: multi_step.Call, last: int, result: object) -> None:
            outputs.append(call.real(result))
            callbacks.on_predict_batch_end(last, {"outputs": outputs[-1]} if watched else None)

        watched = callbacks.needs_batches("predict")
        self.stop_predicting = False
        with written_by_first(callbacks):
            callbacks.on_predict_begin()
            self._run_calls("predict", batches, 0, watched, callbacks.on_predict_batch_begin, keep)
            batches.on_epoch_end()
            callbacks.on_predict_end()
        return tree.map_structure(lambda *parts: np.concatenate(parts) if len(parts) > 1 else parts[0], *outputs)

    # ------------------------------------------------------------ epochs

    def _epoch(
        self, stage: str, batches: Batches, callbacks: CallbackList, number: int = 0, run: Run | None = None
    ) -> dict[str, object]:
        """One epoch of training ("train"), in a `run`, or of evaluation ("test"); the final logs."""
        begin, end = (getattr(callbacks, f"on_{stage}_batch_{moment}") for moment in ("begin", "end"))
        if not self._computations[stage].prepared:  # a callback called compile()
            self._look_at(batches, stage)
        logs = self._run_calls(
            stage, batches, number, callbacks.needs_batches(stage), begin, lambda call, last, logs: end(last, logs), run
        )
        logs = _numbers(logs or {})
        advice.after_epoch(self, logs, number, batches.arrays)
        return logs

    def _run_calls(
        self, stage: str, batches: Batches, number: int, watched: bool, begin: AnyFunction, report: AnyFunction,
        run: Run | None = None,
    ) -> Nested:  # fmt: skip
        """Run the steps of one epoch; the result of the last call.

        Args:
            watched: whether a callback observes each batch, so that a step is reported before the next one starts.
            begin: called before each call with the number of its first step.
            report: called after each call with the call, the number of its last step, and its result.
            run: the training run that these steps belong to; some of them may already be done.
        """
        known = self._computations[stage]
        pace = known.steps_per_call(self, watched)
        full = padding.size(self, batches, stage)
        parts = 1 if stage == "predict" else 3
        grouped = self.steps_per_execution != 1
        done, total, interval = (run.step, run.total, run.interval) if run else (0, 0, None)
        starts = None if stage == "predict" else values_of(self.metrics_variables) if done else self._fresh_metrics()
        with (
            feed(
                batches, number, pace, start=done, full=full, parts=parts, grouped=grouped, jit=self.jit_compile
            ) as items,
            InFlight() as under_way,
        ):
            runner = multi_step.Runner(
                stage, pace, functools.partial(known.compiled, self), under_way, starts, total, interval
            )
            if watched:
                begin, report = runner.heeding(begin), runner.heeding(report)
            late = DelayedReports(report, pace, at_once=watched)
            result = run.logs if run and done else None
            was_stopped = done > 0 and getattr(self, _STOPS[stage])  # by a callback, before the run was resumed
            for call in () if was_stopped else runner.calls(items):
                begin(done)
                if run:
                    run.before(call)
                began = time.perf_counter()
                result = call.run()
                done += call.steps
                late(call, done - 1, result, began)
                if run and run.on_steps(call.steps, result):
                    late.finish()
                    run.back_up()
                interrupts.raise_forgotten()
                if getattr(self, _STOPS[stage]):
                    break
            late.finish()
            require_same_end(batches.owner, batches, "the number of their batches", done)
        return result

    def _fresh_metrics(self) -> list[jax.Array]:
        """The initial values of the metrics' variables for an epoch, which are assigned too."""
        starts = list(map(on_device, self._metrics_at_start()))
        give_values(self.metrics_variables, starts)
        return starts

    def _evaluate(self, batches: Batches, callbacks: CallbackList) -> dict[str, object]:
        """One pass of evaluation; the final logs."""
        self.stop_evaluating = False
        callbacks.on_test_begin()
        logs = self._epoch("test", batches, callbacks)
        batches.on_epoch_end()
        callbacks.on_test_end(logs)
        return logs

    def make_train_function(self, force: bool = False) -> AnyFunction | None:
        """Create `train_function`, which takes a batch from an iterator: `(state, batches) -> (logs, state)`.

        A subclass may wrap or replace it: set `self.train_function`, which is then called for each batch, uncompiled.

        Args:
            force: whether to recreate it if it already exists. Defaults to False.

        Returns:
            `train_function`.
        """
        self._computations["train"].make(self, force)
        return self.train_function

    def make_test_function(self, force: bool = False) -> AnyFunction | None:
        """Create `test_function`, like `make_train_function`."""
        self._computations["test"].make(self, force)
        return self.test_function

    def make_predict_function(self, force: bool = False) -> AnyFunction | None:
        """Create `predict_function`, like `make_train_function`."""
        self._computations["predict"].make(self, force)
        return self.predict_function

    train_function = _function_of("train")
    test_function = _function_of("test")
    predict_function = _function_of("predict")

    # ------------------------------------------------------------ data

    def _look_at(self, batches: Batches, stage: str) -> None:
        require_one(
            batches.owner, "their data or their global seed", "Use the same data in each, and call "
            "distribution.initialize() or utils.set_random_seed() first.", batches.num_samples, batches.batch_size,
            batches.num_batches, global_seed(),
        )  # fmt: skip
        batches.same_rows = is_default(self, stage)
        first = batches.example()
        if batches.arrays is None:
            with undone_on_error(self):
                batches.read = text.reader(self, first, stage)
        first = packed(first if batches.read is None else batches.read(first))
        prepare(self, first, stage, batches.arrays)
        self._have_function_made(stage)
        if batches.arrays is None:
            check = check_of_later_batches(self, first, stage, batches.owner)
            batches.check = lambda batch, number: check(packed(batch), number)

    def _have_function_made(self, stage: str) -> None:
        """Call a subclass's own `make_train_function` or similar."""
        if makes_own_function(self, stage):
            getattr(self, f"make_{stage}_function")()

    def _data_seed(self, initial_epoch: int) -> int:
        """The seed of the order of batches: the global seed and the number of earlier runs that began at epoch 0.

        So a run that is continued at a later epoch, also in another process, has the same batches as an uninterrupted
        one.
        """
        self._trainings += initial_epoch == 0
        return global_seed() + (max(self._trainings, 1) << 32)

    def _validation(self, data: object, batch_size: int | None, steps: int | None) -> Batches | None:
        """The validation data as batches, checked against the model before training starts."""
        if data is None:
            return None
        x, y, weight = _validation_parts(data)
        batches = make_batches(
            x, y, weight, batch_size=None if is_source_of_batches(x) else batch_size, steps=_limit(steps),
            shuffle=False, keep=True, owner="validation_data",
        )  # fmt: skip
        try:
            self._look_at(batches, "test")
        except (ValueError, TypeError) as error:
            if lacks(error, batches.owner):
                error.args = (f"{batches.owner}: {error}",)
            raise
        return batches

    def _callback_list(
        self, callbacks: Any, verbose: Any, epochs: int, steps: int | None, history: bool = False
    ) -> CallbackList:
        if isinstance(callbacks, CallbackList):
            return callbacks
        return CallbackList(
            callbacks, add_history=history, add_progbar=verbose != 0 and placement.writes(), verbose=verbose,
            epochs=epochs, steps=steps, model=self,
        )  # fmt: skip

    # ------------------------------------------------------------ single batches

    @filtered
    def train_on_batch(
        self,
        x: object,
        y: object = None,
        sample_weight: object = None,
        class_weight: object = None,
        return_dict: bool = False,
    ) -> Any:
        """One step of training on one batch.

        Returns:
            The batch's loss alone if there are no metrics, a list in the order of `metrics_names`, or a dictionary.
        """
        return self._on_batch("train", x, y, sample_weight, class_weight, return_dict)

    @filtered
    def test_on_batch(
        self, x: object, y: object = None, sample_weight: object = None, return_dict: bool = False
    ) -> Any:
        """One step of evaluation on one batch; the result is as in `train_on_batch`."""
        return self._on_batch("test", x, y, sample_weight, None, return_dict)

    @filtered
    def predict_on_batch(self, x: object) -> Nested:
        """The outputs for one batch, as NumPy arrays."""
        return self._predict_one_batch(x, "predict_on_batch")

    def _predict_one_batch(self, x: object, owner: str) -> Nested:
        """The outputs; an array like the previous one goes straight to the compiled step."""
        known = self._computations["predict"]
        data = (as_array(x, "x", owner),) if type(x) is np.ndarray and x.ndim else None
        ready = data and known.prepared.get(signature(data))
        if ready:
            ready.check(self, data)
        else:
            data = self._one_batch("predict", x, owner=owner)
        with InFlight() as under_way:
            return _on_host(under_way.run(known.compiled(self), data).result)

    def _on_batch(
        self, stage: str, x: object, y: object, weight: object, class_weight: object, return_dict: bool
    ) -> Any:
        self._require_compiled(f"{stage}_on_batch")
        data = self._one_batch(stage, x, y, weight, class_weight)
        function, starts = self._computations[stage].compiled(self), self._metrics_at_start()
        with InFlight() as under_way:
            logs = _numbers(under_way.run(function, data, None, starts).result)
        return logs if return_dict else _listed(logs)

    def _one_batch(
        self,
        stage: str,
        x: Data,
        y: Data = None,
        weight: Data = None,
        class_weight: Any = None,
        owner: str | None = None,
    ) -> Batch:
        owner = owner or f"{stage}_on_batch"
        batches = make_batches(x, y, weight, batch_size=_ALL_ROWS, class_weight=class_weight, owner=owner)
        data = batches.example()
        read = text.reader(self, data, stage)
        data = packed(data if read is None else read(data))
        prepare(self, data, stage)
        self._have_function_made(stage)
        return data

    # ------------------------------------------------------------ state

    def get_state_tree(self, value_format: str = "backend_tensor") -> dict[str, object]:
        """The values of all variables, nested by path.

        Args:
            value_format: "backend_tensor" for JAX arrays, "numpy_array" for NumPy arrays. Defaults to "backend_tensor".
        """
        return state_tree.read(self, value_format)

    def set_state_tree(self, state_tree_: dict[str, object]) -> None:
        """Assign the values returned by `get_state_tree`."""
        state_tree.write(self, state_tree_)

    def jax_state_sync(self) -> None:
        """Accepted for compatibility: variables always have their latest values."""


# ---------------------------------------------------------------- helpers


def _numbers(logs: Logs) -> dict[str, object]:
    """Logs as Python numbers; non-scalars as arrays."""
    fetched = jax.device_get(dict(logs))  # all at once, but sorted by name
    arrays = {name: np.asarray(fetched[name]) for name in logs}
    return {name: float(array) if array.ndim == 0 else array for name, array in arrays.items()}


def _is_one_batch(x: object, batch_size: object) -> bool:
    """Whether `x` is an array with at most as many rows as a batch."""
    most = 32 if batch_size is None else batch_size
    return isinstance(x, (np.ndarray, jax.Array)) and x.ndim > 0 and isinstance(most, int) and len(x) <= most


def _listed(logs: Logs) -> Nested:
    """The values in order; a single one without a list."""
    values = list(logs.values())
    return values[0] if len(values) == 1 else values


def _on_host(outputs: object) -> Nested:
    return tree.map_structure(lambda a: to_host(a) if isinstance(a, (jax.Array, Variable)) else a, outputs)


def _limit(steps: int | None) -> int | None:
    highest = settings.read("max_steps_per_epoch")
    return steps if highest is None else highest if steps is None else min(steps, highest)


def _validation_epochs(frequency: int | Sequence[int]) -> Callable[[int], bool]:
    """Whether to validate after an epoch, counted from 1."""
    if isinstance(frequency, (list, tuple, set, range)):
        return frozenset(frequency).__contains__
    every = validate.positive_int(frequency, "validation_freq", "fit")
    return lambda epoch: epoch % every == 0


def _has_next_epoch(batches: Batches) -> bool:
    """Whether the data has another epoch, which all processes must agree on."""
    found = batches.has_next_epoch()
    require_same_end(batches.owner, batches, "whether their data has another epoch", int(found))
    return found


def _validation_parts(data: object) -> Batch:
    """(x, y, sample_weight) of validation data; a source of batches is only x."""
    if is_source_of_batches(data):
        return data, None, None
    if not isinstance(data, (list, tuple)) or len(data) not in (2, 3):
        received = f"a {type(data).__name__}" + (f" of {len(data)}" if isinstance(data, (list, tuple)) else "")
        raise ValueError(
            f"fit: validation_data must be (x, y), (x, y, sample_weight) or a source of batches. Received: {received}."
        )
    return unpack_x_y_sample_weight(tuple(data))
