"""CIFAR-10: 60,000 small photographs in ten classes."""

import numpy as np

from cornu.datasets import cifar
from cornu.datasets.partition import Table
from cornu.datasets.published import fetched

__all__ = ["load_data"]

_BATCHES = 5


def load_data() -> tuple[Table, Table]:
    """Load small color photographs: 50,000 for training and 10,000 for testing.

    The labels are 0 airplane, 1 automobile, 2 bird, 3 cat, 4 deer, 5 dog, 6 frog, 7 horse, 8 ship and 9 truck.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images of shape `(n, 32, 32, 3)`, or `(n, 3, 32, 32)` if
        `config.image_data_format()` is "channels_first", uint8 from 0 to 255, and labels, uint8 of shape `(n, 1)`.

    Raises:
        OSError: if the files are missing and cannot be downloaded.

    Example:

        (x_train, y_train), (x_test, y_test) = cornu.datasets.cifar10.load_data()
        print(x_train.shape, y_train.shape)  # (50000, 32, 32, 3) (50000, 1)

    Reference:
        [Krizhevsky, 2009](https://www.cs.toronto.edu/~kriz/cifar.html)
    """
    folder = fetched("cifar10") / "cifar-10-batches-py"
    parts = [cifar.batch(folder / f"data_batch_{number}", "labels") for number in range(1, _BATCHES + 1)]
    x_train, y_train = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    x_test, y_test = cifar.batch(folder / "test_batch", "labels")
    return (cifar.in_order(x_train), y_train.astype("uint8")), (cifar.in_order(x_test), y_test.astype("uint8"))
