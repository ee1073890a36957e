"""`Wrapper`: a layer around another layer; `OuterLayer`: shared by all layers that contain others."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Unpack

from cornu import registry, validate
from cornu.core import context, dtypes
from cornu.core.typing import Config, CustomObjects, Nested, NestedShapes
from cornu.layers.layer import Layer
from cornu.layers.options import LayerOptions

__all__ = ["Wrapper"]


class OuterLayer(Layer):
    """A layer that is given other layers and builds them, so that their weights are named under its own name."""

    @classmethod
    def from_config(cls, config: Config, custom_objects: CustomObjects | None = None) -> "OuterLayer":
        """A layer equal to the one whose `get_config` returned `config`."""
        name = config.get("name")
        around = context.path(name) if isinstance(name, str) else nullcontext()  # inner layers may build themselves
        with registry.custom_objects(custom_objects), around:
            return super().from_config(config)

    def _lending(self, layer: object) -> AbstractContextManager[None]:
        """Scope in which a layer inside computes in this one's dtype, as in Keras, whatever its own policy says."""
        mine, its = self.compute_dtype, getattr(layer, "compute_dtype", None)
        if its in (None, mine) or not (dtypes.is_float(mine) and dtypes.is_float(its)):
            return nullcontext()
        return context.scope(lent={**(context.current().lent or {}), id(layer): mine})


class Wrapper(OuterLayer):
    """Base class of layers that wrap another layer; by default it just calls that layer.

    Args:
        layer: the wrapped layer.

    Example:

        class Twice(cornu.layers.Wrapper):
            def call(self, inputs):
                return self.layer(self.layer(inputs))

        print(Twice(cornu.layers.Dense(3))(np.ones((2, 3))).shape)  # (2, 3)
    """

    pure_call = rowwise = True

    def __init__(self, layer: Layer, **kwargs: Unpack[LayerOptions]):
        super().__init__(**kwargs)
        if not isinstance(layer, Layer):
            raise ValueError(
                f"{validate.describe(self)}: layer must be a layer object. Received: layer={validate.shown(layer)}."
            )
        self.layer = layer

    def build(self, input_shape: NestedShapes = None) -> None:
        """Build the wrapped layer."""
        if not self.layer.built:
            self.layer.build(input_shape)

    def call(self, inputs: Nested, **kwargs: Any) -> Nested:
        """Call the wrapped layer."""
        return self.layer(inputs, **kwargs)
