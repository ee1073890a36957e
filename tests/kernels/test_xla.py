"""What the kernels take for granted of XLA (`cornu/kernels/xla.py`), asked of the jaxlib that is installed.

A failure here means that something became slower, or that a detour is no longer needed; no result is wrong. Each
message says what to look at.
"""

import os
import resource
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from cornu.kernels import conv, gates, platform, recurrent, window, xla

pytestmark = pytest.mark.skipif(jax.default_backend() != "cpu", reason="These are about XLA on CPUs.")
several_cores = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="There is one core only.")
linux = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="Threads are told by Linux alone.")


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def compiled(function, *args):
    return jax.jit(function, compiler_options=xla.compiler_options()).lower(*args).compile()


@pytest.mark.parametrize(
    "options", [xla.CPU_OPTIONS, xla.WIDE_VECTORS, xla.GATHERING_OPTIONS], ids=["fusion", "vectors", "gathering"]
)
def test_the_options_have_these_names(options):
    assert xla.knows(options), (
        f"This jaxlib does not know {list(options)}, so programs are compiled without it. Look for its new name in "
        "XLA's xla.proto, time the benchmarks' CNN and Transformer with and without it, and change or drop it."
    )


@pytest.mark.skipif(not xla._has_wide_vectors(), reason="oneDNN was timed on processors with AVX-512 and bfloat16.")
@pytest.mark.skipif(jax.__version_info__ < (0, 12), reason="This jaxlib was built without oneDNN.")
def test_onednn_computes_convolutions_but_not_those_of_reversed_kernels(monkeypatch):
    monkeypatch.setenv("CORNU_ONEDNN", "1")
    monkeypatch.setattr(xla, "has_onednn", xla.has_onednn.__wrapped__)  # asked for anew
    assert xla.has_onednn(), (
        "This jaxlib does not hand convolutions to oneDNN any more: look for the new name of the option xla.ONEDNN in "
        "XLA's xla.proto, and time the benchmarks' U-Net, and ResNet50 in bfloat16."
    )
    x, y = draw(2, 8, 8, 16), draw(2, 6, 6, 300)
    win = window.slide("valid", (8, 8), (3, 3), (1, 1))
    turned = jax.jit(lambda x, y: conv._weigh_turned(x, y, win), compiler_options=xla.CPU_OPTIONS | xla.ONEDNN)
    program = turned.lower(x, y).compile().as_text()
    assert "__onednn$convolution" not in program, (
        "oneDNN takes convolutions of reversed kernels now, so conv._weigh_turned no longer keeps wide gradients away "
        "from it: time conv.WEIGH's forms at 28x28, 256 channels, and find another way to keep them apart (xla.turned)."
    )


def test_options_are_handed_out_as_a_copy():
    options = xla.compiler_options()
    options["changed"] = "1"
    assert "changed" not in xla.compiler_options()


def test_an_unknown_option_is_left_out(monkeypatch):
    monkeypatch.setattr(xla, "CPU_OPTIONS", {"xla_no_such_option": "1"})
    xla._known_options.cache_clear()
    try:
        assert "xla_no_such_option" not in xla.compiler_options()
    finally:
        xla._known_options.cache_clear()


def test_functions_compiled_apart_stay_calls():
    """What they read is computed once, however many of them read it, also inside a loop.

    Where this fails, XLA has another mark for a function that is not to be inlined: see `xla.not_inlined`.
    """
    x, kernel, y = draw(2, 8, 8, 4), draw(3, 3, 4, 5), draw(2, 8, 8, 5)

    def gradient(x, kernel):
        return jax.grad(lambda k: jnp.vdot(y, conv.conv(jax.nn.relu(x), k, (1, 1), "same")))(kernel)

    def in_a_loop(x, kernel):
        return lax.fori_loop(0, 3, lambda i, k: k + gradient(x * i, k), kernel)

    for fn in (gradient, in_a_loop):
        program = jax.jit(fn).lower(x, kernel).compile().as_text()
        assert sum("_weigh" in line and " call(" in line for line in program.splitlines()) == 1
    np.testing.assert_allclose(jax.jit(in_a_loop)(x, kernel), kernel + 3 * gradient(x, kernel), rtol=1e-4, atol=1e-4)
    with platform.plain_forms():
        assert " call(" not in jax.jit(lambda kernel: gradient(x, kernel)).lower(kernel).compile().as_text()


def test_a_rounding_that_changes_nothing_stays_between_two_products():
    x, a, b = draw(8, 64), draw(64, 64), draw(64, 64)
    program = compiled(lambda x: xla.kept_apart(xla.kept_apart(x @ a) @ b), x).as_text()
    assert program.count("reduce-precision(") >= 2, (
        "XLA takes the rounding away, so a softmax behind large dense layers may be slow again (xla.kept_apart): time "
        "Dense(4096), Dense(4096), Dense(1000, 'softmax') on 8 rows with and without it."
    )


def busy_threads(run):
    """How many threads spent at least a third of the busiest one's time while `run` ran."""
    before = ticks()
    run()
    spent = sorted((now - before.get(thread, 0) for thread, now in ticks().items()), reverse=True)
    return sum(3 * each >= spent[0] for each in spent)


def ticks():
    found = {}
    for stat in Path("/proc/self/task").glob("*/stat"):
        fields = stat.read_text().rpartition(")")[2].split()
        found[stat.parent.name] = int(fields[11]) + int(fields[12])
    return found


@linux
@several_cores
def test_both_row_groups_of_a_recurrent_loop_run_at_one_time():
    x, h, kernel = draw(400, 64, 256), draw(64, 64), draw(64, 256, seed=1) / 8
    assert recurrent._way(64, kernel, unroll=False).halved
    lstm = compiled(lambda x, h, k: recurrent.recur(gates.lstm_gates(), x, (h, h), k)[0], x, h, kernel)

    def run():
        end = time.process_time() + 1.0
        while time.process_time() < end:
            jax.block_until_ready(lstm(x, h, kernel))

    assert busy_threads(run) >= 2, (
        "Both halves of a batch run in one thread: XLA's list of operations that are ready has changed. Read the "
        "docstring of cornu/kernels/recurrent.py, look at the order with TF_CPP_VMODULE=thunk_executor=6, and change "
        "xla.READY or the order; or take the groups out (recurrent._way)."
    )


@linux
def test_the_memory_of_a_call_comes_anew_in_each():
    x = jnp.ones((4096, 4096))  # 64 MB, in pages of 4 kB or 2 MB

    def sums(x):
        return lax.fori_loop(0, 3, lambda i, y: jnp.cumsum(y + x, axis=1) * 0.5, x)

    run = compiled(sums, x)
    jax.block_until_ready(run(x))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(3):
        jax.block_until_ready(run(x))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before > 3 * 16, (
        "A call finds its memory ready now. Then calls of few, long steps need not last up to 4 s: see FEW_STEPS in "
        "cornu/training/execution/steps_per_call.py."
    )


@pytest.mark.parametrize(
    ("kernel", "groups", "slow"),
    [((3, 3, 4, 6), 1, False), ((3, 3, 1, 8), 4, True)],
    ids=["channels last", "grouped"],
)
def test_convolutions_that_are_slow_in_a_loop_are_told(kernel, groups, slow):
    jaxpr = jax.make_jaxpr(lambda x, k: conv._plain_conv(x, k, (1, 1), "same", (1, 1), groups))(
        draw(2, 8, 8, 4), draw(*kernel)
    )
    assert [xla.is_slow_in_a_loop(equation) for equation in jaxpr.eqns] == [slow]
