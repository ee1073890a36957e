"""A file is there whole or not at all, whatever happens to the one who writes it."""

import errno
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import cornu
from cornu import layers
from cornu.saving import atomic

HERE = Path(__file__).parent
NAMES = ("model.keras", "model.weights.h5", "model.safetensors", "folder")


def filled(value):
    first = cornu.initializers.Constant(value)
    return cornu.Sequential([cornu.Input((200,)), layers.Dense(200, kernel_initializer=first, use_bias=False)])


def save(model, path):
    if path.name == "folder":
        model.save(path, zipped=False)
    elif path.suffix == ".keras":
        model.save(path)
    else:
        model.save_weights(path)


def contents(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture
def quick_folder(tmp_path):
    """A folder in memory where there is such a place: a hundred saves wait for the disk very often."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


def test_a_writer_killed_at_any_moment_leaves_the_old_file_or_the_new_one(quick_folder):
    command = [sys.executable, str(HERE / "killed_writer.py"), str(quick_folder)]
    paths = os.environ | {"PYTHONPATH": str(Path(cornu.__file__).parents[1])}
    done = subprocess.run(command, capture_output=True, text=True, env=paths, check=False)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout.splitlines()[-1])
    assert sum(found["kills"] for found in results.values()) == 100
    for name, found in results.items():
        assert found["old"] + found["new"] == found["kills"], name
        assert found["old"] > 0, name
    assert sum(found["new"] for found in results.values()) > 0
    assert all(path.name in results or path.name.startswith(".") for path in quick_folder.iterdir())


@contextmanager
def room_for(size):
    """No file may grow beyond this: what a full disk does, but for the name of the error."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [0, 1000, 100_000, 160_050])
@pytest.mark.parametrize("name", NAMES)
def test_a_full_disk_is_told_and_leaves_the_old_file_and_nothing_else(name, size, tmp_path):
    save(filled(1.0), tmp_path / name)
    before = contents(tmp_path)
    with pytest.raises(OSError, match=name) as caught, room_for(size):
        save(filled(2.0), tmp_path / name)
    assert caught.value.errno == errno.EFBIG
    assert "unchanged" in str(caught.value)
    assert contents(tmp_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]
    save(filled(2.0), tmp_path / name)  # with room again, all is as ever


def test_training_whose_checkpoint_finds_no_room_keeps_the_last_one(tmp_path):
    model = filled(1.0)
    model.compile("sgd", "mse")
    x = np.ones((4, 200), "float32")
    checkpoint = cornu.callbacks.ModelCheckpoint(tmp_path / "best.keras")
    model.fit(x, x, verbose=0, callbacks=[checkpoint])
    before = contents(tmp_path)
    with pytest.raises(OSError, match=r"best\.keras"), room_for(50_000):
        model.fit(x, x, verbose=0, callbacks=[checkpoint])
    assert contents(tmp_path) == before


def test_one_who_reads_while_others_write_finds_a_whole_file(tmp_path):
    path = tmp_path / "model.keras"
    save(filled(0.0), path)
    done = threading.Event()

    def write():
        for value in range(1, 15):
            save(filled(float(value)), path)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = []
    while not done.is_set() or not seen:
        weights = cornu.models.load_model(path).get_weights()[0]
        assert weights.min() == weights.max()
        seen.append(float(weights[0, 0]))
    writer.join()
    assert seen == sorted(seen)


def test_what_a_killed_writer_left_goes_with_a_later_save(tmp_path):
    old, fresh, other = (tmp_path / f".{name}.part" for name in ("model.keras.x1", "model.keras.x2", "other.keras.x3"))
    for file in (old, fresh, other):
        file.write_bytes(b"half")
    for file in (old, other):
        os.utime(file, (0, 0))
    save(filled(1.0), tmp_path / "model.keras")
    assert sorted(path.name for path in tmp_path.iterdir()) == [fresh.name, other.name, "model.keras"]


def test_a_new_file_may_be_read_by_those_who_may_read_any_new_file(tmp_path):
    save(filled(1.0), tmp_path / "model.keras")
    (tmp_path / "plain").touch()
    assert (tmp_path / "model.keras").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_there_keeps_its_mode_and_a_link_stays_a_link(name, tmp_path):
    (tmp_path / "run").mkdir()
    path, link = tmp_path / "run" / name, tmp_path / name
    save(filled(1.0), path)
    path.chmod(0o700 if path.is_dir() else 0o600)
    link.symlink_to(path)
    before, mode = contents(tmp_path / "run"), path.stat().st_mode
    save(filled(2.0), link)
    assert link.is_symlink() and path.stat().st_mode == mode
    assert contents(tmp_path / "run") != before and sorted(os.listdir(tmp_path)) == sorted(["run", name])
    if path.is_file():
        path.unlink()
        save(filled(3.0), link)  # as the target's name says, though nothing is there
        assert link.is_symlink() and path.is_file()


def test_the_files_of_a_set_and_of_a_folder_keep_their_modes(tmp_path):
    filled(1.0).save_weights(tmp_path / "m.weights.json", max_shard_size=2.0)
    filled(1.0).save(tmp_path / "folder", zipped=False)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    for path in files:
        path.chmod(0o600)
    filled(2.0).save_weights(tmp_path / "m.weights.json", max_shard_size=2.0)
    filled(2.0).save(tmp_path / "folder", zipped=False)
    assert {oct(path.stat().st_mode & 0o777) for path in files} == {"0o600"}


@pytest.mark.parametrize("name", NAMES)
def test_ctrl_c_while_a_file_is_written_waits_until_it_is_there(name, tmp_path, monkeypatch):
    struck = []
    monkeypatch.setattr(atomic, "_flush", lambda path: struck or struck.append(signal.raise_signal(signal.SIGINT)))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            save(filled(1.0), tmp_path / name)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert struck
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_second_ctrl_c_is_heard_at_once(tmp_path):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), atomic.replacing(tmp_path / "new") as place:
            place.write_text("half")
            for _ in range(2):
                signal.raise_signal(signal.SIGINT)
            place.write_text("whole")
    finally:
        signal.signal(signal.SIGINT, before)
    assert not list(tmp_path.iterdir())
