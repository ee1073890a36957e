"""`tensorflow.lookup`: tables from keys to values, and from words to numbers."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cornu.core.typing import Tensor
from cornu.layers.text_hash import fingerprints
from cornu.tensorflow.served import refuse, within
from cornu.tensorflow.texts import Text, is_text, text

__all__ = ["KeyValueTensorInitializer", "StaticHashTable", "StaticVocabularyTable"]


def _plain(values: Tensor, dtype: Any = None) -> np.ndarray:
    """Keys or values: bytes, or numbers of a dtype."""
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
                "KeyValueTensorInitializer: keys and values must be lists of one length. Received: shapes "
                f"{self.keys.shape} and {self.values.shape}."
            )


class _Table:
    """A dictionary that is asked for arrays of keys."""

    def __init__(self, initializer: KeyValueTensorInitializer):
        self._values = dict(zip(initializer.keys.tolist(), initializer.values.tolist(), strict=True))
        if len(self._values) < len(initializer.keys):
            raise ValueError(f"{type(self).__name__}: the keys must differ. Received: {initializer.keys.tolist()}.")
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
    """A table from keys to values; other keys have the default value."""

    def __init__(
        self, initializer: KeyValueTensorInitializer, default_value: object, name: str | None = None, **how: object
    ):
        super().__init__(initializer)
        self._default = _plain(default_value).item()

    def _of(self, key: object) -> jax.Array:
        return self._values.get(key, self._default)


class StaticVocabularyTable(_Table):
    """A table from words to numbers; other words share `num_oov_buckets` numbers behind those, by their hash."""

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
