"""Shared set-up: the oracle runs on JAX, seeds are fixed, nothing is shown on the screen unasked."""

import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "agg")
# Compiled code is kept beside pytest's own cache, so that a second run of the tests compiles little.
os.environ.setdefault("CORNU_COMPILATION_CACHE", str(Path(__file__).parents[1] / ".pytest_cache" / "compiled"))

import numpy as np
import pytest

import cornu

cornu.config.disable_traceback_filtering()  # where a test fails, all frames are wanted


@pytest.fixture(autouse=True)
def fixed_seeds():
    """Every test starts from the same seeds and leaves no settings behind."""
    cornu.utils.set_random_seed(1234)
    np.random.seed(1234)
    yield
