"""Shared by the comparisons with Keras: quick compilation, and the one comparison of layers, `layer_oracle`."""

import os
import sys

import jax
import pytest

sys.path.insert(0, os.path.dirname(__file__))


@pytest.fixture(autouse=True)
def quick_compilation():
    """Compiling takes most of the time here, and what is compiled runs a few times on a few numbers."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
