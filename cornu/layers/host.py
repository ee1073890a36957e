"""Preprocessing layers: they run on the host, on NumPy arrays, before the model and in data pipelines.

Numeric results are tensors, as from any layer, and text results are NumPy arrays. In a forked process, such as a worker
of a dataset, no device is used and everything stays NumPy. Layers that process numbers also work on JAX arrays,
compiled or not, and so inside a model; text cannot be used in compiled code.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from types import ModuleType
from typing import Any, Unpack

import jax
import jax.numpy as jnp
import numpy as np

from cornu import tree, validate
from cornu.core import border, context, forks
from cornu.core.read_text import ReadText, made_before
from cornu.core.symbolic import KerasTensor
from cornu.core.typing import Nested, Tensor
from cornu.data import elements
from cornu.layers.layer import Layer
from cornu.layers.options import LayerOptions


class HostLayer(Layer):
    """A layer whose `call` receives NumPy arrays for lists and NumPy arrays, and JAX arrays for JAX arrays."""

    takes_text = False
    """Whether the layer turns text into numbers: then it processes text before the compiled part of its model runs."""

    def __init__(self, **kwargs: Unpack[LayerOptions]):
        kwargs["autocast"] = False  # categories must not be rounded to 16 bits
        super().__init__(**kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> Nested:
        if args and (handle := handlers.get(type(args[0]))):
            return handle(self, args[0])
        if self.takes_text and (read := self._read(*args, *kwargs.values())):
            return made_before(self, read)
        outputs = super().__call__(*args, **kwargs)
        inside = bool(context.current().callers) or forks.is_forked()
        return outputs if inside else tree.map_structure(_on_device, outputs)

    def _read(self, inputs: object, *others: object) -> list[ReadText]:
        """The preprocessed text among the inputs."""
        return [inputs] if isinstance(inputs, ReadText) else []

    def _arrays(self, value: object) -> Nested:
        """An argument as NumPy or JAX arrays; a list is a single array."""
        if isinstance(value, (list, tuple, str, bytes, int, float)) and not _holds_arrays(value):
            return as_numpy(value, self)
        return value

    def convert_weight(self, weight: object) -> object:
        """The weight unchanged, since it fits inputs of any dtype."""
        return weight


rows_of_any_length: Callable[[np.ndarray, np.ndarray], Tensor] | None = None
"""What makes a tensor of values and of the lengths of its rows; nothing does but the stand-in for TensorFlow."""

handlers: dict[type, Callable[["HostLayer", Tensor], Nested]] = {}
"""What a layer gives for a tensor of another kind, by its class; the stand-in for TensorFlow adds ragged tensors."""


def _on_device(x: object) -> Tensor:
    if isinstance(x, np.ndarray) and not border.is_text(x):
        return border.to_tensor(x)
    return elements.given(x)


def _holds_arrays(value: object) -> bool:
    """Whether a list starts with a tensor: a list of a million strings is not scanned."""
    while isinstance(value, (list, tuple)) and value:
        value = value[0]
    return isinstance(value, (jax.Array, KerasTensor))


def numpy_for(x: object) -> ModuleType:
    """The module to compute with on `x`: NumPy for its own arrays, `jax.numpy` for JAX's."""
    return np if isinstance(x, (np.ndarray, np.generic)) else jnp


def as_numpy(value: object, owner: object) -> np.ndarray:
    """`value` as a NumPy array."""
    return border.to_numpy(value, validate.describe(owner), "the input")


def as_texts(value: object, encoding: str, owner: object) -> np.ndarray:
    """Strings as an array of `str`; bytes are decoded."""
    if isinstance(value, jax.core.Tracer):
        raise ValueError(
            f"{validate.describe(owner)}: text cannot be used in compiled code. Preprocess the data first, for example "
            "x = layer(x) or dataset.map(layer), and pass the resulting numbers to the model."
        )
    array = as_numpy(value, owner)
    if array.dtype.kind == "S" or (array.dtype.kind == "O" and any(isinstance(x, bytes) for x in array.flat)):
        decoded = [x.decode(encoding) if isinstance(x, bytes) else x for x in array.ravel().tolist()]
        array = as_objects(decoded).reshape(array.shape)
    wrong = {type(x).__name__ for x in array.flat if not isinstance(x, str)} if array.dtype.kind == "O" else set()
    if array.dtype.kind not in "OU" and array.size:
        wrong = {array.dtype.name}
    if wrong:
        raise ValueError(
            f"{validate.describe(owner)}: the layer accepts only text. Received: {', '.join(sorted(wrong))}. "
            "For integers use IntegerLookup."
        )
    return array


def as_objects(values: Sequence[object]) -> np.ndarray:
    """A flat NumPy array of Python objects."""
    array = np.empty(len(values), object)
    array[:] = values
    return array


_ONE_BATCH = (str, bytes, list)


def batches(data: object, owner: object, steps: int | None = None) -> Iterator[np.ndarray]:
    """The batches to learn from: an array or list is a single batch, any other iterable yields them.

    Args:
        data: an array, a list, or an iterable of batches: a generator, a `PyDataset`, a data loader. Of a batch with
            several parts, such as `(x, y)`, the first one is used.
        owner: the layer, for error messages.
        steps: number of batches to use from an iterable; None uses all.
    """
    if hasattr(data, "num_batches") and hasattr(data, "__getitem__"):
        steps = data.num_batches if steps is None else steps
        items: Iterable[object] = (data[index] for index in range(steps))
    elif isinstance(data, Iterable) and not isinstance(data, _ONE_BATCH) and not hasattr(data, "__array__"):
        items = islice(data, steps)
    else:
        items = [data]
    for batch in items:
        yield as_numpy(batch[0] if isinstance(batch, tuple) else batch, owner)


def refuse_sparse(sparse: object, owner: object) -> bool:
    """False, the only supported value of `sparse`."""
    if sparse:
        raise ValueError(f"{validate.describe(owner)}: only dense arrays are supported; sparse must be False.")
    return False
