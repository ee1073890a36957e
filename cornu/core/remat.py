"""Trading time for memory: activations that are recomputed for the gradient instead of being kept.

A `RematScope` selects the layers created in it that do so; `remat` applies it to one function. Both are
`jax.checkpoint`.
Chen et al., "Training deep nets with sublinear memory cost", 2016, https://arxiv.org/abs/1604.06174
"""

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import jax

from cornu import validate
from cornu.core import context, number_arguments
from cornu.core.symbolic import KerasTensor, output_spec
from cornu.core.typing import AnyFunction, Args, Kwargs, Nested

if TYPE_CHECKING:
    from cornu.layers.layer import Layer

_MODES = ("full", "activations", "larger_than", "list_of_layers", None)


class RematScope:
    """Scope whose layers keep only their inputs for the gradient.

    The scope in which a layer is created counts, wherever it is called. A layer that contains others is recomputed as a
    whole; the layers of a model are recomputed one at a time, so that only one layer's activations are in memory at
    once.

    Args:
        mode: "full" for every layer, "activations" for activation layers, "larger_than" for layers with an output of
            more than `output_size_threshold` elements, "list_of_layers" for the named ones, None for none. Defaults to
            "full".
        output_size_threshold: number of output elements above which "larger_than" applies.
        layer_names: layer names for "list_of_layers".

    Example:

        with cornu.RematScope(mode="full"):
            model = cornu.Sequential([cornu.Input((4,)), cornu.layers.Dense(2)])
        model.compile("sgd", "mse")
        model.fit(np.ones((8, 4)), np.ones((8, 2)), verbose=0)
    """

    @number_arguments.checked
    def __init__(
        self, mode: str | None = "full", output_size_threshold: int = 1024, layer_names: Sequence[str] | None = None
    ):
        self.mode = validate.one_of(mode, _MODES, "mode", "RematScope")
        self.output_size_threshold = output_size_threshold
        self.layer_names = tuple(layer_names or ())

    def __enter__(self) -> "RematScope":
        self._scope = context.scope(remat=self)
        self._scope.__enter__()
        return self

    def __exit__(self, *details: Any) -> None:
        self.__dict__.pop("_scope").__exit__(*details)

    def applies_to(self, layer: "Layer", args: Args, kwargs: Kwargs) -> bool:
        """Whether `layer`, called on these arrays, should keep no activations."""
        if self.mode == "list_of_layers":
            return layer.name in self.layer_names
        if self.mode == "activations":
            return not layer.weights and "activation" in type(layer).__module__
        if self.mode == "larger_than":
            spec = output_spec(layer.call, *args, **kwargs)
            shapes = [x.shape for x in jax.tree.leaves(spec) if isinstance(x, KerasTensor)]
            sizes = [math.prod(cast(tuple[int, ...], shape)) for shape in shapes]
            return max(sizes, default=0) > self.output_size_threshold
        return self.mode == "full"


def remat(f: AnyFunction) -> AnyFunction:
    """`f`, with intermediate values that are recomputed for the gradient.

    Args:
        f: function of tensors, such as a layer or a method that calls layers. Variables that it reads have their
            values at the time of each call.

    Example:

        f = cornu.remat(lambda x: cornu.ops.sin(cornu.ops.sin(x)))
        print(f(np.zeros(2)))
    """

    @functools.wraps(f, updated=())
    def recomputed(*args: Any, **kwargs: Any) -> Nested:
        def traced_now(*args: Any, **kwargs: Any) -> Nested:
            return f(*args, **kwargs)

        # JAX remembers what it traced for a function, with the values that variables had then.
        return jax.checkpoint(traced_now)(*args, **kwargs)

    return recomputed
