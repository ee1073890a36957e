"""Layers as people really use them: subclassed, called alone and inside, built by hand, given what is at hand."""

import jax.numpy as jnp
import numpy as np
import pytest

import cornu
from cornu import layers
from cornu.core.forks import is_forked

X = np.arange(12, dtype="float32").reshape(2, 6) / 10


@pytest.mark.parametrize("base", [layers.ReLU, layers.Flatten, layers.UnitNormalization, layers.MaxPooling1D])
def test_a_subclass_of_a_layer_without_weights_may_build_some(base):
    class Scaled(base):
        def build(self, input_shape):
            self.slope = self.add_weight(shape=(), initializer=cornu.initializers.Constant(2.0), name="slope")

        def call(self, inputs):
            return super().call(inputs) * self.slope

    x = X[:, :, None]
    np.testing.assert_allclose(Scaled()(x), 2 * np.asarray(base()(x)))
    assert not Scaled().built


class Attribute(layers.Layer):
    def call(self, inputs):
        return inputs


LATE = {
    "a variable": lambda: cornu.Variable(1.0),
    "a layer": lambda: layers.Dense(2),
    "a list of layers": lambda: [layers.Dense(2)],
    "a dictionary of variables": lambda: {"scale": cornu.Variable(1.0)},
    "a metric": cornu.metrics.Mean,
    "a seed": lambda: cornu.random.SeedGenerator(1),
}


@pytest.mark.parametrize("late", LATE)
def test_nothing_can_be_added_to_a_layer_once_it_is_built(late):
    for layer in (layers.Dense(2, name="early"), Attribute(name="early")):
        layer(X)
        with pytest.raises(ValueError, match=r'"early".*"late".*__init__\(\) or build\(\)'):
            layer.late = LATE[late]()
        with pytest.raises(ValueError, match='the weight "more"'):
            layer.add_weight(shape=(), name="more")
        layer.number = 3  # plain values come and go


def test_parts_of_a_built_layer_can_be_replaced_and_models_with_a_graph_grow():
    model = cornu.Sequential([cornu.Input((6,)), layers.Dense(2)])
    model.extra = layers.Dense(3)
    layer = layers.Wrapper(layers.Dense(2))
    layer(X)
    layer.layer = layers.Dense(4)
    assert layer(X).shape == (2, 4)


def test_trainable_and_policies_are_what_they_can_be():
    for wrong in ("true", None, 0.5):
        with pytest.raises(ValueError, match="trainable must be True or False"):
            layers.Dense(2, trainable=wrong)
        with pytest.raises(ValueError, match="trainable must be True or False"):
            layers.Dense(2).trainable = wrong
    for wrong in (None, 3, np.float32):
        with pytest.raises(ValueError, match="policy must be a name"):
            cornu.config.set_dtype_policy(wrong)


class Taxed(layers.Layer):
    def call(self, inputs):
        self.add_loss(cornu.ops.sum(inputs))
        return inputs


@pytest.mark.parametrize("jit_compile", [True, False])
def test_losses_are_those_of_the_last_call_of_whoever_was_called(jit_compile):
    inner = layers.ActivityRegularization(l1=1.0)
    model = cornu.Sequential([inner, layers.Identity()])
    one, two = np.ones((1, 3), "float32"), np.full((1, 3), 2.0, "float32")
    inner(one)
    model.jit_compile = jit_compile
    model(two)
    assert [float(loss) for loss in model.losses] == [6.0] == [float(loss) for loss in inner.losses]
    inner(one)
    assert [float(loss) for loss in model.losses] == [3.0]
    taxed = Taxed()
    taxed(one)
    outer = cornu.Sequential([taxed, Taxed()])
    outer(two)
    assert [float(loss) for loss in outer.losses] == [6.0, 6.0]


def test_shapes_are_asked_for_by_keyword_and_dtypes_follow_the_policy():
    assert layers.Dense(3).compute_output_shape(input_shape=(None, 2)) == (None, 3)
    assert layers.Add().compute_output_shape(input_shape=[(None, 2), (None, 2)]) == (None, 2)
    unbuilt = layers.Dense(3)
    assert unbuilt.compute_output_spec(cornu.KerasTensor((2, 4))).shape == (2, 3) and not unbuilt.built
    for layer in (layers.Dense(3, dtype="mixed_float16"), layers.ReLU(dtype="mixed_float16")):
        layer.build((2, 4))
        assert layer.compute_output_spec(cornu.KerasTensor((2, 4))).dtype == "float16"


def test_half_precision_normalizes_values_that_it_could_not_hold():
    x = np.array([[7e4, 1.0, 2.0, 3.0]], "float32")
    wanted = {
        layers.LayerNormalization: [1.732, -0.577, -0.577, -0.577],
        layers.RMSNormalization: [2.0, 0.0, 0.0, 0.0],
        layers.UnitNormalization: [1.0, 0.0, 0.0, 0.0],
    }
    for kind, values in wanted.items():
        y = kind(dtype="mixed_float16")(x)
        assert y.dtype == "float16"
        np.testing.assert_allclose(y[0], values, atol=2e-3)
    np.testing.assert_allclose(
        layers.GroupNormalization(2, dtype="mixed_float16")(x)[0], [1.0, -1.0, -0.998, 0.998], atol=2e-3
    )


# ---------------------------------------------------------------- sizes seen and declared


def test_a_sequential_without_an_input_takes_sequences_of_any_length(tmp_path):
    model = cornu.Sequential([layers.SimpleRNN(2), layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    model.fit(np.ones((4, 3, 2)), np.ones((4, 1)), verbose=0)
    assert model.predict(np.ones((2, 5, 2)), verbose=0).shape == model(np.ones((2, 7, 2))).shape == (2, 1)
    model.save(tmp_path / "m.keras")
    assert cornu.models.load_model(tmp_path / "m.keras")(np.ones((2, 4, 2))).shape == (2, 1)
    built = cornu.Sequential([layers.SimpleRNN(2)])
    built.build((None, 3, 2))
    assert built(np.ones((2, 5, 2))).shape == (2, 2)
    with pytest.raises(ValueError, match="dimensions"):
        model(np.ones((2, 3)))
    declared = cornu.Sequential([cornu.Input((3, 2)), layers.SimpleRNN(2)])
    with pytest.raises(ValueError, match=r"expected input of shape \(None, 3, 2\)"):
        declared(np.ones((2, 5, 2)))


def test_one_layer_may_stand_in_a_sequential_twice(tmp_path):
    relu, dense = layers.ReLU(), layers.Dense(3)
    model = cornu.Sequential([cornu.Input((3,)), dense, relu, dense, relu])
    x = X[:, :3] - 0.5
    np.testing.assert_allclose(model(x), relu(dense(relu(dense(x)))), atol=1e-6)
    assert len(model.weights) == 2 and len(model.layers) == 4
    model.save(tmp_path / "m.keras")
    loaded = cornu.models.load_model(tmp_path / "m.keras")
    assert loaded.layers[0] is loaded.layers[2]
    np.testing.assert_allclose(loaded(x), model(x), atol=1e-6)
    with pytest.raises(ValueError, match="Names must be unique"):
        cornu.Sequential([layers.Dense(3, name="same"), layers.Dense(3, name="same")])


# ---------------------------------------------------------------- before super().__init__()


class Tower(cornu.Model):
    def __init__(self, width, **kwargs):
        inputs = cornu.Input((6,), name="features")
        self.parts = [layers.Dense(width, name="inner")]
        self.head = layers.Dense(1, name="head")
        super().__init__(inputs=inputs, outputs=self.head(self.parts[0](inputs)), **kwargs)
        self.width = width

    def get_config(self):
        return {"width": self.width, "name": self.name}


class Early(layers.Layer):
    def __init__(self, **kwargs):
        self.inner = layers.Dense(2, name="inner")
        self.scale = cornu.Variable(3.0, name="scale")
        super().__init__(**kwargs)

    def call(self, inputs):
        return self.inner(inputs) * self.scale


def test_layers_may_be_kept_before_super_init():
    model = Tower(4)
    assert [layer.name for layer in model.layers] == ["features", "inner", "head"]
    assert [w.path for w in model.weights] == ["inner/kernel", "inner/bias", "head/kernel", "head/bias"]
    again = Tower.from_config(model.get_config())
    again.set_weights(model.get_weights())
    np.testing.assert_allclose(again(X), model(X), atol=1e-6)
    early = Early()
    assert early(X).shape == (2, 2) and len(early.weights) == 3


class Forgetful(layers.Layer):
    def __init__(self, factor):
        self.factor = factor


@pytest.mark.parametrize(
    "use",
    [lambda x: x(X), layers.serialize, lambda x: x.get_config(), lambda x: x.weights, lambda x: x.build((2, 6)),
     lambda x: x.add_weight(shape=())],
)  # fmt: skip
def test_whatever_is_done_with_a_layer_that_forgot_super_init_says_so(use):
    with pytest.raises(RuntimeError, match=r"Forgetful, call super\(\).__init__\(\)"):
        use(Forgetful(2))


# ---------------------------------------------------------------- what is written wrongly


class Mixing(layers.Layer):
    def build(self, a, b):
        self.width = a[-1] + b[-1]

    def call(self, a, b):
        return cornu.ops.concatenate([a, b], axis=-1)


class Returnless(layers.Layer):
    def call(self, inputs):
        inputs * 2


class Fresh(layers.Layer):
    def call(self, inputs):
        self.inner = layers.Dense(2)
        return self.inner(inputs)


def test_mistakes_in_a_layer_of_ones_own_name_it_and_the_cure():
    with pytest.raises(ValueError, match=r'Mixing "mixing": build\(a, b\).*a_shape, b_shape'):
        Mixing(name="mixing")(X, X)
    with pytest.raises(ValueError, match=r'"empty": call\(\) returned None. A return statement is missing'):
        cornu.Sequential([cornu.Input((2,)), Returnless(name="empty")])
    with pytest.raises(ValueError, match=r'"fresh": the Dense in the attribute "inner".*not in call\(\)'):
        cornu.Sequential([cornu.Input((2,)), Fresh(name="fresh")])


def test_scopes_of_names_know_their_arguments():
    with pytest.raises(TypeError, match="reuze"):
        cornu.name_scope("outer", reuze=True)
    one = object()
    with cornu.name_scope("a", caller=one), cornu.name_scope("a", caller=one), cornu.name_scope("b"):
        assert cornu.Variable(1.0, name="v").path == "a/b/v"
    with cornu.name_scope("a"), cornu.name_scope("b", override_parent="x/y"):
        assert cornu.Variable(1.0, name="v").path == "x/y/b/v"


# ---------------------------------------------------------------- what goes in and comes out


def test_a_model_called_takes_what_predict_takes():
    model = cornu.Sequential([cornu.Input((6,)), layers.Dense(2)])
    wanted = model.predict(X, verbose=0)
    swapped, long, listed = X.astype(">f4"), X.astype(np.longdouble), X.tolist()
    for given in (swapped, long, listed, X.astype("float64"), np.asfortranarray(X)):
        np.testing.assert_allclose(model(given), wanted, atol=1e-6)
        np.testing.assert_allclose(model.predict(given, verbose=0), wanted, atol=1e-6)
    for wrong, message in ((X.astype("complex64"), "imaginary"), (np.full((1, 6), 2**60), "do not fit")):
        with pytest.raises(ValueError, match=message):
            model(wrong)


def test_layers_that_prepare_data_hand_out_tensors_but_not_in_forked_workers(monkeypatch):
    encode = layers.CategoryEncoding(4)
    assert cornu.ops.is_tensor(encode([[1], [2]])) and not is_forked()
    words = layers.StringLookup(vocabulary=["fig", "pear"], invert=True)
    assert isinstance(words(np.array([1, 2])), np.ndarray)  # text is on no device
    monkeypatch.setattr("cornu.core.forks.is_forked", lambda: True)
    assert type(encode([[1], [2]])) is np.ndarray


def test_ranges_are_laid_out_before_they_are_learned():
    layer = layers.Discretization(num_bins=4, output_mode="one_hot")
    start = cornu.Input((1,))
    model = cornu.Model(start, layer(start))
    assert model.output_shape == (None, 4)
    with pytest.raises(ValueError, match="adapt"):
        layer(np.zeros((2, 1)))
    layer.adapt(np.linspace(0.0, 1.0, 101, dtype="float32")[:, None])
    assert np.argmax(model(np.array([[0.05], [0.4], [0.6], [0.95]], "float32")), -1).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("size", [(4, 400), (600, 2), (1, 1)])
def test_pictures_are_cropped_to_any_proportions(size):
    picture = np.random.default_rng(1).uniform(0, 255, (1, 7, 9, 3)).astype("float32")
    crop = layers.RandomCrop(*size, seed=1)
    for made in (layers.Resizing(*size, crop_to_aspect_ratio=True)(picture), crop(picture, training=True)):
        assert made.shape == (1, *size, 3)
        assert picture.min() - 1e-3 <= np.min(made) and np.max(made) <= picture.max() + 1e-3


def test_scales_of_channels_lie_along_the_channels():
    cornu.config.set_image_data_format("channels_first")
    try:
        layer = layers.Rescaling([0.5, 2.0, 4.0], offset=[1.0, 0.0, 0.0])
        batch, one = layer(np.ones((2, 3, 5, 4))), layer(np.ones((3, 5, 4)))
    finally:
        cornu.config.set_image_data_format("channels_last")
    assert batch[0, :, 0, 0].tolist() == one[:, 0, 0].tolist() == [1.5, 2.0, 4.0]


def test_a_correction_of_low_rank_is_named_below_its_model():
    inner = cornu.Sequential([layers.Dense(4, name="d")], name="inner")
    cornu.Sequential([cornu.Input((3,)), inner], name="outer")
    inner.layers[0].enable_lora(2)
    assert all(w.path.startswith("outer/inner/d/") for w in inner.layers[0].weights)


def test_a_wrapper_made_from_a_config_has_a_built_layer_inside():
    inner = layers.Dense(3)
    inner.build((None, 4))
    wrapper = layers.TimeDistributed(inner, name="wrapper")
    again = layers.TimeDistributed.from_config(wrapper.get_config())
    assert again.layer.built and again.layer.kernel.path == "wrapper/dense/kernel".replace("dense", inner.name)
    assert again(np.ones((2, 5, 4))).shape == (2, 5, 3)


def test_a_layer_that_says_what_becomes_of_its_mask_is_asked():
    class EverySecond(layers.Layer):
        def call(self, x):
            return x[:, ::2]

        def compute_mask(self, x, mask=None):
            return None if mask is None else mask[:, ::2]

    embed = layers.Embedding(9, 1, mask_zero=True, embeddings_initializer=lambda shape, dtype: np.arange(9)[:, None])
    tokens = np.array([[5, 3, 1, 2, 0, 0]])
    assert EverySecond()(embed(tokens))._keras_mask.tolist() == [[True, True, False]]
    x = cornu.Input((6,), dtype="int32")
    mean = cornu.Model(x, layers.GlobalAveragePooling1D()(EverySecond()(embed(x))))
    assert mean.predict(tokens, verbose=0).tolist() == [[3.0]]  # of 5 and 1, without the 0 at the end


def test_masks_are_read_and_set_as_an_attribute():
    embed = layers.Embedding(9, 4, mask_zero=True)
    assert embed(np.array([[1, 2, 0]]))._keras_mask.tolist() == [[True, True, False]]
    assert embed(cornu.Input((3,), dtype="int32"))._keras_mask.shape == (None, 3)
    x = jnp.asarray(np.array([[[1.0], [5.0]]], "float32"))
    x._keras_mask = jnp.array([[True, False]])
    assert layers.GlobalAveragePooling1D()(x).tolist() == [[1.0]]


def test_a_build_may_take_no_shape():
    class Scale(layers.Layer):
        def build(self):
            self.scale = self.add_weight(shape=(), initializer="ones")

        def call(self, x):
            return x * self.scale

    model = cornu.Sequential([cornu.Input((3,)), Scale()])
    assert model.predict(np.ones((2, 3)), verbose=0).tolist() == [[1.0] * 3] * 2 and len(model.weights) == 1


def test_an_error_in_build_names_the_layer():
    class Odd(layers.Layer):
        def build(self, input_shape):
            self.scale = self.add_weight(shape=(), initializer="onees")

    with pytest.raises(ValueError, match=r"'onees'.*Raised in Odd \"odd_one\", at sequential/odd_one"):
        cornu.Sequential([cornu.Input((3,)), Odd(name="odd_one")], name="sequential")


def test_words_of_the_users_own_stay_as_they_are():
    class Strict(layers.Layer):
        def call(self, x):
            raise ValueError("give me more")

    with pytest.raises(ValueError) as caught:
        Strict(name="strict")(np.ones(3))
    assert str(caught.value) == "give me more"
    assert 'Raised in Strict "strict", at strict.' in caught.value.__notes__


@cornu.saving.register_keras_serializable("tests.layer_use")
class Around(layers.Layer):
    """A layer that is given the one inside, as the guide to serialization writes it."""

    def __init__(self, inner, **kwargs):
        super().__init__(**kwargs)
        self.inner = inner

    def build(self, input_shape):
        self.inner.build(input_shape)

    def call(self, x):
        return self.inner(x)

    def get_config(self):
        return {**super().get_config(), "inner": cornu.saving.serialize_keras_object(self.inner)}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "inner": cornu.saving.deserialize_keras_object(config["inner"])})


def test_a_layer_that_builds_the_one_it_was_given_loads(tmp_path):
    model = cornu.Sequential([cornu.Input((3,)), Around(layers.Dense(2))])
    model.save(tmp_path / "around.keras")
    loaded = cornu.models.load_model(tmp_path / "around.keras")
    np.testing.assert_array_equal(loaded.predict(X[:, :3], verbose=0), model.predict(X[:, :3], verbose=0))
    assert len(loaded.weights) == 2


def test_a_layer_is_built_once_for_a_shape_and_for_no_other():
    layer = layers.Dense(2)
    layer.build((None, 3))
    kernel = layer.kernel
    layer.build([None, 3])
    assert layer.kernel is kernel
    with pytest.raises(ValueError, match="once the layer is built"):
        layer.build((None, 4))


def test_a_layer_of_numbers_that_is_given_text_is_named_once():
    with pytest.raises(TypeError, match=r'^Dense "number_one": text or objects .*StringLookup') as caught:
        layers.Dense(2, name="number_one")(np.array([["oak"]]))
    assert str(caught.value).count("Dense") == 1


def test_the_weights_of_a_model_are_those_that_it_has_now():
    class Listing(cornu.Sequential):
        @property
        def layers(self):  # asks for nothing that the lists of weights need
            return super().layers

    for kind in (cornu.Sequential, Listing):
        model = kind([cornu.Input((3,)), layers.Dense(2), layers.Dense(1)])
        model.weights.clear()  # the list is its asker's
        assert len(model.weights) == len(model.trainable_variables) == 4
        model.pop()
        model.add(layers.BatchNormalization())
        assert [len(model.trainable_weights), len(model.non_trainable_weights)] == [4, 2]
        model.layers[0].trainable = False
        assert [len(model.trainable_weights), len(model.non_trainable_weights)] == [2, 4]
        model.layers[0].quantize("int8")
        assert "int8" in [str(w.dtype) for w in model.weights]


def test_a_layer_may_ask_for_its_inputs_as_they_are_given():
    class AsGiven(layers.Layer):
        _convert_input_args = False  # set so by KerasHub's layers that prepare data

        def call(self, inputs):
            return inputs

    given = np.ones(2)
    assert AsGiven()(given) is given


class Hidden:
    """A layer or model whose `call` says nothing of the mode, around one that has two."""

    def __init__(self):
        super().__init__()
        self.inside = layers.Dropout(0.5, seed=1)

    def call(self, inputs):
        return self.inside(inputs)


HiddenLayer, HiddenModel = (type(base.__name__, (Hidden, base), {}) for base in (layers.Layer, cornu.Model))
AROUND = {
    "a layer": HiddenLayer,
    "a subclassed model": HiddenModel,
    "a sequential model": lambda: cornu.Sequential([HiddenModel()]),
    "a graph": lambda: cornu.Model(x := cornu.Input((6,)), HiddenLayer()(x)),
    "a wrapper": lambda: layers.TimeDistributed(HiddenLayer()),
}


@pytest.mark.parametrize("around", AROUND)
def test_the_mode_of_a_call_reaches_what_is_inside_though_no_call_hands_it_on(around):
    layer, x = AROUND[around](), np.ones((2, 6), "float32")
    x = x[:, None] if around == "a wrapper" else x
    np.testing.assert_array_equal(layer(x), x)
    assert set(np.unique(layer(x, training=True))) == {0, 2}
    np.testing.assert_array_equal(layer(x, training=False), x)
    whole = cornu.Model(given := cornu.Input(x.shape[1:]), layer(given, training=True))
    assert set(np.unique(whole(x))) == {0, 2}


class Averaged(layers.Layer):
    def build(self, input_shape):
        self.mean = self.add_weight(shape=(input_shape[-1],), trainable=False, name="mean")

    def call(self, inputs):
        self.mean = 0.9 * self.mean + 0.1 * inputs[0]
        return inputs - self.mean


def test_a_variable_that_a_call_sets_to_a_tensor_is_warned_of_once():
    layer = Averaged(name="centre")
    with pytest.warns(UserWarning, match=r'Averaged "centre": call\(\) sets self.mean .*self.mean.assign') as caught:
        layer(layer(X))
    assert len(caught) == 1
    layer.mean = layer.weights[0]  # outside of a call a user knows what is meant
