"""Datasets and iterators with a position: `get_state`/`set_state`, or `state_dict`/`load_state_dict`.

PyTorch's `DataLoader` has neither; the order of its pass follows from the random number generators that it uses.
Hugging Face streams are replayed from the start of a pass: setting a state would affect later passes too, and lose the
contents of a shuffle buffer.
"""

import sys
from typing import Any

from cornu.core.border import comes_from
from cornu.core.typing import AnyList, AnyTuple

_PAIRS = (("get_state", "set_state"), ("state_dict", "load_state_dict"))


def state_of(data: object) -> Any:
    """The state reported by `data`; None if there is none."""
    pair = _pair_of(data)
    if pair is not None:
        return pair[0]()
    generators = _generators(data)
    return [generator.get_state() for generator in generators] if generators else None


def restored(data: object, state: Any) -> None:
    """Restore `data` to the position at which it reported `state`."""
    pair = _pair_of(data)
    if pair is not None:
        pair[1](state)
        return
    for generator, its_state in zip(_generators(data), state, strict=True):
        generator.set_state(its_state)


def draws_from_outside(data: object) -> bool:
    """Whether the state of `data` is that of generators, which others may use too."""
    return bool(_generators(data))


def _pair_of(data: object) -> AnyTuple | None:
    """The methods that get and set the state."""
    pairs = [tuple(getattr(data, name, None) for name in names) for names in _PAIRS]
    found = next((pair for pair in pairs if all(map(callable, pair))), None)
    return None if comes_from(data, "datasets") else found


def _generators(data: object) -> AnyList:
    """The random number generators used by a PyTorch `DataLoader`."""
    if not comes_from(data, "torch") or not hasattr(data, "sampler") or _pair_of(data) is not None:
        return []
    own = [getattr(part, "generator", None) for part in (data, data.sampler)]
    return [*filter(None, own), sys.modules["torch"].default_generator]
