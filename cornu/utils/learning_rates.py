"""The learning-rate range test: train for some steps with an increasing rate, and find where the loss falls fastest."""

import itertools
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from cornu import validate
from cornu.callbacks.messages import resolve_verbose
from cornu.callbacks.progbar import Progbar
from cornu.core import interrupts, notebook
from cornu.core.tracebacks import filtered
from cornu.core.typing import AnyList, Batch, Data
from cornu.core.variable import Variable, values_of
from cornu.errors import MissingPackageError
from cornu.optimizers import Optimizer
from cornu.saving import pictures
from cornu.training.step import TrainState, variables_of
from cornu.training.trial import batches_for, check_compiled, trial, whole_batches

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cornu.models import Model
else:
    Figure: TypeAlias = Any
    Model: TypeAlias = Any

_OWNER = "find_learning_rate"
_FEWEST = 10  # minimum number of rates for a result
_REACH = 3.0  # the test stops when the loss rises by this multiple of its decrease, or of its minimum
_MEMORY = 0.8  # decay rate of the running mean that detects a rising loss
_WINDOW = 25  # number of rates divided by the standard deviation of the smoothing
_CLEAR = 0.02  # minimum relative decrease that counts
_NOISE = 1.0  # and in standard deviations of the losses from the smoothed curve


@dataclass(frozen=True, repr=False)
class LearningRates:
    """The results of `find_learning_rate`: `print` describes them in a sentence, and `plot` draws them.

    Attributes:
        rates: the tested learning rates, in increasing order; a float array of shape (n,).
        losses: the loss of a batch at each, before the step; same shape.
        planned: planned number of rates.
        diverged: whether the test stopped because the loss diverged.
    """

    rates: np.ndarray
    losses: np.ndarray
    planned: int
    diverged: bool

    @property
    def smoothed(self) -> np.ndarray:
        """The losses, smoothed over adjacent rates with Gaussian weights; shape (n,)."""
        steps = np.arange(len(self.losses))
        deviation = max(1.0, self.planned / _WINDOW)
        weights = np.exp(-0.5 * ((steps[:, None] - steps) / deviation) ** 2)  # (n, n)
        return weights @ self.losses / weights.sum(1)

    @property
    def lowest(self) -> float:
        """The rate with the lowest smoothed loss: usually too high for stable training."""
        return float(self.rates[self.smoothed.argmin()])

    @property
    def suggestion(self) -> float | None:
        """The rate at which the smoothed loss falls fastest, with two digits; None if it never falls."""
        smoothed = self.smoothed
        end = int(smoothed.argmin()) + 1
        if end < 3 or not self._falls(smoothed):
            return None
        slopes = np.gradient(smoothed[:end], np.log(self.rates[:end]))
        return float(f"{self.rates[slopes.argmin()]:.2g}")

    def _falls(self, smoothed: np.ndarray) -> bool:
        fall = smoothed[0] - smoothed.min()
        noise = np.std(self.losses[: smoothed.argmin() + 1] - smoothed[: smoothed.argmin() + 1])
        return bool(fall > max(_CLEAR * abs(smoothed[0]), _NOISE * noise))

    def __repr__(self) -> str:
        first, least, last = self.smoothed[0], self.smoothed.min(), self.rates[-1]
        if self.diverged and len(self.rates) < _FEWEST:
            return (
                f"No learning rate is suggested: the loss already diverged at {last:.2g}. Try a smaller minimum; if "
                "that does not help, the rate is not the cause."
            )
        if self.suggestion is None:
            return (
                f"No learning rate is suggested: between {self.rates[0]:.2g} and {last:.2g} the loss did not fall "
                f"({first:.4g} at first, {least:.4g} at best).{self._ending()}"
            )
        return (
            f"The suggested learning rate is {self.suggestion:g}: there the loss falls fastest, from "
            f"{first:.4g} down to {least:.4g} at {self.lowest:.2g}.{self._ending()}"
        )

    def _ending(self) -> str:
        last = f"{self.rates[-1]:.2g}"
        if self.diverged:
            return f" At {last} it diverged."
        if len(self.rates) < self.planned:
            return f" The data ended at {last}, after {len(self.rates)} of {self.planned} rates."
        return f" It was still falling at {last}, so try a larger maximum." if self._ends_low() else ""

    def _ends_low(self) -> bool:
        return bool(self.smoothed.argmin() == len(self.rates) - 1)

    def plot(self, path: str | os.PathLike[str] | None = None) -> Figure:
        """Draw the loss by learning rate, with the suggestion.

        Args:
            path: file to write, in the format given by its extension; None, the default, writes nothing.

        Returns:
            A `matplotlib.figure.Figure`, which a notebook displays; no window is opened.

        Raises:
            ImportError: if matplotlib is not installed (the extra `plot`).
        """
        figure = pictures.new_figure(6.4, 4.0, f"{_OWNER}(...).plot()")
        axes, smoothed = figure.add_subplot(), self.smoothed
        axes.plot(self.rates, self.losses, color="C0", alpha=0.35, label="loss of a batch")
        axes.plot(self.rates, smoothed, color="C0", linewidth=2, label="smoothed")
        if self.suggestion is not None:
            axes.axvline(self.suggestion, color="C1", linestyle="--", label=f"suggested: {self.suggestion:g}")
        axes.set_xscale("log")
        span = smoothed[0] - smoothed.min() or abs(smoothed[0]) or 1.0
        axes.set_ylim(smoothed.min() - 0.15 * span, smoothed[0] + 0.6 * span)
        axes.grid(alpha=0.3)
        axes.legend()
        pictures.label(axes, "", "learning rate", "loss")
        pictures.write(figure, path)
        return figure

    def _repr_html_(self) -> str:
        try:
            figure = self.plot()
        except MissingPackageError as error:
            return notebook.fragment(repr(self), notebook.line(str(error)))
        pictures.in_gray(figure)
        return notebook.fragment(repr(self), notebook.picture(pictures.as_png(figure), "Loss by learning rate"))


@filtered
@interrupts.kept()
def find_learning_rate(
    model: Model,
    x: Data,
    y: Data = None,
    batch_size: int | None = None,
    *,
    sample_weight: Data = None,
    class_weight: Mapping[int, float] | None = None,
    minimum: float = 1e-7,
    maximum: float = 10.0,
    steps: int = 100,
    verbose: str | int = "auto",
) -> LearningRates:
    """Test learning rates from `minimum` to `maximum`, and suggest the one at which the loss falls fastest.

    The model is trained for `steps` batches, with a rate that grows exponentially, until the loss diverges. All of this
    happens on copies: the model, its optimizer with its rate or schedule, its metrics and all seeds are restored
    afterwards, even after an error or Ctrl-C. The tested rates replace a schedule; with several optimizers
    (`MultiOptimizer`), the leading one gets them, and the others are scaled by the same factor. If gradients are
    accumulated, each rate is kept until they are applied.

        found = cornu.utils.find_learning_rate(model, x, y)
        print(found)
        model.optimizer.learning_rate = found.suggestion

    The suggestion is for a start from the model's current weights with this batch size; a schedule may start there.

    Args:
        model: a compiled model.
        x, y, batch_size, sample_weight, class_weight: data, as for `fit`. Data that are shorter than the test are
            reused. Items read from a generator are consumed.
        minimum: first learning rate, above 0. Defaults to 1e-7.
        maximum: last learning rate, above `minimum`. Defaults to 10.0.
        steps: number of rates, 10 or more. Defaults to 100.
        verbose: 1 for a progress bar, 0 for none, "auto" for one in a terminal or notebook. Defaults to `"auto"`.

    Returns:
        An object with `suggestion` (a float, or None if the loss never falls), `rates`, `losses`, `smoothed`, `lowest`,
        `diverged`, and `plot(path=None)`.

    Raises:
        ValueError: for arguments out of range, a model that is not compiled or has nothing to train, a loss that is not
            finite before the first step, and data of fewer than 10 batches that cannot be reused.

    Example:

        model = cornu.Sequential([cornu.Input((3,)), cornu.layers.Dense(1)])
        model.compile("sgd", "mse")
        x = np.random.default_rng(0).normal(size=(64, 3))
        found = cornu.utils.find_learning_rate(model, x, x.sum(1, keepdims=True), minimum=1e-4, verbose=0)
        model.optimizer.learning_rate = found.suggestion

    Paper: Smith 2017, Cyclical Learning Rates for Training Neural Networks, https://arxiv.org/abs/1506.01186
    """
    rates = _rates(minimum, maximum, steps)
    verbose = resolve_verbose(verbose)
    check_compiled(model, _OWNER)
    with trial(model, x):
        repeats = getattr(model.optimizer, "gradient_accumulation_steps", None) or 1
        batches = batches_for(
            model, (x, y, sample_weight), steps * repeats, _OWNER,
            batch_size=batch_size, class_weight=class_weight, shuffle=True,
        )  # fmt: skip
        losses = _losses(_Trained(model), rates, whole_batches(batches), repeats)
        seen = list(_until_it_diverges(_shown(losses, rates, verbose)))
    diverged = len(seen) > 1 and _has_diverged(seen)
    kept = seen if not diverged or math.isfinite(seen[-1]) else seen[:-1]
    if len(seen) < _FEWEST and not diverged:
        raise ValueError(
            f"{_OWNER}: the data ended after {len(seen) * repeats} batches, but at least {_FEWEST * repeats} are "
            "needed. Use data that can be reused, such as arrays, or more batches."
        )
    return LearningRates(rates[: len(kept)], np.asarray(kept), len(rates), diverged)


def _rates(minimum: float, maximum: float, steps: int) -> np.ndarray:
    for name, value in (("minimum", minimum), ("maximum", maximum)):
        if isinstance(value, bool) or not validate.is_real(value) or not 0 < value < math.inf:
            raise ValueError(
                f"{_OWNER}: {name} must be a learning rate above 0. Received: {name}={validate.shown(value)}."
            )
    if minimum >= maximum:
        raise ValueError(f"{_OWNER}: minimum must be less than maximum. Received: {minimum=}, {maximum=}.")
    if validate.positive_int(steps, "steps", _OWNER) < _FEWEST:
        raise ValueError(f"{_OWNER}: steps must be at least {_FEWEST}. Received: {steps=}.")
    return np.geomspace(minimum, maximum, steps)


# ---------------------------------------------------------------- training with an increasing rate


class _Trained:
    """Training of a model on separate values.

    Args:
        model: the model, in a `trial` and prepared for its batches.
    """

    def __init__(self, model: Any):
        known = model._computations["train"]
        rates = _rates_as_variables(model.optimizer)
        known.make(model, force=False)
        self._step = known.function(model)
        parts = variables_of(model, "train")
        self._state = TrainState(*map(values_of, parts))
        factors = {id(variable): factor for variable, factor in rates}
        self._factors = {i: factors[id(v)] for i, v in enumerate(parts[2]) if id(v) in factors}
        self._starts = [jnp.asarray(value) for value in model._metrics_at_start()]

    def loss(self, batch: Batch, rate: float) -> float:
        """The loss of a batch, followed by a step at this rate."""
        values = list(self._state.optimizer_variables)
        for place, factor in self._factors.items():
            values[place] = jnp.asarray(rate * factor, values[place].dtype)
        state = self._state._replace(optimizer_variables=values, metrics_variables=self._starts)
        logs, after = self._step(state, iter([jax.tree.map(jnp.asarray, batch)]))
        self._state = TrainState(*after)
        if "loss" not in logs:
            raise ValueError(
                f'{_OWNER}: the model\'s train_step must return a dictionary with "loss". Received: {list(logs)}.'
            )
        return float(logs["loss"])


def _rates_as_variables(optimizer: Optimizer) -> list[tuple[Variable, float]]:
    """(the variable from which an optimizer reads its rate, the ratio of that rate to the leading one), without
    schedules."""
    leading = _now(optimizer)
    found = []
    for one in _with_rates(optimizer):
        rate = _now(one)
        if not isinstance(one._learning_rate, Variable):
            one._learning_rate = one._new_learning_rate(rate)
        found.append((one._learning_rate, rate / leading if leading else 1.0))
    return found


def _with_rates(optimizer: object) -> AnyList:
    """The optimizers with their own rates: the inner ones, or the optimizer itself."""
    inner = [getattr(optimizer, "inner_optimizer", None), *getattr(optimizer, "optimizers", ())]
    return [leaf for one in inner if one is not None for leaf in _with_rates(one)] or [optimizer]


def _now(optimizer: "Optimizer") -> float:
    return float(np.asarray(optimizer.learning_rate))


def _losses(training: _Trained, rates: np.ndarray, batches: Iterator[Batch], repeats: int) -> Iterator[float]:
    """The loss at each rate, of which the first must be finite: no step was taken before it."""
    for number, rate in enumerate(rates):
        taken = [training.loss(batch, float(rate)) for batch in itertools.islice(batches, repeats)]
        if len(taken) < repeats:
            return
        loss = math.fsum(taken) / repeats if np.isfinite(taken).all() else math.nan
        if number == 0 and not math.isfinite(taken[0]):
            raise ValueError(
                f"{_OWNER}: the loss of the first batch is {taken[0]:g}, before any step was taken. Check for NaN and "
                "infinity in the data and in the weights, for example np.isfinite(x).all()."
            )
        yield loss


def _shown(losses: Iterator[float], rates: np.ndarray, verbose: int) -> Iterator[float]:
    """The same, with a progress bar that ends with the test."""
    bar = Progbar(len(rates), verbose=int(verbose == 1), stateful_metrics=["learning_rate", "loss"])
    done = 0
    try:
        for done, loss in enumerate(losses, 1):
            bar.update(done, [("learning_rate", float(rates[done - 1])), ("loss", loss)], finalize=False)
            yield loss
    finally:
        if done:
            bar.update(done, finalize=True)


def _until_it_diverges(losses: Iterator[float]) -> Iterator[float]:
    seen: list[float] = []
    for loss in losses:
        yield loss
        seen.append(loss)
        if _has_diverged(seen):
            return


def _has_diverged(losses: list[float]) -> bool:
    """Whether the loss has risen from its minimum by a multiple of its decrease, or is not finite."""
    if not math.isfinite(losses[-1]):
        return True
    means = list(itertools.accumulate(losses, lambda mean, loss: _MEMORY * mean + (1 - _MEMORY) * loss))
    least = min(means)
    return means[-1] - least > _REACH * max(means[0] - least, abs(least))
