"""Objects as plain data in the Keras 2 format: classes by name, without their module."""

from collections.abc import Mapping
from typing import Any

from cornu import registry
from cornu.core.typing import Config, ConfigDict, CustomObjects

__all__ = ["deserialize_keras_object", "serialize_keras_object"]


def serialize_keras_object(instance: object) -> ConfigDict | str | None:
    """`instance` as `{"class_name": ..., "config": ...}`, or a function as its name.

    Args:
        instance: an object with `get_config()`, a function, or None.

    Raises:
        ValueError: if it is anything else.

    Example:

        print(cornu.legacy.saving.serialize_keras_object(cornu.regularizers.L2(0.1)))
    """
    if instance is None:
        return None
    if hasattr(instance, "get_config"):
        return {"class_name": registry.get_registered_name(type(instance)), "config": instance.get_config()}
    if hasattr(instance, "__name__"):
        return registry.get_registered_name(instance)
    raise ValueError(f"serialize_keras_object: {instance!r} has no get_config() and is not a function.")


def deserialize_keras_object(
    identifier: object,
    module_objects: Mapping[str, Any] | None = None,
    custom_objects: CustomObjects | None = None,
    printable_module_name: str = "object",
) -> Any:
    """The object for a name or a dictionary from `serialize_keras_object`.

    Args:
        identifier: the dictionary, the name of a function or class, a function or class itself, or None.
        module_objects: dictionary from names to the candidate classes and functions. None by default.
        custom_objects: custom ones, looked up first, as are registered ones. None by default.
        printable_module_name: the kind of object, for error messages. Defaults to `"object"`.

    Raises:
        ValueError: if the name is unknown or missing.

    Example:

        config = {"class_name": "L2", "config": {"l2": 0.1}}
        names = {"L2": cornu.regularizers.L2}
        print(cornu.legacy.saving.deserialize_keras_object(config, module_objects=names).l2)
    """
    if identifier is None:
        return None
    if isinstance(identifier, str):
        found = _found(identifier, module_objects, custom_objects, printable_module_name)
        return found() if isinstance(found, type) else found
    if isinstance(identifier, Mapping):
        return _from_config(identifier, module_objects, custom_objects, printable_module_name)
    if callable(identifier):
        return identifier
    raise ValueError(f"deserialize_keras_object: {identifier!r} is not a name, a config or a function.")


def _from_config(config: Config, module_objects: object, custom_objects: CustomObjects | None, kind: str) -> Any:
    if not isinstance(config.get("class_name"), str) or "config" not in config:
        raise ValueError(f"deserialize_keras_object: a config needs 'class_name' and 'config'. Received: {config!r}.")
    found = _found(config["class_name"], module_objects, custom_objects, kind)
    if not hasattr(found, "from_config"):
        raise ValueError(f"deserialize_keras_object: {config['class_name']!r} has no from_config().")
    with registry.custom_objects(custom_objects):
        return found.from_config(config["config"])


def _found(name: str, module_objects: Any, custom_objects: CustomObjects | None, kind: str) -> Any:
    own = (custom_objects or {}).get(name)
    found = own if own is not None else registry.get_registered_object(name, module_objects=module_objects)
    if found is None:
        raise ValueError(f"Unknown {kind}: {name!r}. Pass it in custom_objects, or register it.")
    return found
