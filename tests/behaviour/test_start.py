"""How a program starts: what importing loads, compiled code that a second run finds again, memory settings."""

import io
import json
import os
import subprocess
import sys
import zlib
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import cornu
from cornu.cli import run
from cornu.core import compilation_cache

ROOT = Path(cornu.__file__).parents[1]

TRAIN = """
import json, sys, jax
jax.config.update("jax_explain_cache_misses", False)
found = {"cache_hits": 0, "cache_misses": 0}

def count(event, **_):
    name = event.rsplit("/", 1)[-1]
    if name in found:
        found[name] += 1

jax.monitoring.register_event_listener(count)
import numpy as np
import cornu
cornu.utils.set_random_seed(1)
model = cornu.Sequential([
    cornu.Input((8, 8, 1)), cornu.layers.Conv2D(4, 3, activation="relu"), cornu.layers.BatchNormalization(),
    cornu.layers.MaxPooling2D(), cornu.layers.Flatten(), cornu.layers.Dropout(0.5), cornu.layers.Dense(2, "softmax"),
])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
x, y = np.ones((20, 8, 8, 1), "float32"), np.arange(20) % 2
history = model.fit(x, y, batch_size=8, epochs=2, validation_data=(x, y), verbose=0)
model.predict(x, verbose=0)
print(json.dumps({**found, "loss": history.history["loss"], "folder": cornu.config.compilation_cache()}))
"""


def environment(**changes) -> dict:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("CORNU_", "JAX_COMPILATION"))}
    return {**kept, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", "PYTHONWARNINGS": "error", **changes}


def start(code: str, **changes) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", code], env=environment(**changes), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def result(process: subprocess.Popen) -> dict:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "Error" not in err and "warn" not in err.lower(), err
    return json.loads(out.splitlines()[-1])


def entries(folder) -> list[Path]:
    return sorted(Path(folder).rglob("*-cache"))


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    """A home for caches in which two processes trained at the same time, and what each of them said."""
    home = tmp_path_factory.mktemp("home")
    both = [start(TRAIN, XDG_CACHE_HOME=str(home)) for _ in range(2)]
    return home, [result(process) for process in both]


def test_two_processes_may_fill_the_cache_at_once(warm):
    home, (first, second) = warm
    assert Path(first["folder"]).is_relative_to(home / "cornu")
    assert first["loss"] == second["loss"]
    assert first["cache_misses"] + second["cache_misses"] > 0 and entries(home)


def test_a_second_run_of_a_program_compiles_nothing(warm):
    home, (first, _) = warm
    before = entries(home)
    again = result(start(TRAIN, XDG_CACHE_HOME=str(home), PYTHONHASHSEED="7"))
    assert again["cache_misses"] == 0 and again["cache_hits"] > 0
    assert again["loss"] == first["loss"]
    assert entries(home) == before


def test_damaged_entries_are_compiled_again_in_silence(warm, tmp_path):
    home, (first, _) = warm
    for number, entry in enumerate(entries(home)):
        copy = tmp_path / entry.relative_to(home)
        copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        whole = entry.read_bytes()
        copy.write_bytes((b"", whole[: len(whole) // 2], b"nonsense", zlib.compress(b"1234nonsense"))[number % 4])
    (tmp_path / "cornu").chmod(0o700)
    again = result(start(TRAIN, XDG_CACHE_HOME=str(tmp_path)))
    assert again["cache_misses"] > 0 and again["loss"] == first["loss"]
    assert all(entry.stat().st_size for entry in entries(tmp_path))


def test_what_cannot_be_a_folder_is_done_without(tmp_path):
    (tmp_path / "cornu").write_text("in the way")
    assert result(start(TRAIN, XDG_CACHE_HOME=str(tmp_path)))["folder"] is None


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize(
    "mode, alone, used",
    [(None, False, True), (0o700, False, True), (0o775, True, True), (0o775, False, False), (0o777, True, False),
     (0o1777, False, True)],
)  # fmt: skip
def test_a_folder_is_used_where_nobody_else_can_write_to_it(named, mode, alone, used, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(compilation_cache, "_is_alone_in", lambda group: alone)
    before = os.umask(0o002)  # as where each user has a group of their own
    try:
        if mode is not None:
            (tmp_path / "cornu").mkdir()
            (tmp_path / "cornu").chmod(mode)
        with nullcontext() if used else pytest.warns(UserWarning, match="other users can write"):
            folder = compilation_cache._prepared_folder(str(tmp_path / "cornu") if named else None)
    finally:
        os.umask(before)
    assert (folder is not None) == used
    assert not used or folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "owner, mode, holds_code, open_to_others",
    [
        ("user", 0o755, True, False), ("user", 0o755, False, False),
        ("root", 0o755, False, False), ("root", 0o755, True, True),  # the system's folder, with the user's within
        ("other", 0o755, False, True), ("other", 0o1755, False, True), ("other", 0o755, True, True),
        ("user", 0o1777, True, True), ("user", 0o1777, False, False), ("root", 0o1777, False, False),
        ("user", 0o757, True, True), ("user", 0o775, True, True),
    ],
)  # fmt: skip
def test_who_owns_a_folder_counts_as_who_may_write_to_it(owner, mode, holds_code, open_to_others, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    monkeypatch.setattr(compilation_cache, "_is_alone_in", lambda group: False)
    found = SimpleNamespace(st_uid={"user": 1000, "root": 0, "other": 1001}[owner], st_mode=mode, st_gid=7)
    folder = SimpleNamespace(stat=lambda: found)
    assert compilation_cache._others_may_write(folder, holds_code) == open_to_others


@pytest.mark.parametrize(
    "name, members, alone",
    [("ann", [], True), ("ann", ["ann"], True), ("ann", ["bob"], False), ("ann", ["ann", "bob"], False),
     ("staff", [], False), ("staff", ["ann"], False)],
)  # fmt: skip
def test_a_group_counts_as_the_user_where_it_has_the_users_name_and_no_other_member(name, members, alone, monkeypatch):
    monkeypatch.setattr(compilation_cache.pwd, "getpwuid", lambda uid: SimpleNamespace(pw_name="ann"))
    monkeypatch.setattr(
        compilation_cache.grp, "getgrgid", lambda gid: SimpleNamespace(gr_name=name, gr_mem=members)
    )  # fmt: skip
    assert compilation_cache._is_alone_in(7) == alone


def test_a_user_or_group_that_the_system_does_not_know_is_not_taken_for_one_alone(monkeypatch):
    def unknown(number):
        raise KeyError(number)

    monkeypatch.setattr(compilation_cache.grp, "getgrgid", unknown)
    assert not compilation_cache._is_alone_in(7)


def test_a_folder_that_cannot_be_written_is_done_without_a_word(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda folder, mode: mode != os.W_OK)
    assert compilation_cache._prepared_folder(str(tmp_path / "read only")) is None


def test_folders_on_the_way_are_made(tmp_path):
    folder = compilation_cache._prepared_folder(str(tmp_path / "home" / "not there yet" / "cornu"))
    assert folder.is_relative_to(tmp_path / "home" / "not there yet" / "cornu") and folder.is_dir()


def test_processors_with_other_instructions_have_a_folder_of_their_own(monkeypatch):
    def tag(text):
        monkeypatch.setattr(compilation_cache, "open", lambda path: io.StringIO(text), raising=False)
        return compilation_cache._processor()

    one, other = tag("model name: A\nflags : avx2\n"), tag("model name: A\nflags : avx2 avx512f\n")
    assert one != other and one == tag("model name: B\nflags : avx2\n")
    assert len({one, other, tag("Features : neon\n"), tag("nothing that tells\n")}) == 4


@pytest.mark.parametrize(
    "system, settings, folder",
    [
        ("linux", {"XDG_CACHE_HOME": "/caches"}, "/caches/cornu"), ("linux", {}, "/home/ann/.cache/cornu"),
        ("darwin", {}, "/home/ann/Library/Caches/cornu"), ("darwin", {"XDG_CACHE_HOME": "/caches"}, "/caches/cornu"),
        ("win32", {}, "/home/ann/cornu/cache"), ("win32", {"LOCALAPPDATA": "/local"}, "/local/cornu/cache"),
    ],
)  # fmt: skip
def test_caches_are_where_the_system_has_them(system, settings, folder, monkeypatch):
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.setattr(sys, "platform", system)
    assert compilation_cache.default_folder() == Path(folder)


@pytest.mark.parametrize("said", ["", "off", "OFF", "0", "false", "no", "/a folder"])
def test_the_environment_says_no_in_several_words(said, monkeypatch):
    monkeypatch.setenv("CORNU_COMPILATION_CACHE", said)
    wanted = {"": None, "/a folder": "/a folder"}.get(said, False)
    assert compilation_cache._from_environment() == (wanted, 2**30)


SAY = """
import json, cornu
{before}
cornu.Variable(1.0)
import jax
{after}
cornu.Variable(1.0)
print(json.dumps([cornu.config.compilation_cache(), jax.config.jax_persistent_cache_min_compile_time_secs]))
"""


@pytest.mark.parametrize(
    "settings, before, after, expected",
    [
        ({}, "", "", ["{home}/cornu/", 0.0]),
        ({"CORNU_COMPILATION_CACHE": "off"}, "", "", [None, 1.0]),
        ({"CORNU_COMPILATION_CACHE": "{home}/there"}, "", "", ["{home}/there/", 0.0]),
        ({"JAX_COMPILATION_CACHE_DIR": "{home}/own"}, "", "", ["{home}/own", 1.0]),
        ({"JAX_ENABLE_COMPILATION_CACHE": "0"}, "", "", [None, 0.0]),
        ({"JAX_COMPILATION_CACHE_DIR": "{home}/own"}, "cornu.config.set_compilation_cache('{home}/named')", "",
         ["{home}/named/", 0.0]),
        ({}, "", "jax.config.update('jax_persistent_cache_min_compile_time_secs', 2.0); "
         "cornu.config.set_compilation_cache(False)", [None, 2.0]),
        ({}, "cornu.config.set_compilation_cache(False)", "", [None, 1.0]),
        ({}, "", "cornu.config.set_compilation_cache(False)", [None, 1.0]),
        ({"CORNU_COMPILATION_CACHE": "off"}, "", "cornu.config.set_compilation_cache()", ["{home}/cornu/", 0.0]),
        ({}, "", "cornu.config.set_compilation_cache('{home}/named')", ["{home}/named/", 0.0]),
        ({}, "", "jax.config.update('jax_compilation_cache_dir', '{home}/own')", ["{home}/own", 0.0]),
    ],
)  # fmt: skip
def test_who_says_where_compiled_code_is_kept(tmp_path, settings, before, after, expected):
    filled = {key: value.format(home=tmp_path) for key, value in settings.items()}
    code = SAY.format(before=before.format(home=tmp_path), after=after.format(home=tmp_path))
    folder, seconds = result(start(code, XDG_CACHE_HOME=str(tmp_path), **filled))
    wanted = expected[0] and expected[0].format(home=tmp_path)
    assert folder == wanted or (wanted and wanted.endswith("/") and folder.startswith(wanted))
    assert seconds == expected[1]


def test_a_folder_chosen_in_jax_after_compiling_is_filled_from_then_on(tmp_path):
    code = (
        "import json, jax, cornu, jax.numpy as jnp\n"
        "cornu.Variable(1.0); jax.jit(lambda x: x + 1)(1.0)\n"
        f"jax.config.update('jax_compilation_cache_dir', {str(tmp_path / 'own')!r})\n"
        "jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.0)\n"
        "cornu.Variable(1.0); jax.jit(lambda x: x + 2)(1.0)\n"
        "print(json.dumps(cornu.config.compilation_cache()))\n"
    )
    assert result(start(code, XDG_CACHE_HOME=str(tmp_path))) == str(tmp_path / "own")
    assert entries(tmp_path / "own")


def test_a_folder_is_filled_from_when_it_is_named_until_it_no_longer_is(tmp_path):
    own, named = tmp_path / "own", tmp_path / "named"
    code = (
        "import json, jax, cornu, jax.numpy as jnp\n"
        "from pathlib import Path\n"
        "def compile(n):\n"
        "    cornu.Variable(1.0)\n"
        "    jax.jit(lambda x: x + n)(1.0)\n"
        f"    return [len(list(Path(each).rglob('*-cache'))) for each in ({str(own)!r}, {str(named)!r})]\n"
        f"jax.config.update('jax_compilation_cache_dir', {str(own)!r})\n"
        "jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.0)\n"
        "found = [compile(0)]\n"
        f"cornu.config.set_compilation_cache({str(named)!r})\n"
        "found.append(compile(1))\n"
        "cornu.config.set_compilation_cache(False)\n"
        "print(json.dumps([*found, compile(2)]))\n"
    )
    (in_own, nothing), (as_before, in_named), last = result(start(code, XDG_CACHE_HOME=str(tmp_path / "elsewhere")))
    assert in_own == as_before > 0 == nothing < in_named
    assert last == [in_own, in_named]


def test_the_cache_is_bounded_and_forgets_what_was_used_longest_ago(tmp_path):
    folder = tmp_path / "jaxlib-1" / "inner"
    folder.mkdir(parents=True)
    for number in range(10):
        (folder / f"{number}-cache").write_bytes(b"x" * 100)
        os.utime(folder / f"{number}-cache", (number, number))
    (folder / "empty-cache").touch()
    (tmp_path / "something else").write_bytes(b"x" * 5000)
    compilation_cache.bound(tmp_path, 1000)
    assert len(entries(tmp_path)) == 10 and not (folder / "empty-cache").exists()
    compilation_cache.bound(tmp_path, 800)
    assert [entry.name for entry in entries(tmp_path)] == [f"{number}-cache" for number in range(4, 10)]
    assert (tmp_path / "something else").exists()


def test_what_was_read_of_late_stays_however_old_it_is(tmp_path):
    (tmp_path / "jaxlib-1").mkdir()
    for name, read, written in (("read", 9, 1), ("written", 1, 8), ("neither", 2, 2)):
        (tmp_path / "jaxlib-1" / f"{name}-cache").write_bytes(b"x" * 100)
        os.utime(tmp_path / "jaxlib-1" / f"{name}-cache", (read, written))
    compilation_cache.bound(tmp_path, 280)
    assert [entry.name for entry in entries(tmp_path)] == ["read-cache", "written-cache"]
    compilation_cache.bound(tmp_path, 199)
    assert [entry.name for entry in entries(tmp_path)] == ["read-cache"]


def test_an_entry_that_another_process_holds_or_has_removed_stops_nothing(tmp_path, monkeypatch):
    (tmp_path / "jaxlib-1").mkdir()
    for number in range(4):
        (tmp_path / "jaxlib-1" / f"{number}-cache").write_bytes(b"x" * 100)
        os.utime(tmp_path / "jaxlib-1" / f"{number}-cache", (number, number))
    (tmp_path / "jaxlib-1" / "gone-cache").symlink_to(tmp_path / "nowhere")
    removed = Path.unlink

    def unlink(path):
        if path.name == "0-cache":
            raise PermissionError(path)
        removed(path)

    monkeypatch.setattr(Path, "unlink", unlink)
    compilation_cache.bound(tmp_path, 399)  # 101 bytes too many
    assert [entry.name for entry in entries(tmp_path)] == ["0-cache", "3-cache", "gone-cache"]


def test_a_folder_to_which_nothing_was_added_is_left_alone(tmp_path):
    folder = tmp_path / "jaxlib-1"
    folder.mkdir()
    (folder / "a-cache").write_bytes(b"x" * 100)
    before = compilation_cache._changed_at(folder)
    compilation_cache._bound_if_changed(folder, 1, before)
    assert entries(tmp_path)
    compilation_cache._bound_if_changed(folder, 1, before - 1)
    assert not entries(tmp_path)
    assert compilation_cache._changed_at(tmp_path / "nowhere") == 0


def test_a_process_that_added_too_much_cleans_up_at_its_end(tmp_path):
    code = (
        f"import json, jax, cornu\ncornu.config.set_compilation_cache({str(tmp_path)!r}, max_bytes=1)\n"
        "cornu.Variable(1.0); jax.jit(lambda x: x + 1)(1.0)\n"
        f"from pathlib import Path; print(len(list(Path({str(tmp_path)!r}).rglob('*-cache'))))\n"
    )
    assert result(start(code)) > 0
    assert not entries(tmp_path)


@pytest.mark.parametrize("folder", ["", 3, None])
def test_a_cache_folder_must_be_a_path(folder):
    with pytest.raises(TypeError, match="folder"):
        cornu.config.set_compilation_cache(folder)


def test_importing_neither_loads_jax_nor_writes_a_file(tmp_path):
    code = "import json, sys, cornu; print(json.dumps('jax' in sys.modules))"
    assert result(start(code, XDG_CACHE_HOME=str(tmp_path))) is False
    assert not list(tmp_path.iterdir())


def test_making_saving_and_loading_a_model_of_new_sizes_compiles_nothing(tmp_path, compilations):
    layers = cornu.layers
    parts = [cornu.Input((13, 7)), layers.GRU(11), layers.BatchNormalization(), layers.Dense(19, "relu")]
    model = cornu.Sequential([*parts, layers.Dropout(0.5), layers.Dense(23)])
    model.compile("adam", "mse", metrics=["mae", cornu.metrics.AUC(num_thresholds=29)])
    model.save(tmp_path / "model.keras")
    model.save(tmp_path / "model.h5")
    for ending in (".keras", ".h5"):
        cornu.models.load_model(tmp_path / f"model{ending}")
    cornu.models.clone_model(model).set_weights(model.get_weights())
    assert compilations.number == 0


def test_a_numpy_array_becomes_a_tensor_without_compiling(compilations):
    for dtype in ("float32", "float64", "int64", "uint8", "bool", "complex64"):
        array = np.ones((3, 37), dtype)
        tensor = cornu.ops.convert_to_tensor(array)
        array[:] = 0  # the tensor has numbers of its own
        np.testing.assert_array_equal(tensor, 1)
    assert compilations.number == 0


def test_building_and_compiling_loads_nothing_for_files_or_tables(tmp_path):
    code = (
        "import json, sys, cornu\n"
        "cornu.Sequential([cornu.layers.Dense(1)]).compile('sgd', 'mse')\n"
        "print(json.dumps([m for m in ('h5py', 'rich', 'jax.scipy.linalg', 'scipy') if m in sys.modules]))\n"
    )
    assert result(start(code, XDG_CACHE_HOME=str(tmp_path))) == []


MEMORY = """
import json, sys, ctypes
import cornu
early = "cornu.memory" in sys.modules
print(json.dumps([early, cornu.config.tune_memory()]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the allocator of Linux")
@pytest.mark.parametrize("said, early", [("1", True), ("0", False)])
def test_memory_is_tuned_on_request_before_jax_is_there(said, early, tmp_path):
    has_glibc = hasattr(__import__("ctypes").CDLL(None), "gnu_get_libc_version")
    process = start(MEMORY, CORNU_TUNE_MEMORY=said, XDG_CACHE_HOME=str(tmp_path))
    assert result(process) == [early, has_glibc]


def test_without_glibc_nothing_is_tuned_and_the_answer_is_false(monkeypatch):
    class Other:
        """A C library without mallopt."""

    monkeypatch.setattr("ctypes.CDLL", lambda name: Other())
    assert cornu.config.tune_memory() is False


SCRIPT = """
import json, os, sys, keras
print(json.dumps([keras.Model.__module__.split(".")[0], sys.argv[1:], os.environ.get("GLIBC_TUNABLES")]))
"""


@pytest.mark.parametrize("before, after", [
    ("", "glibc.malloc.hugetlb=1"),
    ("glibc.malloc.check=0", "glibc.malloc.check=0:glibc.malloc.hugetlb=1"),
    ("glibc.malloc.hugetlb=0", "glibc.malloc.hugetlb=0"),
])  # fmt: skip
def test_a_script_gets_large_pages_unless_the_user_says_otherwise(before, after, tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, "-m", "cornu", "run", str(tmp_path / "script.py"), "--rows", "3"]
    environment = {**os.environ, "GLIBC_TUNABLES": before, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert result(process) == ["cornu", ["--rows", "3"], after if run.gives_large_pages() else before]


def test_a_module_runs_as_a_script_does(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("import keras\n")
    (package / "__main__.py").write_text(SCRIPT)
    (package / "wrong.py").write_text("import keras\nkeras.layers.Dense(units=-1)\n")

    def run(module):
        command = [sys.executable, "-m", "cornu", "run", "-m", module, "--rows", "3"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run(command, check=False, env=environment, text=True, capture_output=True, cwd=tmp_path)

    assert json.loads(run("package").stdout)[:2] == ["cornu", ["--rows", "3"]]
    wrong = run("package.wrong")
    assert wrong.returncode == 1 and "runpy" not in wrong.stderr and "wrong.py" in wrong.stderr
    missing = run("package.nowhere")
    assert missing.returncode == 2 and missing.stderr == "cornu run: there is no module 'package.nowhere'.\n"


def test_the_command_loads_no_more_than_it_runs():
    code = (
        "import json, sys\n"
        "from cornu.cli import main\n"
        "main(['run', 'nowhere.py'])\n"
        "print(json.dumps([m for m in ('jax', 'numpy', 'rich') if m in sys.modules]))\n"
    )
    assert result(start(code)) == []
