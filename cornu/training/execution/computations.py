"""What a model keeps of one stage of its use (training, evaluation, prediction), so that it is worked out once.

That is the compiled step, for one batch and for a span of several, how many steps a call takes, and the signatures of
the batches that the model was made ready for. All of it goes when `compile` is called. The step is compiled anew when
what it has built in has changed (`compiled.Composition`), for which nothing needs to announce a change.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cornu.training.execution.compiled import Compiled, MadeByUser, composition
from cornu.training.execution.steps_per_call import StepsPerCall

if TYPE_CHECKING:
    from cornu.training.prepare import Prepared

STAGES = ("train", "test", "predict")


class Computations:
    """What is known of one stage of a model.

    Attributes:
        stage: "train", "test" or "predict".
        prepared: by the signature of a batch, what is known of the model for such batches.
        made: the user's `train_function(state, batches)` and its like, where there is one.
    """

    def __init__(self, stage: str):
        self.stage = stage
        self.prepared: dict[tuple, Prepared] = {}
        self.made: Callable | None = None
        self._compiled: dict[bool, Compiled] = {}
        self._steps_per_call: dict[tuple, StepsPerCall] = {}

    def compiled(self, model: object, several: bool = False) -> Compiled:
        """The step for one batch, or for a span of several, of the model as it is now."""
        if self.made is not None:
            return MadeByUser(model, self.stage, composition(model, self.stage), self.made)
        return self._by_cornu(model, several)

    def _by_cornu(self, model: object, several: bool = False) -> Compiled:
        made_of = composition(model, self.stage)
        known = self._compiled.get(several)
        if known is None or not known.made_of.is_same_as(made_of):
            known = self._compiled[several] = Compiled(model, self.stage, made_of, several)
        return known

    def function(self, model: object) -> Callable | None:
        """`(state, batches) -> (result, state)`, as Keras has it: the user's step, or cornu's if it was compiled."""
        if self.made is not None or not self._compiled:
            return self.made
        return lambda state, batches: self._by_cornu(model).on_state(state, next(batches))

    def make(self, model: object, force: bool) -> None:
        """Compile the step; anew, and without the user's function, if it is forced."""
        if force:
            self.forget()
        if self.made is None:
            self._by_cornu(model)

    def forget(self) -> None:
        """Make the step anew when it is needed next."""
        self._compiled.clear()
        self.made = None

    def steps_per_call(self, model: Any, watched: bool) -> StepsPerCall:
        """How many steps a call takes: one where each is looked at, what `compile` was told, or what is found best."""
        if self.made is not None:
            return StepsPerCall(1, loops=False)
        steps = model.steps_per_execution
        fixed = None if steps == "auto" or (steps == 1 and not watched) else steps
        key = (fixed, model.jit_compile)
        if key not in self._steps_per_call:
            self._steps_per_call[key] = StepsPerCall(fixed, loops=model.jit_compile)
        return self._steps_per_call[key]

    def fresh(self) -> "Computations":
        """The same with nothing worked out yet."""
        made = type(self)(self.stage)
        made.made = self.made
        return made

    def __reduce__(self) -> tuple:
        """A copy of the model works its own out."""
        return type(self), (self.stage,)
