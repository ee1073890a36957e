"""Rows in an order, or in a place, in which they should not be: sorted labels, and rows to validate on that are known.

Asked of arrays in memory, of which no more than a sample is looked at, and of the batches that other data give.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from cornu.core.typing import Data
from cornu.losses import validation
from cornu.training import anatomy
from cornu.training.advice.case import Case
from cornu.training.data.convert import is_sparse, named_leaves

if TYPE_CHECKING:
    from cornu.layers.layer import Layer

_FEW_ROWS = 12  # labels of fewer rows are in order by chance
_SAMPLE = 4096  # labels that tell whether they are sorted
_FEW_IN_A_BATCH = 8  # rows of a batch are of one class by chance where they are fewer
_MIXED = 4  # one batch in so many may be of several classes, where one class ends and the next begins
_ENOUGH = 50  # rows of training and of validation, of which some may be the same on purpose where they are fewer
_ROWS = 2048  # of each that are compared
_BLOCKS, _WIDTH = 4, 64  # of a row: how many parts of it, and how many numbers of each
_FEWEST = 5  # rows found in both
_SHARE = 0.05  # of the rows to validate on, from which on one is told of those that are in both
_NATURAL = 2  # how many times as often as within the training data rows must be found again

_SHUFFLE = "order = np.random.permutation(len(x)); x, y = x[order], y[order]."


def labels_in_order(case: Case) -> str | None:
    """Labels before and behind the cut of `validation_split`."""
    if not case.was_split or case.held_out is None:
        return None
    kept, held = _classes(case, case.y), _classes(case, case.held_out[1])
    if kept is None or held is None or len(kept) + len(held) < _FEW_ROWS:
        return None
    if not _are_sorted(np.concatenate([_some(kept, _SAMPLE), _some(held, _SAMPLE)])):
        return None
    missing = np.setdiff1d(held, kept)
    if not _are_sorted(np.concatenate([kept, held])) or (len(missing) == 0 and len(np.unique(held)) > 1):
        return None
    lacks = f"class {missing[0]:g} is not in the training part" if len(missing) else f"all of it is class {held[0]:g}"
    return (
        "the labels are sorted, and validation_split takes the last rows as they stand, before shuffling: "
        f"{lacks if len(missing) else 'in the validation part ' + lacks}. Shuffle first: {_SHUFFLE}"
    )


def labels_never_shuffled(case: Case) -> str | None:
    """Sorted labels that are trained on in their order, batch after batch of one class."""
    if case.shuffle is True or case.batch_size is None or _is_stateful(case.model):
        return None
    labels = _classes(case, case.y)
    if labels is None or len(labels) < _FEW_ROWS or not _are_sorted(_some(labels, _SAMPLE)):
        return None
    kinds = len(np.unique(labels))
    if len(labels) < 2 * case.batch_size or len(labels) < kinds * case.batch_size or not _are_sorted(labels):
        return None
    return (
        f"the labels are sorted, and with shuffle={case.shuffle} most batches are of one class alone, so that the "
        f"model forgets the others. Leave shuffle=True, or shuffle once: {_SHUFFLE}"
    )


class SortedBatches:
    """Batches of one class alone, several of one and then several of another; asked of each batch as it comes."""

    __name__ = "sorted_batches"

    def __init__(self) -> None:
        self._runs: list[list] = []  # (class, how many batches in a row are of it alone)
        self._seen = self._mixed = 0
        self._is_open = True  # whether it cannot be told yet

    def __call__(self, case: Case) -> str | None:
        """What is wrong, as soon as that can be told."""
        labels = _classes(case, case.y) if self._is_open and len(case.data) > 1 else None
        if labels is None or len(labels) < _FEW_IN_A_BATCH:
            self._is_open = False
            return None
        self._seen += 1
        if labels.min() != labels.max():
            self._mixed += 1
        elif self._runs and self._runs[-1][0] == labels[0]:
            self._runs[-1][1] += 1
        else:
            self._runs.append([labels[0], 1])
        self._is_open = len(self._runs) <= 2 and self._mixed <= 1 + self._seen // _MIXED
        if len(self._runs) != 2 or min(count for _, count in self._runs) < 2 or _is_stateful(case.model):
            return None
        (first, before), (second, _) = self._runs
        return (
            f"the data are sorted: {before} batches of class {first:g} alone came first, then those of class "
            f"{second:g}, so that the model forgets one for the other. Shuffle the rows before they are batched, such "
            "as data.shuffle(1000).batch(32)."
        )


def _is_stateful(model: "Layer") -> bool:
    return any(getattr(layer, "stateful", False) is True for layer in model._flatten_layers())


def _are_sorted(labels: np.ndarray) -> bool:
    """Whether each class has its rows together, and there is more than one."""
    turns = np.count_nonzero(labels[1:] != labels[:-1])
    return bool(turns > 0 and turns == len(np.unique(labels)) - 1)


def _classes(case: Case, y: Data) -> np.ndarray | None:
    """The class of each row, where there is one output, and its loss is about classes."""
    family = validation.family(case.model._compile_loss.loss) if case.model._compile_loss is not None else None
    found = [leaf for _, leaf in named_leaves(y, "y")]
    if family not in ("sparse", "one-hot", "binary") or len(found) != 1 or not anatomy.is_numeric(found[0]):
        return None
    labels = found[0]
    if labels.ndim == 1 or labels.shape[1:] == (1,):
        return labels.reshape(-1)
    return labels.argmax(1) if labels.ndim == 2 and family == "one-hot" else None


def _some(values: np.ndarray, count: int) -> np.ndarray:
    """At most `count` of them, evenly spaced, in their order."""
    return values if len(values) <= count else values[np.linspace(0, len(values) - 1, count).astype(int)]


# ---------------------------------------------------------------- rows of both


def shared_rows(case: Case) -> str | None:
    """Rows of the validation that are trained on, unless rows are repeated within the training data as well."""
    parts = [list(_arrays(x)) for x in (case.x, case.held_out[0] if case.held_out is not None else None)]
    if not all(parts) or [leaf.shape[1:] for leaf in parts[0]] != [leaf.shape[1:] for leaf in parts[1]]:
        return None
    sizes = [len(leaves[0]) for leaves in parts]
    if min(sizes) < _ENOUGH:
        return None
    draws = np.random.default_rng(0)
    rows = [_drawn(size, draws) for size in sizes]
    trained, held = (_prints(leaves, chosen) for leaves, chosen in zip(parts, rows, strict=True))
    found = np.flatnonzero(np.isin(held, trained))
    again, repeated = len(found) / len(held), _share_of_repeated(trained)
    share = min(1.0, again * sizes[0] / len(trained))
    if len(found) < _FEWEST or share < _SHARE or again <= _NATURAL * repeated:
        return None
    first = dict(zip(trained.tolist(), rows[0].tolist(), strict=True))
    pairs = [(first[held[i].item()], int(rows[1][i])) for i in found[:_FEWEST]]
    if not all(np.array_equal(a[i], b[j]) for i, j in pairs for a, b in zip(*parts, strict=True)):
        return None
    told = "the" if share > 0.99 else f"about {share:.0%} of the"
    return (
        f"{told} rows to validate on are among those trained on (row {pairs[0][1]} is row {pairs[0][0]} of x, for "
        "one), so val_loss says little of new data. Validate on other rows; take repeated ones out before you split."
    )


def _share_of_repeated(values: np.ndarray) -> float:
    """How many of the values are there more than once."""
    _, counts = np.unique(values, return_counts=True)
    return 1 - float(np.count_nonzero(counts == 1)) / len(values)


def _arrays(x: Data) -> Iterator[np.ndarray]:
    for _, leaf in named_leaves(x, "x"):
        if is_sparse(leaf) or not anatomy.is_numeric(leaf):
            return
        yield leaf


def _drawn(count: int, draws: np.random.Generator) -> np.ndarray:
    return np.arange(count) if count <= _ROWS else np.unique(draws.integers(0, count, _ROWS))


def _prints(leaves: list[np.ndarray], rows: np.ndarray) -> np.ndarray:
    """A number for each of the rows that is the same for the same row, of some parts of it."""
    draws = np.random.default_rng(1)
    total = np.zeros(len(rows), "uint64")
    for leaf in leaves:
        for block in _blocks(leaf, rows):
            bits = np.ascontiguousarray(block).view(f"u{block.itemsize}").astype("uint64")
            total += bits @ draws.integers(1, 2**63, bits.shape[1], dtype="uint64")
    return total


def _blocks(leaf: np.ndarray, rows: np.ndarray) -> Iterator[np.ndarray]:
    """Parts of some rows, evenly spaced, each of shape (rows, width)."""
    flat = leaf.reshape(len(leaf), -1) if leaf.flags.c_contiguous else leaf[rows].reshape(len(rows), -1)
    chosen = rows if flat.base is leaf or leaf.flags.c_contiguous else np.arange(len(rows))
    width = flat.shape[1]
    if width <= _BLOCKS * _WIDTH:
        yield flat[chosen]
        return
    for start in np.linspace(0, width - _WIDTH, _BLOCKS).astype(int):
        yield flat[:, start : start + _WIDTH][chosen]
