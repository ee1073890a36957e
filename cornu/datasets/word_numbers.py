"""Texts as lists of word numbers, a word's number being its rank by frequency: how they are prepared, and the ranks."""

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
    """Texts with their words moved and their start marked, without those that are too long, and the labels of the rest.

    Args:
        texts: lists of ranks, 1 for the most frequent word.
        labels: one a text.
        maxlen: texts of so many words or more are left out; None for no bound.
        start_char: number that is put before each text; None for none.
        index_from: how much is added to each rank, so that low numbers are free for marks; None for nothing.
        owner: what messages name.

    Raises:
        ValueError: when no text stays.
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
        rows: lists of word numbers.
        num_words: words from this number on are left out; None leaves out the last one there is, as in Keras.
        skip_top: words below this number are left out.
        oov_char: number that takes the place of a word that is left out; None for none.
    """
    end = num_words or max(map(max, filter(None, rows)), default=0)
    if oov_char is None:
        return [[word for word in row if skip_top <= word < end] for row in rows]
    return [[word if skip_top <= word < end else oov_char for word in row] for row in rows]


def as_array(rows: list[list[int]]) -> np.ndarray:
    """Lists in an array of objects; as in Keras, lists of one length are its rows."""
    return np.array(rows, dtype="object")


def texts_of(array: np.ndarray, name: str) -> np.ndarray:
    """An array of a file, which must hold lists of whole numbers."""
    if array.ndim != 1 or not all(isinstance(text, list) and set(map(type, text)) <= {int} for text in array):
        raise DamagedFileError(f"The file of {name} does not hold lists of word numbers.")
    return array


def ranks(name: str, path: str | os.PathLike) -> dict[str, int]:
    """The rank of each word, from a published file of JSON."""
    file = fetched(name, path)
    content = file.read_bytes()
    with budget.load(len(content)):
        words = plain_json.parsed(content, str(file))
    if set(map(type, words.values())) - {int}:
        raise DamagedFileError(f"{file} does not hold a number for each word.")
    return words
