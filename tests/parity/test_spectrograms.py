"""STFTSpectrogram and MelSpectrogram against Keras: outputs, gradients, kernels, configs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from layer_oracle import agree, check, plain
from oracle import both

import cornu

RNG = np.random.default_rng(0)
SOUND = RNG.normal(size=(2, 50, 2)).astype("float32")
FIRST = np.swapaxes(SOUND, 1, 2)
SIGNALS = RNG.normal(size=(2, 200)).astype("float32")

SPECTRA = {
    "log": ({"mode": "log"}, SOUND),
    "magnitude": ({"mode": "magnitude", "window": None, "scaling": None}, SOUND),
    "psd": ({"mode": "psd", "frame_step": 3, "fft_length": 12, "padding": "same"}, SOUND),
    "imag": ({"mode": "imag", "window": "hamming", "scaling": "spectrum", "periodic": True}, SOUND),
    "stft": ({"mode": "stft", "trainable": False}, SOUND),
    "stft as images": ({"mode": "stft", "expand_dims": True}, SOUND),
    "channels first": ({"mode": "real", "data_format": "channels_first"}, FIRST),
    "images with channels first": ({"mode": "stft", "expand_dims": True, "data_format": "channels_first"}, FIRST),
}


@pytest.mark.parametrize("case", SPECTRA)
@pytest.mark.filterwarnings("ignore:.*fft_length")
def test_an_stft_spectrogram_is_that_of_keras(case):
    arguments, inputs = SPECTRA[case]
    check("STFTSpectrogram", {"frame_length": 8, **arguments}, (inputs,), tolerance=1e-4)


def test_kernels_start_as_those_of_keras_do():
    def spectra(library):
        angle = library.layers.STFTSpectrogram(mode="angle", frame_length=8)(SOUND)
        window = np.linspace(0.5, 1, 8)
        return [
            np.cos(np.asarray(angle)),  # which does not tell pi from -pi
            library.layers.STFTSpectrogram(frame_length=8)(SOUND),
            library.layers.STFTSpectrogram(frame_length=8, window=window)(SOUND),
            library.layers.STFTSpectrogram(mode="magnitude", frame_length=8)(0 * SOUND),
        ]

    agree(spectra, 1e-4)


MEL = {
    "plain": {},
    "power": {"power_to_db": False},
    "amplitude": {"mag_exp": 1.0},
    "short window": {"window": "hamming", "sequence_length": 32},
    "no window": {"window": None, "sequence_length": 32},
    "cut off": {"top_db": 3.0, "ref_power": 2.0, "min_power": 5.0},
    "odd rate": {"sampling_rate": 11025, "min_freq": 0.0},
}


@pytest.mark.parametrize("case", MEL)
def test_a_mel_spectrogram_is_that_of_keras(case):
    def question(library):
        layer = library.layers.MelSpectrogram(
            **{"name": "mel", "fft_length": 64, "sequence_stride": 16, "num_mel_bins": 8} | MEL[case]
        )
        return {
            "config": plain(layer.get_config()),
            "batch": np.asarray(layer(SIGNALS)),
            "one": np.asarray(layer(SIGNALS[0])),
            "shape": list(layer(library.Input((90,))).shape),
        }

    ours, theirs = both(question)
    assert ours["config"] == theirs["config"]
    assert ours["shape"] == theirs["shape"]
    for key in ("batch", "one"):
        np.testing.assert_allclose(ours[key], theirs[key], rtol=1e-4, atol=1e-4)


def test_the_bands_are_those_of_keras():
    agree(lambda library: library.layers.MelSpectrogram().linear_to_mel_weight_matrix(6, 33, 8000, 100.0, 3500.0), 1e-4)


def test_a_signal_without_a_window_keeps_all_of_each_frame():
    agree(lambda library: library.ops.stft(SIGNALS, 32, 16, 64, window=None), 1e-5)


def test_signals_of_any_length_are_taken():
    for layer, shape in (
        (cornu.layers.MelSpectrogram(), (None,)),
        (cornu.layers.STFTSpectrogram(), (None, 1)),
    ):
        model = cornu.Sequential([cornu.Input(shape), layer])
        assert model.output_shape.count(None) == 2
        for time in (9000, 5000):
            sound = np.ones((1, time, *shape[1:]), "float32")
            assert model.predict(sound, verbose=0).shape == layer.compute_output_shape(sound.shape)
    real, _ = cornu.ops.stft(cornu.KerasTensor((None,)), 64, 16, 64)
    assert real.shape == (None, 33)


def test_a_length_that_is_not_known_yet_reflects_as_a_known_one():
    from cornu.ops.signal import _reflected

    (size,) = jax.export.symbolic_shape("n")
    exported = jax.export.export(jax.jit(lambda x: _reflected(x, 7)))(jax.ShapeDtypeStruct((size,), "float32"))
    for length in (20, 8, 5, 2):
        x = jnp.arange(length, dtype="float32")
        np.testing.assert_array_equal(exported.call(x), _reflected(x, 7))


def test_top_db_of_none_cuts_nothing_off_and_then_rows_are_apart():
    layer = cornu.layers.MelSpectrogram(fft_length=64, top_db=None)
    cut = cornu.layers.MelSpectrogram(fft_length=64)
    assert layer.rowwise
    assert not cut.rowwise
    loud_and_soft = SIGNALS * np.array([[1e6], [1e-6]], "float32")
    assert np.min(layer(loud_and_soft)) < np.min(cut(loud_and_soft))


@pytest.mark.parametrize(("name", "arguments", "words"), [
    ("STFTSpectrogram", {"mode": "power"}, "mode"),
    ("STFTSpectrogram", {"frame_step": 300}, "frame_step must be at most frame_length"),
    ("STFTSpectrogram", {"fft_length": 100}, "frame_length at most fft_length"),
    ("STFTSpectrogram", {"window": "hannn"}, "window"),
    ("STFTSpectrogram", {"window": np.ones(3)}, "window must have frame_length=256 numbers"),
    ("STFTSpectrogram", {"scaling": "energy"}, "scaling"),
    ("MelSpectrogram", {"window": "boxcar"}, "window"),
    ("MelSpectrogram", {"window": np.ones(3)}, "window must have sequence_length=2048 numbers"),
    ("MelSpectrogram", {"sequence_length": 5000}, "sequence_length must be at most fft_length"),
    ("MelSpectrogram", {"min_freq": 9000.0}, "below max_freq"),
])  # fmt: skip
def test_bad_arguments_are_refused_where_the_layer_is_made(name, arguments, words):
    with pytest.raises(ValueError, match=words):
        getattr(cornu.layers, name)(**arguments)


def test_whole_numbers_are_refused_where_kernels_would_round_them():
    with pytest.raises(TypeError, match="floating-point numbers with 3 axes"):
        cornu.layers.STFTSpectrogram(frame_length=8)(SOUND.astype("int16"))
