"""Boston housing: prices of houses around Boston in the 1970s, by features of their neighborhoods."""

import os

from cornu.datasets import partition

__all__ = ["load_data"]


def load_data(
    path: str | os.PathLike[str] = "boston_housing.npz", test_split: float = 0.2, seed: int = 113
) -> tuple[partition.Table, partition.Table]:
    """Load 13 features of each of 506 neighborhoods, and the median price of a house there.

    One of the features is about race, and its authors' premises are disputed: use `california_housing` if you need a
    regression dataset.

    Args:
        path: file name in `~/.keras/datasets`, or an absolute path. Defaults to `"boston_housing.npz"`.
        test_split: fraction of the rows in the test set, in `[0, 1)`. Defaults to 0.2.
        seed: seed of the shuffling. Defaults to 113.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: float64 of shapes `(n, 13)` and `(n,)`; prices in thousands of dollars.

    Raises:
        OSError: if the file is missing and cannot be downloaded.

    Example:

        (x_train, y_train), (x_test, y_test) = cornu.datasets.boston_housing.load_data()
        print(x_train.shape, x_test.shape)  # (404, 13) (102, 13)

    Reference:
        Harrison and Rubinfeld, "Hedonic prices and the demand for clean air", 1978.
    """
    return partition.table("boston_housing", path, test_split, seed)
