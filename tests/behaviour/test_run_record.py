"""A record of each run of `fit`, and the command that lists runs and says what sets two of them apart."""

import contextlib
import html.parser
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import cornu
from cornu import layers, runs
from cornu.callbacks import BackupAndRestore, LambdaCallback, RunRecord
from cornu.cli import main

ROOT = Path(cornu.__file__).parents[1]
X = np.random.default_rng(0).normal(size=(16, 3)).astype("float32")
Y = X.sum(1, keepdims=True)


def train(directory, *callbacks, rate=0.1, epochs=3, x=X, dropout=False, loss="mse", name=None, **arguments):
    """The record of a training, however it ended."""
    cornu.utils.set_random_seed(3)
    parts = [cornu.Input((x.shape[1],)), layers.Dense(2), *[layers.Dropout(0.5)] * dropout, layers.Dense(1)]
    model = cornu.Sequential(parts)
    model.compile(cornu.optimizers.SGD(rate), loss, metrics=["mae"])
    record = RunRecord(directory, name)
    with contextlib.suppress(ZeroDivisionError, KeyboardInterrupt):
        model.fit(x, Y, epochs=epochs, verbose=0, callbacks=[record, *callbacks], **arguments)
    return runs.read(record.folder)


def fails(epoch, logs):
    if epoch == 1:
        raise ZeroDivisionError("one \x1b[31m of many")


FAILS = LambdaCallback(on_epoch_end=fails)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A folder with two runs, the second with another rate, layer and data, which ended with an error."""
    folder = tmp_path_factory.mktemp("runs")
    train(folder, name="first", validation_split=0.25)
    train(folder, FAILS, name="second", rate=0.05, dropout=True, x=X[:, :2])
    return folder


@pytest.fixture(autouse=True)
def no_terminal_says_how_wide_it_is(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)


def command(*words, capsys):
    """What `cornu runs` prints, and its exit status."""
    status = main(["runs", *map(str, words)])
    printed = capsys.readouterr()
    return printed.out + printed.err, status


# ---------------------------------------------------------------- what is kept


def test_a_record_says_with_what_a_training_was_made_and_how_it_went(tmp_path):
    with pytest.warns(UserWarning, match="class_weight is for class numbers"):
        run = train(tmp_path, name="first", validation_data=(X, Y), batch_size=8, class_weight={0: 1.0})
    assert run.path.parent == tmp_path and run.name.endswith("_first") and run.problems == []
    facts = run.facts
    assert facts["compile"]["optimizer"]["class_name"] == "SGD" and facts["compile"]["loss"] == "mse"
    assert [layer["class_name"] for layer in facts["model"]["config"]["layers"]] == ["InputLayer", "Dense", "Dense"]
    assert (
        facts["fit"]["epochs"] == 3 and facts["fit"]["batch_size"] == 8 and facts["fit"]["class_weight"] == {"0": 1.0}
    )
    assert facts["data"]["training"]["arrays"].startswith("x float32[3], y float32[1]")
    assert facts["data"]["training"]["sample of the rows"] and facts["data"]["validation"]["number of rows"] == 16
    assert facts["seeds"] == {"global": 3}
    assert set(facts["versions"]) >= {"cornu", "jax", "numpy", "python"} and facts["machine"]["cores"] == os.cpu_count()
    assert [line["epoch"] for line in run.epochs] == [0, 1, 2] and run.epochs[2]["learning_rate"] == pytest.approx(0.1)
    assert set(run.curves) == {"loss", "mae", "val_loss", "val_mae"}
    assert run.state == "finished" and run.end["epochs"] == 3 and run.end["seconds"] >= run.epochs[2]["seconds"]


def test_each_training_has_a_folder_of_its_own(tmp_path):
    record = RunRecord(tmp_path / "deep" / "runs")
    model = cornu.Sequential([cornu.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    for _ in range(3):
        model.fit(X, Y, epochs=1, verbose=0, callbacks=[record])
    found = runs.find(tmp_path / "deep" / "runs")
    assert len(found) == 3 and found[-1] == record.folder
    assert [len(runs.read(path).epochs) for path in found] == [1, 1, 1]


def test_what_is_code_is_named(tmp_path):
    class Own(cornu.Model):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def call(self, x):
            return self.inner(x)

    model = Own(layers.Dense(1))
    model.compile("sgd", lambda y, p: cornu.ops.mean((y - p) ** 2))
    record = RunRecord(tmp_path)
    schedule = cornu.callbacks.LearningRateScheduler(lambda epoch: 0.1)
    model.fit(X, Y, verbose=0, callbacks=[record, schedule])
    facts = runs.read(record.folder).facts
    assert "<lambda>, line" in facts["compile"]["loss"]
    assert "<lambda>" in facts["fit"]["callbacks"][0]["config"]["schedule"]
    assert facts["model"]["class_name"] == "Own" and facts["model"]["weights"] == [
        "kernel float32[3, 1]",
        "bias float32[1]",
    ]


def test_an_error_and_ctrl_c_are_the_end_of_a_record(tmp_path):
    failed = train(tmp_path, FAILS)
    assert failed.state == "error" and failed.end["type"] == "ZeroDivisionError" and "of many" in failed.end["message"]
    assert len(failed.epochs) == 2
    stop = LambdaCallback(on_train_begin=lambda logs: signal.raise_signal(signal.SIGINT))
    stopped = train(tmp_path, stop)
    assert stopped.state == "stopped" and stopped.end["signal"] == "SIGINT" and stopped.epochs == []


def test_a_signal_to_a_training_with_backups_is_the_end_of_its_record(tmp_path):
    stop = LambdaCallback(on_epoch_end=lambda epoch, logs: epoch == 1 and signal.raise_signal(signal.SIGTERM))
    first = train(tmp_path, stop, BackupAndRestore(tmp_path / "backup"))
    assert first.state == "stopped" and first.end["signal"] == "SIGTERM"
    second = train(tmp_path, BackupAndRestore(tmp_path / "backup"))
    assert second.facts["goes_on"] == first.name
    assert second.epochs[:2] == first.epochs and [line["epoch"] for line in second.epochs] == [0, 1, 2]
    assert second.epochs[2]["seconds"] > second.epochs[1]["seconds"]


def test_numbers_that_json_has_not_are_kept(tmp_path):
    with pytest.warns(UserWarning, match="loss is (nan|inf)"):
        run = train(tmp_path, rate=1e30, epochs=4)
    assert not all(map(np.isfinite, run.curves["loss"].values()))
    lines = (run.path / "metrics.jsonl").read_text().splitlines()
    assert len([json.loads(line, parse_constant=pytest.fail) for line in lines]) == 4


def test_a_folder_that_cannot_be_is_refused_before_training(tmp_path):
    (tmp_path / "file").write_text("in the way")
    model = cornu.Sequential([cornu.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(OSError):
        model.fit(X, Y, verbose=0, callbacks=[RunRecord(tmp_path / "file")])
    with pytest.raises(ValueError, match="name"):
        RunRecord(tmp_path, "up/there")


def test_a_training_goes_on_when_its_record_is_taken_away(tmp_path):
    def take_away(epoch, logs):
        if epoch == 0:
            (folder,) = tmp_path.iterdir()
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()

    model = cornu.Sequential([cornu.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    record = RunRecord(tmp_path)
    with pytest.warns(UserWarning, match="incomplete"):
        history = model.fit(X, Y, epochs=3, verbose=0, callbacks=[record, LambdaCallback(on_epoch_end=take_away)])
    assert history.epoch == [0, 1, 2]


SCRIPT = """
    import sys
    import numpy as np
    import cornu

    model = cornu.Sequential([cornu.Input((3,)), cornu.layers.Dense(1)])
    model.compile("sgd", "mse")
    tell = cornu.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, flush=True))
    model.fit(np.ones((8, 3)), np.ones(8), epochs=10**6, verbose=0, callbacks=[cornu.callbacks.RunRecord("runs"), tell])
"""


def test_a_killed_training_has_whole_lines_and_no_end_and_sigterm_is_one(tmp_path, capsys):
    (tmp_path / "train.py").write_text(textwrap.dedent(SCRIPT))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    found = {}
    for number in (signal.SIGKILL, signal.SIGTERM):
        process = subprocess.Popen(
            [sys.executable, "train.py"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
        )
        for _ in range(20):
            assert process.stdout.readline(), "it trains"
        running = runs.read(runs.find(tmp_path / "runs")[-1])
        assert running.end is None and running.state == "running" and len(running.epochs) >= 20
        process.send_signal(number)
        process.communicate(timeout=60)
        assert process.returncode == -number
        found[number] = runs.read(running.path)
    killed, stopped = found[signal.SIGKILL], found[signal.SIGTERM]
    assert killed.end is None and killed.state == "killed" and killed.facts["command"] == ["train.py"]
    assert [line["epoch"] for line in killed.epochs] == list(range(len(killed.epochs)))
    assert stopped.state == "stopped" and stopped.end["signal"] == "SIGTERM"
    text, _ = command(tmp_path / "runs", capsys=capsys)
    assert "killed" in text and "stopped by SIGTERM" in text


# ---------------------------------------------------------------- code


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A script in a git repository, which is what runs."""
    script = tmp_path / "work" / "train.py"
    script.parent.mkdir()
    script.write_text("rate = 1\n")
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(script), raising=False)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    git = ["git", "-C", script.parent, "-c", "user.name=A", "-c", "user.email=a@example.com"]
    try:
        for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
            subprocess.run([*git, *words], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("git is not installed")
    return script


def test_the_revision_and_what_differs_from_it_are_kept(repository, tmp_path, capsys):
    records = repository.parent / "runs"
    clean = train(records)
    repository.write_text("rate = 2\n")
    repository.with_name("new.py").write_text("")
    changed = train(records)
    assert clean.facts["code"]["git"]["revision"] == changed.facts["code"]["git"]["revision"]
    assert clean.patch == "" and "-rate = 1\n+rate = 2\n" in changed.patch
    assert changed.facts["code"]["git"]["untracked"] == ["new.py"]
    text, _ = command("diff", clean.path, changed.path, capsys=capsys)
    assert "Changes of train.py" in text and "+1 −1 lines" in text and "new.py" in text
    repository.write_text("#" * 2**21)
    assert (train(records).path / "changes.diff").stat().st_size == 2**20


def test_a_repositorys_own_programs_are_not_run(repository, tmp_path):
    made = tmp_path / "made"
    for key in ("diff.external", "core.fsmonitor"):
        subprocess.run(["git", "-C", repository.parent, "config", key, f"touch {made};"], check=True)
    repository.write_text("rate = 2\n")
    assert "+rate = 2" in train(tmp_path / "runs").patch and not made.exists()


def test_there_is_a_record_where_there_is_no_git(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    run = train(tmp_path / "runs")
    assert run.state == "finished" and "git" not in run.facts["code"] and run.patch == ""


# ---------------------------------------------------------------- `cornu runs`


def test_the_command_lists_the_runs_of_a_folder(two, capsys):
    text, status = command(two, capsys=capsys)
    assert status == 0 and text.startswith("2 runs in ")
    first, second = (line for line in text.splitlines() if line.startswith("20"))
    assert "_first" in first and "finished" in first and "3 of 3" in first
    assert "_second" in second and "error: ZeroDivisionError" in second and "2 of 3" in second
    run = runs.read(runs.find(two)[0])
    for name in ("loss", "val_loss"):
        assert f"{run.curves[name][2]:.5g}" in first and f"{min(run.curves[name].values()):.5g}" in first


def test_the_command_says_what_sets_two_runs_apart(two, capsys):
    text, status = command("diff", *runs.find(two), capsys=capsys)
    assert status == 0
    for words in (
        "compile.optimizer.learning_rate 0.1 0.05", "model.layers.dropout — Dropout(rate=0.5)",
        "training.number of rows 12 16", "loss", "from epoch 1 on", "fit.validation_split 0.25 0",
    ):  # fmt: skip
        assert any(" ".join(line.split()).startswith(words) or words in line for line in text.splitlines()), words
    assert "model.layers.dense_1" not in text


def test_runs_with_the_same_settings_are_the_same_whatever_names_layers_got(tmp_path, capsys):
    a, b = train(tmp_path), train(tmp_path)
    assert a.facts["model"] != b.facts["model"]  # the second process would have given the names of the first
    text, _ = command("diff", a.path, b.path, capsys=capsys)
    assert text.count("No known differences") == 4 and "in none of 3 epochs" in text


def test_a_callback_more_is_told_by_its_name(tmp_path, capsys):
    a = train(tmp_path, cornu.callbacks.EarlyStopping("loss", patience=5))
    stops = [cornu.callbacks.EarlyStopping("loss", patience=patience) for patience in (6, 7)]
    text, _ = command("diff", a.path, train(tmp_path, *stops).path, capsys=capsys)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "fit.callbacks.EarlyStopping.patience 5 6" in lines
    assert any(line.startswith("fit.callbacks.EarlyStopping 2 — EarlyStopping(") for line in lines)


class Page(html.parser.HTMLParser):
    """What a page is made of, each element closed in its turn."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.values, self.text = [], [], [], ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.values += [f"{name}={value}" for name, value in attributes]
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize("which", ["overview", "diff"])
def test_a_page_has_tables_and_curves_and_needs_nothing_else(which, two, tmp_path, capsys):
    words = [two] if which == "overview" else ["diff", *runs.find(two)]
    assert command("--html", tmp_path / "page.html", *words, capsys=capsys) == ("", 0)
    page = Page((tmp_path / "page.html").read_text())
    assert page.tags.count("svg") == 2 and page.tags.count("polyline") == 6 and "dashed: val_mae" in page.text
    assert not {"script", "link", "img", "iframe"} & set(page.tags) and "http" not in " ".join(page.values).replace(
        "http-equiv", ""
    )
    assert "prefers-color-scheme: dark" in page.text and "one \\x1b[31m of many" in page.text


def test_a_long_training_makes_no_long_page(tmp_path, capsys):
    (tmp_path / "run.json").write_text("{}")
    values = (json.dumps({"epoch": n, "metrics": {"loss": 9.0 if n == 7777 else 1 / (n + 1)}}) for n in range(50_000))
    (tmp_path / "metrics.jsonl").write_text("\n".join(values) + "\n")
    command("--html", tmp_path / "page.html", tmp_path, capsys=capsys)
    text = (tmp_path / "page.html").read_text()
    assert len(text) < 50_000 and ">8</text>" in text  # the axis reaches the one high value


HOSTILE = "\x1b]0;owned\x07<script>alert(1)</script>[red]\u202e\nx"


def test_what_a_file_says_is_shown_letter_by_letter(tmp_path, capsys):
    for name in ("a", "b"):
        folder = tmp_path / f"{name}<script>"
        folder.mkdir()
        value = {HOSTILE: HOSTILE + name, "class_name": HOSTILE}
        code = {"script": {"path": HOSTILE + name}, "git": {"untracked": [HOSTILE + name]}}
        facts = dict.fromkeys(("command", "model", "compile", "fit", "data", "versions", "machine"), value)
        patch = f"diff --git a/{HOSTILE} b/{HOSTILE}{name}\n+{HOSTILE}"
        (folder / "run.json").write_text(json.dumps({**facts, "began": HOSTILE, "goes_on": HOSTILE, "code": code}))
        (folder / "metrics.jsonl").write_text(json.dumps({"epoch": 0, "metrics": {HOSTILE: 1.0}}) + "\n")
        (folder / "end.json").write_text(json.dumps({"end": "error", "type": HOSTILE, "message": HOSTILE}))
        (folder / "changes.diff").write_text(patch)
    for words in ([tmp_path], ["diff", *sorted(tmp_path.iterdir())]):
        text, status = command(*words, capsys=capsys)
        assert status == 0 and "[red]" in text and "owned" in text
        assert not {"\x1b", "\x07", "\u202e"} & set(text)
        command("--html", tmp_path / "page.html", *words, capsys=capsys)
        written = (tmp_path / "page.html").read_text()
        assert "script" not in Page(written).tags and not {"\x1b", "\u202e"} & set(written)
        (tmp_path / "page.html").unlink()


DAMAGE = {
    "run.json": [b"", b"{", b"[]", b"7", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 3000 + b"1" + b"}" * 3000,
                 b'{"fit": 7}',
                 b'{"better": 7, "code": [], "data": "x", "process": {"id": "x"}, "model": [[[]]], "began": {}}',
                 b'{"fit": {"epochs": ' + b"9" * 5000 + b"}}"],
    "metrics.jsonl": [b"{", b"\n\n", b"7\n", b'{"epoch": -1}\n', b'{"epoch": 0, "metrics": 7}\n', b'{"epoch": 0, "metr',
                      b'{"epoch": 0, "metrics": {"loss": "much", "mae": [1], "a": true, "b": 1e999, "c": null}}\n',
                      b'{"epoch": 99999999999999999999, "seconds": "x", "metrics": {"loss": 1e308, "mae": -1e308}}\n'],
    "end.json": [b"", b"[]", b"{}", b'{"end": 7, "seconds": "long", "type": [], "message": {}}', b'{"end": "error"}'],
    "changes.diff": [b"\xff", b"diff --git \n", b"diff --git a b\n" * 1000],
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_record_is_told_and_the_others_are_shown(name, two, tmp_path, capsys):
    good = runs.find(two)[0]
    for number, content in enumerate(DAMAGE[name]):
        folder = tmp_path / f"bad {number}"
        folder.mkdir()
        for file in good.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        (folder / name).write_bytes(content)
        text, status = command("diff", good, folder, capsys=capsys)
        assert status == 0, content
        command("--html", tmp_path / "page.html", "diff", folder, good, capsys=capsys)
        Page((tmp_path / "page.html").read_text())
    text, status = command(tmp_path, capsys=capsys)
    assert status == 0 and text.startswith(f"{len(DAMAGE[name])} runs")
    assert ("is damaged" in text) == (name != "changes.diff")


def test_a_line_that_was_cut_short_leaves_the_others(two, tmp_path):
    lines = (runs.find(two)[0] / "metrics.jsonl").read_bytes()
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "metrics.jsonl").write_bytes(lines[:-10])
    run = runs.read(tmp_path)
    assert len(run.epochs) == 2 and "line 3" in run.problems[0] and run.state == "killed"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["{here}/nowhere"], "no directory"), (["{here}"], "no run"), (["diff", "{two}", "{two}"], "Pass one of them"),
        (["diff", "{two}"], "pass one directory"), (["--html", "{here}/no/page.html", "{two}"], "no page"),
    ],
)  # fmt: skip
def test_the_command_says_what_is_wrong_with_its_words(words, told, two, tmp_path, capsys):
    text, status = command(*(word.format(here=tmp_path, two=two) for word in words), capsys=capsys)
    assert status == 2 and told in text


def test_a_narrow_terminal_shows_what_has_room(two, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "90")
    text, _ = command(two, capsys=capsys)
    assert max(map(len, text.splitlines())) <= 90 and "Not enough space for: " in text


def test_the_command_starts_without_jax_and_numpy(two):
    code = (
        "import sys\n"
        "from cornu.cli import main\n"
        f"main(['runs', {str(two)!r}])\n"
        "print([m for m in ('jax', 'numpy', 'cornu.callbacks') if m in sys.modules])\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    found = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    assert found.stdout.startswith("2 runs") and found.stdout.splitlines()[-1] == "[]"
