"""What `utils.check_model` tries out, one module for each kind of thing that must hold.

A check is a function from a `Trial` to what it found; they run in the order of the table. What a run of the model is
stands in `running`, and when two of them count as the same in `comparing`.
"""

from collections.abc import Callable

from cornu.utils.model_checks import files, future, gradients, masks, modes, rows
from cornu.utils.model_checks.report import Finding
from cornu.utils.model_checks.trial import Trial

CHECKS: tuple[Callable[[Trial], list[Finding]], ...] = (
    rows.rows_in_inference, rows.rows_in_training, masks.masked_steps, future.the_future, modes.modes,
    modes.compiled_and_not, files.files, gradients.gradients,
)  # fmt: skip
