"""Properties that every model should have, tested: independent rows, causality, masks, modes, files, gradients.

Each check runs the model twice with a change that should have no effect, such as different other rows in the batch, and
compares the results. The runs are pure functions of the variables' values (`functional`), so that the model is not
changed. If there is a difference, both runs are repeated while recording each call (`context.watch`): the layer at
fault is the first whose inputs are equal and whose outputs are not.
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
    """Test the properties that every model should have, and name the layer at fault if one is violated.

    - Rows of a batch do not influence each other, neither in inference nor in training. Layers that use the whole batch
    in training by design, such as `BatchNormalization`, are listed, and run in inference mode.
    - Masked steps (from `Embedding(mask_zero=True)` or `Masking`) do not influence the output.
    - The output of a causal model at a step does not depend on later steps.
    - Training and inference give the same results, except for layers that differ by design (such as `Dropout`).
    - The compiled model gives the same results as operation by operation, also the second time.
    - A saved and loaded model gives the same results.
    - Gradients of the output, and of losses added in calls, reach every trainable weight.

    The model is not changed: weights, metrics, seeds, compiled functions. A model that is not built is built for
    `data`.

    Args:
        model: the model; it need not be compiled.
        data: inputs as for `predict`, of which the first `batch_size` rows are used. None generates inputs: from a
            normal distribution; integers from the range of the `Embedding` that reads them, otherwise 0 and 1; sizes
            that are not fixed are 8, or the first that works.
        causal: whether the output at each step (axis 1) may only depend on earlier steps of the inputs: True, or the
            names of the inputs for which that holds. None checks whether a layer is declared causal (`use_causal_mask`,
            `padding="causal"`), and reports the result: it is only a fault if the model was declared causal.
        batch_size: number of rows, 2 or more. Defaults to 4.

    Returns:
        A report with `ok`, `faults`, `findings` and `raise_if_faulty()`, which is displayed as a table.

    Raises:
        ValueError: if there are no inputs to test: for a model that was not created from symbolic tensors, pass `data`.

    Example:

        centre = cornu.layers.Lambda(lambda x: x - x.mean(0))
        model = cornu.Sequential([cornu.Input((3,)), cornu.layers.Dense(2), centre])
        report = cornu.utils.check_model(model)
        print(report.ok, report.faults[0].layer)  # False sequential/lambda
    """
    if not isinstance(model, Model):
        raise TypeError(f"check_model: expected a model. Received: {validate.describe(model)}.")
    if validate.positive_int(batch_size, "batch_size", "check_model") < 2:
        raise ValueError(f"check_model: batch_size must be at least 2. Received: batch_size={batch_size}.")
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
