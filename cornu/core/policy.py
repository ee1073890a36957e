"""Dtype policies: in which type a layer computes and in which it keeps its weights.

`mixed_bfloat16` computes in bfloat16 on weights kept in float32; every other name computes and keeps in one type.
"""

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from cornu import settings, validate
from cornu.core import dtypes, patterns
from cornu.core.configurable import Configurable, deserialize_keras_object, serialize_keras_object
from cornu.core.typing import Config, DTypeLike, Tensor
from cornu.registry import InFiles

_MIXED = {"mixed_float16": "float16", "mixed_bfloat16": "bfloat16"}


class DTypePolicy(Configurable):
    """How a layer computes (`compute_dtype`) and keeps its weights (`variable_dtype`).

    Args:
        name: a dtype such as `"float32"`, or `"mixed_bfloat16"` or `"mixed_float16"`. None takes the global policy.

    Example:

        policy = cornu.DTypePolicy("mixed_bfloat16")
        print(policy.compute_dtype, policy.variable_dtype)  # bfloat16 float32
    """

    _in_files = InFiles("keras")
    quantization_mode = None

    def __init__(self, name: str | None = None):
        name = dtype_policy().name if name is None else name
        if not isinstance(name, str):
            raise TypeError(f"DTypePolicy: name must be a string such as 'mixed_bfloat16'. Received: name={name!r}.")
        known = (*_MIXED, *dtypes.NAMES)
        if name not in known:
            raise ValueError(f"DTypePolicy: unknown name {name!r}. Likely names: {validate.closest(name, known)}.")
        settings.allow_float64(name)
        self._name = name
        self._compute_dtype = _MIXED.get(name, name)
        self._variable_dtype = "float32" if name in _MIXED else name

    @property
    def name(self) -> str:
        """The name of the policy."""
        return self._name

    @property
    def compute_dtype(self) -> str:
        """The dtype in which the layer computes."""
        return self._compute_dtype

    @property
    def variable_dtype(self) -> str:
        """The dtype of the layer's weights."""
        return self._variable_dtype

    def convert_input(self, x: Tensor, autocast: bool, dtype: str) -> jax.Array:
        """`x` as an array, floating-point values cast to `dtype` when `autocast` is on."""
        if hasattr(x, "dtype") and not hasattr(x, "__array_priority__") and not hasattr(x, "astype"):
            return x
        x = x if hasattr(x, "astype") else jnp.asarray(x)
        return x.astype(dtype) if autocast and dtypes.is_float(x.dtype) and x.dtype != dtype else x

    def get_config(self) -> dict:
        """The name, which is all there is."""
        return {"name": self.name}

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f'<DTypePolicy "{self.name}">'


FloatDTypePolicy = DTypePolicy


class DTypePolicyMap(Configurable, MutableMapping):
    """Policies by the path of a layer; a key may be a regular expression that matches the path's beginning.

    Args:
        default_policy: the policy where no key fits; None takes the global policy.
        policy_map: dictionary from path to policy.
    """

    _in_files = InFiles("keras.dtype_policies")

    def __init__(self, default_policy: Any = None, policy_map: Mapping | None = None):
        self._default_policy = default_policy
        self._policy_map: dict[str, DTypePolicy | DTypePolicyMap] = {}
        for key, value in (policy_map or {}).items():
            self[key] = value

    @property
    def name(self) -> str:
        """A name for messages."""
        return f"map_{self.default_policy.name}"

    @property
    def default_policy(self) -> "DTypePolicy | DTypePolicyMap":
        """The policy of layers that no key names."""
        return get(self._default_policy)

    @property
    def compute_dtype(self) -> str:
        """The default policy's compute dtype."""
        return self.default_policy.compute_dtype

    @property
    def variable_dtype(self) -> str:
        """The default policy's variable dtype."""
        return self.default_policy.variable_dtype

    @property
    def quantization_mode(self) -> None:
        """Always None: floating-point policies only."""
        return self.default_policy.quantization_mode

    def convert_input(self, x: Tensor, autocast: bool, dtype: str) -> jax.Array:
        """What the default policy makes of an input."""
        return self.default_policy.convert_input(x, autocast, dtype)

    def __getitem__(self, path: str) -> "DTypePolicy | DTypePolicyMap":
        if path in self._policy_map:
            return self._policy_map[path]
        matches = [key for key in self._policy_map if patterns.found(key, path, "match")]
        if len(matches) > 1:
            raise ValueError(f"DTypePolicyMap: path {path!r} matches several keys: {matches}. Keep one of them.")
        return self._policy_map[matches[0]] if matches else self.default_policy

    def __setitem__(self, path: str, policy: "PolicyLike") -> None:
        if path in self._policy_map:
            raise ValueError(f"DTypePolicyMap: {path!r} is in the map already. Delete it first.")
        patterns.found(path, "", "match")  # refuses what is not a pattern, here rather than at the first layer
        self._policy_map[path] = get(policy)

    def __delitem__(self, path: str) -> None:
        del self._policy_map[path]

    def __len__(self) -> int:
        return len(self._policy_map)

    def __iter__(self) -> Iterator[str]:
        return iter(self._policy_map)

    def get_config(self) -> dict:
        """The default policy and the map, serialised."""
        default = self._default_policy
        return {
            "default_policy": default if isinstance(default, str | None) else serialize_keras_object(default),
            "policy_map": {key: serialize_keras_object(value) for key, value in self._policy_map.items()},
        }


def dtype_policy() -> DTypePolicy:
    """The policy of layers that are given none."""
    return settings.read("dtype_policy") or DTypePolicy(settings.floatx())


def set_dtype_policy(policy: object) -> None:
    """Set the policy of layers that are given none.

    Args:
        policy: a name such as `"mixed_bfloat16"` or a `DTypePolicy`.

    Raises:
        ValueError: for anything else.
    """
    if not isinstance(policy, (str, dict, DTypePolicy, DTypePolicyMap)):
        raise ValueError(
            'set_dtype_policy: policy must be a name, such as "mixed_bfloat16" or "float32", or a DTypePolicy. '
            f"Received: policy={policy!r}."
        )
    settings.write("dtype_policy", get(policy))


PolicyLike: TypeAlias = DTypeLike | DTypePolicy | DTypePolicyMap | Config
"""What stands for a policy: the policy itself, its name, a dtype, or a config."""


def get(identifier: PolicyLike | None) -> DTypePolicy | DTypePolicyMap:
    """The policy that a name, config, dtype or policy stands for; None is the global one."""
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, (DTypePolicy, DTypePolicyMap)):
        return identifier
    if isinstance(identifier, dict):
        found = deserialize_keras_object(identifier)
        if not isinstance(found, (DTypePolicy, DTypePolicyMap)):
            raise ValueError(f"The config of a dtype policy names none. Received: {identifier!r:.200}.")
        return found
    if isinstance(identifier, str):
        return DTypePolicy(identifier)
    return DTypePolicy(dtypes.standardize_dtype(identifier))
