"""The inputs and outputs of an exported function: the name, shape and dtype of each array.

A signature is a tuple with one structure of symbolic tensors for each positional argument. It is given by the caller
(as `InputSpec`s, symbolic tensors, arrays, or anything else that has a shape and a dtype), or known from the model.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import jax

from cornu import settings, tree, validate
from cornu.core import dtypes
from cornu.core.symbolic import KerasTensor
from cornu.core.typing import Nested

if TYPE_CHECKING:
    from cornu.layers.layer import Layer

Signature = tuple[Any, ...]


def given(signature: object, owner: object, names: Sequence[str] = ()) -> Signature:
    """The signature passed by the caller: a list or tuple with one entry for each positional argument.

    Args:
        signature: what the caller passed as `input_signature`; a single description means one argument.
        owner: the caller, for error messages.
        names: names of arrays that are described without one.
    """
    arguments = tuple(signature) if isinstance(signature, (list, tuple)) else (signature,)
    leaves, structure = jax.tree.flatten(arguments)
    if not leaves:
        raise ValueError(f"{validate.describe(owner)}: input_signature must describe at least one argument.")
    names = [*names[: len(leaves)], *(f"input_{n}" for n in range(len(names), len(leaves)))]
    return jax.tree.unflatten(structure, [_described(x, n, owner) for x, n in zip(leaves, names, strict=True)])


def _described(x: Nested, name: str, owner: object) -> KerasTensor:
    shape, dtype = getattr(x, "shape", None), getattr(x, "dtype", None)
    if shape is None or isinstance(x, type):
        raise ValueError(
            f"{validate.describe(owner)}: input_signature must contain InputSpecs with a shape, symbolic tensors or "
            f"arrays. Received: {validate.shown(x)}."
        )
    dtype = settings.floatx() if dtype is None else dtype
    return _numeric(KerasTensor(tuple(shape), dtype, name=getattr(x, "name", None) or name), owner)


def _numeric(tensor: KerasTensor, owner: object) -> KerasTensor:
    if tensor.dtype == "string":
        raise ValueError(
            f'{validate.describe(owner)}: the input "{tensor.name}" is text, which compiled functions cannot take. '
            "Export the model that starts behind the text layers, and run those layers where the data is made."
        )
    return tensor


def for_layer(layer: Any, signature: object = None) -> Signature:
    """The signature to export a layer or model with.

    Args:
        layer: where nothing is given, it must be built; a subclassed one then takes batches of every size.
        signature: what the caller passed; where the layer takes several inputs as one argument, so may the caller.
    """
    symbolic = getattr(layer, "_flat_graph_inputs", lambda: None)()
    if signature is None:
        return _from_shapes(layer) if symbolic is None else (_checked_text(layer.input, layer),)
    arguments = given(signature, layer, [x.name for x in symbolic or ()])
    if symbolic is not None and 1 < len(symbolic) == len(arguments):
        return (tree.pack_sequence_as(layer.input, jax.tree.leaves(arguments)),)
    return arguments


def _checked_text(structure: Nested, owner: object) -> Nested:
    return jax.tree.map(lambda x: _numeric(x, owner), structure)


def _from_shapes(layer: "Layer") -> Signature:
    shapes = {name.removesuffix("_shape"): shape for name, shape in layer._build_shapes.items()}
    while shapes and list(shapes.values())[-1] is None:  # arguments that were left out
        shapes.popitem()
    if not layer.built or not shapes or None in shapes.values():
        raise ValueError(
            f"{validate.describe(layer)}: the shapes of its inputs are not known yet. "
            "Call it on a batch, or pass input_signature=[cornu.layers.InputSpec(shape=(None, ...), dtype=...)]."
        )

    def any_batch(shape: Sequence[int | None], name: str) -> KerasTensor:
        return KerasTensor((None, *shape[1:]), layer.variable_dtype, name=name)

    return tuple(tree.map_shape_structure(lambda s, n=n: any_batch(s, n), shape) for n, shape in shapes.items())


def input_names(signature: Signature) -> list[str]:
    """The names of the inputs, with a number behind those that came before."""
    names: list[str] = []
    for tensor in jax.tree.leaves(signature):
        same = sum(name.rpartition(":")[0] == tensor.name or name == tensor.name for name in names)
        names.append(f"{tensor.name}:{same}" if same else tensor.name)
    return names


def named(structure: Nested, names: Sequence[str] | None, otherwise: str) -> list[str]:
    """A name for each array of a structure: the given names, or its keys and positions appended to `otherwise`."""
    paths = [path for path, _ in jax.tree_util.tree_flatten_with_path(structure)[0]]
    if names is not None and len(set(names)) == len(names) == len(paths):
        return list(names)
    keys = [jax.tree_util.keystr(path, simple=True, separator="_") for path in paths]
    return [key if key and not key[0].isdigit() else "_".join(filter(None, (otherwise, key))) for key in keys]


def described(names: Sequence[str], arrays: Sequence[Any]) -> list[dict[str, Any]]:
    """Names, shapes and dtypes as plain data; a dynamic size is given by its name or expression."""
    return [
        {"name": name, "shape": [_size(d) for d in x.shape], "dtype": dtypes.standardize_dtype(x.dtype)}
        for name, x in zip(names, arrays, strict=True)
    ]


def _size(dimension: object) -> int | str:
    return dimension if isinstance(dimension, int) else str(dimension)
