"""Data where several processes train one model: which rows each of them reads.

Arrays are given whole to each, which reads its own rows of every batch. A `PyDataset` that has `shard(count, index)` is
asked for the part of each batch that is this process's. Whatever else makes batches gives the same ones in each
process, which takes its own rows of them; or, where the distribution says `auto_shard_dataset=False`, those alone.
"""

from typing import Any, cast

from cornu.core import peers, placement
from cornu.core.typing import Data
from cornu.training.data.py_dataset import is_py_dataset


def own_part(data: Data) -> tuple[object, bool]:
    """What makes this process's batches, and whether they hold its rows alone."""
    if not placement.is_shared():
        return data, False
    distribution = cast(Any, placement.current())
    if not distribution.auto_shard_dataset:
        return data, True
    if is_py_dataset(data) and hasattr(data, "shard") and distribution.num_data_shards > 1:
        return data.shard(distribution.num_data_shards, distribution.data_shard_id), True
    return data, False


def require_one(owner: str, what: str, advice: str, *numbers: int | None) -> None:
    """Refuse to begin where processes that share a computation differ in what decides about it.

    Args:
        owner: who asks, for messages.
        what: what the numbers are.
        advice: what to do where they differ.
        numbers: what must be the same in each process.

    Raises:
        ValueError: where they differ.
    """
    placement.require_all_processes(owner)
    if placement.is_shared() and not peers.are_one(*(-1 if n is None else n % 2**31 for n in numbers)):
        raise ValueError(f"{owner}: the processes differ in {what} (here {', '.join(map(str, numbers))}). {advice}")


def require_same_end(owner: str, batches: Any, what: str, number: int) -> None:
    """Where the batches of several processes have come to an end, refuse other numbers than the others'.

    Args:
        owner: who asks, for messages.
        batches: the data; the batches of arrays end together.
        what: what the number is.
        number: what must be the same in each process.

    Raises:
        ValueError: where they differ, or where another process goes on.
    """
    if placement.is_shared() and batches.arrays is None:
        peers.meet(
            number,
            f"{owner}: the processes differ in {what} (here {number}). Give each as many batches, or say how many make "
            "an epoch, if each has enough of them.",
        )
