"""Whether a saved and loaded model is the same."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax

from cornu import registry
from cornu.core import parts
from cornu.core.variable import values_of
from cornu.saving import load_model
from cornu.utils.model_checks.comparing import first_difference, same
from cornu.utils.model_checks.report import FAULT, OK, Finding
from cornu.utils.model_checks.running import Record, Run
from cornu.utils.model_checks.trial import Trial

if TYPE_CHECKING:
    from cornu.layers.layer import Layer

_CALLABLE: Any = Callable


def files(trial: Trial) -> list[Finding]:
    """A saved and loaded model gives the same results."""
    check = "saved and loaded"
    with tempfile.TemporaryDirectory() as folder:
        path, own = Path(folder) / "model.keras", _own_objects(trial.model)
        try:
            trial.model.save(path)
            loaded = load_model(path, own, compile=False, safe_mode=False)
        except Exception as error:
            return [Finding(check, FAULT, None, f"{type(error).__name__}: {str(error).splitlines()[0]}")]
    run = Run(loaded)
    values = [
        here if same_seed else there
        for here, there, same_seed in zip(
            values_of(trial.run.variables), values_of(run.variables), _are_seeds(trial.model, trial.run), strict=False
        )
    ]
    if len(values_of(trial.run.variables)) != len(run.variables):
        return [Finding(check, FAULT, None, "The loaded model has a different number of variables.")]
    outputs = jax.tree.leaves(run.outputs(trial.x, False, values=values))
    if all(map(same, jax.tree.leaves(trial.eager), outputs)):
        return [Finding(check, OK)]
    here, there = Record(), Record()
    trial.run.outputs(trial.x, False, here)
    run.outputs(trial.x, False, there, values)
    path_of_layer, _ = first_difference(here, there)
    return [Finding(check, FAULT, path_of_layer, "The loaded model gives different outputs.")]


def _are_seeds(model: "Layer", run: Run) -> Iterator[bool]:
    """For each variable of a run, whether it is the state of a seed generator."""
    weights = {id(v) for v in model.weights}
    return (id(variable) not in weights for variable in run.variables)


def _own_objects(model: "Layer") -> dict[str, Any]:
    """The user's classes and functions that a file of the model refers to."""
    found: dict[str, Any] = {}
    for layer in model._flatten_layers():
        held = [value for name, value in vars(layer).items() if name not in layer._hidden]
        for one in (layer, *(each for value in held for each in parts.find(value, _CALLABLE))):
            kind = one if hasattr(one, "__name__") else type(one)
            if callable(one) and not registry.is_builtin(kind):
                found[kind.__name__] = kind
    return found
