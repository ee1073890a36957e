"""Plans on paper, held against what XLA says of the same steps on eight devices, and against theory."""

import importlib.util
from collections import Counter
from functools import cache
from pathlib import Path

import jax
import numpy as np
import pytest

import cornu
from cornu import distribution, layers
from tests.behaviour import planned_steps
from tests.behaviour.planned_steps import MODELS, ROWS
from tests.behaviour.virtual_devices import answers_of

SCRIPT = Path(planned_steps.__file__)
DOCS = Path(__file__).parents[2] / "docs" / "howto"
ENTRIES = {"language": 2 * 16, "images": 16 * 16 * 3, "channels": 4 * 12 * 12 * 3}  # of a row
LAYOUTS = ("data parallel", "fully sharded", "layout map", "layout map, fully sharded")
TARGET = jax.ShapeDtypeStruct((1,), "int32")
PAPER = distribution.DeviceMesh((2, 4), ["batch", "model"], [f"paper:{number}" for number in range(8)])


@pytest.fixture(scope="module")
def xla(tmp_path_factory):
    file = tmp_path_factory.mktemp("plan") / "answers.json"
    return answers_of(SCRIPT, file)


@cache
def planned(name):
    make, target = MODELS[name]
    return distribution.plan(
        make,
        PAPER,
        ROWS,
        y=jax.ShapeDtypeStruct((1, *target), "int32"),
        layout_map=planned_steps.layouts(PAPER),
        platform="cpu",
    )


CASES = [(model, number) for model in MODELS for number in range(2 if model == "channels" else 4)]


@pytest.mark.parametrize(("model", "number"), CASES, ids=[f"{model}, {LAYOUTS[number]}" for model, number in CASES])
def test_a_plan_says_what_xla_says(model, number, xla):
    plan, said = planned(model).layouts[number], xla[f"{model}, {LAYOUTS[number]}"]
    assert plan.layout == LAYOUTS[number]
    batch = said["arguments"] - plan.weights - plan.optimizer_state
    assert 0 < batch <= ROWS / plan.mesh["batch"] * 4 * (ENTRIES[model] + 1) + 128
    assert 0 <= said["results"] - plan.new_values < 1024  # metrics and the loss
    assert plan.flops == pytest.approx(said["flops"], rel=0.35)
    temporary = plan.memory - plan.weights - plan.optimizer_state - plan.new_values
    assert (0.3 if model == "channels" else 0.5) * said["temporary"] < temporary < 1.5 * said["temporary"]
    sent = Counter()
    for one in plan.collectives:
        sent[one.kind] += one.bytes * one.times
    summed = sent["all-reduce"] + sent["reduce-scatter"]  # which XLA does not tell apart on CPUs
    assert summed == pytest.approx(said["sent"].get("all-reduce", 0), rel=0.05)
    assert sent["all-gather"] == pytest.approx(
        said["sent"].get("all-gather", 0), rel=0.02, abs=17_000 if model == "images" else 0
    )


def test_gradients_of_several_steps_are_exchanged_together(xla):
    """In the compiled program once for an update and once for what a call leaves over."""
    whole, split = distribution.plan(planned_steps.summing, 8, ROWS, y=TARGET, platform="cpu").layouts
    shared = [one for one in whole.collectives if one.times < 1]
    assert {one.times for one in shared} == {1 / 4}
    assert sum(one.bytes for one in shared) == whole.gradients
    assert xla["summing"]["sent"]["all-reduce"] - 2 * whole.gradients < 20  # the loss
    assert whole.traffic["all-reduce"] == pytest.approx(7 / 8 * 2 * whole.gradients / 4, abs=20)
    assert {one.times for one in split.collectives} == {1}


def test_gradients_that_need_the_whole_batch_are_exchanged_in_every_step():
    def normalized():
        model = cornu.Sequential([cornu.Input((32,)), layers.Dense(64), layers.BatchNormalization(), layers.Dense(8)])
        optimizer = cornu.optimizers.Adam(gradient_accumulation_steps=4)
        model.compile(optimizer, cornu.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    for make, rows in ((normalized, ROWS), (planned_steps.summing, 8)):  # of which a device has one
        whole, _ = distribution.plan(make, 8, rows, y=TARGET).layouts
        assert {one.times for one in whole.collectives} == {1}


# ---------------------------------------------------------------- theory


def wide():
    return cornu.Sequential([cornu.Input((64,)), layers.Dense(64, use_bias=False), layers.Dense(64, use_bias=False)])


WEIGHTS = 2 * 64 * 64 * 4  # bytes of it


def test_what_a_ring_sends():
    whole, split = distribution.plan(wide, 8, 32, "adam").layouts
    assert (whole.weights, whole.gradients) == (WEIGHTS, WEIGHTS)
    assert (split.weights, split.gradients) == (WEIGHTS / 8, WEIGHTS / 8)
    assert whole.optimizer_state == 2 * WEIGHTS + 8 == 8 * split.optimizer_state - 7 * 8  # two moments, two scalars
    assert whole.traffic["all-reduce"] == pytest.approx(2 * 7 / 8 * WEIGHTS, abs=10)
    assert split.traffic["reduce-scatter"] == 7 / 8 * WEIGHTS
    assert split.traffic["all-gather"] == 7 / 8 * WEIGHTS * 1.5  # the first layer's are not needed for its gradient


def test_a_layout_map_sends_activations():
    layouts = distribution.LayoutMap(PAPER)
    layouts["sequential.*/dense.*/kernel"] = (None, "model")
    model = cornu.Sequential([cornu.Input((64,)), layers.Dense(64, use_bias=False)], name="sequential")
    one = distribution.plan(model, PAPER, 32, "sgd", layout_map=layouts).layouts[2]
    assert one.weights == 64 * 64 * 4 / 4
    assert one.mesh == {"batch": 2, "model": 4}
    assert {(two.kind, two.axis, two.devices) for two in one.collectives if two.bytes > 4} == {
        ("all-reduce", "batch", 2)
    }


def test_layouts_of_outputs_are_followed():
    layouts = distribution.LayoutMap(PAPER)
    layouts["made/first/output"] = ("batch", "model")
    model = cornu.Sequential(
        [cornu.Input((64,)), layers.Dense(64, name="first"), layers.Dense(64, name="second")], name="made"
    )
    one = distribution.plan(model, PAPER, 32, "sgd", layout_map=layouts).layouts[2]
    assert "model" in {two.axis for two in one.collectives}


def test_a_loop_counts_each_of_its_steps():
    def recurrent(length):
        return lambda: cornu.Sequential([cornu.Input((length, 8)), layers.LSTM(16), layers.Dense(4)])

    short, long = (distribution.plan(recurrent(length), 2, 8, "sgd").layouts[0] for length in (4, 8))
    assert 1.8 < long.flops / short.flops < 2.1
    assert long.activations > 1.5 * short.activations
    assert long.traffic == short.traffic  # gradients alone


def test_weights_that_are_used_often_are_gathered_once_for_each_direction():
    def shared():
        inputs, layer = cornu.Input((64,)), layers.Dense(64, use_bias=False)
        return cornu.Model(inputs, layer(layer(layer(inputs))))

    def recurrent():
        return cornu.Sequential([cornu.Input((4, 64)), layers.LSTM(64, use_bias=False)])

    for make, weights in ((shared, 64 * 64 * 4), (recurrent, 2 * 64 * 256 * 4)):
        split = distribution.plan(make, 8, 32, "sgd").layouts[1]
        gathered = sum(one.bytes * one.times for one in split.collectives if one.kind == "all-gather")
        assert weights < gathered <= 2 * weights


def test_links_may_differ_by_axis():
    slow, fast = (
        distribution.plan(wide, {"batch": 8}, 32, "sgd", link_bandwidth=links).layouts[0]
        for links in (1e9, {"batch": 2e9})
    )
    assert slow.seconds["links"] == pytest.approx(2 * fast.seconds["links"])
    assert slow.bound == max(slow.seconds.values()) == slow.seconds["links"]


def test_the_best_is_the_fastest_that_fits():
    room = distribution.plan(wide, 8, 32, "adam").layouts
    for memory, layout in (
        (1e9, "data parallel"),
        (room[1].memory + 1, "fully sharded"),
        (1.0, "fully sharded"),  # none: the smallest
    ):
        plan = distribution.plan(wide, 8, 32, "adam", memory=memory, link_bandwidth=1e6)
        assert plan.best.layout == layout
    assert "No layout fits" in str(plan)


# ---------------------------------------------------------------- use


def test_it_prints_a_table():
    table = str(distribution.plan(wide, 8, 32, "adam")).splitlines()
    assert table[0].startswith("8,192 trainable weights, 32 rows per step. A device has 80 GB, 989 TFLOP/s")
    assert table[2].split() == ["A", "device", "data", "parallel", "fully", "sharded"]
    assert table[5].split() == ["weights", "32.8", "kB", "4.1", "kB"]
    assert table[-1].startswith("Use ")


def test_a_model_that_is_there_stays_as_it_is():
    model = wide()
    model.compile("adam", "mse")
    before = model.get_weights()
    with distribution.DataParallel(devices=["cpu:0"]).scope() as _:
        chosen = distribution.distribution()
        plan = distribution.plan(model, 4, 8)
        assert distribution.distribution() is chosen
    assert plan.parameters == 2 * 64 * 64
    assert not model.optimizer.built
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    model.fit(np.ones((8, 64)), np.ones((8, 64)), verbose=0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"mesh": 0}, "mesh"),
        ({"platform": "abacus"}, "platform"),
        ({"model": lambda: cornu.Sequential([layers.Dense(1)])}, "does not declare its input shapes"),
        ({"model": lambda: cornu.Sequential([cornu.Input((None, 3)), layers.Dense(1)])}, "sizes for all axes"),
    ],
)
def test_mistakes_are_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        distribution.plan(**{"model": wide, "mesh": 8, "batch_size": 8, **arguments})


def test_a_layout_that_does_not_fit_names_the_variable():
    layouts = distribution.LayoutMap(PAPER)
    layouts[".*kernel"] = ("model", None)
    with pytest.raises(ValueError, match=r"dense.*\(6, 1\)"):
        distribution.plan(
            lambda: cornu.Sequential([cornu.Input((6,)), layers.Dense(1)]), PAPER, 8, "sgd", layout_map=layouts
        )


def test_the_page_has_the_figures_of_today():
    """Seven billion weights, of which no array is made: each block from the third on adds what the third does."""
    spec = importlib.util.spec_from_file_location("distribution_plan", DOCS / "distribution_plan.py")
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    two, three = (page.plan(64, depth=depth) for depth in (2, 3))

    def of_all_blocks(before, after):
        if isinstance(before, dict):
            return {key: of_all_blocks(before[key], after[key]) for key in before}
        return after + (page.DEPTH - 3) * (after - before)

    layouts = []
    for before, after in zip(two.layouts, three.layouts, strict=True):
        names = "memory", "traffic", "seconds"
        grown = {name: of_all_blocks(getattr(before, name), getattr(after, name)) for name in names}
        layouts.append(after._replace(**grown, fits=grown["memory"] <= three.device.memory))
    rows = page.rows(64, distribution.plans.Plan(layouts, three.batch_size, three.parameters, three.device))
    assert len(rows) == 4
    assert "".join(rows) in (DOCS / "distribution-plan.md").read_text()
