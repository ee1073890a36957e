"""Keyword arguments that layer constructors accept besides their own, for type checkers and editors.

A constructor ends in `**kwargs: Unpack[LayerOptions]`, or in one of the others if it declares some of these itself.
"""

from typing import TypedDict

from cornu.core.policy import PolicyLike
from cornu.core.typing import RegularizerLike, ShapeLike


class InputOptions(TypedDict, total=False):
    """The shape and dtype of the input, as accepted by the first layer of a `Sequential`."""

    input_shape: ShapeLike | int
    batch_input_shape: ShapeLike
    batch_shape: ShapeLike
    input_dim: int
    input_length: int
    input_dtype: PolicyLike
    batch_size: int | None


class BareOptions(InputOptions, total=False):
    """The options that each layer passes on."""

    trainable: bool
    dtype: PolicyLike | None
    autocast: bool


class NamedOptions(BareOptions, total=False):
    """The options of a layer that declares `activity_regularizer` itself."""

    name: str | None


class UnnamedOptions(BareOptions, total=False):
    """The options of a layer that declares `name` itself."""

    activity_regularizer: RegularizerLike | None


class LayerOptions(NamedOptions, UnnamedOptions, total=False):
    """All options."""


class CellOptions(LayerOptions, total=False):
    """The options of a recurrent cell; `implementation` is accepted for older scripts and ignored."""

    implementation: int


class RecurrentOptions(NamedOptions, total=False):
    """The options of a recurrent layer with its own cell."""

    zero_output_for_mask: bool
    implementation: int


class BoxOptions(LayerOptions, total=False):
    """The options of an image layer that also supports bounding boxes."""

    bounding_box_format: str | None


class ImageOptions(BoxOptions, total=False):
    """The options of an image layer whose base class handles the data format."""

    data_format: str | None
