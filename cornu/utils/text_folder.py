"""A directory of text files as a dataset."""

import os
from collections.abc import Sequence

import numpy as np

from cornu import validate
from cornu.data import Dataset
from cornu.utils import labelled_files

__all__ = ["text_dataset_from_directory"]

_OWNER = "text_dataset_from_directory"
_ENDINGS = (".txt",)


def text_dataset_from_directory(
    directory: str | os.PathLike[str],
    labels: object = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    batch_size: int | None = 32,
    max_length: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    format: str = "tf",
    verbose: bool = True,
) -> Dataset | list[Dataset]:
    """A dataset of the text files (.txt, UTF-8) in a directory, whose subdirectories are the classes.

    Args:
        directory: path of the directory.
        labels: `"inferred"` from the subdirectories, a list of labels in the order of the sorted paths, or None for
            none.
        label_mode: `"int"` for int32 of shape `(batch,)`, `"categorical"` for float32 of shape `(batch, classes)`,
            `"binary"` for float32 of shape `(batch, 1)`, 0 or 1, or None for none.
        class_names: the subdirectories to use, in the order of their labels; None uses all, in alphabetical order.
        batch_size: number of texts in a batch; None yields single ones. Defaults to 32.
        max_length: number of bytes of UTF-8 to which texts are truncated; None for no limit.
        shuffle: whether to shuffle the texts in each epoch; otherwise they are sorted by path. Defaults to True.
        seed: seed of the shuffling; None draws one from NumPy's global generator.
        validation_split: fraction of the texts, the last ones after shuffling, reserved for validation. None by
        default.
        subset: `"training"`, `"validation"`, or `"both"` for a list of both datasets. Needs
            `validation_split`; None by default.
        follow_links: whether to follow symbolic links to subdirectories. Defaults to False.
        format: must be `"tf"`, Keras's default: the result is a `cornu.data.Dataset`.
        verbose: whether to print the number of files. Defaults to True.

    Returns:
        A dataset of texts of shape `(batch,)`, or of pairs with labels. Its `class_names` and `file_paths` attributes
        list what was found.

    Raises:
        FileNotFoundError: if the directory does not exist.
        ValueError: if it contains no text files, or the arguments are inconsistent.

    Example:

        import os, pathlib

        for name, text in (("neg/1.txt", "what a bore"), ("pos/1.txt", "what a film")):
            os.makedirs(os.path.dirname(name))
            pathlib.Path(name).write_text(text)
        data = cornu.utils.text_dataset_from_directory(".", shuffle=False, verbose=False)
        for texts, labels in data:
            print(texts, labels, data.class_names)  # ['what a bore' 'what a film'] [0 1] ['neg', 'pos']
    """
    validate.one_of(format, ("tf",), "format", _OWNER)
    longest = None if max_length is None else validate.positive_int(max_length, "max_length", _OWNER)

    def read(path: str) -> np.ndarray:
        with open(path, "rb") as file:
            content = file.read(-1 if longest is None else longest + 1)
        if longest is None or len(content) <= longest:
            return np.asarray(content.decode())
        return np.asarray(content[:longest].decode(errors="ignore"))  # a character that is cut in two is dropped

    asked = labelled_files.Request(
        _OWNER, "text files", _ENDINGS, directory, labels, label_mode, class_names, batch_size, shuffle, seed,
        validation_split, subset, follow_links, verbose,
    )  # fmt: skip
    return labelled_files.datasets(asked, read)
