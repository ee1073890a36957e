"""Whether training and inference, and compiled and eager execution, agree."""

import jax

from cornu.core.typing import AnyList
from cornu.layers.layer import Layer
from cornu.utils.model_checks.comparing import everything, first_difference, same
from cornu.utils.model_checks.report import FAULT, LEFT_OUT, NOTE, OK, Finding
from cornu.utils.model_checks.running import (
    Record,
    as_in_inference,
    differs_by_nature,
    first_of,
    has_modes,
    shown,
    through,
)
from cornu.utils.model_checks.trial import Trial


def modes(trial: Trial) -> list[Finding]:
    """Training and inference agree except for differences by design."""
    check = "training like inference"
    outputs, _ = trial.trained(trial.x)
    if trial.are_same(trial.outputs, outputs):
        return [Finding(check, OK)]
    if trial.are_same(_inference_of_natural_layers(trial), outputs):
        layers_within = trial.model._flatten_layers()
        natural = [layer for layer in layers_within if differs_by_nature(layer) and has_modes(layer)]
        return [Finding(check, OK, None, f"Except for {first_of(natural)}, which by design do more in training.")]
    records = [Record(), Record()]
    for training, record in enumerate(records):
        trial.run.outputs(trial.x, bool(training), through(record))
    path, layer = first_difference(records[0], records[1])
    if path is None:
        return [Finding(check, FAULT, None, "Training gives different outputs than inference.")]
    about = f"{shown(layer)} gives different outputs in training"
    if isinstance(layer, Layer) and has_modes(layer):
        return [Finding(check, NOTE, path, f"{about}; it uses random numbers or statistics.")]
    why = "although it uses neither random numbers nor statistics."
    return [Finding(check, FAULT, path, f"{about}, {why}")]


def _inference_of_natural_layers(trial: Trial) -> AnyList:
    """The outputs in inference of a model with layers that always run in training mode."""
    return jax.tree.leaves(trial.run.outputs(trial.x, False, as_in_inference))


def compiled_and_not(trial: Trial) -> list[Finding]:
    """Compiled, and twice operation by operation: equal results."""
    check = "compiled like eager"
    eager = jax.tree.leaves(trial.eager)
    if not all(map(same, eager, jax.tree.leaves(trial.run.outputs(trial.x, False)))):
        what = "The model gives different outputs when it is called again."
        return [trial.fault_at(check, trial.x, trial.x, everything, what)]
    if not trial.model.jit_compile:
        return [Finding(check, LEFT_OUT, None, "The model has jit_compile=False.")]
    if trial.are_same(trial.outputs, eager):
        return [Finding(check, OK)]
    return [
        Finding(check, FAULT, None, "The compiled model gives different outputs than the same operations run eagerly.")
    ]
