"""The inputs of a functional model: `Input` creates the first symbolic tensors."""

from collections.abc import Sequence
from typing import Any

from cornu import validate
from cornu.core import dtypes
from cornu.core.policy import PolicyLike
from cornu.core.symbolic import KerasTensor, Node
from cornu.core.tracebacks import filtered
from cornu.core.typing import ConfigDict, DTypeLike, Shape, ShapeLike
from cornu.layers.layer import Layer


class InputLayer(Layer):
    """The layer behind `Input`: it has one node without inputs, whose output is the symbolic tensor.

    Args:
        shape: shape of one sample. None by default.
        batch_size: number of samples in a batch, or None.
        dtype: dtype name; None is floatx.
        sparse, ragged: must be False or None.
        batch_shape: shape with the batch dimension, instead of `shape`.
        input_tensor: an existing symbolic tensor. None by default.
        optional: whether the model may be called with None here.
        name: name.

    Example:

        layer = cornu.layers.InputLayer(shape=(4,))
        print(layer.output.shape)  # (None, 4)
    """

    pure_call = rowwise = True
    batch_shape: tuple[int | None, ...] = ()

    def __init__(
        self,
        shape: Sequence[int | None] | None = None,
        batch_size: int | None = None,
        dtype: PolicyLike | None = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: Sequence[int | None] | None = None,
        input_tensor: KerasTensor | None = None,
        optional: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ):
        old_shape, old_batch_shape = kwargs.pop("input_shape", None), kwargs.pop("batch_input_shape", None)
        super().__init__(name=name, **kwargs)
        shape = old_shape if shape is None else shape
        batch_shape = old_batch_shape if batch_shape is None else batch_shape
        if sparse or ragged:
            raise ValueError(
                f"{validate.describe(self)}: only dense arrays are supported; sparse and ragged must be False."
            )
        if input_tensor is not None:
            batch_shape, dtype = input_tensor.shape, dtype or input_tensor.dtype
        self.batch_shape = self._full_shape(shape, batch_size, batch_shape)
        self._dtype = dtypes.standardize_dtype(dtype)
        self.optional = bool(optional)
        self.sparse = False
        self.ragged = False
        self.built = True
        tensor = input_tensor
        if tensor is None:
            tensor = KerasTensor(self.batch_shape, self._dtype, name=self.name)
        Node(self, (), {}, tensor)

    def _full_shape(self, shape: ShapeLike, batch_size: int | None, batch_shape: ShapeLike) -> Shape:
        if shape is not None and batch_shape is not None:
            raise ValueError(f"{validate.describe(self)}: give either shape or batch_shape, not both.")
        if shape is None and batch_shape is None:
            raise ValueError(f"{validate.describe(self)}: shape or batch_shape is needed, for example shape=(28, 28).")
        full = batch_shape if batch_shape is not None else shape
        if validate.is_integer(full):
            raise ValueError(f"{validate.describe(self)}: shape must be a tuple, such as ({full},). Received: {full}.")
        full = tuple(full) if batch_shape is not None else (batch_size, *full)
        for d in full:
            if d is not None:
                validate.non_negative_int(d, "each size in shape", self)
        return full

    @property
    def dtype(self) -> str:
        """The dtype of the symbolic tensor."""
        return self._dtype

    def call(self) -> None:
        """Do nothing."""

    def get_config(self) -> ConfigDict:
        """The full shape, the dtype and the name."""
        return {
            "batch_shape": self.batch_shape, "dtype": self.dtype, "sparse": self.sparse, "ragged": self.ragged,
            "name": self.name, "optional": self.optional,
        }  # fmt: skip


@filtered
def Input(  # noqa: N802 - Keras's public name
    shape: Sequence[int | None] | None = None,
    batch_size: int | None = None,
    dtype: DTypeLike | None = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Sequence[int | None] | None = None,
    name: str | None = None,
    tensor: KerasTensor | None = None,
    optional: bool = False,
) -> KerasTensor:
    """A symbolic tensor as an input of a model.

    Args:
        shape: shape of one sample, with None for each dimension that varies.
        batch_size: number of samples in a batch, or None.
        dtype: dtype name; None is floatx.
        sparse, ragged: must be False or None.
        batch_shape: shape with the batch dimension, instead of `shape`.
        name: name of the input.
        tensor: an existing symbolic tensor to wrap. None by default.
        optional: whether the model may be called with None here.

    Returns:
        A symbolic tensor of shape `(batch_size, *shape)`.

    Example:

        x = cornu.Input(shape=(8,))
        model = cornu.Model(x, cornu.layers.Dense(2)(x))
    """
    layer = InputLayer(shape, batch_size, dtype, sparse, ragged, batch_shape, tensor, optional, name)
    return layer.output
