"""Files that strangers made to do harm: each is refused with a word, and runs, opens, imports and takes nothing."""

import base64
import codecs
import gc
import io
import json
import marshal
import os
import stat
import struct
import subprocess
import sys
import tarfile
import time
import traceback
import warnings
import zipfile
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import h5py
import numpy as np
import pytest

import cornu
from cornu import layers, registry
from cornu.errors import LoadLimitError
from cornu.saving import plain_h5
from cornu.utils import archives

for namespace in registry.NAMESPACES:  # where a class is looked for: cornu's own modules are imported before
    registry._namespace(namespace)

# ---------------------------------------------------------------- what a file may not do

_RUNS = {
    "exec", "compile", "marshal.loads", "pickle.find_class", "os.system", "os.exec", "os.posix_spawn", "os.fork",
    "subprocess.Popen", "socket.connect", "socket.getaddrinfo", "ctypes.dlopen", "import", "shutil.rmtree",
}  # fmt: skip
_seen: list | None = None


def _note(event, arguments):
    if _seen is not None and (event in _RUNS or event == "open"):
        _seen.append((event, arguments))


sys.addaudithook(_note)


@contextmanager
def harmless(folder, most_bytes=2**28, most_seconds=5.0):
    """What happens inside runs and imports nothing, opens files of `folder` alone, and takes little memory and time."""
    global _seen  # noqa: PLW0603 - a hook cannot be taken away, only told to look elsewhere
    before, start = _memory("VmRSS"), time.process_time()  # a machine that is busy otherwise changes nothing
    Path("/proc/self/clear_refs").write_text("5")
    _seen = []
    try:
        yield
    finally:
        seen, _seen = _seen, None
    assert [event for event in seen if event[0] in _RUNS and not _is_own(event)] == []
    opened = {os.path.realpath(a[0]) for e, a in seen if e == "open" and isinstance(a[0], (str, bytes, os.PathLike))}
    code = (sys.prefix, sys.base_prefix, str(Path(cornu.__file__).parents[1]), str(Path(__file__).parents[2]))
    allowed = (os.path.realpath(folder), "/proc/", *code)
    temporary = os.path.join(os.path.realpath(os.environ.get("TMPDIR", "/tmp")), "tmp")
    opened.discard(os.path.dirname(temporary))  # of a temporary file without a name
    assert [path for path in opened if not str(path).startswith((*allowed, temporary))] == []
    assert _memory("VmHWM") - before < most_bytes
    assert time.process_time() - start < most_seconds


def _is_own(event):
    """Removing one's own temporary folder."""
    return event[0] == "shutil.rmtree" and os.path.basename(str(event[1][0])).startswith(("tmp", "."))


def _memory(what):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(what))


def small():
    return cornu.Sequential([cornu.Input((4,)), layers.Dense(3, name="first"), layers.Dense(2, name="second")])


@pytest.fixture(scope="module", autouse=True)
def warm(tmp_path_factory):
    """Everything that loading imports late is there, so that an import means that a file asked for it."""
    folder = tmp_path_factory.mktemp("warm")
    model = small()
    model.compile("adam", "mse")
    model.save_weights(folder / "b.weights.h5")
    with redirect_stdout(io.StringIO()):
        cornu.saving.KerasFileEditor(folder / "b.weights.h5")
    for name in ("a.keras", "a.weights.h5", "a.safetensors"):
        model.save(folder / name) if name.endswith(".keras") else model.save_weights(folder / name)
        cornu.models.load_model(folder / name) if name.endswith(".keras") else model.load_weights(folder / name)
    cornu.models.model_from_json(model.to_json())
    cornu.ops.add(1.0, 2.0)  # a first program, with which JAX imports its compiler
    codecs.lookup("ascii")


@pytest.fixture
def good(tmp_path):
    small().save(tmp_path / "good.keras")
    return tmp_path / "good.keras"


def changed(good, change, name="bad.keras"):
    """A copy of a good file whose config `change` was let at."""
    config = json.loads(zipfile.ZipFile(good).read("config.json"))
    text = json.dumps(change(config) or config)
    return rewritten(good, {"config.json": text}, good.with_name(name))


def rewritten(good, members, path, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(good) as old, zipfile.ZipFile(path, "w", method) as new:
        for name in old.namelist():
            new.writestr(name, members.pop(name, old.read(name)))
        for name, content in members.items():
            new.writestr(name, content)
    return path


def with_weights(good, make):
    """A copy of a good file with weights that `make` writes."""
    buffer = io.BytesIO(zipfile.ZipFile(good).read("model.weights.h5"))
    with h5py.File(buffer, "r+") as file:
        make(file)
    return rewritten(good, {"model.weights.h5": buffer.getvalue()}, good.with_name("bad.keras"))


def is_refused(path, match=".", **kwargs):
    with harmless(path.parent), pytest.raises(ValueError, match=match):
        cornu.models.load_model(path, **kwargs)


# ---------------------------------------------------------------- code

MARK = "the_file_ran"


def payload(folder):
    """The code of a function that leaves a mark where it runs."""
    source = f"lambda x: (open({str(folder / MARK)!r}, 'w').close(), x)[1]"
    return base64.b64encode(marshal.dumps(eval(source).__code__)).decode()


RELU = {"module": "builtins", "class_name": "function", "config": "relu", "registered_name": "function"}


def code_configs(folder):
    code = payload(folder)
    plain = {"class_name": "__lambda__", "config": {"code": code, "defaults": None, "closure": None}}
    return {
        "keras 3": {"function": plain},
        "keras 3, other objects": {"function": {"class_name": "__lambda__", "config": {"value": [code, None, None]}}},
        "keras 2": {"function": [code, None, None], "function_type": "lambda", "module": "os"},
        "as the mask": {"function": RELU, "mask": plain},
        "as the shape": {"function": RELU, "output_shape": plain},
    }


FORMS = list(code_configs(Path("/")))


def lambda_layer(form, folder):
    config = {"name": "evil", **code_configs(folder)[form]}
    return {"module": "keras.layers", "class_name": "Lambda", "config": config, "registered_name": None}


def with_lambda(good, form, folder):
    return changed(good, lambda c: c["config"]["layers"].append(lambda_layer(form, folder)))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("safe_mode", [True, None, 0, "", "False"])
def test_code_of_a_lambda_does_not_run_unless_the_caller_says_false(form, safe_mode, good, tmp_path):
    path = with_lambda(good, form, tmp_path)
    is_refused(path, "safe_mode=False", safe_mode=safe_mode)
    assert not (tmp_path / MARK).exists()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("safe_mode", [True, None, 0])
def test_an_older_file_is_no_way_around(form, safe_mode, tmp_path):
    small().save(tmp_path / "bad.h5")
    with h5py.File(tmp_path / "bad.h5", "r+") as file:
        config = json.loads(file.attrs["model_config"])
        old = {"class_name": "Lambda", "config": {"name": "evil", **code_configs(tmp_path)[form]}}
        config["config"]["layers"].append(old)
        file.attrs["model_config"] = json.dumps(config)
    is_refused(tmp_path / "bad.h5", "safe_mode=False", safe_mode=safe_mode)
    assert not (tmp_path / MARK).exists()


def test_code_of_a_lambda_runs_for_the_caller_who_says_false(good, tmp_path):
    cornu.models.load_model(with_lambda(good, "keras 3", tmp_path), safe_mode=False)
    assert (tmp_path / MARK).exists()


def test_code_of_a_lambda_runs_once_a_person_allowed_it_for_the_process(good, tmp_path):
    was = cornu.settings.read("unsafe_deserialization")
    try:
        cornu.config.enable_unsafe_deserialization()
        cornu.models.load_model(with_lambda(good, "keras 3", tmp_path))
    finally:
        cornu.settings.write("unsafe_deserialization", was)
    assert (tmp_path / MARK).exists()


@pytest.mark.parametrize("form", FORMS)
def test_every_way_to_read_a_config_refuses_code(form, good, tmp_path):
    written = json.loads(json.dumps(small().get_config()))
    written["layers"].append(lambda_layer(form, tmp_path))
    whole = {"module": "keras", "class_name": "Sequential", "config": written, "registered_name": None}
    layer = lambda_layer(form, tmp_path)
    ways = (
        lambda: cornu.models.model_from_json(json.dumps(whole)),
        lambda: cornu.Sequential.from_config(written),
        lambda: cornu.saving.deserialize_keras_object(whole),
        lambda: cornu.saving.deserialize_keras_object(whole, safe_mode=None),
        lambda: layers.Lambda.from_config(layer["config"]),
        lambda: layers.deserialize(layer),
        lambda: layers.TimeDistributed.from_config({"layer": layer}),
    )
    for way in ways:
        with harmless(tmp_path), pytest.raises(ValueError, match="safe_mode=False"):
            way()
    assert not (tmp_path / MARK).exists()


def test_a_layer_that_asks_for_code_while_a_file_is_read_gets_none(good, tmp_path):
    evil = lambda_layer("keras 3", tmp_path)

    class Eager(layers.Layer):
        """A layer of the program whose config reader is careless."""

        @classmethod
        def from_config(cls, config):
            cornu.saving.deserialize_keras_object(evil, safe_mode=False)
            return cls()

    entry = {"module": None, "class_name": "Eager", "config": {}, "registered_name": "Eager"}
    path = changed(good, lambda c: c["config"]["layers"].append(entry))
    is_refused(path, "safe_mode=False", custom_objects={"Eager": Eager})
    assert not (tmp_path / MARK).exists()


# ---------------------------------------------------------------- names

CLASSES = [
    ("os", "system"), ("builtins", "eval"), ("builtins", "exec"), ("builtins", "__import__"), ("subprocess", "Popen"),
    ("importlib", "import_module"), ("keras.src.utils.python_utils", "func_load"), ("keras.utils", "get_file"),
    ("keras.models", "load_model"), ("keras.models", "clone_model"), ("keras.models", "model_from_json"),
    ("keras.models", "save_model"), ("keras.saving", "load_weights"), ("keras.saving", "load_model"),
    ("keras.config", "enable_unsafe_deserialization"), ("keras.config", "set_compilation_cache"),
    ("keras.layers", "TorchModuleWrapper"), ("keras.layers", "TFSMLayer"), ("keras.layers", "deserialize"),
    ("keras.losses", "get"), ("keras.activations", "deserialize"), ("keras.ops", "numpy"), ("keras.ops", "np"),
    ("keras.random", "set_random_seed"), ("keras.layers", "np"), ("keras.layers", "registry"), ("keras", "saving"),
    ("keras.optimizers", "legacy"), ("cornu.layers", "Dense"), ("keras.layers", "__class__"),
    ("keras.layers", "__doc__"),
]  # fmt: skip


@pytest.mark.parametrize(("module", "name"), CLASSES)
def test_a_config_names_classes_of_a_closed_list(module, name, good):
    for registered_name in (None, name, f"{module}>{name}"):
        entry = {"module": module, "class_name": name, "config": {"name": "x"}, "registered_name": registered_name}
        is_refused(changed(good, lambda c, e=entry: c["config"]["layers"].append(e)), name)


def test_what_classes_without_an_equal_hold_is_said(good):
    for name, word in (("TorchModuleWrapper", "pickled"), ("TFSMLayer", "TensorFlow")):
        entry = {"module": "keras.layers", "class_name": name, "config": {"name": "x"}, "registered_name": None}
        is_refused(changed(good, lambda c, e=entry: c["config"]["layers"].append(e)), f"{name}: .*{word}")


@pytest.mark.parametrize(("module", "name"), CLASSES)
def test_a_config_names_functions_of_a_closed_list(module, name, good):
    for config in (name, [name], {"a": name}):
        function = {"module": module, "class_name": "function", "config": config, "registered_name": "function"}
        for key in ("activation", "kernel_initializer", "kernel_regularizer"):
            path = changed(good, lambda c, k=key, f=function: c["config"]["layers"][1]["config"].update({k: f}))
            is_refused(path)
        entry = {"class_name": "Lambda", "module": "keras.layers", "config": {"name": "l", "function": function}}
        is_refused(changed(good, lambda c, e=entry: c["config"]["layers"].append(e)))


def test_a_config_cannot_name_a_module_to_import(good, tmp_path, monkeypatch):
    (tmp_path / "evil_module.py").write_text(f"open({str(tmp_path / MARK)!r}, 'w').close()\nclass Evil: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    for module in ("evil_module", "keras.evil_module", "keras.src.evil_module", "builtins"):
        entry = {"module": module, "class_name": "Evil", "config": {}, "registered_name": "evil_module>Evil"}
        is_refused(changed(good, lambda c, e=entry: c["config"]["layers"].append(e)), "Evil")
    assert not (tmp_path / MARK).exists()


def test_the_compile_arguments_are_read_as_carefully(good, tmp_path):
    for key in ("optimizer", "loss", "metrics", "loss_weights", "steps_per_execution"):
        for value in (lambda_layer("keras 3", tmp_path), {"module": "os", "class_name": "system", "config": "true"}):
            is_refused(changed(good, lambda c, k=key, v=value: c.update(compile_config={k: v})))
    assert not (tmp_path / MARK).exists()


@pytest.mark.parametrize("name", ["../up", "/etc/x", "a/../../b", "..\\up"])
def test_names_of_layers_lead_nowhere(name, good, tmp_path):
    path = changed(good, lambda c: c["config"]["layers"][1]["config"].update(name=name))
    with harmless(tmp_path):
        try:
            cornu.models.load_model(path).save(tmp_path / "again.keras")
        except ValueError:
            assert not (tmp_path / "again.keras").exists()
            return
    members = zipfile.ZipFile(tmp_path / "again.keras").namelist()
    assert not any(".." in member or member.startswith("/") for member in members)


def test_names_of_variables_lead_nowhere():
    for name in ("../up", "/etc/x"):
        with pytest.raises(ValueError, match="name"):
            cornu.Variable([1.0], name=name)


# ---------------------------------------------------------------- sizes

SIZES = [10**6, 10**9, 10**12, 2**31, 2**63, 10**30, -1, 0, 1.5, float("nan"), "many", [10**9], None, True]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_declared_sizes_take_no_memory(size, good):
    path = changed(good, lambda c: c["config"]["layers"][1]["config"].update(units=size))
    is_refused(path)


WIDE = {
    "Embedding": {"input_dim": 10**9, "output_dim": 10**6},
    "Conv2D": {"filters": 10**12, "kernel_size": [1, 1]},
    "Conv1D": {"filters": 1, "kernel_size": 10**12, "padding": "same"},
    "LSTM": {"units": 10**9},
    "MultiHeadAttention": {"num_heads": 10**9, "key_dim": 10**9},
    "UpSampling1D": {"size": 10**12},
    "RepeatVector": {"n": 10**12},
    "ZeroPadding1D": {"padding": 10**12},
}


@pytest.mark.parametrize("name", WIDE)
def test_layers_that_declare_much_take_no_memory(name, good):
    entry = {"module": "keras.layers", "class_name": name, "config": {"name": "wide", **WIDE[name]}}
    path = changed(good, lambda c: c["config"]["layers"].insert(1, entry))
    with harmless(path.parent):
        try:
            cornu.models.load_model(path)
        except ValueError:
            return
    assert name in ("UpSampling1D", "RepeatVector", "ZeroPadding1D")  # which hold no weights


FLOAT = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": None}
NEVER_ENDING = [
    "(a+)+$",
    "(a|a)*$",
    "(?:a*)*$",
    "a*a*a*a*a*a*a*$",
    "a?" * 40 + "a" * 40,
    "(a+)\\1+$",
    "(" * 99,
    "[" * 30_000,
    "[^" * 15_000,
    "a{1," * 10_000,
    "[",
    "(a",
    "(?P<",
]


@pytest.mark.parametrize("pattern", NEVER_ENDING)
def test_patterns_that_would_keep_python_busy_are_refused(pattern, good):
    mapped = {"module": "keras.dtype_policies", "class_name": "DTypePolicyMap", "registered_name": None}
    mapped["config"] = {"default_policy": None, "policy_map": {pattern: FLOAT}}

    def by_policy(config):
        config["config"]["layers"][1]["config"].update(name="a" * 40 + "!", dtype=mapped)

    def by_optimizer(config):
        config["config"]["layers"][1]["config"]["name"] = "a" * 40 + "!"
        muon = {"module": "keras.optimizers", "class_name": "Muon", "config": {"exclude_layers": [pattern]}}
        config["compile_config"] = {"optimizer": muon | {"registered_name": None}, "loss": "mse"}
        config["build_config"] = {"input_shape": [None, 4]}

    for change in (by_policy, by_optimizer):
        path = changed(good, change)
        with harmless(path.parent):
            try:
                cornu.models.load_model(path).optimizer.build([cornu.Variable(np.zeros((2, 2)), name="a" * 40 + "!")])
            except ValueError as error:
                assert "pattern" in str(error) or "expression" in str(error)
            else:
                pytest.fail("It was not refused.")


@pytest.mark.parametrize("pattern", ["(a", "a*" * 50])
def test_patterns_are_refused_though_nothing_is_looked_up_by_them(pattern, good):
    mapped = {"module": "keras.dtype_policies", "class_name": "DTypePolicyMap", "registered_name": None}
    mapped["config"] = {"default_policy": None, "policy_map": {pattern: FLOAT}}
    is_refused(changed(good, lambda c: c["config"].update(dtype=mapped)), "pattern|expression")


def test_a_pattern_of_layers_as_people_write_them_is_taken():
    policies = cornu.dtype_policies.DTypePolicyMap("float32", {r"model/(block|stage)_\d+/[a-z_]+.*": FLOAT})
    assert policies["model/block_12/dense"].name == "float32"


@pytest.mark.parametrize("dtype", [{"config": {"name": "float32"}}, {"a": 1}, {"class_name": "DTypePolicy"}])
def test_what_is_no_dtype_is_refused(dtype, good):
    is_refused(changed(good, lambda c: c["config"]["layers"][1]["config"].update(dtype=dtype)), "dtype policy")
    is_refused(changed(good, lambda c: c["config"].update(dtype=dtype)), "dtype policy")


@pytest.mark.parametrize("metric", [("AUC", {"num_thresholds": 10**9}), ("MeanIoU", {"num_classes": 10**8})])
def test_metrics_that_declare_much_take_no_memory(metric, good):
    name, config = metric
    entry = {"module": "keras.metrics", "class_name": name, "config": config, "registered_name": None}
    compiled = {"optimizer": "sgd", "loss": "mse", "metrics": [entry]}
    is_refused(changed(good, lambda c: c.update(compile_config=compiled)))


def test_a_text_alone_cannot_ask_for_gigabytes(tmp_path):
    text = small().to_json().replace('"units": 2', '"units": 1000000000')
    with harmless(tmp_path), pytest.raises(ValueError, match="the size of the file allows"):
        cornu.models.model_from_json(text)


def test_a_model_loads_without_its_weights_in_memory_twice(tmp_path):
    program = [sys.executable, str(Path(__file__).with_name("loaded_memory.py"))]
    paths = os.environ | {"PYTHONPATH": str(Path(cornu.__file__).parents[1])}
    path = str(tmp_path / "large.keras")
    subprocess.run([*program, "write", path], env=paths, check=True)
    for copies in ("0", "1"):  # of one array of six, which the measure must see
        done = subprocess.run([*program, "load", path, copies], env=paths, check=True, capture_output=True, text=True)
        assert (float(done.stdout) > 1.1) == (copies > "0")


# ---------------------------------------------------------------- JSON

TEXTS = {
    "deep lists": "[" * 100_000 + "]" * 100_000,
    "deep objects": '{"a":' * 50_000 + "1" + "}" * 50_000,
    "not an object": "[1, 2]",
    "a number": "1" * 5000,
    "a name of a megabyte": json.dumps({"class_name": "a" * 10**6, "config": {}, "module": "keras"}),
    "no text": b"\xff\xfe\xfd",
    "nothing": "",
    "null": "null",
    "no config": "{}",
    "a class that is a list": '{"class_name": ["Dense"], "config": {}}',
    "a module that is a number": '{"module": 3, "class_name": "Dense", "config": {}}',
    "a function": '{"module": "keras", "class_name": "function", "config": "relu"}',
    "a layer": '{"module": "keras.layers", "class_name": "Dense", "config": {"units": 1}}',
    "a tuple without items": '{"class_name": "__tuple__"}',
    "an array of objects": '{"class_name": "__numpy__", "config": {"value": [{}], "dtype": "object"}}',
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_what_is_no_config_is_refused(text, good):
    is_refused(rewritten(good, {"config.json": text}, good.with_name("bad.keras")))


@pytest.mark.parametrize("depth", [20, 100, 200])
@pytest.mark.parametrize("wrap", ["list", "tuple", "model"])
def test_deep_structures_are_refused_or_read(depth, wrap, good):
    def nest(value):
        if wrap == "list":
            return [value]
        if wrap == "tuple":
            return {"class_name": "__tuple__", "items": [value]}
        return {"module": "keras", "class_name": "Sequential", "config": {"layers": [value]}, "registered_name": None}

    def change(config):
        value = config["config"]["layers"][1]
        for _ in range(depth):
            value = nest(value)
        config["config"]["layers"][1] = value

    is_refused(changed(good, change))


def functional(tmp_path):
    x = cornu.Input((3,), name="x")
    y = layers.Dense(3, name="a")(x)
    cornu.Model(x, layers.Dense(3, name="b")(y)).save(tmp_path / "good.keras")
    return tmp_path / "good.keras"


def history(layer, origin):
    layer["inbound_nodes"][0]["args"][0]["config"]["keras_history"] = origin


GRAPHS = {
    "a circle": lambda c: history(c["layers"][1], ["b", 0, 0]),
    "itself": lambda c: history(c["layers"][1], ["a", 0, 0]),
    "a layer that is not there": lambda c: history(c["layers"][1], ["nobody", 0, 0]),
    "a call that is not there": lambda c: history(c["layers"][1], ["x", 7, 0]),
    "an output that is not there": lambda c: history(c["layers"][1], ["x", 0, 10**9]),
    "an output before the first": lambda c: history(c["layers"][1], ["x", 0, -7]),
    "no place": lambda c: history(c["layers"][1], None),
    "a name twice": lambda c: c["layers"].append(c["layers"][1]),
    "outputs that are not there": lambda c: c.update(output_layers=[["b", 5, 0]]),
    "no outputs": lambda c: c.update(output_layers=None),
    "no layers": lambda c: c.update(layers=[]),
    "layers that are text": lambda c: c.update(layers="Dense"),
    "unknown arguments": lambda c: c.update(os="system"),
}


@pytest.mark.parametrize("change", GRAPHS.values(), ids=GRAPHS)
def test_graphs_that_are_none_are_refused(change, tmp_path):
    is_refused(changed(functional(tmp_path), lambda c: change(c["config"])))


# ---------------------------------------------------------------- calls


def extra_call(tmp_path, name, config, args, kwargs=None, module="keras.src.ops.numpy"):
    """A file whose graph has one more call."""
    call = {"args": args, "kwargs": kwargs or {}}
    entry = {"module": module, "class_name": name, "name": "extra", "registered_name": None, "inbound_nodes": [call]}
    entry["config"] = config if module.startswith("keras.src.ops.") else {"name": "extra", **config}
    return changed(functional(tmp_path), lambda c: c["config"]["layers"].append(entry))


MUCH, OPS = 5 * 10**8, "keras.src.ops."
ON_CONSTANTS = {
    "Tile": {"repeats": [MUCH]},
    "Repeat": {"repeats": MUCH},
    "Pad": {"pad_width": MUCH},
    "UpSampling1D": {"size": MUCH},
    "ZeroPadding1D": {"padding": MUCH},
    "RepeatVector": {"n": MUCH},
}


@pytest.mark.parametrize("name", ON_CONSTANTS)
def test_a_call_on_plain_values_alone_is_not_made(name, tmp_path):
    module = "keras.layers" if hasattr(layers, name) else "keras.src.ops.numpy"
    path = extra_call(tmp_path, name, ON_CONSTANTS[name], [[[[1.0]]]], module=module)
    is_refused(path, "plain values only")
    text = zipfile.ZipFile(path).read("config.json").decode()
    with harmless(tmp_path), pytest.raises(ValueError, match="plain values only"):
        cornu.models.model_from_json(text)
    with harmless(tmp_path):
        assert not cornu.models.load_model(path, report=True).loads
        with pytest.raises(ValueError, match="plain values only"):
            cornu.Model.from_config(json.loads(text)["config"])


ON_TENSORS = {
    "ArraySplit": ({"indices_or_sections": MUCH}, "numpy"),
    "Diff": ({"n": MUCH}, "numpy"),
    "ExtractSequences": ({"sequence_length": MUCH, "sequence_stride": 1}, "math"),
    "OneHot": ({"num_classes": MUCH}, "nn"),
    "Tile": ({"repeats": [1, MUCH]}, "numpy"),
}


@pytest.mark.parametrize("name", ON_TENSORS)
def test_a_call_with_huge_settings_takes_no_memory(name, tmp_path):
    settings, module = ON_TENSORS[name]
    tensor = {"class_name": "__keras_tensor__", "config": {"keras_history": ["x", 0, 0]}}
    path = extra_call(tmp_path, name, settings, [tensor], module=f"{OPS}{module}")
    with harmless(tmp_path, most_bytes=2**26):
        try:
            cornu.models.load_model(path)
        except ValueError:
            assert name not in ("OneHot", "Tile")


@pytest.mark.parametrize("where", ["a constant", "arguments", "beside a tensor"])
def test_a_file_does_not_call_a_function_of_ones_own_with_its_words(where, tmp_path):
    seen = []

    def noted(x, path="", mask=None):
        seen.append((x, path))
        return x[0] if isinstance(x, list) else x

    origin = {"class_name": "__keras_tensor__", "config": {"keras_history": ["x", 0, 0]}}
    arguments = {"path": "/tmp/out"} if where == "arguments" else {}
    inputs = {"a constant": "harmless", "arguments": origin, "beside a tensor": [origin, "/tmp/out"]}[where]
    function = {"module": "builtins", "class_name": "function", "config": "noted", "registered_name": "function"}
    config = {"function": function, "arguments": arguments}
    path = extra_call(tmp_path, "Lambda", config, [inputs], module="keras.layers")
    is_refused(path, "plain values only|could be a path", custom_objects={"noted": noted})
    assert seen == []


def test_a_function_of_ones_own_is_given_the_modes_that_it_was_saved_with(tmp_path):
    def joined(x, mode="sum", pattern=""):
        return cornu.ops.max(x, -1) if mode == "max" else cornu.ops.sum(x, -1)

    x = cornu.Input((3,))
    y = layers.Lambda(joined, arguments={"mode": "max", "pattern": "b (h w) -> b h w"})(x)
    with cornu.saving.custom_object_scope({"joined": joined}):
        cornu.saving.register_keras_serializable("hostile")(joined)
        cornu.Model(x, y).save(tmp_path / "m.keras")
    assert cornu.models.load_model(tmp_path / "m.keras")(np.array([[1.0, 5.0, 2.0]]))[0] == 5.0


# ---------------------------------------------------------------- arrays in a config


@pytest.mark.parametrize("dtype", ["U300000000", "S300000000", "(30000,30000)f4", "V300000000", "f4,f4", "O", 7, None])
def test_the_dtype_of_an_array_comes_from_a_short_list(dtype, good):
    for name in ("__numpy__", "__tensor__"):
        value = {"class_name": name, "config": {"value": ["a", "b"], "dtype": dtype}}
        path = changed(good, lambda c, value=value: c["config"]["layers"][1]["config"].update(units=value))
        is_refused(path)
        with harmless(path.parent):
            assert not cornu.models.load_model(path, report=True).loads


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "1" * 400])
def test_strange_numbers_are_data(number, good):
    text = zipfile.ZipFile(good).read("config.json").decode().replace('"units": 3', f'"units": {number}')
    is_refused(rewritten(good, {"config.json": text}, good.with_name("bad.keras")))


# ---------------------------------------------------------------- what a terminal is shown

STEERING = "\x1b[2J\x1b]0;title\x07red", "\x9b2Jred", "red\rblue", "\u202ered", "\ud800"


def deep_names(text):
    """Changes of a config that put a text where a name can be."""

    def in_layer(c, key, value):
        c["config"]["layers"][1]["config"][key] = value

    metric = {"module": "keras.metrics", "class_name": "Mean", "config": {"name": text}, "registered_name": None}
    return {
        "name of a layer": lambda c: in_layer(c, "name", text),
        "name of the model": lambda c: c["config"].update(name=text),
        "name of the input": lambda c: c["config"]["layers"][0]["config"].update(name=text),
        "a class": lambda c: c["config"]["layers"][1].update(class_name=text),
        "a module": lambda c: c["config"]["layers"][1].update(module=text),
        "an activation": lambda c: in_layer(c, "activation", text),
        "an argument": lambda c: in_layer(c, text, 1),
        "a dtype": lambda c: in_layer(c, "dtype", text),
        "a metric": lambda c: c.update(compile_config={"optimizer": "sgd", "loss": "mse", "metrics": [metric]}),
        "a metric of an output": lambda c: c.update(
            compile_config={"optimizer": "sgd", "loss": "mse", "metrics": {text: "mae"}}
        ),
        "a loss": lambda c: c.update(compile_config={"optimizer": "sgd", "loss": text}),
        "the optimizer": lambda c: c.update(compile_config={"optimizer": text, "loss": "mse"}),
    }


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("text", STEERING, ids=ascii)
def test_what_a_file_is_called_inside_reaches_no_terminal(text, good):
    for what, change in deep_names(text).items():
        path = changed(good, change)
        shown = io.StringIO()
        with redirect_stdout(shown):
            print(cornu.models.load_model(path, report=True))
            try:
                model = cornu.models.load_model(path)
                model.summary()
                print(model, model.layers, model.weights, model.inputs)
            except ValueError as error:
                print(*traceback.format_exception(error))
        assert text not in shown.getvalue(), what


def test_names_in_a_weights_file_reach_no_terminal(tmp_path):
    text = STEERING[0]
    with h5py.File(tmp_path / "bad.weights.h5", "w") as file:
        file[f"layers/{text}/vars/0"] = np.zeros(3)
        file["layers"].attrs["name"] = text
    shown = io.StringIO()
    with redirect_stdout(shown), warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        editor = cornu.saving.KerasFileEditor(tmp_path / "bad.weights.h5")
        editor.summary()
        editor.compare(small())
        print(cornu.models.load_model(tmp_path / "bad.weights.h5", report=True))
        small().load_weights(tmp_path / "bad.weights.h5", skip_mismatch=True)
        with pytest.raises(ValueError, match="Nothing was changed") as refused:
            small().load_weights(tmp_path / "bad.weights.h5")
        print(refused.value, *(warning.message for warning in heard))
    assert text not in shown.getvalue() and "x1b" in shown.getvalue()


def test_a_name_says_what_is_wrong_with_it():
    for make in (layers.Dense, cornu.metrics.Mean, cornu.losses.MeanSquaredError, cornu.optimizers.SGD):
        with pytest.raises(ValueError, match="control characters"):
            make(**({"units": 1} if make is layers.Dense else {}), name="\x1b[2J")


# ---------------------------------------------------------------- layers of packing


def packed_in_hdf5(size):
    """Weights of a square layer that are all zero, packed by HDF5."""
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        chunks = size // 8, size
        data = file.create_dataset("layers/dense/vars/0", (size, size), "f4", chunks=chunks, compression="gzip")
        for start in range(0, size, size // 8):
            data[start : start + size // 8] = np.zeros(chunks, "f4")
    return content.getvalue()


def square(tmp_path, size, weights, method):
    """A file of a square layer of this size with these weights."""
    cornu.Sequential([cornu.Input((8,)), layers.Dense(8, use_bias=False)]).save(tmp_path / "good.keras")
    text = zipfile.ZipFile(tmp_path / "good.keras").read("config.json").decode()
    text = text.replace('"units": 8', f'"units": {size}').replace("[null, 8]", f"[null, {size}]")
    members = {"config.json": text, "model.weights.h5": weights}
    return rewritten(tmp_path / "good.keras", members, tmp_path / "bad.keras", method)


DOORS = {
    "load_model": cornu.models.load_model,
    "inspection": lambda path: cornu.models.load_model(path, report=True).refused and None,
    "editor": cornu.saving.KerasFileEditor,
}


@pytest.mark.parametrize("door", DOORS)
def test_what_is_packed_twice_is_refused(door, tmp_path):
    path = square(tmp_path, 4704, packed_in_hdf5(4704), zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 20_000
    with harmless(tmp_path, most_bytes=2**25):
        if door == "inspection":
            assert not cornu.models.load_model(path, report=True).loads
        else:
            with pytest.raises(ValueError, match="the size of the file allows"):
                DOORS[door](path)


@pytest.mark.parametrize("where", ["HDF5", "zip"])
def test_zeros_that_are_packed_once_load(where, tmp_path):
    size = 4704
    if where == "HDF5":
        path = square(tmp_path, size, packed_in_hdf5(size), zipfile.ZIP_STORED)
    else:
        content = io.BytesIO()
        with h5py.File(content, "w") as file:
            file["layers/dense/vars/0"] = np.zeros((size, size), "f4")
        path = square(tmp_path, size, content.getvalue(), zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 200_000
    assert cornu.models.load_model(path, report=True).loads
    assert cornu.models.load_model(path).count_params() == size * size
    cornu.saving.KerasFileEditor(path)


LISTS = '{"class_name": "Sequential", "more": [' + "[]," * 6_000_000 + "0]}"


@pytest.mark.parametrize("member", ["config.json", "metadata.json"])
@pytest.mark.parametrize("door", DOORS)
def test_a_text_that_stands_for_many_objects_is_refused(member, door, good):
    path = rewritten(good, {member: LISTS}, good.with_name("bad.keras"), zipfile.ZIP_DEFLATED)
    with harmless(path.parent, most_bytes=2**26):
        report = cornu.models.load_model(path, report=True)
        assert any("the size of the file allows" in finding.what for finding in report.findings)
        if (door, member) in (("load_model", "config.json"), ("editor", "metadata.json")):
            with pytest.raises(ValueError, match="the size of the file allows"):
                DOORS[door](path)


@pytest.mark.parametrize("line", ["a", "", "\x0c", "é"])
def test_a_vocabulary_of_one_line_many_times_is_refused(line, tmp_path):
    model = cornu.Sequential([cornu.Input((1,), dtype="string"), layers.StringLookup()])
    model.layers[0].adapt(np.array([["fig"], ["oak"]]))
    model.save(tmp_path / "good.keras")
    name = next(n for n in zipfile.ZipFile(tmp_path / "good.keras").namelist() if n.endswith("vocabulary.txt"))
    text = (line + "\n") * 5_000_000
    path = rewritten(tmp_path / "good.keras", {name: text}, tmp_path / "bad.keras", zipfile.ZIP_DEFLATED)
    with harmless(tmp_path, most_bytes=2**26), pytest.raises(ValueError, match="the size of the file allows"):
        cornu.models.load_model(path)


def test_a_vocabulary_of_many_words_loads_however_it_is_packed(tmp_path):
    words = [f"word{number}" for number in range(300_000)]
    model = cornu.Sequential([cornu.Input((1,), dtype="string"), layers.StringLookup(max_tokens=None)])
    model.layers[0].set_vocabulary(words)
    model.save(tmp_path / "good.keras")
    path = rewritten(tmp_path / "good.keras", {}, tmp_path / "packed.keras", zipfile.ZIP_DEFLATED)
    assert cornu.models.load_model(path).layers[0].vocabulary_size() == 300_001


# ---------------------------------------------------------------- time


def chain(count):
    """The config of a chain of layers, listed from its end."""
    x = cornu.Input((2,), name="x")
    first = layers.Activation("linear", name="a0")(x)
    config = json.loads(cornu.Model(x, layers.Activation("linear", name="a1")(first)).to_json())
    entries = config["config"]["layers"]
    text = json.dumps(entries[-1])
    made = [
        json.loads(text.replace('"a1"', f'"b{n}"').replace('"a0"', f'"b{n - 1}"' if n else '"x"')) for n in range(count)
    ]
    config["config"]["layers"] = [entries[0], *made[::-1]]
    config["config"]["output_layers"] = [[f"b{count - 1}", 0, 0]]
    return config


def one_layer_many_times(count):
    """One layer that is called on its own output, over and over."""
    config = chain(1)
    call = config["config"]["layers"][-1]["inbound_nodes"][0]
    calls = [json.loads(json.dumps(call).replace('["x", 0, 0]', f'["b0", {n - 1}, 0]')) for n in range(1, count)]
    config["config"]["layers"][-1]["inbound_nodes"] = [call, *calls]
    config["config"]["output_layers"] = [["b0", count - 1, 0]]
    return config


def merged(count):
    """Many layers, listed behind the one that merges them."""
    x = cornu.Input((2,), name="x")
    made = [layers.Activation("linear", name=f"b{n}")(x) for n in range(count)]
    config = json.loads(cornu.Model(x, layers.Add()(made)).to_json())
    config["config"]["layers"].reverse()
    return config


def twice_in_twice(count, sizes=lambda level: None):
    """Models in models, each of which calls its part twice."""
    x = cornu.Input((sizes(0), 2))
    model = cornu.Model(x, layers.Dense(2)(x))
    for level in range(1, count // 30):
        x = cornu.Input((sizes(level), 2))
        model = cornu.Model(x, model(model(x)))
    return json.loads(model.to_json())


def policies(count):
    """A layer with many patterns for its policy."""
    config = json.loads(small().to_json())
    mapped = {f"{'[a-z]' * 9}x{n}": FLOAT for n in range(count)}
    policy = {"module": "keras.dtype_policies", "class_name": "DTypePolicyMap", "registered_name": None}
    policy["config"] = {"default_policy": None, "policy_map": mapped}
    config["config"]["layers"][1]["config"]["dtype"] = policy
    return config


GROWING = {
    "a chain from its end": chain,
    "one layer many times": one_layer_many_times,
    "many layers into one": merged,
    "models in models": twice_in_twice,
    "models in models, the last of known size": lambda count: twice_in_twice(
        count, lambda level: 5 if level == count // 30 - 1 else None
    ),
    "many policies": policies,
}


@pytest.mark.parametrize("make", GROWING.values(), ids=GROWING)
def test_loading_takes_no_longer_than_the_file_is(make):
    texts = [json.dumps(make(count)) for count in (60, 240)]
    few, many = (min(processor_seconds(text) for _ in range(3)) / len(text) for text in texts)
    assert many < 3 * few  # for each byte, where a square would be 4


def processor_seconds(text):
    """What loading takes, without collections of other tests' garbage."""
    gc.disable()
    try:
        start = time.process_time()
        cornu.models.model_from_json(text)
        return time.process_time() - start
    finally:
        gc.enable()


# ---------------------------------------------------------------- zip


def test_a_config_packed_beyond_belief_is_refused(good):
    bomb = b"[" + b"[]," * (30 * 2**20) + b"[]]"
    path = rewritten(good, {"config.json": bomb}, good.with_name("bad.keras"), zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 2**20
    is_refused(path, "the size of the file allows")


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_members_packed_in_unusual_ways_are_refused(method, good):
    is_refused(rewritten(good, {}, good.with_name("bad.keras"), method), "unusual")


def test_sizes_that_lie_are_refused(good):
    content = bytearray(good.read_bytes())
    at = content.rfind(b"model.weights.h5") - 46
    for offset, claimed in ((24, 2**31), (20, 2**31), (24, 0)):
        lying = content.copy()
        lying[at + offset : at + offset + 4] = struct.pack("<L", claimed)
        path = good.with_name("bad.keras")
        path.write_bytes(lying)
        is_refused(path)


def test_a_table_of_a_million_members_is_not_read(good):
    entry = struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", 20, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0)
    table = b"".join(entry + b"%07d" % number for number in range(1_000_000))
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, len(table), 0, 0)
    path = good.with_name("bad.keras")
    path.write_bytes(table + end)
    is_refused(path, "members")


def test_a_name_that_comes_twice_is_refused(good):
    path = good.with_name("bad.keras")
    path.write_bytes(good.read_bytes())
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("config.json", "{}")
    is_refused(path, "several members")


def test_a_damaged_member_is_told(good):
    content = bytearray(good.read_bytes())
    content[content.find(b"model.weights.h5") + 5000] ^= 0xFF
    path = good.with_name("bad.keras")
    path.write_bytes(content)
    is_refused(path, r"model\.weights\.h5")


class Keeper(layers.Layer):
    """A layer that keeps files, and tells which it was given."""

    given: list = []

    def save_assets(self, folder):
        (Path(folder) / "kept.txt").write_text("kept")

    def load_assets(self, folder):
        Keeper.given.append(sorted(str(file.relative_to(folder)) for file in Path(folder).rglob("*")))

    def call(self, inputs):
        return inputs


@pytest.mark.parametrize("name", ["../../../out", "..", "/out", "..\\out", "C:out", "a/b", "\0out", "sub/../../out"])
def test_assets_stay_in_their_folder(name, tmp_path):
    model = cornu.Sequential([cornu.Input((2,)), Keeper()])
    model.save(tmp_path / "good.keras")
    Keeper.given.clear()
    member = next(n for n in zipfile.ZipFile(tmp_path / "good.keras").namelist() if n.endswith("kept.txt"))
    place = member.removesuffix("kept.txt")
    path = rewritten(tmp_path / "good.keras", {f"{place}{name}": b"out"}, tmp_path / "bad.keras")
    before = sorted(tmp_path.parent.rglob("*"))
    with harmless(tmp_path):
        try:
            cornu.models.load_model(path, custom_objects={"Keeper": Keeper})
        except ValueError as error:
            assert "not allowed" in str(error)
    assert all(found == ["kept.txt"] for found in Keeper.given)
    assert sorted(tmp_path.parent.rglob("*")) == before


# ---------------------------------------------------------------- folders


def test_links_in_a_folder_are_not_followed(tmp_path):
    outside = tmp_path / "outside"
    small().save(outside, zipped=False)
    for name in ("config.json", "model.weights.h5"):
        folder = tmp_path / f"model of {name}"
        small().save(folder, zipped=False)
        (folder / name).unlink()
        (folder / name).symlink_to(outside / name)
        is_refused(folder, "plain file")
        (folder / name).unlink()
        os.mkfifo(folder / name)
        is_refused(folder, "plain file")


def test_a_folder_of_assets_that_is_a_link_is_not_followed(tmp_path):
    model = cornu.Sequential([cornu.Input((2,)), Keeper()])
    model.save(tmp_path / "model", zipped=False)
    os.rename(tmp_path / "model" / "assets", tmp_path / "outside")
    (tmp_path / "model" / "assets").symlink_to(tmp_path / "outside")
    is_refused(tmp_path / "model", "plain file", custom_objects={"Keeper": Keeper})


# ---------------------------------------------------------------- HDF5


def kernel(file):
    return "layers/dense/vars/0"


def replaced(make):
    """A change of a weights file: what `make(file, path)` puts in the place of a kernel of shape (4, 3)."""

    def change(file):
        del file[kernel(file)]
        make(file, kernel(file))

    return change


def _elsewhere(file, path):
    file.create_dataset(path, (4, 3), "f4", external=[("/etc/passwd", 0, 48)])


def _virtual(file, path):
    layout = h5py.VirtualLayout((4, 3), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", shape=(4, 3))
    file.create_virtual_dataset(path, layout)


def _twice(file):
    del file["layers/dense_1/vars/1"]
    file["layers/dense_1/vars/1"] = file["layers/dense/vars/1"]


def _circle(file):
    file["layers/dense/vars/more"] = file["layers"]


def _set(file, path, value):
    file[path] = value


def _packed(**how):
    return replaced(lambda file, path: file.create_dataset(path, **{"shape": (4, 3), "dtype": "f4", **how}))


def _double_packed(file, path):
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk((4, 3))
    properties.set_deflate(9)
    properties.set_deflate(9)
    space = h5py.h5s.create_simple((4, 3))
    made = h5py.h5d.create(file.id, path.encode(), h5py.h5t.NATIVE_FLOAT, space, dcpl=properties)
    h5py.Dataset(made)[:] = 1.0


FILES = {
    "a link within": replaced(lambda f, p: _set(f, p, h5py.SoftLink("/layers/dense_1/vars/0"))),
    "a link to nothing": replaced(lambda f, p: _set(f, p, h5py.SoftLink("/nowhere"))),
    "a link to itself": replaced(lambda f, p: _set(f, p, h5py.SoftLink(p))),
    "a link to another file": replaced(lambda f, p: _set(f, p, h5py.ExternalLink("/etc/passwd", "/x"))),
    "data in another file": replaced(_elsewhere),
    "virtual data": replaced(_virtual),
    "an array under two names": _twice,
    "a circle of groups": _circle,
    "a group for an array": replaced(lambda f, p: f.create_group(p)),
    "text": replaced(lambda f, p: _set(f, p, "text")),
    "texts": replaced(lambda f, p: f.create_dataset(p, (4, 3), h5py.string_dtype())),
    "short texts": replaced(lambda f, p: f.create_dataset(p, (4, 3), "S4")),
    "lists": replaced(lambda f, p: f.create_dataset(p, (4, 3), h5py.vlen_dtype("f4"))),
    "references": replaced(lambda f, p: f.create_dataset(p, (4, 3), h5py.ref_dtype)),
    "records": replaced(lambda f, p: f.create_dataset(p, (4, 3), [("a", "f4"), ("b", "i4")])),
    "raw bytes": replaced(lambda f, p: f.create_dataset(p, (4, 3), "V4")),
    "arrays of arrays": replaced(lambda f, p: f.create_dataset(p, (4,), "3f4")),
    "no space at all": replaced(lambda f, p: _set(f, p, h5py.Empty("f4"))),
    "never written": _packed(),
    "never written, in chunks": _packed(chunks=(2, 3)),
    "a trillion numbers": _packed(shape=(10**6, 10**6)),
    "a trillion numbers in chunks": _packed(shape=(10**6, 10**6), chunks=(10, 10), compression="gzip"),
    "a chunk of gigabytes": _packed(maxshape=(None, None), chunks=(2**15, 2**14), compression="gzip"),
    "packed twice": replaced(_double_packed),
    "packed by another filter": replaced(
        lambda f, p: f.create_dataset(p, data=np.ones((4, 3), "i4"), chunks=(4, 3), scaleoffset=0)
    ),
    "more arrays": lambda f: _set(f, "layers/dense/vars/2", np.ones(3, "f4")),
    "fewer arrays": lambda f: f.__delitem__("layers/dense/vars/1"),
    "another shape": replaced(lambda f, p: _set(f, p, np.ones((3, 4), "f4"))),
    "other names": lambda f: f.move("layers/dense/vars/1", "layers/dense/vars/b"),
    "a layer that is not there": lambda f: f.copy("layers/dense", "layers/dense_7"),
    "bits of another type": replaced(lambda f, p: _set(f, p, np.ones((4, 3), "u2")) or _say(f[p], b"\xff")),
}  # fmt: skip
READABLE = ("bits of another type",)  # numbers are numbers


def _say(node, value):
    node.attrs["dtype"] = value


@pytest.mark.parametrize("name", FILES)
def test_weights_that_are_no_plain_arrays_are_refused(name, good, tmp_path):
    path = with_weights(good, FILES[name])
    weights = tmp_path / "bad.weights.h5"
    weights.write_bytes(zipfile.ZipFile(path).read("model.weights.h5"))
    model = small()
    before = model.get_weights()
    for load in (lambda: cornu.models.load_model(path), lambda: model.load_weights(weights)):
        with harmless(tmp_path):
            if name in READABLE:
                load()
                return
            with pytest.raises(ValueError, match=r"."):
                load()
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("value", [1, "x" * 60_000, b"\xff", np.zeros(4000), h5py.Empty("f4"), ["a", "b"]])
def test_strange_notes_in_a_weights_file_do_no_harm(value, good, tmp_path):
    def change(file):
        for node in (file, file["layers"], file["layers/dense/vars"]):
            node.attrs["name"] = node.attrs["more"] = value

    with harmless(tmp_path):
        cornu.models.load_model(with_weights(good, change))


def rewritten_by_h5py(path, libver):
    """The whole-model file of a small model, with texts of variable length, as this release of HDF5 writes them."""
    small().save(path.with_name("whole.h5"))
    with h5py.File(path.with_name("whole.h5")) as old, h5py.File(path, "w", libver=libver) as new:
        for name in old:
            old.copy(name, new)
        for name, value in old.attrs.items():
            new.attrs[name] = value if isinstance(value, np.ndarray) else str(value)
    return path.read_bytes()


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("claimed", [2**32 - 1, 2**31, 10**6])
@pytest.mark.parametrize("name", ["keras_version", "model_config"])
def test_a_text_that_claims_gigabytes_takes_none(name, claimed, libver, tmp_path):
    content = rewritten_by_h5py(tmp_path / "bad.h5", libver)
    with h5py.File(tmp_path / "bad.h5") as file:
        length = len(file.attrs[name].encode())
    heap = content.find(b"GCOL")
    honest, bad = struct.pack("<IQ", length, heap), struct.pack("<IQ", claimed, heap)
    assert honest in content
    (tmp_path / "bad.h5").write_bytes(content.replace(honest, bad))
    with harmless(tmp_path, most_bytes=2**26):
        if libver == "latest":  # whose headers have sums
            with pytest.raises(ValueError, match=r"."):
                cornu.models.load_model(tmp_path / "bad.h5")
        else:
            with pytest.raises(ValueError, match=f"'{name}' of / claims {claimed} bytes"):
                cornu.models.load_model(tmp_path / "bad.h5")
        assert not cornu.models.load_model(tmp_path / "bad.h5", report=True).loads


def test_a_heap_that_goes_round_in_a_circle_is_refused_each_time(tmp_path):
    with h5py.File(tmp_path / "bad.h5", "w") as file:
        file.attrs["one"], file.attrs["other"] = "text", "more text"
    content = bytearray((tmp_path / "bad.h5").read_bytes())
    first = content.find(b"GCOL") + 16
    content[first : first + 16] = bytes(16)  # an object that takes no room
    (tmp_path / "bad.h5").write_bytes(content)
    with plain_h5.opened(tmp_path / "bad.h5", "bad.h5") as file:
        for name in ("one", "other", "one"):
            with pytest.raises(ValueError, match="has size zero"):
                plain_h5.attribute(file, name)


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_texts_are_read_from_headers_of_every_form(libver, tmp_path):
    rewritten_by_h5py(tmp_path / "good.h5", libver)
    with h5py.File(tmp_path / "good.h5", "r+", libver=libver) as file:
        for number in range(5):  # so many that the header has several blocks
            file.attrs[f"more{number}"] = "text" * 100
        file.attrs["keras_version"] = "3.0.0"
    assert cornu.models.load_model(tmp_path / "good.h5").count_params() == small().count_params()


def test_a_weights_file_behind_other_bytes_is_read_as_what_it_is(tmp_path):
    model = small()
    model.save_weights(tmp_path / "a.weights.h5")
    content = (tmp_path / "a.weights.h5").read_bytes()
    (tmp_path / "b.weights.h5").write_bytes(b"#!/bin/sh\n".ljust(512) + content)
    with harmless(tmp_path):
        model.load_weights(tmp_path / "b.weights.h5")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("name", ["a.keras", "a.weights.h5", "a.safetensors"])
def test_a_file_that_is_cut_is_refused(name, share, tmp_path):
    model = small()
    path = tmp_path / name
    model.save(path) if name.endswith(".keras") else model.save_weights(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with harmless(tmp_path), pytest.raises(ValueError, match=r"."):
        cornu.models.load_model(path) if name.endswith(".keras") else model.load_weights(path)


def test_damage_that_no_load_meets_is_none_to_the_inspection(good, tmp_path):
    content = good.read_bytes()
    damaged = tmp_path / "damaged.keras"
    damaged.write_bytes(content.replace(b'"date_saved"', b'"date_saveD"', 1))  # which the checksum does not fit
    cornu.models.load_model(damaged)
    report = cornu.models.load_model(damaged, report=True)
    assert report.loads
    assert ("note", "metadata.json") in [finding[:2] for finding in report.findings]


def test_an_empty_group_under_two_names_stops_neither_load_nor_inspection(good):
    def change(file):
        file["layers/again"] = file.create_group("layers/relu/vars").parent

    path = with_weights(good, change)
    cornu.models.load_model(path)
    assert cornu.models.load_model(path, report=True).loads


# ---------------------------------------------------------------- several files


@pytest.mark.parametrize("name", ["../outside.weights.h5", "/etc/passwd", "a/../../outside.weights.h5", 7, None, "."])
def test_a_table_of_shards_names_files_beside_it_alone(name, tmp_path):
    model = small()
    model.save_weights(tmp_path / "outside.weights.h5")
    (tmp_path / "inside").mkdir()
    model.save_weights(tmp_path / "inside" / "w.weights.json", max_shard_size=1e-7)
    table = json.loads((tmp_path / "inside" / "w.weights.json").read_text())
    for held in table["weight_map"].values():
        held[:] = [name] if isinstance(held, list) else held
    (tmp_path / "inside" / "w.weights.json").write_text(json.dumps(table))
    with harmless(tmp_path / "inside"), pytest.raises(ValueError, match=r"."):
        model.load_weights(tmp_path / "inside" / "w.weights.json")


# ---------------------------------------------------------------- archives


def tar_of(path, members, mode="w"):
    with tarfile.open(path, mode) as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def tar_member(name, kind=tarfile.REGTYPE, target=""):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


TARS = {
    "above": [(tar_member("../out"), b"x")],
    "above, further in": [(tar_member("a/../../out"), b"x")],
    "absolute": [(tar_member("/tmp/out-of-cornu"), b"x")],
    "a link": [(tar_member("a", tarfile.SYMTYPE, "/etc/passwd"), b"")],
    "a hard link": [(tar_member("a", tarfile.LNKTYPE, "/etc/passwd"), b"")],
    "through a link": [(tar_member("a", tarfile.SYMTYPE, ".."), b""), (tar_member("a/out"), b"x")],
    "a device": [(tar_member("a", tarfile.CHRTYPE), b"")],
    "a pipe": [(tar_member("a", tarfile.FIFOTYPE), b"")],
    "a file for a folder": [(tar_member("a"), b"x"), (tar_member("a/b"), b"x")],
    "a name twice": [(tar_member("a"), b"x"), (tar_member("a"), b"y")],
}


@pytest.mark.parametrize("name", TARS)
def test_a_tar_archive_stays_in_its_folder(name, tmp_path):
    path = tar_of(tmp_path / "bad.tar", TARS[name])
    with harmless(tmp_path), pytest.raises(ValueError, match=r"."):
        archives.unpack(path, tmp_path / "unpacked", "auto")
    assert list(tmp_path.iterdir()) == [path]


def test_a_zip_archive_stays_in_its_folder(tmp_path):
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    for name in ("../out", "/tmp/out-of-cornu", "a\\..\\..\\out", "C:\\out", link):
        path = tmp_path / "bad.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, "/etc/passwd")
        with harmless(tmp_path), pytest.raises(ValueError, match=r"not allowed|outside"):
            archives.unpack(path, tmp_path / "unpacked", "auto")
        assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("packing", ["bz2", "xz"])
def test_a_tar_archive_packed_beyond_belief_is_not_unpacked(packing, tmp_path):
    with tarfile.open(tmp_path / "bad.tar", f"w:{packing}") as archive:
        member = tarfile.TarInfo("zeros")
        member.size = 40 * 2**20
        archive.addfile(member, io.BytesIO(bytes(member.size)))
    with harmless(tmp_path), pytest.raises(ValueError, match="claims"):
        archives.unpack(tmp_path / "bad.tar", tmp_path / "unpacked", "auto")


def test_a_header_of_a_tar_archive_takes_no_memory(tmp_path):
    member = tar_member("pax", tarfile.XHDTYPE)
    tar_of(tmp_path / "bad.tar", [(member, b"9 path=a\n" * (60 * 2**20 // 9))], "w:xz")
    with harmless(tmp_path, most_bytes=2**26), pytest.raises(ValueError, match=r"."):
        archives.unpack(tmp_path / "bad.tar", tmp_path / "unpacked", "auto")


@pytest.mark.parametrize("ending", [".keras", ".h5", ".weights.h5", ".weights.json", ".safetensors", ".stablehlo"])
def test_a_pipe_is_refused_at_once(ending, tmp_path):
    path = tmp_path / f"pipe{ending}"
    os.mkfifo(path)
    doors = {".stablehlo": cornu.export.load, ".keras": cornu.models.load_model, ".h5": cornu.models.load_model}
    for door in (doors.get(ending, small().load_weights), cornu.saving.KerasFileEditor, inspected):
        with harmless(tmp_path), pytest.raises(ValueError, match=r"pipe|no file|no exported|must end with"):
            door(path)


def inspected(path):
    cornu.models.load_model(path, report=True)


def _row_called(length, calls, units=1):
    """A model that calls a row of layers several times, and another layer once; and its config with all those calls."""
    x = cornu.Input((3,))
    row = layers.Pipeline([layers.Identity() for _ in range(length)])
    model = cornu.Model(x, layers.Dense(units)(row(x)))
    config = json.loads(model.to_json())
    config["config"]["layers"][1]["inbound_nodes"] *= calls
    return model, json.dumps(config)


def test_layers_within_a_layer_count_each_time_that_it_is_called():
    cornu.models.model_from_json(_row_called(30, 30)[1])
    with pytest.raises(LoadLimitError, match=r"\d calls"):
        cornu.models.model_from_json(_row_called(60, 100)[1])


@pytest.mark.parametrize("mode", ["reflect", "symmetric", "wrap"])
def test_an_array_is_not_put_beside_itself_without_end(mode):
    """JAX unrolls the rounds of such padding."""
    x = cornu.Input((3,))
    text = cornu.Model(x, cornu.ops.pad(x, [[0, 0], [0, 777]], mode=mode)).to_json()
    cornu.models.model_from_json(text)
    with pytest.raises(LoadLimitError, match=r"\d calls"):
        cornu.models.model_from_json(text.replace("777", str(10**9)))


def test_a_grid_of_more_tiles_than_any_image_has_pixels_is_refused():
    x = cornu.Input((5, 6, 3))
    layer = layers.ContrastLimitedAdaptiveHistogramEqualization((0, 255), tile_grid_size=(777, 2))
    with pytest.raises(LoadLimitError, match=r"\d calls"):
        cornu.models.model_from_json(cornu.Model(x, layer(x)).to_json().replace("777", str(10**9)))


def test_weights_do_not_pay_for_calls(tmp_path):
    """What a file is padded with buys it no time."""
    model, text = _row_called(60, 100, units=10**5)
    model.save(tmp_path / "good.keras")
    path = rewritten(tmp_path / "good.keras", {"config.json": text}, tmp_path / "bad.keras")
    with pytest.raises(LoadLimitError, match=r"\d calls"):
        cornu.models.load_model(path)


def test_a_folder_that_holds_no_model_is_not_gone_through(tmp_path, monkeypatch):
    def walked(*arguments, **more):
        pytest.fail("The folder was gone through.")

    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("rglob", "glob", "iterdir"):
        monkeypatch.setattr(Path, name, walked)
    monkeypatch.setattr(os, "walk", walked)
    for name in ("", "x.keras", "x.h5", "x.weights.h5"):
        (tmp_path / name).mkdir(exist_ok=True)
        with pytest.raises(ValueError, match=r"is not a file|damaged|folder"):
            (small().load_weights if "weights" in name else cornu.models.load_model)(tmp_path / name)
        assert not cornu.models.load_model(tmp_path / name, report=True).loads


def test_an_archive_behind_something_else_is_refused(good, tmp_path):
    """Two programs could take such a file for two different things."""
    path = tmp_path / "bad.keras"
    path.write_bytes(b"something else" + good.read_bytes())
    is_refused(path, "is not a zip archive|starts neither")


@pytest.mark.parametrize(
    ("name", "depth", "match"), [("a", 600, "nests groups"), ("n" * 2000, 20, "path of more than")]
)
def test_groups_within_each_other_without_end_are_refused(good, name, depth, match):
    """What HDF5 takes for a walk over them grows with the square of their depth."""

    def nest(file):
        for _ in range(depth):
            file = file.create_group(name)

    path = with_weights(good, nest)
    is_refused(path, match)
    with harmless(path.parent), pytest.raises(ValueError, match=match):
        cornu.saving.KerasFileEditor(path)
    with harmless(path.parent):
        assert match in str(cornu.models.load_model(path, report=True).refused)


def test_a_description_may_not_ask_for_hours_of_arithmetic():
    """The values of an orthogonal matrix take far longer than as many other numbers."""
    text = cornu.Sequential([cornu.Input((2, 3)), layers.SimpleRNN(7)]).to_json()
    with pytest.raises(LoadLimitError, match=r"orthogonal matrix of shape \(9000, 9000\) .* arithmetic operations"):
        cornu.models.model_from_json(text.replace('"units": 7', '"units": 9000'))


def test_a_file_may_not_ask_for_metrics_without_end(tmp_path):
    """A short name is enough for one, and as many as one likes take no room in a packed file."""
    model = small()
    model.compile("adam", "mse", metrics=["mae"])
    model.save(tmp_path / "model.keras")
    config = json.loads(zipfile.ZipFile(tmp_path / "model.keras").read("config.json"))
    for metric in ("mae", {"module": "keras.metrics", "class_name": "MeanAbsoluteError", "config": {}}):
        config["compile_config"]["metrics"] = [metric] * 5000
        members = {"config.json": json.dumps(config)}
        path = rewritten(tmp_path / "model.keras", members, tmp_path / "bad.keras", zipfile.ZIP_DEFLATED)
        with harmless(tmp_path), pytest.raises(LoadLimitError, match=r"\d calls"):
            cornu.models.load_model(path)


def test_an_archive_may_not_ask_for_folders_without_end(tmp_path):
    """Deep paths take few bytes of an archive and many of a disk."""
    path = tmp_path / "deep.tar.gz"
    with tarfile.open(path, "w:gz", format=tarfile.GNU_FORMAT) as archive:
        for number in range(40):
            archive.addfile(tarfile.TarInfo(f"{number}/" + "a/" * 200 + "x"))
    with harmless(tmp_path), pytest.raises(ValueError, match="more than an archive of its size"):
        archives.unpack(path, tmp_path / "deep", "auto")
    assert list(tmp_path.iterdir()) == [path]
