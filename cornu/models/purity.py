"""Whether a layer's call has no side effects, so that it may be compiled.

In a compiled call, anything that is not computation happens only once, during tracing: printing, counting, storing a
value, drawing a number in Python. cornu's own layers promise `pure_call` (see `core.promises`), and a user's may too.
For other classes the code is analyzed: it must store nothing outside its own frame and call only layers, operations,
JAX, arithmetic and functions of which the same holds; attributes must be immutable values. Whatever the code uses from
outside (a module constant, a closure variable, a class attribute) is `Watched` and compared at each call. In doubt a
call is not pure: it then runs operation by operation, which is slower and always correct.
"""

import builtins
import dis
import inspect
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from types import CodeType, FunctionType, MappingProxyType, ModuleType
from typing import Any, NamedTuple

import jax
import numpy as np

from cornu import registry
from cornu.core import context, parts, promises
from cornu.core.operation import FunctionOperation, Operation
from cornu.core.typing import AnyTuple
from cornu.core.variable import Variable

_BUILTINS = frozenset(
    """abs all any bool callable dict divmod enumerate filter float frozenset getattr hasattr int isinstance issubclass
    len list map max min object pow range reversed round set slice sorted str sum super tuple type zip""".split()  # noqa: SIM905
)
_STORING = ("ASYNC", "BEFORE_ASYNC", "DELETE_ATTR", "DELETE_GLOBAL", "GET_AWAITABLE", "IMPORT", "LOAD_BUILD_CLASS",
            "STORE_ATTR", "STORE_GLOBAL", "STORE_NAME")  # fmt: skip
_FIXED = (tuple, frozenset, MappingProxyType)
# Mutating methods: those that the immutable counterpart of a container does not have.
_MUTATING = {n for kind in (*parts.CONTAINERS, OrderedDict) for n in dir(kind)}.difference(*map(dir, _FIXED))
_UNDER_THE_HOOD = frozenset({"__delattr__", "__dict__", "__setattr__"})
_OF_COMPUTING = ("cornu.activations", "cornu.kernels", "cornu.losses", "cornu.ops", "cornu.random",
                 "cornu.tensorflow.keras.backend", "cornu.tree", "jax")  # fmt: skip
_NUMPY = frozenset({"arange", "array", "asarray", "full", "ones", "prod", "zeros"})
_PLAIN = (type(None), bool, int, float, complex, str, bytes, np.generic, np.dtype, type(Ellipsis), slice, jax.Array)
_KNOWN_CONTAINERS = frozenset({*parts.CONTAINERS, OrderedDict})
# Class members whose code is analyzed besides functions, with the attributes that contain it.
_MEMBERS: dict[type, tuple[str, ...]] = {
    classmethod: ("__func__",), property: ("fget",), staticmethod: ("__func__",),
}  # fmt: skip


class Impure(Exception):  # noqa: N818 - a finding, which says where
    """A call may have side effects."""


class Watched(NamedTuple):
    """A name outside of the code, and the value it had when the code was analyzed."""

    look_up: Callable[[], object]
    value: Any

    def holds(self) -> bool:
        """Whether it still has that value."""
        return self.look_up() is self.value


def read(operations: Iterable[Operation]) -> list[Watched]:
    """The external names used by the calls of all operations; raises Impure if one may have side effects."""
    operations = list(operations)
    reader = _Reader(operations)
    for operation in operations:
        try:
            reader.look_at(operation)
        except Impure as error:
            raise Impure(f"{type(operation).__name__} {error}") from None
    return list(reader.watched.values())


class _Reader:
    def __init__(self, operations: list[Operation]) -> None:
        self.watched: dict[tuple[int, str], Watched] = {}  # by the identity of the namespace, and the name
        self._own = set(map(id, operations))
        self._seen: set[type] = set()
        self._changing: dict[type, bool] = {}  # whether the code of a class mutates containers
        self._read: dict[FunctionType, tuple[set[str], bool]] = {}  # names in it, whether it mutates containers

    def _watch(self, place: object, name: str, look_up: Callable[[], object]) -> Any:
        """The value of a name in a class, a module, its dictionary or a cell; compared at each call from now on."""
        return self.watched.setdefault((id(place), name), Watched(look_up, look_up())).value

    def look_at(self, operation: Operation) -> None:
        """Analyze the attributes of an operation, and its code if its class makes no promise."""
        if isinstance(operation, FunctionOperation):
            for value in (operation.function, operation.settings, *((n.args, n.kwargs) for n in operation.nodes)):
                self._attribute("is called with something", value, strict=False)
            return
        promised, cls = promises.kept(operation, "pure_call"), type(operation)
        if cls not in self._seen:
            self._seen.add(cls)
            self._own_call(cls)
        if not promised and cls not in self._changing:
            self._changing[cls] = self._methods(cls)
        hidden: frozenset[str] = getattr(operation, "_hidden", frozenset())
        for name, value in vars(operation).items():
            if name not in hidden:
                self._attribute(f"has an attribute {name!r}", value, strict=not promised)
                if not promised and self._changing[cls] and _may_be_changed(value):
                    raise Impure(f"has an attribute {name!r} that its code may change")

    def _own_call(self, cls: type) -> None:
        """Reject a `call` other than the class's own, about which the class has promised nothing."""
        home = next(base for base in cls.__mro__ if "call" in vars(base))
        call = self._watch(home, "call", partial(vars(home).get, "call"))
        if registry.is_builtin(home) and isinstance(call, FunctionType) and not _is_cornu(call):
            raise Impure(f"has a call that replaces {home.__name__}.call")

    def _attribute(
        self, where: str, value: object, strict: bool, containers: tuple[type, ...] = parts.CONTAINERS
    ) -> None:
        """Reject mutable values, whose changes would go unnoticed."""
        for item in _leaves(value, containers):
            if isinstance(item, np.ndarray):
                raise Impure(f"{where} that contains a NumPy array, which is mutable")
            if isinstance(item, FunctionType):
                self._function(item)
            elif (strict or callable(item)) and not _is_known(item):
                raise Impure(f"{where} that contains an object of type {type(item).__name__}, which may be mutable")

    # ------------------------------------------------------------ code

    def _methods(self, cls: type) -> bool:
        """Analyze what a call may use of the user's classes; whether any of the methods mutates a container."""
        own = [base for base in cls.__mro__ if base is not object and not registry.is_builtin(base)]
        inherited = {name for base in cls.__mro__ if base not in own for name in vars(base)}
        everything = {name for base in own for name in vars(base) if promises.may_run_in_call(name)}
        waiting = {name for name in everything if name in inherited or name.startswith("__")}
        known: set[str] = set()
        changes = False
        while waiting:
            name = waiting.pop()
            known.add(name)
            for base in own:
                found = self._watch(base, name, partial(vars(base).get, name))
                functions = list(_functions_of(found))
                if not functions:
                    self._class_attribute(name, found)
                elif name.startswith("__"):
                    raise Impure(f"defines {name}")
                for function in functions:
                    names, mutates = self._function(function)
                    waiting |= (names | (everything if "getattr" in names else set())) - known
                    changes |= mutates
                if functions and not any(map(_calls_super, functions)):
                    break  # overridden methods are not run
        return changes

    def _class_attribute(self, name: str, value: object) -> None:
        """Reject what all objects of a class share and a call could change, or whose change would go unnoticed."""
        if name in _UNDER_THE_HOOD:
            raise Impure(f"uses {name}")
        if not name.startswith("__"):
            self._attribute(
                f"has a class with an attribute {name!r}", value, strict=True, containers=(tuple, frozenset)
            )

    def _function(self, function: FunctionType) -> tuple[set[str], bool]:
        """Analyze a function: the names in it and in what it calls, and whether it mutates containers."""
        code = function.__code__
        if _is_cornu(function) or function in self._read:
            return self._read.get(function, (set(), False))
        if code.co_flags & (inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR):
            raise Impure(f"runs {function.__qualname__}, a generator")
        if vars(function).keys() - {"__wrapped__"}:
            raise Impure(f"runs {function.__qualname__}, a function with attributes, which are mutable")
        self._read[function] = set(), False  # during analysis, for recursive functions
        cells = dict(zip(code.co_freevars, function.__closure__ or (), strict=True))
        for default in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
            self._value(default, f"a default of {function.__qualname__}")
        self._read[function] = self._code(code, function.__globals__, cells)
        return self._read[function]

    def _code(self, code: CodeType, space: dict[str, object], cells: Mapping[str, object]) -> tuple[set[str], bool]:
        names: set[str] = set()
        mutates = False
        steps = list(dis.get_instructions(code))
        where = f"({code.co_filename.rsplit('/', 1)[-1]}, in {code.co_name})"
        for index, step in enumerate(steps):
            found = None
            if step.opname.startswith(_STORING) or (step.opname == "STORE_DEREF" and step.argval in cells):
                raise Impure(f"{'imports' if 'IMPORT' in step.opname else 'assigns'} {step.argval!r} {where}")
            if step.opname == "PUSH_EXC_INFO" and steps[index + 1].opname != "WITH_EXCEPT_START":
                raise Impure(f"catches exceptions, which may be raised by compilation {where}")
            if step.opname == "LOAD_GLOBAL":
                names |= {step.argval} & {"getattr"}
                found = self._global(step.argval, space, _attributes_after(steps, index), where)
            elif step.opname in ("LOAD_DEREF", "LOAD_CLASSDEREF") and step.argval in cells:
                found = self._cell(step.argval, cells[step.argval], _attributes_after(steps, index), where)
            elif "ATTR" in step.opname or "METHOD" in step.opname:
                names.add(step.argval)
            mutates |= "SUBSCR" in step.opname and not step.opname.startswith("BINARY")
            if found is not None:
                names, mutates = names | found[0], mutates | found[1]
        if "getattr" in names:
            names.update(constant for constant in code.co_consts if isinstance(constant, str))
        for inner in (constant for constant in code.co_consts if isinstance(constant, CodeType)):
            inside = self._code(inner, space, {n: cell for n, cell in cells.items() if n in inner.co_freevars})
            names, mutates = names | inside[0], mutates | inside[1]
        return names, mutates or bool(names & _MUTATING)

    def _global(self, name: str, space: dict[str, object], attributes: Iterator[str], where: str) -> Any:
        if name not in space:
            if name in _BUILTINS or _is_error(getattr(builtins, name, None)):
                return None
            raise Impure(f"calls {name} {where}")
        return self._from_outside(name, self._watch(space, name, partial(space.get, name)), attributes, where)

    def _cell(self, name: str, cell: object, attributes: Iterator[str], where: str) -> Any:
        if name == "__class__":
            return None
        value = self._watch(cell, name, partial(getattr, cell, "cell_contents", None))
        return self._from_outside(name, value, attributes, where)

    def _from_outside(
        self, name: str, value: object, attributes: Iterator[str], where: str
    ) -> tuple[set[str], bool] | None:
        """Analyze the value of a name, and watch the attributes accessed on it if it is a module."""
        while isinstance(value, ModuleType):
            attribute = next(attributes, None)
            if attribute is None:
                raise Impure(f"uses the module {name} {where}")
            module, name = value, f"{name}.{attribute}"
            value = getattr(module, attribute, None)
            if attribute in vars(module):
                self._watch(vars(module), attribute, partial(vars(module).get, attribute))
        return self._value(value, f"{name} {where}")

    def _value(self, value: object, where: str) -> tuple[set[str], bool] | None:
        """Analyze an external value: a callable must have no side effects, anything else must be immutable."""
        if isinstance(value, FunctionType) and not _computes(value):
            if _is_cornu(value):
                raise Impure(f"calls {where}, which may have side effects")
            return self._function(value)
        for item in _leaves(value, (tuple,)):
            if not (isinstance(item, _PLAIN) or id(item) in self._own or _is_error(item) or _computes(item)):
                raise Impure(f"uses {where}, which is unknown")
        return None


def _calls_super(function: FunctionType) -> bool:
    codes = [function.__code__, *(c for c in function.__code__.co_consts if isinstance(c, CodeType))]
    return any("super" in code.co_names for code in codes)


def _may_be_changed(value: object) -> bool:
    """Whether a value is a container of anything other than layers and variables, or empty."""
    if not isinstance(value, parts.CONTAINERS) or isinstance(value, (tuple, frozenset)):
        return False
    held = list(_leaves(value))
    return not held or not all(isinstance(item, (Operation, Variable)) for item in held)


def _attributes_after(steps: list[dis.Instruction], index: int) -> Iterator[str]:
    """The names of chained attribute accesses, starting with what instruction `index` loads."""
    for step in steps[index + 1 :]:
        if step.opname not in ("LOAD_ATTR", "LOAD_METHOD"):
            return
        yield step.argval


def _leaves(value: Any, containers: AnyTuple = parts.CONTAINERS) -> Iterator[object]:
    """The contents of containers of known types, at any depth; other objects unchanged."""
    if isinstance(value, containers) and (type(value) in _KNOWN_CONTAINERS or hasattr(value, "_fields")):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _leaves(item, containers)
    else:
        yield value


def _functions_of(member: object) -> Iterator[FunctionType]:
    """The functions behind a method, a property, a static or class method."""
    behind = (getattr(member, name) for name in _MEMBERS.get(type(member), ()))
    return (function for function in (member, *behind) if isinstance(function, FunctionType))


def _home(value: object) -> str:
    """The module where a function or class is defined, unwrapped."""
    home = getattr(value, "__module__", None) or ""
    written = value.__globals__.get("__name__", "") if isinstance(value, FunctionType) else home
    return home if home.partition(".")[0] == written.partition(".")[0] else written


def _is_cornu(function: FunctionType) -> bool:
    return registry.is_builtin(function) and f"{_home(function)}.".startswith("cornu.")


def _computes(value: object) -> bool:
    """Whether a function or class is one of cornu's, JAX's or NumPy's without side effects."""
    home = _home(value)
    if isinstance(value, np.ufunc) or home == "math" or (hasattr(value, "flow") and home.startswith("cornu.")):
        return True
    if isinstance(value, type):
        return value.__name__ in _BUILTINS or issubclass(value, np.generic) or value is context.name_scope
    if home.startswith("numpy"):
        return getattr(value, "__name__", "") in _NUMPY
    return callable(value) and any(home == name or home.startswith(f"{name}.") for name in _OF_COMPUTING)


def _is_known(value: object) -> bool:
    """Whether a call can be compiled although this value is among its layer's attributes."""
    return isinstance(value, (*_PLAIN, Operation, Variable)) or registry.is_builtin(type(value)) or _computes(value)


def _is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)
