"""What composed models say of themselves, beside Keras's: configs, tables, masks, flags, copies, functions."""

import json
import warnings

import jax
import numpy as np
import pytest
from model_zoo import INPUTS, MODELS, filled, make, numbers, tokens
from oracle import ask, both

import cornu


def plain(config):
    """A config as a file would hold it, numbers in six digits."""
    text = json.dumps(config, default=lambda x: list(x) if hasattr(x, "__iter__") else str(x))
    return json.loads(text, parse_float=lambda digits: float(f"{float(digits):.6g}"))


def rounded(structure):
    return jax.tree.map(lambda x: np.round(np.asarray(x, "float32"), 4).tolist(), structure)


def say_equally(describe, *args):
    """Assert that `describe(library, ...)` gives the same plain data, or errors of the same kind, for both."""

    def question(library):
        library.backend.clear_session(free_memory=False)
        with warnings.catch_warnings():
            warnings.simplefilter("error" if library is cornu else "ignore")
            try:
                return plain(describe(library, *args))
            except Exception as error:
                return next(c.__name__ for c in type(error).__mro__ if c.__module__ == "builtins")

    assert_alike(*both(question))


def assert_alike(ours, theirs):
    """Equal, but for the last of the four digits that `rounded` leaves of a number."""
    if isinstance(theirs, float):
        assert ours == pytest.approx(theirs, rel=1e-5, abs=1.1e-4)
    elif isinstance(theirs, (list, dict)) and type(ours) is type(theirs):
        assert len(ours) == len(theirs), (ours, theirs)
        for key in theirs if isinstance(theirs, dict) else range(len(theirs)):
            assert_alike(ours[key], theirs[key])
    else:
        assert ours == theirs


# ---------------------------------------------------------------- operations in graphs

X, Y, Z = "x", "y", "z"  # symbolic inputs of shapes (None, 4, 6), (None, 4, 6) and (None, 6, 3)

OPERATIONS = {
    "abs": lambda o, x, y, z: o.abs(x),
    "add": lambda o, x, y, z: o.add(x, y) + 1 - x * 2 / y,
    "argmax": lambda o, x, y, z: o.argmax(x, axis=-1, keepdims=True),
    "average": lambda o, x, y, z: o.average(x, axis=1, weights=y),
    "batch_normalization": lambda o, x, y, z: o.batch_normalization(x, o.ones(6), o.ones(6), axis=-1),
    "broadcast_to": lambda o, x, y, z: o.repeat(x, 2, axis=1),
    "cast": lambda o, x, y, z: o.cast(x > 0, "int32"),
    "clip": lambda o, x, y, z: o.clip(x, -0.5, 0.5),
    "concatenate": lambda o, x, y, z: o.concatenate([x, y], axis=1),
    "cumsum": lambda o, x, y, z: o.cumsum(x, axis=1),
    "einsum": lambda o, x, y, z: o.einsum("bij,bjk->bik", x, z),
    "expand_dims": lambda o, x, y, z: o.squeeze(o.expand_dims(x, 1), 1),
    "fft": lambda o, x, y, z: o.fft((x, y))[0],
    "flip": lambda o, x, y, z: o.flip(x, axis=1),
    "gelu": lambda o, x, y, z: o.gelu(x, approximate=False),
    "get_item": lambda o, x, y, z: x[:, 1:3, ..., ::2],
    "image": lambda o, x, y, z: o.image.resize(o.stack([x, y], axis=-1), (2, 3), data_format="channels_last"),
    "isclose": lambda o, x, y, z: o.isclose(x, y, rtol=0.1),
    "layer_normalization": lambda o, x, y, z: o.layer_normalization(x, axis=-1),
    "leaky_relu": lambda o, x, y, z: o.leaky_relu(x, negative_slope=0.3),
    "logsumexp": lambda o, x, y, z: o.logsumexp(x, axis=-1),
    "matmul": lambda o, x, y, z: x @ z,
    "maximum": lambda o, x, y, z: o.maximum(x, 0.0) % 2 // 3,
    "mean": lambda o, x, y, z: o.mean(x, axis=(1, 2), keepdims=True),
    "moments": lambda o, x, y, z: o.moments(x, axes=[1]),
    "norm": lambda o, x, y, z: o.norm(x, keepdims=True),
    "normalize": lambda o, x, y, z: o.normalize(x, axis=-1),
    "one_hot": lambda o, x, y, z: o.one_hot(o.argmax(x, axis=-1), 6, dtype="float32"),
    "pad": lambda o, x, y, z: o.pad(x, ((0, 0), (1, 1), (0, 2))),
    "power": lambda o, x, y, z: o.abs(x) ** 0.5,
    "relu": lambda o, x, y, z: -o.relu6(x),
    "reshape": lambda o, x, y, z: o.reshape(x, (-1, 2, 12)),
    "rms_normalization": lambda o, x, y, z: o.rms_normalization(x),
    "round": lambda o, x, y, z: o.round(x, 1),
    "softmax": lambda o, x, y, z: o.softmax(x, axis=1),
    "sort": lambda o, x, y, z: o.sort(x, axis=-1),
    "split": lambda o, x, y, z: o.split(x, [1, 3], axis=-1),
    "sqrt": lambda o, x, y, z: o.rsqrt(o.square(x) + 1),
    "take": lambda o, x, y, z: o.take(x, np.array([0, 2]), axis=1),
    "top_k": lambda o, x, y, z: o.top_k(x, 2),
    "transpose": lambda o, x, y, z: o.transpose(x, (0, 2, 1)),
    "tril": lambda o, x, y, z: o.tril(x, k=1),
    "where": lambda o, x, y, z: o.where(o.logical_and(x > 0, y < 0), x, 0.0),
}


def graph(library, call):
    library.backend.clear_session(free_memory=False)
    inputs = [library.Input(shape, name=name) for name, shape in ((X, (4, 6)), (Y, (4, 6)), (Z, (6, 3)))]
    return library.Model(inputs, call(library.ops, *inputs), name="graph")


@pytest.mark.parametrize("call", OPERATIONS.values(), ids=OPERATIONS)
def test_operations_in_graphs_are_written_as_keras_writes_them(call):
    inputs = [numbers(2, 4, 6), numbers(2, 4, 6, seed=1), numbers(2, 6, 3, seed=2)]

    def question(keras):
        model = graph(keras, call)
        return model.to_json(), jax.tree.leaves(model(inputs))

    theirs, wanted = ask(question)
    assert plain(json.loads(graph(cornu, call).to_json())) == plain(json.loads(theirs))
    outputs = jax.tree.leaves(cornu.models.model_from_json(theirs)(inputs))
    for found, expected in zip(outputs, wanted, strict=True):
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.live
@pytest.mark.parametrize("call", OPERATIONS.values(), ids=OPERATIONS)
def test_operations_in_graphs_of_cornu_are_read_by_keras(call):
    import keras

    read = keras.models.model_from_json(graph(cornu, call).to_json())
    assert plain(json.loads(read.to_json())) == plain(json.loads(graph(cornu, call).to_json()))


# ---------------------------------------------------------------- tables

WIDE = {"line_length": 120}
TABLES = {
    "narrow": (make, "model_as_layer", {"line_length": 60}),
    "wide": (make, "states", {"line_length": 150}),
    "nested": (make, "deeply_nested", {"expand_nested": True, **WIDE}),
    "nested trained": (make, "frozen", {"expand_nested": True, "show_trainable": True, **WIDE}),
    "positions": (make, "residual", {"positions": [0.4, 0.6, 0.7, 1.0], "line_length": 100}),
    "positions of a list": (make, "sequential", {"positions": [0.4, 0.6, 1.0]}),
    "range": (make, "residual", {"layer_range": ["conv2d", "re_lu"]}),
    "range by pattern": (make, "residual", {"layer_range": ["conv.*", "global.*"]}),
    "unknown range": (make, "residual", {"layer_range": ["nowhere", "re_lu"]}),
    "half a range": (make, "residual", {"layer_range": ["conv2d"]}),
}


def table(library, build, options):
    text = []
    build(library).summary(print_fn=text.append, **options)
    return text


@pytest.mark.parametrize("case", TABLES.values(), ids=TABLES)
def test_summary_options(case):
    make_one, name, options = case
    build = next(b for b in MODELS if b.__name__ == name)
    say_equally(lambda library: table(library, lambda k: make_one(build, k), options))


def unbuilt(k):
    return k.Sequential([k.layers.Dense(2), k.layers.Dropout(0.1)], name="unbuilt")


def trained(k):
    model = make(MODELS[0], k)
    model.compile("adam", "mse")
    model.fit(numbers(8, 4), numbers(8, 2), verbose=0)
    return model


def large(k):
    x = k.Input((1000,), name="a_name_that_is_far_too_long_for_its_column")
    return k.Model(x, k.layers.Dense(3000, name="[red]")(x), name="[bold]large")


def subclassed_sequential(k):
    return type("Stack", (k.Sequential,), {})([k.Input((3,)), k.layers.Dense(2)], name="stack")


def empty(k):
    return k.Sequential(name="empty")


@pytest.mark.parametrize("build", [unbuilt, trained, large, subclassed_sequential, empty], ids=lambda b: b.__name__)
def test_summary_of_models_in_every_state(build):
    say_equally(lambda library: table(library, build, {}))


# ---------------------------------------------------------------- masks

MASKED = {
    "dense": lambda k: k.layers.Dense(2, kernel_initializer="ones"),
    "pooling": lambda k: k.layers.GlobalAveragePooling1D(),
    "conv": lambda k: k.layers.Conv1D(2, 1, kernel_initializer="ones"),
    "flatten": lambda k: k.layers.Flatten(),
    "lstm": lambda k: k.layers.LSTM(2, return_sequences=True, kernel_initializer="ones", recurrent_initializer="ones"),
    "reshape": lambda k: k.layers.Reshape((6, 4)),
    "activation": lambda k: k.layers.Activation("relu"),
    "normalization": lambda k: k.layers.BatchNormalization(),
    "time_distributed": lambda k: k.layers.TimeDistributed(k.layers.Dense(2, kernel_initializer="ones")),
}


def through_mask(k, layer):
    """Outputs, and whether anyone was warned of a dropped mask."""
    ids = k.Input((6,), dtype="int32")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = k.Model(ids, layer(k)(k.layers.Embedding(7, 4, mask_zero=True, embeddings_initializer="ones")(ids)))
        outputs = model(tokens(3, 6))
    return rounded(outputs), any("mask" in str(warning.message) for warning in caught)


@pytest.mark.parametrize("layer", MASKED.values(), ids=MASKED)
def test_masks_flow_as_in_keras(layer):
    say_equally(through_mask, layer)


# ---------------------------------------------------------------- training flags


def counts(model):
    return len(model.trainable_weights), len(model.non_trainable_weights)


def frozen_inside_out(k):
    model = make(next(b for b in MODELS if b.__name__ == "deeply_nested"), k)
    inner = model.layers[1]
    steps = [counts(model)]
    for layer, value in ((inner, False), (inner.layers[1], True), (inner, True), (model, False), (model, True)):
        layer.trainable = value
        steps.append((counts(model), [v.trainable for v in model.weights]))
    return steps


def frozen_variables(k):
    layer = k.layers.BatchNormalization(trainable=False)
    layer.build((None, 3))
    states = [[v.trainable for v in layer.weights]]
    for value in (True, False, True):
        layer.trainable = value
        states.append([v.trainable for v in layer.weights])
    layer.gamma.trainable = False
    return [*states, [v.path for v in layer.weights], counts(layer)]


def shared_layer(k):
    dense, x = k.layers.Dense(3), k.Input((3,))
    outer = k.Model(x, k.Model(x, dense(x))(x) + k.Model(x, dense(dense(x)))(x))
    return len(outer.weights), counts(outer), outer.count_params()


def frozen_batch_normalization(k):
    model = make(next(b for b in MODELS if b.__name__ == "convolutional"), k)
    model.layers[1].trainable = False
    before = model.get_weights()
    model(numbers(3, 8, 8, 1), training=True)
    return [bool(np.array_equal(a, b)) for a, b in zip(before, model.get_weights(), strict=True)]


FLAGS = [frozen_inside_out, frozen_variables, shared_layer, frozen_batch_normalization]


@pytest.mark.parametrize("describe", FLAGS, ids=lambda f: f.__name__)
def test_trainable_flags(describe):
    say_equally(describe)


# ---------------------------------------------------------------- copies


def zoo(name, k):
    return make(next(b for b in MODELS if b.__name__ == name), k)


def with_clone_function(k, name, **options):
    seen = []

    def copy(layer):
        seen.append(layer.name)
        return type(layer).from_config(layer.get_config())

    made = k.models.clone_model(zoo(name, k), clone_function=copy, **options)
    return seen, [v.path.split("/")[-2:] for v in made.weights], type(made).__name__, made.name


def with_call_function(k):
    def call(layer, *args, **kwargs):
        outputs = layer(*args, **kwargs)
        return k.layers.Dropout(0.5)(outputs) if layer.name == "hidden" else outputs

    return [layer.name for layer in k.models.clone_model(zoo("functional", k), call_function=call).layers]


def with_input_tensors(k):
    x = k.Input((4,), name="new")
    one = k.models.clone_model(zoo("functional", k), input_tensors=x)
    later = k.models.clone_model(zoo("functional", k), input_tensors=k.layers.Dense(4, name="before")(x))
    two = k.models.clone_model(zoo("shared", k), input_tensors=[x, k.Input((4,), name="other")])
    return [[layer.name for layer in model.layers] for model in (one, later, two)]


def with_too_few_tensors(k):
    return k.models.clone_model(zoo("shared", k), input_tensors=[k.Input((4,))])


CLONES = {
    "functional": lambda k: with_clone_function(k, "functional"),
    "sequential": lambda k: with_clone_function(k, "sequential"),
    "nested": lambda k: with_clone_function(k, "deeply_nested"),
    "recursive": lambda k: with_clone_function(k, "deeply_nested", recursive=True),
    "call function": with_call_function,
    "input tensors": with_input_tensors,
    "too few tensors": with_too_few_tensors,
    "a layer": lambda k: str(k.models.clone_model(k.layers.Dense(2))),
}


@pytest.mark.parametrize("describe", CLONES.values(), ids=CLONES)
def test_clones(describe):
    say_equally(describe)


# ---------------------------------------------------------------- inputs


def doubled(k, shape=(4,), dtype=None):
    x = k.Input(shape, name="x", dtype=dtype)
    return k.Model(x, x * 2, name="doubled")


def difference(k, inputs):
    a, b = k.Input((4,), name="a"), k.Input((4,), name="b")
    return k.Model({"p": a, "q": b} if inputs == "dictionary" else [a, b], a - b, name="difference")


def middle(k):
    h = k.layers.Dense(3, name="first")(k.Input((4,), name="x"))
    return k.Model(h, k.layers.Dense(2, name="second", kernel_initializer="ones")(h) * 2, name="middle")


A = numbers(5, 4)


def warned(call):
    """What `call` gives, though cornu says in which order it takes the inputs."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*used in that order")
        return call()


CALLS = {
    "missing last axis": lambda k: doubled(k, (4, 1))(A),
    "extra last axis": lambda k: doubled(k, (4,))(A[..., None]),
    "wrong rank": lambda k: doubled(k)(A[0]),
    "wrong size": lambda k: doubled(k)(A[:, :3]),
    "ints for floats": lambda k: str(doubled(k)(np.ones((2, 4), "int32")).dtype),
    "floats for ints": lambda k: str(doubled(k, dtype="int32")(np.ones((2, 4), "float32")).dtype),
    "by name": lambda k: doubled(k)({"x": A}),
    "by wrong name": lambda k: doubled(k)({"y": A}),
    "several by name": lambda k: difference(k, "list")({"b": A, "a": 2 * A}),
    "several as a tuple": lambda k: difference(k, "list")((2 * A, A)),
    "one of two": lambda k: difference(k, "list")([A]),
    "one of two by name": lambda k: difference(k, "list")({"a": A}),
    "none for one": lambda k: difference(k, "list")([A, None]),
    "by key": lambda k: difference(k, "dictionary")({"q": A, "p": 2 * A}),
    "a list for a dictionary": lambda k: warned(lambda: difference(k, "dictionary")([2 * A, A])),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_inputs_are_taken_as_in_keras(call):
    def describe(k):
        result = call(k)
        return result if isinstance(result, str) else rounded(result)

    say_equally(describe)


def identity(k):
    x = k.Input((4,))
    return k.Model(x, x)


def names_twice(k):
    x = k.Input((3,))
    return k.Model(x, k.layers.Dense(1, name="a")(k.layers.Dense(2, name="a")(x)))


STRUCTURES = {
    "from the middle": lambda k: [layer.name for layer in middle(k).layers] + [v.path for v in middle(k).weights],
    "identity": lambda k: rounded(identity(k)(A)),
    "unused input": lambda k: [x.name for x in difference(k, "list").inputs],
    "disconnected": lambda k: k.Model(k.Input((3,)), k.layers.Dense(2)(k.Input((3,)))),
    "arrays": lambda k: k.Model(A, A),
    "outputs alone": lambda k: k.Model(outputs=k.Input((3,))),
    "names twice": names_twice,
    "names twice in a list": lambda k: k.Sequential([k.layers.Dense(1, name="a"), k.layers.Dense(1, name="a")]),
    "unknown layer": lambda k: doubled(k).get_layer("nowhere"),
    "index beyond": lambda k: doubled(k).get_layer(index=9),
    "neither": lambda k: doubled(k).get_layer(),
    "shapes": lambda k: [zoo("functional", k).compute_output_shape((7, 4)), zoo("sequential", k).compute_output_shape(
        (None, 4)), zoo("shared", k).compute_output_shape([(None, 4), (None, 4)])],
}  # fmt: skip


@pytest.mark.parametrize("describe", STRUCTURES.values(), ids=STRUCTURES)
def test_structures(describe):
    say_equally(describe)


@pytest.mark.parametrize("name", ["convolutional", "regularized", "embedding_mask"])
def test_pure_calls_give_what_keras_gives(name):
    build = next(b for b in MODELS if b.__name__ == name)

    def question(library):
        model = filled(build, library)
        values = [[v.value for v in part] for part in (model.trainable_variables, model.non_trainable_variables)]
        outputs, after, losses = model.stateless_call(*values, INPUTS[build], training=False, return_losses=True)
        assert len(after) == len(values[1])
        return [rounded(outputs), len(losses)]

    assert_alike(*both(question))


def test_a_call_of_a_nested_model_notes_a_mask_for_each_input():
    def question(library):
        library.utils.clear_session(free_memory=False)
        a, b = library.Input((3,), name="a"), library.Input((3,), name="b")
        inner = [
            (library.Model([a, b], a + b, name="listed"), [a, b]),
            (library.Model({"a": a, "b": b}, a + b, name="named"), {"a": a, "b": b}),
            (library.Model(a, a * 2.0, name="single"), a),
        ]
        model = library.Model([a, b], [part(inputs) for part, inputs in inner])
        config = model.get_config()
        return [
            {layer["name"]: layer["inbound_nodes"][0]["kwargs"] for layer in one.get_config()["layers"][2:]}
            for one in (model, type(model).from_config(config))
        ]

    ours, theirs = both(question)
    assert ours == theirs
