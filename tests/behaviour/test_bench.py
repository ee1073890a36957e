"""`cornu bench`: what cornu takes on this machine, as a table or as JSON."""

import json
import shutil
from pathlib import Path

import pytest

from cornu import cli, native
from cornu.cli import bench


def test_it_tells_how_long_a_prediction_takes(capsys):
    assert cli.main(["bench", "--work", "predict_one", "--seconds", "0"]) == 0
    out = capsys.readouterr().out
    assert "MLP: predict of one row" in out and "ms, median" in out and "JAX" in out


def test_a_program_can_read_the_figures(capsys):
    assert cli.main(["bench", "--work", "predict_one", "--seconds", "0", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    figures = told["results"]["predict_one"]
    assert figures["best"] == min(figures["times"]) <= figures["median"] and len(figures["times"]) == 3
    assert figures["first"] > 0 and told["about"]["cores"] >= 1


@pytest.mark.parametrize("work", ["mlp", "cnn", "lstm", "transformer"])
def test_what_is_timed_trains(work):
    case = bench.WORK[work]()
    case.run(1)
    assert case.steps >= 10


def test_what_is_installed_has_compiled_kernels_where_there_is_a_compiler():
    processor = Path("/proc/cpuinfo")
    if (Path(native.__file__).parents[2] / "setup.py").exists() or not shutil.which("c++"):
        pytest.skip("This is a checkout, or there is no C++ compiler.")
    if not processor.exists() or " avx2 " not in processor.read_text():
        pytest.skip("The kernels are not for this processor.")
    assert native.instructions()


def test_list_says_what_runs_here(capsys, monkeypatch):
    def line(name):
        assert cli.main(["bench", "--list"]) == 0
        return next(line for line in capsys.readouterr().out.splitlines() if line.startswith(name)).split()[1:]

    monkeypatch.delenv("CORNU_KERNELS", raising=False)
    assert "LSTM(64)." in line("lstm") and line("conv") == ["fast"]
    assert line("native") == [native.instructions() or "plain"]
    monkeypatch.setenv("CORNU_NATIVE", "0")
    assert line("native") == ["plain"]
    monkeypatch.setenv("CORNU_KERNELS", "plain")
    assert line("conv") == ["plain"]
