"""`tf.print`: values as TensorFlow writes them; those in a compiled function once they are known."""

import sys

import jax
import numpy as np

from cornu.core.typing import Nested, Tensor
from cornu.core.variable import Variable
from cornu.tensorflow.ragged import RaggedTensor
from cornu.tensorflow.sparse import SparseTensor
from cornu.tensorflow.texts import Text, text


def print_tensors(
    *inputs: Nested,
    output_stream: object = None,
    summarize: int = 3,
    sep: str = " ",
    end: str = "\n",
    name: str | None = None,
) -> None:
    """Print values.

    Args:
        inputs: tensors, or anything else, nested in lists, tuples and dicts.
        output_stream: an open file such as `sys.stdout`, the path of a file to append to as `"file://..."`, or a
            function of the text such as `logging.info`. Defaults to `sys.stderr`, as in TensorFlow.
        summarize: how many elements to show at each end of an axis; -1 shows all. Defaults to 3.
        sep: what separates the values.
        end: what follows them.
        name: not needed.
    """
    traced = [leaf for leaf in jax.tree.leaves(inputs) if isinstance(leaf, jax.core.Tracer)]

    def write(*values: Tensor) -> None:
        known = dict(zip(map(id, traced), values, strict=True))
        words = (value if isinstance(value, str) else _shown(value, summarize, known) for value in inputs)
        _to(output_stream, sep.join(words) + end)

    if traced:
        jax.debug.callback(write, *traced)
    else:
        write()


def _to(stream: object, line: str) -> None:
    if isinstance(stream, str) and stream.startswith("file://"):
        with open(stream.removeprefix("file://"), "a", encoding="utf-8") as file:
            file.write(line)
    elif callable(stream):
        stream(line.rstrip("\n"))
    elif stream is None or hasattr(stream, "write"):
        (sys.stderr if stream is None else stream).write(line)
    else:
        raise ValueError(
            'tf.print: output_stream must be an open file, "file://" and a path, or a function that logs. Received: '
            f"{stream!r}."
        )


def _shown(value: Nested, most: int, known: dict[int, Tensor]) -> str:
    value = known.get(id(value), value)
    if isinstance(value, RaggedTensor):
        return _shown(value.to_list(), most, known)
    if isinstance(value, SparseTensor):
        parts = (("indices", value.indices), ("values", value.values), ("shape", value.dense_shape))
        return f"'SparseTensor({', '.join(f'{name}={_shown(np.asarray(part), most, known)}' for name, part in parts)})'"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {_shown(each, most, known)}" for key, each in value.items()) + "}"
    if type(value) in (list, tuple):
        left, right = "[]" if isinstance(value, list) else ("(", ",)" if len(value) == 1 else ")")
        return left + ", ".join(_shown(each, most, known) for each in value) + right
    if isinstance(value, (jax.Array, np.ndarray, np.generic, Variable)) and not isinstance(value, jax.core.Tracer):
        return _of_array(np.asarray(value.value if isinstance(value, Variable) else value), most, 0)
    return repr(value) if isinstance(value, str) else str(value)


def _of_array(array: Tensor, most: int, depth: int) -> str:
    if not np.ndim(array):
        return _of_number(array[()] if isinstance(array, np.ndarray) else array)
    parts = [_of_array(each, most, depth + 1) for each in (array if _fits(array, most) else array[:most])]
    if not _fits(array, most):
        parts += ["...", *(_of_array(each, most, depth + 1) for each in array[len(array) - most :])]
    between = " " if array.ndim == 1 else "\n" * (array.ndim - 1) + " " * (depth + 1)
    return f"[{between.join(parts)}]"


def _fits(array: np.ndarray, most: int) -> bool:
    return most < 0 or len(array) <= 2 * most


def _of_number(value: Tensor) -> str:
    """A number with as few digits as tell it from its neighbours, up to nine; text in quotation marks."""
    if isinstance(value, (str, bytes, Text)):
        return f'"{text(value).item().decode("utf-8", "replace")}"'
    if isinstance(value, (bool, np.bool_)):
        return str(int(value))
    if np.issubdtype(value.dtype, np.floating):
        short = f"{value:.6g}"
        return short if value.dtype.type(short) == value or not np.isfinite(value) else f"{value:.9g}"
    return str(value)
