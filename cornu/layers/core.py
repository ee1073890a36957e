"""`Identity`, and `Lambda`: a function as a layer."""

import inspect
import re
import types
import warnings
from collections.abc import Mapping
from typing import Any, Unpack, cast

from cornu import registry, tree, validate
from cornu.core import context, function_code
from cornu.core.configurable import deserialize_keras_object, serialize_keras_object
from cornu.core.symbolic import KerasTensor
from cornu.core.typing import AnyFunction, Config, ConfigDict, CustomObjects, Nested
from cornu.layers.layer import Layer
from cornu.layers.options import LayerOptions


class Identity(Layer):
    """Returns its inputs, which may be any structure of tensors.

    Example:

        print(cornu.layers.Identity()(np.array([1.0, 2.0])))  # [1. 2.]
    """

    pure_call = rowwise = True

    def __init__(self, **kwargs: Unpack[LayerOptions]):
        super().__init__(**kwargs)
        self.supports_masking = True
        self._without_weights()

    def call(self, inputs: Nested) -> Nested:
        """The inputs."""
        return inputs


class Lambda(Layer):
    """A function as a layer.

    The layer does not track weights that the function uses: write a `Layer` subclass for those. To save a model, define
    the function by name with `def` and register it with `cornu.saving.register_keras_serializable()`: the file then
    contains that name. For a `lambda`, it can only contain the bytecode, which loads only with `safe_mode=False` and in
    the same Python release.

    Args:
        function: function of the inputs. Parameters called `mask` or `training` are passed those values too.
        output_shape: shape of the output without the batch axis (a list of tuples for several outputs), or a function
            of the input shape; None infers it by running the function abstractly.
        mask: the output's mask, or a function of (inputs, mask) that computes it; None drops masks.
        arguments: dictionary of additional keyword arguments for the function. None by default.

    Example:

        print(cornu.layers.Lambda(lambda x: x ** 2)(np.array([3.0])))  # [9.]
    """

    pure_call = rowwise = True
    config_skip: tuple[str, ...] = (*Layer.config_skip, "function", "output_shape", "mask", "arguments")

    def __init__(
        self,
        function: AnyFunction,
        output_shape: object = None,
        mask: object = None,
        arguments: Mapping[str, Any] | None = None,
        **kwargs: Unpack[LayerOptions],
    ):
        super().__init__(**kwargs)
        if not callable(function):
            raise TypeError(
                f"{validate.describe(self)}: function must be callable. Received: function={validate.shown(function)}."
            )
        self.function = function
        self.output_shape = output_shape
        self.mask = mask
        self.arguments = dict(arguments or {})
        self.supports_masking = mask is not None
        self._accepts = _parameter_names(function)

    def call(self, inputs: Nested, mask: Nested = None, training: bool | None = None) -> Nested:
        """The result of the function."""
        extra = {"mask": mask, "training": training}
        given = {name: value for name, value in extra.items() if name in self._accepts}
        if self.mask is None and "mask" not in given and any(m is not None for m in tree.flatten(mask)):
            warnings.warn(
                f"{validate.describe(self)} received an input with a mask, which its function does not accept and "
                "which "
                "is therefore dropped. Give the function a parameter called mask, or the layer a mask argument.",
                stacklevel=2,
            )
        if context.current().safe_mode and not registry.is_builtin(self.function):
            self._check_texts((inputs, self.arguments, given))
        try:
            return self.function(inputs, **{**self.arguments, **given})
        except NameError as error:
            said = function_code.lacks_name(self.function, error)
            if not said:
                raise
            raise NameError(f"{validate.describe(self)}: {said}", name=error.name) from error

    def _check_texts(self, arguments: object) -> None:
        """Reject text that a file passes to a user's function while it is being read, if it could be a path or a
        command."""
        for text in tree.flatten(arguments):
            if isinstance(text, (str, bytes)) and _LEADS_ELSEWHERE.search(str(text)):
                raise ValueError(
                    f"{validate.describe(self)}: the file calls your function {self.function.__name__!r} with the text "
                    f"{text!r:.200}, which could be a path, an address or a command. It was rejected. If you trust the "
                    "file as you would a program, pass safe_mode=False to the function that loads it."
                )

    def compute_output_spec(self, inputs: Nested, *args: Any, **kwargs: Any) -> Nested:
        """The symbolic output: of the declared shape, or inferred by running the function abstractly."""
        if self.output_shape is None:
            try:
                return super().compute_output_spec(inputs, *args, **kwargs)
            except NameError:
                raise
            except Exception as error:
                error.add_note("A Lambda layer whose function cannot run on abstract arrays needs output_shape=...")
                raise
        shapes = tree.map_structure(lambda x: x.shape, inputs)
        if callable(self.output_shape):
            promised = self.output_shape(shapes)
        else:
            batch = next(x for x in tree.flatten(inputs) if hasattr(x, "shape")).shape[:1]
            promised = tree.map_shape_structure(lambda shape: (*batch, *shape), self.output_shape)
        return tree.map_shape_structure(lambda shape: KerasTensor(shape, self.compute_dtype), promised)

    def compute_mask(self, inputs: Nested, mask: Nested = None) -> Nested:
        """The mask passed to the layer, or the result of its mask function."""
        return self.mask(inputs, mask) if callable(self.mask) else self.mask

    def get_config(self) -> ConfigDict:
        """The constructor's arguments; functions by name if a file can refer to them."""
        config = super().get_config() | {"arguments": serialize_keras_object(self.arguments)}
        for key in _FUNCTION_KEYS:
            value = getattr(self, key)
            if value is not None:
                config[key] = _function_config(value) if callable(value) else _plain(value)
        return config

    @classmethod
    def from_config(
        cls, config: Config, custom_objects: CustomObjects | None = None, safe_mode: bool | None = None
    ) -> "Lambda":
        """The layer described by `get_config`.

        Args:
            config: the config.
            custom_objects: dictionary from names to functions, for functions that are not registered.
            safe_mode: code in the config is run only if this is False.

        Raises:
            ValueError: if the config names an unknown function, or contains code that is not allowed to run.
        """
        with registry.custom_objects(custom_objects), function_code.reading(safe_mode, "The config of a Lambda layer"):
            functions = {key: _read_function(config, key) for key in _FUNCTION_KEYS if key in config}
        rest = {key: value for key, value in config.items() if key not in _LEGACY_KEYS}
        return super().from_config({**rest, **functions})


# Text that could be a path, an address or a command, unlike the mode or axis arguments of functions.
_LEADS_ELSEWHERE = re.compile(r"[/\\:~$|;&<`\0-\x1f]|\.\.|\.[A-Za-z]\w*$")
_FUNCTION_KEYS = ("function", "output_shape", "mask")
# Entries that Keras 2 writes next to functions.
_LEGACY_KEYS = ("function_type", "module", "output_shape_type", "output_shape_module")


def _parameter_names(function: AnyFunction) -> tuple[str, ...]:
    try:
        return tuple(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # a function written in C
        return ()


def _function_config(function: AnyFunction) -> Any:
    """The function's name as a config, else its code, else the function itself, which the writer of files rejects."""
    if function_code.is_unnamed(function):
        return function_code.Written(cast(types.FunctionType, function))
    name = registry.get_registered_name(function) if hasattr(function, "__name__") else None
    if name is None or not (registry.is_registered(function) or _builtin_function(name) is function):
        return function
    return {"module": "builtins", "class_name": "function", "config": name, "registered_name": "function"}


def _plain(value: object) -> Any:
    """Arrays as plain data, anything else unchanged."""
    return serialize_keras_object(value) if hasattr(value, "dtype") else value


def _builtin_function(name: str) -> AnyFunction | None:
    """The activation or operation called `name`."""
    return registry.find_builtin("keras.activations", name) or registry.find_builtin("keras.ops", name)


def _read_function(config: Config, key: str) -> Any:
    """The function in the config under `key`; values that are not functions are returned unchanged."""
    value, kind = config[key], config.get("function_type" if key == "function" else f"{key}_type")
    if isinstance(value, function_code.Written):
        return value.function
    if kind == "lambda":  # Keras 2
        return function_code.read(value, f"the {key} of a Lambda layer", deserialize_keras_object)
    if isinstance(value, str) and (kind == "function" or key == "function"):
        return _named_function(value)
    if key == "function" and isinstance(value, (list, tuple)):
        return function_code.read(value, f"the {key} of a Lambda layer", deserialize_keras_object)
    if not (isinstance(value, dict) and "class_name" in value):
        return value
    if value["class_name"] == function_code.CLASS_NAME:
        return function_code.read(value["config"], f"the {key} of a Lambda layer", deserialize_keras_object)
    return _named_function(value["config"]) if value["class_name"] == "function" else deserialize_keras_object(value)


def _named_function(name: str) -> AnyFunction:
    found = registry.get_registered_object(name) or _builtin_function(name)
    if found is None:
        raise ValueError(
            f"Lambda: unknown function {name!r}. Pass custom_objects={{{name!r}: ...}}, or register the function with "
            "@cornu.saving.register_keras_serializable()."
        )
    return found


__all__ = ["Identity", "Lambda"]
