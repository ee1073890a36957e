"""Names have types: what editors complete and checkers find, though namespaces load when they are first used."""

import ast
import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import cornu

MOST_ANY = 0.05  # the share of annotations that may name Any; whoever gets it lower lowers this number

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


def annotations(folder):
    """Every annotation in the modules below a folder: of arguments, results and variables."""
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            found = getattr(node, "annotation", None), getattr(node, "returns", None)
            yield from (annotation for annotation in found if annotation is not None)


def names_any(annotation):
    return any(isinstance(node, ast.Name) and node.id == "Any" for node in ast.walk(annotation))


def test_few_annotations_say_any():
    found = list(map(names_any, annotations(Path(cornu.__file__).parent)))
    share = sum(found) / len(found)
    assert share <= MOST_ANY, f"{sum(found)} of {len(found)} annotations name Any: {share:.1%}."


def test_checkers_know_what_a_constructor_makes():
    """Pyright believes `__new__` before `__init__`: where that names a base class, `layers.Dense(3)` is not a Dense."""
    said = {}
    for file in Path(cornu.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name == "__new__":
                said[f"{file.name}:{node.lineno}"] = ast.unparse(node.returns)
    others = {place: kind for place, kind in said.items() if kind != "Self"}
    assert len(said) > 4 and [place.partition(":")[0] for place in others] == ["io.py"], others  # what gives a file


def test_checkers_are_told_of_every_name_of_the_top_level():
    tree = ast.parse(Path(cornu.__file__).read_text())
    (block,) = (n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING")
    told = {alias.asname: statement.module for statement in block.body for alias in statement.names}
    namespaces = {*cornu._NAMESPACES, "errors"}
    assert told == {
        **dict.fromkeys(namespaces, "cornu"),
        **{name: f"cornu.{module}" for name, module in cornu._NAMES.items()},
    }


@pytest.mark.parametrize("namespace", cornu._NAMESPACES)
def test_editors_and_checkers_see_every_public_name(namespace):
    """They read the source: a name that only running it makes is one that they neither complete nor know."""
    module = importlib.import_module(f"cornu.{namespace}")
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    blocks = [node.body for node in tree.body if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)]
    seen = set()
    for node in (*tree.body, *(node for block in blocks for node in block)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            seen |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            seen.add(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            seen |= {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    assert set(module.__all__) <= seen


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
        ("keras.layers.Dense(", {"units=", "activation=", "kernel_regularizer="}),
        ("keras.layers.LSTM(", {"units=", "return_sequences="}),
        ("keras.Sequential(", {"layers=", "name="}),
        ("m = keras.Sequential()\nm.fit(", {"x=", "epochs=", "validation_data=", "callbacks="}),
        ("m = keras.Sequential()\nm.compile(", {"optimizer=", "loss=", "metrics="}),
        ("keras.ops.add(", {"x1=", "x2="}),
        ("keras.ops.mean(", {"x=", "axis=", "keepdims="}),
        ("keras.ops.image.resize(", {"size=", "interpolation=", "data_format="}),
        ("keras.optimizers.schedules.CosineDecay(", {"initial_learning_rate=", "decay_steps="}),
        ("keras.losses.CategoricalCrossentropy(", {"from_logits=", "label_smoothing="}),
        ("keras.metrics.AUC(", {"num_thresholds=", "curve="}),
        ("keras.callbacks.EarlyStopping(", {"monitor=", "patience=", "restore_best_weights="}),
        ("keras.applications.ResNet50(", {"weights=", "include_top=", "input_shape="}),
    ],
)
def test_an_editor_completes(code, names):
    import jedi

    project = jedi.Project(Path(cornu.__file__).parents[1])
    script = jedi.Script(f"import cornu as keras\n{code}", project=project)
    assert names <= {completion.name for completion in script.complete()}
