"""`tensorflow.signal` and `tensorflow.audio`: spectra and audio."""

import io as bytes_io
import wave
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.fft import dct as scipy_dct, idct as scipy_idct

from cornu.core.typing import AnyFunction, Axes, DTypeLike, Tensor
from cornu.tensorflow.served import Namespace, sizes, within
from cornu.tensorflow.texts import Text, text


def _raised_cosine(length: int, periodic: bool, share: float, dtype: Any) -> jax.Array:
    """`share - (1 - share) cos`; as in TensorFlow a window of odd length is never periodic."""
    if length == 1:
        return jnp.ones(1, dtype)
    period = length if periodic and length % 2 == 0 else length - 1
    return jnp.asarray(share - (1 - share) * np.cos(2 * np.pi * np.arange(length) / period), dtype)


def hann_window(
    window_length: int, periodic: bool = True, dtype: object = "float32", name: str | None = None
) -> jax.Array:
    """Hann's window: half a cosine up, half a cosine down."""
    return _raised_cosine(window_length, periodic, 0.5, dtype)


def hamming_window(
    window_length: int, periodic: bool = True, dtype: object = "float32", name: str | None = None
) -> jax.Array:
    """Hamming's window."""
    return _raised_cosine(window_length, periodic, 0.54, dtype)


def kaiser_window(
    window_length: int, beta: float = 12.0, dtype: DTypeLike = "float32", name: str | None = None
) -> jax.Array:
    """Kaiser's window."""
    return jnp.asarray(np.kaiser(window_length, beta), dtype)


def kaiser_bessel_derived_window(
    window_length: int, beta: float = 12.0, dtype: DTypeLike = "float32", name: str | None = None
) -> jax.Array:
    """The window made of Kaiser's whose halves overlap to 1."""
    sums = np.cumsum(np.kaiser(window_length // 2 + 1, beta))
    half = np.sqrt(sums[:-1] / sums[-1])
    return jnp.asarray(np.concatenate([half, half[::-1]]), dtype)


def vorbis_window(window_length: int, dtype: DTypeLike = "float32", name: str | None = None) -> jax.Array:
    """The window of Vorbis: a sine of a squared sine."""
    sine = np.sin(np.pi / window_length * (np.arange(window_length) + 0.5))
    return jnp.asarray(np.sin(np.pi / 2 * sine**2), dtype)


def frame(
    signal: Tensor, frame_length: int, frame_step: int, pad_end: bool = False, pad_value: float = 0, axis: int = -1,
    name: str | None = None,
) -> jax.Array:  # fmt: skip
    """Pieces of `frame_length`, `frame_step` apart, along a new axis before `axis`."""
    place = axis % jnp.ndim(jnp.asarray(signal))
    signal = jnp.moveaxis(jnp.asarray(signal), axis, -1)
    samples = signal.shape[-1]
    count = -(-samples // frame_step) if pad_end else max(0, 1 + (samples - frame_length) // frame_step)
    missing = max(0, (count - 1) * frame_step + frame_length - samples) if pad_end else 0
    signal = jnp.pad(signal, [(0, 0)] * (signal.ndim - 1) + [(0, missing)], constant_values=pad_value)
    places = np.arange(count)[:, None] * frame_step + np.arange(frame_length)
    return jnp.moveaxis(signal[..., places], (-2, -1), (place, place + 1))


def stft(
    signals: Tensor, frame_length: int, frame_step: int, fft_length: int | None = None,
    window_fn: AnyFunction | None = hann_window, pad_end: bool = False, name: str | None = None,
) -> jax.Array:  # fmt: skip
    """The short-time Fourier transform, complex, shape (..., frames, fft_length // 2 + 1)."""
    pieces = frame(signals, frame_length, frame_step, pad_end)
    pieces = pieces if window_fn is None else pieces * window_fn(frame_length, dtype=pieces.dtype)
    return jnp.fft.rfft(pieces, fft_length or 2 ** (frame_length - 1).bit_length())


def linear_to_mel_weight_matrix(
    num_mel_bins: int = 20, num_spectrogram_bins: int = 129, sample_rate: float = 8000,
    lower_edge_hertz: float = 125.0, upper_edge_hertz: float = 3800.0, dtype: DTypeLike = "float32",
    name: str | None = None,
) -> jax.Array:  # fmt: skip
    """The matrix that maps spectra to the mel scale, shape (num_spectrogram_bins, num_mel_bins)."""

    def mel(hertz: Tensor) -> jax.Array:
        return 1127.0 * np.log(1.0 + hertz / 700.0)

    bins = mel(np.linspace(0.0, sample_rate / 2, num_spectrogram_bins)[1:])[:, None]
    edges = np.linspace(mel(lower_edge_hertz), mel(upper_edge_hertz), num_mel_bins + 2)
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    weights = np.maximum(0, np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle)))
    return jnp.asarray(np.pad(weights, [(1, 0), (0, 0)]), dtype)


def overlap_and_add(signal: Tensor, frame_step: int, name: str | None = None) -> jax.Array:
    """Frames, shape (..., frames, length), laid `frame_step` apart and added where they overlap."""
    signal = jnp.asarray(signal)
    count, length = signal.shape[-2:]
    places = np.arange(count)[:, None] * frame_step + np.arange(length)
    whole = jnp.zeros((*signal.shape[:-2], (count - 1) * frame_step + length), signal.dtype)
    return whole.at[..., places].add(signal)


def inverse_stft(
    stfts: Tensor, frame_length: int, frame_step: int, fft_length: int | None = None,
    window_fn: AnyFunction | None = hann_window, name: str | None = None,
) -> jax.Array:  # fmt: skip
    """The signal of a short-time Fourier transform, by overlap-add of windowed frames."""
    pieces = jnp.fft.irfft(jnp.asarray(stfts), fft_length or 2 ** (frame_length - 1).bit_length())
    pieces = jnp.pad(pieces, [(0, 0)] * (pieces.ndim - 1) + [(0, max(0, frame_length - pieces.shape[-1]))])
    pieces = pieces[..., :frame_length]
    return overlap_and_add(pieces if window_fn is None else pieces * window_fn(frame_length), frame_step)


def inverse_stft_window_fn(
    frame_step: int, forward_window_fn: AnyFunction = hann_window, name: str | None = None
) -> AnyFunction:
    """The window for `inverse_stft` that reconstructs the input of `stft`."""

    def window(frame_length: int, dtype: DTypeLike = "float32") -> jax.Array:
        forward = np.asarray(forward_window_fn(frame_length, dtype=dtype))
        overlaps = -(-frame_length // frame_step)
        squares = np.pad(forward**2, (0, overlaps * frame_step - frame_length)).reshape(overlaps, frame_step)
        return jnp.asarray(forward / np.tile(squares.sum(0), overlaps)[:frame_length], dtype)

    return window


def dct(input: Tensor, type: int = 2, n: int | None = None, axis: int = -1, norm: str | None = None) -> jax.Array:
    """The discrete cosine transform of the second kind along the last axis."""
    if type != 2:
        raise ValueError(f"tf.signal.dct: type must be 2. Received: type={type}.")
    return scipy_dct(jnp.asarray(input), 2, n, axis, norm)


def idct(input: Tensor, type: int = 2, n: int | None = None, axis: int = -1, norm: str | None = None) -> jax.Array:
    """The inverse of `dct`, up to a factor of twice the length if `norm` is None."""
    if type != 2:
        raise ValueError(f"tf.signal.idct: type must be 2. Received: type={type}.")
    changed = scipy_idct(jnp.asarray(input), 2, n, axis, norm)
    return changed if norm else changed * 2 * changed.shape[-1]


def mfccs_from_log_mel_spectrograms(log_mel_spectrograms: Tensor, name: str | None = None) -> jax.Array:
    """The mel-frequency cepstral coefficients: a cosine transform, divided by the root of twice the number of bins."""
    spectrograms = jnp.asarray(log_mel_spectrograms)
    return dct(spectrograms) / np.sqrt(2.0 * spectrograms.shape[-1])


def _transform(function: AnyFunction, axes: int, given: str) -> AnyFunction:
    """One of JAX's Fourier transforms with TensorFlow's arguments: lists are accepted, lengths come in a list."""

    def transform(input: Tensor, fft_length: object = None, name: str | None = None) -> jax.Array:
        lengths = None if fft_length is None else tuple(sizes(fft_length))
        if axes == 3:
            return function(jnp.asarray(input), lengths, (-3, -2, -1))
        return function(jnp.asarray(input), lengths if axes > 1 or lengths is None else lengths[0])

    transform.__name__ = given
    return transform


fft, ifft, rfft, irfft, fft2d, ifft2d, rfft2d, irfft2d, fft3d, ifft3d, rfft3d, irfft3d = (
    _transform(getattr(jnp.fft, name + ("", "2", "n")[axes - 1]), axes, name + ("", "2d", "3d")[axes - 1])
    for axes in (1, 2, 3)
    for name in ("fft", "ifft", "rfft", "irfft")
)


def fftshift(x: Tensor, axes: Axes = None, name: str | None = None) -> jax.Array:
    """The spectrum with the frequency 0 in the middle."""
    return jnp.fft.fftshift(jnp.asarray(x), axes)


def ifftshift(x: Tensor, axes: Axes = None, name: str | None = None) -> jax.Array:
    """The inverse of `fftshift`."""
    return jnp.fft.ifftshift(jnp.asarray(x), axes)


class Sound(NamedTuple):
    """Samples from -1 to 1, shape (samples, channels), and the sample rate."""

    audio: Tensor
    sample_rate: Tensor


def _decode_wav(
    contents: Tensor, desired_channels: int = -1, desired_samples: int = -1, name: str | None = None
) -> Sound:
    """The samples in the bytes of a 16-bit WAV file."""
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


def _encode_wav(audio: Tensor, sample_rate: Tensor, name: str | None = None) -> Text:
    """Samples from -1 to 1, shape (samples, channels), as the bytes of a 16-bit WAV file."""
    samples = np.asarray(audio)
    target = bytes_io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(int(sample_rate))
        file.writeframes(np.clip(np.rint(samples * 32768.0), -32768, 32767).astype("<i2").tobytes())
    return text(target.getvalue())


audio = Namespace("audio", decode_wav=_decode_wav, encode_wav=_encode_wav)
__getattr__ = within(__name__)
