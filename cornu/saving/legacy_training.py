"""The arguments of `compile` and the optimizer's state in the whole-model `.h5` files of all releases of Keras."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from cornu import losses, metrics, optimizers, registry
from cornu.core import allocation
from cornu.core.configurable import Configurable, constructor_parameters, serialize_keras_object
from cornu.core.typing import Config, ConfigDict
from cornu.core.variable import Variable
from cornu.errors import DamagedFileError
from cornu.optimizers.schedules import InverseTimeDecay
from cornu.saving.legacy_arrays import Stored

if TYPE_CHECKING:
    from cornu.optimizers.optimizer import Optimizer

_KEPT = (
    "loss", "loss_weights", "metrics", "weighted_metrics", "run_eagerly", "steps_per_execution", "jit_compile",
    "auto_scale_loss",
)  # fmt: skip
_OPTIMIZER = "optimizer_config"
_NEW_OPTIMIZERS = "Custom>"  # the prefix of new-style optimizers in Keras 2.11 to 2.15
_ARGUMENTS = {"lr": "learning_rate"}
_DROPPED = ("jit_compile", "is_legacy_optimizer", "decay", "name")
_SCHEDULES = "keras.optimizers.schedules"
# Old names, and short names of metrics that no longer exist.
_FUNCTIONS = losses.OLD_NAMES | {short: losses.SHORT[short].__name__ for short in ("KLD", "kld")}
FRESH = "The optimizer state has a different format, so training starts with a fresh one."
_NO_SLOT = (1,)  # the shape of the placeholder of an unused slot
_PRODUCT = "u_product"
_MOST_STEPS = 10_000  # after so many steps a product of momenta is 0
# Optimizers whose update rule has changed, and how.
_CHANGED = {
    "Adagrad": "epsilon is added at a different place",
    "Adamax": "epsilon is added at a different place",
    "Nadam": "its momentum follows a different schedule",
    "RMSprop": "epsilon is added at a different place",
    "Adadelta": "epsilon is added at a different place",
}


# ---------------------------------------------------------------- writing


def write(model: Any) -> ConfigDict:
    """The arguments of `compile` as plain data."""
    config = {key: _named(value) for key, value in model.get_compile_config().items() if key != "optimizer"}
    config["loss"] = _in_full(config["loss"])
    optimizer = serialize_keras_object(model.optimizer)
    return config | ({_OPTIMIZER: _bare(optimizer)} if optimizer is not None else {})


def _named(value: object) -> Any:
    """Losses and metrics, each as its class, or just its name if it is a function."""
    if isinstance(value, (list, tuple)):
        return [_named(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    if value.get("class_name") == "function":
        return value["config"]
    return _bare(value) if "class_name" in value else {key: _named(item) for key, item in value.items()}


def _in_full(loss: object) -> Any:
    """Losses with the full names of functions: Keras does not accept short names in these files."""
    if isinstance(loss, list):
        return [_in_full(item) for item in loss]
    if isinstance(loss, Mapping) and "class_name" not in loss:
        return {key: _in_full(item) for key, item in loss.items()}
    found = losses.catalogue.objects.get(loss) if isinstance(loss, str) else None
    return found.__name__ if found is not None and not isinstance(found, type) else loss


def _bare(entry: Config) -> ConfigDict:
    """An entry with only the registered class name and the arguments."""
    return {"class_name": entry.get("registered_name") or entry["class_name"], "config": entry["config"]}


# ---------------------------------------------------------------- reading


def read(config: Config, old: bool) -> tuple[ConfigDict, list[str]]:
    """(arguments of `compile`, a line for each notable change).

    Args:
        config: the training config in the file.
        old: whether Keras 1 or 2 wrote it.
    """
    lines: list[str] = []
    arguments = {key: value for key, value in config.items() if key in _KEPT and value is not None}
    for key in ("metrics", "weighted_metrics", "loss"):
        if key in arguments:
            arguments[key] = _each(arguments[key], metrics if key != "loss" else losses)
    for key in ("metrics", "weighted_metrics"):
        if _is_empty(arguments.get(key)):
            arguments.pop(key, None)
        elif old and key in arguments:
            arguments[key] = _alone(arguments[key])
    if config.get("sample_weight_mode"):
        lines.append(
            f"sample_weight_mode={config['sample_weight_mode']!r} is ignored: weights of any shape are accepted."
        )
    optimizer = _entry(config)
    if optimizer is not None:
        arguments["optimizer"] = _optimizer(optimizer, old, lines)
    return arguments, lines


def _entry(config: Config) -> Any:
    """The optimizer's entry, with the class name used in `.h5` files of Keras 2.11 to 2.15."""
    if config.get(_OPTIMIZER) is not None:
        return config[_OPTIMIZER]
    entry = config.get("optimizer")  # as in .keras files
    inner = entry.get("config") if isinstance(entry, Mapping) else None
    if isinstance(entry, Mapping) and isinstance(inner, Mapping) and not inner.get("is_legacy_optimizer"):
        return {**entry, "class_name": f"{_NEW_OPTIMIZERS}{str(entry.get('class_name')).removeprefix(_NEW_OPTIMIZERS)}"}
    return entry


def is_slot_by_slot(config: Config) -> bool:
    """Whether the optimizer's state is listed slot by slot, as before Keras 2.11, instead of weight by weight."""
    entry = _entry(config)
    return isinstance(entry, Mapping) and not str(entry.get("class_name")).startswith(_NEW_OPTIMIZERS)


def _is_empty(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_empty, value))
    return value is None


def _alone(value: object) -> object:
    """The metrics of the one output, which Keras 2 wrapped in a list of outputs."""
    return value[0] if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list) else value


def _each(value: object, namespace: object) -> Any:
    """Losses or metrics in any structure."""
    if isinstance(value, str):
        return _FUNCTIONS.get(value, value)
    if isinstance(value, list):
        return [_each(item, namespace) for item in value]
    if not isinstance(value, Mapping):
        return value
    if "class_name" not in value:
        return {key: _each(item, namespace) for key, item in value.items()}
    return _one(value, namespace)


def _one(value: Config, namespace: Any) -> Any:
    kind, config = value["class_name"], value.get("config")
    if not isinstance(config, Mapping):
        return namespace.deserialize(dict(value))
    if kind == "MeanMetricWrapper" and isinstance(config.get("fn"), str):
        function = metrics.get(_FUNCTIONS.get(config["fn"], config["fn"]))
        return metrics.MeanMetricWrapper(
            getattr(function, "_fn", function), name=config.get("name"), dtype=config.get("dtype")
        )
    found = registry.get_registered_object(kind) or getattr(namespace, str(kind), None)
    if not isinstance(found, type):
        return namespace.deserialize(dict(value))
    fitting = _fitting(found, {key: item for key, item in config.items() if key != "fn"}, ("dtype",), f"{kind}")
    if fitting.get("reduction") == "auto":
        fitting["reduction"] = "sum_over_batch_size"
    return cast(type[Configurable], found).from_config(fitting)


def _fitting(found: type, config: Config, dropped: Sequence[str], name: str) -> ConfigDict:
    """The arguments that a class accepts; others must be among those that may be dropped."""
    if not registry.is_builtin(found):
        return dict(config)
    known = constructor_parameters(found)
    strange = [key for key in config if key not in known and key not in dropped]
    if strange:
        raise ValueError(
            f"{name}: the file sets {', '.join(strange)}, which has no equivalent in Keras 3. Pass compile=False to "
            "load "
            "only the model."
        )
    return {key: value for key, value in config.items() if key in known}


def _optimizer(entry: object, old: bool, lines: list[str]) -> Any:
    if isinstance(entry, str):
        return optimizers.get(entry)
    if not isinstance(entry, Mapping) or not isinstance(entry.get("class_name"), str):
        raise DamagedFileError(f"The file's optimizer is damaged: {str(entry)[:80]!r}.")
    kind = entry["class_name"]
    if not old or not isinstance(entry.get("config"), Mapping):
        return optimizers.deserialize(dict(entry))
    kind = kind.removeprefix(_NEW_OPTIMIZERS)
    found = optimizers.catalogue.objects.get(kind.lower())
    if found is None or registry.get_registered_object(entry["class_name"]) is not None:
        return optimizers.deserialize(dict(entry))
    if kind in _CHANGED and (entry["class_name"] == kind or kind == "Nadam"):
        lines.append(f"training continues slightly differently: {kind} has changed, {_CHANGED[kind]}.")
    return found(**_optimizer_arguments(found, entry["config"], lines))


def _optimizer_arguments(found: type, config: Config, lines: list[str]) -> ConfigDict:
    """The constructor's arguments for the config of Keras 1 or 2."""
    renamed = {_ARGUMENTS.get(key, key): value for key, value in config.items() if key != "schedule_decay"}
    arguments = {
        key: value
        for key, value in _fitting(found, renamed, _DROPPED, found.__name__).items()
        if value is not None and key != "name"
    }
    if arguments.get("ema_overwrite_frequency") and not arguments.get("use_ema"):
        del arguments["ema_overwrite_frequency"]
    rate = arguments.get("learning_rate")
    if isinstance(rate, Mapping):
        arguments["learning_rate"] = optimizers.schedules.deserialize(dict(rate))
    elif config.get("decay"):
        arguments["learning_rate"] = InverseTimeDecay(cast(float, rate), decay_steps=1, decay_rate=config["decay"])
        lines.append(f"the optimizer's decay={config['decay']!r} is now the schedule InverseTimeDecay.")
    return arguments


# ---------------------------------------------------------------- the optimizer's state


def resume(optimizer: object, arrays: Sequence[Stored], slot_by_slot: bool) -> list[str]:
    """Restore the optimizer state if it matches; otherwise return a line that says so."""
    pairs = arranged(arrays, optimizer, slot_by_slot)
    if pairs is None:
        return [FRESH]
    restore(pairs, optimizer)
    return []


def arranged(arrays: Sequence[Stored], optimizer: Any, slot_by_slot: bool) -> list[tuple[Variable, Stored]] | None:
    """Variables of the optimizer with their arrays, or None if the arrays do not belong to this optimizer.

    Args:
        arrays: the arrays in the order of the file.
        optimizer: the optimizer, built.
        slot_by_slot: whether each slot is listed for all weights, as before Keras 2.11, or each weight with its slots.
    """
    if not slot_by_slot and _fit(optimizer.variables, arrays):
        return list(zip(optimizer.variables, arrays, strict=True))
    counter = list(arrays[:1]) if arrays and not arrays[0].shape else []
    slots = _slot_by_slot(optimizer) if slot_by_slot else [v for v in optimizer.variables if _is_slot(v)]
    rest = [array for array in arrays[len(counter) :] if array.role != "learning_rate"]
    if not rest:  # the optimizer had not made any steps
        slots = []
    has_none = not slots and optimizer._trainable_variables  # undecidable if all weights are frozen
    if has_none or all(array.shape == _NO_SLOT for array in rest[len(slots) :]):
        rest = rest[: len(slots)]
    if not _fit(slots, rest):
        return None
    iteration = [v for v in optimizer.variables if _role(v) == "iteration"]
    return [*zip(iteration, counter, strict=False), *zip(slots, rest, strict=True)]


def arranged_in_keras_1(
    counter: Sequence[Stored], slots: Sequence[Sequence[tuple[Variable, Stored]]], optimizer: Optimizer
) -> list[tuple[Variable, Stored]] | None:
    """Variables of the optimizer with their arrays, or None if the number of slots differs.

    Args:
        counter: the step counter, if present.
        slots: for each slot, weights with their arrays.
        optimizer: the optimizer, built.
    """
    own = {weight: [slot for slot in of if slot is not None] for weight, of in optimizer._slots.items()}
    if any(len(slots) != len(of) for of in own.values()):
        return None
    iteration = [v for v in optimizer.variables if _role(v) == "iteration"]
    pairs = [(own[w][i], array) for i, slot in enumerate(slots) for w, array in slot]
    return [*zip(iteration, counter, strict=False), *pairs]


def _role(variable: Variable) -> str:
    return variable.path.rpartition("/")[2]


def _is_slot(variable: Variable) -> bool:
    return _role(variable) not in ("iteration", "learning_rate", _PRODUCT)


def _fit(variables: Sequence[Variable], arrays: Sequence[Stored]) -> bool:
    return len(variables) == len(arrays) and all(
        tuple(v.shape) == tuple(a.shape) for v, a in zip(variables, arrays, strict=True)
    )


def _slot_by_slot(optimizer: Optimizer) -> list[Variable]:
    slots = [optimizer._slots[weight] for weight in optimizer._trainable_variables]
    return [slot for slot in (weight[i] for i in range(len(slots[0])) for weight in slots) if slot is not None]


def restore(pairs: Sequence[tuple[Variable, Stored]], optimizer: Any) -> None:
    """Restore the optimizer state."""
    for variable, array in pairs:
        variable.assign(np.asarray(array.read()))
    if not allocation.current().has_values:
        return
    product = next((v for v in optimizer.variables if _role(v) == _PRODUCT), None)
    if product is not None and not any(variable is product for variable, _ in pairs):
        product.assign(_nadam_product(optimizer))


def _nadam_product(optimizer: Any) -> np.ndarray:
    """The product of the momenta of all steps so far, which Nadam now stores and old files lack."""
    steps = np.arange(1, min(int(optimizer.iterations.numpy()), _MOST_STEPS) + 1)
    return np.prod(optimizer.beta_1 * (1 - 0.5 * 0.96**steps))
