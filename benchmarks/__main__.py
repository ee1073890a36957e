"""Time cornu beside its peers, as `cornu bench` does, and keep the figures in benchmarks/results.

benchmarks/setup_peers.sh                      # once: the environments of the peers, in .bench
python -m benchmarks --budget 20               # everything, in about twenty minutes
python -m benchmarks --work mlp --work lstm    # some of it
python -m benchmarks --peer keras-jax=/path/to/python --only keras-jax
GLIBC_TUNABLES=glibc.malloc.hugetlb=1 python -m benchmarks --name large_pages    # all of them with large pages
"""

import argparse
import sys
from pathlib import Path

from cornu.cli.benchmark import driver

HERE = Path(__file__).parent


def main() -> int:
    """Time the chosen work."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    driver.arguments(parser, out=str(HERE / "results"))
    parser.set_defaults(peers=HERE.parent / ".bench")
    return driver.run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
