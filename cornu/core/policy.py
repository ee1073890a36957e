"""Dtype policies: the dtype a layer computes in and the dtype of its weights.

`mixed_bfloat16` computes in bfloat16 with float32 weights; the name of a dtype uses that dtype for both. A prefix
before `_from_` specifies the quantization of the large weights: `int8_from_mixed_bfloat16`.
"""

import re
from collections.abc import Iterator, MutableMapping
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from cornu import settings, validate
from cornu.core import dtypes, patterns
from cornu.core.configurable import Configurable, deserialize_keras_object, serialize_keras_object
from cornu.core.typing import AnyTuple, Config, ConfigDict, DTypeLike, Tensor
from cornu.registry import InFiles

_MIXED = {"mixed_float16": "float16", "mixed_bfloat16": "bfloat16"}


class DTypePolicy(Configurable):
    """The dtype a layer computes in (`compute_dtype`) and that of its weights (`variable_dtype`).

    Args:
        name: a dtype such as `"float32"`, or `"mixed_bfloat16"` or `"mixed_float16"`. None uses the global policy.

    Example:

        policy = cornu.DTypePolicy("mixed_bfloat16")
        print(policy.compute_dtype, policy.variable_dtype)  # bfloat16 float32
    """

    _in_files = InFiles("keras")
    quantization_mode: str | None = None

    def __init__(self, name: str | None = None):
        name = dtype_policy().name if name is None else name
        if not isinstance(name, str):
            raise TypeError(
                f"DTypePolicy: name must be a string such as 'mixed_bfloat16'. Received: name={validate.shown(name)}."
            )
        known = (*_MIXED, *dtypes.NAMES)
        if name not in known:
            likely = validate.closest(name, known)
            raise ValueError(f"DTypePolicy: unknown name {validate.shown(name)}. Likely names: {likely}.")
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

    def get_config(self) -> ConfigDict:
        """The name, which is the whole config."""
        return {"name": self.name}

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f'<{type(self).__name__} "{self.name}">'


FloatDTypePolicy = DTypePolicy


class QuantizedDTypePolicy(DTypePolicy):
    """The policy of a layer with quantized weights.

    Args:
        mode: how the weights are quantized: `"int8"`, `"int4"` or `"float8"`.
        source_name: name of the underlying policy, such as `"mixed_bfloat16"`. None uses the global policy.

    Example:

        policy = cornu.dtype_policies.QuantizedDTypePolicy("int8", "mixed_bfloat16")
        print(policy.name, policy.compute_dtype)  # int8_from_mixed_bfloat16 bfloat16
    """

    _in_files = InFiles("keras.dtype_policies")
    _numbers: tuple[str, ...] = ()  # the attributes for the numbers after the mode's name
    _named: str | None = None  # the only mode of a class

    def __init__(self, mode: str, source_name: str | None = None):
        ambient = dtype_policy()
        super().__init__(getattr(ambient, "source_name", ambient.name) if source_name is None else source_name)
        self.source_name = self._name
        self._name = f"{mode}_from_{self.source_name}"
        self.quantization_mode, *numbers = self._parsed(mode)
        if self.quantization_mode == "int8" and self.compute_dtype == "float16":
            raise ValueError(
                f"{type(self).__name__}: products of 8-bit integers exceed the range of float16. Use bfloat16 or "
                f"float32 with mode='int8'. Received: source_name={validate.shown(self.source_name)}."
            )
        for name, number in zip(self._numbers, numbers, strict=True):
            setattr(self, name, number)

    @classmethod
    def _parsed(cls, mode: object) -> AnyTuple:
        """The mode's name and the numbers that follow it."""
        name, *numbers = mode.split("/") if isinstance(mode, str) else ("",)
        form = "/".join([cls._named or "int8", *(f"<{number}>" for number in cls._numbers)])
        if len(numbers) != len(cls._numbers) or not all(map(_INTEGER.fullmatch, numbers)):
            raise ValueError(f"{cls.__name__}: mode must have the form {form!r}. Received: mode={mode!r:.100}.")
        known = QUANTIZATION_MODES if cls._named is None else (cls._named,)
        if name not in known:
            raise ValueError(f"{cls.__name__}: mode must be one of {known}. Received: mode={mode!r:.100}.")
        values = list(map(int, numbers))
        for what, value in zip(cls._numbers, values, strict=True):
            if value not in _ALLOWED[name, what] if (name, what) in _ALLOWED else value != -1 and value < 1:
                allowed = _ALLOWED.get((name, what), "-1 for a whole column, or positive")
                raise ValueError(f"{cls.__name__}: {what} must be {allowed}. Received: mode={validate.shown(mode)}.")
        return (name, *values)

    def get_config(self) -> ConfigDict:
        """The mode and the source's name."""
        return {"mode": self.name.removesuffix(f"_from_{self.source_name}"), "source_name": self.source_name}


QUANTIZATION_MODES = ("int8", "float8", "int4", "gptq", "awq")
_INTEGER = re.compile(r"-?\d{1,9}")
_ALLOWED = {("gptq", "weight_bits"): (2, 3, 4, 8), ("awq", "weight_bits"): (4,)}  # the rest: -1 or positive


class Int4DTypePolicy(QuantizedDTypePolicy):
    """4-bit weights with one scale per block of a column.

    Args:
        mode: `"int4/<block_size>"`, such as `"int4/128"`; a size of -1 is one scale per column.
        source_name: name of the policy used for computation. None uses the global policy.

    Example:

        print(cornu.dtype_policies.Int4DTypePolicy("int4/64", "float32").block_size)  # 64
    """

    _in_files = InFiles("keras.dtype_policies")
    _named, _numbers = "int4", ("block_size",)
    block_size: int


class GPTQDTypePolicy(QuantizedDTypePolicy):
    """Weights quantized by GPTQ (Frantar et al., 2022).

    Args:
        mode: `"gptq/<weight_bits>/<group_size>"`, such as `"gptq/4/128"`: 2, 3, 4 or 8 bits, and the number of rows of
            a column that share a scale; -1 is all of them.
        source_name: name of the policy used for computation. None uses the global policy.

    Example:

        print(cornu.dtype_policies.GPTQDTypePolicy("gptq/4/128", "float32").weight_bits)  # 4
    """

    _in_files = InFiles("keras.dtype_policies")
    _named, _numbers = "gptq", ("weight_bits", "group_size")
    weight_bits: int
    group_size: int


class AWQDTypePolicy(GPTQDTypePolicy):
    """Weights scaled and quantized by AWQ (Lin et al., 2023).

    Args:
        mode: `"awq/4/<group_size>"`, such as `"awq/4/128"`: the number of rows of a column that share a scale; -1 is
            all of them.
        source_name: name of the policy used for computation. None uses the global policy.

    Example:

        print(cornu.dtype_policies.AWQDTypePolicy("awq/4/128", "float32").name)  # awq/4/128_from_float32
    """

    _in_files = InFiles("keras.dtype_policies")
    _named = "awq"


class QuantizedFloat8DTypePolicy(QuantizedDTypePolicy):
    """Products of 8-bit floating-point numbers, scaled by the largest absolute values seen recently.

    Args:
        mode: `"float8"`.
        source_name: name of the policy used for computation. None uses the global policy.
        amax_history_length: number of training steps for which the largest absolute values are kept. Defaults to 1024.

    Example:

        print(cornu.dtype_policies.QuantizedFloat8DTypePolicy("float8", "float32").name)  # float8_from_float32
    """

    _in_files = InFiles("keras.dtype_policies")
    _named = "float8"
    amax_history_length = 1024

    def __init__(self, mode: str, source_name: str | None = None, amax_history_length: int = 1024):
        super().__init__(mode, source_name)
        self.amax_history_length = validate.positive_int(amax_history_length, "amax_history_length", self)

    def get_config(self) -> ConfigDict:
        """The mode, the source name, and the length of the history."""
        return super().get_config() | {"amax_history_length": self.amax_history_length}

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other) and self.get_config() == other.get_config()  # type: ignore[attr-defined]

    __hash__ = DTypePolicy.__hash__


_BY_NAME: dict[str, type[QuantizedDTypePolicy]] = {
    "int4": Int4DTypePolicy,
    "float8": QuantizedFloat8DTypePolicy,
    "gptq": GPTQDTypePolicy,
    "awq": AWQDTypePolicy,
}


def quantized(mode: str, source_name: str | None = None) -> QuantizedDTypePolicy:
    """The policy of a mode such as `"int8"` or `"int4/128"`, computing with the policy called `source_name`."""
    plain = mode == "int4"  # one scale per column, like `"int4/-1"`
    cls = QuantizedDTypePolicy if plain else _BY_NAME.get(mode.partition("/")[0], QuantizedDTypePolicy)
    return cls(mode, source_name)


class DTypePolicyMap(Configurable, MutableMapping[str, "DTypePolicy | DTypePolicyMap"]):
    """Policies by layer path; a key may be a regular expression that matches the beginning of the path.

    Args:
        default_policy: the policy if no key matches; None uses the global policy.
        policy_map: dictionary from paths to policies.

    Example:

        policies = cornu.dtype_policies.DTypePolicyMap(policy_map={"decoder": "mixed_bfloat16"})
        print(policies["decoder/dense"].compute_dtype)  # bfloat16
    """

    _in_files = InFiles("keras.dtype_policies")

    def __init__(self, default_policy: Any = None, policy_map: Config | None = None):
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
        """The policy of layers that no key matches."""
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
    def quantization_mode(self) -> str | None:
        """The default policy's quantization mode."""
        return self.default_policy.quantization_mode

    def convert_input(self, x: Tensor, autocast: bool, dtype: str) -> jax.Array:
        """An input converted by the default policy."""
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
            raise ValueError(f"DTypePolicyMap: {path!r} is already in the map. Delete it first.")
        patterns.found(path, "", "match")  # rejects an invalid pattern now rather than at the first layer
        self._policy_map[path] = get(policy)

    def __delitem__(self, path: str) -> None:
        del self._policy_map[path]

    def __len__(self) -> int:
        return len(self._policy_map)

    def __iter__(self) -> Iterator[str]:
        return iter(self._policy_map)

    def get_config(self) -> ConfigDict:
        """The default policy and the map, serialized."""
        default = self._default_policy
        return {
            "default_policy": default if isinstance(default, str | None) else serialize_keras_object(default),
            "policy_map": {key: serialize_keras_object(value) for key, value in self._policy_map.items()},
        }


def dtype_policy() -> DTypePolicy:
    """The policy of layers that are not given one.

    Example:

        print(cornu.config.dtype_policy().name)  # float32
    """
    return settings.read("dtype_policy") or DTypePolicy(settings.floatx())


def set_dtype_policy(policy: object) -> None:
    """Set the policy of layers that are not given one.

    Args:
        policy: a name such as `"mixed_bfloat16"` or a `DTypePolicy`.

    Raises:
        ValueError: for anything else.

    Example:

        cornu.config.set_dtype_policy("mixed_bfloat16")
        print(cornu.layers.Dense(2).compute_dtype)  # bfloat16
        cornu.config.set_dtype_policy("float32")
    """
    if not isinstance(policy, (str, dict, DTypePolicy, DTypePolicyMap)):
        raise ValueError(
            'set_dtype_policy: policy must be a name, such as "mixed_bfloat16" or "float32", or a DTypePolicy. '
            f"Received: policy={validate.shown(policy)}."
        )
    settings.write("dtype_policy", get(policy))


PolicyLike: TypeAlias = DTypeLike | DTypePolicy | DTypePolicyMap | Config
"""A policy, its name, a dtype, or a config."""


def get(identifier: PolicyLike | None) -> DTypePolicy | DTypePolicyMap:
    """The policy for a name, config, dtype or policy; None is the global one.

    Args:
        identifier: name, config, dtype, policy or None.

    Example:

        print(cornu.dtype_policies.get("mixed_bfloat16").compute_dtype)  # bfloat16
    """
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, (DTypePolicy, DTypePolicyMap)):
        return identifier
    if isinstance(identifier, dict):
        found = deserialize_keras_object(identifier)
        if not isinstance(found, (DTypePolicy, DTypePolicyMap)):
            raise ValueError(f"The config of a dtype policy has no name. Received: {identifier!r:.200}.")
        return found
    if isinstance(identifier, str):
        mode, apart, source_name = identifier.partition("_from_")
        return quantized(mode, source_name) if apart else DTypePolicy(identifier)
    return DTypePolicy(dtypes.standardize_dtype(identifier))
