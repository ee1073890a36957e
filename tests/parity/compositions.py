"""Models put together from models in every shape of nesting, sharing and reuse, as either library makes them."""

import numpy as np

from cornu import tree


def functional(k, name, structure="one"):
    """A model of two layers with one output, two in a list, or two in a dictionary."""
    x = k.Input((4,))
    y = k.layers.Dense(4, name=f"{name}_d")(x)
    z = k.layers.Dense(4, name=f"{name}_e")(y)
    return k.Model(x, {"one": z, "list": [y, z], "dict": {"p": y, "q": z}}[structure], name=name)


def sequential(k, name, built=True):
    layers = [k.layers.Dense(4, name=f"{name}_d")]
    return k.Sequential([k.Input((4,)), *layers] if built else layers, name=name)


def _of_one(outputs, make=functional, **settings):
    """A composition with one input, whose outputs are made from the inner model `f` and the input."""

    def build(k):
        x, f = k.Input((4,), name="x"), make(k, "f", **settings)
        return k.Model(x, outputs(k, f, x))

    return build


def _twice(k, f, x):
    y = f(x)
    return [f(y), y]


def _both(k, f, x):
    first, second = f(x)
    third, fourth = f(second)
    return [fourth, first, third]


def _from_dict(k, f, x):
    found = f(x)
    return [found["q"], f(found["p"])["p"]]


def _used_elsewhere(k, f, x):
    f(k.Input((4,)))
    y = f(x)
    f(k.Input((4,)))
    return [f(y), y]


def _deep(k, f, x):
    for name in ("g", "h"):
        inner = k.Input((4,))
        f = k.Model(inner, f(f(inner)), name=name)
    return [f(f(x)), f(x)]


def _state(k, f, x):
    output, state = k.layers.SimpleRNN(4, return_state=True, name="l")(k.ops.reshape(x, (-1, 2, 2)))
    return [f(state), output, f(output)]


def _f_of_each(k):
    f, a, b = functional(k, "f"), k.Input((4,), name="a"), k.Input((4,), name="b")
    return k.Model([a, b], [f(a), f(b)])


def _lists_inside(k):
    a, b = k.Input((4,)), k.Input((4,))
    f = k.Model([a, b], [k.layers.Add(name="s")([a, b]), k.layers.Dense(4, name="d")(a)], name="f")
    a, b = k.Input((4,), name="a"), k.Input((4,), name="b")
    p, q = f([a, b])
    return k.Model([a, b], [f([q, p])[1], p])


def _dicts_inside(k):
    a, b = k.Input((4,), name="a"), k.Input((4,), name="b")
    f = k.Model({"a": a, "b": b}, k.layers.Subtract(name="s")([a, k.layers.Dense(4, name="d")(b)]), name="f")
    a, b = k.Input((4,), name="a"), k.Input((4,), name="b")
    return k.Model({"a": a, "b": b}, f({"b": f({"a": a, "b": b}), "a": b}))


def _features(k):
    f = functional(k, "f", "list")
    return k.Model(f.inputs, functional(k, "g")(f.outputs[0]))


def _steps(k):
    x = k.Input((3, 4), name="x")
    return k.Model(x, k.layers.TimeDistributed(functional(k, "f"))(x))


COMPOSITIONS = {
    "autoencoder": _of_one(lambda k, f, x: functional(k, "dec")(f(x))),
    "called twice": _of_one(_twice),
    "only the second call": _of_one(lambda k, f, x: f(f(x))),
    "[f(a), f(b)]": _f_of_each,
    "two outputs, called twice": _of_one(_both, structure="list"),
    "a dictionary inside": _of_one(_from_dict, structure="dict"),
    "a dictionary outside": _of_one(lambda k, f, x: {"b": f(x), "a": f(f(x))}),
    "input as an output": _of_one(lambda k, f, x: [x, f(x)]),
    "a Sequential": _of_one(_twice, sequential),
    "a Sequential without Input": _of_one(_twice, sequential, built=False),
    "used elsewhere": _of_one(_used_elsewhere),
    "a layer used elsewhere": _of_one(_used_elsewhere, lambda k, name: k.layers.Dense(4, name=name)),
    "operations": _of_one(lambda k, f, x: k.ops.concatenate([f(x), f(f(x))]) * 2.0),
    "operations with a dtype": _of_one(
        lambda k, f, x: f(x) * k.ops.cast(k.ops.not_equal(x, k.ops.zeros_like(x)), "float32")
    ),
    "three deep, twice each": _of_one(_deep),
    "lists inside": _lists_inside,
    "dictionaries inside": _dicts_inside,
    "features of a model": _features,
    "each step": _steps,
    "a layer with two outputs": _of_one(_state),
    "models in a Sequential": lambda k: k.Sequential([functional(k, "f"), functional(k, "g"), sequential(k, "s")]),
}


def _and_inside(k):
    d, x = k.layers.Dense(4, name="d"), k.Input((4,))
    g, x = k.Model(x, d(x), name="g"), k.Input((4,), name="x")
    return k.Model(x, [g(d(x)), d(x)])


def _in_two_models(k):
    d, x = k.layers.Dense(4, name="d"), k.Input((4,))
    g, h = k.Model(x, d(x), name="g"), k.Model(x, k.layers.Dense(4, name="e")(d(x)), name="h")
    x = k.Input((4,), name="x")
    return k.Model(x, h(g(x)))


def _in_sequential(k):
    inner = sequential(k, "s")
    return k.Sequential([k.Input((4,)), inner, inner.layers[0]])


# A layer that is in two models of one model: Keras reads none of these files, not even its own.
SHARED = {"outside and inside": _and_inside, "in two models": _in_two_models, "in a Sequential": _in_sequential}


def with_numbers(model):
    """The model with weights of which no two are alike."""
    random = np.random.default_rng(1)
    model.set_weights([random.normal(size=w.shape).astype("float32") for w in model.get_weights()])
    return model


def inputs_of(model):
    """What to call a model on."""
    random = np.random.default_rng(0)
    given = [random.normal(size=(2, *x.shape[1:])).astype("float32") for x in model.inputs]
    if isinstance(getattr(model, "_inputs_struct", None), dict):
        return dict(zip(sorted(model._inputs_struct), given, strict=True))
    return given if len(given) > 1 else given[0]


def outputs_of(model, x):
    """Its outputs, flat."""
    return [np.asarray(y) for y in tree.flatten(model(x))]
