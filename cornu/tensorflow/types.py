"""TensorFlow's types, which libraries ask values about: `isinstance(x, tf.Tensor)` is False of every value here."""

from typing import Any, NoReturn


class _Foreign:
    """A type of TensorFlow's; there are no values of it."""

    def __init__(self, *args: Any, **kwargs: Any):
        refuse(type(self).__name__)


def type_of(name: str) -> type:
    """A stand-in for the type `tensorflow.<name>`."""
    return type(name, (_Foreign,), {"__module__": "tensorflow"})


def refuse(name: str) -> NoReturn:
    """Say that TensorFlow is not here."""
    raise AttributeError(
        f"tensorflow.{name} is not here: this script runs on cornu, which serves tensorflow.keras alone. "
        f"Look for the operation in keras.ops (JAX underneath), or run the script with TensorFlow."
    )


Tensor = type_of("Tensor")
Variable = type_of("Variable")
RaggedTensor = type_of("RaggedTensor")
SparseTensor = type_of("SparseTensor")
