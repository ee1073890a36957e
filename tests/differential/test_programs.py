"""A few random programs, and those that once disagreed: cornu does what Keras does, or the table says why not."""

import re

import pytest

from tests.differential.program import Do, Given, Net, New, Program, Step

pytest.importorskip("keras")

from tests.differential.compare import Found
from tests.differential.draw import Draw
from tests.differential.faults import FAULTS, SEED
from tests.differential.run import is_rounding, run, stages

pytestmark = pytest.mark.live


def dense(units=2, **arguments):
    return New("layers.Dense", {"units": units, **arguments})


def functional(layers, *steps, gives="single", **options):
    """A functional model of steps (layer or None, text of the call) on `x`; each takes the result before."""
    made = tuple(Step(f"h{i}", layer, ("x" if i == 0 else f"h{i - 1}",), how) for i, (layer, how) in enumerate(steps))
    ends = (made[-1].result,)
    return Net("outer", "functional", (Given("x", (3,), (3,)),), layers, made, ends, gives=gives, **options)


INNER = Net(
    "inner", "functional", (Given("y", (3,), (3,)),), {"f": dense(3)}, (Step("g", "f", ("y",)),), ("g",),
    after=('{me}.compile("sgd", loss="mse", metrics=["mae"])',),
)  # fmt: skip
NESTED = Net(
    "holder", "subclassed", (Given("x", (3,), (3,)),), {"a": dense(3), "b": dense(2)},
    (Step("h0", "a", ("x",)), Step("h1", "b", ("h0",))), ("h1",), holds="nested",
)  # fmt: skip
PAIR = "numbers(seed, rows, 2)"
TRAINED = (Do("compile", {"optimizer": "sgd", "loss": "mse", "metrics": ["mae"]}), Do("fit", {"epochs": 1}))
HOT = "one_hot(seed, rows, top=2)"
ONCE = {
    "a list of one output": (functional({"d": dense()}, ("d", "{f}({0})"), gives="list"), PAIR, (Do("call"),)),
    "activations.relu in a graph": (
        functional({"d": dense()}, (None, "K.activations.relu({0})"), ("d", "{f}({0})")), PAIR,
        (Do("config"), Do("save", {"format": ".h5"})),
    ),
    "a merging layer told to train": (
        functional({"s": New("layers.Subtract")}, ("s", "{f}([{0}, {0}], training=True)")), "numbers(seed, rows, 3)",
        (Do("json"),),
    ),
    "a compiled model inside, and a copy": (
        functional({"i": INNER, "d": dense()}, ("i", "{f}({0})"), ("d", "{f}({0})")), PAIR,
        (*TRAINED, Do("summary", {"expand_nested": True}), Do("clone")),
    ),
    "a compiled model inside, in an .h5 file": (
        functional({"i": INNER, "d": dense()}, ("i", "{f}({0})"), ("d", "{f}({0})")), PAIR,
        (Do("save", {"format": ".h5", "from_other": True}), Do("config")),
    ),
    "weights in nested containers": (NESTED, PAIR, (Do("save", {"format": ".keras", "from_other": True}),)),
    "a layer whose first call is not in the model": (
        Net("outer", "functional", tuple(Given(n, (3,), (3,)) for n in "xy"), {"d": dense(3), "e": dense()},
            (Step("g", "d", ("x",)), Step("h", "d", ("x",)), Step("i", "e", ("h",))), ("i",), takes="list"),
        PAIR, (Do("summary"),),
    ),
    "the masks of several tensors in a config": (
        Net("outer", "functional", (Given("x", (4,), (4,), "int32"),),
            {"e": New("layers.Embedding", {"input_dim": 5, "output_dim": 3, "mask_zero": True}),
             "a": New("layers.Attention"), "p": New("layers.GlobalMaxPooling1D")},
            (Step("g", "e", ("x",)), Step("h", "a", ("g", "g"), "{f}([{0}, {1}])"), Step("i", "p", ("h",))), ("i",)),
        "numbers(seed, rows, 3)", (Do("config"),),
    ),
    "names of layers after attention": (
        Net("outer", "functional", (Given("x", (4, 3), (4, 3)),),
            {"a": New("layers.MultiHeadAttention", {"num_heads": 1, "key_dim": 2}), "s": New("layers.Softmax")},
            (Step("g", "a", ("x", "x"), "{f}({0}, {1})"), Step("h", "s", ("g",))), ("h",)),
        "numbers(seed, rows, 4, 3)", (Do("shapes"),),
    ),
    "two metrics of one name": (
        functional({"d": dense()}, ("d", "{f}({0})")), PAIR,
        (Do("compile", {"optimizer": "sgd", "loss": "mse", "metrics": ["mae", "mae"]}), Do("evaluate")),
    ),
    "a cast of what a layer in half precision gives": (
        functional({"d": dense(dtype="bfloat16")}, ("d", "{f}({0})"), (None, "K.ops.cast({0}, 'float32')")), PAIR,
        (Do("config"), Do("summary")),
    ),
    "a mask beside an input that is converted": (
        Net("outer", "functional", (Given("x", (4,), (4,), "int32"),),
            {"e": New("layers.Embedding", {"input_dim": 5, "output_dim": 3, "mask_zero": True, "dtype": "bfloat16"}),
             "l": New("layers.LSTM", {"units": 2})}, (Step("g", "e", ("x",)), Step("h", "l", ("g",))), ("h",)),
        PAIR, (Do("summary"), Do("config"), Do("save", {"from_other": True}), Do("summary")),
    ),
    "a layer that is called twice, in a copy": (
        Net("outer", "functional", (Given("x", (4,), (4,)),),
            {"d": dense(), "c": New("layers.Concatenate"), "e": dense(), "f": dense()},
            (Step("g", "d", ("x",)), Step("h", "c", ("g", "g"), "{f}([{0}, {1}])"), Step("i", "d", ("x",)),
             Step("j", "e", ("i",)), Step("k", "f", ("j",))), ("h", "k"), gives="list"),
        PAIR, (Do("clone"), Do("summary"), Do("config")),
    ),
    "two metrics of one class, which Keras's list has again at its end": (
        functional({"d": dense()}, ("d", "{f}({0})")), PAIR,
        (Do("compile", {"optimizer": "sgd", "loss": "mse", "weighted_metrics": ["mse"],
                        "metrics": ["mean_absolute_error", New("metrics.MeanAbsoluteError")]}), Do("evaluate")),
    ),
    "a slice of an unknown number of steps": (
        Net("outer", "functional", (Given("x", (None, 2), (4, 2)),), {"u": New("layers.UpSampling1D", {"size": 2})},
            (Step("g", None, ("x",), "{0}[:, :1]"), Step("h", "u", ("g",))), ("h",)),
        "numbers(seed, rows, 2, 2)", (Do("shapes"), Do("summary"), Do("config")),
    ),
    "an evaluation that its data stop, of two outputs": (
        Net("outer", "functional", (Given("x", (3,), (3,)),), {"d": dense(), "e": dense()},
            (Step("g", "d", ("x",)), Step("h", "e", ("x",))), ("g", "h"), gives="list"), PAIR,
        (Do("compile", {"optimizer": "sgd", "loss": ["mse", "mae"]}), Do("broken")),
    ),
    "a metric that makes its state late": (
        functional({"d": dense(activation="softmax")}, ("d", "{f}({0})")), HOT,
        (Do("compile", {"optimizer": "sgd", "loss": "categorical_crossentropy", "metrics": [New("metrics.F1Score")]}),
         Do("evaluate", {"batch_size": 2, "return_dict": True})),
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("case", ONCE)
def test_what_once_disagreed_agrees(case):
    net, labels, actions = ONCE[case]
    note: list[str] = []
    assert run(Program(net, (labels,) * len(net.outputs), actions), note) is None
    assert note[-1] == "done"


def test_a_model_that_keras_cannot_call_may_be_refused_at_once():
    inputs = (Given("x", (4,), (4,)), Given("m", (3,), (3,), "bool"))
    step = Step("h", "s", ("x",), "{f}({0}, mask=m)")
    net = Net("outer", "functional", inputs, {"s": New("layers.Softmax")}, (step,), ("h",), takes="list")
    note: list[str] = []
    assert run(Program(net, ("numbers(seed, rows, 4)",), ()), note) is None
    assert note == ["refused"]


@pytest.mark.parametrize(("how", "decides"), [("K.ops.sign({0} * 3.1 - {0} - {0} * 2.1)", True), ("{0} * 2.0", False)])
def test_what_rounding_decides_is_told_from_a_fault(how, decides):
    program = Program(functional({"d": dense()}, ("d", "{f}({0})"), (None, how)), (PAIR,), (Do("call"),))
    found = Found("call", "call", "[0] (value)", "[-1.]", "[1.]")
    assert is_rounding(program, 2, found, tolerance=1e-3) is decides


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("number", [0, 1, 3])
def test_random_programs_agree(number):
    assert run(Draw(11, number).program()) is None


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_program_that_finds_an_old_fault_still_may(fault):
    text = "\n".join(text for _, text in stages(Draw(SEED, fault.program).program()))
    assert re.search(fault.shows_in, text), "What is drawn has changed: `python -m tests.differential faults --search`."
