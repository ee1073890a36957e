"""A traced function as a flat list of operations on abstract values.

JAX's nested structures (function calls, branches, loops) are flattened: a loop of known length is its body once, with
the number of iterations. That is sufficient for counting, and never executed.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from jax.extend.core import ClosedJaxpr, Jaxpr, Literal


class Value:
    """An abstract array.

    Args:
        shape: its shape.
        itemsize: bytes per element.
    """

    __slots__ = ("itemsize", "shape")

    def __init__(self, shape: Sequence[int], itemsize: int):
        self.shape, self.itemsize = tuple(shape), itemsize

    @property
    def bytes(self) -> int:
        """Bytes of the whole array."""
        return math.prod(self.shape) * self.itemsize


class Operation(NamedTuple):
    """One operation.

    Attributes:
        name: JAX's name of the primitive; "scan_slice" and "scan_stack" for a loop's reads and writes per iteration;
            "shard" and "unshard" for the borders of code that each device runs on its own parts.
        params: its JAX parameters.
        inputs, outputs: the values.
        times: number of executions.
    """

    name: str
    params: dict[str, Any]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    times: int


class Program(NamedTuple):
    """A flattened function.

    Attributes:
        inputs, outputs: the input and output values.
        operations: the operations, in order.
    """

    inputs: list[Value]
    outputs: list[Value]
    operations: list[Operation]


def flat(closed: Any) -> Program:
    """The program of a `jax.make_jaxpr`."""
    operations: list[Operation] = []
    inputs = [_value(variable) for variable in closed.jaxpr.invars]
    constants = [_value(variable) for variable in closed.jaxpr.constvars]
    outputs = _Flattening(operations).run(closed.jaxpr, [*constants, *inputs], 1)
    return Program(inputs, outputs, operations)


def _value(variable: Any) -> Value:
    return Value(variable.aval.shape, getattr(variable.aval.dtype, "itemsize", 4))


class _Flattening:
    """The traversal.

    Args:
        operations: list to which operations are appended.
    """

    def __init__(self, operations: list[Operation]):
        self._operations = operations

    def run(self, jaxpr: Any, arguments: Iterable[Value], times: int) -> list[Value]:
        """Append the operations of a function and return its results."""
        known = dict(zip([*jaxpr.constvars, *jaxpr.invars], arguments, strict=True))

        def read(atom: object) -> Value:
            return _value(atom) if isinstance(atom, Literal) else known[atom]

        for equation in jaxpr.eqns:
            results = self._equation(equation, [read(atom) for atom in equation.invars], times)
            known.update(zip(equation.outvars, results, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def _equation(self, equation: Any, inputs: list[Value], times: int) -> list[Value]:
        name, params = equation.primitive.name, equation.params
        if name == "scan":
            return self._scan(params, inputs, times)
        if name == "shard_map":
            return self._shard_map(params, inputs, times)
        if name == "while":
            return self._while(params, inputs[params["cond_nconsts"] :], times)
        bodies = [body for value in params.values() for body in _bodies(value)]
        if name == "cond":
            return self._call(max(bodies, key=lambda body: len(_open(body).eqns)), inputs[1:], times)
        if bodies and name not in _WITH_SMALL_FUNCTIONS:
            return self._call(bodies[0], inputs, times)
        outputs = [_value(variable) for variable in equation.outvars]
        if name == "psum":  # of several arrays
            self._operations += [
                Operation(name, params, (one,), (other,), times) for one, other in zip(inputs, outputs, strict=True)
            ]
        else:
            self._operations.append(Operation(name, params, tuple(inputs), tuple(outputs), times))
        return outputs

    def _shard_map(self, params: dict[str, Any], inputs: list[Value], times: int) -> list[Value]:
        """Code that each device runs on its own parts, which are the values inside."""
        body, own = _open(params["jaxpr"]), frozenset(params["newly_manual_axes"])

        def cross(name: str, value: Value, made: Value, spec: Any) -> Value:
            axes = (*spec, *[None] * len(value.shape))[: len(value.shape)]
            flattened = tuple(axis[0] if isinstance(axis, tuple) else axis for axis in axes)
            self._operations.append(Operation(name, {"axes": flattened, "own": own}, (value,), (made,), times))
            return made

        parts = [
            cross("shard", value, _value(variable), spec)
            for value, variable, spec in zip(inputs, body.invars, params["in_specs"], strict=True)
        ]
        results = self.run(body, [*map(_value, body.constvars), *parts], times)
        sizes = params["mesh"].shape
        return [
            cross("unshard", value, Value(_whole_shape(value.shape, spec, sizes), value.itemsize), spec)
            for value, spec in zip(results, params["out_specs"], strict=True)
        ]

    def _call(self, body: Any, inputs: list[Value], times: int) -> list[Value]:
        body = _open(body)
        return self.run(body, [*map(_value, body.constvars), *inputs], times)

    def _while(self, params: dict[str, Any], inputs: list[Value], times: int) -> list[Value]:
        """The first iteration, and all others, which start with values laid out as at the end of an iteration."""
        body, turns = params["body_jaxpr"], _turns(params["cond_jaxpr"])
        results = self._call(body, inputs, times)
        again = [*inputs[: params["body_nconsts"]], *results]
        return self._call(body, again, times * (turns - 1)) if turns > 1 else results

    def _scan(self, params: dict[str, Any], inputs: list[Value], times: int) -> list[Value]:
        length, kept = params["length"], params["num_consts"] + params["num_carry"]
        slices = [Value(value.shape[1:], value.itemsize) for value in inputs[kept:]]
        for whole, part in zip(inputs[kept:], slices, strict=True):
            self._operations.append(Operation("scan_slice", {}, (whole,), (part,), times * length))
        results = self._call(params["jaxpr"], [*inputs[:kept], *slices], times * length)
        stacked = [Value((length, *part.shape), part.itemsize) for part in results[params["num_carry"] :]]
        for part, whole in zip(results[params["num_carry"] :], stacked, strict=True):
            self._operations.append(Operation("scan_stack", {}, (part,), (whole,), times * length))
        return [*results[: params["num_carry"]], *stacked]


def _whole_shape(part: Sequence[int], spec: Any, sizes: Any) -> tuple[int, ...]:
    """The shape of an array, given that of a device's part."""
    axes = [(axis,) if isinstance(axis, str) else axis or () for axis in (*spec, *[None] * len(part))]
    return tuple(size * math.prod(sizes[axis] for axis in names) for size, names in zip(part, axes, strict=False))


def _turns(condition: object) -> int:
    """The number of iterations of a loop that counts up from 0 to a number; 1 if its condition has another form."""
    tests = _open(condition).eqns
    bounds = [test.invars[1] for test in tests if test.primitive.name == "lt"]
    return int(bounds[0].val) if len(tests) == 1 and bounds and isinstance(bounds[0], Literal) else 1


# Operations whose parameters define how two numbers are combined.
_WITH_SMALL_FUNCTIONS = {
    "scatter", "scatter-add", "scatter_add", "scatter_mul", "scatter_min", "scatter_max", "reduce", "reduce_window",
    "select_and_scatter", "sort", "custom_linear_solve",
}  # fmt: skip


def _bodies(value: object) -> list[object]:
    if isinstance(value, (tuple, list)):
        return [body for one in value for body in _bodies(one)]
    return [value] if isinstance(value, (ClosedJaxpr, Jaxpr)) else []


def _open(body: object) -> Any:
    return body.jaxpr if isinstance(body, ClosedJaxpr) else body
