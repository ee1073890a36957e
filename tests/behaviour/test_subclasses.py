"""Classes that libraries derive from Keras's own, in the ways that libraries derive them."""

import h5py
import numpy as np
import pytest

import cornu
from cornu import layers


class Branches(cornu.Model):
    """A functional model that keeps some layers under names of its own, before and after it is made."""

    def __init__(self, **kwargs):
        x = cornu.Input((3,))
        first, second, third, last = (layers.Dense(2, name=name) for name in ("first", "second", "third", "last"))
        y = last(third(second(first(x))))
        self.neck, self.blocks = last, [second]
        super().__init__(inputs=x, outputs=y, **kwargs)
        self.body = {"third": third}
        self.loose = layers.Dense(2, name="loose")
        self.loose.build((None, 2))


class Stack(cornu.Sequential):
    """A Sequential model that keeps a layer under a name of its own."""

    def __init__(self):
        first, last = layers.Dense(2, name="first"), layers.Dense(2, name="last")
        self.neck = last
        super().__init__([cornu.Input((3,)), first, last])


@pytest.mark.parametrize(
    ("made", "order", "groups"),
    [
        (  # as Keras 3.15 orders and writes the same classes
            Branches,
            ["last", "second", "first", "third", "loose"],
            ["layers/dense", "layers/dense_1", "layers/dense_2", "layers/dense_3", "loose"],
        ),
        (Stack, ["stack/first", "stack/last"], ["layers/dense", "layers/dense_1"]),
    ],
)
def test_layers_kept_under_names_of_their_own_lie_in_files_where_the_graph_has_them(made, order, groups, tmp_path):
    model = made()
    assert [v.path.rpartition("/")[0] for v in model.weights[::2]] == order
    model.save_weights(tmp_path / "m.weights.h5")
    with h5py.File(tmp_path / "m.weights.h5") as file:
        written = []
        file.visititems(lambda name, item: written.append(name) if isinstance(item, h5py.Dataset) else None)
        first = file["layers/dense/vars/0"][()]
    assert [name.removesuffix("/vars/0") for name in written if name.endswith("/vars/0")] == groups
    np.testing.assert_array_equal(first, model.get_layer("first").kernel)
    other = made()
    other.load_weights(tmp_path / "m.weights.h5")
    for mine, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


class Decoder(layers.Layer):
    """Says its shape by the names of two inputs, and builds nothing by itself."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = layers.Dense(4)

    def call(self, decoder_sequence, encoder_sequence=None, cache=None):
        return self.inner(decoder_sequence) + (0 if encoder_sequence is None else encoder_sequence[:, :1])

    def compute_output_shape(self, decoder_sequence_shape, encoder_sequence_shape=None):
        assert encoder_sequence_shape is None or encoder_sequence_shape[-1] == 4
        return (*decoder_sequence_shape[:-1], 4)


def test_a_layer_that_says_its_shape_is_asked_with_the_names_it_takes_and_its_parts_are_built():
    target, source = cornu.Input((None, 3)), cornu.Input((None, 4))
    layer = Decoder()
    both = layer(decoder_sequence=target, encoder_sequence=source)
    assert both.shape == (None, None, 4) and layer.inner.built and len(layer.weights) == 2
    assert Decoder()(target).shape == (None, None, 4)


class Built(layers.Layer):
    """Makes its part in `build`, which ends, as many do, by calling that of the base class."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = layers.Dense(2)
        self.ran = 0

    def build(self, input_shape):
        self.inner.build(input_shape)
        super().build(input_shape)
        assert self.ran == 0

    def call(self, inputs, scale):
        self.ran += 1
        return self.inner(inputs) * scale

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 2)


def test_the_base_class_leaves_a_layer_with_a_build_of_its_own_as_that_made_it():
    layer = Built()
    assert layer(np.ones((1, 3), "float32"), 2.0).shape == (1, 2) and layer.built


class Positions(layers.Layer):
    """Takes as many rows of a table as there are steps, which only its own word makes known beforehand."""

    def build(self, input_shape):
        self.table = self.add_weight((7, input_shape[-1]), "ones")

    def call(self, inputs):
        return inputs + cornu.ops.slice(self.table.value, (0, 0), (cornu.ops.shape(inputs)[1], inputs.shape[-1]))

    def compute_output_shape(self, input_shape):
        return input_shape


class Kept(cornu.Model):
    """A functional model whose class notes what is set on it."""

    def __setattr__(self, name, value):
        super().__setattr__(name, value)


def test_a_model_inside_another_goes_by_what_its_layers_say_of_their_shapes():
    x = cornu.Input((None, 2))
    inner = Kept(x, Positions()(x))
    outer = cornu.Model(y := cornu.Input((None, 2)), inner(y))
    assert outer.output_shape == (None, None, 2)
    np.testing.assert_array_equal(outer(np.zeros((1, 3, 2), "float32")), np.ones((1, 3, 2)))


class Streams(cornu.Model):
    """A model of layers that takes two inputs by name."""

    def __init__(self):
        super().__init__()
        self.inner = layers.Dense(2)

    def build(self, left_shape, right_shape):
        self.inner.build(left_shape)

    def call(self, left, right):
        return self.inner(left), self.inner(right)


def test_a_model_with_several_arguments_may_stand_in_a_graph():
    left, right = cornu.Input((3,)), cornu.Input((3,))
    assert [y.shape for y in Streams()(left=left, right=right)] == [(None, 2), (None, 2)]


class Cached(layers.MultiHeadAttention):
    """Attends with keys of its own making, by the steps of the base class."""

    def build(self, query_shape):
        self._build_attention(len(query_shape) + 1)
        shared = {**self._get_common_kwargs_for_sublayer(), "bias_axes": "de"}
        size = (None, self._num_heads, self._key_dim)
        for name in ("query", "key", "value"):
            dense = layers.EinsumDense("abc,cde->abde", size, name=name, **shared)
            dense.build(query_shape)
            setattr(self, f"_{name}_dense", dense)
        shared["bias_axes"] = "c"
        self._output_dense = layers.EinsumDense("abde,dec->abc", (None, query_shape[-1]), **shared)
        self._output_dense.build((*query_shape[:-1], self._num_heads, self._key_dim))

    def call(self, query, attention_mask=None):
        parts = (dense(query) for dense in (self._query_dense, self._key_dense, self._value_dense))
        result, _ = self._compute_attention(*parts, attention_mask)
        return self._output_dense(result)


class ByHand(layers.MultiHeadAttention):
    """Replaces the step that attends, by Keras's names of its equations."""

    def _compute_attention(self, query, key, value, attention_mask=None, training=None, return_attention_scores=False):
        query = query * self._inverse_sqrt_key_dim
        scores = self._masked_softmax(cornu.ops.einsum(self._dot_product_equation, key, query), attention_mask)
        return cornu.ops.einsum(self._combine_equation, self._dropout_layer(scores, training), value), scores


def test_attention_is_derived_from_by_the_names_that_keras_has_for_its_steps():
    x = np.random.default_rng(0).normal(size=(2, 5, 6)).astype("float32")
    mask = np.tril(np.ones((1, 5, 5), bool))
    plain, cached, by_hand = (cls(2, 3) for cls in (layers.MultiHeadAttention, Cached, ByHand))
    expected = plain(x, x, attention_mask=mask)
    by_hand.build(x.shape, x.shape)
    cached.build(x.shape)
    for layer in (cached, by_hand):
        layer.set_weights(plain.get_weights())
    np.testing.assert_allclose(cached(x, mask), expected, atol=1e-5)
    np.testing.assert_allclose(by_hand(x, x, attention_mask=mask), expected, atol=1e-5)


def test_a_layer_saves_and_loads_its_own_variables_by_the_names_of_keras():
    layer = layers.BatchNormalization()
    layer.build((None, 2))
    assert [v.name for v in layer._trainable_variables] == ["gamma", "beta"]
    assert [v.name for v in layer._non_trainable_variables] == ["moving_mean", "moving_variance"]


class Twice(layers.Layer):
    """A layer whose own shapes name one symbolic tensor for two outputs, as KerasHub's decoders do."""

    def call(self, x):
        return x, (2 * x, [3 * x])

    def compute_output_spec(self, x):
        one = cornu.KerasTensor(x.shape, x.dtype)
        return one, (one, [one])


def test_each_output_is_its_own_where_a_spec_names_one_tensor_for_several():
    x = cornu.Input((2,))
    first, (second, (third,)) = Twice()(x)
    model = cornu.Model(x, {"first": first, "second": second, "third": third})
    found = model.predict(np.ones((1, 2)), verbose=0)
    assert {name: value[0, 0] for name, value in found.items()} == {"first": 1, "second": 2, "third": 3}
