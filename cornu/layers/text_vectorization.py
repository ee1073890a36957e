"""`TextVectorization`: documents as sequences of indices in a vocabulary of their words, or as vectors of counts."""

import re
import string
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from cornu import validate
from cornu.core import dtypes
from cornu.core.symbolic import KerasTensor
from cornu.core.typing import (
    AnyFunction,
    AnyList,
    AnyTuple,
    ArrayLike,
    Config,
    ConfigDict,
    Data,
    Nested,
    NestedShapes,
    Shape,
    Tensor,
)
from cornu.layers import host
from cornu.layers.category_counts import count_rows, mode_of
from cornu.layers.host import HostLayer, as_numpy, as_objects, as_texts, batches, refuse_sparse
from cornu.layers.index_lookup import LOOKUP_MODES, without_path
from cornu.layers.string_lookup import StringLookup

__all__ = ["TextVectorization"]

# Letters beyond ASCII keep their case, and punctuation beyond ASCII is kept: as in Keras, whose files depend on it.
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_STRIP = str.maketrans("", "", string.punctuation)
_STANDARDS = {"lower_and_strip_punctuation": _LOWER | _STRIP, "lower": _LOWER, "strip_punctuation": _STRIP}
_SPLITS: dict[str, Callable[[str], list[str]]] = {
    "whitespace": re.compile(r"[^ \t\n\r\f\v]+").findall,
    "character": list,
}


class TextVectorization(HostLayer):
    """Turns documents into sequences of indices, or into one vector each: standardizes, splits and looks up.

    It runs on the host: before the model, in a data pipeline, or as a model's first layer, which then processes each
    batch before the compiled part of the model runs.

    Args:
        max_tokens: maximum size of a vocabulary learned by `adapt`, including special tokens; None for no limit.
        standardize: "lower", "strip_punctuation", "lower_and_strip_punctuation" (ASCII letters and punctuation), None,
            or a function from an array of strings to one of the same shape. Defaults to
            `"lower_and_strip_punctuation"`.
        split: "whitespace", "character", None for inputs that are already split, or a function from an array of n
            strings to n lists of tokens. Defaults to `"whitespace"`.
        ngrams: maximum number of consecutive tokens to combine into one, or a tuple of such numbers; None for single
        tokens.
        output_mode: "int" for indices, of which 0 is padding and 1 an unknown token; "multi_hot", "count" or "tf_idf"
            for one vector per document; "one_hot" for one vector per token. Defaults to `"int"`.
        output_sequence_length: length to which sequences of indices are padded or truncated; None uses the longest
            one's, so that a model that starts with this layer is recompiled for each length.
        pad_to_max_tokens: whether vectors have the length `max_tokens` rather than that of the vocabulary. Defaults
            to False.
        vocabulary: the tokens, or the path of a file with one per line; None leaves it to `adapt`.
        idf_weights: with a vocabulary and "tf_idf", the weight of an occurrence of each token. None by default.
        sparse: must be False.
        ragged: must be False.
        encoding: encoding of strings that are given as bytes. Defaults to `"utf-8"`.
        name: name.

    Input shape:
        `(batch,)` or `(batch, 1)`; with `split=None` `(batch, tokens)`.

    Output shape:
        `(batch, length)` for "int", `(batch, length, depth)` for "one_hot", `(batch, depth)` otherwise.

    Example:

        layer = cornu.layers.TextVectorization(output_sequence_length=4)
        layer.adapt(["the cat sat", "the cat ran"])
        print(layer(["The cat ran!", "a dog"]))  # [[2 3 5 0] [1 1 0 0]]
    """

    pure_call = rowwise = takes_text = True

    def __init__(
        self,
        max_tokens: int | None = None,
        standardize: str | AnyFunction | None = "lower_and_strip_punctuation",
        split: str | AnyFunction | None = "whitespace",
        ngrams: int | Sequence[int] | None = None,
        output_mode: str = "int",
        output_sequence_length: int | None = None,
        pad_to_max_tokens: bool = False,
        vocabulary: object = None,
        idf_weights: object = None,
        sparse: bool = False,
        ragged: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        **kwargs: Any,
    ):
        size = kwargs.pop("vocabulary_size", None)
        super().__init__(name=name, **kwargs)
        self.max_tokens = max_tokens
        self.standardize = _named_or_callable(standardize, _STANDARDS, "standardize", self)
        self.split = _named_or_callable(split, _SPLITS, "split", self)
        self.ngrams = _checked_ngrams(ngrams, self)
        self.output_mode = output_mode = mode_of(output_mode, LOOKUP_MODES, self)
        self.output_sequence_length = output_sequence_length
        if output_sequence_length is not None:
            validate.positive_int(output_sequence_length, "output_sequence_length", self)
            if output_mode != "int":
                raise ValueError(
                    f'{validate.describe(self)}: output_sequence_length requires output_mode="int". '
                    f'Received: output_mode="{output_mode}".'
                )
        self.pad_to_max_tokens = bool(pad_to_max_tokens)
        self.sparse = refuse_sparse(sparse, self)
        if ragged and host.rows_of_any_length is None:
            raise ValueError(f"{validate.describe(self)}: only dense arrays are supported; ragged must be False.")
        self.ragged = bool(ragged)
        self.encoding = encoding
        self._lookup_layer = StringLookup(
            max_tokens, vocabulary=vocabulary, idf_weights=idf_weights, mask_token="", output_mode=output_mode,
            pad_to_max_tokens=pad_to_max_tokens, encoding=encoding, vocabulary_size=size, dtype=self.dtype_policy,
        )  # fmt: skip
        self._lookup_layer._described_as = validate.describe(self)

    def build(self, input_shape: NestedShapes = None) -> None:
        """Do nothing."""

    # ------------------------------------------------------------ calls

    def call(self, inputs: Tensor) -> np.ndarray:
        """Indices of tokens, or their vectors."""
        texts = as_texts(inputs, self.encoding, self)
        outer = self._outer_shape(texts.shape)
        documents = self._documents(texts)
        lengths = np.fromiter(map(len, documents), "int64", len(documents))
        indices = self._lookup_layer.indices(as_objects(list(chain.from_iterable(documents))))
        if self.ragged and self.output_mode == "int" and host.rows_of_any_length is not None:
            most = self.output_sequence_length or lengths.max(initial=0)
            kept = np.concatenate([np.arange(length) < most for length in lengths])
            return host.rows_of_any_length(indices[kept].astype(self._int_dtype), np.minimum(lengths, most))
        if self.output_mode in ("int", "one_hot"):
            padding = 0 if self.output_mode == "int" else -1
            table = _padded(indices, lengths, self.output_sequence_length, padding)
            if self.output_mode == "int":
                scalar = self.split is None and texts.ndim == 0 and table.shape == (1, 1)
                return table.reshape(() if scalar else (*outer, table.shape[1])).astype(self._int_dtype)
            vectors = table[..., None] == np.arange(self._lookup_layer.depth())
            return vectors.reshape(*outer, *vectors.shape[1:]).astype(self._lookup_layer.output_dtype)
        return self._vectors(indices, lengths, outer)

    def _vectors(self, indices: np.ndarray, lengths: np.ndarray, outer: AnyTuple) -> np.ndarray:
        """One vector for each document."""
        lookup = self._lookup_layer
        rows = np.repeat(np.arange(len(lengths)), lengths)
        counts = count_rows(rows, indices, (len(lengths), lookup.depth()))
        if self.output_mode == "multi_hot":
            counts = counts > 0
        vectors = counts.reshape(*outer, counts.shape[1]).astype(lookup.output_dtype)
        if self.output_mode == "tf_idf":
            return vectors * lookup.padded_idf().astype(vectors.dtype)
        return vectors

    def compute_output_spec(self, inputs: Nested) -> KerasTensor:
        """The symbolic output for symbolic texts."""
        outer = self._outer_shape(inputs.shape)
        known = self.split is None and self.ngrams is None and inputs.shape
        length = self.output_sequence_length or (inputs.shape[-1] if known else None)
        if self.output_mode == "int":
            return KerasTensor((*outer, length), self._int_dtype)
        tokens = (length,) if self.output_mode == "one_hot" else ()
        return KerasTensor((*outer, *tokens, self._lookup_layer.depth()), self._lookup_layer.output_dtype)

    @property
    def _int_dtype(self) -> str:
        return dtypes.storage_dtype("int64")

    def _outer_shape(self, shape: Shape) -> Shape:
        """The shape of the documents."""
        if self.split is None:
            return shape[:-1]
        if len(shape) > 1 and shape[-1] != 1:
            raise ValueError(
                f"{validate.describe(self)}: documents to split must have shape (batch,) or (batch, 1). "
                f"Received: shape={shape}."
            )
        return shape[:-1] if len(shape) > 1 else shape

    def _documents(self, texts: np.ndarray) -> list[list[str]]:
        """The tokens of each document."""
        texts = self._standardized(texts)
        if self.split is None:
            documents = texts.reshape(-1, texts.shape[-1] if texts.ndim else 1).tolist()
        elif callable(self.split):
            flat = texts.reshape(-1)
            documents = [list(tokens) for tokens in self.split(flat)]
            if len(documents) != len(flat):
                raise ValueError(
                    f"{validate.describe(self)}: split must return a list of tokens for each of the {len(flat)} "
                    "documents. "
                    f"Received: {len(documents)}."
                )
        else:
            documents = list(map(_SPLITS[self.split], texts.ravel().tolist()))
        return documents if self.ngrams is None else [_ngrams(document, self._sizes()) for document in documents]

    def _standardized(self, texts: np.ndarray) -> np.ndarray:
        if self.standardize is None:
            return texts
        if callable(self.standardize):
            result = as_texts(self.standardize(texts), self.encoding, self)
            if result.shape != texts.shape:
                raise ValueError(
                    f"{validate.describe(self)}: standardize must preserve the shape {texts.shape} of its input. "
                    f"Received: {result.shape}."
                )
            return result
        table = _STANDARDS[self.standardize]
        return as_objects([text.translate(table) for text in texts.ravel().tolist()]).reshape(texts.shape)

    def _sizes(self) -> Sequence[int]:
        return range(1, self.ngrams + 1) if isinstance(self.ngrams, int) else self.ngrams or ()

    # ------------------------------------------------------------ the vocabulary

    @property
    def vocabulary(self) -> AnyList | None:
        """The vocabulary for the config."""
        return self._lookup_layer.vocabulary

    @property
    def idf_weights(self) -> list[float] | None:
        """The idf weights that belong to `vocabulary`."""
        return self._lookup_layer.idf_weights

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[str]:
        """The tokens in order of their indices.

        Args:
            include_special_tokens: whether to include the padding and the unknown token. Defaults to True.
        """
        return self._lookup_layer.get_vocabulary(include_special_tokens)

    def vocabulary_size(self) -> int:
        """The number of indices, including those of special tokens."""
        return self._lookup_layer.vocabulary_size()

    def set_vocabulary(self, vocabulary: object, idf_weights: ArrayLike | None = None) -> None:
        """Replace the vocabulary.

        Args:
            vocabulary: the tokens, with or without the special ones at the start, or the path of a text file.
            idf_weights: for "tf_idf", the weight of an occurrence of each token; unknown tokens get the mean.
        """
        self._lookup_layer.set_vocabulary(vocabulary, idf_weights)

    def adapt(self, data: Data, batch_size: int | None = None, steps: int | None = None) -> None:
        """Learn the vocabulary from documents, most frequent tokens first, discarding the previous one.

        Args:
            data: an array or list of strings, or an iterable of batches of them.
            batch_size: number of documents of an array to split at a time; None splits all at once.
            steps: number of batches to use from an iterable; None uses all.
        """
        self.reset_state()
        for batch in batches(data, self, steps):
            size = max(1, len(batch) if batch_size is None and batch.ndim else batch_size or 1)
            for start in range(0, len(batch) if batch.ndim else 1, size):
                self.update_state(batch[start : start + size] if batch.ndim else batch)
        self.finalize_state()

    def update_state(self, data: Data) -> None:
        """Count the tokens of a batch of documents for the vocabulary computed by `finalize_state`."""
        self._lookup_layer.require_no_given()
        texts = as_texts(as_numpy(data, self), self.encoding, self)
        self._outer_shape(texts.shape)
        self._lookup_layer.count(self._documents(texts))

    def finalize_state(self) -> None:
        """Create the vocabulary from the tokens counted so far."""
        self._lookup_layer.finalize_state()

    def reset_state(self) -> None:
        """Discard the counts so far; the vocabulary is kept until a new one is created."""
        self._lookup_layer.reset_state()

    # ------------------------------------------------------------ config and state

    def get_config(self) -> ConfigDict:
        """The constructor's arguments, and the size of the vocabulary."""
        functions = {key: getattr(self, key) for key in ("standardize", "split") if callable(getattr(self, key))}
        return super().get_config() | functions | {"vocabulary_size": self._lookup_layer.known_size()}

    @classmethod
    def from_config(cls, config: Config) -> "TextVectorization":
        """The layer described by `get_config`.

        Raises:
            ValueError: if the vocabulary is a file path, which a config must not contain.
        """
        return super().from_config(without_path(config, cls))

    def save_assets(self, dir_path: str) -> None:
        """Write `vocabulary.txt` to a directory, unless the vocabulary is in the config."""
        self._lookup_layer.save_assets(dir_path)

    def load_assets(self, dir_path: str) -> None:
        """Read what `save_assets` wrote."""
        self._lookup_layer.load_assets(dir_path)

    def save_own_variables(self, store: dict[str, Tensor]) -> None:
        """Store the idf weights in `store`, if there are any."""
        self._lookup_layer.save_own_variables(store)

    def load_own_variables(self, store: Mapping[str, Tensor]) -> None:
        """Load the idf weights from `store`."""
        self._lookup_layer.load_own_variables(store)


def _named_or_callable(value: object, table: Mapping[str, object], name: str, owner: object) -> Any:
    """A name of the table, None, or a function."""
    if callable(value):
        return value
    return validate.one_of(value, (*table, None), name, owner)


def _checked_ngrams(ngrams: object, owner: object) -> int | tuple[int, ...] | None:
    if ngrams is None or validate.is_integer(ngrams):
        return ngrams if ngrams is None else validate.positive_int(ngrams, "ngrams", owner)
    if not isinstance(ngrams, (list, tuple)) or not ngrams:
        raise ValueError(
            f"{validate.describe(owner)}: ngrams must be None, an integer, or a tuple of integers. "
            f"Received: ngrams={validate.shown(ngrams)}."
        )
    return tuple(validate.positive_int(number, "each of ngrams", owner) for number in ngrams)


def _ngrams(tokens: list[str], sizes: Sequence[int]) -> list[str]:
    """Each run of the given number of tokens as one token, joined by spaces."""
    return [" ".join(tokens[i : i + size]) for size in sizes for i in range(len(tokens) - size + 1)]


def _padded(flat: np.ndarray, lengths: np.ndarray, length: int | None, padding: int) -> np.ndarray:
    """Rows of different lengths, concatenated in `flat`, as a padded table."""
    width = int(lengths.max(initial=0))
    table = np.full((len(lengths), max(width, length or 0)), padding, "int64")
    table[np.arange(table.shape[1]) < lengths[:, None]] = flat
    return table[:, :length]
