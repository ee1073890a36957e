"""Shared set-up: the oracle runs on JAX, seeds are fixed, programs are compiled quickly, nothing is shown unasked."""

import gc
import os
import sys
import types
from pathlib import Path

from jaxlib.version import __version_info__

# Behind everything else: `tests.fuzz` and the like are found here, cornu only where it is not installed.
sys.path.append(str(Path(__file__).parents[1]))

os.environ["PYTHONSAFEPATH"] = "1"  # nor does a process that a test starts find cornu in the current folder
os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "agg")
# Compiled code is kept beside pytest's own cache, so that a second run of the tests compiles little.
os.environ.setdefault("CORNU_COMPILATION_CACHE", str(Path(__file__).parents[1] / ".pytest_cache" / "compiled"))
# Compiling takes most of the time of the tests, and what is compiled runs a few times on a few numbers: it takes a
# third as long without emitters and most optimizations. Who sets XLA_FLAGS, to nothing too, has programs compiled as
# users run them. XLA ends a process that names a flag that it does not know, as JAX 0.12's does with this one.
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false" if __version_info__ < (0, 11) else "")
os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = str(int("emitters=false" in os.environ["XLA_FLAGS"]))

import jax
import numpy as np
import pytest
from oracle import ORACLE

import cornu
from cornu.core.context import reset_uids
from tests.lowering import lower_quickly
from tests.quick import QUICK

lower_quickly()
cornu.config.disable_traceback_filtering()  # where a test fails, all frames are wanted


def pytest_addoption(parser):
    """How the comparisons with Keras come by its answers; see `parity/oracle.py`."""
    parser.addoption("--live", action="store_true", help="compare with the installed Keras, not with stored answers")
    parser.addoption("--long", action="store_true", help="run what is marked as long, too")
    parser.addoption("--record", action="store_true", help="compare with the installed Keras and store its answers")


KINDS = ("contracts", "kernels", "quick")  # markers that a test's file decides on


def kinds_of(path):
    """Which of these a file, or some of its tests, are marked as."""
    inside = path.relative_to(Path(__file__).parent)
    return {inside.parts[0], "quick" if inside.as_posix() in QUICK else None}


def pytest_ignore_collect(collection_path, config):
    """Files in which nothing is marked as wanted are not read: that takes as long as a hundred tests."""
    wanted = config.option.markexpr.split(" or ")
    if collection_path.suffix == ".py" and set(wanted) <= set(KINDS) and not kinds_of(collection_path) & set(wanted):
        return True
    return None


def pytest_collection_modifyitems(config, items):
    """Mark tests by what they are, put those first that fork, and leave out what only the installed Keras can tell."""
    items.sort(key=lambda item: item.get_closest_marker("forks") is None)
    for item in items:
        path = item.path.relative_to(Path(__file__).parent)
        names = QUICK.get(path.as_posix(), ())
        for kind in kinds_of(item.path) & set(KINDS):
            if kind != "quick" or not names or item.originalname in names:
                item.add_marker(kind)
        if path.parts[0] == "kernels":  # how one is compiled is part of what is tested
            item.add_marker("full_compilation")
    asked = {"live": config.getoption("--live") or config.getoption("--record"), "long": config.getoption("--long")}
    for marker in (marker for marker, wanted in asked.items() if not wanted):
        left_out = [item for item in items if item.get_closest_marker(marker)]
        config.hook.pytest_deselected(items=left_out)
        gone = set(left_out)
        items[:] = [item for item in items if item not in gone]


@pytest.fixture(autouse=True)
def names_start_afresh():
    """Automatic names do not depend on the tests that ran before in the same process."""
    reset_uids()


@pytest.fixture(autouse=True, scope="module")
def collections_stay_short():
    """The garbage collector need not look again through what is imported, or kept in JAX's caches, for good.

    Without this a process that has run thousands of tests spends most of its time there.
    """
    gc.collect()
    gc.freeze()
    yield


@pytest.fixture(autouse=True, scope="module")
def arrays_are_as_jax_has_them():
    """The stand-in for TensorFlow changes the whole process, so the files before this one must have undone that."""
    types_of_tensorflow = sys.modules.get("cornu.tensorflow.types")
    served = types_of_tensorflow is not None and types_of_tensorflow.attach.cache_info().currsize > 0
    assert not served, "tensorflow.serve() was called outside of the fixture tensorflow_is_served"


@pytest.fixture(scope="module")
def tensorflow_is_served():
    """The stand-in for TensorFlow, for the tests of one file: behind them, arrays are as they were."""
    from cornu import tensorflow
    from cornu.layers import host
    from cornu.ops import conversion
    from cornu.random import seed_generator
    from cornu.training import prepare

    kinds = type(jax.numpy.zeros(())), jax.core.Tracer, cornu.Variable
    before = [dict(vars(kind)) for kind in kinds]
    tensorflow.serve()
    yield
    tensorflow.types.attach.cache_clear()
    cornu.data.elements.present_as(None)
    host.rows_of_any_length, conversion.text_tensor = None, conversion._none
    for added in (host.handlers, prepare.needs_values, seed_generator.carried):
        added.clear()
    for kind, kept in zip(kinds, before, strict=True):
        for name, now in dict(vars(kind)).items():
            if name not in kept:
                delattr(kind, name)
            elif now is not kept[name]:
                setattr(kind, name, kept[name])


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


@pytest.fixture(autouse=True)
def fixed_seeds():
    """Every test starts from the same seeds and leaves no settings behind."""
    cornu.utils.set_random_seed(1234)
    np.random.seed(1234)
    yield


@pytest.fixture(autouse=True)
def full_compilation(request, monkeypatch):
    """XLA's optimizations for the tests that are marked so, and for the processes that they start.

    Those are about what XLA makes of a program; or XLA without its optimizations gives 0/0 as the gradient of a maximum
    over normalized numbers, which it then computes twice with different rounding. So it does for JAX alone.
    """
    before = os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] == "1"
    if request.node.get_closest_marker("full_compilation"):
        monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "0")
        jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture
def compilations():
    """How many programs were compiled since the test began."""
    counted = types.SimpleNamespace(number=0)

    def count(name, seconds, **details):
        counted.number += name == "/jax/core/compile/backend_compile_duration"

    jax.monitoring.register_event_duration_secs_listener(count)
    yield counted
    jax.monitoring.unregister_event_duration_listener(count)
