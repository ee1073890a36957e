"""The checks of `utils.check_model`, one module per kind of property.

A check is a function from a `Trial` to its findings; they run in the order of the table. Runs of the model are defined
in `running`, and the comparison of two runs in `comparing`.
"""

from collections.abc import Callable

from cornu.utils.model_checks import files, future, gradients, masks, modes, rows
from cornu.utils.model_checks.report import Finding
from cornu.utils.model_checks.trial import Trial

CHECKS: tuple[Callable[[Trial], list[Finding]], ...] = (
    rows.rows_in_inference, rows.rows_in_training, masks.masked_steps, future.the_future, modes.modes,
    modes.compiled_and_not, files.files, gradients.gradients,
)  # fmt: skip
