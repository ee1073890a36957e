"""California housing: prices of houses in the census of 1990, by what is known of their neighbourhoods."""

import os

from cornu import validate
from cornu.datasets import partition

__all__ = ["load_data"]

_VERSIONS = {"large": None, "small": 600}  # how many rows of the file


def load_data(
    version: str = "large",
    path: str | os.PathLike = "california_housing.npz",
    test_split: float = 0.2,
    seed: int = 113,
) -> tuple[partition.Table, partition.Table]:
    """8 numbers about each of 20,640 neighbourhoods, and the median price of a house there.

    Args:
        version: `"large"` for all rows, `"small"` for 600.
        path: name under which the file is kept in `~/.keras/datasets`, or a place of its own.
        test_split: fraction of the rows to test with, from 0 up to, but not including, 1.
        seed: of the order of the rows.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: float32 of shapes `(n, 8)` and `(n,)`; prices in dollars.

    Raises:
        OSError: when the file is not there and cannot be downloaded.

    Example:

        (x_train, y_train), (x_test, y_test) = cornu.datasets.california_housing.load_data()
        print(x_train.shape, x_test.shape)  # (16512, 8) (4128, 8)

    Reference:
        Pace and Barry, "Sparse spatial autoregressions", 1997.
    """
    validate.one_of(version, tuple(_VERSIONS), "version", "california_housing.load_data")
    return partition.table("california_housing", path, test_split, seed, _VERSIONS[version])
