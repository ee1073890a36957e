"""Names for the kinds of arguments that many signatures take.

Checkers read `Tensor` and its kin as Any: an array of JAX or NumPy, a symbolic tensor or a number may stand for one. In
signatures of functions marked `@op` they also say what flows through a saved graph (`cornu.core.operation`).
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar

import jax
import numpy as np

Tensor: TypeAlias = Annotated[Any, "one tensor"]
"""One tensor."""

Tensors: TypeAlias = Annotated[Sequence[Any], "a list or tuple of tensors"]
"""A list or tuple of tensors."""

Nested: TypeAlias = Annotated[Any, "a nested structure of tensors"]
"""Tensors in lists, tuples and dictionaries, or one alone."""

NestedShapes: TypeAlias = Annotated[Any, "a nested structure of shapes"]
"""The shapes of `Nested`."""

Data: TypeAlias = object
"""What methods of training take: arrays in any nesting, a `PyDataset`, a generator, another library's loader, ..."""

Shape: TypeAlias = tuple[int | None, ...]
"""A shape; None is a size that is not known yet."""

ShapeLike: TypeAlias = Sequence[int | None]
"""What may be given as a shape."""

Sizes: TypeAlias = int | Sequence[int]
"""A number for all axes of space, or one for each."""

Axes: TypeAlias = int | Sequence[int] | None
"""One axis, several, or None for all of them."""

ArrayLike: TypeAlias = jax.typing.ArrayLike | Sequence[Any]
"""What becomes an array: an array of JAX or NumPy, a number, or nested sequences of numbers."""

DTypeLike: TypeAlias = str | type | np.dtype
"""A dtype, by name or object."""

Config: TypeAlias = Mapping[str, Any]
"""The arguments of a constructor as plain data."""

ConfigDict: TypeAlias = dict[str, Any]
"""The same as `get_config` makes it, which may be added to."""

Logs: TypeAlias = dict[str, Any]
"""What training tells: numbers, arrays of them or lists, by name."""

HookLogs: TypeAlias = Logs | None
"""What a hook of a callback is told: values by their names."""

State: TypeAlias = dict[str, Any]
"""What a `get_state` gives and its `set_state` takes: plain data and arrays by name."""

CustomObjects: TypeAlias = Mapping[str, Callable[..., Any]]
"""Classes and functions by the names that a config has for them."""

ActivationLike: TypeAlias = str | Callable[..., Any] | Config
"""What `cornu.activations.get` takes: a name, a function of an array, or a config."""

InitializerLike: TypeAlias = str | Callable[..., Any] | Config | jax.Array | np.ndarray
"""What `cornu.initializers.get` takes: a name, a function of (shape, dtype), a config, or the values."""

RegularizerLike: TypeAlias = str | Callable[..., Any] | Config
"""What `cornu.regularizers.get` takes: a name, a function from weights to a penalty, or a config."""

ConstraintLike: TypeAlias = str | Callable[..., Any] | Config
"""What `cornu.constraints.get` takes: a name, a function from weights to weights, or a config."""

Function = TypeVar("Function", bound=Callable[..., Any])
"""A function that a decorator gives back as it is typed."""

if TYPE_CHECKING:  # typeshed's `cache` forgets the parameters, and takes a class for something that cannot be a key

    def cached(function: Function) -> Function:
        """`functools.cache`."""

    def recently_cached(function: Function) -> Function:
        """`functools.lru_cache`."""
else:
    cached, recently_cached = functools.cache, functools.lru_cache
