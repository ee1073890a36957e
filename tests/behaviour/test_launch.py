"""`cornu launch`, and what becomes of the other processes when one fails, is killed or hangs."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from cornu import distribution
from cornu.cli import launch, main
from cornu.core import peers, progress
from cornu.distribution import watching

# The launcher of a test forks a process in which JAX may have started, and only to run another program.
pytestmark = [pytest.mark.forks, pytest.mark.filterwarnings("ignore:os.fork")]

ROOT = Path(__file__).parents[2]
TELL = """
import os, sys
names = "KERAS_DISTRIBUTION_PROCESS_ID", "KERAS_DISTRIBUTION_NUM_PROCESSES", "KERAS_DISTRIBUTION_JOB_ADDRESSES"
print(*[os.environ[name] for name in names], os.environ["JAX_CPU_COLLECTIVES_IMPLEMENTATION"], *sys.argv[1:])
"""
WAIT = """
import os, signal, sys
from pathlib import Path
rank = os.environ["KERAS_DISTRIBUTION_PROCESS_ID"]
Path(sys.argv[1], rank).write_text(str(os.getpid()))
print("here", flush=True)
"""
HANG = """
import signal
import jax
from cornu import distribution
from cornu.core import peers
def hang():
    signal.pause()
distribution.initialize()
if jax.process_index() == 1:
    hang()
peers.highest(1)
"""


@pytest.fixture
def script(tmp_path):
    def written(text):
        (file := tmp_path / "script.py").write_text(text)
        return str(file)

    return written


def ended(number):
    """Wait until a process is no more."""
    try:
        handle = os.pidfd_open(number)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], 30)[0])
    finally:
        os.close(handle)


# ---------------------------------------------------------------- what the processes are told


@pytest.mark.parametrize(
    ("given", "got"),
    [
        ([], []),
        (["--epochs", "3", "-n", "9"], ["--epochs", "3", "-n", "9"]),
        (["--", "-m", "--logs=x"], ["-m", "--logs=x"]),
    ],
)
def test_each_process_knows_its_number_and_the_others(script, tmp_path, capfd, given, got):
    logs = tmp_path / "logs"
    assert main(["launch", "-n", "3", "--logs", str(logs), script(TELL), *given]) == 0
    said = [(logs / f"rank-{rank}.log").read_text().split() for rank in range(3)]
    assert [one[0] for one in said] == ["0", "1", "2"]
    assert {one[1] for one in said} == {"3"}
    assert len({one[2] for one in said}) == 1
    assert said[0][2].startswith("127.0.0.1:")
    assert [one[3:] for one in said] == [["gloo", *got]] * 3
    out, err = capfd.readouterr()
    assert out.split() == said[0]
    assert str(logs) in err


def test_a_module_is_run_as_python_does(tmp_path, monkeypatch, capfd):
    (tmp_path / "some_module.py").write_text(TELL)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert main(["launch", "-n", "1", "--port", "4321", "-m", "some_module", "--", "x"]) == 0
    assert capfd.readouterr().out.split() == ["0", "1", "127.0.0.1:4321", "gloo", "x"]


def test_gpus_are_shared_out(monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,1,0,2")
    assert launch.shares(2) == [{"CUDA_VISIBLE_DEVICES": "3,1"}, {"CUDA_VISIBLE_DEVICES": "0,2"}]
    with pytest.raises(ValueError, match="4 GPUs cannot be divided into 3 equal parts"):
        launch.shares(3)
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    assert launch.shares(3) == [{}] * 3


# ---------------------------------------------------------------- how it ends


def test_one_that_fails_is_named_and_the_others_are_ended(script, tmp_path, capfd):
    fail = WAIT + "if rank == '1':\n    print('out of luck')\n    sys.exit(3)\nsignal.pause()\n"
    assert main(["launch", "-n", "3", "--logs", str(tmp_path), script(fail), str(tmp_path)]) == 3
    err = capfd.readouterr().err
    assert "process 1 of 3 failed with exit status 3" in err
    assert "    out of luck\n" in err
    assert str(tmp_path / "rank-1.log") in err
    for rank in "02":
        assert (tmp_path / f"rank-{rank}.log").read_text() in ("here\n", "")
    assert all(ended(int(file.read_text())) for file in tmp_path.glob("[0-2]"))


def test_one_that_is_killed_is_named_rather_than_those_that_lost_it(script, tmp_path, capfd):
    lose = f"""
import os, signal
if os.environ["KERAS_DISTRIBUTION_PROCESS_ID"] == "1":
    os.kill(os.getpid(), signal.SIGKILL)
os._exit({progress.LOST})
"""
    assert main(["launch", "-n", "2", "--logs", str(tmp_path), script(lose)]) == 128 + signal.SIGKILL
    assert "process 1 of 2 was killed by SIGKILL" in capfd.readouterr().err


@contextmanager
def launcher(*arguments):
    command = [sys.executable, "-m", "cornu", "launch", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as one:
        yield one


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=lambda number: number.name)
def test_all_end_with_the_launcher(script, tmp_path, number):
    wait = WAIT + "signal.pause()\n"
    with launcher("-n", "2", "--logs", str(tmp_path), script(wait), str(tmp_path)) as one:
        assert one.stdout.readline() == "here\n"
        one.send_signal(number)
        assert one.wait(60) == (128 + number if number != signal.SIGKILL else -number)
        if number != signal.SIGKILL:
            assert f"{number.name}: all processes are terminated" in one.stderr.read()
    assert all(ended(int(file.read_text())) for file in tmp_path.glob("[01]") if file.read_text())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-n", "2", "nowhere.py"], "no file 'nowhere.py'"),
        (["-n", "0", "x.py"], "a positive integer"),
        (["x.py"], "-n"),
    ],
)
def test_mistakes_are_named(arguments, words, capsys):
    try:
        status = main(["launch", *arguments])
    except SystemExit as error:
        status = error.code
    assert status == 2
    assert words in capsys.readouterr().err


# ---------------------------------------------------------------- the watch


def test_a_silent_process_is_lost():
    watch = watching.Watch(0, 3, patience=10, now=0)
    for now in range(9):
        watch.hear({0: watching.Beat(now, 0, ""), 1: watching.Beat(now, 0, "")}, now)
    assert watch.lost(9) == ""
    assert "process 2 of 3 has not reported for 11 s" in watch.lost(11)


def test_a_process_that_others_wait_for_hangs():
    watch = watching.Watch(0, 2, patience=10, now=0)
    for now in range(30):
        watch.hear({0: watching.Beat(now, 5, "a"), 1: watching.Beat(now, 4, "data.py:3 in read")}, now)
        assert bool(watch.lost(now)) == (now > 10)
    assert "process 1 of 2 hangs" in watch.lost(30)
    assert "data.py:3 in read" in watch.lost(30)


def test_a_process_that_has_come_to_its_end_is_not_missed_unless_others_need_it():
    watch = watching.Watch(0, 2, patience=10, now=0)
    watch.hear({0: watching.Beat(0, 4, ""), 1: watching.Beat(watching._LEFT, 4, "the end of its script")}, 1)
    assert watch.lost(90) == ""
    assert watch.all_have_left()
    watch.hear({0: watching.Beat(1, 5, ""), 1: watching.Beat(watching._LEFT, 4, "the end of its script")}, 91)
    assert "process 1 of 2 has reached the end of its script" in watch.lost(91)


@pytest.mark.parametrize(("own", "other"), [(lambda now: now, lambda now: 0), (lambda now: 4, lambda now: 4)])
def test_nobody_hangs_while_this_process_goes_on_or_all_wait(own, other):
    watch = watching.Watch(0, 2, patience=10, now=0)
    for now in range(30):
        watch.hear({0: watching.Beat(now, own(now), ""), 1: watching.Beat(now, other(now), "")}, now)
        assert watch.lost(now) == ""


class Board:
    """The coordinator's notes, in this process."""

    def __init__(self):
        self.notes = {}

    def key_value_set(self, key, value, allow_overwrite=False):
        self.notes[key] = value

    def key_value_delete(self, key):
        self.notes.pop(key, None)

    def key_value_dir_get(self, folder):
        return [(key, value) for key, value in self.notes.items() if key.startswith(folder)]


@pytest.fixture
def left(monkeypatch):
    """What the process would have ended with."""
    found = []
    monkeypatch.setattr(os, "_exit", found.append)
    monkeypatch.setattr(watching, "LINGER", 0)
    return found


def test_an_error_that_nobody_caught_is_told_to_the_others(left, capsys):
    board = Board()
    failing, other = (watching.Watcher(board, rank, 2, patience=5) for rank in (0, 1))
    hooked = []
    failing.failing(lambda *error: hooked.append(error))(ValueError, ValueError("no such row"), None)
    failing.at_exit()
    assert len(hooked) == 1
    assert left == [1]  # as without the others
    assert f"{progress.ENDS}0" in board.notes  # for which the others wait
    other._pause = 0
    other.failing(lambda *error: None)(
        ValueError, ValueError("Gloo all-reduce failed: Connection closed by peer"), None
    )
    assert left[1:] == [progress.LOST]
    assert "process 0 of 2 failed: ValueError: no such row" in capsys.readouterr().err


@pytest.fixture
def board(monkeypatch):
    """The notes of two processes, of which this one is the first."""
    board = Board()
    monkeypatch.setattr(peers, "client", lambda: board)
    monkeypatch.setattr(peers, "count", lambda: 2)
    monkeypatch.setattr(progress, "here", progress.Progress())
    return board


def test_a_process_that_has_nothing_left_to_compute_is_told_when_another_goes_on(board):
    board.key_value_set(f"{progress.MEETINGS}1/1", "3")
    peers.meet(3, "They differ.")
    board.key_value_set(f"{progress.MEETINGS}2/1", "4")
    with pytest.raises(ValueError, match=r"They differ\. Process 1 has another number: 4"):
        peers.meet(3, "They differ.")
    board.key_value_set(f"{progress.BEATS}1", json.dumps(watching.Beat(1, 1, "in a step of its own")))
    with pytest.raises(ValueError, match="Process 1 has another number: more"):
        peers.meet(3, "They differ.")


def test_batches_of_other_shapes_in_another_process_are_refused_before_they_are_computed(board):
    board.key_value_set(f"{progress.MEETINGS}1/1", json.dumps("float32[8, 4]"))
    peers.agree_to_start("Sequential", "float32[8, 4]")
    board.key_value_set(f"{progress.MEETINGS}2/1", json.dumps("float32[4, 4]"))
    with pytest.raises(ValueError, match=r"in process 0 float32\[8, 4\], in process 1 float32\[4, 4\]"):
        peers.agree_to_start("Sequential", "float32[8, 4]")
    board.key_value_set(f"{progress.BEATS}1", json.dumps(watching.Beat(1, 1, "in a step that it knows")))
    with pytest.raises(ValueError, match="in process 1 shapes that it has met before"):
        peers.agree_to_start("Sequential", "float32[3, 4]")


def test_one_that_others_wait_for_at_a_meeting_hangs_too():
    watch = watching.Watch(0, 2, patience=10, now=0)
    for now in range(30):
        watch.hear({0: watching.Beat(now, 5, "", met=3), 1: watching.Beat(now, 5, "data.py:3 in read", met=2)}, now)
    assert "process 1 of 2 hangs" in watch.lost(30)


def test_a_process_whose_coordinator_is_silent_ends(monkeypatch, capsys):
    watcher = watching.Watcher(Board(), 1, 2, patience=5)
    watcher._watch.patience = watcher._pause = 0.004
    statuses = []
    monkeypatch.setattr(os, "_exit", lambda status: (statuses.append(status), watcher._over.set()))
    watcher.watch_coordinator()
    assert statuses == [progress.LOST]
    assert "process 0 of 2 has not reported" in capsys.readouterr().err


def test_what_fails_in_one_process_fails_in_all(board):
    with pytest.raises(ZeroDivisionError), peers.failing_together(may_wait=True):
        1 / 0
    assert "ZeroDivisionError" in board.notes[f"{progress.FAILURES}0"]  # for those who wait in a computation
    board.key_value_set(f"{progress.MEETINGS}2/1", json.dumps("OSError: disk full"))
    with pytest.raises(OSError, match=r"process 1 of 2 failed: OSError: disk full"):
        with peers.failing_together(may_wait=False):
            pass
    assert progress.here.started == 2  # the same in a process that fails and in one that does not


@pytest.mark.parametrize("said", ["soon", "-1", "inf"])
def test_a_patience_that_is_no_number_of_seconds_is_refused_before_anybody_joins(said, monkeypatch):
    monkeypatch.setenv("CORNU_PATIENCE", said)
    with pytest.raises(ValueError, match="CORNU_PATIENCE must be a non-negative number"):
        distribution.initialize("127.0.0.1:1", 2, 0)


def test_jax_has_what_the_watch_needs():
    from jax._src.lib import _jax

    for name in ("key_value_set", "key_value_delete", "key_value_dir_get"):
        assert hasattr(_jax.DistributedRuntimeClient, name)
    assert peers.client() is None  # nobody has joined this process to others


# ---------------------------------------------------------------- for real


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


def test_a_process_that_hangs_is_named_with_the_line_it_is_at(script):
    """The processes as SLURM starts them."""
    said = {"SLURM_JOB_ID": "1", "SLURM_STEP_NODELIST": "localhost", "SLURM_NTASKS": "2"}
    said |= {"JAX_COORDINATOR_PORT": free_port(), "CORNU_PATIENCE": "2", "PYTHONPATH": str(ROOT)}
    first, second = [
        subprocess.Popen(
            [sys.executable, script(HANG)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=os.environ | said | {"SLURM_PROCID": rank, "SLURM_LOCALID": rank},
        )
        for rank in "01"
    ]  # fmt: skip
    try:
        told, _ = first.communicate(timeout=120)
    finally:
        second.kill()
        second.communicate()
    assert first.returncode == progress.LOST, told
    assert "process 1 of 2 hangs" in told
    assert "script.py:7 in hang" in told
