"""The same training in one process and in several, which talk to each other on this machine's loopback."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import cornu
from tests.behaviour.eight_devices import ROWS, WEIGHTS, X, Y, agree, net, numbers
from tests.behaviour.virtual_devices import environment

SCRIPT = Path(__file__).with_name("several_processes.py")


def started(count, devices, *arguments):
    """Processes that run the script together, each with some virtual devices."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    said = {"JOB_ADDRESSES": f"127.0.0.1:{port}", "NUM_PROCESSES": str(count)}
    return [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=environment(devices) | {f"KERAS_DISTRIBUTION_{name}": value for name, value in said.items()}
            | {"KERAS_DISTRIBUTION_PROCESS_ID": str(number)},
        )
        for number in range(count)
    ]  # fmt: skip


def seen_by(processes, folder):
    """What each process saw."""
    try:
        said = [process.communicate(timeout=300)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0] * len(processes), said
    return [dict(np.load(folder / f"seen{number}.npz")) for number in range(len(processes))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("processes")


@pytest.fixture(scope="module")
def two(folder):
    return seen_by(started(2, 2, str(folder)), folder)


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


def test_a_backup_of_several_processes_goes_on_in_one(two, folder, alone):
    model = net()
    backup = cornu.callbacks.BackupAndRestore(folder / "stopped")
    history = model.fit(
        X, Y, sample_weight=WEIGHTS, batch_size=ROWS, epochs=2, validation_data=(X[:20], Y[:20]), verbose=0,
        callbacks=[backup],
    ).get_state()["history"]  # fmt: skip
    np.testing.assert_allclose([history[key] for key in sorted(history)], alone["history"], rtol=1e-5)


def test_four_processes_go_on_with_what_two_have_written(two, folder, alone):
    four = seen_by(started(4, 1, str(folder), "four"), folder)
    (stop,) = {str(seen["asked to stop"]) for seen in four}
    assert "(SIGTERM) and did so before epoch 2, step" in stop  # the same one for all, although one was asked
    for seen in four:
        agree(part(seen, "resumed"), {name: alone[name] for name in ("history", "evaluated", "predicted")})
        assert "without devices of 2 of the 4 processes" in str(seen["some processes"])
        assert "the processes differ in their data" in str(seen["other data"])
        assert json.loads(str(seen["layouts"])) == [None, "batch"]
