"""`Wrapper`: a layer around one other layer."""

from collections.abc import Mapping
from typing import Any

from cornu import registry, validate
from cornu.layers.layer import Layer

__all__ = ["Wrapper"]


class Wrapper(Layer):
    """Base class of layers that hold one other layer; by itself it calls that layer.

    Args:
        layer: the layer inside.

    Example:

        class Twice(cornu.layers.Wrapper):
            def call(self, inputs):
                return self.layer(self.layer(inputs))

        print(Twice(cornu.layers.Dense(3))(np.ones((2, 3))).shape)  # (2, 3)
    """

    def __init__(self, layer: Layer, **kwargs: Any):
        super().__init__(**kwargs)
        if not isinstance(layer, Layer):
            raise ValueError(f"{validate.describe(self)}: layer must be a layer object. Received: layer={layer!r}.")
        self.layer = layer

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> "Wrapper":
        """A layer equal to the one whose `get_config` gave `config`."""
        with registry.custom_objects(custom_objects):
            return super().from_config(config)

    def build(self, input_shape: Any = None) -> None:
        """Build the layer inside."""
        if not self.layer.built:
            self.layer.build(input_shape)

    def call(self, inputs: Any, **kwargs: Any) -> Any:
        """Call the layer inside."""
        return self.layer(inputs, **kwargs)
