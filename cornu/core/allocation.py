"""Where the arrays of variables come from.

A variable asks the ambient allocator for its initial array, and for the array of each value assigned to it. Normally
both are created immediately. While a model is being loaded, initial arrays are `Pending`: usually the values in the
file arrive before anyone reads them. While a file is only being inspected, all arrays are `Absent`: they have a shape
and a dtype, and take no memory whatever size is declared.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cornu.core import border, budget, context
from cornu.core.typing import AnyList, DTypeLike, Tensor


def placeholder(shape: Sequence[int], dtype: DTypeLike) -> np.ndarray:
    """An array that stands in for one of this shape and takes no memory, however large the shape is."""
    return np.broadcast_to(np.zeros((), dtype), tuple(shape))


class Absent:
    """An array of which only the shape and the dtype exist."""

    __slots__ = ("dtype", "nbytes", "ndim", "shape", "size")

    def __init__(self, shape: tuple[int, ...], dtype: str):
        twin = placeholder(shape, jnp.dtype(dtype))  # rejects impossible shapes
        self.shape, self.dtype, self.ndim, self.size, self.nbytes = shape, twin.dtype, twin.ndim, twin.size, twin.nbytes

    def __len__(self) -> int:
        return self.shape[0]

    def stand_in(self) -> jax.Array:
        """Zeros used in its place when functions are traced."""
        return jnp.zeros(self.shape, self.dtype)


class Pending(Absent):
    """An initial array that is created when it is first read."""

    __slots__ = ("_make",)

    def __init__(self, shape: tuple[int, ...], dtype: str, make: Callable[[], jax.Array | Absent]):
        super().__init__(shape, dtype)
        self._make = make

    def make(self) -> jax.Array | Absent:
        """The array, provided the current load has budget for it."""
        budget.take("values", self.nbytes, f"A variable of shape {self.shape}, for which the file has no values,")
        return self._make()


class Allocator:
    """Creates every array immediately."""

    has_values = True
    """Whether arrays have values at all, rather than only shapes and dtypes."""

    def first(self, shape: tuple[int, ...], dtype: str, make: Callable[[], jax.Array], owner: object) -> Any:
        """The initial array of the variable `owner`, possibly `Absent`; `make` creates it."""
        return make()

    def given(self, value: object, dtype: str) -> jax.Array:
        """The array for an assigned value."""
        value = _unshared(value)
        if isinstance(value, jax.Array):
            return jnp.asarray(value, dtype=dtype)
        return border.on_device(np.asarray(value, jnp.dtype(dtype)))


class ShapesAlone(Allocator):
    """Creates no arrays. Used only while tracing, so that the zeros standing in for values take no memory either."""

    has_values = False

    def first(self, shape: tuple[int, ...], dtype: str, make: Callable[[], jax.Array], owner: object) -> Any:
        """Shape and dtype."""
        return Absent(shape, dtype)

    def given(self, value: Tensor, dtype: str) -> jax.Array:
        """Zeros with the value's shape."""
        return jnp.zeros(np.shape(value), dtype)


class Deferred(Allocator):
    """Creates initial arrays when they are first read.

    Args:
        around: the enclosing allocator, which creates them then.
    """

    def __init__(self, around: Allocator):
        self._around: Allocator = around._around if isinstance(around, Deferred) else around
        self.has_values = self._around.has_values
        self.owners: AnyList = []  # the variables whose initial arrays are deferred

    def first(self, shape: tuple[int, ...], dtype: str, make: Callable[[], jax.Array], owner: object) -> Any:
        """An array that has yet to be created."""
        self.owners.append(owner)

        def made() -> Any:
            if not self.has_values:
                make()  # traced, so that errors in creating the array are raised here
            return self._around.first(shape, dtype, make, owner)

        return Pending(shape, dtype, made)

    def given(self, value: object, dtype: str) -> jax.Array:
        """The array, immediately: the value already exists."""
        return self._around.given(value, dtype)


_AT_ONCE = Allocator()


def current() -> Allocator:
    """The allocator that new values come from."""
    return context.current().allocator or _AT_ONCE


def at_once() -> AbstractContextManager[object]:
    """Scope in which arrays are created immediately, even while tracing, provided they get values at all."""
    return jax.ensure_compile_time_eval() if current().has_values else nullcontext()


def without_values(fn: Callable[[], object]) -> Any:
    """The result of `fn`, run with variables that have only shapes and dtypes and take no memory.

    Args:
        fn: function without arguments. It may build models, query shapes and assign: an assigned value is checked
            against the variable's shape and dropped. The result must not contain variables.

    Example:

        def size():
            layer = cornu.layers.Dense(10**12)
            layer.build((None, 3))
            return layer.count_params()

        print(cornu.core.allocation.without_values(size))  # 4000000000000
    """
    found: AnyList = []

    def run() -> None:
        with context.scope(allocator=ShapesAlone()):
            found.append(fn())

    jax.eval_shape(run)
    return found[0]


def _unshared(value: object) -> jax.Array | np.ndarray:
    """`value`, or a copy if it is a writable NumPy array: XLA takes over some buffers, and the caller may write later.

    Read-only arrays, such as those read from files, are used without a copy.
    """
    if isinstance(value, jax.Array):
        return value
    value = border.to_numpy(value, "Variable", "value")
    owner: Any = value
    while isinstance(owner, np.ndarray):
        if owner.flags.writeable:
            return value.copy()
        owner = owner.base
    return value if owner is None else value.copy()
