"""Arrays of any kind go in, everywhere alike; what comes out is the caller's own."""

import array
import collections

import jax
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse

import cornu
from cornu import layers, ops
from cornu.core import border

X = np.array([[1.0, 2.0], [3.0, 4.0]], "float32")


class Foreign:
    """An array of a library nobody heard of."""

    shape, dtype, ndim = X.shape, X.dtype, X.ndim

    def __array__(self, dtype=None, copy=None):
        return X if dtype is None else X.astype(dtype)


class OnlyDlpack:
    shape, dtype, ndim = X.shape, X.dtype, X.ndim

    def __dlpack__(self, **options):
        return X.__dlpack__(**options)

    def __dlpack_device__(self):
        return X.__dlpack_device__()


ARRAYS = {
    "NumPy": X,
    "float64": X.astype("float64"),
    "long double": X.astype(np.longdouble),
    "big-endian": X.astype(">f4"),
    "big-endian integers": X.astype(">i8"),
    "Fortran order": np.asfortranarray(X),
    "not contiguous": np.repeat(X, 2, axis=1)[::-1, ::2][::-1],
    "objects": X.astype(object),
    "matrix": np.asmatrix(X),
    "JAX": jax.numpy.asarray(X),
    "variable": cornu.Variable(X),
    "frame": pd.DataFrame(X, columns=["a", "b"]),
    "nullable frame": pd.DataFrame(X, columns=["a", "b"]).astype("Int64"),
    "polars frame": pl.DataFrame(X, schema=["a", "b"]),
    "sparse": scipy.sparse.csr_matrix(X),
    "sparse array": scipy.sparse.coo_array(X),
    "__array__": Foreign(),
    "__dlpack__": OnlyDlpack(),
}
LISTS = {
    "list": X.tolist(),
    "tuple": tuple(map(tuple, X.tolist())),
    "list of arrays": list(X),
    "list of tensors": list(map(jax.numpy.asarray, X)),
    "deque": collections.deque(X.tolist()),
    "list of buffers": [array.array("f", row) for row in X.tolist()],
}


@pytest.fixture(scope="module")
def dense():
    layer = layers.Dense(2)
    layer.build((None, 2))
    return layer


@pytest.mark.parametrize("kind", [*ARRAYS, *LISTS])
def test_an_array_of_any_kind_is_taken_by_every_op(kind):
    given = {**ARRAYS, **LISTS}[kind]
    np.testing.assert_array_equal(ops.convert_to_tensor(given), X)
    np.testing.assert_array_equal(ops.convert_to_tensor(given, "float16"), X)
    np.testing.assert_array_equal(ops.convert_to_numpy(given), X)
    np.testing.assert_array_equal(ops.add(given, 1), X + 1)
    np.testing.assert_array_equal(ops.concatenate([given, X]), np.concatenate([X, X]))
    np.testing.assert_array_equal(cornu.Variable(given, dtype="float32").value, X)


@pytest.mark.parametrize("kind", ARRAYS)
def test_an_array_of_any_kind_is_taken_by_layers_losses_and_variables(kind, dense):
    given = ARRAYS[kind]
    np.testing.assert_allclose(dense(given), dense(X), rtol=1e-6)
    variable = cornu.Variable(np.zeros((2, 2), "float32"))
    variable.assign(given)
    np.testing.assert_array_equal(variable.value, X)
    np.testing.assert_array_equal(variable + given, X + X)
    assert float(cornu.losses.mean_squared_error(given, X).sum()) == 0
    assert float(cornu.losses.MeanSquaredError()(given, X)) == 0
    metric = cornu.metrics.MeanAbsoluteError()
    metric.update_state(given, X)
    assert float(metric.result()) == 0


REFUSED = {
    "a gap in a table": (np.array([[1.0, None]], object), ValueError, "NoneType, float.*missing values"),
    "numbers and text": (np.array([1.0, "2"], object), ValueError, "objects of type float, str"),
    "ragged rows": ([[1.0], [1.0, 2.0]], ValueError, "ragged"),
    "dates": (np.array(["2026-01-01"], "M8[D]"), ValueError, "dates"),
    "a structured array": (np.zeros(2, [("a", "f4"), ("b", "f4")]), ValueError, "fields a, b"),
    "masked values": (np.ma.masked_array(X, X > 2), ValueError, "filled"),
    "integers of 64 bits": (np.array([2**40]), ValueError, "do not fit in int32"),
    "text": ("three", TypeError, "text"),
    "a set": ({1, 2}, TypeError, "of type set"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_array_of_numbers_is_refused_by_name(kind):
    given, error, message = REFUSED[kind]
    with pytest.raises(error, match=f"add: x2 .*{message}"):
        ops.add(X, given)
    with pytest.raises(error, match=message):
        ops.convert_to_tensor(given)


def test_a_tensor_is_a_copy_of_the_array_it_was_made_of():
    given = np.zeros(2**16, "float32")
    tensor, total = ops.convert_to_tensor(given), ops.add(given, 0)
    given[:] = 7
    assert float(tensor.max()) == float(total.max()) == 0


def test_every_array_handed_out_may_be_written_to_and_changes_nothing():
    model = cornu.Sequential([cornu.Input((2,)), layers.Dense(2), layers.Dropout(0.5)])
    model.compile("adam", "mse")
    variable = model.weights[0]
    handed_out = {
        "get_weights": lambda: model.get_weights()[0],
        "layer.get_weights": lambda: model.layers[0].get_weights()[0],
        "Variable.numpy": variable.numpy,
        "np.array": lambda: np.array(variable),
        "np.asarray": lambda: np.asarray(variable),
        "convert_to_numpy of a variable": lambda: ops.convert_to_numpy(variable),
        "convert_to_numpy of a tensor": lambda: ops.convert_to_numpy(variable.value),
        "convert_to_numpy of an array": lambda: ops.convert_to_numpy(X),
        "predict": lambda: model.predict(X, verbose=0),
        "predict_on_batch": lambda: model.predict_on_batch(X),
        "get_state_tree": lambda: tree_leaf(model.get_state_tree(value_format="numpy_array")),
        "to_categorical": lambda: cornu.utils.to_categorical([0, 1]),
        "normalize": lambda: cornu.utils.normalize(X),
        "pad_sequences": lambda: cornu.utils.pad_sequences([[1.0], [2.0, 3.0]]),
        "save_own_variables": lambda: stored(model.layers[0]),
    }
    before = variable.numpy()
    for name, hand_out in handed_out.items():
        array = hand_out()
        assert type(array) is np.ndarray and array.flags.writeable, name
        array[...] = 3
        np.testing.assert_array_equal(variable.value, before, err_msg=name)
        assert X[0, 0] == 1, name


def tree_leaf(structure):
    return cornu.tree.flatten(structure)[0]


def stored(layer):
    store = {}
    layer.save_own_variables(store)
    return store["0"]


def test_jax_arrays_pass_the_border_as_they_are():
    tensor = jax.numpy.asarray(X)
    assert border.to_tensor(tensor) is tensor
    assert ops.convert_to_tensor(tensor) is tensor
