"""Cached computations of a model for one stage of its use (training, evaluation, prediction).

These are the compiled step, for one batch and for a span of several, the number of steps per call, and the signatures
of the batches that the model was prepared for. All of it is discarded when `compile` is called. The step is recompiled
when anything it depends on has changed (`compiled.Composition`), which need not be announced.
"""

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from cornu.core.typing import AnyFunction
from cornu.training.execution.compiled import Compiled, MadeByUser, composition
from cornu.training.execution.steps_per_call import StepsPerCall

if TYPE_CHECKING:
    from cornu.training.prepare import Prepared

STAGES = ("train", "test", "predict")


class Computations:
    """What is cached for one stage of a model.

    Attributes:
        stage: "train", "test" or "predict".
        prepared: by the signature of a batch, what is known about the model for such batches.
        made: the user's `train_function(state, batches)` or similar, if there is one.
    """

    def __init__(self, stage: str):
        self.stage = stage
        self.prepared: dict[tuple[Hashable, ...], Prepared] = {}
        self.made: AnyFunction | None = None
        self._compiled: dict[bool, Compiled] = {}
        self._steps_per_call: dict[tuple[Hashable, ...], StepsPerCall] = {}

    def compiled(self, model: object, several: bool = False) -> Compiled:
        """The step for one batch, or for a span of several, for the current state of the model."""
        if self.made is not None:
            return MadeByUser(model, self.stage, composition(model, self.stage), self.made)
        return self._by_cornu(model, several)

    def _by_cornu(self, model: object, several: bool = False) -> Compiled:
        made_of = composition(model, self.stage)
        known = self._compiled.get(several)
        if known is None or not known.made_of.is_same_as(made_of):
            known = self._compiled[several] = Compiled(model, self.stage, made_of, several)
        return known

    def function(self, model: object) -> AnyFunction | None:
        """`(state, batches) -> (result, state)`, as in Keras: the user's step, or cornu's if it was compiled."""
        if self.made is not None or not self._compiled:
            return self.made
        return lambda state, batches: self._by_cornu(model).on_state(state, next(batches))

    def make(self, model: object, force: bool) -> None:
        """Compile the step; if `force`, compile it again, without the user's function."""
        if force:
            self.forget()
        if self.made is None:
            self._by_cornu(model)

    def forget(self) -> None:
        """Recreate the step when it is next needed."""
        self._compiled.clear()
        self.made = None

    def steps_per_call(self, model: Any, watched: bool) -> StepsPerCall:
        """The number of steps per call: one if each is observed, the argument of `compile`, or the best one found."""
        if self.made is not None:
            return StepsPerCall(1, loops=False)
        steps = model.steps_per_execution
        fixed = None if steps == "auto" or (steps == 1 and not watched) else steps
        key = (fixed, model.jit_compile)
        if key not in self._steps_per_call:
            self._steps_per_call[key] = StepsPerCall(fixed, loops=model.jit_compile)
        return self._steps_per_call[key]

    def fresh(self) -> "Computations":
        """The same with an empty cache."""
        made = type(self)(self.stage)
        made.made = self.made
        return made

    def __reduce__(self) -> tuple[object, ...]:
        """A copy of the model computes its own."""
        return type(self), (self.stage,)
