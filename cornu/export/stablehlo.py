"""A function of arrays and variables as StableHLO, through `jax.export`.

Variables become arguments: the exported function takes a dictionary from names to arrays, then the inputs, and returns
`(outputs, changes)`, where `changes` are the new values of the variables that it assigns to. Kernels are traced twice:
in the form optimized for CPUs, used there, and in their plain form, used everywhere else.
"""

import functools
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import export, lax

from cornu import validate
from cornu.core import context, placement
from cornu.core.typing import AnyFunction, Args, DTypeLike, Nested, Tensor
from cornu.core.variable import Variable, functional, values_of
from cornu.export import sizes
from cornu.export.signature import Signature
from cornu.kernels import platform

PLATFORMS = ("cpu", "cuda", "tpu")
_KNOWN_PLATFORMS = ("cpu", "cuda", "rocm", "tpu")
_BITS: dict[int, np.dtype] = {1: np.dtype(np.uint8), 2: np.dtype(np.uint16)}


class Lowered(NamedTuple):
    """An exported function, and its variables by name."""

    exported: export.Exported
    variables: dict[str, Variable]


def lower(
    fn: AnyFunction,
    signature: Signature,
    name_of: Callable[[Variable], str],
    platforms: Sequence[str] | None,
    owner: object,
) -> Lowered:
    """Lower `fn`.

    Args:
        fn: function of arrays, which may read and assign variables.
        signature: the specs of its arguments.
        name_of: function that returns the name of a variable.
        platforms: the platforms to lower for; None uses those of CPU, CUDA and TPU for which it is possible.
        owner: the caller, for error messages.
    """
    specs, variables = trace(fn, signature, owner)
    by_name = {name_of(v): v for v in variables}

    def run(weights: dict[str, jax.Array], *args: object) -> tuple[Any, dict[str, jax.Array]]:
        state = [from_bits(weights[name], v.dtype) for name, v in by_name.items()]
        outputs, after = functional(fn, by_name.values())(state, *args)
        changed = zip(by_name, state, after, strict=True)
        return outputs, {name: to_bits(new) for name, old, new in changed if new is not old}

    def plain(*args: Any) -> Nested:
        with ambient():
            return run(*args)

    def fast(*args: Any) -> Nested:
        with ambient(plain=False), jax.default_device("cpu"):
            return run(*args)

    def either(*args: object) -> Nested:
        return lax.platform_dependent(*args, cpu=fast, default=plain)

    names = _checked(platforms, owner)
    arguments = ({name: stored_spec(v) for name, v in by_name.items()}, *specs)
    try:
        return Lowered(_exported(either, arguments, names, owner), by_name)
    except Exception:  # the fast forms may constrain sizes more than the plain ones
        return Lowered(_exported(plain, arguments, names, owner), by_name)


def trace(fn: AnyFunction, signature: Signature, owner: object) -> tuple[Args, list[Variable]]:
    """The arguments of `fn` with symbols for dynamic sizes, and the variables that it reads or assigns."""
    inputs, structure = jax.tree.flatten(signature)
    met: list[Variable] = []

    def attempt(specs: sizes.Specs) -> None:
        values = _Met()
        with ambient(), context.state(values):
            run = functools.partial(fn)  # a new function each time, since JAX caches traces
            jax.eval_shape(run, *jax.tree.unflatten(structure, specs))
        met[:] = values

    specs = sizes.symbolic(inputs, attempt, owner)
    return jax.tree.unflatten(structure, specs), met


class _Met(dict[Any, Any]):
    """Values of all variables read or assigned, in the order of first use."""

    def __contains__(self, variable: object) -> bool:
        return True

    def __missing__(self, variable: Variable) -> Any:
        (self[variable],) = values_of([variable])
        return self[variable]


@contextmanager
def ambient(plain: bool = True) -> Iterator[None]:
    """Context for tracing an endpoint: one device, inference by default, no losses, selected kernels."""
    alone = placement.chosen(None)
    with alone, context.scope(training=False, losses=[]), platform.plain_forms() if plain else nullcontext():
        yield


def _checked(platforms: Sequence[str] | None, owner: object) -> tuple[str, ...] | None:
    if platforms is None:
        return None
    platforms = (platforms,) if isinstance(platforms, str) else tuple(platforms)
    if not platforms:
        raise ValueError(f"{validate.describe(owner)}: platforms must name at least one of {_KNOWN_PLATFORMS}.")
    return tuple(validate.one_of(name, _KNOWN_PLATFORMS, "platforms", owner) for name in platforms)


def _exported(pure: AnyFunction, args: Args, platforms: tuple[str, ...] | None, owner: object) -> export.Exported:
    """`pure` for the platforms; if none are given, those of `PLATFORMS` that are possible."""

    def lowered(names: Sequence[str]) -> export.Exported:
        return export.export(jax.jit(pure), platforms=names)(*args)

    if platforms is not None:
        return lowered(platforms)
    try:
        return lowered(PLATFORMS)
    except Exception as error:
        failed = error
    able = [name for name in PLATFORMS if _works(lambda name=name: lowered([name]))]
    if not able:
        raise failed
    warnings.warn(
        f"{validate.describe(owner)}: exported only for {', '.join(able)}. "
        f"For all of {', '.join(PLATFORMS)}: {str(failed).strip().splitlines()[0]}",
        stacklevel=2,
    )
    return lowered(able)


def _works(action: AnyFunction) -> bool:
    try:
        action()
    except Exception:
        return False
    return True


# ---------------------------------------------------------------- dtypes not supported by NumPy's files


def is_foreign(dtype: DTypeLike) -> bool:
    """Whether NumPy's files do not support the dtype (bfloat16 and the 8-bit floats), so that its bits are stored."""
    return np.dtype(dtype).isbuiltin != 1


def to_bits(x: Nested) -> Tensor:
    """An array in the representation of files and exported functions."""
    return lax.bitcast_convert_type(x, stored_dtype(x.dtype)) if is_foreign(x.dtype) else x


def from_bits(x: Nested, dtype: DTypeLike) -> Tensor:
    """The inverse of `to_bits`."""
    return lax.bitcast_convert_type(x, dtype) if is_foreign(jnp.dtype(dtype)) else x


def stored_dtype(dtype: np.dtype) -> np.dtype:
    """The dtype in which files and exported functions hold arrays of a dtype."""
    return _BITS[dtype.itemsize] if is_foreign(dtype) else dtype


def stored_spec(variable: Variable) -> jax.ShapeDtypeStruct:
    """The shape and dtype of a variable's stored value."""
    return jax.ShapeDtypeStruct(variable.shape, stored_dtype(jnp.dtype(variable.dtype)))
