"""Search for differences between cornu and Keras.

python -m tests.differential programs --count 1000 --seed 7 --resume    # random programs
python -m tests.differential faults                                       # which find old faults that are put back
python -m tests.differential edges --values 2000                          # operations at the edges of their arguments
"""

import argparse
import importlib
import sys
from pathlib import Path

# As for pytest, see pyproject.toml: modules of these folders import one another by name.
sys.path += [str(Path(__file__).parents[1] / folder) for folder in ("contracts", "parity")]

SEARCHES = {
    "programs": "tests.differential.programs",
    "faults": "tests.differential.faults",
    "edges": "tests.differential.edges",
    "refusals": "tests.differential.refusals",
}  # module with `arguments(parser)` and `main(options) -> int`


def main() -> int:
    """Run the search that was asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.differential", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    searches = parser.add_subparsers(dest="search", required=True)
    for name, module in SEARCHES.items():
        module = importlib.import_module(module)
        chosen = searches.add_parser(name, help=module.__doc__.splitlines()[0])
        module.arguments(chosen)
        chosen.set_defaults(main=module.main)
    options = parser.parse_args()
    return options.main(options)


if __name__ == "__main__":
    sys.exit(main())
