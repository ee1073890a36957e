"""Fourier transforms: of signals along the last axis, and of their frames.

Complex tensors are pairs (real part, imaginary part), as in Keras.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cornu import validate
from cornu.core import budget
from cornu.core.operation import Tensor, Tensors, op
from cornu.core.typing import ArrayLike, DTypeLike
from cornu.ops.elementwise import floating
from cornu.ops.shaping import pad_with_itself


def _join(pair: Sequence[Tensor]) -> jax.Array:
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise ValueError(f"A complex tensor must be a pair (real, imaginary). Received: {validate.shown(pair)}.")
    real, imaginary = (floating(part) for part in pair)
    if real.shape != imaginary.shape:
        raise ValueError(
            f"Real and imaginary part must have the same shape. Received: {real.shape} and {imaginary.shape}."
        )
    return real + 1j * imaginary


def _part(x: Tensor) -> tuple[jax.Array, jax.Array]:
    return jnp.real(x), jnp.imag(x)


@op(class_name="FFT")
def fft(x: Tensors) -> tuple[jax.Array, jax.Array]:
    """Discrete Fourier transform of a pair (real, imaginary) along the last axis, as a pair.

    Args:
        x: pair (real, imaginary) of tensors of the same shape.

    Example:

        real, imaginary = cornu.ops.fft((np.ones(4), np.zeros(4)))
        print(real)  # [4. 0. 0. 0.]
    """
    return _part(jnp.fft.fft(_join(x)))


@op(class_name="FFT2")
def fft2(x: Tensors) -> tuple[jax.Array, jax.Array]:
    """Discrete Fourier transform of a pair (real, imaginary) along the last two axes, as a pair.

    Args:
        x: pair (real, imaginary) of tensors of the same shape, with at least two axes.

    Example:

        real, imaginary = cornu.ops.fft2((np.ones((2, 2)), np.zeros((2, 2))))
        print(real)  # [[4. 0.] [0. 0.]]
    """
    return _part(jnp.fft.fft2(_join(x)))


@op(class_name="IFFT2")
def ifft2(x: Tensors) -> tuple[jax.Array, jax.Array]:
    """Inverse of `fft2`.

    Args:
        x: pair (real, imaginary) of tensors of the same shape, with at least two axes.

    Example:

        frequencies = cornu.ops.fft2((np.eye(2), np.zeros((2, 2))))
        print(cornu.ops.ifft2(frequencies)[0])  # [[1. 0.] [0. 1.]]
    """
    return _part(jnp.fft.ifft2(_join(x)))


@op(class_name="RFFT")
def rfft(x: Tensor, fft_length: int | None = None) -> tuple[jax.Array, jax.Array]:
    """Fourier transform of a real signal: its `fft_length // 2 + 1` frequencies as a pair (real, imaginary).

    Args:
        x: real signal, of shape `(..., time)`.
        fft_length: length to which the signal is truncated or padded with zeros first; None is its own.

    Example:

        real, imaginary = cornu.ops.rfft(np.array([1.0, 0.0, 0.0, 0.0]))
        print(real)  # [1. 1. 1.]
    """
    return _part(jnp.fft.rfft(floating(x), n=fft_length))


@op(class_name="IRFFT")
def irfft(x: Tensors, fft_length: int | None = None) -> jax.Array:
    """Inverse of `rfft`: a real signal.

    Args:
        x: pair (real, imaginary), each of shape `(..., frequencies)`.
        fft_length: number of points of the signal; None is twice the number of frequencies minus 2.

    Example:

        frequencies = cornu.ops.rfft(np.array([1.0, 2.0, 3.0, 4.0]))
        print(cornu.ops.irfft(frequencies))  # [1. 2. 3. 4.]
    """
    return jnp.fft.irfft(_join(x), n=fft_length)


@op
def extract_sequences(x: Tensor, sequence_length: int, sequence_stride: int) -> jax.Array:
    """Frames of `sequence_length` points, `sequence_stride` points apart.

    Shape `(..., time)` gives `(..., frames, sequence_length)`; an incomplete last frame is dropped.

    Args:
        x: signals, of shape `(..., time)`.
        sequence_length: number of points in a frame.
        sequence_stride: number of points from one frame to the next.

    Example:

        print(cornu.ops.extract_sequences(np.arange(5), 3, 2))  # [[0 1 2] [2 3 4]]
    """
    return _frames(jnp.asarray(x), sequence_length, sequence_stride)


@op(class_name="STFT")
def stft(
    x: Tensor,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    window: str | ArrayLike | None = "hann",
    center: bool = True,
) -> tuple[jax.Array, jax.Array]:
    """Short-time Fourier transform: `rfft` of overlapping frames of a real signal.

    Args:
        x: real signal, shape `(..., time)`.
        sequence_length: number of points in the window.
        sequence_stride: number of points between frames.
        fft_length: number of points in a frame, at least `sequence_length`; the window is centered in it.
        window: `"hann"`, `"hamming"`, a tensor of `sequence_length` factors, or None for no weighting of the whole
            frame of `fft_length` points. Defaults to `"hann"`.
        center: whether to pad the signal by reflection, so that frame `t` is centered at `t * sequence_stride`.
            Defaults to True.

    Returns:
        Pair (real, imaginary), each of shape `(..., frames, fft_length // 2 + 1)`.

    Example:

        real, imaginary = cornu.ops.stft(np.ones(64), sequence_length=16, sequence_stride=8, fft_length=16)
        print(real.shape)  # (9, 9)
    """
    x = floating(x)
    if x.dtype.itemsize < 4:
        raise TypeError(f"stft: sequences must be float32 or float64. Received: {x.dtype.name}. Cast them first.")
    if center:
        x = _reflected(x, fft_length // 2)
    frames = _frames(x, fft_length, sequence_stride) * _window(window, sequence_length, fft_length, x.dtype)
    return _part(jnp.fft.rfft(frames))


@op(class_name="ISTFT")
def istft(
    x: Tensors,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    length: int | None = None,
    window: str | ArrayLike | None = "hann",
    center: bool = True,
) -> jax.Array:
    """Inverse of `stft`: frames are overlapped, added and divided by the sum of the squared windows.

    Args:
        x: pair (real, imaginary), each of shape `(..., frames, fft_length // 2 + 1)`.
        sequence_length: number of points in the window.
        sequence_stride: number of points between frames.
        fft_length: number of points in a frame.
        length: number of points in the result; None uses the extent of the frames.
        window: as for `stft`.
        center: whether the signal was padded. Defaults to True.

    Returns:
        Real signal, shape `(..., time)`.

    Example:

        x = np.sin(np.arange(64.0))
        frames = cornu.ops.stft(x, 16, 8, 16)
        print(np.allclose(cornu.ops.istft(frames, 16, 8, 16), x, atol=1e-5))  # True
    """
    frames = jnp.fft.irfft(_join(x), n=fft_length)
    weights = _window(window, sequence_length, fft_length, frames.dtype)
    total = _overlap_add(frames * weights, sequence_stride)
    norm = _overlap_add(jnp.broadcast_to(jnp.square(weights), frames.shape[-2:]), sequence_stride)
    signal = total / jnp.where(norm > 1e-11, norm, jnp.ones_like(norm))
    start = fft_length // 2 if center else 0
    end = start + length if length is not None else (-start if center else None)
    return signal[..., start:end]


def _reflected(x: jax.Array, count: int) -> jax.Array:
    """The signal extended at both ends by this many points, by reflection."""
    if isinstance(x.shape[-1], int):
        return pad_with_itself(x, [(0, 0)] * (x.ndim - 1) + [(count, count)], "reflect")
    size = x.shape[-1]  # unknown
    period = jnp.maximum(2 * size - 2, 1)
    places = (jnp.arange(size + 2 * count) - count) % period
    return x[..., jnp.minimum(places, period - places)]


def _frames(x: Tensor, length: int, stride: int) -> jax.Array:
    count = (x.shape[-1] - length) // stride + 1
    budget.take("numbers", 8 * length, "extract_sequences")
    index = np.arange(length)[None, :] + jnp.arange(count)[:, None] * stride  # (frames, length)
    return x[..., index]


def _overlap_add(frames: Tensor, stride: int) -> jax.Array:
    count, length = frames.shape[-2:]
    index = np.arange(length)[None, :] + np.arange(count)[:, None] * stride
    total = jnp.zeros((*frames.shape[:-2], length + (count - 1) * stride), frames.dtype)
    return total.at[..., index].add(frames)


def _window(window: str | ArrayLike | None, length: int, fft_length: int, dtype: DTypeLike) -> jax.Array:
    if length > fft_length:
        raise ValueError(
            "stft: fft_length must be at least sequence_length. "
            f"Received: sequence_length={length}, fft_length={fft_length}."
        )
    budget.take("numbers", 8 * length, "stft")
    if window is None:
        return jnp.ones(fft_length, dtype)  # the whole frame, as in Keras
    factors: Any = window
    if isinstance(window, str):
        validate.one_of(window, ("hann", "hamming"), "window", "stft")
        angle = 2 * np.pi * np.arange(length) / length  # periodic, so that shifted windows add up evenly
        factors = 0.5 - 0.5 * np.cos(angle) if window == "hann" else 0.54 - 0.46 * np.cos(angle)
    if factors.shape != (length,):
        raise ValueError(f"stft: window must have shape ({length},). Received: window.shape={factors.shape}.")
    before = (fft_length - length) // 2
    return jnp.pad(jnp.asarray(factors, dtype), (before, fft_length - length - before))
