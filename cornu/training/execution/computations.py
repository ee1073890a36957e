"""What a model keeps of one stage of its use (training, evaluation, prediction), so that it is worked out once.

That is the compiled step, for one batch and for a span of several, how many steps a call takes, and the signatures of
the batches that the model was made ready for. All of it goes when `compile` is called. The step is compiled anew when
what it has built in has changed (`compiled.Composition`), for which nothing needs to announce a change.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cornu.training.execution.compiled import Compiled, composition
from cornu.training.execution.steps_per_call import StepsPerCall

if TYPE_CHECKING:
    from cornu.training.prepare import Prepared

STAGES = ("train", "test", "predict")


class Computations:
    """What is known of one stage of a model.

    Attributes:
        stage: "train", "test" or "predict".
        prepared: by the signature of a batch, what is known of the model for such batches.
    """

    def __init__(self, stage: str):
        self.stage = stage
        self.prepared: dict[tuple, Prepared] = {}
        self._compiled: dict[bool, Compiled] = {}
        self._steps_per_call: dict[tuple, StepsPerCall] = {}

    def compiled(self, model: object, several: bool = False) -> Compiled:
        """The compiled step for one batch, or for a span of several, of the model as it is now."""
        made_of = composition(model, self.stage)
        known = self._compiled.get(several)
        if known is None or not known.made_of.is_same_as(made_of):
            known = self._compiled[several] = Compiled(model, self.stage, made_of, several)
        return known

    @property
    def function(self) -> Callable | None:
        """The step as a function, if it was compiled."""
        known = self._compiled.get(False) or self._compiled.get(True)
        return known and known.function

    def forget(self) -> None:
        """Compile the step anew when it is needed next."""
        self._compiled.clear()

    def steps_per_call(self, model: Any, watched: bool) -> StepsPerCall:
        """How many steps a call takes: one where each is looked at, what `compile` was told, or what is found best."""
        steps = model.steps_per_execution
        fixed = None if steps == "auto" or (steps == 1 and not watched) else steps
        key = (fixed, model.jit_compile)
        if key not in self._steps_per_call:
            self._steps_per_call[key] = StepsPerCall(fixed, loops=model.jit_compile)
        return self._steps_per_call[key]

    def __reduce__(self) -> tuple:
        """A copy of the model works its own out."""
        return type(self), (self.stage,)
