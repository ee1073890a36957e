"""The stand-in for `tensorflow` that `cornu run` serves where TensorFlow is not installed.

What published scripts use of TensorFlow, over NumPy and JAX, each name doing what TensorFlow's does. Most functions are
cornu's own under other names of arguments (`served`); `tape` records operations for gradients, `function` compiles, and
`types` gives arrays the methods that scripts call. What is not here says what to use instead (`refusals`). Nothing else
in the package imports this folder.

What it gives is held beside TensorFlow's stored answers to some 1,800 calls (`tests/parity/test_tensorflow.py`). On
purpose these differ: numbers have 32 bits, and types mix as in JAX, where TensorFlow refuses; a tensor's dtype is
NumPy's; text is NumPy's bytes, and no `tf.Tensor`; a variable's name has no `:0`; gradients at kinks and of ties are
JAX's; pictures are resized by JAX. `tests/parity/tensorflow_differences.py` has them call by call.
"""

import importlib
from typing import Any

from cornu.data import elements as _elements
from cornu.layers import host as _host
from cornu.ops import conversion as _conversion
from cornu.tensorflow import (
    function as _function,
    math as _math,
    ragged as _ragged,
    seeds as _seeds,
    spaces as _spaces,
    sparse as _sparse,
    tape as _tape,
    tensors as _tensors,
    types as _types,
)
from cornu.tensorflow.served import refuse as _refuse
from cornu.tensorflow.texts import is_text as _is_text, text as _text
from cornu.training import prepare as _prepare

__version__ = "2.21.0"
"""The release of TensorFlow that has Keras 3.15.1; scripts ask it which Keras they meet."""

_MODULES = (
    "data",
    "errors",
    "image",
    "io",
    "keras",
    "linalg",
    "lookup",
    "math",
    "nn",
    "ragged",
    "random",
    "sets",
    "signal",
    "sparse",
    "strings",
    "summary",
    "train",
)
_OF_KERAS = ("initializers", "losses", "metrics", "optimizers")
_INITIALIZERS = {
    "constant_initializer": "Constant",
    "ones_initializer": "Ones",
    "random_normal_initializer": "RandomNormal",
    "random_uniform_initializer": "RandomUniform",
    "zeros_initializer": "Zeros",
}
_IN_MATH_ALONE = ("erf", "in_top_k", "is_nan", "l2_normalize", "log", "log1p", "log_softmax", "softmax", "top_k")

_ELSEWHERE = {
    "as_string": "strings", "edit_distance": "ctc", "eig": "linalg", "eigvals": "linalg",
}  # fmt: skip

globals().update({name: served for name, served in _math.TABLE.items() if name not in _IN_MATH_ALONE})
globals().update(_tensors.TABLE)
globals().update(_types.DTYPES)
globals().update(_spaces.CHECKS)
for _home in (_function, _spaces, _tape, _tensors, _types):
    globals().update({_name: getattr(_home, _name) for _name in _home.__all__})
globals().update(
    {_name: getattr(_ragged, _name) for _name in ("RaggedTensor", "RaggedTensorSpec", "type_spec_from_value")}
)
SparseTensor = _sparse.SparseTensor
globals().update(print=_tensors.print_tensors, tuple=_tensors.tuple_)


def serve() -> None:
    """Have arrays and text come as scripts for TensorFlow expect them, from everything in the package, for good."""
    _types.attach()
    _elements.present_as(importlib.import_module("cornu.tensorflow.data").as_tensor)
    _host.rows_of_any_length = _ragged.of_values
    _host.handlers[_ragged.RaggedTensor] = _ragged.prepared
    _conversion.text_tensor = _text_tensor
    _seeds.seeded(None)  # for draws without a seed, also cornu's own
    _prepare.needs_values[:] = _function.NEEDS_VALUES


def _text_tensor(value: object) -> object:
    return _text(value) if _is_text(value) else None


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"cornu.tensorflow.{name}")
    if name in _OF_KERAS:
        return getattr(importlib.import_module("cornu.tensorflow.keras"), name)
    if name in _INITIALIZERS:
        return getattr(importlib.import_module("cornu.initializers"), _INITIALIZERS[name])
    if name in _ELSEWHERE:
        return getattr(importlib.import_module(f"cornu.tensorflow.{_ELSEWHERE[name]}"), name)
    if name == "audio":
        return importlib.import_module("cornu.tensorflow.signal").audio
    return _refuse(name, globals())
