"""Whether the rows of a batch are independent."""

import functools

import jax

from cornu.core import promises
from cornu.core.typing import Nested, Tensor
from cornu.models.model import Model
from cornu.utils.model_checks.comparing import same
from cornu.utils.model_checks.report import LEFT_OUT, OK, Finding
from cornu.utils.model_checks.running import first_of
from cornu.utils.model_checks.trial import Trial


def rows_in_inference(trial: Trial) -> list[Finding]:
    """Other rows must have no influence."""
    check, other = "rows alone, inference", _other_rows(trial)
    if all(o.ndim == 0 or o.shape[0] != trial.rows for o in trial.outputs):
        return [Finding(check, LEFT_OUT, None, "No output has the batch as its first axis.")]
    kept = functools.partial(_kept, trial)
    if all(map(same, trial.outputs, trial.infer(other), [kept] * len(trial.outputs))):
        return [Finding(check, OK)]
    what = "The output of a row depends on the other rows of the batch."
    return [trial.fault_at(check, trial.x, other, kept, what)]


def rows_in_training(trial: Trial) -> list[Finding]:
    """The same in training, except for layers that mix rows by design."""
    check, other = "rows alone, training", _other_rows(trial)
    natural = [
        layer for layer in trial.model._flatten_layers()
        if not isinstance(layer, Model) and promises.kept(layer, "rowwise") == "inference"
    ]  # fmt: skip
    if trial.findings[0].outcome != OK:
        return [Finding(check, LEFT_OUT, None, "As in inference.")]
    kept = functools.partial(_kept, trial)
    outputs, others = (trial.trained(x)[0] for x in (trial.x, other))
    if not all(map(same, outputs, others, [kept] * len(outputs))):
        what = "In training, the output of a row depends on the other rows of the batch."
        return [trial.fault_at(check, trial.x, other, kept, what, training=True)]
    if not natural:
        return [Finding(check, OK)]
    return [Finding(check, OK, None, f"Except for {first_of(natural)}, which by design use all rows.")]


def _other_rows(trial: Trial) -> Nested:
    """The inputs with the rows after the first half replaced."""
    kept = trial.rows // 2

    def changed(x: Tensor) -> Nested:
        return x if x is None else x.at[kept:].set(x[0])

    return jax.tree.map(changed, trial.x)


def _kept(trial: Trial, x: Tensor, mask: object = None) -> Nested:
    return x[: trial.rows // 2] if x.ndim and x.shape[0] == trial.rows else None
