"""Writes small files with real, older Keras, and what those models predict, for `test_legacy_files.py` to read.

Run with each Keras in an environment of its own; each run adds to the folder:

    KERAS_BACKEND=tensorflow python make_legacy_files.py FOLDER      # Keras 1.2.2 or 2.2.4 on TensorFlow 1.15
    KERAS_BACKEND=theano python make_legacy_files.py FOLDER          # the same on Theano
    TF_KERAS=1 python make_legacy_files.py FOLDER                    # tf.keras of TensorFlow 1.15
    python make_legacy_files.py FOLDER                               # tf.keras of TensorFlow 2.15
    python make_legacy_files.py FOLDER pack tests/files/legacy_h5.zip
    ENDING=.keras python make_legacy_files.py FOLDER                 # tf.keras of TensorFlow 2.12 and 2.15
    python make_legacy_files.py FOLDER pack tests/files/legacy_keras.zip

A case is a model, how it is compiled (or None) and its inputs. Beside `case.h5` go `case.npz` with inputs, targets,
outputs, and, for a compiled model, the losses of the next two steps of training and the outputs after them.
"""

import os
import sys
import zipfile

import numpy as np

FOLDER = sys.argv[1]
ENDING = os.environ.get("ENDING", ".h5")


def pack(target):
    """Put all files of the folder into one archive."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for place, _, names in sorted(os.walk(FOLDER)):
            for name in sorted(names):
                path = os.path.join(place, name)
                info = zipfile.ZipInfo(os.path.relpath(path, FOLDER))
                info.compress_type = zipfile.ZIP_DEFLATED
                with open(path, "rb") as file:
                    archive.writestr(info, file.read())


if len(sys.argv) > 2:
    pack(sys.argv[3])
    sys.exit()

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
try:
    if "TF_KERAS" in os.environ:
        raise ImportError
    import keras
except ImportError:
    from tensorflow import keras

if keras.backend.backend() == "theano":
    import theano.ifelse  # noqa: F401  Keras uses it without importing it

VERSION = keras.__version__
RNG = np.random.RandomState(7)
BACKEND = keras.backend.backend()
L = keras.layers
IN_KERAS_FILES = (
    "attention", "conv", "embedding_bidirectional", "graph", "gru", "legacy_adam", "legacy_schedule", "mixed_precision",
    "ops", "optimizer_adam", "optimizer_amsgrad", "optimizer_nadam", "optimizer_rmsprop", "optimizer_sgd",
    "preprocessing", "stacked_cells",
)  # fmt: skip


def image(*shape):
    return RNG.uniform(-1, 1, shape).astype("float32")


def randomise(model):
    """Weights of which no two are alike; variances stay above zero."""
    model.set_weights(
        [
            RNG.uniform(0.5, 1.5, w.shape) if w.ndim == 1 else RNG.uniform(-0.4, 0.4, w.shape)
            for w in model.get_weights()
        ]
    )


def several(x):
    return x if isinstance(x, list) else [x]


def write(name, model, inputs, compiled=None, weights_only=False):
    if ENDING != ".h5" and (weights_only or name not in IN_KERAS_FILES):
        return
    folder = os.path.join(FOLDER, f"keras-{VERSION}-{BACKEND}")
    if not os.path.isdir(folder):
        os.makedirs(folder)
    inputs = several(inputs)
    randomise(model)
    given = inputs if len(inputs) > 1 else inputs[0]
    record = {f"input_{i}": x for i, x in enumerate(inputs)}
    path = os.path.join(folder, name)
    if compiled:
        model.compile(**compiled)
        shapes = [x.shape for x in several(model.predict(given))]
        targets = [RNG.uniform(0, 1, shape).astype("float32") for shape in shapes]
        record.update({f"target_{i}": x for i, x in enumerate(targets)})
        targets = targets if len(targets) > 1 else targets[0]
        for _ in range(2):
            model.train_on_batch(given, targets)
    record.update({f"output_{i}": x for i, x in enumerate(several(model.predict(given)))})
    (model.save_weights if weights_only else model.save)(path + ENDING)
    if compiled:
        losses = [np.ravel(model.train_on_batch(given, targets))[0] for _ in range(2)]
        record["losses"] = np.array(losses, "float32")
        record.update({f"trained_{i}": x for i, x in enumerate(several(model.predict(given)))})
    np.savez(path + ".npz", **record)
    print(folder, name)


def keras_1():
    """Cases for Keras 1."""
    Sequential, Model, Input, optimizers = (
        keras.models.Sequential,
        keras.models.Model,
        keras.engine.Input,
        keras.optimizers,
    )

    def bn_conv(ordering):
        shape = (3, 8, 8) if ordering == "th" else (8, 8, 3)
        return Sequential(
            [
                L.Convolution2D(
                    4, 3, 3, input_shape=shape, border_mode="same", dim_ordering=ordering, activation="relu"
                ),
                L.BatchNormalization(axis=1 if ordering == "th" else 3),
                L.MaxPooling2D((2, 2), dim_ordering=ordering),
                L.ZeroPadding2D((1, 1), dim_ordering=ordering),
                L.Convolution2D(2, 2, 3, subsample=(2, 1), dim_ordering=ordering, bias=False),
                L.Dropout(0.25),
                L.Flatten(),
                L.Dense(3, activation="sigmoid"),
            ]
        )

    for ordering in ("tf", "th"):
        if BACKEND == "theano" or ordering == "tf":
            x = image(2, 3, 8, 8) if ordering == "th" else image(2, 8, 8, 3)
            compiled = {
                "optimizer": optimizers.SGD(0.1, momentum=0.9, decay=0.1),
                "loss": "mse",
                "metrics": ["accuracy"],
            }
            write("conv_" + ordering, bn_conv(ordering), x, compiled)
    for cell in ("LSTM", "GRU", "SimpleRNN"):
        model = Sequential(
            [getattr(L, cell)(3, input_shape=(4, 2), return_sequences=True), L.TimeDistributed(L.Dense(2))]
        )
        write(
            cell.lower(),
            model,
            image(2, 4, 2),
            {"optimizer": optimizers.Adam(0.01), "loss": "mse"} if cell == "LSTM" else None,
        )
    model = Sequential(
        [L.Embedding(10, 4, input_length=5), L.Bidirectional(L.LSTM(3)), L.Dense(1, activation="hard_sigmoid")]
    )
    write("embedding_bidirectional", model, RNG.randint(0, 10, (2, 5)))
    a, b = Input((4,), name="a"), Input((4,), name="b")
    shared = L.Dense(3, activation="tanh", name="shared")
    inner = Sequential([L.Dense(3, input_dim=3), L.BatchNormalization(), L.Dense(3)], name="inner")
    modes = ["sum", "mul", "concat", "ave", "max"]
    x, y = shared(a), shared(b)
    merged = [keras.layers.merge([x, inner(y)], mode=mode) for mode in modes]
    out = keras.layers.merge(merged, mode="concat", concat_axis=-1)
    model = Model([a, b], [L.Dense(2, name="p")(out), L.ELU()(x)])
    write(
        "graph",
        model,
        [image(2, 4), image(2, 4)],
        {"optimizer": "rmsprop", "loss": ["mse", "mae"], "loss_weights": [1.0, 0.5]},
    )
    model = Sequential(
        [
            L.Convolution1D(3, 3, input_shape=(8, 2), activation="relu"),
            L.MaxPooling1D(2),
            L.UpSampling1D(2),
            L.LeakyReLU(0.2),
            L.GlobalAveragePooling1D(),
            L.GaussianNoise(0.1),
            L.Reshape((3, 1)),
            L.Permute((2, 1)),
            L.Flatten(),
            L.RepeatVector(2),
            L.SimpleRNN(2, go_backwards=True),
        ]
    )
    write("conv_1d", model, image(2, 8, 2))
    write("maxout", Sequential([L.MaxoutDense(2, input_dim=3)]), image(2, 3))
    model = Sequential([L.Dense(3, input_dim=4), L.Activation("relu"), L.Dense(2)])
    write("weights_only", model, image(2, 4), weights_only=True)


def keras_2():
    """Cases for Keras 2 and tf.keras."""
    Sequential, Model, Input, optimizers = (
        keras.models.Sequential,
        keras.models.Model,
        keras.layers.Input,
        keras.optimizers,
    )
    modern = not VERSION.startswith("2.2")
    rate = "learning_rate" if modern else "lr"
    if modern:
        keras.utils.set_random_seed(1)
    model = Sequential(
        [
            L.Conv2D(4, 3, padding="same", activation="relu", input_shape=(8, 8, 3)),
            L.BatchNormalization(),
            L.DepthwiseConv2D(2),
            L.SeparableConv2D(3, 2),
            L.Conv2DTranspose(2, 3, strides=2, dilation_rate=1),
            L.LeakyReLU(alpha=0.2),
            L.MaxPooling2D(),
            L.SpatialDropout2D(0.1),
            L.Flatten(),
            L.Dense(
                2,
                activation="sigmoid",
                kernel_regularizer=keras.regularizers.l2(0.01),
                kernel_constraint=keras.constraints.max_norm(2),
            ),
        ]
    )
    write("conv", model, image(2, 8, 8, 3))
    for name, loss_and_metrics in {
        "sgd": {
            "optimizer": optimizers.SGD(momentum=0.9, nesterov=True, **{rate: 0.1}),
            "loss": "mse",
            "metrics": ["mae"],
        },
        "adam": {"optimizer": optimizers.Adam(**{rate: 0.01}), "loss": "binary_crossentropy", "metrics": ["acc"]},
        "rmsprop": {
            "optimizer": optimizers.RMSprop(**{rate: 0.01}),
            "loss": "mean_squared_error",
            "metrics": ["accuracy", "mse"],
        },
        "amsgrad": {"optimizer": optimizers.Adam(amsgrad=True, **{rate: 0.01}), "loss": "kullback_leibler_divergence"},
        "nadam": {"optimizer": optimizers.Nadam(**{rate: 0.01}), "loss": "mse"},
        "adagrad": {"optimizer": optimizers.Adagrad(**{rate: 0.01}), "loss": "mse"},
        "adadelta": {"optimizer": optimizers.Adadelta(**{rate: 1.0}), "loss": "mse"},
        "adamax": {"optimizer": optimizers.Adamax(**{rate: 0.01}), "loss": "mse"},
    }.items():
        model = Sequential([L.Dense(3, activation="sigmoid", input_dim=4), L.Dense(2, activation="sigmoid")])
        write("optimizer_" + name, model, image(3, 4), loss_and_metrics)
    if modern:
        legacy = keras.optimizers.legacy
        for name, optimizer in {
            "sgd": legacy.SGD(0.1, momentum=0.9, decay=0.1),
            "adam": legacy.Adam(0.01, decay=0.01),
            "rmsprop": legacy.RMSprop(0.01, momentum=0.5, centered=True),
            "schedule": legacy.Adam(keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)),
        }.items():
            model = Sequential([L.Dense(3, activation="sigmoid", input_dim=4), L.Dense(2, activation="sigmoid")])
            loss = keras.losses.BinaryCrossentropy(from_logits=False)
            write(
                "legacy_" + name,
                model,
                image(3, 4),
                {"optimizer": optimizer, "loss": loss, "metrics": [keras.metrics.BinaryAccuracy(name="b")]},
            )
    else:
        model = Sequential([L.Dense(3, activation="sigmoid", input_dim=4), L.Dense(2, activation="sigmoid")])
        write("optimizer_decay", model, image(3, 4), {"optimizer": optimizers.Adam(0.01, decay=0.1), "loss": "mse"})
    for cell, extra in (
        ("LSTM", {}),
        ("GRU", {}),
        ("SimpleRNN", {}),
        ("GRU", {"reset_after": True}),
        ("GRU", {"reset_after": False}),
        ("LSTM", {"recurrent_activation": "hard_sigmoid", "implementation": 2}),
    ):
        model = Sequential(
            [getattr(L, cell)(3, input_shape=(4, 2), return_sequences=True, **extra), L.TimeDistributed(L.Dense(2))]
        )
        write(
            "_".join([cell.lower()] + sorted(extra) + [str(v).lower() for v in list(extra.values())[:1]]),
            model,
            image(2, 4, 2),
        )
    model = Sequential(
        [
            L.Embedding(10, 4, input_length=5, mask_zero=True),
            L.Bidirectional(L.GRU(3, return_sequences=True)),
            L.LSTM(2),
            L.Dense(1),
        ]
    )
    write("embedding_bidirectional", model, RNG.randint(0, 10, (2, 5)), {"optimizer": "adam", "loss": "mse"})
    if BACKEND == "tensorflow":  # on Theano, Keras 2.2.4 gives both cells the same names and cannot save them
        cells = L.StackedRNNCells([L.LSTMCell(2), L.GRUCell(3)])
        write("stacked_cells", Sequential([L.RNN(cells, input_shape=(4, 2))]), image(2, 4, 2))
    a, b = Input((4,), name="a"), Input((4,), name="b")
    shared = L.Dense(3, activation="tanh", name="shared")
    inner = Sequential([L.Dense(3, input_dim=3), L.BatchNormalization(), L.Dense(3)], name="inner")
    frozen = Sequential([L.Dense(3, input_dim=3), L.BatchNormalization(), L.Dense(3)], name="frozen")
    frozen.trainable = False
    x, y = shared(a), shared(b)
    i = Input((3,))
    deep = Model(i, [L.Dense(2)(inner(i)), frozen(i)], name="deep")
    p, q = deep(x)
    r, s = deep(y)
    out = L.concatenate(
        [L.add([x, y]), L.multiply([p, r]), L.subtract([q, s]), L.average([x, y]), L.maximum([x, y]), L.dot([x, y], 1)]
    )
    model = Model([a, b], [L.Dense(2, name="p")(out), L.ELU()(x)])
    write(
        "graph",
        model,
        [image(2, 4), image(2, 4)],
        {"optimizer": "adam", "loss": ["mse", "mae"], "loss_weights": [1.0, 0.5], "metrics": {"p": "mae"}},
    )
    a, h = Input((4, 2)), Input((3,))
    write("initial_state", Model([a, h], L.GRU(3)(a, initial_state=h)), [image(2, 4, 2), image(2, 3)])
    write(
        "relu",
        Sequential([L.ReLU(max_value=0.5, input_shape=(4,)), L.ThresholdedReLU(0.2), L.PReLU(), L.Softmax()]),
        image(2, 4),
    )
    model = Sequential([L.Dense(3, input_dim=4), L.Activation("relu"), L.Dense(2)])
    write("weights_only", model, image(2, 4), weights_only=True)
    model = Sequential([L.Dense(2, input_dim=3), L.Lambda(lambda x: x * 2)])
    write("lambda", model, image(2, 3))
    if modern:
        tf_keras()


def tf_keras():
    """Cases for TensorFlow's Keras alone."""
    import tensorflow as tf

    Sequential, Model, Input = keras.models.Sequential, keras.models.Model, keras.layers.Input
    i = Input((4,))
    x = L.Dense(4)(i)
    x = x * 2.0 + i
    x = tf.nn.relu(x) - 0.5
    x = tf.concat([x, tf.square(i)], axis=-1)
    x = tf.reshape(x, (-1, 4, 2))[:, 1:, ::-1]
    x = 1.0 - tf.transpose(x, [0, 2, 1]) / 3.0
    x = tf.reduce_mean(x, axis=1) + tf.math.exp(tf.math.reduce_max(x, axis=[1, 2], keepdims=False))[:, None]
    write("ops", Model(i, tf.keras.activations.softmax(x)), image(2, 4))
    q, v = Input((3, 4)), Input((5, 4))
    x = L.MultiHeadAttention(2, 3)(q, v)
    x = L.LayerNormalization()(x + q)
    x = L.Attention()([x, v])
    x = L.GlobalAveragePooling1D()(x)
    write("attention", Model([q, v], L.Dense(2)(x)), [image(2, 3, 4), image(2, 5, 4)])
    keras.mixed_precision.set_global_policy("mixed_float16")
    model = Sequential([L.Dense(3, input_dim=4), L.Dense(2, dtype="float32")])
    keras.mixed_precision.set_global_policy("float32")
    write("mixed_precision", model, image(2, 4))
    write("preprocessing", Sequential([L.Rescaling(0.5, 1.0, input_shape=(4,)), L.Normalization()]), image(2, 4))
    write("sliced", Model(i, tf.math.bessel_i0(i)), image(2, 4))


def tf_keras_1():
    """Cases for the Keras of TensorFlow 1, whose operations were layers of another kind."""
    import tensorflow as tf

    a, b = L.Input((4,)), L.Input((4,))
    x = tf.nn.relu(L.Dense(4)(a) * 2.0 + b) - 0.5
    x = L.BatchNormalization()(1.0 - x / 3.0)
    x = L.Dense(2, activation="hard_sigmoid")(tf.sqrt(tf.abs(x)))
    loss, metrics = keras.losses.BinaryCrossentropy(), ["acc", keras.metrics.AUC(num_thresholds=5)]
    compiled = {"optimizer": keras.optimizers.Adam(0.01), "loss": loss, "metrics": metrics}
    write("ops", keras.Model([a, b], x), [image(3, 4), image(3, 4)], compiled)


if VERSION.startswith("1."):
    keras_1()
elif VERSION.endswith("-tf"):
    tf_keras_1()
else:
    keras_2()
