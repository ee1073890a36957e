"""Layers one after another as one layer, most often those that prepare images."""

from collections.abc import Sequence

from cornu import validate
from cornu.core.configurable import deserialize_keras_object, serialize_keras_object
from cornu.core.typing import Config, ConfigDict, Nested
from cornu.layers.layer import Layer


class Pipeline(Layer):
    """Calls its layers one after another.

    Args:
        layers: the layers.
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
            raise ValueError(f"{validate.describe(self)}: layers must be layers. Received: {validate.shown(layers)}.")

    def call(self, inputs: Nested, training: bool = True, mask: Nested = None) -> Nested:
        """What the last layer makes of the inputs."""
        for position, layer in enumerate(self.layers):
            given = {"training": training, "mask": mask if position == 0 else None}
            inputs = layer(inputs, **{k: v for k, v in given.items() if v is not None and layer._call_accepts(k)})
        return inputs

    def get_config(self) -> ConfigDict:
        """The layers, as plain data, and the name."""
        return {"layers": [serialize_keras_object(layer) for layer in self.layers], "name": self.name}

    @classmethod
    def from_config(cls, config: Config) -> "Pipeline":
        """A pipeline of the layers that `get_config` wrote down."""
        return cls(**{**config, "layers": [deserialize_keras_object(layer) for layer in config["layers"]]})


__all__ = ["Pipeline"]
