"""A record of each run of `fit`: its settings, its progress, and how it ended.

The contents of the files, and how they are read, are defined in `cornu/runs.py`.
"""

import hashlib
import itertools
import json
import os
import platform
import signal
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxlib.version import __version__ as jaxlib_version

from cornu import registry, runs, validate
from cornu._version import __version__
from cornu.callbacks import script_code
from cornu.callbacks.callback import Callback
from cornu.callbacks.learning_rate import read_rate
from cornu.callbacks.monitor_callback import directions
from cornu.core.configurable import constructor_parameters, serialize_keras_object, with_shared_ids
from cornu.core.typing import HookLogs, State
from cornu.random import global_seed
from cornu.runs import Record
from cornu.saving import atomic

_ENVIRONMENT = ("CORNU_", "JAX_", "KERAS_", "XLA_")  # prefixes of the relevant variables
_LONGEST = 2**21  # maximum length of a stored value


class RunRecord(Callback):
    """Records each `fit`: a directory with its settings, data, code, machine, metrics and end.

    `cornu runs DIRECTORY` lists the runs, `cornu runs diff A B` shows the differences between two runs. The files are:

    - `run.json`: the model's config, the arguments of `compile` and `fit`, the type, shapes and dtypes of the data and
    a hash of some rows, versions, the global seed, the processor, the command line, environment variables of JAX and
    cornu, and the revision of the script's git repository, if there is one;
    - `changes.diff`: the differences from the last commit, at most 1 MB;
    - `metrics.jsonl`: one line per epoch, `{"epoch": 0, "seconds": ..., "learning_rate": ..., "metrics": {...}}`, which
    is in the file before the next epoch starts; numbers that JSON does not support are strings, such as `"nan"`;
    - `end.json`: `"end"` is `"finished"`, `"error"` with its type and message, or `"stopped"` by a signal. If the
    process was killed, there is no such file. While recording, SIGTERM ends the process after the current call.

    A run that resumes from a backup (`BackupAndRestore`) gets its own record, which starts with the lines of the
    earlier epochs. If a line cannot be written, there is a warning, and training continues.

    Args:
        directory: parent directory of the runs' directories. Defaults to `"runs"`.
        name: name of the run, appended to its date and time. None by default.

    Attributes:
        folder: directory of the last run; None before the first.

    Raises:
        OSError: from `fit`, before training, if the directory is not writable.

    Example:

        import numpy as np
        model = cornu.Sequential([cornu.Input((2,)), cornu.layers.Dense(1)])
        model.compile("adam", "mse")
        record = cornu.callbacks.RunRecord("runs")
        model.fit(np.ones((8, 2)), np.ones(8), epochs=3, callbacks=[record], verbose=0)
        print((record.folder / "metrics.jsonl").read_text())
    """

    state_attributes = ("lines", "place")
    _written_to = "directory"

    def __init__(self, directory: str | os.PathLike[str] = "runs", name: str | None = None):
        super().__init__()
        self.directory = os.fspath(directory)
        self.name = validate.name(name, "RunRecord", optional=True)
        self.folder: Path | None = None
        self.lines: list[str] = []
        """The lines of the epochs so far, as in the file."""
        self._told: Record = {}
        self._facts: Record = {}
        self._began = 0.0  # on the monotonic clock
        self._has_ended = False

    def _rehearse(self) -> None:
        """Nothing is kept: each training run starts afresh."""

    @property
    def place(self) -> str:
        """The name of the run's directory."""
        return self.folder.name if self.folder is not None else ""

    def describe(self, fit: Mapping[str, object], data: Mapping[str, object]) -> None:
        """Record the arguments of `fit` and a description of its data, before training starts."""
        self._told = {"fit": {name: _bounded(value) for name, value in fit.items()}, "data": dict(data)}

    def on_train_begin(self, logs: HookLogs = None) -> None:
        self._began, self.lines, self._has_ended = time.monotonic(), [], False
        self.folder = _new_folder(self.directory, self.name)
        code = script_code.look(self.directory)
        self._facts = _facts(self.model) | self._told | {"code": code.facts}
        if code.patch:
            (self.folder / runs.PATCH).write_bytes(code.patch)
        self._write(runs.FACTS, json.dumps(self._facts, indent=1))

    def set_state(self, state: State) -> None:
        """Start with the epochs of the run that this one resumes."""
        self.lines = list(state["lines"])
        self._facts |= {"goes_on": state["place"], "seeds": _seeds()}
        with self._warned():
            self._write(runs.FACTS, json.dumps(self._facts, indent=1))
            self._write(runs.METRICS, "".join(f"{line}\n" for line in self.lines))
        if self.lines:
            self._began = time.monotonic() - json.loads(self.lines[-1])["seconds"]

    def on_epoch_end(self, epoch: int, logs: HookLogs = None) -> None:
        line: Record = {"epoch": epoch, "seconds": self._seconds()}
        with suppress(ValueError):  # no optimizer, or one without a learning rate
            line["learning_rate"] = runs.as_json(read_rate(self))
        line["metrics"] = {name: _plain(np.asarray(value).tolist()) for name, value in (logs or {}).items()}
        self.lines.append(json.dumps(line))
        if self.folder is not None:
            with self._warned(), open(self.folder / runs.METRICS, "ab", buffering=0) as file:
                file.write(f"{self.lines[-1]}\n".encode())  # in one piece

    def on_train_end(self, logs: HookLogs = None) -> None:
        self._end({"end": "finished", "early": bool(getattr(self.model, "stop_training", False))})

    def on_train_error(self, error: BaseException) -> None:
        if isinstance(error, KeyboardInterrupt):
            number = getattr(error, "signal", signal.SIGINT)
            self._end({"end": "stopped", "signal": signal.Signals(number).name})
        else:
            self._end({"end": "error", "type": type(error).__name__, "message": str(error)[:_LONGEST]})

    def _end(self, how: dict[str, object]) -> None:
        if self.folder is None or self._has_ended:
            return
        self._has_ended = True
        with self._warned():
            when = {"ended": _now(), "seconds": self._seconds(), "epochs": len(self.lines)}
            self._write(runs.END, json.dumps(how | when, indent=1))

    def _seconds(self) -> float:
        return round(time.monotonic() - self._began, 3)

    def _write(self, name: str, text: str) -> None:
        """Write a file in the directory atomically."""
        if self.folder is not None:
            with atomic.replacing(self.folder / name) as temporary:
                temporary.write_text(text, encoding="utf-8")

    @contextmanager
    def _warned(self) -> Iterator[None]:
        """Scope in which a file that cannot be written does not end training."""
        try:
            yield
        except OSError as error:
            warnings.warn(f"RunRecord: the record in {str(self.folder)!r} is incomplete: {error}.", stacklevel=3)


def _new_folder(directory: str, name: str | None) -> Path:
    """A new directory, named after the time."""
    os.makedirs(directory, exist_ok=True)
    called = datetime.now().strftime("%Y-%m-%d_%H-%M-%S") + (f"_{name}" if name else "")
    for number in itertools.count(1):
        folder = Path(directory, called if number == 1 else f"{called}_{number}")
        with suppress(FileExistsError):  # from another run in the same second
            folder.mkdir()
            break
    return folder


# ---------------------------------------------------------------- facts


def _facts(model: object) -> dict[str, object]:
    """What is known about a model and this process."""
    device = jax.devices()[0]
    return {
        "began": _now(),
        "process": runs.process(),
        "command": list(map(str, sys.argv)),
        "model": _bounded(_of_model(model)),
        "compile": {name: _bounded(value) for name, value in getattr(model, "_compile_arguments", {}).items()},
        "better": directions(model),
        "seeds": _seeds(),
        "versions": {
            "cornu": __version__, "jax": jax.__version__, "jaxlib": jaxlib_version, "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "machine": {
            "system": platform.platform(), "processor": _processor(), "cores": os.cpu_count(),
            "device": device.device_kind, "platform": device.platform, "devices": jax.device_count(),
        },
        "environment": {name: value for name, value in sorted(os.environ.items()) if name.startswith(_ENVIRONMENT)},
    }  # fmt: skip


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")


def _seeds() -> dict[str, int]:
    return {"global": global_seed()}


def _processor() -> str:
    """The name of the processor, if the system provides it."""
    with suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return platform.processor()


def _of_model(model: Any) -> Record:
    kind = type(model)
    facts: Record = {"class_name": kind.__name__}
    if not registry.is_builtin(kind):  # its config says little
        facts["weights"] = [f"{v.name} {v.dtype}{list(v.shape)}" for v in getattr(model, "weights", ())]
    try:
        facts |= {"name": model.name, "parameters": model.count_params()}
        facts["config"] = with_shared_ids(lambda: serialize_keras_object(dict(model.get_config())))
    except Exception as error:  # not built, or a user's class without a config
        facts["config"] = f"none: {error}"
    return facts


def _bounded(value: object) -> Any:
    """A value as plain data, or a hash of it if it is very long."""
    plain = _plain(value)
    text = json.dumps(plain)
    return plain if len(text) <= _LONGEST else f"{len(text)} signs, sha256 {hashlib.sha256(text.encode()).hexdigest()}"


def _plain(value: object) -> Any:
    """A value as JSON data, or a description of it."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return runs.as_json(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return list(map(_plain, value))
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, Callback):
        return {"class_name": type(value).__name__, "config": _plain(_arguments(value))}
    try:
        return _plain(serialize_keras_object(value))
    except Exception:  # code, or a user's class
        return _named(value)


def _arguments(callback: Callback) -> dict[str, object]:
    """The arguments of a callback's constructor that are stored as attributes."""
    names = constructor_parameters(type(callback))
    return {name: getattr(callback, name) for name in names if hasattr(callback, name)}


def _named(value: Any) -> str:
    code = getattr(value, "__code__", None)
    if code is None:
        return f"{type(value).__module__}.{type(value).__qualname__}"
    return f"{value.__module__}.{value.__qualname__}, line {code.co_firstlineno}"
