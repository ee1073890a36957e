"""ConvLSTM1D, 2D and 3D against Keras: outputs, gradients, masks, dropout, configs, paths and files."""

import jax.numpy as jnp
import numpy as np
import pytest
from file_structure import structure
from layer_oracle import agree, built, check, pure_results, take_the_same_masks
from oracle import ask

import cornu

RNG = np.random.default_rng(0)
ROWS, FILMS, VOLUMES = (RNG.normal(size=(2, 3, *size, 2)).astype("float32") for size in ((6,), (5, 6), (3, 4, 3)))
FIRST = np.moveaxis(FILMS, -1, 2)
ALL = {"return_sequences": True, "return_state": True}
HOLES = jnp.asarray([[1, 0, 1], [0, 1, 0]], bool)
LATER = jnp.asarray([[1, 0, 1], [1, 1, 0]], bool)

CASES = {
    "rows": ("ConvLSTM1D", {"filters": 3, "kernel_size": 3}, ROWS),
    "films": ("ConvLSTM2D", {"filters": 2, "kernel_size": (3, 2), "padding": "same", **ALL}, FILMS),
    "volumes": ("ConvLSTM3D", {"filters": 2, "kernel_size": 2, "return_sequences": True}, VOLUMES),
    "strides": ("ConvLSTM2D", {"filters": 2, "kernel_size": 3, "strides": (1, 2), "padding": "same", **ALL}, FILMS),
    "dilation": ("ConvLSTM2D", {"filters": 2, "kernel_size": 2, "dilation_rate": (2, 1), "unroll": True}, FILMS),
    "channels first": ("ConvLSTM2D", {"filters": 3, "kernel_size": 2, "data_format": "channels_first", **ALL}, FIRST),
    "backwards": (
        "ConvLSTM1D",
        {"filters": 2, "kernel_size": 2, "go_backwards": True, "use_bias": False, "activation": "relu",
         "recurrent_activation": "hard_sigmoid", **ALL},
        ROWS,
    ),
    "penalties": (
        "ConvLSTM1D",
        {"filters": 2, "kernel_size": 2, "kernel_regularizer": "l2", "recurrent_regularizer": "l1",
         "bias_regularizer": "l2", "activity_regularizer": "l2", "kernel_constraint": "max_norm",
         "recurrent_constraint": "unit_norm", "bias_constraint": "non_neg", "unit_forget_bias": False},
        ROWS,
    ),
    "half": ("ConvLSTM1D", {"filters": 2, "kernel_size": 2, "dtype": "mixed_bfloat16", **ALL}, ROWS),
    "both ways": (
        "Bidirectional",
        lambda library: {"layer": library.layers.ConvLSTM1D(2, 3, padding="same", name="inner", return_sequences=True)},
        ROWS,
    ),
}  # fmt: skip


def agrees(name, arguments, x, **options):
    """Everything is as in Keras, but for the seed that Keras's cells have without dropout too."""
    check(name, arguments, (x,), state=False, **options)


@pytest.mark.parametrize("case", CASES)
def test_everything_is_as_in_keras(case):
    name, arguments, x = CASES[case]
    agrees(name, arguments, x, tolerance=2e-2 if case == "half" else 2e-5)


def test_masked_steps():
    """Keras takes masks of these layers only in a loop that is written out."""
    arguments = {"filters": 2, "kernel_size": 3, "unroll": True, **ALL}
    agrees("ConvLSTM1D", arguments, ROWS, symbolic=False, mask=HOLES)


@pytest.mark.parametrize("mask", [None, LATER])
def test_initial_states(mask):
    start = [jnp.asarray(RNG.normal(size=(2, 4, 2)), "float32") for _ in range(2)]
    arguments = {"filters": 2, "kernel_size": 3, "unroll": mask is not None, **ALL}
    agrees("ConvLSTM1D", arguments, ROWS, symbolic=False, mask=mask, initial_state=start)


def test_states_stay_for_the_next_batch():
    def question(library):
        layer = built(library, "ConvLSTM1D", {"filters": 2, "kernel_size": 3, "stateful": True}, (ROWS,))
        first, second = layer(ROWS), layer(ROWS)
        layer.reset_state()
        return first, second, layer(ROWS)

    agree(question, 1e-5)


@pytest.mark.parametrize("rates", [(0.4, 0.0), (0.0, 0.3), (0.4, 0.3)], ids=["inputs", "states", "both"])
def test_dropout_with_the_same_masks(rates, monkeypatch):
    """Masks come from each library's own random numbers; with the same masks in both, so are the results."""

    def question(library):
        take_the_same_masks(library, monkeypatch)
        arguments = {"filters": 2, "kernel_size": 2, "dropout": rates[0], "recurrent_dropout": rates[1], "seed": 1}
        layer = built(library, "ConvLSTM2D", {**arguments, "data_format": "channels_first", **ALL}, (FIRST,))
        results = pure_results(layer, (FIRST,), training=True)
        return results["outputs"], results["gradients"]

    agree(question, 1e-5)


def saved(library, file):
    """Save a model of these layers; returns its outputs."""
    library.utils.clear_session(free_memory=False)
    L = library.layers
    inputs = library.Input((3, 5, 6, 2))
    x, *states = L.ConvLSTM2D(2, 3, dropout=0.1, **ALL)(inputs)
    x = L.ConvLSTM2D(2, 3, padding="same")(x, initial_state=states)
    model = library.Model(inputs, [x, L.TimeDistributed(L.ConvLSTM1D(2, 2))(inputs)])
    model.save(file)
    return [np.asarray(y) for y in model(FILMS)]


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
@pytest.mark.filterwarnings("ignore:[\\s\\S]*HDF5")
def test_a_file_of_keras_is_read_and_one_of_cornu_looks_like_it(name, tmp_path):
    def question(library):
        outputs = saved(library, tmp_path / name)
        return (tmp_path / name).read_bytes(), outputs

    theirs, outputs = ask(question)
    (tmp_path / name).write_bytes(theirs)
    for ours, wanted in zip(cornu.models.load_model(tmp_path / name)(FILMS), outputs, strict=True):
        np.testing.assert_allclose(ours, wanted, atol=1e-6)
    saved(cornu, tmp_path / f"ours_{name}")
    if name.endswith(".keras"):
        assert structure(tmp_path / f"ours_{name}") == structure(theirs)


@pytest.mark.live
@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_keras_reads_a_file_of_cornu(name, tmp_path):
    outputs = saved(cornu, tmp_path / name)
    loaded = ask(lambda keras: keras.models.load_model(tmp_path / name)(FILMS))
    for theirs, ours in zip(loaded, outputs, strict=True):
        np.testing.assert_allclose(theirs, ours, atol=1e-6)
