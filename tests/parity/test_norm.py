"""The normalization layers against Keras: outputs, gradients, exact moving statistics, weights, configs, shapes."""

import jax.numpy as jnp
import numpy as np
import pytest
from layer_oracle import agree, built, check, plain
from oracle import both

import cornu

R = np.random.default_rng(5)
X2, X3, X4 = (2 * R.standard_normal(shape).astype("float32") + 1 for shape in ((6, 4), (3, 5, 4), (2, 3, 4, 6)))
MASK = np.array([[1, 1, 1, 0, 0], [1, 0, 0, 0, 0], [1, 1, 1, 1, 1]], bool)
REGULARIZED = {
    "beta_initializer": "ones", "gamma_initializer": "zeros", "beta_regularizer": "l2", "gamma_regularizer": "l2",
    "beta_constraint": "non_neg", "gamma_constraint": "max_norm", "activity_regularizer": "l2",
}  # fmt: skip
LOOSE = {"mixed_bfloat16": 6e-2, "bfloat16": 6e-2, "mixed_float16": 6e-3}

BATCH = [
    (X2, {}),
    (X4, {"axis": 1, "momentum": 0.9, "epsilon": 1e-2}),
    (X3, {"center": False}),
    (X3, {"scale": False, "axis": -2}),
    (X2, {"center": False, "scale": False, "moving_mean_initializer": "ones"}),
    (X4, {**REGULARIZED, "moving_variance_initializer": "zeros"}),
    (X2, {"trainable": False}),
    (X3, {"renorm": True, "momentum": 0.8, "renorm_momentum": 0.6}),
    (X3, {"renorm": True, "renorm_clipping": {"rmax": 1.2, "rmin": 0.9, "dmax": 0.3}}),
    (X3, {"renorm": True, "scale": False, "axis": 1}),
    (X2, {"renorm": True, "center": False, "renorm_clipping": {"dmax": 0.1}}),
    (X3, {"dtype": "mixed_bfloat16"}),
    (X2, {"dtype": "mixed_float16"}),
]


@pytest.mark.parametrize(("x", "arguments"), BATCH)
def test_batch_normalization_in_training(x, arguments):
    check("BatchNormalization", arguments, (x,), LOOSE.get(arguments.get("dtype"), 1e-4), training=True)


@pytest.mark.parametrize("case", [0, 1, 3, 4, 7, 11])
def test_batch_normalization_in_inference(case):
    x, arguments = BATCH[case]
    check("BatchNormalization", arguments, (x,), LOOSE.get(arguments.get("dtype"), 1e-4), config=False)


@pytest.mark.parametrize("arguments", [{}, {"renorm": True}, {"center": False, "scale": False}])
def test_batch_normalization_of_masked_steps(arguments):
    check("BatchNormalization", arguments, (X3,), 1e-4, symbolic=False, training=True, mask=MASK)


def test_batch_normalization_where_all_is_masked():
    nothing = np.zeros_like(MASK)

    def question(library):
        layer = built(library, "BatchNormalization", {"momentum": 0.5}, (X3,))
        return [layer(X3, training=True, mask=nothing), *layer.get_weights()]

    agree(question, 2e-6)


@pytest.mark.parametrize("training", [False, True])
def test_batch_normalization_of_pixels_gives_fractions(training):
    pixels = (20 * np.arange(12).reshape(2, 6)).astype("uint8")
    agree(lambda library: library.layers.BatchNormalization()(pixels, training=training), 2e-6)
    assert cornu.layers.BatchNormalization()(cornu.Input((6,), dtype="uint8")).dtype == "float32"


def test_moving_statistics_over_many_steps():
    def question(library):
        arguments = {"momentum": 0.7, "renorm": True, "renorm_momentum": 0.8}
        layer = built(library, "BatchNormalization", arguments, (X3,))
        for step in range(5):
            layer(X3 * (step + 1) - step, training=True)
        return layer.get_weights()

    agree(question, 2e-6)


LAYER = [
    (X2, {}), (X3, {"axis": 1}), (X3, {"axis": [1, 2]}), (X4, {"axis": (3, 1), "epsilon": 1e-2}),
    (X3, {"axis": [-1, 1]}),
    (X3, {"center": False}), (X3, {"scale": False}), (X3, {"center": False, "scale": False}), (X3, REGULARIZED),
    (X3, {"rms_scaling": True}), (X3, {"rms_scaling": True, "scale": False}),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:You passed `rms_scaling")
@pytest.mark.parametrize(("x", "arguments"), LAYER)
def test_layer_normalization(x, arguments):
    check("LayerNormalization", arguments, (x,), 1e-4)


GROUP = [
    (X3, {"groups": 2}), (X4, {"groups": 3}), (X4, {"groups": 1, "axis": 2}), (X4, {"groups": -1, "axis": 1}),
    (X2, {"groups": 2, "center": False}), (X3, {"groups": 4, "scale": False, "epsilon": 1e-2}),
    (X3, {"groups": 2, **REGULARIZED}),
]  # fmt: skip


@pytest.mark.parametrize(("x", "arguments"), GROUP)
def test_group_normalization(x, arguments):
    check("GroupNormalization", arguments, (x,), 1e-4)


@pytest.mark.parametrize(
    ("x", "arguments"), [(X2, {}), (X3, {"axis": (2, 1)}), (X3, {"axis": [1, 2], "epsilon": 1e-2})]
)
def test_rms_normalization(x, arguments):
    check("RMSNormalization", arguments, (x,), 1e-4)


def test_rms_normalization_along_one_inner_axis():
    """Keras makes the scale but cannot apply it; the definition is the judge."""
    layer = cornu.layers.RMSNormalization(axis=1)
    layer.build(X3.shape)
    scale = R.standard_normal(5).astype("float32")
    layer.scale.assign(scale)
    wanted = X3 / np.sqrt((X3**2).mean(1, keepdims=True) + 1e-6) * scale[:, None]
    np.testing.assert_allclose(layer(X3), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("axis", [-1, 1, [1, 2], (1, -1)])
def test_unit_normalization(axis):
    check("UnitNormalization", {"axis": axis}, (X3,))


def test_whole_numbers_are_normalized_to_fractions():
    x = np.arange(1, 5, dtype="int32")[None]
    for layer in (cornu.layers.UnitNormalization(), cornu.layers.RMSNormalization()):
        np.testing.assert_allclose(layer(x), layer(x.astype("float32")), rtol=1e-6)


def test_unit_normalization_of_tiny_vectors():
    tiny = np.array([[0.0, 0.0], [1e-13, 0.0], [1e-9, 1e-9]], "float32")
    ours, theirs = both(lambda library: library.layers.UnitNormalization()(tiny))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16", "bfloat16"])
@pytest.mark.parametrize("name", ["LayerNormalization", "GroupNormalization", "RMSNormalization", "UnitNormalization"])
def test_narrow_floats(name, dtype):
    """The definition in 32 bits of the rounded input is the judge; Keras is as close or further away."""
    arguments = {"groups": 2} if name == "GroupNormalization" else {}
    arguments_of_both = {**arguments, "dtype": dtype}
    result, theirs = both(lambda library: built(library, name, arguments_of_both, (X3,))(X3))
    ours = built(cornu, name, arguments_of_both, (X3,))
    rounded = np.asarray(jnp.asarray(X3, ours.compute_dtype), "float32")
    exact = getattr(cornu.layers, name)(**arguments)
    exact.build(X3.shape)
    exact.set_weights(ours.get_weights())
    wanted = np.asarray(exact(rounded))
    assert result.dtype == theirs.dtype
    error = np.abs(np.asarray(result, "float32") - wanted).max()
    assert error <= 5e-3 * np.abs(wanted).max()
    assert error <= 1.1 * np.abs(np.asarray(theirs, "float32") - wanted).max() + 1e-3


SPECTRAL = [
    (X2, lambda library: {"layer": library.layers.Dense(3, name="inner")}),
    (X4, lambda library: {"layer": library.layers.Conv2D(3, 2, name="inner"), "power_iterations": 3}),
]


@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
@pytest.mark.parametrize(("x", "arguments"), SPECTRAL)
def test_spectral_normalization(x, arguments, training):
    check("SpectralNormalization", arguments, (x,), 1e-4, symbolic=False, training=training)

    def question(library):
        layer = built(library, "SpectralNormalization", arguments, (x,))
        outputs = [layer(x, training=training) for _ in range(3)]
        return [outputs[-1], *layer.get_weights()]

    agree(question, 1e-4)


@pytest.mark.parametrize("name", ["BatchNormalization", "LayerNormalization", "RMSNormalization", "UnitNormalization"])
def test_configs_before_building(name):
    ours, theirs = both(lambda library: getattr(library.layers, name)(name="layer").get_config())
    assert plain(ours) == plain(theirs)
    assert plain(getattr(cornu.layers, name).from_config(theirs).get_config()) == plain(theirs)
