"""What a layer expects of its inputs, and the check that raises an error if they do not match."""

from collections.abc import Mapping, Sequence

from cornu import tree
from cornu.core import dtypes
from cornu.core.configurable import Configurable
from cornu.core.policy import PolicyLike
from cornu.core.symbolic import KerasTensor
from cornu.core.typing import Nested, Shape, ShapeLike
from cornu.errors import InputMismatchError


class InputSpec(Configurable):
    """The rank, shape and dtype that one input must have.

    Args:
        dtype: expected dtype name, or None for any.
        shape: expected shape, None for arbitrary dimensions.
        ndim, max_ndim, min_ndim: exact, maximum and minimum rank. None by default.
        axes: dictionary from axes to sizes. None by default.
        allow_last_axis_squeeze: whether a last axis of size 1 may be missing or extra. Defaults to False.
        name: the key of this input in a dictionary of inputs.
        optional: whether None may be passed.

    Example:

        layer = cornu.layers.Layer()
        layer.input_spec = cornu.layers.InputSpec(ndim=2, axes={-1: 4})
        layer(np.ones((1, 4)))
    """

    def __init__(
        self,
        dtype: PolicyLike | None = None,
        shape: Sequence[int | None] | None = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: Mapping[int, int | None] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ):
        self.dtype = None if dtype is None else dtypes.standardize_dtype(dtype)
        self.shape = None if shape is None else tuple(shape)
        self.ndim = ndim if self.shape is None else len(self.shape)
        self.max_ndim = max_ndim
        self.min_ndim = min_ndim
        self.axes = {int(axis): size for axis, size in (axes or {}).items()}
        self.allow_last_axis_squeeze = allow_last_axis_squeeze
        self.name = name
        self.optional = optional

    def __repr__(self) -> str:
        parts = [f"{key}={value!r}" for key, value in self.get_config().items() if value]
        return f"InputSpec({', '.join(parts)})"


def check(spec: object, inputs: Nested, owner: str) -> None:
    """Raise ValueError unless `inputs` (a tensor or a structure of them) match `spec` (one or a structure)."""
    if not spec:
        return
    specs = tree.flatten(spec)
    if isinstance(inputs, Mapping) and all(s.name for s in specs):
        missing = [s.name for s in specs if s.name not in inputs and not s.optional]
        if missing:
            raise InputMismatchError(f"{owner}: expected inputs named {[s.name for s in specs]}. Missing: {missing}.")
        values = [inputs.get(s.name) for s in specs]
    else:
        values = tree.flatten(inputs)
    if values and not any(hasattr(value, "shape") for value in values):
        raise InputMismatchError(
            f"{owner}: expected a tensor. Received: {inputs!r:.200} of type {type(inputs).__name__}. A shape goes into "
            "Input(shape), whose result a layer takes."
        )
    if len(values) != len(specs):
        raise InputMismatchError(f"{owner}: expected {len(specs)} input(s). Received: {len(values)}.")
    for one, value in zip(specs, values, strict=True):
        _check_one(one, value, owner)


def _check_one(spec: InputSpec | None, x: object, owner: str) -> None:
    if spec is None or (x is None and spec.optional):
        return
    if x is None:
        which = f'the input "{spec.name}"' if spec.name else "the input"
        raise InputMismatchError(f"{owner}: {which} must be an array or a tensor. Received: None.")
    if not hasattr(x, "shape"):
        raise InputMismatchError(f"{owner}: expected an array or tensor. Received: {x!r} of type {type(x).__name__}.")
    given = tuple(d if isinstance(d, int) else None for d in x.shape)
    shape = _squeezed(spec, given)
    problem = _problem(spec, shape, x)
    if problem:
        raise InputMismatchError(f"{owner}: {problem}. Received: shape={_show(x.shape)}.{_cure(spec, given, owner)}")


def _squeezed(spec: InputSpec, shape: Shape) -> Shape:
    """`shape` without or with a last axis of size 1, if the spec allows it."""
    if not spec.allow_last_axis_squeeze or spec.shape is None:
        return shape
    if len(shape) == len(spec.shape) + 1 and shape[-1] == 1:
        return shape[:-1]
    if len(shape) == len(spec.shape) - 1 and spec.shape[-1] == 1:
        return (*shape, 1)
    return shape


def _problem(spec: InputSpec, shape: Shape, x: object) -> str | None:
    rank = len(shape)
    if spec.ndim is not None and rank != spec.ndim:
        axes = spec.axes | {axis % spec.ndim: size for axis, size in spec.axes.items() if -spec.ndim <= axis < 0}
        wanted = f" of shape {_show([axes.get(i, s) for i, s in enumerate(spec.shape)])}" if spec.shape else ""
        return f"expected input with {spec.ndim} dimensions{wanted}, got {rank}"
    if spec.max_ndim is not None and rank > spec.max_ndim:
        return f"expected input with at most {spec.max_ndim} dimensions, got {rank}"
    if spec.min_ndim is not None and rank < spec.min_ndim:
        return f"expected input with at least {spec.min_ndim} dimensions, got {rank}"
    if spec.dtype is not None and dtypes.dtype_of(x) != spec.dtype:
        return f"expected input of dtype {spec.dtype}, got {dtypes.dtype_of(x)}"
    for axis, size in spec.axes.items():
        if size is not None and -rank <= axis < rank and shape[axis] not in (size, None):
            return f"expected size {size} on axis {axis} of the input, got {shape[axis]}"
    for axis, size in enumerate(spec.shape or ()):
        if size is not None and shape[axis] not in (size, None):
            return f"expected input of shape {_show(spec.shape or ())}"
    return None


# The meaning of a layer's axes, and what to do if the last of them is missing.
_AXES = (
    (("Conv1D", "Conv1DTranspose", "SeparableConv1D"), "(batch, steps, channels)", "x[..., None]"),
    (("Conv2D", "Conv2DTranspose", "SeparableConv2D", "DepthwiseConv2D", "MaxPooling2D", "AveragePooling2D"),
     "(batch, height, width, channels)", "x[..., None]"),
    (("Conv3D", "Conv3DTranspose"), "(batch, depth, height, width, channels)", "x[..., None]"),
)  # fmt: skip
_RECURRENT = ("LSTM", "GRU", "SimpleRNN", "Bidirectional", "RNN")
_RECURRENT_WITH_SPACE = {
    "ConvLSTM1D": "(batch, time, steps, channels)",
    "ConvLSTM2D": "(batch, time, height, width, channels)",
    "ConvLSTM3D": "(batch, time, depth, height, width, channels)",
}


def _cure(spec: InputSpec, shape: Shape, owner: str) -> str:
    """How to fix a wrong shape, if that is clear from the expected one."""
    rank = spec.ndim or (len(spec.shape) if spec.shape else 0)
    cure = _cure_of_kind(owner.partition(" ")[0], shape) if len(shape) == rank - 1 else ""
    return cure or ("" if spec.shape is None else _cure_of_shape(tuple(spec.shape), shape))


def _cure_of_kind(kind: str, shape: Shape) -> str:
    """What to do about an axis too few, from what layers of a kind read."""
    if kind in _RECURRENT:
        return (
            " It expects (batch, time, features): a preceding recurrent layer needs return_sequences=True, and a "
            "sequence of numbers needs a feature axis, x[..., None] or Reshape((steps, 1))."
        )
    if kind in _RECURRENT_WITH_SPACE:
        return (
            f" It expects {_RECURRENT_WITH_SPACE[kind]}: a preceding recurrent layer needs return_sequences=True, and "
            "single-channel data need a channel axis, x[..., None]."
        )
    for kinds, axes, channel in _AXES:
        if kind in kinds:
            sizes = ", ".join("None" if size is None else str(size) for size in shape[1:])
            return f" It expects {axes}: add the channel axis, {channel}, or Reshape(({sizes}, 1))."
    return ""


def _cure_of_shape(wanted: Shape, shape: Shape) -> str:
    """How to fix a shape, from how it differs from the expected one."""
    if _fits(shape, wanted[1:]):
        rows = f" For a batch, omit the batch size from the declared shape: Input({_show(shape[1:])})."
        return " For a single sample, add the batch axis: x[None]." + (rows if len(shape) > 1 else "")
    if _fits(shape, wanted[:-1]):
        return f" The last axis, of size {wanted[-1]}, is missing: x[..., None] adds one of size 1."
    if _fits(shape[:-1], wanted[:-1]) and shape[-1] is not None:
        return (
            f" The last axis has size {shape[-1]}, but {wanted[-1]} was declared: pass data of that size, or create "
            "the "
            f"model for {shape[-1]}."
        )
    if len(shape) == len(wanted) > 2 and wanted != shape and _fits((shape[0], *shape[2:], shape[1]), wanted):
        order = (0, *range(2, len(shape)), 1)
        return f" The axes are in a different order: pass np.transpose(x, {order})."
    return ""


def _fits(shape: Shape, wanted: Shape) -> bool:
    return len(shape) == len(wanted) and all(w is None or s in (w, None) for s, w in zip(shape, wanted, strict=True))


def _show(shape: ShapeLike) -> str:
    sizes = [str(d) if isinstance(d, int) else "None" for d in shape]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def shape_of(x: object) -> tuple[int | None, ...] | None:
    """The shape of a tensor with None for unknown sizes; None for objects without a shape."""
    if x is None or not hasattr(x, "shape"):
        return None
    return x.shape if isinstance(x, KerasTensor) else tuple(d if isinstance(d, int) else None for d in x.shape)
