"""Scripts that say `import tensorflow as tf`, run by `cornu run` in processes without TensorFlow."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import cornu

ROOT = Path(cornu.__file__).parents[1]
SCRIPTS = sorted((Path(__file__).parents[1] / "scripts").glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_runs_as_it_is(script, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "cornu", "run", str(script)], check=False, capture_output=True, text=True, timeout=300,
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
