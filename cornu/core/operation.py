"""Operations: functions that accept values and symbolic tensors alike.

`Operation` is the base of layers and models. `@op` turns a plain function of arrays into one: on arrays the function
runs as it is; on symbolic tensors its output shape is inferred and a node recorded; saved graphs name it as Keras does
(`Mean` for `mean`). Parameters annotated `Tensor`, `Tensors` or `Nested` are the tensors of the graph, all others are
settings.
"""

import functools
import inspect
import itertools
import re
import typing
from collections.abc import Callable
from typing import Any, Protocol, Self, cast, overload

import jax.numpy as jnp

from cornu import registry, tree, validate
from cornu.absent import Explained
from cornu.core import border, context
from cornu.core.configurable import Configurable, plain_arguments
from cornu.core.remat import remat
from cornu.core.symbolic import KerasTensor, Node, any_symbolic, each_once, output_spec
from cornu.core.tracebacks import for_reader
from cornu.core.typing import (
    AnyFunction,
    Args,
    ConfigDict,
    Function,
    Kwargs,
    Nested as Nested,  # noqa: PLC0414
    Tensor as Tensor,  # noqa: PLC0414
    Tensors as Tensors,  # noqa: PLC0414
)

_KINDS = {Tensors: "many", Tensor: "one", Nested: "nested"}


def snake_case(name: str) -> str:
    """`Conv2DTranspose` -> `conv2d_transpose`, as Keras makes layer names from class names."""
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


class Operation(Explained, Configurable):
    """A function from tensors to tensors, on values or symbolically.

    Args:
        name: name without "/"; None derives one from the class name.

    Example:

        class Twice(cornu.Operation):
            def call(self, x):
                return 2 * x
        print(Twice()(np.array([1.0, 2.0])))  # [2. 4.]
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        made = super().__new__(cls)
        if not registry.is_builtin(cls):
            made.__dict__["_noted_arguments"] = plain_arguments(cls, args, kwargs)
        return made

    def __init__(self, name: str | None = None):
        if name is None:
            name = context.auto_name(snake_case(type(self).__name__))
        self.name = validate.name(name, type(self))

    @property
    def nodes(self) -> list[Node]:
        """The calls on symbolic tensors recorded so far."""
        return self.__dict__.setdefault("_nodes", [])

    def __call__(self, *args: Any, **kwargs: Any) -> Nested:
        if any_symbolic(args, kwargs):
            return self.symbolic_call(*args, **kwargs)
        watch = context.current().watch
        return self.call(*args, **kwargs) if watch is None else watch(self, self.call, *args, **kwargs)

    def call(self, *args: Any, **kwargs: Any) -> Nested:
        """The computation on arrays; implemented by subclasses."""
        raise NotImplementedError(f"{type(self).__name__} must define call().")

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Nested:
        """Infer the outputs and record a node."""
        outputs = each_once(self.compute_output_spec(*args, **kwargs))
        Node(self, args, kwargs, outputs)
        return outputs

    def unrecorded_call(self, *args: Any, **kwargs: Any) -> Nested:
        """The outputs of a call on symbolic tensors that is not recorded in a graph."""
        return self.compute_output_spec(*args, **kwargs)

    def rematerialized_call(self, fn: AnyFunction, *args: Any, **kwargs: Any) -> Nested:
        """Run `fn`, recomputing its intermediate values for the gradient."""
        return remat(fn)(*args, **kwargs)

    def quantized_call(self, *args: Any, **kwargs: Any) -> Nested:
        """Raise ValueError: an operation without weights has nothing to quantize."""
        raise ValueError(f'{type(self).__name__} "{self.name}" has no quantized form.')

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Nested:
        """The symbolic outputs for symbolic inputs, found by running `call` abstractly."""
        return output_spec(self.call, *args, **kwargs)

    def _first_node(self, what: str) -> Node:
        if not self.nodes:
            raise AttributeError(
                f'{type(self).__name__} "{self.name}" was never called on symbolic tensors, so `{what}` is not defined.'
            )
        return self.nodes[0]

    @property
    def input(self) -> Nested:
        """The symbolic input of the first call."""
        tensors = self._first_node("input").input_tensors
        return tensors[0] if len(tensors) == 1 else tensors

    @property
    def output(self) -> Nested:
        """The symbolic output of the first call."""
        return self._first_node("output").outputs


def _class_name_of(function_name: str) -> str:
    """The default name in files of the operation for a function: `ExpandDims` for `expand_dims`."""
    return "".join(part.capitalize() for part in function_name.split("_"))


class OpFunction(Protocol):
    """A function marked `@op`: its name in files, its output spec, and which arguments are tensors."""

    __name__: str
    class_name: str
    spec: AnyFunction | None
    flow: "_Flow"

    def __call__(self, *args: Any, **kwargs: Any) -> Nested: ...


class FunctionOperation(Operation):
    """A node's operation made from a function marked `@op`, with its settings fixed."""

    def __init__(self, function: OpFunction, name: str | None = None, /, **settings: object):
        self.function = function
        self.settings = settings
        super().__init__(name or context.auto_name(snake_case(self.class_name)))

    @property
    def class_name(self) -> str:
        """The name in files: `Mean` for `mean`."""
        return self.function.class_name

    def call(self, *args: Any, **kwargs: Any) -> Nested:
        """Run the function on arrays."""
        return self.function(*args, **kwargs, **self.settings)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Nested:
        """Infer the outputs with the function's own spec, or abstractly."""
        spec = self.function.spec
        if spec is not None:
            return spec(*args, **kwargs, **self.settings)
        return output_spec(self.call, *args, **kwargs)

    def get_config(self) -> ConfigDict:
        """The name and the settings."""
        return {"name": self.name, **self.settings}


class _Flow:
    """Which parameters of a function are tensors; splits a call's arguments into tensors and settings."""

    def __init__(self, function: AnyFunction):
        self.owner = function.__name__
        self.signature = inspect.signature(function, eval_str=True)
        self.parameters = list(self.signature.parameters.values())
        self.kinds = {p.name: _kind(p.annotation) for p in self.parameters if _kind(p.annotation)}
        variadic = [i for i, p in enumerate(self.parameters) if p.kind is p.VAR_POSITIONAL]
        self.variadic = variadic[0] if variadic else None
        keywords = [p.name for p in self.parameters if p.kind is p.VAR_KEYWORD]
        self.any_keyword = keywords[0] if keywords else None
        self.settings = {p.name: p.default for p in self.parameters if p.name not in (*self.kinds, *keywords)}
        self.positions = tuple(i for i, p in enumerate(self.parameters) if p.name in self.kinds and i not in variadic)

    def name_at(self, position: int) -> str:
        """The name of the parameter at `position`."""
        return self.parameters[position if self.variadic is None else min(position, self.variadic)].name

    def any_symbolic(self, args: Args, kwargs: Kwargs) -> bool:
        """Whether any argument is a symbolic tensor, also inside lists."""
        for x in (*args, *kwargs.values()):
            kind = type(x)
            if kind is KerasTensor or ((kind is list or kind is tuple or kind is dict) and any_symbolic(x)):
                return True
        return False

    def refuse_symbolic(self, settings: Kwargs) -> None:
        """Raise TypeError for symbolic tensors where values are needed."""
        for name, value in settings.items():
            if any_symbolic(value):
                raise TypeError(
                    f"{self.owner}: {name} needs values, which a symbolic tensor does not have. Received: {value}."
                )

    def convert(self, name: str, value: object) -> Nested:
        """The value for parameter `name`, as a JAX array if a tensor is expected."""
        kind = self.kinds.get(name)
        if kind is None:
            return value
        if kind == "many" and isinstance(value, (list, tuple)):
            return [border.to_tensor(item, self.owner, name) for item in value]
        if kind == "nested":  # a loop's state must not change its type, so numbers become arrays too
            return tree.map_structure(lambda x: x if x is None else jnp.asarray(border.to_tensor(x)), value)
        return border.to_tensor(value, self.owner, name)

    def split(self, args: Args, kwargs: Kwargs) -> tuple[Args, Kwargs, Kwargs]:
        """(tensors by position, tensors by keyword, settings) of a call."""
        if self.variadic is not None:
            settings = {k: v for k, v in kwargs.items() if k not in self.kinds}
            return args, {k: v for k, v in kwargs.items() if k in self.kinds}, settings
        bound = self.signature.bind(*args, **kwargs).arguments
        settings = {n: bound.get(n, default) for n, default in self.settings.items()}
        settings.update(bound.get(self.any_keyword or "", {}))
        leading = [p.name for p in itertools.takewhile(lambda p: p.name in self.kinds, self.parameters)]
        leading = [name for name in leading if name in bound]
        keywords = {k: v for k, v in bound.items() if k in self.kinds and k not in leading}
        return tuple(bound[name] for name in leading), keywords, settings


@overload
def op(function: Function) -> Function: ...
@overload
def op(*, spec: AnyFunction | None = None, class_name: str | None = None) -> Callable[[Function], Function]: ...
def op(function: Any = None, *, spec: AnyFunction | None = None, class_name: str | None = None) -> Any:
    """Make a plain function of arrays work on arrays, symbolic tensors and in saved graphs.

    Args:
        function: its parameters annotated `Tensor`, `Tensors` or `Nested` are the tensors of the graph.
        spec: a function of the same arguments that returns the symbolic output, for output shapes that depend on
        values.
        class_name: its name in files, if that does not follow from the function's name.
    """
    if function is None:
        return functools.partial(op, spec=spec, class_name=class_name)
    flow = _Flow(function)
    positions, direct = flow.positions, border.AS_THEY_ARE
    indirect = flow.variadic is not None or "nested" in flow.kinds.values()

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            if kwargs or indirect:
                return general(args, kwargs)
            count = len(args)
            for i in positions:
                if i < count and type(args[i]) not in direct:
                    return general(args, kwargs)
            return function(*args)
        except Exception as error:
            told = for_reader(error, function, args, kwargs)
            if told is error:
                raise
            raise told from error

    def general(args: Args, kwargs: Kwargs) -> Any:
        if flow.any_symbolic(args, kwargs):
            tensors, keywords, settings = flow.split(args, kwargs)
            flow.refuse_symbolic(settings)
            return FunctionOperation(cast(OpFunction, wrapper), **settings).symbolic_call(*tensors, **keywords)
        positional = [flow.convert(flow.name_at(i), x) for i, x in enumerate(args)]
        return function(*positional, **{k: flow.convert(k, x) for k, x in kwargs.items()})

    wrapper.spec = spec  # type: ignore[attr-defined]
    wrapper.class_name = class_name or _class_name_of(function.__name__)  # type: ignore[attr-defined]
    wrapper.flow = flow  # type: ignore[attr-defined]
    return wrapper


def _kind(annotation: object) -> str | None:
    """The kind of a parameter with this annotation: one tensor, many, a nested structure, or none (None)."""
    parts = (annotation, *typing.get_args(annotation))
    return next((kind for part, kind in _KINDS.items() if part in parts), None)
