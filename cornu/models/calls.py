"""`model(x)` as one compiled function.

Called on arrays, a model would run its operations one by one, each with overhead. For a model whose calls have no side
effects (see `purity`), a compiled function does the same: it reads and assigns variables and attaches masks and losses.
So such a model is compiled, once for each input shape, with its variables as the state. Everything else (code with side
effects, text, symbolic tensors, tracers, inputs with masks, nested calls) runs operation by operation, and so does
anything that turns out not to compile; the log says why.

The compiled functions belong to the model's structure: they are discarded when a part or an attribute of a part is
replaced.
"""

import logging
from collections.abc import Callable, Hashable, Iterator
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from cornu import settings, tree, validate
from cornu.core import border, context, host_programs, placement, promises
from cornu.core.masks import get_mask, set_mask
from cornu.core.operation import Operation
from cornu.core.typing import AnyTuple, Args, Kwargs, Leaves, Tensor
from cornu.core.variable import Variable, changed_values
from cornu.kernels import platform, xla
from cornu.layers.layer import Layer, LossesOfCall
from cornu.models import purity
from cornu.random.seed_generator import keep_after_call, values_for_call
from cornu.training.execution.signature import of_array

if TYPE_CHECKING:
    from cornu.models.model import Model

_log = logging.getLogger(__name__)

MOST_SHAPES = 32  # per model; calls on more shapes run operation by operation
MOST_CHANGES = 16  # structure changes per model, after which it is no longer compiled

NOT_COMPILED = object()

# Dtypes of NumPy arrays that a compiled function accepts; others are converted first, or rejected.
_PLAIN = frozenset(np.dtype(n) for n in ("bool", "int8", "int16", "int32", "uint8", "uint16", "uint32", "float16",
                                         "float32", "float64"))  # fmt: skip


def run(model: "Model", args: Args, kwargs: Kwargs) -> Any:
    """The outputs of a compiled call, or NOT_COMPILED if the call must run operation by operation."""
    if not context.is_clear() or not model.built or not model.jit_compile:
        return NOT_COMPILED
    if host_programs.fits(args) and all(promises.kept(layer, "changes_images") for layer in model.layers):
        return NOT_COMPILED
    try:
        leaves, treedef = jax.tree.flatten((args, kwargs))
    except (TypeError, ValueError):  # a dictionary with keys that cannot be sorted
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
    """What a compiled call assumes about an argument: an array's shape and dtype, a flag's value; None if
    unsupported."""
    if isinstance(leaf, np.ndarray):
        return of_array(leaf) if leaf.dtype in _PLAIN else None
    if isinstance(leaf, jax.Array):
        return None if isinstance(leaf, jax.core.Tracer) or get_mask(leaf) is not None else of_array(leaf)
    return (leaf,) if isinstance(leaf, bool) else None


class Calls:
    """The compiled calls of one model with one structure.

    Args:
        model: the model.
        watched: the external names that its code uses.
    """

    def __init__(self, model: Any, watched: list[purity.Watched]):
        self.variables: tuple[Variable, ...] = tuple(model.variables)
        self.known: dict[tuple[Hashable, ...], Call | None] = {}
        self._watched = watched

    def are_current(self) -> bool:
        """Whether everything that the code uses from outside is unchanged."""
        return all(each.holds() for each in self._watched)

    def __call__(self, model: object, given: tuple[Args, Kwargs], leaves: Leaves, key: tuple[Hashable, ...]) -> Any:
        """The outputs for the arguments, whose leaves are passed as well."""
        call = self.known.get(key)
        if call is None and (key in self.known or len(self.known) >= MOST_SHAPES):
            return NOT_COMPILED
        call = call or Call(self.variables, given, leaves)
        try:
            found = call.run(model, leaves)
        except Exception as error:  # operation by operation it works, or fails with a localized error
            if not call.has_run and not _is_tracing():
                if None not in self.known.values():
                    _say_why(model, f"compiling it fails with {type(error).__name__}")
                self.known[key] = None
            return NOT_COMPILED
        self.known[key] = call
        return call.finish(model, *found)


def _is_tracing() -> bool:
    """Whether a user's function is being traced around this call."""
    return isinstance(jnp.zeros(()) + 1, jax.core.Tracer)


class Call:
    """One compiled call.

    Args:
        variables: the model's variables.
        given: arguments representative of all calls.
        leaves: their leaves.
    """

    def __init__(self, variables: tuple[Variable, ...], given: tuple[Args, Kwargs], leaves: Leaves):
        self.variables = variables
        self._like = tree.map_structure(lambda leaf: 0, given, none_is_leaf=False)
        self._flags = [leaf if isinstance(leaf, bool) else None for leaf in leaves]
        self._pack: Callable[[list[Tensor]], Any] = lambda outputs: outputs
        self._owners: list[Layer] = []  # the layers that add the losses
        self._model: Any = None  # set during tracing
        self.has_run = False
        options = xla.compiler_options() or None
        self._function = jax.jit(self._pure, compiler_options=options)

    def run(self, model: object, leaves: Leaves) -> AnyTuple:
        """Compute, without changing the model yet."""
        self._model = model
        arrays = [leaf for leaf in leaves if not isinstance(leaf, bool)]
        found = self._function(values_for_call(self.variables), arrays)
        self.has_run = True
        return found

    def finish(
        self,
        model: Any,
        outputs: list[Tensor],
        masks: dict[int, Tensor],
        losses: list[jax.Array],
        changes: dict[int, Tensor],
    ) -> Any:
        """Apply the effects of the call to the model and the outputs."""
        if changes:  # not reached if the computation fails
            values = list(changes.values())
            keep_after_call([self.variables[index] for index in changes], jax.block_until_ready(values))
        model.keep_losses(losses, self._owners)
        for index, mask in masks.items():
            set_mask(outputs[index], mask)
        return self._pack(outputs)

    def _pure(
        self, state: list[jax.Array], arrays: list[jax.Array]
    ) -> tuple[list[Tensor], dict[int, Tensor], list[Tensor], dict[int, Tensor]]:
        """The flat outputs, their masks, the changed variables by index, and the losses."""
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
            raise TypeError("A compiled function can only return arrays.")
        self._pack = _packer(result)
        masks = {index: get_mask(output) for index, output in enumerate(outputs) if get_mask(output) is not None}
        after = [values[variable] for variable in self.variables]
        return outputs, masks, [jnp.asarray(loss) for loss in losses], changed_values(state, after)


class _Closed(dict[Any, Any]):
    """Values of a model's variables; no other variable can be read or assigned."""

    def __contains__(self, variable: Any) -> bool:
        if not super().__contains__(variable):
            raise LookupError(f"{variable.path} is not a variable of the model.")
        return True

    def __setitem__(self, variable: object, value: object) -> None:
        if variable in self:
            super().__setitem__(variable, value)


def _packer(result: object) -> Callable[[list[Tensor]], object]:
    """A function that packs flat outputs into the structure of `result`."""
    if not tree.is_nested(result):
        return lambda outputs: outputs[0]
    skeleton = tree.map_structure(lambda output: 0, result)
    return lambda outputs: tree.pack_sequence_as(skeleton, outputs)


# ---------------------------------------------------------------- eligible models


def _calls_of(model: "Model") -> Calls | None:
    """The compiled calls of `model` in its current state; None if a call may have side effects."""
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
    """The model, its layers, and the functions in their graphs."""
    for layer in model._flatten_layers():
        yield layer
        yield from (part for part in getattr(layer, "operations", ()) if not isinstance(part, Layer))
