"""Dense, EinsumDense and the embeddings against Keras: outputs, gradients, weights, losses, configs, shapes."""

import numpy as np
import pytest
from layer_oracle import agree, built, check, describe_weights, plain, pure_results
from oracle import ask, both

import cornu

R = np.random.default_rng(7)
X2, X3, X4 = (R.standard_normal(shape).astype("float32") for shape in ((3, 4), (3, 5, 4), (2, 3, 4, 6)))
IDS = np.array([[1, 2, 0], [4, 0, 0]], "int32")

DENSE = [
    (X2, {"units": 3}),
    (X2, {"units": 3, "activation": "relu"}),
    (X3, {"units": 3, "activation": "softmax", "use_bias": False}),
    (X4, {"units": 2, "activation": "tanh", "bias_initializer": "ones"}),
    (X2, {"units": 3, "kernel_regularizer": "l2", "bias_regularizer": "l1", "activity_regularizer": "l2"}),
    (X3, {"units": 3, "activity_regularizer": "l1", "kernel_constraint": "max_norm", "bias_constraint": "non_neg"}),
    (X2, {"units": 3, "kernel_initializer": "he_normal", "trainable": False}),
    (X2, {"units": 3, "dtype": "bfloat16"}),
    (X3, {"units": 3, "dtype": "mixed_bfloat16", "activation": "relu"}),
    (X3, {"units": 3, "dtype": "mixed_float16"}),
]

EINSUM = [
    (X2, "ab,bc->ac", 4, None),
    (X2, "ab,bc->ac", (4,), "c"),
    (X3, "abc,cd->abd", (None, 5), "d"),
    (X3, "abc,cd->abd", (5, 6), "bd"),
    (X3, "abc,cd->adb", (6, 5), "d"),
    (X3, "abc,cd->adb", (6, 5), "b"),
    (X3, "abc,cd->abd", (5, 6), "db"),
    (X3, "...x,xy->...y", 5, "y"),
    (X4, "...x,xy->...y", 5, "y"),
    (X3, "...ab,bc->...ac", (5, 3), "c"),
    (X3, "ab...,bc->ac...", (6, None), None),
    (X3, "ab...,bc->ac...", 6, "c"),
    (X4, "ab...,bc->ac...", 6, "c"),
    (X3, "abc,cde->abde", (None, 2, 5), "de"),
    (X4, "abcd,cde->abe", (None, 5), "e"),
    (X2, "ab,cde->abcde", (4, 2, 3, 2), "e"),
]


def tolerance(arguments):
    return 2e-2 if "16" in arguments.get("dtype", "") else 2e-5


@pytest.mark.parametrize(("x", "arguments"), DENSE)
def test_dense(x, arguments):
    check("Dense", arguments, (x,), tolerance(arguments))


@pytest.mark.parametrize(("x", "equation", "output_shape", "bias_axes"), EINSUM)
def test_einsum_dense(x, equation, output_shape, bias_axes):
    arguments = {"equation": equation, "output_shape": output_shape, "bias_axes": bias_axes}
    # Keras reports other symbolic shapes than its own results have where axes hide behind a trailing ellipsis.
    check("EinsumDense", arguments, (x,), symbolic="..." not in equation)


@pytest.mark.parametrize("extra", [
    {"activation": "gelu", "kernel_regularizer": "l2", "bias_regularizer": "l1", "activity_regularizer": "l2"},
    {"kernel_constraint": "unit_norm", "bias_constraint": "non_neg", "kernel_initializer": "ones"},
    {"dtype": "mixed_bfloat16"},
])  # fmt: skip
def test_einsum_dense_options(extra):
    arguments = {"equation": "abc,cd->abd", "output_shape": (None, 6), "bias_axes": "d", **extra}
    check("EinsumDense", arguments, (X3,), tolerance(arguments))


@pytest.mark.parametrize(("ids", "arguments"), [
    (IDS, {}),
    (IDS[0], {}),
    (IDS.astype("float32"), {"mask_zero": True}),
    (IDS, {"embeddings_initializer": "zeros", "embeddings_regularizer": "l2", "activity_regularizer": "l2"}),
    (IDS, {"embeddings_constraint": "unit_norm"}),
    (IDS.astype("float32"), {"dtype": "mixed_bfloat16"}),
])  # fmt: skip
def test_embedding(ids, arguments):
    arguments = {"input_dim": 5, "output_dim": 3, **arguments}
    check("Embedding", arguments, (ids,), tolerance(arguments), symbolic=ids.ndim == 2)


def test_embedding_outside_the_table_is_nan_as_in_keras():
    ids = np.array([7, 4, -1], "int32")
    ours, theirs = both(lambda k: built(k, "Embedding", {"input_dim": 5, "output_dim": 3}, (IDS,))(ids))
    np.testing.assert_array_equal(ours, theirs)
    assert np.isnan(ours[0]).all()


@pytest.mark.parametrize("arguments", [
    {}, {"tie_weights": False}, {"logit_soft_cap": 2.0}, {"reverse_dtype": "bfloat16"},
    {"dtype": "mixed_bfloat16"}, {"dtype": "mixed_bfloat16", "reverse_dtype": "float32", "tie_weights": False},
])  # fmt: skip
def test_reversible_embedding(arguments):
    arguments = {"input_dim": 5, "output_dim": 4, "embeddings_regularizer": "l2", **arguments}
    loose = 2e-2 if "bfloat16" in str(arguments) else 2e-5
    check("ReversibleEmbedding", arguments, (IDS,), loose)
    agree(lambda k: pure_results(built(k, "ReversibleEmbedding", arguments, (IDS,)), (X3,), reverse=True), loose)


LORA = [
    ("Dense", {"units": 6}, X3, "kernel"),
    ("EinsumDense", {"equation": "abcd,cde->abe", "output_shape": (None, 5), "bias_axes": "e"}, X4, "kernel"),
    ("Embedding", {"input_dim": 5, "output_dim": 4}, IDS, "embeddings"),
]


@pytest.mark.parametrize(("name", "arguments", "x", "weight"), LORA)
def test_lora(name, arguments, x, weight):
    layers = []

    def question(library):
        layer = built(library, name, arguments, (x,))
        layers.append(layer)
        layer.enable_lora(2, lora_alpha=6.0)
        draw = np.random.default_rng(2)
        for side in "ab":
            factor = getattr(layer, f"lora_{weight}_{side}")
            factor.assign(draw.standard_normal(factor.shape).astype("float32"))
        results, saved = pure_results(layer, (x,)), {}
        layer.save_own_variables(saved)
        return {
            "weights": describe_weights(layer),
            "config": plain(layer.get_config()),
            "results": results["outputs"] + results["gradients"],
            "saved": saved,
        }

    ours, theirs = both(question)
    assert ours["weights"] == theirs["weights"] and ours["config"] == theirs["config"]
    for a, b in zip(ours["results"], theirs["results"], strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-4)
    assert ours["saved"].keys() == theirs["saved"].keys()
    for key, wanted in theirs["saved"].items():
        np.testing.assert_allclose(ours["saved"][key], wanted, rtol=1e-5, atol=1e-5)
    layer = layers[0]
    before = np.asarray(layer(x))
    layer.load_own_variables(ours["saved"])
    np.testing.assert_allclose(layer(x), before, rtol=1e-5, atol=1e-4)


def test_lora_scale_given_to_the_constructor_is_used():
    """Keras's Dense and Embedding drop `lora_alpha` here and scale by 1; cornu keeps it."""
    layer = cornu.layers.Dense(3, lora_rank=2, lora_alpha=6.0, use_bias=False)
    layer(X2)
    layer.lora_kernel_b.assign(np.ones((2, 3)))
    kernel = layer._kernel.numpy() + 3 * layer.lora_kernel_a.numpy() @ np.ones((2, 3))
    np.testing.assert_allclose(layer(X2), X2 @ kernel, rtol=1e-5, atol=1e-5)
    assert layer.get_config()["lora_alpha"] == 6.0


@pytest.mark.parametrize(("name", "arguments"), [
    ("Dense", {"units": 3, "activation": "relu", "lora_rank": 2}),
    ("Embedding", {"input_dim": 4, "output_dim": 2, "mask_zero": True}),
])  # fmt: skip
def test_configs_of_keras_make_equal_layers(name, arguments):
    config = ask(lambda keras: getattr(keras.layers, name)(**arguments).get_config())
    assert plain(getattr(cornu.layers, name).from_config(config).get_config()) == plain(config)
