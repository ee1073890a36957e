"""`model(x)` as one compiled function.

Called on arrays, a model would run one operation after the other, each with a cost of its own. A model whose calls do
nothing but compute (see `purity`) does nothing that a compiled function would leave out: it reads and assigns its
variables and attaches masks and losses. So such a model is compiled, once for each shape of the inputs, with its
variables as the state. Everything else (code that does more, text, symbolic tensors, tracers, inputs with masks, calls
inside of other calls) runs operation by operation, and so does whatever cannot be compiled after all; the log says why.

The compiled functions belong to the model's structure: when a part or an attribute of a part is replaced, they go.
"""

import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from cornu import settings, tree, validate
from cornu.core import border, context, host_programs, placement, promises
from cornu.core.masks import get_mask, set_mask
from cornu.core.operation import Operation
from cornu.core.variable import Variable, changed_values
from cornu.kernels import platform, xla
from cornu.layers.layer import Layer, LossesOfCall
from cornu.models import purity
from cornu.random.seed_generator import keep_after_call, values_for_call
from cornu.training.execution.signature import of_array

if TYPE_CHECKING:
    from cornu.models.model import Model

_log = logging.getLogger(__name__)

MOST_SHAPES = 32  # of one model; calls on further shapes run operation by operation
MOST_CHANGES = 16  # of one model's structure, after which it is no longer compiled

NOT_COMPILED = object()

# Dtypes of NumPy arrays that a compiled function takes as they are; others are converted first, or refused.
_PLAIN = frozenset(np.dtype(n) for n in ("bool", "int8", "int16", "int32", "uint8", "uint16", "uint32", "float16",
                                         "float32", "float64"))  # fmt: skip


def run(model: "Model", args: tuple, kwargs: dict) -> Any:
    """The outputs of a compiled call, or NOT_COMPILED where the call must run operation by operation."""
    if not context.is_clear() or not model.built or not model.jit_compile:
        return NOT_COMPILED
    if host_programs.fits(args) and all(promises.kept(layer, "changes_images") for layer in model.layers):
        return NOT_COMPILED
    try:
        leaves, treedef = jax.tree.flatten((args, kwargs))
    except (TypeError, ValueError):  # a dictionary whose keys cannot be sorted
        return NOT_COMPILED
    leaves = [border.narrowed(x) if isinstance(x, np.ndarray) and x.dtype == np.int64 else x for x in leaves]
    facts = [_fact(leaf) for leaf in leaves]
    if None in facts:
        return NOT_COMPILED
    structure = model._structure()
    calls = structure.remember(_calls_of)
    if calls is not None and not calls.are_current():
        structure.forget(_calls_of)
        calls = structure.remember(_calls_of)
    if calls is None:
        return NOT_COMPILED
    given = args, kwargs
    orders = tuple(tree.key_orders(given))
    ambient = *settings.for_computing(), platform.plain_forced(), placement.current()
    return calls(model, given, leaves, (treedef, orders, *facts, *ambient))


def _fact(leaf: object) -> Any:
    """What a compiled call takes for granted of an argument: an array's shape and dtype, a flag's value; None: no."""
    if isinstance(leaf, np.ndarray):
        return of_array(leaf) if leaf.dtype in _PLAIN else None
    if isinstance(leaf, jax.Array):
        return None if isinstance(leaf, jax.core.Tracer) or get_mask(leaf) is not None else of_array(leaf)
    return (leaf,) if isinstance(leaf, bool) else None


class Calls:
    """The compiled calls of one model in one structure.

    Args:
        model: the model.
        watched: what its code takes from outside.
    """

    def __init__(self, model: Any, watched: list[purity.Watched]):
        self.variables: tuple[Variable, ...] = tuple(model.variables)
        self.known: dict[tuple, Call | None] = {}
        self._watched = watched

    def are_current(self) -> bool:
        """Whether all that the code takes from outside is as it was."""
        return all(each.holds() for each in self._watched)

    def __call__(self, model: object, given: tuple[tuple, dict], leaves: list, key: tuple) -> Any:
        """The outputs for the arguments, of which the leaves are given as well."""
        call = self.known.get(key)
        if call is None and (key in self.known or len(self.known) >= MOST_SHAPES):
            return NOT_COMPILED
        call = call or Call(self.variables, given, leaves)
        try:
            found = call.run(model, leaves)
        except Exception as error:  # operation by operation it works, or it fails with an error that says where
            if not call.has_run and not _is_tracing():
                if None not in self.known.values():
                    _say_why(model, f"compiling it fails with {type(error).__name__}")
                self.known[key] = None
            return NOT_COMPILED
        self.known[key] = call
        return call.finish(model, *found)


def _is_tracing() -> bool:
    """Whether a function of the user's is being compiled around this call."""
    return isinstance(jnp.zeros(()) + 1, jax.core.Tracer)


class Call:
    """One compiled call.

    Args:
        variables: the model's variables.
        given: arguments like those of all calls.
        leaves: the leaves of these.
    """

    def __init__(self, variables: tuple[Variable, ...], given: tuple[tuple, dict], leaves: list):
        self.variables = variables
        self._like = tree.map_structure(lambda leaf: 0, given, none_is_leaf=False)
        self._flags = [leaf if isinstance(leaf, bool) else None for leaf in leaves]
        self._pack: Callable[[list], Any] = lambda outputs: outputs
        self._owners: list[Layer] = []  # of the losses
        self._model: Any = None  # while it is traced
        self.has_run = False
        options = xla.compiler_options() or None
        self._function = jax.jit(self._pure, compiler_options=options)

    def run(self, model: object, leaves: list) -> tuple:
        """Compute; nothing is done to the model yet."""
        self._model = model
        arrays = [leaf for leaf in leaves if not isinstance(leaf, bool)]
        found = self._function(values_for_call(self.variables), arrays)
        self.has_run = True
        return found

    def finish(self, model: Any, outputs: list, masks: dict, losses: list, changes: dict) -> Any:
        """Do to the model and the outputs what the call would have done."""
        if changes:  # which a computation that fails must not reach
            values = list(changes.values())
            keep_after_call([self.variables[index] for index in changes], jax.block_until_ready(values))
        model.keep_losses(losses, self._owners)
        for index, mask in masks.items():
            set_mask(outputs[index], mask)
        return self._pack(outputs)

    def _pure(self, state: list, arrays: list) -> tuple[list, dict, list, dict]:
        """The flat outputs, their masks and the changed variables by position, and the losses."""
        given = iter(arrays)
        leaves = [next(given) if flag is None else flag for flag in self._flags]
        args, kwargs = tree.in_order_of(self._like, jax.tree.unflatten(jax.tree.structure(self._like), leaves))
        values = _Closed(zip(self.variables, state, strict=True))
        losses = LossesOfCall()
        with context.scope(states=(values,), losses=losses):
            result = Layer.__call__(self._model, *args, **kwargs)
        self._owners = losses.owners
        outputs = tree.flatten(result)
        if not all(isinstance(output, jax.Array) for output in outputs):
            raise TypeError("Outputs that are not arrays cannot come out of a compiled function.")
        self._pack = _packer(result)
        masks = {index: get_mask(output) for index, output in enumerate(outputs) if get_mask(output) is not None}
        after = [values[variable] for variable in self.variables]
        return outputs, masks, [jnp.asarray(loss) for loss in losses], changed_values(state, after)


class _Closed(dict):
    """Values of a model's variables; no other variable can be read or assigned."""

    def __contains__(self, variable: Any) -> bool:
        if not super().__contains__(variable):
            raise LookupError(f"{variable.path} is not a variable of the model.")
        return True

    def __setitem__(self, variable: object, value: object) -> None:
        if variable in self:
            super().__setitem__(variable, value)


def _packer(result: object) -> Callable[[list], object]:
    """What puts flat outputs into the structure of `result`."""
    if not tree.is_nested(result):
        return lambda outputs: outputs[0]
    skeleton = tree.map_structure(lambda output: 0, result)
    return lambda outputs: tree.pack_sequence_as(skeleton, outputs)


# ---------------------------------------------------------------- which models


def _calls_of(model: "Model") -> Calls | None:
    """What holds the compiled calls of `model` as it is now; None where a call may do what only Python does."""
    model._call_structures += 1
    if model._call_structures > MOST_CHANGES:
        return None
    try:
        return Calls(model, purity.read(_operations(model)))
    except purity.Impure as reason:
        if model._call_structures == 1:
            _say_why(model, str(reason))
        return None


def _say_why(model: object, reason: str) -> None:
    _log.info("%s: model(x) runs operation by operation, because %s.", validate.describe(model), reason)


def _operations(model: "Model") -> Iterator[Operation]:
    """The model, the layers inside, and the functions in their graphs."""
    for layer in model._flatten_layers():
        yield layer
        yield from (part for part in getattr(layer, "operations", ()) if not isinstance(part, Layer))
