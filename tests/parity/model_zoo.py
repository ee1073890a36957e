"""Small models of every way of composing layers, made from either library, with inputs for them.

Each function takes the library (`cornu` or `keras`) and returns the model; `INPUTS` says what it is called on.
"""

import warnings

import numpy as np


def numbers(*shape, seed=0):
    """Floats between -1 and 1."""
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype("float32")


def tokens(*shape, top=7, seed=0):
    """Ints from 0 (padding) to `top` - 1, the rows ending in zeros."""
    ids = np.random.default_rng(seed).integers(1, top, shape).astype("int32")
    ids[:, -2:] = 0
    return ids


# ---------------------------------------------------------------- sequential


def sequential(k):
    return k.Sequential([k.Input((4,)), k.layers.Dense(3, "relu"), k.layers.Dense(2)], name="model")


def sequential_input_shape(k):
    return k.Sequential([k.layers.Dense(3, activation="relu", input_shape=(4,)), k.layers.Dense(2)], name="model")


def sequential_input_dim(k):
    return k.Sequential([k.layers.Dense(3, input_dim=4), k.layers.Dense(2, name="last")], name="model")


def sequential_late(k):
    model = k.Sequential([k.layers.Dense(3), k.layers.LayerNormalization(), k.layers.Dense(2)], name="model")
    model(numbers(5, 4))
    return model


def sequential_built(k):
    model = k.Sequential(name="model")
    model.add(k.layers.Dense(3))
    model.add(k.layers.Dense(2))
    model.build((None, 4))
    return model


def sequential_popped(k):
    model = k.Sequential([k.Input((4,)), k.layers.Dense(3), k.layers.Dense(2), k.layers.Dense(5)], name="model")
    model.pop()
    model.add(k.layers.Dense(1))
    return model


def sequential_nested(k):
    inner = k.Sequential([k.layers.Dense(3, "tanh"), k.layers.Dense(3)], name="inner")
    return k.Sequential([k.Input((4,)), inner, k.layers.Dense(2)], name="model")


def sequential_of_functional(k):
    x = k.Input((4,), name="inner_in")
    inner = k.Model(x, k.layers.Dense(3, name="d")(x), name="inner")
    return k.Sequential([inner, k.layers.Dense(2)], name="model")


def convolutional(k):
    return k.Sequential(
        [
            k.Input((8, 8, 1)),
            k.layers.Conv2D(4, 3, activation="relu", padding="same"),
            k.layers.BatchNormalization(),
            k.layers.MaxPooling2D(),
            k.layers.Dropout(0.5),
            k.layers.Flatten(),
            k.layers.Dense(3, activation="softmax", kernel_regularizer=k.regularizers.L2(0.01)),
        ],
        name="model",
    )


def masked_lstm(k):
    return k.Sequential(
        [k.Input((6,), dtype="int32"), k.layers.Embedding(7, 4, mask_zero=True), k.layers.LSTM(3), k.layers.Dense(1)],
        name="model",
    )


def bidirectional(k):
    return k.Sequential(
        [
            k.Input((6, 3)),
            k.layers.Masking(0.0),
            k.layers.Bidirectional(k.layers.GRU(3, return_sequences=True)),
            k.layers.RNN([k.layers.LSTMCell(2), k.layers.GRUCell(3)]),
            k.layers.Dense(2),
        ],
        name="model",
    )


def time_distributed(k):
    return k.Sequential(
        [k.Input((5, 4)), k.layers.TimeDistributed(k.layers.Dense(3)), k.layers.GlobalAveragePooling1D()],
        name="model",
    )


# ---------------------------------------------------------------- functional


def functional(k):
    x = k.Input((4,), name="x")
    h = k.layers.Dense(3, activation="relu", name="hidden")(x)
    return k.Model(x, k.layers.Dense(2, name="out")(h), name="model")


def shared(k):
    a, b = k.Input((4,), name="a"), k.Input((4,), name="b")
    dense = k.layers.Dense(3, name="shared")
    y = k.layers.Concatenate(name="join")([dense(a), dense(b)])
    return k.Model([a, b], k.layers.Dense(1, name="out")(y), name="model")


def stacked_shared(k):
    x = k.Input((4,), name="x")
    dense = k.layers.Dense(4, name="again")
    y = dense(dense(dense(x)))
    return k.Model(x, y, name="model")


def residual(k):
    x = k.Input((6, 6, 3), name="x")
    h = k.layers.Conv2D(4, 3, padding="same", use_bias=False)(x)
    h = k.layers.BatchNormalization()(h)
    h = k.layers.ReLU()(h)
    skip = h
    h = k.layers.Conv2D(4, 3, padding="same")(h)
    h = k.layers.add([h, skip])
    h = k.layers.GlobalAveragePooling2D()(h)
    return k.Model(x, k.layers.Dense(2)(h), name="model")


def branches(k):
    x = k.Input((4,), name="x")
    one = k.layers.Dense(3, name="one")(x)
    two = k.layers.Dense(3, name="two")(x)
    two = k.layers.Activation("tanh", name="act")(two)
    both = k.layers.Multiply(name="times")([one, two])
    return k.Model(
        inputs=x, outputs=[k.layers.Dense(1, name="p")(both), k.layers.Dense(2, name="q")(one)], name="model"
    )


def dictionaries(k):
    inputs = {"left": k.Input((4,), name="left"), "right": k.Input((3,), name="right")}
    y = k.layers.Concatenate(name="cat")([inputs["left"], inputs["right"]])
    return k.Model(inputs, {"sum": k.layers.Dense(1, name="s")(y), "arg": k.layers.Dense(2, name="a")(y)}, name="model")


def deep_structure(k):
    a, b, c = (k.Input((2,), name=name) for name in "abc")
    y = k.layers.Concatenate(name="cat")([a, b, c])
    d = k.layers.Dense(2, name="d")(y)
    return k.Model([a, (b, {"c": c})], {"all": [d, k.layers.Dense(1, name="e")(d)], "one": d}, name="model")


def tuple_outputs(k):
    a, b = k.Input((2,), name="a"), k.Input((2,), name="b")
    return k.Model((a, b), (k.layers.Add(name="plus")([a, b]), k.layers.Dense(1, name="d")(a)), name="model")


def model_as_layer(k):
    x = k.Input((4,), name="inner_x")
    inner = k.Model(x, k.layers.Dense(3, name="d1")(k.layers.Dense(5, name="d0")(x)), name="inner")
    a, b = k.Input((4,), name="a"), k.Input((4,), name="b")
    return k.Model([a, b], k.layers.Subtract(name="minus")([inner(a), inner(b)]), name="model")


def deeply_nested(k):
    x = k.Input((4,), name="x0")
    core = k.Model(x, k.layers.Dense(4, name="d")(x), name="core")
    x = k.Input((4,), name="x1")
    middle = k.Model(x, k.layers.BatchNormalization(name="bn")(core(x)), name="middle")
    x = k.Input((4,), name="x2")
    outer = k.Sequential([k.Input((4,)), k.layers.Dense(4, name="first"), middle], name="outer")
    return k.Model(x, k.layers.Dense(1, name="head")(outer(x)), name="model")


def features(k):
    base = residual(k)
    return k.Model(base.input, base.layers[3].output, name="model")


def operators(k):
    x = k.Input((4, 3), name="x")
    y = (x + 1) * 2 - x / 3
    y = k.ops.mean(y, axis=1, keepdims=True)
    y = k.ops.concatenate([y[:, 0], x[:, 1], -x[:, -1]], axis=-1)
    y = k.ops.relu(1 - y) ** 2
    return k.Model(x, k.layers.Dense(2, name="d")(y), name="model")


def slices(k):
    x = k.Input((4, 6), name="x")
    y = k.ops.stack([x[..., 0], x[:, :, 1], x[..., -1]], axis=-1)
    y = k.ops.reshape(y, (-1, 12))
    y = k.ops.where(y > 0, y, 0.1 * y)
    return k.Model(x, k.ops.matmul(y, k.ops.transpose(y)), name="model")


def splits(k):
    x = k.Input((4, 6), name="x")
    a, b = k.ops.split(x, 2, axis=-1)
    mean, variance = k.ops.moments(x, axes=[1])
    return k.Model(x, [a * b, mean, k.ops.sqrt(variance + 1e-3), k.ops.cast(a > b, "float32")], name="model")


def embedding_mask(k):
    ids = k.Input((6,), dtype="int32", name="ids")
    h = k.layers.Embedding(7, 4, mask_zero=True, name="emb")(ids)
    h = k.layers.LSTM(3, return_sequences=True, name="lstm")(h)
    h = k.layers.Dropout(0.3, name="drop")(h)
    return k.Model(ids, k.layers.Dense(1, name="out")(k.layers.GRU(2, name="gru")(h)), name="model")


def attention(k):
    x = k.Input((5, 8), name="x")
    h = k.layers.MultiHeadAttention(2, 4, name="mha")(x, x)
    h = k.layers.LayerNormalization(name="norm")(k.layers.Add(name="add")([x, h]))
    return k.Model(x, k.layers.Dense(2, name="d")(k.layers.GlobalMaxPooling1D(name="pool")(h)), name="model")


def keyword_tensors(k):
    q, v = k.Input((5, 8), name="q"), k.Input((3, 8), name="v")
    h, scores = k.layers.MultiHeadAttention(2, 4, name="mha")(query=q, value=v, return_attention_scores=True)
    return k.Model([q, v], [h, scores], name="model")


def states(k):
    x = k.Input((5, 3), name="x")
    y, h, c = k.layers.LSTM(4, return_state=True, return_sequences=True, name="encoder")(x)
    z = k.layers.LSTM(4, name="decoder")(y, initial_state=[h, c])
    return k.Model(x, z, name="model")


def training_baked(k):
    x = k.Input((4,), name="x")
    h = k.layers.BatchNormalization(name="bn")(x, training=False)
    h = k.layers.Dropout(0.5, name="drop")(h, training=False)
    return k.Model(x, k.layers.Dense(2, name="d")(h), name="model")


def frozen(k):
    x = k.Input((4,), name="x")
    base = k.Sequential(
        [k.Input((4,)), k.layers.Dense(3, name="b0"), k.layers.BatchNormalization(name="bn")], name="base"
    )
    base.trainable = False
    return k.Model(x, k.layers.Dense(2, name="head")(base(x)), name="model")


def wrappers(k):
    x = k.Input((5, 4), name="x")
    h = k.layers.Bidirectional(k.layers.LSTM(3, return_sequences=True), merge_mode="sum", name="bi")(x)
    h = k.layers.TimeDistributed(k.layers.Dense(2), name="td")(h)
    h = k.layers.SpectralNormalization(k.layers.Dense(3), name="sn")(k.layers.Flatten(name="flat")(h))
    return k.Model(x, h, name="model")


def mixed_policy(k):
    x = k.Input((4,), name="x")
    h = k.layers.Dense(3, dtype="mixed_bfloat16", name="mixed")(x)
    return k.Model(x, k.layers.Dense(2, dtype="float32", name="full")(h), name="model")


def regularized(k):
    x = k.Input((4,), name="x")
    h = k.layers.Dense(
        3, kernel_regularizer="l2", bias_constraint=k.constraints.MaxNorm(2), kernel_initializer="he_normal", name="d",
        activity_regularizer=k.regularizers.L1(0.1), activation=k.activations.gelu,
    )(x)  # fmt: skip
    return k.Model(x, k.layers.LeakyReLU(0.2, name="leaky")(h), name="model")


def random_layers(k):
    x = k.Input((4,), name="x")
    h = k.layers.GaussianNoise(0.1, seed=3, name="noise")(x)
    h = k.layers.Dropout(0.3, seed=1, name="drop")(h)
    return k.Model(x, k.layers.Dense(2, name="d")(h), name="model")


def same_outputs(k):
    x = k.Input((4,), name="x")
    y = k.layers.Dense(2, name="d")(x)
    return k.Model(x, [y, y, x], name="model")


def unused_layer_order(k):
    x = k.Input((4,), name="x")
    last = k.layers.Dense(2, name="last")
    first = k.layers.Dense(3, name="first")
    side = k.layers.Dense(2, name="side")(x)
    return k.Model(x, k.layers.Add(name="add")([last(first(x)), side]), name="model")


def several_sizes(k):
    x = k.Input((None, 3), name="x")
    y = k.layers.Conv1D(4, 3, padding="causal", name="conv")(x)
    return k.Model(x, k.layers.GlobalAveragePooling1D(name="pool")(y), name="model")


def masked_beside_unmasked(k):
    words, tags = (k.Input((5,), dtype="int32", name=name) for name in ("words_in", "tags_in"))
    masked = k.layers.Embedding(7, 4, mask_zero=True, name="words")(words)
    both = k.layers.Concatenate()([masked, k.layers.Embedding(7, 4, name="tags")(tags)])
    steps = k.layers.Concatenate(axis=1)([both, k.layers.Masking(name="other")(both)])
    return k.Model([words, tags], k.layers.GlobalAveragePooling1D()(steps), name="model")


INPUTS = {
    sequential: numbers(5, 4),
    sequential_input_shape: numbers(5, 4),
    sequential_input_dim: numbers(5, 4),
    sequential_late: numbers(5, 4),
    sequential_built: numbers(5, 4),
    sequential_popped: numbers(5, 4),
    sequential_nested: numbers(5, 4),
    sequential_of_functional: numbers(5, 4),
    convolutional: numbers(3, 8, 8, 1),
    masked_lstm: tokens(3, 6),
    bidirectional: numbers(3, 6, 3) * (np.arange(6)[:, None] < 4),
    time_distributed: numbers(3, 5, 4),
    functional: numbers(5, 4),
    shared: [numbers(5, 4), numbers(5, 4, seed=1)],
    stacked_shared: numbers(5, 4),
    residual: numbers(2, 6, 6, 3),
    branches: numbers(5, 4),
    dictionaries: {"left": numbers(5, 4), "right": numbers(5, 3, seed=1)},
    deep_structure: [numbers(5, 2), (numbers(5, 2, seed=1), {"c": numbers(5, 2, seed=2)})],
    tuple_outputs: (numbers(5, 2), numbers(5, 2, seed=1)),
    model_as_layer: [numbers(5, 4), numbers(5, 4, seed=1)],
    deeply_nested: numbers(5, 4),
    features: numbers(2, 6, 6, 3),
    operators: numbers(5, 4, 3),
    slices: numbers(5, 4, 6),
    splits: numbers(5, 4, 6),
    embedding_mask: tokens(3, 6),
    attention: numbers(2, 5, 8),
    keyword_tensors: [numbers(2, 5, 8), numbers(2, 3, 8, seed=1)],
    states: numbers(3, 5, 3),
    training_baked: numbers(5, 4),
    frozen: numbers(5, 4),
    wrappers: numbers(2, 5, 4),
    mixed_policy: numbers(5, 4),
    regularized: numbers(5, 4),
    random_layers: numbers(5, 4),
    same_outputs: numbers(5, 4),
    unused_layer_order: numbers(5, 4),
    several_sizes: numbers(2, 7, 3),
    masked_beside_unmasked: [tokens(4, 5), tokens(4, 5, seed=1)],
}
MODELS = tuple(INPUTS)


def make(build, library):
    """The model, its automatic names counted from zero."""
    library.backend.clear_session(free_memory=False)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Do not pass an `input_shape`")  # Keras would rather have an Input
        return build(library)


def random_weights(model, seed=0):
    """Values for `set_weights`; positive, since some are variances."""
    draw = np.random.default_rng(seed)
    return [draw.uniform(0.1, 0.9, v.shape).astype(str(v.dtype)) for v in model.weights]


def filled(build, library):
    """The model of that library, with weights that are the same in both."""
    model = make(build, library)
    model.set_weights(random_weights(model))
    return model
