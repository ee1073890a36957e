"""Weights in several files of limited size, with an index in JSON, in the layout of Keras 3.

`model.weights.json` records which of `model_00000.weights.h5`, `model_00001.weights.h5`, … next to it contain the
arrays of each part of the model; an array is never split. Each of those files is laid out like a single file with all
weights.

The files of a set are written to a temporary directory and moved into place together, the index last: a reader finds
the old set, the new one, or, during the change, none.
"""

from __future__ import annotations

import json
import math
import os
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from cornu import lazy, validate
from cornu.core import border, budget, peers, placement
from cornu.core.typing import ConfigDict, Tensor
from cornu.errors import DamagedFileError
from cornu.saving import plain_h5, plain_json, weights_h5
from cornu.saving.atomic import replacing_set

if TYPE_CHECKING:
    import h5py
else:
    h5py = lazy.module("h5py")

_TABLE, _SHARD = ".weights.json", ".weights.h5"
_GIGABYTE = 2**30
_MOST_TABLE = 256 * 2**20  # bytes of JSON that a reader accepts

Contents = dict[str, dict[str, Any]]  # arrays by group and name


def table_path(path: str) -> str:
    """The name of the index, given a name that may be that of a single file with all weights."""
    if path.endswith(_SHARD):
        table = path.removesuffix(_SHARD) + _TABLE
        warnings.warn(f"save_weights: with max_shard_size, {table!r} is written instead of {path!r}.", stacklevel=3)
        return table
    if not path.endswith(_TABLE):
        raise ValueError(
            f"save_weights: with max_shard_size, the file's name must end with {_TABLE!r}. "
            f"Received: {validate.shown(path)}."
        )
    return path


def save_weights(model: object, path: str, *, max_shard_size: float | None = None) -> None:
    """Write the weights of a model and of its optimizer.

    Args:
        model: the model.
        path: the index file.
        max_shard_size: maximum size of a file in gigabytes of 2^30 bytes; no single array may be larger.
    """
    limit = _limit(max_shard_size, path)
    shards, group_names = _divided(model, limit)
    place = Path(path)
    stem = place.name.removesuffix(_TABLE)
    names = [f"{stem}_{number:05}{_SHARD}" for number in range(len(shards))]
    table = _table(shards, names)
    with _room(place, names) as (room, contents):
        for number, (name, shard) in enumerate(zip(names, shards, strict=True)):
            own_names = {group: group_names.pop(group) for group in shard if group in group_names}
            if placement.is_shared() and number % peers.count() != jax.process_index():
                _gather(shard)
            else:
                _write_shard(room / name, shard, own_names)
        if contents is not None:
            contents.write_text(json.dumps(table, indent=4))


@contextmanager
def _room(place: Path, names: list[str]) -> Iterator[tuple[Path, Path | None]]:
    """The temporary directory from which the files are moved into place together, with the index written by process 0.

    Processes that share it each write some of the files, and process 0 moves them once they are complete.
    """
    targets = [place.with_name(name) for name in (*names, place.name)]
    with ExitStack() as stack:
        room, contents = place.parent, None
        with placement.failing_together():
            if placement.writes():
                first, *_, contents = stack.enter_context(replacing_set(targets, gone=_former(place)))
                room = first.parent
        with placement.failing_together():
            yield Path(peers.of_first(str(room.absolute()))) if placement.is_shared() else room, contents


def load_weights(model: object, path: str, skip_mismatch: bool, by_name: bool) -> list[str]:
    """Load the weights of a set of files into the model."""
    weights_h5.refuse_by_name(path, by_name)
    with opened(path) as files:
        return weights_h5.read(model, files, skip_mismatch)


@contextmanager
def opened(path: str) -> Iterator[list[h5py.File]]:
    """The files of a set, open for reading, after checking that they match the index.

    Raises:
        ValueError: if the index is damaged, names a file elsewhere, or does not match the files.
    """
    seen = _identity(path)
    named = _read_table(path)
    names = sorted({name for group in named.values() for name in group})
    with ExitStack() as stack:
        files: dict[str, h5py.File] = {}
        try:
            for name in names:
                files[name] = stack.enter_context(plain_h5.opened(_shard(path, name), repr(name)))
        finally:  # a file that is removed while being opened looks damaged
            if _identity(path) != seen:
                raise ValueError(f"{path!r} was replaced while it was being read. Load it again.")
        _check(named, files, path)
        yield list(files.values())


# ---------------------------------------------------------------- writing


def _limit(size: object, path: str) -> int:
    """The maximum size of a file in bytes."""
    if size is None:
        raise ValueError(f"save_weights: {path!r} is for weights in several files: pass max_shard_size, in gigabytes.")
    if not validate.is_real(size) or isinstance(size, bool) or not 0 < size < math.inf:
        raise ValueError(f"save_weights: max_shard_size must be a positive number. Received: {validate.shown(size)}.")
    return int(size * _GIGABYTE)


def _divided(model: object, limit: int) -> tuple[list[Contents], dict[str, str]]:
    """The contents of each file, filled in order, and the names of the parts by group."""
    shards: list[Contents] = [{}]
    used = 0
    group_names = {}
    for group, part, store in weights_h5.stores(model):
        shards[-1][group] = {}
        group_names[group] = part.name
        for key, value in store.items():
            value = value if hasattr(value, "dtype") else np.asarray(value)
            size = _bytes(value)
            if size > limit:
                raise ValueError(
                    f"save_weights: {validate.describe(part)} has an array of {size} bytes, but max_shard_size allows "
                    f"{limit}. An array is not split: allow at least {size / _GIGABYTE:.2g}."
                )
            if used + size > limit:
                shards.append({})
                used = 0
            shards[-1].setdefault(group, {})[key] = value
            used += size
    return shards, group_names


def _bytes(value: Tensor) -> int:
    return jnp.dtype(value.dtype).itemsize * math.prod(value.shape)


def _table(shards: list[Contents], names: list[str]) -> ConfigDict:
    """The index. As in Keras, a group with one array names its file, one with more lists them."""
    where: dict[str, list[str]] = {}
    for name, shard in zip(names, shards, strict=True):
        for group, arrays in shard.items():
            where.setdefault(f"/{group}", []).extend(name for _ in arrays)
    total = sum(_bytes(value) for shard in shards for arrays in shard.values() for value in arrays.values())
    return {
        "metadata": {"total_size": float(total)},
        "weight_map": {
            group: found[0] if len(found) == 1 else list(dict.fromkeys(found))
            for group, found in where.items()
            if found
        },
    }


def _gather(shard: Contents) -> None:
    """Participate while another process gathers the arrays of a file that it writes."""
    for arrays in shard.values():
        for value in arrays.values():
            border.fetched(value)


def _write_shard(path: Path, shard: Contents, group_names: dict[str, str]) -> None:
    """Write one file; a group's name is stored where it first appears."""
    with open(path, "w+b") as place, plain_h5.created(place) as file:
        for group, arrays in shard.items():
            made = file.create_group(group)
            if group in group_names:
                made.attrs["name"] = group_names[group]
            for key, value in arrays.items():
                weights_h5.write_array(made, key, border.fetched(value))


def _former(table: Path) -> list[Path]:
    """The files of the existing set, which the new one replaces."""
    if not table.is_file():
        return []
    try:
        named = _read_table(str(table))
    except ValueError:
        return []
    own = re.compile(re.escape(table.name.removesuffix(_TABLE)) + r"_\d{5,}" + re.escape(_SHARD))
    return [table.with_name(name) for group in named.values() for name in group if own.fullmatch(name)]


# ---------------------------------------------------------------- reading


def _identity(path: str) -> tuple[int, int, int]:
    """The identity of a file, to detect that it was replaced."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return (0, 0, 0)
    return found.st_ino, found.st_mtime_ns, found.st_size


def _read_table(path: str) -> dict[str, list[str]]:
    """The names of the files by group."""
    with open(path, "rb") as file:
        text = file.read(_MOST_TABLE + 1)
    if len(text) > _MOST_TABLE:
        raise DamagedFileError(f"{path!r} has over {_MOST_TABLE} bytes, too large for an index.")
    budget.opened(len(text))
    table = plain_json.parsed(text, repr(path)).get("weight_map")
    if not isinstance(table, Mapping):
        raise DamagedFileError(f"{path!r} is not a weights index: it does not have a weight_map.")
    named = {group.removeprefix("/"): [names] if isinstance(names, str) else names for group, names in table.items()}
    for names in named.values():
        if not isinstance(names, list) or not names or not all(map(_is_plain, names)):
            raise DamagedFileError(
                f"{path!r} must name files next to it that end with {_SHARD!r}, without a directory. "
                f"Received: {names!r:.200}."
            )
    return named


def _is_plain(name: object) -> bool:
    return isinstance(name, str) and name.endswith(_SHARD) and not re.search(r"[/\\:\0]", name)


def _shard(table: str, name: str) -> Path:
    """The path of a file named in the index."""
    path = Path(table).with_name(name)
    if path.is_symlink() or not path.is_file():
        raise DamagedFileError(f"{table!r} names {name!r}, but there is no regular file of that name next to it.")
    return path


def _check(named: Mapping[str, list[str]], files: Mapping[str, h5py.File], path: str) -> None:
    """Check that index and files agree on where the arrays are, with each array in one place."""
    arrays = {name: weights_h5.array_paths(file) for name, file in files.items()}
    twice = [array for array, count in Counter(a for found in arrays.values() for a in found).items() if count > 1]
    said = {(group, name) for group, names in named.items() for name in names}
    there = {(array.rpartition("/")[0], name) for name, found in arrays.items() for array in found}
    if twice or said != there:
        where = twice or sorted({group for group, _ in said ^ there})
        raise DamagedFileError(
            f"{path!r} does not match its files: they are not from the same save. They differ in {where[:10]}."
        )
