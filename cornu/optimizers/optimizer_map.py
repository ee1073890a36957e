"""Assigns optimizers to variables, by patterns matching the variables' paths."""

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from cornu.core import patterns
from cornu.core.configurable import Configurable
from cornu.core.typing import Config, CustomObjects
from cornu.core.variable import Variable
from cornu.optimizers.optimizer import Optimizer

__all__ = ["OptimizerMap"]


class OptimizerMap(Configurable, MutableMapping[str, Any]):
    """A dictionary from regular expressions on variable paths to optimizers, with a default.

    `map[path]` is the optimizer under the key `path` itself, or else under the first pattern that matches the whole
    path.

    Args:
        default_optimizer: the optimizer of all other variables.
        optimizer_map: dictionary from patterns to optimizers. None by default.

    Example:

        rates = cornu.optimizers.OptimizerMap(cornu.optimizers.SGD(0.1))
        rates["tower/.*"] = cornu.optimizers.Adam(1e-3)
        print(rates["tower/dense/kernel"].name)
    """

    def __init__(self, default_optimizer: Optimizer, optimizer_map: Mapping[str, Optimizer] | None = None):
        if not isinstance(default_optimizer, Optimizer):
            raise TypeError(
                "OptimizerMap: default_optimizer must be an optimizer, such as cornu.optimizers.Adam(). "
                f"Received: default_optimizer={default_optimizer!r}."
            )
        if optimizer_map is not None and not isinstance(optimizer_map, Mapping):
            raise TypeError(
                "OptimizerMap: optimizer_map must be a dictionary from patterns to optimizers. "
                f"Received: optimizer_map={optimizer_map!r}."
            )
        self._default_optimizer = default_optimizer
        self.optimizer_map: dict[str, Optimizer] = {}
        for pattern, optimizer in (optimizer_map or {}).items():
            self[pattern] = optimizer

    @property
    def default_optimizer(self) -> Optimizer:
        """The optimizer of the variables that no pattern matches."""
        return self._default_optimizer

    def __getitem__(self, path: str) -> Optimizer:
        if path in self.optimizer_map:
            return self.optimizer_map[path]
        matches = (found for pattern, found in self.optimizer_map.items() if patterns.found(pattern, path, "fullmatch"))
        return next(matches, self.default_optimizer)

    def __call__(self, variable: Variable) -> Optimizer:
        """The optimizer of a variable."""
        return self[variable.path]

    def __setitem__(self, pattern: str, optimizer: Optimizer) -> None:
        if not isinstance(pattern, str):
            raise ValueError(f"OptimizerMap: keys must be strings, used as patterns. Received: {pattern!r}.")
        if not isinstance(optimizer, Optimizer):
            raise ValueError(f"OptimizerMap: the value of {pattern!r} must be an optimizer. Received: {optimizer!r}.")
        if pattern in self.optimizer_map:
            raise ValueError(f"OptimizerMap: {pattern!r} already exists; delete it first to replace it.")
        self.optimizer_map[pattern] = optimizer

    def __delitem__(self, pattern: str) -> None:
        del self.optimizer_map[pattern]

    def __len__(self) -> int:
        return len(self.optimizer_map)

    def __iter__(self) -> Iterator[str]:
        return iter(self.optimizer_map)

    @classmethod
    def from_config(cls, config: Config, custom_objects: CustomObjects | None = None) -> "OptimizerMap":
        """A map equal to the one whose `get_config` returned `config`."""
        return super().from_config(config)
