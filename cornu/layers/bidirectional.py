"""`Bidirectional`: a recurrent layer run over a sequence in both directions."""

from collections.abc import Sequence
from typing import Unpack, cast

import jax
import jax.numpy as jnp

from cornu import registry, tree, validate
from cornu.core.typing import AnyFunction, ArrayLike, Nested, NestedShapes, Shape
from cornu.layers.input_spec import InputSpec
from cornu.layers.layer import Layer
from cornu.layers.options import LayerOptions
from cornu.layers.rnn import RNN
from cornu.layers.wrapper import OuterLayer

__all__ = ["Bidirectional"]

_MERGES: dict[str | None, AnyFunction | None] = {
    "concat": lambda a, b: jnp.concatenate([a, b], axis=-1),
    "sum": jnp.add,
    "ave": lambda a, b: (a + b) / 2,
    "mul": jnp.multiply,
    None: None,
}
_SHARED = ("stateful", "return_sequences", "return_state")


class Bidirectional(OuterLayer):
    """Run a recurrent layer forward and another one backward, and merge their outputs step by step.

    Args:
        layer: an `RNN`, `LSTM`, `GRU`, ... or a layer with the same arguments and attributes. It is copied.
        merge_mode: "concat", "sum", "mul", "ave", or None for a pair of outputs.
        weights: initial weights, those of the forward layer followed by those of the backward one. None by default.
        backward_layer: the layer for the backward direction, whose `go_backwards` must be the opposite; None copies
        `layer`.

    Call arguments: as in `RNN`; the first half of `initial_state` is for the forward layer.

    Shapes: as for `layer`, with twice as many features for "concat"; with `return_state` the output is followed by the
    states of the forward layer and then those of the backward one.

    Schuster and Paliwal, Bidirectional recurrent neural networks, 1997.

    Example:

        layer = cornu.layers.Bidirectional(cornu.layers.LSTM(4, return_sequences=True))
        print(layer(np.ones((2, 5, 3))).shape)  # (2, 5, 8)
    """

    pure_call = rowwise = True
    config_skip: tuple[str, ...] = (*Layer.config_skip, "weights")

    def __init__(
        self,
        layer: Layer,
        merge_mode: str | None = "concat",
        weights: Sequence[ArrayLike] | None = None,
        backward_layer: Layer | None = None,
        **kwargs: Unpack[LayerOptions],
    ):
        super().__init__(**kwargs)
        self._check_layer(layer, "layer")
        self.merge_mode = validate.one_of(merge_mode, tuple(_MERGES), "merge_mode", self)
        layer = cast(RNN, layer)  # or a layer with the same attributes, as checked above
        self.forward_layer = _copy(layer, "forward", go_backwards=layer.go_backwards)
        if backward_layer is None:
            self.backward_layer = _copy(layer, "backward", go_backwards=not layer.go_backwards)
        else:
            self._check_layer(backward_layer, "backward_layer")
            self.backward_layer = cast(RNN, backward_layer)
        self._check_match()
        for one in (self.forward_layer, self.backward_layer):
            one.zero_output_for_mask = self.return_sequences  # merging repeated outputs would be meaningless
        self._first_weights = weights
        self.supports_masking = True
        self.input_spec = InputSpec(min_ndim=3)

    def _check_layer(self, layer: object, name: str) -> None:
        if not isinstance(layer, Layer) or not hasattr(layer, "go_backwards"):
            raise ValueError(
                f"{validate.describe(self)}: {name} must be a recurrent layer, such as RNN, LSTM or GRU. "
                f"Received: {name}={validate.shown(layer)}."
            )

    def _check_match(self) -> None:
        forward, backward = self.forward_layer, self.backward_layer
        if forward.go_backwards == backward.go_backwards:
            raise ValueError(
                f"{validate.describe(self)}: the two layers must run in opposite directions. "
                f"Received: go_backwards={forward.go_backwards} for both. Create backward_layer with "
                f"go_backwards={not forward.go_backwards}."
            )
        for name in _SHARED:
            a, b = getattr(forward, name), getattr(backward, name)
            if a != b:
                raise ValueError(
                    f"{validate.describe(self)}: {name} must be the same in both layers. Received: {a} and {b}."
                )

    @property
    def layer(self) -> Layer:
        """The forward layer, under the name used in the constructor."""
        return self.forward_layer

    @property
    def stateful(self) -> bool:
        """Whether the layers keep their states between batches."""
        return self.forward_layer.stateful

    @property
    def return_sequences(self) -> bool:
        """Whether the outputs of all steps are returned."""
        return self.forward_layer.return_sequences

    @property
    def return_state(self) -> bool:
        """Whether the final states are returned."""
        return self.forward_layer.return_state

    @property
    def states(self) -> list[jax.Array] | None:
        """The stored states of both layers, or None."""
        forward, backward = (getattr(layer, "states", None) for layer in (self.forward_layer, self.backward_layer))
        return None if forward is None or backward is None else [*forward, *backward]

    def reset_state(self) -> None:
        """Reset the stored states of both layers to the initial states."""
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    def reset_states(self) -> None:
        """The old name of `reset_state`."""
        self.reset_state()

    def build(self, sequences_shape: Shape, initial_state_shape: NestedShapes = None) -> None:
        """Build both layers."""
        self.forward_layer.build(sequences_shape)
        self.backward_layer.build(sequences_shape)
        if self._first_weights is not None:
            self.set_weights(self._first_weights)

    def call(
        self, sequences: jax.Array, initial_state: Nested = None, mask: Nested = None, training: bool | None = None
    ) -> Nested:
        """The merged output, or a tuple with the pair of outputs and the states, if requested."""
        forward_state, backward_state = self._halves(initial_state)
        with self._lending(self.forward_layer):
            forward = self.forward_layer(sequences, initial_state=forward_state, mask=mask, training=training)
        with self._lending(self.backward_layer):
            backward = self.backward_layer(sequences, initial_state=backward_state, mask=mask, training=training)
        states: tuple[jax.Array, ...] = ()
        if self.return_state:
            states = (*forward[1:], *backward[1:])
            forward, backward = forward[0], backward[0]
        if self.return_sequences:
            backward = jnp.flip(backward, axis=1)
        merge = _MERGES[self.merge_mode]
        outputs = (forward, backward) if merge is None else (merge(forward, backward),)
        return (*outputs, *states) if len(outputs) + len(states) > 1 else outputs[0]

    def _halves(self, initial_state: Nested) -> tuple[object, object]:
        if initial_state is None:
            return None, None
        states = list(initial_state)
        if len(states) % 2:
            raise ValueError(
                f"{validate.describe(self)}: initial_state must contain the states of the forward layer followed by as "
                "many "
                f"of the backward one. Received: {len(states)} states."
            )
        half = len(states) // 2
        return states[:half], states[half:]

    def compute_mask(self, _: object, mask: Nested) -> Nested:
        """The mask of the steps if sequences are returned; the last output and the states have none."""
        mask = tree.flatten(mask)[0]
        mask = mask if self.return_sequences else None
        outputs = [mask, mask] if self.merge_mode is None else [mask]
        if self.return_state:
            states = [*tree.flatten(self.forward_layer.state_size), *tree.flatten(self.backward_layer.state_size)]
            outputs += [None] * len(states)
        return outputs if len(outputs) > 1 else outputs[0]


def _copy(layer: RNN, direction: str, go_backwards: bool) -> RNN:
    """A new layer like `layer`, named after its direction."""
    name = f"{direction}_{layer.name.removeprefix('forward_')}"
    classes = {type(part).__name__: type(part) for part in layer._flatten_layers()}
    with registry.custom_objects(classes):
        copy = type(layer).from_config(layer.get_config() | {"name": name, "go_backwards": go_backwards})
    return cast(RNN, copy)
