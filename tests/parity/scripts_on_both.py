"""Whether scripts give the same losses with TensorFlow as with its stand-in; run by hand, as it needs TensorFlow.

    python -m tests.parity.scripts_on_both --tensorflow /path/to/python/with/tensorflow [SCRIPT ...]

Each script of `tests/parity/scripts` runs with TensorFlow and Keras, and under `cornu run`, without chance (see
`script_worker`). Compares all numbers that they print, relative to those above 1, and fails where one differs by more
than 1e-4.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
ALLOWED = 1e-4
NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|nan|inf)(?![\w])")
OF_NUMPY = re.compile(r"np\.\w+\(([^()]*)\)")
OF_TENSOR = re.compile(r"\s*shape=\([^)]*\),?|dtype=\S+")  # as TensorFlow prints them behind the numbers


def main() -> int:
    """Run the scripts on both, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tensorflow", required=True, help="a Python with TensorFlow and Keras")
    parser.add_argument("--answers", type=Path, help="a file that keeps TensorFlow's results for the next run")
    parser.add_argument("scripts", nargs="*", help="names; all by default")
    options = parser.parse_args()
    files = [HERE / "scripts" / f"{name}.py" for name in options.scripts] or sorted((HERE / "scripts").glob("*.py"))
    theirs = json.loads(options.answers.read_text()) if options.answers and options.answers.exists() else {}
    missing = [file for file in files if file.stem not in theirs]
    if missing:
        theirs |= results([options.tensorflow], missing)
        if options.answers:
            options.answers.write_text(json.dumps(theirs))
    ours = results([sys.executable, "-m", "cornu", "run"], files)
    rows = [(file.stem, *compared(ours[file.stem], theirs[file.stem])) for file in files]
    print("| script | numbers | largest difference | last of TensorFlow | last of cornu | |\n|---|--:|--:|--:|--:|---|")
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")
    return int(any(row[-1] for row in rows))


def results(python: Sequence[str], files: list[Path]) -> dict:
    """What the scripts print with a Python, by name."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "results.json")
        command = [*python, str(HERE / "script_worker.py"), str(output), *map(str, files)]
        subprocess.run(command, check=True, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""})
        return json.loads(output.read_text())


def compared(ours: dict, theirs: dict) -> tuple:
    """How many numbers were compared, the largest difference, the last numbers of both, and what is wrong."""
    for name, each in (("TensorFlow", theirs), ("cornu", ours)):
        if each["error"]:
            return 0, "-", "-", "-", f"{name}: {each['error'].strip().splitlines()[-1]}"
    mine, right = numbers_in(ours["text"]), numbers_in(theirs["text"])
    if len(mine) != len(right):
        return len(right), "-", "-", "-", f"prints {len(mine)} numbers in place of {len(right)}"
    differences = [abs(a - b) / max(1, abs(b)) for a, b in zip(mine, right, strict=True) if a != b]
    most = max(differences, default=0.0)
    wrong = "" if most <= ALLOWED else "differs"
    return len(right), f"{most:.1e}", right[-1], mine[-1], wrong


def numbers_in(text: str) -> list[float]:
    """All numbers in a text."""
    return [float(each) for each in NUMBER.findall(OF_NUMPY.sub(r"\1", OF_TENSOR.sub("", text)))]


if __name__ == "__main__":
    sys.exit(main())
