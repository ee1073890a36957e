"""Boston housing: prices of houses around Boston in the 1970s, by what is known of their neighbourhoods."""

import os

from cornu.datasets import partition

__all__ = ["load_data"]


def load_data(
    path: str | os.PathLike = "boston_housing.npz", test_split: float = 0.2, seed: int = 113
) -> tuple[partition.Table, partition.Table]:
    """13 numbers about each of 506 neighbourhoods, and the median price of a house there.

    One of the numbers is a figure about race, and its authors' premises are disputed: take `california_housing` where
    it has to be a table of prices.

    Args:
        path: name under which the file is kept in `~/.keras/datasets`, or a place of its own.
        test_split: fraction of the rows to test with, from 0 up to, but not including, 1.
        seed: of the order of the rows.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: float64 of shapes `(n, 13)` and `(n,)`; prices in thousands of dollars.

    Raises:
        OSError: when the file is not there and cannot be downloaded.

    Example:

        (x_train, y_train), (x_test, y_test) = cornu.datasets.boston_housing.load_data()
        print(x_train.shape, x_test.shape)  # (404, 13) (102, 13)

    Reference:
        Harrison and Rubinfeld, "Hedonic prices and the demand for clean air", 1978.
    """
    return partition.table("boston_housing", path, test_split, seed)
