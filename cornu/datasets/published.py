"""The URLs and hashes of the published datasets.

They are stored where Keras stores them, in `datasets` under `$KERAS_HOME` or `~/.keras`, so that an existing file
serves both.
"""

import os
from pathlib import Path
from typing import NamedTuple

from cornu.utils.download import get_file

_STORE = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
_CIFAR = "https://www.cs.toronto.edu/~kriz/"


class Published(NamedTuple):
    """A file's URL, its hash if known, the local file name, and whether it is an archive."""

    origin: str
    file_hash: str | None = None
    fname: str | None = None
    extract: bool = False


FILES = {
    "boston_housing": Published(
        f"{_STORE}boston_housing.npz", "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5"
    ),
    "california_housing": Published(
        f"{_STORE}california_housing.npz", "1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f"
    ),
    "cifar10": Published(
        f"{_CIFAR}cifar-10-python.tar.gz",
        "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        "cifar-10-batches-py-target",
        extract=True,
    ),
    "cifar100": Published(
        f"{_CIFAR}cifar-100-python.tar.gz",
        "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
        "cifar-100-python-target",
        extract=True,
    ),
    "fashion_mnist/train-labels": Published(f"{_STORE}train-labels-idx1-ubyte.gz"),
    "fashion_mnist/train-images": Published(f"{_STORE}train-images-idx3-ubyte.gz"),
    "fashion_mnist/t10k-labels": Published(f"{_STORE}t10k-labels-idx1-ubyte.gz"),
    "fashion_mnist/t10k-images": Published(f"{_STORE}t10k-images-idx3-ubyte.gz"),
    "imdb": Published(f"{_STORE}imdb.npz", "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f"),
    "imdb/words": Published(f"{_STORE}imdb_word_index.json", "bfafd718b763782e994055a2d397834f"),
    "mnist": Published(f"{_STORE}mnist.npz", "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"),
    "reuters": Published(f"{_STORE}reuters.npz", "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916"),
    "reuters/words": Published(f"{_STORE}reuters_word_index.json", "4d44cc38712099c9e383dc6e5f11a921"),
}


def fetched(name: str, path: str | os.PathLike[str] | None = None, subfolder: str = "datasets") -> Path:
    """The path of a published file, or of the directory of an extracted archive, downloaded if missing.

    Args:
        name: its name in `FILES`.
        path: local file name, or an absolute path; None uses the published name.
        subfolder: subdirectory of Keras's directory.

    Raises:
        OSError: if it is missing and cannot be downloaded.
        ValueError: if the download does not match the published hash.
    """
    file = FILES[name]
    place = get_file(
        path if path is not None else file.fname or file.origin.rpartition("/")[2],
        file.origin,
        file_hash=file.file_hash,
        cache_subdir=subfolder,
        extract=file.extract,
    )
    return Path(place)
