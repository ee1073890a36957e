"""The memory of this machine: how much of it is free, and one opt-in change to how this process gets it.

The change is to keep large blocks instead of giving each back after use.
glibc returns every large block to the system when it is freed and asks for it again at the next step, and each of its
pages then has to be cleared and mapped anew. Keeping the blocks makes training and prediction of large models on a CPU
faster, and the process bigger. It concerns all of the process, so nothing but the user switches it on.
"""

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8  # glibc's names for the settings, from its malloc.h
_NEVER = 2**31 - 1
_SETTINGS = ((_ARENA_MAX, 1), (_MMAP_MAX, 0), (_TRIM_THRESHOLD, _NEVER))  # arenas of other threads always give back


def tune_memory() -> bool:
    """Keep large blocks of memory in the process instead of returning them to the system after each use.

    Large convolutional networks (images of 224² and more) can train and predict faster on a CPU, while small ones gain
    nothing, and the process holds on to as much memory as it ever needed: half as much again as otherwise, or twice. It
    acts on what is allocated afterwards, so call it first, or set `CORNU_TUNE_MEMORY=1` in the environment, which does
    it when cornu is imported. It cannot be undone within the process.

    Returns:
        Whether it was done: only glibc (most of Linux) can; elsewhere nothing changes.

    Example:

        tuned = cornu.config.tune_memory()
    """
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018 - only glibc has it
        return min(library.mallopt(*setting) for setting in _SETTINGS) == 1
    except (OSError, TypeError, AttributeError):
        return False


def free_memory() -> int | None:
    """How many bytes this process may still take on the host, without swap; None where the system does not tell.

    Linux says what is available, in its control group too; of a Mac half of the memory is taken to be free.
    """
    found = [*_free_on_linux()]
    if not found:
        with contextlib.suppress(AttributeError, ValueError, OSError):
            found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2]
    return max(0, min(found)) if found else None


def _free_on_linux() -> Iterator[int]:
    with contextlib.suppress(OSError):
        facts = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines() if ":" in line)
        yield int(facts["MemAvailable"].split()[0]) * 1024
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                yield from _left_in_groups(Path("/sys/fs/cgroup"), path, "memory.max", "memory.current")
            elif "memory" in controllers.split(","):
                root = Path("/sys/fs/cgroup/memory")
                yield from _left_in_groups(root, path, "memory.limit_in_bytes", "memory.usage_in_bytes")


def _left_in_groups(root: Path, path: str, limit: str, usage: str) -> Iterator[int]:
    """What is left to a control group and to each around it; files kept in memory count as free."""
    group = root / path.lstrip("/")
    for folder in (group, *group.parents):
        if not folder.is_relative_to(root):
            return
        with contextlib.suppress(OSError, ValueError):  # no such file, or no limit ("max")
            most, used = (int((folder / name).read_text()) for name in (limit, usage))
            facts = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            yield most - used + int(facts.get("inactive_file", 0))
