"""Names of dtypes, and type promotion.

A dtype is a string everywhere in cornu (`"float32"`). Promotion follows JAX's lattice, in which Python numbers are
weakly typed: they take the dtype of the array they are combined with.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cornu import settings, validate

FLOATS = ("bfloat16", "float16", "float32", "float64", "float8_e4m3fn", "float8_e5m2")
INTEGERS = ("uint8", "uint16", "uint32", "uint64", "int4", "int8", "int16", "int32", "int64")
COMPLEX = ("complex64", "complex128")
NAMES = (*FLOATS, *INTEGERS, *COMPLEX, "bool", "string")
_PYTHON_TYPES = {bool: "bool", int: "int32", float: "float32", str: "string", complex: "complex64"}


def standardize_dtype(dtype: object) -> str:
    """The name of `dtype`: None is floatx, Python's `float`, `int` and `bool` are float32 (floatx), int32 and bool.

    Args:
        dtype: name of a dtype, a dtype, a Python type or None.

    Example:

        print(cornu.backend.standardize_dtype(np.int32))  # int32
    """
    if dtype is None or dtype is float:
        return settings.floatx()
    if isinstance(dtype, str):
        name = "int32" if dtype == "int" else dtype
    elif isinstance(dtype, type) and dtype in _PYTHON_TYPES:
        name = _PYTHON_TYPES[dtype]
    else:
        name = _foreign_name(dtype)
    if name not in NAMES:
        likely = validate.closest(str(dtype), NAMES)
        raise ValueError(f"Unknown dtype {validate.shown(dtype)}. Likely names: {likely}.")
    return name


def as_computed(dtype: str) -> np.dtype:
    """The dtype JAX computes in when `dtype` is requested: 32 bits instead of 64, unless 64-bit mode is on."""
    return jax.dtypes.canonicalize_dtype(dtype)


def _foreign_name(dtype: Any) -> str:
    """The name of a NumPy, JAX, TensorFlow or torch dtype object."""
    if "torch" in str(dtype):
        return str(dtype).split(".")[-1]
    try:
        name = jnp.dtype(dtype).name
    except TypeError:
        return getattr(dtype, "name", None) or getattr(dtype, "__name__", None) or str(dtype)
    return "string" if name.startswith(("str", "bytes")) or name == "object" else name


def is_float(dtype: object) -> bool:
    """Whether `dtype` is a floating-point type.

    Args:
        dtype: name of a dtype, a dtype, or a Python type.

    Example:

        print(cornu.backend.is_float_dtype("bfloat16"))  # True
    """
    return standardize_dtype(dtype) in FLOATS


def is_int(dtype: object) -> bool:
    """Whether `dtype` is an integer type.

    Args:
        dtype: name of a dtype, a dtype, or a Python type.

    Example:

        print(cornu.backend.is_int_dtype("uint8"))  # True
    """
    return standardize_dtype(dtype) in INTEGERS


def result_type(*dtypes: object) -> str:
    """The dtype of an operation on values of these dtypes; Python's `int` and `float` stay weakly typed.

    64-bit dtypes are treated as JAX treats them: as 32-bit ones unless its 64-bit mode is on.

    Example:

        print(cornu.backend.result_type("int32", "float16"))  # float16
    """
    if not dtypes:
        return settings.floatx()
    examples = list(map(_example, dtypes))
    if "uint64" in dtypes and any(str(example).startswith("int") for example in examples):
        examples.append(0.0)  # no integer type can represent both
    return jnp.result_type(*examples).name


def _example(dtype: Any) -> Any:
    """A value with this dtype for JAX's promotion: a Python number for the weak types, which compare equal to the
    strong ones but promote differently."""
    if any(dtype is weak for weak in (int, float, complex)):
        return dtype(0)
    name = standardize_dtype(dtype)
    if name == "string" or name.startswith("float8"):
        raise ValueError(f"result_type: {name!r} is never converted implicitly. Cast it first.")
    return jnp.dtype(storage_dtype(name))


def dtype_of(x: object) -> str:
    """The dtype of an array, tensor, variable or Python number."""
    dtype = getattr(x, "dtype", None)
    return standardize_dtype(dtype) if dtype is not None else standardize_dtype(np.asarray(x).dtype)


_NARROW = {"int64": "int32", "uint64": "uint32", "float64": "float32", "complex128": "complex64"}


def storage_dtype(dtype: object = None) -> str:
    """The dtype in which JAX stores `dtype` (None is floatx): 64-bit types only in JAX's 64-bit mode."""
    name = standardize_dtype(dtype)
    return name if jax.config.jax_enable_x64 else _NARROW.get(name, name)  # type: ignore[attr-defined]
