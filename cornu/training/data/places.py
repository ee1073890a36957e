"""Data sets and iterators that know their place: `get_state`/`set_state`, or `state_dict`/`load_state_dict`."""

from typing import Any

_PAIRS = (("get_state", "set_state"), ("state_dict", "load_state_dict"))


def state_of(data: object) -> Any:
    """The state that `data` tells; None where it tells none."""
    for read, write in _PAIRS:
        if callable(getattr(data, read, None)) and callable(getattr(data, write, None)):
            return getattr(data, read)()
    return None


def restored(data: object, state: object) -> None:
    """Put `data` where it told `state`."""
    write = next(write for read, write in _PAIRS if callable(getattr(data, read, None)))
    getattr(data, write)(state)
