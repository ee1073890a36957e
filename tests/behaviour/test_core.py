"""Variables, pure functions of state, symbolic tensors, operations and scopes, as a user meets them."""

import collections
import contextlib
import copy
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import cornu
from cornu import layers, ops
from cornu.core.operation import Tensor, op
from cornu.core.variable import functional


def test_a_layer_inside_one_of_the_same_name_has_both_names_in_the_paths_of_its_weights():
    inner = cornu.Sequential([cornu.layers.Dense(1, name="same")], name="same")
    outer = cornu.Sequential([inner], name="same")
    outer.build((None, 2))
    assert [v.path for v in outer.variables] == ["same/same/same/kernel", "same/same/same/bias"]


def test_a_weight_made_in_a_scope_within_build_lies_below_its_layer():
    class Scoped(cornu.layers.Layer):
        def build(self, input_shape):
            with cornu.name_scope("inner"):
                self.scale = self.add_weight((1,), name="scale")

        def call(self, inputs):
            return inputs * self.scale

    layer = Scoped(name="scoped")
    layer(np.ones((1, 2)))
    assert layer.scale.path == "scoped/scale"


def test_a_loaded_sequential_model_names_its_weights_as_before():
    model = cornu.Sequential([cornu.Input((2,)), cornu.layers.Dense(1, name="d")], name="mine")
    again = cornu.Sequential.from_config(model.get_config())
    assert [v.path for v in again.variables] == [v.path for v in model.variables] == ["mine/d/kernel", "mine/d/bias"]


def test_a_variable_keeps_its_dtype_and_shape():
    v = cornu.Variable([1.0, 2.0], name="v")
    v.assign_add(np.ones(2))
    v.assign_sub([0.5, 0.5])
    np.testing.assert_array_equal(v.numpy(), [1.5, 2.5])
    assert v.dtype == "float32" and v.value.dtype == "float32"
    v.assign(np.array([3, 4]))
    assert v.value.dtype == "float32" and not v.value.weak_type
    with pytest.raises(ValueError, match=r"shape \(2,\)"):
        v.assign([1.0])
    np.testing.assert_array_equal((2 * v - v / 2 + np.ones(2)), [5.5, 7.0])


def test_what_a_user_read_from_a_variable_is_not_changed_by_training():
    model = cornu.Sequential([cornu.Input((3,)), layers.Dense(2)])
    model.compile("sgd", "mse")
    seen = [np.asarray(v) for v in model.weights] + model.get_weights() + [v.numpy() for v in model.weights]
    copies = [np.array(array) for array in seen]
    model.fit(np.ones((8, 3)), np.ones((8, 2)), epochs=3, verbose=0)
    for a, b in zip(seen, copies, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("initializer", "shape", "dtype", "kept"),
    [
        (np.zeros(2), None, None, "float32"),
        (np.zeros(2, "int64"), None, None, "int32"),
        ("zeros", (2,), "int64", "int32"),
        ([1, 2], None, None, "int32"),
        (lambda shape, dtype: np.zeros(shape, "int32"), (2,), None, "float32"),  # as in Keras, no function decides it
    ],
)
def test_a_variable_is_of_the_dtype_that_was_asked_for_as_jax_keeps_it(initializer, shape, dtype, kept):
    variable = cornu.Variable(initializer, shape=shape, dtype=dtype)
    assert variable.dtype == variable.value.dtype == kept


def test_a_variable_stays_on_the_device_that_it_was_laid_out_for():
    device = jax.devices()[0]
    variable = cornu.Variable(np.zeros(2), layout=device)
    variable.assign(np.ones(2))
    assert variable.value.committed
    assert variable.value.devices() == {device}


@pytest.mark.parametrize(
    "give",
    [lambda layer, array: layer.kernel.assign(array), lambda layer, array: layer.set_weights([array])],
    ids=["assigned", "set_weights"],
)
def test_an_array_that_is_donated_later_is_still_the_variables(give):
    layer = layers.Dense(2, use_bias=False)
    layer.build((None, 3))
    array = jnp.ones((3, 2))
    give(layer, array)
    array.delete()  # as a compiled function does with what is donated to it
    np.testing.assert_array_equal(layer.get_weights()[0], np.ones((3, 2)))


def test_functional_makes_assignments_pure():
    v = cornu.Variable(1.0)
    pure = functional(lambda x: v.assign_add(x) * 2, [v])
    result, state = jax.jit(pure)([v.value], 3.0)
    assert (float(result), float(state[0]), float(v.value)) == (8.0, 4.0, 1.0)


def test_a_pure_function_may_give_variables_and_other_things_together():
    v = cornu.Variable(1.0)
    result, _ = functional(lambda: {"v": v, "twice": v * 2, "name": "v"}, [v])([3.0])
    assert result == {"v": 3.0, "twice": 6.0, "name": "v"}


@pytest.mark.parametrize("state", [[], [1.0, 2.0]])
def test_a_state_of_another_length_is_refused(state):
    v = cornu.Variable(1.0)
    with pytest.raises(ValueError):
        functional(lambda: v.value, [v])(state)


@pytest.mark.parametrize("asked", [True, False])
def test_a_stateless_scope_gathers_losses_where_it_is_asked_to(asked):
    layer = layers.ActivityRegularization(l1=1.0)
    with cornu.StatelessScope(collect_losses=asked) as scope:
        layer(np.ones((1, 2), "float32"))
    assert list(map(float, scope.losses)) == [2.0] * asked


def test_assigning_inside_a_compiled_function_says_what_to_do():
    v = cornu.Variable(1.0, name="count")
    with pytest.raises(ValueError, match=r"count.*pure"):
        jax.jit(lambda: v.assign(v + 1))()


def test_a_stateless_scope_keeps_changes_to_itself():
    v = cornu.Variable(1.0)
    with cornu.StatelessScope(state_mapping=[(v, jnp.asarray(5.0))]) as scope:
        v.assign_add(1.0)
    assert float(scope.get_current_value(v)) == 6.0
    assert float(v.value) == 1.0


def test_names_are_nested_by_scopes():
    with cornu.name_scope("outer"), cornu.name_scope("inner"):
        assert cornu.Variable(0.0, name="v").path == "outer/inner/v"
    with pytest.raises(ValueError, match="/"):
        cornu.name_scope("a/b")


def test_an_own_operation_serves_arrays_symbols_and_graphs():
    @op
    def scaled(x: Tensor, factor=2.0):
        return x * factor

    np.testing.assert_array_equal(scaled([1.0, 2.0]), [2.0, 4.0])
    x = cornu.Input((3,))
    y = scaled(x, factor=3.0)
    assert y.shape == (None, 3)
    np.testing.assert_array_equal(cornu.Model(x, y).predict(np.ones((1, 3)), verbose=0), [[3.0, 3.0, 3.0]])


@pytest.mark.parametrize(
    "misuse, hint",
    [
        (np.sum, "cornu.ops"),
        (jnp.sum, "cornu.ops"),
        (bool, "truth value"),
        (list, "iterate"),
        (len, "length"),
    ],
)
def test_a_symbolic_tensor_says_what_to_use_instead(misuse, hint):
    with pytest.raises((TypeError, ValueError), match=hint):
        misuse(cornu.Input((3,)))


def test_symbolic_tensors_are_found_in_lists():
    a, b, c = cornu.Input((3,)), cornu.Input((4,)), cornu.Input((3,))
    assert a in [b, c, a]
    assert a not in [b, c]
    assert [b, c, a].index(a) == 2
    assert [a, b] == [a, b] != [b, a]
    assert a != c
    model = cornu.Model([a, c], a == c)  # and in a graph they are compared by value
    np.testing.assert_array_equal(model([np.zeros((1, 3)), np.eye(1, 3)]), [[False, True, True]])


def test_numpy_arrays_on_the_left_of_an_operator():
    x = cornu.Input((3,))
    model = cornu.Model(x, np.ones(3, "float32") + x)
    np.testing.assert_array_equal(model.predict(np.ones((1, 3)), verbose=0), [[2.0, 2.0, 2.0]])


def test_unknown_sizes_go_through_code_that_looks_at_sizes():
    class Odd(layers.Layer):
        def call(self, x):
            return x[:, 1:] if x.shape[1] > 5 else x[:, 2:]

    assert Odd()(cornu.Input((None, 4))).shape == (None, None, 4)


@pytest.mark.parametrize("mode", ["full", "activations", None])
def test_recomputing_activations_changes_no_number(mode):
    def gradients():
        cornu.utils.set_random_seed(0)
        model = cornu.Sequential(
            [cornu.Input((4,)), layers.Dense(5, "relu"), layers.BatchNormalization(), layers.Dense(1)]
        )
        model.compile("sgd", "mse")
        history = model.fit(np.ones((8, 4)), np.ones((8, 1)), epochs=2, verbose=0)
        return history.history["loss"]

    plain = gradients()
    with cornu.RematScope(mode=mode):
        again = gradients()
    np.testing.assert_allclose(again, plain, rtol=1e-6)


@pytest.mark.parametrize("where, recomputed", [("made", 2), ("called", 0)])
def test_layers_made_in_the_scope_recompute_wherever_they_are_called(where, recomputed):
    """As Keras's, but for the model itself: recomputing it whole would keep all its values at one time."""

    def scope(name):
        return cornu.RematScope("full") if name == where else contextlib.nullcontext()

    with scope("made"):
        model = cornu.Sequential([cornu.Input((4,)), layers.Dense(3, activation="relu"), layers.Dense(2)])
    model = copy.deepcopy(model)

    def loss(values, x):
        return model.stateless_call(values, [], x)[0].sum()

    with scope("called"):
        text = str(jax.make_jaxpr(loss)([v.value for v in model.trainable_variables], np.ones((2, 4), "float32")))
    assert len(re.findall(r"checkpoint\[|remat2?\[", text)) == recomputed


def test_a_recomputed_function_reads_the_weights_of_each_call():
    """JAX remembers what it has traced for a function, here in the first call and when the model is built."""

    class Block(layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = layers.Dense(3, use_bias=False)
            self.recomputed = cornu.remat(self.inner)

        def call(self, inputs):
            return self.recomputed(inputs)

    block, x = Block(), np.ones((8, 3), "float32")
    model = cornu.Sequential([cornu.Input((3,)), block, layers.Dense(1)])
    model.compile("sgd", "mse")
    block(x)
    before = block.inner.kernel.numpy()
    model.fit(x, np.ones((8, 1)), verbose=0)
    assert not np.allclose(before, block.inner.kernel.numpy())
    block.inner.kernel.assign(np.zeros((3, 3)))
    np.testing.assert_array_equal(block(x), np.zeros((8, 3)))


def test_policies_say_where_to_compute_and_where_to_keep():
    dense = layers.Dense(2, dtype="mixed_bfloat16")
    assert dense(np.ones((1, 3))).dtype == "bfloat16"
    assert dense.kernel.dtype == "float32"
    with pytest.raises(ValueError, match="mixed_bfloat16"):
        cornu.DTypePolicy("mixed_bfloat61")


def recurrent(kind, **options):
    return kind(2, recurrent_initializer="glorot_uniform", **options)


@pytest.mark.parametrize("around", ["float32", "mixed_bfloat16", "bfloat16"])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda dtype, own: layers.TimeDistributed(layers.Dense(2, **own), dtype=dtype),
        lambda dtype, own: layers.Bidirectional(recurrent(layers.SimpleRNN, **own), dtype=dtype),
        lambda dtype, own: layers.RNN(recurrent(layers.LSTMCell, **own), dtype=dtype),
        lambda dtype, own: layers.RNN([recurrent(layers.GRUCell, **own) for _ in range(2)], dtype=dtype),
        lambda dtype, own: layers.SpectralNormalization(layers.Dense(2, **own), dtype=dtype),
    ],
    ids=["TimeDistributed", "Bidirectional", "RNN", "a list of cells", "SpectralNormalization"],
)
def test_a_last_layer_that_wraps_another_gives_the_dtype_that_was_asked_of_it(wrap, around):
    x = np.ones((2, 4, 3), "float32")
    for own in ({}, {"dtype": "mixed_bfloat16"}):
        layer = wrap(around, own)
        y = layer(x)
        assert y.dtype == layer(cornu.Input((4, 3))).dtype == ("float32" if around == "float32" else "bfloat16")
        assert {w.dtype for w in layer.trainable_weights} == {"float32"}
        exact = bool(np.any(np.asarray(y) != np.asarray(y.astype("bfloat16").astype("float32"))))
        assert exact == (around == "float32")


def test_errors_name_the_layer_they_happened_in():
    class Broken(layers.Layer):
        def call(self, x):
            return ops.reshape(x, (7, 11))

    model = cornu.Sequential([layers.Dense(2, name="fine"), Broken(name="broken")], name="outer")
    with pytest.raises(Exception, match=r'reshape.*Raised in Broken "broken", at outer/broken'):
        model(np.ones((3, 4)))


def test_settings_are_read_and_written_by_their_keras_names():
    assert cornu.config.floatx() == "float32" and cornu.config.image_data_format() == "channels_last"
    with pytest.raises(ValueError, match="float31"):
        cornu.config.set_floatx("float31")
    cornu.config.set_epsilon(1e-5)
    try:
        assert cornu.backend.epsilon() == 1e-5
    finally:
        cornu.config.set_epsilon(1e-7)


@pytest.mark.parametrize("give", [lambda v, x: v.assign(x), lambda v, x: v.__init__(x)], ids=["assigned", "first"])
def test_an_array_that_changes_later_does_not_change_the_variable(give):
    room = np.zeros(64 * 64 * 4 + 64, "uint8")
    start = -room.ctypes.data % 64
    array = room[start : start + 64 * 64 * 4].view("float32").reshape(64, 64)  # aligned as XLA likes it
    variable = cornu.Variable(np.ones((64, 64), "float32"))
    give(variable, array)
    array[:] = 7
    assert variable.numpy().max() == 0


def tensor(*shape, dtype="float32"):
    return cornu.KerasTensor(shape, dtype)


# An unknown size beside a known one: (what is called, the shape that Keras gives).
UNKNOWN_BESIDE_KNOWN = {
    "positions": (lambda: ops.add(tensor(None, None, 8), np.ones((12, 8))), (None, 12, 8)),
    "a constant batch": (lambda: tensor(None, 3) + np.ones((4, 3)), (4, 3)),
    "a constant on the left": (lambda: np.ones((4, 3)) * tensor(None, 3), (4, 3)),
    "two unknown": (lambda: ops.maximum(tensor(None, 4), tensor(3, None)), (3, 4)),
    "both of one tensor": (lambda: ops.add(tensor(None, None), tensor(5, 5)), (5, 5)),
    "where": (lambda: ops.where(tensor(None, 3, dtype="bool"), tensor(4, 3), tensor(1, 3)), (4, 3)),
    "select": (lambda: ops.select([tensor(None, dtype="bool")], [tensor(3)], tensor(None)), (3,)),
    "matmul": (lambda: ops.matmul(tensor(None, None), tensor(5, 4)), (None, 4)),
    "matmul of batches": (lambda: ops.matmul(tensor(2, None, None), tensor(None, 5, 4)), (2, None, 4)),
    "einsum": (lambda: ops.einsum("ij,jk->ik", tensor(None, None), tensor(5, 4)), (None, 4)),
    "tensordot": (lambda: ops.tensordot(tensor(None, None), tensor(5, 4), axes=1), (None, 4)),
    "vstack": (lambda: ops.vstack([tensor(2, None), tensor(2, 3)]), (4, 3)),
    "stack": (lambda: ops.stack([tensor(2, 3), tensor(None, 3)], axis=-1), (2, 3, 2)),
    "concatenate": (lambda: ops.concatenate([tensor(2, 5), tensor(None, 3)], axis=1), (2, 8)),
    "concatenate unknown": (lambda: ops.concatenate([tensor(None, None), tensor(2, 3)], axis=0), (None, 3)),
    "Embedding": (
        lambda: (
            cornu.layers.Embedding(9, 8)(tensor(None, None, dtype="int32"))
            + cornu.layers.Embedding(12, 8)(ops.arange(12))
        ),
        (None, 12, 8),
    ),
}


@pytest.mark.parametrize("case", UNKNOWN_BESIDE_KNOWN)
def test_a_known_size_tells_an_unknown_one(case):
    call, shape = UNKNOWN_BESIDE_KNOWN[case]
    assert call().shape == shape


def test_known_sizes_that_differ_are_refused_beside_unknown_ones():
    with pytest.raises((ValueError, TypeError), match="shapes"):
        ops.add(tensor(None, 3), tensor(None, 4))


def test_operators_are_there_before_anything_else_was_used():
    code = "import cornu; assert (cornu.KerasTensor((None, 3)) * 2).shape == (None, 3)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_and_or_xor_of_variables_are_logical():
    a, b = cornu.Variable([1.0, 0.0, 2.0]), cornu.Variable([1.0, 1.0, 4.0])
    assert (a & b).tolist() == [True, False, True]
    assert (a | 0.0).tolist() == [True, False, True]
    assert (True ^ a).tolist() == [False, True, False]


def test_dtypes_merge_by_name_and_python_types_stay_weak():
    kinds = [np.dtype("int64"), "float64", "uint64", int, float, bool, None, np.float16]
    got = [cornu.backend.result_type("int64", kind) for kind in kinds]
    assert got == ["int32", "float32", "float32", "int32", "float32", "int32", "float32", "float16"]
    assert cornu.backend.standardize_dtype("int") == "int32"
    with pytest.raises(ValueError, match="Cast it first"):
        cornu.backend.result_type("float8_e4m3fn", "float32")


def test_a_deque_is_a_structure_and_a_field_of_a_namedtuple_a_position():
    pair = collections.namedtuple("pair", "a b")(1, [2])
    given = {"x": collections.deque([1, 2], maxlen=5), "y": pair}
    doubled = cornu.tree.map_structure(lambda v: v * 2, given)
    assert doubled["x"] == collections.deque([2, 4]) and doubled["x"].maxlen == 5
    assert cornu.tree.flatten_with_path(given) == [(("x", 0), 1), (("x", 1), 2), (("y", 0), 1), (("y", 1, 0), 2)]
