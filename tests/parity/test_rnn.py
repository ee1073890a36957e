"""The recurrent layers against Keras: outputs, gradients, masks, configs and paths from equal weights and inputs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from file_structure import structure
from layer_oracle import take_the_same_masks
from oracle import ask, both

import cornu
from cornu.core.masks import get_mask

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 4, 3)).astype("float32")
RIGHT = np.array([[1, 1, 0, 0], [1, 1, 1, 0]], bool)
LEFT = np.array([[0, 0, 1, 1], [0, 1, 1, 1]], bool)
HOLES = np.array([[1, 0, 1, 0], [0, 1, 0, 1]], bool)


def state(*sizes):
    return [RNG.normal(size=(2, size)).astype("float32") for size in sizes]


@pytest.fixture(autouse=True)
def numbers_of_its_own():
    """The data of a test do not depend on which tests ran before."""
    RNG.bit_generator.state = np.random.default_rng(2).bit_generator.state


def built(library, make, shape=X.shape):
    """The layer of that library, with weights that are the same in both."""
    layer = make(library.layers)
    layer.build(shape)
    draw = np.random.default_rng(1)
    layer.set_weights([0.5 * draw.normal(size=w.shape).astype("float32") for w in layer.weights])
    return layer


def run(layer, x, **kwargs):
    """(outputs, gradients of a weighted sum of them with respect to weights and input)."""
    rest = [jnp.asarray(v.value) for v in layer.non_trainable_variables]

    def loss(weights, x):
        outputs, _ = layer.stateless_call(weights, rest, x, **kwargs)
        outputs = jax.tree.leaves(outputs)
        score = sum(jnp.sum(jnp.sin(1.0 + y.astype("float32"))) for y in outputs)
        return score, outputs

    weights = [jnp.asarray(v.value) for v in layer.trainable_variables]
    differentiate = jax.jit(jax.grad(loss, (0, 1), has_aux=True))
    # The compiled loop of Keras's GRU fails in float16: its state turns to float32.
    by_hand = layer.compute_dtype != "float32" and not isinstance(layer, cornu.Layer)
    with jax.disable_jit(by_hand):
        gradients, outputs = differentiate(weights, jnp.asarray(x))
    return outputs, jax.tree.leaves(gradients)


def compare(make, x=X, tolerance=2e-6, **kwargs):
    """Assert that outputs, gradients, and the weights' shapes are equal in both libraries."""

    def question(library):
        layer = built(library, make, x.shape)
        return [tuple(w.shape) for w in layer.weights], *run(layer, x, **kwargs)

    ours, theirs = both(question)
    assert ours[0] == theirs[0]
    for got, wanted in zip(ours[1:], theirs[1:], strict=True):
        assert len(wanted) == len(got)
        for a, b in zip(wanted, got, strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_allclose(np.float32(b), np.float32(a), atol=tolerance, rtol=1e-4)


ALL = {"return_sequences": True, "return_state": True}

LAYERS = {
    "simple": lambda L: L.SimpleRNN(3),
    "simple all": lambda L: L.SimpleRNN(3, **ALL),
    "simple relu": lambda L: L.SimpleRNN(3, activation="relu", use_bias=False, return_sequences=True),
    "simple backwards": lambda L: L.SimpleRNN(3, go_backwards=True, **ALL),
    "simple unrolled": lambda L: L.SimpleRNN(3, unroll=True, **ALL),
    "simple plain loop": lambda L: L.SimpleRNN(3, activation="softsign", **ALL),
    "lstm": lambda L: L.LSTM(3),
    "lstm all": lambda L: L.LSTM(3, **ALL),
    "lstm backwards": lambda L: L.LSTM(3, go_backwards=True, use_bias=False, **ALL),
    "lstm activations": lambda L: L.LSTM(3, activation="relu", recurrent_activation="hard_sigmoid", **ALL),
    "lstm relu": lambda L: L.LSTM(3, activation="relu", **ALL),
    "lstm plain loop": lambda L: L.LSTM(3, use_cudnn=False, **ALL),
    "gru": lambda L: L.GRU(3),
    "gru all": lambda L: L.GRU(3, **ALL),
    "gru reset before": lambda L: L.GRU(3, reset_after=False, **ALL),
    "gru no bias": lambda L: L.GRU(3, use_bias=False, unroll=True, go_backwards=True, **ALL),
    "gru plain loop": lambda L: L.GRU(3, use_cudnn=False, **ALL),
    "rnn": lambda L: L.RNN(L.LSTMCell(3), **ALL),
    "rnn unrolled": lambda L: L.RNN(L.GRUCell(3), unroll=True, **ALL),
    "stacked": lambda L: L.RNN([L.LSTMCell(2), L.GRUCell(3), L.SimpleRNNCell(4)], **ALL),
    "stacked last": lambda L: L.RNN(L.StackedRNNCells([L.LSTMCell(2), L.LSTMCell(3)])),
    "both ways": lambda L: L.Bidirectional(L.LSTM(3)),
    "both ways sum": lambda L: L.Bidirectional(L.GRU(3, **ALL), merge_mode="sum"),
    "both ways ave": lambda L: L.Bidirectional(L.SimpleRNN(3, return_sequences=True), merge_mode="ave"),
    "both ways mul": lambda L: L.Bidirectional(L.SimpleRNN(3), merge_mode="mul"),
    "both ways pair": lambda L: L.Bidirectional(L.LSTM(3, **ALL), merge_mode=None),
    "both ways, two layers": lambda L: L.Bidirectional(
        L.LSTM(3, return_sequences=True), backward_layer=L.GRU(2, go_backwards=True, return_sequences=True)
    ),
    "each step": lambda L: L.TimeDistributed(L.Dense(2, activation="tanh")),
}


@pytest.mark.parametrize("name", LAYERS)
def test_outputs_and_gradients(name):
    compare(LAYERS[name])


MASKED = {
    "right": ("lstm all", RIGHT),
    "left": ("gru all", LEFT),
    "holes": ("simple all", HOLES),
    "backwards": ("lstm backwards", LEFT),
    "plain loop": ("lstm plain loop", HOLES),
    "reset before": ("gru reset before", RIGHT),
    "last of simple": ("simple", RIGHT),
    "unrolled": ("simple unrolled", HOLES),
    "stacked": ("stacked", LEFT),
    "both ways": ("both ways pair", RIGHT),
    "both ways last": ("both ways", LEFT),
    "each step": ("each step", RIGHT),
}


@pytest.mark.parametrize("name", MASKED)
def test_masks(name):
    layer, mask = MASKED[name]
    compare(LAYERS[layer], mask=jnp.asarray(mask))


@pytest.mark.parametrize(
    "make",
    [
        lambda L: L.LSTM(3, zero_output_for_mask=True, **ALL),
        lambda L: L.GRU(3, zero_output_for_mask=True),
        lambda L: L.SimpleRNN(3, zero_output_for_mask=True, go_backwards=True, **ALL),
        lambda L: L.RNN(L.GRUCell(3), zero_output_for_mask=True, return_sequences=True),
        lambda L: L.Bidirectional(L.GRU(3, zero_output_for_mask=True, return_sequences=True)),
    ],
)
def test_zeros_at_masked_steps(make):
    compare(make, mask=jnp.asarray(HOLES))


STARTED = {
    "lstm": ("lstm all", state(3, 3)),
    "gru": ("gru", state(3)),
    "simple": ("simple all", state(3)),
    "rnn": ("rnn", state(3, 3)),
    "both ways": ("both ways", state(3, 3, 3, 3)),
}


@pytest.mark.parametrize("name", STARTED)
def test_initial_states(name):
    layer, states = STARTED[name]
    compare(LAYERS[layer], initial_state=[jnp.asarray(s) for s in states])
    compare(LAYERS[layer], initial_state=[jnp.asarray(s) for s in states], mask=jnp.asarray(LEFT))


@pytest.mark.parametrize("name", ["lstm all", "gru all", "simple all"])
@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision(name, dtype):
    def make(L):
        keywords = {"dtype": dtype, **ALL}
        return {"lstm all": L.LSTM, "gru all": L.GRU, "simple all": L.SimpleRNN}[name](3, **keywords)

    compare(make, tolerance=0.05 if "bfloat" in dtype else 0.01)


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda L: L.TimeDistributed(L.Conv2D(2, 2)), (2, 3, 4, 4, 1)),
        (lambda L: L.TimeDistributed(L.LSTM(2)), (2, 3, 4, 2)),
        (lambda L: L.TimeDistributed(L.TimeDistributed(L.Dense(2))), (2, 3, 4, 2)),
        (lambda L: L.TimeDistributed(L.Flatten()), (2, 3, 4, 2)),
    ],
)
def test_a_layer_inside_each_step(make, shape):
    compare(make, RNG.normal(size=shape).astype("float32"))


def test_masks_inside_each_step():
    x = RNG.normal(size=(2, 3, 4, 2)).astype("float32")
    mask = jnp.asarray(RNG.random((2, 3, 4)) > 0.4)
    compare(lambda L: L.TimeDistributed(L.LSTM(2)), x, mask=mask)


def test_statistics_are_taken_step_by_step():
    x = (RNG.normal(size=(8, 3, 2)) + np.arange(3)[:, None]).astype("float32")

    def question(library):
        normalize = lambda L: L.TimeDistributed(L.BatchNormalization(momentum=0.5))
        layer = built(library, normalize, x.shape)
        return [layer(x, training=True), *layer.get_weights()]

    for ours, theirs in zip(*both(question), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


DROPOUTS = {
    "simple": lambda L: L.SimpleRNN(3, dropout=0.4, recurrent_dropout=0.3, seed=1, **ALL),
    "lstm input": lambda L: L.LSTM(3, dropout=0.4, seed=2, **ALL),
    "lstm both": lambda L: L.LSTM(3, dropout=0.4, recurrent_dropout=0.3, seed=3, **ALL),
    "gru input": lambda L: L.GRU(3, dropout=0.4, seed=4, **ALL),
    "gru both": lambda L: L.GRU(3, dropout=0.4, recurrent_dropout=0.3, seed=5, **ALL),
    "gru reset before": lambda L: L.GRU(3, recurrent_dropout=0.3, reset_after=False, seed=6, **ALL),
}


@pytest.mark.parametrize("name", DROPOUTS)
def test_dropout_with_the_same_masks(name, monkeypatch):
    """Masks come from each library's own random numbers; with the same masks in both, so are the results."""

    def layer(L):
        take_the_same_masks(L, monkeypatch)
        return DROPOUTS[name](L)

    compare(layer, training=True)


CONFIGS = [
    *LAYERS.values(),
    lambda L: L.LSTM(3, name="a", dropout=0.1, recurrent_dropout=0.2, seed=3, dtype="bfloat16"),
    lambda L: L.GRU(3, name="b", activity_regularizer="l2"),
    lambda L: L.SimpleRNN(3, kernel_constraint="max_norm", recurrent_initializer="glorot_normal", trainable=False),
    lambda L: L.RNN(L.LSTMCell(2), stateful=True, zero_output_for_mask=True),
    lambda L: L.Masking(2.0),
    lambda L: L.LSTMCell(3),
    lambda L: L.GRUCell(3, reset_after=False),
    lambda L: L.SimpleRNNCell(3),
]


@pytest.mark.parametrize("make", CONFIGS)
def test_configs(make):
    def question(library):
        library.utils.clear_session(free_memory=False)
        return make(library.layers).get_config()

    ours, theirs = both(question)
    assert ours == theirs
    again = type(make(cornu.layers)).from_config(ours)
    assert again.get_config() == ours


@pytest.mark.parametrize("name", ["simple", "lstm", "gru", "stacked", "both ways, two layers", "each step"])
def test_paths(name):
    def question(library):
        library.utils.clear_session(free_memory=False)
        return [(w.path, w.trainable) for w in built(library, LAYERS[name]).weights]

    ours, theirs = both(question)
    assert ours == theirs


@pytest.mark.parametrize("cell", ["SimpleRNNCell", "LSTMCell", "GRUCell"])
def test_first_weights(cell):
    def question(library):
        layer = getattr(library.layers, cell)(4)
        layer.build((None, 3))
        return layer.bias.value, layer.recurrent_kernel.value

    (bias, recurrent), (wanted, _) = both(question)
    np.testing.assert_array_equal(bias, wanted)
    np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(4), atol=1e-5)


def test_masking():
    x = np.array([[[1, 1], [1, 2], [3, 1]]], "float32")

    def question(library):
        layer = library.layers.Masking(1.0)
        return layer(x), layer.compute_mask(x)

    for ours, theirs in zip(*both(question), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("keywords", [{}, {"return_sequences": True}, {"return_state": True}, ALL])
def test_masks_of_outputs(keywords):
    x = jnp.asarray(X * RIGHT[..., None])

    def question(library):
        outputs = library.layers.GRU(3, **keywords)(library.layers.Masking()(x))
        get = get_mask if library is cornu else lambda y: getattr(y, "_keras_mask", None)
        return [get(y) for y in jax.tree.leaves(outputs)]

    theirs, ours = both(question)
    assert len(theirs) == len(ours)
    for a, b in zip(theirs, ours, strict=True):
        assert (a is None) == (b is None)
        assert a is None or np.array_equal(a, b)


def test_symbolic_shapes():
    def question(library):
        shapes = {}
        for name, make in LAYERS.items():
            if name == "both ways, two layers":
                continue  # Keras counts the forward layer's features twice
            outputs = make(library.layers)(library.Input((None, 3)))
            shapes[name] = [tuple(y.shape) for y in jax.tree.leaves(outputs, is_leaf=lambda y: hasattr(y, "shape"))]
        return shapes

    ours, theirs = both(question)
    assert ours == theirs


def saved(library, file):
    """Save a model of many of these layers; returns its outputs."""
    library.utils.clear_session(free_memory=False)
    L = library.layers
    inputs = library.Input((4, 3))
    x = L.Bidirectional(L.LSTM(3, return_sequences=True))(L.Masking()(inputs))
    x, last = L.GRU(2, return_sequences=True, return_state=True)(x)
    x = L.RNN([L.LSTMCell(2), L.SimpleRNNCell(2)])(L.TimeDistributed(L.Dense(3))(x))
    model = library.Model(inputs, L.Concatenate()([x, last]))
    model.save(file)
    return np.asarray(model(X * RIGHT[..., None]))


def test_a_file_of_keras_is_read_and_one_of_cornu_looks_like_it(tmp_path):
    def question(library):
        outputs = saved(library, tmp_path / "theirs.keras")
        return (tmp_path / "theirs.keras").read_bytes(), outputs

    theirs, outputs = ask(question)
    (tmp_path / "theirs.keras").write_bytes(theirs)
    loaded = cornu.models.load_model(tmp_path / "theirs.keras")
    np.testing.assert_allclose(loaded(X * RIGHT[..., None]), outputs, atol=1e-6)
    saved(cornu, tmp_path / "ours.keras")
    assert structure(tmp_path / "ours.keras") == structure(theirs)


@pytest.mark.live
def test_keras_reads_a_file_of_cornu(tmp_path):
    outputs = saved(cornu, tmp_path / "ours.keras")
    loaded = ask(lambda keras: keras.models.load_model(tmp_path / "ours.keras")(X * RIGHT[..., None]))
    np.testing.assert_allclose(loaded, outputs, atol=1e-6)
