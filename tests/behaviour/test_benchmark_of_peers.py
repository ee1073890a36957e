"""`python -m benchmarks`: figures as JSON, a table with ratios, a chart; a peer that fails costs itself alone."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import __main__ as benchmarks
from benchmarks.speed import peers, plan, report, worker

FOLDER = Path(worker.__file__).parent


@pytest.fixture(autouse=True)
def the_folder_of_a_script_is_searched(monkeypatch):
    """As outside of the tests: the files that peers run import each other from there."""
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)


def bench(folder, *arguments):
    """The benchmark with no peers but those given; the status and the figures."""
    status = benchmarks.main(["--quick", "--peers", str(folder / "none"), "--out", str(folder), *arguments])
    return status, json.loads((folder / "quick.json").read_text())


def test_cornu_alone_gives_figures_a_table_and_a_chart(tmp_path, capfd):
    status, figures = bench(tmp_path, "--work", "mlp")
    assert status == 0
    own = figures["results"]["mlp"]["peers"]["cornu"]
    assert own["best"] == min(own["times"]) <= own["median"] and len(own["times"]) == 2
    assert own["first_s"] > own["import_s"] > 0 and own["peak_mb"] > 50 and "jax" in own["versions"]
    assert figures["about"]["cores"] >= 1 and figures["about"]["quick"] is True
    out = capfd.readouterr().out
    assert "MLP 784-512-10" in out and "≥ 1.30" in out and "peak memory" in out
    assert (tmp_path / "quick.png").read_bytes()[:4] == b"\x89PNG"


def test_a_peer_that_fails_is_named_with_its_last_words_and_the_rest_is_kept(tmp_path, capfd):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no such engine >&2\nexit 3\n")
    broken.chmod(0o755)
    status, figures = bench(tmp_path, "--work", "predict_one", "--peer", f"keras-jax={broken}")
    found = figures["results"]["predict_one"]["peers"]
    assert status == 0 and "median" in found["cornu"]
    assert found["keras-jax"]["error"] == "ended with status 3: no such engine"
    assert "failed" in capfd.readouterr().out


def test_import_is_timed_in_new_processes_beside_jax(tmp_path):
    status, figures = bench(tmp_path, "--work", "import_use")
    found = figures["results"]["import_use"]["peers"]
    assert status == 0 and set(found) == {"cornu", "jax"}
    assert all(peer["median"] > 10 for peer in found.values())


def test_peers_need_a_known_name(tmp_path, capsys):
    assert benchmarks.main(["--quick", "--peer", "mxnet=/usr/bin/python", "--out", str(tmp_path)]) == 2
    assert "begins with one of cornu, keras-jax" in capsys.readouterr().err


def test_the_longest_known_beginning_says_what_a_peer_is():
    assert peers.Peer("keras-torch@nightly", "p").kind == "keras-torch"
    assert peers.Peer("torch-compiled", "p").kind == "torch-compiled"
    assert peers.Peer("torch", "p").environment("cpu", None)["CUDA_VISIBLE_DEVICES"] == ""


def test_the_ratio_is_to_the_best_of_the_peers_that_the_target_names():
    timed = {"cornu": 2.0, "jax": 0.5, "keras-jax": 6.0, "torch": 3.0}
    row = report.Row("t", "ms", {name: {"median": value} for name, value in timed.items()}, (), None)
    assert report.ratio(row, plan.Target(1.0)) == (1.5, "torch")
    assert report.ratio(row, plan.Target(1.0, ("keras-jax",))) == (3.0, "keras-jax")
    assert report.ratio(row, plan.Target(1.0, ("jax",))) == (0.25, "jax")
    assert report.ratio(row, plan.Target(1.0, ("keras-tf",))) is None


def test_the_table_shows_failures_and_absences():
    timed = {"best": 1.0, "median": 1.5, "times": [1.0, 2.0], "peak_mb": 100.0}
    result = {
        "title": plan.WORK["lstm"].title, "unit": "ms", "load": 0.1, "seconds": 1.0,
        "peers": {"cornu": timed, "keras-tf": {"error": "gone"}, "torch-compiled": {"absent": True}},
    }  # fmt: skip
    about = {"date": "2026-01-01T00:00", "processor": "P", "cores": 2, "dtype": "float32", "quick": False}
    figures = {"about": about, "results": {"lstm": result}}
    page = io.StringIO()
    report.table(figures, Console(file=page, width=170))
    assert "1.00 / 1.50" in page.getvalue() and "failed" in page.getvalue()


def test_slow_peers_make_fewer_steps():
    class Slow:
        steps = 100

        def run(self, n):
            now[0] += n * 0.5

    now = [0.0]
    clock = worker.time.perf_counter
    try:
        worker.time.perf_counter = lambda: now[0]
        assert worker.affordable(Slow(), 10.0) == 20
        assert worker.affordable(Slow(), 1000.0) == 100
    finally:
        worker.time.perf_counter = clock


def test_every_work_exists_and_the_files_that_peers_run_import_nothing_of_cornu():
    script = f"import sys; sys.path.insert(0, {str(FOLDER)!r}); import keras_work; print(*sorted(keras_work.WORK))"
    run = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    known = set(run.stdout.split())
    assert {work.of or name for name, work in plan.WORK.items() if work.until != "import"} <= known
    alone = [FOLDER / f"{file}.py" for file in ("worker", "keras_work", "torch_work", "graphs", "shapes")]
    for file in (*alone, FOLDER.parents[1] / "cornu" / "cli" / "bench" / "networks.py"):
        assert "import cornu" not in file.read_text() and "from cornu" not in file.read_text()


def test_the_well_known_networks_have_the_well_known_number_of_parameters():
    script = (
        f"import sys; sys.path.insert(0, {str(FOLDER)!r})\n"
        "import cornu, graphs, shapes\n"
        "from cornu.core.allocation import without_values\n"
        "for name in ('resnet50', 'vgg16'):\n"
        "    count = without_values(lambda: getattr(graphs, name)(cornu).count_params())\n"
        "    assert count == shapes.PARAMETERS[name], name\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
