"""Labels and predictions of a classifier: classes and probabilities in any format.

Labels are integers or one-hot rows. Predictions are integers, class probabilities, logits (rows with values outside 0
to 1), or one number for two classes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from cornu.core import border
from cornu.core.typing import Data, Tensor
from cornu.models.model import Model
from cornu.training.data.batches import unpack_x_y_sample_weight

Names = Sequence[str] | Mapping[int, str] | None


def labels_of(y: Tensor, owner: str, name: str = "y_true") -> np.ndarray:
    """Classes as integers of shape `(rows,)`, from integers or one-hot rows."""
    array = border.to_numpy(y, owner, name)
    array = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if array.ndim == 2:
        return array.argmax(axis=-1)
    if array.ndim != 1 or array.dtype.kind not in "biuf" or (array.size and np.any(array != np.rint(array))):
        raise ValueError(
            f"{owner}: {name} must be classes, as integers of shape (rows,) or as one-hot rows of shape "
            f"(rows, classes). Received: {array.dtype} of shape {array.shape}."
        )
    return array.astype(int)


def probabilities_of(y_pred: Tensor, owner: str) -> np.ndarray:
    """Probabilities of shape `(rows, classes)`, from probabilities, logits, or one number for two classes."""
    array = border.to_numpy(y_pred, owner, "predictions").astype("float64")
    if array.ndim != 2:
        raise ValueError(
            f"{owner}: predictions must have shape (rows, classes), or (rows, 1) for two classes. "
            f"Received: shape {array.shape}."
        )
    are_logits = bool(array.size) and (array.min() < 0 or array.max() > 1)
    if array.shape[1] == 1:
        second = 1 / (1 + np.exp(-array)) if are_logits else array
        return np.concatenate([1 - second, second], axis=1)
    if not are_logits:
        return array
    powers = np.exp(array - array.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def predicted_classes(y_pred: Tensor, owner: str) -> np.ndarray:
    """Classes of shape `(rows,)` from integers, or from anything `probabilities_of` accepts."""
    array = border.to_numpy(y_pred, owner, "y_pred")
    if array.ndim == 1 and array.dtype.kind == "f" and np.any(array != np.rint(array)):
        array = array[:, None]
    scores = array.ndim == 2 and (array.shape[1] > 1 or array.dtype.kind == "f")
    return probabilities_of(array, owner).argmax(axis=-1) if scores else labels_of(array, owner, "y_pred")


def of_model(model: Model, x: Data, y: Tensor | None, owner: str) -> Iterator[tuple[Tensor, np.ndarray, np.ndarray]]:
    """(inputs, labels, outputs) of a model, at once for arrays, batch by batch for a dataset of pairs.

    Without `y`, a tuple is a pair of arrays `(x, y)`, as for `validation_data`.
    """
    if y is None and isinstance(x, tuple) and len(x) == 2 and border.is_array(x[1]):
        x, y = x
    if y is not None:
        yield x, labels_of(y, owner, "y"), border.to_numpy(model.predict(x, verbose=0), owner, "predictions")
        return
    if border.is_array(x) or not isinstance(x, Iterable):
        raise ValueError(f"{owner}: labels are required: pass y, or a dataset of pairs (x, y). Received: y=None.")
    for part in x:
        inputs, labels, _ = unpack_x_y_sample_weight(part)
        if labels is None:
            raise ValueError(f"{owner}: each batch of the dataset must be a pair (x, y). Received: only x.")
        outputs = border.to_numpy(model.predict_on_batch(inputs), owner, "predictions")
        yield inputs, labels_of(labels, owner, "y"), outputs


def name_of(label: int, names: Names) -> str:
    """The name of a class; its index if it has none."""
    if names is None:
        return str(label)
    if isinstance(names, Mapping):
        return str(names.get(label, label))
    return str(names[label]) if label < len(names) else str(label)
