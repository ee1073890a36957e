"""`tensorflow.keras.preprocessing.text`: texts as sequences of word indices, as in Keras 2."""

import collections
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from cornu.core.typing import AnyFunction

__all__ = ["Tokenizer", "hashing_trick", "one_hot", "text_to_word_sequence", "tokenizer_from_json"]

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
_MODES = ("binary", "count", "freq", "tfidf")


def text_to_word_sequence(input_text: str, filters: str = FILTERS, lower: bool = True, split: str = " ") -> list[str]:
    """The words of a text.

    Args:
        input_text: the text.
        filters: characters that are taken for `split`.
        lower: whether the text is made lower case.
        split: what stands between words.

    Example:

        text_to_word_sequence("Plum, fig!")  # ["plum", "fig"]
    """
    text = input_text.lower() if lower else input_text
    return [word for word in text.translate({ord(sign): split for sign in filters}).split(split) if word]


def hashing_trick(
    text: str,
    n: int,
    hash_function: Any = None,
    filters: str = FILTERS,
    lower: bool = True,
    split: str = " ",
    analyzer: AnyFunction | None = None,
) -> list[int]:
    """The words of a text as numbers from 1 to `n - 1`, of which several words may share one.

    Args:
        text: the text.
        n: one more than the largest number.
        hash_function: function from a word to an int; None is Python's `hash`, which differs from run to run, and
            "md5" one that does not.
        filters: characters that are taken for `split`.
        lower: whether the text is made lower case.
        split: what stands between words.
        analyzer: function from the text to its words, in place of the last three.
    """
    number = hash if hash_function is None else _md5 if hash_function == "md5" else hash_function
    words = text_to_word_sequence(text, filters, lower, split) if analyzer is None else analyzer(text)
    return [number(word) % (n - 1) + 1 for word in words]


def _md5(word: str) -> int:
    return int(hashlib.md5(word.encode(), usedforsecurity=False).hexdigest(), 16)


def one_hot(
    input_text: str,
    n: int,
    filters: str = FILTERS,
    lower: bool = True,
    split: str = " ",
    analyzer: AnyFunction | None = None,
) -> list[int]:
    """`hashing_trick` by Python's `hash`; the name is Keras's, the result has no ones and zeros."""
    return hashing_trick(input_text, n, hash, filters, lower, split, analyzer)


class Tokenizer:
    """Numbers the words of texts by how often they come, the commonest first, from 1.

    Args:
        num_words: one more than the largest number that is used; None for no limit.
        filters: characters that are taken for `split`.
        lower: whether texts are made lower case.
        split: what stands between words.
        char_level: whether every character is a word.
        oov_token: what stands, with number 1, for words that are not known; None leaves them out.
        analyzer: function from a text to its words, in place of `filters`, `lower` and `split`.

    Example:

        tokenizer = Tokenizer(num_words=10)
        tokenizer.fit_on_texts(["plum fig plum", "oak plum"])
        tokenizer.texts_to_sequences(["plum oak"])  # [[1, 3]]
    """

    def __init__(
        self,
        num_words: int | None = None,
        filters: str = FILTERS,
        lower: bool = True,
        split: str = " ",
        char_level: bool = False,
        oov_token: str | None = None,
        analyzer: AnyFunction | None = None,
        **kwargs: Any,
    ):
        self.document_count = kwargs.pop("document_count", 0)
        kwargs.pop("nb_words", None)  # Keras 2 accepts it as the older name of num_words
        if kwargs:
            raise TypeError(f"Tokenizer: unknown argument {next(iter(kwargs))!r}.")
        self.num_words, self.filters, self.lower, self.split = num_words, filters, lower, split
        self.char_level, self.oov_token, self.analyzer = char_level, oov_token, analyzer
        self.word_counts: dict[str, int] = collections.OrderedDict()
        self.word_docs: dict[str, int] = collections.defaultdict(int)
        self.index_docs: dict[int, int] = collections.defaultdict(int)
        self.word_index: dict[str, int] = {}
        self.index_word: dict[int, str] = {}

    def fit_on_texts(self, texts: Iterable[str | Sequence[str]]) -> None:
        """Count the words of texts: strings, or lists of words."""
        for text in texts:
            words = self._words(text)
            self.document_count += 1
            for word in words:
                self.word_counts[word] = self.word_counts.get(word, 0) + 1
            for word in dict.fromkeys(words):
                self.word_docs[word] += 1
        self._number_words()

    def _number_words(self) -> None:
        known = sorted(self.word_counts, key=lambda word: -self.word_counts[word])
        ordered = known if self.oov_token is None else [self.oov_token, *known]
        self.word_index = {word: number for number, word in enumerate(ordered, start=1)}
        self.index_word = {number: word for word, number in self.word_index.items()}
        for word, count in self.word_docs.items():
            self.index_docs[self.word_index[word]] = count

    def _words(self, text: Any) -> list[str]:
        if self.char_level or isinstance(text, list):
            lowered = (item.lower() for item in text) if self.lower else text
            return list(lowered)
        if self.analyzer is not None:
            return self.analyzer(text)
        return text_to_word_sequence(text, self.filters, self.lower, self.split)

    def fit_on_sequences(self, sequences: Iterable[Iterable[int]]) -> None:
        """Count numbers of words instead of words; needed only before `sequences_to_matrix`."""
        for sequence in sequences:
            self.document_count += 1
            for number in set(sequence):
                self.index_docs[number] += 1

    def texts_to_sequences(self, texts: Iterable[str | Sequence[str]]) -> list[list[int]]:
        """Each text as a list of numbers; words that are not known, or too rare, are left out or `oov_token`'s."""
        return list(self.texts_to_sequences_generator(texts))

    def texts_to_sequences_generator(self, texts: Iterable[str | Sequence[str]]) -> Iterator[list[int]]:
        """What `texts_to_sequences` returns, one after the other."""
        unknown = None if self.oov_token is None else self.word_index.get(self.oov_token)
        for text in texts:
            numbers = (self._within(self.word_index.get(word), unknown) for word in self._words(text))
            yield [number for number in numbers if number is not None]

    def _within(self, number: int | None, unknown: int | None) -> int | None:
        return unknown if number is None or (self.num_words and number >= self.num_words) else number

    def sequences_to_texts(self, sequences: Iterable[Iterable[int]]) -> list[str]:
        """Texts again, with a space between words."""
        return list(self.sequences_to_texts_generator(sequences))

    def sequences_to_texts_generator(self, sequences: Iterable[Iterable[int]]) -> Iterator[str]:
        """What `sequences_to_texts` returns, one after the other."""
        unknown = None if self.oov_token is None else self.oov_token
        for sequence in sequences:
            words = (
                unknown if self.num_words and number >= self.num_words else self.index_word.get(number, unknown)
                for number in sequence
            )
            yield " ".join(word for word in words if word is not None)

    def texts_to_matrix(self, texts: Iterable[str | Sequence[str]], mode: str = "binary") -> np.ndarray:
        """One row for each text, one column for each number of a word (see `sequences_to_matrix`)."""
        return self.sequences_to_matrix(self.texts_to_sequences(texts), mode)

    def sequences_to_matrix(self, sequences: Sequence[Sequence[int]], mode: str = "binary") -> np.ndarray:
        """One row for each sequence, one column for each number.

        Args:
            sequences: lists of numbers.
            mode: "binary" (whether the word is there), "count", "freq" (its share of the row) or "tfidf".
        """
        if not self.num_words and not self.word_index:
            raise ValueError(
                "Tokenizer: give num_words, or call fit_on_texts() first: the number of columns is not known."
            )
        if mode not in _MODES:
            raise ValueError(f"Tokenizer: mode must be one of {', '.join(_MODES)}. Received: mode={mode!r}.")
        if mode == "tfidf" and not self.document_count:
            raise ValueError("Tokenizer: call fit_on_texts() or fit_on_sequences() before mode='tfidf'.")
        width = self.num_words or len(self.word_index) + 1
        matrix = np.zeros((len(sequences), width))
        for row, sequence in zip(matrix, sequences, strict=True):
            for number, count in collections.Counter(n for n in sequence if n < width).items():
                row[number] = self._entry(mode, number, count, len(sequence))
        return matrix

    def _entry(self, mode: str, number: int, count: int, length: int) -> float:
        if mode == "tfidf":
            documents = self.index_docs.get(number, 0)
            return (1 + np.log(count)) * np.log(1 + self.document_count / (1 + documents))
        return {"binary": 1.0, "count": count, "freq": count / length}[mode]

    def get_config(self) -> dict[str, object]:
        """Arguments and counts, the latter as JSON."""
        kept = ("num_words", "filters", "lower", "split", "char_level", "oov_token", "document_count")
        counts = ("word_counts", "word_docs", "index_docs", "index_word", "word_index")
        return {name: getattr(self, name) for name in kept} | {name: json.dumps(getattr(self, name)) for name in counts}

    def to_json(self, **kwargs: Any) -> str:
        """The tokenizer as JSON, for `tokenizer_from_json`; `kwargs` go to `json.dumps`."""
        return json.dumps({"class_name": type(self).__name__, "config": self.get_config()}, **kwargs)


def tokenizer_from_json(json_string: str) -> Tokenizer:
    """The tokenizer that `to_json` wrote."""
    config = json.loads(json_string)["config"]
    read = {name: json.loads(config.pop(name)) for name in ("word_counts", "word_docs", "word_index")}
    numbered = {
        name: {int(number): value for number, value in json.loads(config.pop(name)).items()}
        for name in ("index_docs", "index_word")
    }
    tokenizer = Tokenizer(**config)
    for name, value in {**read, **numbered}.items():
        setattr(tokenizer, name, value)
    return tokenizer
