"""The stand-in for `tensorflow` that `cornu run` serves where TensorFlow is not installed.

The parts of TensorFlow that published scripts use, implemented with NumPy and JAX, with TensorFlow's behavior. Most
functions are cornu's own with different argument names (`served`); `tape` records operations for gradients, `function`
compiles, and `types` adds the array methods that scripts call. For missing names, `refusals` says what to use instead.
Nothing else in the package imports this subpackage.

Results are compared with stored TensorFlow answers to about 1,800 calls (`tests/parity/test_tensorflow.py`). Intended
differences: numbers have 32 bits, and dtypes promote as in JAX, where TensorFlow raises an error; a tensor's dtype is a
NumPy dtype; text is NumPy bytes instead of a `tf.Tensor`; a variable's name has no `:0`; gradients of Keras's
functions at kinks and ties are JAX's; images are resized by JAX. `tests/parity/tensorflow_differences.py` lists them
call by call.
"""

import importlib
from typing import Any

from cornu.data import elements as _elements
from cornu.layers import host as _host
from cornu.ops import conversion as _conversion
from cornu.tensorflow import (
    function as _function,
    math as _math,
    printing as _printing,
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
"""The TensorFlow release that contains Keras 3.15.1; scripts use it to detect the Keras version."""

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
    "saved_model",
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
globals().update(print=_printing.print_tensors, tuple=_tensors.tuple_)


def serve() -> None:
    """Make everything in the package permanently return arrays and text as TensorFlow scripts expect them."""
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
