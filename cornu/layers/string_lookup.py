"""`StringLookup`: strings mapped to indices in a vocabulary."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from cornu.core.typing import Config, ConfigDict, Nested, Tensor
from cornu.layers.hashing import hashed
from cornu.layers.host import as_texts
from cornu.layers.index_lookup import IndexLookup, TextVocabulary

__all__ = ["StringLookup"]


class StringLookup(IndexLookup):
    """Maps strings to indices in a vocabulary, which is given or learned from data by `adapt`.

    It runs on the host: before the model, in a data pipeline, or as a model's first layer, which then processes each
    batch before the compiled part of the model runs.

    Args:
        max_tokens: maximum size of a vocabulary learned by `adapt`, including special tokens; None for no limit.
        num_oov_indices: number of indices for unknown strings, among which they are distributed by a hash; with 0, an
            unknown string is an error. Defaults to 1.
        mask_token: string that represents padding: index 0 in mode "int", omitted in other modes; None for none.
        oov_token: result of `invert` for the indices of unknown strings. Defaults to `"[UNK]"`.
        vocabulary: the strings, or the path of a file with one per line; None leaves it to `adapt`.
        idf_weights: with a vocabulary and "tf_idf", the weight of an occurrence of each string. None by default.
        invert: whether to map indices back to strings. Defaults to False.
        output_mode: "int" for indices; "one_hot" for one vector per string; "multi_hot", "count" or "tf_idf" for one
            vector per sample: with ones, counts, or counts times idf weights. Defaults to `"int"`.
        pad_to_max_tokens: whether vectors have the length `max_tokens` rather than that of the vocabulary. Defaults
            to False.
        sparse: must be False.
        encoding: encoding of strings that are given as bytes, and of a vocabulary file. Defaults to `"utf-8"`.
        name: name.
        salt: one or two integers that change the hash of unknown strings. None by default.

    Input shape:
        Any.

    Output shape:
        The same for "int"; `(batch, depth)` for one vector per sample, `(batch, length, depth)` with "one_hot".

    Example:

        layer = cornu.layers.StringLookup()
        layer.adapt(["a", "b", "b", "c", "c", "c"])
        print(layer([["a", "c"], ["d", "b"]]))  # [[3 1] [0 2]]
    """

    takes_text = True
    token_dtype = "string"
    make_vocabulary = TextVocabulary

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: str | None = None,
        oov_token: str = "[UNK]",
        vocabulary: object = None,
        idf_weights: object = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        sparse: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        salt: int | Sequence[int] | None = None,
        **kwargs: Any,
    ):
        self.encoding = encoding
        super().__init__(
            max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, idf_weights, invert, output_mode, sparse,
            pad_to_max_tokens, salt, name=name, **kwargs,
        )  # fmt: skip

    def _tokens(self, values: Tensor) -> list[str]:
        return as_texts(list(values), self.encoding, self).tolist()

    def _values(self, inputs: Nested) -> np.ndarray:
        return as_texts(inputs, self.encoding, self)

    def _spread(self, values: np.ndarray) -> np.ndarray:
        if self.num_oov_indices == 1:
            return np.zeros(values.shape, "int64")
        return hashed([value.encode() for value in values.tolist()], self.salt, self.num_oov_indices)

    def get_config(self) -> ConfigDict:
        """The constructor's arguments, and the size of the vocabulary."""
        return super().get_config() | {"oov_method": "floormod"}  # which Keras writes for strings too, without effect

    @classmethod
    def from_config(cls, config: Config) -> "StringLookup":
        """The layer described by `get_config`; see `IndexLookup.from_config`."""
        return super().from_config({key: value for key, value in config.items() if key != "oov_method"})
