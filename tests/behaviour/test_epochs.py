"""Epochs: however many steps a call takes and wherever batches come from, the numbers are those of step by step."""

import threading
import traceback

import jax
import numpy as np
import pytest

import cornu
from cornu import layers
from cornu.callbacks import CallbackList, LambdaCallback, ModelCheckpoint, ProgbarLogger
from cornu.training.data import chunks
from cornu.training.execution import padding, steps_per_call

random = np.random.default_rng(0)
ROWS = 63  # with batches of 4 there are 16, the last one short
X = random.normal(size=(ROWS, 5)).astype("float32")
WORDS = random.integers(0, 9, (ROWS, 6))
KINDS = random.integers(0, 3, ROWS)
PRICES = random.normal(size=(ROWS, 1)).astype("float32")
WEIGHTS = random.uniform(0.5, 2, ROWS).astype("float32")


class Watch(cornu.callbacks.Callback):
    """Looks at each batch, so that each is a call of its own."""

    def __init__(self):
        super().__init__()
        self.batches = []

    def on_train_batch_end(self, batch, logs=None):
        self.batches.append((batch, int(self.model.optimizer.iterations)))

    def on_test_batch_end(self, batch, logs=None):
        self.batches.append(batch)

    def on_predict_batch_end(self, batch, logs=None):
        self.batches.append((batch, np.array(logs["outputs"])))


def compilations(model, stage="train"):
    return model.compilations[stage]


@pytest.fixture
def long_calls(monkeypatch):
    """Calls of 1, 2, 4, ... steps until the end of a chunk, whatever the time they take, and chunks of 6 steps."""
    monkeypatch.setattr(steps_per_call, "SHORTEST", float("inf"))
    monkeypatch.setattr(chunks, "CHUNK_STEPS", 6)


@pytest.fixture
def calls(monkeypatch):
    """How many steps each call took."""
    taken = []
    tell = steps_per_call.DelayedReports.__call__

    def noting(self, call, *rest):
        taken.append(call.steps)
        tell(self, call, *rest)

    monkeypatch.setattr(steps_per_call.DelayedReports, "__call__", noting)
    return taken


def dense():
    inner = layers.Dense(6, "tanh"), layers.Dropout(0.3, seed=1)
    return cornu.Sequential([cornu.Input((5,)), *inner, layers.Dense(3, "softmax")])


def normalised():
    return cornu.Sequential([cornu.Input((5,)), layers.BatchNormalization(), layers.Dense(3, "softmax")])


def masked():
    return cornu.Sequential(
        [cornu.Input((6,)), layers.Embedding(9, 3, mask_zero=True), layers.GRU(4), layers.Dense(3, "softmax")]
    )


CASES = {
    "plain": (dense, X, {}),
    "sample weights": (dense, X, {"sample_weight": WEIGHTS}),
    "class weights": (dense, X, {"class_weight": {0: 2.0, 2: 0.5}}),
    "no short batch": (dense, X[:60], {}),
    "rows that depend on each other": (normalised, X, {}),
    "masks": (masked, WORDS, {"shuffle": False}),
    "shuffled within batches": (dense, X, {"shuffle": "batch"}),
    "fewer steps than batches": (dense, X, {"steps_per_epoch": 7}),
}


@pytest.mark.parametrize("name", CASES)
def test_many_steps_in_a_call_give_the_numbers_of_step_by_step(name, long_calls, calls):
    build, x, options = CASES[name]
    y = KINDS[: len(x)]
    found, start = [], None
    for watcher in ([Watch()], []):
        cornu.utils.set_random_seed(1)
        model = build()
        model.set_weights(start or model.get_weights())
        start = model.get_weights()
        model.compile(
            "adam",
            "sparse_categorical_crossentropy",
            metrics=["accuracy"],
            weighted_metrics=["sparse_categorical_crossentropy"],
        )
        calls.clear()
        history = model.fit(
            x, y, batch_size=4, epochs=3, verbose=0, callbacks=watcher, validation_data=(x[:18], y[:18]), **options
        ).history
        scores = model.evaluate(x, y, batch_size=4, verbose=0, callbacks=watcher)
        predictions = model.predict(x, batch_size=4, verbose=0, callbacks=watcher)
        assert set(calls) == {1} if watcher else name == "fewer steps than batches" or max(calls) >= 4
        found.append([*history.values(), scores, predictions, *(v.numpy() for v in model.variables)])
        found[-1] += [v.numpy() for v in model.optimizer.variables]
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("steps", [3, "auto"])
def test_steps_per_execution_says_how_often_callbacks_are_asked(steps, long_calls):
    seen = []
    ask = LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append((batch, int(model.optimizer.iterations))))
    model = dense()
    model.compile("sgd", "sparse_categorical_crossentropy", steps_per_execution=steps)
    model.fit(X, KINDS, batch_size=4, verbose=0, callbacks=[ask])
    assert all(iterations == batch + 1 for batch, iterations in seen)
    assert seen[-1][0] == 15
    if steps == 3:
        assert [batch for batch, _ in seen] == [2, 5, 8, 11, 14, 15]
    else:
        assert 1 < len(seen) < 16
    assert model.get_compile_config()["steps_per_execution"] == steps


@pytest.mark.parametrize("steps", [0, "automatic", 1.5])
def test_odd_numbers_of_steps_are_refused(steps):
    with pytest.raises((ValueError, TypeError), match=r"compile: steps_per_execution must be"):
        dense().compile("sgd", "mse", steps_per_execution=steps)


# ---------------------------------------------------------------- callbacks


def test_who_looks_at_each_batch_sees_an_up_to_date_model(long_calls):
    watch = Watch()
    model = dense()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(X, KINDS, batch_size=4, verbose=0, callbacks=[watch])
    assert watch.batches == [(batch, batch + 1) for batch in range(16)]
    watch.batches.clear()
    predictions = model.predict(X, batch_size=4, verbose=0, callbacks=[watch])
    assert [batch for batch, _ in watch.batches] == list(range(16))
    np.testing.assert_array_equal(np.concatenate([part for _, part in watch.batches]), predictions)


class LoudBar(ProgbarLogger):
    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)


class SubclassedCheckpoint(ModelCheckpoint):
    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)


WHO = {
    "nobody": (list, False),
    "the progress bar": (lambda: [ProgbarLogger()], False),
    "a progress bar of the user's": (lambda: [LoudBar()], True),
    "the end of an epoch": (lambda: [LambdaCallback(on_epoch_end=lambda epoch, logs: None)], False),
    "the end of a batch": (lambda: [LambdaCallback(on_train_batch_end=lambda batch, logs: None)], True),
    "the start of a batch, by its old name": (lambda: [LambdaCallback(on_batch_begin=lambda batch, logs: None)], True),
    "early stopping": (lambda: [cornu.callbacks.EarlyStopping("loss")], False),
    "TerminateOnNaN": (lambda: [cornu.callbacks.TerminateOnNaN()], True),
    "a checkpoint each epoch": (lambda: [ModelCheckpoint("m.keras")], False),
    "a checkpoint each 3 batches": (lambda: [ModelCheckpoint("m.keras", save_freq=3)], True),
    "a checkpoint of the user's": (lambda: [SubclassedCheckpoint("m.keras")], True),
}


@pytest.mark.parametrize("name", WHO)
def test_who_looks_at_each_batch(name):
    make, looks = WHO[name]
    assert CallbackList(make()).needs_batches("train") == looks


def test_the_progress_bar_moves_within_an_epoch(long_calls, monkeypatch, capsys):
    monkeypatch.setattr(cornu.callbacks.progbar.Progbar, "is_due", lambda self, now=None: True)
    model = dense()
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(X, KINDS, batch_size=4, verbose=1)
    shown = capsys.readouterr().out
    assert shown.count("loss: ") >= 4
    assert "16/16" in shown


def test_logs_are_reported_once_each_in_order_and_never_of_the_call_under_way():
    reports, under_way = [], []
    late = steps_per_call.DelayedReports(
        lambda call, last, logs: reports.append((last, under_way[-1])),
        steps_per_call.StepsPerCall(1, True),
        at_once=False,
    )
    for last in range(4):
        under_way.append(last)
        late(chunks_call(), last, {}, 0.0)
    late.finish()
    assert reports == [(0, 1), (1, 2), (2, 3), (3, 3)]


def chunks_call():
    return cornu.training.execution.multi_step.Call(1, dict, dict, list)


def steps_of_calls(*seconds_a_step):
    """How many steps the next call takes, each time that steps have taken so long."""
    rhythm = steps_per_call.StepsPerCall(None, loops=True)
    for seconds in seconds_a_step:
        rhythm.took(rhythm.steps, seconds * rhythm.steps)
        yield rhythm.steps


def test_a_call_grows_until_it_is_long_enough_and_shrinks_again():
    assert list(steps_of_calls(0.02, 0.02, 0.02, 0.02, 0.02, 0.02, 0.06, 0.06)) == [2, 4, 8, 16, 32, 32, 16, 16]


def test_long_steps_share_the_memory_of_a_call_which_may_then_be_longer():
    assert list(steps_of_calls(0.3, 0.3, 0.3, 0.3, 1.5, 1.5, 1.5)) == [2, 4, 8, 8, 4, 2, 2]
    assert list(steps_of_calls(2.5, 2.5)) == [1, 1]


def test_the_end_of_a_chunk_says_nothing_about_how_long_calls_are():
    rhythm = steps_per_call.StepsPerCall(None, loops=True)
    rhythm.took(1, 0.01)
    rhythm.took(1, 0.01)
    assert rhythm.steps == 2


def test_an_interrupted_training_can_go_on(long_calls, monkeypatch):
    model = dense()
    model.compile("adam", "sparse_categorical_crossentropy")

    class Interrupted(steps_per_call.DelayedReports):
        def __call__(self, call, last, *rest):
            super().__call__(call, last, *rest)
            if last >= 6:
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("cornu.training.loop.DelayedReports", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, KINDS, batch_size=4, verbose=0)
    done = int(model.optimizer.iterations)
    assert 6 <= done < 16  # the call under way may have been finished or not
    model.fit(X, KINDS, batch_size=4, verbose=0)
    assert int(model.optimizer.iterations) == done + 16
    assert np.isfinite(model.predict(X, verbose=0)).all()


# ---------------------------------------------------------------- what does not go into a loop


class OwnConvolution(layers.Layer):
    """A convolution in a layout that XLA turns round at the top level alone."""

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(2, 1, 2, 2), initializer="glorot_uniform")

    def call(self, x):
        turned = jax.numpy.transpose(x, (0, 3, 1, 2))
        return jax.lax.conv_general_dilated(turned, self.kernel.value, (1, 1), "VALID")


def test_a_step_that_is_slow_in_a_loop_stays_outside_of_it(long_calls):
    found = []
    for watcher in ([Watch()], []):
        cornu.utils.set_random_seed(1)
        model = cornu.Sequential([cornu.Input((4, 4, 1)), OwnConvolution(), layers.Flatten(), layers.Dense(1)])
        model.set_weights(found[0][0] if found else model.get_weights())
        start = model.get_weights()
        model.compile("sgd", "mse")
        images = np.resize(X, (20, 4, 4, 1))
        losses = model.fit(images, PRICES[:20], batch_size=4, epochs=2, verbose=0, callbacks=watcher).history["loss"]
        found.append((start, losses, model.predict(images, batch_size=4, verbose=0)))
    np.testing.assert_array_equal(found[0][1], found[1][1])
    np.testing.assert_array_equal(found[0][2], found[1][2])
    if jax.default_backend() == "cpu":
        assert [one.loops for one in model._computations["train"]._steps_per_call.values()] == [False]


def test_predictions_too_large_to_stack_come_batch_by_batch(monkeypatch, long_calls):
    monkeypatch.setattr(cornu.training.execution.multi_step, "STACKED_BYTES", 10)
    model = dense()
    large = model.predict(X, batch_size=4, verbose=0)
    assert [one.loops for one in model._computations["predict"]._steps_per_call.values()] == [False]
    np.testing.assert_allclose(large, model.predict(X, batch_size=ROWS, verbose=0), rtol=1e-5)


def test_large_batches_share_calls(monkeypatch, long_calls, calls):
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 100)
    model = dense()
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(X, KINDS, batch_size=20, verbose=0)
    assert sum(calls) == 4 > len(calls)


def test_the_largest_batches_are_calls_of_their_own(monkeypatch, long_calls, calls):
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 100)
    monkeypatch.setattr(chunks, "FEW_STEPS_BYTES", 100)
    model = dense()
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(X, KINDS, batch_size=20, verbose=0)
    assert calls == [1, 1, 1, 1]


@pytest.mark.parametrize("make", [dense, normalised], ids=lambda make: make.__name__)
@pytest.mark.parametrize("rows", [4, 7])
def test_data_that_lives_on_the_device_trains_alike(make, rows, monkeypatch, long_calls):
    """As on a GPU: the arrays go there once, and every chunk is gathered there, in the same order."""
    found = []
    for room in (0, 2**30):
        monkeypatch.setattr(chunks, "_room", lambda room=room: room)
        cornu.utils.set_random_seed(5)
        model = make()
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        history = model.fit(X, KINDS, rows, epochs=2, verbose=0, validation_split=0.2).history
        found.append([*history.values(), model.evaluate(X, KINDS, rows, verbose=0), model.predict(X, rows, verbose=0)])
    for host, device in zip(*found, strict=True):
        np.testing.assert_array_equal(host, device)


def test_data_without_room_on_the_device_stays_with_the_host(monkeypatch, long_calls):
    monkeypatch.setattr(chunks, "_room", lambda: X.nbytes - 1)
    model = dense()
    model.predict(X, batch_size=4, verbose=0)
    assert all(data is None for data in chunks._on_device.values())


def test_uncompiled_steps_are_run_one_by_one(long_calls, calls):
    model = normalised()
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    model.fit(X, KINDS, batch_size=30, verbose=0)
    assert calls == [1, 1, 1]


# ---------------------------------------------------------------- predictions of rank 1


def test_predictions_of_rank_1_are_not_filled_up(monkeypatch):
    found = []
    for fills in (True, False):
        if not fills:
            monkeypatch.setattr(padding, "size", lambda *_: None)
        cornu.utils.set_random_seed(1)
        model = cornu.Sequential([cornu.Input((5,)), layers.Dense(1), layers.Reshape(())])
        model.set_weights([np.full((5, 1), 0.5), np.zeros(1)])
        model.compile("sgd", "mse", metrics=["mae"])
        history = model.fit(X, PRICES[:, 0], batch_size=8, epochs=2, verbose=0).history
        found.append([*history.values(), model.evaluate(X, PRICES[:, 0], batch_size=8, verbose=0)])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


# ---------------------------------------------------------------- sources of batches


class Numbered(cornu.utils.PyDataset):
    """Batch i is filled with the number i, always in the same memory."""

    def __init__(self, count, fails_at=None, **kwargs):
        super().__init__(**kwargs)
        self.count, self.fails_at = count, fails_at
        self.x, self.y = np.empty((64, 5), "float32"), np.empty((64, 1), "float32")
        self.threads = set()

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        self.threads.add(threading.current_thread())
        if index == self.fails_at:
            raise RuntimeError(f"no batch {index}")
        self.x[...] = self.y[...] = index
        return self.x, self.y


class Seen(cornu.Sequential):
    """Keeps the first number of each batch that it was trained on."""

    def train_step(self, state, data):
        jax.debug.callback(lambda x: self.noted.append(float(x[0, 0])), data[0])
        return super().train_step(state, data)


def seen_model(**options):
    model = Seen([cornu.Input((5,)), layers.Dense(1)])
    model.noted = []
    model.compile("sgd", "mse", **options)
    return model


def noted(model):
    jax.effects_barrier()
    return sorted(model.noted)


def endless(made):
    x = np.empty((64, 5), "float32")
    while True:
        made.append(len(made))
        x[...] = made[-1]
        yield x, x[:, :1]


@pytest.mark.parametrize("steps", [1, 3, "auto"])
def test_an_endless_generator_loses_nothing_between_epochs(steps, long_calls):
    made = []
    model, source = seen_model(steps_per_execution=steps), endless(made)
    model.fit(source, epochs=3, steps_per_epoch=5, verbose=0)
    assert noted(model) == list(range(15))
    assert len(made) == 15, "what nobody needs is not taken from the generator"
    model.fit(source, epochs=1, steps_per_epoch=2, verbose=0)
    assert noted(model) == list(range(17))


def test_a_source_may_write_all_batches_into_the_same_memory():
    model = seen_model()
    model.fit(Numbered(20), shuffle=False, verbose=0)
    assert noted(model) == list(range(20))


def test_a_data_set_is_read_ahead_in_a_thread_and_a_generator_in_the_users_own():
    data, made = Numbered(4), []
    model = seen_model()
    model.fit(data, verbose=0)
    assert threading.main_thread() in data.threads, "the first look at a batch"
    assert len(data.threads) == 2

    def generator():
        for _ in range(4):
            made.append(threading.current_thread())
            yield X[:4], model.predict(X[:4], verbose=0)

    model.fit(generator(), verbose=0)
    assert set(made) == {threading.main_thread()}


@pytest.mark.parametrize("steps", [1, 2])
def test_an_error_in_the_data_ends_the_training_where_it_happened(steps):
    before = threading.active_count()
    model = seen_model(steps_per_execution=steps)
    with pytest.raises(RuntimeError, match=r"no batch 6") as caught:
        model.fit(Numbered(9, fails_at=6), shuffle=False, verbose=0)
    assert "__getitem__" in "".join(traceback.format_exception(caught.value))
    assert noted(model) == list(range(6))
    assert threading.active_count() == before
    assert np.isfinite(model.predict(X, verbose=0)).all()


def test_a_training_that_stops_early_leaves_no_thread():
    before = threading.active_count()
    stop = LambdaCallback(on_train_batch_end=lambda batch, logs: setattr(model, "stop_training", batch == 2))
    model = seen_model()
    model.fit(Numbered(50), epochs=3, shuffle=False, verbose=0, callbacks=[stop])
    assert noted(model) == [0, 1, 2]
    assert threading.active_count() == before


def test_arrays_that_are_views_of_others_train_alike():
    wide = np.repeat(X, 2, axis=1)
    forms = [X, wide[:, ::2], np.asfortranarray(X), X.astype(">f4"), np.broadcast_to(X[:1], X.shape)]
    found = []
    for x in forms:
        model = cornu.Sequential([cornu.Input((5,)), layers.Dense(1, kernel_initializer="ones")])
        model.compile("sgd", "mse")
        found.append(model.fit(x, PRICES, batch_size=4, shuffle=False, verbose=0).history["loss"][0])
    assert found[:4] == pytest.approx([found[0]] * 4)
    assert found[4] != pytest.approx(found[0])


# ---------------------------------------------------------------- sequences of different lengths

TEXTS = [random.integers(1, 9, count) for count in random.integers(1, 30, 50)]
LABELS = random.integers(0, 2, 50)


def reader(return_sequences):
    read = layers.GRU(4, return_sequences=return_sequences)
    embed = layers.Embedding(9, 3, mask_zero=True)
    model = cornu.Sequential([cornu.Input((None,)), embed, read, layers.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["mae"], weighted_metrics=["mse"])
    return model


def test_sequences_in_buckets_are_what_each_is_by_itself():
    model = reader(return_sequences=False)
    weights = random.uniform(0.5, 2, 50)
    data = cornu.utils.LengthBuckets(TEXTS, LABELS, weights, batch_size=7, lengths=(5, 10, 30))
    found = model.evaluate(data, verbose=0, return_dict=True)
    alone = np.array([model.predict_on_batch(np.pad(text, (0, 30 - len(text)))[None])[0, 0] for text in TEXTS])
    assert found["loss"] == pytest.approx(-np.mean(weights * np.log(np.where(LABELS, alone, 1 - alone))), rel=1e-5)
    assert found["mae"] == pytest.approx(np.mean(np.abs(LABELS - alone)), rel=1e-5)
    assert found["mse"] == pytest.approx(np.average((LABELS - alone) ** 2, weights=weights), rel=1e-5)
    model.fit(data, epochs=3, verbose=0)
    assert compilations(model) <= 4


def test_padded_steps_with_labels_of_their_own_do_not_count():
    model = reader(return_sequences=True)
    labels = [(text % 2)[:, None] for text in TEXTS]
    data = cornu.utils.LengthBuckets(TEXTS, labels, batch_size=7)
    for x, y in (data[0], data[len(data) - 1]):
        found = model.test_on_batch(x, y, return_dict=True)
        guesses = model.predict_on_batch(np.pad(x, ((0, 0), (0, 5))))[:, : x.shape[1]]
        right = np.where(y, guesses, 1 - guesses)[x > 0]
        assert found["loss"] == pytest.approx(-np.log(right).mean(), rel=1e-5)
        assert found["mae"] == pytest.approx(np.mean(1 - right), rel=1e-5)


def test_buckets_hold_every_sequence_once_and_mix_them_anew_each_epoch():
    data = cornu.utils.LengthBuckets(TEXTS, LABELS, batch_size=7)
    epochs = []
    for _ in range(2):
        batches = [data[index] for index in range(len(data))]
        assert sum(len(x) for x, _ in batches) == 50
        assert sum(int((x > 0).sum()) for x, _ in batches) == sum(map(len, TEXTS))
        assert len({x.shape[1] for x, _ in batches}) == 3
        assert sorted({len(x) for x, _ in batches}) == [1, 7]
        epochs.append(np.concatenate([x[:, 0] for x, _ in batches]).tolist())
        data.on_epoch_end()
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"y": LABELS[:3]}, "there must be as many labels and weights as sequences.* x: 50, y: 3"),
        ({"lengths": (5, 10)}, "lengths must be positive and increasing, and cover the longest sequence"),
        ({"lengths": (40, 10)}, "lengths must be positive"),
        ({"batch_size": 0}, "batch_size must be a positive integer"),
    ],
)
def test_odd_buckets_are_refused(arguments, message):
    with pytest.raises(ValueError, match=f"LengthBuckets: {message}"):
        cornu.utils.LengthBuckets(TEXTS, **arguments)


# ---------------------------------------------------------------- edges of fit, evaluate and predict


def small(**compiled):
    model = cornu.Sequential([cornu.Input((5,)), layers.Dense(1)])
    model.compile("sgd", "mse", **compiled)
    return model


def test_no_epoch_is_left():
    model = small(run_eagerly=True)
    before = model.get_weights()
    for epochs in ({"epochs": 0}, {"epochs": 2, "initial_epoch": 5}):
        history = model.fit(X, PRICES, verbose=0, **epochs)
        assert history.history == {} and history.epoch == []
    assert all(map(np.array_equal, before, model.get_weights()))


def test_validation_data_comes_before_a_validation_split():
    model = small(run_eagerly=True)
    shown = model.fit(X, PRICES, verbose=0, validation_split=0.5, validation_data=(X[:4], PRICES[:4])).history
    assert shown["val_loss"] == pytest.approx([model.evaluate(X[:4], PRICES[:4], verbose=0)])


def test_nothing_to_train():
    model = cornu.Sequential([cornu.Input((5,)), layers.BatchNormalization(center=False, scale=False, momentum=0.0)])
    model.compile("sgd", "mse")
    with pytest.warns(UserWarning, match=r"there are no weights to train, so only .* state of layers"):
        model.fit(X, X, batch_size=ROWS, verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], X.mean(0), rtol=1e-4, atol=1e-6)
    frozen = small(run_eagerly=True)
    frozen.trainable = False
    with pytest.warns(UserWarning, match=r"no weights to train"):
        assert frozen.fit(X, PRICES, verbose=0).history["loss"][0] > 0
    frozen.trainable = True
    before = frozen.get_weights()[0]
    frozen.fit(X, PRICES, verbose=0)  # the optimizer was not yet bound to anything
    assert not np.array_equal(before, frozen.get_weights()[0])


@pytest.mark.parametrize("jit_compile", [True, False])
def test_batch_hooks_hear_of_as_many_steps_as_an_execution_has(jit_compile):
    ends = []
    note = LambdaCallback(on_train_batch_end=lambda batch, logs: ends.append(batch))
    model = small(steps_per_execution=6, jit_compile=jit_compile)
    model.fit(X, PRICES, batch_size=4, verbose=0, callbacks=[note])
    assert ends == [5, 11, 15]
    note = LambdaCallback(on_predict_batch_end=lambda batch, logs: ends.append(len(logs["outputs"])))
    together = model.predict(X, batch_size=4, verbose=0, callbacks=[note])
    assert ends[3:] == [24, 24, 15]
    np.testing.assert_allclose(together, model.predict(X, verbose=0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("stage", "flag"), [("test", "stop_evaluating"), ("predict", "stop_predicting")])
def test_a_callback_stops_evaluation_and_prediction(stage, flag):
    taken = []

    def endless():
        while len(taken) < 20:
            taken.append(1)
            yield X[:2], PRICES[:2]

    model = small()
    stop = LambdaCallback(**{f"on_{stage}_batch_end": lambda batch, logs: setattr(model, flag, batch == 2)})
    run = {"test": model.evaluate, "predict": model.predict}[stage]
    run(endless(), verbose=0, callbacks=[stop])
    assert len(taken) < 6
    assert len(model.predict(X[:4], batch_size=2, verbose=0)) == 4  # the flag does not last


def test_two_metrics_with_the_same_keys_are_both_shown():
    class Extremes(cornu.metrics.Metric):
        def __init__(self, name):
            super().__init__(name=name)
            self.low = self.add_weight(name="low")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.low.assign(cornu.ops.min(y_true if self.name == "labels" else y_pred))

        def result(self):
            return {"low": self.low.value}

    model = small(metrics=[Extremes("labels"), Extremes("outputs")], run_eagerly=True)
    shown = model.evaluate(X, PRICES, batch_size=ROWS, verbose=0, return_dict=True)
    assert shown["low"] == pytest.approx(PRICES.min())
    assert shown["outputs_low"] == pytest.approx(model.predict(X, verbose=0).min(), rel=1e-5)
