"""What is traced runs on NumPy, equation by equation: compiling it took most of the time of a program.

A function is traced as for the compiler, so that all of it is seen but what XLA makes of it.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
from jax._src import pjit
from jax._src.core import ClosedJaxpr, Literal

from tests.differential.on_numpy import ON_NUMPY, putter


def evaluate(traced: Any, taken: Sequence, consts: Sequence = ()) -> list:
    """The results of a traced function."""
    if isinstance(traced, ClosedJaxpr):
        traced, consts = traced.jaxpr, traced.consts
    values = dict(zip([*traced.constvars, *traced.invars], [*consts, *taken], strict=True))

    def read(variable: Any) -> Any:
        if isinstance(variable, Literal):
            return np.asarray(variable.val, variable.aval.dtype)
        return values[variable]

    for equation in traced.eqns:
        values.update(zip(equation.outvars, _results(equation, [*map(read, equation.invars)]), strict=True))
    return [*map(read, traced.outvars)]


def _results(equation: Any, taken: list) -> Sequence:
    primitive, parameters = equation.primitive, equation.params
    if primitive.name in _INSIDE:
        return _INSIDE[primitive.name](taken, **parameters)
    avals = [v.aval for v in equation.outvars]
    if primitive in ON_NUMPY and all(map(_is_plain, [*avals, *(v.aval for v in equation.invars)])):
        found = ON_NUMPY[primitive](*map(np.asarray, taken), **parameters)
        if found is not NotImplemented:
            found = found if primitive.multiple_results else [found]
            return [
                np.asarray(v).astype(a.dtype, copy=False).reshape(a.shape) for v, a in zip(found, avals, strict=True)
            ]
    with _compiling():
        found = primitive.bind(*map(jnp.asarray, taken), **primitive.get_bind_params(parameters))
    return found if primitive.multiple_results else [found]


def _is_plain(aval: Any) -> bool:
    return not jax.dtypes.issubdtype(getattr(aval, "dtype", jax.dtypes.extended), jax.dtypes.extended)


def _scan(taken: list, *, jaxpr: Any, length: int, reverse: bool, num_consts: int, num_carry: int, **_: Any) -> list:
    fixed, carry, rows = taken[:num_consts], taken[num_consts : num_consts + num_carry], taken[num_consts + num_carry :]
    made: list = [None] * length
    for i in range(length)[:: -1 if reverse else 1]:
        found = evaluate(jaxpr, [*fixed, *carry, *(row[i] for row in rows)])
        carry, made[i] = found[:num_carry], [*map(np.asarray, found[num_carry:])]
    if not length:
        return [*carry, *(np.zeros((0, *a.shape), a.dtype) for a in jaxpr.out_avals[num_carry:])]
    return [*carry, *map(np.stack, zip(*made, strict=True))]


def _while(taken: list, *, cond_jaxpr: Any, body_jaxpr: Any, cond_nconsts: int, body_nconsts: int, **_: Any) -> list:
    asked, fixed = taken[:cond_nconsts], taken[cond_nconsts : cond_nconsts + body_nconsts]
    values = taken[cond_nconsts + body_nconsts :]
    while evaluate(cond_jaxpr, [*asked, *values])[0]:
        values = evaluate(body_jaxpr, [*fixed, *values])
    return values


def _cond(taken: list, *, branches: Sequence, **_: Any) -> list:
    return evaluate(branches[min(max(int(taken[0]), 0), len(branches) - 1)], taken[1:])


def _of(name: str) -> Callable:
    return lambda taken, **parameters: evaluate(parameters[name], taken)


_INSIDE: dict[str, Callable] = {
    "scan": _scan, "while": _while, "cond": _cond, "jit": _of("jaxpr"), "pjit": _of("jaxpr"),
    "checkpoint": _of("jaxpr"), "remat2": _of("jaxpr"), "closed_call": _of("call_jaxpr"),
    "custom_jvp_call": _of("call_jaxpr"), "custom_vjp_call": _of("call_jaxpr"),
}  # fmt: skip
_compile = pjit._pjit_call_impl_python


def _compiling() -> contextlib.AbstractContextManager:
    return mock.patch.object(pjit, "_pjit_call_impl_python", _compile)


@contextlib.contextmanager
def interpreted() -> Iterator[None]:
    """Evaluate what `jax.jit` would compile."""
    put = putter()

    def run(*args: Any, jaxpr: ClosedJaxpr, **others: Any) -> tuple:
        if len(jaxpr.eqns) == 1 and jaxpr.eqns[0].primitive.name not in _INSIDE:  # one primitive: compiled once for all
            return _compile(*args, jaxpr=jaxpr, **others)
        found = evaluate(jaxpr, args)
        made = [v if isinstance(v, jax.Array) else put(v, a) for v, a in zip(found, jaxpr.out_avals, strict=True)]
        return made, None, None, []

    with mock.patch.object(pjit, "_pjit_call_impl_python", run):
        yield
