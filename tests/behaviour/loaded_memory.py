"""A program that loads a large model and says how much memory that took: the second half of test_hostile_files.

It is one of its own so that nothing else in the process takes or gives back memory meanwhile.

    python loaded_memory.py write FILE
    python loaded_memory.py load FILE [copies]
"""

import sys
from pathlib import Path

import numpy as np

import cornu
from cornu import layers

WIDTH, DEPTH = 2000, 6  # 16 MB for each of six arrays


def main(action: str, path: str, copies: str = "0") -> None:
    """Write the file, or load it, and print how many times the weights' size the memory grew at the most.

    With "copies", so many arrays of the file are in memory a second time: what a worse loader would do.
    """
    if action == "write":
        parts = [layers.Dense(WIDTH, use_bias=False, kernel_initializer="ones") for _ in range(DEPTH)]
        cornu.Sequential([cornu.Input((WIDTH,)), *parts]).save(path)
        return
    _load_a_small_one(Path(path).with_name("small.keras"))
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak of memory starts afresh
    model = cornu.models.load_model(path)
    held = [np.array(weights) for weights in model.weights[: int(copies)]]
    del held
    print((memory("VmHWM") - before) / (WIDTH * WIDTH * 4 * DEPTH))


def _load_a_small_one(path: Path) -> None:
    """Import what loading imports late."""
    cornu.Sequential([cornu.Input((4,)), layers.Dense(4, use_bias=False)]).save(path)
    cornu.models.load_model(path)


def memory(what: str) -> int:
    """Bytes that the process takes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(what))


if __name__ == "__main__":
    main(*sys.argv[1:])
