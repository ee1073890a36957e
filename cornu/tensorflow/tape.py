"""`GradientTape`: gradients of computations recorded while a tape was active.

JAX runs every operation in the current trace. A tape installs a trace of its own, which runs the operation in the
previous one, returns the same values, and records inputs and outputs. A gradient is JAX's own, of a function that
replays the record from the sources to the targets. So a tape works on concrete values, where a compiled model is one
operation, and in functions that are being compiled, where the compiler merges what is computed twice.
"""

from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from operator import itemgetter
from threading import local
from typing import Any
from weakref import ref

import jax
import jax.numpy as jnp
from jax.core import Trace
from jax.extend.core import jaxpr_as_fun, set_current_trace, take_current_trace

from cornu import tree
from cornu.core import context
from cornu.core.typing import AnyFunction, AnyTuple, Kwargs, Nested, Tensor
from cornu.core.variable import Variable
from cornu.tensorflow.program import Program, Step

__all__ = ["GradientTape"]


class _Variables:
    """The existing variables, by identity, since `==` compares their values."""

    def __init__(self) -> None:
        self._references: dict[int, ref[Any]] = {}

    def add(self, variable: Variable) -> None:
        """Keep count of a variable as long as somebody holds it."""
        key = id(variable)
        self._references[key] = ref(variable, lambda _: self._references.pop(key, None))

    def __iter__(self) -> Iterator[Variable]:
        found = [reference() for reference in list(self._references.values())]
        return iter([variable for variable in found if variable is not None])


VARIABLES = _Variables()
"""Tapes find out which of them were read, compiled functions which they need."""


class _Recorder(Trace):
    """Runs operations in the trace `below`, and records them on active tapes."""

    def __init__(self, below: Trace):
        super().__init__()  # type: ignore[no-untyped-call]  # a C++ class without annotations
        self.below = below
        self.tapes: list[GradientTape] = []
        self.scope: Any = None

    def stage_value(self, value: object) -> jax.Array:
        """`value` as the trace below has it."""
        return self.below.stage_value(value)

    def process_primitive(self, primitive: Any, args: Sequence[Tensor], params: Kwargs, /) -> Nested:
        inner = {**params, "compiler_options_kvs": ()} if "compiler_options_kvs" in params else params

        def run(*values: Tensor, params: Kwargs = inner) -> Tensor:
            return primitive.bind(*values, **params)

        parts = jaxpr_as_fun(params["jaxpr"]) if primitive.name in ("jit", "pjit") else None
        key = primitive, tuple(sorted(inner.items(), key=itemgetter(0)))
        return self._note(primitive, args, run, partial(run, params=params), parts, key)

    def process_call(self, primitive: object, function: object, args: Sequence[Tensor], params: Kwargs, /) -> Nested:
        return self._custom(primitive, (function,), args, params)

    def process_custom_jvp_call(
        self, primitive: object, function: object, jvp: object, args: Sequence[Tensor], /, **how: object
    ) -> Nested:
        return self._custom(primitive, (function, jvp), args, how)

    def process_custom_vjp_call(
        self,
        primitive: object,
        function: object,
        forward: object,
        backward: object,
        args: Sequence[Tensor],
        /,
        **how: object,
    ) -> Nested:
        return self._custom(primitive, (function, forward, backward), args, how)

    def _custom(self, primitive: Any, functions: AnyTuple, args: Sequence[Tensor], params: Kwargs) -> Nested:
        """An operation that contains functions; JAX calls these once only, unless their stored results are reset."""

        def run(*values: Tensor) -> Tensor:
            for function in functions:
                for store in getattr(function, "stores", ()):
                    if store is not None:
                        store.reset()
            return primitive.bind(*values, subfuns=functions, **params)

        return self._note(primitive, args, run, run)

    def _note(
        self, primitive: Any, args: Sequence[Tensor], run: AnyFunction, first: AnyFunction,
        parts: AnyFunction | None = None, key: Hashable = None,
    ) -> Tensor:  # fmt: skip
        """The result of `first`, recorded as one that `run` computes again."""
        with set_current_trace(self.below):
            outputs = first(*args)
            several = primitive.multiple_results
            made = tuple(outputs) if several else (outputs,)
            if any(output is value for output in made for value in args):
                made = tuple(jnp.array(output, copy=True) for output in made)  # so that it is distinct from the input
        if primitive.name == "stop_gradient":  # a constant from here on
            return made[0]
        step = Step(run if several else lambda *values: (run(*values),), tuple(args), made, parts, key)
        for tape in self.tapes:
            tape._steps.append(step)
        return list(made) if several else made[0]


_kept = local()


def _recorder(below: Trace) -> _Recorder:
    """The recorder over a trace; that over JAX's eager trace is kept, since JAX caches calls by trace."""
    if not _is_plain(below):
        return _Recorder(below)
    if not hasattr(_kept, "recorder"):
        _kept.recorder = _Recorder(below)
    return _kept.recorder


def _is_plain(trace: Trace) -> bool:
    """Whether operations run eagerly, with or without open tapes."""
    below = trace.below if isinstance(trace, _Recorder) else trace
    return type(below).__name__ == "EvalTrace"


def _current() -> Trace:
    """The current trace."""
    with take_current_trace() as found:
        pass
    return found


class GradientTape:
    """Records computations while active, for gradients.

    Trainable variables are watched automatically, tensors from `watch` on. Tapes may be nested, for gradients of
    gradients.

    Args:
        persistent: whether `gradient` may be called more than once.
        watch_accessed_variables: whether variables are watched automatically.

    Example:

        x = tf.constant(3.0)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = x * x
        print(tape.gradient(y, x))  # 6.0
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True):
        self._persistent = persistent
        self._by_itself = watch_accessed_variables
        self._recorder: _Recorder | None = None
        self._spent = False
        self.reset()

    def reset(self) -> None:
        """Clear the recorded operations and watched tensors."""
        self._steps: list[Step] = []
        self._watched: dict[int, object] = {}
        self._held: dict[int, tuple[object, Variable]] = {}

    def __enter__(self) -> "GradientTape":
        self._open()
        return self

    def __exit__(self, *details: object) -> None:
        self._close()

    def _open(self) -> None:
        if self._recorder is not None:
            raise ValueError("GradientTape: this tape is already recording.")
        current = _current()
        if not isinstance(current, _Recorder):
            current = _recorder(current)
            current.scope = set_current_trace(current)
            current.scope.__enter__()
        current.tapes.append(self)
        self._recorder = current
        self._hold(VARIABLES)

    def _close(self) -> None:
        recorder, self._recorder = self._recorder, None
        if recorder is None:
            return
        self._hold(VARIABLES)
        recorder.tapes.remove(self)
        if not recorder.tapes:
            recorder.scope.__exit__(None, None, None)

    def _hold(self, variables: Any) -> None:
        """Store the current values of variables."""
        states = context.current().states
        for variable in variables:
            value = next((state[variable] for state in states if variable in state), variable._value)
            self._held[id(value)] = (value, variable)

    @contextmanager
    def stop_recording(self) -> Iterator[None]:
        """Context in which nothing is recorded."""
        was_open = self._recorder is not None
        if was_open:
            self._close()
        try:
            yield
        finally:
            if was_open:
                self._open()

    def watch(self, tensor: object) -> None:
        """Watch a tensor or a structure of tensors, so that gradients with respect to them can be computed."""
        for each in tree.flatten(tensor):
            if isinstance(each, Variable):
                self._hold([each])
                self._watched |= {at: value for at, (value, variable) in self._held.items() if variable is each}
                continue
            if not isinstance(each, jax.Array):
                raise ValueError(
                    f"GradientTape.watch: expected tensors. Received: {type(each).__name__}; use tf.constant(x)."
                )
            self._watched[id(each)] = each

    def watched_variables(self) -> tuple[Variable, ...]:
        """The trainable variables that were read."""
        read = {id(value) for step in self._steps for value in step.inputs}
        found = [variable for at, (_, variable) in self._held.items() if at in read and self._is_watched(variable, at)]
        return tuple(dict.fromkeys(found))

    def _is_watched(self, variable: Variable, at: int) -> bool:
        return at in self._watched or (self._by_itself and variable.trainable)

    def _values_of(self, source: object) -> list[Tensor]:
        """The arrays that a source held while the tape was open; none for a variable that was not watched."""
        if isinstance(source, jax.Array):
            return [source]
        if not isinstance(source, Variable):
            raise ValueError(f"GradientTape: sources must be tensors or variables. Received: {type(source).__name__}.")
        held = [(at, value) for at, (value, variable) in self._held.items() if variable is source]
        return [value for at, value in held if self._is_watched(source, at)]

    # ------------------------------------------------------------ gradients

    def gradient(
        self, target: object, sources: object, output_gradients: object = None, unconnected_gradients: str = "none"
    ) -> jax.Array:
        """The gradients of the sum of `target` with respect to each of `sources`, in their structure.

        Args:
            target: a tensor, or a structure of them.
            sources: tensors and variables, in any structure.
            output_gradients: weights of the elements of `target`, in its structure; None uses ones.
            unconnected_gradients: "none" or "zero", the gradient of a source on which the target does not depend.

        Raises:
            RuntimeError: in the second call on a nonpersistent tape.
        """
        unconnected = getattr(unconnected_gradients, "value", unconnected_gradients)
        if unconnected not in ("none", "zero"):
            raise ValueError(
                f"GradientTape: unconnected_gradients must be 'none' or 'zero'. Received: {unconnected_gradients!r}."
            )
        targets = [_as_array(each) for each in tree.flatten(target)]
        weights = _weights_of(target, output_gradients)
        pairs = [pair for pair in zip(targets, weights, strict=True) if _is_smooth(pair[0])]
        found = self._pulled(
            [target for target, _ in pairs], tree.flatten(sources), _gradient, [weight for _, weight in pairs]
        )
        if unconnected == "zero":
            arrays = [_as_array(source) for source in tree.flatten(sources)]
            found = [jnp.zeros_like(array) if one is None else one for one, array in zip(found, arrays, strict=True)]
        return tree.pack_sequence_as(sources, found)

    def jacobian(
        self, target: object, sources: object, unconnected_gradients: str = "none",
        parallel_iterations: int | None = None, experimental_use_pfor: bool = True,
    ) -> Nested:  # fmt: skip
        """The derivatives of each element of `target` with respect to each element of each source.

        Their shapes are the concatenation of the target's and the source's.
        """

        return tree.pack_sequence_as(sources, self._pulled([_as_array(target)], tree.flatten(sources), _jacobian))

    def batch_jacobian(
        self, target: object, source: object, unconnected_gradients: str = "none",
        parallel_iterations: int | None = None, experimental_use_pfor: bool = True,
    ) -> Nested:  # fmt: skip
        """The derivatives of each row of `target` with respect to the same row of `source`.

        Shapes: target (batch, *m), source (batch, *n), result (batch, *m, *n).
        """

        return self._pulled([_as_array(target)], [source], _batch_jacobian)[0]

    def _pulled(
        self, targets: list[Tensor], sources: list[Tensor], pull: AnyFunction, weights: list[Tensor] | None = None
    ) -> list[Tensor]:
        """The result of `pull(targets, back, weights)` for each source; None if no target depends on it.

        `back` maps a weight for each element of the targets to gradients.
        """
        self._check_use()
        self._hold([source for source in sources if isinstance(source, Variable)])
        self._part({id(source) for source in sources})
        values = {id(value): value for source in sources for value in self._values_of(source) if _is_smooth(value)}
        steps = self._between(set(values), {id(target) for target in targets})
        reached = set(values) | {id(output) for step in steps for output in step.outputs}
        needed = {id(value) for step in steps for value in step.inputs} | {id(target) for target in targets}
        starts = [value for at, value in values.items() if at in needed]
        if not starts or not any(id(target) in reached for target in targets):
            return [None] * len(sources)

        made = Program(steps, starts, targets).pulled(pull, starts, weights, compiled=_is_plain(_current()))
        found = dict(zip(map(id, starts), made, strict=True))
        gradients = [
            _summed([found[id(value)] for value in self._values_of(source) if id(value) in found]) for source in sources
        ]
        if not self._persistent:
            self._steps = []
        return gradients

    def _check_use(self) -> None:
        if self._spent and not self._persistent:
            raise RuntimeError(
                "GradientTape: gradient() was already called on this tape. Use GradientTape(persistent=True) to call "
                "it for more than one."
            )
        self._spent = True
        if not self._persistent:
            self._close()

    def _part(self, sources: set[int]) -> None:
        """Split steps that have a source among several outputs: others may depend on it inside the step."""
        steps: list[Step] = []
        for step in self._steps:
            wanted = step.parts is not None and len(step.outputs) > 1
            found = wanted and any(id(output) in sources for output in step.outputs)
            steps += _in_parts(step) if found else [step]
        self._steps = steps

    def _between(self, starts: set[int], ends: set[int]) -> list[Step]:
        """The steps between certain arrays and certain others that depend on anything watched."""
        roots = {at for at, (_, variable) in self._held.items() if self._is_watched(variable, at)} | set(self._watched)
        needed, found = set(ends), []
        for step in reversed(_after(starts, _after(roots, self._steps))):
            if any(id(output) in needed for output in step.outputs):
                found.append(step)
                needed.update(map(id, step.inputs))
        return found[::-1]


def _after(starts: set[int], steps: list[Step]) -> list[Step]:
    """The steps that depend on certain arrays."""
    reached, found = set(starts), []
    for step in steps:
        if any(id(value) in reached for value in step.inputs):
            found.append(step)
            reached.update(id(output) for output in step.outputs if _is_smooth(output))
    return found


def _in_parts(step: Step) -> list[Step]:
    """The smaller steps that a step consists of, ending in its own outputs."""
    with GradientTape() as tape:
        found = step.parts(*step.inputs) if step.parts else ()
    own: dict[int, Any] = {}
    copies = []
    for output, before in zip(found, step.outputs, strict=True):
        if id(output) in own or any(output is value for value in step.inputs):
            copies.append(Step(lambda value: (value,), (output,), (before,)))
        else:
            own[id(output)] = before
    steps = [*tape._steps, *copies]
    return [
        Step(
            each.run,
            tuple(own.get(id(value), value) for value in each.inputs),
            tuple(own.get(id(value), value) for value in each.outputs),
            each.parts,
            each.key,
        )
        for each in steps
    ]


def _gradient(outputs: list[Tensor], back: AnyFunction, weights: list[Tensor]) -> list[Tensor]:
    """The gradients of the weighted sum of all elements."""
    return back([_weights(output, weight) for output, weight in zip(outputs, weights, strict=True)])


def _jacobian(outputs: list[Tensor], back: AnyFunction, weights: None) -> list[Tensor]:
    """The gradients of each element, in the shape of the target and that of the source."""
    (output,) = outputs
    units = jnp.eye(output.size, dtype=output.dtype).reshape(-1, *output.shape)
    rows = jax.vmap(lambda unit: back([unit]))(units)
    return [row.reshape(*output.shape, *row.shape[1:]) for row in rows]


def _batch_jacobian(outputs: list[Tensor], back: AnyFunction, weights: None) -> list[Tensor]:
    """The gradients of each element with respect to the same row of the source."""
    (output,) = outputs
    one = output[0]
    units = jnp.eye(one.size, dtype=one.dtype).reshape(-1, *one.shape)
    (rows,) = jax.vmap(lambda unit: back([jnp.broadcast_to(unit, output.shape)]))(units)
    rows = jnp.moveaxis(rows, 0, 1)  # (batch, size of a row of the target, *n)
    return [rows.reshape(output.shape[0], *one.shape, *rows.shape[2:])]


def _weights_of(target: object, weights: object) -> list[Tensor]:
    """The weights of each tensor in a target, None for ones."""
    if weights is None:
        return [None] * len(tree.flatten(target))
    return tree.flatten(weights) if tree.is_nested(target) else [weights]


def _weights(output: jax.Array, weight: object) -> jax.Array:
    """The weights of a target's elements, equal by default."""
    if weight is None:
        return jnp.ones_like(output)
    return jnp.broadcast_to(jnp.asarray(weight, output.dtype), output.shape)


def _as_array(value: object) -> Tensor:
    return value.value if isinstance(value, Variable) else value


def _is_smooth(value: object) -> bool:
    """Whether a value has gradients."""
    return hasattr(value, "dtype") and jnp.issubdtype(value.dtype, jnp.inexact)


def _summed(values: list[Tensor]) -> Tensor:
    return sum(values[1:], values[0]) if values else None
