"""The same training in one process and in several, which talk to each other on this machine's loopback.

Two start as in an Indexed Job of Kubernetes, four by `cornu launch`.
"""

import io
import json
import signal
import socket
import subprocess
import sys
from contextlib import redirect_stderr
from pathlib import Path

import numpy as np
import pytest

import cornu
from cornu.cli import main
from cornu.core import progress
from tests.behaviour import several_processes
from tests.behaviour.eight_devices import agree, net, numbers
from tests.behaviour.virtual_devices import environment

# The launcher of a test forks a process in which JAX has started, and only to run another program.
pytestmark = [pytest.mark.forks, pytest.mark.filterwarnings("ignore:os.fork")]

SCRIPT = Path(__file__).with_name("several_processes.py")


def started(folder):
    """Two processes that run the script together, each with two virtual devices."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    said = {"KERAS_DISTRIBUTION_JOB_ADDRESSES": f"127.0.0.1:{port}", "KERAS_DISTRIBUTION_NUM_PROCESSES": "2"}
    return [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), str(folder)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=environment(2) | said | {"JOB_COMPLETION_INDEX": str(number)},
        )
        for number in range(2)
    ]  # fmt: skip


def seen(count, folder):
    """What each of so many processes saw."""
    return [dict(np.load(folder / f"seen{count}{number}.npz")) for number in range(count)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("processes")


@pytest.fixture(scope="module")
def ended(folder):
    """The two processes after their end, and what they said."""
    processes = started(folder)
    try:
        return processes, [process.communicate(timeout=300)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()


@pytest.fixture(scope="module")
def two(ended, folder):
    assert len(list(folder.glob("seen2*"))) == 2, ended[1]
    return seen(2, folder)


@pytest.fixture(scope="module")
def launched(two, folder):
    """The exit status of `cornu launch` with four processes, and what it said."""
    with redirect_stderr(io.StringIO()) as said:
        status = main(["launch", "-n", "4", "--logs", str(folder / "logs"), str(SCRIPT), str(folder)])
    return status, said.getvalue()


@pytest.fixture(scope="module")
def four(launched, folder):
    assert len(list(folder.glob("seen4*"))) == 4, launched[1]
    return seen(4, folder)


@pytest.fixture(scope="module")
def alone():
    """The numbers of one process with one device."""
    return numbers(net())


def part(seen, name):
    """What was seen of one training, by the names of `numbers`."""
    return {key.removeprefix(f"{name} "): value for key, value in seen.items() if key.startswith(f"{name} ")}


def test_what_one_process_cannot_do_is_told_to_all_at_once(two):
    for seen in two:
        assert seen["not written"]
        assert seen["no more data"]


@pytest.mark.parametrize("name", ["data", "sharded"])
def test_two_processes_give_the_numbers_of_one(two, alone, name):
    for seen in two:
        agree(part(seen, name), alone)


def test_all_processes_see_the_same_to_the_last_bit(two):
    first, *others = two
    for other in others:
        for name in first.keys() - {"read", "shards", "told"}:
            np.testing.assert_array_equal(first[name], other[name], err_msg=name)


def test_each_process_reads_its_rows_of_every_kind_of_data(two):
    for number, seen in enumerate(two):
        of_arrays, *others = (*seen["passes"], *seen["pass over own"])
        for other in others:
            np.testing.assert_allclose(other, of_arrays, rtol=1e-6, atol=1e-7)
        assert not np.array_equal(of_arrays, np.ones((6, 3)))
        assert seen["read"].tolist() == [[2, number]]
        assert seen["told"].tolist() == [2, 4, 2, number]


def test_files_are_written_once_and_load_in_one_process(two, folder):
    saved = two[0]["saved weights"], two[0]["saved state"]
    model = cornu.saving.load_model(folder / "model.keras")
    state = np.concatenate([v.numpy().ravel() for v in model.optimizer.variables])
    np.testing.assert_array_equal(np.concatenate([w.ravel() for w in model.get_weights()]), saved[0])
    np.testing.assert_array_equal(state, saved[1])
    for file in ("model.weights.json", "model.safetensors", "checkpoint.keras"):
        other = net()
        other.load_weights(folder / file)
        np.testing.assert_array_equal(np.concatenate([w.ravel() for w in other.get_weights()]), saved[0], file)
    if (folder / "orbax").exists():  # where the package is
        model = cornu.saving.load_model(folder / "orbax")
        np.testing.assert_array_equal(np.concatenate([w.ravel() for w in model.get_weights()]), two[0]["orbax weights"])
    assert len((folder / "log.csv").read_text().splitlines()) == 3
    shards = [int(seen["shards"]) for seen in two]  # each process has written its part of them
    assert sum(shards) == len(list(folder.glob("model_*.weights.h5"))) and 0 not in shards
    assert not list(folder.glob(".*"))
    assert len(list(folder.glob("board/*/*"))) == (folder / "board").exists()  # where the package is


def test_one_that_ends_early_keeps_its_exit_status_and_the_other_names_it(two, ended):
    processes, said = ended
    assert [process.returncode for process in processes] == [progress.LOST, 3], said
    assert "process 1 of 2 has reached the end of its script, or called sys.exit" in said[0]


def test_four_processes_go_on_with_what_two_have_written(four, alone):
    (stop,) = {str(seen["asked to stop"]) for seen in four}
    assert "(SIGTERM) and did so before epoch 2, step" in stop  # the same one for all, although one was asked
    for seen in four:
        agree(part(seen, "resumed"), {name: alone[name] for name in ("history", "evaluated", "predicted")})
        assert "without devices of 2 of the 4 processes" in str(seen["some processes"])
        assert "the processes differ in their data" in str(seen["other data"])
        assert json.loads(str(seen["layouts"])) == [None, "batch"]


def test_after_one_of_four_is_killed_one_goes_on_from_the_backup(four, launched, folder):
    status, said = launched
    assert status == 128 + signal.SIGKILL
    assert "process 2 of 4 was killed by SIGKILL" in said
    backup = cornu.callbacks.BackupAndRestore(folder / "killed")
    resumed, never_stopped = net(), net()
    history = several_processes.fit(resumed, epochs=4, shuffle=False, callbacks=[backup])
    assert history.epoch == [3]
    several_processes.fit(never_stopped, epochs=2)
    several_processes.fit(never_stopped, epochs=4, shuffle=False)
    for one, other in zip(resumed.get_weights(), never_stopped.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
