"""Quantization against Keras: functions, policies, configs, layers, models, and files both ways."""

import warnings

import jax
import numpy as np
import pytest
from oracle import ask, both

import cornu

R = np.random.default_rng(3)
X = R.standard_normal((6, 5)).astype("float32")
BYTES = R.integers(-8, 8, (5, 3)).astype("int8")


def plain(values):
    return [np.asarray(value) for value in values]


def said(question):
    """What a question is answered, or the kind of error."""
    try:
        return question()
    except Exception as error:
        return "ValueError" if isinstance(error, (ValueError, TypeError, NotImplementedError)) else type(error).__name__


# ---------------------------------------------------------------- functions

FUNCTIONS = {
    "by column": lambda q: plain(q.abs_max_quantize(X, 0)),
    "by row": lambda q: plain(q.abs_max_quantize(X, -1, value_range=(-31, 31))),
    "all": lambda q: plain(q.abs_max_quantize(X, None, dtype="float32", epsilon=0.5)),
    "both axes on the host": lambda q: plain(q.abs_max_quantize(X, (0, 1), to_numpy=True)),
    "zeros": lambda q: plain(q.abs_max_quantize(X * 0, 0)),
    "blocks": lambda q: plain(q.abs_max_quantize_grouped_with_zero_point(X, 3)),
    "blocks with a rest": lambda q: plain(q.abs_max_quantize_grouped_with_zero_point(X, 4, value_range=(-4, 3))),
    "blocks on the host": lambda q: plain(q.abs_max_quantize_grouped_with_zero_point(X, 100, to_numpy=True)),
    "packed": lambda q: [np.asarray(q.pack_int4(BYTES)[0]), *q.pack_int4(BYTES)[1:]],
    "packed along columns": lambda q: [np.asarray(q.pack_int4(BYTES, axis=1)[0])],
    "packed without signs": lambda q: [np.asarray(q.pack_int4(BYTES.astype("uint8") & 15, dtype="uint8")[0])],
    "unpacked": lambda q: [np.asarray(q.unpack_int4(q.pack_int4(BYTES, -1)[0], 3, -1))],
    "unpacked without signs": lambda q: [np.asarray(q.unpack_int4(BYTES.astype("uint8"), 9, 0, "uint8"))],
    "float8 scale": lambda q: [np.asarray(q.compute_float8_scale(np.float32(a), np.float32(3), 448.0, margin=m))
                               for a in (2, 0, np.inf) for m in (0, 2)],
    "float8 history": lambda q: [np.asarray(q.compute_float8_amax_history(X, np.arange(4, dtype="float32")))],
    "float8": lambda q: [np.asarray(q.quantize_and_dequantize(X * 900, np.float32(0.3), dtype, "float32"))
                         for dtype in ("float8_e4m3fn", "float8_e5m2")],
    "fake": lambda q: [np.asarray(q.fake_quant_with_min_max_vars(X, low, high, num_bits=bits, narrow_range=narrow))
                       for low, high in ((-1.0, 1.3), (0.2, 1.0), (-1.0, -0.1)) for bits in (8, 3)
                       for narrow in (False, True)],
    "fake by column": lambda q: [np.asarray(q.fake_quant_with_min_max_vars(
        X, np.linspace(-2, -0.5, 5, dtype="float32"), np.linspace(0.1, 2, 5, dtype="float32"), axis=-1))],
    "fake's gradients": lambda q: plain(jax.grad(
        lambda *a: q.fake_quant_with_min_max_vars(*a).sum(), (0, 1, 2))(X, np.float32(-0.7), np.float32(1.1))),
    "quantizer": lambda q: [q.AbsMaxQuantizer(axis=0).get_config(), q.AbsMaxQuantizer(axis=(0, 1)).get_config(),
                            q.AbsMaxQuantizer().get_config(), *plain(q.AbsMaxQuantizer(axis=0)(X)),
                            *plain(q.AbsMaxQuantizer(axis=0)(X, axis=1))],
    "written and read": lambda q: [q.serialize(q.AbsMaxQuantizer(axis=0)),
                                   q.deserialize(q.serialize(q.AbsMaxQuantizer(axis=0))).get_config(),
                                   q.get("AbsMaxQuantizer").value_range, q.get(None)],
    "refused": lambda q: [said(lambda: q.pack_int4(np.arange(3))), said(lambda: q.pack_int4(BYTES, dtype="int32")),
                          said(lambda: q.AbsMaxQuantizer(value_range=(-300, 300))), said(lambda: q.get("foo")),
                          said(lambda: q.get(3))],
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    ours, keras = both(lambda k: FUNCTIONS[name](k.quantizers))
    for one, other in zip(ours, keras, strict=True):
        if isinstance(one, np.ndarray):
            assert (one.dtype, one.shape) == (other.dtype, other.shape)
            np.testing.assert_allclose(one.astype("float32"), other.astype("float32"), rtol=3e-7, atol=1e-7)
        else:
            assert one == other


def test_float8_keeps_16_bit_numbers_apart():
    small = jax.numpy.asarray(X, "bfloat16")
    for ours, keras in zip(
        *both(lambda k: plain(k.quantizers.abs_max_quantize(jax.numpy.asarray(small), 0))), strict=True
    ):
        assert ours.dtype == keras.dtype
        np.testing.assert_array_equal(ours.astype("float32"), keras.astype("float32"))


# ---------------------------------------------------------------- policies and configs

POLICIES = (
    "int8_from_float32", "int8_from_mixed_bfloat16", "int4_from_float32", "int4/32_from_float32",
    "int4/-1_from_bfloat16", "float8_from_float32", "float8_from_mixed_bfloat16", "gptq/4/128_from_float32",
    "gptq/2/-1_from_mixed_bfloat16", "awq/4/128_from_float32", "gptq_from_float32", "int4/0_from_float32",
    "int4/x_from_float32", "gptq/5/128_from_float32", "awq/8/128_from_float32", "int8_from_float8",
    "int9_from_float32", "gptq/4/0_from_float32", "gptq/4_from_float32", "int8_from_float16",
    "int8_from_mixed_float16", "int8_from_foo", "int8_from_", "int8/12_from_float32", "int4/2_from_float16",
)  # fmt: skip


def described(k, name):
    policy = k.dtype_policies.get(name)
    numbers = [getattr(policy, n, None) for n in ("block_size", "weight_bits", "group_size", "amax_history_length")]
    again = k.dtype_policies.deserialize(k.dtype_policies.serialize(policy))
    return [
        policy.name, policy.quantization_mode, policy.compute_dtype, policy.variable_dtype, numbers,
        k.dtype_policies.serialize(policy), again == policy, repr(policy),
    ]  # fmt: skip


@pytest.mark.parametrize("name", POLICIES)
def test_policies(name):
    ours, keras = both(lambda k: said(lambda: described(k, name)))
    assert ours == keras


CONFIGS = {
    "int8": lambda q: q.Int8QuantizationConfig(),
    "int8 weights": lambda q: q.Int8QuantizationConfig(q.AbsMaxQuantizer(axis=0, value_range=(-31, 31)), None),
    "int4": lambda q: q.Int4QuantizationConfig(),
    "int4 columns": lambda q: q.Int4QuantizationConfig(None, q.AbsMaxQuantizer(axis=-1), block_size=-1),
    "int4 none": lambda q: q.Int4QuantizationConfig(block_size=None),
    "int4 both": lambda q: q.Int4QuantizationConfig(q.AbsMaxQuantizer(axis=0)),
    "int4 zero": lambda q: q.Int4QuantizationConfig(block_size=0),
    "int4 negative": lambda q: q.Int4QuantizationConfig(block_size=-2),
    "int8 of 32": lambda q: q.Int8QuantizationConfig(q.AbsMaxQuantizer(axis=0, output_dtype="int32")),
    "float8": lambda q: q.Float8QuantizationConfig(),
    "gptq": lambda q: q.GPTQConfig(None, None, weight_bits=3, group_size=-1, symmetric=True),
    "gptq bits": lambda q: q.GPTQConfig(None, None, weight_bits=5),
    "gptq samples": lambda q: q.GPTQConfig(None, None, num_samples=0),
    "gptq damping": lambda q: q.GPTQConfig(None, None, hessian_damping=2),
    "awq": lambda q: q.AWQConfig(None, None, group_size=32, num_grid_points=5),
    "awq bits": lambda q: q.AWQConfig(None, None, weight_bits=8),
    "awq grid": lambda q: q.AWQConfig(None, None, num_grid_points=0),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_configs(name):
    def answer(k):
        config = CONFIGS[name](k.quantizers)
        string = config.dtype_policy_string() if config.mode in ("gptq", "awq") else None
        return [config.mode, config.get_config(), string, type(config).from_config(config.get_config()).get_config()]

    ours, keras = both(lambda k: said(lambda: answer(k)))
    assert ours == keras


# ---------------------------------------------------------------- layers

LAYERS = {
    "Dense": (lambda k: k.layers.Dense(5, activation="tanh", name="layer"), (None, 7)),
    "Dense without bias": (lambda k: k.layers.Dense(4, use_bias=False, name="layer"), (None, 3, 7)),
    "EinsumDense": (lambda k: k.layers.EinsumDense(
        "abc,cde->abde", (None, 3, 5), bias_axes="de", name="layer"), (None, 2, 7)),
    "heads first": (lambda k: k.layers.EinsumDense("btd,ndh->btnh", (None, 3, 5), name="layer"), (None, 2, 7)),
    "back from heads": (lambda k: k.layers.EinsumDense(
        "btnh,nhd->btd", (None, 7), bias_axes="d", name="layer"), (None, 2, 3, 5)),
    "turned": (lambda k: k.layers.EinsumDense("ab,cbd->adc", (2, 5), name="layer"), (None, 7)),
    "shared axis": (lambda k: k.layers.EinsumDense("abc,cbd->abd", (3, 5), name="layer"), (None, 3, 7)),
    "Embedding": (lambda k: k.layers.Embedding(9, 7, name="layer"), (None, 2)),
    "ReversibleEmbedding": (lambda k: k.layers.ReversibleEmbedding(9, 7, name="layer"), (None, 2)),
    "untied": (lambda k: k.layers.ReversibleEmbedding(9, 7, tie_weights=False, name="layer"), (None, 2)),
}  # fmt: skip
QUANTIZATIONS = {
    "int8": lambda q: q.Int8QuantizationConfig(),
    "int8 weights": lambda q: q.Int8QuantizationConfig(None, None),
    "int8 of 6": lambda q: q.Int8QuantizationConfig(q.AbsMaxQuantizer(axis=0, value_range=(-31, 31))),
    "int4": lambda q: q.Int4QuantizationConfig(),
    "int4 blocks": lambda q: q.Int4QuantizationConfig(block_size=3),
    "int4 columns": lambda q: q.Int4QuantizationConfig(block_size=-1),
    "int4 and 8": lambda q: q.Int4QuantizationConfig(None, q.AbsMaxQuantizer(axis=-1), block_size=-1),
    "float8": lambda q: q.Float8QuantizationConfig(),
}


def quantized(k, layer, quantization, policy="float32", rank=None, early=False):
    """A layer with known weights, quantized, and what else was done with it."""
    make, shape = LAYERS[layer]
    made = make(k)
    made.dtype_policy = policy
    made.build(shape)
    values = np.random.default_rng(1)
    set_all(made, made.weights, values)
    if rank and early:
        made.enable_lora(rank)
        set_all(made, factors(made), values)
    made.quantize(config=QUANTIZATIONS[quantization](k.quantizers))
    if rank and not early:
        made.enable_lora(rank)
        set_all(made, factors(made), values)
    return made, inputs(layer, shape, values)


def factors(layer):
    return [v for v in layer.weights if "lora" in v.name]


def set_all(layer, variables, values):
    for variable in variables:
        variable.assign(values.standard_normal(variable.shape))


def inputs(layer, shape, values):
    shape = (4, *shape[1:])
    is_table = "mbedding" in layer or layer == "untied"
    return values.integers(0, 9, shape) if is_table else values.standard_normal(shape).astype("float32")


def results(layer, x):
    """Outputs of a layer, also those of the way back."""
    found = {"outputs": np.asarray(layer(x)).astype("float32")}
    if "Reversible" in type(layer).__name__:
        vectors = np.random.default_rng(2).standard_normal((4, 7)).astype("float32")
        found["scores"] = np.asarray(layer(vectors, reverse=True)).astype("float32")
    return found


def kept(layer):
    """What files hold of a layer."""
    store = {}
    layer.save_own_variables(store)
    return {key: np.asarray(value) for key, value in store.items()}


def config_of(layer):
    config = layer.get_config()
    return {key: config.get(key) for key in ("dtype", "quantization_config", "lora_rank")}


def of_layer(k, layer, quantization, **options):
    made, x = quantized(k, layer, quantization, **options)
    return {
        "results": results(made, x), "kept": kept(made), "config": config_of(made),
        "mode": made.quantization_mode, "trained": sorted(v.name for v in made.trainable_weights),
        "spec": {str(mode): names for mode, names in made.variable_serialization_spec.items()},
    }  # fmt: skip


def agree(ours, keras, tolerance=2e-6):
    assert ours.keys() == keras.keys()
    for key, one in ours.items():
        other = keras[key]
        if isinstance(one, dict) and key in ("results", "kept", "gradients"):
            agree(one, other, tolerance)
        elif isinstance(one, np.ndarray):
            assert one.shape == other.shape, key
            other = other.astype(one.dtype)  # Keras keeps one kind of zero points as floats
            np.testing.assert_allclose(
                one.astype("float32"), other.astype("float32"), rtol=tolerance, atol=tolerance * 10, err_msg=str(key)
            )
        else:
            assert one == other, key


def offered(layer, quantization):
    if quantization == "int8 of 6":  # Keras's quantizers of weights must know the axis, which is another one elsewhere
        return layer.startswith("Dense")
    return quantization != "float8" or not ("mbedding" in layer or layer == "untied")


CASES = [(layer, quantization) for layer in LAYERS for quantization in QUANTIZATIONS if offered(layer, quantization)]


@pytest.mark.parametrize(("layer", "quantization"), CASES)
def test_layers(layer, quantization):
    agree(*both(lambda k: of_layer(k, layer, quantization)))


@pytest.mark.parametrize("quantization", ["int8", "int4 blocks", "int4 columns"])
@pytest.mark.parametrize("layer", ["Dense", "EinsumDense", "Embedding"])
@pytest.mark.parametrize("early", [True, False], ids=["corrected first", "quantized first"])
def test_low_rank_corrections(layer, quantization, early):
    agree(*both(lambda k: of_layer(k, layer, quantization, rank=2, early=early)))


@pytest.mark.parametrize("quantization", ["int8", "int8 weights", "int4 blocks", "int4 columns", "float8"])
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "bfloat16"])
@pytest.mark.parametrize("layer", ["Dense", "EinsumDense"])
def test_16_bits(layer, policy, quantization):
    ours, keras = both(lambda k: results(*quantized(k, layer, quantization, policy)))
    agree(ours, keras, 1e-2)


@pytest.mark.parametrize("quantization", ["int8", "int4 blocks", "int4 and 8"])
@pytest.mark.parametrize("layer", ["Dense", "EinsumDense", "back from heads"])
def test_gradients_of_inputs(layer, quantization):
    def gradient(k):
        made, x = quantized(k, layer, quantization)
        return {"x": np.asarray(jax.grad(lambda x: (made(x) ** 2).sum())(x))}

    agree(*both(gradient), 2e-5)


def test_float8_gradients_and_histories():
    def gradients(k):
        policy = k.dtype_policies.QuantizedFloat8DTypePolicy("float8", "float32", 4)
        layer = k.layers.Dense(5, dtype=policy)
        layer.build((None, 7))
        values = np.random.default_rng(1)
        for variable in sorted(layer.weights, key=lambda v: v.name):
            variable.assign(np.abs(values.standard_normal(variable.shape)) + 0.1)
        x = values.standard_normal((4, 7)).astype("float32")
        trained = layer.trainable_variables

        def loss(state, x):
            return (layer.stateless_call(state, [], x, training=True)[0] ** 2).sum()

        of_weights, of_x = jax.grad(loss, (0, 1))([v.value for v in trained], x)
        named = {v.name: np.asarray(g) for v, g in zip(trained, of_weights, strict=True)}
        return {"gradients": dict(sorted(named.items())), "x": np.asarray(of_x)}

    agree(*both(gradients), 1e-5)


@pytest.mark.parametrize("policy", [
    "int8_from_float32", "int4_from_float32", "int4/3_from_float32", "float8_from_float32", "gptq/4/2_from_float32",
    "gptq/3/-1_from_float32", "awq/4/2_from_float32",
])  # fmt: skip
@pytest.mark.parametrize("layer", ["Dense", "EinsumDense", "heads first", "turned", "untied"])
def test_layers_made_by_a_policy(layer, policy):
    def shapes(k):
        made = LAYERS[layer][0](k)
        made.dtype_policy = policy
        made.build(LAYERS[layer][1])
        names = {"zero_point": "kernel_zero"}
        return {names.get(v.name, v.name): [list(v.shape), str(v.dtype)] for v in made.weights}

    ours, keras = both(lambda k: said(lambda: shapes(k)))
    if layer == "untied" and isinstance(ours, dict) and "reverse_embeddings_zero" in ours:
        keras["reverse_embeddings_zero"][1] = "int8"  # float32 there
    assert ours == keras


# ---------------------------------------------------------------- models and files


def quantize(model, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns of every layer that has nothing to quantize
        model.quantize(*args, **kwargs)


def transformer(k):
    """A model of everything that can be quantized, and some that cannot."""
    ids = k.Input((6,), dtype="int32")
    table = k.layers.ReversibleEmbedding(11, 8, name="table")
    x = table(ids)
    x = k.layers.EinsumDense("btd,dnh->btnh", (None, 2, 4), bias_axes="nh", name="heads")(x)
    x = k.layers.EinsumDense("btnh,nhd->btd", (None, 8), bias_axes="d", name="joined")(x)
    x = k.layers.LayerNormalization(name="norm")(x)
    x = k.layers.Dense(8, activation="relu", name="inner")(x)  # Keras's TimeDistributed would compute with raw integers
    model = k.Model(ids, table(x, reverse=True))
    values = np.random.default_rng(4)
    model.set_weights([values.standard_normal(w.shape) * 0.5 for w in model.get_weights()])
    return model


IDS = np.random.default_rng(5).integers(0, 11, (3, 6))


def named(model):
    return [[layer.name, layer.dtype_policy.name] for layer in model.layers[1:]]


@pytest.mark.parametrize("filters", [None, "head", ["head", "^norm", "ab"], "no such"])
def test_filters(filters):
    def names(k):
        model = transformer(k)
        quantize(model, "int8", filters=filters)
        return named(model)

    ours, keras = both(names)
    assert ours == keras


@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
def test_files_of_keras(mode, tmp_path):
    def files(k):
        model = transformer(k)
        quantize(model, mode)
        model.save(tmp_path / "model.keras")
        model.save_weights(tmp_path / "model.weights.h5")
        outputs = np.asarray(model(IDS))
        return [outputs, (tmp_path / "model.keras").read_bytes(), (tmp_path / "model.weights.h5").read_bytes()]

    outputs, whole, weights = ask(files)
    (tmp_path / "k.keras").write_bytes(whole)
    (tmp_path / "k.weights.h5").write_bytes(weights)
    model = cornu.saving.load_model(tmp_path / "k.keras")
    np.testing.assert_allclose(model(IDS), outputs, rtol=1e-5, atol=1e-5)
    assert model.get_layer("heads").quantization_mode == mode
    fresh = transformer(cornu)
    quantize(fresh, mode)
    fresh.load_weights(tmp_path / "k.weights.h5")
    np.testing.assert_allclose(fresh(IDS), outputs, rtol=1e-5, atol=1e-5)
    own = transformer(cornu)
    own.quantize(mode)
    np.testing.assert_allclose(own(IDS), outputs, rtol=1e-5, atol=1e-5)


@pytest.mark.live
@pytest.mark.parametrize(("mode", "corrected"), [
    ("int8", False), ("int8", True), ("int4", False), ("int4", True), ("float8", False),
])  # fmt: skip
def test_keras_reads_files(mode, corrected, tmp_path):
    import keras

    model = transformer(cornu)
    model.quantize(mode)
    if corrected:
        model.get_layer("heads").enable_lora(2)
        set_all(model, factors(model.get_layer("heads")), np.random.default_rng(7))
    model.save(tmp_path / "c.keras")
    model.save_weights(tmp_path / "c.weights.h5")
    read = keras.saving.load_model(tmp_path / "c.keras")
    model = cornu.saving.load_model(tmp_path / "c.keras")  # the correction merged
    np.testing.assert_allclose(np.asarray(read(IDS)), model(IDS), rtol=1e-4, atol=1e-4)
    fresh = transformer(keras)
    quantize(fresh, mode)
    fresh.load_weights(tmp_path / "c.weights.h5")
    np.testing.assert_allclose(np.asarray(fresh(IDS)), model(IDS), rtol=1e-4, atol=1e-4)


def test_training_in_float8():
    def losses(k):
        model = k.Sequential([k.Input((5,)), k.layers.Dense(4, activation="relu"), k.layers.Dense(1)])
        values = np.random.default_rng(6)
        model.set_weights([values.standard_normal(w.shape) for w in model.get_weights()])
        quantize(model, "float8")
        model.compile(k.optimizers.SGD(0.01), "mse")
        history = model.fit(X, X[:, :1], epochs=5, batch_size=6, shuffle=False, verbose=0)
        state = {v.path.split("/", 1)[-1]: np.asarray(v)[..., :3] if v.shape else np.asarray(v) for v in model.weights}
        return {
            "loss": np.array(history.history["loss"]),
            "gradients": {
                str(i): v
                for i, v in enumerate(
                    value
                    for _, value in sorted(state.items(), key=lambda item: item[0].split("/")[-1])
                    if value.ndim == 0
                )
            },
        }

    ours, keras = both(losses)
    np.testing.assert_allclose(ours["loss"], keras["loss"], rtol=1e-4)
