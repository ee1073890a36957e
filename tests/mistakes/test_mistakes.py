"""What cornu says of each of the mistakes, and that none of them is met with silence."""

import pytest

import cornu
from tests.mistakes.table import MISTAKES, said


@pytest.mark.parametrize("name", MISTAKES)
def test_a_beginner_is_told_what_is_wrong_and_what_to_do(name):
    text = said(cornu, name)
    assert not [word for word in MISTAKES[name].words if word not in text], text
    assert len(text) < 900


def test_the_ratings_meet_the_goal():
    ratings = [mistake.ours for mistake in MISTAKES.values()]
    assert sum(ratings) / len(ratings) >= 2.5 and min(ratings) > 0
