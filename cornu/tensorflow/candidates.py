"""Sampled losses for many classes, and candidate samplers.

Papers: Jean et al., "On Using Very Large Target Vocabulary for Neural Machine Translation", 2015; Gutmann & Hyvärinen,
"Noise-contrastive estimation", 2010.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from cornu import ops
from cornu.core.typing import Tensor
from cornu.random.seed_generator import draw_key
from cornu.tensorflow.seeds import seeded


class Candidates(NamedTuple):
    """Sampled classes, and the expected counts of the true and the sampled ones."""

    sampled_candidates: Tensor
    true_expected_count: Tensor
    sampled_expected_count: Tensor


def _drawn(chances: np.ndarray, true_classes: Tensor, count: int, unique: bool, seed: object) -> Candidates:
    """Classes sampled by their probabilities."""
    key, count = draw_key(seeded(seed)), int(count)
    logs = jnp.log(jnp.asarray(chances, "float32"))
    if unique and count > int((chances > 0).sum()):
        raise ValueError(
            f"Candidate samplers: {count} different classes cannot be drawn from {int((chances > 0).sum())}."
        )
    noise = jax.random.gumbel(key, (len(chances),) if unique else (count, len(chances)))
    found = jax.lax.top_k(logs + noise, count)[1] if unique else jnp.argmax(logs + noise, -1)
    expected = jnp.asarray(chances, "float32") * count
    return Candidates(found.astype("int32"), expected[jnp.asarray(true_classes)], expected[found])


def uniform(
    true_classes: Tensor, num_true: int, num_sampled: int, unique: bool, range_max: int, seed: object = None
) -> Candidates:
    """Uniformly sampled classes."""
    return _drawn(np.full(int(range_max), 1 / int(range_max)), true_classes, num_sampled, unique, seed)


def log_uniform(
    true_classes: Tensor, num_true: int, num_sampled: int, unique: bool, range_max: int, seed: object = None
) -> Candidates:
    """Classes sampled from a log-uniform (Zipf) distribution, for words sorted by descending frequency."""
    numbers = np.arange(int(range_max), dtype="float64")
    chances = np.log((numbers + 2) / (numbers + 1)) / np.log(int(range_max) + 1)
    return _drawn(chances, true_classes, num_sampled, unique, seed)


def fixed_unigram(
    true_classes: Tensor, num_true: int, num_sampled: int, unique: bool, range_max: int, vocab_file: str = "",
    distortion: float = 1.0, num_reserved_ids: int = 0, num_shards: int = 1, shard: int = 0,
    unigrams: Sequence[float] = (), seed: object = None,
) -> Candidates:  # fmt: skip
    """Classes sampled by frequency, given by `unigrams` or by the last field of the lines of a file."""
    if vocab_file:
        with open(vocab_file) as file:
            unigrams = [float(line.rstrip().rpartition(",")[2]) for line in file if line.strip()]
    weights = np.concatenate([np.zeros(num_reserved_ids), np.asarray(unigrams, "float64") ** distortion])
    if len(weights) != int(range_max):
        raise ValueError(
            f"tf.random.fixed_unigram_candidate_sampler: expected {range_max} weights. Received: {len(weights)}."
        )
    weights[np.arange(len(weights)) % num_shards != shard] = 0
    return _drawn(weights / weights.sum(), true_classes, num_sampled, unique, seed)


def _logits(
    weights: Tensor,
    biases: Tensor,
    labels: Tensor,
    inputs: Tensor,
    count: int,
    classes: int,
    true: int,
    sampled: Tensor,
    removes_hits: bool,
    seed: object,
) -> tuple[jax.Array, jax.Array]:
    """Logits of the true classes, then of those that were drawn, minus the logarithms of their expected counts."""
    table = ops.concatenate(list(weights), 0) if isinstance(weights, (list, tuple)) else ops.convert_to_tensor(weights)
    biases, inputs, labels = ops.convert_to_tensor(biases), ops.convert_to_tensor(inputs), jnp.asarray(labels)
    labels = labels.reshape(-1, true)
    drawn, true_count, drawn_count = sampled or log_uniform(labels, true, count, True, classes, seed)
    drawn = jnp.asarray(drawn)
    at_true = jnp.einsum("bd,btd->bt", inputs, table[labels]) + biases[labels] - jnp.log(jnp.asarray(true_count))
    at_drawn = inputs @ table[drawn].T + biases[drawn] - jnp.log(jnp.asarray(drawn_count))
    if removes_hits:
        hit = (labels[:, :, None] == drawn).any(1)
        at_drawn = jnp.where(hit, jnp.finfo(at_drawn.dtype).min, at_drawn)
    goals = jnp.concatenate([jnp.full(at_true.shape, 1 / true), jnp.zeros(at_drawn.shape)], 1)
    return jnp.concatenate([at_true, at_drawn], 1), goals


def nce_loss(
    weights: Tensor,
    biases: Tensor,
    labels: Tensor,
    inputs: Tensor,
    num_sampled: int,
    num_classes: int,
    num_true: int = 1,
    sampled_values: Tensor = None,
    remove_accidental_hits: bool = False,
) -> jax.Array:
    """Noise-contrastive estimation: binary classification of each true class against the sampled ones."""
    logits, goals = _logits(
        weights, biases, labels, inputs, num_sampled, num_classes, num_true, sampled_values, remove_accidental_hits,
        None,
    )  # fmt: skip
    return (jax.nn.softplus(logits) - goals * logits).sum(1)


def sampled_softmax_loss(
    weights: Tensor,
    biases: Tensor,
    labels: Tensor,
    inputs: Tensor,
    num_sampled: int,
    num_classes: int,
    num_true: int = 1,
    sampled_values: Tensor = None,
    remove_accidental_hits: bool = True,
    seed: object = None,
) -> jax.Array:
    """The cross-entropy of the softmax over the true and the sampled classes."""
    logits, goals = _logits(
        weights, biases, labels, inputs, num_sampled, num_classes, num_true, sampled_values, remove_accidental_hits,
        seed,
    )  # fmt: skip
    return -(goals * jax.nn.log_softmax(logits)).sum(1)
