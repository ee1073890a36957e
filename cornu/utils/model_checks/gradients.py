"""Whether a gradient reaches each weight."""

import jax
import jax.numpy as jnp
import numpy as np

from cornu.core.variable import values_of
from cornu.training import step
from cornu.utils.model_checks.report import FAULT, LEFT_OUT, NOTE, OK, Finding
from cornu.utils.model_checks.trial import Trial

_TRIES = 3  # number of attempts with different weights


def gradients(trial: Trial) -> list[Finding]:
    """Every trainable weight has a gradient: with these weights, or with nearby ones."""
    check = "gradients"
    if not trial.run.trainable:
        return [Finding(check, LEFT_OUT, None, "There are no trainable weights.")]
    left = set(range(len(trial.run.trainable)))
    for attempt in range(_TRIES):
        values = _shaken(trial, attempt)
        for fill in (None, np.nan):  # NaN propagates even if multiplied by zero
            if left:
                _, gradients = trial.trained(trial.x, values, fill)
                left = {i for i in left if not np.asarray(gradients[i], "float32").astype(bool).any()}
    if not left:
        return [Finding(check, OK)]
    missing = [trial.run.trainable[i].path for i in sorted(left)]
    owner = next(
        (layer for layer in trial.model._flatten_layers()
         if any(trial.run.trainable[min(left)] is v for v in layer._own_variables())), None
    )  # fmt: skip
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    text = f"No gradient of the outputs reaches {', '.join(missing[:3])}{more}."
    outcome = FAULT if step.is_default(trial.model, "train") else NOTE
    if outcome == NOTE:
        text += " The model's own train_step or compute_loss may use it."
    return [Finding(check, outcome, owner.path if owner is not None else None, text)]


def _shaken(trial: Trial, attempt: int) -> list[jax.Array]:
    """The variables' values, in later attempts with some noise added to the trainable ones."""
    values = values_of(trial.run.variables)
    if not attempt:
        return values
    draw, trained = np.random.default_rng(attempt), {id(v) for v in trial.run.trainable}
    return [
        value + jnp.asarray(draw.normal(size=value.shape) * 0.1, value.dtype) if id(variable) in trained else value
        for variable, value in zip(trial.run.variables, values, strict=True)
    ]
