"""`model.quantize`: which layers of a model are quantized, and the data for calibration, if any."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, TypeAlias

import numpy as np

from cornu import registry, validate
from cornu.core import context, patterns
from cornu.core.typing import AnyFunction, AnyList
from cornu.layers.quantization import Quantizable
from cornu.quantizers import calibration, configs

Structure: TypeAlias = dict[str, Sequence[Any]]

_STRUCTURE = '{"pre_block_layers": [...], "sequential_blocks": [...]}'


def quantize(model: Any, mode: object, config: object, filters: object, type_check: bool) -> None:
    """Quantize the weights of a model's layers; all of them or, if one fails, none."""
    config = configs.chosen(mode, config, model)
    if not model.built:
        raise ValueError(
            f"{validate.describe(model)} has no weights to quantize yet. Call it on data, or build(input_shape), first."
        )
    wanted = _filter(filters, model)
    fitted = hasattr(config, "group_size")
    structure: Structure = _structure(model, config) if fitted else {"sequential_blocks": [model]}
    layers = [layer for block in structure["sequential_blocks"] for layer in _layers(block, config, wanted, type_check)]
    for layer in layers:
        layer.check_quantizable(type_check)
    before = model.trainable_variables
    if fitted:
        _fit_blocks(structure, config, layers)
    else:
        for layer in layers:
            layer.quantize(config=config, type_check=type_check)
    _renew_optimizer(model, before)


def _layers(block: Any, config: Any, wanted: AnyFunction, type_check: bool) -> Iterator[Any]:
    """The layers of a block that support the mode and pass the filter."""
    for layer in block._flatten_layers():
        can = isinstance(layer, Quantizable) and config.mode in layer.quantization_modes
        if can and (registry.is_builtin(type(layer)) or not type_check) and wanted(layer):
            yield layer


def _filter(filters: object, owner: object) -> Callable[[Any], bool]:
    """A predicate for layers to quantize, from a pattern of names, several patterns, a function or None."""
    if filters is None:
        return lambda layer: True
    if callable(filters):
        return filters
    patterns_of_names = [filters] if isinstance(filters, str) else filters
    if not isinstance(patterns_of_names, (list, tuple)) or not all(isinstance(p, str) for p in patterns_of_names):
        raise ValueError(
            f"{validate.describe(owner)}: filters must be a pattern of layer names, a list of patterns, or a function "
            "of "
            f"a layer. Received: filters={filters!r:.200}."
        )
    return lambda layer: any(patterns.found(pattern, layer.name) for pattern in patterns_of_names)


def _renew_optimizer(model: Any, before: Sequence[object]) -> None:
    """Recompile a model whose optimizer was created for variables that no longer exist."""
    if not model.compiled or model.optimizer is None or not model.optimizer.built:
        return
    if {id(v) for v in before} != {id(v) for v in model.trainable_variables}:
        fresh = type(model.optimizer).from_config(model.optimizer.get_config())
        model.compile(**model._compile_arguments | {"optimizer": fresh})


# ---------------------------------------------------------------- calibration


def _structure(model: Any, config: Any) -> Structure:
    """The layers before the blocks, and the blocks, as defined by the config or the model."""
    structure = config.quantization_layer_structure or model.get_quantization_layer_structure(config.mode)
    if not isinstance(structure, dict) or not {"pre_block_layers", "sequential_blocks"} <= set(structure):
        raise ValueError(
            f"{validate.describe(model)}: mode={config.mode!r} needs the model's blocks, as {_STRUCTURE}: pass "
            "quantization_layer_structure to the config, or define get_quantization_layer_structure(mode)."
        )
    if config.dataset is None:
        raise ValueError(
            f"{validate.describe(model)}: mode={config.mode!r} needs data. Pass a dataset to {type(config).__name__}."
        )
    return structure


def _fit_blocks(structure: Structure, config: object, layers: Sequence[Any]) -> None:
    """Quantize one block after the other, using the inputs that reach it through the previous ones."""
    samples: AnyList = list(_samples(config))
    for layer in structure["pre_block_layers"]:
        samples = [layer(sample) for sample in samples]
    for block in structure["sequential_blocks"]:
        own = [layer for layer in block._flatten_layers() if any(layer is one for one in layers)]
        seen = {id(layer): calibration.Inputs(layer._forms[0].rows) for layer in own}
        with context.scope(watch=partial(_watched, seen)):
            for sample in samples:
                block(sample)
        for layer in own:
            weight = np.asarray(layer.kernel)
            layer.quantize(config=config, type_check=False)
            form, scheme = layer._forms[0], layer._scheme
            if scheme.fits_inputs(form):
                layer.set_stored(calibration.fitted(weight, seen[id(layer)], scheme, form, config))
        samples = [block(sample) for sample in samples]


def _samples(config: Any) -> Iterator[np.ndarray]:
    """Token ids of a single sample each, (1, time)."""
    return islice(_rows_of_tokens(config), config.num_samples)


def _rows_of_tokens(config: Any) -> Iterator[np.ndarray]:
    for item in config.dataset:
        tokens = config.tokenizer(item) if isinstance(item, str) else item
        rows = np.asarray(tokens)
        for row in rows.reshape(-1, rows.shape[-1]):
            yield row[None, : config.sequence_length]


def _watched(seen: dict[int, Any], layer: Any, run: AnyFunction, *arguments: Any) -> Any:
    """Run a layer or an operation, observing the inputs of the selected ones."""
    if id(layer) in seen:
        x = next(iter(arguments[0].values()))
        axes = [axis % x.ndim for axis in layer._forms[0].summed_inputs]
        order = [axis for axis in range(x.ndim) if axis not in axes] + axes
        seen[id(layer)].add(np.asarray(x).transpose(order).reshape(-1, layer._forms[0].rows))
    return run(*arguments)
