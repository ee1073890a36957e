"""Control flow: conditions, loops and maps that can be compiled, and control over gradients.

Functions passed in take and return tensors or nested structures of them. On concrete values a condition simply runs the
selected branch; inside a compiled function both branches become part of the program.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from cornu import tree
from cornu.core import border
from cornu.core.operation import Nested, Tensor, op
from cornu.core.typing import AnyFunction, AnyTuple


@op
def cond(pred: Tensor, true_fn: AnyFunction, false_fn: AnyFunction) -> Any:
    """`true_fn()` if `pred` is True, else `false_fn()`.

    Args:
        pred: a boolean scalar, concrete or computed.
        true_fn: function without arguments.
        false_fn: function without arguments that returns the same structure, shapes and dtypes.

    Example:

        x = cornu.ops.ones((2,))
        print(cornu.ops.cond(x[0] > 0, lambda: x + 1, lambda: x - 1))  # [2. 2.]
    """
    return lax.cond(jnp.asarray(pred, bool), true_fn, false_fn)


@op
def switch(index: Tensor, branches: list[AnyFunction], *operands: Nested) -> Any:
    """`branches[index](*operands)`, with `index` clamped to the existing branches.

    Args:
        index: an integer, which may be computed.
        branches: functions of the same arguments, with results of the same shape.
        *operands: the arguments.

    Example:

        print(cornu.ops.switch(1, [lambda x: x + 1, lambda x: x * 10], np.array(3.0)))  # 30.0
    """
    return lax.switch(index, branches, *operands)


@op
def while_loop(cond: AnyFunction, body: AnyFunction, loop_vars: Nested, maximum_iterations: int | None = None) -> Any:
    """Run `loop_vars = body(*loop_vars)` while `cond(*loop_vars)` is True.

    Args:
        cond: function of the loop variables that returns a boolean scalar.
        body: function of the loop variables that returns new ones with the same shapes and dtypes.
        loop_vars: a list or tuple of tensors, or a single tensor.
        maximum_iterations: maximum number of iterations, or None for no limit.

    Returns:
        The final loop variables: a tuple, or the single tensor.

    Example:

        print(cornu.ops.while_loop(lambda i: i < 10, lambda i: i + 3, 0))  # 12
    """

    def as_tuple(values: Nested) -> tuple[object, ...]:
        return tuple(values) if isinstance(values, (tuple, list)) else (values,)

    def proceed(state: AnyTuple) -> jax.Array:
        return (True if maximum_iterations is None else state[0] < maximum_iterations) & cond(*state[1])

    def advance(state: AnyTuple) -> AnyTuple:
        return state[0] + 1, as_tuple(body(*state[1]))

    _, result = lax.while_loop(proceed, advance, (jnp.int32(0), as_tuple(loop_vars)))
    return result if isinstance(loop_vars, (tuple, list)) else result[0]


@op
def fori_loop(lower: Tensor, upper: Tensor, body_fun: AnyFunction, init_val: Nested) -> Any:
    """Run `value = body_fun(i, value)` for `i` from `lower` up to, but not including, `upper`.

    Args:
        lower, upper: the first index, and the end of the range, which is not included.
        body_fun: function `(i, value) -> value`, which keeps shapes and dtypes.
        init_val: initial value: a tensor or a nested structure.

    Example:

        print(cornu.ops.fori_loop(0, 4, lambda i, total: total + i, 0))  # 6
    """
    return lax.fori_loop(lower, upper, body_fun, init_val)


@op
def scan(
    f: AnyFunction, init: Nested, xs: Nested = None, length: int | None = None, reverse: bool = False, unroll: Any = 1
) -> tuple[jax.Array, ...]:
    """Run `carry, y = f(carry, x)` along the first axis of `xs`; return the final carry and all `y`, stacked.

    Args:
        f: function of `(carry, x)` that returns the pair `(carry, y)`.
        init: the initial carry.
        xs: the tensors to iterate over, or None to iterate `length` times.
        length: number of iterations; required without `xs`.
        reverse: whether to iterate from the end to the start. Defaults to False.
        unroll: number of iterations to unroll within one iteration of the compiled loop; True for all. Defaults to 1.

    Example:

        total, running = cornu.ops.scan(lambda c, x: (c + x, c + x), 0, np.array([1, 2, 3]))
        print(total, running)  # 6 [1 3 6]
    """
    if not callable(f):
        raise TypeError(f"scan: f must be a function. Received: f={f!r}.")
    return lax.scan(f, init, xs, length=length, reverse=reverse, unroll=unroll)


@op
def associative_scan(f: AnyFunction, elems: Nested, reverse: bool = False, axis: int = 0) -> Any:
    """Cumulative combination along `axis` with an associative binary function, in parallel.

    Args:
        f: associative function of two tensors (or structures).
        elems: a tensor, or a nested structure of tensors with the same size along `axis`.
        reverse: whether to start at the end. Defaults to False.
        axis: the axis to scan along. Defaults to 0.

    Example:

        print(cornu.ops.associative_scan(lambda a, b: a + b, np.array([1, 2, 3])))  # [1 3 6]
    """
    return lax.associative_scan(f, elems, reverse=reverse, axis=axis)


@op
def map(f: AnyFunction, xs: Nested) -> Any:
    """`f` applied to each element along the first axis of `xs`, sequentially, stacked.

    Args:
        f: function of a slice along the first axis.
        xs: a tensor, or a nested structure of tensors with the same first size.

    Example:

        print(cornu.ops.map(lambda x: x * x, np.array([1, 2, 3])))  # [1 4 9]
    """
    return lax.map(f, xs)


@op
def vectorized_map(function: AnyFunction, elements: Nested) -> Any:
    """`function` applied to each element along the first axis of `elements`, in parallel.

    Args:
        function: function of a slice along the first axis.
        elements: a tensor, or a nested structure of tensors with the same first size.

    Example:

        print(cornu.ops.vectorized_map(lambda x: x.sum(), np.ones((3, 4))))  # [4. 4. 4.]
    """
    return jax.vmap(function)(elements)


def vectorize(pyfunc: AnyFunction, excluded: Any = None, signature: str | None = None) -> AnyFunction:
    """A function of scalars (or of small tensors, see `signature`) vectorized to broadcast over whole tensors.

    Args:
        pyfunc: the function, written with `cornu.ops`.
        excluded: positions of arguments that are passed unchanged. None by default.
        signature: the core axes, as in NumPy: `"(n),(n)->()"` maps two vectors to a scalar. None by default.

    Example:

        larger = cornu.ops.vectorize(lambda a, b: cornu.ops.maximum(a, b))
        print(larger(np.array([1, 5]), np.array([3, 3])))  # [3 5]
    """
    if not callable(pyfunc):
        raise ValueError(f"vectorize: pyfunc must be a function. Received: pyfunc={pyfunc!r}.")
    run = jnp.vectorize(pyfunc, excluded=frozenset(excluded or ()), signature=signature)

    @op
    def vectorized(*arguments: Tensor) -> Tensor:
        return run(*arguments)

    return vectorized


@op
def stop_gradient(variable: Tensor) -> jax.Array:
    """The same value, through which no gradient flows.

    Args:
        variable: a tensor or variable.

    Example:

        import jax
        print(jax.grad(lambda x: x * cornu.ops.stop_gradient(x))(3.0))  # 3.0
    """
    return lax.stop_gradient(variable)


def custom_gradient(f: AnyFunction) -> AnyFunction:
    """A function with a custom gradient.

    Args:
        f: function that returns the pair (value, `grad`), where `grad` maps the gradient with respect to the value to
            the gradient with respect to each argument.

    Example:

        @cornu.ops.custom_gradient
        def halved(x):
            return x, lambda upstream: upstream * 0.5
        print(halved(cornu.ops.ones(())))  # 1.0
    """
    run = jax.custom_gradient(f)

    @functools.wraps(f)
    def differentiable(*args: object, **kwargs: object) -> Nested:
        args, kwargs = tree.map_structure(lambda x: border.to_tensor(x) if border.is_array(x) else x, (args, kwargs))
        return run(*args, **kwargs)

    return differentiable
