"""Connectionist temporal classification (Graves et al., 2006): the loss, and decoding of its predictions.

For each time step a network outputs scores of the classes, one of which (`mask_index`, the blank) means "no label". A
labeling is obtained by merging equal neighbors and dropping blanks, so many paths yield the same labels.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from cornu import validate
from cornu.core.operation import Tensor, op
from cornu.core.typing import Nested
from cornu.ops.elementwise import floating, floats

_NEVER = -1e5  # the logarithm of a probability of zero, finite so that losses and gradients are


@op(class_name="CTCLoss")
def ctc_loss(
    target: Tensor, output: Tensor, target_length: Tensor, output_length: Tensor, mask_index: int = 0
) -> jax.Array:
    """Negative log-probability that the predictions yield the target, summed over all alignments.

    Args:
        target: class indices, shape `(batch, labels)`, padded at the end with arbitrary values.
        output: logits, shape `(batch, time, classes)`.
        target_length: number of labels in each row, shape `(batch,)`.
        output_length: number of time steps in each row, shape `(batch,)`.
        mask_index: the class that means "no label here". Defaults to 0.

    Returns:
        The loss of each row, shape `(batch,)`.

    Example:

        logits = np.zeros((1, 1, 2))
        print(cornu.ops.ctc_loss(np.array([[1]]), logits, np.array([1]), np.array([1])))  # [0.693...]
    """
    target, output = jnp.asarray(target).astype("int32"), floating(output).astype("float32")
    target_length, output_length = (jnp.asarray(n).astype("int32") for n in (target_length, output_length))
    batch, labels = target.shape
    # The path visits blank, label, blank, label, ..., blank; a label may follow another one directly if it differs.
    path = jnp.full((batch, 2 * labels + 1), mask_index, "int32").at[:, 1::2].set(target)
    may_skip = (path != mask_index) & (path != _shifted(path, 2, mask_index))
    logs = jax.nn.log_softmax(output, axis=-1)
    emitted = jnp.take_along_axis(logs, path[:, None, :], axis=2)  # (batch, time, path)

    def step(alpha: Tensor, now: Tensor) -> tuple[Nested, None]:
        emit, time = now
        skipped = jnp.where(may_skip, _shifted(alpha, 2, _NEVER), _NEVER)
        moved = jnp.logaddexp(jnp.logaddexp(alpha, _shifted(alpha, 1, _NEVER)), skipped) + emit
        return jnp.where((time < output_length)[:, None], moved, alpha), None

    start = jnp.full(path.shape, _NEVER, logs.dtype).at[:, :2].set(emitted[:, 0, :2])
    times = jnp.arange(1, output.shape[1], dtype="int32")
    alpha, _ = lax.scan(step, start, (jnp.moveaxis(emitted, 1, 0)[1:], times))
    last = 2 * target_length[:, None]
    at_blank = jnp.take_along_axis(alpha, last, axis=1)[:, 0]
    at_label = jnp.take_along_axis(alpha, jnp.maximum(last - 1, 0), axis=1)[:, 0]
    return -jnp.logaddexp(at_blank, jnp.where(target_length > 0, at_label, _NEVER))


@op(class_name="CTCDecode")
def ctc_decode(
    inputs: Tensor,
    sequence_lengths: Tensor,
    strategy: str = "greedy",
    beam_width: int = 100,
    top_paths: int = 1,
    merge_repeated: bool = True,
    mask_index: int = 0,
) -> tuple[jax.Array, jax.Array]:
    """The most likely labels for the predictions of a network trained with `ctc_loss`.

    Args:
        inputs: logits, shape `(batch, time, classes)`.
        sequence_lengths: number of time steps in each row, shape `(batch,)`.
        strategy: `"greedy"` takes the best class at each step; `"beam_search"` keeps the `beam_width` most likely
            labelings at each step and sums the probabilities of paths with the same labels. Defaults to `"greedy"`.
        beam_width: number of labelings kept by the beam search. Defaults to 100.
        top_paths: number of labelings returned by the beam search, best first. Defaults to 1.
        merge_repeated: whether greedy decoding merges equal neighbors. Defaults to True.
        mask_index: the class that means "no label here". Defaults to 0.

    Returns:
        Labels of shape `(top_paths, batch, time)`, padded with -1, and scores of shape `(batch, top_paths)`: the
        negated sum of the best logits for greedy decoding, the log-probability for the beam search.

    Example:

        labels, _ = cornu.ops.ctc_decode(np.array([[[0.0, 9.0], [9.0, 0.0]]]), np.array([2]))
        print(labels)  # [[[ 1 -1]]]
    """
    validate.one_of(strategy, ("greedy", "beam_search"), "strategy", "ctc_decode")
    inputs, lengths = floats(inputs, jnp.float32(0))[0], jnp.asarray(sequence_lengths).astype("int32")
    if strategy == "greedy":
        return _greedy(inputs, lengths, merge_repeated, mask_index)
    beam_width = validate.positive_int(beam_width, "beam_width", "ctc_decode")
    if not 1 <= top_paths <= beam_width:
        raise ValueError(
            "ctc_decode: top_paths must be from 1 to beam_width. "
            f"Received: top_paths={top_paths}, beam_width={beam_width}."
        )
    labels, scores = jax.vmap(lambda row, n: _beam_search(row, n, beam_width, top_paths, mask_index))(inputs, lengths)
    return jnp.moveaxis(labels, 0, 1), scores


def _shifted(x: Tensor, places: int, fill: float) -> jax.Array:
    return jnp.pad(x, ((0, 0), (places, 0)), constant_values=fill)[:, :-places]


def _greedy(inputs: Tensor, lengths: Tensor, merge_repeated: bool, blank: int) -> tuple[jax.Array, jax.Array]:
    steps = inputs.shape[1]
    valid = jnp.arange(steps, dtype="int32")[None, :] < lengths[:, None]
    best = jnp.argmax(inputs, axis=-1).astype("int32")  # (batch, time)
    score = -jnp.sum(jnp.where(valid, jnp.max(inputs, axis=-1), 0), axis=-1, keepdims=True)
    kept = valid & (best != blank)
    if merge_repeated:
        kept &= best != _shifted(best, 1, -1)
    order = jnp.argsort(~kept, axis=1, stable=True)  # moves the kept labels to the front, in order
    labels = jnp.where(jnp.take_along_axis(kept, order, axis=1), jnp.take_along_axis(best, order, axis=1), -1)
    return labels[None], score.astype(inputs.dtype)


def _beam_search(logits: Tensor, length: Tensor, width: int, top_paths: int, blank: int) -> tuple[jax.Array, jax.Array]:
    """Prefix beam search over one sequence, `(time, classes)` -> labels `(top_paths, time)` and their scores.

    Each beam is a labeling with two log-probabilities: of its paths that end in a blank, and of those that end in its
    last label. A step creates `classes` candidates from each beam: itself, and itself plus one label.
    """
    steps, _classes = logits.shape
    logs = jax.nn.log_softmax(logits.astype("float32"), axis=-1)
    start = (
        jnp.full((width, steps), -1, "int32"),  # labels
        jnp.zeros((width,), "int32"),  # number of labels
        jnp.full((width,), _NEVER, "float32").at[0].set(0.0),  # ends in a blank
        jnp.full((width,), _NEVER, "float32"),  # ends in its last label
    )

    def step(beams: Sequence[Tensor], now: Tensor) -> tuple[Nested, None]:
        log, time = now
        candidates = _merged(*_candidates(beams, log, blank))
        best = lax.top_k(jnp.logaddexp(candidates[2], candidates[3]), width)[1]
        chosen = jax.tree.map(lambda x: x[best], candidates)
        return jax.tree.map(lambda new, old: jnp.where(time < length, new, old), chosen, beams), None

    (labels, _, at_blank, at_label), _ = lax.scan(step, start, (logs, jnp.arange(steps, dtype="int32")))
    scores, best = lax.top_k(jnp.logaddexp(at_blank, at_label), top_paths)
    return labels[best], scores


def _candidates(beams: Sequence[Tensor], log: Tensor, blank: int) -> tuple[jax.Array, ...]:
    """All continuations of the beams by one step, flat: the beams themselves, then each with each class appended."""
    labels, counts, at_blank, at_label = beams
    width, steps = labels.shape
    last = jnp.where(counts > 0, labels[jnp.arange(width), jnp.maximum(counts - 1, 0)], -1)
    total = jnp.logaddexp(at_blank, at_label)
    stay_blank = total + log[blank]
    stay_label = jnp.where(counts > 0, at_label + log[last], _NEVER)
    # A repeated label is a new one only after a blank.
    every = jnp.arange(log.shape[0], dtype="int32")
    grown = jnp.where(every[None, :] == last[:, None], at_blank[:, None], total[:, None]) + log[None, :]
    grown = jnp.where(every[None, :] == blank, _NEVER, grown)  # (width, classes)
    place = jnp.arange(steps)[None, None, :] == counts[:, None, None]
    appended = jnp.where(place, every[None, :, None], labels[:, None, :])  # (width, classes, time)
    return (
        jnp.concatenate([labels, appended.reshape(-1, steps)]),
        jnp.concatenate([counts, jnp.repeat(counts + 1, log.shape[0])]),
        jnp.concatenate([stay_blank, jnp.full((grown.size,), _NEVER, grown.dtype)]),
        jnp.concatenate([stay_label, grown.ravel()]),
    )


def _merged(labels: Tensor, counts: Tensor, at_blank: Tensor, at_label: Tensor) -> tuple[jax.Array, ...]:
    """Candidates with the same labels merged into the first of them."""
    order = jnp.lexsort((*labels.T[::-1], counts))
    labels, counts, at_blank, at_label = (x[order] for x in (labels, counts, at_blank, at_label))
    new = jnp.any(labels[1:] != labels[:-1], axis=1) | (counts[1:] != counts[:-1])
    group = jnp.concatenate([jnp.zeros((1,), "int32"), jnp.cumsum(new, dtype="int32")])

    def joined(x: Tensor) -> jax.Array:
        peak = jax.ops.segment_max(x, group, x.shape[0], indices_are_sorted=True)
        total = jax.ops.segment_sum(jnp.exp(x - peak[group]), group, x.shape[0], indices_are_sorted=True)
        value = (peak + jnp.log(total))[group]
        return jnp.where(jnp.concatenate([jnp.ones((1,), bool), new]), value, _NEVER)

    return labels, counts, joined(at_blank), joined(at_label)
