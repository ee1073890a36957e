"""Connectionist temporal classification: sequences of labels without an alignment in time.

`alpha` contains the log probabilities of all paths so far: after n labels and a final blank (`blank`), or ending in
label n (`label`). A step that CTC forbids costs 1e5 instead of infinity, so that gradients stay finite.
"""

import jax
import jax.numpy as jnp

from cornu.core.operation import Tensor, op
from cornu.core.policy import PolicyLike
from cornu.losses.loss import LossFunctionWrapper, as_float, rowwise

_FORBIDDEN = -1e5


@rowwise
@op
def ctc(y_true: Tensor, y_pred: Tensor) -> jax.Array:
    """Minus the log probability of a label sequence, summed over all its alignments with the time steps.

    Args:
        y_true: integer labels `(batch, length)`; 0 is the blank and pads shorter sequences.
        y_pred: logits `(batch, time, classes)`; the result has shape `(batch,)`.

    Example:

        print(cornu.losses.ctc(np.array([[1, 2, 0]]), np.zeros((1, 4, 3))))  # [1.6864]

    Paper: Graves et al., "Connectionist temporal classification", 2006.
    """
    y_true, y_pred = jnp.asarray(y_true), as_float(y_pred)
    if y_true.ndim != 2 or y_pred.ndim != 3:
        raise ValueError(
            "ctc: y_true must have shape (batch, length) and y_pred (batch, time, classes). "
            f"Received: y_true.shape={y_true.shape}, y_pred.shape={y_pred.shape}."
        )
    labels = y_true.astype("int32")
    log_probs = jax.nn.log_softmax(y_pred, axis=-1)
    return -_log_likelihood(labels, log_probs)


def _log_likelihood(labels: jax.Array, log_probs: jax.Array) -> jax.Array:
    dtype = log_probs.dtype
    forbidden = jnp.asarray(_FORBIDDEN, dtype)
    repeats = jnp.pad(labels[:, 1:] == labels[:, :-1], ((0, 0), (0, 1))).astype(dtype)  # (batch, length)
    of_blank = log_probs[:, :, :1]  # (batch, time, 1)
    of_labels = jnp.take_along_axis(log_probs, labels[:, None, :], axis=2)  # (batch, time, length)

    def step(
        alpha: tuple[jax.Array, jax.Array], now: tuple[jax.Array, jax.Array]
    ) -> tuple[tuple[jax.Array, jax.Array], None]:
        blank, label = alpha  # (batch, length + 1), (batch, length)
        log_blank, log_label = now
        after_label = label + forbidden * repeats  # a label may repeat only after a blank
        new_label = log_label + jnp.logaddexp(label, _arrive(blank, after_label))
        ended = jnp.logaddexp(blank[:, 1:], label)
        new_blank = log_blank + jnp.concatenate([blank[:, :1], ended], axis=1)
        return (new_blank, new_label), None

    batch, length = labels.shape
    blank = jnp.full((batch, length + 1), forbidden).at[:, 0].set(0.0)
    label = jnp.full((batch, length), forbidden)
    times = (jnp.swapaxes(of_blank, 0, 1), jnp.swapaxes(of_labels, 0, 1))
    (blank, label), _ = jax.lax.scan(step, (blank, label), times)
    ends = jnp.concatenate([blank[:, :1], jnp.logaddexp(blank[:, 1:], label)], axis=1)  # (batch, length + 1)
    count = jnp.sum(labels != 0, axis=1, keepdims=True)
    return jnp.take_along_axis(ends, count, axis=1)[:, 0]


def _arrive(blank: jax.Array, after_label: jax.Array) -> jax.Array:
    """Log probability of the paths that may continue with each label: from a blank, or from the previous label."""
    earlier = jnp.logaddexp(blank[:, 1:-1], after_label[:, :-1])
    return jnp.concatenate([blank[:, :1], earlier], axis=1)


class CTC(LossFunctionWrapper):
    """Connectionist temporal classification, for label sequences without an alignment in time.

    Args:
        reduction: how the per-sample values are reduced, see `Loss`.
        name: name.
        dtype: dtype or dtype policy to compute in; None is floatx.

    Example:

        loss = cornu.losses.CTC()
        print(loss(np.array([[1, 2, 0]]), np.zeros((1, 4, 3))))  # 1.6864

    Paper: Graves et al., "Connectionist temporal classification", 2006.
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "ctc",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(ctc, name=name, reduction=reduction, dtype=dtype)
