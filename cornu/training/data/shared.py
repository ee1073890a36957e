"""Data when several processes train one model: the rows that each of them reads.

Arrays are given to each process in full, which reads its own rows of every batch. A `PyDataset` with a `shard(count,
index)` method is asked for this process's part of each batch. Any other source yields the same batches in each process,
which uses its own rows of them; or, if the distribution has `auto_shard_dataset=False`, only those.
"""

from typing import Any, cast

from cornu.core import peers, placement
from cornu.core.typing import Data
from cornu.training.data.py_dataset import is_py_dataset


def own_part(data: Data) -> tuple[object, bool]:
    """The source of this process's batches, and whether they contain only its own rows."""
    if not placement.is_shared():
        return data, False
    distribution = cast(Any, placement.current())
    if not distribution.auto_shard_dataset:
        return data, True
    if is_py_dataset(data) and hasattr(data, "shard") and distribution.num_data_shards > 1:
        return data.shard(distribution.num_data_shards, distribution.data_shard_id), True
    return data, False


def require_one(owner: str, what: str, advice: str, *numbers: int | None) -> None:
    """Refuse to start if processes that share a computation differ in something that determines it.

    Args:
        owner: the caller, for error messages.
        what: a description of the numbers.
        advice: what to do if they differ.
        numbers: what must be the same in each process.

    Raises:
        ValueError: if they differ.
    """
    placement.require_all_processes(owner)
    if placement.is_shared() and not peers.are_one(*(-1 if n is None else n % 2**31 for n in numbers)):
        raise ValueError(f"{owner}: the processes differ in {what} (here {', '.join(map(str, numbers))}). {advice}")


def require_same_end(owner: str, batches: Any, what: str, number: int) -> None:
    """When the batches of several processes have ended, check that their numbers are equal.

    Args:
        owner: the caller, for error messages.
        batches: the data; the batches of arrays end together.
        what: a description of the number.
        number: what must be the same in each process.

    Raises:
        ValueError: if they differ, or if another process continues.
    """
    if placement.is_shared() and batches.arrays is None:
        peers.meet(
            number,
            f"{owner}: the processes differ in {what} (here {number}). Provide the same number of batches in each, or "
            "specify how many make "
            "an epoch, if each has enough of them.",
        )
