"""What a tape recorded, as a program that can run again on other values, and is compiled if it recurs.

A training loop without `tf.function` records the same operations in every iteration. The program has slots for values
instead of the values, so that equal iterations compare equal, and from the third on one compiled function computes the
gradient.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import jax

from cornu.core.typing import AnyFunction, Tensor
from cornu.kernels import xla

MOST_KNOWN = 64  # programs remembered
_ROUNDS = 2  # times that a program runs operation by operation before it is compiled


@dataclass(frozen=True, slots=True)
class Step:
    """An operation that ran: `run(*inputs)` gave `outputs`.

    `parts` is the same as a function of smaller ones; `key` is equal for equal operations, None where that is unknown.
    """

    run: AnyFunction
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    parts: AnyFunction | None = None
    key: Hashable = None


class Program:
    """Steps as a function of arrays.

    Args:
        steps: the steps, in order.
        starts: the arrays whose values may be others; those that the steps compute themselves get the change.
        targets: the arrays that it computes.
    """

    def __init__(self, steps: Sequence[Step], starts: Sequence[Tensor], targets: Sequence[Tensor]):
        places = {id(start): at for at, start in enumerate(starts)}
        self.constants: list[Tensor] = []
        self._constant_places: list[int] = []

        def place(value: object) -> int:
            if id(value) not in places:
                places[id(value)] = len(places)
                self.constants.append(value)
                self._constant_places.append(places[id(value)])
            return places[id(value)]

        self._lines: list[tuple[AnyFunction, tuple[int, ...], tuple[int, ...]]] = []
        for step in steps:
            inputs = tuple(map(place, step.inputs))
            outputs = tuple(places.setdefault(id(output), len(places)) for output in step.outputs)
            self._lines.append((step.run, inputs, outputs))
        self._targets = tuple(map(place, targets))
        self._size = len(places)
        self.key = (
            tuple(step.key for step in steps), tuple(line[1:] for line in self._lines), self._targets, len(starts),
        )  # fmt: skip
        self.is_comparable = all(step.key is not None for step in steps) and _has_hash(self.key)

    def run(self, starts: Sequence[Tensor], constants: Sequence[Tensor]) -> list[Tensor]:
        """The targets."""
        known: list[Tensor] = [None] * self._size
        known[: len(starts)] = starts
        for place, value in zip(self._constant_places, constants, strict=True):
            known[place] = value
        for run, inputs, places in self._lines:
            for place, output in zip(places, run(*(known[at] for at in inputs)), strict=True):
                change = known[place]
                known[place] = output if change is None else output + (change - jax.lax.stop_gradient(change))
        return [known[place] for place in self._targets]

    def pulled(self, pull: AnyFunction, starts: list[Tensor], weights: object, compiled: bool) -> list[Tensor]:
        """What `pull(targets, back, weights)` gives, where `back` takes weights of the targets to gradients.

        Args:
            pull: the function.
            starts: the values of the starts.
            weights: the third argument of the function.
            compiled: whether it may be compiled.
        """

        def compute(starts: list[Tensor], constants: list[Tensor], weights: object) -> list[Tensor]:
            outputs, back = jax.vjp(lambda given: self.run(given, constants), starts)
            return pull(outputs, lambda cotangents: back(cotangents)[0], weights)

        if not compiled or not self.is_comparable:
            return compute(starts, self.constants, weights)
        return _known(self.key, pull, compute)(starts, self.constants, weights)


_rounds: dict[Hashable, int] = {}
_compiled: dict[Hashable, AnyFunction] = {}


def _known(key: Hashable, pull: AnyFunction, compute: AnyFunction) -> AnyFunction:
    """`compute`, compiled if it was requested before."""
    whole = key, pull
    if whole in _compiled:
        return _compiled[whole]
    _rounds[whole] = _rounds.get(whole, 0) + 1
    for table in (_rounds, _compiled):
        if len(table) > MOST_KNOWN:
            table.clear()
    if _rounds.get(whole, 0) <= _ROUNDS:
        return compute
    _compiled[whole] = jax.jit(compute, compiler_options=xla.compiler_options() or None)
    return _compiled[whole]


def _has_hash(key: object) -> bool:
    try:
        hash(key)
    except TypeError:
        return False
    return True
