"""The stand-in for TensorFlow beside TensorFlow: values, shapes and dtypes of some 1,800 calls.

TensorFlow's answers are stored; `tensorflow_calls.py` asks it again. What TensorFlow refuses is not compared: a script
that runs on TensorFlow never gets there.
"""

import json
import lzma
from functools import cache
from typing import Any

import pytest
import tensorflow_calls as calls
from tensorflow_differences import DIFFERENT

from cornu import tensorflow as tf

pytestmark = pytest.mark.usefixtures("tensorflow_is_served")


@cache
def stored() -> dict[str, Any]:
    return json.loads(lzma.decompress(calls.FILE.read_bytes()))["answers"]


@pytest.mark.parametrize("group", calls.questions())
def test_calls_give_what_tensorflow_gives(group):
    asked = calls.questions()[group]
    assert stored()["asked"][group] == [what for what, _ in asked], "run tests/parity/tensorflow_calls.py again"
    known = {what for whats in DIFFERENT.values() for what in whats}
    wrong = []
    for (what, question), theirs in zip(asked, stored()[group], strict=True):
        if theirs == "error":
            continue
        ours = calls.answer(question, tf)
        if close(ours, theirs) == (what in known):
            wrong.append(f"{what}\n    TensorFlow: {theirs}\n    here: {ours}")
    assert not wrong, "\n".join(wrong)


def test_every_known_difference_is_asked_about():
    asked = {what for questions in calls.questions().values() for what, _ in questions}
    assert {what for whats in DIFFERENT.values() for what in whats} <= asked


def close(ours: Any, theirs: Any) -> bool:
    """Whether two answers are the same but for rounding."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(close(ours[key], theirs[key]) for key in theirs)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(close, ours, theirs))
    if isinstance(ours, float) and isinstance(theirs, float):
        return abs(ours - theirs) <= 2e-5 + 2e-4 * abs(theirs)
    return type(ours) is type(theirs) and ours == theirs
