"""Models whose weights are kept in few bits: they are smaller, compute nearly the same, train on, and are loaded."""

import json

import jax
import numpy as np
import pytest

import cornu
from cornu import layers, quantizers

R = np.random.default_rng(0)
X = R.standard_normal((8, 6, 4)).astype("float32")


@cornu.saving.register_keras_serializable("quantization")
class Block(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.wide = layers.Dense(12, activation="relu", name="wide")
        self.narrow = layers.EinsumDense("abc,cd->abd", (None, 4), bias_axes="d", name="narrow")

    def call(self, x):
        return x + self.narrow(self.wide(x))


class Custom(layers.Dense):
    pass


def attention():
    cornu.utils.set_random_seed(0)
    x = cornu.Input((6, 4))
    y = layers.MultiHeadAttention(2, 3, name="attention")(x, x)
    y = layers.TimeDistributed(layers.Dense(4, name="within"))(Block(name="block")(y))
    return cornu.Model(x, layers.Dense(2, name="head")(y))


def modes(model):
    return {layer.name: layer.quantization_mode for layer in model._flatten_layers() if layer.quantization_mode}


@pytest.mark.parametrize(("mode", "near"), [("int8", 0.02), ("int4", 0.3), ("float8", 0.3)])
def test_a_quantized_model_computes_nearly_the_same_and_is_loaded(mode, near, tmp_path):
    model = attention()
    before = model.predict(X, verbose=0)
    model.quantize(mode)
    after = model.predict(X, verbose=0)
    assert 0 < np.abs(after - before).max() < near * np.abs(before).max()
    expected = ("attention_output", "head", "key", "narrow", "query", "value", "wide", "within")
    assert modes(model) == dict.fromkeys(expected, mode)
    model.save(tmp_path / "model.keras")
    again = cornu.saving.load_model(tmp_path / "model.keras")
    assert modes(again) == modes(model)
    np.testing.assert_array_equal(again.predict(X, verbose=0), after)


def test_a_compiled_model_trains_on_what_is_left():
    model = attention()
    model.compile("adam", "mse")
    y = np.zeros((8, 6, 2), "float32")
    model.fit(X, y, verbose=0)
    model.quantize("int8")
    kernel = model.get_layer("head").kernel.numpy()
    model.get_layer("head").enable_lora(2)
    model.compile(model.optimizer.from_config(model.optimizer.get_config()), "mse")
    losses = model.fit(X, y, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    np.testing.assert_array_equal(model.get_layer("head")._kernel.numpy(), kernel)


def test_integers_are_multiplied_as_integers():
    layer = layers.Dense(3)
    layer.build((None, 4))
    layer.quantize("int8")
    program = str(jax.make_jaxpr(layer)(X[0]))
    assert "preferred_element_type=int32" in program
    assert "i8[6,4]" in program


def test_weights_take_less_room():
    model = cornu.Sequential([cornu.Input((256,)), layers.Dense(64, use_bias=False)])
    sizes = [sum(v.value.nbytes for v in model.weights)]
    for mode in ("int8", "int4"):
        fresh = cornu.models.clone_model(model)
        fresh.quantize(mode)
        sizes.append(sum(v.value.nbytes for v in fresh.weights))
    assert sizes[1] < sizes[0] / 3.9
    assert sizes[2] < sizes[0] / 6


@pytest.mark.parametrize("arguments", [{}, {"symmetric": True}, {"activation_order": True}, {"group_size": -1}])
def test_gptq_loses_less_than_rounding(arguments):
    blocks, model, before = fitted_model()
    config = quantizers.GPTQConfig(samples(), None, **{"group_size": 4, "weight_bits": 3} | arguments,
                                   quantization_layer_structure=structure(model, blocks))  # fmt: skip
    model.quantize("gptq", config=config)
    assert modes(model) == {"wide": "gptq", "narrow": "gptq"}
    error = np.abs(model(samples()[0]) - before).mean()
    rounded, other, _ = fitted_model()
    for layer in (rounded[0].wide, rounded[0].narrow):
        layer.quantize(config=config)
    assert error < 0.9 * np.abs(other(samples()[0]) - before).mean()


def test_awq_loses_less_than_rounding():
    blocks, model, before = fitted_model()
    config = quantizers.AWQConfig(samples(), None, group_size=4,
                                  quantization_layer_structure=structure(model, blocks))  # fmt: skip
    model.quantize(config=config)
    error = np.abs(model(samples()[0]) - before).mean()
    rounded, other, _ = fitted_model()
    for layer in (rounded[0].wide, rounded[0].narrow):
        layer.quantize(config=config)
    assert error < np.abs(other(samples()[0]) - before).mean()
    assert not np.array_equal(blocks[0].wide.awq_scales, np.ones(4))


def samples():
    return [np.random.default_rng(1).integers(0, 20, (16, 6))]


def fitted_model():
    """(blocks, model, outputs), with inputs of the block that differ much in size and go together."""
    cornu.utils.set_random_seed(0)
    ids = cornu.Input((6,), dtype="int32")
    block = Block(name="block")
    model = cornu.Model(ids, block(layers.Embedding(20, 4, name="table")(ids)))
    random = np.random.default_rng(2)
    table = random.standard_normal((20, 2)) @ random.standard_normal((2, 4)) * [5, 1, 0.5, 0.1]
    model.set_weights([table, *(random.standard_normal(w.shape) for w in model.get_weights()[1:])])
    return [block], model, np.asarray(model(samples()[0]))


def structure(model, blocks):
    return {"pre_block_layers": [model.get_layer("table")], "sequential_blocks": blocks}


def dense(build=True):
    layer = layers.Dense(3, name="d")
    if build:
        layer.build((None, 4))
    return layer


def twice():
    layer = dense()
    layer.quantize("int8")
    layer.quantize("int4")


def own_class():
    layer = Custom(3)
    layer.build((None, 4))
    layer.quantize("int8")


@pytest.mark.parametrize(("make", "message"), [
    (lambda: dense(build=False).quantize("int8"), "has no weights to quantize yet"),
    (lambda: dense().quantize("int9"), "mode must be"),
    (lambda: dense().quantize(), "mode must be"),
    (lambda: dense().quantize("int8", config=quantizers.Int4QuantizationConfig()), "mode and config must agree"),
    (lambda: dense().quantize("gptq"), "needs calibration data"),
    (twice, "is already quantized, by the dtype policy 'int8_from_float32'"),
    (own_class, "type_check=False"),
    (lambda: layers.Dropout(0.1).quantize("int8"), "no weights that can be quantized"),
    (lambda: layers.Embedding(3, 2, dtype="float8_from_float32").build(), "can be quantized as int8, int4"),
    (lambda: attention().quantize("int8", filters=3), "filters must be a pattern"),
    (lambda: attention().quantize(config=quantizers.GPTQConfig(samples(), None)), "needs the model's blocks"),
    (lambda: cornu.Sequential([layers.Dense(2)]).quantize("int8"), "has no weights to quantize yet"),
    (lambda: layers.Dense(2, dtype="gptq/4/2_from_float32", lora_rank=2).build((None, 4)), "calibrated on data"),
    (lambda: quantizers.pack_int4(np.arange(3)), "must have dtype 'int8'"),
])  # fmt: skip
def test_mistakes(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_a_config_that_asks_for_much_memory_takes_none():
    policy = {"module": "keras.dtype_policies", "class_name": "QuantizedFloat8DTypePolicy", "registered_name": None,
              "config": {"mode": "float8", "source_name": "float32", "amax_history_length": 10**12}}  # fmt: skip
    model = cornu.Sequential([cornu.Input((2,)), layers.Dense(1)])
    plain = json.loads(model.to_json())

    for entry in plain["config"]["layers"]:
        if entry["class_name"] == "Dense":
            entry["config"]["dtype"] = policy
    with pytest.raises(ValueError):
        cornu.models.model_from_json(json.dumps(plain))


def test_a_file_cannot_name_parts_that_are_not_there(tmp_path):
    model = attention()
    model.quantize("int8")

    plain = json.loads(model.to_json())
    for entry in plain["config"]["layers"]:
        inside = entry.get("build_config", {}).get("quantized_parts")
        if inside:
            entry["build_config"]["quantized_parts"] = {"no/such": next(iter(inside.values()))}
    with pytest.raises(ValueError, match="which does not exist"):
        cornu.models.model_from_json(json.dumps(plain))


class Passing(layers.Layer):
    """Gives the layer inside it its own policy, as KerasHub's blocks do."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = layers.Dense(4, dtype=self.dtype_policy, name="inner")
        self.plain = layers.Dense(4, dtype=self.dtype_policy, name="plain")

    def call(self, x):
        return self.plain(self.inner(x))


def test_a_map_of_policies_reaches_the_layers_inside_of_layers():
    policies = cornu.dtype_policies.DTypePolicyMap("mixed_bfloat16", {"block/inner": "int8_from_float32"})
    block = Passing(name="block", dtype=policies)
    y = block(X)
    assert block.dtype_policy is policies and block.compute_dtype == y.dtype == "bfloat16"
    assert [block.inner.quantization_mode, block.inner.kernel.dtype, block.plain.compute_dtype] == [
        "int8",
        "int8",
        "bfloat16",
    ]
