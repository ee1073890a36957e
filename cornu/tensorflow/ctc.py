"""`tf.nn.ctc_loss`, its decoders, and the edit distance, on top of `keras.ops`.

Paper: Graves et al., "Connectionist Temporal Classification", 2006.
"""

import jax
import jax.numpy as jnp
import numpy as np

from cornu import ops
from cornu.core.typing import Tensor
from cornu.tensorflow.sparse import SparseTensor, to_dense


def ctc_loss(
    labels: Tensor, logits: Tensor, label_length: Tensor, logit_length: Tensor, logits_time_major: bool = True,
    unique: Tensor = None, blank_index: int | None = None,
) -> jax.Array:  # fmt: skip
    """Negative log-probability of the labels; by default the blank is class 0 for dense labels, else the last."""
    logits = ops.convert_to_tensor(logits)
    logits = jnp.swapaxes(logits, 0, 1) if logits_time_major else logits
    blank = (-1 if isinstance(labels, SparseTensor) else 0) if blank_index is None else int(blank_index)
    if isinstance(labels, SparseTensor):
        label_length = np.bincount(np.asarray(labels.indices)[:, 0], minlength=len(logits))
        labels = to_dense(labels)
    return ops.ctc_loss(labels, logits, label_length, logit_length, mask_index=blank % logits.shape[-1])


def _sparse_rows(rows: np.ndarray) -> SparseTensor:
    """Rows of labels, terminated by -1."""
    held = rows >= 0
    places = np.argwhere(held)
    size = [len(rows), int(held.sum(1).max(initial=0))]
    return SparseTensor(jnp.asarray(places, "int32"), jnp.asarray(rows[held]), jnp.asarray(size))


def _decoded(inputs: Tensor, lengths: Tensor, blank: int | None, **how: Tensor) -> tuple[list[SparseTensor], jax.Array]:
    logits = jnp.swapaxes(ops.convert_to_tensor(inputs), 0, 1)
    last = logits.shape[-1] - 1
    labels, scores = ops.ctc_decode(logits, lengths, mask_index=last if blank is None else blank % (last + 1), **how)
    return [_sparse_rows(np.asarray(rows)) for rows in labels], scores


def ctc_greedy_decoder(
    inputs: Tensor, sequence_length: Tensor, merge_repeated: bool = True, blank_index: int | None = None
) -> tuple[list[SparseTensor], jax.Array]:
    """The best label at each step, and the negative sum of its logits; the blank is the last class by default."""
    return _decoded(inputs, sequence_length, blank_index, strategy="greedy", merge_repeated=merge_repeated)


def ctc_beam_search_decoder(
    inputs: Tensor, sequence_length: Tensor, beam_width: int = 100, top_paths: int = 1
) -> tuple[list[SparseTensor], jax.Array]:
    """The most likely labels, and the logarithms of their probabilities; the blank is the last class."""
    return _decoded(
        inputs, sequence_length, None, strategy="beam_search", beam_width=int(beam_width), top_paths=int(top_paths)
    )


def collapse_repeated(labels: Tensor, seq_length: Tensor) -> tuple[jax.Array, jax.Array]:
    """Rows of labels with repeated neighbors merged, and their lengths."""
    table, lengths = np.asarray(labels), np.asarray(seq_length)
    rows = [
        row[:length][np.insert(np.diff(row[:length]) != 0, 0, True)[:length]]
        for row, length in zip(table, lengths, strict=True)
    ]
    made = np.zeros((len(rows), max(map(len, rows), default=0)), table.dtype)
    for row, found in zip(made, rows, strict=True):
        row[: len(found)] = found
    return jnp.asarray(made), jnp.asarray([len(row) for row in rows])


def edit_distance(
    hypothesis: SparseTensor, truth: SparseTensor, normalize: bool = True, name: str | None = None
) -> jax.Array:
    """The edit distance between rows, normalized by the length of the true row."""
    shape = np.maximum(np.asarray(hypothesis.dense_shape), np.asarray(truth.dense_shape))[:-1]
    given, wanted = _rows(hypothesis), _rows(truth)
    found = np.zeros(shape, "float32")
    for place in np.ndindex(*shape):
        first, second = given.get(place, []), wanted.get(place, [])
        steps = _steps(first, second)
        with np.errstate(divide="ignore", invalid="ignore"):
            found[place] = np.float32(steps) / np.float32(len(second)) if normalize and (steps or second) else steps
    return jnp.asarray(found)


def _rows(sparse: SparseTensor) -> dict[tuple[int, ...], list[int]]:
    rows: dict[tuple[int, ...], list[int]] = {}
    for place, value in zip(np.asarray(sparse.indices).tolist(), np.asarray(sparse.values).tolist(), strict=True):
        rows.setdefault(tuple(place[:-1]), []).append(value)
    return rows


def _steps(first: list[int], second: list[int]) -> int:
    """The Levenshtein distance."""
    row = list(range(len(second) + 1))
    for count, one in enumerate(first, 1):
        before, row = row, [count]
        for at, other in enumerate(second):
            row.append(min(before[at + 1] + 1, row[at] + 1, before[at] + (one != other)))
    return row[-1]
