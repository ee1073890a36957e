"""Older `.h5` files, as a person meets them: written, read by name, damaged, hostile, or of layers long gone."""

import json
import warnings

import h5py
import numpy as np
import pytest

import cornu
from cornu.saving import legacy_arrays, legacy_config


def small():
    model = cornu.Sequential([
        cornu.Input((4,)), cornu.layers.Dense(3, activation="relu", name="one"), cornu.layers.Dense(2, name="two"),
    ])  # fmt: skip
    model.compile("adam", "mse")
    return model


def saved(tmp_path, **attributes):
    """A whole-model file, with some attributes replaced."""
    path, model = tmp_path / "m.h5", small()
    model.optimizer.build(model.trainable_variables)
    model.save(path)
    with h5py.File(path, "r+") as file:
        for name, value in attributes.items():
            file.attrs[name] = value
    return path


def old_layer(kind, **config):
    """What Keras 2 wrote of a layer, as Keras 3 would."""
    new, _ = legacy_config.upgrade({"class_name": kind, "config": config}, "2.2.4")
    return new


def old_sequential(*layers):
    return {"class_name": "Sequential", "config": [{"class_name": kind, "config": config} for kind, config in layers]}


# ---------------------------------------------------------------- saving and loading


def test_a_model_comes_back_with_its_optimizer(tmp_path):
    model = small()
    x, y = np.random.default_rng(0).normal(size=(2, 8, 4)), np.ones((8, 2))
    model.fit(x[0], y, verbose=0)
    model.save(tmp_path / "m.h5")
    same = cornu.models.load_model(tmp_path / "m.h5")
    assert float(model.train_on_batch(x[1], y)) == float(same.train_on_batch(x[1], y))
    np.testing.assert_array_equal(model.predict(x[0], verbose=0), same.predict(x[0], verbose=0))
    assert same.optimizer.iterations.numpy() == 2


def test_compile_false_leaves_the_optimizer_out(tmp_path):
    assert cornu.models.load_model(saved(tmp_path), compile=False).optimizer is None


def test_the_file_tells_how_the_whole_is_compiled_and_not_what_is_inside(tmp_path):
    inner = cornu.Sequential([cornu.Input((2,)), cornu.layers.Dense(2)])
    inner.compile("sgd", "mse")
    outer = cornu.Sequential([cornu.Input((2,)), cornu.Sequential([inner])])
    outer.compile("sgd", "mae")
    outer.save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5") as file:
        assert "compile_config" not in file.attrs["model_config"]  # which Keras would follow
    loaded = cornu.saving.load_model(tmp_path / "m.h5")
    assert loaded.compiled and not loaded.layers[0].layers[0].compiled
    assert inner.compiled


def test_weights_by_name_leave_other_layers_alone(tmp_path):
    model, head = small(), cornu.layers.Dense(5, name="new")
    model.save_weights(tmp_path / "w.h5")
    other = cornu.Sequential([cornu.Input((4,)), cornu.layers.Dense(3, name="one"), head])
    before = head.kernel.numpy().copy()
    other.load_weights(tmp_path / "w.h5", by_name=True)
    np.testing.assert_array_equal(other.get_layer("one").kernel.numpy(), model.get_layer("one").kernel.numpy())
    np.testing.assert_array_equal(head.kernel.numpy(), before)


def test_weights_that_do_not_fit_can_be_skipped_with_a_warning(tmp_path):
    small().save_weights(tmp_path / "w.h5")
    other = cornu.Sequential([cornu.Input((4,)), cornu.layers.Dense(3), cornu.layers.Dense(5)])
    with pytest.raises(ValueError, match="Nothing was changed"):
        other.load_weights(tmp_path / "w.h5")
    with pytest.warns(UserWarning, match="skipped"):
        other.load_weights(tmp_path / "w.h5", skip_mismatch=True)


def test_a_model_of_a_class_of_ones_own_is_not_for_this_format(tmp_path):
    class Own(cornu.Model):
        def call(self, x):
            return x

    with pytest.raises(ValueError, match=r"Sequential and functional models.*\.keras"):
        Own().save(tmp_path / "m.h5")
    assert not (tmp_path / "m.h5").exists()


def test_long_lists_of_names_are_kept_in_parts(tmp_path):
    layers = [cornu.layers.Dense(1, name=f"{'long' * 50}_{i}") for i in range(400)]
    model = cornu.Sequential([cornu.Input((1,)), *layers])
    model.save_weights(tmp_path / "w.h5")
    with h5py.File(tmp_path / "w.h5") as file:
        assert "layer_names0" in file.attrs and "layer_names1" in file.attrs
    before = model.get_weights()
    model.set_weights([w * 0 for w in before])
    model.load_weights(tmp_path / "w.h5")
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = saved(tmp_path)
    before = path.read_bytes()
    monkeypatch.setattr("cornu.saving.legacy_h5.write_names", lambda *a: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        small().save(path)
    assert path.read_bytes() == before


# ---------------------------------------------------------------- what old names mean


@pytest.mark.parametrize(
    "kind, given, wanted",
    [
        ("Dense", {"output_dim": 2, "init": "normal", "bias": False, "W_regularizer": None}, {"units": 2}),
        ("Dropout", {"p": 0.5}, {"rate": 0.5}),
        ("Convolution2D", {"nb_filter": 3, "nb_row": 2, "nb_col": 4, "border_mode": "same", "dim_ordering": "th"},
         {"filters": 3, "kernel_size": [2, 4], "padding": "same", "data_format": "channels_first"}),
        ("AtrousConvolution2D", {"nb_filter": 3, "nb_row": 2, "nb_col": 2, "atrous_rate": [2, 2]},
         {"dilation_rate": [2, 2]}),
        ("LSTM", {"output_dim": 3, "inner_activation": "sigmoid", "dropout_W": 0.1, "dropout_U": 0.2,
                  "forget_bias_init": "one", "consume_less": "gpu"},
         {"units": 3, "recurrent_activation": "sigmoid", "dropout": 0.1, "recurrent_dropout": 0.2,
          "unit_forget_bias": True}),
        ("GRU", {"units": 3, "time_major": False, "implementation": 2}, {"reset_after": False}),
        ("CuDNNGRU", {"units": 3}, {"reset_after": True, "recurrent_activation": "sigmoid"}),
        ("BatchNormalizationV1", {"axis": [3]}, {"axis": 3}),
        ("DepthwiseConv2D", {"kernel_size": 3, "groups": 1, "kernel_initializer": "zeros"}, {"kernel_size": 3}),
        ("Embedding", {"input_dim": 5, "output_dim": 2, "init": "uniform", "input_length": 7},
         {"input_dim": 5, "output_dim": 2, "embeddings_initializer": "random_uniform"}),
        ("LeakyReLU", {"alpha": 0.2}, {"negative_slope": 0.2}),
        ("ThresholdedReLU", {"theta": 0.2}, {"threshold": 0.2}),
        ("Dense", {"units": 2, "dtype": {"class_name": "Policy", "config": {"name": "mixed_float16"}}},
         {"dtype": "mixed_float16"}),
    ],
)  # fmt: skip
def test_old_arguments_have_new_names(kind, given, wanted):
    config = old_layer(kind, name="x", **given)["config"]
    assert wanted.items() <= config.items()
    cornu.saving.deserialize_keras_object(old_layer(kind, name="x", **given))


@pytest.mark.parametrize(
    "kind, given, message",
    [
        ("MaxoutDense", {}, "MaxoutDense"),
        ("Highway", {}, "Highway"),
        ("LSTM", {"units": 2, "time_major": True}, "time_major=True"),
        ("DepthwiseConv2D", {"kernel_size": 2, "groups": 2}, "groups=2"),
        ("BatchNormalization", {"mode": 1}, "mode=1"),
        ("Merge", {"mode": "cos"}, "mode='cos'"),
        ("InputLayer", {"batch_input_shape": [None, 3], "surprise": 1}, "surprise=1"),
    ],
)
def test_what_has_no_equal_is_refused(kind, given, message):
    with pytest.raises(ValueError, match=message):
        old_layer(kind, name="x", **given)


def test_hard_sigmoid_keeps_its_old_slope():
    x = np.array([-3.0, -1.0, 0.0, 1.0, 3.0])
    layer = cornu.saving.deserialize_keras_object(old_layer("Activation", name="x", activation="hard_sigmoid"))
    np.testing.assert_allclose(layer(x), [0, 0.3, 0.5, 0.7, 1], rtol=1e-6)


def test_the_input_of_an_old_sequential_model_comes_from_its_first_layer():
    config = old_sequential(("Dense", {"name": "d", "output_dim": 2, "batch_input_shape": [None, 3]}))
    new, lines = legacy_config.upgrade(config)
    assert lines == []
    assert cornu.saving.deserialize_keras_object(new).input_shape == (None, 3)


def test_a_config_of_today_stays_as_it_is():
    model = small()
    new, lines = legacy_config.upgrade(json.loads(model.to_json()))
    assert lines == []
    assert cornu.saving.deserialize_keras_object(new).get_config() == model.get_config()


# ---------------------------------------------------------------- arrays in older layouts


def reading(**arrays):
    return [legacy_arrays.stored(name, value.shape, lambda value=value: value) for name, value in arrays.items()]


def test_cudnn_lstm_is_an_lstm_with_its_matrices_turned():
    """CuDNN holds for each gate a matrix (units, inputs), row after row, and two biases that are added."""
    rng, units, inputs = np.random.default_rng(0), 3, 2
    kernels, recurrent = rng.normal(size=(4, units, inputs)), rng.normal(size=(4, units, units))
    biases = rng.normal(size=(2, 4, units))
    kernel = np.concatenate([k.reshape(inputs, units) for k in kernels], axis=1)  # the same numbers, named otherwise
    found = legacy_arrays.joined(
        [
            legacy_arrays.stored("l/kernel:0", kernel.shape, lambda: kernel),
            legacy_arrays.stored("l/recurrent_kernel:0", (3, 12), lambda: np.concatenate(recurrent, axis=1)),
            legacy_arrays.stored("l/bias:0", (24,), biases.ravel),
        ]
    )
    layer = cornu.layers.LSTM(units)
    layer.build((None, None, inputs))
    layer.set_weights([array.read() for array in found])
    x = rng.normal(size=inputs)
    gates = [k @ x + b for k, b in zip(kernels, biases.sum(0), strict=True)]
    into, _, out = (1 / (1 + np.exp(-gates[i])) for i in (0, 1, 3))
    wanted = out * np.tanh(into * np.tanh(gates[2]))
    np.testing.assert_allclose(layer(x[None, None])[0], wanted, rtol=1e-5)
    np.testing.assert_allclose(found[1].read(), np.concatenate([r.T for r in recurrent], axis=1))


def test_cudnn_gru_keeps_both_biases():
    bias = np.arange(12.0)
    found = legacy_arrays.joined(reading(**{
        "g/kernel:0": np.ones((4, 6)), "g/recurrent_kernel:0": np.ones((2, 6)), "g/bias:0": bias,
    }))  # fmt: skip
    np.testing.assert_array_equal(found[2].read(), bias.reshape(2, 6))


# ---------------------------------------------------------------- damaged and hostile files


@pytest.mark.parametrize(
    "attributes, message",
    [
        ({"model_config": "{"}, "damaged"),
        ({"model_config": "[1, 2]"}, "damaged"),
        ({"model_config": "[" * 100_000}, "damaged"),
        ({"model_config": '{"class_name": "Sequential", "config": 7}'}, "damaged"),
        ({"model_config": '{"class_name": "Sequential", "config": {"layers": [7]}}'}, "damaged"),
        ({"model_config": '{"class_name": "Sequential", "config": {"layers": {}}}'}, "damaged"),
        ({"model_config": '{"class_name": "os.system", "config": {}}'}, "os.system"),
        ({"model_config": '{"class_name": "Dense", "config": {"units": 2}}'}, "not a model"),
        ({"model_config": np.arange(3)}, "damaged"),
        ({"model_config": b"\xff\xfe"}, "damaged"),
        ({"training_config": '{"optimizer_config": {"class_name": "os.system", "config": {}}}'}, "os.system"),
        ({"training_config": '{"optimizer_config": 3}'}, "damaged"),
        ({"keras_version": "new"}, "Keras release"),
    ],
)
def test_a_damaged_file_is_a_value_error(tmp_path, attributes, message):
    with pytest.raises(ValueError, match=message):
        cornu.models.load_model(saved(tmp_path, **attributes))


@pytest.mark.parametrize("version", ["1.2.2", "2.2.4", "3.15.1"])
@pytest.mark.parametrize(
    "nodes",
    [
        [["one", 0, 0]], [[["missing", 0, 0, {}]]], 5, [[]], [[["a", 9, 0, {}]]], [[["a", 0, 9, {}]]],
        [[["x", 0, 0, {}]]],
    ],
)  # fmt: skip
def test_a_graph_that_cannot_be_is_a_value_error(tmp_path, nodes, version):
    shape = "batch_input_shape" if version < "3" else "batch_shape"
    entry = {"class_name": "InputLayer", "name": "a", "config": {"name": "a", shape: [None, 4], "dtype": "float32"}}
    activation = {"class_name": "Activation", "name": "x", "config": {"name": "x", "activation": "relu"}}
    layers = [{**entry, "inbound_nodes": []}, {**activation, "inbound_nodes": nodes}]
    config = {"name": "m", "layers": layers, "input_layers": [["a", 0, 0]], "output_layers": [["x", 0, 0]]}
    text = json.dumps({"class_name": "Functional", "config": config})
    with pytest.raises(ValueError):
        cornu.models.load_model(saved(tmp_path, model_config=text, keras_version=version))


@pytest.mark.parametrize("link", [h5py.SoftLink("/elsewhere"), h5py.ExternalLink("other.h5", "/x")])
@pytest.mark.parametrize("place", ["model_weights", "model_weights/one", "optimizer_weights"])
def test_a_link_is_refused(tmp_path, link, place):
    path = saved(tmp_path)
    with h5py.File(path, "r+") as file:
        del file[place]
        file[place] = link
    with pytest.raises(ValueError, match="link"):
        cornu.models.load_model(path)


def test_the_code_of_a_lambda_is_refused(tmp_path):
    config = {"class_name": "Sequential", "config": {"layers": [
        {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 4], "name": "i"}},
        {"class_name": "Lambda", "config": {"name": "l", "function": ["AAAA", None, None], "function_type": "lambda"}},
    ]}}  # fmt: skip
    path = saved(tmp_path, model_config=json.dumps(config), keras_version="2.2.4")
    with pytest.raises(ValueError, match="safe_mode"):
        cornu.models.load_model(path)


def test_a_file_that_lacks_a_layer_says_so(tmp_path):
    path = saved(tmp_path)
    with h5py.File(path, "r+") as file:
        del file["model_weights/two"]
    with pytest.raises(ValueError, match="two"):
        cornu.models.load_model(path)


def test_a_lost_optimizer_state_is_told(tmp_path):
    path = tmp_path / "m.h5"
    model = small()
    model.fit(np.ones((2, 4)), np.ones((2, 2)), verbose=0)
    model.save(path)
    with h5py.File(path, "r+") as file:
        names = file["optimizer_weights"].attrs["weight_names"]
        file["optimizer_weights"].attrs["weight_names"] = names[:-1]
    with pytest.warns(UserWarning, match="optimizer state.*fresh"):
        cornu.models.load_model(path)


def test_mutated_files_load_or_raise_value_errors(tmp_path):
    data = bytearray(saved(tmp_path).read_bytes())
    rng = np.random.default_rng(0)
    path = tmp_path / "mutated.h5"
    for _ in range(60):
        mutated = bytearray(data)
        for place in rng.integers(0, len(data), 3):
            mutated[place] = rng.integers(0, 256)
        path.write_bytes(mutated)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                cornu.models.load_model(path, compile=False)
            except ValueError:
                continue


# ---------------------------------------------------------------- the older form of configs


@pytest.mark.parametrize("tools", [cornu.utils.legacy, cornu.legacy.saving])
def test_objects_in_the_older_form(tools):
    config = tools.serialize_keras_object(cornu.layers.Dense(2, name="d"))
    assert set(config) == {"class_name", "config"}
    layer = tools.deserialize_keras_object(config, module_objects=vars(cornu.layers))
    assert (layer.units, layer.name) == (2, "d")
    assert tools.deserialize_keras_object(None) is tools.serialize_keras_object(None) is None
    function = tools.deserialize_keras_object("relu", module_objects={"relu": cornu.activations.relu})
    assert tools.serialize_keras_object(function) == "relu"
    assert isinstance(tools.deserialize_keras_object("L2", {"L2": cornu.regularizers.L2}), cornu.regularizers.L2)
    assert tools.deserialize_keras_object(len) is len


@pytest.mark.parametrize("given", ["Nope", {"class_name": "Nope", "config": {}}, {"config": {}}, 3])
def test_what_the_older_form_does_not_name_is_refused(given):
    with pytest.raises(ValueError):
        cornu.utils.legacy.deserialize_keras_object(given, module_objects=vars(cornu.layers))
    with pytest.raises(ValueError, match="get_config"):
        cornu.utils.legacy.serialize_keras_object(object())
