"""What is not in the stand-in for TensorFlow, and what to use instead."""

_SESSIONS = "Graphs and sessions are TensorFlow 1's; call the functions directly, and compile with tf.function."
_EXPORT = "Save with model.save(path), export with model.export(path), read with keras.models.load_model(path)."

TABLE = {
    "Session": _SESSIONS,
    "placeholder": _SESSIONS,
    "global_variables_initializer": _SESSIONS,
    "get_variable": "Use tf.Variable, or add_weight in a layer.",
    "compat": _SESSIONS,
    "layers": "Use tf.keras.layers.",
    "contrib": "It left TensorFlow with version 2. Use tf.keras.",
    "flags": "Use argparse.",
    "log": "It is tf.math.log.",
    "to_float": "It is tf.cast(x, tf.float32).",
    "to_int32": "It is tf.cast(x, tf.int32).",
    "saved_model": _EXPORT,
    "lite": "Export the model as ONNX instead: model.export(path, format='onnx').",
    "estimator": "Use tf.keras.Model and fit.",
    "feature_column": "Use the layers StringLookup, IntegerLookup, Discretization, Hashing, Normalization.",
    "tpu": "Run it where JAX sees the TPU; leave the line out.",
    "autodiff": "Use jax.jvp.",
    "raw_ops": "Use the function of keras.ops.",
    "lookup": "Use StaticHashTable, or the layers keras.layers.StringLookup and IntegerLookup.",
    "graph_util": _SESSIONS,
    "profiler": "Use jax.profiler.",
    "python": "It is private to TensorFlow. Use public names.",
}
"""Path below `tensorflow` -> advice; a path stands for all below it."""
