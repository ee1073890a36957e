"""Names that the stand-in for TensorFlow lacks, and what to use instead."""

_SESSIONS = "Graphs and sessions are TensorFlow 1's; call the functions directly, and compile with tf.function."
_EXPORT = "Save with model.save(path), export with model.export(path), read with keras.models.load_model(path)."
_TAPE = "Use tf.GradientTape: with tf.GradientTape() as tape: tape.watch(x); y = f(x). Then tape.gradient(y, x)."
_SIZES = "Compiled layers need fixed image sizes. Use RandomZoom, or tf.image.resize in a dataset's map."

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
    "sparse.cross": "Use keras.layers.HashedCrossing.",
    "sparse.cross_hashed": "Use keras.layers.HashedCrossing.",
    "sparse": "Use the dense tensor, which tf.sparse.to_dense makes, and tf.sparse.from_dense of the result.",
    "lite": "Export the model as ONNX instead: model.export(path, format='onnx').",
    "estimator": "Use tf.keras.Model and fit.",
    "feature_column": "Use the layers StringLookup, IntegerLookup, Discretization, Hashing, Normalization.",
    "tpu": "Run it where JAX sees the TPU; remove the line.",
    "autodiff": "Use jax.jvp.",
    "raw_ops": "Use the function of keras.ops.",
    "lookup": "Use StaticHashTable, or the layers keras.layers.StringLookup and IntegerLookup.",
    "graph_util": _SESSIONS,
    "compat.v1.global_variables_initializer": _SESSIONS,
    "gradients": _TAPE,
    "hessians": _TAPE,
    "Graph": _SESSIONS,
    "get_default_graph": _SESSIONS,
    "make_tensor_proto": "Write arrays with tf.io.serialize_tensor, and read them with tf.io.parse_tensor.",
    "make_ndarray": "Write arrays with tf.io.serialize_tensor, and read them with tf.io.parse_tensor.",
    "queue": "Use tf.data.Dataset.",
    "quantization": "Quantize a model with model.quantize('int8').",
    "xla": "tf.function compiles with XLA.",
    "ExtensionType": "Use a NamedTuple, which functions accept as a structure of tensors.",
    "keras.layers.RandomHeight": _SIZES,
    "keras.layers.RandomWidth": _SIZES,
    "keras.layers.TFSMLayer": _EXPORT,
    "distribute.ParameterServerStrategy": "Use keras.distribution with processes: cornu launch -n 2 script.py.",
    "python": "It is private to TensorFlow. Use public names.",
}
"""Path below `tensorflow` -> advice; a path includes everything below it."""
