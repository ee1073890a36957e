"""The `cornu` command: `cornu demo`, `cornu run SCRIPT`, `cornu inspect FILE`, `cornu bench`,
`cornu runs DIR`, `cornu launch -n 4 SCRIPT`.

Each subcommand is a module of this package with two functions: `arguments(parser)` and `run(options)`.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from cornu._version import __version__

COMMANDS = {
    "bench": "benchmark cornu on this machine",
    "demo": "train a small convolutional network on real handwritten digits",
    "inspect": "show the contents of a model file, without running any of it",
    "launch": "start a script in several processes on this machine that train one model",
    "run": "run an unmodified Keras script on cornu",
    "runs": "list recorded training runs, or compare two of them",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="cornu", description="The Keras API on one engine, JAX.")
    parser.add_argument("--version", action="version", version=f"cornu {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    arguments = sys.argv[1:] if arguments is None else arguments
    modules = {}
    for name, purpose in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=purpose)
        if name in arguments:  # the others are not loaded
            modules[name] = importlib.import_module(f"cornu.cli.{name}")
            subparser.description = (modules[name].__doc__ or "").strip().split("\n")[0]
            modules[name].arguments(subparser)
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 2
    try:
        status = modules[options.command].run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status


if __name__ == "__main__":
    sys.exit(main())
