"""Where the arrays of variables come from.

A variable asks the ambient allocator for its first array, and for the array of each value that it is assigned. As a
rule both are made at once. While a model is made from a file, first arrays are `Pending`: most often the file's come
before anybody asks for them. While a file is only looked at, all arrays are `Absent`: they have a shape and a dtype,
and take no memory whatever size is declared.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cornu.core import border, budget, context
from cornu.core.typing import DTypeLike, Tensor


def placeholder(shape: Sequence[int], dtype: DTypeLike) -> np.ndarray:
    """An array that stands for one of this shape, and takes no memory however large it is."""
    return np.broadcast_to(np.zeros((), dtype), tuple(shape))


class Absent:
    """An array of which only the shape and the dtype are there."""

    __slots__ = ("dtype", "nbytes", "ndim", "shape", "size")

    def __init__(self, shape: tuple[int, ...], dtype: str):
        twin = placeholder(shape, jnp.dtype(dtype))  # which refuses impossible shapes
        self.shape, self.dtype, self.ndim, self.size, self.nbytes = shape, twin.dtype, twin.ndim, twin.size, twin.nbytes

    def __len__(self) -> int:
        return self.shape[0]

    def stand_in(self) -> jax.Array:
        """Zeros in its place, for functions that are traced."""
        return jnp.zeros(self.shape, self.dtype)


class Pending(Absent):
    """A first array that is made when it is asked for."""

    __slots__ = ("_make",)

    def __init__(self, shape: tuple[int, ...], dtype: str, make: Callable[[], jax.Array | Absent]):
        super().__init__(shape, dtype)
        self._make = make

    def make(self) -> jax.Array | Absent:
        """The array, if the load that is going on has room for it."""
        budget.take("values", self.nbytes, f"A variable of shape {self.shape}, for which the file has no values,")
        return self._make()


class Allocator:
    """Makes every array at once."""

    has_values = True
    """Whether there are values at all, rather than shapes and dtypes alone."""

    def first(self, shape: tuple[int, ...], dtype: str, make: Callable[[], jax.Array], owner: object) -> Any:
        """The first array of the variable `owner`, an `Absent` one perhaps; `make` makes it."""
        return make()

    def given(self, value: object, dtype: str) -> jax.Array:
        """The array of a value that somebody gives."""
        value = _unshared(value)
        if isinstance(value, jax.Array):
            return jnp.asarray(value, dtype=dtype)
        return border.on_device(np.asarray(value, jnp.dtype(dtype)))


class ShapesAlone(Allocator):
    """Makes no array. Only while a function is traced, so that zeros in the place of values take no memory either."""

    has_values = False

    def first(self, shape: tuple[int, ...], dtype: str, make: Callable[[], jax.Array], owner: object) -> Any:
        """Shape and dtype."""
        return Absent(shape, dtype)

    def given(self, value: Tensor, dtype: str) -> jax.Array:
        """Zeros of the value's shape."""
        return jnp.zeros(np.shape(value), dtype)


class Deferred(Allocator):
    """Makes first arrays when they are asked for.

    Args:
        around: the allocator that makes them then.
    """

    def __init__(self, around: Allocator):
        self._around: Allocator = around._around if isinstance(around, Deferred) else around
        self.has_values = self._around.has_values
        self.owners: list[Any] = []  # the variables whose first arrays were put off

    def first(self, shape: tuple[int, ...], dtype: str, make: Callable[[], jax.Array], owner: object) -> Any:
        """An array that is yet to be made."""
        self.owners.append(owner)

        def made() -> Any:
            if not self.has_values:
                make()  # traced: what would go wrong when the array is made goes wrong here too
            return self._around.first(shape, dtype, make, owner)

        return Pending(shape, dtype, made)

    def given(self, value: object, dtype: str) -> jax.Array:
        """The array, at once: the value is there anyway."""
        return self._around.given(value, dtype)


_AT_ONCE = Allocator()


def current() -> Allocator:
    """The allocator that new values come from."""
    return context.current().allocator or _AT_ONCE


def at_once() -> AbstractContextManager:
    """Scope in which arrays get their values at once, also while a function is traced, if they get any."""
    return jax.ensure_compile_time_eval() if current().has_values else nullcontext()


def without_values(fn: Callable[[], object]) -> Any:
    """What `fn` returns when the variables that it makes have shapes and dtypes alone, which take no memory.

    Args:
        fn: function without arguments. It may build models, ask for shapes and assign: what is assigned is held
            against the variable's shape and dropped. What it returns may hold no variables.

    Example:

        def size():
            layer = cornu.layers.Dense(10**12)
            layer.build((None, 3))
            return layer.count_params()

        print(cornu.core.allocation.without_values(size))  # 4000000000000
    """
    found: list = []

    def run() -> None:
        with context.scope(allocator=ShapesAlone()):
            found.append(fn())

    jax.eval_shape(run)
    return found[0]


def _unshared(value: object) -> jax.Array | np.ndarray:
    """`value`, or a copy of a NumPy array: XLA takes over the memory of some, and the caller may write to it later.

    An array that nobody can write to, such as those read from files, is taken as it is.
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
