"""`Windowed`: shared by layers with a sliding window: their arguments and the checks of their inputs.

Layers of a family differ only in the number of spatial axes (`rank`).
"""

from collections.abc import Sequence

from cornu import validate
from cornu.core.typing import Sizes
from cornu.layers.input_spec import InputSpec
from cornu.layers.layer import Layer
from cornu.ops.convolution import check_window_fits


class Windowed(Layer):
    """A layer with a window that slides over the spatial axes."""

    rank: int  # the number of spatial axes
    paddings: tuple[str, ...] = ("valid", "same")

    def _set_window(
        self, kernel_size: Sizes, strides: Sizes, padding: str, data_format: str | None, dilation_rate: Sizes
    ) -> None:
        self.kernel_size = validate.int_tuple(kernel_size, self.rank, "kernel_size", self)
        self.strides = validate.int_tuple(strides, self.rank, "strides", self)
        self.padding = validate.padding(padding, self, self.paddings)
        self.data_format = validate.data_format(data_format, self)
        self.dilation_rate = validate.int_tuple(dilation_rate, self.rank, "dilation_rate", self)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def _channels(self, input_shape: Sequence[int | None]) -> int:
        """The number of input channels, which every later input must have too."""
        axis = self.rank + 1 if self.data_format == "channels_last" else 1
        channels = input_shape[axis]
        if channels is None:
            raise ValueError(
                f"{validate.describe(self)}: the number of channels, axis {axis} of the input, must be known. "
                f"Received: input_shape={tuple(input_shape)}. Specify its size, for example in Input(shape=...)."
            )
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={axis: channels})
        return channels

    def _check_fits(self, input_shape: Sequence[int | None]) -> None:
        first = 1 if self.data_format == "channels_last" else 2
        space = input_shape[first : first + self.rank]
        check_window_fits(space, self.kernel_size, self.dilation_rate, self.padding, self)

    def _check_steps(self) -> None:
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"{validate.describe(self)}: strides and dilation_rate cannot both be greater than 1. "
                f"Received: strides={self.strides}, dilation_rate={self.dilation_rate}."
            )
