"""Shared by the comparisons with Keras: quick compilation, and the one comparison of layers, `layer_oracle`."""

import os
import sys

import jax
import pytest

sys.path.insert(0, os.path.dirname(__file__))


@pytest.fixture(autouse=True)
def quick_compilation(request):
    """Compiling takes most of the time here, and what is compiled runs a few times on a few numbers.

    A test is marked `full_compilation` where that does not do: XLA then gives 0/0 as the gradient of a maximum over
    normalized numbers, which it computes twice with different rounding. So it does for JAX alone.
    """
    full = request.node.get_closest_marker("full_compilation")
    jax.config.update("jax_disable_most_optimizations", full is None)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
