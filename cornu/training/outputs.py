"""Matching losses and metrics to the model's outputs.

Losses, loss weights, metrics, labels and sample weights may each be a single object, a list in the order of the
outputs, or a dictionary by output name. `line_up` turns all of them into a flat list with one entry per output.
"""

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, count, islice
from typing import Any

import jax.numpy as jnp

from cornu import losses as losses_module, metrics as metrics_module, registry, tree, validate
from cornu.core import context
from cornu.core.masks import get_mask, set_mask
from cornu.core.typing import AnyList, Data, Nested, Tensor
from cornu.core.variable import Variable
from cornu.losses import Loss
from cornu.metrics import Mean, Metric


def line_up(given: object, outputs: Nested, names: Sequence[str] | None, what: str, spread: bool = False) -> AnyList:
    """One entry of `given` for each flat output.

    Args:
        given: a single object, a list by position, or a dictionary by name.
        outputs: the structure of the model's outputs.
        names: the names of the flat outputs, for outputs in a list.
        what: the argument's name, for error messages.
        spread: whether a single object applies to every output.
    """
    if not tree.is_nested(outputs):
        return [_single(given, names, what)]
    keys = sorted(outputs) if isinstance(outputs, Mapping) else list(range(len(outputs)))
    children = [outputs[key] for key in keys]
    labels = keys if isinstance(outputs, Mapping) else names if names and len(names) == len(keys) else keys
    parts = _parts(given, labels, what, spread)
    left = iter(names or ())
    named = bool(names) and not isinstance(outputs, Mapping)
    return [
        entry
        for part, child in zip(parts, children, strict=True)
        for entry in line_up(part, child, _next(left, child) if named else None, what, spread)
    ]


def _next(names: Iterator[str], outputs: Nested) -> list[str]:
    """The names for as many outputs as there are."""
    return list(islice(names, len(tree.flatten(outputs.outputs if isinstance(outputs, Part) else outputs))))


def _single(given: object, names: Sequence[str] | None, what: str) -> Any:
    """The entry for a model with one output, which may be in a list or dictionary of length one."""
    if isinstance(given, Mapping) and "class_name" not in given:
        if names and set(given) - set(names):
            raise ValueError(f"{what} has the keys {sorted(given)}, but the model's output is {names[0]!r}.")
        if len(given) != 1:
            raise ValueError(f"The model has one output, but {what} is a dictionary of {len(given)}.")
        return next(iter(given.values()))
    if isinstance(given, (list, tuple)) and len(given) == 1 and what != "metrics":
        return given[0]
    if isinstance(given, (list, tuple)) and what in ("loss", "loss_weights"):
        raise ValueError(
            f"The model has one output, but {what} is a list of {len(given)}. Pass one. "
            f"Received: {what}={validate.shown(given)}."
        )
    return given


def _parts(given: object, labels: Sequence[object], what: str, spread: bool) -> AnyList:
    if given is None:
        return [None] * len(labels)
    if isinstance(given, Mapping) and "class_name" not in given:
        unknown = [key for key in given if key not in labels]
        if unknown:
            raise ValueError(
                f"{what} has the key {unknown[0]!r}, but the model's outputs are {list(labels)}. "
                f"Closest: {validate.closest(str(unknown[0]), map(str, labels))}."
            )
        return [given.get(key) for key in labels]
    if isinstance(given, (list, tuple)) and len(given) == len(labels):
        return list(given)
    if len(labels) == 1 and not isinstance(given, (list, tuple)):
        return [given]
    if spread and not isinstance(given, (list, tuple)):
        return [given] * len(labels)
    count = len(given) if isinstance(given, (list, tuple)) else 1
    raise ValueError(
        f"The model has {len(labels)} outputs ({', '.join(map(str, labels))}), but {what} has {count}. "
        f"Pass a list with one entry per output, or a dictionary by name. Received: {what}={_brief(given)}."
    )


def _brief(x: Data) -> str:
    text = repr(x) if not hasattr(x, "shape") else f"an array of shape {x.shape}"
    return text if len(text) < 200 else f"{text[:200]}..."


def output_labels(outputs: Nested, names: Sequence[str] | None, paths: bool = False) -> list[str]:
    """A name for each flat output: its own, or its path if outputs are nested and `paths` is set."""
    found = [path for path, _ in tree.flatten_with_path(outputs)]
    if not names or len(names) != len(found):
        return ["_".join(map(str, path)) or "output" for path in found]
    if not (paths and any(len(path) > 1 for path in found)):
        return list(names)
    return [
        "/".join(map(str, path if isinstance(path[-1], str) else (*path[:-1], name)))
        for path, name in zip(found, names, strict=True)
    ]


def _named(outputs: Nested, names: Sequence[str] | None) -> bool:
    """Whether outputs have names, or keys that serve as names: those of a subclassed model in one dictionary do."""
    paths = [path for path, _ in tree.flatten_with_path(outputs)]
    keyed = all(len(path) == 1 and isinstance(path[0], str) for path in paths)
    return keyed or bool(names and len(names) == len(paths))


class Part:
    """Several outputs covered by one loss; a leaf when outputs are matched."""

    def __init__(self, outputs: object):
        self.outputs = outputs


def _parted(outputs: Nested, loss: object, top: bool = True) -> Nested:
    """`outputs`, with a `Part` for outputs covered by one user's loss. At the top level a loss applies to each
    output."""
    if not tree.is_nested(outputs):
        return outputs
    if isinstance(loss, Mapping) and isinstance(outputs, Mapping):
        return {key: _parted(value, loss.get(key), False) for key, value in outputs.items()}
    if isinstance(loss, (list, tuple)):
        if not isinstance(outputs, (list, tuple)) or len(loss) != len(outputs):
            return outputs
        return [_parted(value, one, False) for value, one in zip(outputs, loss, strict=True)]
    return outputs if top or loss is None or isinstance(loss, Mapping) or _is_elementwise(loss) else Part(outputs)


def _is_elementwise(loss: object) -> bool:
    """Whether a loss is one of cornu's own, which apply to each output of a part."""
    function = loss.fn if isinstance(loss, losses_module.LossFunctionWrapper) else loss
    return isinstance(loss, str) or registry.is_builtin(function if hasattr(function, "__name__") else type(function))


def _filled(y: Data, outputs: Nested, wanted: Sequence[bool]) -> Nested:
    """Labels that were given only for some outputs, with None for the others."""
    if y is None or isinstance(y, Mapping):
        return y
    given = list(y) if isinstance(y, (list, tuple)) else [y]
    if len(given) != sum(wanted) or len(given) == len(wanted):
        return y
    remaining = iter(given)
    return tree.pack_sequence_as(outputs, [next(remaining) if want else None for want in wanted])


class CompiledLoss:
    """The combined loss of all outputs.

    Args:
        loss: one loss, or a structure of them by output.
        loss_weights: one number per output.
        output_names: the names of the flat outputs, or None.
    """

    def __init__(self, loss: object, loss_weights: object = None, output_names: Sequence[str] | None = None):
        self.loss = _resolved(loss)
        self._given = loss
        self.loss_weights = loss_weights
        self.output_names = output_names
        self.built = False
        self.trackers: list[Mean] = []  # the means of the outputs' losses; empty for a single loss
        self._trackers: list[Mean] = []  # the same in the order of the outputs
        self._entries: list[tuple[Loss | None, float | None]] = []
        self.wanted: list[bool] = []  # which outputs have a loss

    def build(self, y: Data, y_pred: Tensor) -> None:
        """Match the losses to the outputs."""
        y_pred = _parted(y_pred, self.loss)
        found = line_up(self.loss, y_pred, self.output_names, "loss", spread=True)
        weights = line_up(self.loss_weights, y_pred, self.output_names, "loss_weights")
        labels = output_labels(y_pred, self.output_names, paths=True)
        self.wanted = [one is not None for one in found]
        targets = line_up(_filled(y, y_pred, self.wanted), y_pred, self.output_names, "y")
        losses = map(_as_loss, found, targets, tree.flatten(y_pred))
        self._entries = list(zip(losses, weights, strict=True))
        if not any(one for one, _ in self._entries):
            raise ValueError("compile: every output's loss is None, so there is nothing to train on.")
        several = sum(one is not None for one, _ in self._entries) > 1
        self.labels = labels
        trained = [label for label, (one, _) in zip(labels, self._entries, strict=True) if one is not None]
        self._trackers = [Mean(name=f"{name}_loss") for name in self._shown(y_pred)] if several else []
        named = self.loss if isinstance(self.loss, Mapping) and isinstance(y_pred, Mapping) else ()
        place = {key: index for index, key in enumerate(named)}
        listed = sorted(zip(trained, self._trackers, strict=False), key=lambda pair: place.get(pair[0], len(place)))
        self.trackers = [tracker for _, tracker in listed]  # in the order of `evaluate`
        self.built = True

    def _shown(self, y_pred: Tensor) -> list[str]:
        """The names of the outputs' losses in logs: the path to the output, which ends in its key or its name.

        If outputs have no names, the loss's name is used.
        """
        given = line_up(self._given, y_pred, self.output_names, "loss", spread=True)
        called = [_called(one, loss) for one, (loss, _) in zip(given, self._entries, strict=True)]
        paths = [path for path, _ in tree.flatten_with_path(y_pred)]
        ends = self.output_names if self.output_names and len(self.output_names) == len(paths) else called
        return [
            "/".join(map(str, path if isinstance(path[-1], str) else (*path[:-1], end)))
            for path, end, (loss, _) in zip(paths, ends, self._entries, strict=True)
            if loss is not None
        ]

    @property
    def losses(self) -> list[Loss]:
        """The losses of the outputs that have one."""
        return [one for one, _ in self._entries if one is not None]

    def pairs(self, y: Data, y_pred: Tensor) -> list[tuple[str, Loss, Any, Any]]:
        """(output's name, its loss, labels, predictions) for each output that has a loss."""
        y_pred = _parted(y_pred, self.loss)
        targets = line_up(_filled(y, y_pred, self.wanted), y_pred, self.output_names, "y")
        rows = zip(self.labels, self._entries, targets, tree.flatten(y_pred), strict=True)
        found = [(label, one, target, output) for label, (one, _), target, output in rows if one is not None]
        missing = [label for label, _, target, _ in found if target is None]
        if missing and y is not None:
            raise ValueError(f"y must have labels for every output that has a loss. Missing: {missing}.")
        return found

    def __call__(self, y: Data, y_pred: Tensor, sample_weight: Data = None) -> Nested:
        """The weighted sum of the outputs' losses."""
        if not self.built:
            self.build(y, y_pred)
        parts = _parted(y_pred, self.loss)
        weights = line_up(
            _filled(sample_weight, parts, self.wanted), parts, self.output_names, "sample_weight", spread=True
        )
        weights = [w for w, (one, _) in zip(weights, self._entries, strict=True) if one is not None]
        factors = [factor for one, factor in self._entries if one is not None]
        total = None
        for index, (_, loss, target, output) in enumerate(self.pairs(y, y_pred)):
            output = output.outputs if isinstance(output, Part) else output
            value = jnp.asarray(loss(target, _masked_rows(output), sample_weight=weights[index]))
            _check_scalar(value, loss)
            if self._trackers:
                self._trackers[index].update_state(value, sample_weight=batch_rows(output))
            value = value if factors[index] is None else value * jnp.asarray(factors[index], value.dtype)
            total = value if total is None else total + value
        return total


def _check_scalar(value: Nested, loss: Loss) -> None:
    if value.ndim:
        raise ValueError(
            f'The loss "{loss.name}" returns an array of shape {value.shape}, but training needs a scalar. '
            f"Use a reduction such as 'sum_over_batch_size'. Received: reduction={validate.shown(loss.reduction)}."
        )


def _resolved(loss: object) -> Nested:
    """Strings, configs and functions in `loss` as losses, so that a wrong name fails in `compile`."""
    if isinstance(loss, Mapping) and "class_name" not in loss:
        return {key: _resolved(value) for key, value in loss.items()}
    if isinstance(loss, (list, tuple)):
        return [_resolved(value) for value in loss]
    return loss if _is_shaped(loss, _LOSSES) else losses_module.get(loss)


def _as_loss(loss: Any, y: Data, y_pred: Tensor) -> Any:
    if _is_shaped(loss, _LOSSES):
        return _by_shape(_LOSSES[loss.lower()], y, y_pred)
    return loss if loss is None or isinstance(loss, Loss) else losses_module.LossFunctionWrapper(loss, name=_name(loss))


def _called(given: object, loss: Loss | None) -> str:
    """The name of a loss as it was given: the name of a function, or an object's own name."""
    if not isinstance(given, str):
        return _name(given)
    return _name(loss) if type(loss).__name__ == given else given


def _name(function: object) -> str:
    name = function.name if isinstance(function, Loss) else getattr(function, "__name__", type(function).__name__)
    return "lambda" if name == "<lambda>" else name


def batch_rows(x: Nested) -> Nested:
    """The number of valid rows in the batch."""
    rows, x = context.current().rows, tree.flatten(x)[0]
    return jnp.asarray(x.shape[0] if x.shape else 1, "float32") if rows is None else jnp.sum(rows, dtype="float32")


def _masked_rows(y_pred: Tensor) -> Nested:
    """`y_pred` with a mask that excludes the padding rows of a last batch."""
    rows = context.current().rows
    if rows is None or not hasattr(y_pred, "shape"):
        return y_pred
    mask = get_mask(y_pred)
    marked = jnp.copy(y_pred)
    set_mask(marked, rows if mask is None else mask & rows.reshape((-1,) + (1,) * (mask.ndim - 1)))
    return marked


class CompiledMetrics(Metric):
    """The metrics of all outputs as one metric, whose result is a dictionary.

    Args:
        metrics: one metric, a list, or a structure by output.
        weighted_metrics: the same, updated with sample weights.
        output_names: the names of the flat outputs, or None.
        loss: determines which outputs have labels; None if those with metrics have.
    """

    def __init__(
        self,
        metrics: object,
        weighted_metrics: object,
        output_names: Sequence[str] | None = None,
        loss: CompiledLoss | None = None,
    ):
        super().__init__(name="compile_metrics")
        self.given = {"metrics": metrics, "weighted_metrics": weighted_metrics}
        for found in self.given.values():
            _check_names(found)
        self.output_names = output_names
        self.loss = loss
        self.built = False
        self.entries: list[tuple[int, bool, Metric, str]] = []  # output, weighted, metric, name in the logs
        self.wanted: list[bool] = []  # which outputs have metrics

    def build(self, y: Data, y_pred: Tensor) -> None:
        """Match the metrics to the outputs, and choose the accuracy that suits each output's shapes."""
        labels = output_labels(y_pred, self.output_names)
        lined_up = {what: self._of_outputs(given, y_pred, len(labels)) for what, given in self.given.items()}
        self.wanted = [bool(_listed(found)) for found in zip(*lined_up.values(), strict=True)]
        targets = self._targets(y, y_pred)
        prefixes = [f"{label}_" for label in labels] if _named(y_pred, self.output_names) else [""] * len(labels)
        taken: set[str] = set()
        for what, parts in lined_up.items():
            for index, found in enumerate(parts):
                for one in _listed(found):
                    metric = _as_metric(one, targets[index], tree.flatten(y_pred)[index])
                    name = f"{prefixes[index]}{metric.name}" if len(labels) > 1 else metric.name
                    weighted = what == "weighted_metrics"
                    name = _unique(name, metric.name, weighted, taken)
                    self.entries.append((index, weighted, metric, name))
        self.entries.sort(key=lambda entry: entry[0])
        self._warn_of_sharing()
        self.built = True

    def _warn_of_sharing(self) -> None:
        """A metric given for several outputs has one state: each of its values in the logs is of all of them."""
        for metric in self.metrics:
            names = [name for _, _, one, name in self.entries if one is metric]
            if len(names) > 1:
                warnings.warn(
                    f"compile: the values {', '.join(names)} come from one metric object, "
                    f"{validate.describe(metric)}, so each of them is computed over all of these outputs together. "
                    "Create a metric for each of them.",
                    stacklevel=2,
                )

    def _of_outputs(self, given: object, y_pred: Tensor, outputs: int) -> AnyList:
        """The metrics given for each output; for a single output the keys of a dictionary are arbitrary."""
        if outputs > 1:
            return line_up(given, y_pred, self.output_names, "metrics")
        return [list(given.values()) if isinstance(given, Mapping) and "class_name" not in given else given]

    def _targets(self, y: Data, y_pred: Tensor) -> AnyList:
        """The labels of each output; None if there are none."""
        if isinstance(y, Mapping) and tree.is_nested(y_pred) and not isinstance(y_pred, Mapping):
            return [y.get(name) for name in self.output_names or ()]
        wanted = self.loss.wanted if self.loss is not None and self.loss.built else self.wanted
        fits = len(wanted) == len(self.wanted)
        return line_up(_filled(y, y_pred, wanted if fits else self.wanted), y_pred, self.output_names, "y")

    @property
    def metrics(self) -> list[Metric]:
        """All metrics, each once."""
        return list({id(metric): metric for _, _, metric, _ in self.entries}.values())

    @property
    def variables(self) -> list[Variable]:
        """The variables of all metrics."""
        return list(dict.fromkeys(variable for metric in self.metrics for variable in metric.variables))

    def reset_state(self) -> None:
        """Reset all metrics."""
        for metric in self.metrics:
            metric.reset_state()

    def update_state(self, y: Data, y_pred: Tensor, sample_weight: Data = None) -> None:
        """Update the metrics with a batch."""
        if not self.built:
            self.build(y, y_pred)
        targets = self._targets(y, y_pred)
        outputs = tree.flatten(y_pred)
        weights = line_up(sample_weight, y_pred, self.output_names, "sample_weight", spread=True)
        for index, weighted, metric, _ in self.entries:
            if targets[index] is None:
                continue
            weight = _row_weight(weights[index] if weighted else None)
            metric.update_state(targets[index], outputs[index], sample_weight=weight)

    def result(self) -> dict[str, Any]:
        """The metrics' values by name; a metric that returns a dictionary adds its entries."""
        return results((name, metric) for _, _, metric, name in self.entries)


def results(metrics: Iterable[tuple[str, Metric]]) -> dict[str, object]:
    """The values of (name, metric) pairs, without name collisions.

    If a key in a metric's dictionary is taken, the metric's name is prepended; a name that is taken gets a number.
    """
    found: dict[str, Any] = {}
    for name, metric in metrics:
        value = metric.result()
        for key, entry in value.items() if isinstance(value, dict) else [(name, value)]:
            prefixed = [f"{name}_{key}"] if isinstance(value, dict) else []
            names = chain([key], prefixed, (f"{key}_{number}" for number in count(1)))
            entry = entry.value if isinstance(entry, Variable) else entry  # read here, on demand
            found[next(each for each in names if each not in found)] = entry
    return found


def _row_weight(weight: object) -> Tensor:
    """A sample weight that is zero for the padding rows of a last batch."""
    rows = context.current().rows
    if rows is None:
        return weight
    real = rows.astype("float32")
    if weight is None:
        return real
    weight = jnp.asarray(weight)
    return weight * real.reshape((-1,) + (1,) * (weight.ndim - 1))


def _listed(found: object) -> AnyList:
    if found is None:
        return []
    if isinstance(found, (list, tuple)):
        return [one for item in found for one in _listed(item)]
    return [found]


def _check_names(found: object) -> None:
    """Fail in `compile` for an unknown metric name, and for objects that are not metrics."""
    if isinstance(found, Mapping) and "class_name" not in found:
        found = list(found.values())
    for one in _listed(found):
        if not (callable(one) or isinstance(one, Mapping) or _is_shaped(one, _METRICS)):
            metrics_module.get(one)


# Names whose meaning depends on shapes: for one unit, for one-hot labels, for integer labels.
_CROSSENTROPY = ("BinaryCrossentropy", "CategoricalCrossentropy", "SparseCategoricalCrossentropy")
_ACCURACY = ("BinaryAccuracy", "CategoricalAccuracy", "SparseCategoricalAccuracy")
_LOSSES = {name: [getattr(losses_module, kind) for kind in _CROSSENTROPY] for name in ("crossentropy", "ce")}
_METRICS = {
    **{name: [getattr(metrics_module, kind) for kind in _CROSSENTROPY] for name in ("crossentropy", "ce")},
    **{name: [getattr(metrics_module, kind) for kind in _ACCURACY] for name in ("accuracy", "acc")},
}


def _is_shaped(name: object, table: Mapping[str, object]) -> bool:
    return isinstance(name, str) and name.lower() in table


def _as_metric(one: Any, y: Data, y_pred: Tensor) -> Metric:
    """The metric for a name, a config, a function or an object, under the name it was given."""
    if isinstance(one, Metric):
        return one
    found = _by_shape(_METRICS[one.lower()], y, y_pred) if _is_shaped(one, _METRICS) else metrics_module.get(one)
    if isinstance(one, str):
        name = one.rpartition(">")[2]  # without the package of a registered name
        if isinstance(found, Metric):
            found.name = name
            return found
        return metrics_module.MeanMetricWrapper(found, name=name)
    return found if isinstance(found, Metric) else metrics_module.MeanMetricWrapper(found, name=_name(found))


def _by_shape(kinds: Sequence[type], y: Nested, y_pred: Tensor) -> Any:
    """The variant of accuracy or crossentropy that suits the shapes of labels and predictions."""
    binary, one_hot, sparse = kinds
    if y_pred.shape[-1:] == (1,) or len(y_pred.shape) < 2:
        return binary()
    return sparse() if len(y.shape) < len(y_pred.shape) or y.shape[-1] == 1 else one_hot()


def _unique(name: str, base: str, weighted: bool, taken: set[str]) -> str:
    if name in taken and weighted:
        name = name.removesuffix(base) + f"weighted_{base}"
    candidate, count = name, 0
    while candidate in taken:
        count += 1
        candidate = f"{name}_{count}"
    taken.add(candidate)
    return candidate
