"""`Sequential`: a model that is a list of layers, each receiving the output of the previous one.

As soon as the input shape is known, the list is also converted to a graph, so that a Sequential model has symbolic
inputs and outputs like any functional one.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, cast

from cornu import tree, validate
from cornu.core import context
from cornu.core.configurable import deserialize_keras_object, serialize_keras_object, shared_objects, with_shared_ids
from cornu.core.symbolic import KerasTensor
from cornu.core.tracebacks import filtered
from cornu.core.typing import AnyList, Config, ConfigDict, CustomObjects, Nested, NestedShapes, Shape
from cornu.layers.input import InputLayer
from cornu.layers.input_spec import shape_of
from cornu.layers.layer import Layer
from cornu.models.function import Function
from cornu.models.model import Model
from cornu.registry import InFiles
from cornu.saving import legacy_config


class Sequential(Model):
    """A linear stack of layers.

    Args:
        layers: list of layers; more can be added later.
        trainable: whether training updates the weights. Defaults to True.
        name: name.

    Example:

        model = cornu.Sequential([cornu.Input((4,)), cornu.layers.Dense(8, "relu"), cornu.layers.Dense(1)])
        print(model.output_shape)  # (None, 1)
    """

    _in_files = InFiles("keras")
    pure_call = rowwise = True
    _hidden = Model._hidden
    _is_functional = False

    @filtered
    def __init__(
        self, layers: Sequence[Layer | KerasTensor] | None = None, trainable: bool = True, name: str | None = None
    ):
        if layers is not None and not isinstance(layers, (list, tuple)):
            raise TypeError(
                "Sequential: layers must be a list, as in Sequential([first, second]). "
                f"Received: {type(layers).__name__}."
            )
        super().__init__(trainable=trainable, name=name)
        self._layers: list[Layer] = []
        self._only_last_size_known = False  # whether the input's shape comes only from `input_dim`
        self._sizes_declared = True  # whether the input's sizes were declared, rather than inferred from the first data
        for layer in layers or ():
            self.add(layer, rebuild=False)
        self._rebuild()

    @filtered
    def add(self, layer: object, rebuild: bool = True) -> None:
        """Append `layer`.

        Args:
            layer: a layer, a model, or the result of `Input(...)` (only as the first).
            rebuild: whether to rebuild the graph immediately. Defaults to True.
        """
        layer = _as_layer(layer, self)
        if isinstance(layer, InputLayer) and self._layers:
            raise ValueError(
                f"{validate.describe(self)}: an Input can only come first. Layers before it: {len(self._layers)}."
            )
        if any(layer.name == other.name and layer is not other for other in self._layers):
            raise ValueError(
                f'{validate.describe(self)}: there is already a layer called "{layer.name}". Names must be unique.'
            )
        if not self._layers and layer._batch_input_shape is not None:
            self._only_last_size_known = layer._only_last_size_known
            self._layers.append(InputLayer(batch_shape=layer._batch_input_shape, dtype=layer.compute_dtype))
        self._layers.append(layer)
        if rebuild:
            self._rebuild()

    def pop(self, rebuild: bool = True) -> Layer:
        """Remove the last layer."""
        if not self._layers:
            raise ValueError(f"{validate.describe(self)}: there is no layer to remove.")
        layer = self._layers.pop()
        self.built = False
        self._graph = None
        if rebuild:
            self._rebuild()
        return layer

    def _rebuild(self) -> None:
        """Rebuild the graph, if the input's shape is known."""
        self.built = False
        self._graph = None
        self._forget_computations()
        first = self._layers[0] if self._layers else None
        if isinstance(first, InputLayer) and len(self._layers) > 1:
            self._lay_out_from(first)
        elif isinstance(first, Model) and first._graph is not None and len(first._graph.inputs) == 1:
            self._enter(first._graph.inputs[0])
        elif isinstance(first, Model) and first._graph is not None:
            self._lay_out(_fresh_inputs(first))

    def _lay_out_from(self, entry: InputLayer) -> None:
        """Build the graph from an input; one known only by `input_dim` may gain dimensions that a later layer needs."""
        try:
            return self._lay_out(entry.output)
        except ValueError:
            if not self._only_last_size_known:
                raise
            for rank in (3, 4, 5):
                wider = InputLayer(batch_shape=(*[None] * (rank - 1), entry.batch_shape[-1]), dtype=entry.dtype)
                with suppress(ValueError):
                    self._lay_out(wider.output)
                    self._layers[0] = wider
                    return None
            raise

    def _enter(self, example: KerasTensor, declared: bool = True) -> None:
        """Create an input like `example`, and build the graph from there."""
        self._sizes_declared = declared
        self._layers.insert(0, InputLayer(batch_shape=example.shape, dtype=example.dtype))
        self._rebuild()

    def _lay_out(self, inputs: Nested) -> None:
        x = inputs
        path = self._variable_path()
        context.auto_name("functional")  # Keras creates a functional model here, which affects automatic names
        with context.scope(path=path, scope_caller=self):
            for layer in self.layers:
                x = layer(x)
        self._graph = Function(inputs, x, name=self.name).of(self)
        self._path = "/".join(path)
        self.built = True

    def build(self, input_shape: NestedShapes = None) -> None:
        """Create all weights.

        Args:
            input_shape: shape of the input with the batch dimension; not needed if the first layer defines it.
        """
        if self.built:
            return
        if not self._layers:
            raise ValueError(f"{validate.describe(self)} has no layers. Add some with add() first.")
        if isinstance(self._layers[0], InputLayer):
            self._rebuild()
            return
        if input_shape is None:
            raise ValueError(
                f"{validate.describe(self)}: the shape of the input is unknown. Start with cornu.Input(shape=...), "
                "or pass an input_shape with the batch dimension to build(), such as (None, 784)."
            )
        dtype = "string" if getattr(self._layers[0], "takes_text", False) else "float32"
        self._enter(KerasTensor(tuple(input_shape), dtype), declared=False)

    def _build_for(self, arguments: Any) -> None:
        """Build from the first data, with its shape and dtype."""
        if self.built or not self._layers:
            return super()._build_for(arguments) if not self._layers else None
        inputs = tree.flatten(next(iter(arguments.values()), None))
        if len(inputs) == 1 and hasattr(inputs[0], "shape"):
            shape = cast(Shape, shape_of(inputs[0]))
            self._enter(KerasTensor(shape, inputs[0].dtype), declared=False)
        return None

    def _expected_shape(self, tensor: KerasTensor) -> tuple[int | None, ...]:
        """The required sizes of an input: the declared ones. The layers check those that matter to them."""
        return super()._expected_shape(tensor) if self._sizes_declared else (None,) * tensor.ndim

    def call(self, inputs: Nested, training: bool | None = None, mask: Nested = None, **kwargs: Any) -> Nested:
        """Apply the layers in sequence."""
        if self._graph is not None:
            return super().call(inputs, training=training, mask=mask)
        x = inputs
        with context.scope(training=context.training() if training is None else training):
            for layer in self._layers:
                x = layer(x)
        return x

    def _held(self) -> Iterator[object]:
        """The layers first, then the values of other attributes."""
        yield self.__dict__.get("_layers", [])
        yield from Layer._held(self)

    @property
    def operations(self) -> AnyList:
        """The layers."""
        return list(self._layers)

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the input."""
        return [layer for layer in self._layers if not isinstance(layer, InputLayer)]

    def _flatten_layers(self, recursive: bool = True, include_self: bool = True) -> list[Layer]:
        found = super()._flatten_layers(recursive, include_self)
        return [layer for layer in found if not isinstance(layer, InputLayer)]

    def compute_output_shape(self, input_shape: NestedShapes) -> NestedShapes:
        """The output shape for an input shape."""
        for layer in self.layers:
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape

    def compute_output_spec(
        self, inputs: Nested, training: bool | None = None, mask: Nested = None, **kwargs: Any
    ) -> Nested:
        """The symbolic output for a symbolic input."""
        given = {key: value for key, value in {"training": training, "mask": mask}.items() if value is not None}
        return super().compute_output_spec(inputs, **given, **kwargs)

    def get_config(self) -> ConfigDict:
        """The layers as plain data."""
        return with_shared_ids(self._config)

    def _config(self) -> ConfigDict:
        config = {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": serialize_keras_object(self._dtype_policy),
            "layers": list(map(serialize_keras_object, self._layers)),
        }
        if self.built and self.inputs and len(self.inputs) == 1:
            config["build_input_shape"] = self.inputs[0].shape
        return config

    @classmethod
    def from_config(cls, config: Config, custom_objects: CustomObjects | None = None) -> "Sequential":
        """A model equal to the one whose `get_config` returned `config`."""
        if "layers" not in config and not isinstance(config, list):
            return cls(**config)
        config = legacy_config.of_today({"class_name": "Sequential", "config": config})["config"]
        model = cls(name=config.get("name"), trainable=config.get("trainable", True))
        if config.get("dtype") is not None:
            model.dtype_policy = config["dtype"]
        made: list[Layer] = []
        below = context.scope(path=model._variable_path(), scope_caller=model)  # keeps the names
        with shared_objects(), below:
            for entry in config["layers"]:
                first = config["layers"].index(entry)  # an entry that occurs twice is the same layer
                made.append(made[first] if first < len(made) else deserialize_keras_object(entry, custom_objects))
                model.add(made[-1], rebuild=False)
        model._rebuild()
        model._sizes_declared = False  # files do not distinguish declared sizes from inferred ones
        shape = config.get("build_input_shape")
        if not model.built and model._layers and isinstance(shape, (list, tuple)):
            model.build(tuple(shape))
        return model

    def get_build_config(self) -> ConfigDict | None:
        """The shape of the input, once known."""
        return {"input_shape": self.inputs[0].shape} if self.built and self.inputs else None

    def build_from_config(self, config: Config) -> None:
        """Build with the shape returned by `get_build_config`."""
        if not self.built and config.get("input_shape") is not None:
            self.build(tuple(config["input_shape"]))


def _as_layer(layer: object, owner: object) -> Layer:
    if isinstance(layer, KerasTensor) and layer.history and isinstance(layer.history.operation, InputLayer):
        return layer.history.operation
    if isinstance(layer, Layer):
        return layer
    hint = " Did you forget the parentheses?" if isinstance(layer, type) and issubclass(layer, Layer) else ""
    if isinstance(layer, KerasTensor):
        hint = (
            " Leave the call out, Dense(2) in the place of Dense(2)(x); a graph of tensors is a Model(inputs, outputs)."
        )
    hint = hint or " Wrap a function in cornu.layers.Lambda." * callable(layer)
    raise ValueError(f"{validate.describe(owner)}: add() expects a layer. Received: {validate.shown(layer)}.{hint}")


def _fresh_inputs(model: Model) -> Nested:
    """New symbolic inputs like those of a nested model."""
    return tree.map_structure(lambda x: InputLayer(batch_shape=x.shape, dtype=x.dtype).output, model.input)
