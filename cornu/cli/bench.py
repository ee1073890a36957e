"""Time cornu beside Keras and PyTorch on this machine: the same work in turns, a table, a chart and the figures."""

import argparse

from cornu.cli.benchmark import driver


def arguments(parser: argparse.ArgumentParser) -> None:
    """What `cornu bench` takes."""
    driver.arguments(parser, out="cornu-bench")


def run(options: argparse.Namespace) -> int:
    """Time the chosen work."""
    return driver.run(options)
