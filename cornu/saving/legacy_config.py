"""Configs of Keras 1 and 2 made into those of Keras 3: plain data in, plain data out.

What a release renamed is in tables: of classes, of arguments, of values. An argument that the class of today lacks is
dropped where its value changes nothing, else the config is refused. The old way to write a graph is turned into the
new one by `legacy_graph`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cornu import registry
from cornu.core import context
from cornu.core.configurable import constructor_parameters
from cornu.core.typing import AnyList, Config, ConfigDict
from cornu.errors import DamagedFileError
from cornu.saving import legacy_functions, legacy_graph

_LAYERS = "keras.layers"

# Classes by the names that they have lost.
_CLASSES = {
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "CuDNNGRU": "GRU",
    "CuDNNLSTM": "LSTM",
    "GRUCellV2": "GRUCell",
    "GRUV1": "GRU",
    "GRUV2": "GRU",
    "LSTMCellV2": "LSTMCell",
    "LSTMV1": "LSTM",
    "LSTMV2": "LSTM",
    "SeparableConvolution1D": "SeparableConv1D",
    "SeparableConvolution2D": "SeparableConv2D",
    "SyncBatchNormalization": "BatchNormalization",
    "ThresholdedReLU": "ReLU",
    "UnifiedGRU": "GRU",
    "UnifiedLSTM": "LSTM",
}
# Classes without an equal today.
_GONE = (
    "Convolution2DTranspose", "CuDNNConvLSTM2D", "Deconvolution2D", "Deconvolution3D", "DenseFeatures", "Graph",
    "Highway", "LocallyConnected1D", "LocallyConnected2D", "MaxoutDense", "ParametricSoftplus", "RandomFourierFeatures",
    "SReLU", "SequenceFeatures", "TimeDistributedDense",
)  # fmt: skip
# How Keras 1 merged, as layers of today.
_MERGES = {
    "sum": "Add", "mul": "Multiply", "concat": "Concatenate", "ave": "Average", "max": "Maximum", "min": "Minimum",
    "dot": "Dot",
}  # fmt: skip

# Arguments by their old names; if the class still has the old name, it is not renamed.
_ARGUMENTS = {
    "W_constraint": "kernel_constraint",
    "W_regularizer": "kernel_regularizer",
    "U_regularizer": "recurrent_regularizer",
    "alpha": "negative_slope",
    "atrous_rate": "dilation_rate",
    "b_constraint": "bias_constraint",
    "b_regularizer": "bias_regularizer",
    "beta_init": "beta_initializer",
    "bias": "use_bias",
    "border_mode": "padding",
    "depthwise_init": "depthwise_initializer",
    "dim_ordering": "data_format",
    "dropout_U": "recurrent_dropout",
    "dropout_W": "dropout",
    "filter_length": "kernel_size",
    "forget_bias_init": "unit_forget_bias",
    "gamma_init": "gamma_initializer",
    "init": "kernel_initializer",
    "inner_activation": "recurrent_activation",
    "inner_init": "recurrent_initializer",
    "length": "size",
    "nb_filter": "filters",
    "output_dim": "units",
    "p": "rate",
    "pointwise_init": "pointwise_initializer",
    "pool_length": "pool_size",
    "sigma": "stddev",
    "stride": "strides",
    "subsample": "strides",
    "subsample_length": "strides",
    "theta": "threshold",
}
# The same, for names specific to a class.
_ARGUMENTS_OF = {
    "Embedding": {
        "init": "embeddings_initializer", "W_regularizer": "embeddings_regularizer",
        "W_constraint": "embeddings_constraint",
    },
    "PReLU": {"init": "alpha_initializer"},
    "SeparableConv2D": {"init": "depthwise_initializer"},
}  # fmt: skip
# Sizes that Keras 1 passed separately.
_SIZES = (("nb_row", "nb_col"), ("kernel_dim1", "kernel_dim2", "kernel_dim3"))

_VALUES: dict[str, ConfigDict] = {
    "data_format": {"tf": "channels_last", "th": "channels_first", "default": None},
    "unit_forget_bias": {"one": True, "ones": True, "zero": False, "zeros": False},
}


def _any(value: object) -> bool:
    return True


def _nothing(value: object) -> bool:
    return value in (None, False, 0, 0.0, "", [], {})


# Removed arguments: the values that can be dropped without changing what the layer computes.
_DROPPED: dict[str, Callable[[object], bool]] = {
    "activity_regularizer": _nothing,
    "batch_input_shape": _any,
    "build_config": _any,
    "causal": _nothing,
    "consume_less": _any,
    "dim_ordering": _any,
    "dropout": _nothing,
    "fused": _any,
    "groups": lambda value: value in (None, 1),
    "implementation": _any,
    "input_dim": _any,
    "input_dtype": _any,
    "input_length": _any,
    "input_tensor": _nothing,
    "kernel_constraint": _any,  # those of a depthwise convolution are called depthwise_...
    "kernel_initializer": _any,
    "kernel_regularizer": _any,
    "key_shape": _any,
    "lora_rank": _nothing,
    "mode": _nothing,
    "num_constants": _nothing,
    "filters": _nothing,
    "query_shape": _any,
    "ragged": _nothing,
    "return_runtime": _any,
    "seed": _any,
    "sparse": _nothing,
    "time_major": _nothing,
    "trainable": _any,  # layers without weights
    "value_shape": _any,
    "virtual_batch_size": _nothing,
}  # fmt: skip

# By suffix of an argument's name: the namespace of its objects.
_HELD = {
    "_initializer": "keras.initializers",
    "_regularizer": "keras.regularizers",
    "_constraint": "keras.constraints",
}
_INITIALIZERS = {"one": "ones", "zero": "zeros", "uniform": "random_uniform", "normal": "random_normal"}
_MODELS = ("Sequential", "Model", "Functional", "Network")
_RECURRENT = ("RNN", "SimpleRNN", "LSTM", "GRU", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "Bidirectional")
_OLD_HARD_SIGMOID = {
    "module": "builtins", "class_name": "function", "registered_name": "function",
    "config": registry.get_registered_name(legacy_functions.hard_sigmoid),
}  # fmt: skip


def upgrade(config: Config, version: str | None = None) -> tuple[ConfigDict, list[str]]:
    """The config of a model or layer in the Keras 3 format, and a line for each notable change.

    Args:
        config: `{"class_name": ..., "config": ...}` as written by any Keras release; it is not modified.
        version: the release, if known; inferred from the config by default.

    Raises:
        ValueError: if there is no current equivalent, or it is damaged.
    """
    given = version or config.get("keras_version")
    old = is_old(given) if given else _looks_old(config)
    upgrader = _Upgrader(old, _only_data_format(config))
    return upgrader.entry(config), upgrader.lines


def of_today(config: dict[str, object]) -> Any:
    """A config of any release in the current format, with a warning about notable changes."""
    release = release_of(config) if context.current().shared is None else None
    if release is None:
        return config
    upgraded, lines = upgrade(config, release)
    if lines:
        warnings.warn(f"The config was written by Keras {release}. " + " ".join(lines), stacklevel=3)
    return upgraded


def release_of(config: object, version: str | None = None) -> str | None:
    """The release of Keras 1 or 2 that wrote a config, if known; None for a current config.

    Args:
        config: the config of a model or layer.
        version: the version in the file; the config may contain it as well.
    """
    given = version or (config.get("keras_version") if isinstance(config, Mapping) else None)
    if given is not None and str(given)[:1].isdecimal():
        return str(given) if is_old(given) else None
    return "2" if _looks_old(config) else None


def is_old(version: str) -> bool:
    """Whether a release is one of Keras 1 or 2."""
    first = str(version).split(".", maxsplit=1)[0]
    if not first.isdecimal():
        raise DamagedFileError(f"The file names a Keras release that does not exist: {str(version)[:40]!r}.")
    return int(first) < 3


def _looks_old(config: object) -> bool:
    """Whether Keras 1 or 2 wrote the config: it has names, or calls in a format, that Keras 3 does not use."""
    if not isinstance(config, Mapping):
        return isinstance(config, (list, tuple)) and any(map(_looks_old, config))
    kind, calls = config.get("class_name"), config.get("inbound_nodes")
    return (
        "batch_input_shape" in config
        or (isinstance(kind, str) and (kind in _CLASSES or kind in _GONE))
        or (kind == "Sequential" and isinstance(config.get("config"), list))
        or (isinstance(calls, list) and any(isinstance(call, list) for call in calls))
        or any(map(_looks_old, config.values()))
    )


def _only_data_format(config: object) -> str | None:
    """The data format of the layers that name one, if they agree: some layers of Keras 1 omitted it."""
    found = set(_dim_orderings(config))
    return _VALUES["data_format"].get(found.pop()) if len(found) == 1 else None


def _dim_orderings(config: object) -> Iterator[str]:
    if isinstance(config, Mapping) and isinstance(config.get("dim_ordering"), str):
        yield config["dim_ordering"]
    children = config.values() if isinstance(config, Mapping) else config if isinstance(config, list) else ()
    for child in children:
        yield from _dim_orderings(child)


class _Upgrader:
    """Rewrites entries, `{"class_name": ..., "config": ...}`, and collects notable changes."""

    def __init__(self, old: bool, data_format: str | None):
        self.old = old
        self.data_format = data_format
        self.lines: list[str] = []

    def entry(self, entry: object) -> ConfigDict:
        """A model or layer."""
        if not isinstance(entry, Mapping) or not isinstance(entry.get("class_name"), str) or "config" not in entry:
            raise DamagedFileError(f"The config is damaged: expected a layer, found {str(entry)[:80]!r}.")
        config = entry["config"]
        if isinstance(config, list):
            return self._sequential(entry, {"layers": config, "name": entry.get("name")})
        if not isinstance(config, Mapping):
            raise DamagedFileError(f"The config of a {entry['class_name']} is damaged: {str(config)[:80]!r}.")
        if "input_layers" in config and "output_layers" in config:
            return self._functional(entry, config)
        if entry["class_name"] == "Sequential":
            return self._sequential(entry, config)
        return self._layer(entry["class_name"], dict(config), entry)

    # ------------------------------------------------------------ models

    def _sequential(self, entry: Config, config: Config) -> ConfigDict:
        layers = _list(config.get("layers", []), "layers")
        upgraded = [self.entry(layer) for layer in layers]
        if layers and self.old:
            first = layers[0]["config"]
            shape = first.get("batch_input_shape") if isinstance(first, Mapping) else None
            if shape and upgraded[0]["class_name"] != "InputLayer":
                upgraded.insert(0, _input_for(upgraded[0], shape))
        rest = {key: value for key, value in config.items() if value is not None}
        if "dtype" in rest:
            rest["dtype"] = _dtype(rest["dtype"])
        return _built(entry, {**rest, "layers": upgraded}, "keras")

    def _functional(self, entry: Config, config: Config) -> ConfigDict:
        layers = [_checked_node(layer) for layer in _list(config.get("layers"), "layers")]
        kind = "Functional" if entry["class_name"] in _MODELS else entry["class_name"]
        if not self.old:
            upgraded = [{**self._node(layer), "inbound_nodes": layer["inbound_nodes"]} for layer in layers]
            return _built({**entry, "class_name": kind}, {**config, "layers": upgraded}, "keras")
        graph = legacy_graph.Graph(layers, [config["input_layers"], config["output_layers"]])
        upgraded = []
        for layer in layers:
            calls = graph.calls(layer, recurrent=_CLASSES.get(layer["class_name"], layer["class_name"]) in _RECURRENT)
            operation = legacy_graph.operation(layer, calls)
            if operation is None:
                operation = {**self._node(layer), "inbound_nodes": calls}
            upgraded.append(operation)
        ends = {key: graph.ends(config[key]) for key in ("input_layers", "output_layers")}
        rest = {key: value for key, value in config.items() if value is not None}
        return _built({**entry, "class_name": kind}, {**rest, "layers": upgraded, **ends}, "keras")

    def _node(self, layer: Config) -> ConfigDict:
        """A layer of a graph, under its name in the graph."""
        return {**self.entry(layer), "name": layer["name"]}

    # ------------------------------------------------------------ layers

    def _layer(self, kind: str, config: ConfigDict, entry: Config) -> ConfigDict:
        if not self.old:
            module = entry.get("module")
            if module is None and "registered_name" not in entry:
                module = _module_of(kind, config)
            return {**entry, "module": module, "config": config}
        if kind in _GONE:
            raise ValueError(
                f'The layer {kind} "{config.get("name")}" has no equivalent in Keras 3, so it cannot be loaded.'
            )
        known = _known_class(_CLASSES.get(kind, kind))
        if kind == "Merge" and known is None:
            kind, config = _merge(config)
            known = _known_class(kind)
        if known is None or registry.get_registered_object(kind) is not None:
            return _built(entry, config, None)  # the caller's own class knows its own arguments
        if kind in _SPECIAL:
            config = _SPECIAL[kind](config)
        kind = _CLASSES.get(kind, kind)
        return _built({"class_name": kind}, self._fitting(kind, known, self._renamed(kind, known, config)), _LAYERS)

    def _renamed(self, kind: str, known: type, config: ConfigDict) -> ConfigDict:
        """Arguments with their current names and values."""
        parameters = constructor_parameters(known)
        renames = _ARGUMENTS | _ARGUMENTS_OF.get(kind, {})
        result: ConfigDict = {}
        for key, value in _joined_sizes(config).items():
            new = key if key in parameters or renames.get(key) not in parameters else renames[key]
            result[new] = self._value(kind, new, value)
        if "data_format" in parameters and kind != "Flatten" and result.get("data_format") is None:
            result["data_format"] = self.data_format
        return result

    def _value(self, kind: str, key: str, value: object) -> Any:
        if isinstance(value, str) and value in _VALUES.get(key, {}):
            return _VALUES[key][value]
        if key == "dtype":
            return _dtype(value)
        if key.endswith("activation") and value == "hard_sigmoid":
            self._note(
                "hard_sigmoid is that of Keras 1 and 2, clip(0.2 x + 0.5, 0, 1); a newly saved file calls it "
                f"{_OLD_HARD_SIGMOID['config']!r}."
            )
            return dict(_OLD_HARD_SIGMOID)
        if kind == "Lambda":
            return value
        if key.endswith("_initializer"):
            return _initializer(value)
        return self._held(key, value)

    def _held(self, key: str, value: object) -> Any:
        """The value of an argument: layers, or objects of the namespace given by its name."""
        if isinstance(value, (list, tuple)):
            return [self._held(key, item) for item in value]
        if not (isinstance(value, Mapping) and "class_name" in value and "config" in value):
            return value
        module = next((module for end, module in _HELD.items() if key.endswith(end)), None)
        if module is not None:
            return _built(value, _without_dtype(value["config"]), module)
        is_layer = _known_class(_CLASSES.get(value["class_name"], value["class_name"])) is not None
        return self.entry(value) if is_layer or value["class_name"] in _GONE else dict(value)

    def _fitting(self, kind: str, known: type, config: ConfigDict) -> ConfigDict:
        """The arguments that the current class has; those that it lacks must have no effect."""
        parameters = constructor_parameters(known)
        for key, value in config.items():
            means_nothing = value is None or (key in _DROPPED and _DROPPED[key](value))
            if key not in parameters and not means_nothing and kind != "Lambda":
                raise ValueError(
                    f'{kind} "{config.get("name")}": the file sets {key}={value!r}, which has no equivalent in Keras 3.'
                )
        return {key: value for key, value in config.items() if key in parameters or kind == "Lambda"}

    def _note(self, line: str) -> None:
        if line not in self.lines:
            self.lines.append(line)


# ---------------------------------------------------------------- classes with special rules


def _batch_normalization(config: ConfigDict) -> ConfigDict:
    axis = config.get("axis")
    if isinstance(axis, (list, tuple)) and len(axis) == 1:
        return config | {"axis": axis[0]}
    return config


def _synchronized(config: ConfigDict) -> ConfigDict:
    return _batch_normalization(config) | {"synchronized": True}


def _gru(config: ConfigDict) -> ConfigDict:
    return {"reset_after": False} | config


def _cudnn_gru(config: ConfigDict) -> ConfigDict:
    return {"recurrent_activation": "sigmoid"} | config | {"reset_after": True}


def _cudnn_lstm(config: ConfigDict) -> ConfigDict:
    return {"recurrent_activation": "sigmoid"} | config


def _input_layer(config: ConfigDict) -> ConfigDict:
    kept = {key: value for key, value in config.items() if key not in ("batch_input_shape", "input_dtype")}
    shape = config.get("batch_input_shape", config.get("batch_shape"))
    return kept | {"batch_shape": shape, "dtype": config.get("input_dtype", config.get("dtype"))}


_SPECIAL: dict[str, Callable[[ConfigDict], ConfigDict]] = {
    "BatchNormalization": _batch_normalization,
    "BatchNormalizationV1": _batch_normalization,
    "BatchNormalizationV2": _batch_normalization,
    "CuDNNGRU": _cudnn_gru,
    "CuDNNLSTM": _cudnn_lstm,
    "GRU": _gru,
    "GRUCell": _gru,
    "GRUCellV2": _gru,
    "GRUV1": _gru,
    "GRUV2": _gru,
    "InputLayer": _input_layer,
    "SyncBatchNormalization": _synchronized,
    "UnifiedGRU": _gru,
}


def _merge(config: Config) -> tuple[str, ConfigDict]:
    """The current (class, config) for Keras 1's `Merge` layer."""
    mode, name = config.get("mode"), config.get("name")
    if mode not in _MERGES or config.get("mode_type", "raw") != "raw" or "layers" in config:
        raise ValueError(
            f'The layer Merge "{name}" with mode={mode!r} has no equivalent in Keras 3, so it cannot be loaded.'
        )
    extra = {"concat": {"axis": config.get("concat_axis", -1)}, "dot": {"axes": config.get("dot_axes", -1)}}
    return _MERGES[mode], {"name": name, **extra.get(mode, {})}


def _joined_sizes(config: Config) -> ConfigDict:
    """`config` with the sizes of kernels as one argument."""
    result = dict(config)
    for names in _SIZES:
        if all(name in result for name in names):
            result["kernel_size"] = [result.pop(name) for name in names]
    return result


# ---------------------------------------------------------------- small parts


_KEPT = ("build_config", "shared_object_id")


def _built(entry: Config, config: object, module: str | None) -> ConfigDict:
    """An entry in the current format."""
    known = module is not None and registry.find_builtin(module, entry["class_name"]) is not None
    return {key: entry[key] for key in _KEPT if key in entry} | {
        "module": module if known else None, "class_name": entry["class_name"], "config": config,
        "registered_name": None if known else entry["class_name"],
    }  # fmt: skip


def _known_class(name: str | None) -> type | None:
    if name is None:
        return None
    found = registry.find_builtin(_LAYERS, name)
    return found if isinstance(found, type) else None


_WITHOUT_SETTINGS = ("InputLayer", "Pipeline")  # layers whose configs have neither dtype nor trainable


def _module_of(kind: str, config: Config) -> str | None:
    """The module that a Keras 3 entry omits: that of operations, which lack layer settings, or that of layers."""
    if registry.get_registered_object(kind) is not None:
        return None
    is_layer = (
        _known_class(kind) is not None
    )  # some operations have a dtype as well, such as Cast, but no layers' names
    if "trainable" not in config and kind not in _WITHOUT_SETTINGS and not (is_layer and "dtype" in config):
        return legacy_graph.OPERATIONS
    return _LAYERS if is_layer else None


def _input_for(layer: Config, shape: object) -> ConfigDict:
    """The input that the first layer of an old Sequential model implies."""
    config = layer["config"]
    dtype = "int32" if layer["class_name"] == "Embedding" else None
    name = f"{config['name']}_input" if config.get("name") else None
    return _built({"class_name": "InputLayer"}, {"batch_shape": shape, "dtype": dtype, "name": name}, _LAYERS)


def _dtype(value: object) -> Any:
    """A dtype or the name of a policy."""
    if isinstance(value, Mapping) and isinstance(value.get("config"), Mapping):
        return value["config"].get("name")
    return value


def _initializer(value: object) -> Any:
    if isinstance(value, str):
        return _INITIALIZERS.get(value, value)
    if not (isinstance(value, Mapping) and isinstance(value.get("class_name"), str)):
        return value
    config = _without_dtype(value.get("config", {}))
    if value["class_name"] == "VarianceScaling" and config.get("distribution") == "normal":
        config["distribution"] = "truncated_normal"
    return _built(value, config, "keras.initializers")


def _without_dtype(config: object) -> ConfigDict:
    if not isinstance(config, Mapping):
        raise DamagedFileError(f"The config is damaged: {str(config)[:80]!r} are not arguments.")
    return {key: value for key, value in config.items() if key != "dtype"}


def _list(value: object, name: str) -> AnyList:
    if not isinstance(value, list):
        raise DamagedFileError(f"The config is damaged: {name} is not a list, but {str(value)[:80]!r}.")
    return value


def _checked_node(layer: Any) -> Config:
    fine = isinstance(layer, Mapping) and isinstance(layer.get("config"), (Mapping, list))
    if not fine or not isinstance(layer.get("class_name"), str) or not isinstance(layer.get("inbound_nodes"), list):
        raise DamagedFileError(f"The config is damaged: {str(layer)[:80]!r} is not a layer of a graph.")
    inner = layer["config"].get("name") if isinstance(layer["config"], Mapping) else None
    return {**layer, "name": layer.get("name") or inner}
