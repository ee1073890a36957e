"""TensorBoard event files: named values at the steps of a training run.

The records are written by tensorboardX, which has few dependencies. Measured in November 2026, in addition to JAX and
NumPy: tensorboardX 2.6.5 with its dependencies takes 4.6 MB and 0.05 s to import; TensorBoard 2.21's own writer brings
all of TensorBoard, gRPC and a server, 88 MB, and takes 0.1 s. A custom writer would have to encode protocol buffers and
their checksums by hand.

Values are written as TensorFlow 2 writes them: as tensors, tagged with the plugin that displays them. So TensorBoard
and programs that read event files find the same as in Keras's. The convenience methods of `tensorboardX.SummaryWriter`
use TensorFlow 1's format, so only its messages and file writer are used.
"""

import io
import itertools
import os
import time
import weakref
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cornu import validate
from cornu.core.typing import Tensor

PURPOSE = "TensorBoard"
BUCKETS = 30  # in a histogram
_SECONDS = 5.0  # interval after which writes are flushed
_PIXELS = 2**22  # in the largest image that is written
_numbers = itertools.count()  # numbers this process's files, which may be created in the same second


def package(part: str = "event_file_writer") -> ModuleType:
    """A module of the package that writes the files, or an error that says what to install."""
    return validate.optional_import(f"tensorboardX.{part}", purpose=PURPOSE, extra="tensorboard")


def package_of_images() -> ModuleType:
    """The same for the package that writes images."""
    return validate.optional_import("PIL.Image", purpose=f"{PURPOSE}, for images,", extra="image")


class EventFile:
    """An event file. Data is on disk after `flush`, or after a few seconds at most.

    Args:
        folder: directory of the file; it is created if needed.
    """

    def __init__(self, folder: str | os.PathLike[str]):
        Path(folder).mkdir(parents=True, exist_ok=True)
        suffix = f".{os.getpid()}.{next(_numbers)}.v2"
        self._writer = package().EventsWriter(os.path.join(folder, "events"), suffix)
        self._flushed = time.monotonic()
        self.close = weakref.finalize(self, self._writer.close)
        """Write what is left, and close the file; later calls do nothing."""
        self.flush()

    def flush(self) -> None:
        """Flush the file to disk."""
        self._writer.flush()
        self._flushed = time.monotonic()

    def scalar(self, name: str, data: ArrayLike, step: int) -> None:
        """Write a number, or each entry of an array under its index."""
        values = np.asarray(data, "float32")
        for place in np.ndindex(values.shape):
            self._write("/".join([name, *map(str, place)]), "scalars", values[place], step)

    def histogram(self, name: str, data: ArrayLike, step: int, buckets: int = BUCKETS) -> None:
        """Write the distribution of the finite values of an array."""
        values = np.asarray(data).astype("float64").ravel()
        counts, edges = np.histogram(values[np.isfinite(values)], buckets)
        self._write(name, "histograms", np.stack([edges[:-1], edges[1:], counts], 1), step)

    def image(self, name: str, data: ArrayLike, step: int, max_outputs: int = 3) -> None:
        """Write images of shape (number, height, width, 1, 3 or 4), of floats from 0 to 1 or of bytes."""
        images = np.asarray(data)
        if images.dtype != "uint8":
            images = np.rint(np.nan_to_num(images.astype("float32")).clip(0, 1) * 255).astype("uint8")
        height, width = images.shape[1:3]
        files = [_png(image) for image in images[:max_outputs]]
        self._write(name, "images", [str(width).encode(), str(height).encode(), *files], step)

    def text(self, name: str, data: str, step: int) -> None:
        """Write a text, in Markdown."""
        self._write(name, "text", data.encode(), step)

    def model(self, name: str, config: str, step: int = 0) -> None:
        """Write the structure of a model, as the JSON of its config."""
        self._write(name, "graph_keras_model", config.encode(), step, b"1")

    def graph(self, nodes: Iterable[tuple[str, str, list[str]]]) -> None:
        """Write a graph of nodes, each with its name, its type and the names of its inputs."""
        names = ("graph_pb2", "node_def_pb2", "versions_pb2")
        graph_pb2, node_def_pb2, versions_pb2 = (package(f"proto.{name}") for name in names)
        made = [node_def_pb2.NodeDef(name=name, op=kind, input=read) for name, kind, read in nodes]
        graph = graph_pb2.GraphDef(node=made, versions=versions_pb2.VersionDef(producer=22))
        self._record(graph_def=graph.SerializeToString())

    def _write(self, name: str, plugin: str, value: object, step: int, content: bytes = b"") -> None:
        summary_pb2 = package("proto.summary_pb2")
        kind = summary_pb2.SummaryMetadata
        metadata = kind(plugin_data=kind.PluginData(plugin_name=plugin, content=content))
        entry = summary_pb2.Summary.Value(tag=name, metadata=metadata, tensor=_tensor(value))
        self._record(step=int(step), summary=summary_pb2.Summary(value=[entry]))

    def _record(self, **content: object) -> None:
        self._writer.write_event(package("proto.event_pb2").Event(wall_time=time.time(), **content))
        if time.monotonic() - self._flushed > _SECONDS:
            self.flush()


def _tensor(value: Tensor) -> Any:
    """The message for a float32 or float64 array, bytes, or a list of bytes."""
    names = ("tensor_pb2", "tensor_shape_pb2", "types_pb2")
    tensor_pb2, tensor_shape_pb2, types_pb2 = (package(f"proto.{name}") for name in names)

    def shaped(*sizes: int) -> Any:
        return tensor_shape_pb2.TensorShapeProto(dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=n) for n in sizes])

    if isinstance(value, bytes):
        return tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, tensor_shape=shaped(), string_val=[value])
    if isinstance(value, list):
        return tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, tensor_shape=shaped(len(value)), string_val=value)
    kind = types_pb2.DT_FLOAT if value.dtype == "float32" else types_pb2.DT_DOUBLE
    return tensor_pb2.TensorProto(dtype=kind, tensor_shape=shaped(*value.shape), tensor_content=value.tobytes())


def _png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    package_of_images().fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(file, "PNG")
    return file.getvalue()


def weights_as_images(values: np.ndarray) -> np.ndarray | None:
    """The values of a weight as images of (number, height, width, channels), scaled from 0 to 1.

    As in Keras, a vector is a column, a matrix is laid on its longer side, and an array of three axes has one image per
    index of its last axis. The filters of a convolution over one or three channels are images too. None for any other
    weight, and for one that is too large for an image.
    """
    values = np.squeeze(np.nan_to_num(values.astype("float32")))
    if values.size > _PIXELS or not 1 <= values.ndim <= 4 or (values.ndim == 4 and values.shape[2] != 3):
        return None
    span = values.max() - values.min()
    values = (values - values.min()) / span if span > 0 else values - values.min()
    if values.ndim == 1:
        return values[None, :, None, None]
    if values.ndim == 2:
        return (values if values.shape[0] <= values.shape[1] else values.T)[None, :, :, None]
    if values.ndim == 3:
        return np.moveaxis(values, -1, 0)[..., None]
    return np.moveaxis(values, -1, 0)  # (height, width, channels, filters)
