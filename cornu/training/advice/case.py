"""The input of the checks."""

from typing import Any, NamedTuple

from cornu.core.typing import Batch, Logs, Nested, Tensor
from cornu.training.anatomy import Reader


class Output(NamedTuple):
    """One output that has a loss."""

    name: str
    where: str  # `output "price": ` in messages; "" for the only output
    loss: Any
    family: str | None  # of the loss
    labels: Tensor
    ending: str | None  # its final activation, if known
    units: int | None  # the size of its last axis


class Case(NamedTuple):
    """A model and its data: a first batch before training, all data in memory before `fit` and after an epoch."""

    model: Any
    data: Batch  # x, y, sample_weight
    outputs: list[Output] = []
    readers: list[Reader] = []  # the layers that read the inputs first, according to the model's calls
    held_out: Batch | None = None  # (x, y, sample_weight) of the validation data, if in memory
    was_split: bool = False  # whether these are the last rows, from `validation_split`
    batch_size: int | None = None
    shuffle: bool | str = True
    logs: Logs = {}
    epoch: int = 0

    @property
    def x(self) -> Any:
        """The inputs."""
        return self.data[0]

    @property
    def y(self) -> Nested:
        """The labels."""
        return self.data[1]

    @property
    def sample_weight(self) -> Nested:
        """The weights of the rows."""
        return self.data[2]


def name_of(loss: object) -> str:
    """The name of a loss."""
    return str(getattr(loss, "name", None) or getattr(loss, "__name__", type(loss).__name__))
