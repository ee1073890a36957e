"""Device meshes and layouts: named axes, and along which of them an array is split.

All of this is descriptive: devices are named `"cpu:0"`, axes `"batch"`. The corresponding JAX objects, a
`jax.sharding.Mesh` and a `NamedSharding`, are derived from it.
"""

import math
import re
from collections.abc import Iterator, MutableMapping, Sequence
from functools import cached_property
from typing import Any, cast

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from cornu import validate
from cornu.core import border, placement
from cornu.core.typing import ArrayLike

AxisNames = Sequence[str | None]

WHOLE_BELOW = 1024  # smaller variables, in elements, are not worth splitting and gathering


def list_devices(device_type: str | None = None) -> list[str]:
    """The names of the devices of all processes, such as `"gpu:0"`.

    Args:
        device_type: `"cpu"`, `"gpu"` or `"tpu"`; None for JAX's default devices.

    Returns:
        List of names: the type, a colon, and JAX's index of the device.

    Raises:
        RuntimeError: if there is no device of this type.

    Example:

        print(cornu.distribution.list_devices("cpu")[0])  # cpu:0

    Source: <https://docs.jax.dev/en/latest/_autosummary/jax.devices.html>
    """
    return list(_devices(device_type))


def get_device_count(device_type: str | None = None) -> int:
    """The number of devices of all processes.

    Args:
        device_type: as for `list_devices`.

    Raises:
        RuntimeError: if there is no device of this type.

    Example:

        print(cornu.distribution.get_device_count("cpu") >= 1)  # True

    Source: <https://docs.jax.dev/en/latest/_autosummary/jax.device_count.html>
    """
    return len(_devices(device_type))


def _devices(device_type: str | None) -> dict[str, jax.Device]:
    """The devices by name."""
    found = jax.devices(None if device_type is None else device_type.lower())
    return {f"{device.platform}:{device.id}": device for device in found}


class DeviceMesh:
    """Devices in a grid with named axes.

    Args:
        shape: tuple of ints, 1 or more each: the number of devices along each axis.
        axis_names: list of names, one per axis, such as `["batch", "model"]`.
        devices: names of the devices, as many as the product of the shape, in row-major order; None uses all of
            `list_devices()`.

    Raises:
        ValueError: if the shape, the names and the devices do not match.

    Example:

        mesh = cornu.distribution.DeviceMesh((1,), ["batch"], devices=["cpu:0"])
        print(mesh)  # <DeviceMesh shape=(1,), axis_names=['batch']>

    Source: <https://keras.io/api/distribution/layout_map/>
    """

    def __init__(
        self, shape: Sequence[int], axis_names: Sequence[str], devices: Sequence[str] | np.ndarray | None = None
    ):
        if not shape or not axis_names:
            raise ValueError(
                "DeviceMesh: shape and axis_names must have at least one entry each. "
                f"Received: shape={shape!r}, axis_names={axis_names!r}."
            )
        self._shape = tuple(validate.positive_int(size, "shape", type(self)) for size in shape)
        self._axis_names = list(axis_names)
        if len(self._shape) != len(self._axis_names) or len(set(self._axis_names)) < len(self._axis_names):
            raise ValueError(
                "DeviceMesh: axis_names must contain one unique name for each axis of the shape. "
                f"Received: shape={self._shape}, axis_names={self._axis_names}."
            )
        if isinstance(devices, str):
            raise ValueError(f"DeviceMesh: devices must be a list of names. Received: devices={devices!r}.")
        names = np.array(list_devices() if devices is None else devices).flatten()
        if names.size != np.prod(self._shape):
            raise ValueError(
                f"DeviceMesh: a mesh of shape {self._shape} needs {np.prod(self._shape)} devices. "
                f"Received: {names.size} devices{' (all available)' if devices is None else ''}."
            )
        if len(set(names.tolist())) < names.size:
            raise ValueError(f"DeviceMesh: each device may occur only once. Received: devices={names.tolist()}.")
        self._devices = names.reshape(self._shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of devices along each axis."""
        return self._shape

    @property
    def axis_names(self) -> list[str]:
        """The names of the axes."""
        return self._axis_names

    @property
    def devices(self) -> np.ndarray:
        """The names of the devices, an array of the mesh's shape."""
        return self._devices

    @cached_property
    def backend_mesh(self) -> Mesh:
        """The mesh as a JAX object.

        Raises:
            ValueError: if a device is not available.
        """
        here = {name: device for kind in {name.split(":")[0] for name in self._devices.flat}
                for name, device in _devices(kind).items()}  # fmt: skip
        missing = [name for name in self._devices.flat if name not in here]
        if missing:
            raise ValueError(
                f"DeviceMesh: unknown devices {', '.join(map(repr, missing))}. Available devices: {', '.join(here)}."
            )
        return Mesh(np.vectorize(here.__getitem__, otypes=[object])(self._devices), tuple(self._axis_names))

    def __reduce__(self) -> tuple[object, ...]:
        """A copy finds the devices by name."""
        return type(self), (self._shape, self._axis_names, self._devices)

    def __repr__(self) -> str:
        return f"<DeviceMesh shape={self._shape}, axis_names={self._axis_names}>"


class TensorLayout:
    """The mesh axes along which an array is split.

    Args:
        axes: for each axis of the array, the name of the mesh axis along which it is split, or None if it is not;
            `(None, "model")` splits the columns of a matrix.
        device_mesh: the mesh; None if it is set later, by a `LayoutMap` or with the attribute `device_mesh`.

    Raises:
        ValueError: for a name that is not in the mesh, or for one name instead of a sequence.

    Example:

        mesh = cornu.distribution.DeviceMesh((1,), ["batch"], devices=["cpu:0"])
        print(cornu.distribution.TensorLayout(("batch", None), mesh).axes)  # ('batch', None)

    Source: <https://docs.jax.dev/en/latest/jax.sharding.html#jax.sharding.NamedSharding>
    """

    def __init__(self, axes: AxisNames, device_mesh: DeviceMesh | None = None):
        if isinstance(axes, str):
            raise ValueError(
                f"TensorLayout: axes must have an entry for each axis of the array. Received: axes={axes!r}."
            )
        self._axes = tuple(axes)
        self._device_mesh = device_mesh
        self._check()

    @property
    def axes(self) -> tuple[str | None, ...]:
        """For each axis of the array, the name of the mesh axis, or None."""
        return self._axes

    @property
    def device_mesh(self) -> DeviceMesh | None:
        """The mesh, which can be set once."""
        return self._device_mesh

    @device_mesh.setter
    def device_mesh(self, mesh: DeviceMesh) -> None:
        if self._device_mesh is not None:
            raise ValueError(f"TensorLayout: the device mesh is already set, to {self._device_mesh}.")
        self._device_mesh = mesh
        self._check()

    @cached_property
    def backend_layout(self) -> NamedSharding:
        """The layout as a JAX object.

        Raises:
            ValueError: if the layout has no mesh.
        """
        if self._device_mesh is None:
            raise ValueError(
                f"TensorLayout: {self._axes} has no device mesh. Pass one: TensorLayout(axes, device_mesh)."
            )
        return NamedSharding(self._device_mesh.backend_mesh, PartitionSpec(*self._axes))

    def _check(self) -> None:
        names = set(self._axes) - {None}
        if self._device_mesh is not None and not names <= set(self._device_mesh.axis_names):
            raise ValueError(
                f"TensorLayout: axes must be None or among the mesh's {self._device_mesh.axis_names}. "
                f"Received: axes={self._axes}."
            )

    def __reduce__(self) -> tuple[object, ...]:
        """A copy finds the devices by name."""
        return type(self), (self._axes, self._device_mesh)

    def __repr__(self) -> str:
        return f"<TensorLayout axes={self._axes}, device_mesh={self._device_mesh}>"


class StoredLayout(TensorLayout):
    """The layout of a variable in storage: split further than where it is used.

    Args:
        used: its layout when a layer reads it, to which it is gathered.
        axis_name: the mesh axis along which it is split further.
        shape: the variable's shape; its largest axis that divides evenly and is not yet split is used.
    """

    def __init__(self, used: TensorLayout, axis_name: str, shape: Sequence[int]):
        self.used = used
        self._arguments = used, axis_name, tuple(shape)
        place = _further_axis(used, axis_name, shape)
        axes = [*used.axes, *[None] * (len(shape) - len(used.axes))]
        super().__init__([axis_name if i == place else axis for i, axis in enumerate(axes)], used.device_mesh)

    @classmethod
    def of(cls, used: TensorLayout, axis_name: str, shape: Sequence[int]) -> TensorLayout:
        """The layout in which a variable is stored: `used` itself if it is small or no axis divides evenly."""
        small = math.prod(shape) < WHOLE_BELOW or axis_name in used.axes
        return used if small or _further_axis(used, axis_name, shape) is None else cls(used, axis_name, shape)

    def __reduce__(self) -> tuple[object, ...]:
        """A copy finds the devices by name."""
        return type(self), self._arguments


def _further_axis(layout: TensorLayout, axis_name: str, shape: Sequence[int]) -> int | None:
    """The largest axis that can be split further; None if there is none."""
    mesh = cast(DeviceMesh, layout.device_mesh)
    count = mesh.shape[mesh.axis_names.index(axis_name)]
    split = dict(enumerate(layout.axes))
    divides = [count > 1 and size > 0 and size % count == 0 for size in shape]
    free = [axis for axis, fits in enumerate(divides) if fits and split.get(axis) is None]
    return max(free, key=shape.__getitem__, default=None)


class LayoutMap(MutableMapping[str, Any]):
    """Layouts of variables by path.

    A key is a path, such as `"dense/kernel"`, or a regular expression that matches a whole path, such as
    `".*dense.*kernel"`. A path that is itself a key has that layout; otherwise it may match one of the keys.
    `layer.path + "/output"` refers to a layer's output.

    Args:
        device_mesh: the mesh of all layouts that have none. None by default.

    Example:

        mesh = cornu.distribution.DeviceMesh((1,), ["model"], devices=["cpu:0"])
        layouts = cornu.distribution.LayoutMap(mesh)
        layouts[".*kernel"] = (None, "model")
        print(layouts["dense/kernel"].axes, layouts["dense/bias"])  # (None, 'model') None

    Source: <https://keras.io/api/distribution/layout_map/>
    """

    def __init__(self, device_mesh: DeviceMesh):
        self._device_mesh = device_mesh
        self._layouts: dict[str, TensorLayout] = {}

    @property
    def device_mesh(self) -> DeviceMesh:
        """The mesh."""
        return self._device_mesh

    def __getitem__(self, key: str) -> TensorLayout | None:
        """The layout for a path; None if no key matches.

        Raises:
            ValueError: if several keys match.
        """
        if key in self._layouts:
            return self._layouts[key]
        matching = [pattern for pattern in self._layouts if re.fullmatch(pattern, key)]
        if len(matching) > 1:
            raise ValueError(
                f"LayoutMap: {key!r} matches several keys: {', '.join(map(repr, matching))}. "
                "Change the keys so that a path matches at most one of them."
            )
        return self._layouts[matching[0]] if matching else None

    def get(self, key: str, default: object = None) -> Any:
        """The layout for a path, or `default`."""
        found = self[key]
        return default if found is None else found

    def __contains__(self, key: object) -> bool:
        """Whether `key` is literally a key."""
        return key in self._layouts

    def __setitem__(self, key: str, layout: TensorLayout | AxisNames) -> None:
        """Set the layout of a new key.

        Raises:
            ValueError: if the key already exists or is not a regular expression, or the value is not a layout.
        """
        if key in self._layouts:
            raise ValueError(f"LayoutMap: {key!r} already exists, with {self._layouts[key]}. Delete it first.")
        try:
            re.compile(key)
        except (re.error, TypeError) as error:
            raise ValueError(f"LayoutMap: keys must be regular expressions. Received: {key!r} ({error}).") from None
        if isinstance(layout, (tuple, list)):
            layout = TensorLayout(layout, self._device_mesh)
        if not isinstance(layout, TensorLayout):
            raise ValueError(
                f"LayoutMap: {key!r} requires a TensorLayout or a tuple of axis names. Received: {layout!r}."
            )
        if layout.device_mesh is None:
            layout.device_mesh = self._device_mesh
        self._layouts[key] = layout

    def __delitem__(self, key: str) -> None:
        del self._layouts[key]

    def __len__(self) -> int:
        return len(self._layouts)

    def __iter__(self) -> Iterator[str]:
        return iter(self._layouts)


def distribute_tensor(tensor: ArrayLike, layout: TensorLayout | jax.sharding.Sharding | None) -> jax.Array:
    """A tensor, split over devices according to a layout.

    Args:
        tensor: array, or a traced value in a compiled function. Each split axis must be divisible by the number of
            devices along the mesh axis.
        layout: the layout, or a JAX sharding; None leaves the tensor unchanged.

    Raises:
        ValueError: if the layout does not match the tensor's shape.

    Example:

        mesh = cornu.distribution.DeviceMesh((1,), ["batch"], devices=["cpu:0"])
        layout = cornu.distribution.TensorLayout(("batch", None), mesh)
        print(cornu.distribution.distribute_tensor(np.zeros((4, 2)), layout).shape)  # (4, 2)

    Source: <https://docs.jax.dev/en/latest/_autosummary/jax.device_put.html>
    """
    array = jax.numpy.asarray(border.to_tensor(tensor, "distribute_tensor", "tensor"))
    if isinstance(layout, TensorLayout) and layout.device_mesh is not None:
        check_fits(layout, array.shape, "distribute_tensor: the tensor")
    return placement.laid_out(array, layout)


def check_fits(layout: TensorLayout, shape: Sequence[int], what: str) -> None:
    """Reject a layout that does not match a shape.

    Args:
        layout: the layout.
        shape: the shape.
        what: the object, for error messages.
    """
    mesh = layout.device_mesh
    parts = dict(zip(mesh.axis_names, mesh.shape, strict=True)) if mesh else {}
    split = [(parts[axis], size) for axis, size in zip(layout.axes, shape, strict=False) if axis is not None]
    named = [axis for axis in layout.axes if axis is not None]
    if len(layout.axes) > len(shape) or len(set(named)) < len(named) or any(size % count for count, size in split):
        raise ValueError(
            f"{what} of shape {tuple(shape)} cannot be split by {layout.axes} on a mesh of {parts}: a layout has at "
            "most one entry per axis, uses each mesh axis once, and must divide the sizes evenly."
        )
