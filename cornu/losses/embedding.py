"""The circle loss, which pulls embeddings with the same label together and pushes others apart."""

import jax
import jax.numpy as jnp

from cornu.core.masks import set_mask
from cornu.core.operation import Tensor, op
from cornu.core.policy import PolicyLike
from cornu.losses.loss import LossFunctionWrapper, as_float

_NOTHING = -1e9  # the logit of an excluded pair


@op
def circle(
    y_true: Tensor,
    y_pred: Tensor,
    ref_labels: Tensor | None = None,
    ref_embeddings: Tensor | None = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
) -> jax.Array:
    """`softplus(logsumexp(γ αₙ (s - m)) + logsumexp(-γ αₚ (s - 1 + m)))` over pairs of different (n) and equal (p)
    labels.

    `s` is the dot product of two embeddings, `αₚ = max(1 + m - s, 0)` and `αₙ = max(s + m, 0)`. A sample without a
    positive or a negative partner gives 0.

    Args:
        y_true: integer labels `(batch,)`.
        y_pred: embeddings `(batch, depth)` of unit length; the result has shape `(batch,)`.
        ref_labels, ref_embeddings: labels and embeddings to compare with; by default those of the batch.
        remove_diagonal: whether to exclude each sample from its own pairs. Defaults to True.
        gamma: scale. Defaults to 80.
        margin: relaxation `m`, from 0 to 1. Defaults to 0.4.

    Example:

        y = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        print(cornu.losses.circle(np.array([0, 0, 1]), y))

    Paper: Sun et al., "Circle loss", https://arxiv.org/abs/2002.10857.
    """
    y_pred = as_float(y_pred)
    others = y_pred if ref_embeddings is None else jnp.asarray(ref_embeddings).astype(y_pred.dtype)
    alike, unlike = _pairs(y_true, y_true if ref_labels is None else ref_labels, remove_diagonal)
    similarity = 1.0 - jnp.maximum(1.0 - y_pred @ others.T, 0.0)  # (batch, others), at most 1
    pull = jnp.maximum(1.0 + margin - similarity, 0.0)
    push = jnp.maximum(similarity + margin, 0.0)
    pull_logits = jnp.where(alike, -gamma * pull * (similarity - (1.0 - margin)), _NOTHING)
    push_logits = jnp.where(unlike, gamma * push * (similarity - margin), _NOTHING)
    both = jax.nn.logsumexp(pull_logits, axis=-1) + jax.nn.logsumexp(push_logits, axis=-1)
    return jax.nn.softplus(both)


def _pairs(labels: Tensor, other_labels: object, remove_diagonal: bool) -> tuple[jax.Array, jax.Array]:
    """The pairs with equal labels, and those with different ones, each of shape (batch, others)."""
    labels, other_labels = (jnp.ravel(jnp.asarray(x).astype("int32")) for x in (labels, other_labels))
    alike = labels[:, None] == other_labels[None, :]
    unlike = ~alike
    return (alike & ~jnp.eye(alike.shape[0], alike.shape[1], dtype=bool) if remove_diagonal else alike), unlike


class Circle(LossFunctionWrapper):
    """Circle loss on unit-length embeddings, using the batch's own labels.

    Samples without a positive or a negative partner are excluded from the mean.

    Args:
        gamma: scale. Defaults to 80.0.
        margin: relaxation, from 0 to 1. Defaults to 0.4.
        remove_diagonal: whether to exclude each sample from its own pairs. Defaults to True.
        reduction: how the per-sample values are reduced, see `Loss`.
        name: name.
        dtype: dtype or dtype policy to compute in; None is floatx.

    Example:

        loss = cornu.losses.Circle(gamma=2.0)
        print(loss(np.array([0, 0, 1]), np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])))

    Paper: Sun et al., "Circle loss", https://arxiv.org/abs/2002.10857.
    """

    remove_diagonal: bool

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "circle",
        dtype: PolicyLike | None = None,
    ):
        super().__init__(
            circle,
            name=name,
            reduction=reduction,
            dtype=dtype,
            remove_diagonal=remove_diagonal,
            gamma=gamma,
            margin=margin,
        )

    def call(self, y_true: Tensor, y_pred: Tensor) -> jax.Array:
        """The values, masked for samples without a positive or a negative partner."""
        values = super().call(y_true, y_pred)
        alike, unlike = _pairs(y_true, y_true, self.remove_diagonal)
        set_mask(values, jnp.any(alike, axis=-1) & jnp.any(unlike, axis=-1))
        return values
