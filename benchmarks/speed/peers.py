"""The peers: where each one's Python is, and the processes that run it."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import cornu

WORKER = Path(__file__).with_name("worker.py")
_ROOT = Path(cornu.__file__).parents[1]  # the folder that holds cornu

# What a peer's name begins with -> (module to import, environment).
ENGINES = {
    "cornu": ("cornu", {}),
    "keras-jax": ("keras", {"KERAS_BACKEND": "jax"}),
    "keras-tf": ("keras", {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"}),
    "keras-torch": ("keras", {"KERAS_BACKEND": "torch"}),
    "torch": ("torch", {}),
    "torch-compiled": ("torch", {}),
    "jax": ("jax", {}),
}


class PeerError(Exception):
    """A process ended or was silent for too long."""


class Peer(NamedTuple):
    """One engine in one environment."""

    name: str
    python: str

    @property
    def kind(self) -> str:
        """The entry of `ENGINES` that the name begins with."""
        return max((known for known in ENGINES if self.name.startswith(known)), key=len)

    def options(self) -> dict[str, Any]:
        """What the worker has to know of the peer."""
        return {"engine": ENGINES[self.kind][0], "compiled": self.kind == "torch-compiled"}

    def environment(self, device: str, home: str | None) -> dict[str, str]:
        """The environment of its process; `home` stands in for the user's home and caches."""
        values = {**os.environ, **ENGINES[self.kind][1], "PYTHONUNBUFFERED": "1"}
        values.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package has its compiled files
        if device == "cpu":
            values |= {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}
        else:
            values["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"  # the peers share one device
        values.pop("PYTHONPATH", None)  # another cornu is the one that its environment has
        if self.name == "cornu":
            values["PYTHONPATH"] = str(_ROOT)
        if home:
            caches = {"XDG_CACHE_HOME": f"{home}/cache", "TORCHINDUCTOR_CACHE_DIR": f"{home}/torch"}
            values |= {"HOME": home, **caches}
            for name in ("JAX_COMPILATION_CACHE_DIR", "CORNU_COMPILATION_CACHE"):
                values.pop(name, None)
        return values


def find(folder: Path, given: list[str], own: str) -> list[Peer]:
    """cornu in this Python, `import jax` beside it, the environments in a folder, and those given as NAME=PYTHON."""
    pythons = {"cornu": own}
    for kind in ENGINES:
        homes = ("torch", "keras-torch") if kind.startswith("torch") else (kind,)
        there = [path for home in homes if (path := folder / home / "bin" / "python").exists()]
        if there and kind != "cornu":
            pythons[kind] = str(there[0].absolute())
    for text in given:
        name, mark, python = text.partition("=")
        if not mark or not any(name.startswith(known) for known in ENGINES):
            raise ValueError(
                f"--peer: expected NAME=PYTHON with a name that begins with one of {', '.join(ENGINES)}."
                f" Received: {text!r}."
            )
        pythons[name] = python
    pythons.setdefault("jax", own)
    return [Peer(name, python) for name, python in pythons.items()]


class Process:
    """A worker, its answers one at a time, and the end of what it wrote to its errors."""

    def __init__(self, peer: Peer, options: dict[str, Any], device: str, home: str | None, worker: Path = WORKER):
        self.peer = peer
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - closed in `stop`
        self._process = subprocess.Popen(
            [peer.python, str(worker), json.dumps({**options, **peer.options(), "device": device})],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True,
            env=peer.environment(device, home), start_new_session=True,
        )  # fmt: skip
        self._orders, self._answered = cast(IO[str], self._process.stdin), cast(IO[str], self._process.stdout)  # pipes
        self._answers: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._answered:
            self._answers.put(line)
        self._answers.put("")

    def answer(self, seconds: float) -> dict[str, Any]:
        """The next answer, or `PeerError` when none comes in time."""
        try:
            line = self._answers.get(timeout=seconds)
        except queue.Empty:
            raise PeerError(f"no answer within {seconds:.0f} s") from None
        if not line:
            raise PeerError(f"ended with status {self._process.wait()}: {self._last_words()}")
        return json.loads(line)

    def ask(self, seconds: float) -> dict[str, Any]:
        """Have one round made."""
        try:
            self._orders.write("go\n")
            self._orders.flush()
        except BrokenPipeError:
            raise PeerError(f"ended: {self._last_words()}") from None
        return self.answer(seconds)

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = [line.strip() for line in self._errors if line.strip()]
        return " | ".join(lines[-3:])[-400:]

    def stop(self, patience: float = 10) -> None:
        """End the process and those that it started."""
        with contextlib.suppress(BrokenPipeError):
            self._orders.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join()
        self._answered.close()
        self._errors.close()
