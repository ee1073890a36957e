"""A model's config as report rows: its layers, and the classes and functions it names.

Nothing is instantiated: names are looked up, values are displayed.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from cornu import settings
from cornu.core.configurable import find_object
from cornu.core.operation import snake_case
from cornu.core.typing import ConfigDict
from cornu.saving.contents import Finding
from cornu.saving.options import LoadOptions

_WRAPPERS = (
    "__tuple__", "__slice__", "__numpy__", "__tensor__", "__bytes__", "__ellipsis__", "__keras_tensor__",
    "__typespec__",
)  # fmt: skip
_OPERATIONS = "keras.src.ops."
_CODE = "__lambda__"
_NOT_SHOWN = (
    "name", "trainable", "autocast", "dtype", "batch_shape", "build_input_shape", "layers", "input_layers",
    "output_layers",
)  # fmt: skip
_USUAL = (None, "linear", "channels_last")
_MOST_SHOWN = 60  # characters of one setting


class LayerRow(NamedTuple):
    """A layer of the config; fields that need a dry run are None without one.

    `path` includes the names of the enclosing models; `parameters` is the number of weight elements.
    """

    path: str
    class_name: str
    output_shape: Any
    dtype: str | None
    parameters: int | None
    settings: str


class ClassRow(NamedTuple):
    """A class or function named in the file: `status` is "known", "custom" (the caller's own) or "refused"."""

    name: str
    module: str | None
    status: str
    used: int
    advice: str


# ---------------------------------------------------------------- the names in a config


def classes(config: object, options: LoadOptions) -> tuple[list[ClassRow], list[Finding]]:
    """The names in the config, without duplicates, and the error a load would raise for those it refuses."""
    rows: dict[tuple[str, str | None], ClassRow] = {}
    refused: list[Finding] = []
    for entry, layer in _named(config):
        name, module = _name(entry), entry.get("module")
        key = (name, module if isinstance(module, str) else None)
        if key in rows:
            rows[key] = rows[key]._replace(used=rows[key].used + 1)
            continue
        status, advice = _status(entry, name, options)
        rows[key] = ClassRow(*key, status, 1, advice)
        if status == "refused":
            refused.append(Finding("refuses", layer or name, advice, stops=True))
    return sorted(rows.values(), key=lambda row: (row.status == "known", row.name)), refused


def _named(config: object) -> Iterator[tuple[ConfigDict, str]]:
    """(entry, name of the enclosing layer) for each class and function that the config names."""
    waiting = [(config, "")]
    while waiting:
        value, layer = waiting.pop()
        if isinstance(value, list):
            waiting += [(item, layer) for item in reversed(value)]
        if not isinstance(value, dict):
            continue
        kind, inner = value.get("class_name"), value.get("config")
        if isinstance(kind, str) and kind not in _WRAPPERS:
            layer = str(inner["name"]) if isinstance(inner, dict) and "name" in inner else layer
            yield value, layer
        waiting += [(item, layer) for item in reversed(value.values())]


def _name(entry: ConfigDict) -> str:
    """The name of a class, or of a function."""
    return str(entry.get("config") if entry["class_name"] == "function" else entry["class_name"])


def _status(entry: ConfigDict, name: str, options: LoadOptions) -> tuple[str, str]:
    """(status, why it is refused) of a name."""
    module, registered = entry.get("module"), entry.get("registered_name")
    if str(module).startswith(_OPERATIONS):
        return "known", ""
    if name == _CODE or _holds_code(entry):
        return _code(options)
    try:
        found = find_object(module, name, registered)
    except Exception as error:
        return "refused", said(error)
    return ("known" if _is_own(found) else "custom"), ""


def _is_own(found: object) -> bool:
    """Whether a class or function is cornu's."""
    return str(getattr(found, "__module__", "")).startswith("cornu.")


def _holds_code(entry: ConfigDict) -> bool:
    """Whether this is a Lambda layer with the code of a function in one of the formats of Keras 2."""
    config = entry.get("config")
    if entry["class_name"] != "Lambda" or not isinstance(config, dict):
        return False
    kinds = (config.get(key) for key in ("function_type", "output_shape_type", "mask_type"))
    return isinstance(config.get("function"), list) or "lambda" in kinds


def _code(options: LoadOptions) -> tuple[str, str]:
    if options.safe_mode is False or settings.read("unsafe_deserialization"):
        return "custom", ""
    return "refused", (
        "The file contains the code of a Python function, which is not read. If you trust the file as you trust a "
        "program, load it with safe_mode=False."
    )


# ---------------------------------------------------------------- layers and settings


def layers(
    config: object,
    facts: Mapping[tuple[str, ...], dict[str, Any]],
    sizes: Mapping[str, int],
    path: tuple[str, ...] = (),
) -> Iterator[LayerRow]:
    """A row for each layer of a model's config, with those of nested models after their model."""
    for entry in _inner_layers(config):
        inner = entry.get("config")
        inner = inner if isinstance(inner, dict) else {}
        here = (*path, str(inner.get("name", entry.get("name"))))
        fact = facts.get(here, {})
        yield LayerRow(
            "/".join(here),
            str(entry.get("class_name")),
            fact.get("output_shape", _shape(inner.get("batch_shape"))),
            fact.get("dtype") or _dtype(inner.get("dtype")),
            fact.get("parameters", sizes.get(here[0]) if len(here) == 1 else None),
            _settings(entry, inner),
        )
        yield from layers(entry, facts, sizes, here)


def _inner_layers(config: object) -> list[ConfigDict]:
    inner = config.get("config") if isinstance(config, dict) else None
    layers = inner.get("layers") if isinstance(inner, dict) else inner
    return [entry for entry in layers if isinstance(entry, dict)] if isinstance(layers, list) else []


def _shape(value: object) -> list[int | None] | None:
    """A shape in a config, if it is one."""
    return value if isinstance(value, list) and all(isinstance(size, int | None) for size in value) else None


def _dtype(value: object) -> str | None:
    """The name of a dtype or of a dtype policy's config."""
    if isinstance(value, dict):
        inner = value.get("config")
        value = inner.get("name") if isinstance(inner, dict) else None
    return value if isinstance(value, str) else None


def _settings(entry: ConfigDict, config: ConfigDict) -> str:
    """The arguments that differ from their defaults."""
    usual = _defaults(entry)
    return ", ".join(
        f"{key}={_short(value)}"
        for key, value in config.items()
        if key not in _NOT_SHOWN and not _is_usual(value, usual.get(key))
    )


def _defaults(entry: ConfigDict) -> ConfigDict:
    """The default arguments of a cornu class, including those of its base classes."""
    try:
        cls = find_object(entry.get("module"), entry["class_name"])
        bases = [base for base in reversed(cls.__mro__) if "__init__" in vars(base) and base is not object]
        return {n: p.default for base in bases for n, p in inspect.signature(base.__init__).parameters.items()}
    except (AttributeError, TypeError, ValueError):
        return {}


def _is_usual(value: object, default: object) -> bool:
    if isinstance(value, dict) and isinstance(default, str):
        return snake_case(str(value.get("class_name"))) == default
    if not value and not default:
        return True
    value = tuple(value) if isinstance(value, list) and isinstance(default, tuple) else value
    near = isinstance(value, float) and isinstance(default, float) and math.isclose(value, default, rel_tol=1e-6)
    return value in _USUAL or value == default or near


def _short(value: object) -> str:
    """A setting , abbreviated."""
    if isinstance(value, dict):
        text = _call(value) if "class_name" in value else "{…}"
    elif isinstance(value, list):
        text = f"[{', '.join(map(_short, value[:8]))}{', …' if len(value) > 8 else ''}]"
    else:
        text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


def _call(entry: ConfigDict) -> str:
    """`L2(l2=0.01)` for a nested object."""
    if entry["class_name"] == _CODE:
        return "code"
    if entry["class_name"] in ("function", *_WRAPPERS):
        return str(entry.get("config", entry.get("items")))
    inner = entry.get("config")
    given = _settings(entry, inner) if isinstance(inner, dict) else ""
    return f"{entry['class_name']}({given})" if given else str(entry["class_name"])


def compiled(config: object) -> dict[str, str]:
    """The informative arguments of `compile`."""
    if not isinstance(config, dict):
        return {}
    shown = ("optimizer", "loss", "loss_weights", "metrics", "weighted_metrics")
    return {key: _short(config[key]) for key in shown if config.get(key) is not None}


# ---------------------------------------------------------------- older configs


def renamed(before: ConfigDict, now: ConfigDict) -> Iterator[Finding]:
    """The current names of the layers of an older config and of their arguments."""
    today = dict(_by_name(now))
    for name, entry in _by_name(before):
        yield from _renamed(name, entry, today.get(name, entry))


def _by_name(config: object) -> Iterator[tuple[str, ConfigDict]]:
    """(name, entry) of the layers of a model's config, including nested models."""
    for entry in _inner_layers(config):
        if isinstance(entry.get("config"), dict):
            yield str(entry["config"].get("name", entry.get("name"))), entry
        yield from _by_name(entry)


def _renamed(name: str, before: ConfigDict, now: ConfigDict) -> Iterator[Finding]:
    """The current names of a layer's class and arguments."""
    if before["class_name"] != now["class_name"]:
        yield Finding("maps", name, f"{before['class_name']} is {now['class_name']} now")
    new = {key: value for key, value in now["config"].items() if key not in before["config"]}
    for key, value in before["config"].items():
        if key not in now["config"]:
            called = next((name for name in new if new[name] == value), None)
            yield Finding("maps", name, f"{key} is {called} now" if called else f"{key} is not an argument of it now")


def said(error: Exception) -> str:
    """An error as a single line."""
    text = " ".join(str(error).split())
    return text if isinstance(error, ValueError) and text else f"The file is damaged ({type(error).__name__}: {text})."
