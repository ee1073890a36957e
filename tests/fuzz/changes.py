"""The changes of a run: each depends on its seed, its format and its number alone, whoever makes it."""

import random
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.faults import KINDS
from tests.fuzz.mutate import mutate
from tests.fuzz.seeds import Door


class Change(NamedTuple):
    """A changed file: of which format and good file, what is in it, how it was changed, by which door it is opened."""

    kind: str
    name: str
    content: bytes
    how: str
    door: Door


class Changes:
    """Makes the changes.

    Args:
        files: the good files by format and name.
    """

    def __init__(self, files: dict[str, dict[str, Path]]):
        self._files = files
        self._goods = {kind: [path.read_bytes() for path in paths.values()] for kind, paths in files.items()}
        self._names = {kind: list(paths) for kind, paths in files.items()}

    def make(self, kind: str, seed: int, number: int) -> Change:
        """One change."""
        rng = random.Random(f"{kind}-{seed}-{number}")
        goods, doors = self._goods[kind], KINDS[kind].doors
        index, door = rng.randrange(len(goods)), rng.choice(doors)
        content, how = mutate(goods[index], KINDS[kind].inside, rng, goods)
        return Change(kind, self._names[kind][index], content, how, door)

    def write(self, change: Change) -> Path:
        """Put the changed file beside the good one."""
        good = self._files[change.kind][change.name]
        place = good.with_name(f"changed{''.join(good.suffixes)}")
        place.write_bytes(change.content)
        return place
