"""Time cornu beside its peers, and keep the figures in benchmarks/results.

benchmarks/setup_peers.sh                      # once: the environments of the peers, in .bench
python -m benchmarks --budget 20               # everything, in about twenty minutes
python -m benchmarks --work mlp --work lstm    # some of it
python -m benchmarks --peer keras-jax=/path/to/python --only keras-jax
GLIBC_TUNABLES=glibc.malloc.hugetlb=1 python -m benchmarks --name large_pages    # all of them with large pages
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.speed import driver

HERE = Path(__file__).parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Time the chosen work."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    driver.arguments(parser, out=HERE / "results", peers=HERE.parent / ".bench")
    return driver.run(parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
