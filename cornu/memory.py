"""One opt-in change to how this process gets memory: keep large blocks instead of giving each back after use.

glibc returns every large block to the system when it is freed and asks for it again at the next step, and each of its
pages then has to be cleared and mapped anew. Keeping the blocks makes training and prediction of large models on a CPU
faster, and the process bigger. It concerns all of the process, so nothing but the user switches it on.
"""

import ctypes

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
