"""What must hold of any model, tried out: rows by themselves, no look ahead, masks, modes, files, gradients.

Each check runs the model twice where something may not make a difference, such as the other rows of the batch, and
compares. The runs are pure functions of the variables' values (`functional`), so that nothing of the model changes.
Where there is a difference, both runs are done again with note taken of each call (`context.watch`): the layer at fault
is the first whose inputs are the same and whose outputs are not.
"""

from collections.abc import Sequence

from cornu import validate
from cornu.core import context
from cornu.core.tracebacks import filtered
from cornu.core.typing import Data
from cornu.core.variable import give_values, values_of
from cornu.models.model import Model
from cornu.random.seed_generator import global_seed_generator
from cornu.utils.model_checks import CHECKS
from cornu.utils.model_checks.inputs import inputs_for
from cornu.utils.model_checks.report import ModelReport
from cornu.utils.model_checks.trial import Trial


@filtered
def check_model(
    model: object, data: Data = None, causal: bool | str | Sequence[str] | None = None, batch_size: int = 4
) -> ModelReport:
    """Try out what must hold of a model, and name the layer at fault where it does not.

    - Rows of a batch do not influence each other, neither in inference nor in training. Layers that look at the whole
      batch in training by their nature, such as `BatchNormalization`, are named, and are run as in inference.
    - What is masked (the steps that `Embedding(mask_zero=True)` and `Masking` leave out) does not influence the output.
    - A causal model's output at a step depends on no later step.
    - Training and inference give the same, but for layers that differ by their nature (`Dropout` and its like).
    - The compiled model gives what it gives operation by operation, also the second time.
    - A saved and loaded model gives the same.
    - Gradients of the output, and of losses added in calls, reach every trainable weight.

    The model stays as it is: weights, metrics, seeds, what was compiled. One that is not built is built for `data`.

    Args:
        model: the model; it needs no `compile`.
        data: inputs as for `predict`, of which the first `batch_size` rows are used. None draws numbers for the model's
            inputs: from a normal distribution; integers from what the `Embedding` that reads them knows, else 0 and 1;
            sizes that are not fixed are 8, or the first that works.
        causal: whether the output at each step (axis 1) may depend on earlier steps of the inputs alone: True, or the
            names of the inputs for which that holds. None looks, where a layer is said to be causal (`use_causal_mask`,
            `padding="causal"`), and notes what it finds: not a fault unless the model was said to be causal.
        batch_size: number of rows, 2 or more.

    Returns:
        A report with `ok`, `faults`, `findings` and `raise_if_faulty()`, which is shown as a table.

    Raises:
        ValueError: when there are no inputs to try: for a model that was not made from symbolic tensors, give `data`.

    Example:

        centre = cornu.layers.Lambda(lambda x: x - x.mean(0))
        model = cornu.Sequential([cornu.Input((3,)), cornu.layers.Dense(2), centre])
        report = cornu.utils.check_model(model)
        print(report.ok, report.faults[0].layer)  # False sequential/lambda
    """
    if not isinstance(model, Model):
        raise TypeError(f"check_model: expected a model. Received: {validate.describe(model)}.")
    if validate.positive_int(batch_size, "batch_size", "check_model") < 2:
        raise ValueError(f"check_model: batch_size must be 2 or more. Received: batch_size={batch_size}.")
    if not (causal is None or isinstance(causal, (bool, str)) or _are_names(causal)):
        raise ValueError(
            "check_model: causal must be True, False, None or names of inputs; labels are not needed. Received: "
            f"causal={validate.describe(causal)}."
        )
    seeds = global_seed_generator().variables
    before = values_of(seeds)
    try:
        with context.uids_kept():
            trial = Trial(model, inputs_for(model, data, batch_size), causal)
            for check in CHECKS:
                trial.findings += check(trial)
            return ModelReport(validate.describe(model), trial.findings)
    finally:
        give_values(seeds, before)


def _are_names(value: object) -> bool:
    return isinstance(value, (list, tuple, set)) and all(isinstance(name, str) for name in value)
