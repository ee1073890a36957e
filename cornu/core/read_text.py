"""Text on its way through a model: what layers compute from it on the host, before the compiled part runs.

Compiled code cannot process text. So a batch that contains text is preprocessed first: the layers that take text run on
the host, and the batch becomes a `ReadBatch`, an ordinary structure of arrays, with their results in place of the text.
Within the step it is opened again, with a `ReadText` in place of each text that carries its results; a layer called on
one returns the result computed before, and nothing else can use it.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NoReturn, TypeAlias

import jax
import numpy as np

from cornu import tree
from cornu.core import border
from cornu.core.typing import AnyTuple, Nested, Tensor

_ADVICE = (
    "Preprocess the data first, for example x = layer(x) or dataset.map(layer), and pass the numbers to the model."
)


Packed: TypeAlias = tuple[Any, ...]


class ReadText:
    """Text in place of an array.

    Attributes:
        shape: its shape.
        values: the text on the host; None within a step.
        made: for each layer its result for the text: an array of numbers, or text again.
    """

    dtype = "string"

    def __init__(self, shape: tuple[int, ...], values: np.ndarray | None = None, made: dict[int, Any] | None = None):
        self.shape = tuple(shape)
        self.values = values
        self.made: dict[int, Any] = {} if made is None else made

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    def __getitem__(self, key: Any) -> "ReadText":
        """The same text with a new axis at its end, or without its last axis."""
        values = None if self.values is None else self.values[key]
        shape = (*self.shape, 1) if key == (..., None) else self.shape[:-1]
        return ReadText(shape, values, self.made)

    def __array__(self, *args: object, **kwargs: object) -> NoReturn:
        raise ValueError(f"Text in a batch cannot be used in computations within a model's step. {_ADVICE}")


def as_read(values: Nested) -> Nested:
    """Text as `ReadText`; everything else unchanged."""
    return ReadText(values.shape, values) if is_text(values) else values


def is_text(leaf: Nested) -> bool:
    """Whether a leaf of a batch is text on the host."""
    return isinstance(leaf, np.ndarray) and border.is_text(leaf)


def made_before(owner: object, texts: Sequence[ReadText]) -> Nested:
    """A layer's result for some texts, stored in the first of them."""
    made = texts[0].made
    if id(owner) not in made:
        raise ValueError(f"The step calls a layer on text that the model's own graph does not call on it. {_ADVICE}")
    return made[id(owner)]


class ReadBatch:
    """The inputs of a model, with preprocessed text: a pytree node.

    Args:
        numbers: the inputs with None in place of each text.
        arrays: the layers' results for all texts, in order.
        texts: for each leaf of `numbers` None, or how to reassemble its text, as returned by `_packed`.
    """

    def __init__(self, numbers: Nested, arrays: Sequence[Tensor], texts: tuple[Packed | None, ...]):
        self.numbers = numbers
        self.arrays = list(arrays)
        self.texts = texts

    @staticmethod
    def of(inputs: Nested) -> "ReadBatch":
        """The batch for inputs that contain `ReadText`s."""
        arrays: list[Tensor] = []
        texts = tuple(_packed(leaf, arrays) if isinstance(leaf, ReadText) else None for leaf in tree.flatten(inputs))
        numbers = tree.map_structure(lambda leaf: None if isinstance(leaf, ReadText) else leaf, inputs)
        return ReadBatch(numbers, arrays, texts)

    def open(self) -> Nested:
        """The inputs, with `ReadText` in place of each text."""
        leaves = tree.flatten(self.numbers)
        rows = next((leaf.shape[0] for leaf in (*self.arrays, *leaves) if leaf is not None), 0)
        opened = [
            leaf if packed is None else _unpacked(packed, rows, self.arrays)
            for leaf, packed in zip(leaves, self.texts, strict=True)
        ]
        return tree.pack_sequence_as(self.numbers, opened)


def _with_keys(batch: ReadBatch) -> AnyTuple:
    key = jax.tree_util.GetAttrKey
    return [(key("numbers"), batch.numbers), (key("arrays"), batch.arrays)], batch.texts


def _of_parts(texts: tuple[Packed | None, ...], parts: Any) -> ReadBatch:
    return ReadBatch(parts[0], parts[1], texts)


jax.tree_util.register_pytree_with_keys(ReadBatch, _with_keys, _of_parts)


def opened(x: Nested) -> Nested:
    """Inputs as a step uses them: the contents of a `ReadBatch`, anything else unchanged."""
    return x.open() if isinstance(x, ReadBatch) else x


def numbers_of(x: Nested) -> Nested:
    """Inputs with None in place of each preprocessed text."""
    return x.numbers if isinstance(x, ReadBatch) else x


def _packed(text: ReadText, arrays: list[Tensor]) -> Packed:
    """(shape of a row, ((layer, index into the arrays, or nested packed text), ...))."""
    return text.shape[1:], tuple(_packed_parts(text, arrays))


def _packed_parts(text: ReadText, arrays: list[Tensor]) -> Iterator[tuple[int, object]]:
    for layer, made in text.made.items():
        if isinstance(made, ReadText):
            yield layer, _packed(made, arrays)
        else:
            yield layer, len(arrays)
            arrays.append(made)


def _unpacked(packed: Packed, rows: int, arrays: list[Tensor]) -> ReadText:
    shape, parts = packed
    made = {layer: _unpacked(part, rows, arrays) if isinstance(part, tuple) else arrays[part] for layer, part in parts}
    return ReadText((rows, *shape), None, made)
