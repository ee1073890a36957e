"""Time the same work on cornu and on peers, in turns, and print the ratios.

    benchmarks/setup_peers.sh                      # once: makes .bench/keras-jax
    python -m benchmarks                           # cornu beside every environment found in .bench
    python -m benchmarks --peer keras-jax=/path/to/python --work mlp --rounds 9

Every peer is a process of its own that stays alive; each round asks one after the other for an epoch, so that
whatever else the machine does falls on all alike. The table shows the best round and the median.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.work import WORK

HERE = Path(__file__).parent
ROOT = HERE.parent


class Peer:
    """One engine on one piece of work."""

    def __init__(self, name: str, python: str, work: str):
        engine = "cornu" if name == "cornu" else "keras"
        backend = name.partition("-")[2] or "jax"
        environment = {**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"}
        if engine == "cornu":
            environment["PYTHONPATH"] = str(ROOT)
        command = [python, str(HERE / "worker.py"), engine, work]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.name = name
        self.start = self.answer()
        self.times: list[float] = []

    def answer(self) -> dict:
        """The next JSON line of the process."""
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        raise SystemExit(f"benchmarks: {self.name} ended with status {self.process.wait()}.")

    def round(self) -> None:
        """Time one epoch."""
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        self.times.append(self.answer()["ms_per_step"])

    def stop(self) -> None:
        """End the process."""
        self.process.stdin.close()
        self.process.wait()


def peers(options: argparse.Namespace) -> dict[str, str]:
    """Name -> Python of each environment to compare."""
    found = {"cornu": sys.executable}
    for folder in sorted((ROOT / ".bench").glob("*")):
        found[folder.name] = str(folder / "bin" / "python")
    return found | dict(given.split("=", 1) for given in options.peer)


def main() -> None:
    """Run the chosen work and write the table and the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON", help="another environment")
    parser.add_argument("--work", action="append", choices=sorted(WORK), help="what to time (all)")
    parser.add_argument("--rounds", type=int, default=7, help="epochs timed for each (7)")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args()
    names = peers(options)
    table = Table(title="milliseconds per step of fit: best / median")
    table.add_column("work")
    for name in names:
        table.add_column(name, justify="right")
    table.add_column("ratio to the best peer", justify="right")
    results = {}
    for work in options.work or WORK:
        running = [Peer(name, python, work) for name, python in names.items()]
        for _ in range(options.rounds):
            for peer in running:
                peer.round()
        for peer in running:
            peer.stop()
        results[work] = {
            peer.name: {
                "best_ms": min(peer.times), "median_ms": statistics.median(peer.times),
                "first_step_s": peer.start["first_step_s"], "version": peer.start["version"],
            }
            for peer in running
        }  # fmt: skip
        table.add_row(
            work, *(f"{min(p.times):.3f} / {statistics.median(p.times):.3f}" for p in running), ratio(running)
        )
    Console().print(table)
    if options.json:
        about = {"date": str(datetime.date.today()), "processor": processor(), "cores": os.cpu_count()}
        about["jax"] = importlib.metadata.version("jax")
        options.json.write_text(json.dumps({"about": about, "results": results}, indent=1) + "\n")


def ratio(running: list[Peer]) -> str:
    """How many times as fast cornu is as the fastest of the others, by medians."""
    others = [statistics.median(p.times) for p in running if p.name != "cornu"]
    own = next(statistics.median(p.times) for p in running if p.name == "cornu")
    return f"{min(others) / own:.2f}" if others else "-"


def processor() -> str:
    """The processor's name."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor()
    )


if __name__ == "__main__":
    main()
