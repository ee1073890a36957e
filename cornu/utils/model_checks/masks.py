"""Whether masked steps are ignored."""

from typing import Any

import jax
import jax.numpy as jnp

from cornu.core.typing import AnyFunction, Kwargs, Nested, Tensor
from cornu.utils.model_checks.comparing import alike
from cornu.utils.model_checks.report import LEFT_OUT, OK, Finding
from cornu.utils.model_checks.running import Record, arrays, makes_masks
from cornu.utils.model_checks.trial import Trial


def masked_steps(trial: Trial) -> list[Finding]:
    """Values at masked steps must have no influence."""
    check = "masked steps"
    if not trial.look.masking:
        return [Finding(check, LEFT_OUT, None, "No layer creates a mask.")]
    masks: list[Tensor] = []

    def with_noise(scale: float) -> AnyFunction:
        def change(operation: Any, arguments: Kwargs, outputs: Nested) -> Any:
            if not makes_masks(operation):
                return outputs
            mask = operation.compute_mask(next(iter(arguments.values())), None)
            masks.append(mask)
            noise = jax.random.normal(jax.random.key(0), outputs.shape, "float32") * scale
            return jnp.where(mask[..., None], outputs, noise.astype(outputs.dtype))

        return change

    changes = with_noise(1.0), with_noise(3.0)
    pairs = [trial.run.outputs(trial.x, False, Record(change)) for change in changes]
    if all(bool(mask.all()) for mask in masks):
        return [Finding(check, LEFT_OUT, None, "No step of the inputs is masked.")]

    def part(x: Tensor, own: Tensor = None) -> Any:
        """The valid steps; if there is no axis of steps, the rows that have any."""
        if own is not None and own.shape == x.shape[: own.ndim]:
            return x[own.astype(bool)]
        known = [mask for mask in masks if mask.shape == x.shape[: mask.ndim]]
        known = known or [mask.reshape(trial.rows, -1).any(1) for mask in masks if x.shape[:1] == mask.shape[:1]]
        return x[jnp.stack(known).all(0)] if known and len({mask.ndim for mask in known}) == 1 else None

    if alike(arrays(pairs[0]), arrays(pairs[1]), part):
        return [Finding(check, OK)]
    what = "The values at masked steps change the output."
    return [trial.fault_at(check, trial.x, trial.x, part, what, changes=changes)]
