"""Initializers against Keras: configs, deterministic values, and the statistics of drawn ones."""

import jax.numpy as jnp
import numpy as np
import pytest
from oracle import ask, both

import cornu
from cornu import initializers

CLASSES = [
    "Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Identity", "LecunNormal", "LecunUniform",
    "Ones", "Orthogonal", "RandomNormal", "RandomUniform", "STFT", "TruncatedNormal", "VarianceScaling", "Zeros",
]  # fmt: skip
ARGUMENTS = [
    ("Constant", {"value": 2.5}), ("Constant", {"value": [1, 2, 3]}), ("GlorotUniform", {"seed": 3}),
    ("GlorotNormal", {"seed": 3, "input_axes": [0], "output_axes": [1, 2]}), ("HeNormal", {}),
    ("Orthogonal", {"gain": 2.0, "seed": 1}), ("RandomNormal", {"mean": 1.0, "stddev": 2.0}),
    ("RandomUniform", {"minval": -1, "maxval": 2}), ("TruncatedNormal", {"mean": 1.0, "stddev": 2.0, "seed": 7}),
    ("VarianceScaling", {"scale": 2.0, "mode": "fan_out", "distribution": "uniform"}),
    ("VarianceScaling", {"distribution": "normal"}), ("STFT", {"side": "imag", "window": "hamming", "scaling": None}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kwargs"), [*((n, {}) for n in CLASSES), *ARGUMENTS])
def test_configs_equal_keras(name, kwargs):
    def question(library):
        initializer = getattr(library.initializers, name)(**kwargs)
        return initializer.get_config(), library.initializers.serialize(initializer)

    ours, theirs = both(question)
    assert ours == theirs
    again = initializers.deserialize(theirs[1])
    assert type(again) is getattr(initializers, name)
    assert again.get_config() == ours[0]


@pytest.mark.live
@pytest.mark.parametrize(("name", "kwargs"), [*((n, {}) for n in CLASSES), *ARGUMENTS])
def test_keras_reads_a_config_of_cornu(name, kwargs):
    ours = getattr(initializers, name)(**kwargs)
    written = initializers.serialize(ours)
    assert ask(lambda keras: keras.initializers.deserialize(written).get_config()) == ours.get_config()


def test_array_constants_have_keras_config():
    value = np.arange(3.0)
    ours, theirs = both(lambda library: library.initializers.Constant(value).get_config())
    assert str(ours) == str(theirs)
    again = initializers.Constant.from_config(initializers.Constant(value).get_config())
    np.testing.assert_array_equal(again((2, 3)), [[0, 1, 2], [0, 1, 2]])


def test_the_gain_of_the_identity_survives_its_config():
    again = initializers.Identity.from_config(initializers.Identity(3.0).get_config())
    assert again.gain == 3.0


def public_names(library):
    hidden = ("get", "serialize", "deserialize")
    return [n for n in dir(library.initializers) if not n.startswith("_") and n not in hidden]


def test_every_string_name():
    def question(keras):
        names = [n for n in public_names(keras) if n.lower() not in ("constant", "initializer")]
        read = keras.initializers.get
        return {name: keras.initializers.serialize(read(name)) for name in [*names, "uniform", "normal", "one", "zero"]}

    for name, written in ask(question).items():
        assert initializers.serialize(initializers.get(name)) == written


def test_every_public_name():
    names = ask(lambda keras: {name: getattr(keras.initializers, name).__name__ for name in public_names(keras)})
    assert {name: getattr(initializers, name).__name__ for name in names} == names


# ---------------------------------------------------------------- values without chance


@pytest.mark.parametrize("dtype", [None, "float16", "bfloat16", "int32", "bool"])
@pytest.mark.parametrize(
    ("name", "kwargs"), [("Zeros", {}), ("Ones", {}), ("Constant", {"value": 2}), ("Identity", {})]
)
def test_fixed_values(name, kwargs, dtype):
    ours, theirs = both(lambda library: getattr(library.initializers, name)(**kwargs)((3, 4), dtype=dtype))
    assert ours.dtype == (dtype or "float32")
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("side", ["real", "imag"])
@pytest.mark.parametrize("scaling", ["density", "spectrum", None])
@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("window", ["hann", "hamming", "blackman", "boxcar", None, "array"])
def test_stft(side, scaling, periodic, window):
    window = np.linspace(0.1, 1.0, 12).astype("float32") if window == "array" else window
    arguments = {"side": side, "scaling": scaling, "periodic": periodic, "window": window}
    shapes = ((12, 1, 9), (12, 1, 4))
    question = lambda library: [library.initializers.STFT(**arguments)(shape) for shape in shapes]
    for ours, theirs in zip(*both(question), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=3e-6)


# ---------------------------------------------------------------- drawn values

FANS = [
    ((40, 60), {}), ((3, 3, 20, 30), {}), ((5, 30, 20), {}), ((2000,), {}), ((), {}), ((50, 6, 8), {}),
    ((50, 6, 8), {"input_axes": (0,), "output_axes": (1, 2)}),
    ((6, 8, 50), {"input_axes": (0, 1), "output_axes": (-1,)}),
]  # fmt: skip


@pytest.mark.parametrize("mode", ["fan_in", "fan_out", "fan_avg"])
@pytest.mark.parametrize(("shape", "axes"), FANS)
def test_fans_and_bounds(shape, axes, mode):
    """The largest of many uniform values tells the bound, and with it the fan."""

    def bound(library):
        draws = [
            np.abs(library.initializers.VarianceScaling(2.0, mode, "uniform", seed=s, **axes)(shape)).max()
            for s in range(1, 200 if shape == () else 4)
        ]
        return float(max(draws))

    ours, theirs = both(bound)
    np.testing.assert_allclose(ours, theirs, rtol=0.02)


DRAWN = [
    ("GlorotNormal", {}), ("GlorotUniform", {}), ("HeNormal", {}), ("HeUniform", {}), ("LecunNormal", {}),
    ("LecunUniform", {}), ("RandomNormal", {}), ("RandomNormal", {"mean": 1.0, "stddev": 0.3}), ("RandomUniform", {}),
    ("RandomUniform", {"minval": 2.0, "maxval": 3.0}), ("TruncatedNormal", {}),
    ("TruncatedNormal", {"mean": -1.0, "stddev": 0.3}), ("VarianceScaling", {}),
    ("VarianceScaling", {"distribution": "untruncated_normal"}), ("Orthogonal", {}), ("Orthogonal", {"gain": 3.0}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kwargs"), DRAWN)
def test_statistics(name, kwargs):
    """Quantiles agree, so mean, spread, bounds and shape of the distribution do."""
    shape = (300, 200)
    levels = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]

    def question(library):
        x = np.asarray(getattr(library.initializers, name)(seed=1, **kwargs)(shape)).ravel()
        return np.quantile(x, levels), float(x.std()), float(x.mean()), np.array([x.min(), x.max()])

    (quantiles, std, mean, bounds), (expected, spread, wanted_mean, wanted_bounds) = both(question)
    np.testing.assert_allclose(quantiles, expected, atol=0.09 * spread)
    np.testing.assert_allclose(std, spread, rtol=0.02)
    np.testing.assert_allclose(mean, wanted_mean, atol=0.02 * spread)
    if "Uniform" in name or "Truncated" in name or (name.endswith("Normal") and name != "RandomNormal"):
        np.testing.assert_allclose(bounds, wanted_bounds, atol=0.02 * spread)


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (2, 3, 4), (3, 2, 9)])
def test_orthogonal(shape):
    q = np.asarray(initializers.Orthogonal(gain=2.0, seed=5)(shape)).reshape(-1, shape[-1])
    product = q.T @ q if q.shape[0] >= q.shape[1] else q @ q.T
    np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-5)


@pytest.mark.parametrize(("name", "kwargs"), DRAWN)
def test_seeds(name, kwargs):
    make = getattr(initializers, name)
    fixed = make(seed=4, **kwargs)
    np.testing.assert_array_equal(fixed((8, 8)), fixed((8, 8)))
    np.testing.assert_array_equal(fixed((8, 8)), make(seed=4, **kwargs)((8, 8)))
    assert not np.array_equal(fixed((8, 8)), make(seed=5, **kwargs)((8, 8)))
    free = make(**kwargs)
    np.testing.assert_array_equal(free((8, 8)), free((8, 8)))
    assert not np.array_equal(free((8, 8)), make(**kwargs)((8, 8)))
    assert not np.array_equal(free((8, 8)), free.clone()((8, 8)))


def test_seed_generators_give_new_values_at_every_call():
    first = initializers.RandomNormal(seed=cornu.random.SeedGenerator(3))
    values = [np.asarray(first((4, 4))) for _ in range(3)]
    assert not np.array_equal(values[0], values[1])
    assert not np.array_equal(values[1], values[2])
    second = initializers.RandomNormal(seed=cornu.random.SeedGenerator(3))
    np.testing.assert_array_equal(second((4, 4)), values[0])
    config = first.get_config()["seed"]
    assert config["class_name"] == "SeedGenerator"
    assert config["config"]["seed"] == 3
    again = initializers.RandomNormal.from_config(first.get_config())
    np.testing.assert_array_equal(again((4, 4)), values[0])


def test_the_global_seed_makes_everything_reproducible():
    def draw():
        cornu.utils.set_random_seed(11)
        return np.asarray(initializers.GlorotUniform()((3, 3)))

    np.testing.assert_array_equal(draw(), draw())


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_float_types(dtype):
    values = initializers.GlorotUniform(seed=1)((30, 40), dtype=dtype)
    assert values.dtype == dtype
    np.testing.assert_allclose(values.astype("float32").std(), np.sqrt(2 / 70), rtol=0.05)


@pytest.mark.parametrize("name", ["GlorotUniform", "TruncatedNormal", "Zeros", "Ones", "Orthogonal", "Identity"])
def test_drawing_compiles_nothing(name, compilations):
    getattr(initializers, name)()((17, 13))
    assert compilations.number == 0


# ---------------------------------------------------------------- what stands for an initializer


def test_functions_classes_and_arrays():
    assert initializers.get(None) is None
    assert isinstance(initializers.get(initializers.Zeros), initializers.Zeros)

    def function(shape, dtype=None):
        return jnp.full(shape, 7.0)

    assert initializers.get(function) is function
    np.testing.assert_array_equal(initializers.get(np.arange(3.0))((3,)), [0, 1, 2])


def test_own_initializers():
    class Halves(initializers.Initializer):
        def __init__(self, times=1):
            self.times = times

        def __call__(self, shape, dtype=None):
            return jnp.full(shape, 0.5 * self.times, dtype)

    assert Halves(3).get_config() == {"times": 3}
    assert Halves(3).clone().times == 3
    with cornu.saving.custom_object_scope({"Halves": Halves}):
        assert isinstance(initializers.get("Halves"), Halves)


ERRORS = [
    (lambda: initializers.get("glorot"), "glorot_"),
    (lambda: initializers.get(3), "initializer"),
    (lambda: initializers.VarianceScaling(scale=0), "scale"),
    (lambda: initializers.VarianceScaling(mode="fan"), "mode"),
    (lambda: initializers.VarianceScaling(distribution="cauchy"), "distribution"),
    (lambda: initializers.GlorotUniform(input_axes=(0,)), "together"),
    (lambda: initializers.RandomNormal(seed="a"), "seed"),
    (lambda: initializers.RandomNormal(seed=1.5), "seed"),
    (lambda: initializers.RandomNormal()((2, 2), dtype="int32"), "floating-point"),
    (lambda: initializers.Identity()((2, 2, 2)), "rank 2"),
    (lambda: initializers.Orthogonal()((2,)), "rank 2"),
    (lambda: initializers.STFT(side="left"), "side"),
    (lambda: initializers.STFT(scaling="x"), "scaling"),
    (lambda: initializers.STFT(window="x"), "window"),
    (lambda: initializers.STFT()((8, 2, 5)), "shape"),
]


@pytest.mark.parametrize(("make", "said"), ERRORS, ids=[said for _, said in ERRORS])
def test_errors(make, said):
    with pytest.raises(ValueError, match=said):
        make()
