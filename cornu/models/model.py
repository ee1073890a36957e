"""Models: layers that can be trained, saved and described.

A model is defined in one of three ways. A subclass defines `call`. `Model(inputs, outputs)` is a functional model: it
stores the graph between symbolic inputs and outputs and runs it. `Sequential` is a list of layers.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self, Unpack, cast

import numpy as np

from cornu import registry, saving, tree, validate
from cornu.core import border, budget, context, function_code
from cornu.core.configurable import deserialize_keras_object, serialize_keras_object
from cornu.core.masks import get_mask, set_mask
from cornu.core.operation import Operation
from cornu.core.symbolic import KerasTensor, any_symbolic, history_of
from cornu.core.tracebacks import filtered
from cornu.core.typing import AnyList, Args, Config, ConfigDict, CustomObjects, Kwargs, Nested, NestedShapes, Shape
from cornu.core.variable import Variable, deferred_values
from cornu.export.exporting import export_model
from cornu.layers.input_spec import InputSpec, check
from cornu.layers.layer import Layer
from cornu.layers.options import UnnamedOptions
from cornu.models import calls, graph_config, quantizing
from cornu.models.function import Function, check_symbolic, from_inputs, is_optional
from cornu.models.summary import as_html, print_summary
from cornu.random import SeedGenerator
from cornu.saving import legacy_config
from cornu.training.loop import Trainer

_OF_EVERY_CALL = ("training", "mask")
_MOST_FRESH, _FOR_EACH = 2**30, 2000  # bytes of weights that a JSON config may create, and more per character


class Model(Trainer, Layer):
    """A layer that can be trained (`fit`), evaluated, used for prediction and saved.

    Args:
        inputs: symbolic input or structure of them (functional models only).
        outputs: symbolic output or structure of them (functional models only).
        name: name.

    Example:

        x = cornu.Input((4,))
        y = cornu.layers.Dense(1)(x)
        model = cornu.Model(x, y)
        model.compile("sgd", "mse")
        model.fit(np.ones((8, 4)), np.ones((8, 1)), verbose=0)
    """

    _in_files = registry.InFiles("keras")
    pure_call = rowwise = True
    _recomputes = False
    volatile_attributes = Layer.volatile_attributes | Trainer.volatile_attributes
    _settled = (Variable, SeedGenerator)  # `compile` adds metrics
    _hidden = Layer._hidden | Trainer.hidden_attributes | volatile_attributes | {"_graph"}

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        kind = Functional if cls is Model and _is_functional(args, kwargs) else cls
        return cast(Self, super().__new__(kind, *args, **kwargs))

    def __init__(self, *args: Any, **kwargs: Any):
        graph_arguments, rest = _graph_arguments(type(self), args, kwargs)
        for structure, what in zip(graph_arguments or (), ("inputs", "outputs"), strict=False):
            check_symbolic(structure, what)  # a model that is refused uses up no automatic name
        super().__init__(**rest)
        self._start_training_state()
        self._graph: Function | None = None
        if graph_arguments is not None:
            self._set_graph(*graph_arguments)

    def _set_graph(self, inputs: Nested, outputs: Nested) -> None:
        """Become the functional model from `inputs` to `outputs`."""
        self._graph = from_inputs(Function(inputs, outputs, name=self.name)).of(self)
        _check_unique_names(self._graph.operations, self)
        self.built = True

    def _settle(self) -> None:
        """A model with a graph may get more attributes later: the graph defines its computation."""
        if self._graph is None:
            super()._settle()

    # ------------------------------------------------------------ calling

    @filtered
    def __call__(self, *args: Any, **kwargs: Any) -> Nested:
        outputs = calls.run(self, args, kwargs)
        outputs = super().__call__(*args, **kwargs) if outputs is calls.NOT_COMPILED else outputs
        return outputs if self._graph is None else _without_lists_of_one(outputs)

    def call(self, inputs: Nested, training: bool | None = None, mask: Nested = None) -> Nested:
        """Run the graph; subclasses without one must override this."""
        if self._graph is None:
            raise NotImplementedError(
                f"{validate.describe(self)}: define call() in the class {type(self).__name__}, "
                "or create the model from symbolic tensors: Model(inputs, outputs)."
            )
        with (
            _masked(inputs, mask),
            context.scope(training=context.training() if training is None else training),
        ):
            return self._graph.run(self._graph.standardize(inputs, self))

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Nested:
        """The symbolic outputs for symbolic inputs; those of each model for equal inputs are computed once per call.

        So nested models that call their parts twice do not take exponential time.
        """
        if self._runs_graph():
            return self._graph_spec(*args, **kwargs)
        given = {name: value for name, value in kwargs.items() if value is not None or name not in _OF_EVERY_CALL}
        return super().compute_output_spec(*args, **given)

    def _graph_spec(self, inputs: Nested, training: bool | None = None, mask: Nested = None) -> Nested:
        given = {key: value for key, value in {"training": training, "mask": mask}.items() if value is not None}
        if not all(x is None for x in tree.flatten(mask)):
            return super().compute_output_spec(inputs, **given)
        graph = cast(Function, self._graph)  # it has a graph
        given_tensors, own = graph._line_up(inputs, self), graph.inputs
        if not all(isinstance(x, KerasTensor) and x.ndim == y.ndim for x, y in zip(given_tensors, own, strict=True)):
            return super().compute_output_spec(inputs, **given)
        tensors = [
            KerasTensor(x.shape, y.dtype) for x, y in zip(given_tensors, own, strict=True)
        ]  # with the dtypes they are cast to
        specs = context.current().specs
        specs = {} if specs is None else specs
        key = (id(self), training, *(x.shape for x in tensors))
        if key not in specs:
            with context.scope(specs=specs, training=context.training() if training is None else training):
                specs[key] = graph.spec(tensors)
        return tree.map_structure(lambda x: KerasTensor(x.shape, x.dtype), specs[key])

    def _runs_graph(self) -> bool:
        """Whether calling the model just runs its graph."""
        caller = next(base for base in type(self).__mro__ if "call" in base.__dict__)
        return self._graph is not None and registry.is_builtin(caller) and self.activity_regularizer is None

    def _arrays(self, value: object) -> Nested:
        """An argument of `call` converted to JAX arrays; for a graph a list of numbers is a single array, as in
        `predict`."""
        return super()._arrays(value if self._graph is None else _written_out(value, validate.describe(self)))

    def _check_inputs(self, inputs: Nested) -> None:
        if self._graph is None or self.input_spec is not None:
            return super()._check_inputs(inputs)
        values = self._graph._line_up(inputs, self)
        for x, tensor in zip(values, self._graph.inputs, strict=True):
            spec = InputSpec(
                shape=self._expected_shape(tensor), allow_last_axis_squeeze=True, optional=is_optional(tensor)
            )
            check(spec, x, f'{validate.describe(self)}, input "{tensor.name}"')
        return None

    def _expected_shape(self, tensor: KerasTensor) -> tuple[int | None, ...]:
        """The required sizes of an input, None for any."""
        return (None, *tensor.shape[1:])

    def _attach_masks(self, inputs: Nested, outputs: Nested, previous: object) -> None:
        """Do nothing: the inner layers have attached them."""

    @property
    def _is_functional(self) -> bool:
        """Whether the model was created from symbolic tensors."""
        return self.__dict__.get("_graph") is not None

    def _flat_graph_inputs(self) -> list[KerasTensor] | None:
        return list(self._graph.inputs) if self._graph is not None else None

    @property
    def inputs(self) -> list[KerasTensor] | None:
        """The symbolic inputs of a functional model, flat."""
        return self._flat_graph_inputs()

    @property
    def outputs(self) -> list[KerasTensor] | None:
        """The symbolic outputs of a functional model, flat."""
        return list(self._graph.outputs) if self._graph is not None else None

    @property
    def input(self) -> Nested:
        """The symbolic input, in its original structure."""
        return self._graph._inputs_struct if self._graph is not None else super().input

    @property
    def output(self) -> Nested:
        """The symbolic output, in its original structure."""
        return self._graph._outputs_struct if self._graph is not None else super().output

    @property
    def input_shape(self) -> NestedShapes:
        """The shape of the input; a list of shapes if there are several."""
        return _one_or_list([x.shape for x in tree.flatten(self.input)])

    @property
    def output_shape(self) -> NestedShapes:
        """The shape of the output; a list of shapes if there are several."""
        return _one_or_list([x.shape for x in tree.flatten(self.output)])

    @property
    def input_names(self) -> list[str]:
        """The names of the inputs."""
        return [x.name for x in self.inputs or ()]

    @property
    def output_names(self) -> list[str] | None:
        """The names of the outputs: keys of a flat dictionary, else the layers they come from."""
        if self._graph is None:
            return None
        struct = self._graph._outputs_struct
        if isinstance(struct, dict) and not any(map(tree.is_nested, struct.values())):
            return sorted(struct)
        return [history_of(x).operation.name for x in self._graph.outputs]

    # ------------------------------------------------------------ layers

    @property
    def operations(self) -> list[Operation]:
        """The operations of a functional model's graph, including layers."""
        return list(self._graph.operations) if self._graph is not None else []

    @property
    def layers(self) -> list[Layer]:
        """The layers directly inside this model."""
        if self._graph is not None:
            return self._graph_parts(Layer)
        return self._flatten_layers(recursive=False, include_self=False)

    def _held(self) -> Iterator[object]:
        """The values of the attributes; a graph's operations come after attributes set before it, as in Keras."""
        graph = self.__dict__.get("_graph")
        for name, value in self.__dict__.items():
            if value is graph is not None:
                yield graph.operations
            elif name not in self._hidden:
                yield value

    def _collect(self, seeds: bool) -> list[Variable]:
        if "_known_structure" not in self.__dict__:
            return super()._collect(seeds)  # refuses a model whose constructor was not called
        return self._remembered_list(Layer._collect, seeds)

    def _graph_parts(self, kind: Any) -> AnyList:
        graph = self.__dict__.get("_graph")
        return [o for o in graph.operations if isinstance(o, kind)] if graph is not None else []

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer with this name, or at this index in `layers`."""
        if (name is None) == (index is None):
            raise ValueError(f"{validate.describe(self)}: get_layer takes either a name or an index.")
        layers = self.layers
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise ValueError(
                    f"{validate.describe(self)}: there are only {len(layers)} layers, so there is no index {index}."
                )
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        raise ValueError(
            f"{validate.describe(self)}: there is no layer {name!r}. Closest: "
            f"{validate.closest(str(name), [layer.name for layer in layers])}."
        )

    def quantize(  # type: ignore[override]  # as Keras names the arguments of models
        self, mode: object = None, config: object = None, filters: object = None, type_check: bool = True
    ) -> None:
        """Quantize the large weights of the layers; they are then no longer trainable.

        Args:
            mode: `"int8"`, `"int4"`, `"float8"` (weights are kept and stay trainable), `"gptq"` or `"awq"` (with a
                config that contains data); None uses that of `config`.
            config: a `quantizers.QuantizationConfig` with further settings; None uses the mode's defaults.
            filters: pattern of layer names, a list of patterns, or a function of a layer; None is all layers.
            type_check: whether to skip layers of subclasses of cornu's classes. Defaults to True.

        Example:

            model = cornu.Sequential([cornu.Input((4,)), cornu.layers.Dense(2)])
            model.quantize("int8")
            print(model.layers[0].dtype_policy)  # <QuantizedDTypePolicy "int8_from_float32">
        """
        quantizing.quantize(self, mode, config, filters, type_check)

    def get_quantization_layer_structure(self, mode: str | None = None) -> dict[str, Any] | None:
        """The blocks that a data-dependent mode processes in sequence; may be overridden, None by default.

        Args:
            mode: `"gptq"` or `"awq"`.

        Returns:
            `{"pre_block_layers": layers before the first block, "sequential_blocks": blocks}`, or None.
        """
        return None

    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Any = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
    ) -> None:
        """Print a table of the layers with their output shapes and numbers of weights.

        Args:
            line_length: width of the table in characters. None by default.
            positions: ends of the columns, as fractions of the width. None by default.
            print_fn: function that receives the whole text instead of standard output. None by default.
            expand_nested: whether to list the layers of nested models. Defaults to False.
            show_trainable: whether to add a column showing what is trainable. Defaults to False.
            layer_range: names (or regular expressions) of the first and the last layer to list. None by default.
        """
        print_summary(
            self, line_length=line_length, positions=positions, print_fn=print_fn, expand_nested=expand_nested,
            show_trainable=show_trainable, layer_range=layer_range,
        )  # fmt: skip

    def _repr_html_(self) -> str:
        """The display of a model in notebooks: the table of `summary`."""
        return as_html(self)

    # ------------------------------------------------------------ configs

    def get_config(self) -> ConfigDict:
        """The graph as plain data for functional models, else the constructor's arguments."""
        if self._graph is not None and not has_own_constructor(type(self)):
            return graph_config.write(self)
        config = super().get_config()
        return {k: v for k, v in config.items() if k not in ("inputs", "outputs")}

    @classmethod
    def from_config(cls, config: Config, custom_objects: CustomObjects | None = None) -> "Model":
        """A model equal to the one whose `get_config` returned `config`."""
        if all(key in config for key in ("layers", "input_layers", "output_layers")):
            config = legacy_config.of_today({"class_name": "Functional", "config": config})["config"]
            inputs, outputs, rest = graph_config.read(config, custom_objects)
            return (Functional if cls is Model else cls)(inputs, outputs, **rest)
        return super().from_config(config)

    def get_build_config(self) -> ConfigDict | None:
        """The shapes a subclassed model was built with; not needed for a graph."""
        return {"input_shape": None} if self._graph is not None else super().get_build_config()

    def build_from_config(self, config: Config) -> None:
        """Build with the shapes returned by `get_build_config`."""
        if config.get("input_shape") is not None or "input_shape" not in config:
            super().build_from_config(config)

    def save(
        self, filepath: str | os.PathLike[str], overwrite: bool = True, zipped: bool | None = None, **kwargs: Any
    ) -> None:
        """Save the model to a file; the arguments are those of `cornu.models.save_model`."""
        saving.save_model(self, filepath, overwrite=overwrite, zipped=zipped, **kwargs)

    def save_weights(
        self,
        filepath: str | os.PathLike[str],
        overwrite: bool = True,
        max_shard_size: float | None = None,
        **kwargs: object,
    ) -> None:
        """Save the weights to a file; the arguments are those of `cornu.saving.save_weights`."""
        saving.save_weights(self, filepath, overwrite=overwrite, max_shard_size=max_shard_size, **kwargs)

    def load_weights(self, filepath: str | os.PathLike[str], skip_mismatch: bool = False, **kwargs: object) -> None:
        """Load the weights from a file; the arguments are those of `cornu.saving.load_weights`."""
        saving.load_weights(self, filepath, skip_mismatch=skip_mismatch, **kwargs)

    def export(
        self,
        filepath: str | os.PathLike[str],
        format: str = "stablehlo",
        verbose: bool | None = None,
        input_signature: object = None,
        **kwargs: object,
    ) -> None:
        """Export the model's inference to a file that can be run without cornu.

        Args:
            filepath: path of the file, conventionally with the extension `.stablehlo` or `.onnx`.
            format: `"stablehlo"`, which only requires JAX (see `cornu.export`), or `"onnx"` (requires the extra
                `onnx`). Keras's default, TensorFlow's SavedModel, is not supported, since cornu does not use
                TensorFlow.
            verbose: whether to print a description of the exported file; None means True.
            input_signature: list with one structure of `InputSpec`s, symbolic tensors or arrays for each argument; None
                uses what the model was built with. Unknown sizes stay unknown, and independent as far as the model
                allows.
            kwargs: for StableHLO `platforms`, some of `"cpu"`, `"cuda"`, `"rocm"` and `"tpu"` (default: all except
                ROCm), and `is_static`, whether to disallow assignments to variables; for ONNX `opset_version`.

        Raises:
            ValueError: if the model does not run with unknown sizes, or the exported file computes something different.

        Example:

            model = cornu.Sequential([cornu.Input((None, 3)), cornu.layers.LSTM(2)])
            model.export("model.stablehlo")
            print(cornu.export.load("model.stablehlo").serve(np.ones((5, 7, 3), "float32")).shape)  # (5, 2)
        """
        export_model(self, filepath, format, verbose, input_signature, kwargs)

    def to_json(self, **kwargs: Any) -> str:
        """The model's config as JSON, without weights.

        Args:
            kwargs: passed to `json.dumps`.
        """
        return json.dumps(serialize_keras_object(self), **kwargs)


class Functional(Model):
    """A model created from symbolic tensors by `Model(inputs, outputs)`."""

    _in_files = registry.InFiles("keras.src.models.functional", registered_name="Functional")

    def __init__(self, inputs: object, outputs: object, name: str | None = None, **kwargs: Unpack[UnnamedOptions]):
        super().__init__(inputs, outputs, name=name, **kwargs)


def _without_lists_of_one(outputs: Nested) -> Nested:
    """The item of a list with one output: Keras's models return arrays that way, while symbolic outputs keep the
    list."""
    is_list = isinstance(outputs, (list, tuple)) and len(outputs) == 1
    return outputs[0] if is_list and not any_symbolic(outputs) else outputs


@contextmanager
def _masked(inputs: Nested, mask: Nested) -> Iterator[None]:
    """Scope in which the inputs, possibly the caller's own arrays, carry the masks that were passed explicitly."""
    flat = [] if mask is None else list(zip(tree.flatten(inputs), tree.flatten(mask), strict=False))
    before = [get_mask(x) for x, _ in flat]
    try:
        for x, m in flat:
            set_mask(x, m)
        yield
    finally:
        for (x, _), m in zip(flat, before, strict=True):
            set_mask(x, m)


def _written_out(value: object, owner: str) -> Nested:
    """`value` with an array in place of each (nested) list of numbers or text."""
    if isinstance(value, Mapping):
        return {key: _written_out(item, owner) for key, item in value.items()}
    if not isinstance(value, (list, tuple)):
        return value
    first = value
    while isinstance(first, (list, tuple)) and first:
        first = first[0]
    if isinstance(first, (int, float, complex, str, bytes, np.generic)):
        return border.to_numpy(value, owner, "an input")
    items = [_written_out(item, owner) for item in value]
    return items if isinstance(value, list) else tuple(items)


def _one_or_list(shapes: list[Shape]) -> NestedShapes:
    return shapes[0] if len(shapes) == 1 else shapes


def _is_functional(args: Args, kwargs: Kwargs) -> bool:
    return len(args) >= 2 or (len(args) == 1 and "outputs" in kwargs) or {"inputs", "outputs"} <= set(kwargs)


def _parsed(text: str) -> Any:
    """What a text of JSON says."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(
            f"model_from_json: expected the text that to_json() gives, but it is no JSON: {error}. "
            f"Received: {validate.shown(text)}. Of a file give the text, open(path).read(); what save() wrote is read "
            "by load_model(path)."
        ) from None


def _graph_arguments(cls: type, args: Args, kwargs: Kwargs) -> tuple[Args | None, Kwargs]:
    """((inputs, outputs) or None, the other arguments)."""
    if not _is_functional(args, kwargs):
        old = [name for name in ("input", "output") if name in kwargs]
        if old and cls in (Model, Functional):
            raise TypeError(
                f"Model: unknown argument {old[0]!r}. The arguments are inputs and outputs: Model(inputs=..., "
                "outputs=...)."
            )
        alone = [name for name in ("inputs", "outputs") if name in kwargs and cls in (Model, Functional)]
        if args or alone:
            raise ValueError(
                f"{cls.__name__}: a functional model takes inputs and outputs: Model(inputs, outputs). "
                f"Received: {alone[0] if alone else f'{len(args)} positional argument'} alone."
            )
        return None, kwargs
    names = ("inputs", "outputs", "name")
    given = dict(zip(names, args, strict=False)) | kwargs
    return (given.pop("inputs"), given.pop("outputs")), given


def has_own_constructor(cls: type) -> bool:
    """Whether the class's constructor has other arguments than symbolic inputs and outputs."""
    for base in cls.__mro__:
        if base in (Functional, Model):
            return False
        if "__init__" in base.__dict__:
            return True
    return False


def _check_unique_names(operations: Sequence[Operation], owner: object) -> None:
    seen: set[str] = set()
    for operation in operations:
        if operation.name in seen:
            raise ValueError(
                f'{validate.describe(owner)}: two layers are called "{operation.name}". '
                "Use a unique name for each layer of a model."
            )
        seen.add(operation.name)


def model_from_json(json_string: str, custom_objects: CustomObjects | None = None) -> Model:
    """The model described by the result of `model.to_json()`, with new weights.

    Args:
        json_string: the JSON text.
        custom_objects: dictionary from names to classes or functions. None by default.

    Raises:
        ValueError: if the text is not a config of a model, names unknown classes, contains code, or needs more than a
            gigabyte of weights, which is only allowed for a file that contains them, or too much arithmetic for them,
            as huge orthogonal matrices do.

    Example:

        model = cornu.Sequential([cornu.Input((4,)), cornu.layers.Dense(2)])
        print(cornu.models.model_from_json(model.to_json()).output_shape)  # (None, 2)
    """
    text = json_string.encode(errors="surrogatepass")
    with (
        budget.load(len(text), values=_MOST_FRESH + _FOR_EACH * len(text)),
        function_code.reading(True, "The JSON text"),
        deferred_values(),
    ):
        budget.take("objects", budget.cost_of_json(text), "The JSON text")
        with registry.custom_objects(custom_objects):
            config = legacy_config.of_today(_parsed(json_string))
        return deserialize_keras_object(config, custom_objects)
