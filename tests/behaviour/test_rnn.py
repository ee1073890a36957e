"""What users do with recurrent layers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import cornu
from cornu import layers
from cornu.core.masks import get_mask, set_mask

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 4, 3)).astype("float32")


def close(a, b, tolerance=1e-6):
    np.testing.assert_allclose(a, b, atol=tolerance)


# ---------------------------------------------------------------- states


def test_a_stateful_layer_goes_on_where_the_last_batch_ended():
    whole, parts = layers.LSTM(3), layers.LSTM(3, stateful=True)
    wanted = whole(X)
    parts.build((2, 2, 3))
    parts.set_weights(whole.get_weights())
    parts(X[:, :2])
    close(parts(X[:, 2:]), wanted)
    parts.reset_state()
    close(parts(X[:, :2]), whole(X[:, :2]))
    parts.reset_states()
    close(parts.states[0].numpy(), np.zeros((2, 3)))


def test_a_stateful_layer_keeps_its_states_in_compiled_code():
    layer = layers.GRU(3, stateful=True)
    layer.build(X.shape)
    step = jax.jit(layer.stateless_call)
    trainable, kept = ([v.value for v in group] for group in (layer.trainable_variables, layer.non_trainable_variables))
    first, kept = step(trainable, kept, X)
    second, kept = step(trainable, kept, X)
    close(layer(X), first)
    close(layer(X), second)
    assert not np.allclose(first, second)


def test_kept_states_are_no_weights():
    layer = layers.SimpleRNN(3, stateful=True)
    layer.build(X.shape)
    assert len(layer.weights) == 3
    assert len(layer.variables) == 4


def test_a_stateful_layer_wants_a_fixed_batch_size():
    with pytest.raises(ValueError, match=r"batch size must be known.*batch_shape"):
        layers.LSTM(3, stateful=True)(layers.Input((4, 3)))
    layer = layers.LSTM(3, stateful=True)
    layer(X)
    with pytest.raises(ValueError, match=r"built for batches of 2.*batch of 1"):
        layer(X[:1])


def test_a_decoder_starts_from_the_encoders_states():
    source, target = layers.Input((None, 3)), layers.Input((None, 2))
    _, h, c = layers.LSTM(4, return_state=True)(source)
    output = layers.LSTM(4, return_sequences=True)(target, initial_state=[h, c])
    model = cornu.Model([source, target], output)
    twin = cornu.Model.from_config(model.get_config())
    twin.set_weights(model.get_weights())
    inputs = [X, np.ones((2, 5, 2), "float32")]
    assert output.shape == (None, None, 4)
    close(twin(inputs), model(inputs))


def test_states_of_the_wrong_number_or_shape_are_refused():
    with pytest.raises(ValueError, match=r"2 state\(s\).*Received: 1"):
        layers.LSTM(3)(X, initial_state=[np.ones((2, 3), "float32")])
    with pytest.raises(ValueError, match="initial_state"):
        layers.GRU(3)(X, initial_state=np.ones((2, 5), "float32"))


# ---------------------------------------------------------------- masks


@pytest.mark.parametrize("layer", [layers.SimpleRNN, layers.LSTM, layers.GRU])
def test_padding_changes_nothing(layer):
    layer = layer(3)
    embed = layers.Embedding(6, 3, mask_zero=True)
    bare = layer(embed(np.array([[1, 2, 3]])))
    close(layer(embed(np.array([[1, 2, 3, 0, 0]]))), bare)
    close(layer(embed(np.array([[0, 0, 1, 2, 3]]))), bare)


def test_masks_go_through_a_model():
    inputs = layers.Input((None,), dtype="int32")
    x = layers.Embedding(6, 3, mask_zero=True)(inputs)
    x = layers.Bidirectional(layers.LSTM(2, return_sequences=True))(x)
    x = layers.TimeDistributed(layers.Dense(3))(x)
    model = cornu.Model(inputs, layers.GRU(2)(x))
    close(model(np.array([[1, 2, 0, 0]])), model(np.array([[1, 2]])))


@pytest.mark.parametrize("shape", [(2,), (2, 3), (3, 4)])
def test_a_mask_of_the_wrong_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"mask must have shape \(2, 4\), \(batch, time\)"):
        layers.LSTM(3)(X, mask=np.ones(shape, bool))


def test_a_mask_can_be_taken_away():
    def masked_and_not(x):
        set_mask(x, x > 0)
        was = get_mask(x) is not None
        set_mask(x, None)
        return was and get_mask(x) is None

    assert masked_and_not(jnp.ones(3)) and masked_and_not(cornu.Input((3,)))
    assert jax.jit(lambda x: x * masked_and_not(x))(jnp.ones(3)).all()


def test_a_mask_may_be_the_same_for_all_rows():
    layer, mask = layers.LSTM(3), np.array([[True, True, False, True]])
    close(layer(X, mask=mask), layer(X, mask=np.repeat(mask, 2, axis=0)))


def test_each_step_may_have_a_mask_of_its_own():
    x = RNG.normal(size=(2, 3, 4, 1)).astype("float32")
    x[:, :, 2:] = 0
    layer = layers.TimeDistributed(layers.LSTM(2))
    output = layer(layers.Masking()(x))
    close(output, layer(x[:, :, :2]))
    np.testing.assert_array_equal(get_mask(output), np.ones((2, 3), bool))


def test_masks_made_inside_each_step_come_out():
    ids = np.array([[[1, 0], [0, 0]]])
    output = layers.TimeDistributed(layers.Embedding(5, 2, mask_zero=True))(ids)
    np.testing.assert_array_equal(get_mask(output), ids != 0)


# ---------------------------------------------------------------- cells of one's own


class Average:
    """A cell that is not a layer."""

    state_size = 3

    def call(self, inputs, states):
        new = 0.5 * states[0] + 0.5 * inputs
        return 10 * new, [new]


def test_any_object_can_be_a_cell():
    output, state = layers.RNN(Average(), return_state=True)(X)
    wanted = sum(X[:, t] * 0.5 ** (4 - t) for t in range(4))
    close(state, wanted)
    close(output, 10 * wanted, 1e-5)


def test_a_masked_step_repeats_the_output_of_a_cell_not_its_state():
    mask = np.array([[True, True, False, False], [False, True, True, False]])
    outputs = layers.RNN(Average(), return_sequences=True)(X, mask=mask)
    close(outputs[0, 3], outputs[0, 1])
    close(outputs[1, 0], np.zeros(3))
    close(outputs[1, 3], outputs[1, 2])


class Composed(layers.Layer):
    """A cell made of layers, which counts its steps."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = layers.Dense(3, activity_regularizer="l2")
        self.count = self.add_weight(shape=(), initializer="zeros", trainable=False, name="count")
        self.state_size = [3]

    def call(self, inputs, states):
        self.count.assign_add(1.0)
        new = self.inner(inputs) + states[0]
        return new, [new]


def test_a_cell_may_hold_layers_assign_variables_and_add_losses():
    layer = layers.RNN(Composed(), return_sequences=True)
    outputs = layer(X)
    inner = layer.cell.inner(X)
    close(outputs, np.cumsum(inner, axis=1), 1e-5)
    layer(X)
    assert len(layer.trainable_weights) == 2
    close(layer.cell.count.numpy(), 8.0)
    close(sum(layer.losses), 0.01 * np.sum(np.square(inner)) / len(X), 1e-5)


def test_a_cell_that_is_none_is_refused():
    with pytest.raises(ValueError, match="method call"):
        layers.RNN(object())
    with pytest.raises(ValueError, match="state_size"):
        layers.RNN(layers.Dense(2))


# ---------------------------------------------------------------- dropout


@pytest.mark.parametrize("layer", [layers.SimpleRNN, layers.LSTM, layers.GRU])
@pytest.mark.parametrize("rates", [{"dropout": 0.5}, {"recurrent_dropout": 0.5}])
def test_dropout_acts_in_training_alone_and_anew_each_time(layer, rates):
    layer = layer(8, seed=1, **rates)
    plain = layer(X)
    close(layer(X, training=False), plain)
    first, second = layer(X, training=True), layer(X, training=True)
    assert not np.allclose(first, plain)
    assert not np.allclose(first, second)


def test_every_step_drops_the_same_features():
    layer = layers.SimpleRNN(
        6, "linear", dropout=0.5, kernel_initializer="identity", recurrent_initializer="zeros", return_sequences=True
    )
    outputs = np.asarray(layer(np.ones((3, 5, 6), "float32"), training=True))
    assert set(outputs.ravel()) == {0.0, 2.0}
    np.testing.assert_array_equal(outputs, np.repeat(outputs[:, :1], 5, axis=1))


def test_dropout_advances_in_compiled_code():
    layer = layers.LSTM(8, dropout=0.5, recurrent_dropout=0.5)
    layer.build(X.shape)
    step = jax.jit(lambda *values: layer.stateless_call(*values, X, training=True))
    trainable, rest = ([v.value for v in group] for group in (layer.trainable_variables, layer.non_trainable_variables))
    first, rest_after = step(trainable, rest)
    second, _ = step(trainable, rest_after)
    assert not np.allclose(first, second)
    close(step(trainable, rest)[0], first)
    close(layer(X, training=True), first, 1e-5)  # nothing was left behind by the trace


def test_stacked_cells_drop_too():
    layer = layers.RNN([layers.LSTMCell(4, dropout=0.5), layers.GRUCell(4, recurrent_dropout=0.5)])
    assert not np.allclose(layer(X, training=True), layer(X))


def test_each_step_of_time_distributed_dropout_is_its_own():
    layer = layers.TimeDistributed(layers.Dropout(0.5, seed=1))
    outputs = np.asarray(layer(np.ones((1, 4, 50), "float32"), training=True))
    assert len(np.unique(outputs[0], axis=0)) == 4


# ---------------------------------------------------------------- choices


@pytest.mark.parametrize("layer", [layers.LSTM, layers.GRU])
def test_both_loops_agree(layer):
    fast, plain = layer(3, use_cudnn=True), layer(3, use_cudnn=False)
    wanted = fast(X)
    plain.build(X.shape)
    plain.set_weights(fast.get_weights())
    close(plain(X), wanted)


def test_the_fast_loop_can_be_insisted_on():
    for layer in (layers.LSTM(3, "softsign", use_cudnn=True), layers.GRU(3, reset_after=False, use_cudnn=True)):
        with pytest.raises(ValueError, match=r'use_cudnn=True requires.*"auto"'):
            layer(X)
    with pytest.raises(ValueError, match="use_cudnn must be"):
        layers.LSTM(3, use_cudnn="yes")


def test_both_directions_must_be_two():
    with pytest.raises(ValueError, match="opposite directions"):
        layers.Bidirectional(layers.LSTM(2), backward_layer=layers.LSTM(2))
    with pytest.raises(ValueError, match="return_sequences must be the same"):
        layers.Bidirectional(layers.LSTM(2), backward_layer=layers.LSTM(2, go_backwards=True, return_sequences=True))
    with pytest.raises(ValueError, match="merge_mode must be"):
        layers.Bidirectional(layers.LSTM(2), merge_mode="max")
    with pytest.raises(ValueError, match="recurrent layer"):
        layers.Bidirectional(layers.Dense(2))


def test_both_directions_can_start_from_given_weights():
    first = layers.Bidirectional(layers.GRU(2))
    wanted = first(X)
    close(layers.Bidirectional(layers.GRU(2), weights=first.get_weights())(X), wanted)


def test_both_directions_keep_their_states():
    layer = layers.Bidirectional(layers.LSTM(2, stateful=True))
    first, second = layer(X), layer(X)
    layer.reset_state()
    assert len(layer.states) == 4
    assert not np.allclose(first, second)
    close(layer(X), first)


def test_a_wrapper_calls_what_is_inside():
    dense = layers.Dense(2)
    close(layers.Wrapper(dense)(X), dense(X))
    with pytest.raises(ValueError, match="layer must be a layer"):
        layers.Wrapper(3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.LSTM(0), "units must be a positive integer"),
        (lambda: layers.GRU(2, dropout=1.5), "dropout must be a number from 0"),
        (lambda: layers.LSTM(2)(X[0]), "3 dimensions"),
        (lambda: layers.TimeDistributed(layers.Dense(2))(X[0]), "at least 3 dimensions"),
        (lambda: layers.TimeDistributed(layers.Dense(2))(X, mask=np.ones((2, 3), bool)), "mask must start with"),
        (lambda: layers.StackedRNNCells([]), "at least one cell"),
        (lambda: layers.LSTM(2, time_major=True), "time_major"),
    ],
)
def test_mistakes_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# ---------------------------------------------------------------- models


def test_stacked_layers_learn_to_tell_rising_from_falling():
    rise = RNG.choice([-1.0, 1.0], size=(64, 1, 1))
    x = (rise * np.linspace(-1, 1, 6)[:, None] + 0.1 * RNG.normal(size=(64, 6, 1))).astype("float32")
    y = (rise[:, 0] > 0).astype("float32")
    model = cornu.Sequential(
        [
            layers.Input((6, 1)),
            layers.SimpleRNN(8, return_sequences=True),
            layers.Bidirectional(layers.GRU(4, return_sequences=True)),
            layers.LSTM(8, dropout=0.1),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(cornu.optimizers.Adam(0.03), "binary_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, epochs=8, verbose=0)
    assert history.history["accuracy"][-1] > 0.95


def test_a_saved_recurrent_model_predicts_the_same(tmp_path):
    inputs = layers.Input((4, 3))
    x = layers.Bidirectional(layers.LSTM(2, return_sequences=True))(inputs)
    x, state = layers.GRU(2, return_sequences=True, return_state=True)(x)
    x = layers.TimeDistributed(layers.Dense(3))(x)
    x = layers.RNN([layers.LSTMCell(2), layers.SimpleRNNCell(2)])(x)
    model = cornu.Model(inputs, layers.Concatenate()([x, state]))
    model.save(tmp_path / "model.keras")
    close(cornu.saving.load_model(tmp_path / "model.keras")(X), model(X))


def test_stacked_cells_hand_out_states_as_their_sizes_say():
    inner = layers.StackedRNNCells([layers.SimpleRNNCell(2)])
    layer = layers.RNN([layers.LSTMCell(4), layers.GRUCell(3), inner], return_state=True)
    output, *states = layer(X)
    shapes = cornu.tree.map_structure(lambda size: (len(X), size), layer.state_size)
    assert shapes == [[(len(X), 4)] * 2, (len(X), 3), [(len(X), 2)]]
    assert cornu.tree.map_structure(lambda state: state.shape, states) == shapes
    assert cornu.tree.map_structure(lambda state: state.shape, layer.get_initial_state(len(X))) == shapes
    assert layer(X, initial_state=states)[0].shape == output.shape


def test_gradients_reach_every_weight():
    layer = layers.RNN(layers.StackedRNNCells([layers.LSTMCell(2), layers.GRUCell(3)]))
    layer.build(X.shape)

    def loss(weights):
        return jnp.sum(layer.stateless_call(weights, [], X)[0] ** 2)

    gradients = jax.grad(loss)([v.value for v in layer.trainable_variables])
    assert all(np.abs(g).max() > 0 for g in gradients)
