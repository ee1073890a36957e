"""Private functions and classes of Keras that libraries use and that cornu lacks otherwise, with Keras's signatures."""

import contextlib
import functools
import os
import shutil
import string
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cornu import ops, saving, settings, validate
from cornu.core import context
from cornu.core.symbolic import KerasTensor, output_spec
from cornu.core.typing import AnyFunction, ConfigDict, Shape, ShapeLike, Sizes, Tensor
from cornu.layers.conv import _Conv
from cornu.layers.einsum_dense import plan
from cornu.layers.layer import Layer
from cornu.saving import plain_h5, weights_h5
from cornu.saving.atomic import replacing
from cornu.training.data.class_weight import weigh_classes

if TYPE_CHECKING:
    import h5py

    from cornu.models.model import Model

__all__ = [
    "BaseConv", "H5IOStore", "_analyze_einsum_string", "_analyze_quantization_info", "_build_proj_equation",
    "class_weight_to_sample_weights", "compute_conv_output_shape", "in_grain_data_pipeline",
    "in_safe_mode", "no_automatic_dependency_tracking", "standardize_data_format", "standardize_shape",
]  # fmt: skip


class BaseConv(_Conv):
    """A convolution whose number of spatial axes is its first argument."""

    def __init__(self, rank: int, filters: int, kernel_size: Any, **kwargs: Any):
        object.__setattr__(self, "rank", rank)
        super().__init__(filters=filters, kernel_size=kernel_size, **kwargs)

    def get_config(self) -> ConfigDict:
        """The constructor's arguments except the first, which subclasses pass themselves."""
        return {name: value for name, value in super().get_config().items() if name != "rank"}

    def compute_output_shape(self, input_shape: ShapeLike) -> Shape:
        """The shape of the convolution's result, regardless of a subclass's `call`."""
        return compute_conv_output_shape(
            input_shape, self.filters, self.kernel_size, self.strides, self.padding, self.data_format,
            self.dilation_rate,
        )  # fmt: skip


def _analyze_einsum_string(
    equation: str, bias_axes: str | None, input_shape: ShapeLike, output_shape: tuple[int, ...]
) -> tuple[object, ...]:
    """The shapes of kernel, bias and output of an EinsumDense, the contracted axes of the input and the new axes."""
    sizes = (output_shape,) if isinstance(output_shape, int) or output_shape is None else tuple(output_shape)
    found = plan(equation, input_shape, sizes, bias_axes, "EinsumDense")
    source, kernel, target = (part.strip(".") for part in equation.replace("->", ",").split(","))
    missing = len(input_shape) - len(source)
    start = missing if equation.startswith("...") else 0
    known = dict(zip(source, input_shape[start:], strict=False)) | dict(zip(kernel, found.kernel_shape, strict=True))
    others = list(input_shape[:start]) if start else list(input_shape[len(source) :])
    named = [known[letter] for letter in target]
    return (
        list(found.kernel_shape),
        None if found.bias_shape is None else list(found.bias_shape),
        others + named if start else named + others,
        [kernel.index(letter) for letter in kernel if letter in source],
        [kernel.index(letter) for letter in kernel if letter in target],
    )


def _analyze_quantization_info(equation: str, input_shape: ShapeLike) -> tuple[object, ...]:
    """The analysis of an EinsumDense equation, of which HGQ2 uses only the ninth entry: the einsum of a gradient."""
    source, kernel, target = equation.replace(" ", "").replace("->", ",").split(",")
    others = "".join(letter for letter in string.ascii_lowercase if letter not in source + kernel + target)
    others = others[: len(input_shape) - len(source.strip("."))]
    source, target = source.replace("...", others), target.replace("...", others)
    return (*(None,) * 8, f"{target},{kernel}->{source}", None)


def _build_proj_equation(free_dims: int, bound_dims: int, output_dims: int) -> tuple[str, str, int]:
    """The einsum of a projection, the axes of its bias, and the rank of its result."""
    letters = iter(string.ascii_lowercase)
    free, bound, new = ("".join(next(letters) for _ in range(n)) for n in (free_dims, bound_dims, output_dims))
    return f"{free}{bound},{bound}{new}->{free}{new}", new, free_dims + output_dims


def compute_conv_output_shape(
    input_shape: ShapeLike,
    filters: int,
    kernel_size: Sequence[int],
    strides: Sizes = 1,
    padding: str = "valid",
    data_format: str = "channels_last",
    dilation_rate: Sizes = 1,
) -> Shape:
    """The shape of a convolution's result."""
    channels = input_shape[1 if data_format == "channels_first" else -1]
    inputs, kernel = KerasTensor(tuple(input_shape)), KerasTensor((*kernel_size, channels, filters))
    return tuple(
        output_spec(lambda x, k: ops.conv(x, k, strides, padding, data_format, dilation_rate), inputs, kernel).shape
    )


def class_weight_to_sample_weights(y: Tensor, class_weight: Mapping[int, float]) -> np.ndarray:
    """The weight of each sample, given by its class."""
    return weigh_classes(y, None, class_weight, "class_weight_to_sample_weights")


def in_grain_data_pipeline() -> bool:
    """Whether this runs inside a grain pipeline, which is never the case."""
    return False


def in_safe_mode() -> bool | None:
    """Whether a file is being read whose code is refused; None where no file is being read."""
    return context.current().safe_mode


def no_automatic_dependency_tracking(method: AnyFunction) -> AnyFunction:
    """A layer's method such that what it puts into new attributes is not a part of the layer."""

    @functools.wraps(method)
    def untracked(self: Layer, *args: Any, **kwargs: Any) -> Any:
        before = set(vars(self))
        try:
            return method(self, *args, **kwargs)
        finally:
            object.__setattr__(self, "_hidden", self._hidden | (vars(self).keys() - before))

    return untracked


def save_model(model: "Model", filepath: Any, **kwargs: Any) -> None:
    """`keras.saving.save_model` that also accepts an open file."""
    if not hasattr(filepath, "write"):
        saving.save_model(model, filepath, **kwargs)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.keras")
        saving.save_model(model, path, **kwargs)
        with open(path, "rb") as file:
            shutil.copyfileobj(file, filepath)


def load_model(filepath: Any, **kwargs: Any) -> Any:
    """`keras.saving.load_model` that also accepts an open file."""
    if not hasattr(filepath, "read"):
        return saving.load_model(filepath, **kwargs)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.keras")
        with open(path, "wb") as file:
            shutil.copyfileobj(filepath, file)
        return saving.load_model(path, **kwargs)


class H5IOStore:
    """Arrays in an HDF5 file by object path, in the layout of Keras's weights files.

    Args:
        path_or_io: a path or an open file.
        mode: `"r"` to read an existing file, `"w"` to write a new one, which is complete after `close`.
    """

    def __init__(self, path_or_io: str | os.PathLike[str], mode: str = "r"):
        path = os.fspath(path_or_io)
        validate.one_of(mode, ("r", "w"), "mode", "H5IOStore")
        self._open = contextlib.ExitStack()
        self._file = self._open.enter_context(_h5_file(path, mode))

    def make(self, path: str) -> "_Arrays":
        """A container for the arrays of `path`, to be filled with `container[name] = array`."""
        return _Arrays(self._file.create_group(weights_h5.group_path(path)))

    def get(self, path: str) -> dict[str, np.ndarray]:
        """The arrays of `path` by name; empty if the file does not have this path."""
        group = plain_h5.group(self._file, weights_h5.group_path(path))
        return {} if group is None else {key: plain_h5.array(plain_h5.dataset(group, key)) for key in group}

    def close(self) -> None:
        """Finish the file."""
        self._open.close()


@contextlib.contextmanager
def _h5_file(path: str, mode: str) -> "Iterator[h5py.File]":
    if mode == "r":
        with plain_h5.opened(path, repr(path)) as file:
            yield file
        return
    with replacing(path) as temporary, open(temporary, "w+b") as place, plain_h5.created(place) as file:
        yield file


class _Arrays:
    """The arrays written under one path."""

    def __init__(self, group: "h5py.Group"):
        self._group = group

    def __setitem__(self, key: str, value: Tensor) -> None:
        weights_h5.write_array(self._group, key, ops.convert_to_numpy(value))


def standardize_data_format(data_format: str | None) -> str:
    """The data format: the given one, or the default."""
    return validate.data_format(data_format or settings.image_data_format(), "standardize_data_format")


def standardize_shape(shape: ShapeLike) -> Shape:
    """The shape as a tuple."""
    return tuple(shape)
