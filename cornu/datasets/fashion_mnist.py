"""Fashion-MNIST: 70,000 images of clothing, in MNIST's file format."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from cornu.datasets.partition import Table
from cornu.datasets.published import fetched
from cornu.errors import DamagedFileError

__all__ = ["load_data"]

_BYTES = 8  # the code of uint8 in a header
_MOST_PACKED = 1100  # the maximum compression ratio of gzip


def load_data() -> tuple[Table, Table]:
    """Load grayscale images of clothing: 60,000 for training and 10,000 for testing.

    The labels are 0 T-shirt or top, 1 trousers, 2 pullover, 3 dress, 4 coat, 5 sandal, 6 shirt, 7 sneaker, 8 bag and
    9 ankle boot. The files are stored in `~/.keras/datasets/fashion-mnist`.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images of shape `(n, 28, 28)`, uint8 from 0 to 255, and labels, uint8 of
        shape `(n,)`.

    Raises:
        OSError: if a file is missing and cannot be downloaded.

    Example:

        (x_train, y_train), (x_test, y_test) = cornu.datasets.fashion_mnist.load_data()
        print(x_train.shape, x_test.shape)  # (60000, 28, 28) (10000, 28, 28)

    Reference:
        [Xiao et al., 2017](https://arxiv.org/abs/1708.07747)
    """
    return _part("train"), _part("t10k")


def _part(name: str) -> Table:
    labels, images = (
        fetched(f"fashion_mnist/{name}-{kind}", subfolder="datasets/fashion-mnist") for kind in ("labels", "images")
    )
    x, y = _idx(images, 3), _idx(labels, 1)
    if len(x) != len(y):
        raise DamagedFileError(f"{images} holds {len(x)} images, and {labels} {len(y)} labels.")
    return x, y


def _idx(path: Path, rank: int) -> np.ndarray:
    """The array of a gzipped IDX file: two zeros, the dtype, the rank, the sizes in 4 bytes each, the values."""
    start = 4 + 4 * rank
    try:
        with gzip.open(path) as file:
            header = file.read(start)
            shape = tuple(int.from_bytes(header[at : at + 4], "big") for at in range(4, start, 4))
            size = math.prod(shape)
            if header[:4] != bytes((0, 0, _BYTES, rank)) or size > _MOST_PACKED * path.stat().st_size:
                raise DamagedFileError(f"{path} is not an IDX file of bytes with {rank} axes, or declares too many.")
            values = file.read(size)
            complete = len(values) == size and not file.read(1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DamagedFileError(f"{path} is damaged: {error}") from error
    if not complete:
        raise DamagedFileError(f"{path} does not contain the {size} values that it declares.")
    return np.frombuffer(bytearray(values), np.uint8).reshape(shape)
