"""Whether a causal model depends on the future."""

from typing import Any

import jax
import jax.numpy as jnp

from cornu import tree
from cornu.core.typing import Nested, Tensor
from cornu.utils.model_checks.comparing import same
from cornu.utils.model_checks.report import FAULT, LEFT_OUT, NOTE, OK, Finding
from cornu.utils.model_checks.trial import Trial


def the_future(trial: Trial) -> list[Finding]:
    """Later steps must not influence earlier ones."""
    check = "no look ahead"
    asked = trial.causal not in (None, False)
    if not asked and (trial.causal is False or not trial.look.causal):
        return [Finding(check, LEFT_OUT, None, "Not requested (causal=True).")]
    named: Any = [trial.causal] if isinstance(trial.causal, str) else trial.causal
    named = named if asked and named is not True else None
    flat, names = jax.tree.leaves(trial.x), _names(trial)
    if named is not None and not set(named) <= set(names):
        raise ValueError(f"check_model: causal lists {sorted(named)}; the inputs are {sorted(names)}.")
    chosen = [i for i, x in enumerate(flat) if x.ndim > 1 and (named is None or names[i] in named)]
    steps = {flat[i].shape[1] for i in chosen} & {o.shape[1] for o in trial.outputs if o.ndim > 2 and o.shape[1] > 1}
    if not steps:
        text = "No output has the steps of an input on axis 1."
        return [Finding(check, FAULT if asked else LEFT_OUT, None, text)]
    length = max(steps)
    past = length // 2
    changed = [_with_other_steps(x, past) if i in chosen and x.shape[1] == length else x
               for i, x in enumerate(flat)]  # fmt: skip
    other = jax.tree.unflatten(jax.tree.structure(trial.x), changed)

    def part(x: Tensor, mask: object = None) -> Any:
        return x[:, :past] if x.ndim > 1 and x.shape[:2] == (trial.rows, length) else None

    if all(map(same, trial.outputs, trial.infer(other), [part] * len(trial.outputs))):
        return [Finding(check, OK)]
    found = trial.fault_at(check, trial.x, other, part, "The output at a step depends on later steps of the input.")
    if not asked:
        found.outcome = NOTE
        found.detail += f" {trial.look.causal[0]} is causal, the whole model is not: pass causal=True if it should be."
    return [found]


def _names(trial: Trial) -> list[str]:
    paths = tree.flatten_with_path(trial.x)
    own = [tensor.name for tensor in trial.model.inputs or ()]
    return own if len(own) == len(paths) else ["/".join(map(str, path)) or "x" for path, _ in paths]


def _with_other_steps(x: Tensor, past: int) -> Nested:
    """The steps of the previous row, in reverse, starting at step `past`."""
    return x.at[:, past:].set(jnp.roll(x, 1, axis=0)[:, past:][:, ::-1])
