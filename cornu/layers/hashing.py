"""`Hashing`: strings or integers mapped to a fixed number of bins, without a vocabulary."""

from collections.abc import Sequence
from typing import Any, Unpack

import jax
import numpy as np

from cornu import validate
from cornu.core import dtypes
from cornu.core.typing import Nested, Tensor
from cornu.layers import text_hash
from cornu.layers.category_counts import OUTPUT_MODES, encode
from cornu.layers.host import HostLayer, as_texts, refuse_sparse
from cornu.layers.options import LayerOptions

__all__ = ["Hashing"]


class Hashing(HostLayer):
    """Maps strings or integers to bins by a hash of their bytes; integers are hashed as decimal digits.

    Strings are hashed before the model runs; integers also inside compiled code, which calls back to the host.

    Args:
        num_bins: number of bins.
        mask_value: string or integer that is mapped to bin 0, which nothing else is; None for none.
        salt: one or two integers that change the hash function, to SipHash instead of FarmHash. None by default.
        output_mode: "int" for the index of the bin; "one_hot", "multi_hot" or "count" for vectors, as in
            `CategoryEncoding`. Defaults to `"int"`.
        sparse: must be False.

    Input shape:
        Any.

    Output shape:
        The same for "int", otherwise with a last axis of size `num_bins`, as in `CategoryEncoding`.

    Example:

        layer = cornu.layers.Hashing(num_bins=3)
        print(layer([["A"], ["B"], ["C"], ["D"], ["E"]]).ravel())  # [1 0 1 1 2]
    """

    pure_call = rowwise = takes_text = True

    def __init__(
        self,
        num_bins: int,
        mask_value: str | int | None = None,
        salt: int | Sequence[int] | None = None,
        output_mode: str = "int",
        sparse: bool = False,
        **kwargs: Unpack[LayerOptions],
    ):
        validate.one_of(output_mode, OUTPUT_MODES, "output_mode", type(self))
        super().__init__(**{**kwargs, "dtype": category_dtype(kwargs.get("dtype"), output_mode)})
        require_integers(self, output_mode)
        self.num_bins = checked_bins(num_bins, self)
        self.salt = checked_salt(salt, self)
        self.mask_value = mask_value
        self.output_mode = output_mode
        self.sparse = refuse_sparse(sparse, self)

    def call(self, inputs: Tensor) -> Nested:
        """The bins of strings or integers, or their vectors."""
        if isinstance(inputs, jax.Array):
            shape = jax.ShapeDtypeStruct(inputs.shape, "int32")
            bins = jax.pure_callback(self._bins, shape, inputs, vmap_method="expand_dims")
        else:
            bins = self._bins(inputs)
        return encode(bins, self.output_mode, self.num_bins, self.compute_dtype)

    def compute_output_spec(self, inputs: Nested) -> Nested:
        """The symbolic bins; for text, of the same shapes as for integers."""
        return super().compute_output_spec(as_integers(inputs))

    def _bins(self, inputs: Nested) -> np.ndarray:
        values = np.asarray(inputs)
        if values.dtype.kind in "OUS":
            values = as_texts(values, "utf-8", self)
            texts = [text.encode() for text in values.ravel().tolist()]
        else:
            values = whole_numbers(values, self)
            texts = decimal_texts(values)
        bins = np.zeros(values.shape, "int32")
        kept = np.ones(values.size, bool) if self.mask_value is None else (values != self.mask_value).ravel()
        number = self.num_bins if self.mask_value is None else self.num_bins - 1
        if number and kept.any():
            found = hashed(texts, self.salt, number) + (self.num_bins - number)
            bins.reshape(-1)[kept] = found[kept]
        return bins


def checked_bins(number: int, owner: object) -> int:
    """A number of bins whose indices fit in 32 bits."""
    if validate.positive_int(number, "num_bins", owner) >= 2**31:
        raise ValueError(f"{validate.describe(owner)}: num_bins must be less than 2**31. Received: {number}.")
    return int(number)


def as_integers(inputs: Nested) -> Tensor:
    """A symbolic tensor of strings as one of integers with the same shape; other tensors unchanged."""
    return type(inputs)(inputs.shape, "int32") if inputs.dtype == "string" else inputs


def whole_numbers(values: np.ndarray, owner: object) -> np.ndarray:
    """Numbers as 64-bit integers, truncated."""
    if values.dtype.kind not in "iuf" and values.dtype.name != "bfloat16":
        raise ValueError(
            f"{validate.describe(owner)}: the layer accepts strings or integers. Received: dtype={values.dtype.name}."
        )
    return values.astype("int64")


def decimal_texts(values: np.ndarray) -> list[bytes]:
    """The decimal digits of integers."""
    return [b"%d" % value for value in values.ravel().tolist()]


def hashed(texts: list[bytes], salt: Sequence[int] | None, number: int) -> np.ndarray:
    """A bin from 0 to `number - 1` for each string."""
    hashes = text_hash.fingerprints(texts) if salt is None else text_hash.keyed_hashes(texts, salt)
    return text_hash.remainders(hashes, number)


def checked_salt(salt: Any, owner: object) -> list[int] | None:
    """A salt as two integers."""
    if salt is None:
        return None
    parts = list(salt) if isinstance(salt, (list, tuple)) else [salt, salt]
    if len(parts) != 2 or not all(map(validate.is_integer, parts)):
        raise ValueError(
            f"{validate.describe(owner)}: salt must be one or two integers. Received: salt={validate.shown(salt)}."
        )
    return parts


def category_dtype(dtype: object, output_mode: str) -> Any:
    """The dtype of a categorical layer: 64-bit integers in mode "int", unless another one is requested."""
    return "int64" if dtype is None and output_mode == "int" else dtype


def require_integers(layer: HostLayer, output_mode: str) -> None:
    """Reject a floating-point dtype in mode "int"."""
    if output_mode == "int" and not dtypes.is_int(layer.compute_dtype):
        raise ValueError(
            f'{validate.describe(layer)}: with output_mode="int", dtype must be an integer type. '
            f'Received: dtype="{layer.compute_dtype}".'
        )
