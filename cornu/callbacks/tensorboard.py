"""TensorBoard logs of a training run: `log_dir/train` and `log_dir/validation`, with Keras's tags.

| Tag | Step | Where |
|---|---|---|
| `epoch_NAME`, `epoch_learning_rate`, `epoch_steps_per_second` | epoch, from 0 | `train`; metrics also `validation` |
| `batch_NAME`, `batch_steps_per_second` | batch of the whole training, from 1 | `train` |
| `evaluation_NAME_vs_iterations` | the optimizer's iterations | `validation` |
| `PATH/histogram`, `PATH/image` of each weight | epoch | `train` |
| `keras`: the model, and its graph | 0 | `train` |

Hooks for single batches do nothing unless the arguments ask for them, so that `fit` may run many steps per call. Event
files are written by `event_file`.
"""

import json
import os
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from cornu import validate
from cornu.callbacks import event_file
from cornu.callbacks.callback import Callback
from cornu.callbacks.event_file import EventFile
from cornu.callbacks.learning_rate import read_rate
from cornu.core.border import to_host
from cornu.core.symbolic import Node
from cornu.core.typing import HookLogs
from cornu.saving import atomic

_BATCH_HOOKS = ("on_train_batch_begin", "on_train_batch_end")


class TensorBoard(Callback):
    """Writes metrics, weights, the model and profiles for TensorBoard: `tensorboard --logdir logs`.

    Requires tensorboardX (`pip install '.[tensorboard]'`), and Pillow for `write_images`; profiles are displayed by
    TensorBoard's plugin `tensorboard-plugin-profile`. A run that resumes from a backup continues its batch numbers.

    Args:
        log_dir: directory of the logs; each `fit` starts new files in it. Defaults to `"logs"`.
        histogram_freq: number of epochs between histograms of the weights; 0, the default, for never.
        write_graph: whether to write the structure of a functional or sequential model. Defaults to True.
        write_images: whether to write the weights as images along with their histograms, from black for the minimum to
            white for the maximum. Weights that cannot be shown as images are skipped. Defaults to False.
        write_steps_per_second: whether to write the number of steps per second. Defaults to False.
        update_freq: `"epoch"`, the default, or `"batch"`, or a number of batches after which the metrics of the epoch
            so far are written. Each batch is then a separate call, as for every callback that observes batches.
        profile_batch: batch, counted from 1 over all epochs, or a pair of the first and the last one, to profile with
            `jax.profiler`; 0, the default, for none.
        embeddings_freq: number of epochs between exports of `Embedding` tables for the projector, each replacing the
            previous one; 0, the default, for never.
        embeddings_metadata: file with one label per row of the tables, as a path relative to `log_dir`; or a dictionary
            from layer names to such files. None by default.

    Attributes:
        summary: the file of `train`, to write other values: `summary.scalar(name, value, step)`, and `histogram`,
            `image` (number, height, width, channels) and `text`.

    Raises:
        MissingPackageError: if a package is not installed.
        ValueError: if an argument is out of range, or names a layer that does not exist in the model.

    Example:
        board = cornu.callbacks.TensorBoard("logs", histogram_freq=1, update_freq=100)
    """

    state_attributes = ("batches", "batch")
    _written_to = "log_dir"

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: str | int = "epoch",
        profile_batch: int | tuple[int, int] = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: str | Mapping[str, str] | None = None,
    ):
        super().__init__()
        event_file.package()
        if write_images:
            event_file.package_of_images()
        self.log_dir = os.fspath(log_dir)
        self.histogram_freq = validate.non_negative_int(histogram_freq, "histogram_freq", "TensorBoard")
        self.write_graph = write_graph
        self.write_images = write_images
        self.write_steps_per_second = write_steps_per_second
        self.update_freq = update_freq
        self.profile_batch = profile_batch
        self.embeddings_freq = validate.non_negative_int(embeddings_freq, "embeddings_freq", "TensorBoard")
        self.embeddings_metadata = embeddings_metadata
        self.batches = 0
        """The number of batches in this run so far."""
        self.batch = -1
        """The last batch of the epoch."""
        self._interval = _interval(update_freq)
        self._profiled = _profiled(profile_batch)
        self._is_profiling = self._is_training = False
        self._files: dict[str, EventFile] = {}
        self._began = self._batch_began = (0.0, 0)  # time, and steps until then
        if not self._interval and not self._profiled:
            own = [hook for hook in _BATCH_HOOKS if getattr(type(self), hook) is getattr(TensorBoard, hook)]
            self.idle_hooks = frozenset(own)

    @property
    def summary(self) -> EventFile:
        """The file of `train`."""
        return self._file("train")

    def _file(self, run: str) -> EventFile:
        if run not in self._files:
            self._files[run] = EventFile(Path(self.log_dir, run))
        return self._files[run]

    def _rehearse(self) -> None:
        self._files = {}
        self._interval = min(self._interval, 1)

    def get_state(self) -> dict[str, object]:
        """The number of batches; everything written until then is on disk."""
        self._flush()
        return super().get_state()

    # ------------------------------------------------------------ training

    def on_train_begin(self, logs: HookLogs = None) -> None:
        self._end()
        self.batches, self.batch = 0, -1
        self._is_training = True
        if self.write_graph:
            self._write_model()
        if self.embeddings_freq:
            self._metadata()

    def on_train_end(self, logs: HookLogs = None) -> None:
        self._end()

    def _end(self) -> None:
        self._stop_profile()
        for file in self._files.values():
            file.close()
        self._files.clear()
        self._is_training = False

    def _flush(self) -> None:
        for file in self._files.values():
            file.flush()

    def on_epoch_begin(self, epoch: int, logs: HookLogs = None) -> None:
        self.batch = -1
        self._began = time.perf_counter(), self._iterations()

    def on_epoch_end(self, epoch: int, logs: HookLogs = None) -> None:
        values = dict(logs or {})
        learning_rate = {"learning_rate": read_rate(self)} if hasattr(self._optimizer, "learning_rate") else {}
        rate = {"steps_per_second": self._rate(self._began, self._iterations())} if self.write_steps_per_second else {}
        of_training = {name: value for name, value in values.items() if not name.startswith("val_")}
        of_validation = {name[4:]: value for name, value in values.items() if name.startswith("val_")}
        self._write("train", "epoch_{}", of_training | learning_rate | rate, epoch)
        self._write("validation", "epoch_{}", of_validation, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write_weights(epoch)
        if self.embeddings_freq and epoch % self.embeddings_freq == 0:
            self._write_embeddings()
        self._flush()

    def on_test_end(self, logs: HookLogs = None) -> None:
        names = "evaluation_{}_vs_iterations"
        self._write("validation", names, logs or {}, self._iterations())
        self._flush()
        if not self._is_training:
            self._end()

    def _write(self, run: str, names: str, values: Mapping[str, Any], step: int) -> None:
        for name, value in values.items():
            self._file(run).scalar(names.format(name), value, step)

    @staticmethod
    def _rate(began: tuple[float, int], steps: int) -> float:
        return (steps - began[1]) / max(time.perf_counter() - began[0], 1e-9)

    @property
    def _optimizer(self) -> Any:
        return getattr(self.model, "optimizer", None)

    def _iterations(self) -> int:
        return 0 if self._optimizer is None else int(np.asarray(self._optimizer.iterations))

    # ------------------------------------------------------------ batches

    def on_train_batch_begin(self, batch: int, logs: HookLogs = None) -> None:
        self._batch_began = time.perf_counter(), self.batches
        if self._profiled and not self._is_profiling and self.batches + 1 == self._profiled[0]:
            self._start_profile()

    def on_train_batch_end(self, batch: int, logs: HookLogs = None) -> None:
        before = self.batches
        self.batches += batch - self.batch
        self.batch = batch
        if self._is_profiling and self.batches >= self._profiled[1]:
            self._stop_profile()
        if self._interval and self.batches // self._interval > before // self._interval:
            values = dict(logs or {})
            rate = {"steps_per_second": self._rate(self._batch_began, self.batches)}
            self._write("train", "batch_{}", values | (rate if self.write_steps_per_second else {}), self.batches)

    def _start_profile(self) -> None:
        self._wait()
        jax.profiler.start_trace(os.path.join(self.log_dir, "train"))
        self._is_profiling = True

    def _stop_profile(self) -> None:
        if self._is_profiling:
            self._is_profiling = False
            self._wait()
            jax.profiler.stop_trace()

    def _wait(self) -> None:
        """Wait until the device is idle, so that a profile contains exactly its batches."""
        jax.block_until_ready([variable.value for variable in self.model.variables])

    # ------------------------------------------------------------ the model and its weights

    def _write_model(self) -> None:
        try:
            config = self.model.to_json()
        except (AttributeError, TypeError, ValueError, NotImplementedError) as error:
            warnings.warn(f"TensorBoard: the model is not written, because it has no config. {error}", stacklevel=2)
            return
        if "layers" in json.loads(config)["config"]:  # the computation of a subclass is not in its config
            self._file("train").model("keras", config)
            self._file("train").graph(self._nodes())  # which is displayed by default

    def _nodes(self) -> Iterator[tuple[str, str, list[str]]]:
        """(name, class, names of its inputs) of each call in the model's graph."""
        names: dict[Node, str] = {}
        calls: Counter[int] = Counter()
        graph = getattr(self.model, "_graph", None)
        for node in graph.nodes_in_order if graph is not None else ():
            again = calls[id(node.operation)]  # a shared layer
            calls[id(node.operation)] += 1
            names[node] = node.operation.name + (f"_{again}" if again else "")
            kind = getattr(node.operation, "class_name", type(node.operation).__name__)
            yield names[node], kind, [names[parent] for parent in node.parents]

    def _write_weights(self, epoch: int) -> None:
        for variable in self.model.weights:
            values = to_host(variable.value)
            self._file("train").histogram(f"{variable.path}/histogram", values, epoch)
            images = event_file.weights_as_images(values) if self.write_images else None
            if images is not None:
                self._file("train").image(f"{variable.path}/image", images, epoch)

    # ------------------------------------------------------------ embeddings

    def _embeddings(self) -> dict[str, object]:
        """The tables of embedding layers, by layer name."""
        layers = self.model._flatten_layers()
        return {layer.name: layer.embeddings for layer in layers if getattr(layer, "embeddings", None) is not None}

    def _metadata(self) -> dict[str, str]:
        """The files with the labels of the rows of the tables, by layer name."""
        tables, given = self._embeddings(), self.embeddings_metadata
        if given is None:
            return {}
        if not isinstance(given, Mapping):
            return dict.fromkeys(tables, os.fspath(given))
        unknown = sorted(set(given) - set(tables))
        if unknown:
            raise ValueError(
                f"TensorBoard: embeddings_metadata names {unknown[0]!r}, which is not an Embedding layer of the model. "
                f"Its Embedding layers: {', '.join(map(repr, tables)) or 'none'}."
            )
        return {name: os.fspath(path) for name, path in given.items()}

    def _write_embeddings(self) -> None:
        metadata, entries = self._metadata(), []
        for name, table in self._embeddings().items():
            path = f"train/{name.replace('/', '_')}.tsv"
            with atomic.replacing(Path(self.log_dir, path)) as file:
                np.savetxt(file, to_host(table).astype("float32"), "%.7g", "\t")
            facts = {"tensor_name": name, "tensor_path": path, "metadata_path": metadata.get(name)}
            lines = [f"  {key}: {json.dumps(value)}\n" for key, value in facts.items() if value is not None]
            entries.append(f"embeddings {{\n{''.join(lines)}}}\n")
        with atomic.replacing(Path(self.log_dir, "projector_config.pbtxt")) as file:
            file.write_text("".join(entries), encoding="utf-8")


def _interval(update_freq: object) -> int:
    """The number of batches between metrics; 0 if they are written only per epoch."""
    if update_freq in ("epoch", "batch"):
        return int(update_freq == "batch")
    if validate.is_integer(update_freq) and int(update_freq) > 0:
        return int(update_freq)
    raise ValueError(
        f'TensorBoard: update_freq must be "epoch", "batch" or a positive number of batches. '
        f"Received: update_freq={validate.shown(update_freq)}."
    )


def _profiled(profile_batch: object) -> tuple[int, ...]:
    """The first and the last batch to profile; empty for none."""
    pair = tuple(profile_batch) if isinstance(profile_batch, (tuple, list)) else (profile_batch, profile_batch)
    if len(pair) == 2 and all(map(validate.is_integer, pair)):
        if pair == (0, 0):
            return ()
        if 1 <= pair[0] <= pair[1]:
            return pair
    raise ValueError(
        "TensorBoard: profile_batch must be 0, a batch number, counted from 1, or the first and the last of "
        f"a range. Received: profile_batch={validate.shown(profile_batch)}."
    )
