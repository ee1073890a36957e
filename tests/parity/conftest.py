"""Shared by the comparisons with Keras: its answers, stored or live."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from oracle import ORACLE


@pytest.fixture(autouse=True, scope="module")
def oracle(request):
    """Keras's answers come from files; with `--live` from Keras, and `--record` writes them."""
    config = request.config
    record = config.getoption("--record")
    ORACLE.live = record or config.getoption("--live")
    yield
    if record:
        part = config.option.keyword or config.option.markexpr or any("::" in given for given in config.args)
        ORACLE.write(request.path.stem, whole=not part)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """The answers of a test are found under its name."""
    keep = item.get_closest_marker("live") is None
    ORACLE.begin(item.path.stem, item.nodeid.partition("::")[2], keep)
