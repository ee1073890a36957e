"""The example of every public object runs, and prints what it says.

This is not among the contracts, which run on the newest JAX too: it takes long, and what it runs others test there.
"""

import ast
import re

import numpy as np
import pytest
from test_docstrings import EXAMPLES, example

import cornu
from cornu import settings

ONE_OF_MANY = "applications.MobileNetV3Small"  # the others read the same
NUMBER = re.compile(r"-?\d+\.?\d*(?:e[+-]\d+)?(?:\.\.\.)?")


def is_run(name: str) -> bool:
    """Whether the example is run here: not those that download, nor the same one for each of many networks."""
    return name.partition(".")[0] not in ("applications", "datasets") or name == ONE_OF_MANY or "preprocess" in name


def agree(told: str, printed: str) -> bool:
    """Whether a comment says what was printed: on one line, with numbers rounded, or cut off by `...`."""
    told, printed = (re.sub(r"(?<=\[) | (?=\])", "", " ".join(text.split())) for text in (told, printed))
    numbers = [(NUMBER.findall(text)) for text in (told, printed)]
    return NUMBER.sub("#", told) == NUMBER.sub("#", printed) and all(map(_same_number, *numbers))


def _same_number(told: str, printed: str) -> bool:
    if told.endswith("..."):
        return printed.startswith(told.removesuffix("..."))
    return float(told) in (float(printed), round(float(printed), len(told.partition(".")[2])))


@pytest.mark.parametrize("name", [name for name, obj in EXAMPLES.items() if example(obj) and is_run(name)])
def test_the_example_runs_and_prints_what_it_says(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(settings, "_values", dict(settings._values))
    code, names = example(EXAMPLES[name]), {"cornu": cornu, "np": np}
    for package in {"flax", "torch"} & set(re.findall(r"^(?:import|from) (\w+)", code, re.MULTILINE)):
        pytest.importorskip(package)
    lines = code.splitlines()
    for statement in ast.parse(code).body:
        capsys.readouterr()
        exec(compile(ast.Module([statement], []), name, "exec"), names)
        told = re.fullmatch(r"print\(.*\)  # (.*)", lines[statement.end_lineno - 1])
        assert told is None or agree(told[1], capsys.readouterr().out), lines[statement.end_lineno - 1]
