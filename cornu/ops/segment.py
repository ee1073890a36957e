"""Segment reductions: over elements along the first axis with the same segment index."""

import jax
import jax.numpy as jnp

from cornu.core.operation import Tensor, op


def _segments(data: Tensor, segment_ids: Tensor, num_segments: int | None) -> tuple[jax.Array, jax.Array, int]:
    data, segment_ids = jnp.asarray(data), jnp.asarray(segment_ids)
    if segment_ids.ndim != 1:
        raise ValueError(f"segment_ids must have one axis. Received: segment_ids.shape={segment_ids.shape}.")
    if data.shape[:1] not in ((), (1,), segment_ids.shape):  # what broadcasts is accepted, as by Keras on JAX
        raise ValueError(
            "segment_ids must have one index for each element along the first axis of data. "
            f"Received: data.shape={data.shape}, segment_ids.shape={segment_ids.shape}."
        )
    if num_segments is None:
        if isinstance(segment_ids, jax.core.Tracer):
            raise ValueError("num_segments must be given in compiled code: the shape of the result depends on it.")
        num_segments = int(segment_ids.max()) + 1 if segment_ids.size else 0
    return data, segment_ids, num_segments


@op
def segment_sum(data: Tensor, segment_ids: Tensor, num_segments: int | None = None, sorted: bool = False) -> jax.Array:
    """Sum of each segment.

    Args:
        data: any tensor.
        segment_ids: integers, one for each element along the first axis of `data`; negative ones are ignored.
        num_segments: number of segments in the result; None infers it, outside of compiled code.
        sorted: whether `segment_ids` is known to be sorted, which is faster. Defaults to False.

    Example:

        print(cornu.ops.segment_sum(np.array([1, 2, 3]), np.array([0, 0, 1]), 2))  # [3 3]
    """
    data, ids, count = _segments(data, segment_ids, num_segments)
    return jax.ops.segment_sum(data, ids, count, indices_are_sorted=sorted)


@op
def segment_prod(data: Tensor, segment_ids: Tensor, num_segments: int | None = None, sorted: bool = False) -> jax.Array:
    """Product of each segment, 1 for an empty one.

    Args:
        data: any tensor.
        segment_ids: integers, one for each element along the first axis of `data`; negative ones are ignored.
        num_segments: number of segments in the result; None infers it, outside of compiled code.
        sorted: whether `segment_ids` is known to be sorted, which is faster. Defaults to False.

    Example:

        print(cornu.ops.segment_prod(np.array([1, 5, 2]), np.array([0, 0, 1])))  # [5 2]
    """
    data, ids, count = _segments(data, segment_ids, num_segments)
    return jax.ops.segment_prod(data, ids, count, indices_are_sorted=sorted)


@op
def segment_max(data: Tensor, segment_ids: Tensor, num_segments: int | None = None, sorted: bool = False) -> jax.Array:
    """Maximum of each segment, the lowest value of its dtype for an empty one.

    Args:
        data: any tensor.
        segment_ids: integers, one for each element along the first axis of `data`; negative ones are ignored.
        num_segments: number of segments in the result; None infers it, outside of compiled code.
        sorted: whether `segment_ids` is known to be sorted, which is faster. Defaults to False.

    Example:

        print(cornu.ops.segment_max(np.array([1, 5, 2]), np.array([0, 0, 1])))  # [5 2]
    """
    data, ids, count = _segments(data, segment_ids, num_segments)
    return jax.ops.segment_max(data, ids, count, indices_are_sorted=sorted)


@op
def segment_min(data: Tensor, segment_ids: Tensor, num_segments: int | None = None, sorted: bool = False) -> jax.Array:
    """Minimum of each segment, the highest value of its dtype for an empty one.

    Args:
        data: any tensor.
        segment_ids: integers, one for each element along the first axis of `data`; negative ones are ignored.
        num_segments: number of segments in the result; None infers it, outside of compiled code.
        sorted: whether `segment_ids` is known to be sorted, which is faster. Defaults to False.

    Example:

        print(cornu.ops.segment_min(np.array([1, 5, 2]), np.array([0, 0, 1])))  # [1 2]
    """
    data, ids, count = _segments(data, segment_ids, num_segments)
    return jax.ops.segment_min(data, ids, count, indices_are_sorted=sorted)
