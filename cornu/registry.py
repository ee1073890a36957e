"""Public names and the objects behind them.

Keras refers to a class in a file by module and class, `("keras.layers", "Dense")`. That name is looked up in two closed
places and nowhere else: cornu's own namespaces, listed below, and the objects that the running program registered or
passed as custom objects. A module named in a file is never imported.

A class is found as an attribute of a namespace in the fixed table, so this module imports nothing above itself.
"""

import contextvars
import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType, ModuleType
from typing import Any, NamedTuple, TypeVar

# The namespaces whose classes and functions may be referenced in a file.
NAMESPACES = (
    "activations", "constraints", "dtype_policies", "initializers", "layers", "losses", "metrics", "models",
    "optimizers", "optimizers.schedules", "quantizers", "random", "regularizers", "ops", "distillation",
)  # fmt: skip

# The modules of classes that appear in files, but are not public.
_UNLISTED = {
    "CustomScaleLayer": "applications.inception_resnet_v2",
    "Cross": "utils.feature_space",
    "Feature": "utils.feature_space",
    "FeatureSpace": "utils.feature_space",
    "Functional": "models.model",
    "GroupedQueryAttention": "layers.multi_head_attention",  # whole-model .h5 files use this class name
    "LayerScale": "applications.convnext",
    "TFDIdentity": "utils.feature_space",
}
# Namespaces of functions, besides `@op`, that files may reference; none accepts a function, path or config.
_FUNCTIONS = ("activations", "losses", "metrics")
_HELPERS = ("deserialize", "get", "serialize")
_PREFIX = "cornu."

Registered = TypeVar("Registered", bound=Callable[..., object])

_registered: dict[str, Callable[..., object]] = {}  # classes and functions
_registered_names: dict[object, str] = {}
_NO_OBJECTS: Mapping[str, Callable[..., object]] = MappingProxyType({})
_scoped = contextvars.ContextVar("custom_objects", default=_NO_OBJECTS)


def is_builtin(obj: object) -> bool:
    """Whether `obj` is a class or function of cornu itself."""
    return (getattr(obj, "__module__", None) or "").startswith(_PREFIX) and obj not in _registered_names


def is_catalogued(obj: Callable[..., object]) -> bool:
    """Whether `obj` is a built-in function that can be found by name, such as an activation or a loss."""
    if not is_builtin(obj):
        return False
    found = (getattr(_namespace(n), obj.__name__, None) for n in NAMESPACES if n != "ops")
    return any(one is obj for one in found)


class InFiles(NamedTuple):
    """How Keras's files refer to a class. A class overrides in `_in_files` what does not follow from its public path.

    Attributes:
        module: the namespace; None uses the package of the class, `keras.layers` for `Dense`.
        name: the class's name; None uses `__name__`.
        registered_name: the name under which it was registered, if it was.
    """

    module: str | None = None
    name: str | None = None
    registered_name: str | None = None


def in_files(cls: type) -> InFiles:
    """How files refer to a class; third-party classes are found only by name."""
    if not is_builtin(cls):
        return InFiles(None, cls.__name__, get_registered_name(cls))
    said = cls.__dict__.get("_in_files", InFiles())
    folder = ".".join(["keras", *cls.__module__.split(".")[1:-1]])
    return InFiles(said.module or folder, said.name or cls.__name__, said.registered_name)


def find_builtin(module: str, name: str) -> Callable[..., object] | None:
    """The built-in object that a file refers to as `module.name`, or None: a public class, or a function of tensors."""
    if module.split(".", maxsplit=1)[0] not in ("keras", "builtins"):
        return None
    if name in _UNLISTED:
        return public(_UNLISTED[name], name)
    for namespace in [n for n in NAMESPACES if module == f"keras.{n}"] or NAMESPACES:
        found = _public(namespace, name)
        if found is not None:
            return found
    return None


def _public(namespace: str, name: str) -> Callable[..., object] | None:
    space = _namespace(namespace)
    found = getattr(space, name) if name in space.__all__ else None
    is_function = hasattr(found, "flow") or (namespace in _FUNCTIONS and callable(found) and name not in _HELPERS)
    return found if isinstance(found, type) or is_function else None


def named(namespace: str, name: str) -> Any:
    """The object for a name in a namespace:  `named("initializers", "zeros")`."""
    return public(namespace, "get")(name)


def public(namespace: str, name: str) -> Any:
    """The object of a namespace, for modules below it: `public("ops", "add")`."""
    return getattr(_namespace(namespace), name)


def _namespace(name: str) -> ModuleType:
    return importlib.import_module(_PREFIX + name)


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[Registered], Registered]:
    """Decorator that lets saved files refer to a class or function by name.

    Args:
        package: what stands before the `>`. Defaults to `"Custom"`.
        name: what stands after it; None is the name of the class or function.

    Example:

        @cornu.saving.register_keras_serializable(package="my_layers")
        class Doubled(cornu.layers.Layer):
            def call(self, inputs):
                return inputs * 2
    """

    def decorate(obj: Registered) -> Registered:
        registered_name = f"{package}>{name or obj.__name__}"
        if isinstance(obj, type) and not hasattr(obj, "get_config"):
            raise ValueError(f"register_keras_serializable: class {obj.__name__} must have a get_config() method.")
        _registered[registered_name] = obj
        _registered_names[obj] = registered_name
        return obj

    return decorate


def get_registered_name(obj: Any) -> str:
    """The name under which `obj` was registered, or its own name.

    Args:
        obj: a class or function.

    Example:

        print(cornu.saving.get_registered_name(cornu.layers.Dense))  # Dense
    """
    return _registered_names.get(obj, obj.__name__)


def get_registered_object(
    name: str,
    custom_objects: Mapping[str, Callable[..., object]] | None = None,
    module_objects: Mapping[str, Callable[..., object]] | None = None,
) -> Callable[..., object] | None:
    """The object of that name among scoped and registered ones, or None.

    Args:
        name: the registered name, such as `"package>Class"`.
        custom_objects: dictionary from names to classes or functions, searched next. None by default.
        module_objects: likewise, searched last. None by default.

    Example:

        print(cornu.saving.get_registered_object("mine>Layer"))  # None
    """
    for table in (_scoped.get(), _registered, custom_objects or {}, module_objects or {}):
        if name in table:
            return table[name]
    return None


def custom_objects_in_scope() -> dict[str, Callable[..., object]]:
    """All objects that the running program registered or passed, by name."""
    return {**_registered, **_scoped.get()}


def get_custom_objects() -> dict[str, Callable[..., object]]:
    """The table of registered objects, which may be modified.

    Example:

        print("Custom>Unknown" in cornu.saving.get_custom_objects())  # False
    """
    return _registered


def is_registered(obj: object) -> bool:
    """Whether `obj` was registered by the running program."""
    return obj in _registered_names


@contextmanager
def custom_objects(objects: Mapping[str, Callable[..., object]] | None) -> Iterator[None]:
    """Make `objects` available by name inside the `with` block."""
    token = _scoped.set({**_scoped.get(), **(objects or {})})
    try:
        yield
    finally:
        _scoped.reset(token)


class CustomObjectScope:
    """Context manager that makes custom classes and functions available by name while a model is loaded.

    Args:
        custom_objects: dictionary from names to classes or functions. None by default.

    Example:

        def shifted(x):
            return x + 1

        with cornu.saving.custom_object_scope({"shifted": shifted}):
            layer = cornu.layers.Activation("shifted")
    """

    def __init__(self, custom_objects: Mapping[str, Callable[..., object]] | None):
        self.custom_objects = custom_objects or {}

    def __enter__(self) -> "CustomObjectScope":
        self._manager = custom_objects(self.custom_objects)
        self._manager.__enter__()
        return self

    def __exit__(self, *details: Any) -> None:
        self._manager.__exit__(*details)


custom_object_scope = CustomObjectScope
