"""The attention layers against Keras: outputs, scores, gradients, masks, weights, losses, configs, shapes."""

import numpy as np
import pytest
from file_structure import structure
from layer_oracle import agree, built, check, describe_weights, plain, pure_results
from oracle import ask, both

import cornu

R = np.random.default_rng(3)
Q, V, K = (R.standard_normal(shape).astype("float32") for shape in ((2, 3, 6), (2, 5, 6), (2, 5, 6)))
WIDE = R.standard_normal((2, 5, 8)).astype("float32")
Q4, V4 = (R.standard_normal(shape).astype("float32") for shape in ((2, 3, 4, 6), (2, 3, 4, 6)))
QUERY_MASK = np.array([[1, 1, 0], [1, 0, 0]], bool)
VALUE_MASK = np.array([[1, 1, 0, 1, 0], [1, 0, 0, 0, 0]], bool)
KEY_MASK = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], bool)
PAIRS = R.random((2, 3, 5)) > 0.4
PAIRS[..., 0] = True

HEADS = [
    ((Q, V), {}),
    ((Q, V, K), {"value_dim": 3}),
    ((Q, V, WIDE), {"use_bias": False, "output_shape": 7}),
    ((Q, V), {"output_shape": (2, 3), "use_gate": True}),
    ((Q, V), {"sliding_window": 2, "kernel_regularizer": "l2", "bias_regularizer": "l2", "activity_regularizer": "l2"}),
    ((Q, V), {"kernel_constraint": "max_norm", "bias_constraint": "non_neg", "kernel_initializer": "he_normal"}),
    ((Q, V), {"dropout": 0.3, "seed": 1, "attention_axes": 1}),
    ((Q4, V4), {"attention_axes": (1, 2)}),
    ((Q4, V4), {"attention_axes": (2, 1)}),
    ((Q4, V4), {"attention_axes": -2}),
    ((Q4, V4), {"attention_axes": [1]}),
    ((Q4, V4), {}),
]


@pytest.mark.parametrize(("inputs", "arguments"), HEADS)
def test_multi_head_attention(inputs, arguments):
    check("MultiHeadAttention", {"num_heads": 2, "key_dim": 3, **arguments}, inputs)


@pytest.mark.parametrize("case", [0, 3, 7, 8, 10])
def test_multi_head_attention_scores(case):
    inputs, arguments = HEADS[case]
    arguments = {"num_heads": 2, "key_dim": 3, **arguments}
    check("MultiHeadAttention", arguments, inputs, symbolic=False, return_attention_scores=True)


def test_values_of_another_depth():
    """Keras needs the scores to be asked for; cornu gives the same result without."""

    def question(library):
        arguments = {"num_heads": 2, "key_dim": 3, "value_dim": 5, "use_gate": True}
        return built(library, "MultiHeadAttention", arguments, (Q, V))

    ours = question(cornu)
    wanted, _ = ask(lambda keras: question(keras)(Q, V, return_attention_scores=True))
    np.testing.assert_allclose(ours(Q, V), wanted, rtol=2e-5, atol=2e-5)
    np.testing.assert_allclose(ours(Q, V, return_attention_scores=True)[0], wanted, rtol=2e-5, atol=2e-5)


CALLS = [
    {"use_causal_mask": True},
    {"attention_mask": PAIRS},
    {"attention_mask": PAIRS[0]},
    {"attention_mask": PAIRS[:, None]},
    {"attention_mask": PAIRS.astype("int32"), "use_causal_mask": True},
    {"query_mask": QUERY_MASK, "value_mask": VALUE_MASK},
    {"value_mask": VALUE_MASK, "key_mask": KEY_MASK, "use_causal_mask": True},
    {"key_mask": KEY_MASK, "attention_mask": PAIRS},
]
LAYERS = [
    ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3}),
    ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3, "sliding_window": 2}),
    ("GroupQueryAttention", {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}),
]


@pytest.mark.parametrize("scores", [False, True], ids=["", "scores"])
@pytest.mark.parametrize(("name", "arguments"), LAYERS)
def test_masks(name, arguments, scores):
    """Rows that may look nowhere are among these: both libraries give averages without scores and zeros with."""

    def question(library):
        layer, results = built(library, name, arguments, (Q, V)), []
        for call in CALLS:
            if library is not cornu and name == "MultiHeadAttention" and "query_mask" in call:  # Keras ignores it there
                call = {"value_mask": call["value_mask"], "attention_mask": call["query_mask"][:, :, None]}
            results.append(layer(Q, V, K, return_attention_scores=scores, **call))
        return results

    agree(question, 2e-5)


@pytest.mark.parametrize("call", [{"use_causal_mask": True}, {"value_mask": VALUE_MASK, "attention_mask": PAIRS}])
def test_gradients_through_masks(call):
    arguments = {"num_heads": 2, "key_dim": 3}
    agree(lambda k: pure_results(built(k, "MultiHeadAttention", arguments, (Q, V)), (Q, V), **call)["gradients"], 1e-5)


GROUPS = [
    {}, {"num_key_value_heads": 1, "use_bias": False}, {"num_key_value_heads": 4, "use_gate": True},
    {"kernel_regularizer": "l2", "bias_regularizer": "l2", "activity_regularizer": "l2", "sliding_window": 3},
    {"dropout": 0.2, "seed": 3},
]  # fmt: skip


@pytest.mark.parametrize("arguments", GROUPS)
def test_group_query_attention(arguments):
    scores = arguments.get("use_gate", False)
    arguments = {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2, **arguments}
    check("GroupQueryAttention", arguments, (Q, V), symbolic=not scores, return_attention_scores=scores)


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("scores", [False, True], ids=["", "scores"])
@pytest.mark.parametrize(("name", "arguments"), [LAYERS[0], LAYERS[2]])
def test_narrow_floats(name, arguments, scores, dtype):
    arguments = {**arguments, "dtype": dtype}
    agree(lambda k: built(k, name, arguments, (Q, V))(Q, V, return_attention_scores=scores), 5e-2)


SIMPLE = [
    ("Attention", {}), ("Attention", {"use_scale": True}), ("Attention", {"score_mode": "concat"}),
    ("Attention", {"score_mode": "concat", "use_scale": True}), ("Attention", {"dropout": 0.4, "seed": 2}),
    ("AdditiveAttention", {}), ("AdditiveAttention", {"use_scale": False}),
    ("AdditiveAttention", {"dropout": 0.4, "seed": 5}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arguments"), SIMPLE)
def test_simple_attention(name, arguments):
    inputs = [Q, V, K] if "seed" in arguments else [Q, V]

    def layer_of(library):
        layer = getattr(library.layers, name)(**{"name": "layer", **arguments})
        layer.build([x.shape for x in inputs])
        draw = np.random.default_rng(3)
        layer.set_weights([draw.standard_normal(w.shape).astype("float32") for w in layer.weights])
        return layer

    def results(library):
        layer = layer_of(library)
        return [layer(inputs, return_attention_scores=True, **call) for call in SIMPLE_CALLS]

    def description(library):
        layer = layer_of(library)
        symbolic = layer([library.Input(x.shape[1:]) for x in inputs])
        return describe_weights(layer), plain(layer.get_config()), tuple(symbolic.shape)

    agree(results, 2e-5)
    ours, theirs = both(description)
    assert ours == theirs


SIMPLE_CALLS = [
    {}, {"use_causal_mask": True}, {"mask": [None, VALUE_MASK]}, {"mask": [QUERY_MASK, None]},
    {"mask": [QUERY_MASK, VALUE_MASK], "use_causal_mask": True}, {"mask": [None, np.zeros_like(VALUE_MASK)]},
    {"mask": [QUERY_MASK, VALUE_MASK, KEY_MASK]},
]  # fmt: skip


def test_equal_seeded_initializers_give_equal_projections_as_in_keras():
    def kernels(library):
        first = library.layers.MultiHeadAttention(2, 3, kernel_initializer=library.initializers.GlorotUniform(seed=1))
        first.build((1, 2, 6), (1, 2, 6))
        second = library.layers.MultiHeadAttention(2, 3)
        second.build((1, 2, 6), (1, 2, 6))
        return [[layer.query_dense.kernel.value, layer.key_dense.kernel.value] for layer in (first, second)]

    for first, second in both(kernels):
        np.testing.assert_array_equal(*first)
        assert np.abs(second[0] - second[1]).max() > 1e-3


@pytest.mark.parametrize("arguments", [
    {"num_heads": 2, "key_dim": 3}, {"num_heads": 2, "key_dim": 3, "attention_axes": [1, -2], "output_shape": [5]},
])  # fmt: skip
def test_configs_before_building(arguments):
    def question(library):
        layer = library.layers.MultiHeadAttention(name="layer", **arguments)
        return [plain(layer.get_config()), plain(library.saving.serialize_keras_object(layer))]

    ours, theirs = both(question)
    assert ours == theirs


@pytest.mark.parametrize("name", ["Attention", "AdditiveAttention"])
def test_a_call_on_a_list_notes_what_was_given_alone(name):
    def question(library):
        library.utils.clear_session(free_memory=False)
        pair = [library.Input((3, 4)), library.Input((3, 4))]
        layer = getattr(library.layers, name)()
        model = library.Model(pair, [layer(pair), layer(pair, training=True)])
        return [node["kwargs"] for node in model.get_config()["layers"][2]["inbound_nodes"]]

    ours, theirs = both(question)
    assert ours == theirs == [{}, {"training": True}]


def test_group_query_attention_is_named_as_in_keras():
    def question(library):
        library.utils.clear_session(free_memory=False)
        return library.layers.GroupQueryAttention(2, 2, 1).name

    ours, theirs = both(question)
    assert ours == theirs == "grouped_query_attention"
    layer = cornu.layers.GroupQueryAttention(2, 2, 1)
    assert cornu.saving.serialize_keras_object(layer)["class_name"] == "GroupQueryAttention"


def every_layer(library):
    """A model of the layers of these tests, attention and normalization, with equal names in both libraries."""
    layers = library.layers
    x, ids = library.Input((3, 6)), library.Input((3,), dtype="int32")
    y = layers.MultiHeadAttention(2, 3, use_gate=True, dropout=0.1, name="heads")(
        x, layers.Embedding(5, 6, name="e")(ids)
    )
    y = layers.GroupQueryAttention(3, 2, 1, use_gate=True, name="groups")(y, y)
    y = layers.BatchNormalization(renorm=True, name="batch")(y)
    y = layers.GroupNormalization(2, name="group")(layers.LayerNormalization(name="norm")(y))
    y = layers.SpectralNormalization(layers.Dense(4, name="dense"), name="spectral")(
        layers.RMSNormalization(name="rms")(y)
    )
    y = layers.EinsumDense("abc,cd->abd", (None, 5), bias_axes="d", name="einsum")(y)
    y = layers.Attention(use_scale=True, score_mode="concat", name="dot")([y, y])
    y = layers.UnitNormalization(name="unit")(layers.AdditiveAttention(name="additive")([y, y]))
    return library.Model([x, ids], layers.ReversibleEmbedding(7, 5, tie_weights=False, name="back")(y, reverse=True))


INPUTS = [Q, np.array([[1, 2, 0], [4, 0, 0]], "int32")]


def filled(library):
    library.utils.clear_session(free_memory=False)
    model, draw = every_layer(library), np.random.default_rng(6)
    model.set_weights([draw.random(weight.shape).astype("float32") + 0.1 for weight in model.weights])
    return model


def test_a_file_of_keras_is_read_and_one_of_cornu_looks_like_it(tmp_path):
    def question(library):
        model, weights = filled(library), tmp_path / "a.weights.h5"
        model.save_weights(weights)
        return [w.path for w in model.weights], np.asarray(model(INPUTS)), weights.read_bytes()

    ours, theirs = both(question)
    assert ours[0] == theirs[0]
    assert structure(ours[2]) == structure(theirs[2])
    (tmp_path / "theirs.weights.h5").write_bytes(theirs[2])
    model = every_layer(cornu)
    model.load_weights(tmp_path / "theirs.weights.h5")
    for outputs in (ours[1], model(INPUTS)):
        np.testing.assert_allclose(outputs, theirs[1], rtol=1e-5, atol=1e-5)


@pytest.mark.live
def test_keras_reads_a_file_of_cornu(tmp_path):
    model = filled(cornu)
    model.save(tmp_path / "ours.keras")
    outputs = ask(lambda keras: keras.models.load_model(tmp_path / "ours.keras")(INPUTS))
    np.testing.assert_allclose(outputs, model(INPUTS), rtol=1e-5, atol=1e-5)
