"""What is wrong is said before the first step, and the model stays as it was."""

import os

import numpy as np
import pytest

import cornu
from cornu import layers

random = np.random.default_rng(0)
X = random.normal(size=(12, 4)).astype("float32")
KINDS = random.integers(0, 3, 12)
PRICES = random.normal(size=(12, 1)).astype("float32")


def classifier(loss="sparse_categorical_crossentropy", units=3, activation="softmax", **arguments):
    model = cornu.Sequential(
        [cornu.Input((4,)), layers.Dense(5, "relu", name="hidden"), layers.Dense(units, activation, name="last")],
        name="net",
    )
    model.compile(**{"optimizer": "adam", "loss": loss, "metrics": ["accuracy"], **arguments})
    return model


def regressor():
    return classifier("mse", 1, None, metrics=["mae"])


def several():
    left, right = cornu.Input((2,), name="left"), cornu.Input((2,), name="right")
    both = layers.Concatenate()([left, right])
    model = cornu.Model(
        [left, right], [layers.Dense(1, name="price")(both), layers.Dense(3, "softmax", name="kind")(both)]
    )
    model.compile("sgd", {"price": "mse", "kind": "sparse_categorical_crossentropy"})
    return model


def state(model):
    """Everything that a failed call must leave alone."""
    optimizer = model.optimizer.variables if model.optimizer is not None else []
    values = [v.numpy() for v in (*model.variables, *optimizer, *model.metrics_variables)]
    return [model.built, model._trainings, *[np.array(v) for v in values]]


def fails(model, match, *args, method="fit", kind=ValueError, **kwargs):
    before = state(model)
    with pytest.raises(kind, match=match) as error:
        getattr(model, method)(*args, **{**({} if "batch" in method else {"verbose": 0}), **kwargs})
    after = state(model)
    assert len(after) == len(before)
    for a, b in zip(after, before, strict=True):
        np.testing.assert_array_equal(a, b)
    return str(error.value)


L, R = X[:, :2], X[:, 2:]

# name -> (model, x, y, words of the message)
DATA = {
    "wrong number of features": (classifier, X[:, :3], KINDS, r'(?s)net.*expected.*4.*3'),
    "an axis too many": (classifier, X[:, None, None], KINDS, r"(?s)net.*\(12, 1, 1, 4\)|net.*ndim|net.*axes"),
    "unequal lengths": (classifier, X, KINDS[:5], r"(?s)same number of samples.*x: 12, y: 5"),
    "no labels": (classifier, X, None, r'the loss "sparse_categorical_crossentropy" needs labels'),
    "no rows": (classifier, X[:0], KINDS[:0], "empty"),
    "no data": (classifier, None, None, "x must be data"),
    "text": (classifier, np.array([["a"] * 4] * 12), KINDS, "expects numbers, but x contains text, such as 'a'"),
    "ragged rows": (classifier, [[1, 2, 3, 4], [1, 2]], KINDS[:2], "ragged"),
    "labels too high": (classifier, X, KINDS + 1, r"(?s)output 'last'.*labels from 1 to 3.*use y - 1"),
    "labels too low": (classifier, X, KINDS - 1, r"(?s)ignore_class=-1"),
    "fractions as class numbers": (classifier, X, KINDS + 0.5, "integer class indices"),
    "one-hot labels for a sparse loss": (classifier, X, np.eye(3)[KINDS], "use categorical_crossentropy"),
    "class numbers for a one-hot loss": (lambda: classifier("categorical_crossentropy"), X, KINDS, "use sparse_"),
    "labels that would only broadcast": (lambda: classifier("mse"), X, PRICES, "end it with one output"),
    "too many labels": (lambda: classifier("mse", 1), X, np.repeat(PRICES, 3, 1), "broadcast"),
    "class numbers for a binary loss": (lambda: classifier("binary_crossentropy", 1), X, KINDS[:, None], "use sparse_"),
    "signs for a binary loss": (lambda: classifier("binary_crossentropy", 1), X, np.sign(PRICES), r"\(y \+ 1\) / 2"),
    "an input too few": (several, [L], [PRICES, KINDS], r"expected 2 input\(s\) \[left, right\]"),
    "an input missing by name": (several, {"left": L}, [PRICES, KINDS], r"\['right'\] are missing"),
    "an output too few": (several, [L, R], [PRICES], "(?s)2 outputs.*price, kind"),
    "labels missing by name": (several, [L, R], {"price": PRICES}, r"Missing: \['kind'\]"),
    "labels for an unknown output": (several, [L, R], {"price": PRICES, "kin": KINDS}, "(?s)'kin'.*Closest: 'kind'"),
    "labels out of range for one of two outputs": (several, [L, R], [PRICES, KINDS + 5], "output 'kind'"),
}  # fmt: skip


@pytest.mark.parametrize("case", DATA)
def test_data_that_cannot_work(case):
    make, x, y, words = DATA[case]
    fails(make(), words, x, y)
    fails(make(), words, x, y, method="evaluate")


@pytest.mark.parametrize("method", ["train_on_batch", "test_on_batch"])
def test_data_that_cannot_work_in_one_batch(method):
    fails(classifier(), "use categorical_crossentropy", X, np.eye(3)[KINDS], method=method)
    fails(classifier(), "use y - 1", X, KINDS + 1, method=method)


def test_a_wrong_layer_is_named_inside_a_model():
    class Net(cornu.Model):
        def __init__(self):
            super().__init__()
            self.first = layers.Dense(3)
            self.second = layers.LSTM(2, name="memory")

        def call(self, x):
            return self.second(self.first(x))

    model = Net()
    model.compile("sgd", "mse")
    assert "memory" in fails(model, "memory", X, PRICES)


def test_a_model_that_was_not_built_is_not_built_by_a_failure():
    model = cornu.Sequential([layers.Dense(3, name="only"), layers.BatchNormalization()])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    fails(model, "use categorical_crossentropy", X[:, :2], np.eye(3)[KINDS])
    assert not model.built
    assert not model.layers[0].built
    assert not model.weights
    assert not model.optimizer.built
    model.fit(X, KINDS, verbose=0)
    assert model.layers[0].kernel.shape == (4, 3)


def test_a_subclassed_model_that_was_not_built_is_not_built_by_a_failure():
    class Net(cornu.Model):
        def __init__(self):
            super().__init__()
            self.blocks = [layers.Dense(3), layers.Dense(3)]

        def call(self, x):
            for block in self.blocks:
                x = block(x)
            return x

    model = Net()
    model.compile("adam", cornu.losses.SparseCategoricalCrossentropy(from_logits=True))
    fails(model, "use y - 1", X[:, :2], KINDS + 1)
    assert not model.blocks[1].built
    model.fit(X, KINDS, verbose=0)
    assert len(model.weights) == 4


NUMBERS = {
    "epochs": [{"epochs": -1}, {"epochs": 1.5}],
    "batch_size": [{"batch_size": 0}, {"batch_size": -2}, {"batch_size": "8"}],
    "steps": [{"steps_per_epoch": 0}],
    "initial_epoch": [{"initial_epoch": -1}],
    "validation_freq": [{"validation_split": 0.5, "validation_freq": 0}],
    "validation_split": [{"validation_split": 1.5}, {"validation_split": -0.1}],
    "shuffle": [{"shuffle": "yes"}],
    "class_weight": [{"class_weight": {"a": 1.0}}],
    "sample_weight": [{"sample_weight": np.ones(5)}],
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_that_mean_nothing(name):
    for arguments in NUMBERS[name]:
        fails(classifier(), name, X, KINDS, **arguments)


def test_compile_comes_first():
    model = cornu.Sequential([cornu.Input((4,)), layers.Dense(1)])
    for method in ("fit", "evaluate", "train_on_batch", "test_on_batch"):
        fails(model, rf"You must call `compile\(\)` before {method}", X, PRICES, method=method)
    assert model.predict(X, verbose=0).shape == (12, 1)


def test_training_needs_a_loss_an_optimizer_and_weights():
    fails(classifier(loss=None, metrics=None), "there is no loss", X, KINDS)
    fails(classifier(optimizer=None), "fit needs an optimizer", X, KINDS)
    model = classifier()
    model.trainable = False
    model.compile("adam", "sparse_categorical_crossentropy")
    with pytest.warns(UserWarning, match=r"no weights to train.*trainable = True"):
        model.fit(X, KINDS, verbose=0)
    assert model.evaluate(X, KINDS, verbose=0) > 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"optimizer": "adan"}, "adan.*adam"),
        ({"loss": "sparse_categorical_crossentropi"}, "sparse_categorical_crossentropy"),
        ({"metrics": ["acuracy"]}, "acuracy.*accuracy"),
        ({"weighted_metrics": {"last": ["mee"]}}, "mee.*m[as]e"),
        ({"steps_per_execution": 0}, "steps_per_execution"),
        ({"jit_compile": "yes"}, "jit_compile"),
    ],
    ids=str,
)
def test_compile_names_what_is_close(arguments, words):
    model = classifier()
    before = model.optimizer, model._compile_loss
    with pytest.raises(ValueError, match=f"(?s){words}"):
        model.compile(**{"optimizer": "adam", "loss": "mse", **arguments})
    assert (model.optimizer, model._compile_loss) == before


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: layers.Dense(3, activation="rleu"), "rleu.*relu"),
        (lambda: layers.Dense(3, kernel_initializer="glorot_unifrom"), "glorot_uniform"),
        (lambda: layers.Dense(3, kernel_regularizer="l3"), "(?i)l3.*l[12]"),
        (lambda: layers.Dense(3, unitz=3), "unitz.*units"),
        (lambda: layers.Dense(0), "units must be a positive integer"),
        (lambda: layers.Conv2D(3, 3, padding="full"), 'padding must be "valid" or "same"'),
    ],
)
def test_layers_name_what_is_close(make, words):
    with pytest.raises((ValueError, TypeError), match=f"(?s){words}"):
        make()


def test_names_that_no_output_has():
    for arguments in ({"loss": {"prise": "mse"}}, {"loss": {"price": "mse"}, "metrics": {"prise": ["mae"]}}):
        model = several()
        model.compile("sgd", **arguments)
        fails(model, "has the key 'prise'.*Closest: 'price'", [L, R], [PRICES, KINDS])
    model = several()
    model.compile("sgd", ["mse", "mse", "mse"])
    fails(model, "2 outputs.*has 3", [L, R], [PRICES, KINDS])


def test_a_loss_without_reduction_cannot_train():
    model = regressor()
    model.compile("sgd", cornu.losses.MeanSquaredError(reduction="none", name="squares"))
    fails(model, 'loss "squares" returns an array.*reduction', X, PRICES)


# ---------------------------------------------------------------- sources of batches


def some_batches(count=2):
    for start in range(count):
        yield X[start : start + 3], KINDS[start : start + 3]


def test_a_generator_that_is_used_up():
    source = some_batches()
    model = classifier()
    model.fit(source, verbose=0)
    fails(model, "exhausted", source)
    fails(model, "used up|never yields", iter([]))
    fails(model, "is empty", EmptyData())


class EmptyData:
    def __iter__(self):
        return iter(())


def test_labels_of_a_generator_are_looked_at():
    fails(classifier(), "use categorical_crossentropy", ((X, np.eye(3)[KINDS]) for _ in range(2)))
    fails(classifier(), "needs labels", (X for _ in range(2)))
    fails(classifier(), "y must not be given|y .*must not", some_batches(), KINDS)


@pytest.mark.parametrize(
    "data", [(X,), (X, KINDS, None, None), X, {"x": X}, "text"], ids=["one", "four", "array", "dict", "text"]
)
def test_validation_data_of_a_wrong_form(data):
    fails(classifier(), "validation_data must be", X, KINDS, validation_data=data)


def test_validation_data_is_checked_before_training():
    fails(classifier(), "use y - 1", X, KINDS, validation_data=(X, KINDS + 1))
    fails(classifier(), "same number of samples", X, KINDS, validation_data=(X, KINDS[:3]))
    fails(classifier(), "(?s)expected.*4", X, KINDS, validation_data=(X[:, :2], KINDS))


# ---------------------------------------------------------------- models and weights


def test_an_unbuilt_model_says_so():
    model = cornu.Sequential([layers.Dense(3)], name="net")
    with pytest.raises(ValueError, match=r'Sequential "net".*build'):
        model.count_params()
    with pytest.raises(ValueError, match=r'Sequential "net".*not built'):
        model.set_weights([np.ones((4, 3)), np.ones(3)])


def test_weights_of_wrong_shapes_change_nothing():
    model = classifier()
    before = model.get_weights()
    for weights, words in (
        (before[:2], "expects a list of 4 arrays. Received: 2"),
        (
            [np.zeros((4, 5)), np.zeros(5), np.zeros((5, 4)), np.zeros(3)],
            r"last/kernel.*\(5, 3\).*\(5, 4\).*Nothing was changed",
        ),
    ):
        with pytest.raises(ValueError, match=f"(?s){words}"):
            model.set_weights(weights)
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_mask_that_a_layer_would_drop_is_warned_of():
    class Unaware(layers.Layer):
        def call(self, x):
            return cornu.ops.mean(x, axis=1)

    x = cornu.Input((5,))
    embedded = layers.Embedding(5, 3, mask_zero=True)(x)
    with pytest.warns(UserWarning, match=r'Unaware "unaware".*mask.*drops'):
        cornu.Model(x, layers.Dense(1)(Unaware(name="unaware")(embedded)))


def test_predicting_on_wrong_data_says_so():
    fails(classifier(), "(?s)expected.*4", X[:, :2], method="predict")
    fails(classifier(), "text", np.array([["a"] * 4] * 12), method="predict")
    fails(classifier(), "unknown argument.*'stepz'", X, KINDS, method="evaluate", stepz=3)


def generated(*elements, **signature):
    return list(cornu.data.Dataset.from_generator(lambda: iter(elements), **signature))


def rows():
    return cornu.data.Dataset.from_tensor_slices(X)


def one(shape=(), dtype="float32"):
    return cornu.data.TensorSpec(shape, dtype)


def twins():
    x = cornu.Input((3,))
    return cornu.Model(x, layers.Dense(1, name="a")(layers.Dense(1, name="a")(x)))


def built(optimizer):
    optimizer.build(classifier().trainable_variables)
    return optimizer


def lengths(*values, **options):
    made = cornu.data.Dataset.from_generator(lambda: (np.zeros(length) for length in values))
    return list(made.bucket_by_sequence_length(len, [4, 8], [2, 2, 2], **options))


# name -> (what is done, words of the error)
SAID = {
    "data without an end": (lambda: classifier().fit(rows().repeat()), "fit: Dataset is infinite, so steps_per_epoch"),
    "endless data to measure": (lambda: classifier().evaluate(rows().repeat()), "evaluate: .* is infinite, so steps"),
    "weights of classes in a list": (
        lambda: classifier().fit(X, KINDS, class_weight=[1, 2, 3]), "class_weight must map classes to weights"),
    "weights of classes of pictures": (
        lambda: classifier().fit(X, np.zeros((12, 3, 2)), class_weight={0: 1.0}), "class_weight requires y of shape"),
    "a part of a generator": (
        lambda: classifier().fit(iter([(X, KINDS)]), validation_split=0.5), "validation_split requires arrays"),
    "a generator that is used up": (lambda: classifier().fit(iter([])), "exhausted.*yields no batches. Create it"),
    "several losses for one output": (
        lambda: classifier(["mse", "mae"]).fit(X, KINDS), r"one output.*loss=\[<function mean_squared_error>, "),
    "labels of one of two outputs": (lambda: several().fit([L, R], {"price": PRICES}), r"Missing: \['kind'\]"),
    "no labels": (lambda: classifier().fit(X), 'the loss "sparse_categorical_crossentropy" needs labels'),
    "no compile": (lambda: cornu.Sequential([layers.Dense(1)]).evaluate(X, PRICES), "compile"),
    "no loss": (lambda: classifier(None, metrics=None).fit(X, KINDS), "there is no loss. Pass a loss to compile"),
    "two backups": (
        lambda: classifier().fit(X, KINDS, callbacks=[cornu.callbacks.BackupAndRestore(name) for name in "ab"]),
        "there can be only one BackupAndRestore.*'a' and 'b'"),
    "a value by a wrong name": (
        lambda: classifier().set_state_tree({"trainable_variables": {"net": {"hidden": {"kernal": 0}}}}),
        "there is no variable 'net/hidden/kernal'. Closest: 'net/hidden/kernel'"),
    "a step that is no function": (
        lambda: setattr(classifier(), "train_function", 3), r"train_function must be a function of \(state, batches"),
    "nothing to tell shapes from": (lambda: rows().take(0).map(lambda x: x).element_spec, "no element to tell"),
    "a list beside a data set": (lambda: cornu.data.Dataset.zip(rows(), [1, 2]), "zip: expected datasets"),
    "one element of several": (lambda: rows().get_single_element(), "expected one element. Received: more"),
    "one element of none": (lambda: rows().take(0).get_single_element(), "expected one element. Received: none"),
    "a sequence that is too long": (
        lambda: lengths(3, 9, pad_to_bucket_boundary=True),
        r"bucket_by_sequence_length \(the last step of .*\): element 1 has the length 9"),
    "buckets that do not rise": (lambda: rows().bucket_by_sequence_length(len, [8, 4], [2, 2, 2]), "increasing"),
    "a place in other steps": (
        lambda: iter(rows().batch(2)).set_state(iter(rows().batch(3)).get_state()), r"different steps: .*batch\(3\)"),
    "a pair for one array": (lambda: generated((1, 2), output_signature=one()), "expected an element of the structure"),
    "text for numbers": (lambda: generated("a", output_signature=one()), "expected an array of float32. Received: 'a'"),
    "numbers for text": (lambda: generated(1.0, output_signature=one(dtype="string")), "expected an array of"),
    "an array of another shape": (
        lambda: generated([1, 2], output_signature=one((3,))), r"shape \(3,\). Received: shape \(2,\)"),
    "another argument of a copy": (
        lambda: cornu.models.clone_model(classifier(), clone_fn=1), r"clone_model: unknown argument\(s\) 'clone_fn'"),
    "one input of two": (lambda: several()([L]), r"expected 2 input\(s\) \[left, right\]. Received: 1"),
    "an input by a wrong name": (lambda: several()({"left": L, "rihgt": R}), r"inputs \['right'\] are missing"),
    "a model of arrays": (lambda: cornu.Model(X, X), "all inputs must be symbolic tensors. Received: ndarray"),
    "a layer by a wrong name": (lambda: classifier().get_layer("hiden"), "there is no layer 'hiden'. Closest"),
    "a layer by nothing": (lambda: classifier().get_layer(), "takes either a name or an index"),
    "a layer by two things": (lambda: classifier().get_layer("hidden", 1), "takes either a name or an index"),
    "a layer by a wrong number": (lambda: classifier().get_layer(index=7), "only 2 layers, so there is no index 7"),
    "two layers of one name": (twins, 'two layers are called "a"'),
    "two layers of one name in a row": (
        lambda: cornu.Sequential([layers.Dense(1, name="a"), layers.Dense(1, name="a")]), 'already a layer called "a"'),
    "an input behind a layer": (
        lambda: cornu.Sequential([layers.Dense(1), cornu.Input((3,))]), "can only come first. Layers before it: 1"),
    "a number for a layer": (lambda: cornu.Sequential([3]), "expects a layer. Received: 3"),
    "no layer to take off": (lambda: cornu.Sequential().pop(), "there is no layer to remove"),
    "a model without layers": (lambda: cornu.Sequential()(X), "has no layers. Add some"),
    "a column too few": (lambda: classifier().summary(positions=[0.1]), "positions must have 3 numbers"),
    "layers that are not there": (
        lambda: classifier().summary(layer_range=["nope", "last"]), r"no layer matches \['nope', 'last'\]"),
    "weights that are cut off": (
        lambda: cornu.metrics.MeanIoU(3, dtype="int32").update_state([0, 1], [0, 1], sample_weight=[0.5, 1.5]),
        "sample_weight contains fractions"),
    "no folder for backups": (lambda: cornu.callbacks.BackupAndRestore(""), "backup_dir must be the path"),
    "no file for what gave NaN": (lambda: cornu.callbacks.TerminateOnNaN(filepath=""), "filepath must be a path"),
    "a hook by a wrong name": (
        lambda: cornu.callbacks.LambdaCallback(on_epoch_edn=print), "no event 'on_epoch_edn'. Closest: 'on_epoch_end'"),
    "an argument of a callback": (
        lambda: cornu.callbacks.ReduceLROnPlateau(epsilom=1), "ReduceLROnPlateau: unknown arguments epsilom"),
    "a name that means all or none": (
        lambda: cornu.utils.Progbar(3, stateful_metrics=["a"], stateless_metrics=["b"]), "not both"),
    "a power above zero": (lambda: cornu.optimizers.Ftrl(learning_rate_power=1), "learning_rate_power must be zero or"),
    "a strength below zero": (
        lambda: cornu.optimizers.Ftrl(l2_regularization_strength=-1), "l2_regularization_strength must be zero or"),
    "no decay of AdamW": (lambda: cornu.optimizers.AdamW(weight_decay=None), "use Adam for no weight decay"),
    "a name for an inner optimizer": (
        lambda: cornu.optimizers.LossScaleOptimizer("adam"), "inner_optimizer must be an optimizer"),
    "an inner optimizer that scales the loss itself": (
        lambda: cornu.optimizers.LossScaleOptimizer(cornu.optimizers.LossScaleOptimizer(cornu.optimizers.SGD())),
        "does not scale the loss itself"),
    "a name in a map of optimizers": (lambda: cornu.optimizers.OptimizerMap("sgd"), "default_optimizer must be an"),
    "values for other variables": (
        lambda: built(cornu.optimizers.SGD(momentum=0.9)).set_weights([1]), "6 values, one per variable. Received: 1"),
    "boundaries that do not rise": (
        lambda: cornu.optimizers.schedules.PiecewiseConstantDecay([5, 3], [1.0, 2.0, 3.0]), "must be increasing"),
    "a model file by another name": (lambda: classifier().save("model.txt"), "name must end with '.keras', '.h5'"),
    "an argument of saving": (
        lambda: classifier().save("model.keras", includeoptimizer=True), r"unknown argument\(s\) 'includeoptimizer'"),
    "a weights file by another name": (lambda: classifier().save_weights("w.txt"), "name must end with '.weights.h5'"),
    "an edited file by another name": (lambda: cornu.saving.KerasFileEditor("x.txt"), "name must end with '.keras'"),
    "an edited file that is missing": (lambda: cornu.saving.KerasFileEditor("x.keras"), "There is no file 'x.keras'"),
}  # fmt: skip


@pytest.mark.parametrize("name", SAID)
def test_what_cannot_be_done_is_said_in_words(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    do, words = SAID[name]
    with pytest.raises((ValueError, TypeError, cornu.errors.DataError), match=words) as error:
        do()
    assert " at 0x" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_numbers_of_words_are_looked_at_in_every_call_not_only_in_the_first_of_a_shape():
    model = cornu.Sequential([cornu.Input((2,), dtype="int32"), layers.Embedding(5, 3)])
    good, bad = np.array([[0, 4]], "int32"), np.array([[0, 5]], "int32")
    for predict in (lambda x: model.predict(x, verbose=0), model.predict_on_batch):
        assert predict(good).shape == (1, 2, 3)
        with pytest.raises(ValueError, match="5"):
            predict(bad)


def test_a_later_batch_without_labels_is_refused_with_its_number():
    with pytest.raises(ValueError, match=r"fit: batch 2 is x alone, but the first was \(x, y\)"):
        regressor().fit(iter([(X, PRICES), (X,)]), verbose=0)


def test_a_training_that_has_no_epoch_left_says_so_unless_it_is_to_be_silent(capsys):
    for verbose in (2, 0):
        history = regressor().fit(X, PRICES, epochs=2, initial_epoch=2, verbose=verbose)
        assert history.epoch == []
        said = "no epoch is left to train: epochs=2 is where training ends"
        assert (said in capsys.readouterr().out) == (verbose == 2)


def test_a_file_is_not_written_over_unasked_and_a_pipe_is_not_read(tmp_path):
    classifier().save(tmp_path / "model.keras")
    before = (tmp_path / "model.keras").read_bytes()
    with pytest.raises(ValueError, match=r"already exists\. Pass overwrite=True"):
        classifier().save(tmp_path / "model.keras", overwrite=False)
    assert (tmp_path / "model.keras").read_bytes() == before
    os.mkfifo(tmp_path / "pipe.keras")
    with pytest.raises(ValueError, match="neither a file nor a directory"):
        cornu.saving.load_model(tmp_path / "pipe.keras")


def test_errors_can_be_told_apart_and_are_those_of_keras_too(tmp_path):
    errors = cornu.errors
    model = cornu.Sequential([cornu.Input((3,)), cornu.layers.Dense(2)])
    path = tmp_path / "model.keras"
    model.save(path)
    other = cornu.Sequential([cornu.Input((3,)), cornu.layers.Dense(4)])
    weights = tmp_path / "other.weights.h5"
    other.save_weights(weights)
    (tmp_path / "short.keras").write_bytes(path.read_bytes()[:-40])
    config = {"class_name": "Own", "module": "my_code", "config": {}, "registered_name": "my_code>Own"}
    for kind, mistake in {
        errors.DamagedFileError: lambda: cornu.models.load_model(tmp_path / "short.keras"),
        errors.WeightsMismatchError: lambda: model.load_weights(weights),
        errors.InputMismatchError: lambda: model(np.ones((2, 5))),
        errors.MissingFileError: lambda: cornu.models.load_model("not there.keras"),
        errors.UnknownClassError: lambda: cornu.layers.deserialize(config),
    }.items():
        with pytest.raises(kind) as caught:
            mistake()
        assert isinstance(caught.value, ValueError)
        assert isinstance(caught.value, errors.CornuError)
    with pytest.raises(FileNotFoundError):  # what programs catch that start afresh without a checkpoint
        model.load_weights("not there.weights.h5")
    listed = {name for name in errors.__all__ if f"{name} " in errors.__doc__ or f"{name}\n" in errors.__doc__}
    assert listed == set(errors.__all__)
