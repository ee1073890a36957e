"""`tensorflow.lookup`: tables from keys to values, and from words to indices."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cornu.core.typing import AnyDict, DTypeLike, Tensor
from cornu.layers.text_hash import fingerprints
from cornu.tensorflow.served import Namespace, refuse, within
from cornu.tensorflow.texts import Text, is_text, text
from cornu.tensorflow.types import as_dtype

__all__ = [
    "KeyValueTensorInitializer", "MutableHashTable", "StaticHashTable", "StaticVocabularyTable", "TextFileIndex",
    "TextFileInitializer",
]  # fmt: skip


def _plain(values: Tensor, dtype: Any = None) -> np.ndarray:
    """Keys or values as bytes or as numbers of a dtype."""
    return np.asarray(text(values)) if is_text(values) else np.asarray(values, dtype)


class KeyValueTensorInitializer:
    """Keys and their values, for a table."""

    def __init__(
        self,
        keys: Tensor,
        values: Tensor,
        key_dtype: object = None,
        value_dtype: object = None,
        name: str | None = None,
    ):
        self.keys, self.values = _plain(keys, key_dtype), _plain(values, value_dtype)
        if self.keys.ndim != 1 or self.keys.shape != self.values.shape:
            raise ValueError(
                "KeyValueTensorInitializer: keys and values must have the same length. Received: shapes "
                f"{self.keys.shape} and {self.values.shape}."
            )


class TextFileIndex:
    """The part of a line used by a table: its number, the whole line, or a column (from 0)."""

    LINE_NUMBER, WHOLE_LINE = -1, -2


class TextFileInitializer(KeyValueTensorInitializer):
    """Keys and values from the lines of a text file, for a table.

    Args:
        filename: the file.
        key_dtype, key_index: the type of keys, and which part of a line they are, as `TextFileIndex` says.
        value_dtype, value_index: the same for values.
        vocab_size: number of lines that are read; None uses all.
        delimiter: column delimiter.
        name: an arbitrary name.
        value_index_offset: offset added to line numbers.
    """

    def __init__(
        self, filename: str | os.PathLike[str], key_dtype: DTypeLike, key_index: int, value_dtype: DTypeLike,
        value_index: int, vocab_size: int | None = None, delimiter: str = "\t", name: str | None = None,
        value_index_offset: int = 0,
    ):  # fmt: skip
        lines = Path(os.fspath(filename)).read_text("utf-8").splitlines()[:vocab_size]

        def part(index: int, dtype: DTypeLike) -> Tensor:
            if index == TextFileIndex.LINE_NUMBER:
                return np.arange(value_index_offset, value_index_offset + len(lines))
            words = lines if index == TextFileIndex.WHOLE_LINE else [line.split(delimiter)[index] for line in lines]
            return words if as_dtype(dtype) == "string" else np.array(words).astype(str(as_dtype(dtype).name))

        super().__init__(part(key_index, key_dtype), part(value_index, value_dtype))


class _Table:
    """A dictionary with vectorized lookup."""

    def __init__(self, initializer: KeyValueTensorInitializer):
        self._values = dict(zip(initializer.keys.tolist(), initializer.values.tolist(), strict=True))
        if len(self._values) < len(initializer.keys):
            raise ValueError(f"{type(self).__name__}: the keys must be unique. Received: {initializer.keys.tolist()}.")
        self._has_text, self.key_dtype = initializer.keys.dtype == object, initializer.keys.dtype
        self.value_dtype = initializer.values.dtype

    def size(self, name: str | None = None) -> jax.Array:
        """The number of keys."""
        return jnp.asarray(len(self._values))

    def __getitem__(self, keys: Tensor) -> np.ndarray | jax.Array:
        return self.lookup(keys)

    def lookup(self, keys: Tensor, name: str | None = None) -> np.ndarray | jax.Array:
        """The values of keys."""
        asked = np.asarray(text(keys) if self._has_text else keys)
        found = np.empty(asked.shape, self.value_dtype)
        for at, key in np.ndenumerate(asked):
            found[at] = self._of(key)
        return found.view(Text) if found.dtype == object else jnp.asarray(found)

    def _of(self, key: object) -> jax.Array:
        raise NotImplementedError(type(self))


class StaticHashTable(_Table):
    """A table from keys to values; unknown keys have the default value."""

    def __init__(
        self, initializer: KeyValueTensorInitializer, default_value: object, name: str | None = None, **how: object
    ):
        super().__init__(initializer)
        self._default = _plain(default_value).item()

    def _of(self, key: object) -> jax.Array:
        return self._values.get(key, self._default)


class MutableHashTable:
    """A mutable table from keys to values.

    Args:
        key_dtype, value_dtype: the types of keys and values.
        default_value: the value of other keys.
        name: an arbitrary name.
        how: ignored settings.
    """

    def __init__(
        self,
        key_dtype: DTypeLike,
        value_dtype: DTypeLike,
        default_value: Tensor,
        name: str | None = None,
        **how: object,
    ):
        self.key_dtype, self.value_dtype = as_dtype(key_dtype), as_dtype(value_dtype)
        self._default = self._plain(default_value, self.value_dtype)
        self._values: AnyDict = {}

    @staticmethod
    def _plain(values: Tensor, dtype: Any) -> np.ndarray:
        return np.asarray(text(values)) if dtype == "string" else np.asarray(values, dtype.name)

    def insert(self, keys: Tensor, values: Tensor, name: str | None = None) -> None:
        """Insert keys and their values."""
        keys = self._plain(keys, self.key_dtype).ravel()
        values = self._plain(values, self.value_dtype).reshape(len(keys), *self._default.shape)
        self._values.update(zip(keys.tolist(), values, strict=True))

    def remove(self, keys: Tensor, name: str | None = None) -> None:
        """Remove keys."""
        for key in self._plain(keys, self.key_dtype).ravel().tolist():
            self._values.pop(key, None)

    erase = remove

    def lookup(self, keys: Tensor, name: str | None = None) -> np.ndarray | jax.Array:
        """The values of keys."""
        asked = self._plain(keys, self.key_dtype)
        found = np.empty((asked.size, *self._default.shape), self._default.dtype)
        for at, key in enumerate(asked.ravel().tolist()):
            found[at] = self._values.get(key, self._default)
        return self._shown(found.reshape(*asked.shape, *self._default.shape))

    __getitem__ = lookup

    @staticmethod
    def _shown(values: np.ndarray) -> np.ndarray | jax.Array:
        return values.view(Text) if values.dtype == object else jnp.asarray(values)

    def export(self, name: str | None = None) -> tuple[Tensor, Tensor]:
        """All keys and values."""
        keys = np.array(list(self._values), object if self.key_dtype == "string" else self.key_dtype.name)
        values = list(self._values.values())
        return self._shown(keys), self._shown(np.stack(values) if values else self._default[None][:0])

    def size(self, name: str | None = None) -> jax.Array:
        """The number of keys."""
        return jnp.asarray(len(self._values))


def _dense_table(
    key_dtype: DTypeLike,
    value_dtype: DTypeLike,
    default_value: Tensor,
    empty_key: Tensor,
    deleted_key: Tensor,
    **how: object,
) -> MutableHashTable:
    return MutableHashTable(key_dtype, value_dtype, default_value)


experimental = Namespace("lookup.experimental", DenseHashTable=_dense_table, MutableHashTable=MutableHashTable)


class StaticVocabularyTable(_Table):
    """A table from words to indices; unknown words are hashed into `num_oov_buckets` further indices."""

    def __init__(
        self,
        initializer: KeyValueTensorInitializer | None,
        num_oov_buckets: int,
        lookup_key_dtype: object = None,
        name: str | None = None,
        **how: object,
    ):
        if initializer is None:
            refuse("lookup.StaticVocabularyTable(initializer=None)")
        super().__init__(initializer)
        self._buckets = int(num_oov_buckets)

    def size(self, name: str | None = None) -> jax.Array:
        """The number of words and of buckets."""
        return jnp.asarray(len(self._values) + self._buckets)

    def _of(self, key: object) -> Tensor:
        if key in self._values:
            return self._values[key]
        word = key if isinstance(key, bytes) else str(key).encode()
        return len(self._values) + int(fingerprints([word])[0]) % self._buckets


__getattr__: Callable[[str], object] = within(__name__)
