"""Composing models and looking into them."""

import numpy as np
import pytest

import cornu
from cornu import layers, tree


def small(**kwargs):
    return cornu.Sequential(
        [cornu.Input((4,)), layers.Dense(3, name="first"), layers.Dense(2, name="second")], **kwargs
    )


def test_layers_are_found_by_name_and_index():
    model = small()
    assert model.get_layer("second") is model.get_layer(index=1) is model.layers[1]
    with pytest.raises(ValueError, match="'second'"):
        model.get_layer("secnd")
    with pytest.raises(ValueError, match="2 layers"):
        model.get_layer(index=2)


def test_freezing_reaches_every_layer_and_keeps_the_order_of_weights():
    inner = small(name="inner")
    x = cornu.Input((4,))
    model = cornu.Model(x, layers.Dense(1, name="head")(inner(x)))
    order = [v.path for v in model.weights]
    inner.trainable = False
    assert [v.path for v in model.trainable_weights] == ["head/kernel", "head/bias"]
    assert [v.path for v in model.weights] == order
    inner.layers[1].trainable = True
    inner.trainable = True
    inner.layers[0].kernel.trainable = False
    assert [v.path for v in model.weights] == order
    assert len(model.trainable_weights) == 5


def test_features_come_from_inside_a_model():
    model = small()
    features = cornu.Model(model.input, model.get_layer("first").output)
    x = np.ones((2, 4))
    np.testing.assert_array_equal(features.predict(x, verbose=0), model.layers[0](x))


def test_a_subclass_finds_layers_in_lists_and_dictionaries():
    class Net(cornu.Model):
        def __init__(self):
            super().__init__()
            self.blocks = [layers.Dense(3), layers.Dense(3)]
            self.heads = {"a": layers.Dense(1), "b": layers.Dense(2)}

        def call(self, x):
            for block in self.blocks:
                x = block(x)
            return {name: head(x) for name, head in self.heads.items()}

    net = Net()
    outputs = net(np.ones((2, 4)))
    assert {name: out.shape for name, out in outputs.items()} == {"a": (2, 1), "b": (2, 2)}
    assert len(net.layers) == 4 and len(net.weights) == 8
    net.blocks.append(layers.Dense(3))
    assert len(net.layers) == 5


def test_a_layer_that_forgets_super_init_is_told():
    class Forgetful(layers.Layer):
        def __init__(self):
            self.inner = layers.Dense(2)

    with pytest.raises(RuntimeError, match=r"super\(\).__init__\(\)"):
        Forgetful()(np.ones((1, 2)))


def test_losses_added_in_call_are_those_of_the_last_call():
    class Penalty(layers.Layer):
        def call(self, x):
            self.add_loss(cornu.ops.sum(x))
            return x

    model = cornu.Sequential([cornu.Input((2,)), Penalty()])
    for _ in range(2):
        model(np.ones((3, 2)))
    assert [float(loss) for loss in model.losses] == [6.0]


def test_stateless_call_changes_nothing():
    model = cornu.Sequential([cornu.Input((2,)), layers.BatchNormalization()])
    before = model.get_weights()
    x = np.random.default_rng(0).normal(size=(8, 2)).astype("float32")
    values = [v.value for v in model.trainable_variables], [v.value for v in model.non_trainable_variables]
    _, after = model.stateless_call(*values, x, training=True)
    assert not np.allclose(after[0], before[2])
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_training_false_stays_in_the_graph():
    base = cornu.Sequential([cornu.Input((2,)), layers.Dropout(0.9)])
    x = cornu.Input((2,))
    model = cornu.Model(x, base(x, training=False))
    np.testing.assert_array_equal(model(np.ones((4, 2)), training=True), np.ones((4, 2)))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda m: m.set_weights([]), "4 arrays"),
        (lambda m: m.set_weights([np.zeros((9, 9))] * 4), r"shape \(4, 3\)"),
        (lambda m: m(np.ones((2, 5))), r"\(None, 4\)"),
        (lambda m: m.add(layers.Dense(1, name="first")), "first"),
        (lambda m: m.add(layers.Dense), "parentheses"),
        (lambda m: cornu.Model(m.input, np.ones(3)), "symbolic"),
        (lambda m: cornu.Model(cornu.Input((4,)), m.output), "not\\s+among the model's inputs"),
    ],
)
def test_mistakes_are_explained_and_change_nothing(call, message):
    model = small()
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        call(model)
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_mask_that_a_layer_would_drop_is_reported():
    with pytest.warns(UserWarning, match="mask"):
        cornu.Sequential([layers.Embedding(5, 2, mask_zero=True), layers.Conv1D(2, 1), layers.LSTM(2)])(
            np.array([[1, 0]])
        )


def test_a_clone_takes_tensors_in_the_structure_of_the_inputs_alone():
    a, b = cornu.Input((2,), name="a"), cornu.Input((2,), name="b")
    model = cornu.Model({"a": a, "b": b}, layers.Subtract()([a, b]))
    p, q = cornu.Input((2,)), cornu.Input((2,))
    clone = cornu.models.clone_model(model, input_tensors={"b": q, "a": p})
    x, y = np.full((1, 2), 3.0, "float32"), np.ones((1, 2), "float32")
    np.testing.assert_allclose(clone({"a": x, "b": y}), [[2.0, 2.0]])
    for wrong in ([p, q], {"a": p, "c": q}, {"a": p}):
        with pytest.raises(ValueError, match="a dictionary with the keys"):
            cornu.models.clone_model(model, input_tensors=wrong)


def test_a_clone_function_is_asked_about_layers_and_not_about_operations():
    x = cornu.Input((4,))
    model = cornu.Model(x, layers.Dense(2)(x * 2.0) + 1.0)
    asked = []

    def again(layer):
        asked.append(type(layer).__name__)
        return layer.__class__.from_config(layer.get_config())

    copy = cornu.models.clone_model(model, clone_function=again)
    assert asked == ["Dense"]
    assert [v.shape for v in copy.weights] == [(4, 2), (2,)]


def test_a_clone_of_a_class_with_a_constructor_of_its_own_is_a_plain_model_of_the_same_layers():
    class Regressor(cornu.Model):
        def __init__(self, units=4, **kwargs):
            x = cornu.Input((3,))
            super().__init__(x, layers.Dense(1)(layers.Dense(units)(x)), **kwargs)

    model = Regressor(5, name="regressor")
    model.compile("sgd", "mse")
    copy = cornu.models.clone_model(model)
    assert (type(copy), copy.name, copy.compiled) == (cornu.models.Functional, "regressor", True)
    copy.set_weights(model.get_weights())
    np.testing.assert_allclose(copy(np.ones((2, 3))), model(np.ones((2, 3))), rtol=1e-6)

    class Traced(cornu.Model):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)

    x = cornu.Input((3,))
    assert type(cornu.models.clone_model(Traced(x, layers.Dense(1)(x)))) is Traced


@pytest.mark.parametrize(
    "put_in",
    [
        lambda layer: layer.stack.append(layers.Dense(2)),
        lambda layer: layer.table.update(new=[layers.Dense(2)]),
        lambda layer: layer.stack.append(cornu.Variable(1.0)),
    ],
    ids=["list", "dictionary", "variable"],
)
def test_what_is_put_into_a_list_of_a_built_layer_is_refused(put_in):
    class Stack(layers.Layer):
        def __init__(self):
            super().__init__(name="tower")
            self.stack, self.table = [layers.Dense(2)], {"old": layers.Dense(2)}

        def call(self, x):
            return self.table["old"](self.stack[0](x))

    layer = Stack()
    layer(np.ones((1, 2)))
    layer.stack = [layers.Dense(2)]  # in the place of others
    assert len(layer.weights) == 2
    put_in(layer)
    with pytest.raises(ValueError, match=r'"tower".*cannot be added once the layer is built'):
        _ = layer.weights


def test_a_compiled_step_is_forgotten_when_its_function_is_set_to_none():
    model = small()
    assert model.predict_function is None
    before = model.predict(np.ones((2, 4)), verbose=0)
    model.layers[1].activation = cornu.activations.exponential  # which is never the number itself
    assert callable(model.predict_function)
    model.predict_function = None
    assert not np.allclose(model.predict(np.ones((2, 4)), verbose=0), before)
    with pytest.raises(TypeError, match=r"predict_function must be a function of .state, batches., or None"):
        model.predict_function = "fast"


@pytest.mark.parametrize("kind", ["Sequential", "functional"])
def test_features_are_taken_from_a_model_within_a_model(kind):
    inner = cornu.Sequential([cornu.Input((3,)), cornu.layers.Dense(2, name="first")], name="inner")
    inner = inner if kind == "Sequential" else cornu.Model(inner.inputs, [inner.output, inner.output * 2], name="inner")
    x = cornu.Input((3,))
    features = tree.flatten(inner(x))[-1]
    outer = cornu.Model(x, cornu.layers.Dense(1)(features))
    taken = cornu.Model(outer.inputs, [outer.get_layer("inner").outputs[-1], outer.output])
    data = np.ones((4, 3), "float32")
    expected = tree.flatten(inner.predict(data, verbose=0))[-1]
    np.testing.assert_array_equal(taken.predict(data, verbose=0)[0], expected)
    alone = cornu.Model(inner.input, inner.get_layer("first").output if kind == "Sequential" else inner.outputs[0])
    assert alone.predict(data, verbose=0).shape == (4, 2)


def test_a_model_that_is_refused_uses_up_no_automatic_name():
    x = cornu.Input((3,))
    with pytest.raises(ValueError, match="all outputs must be symbolic"):
        cornu.Model(x, "no")
    assert cornu.Model(x, layers.Dense(1)(x)).name == "functional"
