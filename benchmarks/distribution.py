"""What splitting a training over devices costs, and what the devices send each other, beside what theory says.

python -m benchmarks.distribution              # some minutes; writes results/distribution.json
python -m benchmarks.distribution --quick      # only to see that it runs

Each number of virtual devices has a process of its own. `overhead` is the processor time of a step of `fit` with a
distribution of one device over one without: the least of many short turns of each, so that other work on the machine
counts little. `weak scaling` keeps the rows of a
device: all virtual devices share the cores of this machine, so the ideal is as much longer as there is more work for
the cores. `traffic` is read in the compiled step: what each device sends, of gathered weights and summed gradients, and
what it holds, each beside what theory says.
"""

import argparse
import json
import math
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
COUNTS = (1, 2, 4, 8)
KINDS = ("none", "data", "sharded")
ROWS, WIDTH, DEPTH, CLASSES = 64, 512, 4, 16  # rows of a device


def main() -> int:
    """Measure, print and keep the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.distribution", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, default=15, help="turns of each kind (15)")
    parser.add_argument("--steps", type=int, default=40, help="steps of a turn (40)")
    parser.add_argument("--quick", action="store_true", help="one turn of two steps")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder for the figures")
    parser.add_argument("--devices", type=int, help=argparse.SUPPRESS)  # this is the process that has so many
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.steps = 1, 2
    if options.devices:
        print(json.dumps(_measured(options.devices, options.rounds, options.steps)))
        return 0
    found = {str(count): _in_a_process(count, options) for count in COUNTS}
    figures = {
        "overhead": found["1"]["overhead"],
        "weak scaling": {kind: {n: one["step"][kind] for n, one in found.items()} for kind in KINDS[1:]},
        "traffic": {n: one["traffic"] for n, one in found.items() if n != "1"},
    }
    options.out.mkdir(parents=True, exist_ok=True)
    name = "distribution-quick.json" if options.quick else "distribution.json"
    (options.out / name).write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))
    return 0


def _in_a_process(count: int, options: argparse.Namespace) -> Any:
    devices = {"JAX_NUM_CPU_DEVICES": str(count)}
    arguments = ["--devices", count, "--rounds", options.rounds, "--steps", options.steps]
    command = [sys.executable, "-m", "benchmarks.distribution", *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | devices)
    return json.loads(done.stdout.splitlines()[-1])


# ---------------------------------------------------------------- in the process that has the devices


class Case:
    """A model that is trained under one distribution."""

    def __init__(self, kind: str, devices: int, steps: int, width: int = WIDTH, a_call: int | None = None):
        import cornu

        self.kind, self.steps, self.rows = kind, steps, ROWS * devices
        self.distribution = None
        if kind != "none":
            self.distribution = cornu.distribution.DataParallel(shard_weights=kind == "sharded")
        cornu.utils.set_random_seed(1)
        draw = np.random.default_rng(0)
        self.x = draw.normal(size=(self.rows * steps, width)).astype("float32")
        self.y = draw.integers(0, CLASSES, len(self.x))
        cornu.distribution.set_distribution(self.distribution)
        inner = [cornu.layers.Dense(width, activation="relu") for _ in range(DEPTH)]
        self.model = cornu.Sequential([cornu.Input((width,)), *inner, cornu.layers.Dense(CLASSES)])
        loss = cornu.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.model.compile("adam", loss, steps_per_execution=a_call or steps)
        look = cornu.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
        self.callbacks = [look] if a_call == 1 else []  # else steps are put together even so
        self.turn()

    def turn(self, clock: Callable[[], float] = time.perf_counter) -> float:
        """Milliseconds of a step, of one epoch."""
        import cornu

        cornu.distribution.set_distribution(self.distribution)
        began = clock()
        self.model.fit(self.x, self.y, batch_size=self.rows, shuffle=False, verbose=0, callbacks=self.callbacks)
        return 1000 * (clock() - began) / self.steps

    def program(self) -> Any:
        """The compiled step for one batch."""
        import cornu
        from cornu.core import placement

        cornu.distribution.set_distribution(self.distribution)
        step = self.model._computations["train"].compiled(self.model)
        batch = placement.batch((self.x[: self.rows], self.y[: self.rows]))
        return step.function.lower(step._state(None), batch, None).compile()


def _measured(devices: int, rounds: int, steps: int) -> dict[str, Any]:
    cases = [Case(kind, devices, steps) for kind in KINDS]
    times = _in_turns(cases, rounds, time.perf_counter)
    found: dict[str, Any] = {"step": dict(zip(KINDS, map(statistics.median, zip(*times, strict=True)), strict=True))}
    if devices == 1:
        found["overhead"] = {
            "all steps in a call": _overhead(WIDTH, steps, None, rounds),
            "all steps in a call, small": _overhead(64, 10 * steps, None, rounds),
            "a step a call, small": _overhead(64, 10 * steps, 1, rounds),
        }
    else:
        found["traffic"] = {case.kind: _traffic(case, devices) for case in cases[1:]}
    return found


def _overhead(width: int, steps: int, a_call: int | None, rounds: int) -> dict[str, float]:
    """The least processor time of each kind, in parts of what it takes without a distribution, with turns a quarter as
    long and four times as many; the same again without one says how far the figures can be trusted."""
    cases = [Case(kind, 1, max(steps // 4, 1), width, a_call) for kind in (*KINDS, "none")]
    least = [min(times) for times in zip(*_in_turns(cases, 4 * rounds, time.process_time), strict=True)]
    return {kind: time / least[0] for kind, time in zip((*KINDS[1:], "none again"), least[1:], strict=True)}


def _in_turns(cases: list[Case], rounds: int, clock: Callable[[], float]) -> list[list[float]]:
    return [[case.turn(clock) for case in cases] for _ in range(rounds)]


def _traffic(case: Case, devices: int) -> dict[str, Any]:
    """Megabytes that a device sends in a step and holds, beside what theory says.

    A ring sends (n - 1) / n of an array to gather it, and twice that to sum it everywhere. What is small stays whole,
    and the first layer's weights are not needed for any gradient but their own.
    """
    program = case.program()
    sent = dict.fromkeys(("all-gather", "all-reduce", "other"), 0.0)
    for operation, size in exchanged(program.as_text()):
        sent[operation if operation in sent else "other"] += _ring(operation, devices) * size / 1e6
    weights = [variable.value for variable in case.model.trainable_variables]
    split = [w.nbytes for w in weights if not w.is_fully_replicated]
    whole = sum(w.nbytes for w in weights)
    gathered = 2 * sum(split) - (split[0] if split else 0)
    held = whole - sum(split) + sum(split) / devices
    memory = program.memory_analysis()
    return {
        "gathered MB": [sent["all-gather"], _ring("all-gather", devices) * gathered / 1e6],
        "summed MB": [sent["all-reduce"], _ring("all-reduce", devices) * whole / 1e6],
        "other MB": [sent["other"], 0],
        "weights and state MB": [memory.argument_size_in_bytes / 1e6, 3 * held / 1e6 + ROWS * (WIDTH + 2) * 4 / 1e6],
        "beside them MB": memory.temp_size_in_bytes / 1e6,
    }


def _ring(operation: str, devices: int) -> float:
    return (1 + (operation == "all-reduce")) * (devices - 1) / devices


def exchanged(program: str) -> list[tuple[str, int]]:
    """(operation, bytes of the result) for all that devices exchange in the text of a compiled program."""
    names = "all-gather|all-reduce|all-to-all|collective-permute|reduce-scatter"
    found = re.findall(rf"= (.*?) ({names})(?:-start)?\(", program)
    return [
        (operation, (int(bits) // 8) * math.prod(int(size) for size in shape.split(",") if size))
        for shapes, operation in found
        for bits, shape in re.findall(r"[a-z]+(\d+)\[([\d,]*)\]", shapes)
    ]


if __name__ == "__main__":
    sys.exit(main())
