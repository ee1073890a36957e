"""`FeatureSpace`: the columns of a table, each preprocessed by its own layer, as one vector or as a dictionary.

A feature consists of a layer that preprocesses a column, the dtype of the column, and the form of the output: numbers,
integers, or one-hot vectors. Layers learn what they need from data, with `adapt`. All of it runs on the host, before
the model.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from cornu import layers, ops, saving, validate
from cornu.core.configurable import Configurable, deserialize_keras_object, serialize_keras_object
from cornu.core.context import auto_name
from cornu.core.symbolic import KerasTensor
from cornu.core.typing import Config, ConfigDict, Nested, Tensor
from cornu.layers.layer import Layer
from cornu.registry import InFiles

_FILE = "keras.src.layers.preprocessing.feature_space"
_MODES = ("one_hot", "int")
Number: TypeAlias = float  # an alias, since a method is called `float`


class TFDIdentity(Layer):
    """The layer for a column of plain numbers, which leaves them unchanged."""

    _in_files = InFiles(_FILE, registered_name="TFDIdentity")

    def call(self, inputs: Nested) -> Nested:
        """The inputs."""
        return inputs


class Feature(Configurable):
    """A column: its dtype, the layer that preprocesses it, and the form of the output.

    Args:
        dtype: dtype of the column, such as `"float32"`, `"int32"` or `"string"`.
        preprocessor: the layer.
        output_mode: `"float"`, `"int"` or `"one_hot"`.
    """

    _in_files = InFiles(_FILE, registered_name="Feature")

    def __init__(self, dtype: str, preprocessor: Layer, output_mode: str):
        if not callable(preprocessor):
            raise ValueError(f"FeatureSpace: preprocessor must be a layer. Received: {validate.shown(preprocessor)}.")
        self.dtype = dtype
        self.preprocessor = preprocessor
        self.output_mode = validate.one_of(output_mode, ("float", *_MODES), "output_mode", "FeatureSpace")


class Cross(Configurable):
    """Columns whose combinations, after preprocessing, are hashed into bins.

    Args:
        feature_names: names of two or more columns of strings or integers.
        crossing_dim: number of bins.
        output_mode: `"one_hot"` or `"int"`. Defaults to `"one_hot"`.
    """

    _in_files = InFiles(_FILE, registered_name="Cross")

    def __init__(self, feature_names: Sequence[str], crossing_dim: int, output_mode: str = "one_hot"):
        self.feature_names = tuple(feature_names)
        self.crossing_dim = validate.positive_int(crossing_dim, "crossing_dim", "FeatureSpace")
        self.output_mode = validate.one_of(output_mode, _MODES, "output_mode", "FeatureSpace")

    @property
    def name(self) -> str:
        """The names of the columns, joined by `_X_`."""
        return "_X_".join(self.feature_names)


class FeatureSpace(Layer):
    """Preprocesses the columns of a table for a model: scales numbers, encodes or hashes categories, crosses columns.

    Args:
        features: for each column by name, its preprocessing: `FeatureSpace.float_normalized()` or similar, or its name,
            `"float_normalized"`, with the defaults.
        output_mode: `"concat"` for one vector, of the columns in alphabetical order and then the crosses, or `"dict"`
            for separate outputs. Defaults to `"concat"`.
        crosses: tuples of names of columns whose combinations are hashed, or `FeatureSpace.cross(...)`. None by
            default.
        crossing_dim: number of bins of crosses given as tuples. Defaults to 32.
        hashing_dim: number of bins of columns given as `"string_hashed"` and `"integer_hashed"`. Defaults to 32.
        num_discretization_bins: number of bins of columns given as `"float_discretized"`. Defaults to 32.
        name: name. None derives one.

    Input shape:
        A dictionary by column, with shapes `()`, `(batch,)` or `(batch, 1)`.

    Output shape:
        `(batch, width)`, or a dictionary of such arrays; without the batch axis if the input had none.

    https://keras.io/api/utils/feature_space/

    Example:

        table = {"age": [20.0, 40.0, 60.0], "town": ["Ulm", "Rom", "Ulm"]}
        space = cornu.utils.FeatureSpace({"age": "float_normalized", "town": "string_categorical"})
        space.adapt([table])
        print(space(table).shape)  # (3, 4)
    """

    _in_files = InFiles("keras.utils")

    # ------------------------------------------------------------ kinds of features

    @classmethod
    def cross(cls, feature_names: Sequence[str], crossing_dim: int, output_mode: str = "one_hot") -> Cross:
        """Combinations of columns, hashed into `crossing_dim` bins."""
        return Cross(feature_names, crossing_dim, output_mode)

    @classmethod
    def feature(cls, dtype: str, preprocessor: Layer, output_mode: str) -> Feature:
        """A column preprocessed by a custom layer."""
        return Feature(dtype, preprocessor, output_mode)

    @classmethod
    def float(cls, name: str | None = None) -> Feature:
        """Numbers, unchanged."""
        return Feature("float32", TFDIdentity(name=_named(name, "float")), "float")

    @classmethod
    def float_rescaled(cls, scale: Number = 1.0, offset: Number = 0.0, name: str | None = None) -> Feature:
        """Numbers times `scale` plus `offset`."""
        return Feature("float32", layers.Rescaling(scale, offset, name=_named(name, "float_rescaled")), "float")

    @classmethod
    def float_normalized(cls, name: str | None = None) -> Feature:
        """Numbers minus their mean, divided by their standard deviation."""
        return Feature("float32", layers.Normalization(axis=-1, name=_named(name, "float_normalized")), "float")

    @classmethod
    def float_discretized(
        cls,
        num_bins: int,
        bin_boundaries: Sequence[Any] | None = None,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Numbers in `num_bins` bins with about equally many samples, or between given boundaries."""
        named = _named(name, "float_discretized")
        bins = None if bin_boundaries is not None else num_bins
        return Feature("float32", layers.Discretization(bin_boundaries, bins, name=named), output_mode)

    @classmethod
    def integer_categorical(
        cls,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Integers, of which the most frequent ones are encoded."""
        named = _named(name, "integer_categorical")
        return Feature("int32", layers.IntegerLookup(max_tokens, num_oov_indices, name=named), output_mode)

    @classmethod
    def string_categorical(
        cls,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Strings, of which the most frequent ones are encoded."""
        named = _named(name, "string_categorical")
        return Feature("string", layers.StringLookup(max_tokens, num_oov_indices, name=named), output_mode)

    @classmethod
    def string_hashed(cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None) -> Feature:
        """Strings, hashed into `num_bins` bins."""
        return Feature("string", layers.Hashing(num_bins, name=_named(name, "string_hashed")), output_mode)

    @classmethod
    def integer_hashed(cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None) -> Feature:
        """Integers, hashed into `num_bins` bins."""
        return Feature("int32", layers.Hashing(num_bins, name=_named(name, "integer_hashed")), output_mode)

    # ------------------------------------------------------------ the space

    def __init__(
        self,
        features: Mapping[str, str | Feature],
        output_mode: str = "concat",
        crosses: Sequence[Any] | None = None,
        crossing_dim: int = 32,
        hashing_dim: int = 32,
        num_discretization_bins: int = 32,
        name: str | None = None,
    ):
        super().__init__(name=name)
        if not features or not isinstance(features, Mapping):
            raise ValueError(
                f"{validate.describe(self)}: features must be a dictionary by column. "
                f"Received: {validate.shown(features)}."
            )
        self.output_mode = validate.one_of(output_mode, ("concat", "dict"), "output_mode", self)
        self.crossing_dim, self.hashing_dim = crossing_dim, hashing_dim
        self.num_discretization_bins = num_discretization_bins
        self.features = {name: self._feature(name, given) for name, given in features.items()}
        self.crosses = [self._cross(given) for given in crosses or ()]
        self.preprocessors = {name: feature.preprocessor for name, feature in self.features.items()}
        self.crossers = {
            cross.name: layers.HashedCrossing(cross.crossing_dim, name=cross.name) for cross in self.crosses
        }
        self._symbolic_inputs = {
            name: layers.Input((1,), dtype=feature.dtype, name=name) for name, feature in self.features.items()
        }
        self._is_adapted = False
        self._adaptable = [name for name, layer in self.preprocessors.items() if _learns(layer)]
        self.built = True

    def _feature(self, name: str, given: Any) -> Feature:
        if isinstance(given, Feature):
            return given
        if isinstance(given, Mapping):
            return deserialize_keras_object(given)
        sizes = {"float_discretized": self.num_discretization_bins} | dict.fromkeys(
            ("string_hashed", "integer_hashed"), self.hashing_dim
        )
        made: dict[str, Callable[..., Feature]] = {kind: getattr(self, kind) for kind in _KINDS}
        validate.one_of(given, tuple(made), f"features[{name!r}]", self)
        return made[given](*([sizes[given]] if given in sizes else []), name=name)

    def _cross(self, given: Any) -> Cross:
        cross = deserialize_keras_object(given) if isinstance(given, Mapping) else given
        cross = cross if isinstance(cross, Cross) else Cross(cross, self.crossing_dim)
        unknown = [name for name in cross.feature_names if name not in self.features]
        if unknown or len(cross.feature_names) < 2:
            raise ValueError(
                f"{validate.describe(self)}: a cross needs two or more columns of {', '.join(self.features)}. "
                f"Received: {cross.feature_names}."
            )
        return cross

    def adapt(self, dataset: Any) -> None:
        """Let the layers learn what they need: means, boundaries, vocabularies.

        Args:
            dataset: dictionaries by column, without labels: a dataset, a list or any other iterable of them, or a
            single one.
        """
        elements = [dataset] if isinstance(dataset, Mapping) else dataset
        elements = list(elements) if iter(elements) is elements else elements
        for name in self._adaptable:
            self.preprocessors[name].adapt(map(partial(self._column, name), elements))  # type: ignore[attr-defined]
        self._is_adapted = True

    def _column(self, name: str, element: object) -> np.ndarray:
        if not isinstance(element, Mapping) or name not in element:
            received = sorted(element) if isinstance(element, Mapping) else type(element).__name__
            raise ValueError(
                f"{validate.describe(self)}: data must be dictionaries with the key {name!r}, without labels: "
                f"dataset.map(lambda x, y: x). Received: {received}."
            )
        return _as_columns(element[name])

    def __call__(self, data: object) -> Nested:
        """The preprocessed columns of a dictionary: of one sample, or of a batch.

        Raises:
            ValueError: before `adapt`, if there is something to learn.
        """
        if not isinstance(data, Mapping) or set(data) != set(self.features):
            received = sorted(data) if isinstance(data, Mapping) else type(data).__name__
            raise ValueError(
                f"{validate.describe(self)}: data must be a dictionary with the keys "
                f"{', '.join(sorted(self.features))}. Received: {received}."
            )
        alone = all(not isinstance(x, KerasTensor) and np.ndim(x) == 0 for x in data.values())
        columns = {name: x if isinstance(x, KerasTensor) else _as_columns(x) for name, x in data.items()}
        encoded = self._encoded(columns)
        if alone:
            encoded = {name: x[0] for name, x in encoded.items()}
        return encoded if self.output_mode == "dict" else ops.concatenate([*encoded.values()], axis=-1)

    def _encoded(self, columns: dict[str, Any]) -> dict[str, Any]:
        """Each feature and cross, preprocessed."""
        if self._adaptable and not self._is_adapted:
            raise ValueError(f"{validate.describe(self)}: call adapt() first, so that the layers learn from data.")
        prepared = {name: self.preprocessors[name](columns[name]) for name in sorted(self.features)}
        found = {}
        for name, x in prepared.items():
            feature = self.features[name]
            depth = _depth(feature.preprocessor) if feature.output_mode == "one_hot" else 0
            found[name] = self._out(name, x, feature.output_mode, depth)
        for cross in self.crosses:
            crossed = self.crossers[cross.name]([prepared[name] for name in cross.feature_names])
            found[cross.name] = self._out(cross.name, crossed, cross.output_mode, cross.crossing_dim)
        return found

    def _out(self, name: str, x: object, mode: str, depth: int) -> Tensor:
        if mode == "one_hot":
            return layers.CategoryEncoding(depth, output_mode="multi_hot")(x)
        if mode == "int" and self.output_mode == "concat":
            raise ValueError(
                f"{validate.describe(self)}: the integers of {name!r} cannot be concatenated with the others. Use "
                'output_mode="one_hot" for it, or output_mode="dict" for the whole.'
            )
        return ops.cast(x, "float32") if mode == "float" else x

    def get_inputs(self) -> dict[str, KerasTensor]:
        """Symbolic inputs by column, `(batch, 1)`, for a model that includes the preprocessing."""
        return self._symbolic_inputs

    def get_encoded_features(self) -> Nested:
        """The symbolic output of the space for `get_inputs()`."""
        return self(self.get_inputs())

    # ------------------------------------------------------------ files

    def get_config(self) -> ConfigDict:
        """The constructor's arguments, with the layers in their current state."""
        sizes = ("output_mode", "crossing_dim", "hashing_dim", "num_discretization_bins")
        return {
            "features": serialize_keras_object(dict(self.features)),
            "crosses": [serialize_keras_object(cross) for cross in self.crosses],
            **{name: getattr(self, name) for name in sizes},
        }

    @classmethod
    def from_config(cls, config: Config) -> "FeatureSpace":
        """A space with the features in a config."""
        return cls(**config)

    def get_build_config(self) -> ConfigDict:
        """What each layer was built for."""
        return {name: layer.get_build_config() for name, layer in self.preprocessors.items()}

    def build_from_config(self, config: Config) -> None:
        """Build the layers; what they learned comes from the file."""
        for name, layer in self.preprocessors.items():
            if not layer.built and config.get(name):
                layer.build_from_config(config[name])
        self._is_adapted = True

    def save(self, filepath: str | os.PathLike[str]) -> None:
        """Save the space, including what it has learned, to a `.keras` file that `load_model` reads.

        Args:
            filepath: path of the file.
        """
        saving.save_model(self, filepath)


_KINDS = (
    "float", "float_rescaled", "float_normalized", "float_discretized", "integer_categorical", "string_categorical",
    "string_hashed", "integer_hashed",
)  # fmt: skip


def _named(name: str | None, kind: str) -> str:
    return f"{name or auto_name(kind)}_preprocessor"


def _as_columns(x: object) -> np.ndarray:
    """A column as an array of shape `(batch, 1)`, or with more axes."""
    array = np.asarray(x)
    return array.reshape(-1, 1) if array.ndim < 2 else array


def _learns(layer: Layer) -> bool:
    """Whether a layer still has something to learn."""
    given = ("vocabulary", "mean", "bin_boundaries")
    return hasattr(layer, "adapt") and all(getattr(layer, name, None) is None for name in given)


def _depth(layer: object) -> int:
    """The number of distinct integers that a layer may output."""
    if hasattr(layer, "vocabulary_size"):
        return layer.vocabulary_size()
    if isinstance(layer, layers.Discretization):
        return len(layer.bin_boundaries or ()) + 1
    if isinstance(layer, layers.Hashing):
        return layer.num_bins
    raise ValueError(
        f'FeatureSpace: the number of integers from {type(layer).__name__} is unknown. Use output_mode="float" or '
        '"int", or let the layer encode them itself.'
    )


__all__ = ["FeatureSpace"]
