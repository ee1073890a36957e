"""Models that begin with layers of text: `fit`, `evaluate` and `predict` take the text itself."""

import jax
import numpy as np
import pytest

import cornu
from cornu import layers as L

TEXTS = ["the cat sat", "the cat ran!", "a dog", "dog ran far away", "cat"] * 3
LABELS = np.array([0.0, 1.0, 0.0, 1.0, 1.0] * 3)


def vectorizer(**kwargs):
    layer = L.TextVectorization(**kwargs)
    layer.adapt(TEXTS)
    return layer


def behind(layer, mask_zero=False):
    return [L.Embedding(layer.vocabulary_size(), 3, mask_zero=mask_zero), L.GlobalAveragePooling1D(), L.Dense(1)]


def test_a_model_trained_on_numbers_is_exported_for_texts():
    layer = vectorizer(output_sequence_length=4)
    inner = cornu.Sequential(behind(layer))
    inner.compile("adam", cornu.losses.BinaryCrossentropy(from_logits=True))
    inner.fit(layer(TEXTS), LABELS, verbose=0)
    model = cornu.Sequential([layer, inner, L.Activation("sigmoid")])
    model.compile(loss="binary_crossentropy", metrics=["accuracy"])
    expected = np.asarray(jax.nn.sigmoid(inner(layer(TEXTS))))
    batches = cornu.data.Dataset.from_tensor_slices((TEXTS, LABELS)).batch(4)
    kinds = [TEXTS, np.array(TEXTS), np.array(TEXTS, "S"), np.array(TEXTS, object)[:, None], batches]
    for texts in kinds:
        np.testing.assert_allclose(model.predict(texts, batch_size=4, verbose=0), expected, atol=1e-6)
    np.testing.assert_allclose(model.predict_on_batch(TEXTS[:2]), expected[:2], atol=1e-6)
    loss, accuracy = model.evaluate(batches, verbose=0)
    assert loss == pytest.approx(inner.evaluate(layer(TEXTS), LABELS, verbose=0), abs=1e-5)
    assert accuracy == pytest.approx(np.mean((expected[:, 0] > 0.5) == LABELS))


def test_texts_train_as_their_numbers_do(tmp_path):
    layer = vectorizer()
    numbers = cornu.Sequential(behind(layer, mask_zero=True))
    numbers.build((None, 4))
    texts = cornu.Sequential([layer, *behind(layer, mask_zero=True)])
    texts.build((None,))
    texts.set_weights(numbers.get_weights())
    batches = cornu.data.Dataset.from_tensor_slices((TEXTS, LABELS)).batch(5)
    for model, data in ((numbers, batches.map(lambda x, y: (layer(x), y))), (texts, batches)):
        model.compile("sgd", "mse")
        model.fit(data, epochs=2, verbose=0, validation_data=data)
    assert texts.history.history["loss"] == pytest.approx(numbers.history.history["loss"], abs=1e-6)
    texts.save(tmp_path / "texts.keras")
    again = cornu.models.load_model(tmp_path / "texts.keras")
    np.testing.assert_allclose(again.predict(TEXTS[:3], verbose=0), texts(np.array(TEXTS[:3])), atol=1e-6)
    texts.fit(np.array(TEXTS), LABELS, validation_split=0.2, verbose=0)
    assert np.isfinite(texts.train_on_batch(TEXTS[:3], LABELS[:3]))


def patients():
    """Text among several inputs, in a model of preparations within the model."""
    specs = {"thal": "string", "age": "float32", "sex": "string"}
    first = {name: cornu.Input((1,), dtype=dtype, name=name) for name, dtype in specs.items()}
    thal = L.StringLookup(vocabulary=["normal", "fixed"], output_mode="one_hot")(first["thal"])
    sex = L.CategoryEncoding(5, output_mode="one_hot")(L.Hashing(5)(first["sex"]))
    cross = L.HashedCrossing(8, output_mode="one_hot")([L.Discretization([30.0, 60.0])(first["age"]), first["thal"]])
    prepare = cornu.Model(first, L.Concatenate()([thal, sex, cross, first["age"]]))
    inputs = {name: cornu.Input((1,), dtype=dtype, name=name) for name, dtype in specs.items()}
    return inputs, L.Dense(1)(prepare(inputs))


ROWS = {
    "thal": np.array(["normal", "fixed", "?"] * 3),
    "age": np.arange(9) * 10.0,
    "sex": np.array(["m", "f", "m"] * 3),
}


def test_text_among_several_inputs():
    model = cornu.Model(*patients())
    model.compile("sgd", "mse")
    np.testing.assert_allclose(model.predict(ROWS, batch_size=4, verbose=0), model(ROWS), rtol=1e-5)
    rows = cornu.data.Dataset.from_tensor_slices((ROWS, np.ones(9))).batch(4)
    model.fit(rows, verbose=0)
    assert model.evaluate(rows, verbose=0) == pytest.approx(model.evaluate(ROWS, np.ones(9), verbose=0), rel=1e-5)


def test_a_step_of_ones_own_calls_the_model_on_text():
    class Own(cornu.Model):
        def train_step(self, data):
            x, y = data
            self._loss_tracker.update_state(self.compute_loss(x, y, self(x, training=True)))
            return {"loss": self._loss_tracker.result(), "rows": x["sex"].shape[0]}

    model = Own(*patients())
    model.compile("sgd", "mse")
    history = model.fit(ROWS, np.ones(9), batch_size=9, verbose=0).history
    assert history["loss"][0] == pytest.approx(model.evaluate(ROWS, np.ones(9), verbose=0), rel=1e-5)
    assert history["rows"] == [9]


def test_what_stops_a_text_model_is_explained(tmp_path):
    broken = [L.StringLookup(vocabulary=["a"]), L.Embedding(2, 2), L.Rescaling(np.nan), L.Flatten(), L.Dense(1)]
    model = cornu.Sequential([cornu.Input((1,), dtype="string"), *broken])
    model.compile("sgd", "mse")
    guard = cornu.callbacks.TerminateOnNaN(explain=True, filepath=tmp_path / "bad.npz")
    model.fit(np.array(["a", "b"]), np.ones(2), callbacks=[guard], verbose=0)
    assert "came out of Rescaling" in str(guard.report)
    assert "contains text" in str(guard.report)
    assert not (tmp_path / "bad.npz").exists()


def text_input():
    return cornu.Input((1,), dtype="string")


def twice():
    x, lookup, numbers = text_input(), L.HashedCrossing(4), cornu.Input((1,), dtype="int32")
    return cornu.Model([x, numbers], [lookup([x, numbers]), lookup([x, L.Discretization([1.0])(numbers)])])


def beside_computed_numbers():
    x, numbers = text_input(), cornu.Input((1,), dtype="int32")
    return cornu.Model([x, numbers], L.HashedCrossing(4)([x, numbers * 2]))


class Lengths(cornu.Model):
    def call(self, x):
        return L.Dense(1)(x)


REFUSED = {
    "a dense layer": (lambda: cornu.Sequential([text_input(), L.Dense(1)]), "received text"),
    "numbers wanted": (
        lambda: cornu.Sequential([cornu.Input((1,)), L.Dense(1)]),
        "x contains text, such as 'the cat sat'",
    ),
    "a model of one's own": (Lengths, "x contains text, such as 'the cat sat'"),
    "a layer in between": (
        lambda: cornu.Model(x := text_input(), L.StringLookup(vocabulary=["a"])(L.Reshape((1,))(x))),
        "Reshape .* received text but expects numbers",
    ),
    "twice on the same text": (twice, "HashedCrossing .* is called twice on the same text"),
    "beside computed numbers": (beside_computed_numbers, "received text together with numbers computed by the model"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_where_text_cannot_go_is_said(name):
    make, message = REFUSED[name]

    def predict():
        model = make()
        texts = np.array(TEXTS)
        model.predict(texts if len(model.inputs or "1") == 1 else [texts, np.ones((15, 1), "int32")], verbose=0)

    with pytest.raises(ValueError, match=message):
        predict()


def test_compiled_code_knows_no_text():
    with pytest.raises(ValueError, match="text cannot be used in compiled code"):
        jax.jit(L.StringLookup(vocabulary=["a"]))(np.zeros(2))


def test_a_step_that_computes_with_text_says_what_to_do():
    class Own(cornu.Model):
        def train_step(self, data):
            return {"loss": cornu.ops.sum(data[0]["sex"])}

    model = Own(*patients())
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"cannot be used in computations .* Preprocess the data first"):
        model.fit(ROWS, np.ones(9), verbose=0)
