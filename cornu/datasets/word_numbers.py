"""Preparation of texts as lists of word indices, which are ranks by frequency, and word ranks."""

import os

import numpy as np

from cornu.core import budget
from cornu.datasets.published import fetched
from cornu.errors import DamagedFileError
from cornu.saving import plain_json


def marked(
    texts: np.ndarray,
    labels: np.ndarray,
    maxlen: int | None,
    start_char: int | None,
    index_from: int | None,
    owner: str,
) -> tuple[list[list[int]], np.ndarray]:
    """Texts with offset words and a start marker, without those that are too long, and the labels of the rest.

    Args:
        texts: lists of ranks, 1 for the most frequent word.
        labels: one per text.
        maxlen: texts with this many words or more are omitted; None for no limit.
        start_char: index that is prepended to each text, or None.
        index_from: offset added to each rank, so that low indices are free for markers; None for no offset.
        owner: the caller, for error messages.

    Raises:
        ValueError: if no text remains.
    """
    start = [] if start_char is None else [start_char]
    shift = index_from or 0
    rows = [start + [rank + shift for rank in text] for text in texts]
    if not maxlen:
        return rows, labels
    kept = [place for place, row in enumerate(rows) if len(row) < maxlen]
    if not kept:
        raise ValueError(f"{owner}: every text has {maxlen} words or more, so maxlen={maxlen} leaves none.")
    return [rows[place] for place in kept], labels[kept]


def bounded(rows: list[list[int]], num_words: int | None, skip_top: int, oov_char: int | None) -> list[list[int]]:
    """Texts without their most and their least frequent words.

    Args:
        rows: lists of word indices.
        num_words: words with this index or a higher one are omitted; None omits only the highest one, as in Keras.
        skip_top: words with a lower index are omitted.
        oov_char: index that replaces omitted words; None removes them.
    """
    end = num_words or max(map(max, filter(None, rows)), default=0)
    if oov_char is None:
        return [[word for word in row if skip_top <= word < end] for row in rows]
    return [[word if skip_top <= word < end else oov_char for word in row] for row in rows]


def as_array(rows: list[list[int]]) -> np.ndarray:
    """Lists in an object array; as in Keras, lists of equal length become rows."""
    return np.array(rows, dtype="object")


def texts_of(array: np.ndarray, name: str) -> np.ndarray:
    """An array of a file, which must contain lists of integers."""
    if array.ndim != 1 or not all(isinstance(text, list) and set(map(type, text)) <= {int} for text in array):
        raise DamagedFileError(f"The file of {name} does not contain lists of word indices.")
    return array


def ranks(name: str, path: str | os.PathLike[str]) -> dict[str, int]:
    """The rank of each word, from a published JSON file."""
    file = fetched(name, path)
    content = file.read_bytes()
    with budget.load(len(content)):
        words = plain_json.parsed(content, str(file))
    if set(map(type, words.values())) - {int}:
        raise DamagedFileError(f"{file} does not contain a number for each word.")
    return words
