"""Reports of what a file contains and what loading it would do, without running or allocating any of it.

The contents come from `contents`; what loading would do comes from a dry run of the loader itself: its model has
weights with shapes but no values, its arrays contain no data. The dry run is only for files that name nothing but
cornu's own classes, since a custom class can do anything in its constructor.
"""

from __future__ import annotations

import os
import random
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import jax

from cornu import registry, tree
from cornu.core import budget, context
from cornu.core.allocation import without_values
from cornu.core.configurable import deserialize_keras_object
from cornu.core.typing import AnyFunction, Config, ConfigDict
from cornu.saving import config_rows, contents, legacy_config, report_table
from cornu.saving.config_rows import ClassRow, LayerRow, said
from cornu.saving.contents import Contents, Finding, StoredArray
from cornu.saving.options import LoadOptions

_OPTIMIZER = ("optimizer/", "optimizer_weights/")
_COMPILE = "compile_config"
_NOT_SAID = "1"  # the Keras release that did not record its version

Facts = dict[tuple[str, ...], dict[str, Any]]  # by path of the layer


@dataclass(repr=False)
class FileReport:
    """What a file contains and what loading it would do; `print(report)` shows it as tables.

    Attributes:
        path: the file.
        format: "keras", "keras_folder", "model_h5", or, for weights only, "weights_h5", "weights_of_layers_h5",
            "sharded_weights", "safetensors", or "unknown".
        bytes: size of the file in bytes.
        loads: whether a load would succeed; for a weights file, whether it can be read.
        written_by: `keras_version`, `cornu_version`, `backend` and `date_saved`, if recorded.
        model: `class_name`, `name`, `parameters`, `trainable_parameters`; None for a weights file.
        layers: a `LayerRow` per layer.
        classes: a `ClassRow` for each class and function that the file refers to.
        compiled: the arguments of `compile` as strings, by name; empty if there are none.
        optimizer_state: `arrays` and `bytes` of the optimizer state; None if there is none.
        weights: the arrays of the model, a `StoredArray` each; without those of the optimizer.
        assets: sizes of the assets by name.
        findings: what a load would map, change, ignore, miss or refuse, a `Finding` each.
    """

    path: str
    format: str = "unknown"
    bytes: int = 0
    loads: bool = True
    written_by: dict[str, str] = field(default_factory=dict)
    model: ConfigDict | None = None
    layers: list[LayerRow] = field(default_factory=list)
    classes: list[ClassRow] = field(default_factory=list)
    compiled: dict[str, str] = field(default_factory=dict)
    optimizer_state: dict[str, int] | None = None
    weights: list[StoredArray] = field(default_factory=list)
    assets: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def to_dict(self) -> ConfigDict:
        """The report as plain data, with the attributes as keys."""
        rows = ("layers", "classes", "weights", "findings")
        return asdict(self) | {key: [row._asdict() for row in getattr(self, key)] for key in rows}

    @property
    def refused(self) -> list[str]:
        """The reasons why a load would fail, one line each."""
        return [finding.what for finding in self.findings if finding.stops]

    def __str__(self) -> str:
        return report_table.text(self)

    def __repr__(self) -> str:
        return f"<FileReport {self.path!r}, {self.format}, {'loads' if self.loads else 'does not load'}>"


def inspect_file(path: str, options: LoadOptions, load: Callable[[], object]) -> FileReport:
    """The report of a file.

    Args:
        path: the file or directory.
        options: the options to load it with.
        load: function that loads the model.
    """
    report = FileReport(path, bytes=_size(path))
    try:
        with budget.load(), _no_trace(report), contents.opened(path) as found:
            _describe(found, options, load, report)
    except RecursionError:
        report.findings.append(Finding("refuses", path, "The file is damaged: it is nested too deeply.", stops=True))
    except Exception as error:
        report.findings.append(Finding("refuses", path, said(error), stops=True))
    report.loads = not report.refused
    return report


@contextmanager
def _no_trace(report: FileReport) -> Iterator[None]:
    """Restore names, seeds and settings afterwards, and record warnings instead of showing them."""
    seed, wide = random.getstate(), getattr(jax.config, "jax_enable_x64")  # noqa: B009 - JAX types do not know it
    try:
        with context.uids_kept(), warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            yield
    finally:
        random.setstate(seed)
        jax.config.update("jax_enable_x64", wide)
        texts = dict.fromkeys(" ".join(str(warning.message).split()) for warning in heard)
        report.findings += [Finding("changes", "", text) for text in texts]


def _describe(found: Contents, options: LoadOptions, load: AnyFunction, report: FileReport) -> None:
    """Fill in the report."""
    report.format, report.assets, report.findings = found.format, found.assets, found.findings
    report.written_by = {key: str(value) for key, value in found.metadata.items()}
    report.weights = [array for array in found.arrays if not array.path.startswith(_OPTIMIZER)]
    state = [array for array in found.arrays if array.path.startswith(_OPTIMIZER)]
    report.optimizer_state = {"arrays": len(state), "bytes": sum(array.bytes for array in state)} if state else None
    if found.config is None:
        report.findings += found.doubts
        return
    with registry.custom_objects(options.custom_objects):
        changes = _upgrade(found)
        report.compiled = config_rows.compiled(found.config.get(_COMPILE))
        facts = _facts_of(found, options, load, changes, report)
        report.layers = list(config_rows.layers(found.config, facts, found.layer_sizes))
        report.model = _model(found.config, facts.get((), {}))


def _facts_of(
    found: Contents, options: LoadOptions, load: AnyFunction, changes: list[Finding], report: FileReport
) -> Facts:
    """The facts that need a dry run, if one is possible; findings about what would stop a load."""
    if any(change.stops for change in changes):
        report.findings += changes
        return {}
    report.classes, refused = config_rows.classes(found.config, options)
    doubts = [*refused, *found.doubts]
    own = ", ".join(row.name for row in report.classes if row.status == "custom")
    if not own:
        return _dry_run(found, options, load, doubts, report)
    text = "not created here, so shapes and weights are unknown"
    report.findings += [*changes, *doubts, *([] if refused else [Finding("note", own, text)])]
    return {}


def _config(found: Contents) -> ConfigDict:
    return cast(dict[str, Any], found.config)  # the file is of a whole model


def _upgrade(found: Contents) -> list[Finding]:
    """Convert an older config to the current format; returns the messages of a load about it."""
    release = found.metadata.get("keras_version")
    if found.format == "model_h5":
        release = release or _NOT_SAID
    else:
        release = legacy_config.release_of(found.config, release)
    if release is None:
        return []
    try:
        config, lines = legacy_config.upgrade(_config(found), release)
    except Exception as error:
        return [Finding("refuses", "", said(error), stops=True)]
    found.findings += config_rows.renamed(_config(found), config)
    found.config = config | {_COMPILE: _config(found).get(_COMPILE)}
    return [Finding("changes", "", line) for line in lines]


# ---------------------------------------------------------------- the dry run


def _dry_run(
    found: Contents, options: LoadOptions, load: AnyFunction, doubts: list[Finding], report: FileReport
) -> Facts:
    """The facts of the model, by path of its layers; whether it loads is determined by the loader."""

    def run() -> tuple[Facts, list[Finding], Exception | None]:
        try:
            model, error = load(), None
        except Exception as raised:
            with budget.again():
                model, error = _without_weights(found, options), raised
        if model is None:
            return {}, [], error
        try:
            with budget.again():
                return _facts(model), found.fit(model), error
        except Exception as raised:
            return _facts(model), [], error or raised

    facts, findings, error = without_values(run)
    report.findings += findings
    if error is None:
        report.findings += [doubt._replace(kind="ignores", stops=False) for doubt in doubts]
    elif isinstance(error, jax.errors.JAXTypeError):
        text = f"shapes cannot be computed without values: {said(error)}"
        report.findings += [*doubts, Finding("note", "", text)]
    else:
        report.findings += doubts or [Finding("refuses", "", said(error), stops=True)]
    return facts


def _without_weights(found: Contents, options: LoadOptions) -> Any:
    """The model of the config, or None if it cannot be created either."""
    config = {key: value for key, value in _config(found).items() if options.compile or key != _COMPILE}
    try:
        return deserialize_keras_object(config)
    except Exception:
        return None


def _facts(model: object, path: tuple[str, ...] = ()) -> Facts:
    """The facts of a model and of its layers, by path."""
    found = {path: _fact(model)}
    layers: Iterable[Any] = getattr(model, "operations", ()) or getattr(model, "layers", ())
    for layer in layers:
        found |= _facts(layer, (*path, layer.name))
    return found


def _fact(layer: object) -> ConfigDict:
    weights = {id(v): v for v in getattr(layer, "weights", ())}
    trained = {id(v): v for v in getattr(layer, "trainable_weights", ())}
    return {
        "output_shape": _output_shape(layer),
        "dtype": getattr(getattr(layer, "_own_dtype_policy", None), "name", None),
        "parameters": sum(v.size for v in weights.values()),
        "trainable_parameters": sum(v.size for v in trained.values()),
    }


def _output_shape(layer: Any) -> Any:
    if layer.nodes:
        return tree.map_structure(lambda x: getattr(x, "shape", None), layer.nodes[0].outputs)
    seen = getattr(layer, "_output_shape", None)
    return seen[0] if seen else None


def _model(config: ConfigDict, fact: Config) -> ConfigDict:
    inner = config.get("config")
    return {
        "class_name": str(config.get("class_name")),
        "name": str(inner.get("name")) if isinstance(inner, dict) else None,
        "parameters": fact.get("parameters"),
        "trainable_parameters": fact.get("trainable_parameters"),
    }


def _size(path: str) -> int:
    """Size in bytes of a file, or of the regular files directly in a directory."""
    if not os.path.isdir(path):
        return os.path.getsize(path)
    with os.scandir(path) as entries:
        return sum(entry.stat().st_size for entry in entries if entry.is_file(follow_symlinks=False))
