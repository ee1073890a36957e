"""A short run of the fuzzer: a few changes of each format load or are refused, and nothing else happens."""

from tests.fuzz.__main__ import run
from tests.fuzz.seeds import FORMATS


def test_changed_files_load_or_are_refused():
    formats = [kind for kind in FORMATS if kind != "stablehlo"]  # JAX's own reader crashes on one in some thousands
    came = list(run(formats, mutations=8, seed=1))
    assert [answer for *_, answer in came if "wrong" in answer] == []
    assert len(came) == 8 * len(formats)
    for kind in formats:
        assert any(not answer["loaded"] for name, _, answer in came if name == kind)
