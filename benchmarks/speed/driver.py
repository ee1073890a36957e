"""Times each piece of work on every peer in turns, within a budget of minutes, and keeps the figures as it goes.

For one piece of work every peer has a process that stays alive; each round asks one after the other, so that
whatever else the machine does falls on all alike. A peer that fails is noted, and the others go on.
"""

import argparse
import concurrent.futures
import contextlib
import datetime
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from benchmarks.speed import report
from benchmarks.speed.peers import Peer, PeerError, Process, find
from benchmarks.speed.plan import WORK, Work
from cornu.saving.atomic import replacing

_PATIENCE = 90.0  # seconds that a peer has to start and compile, at the least
_GROWTH_CALLS = 10_000
_LEAST_ROUNDS, _MOST_ROUNDS = 3, 15


class Settings(NamedTuple):
    """How a piece of work is run."""

    seconds: float
    rounds: int = _MOST_ROUNDS
    quick: bool = False
    device: str = "cpu"
    dtype: str = "float32"
    at_once: int = 2  # processes that start and compile side by side


def arguments(parser: argparse.ArgumentParser, out: Path, peers: Path) -> None:
    """What the command takes; figures go to `out` and peers are found in `peers`, unless others are named."""
    parser.add_argument("--work", action="append", choices=sorted(WORK), help="what to time (all)", metavar="NAME")
    parser.add_argument("--list", action="store_true", help="name the work that can be timed, and stop")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON", help="another environment")
    parser.add_argument("--peers", type=Path, default=peers, help="folder of the peers' environments (.bench)")
    parser.add_argument("--only", action="append", metavar="NAME", help="time these peers alone")
    parser.add_argument("--budget", type=float, default=20.0, metavar="MINUTES", help="time for all work (20)")
    parser.add_argument("--rounds", type=int, default=_MOST_ROUNDS, help=f"rounds at most ({_MOST_ROUNDS})")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, two rounds: only to see that it runs")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32", help="bfloat16: mixed precision")
    parser.add_argument("--out", type=Path, default=out, help=f"folder for figures and chart ({out.name})")
    parser.add_argument("--name", help="name of the files (speed; quick or partial where that is what they show)")


def run(options: argparse.Namespace) -> int:
    """Run the chosen work; write the JSON after each, then the table and the chart."""
    if options.list:
        print("\n".join(f"{name:22} {work.title}" for name, work in WORK.items()))
        return 0
    try:
        peers = find(options.peers, options.peer, sys.executable)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    if options.only:
        peers = [peer for peer in peers if peer.name in ("cornu", *options.only)]
    chosen = options.work or list(WORK)
    name = options.name or ("quick" if options.quick else "partial" if options.work else "speed")
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / f"{name}.json"
    figures = everything(chosen, peers, options, file)
    report.table(figures)
    report.chart(figures, file.with_suffix(".png"))
    print(f"Figures: {file.resolve()}")
    return 0 if any(_done(figures, work) for work in chosen) else 1


def _done(figures: dict, work: str) -> bool:
    return "median" in figures["results"][work]["peers"].get("cornu", {})


def everything(chosen: list[str], peers: list[Peer], options: argparse.Namespace, file: Path) -> dict:
    """Every piece of work in order, each with its share of the time that is left."""
    figures: dict[str, Any] = {"about": about(options), "results": {}}
    deadline = time.monotonic() + options.budget * 60
    left = sum(WORK[name].weight for name in chosen)
    console = Console(stderr=True, highlight=False)
    for name in chosen:
        work = WORK[name]
        seconds = max(0.0, deadline - time.monotonic()) * work.weight / left
        left -= work.weight
        settings = Settings(seconds, 2 if options.quick else options.rounds, options.quick, dtype=options.dtype)
        began, load = time.monotonic(), os.getloadavg()[0]
        figures["results"][name] = {
            "title": work.title, "unit": work.unit, "load": load, "peers": measure(name, work, peers, settings)
        }  # fmt: skip
        figures["results"][name]["seconds"] = time.monotonic() - began
        write(file, figures)
        console.print(report.line(name, figures["results"][name]), soft_wrap=True)
    return figures


def write(file: Path, figures: dict) -> None:
    """Write the figures whole or not at all."""
    with replacing(file) as draft:
        draft.write_text(json.dumps(figures, indent=1) + "\n")


def about(options: argparse.Namespace) -> dict[str, Any]:
    """Date, machine and settings."""
    return {
        "date": datetime.datetime.now().isoformat(timespec="minutes"), "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": platform.platform(), "dtype": options.dtype, "budget_minutes": options.budget, "quick": options.quick,
        "glibc_tunables": os.environ.get("GLIBC_TUNABLES", ""),
    }  # fmt: skip


def processor() -> str:
    """The processor's name."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


# --- one piece of work


class Alive:
    """A peer whose process stays alive between rounds."""

    def __init__(self, peer: Peer, options: dict, device: str, seconds: float):
        self.peer, self.spent = peer, 0.0
        self.times: list[float] = []
        self._process = Process(peer, options, device, None)
        self._seconds = seconds
        try:
            self.start = self._process.answer(seconds)
        except PeerError:
            self.stop(patience=0)
            raise

    def round(self) -> None:
        """Have one round timed."""
        began = time.monotonic()
        answer = self._process.ask(self._seconds)
        self.spent += time.monotonic() - began
        self.times.append(answer["ms"])
        self.start["peak_mb"] = answer["peak_mb"]

    def stop(self, patience: float = 10) -> None:
        """End the process."""
        self._process.stop(patience)


class Fresh:
    """A peer that has a new process in every round: for what is measured from the start on."""

    FIGURE = {"import": ("import_s", 1e3), "first": ("first_s", 1e3), "growth": ("growth_mb", 1.0)}

    def __init__(self, peer: Peer, options: dict, device: str, seconds: float, cache: str = "own"):
        self.peer, self.spent = peer, 0.0
        self.times: list[float] = []
        self._options, self._device, self._seconds, self._cache = options, device, seconds, cache
        self._homes = contextlib.ExitStack()
        self._home = self._new_home() if cache == "warm" else None
        key, self._factor = self.FIGURE[options["until"]]
        self._key = key
        try:
            self.start = self._once()  # also fills the cache, and writes Python's compiled files
        except PeerError:
            self.stop()
            raise

    def _new_home(self) -> str:
        return self._homes.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))

    def _once(self) -> dict:
        home = self._new_home() if self._cache == "cold" else self._home
        process = Process(self.peer, self._options, self._device, home)
        try:
            return process.answer(self._seconds)
        finally:
            process.stop()

    def round(self) -> None:
        """Start a process and take its figure."""
        began = time.monotonic()
        answer = self._once()
        self.spent += time.monotonic() - began
        self.times.append(answer[self._key] * self._factor)

    def stop(self) -> None:
        """Remove the caches."""
        self._homes.close()


def measure(name: str, work: Work, peers: list[Peer], settings: Settings) -> dict[str, dict]:
    """The figures of one piece of work: a dict for each peer."""
    asked = [peer for peer in peers if takes_part(work, peer)]
    began = time.monotonic()
    results, ready = start(name, work, asked, settings)
    share = max(0.0, settings.seconds - (time.monotonic() - began)) / max(1, len(ready))
    turns(ready, share, settings.rounds, results)
    for running in ready:
        running.stop()
        if running.times:
            results[running.peer.name] = {**summary(running.times), **running.start}
    return {peer.name: results[peer.name] for peer in asked}


def takes_part(work: Work, peer: Peer) -> bool:
    """Whether the peer is asked for this work; `import jax` is only there to be imported."""
    if peer.kind == "jax":
        return work.until == "import"
    if peer.kind == "torch-compiled" and work.until == "import":
        return False
    return not work.peers or peer.kind in work.peers


def start(name: str, work: Work, asked: list[Peer], settings: Settings) -> tuple[dict[str, dict], list]:
    """Start and warm up every peer: (what is known of those that did not start, those that did)."""
    options = {
        "work": work.of or name, "until": work.until, "dtype": settings.dtype, "uses": work.uses,
        "sizes": work.quick if settings.quick else work.sizes,
        "limit": max(0.3, settings.seconds / 40), "calls": 50 if settings.quick else _GROWTH_CALLS,
    }  # fmt: skip
    patience = max(_PATIENCE, settings.seconds)

    def one(peer: Peer) -> Any:
        if work.until == "rounds":
            return Alive(peer, options, settings.device, patience)
        return Fresh(peer, options, settings.device, patience, work.cache)

    results: dict[str, dict[str, object]] = {}
    ready = []
    with concurrent.futures.ThreadPoolExecutor(settings.at_once) as pool:
        for peer, future in [(peer, pool.submit(one, peer)) for peer in asked]:
            try:
                running = future.result()
            except PeerError as failure:
                results[peer.name] = {"error": str(failure)}
                continue
            if running.start.get("absent"):
                results[peer.name] = {"absent": True}
                running.stop()
            else:
                ready.append(running)
    return results, ready


def turns(ready: list, share: float, most: int, results: dict[str, dict]) -> None:
    """Rounds in turns; a peer that has used up its share of the time sits out once it has had its least."""
    for number in range(most):
        for running in list(ready):
            if number >= _LEAST_ROUNDS and running.spent > share:
                continue
            try:
                running.round()
            except PeerError as failure:
                results[running.peer.name] = {"error": str(failure)}
                ready.remove(running)
                running.stop()


def summary(times: list[float]) -> dict[str, Any]:
    """Best, median, and all."""
    return {"best": min(times), "median": statistics.median(times), "times": times}
