"""The shape of the code itself: imports only go down, public names are listed, nothing heavy is imported early."""

import ast
import functools
import importlib
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import cornu
from cornu import lazy
from tests import quick

ROOT = Path(cornu.__file__).parent

# Every folder and top-level module of the package, from the ground up. A module may import from its own level's
# row, or from rows above it in this list; never from rows below.
LEVELS = [
    [
        "_version",
        "absent",
        "errors",
        "lazy",
        "memory",
        "runs",
        "settings",
        "tree",
        "registry",
        "spelling",
        "validate",
        "__init__",
    ],
    ["core"],
    ["distribution", "kernels", "native", "random"],
    ["ops"],
    ["activations", "constraints", "dtype_policies", "initializers", "losses", "metrics", "optimizers", "regularizers"],
    ["quantizers"],
    ["saving", "legacy", "config"],
    ["backend", "data", "mixed_precision"],
    ["layers"],
    ["callbacks"],
    ["training"],
    ["export"],
    ["models"],
    ["utils"],
    ["preprocessing", "datasets", "distillation", "visualization", "wrappers"],
    ["applications"],
    ["tensorflow"],
    ["import_hook"],
    ["as_keras"],
    ["cli"],
    ["__main__"],
]
LEVEL = {name: number for number, row in enumerate(LEVELS) for name in row}
FILES = sorted(ROOT.rglob("*.py"))


def module_name(file: Path) -> str:
    return ".".join(("cornu", *file.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")


def top(name: str) -> str:
    return name.split(".")[1] if "." in name else "__init__"


def _is_for_checkers(node: ast.stmt) -> bool:
    """Whether a statement is `if TYPE_CHECKING:`, which imports nothing when it runs."""
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


@functools.cache
def imports(file: Path, everywhere: bool = True) -> set[str]:
    """The cornu modules that a file imports."""
    found = set()
    known = {module_name(f) for f in FILES}
    body = [node for node in ast.parse(file.read_text()).body if not _is_for_checkers(node)]
    nodes = [inner for node in body for inner in ast.walk(node)] if everywhere else body
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] == "cornu"}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "cornu":
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in known else node.module)
    return found


@pytest.mark.parametrize("file", FILES, ids=module_name)
def test_imports_go_down(file):
    own = top(module_name(file))
    for imported in imports(file):
        if imported == "cornu":
            continue  # the lazy top level, which imports nothing by itself
        assert LEVEL[top(imported)] <= LEVEL[own], f"{module_name(file)} imports {imported}, which is above it"


def test_the_picture_of_the_floors_is_todays():
    inside = Path(__file__).parents[2] / "docs" / "inside"
    drawn = runpy.run_path(str(inside / "floors.py"))["picture"]()
    assert (inside / "floors.svg").read_text() == drawn, "run python docs/inside/floors.py"


def test_imports_never_run_in_a_circle():
    graph = {module_name(file): imports(file, everywhere=False) - {"cornu"} for file in FILES}
    state: dict[str, str] = {}

    def visit(name, path):
        if state.get(name) == "done" or name not in graph:
            return
        assert state.get(name) != "open", f"circle: {' -> '.join([*path, name])}"
        state[name] = "open"
        for other in graph[name]:
            visit(other, [*path, name])
        state[name] = "done"

    for name in graph:
        visit(name, [])


@pytest.mark.parametrize("file", FILES, ids=module_name)
def test_imports_inside_functions_are_for_optional_packages(file):
    allowed = {"sklearn", "matplotlib", "pandas", "polars", "torch", "ml_dtypes", "tensorflow"}
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for inner in ast.walk(node):
                names = []
                if isinstance(inner, ast.Import):
                    names = [alias.name for alias in inner.names]
                elif isinstance(inner, ast.ImportFrom):
                    names = [inner.module or ""]
                assert {n.split(".")[0] for n in names} <= allowed, f"{node.name} imports {names}"


# What loads when it is first used, and where: packages that building and training a model does not need.
LATE = {
    "cornu.core.peers": {"jax.experimental.multihost_utils"},
    "cornu.cli.inspect": {"rich.console"},
    "cornu.core.forks": {"jax.extend.backend"},
    "cornu.models.summary": {"rich.console", "rich.markup", "rich.table"},
    "cornu.ops.linalg": {"jax.scipy.linalg"},
    "cornu.ops.resampling": {"jax.scipy.ndimage"},
    "cornu.saving.archive": {"h5py"},
    "cornu.saving.contents": {"h5py"},
    "cornu.saving.editor": {"h5py", "rich.console", "rich.tree"},
    "cornu.saving.legacy_h5": {"h5py"},
    "cornu.saving.legacy_model": {"h5py"},
    "cornu.saving.plain_h5": {"h5py"},
    "cornu.saving.report_table": {"rich.box", "rich.console", "rich.table", "rich.text"},
    "cornu.saving.shards": {"h5py"},
    "cornu.saving.weights_h5": {"h5py"},
    "cornu.tensorflow.image": {"PIL.Image"},
    "cornu.tensorflow.keras.preprocessing.image": {"PIL.ImageEnhance", "scipy.ndimage"},
    "cornu.utils.audio_folder": {"scipy.signal"},
}


def test_modules_that_load_late_are_these():
    found = {}
    for file in FILES:
        text = file.read_text()
        if "lazy.module" in text and module_name(file) != "cornu.lazy":
            names = {n.value for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Constant)}
            module = importlib.import_module(module_name(file))
            proxies = {v._name for v in vars(module).values() if isinstance(v, lazy.Lazy)}
            assert proxies <= names
            found[module_name(file)] = proxies
    assert found == LATE


@pytest.mark.parametrize("file", FILES, ids=module_name)
def test_every_module_opens_with_its_idea(file):
    assert ast.get_docstring(ast.parse(file.read_text()))


@pytest.mark.parametrize("namespace", sorted(cornu._NAMESPACES))
def test_public_names_are_listed_once_and_there(namespace):
    module = importlib.import_module(f"cornu.{namespace}")
    names = list(module.__all__)
    assert len(names) == len(set(names))
    for name in names:
        assert hasattr(module, name)


def test_importing_cornu_loads_no_namespace_and_no_optional_package():
    code = (
        "import sys, cornu\n"
        "loaded = [m for m in sys.modules if m.startswith('cornu.')]\n"
        "assert loaded == ['cornu._version'], loaded\n"
        "from cornu.models import Sequential\n"
        "from cornu.layers import Dense\n"
        "optional = {'matplotlib', 'pandas', 'sklearn', 'torch', 'tensorflow', 'keras', 'optax', 'scipy'}\n"
        "optional |= {'rich', 'h5py', 'jax.scipy.linalg', 'jax.scipy.ndimage'}\n"
        "heavy = optional & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT.parent)


def test_the_quick_tests_are_where_the_table_says():
    tests = Path(__file__).parents[1]
    for file, names in quick.QUICK.items():
        defined = {node.name for node in ast.parse((tests / file).read_text()).body if hasattr(node, "name")}
        assert set(names) <= defined, file
    for folder in tests.iterdir():
        if list(folder.glob("test_*.py")) and folder.name != "fuzz":
            assert any(file.startswith(folder.name + "/") for file in quick.QUICK), folder
