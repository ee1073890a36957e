"""Determines which dynamic sizes of a function's inputs may differ from each other.

At first every dynamic size has its own symbol: a batch size for each input, a length for each. If the function cannot
run that way (because it adds two inputs, say), sizes are unified: first those of the same axis, then all except the
batch, then all. From the first choice that runs, single sizes are made independent again as long as it still runs.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import jax
from jax import export

from cornu import validate
from cornu.core.dtypes import as_computed
from cornu.core.symbolic import KerasTensor

Specs = list[jax.ShapeDtypeStruct]
_TRIED = (84, 96)  # two sizes that suit most windows and factors, to detect functions that fail for any size


def symbolic(inputs: Sequence[KerasTensor], attempt: Callable[[Specs], object], owner: object) -> Specs:
    """The inputs with a symbol for each independent dynamic size.

    Args:
        inputs: descriptions of the inputs, None for dynamic sizes.
        attempt: runs the function abstractly, or raises.
        owner: the caller, for error messages.

    Raises:
        ValueError: if the function runs only for static sizes.
    """
    axes = [axis for x in inputs for axis, size in enumerate(x.shape) if size is None]
    choices = [list(range(len(axes))), axes, [min(axis, 1) for axis in axes], [0] * len(axes)]
    first: Exception | None = None
    for labels in choices:
        try:
            attempt(_specs(inputs, labels))
        except Exception as error:
            first = first or error
        else:
            return _specs(inputs, labels if first is None else _freed(inputs, labels, attempt))
    return _refuse(inputs, attempt, owner, first)


def _freed(
    inputs: Sequence[KerasTensor], labels: Sequence[Hashable], attempt: Callable[[Specs], object]
) -> Sequence[Hashable]:
    """`labels`, with separate labels for sizes that need not equal any other."""
    for position in range(len(labels)):
        freed = [*labels[:position], ("free", position), *labels[position + 1 :]]
        try:
            attempt(_specs(inputs, freed))
        except Exception:
            continue
        labels = freed
    attempt(_specs(inputs, labels))
    return labels


def _refuse(
    inputs: Sequence[KerasTensor], attempt: Callable[[Specs], object], owner: object, first: Exception | None
) -> Any:
    """Raise: the function's own error if it cannot run at all, otherwise that it needs static sizes."""
    for size in _TRIED:
        attempt([_spec(x, [size if d is None else d for d in x.shape]) for x in inputs])
    shapes = ", ".join(f"{x.name}: {x.shape}" for x in inputs)
    raise ValueError(
        f"{validate.describe(owner)}: it runs for static sizes, but not for dynamic ones ({shapes}). Specify the sizes "
        "that it "
        "depends on, for example input_signature=[cornu.layers.InputSpec(shape=(None, 84, 3))]. What failed: "
        f"{str(first).strip().splitlines()[0]}"
    ) from first


def _specs(inputs: Sequence[KerasTensor], labels: Sequence[Hashable]) -> Specs:
    scope = export.SymbolicScope()
    names: dict[Hashable, str] = {}
    remaining = iter(labels)

    def size(axis: int, dimension: int | None) -> Any:
        if dimension is not None:
            return dimension
        label = next(remaining)
        if label not in names:
            names[label] = _name(axis, names.values())
        return export.symbolic_shape(names[label], scope=scope)[0]

    return [_spec(x, [size(a, d) for a, d in enumerate(x.shape)]) for x in inputs]


def _spec(x: KerasTensor, shape: Sequence[object]) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, as_computed(x.dtype))


def _name(axis: int, taken: Any) -> str:
    """`batch`, `batch_1`, ... on the first axis, `size1`, `size1_1`, ... on the next."""
    name = f"size{axis}" if axis else "batch"
    same = sum(other.partition("_")[0] == name for other in taken)
    return f"{name}_{same}" if same else name
