"""MNIST: 70,000 handwritten digits."""

import os

from cornu.datasets.partition import Table, stored

__all__ = ["load_data"]


def load_data(path: str | os.PathLike[str] = "mnist.npz") -> tuple[Table, Table]:
    """Load grayscale images of handwritten digits: 60,000 for training and 10,000 for testing.

    Args:
        path: file name in `~/.keras/datasets`, or an absolute path. Defaults to `"mnist.npz"`.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images of shape `(n, 28, 28)`, uint8 from 0 (background) to 255, and the
        digits, uint8 of shape `(n,)`.

    Raises:
        OSError: if the file is missing and cannot be downloaded.

    Example:

        (x_train, y_train), (x_test, y_test) = cornu.datasets.mnist.load_data()
        print(x_train.shape, x_test.shape)  # (60000, 28, 28) (10000, 28, 28)

    Reference:
        LeCun et al., "Gradient-based learning applied to document recognition", 1998.
    """
    x_train, y_train, x_test, y_test = stored("mnist", path, ("x_train", "y_train", "x_test", "y_test"))
    return (x_train, y_train), (x_test, y_test)
