"""IMDB: 50,000 film reviews as word numbers, half of them in favour of the film and half against it."""

import os

import numpy as np

from cornu.datasets import partition, word_numbers

__all__ = ["get_word_index", "load_data"]


def load_data(
    path: str | os.PathLike = "imdb.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int | None = 3,
) -> tuple[partition.Table, partition.Table]:
    """Film reviews as lists of word numbers, 25,000 to train with and 25,000 to test with.

    A word's number is its rank by frequency plus `index_from`; 0 is free for padding.

    Args:
        path: name under which the file is kept in `~/.keras/datasets`, or a place of its own.
        num_words: words from this number on are left out; None leaves out the last one there is, as in Keras.
        skip_top: words below this number are left out, the start of a text among them.
        maxlen: reviews of so many words or more are left out; None for no bound.
        seed: of the order of the reviews.
        start_char: number before each review; None for none.
        oov_char: number in the place of words that are left out; None for none.
        index_from: how much is added to each word's rank.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: arrays of lists of word numbers, and int64 labels of shape `(n,)`, 1 for
        a review in favour.

    Raises:
        OSError: when the file is not there and cannot be downloaded.
        ValueError: when no review is shorter than `maxlen`.

    Example:

        (x_train, y_train), _ = cornu.datasets.imdb.load_data(num_words=10_000)
        print(cornu.utils.pad_sequences(x_train, maxlen=200).shape)  # (25000, 200)

    Reference:
        [Maas et al., 2011](https://ai.stanford.edu/~amaas/data/sentiment)
    """
    owner = "imdb.load_data"
    x_train, y_train, x_test, y_test = partition.stored(
        "imdb", path, ("x_train", "y_train", "x_test", "y_test"), objects=True
    )
    random = np.random.RandomState(seed)
    parts = []
    for x, y in ((x_train, y_train), (x_test, y_test)):
        rows = partition.order(len(x), random)
        texts = word_numbers.texts_of(x, owner)[rows]
        parts.append(word_numbers.marked(texts, y[rows], maxlen, start_char, index_from, owner))
    (train, y_train), (test, y_test) = parts
    texts = word_numbers.bounded(train + test, num_words, skip_top, oov_char)
    x_train, x_test = (word_numbers.as_array(part) for part in (texts[: len(train)], texts[len(train) :]))
    return (x_train, y_train), (x_test, y_test)


def get_word_index(path: str | os.PathLike = "imdb_word_index.json") -> dict[str, int]:
    """The rank of each word of the reviews by frequency, 1 for the most frequent.

    Args:
        path: name under which the file is kept in `~/.keras/datasets`, or a place of its own.

    Raises:
        OSError: when the file is not there and cannot be downloaded.

    Example:

        (x_train, _), _ = cornu.datasets.imdb.load_data()
        words = {rank + 3: word for word, rank in cornu.datasets.imdb.get_word_index().items()}
        print(" ".join(words.get(number, "?") for number in x_train[0]))
    """
    return word_numbers.ranks("imdb/words", path)
