"""Inputs for testing a model: the given ones, or random ones as declared by the model."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from cornu import layers, tree, validate
from cornu.core import border, dtypes
from cornu.core.typing import AnyList, Data
from cornu.training import anatomy
from cornu.utils.model_checks.running import Run, makes_masks

if TYPE_CHECKING:
    from cornu.models.model import Model

_SIZES = (8, 16, 32, 64, 128, 224)  # tried for sizes that are not fixed


def inputs_for(model: "Model", data: Data, rows: int) -> Any:
    if data is not None:
        given = tree.map_structure(lambda x: None if x is None else _array(x)[:rows], data)
        if min(len(x) for x in tree.flatten(given) if x is not None) < 2:
            raise ValueError("check_model: data must have at least 2 rows, since rows are compared with each other.")
        if not model.built:
            model(given)
        return given
    if model.inputs is None:
        raise ValueError(
            f"check_model: {validate.describe(model)} was not created from symbolic tensors, so its inputs "
            "are unknown. Pass some: check_model(model, data=x)."
        )
    return _drawn(model, rows)


def _array(x: object) -> jax.Array:
    array = border.to_numpy(x, "check_model", "data")
    if array.dtype.kind in "OUS":
        raise ValueError("check_model: data must be numbers. Pass the part of the model after the text layers.")
    return border.to_tensor(array)


def _drawn(model: Any, rows: int) -> Any:
    """Inputs for a graph, with the first size that works if sizes are not fixed."""
    tensors = model.inputs
    if any(tensor.dtype == "string" for tensor in tensors):
        raise ValueError(
            f"check_model: {validate.describe(model)} accepts text, but a compiled model needs numbers. Check "
            "the part of the model after the text layers."
        )
    open_sizes = any(None in tensor.shape[1:] for tensor in tensors)
    error: Exception | None = None
    for size in _SIZES if open_sizes else _SIZES[:1]:
        drawn = [
            _draw(model, tensor, [rows, *(d or size for d in tensor.shape[1:])], i) for i, tensor in enumerate(tensors)
        ]
        inputs = tree.pack_sequence_as(model._graph._inputs_struct, drawn)
        try:
            jax.eval_shape(lambda x: Run(model).outputs(x, False), inputs)
            return inputs
        except Exception as reason:  # another size may work
            error = error or reason
    raise ValueError(
        f"check_model: {validate.describe(model)} does not accept random inputs; pass some: check_model(model, data=x)."
    ) from error


def _draw(model: object, tensor: Any, shape: list[int], seed: int) -> jax.Array:
    """Numbers for one input; the last steps of more than half of the rows have values that layers mask."""
    draw = np.random.default_rng(seed)
    readers = _readers(model, tensor, (layers.Embedding, layers.Masking))
    top = min((layer.input_dim for layer in readers if isinstance(layer, layers.Embedding)), default=2)
    is_float = dtypes.is_float(tensor.dtype)
    values = draw.normal(size=shape) if is_float else draw.integers(min(1, top - 1), top, shape)
    array = jnp.asarray(values, tensor.dtype)
    for layer in filter(makes_masks, readers):
        if len(shape) > 1 and shape[1] > 2:
            array = array.at[: shape[0] // 2 + 1, -(shape[1] // 3) :].set(getattr(layer, "mask_value", 0))
    return array


def _readers(model: Any, tensor: Any, kind: tuple[type, ...]) -> AnyList:
    found = [layer for layer, _ in anatomy.first_readers(model, tensor)]
    return [layer for layer in found if isinstance(layer, kind)]
