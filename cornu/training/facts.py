"""A description of a training run as plain data that can be compared with another: its data and the arguments of `fit`.

A backup is resumed only with the data that it was started with, and a record of a run contains all of it.
"""

import hashlib
from collections.abc import Mapping

import numpy as np

from cornu import tree
from cornu.callbacks import CallbackList, RunRecord
from cornu.runs import Record
from cornu.training.data.batches import Batches

_SAMPLE = 16  # number of array rows to compare
SAMPLE_OF_ROWS = "sample of the rows"  # the name of the fact that is a digest
_PARTS = ("x", "y", "sample_weight")
_DATA = ("self", *_PARTS, "validation_data")  # arguments of `fit` covered by `of_data`


def of_data(batches: Batches) -> Record:
    """A description of the data."""
    named = [
        f"{'/'.join(map(str, (_PARTS[part], *path)))} {np.asarray(leaf).dtype}{list(np.shape(leaf)[1:])}"
        for (part, *path), leaf in tree.flatten_with_path(batches.example()) if leaf is not None
    ]  # fmt: skip
    facts = {
        "arrays": ", ".join(named), "batch size": batches.batch_size, "number of rows": batches.num_samples,
        "number of batches": batches.num_batches,
    }  # fmt: skip
    if batches.source.arrays is None:
        return facts
    leaves = [np.asarray(leaf) for leaf in tree.flatten(batches.source.arrays) if leaf is not None]
    rows = np.linspace(0, len(leaves[0]) - 1, min(_SAMPLE, len(leaves[0]))).astype(int)
    digest = hashlib.sha256()
    for leaf in leaves:
        digest.update(np.ascontiguousarray(leaf[rows]).tobytes())
    return facts | {SAMPLE_OF_ROWS: digest.hexdigest()[:16]}


def tell(callbacks: CallbackList, arguments: Mapping[str, object], batches: Batches, checks: Batches | None) -> None:
    """Pass the arguments of `fit` to the run records among the callbacks."""
    records = [callback for callback in callbacks.callbacks if isinstance(callback, RunRecord)]
    if not records:
        return
    settings = {name: value for name, value in arguments.items() if name not in _DATA}
    data = {"training": {"kind": type(arguments["x"]).__name__} | of_data(batches)}
    if checks is not None:
        data["validation"] = of_data(checks)
    for record in records:
        others = [callback for callback in callbacks.callbacks if callback not in records]
        record.describe(settings | {"callbacks": others}, data)
