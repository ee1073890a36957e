"""A sequence of layers as one layer, typically for image preprocessing."""

from collections.abc import Sequence

from cornu import validate
from cornu.core.configurable import deserialize_keras_object, serialize_keras_object
from cornu.core.typing import Config, ConfigDict, Nested
from cornu.layers.layer import Layer


class Pipeline(Layer):
    """Calls its layers in sequence.

    Args:
        layers: list of layers.
        name: name.

    Input shape:
        That of the first layer.

    Output shape:
        That of the last layer.

    Example:

        steps = cornu.layers.Pipeline([cornu.layers.RandomFlip(seed=1), cornu.layers.Rescaling(1 / 255)])
        y = steps(np.ones((1, 4, 4, 3)), training=True)
    """

    pure_call = rowwise = True
    layers: Sequence[Layer] = ()

    def __init__(self, layers: Sequence[Layer], name: str | None = None):
        super().__init__(name=name)
        self.layers = list(layers)
        if not all(isinstance(layer, Layer) for layer in self.layers):
            raise ValueError(
                f"{validate.describe(self)}: layers must be a list of layers. Received: {validate.shown(layers)}."
            )

    def call(self, inputs: Nested, training: bool = True, mask: Nested = None) -> Nested:
        """The result of the last layer."""
        for position, layer in enumerate(self.layers):
            given = {"training": training, "mask": mask if position == 0 else None}
            inputs = layer(inputs, **{k: v for k, v in given.items() if v is not None and layer._call_accepts(k)})
        return inputs

    def get_config(self) -> ConfigDict:
        """The layers, as plain data, and the name."""
        return {"layers": [serialize_keras_object(layer) for layer in self.layers], "name": self.name}

    @classmethod
    def from_config(cls, config: Config) -> "Pipeline":
        """A pipeline of the layers in the config."""
        return cls(**{**config, "layers": [deserialize_keras_object(layer) for layer in config["layers"]]})


__all__ = ["Pipeline"]
