"""Scripts that want several devices, run in processes of their own: JAX counts its devices but once."""

import json
import os
import subprocess
import sys


def environment(count):
    """The environment of a process with so many virtual devices."""
    return os.environ | {"JAX_NUM_CPU_DEVICES": str(count)}


def answers_of(script, file):
    """What a script that is run with eight devices writes into a file as JSON."""
    done = subprocess.run(
        [sys.executable, str(script), str(file)], check=False, capture_output=True, text=True, timeout=900,
        env=environment(8),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(file.read_text())
