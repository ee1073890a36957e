"""`tensorflow.keras.backend`: the functions of Keras 2's backend, thin names over `cornu.ops`.

They accept arrays, variables and symbolic tensors alike. Functions that create a variable in Keras 2 (`zeros`, `ones`,
`eye`, `variable`, `random_*_variable`) create one here.
"""

import builtins
import math
from collections.abc import Sequence
from typing import Any, NoReturn

import jax
import numpy as np

import cornu
from cornu import ops, random
from cornu.backend import (
    backend,
    clear_session,
    epsilon,
    floatx,
    get_uid,
    image_data_format,
    is_float_dtype,
    is_int_dtype,
    is_keras_tensor,
    result_type,
    set_epsilon,
    set_floatx,
    set_image_data_format,
    standardize_dtype,
)
from cornu.core.context import name_scope
from cornu.core.typing import AnyFunction, Axes, ConstraintLike, DTypeLike, Nested, Shape, ShapeLike, Sizes, Tensor
from cornu.core.variable import Variable
from cornu.ops import (
    abs,
    all,
    any,
    cos,
    dot,
    elu,
    equal,
    exp,
    greater,
    greater_equal,
    less,
    less_equal,
    log,
    max,
    maximum,
    mean,
    min,
    minimum,
    ndim,
    not_equal,
    one_hot,
    prod,
    reshape,
    round,
    shape,
    sigmoid,
    sign,
    sin,
    softmax,
    softplus,
    softsign,
    square,
    squeeze,
    stack,
    std,
    sum,
    tanh,
    transpose,
    var,
)
from cornu.tree import flatten as _leaves, map_structure as _map_structure

__all__ = [
    "abs", "all", "any", "arange", "argmax", "argmin", "backend", "batch_dot", "batch_flatten",
    "batch_get_value", "batch_normalization", "batch_set_value", "bias_add", "binary_crossentropy",
    "binary_focal_crossentropy", "cast", "cast_to_floatx", "categorical_crossentropy",
    "categorical_focal_crossentropy", "clear_session", "clip", "concatenate", "constant", "conv1d", "conv2d",
    "conv2d_transpose", "conv3d", "cos", "count_params", "ctc_batch_cost", "ctc_decode",
    "ctc_label_dense_to_sparse", "cumprod", "cumsum", "depthwise_conv2d", "dot", "dropout", "dtype", "elu",
    "epsilon", "equal", "eval", "exp", "expand_dims", "eye", "flatten", "floatx", "foldl", "foldr", "function",
    "gather", "get_uid", "get_value", "gradients", "greater", "greater_equal", "hard_sigmoid",
    "image_data_format", "in_top_k", "int_shape", "is_float_dtype", "is_int_dtype", "is_keras_tensor",
    "is_sparse", "l2_normalize", "learning_phase", "less", "less_equal", "log", "map_fn", "max", "maximum",
    "mean", "min", "minimum", "moving_average_update", "name_scope", "ndim", "not_equal", "one_hot", "ones",
    "ones_like", "permute_dimensions", "pool2d", "pool3d", "pow", "prod", "random_bernoulli", "random_normal",
    "random_normal_variable", "random_uniform", "random_uniform_variable", "relu", "repeat", "repeat_elements",
    "reshape", "resize_images", "resize_volumes", "result_type", "reverse", "rnn", "round", "separable_conv2d",
    "set_epsilon", "set_floatx", "set_image_data_format", "set_learning_phase", "set_value", "shape", "sigmoid",
    "sign", "sin", "softmax", "softplus", "softsign", "sparse_categorical_crossentropy", "spatial_2d_padding",
    "spatial_3d_padding", "sqrt", "square", "squeeze", "stack", "standardize_dtype", "std", "stop_gradient",
    "sum", "switch", "tanh", "temporal_padding", "tile", "to_dense", "transpose", "truncated_normal", "update",
    "update_add", "update_sub", "var", "variable", "zeros", "zeros_like",
]  # fmt: skip

# ---------------------------------------------------------------- values and variables


def variable(
    value: Tensor, dtype: DTypeLike | None = None, name: str | None = None, constraint: ConstraintLike | None = None
) -> Variable:
    """A variable with this first value."""
    made = Variable(value, dtype=dtype or floatx(), name=_plain(name))
    made.constraint = constraint
    return made


def constant(
    value: Tensor, dtype: DTypeLike | None = None, shape: ShapeLike | None = None, name: str | None = None
) -> jax.Array:
    """A tensor with this value, in floatx unless `dtype` is given; a number fills `shape`."""
    made = ops.cast(value, dtype or floatx())
    return made if shape is None else ops.broadcast_to(made, shape) if ndim(made) == 0 else reshape(made, shape)


def zeros(shape: ShapeLike, dtype: DTypeLike | None = None, name: str | None = None) -> Variable:
    """A variable of zeros."""
    return variable(ops.zeros(shape, dtype or floatx()), dtype, name)


def ones(shape: ShapeLike, dtype: DTypeLike | None = None, name: str | None = None) -> Variable:
    """A variable of ones."""
    return variable(ops.ones(shape, dtype or floatx()), dtype, name)


def eye(size: object, dtype: DTypeLike | None = None, name: str | None = None) -> Variable:
    """A variable with ones on the diagonal; `size` is the number of rows, or of rows and columns."""
    rows, columns = size if isinstance(size, (list, tuple)) else (size, size)
    return variable(ops.eye(rows, columns, dtype=dtype or floatx()), dtype, name)


def zeros_like(x: Tensor, dtype: DTypeLike | None = None, name: str | None = None) -> jax.Array:
    """Zeros in the shape of `x`."""
    return ops.zeros_like(x, dtype=dtype)


def ones_like(x: Tensor, dtype: DTypeLike | None = None, name: str | None = None) -> jax.Array:
    """Ones in the shape of `x`."""
    return ops.ones_like(x, dtype=dtype)


def arange(start: object, stop: object = None, step: object = 1, dtype: str = "int32") -> jax.Array:
    """Numbers from `start` to before `stop`; from 0 to before `start` without `stop`."""
    return ops.arange(start, stop, step, dtype=dtype)


def _plain(name: str | None) -> str | None:
    return None if name is None else name.replace("/", "_")


def get_value(x: Tensor) -> float | np.ndarray:
    """The value of a variable or tensor as a NumPy array, or as a number."""
    return x if isinstance(x, (int, float)) else ops.convert_to_numpy(x)


eval = get_value


def batch_get_value(tensors: Sequence[Tensor]) -> list[float | np.ndarray]:
    """The values of several variables."""
    return [get_value(each) for each in tensors]


def set_value(x: Variable, value: Tensor) -> None:
    """Give a variable a new value."""
    x.assign(value)


def batch_set_value(tuples: Sequence[tuple[Variable, object]]) -> None:
    """Give several variables new values: pairs of variable and value."""
    for each, value in tuples:
        each.assign(value)


def update(x: Variable, new_x: object) -> jax.Array:
    """Assign to a variable."""
    return x.assign(new_x)


def update_add(x: Variable, increment: object) -> jax.Array:
    """Add to a variable."""
    return x.assign_add(increment)


def update_sub(x: Variable, decrement: object) -> jax.Array:
    """Subtract from a variable."""
    return x.assign_sub(decrement)


def moving_average_update(x: Variable, value: Tensor, momentum: float) -> jax.Array:
    """Assign `momentum * x + (1 - momentum) * value` to a variable."""
    return x.assign(x * momentum + ops.cast(value, x.dtype) * (1.0 - momentum))


def int_shape(x: Tensor) -> Shape:
    """The shape as a tuple of ints, with None for sizes that are not known."""
    return tuple(x.shape)


def count_params(x: Tensor) -> int:
    """The number of elements."""
    return math.prod(x.shape)


def dtype(x: Tensor) -> str:
    """The name of the dtype."""
    return standardize_dtype(x.dtype)


def cast(x: Tensor, dtype: DTypeLike | None) -> jax.Array:
    """`x` in another dtype."""
    return ops.cast(x, dtype)


def cast_to_floatx(x: Tensor) -> jax.Array:
    """`x` in the default float type."""
    return ops.cast(x, floatx())


def is_sparse(tensor: Tensor) -> bool:
    """Whether a tensor is sparse: never."""
    return False


def to_dense(tensor: Tensor) -> jax.Array:
    """The tensor, which is dense already."""
    return tensor


def stop_gradient(variables: object) -> Nested:
    """The same values, as constants for gradients; of one tensor or of several."""
    return _map_structure(ops.stop_gradient, variables)


def gradients(loss: object, variables: object) -> NoReturn:
    """Gradients belong to functions here, not to tensors.

    Raises:
        RuntimeError: always, as in Keras outside of TensorFlow 1's graphs.
    """
    raise RuntimeError(
        "K.gradients asks a finished tensor for its gradients, which only TensorFlow 1's graphs could tell. Write the "
        "loss as a function and use jax.grad(function)(values)."
    )


def function(inputs: object, outputs: object, updates: object = None, name: str | None = None) -> AnyFunction:
    """A function from arrays to what tensors of a functional model are for them, as NumPy arrays.

    Args:
        inputs: a symbolic tensor, or several; `learning_phase()` at the end stands for the mode, 0 or 1.
        outputs: a symbolic tensor, or several.
        updates: must be left out: layers keep what they update themselves.
        name: the name of the model that computes it.

    Raises:
        ValueError: if `updates` are given.

    Example:

        model = cornu.Sequential([cornu.Input((3,)), cornu.layers.Dense(2), cornu.layers.Dense(1)])
        features = K.function([model.input], [model.layers[0].output])
        print(features([np.ones((5, 3))])[0].shape)  # (5, 2)
    """
    if updates:
        raise ValueError(
            f"K.function: updates of tensors are of TensorFlow 1; assign to variables. Received: {updates}."
        )
    given = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
    has_mode = not is_keras_tensor(given[-1])
    model = cornu.Model(given[:-1] if has_mode else given, outputs, name=name)

    def run(values: Tensor) -> Tensor:
        values = list(values) if isinstance(values, (list, tuple)) else [values]
        training = builtins.bool(values.pop()) if has_mode else None
        return _map_structure(ops.convert_to_numpy, model(values, training=training))

    return run


def learning_phase() -> int:
    """0, the mode of a call that names none. `training=` of a call says another."""
    return 0


def set_learning_phase(value: int) -> None:
    """Take 0, which is how it always is; a mode belongs to a call here.

    Args:
        value: 0.

    Raises:
        RuntimeError: for any other value, with what to write.
    """
    if value != 0:
        raise RuntimeError(
            "K.set_learning_phase(1) changed every later call at once. Say it in the call: model(x, training=True). "
            f"Received: value={value!r}."
        )


# ---------------------------------------------------------------- elementwise


def sqrt(x: Tensor) -> jax.Array:
    """The square root; 0 of negative numbers."""
    return ops.sqrt(maximum(x, 0.0))


def pow(x: Tensor, a: Tensor) -> jax.Array:
    """`x` to the power `a`."""
    return ops.power(x, a)


def clip(x: Tensor, min_value: object, max_value: object) -> jax.Array:
    """`x` within two bounds, None leaves one out; the upper one is never below the lower one."""
    if isinstance(min_value, (int, float)) and isinstance(max_value, (int, float)):
        max_value = builtins.max(min_value, max_value)
    low = -math.inf if min_value is None else min_value
    return ops.clip(x, low, math.inf if max_value is None else max_value)


def relu(x: Tensor, alpha: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> jax.Array:
    """`x` above `threshold` and up to `max_value`; below it, `alpha` times the distance."""
    return cornu.activations.relu(x, negative_slope=alpha, max_value=max_value, threshold=threshold)


def hard_sigmoid(x: Tensor) -> jax.Array:
    """`0.2 x + 0.5` from 0 to 1: Keras 2's, which is steeper than `ops.hard_sigmoid`."""
    return ops.clip(0.2 * x + 0.5, 0.0, 1.0)


def l2_normalize(x: Tensor, axis: Axes = None) -> jax.Array:
    """`x` divided by its Euclidean norm along `axis`, or by that of all elements."""
    return x * ops.rsqrt(maximum(sum(square(x), axis=axis, keepdims=True), 1e-12))


def switch(condition: Tensor, then_expression: object, else_expression: object) -> jax.Array:
    """One of two results by a condition: tensors, or functions without arguments that make them."""
    if ndim(condition) == 0 and callable(then_expression) and callable(else_expression):
        return ops.cond(condition, then_expression, else_expression)
    first = then_expression() if callable(then_expression) else then_expression
    second = else_expression() if callable(else_expression) else else_expression
    missing = 0 if ndim(condition) == 0 else ndim(first) - ndim(condition)
    for _ in range(missing):
        condition = expand_dims(condition, -1)
    return ops.where(ops.cast(condition, "bool"), first, second)


def in_top_k(predictions: object, targets: object, k: int) -> jax.Array:
    """Whether each row's target is among the `k` largest predictions."""
    return ops.in_top_k(targets, predictions, k)


def bias_add(x: Tensor, bias: Tensor, data_format: str | None = None) -> jax.Array:
    """`x` plus a bias for each channel, or plus one with all axes of `x` but the first."""
    if ndim(bias) == 1 and _channels_first(data_format):
        return x + reshape(bias, (1, -1) + (1,) * (ndim(x) - 2))
    if ndim(bias) > 1 and _channels_first(data_format):
        bias = ops.moveaxis(bias, -1, 0)
    return x + bias


def argmax(x: Tensor, axis: int = -1) -> jax.Array:
    """Where the largest element along an axis is."""
    return ops.argmax(x, axis=axis)


def argmin(x: Tensor, axis: int = -1) -> jax.Array:
    """Where the smallest element along an axis is."""
    return ops.argmin(x, axis=axis)


def cumsum(x: Tensor, axis: int = 0) -> jax.Array:
    """Running sum along an axis."""
    return ops.cumsum(x, axis=axis)


def cumprod(x: Tensor, axis: int = 0) -> jax.Array:
    """Running product along an axis."""
    return ops.cumprod(x, axis=axis)


# ---------------------------------------------------------------- shapes


def expand_dims(x: Tensor, axis: int = -1) -> jax.Array:
    """`x` with one more axis, of size 1."""
    return ops.expand_dims(x, axis)


def flatten(x: Tensor) -> jax.Array:
    """All elements in one row."""
    return reshape(x, (-1,))


def batch_flatten(x: Tensor) -> jax.Array:
    """A matrix with one row for each element of the first axis."""
    return reshape(x, (-1, math.prod(x.shape[1:])))


def permute_dimensions(x: Tensor, pattern: Sequence[int]) -> jax.Array:
    """The axes in another order."""
    return transpose(x, tuple(pattern))


def concatenate(tensors: Sequence[Tensor], axis: int = -1) -> jax.Array:
    """Tensors one after the other along an axis."""
    return ops.concatenate(list(tensors), axis=axis)


def repeat(x: Tensor, n: int) -> jax.Array:
    """A matrix `n` times: shape `(rows, n, columns)`."""
    if ndim(x) != 2:
        raise ValueError(f"K.repeat: x must be a matrix. Received: shape={x.shape}.")
    return ops.repeat(expand_dims(x, 1), n, axis=1)


def repeat_elements(x: Tensor, rep: int, axis: int) -> jax.Array:
    """Each element `rep` times along an axis."""
    return ops.repeat(x, rep, axis=axis)


def tile(x: Tensor, n: Tensor) -> jax.Array:
    """`x` repeated as a whole along each axis."""
    return ops.tile(x, (n,) if isinstance(n, int) else tuple(n))


def reverse(x: Tensor, axes: int) -> jax.Array:
    """`x` backwards along one or several axes."""
    return ops.flip(x, axis=axes)


def gather(reference: object, indices: Tensor) -> jax.Array:
    """Rows of `reference` by their numbers."""
    return ops.take(reference, indices, axis=0)


def temporal_padding(x: Tensor, padding: Sequence[int] = (1, 1)) -> jax.Array:
    """Zeros before and after the second of three axes."""
    return ops.pad(x, ((0, 0), tuple(padding), (0, 0)))


def spatial_2d_padding(x: Tensor, padding: object = ((1, 1), (1, 1)), data_format: str | None = None) -> jax.Array:
    """Zeros around the rows and columns of images."""
    return ops.pad(x, _around_channels(padding, data_format))


def spatial_3d_padding(
    x: Tensor, padding: object = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None
) -> jax.Array:
    """Zeros around the three spatial axes of volumes."""
    return ops.pad(x, _around_channels(padding, data_format))


def _around_channels(padding: Any, data_format: str | None) -> tuple[tuple[int, int], ...]:
    inner = tuple(map(tuple, padding))
    return ((0, 0), (0, 0), *inner) if _channels_first(data_format) else ((0, 0), *inner, (0, 0))


def _channels_first(data_format: str | None) -> bool:
    found = image_data_format() if data_format is None else data_format
    if found not in ("channels_first", "channels_last"):
        raise ValueError(f'data_format must be "channels_first" or "channels_last". Received: {data_format!r}.')
    return found == "channels_first"


def resize_images(
    x: Tensor, height_factor: int, width_factor: int, data_format: str, interpolation: str = "nearest"
) -> jax.Array:
    """Images made larger by whole factors."""
    first = 2 if _channels_first(data_format) else 1
    size = (x.shape[first] * height_factor, x.shape[first + 1] * width_factor)
    return ops.image.resize(x, size, interpolation=interpolation, data_format=data_format)


def resize_volumes(x: Tensor, depth_factor: int, height_factor: int, width_factor: int, data_format: str) -> jax.Array:
    """Volumes made larger by whole factors, each value repeated."""
    first = 2 if _channels_first(data_format) else 1
    for axis, factor in enumerate((depth_factor, height_factor, width_factor), start=first):
        x = ops.repeat(x, factor, axis=axis)
    return x


def batch_dot(x: Tensor, y: Tensor, axes: Axes = None) -> jax.Array:
    """The sum of products over one axis of each of two tensors, for each element of the first axis.

    Args:
        x: tensor of two or more axes.
        y: likewise.
        axes: the axis of `x` and that of `y`, or one number for both; None for the last of `x` and the last but one
            of `y`, or its last where it has two.

    Returns:
        The axes of `x` that are left, then those of `y` without the first; a matrix of one column where none is left.
    """
    if axes is None:
        axes = (ndim(x) - 1, builtins.max(ndim(y) - 2, 1))
    first, second = (axes, axes) if isinstance(axes, int) else axes
    first, second = first % ndim(x), second % ndim(y)
    if 0 in (first, second):
        raise ValueError(
            f"K.batch_dot: the first axis is the batch's and cannot be summed over. Received: axes={axes}."
        )
    letters = [chr(97 + axis) for axis in range(ndim(x))]
    others = ["a", *(chr(97 + ndim(x) + axis) for axis in range(1, ndim(y)))]
    others[second] = letters[first]
    left = [
        *(each for each in letters if each != letters[first]),
        *(each for each in others[1:] if each != others[second]),
    ]
    found = ops.einsum(f"{''.join(letters)},{''.join(others)}->{''.join(left)}", x, y)
    return expand_dims(found, -1) if len(left) == 1 else found


# ---------------------------------------------------------------- losses


def binary_crossentropy(target: Tensor, output: Tensor, from_logits: bool = False) -> jax.Array:
    """Crossentropy of each element with two classes."""
    return ops.binary_crossentropy(target, output, from_logits=from_logits)


def categorical_crossentropy(target: Tensor, output: Tensor, from_logits: bool = False, axis: int = -1) -> jax.Array:
    """Crossentropy with targets that are probabilities."""
    return ops.categorical_crossentropy(target, output, from_logits=from_logits, axis=axis)


def sparse_categorical_crossentropy(
    target: Tensor, output: Tensor, from_logits: bool = False, axis: int = -1, ignore_class: int | None = None
) -> jax.Array:
    """Crossentropy with targets that are numbers of classes; 0 where the target is `ignore_class`."""
    return cornu.losses.sparse_categorical_crossentropy(
        target, output, from_logits=from_logits, ignore_class=ignore_class, axis=axis
    )


def binary_focal_crossentropy(
    target: Tensor,
    output: Tensor,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
) -> jax.Array:
    """Binary crossentropy of each element that weighs less where the prediction is good."""
    output = sigmoid(output) if from_logits else output
    right = target * output + (1 - target) * (1 - output)
    loss = ops.power(1.0 - right, gamma) * binary_crossentropy(target, output)
    return (target * alpha + (1 - target) * (1 - alpha)) * loss if apply_class_balancing else loss


def categorical_focal_crossentropy(
    target: Nested, output: Tensor, alpha: Tensor = 0.25, gamma: float = 2.0, from_logits: bool = False, axis: int = -1
) -> jax.Array:
    """Categorical crossentropy that weighs less where the prediction is good."""
    return cornu.losses.categorical_focal_crossentropy(
        target, output, alpha=alpha, gamma=gamma, from_logits=from_logits, axis=axis
    )


def ctc_batch_cost(y_true: Tensor, y_pred: Tensor, input_length: object, label_length: object) -> jax.Array:
    """The CTC loss of each row, from probabilities of which the last class is the blank; shape `(batch, 1)`.

    Args:
        y_true: labels, shape `(batch, longest)`.
        y_pred: probabilities, shape `(batch, time, classes)`.
        input_length: number of time steps of each row, shape `(batch, 1)`.
        label_length: number of labels of each row, shape `(batch, 1)`.
    """
    labels, steps = (ops.cast(reshape(each, (-1,)), "int32") for each in (label_length, input_length))
    logits = log(y_pred + epsilon())
    loss = ops.ctc_loss(ops.cast(y_true, "int32"), logits, labels, steps, mask_index=y_pred.shape[-1] - 1)
    return expand_dims(loss, 1)


def ctc_decode(
    y_pred: Tensor, input_length: object, greedy: bool = True, beam_width: int = 100, top_paths: int = 1
) -> tuple[list[jax.Array], object]:
    """The most likely labels, from probabilities of which the last class is the blank.

    Returns:
        A list of `top_paths` arrays of labels, with -1 after the end of each row, and their scores.
    """
    labels, scores = ops.ctc_decode(
        log(y_pred + epsilon()), ops.cast(input_length, "int32"), strategy="greedy" if greedy else "beam_search",
        beam_width=beam_width, top_paths=top_paths, mask_index=y_pred.shape[-1] - 1,
    )  # fmt: skip
    return [labels[number] for number in range(labels.shape[0])], scores


def ctc_label_dense_to_sparse(labels: Tensor, label_lengths: object) -> NoReturn:
    """Sparse tensors are not here.

    Raises:
        ValueError: always.
    """
    raise ValueError(
        "K.ctc_label_dense_to_sparse makes a sparse tensor; there are none. K.ctc_batch_cost takes dense labels."
    )


# ---------------------------------------------------------------- layers' arithmetic


def batch_normalization(
    x: Tensor, mean: Tensor, var: object, beta: object, gamma: object, axis: int = -1, epsilon: float = 1e-3
) -> jax.Array:
    """`gamma * (x - mean) / sqrt(var + epsilon) + beta`."""
    mean, var, beta, gamma = (None if each is None else reshape(each, (-1,)) for each in (mean, var, beta, gamma))
    return ops.batch_normalization(x, mean, var, axis=axis, offset=beta, scale=gamma, epsilon=epsilon)


def conv1d(
    x: Tensor,
    kernel: Tensor,
    strides: Sizes = 1,
    padding: str = "valid",
    data_format: Any = None,
    dilation_rate: Sizes = 1,
) -> jax.Array:
    """Convolution along one axis; `padding="causal"` looks back only."""
    if padding == "causal":
        before = (kernel.shape[0] - 1) * (dilation_rate if isinstance(dilation_rate, int) else dilation_rate[0])
        x, padding = ops.pad(x, _around_channels(((before, 0),), data_format)), "valid"
    return ops.conv(x, kernel, strides, padding, data_format, dilation_rate)


def conv2d(
    x: Tensor,
    kernel: Tensor,
    strides: Sizes = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sizes = (1, 1),
) -> jax.Array:
    """Convolution of images."""
    return ops.conv(x, kernel, strides, padding, data_format, dilation_rate)


def conv3d(
    x: Tensor,
    kernel: Tensor,
    strides: Sizes = (1, 1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sizes = (1, 1, 1),
) -> jax.Array:
    """Convolution of volumes."""
    return ops.conv(x, kernel, strides, padding, data_format, dilation_rate)


def conv2d_transpose(
    x: Tensor,
    kernel: Tensor,
    output_shape: Sequence[int],
    strides: Sizes = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sizes = (1, 1),
) -> jax.Array:
    """The transpose of a convolution of images.

    Args:
        x: images.
        kernel: shape `(rows, columns, channels of the result, channels of x)`.
        output_shape: shape of the result, the batch among it.
        strides: step between two positions.
        padding: "valid" or "same".
        data_format: order of the axes; None for the default.
        dilation_rate: distance between the weights.
    """
    first = 2 if _channels_first(data_format) else 1
    extra = []
    for axis in range(2):
        width = (kernel.shape[axis] - 1) * _each(dilation_rate, axis) + 1
        least = (x.shape[first + axis] - 1) * _each(strides, axis) + width
        least -= 2 * (width // 2) if padding == "same" else 0
        extra.append(int(output_shape[first + axis]) - least)
    return ops.conv_transpose(x, kernel, strides, padding, tuple(extra), data_format, dilation_rate)


def _each(value: Tensor, axis: int) -> int:
    return value if isinstance(value, int) else value[axis]


def depthwise_conv2d(
    x: Tensor,
    depthwise_kernel: Tensor,
    strides: Sizes = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sizes = (1, 1),
) -> jax.Array:
    """Convolution of each channel separately."""
    return ops.depthwise_conv(x, depthwise_kernel, strides, padding, data_format, dilation_rate)


def separable_conv2d(
    x: Tensor,
    depthwise_kernel: Tensor,
    pointwise_kernel: Tensor,
    strides: Sizes = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sizes = (1, 1),
) -> jax.Array:
    """Convolution of each channel separately, then of all of them at each point."""
    return ops.separable_conv(x, depthwise_kernel, pointwise_kernel, strides, padding, data_format, dilation_rate)


def pool2d(
    x: Tensor,
    pool_size: object,
    strides: object = (1, 1),
    padding: str = "valid",
    data_format: object = None,
    pool_mode: str = "max",
) -> jax.Array:
    """Pooling of images: "max" or "avg"."""
    return _pooling(pool_mode)(x, pool_size, strides, padding, data_format)


def pool3d(
    x: Tensor,
    pool_size: object,
    strides: object = (1, 1, 1),
    padding: str = "valid",
    data_format: object = None,
    pool_mode: str = "max",
) -> jax.Array:
    """Pooling of volumes: "max" or "avg"."""
    return _pooling(pool_mode)(x, pool_size, strides, padding, data_format)


def _pooling(mode: str) -> AnyFunction:
    if mode not in ("max", "avg"):
        raise ValueError(f'pool_mode must be "max" or "avg". Received: pool_mode={mode!r}.')
    return ops.max_pool if mode == "max" else ops.average_pool


def dropout(x: Tensor, level: float, noise_shape: ShapeLike | None = None, seed: int | None = None) -> jax.Array:
    """A share of `level` of the elements set to zero, the others made larger to keep the sum."""
    return random.dropout(x, level, noise_shape, seed=seed)


# ---------------------------------------------------------------- loops


def map_fn(fn: AnyFunction, elems: Tensor, name: str | None = None, dtype: DTypeLike | None = None) -> jax.Array:
    """`fn` of each element along the first axis, stacked."""
    found = ops.map(fn, elems)
    return found if dtype is None else _map_structure(lambda each: ops.cast(each, dtype), found)


def foldl(fn: AnyFunction, elems: Tensor, initializer: Tensor = None, name: str | None = None) -> jax.Array:
    """`fn(so far, element)` along the first axis from its start; the first element begins without `initializer`."""
    return _folded(fn, elems, initializer)


def foldr(fn: AnyFunction, elems: Tensor, initializer: Tensor = None, name: str | None = None) -> jax.Array:
    """`fn(so far, element)` along the first axis from its end; the last element begins without `initializer`."""
    return _folded(fn, ops.flip(elems, axis=0), initializer)


def _folded(fn: AnyFunction, elems: Tensor, start: object) -> jax.Array:
    if start is None:
        start, elems = elems[0], elems[1:]
    return ops.scan(lambda so_far, element: (fn(so_far, element), None), start, elems)[0]


def rnn(
    step_function: AnyFunction,
    inputs: Tensor,
    initial_states: Sequence[Tensor],
    go_backwards: bool = False,
    mask: Tensor = None,
    constants: Sequence[Tensor] | None = None,
    unroll: bool = False,
    input_length: object = None,
    time_major: bool = False,
    zero_output_for_mask: bool = False,
    return_all_outputs: bool = True,
) -> tuple[Nested, ...]:
    """A step along the time axis, from state to state.

    Args:
        step_function: function of `(input at a time, states + constants)` that returns `(output, new states)`.
        inputs: tensor, or a structure of them, of shape `(batch, time, ...)`.
        initial_states: the first states, a list of tensors.
        go_backwards: whether to go from the end to the start.
        mask: shape `(batch, time)`; where it is False the states stay, and the output is the one before.
        constants: further values for every step.
        unroll: whether the steps are laid out one after the other when compiled.
        input_length: ignored by Keras too: sizes are known.
        time_major: whether the first two axes are `(time, batch)`, of the outputs too.
        zero_output_for_mask: whether outputs are 0 where the mask is False.
        return_all_outputs: whether all outputs are returned, or the last alone (with a time axis of 1).

    Returns:
        The last output, all outputs, and the last states.
    """
    turn = (lambda x: x) if time_major else (lambda x: ops.swapaxes(x, 0, 1))
    steps = _map_structure(turn, inputs)
    steps = _map_structure(lambda x: ops.flip(x, axis=0), steps) if go_backwards else steps
    real = None
    if mask is not None:
        real = ops.cast(turn(mask if ndim(mask) == 2 else squeeze(mask, -1)), "bool")
        real = ops.flip(real, axis=0) if go_backwards else real
    constants = list(constants or ())
    first = _map_structure(lambda x: x[0], steps)
    shapes = step_function(first, list(initial_states) + constants)[0]
    before = _map_structure(zeros_like, shapes)

    def step(carry: tuple[Nested, ...], each: tuple[Nested, ...]) -> tuple[Nested, ...]:
        states, last = carry
        now, kept = each
        output, new = step_function(now, list(states) + constants)
        if kept is not None:
            new = [_chosen(kept, a, b) for a, b in zip(new, states, strict=True)]
            held = _map_structure(zeros_like, output) if zero_output_for_mask else last
            output = _map_structure(lambda a, b: _chosen(kept, a, b), output, held)
        return (list(new), output), output

    length = _leaves(steps)[0].shape[0]
    (states, last), outputs = ops.scan(
        step, (list(initial_states), before), (steps, real), length=length, unroll=unroll
    )
    outputs = outputs if return_all_outputs else _map_structure(lambda x: x[None], last)
    return last, _map_structure(turn, outputs), states


def _chosen(kept: object, new: object, old: object) -> jax.Array:
    """`new` in the rows that are kept, `old` in the others."""
    return ops.where(reshape(kept, (-1,) + (1,) * (ndim(new) - 1)), new, old)


# ---------------------------------------------------------------- random numbers


def random_normal(
    shape: Sequence[int],
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: DTypeLike | None = None,
    seed: int | None = None,
) -> jax.Array:
    """Draws from a normal distribution."""
    return random.normal(shape, mean, stddev, dtype, seed)


def random_uniform(
    shape: Sequence[int],
    minval: float = 0.0,
    maxval: float = 1.0,
    dtype: DTypeLike | None = None,
    seed: int | None = None,
) -> jax.Array:
    """Draws from a uniform distribution."""
    return random.uniform(shape, minval, maxval, dtype, seed)


def random_bernoulli(
    shape: Sequence[int], p: float = 0.0, dtype: DTypeLike | None = None, seed: int | None = None
) -> jax.Array:
    """1 with probability `p`, else 0."""
    return ops.cast(random.uniform(shape, seed=seed) <= p, dtype or floatx())


def truncated_normal(
    shape: Sequence[int],
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: DTypeLike | None = None,
    seed: int | None = None,
) -> Tensor:
    """Draws from a normal distribution, none of them further than two standard deviations from its mean."""
    return random.truncated_normal(shape, mean, stddev, dtype, seed)


def random_normal_variable(
    shape: Sequence[int],
    mean: float,
    scale: float,
    dtype: DTypeLike | None = None,
    name: str | None = None,
    seed: int | None = None,
) -> Variable:
    """A variable with draws from a normal distribution."""
    return variable(random.normal(shape, mean, scale, dtype, seed), dtype, name)


def random_uniform_variable(
    shape: Sequence[int],
    low: float,
    high: float,
    dtype: DTypeLike | None = None,
    name: str | None = None,
    seed: int | None = None,
) -> Variable:
    """A variable with draws from a uniform distribution."""
    return variable(random.uniform(shape, low, high, dtype, seed), dtype, name)
