"""Numbers as low-bit integers and a scale: by largest magnitude or by range, optionally packed two to a byte.

    integer = round(number * scale)                    symmetric: the largest magnitude is the largest integer
    integer = round(number / scale) + zero point       asymmetric: the smallest number is the smallest integer

In both kinds the scale follows Keras, which multiplies in one and divides in the other. Functions with `to_numpy` can
run in NumPy on the host, for weights of which the device cannot fit two copies.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from cornu.core import border
from cornu.core.typing import ArrayLike, DTypeLike, Tensor

Axes: TypeAlias = int | Sequence[int] | None
_NIBBLE = 4  # bits


def _namespace(to_numpy: bool) -> Any:
    return np if to_numpy else jnp


def _given(inputs: object, to_numpy: bool) -> Any:
    return (
        border.to_host(inputs) if to_numpy and isinstance(inputs, jax.Array) else _namespace(to_numpy).asarray(inputs)
    )


def abs_max_quantize(
    inputs: Tensor,
    axis: Axes,
    value_range: tuple[float, float] = (-127, 127),
    dtype: DTypeLike = "int8",
    epsilon: float = 1e-7,
    to_numpy: bool = False,
) -> tuple[jax.Array, jax.Array]:
    """Integers `round(inputs * scale)` in a range, with `scale = value_range[1] / (max(abs(inputs)) + epsilon)`.

    Args:
        inputs: array of any shape.
        axis: axis or axes over which numbers share a scale; None means all of them.
        value_range: minimum and maximum integer. Defaults to `(-127, 127)`.
        dtype: dtype of the result. Defaults to `"int8"`.
        epsilon: added to the largest magnitude, to avoid division by zero. Defaults to 1e-7.
        to_numpy: whether to compute on the host with NumPy. Defaults to False.

    Returns:
        (integers of the shape of `inputs`, scale, of size 1 along `axis`).

    Example:

        integers, scale = cornu.quantizers.abs_max_quantize(np.array([[1.0, -2.0]]), axis=-1)
        print(integers)  # [[  64 -127]]
    """
    xp = _namespace(to_numpy)
    inputs = _given(inputs, to_numpy)
    axes = tuple(axis) if isinstance(axis, Sequence) else axis
    largest = xp.max(xp.abs(inputs), axis=axes, keepdims=True)
    scale = xp.asarray(value_range[1], inputs.dtype) / (largest + xp.asarray(epsilon, inputs.dtype))
    rounded = xp.clip(xp.round(inputs * scale), value_range[0], value_range[1])
    return jnp.asarray(rounded.astype(dtype)), jnp.asarray(scale)


def abs_max_quantize_grouped_with_zero_point(
    inputs: Tensor,
    block_size: int,
    value_range: tuple[int, int] = (-8, 7),
    dtype: DTypeLike = "int8",
    epsilon: float = 1e-7,
    to_numpy: bool = False,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Integers `round(inputs / scale) + zero_point`, with a scale and a zero point per block of a column.

    The minimum of a block is mapped to the smallest integer and the maximum to the largest, if the zero point is within
    the range: a block must not be far from 0. A number is recovered as `(integer - zero_point) * scale`.

    Args:
        inputs: matrix, (rows, columns).
        block_size: number of rows per block, a positive int; the last block may have fewer.
        value_range: minimum and maximum integer. Defaults to `(-8, 7)`.
        dtype: dtype of the integers and the zero points.
        epsilon: added to the difference of the maximum and the minimum. Defaults to 1e-7.
        to_numpy: whether to compute on the host with NumPy. Defaults to False.

    Returns:
        (integers, scale, zero point), the last two of shape (blocks, columns).

    Example:

        matrix = np.linspace(-1.0, 1.0, 8).reshape(8, 1)
        integers, scale, zero_point = cornu.quantizers.abs_max_quantize_grouped_with_zero_point(matrix, 4)
        print(scale.shape)  # (2, 1)
    """
    xp = _namespace(to_numpy)
    inputs = _given(inputs, to_numpy)
    if inputs.ndim != 2 or block_size < 1:
        raise ValueError(
            "abs_max_quantize_grouped_with_zero_point: inputs must be a matrix, and block_size positive. "
            f"Received: shape={inputs.shape}, block_size={block_size}."
        )
    (rows, columns), (low, high) = inputs.shape, value_range
    blocks = -(-rows // block_size)
    padded = xp.pad(inputs, ((0, blocks * block_size - rows), (0, 0)))
    grouped = padded.reshape(blocks, block_size, columns)
    smallest, largest = grouped.min(1, keepdims=True), grouped.max(1, keepdims=True)
    flat = smallest == largest
    smallest, largest = smallest - flat, largest + flat
    scale = (largest - smallest + xp.asarray(epsilon, inputs.dtype)) / xp.asarray(high - low, inputs.dtype)
    zero_point = xp.clip(xp.round(low - smallest / scale), low, high)
    integers = xp.clip(xp.round(grouped / scale) + zero_point, low, high)
    integers = integers.reshape(-1, columns)[:rows]
    return jnp.asarray(integers.astype(dtype)), jnp.asarray(scale[:, 0]), jnp.asarray(zero_point[:, 0].astype(dtype))


def fake_quant_with_min_max_vars(
    inputs: Tensor,
    min_vals: Tensor,
    max_vals: Tensor,
    num_bits: int = 8,
    narrow_range: bool = False,
    axis: int | None = None,
) -> jax.Array:
    """`inputs` quantized and dequantized, as floating-point numbers, for quantization-aware training.

    The range is shifted slightly, so that 0 is representable. The gradient passes where numbers are within it; that of
    numbers below goes to `min_vals`, that of numbers above to `max_vals` (Jacob et al., 2018).

    Args:
        inputs: floating-point array of any shape.
        min_vals, max_vals: the range: numbers, or vectors with one entry per index of `axis`.
        num_bits: number of bits of the integers. Defaults to 8.
        narrow_range: whether the integers start at 1 instead of 0. Defaults to False.
        axis: axis with a separate range per index; None uses a single range.

    Returns:
        Array of the shape of `inputs`.

    Example:

        print(cornu.quantizers.fake_quant_with_min_max_vars(np.array([0.26, 3.0]), 0.0, 2.0, num_bits=2))  # [0. 2.]
    """
    inputs = border.to_tensor(inputs)
    inputs = inputs if jnp.issubdtype(inputs.dtype, jnp.floating) else inputs.astype("float32")
    shape = [1] * inputs.ndim
    if axis is not None:
        shape[axis] = -1
    low, high = (jnp.asarray(v, inputs.dtype).reshape(shape if axis is not None else ()) for v in (min_vals, max_vals))
    first, last = int(narrow_range), 2**num_bits - 1
    scale = (high - low) / (last - first)
    steps = jnp.where(scale == 0, 1, scale)  # a degenerate range, whose only value is the result
    zero = jnp.clip(jnp.round(first - low / steps), first, last)
    bottom, top = (first - zero) * scale, (last - zero) * scale
    rounded = jnp.round((jnp.clip(inputs, bottom, top) - bottom) / steps) * scale + bottom
    passing = jnp.where(inputs < bottom, low, jnp.where(inputs > top, high, inputs))
    return jax.lax.stop_gradient(rounded) + (passing - jax.lax.stop_gradient(passing))


def pack_int4(arr: ArrayLike, axis: int = 0, dtype: DTypeLike = "int8") -> tuple[jax.Array, tuple[int, ...], int]:
    """Pack 4-bit integers, two neighbors along an axis into a byte, the first one in the lower half.

    Args:
        arr: integers from -8 to 7 as int8, or from 0 to 15 as uint8.
        axis: the axis along which two share a byte; an odd last one is paired with 0. Defaults to 0.
        dtype: `"int8"` or `"uint8"`, the dtype of `arr` and of the bytes. Defaults to `"int8"`.

    Returns:
        (bytes, their shape, the length of the axis in `arr`).

    Raises:
        TypeError: if `arr` has a different dtype.

    Example:

        packed, shape, length = cornu.quantizers.pack_int4(np.array([[-3, 7], [2, -8], [1, 0]], "int8"))
        print(packed)  # [[45 -121] [1 0]]
    """
    dtype = _of_a_byte(dtype)
    arr = jnp.asarray(arr)
    if arr.dtype != dtype:
        raise TypeError(f"pack_int4: arr must have dtype {dtype!r}. Received: dtype={arr.dtype}.")
    moved = jnp.moveaxis(arr, axis, 0)
    length = moved.shape[0]
    moved = jnp.pad(moved, [(0, length % 2)] + [(0, 0)] * (moved.ndim - 1)).astype("uint8")
    packed = jax.lax.bitcast_convert_type(moved[0::2] & 15 | moved[1::2] << _NIBBLE, jnp.dtype(dtype))
    packed = jnp.moveaxis(packed, 0, axis)
    return packed, packed.shape, length


def unpack_int4(packed: ArrayLike, orig_len: int, axis: int = 0, dtype: DTypeLike = "int8") -> jax.Array:
    """Unpack the integers packed by `pack_int4`.

    Args:
        packed: the packed bytes.
        orig_len: the length of the axis before packing.
        axis: the axis along which two share a byte. Defaults to 0.
        dtype: `"int8"` for integers from -8 to 7, `"uint8"` for 0 to 15.

    Returns:
        Integers of this dtype.

    Example:

        print(cornu.quantizers.unpack_int4(np.array([45, 1], "int8"), 3))  # [-3 2 1]
    """
    dtype = _of_a_byte(dtype)
    moved = jax.lax.bitcast_convert_type(jnp.moveaxis(jnp.asarray(packed), axis, 0), jnp.dtype(dtype))
    # A right shift extends the sign for signed dtypes.
    pairs = jnp.stack([moved << _NIBBLE >> _NIBBLE, moved >> _NIBBLE], 1)  # (bytes, 2, ...)
    return jnp.moveaxis(pairs.reshape(-1, *moved.shape[1:])[:orig_len], 0, axis)


def _of_a_byte(dtype: DTypeLike) -> str:
    name = jnp.dtype(dtype).name
    if name not in ("int8", "uint8"):
        raise ValueError(f"Two integers of 4 bits share an int8 or a uint8. Received: dtype={name!r}.")
    return name
