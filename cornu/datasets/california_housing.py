"""California housing: prices of houses in the census of 1990, by features of their neighborhoods."""

import os

from cornu import validate
from cornu.datasets import partition

__all__ = ["load_data"]

_VERSIONS = {"large": None, "small": 600}  # number of rows of the file


def load_data(
    version: str = "large",
    path: str | os.PathLike[str] = "california_housing.npz",
    test_split: float = 0.2,
    seed: int = 113,
) -> tuple[partition.Table, partition.Table]:
    """Load 8 features of each of 20,640 neighborhoods, and the median price of a house there.

    Args:
        version: `"large"` for all rows, `"small"` for 600.
        path: file name in `~/.keras/datasets`, or an absolute path. Defaults to `"california_housing.npz"`.
        test_split: fraction of the rows in the test set, in `[0, 1)`. Defaults to 0.2.
        seed: seed of the shuffling. Defaults to 113.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: float32 of shapes `(n, 8)` and `(n,)`; prices in dollars.

    Raises:
        OSError: if the file is missing and cannot be downloaded.

    Example:

        (x_train, y_train), (x_test, y_test) = cornu.datasets.california_housing.load_data()
        print(x_train.shape, x_test.shape)  # (16512, 8) (4128, 8)

    Reference:
        Pace and Barry, "Sparse spatial autoregressions", 1997.
    """
    validate.one_of(version, tuple(_VERSIONS), "version", "california_housing.load_data")
    return partition.table("california_housing", path, test_split, seed, _VERSIONS[version])
