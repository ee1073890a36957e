"""Labels and vectors as NumPy arrays."""

import numpy as np

from cornu.core.tracebacks import filtered


@filtered
def to_categorical(x: object, num_classes: int | None = None) -> np.ndarray:
    """Class indices as one-hot rows.

    Args:
        x: integers from 0 to `num_classes` - 1; a last axis of size 1 is dropped.
        num_classes: number of classes; the largest number plus 1 by default.

    Returns:
        Array of shape `(*x.shape, num_classes)`.

    Example:

        print(cornu.utils.to_categorical([0, 2], 3))  # [[1. 0. 0.] [0. 0. 1.]]
    """
    labels = np.asarray(x)
    if labels.dtype.kind in "USO" and any(isinstance(label, (str, bytes)) for label in labels.flat):
        raise ValueError(
            f"to_categorical: labels must be class numbers. Received: text, such as {str(labels.flat[0])!r:.50}. "
            "Number the classes first: names, y = np.unique(y, return_inverse=True)."
        )
    labels = labels.astype("int64")
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    classes = int(labels.max()) + 1 if num_classes is None else int(num_classes)
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(
            f"to_categorical: labels must be from 0 to {classes - 1}. Received: {labels.min()} to {labels.max()}."
        )
    return np.eye(classes, dtype="float32")[labels]


def normalize(x: object, axis: int = -1, order: int = 2) -> np.ndarray:
    """`x` divided by its norm of the given order along an axis; zero vectors stay zero.

    Args:
        x: array of any shape.
        axis: the axis along which the norm is taken. Defaults to -1.
        order: order of the norm. Defaults to 2.

    Example:

        print(cornu.utils.normalize(np.array([[3.0, 4.0]])))  # [[0.6 0.8]]
    """
    array = np.asarray(x)
    norm = np.atleast_1d(np.linalg.norm(array, order, axis))
    norm[norm == 0] = 1
    return array / np.expand_dims(norm, axis)
