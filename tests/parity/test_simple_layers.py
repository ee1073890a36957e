"""The simple layers against Keras: outputs, gradients, configs, shapes, masks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracle import ask, both

import cornu
from cornu import layers
from cornu.core.masks import get_mask, set_mask

X2, X3, X4, X5 = (2, 6), (2, 4, 6), (2, 4, 6, 3), (2, 3, 4, 5, 2)
CF = {"data_format": "channels_first"}

ONE_INPUT = [
    # reshape
    ("Flatten", {}, (3,)), ("Flatten", {}, X2), ("Flatten", {}, X4), ("Flatten", CF, X4), ("Flatten", CF, X2),
    ("Reshape", {"target_shape": (3, 2)}, X2), ("Reshape", {"target_shape": [-1, 3]}, X3),
    ("Reshape", {"target_shape": (2, -1, 4)}, X3), ("Reshape", {"target_shape": (None, 8)}, X3),
    ("Reshape", {"target_shape": (24,)}, X3), ("Permute", {"dims": (2, 1)}, X3), ("Permute", {"dims": [3, 1, 2]}, X4),
    ("RepeatVector", {"n": 3}, X2),
    # cropping
    ("Cropping1D", {}, X3), ("Cropping1D", {"cropping": 0}, X3), ("Cropping1D", {"cropping": (0, 3)}, X3),
    ("Cropping2D", {}, X4), ("Cropping2D", {"cropping": 1}, X4), ("Cropping2D", {"cropping": (1, 2)}, X4),
    ("Cropping2D", {"cropping": ((1, 0), (2, 3))}, X4), ("Cropping2D", {"cropping": ((1, 2), (0, 1)), **CF}, X4),
    ("Cropping3D", {}, X5), ("Cropping3D", {"cropping": (1, 0, 2)}, X5),
    ("Cropping3D", {"cropping": ((0, 1), (2, 1), (1, 0)), **CF}, (1, 2, 3, 4, 5)),
    # zero padding
    ("ZeroPadding1D", {}, X3), ("ZeroPadding1D", {"padding": (0, 2)}, X3), ("ZeroPadding1D", {"padding": 2, **CF}, X3),
    ("ZeroPadding2D", {}, X4), ("ZeroPadding2D", {"padding": (1, 2)}, X4), ("ZeroPadding2D", {"padding": 2, **CF}, X4),
    ("ZeroPadding2D", {"padding": ((1, 0), (2, 3))}, X4), ("ZeroPadding3D", {}, X5),
    ("ZeroPadding3D", {"padding": (1, 0, 2), **CF}, X5), ("ZeroPadding3D", {"padding": ((0, 1), (2, 1), (1, 0))}, X5),
    # up-sampling
    ("UpSampling1D", {}, X3), ("UpSampling1D", {"size": 3}, X3), ("UpSampling2D", {}, X4),
    ("UpSampling2D", {"size": (2, 3), **CF}, X4), ("UpSampling2D", {"size": 3, "interpolation": "bilinear"}, X4),
    ("UpSampling2D", {"size": (3, 2), "interpolation": "bilinear", **CF}, X4),
    ("UpSampling2D", {"interpolation": "bicubic"}, X4), ("UpSampling2D", {"interpolation": "lanczos3"}, X4),
    ("UpSampling2D", {"interpolation": "lanczos5"}, X4), ("UpSampling3D", {}, X5),
    ("UpSampling3D", {"size": (1, 2, 3), **CF}, X5),
    # activations
    ("Activation", {"activation": "relu"}, X3), ("Activation", {"activation": None}, X3),
    ("Activation", {"activation": "swish"}, X3), ("Activation", {"activation": "softmax"}, X3), ("ReLU", {}, X3),
    ("ReLU", {"max_value": 0.5, "negative_slope": 0.1, "threshold": 0.2}, X3), ("LeakyReLU", {}, X3),
    ("LeakyReLU", {"negative_slope": 0.05}, X3), ("PReLU", {}, X3), ("PReLU", {"shared_axes": [1]}, X3),
    ("PReLU", {"shared_axes": (1, 2), "alpha_initializer": "ones", "alpha_regularizer": "l2"}, X4),
    ("PReLU", {"shared_axes": 1, "alpha_constraint": "non_neg"}, X3), ("ELU", {}, X3), ("ELU", {"alpha": 2.0}, X3),
    ("Softmax", {}, X3), ("Softmax", {"axis": 1}, X3), ("Softmax", {"axis": [1, 2]}, X3),
    ("Softmax", {"axis": (1, 2)}, X3),
    # the rest, in inference where they draw
    ("Identity", {}, X3), ("ActivityRegularization", {}, X3), ("ActivityRegularization", {"l1": 0.1, "l2": 0.2}, X3),
    ("Dropout", {"rate": 0.5}, X3), ("Dropout", {"rate": 0.2, "noise_shape": (None, 1, None), "seed": 3}, X3),
    ("SpatialDropout1D", {"rate": 0.5, "seed": 1}, X3), ("SpatialDropout2D", {"rate": 0.5, **CF}, X4),
    ("SpatialDropout3D", {"rate": 0.0}, X5), ("GaussianNoise", {"stddev": 0.5, "seed": 2}, X3),
    ("GaussianDropout", {"rate": 0.5}, X3), ("AlphaDropout", {"rate": 0.5, "noise_shape": (None, 1, 1)}, X3),
]  # fmt: skip

SEVERAL_INPUTS = [
    *((name, {}, [X3, X3]) for name in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")),
    *((name, {}, [X3, X3, X3]) for name in ("Add", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")),
    *((name, {}, [X3, (2, 1, 6)]) for name in ("Add", "Subtract", "Maximum")), ("Add", {}, [X3, (2, 6)]),
    ("Multiply", {}, [X3, (2, 1)]), ("Average", {}, [(2, 6), (2, 4, 6)]), ("Add", {}, [X3]),
    ("Concatenate", {"axis": 1}, [X3, (2, 3, 6)]), ("Concatenate", {"axis": 0}, [X3, X3]),
    ("Concatenate", {"axis": -1}, [X4, (2, 4, 6, 1), X4]), ("Dot", {"axes": 1}, [X2, X2]),
    ("Dot", {"axes": 2}, [X3, X3]),
    ("Dot", {"axes": -1, "normalize": True}, [X3, (2, 5, 6)]), ("Dot", {"axes": (1, 2)}, [X2, X3]),
    ("Dot", {"axes": [2, 1]}, [X3, X2]), ("Dot", {"axes": (3, 2)}, [X4, (2, 5, 3)]),
    ("Dot", {"axes": (1, 3), "normalize": True}, [X4, (2, 5, 2, 4)]),
]  # fmt: skip

CASES = [*((name, kwargs, [shape], False) for name, kwargs, shape in ONE_INPUT)] + [
    (name, kwargs, shapes, True) for name, kwargs, shapes in SEVERAL_INPUTS
]
IDS = [f"{name}-{'-'.join(map(str, kwargs.values()))}-{len(shapes)}" for name, kwargs, shapes, _ in CASES]


def made(library, name, kwargs):
    return getattr(library.layers, name)(name="it", **kwargs)


def data(shapes):
    generator = np.random.default_rng(7)
    return [jnp.asarray(generator.normal(size=shape), "float32") for shape in shapes]


def output_and_gradients(layer, inputs, listed):
    @jax.jit
    def run(arrays):
        y, back = jax.vjp(lambda arrays: layer(arrays if listed else arrays[0]), arrays)
        return y, back(jnp.cos(jnp.arange(y.size, dtype="float32")).reshape(y.shape))[0]

    shapes = [x.shape for x in inputs]
    layer.build(shapes if listed else shapes[0])
    return run(inputs)


def plain(config):
    """A config with tuples as lists, as a file holds it."""
    if isinstance(config, dict):
        return {key: plain(value) for key, value in config.items()}
    return [plain(item) for item in config] if isinstance(config, (list, tuple)) else config


@pytest.mark.parametrize(("name", "kwargs", "shapes", "listed"), CASES, ids=IDS)
def test_outputs_and_gradients(name, kwargs, shapes, listed):
    inputs = data(shapes)

    def question(library):
        layer = made(library, name, kwargs)
        y, gradients = output_and_gradients(layer, inputs, listed)
        return y, gradients, [tuple(w.shape) for w in layer.weights]

    ours, theirs = both(question)
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-5, atol=2e-6)
    assert ours[0].dtype == theirs[0].dtype
    for a, b in zip(ours[1], theirs[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=5e-6)
    assert ours[2] == theirs[2]


@pytest.mark.parametrize(("name", "kwargs", "shapes", "listed"), CASES, ids=IDS)
def test_configs(name, kwargs, shapes, listed):
    ours, theirs = both(lambda library: made(library, name, kwargs).get_config())
    assert plain(ours) == plain(theirs)
    assert plain(getattr(layers, name).from_config(theirs).get_config()) == plain(theirs)


@pytest.mark.live
@pytest.mark.parametrize(("name", "kwargs", "shapes", "listed"), CASES, ids=IDS)
def test_keras_reads_a_config_of_cornu(name, kwargs, shapes, listed):
    config = made(cornu, name, kwargs).get_config()
    assert plain(ask(lambda keras: getattr(keras.layers, name).from_config(config).get_config())) == plain(config)


@pytest.mark.parametrize(("name", "kwargs", "shapes", "listed"), CASES, ids=IDS)
def test_shapes(name, kwargs, shapes, listed):
    for unknown in ((), (0,), (0, 1)):  # all known, but for the batch, but for the batch and the steps
        if name == "PReLU" and unknown == (0, 1) and not kwargs.get("shared_axes"):
            continue  # a slope for each step needs a known number of steps
        opened = [tuple(None if i in unknown and len(s) > 1 else d for i, d in enumerate(s)) for s in shapes]
        given = opened if listed else opened[0]

        def question(keras, given=given, unknown=unknown):
            layer = made(keras, name, kwargs)
            expected = tuple(layer.compute_output_shape(given))  # UpSampling1D of Keras returns a list
            if name == "Reshape" and None in kwargs["target_shape"] and unknown != (0, 1):
                expected = tuple(layer(data(shapes)[0]).shape[i] if i else d for i, d in enumerate(expected))
            return expected

        ours, expected = made(cornu, name, kwargs), ask(question)
        assert ours.compute_output_shape(given) == expected
        assert not ours.built or not ours.weights
        symbolic = [cornu.KerasTensor(s) for s in opened]
        assert ours(symbolic if listed else symbolic[0]).shape == expected


FIRST = {case[0]: case for case in reversed(CASES)}


@pytest.mark.parametrize(
    ("name", "kwargs", "shapes", "listed"),
    [FIRST[name] for name in ("Add", "Average", "Concatenate", "Dot", "UpSampling2D", "ReLU", "PReLU", "Softmax")],
)
def test_mixed_precision(name, kwargs, shapes, listed):
    inputs = data(shapes)
    given = inputs if listed else inputs[0]
    mine, wanted = both(lambda library: made(library, name, {**kwargs, "dtype": "mixed_bfloat16"})(given))
    assert mine.dtype == wanted.dtype == "bfloat16"
    np.testing.assert_allclose(mine.astype("float32"), wanted.astype("float32"), rtol=0.03, atol=0.03)


@pytest.mark.parametrize("name", ["Add", "Subtract", "Multiply", "Maximum", "Concatenate", "Average"])
@pytest.mark.parametrize("dtypes", [("int32", "int32"), ("int32", "float32"), ("uint8", "int32")])
def test_merging_integers(name, dtypes):
    inputs = [np.arange(6).reshape(2, 3).astype(d) for d in dtypes]
    mine, wanted = both(lambda library: made(library, name, {})(inputs))
    assert mine.dtype == wanted.dtype
    np.testing.assert_allclose(mine, wanted)
    assert made(cornu, name, {})([cornu.KerasTensor((2, 3), d) for d in dtypes]).dtype == wanted.dtype


# ---------------------------------------------------------------- masks

M1 = np.array([[1, 1, 0], [1, 0, 0]], bool)
M2 = np.array([[1, 0, 0], [1, 1, 1]], bool)
M3 = np.array([[0, 0, 0], [1, 1, 1]], bool)
ELEMENTWISE = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")


def ours_masked(x, mask):
    x = jnp.asarray(x)
    set_mask(x, None if mask is None else jnp.asarray(mask))
    return x


def theirs_masked(x, mask):
    x = jnp.array(x)
    if mask is not None:
        x._keras_mask = jnp.asarray(mask)
    return x


@pytest.mark.parametrize("name", [*ELEMENTWISE, "Concatenate"])
@pytest.mark.parametrize("masks", [(M1, M2), (M1, None), (None, M2), (M3, M1), (M1, M2, M3)])
def test_merging_masked_tensors(name, masks):
    if name == "Subtract" and len(masks) == 3:
        return

    def question(library):
        masked, results = ours_masked if library is cornu else theirs_masked, []
        for sign in (1, -1):
            arrays = [sign * 10.0**k * np.arange(1.0, 7).reshape(2, 3, 1).astype("float32") for k in range(len(masks))]
            y = made(library, name, {})([masked(x, m) for x, m in zip(arrays, masks, strict=True)])
            results.append((y, get_mask(y) if library is cornu else getattr(y, "_keras_mask", None)))
        return results

    for (mine, mask), (wanted, expected) in zip(*both(question), strict=True):
        np.testing.assert_allclose(mine, wanted, rtol=1e-6)
        assert (mask is None) == (expected is None)
        if expected is not None:
            np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2])
@pytest.mark.parametrize("masks", [(M1, M2), (M1, None), (None, None), (M1, np.ones((2, 3, 4), bool))])
def test_mask_of_a_concatenation(axis, masks):
    x = np.ones((2, 3, 4), "float32")
    mine, wanted = both(lambda library: made(library, "Concatenate", {"axis": axis}).compute_mask([x, x], list(masks)))
    assert (mine is None) == (wanted is None)
    if wanted is not None:
        np.testing.assert_array_equal(mine, wanted)


def test_dot_drops_masks():
    x = ours_masked(np.ones((2, 3, 4), "float32"), M1)
    assert get_mask(layers.Dot(axes=2)([x, x])) is None


PASSING = [
    ("Activation", {"activation": "relu"}), ("ReLU", {}), ("LeakyReLU", {}), ("PReLU", {}), ("ELU", {}),
    ("Softmax", {}), ("Dropout", {"rate": 0.5}), ("SpatialDropout1D", {"rate": 0.5}),
    ("GaussianNoise", {"stddev": 0.5}), ("GaussianDropout", {"rate": 0.5}), ("AlphaDropout", {"rate": 0.5}),
    ("ActivityRegularization", {}), ("Identity", {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kwargs"), PASSING)
def test_masks_pass_through(name, kwargs):
    ours, supports = made(cornu, name, kwargs), both(lambda library: made(library, name, kwargs).supports_masking)
    assert supports == (True, True)
    y = ours(ours_masked(np.ones((2, 3, 4), "float32"), M1))
    np.testing.assert_array_equal(get_mask(y), M1)


DROPPING = [
    ("Flatten", {}), ("Reshape", {"target_shape": (4, 3)}), ("Permute", {"dims": (2, 1)}), ("Cropping1D", {}),
    ("ZeroPadding1D", {}), ("UpSampling1D", {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kwargs"), DROPPING)
def test_dropping_a_mask_is_said(name, kwargs):
    ours, supports = made(cornu, name, kwargs), both(lambda library: made(library, name, kwargs).supports_masking)
    assert supports == (False, False)
    with pytest.warns(UserWarning, match="mask"):
        y = ours(ours_masked(np.ones((2, 3, 4), "float32"), M1))
    assert get_mask(y) is None


@pytest.mark.parametrize("shape", [(2, 3, 4), (1, 3, 4), (2, 1, 4), (3, 4), (1, 4), (4,)])
@pytest.mark.parametrize("axis", [-1, (1, 2)])
def test_masked_softmax(shape, axis):
    x = data([(2, 3, 4)])[0]
    mask = np.random.default_rng(1).random(shape) > 0.4

    def value_and_gradient(layer):
        return jax.jit(jax.value_and_grad(lambda x: jnp.sum(layer(x, mask=jnp.asarray(mask)) ** 2)))(x)

    question = lambda library: value_and_gradient(made(library, "Softmax", {"axis": axis}))
    for mine, wanted in zip(*both(question), strict=True):
        np.testing.assert_allclose(mine, wanted, atol=1e-6)


# ---------------------------------------------------------------- losses, noise, Lambda


@pytest.mark.parametrize("kwargs", [{}, {"l1": 0.1}, {"l2": 0.3}, {"l1": 0.1, "l2": 0.2}])
def test_activity_regularization(kwargs):
    def question(library):
        layer = made(library, "ActivityRegularization", kwargs)
        layer(data([(3, 4)])[0])
        return [float(loss) for loss in layer.losses]

    ours, theirs = both(question)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


NOISE = [
    ("Dropout", {"rate": 0.3}), ("SpatialDropout1D", {"rate": 0.3}), ("GaussianNoise", {"stddev": 0.3}),
    ("GaussianDropout", {"rate": 0.3}), ("AlphaDropout", {"rate": 0.3}), ("AlphaDropout", {"rate": 0.7}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kwargs"), NOISE)
def test_noise_has_keras_statistics(name, kwargs):
    x = np.full((200, 5, 300), 1.5, "float32")

    def question(library):
        y = np.asarray(made(library, name, {**kwargs, "seed": 5})(x, training=True))
        return y.mean(), y.std(), np.unique(y) if "Gaussian" not in name else 0.0

    mine, wanted = both(question)
    np.testing.assert_allclose(mine[0], wanted[0], atol=0.015)
    np.testing.assert_allclose(mine[1], wanted[1], rtol=0.02)
    np.testing.assert_allclose(mine[2], wanted[2], rtol=1e-5)


LAMBDAS = [
    (lambda x: x**2, {}, (2, 3)), (lambda x, k: x * k, {"arguments": {"k": 3.0}}, (2, 3)),
    (lambda x: x[:, :2], {}, (2, 3)), (lambda x: x, {"output_shape": (3,)}, (2, 3)),
    (lambda x: x, {"output_shape": lambda shape: shape}, (2, 3)),
]  # fmt: skip


@pytest.mark.parametrize(("function", "kwargs", "shape"), LAMBDAS)
def test_lambda(function, kwargs, shape):
    def question(library):
        layer = library.layers.Lambda(function, **kwargs)
        inferred = layer.compute_output_shape((None, 3)), layer(library.KerasTensor((None, 3))).shape
        return layer(data([shape])[0]), [tuple(x) for x in inferred]

    (ours, shapes), (theirs, wanted) = both(question)
    np.testing.assert_allclose(ours, theirs)
    assert shapes == wanted


def doubled(x):
    return 2 * x


@pytest.mark.parametrize(("module", "name"), [(None, "doubled"), ("activations", "tanh"), ("ops", "sin")])
def test_lambda_config(module, name):
    def of(library):
        library.saving.register_keras_serializable("tests")(doubled)
        return getattr(getattr(library, module), name) if module else doubled

    def question(library):
        return library.layers.Lambda(of(library), name="it", output_shape=(3,), arguments={}).get_config()

    ours, theirs = both(question)
    assert ours == theirs
    assert layers.Lambda.from_config(theirs).function is of(cornu)
