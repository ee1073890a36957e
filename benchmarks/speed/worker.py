"""One peer, in its own process: prepares one piece of work, then times a round each time a line comes in.

Run by `peers` as `python worker.py OPTIONS`, the options being one JSON object; prints one JSON object a line.
`until` says how far to go: "import" the engine, take the "first" step, time "rounds", or make many steps and see
how much "growth" of memory they leave.
"""

import importlib
import importlib.metadata
import json
import operator
import os
import sys
import time
from pathlib import Path
from typing import Any

PACKAGES = ("cornu", "keras", "jax", "jaxlib", "tensorflow", "tensorflow-cpu", "torch", "numpy")


def main(options: dict) -> None:
    """Do what the options say."""
    started = time.perf_counter()
    engine = importlib.import_module(options["engine"])
    for path in options["uses"] if options["engine"] in ("cornu", "keras") else ():
        operator.attrgetter(path)(engine)  # a lazy package loads it now
    imported = time.perf_counter() - started
    if options["until"] == "import":
        say(import_s=imported, versions=versions(), peak_mb=peak())
        return
    case = prepare(engine, options)
    if case is None:
        say(absent=True)
        return
    built = time.perf_counter() - started
    case.run(1)
    first = time.perf_counter() - started
    start = {"import_s": imported, "build_s": built - imported, "first_s": first, "versions": versions()}
    if options["device"] == "cuda":
        start["device"] = gpu(options["engine"])
    if options["until"] == "first":
        say(**start, peak_mb=peak())
    elif options["until"] == "growth":
        say(**start, growth_mb=growth(case, options["calls"]), peak_mb=peak())
    else:
        rounds(case, options["limit"], start)


def prepare(engine: Any, options: dict) -> Any:
    """The case to time, or None where this peer has no counterpart of the work."""
    name, dtype = options["work"], options["dtype"]
    if options["engine"] == "torch":
        torch_work = importlib.import_module("torch_work")
        if name not in torch_work.WORK or (options["compiled"] and name in torch_work.NOT_COMPILED):
            return None
        engine.manual_seed(0)
        where = torch_work.Engine(options["device"], dtype, options["compiled"])
        return torch_work.WORK[name](where, **options["sizes"])
    engine.utils.set_random_seed(0)
    if dtype != "float32":
        engine.config.set_dtype_policy(f"mixed_{dtype}")
    return importlib.import_module("keras_work").WORK[name](engine, **options["sizes"])


def rounds(case: Any, limit: float, start: dict) -> None:
    """Time one round for each line on standard input."""
    steps = affordable(case, limit)
    case.run(steps)
    say(**start, steps=steps, peak_mb=peak())
    for _ in sys.stdin:
        say(ms=timed(case, steps) / steps * 1e3, peak_mb=peak())


def affordable(case: Any, limit: float) -> int:
    """How many steps of a round fit into `limit` seconds: all of them, unless this peer is slow."""
    few = 6
    if case.steps <= few:
        return case.steps
    case.run(few)  # several steps can need more compiled than one
    each = min(timed(case, few) for _ in range(2)) / few
    return max(few, min(case.steps, int(limit / max(each, 1e-6))))


def timed(case: Any, steps: int) -> float:
    """Seconds for so many steps."""
    began = time.perf_counter()
    case.run(steps)
    return time.perf_counter() - began


def growth(case: Any, calls: int) -> float:
    """Megabytes that so many steps leave behind, once a tenth of them has been made."""
    case.run(calls // 10)
    before = status("VmRSS")
    case.run(calls)
    return (status("VmRSS") - before) if before else 0.0


def peak() -> float:
    """The most memory this process has held, in megabytes."""
    known = status("VmHWM")  # getrusage would count what the parent held before it became this process
    if known:
        return known
    resource = importlib.import_module("resource")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def status(field: str) -> float:
    """A line of Linux's account of this process, in megabytes; 0 elsewhere."""
    account = Path("/proc/self/status")
    lines = account.read_text().splitlines() if account.exists() else []
    return next((int(line.split()[1]) / 2**10 for line in lines if line.startswith(f"{field}:")), 0.0)


def gpu(engine: str) -> str:
    """The name of the GPU in use; an error where the engine has fallen back on the processor."""
    if engine == "torch":
        return sys.modules["torch"].cuda.get_device_name()
    device = sys.modules["jax"].devices()[0]
    if device.platform == "cpu":
        raise RuntimeError("JAX sees no GPU: is jax[cuda12] installed, and does nvidia-smi list one?")
    return device.device_kind


def versions() -> dict[str, str]:
    """The versions of what is installed here, and of what is imported from its sources."""
    found = {"python": sys.version.split()[0]}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            module = sys.modules.get(package)
            if module is not None and hasattr(module, "__version__"):
                found[package] = module.__version__
    return found


def say(**values: object) -> None:
    """One line of JSON for the driver, on the standard output as it was at the start."""
    os.write(_OUT, (json.dumps(values) + "\n").encode())


if __name__ == "__main__":
    _OUT = os.dup(1)
    os.dup2(2, 1)  # whatever an engine prints goes with the errors
    main(json.loads(sys.argv[1]))
