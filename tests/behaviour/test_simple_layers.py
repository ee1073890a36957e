"""What a user does with the simple layers: reshapes, merges, drops out, wraps a function."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import cornu
from cornu import layers
from cornu.core.masks import get_mask

ROWS = np.arange(12.0, dtype="float32").reshape(2, 6)


# ---------------------------------------------------------------- dropout and noise


def test_dropout_does_nothing_unless_training():
    np.testing.assert_array_equal(layers.Dropout(0.9)(ROWS), ROWS)
    np.testing.assert_array_equal(layers.Dropout(0.9)(ROWS, training=False), ROWS)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_dropout_keeps_the_right_part_and_scales_it(rate):
    y = np.asarray(layers.Dropout(rate, seed=1)(np.ones((500, 400), "float32"), training=True))
    kept = y != 0
    assert abs(kept.mean() - (1 - rate)) < 0.005
    np.testing.assert_allclose(y[kept], 1 / (1 - rate), rtol=1e-6)


@pytest.mark.parametrize("rate", [0, 0.0])
def test_dropout_of_nothing_needs_no_seed(rate):
    layer = layers.Dropout(rate)
    np.testing.assert_array_equal(layer(ROWS, training=True), ROWS)
    assert layer.variables == []


def test_dropout_of_everything():
    np.testing.assert_array_equal(layers.Dropout(1.0)(ROWS, training=True), np.zeros_like(ROWS))


def test_dropout_differs_from_call_to_call_and_from_layer_to_layer():
    x = np.ones((20, 20), "float32")
    first, second = layers.Dropout(0.5), layers.Dropout(0.5)
    a, b, c = first(x, training=True), first(x, training=True), second(x, training=True)
    assert not np.array_equal(a, b)
    assert not np.array_equal(a, c)


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.Dropout(0.5), lambda: layers.SpatialDropout1D(0.5), lambda: layers.AlphaDropout(0.5),
        lambda: layers.GaussianNoise(0.5), lambda: layers.GaussianDropout(0.5),
    ],
)  # fmt: skip
def test_the_global_seed_makes_noise_reproducible(make):
    def draw():
        cornu.utils.set_random_seed(3)
        layer = make()
        return [np.asarray(layer(np.ones((4, 5, 6), "float32"), training=True)) for _ in range(2)]

    np.testing.assert_array_equal(draw(), draw())


def test_a_layer_seed_makes_dropout_reproducible():
    a, b = (layers.Dropout(0.5, seed=9)(np.ones((9, 9)), training=True) for _ in range(2))
    np.testing.assert_array_equal(a, b)


def test_a_shared_seed_generator_advances():
    seeds = cornu.random.SeedGenerator(4)
    a, b = (layers.Dropout(0.5, seed=seeds)(np.ones((9, 9)), training=True) for _ in range(2))
    assert not np.array_equal(a, b)


def test_noise_shape_drops_together():
    y = np.asarray(layers.Dropout(0.5, noise_shape=(None, 1, None), seed=2)(np.ones((6, 4, 8)), training=True))
    np.testing.assert_array_equal(y, np.broadcast_to(y[:, :1], y.shape))
    assert 0 < (y != 0).mean() < 1
    assert not np.array_equal(y[0], y[1])


SPATIAL = [
    (lambda: layers.SpatialDropout1D(0.5, seed=1), (8, 5, 16), (1,)),
    (lambda: layers.SpatialDropout2D(0.5, seed=1), (8, 3, 4, 16), (1, 2)),
    (lambda: layers.SpatialDropout2D(0.5, "channels_first", seed=1), (8, 16, 3, 4), (2, 3)),
    (lambda: layers.SpatialDropout3D(0.5, seed=1), (8, 2, 3, 4, 16), (1, 2, 3)),
    (lambda: layers.SpatialDropout3D(0.5, "channels_first", seed=1), (8, 16, 2, 3, 4), (2, 3, 4)),
]


@pytest.mark.parametrize(("make", "shape", "spatial"), SPATIAL)
def test_spatial_dropout_drops_whole_maps(make, shape, spatial):
    y = np.asarray(make()(np.ones(shape, "float32"), training=True))
    np.testing.assert_array_equal(y.min(spatial), y.max(spatial))
    assert 0.2 < (y.min(spatial) == 0).mean() < 0.8


def test_alpha_dropout_keeps_mean_and_variance_of_normal_inputs():
    x = np.random.default_rng(0).normal(size=(500, 400)).astype("float32")
    y = np.asarray(layers.AlphaDropout(0.3, seed=1)(x, training=True))
    assert abs(y.mean()) < 0.01
    assert abs(y.std() - 1) < 0.01


def test_dropout_inside_a_compiled_step_advances_its_state():
    layer = layers.Dropout(0.5, seed=1)
    x = jnp.ones((8, 8))
    step = jax.jit(lambda state: layer.stateless_call([], state, x, training=True))
    first, state = step([v.value for v in layer.variables])
    second, _ = step(state)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, layer(x, training=True))


def test_dropout_gradient_flows_through_kept_entries_alone():
    layer = layers.Dropout(0.5, seed=1)

    def total(x, state):
        y, _ = layer.stateless_call([], state, x, training=True)
        return jnp.sum(y), y

    gradient, y = jax.grad(total, has_aux=True)(jnp.ones((8, 8)), [v.value for v in layer.variables])
    np.testing.assert_array_equal(gradient, y)


# ---------------------------------------------------------------- masks


def test_a_sum_of_masked_sequences_keeps_steps_real_in_either():
    x = np.array([[[1.0], [2.0], [0.0]], [[1.0], [0.0], [0.0]]], "float32")
    y = np.array([[[0.0], [0.0], [0.0]], [[1.0], [3.0], [0.0]]], "float32")
    masked = layers.Masking()
    total = layers.Add()([masked(x), masked(y)])
    np.testing.assert_array_equal(get_mask(total), [[True, True, False], [True, True, False]])


def test_a_product_ignores_masked_steps():
    x, y = np.array([[[2.0], [3.0]]], "float32"), np.array([[[5.0], [0.0]]], "float32")
    masked = layers.Masking()
    np.testing.assert_array_equal(layers.Multiply()([masked(x), masked(y)]), [[[10.0], [3.0]]])


def test_masks_of_symbolic_inputs_join():
    inputs = [layers.Masking()(cornu.Input((3, 2))) for _ in range(2)]
    assert get_mask(layers.Add()(inputs)).shape == (None, 3)
    assert get_mask(layers.Concatenate(axis=1)(inputs)).shape == (None, 6)
    assert get_mask(layers.Concatenate(axis=-1)(inputs)).shape == (None, 3)


def test_masks_of_several_axes_are_joined_along_the_right_one():
    x = np.ones((2, 3, 4, 5), "float32")
    mask = np.array([[1, 1, 0], [1, 0, 0]], bool)
    layer = layers.Concatenate(axis=1)
    np.testing.assert_array_equal(layer.compute_mask([x, x], [mask, mask]), np.concatenate([mask, mask], 1))
    layer = layers.Concatenate(axis=2)
    np.testing.assert_array_equal(layer.compute_mask([x, x], [mask, ~mask]), np.ones((2, 3), bool))


def test_softmax_after_masking_leaves_nothing_at_padded_steps():
    x = layers.Masking()(np.array([[[1.0, 1.0], [0.0, 0.0]]], "float32"))
    np.testing.assert_allclose(layers.Softmax()(x), [[[0.5, 0.5], [0.0, 0.0]]])


# ---------------------------------------------------------------- functions of layers


def test_merging_functions_are_the_layers():
    a, b = np.array([[1.0, 2.0]], "float32"), np.array([[3.0, 5.0]], "float32")
    np.testing.assert_allclose(layers.add([a, b]), [[4, 7]])
    np.testing.assert_allclose(layers.subtract([a, b]), [[-2, -3]])
    np.testing.assert_allclose(layers.multiply([a, b]), [[3, 10]])
    np.testing.assert_allclose(layers.average([a, b]), [[2, 3.5]])
    np.testing.assert_allclose(layers.maximum([a, b]), [[3, 5]])
    np.testing.assert_allclose(layers.minimum([a, b]), [[1, 2]])
    np.testing.assert_allclose(layers.concatenate([a, b], axis=0), [[1, 2], [3, 5]])
    np.testing.assert_allclose(layers.dot([a, b], axes=1), [[13]])
    assert layers.add([cornu.Input((2,)), cornu.Input((2,))], name="total").history.operation.name == "total"


def test_identity_takes_any_structure():
    given = {"a": np.ones(2, "float32"), "b": [np.zeros(3, "float32")]}
    returned = layers.Identity()(given)
    assert set(returned) == {"a", "b"}
    np.testing.assert_array_equal(returned["b"][0], given["b"][0])


def test_an_activation_layer_may_hold_a_layer_with_weights():
    layer = layers.Activation(layers.PReLU(alpha_initializer="ones"))
    np.testing.assert_array_equal(layer(-ROWS), -ROWS)
    assert len(layer.trainable_weights) == 1
    assert isinstance(layers.Activation.from_config(layer.get_config()).activation, layers.PReLU)


def test_leaky_relu_takes_the_old_name_of_its_slope():
    with pytest.warns(DeprecationWarning, match="negative_slope"):
        layer = layers.LeakyReLU(alpha=0.5)
    assert layer.negative_slope == 0.5


def test_flattening_channels_first_gives_the_weights_order_of_channels_last():
    images = np.arange(24.0).reshape(1, 2, 3, 4)
    last = layers.Flatten("channels_last")(images)
    np.testing.assert_array_equal(layers.Flatten("channels_first")(np.moveaxis(images, -1, 1)), last)


def test_an_empty_batch_can_be_reshaped():
    assert layers.Reshape((-1, 2))(np.ones((0, 4))).shape == (0, 2, 2)
    assert layers.Flatten()(np.ones((0, 4, 2))).shape == (0, 8)


def test_integers_stay_integers():
    x = np.arange(6, dtype="int32").reshape(1, 3, 2)
    for layer in (layers.Flatten(), layers.Reshape((6,)), layers.Permute((2, 1)), layers.ZeroPadding1D()):
        assert layer(x).dtype == layer(cornu.KerasTensor((None, 3, 2), "int32")).dtype == "int32"


# ---------------------------------------------------------------- Lambda


def test_lambda_of_several_inputs_and_arguments():
    layer = layers.Lambda(lambda xs, k: xs[0] + k * xs[1], arguments={"k": 2.0})
    np.testing.assert_array_equal(layer([ROWS, ROWS]), 3 * ROWS)


def test_lambda_is_told_the_mode_and_the_mask():
    layer = layers.Lambda(lambda x, training=None: x * (2 if training else 1))
    np.testing.assert_array_equal(layer(ROWS, training=True), 2 * ROWS)
    np.testing.assert_array_equal(layer(ROWS), ROWS)
    x = layers.Masking()(np.array([[[1.0], [0.0]]], "float32"))
    counted = layers.Lambda(lambda x, mask=None: jnp.sum(mask, axis=1))(x)
    np.testing.assert_array_equal(counted, [1])


def test_lambda_says_when_it_drops_a_mask_and_can_make_one():
    x = layers.Masking()(np.array([[[1.0], [0.0]]], "float32"))
    with pytest.warns(UserWarning, match="mask"):
        layers.Lambda(lambda x: x + 1)(x)
    kept = layers.Lambda(lambda x: x + 1, mask=lambda inputs, mask: mask)(x)
    np.testing.assert_array_equal(get_mask(kept), [[True, False]])
    fixed = np.array([[False, True]])
    np.testing.assert_array_equal(get_mask(layers.Lambda(lambda x: x + 1, mask=fixed)(x)), fixed)


def test_lambda_with_several_promised_outputs():
    layer = layers.Lambda(lambda x: (x, x[:, :1]), output_shape=[(6,), (1,)])
    assert [y.shape for y in layer(cornu.Input((6,)))] == [(None, 6), (None, 1)]


def test_lambda_that_cannot_run_abstractly_asks_for_its_shape():
    layer = layers.Lambda(lambda x: jnp.asarray(np.sin(np.asarray(x))))
    with pytest.raises(Exception) as caught:
        layer(cornu.Input((6,)))
    assert any("output_shape" in note for note in caught.value.__notes__)
    promised = layers.Lambda(layer.function, output_shape=(6,))
    assert promised(cornu.Input((6,))).shape == (None, 6)


def test_lambda_can_be_copied_within_a_program():
    layer = layers.Lambda(lambda x: x * 3, output_shape=lambda shape: shape)
    again = layers.Lambda.from_config(layer.get_config())
    np.testing.assert_array_equal(again(ROWS), 3 * ROWS)
    assert again.compute_output_shape((None, 6)) == (None, 6)


def test_lambda_written_as_code_comes_back_only_for_one_who_says_so():
    factor = 3
    written = json.loads(
        json.dumps(cornu.saving.serialize_keras_object(layers.Lambda(lambda x, plus=1: x * factor + plus)))
    )
    with pytest.raises(ValueError, match="safe_mode=False"):
        cornu.saving.deserialize_keras_object(written)
    again = cornu.saving.deserialize_keras_object(written, safe_mode=False)
    np.testing.assert_array_equal(again(ROWS), 3 * ROWS + 1)


def test_lambda_says_which_name_of_its_script_is_not_in_the_file():
    layer = layers.Lambda(lambda x: x * FACTOR_OF_ANOTHER_SCRIPT, name="scaled")  # noqa: F821
    written = json.loads(json.dumps(cornu.saving.serialize_keras_object(layer)))
    again = cornu.saving.deserialize_keras_object(written, safe_mode=False)
    missing = r'^Lambda "scaled": its function was loaded .* not \'FACTOR_OF_ANOTHER_SCRIPT\'.* custom_objects={'
    with pytest.raises(NameError, match=missing):
        again(ROWS)
    given = {"FACTOR_OF_ANOTHER_SCRIPT": 3}
    again = cornu.saving.deserialize_keras_object(written, safe_mode=False, custom_objects=given)
    np.testing.assert_array_equal(again(ROWS), 3 * ROWS)
    with pytest.raises(NameError, match=r"^name 'FACTOR_OF_ANOTHER_SCRIPT' is not defined"):
        layer(ROWS)


def tripled(x):
    return x * 3


def test_lambda_of_a_named_function_comes_back_by_its_name():
    written = json.loads(json.dumps(cornu.saving.serialize_keras_object(layers.Lambda(tripled))))
    again = cornu.saving.deserialize_keras_object(written, custom_objects={"tripled": tripled})
    np.testing.assert_array_equal(again(ROWS), 3 * ROWS)
    with pytest.raises(ValueError, match="tripled"):
        cornu.saving.deserialize_keras_object(written)


CODE = [
    {"class_name": "__lambda__", "config": {"code": "4wEAAAAA", "defaults": None, "closure": None}},
    ["4wEAAAAA", None, None],
    "4wEAAAAA",
]


@pytest.mark.parametrize("function", CODE)
def test_stored_code_is_refused(function):
    with pytest.raises(ValueError, match="code"):
        layers.Lambda.from_config({"name": "evil", "function": function, "function_type": "lambda"})


# ---------------------------------------------------------------- mistakes

MISTAKES = [
    (lambda: layers.Dropout(1.5), "rate"),
    (lambda: layers.Dropout("half"), "rate"),
    (lambda: layers.Dropout(0.5, noise_shape=(0, 1)), "noise_shape"),
    (lambda: layers.Dropout(0.5, noise_shape=3), "noise_shape"),
    (lambda: layers.Dropout(0.5, noise_shape=(None, 4))(ROWS, training=True), "noise_shape"),
    (lambda: layers.Dropout(0.5, noise_shape=(1, 1, 1))(ROWS, training=True), "noise_shape"),
    (lambda: layers.Dropout(0.5, seed="a"), "seed"),
    (lambda: layers.SpatialDropout1D(0.5)(ROWS), "3 dimensions"),
    (lambda: layers.GaussianNoise(-0.1), "stddev"),
    (lambda: layers.GaussianDropout(1.0), "rate"),
    (lambda: layers.AlphaDropout(1.0), "rate"),
    (lambda: layers.ActivityRegularization(l1=-1.0), "l1"),
    (lambda: layers.Flatten("channels_middle"), "data_format"),
    (lambda: layers.Reshape(6), "target_shape"),
    (lambda: layers.Reshape((-1, -1)), "target_shape"),
    (lambda: layers.Reshape((2.5,)), "target_shape"),
    (lambda: layers.Reshape((4, 2))(ROWS), "6 entries"),
    (lambda: layers.Reshape((-1, 4))(cornu.Input((6,))), "6 entries"),
    (lambda: layers.Permute((0, 1)), "dims"),
    (lambda: layers.Permute((2, 1))(ROWS), "3 dimensions"),
    (lambda: layers.RepeatVector(0), "n must"),
    (lambda: layers.RepeatVector(2)(ROWS[None]), "2 dimensions"),
    (lambda: layers.Cropping1D(-1), "cropping"),
    (lambda: layers.Cropping2D((1, 2, 3)), "cropping"),
    (lambda: layers.Cropping1D(3)(ROWS[..., None]), "leave something"),
    (lambda: layers.ZeroPadding1D("a"), "padding"),
    (lambda: layers.ZeroPadding3D((1, 2)), "padding"),
    (lambda: layers.UpSampling1D(0), "size"),
    (lambda: layers.UpSampling2D((1, 2, 3)), "size"),
    (lambda: layers.UpSampling2D(interpolation="area"), "interpolation"),
    (lambda: layers.ReLU(max_value=-1.0), "max_value"),
    (lambda: layers.ReLU(negative_slope=-1.0), "negative_slope"),
    (lambda: layers.LeakyReLU(None), "negative_slope"),
    (lambda: layers.PReLU(shared_axes=[-1]), "shared_axes"),
    (lambda: layers.PReLU(shared_axes=[3])(ROWS), "shared_axes"),
    (lambda: layers.PReLU()(cornu.Input((None, 3))), "known"),
    (lambda: layers.Softmax()(ROWS, mask=np.ones((2, 5), bool)), "mask"),
    (lambda: layers.Activation("rellu"), "relu"),
    (lambda: layers.Add()(ROWS), "list"),
    (lambda: layers.Add()([]), "list"),
    (lambda: layers.Subtract()([ROWS, ROWS, ROWS]), "exactly 2"),
    (lambda: layers.Add()([ROWS, ROWS[:, :5]]), "equal sizes"),
    (lambda: layers.Concatenate(axis=2)([ROWS, ROWS]), "axis"),
    (lambda: layers.Concatenate(axis=0)([ROWS, ROWS[:, :5]]), "equal sizes"),
    (lambda: layers.Concatenate()([ROWS, ROWS[None]]), "equal sizes"),
    (lambda: layers.Dot(axes="a"), "axes"),
    (lambda: layers.Dot(axes=(1, 2, 3)), "axes"),
    (lambda: layers.Dot(axes=0)([ROWS, ROWS]), "axes"),
    (lambda: layers.Dot(axes=1)([ROWS, ROWS[:, :5]]), "the same size"),
    (lambda: layers.Add().compute_mask([ROWS, ROWS], ROWS > 0), "mask"),
    (lambda: layers.Concatenate().compute_mask([ROWS, ROWS], [None]), "mask"),
]


@pytest.mark.parametrize(("mistake", "said"), MISTAKES)
def test_mistakes_are_named(mistake, said):
    with pytest.raises((TypeError, ValueError), match=said):
        mistake()


def test_lambda_needs_a_function():
    with pytest.raises(TypeError, match="callable"):
        layers.Lambda("relu")
