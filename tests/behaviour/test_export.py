"""Exported models: files that give the model's outputs without cornu."""

import copy
import hashlib
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import jax
import numpy as np
import pytest

import cornu
from cornu import layers
from cornu.export import archive as archive_module
from cornu.layers import InputSpec

pytest.importorskip("flatbuffers")


def mlp():
    return cornu.Sequential([
        cornu.Input((6,)), layers.Dense(5, activation="relu"), layers.BatchNormalization(), layers.Dropout(0.5),
        layers.Dense(3, activation="softmax"),
    ])  # fmt: skip


def cnn():
    return cornu.Sequential([
        cornu.Input((12, 12, 2)), layers.Conv2D(4, 3, activation="relu"), layers.BatchNormalization(),
        layers.MaxPooling2D(), layers.Conv2D(4, 3, strides=2, padding="same"), layers.AveragePooling2D(2),
        layers.Flatten(), layers.Dense(3),
    ])  # fmt: skip


def masked_lstm():
    return cornu.Sequential([
        cornu.Input((None,), dtype="int32"), layers.Embedding(20, 4, mask_zero=True),
        layers.LSTM(5, return_sequences=True), layers.LSTM(3), layers.Dense(2),
    ])  # fmt: skip


def two_inputs():
    a, b = cornu.Input((3,), name="height"), cornu.Input((4,), name="weight")
    both = layers.Concatenate()([a, b])
    return cornu.Model([a, b], [layers.Dense(2, name="first")(both), layers.Dense(1, name="second")(b)])


def transformer():
    x = cornu.Input((None, 8))
    h = layers.Add()([x, layers.MultiHeadAttention(2, 4)(layers.LayerNormalization()(x), x)])
    h = layers.Add()([h, layers.Dense(8)(layers.Dense(16, activation="gelu")(layers.LayerNormalization()(h)))])
    return cornu.Model(x, layers.Dense(2)(layers.GlobalAveragePooling1D()(h)))


def cross_attention():
    query, value = cornu.Input((None, 8), name="query"), cornu.Input((None, 8), name="value")
    return cornu.Model([query, value], layers.MultiHeadAttention(2, 4)(query, value))


MODELS = {
    "mlp": (mlp, [(6,)]),
    "cnn": (cnn, [(12, 12, 2)]),
    "masked lstm": (masked_lstm, [(7,)]),
    "two inputs": (two_inputs, [(3,), (4,)]),
    "transformer": (transformer, [(5, 8)]),
    "two lengths": (cross_attention, [(5, 8), (9, 8)]),
}


def batch(model, shapes, rows):
    """A random batch in the structure that the model takes."""
    random = np.random.default_rng(rows)
    arrays = [
        (random.integers(0, 20, (rows, *shape)) if "int" in x.dtype else random.normal(size=(rows, *shape))).astype(
            x.dtype
        )
        for x, shape in zip(model.inputs, shapes, strict=True)
    ]
    return arrays[0] if len(arrays) == 1 else arrays


def assert_same(found, wanted):
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "model.stablehlo"


# ---------------------------------------------------------------- StableHLO


@pytest.mark.parametrize("name", MODELS)
def test_an_exported_model_predicts_as_before_for_every_batch_size(name, file):
    make, shapes = MODELS[name]
    model = make()
    model.export(file, verbose=False)
    loaded = cornu.export.load(file)
    for rows in (1, 4):
        x = batch(model, shapes, rows)
        assert_same(loaded.serve(x), model.predict(x, verbose=0))


def test_lengths_may_differ_where_the_model_allows_it_and_only_there(file):
    cross_attention().export(file, verbose=False)
    query, value = cornu.export.load(file).serve.inputs
    assert query["shape"] == ["batch", "size1", 8] and value["shape"] == ["batch", "size1_1", 8]

    a, b, c = (cornu.Input((None, 2), name=name) for name in "abc")
    cornu.Model([a, b, c], [layers.Add()([a, b]), layers.Dense(1)(c)]).export(file, verbose=False)
    first, second, third = (x["shape"] for x in cornu.export.load(file).serve.inputs)
    assert first == second and first[1] != third[1] and first[0] != third[0]


def test_a_subclassed_model_takes_batches_of_every_size(file):
    class Doubled(cornu.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2)

        def call(self, x, training=None):
            return {"twice": 2 * self.dense(x), "noisy": self.dense(x) * (100 if training else 1)}

    model = Doubled()
    x = np.ones((4, 3), "float32")
    wanted = model(x)
    model.export(file, verbose=False)
    loaded = cornu.export.load(file)
    assert_same(loaded(x), wanted)
    assert loaded.serve(x[:3])["twice"].shape == (3, 2)
    assert [x["name"] for x in loaded.serve.outputs] == ["noisy", "twice"]


def test_a_dictionary_goes_in_by_its_keys(file):
    x = {"a": cornu.Input((2,), name="a"), "b": cornu.Input((2,), name="b")}
    model = cornu.Model(x, layers.Add()([x["a"], x["b"]]))
    model.export(file, verbose=False)
    serve = cornu.export.load(file).serve
    ones = np.ones((3, 2), "float32")
    np.testing.assert_array_equal(serve({"b": ones, "a": 2 * ones}), 3 * ones)
    with pytest.raises(ValueError, match="must have the structure"):
        serve({"a": ones, "c": ones})


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "bfloat16", "float16"])
def test_half_precision_comes_through(policy, file):
    model = cornu.Sequential([cornu.Input((4,), dtype="float32"), layers.Dense(3, dtype=policy)])
    x = np.ones((2, 4), "float32")
    model.export(file, verbose=False)
    loaded = cornu.export.load(file)
    assert loaded.variables[0].dtype == model.variables[0].dtype
    np.testing.assert_allclose(np.asarray(loaded.serve(x), "float32"), np.asarray(model(x), "float32"), rtol=1e-2)


def test_the_file_runs_with_jax_alone(file, tmp_path):
    """The lines in the docstring of `cornu.export.archive`, in a process that cannot import cornu."""
    model = masked_lstm()
    x = batch(model, [(7,)], 3)
    model.export(file, verbose=False)
    np.savez(tmp_path / "case.npz", x=x, wanted=model.predict(x, verbose=0))
    text = archive_module.__doc__.split("suffice to run it:\n")[1].split("\n\nJAX guarantees")[0]
    lines = "\n".join(line.removeprefix("    ") for line in text.strip("\n").splitlines() if line != "")
    assert len(lines.splitlines()) <= 10
    code = (
        "import sys\nsys.modules['cornu'] = None\nimport numpy as np\n"
        f"case = np.load('case.npz')\nx = case['x']\n{lines}\n"
        "np.testing.assert_allclose(outputs, case['wanted'], rtol=1e-5, atol=1e-6)\n"
        "assert changes == {}\nprint('equal')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "equal", done.stderr


def test_it_is_for_cpu_cuda_and_tpu_unless_one_says_otherwise(file):
    model = mlp()
    assert platforms(model, file) == ["cpu", "cuda", "tpu"]
    assert platforms(model, file, platforms=["cuda"]) == ["cuda"]
    with pytest.raises(ValueError, match='platforms must be "cpu" or "cuda" or "rocm" or "tpu"'):
        model.export(file, platforms=["gpu"])


def platforms(model, file, **kwargs):
    model.export(file, verbose=False, **kwargs)
    with np.load(file) as members:
        return json.loads(members["metadata.json"])["endpoints"]["serve"]["platforms"]


def test_it_says_what_it_wrote(file, capsys):
    two_inputs().export(file)
    shown = capsys.readouterr().out
    assert "serve(height: float32[batch, 3], weight: float32[batch, 4])" in shown
    assert "first: float32[batch, 2], second: float32[batch, 1]" in shown
    two_inputs().export(file, verbose=False)
    assert capsys.readouterr().out == ""


def test_the_caller_may_give_the_sizes(file):
    model = cross_attention()
    model.export(file, verbose=False, input_signature=[InputSpec(shape=(None, 5, 8)), InputSpec(shape=(None, None, 8))])
    loaded = cornu.export.load(file)
    assert [x["shape"] for x in loaded.serve.inputs] == [["batch", 5, 8], ["batch", "size1", 8]]
    with pytest.raises(ValueError, match=r'input "query": expected float32 of shape \(\'batch\', 5, 8\)'):
        loaded.serve(batch(model, [(6, 8), (9, 8)], 2))


def test_a_failed_export_leaves_the_old_file(file, monkeypatch):
    file.write_bytes(b"old")

    def full(*args, **kwargs):
        raise OSError("No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", full)
    with pytest.raises(OSError, match="No space left"):
        mlp().export(file, verbose=False)
    assert file.read_bytes() == b"old"
    assert [p.name for p in file.parent.iterdir()] == [file.name]


def test_a_loaded_function_can_be_part_of_others(file):
    model = mlp()
    model.export(file, verbose=False)
    serve = cornu.export.load(file).serve
    x = batch(model, [(6,)], 3)
    assert_same(jax.jit(lambda x: 2 * serve(x))(x), 2 * model(x))
    inputs = cornu.Input((6,))
    around = cornu.Model(inputs, layers.Dense(1, kernel_initializer="ones")(layers.Lambda(serve)(inputs)))
    assert_same(around.predict(x, verbose=0), np.ones((3, 1)))


def test_a_layer_alone_can_be_exported(file):
    attention = layers.MultiHeadAttention(2, 4)
    x, y = np.ones((2, 3, 5), "float32"), np.ones((2, 4, 5), "float32")
    wanted = attention(x, y)
    archive = cornu.export.ExportArchive()
    archive.track_and_add_endpoint("attend", attention)
    archive.write_out(file, verbose=False)
    attend = cornu.export.load(file).attend
    assert_same(attend(x, y), wanted)
    assert [x["shape"] for x in attend.inputs] == [["batch", 3, 5], ["batch", 4, 5]]


# ---------------------------------------------------------------- archives of several functions


def test_several_functions_share_the_weights_in_one_file(file):
    model = mlp()
    spec = InputSpec(shape=(None, 6), name="features")
    archive = cornu.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serve", model.call, input_signature=[spec])
    archive.add_endpoint("best", lambda x: model(x).argmax(-1), input_signature=[spec])
    archive.write_out(file, verbose=False)
    loaded = cornu.export.load(file)
    x = batch(model, [(6,)], 4)
    assert_same(loaded.serve(x), model(x))
    np.testing.assert_array_equal(loaded.best(x), np.argmax(model(x), -1))
    assert loaded(x).shape == (4, 3)  # the first one
    assert [v.path for v in loaded.variables] == [v.path for v in model.variables]
    assert len(loaded.trainable_variables) == len(model.trainable_variables)
    assert len(loaded.non_trainable_variables) == len(model.variables) - len(model.trainable_variables)


@pytest.mark.parametrize("direct", [False, True], ids=["model(x)", "model.call(x)"])
def test_an_endpoint_may_run_as_in_training_and_goes_on_with_its_state(file, direct):
    model = cornu.Sequential([cornu.Input((50,)), layers.Dropout(0.5, seed=3)])
    call = model.call if direct else model
    archive = cornu.export.ExportArchive()
    spec = [InputSpec(shape=(None, 50))]
    archive.add_endpoint("still", lambda x: call(x, training=False), spec)
    archive.add_endpoint("noisy", lambda x: call(x, training=True), spec)
    archive.write_out(file, verbose=False)
    loaded = cornu.export.load(file)
    x = np.ones((2, 50), "float32")
    np.testing.assert_array_equal(loaded.still(x), x)
    first, second = loaded.noisy(x), loaded.noisy(x)
    assert not np.array_equal(first, x) and not np.array_equal(first, second)
    np.testing.assert_array_equal(first, model(x, training=True))
    np.testing.assert_array_equal(second, model(x, training=True))


def test_an_endpoint_that_must_not_change_anything_is_checked():
    model = cornu.Sequential([cornu.Input((4,)), layers.Dropout(0.5)])
    archive = cornu.export.ExportArchive()
    with pytest.raises(ValueError, match=r"it assigns to .*is_static must not be True"):
        archive.add_endpoint("noisy", lambda x: model(x, training=True), [InputSpec(shape=(None, 4))], is_static=True)


def test_a_function_of_plain_jax_and_own_variables_can_be_exported(file):
    counter = cornu.Variable(0.0, name="counter", trainable=False)

    def count(x, y):
        counter.assign_add(1.0)
        return {"sum": x + y, "calls": counter.value}

    archive = cornu.export.ExportArchive()
    assert (
        archive.add_endpoint("count", count, [InputSpec(shape=(None,)), InputSpec(shape=(None,), dtype="int32")])
        is count
    )
    archive.write_out(file, verbose=False)
    loaded = cornu.export.load(file)
    loaded.count(np.ones(3, "float32"), np.ones(3, "int32"))
    found = loaded.count(np.ones(3, "float32"), [1, 2, 3])
    np.testing.assert_array_equal(found["sum"], [2, 3, 4])
    assert found["calls"] == 2 and counter.numpy() == 0


def test_functions_build_on_each_other_and_collections_come_back(file):
    model = mlp()
    model.compile("adam", "mse")
    model.fit(np.ones((4, 6)), np.ones((4, 3)), verbose=0)
    archive = cornu.export.ExportArchive()
    inner = archive.track_and_add_endpoint("model_fn", model)
    archive.add_endpoint("serve", lambda x: inner(x / 2), [InputSpec(shape=(None, 6))])
    archive.add_variable_collection("optimizer_variables", model.optimizer.variables)
    archive.write_out(file, verbose=False)
    loaded = cornu.export.load(file)
    x = batch(model, [(6,)], 2)
    assert_same(loaded.serve(x), model(x / 2))
    for a, b in zip(loaded.optimizer_variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_variables_of_the_same_name_are_told_apart(file):
    first, second = (cornu.Sequential([cornu.Input((2,)), layers.Dense(2, name="same")], name="m") for _ in range(2))
    archive = cornu.export.ExportArchive()
    archive.add_endpoint("difference", lambda x: first(x) - second(x), [InputSpec(shape=(None, 2))])
    archive.write_out(file, verbose=False)
    x = np.ones((3, 2), "float32")
    assert_same(cornu.export.load(file).difference(x), first(x) - second(x))


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"format": "tf_saved_model"}, 'format must be "stablehlo" or "onnx".*tf_saved_model.*TensorFlow'),
        ({"format": "litert"}, 'format must be "stablehlo" or "onnx"'),
        ({"format": "zip"}, "Received: format='zip'"),
        ({"opset_version": 18}, "export to stablehlo does not accept the argument 'opset_version'"),
        ({"format": "onnx", "platforms": ["cpu"]}, "export to onnx does not accept the argument 'platforms'"),
        ({"input_signature": [(None, 6)]}, "input_signature must contain InputSpecs"),
        ({"input_signature": []}, "input_signature must describe at least one argument"),
        ({"input_signature": [InputSpec(shape=(None, 5))]}, "expected"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_written(kwargs, message, file):
    with pytest.raises(ValueError, match=message):
        mlp().export(file, **kwargs)
    assert not list(file.parent.iterdir())


def test_a_model_that_was_never_built_says_what_to_do(file):
    with pytest.raises(ValueError, match="shapes of its inputs are not known yet"):
        cornu.Sequential([layers.Dense(2)]).export(file)


def test_a_model_that_must_know_its_sizes_says_so(file):
    class Halves(layers.Layer):
        def call(self, x):
            return x[:, : len(range(x.shape[1])) // 2]

    model = cornu.Sequential([cornu.Input((None, 3)), Halves()])
    with pytest.raises(ValueError, match=r"runs for static sizes, but not for dynamic ones .*input_signature="):
        model.export(file)
    model.export(file, verbose=False, input_signature=[InputSpec(shape=(None, 6, 3))])
    assert cornu.export.load(file).serve(np.ones((2, 6, 3), "float32")).shape == (2, 3, 3)


def test_an_error_of_the_models_own_is_not_hidden(file):
    class Broken(layers.Layer):
        def call(self, x):
            return x if not self.ready else undefined_name  # noqa: F821

    layer = Broken()
    layer.ready = False
    model = cornu.Sequential([cornu.Input((3,)), layer])
    layer.ready = True
    with pytest.raises(NameError, match="undefined_name"):
        model.export(file)


def test_a_folder_is_no_target(tmp_path):
    with pytest.raises(ValueError, match=r"one file, and .* is a directory"):
        mlp().export(tmp_path)


@pytest.mark.parametrize(
    ("name", "advice"), [("m.onnx", 'format="onnx"'), ("m.keras", "model.save"), ("m.pb", "Tensor")]
)
def test_a_file_is_not_named_as_one_of_another_kind(name, advice, tmp_path):
    with pytest.raises(ValueError, match=rf"writes .stablehlo files. Received: filepath='.*{name}'; .* by .*{advice}"):
        mlp().export(tmp_path / name)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda a: a.write_out("x"), "nothing to write yet"),
        (lambda a: a.write_out("x", options=1), "options belong to TensorFlow"),
        (lambda a: a.track(print), "track expects a layer or a model"),
        (lambda a: a.track(layers.Dense(1)), "does not have variables yet"),
        (lambda a: a.add_endpoint("no-name", abs, [InputSpec(shape=(None,))]), "must be a Python identifier"),
        (lambda a: a.add_endpoint("variables", abs, [InputSpec(shape=(None,))]), "must be a Python identifier"),
        (lambda a: a.add_endpoint("serve", abs), "input_signature, .* is missing"),
        (lambda a: a.add_endpoint("serve", 3, [InputSpec(shape=(None,))]), "fn must be a function"),
        (
            lambda a: a.add_endpoint("serve", abs, [InputSpec(shape=(None,))], jax2tf_kwargs={}),
            "unknown.*'jax2tf_kwargs'",
        ),
        (lambda a: a.add_endpoint("serve", abs, [InputSpec(ndim=2)]), "InputSpecs with a shape"),
        (lambda a: a.add_endpoint("serve", abs, [cornu.KerasTensor((None,), "string")]), "is text"),
        (lambda a: a.add_variable_collection("all", [1]), "must contain only variables"),
        (lambda a: a.add_variable_collection("all", "abc"), "must be a list, tuple or set"),
        (lambda a: type(a)(format="saved_model"), 'format must be "stablehlo"'),
        (lambda a: type(a)(format="onnx"), "model.export writes"),
    ],
)
def test_an_archive_says_what_is_wrong(action, message):
    with pytest.raises(ValueError, match=message):
        action(cornu.export.ExportArchive())


def test_a_name_serves_once():
    archive = cornu.export.ExportArchive()
    archive.add_endpoint("serve", abs, [InputSpec(shape=(None,))])
    with pytest.raises(ValueError, match="named 'serve' already exists"):
        archive.add_endpoint("serve", abs, [InputSpec(shape=(None,))])


def test_the_loaded_function_says_what_it_expects(file):
    model = mlp()
    model.export(file, verbose=False)
    serve = cornu.export.load(file).serve
    with pytest.raises(ValueError, match="must have the structure"):
        serve(np.ones((1, 6)), np.ones((1, 6)))
    with pytest.raises(ValueError, match=r"float32 of shape \('batch', 6\). Received: float32 of shape \(6,\)"):
        serve(np.ones(6, "float32"))
    with pytest.raises(ValueError, match="Received: complex64"):
        serve(np.ones((1, 6), "complex64"))
    with pytest.raises(AttributeError, match=r"neither an endpoint nor a collection 'predict'\. It has: serve"):
        cornu.export.load(file).predict
    assert_same(serve(np.ones((2, 6), "int32")), model(np.ones((2, 6), "float32")))


# ---------------------------------------------------------------- damaged and hostile files


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """The members of a good file."""
    file = tmp_path_factory.mktemp("export") / "good.stablehlo"
    cornu.Sequential([cornu.Input((2,)), layers.Dense(1, name="d")], name="m").export(file, verbose=False)
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def changed_metadata(good, change):
    metadata = json.loads(good["metadata.json"])
    change(metadata)
    return good | {"metadata.json": json.dumps(metadata).encode()}


def sealed(good, program):
    """The file with another program, and the digest that belongs to it."""
    digest = hashlib.sha256(program).hexdigest()
    changed = changed_metadata(good, lambda m: m["endpoints"]["serve"].update(sha256=digest))
    return changed | {"endpoints/serve": program}


def array(value, **kwargs):
    file = io.BytesIO()
    np.save(file, value, **kwargs)
    return file.getvalue()


KERNEL = "weights/m/d/kernel.npy"
DAMAGE = {
    "no metadata": (lambda g: {k: v for k, v in g.items() if k != "metadata.json"}, "'metadata.json' is missing"),
    "metadata of another kind": (lambda g: g | {"metadata.json": b"[1]"}, "not name the format"),
    "metadata cut short": (lambda g: g | {"metadata.json": g["metadata.json"][:-9]}, "is not JSON"),
    "deep metadata": (lambda g: g | {"metadata.json": b"[" * 100_000}, "is not JSON"),
    "a newer version": (lambda g: changed_metadata(g, lambda m: m.update(format_version=9)), "reads version 1"),
    "an entry missing": (lambda g: changed_metadata(g, lambda m: m.pop("collections")), "required structure"),
    "an entry of another kind": (lambda g: changed_metadata(g, lambda m: m.update(variables=[])), "required structure"),
    "an unknown dtype": (
        lambda g: changed_metadata(g, lambda m: m["variables"]["m/d/kernel"].update(dtype="object")), "dtype"),
    "another dtype": (
        lambda g: changed_metadata(g, lambda m: m["variables"]["m/d/kernel"].update(dtype="int32")), "metadata says"),
    "an unknown variable": (
        lambda g: changed_metadata(g, lambda m: m["endpoints"]["serve"]["variables"].append("x")), "'x'"),
    "a variable too few": (
        lambda g: changed_metadata(g, lambda m: m["endpoints"]["serve"]["variables"].pop()), "not match the variables"),
    "an input too many": (
        lambda g: changed_metadata(g, lambda m: m["endpoints"]["serve"].update(inputs=[])), "not match the inputs"),
    "no weights": (lambda g: {k: v for k, v in g.items() if k != KERNEL}, "'weights/m/d/kernel.npy' is missing"),
    "weights of another shape": (lambda g: g | {KERNEL: array(np.ones((3, 1), "float32"))}, "not match the variables"),
    "weights of the other byte order": (
        lambda g: g | {KERNEL: array(np.ones((2, 1), np.dtype("float32").newbyteorder()))}, "is stored as >f4"),
    "weights cut short": (lambda g: g | {KERNEL: g[KERNEL][:-1]}, "not have the declared size"),
    "weights that are none": (lambda g: g | {KERNEL: b"abc"}, "is not an array"),
    "a huge shape": (lambda g: g | {KERNEL: g[KERNEL].replace(b"(2, 1), ", b"(99999,),")}, "declared size"),
    "a negative shape": (lambda g: g | {KERNEL: g[KERNEL].replace(b"(2, 1)", b"(-2,1)")}, "is not a numeric array"),
    "pickled weights": (
        lambda g: g | {KERNEL: array(np.array([print], dtype=object), allow_pickle=True)}, "declared size"),
    "no program": (lambda g: {k: v for k, v in g.items() if k != "endpoints/serve"}, "'endpoints/serve' is missing"),
    "a program cut short": (lambda g: g | {"endpoints/serve": g["endpoints/serve"][:400]}, "not the program"),
    "a program cut short before it was sealed": (lambda g: sealed(g, g["endpoints/serve"][:400]), "JAX cannot read"),
    "an empty program": (lambda g: sealed(g, b""), "JAX cannot read"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_refused_with_a_reason(damage, good, file):
    change, message = DAMAGE[damage]
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in change(good).items():
            archive.writestr(name, content)
    with pytest.raises(
        cornu.errors.DamagedFileError, match=f"is not an exported model, or it is damaged: .*({message})"
    ):
        cornu.export.load(file)


def test_the_error_about_a_damaged_program_has_nothing_that_a_terminal_obeys(file):
    cornu.Sequential([cornu.Input((2,)), layers.Dense(1)]).export(file, verbose=False)
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    program = members["endpoints/serve"].replace(b"batch", b"b\x1b[31", 1)
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in sealed(members, program).items():
            archive.writestr(name, content)
    with pytest.raises(cornu.errors.DamagedFileError) as caught:
        cornu.export.load(file)
    assert "\x1b" not in str(caught.value)


def test_a_file_that_was_cut_or_changed_on_the_way_is_refused(good, file):
    cornu.Sequential([cornu.Input((2,)), layers.Dense(1)]).export(file, verbose=False)
    whole = file.read_bytes()
    random = np.random.default_rng(0)
    for _ in range(40):
        content = bytearray(whole)
        content[random.integers(len(whole))] ^= 1 << int(random.integers(8))
        file.write_bytes(content if random.random() < 0.7 else content[: random.integers(len(whole))])
        try:
            cornu.export.load(file)
        except ValueError:
            continue
    file.write_bytes(b"")
    with pytest.raises(ValueError, match="is not a zip archive, or it is truncated"):
        cornu.export.load(file)
    with pytest.raises(ValueError, match="There is no file"):
        cornu.export.load(file.with_name("other"))


def test_compressed_members_and_repeated_names_are_refused(good, file):
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in good.items():
            archive.writestr(name, content)
    with pytest.raises(ValueError, match="is compressed"):
        cornu.export.load(file)
    with zipfile.ZipFile(file, "w") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        for name, content in [*good.items(), ("metadata.json", b"{}")]:
            archive.writestr(name, content)
    with pytest.raises(ValueError, match="several members named"):
        cornu.export.load(file)


def test_members_that_share_bytes_are_refused(good, file):
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in good.items():
            archive.writestr(name, content)
        for number in range(100):
            again = copy.copy(archive.getinfo("endpoints/serve"))
            again.filename = f"weights/{number}.npy"
            archive.filelist.append(again)
            archive._didModify = True
    with pytest.raises(ValueError, match="claim"):
        cornu.export.load(file)


def test_a_program_that_calls_back_into_python_is_refused(good, file):
    """JAX does not export such calls by itself; a file may hold one all the same."""

    target = "xla_ffi_python_cpu_callback"

    def shout(weights, x):
        return jax.ffi.ffi_call(target, jax.ShapeDtypeStruct((3, 1), "float32"))(x @ weights["m/d/kernel"]), {}

    weights = {"m/d/kernel": jax.ShapeDtypeStruct((2, 1), "float32"), "m/d/bias": jax.ShapeDtypeStruct((1,), "float32")}
    allowed = [jax.export.DisabledSafetyCheck.custom_call(target)]
    exported = jax.export.export(jax.jit(shout, keep_unused=True), disabled_checks=allowed)(
        weights, jax.ShapeDtypeStruct((3, 2), "float32")
    )
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in sealed(good, bytes(exported.serialize())).items():
            archive.writestr(name, content)
    with pytest.raises(ValueError, match="calls 'xla_ffi_python_cpu_callback', which is not a part of XLA"):
        cornu.export.load(file)


# ---------------------------------------------------------------- ONNX


@pytest.fixture
def runtime():
    """onnxruntime, where the extra `onnx` is installed."""
    pytest.importorskip("jax2onnx")
    return pytest.importorskip("onnxruntime")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", MODELS)
def test_onnx_gives_the_same_outputs_for_every_batch_size(name, tmp_path, runtime):
    make, shapes = MODELS[name]
    model = make()
    path = tmp_path / "model.onnx"
    model.export(path, format="onnx", verbose=False)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert [x.name for x in session.get_inputs()] == model.input_names
    for rows in (1, 4):
        x = batch(model, shapes, rows)
        found = session.run(None, dict(zip(model.input_names, jax.tree.leaves(x), strict=True)))
        for a, b in zip(found, jax.tree.leaves(model.predict(x, verbose=0)), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_onnx_file_that_computes_something_else_is_not_written(tmp_path, runtime, monkeypatch):
    import jax2onnx

    model, other = mlp(), mlp()
    convert = jax2onnx.to_onnx
    monkeypatch.setattr(jax2onnx, "to_onnx", lambda fn, *a, **k: convert(lambda x: [other(x)], *a, **k))
    with pytest.raises(ValueError, match="is not equivalent: on random inputs, output 0 has values that differ"):
        model.export(tmp_path / "model.onnx", format="onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_onnx_cannot_express_is_a_clear_error(tmp_path, runtime):
    model = cornu.Sequential([cornu.Input((4, 4, 4, 1)), layers.Conv3D(2, 3)])
    with pytest.raises(ValueError, match="the converter jax2onnx cannot express it in ONNX"):
        model.export(tmp_path / "model.onnx", format="onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_opset_can_be_chosen_and_models_go_on_working(tmp_path, runtime):
    model = cnn()
    x = batch(model, [(12, 12, 2)], 2)
    before = model.predict(x, verbose=0)
    path = tmp_path / "model.onnx"
    model.export(path, format="onnx", opset_version=21, verbose=False)
    assert pytest.importorskip("onnx").load(path).opset_import[0].version == 21
    assert_same(model.predict(x, verbose=0), before)
    model.compile("sgd", "mse")
    model.fit(x, np.zeros((2, 3)), verbose=0)


def test_without_the_extra_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jax2onnx", None)
    with pytest.raises(ImportError, match=r'pip install "jax2onnx.*" "onnxruntime.*"'):
        mlp().export(tmp_path / "model.onnx", format="onnx")
    monkeypatch.setitem(sys.modules, "flatbuffers", None)
    with pytest.raises(ImportError, match=r'pip install "flatbuffers.*"'):
        mlp().export(tmp_path / "model.stablehlo")
    assert not list(Path(tmp_path).iterdir())
