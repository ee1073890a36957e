"""`HashedCrossing`: two or more features combined into one with a fixed number of bins."""

from typing import Any

import jax
import numpy as np

from cornu import validate
from cornu.core.policy import PolicyLike
from cornu.core.read_text import ReadText
from cornu.core.typing import ConfigDict, Nested, Shape, Tensors
from cornu.layers import text_hash
from cornu.layers.category_counts import encode
from cornu.layers.hashing import as_integers, category_dtype, checked_bins, require_integers
from cornu.layers.host import HostLayer, as_numpy, as_texts, refuse_sparse

__all__ = ["HashedCrossing"]


class HashedCrossing(HostLayer):
    """Maps each combination of several features to a bin, by a hash of all of them.

    Args:
        num_bins: number of bins.
        output_mode: "int" for the index of the bin, "one_hot" for a vector. Defaults to `"int"`.
        sparse: must be False.
        name: name.
        dtype: dtype of the output.

    Input shape:
        A list of at least two features, strings or integers, all of shape `()`, `(batch,)` or `(batch, 1)`.

    Output shape:
        The same for "int", otherwise `(batch, num_bins)`.

    Example:

        layer = cornu.layers.HashedCrossing(num_bins=5)
        print(layer((np.array(["A", "B", "A"]), np.array([101, 101, 102]))))  # [1 4 3]
    """

    pure_call = rowwise = takes_text = True

    def __init__(
        self,
        num_bins: int,
        output_mode: str = "int",
        sparse: bool = False,
        name: str | None = None,
        dtype: PolicyLike | None = None,
        **kwargs: Any,
    ):
        validate.one_of(output_mode, ("int", "one_hot"), "output_mode", type(self))
        super().__init__(name=name, dtype=category_dtype(dtype, output_mode), **kwargs)
        require_integers(self, output_mode)
        self.num_bins = checked_bins(num_bins, self)
        self.output_mode = output_mode
        self.sparse = refuse_sparse(sparse, self)

    def _read(self, inputs: object, *others: object) -> list[ReadText]:
        return [x for x in inputs if isinstance(x, ReadText)] if isinstance(inputs, (list, tuple)) else []

    def _arrays(self, value: object) -> Nested:
        """A list of features, each as an array."""
        if not isinstance(value, (list, tuple)):
            return value
        return [super(HashedCrossing, self)._arrays(feature) for feature in value]

    def call(self, inputs: Tensors) -> Nested:
        """The bins of the combinations, or their vectors."""
        shape = self._common_shape(inputs)
        if any(isinstance(x, jax.core.Tracer) for x in inputs):
            result = jax.ShapeDtypeStruct(shape, "int32")
            bins = jax.pure_callback(lambda *x: self._bins(x), result, *inputs, vmap_method="expand_dims")
        else:
            bins = self._bins(inputs)
        return encode(bins, self.output_mode, self.num_bins, self.compute_dtype)

    def compute_output_spec(self, inputs: Tensors) -> Nested:
        """The symbolic bins; for text, of the same shapes as for integers."""
        return super().compute_output_spec([as_integers(x) for x in inputs])

    def _common_shape(self, inputs: Nested) -> Shape:
        if not isinstance(inputs, (list, tuple)) or len(inputs) < 2:
            raise ValueError(f"{validate.describe(self)}: the layer must be called on a list of two or more features.")
        shapes = [np.shape(x) if isinstance(x, np.ndarray) else x.shape for x in inputs]
        fits = len(shapes[0]) < 2 or (len(shapes[0]) == 2 and shapes[0][1] == 1)
        if not fits or any(shape != shapes[0] for shape in shapes):
            raise ValueError(
                f"{validate.describe(self)}: all features must have the same shape: (), (batch,) or (batch, 1). "
                f"Received: shapes {', '.join(map(str, shapes))}."
            )
        return shapes[0]

    def _bins(self, inputs: Tensors) -> np.ndarray:
        columns = [self._hashes(as_numpy(x, self)) for x in inputs]
        bins = text_hash.remainders(text_hash.cross(columns), self.num_bins)
        return bins.astype("int32").reshape(np.shape(inputs[0]))

    def _hashes(self, values: np.ndarray) -> np.ndarray:
        """A hash for each string; integers are their own hashes."""
        if values.dtype.kind in "iu":
            return values.ravel().astype("int64").astype("uint64")
        if values.dtype.kind not in "OUS":
            raise ValueError(
                f"{validate.describe(self)}: features must be strings or integers. Received: dtype={values.dtype.name}."
            )
        texts = as_texts(values, "utf-8", self)
        return text_hash.fingerprints([text.encode() for text in texts.ravel().tolist()])

    def get_config(self) -> ConfigDict:
        """The constructor's arguments."""
        names = ("num_bins", "output_mode", "sparse", "name")
        return {name: getattr(self, name) for name in names} | {"dtype": self.dtype}
