"""Cross-entropies between targets and predictions.

Probabilities are clipped to be `epsilon` (see `cornu.config.epsilon`) away from 0 and 1 before taking their logarithm;
logits need no clipping, so `from_logits=True` is more accurate.
"""

import jax
import jax.numpy as jnp

from cornu import settings, validate
from cornu.core.operation import Tensor, op
from cornu.ops.elementwise import floating, floats


@op
def binary_crossentropy(target: Tensor, output: Tensor, from_logits: bool = False) -> jax.Array:
    """`-t log(p) - (1 - t) log(1 - p)` for each element.

    Args:
        target: 0 or 1, or values in between; shape of `output`.
        output: probabilities, or logits (any real numbers) with `from_logits`.
        from_logits: whether a sigmoid has yet to be applied to `output`. Defaults to False.

    Example:

        print(cornu.ops.binary_crossentropy(np.array([1.0]), np.array([0.5])))  # [0.693...]
    """
    target, output = floats(target, output)
    _same_shape("binary_crossentropy", target, output)
    if from_logits:
        return jnp.maximum(output, 0) - output * target + jnp.log1p(jnp.exp(-jnp.abs(output)))
    output = _inside(output)
    return -(target * jnp.log(output) + (1 - target) * jnp.log(1 - output))


@op
def categorical_crossentropy(target: Tensor, output: Tensor, from_logits: bool = False, axis: int = -1) -> jax.Array:
    """`-sum(t log(p))` over the classes.

    Args:
        target: probabilities of the classes, usually one-hot; shape of `output`.
        output: predicted probabilities (normalized to sum to 1), or logits with `from_logits`.
        from_logits: whether a softmax has yet to be applied to `output`. Defaults to False.
        axis: the axis of the classes. Defaults to -1.

    Example:

        print(cornu.ops.categorical_crossentropy(np.array([[0.0, 1.0]]), np.array([[0.5, 0.5]])))  # [0.693...]
    """
    target, output = floats(target, output)
    _same_shape("categorical_crossentropy", target, output)
    return -jnp.sum(target * _log_probabilities(output, from_logits, axis), axis=axis)


@op
def sparse_categorical_crossentropy(
    target: Tensor, output: Tensor, from_logits: bool = False, axis: int = -1
) -> jax.Array:
    """`-log(p[t])`, the cross-entropy for targets given as class indices.

    Args:
        target: integers, in the shape of `output` without `axis`; a last axis of size 1 is allowed.
        output: predicted probabilities (normalized to sum to 1), or logits with `from_logits`.
        from_logits: whether a softmax has yet to be applied to `output`. Defaults to False.
        axis: the axis of the classes. Defaults to -1.

    Example:

        print(cornu.ops.sparse_categorical_crossentropy(np.array([1]), np.array([[0.5, 0.5]])))  # [0.693...]
    """
    target, output = jnp.asarray(target).astype("int32"), floating(output)
    if output.ndim < 1:
        raise ValueError("sparse_categorical_crossentropy: output must have at least one axis.")
    if target.ndim == output.ndim and target.shape[-1] == 1:
        target = jnp.squeeze(target, axis=-1)
    axis = validate.axis(axis, output.ndim, "sparse_categorical_crossentropy")
    classes = output.shape[axis]
    rows = tuple(n for i, n in enumerate(output.shape) if i != axis)
    if len(rows) != target.ndim or any(_differ(a, b) for a, b in zip(target.shape, rows, strict=True)):
        raise ValueError(
            "sparse_categorical_crossentropy: target must have the shape of output without its class axis, "
            f"{rows}. Received: target.shape={target.shape}, output.shape={output.shape}, axis={axis}."
        )
    hot = jax.nn.one_hot(target, classes, axis=axis, dtype=output.dtype)
    return -jnp.sum(hot * _log_probabilities(output, from_logits, axis), axis=axis)


def _inside(probability: Tensor) -> jax.Array:
    margin = settings.epsilon()
    return jnp.clip(probability, margin, 1 - margin)


def _log_probabilities(output: Tensor, from_logits: bool, axis: int) -> jax.Array:
    if from_logits:
        return jax.nn.log_softmax(output, axis=axis)
    return jnp.log(_inside(output / jnp.sum(output, axis=axis, keepdims=True)))


def _differ(a: object, b: object) -> bool:
    return isinstance(a, int) and isinstance(b, int) and a != b


def _same_shape(name: str, target: Tensor, output: Tensor) -> None:
    if target.ndim < 1 and name != "binary_crossentropy":
        raise ValueError(f"{name}: target and output must have at least one axis.")
    if target.ndim != output.ndim or any(_differ(a, b) for a, b in zip(target.shape, output.shape, strict=True)):
        raise ValueError(
            f"{name}: target and output must have the same shape. "
            f"Received: target.shape={target.shape}, output.shape={output.shape}."
        )
