"""Distillation beside Keras: losses, a training, and files."""

import numpy as np
import pytest
from layer_oracle import plain
from oracle import both

import cornu
from cornu import distillation

RNG = np.random.default_rng(0)
X = RNG.normal(size=(8, 4)).astype("float32")
Y = RNG.integers(0, 3, 8)
TEACHER, STUDENT = RNG.dirichlet(np.ones(3), (2, 8)).astype("float32")
OF_TEACHER, OF_STUDENT = (
    [RNG.normal(size=shape).astype("float32") for shape in ((4, 5), (5,), (5, 3), (3,))] for _ in range(2)
)


def network(library, weights, name):
    layers = [library.layers.Dense(5, "relu", name="inside"), library.layers.Dense(3, "softmax", name="last")]
    made = library.Sequential([library.Input((4,)), *layers], name=name)
    made.set_weights(weights)
    return made


def distiller(library, share=0.3):
    losses = [
        library.distillation.LogitsDistillation(2.0),
        library.distillation.FeatureDistillation("mae", *["inside"] * 2),
    ]
    teacher, student = network(library, OF_TEACHER, "teacher"), network(library, OF_STUDENT, "student")
    made = library.distillation.Distiller(teacher, student, losses, [1.0, 0.5], student_loss_weight=share)
    made.compile(library.optimizers.SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return made


def test_the_losses_are_those_of_keras():
    def losses(library):
        logits, feature = library.distillation.LogitsDistillation, library.distillation.FeatureDistillation
        two = [TEACHER, 2 * TEACHER], [STUDENT, STUDENT]
        named = tuple({"a": a, "b": b} for a, b in two)
        return [float(x) for x in (
            logits().compute_loss(TEACHER, STUDENT),
            logits(2.0, "categorical_crossentropy").compute_loss(TEACHER, STUDENT),
            logits(2.0, library.losses.MeanSquaredError()).compute_loss(TEACHER, STUDENT),
            logits(2.0, ["mse", "mae"]).compute_loss(*two),
            logits(2.0, ["mse", None]).compute_loss(*two),
            logits(2.0, {"a": "mse", "b": None}).compute_loss(*named),
            feature().compute_loss(TEACHER, STUDENT),
            feature("cosine_similarity").compute_loss(TEACHER, STUDENT),
        )]  # fmt: skip

    ours, theirs = both(losses)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_a_training_goes_as_with_keras():
    def training(library):
        made = distiller(library)
        before = made.evaluate(X, Y, verbose=0, return_dict=True)
        history = made.fit(X, Y, epochs=2, batch_size=4, shuffle=False, verbose=0).history
        return {
            "before": before, "history": history, "student": made.student.get_weights(),
            "teacher": made.teacher.get_weights(), "predictions": made.predict(X, verbose=0),
        }  # fmt: skip

    ours, theirs = both(training)
    for key in theirs["before"]:
        np.testing.assert_allclose(ours["before"][key], theirs["before"][key], rtol=1e-4)
        np.testing.assert_allclose(ours["history"][key], theirs["history"][key], rtol=1e-4)
    for key in ("student", "teacher"):
        for a, b in zip(ours[key], theirs[key], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ours["predictions"], theirs["predictions"], rtol=1e-4)


def test_configs_of_keras_are_read():
    def configs(library):
        made = distiller(library)
        losses = [plain(loss.get_config()) for loss in made.distillation_losses]
        return [losses, sorted(made.get_config()), library.saving.serialize_keras_object(made)["module"]]

    ours, theirs = both(configs)
    assert ours[1:] == theirs[1:]
    kinds = distillation.LogitsDistillation, distillation.FeatureDistillation
    for kind, mine, config in zip(kinds, ours[0], theirs[0], strict=True):
        assert config.keys() == mine.keys()
        assert plain(kind.from_config(config).get_config()) == mine


def test_a_distiller_is_saved_and_goes_on(tmp_path):
    made = distiller(cornu)
    made.fit(X, Y, verbose=0)
    made.save(tmp_path / "distiller.keras")
    loaded = cornu.models.load_model(tmp_path / "distiller.keras")
    np.testing.assert_allclose(loaded.predict(X, verbose=0), made.predict(X, verbose=0))
    assert loaded.evaluate(X, Y, verbose=0) == pytest.approx(made.evaluate(X, Y, verbose=0), rel=1e-5)
    assert not loaded.teacher.trainable


def test_a_last_batch_that_is_not_full_counts_by_its_rows():
    made = distiller(cornu)
    whole = made.evaluate(X[:7], Y[:7], batch_size=7, verbose=0, return_dict=True)
    parts = made.evaluate(X[:7], Y[:7], batch_size=4, verbose=0, return_dict=True)
    assert parts == pytest.approx(whole, rel=1e-5)


def test_weights_count_for_labels():
    made = distiller(cornu, share=1.0)
    none = made.evaluate(X, Y, sample_weight=np.zeros(8), verbose=0, return_dict=True)
    assert none["loss"] == 0.0


def test_a_loss_of_ones_own():
    class Distance(distillation.DistillationLoss):
        def compute_loss(self, teacher_outputs, student_outputs, **kwargs):
            return cornu.ops.max(cornu.ops.abs(teacher_outputs - student_outputs))

    teacher, student = network(cornu, OF_TEACHER, "a"), network(cornu, OF_STUDENT, "b")
    made = distillation.Distiller(teacher, student, Distance(), student_loss_weight=0.0)
    made.compile("sgd", "sparse_categorical_crossentropy")
    expected = np.abs(teacher.predict(X, verbose=0) - student.predict(X, verbose=0)).max()
    assert made.evaluate(X, Y, verbose=0)[0] == pytest.approx(expected, rel=1e-5)


def refused():
    teacher, student = network(cornu, OF_TEACHER, "teacher"), network(cornu, OF_STUDENT, "student")
    other = cornu.Sequential([cornu.Input((4,)), cornu.layers.Dense(2, name="inside")])
    logits, feature = distillation.LogitsDistillation, distillation.FeatureDistillation
    make = distillation.Distiller
    yield lambda: logits(0), "temperature must be a number greater than 0"
    yield lambda: logits(loss=[None]), "at least one loss"
    yield lambda: logits(loss="mean_sqared_error"), "mean_squared_error"
    yield lambda: logits(loss=["mse"]).compute_loss(X, X), "loss must have the structure of the outputs"
    yield lambda: logits().compute_loss([X], [X, X]), "outputs of the same structure"
    yield lambda: make(3, student, logits()), "teacher must be a model"
    yield lambda: make(teacher, student, "mse"), "distillation_losses must be a DistillationLoss"
    yield lambda: make(teacher, student, logits(), [1.0, 2.0]), "must have as many entries as distillation_losses"
    yield lambda: make(teacher, student, logits(), student_loss_weight=2), "must be from 0 to 1"
    yield lambda: make(teacher, other, logits()), "must have the same shapes"
    yield lambda: make(teacher, other, feature("mse", "inside", "inside")), "must have the same shapes"
    yield lambda: make(teacher, student, feature("mse", "outside", "inside")), "outside"
    yield lambda: make(teacher, student, logits()).compile("sgd"), "requires the student's loss"


@pytest.mark.parametrize("number", range(13))
def test_what_cannot_be_distilled_is_refused_where_it_is_said(number):
    act, words = list(refused())[number]
    with pytest.raises(ValueError, match=words):
        act()
