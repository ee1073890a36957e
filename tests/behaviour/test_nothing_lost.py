"""Whatever stops a training, or looks on beside it, the model has the whole state of its last finished step.

The model here learns in steps that can be counted: each makes both of its weights smaller by exactly 1/1024, so a state
is whole when both agree with the optimizer's count.
"""

import gc
import signal
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import cornu
from cornu import layers

STEP = 2.0**-10
X = np.ones((64, 1), "float32")


def slope(y_true, y_pred):
    return y_pred


class Line(layers.Layer):
    def build(self, shape):
        self.slope = self.add_weight(shape=(), initializer="zeros", name="slope")
        self.offset = self.add_weight(shape=(), initializer="zeros", name="offset")

    def call(self, x):
        return self.slope * x + self.offset


class Fuse(layers.Layer):
    """Passes its input on until it has been used so many times."""

    left = 10**9

    def call(self, x):
        def burn(x):
            Fuse.left -= 1
            if Fuse.left < 0:
                raise RuntimeError("out of fuse")
            return x

        @jax.custom_jvp
        def passed(x):
            return jax.pure_callback(burn, jax.ShapeDtypeStruct(x.shape, x.dtype), x)

        passed.defjvp(lambda primals, tangents: (passed(*primals), tangents[0]))
        return passed(x)


def counting_model(*inner, **arguments):
    model = cornu.Sequential([cornu.Input((1,)), Line(), *inner])
    model.compile(cornu.optimizers.SGD(STEP), slope, **arguments)
    return model


def assert_whole(model):
    done = int(model.optimizer.iterations.value)
    np.testing.assert_array_equal(model.get_weights(), [-done * STEP] * 2)
    return done


class Looks(cornu.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        """A callback that wants to see each batch."""


@pytest.fixture
def alarm():
    """Interrupts the main thread after so many seconds, as Ctrl-C does."""
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("callbacks", [[], [Looks()]], ids=["long calls", "step by step"])
def test_ctrl_c_at_any_moment_leaves_the_last_finished_step(callbacks, alarm):
    model = counting_model(metrics=["mae"])
    model.fit(X, X, batch_size=2, verbose=0, callbacks=callbacks)
    stopped = 0
    for wait in np.random.default_rng(0).uniform(1e-4, 0.012, 250):
        try:
            alarm(wait)
            model.fit(X, X, batch_size=2, epochs=10**6, verbose=0, callbacks=callbacks)
        except KeyboardInterrupt:
            stopped += 1
        assert_whole(model)
    assert stopped == 250
    before = assert_whole(model)
    model.fit(X, X, batch_size=2, verbose=0)
    assert assert_whole(model) == before + 32


def test_ctrl_c_that_comes_while_python_collects_garbage_stops_the_training():
    def interrupted(phase, info):
        gc.callbacks.remove(interrupted)
        raise KeyboardInterrupt  # which Python prints and forgets, as what comes in JAX's callback of this kind

    class Collects(cornu.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 3:
                gc.callbacks.append(interrupted)
                gc.collect()

    model = counting_model()
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, X, batch_size=2, epochs=100, verbose=0, callbacks=[Collects()])
    assert assert_whole(model) == 4


def test_ctrl_c_leaves_large_weights_whole(alarm):
    model = cornu.Sequential([cornu.Input((1500,)), layers.Dense(1500, kernel_initializer="zeros", use_bias=False)])
    model.compile(cornu.optimizers.SGD(1500.0), slope)
    x = np.ones((8, 1500), "float32")
    model.fit(x, x, batch_size=4, verbose=0)
    for wait in (0.03, 0.05, 0.08, 0.13):
        with pytest.raises(KeyboardInterrupt):
            alarm(wait)
            model.fit(x, x, batch_size=4, epochs=10**6, verbose=0)
        (kernel,) = model.get_weights()
        np.testing.assert_allclose(kernel, -float(model.optimizer.iterations.value), rtol=1e-4)


@pytest.mark.parametrize("callbacks", [[], [Looks()]], ids=["long calls", "step by step"])
def test_an_error_while_a_step_runs_leaves_the_last_finished_step(callbacks):
    model = counting_model(Fuse())
    Fuse.left = 40
    with pytest.raises(Exception, match="out of fuse"):
        model.fit(X, X, batch_size=2, epochs=3, shuffle=False, verbose=0, callbacks=callbacks)
    Fuse.left = 10**9
    done = assert_whole(model)
    assert done == 40 if callbacks else done < 40
    model.fit(X, X, batch_size=2, verbose=0)
    assert assert_whole(model) == done + 32


@pytest.mark.parametrize("method", ["train_on_batch", "test_on_batch", "evaluate", "predict"])
def test_an_error_in_a_single_call_changes_nothing(method):
    model = counting_model(layers.Dropout(0.0, seed=1), Fuse())
    model.train_on_batch(X, X)
    arguments = (X,) if method == "predict" else (X, X)
    Fuse.left = 0
    with pytest.raises(Exception, match="out of fuse"):
        getattr(model, method)(*arguments)
    Fuse.left = 10**9
    assert assert_whole(model) == 1
    getattr(model, method)(*arguments)


class Fails(cornu.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch == 5:
            raise ValueError("of the callback")


def failing_batches():
    for _ in range(5):
        yield X[:2], X[:2]
    raise ValueError("of the generator")


@pytest.mark.parametrize(
    ("data", "callbacks", "done"),
    [((X, X), [Fails()], 6), ((failing_batches(),), [], 5), ((failing_batches(),), [Looks()], 5)],
    ids=["callback", "generator", "generator, step by step"],
)
def test_an_error_of_the_users_loses_no_finished_step(data, callbacks, done):
    model = counting_model()
    with pytest.raises(ValueError, match="of the"):
        model.fit(*data, batch_size=2 if len(data) == 2 else None, verbose=0, callbacks=callbacks)
    assert assert_whole(model) == done


def test_an_error_of_a_callback_loses_no_step_that_it_was_told_of():
    model = cornu.Sequential([cornu.Input((1500,)), layers.Dense(1500, kernel_initializer="zeros", use_bias=False)])
    model.compile(cornu.optimizers.SGD(1500.0), slope)
    x = np.ones((24, 1500), "float32")
    model.train_on_batch(x[:4], x[:4])  # compiled, so that the next steps are under way when the callback fails
    with pytest.raises(ValueError, match="of the callback"):
        model.fit(x, x, batch_size=4, verbose=0, callbacks=[Fails()])
    assert int(model.optimizer.iterations.value) == 7


def test_who_reads_beside_a_training_sees_one_whole_state(tmp_path):
    model = counting_model()
    model.fit(X, X, batch_size=2, verbose=0)
    model.predict(X[:2], verbose=0)
    seen, ended = [], threading.Event()

    def predicted():
        low, high = model.predict(np.array([[0.0], [1.0]], "float32"), verbose=0)[:, 0]
        return high == 2 * low

    def listed():
        first, second = model.get_weights()
        return first == second

    def saved():
        path = tmp_path / "beside.weights.h5"
        model.save_weights(path)
        copy = counting_model()
        copy.load_weights(path)
        return copy.get_weights()[0] == copy.get_weights()[1]

    def read(what):
        while not ended.is_set():
            try:
                seen.append(bool(what()))
            except Exception as error:
                seen.append(error)

    readers = [threading.Thread(target=read, args=(what,)) for what in (predicted, listed, saved)]
    for reader in readers:
        reader.start()
    model.fit(X, X, batch_size=2, epochs=40, verbose=0, callbacks=[Looks()])
    ended.set()
    for reader in readers:
        reader.join()
    assert len(seen) > 10
    assert set(seen) == {True}
    assert_whole(model)


def test_evaluations_in_threads_each_give_their_own_number():
    model = counting_model(metrics=["mae"])
    model.evaluate(X, X, verbose=0)
    found = {}

    def evaluate(value):
        x = np.full_like(X, value)
        found[value] = [model.evaluate(x, x, batch_size=4, verbose=0) for _ in range(10)]

    threads = [threading.Thread(target=evaluate, args=(value,)) for value in (1.0, 2.0, 3.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {value: [[0.0, value]] * 10 for value in (1.0, 2.0, 3.0)}


def test_a_callback_may_start_the_metrics_afresh_within_an_epoch():
    class Afresh(cornu.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1:
                self.model.reset_metrics()

    model = counting_model(metrics=["mae"])
    y = np.repeat(np.arange(4.0), 2)[:, None]
    x = np.zeros_like(y)
    model.optimizer.learning_rate = 0.0
    history = model.fit(x, y, batch_size=2, shuffle=False, verbose=0, callbacks=[Afresh()])
    assert history.history["mae"] == [2.5]  # of the last two batches


def test_arrays_read_from_variables_stay_valid_while_training_goes_on():
    model = counting_model()
    model.fit(X, X, batch_size=2, verbose=0)
    kept = [variable.value for variable in model.variables]
    copies = [np.array(value) for value in kept]
    model.fit(X, X, batch_size=2, verbose=0)
    np.testing.assert_array_equal(jnp.stack(kept), np.stack(copies))


# ---------------------------------------------------------------- steps of one's own


class Refuses:
    """A constraint that the second weight does not pass."""

    def __call__(self, w):
        if w.ndim:
            raise ValueError("refused")
        return w


def test_an_update_that_fails_half_way_changes_nothing():
    first, second = cornu.Variable(1.0), cornu.Variable([1.0])
    first.constraint = second.constraint = Refuses()
    optimizer = cornu.optimizers.SGD(0.5, momentum=0.9)
    with pytest.raises(ValueError, match="refused"):
        optimizer.apply([jnp.ones(()), jnp.ones(1)], [first, second])
    assert [float(first.numpy()), float(second.numpy()[0]), int(optimizer.iterations.value)] == [1.0, 1.0, 0]
    second.constraint = None
    optimizer.apply([jnp.ones(()), jnp.ones(1)], [first, second])
    assert [float(first.numpy()), float(second.numpy()[0]), int(optimizer.iterations.value)] == [0.5, 0.5, 1]


def test_an_update_in_a_function_that_jax_compiles_is_refused_as_before():
    variable = cornu.Variable(1.0)
    optimizer = cornu.optimizers.SGD(0.5)
    optimizer.build([variable])
    with pytest.raises(ValueError, match="inside a compiled function"):
        jax.jit(lambda g: optimizer.apply([g], [variable]))(1.0)
    assert variable.numpy() == 1.0


def test_the_state_of_a_model_called_in_a_function_that_jax_compiles_stays_as_it_is():
    model = cornu.Sequential([cornu.Input((3,)), layers.BatchNormalization()])
    with pytest.raises(ValueError, match="inside a compiled function"):
        jax.jit(lambda: model(np.ones((2, 3), "float32"), training=True))()
    np.testing.assert_array_equal(model.layers[0].moving_mean.numpy(), 0)
