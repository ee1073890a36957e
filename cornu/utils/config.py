"""`Config`: named values that can be accessed as attributes or keys, and frozen."""

import json
from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from typing import Any

_OWN = frozenset({"_config", "_frozen"})


class Config:
    """Named values, accessible as attributes and as dictionary keys.

    Args:
        **kwargs: the initial values by name.

    Example:

        config = cornu.utils.Config(learning_rate=0.1)
        config.seed = 123
        config["momentum"] = 0.9
        config.freeze()  # any change from here on is an error
        print(config.to_json())  # {"learning_rate": 0.1, "seed": 123, "momentum": 0.9}
    """

    def __init__(self, **kwargs: object):
        self._config = dict(kwargs)
        self._frozen = False

    @property
    def frozen(self) -> bool:
        """Whether changes are rejected."""
        return self._frozen

    def freeze(self) -> None:
        """Reject changes from now on."""
        self._frozen = True

    def unfreeze(self) -> None:
        """Allow changes again."""
        self._frozen = False

    def as_dict(self) -> dict[str, object]:
        """The values by name, as a new dictionary."""
        return dict(self._config)

    def to_json(self) -> str:
        """The values as JSON.

        Raises:
            TypeError: if one is not a number, string, bool, None, or a list or dictionary of these.
        """
        return json.dumps(self._config)

    def keys(self) -> KeysView[str]:
        """The names."""
        return self._config.keys()

    def values(self) -> ValuesView[Any]:
        """The values."""
        return self._config.values()

    def items(self) -> ItemsView[str, Any]:
        """Pairs of name and value."""
        return self._config.items()

    def get(self, key: str, default: object = None) -> Any:
        """The value of a name, or `default` if there is none.

        Args:
            key: the name.
            default: what to return for an unknown name. None by default.
        """
        return self._config.get(key, default)

    def pop(self, *args: Any) -> object:
        """Remove a value and return it.

        Args:
            *args: the name, and the result for an unknown one.
        """
        self._require_open()
        return self._config.pop(*args)

    def update(self, *args: Mapping[str, Any], **kwargs: Any) -> None:
        """Set several values.

        Args:
            *args: a dictionary of values.
            **kwargs: more values by name.
        """
        self._require_open()
        self._config.update(*args, **kwargs)

    def _require_open(self) -> None:
        if self._frozen:
            raise ValueError("The config is frozen and cannot be changed. Call unfreeze() first.")

    def __getattr__(self, name: str) -> object:
        if name in _OWN or name not in self._config:  # its own attributes do not exist yet while it is copied
            known = "" if name in _OWN else f" It has: {', '.join(map(str, self._config)) or 'nothing'}."
            raise AttributeError(f"The config has no value {name!r}.{known}")
        return self._config[name]

    def __setattr__(self, name: str, value: object) -> None:
        if name in _OWN:
            object.__setattr__(self, name, value)
        else:
            self[name] = value

    def __delattr__(self, name: str) -> None:
        if name not in self._config:
            raise AttributeError(f"The config has no value {name!r}.")
        del self[name]

    def __getitem__(self, name: str) -> object:
        return self._config[name]

    def __setitem__(self, name: str, value: object) -> None:
        self._require_open()
        self._config[name] = value

    def __delitem__(self, name: str) -> None:
        self._require_open()
        del self._config[name]

    def __contains__(self, name: object) -> bool:
        return name in self._config

    def __iter__(self) -> Iterator[str]:
        return iter(self._config)

    def __len__(self) -> int:
        return len(self._config)

    def __repr__(self) -> str:
        return f"<Config {self._config}>"


__all__ = ["Config"]
