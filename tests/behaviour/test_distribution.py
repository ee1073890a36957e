"""The same training on one device and on eight, which a process of its own has: JAX counts its devices but once."""

import subprocess
import sys
from pathlib import Path

import pytest

import cornu
from cornu import distribution
from tests.behaviour.eight_devices import CHECKS
from tests.behaviour.virtual_devices import answers_of

ONE = distribution.DeviceMesh((1,), ["model"], ["cpu:0"])
SCRIPT = Path(__file__).with_name("eight_devices.py")


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    file = tmp_path_factory.mktemp("distribution") / "answers.json"
    return answers_of(SCRIPT, file)


@pytest.mark.parametrize("name", [check.__name__ for check in CHECKS])
def test_on_eight_devices(name, answers):
    assert not answers[name], answers[name]


def test_importing_cornu_loads_no_distribution():
    code = "import sys, cornu; cornu.layers; assert 'cornu.distribution' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda: distribution.DeviceMesh((), []), ValueError, "at least one entry"),
        (lambda: distribution.DeviceMesh((-1, -1), ["a", "b"], ["cpu:0"]), ValueError, "shape"),
        (lambda: distribution.DeviceMesh((1.5,), ["a"], ["cpu:0"]), ValueError, "shape=1.5"),
        (lambda: distribution.DeviceMesh((1, 1), ["a", "a"], ["cpu:0"]), ValueError, "unique name"),
        (lambda: distribution.DeviceMesh((2,), ["a"], ["cpu:0", "cpu:0"]), ValueError, "only once"),
        (lambda: distribution.DeviceMesh((1,), ["a"], ["cpu:99"]).backend_mesh, ValueError, "'cpu:99'"),
        (lambda: distribution.TensorLayout(("a",)).backend_layout, ValueError, "no device mesh"),
        (lambda: distribution.list_devices("nonsense"), RuntimeError, "nonsense"),
        (lambda: distribution.DataParallel("cpu:0"), ValueError, "must be a DeviceMesh"),
        (lambda: distribution.DataParallel(devices="cpu:0"), ValueError, "list of names"),
        (lambda: distribution.TensorLayout("model"), ValueError, "an entry for each axis"),
        (lambda: distribution.DataParallel(ONE, ["cpu:0"]), ValueError, "not both"),
        (distribution.ModelParallel, ValueError, "layout_map"),
        (lambda: distribution.set_distribution("dp"), TypeError, "DataParallel"),
        (lambda: distribution.initialize("a:1,b:2", 3, 0), ValueError, "num_processes"),
        (lambda: distribution.initialize("a:1", 2, 2), ValueError, "process_id=2"),
        (lambda: distribution.initialize("a:1", "two", 0), ValueError, "num_processes='two'"),
    ],
)  # fmt: skip
def test_mistakes_are_named(make, kind, words):
    with pytest.raises(kind, match=words):
        make()


def test_a_layout_map_refuses_keys_that_are_there_or_mean_nothing():
    layouts = distribution.LayoutMap(distribution.DeviceMesh((1,), ["model"], ["cpu:0"]))
    layouts["a"] = ("model",)
    for key, layout, words in (
        ("a", ("model",), "already exists"),
        ("d[", ("model",), "regular"),
        ("b", 3, "'b' requires"),
    ):
        with pytest.raises(ValueError, match=words):
            layouts[key] = layout
    assert "b" not in layouts
    assert layouts.get("b", "nothing") == "nothing"


def test_a_scope_ends_where_it_began_also_after_an_error():
    one = distribution.DataParallel(devices=["cpu:0"])
    with pytest.raises(ZeroDivisionError), one.scope():
        assert distribution.distribution() is one
        1 / 0
    assert distribution.distribution() is None


def test_a_set_is_only_split_where_there_are_several_processes():
    data = cornu.data.Dataset.range(3)
    assert distribution.DataParallel(devices=["cpu:0"]).distribute_dataset(data) is data
