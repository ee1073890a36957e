"""Type aliases for arguments that many signatures share.

Type checkers read `Tensor` and related aliases as Any: the value may be a JAX or NumPy array, a symbolic tensor or a
number. In the signatures of functions marked `@op` they also mark the tensors of a saved graph
(`cornu.core.operation`).
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
"""A tensor, or a nested structure of lists, tuples and dictionaries of tensors."""

NestedShapes: TypeAlias = Annotated[Any, "a nested structure of shapes"]
"""The shapes of `Nested`."""

Data: TypeAlias = object
"""What training methods accept: arrays in any nesting, a `PyDataset`, a generator, another library's loader, ..."""

Shape: TypeAlias = tuple[int | None, ...]
"""A shape, with None for each unknown dimension."""

ShapeLike: TypeAlias = Sequence[int | None]
"""A value that can be converted to a shape."""

Sizes: TypeAlias = int | Sequence[int]
"""One number for all spatial axes, or one for each."""

Axes: TypeAlias = int | Sequence[int] | None
"""One axis, several, or None for all of them."""

ArrayLike: TypeAlias = jax.typing.ArrayLike | Sequence[Any]
"""A value that can be converted to an array: a JAX or NumPy array, a number, or nested sequences of numbers."""

DTypeLike: TypeAlias = str | type | np.dtype
"""A dtype, by name or object."""

Config: TypeAlias = Mapping[str, Any]
"""The arguments of a constructor as plain data."""

ConfigDict: TypeAlias = dict[str, Any]
"""The same, as returned by `get_config`: entries may be added."""

Logs: TypeAlias = dict[str, Any]
"""Training logs: numbers, arrays of them or lists, by name."""

HookLogs: TypeAlias = Logs | None
"""The logs passed to a callback's methods: values by name."""

State: TypeAlias = dict[str, Any]
"""The state that `get_state` returns and `set_state` takes: plain data and arrays by name."""

AnyFunction: TypeAlias = Callable[..., Any]
"""A function or class of any signature."""

Args: TypeAlias = tuple[Any, ...]
"""The positional arguments of a call."""

Kwargs: TypeAlias = dict[str, Any]
"""The keyword arguments of a call."""

Leaves: TypeAlias = list[Any]
"""The leaves of a nested structure, in order."""

Batch: TypeAlias = tuple[Any, ...]
"""(inputs, targets, sample weights), or fewer of them: each an array or a nested structure of arrays."""

Values: TypeAlias = tuple[list[Any], ...]
"""The values of variables, by kind of variable."""

AnyTuple: TypeAlias = tuple[Any, ...]
"""A tuple whose items differ in type."""

AnyList: TypeAlias = list[Any]
"""A list whose items differ in type."""

AnyDict: TypeAlias = dict[Any, Any]
"""A dictionary whose values differ in type."""

CustomObjects: TypeAlias = Mapping[str, AnyFunction]
"""Classes and functions by their names in configs."""

ActivationLike: TypeAlias = str | AnyFunction | Config
"""What `cornu.activations.get` accepts: a name, a function of an array, or a config."""

InitializerLike: TypeAlias = str | AnyFunction | Config | jax.Array | np.ndarray
"""What `cornu.initializers.get` accepts: a name, a function of (shape, dtype), a config, or the values."""

RegularizerLike: TypeAlias = str | AnyFunction | Config
"""What `cornu.regularizers.get` accepts: a name, a function from weights to a penalty, or a config."""

ConstraintLike: TypeAlias = str | AnyFunction | Config
"""What `cornu.constraints.get` accepts: a name, a function from weights to weights, or a config."""

Function = TypeVar("Function", bound=AnyFunction)
"""A function that a decorator returns with its type unchanged."""

if TYPE_CHECKING:  # typeshed's `cache` loses the parameters and rejects classes as unhashable

    def cached(function: Function) -> Function:
        """`functools.cache`."""

    def recently_cached(function: Function) -> Function:
        """`functools.lru_cache`."""
else:
    cached, recently_cached = functools.cache, functools.lru_cache
