"""IMDB: 50,000 film reviews as word indices, half of them positive and half negative."""

import os

import numpy as np

from cornu.datasets import partition, word_numbers

__all__ = ["get_word_index", "load_data"]


def load_data(
    path: str | os.PathLike[str] = "imdb.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int | None = 3,
) -> tuple[partition.Table, partition.Table]:
    """Load film reviews as lists of word indices, 25,000 for training and 25,000 for testing.

    A word's index is its rank by frequency plus `index_from`; 0 is reserved for padding.

    Args:
        path: file name in `~/.keras/datasets`, or an absolute path. Defaults to `"imdb.npz"`.
        num_words: words with this index or a higher one are omitted; None omits only the highest one, as in Keras.
        skip_top: words with a lower index are omitted, including the start marker. Defaults to 0.
        maxlen: reviews with this many words or more are omitted; None for no limit.
        seed: seed of the shuffling. Defaults to 113.
        start_char: index that marks the start of each review, or None. Defaults to 1.
        oov_char: index that replaces omitted words; None removes them. Defaults to 2.
        index_from: offset added to each word's rank. Defaults to 3.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: arrays of lists of word indices, and int64 labels of shape `(n,)`, 1 for
        a positive review.

    Raises:
        OSError: if the file is missing and cannot be downloaded.
        ValueError: if no review is shorter than `maxlen`.

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


def get_word_index(path: str | os.PathLike[str] = "imdb_word_index.json") -> dict[str, int]:
    """Return the frequency rank of each word of the reviews, 1 for the most frequent.

    Args:
        path: file name in `~/.keras/datasets`, or an absolute path. Defaults to `"imdb_word_index.json"`.

    Raises:
        OSError: if the file is missing and cannot be downloaded.

    Example:

        (x_train, _), _ = cornu.datasets.imdb.load_data()
        words = {rank + 3: word for word, rank in cornu.datasets.imdb.get_word_index().items()}
        print(" ".join(words.get(number, "?") for number in x_train[0]))
    """
    return word_numbers.ranks("imdb/words", path)
