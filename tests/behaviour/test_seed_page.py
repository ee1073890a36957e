"""The page for learners that this project started from: every block of code on it runs under `cornu run`.

The page shows fragments. Each is run exactly as it stands (the ** of bold print aside), after the few lines of context
that a reader would have in mind: data to train on, or the numbers that `units` and `filters` stand for.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import cornu

BESIDE = Path(__file__).parents[3] / "shared" / "seed.md"
PAGE = BESIDE if BESIDE.exists() else Path(__file__).parents[1] / "pages" / "seed.md"
BLOCKS = [
    "\n".join(line.removeprefix(indent) for line in code.splitlines())
    for indent, code in re.findall(r"^( *)```Python\n(.*?)^ *```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
]

PRELUDE = """
import numpy as np
from keras.layers import *
from keras.models import Sequential
rng = np.random.default_rng(0)
units, filters, kernel_size, rate = 4, 3, (3, 3), 0.5
"""

DATA = """
x_train, x_test = rng.random((16, 4, 4, 100)), rng.random((8, 4, 4, 100))
y_train, y_test = (np.eye(128)[rng.integers(0, 128, n)] for n in (16, 8))
"""

SEQUENCES = "x = rng.random((2, 6, 3)); model = Sequential([SimpleRNN(4, return_sequences=True)])"

# What a reader has in mind before a block, by the words that the block has in it.
CONTEXT = {
    "model.fit(x_train": DATA,
    "model.add(Conv2D(64": "model = Sequential([Input((8, 8, 3))])",
    "model.add(SimpleRNN(units=50": SEQUENCES,
    "model.add(LSTM(units=50": SEQUENCES,
    "model.add(GRU(units=50": SEQUENCES,
}

# What must hold after a block.
AFTER = {
    "model.evaluate": "assert len(loss_and_metrics) == 2 and all(np.isfinite(loss_and_metrics))",
    "model.add(Conv2D(64": "assert model.output_shape == (None, 256)",
    "model.add(SimpleRNN(units=50": "assert model.predict(x, verbose=0).shape == (2, 6, 50)",
    "model.add(LSTM(units=50": "assert model.predict(x, verbose=0).shape == (2, 50)",
    "model.add(GRU(units=50": "assert model.predict(x, verbose=0).shape == (2, 50)",
    "optimizer='rmsprop'": (
        "ids, labels = rng.integers(0, 10000, (64, 20)), rng.integers(0, 2, 64)\n"
        "history = model.fit(ids, labels, epochs=2, batch_size=32, verbose=2)\n"
        "assert list(history.history) == ['acc', 'loss']"
    ),
}


def is_pretrained(block: str) -> bool:
    return "keras.applications" in block


def script(blocks: list[str]) -> str:
    parts = [PRELUDE]
    for number, block in enumerate(blocks):
        parts += [code for words, code in CONTEXT.items() if words in block]
        parts.append(block.replace("**", ""))
        parts += [code for words, code in AFTER.items() if words in block]
        parts.append(f"print('block {number} ran')")
    return "\n".join(parts)


def test_the_page_is_the_one_in_the_repository():
    if not BESIDE.exists():
        pytest.skip("the page beside the checkout is not here")
    assert BESIDE.read_text() == (Path(__file__).parents[1] / "pages" / "seed.md").read_text()


def test_every_block_of_the_page_runs(tmp_path):
    blocks = [block for block in BLOCKS if not is_pretrained(block)]
    assert len(blocks) == 14
    file = tmp_path / "page.py"
    file.write_text(script(blocks))
    command = [sys.executable, "-m", "cornu", "run", str(file)]
    paths = os.environ | {"PYTHONPATH": str(Path(cornu.__file__).parents[1])}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=paths)
    assert done.returncode == 0, done.stderr[-3000:]
    for number in range(len(blocks)):
        assert f"block {number} ran" in done.stdout
