"""Spectrograms of audio: the frequencies in a signal, from one short frame to the next."""

from typing import Unpack

import jax
import jax.numpy as jnp
import numpy as np

from cornu import ops, settings, validate
from cornu.core import budget, placement
from cornu.core.dtypes import standardize_dtype
from cornu.core.typing import ArrayLike, DTypeLike, Shape
from cornu.initializers.constant_values import STFT
from cornu.kernels.conv import conv
from cornu.layers.layer import Layer
from cornu.layers.options import LayerOptions

_MODES = ("log", "magnitude", "psd", "real", "imag", "angle", "stft")


class STFTSpectrogram(Layer):
    """Short-time Fourier transform of signals by a convolution, whose kernels may be trained.

    Args:
        mode: the output: `"real"` or `"imag"` part, `"stft"` for both, concatenated, the `"angle"`, the power `"psd"`,
            the `"magnitude"` (its square root), or the logarithm of that, `"log"`. Defaults to `"log"`.
        frame_length: number of samples in a frame. Defaults to 256.
        frame_step: number of samples between frames, at most `frame_length`. None by default, for half of it.
        fft_length: length of the transform, at least `frame_length`; frequencies are multiples of the sampling rate
            divided by it. None by default, for the next power of two.
        window: window applied to a frame: a name that `scipy.signal.get_window` knows, an array of `frame_length`
            numbers, or None for none. Defaults to `"hann"`.
        periodic: whether a named window is periodic rather than symmetric. Defaults to False.
        scaling: `"density"` divides the window by the root of its sum of squares, `"spectrum"` by its sum, None by 1.
            Defaults to `"density"`.
        padding: `"valid"`, or `"same"` for a frame at each step of the whole signal. Defaults to `"valid"`.
        expand_dims: whether to keep channels and frequencies on separate axes, as in an image. Defaults to False.
        data_format: `"channels_last"`, `"channels_first"`, or None for the global default.

    Input shape:
        `(batch, time, channels)`, or `(batch, channels, time)` for `\"channels_first\"`, of a floating-point dtype.

    Output shape:
        `(batch, frames, channels * frequencies)`, or `(batch, channels * frequencies, frames)`; with `expand_dims`,
        `(batch, frames, frequencies, channels)`, or `(batch, channels, frames, frequencies)`. There are
        `fft_length // 2 + 1` frequencies, twice as many for `\"stft\"`.

    Allen & Rabiner, A unified approach to short-time Fourier analysis and synthesis, 1977.

    Example:

        layer = cornu.layers.STFTSpectrogram(frame_length=64, trainable=False)
        print(layer(np.ones((2, 1000, 1))).shape)  # (2, 30, 33)
    """

    pure_call = rowwise = True

    def __init__(
        self,
        mode: str = "log",
        frame_length: int = 256,
        frame_step: int | None = None,
        fft_length: int | None = None,
        window: str | ArrayLike | None = "hann",
        periodic: bool = False,
        scaling: str | None = "density",
        padding: str = "valid",
        expand_dims: bool = False,
        data_format: str | None = None,
        **kwargs: Unpack[LayerOptions],
    ):
        super().__init__(**kwargs)
        self.mode = validate.one_of(mode, _MODES, "mode", self)
        self.frame_length = validate.positive_int(frame_length, "frame_length", self)
        self.frame_step = None if frame_step is None else validate.positive_int(frame_step, "frame_step", self)
        self.fft_length = None if fft_length is None else validate.positive_int(fft_length, "fft_length", self)
        self.window = window
        self.periodic = periodic
        self.scaling = scaling
        self.padding = validate.one_of(padding, ("valid", "same"), "padding", self)
        self.expand_dims = expand_dims
        self.data_format = validate.data_format(data_format, self)
        self._check_lengths()

    def _check_lengths(self) -> None:
        if not self._step <= self.frame_length <= self._fft_length:
            raise ValueError(
                f"{validate.describe(self)}: frame_step must be at most frame_length, and frame_length at most "
                "fft_length. "
                f"Received: frame_step={self._step}, frame_length={self.frame_length}, fft_length={self._fft_length}."
            )
        if self._fft_length < 2:
            raise ValueError(f"{validate.describe(self)}: frame_length must be at least 2. Received: frame_length=1.")
        if self.window is not None and not isinstance(self.window, str):
            shape = np.shape(self.window)
            if shape != (self.frame_length,):
                raise ValueError(
                    f"{validate.describe(self)}: window must have frame_length={self.frame_length} numbers. "
                    f"Received: an array of shape {shape}."
                )
        for side in self._sides:
            self._kernel_of(side)  # rejects unknown values

    @property
    def _step(self) -> int:
        return self.frame_step or max(1, self.frame_length // 2)

    @property
    def _fft_length(self) -> int:
        return self.fft_length or 1 << (self.frame_length - 1).bit_length()

    @property
    def _sides(self) -> tuple[str, ...]:
        """The parts that have a kernel."""
        return (self.mode,) if self.mode in ("real", "imag") else ("real", "imag")

    def _kernel_of(self, side: str) -> STFT:
        return STFT(side, self.window, self.scaling, self.periodic)

    def build(self, input_shape: Shape) -> None:
        """Create the kernels, `(frame_length, 1, frequencies)`."""
        shape = (self.frame_length, 1, self._fft_length // 2 + 1)
        for side in self._sides:
            setattr(self, f"{side}_kernel", self.add_weight(shape, self._kernel_of(side), name=f"{side}_kernel"))

    def call(self, inputs: jax.Array) -> jax.Array:
        """The spectrogram of each channel."""
        if inputs.ndim != 3 or not jnp.issubdtype(inputs.dtype, jnp.floating):
            raise TypeError(
                f"{validate.describe(self)}: inputs must be floating-point numbers with 3 axes, batch, time and "
                f"channels. Received: {inputs.dtype.name} of shape {inputs.shape}."
            )
        first = self.data_format == "channels_first"
        signals = inputs if first else jnp.swapaxes(inputs, 1, 2)  # (batch, channels, time)
        spectra = self._spectra(signals)  # (batch, channels, frames, frequencies)
        if self.expand_dims:
            return spectra if first else jnp.moveaxis(spectra, 1, 3)
        batch, channels, frames, frequencies = spectra.shape
        if first:
            return jnp.swapaxes(spectra, 2, 3).reshape(batch, channels * frequencies, frames)
        return jnp.swapaxes(spectra, 1, 2).reshape(batch, frames, channels * frequencies)

    def _spectra(self, signals: jax.Array) -> jax.Array:
        batch, channels, time = signals.shape
        alone = signals.reshape(batch * channels, time, 1)
        kernels = [jnp.asarray(getattr(self, f"{side}_kernel"), signals.dtype) for side in self._sides]
        parts = [conv(alone, kernel, (self._step,), self.padding) for kernel in kernels]
        spectra = self._of_parts(*parts)
        return spectra.reshape(batch, channels, *spectra.shape[1:])

    def _of_parts(self, *parts: jax.Array) -> jax.Array:
        """The output for `mode`, from the real and imaginary parts, or the one that is computed."""
        if self.mode in ("real", "imag", "stft"):
            return jnp.concatenate(parts, -1)
        real, imag = parts
        if self.mode == "angle":
            return jnp.arctan2(imag, real)
        power = jnp.square(real) + jnp.square(imag)
        if self.mode == "psd":  # one-sided: all but the first and the last frequency count twice
            return power.at[..., 1:-1].multiply(2.0)
        magnitude = jnp.sqrt(jnp.maximum(power, settings.epsilon()))
        return jnp.log(magnitude) if self.mode == "log" else magnitude


class MelSpectrogram(Layer):
    """Spectrograms on the perceptual mel scale, in decibels.

    `10 log10(max(P, min_power) / max(ref_power, min_power))`, where `P` is the energy in each mel band of the magnitude
    of the short-time Fourier transform raised to the power `mag_exp`.

    Args:
        fft_length: number of samples in a frame, including padding. Defaults to 2048.
        sequence_stride: number of samples between frames. Defaults to 512.
        sequence_length: number of samples in the window, at most `fft_length`. None by default, for `fft_length`.
        window: `"hann"`, `"hamming"`, an array of `sequence_length` factors, or None for none. Defaults to `"hann"`.
        sampling_rate: samples per second. Defaults to 16000.
        num_mel_bins: number of mel bands. Defaults to 128.
        min_freq: lowest frequency of a band, in hertz. Defaults to 20.0.
        max_freq: highest frequency of a band. None by default, for half of `sampling_rate`.
        power_to_db: whether to convert to decibels. Defaults to True.
        top_db: lower bound of the result, in decibels below the maximum over all inputs; None sets no bound. Defaults
            to 80.0.
        mag_exp: exponent of the magnitudes, 1 for amplitude and 2 for power. Defaults to 2.0.
        min_power: lower bound of the power. Defaults to 1e-10.
        ref_power: power that corresponds to 0 decibels. Defaults to 1.0.

    Input shape:
        `(..., time)`.

    Output shape:
        `(..., num_mel_bins, frames)`, with a frame centered on every `sequence_stride`-th sample.

    Stevens, Volkmann & Newman, A scale for the measurement of the psychological magnitude pitch, 1937.

    Example:

        layer = cornu.layers.MelSpectrogram(fft_length=256, sequence_stride=128, num_mel_bins=20)
        print(layer(np.ones((2, 1000))).shape)  # (2, 20, 8)
    """

    pure_call = True

    def __init__(
        self,
        fft_length: int = 2048,
        sequence_stride: int = 512,
        sequence_length: int | None = None,
        window: str | ArrayLike | None = "hann",
        sampling_rate: int = 16000,
        num_mel_bins: int = 128,
        min_freq: float = 20.0,
        max_freq: float | None = None,
        power_to_db: bool = True,
        top_db: float | None = 80.0,
        mag_exp: float = 2.0,
        min_power: float = 1e-10,
        ref_power: float = 1.0,
        **kwargs: Unpack[LayerOptions],
    ):
        kwargs.setdefault("autocast", False)  # a signal must not be rounded to 16 bits
        super().__init__(**kwargs)
        self.fft_length = validate.positive_int(fft_length, "fft_length", self)
        self.sequence_stride = validate.positive_int(sequence_stride, "sequence_stride", self)
        self.sequence_length = validate.positive_int(sequence_length or fft_length, "sequence_length", self)
        self.window = window
        self.sampling_rate = validate.positive_int(sampling_rate, "sampling_rate", self)
        self.num_mel_bins = validate.positive_int(num_mel_bins, "num_mel_bins", self)
        self.min_freq = min_freq
        self.max_freq = max_freq or int(sampling_rate / 2)
        self.power_to_db = power_to_db
        self.top_db = top_db
        self.mag_exp = mag_exp
        self.min_power = min_power
        self.ref_power = ref_power
        self._check()

    def _check(self) -> None:
        who = validate.describe(self)
        if isinstance(self.window, str):
            validate.one_of(self.window, ("hann", "hamming"), "window", self)
        elif self.window is not None and np.shape(self.window) != (self.sequence_length,):
            raise ValueError(
                f"{who}: window must have sequence_length={self.sequence_length} numbers. "
                f"Received: an array of shape {np.shape(self.window)}."
            )
        if self.sequence_length > self.fft_length:
            raise ValueError(
                f"{who}: sequence_length must be at most fft_length. "
                f"Received: sequence_length={self.sequence_length}, fft_length={self.fft_length}."
            )
        if not 0 <= self.min_freq < self.max_freq:
            raise ValueError(
                f"{who}: min_freq must be at least 0 and below max_freq. "
                f"Received: min_freq={self.min_freq}, max_freq={self.max_freq}."
            )

    @property
    def rowwise(self) -> bool:  # type: ignore[override]  # what the settings say, and nothing to be set
        """Whether rows are independent: `top_db` is relative to the maximum over all rows."""
        return not self.power_to_db or self.top_db is None

    def call(self, inputs: jax.Array) -> jax.Array:
        """The mel spectrogram of each signal."""
        signal = jnp.asarray(inputs)
        signal = signal.astype("float64" if signal.dtype == "float64" else "float32")
        sizes = self.sequence_length, self.sequence_stride, self.fft_length
        parts = placement.each_row(lambda rows: ops.stft(rows, *sizes, self.window), signal)
        power = jnp.power(jnp.sqrt(jnp.square(parts[0]) + jnp.square(parts[1])), self.mag_exp)
        bands = self.linear_to_mel_weight_matrix(
            self.num_mel_bins, power.shape[-1], self.sampling_rate, self.min_freq, self.max_freq, power.dtype
        )
        mel = jnp.swapaxes(power @ bands, -1, -2)  # (..., bands, frames)
        return (self._decibels(mel) if self.power_to_db else mel).astype(self.compute_dtype)

    def _decibels(self, power: jax.Array) -> jax.Array:
        reference = 10.0 * np.log10(max(self.min_power, self.ref_power))
        decibels = 10.0 * jnp.log10(jnp.maximum(power, self.min_power)) - reference
        if self.top_db is None:
            return decibels
        return jnp.maximum(decibels, jnp.max(decibels) - self.top_db)

    def linear_to_mel_weight_matrix(
        self,
        num_mel_bins: int = 20,
        num_spectrogram_bins: int = 129,
        sampling_rate: int = 8000,
        lower_edge_hertz: float = 125.0,
        upper_edge_hertz: float = 3800.0,
        dtype: DTypeLike = "float32",
    ) -> jax.Array:
        """The weight of each frequency in each band: triangles of equal width on the mel scale `1127 ln(1 + f / 700)`.

        Args:
            num_mel_bins: number of bands. Defaults to 20.
            num_spectrogram_bins: number of frequencies, from 0 to half of `sampling_rate`. Defaults to 129.
            sampling_rate: samples per second. Defaults to 8000.
            lower_edge_hertz: lower edge of the lowest band. Defaults to 125.0.
            upper_edge_hertz: upper edge of the highest band. Defaults to 3800.0.
            dtype: of the result. Defaults to `"float32"`.

        Returns:
            `(num_spectrogram_bins, num_mel_bins)`; frequency 0 is in no band.
        """
        budget.take("numbers", 8 * num_spectrogram_bins * num_mel_bins, validate.describe(self))
        frequencies = _mel(np.linspace(0.0, sampling_rate / 2.0, num_spectrogram_bins))[:, None]
        lowest, highest = _mel(np.array([lower_edge_hertz, upper_edge_hertz]))
        edges = np.linspace(lowest, highest, num_mel_bins + 2)
        low, centre, high = edges[:-2], edges[1:-1], edges[2:]
        shares = np.minimum((frequencies - low) / (centre - low), (high - frequencies) / (high - centre))
        shares[0] = 0.0
        return jnp.asarray(np.maximum(shares, 0.0), standardize_dtype(dtype))

    def convert_weight(self, weight: object) -> object:
        """The weight unchanged, since it fits inputs of any dtype."""
        return weight


def _mel(hertz: np.ndarray) -> np.ndarray:
    return 1127.0 * np.log1p(hertz / 700.0)
