"""The table of what differs from Keras on purpose, and the README."""

from pathlib import Path

from tests.differential.differences import told


def test_the_readme_tells_the_table():
    readme = " ".join((Path(__file__).parents[2] / "README.md").read_text().split())
    assert " ".join(told().split()) in readme
