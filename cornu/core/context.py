"""Every ambient value in one place.

Code deep inside a model must know whether it is training, which dtype to compute in, under which name a weight is being
created, and where losses are collected. Those values are the fields of one frozen `Context` in one `ContextVar`: a
`with` block sets some of them and restores the old ones, independently in every thread and task.
"""

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cornu.core.typing import AnyDict, AnyFunction, AnyList, AnyTuple

if TYPE_CHECKING:
    from cornu.core.allocation import Allocator


@dataclass(frozen=True, slots=True)
class Context:
    """The ambient values; None always means "not set"."""

    training: bool | None = None  # the mode of the innermost layer call that specified one
    callers: AnyTuple = ()  # the layers whose calls are running, outermost first
    autocast: str | None = None  # the dtype that float variables are cast to when read
    lent: Mapping[int, str] | None = None  # identity of a layer -> the dtype that the layer around it lends it
    path: tuple[str, ...] = ()  # names of the enclosing layers and scopes, outermost first
    states: tuple[MutableMapping[Any, Any], ...] = ()  # variable -> value, innermost first
    losses: AnyList | None = None  # where add_loss collects losses
    remat: Any = None  # which newly created layers recompute activations
    recomputed: bool = False  # whether an enclosing layer recomputes, so no activations are kept
    allocator: "Allocator | None" = None  # creates the arrays of variables; None: immediately
    budget: Any = None  # the limits of the current load
    written: AnyDict | None = None  # the layers in the config being written, by identity
    shared: AnyDict | None = None  # the layers created from the config being read, by class and number
    safe_mode: bool | None = None  # whether code in a config is rejected; None while no config is being read
    specs: AnyDict | None = None  # output specs of models for symbolic inputs, within one call
    symbolic: bool = False  # whether a layer is being called on symbolic tensors
    scope_caller: Any = None  # the owner of the innermost name
    watch: AnyFunction | None = None  # (operation, function, *args): calls the function; used to observe each call
    rows: Any = None  # which rows are real, if the last batch was padded; shape (batch,), bool
    own_rows: str | None = None  # the mesh axis along which rows are split, in code that sees one device's rows alone
    sums: Any = None  # where a step leaves gradients that devices have not exchanged yet


_CLEAR = Context()
_current: ContextVar[Context] = ContextVar("cornu", default=_CLEAR)
current: Callable[[], Context] = _current.get


def is_clear() -> bool:
    """Whether no ambient value is set."""
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
    """The training mode of the current layer call."""
    return current().training


def compute_dtype() -> str | None:
    """The dtype that float variables are currently cast to when read, or None for their own."""
    return current().autocast


def state(mapping: MutableMapping[Any, Any]) -> Any:
    """Scope in which the variables in `mapping` are read from it, and assignments go to it."""
    return scope(states=(mapping, *current().states))


def path(name: str) -> Any:
    """Scope in which new variables are named below `name`."""
    return scope(path=(*current().path, name), scope_caller=None)


class name_scope:  # noqa: N801 - Keras's public name
    """Scope that prefixes the names of variables created in it.

    Args:
        name: the name, which may not contain "/".
        caller: the object that opens the scope.
        deduplicate: if True, a scope that its caller reopens directly inside its own scope of the same name adds
        nothing.
        override_parent: path that replaces that of the enclosing scopes.

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
    """How many times `prefix` was requested, including this time.

    Args:
        prefix: any text. Empty by default.

    Example:

        print(cornu.backend.get_uid("made_up"), cornu.backend.get_uid("made_up"))  # 1 2
    """
    _uids[prefix] = _uids.get(prefix, 0) + 1
    return _uids[prefix]


def auto_name(prefix: str) -> str:
    """`dense`, then `dense_1`, `dense_2`, ..."""
    uid = get_uid(prefix) - 1
    return f"{prefix}_{uid}" if uid else prefix


def reset_uids() -> None:
    """Restart automatic names."""
    _uids.clear()


@contextmanager
def uids_kept() -> Iterator[None]:
    """Scope after which automatic names continue as if nothing had been named in it."""
    before = dict(_uids)
    try:
        yield
    finally:
        _uids.clear()
        _uids.update(before)
