"""What programs are drawn from: layers with their arguments, losses, metrics, optimizers, small operations.

A row of `LAYERS` says how many axes a sample has, which arguments a layer must have and may have, and what it takes.
"""

from dataclasses import dataclass, field
from typing import Any

from tests.differential.program import New

ACTIVATIONS = ["relu", "tanh", "sigmoid", "gelu", "softmax", "elu", "swish", "linear", "softplus", "leaky_relu"]
REGULARIZERS = ["l2", New("regularizers.L1", {"l1": 0.01}), New("regularizers.L1L2", {"l1": 0.02, "l2": 0.01})]
CONSTRAINTS = ["non_neg", New("constraints.MaxNorm", {"max_value": 0.7}), "unit_norm"]
STARTS = ["zeros", "ones", "he_normal", New("initializers.RandomUniform", {"minval": -0.1, "maxval": 0.1})]
DTYPES = ["float32", "mixed_bfloat16", "bfloat16", New("dtype_policies.DTypePolicy", {"name": "mixed_bfloat16"})]
KERNEL = {"kernel_regularizer": REGULARIZERS, "kernel_constraint": CONSTRAINTS, "kernel_initializer": STARTS}
BIAS = {"bias_regularizer": REGULARIZERS, "bias_initializer": STARTS, "use_bias": [False]}
DENSE = {**KERNEL, **BIAS, "activity_regularizer": REGULARIZERS, "activation": ACTIVATIONS}
ANY = {"trainable": [False], "dtype": DTYPES}  # every layer may have these
RECURRENT = {
    "return_sequences": [True], "go_backwards": [True], "activation": ["relu", "tanh"], "use_bias": [False],
    "kernel_regularizer": REGULARIZERS, "recurrent_initializer": ["glorot_uniform", "zeros"], "unroll": [True],
}  # fmt: skip
FORMAT = {"data_format": ["channels_last"]}


@dataclass(frozen=True)
class Row:
    """A layer: axes of a sample, arguments it must and may have, how it is called, how many tensors it takes."""

    axes: tuple[int, ...]
    must: dict[str, list] = field(default_factory=dict)
    may: dict[str, list] = field(default_factory=dict)
    how: str = "{f}({0})"
    takes: int = 1
    whole: bool = False  # whether it takes whole numbers
    weight: float = 1.0


def _wrapped(name: str, **arguments: Any) -> New:
    return New(f"layers.{name}", arguments)


MERGE = "{f}([{0}, {1}])"
PAIR = "{f}({0}, {1})"
LAYERS = {
    "Dense": Row((1, 2, 3), {"units": [1, 2, 3]}, DENSE, weight=5),
    "EinsumDense": Row(
        (2,), {"equation": ["abc,cd->abd"], "output_shape": [[None, 3]]}, {"bias_axes": ["d", "bd"][:1], **KERNEL}
    ),
    "Embedding": Row(
        (1, 2), {"input_dim": [5], "output_dim": [2, 3]},
        {"mask_zero": [True], "embeddings_regularizer": REGULARIZERS, "embeddings_initializer": ["uniform", "ones"]},
        whole=True, weight=8,
    ),
    "CategoryEncoding": Row((1,), {"num_tokens": [5]}, {"output_mode": ["multi_hot", "count"]}, whole=True),
    "Masking": Row((2,), {}, {"mask_value": [0.0]}),
    "Activation": Row((1, 2, 3), {"activation": ACTIVATIONS}),
    "ReLU": Row((1, 2, 3), {}, {"max_value": [0.5], "negative_slope": [0.1], "threshold": [0.2]}),
    "LeakyReLU": Row((1, 2, 3), {}, {"negative_slope": [0.2]}),
    "ELU": Row((1, 2), {}, {"alpha": [0.5]}),
    "PReLU": Row((1, 2, 3), {}, {"alpha_initializer": ["ones"], "shared_axes": [[1]]}),
    "Softmax": Row((1, 2), {}, {"axis": [-1, 1]}),
    "Dropout": Row((1, 2, 3), {"rate": [0.0]}, {"seed": [1], "noise_shape": [None]}),
    "SpatialDropout1D": Row((2,), {"rate": [0.0]}),
    "GaussianNoise": Row((1, 2), {"stddev": [0.0]}),
    "ActivityRegularization": Row((1, 2), {}, {"l1": [0.01], "l2": [0.02]}),
    "Identity": Row((1, 2, 3)),
    "Flatten": Row((1, 2, 3), {}, {"data_format": ["channels_first"]}, weight=2),
    "Reshape": Row((1, 2, 3), {"target_shape": [(-1,), (-1, 1), (2, -1), (1, -1)]}),
    "Permute": Row((2,), {"dims": [(2, 1)]}),
    "RepeatVector": Row((1,), {"n": [2, 3]}, weight=2),
    "Cropping1D": Row((2,), {"cropping": [1, (0, 1)]}),
    "ZeroPadding1D": Row((2,), {"padding": [1, (0, 1)]}),
    "UpSampling1D": Row((2,), {"size": [2]}),
    "ZeroPadding2D": Row((3,), {"padding": [1, ((0, 1), (1, 0))]}),
    "UpSampling2D": Row((3,), {"size": [2]}, {"interpolation": ["nearest", "bilinear"]}),
    "Rescaling": Row((1, 2, 3), {"scale": [0.5]}, {"offset": [0.1]}),
    "Normalization": Row((1, 2), {"mean": [0.1], "variance": [2.0]}, {"invert": [True]}),
    "BatchNormalization": Row(
        (1, 2, 3), {}, {"momentum": [0.5], "scale": [False], "center": [False], "axis": [-1], "epsilon": [0.01],
                        "gamma_regularizer": REGULARIZERS}, weight=2,
    ),
    "LayerNormalization": Row((1, 2, 3), {}, {"axis": [-1, [1]], "scale": [False], "center": [False]}, weight=2),
    "GroupNormalization": Row((2, 3), {"groups": [1, -1]}, {"center": [False]}),
    "RMSNormalization": Row((1, 2), {}, {"epsilon": [0.01]}),
    "UnitNormalization": Row((1, 2), {}, {"axis": [-1, 1]}),
    "SpectralNormalization": Row((1, 2), {"layer": [_wrapped("Dense", units=2)]}, {"power_iterations": [2]}),
    "Conv1D": Row(
        (2,), {"filters": [1, 2, 4], "kernel_size": [1, 2]},
        {"padding": ["same", "causal"], "strides": [2], "dilation_rate": [2], "groups": [2], **DENSE}, weight=2,
    ),
    "Conv1DTranspose": Row((2,), {"filters": [2], "kernel_size": [2]}, {"strides": [2], "padding": ["same"]}),
    "SeparableConv1D": Row((2,), {"filters": [2], "kernel_size": [2]}, {"padding": ["same"], "depth_multiplier": [2]}),
    "DepthwiseConv1D": Row((2,), {"kernel_size": [2]}, {"padding": ["same"], "depth_multiplier": [2]}),
    "Conv2D": Row(
        (3,), {"filters": [1, 2], "kernel_size": [1, 2, (1, 2)]}, {"padding": ["same"], "strides": [2], **DENSE}
    ),
    "MaxPooling1D": Row((2,), {"pool_size": [2]}, {"strides": [1], "padding": ["same"]}),
    "AveragePooling1D": Row((2,), {"pool_size": [2]}, {"strides": [1], "padding": ["same"]}),
    "MaxPooling2D": Row((3,), {}, {"strides": [1], "padding": ["same"]}),
    "GlobalAveragePooling1D": Row((2,), {}, {"keepdims": [True]}, weight=3),
    "GlobalMaxPooling1D": Row((2,), {}, {"keepdims": [True]}, weight=2),
    "GlobalAveragePooling2D": Row((3,), {}, {"keepdims": [True]}, weight=2),
    "SimpleRNN": Row((2,), {"units": [2, 3]}, RECURRENT, weight=2),
    "GRU": Row((2,), {"units": [2, 3]}, {**RECURRENT, "reset_after": [False]}, weight=2),
    "LSTM": Row((2,), {"units": [2, 3]}, {**RECURRENT, "unit_forget_bias": [False]}, weight=3),
    "RNN": Row(
        (2,), {"cell": [_wrapped("SimpleRNNCell", units=2), _wrapped("LSTMCell", units=3),
                        [_wrapped("GRUCell", units=2), _wrapped("SimpleRNNCell", units=3)]]},
        {"return_sequences": [True]},
    ),
    "Bidirectional": Row(
        (2,), {"layer": [_wrapped("GRU", units=2), _wrapped("SimpleRNN", units=2, return_sequences=True)]},
        {"merge_mode": ["sum", "mul", "ave"]}, weight=2,
    ),
    "TimeDistributed": Row(
        (2, 3), {"layer": [_wrapped("Dense", units=2), _wrapped("Dropout", rate=0.0), _wrapped("Flatten")]}, weight=2
    ),
    "Scaled": Row((1, 2, 3), {}, {"factor": [0.5]}, weight=2),
    "Counted": Row((1, 2), {"units": [2]}, weight=2),
    "Kept": Row((2,), weight=2),
    "Add": Row((1, 2, 3), how=MERGE, takes=2, weight=2),
    "Subtract": Row((1, 2), how=MERGE, takes=2),
    "Multiply": Row((1, 2), how=MERGE, takes=2),
    "Average": Row((1, 2), how=MERGE, takes=2),
    "Maximum": Row((1, 2), how=MERGE, takes=2),
    "Minimum": Row((1, 2), how=MERGE, takes=2),
    "Concatenate": Row((1, 2, 3), {}, {"axis": [1, -1]}, how=MERGE, takes=2, weight=3),
    "Dot": Row((1,), {"axes": [1]}, {"normalize": [True]}, how=MERGE, takes=2),
    "Attention": Row((2,), {}, {"use_scale": [True], "score_mode": ["concat"]}, how=MERGE, takes=2, weight=2),
    "AdditiveAttention": Row((2,), {}, {"use_scale": [False]}, how=MERGE, takes=2),
    "MultiHeadAttention": Row(
        (2,), {"num_heads": [1, 2], "key_dim": [2]}, {"value_dim": [3], "use_bias": [False], "output_shape": [2]},
        how=PAIR, takes=2, weight=2,
    ),
    "GroupQueryAttention": Row(
        (2,), {"head_dim": [2], "num_query_heads": [2], "num_key_value_heads": [1, 2]}, {"use_bias": [False]},
        how=PAIR, takes=2,
    ),
}  # fmt: skip

# Layers that Keras builds from orthogonal weights, which it cannot make in bfloat16.
RECURRENT_LAYERS = ("SimpleRNN", "GRU", "LSTM", "RNN", "Bidirectional")

# Layers whose dtype is mixed rather than bfloat16: then Keras mixes the weights of the layer inside with bfloat16.
NOT_WHOLLY_HALF = (*RECURRENT_LAYERS, "TimeDistributed", "SpectralNormalization")

# Layers that in Keras say float32 in their configs for a mixed policy, or give float32 and say bfloat16.
LOSING_POLICY = ("SpatialDropout1D", "CategoryEncoding")

# Layers that differ in training: a mode passed to one call spreads to them in Keras.
OF_TWO_MODES = ("BatchNormalization", "SpectralNormalization")

# Metrics that Keras gives other names when it reads them from an .h5 file.
RENAMED_IN_H5 = ("'mae'", "'mse'", "'MeanAbsoluteError'", "'LogCoshError'")

LOSING_MASKS = ("RMSNormalization",)  # in Keras; and where masks fall is not told from what is seen later

# Operations on one tensor and on two of one shape; {0} and {1} are the tensors.
OPERATIONS = [
    "K.ops.relu({0})", "{0} * 2.0", "1.0 - {0}", "K.ops.tanh({0})", "K.ops.mean({0}, axis=-1)", "{0}[:, :1]",
    "K.ops.sum({0}, axis=1, keepdims=True)", "K.ops.max({0}, axis=1)", "K.ops.expand_dims({0}, -1)", "K.ops.abs({0})",
    "K.ops.concatenate([{0}, {0}], axis=-1)", "K.ops.softmax({0}, axis=-1)", "-{0}", "{0} ** 2",
    "K.ops.flip({0}, axis=1)",
    "K.ops.cast({0}, 'float32')", "K.ops.clip({0}, -0.5, 0.5)", "K.ops.stack([{0}, {0}], axis=1)", "K.ops.sign({0})",
    "K.ops.where({0} > 0, {0}, 0.1)", "K.ops.reshape({0}, (-1, *{0}.shape[1:]))", "K.ops.cumsum({0}, axis=1)",
    "K.ops.one_hot(K.ops.argmax({0}, axis=-1), 3)", "K.activations.relu({0})", "K.ops.roll({0}, 1, axis=-1)",
    "K.ops.squeeze({0}, axis=-1)", "K.ops.repeat({0}, 2, axis=1)", "{0} / (1.0 + K.ops.abs({0}))",
]  # fmt: skip
PAIRS = [
    "{0} + {1}", "{0} - {1}", "{0} * {1}", "K.ops.maximum({0}, {1})", "K.ops.where({0} > {1}, {0}, {1})",
    "K.ops.concatenate([{0}, {1}], axis=-1)", "K.ops.stack([{0}, {1}], axis=1)",
    "K.ops.einsum('b...,b...->b...', {0}, {1})",
    "K.layers.add([{0}, {1}])", "K.layers.concatenate([{0}, {1}])", "K.layers.multiply([{0}, {1}])",
]  # fmt: skip

REGRESSION = [
    "mse", "mae", "huber", "log_cosh", "mean_squared_error", New("losses.MeanSquaredError"), "cosine_similarity",
    New("losses.Huber"), New("losses.MeanAbsoluteError", {"reduction": "sum"}), "MeanSquaredError",
    New("losses.LogCosh", {"name": "mine"}),
]  # fmt: skip
REGRESSION_METRICS = [
    "mae", "mse", "MeanAbsoluteError", "mean_absolute_error", New("metrics.MeanSquaredError", {"name": "squared"}),
    New("metrics.RootMeanSquaredError"), New("metrics.MeanAbsoluteError"), "cosine_similarity", "LogCoshError",
]  # fmt: skip
CLASSES = ["sparse_categorical_crossentropy", New("losses.SparseCategoricalCrossentropy")]
CLASS_METRICS = [
    "accuracy", "Accuracy", "acc", "sparse_categorical_accuracy",
    New("metrics.SparseTopKCategoricalAccuracy", {"k": 2}),
    New("metrics.SparseCategoricalCrossentropy"),
]  # fmt: skip
HOT = ["categorical_crossentropy", New("losses.CategoricalCrossentropy", {"label_smoothing": 0.1}), "kl_divergence",
       "categorical_focal_crossentropy"]  # fmt: skip
HOT_METRICS = [
    "accuracy", "categorical_accuracy", New("metrics.F1Score"), New("metrics.AUC", {"num_thresholds": 7}),
    New("metrics.FBetaScore", {"average": "macro"}), New("metrics.Precision"),
    New("metrics.TopKCategoricalAccuracy", {"k": 2}), New("metrics.CategoricalCrossentropy"),
    New("metrics.AUC", {"num_thresholds": 7, "multi_label": True}),
]  # fmt: skip
BINARY = ["binary_crossentropy", New("losses.BinaryCrossentropy"), "binary_focal_crossentropy", "mse", "hinge"]
BINARY_METRICS = [
    "accuracy", "binary_accuracy", New("metrics.AUC", {"num_thresholds": 9}), New("metrics.Precision"), "acc",
    New("metrics.Recall", {"thresholds": 0.4}), New("metrics.BinaryAccuracy", {"threshold": 0.3}),
    New("metrics.TruePositives"), New("metrics.FalseNegatives"), New("metrics.BinaryCrossentropy"),
]  # fmt: skip
SLOW_ADAM = {"learning_rate": 0.01, "epsilon": 0.01}  # with a small epsilon a gradient of rounding errors moves weights
OPTIMIZERS = [
    "sgd", New("optimizers.SGD", {"learning_rate": 0.05}), New("optimizers.Adam", SLOW_ADAM),
    New("optimizers.SGD", {"learning_rate": 0.02, "momentum": 0.9, "nesterov": True}),
    New("optimizers.SGD", {"learning_rate": 0.05, "clipnorm": 0.3}),
    New("optimizers.SGD", {"learning_rate": 0.05, "global_clipnorm": 0.5, "weight_decay": 0.01}),
    New("optimizers.SGD", {"learning_rate": 0.05, "use_ema": True, "ema_momentum": 0.8}),
    New("optimizers.SGD", {"learning_rate": 0.05, "gradient_accumulation_steps": 2}),
    New("optimizers.RMSprop", {"learning_rate": 0.01, "epsilon": 0.01, "centered": True}),
    New("optimizers.Adafactor", {"learning_rate": 2.0, "relative_step": False, "epsilon_1": 0.01}),
    New("optimizers.AdamW", SLOW_ADAM), New("optimizers.Nadam", SLOW_ADAM), New("optimizers.Adamax", SLOW_ADAM),
    New("optimizers.Adagrad", {"learning_rate": 0.05}), New("optimizers.Ftrl", {"learning_rate": 0.05}),
    New("optimizers.Adadelta", {"learning_rate": 0.5, "epsilon": 0.01}), New("optimizers.Lion", {"learning_rate": 0.0}),
    New("optimizers.Adam", {**SLOW_ADAM, "amsgrad": True}),
    New("optimizers.SGD", {"learning_rate": New("optimizers.schedules.ExponentialDecay", {
        "initial_learning_rate": 0.05, "decay_steps": 2, "decay_rate": 0.5})}),
    New("optimizers.LossScaleOptimizer", {"inner_optimizer": New("optimizers.SGD", {"learning_rate": 0.05})}),
]  # fmt: skip

MISTAKES = [  # in both libraries, before anything has changed
    "model.fit(inputs(5), labels(4), verbose=0)", "model.evaluate(inputs(4), labels(5), verbose=0)",
    "model.set_weights([*model.get_weights(), np.zeros(1)])",
    "model.load_weights('missing.weights.h5')", "model.get_layer('missing')", "model.compile(optimizer='missing')",
]  # fmt: skip
