"""Numbers as small integers and a scale: by the largest magnitude, by smallest and largest, two of them in a byte.

    integer = round(number * scale)                    symmetric: the largest magnitude is the largest integer
    integer = round(number / scale) + zero point       asymmetric: the smallest number is the smallest integer

Of the two kinds the scale is Keras's, which multiplies in the one and divides in the other. What has `to_numpy` can be
done by NumPy on the host, where weights that a device has no room for twice can be made small.
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
        inputs: numbers of any shape.
        axis: axis or axes over which numbers share a scale; None is all of them.
        value_range: smallest and largest integer.
        dtype: dtype of the result.
        epsilon: added to the largest magnitude, so that zeros are not divided by.
        to_numpy: whether the host computes.

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
    """Integers `round(inputs / scale) + zero_point`, with a scale and a zero point for each block of a column.

    The smallest number of a block becomes the smallest integer, the largest the largest, as long as the zero point is
    within the range: a block must not be far from 0. A number comes back as `(integer - zero_point) * scale`.

    Args:
        inputs: matrix, (rows, columns).
        block_size: how many rows make a block, a positive int; the last block may have fewer.
        value_range: smallest and largest integer.
        dtype: dtype of the integers and the zero points.
        epsilon: added to the difference of largest and smallest number.
        to_numpy: whether the host computes.

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
    """`inputs` as they would come back from integers, in floating-point numbers, for training that knows of rounding.

    The range is moved a little, so that 0 is one of the steps. The gradient passes where numbers are within it; that
    of those below goes to `min_vals`, of those above to `max_vals` (Jacob et al., 2018).

    Args:
        inputs: floating-point numbers of any shape.
        min_vals, max_vals: the range, numbers or one of each for every place along `axis`.
        num_bits: bits of the integers. Defaults to 8.
        narrow_range: whether the integers begin at 1 instead of 0.
        axis: axis with a range for each place; None is one range.

    Returns:
        Numbers of the shape of `inputs`.

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
    steps = jnp.where(scale == 0, 1, scale)  # a range of one number, which is all that comes out
    zero = jnp.clip(jnp.round(first - low / steps), first, last)
    bottom, top = (first - zero) * scale, (last - zero) * scale
    rounded = jnp.round((jnp.clip(inputs, bottom, top) - bottom) / steps) * scale + bottom
    passing = jnp.where(inputs < bottom, low, jnp.where(inputs > top, high, inputs))
    return jax.lax.stop_gradient(rounded) + (passing - jax.lax.stop_gradient(passing))


def pack_int4(arr: ArrayLike, axis: int = 0, dtype: DTypeLike = "int8") -> tuple[jax.Array, tuple[int, ...], int]:
    """Integers of 4 bits, two neighbours along an axis to a byte, the first one in its lower half.

    Args:
        arr: integers from -8 to 7 as int8, or from 0 to 15 as uint8.
        axis: the axis along which two share a byte; a last one without a partner gets 0 beside it.
        dtype: `"int8"` or `"uint8"`, that of `arr` and of the bytes.

    Returns:
        (bytes, their shape, the length of the axis in `arr`).

    Raises:
        TypeError: when `arr` is of another dtype.

    Example:

        packed, shape, length = cornu.quantizers.pack_int4(np.array([[-3, 7], [2, -8], [1, 0]], "int8"))
        print(packed)  # [[45 -121] [1 0]]
    """
    dtype = _of_a_byte(dtype)
    arr = jnp.asarray(arr)
    if arr.dtype != dtype:
        raise TypeError(f"pack_int4: arr must be of dtype {dtype!r}. Received: dtype={arr.dtype}.")
    moved = jnp.moveaxis(arr, axis, 0)
    length = moved.shape[0]
    moved = jnp.pad(moved, [(0, length % 2)] + [(0, 0)] * (moved.ndim - 1)).astype("uint8")
    packed = jax.lax.bitcast_convert_type(moved[0::2] & 15 | moved[1::2] << _NIBBLE, jnp.dtype(dtype))
    packed = jnp.moveaxis(packed, 0, axis)
    return packed, packed.shape, length


def unpack_int4(packed: ArrayLike, orig_len: int, axis: int = 0, dtype: DTypeLike = "int8") -> jax.Array:
    """The integers that `pack_int4` put two to a byte.

    Args:
        packed: bytes.
        orig_len: the length of the axis before packing.
        axis: the axis along which two share a byte.
        dtype: `"int8"` for integers from -8 to 7, `"uint8"` for 0 to 15.

    Returns:
        Integers of this dtype.

    Example:

        print(cornu.quantizers.unpack_int4(np.array([45, 1], "int8"), 3))  # [-3 2 1]
    """
    dtype = _of_a_byte(dtype)
    moved = jax.lax.bitcast_convert_type(jnp.moveaxis(jnp.asarray(packed), axis, 0), jnp.dtype(dtype))
    # A shift to the right fills up with the sign, where there is one.
    pairs = jnp.stack([moved << _NIBBLE >> _NIBBLE, moved >> _NIBBLE], 1)  # (bytes, 2, ...)
    return jnp.moveaxis(pairs.reshape(-1, *moved.shape[1:])[:orig_len], 0, axis)


def _of_a_byte(dtype: DTypeLike) -> str:
    name = jnp.dtype(dtype).name
    if name not in ("int8", "uint8"):
        raise ValueError(f"Two integers of 4 bits share an int8 or a uint8. Received: dtype={name!r}.")
    return name
