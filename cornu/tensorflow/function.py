"""`tf.function`: compiled Python functions, one program for each kind of arguments.

The variables that the function reads and assigns become inputs and outputs of the compiled function; tracing determines
which they are. A function that creates variables in its first call is traced again, as in TensorFlow. Python's `if` and
`while` on computed values require TensorFlow's AutoGraph, which is not available: such a function runs uncompiled, and
the log says so.
"""

import functools
import logging
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend.core import jaxpr_as_fun

from cornu.core import border, context
from cornu.core.typing import Tensor
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


class _State(dict):
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

    def __init__(self, function: Callable, leaves: list, treedef: object):
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

    def _trace(self, arrays: list) -> bool:
        """Trace the function once; returns True if it needs variables that were not known before."""
        candidates = [variable for variable in VARIABLES if hasattr(variable._value, "aval")]
        states: list[_State] = []

        def look(values: list, given: list) -> tuple[list, list]:
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

        def compiled(values: list, given: list) -> tuple[list, list]:
            inputs: list = [None] * len(candidates)
            for place, value in zip(used, values, strict=True):
                inputs[place] = value
            found = run(*inputs, *given)
            return found[: self._count], found[self._count :]

        self._run = jax.jit(compiled, compiler_options=xla.compiler_options() or None)
        return False

    def _call(self, arrays: list) -> list:
        """The computed outputs of a call with these arrays."""
        given = iter(arrays)
        leaves = [next(given) if flows else fixed for flows, fixed in zip(self._flowing, self._fixed, strict=True)]
        args, kwargs = jax.tree.unflatten(self._treedef, leaves)
        found, self._made = jax.tree.flatten(self._function(*args, **kwargs), is_leaf=_is_leaf)
        found = [each.value if isinstance(each, Variable) else each for each in found]
        self._kept = [None if _flows(each) else each for each in found]
        self._computed = [_flows(each) for each in found]
        self._count = sum(self._computed)
        return [each for each in found if _flows(each)]

    def __call__(self, arrays: list) -> Any:
        outputs, changed = self._run(values_for_call(self.variables), arrays)
        if self.changed:
            keep_after_call(self.changed, changed)
        given = iter(outputs)
        leaves = [next(given) if flows else kept for flows, kept in zip(self._computed, self._kept, strict=True)]
        return jax.tree.unflatten(self._made, leaves)


def _is_leaf(value: Tensor) -> bool:
    return value is None or isinstance(value, Variable)


def _flows(value: Tensor) -> bool:
    return isinstance(value, (jax.Array, np.ndarray, np.generic)) and value.dtype.kind not in "OSUT"


class Function:
    """A function that is compiled when it is called; see `function`."""

    def __init__(self, python_function: Callable, signature: Sequence[TensorSpec] | None = None):
        self.python_function = python_function
        self.input_signature = signature
        self._compiled: dict[tuple, _Compiled | None] = {}
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
            leaves, treedef = jax.tree.flatten((args, kwargs), is_leaf=_is_leaf)
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

    def _compile(self, leaves: list, treedef: object) -> _Compiled | None:
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

    def _as_tensors(self, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        """Numbers and lists as tensors with the dtypes of the signature."""
        if self.input_signature is None:
            return args, kwargs
        specs = self.input_signature
        return tuple(
            _of_spec(value, spec) if isinstance(spec, TensorSpec) else value
            for value, spec in zip(args, specs, strict=False)
        ), kwargs

    def get_concrete_function(self, *args: Any, **kwargs: Any) -> "Function":
        """The function itself, which compiles for whatever it is called with."""
        return self


def _of_spec(value: Tensor, spec: TensorSpec) -> Tensor:
    return text(value) if is_text(value) else jax.numpy.asarray(border.to_tensor(value), spec.dtype)


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
    func: Callable | None = None, input_signature: Sequence[TensorSpec] | None = None, autograph: bool = True,
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
