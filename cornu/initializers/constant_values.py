"""Deterministic initializers: constants, the identity matrix, and the kernels of a short-time Fourier transform."""

from collections.abc import Sequence

import jax
import numpy as np

from cornu import validate
from cornu.core.configurable import serialize_keras_object
from cornu.core.typing import ConfigDict, DTypeLike
from cornu.initializers.initializer import Initializer, to_array


class Constant(Initializer):
    """Sets every entry to `value`.

    Args:
        value: number, or an array that broadcasts to the requested shape. Defaults to 0.0.

    Example:

        print(cornu.initializers.Constant(3.0)((2, 2)))
    """

    def __init__(self, value: object = 0.0):
        self.value = value

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> jax.Array:
        return to_array(np.broadcast_to(np.asarray(self.value), tuple(shape)), dtype)

    def get_config(self) -> ConfigDict:
        """The value as plain data."""
        return {"value": serialize_keras_object(self.value)}


class Zeros(Initializer):
    """Sets every entry to 0.

    Example:

        print(cornu.initializers.Zeros()((2, 2)))
    """

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> jax.Array:
        return to_array(np.zeros(tuple(shape), np.float32), dtype)


class Ones(Initializer):
    """Sets every entry to 1.

    Example:

        print(cornu.initializers.Ones()((2, 2)))
    """

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> jax.Array:
        return to_array(np.ones(tuple(shape), np.float32), dtype)


class Identity(Initializer):
    """The identity matrix times `gain`, for weights of rank 2.

    Args:
        gain: factor. Defaults to 1.0.

    Example:

        print(cornu.initializers.Identity()((2, 3)))
    """

    def __init__(self, gain: float = 1.0):
        self.gain = gain

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> jax.Array:
        shape = tuple(shape)
        if len(shape) != 2:
            raise ValueError(f"Identity: the weight must be a matrix (rank 2). Received: shape={shape}.")
        return to_array(self.gain * np.eye(*shape), dtype)

    def get_config(self) -> ConfigDict:
        """The gain if it is not 1: Keras never writes it, but reads it."""
        return {} if self.gain == 1 else {"gain": self.gain}


class STFT(Initializer):
    """One part of the kernels of a short-time Fourier transform, for a 1D convolution.

    The entry at sample `n` and frequency `k` is `window[n] * cos(2 pi n k / fft_length)`, or with `-sin` for the
    imaginary part. The weight has shape `(frame_length, 1, fft_length // 2 + 1)`.

    Args:
        side: `"real"` or `"imag"`.
        window: name of a SciPy window, an array of `frame_length` numbers, or None for an unscaled rectangular window.
        scaling: `"density"` divides the window by the root of its sum of squares, `"spectrum"` by its sum, None by 1.
        periodic: whether the window is periodic (for spectra) rather than symmetric (for filters). Defaults to False.

    Example:

        print(cornu.initializers.STFT(side="imag")((8, 1, 5)).shape)  # (8, 1, 5)
    """

    def __init__(
        self, side: str = "real", window: object = "hann", scaling: str | None = "density", periodic: bool = False
    ):
        self.side = validate.one_of(side, ("real", "imag"), "side", self)
        self.window = window
        self.scaling = validate.one_of(scaling, (None, "density", "spectrum"), "scaling", self)
        self.periodic = periodic
        if isinstance(window, str):
            self._window_of(1)

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> jax.Array:
        shape = tuple(shape)
        if len(shape) != 3 or shape[1] != 1 or shape[2] < 2:
            raise ValueError(
                "STFT: the weight must have shape (frame_length, 1, fft_length // 2 + 1), with at least 2 frequencies. "
                f"Received: shape={shape}."
            )
        frame_length, _, bins = shape
        angle = np.pi * np.outer(np.arange(frame_length), np.arange(bins)) / (bins - 1)
        wave = np.cos(angle) if self.side == "real" else -np.sin(angle)
        return to_array((self._scaled_window(frame_length)[:, None] * wave)[:, None, :], dtype)

    def _scaled_window(self, length: int) -> np.ndarray:
        if self.window is None:
            return np.ones(length)
        window = self._window_of(length)
        scales = {None: 1.0, "density": np.sqrt(np.sum(window**2)), "spectrum": np.sum(window)}
        return window / scales[self.scaling]

    def _window_of(self, length: int) -> np.ndarray:
        if not isinstance(self.window, str):
            return np.broadcast_to(np.asarray(self.window, float), (length,))
        signal = validate.optional_import("scipy.signal", purpose="A named STFT window")
        try:
            return signal.get_window(self.window, length, fftbins=self.periodic)
        except ValueError as error:
            raise ValueError(
                'STFT: window must be a window name for scipy.signal.get_window without parameters, such as "hann". '
                f"Received: window={validate.shown(self.window)}."
            ) from error
