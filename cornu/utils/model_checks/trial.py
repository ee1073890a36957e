"""A model under test: its runs on the inputs, which each check compares with its own runs."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cornu.core.typing import AnyFunction, AnyTuple
from cornu.core.variable import values_of
from cornu.utils.model_checks.comparing import first_difference, same
from cornu.utils.model_checks.report import FAULT, Finding
from cornu.utils.model_checks.running import Record, Run, as_in_inference, shown, through

_COMPILED = {"float16": 2e-2, "bfloat16": 5e-2}  # for a different order of operations; by a layer's dtype


class Trial:
    """One model on some inputs.

    Args:
        model: the model.
        x: the inputs.
        causal: the user's declaration of causality.

    Attributes:
        run: the model as pure functions.
        rows: number of rows in the inputs.
        look: facts collected in the model's first run.
        eager: its outputs, operation by operation.
        outputs: the outputs of the compiled model, flat.
        tolerance: tolerance for outputs computed in a different order.
        findings: the results of the checks so far.
    """

    def __init__(self, model: Any, x: object, causal: object):
        self.model, self.x, self.causal = model, x, causal
        self.run = Run(model)
        self.rows = len(next(leaf for leaf in jax.tree.leaves(x)))
        self.look = Record(keeps=False)
        self.eager = self.run.outputs(x, False, self.look)
        self._compiled = self.run.function(lambda values, x: self.run.outputs(x, False, values=values))
        self.outputs = self.infer(x)
        self._training = self.run.function(self._train)
        self.findings: list[Finding] = []
        found = {layer.compute_dtype for layer in model._flatten_layers()}
        self.tolerance = max(_COMPILED.get(dtype, 1e-4) for dtype in found)

    def infer(self, x: object) -> list[jax.Array]:
        """The flat outputs of the compiled model."""
        return jax.tree.leaves(self._compiled(values_of(self.run.variables), x))

    def _train(self, values: list[jax.Array], x: object, cotangents: list[jax.Array]) -> AnyTuple:
        """(outputs, gradients) in training, with layers that differ by design in inference mode."""
        index = {id(v): i for i, v in enumerate(self.run.variables)}
        places = [index[id(v)] for v in self.run.trainable]

        def total(weights: list[jax.Array]) -> AnyTuple:
            merged = list(values)
            for place, weight in zip(places, weights, strict=True):
                merged[place] = weight
            losses: list[jax.Array] = []
            outputs = jax.tree.leaves(self.run.outputs(x, True, as_in_inference, merged, losses))
            floats = [o for o in outputs if jnp.issubdtype(o.dtype, jnp.floating)]
            parts = [jnp.sum(o.astype("float32") * c) for o, c in zip(floats, cotangents, strict=True)]
            scale = cotangents[0].reshape(-1)[0] if cotangents else 1.0
            parts += [jnp.sum(jnp.asarray(loss, "float32")) * scale for loss in losses]
            return sum(parts[1:], parts[0]) if parts else jnp.zeros(()), outputs

        (_, outputs), gradients = jax.value_and_grad(total, has_aux=True)([values[place] for place in places])
        return outputs, gradients

    def trained(self, x: object, values: list[jax.Array] | None = None, fill: float | None = None) -> AnyTuple:
        """(flat outputs, gradients) in training; `fill` is the gradient of the outputs, None for random values."""
        floats = [o for o in self.outputs if jnp.issubdtype(o.dtype, jnp.floating)]
        draw = np.random.default_rng(0)
        made = [np.full(o.shape, fill) if fill is not None else draw.uniform(0.5, 1.5, o.shape) for o in floats]
        cotangents = [jnp.asarray(c, "float32") for c in made]
        return self._training(values_of(self.run.variables) if values is None else values, x, cotangents)

    def fault_at(
        self, check: str, x: object, other: object, part: AnyFunction, what: str, training: bool = False,
        changes: tuple[AnyFunction | None, AnyFunction | None] = (None, None),
    ) -> Finding:  # fmt: skip
        """The finding for a difference, with the layer that causes it."""
        records = []
        for inputs, change in zip((x, other), changes, strict=True):
            record = Record(change)
            watch = record if not training else through(record)
            self.run.outputs(inputs, training, watch)
            records.append(record)
        path, operation = first_difference(records[0], records[1], part)
        layer = f" The first affected layer: {shown(operation)}." if path else ""
        return Finding(check, FAULT, path, what + layer)

    def are_same(self, some: list[jax.Array], others: list[jax.Array]) -> bool:
        """Whether outputs computed in a different order are equal."""
        return all(same(a, b, tolerance=self.tolerance) for a, b in zip(some, others, strict=True))
