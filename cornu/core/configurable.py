"""Constructor -> config -> object.

The constructor's signature is the config: each parameter is an attribute of the same name, and `get_config` collects
those attributes. Parameters passed on through `**kwargs` are looked up in the base classes. A class overrides
`get_config` only if its parameters do not describe it completely.

A config is data. Reading one looks classes up in `cornu.registry` and never imports what the config names.
"""

import inspect
import re
import types
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self, cast

import jax
import numpy as np

from cornu import registry, validate
from cornu.core import allocation, budget, context, dtypes, function_code, number_arguments
from cornu.core.tracebacks import filter_methods
from cornu.core.typing import AnyDict, AnyFunction, Args, Config, ConfigDict, CustomObjects, cached
from cornu.errors import UnknownClassError

if TYPE_CHECKING:
    from cornu.training.loop import Trainer


@cached
def constructor_parameters(cls: type) -> tuple[str, ...]:
    """The names of the constructor's parameters, including those passed through `**kwargs`, outermost base class
    first."""
    own: list[str] = []
    names: list[str] = []
    for base in cls.__mro__:
        init = base.__dict__.get("__init__")
        if init is None or base is object:
            continue
        parameters = list(inspect.signature(init).parameters.values())[1:]
        own = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        names = [*(n for n in own if n not in names), *names]
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return tuple(names)


_DOORS = {"__init__", "__call__", "update_state", "apply"}  # entry points, where tracebacks are filtered


class Configurable:
    """An object that is completely described by the arguments of its constructor."""

    config_optional: tuple[str, ...] = ()  # omitted from the config while None
    config_skip: tuple[str, ...] = ()  # never in the config
    _noted_arguments: Config = types.MappingProxyType({})  # plain-data arguments, for classes that record them

    def __init_subclass__(cls, **kwargs: object):
        super().__init_subclass__(**kwargs)
        if registry.is_builtin(cls):
            number_arguments.check_constructor(cls)
            filter_methods(cls, _DOORS)

    def get_config(self) -> ConfigDict:
        """The constructor's arguments as plain data, from which `from_config` makes an equal object."""
        config = {}
        left_to_user = _written_by_user(type(self))
        for name in constructor_parameters(type(self)):
            if name in self.config_skip or name in left_to_user:
                continue
            value = getattr(self, name, _MISSING)
            if not _is_plain(value):
                value = self._noted_arguments.get(name, value)
            if value is _MISSING and _writes_own_config(type(self)):
                continue
            if value is _MISSING:
                raise AttributeError(
                    f"{validate.describe(self)}: the constructor's argument {name!r} is neither plain data nor stored "
                    "as "
                    f"an attribute of the same name. Store it (self.{name} = {name}) or write get_config()."
                )
            if not (value is None and name in self.config_optional):
                config[name] = _config_value(value)
        return config

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """An object equal to the one whose `get_config` returned `config`."""
        return cls(**{key: _from_config_value(value) for key, value in config.items()})


_PLAIN = (str, int, float, bool, type(None))
_MISSING = object()


def _is_plain(value: Any) -> bool:
    """Whether a value is plain data: strings, numbers, and lists, tuples and dictionaries of them."""
    if type(value) in (list, tuple):
        return all(map(_is_plain, value))
    if type(value) is dict:
        return all(map(_is_plain, [*value, *value.values()]))
    return type(value) in _PLAIN


def plain_arguments(cls: type, args: Args, kwargs: Config) -> ConfigDict:
    """The constructor arguments that are plain data, including defaults."""
    try:
        bound = _constructor(cls).bind(None, *args, **kwargs)
    except TypeError:  # the constructor will raise the error
        return {}
    bound.apply_defaults()
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    kinds = bound.signature.parameters
    return {n: v for n, v in bound.arguments.items() if kinds[n].kind not in variadic and _is_plain(v)}


@cached
def _constructor(cls: type) -> inspect.Signature:
    return inspect.signature(cls.__init__)  # type: ignore[misc]  # of this very class


@cached
def _written_by_user(cls: type) -> frozenset[str]:
    """The entries that a user's classes add to the base class's config in their own `get_config`."""
    base = next(base for base in cls.__mro__ if registry.is_builtin(base))
    writers = [c for c in cls.__mro__ if "get_config" in c.__dict__ and not registry.is_builtin(c)]
    names = {name for writer in writers for name in constructor_parameters(writer)}
    return frozenset(names - set(constructor_parameters(base)))


def _writes_own_config(cls: type) -> bool:
    """Whether a user's class overrides `get_config`, and so adds what it needs to the base class's config."""
    owner = next(base for base in cls.__mro__ if "get_config" in base.__dict__)
    return not registry.is_builtin(owner)


def _config_value(value: object) -> Any:
    """Nested objects become dictionaries; plain data stays as it is."""
    if isinstance(value, (Configurable, types.FunctionType, types.BuiltinFunctionType)) or _is_op(value):
        return serialize_keras_object(value)
    if isinstance(value, dict):
        return {key: _config_value(item) for key, item in value.items()}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return type(value)(_config_value(item) for item in value)
    return value


def _from_config_value(value: object) -> Any:
    if isinstance(value, dict) and "class_name" in value and "config" in value:
        return deserialize_keras_object(value)
    if isinstance(value, dict):
        return {key: _from_config_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_from_config_value(item) for item in value)
    return value


def _is_op(value: object) -> bool:
    return callable(value) and hasattr(value, "__wrapped__") and not isinstance(value, type)


# ---------------------------------------------------------------- to and from plain data


def serialize_keras_object(obj: object) -> Any:
    """`obj` as plain data in the form of Keras's files.

    Classes are named as Keras names them, so that real Keras reads the result.

    Args:
        obj: a layer, loss, optimizer or other object with a config, a function, or nested containers of them.

    Example:

        print(cornu.saving.serialize_keras_object(cornu.regularizers.L2(0.1)))
    """
    if obj is None or type(obj) in _PLAIN:
        return obj
    for kinds, write in _WRITERS:
        if isinstance(obj, kinds):
            return write(obj)
    if hasattr(obj, "as_plain_data"):
        return obj.as_plain_data()
    if hasattr(obj, "get_config"):
        return _write_object(obj)
    if hasattr(obj, "shape") and hasattr(obj, "dtype"):
        return _write_tensor(obj)
    if callable(obj):
        return _write_function(obj)
    raise TypeError(f"Cannot serialize an object of type {type(obj).__name__}: it has no get_config().")


def _write_tuple(obj: tuple[object, ...]) -> tuple[object, ...]:
    return tuple(serialize_keras_object(item) for item in obj)  # becomes a list in a file


def _write_list(obj: list[object]) -> list[object]:
    return [serialize_keras_object(item) for item in obj]


def _write_dict(obj: Mapping[Any, object]) -> ConfigDict:
    return {key: serialize_keras_object(value) for key, value in obj.items()}


def _write_slice(obj: slice) -> ConfigDict:
    return {
        "class_name": "__slice__",
        "config": {key: serialize_keras_object(getattr(obj, key)) for key in ("start", "stop", "step")},
    }


def _write_array(obj: object) -> ConfigDict:
    return {"class_name": "__numpy__", "config": {"value": np.asarray(obj).tolist(), "dtype": dtypes.dtype_of(obj)}}


def _write_tensor(obj: object) -> ConfigDict:
    return {"class_name": "__tensor__", "config": {"value": np.asarray(obj).tolist(), "dtype": dtypes.dtype_of(obj)}}


def _write_bytes(obj: bytes) -> ConfigDict:
    return {"class_name": "__bytes__", "value": obj.decode("utf-8")}


def _write_function(obj: AnyFunction) -> str | ConfigDict:
    if registry.is_catalogued(obj):
        return obj.__name__
    if getattr(obj, "__name__", "<lambda>") == "<lambda>":
        raise ValueError(
            "A lambda cannot be serialized: a file contains data, not code. Define the function by name with def "
            "and register it: @cornu.saving.register_keras_serializable()."
        )
    name = registry.get_registered_name(obj)
    return {"module": "builtins", "class_name": "function", "config": name, "registered_name": "function"}


def _write_class(obj: type) -> str:
    return obj.__name__


def _write_object(obj: object) -> ConfigDict:
    return with_shared_ids(lambda: _entry(obj))


_SHARED = "shared_object_id"


def with_shared_ids(write: Callable[[], ConfigDict]) -> ConfigDict:
    """The config returned by `write`, in which a layer that occurs several times gets a number that identifies it."""
    if context.current().written is not None:
        return write()
    with context.scope(written={}):
        config = write()
    times = Counter(entry[_SHARED] for entry in _numbered(config))
    for entry in list(_numbered(config)):
        if times[entry[_SHARED]] == 1:
            del entry[_SHARED]
    return config


def _numbered(config: object) -> Iterator[ConfigDict]:
    """The config entries that have a number."""
    if isinstance(config, dict) and _SHARED in config:
        yield config
    for item in config.values() if isinstance(config, dict) else config if isinstance(config, (list, tuple)) else ():
        yield from _numbered(item)


def _entry(obj: Any) -> ConfigDict:
    names = registry.in_files(type(obj))
    result = {
        "module": names.module,
        "class_name": names.name,
        "config": serialize_keras_object(dict(obj.get_config())),
        "registered_name": names.registered_name,
    }
    if hasattr(obj, "get_build_config"):
        result[_SHARED] = id(obj)
        _in_scope(context.current().written)[id(obj)] = obj
        build_config = obj.get_build_config()
        if build_config:
            result["build_config"] = build_config
    if hasattr(obj, "get_compile_config"):
        result["compile_config"] = compile_config(obj)
    return result


def _in_scope(numbers: AnyDict | None) -> AnyDict:
    """The layers of the config that is being written or read; one mapping per config."""
    return cast(AnyDict, numbers)


def compile_config(model: "Trainer") -> ConfigDict:
    """The arguments of `compile`; none, with a warning, if one of them is code that cannot be saved."""
    try:
        return serialize_keras_object(model.get_compile_config())
    except (TypeError, ValueError) as error:
        warnings.warn(
            f"{validate.describe(model)} is saved without the arguments of compile(): compile it again after "
            f"loading or copying it. {error}",
            stacklevel=2,
        )
        return {}


_WRITERS: tuple[tuple[Any, AnyFunction], ...] = (
    (bool, bool),
    (str, str),
    (np.bool_, bool),
    (np.integer, int),
    (np.floating, float),
    (bytes, _write_bytes),
    (tuple, _write_tuple),
    (list, _write_list),
    (slice, _write_slice),
    (type(Ellipsis), lambda obj: {"class_name": "__ellipsis__", "config": {}}),
    (np.dtype, lambda obj: obj.name),
    (np.ndarray, _write_array),
    (jax.Array, _write_tensor),
    (dict, _write_dict),
    (type, _write_class),
    (types.FunctionType, _write_function),
)


def deserialize_keras_object(
    config: object,
    custom_objects: CustomObjects | None = None,
    safe_mode: bool = True,
    module_objects: Config | None = None,
    printable_module_name: str = "object",
) -> Any:
    """The object that `serialize_keras_object` serialized as `config`.

    Only cornu's own classes and those in `custom_objects`, in a `custom_object_scope` or registered are found.

    Args:
        config: plain data.
        custom_objects: dictionary from names to classes or functions. None by default.
        safe_mode: code of functions in the config is run only if this is False. Within a load, the setting of that load
            applies instead.
        module_objects: more `custom_objects`, as older code passes them; if `config` is a name in it, the result is
            that object, or an instance if it is a class.
        printable_module_name: the kind of object expected, for error messages. Defaults to `"object"`.

    Raises:
        ValueError: if a name is unknown, or the config contains code or is malformed.

    Example:

        config = cornu.saving.serialize_keras_object(cornu.layers.Dense(2))
        print(cornu.saving.deserialize_keras_object(config).units)  # 2
    """
    if isinstance(config, str) and config in (module_objects or {}):
        named = cast(ConfigDict, module_objects)[config]
        return named() if isinstance(named, type) else named
    objects = {**(custom_objects or {}), **(module_objects or {})}
    with registry.custom_objects(objects), function_code.reading(safe_mode), shared_objects():
        try:
            return _read(config)
        except UnknownClassError as error:
            note = f"Expected the name of this kind of object: {printable_module_name}."
            if printable_module_name != "object" and note not in getattr(error, "__notes__", ()):
                error.add_note(note)
            raise


@contextmanager
def shared_objects() -> Iterator[None]:
    """Scope of one config: entries in it with the same number are the same layer."""
    known = context.current().shared
    with context.scope(shared={} if known is None else known):
        yield


def _read(config: object) -> Any:
    if isinstance(config, (list, tuple)):
        return type(config)(_read(item) for item in config)
    if not isinstance(config, dict):
        return config
    name = config.get("class_name")
    if name in _READERS:
        return _READERS[name](config)
    if name is None or ("config" not in config and "registered_name" not in config):
        return {key: _read(value) for key, value in config.items()}
    return _read_object(config)


def _read_array(config: Config) -> np.ndarray:
    """An array from its values; strings get dtype object, since a string dtype pads every item to the longest."""
    name, value = config["dtype"], config["value"]
    if isinstance(name, str) and (name == "string" or _TEXTS.fullmatch(name)):
        return np.array(value, dtype=object)
    if not isinstance(name, str) or name not in dtypes.NAMES:
        raise ValueError(
            f"The config contains an array of dtype {name!r:.100}. Known dtypes: {', '.join(dtypes.NAMES)}."
        )
    return np.array(value, dtype=name)


def _read_tensor(config: Config) -> jax.Array | np.ndarray:
    """A tensor; a NumPy array if a file is only being inspected, which runs under tracing, where values are unknown."""
    array = _read_array(config)
    return jax.numpy.asarray(array) if allocation.current().has_values else array


_TEXTS = re.compile(r"str\d*|[<>]?U\d*")  # NumPy's string dtypes

_READERS: dict[Any, Callable[[ConfigDict], Any]] = {
    "__tuple__": lambda c: tuple(_read(item) for item in c["items"]),
    "__slice__": lambda c: slice(*(c["config"][key] for key in ("start", "stop", "step"))),
    "__numpy__": lambda c: _read_array(c["config"]),
    "__tensor__": lambda c: _read_tensor(c["config"]),
    "__bytes__": lambda c: c["value"].encode("utf-8"),
    "__ellipsis__": lambda c: Ellipsis,
    function_code.CLASS_NAME: lambda c: function_code.read(c["config"], values=_read),
    "function": lambda c: find_object(c.get("module"), c["config"], c.get("registered_name")),
}

_PLAIN_READERS = _READERS.keys() - {"function", function_code.CLASS_NAME}


# Keras classes that occur in files but have no counterpart here, and what they refer to.
_ELSEWHERE = {
    "TFSMLayer": "a TensorFlow program in a separate directory",
}


def find_object(module: str | None, name: str, registered_name: str | None = None) -> Any:
    """The class or function called `name`: custom objects first, then cornu's own."""
    for candidate in (registered_name, name):
        found = registry.get_registered_object(candidate) if candidate else None
        if found is not None:
            return found
    found = registry.find_builtin(module or "keras", name)
    if found is None and name in _ELSEWHERE:
        raise UnknownClassError(f"The config contains Keras's {name}: {_ELSEWHERE[name]}. cornu has no such class.")
    if found is None:
        place = f" of module {module!r}" if module else ""
        raise UnknownClassError(
            f"Unknown {name!r}{place}. A file can refer to cornu's own classes and to custom objects: "
            f"pass custom_objects={{{name!r}: ...}}, or register it with @cornu.saving.register_keras_serializable()."
        )
    return found


def _read_object(config: ConfigDict) -> Any:
    budget.take("calls", budget.OF_AN_OBJECT, "The model")
    cls = find_object(config.get("module"), config["class_name"], config.get("registered_name"))
    inner = config.get("config")
    if not isinstance(cls, type):
        return cls
    if not hasattr(cls, "from_config"):
        raise ValueError(f"{cls.__name__} has no from_config(), so it cannot be created from a config.")
    key = (cls, str(config.get(_SHARED)))
    known = _in_scope(context.current().shared)
    if key in known:
        return known[key]
    obj = cls.from_config(_plain_tuples(inner) if isinstance(inner, dict) else {})
    if _SHARED in config and hasattr(obj, "build_from_config"):
        known[key] = obj
    build_config = config.get("build_config")
    if build_config and hasattr(obj, "build_from_config"):
        obj.build_from_config(_plain_tuples(build_config))
    compile_config = config.get("compile_config")
    if compile_config and hasattr(obj, "compile_from_config"):
        obj.compile_from_config(compile_config)
    return obj


def _plain_tuples(config: object) -> Any:
    """Read the wrapped tuples, slices and arrays of a config, but leave nested objects to the class."""
    if isinstance(config, list):
        return [_plain_tuples(item) for item in config]
    if not isinstance(config, dict):
        return config
    if config.get("class_name") in _PLAIN_READERS:
        return _READERS[config["class_name"]](config)
    if "class_name" in config and "config" in config:
        return config
    return {key: _plain_tuples(value) for key, value in config.items()}


# ---------------------------------------------------------------- named objects of one kind


class Catalogue:
    """The objects of one kind that strings may refer to: `losses.get("mse")`.

    Args:
        kind: the kind of object, for messages ("loss").
        objects: dictionary from every accepted name to a class or a function.
    """

    def __init__(self, kind: str, objects: Config):
        self.kind = kind
        self.objects = dict(objects)

    def get(self, identifier: object) -> Any:
        """The object for a name, a config, a class or an object; None for None."""
        if identifier is None:
            return None
        if isinstance(identifier, dict):
            found = self.deserialize(identifier)
        else:
            found = self._find(identifier) if isinstance(identifier, str) else identifier
        found = found() if isinstance(found, type) else found
        if callable(found) or isinstance(found, Configurable):
            return found
        article = "An" if self.kind[0] in "aeiou" else "A"
        raise ValueError(
            f"{article} {self.kind} must be a name, a config, or a callable. Received: {validate.shown(identifier)}."
        )

    def _find(self, name: str) -> Any:
        found = registry.get_registered_object(name, module_objects=self.objects)
        if found is None:
            raise ValueError(
                f"Unknown {self.kind} {validate.shown(name)}. "
                f"Closest valid names: {validate.closest(name, self.objects)}."
            )
        return found

    def serialize(self, obj: object) -> Any:
        """`obj` as plain data."""
        return serialize_keras_object(obj)

    def deserialize(self, config: object, custom_objects: CustomObjects | None = None) -> Any:
        """The object described by `config`, a dictionary or a name."""
        with registry.custom_objects(custom_objects):
            if isinstance(config, str):
                found = self._find(config)
                return found() if isinstance(found, type) else found
            if isinstance(config, dict) and "class_name" in config and "module" not in config:
                name = config["class_name"]
                if name in self.objects:
                    return self._find(name).from_config(config.get("config", {}))
            return deserialize_keras_object(config)
