"""The API boundary: arrays of every kind come in, copies owned by the caller go out.

Inside cornu there are only JAX arrays, and NumPy arrays where data waits on the host. `to_tensor` and `to_numpy` make
them from anything that contains numbers: lists, torch and TensorFlow tensors, pandas and polars data frames, SciPy
sparse matrices, anything with `__array__` or `__dlpack__`, in any byte order and memory layout. Other libraries are
recognized by the module of an object's type and never imported. The result is a copy: writing to the original later
changes nothing.

`to_host` is the only way out: NumPy arrays that the caller may write to.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cornu import settings, tree
from cornu.core import peers
from cornu.core.typing import AnyFunction, Tensor, recently_cached

_WATCHED = 2e-4  # seconds
_NARROW = {"int64": "int32", "uint64": "uint32", "float64": "float32", "complex128": "complex64"}

# Types whose values need no conversion. Python's numbers stay weakly typed; JAX's own types join when first seen.
AS_THEY_ARE: set[type] = {bool, int, float, complex, type(None)}


def to_tensor(value: Tensor, owner: str = "convert_to_tensor", name: str = "x") -> Tensor:
    """`value` as a JAX array; Python numbers, NumPy scalars and None are returned unchanged.

    Args:
        value: anything that contains numbers.
        owner, name: the caller and the name of its argument, for error messages.
    """
    kind = type(value)
    if kind in AS_THEY_ARE or isinstance(value, np.generic):
        return value
    if isinstance(value, jax.Array):
        AS_THEY_ARE.add(kind)
        return value
    if hasattr(kind, "__jax_array__"):
        return value.__jax_array__()
    if isinstance(value, (list, tuple)) and _holds_device_arrays(value):
        return jnp.asarray([to_tensor(item, owner, name) for item in value])
    array = to_numpy(value, owner, name)
    if is_text(array):
        raise TypeError(f"{owner}: {name} must contain numbers. Received: text, such as {array.flat[0]!r}.")
    narrow = narrowed(array, owner, name)
    return on_device(array.copy() if narrow is array else narrow)


def on_device(array: np.ndarray) -> jax.Array:
    """A NumPy array of a dtype that JAX supports, as a JAX array, which may take over its memory.

    The dtype is given explicitly because otherwise JAX compiles a program for each array shape.
    """
    return jnp.asarray(array, dtype=array.dtype)


def _holds_device_arrays(values: Sequence[object]) -> bool:
    kinds = {type(leaf) for leaf in tree.flatten(values)}
    return any(issubclass(kind, jax.Array) or hasattr(kind, "__jax_array__") for kind in kinds)


def to_numpy(value: object, owner: str = "convert_to_tensor", name: str = "x") -> np.ndarray:
    """`value` as a NumPy array of numbers, booleans or text, which may share memory with `value`.

    Raises:
        ValueError: for ragged lists, dates, structured and masked arrays, and objects that are not numbers.
        TypeError: for values that are not arrays at all.
    """
    reader = _reader(type(value))
    if reader is None:
        raise TypeError(
            f"{owner}: {name} must be an array or a list of numbers. Received: {shortened(value)} of type "
            f"{type(value).__name__}."
        )
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise ValueError(f"{owner}: {name} is a masked array with masked values. Fill them first: x.filled(0).")
    try:
        array = np.asarray(reader(value))
        _refuse_text_columns(value, array, owner, name)
    except ValueError as error:
        if not isinstance(value, (list, tuple)):
            raise
        raise ValueError(
            f"{owner}: {name} is ragged: its rows differ in length or depth. "
            "Pad them to one shape, for example with utils.pad_sequences."
        ) from error
    return _plain(array, owner, name)


def can_read(value: object) -> bool:
    """Whether `to_numpy` knows how to read values of this type."""
    return _reader(type(value)) is not None


def is_array(value: object) -> bool:
    """Whether `value` is an array of some library: not a number, nor a list that could be read as an array."""
    return _is_array_type(type(value))


@recently_cached
def _is_array_type(kind: type) -> bool:
    marks = ("__array__", "__array_interface__", "__dlpack__", "toarray", "todense")
    return not issubclass(kind, np.generic) and any(hasattr(kind, mark) for mark in marks)


def comes_from(value: object, package: str) -> bool:
    """Whether the type of `value`, or one of its base classes, is defined in `package`."""
    return package in _packages(type(value))


@recently_cached
def _packages(kind: type) -> frozenset[str]:
    """The packages that define a type and its base classes."""
    return frozenset(base.__module__.partition(".")[0] for base in kind.__mro__)


@recently_cached
def _reader(kind: type) -> AnyFunction | None:
    """The function that converts values of this type to NumPy arrays; None if there is none."""
    for package, reader in _READERS.items():
        if package in _packages(kind):
            return reader
    if hasattr(kind, "__array__") or hasattr(kind, "__array_interface__"):
        return np.asarray
    if hasattr(kind, "__dlpack__"):
        return np.from_dlpack
    plain = (bool, int, float, complex, str, bytes, Sequence)
    return np.asarray if issubclass(kind, plain) or kind.__module__ == "array" else None


def _from_torch(value: Tensor) -> np.ndarray:
    value = value.detach().cpu()
    value = value.to_dense() if value.is_sparse else value
    if str(value.dtype) == "torch.bfloat16":
        return value.float().numpy().astype(jnp.bfloat16)
    return value.resolve_conj().resolve_neg().numpy()


def _from_frame(value: object) -> np.ndarray:
    return value.to_numpy() if hasattr(value, "to_numpy") else np.asarray(value)


def _from_arrow(value: object) -> np.ndarray:
    columns = getattr(value, "columns", None)
    return np.asarray(value) if columns is None else np.column_stack([np.asarray(column) for column in columns])


def _from_jax(value: object) -> np.ndarray:
    return np.asarray(value.todense() if hasattr(value, "todense") else value)


def _from_scipy(value: Tensor) -> np.ndarray:
    return value.toarray()


def _from_tensorflow(value: object) -> np.ndarray:
    if not hasattr(value, "numpy"):
        raise ValueError(
            f"A TensorFlow {type(value).__name__} is not a dense array. Convert it first: tf.sparse.to_dense(x)."
        )
    return value.numpy()


def _from_cupy(value: Tensor) -> np.ndarray:
    return value.get()


_READERS: dict[str, Callable[[object], np.ndarray]] = {
    "torch": _from_torch,
    "tensorflow": _from_tensorflow,
    "pandas": _from_frame,
    "polars": _from_frame,
    "pyarrow": _from_arrow,
    "scipy": _from_scipy,
    "cupy": _from_cupy,
    "jax": _from_jax,
    "jaxlib": _from_jax,
}


def is_text(array: np.ndarray) -> bool:
    """Whether an array returned by `to_numpy` contains text."""
    return array.dtype.kind in "OUS"


def _plain(array: np.ndarray, owner: str, name: str) -> np.ndarray:
    """The same array in the machine's byte order, as numbers, booleans or text."""
    kind = array.dtype.kind
    if kind == "O":
        array = _from_objects(array, owner, name)
    elif kind == "T":  # NumPy's variable-width strings
        array = array.astype(object)
    elif kind in "mM":
        raise ValueError(f"{owner}: {name} contains dates or times ({array.dtype}). Convert them to numbers first.")
    elif array.dtype.names is not None:
        raise ValueError(
            f"{owner}: {name} is a structured array with the fields {', '.join(array.dtype.names)}. Convert each "
            "to a column first: numpy.lib.recfunctions.structured_to_unstructured(x)."
        )
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _refuse_text_columns(value: object, array: np.ndarray, owner: str, name: str) -> None:
    """Raise an error naming the columns of a data frame that contain text or other objects among numeric columns."""
    if array.dtype.kind != "O" or array.ndim != 2 or not hasattr(value, "columns"):
        return
    odd = [(column, cells) for column, cells in zip(value.columns, array.T, strict=True) if not _are_numbers(cells)]
    if odd and len(odd) < array.shape[1]:
        column, cells = odd[0]
        example = next(cell for cell in cells if not _are_numbers([cell]))
        raise ValueError(
            f"{owner}: {name} must contain numbers. Received: a data frame whose column {column!r} contains {example!r}"
            + (f" (and {len(odd) - 1} more such columns)" if len(odd) > 1 else "")
            + f". Drop it, x.drop(columns=[{column!r}]), or convert it to numbers: pandas.get_dummies(x) or a "
            "StringLookup layer."
        )


def _are_numbers(cells: Any) -> bool:
    return all(hasattr(cell, "__float__") and np.ndim(cell) == 0 for cell in cells)


def _from_objects(array: np.ndarray, owner: str, name: str) -> np.ndarray:
    """An array of Python objects: strings are kept, numbers become floats, anything else is rejected."""
    if all(isinstance(item, (str, bytes)) for item in array.flat):
        return array
    if not _are_numbers(array.flat):
        kinds = sorted({type(item).__name__ for item in array.flat})
        advice = " Replace missing values (None) first." if "NoneType" in kinds else ""
        raise ValueError(
            f"{owner}: {name} must contain only numbers or only text. Received: objects of type {', '.join(kinds)}."
            + advice
        )
    return array.astype(settings.floatx())


def narrowed(array: np.ndarray, owner: str = "convert_to_tensor", name: str = "x") -> np.ndarray:
    """`array` in a dtype that JAX computes with: 64 bits become 32, unless JAX's 64-bit mode is on.

    Raises:
        ValueError: if integers do not fit in 32 bits.
    """
    kind = array.dtype.kind
    if kind == "f" and array.dtype.itemsize > 8:
        array = array.astype("float64")
    target = None if jax.config.jax_enable_x64 else _NARROW.get(array.dtype.name)  # type: ignore[attr-defined]
    if target is None:
        return array
    if kind in "iu" and array.size:
        _check_range(array, np.iinfo(target), owner, name)
    return array.astype(target)


def _check_range(array: np.ndarray, limits: np.iinfo, owner: str, name: str) -> None:
    low, high = array.min(), array.max()
    if low < limits.min or high > limits.max:
        raise ValueError(
            f"{owner}: {name} contains integers from {low} to {high}, which do not fit in {limits.dtype}. "
            f'Use smaller numbers, or switch to 64 bits with config.set_floatx("float64").'
        )


def shortened(value: object, longest: int = 80) -> str:
    """A value shortened for use in a message."""
    text = repr(value)
    return text if len(text) <= longest else text[: longest - 3] + "..."


# ---------------------------------------------------------------- the way out


def to_host(x: object) -> np.ndarray:
    """The tensor's values as a NumPy array that the caller owns and may write to."""
    return np.array(fetched(x) if isinstance(x, jax.Array) else to_numpy(x, "convert_to_numpy"))


def fetched(x: object) -> np.ndarray:
    """The tensor's values once computed, for reading within cornu: the array must not be written to.

    Waits by polling for a moment first: for a small model, waking a sleeping thread takes longer than the computation.
    """
    is_ready = getattr(x, "is_ready", None)
    if is_ready is not None:
        until = time.perf_counter() + _WATCHED
        while not is_ready() and time.perf_counter() < until:
            pass
    return np.asarray(peers.whole(x) if isinstance(x, jax.Array) else x)
