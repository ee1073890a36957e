"""`FeatureSpace` against what Keras made of the same tables, and its files."""

import json
import zipfile

import numpy as np
import pytest
from make_feature_space import TABLE, ZIP, spaces

import cornu
from cornu.utils import FeatureSpace

SPACES = ("learnt", "hashed", "few", "integers", "words")


def answers():
    with zipfile.ZipFile(ZIP) as file:
        return json.loads(file.read("answers.json"))


def agree(space, table, wanted):
    one = {column: values[0] for column, values in table.items()}
    for given, expected in ((table, wanted["batch"]), (one, wanted["one"])):
        outputs = space(given)
        outputs = outputs if isinstance(outputs, dict) else {"": outputs}
        assert outputs.keys() == expected.keys()
        for name, (shape, values) in expected.items():
            assert list(np.shape(outputs[name])) == shape
            np.testing.assert_allclose(outputs[name], np.reshape(values, shape), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", SPACES)
def test_tables_come_out_as_with_keras(name):
    space, table = spaces(cornu)[name]
    space.adapt([table])
    agree(space, table, answers()[name])


@pytest.mark.parametrize("name", SPACES)
def test_files_of_keras_and_its_own_are_read(name, tmp_path):
    with zipfile.ZipFile(ZIP) as file:
        loaded = cornu.models.load_model(file.extract(f"{name}.keras", tmp_path))
    _, table = spaces(cornu)[name]
    agree(loaded, table, answers()[name])
    loaded.save(tmp_path / "own.keras")
    agree(cornu.models.load_model(tmp_path / "own.keras"), table, answers()[name])


def test_it_learns_from_batches_rows_and_iterators():
    rows = [{name: values[i] for name, values in TABLE.items()} for i in range(4)]
    data = cornu.data.Dataset.from_tensor_slices(TABLE)
    for source in (TABLE, [TABLE], rows, iter(rows), data, data.batch(3)):
        space, _ = spaces(cornu)["learnt"]
        space.adapt(source)
        agree(space, TABLE, answers()["learnt"])


def test_it_prepares_a_data_set_for_a_model():
    space, _ = spaces(cornu)["learnt"]
    space.adapt(TABLE)
    data = cornu.data.Dataset.from_tensor_slices((TABLE, [0.0, 1.0, 2.0, 3.0])).batch(2)
    ready = data.map(lambda x, y: (space(x), y))
    model = cornu.Sequential([cornu.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(ready, verbose=0)
    assert model.predict(ready, verbose=0).shape == (4, 1)


def test_its_symbolic_inputs_and_outputs_have_the_shapes_of_arrays():
    space, _ = spaces(cornu)["integers"]
    space.adapt(TABLE)
    assert {name: (x.shape, x.dtype) for name, x in space.get_inputs().items()} == {
        "number": ((None, 1), "float32"), "text": ((None, 1), "string"), "integer": ((None, 1), "int32"),
    }  # fmt: skip
    assert {name: x.shape for name, x in space.get_encoded_features().items()} == dict.fromkeys(
        ("integer", "number", "text", "text_X_integer"), (None, 1)
    )
    assert space.get_inputs()["text"] is space.get_inputs()["text"]


def test_given_boundaries_are_not_learnt():
    space = FeatureSpace({"a": FeatureSpace.float_discretized(None, bin_boundaries=[0.15])})
    np.testing.assert_array_equal(space({"a": [0.1, 0.2]}), [[1, 0], [0, 1]])


@pytest.mark.parametrize(("features", "options", "words"), [
    ({}, {}, "features must be a dictionary by column"),
    ({"a": "flaot"}, {}, "float"),
    ({"a": "float"}, {"output_mode": "list"}, "output_mode"),
    ({"a": "float"}, {"crosses": [("a", "b")]}, "a cross needs two or more columns"),
])  # fmt: skip
def test_bad_arguments_are_refused(features, options, words):
    with pytest.raises(ValueError, match=words):
        FeatureSpace(features, **options)


def test_bad_data_is_refused():
    space, _ = spaces(cornu)["learnt"]
    with pytest.raises(ValueError, match=r"call adapt\(\) first"):
        space(TABLE)
    with pytest.raises(ValueError, match="without labels"):
        space.adapt([(TABLE, [1, 2, 3, 4])])
    space.adapt(TABLE)
    with pytest.raises(ValueError, match="a dictionary with the keys integer, number, text"):
        space({**TABLE, "more": [1, 2, 3, 4]})
    joined = FeatureSpace({"a": FeatureSpace.integer_hashed(3, output_mode="int")})
    with pytest.raises(ValueError, match="cannot be concatenated"):
        joined({"a": [1, 2]})
