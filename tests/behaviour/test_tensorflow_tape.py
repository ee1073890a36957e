"""Gradients by `tf.GradientTape`, in the ways in which scripts write them."""

import jax
import numpy as np
import pytest

import cornu
from cornu import tensorflow as tf

pytestmark = pytest.mark.usefixtures("tensorflow_is_served")
X = np.linspace(-1, 1, 24, dtype="float32").reshape(8, 3)
Y = np.arange(8) % 2


@pytest.fixture(scope="module")
def model():
    cornu.utils.set_random_seed(1)
    return cornu.Sequential(
        [cornu.Input((3,)), cornu.layers.Dense(4, activation="relu", name="hidden"), cornu.layers.BatchNormalization(),
         cornu.layers.Dense(2, activation="softmax")]
    )  # fmt: skip


def line(w1, w2):
    return 3 * w1**2 + 2 * w1 * w2


def test_gradients_of_variables_and_of_watched_tensors():
    w1, w2 = tf.Variable(5.0), tf.Variable(3.0)
    with tf.GradientTape() as tape:
        z = line(w1, w2)
    assert tape.gradient(z, [w1, w2]) == [36, 10]
    with pytest.raises(RuntimeError, match="persistent=True"):
        tape.gradient(z, w1)
    c1, c2 = tf.constant(5.0), tf.constant(3.0)
    with tf.GradientTape() as tape:
        z = line(c1, c2)
    assert tape.gradient(z, [c1, c2]) == [None, None]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch({"both": [c1, c2]})
        z = line(c1, c2)
    assert tape.gradient(z, {"a": c1, "b": c2}) == {"a": 36, "b": 10} and tape.gradient(z, c2) == 10
    assert tape.gradient(z, tf.constant(1.0), unconnected_gradients="zero") == 0


def test_what_leads_nowhere_has_no_gradient():
    w1, w2 = tf.Variable(5.0), tf.Variable(3.0)
    fixed = tf.Variable(1.0, trainable=False)
    with tf.GradientTape() as tape:
        z = line(w1, tf.stop_gradient(w2)) + fixed + tf.cast(tf.argmax([w2, w2]), tf.float32)
    assert tape.gradient(z, [w1, w2, fixed]) == [36, None, None]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(w2)
        z = line(w1, w2)
    assert tape.gradient(z, [w1, w2]) == [None, 10]
    with tf.GradientTape() as tape:
        with tape.stop_recording():
            z = line(w1, w2)
        z = z + w1
    assert tape.gradient(z, [w1, w2]) == [1, None]
    beside, outside = tf.constant(2.0), w1 + 0.0
    with tf.GradientTape() as tape:
        z = w1 * beside + outside**2  # what comes of nothing watched is not recorded
    assert tape.gradient(z, [w1, beside, outside]) == [2, 5, None]
    with pytest.raises(ValueError, match=r"tf\.constant"), tf.GradientTape() as tape:
        tape.watch(X)


def test_tapes_within_tapes_give_second_derivatives():
    w1, w2 = tf.Variable(5.0), tf.Variable(3.0)
    with tf.GradientTape(persistent=True) as outer:
        with tf.GradientTape() as inner:
            z = line(w1, w2)
        slopes = inner.gradient(z, [w1, w2])
    assert [outer.gradient(slope, w1) for slope in slopes] == [6, 2]
    x = tf.constant([0.1, 0.5])
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = tf.sin(x)
        slope = inner.gradient(y, x)
    np.testing.assert_allclose(outer.gradient(slope, x), -np.sin([0.1, 0.5]), rtol=1e-5)


def test_several_targets_and_weights_of_their_elements():
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        squares, cubes = x * x, x**3
    assert tape.gradient([squares, cubes], x).numpy().tolist() == [5, 16]
    assert tape.gradient(squares, x, output_gradients=[1.0, 10.0]).numpy().tolist() == [2, 40]
    assert tape.jacobian(squares, x).numpy().tolist() == [[2, 0], [0, 4]]
    rows = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(rows)
        y = rows @ tf.ones((3, 2)) * rows[:, :1]
    assert tape.batch_jacobian(y, rows).shape == (8, 2, 3)


def test_a_model_gets_the_gradients_that_jax_gives_it(model):
    loss_fn = cornu.losses.SparseCategoricalCrossentropy()
    with tf.GradientTape() as tape:
        loss = loss_fn(Y, model(X, training=True))
    assert {id(v) for v in tape.watched_variables()} == {id(v) for v in model.trainable_variables}
    found = tape.gradient(loss, model.trainable_variables)
    states = [v.value for v in model.non_trainable_variables]

    def direct(weights):
        outputs, _ = model.stateless_call(weights, states, X, training=True)
        return loss_fn(Y, outputs)

    for one, other in zip(found, jax.grad(direct)([v.value for v in model.trainable_variables]), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_gradients_of_layers_inside_as_maps_of_attention_use_them(model):
    inner = cornu.Model(model.inputs, [model.get_layer("hidden").output, model.output])
    with tf.GradientTape() as tape:
        hidden, scores = inner(X)
        best = scores[:, 1]
    slopes = tape.gradient(best, hidden)
    assert slopes.shape == (8, 4) and np.any(slopes)
    image = tf.Variable(X)
    with tf.GradientTape() as tape:
        energy = tf.reduce_mean(model(image) ** 2)
    assert tape.gradient(energy, image).shape == (8, 3)


def test_a_penalty_on_the_gradient_of_inputs(model):
    x = tf.constant(X)
    with tf.GradientTape() as tape:
        with tf.GradientTape() as inner:
            inner.watch(x)
            scores = model(x, training=False)[:, 0]
        slopes = inner.gradient(scores, [x])[0]
        norm = tf.sqrt(tf.reduce_sum(tf.square(slopes), axis=[1]) + 1e-12)
        penalty = tf.reduce_mean((norm - 1.0) ** 2)
    found = tape.gradient(penalty, model.trainable_variables)

    def direct(weights):
        def score(row):
            return model.stateless_call(weights, [v.value for v in model.non_trainable_variables], row[None])[0][0, 0]

        norm = jax.numpy.sqrt((jax.vmap(jax.grad(score))(x) ** 2).sum(1) + 1e-12)
        return ((norm - 1) ** 2).mean()

    expected = jax.grad(direct)([v.value for v in model.trainable_variables])
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(0.0 if one is None else one, other, rtol=1e-3, atol=1e-5)


def test_variables_may_change_between_the_tape_and_the_gradient():
    a, b = tf.Variable(2.0), tf.Variable(3.0)
    with tf.GradientTape(persistent=True) as tape:
        product = a * b
        a.assign(10.0)
        later = a * 7.0
    a.assign(50.0)
    assert tape.gradient(product, [a, b]) == [3, 2] and tape.gradient(later, a) == 7


def test_a_gradient_of_ones_own():
    @tf.custom_gradient
    def halved(x):
        return x, lambda upstream: upstream * 0.5

    x = tf.constant([1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(halved(x) ** 2)
    assert tape.gradient(y, x).numpy().tolist() == [1, 2]


def test_rounds_that_are_alike_are_compiled_and_give_the_same():
    slopes = []
    for number in range(5):
        w, x = tf.Variable([2.0, float(number)]), tf.constant([3.0, 1.0])
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                y = tf.reduce_sum(w**3 * x)
            slope = inner.gradient(y, w)
        slopes.append((slope.numpy().tolist(), outer.gradient(slope, w).numpy().tolist()))
    assert slopes == [([36.0, 3.0 * n**2], [36.0, 6.0 * n]) for n in range(5)]
