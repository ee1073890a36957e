"""Start one script in several processes on this machine that train one model together.

    cornu launch -n 4 train.py --epochs 3
    cornu launch -n 4 -m package.train -- --epochs 3
    cornu launch -n 4 -m cornu run keras_script.py

The environment tells each process where the others are, so `keras.distribution.initialize()` needs no arguments. The
output of the first process is shown, and the output of each is written to its own file. As soon as one process fails,
and on Ctrl-C or SIGTERM, all are terminated. The exit status is that of the process that failed first, 128 plus the
signal number if it was killed by a signal, and 0 if none failed.
"""

import argparse
import contextlib
import ctypes
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from cornu.core.progress import LINGER, LOST

_LAST_LINES = 15  # number of log lines to show
_GRACE = 5.0  # seconds between SIGTERM and SIGKILL
_LOOKS = 0.05  # polling interval in seconds
_AFTER_LOSS = LINGER + 3.0  # seconds to wait for the process whose end the others have noticed


class Started(NamedTuple):
    """One of the processes.

    Attributes:
        rank: its index.
        process: the process.
        log: the file with its output.
    """

    rank: int
    process: subprocess.Popen[bytes]
    log: Path


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `cornu launch`."""
    parser.usage = "cornu launch [-h] -n N [--logs DIR] [--port PORT] (SCRIPT | -m MODULE) [--] [ARGS ...]"
    parser.add_argument("-n", "--processes", type=_positive, required=True, metavar="N", help="number of processes")
    parser.add_argument("--logs", metavar="DIR", help="directory for the logs; a temporary one by default")
    parser.add_argument("--port", type=int, help="port for the processes to connect; a free one by default")
    parser.add_argument("-m", "--module", action="store_true", help="run a module, like python -m")
    parser.add_argument("target", metavar="SCRIPT", help="the Python file to run, or with -m the module")
    parser.add_argument("rest", nargs=argparse.REMAINDER, metavar="ARGS", help="arguments for the script")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a positive integer. Received: {text!r}.")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Start the processes and wait for them."""
    if not options.module and not Path(options.target).is_file():
        print(f"cornu launch: there is no file {options.target!r}.", file=sys.stderr)
        return 2
    try:
        devices = shares(options.processes)
    except ValueError as error:
        print(f"cornu launch: {error}", file=sys.stderr)
        return 2
    rest = options.rest[1:] if options.rest[:1] == ["--"] else options.rest
    command = [sys.executable, *(["-m"] if options.module else []), options.target, *rest]
    logs = Path(options.logs or tempfile.mkdtemp(prefix="cornu-launch-"))
    logs.mkdir(parents=True, exist_ok=True)
    print(f"cornu launch: {options.processes} processes, with logs in {logs}.", file=sys.stderr, flush=True)
    address = f"127.0.0.1:{options.port or _free_port()}"
    with _stopped() as stopped, contextlib.ExitStack() as running:
        started = [
            _start(command, environment(rank, options.processes, address) | devices[rank], logs, rank)
            for rank in range(options.processes)
        ]
        _show(started[0], running)
        running.callback(_end_all, started)
        return _watch(started, stopped)


def environment(rank: int, count: int, address: str) -> dict[str, str]:
    """The environment of a process: Keras's and JAX's variables, and unbuffered output."""
    return {
        "KERAS_DISTRIBUTION_JOB_ADDRESSES": address,
        "KERAS_DISTRIBUTION_NUM_PROCESSES": str(count),
        "KERAS_DISTRIBUTION_PROCESS_ID": str(rank),
        "JAX_COORDINATOR_ADDRESS": address,
        "JAX_COORDINATOR_BIND_ADDRESS": address,  # no connections from outside
        "JAX_CPU_COLLECTIVES_IMPLEMENTATION": os.environ.get("JAX_CPU_COLLECTIVES_IMPLEMENTATION", "gloo"),
        "PYTHONUNBUFFERED": "1",
    }


def shares(count: int) -> list[dict[str, str]]:
    """For each process the variable that assigns its share of the machine's NVIDIA GPUs; empty if there are none.

    Raises:
        ValueError: if they cannot be divided equally.
    """
    if "cpu" in os.environ.get("JAX_PLATFORMS", "").split(",")[:1]:
        return [{}] * count
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    here = sorted(name[6:] for name in os.listdir("/dev") if re.fullmatch(r"nvidia\d+", name))
    found = chosen.split(",") if chosen else here if chosen is None else []
    if len(found) % count:
        raise ValueError(
            f"{len(found)} GPUs cannot be divided into {count} equal parts. Select some with CUDA_VISIBLE_DEVICES, use "
            "another -n, "
            "or use the CPU with JAX_PLATFORMS=cpu."
        )
    each = len(found) // count
    return [
        {"CUDA_VISIBLE_DEVICES": ",".join(found[rank * each : (rank + 1) * each])} if each else {}
        for rank in range(count)
    ]


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def _start(command: Sequence[str], told: dict[str, str], logs: Path, rank: int) -> Started:
    """Start one process, in its own session, so that its children are terminated with it."""
    shown = subprocess.PIPE if rank == 0 else None
    with open(logs / f"rank-{rank}.log", "wb") as log:
        process = subprocess.Popen(
            command,
            env={**os.environ, **told},
            stdin=subprocess.DEVNULL,
            stdout=shown or log,
            stderr=shown or log,
            start_new_session=True,
            preexec_fn=_dies_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - no thread runs yet
        )
    return Started(rank, process, Path(log.name))


def _show(first: Started, running: contextlib.ExitStack) -> None:
    """Show the output of a process, and write it to its log."""
    for source, target in ((first.process.stdout, sys.stdout), (first.process.stderr, sys.stderr)):
        thread = threading.Thread(target=_copy, args=(source, target, first.log), daemon=True)
        thread.start()
        running.callback(thread.join, _GRACE)


def _dies_with_parent() -> None:
    """Let Linux kill this process when its parent dies, even if that was killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _copy(source: Any, target: IO[str], log: Path) -> None:
    with source, open(log, "ab", buffering=0) as kept:
        while part := os.read(source.fileno(), 65536):
            kept.write(part)
            with contextlib.suppress(BrokenPipeError):
                target.write(part.decode(errors="replace"))
                target.flush()


@contextlib.contextmanager
def _stopped() -> Iterator[list[int]]:
    """The signals received that ask to stop, while this scope lasts."""
    asked: list[int] = []
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda got, _: asked.append(got)) for number in signals]
    try:
        yield asked
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


def _watch(started: Sequence[Started], stopped: Sequence[int]) -> int:
    """Wait until all have succeeded or one has failed, and return which."""
    noticed = None
    while not stopped:
        failed = [one for one in started if one.process.poll()]
        culprits = [one for one in failed if not _is_victim(one)]
        noticed = noticed or (time.monotonic() if failed else None)
        if culprits or (noticed and time.monotonic() - noticed > _AFTER_LOSS):
            return _report((culprits or failed)[0], len(started))
        if all(one.process.poll() == 0 for one in started):
            return 0
        time.sleep(_LOOKS)
    print(f"cornu launch: {_name(stopped[0])}: all processes are terminated.", file=sys.stderr)
    return 128 + stopped[0]


def _is_victim(one: Started) -> bool:
    """Whether a process has ended because another one did."""
    aborted = one.process.returncode == -signal.SIGABRT and "JAX distributed service" in _tail(one.log)
    return one.process.returncode == LOST or aborted


def _report(one: Started, count: int) -> int:
    """Report which process failed, how, and its last output; returns the exit status."""
    status = one.process.returncode
    how = f"was killed by {_name(-status)}" if status < 0 else f"failed with exit status {status}"
    how = f"lost another process (exit status {LOST})" if status == LOST else how
    print(
        f"\ncornu launch: process {one.rank} of {count} {how}, so the others are terminated too. Its last lines:\n\n"
        f"{_tail(one.log)}\nFull log: {one.log}",
        file=sys.stderr,
    )
    return status if status > 0 else 128 - status


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
    return "".join(f"    {line}\n" for line in lines) or "    (nothing)\n"


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _end_all(started: Sequence[Started]) -> None:
    """Terminate the processes and their children: with SIGTERM, and SIGKILL for those that remain."""
    until = time.monotonic() + _GRACE
    _signal(started, signal.SIGTERM)
    while any(one.process.poll() is None for one in started) and time.monotonic() < until:
        time.sleep(_LOOKS)
    _signal(started, signal.SIGKILL)
    for one in started:
        one.process.wait()


def _signal(started: Sequence[Started], number: int) -> None:
    for one in started:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(one.process.pid, number)
