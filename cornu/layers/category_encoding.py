"""`CategoryEncoding`: integers encoded as vectors of zeros and ones, or of counts."""

from typing import Any, Unpack

from cornu import validate
from cornu.core.typing import Nested, Tensor
from cornu.layers.category_counts import OUTPUT_MODES, encode, mode_of
from cornu.layers.host import HostLayer, numpy_for, refuse_sparse
from cornu.layers.options import LayerOptions

__all__ = ["CategoryEncoding"]


class CategoryEncoding(HostLayer):
    """Encodes integers from 0 to `num_tokens - 1` as vectors of length `num_tokens`.

    Integers out of that range are ignored.

    Args:
        num_tokens: number of categories; required. None by default.
        output_mode: "one_hot" for a vector for each integer; "multi_hot" for one vector per sample, with 1 for each
            category that occurs; "count" for one vector with the number of occurrences. Defaults to `"multi_hot"`.
        sparse: must be False.

    Input shape:
        `(batch, length)`, or any other.

    Output shape:
        `(batch, num_tokens)`; with "one_hot" `(batch, length, num_tokens)`, without the length axis if the length is 1.

    Example:

        layer = cornu.layers.CategoryEncoding(4, output_mode="count")
        print(layer([[0, 1, 1], [3, 3, 3]]))  # [[1. 2. 0. 0.] [0. 0. 0. 3.]]
    """

    pure_call = rowwise = True
    config_skip: tuple[str, ...] = (*HostLayer.config_skip, "sparse")

    def __init__(
        self,
        num_tokens: int | None = None,
        output_mode: str = "multi_hot",
        sparse: bool = False,
        **kwargs: Unpack[LayerOptions],
    ):
        super().__init__(**kwargs)
        self.num_tokens = validate.positive_int(num_tokens, "num_tokens", self)
        self.output_mode = output_mode = mode_of(output_mode, OUTPUT_MODES[1:], self)
        self.sparse = refuse_sparse(sparse, self)

    def call(self, inputs: Tensor, count_weights: Any = None) -> Nested:
        """The vectors for the integers.

        Args:
            inputs: integers.
            count_weights: weights of the integers, of the inputs' shape; only for "count".
        """
        if count_weights is not None and self.output_mode != "count":
            raise ValueError(
                f'{validate.describe(self)}: count_weights require output_mode="count". '
                f'Received: output_mode="{self.output_mode}".'
            )
        xp = numpy_for(inputs)
        indices = xp.asarray(inputs).astype("int32")
        return encode(indices, self.output_mode, self.num_tokens, self.compute_dtype, count_weights)
