"""Rows in a bad order or place: sorted labels, and validation rows that are also in the training data.

Checks arrays in memory, of which a sample is examined, and batches from other data.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from cornu.core.typing import AnyList, Data
from cornu.losses import validation
from cornu.training import anatomy
from cornu.training.advice.case import Case
from cornu.training.data.convert import is_sparse, named_leaves

if TYPE_CHECKING:
    from cornu.layers.layer import Layer

_FEW_ROWS = 12  # fewer labels may be sorted by chance
_SAMPLE = 4096  # number of labels to examine
_FEW_IN_A_BATCH = 8  # fewer rows in a batch may be of one class by chance
_MIXED = 4  # one in this many batches may contain several classes, at class boundaries
_ENOUGH = 50  # fewer training or validation rows may be shared on purpose
_ROWS = 2048  # number of rows of each to compare
_BLOCKS, _WIDTH = 4, 64  # parts of a row to compare: their number and width
_FEWEST = 5  # minimum number of rows found in both
_SHARE = 0.05  # minimum fraction of validation rows to report
_NATURAL = 2  # ratio to the fraction of duplicates within the training data

_SHUFFLE = "order = np.random.permutation(len(x)); x, y = x[order], y[order]."


def labels_in_order(case: Case) -> str | None:
    """Sorted labels before and after the cut of `validation_split`."""
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
        "the labels are sorted, and validation_split takes the last rows, before shuffling: "
        f"{lacks if len(missing) else 'in the validation part ' + lacks}. Shuffle first: {_SHUFFLE}"
    )


def labels_never_shuffled(case: Case) -> str | None:
    """Sorted labels used in order, so that most batches have a single class."""
    if case.shuffle is True or case.batch_size is None or _is_stateful(case.model):
        return None
    labels = _classes(case, case.y)
    if labels is None or len(labels) < _FEW_ROWS or not _are_sorted(_some(labels, _SAMPLE)):
        return None
    kinds = len(np.unique(labels))
    if len(labels) < 2 * case.batch_size or len(labels) < kinds * case.batch_size or not _are_sorted(labels):
        return None
    return (
        f"the labels are sorted, and with shuffle={case.shuffle} most batches contain a single class, so that the "
        f"model forgets the others. Use shuffle=True, or shuffle once: {_SHUFFLE}"
    )


class SortedBatches:
    """Batches of a single class, several of one and then several of another; called on each batch as it arrives."""

    __name__ = "sorted_batches"

    def __init__(self) -> None:
        self._runs: list[AnyList] = []  # (class, number of consecutive batches of only that class)
        self._seen = self._mixed = 0
        self._is_open = True  # whether it is still undecided

    def __call__(self, case: Case) -> str | None:
        """What is wrong, as soon as that is known."""
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
            f"the data are sorted: {before} batches of only class {first:g} came first, then those of class "
            f"{second:g}, so that the model forgets the first one. Shuffle the rows before batching, for "
            "example data.shuffle(1000).batch(32)."
        )


def _is_stateful(model: "Layer") -> bool:
    return any(getattr(layer, "stateful", False) is True for layer in model._flatten_layers())


def _are_sorted(labels: np.ndarray) -> bool:
    """Whether the rows of each class are contiguous, and there is more than one class."""
    turns = np.count_nonzero(labels[1:] != labels[:-1])
    return bool(turns > 0 and turns == len(np.unique(labels)) - 1)


def _classes(case: Case, y: Data) -> np.ndarray | None:
    """The class of each row, if there is a single output with a classification loss."""
    family = validation.family(case.model._compile_loss.loss) if case.model._compile_loss is not None else None
    found = [leaf for _, leaf in named_leaves(y, "y")]
    if family not in ("sparse", "one-hot", "binary") or len(found) != 1 or not anatomy.is_numeric(found[0]):
        return None
    labels = found[0]
    if labels.ndim == 1 or labels.shape[1:] == (1,):
        return labels.reshape(-1)
    return labels.argmax(1) if labels.ndim == 2 and family == "one-hot" else None


def _some(values: np.ndarray, count: int) -> np.ndarray:
    """At most `count` of them, evenly spaced, in order."""
    return values if len(values) <= count else values[np.linspace(0, len(values) - 1, count).astype(int)]


# ---------------------------------------------------------------- shared rows


def shared_rows(case: Case) -> str | None:
    """Validation rows that are also trained on, unless the training data contains as many duplicates itself."""
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
        f"{told} validation rows are also in the training data (row {pairs[0][1]} is row {pairs[0][0]} of x, for "
        "example), so val_loss says little about new data. Use other rows; remove duplicates before splitting."
    )


def _share_of_repeated(values: np.ndarray) -> float:
    """The fraction of the values that occur more than once."""
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
    """A number for each row that is equal for equal rows, computed from some parts of it."""
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
