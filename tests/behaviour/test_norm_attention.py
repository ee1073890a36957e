"""What a user does with dense, embedding, normalization and attention layers."""

import jax
import numpy as np
import pytest

import cornu
from cornu.core.masks import get_mask
from cornu.core.variable import functional

layers = cornu.layers
R = np.random.default_rng(2)
X = R.standard_normal((4, 5, 6)).astype("float32")


# ---------------------------------------------------------------- normalization


def test_training_moves_the_statistics_and_inference_uses_them():
    layer = layers.BatchNormalization(momentum=0.5)
    y = np.asarray(layer(X, training=True))
    np.testing.assert_allclose(y.mean((0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(layer.moving_mean.numpy(), 0.5 * X.mean((0, 1)), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(layer.moving_variance.numpy(), 0.5 + 0.5 * X.var((0, 1)), rtol=1e-4)
    before = layer.get_weights()
    layer(X)
    layer(X, training=False)
    for a, b in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_frozen_batch_normalization_is_in_inference_mode():
    layer = layers.BatchNormalization()
    layer.build((None, 5, 6))
    layer.trainable = False
    np.testing.assert_array_equal(layer(X, training=True), layer(X, training=False))
    assert not layer.moving_mean.numpy().any()
    assert layer.trainable_weights == []
    layer.trainable = True
    layer(X, training=True)
    assert layer.moving_mean.numpy().any()


def test_statistics_come_out_of_a_pure_call():
    layer = layers.BatchNormalization(momentum=0.0)
    layer.build((None, 5, 6))
    pure = jax.jit(functional(lambda x: layer(x, training=True), layer.variables))
    _, state = pure([v.value for v in layer.variables], X)
    np.testing.assert_allclose(state[2], X.mean((0, 1)), rtol=1e-4, atol=1e-6)
    assert not layer.moving_mean.numpy().any()


def test_padding_does_not_count_in_batch_statistics():
    ids = np.array([[1, 2, 0, 0], [3, 0, 0, 0]])
    embedded = layers.Embedding(4, 6, mask_zero=True)(ids)
    layer = layers.BatchNormalization(momentum=0.0)
    layer(embedded, training=True)
    real = np.asarray(embedded)[ids != 0]
    np.testing.assert_allclose(layer.moving_mean.numpy(), real.mean(0), rtol=1e-4, atol=1e-6)


def test_a_mask_of_the_leading_axes_is_enough():
    images = R.standard_normal((2, 3, 4, 4, 6)).astype("float32")
    mask = np.array([[1, 1, 0], [1, 0, 0]], bool)
    layer = layers.BatchNormalization(momentum=0.0)
    layer(images, training=True, mask=mask)
    np.testing.assert_allclose(layer.moving_mean.numpy(), images[mask].mean((0, 1, 2)), rtol=1e-3, atol=1e-5)


def test_large_offsets_do_not_spoil_the_variance():
    x = (R.standard_normal((256, 3)) + 1e4).astype("float32")
    y = np.asarray(layers.BatchNormalization(epsilon=1e-6)(x, training=True))
    np.testing.assert_allclose(y.std(0), 1.0, rtol=1e-3)


def test_synchronized_is_what_happens_anyway():
    layer = layers.BatchNormalization(synchronized=True)
    np.testing.assert_array_equal(layer(X, training=True), layers.BatchNormalization()(X, training=True))
    assert layer.get_config()["synchronized"] is True


@pytest.mark.parametrize(("make", "shape", "message"), [
    (lambda: layers.BatchNormalization(name="bn", axis=3), (2, 3), 'BatchNormalization "bn": axis must be'),
    (lambda: layers.BatchNormalization(renorm=True, renorm_clipping={"min": 1}), None, "rmax"),
    (layers.BatchNormalization, (2, None), "fully known"),
    (lambda: layers.LayerNormalization(axis=[1, -2]), (2, 3, 4), "distinct axes"),
    (lambda: layers.GroupNormalization(groups=3), (2, 4), "groups must divide the number of channels, 4"),
    (layers.GroupNormalization, (2, 4), "Received: groups=32"),
    (lambda: layers.GroupNormalization(groups=0), None, "groups must be a positive integer"),
    (lambda: layers.SpectralNormalization(layers.Flatten()), (2, 4), "kernel or embeddings"),
    (lambda: layers.SpectralNormalization(layers.Dense(2), power_iterations=0), None, "power_iterations"),
])  # fmt: skip
def test_mistakes_with_normalization(make, shape, message):
    with pytest.raises(ValueError, match=message):
        make().build(shape)


@pytest.mark.parametrize("training", [True, False])
def test_a_mask_of_steps_is_refused_where_there_are_none(training):
    with pytest.raises(ValueError, match=r"leading axes of the inputs.*mask.shape=\(2, 4\), inputs.shape=\(2, 3\)"):
        layers.BatchNormalization()(np.ones((2, 3)), mask=np.ones((2, 4), bool), training=training)


@pytest.mark.parametrize("name", ["BatchNormalization", "LayerNormalization", "RMSNormalization", "UnitNormalization"])
def test_an_axis_that_is_no_number(name):
    with pytest.raises(TypeError, match="axis"):
        getattr(layers, name)(axis="last")


def test_spectral_normalization_of_an_embedding():
    layer = layers.SpectralNormalization(layers.Embedding(6, 3), power_iterations=30)
    assert layer(np.array([[1, 2]]), training=True).shape == (1, 2, 3)
    np.testing.assert_allclose(np.linalg.norm(layer.kernel.numpy(), 2), 1.0, rtol=1e-3)


# ---------------------------------------------------------------- dense and embedding


def test_equal_weights_in_16_bits_give_16_bit_results():
    layer = layers.Dense(3, dtype="mixed_bfloat16")
    assert layer(X).dtype == "bfloat16"
    assert layer.kernel.dtype == "float32"


@pytest.mark.parametrize(("make", "message"), [
    (lambda: layers.Dense(0, name="out"), 'Dense "out": units must be a positive integer. Received: units=0'),
    (lambda: layers.Dense("3"), "units must be"),
    (lambda: layers.Dense(3, quantization_config="int8"), "must be a QuantizationConfig"),
    (lambda: layers.Dense(3)(np.ones(4, "float32")), "at least 2 dimensions"),
    (lambda: layers.Dense(3, lora_rank=2, kernel_constraint="non_neg")(X), "constraint"),
    (lambda: layers.Dense(3).enable_lora(2), "built"),
    (lambda: layers.EinsumDense("ab,bc", 3), "equation must have the form"),
    (lambda: layers.EinsumDense("a...b,bc->a...c", 3), "equation must have the form"),
    (lambda: layers.EinsumDense("ab,bc->ad", 3)(np.ones((2, 3))), "'c'"),
    (lambda: layers.EinsumDense("ab,bc->ac", 3, bias_axes="b")(np.ones((2, 3))), "bias_axes"),
    (lambda: layers.EinsumDense("ab,bc->ac", 3)(X), "must have 2 axes"),
    (lambda: layers.EinsumDense("abc,cd->abd", (7, 3))(X), "size 5 in the input and 7"),
    (lambda: layers.EinsumDense("abc,cd->abd", 3)(X), "a size or None for each"),
    (lambda: layers.Embedding(5.5, 3), "input_dim"),
    (lambda: layers.Embedding(5, 3, weights=[np.ones((4, 3))]), "shape"),
    (lambda: layers.Embedding(5, 3, quantization_config="int8"), "must be a QuantizationConfig"),
])  # fmt: skip
def test_mistakes_with_dense_and_embedding(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_an_embedding_starts_from_given_vectors():
    table = R.standard_normal((5, 3)).astype("float32")
    for weights in (table, [table]):
        np.testing.assert_array_equal(layers.Embedding(5, 3, weights=weights)(np.array([4, 0])), table[[4, 0]])


def test_large_positions_are_found_in_16_bits():
    layer = layers.Embedding(1000, 2, dtype="mixed_bfloat16")
    layer.build()
    table = np.arange(2000.0).reshape(1000, 2)
    layer.set_weights([table])
    vectors = layer(np.array([999.0, 998.0], "float32"))
    np.testing.assert_allclose(np.asarray(vectors, "float32"), table[[999, 998]], rtol=5e-3)
    np.testing.assert_array_equal(layer(np.array([999])), layer(np.array([999.0], "float32")))


def test_lora_trains_the_correction_alone_and_starts_as_the_layer_was():
    layer = layers.Dense(3)
    before = np.asarray(layer(X))
    layer.enable_lora(2)
    np.testing.assert_allclose(layer(X), before, rtol=1e-6)
    assert [v.name for v in layer.trainable_variables] == ["bias", "lora_kernel_a", "lora_kernel_b"]
    with pytest.raises(ValueError, match="already"):
        layer.enable_lora(2)


def test_a_dense_layer_knows_its_shapes_before_it_runs():
    assert layers.Dense(3).compute_output_shape((None, 7, 4)) == (None, 7, 3)
    assert layers.EinsumDense("abc,cd->abd", (None, 5)).compute_output_shape((None, None, 4)) == (None, None, 5)
    assert layers.Embedding(9, 4).compute_output_shape((None, 7)) == (None, 7, 4)
    assert layers.BatchNormalization().compute_output_shape((None, 7, 4)) == (None, 7, 4)
    assert layers.MultiHeadAttention(2, 3).compute_output_shape((None, 7, 4), (None, 5, 4)) == (None, 7, 4)
    assert layers.Attention().compute_output_shape([(2, 3, 4), (2, 5, 6), (2, 5, 4)]) == (2, 3, 6)


# ---------------------------------------------------------------- attention


@pytest.mark.parametrize("make", [
    lambda: layers.MultiHeadAttention(2, 3),
    lambda: layers.GroupQueryAttention(3, 4, 2),
], ids=["multi-head", "grouped"])  # fmt: skip
def test_padding_from_an_embedding_is_not_looked_at(make):
    ids = np.array([[1, 2, 0], [3, 0, 0]])
    embedded = layers.Embedding(4, 6, mask_zero=True)(ids)
    layer = make()
    result, scores = layer(embedded, embedded, return_attention_scores=True)
    scores = np.asarray(scores)
    assert not scores[0, :, :, 2].any()
    assert not scores[1, :, :, 1:].any()
    np.testing.assert_array_equal(get_mask(result), ids != 0)


def test_padding_is_not_looked_at_in_a_functional_model():
    ids = cornu.Input((3,), dtype="int32")
    embedded = layers.Embedding(4, 6, mask_zero=True)(ids)
    model = cornu.Model(ids, layers.MultiHeadAttention(2, 3)(embedded, embedded))
    short, long = model(np.array([[1, 2, 0]])), model(np.array([[1, 2, 3]]))
    alone = model.layers[-1](*[model.layers[1](np.array([[1, 2]]))] * 2)
    np.testing.assert_allclose(short[:, :2], alone, rtol=1e-5, atol=1e-6)
    assert np.abs(np.asarray(long[:, :2]) - np.asarray(alone)).max() > 1e-6


def test_a_causal_layer_does_not_see_the_future():
    layer = layers.MultiHeadAttention(2, 3)
    before = np.asarray(layer(X, X, use_causal_mask=True))
    changed = X.copy()
    changed[:, 3:] += 1
    after = np.asarray(layer(changed, changed, use_causal_mask=True))
    np.testing.assert_allclose(before[:, :3], after[:, :3], rtol=1e-5, atol=1e-6)
    assert np.abs(before[:, 3:] - after[:, 3:]).max() > 1e-3


def test_causal_attention_over_an_image_is_in_raster_order():
    """Keras cannot do this; flattening the two axes is what it means."""
    image = R.standard_normal((1, 2, 3, 6)).astype("float32")
    layer = layers.MultiHeadAttention(2, 3, attention_axes=(1, 2))
    result = layer(image, image, use_causal_mask=True)
    row = image.reshape(1, 6, 6)
    flat = layers.MultiHeadAttention(2, 3)
    flat.build(row.shape, row.shape)
    flat.set_weights(layer.get_weights())
    np.testing.assert_allclose(result.reshape(1, 6, 6), flat(row, row, use_causal_mask=True), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("make", [
    lambda seed: layers.MultiHeadAttention(2, 3, dropout=0.5, seed=seed, kernel_initializer="ones"),
    lambda seed: layers.GroupQueryAttention(3, 2, 1, dropout=0.5, seed=seed, kernel_initializer="ones"),
], ids=["multi-head", "grouped"])  # fmt: skip
def test_dropout_is_of_training_and_of_the_seed(make):
    first, twin, other = make(1), make(1), make(2)
    a, b, c = (np.asarray(layer(X, X, training=True)) for layer in (first, twin, other))
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - c).max() > 1e-3
    assert np.abs(a - np.asarray(first(X, X, training=True))).max() > 1e-3
    np.testing.assert_array_equal(first(X, X), other(X, X, training=False))


@pytest.mark.parametrize(
    "layer", [layers.Attention(dropout=0.5, seed=1), layers.AdditiveAttention(dropout=0.5, seed=1)]
)
def test_dropped_weights_keep_their_mean(layer):
    query, value = np.ones((1, 200, 4), "float32"), np.ones((1, 100, 4), "float32")
    _, weights = layer([query, value], training=True, return_attention_scores=True)
    weights = np.asarray(weights)
    assert abs((weights == 0).mean() - 0.5) < 0.02
    np.testing.assert_allclose(weights[weights > 0], 0.02, rtol=1e-5)
    np.testing.assert_allclose(layer([query, value]), 1.0, rtol=1e-5)


def test_an_attention_layer_passes_on_the_mask_of_its_query():
    mask = np.array([[1, 0, 1]], bool)
    query = layers.Masking()(np.where(mask[..., None], 1.0, 0.0) * np.ones((1, 3, 4)))
    result = layers.Attention()([query, np.ones((1, 5, 4), "float32")])
    np.testing.assert_array_equal(get_mask(result), mask)
    assert not np.asarray(result)[0, 1].any()


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: layers.Attention()(X), ValueError, "list"),
    (lambda: layers.Attention()([X]), ValueError, "1 inputs"),
    (lambda: layers.Attention()([X, X], mask=np.ones((4, 5), bool)), ValueError, "mask must be a list"),
    (lambda: layers.Attention(score_mode="cosine"), ValueError, 'score_mode must be "dot" or "concat"'),
    (lambda: layers.MultiHeadAttention(0, 3), ValueError, "num_heads"),
    (lambda: layers.MultiHeadAttention(2, 3, sliding_window=0), ValueError, "sliding_window"),
    (lambda: layers.MultiHeadAttention(2, 3)(X, X, X[:, :4]), ValueError, "value and key must have the same shape"),
    (lambda: layers.MultiHeadAttention(2, 3, attention_axes=2)(X, X), ValueError, "attention_axes"),
    (lambda: layers.MultiHeadAttention(2, 3)(X, X, value_mask=np.ones((4, 5, 1), bool)), ValueError, "value_mask"),
    (lambda: layers.MultiHeadAttention(2, 3)(X, X, attention_mask=np.ones(5, bool)), ValueError, "have 2 to 4 axes"),
    (lambda: layers.MultiHeadAttention(2, 3, flash_attention=True, dropout=0.1), ValueError, "combined with dropout"),
    (lambda: layers.MultiHeadAttention(2, 3, flash_attention=True)(X, X), RuntimeError, "needs an NVIDIA GPU"),
    (
        lambda: layers.MultiHeadAttention(2, 3, flash_attention=True)(X, X, return_attention_scores=True),
        ValueError, "return_attention_scores",
    ),
    (lambda: layers.GroupQueryAttention(3, 3, 2), ValueError, "must be a multiple of num_key_value_heads"),
    (lambda: layers.GroupQueryAttention(3, 2, 1)(X[0], X[0]), ValueError, "3 axes"),
])  # fmt: skip
def test_mistakes_with_attention(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(
    "layer", [layers.Attention(), layers.Attention(score_mode="concat"), layers.AdditiveAttention()]
)
def test_attention_to_whole_numbers_gives_their_means(layer):
    whole = np.array([[[0, 2], [3, 1]]], "int32")
    np.testing.assert_allclose(layer([whole, whole]), layer([whole.astype("float32")] * 2), rtol=1e-6)


def test_a_masked_softmax_of_whole_numbers():
    found = layers.Softmax()(np.array([[1, 2, 1]], "int32"), mask=np.array([[True, False, True]]))
    np.testing.assert_allclose(found, [[0.5, 0.0, 0.5]])


def test_a_spectrally_normalized_layer_that_starts_at_zeros_learns():
    model = cornu.Sequential([
        cornu.Input((3,)), layers.SpectralNormalization(layers.Dense(2, kernel_initializer="zeros"))
    ])  # fmt: skip
    model.compile("sgd", "mse")
    x = np.eye(3, dtype="float32")
    losses = model.fit(x, x[:, :2] + 1, epochs=8, verbose=0).history["loss"]
    assert losses[-1] < losses[0] == pytest.approx(2.0)
    assert np.linalg.norm(model.layers[0].kernel.numpy(), 2) > 0
