"""A short run of the fuzzer: a few changes of each format load or are refused, and nothing else happens."""

from tests.fuzz.__main__ import run
from tests.fuzz.seeds import FORMATS


def test_changed_files_load_or_are_refused():
    came = list(run(list(FORMATS), mutations=20, seed=1))
    assert [answer for *_, answer in came if "wrong" in answer] == []
    assert len(came) == 20 * len(FORMATS)
    for kind in FORMATS:
        assert any(not answer["loaded"] for name, _, answer in came if name == kind)
