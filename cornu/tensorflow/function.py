"""`tf.function`: compiled Python functions, one program for each kind of arguments.

The variables that the function reads and assigns become inputs and outputs of the compiled function; tracing determines
which they are. A function that creates variables in its first call is traced again, as in TensorFlow. Python's `if` and
`while` on computed values require TensorFlow's AutoGraph, which is not available: such a function runs uncompiled, and
the log says so.
"""

import functools
import inspect
import logging
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend.core import jaxpr_as_fun

from cornu.core import border, context
from cornu.core.typing import AnyFunction, AnyList, Args, Kwargs, Leaves, Nested, Tensor
from cornu.core.variable import Variable
from cornu.kernels import xla
from cornu.random.seed_generator import keep_after_call, values_for_call
from cornu.tensorflow.tape import VARIABLES
from cornu.tensorflow.texts import is_text, text
from cornu.tensorflow.types import MakesVariableError, TensorSpec

__all__ = ["function"]

_log = logging.getLogger(__name__)

MOST_KINDS = 32  # kinds of arguments per function; further ones run uncompiled

MOST_TRACES = 4  # of one function until it creates no more variables

NEEDS_VALUES = (
    jax.errors.ConcretizationTypeError,
    jax.errors.NonConcreteBooleanIndexError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerBoolConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.UnexpectedTracerError,
    NotImplementedError,
)

_settings = {"eagerly": False}


def run_functions_eagerly(run_eagerly: bool) -> None:
    """Set whether functions run uncompiled."""
    _settings["eagerly"] = bool(run_eagerly)


def functions_run_eagerly() -> bool:
    """Whether functions run uncompiled."""
    return _settings["eagerly"]


class _State(dict[Any, Any]):
    """Values of variables during tracing, and a record of those used."""

    def __init__(self, values: Tensor):
        super().__init__(values)
        self.touched: dict[Variable, None] = {}
        self.unknown: list[Variable] = []

    def __contains__(self, variable: object) -> bool:
        found = super().__contains__(variable)
        if not found:
            self.unknown.append(variable)  # type: ignore[arg-type]
        return found

    def __getitem__(self, variable: Variable) -> Any:
        self.touched[variable] = None
        return super().__getitem__(variable)

    def __setitem__(self, variable: Variable, value: Tensor) -> None:
        self.touched[variable] = None
        super().__setitem__(variable, value)


class _Compiled:
    """A function compiled for one kind of arguments.

    Args:
        function: the function.
        leaves: the arguments, flat.
        treedef: their structure.
    """

    def __init__(self, function: AnyFunction, leaves: Leaves, treedef: object):
        self._function = function
        self._treedef = treedef
        self._fixed = [None if _flows(leaf) else leaf for leaf in leaves]
        self._flowing = [_flows(leaf) for leaf in leaves]
        arrays = [leaf for leaf in leaves if _flows(leaf)]
        traces = 1
        while self._trace(arrays):  # again, with the variables that it has just created
            traces += 1
            if traces > MOST_TRACES:
                raise NotImplementedError("it creates variables in every call.")

    def _trace(self, arrays: list[jax.Array]) -> bool:
        """Trace the function once; returns True if it needs variables that were not known before."""
        candidates = [variable for variable in VARIABLES if hasattr(variable._value, "aval")]
        states: list[_State] = []

        def look(values: list[jax.Array], given: list[jax.Array]) -> tuple[list[jax.Array], list[jax.Array]]:
            state = _State(zip(candidates, values, strict=True))
            before = dict(state)
            states.append(state)
            with context.state(state):
                outputs = self._call(given)
            self.changed = [each for each in state.touched if dict.get(state, each) is not before.get(each)]
            return outputs, [dict.__getitem__(state, variable) for variable in self.changed]

        program = jax.make_jaxpr(look)([variable._value for variable in candidates], arrays)
        known = set(candidates)
        if new := [variable for variable in states[0].unknown if variable not in known]:
            for variable in new:
                VARIABLES.add(variable)
            return True
        self.variables = [variable for variable in candidates if variable in states[0].touched]
        places = {variable: at for at, variable in enumerate(candidates)}
        used = [places[variable] for variable in self.variables]
        run = jaxpr_as_fun(program)

        def compiled(values: list[jax.Array], given: list[jax.Array]) -> tuple[list[jax.Array], list[jax.Array]]:
            inputs: AnyList = [None] * len(candidates)
            for place, value in zip(used, values, strict=True):
                inputs[place] = value
            found = run(*inputs, *given)
            return found[: self._count], found[self._count :]

        self._run = jax.jit(compiled, compiler_options=xla.compiler_options() or None)
        return False

    def _call(self, arrays: list[jax.Array]) -> list[jax.Array]:
        """The computed outputs of a call with these arrays."""
        given = iter(arrays)
        leaves = [next(given) if flows else fixed for flows, fixed in zip(self._flowing, self._fixed, strict=True)]
        args, kwargs = jax.tree.unflatten(self._treedef, leaves)
        found, self._made = _flat(self._function(*args, **kwargs))
        found = [each.value if isinstance(each, Variable) else each for each in found]
        self._kept = [None if _flows(each) else each for each in found]
        self._computed = [_flows(each) for each in found]
        self._count = sum(self._computed)
        return [each for each in found if _flows(each)]

    def results(self, arrays: list[jax.Array]) -> Any:
        """The shapes and types of what a call returns."""
        return self._structured(jax.eval_shape(self._run, values_for_call(self.variables), arrays)[0])

    def __call__(self, arrays: list[jax.Array]) -> Any:
        outputs, changed = self._run(values_for_call(self.variables), arrays)
        if self.changed:
            keep_after_call(self.changed, changed)
        return self._structured(outputs)

    def _structured(self, outputs: list[jax.Array]) -> Any:
        given = iter(outputs)
        leaves = [next(given) if flows else kept for flows, kept in zip(self._computed, self._kept, strict=True)]
        return jax.tree.unflatten(self._made, leaves)


def _is_leaf(value: Tensor) -> bool:
    return value is None or isinstance(value, Variable)


@jax.tree_util.register_pytree_node_class
class _Ordered(dict[Any, Any]):
    """A dictionary whose keys keep their order, which JAX would sort; flattened and put together, a dictionary."""

    def tree_flatten(self) -> tuple[list[Any], tuple[Any, ...]]:
        """The values, and the keys."""
        return list(self.values()), tuple(self)

    @staticmethod
    def tree_unflatten(keys: tuple[Any, ...], values: Iterable[Any]) -> dict[Any, Any]:
        """A dictionary again."""
        return dict(zip(keys, values, strict=True))


def _in_order(value: Tensor) -> Any:
    """A structure whose dictionaries keep the order of their keys."""
    if type(value) is dict:
        return _Ordered({key: _in_order(item) for key, item in value.items()})
    if type(value) in (list, tuple):
        return type(value)(map(_in_order, value))
    return value


def _flat(value: Tensor) -> tuple[list[Any], Any]:
    """The leaves of a structure, and what puts them together again."""
    return jax.tree.flatten(_in_order(value), is_leaf=_is_leaf)


def _flows(value: Tensor) -> bool:
    return isinstance(value, (jax.Array, np.ndarray, np.generic)) and value.dtype.kind not in "OSUT"


class Function:
    """A function that is compiled when it is called; see `function`."""

    def __init__(self, python_function: AnyFunction, signature: Sequence[TensorSpec] | None = None):
        self.python_function = python_function
        self.input_signature = signature
        self._compiled: dict[tuple[Hashable, ...], _Compiled | None] = {}
        self._why: str | None = None
        functools.update_wrapper(self, python_function)

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        if instance is None:
            return self
        kept = instance.__dict__.setdefault("_tf_functions", {}) if hasattr(instance, "__dict__") else {}
        if self not in kept:
            kept[self] = Function(functools.partial(self.python_function, instance), self.input_signature)
            functools.update_wrapper(kept[self], self.python_function)
        return kept[self]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if _settings["eagerly"] or self._why or not context.is_clear():
            return self.python_function(*args, **kwargs)
        args, kwargs = self._as_tensors(args, kwargs)
        try:
            leaves, treedef = _flat((args, kwargs))
            key = (treedef, *map(_fact, leaves))
            hash(key)
        except (TypeError, ValueError):
            return self.python_function(*args, **kwargs)
        if any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):
            return self.python_function(*args, **kwargs)
        if key not in self._compiled:
            try:
                self._compiled[key] = self._compile(leaves, treedef)
            except MakesVariableError:  # this call creates it, and the next one is compiled
                return self.python_function(*args, **kwargs)
        compiled = self._compiled[key]
        if compiled is None:
            return self.python_function(*args, **kwargs)
        return compiled([leaf for leaf in leaves if _flows(leaf)])

    def _compile(self, leaves: Leaves, treedef: object) -> _Compiled | None:
        if len(self._compiled) >= MOST_KINDS or any(map(_is_data, leaves)):
            return None
        try:
            return _Compiled(self.python_function, leaves, treedef)
        except MakesVariableError:
            raise
        except NEEDS_VALUES as error:
            self._why = str(error).partition("\n")[0]
            _log.info("tf.function %s runs uncompiled: %s", getattr(self, "__name__", "?"), self._why)
            return None

    def _as_tensors(self, args: Args, kwargs: Kwargs) -> tuple[Args, Kwargs]:
        """Numbers and lists as tensors with the dtypes of the signature, which other tensors must fit."""
        specs = self.input_signature
        if specs is None:
            return args, kwargs
        name = getattr(self, "__name__", "?")
        if len(args) > len(specs):
            raise TypeError(f"tf.function {name} takes {len(specs)} arguments by its input_signature, not {len(args)}.")
        by_name = dict(zip(self._names(), specs, strict=False)) if kwargs else {}
        return (
            tuple(_of_spec(value, spec, name) for value, spec in zip(args, specs, strict=False)),
            {key: _of_spec(value, by_name.get(key), name) for key, value in kwargs.items()},
        )

    def signatures(self) -> list[list[TensorSpec]]:
        """The specs that it is declared with, or those of the tensors alone with which it has been called."""
        if self.input_signature is not None:
            return [self._named(self.input_signature)]
        kinds = [key for key, compiled in self._compiled.items() if compiled is not None]
        return [self._named(specs) for key in kinds if (specs := _specs_of(*key)) is not None]

    def _named(self, specs: Iterable[TensorSpec]) -> list[TensorSpec]:
        """The specs with the names of the arguments, where they have none."""
        named = zip(specs, self._names(), strict=False)
        return [TensorSpec(spec.shape, spec.dtype, spec.name or name) for spec, name in named]

    def _names(self) -> list[str]:
        """The names of the arguments."""
        return list(inspect.signature(self.python_function).parameters)

    def get_concrete_function(self, *args: Any, **kwargs: Any) -> "ConcreteFunction":
        """The function for one kind of arguments: tensors or their specs; by default those of its signature."""
        if kwargs:
            names = self._names()[len(args) :]
            args = (*args, *(kwargs[name] for name in names if name in kwargs))
        given = [each if isinstance(each, TensorSpec) else _spec_of(each) for each in args]
        if not args and self.input_signature is None and self._names():
            raise ValueError("get_concrete_function: give tf.TensorSpec(shape, dtype) for each argument.")
        return ConcreteFunction(self, self._named(given) if args else (self.signatures() or [[]])[0])

    def experimental_get_tracing_count(self) -> int:
        """For how many kinds of arguments it has been compiled."""
        return len(self._compiled)


class ConcreteFunction:
    """A function for one kind of tensors; see `Function.get_concrete_function`.

    Args:
        function: the function.
        specs: the tensors that it takes.
    """

    def __init__(self, function: Function, specs: list[TensorSpec]):
        self.function, self._specs = function, specs
        self.python_function = function.python_function
        self.name = getattr(function, "__name__", "function")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def signatures(self) -> list[list[TensorSpec]]:
        """The specs of the tensors that it takes."""
        return [self._specs]

    @property
    def structured_input_signature(self) -> tuple[Args, Kwargs]:
        """The specs of the positional arguments, and of those by name."""
        return tuple(self._specs), {}

    @property
    def inputs(self) -> list[TensorSpec]:
        """The specs of the tensors that it takes."""
        return self._specs

    @functools.cached_property
    def structured_outputs(self) -> Any:
        """The specs of its results, in their structure; a size is None if it depends on one of the arguments'."""
        small, large = (self._traced(size) for size in _SIZES_TRIED)
        return jax.tree.map(_common_spec, _in_order(small), _in_order(large))

    @property
    def outputs(self) -> list[TensorSpec]:
        """The specs of its results."""
        return _flat(self.structured_outputs)[0]

    @property
    def output_shapes(self) -> Any:
        """The shapes of its results, in their structure."""
        return jax.tree.map(lambda spec: spec.shape, _in_order(self.structured_outputs))

    def _traced(self, size: int) -> Any:
        """The shapes and types of the results where unknown sizes are `size`."""
        arrays = [
            jax.numpy.zeros([size if n is None else n for n in spec.shape or ()], spec.dtype) for spec in self._specs
        ]
        leaves, treedef = jax.tree.flatten((tuple(arrays), {}))
        return _Compiled(self.python_function, leaves, treedef).results(arrays)


_SIZES_TRIED = 8, 16  # in place of unknown ones


def _common_spec(small: Tensor, large: Tensor) -> TensorSpec:
    shape = [n if n == m else None for n, m in zip(small.shape, large.shape, strict=True)]
    return TensorSpec(shape, small.dtype)


def _spec_of(value: Tensor) -> TensorSpec:
    array = value if hasattr(value, "dtype") else border.to_tensor(value)
    return TensorSpec(array.shape, array.dtype)


def _specs_of(treedef: Any, *facts: Any) -> list[TensorSpec] | None:
    """The specs of a kind of arguments, if they are positional tensors."""
    args, kwargs = jax.tree.unflatten(treedef, range(len(facts)))
    are_tensors = all(isinstance(fact, tuple) and len(fact) == _PARTS_OF_FACT for fact in facts)
    if kwargs or list(args) != list(range(len(facts))) or not are_tensors:
        return None
    return [TensorSpec(shape, dtype) for shape, dtype, _ in facts]


_PARTS_OF_FACT = 3  # of a tensor: see `_fact`


def _of_spec(value: Nested, spec: object, name: str) -> Nested:
    if isinstance(spec, dict) and isinstance(value, dict):
        return {key: _of_spec(each, spec.get(key), name) for key, each in value.items()}
    if isinstance(spec, (list, tuple)) and type(value) in (list, tuple):
        return type(value)(_of_spec(each, part, name) for each, part in zip(value, spec, strict=True))
    if not isinstance(spec, TensorSpec):
        return value
    if is_text(value):
        return text(value)
    given = jax.numpy.asarray(border.to_tensor(value))
    other_kind = isinstance(value, jax.Array) and value.dtype != jax.dtypes.canonicalize_dtype(spec.dtype)
    if other_kind or not (spec.shape is None or spec.shape.is_compatible_with(given.shape)):
        raise TypeError(
            f"tf.function {name}: a tensor must fit its {spec} of the input_signature. Received: "
            f"{TensorSpec(given.shape, given.dtype)}."
        )
    return given.astype(spec.dtype)


def _fact(value: Tensor) -> Any:
    """The static properties of an argument that a compiled function depends on."""
    if _flows(value):
        return value.shape, value.dtype, getattr(value, "weak_type", False)
    if isinstance(value, (bool, int, float, str, bytes, type(None))):
        return type(value), value
    return id(value)


def _is_data(value: Tensor) -> bool:
    """Whether an argument is a dataset, whose elements would all be unrolled in the compiled function."""
    return hasattr(value, "element_spec") or hasattr(value, "__next__")


def function(
    func: AnyFunction | None = None, input_signature: Sequence[TensorSpec] | None = None, autograph: bool = True,
    jit_compile: bool | None = None, reduce_retracing: bool = False, **experimental: object,
) -> Any:  # fmt: skip
    """Compile a Python function when it is called.

    Args:
        func: the function; it may read and assign variables, use tapes and optimizers.
        input_signature: specs to which its arguments are converted.
        autograph, jit_compile, reduce_retracing: ignored.

    Example:

        @tf.function
        def doubled(x):
            return x + x

        print(doubled(tf.constant(2.0)))  # 4.0
    """
    if func is None:
        return functools.partial(function, input_signature=input_signature)
    return Function(func, input_signature)
