"""Estimates of a program's peak memory, memory traffic and computation on one device.

XLA fuses elementwise operations into surrounding ones, so most of their results are never stored. A result is assumed
to be stored if a product, a convolution, a sort or the like produces or reads it, if it is an output, and if it is used
more than once and is either expensive to compute (`exp`, `tanh`) or smaller than its inputs. Values that are not stored
are recomputed from stored ones, which stay alive until then. A different view of the same data, such as a transpose, is
not a separate result.
"""

import math
from collections import Counter
from collections.abc import Iterable
from itertools import accumulate
from typing import NamedTuple

from cornu.distribution.plan_layouts import Laid
from cornu.distribution.plan_program import Operation, Value

_STORING = {
    "dot_general", "conv_general_dilated", "gather", "scatter-add", "scatter", "sort", "all_gather", "scan_stack",
    "cumsum", "cumprod", "cummax", "cumlogsumexp", "select_and_scatter_add", "reduce_window_max", "reduce_window_sum",
    "triangular_solve", "cholesky", "fft",
}  # fmt: skip
_DEAR = {
    "exp", "exp2", "log", "log1p", "tanh", "logistic", "erf", "erfc", "erf_inv", "rsqrt", "sqrt", "div", "pow", "sin",
    "cos", "expm1", "threefry2x32", "random_bits", "reduce_sum", "reduce_max", "reduce_min", "argmax", "argmin",
}  # fmt: skip
_VIEWS = {"reshape", "squeeze", "transpose", "copy", "stop_gradient", "sharding_constraint", "shard", "unshard", "psum"}


class Use(NamedTuple):
    """The resources that a program needs on one device.

    Attributes:
        inner: peak memory in bytes, without inputs and outputs.
        peak: the same including outputs, from when they are computed.
        through: bytes read and written.
        flops: multiplications and additions of products and convolutions.
    """

    inner: int
    peak: int
    through: int
    flops: int


def use(laid: Laid) -> Use:
    """The resources that a laid-out program needs."""
    out, used = set(laid.outputs), Counter(value for operation in laid.operations for value in operation.inputs)
    stored = _stored(laid, used)
    sources: dict[
        Value, dict[Value, None]
    ] = {}  # for each value, the stored values from which it is computed, in order
    spans: dict[Value, tuple[int, int]] = {}
    through = 0
    for moment, operation in enumerate(laid.operations):
        read = dict.fromkeys(source for value in operation.inputs for source in sources.get(value, (value,)))
        if operation.name not in _VIEWS:
            size = sum(laid.bytes(value) for value in read if value in spans)
            stored.update(value for value in operation.outputs if used[value] > 1 and laid.bytes(value) < size)
        made = [value for value in operation.outputs if value in stored]
        sources.update((value, {value: None} if value in stored else read) for value in operation.outputs)
        if made:
            replaced = _replaced(laid, operation, made, read) if made[0] not in out else None
            spans.update((value, (spans[value][0], moment - (value is replaced))) for value in read if value in spans)
            spans.update((value, (moment, moment)) for value in made)
            through += operation.times * sum(map(laid.bytes, {*made, *read}))
    inner = [(*span, laid.bytes(value)) for value, span in spans.items() if value not in out]
    inner += [(spans[value][0], spans[value][0], size) for value, size in laid.summed.items() if value in spans]
    end = len(laid.operations)
    whole = [*inner, *((spans[value][0], end, laid.bytes(value)) for value in out & spans.keys())]
    flops = sum(_flops(laid, operation) for operation in laid.operations)
    return Use(_peak(inner), _peak(whole), through, flops)


def _replaced(laid: Laid, operation: Operation, made: Iterable[Value], read: Iterable[Value]) -> Value | None:
    """The value whose memory the result reuses, if it is not read later: one of the same size."""
    if operation.name in _STORING - {"scatter-add", "scatter"}:
        return None
    return next((old for new in made for old in read if laid.bytes(old) == laid.bytes(new)), None)


def _stored(laid: Laid, used: Counter[Value]) -> set[Value]:
    """The results that are always stored."""
    viewed = {operation.outputs[0]: operation.inputs[0] for operation in laid.operations if operation.name in _VIEWS}
    stored = set(laid.outputs)
    for operation in laid.operations:
        if operation.name in _STORING:
            stored.update((*operation.inputs, *operation.outputs))
        elif operation.name in _DEAR:
            stored.update(value for value in operation.outputs if used[value] > 1)
    for view in reversed(viewed):
        if view in stored:
            stored.add(viewed[view])
    return stored - viewed.keys() | (stored & set(laid.outputs))


def _peak(spans: list[tuple[int, int, int]]) -> int:
    """The maximum sum of bytes at any time, given the lifetimes of the values."""
    changes: Counter[int] = Counter()
    for start, end, size in spans:
        changes[start] += size
        changes[end + 1] -= size
    return max(accumulate(changes[moment] for moment in sorted(changes)), default=0)


def _flops(laid: Laid, operation: Operation) -> int:
    """Multiplications and additions of a product or a convolution on one device."""
    if operation.name not in ("dot_general", "conv_general_dilated"):
        return 0
    (left, right), (out, *_) = operation.inputs[:2], operation.outputs
    numbers = operation.params["dimension_numbers"]
    if operation.name == "dot_general":
        over = numbers[0]
        terms = math.prod(left.shape[i] for i in over[0])
    else:
        over = [numbers.lhs_spec[1]], [numbers.rhs_spec[1]]
        terms = right.bytes // right.itemsize // right.shape[numbers.rhs_spec[0]]
    split = {laid.of(value).axes[i] for value, axes in zip((left, right), over, strict=True) for i in axes}
    return operation.times * 2 * (laid.bytes(out) // out.itemsize) * terms // laid.parts(split)
