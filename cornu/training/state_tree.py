"""The values of a model's and its optimizer's variables as nested dictionaries, by path."""

from typing import Any

import jax.numpy as jnp

from cornu import tree, validate
from cornu.core.typing import State
from cornu.core.variable import Variable, assign_all


def _variables(model: Any) -> dict[str, list[Variable]]:
    return {
        "trainable_variables": model.trainable_variables,
        "non_trainable_variables": model.non_trainable_variables,
        "optimizer_variables": model.optimizer.variables if model.optimizer is not None else [],
        "metrics_variables": model.metrics_variables,
    }


def read(model: object, value_format: str) -> State:
    """The values of all variables of `model`, nested by path."""
    validate.one_of(value_format, ("backend_tensor", "numpy_array"), "value_format", model)
    result: State = {}
    for key, variables in _variables(model).items():
        result[key] = {}
        for variable in variables:
            *folders, leaf = variable.path.split("/")
            branch = result[key]
            for folder in folders:
                branch = branch.setdefault(folder, {})
            branch[leaf] = variable.numpy() if value_format == "numpy_array" else jnp.array(variable.value)
    return result


def write(model: object, state_tree: State) -> None:
    """Assign the values returned by `read` to the variables of `model`; nothing changes if one does not match."""
    parts = _variables(model)
    variables, values = [], []
    for key, branch in state_tree.items():
        validate.one_of(key, tuple(parts), "each key of state_tree", model)
        by_path = {variable.path: variable for variable in parts[key]}
        for path, value in tree.flatten_with_path(branch):
            joined = "/".join(map(str, path))
            if joined not in by_path:
                raise ValueError(
                    f"{validate.describe(model)}: there is no variable {joined!r}. "
                    f"Closest: {validate.closest(joined, by_path)}."
                )
            variables.append(by_path[joined])
            values.append(value)
    assign_all(variables, values)
