"""Reuters: 11,228 news wires as word numbers, in 46 topics."""

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
    path: str | os.PathLike = "reuters.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    test_split: float = 0.2,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int | None = 3,
) -> tuple[partition.Table, partition.Table]:
    """News wires as lists of word numbers, and their topics.

    A word's number is its rank by frequency plus `index_from`; 0 is free for padding.

    Args:
        path: name under which the file is kept in `~/.keras/datasets`, or a place of its own.
        num_words: words from this number on are left out; None leaves out the last one there is, as in Keras.
        skip_top: words below this number are left out, the start of a text among them.
        maxlen: wires of so many words or more are left out; None for no bound.
        test_split: fraction of the wires to test with.
        seed: of the order of the wires.
        start_char: number before each wire; None for none.
        oov_char: number in the place of words that are left out; None for none.
        index_from: how much is added to each word's rank.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: arrays of lists of word numbers, and int64 topics of shape `(n,)`, whose
        names `get_label_names` has.

    Raises:
        OSError: when the file is not there and cannot be downloaded.
        ValueError: when no wire is shorter than `maxlen`.

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


def get_word_index(path: str | os.PathLike = "reuters_word_index.json") -> dict[str, int]:
    """The rank of each word of the wires by frequency, 1 for the most frequent.

    Args:
        path: name under which the file is kept in `~/.keras/datasets`, or a place of its own.

    Raises:
        OSError: when the file is not there and cannot be downloaded.

    Example:

        words = cornu.datasets.reuters.get_word_index()
        print(words["the"])  # 1
    """
    return word_numbers.ranks("reuters/words", path)


def get_label_names() -> tuple[str, ...]:
    """The names of the topics, in the order of the labels.

    Example:

        print(cornu.datasets.reuters.get_label_names()[3])  # earn
    """
    return _TOPICS
