"""Every layer that knows masks, against Keras: mask attached to the input, given by hand, both, or absent."""

import jax.numpy as jnp
import numpy as np
import pytest
from oracle import both

import cornu
from cornu import tree

R = np.random.default_rng(4)
X, Y = (R.standard_normal((2, steps, 4)).astype("float32") for steps in (3, 5))
MASKS = [np.arange(x.shape[1]) < np.array([[x.shape[1] - 1], [1]]) for x in (X, Y)]

ONE = {
    "Activation": {"activation": "tanh"},
    "BatchNormalization": {},
    "Bidirectional": {"layer": lambda k: k.layers.GRU(2, return_sequences=True)},
    "Dense": {"units": 2},
    "Dropout": {"rate": 0.3},
    "Flatten": {},
    "GRU": {"units": 2, "return_sequences": True},
    "GlobalAveragePooling1D": {},
    "LSTM": {"units": 2, "return_sequences": True, "return_state": True, "zero_output_for_mask": True},
    "LayerNormalization": {},
    "Masking": {},
    "RNN": {"cell": lambda k: k.layers.SimpleRNNCell(2)},
    "Reshape": {"target_shape": (4, 3)},
    "SimpleRNN": {"units": 2, "go_backwards": True},
    "TimeDistributed": {"layer": lambda k: k.layers.Dense(2)},
}
TWO = {
    "Add": {},
    "AdditiveAttention": {},
    "Attention": {"use_scale": True},
    "Concatenate": {"axis": 1},
    "GroupQueryAttention": {"head_dim": 2, "num_query_heads": 4, "num_key_value_heads": 2},
    "MultiHeadAttention": {"num_heads": 2, "key_dim": 3},
}
TABLE = ONE | TWO
WAYS = ("absent", "attached", "given", "both")


def layer_of(library, name):
    made = {k: v(library) if callable(v) else v for k, v in TABLE[name].items()}
    return getattr(library.layers, name)(**made)


def call(layer, name, way):
    """What the layer gives; with "both", the mask by hand is the other one's opposite."""
    tensors = [jnp.asarray(x) for x in ((X, X) if name == "Add" else (X, Y) if name in TWO else (X,))]
    masks = [jnp.asarray(MASKS[x.shape[1] == 5]) for x in tensors]
    if way in ("attached", "both"):
        for x, mask in zip(tensors, masks, strict=True):
            x._keras_mask = mask
    given = [~mask for mask in masks] if way == "both" else masks if way == "given" else None
    if "Query" in name or "Head" in name:
        return layer(*tensors, **({} if given is None else {"query_mask": given[0], "value_mask": given[1]}))
    one = name not in TWO
    options = {} if given is None else {"mask": given[0] if one else given}
    return layer(tensors[0] if one else tensors, **options)


def outcome(layer, name, way):
    """(outputs, their masks); None where the layer takes no mask by hand."""
    try:
        outputs = tree.flatten(call(layer, name, way))
    except TypeError:
        return None
    masks = [getattr(y, "_keras_mask", None) for y in outputs]
    return [np.asarray(y) for y in outputs], [None if m is None else np.asarray(m).tolist() for m in masks]


@pytest.mark.filterwarnings("ignore:.*mask")  # which some layers drop
@pytest.mark.parametrize("name", TABLE)
def test_masks_go_where_keras_sends_them(name):
    ways = WAYS[1:2] if name == "MultiHeadAttention" else WAYS[1:]  # Keras ignores a query_mask that is given by hand

    def question(library):
        layer, draw = layer_of(library, name), np.random.default_rng(2)
        call(layer, name, "absent")  # builds it
        layer.set_weights([draw.uniform(0.1, 0.6, w.shape).astype(str(w.dtype)) for w in layer.get_weights()])
        return {way: outcome(layer, name, way) for way in ways}

    ours, theirs = both(question)
    for way, wanted in theirs.items():
        found = ours[way]
        assert (found is None) == (wanted is None), way
        if wanted is not None:
            assert found[1] == wanted[1], way
            for a, b in zip(found[0], wanted[0], strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5, err_msg=way)


@pytest.mark.parametrize("name", ["LSTM", "BatchNormalization", "Bidirectional"])
def test_a_mask_may_be_an_input_of_a_model(name):
    """Eagerly, operation by operation and compiled, the layer after the masked one sees the mask too."""
    first, last = layer_of(cornu, name), cornu.layers.GlobalAveragePooling1D()
    x, mask = cornu.Input((3, 4)), cornu.Input((3,), dtype="bool")
    take = (lambda y: y[0]) if name == "LSTM" else (lambda y: y)
    model = cornu.Model([x, mask], last(take(first(x, mask=mask))))
    assert take(first.output)._keras_mask is not None
    wanted = last(take(first(X, mask=MASKS[0])))
    np.testing.assert_allclose(model([X, MASKS[0]]), wanted, atol=1e-6)
    model.jit_compile = False
    np.testing.assert_allclose(model([X, MASKS[0]]), wanted, atol=1e-6)
    np.testing.assert_allclose(model.predict([X, MASKS[0]], verbose=0), wanted, atol=1e-6)


def test_a_query_mask_given_by_hand_counts_like_an_attached_one():
    layer = layer_of(cornu, "MultiHeadAttention")
    wanted = layer(X, Y, attention_mask=MASKS[0][:, :, None] & MASKS[1][:, None, :])
    np.testing.assert_allclose(layer(X, Y, query_mask=MASKS[0], value_mask=MASKS[1]), wanted, atol=1e-6)


def test_a_mask_given_to_a_model_stays_with_that_call():
    x = jnp.asarray(X)
    model = cornu.Sequential([cornu.Input((3, 4)), cornu.layers.Identity(), cornu.layers.GlobalAveragePooling1D()])
    whole = model(x)
    np.testing.assert_allclose(model(x, mask=MASKS[0])[1], X[1, 0], atol=1e-6)
    np.testing.assert_allclose(model(x), whole)
    assert not hasattr(x, "_keras_mask") or x._keras_mask is None


@pytest.mark.parametrize("name", ["LSTM", "GlobalAveragePooling1D", "Bidirectional", "RNN", "TimeDistributed"])
def test_a_mask_of_another_length_names_the_layer_and_the_shapes(name):
    with pytest.raises(ValueError, match=r"mask must .*\(2, 3\).*\(2, 6\)"):
        layer_of(cornu, name)(X, mask=np.ones((2, 6), bool))


class Summed(cornu.layers.Layer):
    """A first input, and the sum of a second one."""

    supports_masking = True

    def call(self, inputs):
        first, second = inputs
        return first + cornu.ops.sum(second)


def test_of_several_masks_a_single_output_gets_the_first():
    embed = cornu.layers.Embedding(3, 2, mask_zero=True)
    first, second = embed(np.array([[1, 2, 0]])), embed(np.array([[1, 0]]))
    assert Summed()([first, second])._keras_mask.tolist() == [[True, True, False]]
    assert getattr(Summed()([np.asarray(first), second]), "_keras_mask", None) is None
