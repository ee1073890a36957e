"""The learning-rate range test: train for some steps while the rate grows, and see where the loss falls fastest."""

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
from cornu.core.typing import Data
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
_FEWEST = 10  # rates of which something can be said
_REACH = 3.0  # how often the loss may rise by what it fell, or by its lowest value, before the test stops
_MEMORY = 0.8  # the share of the mean so far in the one that says whether the loss rises
_WINDOW = 25  # one part in so many of the rates is the deviation of the smoothing
_CLEAR = 0.02  # the least fall, as a part of the first loss, that counts as one
_NOISE = 1.0  # and in deviations of the losses from the smooth curve


@dataclass(frozen=True, repr=False)
class LearningRates:
    """What `find_learning_rate` saw: `print` says it in a sentence, and `plot` draws it.

    Attributes:
        rates: the learning rates that were tried, in rising order; a float array of shape (n,).
        losses: the loss of a batch at each, before the step; of the same shape.
        planned: how many rates there were to be.
        diverged: whether the test stopped because the loss rose far.
    """

    rates: np.ndarray
    losses: np.ndarray
    planned: int
    diverged: bool

    @property
    def smoothed(self) -> np.ndarray:
        """The losses, averaged over neighbouring rates with the weights of a bell curve; shape (n,)."""
        steps = np.arange(len(self.losses))
        deviation = max(1.0, self.planned / _WINDOW)
        weights = np.exp(-0.5 * ((steps[:, None] - steps) / deviation) ** 2)  # (n, n)
        return weights @ self.losses / weights.sum(1)

    @property
    def lowest(self) -> float:
        """The rate at which the smoothed loss is lowest: more than a training bears for long."""
        return float(self.rates[self.smoothed.argmin()])

    @property
    def suggestion(self) -> float | None:
        """The rate at which the smoothed loss falls fastest, to two digits; None where it falls at none."""
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
                f"No learning rate is suggested: the loss diverged at {last:.2g} already. Try a smaller minimum; where "
                "that does not help, it is not the rate that does it."
            )
        if self.suggestion is None:
            return (
                f"No learning rate is suggested: between {self.rates[0]:.2g} and {last:.2g} the loss did not fall "
                f"({first:.4g} at first, {least:.4g} at best).{self._ending()}"
            )
        return (
            f"The learning rate {self.suggestion:g} is suggested: there the loss falls fastest, on its way from "
            f"{first:.4g} to {least:.4g} at {self.lowest:.2g}.{self._ending()}"
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

    def plot(self, path: str | os.PathLike | None = None) -> Figure:
        """Draw the loss by learning rate, with the suggestion.

        Args:
            path: file to write, of the kind that its ending says; None, the default, writes nothing.

        Returns:
            A `matplotlib.figure.Figure`, which a notebook shows; nothing pops up.

        Raises:
            ImportError: where matplotlib is not installed (the extra `plot`).
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
    """Try learning rates from `minimum` to `maximum`, and suggest the one at which the loss falls fastest.

    The model is trained for `steps` batches, each at a rate that is greater by the same factor, until the loss rises
    far. All of that happens on copies: afterwards the model, its optimizer with its rate or schedule, its metrics and
    all seeds are what they were, also after an error or Ctrl-C. In the place of a schedule the rates of the test are
    taken; of several optimizers (`MultiOptimizer`) the leading one gets them, and the others theirs by the same factor.
    Where gradients are accumulated, each rate is kept until they are applied.

        found = cornu.utils.find_learning_rate(model, x, y)
        print(found)
        model.optimizer.learning_rate = found.suggestion

    What is suggested suits a start from the model's present weights with this batch size; a schedule may begin there.

    Args:
        model: a compiled model.
        x, y, batch_size, sample_weight, class_weight: data, as for `fit`. Data that are shorter than the test are gone
            through again. What is read of a generator is gone.
        minimum: first learning rate, above 0.
        maximum: last one, above `minimum`.
        steps: how many rates are tried, 10 or more.
        verbose: 1 for a progress bar, 0 for none, "auto" for one on a terminal or in a notebook.

    Returns:
        An object with `suggestion` (a float, or None where the loss falls at no rate), `rates`, `losses`, `smoothed`,
        `lowest`, `diverged`, and `plot(path=None)`.

    Raises:
        ValueError: for arguments out of range, a model that is not compiled or has nothing to train, a loss that is
            not finite before the first step, and data of fewer than 10 batches that cannot be gone through again.

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
            f"{_OWNER}: the data ended after {len(seen) * repeats} batches, where at least {_FEWEST * repeats} are "
            "needed. Give data that can be gone through again, such as arrays, or more batches."
        )
    return LearningRates(rates[: len(kept)], np.asarray(kept), len(rates), diverged)


def _rates(minimum: float, maximum: float, steps: int) -> np.ndarray:
    for name, value in (("minimum", minimum), ("maximum", maximum)):
        if isinstance(value, bool) or not validate.is_real(value) or not 0 < value < math.inf:
            raise ValueError(
                f"{_OWNER}: {name} must be a learning rate above 0. Received: {name}={validate.shown(value)}."
            )
    if minimum >= maximum:
        raise ValueError(f"{_OWNER}: minimum must be below maximum. Received: {minimum=}, {maximum=}.")
    if validate.positive_int(steps, "steps", _OWNER) < _FEWEST:
        raise ValueError(f"{_OWNER}: steps must be {_FEWEST} or more. Received: {steps=}.")
    return np.geomspace(minimum, maximum, steps)


# ---------------------------------------------------------------- training at rates that grow


class _Trained:
    """A training of a model on values of its own.

    Args:
        model: the model, in a `trial` and ready for its batches.
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

    def loss(self, batch: tuple, rate: float) -> float:
        """The loss of a batch, after which a step is taken at this rate."""
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
    """(the variable that an optimizer reads its rate from, that rate by the leading one), where schedules give way."""
    leading = _now(optimizer)
    found = []
    for one in _with_rates(optimizer):
        rate = _now(one)
        if not isinstance(one._learning_rate, Variable):
            one._learning_rate = one._new_learning_rate(rate)
        found.append((one._learning_rate, rate / leading if leading else 1.0))
    return found


def _with_rates(optimizer: object) -> list[Any]:
    """The optimizers that have a rate of their own: those inside of one, else itself."""
    inner = [getattr(optimizer, "inner_optimizer", None), *getattr(optimizer, "optimizers", ())]
    return [leaf for one in inner if one is not None for leaf in _with_rates(one)] or [optimizer]


def _now(optimizer: "Optimizer") -> float:
    return float(np.asarray(optimizer.learning_rate))


def _losses(training: _Trained, rates: np.ndarray, batches: Iterator[tuple], repeats: int) -> Iterator[float]:
    """The loss at each rate, of which the first must be finite: no step was taken before it."""
    for number, rate in enumerate(rates):
        taken = [training.loss(batch, float(rate)) for batch in itertools.islice(batches, repeats)]
        if len(taken) < repeats:
            return
        loss = math.fsum(taken) / repeats if np.isfinite(taken).all() else math.nan
        if number == 0 and not math.isfinite(taken[0]):
            raise ValueError(
                f"{_OWNER}: the loss of the first batch is {taken[0]:g}, before any step was taken. Look for NaN and "
                "infinity in the data and in the weights, for example np.isfinite(x).all()."
            )
        yield loss


def _shown(losses: Iterator[float], rates: np.ndarray, verbose: int) -> Iterator[float]:
    """The same, with a progress bar, which ends where the test does."""
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
    """Whether the loss has risen from its lowest by some times what it fell, or is not finite."""
    if not math.isfinite(losses[-1]):
        return True
    means = list(itertools.accumulate(losses, lambda mean, loss: _MEMORY * mean + (1 - _MEMORY) * loss))
    least = min(means)
    return means[-1] - least > _REACH * max(means[0] - least, abs(least))
