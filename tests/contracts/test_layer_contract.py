"""What holds of every layer, whatever it computes."""

import contextlib
import functools
import itertools
import json
import re
from pathlib import Path

import jax
import numpy as np
import pytest

import cornu
from cornu import layers, registry, tree
from cornu.core import allocation, budget
from cornu.core.configurable import constructor_parameters
from cornu.errors import InputMismatchError
from cornu.layers.image_layer import RandomImageLayer
from examples import EXAMPLES, IDS

MADE = {name: example for name, example in EXAMPLES.items() if example is not None}
RANDOM = {"AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise"}


def arrays(shapes, rows):
    random = np.random.default_rng(0)
    if shapes == IDS:
        return random.integers(0, 5, (rows, 4))
    draw = lambda shape: random.normal(size=(rows, *shape)).astype("float32")
    return [draw(shape) for shape in shapes] if isinstance(shapes, list) else draw(shapes)


def inputs(shapes):
    if shapes == IDS:
        return cornu.Input((4,), dtype="int32")
    return [cornu.Input(shape) for shape in shapes] if isinstance(shapes, list) else cornu.Input(shapes)


def call(layer, x, **how):
    """Attention layers of query and value take two arguments, all others one (a list, where there are several)."""
    several = isinstance(layer, (layers.MultiHeadAttention, layers.GroupQueryAttention))
    how = {name: value for name, value in how.items() if layer._call_accepts(name)}
    return layer(*x, **how) if several else layer(x, **(mode(layer) | how))


def compiled(layer, x):
    """`call` as one program, of a layer that is built."""
    several = isinstance(layer, (layers.MultiHeadAttention, layers.GroupQueryAttention))
    run = jax.jit(lambda t, n, x: layer.stateless_call(t, n, *(x if several else [x]), **mode(layer))[0])
    return run([v.value for v in layer.trainable_variables], [v.value for v in layer.non_trainable_variables], x)


def mode(layer):
    """Layers that change images at random do so unless they are told that this is not a training."""
    return {"training": False} if isinstance(layer, RandomImageLayer) else {}


def near(a, b, tolerance=1e-5):
    for x, y in zip(tree.flatten(a), tree.flatten(b), strict=True):
        np.testing.assert_allclose(np.asarray(x, "float32"), np.asarray(y, "float32"), rtol=tolerance, atol=tolerance)


def test_every_public_layer_has_an_example():
    classes = {getattr(layers, n) for n in layers.__all__ if isinstance(getattr(layers, n), type)}
    wanted = {registry.in_files(c).name for c in classes if issubclass(c, layers.Layer)}
    assert wanted == set(EXAMPLES)


@pytest.mark.parametrize("name", MADE)
def test_config_makes_an_equal_layer(name):
    make, _ = MADE[name]
    layer = make()
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    plain = cornu.saving.serialize_keras_object(layer)
    assert plain["module"] == "keras.layers" and plain["class_name"] == name
    assert cornu.saving.deserialize_keras_object(plain).get_config() == layer.get_config()


@pytest.mark.parametrize("name", MADE)
def test_symbolic_shape_and_dtype_are_those_of_arrays(name):
    make, shapes = MADE[name]
    layer = make()
    symbolic = call(layer, inputs(shapes))
    two, three = call(layer, arrays(shapes, 2)), jax.eval_shape(lambda x: call(layer, x), arrays(shapes, 3))
    for rows, outputs in ((2, two), (3, three)):
        for spec, out in zip(tree.flatten(symbolic), tree.flatten(outputs), strict=True):
            assert (rows, *spec.shape[1:]) == out.shape
            assert spec.shape[0] is None
            assert spec.dtype == out.dtype.name


@pytest.mark.parametrize("name", MADE)
def test_compiled_and_eager_calls_agree(name):
    make, shapes = MADE[name]
    layer = make()
    x = arrays(shapes, 2)
    eager = call(layer, x)
    near(compiled(layer, x), eager)


@pytest.mark.parametrize("name", [n for n in MADE if MADE[n][1] != IDS])
def test_mixed_precision_computes_in_bfloat16_on_float32_weights(name):
    make, shapes = MADE[name]
    before = cornu.config.dtype_policy()
    cornu.config.set_dtype_policy("mixed_bfloat16")
    try:
        layer = make()
        call(layer, inputs(shapes))
        outputs = compiled(layer, arrays(shapes, 2))
    finally:
        cornu.config.set_dtype_policy(before)
    assert all(out.dtype == "bfloat16" for out in tree.flatten(outputs))
    assert all(v.dtype == "float32" for v in layer.weights)
    full = make()
    call(full, arrays(shapes, 2))
    full.set_weights(layer.get_weights())
    near(outputs, call(full, arrays(shapes, 2)), tolerance=0.1)


@pytest.mark.parametrize("name", [n for n in MADE if n != "Layer"])
def test_a_saved_model_with_the_layer_predicts_the_same(name, tmp_path):
    make, shapes = MADE[name]
    entry = inputs(shapes)
    model = cornu.Model(entry, call(make(), entry))
    x = arrays(shapes, 2)
    model.save(tmp_path / "model.keras")
    loaded = cornu.models.load_model(tmp_path / "model.keras")
    near(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    assert [v.path for v in loaded.weights] == [v.path for v in model.weights]


@pytest.mark.parametrize("name", [n for n in MADE if not isinstance(MADE[n][1], list)])
def test_several_tensors_for_one_are_computed_with_or_refused_in_words(name):
    make, shapes = MADE[name]
    x = inputs(shapes)
    for given in ([x, x], {"a": x}):
        with contextlib.suppress(InputMismatchError):
            try:
                call(make(), given)
            except ValueError as error:  # what images are
                if not re.search(r"images must have .* Received: (list|shape)|a dictionary of inputs must", str(error)):
                    raise


@pytest.mark.parametrize("name", ["GroupQueryAttention", "MultiHeadAttention"])
def test_a_list_for_one_of_several_arguments_is_named(name):
    x = cornu.Input((3, 4))
    for arguments, which in (([[x, x], x], "query"), ([x, [x, x]], "value")):
        with pytest.raises(InputMismatchError, match=f"{which} must be one tensor. Received: a list of 2"):
            MADE[name][0]()(*arguments)


@pytest.mark.parametrize("name", MADE)
def test_an_unknown_argument_is_named(name):
    make, _ = MADE[name]
    layer = make()
    config = layer.get_config() | {"kernel_iniatlizer": "zeros"}
    with pytest.raises((TypeError, ValueError), match="kernel_iniatlizer"):
        type(layer).from_config(config)


@pytest.mark.parametrize("name", sorted(set(MADE) - RANDOM))
def test_a_call_without_training_changes_no_variable(name):
    make, shapes = MADE[name]
    layer = make()
    call(layer, arrays(shapes, 2))
    before = [v.numpy().copy() for v in layer.variables]
    call(layer, arrays(shapes, 2))
    near([v.numpy() for v in layer.variables], before)


MUCH = 2 * 10**8


def with_much(config):
    """The config with a huge number, and with some, in the place of each argument."""
    return [{**config, key: much} for key in config if key != "name" for much in (MUCH, [MUCH, MUCH])]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MADE)
def test_huge_numbers_in_a_config_take_no_memory(name):
    make, shapes = MADE[name]

    def called(config):
        call(kind.from_config(config), inputs(shapes))

    kind, good = type(make()), make().get_config()
    with little_memory():
        for config in with_much(good):
            with contextlib.suppress(ValueError, TypeError, AttributeError), budget.load(1000):
                allocation.without_values(functools.partial(called, config))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MADE)
def test_symbolic_inputs_of_any_size_take_no_memory(name):
    make, shapes = MADE[name]
    layer = make()
    wide = tree.map_shape_structure(lambda shape: tuple(10**5 for _ in shape[:-1]) + tuple(shape[-1:]), shapes)
    with little_memory(), contextlib.suppress(ValueError, TypeError, AttributeError):
        call(layer, inputs(wide))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MADE)
def test_an_error_only_begins_to_repeat_a_long_value(name):
    layer = MADE[name][0]()
    config = layer.get_config()
    for key, value in itertools.product(config.keys() - {"name"}, ("long " * 1000, list(range(2000)))):
        try:
            type(layer).from_config({**config, key: value})
        except (ValueError, TypeError, AttributeError) as error:
            assert len(str(error)) < 2000, key


@contextlib.contextmanager
def little_memory():
    """What is done within takes less than 64 MiB at any time."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts afresh
    before = memory("VmRSS")
    yield
    assert memory("VmHWM") - before < 2**26


def memory(what):
    """Bytes that the process takes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(what))


# Arguments that are integers in the examples, and may be something else.
ALSO_OTHERS = {"factor", "fill_value", "max_freq", "oov_token", "seed", "value_range", "vocabulary", "vocabulary_size"}


def integers(config):
    """The arguments that are integers, or several."""
    several = {key: value if isinstance(value, (list, tuple)) and value else [value] for key, value in config.items()}
    return [key for key in several.keys() - ALSO_OTHERS if all(type(part) is int for part in several[key])]


def with_each(value, change):
    return type(value)(map(change, value)) if isinstance(value, (list, tuple)) else change(value)


def test_a_seed_is_an_integer_a_generator_or_none():
    made = {name: make() for name, (make, _) in MADE.items()}
    seeded = {name: layer for name, layer in made.items() if "seed" in constructor_parameters(type(layer))}
    assert {"Attention", "Dropout", "LSTM", "MultiHeadAttention", "RandomFlip"} <= seeded.keys()
    for layer in seeded.values():
        config = layer.get_config()
        for bad in ("seven", 1.5, True):
            with pytest.raises(ValueError, match=": seed must be an int, a SeedGenerator or None"):
                type(layer).from_config({**config, "seed": bad})
        again = type(layer).from_config({**config, "seed": cornu.random.SeedGenerator(7)})
        assert again.get_config()["seed"]["config"]["seed"] == 7


@pytest.mark.parametrize("name", MADE)
def test_an_integer_may_be_numpys_but_no_other_number(name):
    layer = MADE[name][0]()
    config = layer.get_config()
    wrong = []
    for argument in integers(config):
        value = config[argument]
        for good in (np.int64, np.int16):
            again = type(layer).from_config(config | {argument: with_each(value, good)})
            assert json.dumps(again.get_config()[argument]) == json.dumps(value)
        for bad in (float, np.float32, str, lambda n: n + 0.5, lambda n: True, lambda n: float("nan")):
            given = with_each(value, bad)
            try:
                type(layer).from_config(config | {argument: given})
            except (ValueError, TypeError) as error:
                wrong += [] if argument in str(error) else [f"{argument}={given}: {error}"]
            else:
                wrong.append(f"{argument}={given} is taken")
    assert not wrong
