"""Class weights, converted to sample weights."""

from collections.abc import Mapping

import numpy as np

from cornu import settings, validate
from cornu.core.tracebacks import warn
from cornu.core.typing import Data
from cornu.training.data.convert import named_leaves


def class_labels(y: Data, owner: str) -> np.ndarray:
    """The class of each sample from integer labels, shape (n,) or (n, 1), or one-hot rows, shape (n, classes)."""
    leaves = [leaf for _, leaf in named_leaves(y, "y")]
    if len(leaves) != 1:
        raise ValueError(
            f"{owner}: class_weight requires exactly one y. Received: {len(leaves)}. Use sample_weight instead."
        )
    labels = leaves[0]
    if labels.ndim > 2:
        raise ValueError(
            f"{owner}: class_weight requires y of shape (samples,), (samples, 1) or (samples, classes). "
            f"Received: shape {labels.shape}. Use sample_weight instead."
        )
    is_one_hot = labels.ndim == 2 and labels.shape[1] > 1
    return labels.argmax(1) if is_one_hot else labels.reshape(-1).astype("int64")


def tell_of_strangers(y: Data, class_weight: Mapping[int, float], owner: str) -> None:
    """Warn where the labels of all samples are other classes than those that have weights, or no classes."""
    labels = class_labels(y, owner)
    if fractions := [leaf for _, leaf in named_leaves(y, "y") if leaf.dtype.kind == "f" and (leaf % 1).any()]:
        warn(
            f"{owner}: class_weight is for class numbers, but y holds fractions, such as "
            f"{fractions[0][fractions[0] % 1 != 0][0]:g}, which count as the whole number below. Give sample_weight."
        )
    classes, weighted = set(np.unique(labels).tolist()), set(map(int, class_weight))
    strange, bare = sorted(weighted - classes), sorted(classes - weighted)
    if strange and bare:
        warn(
            f"{owner}: class_weight has weights for the classes {validate.shown(strange)}, which no label is, but none "
            f"for {validate.shown(bare)}, which weigh 1. Number the classes there as in y."
        )


def weigh_classes(y: Data, sample_weight: Data, class_weight: Mapping[int, float], owner: str) -> np.ndarray:
    """The weight of each sample: that of its class (1 for a class that is not listed) times its own."""
    classes, where = np.unique(class_labels(y, owner), return_inverse=True)
    table = np.array([class_weight.get(int(c), 1.0) for c in classes], settings.floatx())
    weights = table[where]
    if sample_weight is None:
        return weights
    own = next(leaf for _, leaf in named_leaves(sample_weight, "sample_weight"))
    return own * weights.reshape((-1,) + (1,) * (own.ndim - 1))
