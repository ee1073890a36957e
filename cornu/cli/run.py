"""Run a Keras script untouched: `import keras` and `tensorflow.keras` are served by cornu."""

import argparse
import runpy
import sys
from pathlib import Path

from cornu import serving


def arguments(parser: argparse.ArgumentParser) -> None:
    """What `cornu run` takes."""
    parser.add_argument("script", help="the Python file to run")
    parser.add_argument("rest", nargs=argparse.REMAINDER, metavar="ARGS", help="arguments for the script")


def run(options: argparse.Namespace) -> int:
    """Run the script as `python SCRIPT ARGS` would."""
    script = Path(options.script)
    if not script.is_file():
        print(f"cornu run: there is no file {str(script)!r}.", file=sys.stderr)
        return 2
    serving.install()
    sys.argv = [str(script), *options.rest]
    sys.path.insert(0, str(script.resolve().parent))
    runpy.run_path(str(script), run_name="__main__")
    return 0
