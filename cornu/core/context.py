"""Every ambient value in one place.

Code deep inside a model must know whether it is training, which dtype to compute in, under which name a weight is
being created, where losses are collected. Those values are the fields of one frozen `Context` held by one
`ContextVar`: a `with` block sets some of them and puts the old ones back, in every thread and task by itself.
"""

from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cornu.core.allocation import Allocator


@dataclass(frozen=True, slots=True)
class Context:
    """The ambient values; None everywhere means "nobody said"."""

    training: bool | None = None  # the mode of the nearest layer call that named one
    callers: tuple = ()  # the layers whose calls are running, outermost first
    autocast: str | None = None  # the dtype in which float variables are read
    path: tuple[str, ...] = ()  # names of the layers and scopes around, outermost first
    states: tuple[MutableMapping, ...] = ()  # variable -> value, innermost first
    losses: list | None = None  # where add_loss puts losses
    remat: Any = None  # which of the layers that are made are to recompute activations
    recomputed: bool = False  # whether what is computed is kept for no gradient, since a layer around recomputes it
    allocator: "Allocator | None" = None  # what gives new variables their arrays; None: each is made at once
    budget: Any = None  # what the load that is going on may take
    written: dict | None = None  # the layers in the config that is being written, by identity
    shared: dict | None = None  # the layers made from the config that is being read, by class and number
    safe_mode: bool | None = None  # whether code in a config is refused; None where no config is being read
    specs: dict | None = None  # what models give for symbolic inputs, within the call that asks
    symbolic: bool = False  # whether a layer is being called on symbolic tensors
    scope_caller: Any = None  # whose the innermost name is
    watch: Callable | None = None  # (operation, function, *args): calls the function, for whoever looks at each call
    rows: Any = None  # which rows of the batch are real, where a last batch was padded; shape (batch,), bool


_CLEAR = Context()
_current: ContextVar[Context] = ContextVar("cornu", default=_CLEAR)
current: Callable[[], Context] = _current.get


def is_clear() -> bool:
    """Whether nobody set any ambient value."""
    return _current.get() is _CLEAR


@contextmanager
def scope(**values: Any) -> Iterator[None]:
    """Set some ambient values inside the `with` block."""
    token = _current.set(replace(_current.get(), **values))
    try:
        yield
    finally:
        _current.reset(token)


def training() -> bool | None:
    """The training mode of the layer call that is running."""
    return current().training


def compute_dtype() -> str | None:
    """The dtype in which float variables are read now, or None for their own."""
    return current().autocast


def state(mapping: MutableMapping) -> Any:
    """Scope in which variables in `mapping` are read from it, and assignments go to it."""
    return scope(states=(mapping, *current().states))


def path(name: str) -> Any:
    """Scope in which new variables are named below `name`."""
    return scope(path=(*current().path, name), scope_caller=None)


class name_scope:  # noqa: N801 - Keras's public name
    """Scope under whose name variables are created.

    Args:
        name: the name, which may not contain "/".
        caller: the object that opens the scope.
        deduplicate: whether a scope of the same name that the same caller opens directly inside its own adds nothing.
        override_parent: the path to put the name below, in the place of the scopes around.

    Example:

        with cornu.name_scope("encoder"):
            v = cornu.Variable(1.0, name="scale")
        print(v.path)  # encoder/scale
    """

    def __init__(self, name: str, caller: object = None, deduplicate: bool = True, override_parent: str | None = None):
        if not isinstance(name, str) or "/" in name:
            raise ValueError(f'name_scope: name must be a string without "/". Received: name={name!r}.')
        self.name = name
        self.caller = caller
        self.deduplicate = deduplicate
        self.override_parent = override_parent

    def __enter__(self) -> "name_scope":
        around = current()
        parent = around.path if self.override_parent is None else tuple(self.override_parent.split("/"))
        again = self.deduplicate and self.caller is not None and self.caller is around.scope_caller
        new = parent if again and parent[-1:] == (self.name,) else (*parent, self.name)
        self._scope = scope(path=new, scope_caller=self.caller)
        self._scope.__enter__()
        return self

    def __exit__(self, *details: Any) -> None:
        self._scope.__exit__(*details)


_uids: dict[str, int] = {}


def get_uid(prefix: str = "") -> int:
    """How many times `prefix` was asked for, this time included."""
    _uids[prefix] = _uids.get(prefix, 0) + 1
    return _uids[prefix]


def auto_name(prefix: str) -> str:
    """`dense`, then `dense_1`, `dense_2`, ..."""
    uid = get_uid(prefix) - 1
    return f"{prefix}_{uid}" if uid else prefix


def reset_uids() -> None:
    """Start automatic names afresh."""
    _uids.clear()


@contextmanager
def uids_kept() -> Iterator[None]:
    """Scope after which automatic names go on as if nothing had been named in it."""
    before = dict(_uids)
    try:
        yield
    finally:
        _uids.clear()
        _uids.update(before)
