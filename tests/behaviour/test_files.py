"""Saving a model and getting it back: whole, safe, and with a clear word when it cannot be."""

import io
import zipfile

import numpy as np
import pytest

import cornu
from cornu import layers


@cornu.saving.register_keras_serializable(package="files")
class Scaled(layers.Layer):
    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs):
        return inputs * self.factor


def trained(optimizer="adam"):
    model = cornu.Sequential([cornu.Input((4,)), layers.Dense(5, "relu"), layers.BatchNormalization(), layers.Dense(1)])
    model.compile(optimizer, "mse", metrics=["mae"])
    model.fit(*data(), epochs=2, shuffle=False, verbose=0)
    return model


def data():
    random = np.random.default_rng(0)
    return random.normal(size=(32, 4)), random.normal(size=(32, 1))


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop", "lamb", "adafactor", "ftrl"])
def test_training_goes_on_as_if_never_stopped(optimizer, tmp_path):
    model = trained(optimizer)
    model.save(tmp_path / "model.keras")
    again = cornu.models.load_model(tmp_path / "model.keras")
    histories = [m.fit(*data(), epochs=2, shuffle=False, verbose=0).history for m in (model, again)]
    assert histories[0] == histories[1]
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_own_layer_comes_back_by_registration_or_by_custom_objects(tmp_path):
    class Shifted(layers.Layer):
        def call(self, inputs):
            return inputs + 1

    model = cornu.Sequential([cornu.Input((2,)), Scaled(3.0), Shifted()])
    model.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match=r"Shifted.*custom_objects"):
        cornu.models.load_model(tmp_path / "model.keras")
    again = cornu.models.load_model(tmp_path / "model.keras", custom_objects={"Shifted": Shifted})
    np.testing.assert_array_equal(again.predict(np.ones((1, 2)), verbose=0), [[4.0, 4.0]])


def test_a_save_that_fails_leaves_the_old_file(tmp_path):
    file = tmp_path / "model.keras"
    model = trained()
    model.save(file)
    before = file.read_bytes()
    model.layers[0].save_own_variables = lambda store: 1 / 0
    with pytest.raises(ZeroDivisionError):
        model.save(file)
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]


def test_an_existing_file_can_be_protected(tmp_path):
    model = trained()
    model.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="overwrite"):
        model.save(tmp_path / "model.keras", overwrite=False)


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04broken"])
def test_what_is_no_model_is_refused(content, tmp_path):
    (tmp_path / "model.keras").write_bytes(content)
    with pytest.raises(ValueError, match=r"model\.keras"):
        cornu.models.load_model(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="no file"):
        cornu.models.load_model(tmp_path / "missing.keras")


def test_a_file_cannot_name_a_module_to_import(tmp_path):
    model = cornu.Sequential([cornu.Input((2,)), layers.Dense(1)])
    model.save(tmp_path / "good.keras")
    with zipfile.ZipFile(tmp_path / "good.keras") as good, zipfile.ZipFile(tmp_path / "bad.keras", "w") as bad:
        for name in good.namelist():
            content = good.read(name)
            if name == "config.json":
                content = content.replace(b'"keras.layers", "class_name": "Dense"', b'"os", "class_name": "system"')
            bad.writestr(name, content)
    with pytest.raises(ValueError, match="system"):
        cornu.models.load_model(tmp_path / "bad.keras")


def test_weights_alone(tmp_path):
    model = trained()
    model.save_weights(tmp_path / "w.weights.h5")
    fresh = cornu.models.clone_model(model)
    fresh.load_weights(tmp_path / "w.weights.h5")
    np.testing.assert_array_equal(fresh.predict(data()[0], verbose=0), model.predict(data()[0], verbose=0))


def test_weights_that_do_not_fit_change_nothing_unless_asked(tmp_path):
    model = trained()
    model.save_weights(tmp_path / "w.weights.h5")
    other = cornu.Sequential([cornu.Input((4,)), layers.Dense(5), layers.BatchNormalization(), layers.Dense(2)])
    before = other.get_weights()
    with pytest.raises(ValueError, match="shape"):
        other.load_weights(tmp_path / "w.weights.h5")
    for a, b in zip(other.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.warns(UserWarning, match="skipped"):
        other.load_weights(tmp_path / "w.weights.h5", skip_mismatch=True)
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])


def test_a_new_model_goes_on_where_the_weights_file_stopped(tmp_path):
    model = trained("adam")
    model.save_weights(tmp_path / "a.weights.h5")
    other = cornu.models.clone_model(model)
    other.compile("adam", "mse")
    other.load_weights(tmp_path / "a.weights.h5")
    assert other.optimizer.iterations == model.optimizer.iterations
    for ours, theirs in zip(other.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_weights_of_a_model_that_was_trained_otherwise_are_taken_with_a_warning(tmp_path):
    model = trained("adam")
    model.save_weights(tmp_path / "a.weights.h5")
    other = trained("sgd")
    with pytest.warns(UserWarning, match="have different types"):
        other.load_weights(tmp_path / "a.weights.h5")
    for ours, theirs in zip(other.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_config_joins_the_own_arguments_to_those_of_the_base_class():
    @cornu.saving.register_keras_serializable("joins")
    class Scaled(layers.Layer):
        def __init__(self, factor=2.0, **kwargs):
            super().__init__(**kwargs)
            self.factor = factor

        def call(self, x):
            return x * self.factor

        def get_config(self):
            return dict(factor=self.factor, **super().get_config())

    @cornu.saving.register_keras_serializable("joins")
    class Named(layers.Dense):
        def __init__(self, units, label, **kwargs):
            super().__init__(units, **kwargs)
            self.label = label

        def get_config(self):
            return dict(label=self.label, **super().get_config())

    assert Scaled.from_config(Scaled(3.0, name="three").get_config()).factor == 3.0
    config = Named(4, "here", activation="relu").get_config()
    assert (config["units"], config["activation"], config["label"]) == (4, "relu", "here")


def test_a_registered_layer_with_a_config_of_its_own_alone_comes_back_from_h5(tmp_path):
    @cornu.saving.register_keras_serializable("alone")
    class Times(layers.Layer):
        def __init__(self, factor):
            super().__init__()
            self.factor = factor

        def call(self, x):
            return x * self.factor

        def get_config(self):
            return {"factor": self.factor}

    inputs = cornu.Input((3,))
    model = cornu.Model(inputs, layers.Dense(2)(Times(0.5)(inputs)))
    model.save(tmp_path / "model.h5")
    x = np.ones((2, 3), "float32")
    again = cornu.models.load_model(tmp_path / "model.h5")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


def test_arguments_of_keras_2_are_answered_with_what_to_do(tmp_path):
    model = cornu.Sequential([cornu.Input((3,)), layers.Dense(2)])
    with pytest.raises(ValueError, match="Omit save_format: the file extension"):
        model.save(tmp_path / "model.h5", save_format="h5")


def test_a_folder_in_the_place_of_a_file_is_not_written_over(tmp_path):
    (tmp_path / "model.keras").mkdir()
    model = cornu.Sequential([cornu.Input((3,)), layers.Dense(2)])
    with pytest.raises(ValueError, match=r"is a directory\. Pass the name of a file in it"):
        model.save(tmp_path / "model.keras")


@pytest.mark.parametrize("what", [io.BytesIO(), None, 3])
def test_what_is_no_name_of_a_file_is_refused(what):
    model = cornu.Sequential([cornu.Input((2,)), cornu.layers.Dense(1)])
    for use in (model.save, model.save_weights, model.load_weights, cornu.models.load_model):
        with pytest.raises(TypeError, match=r"filepath must be a file name\. Received"):
            use(what)


# ---------------------------------------------------------------- what training left behind


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_a_model_that_was_frozen_after_it_was_trained_opens_with_a_warning(ending, tmp_path):
    model = trained()
    model.trainable = False
    model.save(tmp_path / f"m.{ending}")
    with pytest.warns(UserWarning, match="fresh one"):
        again = cornu.models.load_model(tmp_path / f"m.{ending}")
    for a, b in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_a_model_can_be_saved_without_its_optimizer(ending, tmp_path):
    model = trained()
    model.save(tmp_path / f"m.{ending}", include_optimizer=False)
    again = cornu.models.load_model(tmp_path / f"m.{ending}")
    assert not again.compiled and again.optimizer is None
    np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])


@pytest.mark.parametrize("name", ["m.keras", "plain"])
def test_hdf5_is_told_by_what_is_in_the_file(name, tmp_path):
    model = trained()
    model.save(tmp_path / "m.h5")
    (tmp_path / "m.h5").rename(tmp_path / name)
    again = cornu.models.load_model(tmp_path / name)
    np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])
    assert cornu.models.load_model(tmp_path / name, report=True).loads


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_random_layers_go_on_where_the_file_stopped(ending, tmp_path):
    x = np.ones((2, 50), "float32")
    model = cornu.Sequential([cornu.Input((50,)), layers.Dropout(0.5)])
    model(x, training=True)
    model.save(tmp_path / f"m.{ending}")
    again = cornu.models.load_model(tmp_path / f"m.{ending}")
    np.testing.assert_array_equal(again(x, training=True), model(x, training=True))


# ---------------------------------------------------------------- configs without a get_config


@cornu.saving.register_keras_serializable(package="files")
class Halving(layers.Layer):
    def __init__(self, units, activation="relu", *, sizes=(1, 2), **kwargs):
        super().__init__(**kwargs)
        self.inner = layers.Dense(units * 2, activation=activation)
        self.sizes = [layers.Dense(size) for size in sizes]  # an attribute that is not what was given

    def call(self, x):
        return self.sizes[-1](self.inner(x))


def test_plain_arguments_that_are_no_attributes_are_noted(tmp_path):
    model = cornu.Sequential([cornu.Input((3,)), Halving(4, activation="tanh", sizes=[2, 5])])
    config = model.layers[0].get_config()
    assert (config["units"], config["activation"], config["sizes"]) == (4, "tanh", [2, 5])
    model.save(tmp_path / "m.keras")
    again = cornu.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(again(np.ones((1, 3))), model(np.ones((1, 3))))


def test_an_argument_that_is_neither_plain_nor_an_attribute_is_named():
    with pytest.raises(AttributeError, match="'units' is neither plain data nor stored"):
        Halving(np.int64(4)).get_config()


def test_a_wrapper_made_from_its_config_has_its_inner_layer_built():
    wrapped = layers.TimeDistributed(layers.Dense(3), name="each")
    wrapped(np.ones((2, 5, 4)))
    configured = layers.TimeDistributed.from_config(wrapped.get_config())
    for again in (configured, layers.deserialize(layers.serialize(wrapped))):
        assert again.layer.built
        assert [v.path for v in again.weights] == [f"each/{again.layer.name}/{name}" for name in ("kernel", "bias")]


def test_a_config_of_an_older_loss_scale_optimizer_is_read():
    inner = {"module": "keras.optimizers", "class_name": "SGD", "config": {"learning_rate": 0.1}}
    unused = {"weight_decay": None, "clipnorm": None, "use_ema": False, "ema_momentum": 0.99}
    config = {"inner_optimizer": inner, "initial_scale": 1024.0, **unused}
    assert cornu.optimizers.LossScaleOptimizer.from_config(config).initial_scale == 1024
    with pytest.raises(TypeError, match="clipnorm"):
        cornu.optimizers.LossScaleOptimizer.from_config(config | {"clipnorm": 1.0})


def test_code_that_this_python_cannot_read_is_named(tmp_path):
    model = cornu.Sequential([cornu.Input((4,)), layers.Lambda(abs, name="own")])
    entry = cornu.saving.serialize_keras_object(model)
    for code in ("4wEAAAAAAAAAAAAAAAIAAABTAAAA", "not base64 !!", "\u00e3\u0001\u0000"):
        function = {"class_name": "__lambda__", "config": {"code": code, "defaults": None, "closure": None}}
        entry["config"]["layers"][1]["config"]["function"] = function
        with pytest.raises(ValueError, match="as for a Lambda layer, which this Python"):
            cornu.saving.deserialize_keras_object(entry, safe_mode=False)


def test_a_saved_model_of_tensorflow_is_called_that(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"x")
    with pytest.raises(ValueError, match="SavedModel of TensorFlow"):
        cornu.models.load_model(tmp_path)
