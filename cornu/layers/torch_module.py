"""PyTorch modules as layers: PyTorch computes on the host, and JAX stores the weights and differentiates.

A call passes weights, buffers and inputs to PyTorch on the CPU and returns its results; for a gradient, PyTorch
computes the same again and runs its backward pass. This works in compiled code too, but the transfers make it slow: it
is meant for experiments and migration, not for speed.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import ModuleType
from typing import Any, Unpack

import jax
import jax.numpy as jnp
import numpy as np

from cornu import validate
from cornu.core import context
from cornu.core.policy import PolicyLike
from cornu.core.symbolic import KerasTensor
from cornu.core.typing import Args, Config, ConfigDict, Nested, Tensor
from cornu.core.variable import Variable
from cornu.layers.layer import Layer
from cornu.layers.options import UnnamedOptions
from cornu.random import SeedGenerator


class TorchModuleWrapper(Layer):
    """A layer that calls a PyTorch module and stores its parameters and buffers as weights.

    Args:
        module: a `torch.nn.Module`; a lazy one must have been called once.
        name: name. None derives one from the class name.
        output_shape: shape of the output including the batch. None by default, to infer it.

    Input shape:
        What the module accepts, as one or several arguments.

    Output shape:
        What the module returns.

    https://keras.io/api/layers/backend_specific_layers/torch_module_wrapper/

    Example:

        import torch

        layer = cornu.layers.TorchModuleWrapper(torch.nn.Linear(3, 2))
        print(layer(np.ones((1, 3), "float32")).shape)  # (1, 2)
    """

    pure_call = rowwise = False  # nothing is known about the module

    def __init__(
        self,
        module: object,
        name: str | None = None,
        output_shape: Sequence[int | None] | None = None,
        **kwargs: Unpack[UnnamedOptions],
    ):
        super().__init__(name=name, **kwargs)
        torch = validate.optional_import("torch", purpose="TorchModuleWrapper", extra="torch")
        if not isinstance(module, torch.nn.Module):
            raise ValueError(
                f"{validate.describe(self)}: module must be a torch.nn.Module. Received: {validate.shown(module)}."
            )
        self.module = module
        self.output_shape = None if output_shape is None else tuple(output_shape)
        self.module_parameters = self._weights_of(module.named_parameters(), trainable=True)
        self.module_buffers = self._weights_of(module.named_buffers(), trainable=False)
        self.seed_generator = SeedGenerator()
        self.built = True

    def _weights_of(self, named: Iterator[tuple[str, Tensor]], trainable: bool) -> dict[str, Variable]:
        found = {}
        for name, tensor in named:
            array = jnp.asarray(tensor.detach().cpu().numpy())
            start = partial(_given, array)
            kept = name.replace(".", "_")
            found[name] = self.add_weight(array.shape, start, array.dtype.name, trainable=trainable, name=kept)
        return found

    def parameters(self, recurse: bool = True) -> list[Variable]:
        """The trainable weights.

        Args:
            recurse: whether to include those of submodules. Defaults to True.
        """
        return [variable for name, variable in self.module_parameters.items() if recurse or "." not in name]

    def call(self, *args: Nested, training: bool | None = None) -> Nested:
        """The module's outputs for the inputs."""
        mode = bool(context.training() if training is None else training)
        weights = {name: variable.value for name, variable in self.module_parameters.items()}
        buffers = {name: variable.value for name, variable in self.module_buffers.items()}
        outputs, changed = self._function(mode)(weights, buffers, self.seed_generator.next(), args)
        if mode:
            for name, value in changed.items():
                self.module_buffers[name].assign(value)
        return outputs

    def _function(self, training: bool) -> Callable[..., tuple[Nested, dict[str, jax.Array]]]:
        """The module as a differentiable JAX function: `(outputs, new buffers)`."""

        @jax.custom_vjp
        def run(weights: dict[str, jax.Array], buffers: dict[str, jax.Array], seed: jax.Array, args: Args) -> Nested:
            shapes = self._shapes(training, weights, buffers, args)
            compute = partial(self._forward, training)
            return jax.pure_callback(compute, shapes, weights, buffers, seed, args, vmap_method="sequential")

        def forward(*given: Nested) -> tuple[Nested, tuple[jax.Array, ...]]:
            return run(*given), given

        def backward(given: Args, wanted: Nested) -> Args:
            weights, _, _, args = given
            floats = [x for x in jax.tree_util.tree_leaves(args) if jnp.issubdtype(x.dtype, jnp.floating)]
            shapes = jax.tree_util.tree_map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), (weights, floats))
            compute = partial(self._backward, training)
            of_weights, of_floats = jax.pure_callback(compute, shapes, *given, wanted[0], vmap_method="sequential")
            waiting = iter(of_floats)
            of_args = [next(waiting) if jnp.issubdtype(x.dtype, jnp.floating) else None for x in args]
            return of_weights, None, None, tuple(of_args)

        run.defvjp(forward, backward)
        return run

    def _shapes(
        self, training: bool, weights: dict[str, jax.Array], buffers: dict[str, jax.Array], args: Args
    ) -> Nested:
        """Shapes and dtypes of the outputs, inferred by PyTorch without computing."""
        torch = _torch()
        told = jax.tree_util.tree_map(
            lambda x: torch.empty(x.shape, dtype=getattr(torch, x.dtype.name), device="meta"), (weights, buffers, args)
        )
        with torch.no_grad():
            outputs, changed = self._call_module(training, *told)
        of = lambda x: jax.ShapeDtypeStruct(tuple(x.shape), jnp.dtype(str(x.dtype).removeprefix("torch.")))  # noqa: E731
        return jax.tree_util.tree_map(of, (outputs, changed))

    def _call_module(
        self, training: bool, weights: dict[str, jax.Array], buffers: dict[str, jax.Array], args: Args
    ) -> tuple[Nested, dict[str, jax.Array]]:
        """The module's outputs, and its buffers afterwards."""
        before = self.module.training
        self.module.train(training)
        try:
            return _torch().func.functional_call(self.module, {**weights, **buffers}, tuple(args)), buffers
        finally:
            self.module.train(before)

    def _forward(
        self, training: bool, weights: dict[str, jax.Array], buffers: dict[str, jax.Array], seed: Tensor, args: Args
    ) -> Nested:
        torch = _torch()
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(np.asarray(seed)[-1]))
            results = self._call_module(training, *map(_tensors, (weights, buffers, args)))
        return jax.tree_util.tree_map(lambda x: x.numpy(), results)

    def _backward(
        self,
        training: bool,
        weights: dict[str, jax.Array],
        buffers: dict[str, jax.Array],
        seed: Tensor,
        args: Args,
        wanted: Nested,
    ) -> Nested:
        torch = _torch()
        weights, buffers, args, wanted = map(_tensors, (weights, buffers, args, wanted))
        floats = [x for x in jax.tree_util.tree_leaves(args) if x.is_floating_point()]
        sources = [x.requires_grad_() for x in (*weights.values(), *floats)]
        with torch.enable_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(np.asarray(seed)[-1]))
            outputs, _ = self._call_module(training, weights, buffers, args)
        pairs = zip(jax.tree_util.tree_leaves(outputs), jax.tree_util.tree_leaves(wanted), strict=True)
        counting = [(x, g) for x, g in pairs if x.requires_grad]
        outputs, wanted = [x for x, _ in counting], [gradient for _, gradient in counting]
        found = torch.autograd.grad(outputs, sources, wanted, allow_unused=True)
        gradients = [
            np.zeros(x.shape, np.float32) if gradient is None else gradient.numpy()
            for x, gradient in zip(sources, found, strict=True)
        ]
        return dict(zip(weights, gradients[: len(weights)], strict=True)), gradients[len(weights) :]

    def compute_output_spec(self, *args: Nested, **kwargs: Any) -> Nested:
        """The symbolic output, of the given shape or the one inferred by the module."""
        if self.output_shape is None:
            return super().compute_output_spec(*args, **kwargs)
        return KerasTensor(self.output_shape, self.compute_dtype)

    def get_config(self) -> ConfigDict:
        """Always raises: a PyTorch module is code, which files cannot contain.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(
            f"{validate.describe(self)}: a PyTorch module cannot be saved in a file, which contains only data. Keep "
            "the "
            "code that creates the model, and save its weights: model.save_weights(...)."
        )

    @classmethod
    def from_config(cls, config: Config) -> "TorchModuleWrapper":
        """Always raises: a Keras config of this class contains code.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            "The config contains Keras's TorchModuleWrapper: a pickled PyTorch module, which could run anything where "
            "it is read. Create the layer from the module again, and load the weights."
        )


def _torch() -> ModuleType:
    return validate.optional_import("torch", purpose="TorchModuleWrapper", extra="torch")


def _given(array: jax.Array, shape: object, dtype: PolicyLike | None = None) -> jax.Array:
    return array


def _tensors(arrays: Nested) -> Nested:
    """Arrays as writable PyTorch tensors."""
    return jax.tree_util.tree_map(lambda x: _torch().from_numpy(np.array(x)), arrays)


__all__ = ["TorchModuleWrapper"]
