"""`tensorflow.signal` and `tensorflow.audio`: spectra of sounds."""

import io as bytes_io
import wave
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from cornu.tensorflow.served import Namespace, within
from cornu.tensorflow.strings import text


def hann_window(
    window_length: int, periodic: bool = True, dtype: Any = "float32", name: str | None = None
) -> jax.Array:
    """Hann's window: half a cosine up, half a cosine down."""
    angles = 2 * np.pi * np.arange(window_length) / (window_length if periodic else window_length - 1)
    return jnp.asarray(0.5 - 0.5 * np.cos(angles), dtype)


def hamming_window(
    window_length: int, periodic: bool = True, dtype: Any = "float32", name: str | None = None
) -> jax.Array:
    """Hamming's window."""
    angles = 2 * np.pi * np.arange(window_length) / (window_length if periodic else window_length - 1)
    return jnp.asarray(0.54 - 0.46 * np.cos(angles), dtype)


def frame(
    signal: Any, frame_length: int, frame_step: int, pad_end: bool = False, pad_value: float = 0, axis: int = -1,
    name: str | None = None,
) -> jax.Array:  # fmt: skip
    """Pieces of `frame_length`, `frame_step` apart, along a new axis before the last one."""
    signal = jnp.moveaxis(jnp.asarray(signal), axis, -1)
    samples = signal.shape[-1]
    count = -(-samples // frame_step) if pad_end else max(0, 1 + (samples - frame_length) // frame_step)
    missing = max(0, (count - 1) * frame_step + frame_length - samples) if pad_end else 0
    signal = jnp.pad(signal, [(0, 0)] * (signal.ndim - 1) + [(0, missing)], constant_values=pad_value)
    places = np.arange(count)[:, None] * frame_step + np.arange(frame_length)
    return signal[..., places]


def stft(
    signals: Any, frame_length: int, frame_step: int, fft_length: int | None = None,
    window_fn: Callable | None = hann_window, pad_end: bool = False, name: str | None = None,
) -> jax.Array:  # fmt: skip
    """The short-time Fourier transform, complex, shape (..., frames, fft_length // 2 + 1)."""
    pieces = frame(signals, frame_length, frame_step, pad_end)
    pieces = pieces if window_fn is None else pieces * window_fn(frame_length, dtype=pieces.dtype)
    return jnp.fft.rfft(pieces, fft_length or 2 ** (frame_length - 1).bit_length())


def linear_to_mel_weight_matrix(
    num_mel_bins: int = 20, num_spectrogram_bins: int = 129, sample_rate: float = 8000,
    lower_edge_hertz: float = 125.0, upper_edge_hertz: float = 3800.0, dtype: Any = "float32", name: str | None = None,
) -> jax.Array:  # fmt: skip
    """What takes spectra to the mel scale, shape (num_spectrogram_bins, num_mel_bins)."""

    def mel(hertz: Any) -> Any:
        return 1127.0 * np.log(1.0 + hertz / 700.0)

    bins = mel(np.linspace(0.0, sample_rate / 2, num_spectrogram_bins)[1:])[:, None]
    edges = np.linspace(mel(lower_edge_hertz), mel(upper_edge_hertz), num_mel_bins + 2)
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    weights = np.maximum(0, np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle)))
    return jnp.asarray(np.pad(weights, [(1, 0), (0, 0)]), dtype)


fft, ifft, rfft, irfft, fft2d, ifft2d = (
    jnp.fft.fft, jnp.fft.ifft, jnp.fft.rfft, jnp.fft.irfft, jnp.fft.fft2, jnp.fft.ifft2,
)  # fmt: skip


class Sound(NamedTuple):
    """Samples from -1 to 1, shape (samples, channels), and how many there are in a second."""

    audio: Any
    sample_rate: Any


def _decode_wav(contents: Any, desired_channels: int = -1, desired_samples: int = -1, name: str | None = None) -> Sound:
    """The sound in the bytes of a WAV file of 16 bits."""
    with wave.open(bytes_io.BytesIO(text(contents).item())) as file:
        if file.getsampwidth() != 2:
            raise ValueError(
                f"tf.audio.decode_wav: the file must have 16 bits. Received: {8 * file.getsampwidth()} bits."
            )
        values = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())
        rate = file.getframerate()
    values = values if desired_channels < 0 else values[:, :desired_channels]
    if desired_samples >= 0:
        values = np.pad(values[:desired_samples], [(0, max(0, desired_samples - len(values))), (0, 0)])
    return Sound(jnp.asarray(values / np.float32(32768), "float32"), jnp.asarray(rate))


audio = Namespace("audio", decode_wav=_decode_wav)
__getattr__ = within(__name__)
