"""The base of all layers: weights, and a call that binds arguments, checks, builds, runs and post-processes.

A layer is an operation with state. Its contents are found by traversing its attributes: variables, layers, seed
generators and metrics, also inside lists, tuples and dictionaries. So nothing can get out of sync: an attribute that is
set is part of the layer, one that is deleted is not.

`call` receives only arrays or tracers. On symbolic tensors it is run abstractly to infer the output shape and dtype.
"""

import functools
import inspect
import itertools
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, Unpack, cast

import jax
import jax.numpy as jnp
import numpy as np

from cornu import absent, constraints, initializers, registry, regularizers, tree, validate
from cornu.core import border, budget, context, dtypes, host_programs, parts, placement, policy, promises
from cornu.core.configurable import constructor_parameters, serialize_keras_object
from cornu.core.masks import get_mask, set_mask
from cornu.core.operation import Operation
from cornu.core.policy import PolicyLike
from cornu.core.read_text import ReadText
from cornu.core.symbolic import KerasTensor, Node, any_symbolic, each_once, output_spec
from cornu.core.tracebacks import explain, lacks, warn
from cornu.core.typing import (
    AnyFunction,
    AnyTuple,
    Args,
    ArrayLike,
    Config,
    ConfigDict,
    ConstraintLike,
    DTypeLike,
    InitializerLike,
    Kwargs,
    Nested,
    NestedShapes,
    RegularizerLike,
    Shape,
    Tensor,
)
from cornu.core.variable import Variable, assign_all, functional, reading_one_state
from cornu.errors import InputMismatchError, UnknownArgumentError, WeightsMismatchError
from cornu.layers import input_spec as specs, quantization
from cornu.layers.options import InputOptions
from cornu.metrics import Metric
from cornu.random import SeedGenerator

_SHAPE_ARGUMENTS = ("input_shape", "batch_input_shape", "batch_shape", "input_dim", "batch_size", "input_length")
_ONE_TENSOR = (jax.Array, jax.Array | None, Tensor)  # annotations of arguments of `call` that do not accept lists
_calls = itertools.count(1)


class Signature(NamedTuple):
    """The signature of a layer's `call` or `build`."""

    parameters: inspect.Signature
    names: tuple[str, ...]

    def accepts(self, name: str) -> bool:
        """Whether the signature has an argument called `name`."""
        return name in self.names


@functools.cache
def _signature(function: AnyFunction) -> Signature:
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())[1:]
    signature = signature.replace(parameters=parameters)
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    names = tuple(p.name for p in parameters if p.kind not in variadic)
    return Signature(signature, names)


class LossesOfCall(list[jax.Array]):
    """The losses added in one call, and the layer that added each."""

    def __init__(self) -> None:
        super().__init__()
        self.owners: list[Layer] = []


class Layer(Operation):
    """A computation with weights; the base class of every layer and model.

    Subclasses implement `build(input_shape)`, which creates weights with `add_weight`, and `call(inputs)`.

    Args:
        activity_regularizer: regularizer of the output, added to the loss. None by default.
        trainable: whether training updates the layer's weights. Defaults to True.
        dtype: dtype or dtype policy; None uses the global policy.
        autocast: whether floating-point inputs are cast to the compute dtype. Defaults to True.
        name: name; None derives one from the class name.

    Example:

        class Scale(cornu.layers.Layer):
            def build(self, input_shape):
                self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="factor")

            def call(self, inputs):
                return inputs * self.factor

        y = Scale()(np.ones((2, 3)))
    """

    input_spec: Any = None
    supports_masking = False
    _convert_input_args = True  # off in KerasHub's layers that prepare data: they take TensorFlow's tensors, too
    _recomputes = True  # whether a RematScope applies to the layer itself, not only to its parts
    pure_call: bool
    """Promise that a call only computes with its arguments and the layer's attributes and variables: no side
    effects."""
    rowwise: bool | str
    """Promise that each output row depends only on the same input row; "inference": except during training."""
    changes_images: bool
    """Promise that the layer processes images, single or batched: single ones run on NumPy in a dataset's map."""
    config_skip: tuple[str, ...] = ("autocast",)
    config_optional: tuple[str, ...] = ("activity_regularizer",)
    # Attributes that come and go while the layer runs: its structure does not depend on them.
    volatile_attributes = frozenset(
        {"_build_depth", "_build_shapes", "_losses", "_nodes", "_output_shape", "_parts_when_built"}
    )
    # Attributes that contain no parts.
    _hidden = frozenset(
        {"_noted_arguments", "_nodes", "_losses", "_variables", "_build_shapes", "_output_shape", "_parts_when_built"}
    )
    _set_by_init = "_variables"
    # What cannot be added any more once the layer is built.
    _settled: tuple[type, ...] = (Variable, SeedGenerator, Metric)

    def __init_subclass__(cls, **kwargs: object):
        super().__init_subclass__(**kwargs)
        if "build" in cls.__dict__:
            cls.build = _recorded_build(cls.__dict__["build"])  # type: ignore[method-assign]
        if "compute_mask" in cls.__dict__ and "supports_masking" not in cls.__dict__:
            cls.supports_masking = True  # overriding compute_mask implies that masks are supported

    def __init__(
        self,
        *,
        activity_regularizer: RegularizerLike | None = None,
        trainable: bool = True,
        dtype: PolicyLike | None = None,
        autocast: bool = True,
        name: str | None = None,
        **kwargs: Unpack[InputOptions],
    ):
        super().__init__(name=name)
        self._variables: dict[Variable, None] = {}  # in the order of creation
        self._losses = _OwnLosses()
        self._build_shapes: dict[str, Any] = {}
        self._path: str | None = None
        self._output_shape: AnyTuple | None = None  # (shapes of the first call's outputs,), for summaries
        self._trainable = _as_flag(trainable, self)
        self._dtype_policy = policy.get(dtype)
        self.autocast = autocast
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self._remat = context.current().remat if self._recomputes else None
        self.built = False
        self._complete = False  # whether all its variables and parts exist
        self._parts_when_built: list[object] = []  # in lists and dictionaries, whose changes cannot be observed
        self._only_last_size_known = not {"input_shape", "batch_input_shape", "batch_shape"} & set(kwargs)
        unknown: dict[str, Any] = {**kwargs}
        self._batch_input_shape: Shape | None = _shape_from_arguments(unknown)
        if unknown:
            raise UnknownArgumentError(
                f"{validate.describe(self)}: unknown argument(s) {', '.join(map(repr, unknown))}. "
                + " ".join(absent.unknown_argument(name, constructor_parameters(type(self))) for name in unknown)
            )

    # ------------------------------------------------------------ calling

    def __call__(self, *args: Any, **kwargs: Any) -> Nested:
        self._require_initialised()
        budget.take("calls", 1, "The model")
        if host_programs.fits(args) and promises.kept(self, "changes_images"):
            if not self.built:
                self._build_for(self._bind(args, kwargs))
            return host_programs.call(self, type(self).__call__, args, kwargs)
        arguments = self._bind(args, kwargs)
        self._check_inputs(next(iter(arguments.values()), None))
        try:
            return self._call_bound(arguments, args, kwargs)
        except Exception as error:
            _refuse_several(self, arguments, error)
            raise

    def _call_bound(self, arguments: dict[str, object], args: Args, kwargs: Kwargs) -> Nested:
        """Build, run, and propagate masks."""
        self._build_for(arguments)
        training = self._resolve_training(arguments, kwargs)
        given_masks = self._fill_masks(arguments)
        symbolic = any_symbolic(args, kwargs)
        with self._call_scope(training, symbolic):
            if symbolic:
                outputs = self._call_symbolically(args, kwargs, given_masks)
            elif (watch := context.current().watch) is None:
                outputs = self._run(arguments, training)
            else:
                outputs = watch(self, self._run, arguments, training)
        self._attach_masks(next(iter(arguments.values()), None), outputs, self._first_mask(arguments))
        if self._output_shape is None:
            self._output_shape = (tree.map_structure(specs.shape_of, outputs),)
        return outputs

    def call(self, *args: Any, **kwargs: Any) -> Nested:
        """The computation; implemented by subclasses. The base class returns its input."""
        if type(self) is Layer and len(args) == 1:
            return args[0]
        raise NotImplementedError(f"{validate.describe(self)}: the class {type(self).__name__} must define call().")

    def _require_initialised(self) -> None:
        if self._set_by_init not in self.__dict__:
            raise RuntimeError(
                f"In layer {type(self).__name__}, call super().__init__() as the first line of __init__()."
            )

    def _without_weights(self) -> None:
        """Mark the layer as built from the start, unless a subclass overrides `build`."""
        self.built = type(self).build is Layer.build

    def _bind(self, args: Args, kwargs: Kwargs) -> dict[str, object]:
        """The arguments by name, in the order of `call`'s signature, as arrays."""
        signature = _signature(type(self).call)
        try:
            bound = signature.parameters.bind(*args, **kwargs)
        except TypeError as error:
            if "training" in kwargs and not signature.accepts("training"):
                return self._bind(args, {k: v for k, v in kwargs.items() if k != "training"})
            several = len(signature.names) < len(args) and all(map(_holds_tensor, args))
            raise TypeError(
                f"{validate.describe(self)}: {error}. call() accepts: {', '.join(signature.names)}."
                + f" Pass several tensors in a list: {type(self).__name__}(...)([a, b])." * several
            ) from None
        arguments: dict[str, object] = {}
        for name, value in bound.arguments.items():
            kind = signature.parameters.parameters[name].kind
            if kind is inspect.Parameter.VAR_KEYWORD:
                arguments.update(value)
            else:
                arguments[name] = value
        return {name: self._arrays(value) for name, value in arguments.items()}

    def _arrays(self, value: object) -> Nested:
        """An argument of `call` converted to JAX arrays."""
        return tree.map_structure(_as_array, value) if self._convert_input_args else value

    def _check_inputs(self, inputs: Nested) -> None:
        if not hasattr(inputs, "shape"):
            for one in tree.flatten(inputs):
                if isinstance(one, (Operation, type)):
                    kind = one.__name__ if isinstance(one, type) else type(one).__name__
                    raise InputMismatchError(
                        f"{validate.describe(self)}: expected a tensor. Received: the layer {validate.describe(one)}. "
                        f"Call it on a tensor first: {kind}(...)(x)."
                    )
        if self.input_spec is not None:
            specs.check(self.input_spec, inputs, validate.describe(self))

    def _resolve_training(self, arguments: Config, kwargs: Config) -> bool | None:
        """The mode requested in this call, else that of the enclosing layer, else `call`'s default.

        A `call` without an argument `training` is given none: the mode is that of the layers that it calls.
        """
        said = arguments.get("training", kwargs.get("training"))
        if said is not None:
            if not isinstance(said, (bool, int, np.bool_)):
                raise TypeError(
                    f"{validate.describe(self)}: training must be True, False or None. Received: an object of type "
                    f"{type(said).__name__}. To pass several tensors, use a list, if the layer accepts one."
                )
            return bool(said)
        ambient = context.training()
        if ambient is not None:
            return ambient
        parameter = _signature(type(self).call).parameters.parameters.get("training")
        default = getattr(parameter, "default", None)
        return default if isinstance(default, bool) else None

    def _fill_masks(self, arguments: Kwargs) -> dict[str, object]:
        """Fill in mask arguments that were not given with the inputs' masks; returns those filled in."""
        signature = _signature(type(self).call)
        tensors = [n for n in signature.names if _holds_tensor(arguments.get(n)) and not n.endswith("mask")]
        filled = {}
        for position, name in enumerate(tensors):
            target = "mask" if position == 0 and signature.accepts("mask") else f"{name}_mask"
            if not signature.accepts(target) or arguments.get(target) is not None:
                continue
            mask = tree.map_structure(get_mask, arguments[name])
            if any(m is not None for m in tree.flatten(mask)):
                arguments[target] = filled[target] = mask
        return filled

    @contextmanager
    def _call_scope(self, training: bool | None, symbolic: bool) -> Iterator[None]:
        """The ambient values inside this layer's call, and a note on errors about where they occurred."""
        ambient = context.current()
        values: dict[str, Any] = {
            "training": training, "callers": (*ambient.callers, self), "path": (*ambient.path, self.name),
            "scope_caller": self,
        }  # fmt: skip
        values["autocast"] = self._reading_dtype()
        outermost = not symbolic and ambient.losses is None
        if symbolic:
            values |= {"losses": [], "symbolic": True}
        elif outermost:
            values["losses"] = LossesOfCall()
        try:
            with context.scope(**values):
                yield
            if outermost:
                self.keep_losses(values["losses"], values["losses"].owners)
        except Exception as error:
            _note(error, self, values["path"])
            raise

    def _reading_dtype(self) -> str | None:
        """The dtype that variables are cast to in `call`; None for their own."""
        return self.compute_dtype if dtypes.is_float(self.compute_dtype) else None

    def _run(self, arguments: Mapping[str, object], training: bool | None) -> Nested:
        """Cast the inputs, run `call`, and add the activity regularization loss."""
        signature = _signature(type(self).call)
        arguments = {name: tree.map_structure(self._cast, value) for name, value in arguments.items()}
        if signature.accepts("training"):
            arguments["training"] = training
        outputs = self._call_function(*_positional(signature, arguments))
        if outputs is None and context.current().symbolic:
            raise ValueError(
                f"{validate.describe(self)}: call() returned None. A return statement is missing at the end of "
                f"{type(self).__name__}.call()."
            )
        if self.activity_regularizer is not None:
            for output in tree.flatten(outputs):
                if hasattr(output, "shape"):  # a mean over the batch, like the loss
                    self.add_loss(self.activity_regularizer(output) / (output.shape[0] if output.shape else 1))
        distribution = placement.current()
        if distribution is not None and not context.current().symbolic:
            outputs = placement.output(distribution, self.path, outputs)
        return outputs

    def _call_function(self, args: Args, kwargs: Kwargs) -> Nested:
        """Run `call`, keeping its intermediate values for the gradient unless created in a RematScope."""
        rule = self._remat
        if rule is None or context.current().recomputed or not rule.applies_to(self, args, kwargs):
            return self.call(*args, **kwargs)
        return self.rematerialized_call(self.call, *args, **kwargs)

    def rematerialized_call(  # type: ignore[override]  # as Keras names the argument of layers
        self, layer_call: AnyFunction, *args: Any, **kwargs: Any
    ) -> Nested:
        """Run `layer_call`, recomputing its intermediate values for the gradient."""
        with context.scope(recomputed=True):
            variables = self.variables
            pure = functional(lambda *a: layer_call(*a, **kwargs), variables)
            outputs, state = jax.checkpoint(pure)([v._own() for v in variables], *args)
        for variable, value in zip(variables, state, strict=True):
            if not variable.trainable:
                variable.assign(value)
        return outputs

    def _cast(self, x: object) -> Nested:
        """Floating-point arrays cast to the compute dtype; a cast array keeps its mask."""
        if not (self.autocast and isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jnp.floating)):
            return x
        if x.dtype == self.compute_dtype:
            return x
        cast = x.astype(self.compute_dtype)
        set_mask(cast, get_mask(x))
        return cast

    def _call_symbolically(self, args: Args, kwargs: Kwargs, masks: dict[str, object]) -> Nested:
        """Infer the outputs and record a node; like Keras, with the mask that one tensor brings and no others.

        Whatever runs the graph attaches masks anew.
        """
        taken = kwargs | masks
        if "training" in kwargs and not _signature(type(self).compute_output_spec).accepts("training"):
            taken.pop("training")  # as in an ordinary call
        outputs = each_once(self.compute_output_spec(*args, **taken))
        on_one_tensor = len(args) == 1 and isinstance(args[0], KerasTensor) and not any_symbolic(kwargs)
        Node(self, args, kwargs | masks if on_one_tensor else kwargs, outputs)
        return outputs

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Nested:
        """Infer the outputs and record a node."""
        return self._call_symbolically(args, kwargs, {})

    def unrecorded_call(self, *args: Any, **kwargs: Any) -> Nested:
        """The outputs of a call on symbolic tensors that is not recorded in a graph."""
        arguments = self._bind(args, kwargs)
        self._check_inputs(next(iter(arguments.values()), None))
        self._build_for(arguments)
        with self._call_scope(self._resolve_training(arguments, kwargs), symbolic=True):
            return self.compute_output_spec(*args, **kwargs)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Nested:
        """The symbolic outputs for symbolic inputs: from a subclass's own `compute_output_shape`, else from `call`."""
        if type(self).compute_output_shape is not Layer.compute_output_shape:
            arguments = self._bind(args, kwargs)
            if type(self).build is Layer.build and not all(part.built for part in self._parts(Layer)):
                with suppress(Exception):  # layers that cannot run abstractly are built by the first call
                    output_spec(lambda given: self._run(given, self._resolve_training(given, kwargs)), arguments)
            shapes, named = _shapes_for(self, type(self).compute_output_shape, arguments)
            return tree.map_shape_structure(
                lambda shape: KerasTensor(shape, self.compute_dtype), self.compute_output_shape(*shapes, **named)
            )

        asked = not (self.built or self.__dict__.get("_build_depth") or context.current().symbolic)
        if asked:  # called without the intention to build the layer
            outputs = self._twin()(*args, **kwargs)
            return tree.map_structure(lambda x: KerasTensor(x.shape, x.dtype), outputs)

        def run(*inner_args: object, **inner_kwargs: object) -> Any:
            arguments = self._bind(inner_args, inner_kwargs)
            with context.scope(losses=[], autocast=self._reading_dtype()):
                return self._run(arguments, self._resolve_training(arguments, inner_kwargs))

        return output_spec(run, *args, **kwargs)

    def compute_output_shape(self, *args: Any, **kwargs: Any) -> NestedShapes:
        """The output shape for an input shape (or a structure of them), inferred by running `call` abstractly."""
        building = self.__dict__.get("_build_depth", 0)  # called by build itself, which has created its weights
        twin = self if self.built or building else self._twin()
        args = (kwargs.pop("input_shape"), *args) if "input_shape" in kwargs else args
        inputs = [tree.map_shape_structure(lambda s: KerasTensor(s, self.compute_dtype), x) for x in args]
        names = {k.removesuffix("_shape"): KerasTensor(v, self.compute_dtype) for k, v in kwargs.items()}
        nodes = len(twin.nodes)
        outputs = self.compute_output_spec(*inputs, **names) if building else twin(*inputs, **names)
        del twin.nodes[nodes:]  # the call only served inference and is not part of a graph
        return tree.map_structure(specs.shape_of, outputs)

    def _twin(self) -> "Layer":
        """An unbuilt copy, so that inferring a shape does not build this layer; the layer itself if it cannot be
        copied."""
        try:
            with context.scope(shared=None):
                return type(self).from_config(self.get_config())
        except (AttributeError, TypeError, ValueError):
            return self

    def _call_accepts(self, name: str) -> bool:
        """Whether `call` has an argument of this name."""
        return _signature(type(self).call).accepts(name)

    # ------------------------------------------------------------ masks

    def compute_mask(self, inputs: Nested, previous_mask: Nested) -> Nested:
        """The mask of the output; the base class returns the input's mask."""
        return previous_mask

    def _first_mask(self, arguments: Mapping[str, object]) -> Nested:
        """The mask of the first argument: the one passed explicitly, else those attached to its tensors."""
        given = arguments.get("mask") if self._call_accepts("mask") else None
        return tree.map_structure(get_mask, next(iter(arguments.values()), None)) if given is None else given

    def _attach_masks(self, inputs: Nested, outputs: Nested, previous: object) -> None:
        masked = any(m is not None for m in tree.flatten(previous))
        if not self.supports_masking:
            flat = tree.flatten(outputs)
            consumed = _signature(type(self).call).accepts("mask") or any(get_mask(x) is not None for x in flat)
            if masked and not consumed:
                warnings.warn(
                    f"{validate.describe(self)} received an input with a mask, which it does not support and "
                    "therefore drops: later layers will treat every step as real. Set supports_masking = True in "
                    "your own layer if it processes each step separately.",
                    stacklevel=4,
                )
            return
        flat = tree.flatten(outputs)
        if all(get_mask(x) is not None for x in flat):
            return
        masks = self.compute_mask(inputs, previous if masked or tree.is_nested(previous) else None)
        if masks is None:
            return
        for x, mask in zip(flat, tree.flatten(masks)):  # noqa: B905 - of several masks the first outputs get the first
            if mask is not None and get_mask(x) is None:
                set_mask(x, mask)

    # ------------------------------------------------------------ building

    def build(self, input_shape: NestedShapes) -> None:
        """Create the weights; implemented by subclasses. The base class builds its sublayers by running `call`
        abstractly.

        When called by a subclass's own `build`, it only marks the layer as built.
        """
        self._require_initialised()
        if self.built:
            return
        if type(self).build is Layer.build and any(True for _ in self._parts(Layer)):
            inputs = tree.map_shape_structure(lambda s: KerasTensor(s, self.compute_dtype), input_shape)
            with context.scope(path=self._outer_path(), scope_caller=None), self._call_scope(None, symbolic=True):
                output_spec(lambda x: self._run(self._bind((x,), {}), None), inputs)
        self._path = "/".join(self._variable_path())
        self._build_shapes = {"input_shape": _tuple_shape(input_shape)}
        self.built = True
        if not self.__dict__.get("_build_depth"):
            self._settle()

    def _is_built_for(self, shapes: Mapping[str, Any]) -> bool:
        """Whether `build` was run with these shapes: an outer layer may build one again that a file built."""
        known = {name: _tuple_shape(shape) for name, shape in self._build_shapes.items()}
        return self.built and self._complete and known == {name: _tuple_shape(shape) for name, shape in shapes.items()}

    def _settle(self) -> None:
        """Accept no more variables and sublayers, so that training and saving know all of them."""
        self._complete = True
        self._parts_when_built = [part for _, part in self._parts_in_containers()]

    def _parts_in_containers(self) -> Iterator[tuple[str, object]]:
        """(attribute, sublayer) for the contents of this layer's lists and dictionaries."""
        for name, value in self.__dict__.items():
            if isinstance(value, parts.CONTAINERS) and name not in self._hidden:
                yield from ((name, part) for part in parts.find(value, (Layer, *self._settled)))

    def _refuse_late_parts(self) -> None:
        """Raise if something was added to a list or a dictionary after the layer was built."""
        if self.__dict__.get("_complete"):
            known = set(map(id, self._parts_when_built))
            for name, part in self._parts_in_containers():
                if id(part) not in known:
                    kind = "variable" if isinstance(part, Variable) else type(part).__name__
                    self._refuse_if_complete(f'the {kind} in the {type(getattr(self, name)).__name__} "{name}"')

    @contextmanager
    def _growing(self) -> Iterator[None]:
        """Scope in which a built layer may get more variables, under the path of its existing ones."""
        complete, self._complete = self._complete, False
        try:
            with context.scope(path=tuple(self.path.split("/")), scope_caller=self):
                yield
        finally:
            if complete:
                self._settle()

    def _refuse_if_complete(self, what: str) -> None:
        if self.__dict__.get("_complete"):
            raise ValueError(
                f"{validate.describe(self)}: {what} cannot be added once the layer is built, because training and "
                "saving would not know about it. Create all variables and layers in __init__() or build(), not in "
                "call()."
            )

    def _build_for(self, arguments: Mapping[str, object]) -> None:
        """Build for the shapes of the first call's arguments."""
        if self.built:
            return
        if type(self).build is Layer.build:  # sublayers are built when call reaches them
            self._path = "/".join((*context.current().path, self.name))
            self._build_shapes = {"input_shape": next(iter(_named_shapes(arguments).values()), None)}
            self.built = True
            self._settle()
            return
        args, kwargs = _shapes_for(self, inspect.unwrap(type(self).build), arguments)
        self.build(*args, **kwargs)
        self._tell_of_strangers()

    def _tell_of_strangers(self) -> None:
        """Warn if this layer has weights and is called by a user's layer that does not contain it."""
        callers = context.current().callers
        if not callers or registry.is_builtin(type(callers[-1])) or not self._variables:
            return
        if not any(part is self for caller in callers for part in caller._flatten_layers()):
            kind = type(self).__name__
            warn(  # the text is the same for each, so that the warning is shown once
                f"{validate.describe(callers[-1])}: call() calls a {kind} that is not one of its attributes. Its "
                "weights are "
                "neither trained nor saved, and are reset each time if call() creates it. Create it in __init__(): "
                f"self.{kind.lower()} = {kind}(...)."
            )

    def get_build_config(self) -> ConfigDict | None:
        """The shapes this layer was built with, in Keras's format, and which sublayers are quantized."""
        if not self._build_shapes:
            return None
        several = len(self._build_shapes) > 1
        shapes = (
            {"shapes_dict": dict(self._build_shapes)}
            if several
            else {"input_shape": next(iter(self._build_shapes.values()))}
        )
        inside = quantization.of_parts(self)
        return shapes | {"quantized_parts": inside} if inside else shapes

    def build_from_config(self, config: Config) -> None:
        """Build with the shapes returned by `get_build_config`."""
        if self.built or not config:
            return
        inside = config.get("quantized_parts", {})
        if "input_shape" in config:
            self.build(_tuple_shape(config["input_shape"]))
        else:
            names = _signature(inspect.unwrap(type(self).build)).names
            shapes = config.get("shapes_dict", config)
            self.build(**{key: _tuple_shape(value) for key, value in shapes.items() if key in names})
        quantization.restore_parts(self, inside)

    def add_weight(
        self,
        shape: Sequence[int] | None = None,
        initializer: InitializerLike | None = None,
        dtype: DTypeLike | None = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: RegularizerLike | None = None,
        constraint: ConstraintLike | None = None,
        aggregation: str = "none",
        overwrite_with_gradient: bool = False,
        name: str | None = None,
    ) -> Variable:
        """Create a weight of this layer.

        Args:
            shape: tuple of ints; None is a scalar.
            initializer: name or object; None is "glorot_uniform" for floats, "zeros" otherwise.
            dtype: dtype name; None uses the layer's variable dtype.
            trainable: whether training updates it. Defaults to True.
            autocast: whether it is read in the compute dtype. Defaults to True.
            regularizer, constraint: names or objects.
            aggregation: kept as the variable's attribute; see `Variable`.
            overwrite_with_gradient: whether the optimizer stores the gradient in it instead of a step.
            name: name.
        """
        self._require_initialised()
        self._refuse_if_complete("a weight" if name is None else f'the weight "{name}"')
        shape = () if shape is None else tuple(shape) if isinstance(shape, Sequence) else (shape,)
        if any(not isinstance(d, (int, np.integer)) for d in shape):
            raise ValueError(
                f"{validate.describe(self)}: the shape of a weight must be fully known, not {shape}. "
                "Give the input a known size on that axis, for example with Input(shape=...)."
            )
        dtype = dtypes.standardize_dtype(dtype) if dtype is not None else self.variable_dtype
        if initializer is None:
            initializer = "glorot_uniform" if dtypes.is_float(dtype) else "zeros"
        with context.scope(path=self._variable_path()):
            variable = Variable(
                initializers.get(initializer), shape, dtype, trainable, autocast, aggregation, name=name
            )
        variable.regularizer = regularizers.get(regularizer)
        variable.constraint = constraints.get(constraint)
        variable.overwrite_with_gradient = overwrite_with_gradient
        self._variables[variable] = None
        variable.trainable = variable.trainable and self._trainable
        return variable

    add_variable = add_weight

    def _variable_path(self) -> tuple[str, ...]:
        """The names of the enclosing layers and this one; while it is being built, without scopes opened by `build`."""
        building = self.__dict__.get("_build_depth")
        return tuple(self.path.split("/")) if building else (*self._outer_path(), self.name)

    def _outer_path(self) -> tuple[str, ...]:
        """The names of the enclosing layers, also while this one is being built."""
        around = context.current()
        return around.path[:-1] if around.scope_caller is self else around.path

    # ------------------------------------------------------------ sublayers

    def __setattr__(self, name: str, value: object) -> None:
        if self.__dict__.get("_complete") and name not in self._hidden:
            self._check_addition(name, value)
        if isinstance(value, Variable) and "_variables" in self.__dict__:
            self._variables.setdefault(value)
        elif isinstance(self.__dict__.get(name), Variable) and any(c is self for c in context.current().callers):
            warn(
                f"{validate.describe(self)}: call() sets self.{name} to something else than the variable that it was, "
                f"which keeps its old value and is read no more. To change its value, use self.{name}.assign(...)."
            )
        super().__setattr__(name, value)

    def _check_addition(self, name: str, value: object) -> None:
        """Raise if a value contains new variables or sublayers, unless it replaces existing ones."""
        kinds = (Layer, *self._settled)
        if any(True for _ in parts.find(self.__dict__.get(name), kinds)):
            self._parts_when_built += parts.find(value, kinds)
            return
        for part in parts.find(value, kinds):
            if part not in self._variables and all(part is not known for known in self._parts(kinds)):
                kind = "variable" if isinstance(part, Variable) else type(part).__name__
                self._refuse_if_complete(f'the {kind} in the attribute "{name}"')

    def __delattr__(self, name: str) -> None:
        value = self.__dict__.get(name)
        super().__delattr__(name)
        if isinstance(value, Variable):
            self._variables.pop(value, None)

    def _held(self) -> Iterator[object]:
        """The values of the attributes, in the order in which they were set."""
        return (value for name, value in self.__dict__.items() if name not in self._hidden)

    def _parts(self, kind: type | tuple[type, ...]) -> Iterator[Any]:
        """The distinct objects of `kind` among this layer's attributes, in the order in which they were set."""
        seen: set[int] = set()
        for value in self._held():
            if not isinstance(value, (kind, parts.CONTAINERS)):
                continue
            for part in parts.find(value, kind):
                if id(part) not in seen:
                    seen.add(id(part))
                    yield part

    def _flatten_layers(self, recursive: bool = True, include_self: bool = True) -> list["Layer"]:
        """This layer and those inside it, each once, depth first."""
        found: dict[int, Layer] = {id(self): self} if include_self else {}
        for part in self._parts(Layer):
            for layer in part._flatten_layers() if recursive else (part,):
                found.setdefault(id(layer), layer)
        return list(found.values())

    def _own_variables(self) -> list[Variable]:
        """This layer's own variables, those created as trainable first, in order of creation, regardless of
        freezing."""
        self._require_initialised()
        made = self._variables | dict.fromkeys(self._parts(Variable))
        return [v for v in made if v.made_trainable] + [v for v in made if not v.made_trainable]

    @property
    def _trainable_variables(self) -> list[Variable]:
        """Keras's name for the layer's own variables created as trainable, which subclasses use to save and load."""
        return [v for v in self._own_variables() if v.made_trainable]

    @property
    def _non_trainable_variables(self) -> list[Variable]:
        """Keras's name for the layer's own variables created as non-trainable."""
        return [v for v in self._own_variables() if not v.made_trainable]

    def _collect(self, seeds: bool) -> list[Variable]:
        self._refuse_late_parts()
        own = self._own_variables()
        if seeds:
            own += [generator.state for generator in self._parts(SeedGenerator)]
        nested = (v for layer in self._parts(Layer) for v in layer._collect(seeds))
        return list({id(v): v for v in (*own, *nested)}.values())

    @property
    def variables(self) -> list[Variable]:
        """All variables: weights and the states of seed generators."""
        return self._collect(seeds=True)

    @property
    def weights(self) -> list[Variable]:
        """All weights, including those of sublayers."""
        return self._collect(seeds=False)

    @property
    def trainable_variables(self) -> list[Variable]:
        """The variables that training updates."""
        return self.trainable_weights

    @property
    def trainable_weights(self) -> list[Variable]:
        """The weights that training updates; none if `trainable` is False."""
        return [v for v in self.weights if v.trainable] if self.trainable else []

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """The variables that the optimizer does not update."""
        return self._without_trainable(self.variables)

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The weights that the optimizer does not update."""
        return self._without_trainable(self.weights)

    def _without_trainable(self, variables: list[Variable]) -> list[Variable]:
        trainable = {id(v) for v in self.trainable_weights}
        return [v for v in variables if id(v) not in trainable]

    @property
    def metrics(self) -> list[Metric]:
        """The metrics of this layer and those inside it."""
        return list({id(m): m for m in (*self._parts(Metric), *self._inner_metrics())}.values())

    def _inner_metrics(self) -> list[Metric]:
        """The metrics of the sublayers."""
        return [metric for layer in self._parts(Layer) for metric in layer._metrics_for_outer()]

    def _metrics_for_outer(self) -> list[Metric]:
        """The metrics that count for an enclosing model; those that an inner model was compiled with do not."""
        return self.metrics

    @property
    def metrics_variables(self) -> list[Variable]:
        """The variables of all metrics."""
        return [v for metric in self.metrics for v in metric.variables]

    @property
    def trainable(self) -> bool:
        """Whether training updates the weights; setting it also applies to all sublayers."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        value = self._trainable = _as_flag(value, self)
        for variable in self._own_variables():
            variable.trainable = value and variable.made_trainable
        for layer in self._parts(Layer):
            layer.trainable = value

    def get_weights(self) -> list[np.ndarray]:
        """The weights' values as NumPy arrays."""
        with reading_one_state(self.weights):
            return [v.numpy() for v in self.weights]

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Set all weights, in the order of `get_weights`."""
        variables = self.weights
        if len(weights) != len(variables):
            raise WeightsMismatchError(
                f"{validate.describe(self)}: set_weights expects a list of {len(variables)} arrays. Received: "
                + (f"an array of shape {np.shape(weights)}." if isinstance(weights, np.ndarray) else f"{len(weights)}.")
                + ("" if self.built else " The layer is not built yet: call it, or build(input_shape), first.")
            )
        for variable, value in zip(variables, weights, strict=True):
            if variable.shape != np.shape(value):
                raise WeightsMismatchError(
                    f'{validate.describe(self)}: weight "{variable.path}" has shape {variable.shape}. '
                    f"Received: shape={np.shape(value)}. Nothing was changed."
                )
        assign_all(variables, weights)

    def count_params(self) -> int:
        """Total number of scalar weights."""
        if not self.built:
            raise ValueError(
                f"{validate.describe(self)} has no weights yet to count. Call it on data, or build(input_shape), first."
            )
        return sum(v.size for v in self.weights)

    def save_own_variables(self, store: dict[str, Tensor]) -> None:
        """Save the layer's own weights in `store`, a dictionary of arrays."""
        for index, variable in enumerate(self._own_variables()):
            store[str(index)] = variable.numpy()

    def load_own_variables(self, store: Mapping[str, Tensor]) -> None:
        """Load the layer's own weights from `store`."""
        own = self._own_variables()
        if len(store) != len(own):
            raise ValueError(
                f"{validate.describe(self)}: expected {len(own)} weights in the file, found {len(store)}."
                + ("" if own or self.built else " The layer is not built: call it, or build(input_shape), first.")
            )
        for index, variable in enumerate(own):
            variable.assign(np.asarray(store[str(index)]))

    # ------------------------------------------------------------ losses

    def add_loss(self, loss: object) -> None:
        """Add a scalar, or a list of scalars, to the loss that training minimizes."""
        losses = context.current().losses
        target = self._losses.values if losses is None else losses
        for value in tree.flatten(loss):
            if isinstance(value, KerasTensor):
                raise ValueError(
                    f"{validate.describe(self)}: add_loss() needs values, which a symbolic tensor does not have. Call "
                    "it in "
                    "the call() of a layer of your own."
                )
            value = value() if callable(value) else value
            target.append(value.value if isinstance(value, Variable) else value)
            if type(target) is LossesOfCall:
                target.owners.append(self)

    def keep_losses(self, losses: Sequence[jax.Array], owners: Sequence["Layer"]) -> None:
        """Record in each layer the losses that it added in a call of this one, replacing older ones."""
        number = next(_calls)
        self._losses.begin(number)
        for owner, loss in zip(owners, losses, strict=True):
            if owner._losses.call != number:
                owner._losses.begin(number)
            owner._losses.values.append(loss)

    def add_metric(self, *args: Any, **kwargs: Any) -> None:
        """Removed in Keras 3: store a metric in an attribute and call its `update_state` instead."""
        raise ValueError(
            f"{validate.describe(self)}: add_metric() has been removed. Store a metric in an attribute, "
            "self.m = cornu.metrics.Mean(), and call self.m.update_state(value) in call()."
        )

    @property
    def losses(self) -> list[jax.Array]:
        """The losses added by `add_loss` and activity regularizers in the last call, and weight regularization
        losses."""
        collected = context.current().losses
        if collected is None:
            own = [layer._losses for layer in self._flatten_layers()]
            collected = [loss for each in own if each.call >= self._losses.call for loss in each.values]
        return [*collected, *self._regularization_losses()]

    def _regularization_losses(self) -> list[jax.Array]:
        weights = (v for v in self.trainable_weights if v.regularizer is not None)
        return [cast(AnyFunction, v.regularizer)(v._own()) for v in weights]

    # ------------------------------------------------------------ pure calls

    def stateless_call(
        self,
        trainable_variables: Sequence[jax.Array],
        non_trainable_variables: Sequence[jax.Array],
        *args: Any,
        return_losses: bool = False,
        **kwargs: Any,
    ) -> tuple[Nested, ...]:
        """Call the layer as a pure function of its variables.

        Args:
            trainable_variables, non_trainable_variables: the values, in the order of the properties with these names.
            return_losses: whether to return the losses too. Defaults to False.

        Returns:
            (outputs, non_trainable_variables), followed by the losses if requested.
        """
        if not self.built:
            raise ValueError(f"{validate.describe(self)} is not built: call it on data, or build(input_shape), first.")
        trainable, rest = self.trainable_variables, self.non_trainable_variables
        losses: list[jax.Array] = []

        def run() -> Any:
            with context.scope(losses=losses):
                outputs = self(*args, **kwargs)
                return (outputs, self.losses) if return_losses else (outputs, None)

        for given, own, what in (
            (trainable_variables, trainable, "trainable"), (non_trainable_variables, rest, "non-trainable")
        ):  # fmt: skip
            if len(given) != len(own):
                raise ValueError(
                    f"{validate.describe(self)}: stateless_call expects {len(own)} {what} values. Received: "
                    f"{len(given)}."
                )
        values = [_as_array(v) for v in (*trainable_variables, *non_trainable_variables)]
        (outputs, found), state = functional(run, (*trainable, *rest))(values)
        after = state[len(trainable) :]
        return (outputs, after, found) if return_losses else (outputs, after)

    # ------------------------------------------------------------ description

    def get_config(self) -> ConfigDict:
        """The constructor's arguments as plain data."""
        self._require_initialised()
        config = super().get_config() | {"dtype": serialize_keras_object(self._dtype_policy)}
        first = {key: config[key] for key in ("name", "trainable", "dtype") if key in config}
        return first | config

    @property
    def dtype_policy(self) -> Any:
        """The dtypes the layer computes in and stores its weights in, or the `DTypePolicyMap` that has them by path."""
        return self._dtype_policy

    @dtype_policy.setter
    def dtype_policy(self, value: PolicyLike | None) -> None:
        self._dtype_policy = policy.get(value)

    @property
    def _own_dtype_policy(self) -> Any:
        """The policy that holds for this layer itself."""
        if isinstance(self._dtype_policy, policy.DTypePolicyMap):
            return self._dtype_policy[self.path]
        return self._dtype_policy

    @property
    def compute_dtype(self) -> str:
        """The dtype the layer computes in: that of its policy, within a call by a wrapper the wrapper's."""
        lent = context.current().lent
        return (lent and lent.get(id(self))) or self._own_dtype_policy.compute_dtype

    @property
    def variable_dtype(self) -> str:
        """The dtype of the layer's weights."""
        return self._own_dtype_policy.variable_dtype

    @property
    def dtype(self) -> str:
        """The dtype of the layer's weights."""
        return self.variable_dtype

    @property
    def input_dtype(self) -> str:
        """The dtype that inputs are cast to."""
        return self.compute_dtype

    @property
    def quantization_mode(self) -> str | None:
        """The quantization of the large weights according to the dtype policy, such as "int8"; None for none."""
        return self._own_dtype_policy.quantization_mode

    def quantize(self, mode: object = None, type_check: bool = True, config: object = None) -> None:
        """Quantize the large weights: supported by Dense, EinsumDense, Embedding and ReversibleEmbedding.

        Args:
            mode: name of the mode, such as `"int8"`.
            type_check: whether to reject subclasses of a supported layer. Defaults to True.
            config: a `QuantizationConfig`.
        """
        raise ValueError(
            f"{validate.describe(self)} has no weights that can be quantized: Dense, EinsumDense, Embedding and "
            f"ReversibleEmbedding do. A model's quantize() quantizes all of those in it. "
            f"Received: mode={validate.shown(mode)}."
        )

    def quantized_build(self, input_shape: NestedShapes, *args: Any, **kwargs: Any) -> None:
        """Create the weights in the form given by the dtype policy, as `build` does."""
        self.build(input_shape)

    def quantized_call(self, *args: Any, **kwargs: Any) -> Nested:
        """The computation with weights in their stored form, as in `call`."""
        return self.call(*args, **kwargs)

    @property
    def path(self) -> str:
        """The names of the enclosing models and of this layer, joined by "/"."""
        return self._path or self.name

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


# ---------------------------------------------------------------- helpers


class _OwnLosses:
    """The losses that a layer added in a call, and the number of that call.

    It is changed in place: a new object in an attribute would make every call look for what has changed in the model.
    """

    def __init__(self) -> None:
        self.call = 0
        self.values: list[jax.Array] = []

    def begin(self, call: int) -> None:
        """Forget the losses of earlier calls."""
        self.call, self.values = call, []


def _recorded_build(build: AnyFunction) -> AnyFunction:
    """`build` run in the layer's name scope, recording the shapes passed to it."""

    @functools.wraps(build)
    def wrapper(self: Layer, *args: object, **kwargs: object) -> None:
        self._require_initialised()
        path = self._variable_path()
        self._path = "/".join(path)
        depth = self.__dict__.get("_build_depth", 0)
        bound = _signature(build).parameters.bind(*args, **kwargs).arguments
        if depth == 0 and self._is_built_for(bound):
            return
        object.__setattr__(self, "_build_depth", depth + 1)
        try:
            with context.scope(path=path, scope_caller=self, autocast=None):
                build(self, *args, **kwargs)
        except Exception as error:
            _note(error, self, path)
            raise
        finally:
            object.__setattr__(self, "_build_depth", depth)
        if depth == 0:
            self._build_shapes = dict(bound)
            self.built = True
            self._settle()

    return wrapper


def _as_flag(trainable: object, owner: Layer) -> bool:
    if not isinstance(trainable, (bool, int, np.bool_)):
        raise ValueError(
            f"{validate.describe(owner)}: trainable must be True or False. Received: {validate.shown(trainable)}."
        )
    return bool(trainable)


def _positional(signature: Signature, arguments: Kwargs) -> tuple[Args, Kwargs]:
    """Arguments as (positional, keyword): the first one is positional, as callers pass it, and so are `*args`."""
    args: list[object] = []
    kwargs = {}
    known = signature.parameters.parameters
    first = next((name for name, p in known.items() if p.kind is p.POSITIONAL_OR_KEYWORD), None)
    for name, value in arguments.items():
        parameter = known.get(name)
        if parameter is not None and parameter.kind is parameter.VAR_POSITIONAL:
            args.extend(value)
        elif parameter is not None and (name == first or parameter.kind is parameter.POSITIONAL_ONLY):
            args.append(value)
        else:
            kwargs[name] = value
    return tuple(args), kwargs


def _as_array(x: object) -> Tensor:
    """Arrays of any kind as JAX arrays, text as NumPy arrays; everything else unchanged."""
    if type(x) in border.AS_THEY_ARE or not _is_tensor(x):
        return x
    if isinstance(x, (KerasTensor, jax.Array, ReadText)):
        return x
    if isinstance(x, Variable):
        return x.value
    array = border.to_numpy(x, "call()", "an argument")
    return array if border.is_text(array) else border.to_tensor(array)


def _is_tensor(x: object) -> bool:
    return isinstance(x, (jax.Array, KerasTensor, np.ndarray, Variable)) or border.is_array(x)


def _holds_tensor(value: object) -> bool:
    return _is_tensor(value) or (tree.is_nested(value) and any(_is_tensor(x) for x in tree.flatten(value)))


def _shapes(value: object) -> NestedShapes:
    return tree.map_structure(specs.shape_of, value)


def _named_shapes(arguments: Mapping[str, object]) -> dict[str, NestedShapes]:
    """The shapes of a call's tensor arguments; that of `query` under `query_shape`."""
    return {f"{name}_shape": _shapes(value) for name, value in arguments.items() if _holds_tensor(value)}


def _shapes_for(owner: Layer, function: AnyFunction, arguments: Mapping[str, object]) -> tuple[Args, Kwargs]:
    """The arguments of a shape method for a call: the shapes it names, or that of the first input."""
    shapes, signature = _named_shapes(arguments), _signature(function)
    if not signature.parameters.parameters:
        return (), {}
    matching = {name: shapes[name] for name in signature.names if name in shapes}
    if len(signature.names) != 1 and matching:
        return (), matching
    needed = [p.name for p in signature.parameters.parameters.values() if p.default is p.empty and p.kind < 2]
    if len(needed) > 1:
        raise ValueError(
            f"{validate.describe(owner)}: {function.__name__}({', '.join(needed)}) must indicate which input each "
            "argument "
            f"is the shape of: use names among {', '.join(shapes)}, or a single argument, input_shape."
        )
    return (next(iter(shapes.values()), None),), {}


def _tuple_shape(value: object) -> NestedShapes:
    return tree.map_shape_structure(tuple, value) if value is not None else None


def _shape_from_arguments(kwargs: Kwargs) -> Shape | None:
    """The batch input shape given by Keras's shape arguments, which are removed from `kwargs`."""
    given = {name: kwargs.pop(name) for name in _SHAPE_ARGUMENTS if name in kwargs}
    kwargs.pop("input_dtype", None)
    for name in ("batch_input_shape", "batch_shape"):
        if given.get(name) is not None:
            return tuple(given[name])
    shape = given.get("input_shape")
    if shape is None and given.get("input_dim") is not None:
        shape = (given["input_dim"],)
    if shape is None:
        return None
    return (given.get("batch_size"), *(shape if isinstance(shape, (tuple, list)) else (shape,)))


def _refuse_several(layer: Layer, arguments: Mapping[str, object], error: Exception) -> None:
    """Raise a clear error if several tensors were passed for one, when that may be why a call failed."""
    parameters = _signature(type(layer).call).parameters.parameters
    for name, value in arguments.items():
        wanted = parameters[name].annotation if name in parameters else None
        if wanted in _ONE_TENSOR and tree.is_nested(value) and _holds_tensor(value):
            received = f"a {type(value).__name__} of {len(tree.flatten(value))}"
            told = InputMismatchError(f"{validate.describe(layer)}: {name} must be one tensor. Received: {received}.")
            told.__dict__ |= error.__dict__  # the location, if noted
            raise told from error


def _note(error: Exception, layer: Layer, path: Sequence[str]) -> None:
    """Note on the innermost error in which layer it occurred."""
    if getattr(error, "_cornu_noted", False):
        return
    error._cornu_noted = True  # type: ignore[attr-defined]
    explain(error, validate.describe(layer))
    place = f"Raised in {validate.describe(layer)}, at {'/'.join(path)}."
    if lacks(error, f'"{layer.name}"'):
        error.args = (f"{str(error).rstrip('. ')}. {place}",)  # part of the message, for tools that show only that
    else:
        error.add_note(place)
