"""The base of losses: values of a function of arrays, weighted, masked and reduced to one number.

`Loss` provides everything except the function: casting, masks, weights, reduction. `LossFunctionWrapper` adds a
function, whose other arguments become attributes of the same name. A built-in class names both in its constructor:

    class Huber(LossFunctionWrapper):
        def __init__(self, delta=1.0, reduction="sum_over_batch_size", name="huber_loss", dtype=None):
            super().__init__(huber, name=name, reduction=reduction, dtype=dtype, delta=delta)
"""

import inspect
from collections.abc import Mapping

import jax
import jax.numpy as jnp

from cornu import settings, tree, validate
from cornu.absent import Explained
from cornu.core import border, context, policy
from cornu.core.configurable import Configurable
from cornu.core.masks import get_mask
from cornu.core.operation import snake_case
from cornu.core.policy import PolicyLike
from cornu.core.symbolic import any_symbolic, output_spec
from cornu.core.typing import AnyFunction, ArrayLike, ConfigDict, Function, Nested, Tensor

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)
_MEANS = ("sum_over_batch_size", "mean")


def float_type(dtype: PolicyLike | None) -> str:
    """The dtype in which a loss or metric computes: that of a dtype or dtype policy; None is floatx."""
    return settings.floatx() if dtype is None else policy.get(dtype).compute_dtype


def rowwise(function: Function) -> Function:
    """Mark a function of (y_true, y_pred) whose value for a row depends only on that row."""
    function.rowwise = True  # type: ignore[attr-defined]
    return function


def is_rowwise(function: AnyFunction, options: Mapping[str, object]) -> bool:
    """Whether `function`, called with `options`, gives each row its own value (for inputs of rank 2 or more)."""
    if not getattr(function, "rowwise", False):
        return False
    parameter = inspect.signature(function).parameters.get("axis")
    axis = options.get("axis", -1 if parameter is None else parameter.default)
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    return all(a is not None and (a > 0 or a == -1) for a in axes)


class Loss(Explained, Configurable):
    """Base of all losses: a subclass implements `call(y_true, y_pred)`, which returns one value per sample.

    Args:
        name: name; None derives one from the class name.
        reduction: `"sum_over_batch_size"` or `"mean"` (sum of the weighted values divided by their number), `"sum"`,
            `"mean_with_sample_weight"` (sum divided by the sum of the weights), `"none"` or None (the values
            themselves). Defaults to `"sum_over_batch_size"`.
        dtype: dtype or dtype policy to compute in; None is `cornu.config.floatx()`.

    Example:

        class Cubed(cornu.losses.Loss):
            def call(self, y_true, y_pred):
                return cornu.ops.mean(abs(y_true - y_pred) ** 3, axis=-1)

        print(Cubed()(np.zeros((2, 1)), np.array([[1.0], [2.0]])))  # 4.5
    """

    rowwise: bool
    """Promise that the value of a row depends only on that row, so that masked rows have no influence."""

    _set_by_init = "_dtype"

    def __init__(
        self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: PolicyLike | None = None
    ):
        name = validate.name(name, type(self), optional=True, slash=True)
        self.name = name or context.auto_name(snake_case(type(self).__name__))
        self.reduction = validate.one_of(reduction, REDUCTIONS, "reduction", self)
        self._given_dtype = dtype
        self._dtype = float_type(dtype)

    @property
    def dtype(self) -> str:
        """The dtype in which the loss is computed."""
        return self._dtype

    def call(self, y_true: Tensor, y_pred: Tensor) -> Nested:
        """The loss of each sample; implemented by subclasses."""
        raise NotImplementedError(f"{type(self).__name__} must define call(y_true, y_pred).")

    def __call__(self, y_true: Tensor, y_pred: Tensor, sample_weight: ArrayLike | None = None) -> Nested:
        """The reduced loss.

        Args:
            y_true: true values; may be nested for custom losses.
            y_pred: predictions; their mask is respected.
            sample_weight: one number per sample, or an array that broadcasts to the values of `call`.
        """
        if any_symbolic((y_true, y_pred, sample_weight)):
            return output_spec(self, y_true, y_pred, sample_weight)
        mask = get_mask(y_pred)
        values = returned(self.call(*(as_arrays(y, self.dtype) for y in (y_true, y_pred))), self)
        mask = both_masks(mask, get_mask(values))
        return reduce_weighted(values, sample_weight, mask, self.reduction, self.dtype)

    def get_config(self) -> ConfigDict:
        """The constructor's arguments; dtype only if it was given."""
        config = super().get_config()
        config.pop("dtype", None)
        return config if self._given_dtype is None else {**config, "dtype": self.dtype}


class LossFunctionWrapper(Loss):
    """A loss made from a function of `(y_true, y_pred)` that returns one value per sample.

    Args:
        fn: the function.
        reduction, name, dtype: as for `Loss`.
        **kwargs: additional arguments of the function.

    Example:

        def quartic(y_true, y_pred, scale=1.0):
            return scale * cornu.ops.mean((y_true - y_pred) ** 4, axis=-1)

        loss = cornu.losses.LossFunctionWrapper(quartic, name="quartic", scale=0.5)
        print(loss([[0.0]], [[2.0]]))  # 8.0
    """

    def __init__(
        self,
        fn: AnyFunction,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: PolicyLike | None = None,
        **kwargs: object,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.fn = fn
        self.option_names = tuple(kwargs)
        for option, value in kwargs.items():
            setattr(self, option, value)

    @property
    def options(self) -> ConfigDict:
        """The function's arguments other than `y_true` and `y_pred`."""
        return {name: getattr(self, name) for name in self.option_names}

    @property
    def rowwise(self) -> bool:  # type: ignore[override]
        """Whether that of the function is; for predictions of rank 2 or more: a vector of predictions is a single
        sample."""
        return is_rowwise(self.fn, self.options)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Nested:
        """The function's values."""
        return self.fn(*same_rank(y_true, y_pred), **self.options)

    def get_config(self) -> ConfigDict:
        """The constructor's arguments, including the function and its arguments."""
        config = super().get_config()
        return {**config, **self.options} if "fn" in config else config

    def __repr__(self) -> str:
        return f"<{type(self).__name__}({self.fn.__name__}, {self.options})>"


# ---------------------------------------------------------------- arrays, ranks, weights


def as_arrays(x: object, dtype: str | None = None, keep_integers: bool = False) -> Tensor:
    """`x`, or each array in the structure `x`, as a JAX array of `dtype`; a list of plain numbers is a single array.

    Args:
        x: array, number, list or structure of arrays.
        dtype: dtype of the result; None keeps the array's own.
        keep_integers: whether arrays that are not floating-point keep their dtype.
    """

    def convert(leaf: object) -> jax.Array:
        leaf = jnp.asarray(border.to_tensor(leaf, "A loss or metric", "an argument"))
        if dtype is None or (keep_integers and not jnp.issubdtype(leaf.dtype, jnp.floating)):
            return leaf
        return leaf.astype(dtype)

    is_structure = tree.is_nested(x) and any(hasattr(leaf, "shape") for leaf in tree.flatten(x))
    return tree.map_structure(convert, x) if is_structure else convert(x)


def same_rank(x: Tensor, y: Tensor) -> tuple[jax.Array, jax.Array]:
    """Both arrays with the same rank, if they differ by a last axis of size 1: `(n, 1)` and `(n,)`.

    A vector gets the axis; otherwise the axis is removed. Structures and all other pairs are returned unchanged.
    """
    if not (hasattr(x, "ndim") and hasattr(y, "ndim")):
        return x, y
    if x.ndim == y.ndim + 1:
        return _squeeze_or_expand(x, y)
    if y.ndim == x.ndim + 1:
        return _squeeze_or_expand(y, x)[::-1]
    return x, y


def _squeeze_or_expand(higher: jax.Array, lower: jax.Array) -> tuple[jax.Array, jax.Array]:
    if higher.shape[-1] != 1:
        return higher, lower
    return (higher, lower[:, None]) if lower.ndim == 1 else (higher[..., 0], lower)


def predictions_and_labels(y_true: Tensor, y_pred: Tensor) -> tuple[jax.Array, jax.Array]:
    """(y_true, y_pred) as arrays of the predictions' float dtype, with the same rank if they differ by an axis of size
    1."""
    y_pred = as_float(y_pred)
    return same_rank(jnp.asarray(y_true).astype(y_pred.dtype), y_pred)


def as_float(x: object) -> jax.Array:
    """`x` as an array of its own float dtype, integers as floatx."""
    x = jnp.asarray(x)
    return x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(settings.floatx())


def align(x: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Both arrays with ranks that broadcast: the one with fewer axes is aligned with the leading axes of the other."""
    x, y = same_rank(x, y)
    return _with_trailing_axes(x, y), _with_trailing_axes(y, x)


def _with_trailing_axes(x: jax.Array, like: jax.Array) -> jax.Array:
    missing = like.ndim - x.ndim
    if missing <= 0 or x.ndim == 0 or x.shape[0] != like.shape[0]:
        return x
    return x.reshape(x.shape + (1,) * missing)


def both_masks(mask: Nested, other: object) -> Tensor:
    """The elements that both masks keep; None keeps all."""
    if mask is None or other is None:
        return other if mask is None else mask
    mask, other = align(jnp.asarray(mask, bool), jnp.asarray(other, bool))
    return mask & other


def masked_weights(weights: jax.Array | None, mask: Nested, reduction: str | None, dtype: str) -> jax.Array | None:
    """Weights set to zero where masked; for means, rescaled so that only unmasked elements count."""
    if mask is None:
        return weights
    mask = jnp.asarray(mask).astype(dtype)
    if reduction in _MEANS:
        kept = jnp.sum(mask) + jnp.asarray(settings.epsilon(), dtype)
        mask = mask * (jnp.asarray(mask.size, dtype) / kept)
    if weights is None:
        return mask
    weights, mask = align(weights, mask)
    return weights * mask


def reduce_weighted(
    values: Tensor,
    sample_weight: ArrayLike | None = None,
    mask: Nested = None,
    reduction: str | None = "sum_over_batch_size",
    dtype: PolicyLike | None = None,
) -> jax.Array:
    """The values of a loss, weighted, masked and reduced."""
    dtype = float_type(dtype)
    values = as_arrays(values, dtype)
    weights = None if sample_weight is None else as_arrays(sample_weight, dtype)
    weights = masked_weights(weights, mask, reduction, dtype)
    if weights is not None:
        weights, values = same_rank(weights, values)
        check_weights(weights.shape, values.shape)
        values = values * _with_trailing_axes(weights, values)
    if reduction in ("none", None):
        return values
    total = jnp.sum(values)
    if reduction == "sum":
        return total
    if reduction == "mean_with_sample_weight" and weights is not None:
        return divide_no_nan(total, jnp.sum(weights))
    return total / jnp.asarray(values.size, dtype)


def returned(values: object, owner: object) -> Tensor:
    """The result of the function of a loss or metric; None is rejected, as a missing return."""
    if values is None:
        raise ValueError(f"{validate.describe(owner)}: its function returned None. It must end with `return`.")
    return values


def check_weights(weights: tuple[int, ...], values: tuple[int, ...]) -> None:
    """Reject weights or a mask that do not match the values to weight."""
    lines_up = all(w == v or 1 in (w, v) for w, v in zip(weights, values, strict=False))
    if len(weights) > len(values) > 0 or not lines_up:
        raise ValueError(
            f"sample_weight, or the mask, has shape {weights}, but the values to weight have shape {values}: one "
            "number per sample. Pass weights of that shape, or of its leading axes."
        )


def divide_no_nan(x: jax.Array, y: jax.Array) -> jax.Array:
    """x / y, and 0 where y is 0."""
    zero = y == 0
    return jnp.where(zero, jnp.zeros_like(x), x / jnp.where(zero, jnp.ones_like(y), y))
