"""Distributions: what is split over the devices of a mesh during training, evaluation and inference.

A distribution provides three kinds of layouts: for variables, for batches, and for layer outputs. Each step is the same
computation as on one device: XLA splits it according to these layouts and inserts the communication, so sums, losses,
metrics and random numbers are those of the whole batch.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from cornu import validate
from cornu.core import number_arguments, placement
from cornu.core.tracebacks import warn
from cornu.core.variable import Variable
from cornu.distribution.layouts import DeviceMesh, LayoutMap, StoredLayout, TensorLayout, check_fits, list_devices

if TYPE_CHECKING:
    pass


class Distribution:
    """The base class of distributions.

    Args:
        device_mesh: the mesh.
        batch_dim_name: name of the mesh axis along which batches are split; None for the first.
        auto_shard_dataset: whether `distribute_dataset` takes this process's part of a dataset.
        shard_weights: whether variables are also split along the batch axis, and gathered where they are used.
    """

    def __init__(
        self,
        device_mesh: DeviceMesh,
        batch_dim_name: str | None = None,
        auto_shard_dataset: bool = True,
        shard_weights: bool = False,
    ):
        name = device_mesh.axis_names[0] if batch_dim_name is None else batch_dim_name
        if name not in device_mesh.axis_names:
            raise ValueError(
                f"{type(self).__name__}: batch_dim_name must be an axis of the mesh, which has "
                f"{device_mesh.axis_names}. Received: batch_dim_name={validate.shown(batch_dim_name)}."
            )
        self._device_mesh = device_mesh
        self._batch_dim_name = name
        self._auto_shard_dataset = bool(auto_shard_dataset)
        self._shard_weights = validate.one_of(shard_weights, (True, False), "shard_weights", type(self))

    @property
    def device_mesh(self) -> DeviceMesh:
        """The mesh."""
        return self._device_mesh

    @property
    def batch_dim_name(self) -> str:
        """The name of the mesh axis along which batches are split."""
        return self._batch_dim_name

    @property
    def auto_shard_dataset(self) -> bool:
        """Whether `distribute_dataset` takes this process's part of a dataset."""
        return self._auto_shard_dataset

    @property
    def shard_weights(self) -> bool:
        """Whether variables are also split along the batch axis, and gathered where they are used."""
        return self._shard_weights

    @property
    def num_model_replicas(self) -> int:
        """The number of parts that a batch is split into."""
        return self._device_mesh.shape[self._device_mesh.axis_names.index(self._batch_dim_name)]

    @property
    def num_processes(self) -> int:
        """The number of processes."""
        return jax.process_count()

    @property
    def num_data_shards(self) -> int:
        """The number of parts that the data are split into by process; several processes may share parts of a batch."""
        return min(self.num_processes, self.num_model_replicas)

    @property
    def data_shard_id(self) -> int:
        """The part of the data for this process, from 0; processes that share parts of a batch have the same one."""
        return jax.process_index() * self.num_data_shards // self.num_processes

    def get_data_layout(self, data_shape: Sequence[int]) -> TensorLayout:
        """The layout of a batch: split along its first axis.

        Args:
            data_shape: the batch's shape.
        """
        return self._layout([self._batch_dim_name, *[None] * (len(data_shape) - 1)][: len(data_shape)])

    def get_variable_layout(self, variable: Variable) -> TensorLayout:
        """The layout in which a variable is stored: its own, if it was created with one on this mesh; else replicated,
        or split over the batch axis if weights are sharded.

        Args:
            variable: the variable.
        """
        return self._own_layout(variable) or self._stored(self._layout([None] * len(variable.shape)), variable.shape)

    def get_tensor_layout(self, path: str) -> TensorLayout | None:
        """The layout of a layer's output, or None to let XLA choose.

        Args:
            path: the layer's path and `"/output"`.
        """
        return None

    def _own_layout(self, variable: Variable) -> TensorLayout | None:
        layout = variable._layout
        return layout if isinstance(layout, TensorLayout) and layout.device_mesh is self._device_mesh else None

    def _stored(self, used: TensorLayout, shape: Sequence[int]) -> TensorLayout:
        return StoredLayout.of(used, self._batch_dim_name, shape) if self._shard_weights else used

    def _layout(self, axes: Sequence[str | None]) -> TensorLayout:
        return TensorLayout(axes, self._device_mesh)

    @contextlib.contextmanager
    def scope(self) -> Iterator[None]:
        """Scope in which this is the distribution of the process, like `set_distribution`."""
        with placement.chosen(self):
            yield

    def distribute_dataset(self, dataset: object) -> Any:
        """This process's part of a dataset, if there are several processes and `auto_shard_dataset` is set.

        Args:
            dataset: a `cornu.data.Dataset`, or any object with `shard(num_shards, index)`, that yields batches.

        Returns:
            Every `num_processes`-th of its elements; the dataset itself if there is nothing to do.

        Raises:
            ValueError: for a dataset that cannot be split.
        """
        shards = self.num_data_shards
        if shards == 1 or not self._auto_shard_dataset:
            return dataset
        if not hasattr(dataset, "shard"):
            raise ValueError(
                f"{type(self).__name__}: a {type(dataset).__name__} has no method shard(num_shards, index), by which "
                "it could "
                "be split by process. Let each process read its own part, and set auto_shard_dataset=False."
            )
        return dataset.shard(shards, self.data_shard_id)

    distribute_tf_dataset = distribute_dataset

    def __repr__(self) -> str:
        return f"<{type(self).__name__} device_mesh={self._device_mesh}>"


class DataParallel(Distribution):
    """Each device has the whole model and processes its part of every batch.

    Losses, metrics, gradients and random numbers are those of the whole batch. A batch that does not divide evenly by
    the number of devices, such as the last one, is replicated on each of them.

    Args:
        device_mesh: a mesh with one axis; with more axes, batches are split along the first, and the devices along the
            others repeat the same work. None creates one from `devices`.
        devices: names of the devices; None for all of `list_devices()`.
        auto_shard_dataset: whether `distribute_dataset` takes this process's part of a dataset. Defaults to True.
        shard_weights: whether each device stores only its part of the weights, the gradients and the optimizer state
            (fully sharded data parallelism, as in ZeRO stage 3). A weight is gathered where a layer uses it, and again
            for its gradient. Weights with fewer than 1,024 elements, or without an axis that divides evenly, are
            replicated. Defaults to False.

    Raises:
        ValueError: if both a mesh and devices are given, or something that is not a mesh.

    Example:

        with cornu.distribution.DataParallel(devices=["cpu:0"]).scope():
            model = cornu.Sequential([cornu.Input((3,)), cornu.layers.Dense(1)])
            model.compile("sgd", "mse")
            model.fit(np.ones((8, 3)), np.ones((8, 1)), verbose=0)

    Source: <https://keras.io/guides/distribution/>; for `shard_weights` Rajbhandari et al., "ZeRO: memory
    optimizations toward training trillion parameter models", 2020, <https://arxiv.org/abs/1910.02054>
    """

    @number_arguments.checked
    def __init__(
        self,
        device_mesh: DeviceMesh | None = None,
        devices: Sequence[str] | None = None,
        auto_shard_dataset: bool = True,
        shard_weights: bool = False,
    ):
        if device_mesh is not None and devices is not None:
            raise ValueError("DataParallel: give either device_mesh or devices, not both.")
        if device_mesh is None:
            names = list_devices() if devices is None else devices
            device_mesh = DeviceMesh((np.size(names),), ["batch"], names)
        if not isinstance(device_mesh, DeviceMesh):
            raise ValueError(
                f"DataParallel: device_mesh must be a DeviceMesh. Received: {validate.shown(device_mesh)} of type "
                f"{type(device_mesh).__name__}."
            )
        super().__init__(device_mesh, auto_shard_dataset=auto_shard_dataset, shard_weights=shard_weights)
        if self.num_model_replicas < device_mesh.devices.size:
            warn(
                f"DataParallel: batches are only split along {self.batch_dim_name!r}, into {self.num_model_replicas} "
                f"parts for {device_mesh.devices.size} devices, and each part is computed "
                f"{device_mesh.devices.size // self.num_model_replicas} times. Use a mesh with one axis."
            )


class ModelParallel(Distribution):
    """Variables are split over the devices by a `LayoutMap`, and batches along one axis of the mesh.

    A variable whose path matches no key is replicated on each device. An optimizer's state is split like its variable.
    A batch that does not divide evenly is replicated on each device.

    Args:
        layout_map: the layouts by path, and the mesh.
        batch_dim_name: name of the mesh axis along which batches are split; None for the first.
        auto_shard_dataset: whether `distribute_dataset` takes this process's part of a dataset. Defaults to True.
        shard_weights: as for `DataParallel`: whether variables are also split along the batch axis. Defaults to False.
        device_mesh: the mesh of `layout_map`, as passed by older scripts. None by default.

    Raises:
        ValueError: without a layout map, for a mesh that is not its own, or for an axis that is not in its mesh.

    Example:

        mesh = cornu.distribution.DeviceMesh((1, 1), ["batch", "model"], devices=["cpu:0"])
        layouts = cornu.distribution.LayoutMap(mesh)
        layouts[".*dense.*kernel"] = (None, "model")
        with cornu.distribution.ModelParallel(layout_map=layouts).scope():
            layer = cornu.layers.Dense(4)
            layer.build((None, 3))

    Source: <https://keras.io/guides/distribution/>
    """

    @number_arguments.checked
    def __init__(
        self,
        *,
        layout_map: LayoutMap | None = None,
        batch_dim_name: str | None = None,
        auto_shard_dataset: bool = True,
        shard_weights: bool = False,
        **kwargs: object,
    ):
        device_mesh = kwargs.pop("device_mesh", None)
        if kwargs:
            raise ValueError(f"ModelParallel: unknown argument(s) {', '.join(map(repr, kwargs))}.")
        if not isinstance(layout_map, LayoutMap):
            raise ValueError(
                f"ModelParallel: layout_map must be a LayoutMap. Received: layout_map={validate.shown(layout_map)}."
            )
        if device_mesh is not None and device_mesh is not layout_map.device_mesh:
            raise ValueError("ModelParallel: device_mesh differs from that of layout_map. Omit it.")
        super().__init__(layout_map.device_mesh, batch_dim_name, auto_shard_dataset, shard_weights)
        self._layout_map = layout_map

    def get_variable_layout(self, variable: Variable) -> TensorLayout:
        """The layout of a variable: its own, that of its path, or replicated.

        Args:
            variable: the variable.

        Raises:
            ValueError: if the layout of its path does not match its shape.
        """
        found = None if self._own_layout(variable) else self._layout_map[variable.path]
        if found is None:
            return super().get_variable_layout(variable)
        check_fits(found, variable.shape, f'ModelParallel: the variable "{variable.path}"')
        return self._stored(found, variable.shape)

    def get_tensor_layout(self, path: str) -> TensorLayout | None:
        """The layout of a layer's output: that of its path.

        Args:
            path: the layer's path and `"/output"`.
        """
        return self._layout_map[path]


def distribution() -> Any:
    """The distribution of this process, or None.

    Example:

        print(cornu.distribution.distribution())  # None

    Source: <https://keras.io/api/distribution/distribution_utils/>
    """
    return placement.current()


def set_distribution(value: Distribution | None) -> None:
    """Set the distribution of this process, for all of its threads.

    Variables created from now on are laid out by it. Those of an existing model are when the model is next trained,
    evaluated or used for prediction.

    Args:
        value: a `DataParallel` or `ModelParallel`; None removes it.

    Raises:
        TypeError: for anything else.

    Example:

        cornu.distribution.set_distribution(cornu.distribution.DataParallel(devices=["cpu:0"]))
        cornu.distribution.set_distribution(None)

    Source: <https://keras.io/api/distribution/distribution_utils/>
    """
    if value is not None and not isinstance(value, Distribution):
        raise TypeError(
            f"set_distribution: value must be a DataParallel, a ModelParallel or None. "
            f"Received: {validate.shown(value)} of type "
            f"{type(value).__name__}."
        )
    placement.choose(value)
