"""Preprocessing layers against Keras: against what Keras on TensorFlow wrote down, and Keras on JAX itself.

See `preprocessing_cases.py` for how the answers came about.
"""

import io
import json
import zipfile

import jax
import numpy as np
import preprocessing_cases as cases
import pytest
from oracle import ask, both

import cornu

with zipfile.ZipFile(cases.FILE) as archive:
    ANSWERS = json.loads(archive.read("answers.json"))
    FILES = sorted(name.removesuffix(".keras") for name in archive.namelist() if name.endswith(".keras"))


def near(ours, theirs, where):
    """Equal, floating-point numbers to five digits."""
    if isinstance(theirs, dict):
        assert isinstance(ours, dict) and set(ours) == set(theirs), (where, set(ours) ^ set(theirs))
        for key in theirs:
            near(ours[key], theirs[key], f"{where}: {key}")
    elif isinstance(theirs, list):
        assert len(ours) == len(theirs), where
        for a, b in zip(ours, theirs, strict=True):
            near(a, b, where)
    elif isinstance(theirs, (int, float)) and isinstance(ours, (int, float)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5, err_msg=where)
    else:
        assert ours == theirs, where


@pytest.mark.parametrize("group", cases.GROUPS, ids=lambda group: group.__name__)
def test_answers_are_those_of_keras(group):
    found = {f"{group.__name__}: {name}": cases.plain(result) for name, result in group(cornu.layers)}
    wanted = {name: answer for name, answer in ANSWERS.items() if name.startswith(f"{group.__name__}: ")}
    assert set(found) == set(wanted) and wanted
    for name, answer in wanted.items():
        near(json.loads(json.dumps(found[name])), answer, name)


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_keras_opens_with_its_vocabulary(name, tmp_path):
    path = tmp_path / f"{name}.keras"
    with zipfile.ZipFile(cases.FILE) as archive:
        path.write_bytes(archive.read(f"{name}.keras"))
        wanted = json.loads(archive.read(f"{name}.json"))
    inputs = {made: given for made, _, given in cases.models(cornu)}[name]
    model = cornu.models.load_model(path)
    near(cases.plain(model(inputs)), wanted, name)
    model.save(tmp_path / "again.keras")
    near(cases.plain(cornu.models.load_model(tmp_path / "again.keras")(inputs)), wanted, name)
    assert members(tmp_path / "again.keras") == members(path)


def members(path):
    """The assets of a file with their content, and the names of its arrays."""
    with zipfile.ZipFile(path) as file:
        assets = {name: file.read(name) for name in file.namelist() if name.startswith("assets/")}
        weights = []
        with cornu.saving.weights_h5.h5py.File(io.BytesIO(file.read("model.weights.h5"))) as data:
            data.visititems(lambda name, node: weights.append(name) if hasattr(node, "shape") else None)
    return assets, weights


NUMBERS = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
INTEGERS = np.random.default_rng(0).integers(0, 5, (6, 4))
ON_JAX = {
    "bins": (lambda L, mode: L.Discretization([-0.5, 0.0, 0.5], output_mode=mode), NUMBERS, ("int", *cases.MODES[1:])),
    "categories": (lambda L, mode: L.CategoryEncoding(5, output_mode=mode), INTEGERS, cases.MODES[1:]),
}


@pytest.mark.parametrize("name", ON_JAX)
def test_layers_of_numbers_equal_keras_on_jax_compiled_or_not(name):
    make, x, modes = ON_JAX[name]
    for mode in modes:
        wanted = ask(lambda keras, mode=mode: np.asarray(make(keras.layers, mode)(x)))
        layer = make(cornu.layers, mode)
        for result in (layer(x), layer(jax.numpy.asarray(x)), jax.jit(layer)(x)):
            assert result.dtype == wanted.dtype
            np.testing.assert_array_equal(np.asarray(result), wanted)


@pytest.mark.parametrize("arguments", [{}, {"axis": None}, {"mean": [1.0] * 4, "variance": [4.0] * 4}])
def test_the_statistics_of_normalization_are_shown_as_in_keras(arguments):
    weight = np.ones(3)

    def question(library):
        layer = library.layers.Normalization(**arguments)
        layer.build(NUMBERS.shape) if "mean" in arguments else layer.adapt(NUMBERS)
        layer.finalize_state()
        kept = layer.convert_weight(weight) is weight
        return np.asarray(layer.mean), np.asarray(layer.variance), layer.get_config()["mean"], kept

    ours, theirs = both(question)
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-5)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-5)
    assert ours[0].shape == theirs[0].shape
    assert ours[2:] == theirs[2:] and ours[3]
