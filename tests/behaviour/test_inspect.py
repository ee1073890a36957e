"""Looking into a file before loading it: what is in it, whether it would load, and what to do where it would not."""

import json
import os
import random
import resource
import zipfile

import h5py
import jax
import numpy as np
import pytest
from file_structure import contents, put
from oracle import ask
from test_layer_contract import MADE, call, inputs

import cornu
from cornu import cli, layers


def compiled(name="small"):
    model = cornu.Sequential(
        [
            cornu.Input((4,)),
            layers.Dense(5, "relu", name="hidden"),
            layers.Dropout(0.5, name="drop"),
            layers.Dense(1, name="last"),
        ],
        name=name,
    )
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(np.ones((8, 4)), np.ones((8, 1)), verbose=0)
    return model


def look(path, **options):
    return cornu.models.load_model(path, report=True, **options)


def edited(path, change=lambda config: None, weights=lambda file: None):
    """The `.keras` file at `path` with its config and its weights changed."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    change(config)
    members["config.json"] = json.dumps(config).encode()
    inner = path.with_suffix(".inner")
    inner.write_bytes(members["model.weights.h5"])
    with h5py.File(inner, "a") as file:
        weights(file)
    members["model.weights.h5"] = inner.read_bytes()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def set_in(index, **values):
    """A change of the config of one layer."""
    return lambda config: config["config"]["layers"][index]["config"].update(values)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "model.keras"
    compiled().save(path)
    return path


# ---------------------------------------------------------------- good files


def test_a_model_file_tells_what_it_holds(saved):
    report = look(saved)
    assert report.loads and report.refused == [] and report.findings == []
    assert report.format == "keras" and report.bytes == os.path.getsize(saved)
    assert set(report.written_by) == {"keras_version", "date_saved", "cornu_version"}
    assert report.model == {
        "class_name": "Sequential", "name": "small", "parameters": 31, "trainable_parameters": 31,
    }  # fmt: skip
    rows = [(row.path, row.class_name, row.output_shape, row.parameters, row.settings) for row in report.layers[1:]]
    assert rows == [
        ("hidden", "Dense", (None, 5), 25, "units=5, activation=relu"),
        ("drop", "Dropout", (None, 5), 0, "rate=0.5"),
        ("last", "Dense", (None, 1), 6, "units=1"),
    ]
    assert report.compiled == {"optimizer": "Adam", "loss": "mse", "metrics": "[mae]"}
    assert report.optimizer_state["arrays"] == 10
    stored = {array.path: (array.shape, array.dtype, array.bytes) for array in report.weights}
    assert stored["layers/dense/vars/0"] == ((4, 5), "float32", 80)
    assert {row.status for row in report.classes} == {"known"}


def test_layers_of_inner_models_and_operations_are_listed(tmp_path):
    cornu.utils.clear_session(free_memory=False)  # so that the operation is the first of its name
    inner = cornu.Sequential([cornu.Input((3,)), layers.Dense(2, name="deep")], name="inner")
    x = cornu.Input((3,), name="x")
    cornu.Model(x, inner(cornu.ops.relu(x) + 1.0), name="outer").save(tmp_path / "m.keras")
    shapes = {row.path: row.output_shape for row in look(tmp_path / "m.keras").layers}
    assert shapes["x"] == shapes["relu"] == (None, 3)
    assert shapes["inner"] == shapes["inner/deep"] == (None, 2)


def _folder(model, path):
    cornu.models.save_model(model, path, zipped=False)


SAVED_BY_CORNU = {
    "keras": ("m.keras", lambda model, path: model.save(path)),
    "keras_folder": ("folder", _folder),
    "weights_h5": ("m.weights.h5", lambda model, path: model.save_weights(path)),
    "sharded_weights": ("m.weights.json", lambda model, path: model.save_weights(path, max_shard_size=1e-7)),
    "safetensors": ("m.safetensors", lambda model, path: model.save_weights(path)),
    "model_h5": ("m.h5", lambda model, path: model.save(path)),
    "weights_of_layers_h5": ("m.h5", lambda model, path: model.save_weights(path)),
}
WHOLE = ("keras", "keras_folder", "model_h5")  # formats of models
WITH_SEEDS = ("keras", "keras_folder", "model_h5", "weights_h5", "sharded_weights")


@pytest.mark.parametrize("kind", SAVED_BY_CORNU)
def test_every_format_of_cornu_loads(kind, tmp_path):
    name, save = SAVED_BY_CORNU[kind]
    save(compiled(), tmp_path / name)
    report = look(tmp_path / name)
    assert report.format == kind and report.loads, report.findings
    assert (report.model is not None) == (kind in WHOLE)
    assert sum(array.bytes for array in report.weights) == 4 * 31 + 8 * (kind in WITH_SEEDS)
    assert str(report)


def written_by_keras(keras, folder):
    """Files of one trained model, written by real Keras in each of its formats."""
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(5, "relu"), keras.layers.BatchNormalization(), keras.layers.Dense(1)]
    )
    model.compile("adam", "mse")
    model.fit(np.ones((8, 4)), np.ones((8, 1)), verbose=0)
    model.save(folder / "m.keras")
    keras.saving.save_model(model, folder / "folder", zipped=False)
    model.save_weights(folder / "m.weights.h5")
    model.save_weights(folder / "m.weights.json", max_shard_size=1e-7)
    model.save(folder / "m.h5")
    return {file.name: contents(file) for file in folder.iterdir()}


@pytest.mark.parametrize(
    "name, kind",
    [
        ("m.keras", "keras"),
        ("folder", "keras_folder"),
        ("m.weights.h5", "weights_h5"),
        ("m.weights.json", "sharded_weights"),
        ("m.h5", "model_h5"),
    ],
)
def test_every_format_of_keras_loads(tmp_path, name, kind):
    (tmp_path / "asked").mkdir()
    for file, content in ask(lambda keras: written_by_keras(keras, tmp_path / "asked"), "every format").items():
        put(content, tmp_path / file)
    report = look(tmp_path / name)
    assert report.format == kind and report.loads, report.findings
    assert len(report.weights) == 8 and report.optimizer_state["arrays"] == 14
    if report.model is not None:
        assert report.model["parameters"] == 51 and report.model["trainable_parameters"] == 41


def _old_file(path, config, weights):
    """A whole-model file as Keras 2.2 wrote it."""
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = b"2.2.4", b"tensorflow"
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": config}).encode()
        training = {"optimizer_config": {"class_name": "SGD", "config": {"lr": 0.01}}, "loss": "mse", "metrics": []}
        file.attrs["training_config"] = json.dumps(training).encode()
        root = file.create_group("model_weights")
        root.attrs["layer_names"] = [layer.encode() for layer in weights]
        for layer, arrays in weights.items():
            group = root.create_group(layer)
            group.attrs["weight_names"] = [name.encode() for name in arrays]
            for name, shape in arrays.items():
                group[name] = np.ones(shape, "float32")


def old_recurrent(path, **arguments):
    config = [
        {
            "class_name": "CuDNNLSTM",
            "config": {"name": "rec", "units": 3, "batch_input_shape": [None, 5, 2], **arguments},
        },
        {"class_name": "Dense", "config": {"name": "out", "output_dim": 2, "activation": "hard_sigmoid"}},
    ]
    weights = {
        "rec": {"rec/kernel:0": (2, 12), "rec/recurrent_kernel:0": (3, 12), "rec/bias:0": (24,)},
        "out": {"out/kernel:0": (3, 2), "out/bias:0": (2,)},
    }
    _old_file(path, config, weights)


def test_an_old_file_tells_what_changes(tmp_path):
    old_recurrent(tmp_path / "m.h5")
    report = look(tmp_path / "m.h5")
    assert report.format == "model_h5" and report.loads
    assert report.written_by == {"keras_version": "2.2.4", "backend": "tensorflow"}
    assert [(row.path, row.class_name, row.parameters) for row in report.layers[1:]] == [
        ("rec", "LSTM", 72),
        ("out", "Dense", 8),
    ]
    assert report.compiled["optimizer"].startswith("SGD") and report.compiled["loss"] == "mse"
    said = [(finding.kind, finding.where, finding.what) for finding in report.findings]
    assert ("maps", "rec", "CuDNNLSTM is LSTM now") in said
    assert ("maps", "out", "output_dim is units now") in said
    assert any(kind == "changes" and "hard_sigmoid" in what for kind, _, what in said)
    with pytest.warns(UserWarning, match="hard_sigmoid"):
        assert cornu.models.load_model(tmp_path / "m.h5").count_params() == 80


def test_an_old_file_without_an_equal_today_is_refused(tmp_path):
    old_recurrent(tmp_path / "m.h5", time_major=True)
    report = look(tmp_path / "m.h5")
    assert not report.loads and "time_major" in report.refused[0]


def test_what_loading_without_compiling_ignores(saved):
    report = look(saved, compile=False)
    assert report.loads
    assert [(finding.kind, finding.where) for finding in report.findings] == [("ignores", "optimizer/vars")]


def test_looking_leaves_no_trace(saved):
    edited(saved, set_in(1, dtype="float64"))
    first = layers.Dense(1).name
    before = random.getstate()
    assert look(saved).layers[1].dtype == "float64"
    assert random.getstate() == before
    assert int(layers.Dense(1).name.rpartition("_")[2]) == int(first.removeprefix("dense").strip("_") or 0) + 1
    assert not jax.config.jax_enable_x64


@pytest.mark.parametrize("name", [name for name in MADE if name != "Layer"])
def test_every_layer_is_laid_out_as_it_loads(name, tmp_path):
    make, shapes = MADE[name]
    entry = inputs(shapes)
    model = cornu.Model(entry, call(make(), entry))
    model.save(tmp_path / "m.keras")
    report = look(tmp_path / "m.keras")
    assert report.loads and report.findings == []
    assert report.model["parameters"] == model.count_params()
    rows = [row for row in report.layers if "/" not in row.path]  # not those inside of others
    assert [row.parameters for row in rows] == [layer.count_params() for layer in model.layers]
    assert rows[-1].output_shape == model.output_shape


# ---------------------------------------------------------------- as a person sees it


def test_printing_shows_tables_and_the_verdict(saved):
    text = str(look(saved))
    for part in ("Keras 3 archive", "31 parameters", "hidden (Dense)", "(None, 5)", "Adam", "layers/dense_1", "(5, 1)"):
        assert part in text
    assert text.endswith("Loads with load_model(path).")
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_tables_fit_any_width(saved, width, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(width))
    assert cli.main(["inspect", str(saved)]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= width


def test_the_command_prints_json_that_is_the_report(saved, capsys):
    assert cli.main(["inspect", "--json", str(saved)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == json.loads(json.dumps(look(saved).to_dict()))
    assert set(said) == {
        "path", "format", "bytes", "loads", "written_by", "model", "layers", "classes", "compiled", "optimizer_state",
        "weights", "assets", "findings",
    }  # fmt: skip
    assert said["layers"][1] == {
        "path": "hidden", "class_name": "Dense", "output_shape": [None, 5], "dtype": "float32", "parameters": 25,
        "settings": "units=5, activation=relu",
    }  # fmt: skip


def test_the_exit_status_says_whether_it_loads(saved, capsys):
    assert cli.main(["inspect", str(saved)]) == 0
    edited(saved, lambda config: config["config"]["layers"][1].update(module="mine", class_name="Mine"))
    assert cli.main(["inspect", str(saved)]) == 1
    assert "custom_objects={'Mine'" in capsys.readouterr().out.replace("\n", "")
    assert cli.main(["inspect", str(saved) + "x"]) == 2
    with pytest.raises(SystemExit) as wrong:
        cli.main(["inspect"])
    assert wrong.value.code == 2


def test_names_cannot_write_on_the_screen(tmp_path):
    path = tmp_path / "m.keras"
    cornu.Sequential([cornu.Input((4,)), layers.Dense(2)]).save(path)
    text = str(look(edited(path, set_in(1, name="[bold]\x1b[31mred\r\u202e"))))
    assert r"[bold]\x1b[31mred\r\u202e (Dense)" in text
    assert "\x1b" not in text and "\u202e" not in text


# ---------------------------------------------------------------- files that do not load


class Tripled(layers.Layer):
    made = 0

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        Tripled.made += 1

    def call(self, inputs):
        return inputs * 3


def test_an_own_class_is_named_and_never_made(tmp_path):
    path = tmp_path / "m.keras"
    cornu.Sequential([cornu.Input((2,)), Tripled(name="three"), layers.Dense(3, name="dense")]).save(path)
    made = Tripled.made
    report = look(path)
    assert not report.loads and "custom_objects={'Tripled': ...}" in report.refused[0]
    assert [(row.name, row.status) for row in report.classes if row.status != "known"] == [("Tripled", "refused")]
    assert report.findings[0].where == "three"
    assert {row.path: row.parameters for row in report.layers}["dense"] == 9  # counted in the file
    report = look(path, custom_objects={"Tripled": Tripled})
    assert report.loads and ("Tripled", "custom") in [(row.name, row.status) for row in report.classes]
    assert Tripled.made == made


def test_all_unknown_classes_are_named_at_once(saved):
    def change(config):
        for number, layer in enumerate(config["config"]["layers"][1:]):
            layer.update(module="os", class_name=f"system{number}")

    report = look(edited(saved, change))
    assert [finding.where for finding in report.findings if finding.stops] == ["hidden", "drop", "last"]


def test_code_is_refused_and_never_run(tmp_path, monkeypatch):
    path, mark = tmp_path / "m.keras", tmp_path / "mark"

    def question(keras):
        source = "lambda x: (open('mark', 'w').close(), x)[1]"
        asked = tmp_path / "asked.keras"
        keras.Sequential([keras.Input((2,)), keras.layers.Lambda(eval(source), name="trap")]).save(asked)
        mark.unlink()  # Keras ran it
        return contents(asked)

    monkeypatch.chdir(tmp_path)
    put(ask(question), path)
    report = look(path)
    assert not report.loads and "safe_mode=False" in report.refused[0]
    assert look(path, safe_mode=False).loads
    assert not mark.exists()


@pytest.mark.parametrize("kind", ["function", "output_shape", "mask"])
def test_code_in_the_way_of_keras_2_is_not_run_either(kind, tmp_path):
    path = tmp_path / "m.keras"
    cornu.Sequential([cornu.Input((2,)), layers.Lambda(cornu.ops.relu, name="trap")]).save(path)
    code = {kind: ["4wAAAAA=", None, None], f"{kind}_type": "lambda"}
    edited(path, set_in(1, **code))
    assert not look(path).loads
    assert look(path, safe_mode=False).loads  # as far as one can tell without running it


HUGE = {
    "dense": ([cornu.Input((4,)), layers.Dense(2)], set_in(1, units=10**12)),
    "beyond any size": ([cornu.Input((4,)), layers.Dense(2)], set_in(1, units=10**30)),
    "embedding": ([cornu.Input((4,)), layers.Embedding(9, 2)], set_in(1, output_dim=10**13)),
    "convolution": ([cornu.Input((4, 4, 1)), layers.Conv2D(2, 3, padding="same")], set_in(1, kernel_size=[10**6] * 2)),
    "states": (
        [cornu.Input((3, 4), batch_size=2), layers.LSTM(2, stateful=True)],
        lambda config: config["config"]["layers"].pop(0) and set_in(0, units=10**9)(config),
    ),
}


@pytest.mark.parametrize("what", HUGE)
def test_huge_shapes_take_no_memory(what, tmp_path):
    inside, change = HUGE[what]
    path = tmp_path / "m.keras"
    cornu.Sequential(inside).save(path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    report = look(edited(path, change))
    assert not report.loads
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**17  # KB


def test_a_declared_trillion_of_units_is_counted(tmp_path):
    path = tmp_path / "m.keras"
    cornu.Sequential([cornu.Input((4,)), layers.Dense(2)]).save(path)
    report = look(edited(path, set_in(1, units=10**12)))
    assert report.layers[1].parameters == 5 * 10**12
    assert report.layers[1].output_shape == (None, 10**12)
    assert report.findings[0][:2] == ("misses", "layers/dense/vars/0")


def test_weights_that_the_model_or_the_file_lacks_are_listed(saved):
    def move(file):
        file["layers/extra"] = file["layers/dense"]
        del file["layers/dense"]

    report = look(edited(saved, weights=move))
    assert not report.loads
    found = {(finding.kind, finding.where) for finding in report.findings if not finding.stops}
    assert found == {("misses", "layers/dense/vars"), ("ignores", "layers/extra/vars")}
    assert report.layers[1].parameters == 25


def test_links_out_of_the_file_are_refused(saved, tmp_path):
    def link(file):
        del file["layers/dense/vars/0"]
        file["layers/dense/vars/0"] = h5py.ExternalLink(str(tmp_path / "elsewhere.h5"), "/secret")

    report = look(edited(saved, weights=link))
    assert not report.loads and "link" in report.refused[0]


def test_a_link_in_a_file_of_weights_is_refused(tmp_path):
    path = tmp_path / "m.weights.h5"
    compiled().save_weights(path)
    with h5py.File(path, "a") as file:
        file["layers/loop"] = h5py.SoftLink("/layers")
    report = look(path)
    assert not report.loads and "link" in report.refused[0]


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x03\x04broken", b"\x89HDF\r\n\x1a\n", b"no model", b"\0" * 9999])
@pytest.mark.parametrize("name", ["m.keras", "m.h5", "m.weights.h5", "m.weights.json", "m.safetensors", "m.pt", "m"])
def test_what_is_no_model_is_said_to_be_none(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    report = look(tmp_path / name)
    assert not report.loads and len(report.refused) == 1
    assert "Does not load:" in str(report)


@pytest.mark.parametrize("name", ["m.weights.h5", "m.h5", "m.safetensors", "m.pt"])
def test_a_model_under_another_formats_name_does_not_load(name, saved, tmp_path):
    (tmp_path / name).write_bytes(saved.read_bytes())
    assert not look(tmp_path / name).loads


def test_weights_under_another_formats_name_do_not_load(tmp_path):
    compiled().save_weights(tmp_path / "m.weights.h5")
    (tmp_path / "m.keras").write_bytes((tmp_path / "m.weights.h5").read_bytes())
    report = look(tmp_path / "m.keras")
    assert report.format == "weights_h5" and not report.loads and "must end with" in report.refused[0]


@pytest.mark.parametrize("name", ["m.keras", "m.weights.h5", "m.weights.json", "m.safetensors", "m.h5"])
def test_damaged_files_never_break_the_report(name, tmp_path):
    model = compiled()
    if name == "m.weights.json":
        model.save_weights(tmp_path / name, max_shard_size=1e-7)
    else:
        (model.save if name in ("m.keras", "m.h5") else model.save_weights)(tmp_path / name)
    good = (tmp_path / name).read_bytes()
    dice = np.random.default_rng(0)
    for round_number in range(60):
        bad = bytearray(good[: len(good) - round_number * len(good) // 120])
        for place in dice.integers(0, len(bad), 3):
            bad[place] = dice.integers(256)
        (tmp_path / name).write_bytes(bad)
        report = look(tmp_path / name)
        assert json.dumps(report.to_dict()) and str(report)


@pytest.mark.parametrize("value", [None, 7, "text", [], {}, [[]], [{}], {"class_name": 7}, {"class_name": "Dense"}])
@pytest.mark.parametrize("key", ["class_name", "config", "compile_config", "build_config", "module", "registered_name"])
def test_a_config_of_the_wrong_form_never_breaks_the_report(key, value, saved):
    report = look(edited(saved, lambda config: config.update({key: value})))
    assert json.dumps(report.to_dict()) and str(report)


def nested(depth):
    return [nested(depth - 1)] if depth else []


@pytest.mark.parametrize("shape", [nested(300), nested(3), {"a": 1}, ["x"], [None, "y"], 5])
def test_a_shape_that_is_none_never_breaks_the_report(shape, saved):
    report = look(edited(saved, set_in(0, batch_shape=shape)))
    assert json.dumps(report.to_dict()) and str(report) and not report.loads


def test_damage_in_what_no_load_reads_is_no_obstacle(saved, tmp_path):
    with zipfile.ZipFile(saved, "a") as archive:
        archive.writestr("notes.txt", "hello")
    bad = tmp_path / "bad.keras"
    with zipfile.ZipFile(saved) as good, zipfile.ZipFile(bad, "w") as archive:
        for name in good.namelist():
            archive.writestr(name, b"{" if name == "metadata.json" else good.read(name))
    report = look(bad)
    assert report.loads and report.written_by == {}
    assert [(finding.kind, finding.where) for finding in report.findings] == [
        ("note", "metadata.json"),
        ("ignores", "notes.txt"),
    ]
    cornu.models.load_model(bad)


@pytest.mark.parametrize("units", [5, 6, -1, "many", None])
def test_the_verdict_is_the_loaders(units, saved):
    edited(saved, set_in(1, units=units))
    report = look(saved)
    try:
        cornu.models.load_model(saved)
    except ValueError as error:
        assert not report.loads and str(error).split()[:6] == report.refused[0].split()[:6]
    else:
        assert report.loads


def test_names_that_are_no_text_are_passed_over_as_in_a_load(tmp_path):
    model = cornu.Sequential([cornu.Input((2,)), cornu.layers.Dense(1)])
    model.save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "a") as file:
        file.create_group(b"model_weights/\xff\xfe")
    assert cornu.models.load_model(tmp_path / "m.h5", report=True).refused == []
    loaded = cornu.models.load_model(tmp_path / "m.h5")
    np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])


def test_a_tensor_among_the_arguments_of_an_optimizer_is_looked_at_with_its_value(tmp_path):
    path = tmp_path / "m.keras"
    compiled().save(path)
    norm = {"class_name": "__tensor__", "config": {"value": 0.5, "dtype": "float32"}}
    edited(path, lambda config: config["compile_config"]["optimizer"]["config"].update(clipnorm=norm))
    assert look(path).loads
    assert float(cornu.models.load_model(path).optimizer.clipnorm) == 0.5


def test_first_values_that_cannot_be_made_are_seen_where_the_file_has_none(tmp_path):
    path = tmp_path / "m.keras"
    compiled().save(path)
    odd = {"class_name": "Constant", "config": {"value": [1.0, 2.0]}, "module": "keras.initializers"}
    edited(path, set_in(2, kernel_initializer=odd, name="other"), lambda file: file["layers"].pop("dense_1", None))
    report = look(path)
    with pytest.raises(ValueError):
        cornu.models.load_model(path)
    assert not report.loads
