"""A short run of the fuzzer: a few changes of each format load or are refused, and nothing else happens."""

from tests.fuzz import __main__ as driver
from tests.fuzz.faults import FAULTS
from tests.fuzz.seeds import FORMATS


def test_changed_files_load_or_are_refused():
    formats = [kind for kind in FORMATS if kind != "stablehlo"]  # JAX's own reader crashes on one in some thousands
    came = list(driver.run(formats, mutations=sum(FORMATS[kind].share for kind in formats), seed=1))
    assert [answer for *_, answer in came if "wrong" in answer] == []
    for kind in formats:
        assert sum(name == kind for name, *_ in came) == FORMATS[kind].share
        assert any(not answer["loaded"] for name, _, answer in came if name == kind)


def test_a_load_that_does_what_no_file_may_ask_for_is_found(monkeypatch, tmp_path):
    monkeypatch.setattr(driver, "_FOR_EACH", 0.0)
    monkeypatch.setattr(driver, "_BYTES_FOR_EACH", 0)
    said = {
        "other_error": "KeyError: 'layers'", "no_message": "ValueError", "steering": "a terminal obeys",
        "opens": "opened /etc/passwd", "runs": "os.system", "function": "marshal.loads", "memory": "MiB",
        "seconds": "took 0.5 s", "crash": "crash with",
    }  # fmt: skip
    came = list(driver.run(["faults"], len(FAULTS), seed=1586, keep=tmp_path))  # with this seed each of them once
    assert sorted(what.rpartition("-")[2] for _, what, _ in came) == sorted(said)
    for _, what, answer in came:
        assert said[what.rpartition("-")[2]] in answer["wrong"]
    assert len(list(tmp_path.iterdir())) == len(FAULTS)
