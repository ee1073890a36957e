"""`IntegerLookup`: integers mapped to indices in a vocabulary."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from cornu import validate
from cornu.core.typing import Nested, Tensor
from cornu.layers.hashing import decimal_texts, hashed, whole_numbers
from cornu.layers.host import as_numpy, numpy_for
from cornu.layers.index_lookup import IndexLookup, IntegerVocabulary

__all__ = ["IntegerLookup"]


class IntegerLookup(IndexLookup):
    """Maps integers to indices in a vocabulary, which is given or learned from data by `adapt`.

    NumPy arrays and lists may contain 64-bit integers. Inside a model, integers have 32 bits.

    Args:
        max_tokens: maximum size of a vocabulary learned by `adapt`, including special tokens; None for no limit.
        num_oov_indices: number of indices for unknown integers, among which they are distributed; with 0, an unknown
            integer is an error, or is ignored inside a model. Defaults to 1.
        mask_token: integer that represents padding: index 0 in mode "int", omitted in other modes; None for none.
        oov_token: result of `invert` for the indices of unknown integers. Defaults to -1.
        vocabulary: the integers, or the path of a file with one per line; None leaves it to `adapt`.
        vocabulary_dtype: must be "int64". Defaults to `"int64"`.
        idf_weights: with a vocabulary and "tf_idf", the weight of an occurrence of each integer. None by default.
        invert: whether to map indices back to integers of the vocabulary. Defaults to False.
        output_mode: "int" for indices; "one_hot" for one vector per integer; "multi_hot", "count" or "tf_idf" for one
            vector per sample: with ones, counts, or counts times idf weights. Defaults to `"int"`.
        sparse: must be False.
        pad_to_max_tokens: whether vectors have the length `max_tokens` rather than that of the vocabulary. Defaults
            to False.
        oov_method: how unknown integers are distributed: by their remainder ("floormod") or a hash ("farmhash").
            Defaults to `"floormod"`.
        salt: one or two integers that change the hash function. None by default.
        name: name.

    Input shape:
        Any.

    Output shape:
        The same for "int"; `(batch, depth)` for one vector per sample, `(batch, length, depth)` with "one_hot".

    Example:

        layer = cornu.layers.IntegerLookup(vocabulary=[12, 36, 1138, 42])
        print(layer([[12, 1138, 42], [42, 1000, 36]]))  # [[1 3 4] [4 0 2]]
    """

    token_dtype = "int64"
    make_vocabulary = IntegerVocabulary

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: int | None = None,
        oov_token: int = -1,
        vocabulary: object = None,
        vocabulary_dtype: str = "int64",
        idf_weights: object = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        salt: int | Sequence[int] | None = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        self.vocabulary_dtype = validate.one_of(vocabulary_dtype, ("int64",), "vocabulary_dtype", type(self))
        self.oov_method = validate.one_of(oov_method, ("floormod", "farmhash"), "oov_method", type(self))
        if salt is not None and oov_method != "farmhash":
            raise ValueError(
                f'IntegerLookup: salt requires oov_method="farmhash". Received: oov_method="{oov_method}", '
                f"salt={validate.shown(salt)}."
            )
        super().__init__(
            max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, idf_weights, invert, output_mode, sparse,
            pad_to_max_tokens, salt, name=name, **kwargs,
        )  # fmt: skip

    def _tokens(self, values: Tensor) -> list[int]:
        try:
            return as_numpy(list(values), self).astype("int64").tolist()
        except (TypeError, ValueError) as error:
            raise ValueError(f"{validate.describe(self)}: the vocabulary must contain integers: {error}.") from error

    def _values(self, inputs: Nested) -> Tensor:
        return whole_numbers(inputs, self) if numpy_for(inputs) is np else inputs.astype("int32")

    def _spread(self, values: Tensor) -> Tensor:
        if self.oov_method == "floormod":
            return values % self.num_oov_indices
        if numpy_for(values) is np:
            return self._hashed(values)
        shape = jax.ShapeDtypeStruct(values.shape, "int32")
        return jax.pure_callback(self._hashed, shape, values, vmap_method="expand_dims")

    def _hashed(self, values: object) -> np.ndarray:
        values = np.asarray(values)
        bins = hashed(decimal_texts(values), self.salt, self.num_oov_indices)
        return bins.astype("int32").reshape(values.shape)
