"""The layout of a program's values on a mesh, given that of its inputs, and the communication that it requires.

The rules are those by which XLA splits a computation: an operation works on the local parts of its inputs; a sum over a
split axis is partial on each device, and stays partial through linear operations, until the whole result (all-reduce)
or a part of it (reduce-scatter) is needed; if two inputs require the same mesh axis for different axes of the result,
the smaller one is gathered first (all-gather).

Xu et al., "GSPMD: General and Scalable Parallelization for ML Computation Graphs", 2021, https://arxiv.org/abs/2105.04663
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any, NamedTuple

from cornu.distribution.plan_program import Operation, Program, Value

Axes = tuple[str | None, ...]  # for each axis of an array, the mesh axis along which it is split


class Collective(NamedTuple):
    """A collective communication at one place of the program.

    Attributes:
        kind: "all-gather", "reduce-scatter" or "all-reduce".
        axis: the mesh axis along which the devices communicate.
        devices: number of devices that communicate with each other.
        bytes: size per device of its output or its input, whichever is larger.
        times: number of executions in a step; a fraction if several steps share one.
    """

    kind: str
    axis: str
    devices: int
    bytes: int
    times: float

    @property
    def moved(self) -> float:
        """Bytes that each device sends, and receives, in a ring."""
        rounds = 2 if self.kind == "all-reduce" else 1
        return self.times * rounds * self.bytes * (self.devices - 1) / self.devices


class Placed(NamedTuple):
    """The layout of a value.

    Attributes:
        axes: for each of its axes, the mesh axis along which it is split.
        partial: mesh axes along which the devices have partial sums.
    """

    axes: Axes
    partial: frozenset[str] = frozenset()


class Given(NamedTuple):
    """The constraints for the layout of a program.

    Attributes:
        sizes: number of devices by mesh axis.
        inputs: the layout of each input.
        outputs: the required layout of each output; None for any.
        weights: number of inputs, from the first, that are weights.
        gathered: mesh axis along which weights are sharded and gathered wherever they are used.
    """

    sizes: Mapping[str, int]
    inputs: Sequence[Axes]
    outputs: Sequence[Axes | None]
    weights: int = 0
    gathered: str = ""


def lay_out(program: Program, given: Given) -> "Laid":
    """The program on a mesh.

    Values without inputs, such as masks and random numbers, get the layout of the values they are combined with, which
    a first pass determines.
    """
    first = Laid(program, given, {})
    met: dict[Value, Axes] = {}
    for operation in reversed(program.operations):
        if (operation.name not in _RULES or operation.name == "scatter-add") and operation.outputs:
            made = operation.outputs[0]
            axes = met.get(made) or first.of(made).axes
            for value in operation.inputs:
                if any(axes) and value.shape == made.shape and not any(first.of(value).axes):
                    met[value] = axes
    return Laid(program, given, met)


class Laid:
    """A program on a mesh, as created by `lay_out`.

    Attributes:
        operations: the operations in order, including those that gather an input ("all_gather").
        collectives: the communication, in order.
        outputs: the outputs.
        summed: bytes of the outputs of which a device keeps only a part of the sum, before they are summed.
    """

    def __init__(self, program: Program, given: Given, met: Mapping[Value, Axes]):
        self._given, self._sizes, self._met = given, given.sizes, met
        self._placed = {value: Placed(axes) for value, axes in zip(program.inputs, given.inputs, strict=True)}
        self._small: dict[Value, Value] = {}  # the source of a broadcast value
        self._made_whole: dict[Value, Value] = {}  # for the current operation
        self._gathered: dict[tuple[Value, str, bool], Value] = {}
        self._at_rest = dict.fromkeys(program.inputs[: given.weights], 1)  # how often each is made; also what follows
        self._is_backward = False
        self._narrow: dict[Value, int] = {}  # item size of a partial sum before conversion
        self._uses = Counter(value for operation in program.operations for value in operation.inputs)
        self._uses.update(program.outputs)
        self.operations: list[Operation] = []
        self.collectives: list[Collective] = []
        self.summed: dict[Value, int] = {}
        for operation in program.operations:
            self._operation(operation)
            self._is_backward |= program.outputs[0] in operation.outputs  # the loss
        self.outputs = list(map(self._handed_out, program.outputs, given.outputs))

    def of(self, value: Value) -> Placed:
        """The layout of a value; replicated if unknown."""
        return self._placed.get(value) or Placed((None,) * len(value.shape))

    def bytes(self, value: Value) -> int:
        """Bytes of a value on one device."""
        return value.bytes // self.parts(self.of(value).axes)

    def parts(self, axes: Iterable[str | None]) -> int:
        """The number of parts into which a layout splits an array."""
        return math.prod(self._sizes[axis] for axis in axes if axis)

    # ---------------------------------------------------------------- one operation

    def _operation(self, operation: Operation) -> None:
        if not self._stays_partial(operation):
            for value in operation.inputs:
                self._sum(value, operation.times)
        self._made_whole.clear()
        if operation.inputs and self._at_rest.keys() >= set(operation.inputs):
            self._at_rest.update(dict.fromkeys(operation.outputs, operation.times))
        else:
            operation = self._with_weights_gathered(operation)
        placed = _RULES.get(operation.name, Laid._elementwise)(self, operation)
        inputs = tuple(map(self._newest, operation.inputs))
        self.operations.append(operation._replace(inputs=inputs))
        if placed.partial and operation.inputs:
            (value, *_), (made, *_) = operation.inputs, operation.outputs
            self._narrow[made] = min(made.itemsize, self._narrow.get(value, value.itemsize))
        for output in operation.outputs:
            self._placed[output] = self._fitting(output, placed)

    def _with_weights_gathered(self, operation: Operation) -> Operation:
        for value in dict.fromkeys(operation.inputs):
            if value in self._at_rest and self._given.gathered in self.of(value).axes:
                self._whole(value, self._given.gathered, operation.times)
        return operation._replace(inputs=tuple(map(self._newest, operation.inputs)))

    def _stays_partial(self, operation: Operation) -> bool:
        """Whether the operation can work on partial sums, and the full sums are not needed elsewhere."""
        found = [value for value in operation.inputs if self.of(value).partial]
        if not found:
            return True
        partials = [self.of(value).partial for value in operation.inputs]
        split = {axis for value in operation.inputs for axis in self.of(value).axes}
        if partials[0] & split or any(self._uses[value] > 1 for value in found):
            return False
        return operation.name in _LINEAR or (operation.name in ("mul", "div") and not any(partials[1:]))

    def _fitting(self, value: Value, placed: Placed) -> Placed:
        """A layout that matches the shape; that of the value it is combined with if it has none of its own."""
        axes = (*placed.axes, *[None] * len(value.shape))[: len(value.shape)]
        pairs = zip(axes, value.shape, strict=True)
        axes = tuple(None if axis is None or size % self._sizes[axis] else axis for axis, size in pairs)
        return Placed(axes if any(axes) or placed.partial else self._met.get(value, axes), placed.partial)

    def _newest(self, value: Value) -> Value:
        while value in self._made_whole:
            value = self._made_whole[value]
        return value

    def _communicate(self, kind: str, axis: str, size: int, times: int) -> None:
        if self._sizes[axis] > 1:
            self.collectives.append(Collective(kind, axis, self._sizes[axis], size, times))

    def _sent(self, value: Value) -> int:
        """Bytes of a partial sum as it is sent: in the dtype that it was computed in."""
        return self.bytes(value) // value.itemsize * self._narrow.get(value, value.itemsize)

    def _sum(self, value: Value, times: int) -> None:
        """Sum a value over the devices with partial sums."""
        axes, partial = self.of(value)
        for axis in sorted(partial):
            self._communicate("all-reduce", axis, self._sent(value), times)
        if partial:
            self._placed[value] = Placed(axes)

    def _whole(self, value: Value, axis: str, times: int) -> None:
        """Gather all parts of an input along a mesh axis for the current operation."""
        value = self._newest(value)
        is_weight = value in self._at_rest
        key = value, axis, is_weight and self._is_backward  # a weight is gathered again for its gradient, and not kept
        if made := self._gathered.get(key):
            self._made_whole[value] = made
            return
        times = self._at_rest.get(value, times)  # what a loop uses is gathered before it
        axes, partial = self.of(value)
        origin = self._small.get(value, value)
        made = self._gathered[key] = self._made_whole[value] = Value(value.shape, value.itemsize)
        self._placed[made] = Placed(tuple(None if name == axis else name for name in axes), partial)
        if axis in self.of(origin).axes:
            self._communicate("all-gather", axis, self.bytes(origin) * self._sizes[axis], times)
        self.operations.append(Operation("all_gather", {}, (value,), (made,), times))

    def _handed_out(self, value: Value, wanted: Axes | None) -> Value:
        """An output with its required layout."""
        axes, partial = self.of(value)
        if wanted is not None:
            for axis in sorted(partial & set(wanted)):  # each device needs only its part of the sum
                self._communicate("reduce-scatter", axis, self._sent(value), 1)
                self.summed[value] = self.bytes(value)
            self._placed[value] = Placed(axes, partial - set(wanted))
        self._sum(value, 1)
        if wanted is not None:
            self._made_whole.clear()
            for axis in [axis for axis in axes if axis and axis not in wanted]:
                self._whole(value, axis, 1)
            value = self._newest(value)
            self._placed[value] = Placed(wanted)
        return value

    # ---------------------------------------------------------------- rules

    def _joined(self, values: Sequence[Value], axes: Sequence[Sequence[str | None]], times: int) -> Axes:
        """The layout of a result, given the mesh axis along which each input would split each of its axes.

        If a mesh axis is required twice, the smaller input is gathered.
        """
        result: list[str | None] = [None] * max(map(len, axes), default=0)
        for i in sorted(range(len(values)), key=lambda i: -self.bytes(self._small.get(values[i], values[i]))):
            for position, axis in enumerate(axes[i]):
                if axis and result[position] is None and axis not in result:
                    result[position] = axis
                elif axis and result[position] != axis:
                    self._whole(values[i], axis, times)
        return tuple(result)

    def _elementwise(self, operation: Operation) -> Placed:
        """Elementwise operations; unknown operations are treated the same way."""
        shape = operation.outputs[0].shape if operation.outputs else ()
        alike = [value for value in operation.inputs if len(value.shape) == len(shape)]
        for value in operation.inputs:
            if value not in alike:
                self._all_whole(value, operation.times)
        partial = frozenset[str]().union(*(self.of(value).partial for value in operation.inputs))
        return Placed(self._joined(alike, [self.of(value).axes for value in alike], operation.times), partial)

    def _all_whole(self, value: Value, times: int) -> None:
        for axis in filter(None, self.of(value).axes):
            self._whole(value, axis, times)

    def _transpose(self, operation: Operation) -> Placed:
        axes, partial = self.of(operation.inputs[0])
        return Placed(tuple(axes[i] for i in operation.params["permutation"]), partial)

    def _broadcast(self, operation: Operation) -> Placed:
        (value, *_), (made,) = operation.inputs, operation.outputs
        axes, partial = self.of(value)
        result: list[str | None] = [None] * len(made.shape)
        for old, new in enumerate(operation.params["broadcast_dimensions"]):
            result[new] = axes[old] if value.shape[old] == made.shape[new] else None
        self._small[made] = self._small.get(value, value)
        return Placed(tuple(result), partial)

    def _reshape(self, operation: Operation) -> Placed:
        (value, *_), (made,) = operation.inputs, operation.outputs
        if value in self._small:
            self._small[made] = self._small[value]
        axes, partial = self.of(value)
        result: list[str | None] = [None] * len(made.shape)
        for old, new in _groups(value.shape, made.shape):
            split = [axes[i] for i in old if value.shape[i] > 1]
            targets = [i for i in new if made.shape[i] > 1]
            if split and split[0] and targets:
                if made.shape[targets[0]] % self._sizes[split[0]]:
                    self._whole(value, split[0], operation.times)
                else:
                    result[targets[0]] = split[0]
            for axis in filter(None, split[1:]):
                same = [i for i in targets[1:] if made.shape[i] == value.shape[axes.index(axis)]]
                if same and axis not in result:
                    result[same[-1]] = axis
                else:
                    self._whole(value, axis, operation.times)
        return Placed(tuple(result), partial)

    def _squeeze(self, operation: Operation) -> Placed:
        axes, partial = self.of(operation.inputs[0])
        gone = operation.params["dimensions"]
        return Placed(tuple(axis for i, axis in enumerate(axes) if i not in gone), partial)

    def _reduce(self, operation: Operation) -> Placed:
        value = operation.inputs[0]
        axes, partial = self.of(value)
        over = operation.params["axes"]
        found = frozenset(filter(None, (axes[i] for i in over)))
        kept = tuple(axis for i, axis in enumerate(axes) if i not in over)
        placed = Placed(kept, partial | found)
        if found and operation.name != "reduce_sum":  # such as a maximum, which is communicated like a sum
            for axis in sorted(found):
                size = operation.outputs[0].bytes // self.parts(kept)
                self._communicate("all-reduce", axis, size, operation.times)
            placed = Placed(kept, partial)
        return placed

    def _dot(self, operation: Operation) -> Placed:
        over, along = operation.params["dimension_numbers"]
        axes = [self.of(value).axes for value in operation.inputs]
        rest = [
            [one[i] for i in range(len(one)) if i not in over[k] and i not in along[k]] for k, one in enumerate(axes)
        ]
        of_left = [*(axes[0][i] for i in along[0]), *rest[0], *[None] * len(rest[1])]
        of_right = [*(axes[1][i] for i in along[1]), *[None] * len(rest[0]), *rest[1]]
        result = self._joined(operation.inputs, [of_left, of_right], operation.times)
        contracted = [(axes[0][i], axes[1][j]) for i, j in zip(*over, strict=True)]
        return Placed(result, self._contracted(operation, contracted, result))

    def _contracted(
        self, operation: Operation, contracted: Sequence[tuple[str | None, str | None]], result: Axes
    ) -> frozenset[str]:
        """The mesh axes along which a product's sums are partial; an input that prevents it is gathered."""
        partial: set[str] = set()
        for of_left, of_right in contracted:
            if of_right and of_left and of_left != of_right:
                self._whole(operation.inputs[1], of_right, operation.times)
                of_right = None
            for value, axis in zip(operation.inputs, (of_left, of_right), strict=False):
                if axis in result and axis:
                    self._whole(value, axis, operation.times)
                elif axis:
                    partial.add(axis)
        return frozenset(partial)

    def _convolution(self, operation: Operation) -> Placed:
        numbers = operation.params["dimension_numbers"]
        image, kernel = operation.inputs
        (batch, features, *_), (out, into, *_) = numbers.lhs_spec, numbers.rhs_spec
        grouped = operation.params["feature_group_count"] > 1 or operation.params["batch_group_count"] > 1
        for value, along in ((image, numbers.lhs_spec[2:]), (kernel, numbers.rhs_spec[2:])):
            for axis in [self.of(value).axes[i] for i in along]:
                if axis:
                    self._whole(value, axis, operation.times)
        of_image, of_kernel = self.of(image).axes, self.of(kernel).axes
        pair = self._joined([image, kernel], [[of_image[batch], None], [None, of_kernel[out]]], operation.times)
        result: list[str | None] = [None] * len(operation.outputs[0].shape)
        result[numbers.out_spec[0]], result[numbers.out_spec[1]] = pair
        contracted = [] if grouped else [(of_image[features], of_kernel[into])]
        return Placed(tuple(result), self._contracted(operation, contracted, pair))

    def _gather(self, operation: Operation) -> Placed:
        table, places = operation.inputs[:2]
        numbers, sizes = operation.params["dimension_numbers"], operation.params["slice_sizes"]
        gone = {*numbers.collapsed_slice_dims, *numbers.operand_batching_dims}
        windows = [i for i in range(len(table.shape)) if i not in gone]
        of_places = iter(self.of(places).axes)
        out, window = operation.outputs[0], iter(windows)
        axes: list[str | None] = []
        for i in range(len(out.shape)):
            if i in numbers.offset_dims:
                at = next(window)
                axes.append(self.of(table).axes[at] if sizes[at] == table.shape[at] else None)
            else:
                axes.append(next(of_places, None))
        from_table = [axis if i in numbers.offset_dims else None for i, axis in enumerate(axes)]
        from_places = [None if i in numbers.offset_dims else axis for i, axis in enumerate(axes)]
        joined = self._joined([places, table], [from_places, from_table], operation.times)
        found: set[str] = set()
        for i in numbers.collapsed_slice_dims:
            axis = self.of(table).axes[i]
            if axis and axis in joined:
                self._whole(table, axis, operation.times)
            elif axis:
                found.add(axis)  # each device looks up the rows that it has
        return Placed(joined, frozenset(found))

    def _scatter(self, operation: Operation) -> Placed:
        table, _, updates = operation.inputs[:3]
        numbers = operation.params["dimension_numbers"]
        gone = {*numbers.inserted_window_dims, *numbers.operand_batching_dims}
        windows = iter([i for i in range(len(table.shape)) if i not in gone])
        batches = dict(zip(numbers.scatter_indices_batching_dims, numbers.operand_batching_dims, strict=True))
        axes, partial, of_places = list(self.of(table).axes), set[str](), count()
        for i, axis in enumerate(self.of(updates).axes):
            at = next(windows) if i in numbers.update_window_dims else batches.get(next(of_places))
            if axis and at is None:
                partial.add(axis)
            elif axis and at is not None and updates.shape[i] == table.shape[at] and axis not in axes:
                axes[at] = axis
        for axis in sorted(partial.intersection(axes)):
            axes[axes.index(axis)] = None  # the table is usually zeros, which can have any layout
        return Placed(tuple(axes), frozenset(partial))

    def _same_sizes(self, operation: Operation) -> Placed:
        """Slicing, concatenation, shifting: axes keep their layout if they keep their size."""
        out = operation.outputs[0]
        values = [value for value in operation.inputs if len(value.shape) == len(out.shape) and value.shape]
        kept = [
            [axis if value.shape[i] == out.shape[i] else None for i, axis in enumerate(self.of(value).axes)]
            for value in values
        ]
        for value, axes in zip(values, kept, strict=True):
            for axis in [axis for axis in self.of(value).axes if axis and axis not in axes]:
                if operation.name == "slice" and out.bytes < value.bytes:  # only the slice is sent
                    self._communicate("all-gather", axis, out.bytes, operation.times)
                else:
                    self._whole(value, axis, operation.times)
        return Placed(self._joined(values, kept, operation.times))

    def _stack(self, operation: Operation) -> Placed:
        at = operation.params["axis"]
        axes = self._joined(operation.inputs, [self.of(value).axes for value in operation.inputs], operation.times)
        return Placed((*axes[:at], None, *axes[at:]))

    def _along(self, operation: Operation) -> Placed:
        """A cumulative sum, a sort: gathered along its own axis."""
        value = operation.inputs[0]
        at: int = operation.params.get("axis", operation.params.get("dimension", -1))
        axes = list(self.of(value).axes)
        if axes and axes[at]:
            self._whole(value, str(axes[at]), operation.times)
            axes[at] = None
        return Placed(tuple(axes))

    def _constraint(self, operation: Operation) -> Placed:
        value, sharding = operation.inputs[0], operation.params["sharding"]
        wanted = tuple(entry[0] if isinstance(entry, tuple) else entry for entry in sharding.spec)
        wanted = (*wanted, *[None] * len(value.shape))[: len(value.shape)]
        placed = self.of(value)
        for axis in sorted(placed.partial):
            kind = "reduce-scatter" if axis in wanted else "all-reduce"
            self._communicate(kind, axis, self._sent(value), operation.times)
        self._placed[value] = Placed(placed.axes)
        for now, then in zip(placed.axes, wanted, strict=True):
            if now and now != then:
                self._whole(value, now, operation.times)
        return Placed(wanted)

    def _shard(self, operation: Operation) -> Placed:
        """A device's part of an array that is split along its own axes in a certain way."""
        value, own = operation.inputs[0], operation.params["own"]
        for axis, wanted in zip(self.of(value).axes, operation.params["axes"], strict=True):
            if axis and axis in own and axis != wanted:
                self._whole(value, axis, operation.times)
        return Placed(tuple(None if axis in own else axis for axis in self.of(value).axes))

    def _unshard(self, operation: Operation) -> Placed:
        axes, partial = self.of(operation.inputs[0])
        return Placed(tuple(own or axis for own, axis in zip(operation.params["axes"], axes, strict=True)), partial)

    def _own_sum(self, operation: Operation) -> Placed:
        """The sum of what each device has computed of its own, until it is needed."""
        axes, partial = self.of(operation.inputs[0])
        return Placed(axes, partial | set(operation.params["axes"]))

    def _slice_of_scan(self, operation: Operation) -> Placed:
        value = operation.inputs[0]
        if axis := self.of(value).axes[0]:
            self._whole(value, axis, operation.times)
        return Placed(self.of(value).axes[1:])

    def _stack_of_scan(self, operation: Operation) -> Placed:
        return Placed((None, *self.of(operation.inputs[0]).axes))


def _groups(old: Sequence[int], new: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """The axes of one shape that form those of another: the smallest groups with equal products."""
    groups, i, j = [], 0, 0
    while i < len(old) or j < len(new):
        left, right = [i] if i < len(old) else [], [j] if j < len(new) else []
        i, j = i + len(left), j + len(right)
        while (a := math.prod(old[k] for k in left)) != (b := math.prod(new[k] for k in right)):
            if (a < b and i < len(old)) or j >= len(new):
                left.append(i)
                i += 1
            else:
                right.append(j)
                j += 1
        groups.append((left, right))
    return groups


_LINEAR = {"transpose", "reshape", "squeeze", "reduce_sum", "neg", "copy", "reduce_precision", "sharding_constraint",
           "convert_element_type", "shard", "unshard"}  # fmt: skip

_RULES: dict[str, Any] = {
    "transpose": Laid._transpose,
    "broadcast_in_dim": Laid._broadcast,
    "reshape": Laid._reshape,
    "squeeze": Laid._squeeze,
    "dot_general": Laid._dot,
    "conv_general_dilated": Laid._convolution,
    "gather": Laid._gather,
    "scatter-add": Laid._scatter,
    "scatter": Laid._scatter,
    "sharding_constraint": Laid._constraint,
    "stack": Laid._stack,
    "shard": Laid._shard,
    "unshard": Laid._unshard,
    "psum": Laid._own_sum,
    "scan_slice": Laid._slice_of_scan,
    "scan_stack": Laid._stack_of_scan,
    **dict.fromkeys(("reduce_sum", "reduce_max", "reduce_min", "reduce_and", "reduce_or", "argmax", "argmin",
                     "reduce_prod"), Laid._reduce),
    **dict.fromkeys(("slice", "pad", "concatenate", "dynamic_slice", "dynamic_update_slice", "rev"), Laid._same_sizes),
    **dict.fromkeys(("cumsum", "cumprod", "cummax", "cumlogsumexp", "sort"), Laid._along),
}  # fmt: skip
