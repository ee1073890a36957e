"""Ops as a user meets them: on lists, numbers, variables and symbolic tensors; with clear errors; documented."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

import cornu
from cornu import ops
from cornu.core.variable import functional


def test_every_op_is_documented():
    for package in (ops, ops.image, cornu.random):
        assert [n for n in package.__all__ if not getattr(package, n).__doc__] == []


def test_lists_numbers_and_variables_are_tensors():
    v = cornu.Variable([1.0, 2.0])
    np.testing.assert_array_equal(ops.add([1, 2], [3, 4]), [4, 6])
    np.testing.assert_array_equal(ops.multiply(v, 2), [2.0, 4.0])
    np.testing.assert_array_equal(ops.concatenate([v, [3.0]]), [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(ops.stack([v, v * 2]), [[1.0, 2.0], [2.0, 4.0]])
    np.testing.assert_array_equal(ops.maximum(x1=v, x2=[2.0, 0.0]), [2.0, 2.0])
    np.testing.assert_array_equal(ops.convert_to_tensor(v), [1.0, 2.0])
    np.testing.assert_array_equal(ops.convert_to_tensor([v, v]), [[1.0, 2.0], [1.0, 2.0]])
    assert isinstance(ops.convert_to_numpy(v), np.ndarray)
    assert float(ops.sum(3)) == 3


def test_64_bit_numbers_arrive_as_32_bits_without_a_word():
    for call in (ops.convert_to_tensor, ops.abs, ops.array, ops.zeros_like, lambda x: ops.cast(x, "float64")):
        assert call(np.ones(3)).dtype == "float32"
    assert ops.zeros((2,), "int64").dtype == "int32"
    assert ops.one_hot(np.array([1], "int64"), 2, dtype="float64").dtype == "float32"


def test_operators_on_symbolic_tensors():
    x = cornu.KerasTensor((None, 3))
    results = [x + 1, 1 + x, x - x, 2 * x, x / 2, 1 / x, x // 2, x % 2, x**2, 2**x, -x, abs(x), x + np.ones(3)]
    assert {r.shape for r in results} == {(None, 3)}
    assert {r.dtype for r in (x > 0, x >= 0, x < 0, x <= 0, x == 0, x != 0, ~(x > 0), (x > 0) & (x < 1))} == {"bool"}
    assert (x @ np.ones((3, 4), "float32")).shape == (None, 4)
    assert x[:, 0].shape == (None,) and x[..., None].shape == (None, 3, 1)
    assert x.reshape((-1, 1)).shape == (None, 1) and x.T.shape == (3, None)
    assert x.astype("int32").dtype == "int32"


def test_python_answers_about_symbolic_tensors():
    x = cornu.KerasTensor((None, 3), dtype="int32")
    assert ops.shape(x) == (None, 3) and ops.ndim(x) == 2 and ops.dtype(x) == "int32"
    assert ops.size(cornu.KerasTensor((2, 3))) == 6
    assert ops.size(x).shape == ()
    assert not ops.is_tensor(x) and ops.is_tensor(jnp.ones(2)) and not ops.is_tensor(np.ones(2))
    with pytest.raises(ValueError, match="no values yet"):
        ops.convert_to_numpy(x)


def test_a_graph_of_ops_runs_on_values():
    x = cornu.Input((4,))
    y = ops.where(
        ops.sum(x, axis=-1, keepdims=True) > 0, ops.relu(x), ops.reshape(ops.split(x, 2, axis=1)[0], (-1, 2))[:, :1]
    )
    model = cornu.Model(x, [y, ops.einsum("ij,ij->i", x, x), ops.rearrange(x, "b (h w) -> b h w", h=2)])
    data = np.array([[1, -1, 2, 3], [-1, -2, 0, 1]], "float32")
    a, b, c = model(data)
    np.testing.assert_allclose(a, [[1, 0, 2, 3], [-1, -1, -1, -1]])
    np.testing.assert_allclose(b, [15, 6])
    assert c.shape == (2, 2, 2)


def test_shapes_that_depend_on_values_are_open():
    x = cornu.KerasTensor((None, 3), dtype="int32")
    assert [n.shape for n in ops.nonzero(x)] == [(None,), (None,)]
    assert [n.shape for n in ops.where(x)] == [(None,), (None,)]
    assert ops.unique(x).shape == (None,)
    assert ops.unique(x, size=5).shape == (5,)
    assert [r.shape for r in ops.unique(x, return_inverse=True, return_counts=True)] == [(None,), (None, 3), (None,)]
    assert ops.bincount(x).shape == (None, None)
    assert ops.reshape(x, (-1, 2)).shape == (None, 2)


def test_control_flow_on_symbolic_tensors():
    x = cornu.KerasTensor((None, 3))
    assert ops.cond(cornu.KerasTensor((), "bool"), lambda: 1.0, lambda: 2.0).shape == ()
    assert ops.map(lambda row: row * 2, x).shape == (None, 3)
    assert ops.vectorized_map(ops.sum, x).shape == (None,)
    assert ops.fori_loop(0, 3, lambda i, v: v + 1, x).shape == (None, 3)
    assert ops.associative_scan(lambda a, b: a + b, x, axis=1).shape == (None, 3)
    carry, out = ops.scan(lambda c, row: (c + row, row), cornu.KerasTensor((3,)), x)
    assert carry.shape == (3,) and out.shape == (None, 3)
    assert ops.while_loop(lambda v: ops.sum(v) < 9, lambda v: v + 1, x).shape == (None, 3)
    assert ops.switch(cornu.KerasTensor((), "int32"), [lambda v: v, lambda v: -v], x).shape == (None, 3)


def test_control_flow_compiles():
    @jax.jit
    def clipped_power(x, n):
        y = ops.fori_loop(0, n, lambda i, v: v * x, ops.ones_like(x))
        return ops.cond(ops.sum(y) > 100, lambda: ops.zeros_like(y), lambda: y)

    np.testing.assert_array_equal(clipped_power(jnp.array([2.0, 3.0]), 2), [4.0, 9.0])
    np.testing.assert_array_equal(clipped_power(jnp.array([2.0, 3.0]), 9), [0.0, 0.0])


def test_a_gradient_of_ones_own():
    @ops.custom_gradient
    def clipped(x):
        return x * 3, lambda upstream: ops.clip(upstream, -1.0, 1.0)

    assert float(clipped(2.0)) == 6
    assert float(jax.grad(lambda x: 10 * clipped(x))(2.0)) == 1
    assert float(jax.grad(lambda x: x * ops.stop_gradient(x))(3.0)) == 3


def test_a_function_of_scalars_made_to_broadcast():
    f = ops.vectorize(lambda a, b: ops.where(a > b, a - b, a + b))
    np.testing.assert_array_equal(f(np.array([1, 2, 3, 4]), 2), [3, 4, 1, 2])
    dot = ops.vectorize(lambda a, b: ops.sum(a * b), signature="(n),(n)->()")
    assert dot(np.ones((5, 3)), np.ones(3)).shape == (5,)
    assert f(cornu.KerasTensor((None, 3)), 2.0).shape == (None, 3)
    with pytest.raises(ValueError, match="must be a function"):
        ops.vectorize(3)


def test_counting_in_compiled_code_needs_a_length():
    count = jax.jit(lambda x: ops.bincount(x, minlength=4))
    np.testing.assert_array_equal(count(jnp.array([1, 1, 3])), [0, 2, 0, 1])
    with pytest.raises(ValueError, match="minlength must be given in compiled code"):
        jax.jit(ops.bincount)(jnp.array([1, 1, 3]))
    with pytest.raises(ValueError, match="num_segments must be given in compiled code"):
        jax.jit(ops.segment_sum)(jnp.ones(3), jnp.array([0, 1, 1]))
    with pytest.raises(ValueError, match=r"one index for each element .* data.shape=\(3,\), segment_ids.shape=\(2,\)"):
        ops.segment_sum(np.ones(3), np.array([0, 1]))
    np.testing.assert_array_equal(ops.segment_sum(np.ones(3), np.array([0, 1, 1])), [1, 2])


def test_rows_of_different_largest_counts():
    np.testing.assert_array_equal(ops.bincount(np.array([[1, 2], [3, 3]])), [[0, 1, 1, 0], [0, 0, 0, 2]])


def test_sparsemax_gives_probabilities_row_by_row():
    y = np.asarray(ops.sparsemax(np.array([[1.0, 2.0, 3.5], [0.1, 0.2, 0.3]])))
    np.testing.assert_allclose(y.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(y[0], [0, 0, 1])
    np.testing.assert_allclose(y[1], np.array([0.1, 0.2, 0.3]) + (1 - 0.6) / 3, rtol=1e-6)
    np.testing.assert_allclose(ops.sparsemax(y.T, axis=0), ops.sparsemax(y).T, rtol=1e-6)


def test_a_blur_averages_with_gaussian_weights_channel_by_channel():
    spot = np.zeros((1, 7, 7, 2), "float32")
    spot[0, 3, 3, 0] = 1
    blurred = np.asarray(ops.image.gaussian_blur(spot, (3, 5), (1.0, 2.0)))
    down, across = (np.exp(-0.5 * np.square(np.arange(n) - n // 2) / s**2) for n, s in ((3, 1.0), (5, 2.0)))
    expected = np.outer(down / down.sum(), across / across.sum())
    np.testing.assert_allclose(blurred[0, 2:5, 1:6, 0], expected, rtol=1e-5)
    assert blurred[..., 1].max() == 0
    first = ops.image.gaussian_blur(spot.transpose(0, 3, 1, 2), (3, 5), (1.0, 2.0), data_format="channels_first")
    np.testing.assert_allclose(np.moveaxis(np.asarray(first), 1, -1), blurred)


def test_bending_an_image_keeps_its_values_and_repeats_with_the_seed():
    x = np.random.rand(2, 8, 9, 3).astype("float32")
    bent = lambda alpha: np.asarray(jax.jit(lambda x: ops.image.elastic_transform(x, alpha, sigma=2.0, seed=3))(x))
    once, again = bent(5.0), bent(5.0)
    np.testing.assert_array_equal(once, again)
    assert once.shape == x.shape and not np.allclose(once, x)
    assert x.min() <= once.min() and once.max() <= x.max()
    np.testing.assert_allclose(bent(0.0), x, atol=1e-5)


def test_a_perspective_moves_corners_where_they_are_told():
    x = np.random.rand(1, 6, 6, 1).astype("float32")
    start = np.array([[0, 0], [5, 0], [0, 5], [5, 5]], "float32")
    end = start[[1, 3, 0, 2]]  # a quarter turn
    turned = np.asarray(ops.image.perspective_transform(x, start, end))
    np.testing.assert_allclose(turned[0, 0, 5], x[0, 0, 0], atol=1e-4)
    np.testing.assert_allclose(turned[0, ..., 0], np.rot90(x[0, ..., 0], -1), atol=1e-4)


def test_classes_along_another_axis():
    target, logits = np.array([[1, 0]]), np.random.rand(1, 3, 2).astype("float32")
    loss = ops.sparse_categorical_crossentropy(target, logits, from_logits=True, axis=1)
    expected = ops.sparse_categorical_crossentropy(target, logits.transpose(0, 2, 1), from_logits=True)
    np.testing.assert_allclose(loss, expected, rtol=1e-6)


def test_an_impossible_labelling_costs_much_but_not_infinitely():
    loss = ops.ctc_loss(np.array([[1, 2, 3]]), np.zeros((1, 2, 4)), np.array([3]), np.array([2]))
    assert 1e4 < float(loss[0]) < 1e6


def test_stft_and_back():
    x = np.random.randn(2, 64).astype("float32")
    for window in ("hann", "hamming", None):
        back = ops.istft(ops.stft(x, 16, 4, 16, window=window), 16, 4, 16, window=window)
        np.testing.assert_allclose(back, x, atol=1e-5)


def test_adding_to_the_same_place_twice():
    places, values = np.array([[1], [1]]), np.array([2.0, 3.0])
    np.testing.assert_array_equal(ops.scatter(places, values, (3,)), [0, 5, 0])
    np.testing.assert_array_equal(ops.scatter_update(np.ones(3), places, values, reduction="add"), [1, 6, 1])


MISTAKES = [
    (lambda: ops.reshape(cornu.KerasTensor((2, 4)), (-1, 3)), "reshape: 8 elements cannot be reshaped"),
    (lambda: ops.squeeze(cornu.KerasTensor((None, 2)), 1), "squeeze: axis 1 must have size 1"),
    (lambda: ops.unstack(cornu.KerasTensor((None, 2))), "pass it as num="),
    (lambda: ops.where(np.ones(2), np.ones(2)), "given together"),
    (lambda: ops.pad(np.ones(2), 1, mode="edge", constant_values=1), 'requires mode="constant"'),
    (lambda: ops.glu(np.ones((2, 3))), "must be even"),
    (lambda: ops.normalize(np.ones(2), order=0), "order must be a number of at least 1"),
    (lambda: ops.binary_crossentropy(np.ones((2, 1)), np.ones((2, 3))), "must have the same shape"),
    (lambda: ops.categorical_crossentropy(np.ones(2), np.ones((2, 3))), "must have the same shape"),
    (lambda: ops.sparse_categorical_crossentropy(np.ones((3,)), np.ones((2, 3))), "without its class axis"),
    (lambda: ops.scatter_update(np.ones(2), [[0]], [1.0], reduction="mean"), "reduction must be"),
    (lambda: ops.cholesky(-np.eye(2)), "positive definite"),
    (lambda: ops.inv(np.ones((2, 3))), "same size"),
    (lambda: ops.qr(np.eye(2), mode="r"), 'mode must be "reduced" or "complete"'),
    (lambda: ops.rearrange(np.ones((2, 6)), "a (b c) -> a b c", b=4), "cannot be split"),
    (lambda: ops.rearrange(np.ones((2, 6)), "a b -> a c"), "same axes"),
    (lambda: ops.convert_to_tensor([1], sparse=True), "dense"),
    (lambda: ops.multi_hot([1]), "num_classes must be given"),
    (lambda: ops.stft(np.ones(9), 8, 2, 4), "at least sequence_length"),
    (lambda: ops.image.resize(np.ones((1, 4, 4, 3)), (2, 2), interpolation="area"), "interpolation must be"),
    (lambda: ops.image.crop_images(np.ones((1, 4, 4, 3)), 1, 1, 1), "exactly two"),
    (lambda: ops.image.rgb_to_hsv(np.ones((1, 4, 4, 3), "uint8")), "floats from 0 to 1"),
    (lambda: ops.image.rgb_to_grayscale(np.ones((1, 4, 4, 2))), "3 channels"),
    (lambda: ops.ctc_decode(np.ones((1, 2, 3)), [2], strategy="best"), "strategy must be"),
    (lambda: ops.dot_product_attention(np.ones((2, 3)), np.ones((2, 3)), np.ones((2, 3))), "must have 4 axes"),
    (lambda: ops.fold(np.ones((1, 7, 4)), 4, 2), "fold: x must have shape"),
]


@pytest.mark.parametrize(("mistake", "message"), MISTAKES)
def test_mistakes_are_named(mistake, message):
    with pytest.raises(ValueError, match=message):
        mistake()


def test_ops_inside_a_pure_function_read_its_state():
    v = cornu.Variable([1.0, 2.0])
    pure = functional(lambda x: ops.sum(ops.multiply(v, x)), [v])
    result, _ = pure([jnp.array([10.0, 20.0])], 2.0)
    assert float(result) == 60


def test_the_tiniest_number_is_larger_than_zero():
    for kind in ("float32", "float16", "bfloat16"):
        tiny = np.array([-1.0, -0.0, jax.numpy.finfo(kind).smallest_subnormal], kind)
        assert int(ops.argmax(tiny)) == 2 and int(ops.argmin(-tiny)) == 2
    assert int(ops.argmax(np.array([1.0, -np.nan, 2.0]))) == int(ops.argmin(np.array([1.0, -np.nan, 0.0]))) == 1


def test_counts_of_unsigned_integers_are_as_long_as_needed():
    for kind in ("uint8", "uint32", "int8"):
        assert ops.bincount(np.array([1, 2, 1], kind)).tolist() == [0, 2, 1]
    assert ops.bincount(np.array([], "int32"), minlength=2).tolist() == [0, 0]


def test_moments_of_halves_stay_finite():
    mean, variance = ops.moments(np.array([6e4, -6e4], "float16"), axes=0)
    assert float(mean) == 0 and float(variance) == np.finfo("float16").max


def test_a_custom_gradient_takes_variables():
    @ops.custom_gradient
    def doubled(x):
        return x * 2.0, lambda upstream: upstream * 3.0

    assert doubled(cornu.Variable([1.0, 4.0])).tolist() == [2.0, 8.0]
    assert jax.grad(doubled)(1.0) == 3.0


@cornu.saving.register_keras_serializable("test_ops")
def twice(row):
    return row * 2.0


def test_a_model_of_mapped_functions_is_made_again_from_its_config():
    start = cornu.Input((4,))
    for mapped in (ops.vectorized_map(twice, start), ops.map(twice, start)):
        again = cornu.Model.from_config(cornu.Model(start, mapped).get_config())
        assert again(np.ones((2, 4), "float32")).tolist() == [[2.0] * 4] * 2


def test_a_symbolic_tensor_where_values_are_needed_is_refused_by_name():
    with pytest.raises(TypeError, match="repeat: repeats needs values"):
        ops.repeat(cornu.KerasTensor((3,)), cornu.KerasTensor((3,), "int32"), axis=0)


def test_no_images_give_no_patches():
    assert ops.image.extract_patches(np.zeros((0, 4, 4, 3)), 2).shape == (0, 2, 2, 12)
    assert ops.unfold(np.zeros((0, 3, 4, 4), "int32"), 2).dtype == "int32"


def test_whole_numbers_stay_whole_when_patches_are_moved_about():
    large = np.arange(2**30, 2**30 + 16, dtype="int32").reshape(1, 4, 4, 1)
    patches = np.asarray(ops.image.extract_patches(large, 2))
    assert patches[0, 0, 0].tolist() == [2**30, 2**30 + 1, 2**30 + 4, 2**30 + 5]


def test_sparsemax_of_large_numbers_is_a_distribution():
    found = ops.sparsemax(np.array([[1e30, 0.0, 1e30], [1e5, 1e5 - 0.5, 0.0]], "float32"))
    np.testing.assert_allclose(found, [[0.5, 0.0, 0.5], [0.75, 0.25, 0.0]])


def test_a_size_that_is_unknown_is_none_in_messages():
    with pytest.raises(ValueError, match=r"\[None,None,3\]") as told:
        ops.broadcast_to(cornu.KerasTensor((None, None, 3)), (2, 4, 3))
    assert "84" not in str(told.value)


def test_a_range_up_to_an_unknown_size_is_refused_in_words():
    with pytest.raises(ValueError, match=r"arange: start.*axis that varies.*call\(\)"):
        ops.arange(cornu.Input((None, 3)).shape[1])


@pytest.mark.parametrize("argument", ["mask", "bias"])
def test_attention_takes_fewer_axes_for_the_batch_where_they_fit_nothing_else(argument):
    random = np.random.default_rng(0)
    query, key = random.random((2, 4, 3, 5)), random.random((2, 6, 3, 5))
    attend = lambda x: ops.dot_product_attention(query, key, key, **{argument: x})
    same = lambda few, all_axes: np.testing.assert_array_equal(attend(few), attend(all_axes))
    chosen = lambda *shape: random.random(shape) > 0.3
    same(of_batch := chosen(2, 4, 6), of_batch[:, None])
    same(of_heads := chosen(3, 4, 6), of_heads[None])
    same(of_sources := chosen(2, 6), of_sources[:, None, None])
    same(of_all := chosen(4, 6), of_all[None, None])


# ---------------------------------------------------------------- what Keras 3.16 adds

HALVES = np.array([[0.5, 1.5, -2.5], [3.5, 0.5, 1.0]], "float32")
WHOLE = np.array([[1, 2, 3], [4, 5, 7]])
SQUARE = np.array([[1.0, 2.0], [3.0, 5.0]], "float32")

LATER = {
    "column_stack": (lambda: ops.column_stack([WHOLE[0], WHOLE[1]]), lambda: np.column_stack([WHOLE[0], WHOLE[1]])),
    "column_stack of matrices": (lambda: ops.column_stack([WHOLE, HALVES]), lambda: np.column_stack([WHOLE, HALVES])),
    "copysign": (lambda: ops.copysign(WHOLE, -HALVES), lambda: np.copysign(WHOLE, -HALVES)),
    "copysign of zeros": (lambda: ops.copysign([1, 2], [0.0, -0.0]), lambda: np.array([1.0, -2.0])),
    "cov": (lambda: ops.cov(WHOLE), lambda: np.cov(WHOLE)),
    "float_power": (lambda: ops.float_power(WHOLE, -2), lambda: np.float_power(WHOLE, -2)),
    "gammainc": (lambda: ops.gammainc(WHOLE, 2.0), lambda: scipy.special.gammainc(WHOLE, 2.0)),
    "lgamma": (lambda: ops.lgamma(HALVES), lambda: scipy.special.gammaln(HALVES)),
    **{
        f"matrix_power {n}": (lambda n=n: ops.matrix_power(SQUARE, n), lambda n=n: np.linalg.matrix_power(SQUARE, n))
        for n in (-2, 0, 3)
    },
    "amax": (lambda: ops.amax(HALVES, axis=0, initial=1.0), lambda: np.amax(HALVES, axis=0, initial=1.0)),
    "amin": (lambda: ops.amin(HALVES, axis=1, initial=1.0), lambda: np.amin(HALVES, axis=1, initial=1.0)),
}


@pytest.mark.parametrize("case", LATER)
def test_an_operation_gives_what_numpy_and_scipy_give(case):
    ours, theirs = (function() for function in LATER[case])
    assert ours.dtype in ("int32", "float32")
    np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("channels_first", [False, True])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("shape, size", [((2, 6, 9, 3), (2, 3)), ((7, 8, 3), 3), ((1, 5, 4, 6, 2), (2, 2, 3))])
def test_patches_are_put_together_to_the_image_they_come_from(shape, size, padding, channels_first):
    rank = len(size) if isinstance(size, tuple) else 2
    image = np.arange(np.prod(shape), dtype="int32").reshape(shape)
    lasting, batched = image, len(shape) == rank + 2
    kind = {"padding": padding, "data_format": "channels_first" if channels_first else "channels_last"}
    if channels_first:
        lasting = np.moveaxis(image, -1, 1 if batched else 0)
    extract = ops.image.extract_patches if rank == 2 else ops.image.extract_patches_3d
    place = slice(-rank, None) if channels_first else slice(-rank - 1, -1)
    size_of_image = lasting.shape[place] if padding == "same" else None
    again = np.asarray(ops.image.reconstruct_patches(extract(lasting, size, **kind), size, size_of_image, **kind))
    sizes = again.shape[place]
    assert padding == "valid" or sizes == lasting.shape[place]
    kept = [slice(None)] * again.ndim
    kept[place] = [slice(n) for n in sizes]
    assert again.dtype == "int32" and again.tolist() == lasting[tuple(kept)].tolist()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (((1, 2, 2, 12), 2, (4, 4), 1), "must not overlap"),
        (((2, 12), 2), "must have 3 or 4 axes"),
        (((1, 2, 2, 11), 2), "a multiple of 4"),
        (((1, 2, 2, 12), 2, (3, 4)), r"the patches cover \(4, 4\)"),
        (((1, 2, 2, 12), 2, (5, 4), None, "same"), r"the patches cover \(4, 4\)"),
        (((1, 2, 2, 12), 2, None, None, "same"), "needs output_size"),
    ],
)
def test_patches_that_make_no_image_are_refused(arguments, message):
    shape, *rest = arguments
    with pytest.raises(ValueError, match=message):
        ops.image.reconstruct_patches(np.zeros(shape), *rest)
