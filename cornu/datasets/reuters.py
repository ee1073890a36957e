"""Reuters: 11,228 newswires as word indices, in 46 topics."""

import os

from cornu.datasets import partition, word_numbers

__all__ = ["get_label_names", "get_word_index", "load_data"]

_TOPICS = (
    "cocoa", "grain", "veg-oil", "earn", "acq", "wheat", "copper", "housing", "money-supply", "coffee", "sugar",
    "trade", "reserves", "ship", "cotton", "carcass", "crude", "nat-gas", "cpi", "money-fx", "interest", "gnp",
    "meal-feed", "alum", "oilseed", "gold", "tin", "strategic-metal", "livestock", "retail", "ipi", "iron-steel",
    "rubber", "heat", "jobs", "lei", "bop", "zinc", "orange", "pet-chem", "dlr", "gas", "silver", "wpi", "hog", "lead",
)  # fmt: skip


def load_data(
    path: str | os.PathLike[str] = "reuters.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    test_split: float = 0.2,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int | None = 3,
) -> tuple[partition.Table, partition.Table]:
    """Load newswires as lists of word indices, and their topics.

    A word's index is its rank by frequency plus `index_from`; 0 is reserved for padding.

    Args:
        path: file name in `~/.keras/datasets`, or an absolute path. Defaults to `"reuters.npz"`.
        num_words: words with this index or a higher one are omitted; None omits only the highest one, as in Keras.
        skip_top: words with a lower index are omitted, including the start marker. Defaults to 0.
        maxlen: wires with this many words or more are omitted; None for no limit.
        test_split: fraction of the wires in the test set. Defaults to 0.2.
        seed: seed of the shuffling. Defaults to 113.
        start_char: index that marks the start of each wire, or None. Defaults to 1.
        oov_char: index that replaces omitted words; None removes them. Defaults to 2.
        index_from: offset added to each word's rank. Defaults to 3.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: arrays of lists of word indices, and int64 topics of shape `(n,)`, whose
        names are returned by `get_label_names`.

    Raises:
        OSError: if the file is missing and cannot be downloaded.
        ValueError: if no wire is shorter than `maxlen`.

    Example:

        (x_train, y_train), (x_test, y_test) = cornu.datasets.reuters.load_data()
        print(len(x_train), len(x_test))  # 8982 2246
    """
    owner = "reuters.load_data"
    x, y = partition.stored("reuters", path, ("x", "y"), objects=True)
    x, y = partition.shuffled(word_numbers.texts_of(x, owner), y, seed)
    rows, labels = word_numbers.marked(x, y, maxlen, start_char, index_from, owner)
    texts = word_numbers.bounded(rows, num_words, skip_top, oov_char)
    count = partition.to_train_with(len(texts), test_split)
    x_train, x_test = (word_numbers.as_array(part) for part in (texts[:count], texts[count:]))
    return (x_train, labels[:count]), (x_test, labels[count:])


def get_word_index(path: str | os.PathLike[str] = "reuters_word_index.json") -> dict[str, int]:
    """Return the frequency rank of each word of the wires, 1 for the most frequent.

    Args:
        path: file name in `~/.keras/datasets`, or an absolute path. Defaults to `"reuters_word_index.json"`.

    Raises:
        OSError: if the file is missing and cannot be downloaded.

    Example:

        words = cornu.datasets.reuters.get_word_index()
        print(words["the"])  # 1
    """
    return word_numbers.ranks("reuters/words", path)


def get_label_names() -> tuple[str, ...]:
    """Return the names of the topics, in the order of the labels.

    Example:

        print(cornu.datasets.reuters.get_label_names()[3])  # earn
    """
    return _TOPICS
