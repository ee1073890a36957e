"""Operations of `cornu.ops` in a graph, with the names and arguments used in Keras's files.

Keras has a class for each operation: some arguments go to its constructor and form its config, the others to its call.
Tensors are call arguments and the rest constructor arguments, except for the operations in `_CALLS`.
"""

from typing import Any, cast

import cornu.ops
from cornu import activations, tree
from cornu.core.configurable import deserialize_keras_object, serialize_keras_object
from cornu.core.operation import FunctionOperation, OpFunction
from cornu.core.typing import AnyFunction, AnyList, Config, ConfigDict, Kwargs

_MODULES = ("keras.src.ops.", "keras.src.activations.")

# Keras's module for each file here, if it is not `numpy`; by function name where the file does not determine it.
_BY_FILE = {
    "activation": "nn", "attention": "nn", "color": "image", "control": "core", "convolution": "nn",
    "crossentropy": "nn", "ctc": "nn", "encoding": "nn", "filtering": "image", "linalg": "linalg", "measure": "nn",
    "normalization": "nn", "patches": "nn", "resampling": "image", "segment": "math", "signal": "math",
}  # fmt: skip
_BY_NAME = {
    **dict.fromkeys(
        ("cdist", "erf", "erfc", "erfinv", "in_top_k", "logdet", "logsumexp", "rsqrt", "top_k", "view_as_complex",
         "view_as_real"), "math"
    ),
    **dict.fromkeys(
        ("cast", "saturate_cast", "scatter", "scatter_update", "slice", "slice_update", "unstack"), "core"
    ),
    "rearrange": "einops", "slogdet": "numpy",
}  # fmt: skip

# Call parameters in Keras, by position and by keyword; all others are config.
_CALLS = {
    "associative_scan": (("f", "elems"), ()),
    "average": (("x",), ("weights",)),
    "batch_normalization": (("x", "mean", "variance", "offset", "scale"), ()),
    "bincount": (("x",), ()),
    "clip": (("x",), ()),
    "dot_product_attention": (("query", "key", "value"), ("bias", "mask", "scale")),
    "fori_loop": (("lower", "upper", "init_val"), ()),
    "get_item": (("x", "key"), ()),
    "isclose": (("x1", "x2", "rtol", "atol"), ()),
    "layer_normalization": (("x", "gamma", "beta"), ()),
    "map": (("f", "xs"), ()),
    "pad": (("x",), ("constant_values",)),
    "rms_normalization": (("x",), ("scale",)),
    "scale_and_translate": (("images", "output_shape", "scale", "translation"), ()),
    "scan": (("f", "init", "xs"), ()),
    "select": (("condlist", "choicelist", "default"), ()),
    "trapezoid": (("y",), ()),
    "vectorized_map": (("elements",), ()),
    "while_loop": (("loop_vars",), ()),
}


def is_written(entry: Config) -> bool:
    """Whether a layer's entry in a graph's config is one of these operations."""
    return str(entry.get("module", "")).startswith(_MODULES)


def write(operation: FunctionOperation) -> tuple[ConfigDict, tuple[AnyList, Kwargs]]:
    """(config of the operation, arguments of its only call), in Keras's format."""
    args, kwargs, config = _form(operation, list(operation.nodes[0].args), dict(operation.nodes[0].kwargs))
    entry = {
        "module": f"keras.src.{_module(operation.function)}",
        "class_name": operation.class_name,
        "config": serialize_keras_object({"name": operation.name, **config}),
        "registered_name": operation.class_name,
    }
    return entry, (args, kwargs)


def _module(function: AnyFunction) -> str:
    _, folder, file = function.__module__.rsplit(".", 2)
    if folder == "activations":
        return "activations.activations"
    return f"ops.{_BY_NAME.get(function.__name__) or _BY_FILE.get(file, 'numpy')}"


def _form(operation: FunctionOperation, args: AnyList, kwargs: Kwargs) -> tuple[AnyList, Kwargs, Kwargs]:
    """(positional, keyword, config) arguments in Keras's format."""
    name, settings = operation.function.__name__, dict(operation.settings)
    if name == "einsum":
        return args[1:], kwargs, {"subscripts": args[0], **settings}
    if name == "rearrange":
        return [*args, settings.pop("pattern")], kwargs | settings, {}
    if name not in _CALLS:
        return args, kwargs, settings
    signature = operation.function.flow.signature
    bound = signature.bind(*args, **kwargs, **settings)
    bound.apply_defaults()
    given = dict(bound.arguments)
    positional, keyword = _CALLS[name]
    return [given.pop(n) for n in positional], {n: given.pop(n) for n in keyword}, given


def read(entry: Config, args: AnyList, kwargs: Kwargs) -> FunctionOperation:
    """Repeat the call of a serialized operation on symbolic tensors; returns the new operation."""
    function = _function(entry["class_name"])
    config = tree.lists_to_tuples(deserialize_keras_object(entry["config"]))  # files contain only lists
    settings = {key: value for key, value in config.items() if key != "name"}
    if "subscripts" in settings:
        args = [settings.pop("subscripts"), *args]
    if function.__name__ in _CALLS:  # by name, since the order may differ here
        args, kwargs = [], dict(zip(_CALLS[function.__name__][0], args, strict=False)) | kwargs
    tensors, keywords, settings = function.flow.split(tuple(args), {**settings, **kwargs})
    operation = FunctionOperation(function, entry["name"], **settings)
    operation(*tensors, **keywords)
    return operation


def _function(class_name: str) -> OpFunction:
    found: Any = _ACTIVATIONS.get(class_name) or _FUNCTIONS.get(class_name.lower())
    if found is None:
        raise ValueError(f"The config names an unknown operation {class_name!r}.")
    return found


def _by_class_name() -> ConfigDict:
    named = {
        name: getattr(space, name)
        for space in (cornu.ops.image, cornu.ops)
        for name in space.__all__
        if hasattr(getattr(space, name), "flow")
    }
    by_class = {function.class_name.lower(): function for function in named.values()}
    return by_class | {name.replace("_", ""): function for name, function in named.items()}


_FUNCTIONS = _by_class_name()
# Activations that are not also operations.
_ACTIVATIONS = {cast(OpFunction, f).class_name: f for f in (activations.relu, activations.mish)}
