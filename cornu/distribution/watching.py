"""A thread that monitors the other processes, so that none of them waits for one that has died or hangs.

JAX itself notices a process whose machine is gone, after a while, but not one that hangs in its own code: the others
then wait in a computation forever, without any message. Here each process reports to the others, through JAX's
coordinator, that it is alive, how many computations it has started, and which line it is executing. If one has not
reported for too long, or is behind while the others wait, all of them are ended, with a message that names it.
"""

import atexit
import contextlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from types import TracebackType
from typing import Any

import jax

from cornu.core import peers, progress
from cornu.core.progress import BEATS, ENDS, FAILURES, LINGER, LOST, Beat
from cornu.core.typing import AnyFunction

_PACKAGE = os.path.dirname(os.path.dirname(__file__))
_PATIENCE = 50.0  # seconds
_NAME = "cornu-watch"  # name of the thread
_LEFT = -2  # number of the last report, of a process that has reached the end of its script
_WORDS = ("Gloo", "Connection closed by peer", "Connection reset by peer", "coordination service", "NCCL")
_LONGEST = 2000  # maximum length of a failure message


class Peer:
    """What is known about another process.

    Args:
        rank: its index.
        now: the time, in seconds.
    """

    def __init__(self, rank: int, now: float):
        self.rank = rank
        self.beat = Beat(-1, 0, "")
        self.heard = self.moved = now

    def hear(self, beat: Beat, now: float) -> None:
        """Record a report."""
        if beat.number != self.beat.number:
            self.heard = now
        if beat.steps != self.beat.steps:
            self.moved = now
        self.beat = beat


class Watch:
    """What one process knows about all others, independent of threads and clocks.

    Args:
        rank: this process's index.
        count: number of processes.
        patience: seconds of silence, or of hanging, after which a process is considered lost.
        now: the time, in seconds.
    """

    def __init__(self, rank: int, count: int, patience: float, now: float):
        self.rank, self.count, self.patience = rank, count, patience
        self.own = Peer(rank, now)
        self._others = [Peer(other, now) for other in range(count) if other != rank]

    def hear(self, beats: dict[int, Beat], now: float) -> None:
        """Record the reports of all."""
        for peer in (self.own, *self._others):
            if peer.rank in beats:
                peer.hear(beats[peer.rank], now)

    def all_have_left(self) -> bool:
        """Whether all others have reached their end."""
        return all(peer.beat.number == _LEFT for peer in self._others)

    def is_needed(self) -> bool:
        """Whether another one has started a computation that this process has not."""
        return any(peer.beat.steps > self.own.beat.steps for peer in self._others)

    def missing(self) -> set[int]:
        """Those that have reached their end while this process needs them."""
        return {peer.rank for peer in self._others if peer.beat.number == _LEFT and self._is_behind(peer)}

    def _is_behind(self, peer: Peer) -> bool:
        return peer.beat.steps < self.own.beat.steps

    def lost(self, now: float) -> str:
        """What is wrong with another process, as a sentence; empty if nothing is."""
        missing = self.missing()
        for peer in self._others:
            if peer.rank in missing:
                return (
                    f"process {peer.rank} of {self.count} has reached the end of its script, or called sys.exit, while "
                    "this process still needs it"
                )
            if now - peer.heard > self.patience and peer.beat.number != _LEFT:
                return silent(peer.rank, self.count, now - peer.heard)
            stuck = min(now - peer.moved, now - self.own.moved)
            if self._is_behind(peer) and stuck > self.patience:
                return (
                    f"process {peer.rank} of {self.count} hangs: this process has been waiting for it for {stuck:.0f} "
                    f"s. It is at {peer.beat.place}"
                )
        return ""


def silent(rank: int, count: int, seconds: float) -> str:
    """What is said of a process that has not reported for so many seconds."""
    return (
        f"process {rank} of {count} has not reported for {seconds:.0f} s: it was killed or stopped, or its machine "
        "cannot be reached"
    )


def patience() -> float:
    """Seconds after which a process that is silent or hangs ends the others; 0 for never.

    Raises:
        ValueError: if `CORNU_PATIENCE` is not such a number.
    """
    said = os.environ.get("CORNU_PATIENCE", _PATIENCE)
    try:
        seconds = float(said)
    except ValueError:
        seconds = -1
    if not 0 <= seconds < float("inf"):
        raise ValueError(
            f"initialize: CORNU_PATIENCE must be a non-negative number of seconds. Received: CORNU_PATIENCE={said!r}."
        )
    return seconds


def start(patience: float) -> None:
    """Monitor the other processes from now on, unless already done; called once JAX has connected them.

    Args:
        patience: as from `patience()`.
    """
    client = peers.client()
    watched = any(thread.name == _NAME for thread in threading.enumerate())
    if client is None or watched or jax.process_count() == 1:
        return
    watcher = Watcher(client, jax.process_index(), jax.process_count(), patience)
    sys.excepthook = watcher.failing(sys.excepthook)
    atexit.register(watcher.at_exit)  # runs before JAX waits for the others at exit
    if patience:
        watcher.start()


class Watcher:
    """The thread's work.

    Args:
        client: the connection to the coordinator.
        rank: this process's index.
        count: number of processes.
        patience: as for `Watch`.
    """

    def __init__(self, client: Any, rank: int, count: int, patience: float):
        self._client, self._rank = client, rank
        self._pause = max(min(1.0, patience / 5), count / 50)  # among a thousand processes, each reads all reports
        self._watch = Watch(rank, count, max(patience, 4 * self._pause), time.monotonic())
        self._answered = time.monotonic()  # by the coordinator, which process 0 runs
        self._main = threading.main_thread().ident
        self._status = 0  # that of an error that nobody caught
        self._over = threading.Event()
        self._ending = threading.Lock()
        self._number = 0
        self._thread = threading.Thread(target=self.run, name=_NAME, daemon=True)

    def start(self) -> None:
        """Start monitoring."""
        self._thread.start()
        if self._rank:
            threading.Thread(target=self.watch_coordinator, name=_NAME, daemon=True).start()

    def watch_coordinator(self) -> None:
        """End this process if the coordinator is silent: reports to it then wait forever."""
        while not self._over.wait(self._pause):
            silence = time.monotonic() - self._answered
            if silence > self._watch.patience:
                self._end(silent(0, self._watch.count, silence))

    def run(self) -> None:
        """Report and monitor until a process is lost, or this one has reached its end."""
        while not self._over.is_set():
            try:
                self._tell()
                trouble = self._others_failure() or self._trouble()
            except Exception as error:
                if self._over.wait(self._pause) or peers.client() is not self._client:  # the connection was closed
                    return
                trouble = f"process 0, the coordinator, does not answer ({str(error).splitlines()[0][:200]})"
            if trouble and not self._over.is_set():
                self._end(trouble)
            self._over.wait(self._pause)

    def _tell(self) -> None:
        self._number += 1
        self._say(Beat(self._number, progress.here.started, self._place(), progress.here.met))

    def _say(self, beat: Beat) -> None:
        self._client.key_value_set(f"{BEATS}{self._rank}", json.dumps(beat), allow_overwrite=True)

    def _trouble(self) -> str:
        beats = peers.beats(self._client)
        now = self._answered = time.monotonic()
        self._watch.hear(beats, now)
        return self._watch.lost(now)

    def _others_failure(self) -> str:
        others = ((rank, text) for rank, text in peers.notes(self._client, FAILURES).items() if rank != self._rank)
        rank, text = next(others, (None, ""))
        return "" if rank is None else f"process {rank} of {self._watch.count} failed: {text}"

    def _place(self) -> str:
        """The line that the main thread is executing, and the user's line that led there."""
        frame = sys._current_frames().get(self._main or 0)
        stack = traceback.extract_stack(frame) if frame is not None else []
        own = [one for one in stack if "site-packages" not in one.filename and not one.filename.startswith(_PACKAGE)]
        lines = [f"{one.filename}:{one.lineno} in {one.name}" for one in (*stack[-1:], *own[-1:])]
        return ", called from ".join(dict.fromkeys(lines)) or "no line of Python"

    def _end(self, trouble: str) -> None:
        """End this process, whose main thread may wait forever, or fail as the others end."""
        self._ending.acquire()  # for good: the first cause is the one to be told
        print(
            f"\ncornu: {trouble.rstrip('.')}.\nThis is process {self._rank}, which cannot continue without it and "
            "ends. "
            "With callbacks.BackupAndRestore, the same script resumes from its last backup, on any number of "
            "processes.",
            file=sys.stderr,
            flush=True,
        )
        self._leave(LOST)

    def _leave(self, status: int) -> None:
        self._outlive()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)

    def _outlive(self) -> None:
        """Wait until those that failed have ended with their own exit status, and as process 0 until all have read so.

        JAX aborts processes whose coordinator has ended, and who starts processes may end all when one has.
        """
        until = self._answered + self._watch.patience
        with contextlib.suppress(Exception):  # without a coordinator, nothing is known
            while time.monotonic() < until:  # else the coordinator is silent, and so would be a call to it
                self._client.key_value_set(f"{ENDS}{self._rank}", "", allow_overwrite=True)
                failed = self._watch.missing() | peers.notes(self._client, FAILURES).keys()
                if failed <= peers.notes(self._client, ENDS).keys():
                    break
                time.sleep(self._pause / 4)
        if self._rank == 0:
            time.sleep(2 * LINGER if self._watch.missing() else LINGER)  # Python takes its time at the end of a script

    # ---------------------------------------------------------------- failures of this process itself

    def failing(self, hook: AnyFunction) -> AnyFunction:
        """The hook for uncaught exceptions, which also notifies the other processes."""

        def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
            self._status = 128 + signal.SIGINT if issubclass(kind, KeyboardInterrupt) else 1
            self._over.set()
            hook(kind, error, trace)
            self._tell_failure(kind, error)

        return tell

    def _tell_failure(self, kind: type[BaseException], error: BaseException) -> None:
        text = "".join(traceback.format_exception_only(kind, error)).strip()
        try:
            if any(word in text for word in _WORDS):  # caused by another process, which may have reported why
                time.sleep(self._pause)
                why = self._others_failure() or "another process has closed its connection: it failed or was killed"
                self._end(why)
            self._client.key_value_set(f"{FAILURES}{self._rank}", text[:_LONGEST], allow_overwrite=True)
        except Exception as problem:
            print(f"cornu: the other processes could not be notified ({problem}).", file=sys.stderr)

    def at_exit(self) -> None:
        """Exit once the others have reached their end too, or wait for this process in vain.

        JAX itself would wait here, possibly forever, whatever happens to the others.
        """
        self._over.set()
        if self._status:
            self._leave(self._status)
        if self._thread.is_alive() and peers.client() is self._client:
            self._thread.join(self._pause)
            with contextlib.suppress(Exception):  # JAX reports a lost connection
                self._wait_for_others()

    def _wait_for_others(self) -> None:
        self._say(Beat(_LEFT, progress.here.started, "the end of its script", progress.here.met))
        while not self._watch.all_have_left():
            if self._watch.is_needed():  # they end; the exit status of this process says why
                self._outlive()
                peers.disconnect()
                return
            if trouble := self._others_failure() or self._trouble():
                self._end(trouble)
            time.sleep(self._pause / 4)
