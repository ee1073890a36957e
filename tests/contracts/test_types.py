"""Names have types: what editors complete and checkers find, though namespaces load when they are first used."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import cornu

SCRIPT = """
import cornu as keras

model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="relu")])
model.compile("adam", keras.losses.MeanSquaredError())
reveal_type(model)
reveal_type(model.fit)
reveal_type(keras.layers.Dense(3))
reveal_type(keras.optimizers.Adam(1e-3, clipnorm=1.0))
reveal_type(keras.losses.Huber(delta=2.0))
reveal_type(keras.ops.add)
reveal_type(keras.Variable(1.0) + 1)
keras.layers.Desne
keras.losses.Huber(dleta=2.0)
"""


def needs(package):
    missing = importlib.util.find_spec(package) is None
    return pytest.mark.skipif(missing, reason=f"{package} is not installed: pip install '.[lint]'")


def test_checkers_are_told_of_every_name_of_the_top_level():
    tree = ast.parse(Path(cornu.__file__).read_text())
    (block,) = (n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING")
    told = {alias.asname: statement.module for statement in block.body for alias in statement.names}
    namespaces = {*cornu._NAMESPACES, "errors"}
    assert told == {
        **dict.fromkeys(namespaces, "cornu"),
        **{name: f"cornu.{module}" for name, module in cornu._NAMES.items()},
    }


@needs("mypy")
def test_a_checker_finds_types_and_mistakes(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    found = subprocess.run(
        [sys.executable, "-m", "mypy", str(script)],
        check=False, capture_output=True, text=True, cwd=Path(cornu.__file__).parents[1],
    )  # fmt: skip
    text = found.stdout
    for expected in (
        'is "cornu.models.sequential.Sequential"',
        "epochs: int",  # model.fit
        'is "cornu.layers.dense.Dense"',
        'is "cornu.optimizers.adam.Adam"',
        'is "cornu.losses.regression.Huber"',
        "x1: Any",  # ops.add
        'is "jax._src.basearray.Array"',  # what Variable + 1 gives
        'has no attribute "Desne"',
        'Unexpected keyword argument "dleta" for "Huber"',
    ):
        assert expected in text, f"{expected!r} is not in:\n{text}{found.stderr}"


@needs("jedi")
@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("keras.", {"layers", "ops", "Sequential", "Variable"}),
        ("keras.layers.Den", {"Dense"}),
        ("keras.Sequential().", {"fit", "compile", "predict", "summary"}),
        ("keras.layers.Conv2D(", {"filters=", "kernel_initializer="}),
        ("keras.losses.Huber(", {"delta=", "reduction="}),
        ("keras.optimizers.Adam(", {"clipnorm=", "weight_decay="}),
        ("keras.ops.add(", {"x1=", "x2="}),
    ],
)
def test_an_editor_completes(code, names):
    import jedi

    project = jedi.Project(Path(cornu.__file__).parents[1])
    script = jedi.Script(f"import cornu as keras\n{code}", project=project)
    assert names <= {completion.name for completion in script.complete()}
