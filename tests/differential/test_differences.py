"""The table of what differs from Keras on purpose, and the page that tells it."""

from pathlib import Path

from tests.differential.differences import told


def test_the_page_tells_the_table():
    page = " ".join((Path(__file__).parents[2] / "docs" / "differences.md").read_text().split())
    assert " ".join(told().split()) in page
