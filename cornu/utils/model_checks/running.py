"""A model as a pure function, and the values in its layers while it runs."""

from typing import Any

import jax

from cornu import layers, registry, validate
from cornu.core import context, dtypes, promises
from cornu.core.masks import get_mask
from cornu.core.operation import Operation
from cornu.core.typing import AnyFunction, AnyList, Nested, Tensor
from cornu.core.variable import Variable, functional, values_of
from cornu.layers.layer import Layer, LossesOfCall
from cornu.models.model import Model
from cornu.random.seed_generator import SeedGenerator, global_seed_generator
from cornu.training import step
from cornu.training.watch import path_of


class Run:
    """A model as pure functions of its variables' values and its inputs."""

    def __init__(self, model: Any):
        self.model = model
        self.variables: list[Variable] = [*model.variables, *global_seed_generator().variables]
        self.trainable = [v for v in model.trainable_variables if dtypes.is_float(v._dtype)]

    def outputs(
        self, x: Tensor, training: bool, watch: AnyFunction | None = None, values: list[jax.Array] | None = None,
        losses: list[jax.Array] | None = None,
    ) -> Nested:  # fmt: skip
        """The outputs for inputs; the model is not changed."""

        def run() -> Nested:
            with context.scope(losses=LossesOfCall(), watch=watch):
                found = self.model(x, **step.mode(self.model, training))
                if losses is not None:
                    losses.extend(context.current().losses or [])
                return found

        pure = functional(run, self.variables)
        return pure(values_of(self.variables) if values is None else values)[0]

    def function(self, call: AnyFunction) -> AnyFunction:
        """`call`, compiled if the model's calls should be."""
        return jax.jit(call) if self.model.jit_compile else call


class Record:
    """Records the inputs and outputs of each call; cornu's own layers are treated as a whole."""

    def __init__(self, change: AnyFunction | None = None, keeps: bool = True):
        self._keeps = keeps
        self.calls: list[tuple[str, Operation, list[Tensor], list[Tensor]]] = []
        self.causal: list[str] = []
        self.masking = False
        self._change = change
        self._whole = 0

    def __call__(self, operation: Any, function: AnyFunction, *args: Any, **kwargs: Any) -> Nested:
        arguments = args[0] if isinstance(operation, Layer) and args and isinstance(args[0], dict) else kwargs
        path = path_of(operation)
        if arguments.get("use_causal_mask") is True or getattr(operation, "padding", None) == "causal":
            self.causal.append(path)
        self.masking |= makes_masks(operation)
        inside, whole = self._whole, is_cornus(operation)
        self._whole += whole
        try:
            outputs = function(*args, **kwargs)
        finally:
            self._whole = inside
        if self._change is not None:
            outputs = self._change(operation, arguments, outputs)
        if not inside and self._keeps:
            self.calls.append((path, operation, arrays((args, kwargs)), arrays(outputs)))
        return outputs


def arrays(structure: object) -> list[tuple[object, object]]:
    """(array, its mask) for the numeric arrays with concrete values."""
    found = [leaf for leaf in jax.tree.leaves(structure) if isinstance(leaf, jax.Array)]
    return [(leaf, get_mask(leaf)) for leaf in found if not isinstance(leaf, jax.core.Tracer)]


def shown(operation: Any) -> str:
    """A description of an operation: `Dense "hidden"`, or `Log "log"` for a function."""
    return f'{getattr(operation, "class_name", type(operation).__name__)} "{operation.name}"'


def is_cornus(operation: object) -> bool:
    """Whether a layer, with everything in it, runs only cornu's own code."""
    if not isinstance(operation, Layer) or isinstance(operation, (Model, layers.Lambda)):
        return False
    return all(registry.is_builtin(type(part).call) for part in operation._flatten_layers())


def makes_masks(operation: object) -> bool:
    return isinstance(operation, layers.Masking) or (isinstance(operation, layers.Embedding) and operation.mask_zero)


def as_in_inference(operation: object, function: AnyFunction, *args: object, **kwargs: object) -> Nested:
    """Call layers that differ in training by design in inference mode."""
    if not differs_by_nature(operation):
        return function(*args, **kwargs)
    with context.scope(training=False):
        return function(args[0], False)


def through(record: Record) -> AnyFunction:
    """A watch that calls layers which differ by design in inference mode, and lets `record` record the calls."""

    def watch(operation: object, function: AnyFunction, *args: object, **kwargs: object) -> Nested:
        return record(operation, lambda *a, **k: as_in_inference(operation, function, *a, **k), *args, **kwargs)

    return watch


def has_modes(layer: Layer) -> bool:
    """Whether a layer uses random numbers or statistics."""
    return any(True for part in layer._flatten_layers() for _ in part._parts(SeedGenerator)) or any(
        not variable.trainable for variable in layer.non_trainable_weights
    )


def first_of(found: AnyList) -> str:
    """The first of some layers, and how many more there are."""
    return validate.describe(found[0]) + (f" and {len(found) - 1} more" if len(found) > 1 else "")


def differs_by_nature(operation: object) -> bool:
    if not isinstance(operation, Layer) or isinstance(operation, Model):
        return False
    return promises.kept(operation, "rowwise") == "inference" or (
        is_cornus(operation) and operation._call_accepts("training")
    )
