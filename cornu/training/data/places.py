"""Data sets and iterators that know their place: `get_state`/`set_state`, or `state_dict`/`load_state_dict`.

PyTorch's `DataLoader` has neither; the order of its pass follows from the generators of random numbers that it draws
from. Streams of Hugging Face are gone through from the begin of a pass: a state that they are given is where further
passes begin too, and leaves out what a shuffle holds.
"""

import sys
from typing import Any

from cornu.core.border import comes_from

_PAIRS = (("get_state", "set_state"), ("state_dict", "load_state_dict"))


def state_of(data: object) -> Any:
    """The state that `data` tells; None where it tells none."""
    pair = _pair_of(data)
    if pair is not None:
        return pair[0]()
    generators = _generators(data)
    return [generator.get_state() for generator in generators] if generators else None


def restored(data: object, state: Any) -> None:
    """Put `data` where it told `state`."""
    pair = _pair_of(data)
    if pair is not None:
        pair[1](state)
        return
    for generator, its_state in zip(_generators(data), state, strict=True):
        generator.set_state(its_state)


def draws_from_outside(data: object) -> bool:
    """Whether the state of `data` is that of generators, which others may draw from too."""
    return bool(_generators(data))


def _pair_of(data: object) -> tuple | None:
    """The methods that read and write the state."""
    pairs = [tuple(getattr(data, name, None) for name in names) for names in _PAIRS]
    found = next((pair for pair in pairs if all(map(callable, pair))), None)
    return None if comes_from(data, "datasets") else found


def _generators(data: object) -> list:
    """The generators of random numbers that a `DataLoader` of PyTorch draws from."""
    if not comes_from(data, "torch") or not hasattr(data, "sampler") or _pair_of(data) is not None:
        return []
    own = [getattr(part, "generator", None) for part in (data, data.sampler)]
    return [*filter(None, own), sys.modules["torch"].default_generator]
