"""Runs scripts one after another in this process, without chance, and writes what each printed to a file.

Started by `scripts_on_both` as `python script_worker.py OUTPUT.json SCRIPT...` with TensorFlow, and by `cornu run`
without it. Everything drawn at random is replaced by numbers that depend on the shape alone, so that both start from
the same weights: initializers, `tf.random`, `keras.random`, dropout, and the order of datasets.
"""

import contextlib
import io
import json
import os
import random
import runpy
import sys
import tempfile
import time
import traceback
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

INITIALIZERS = (
    "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "LecunNormal", "LecunUniform", "Orthogonal",
    "RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling",
)  # fmt: skip
DROPPING = ("Dropout", "GaussianDropout", "GaussianNoise", "SpatialDropout1D", "SpatialDropout2D")


def main(output: str, scripts: list[str]) -> None:
    """Run the scripts, each in an empty folder of its own."""
    without_chance()
    found = {}
    for script in scripts:
        print(Path(script).stem, file=sys.stderr, flush=True)
        found[Path(script).stem] = printed_by(script)
        Path(output).write_text(json.dumps(found))


def printed_by(script: str) -> dict:
    """What a script prints, and the error that ended it."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    random.seed(0)
    path = str(Path(script).resolve())  # before the folder changes
    text, error, start = io.StringIO(), None, time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), contextlib.redirect_stdout(text):
        try:
            runpy.run_path(path, run_name="__main__")
        except BaseException:  # reported with the other scripts' results
            error = traceback.format_exc()
    return {"text": text.getvalue(), "error": error, "seconds": time.perf_counter() - start}


def numbers(shape: object, scale: float = 1.0) -> np.ndarray:
    """Numbers between -1 and 1 times a scale, without a visible pattern, the same for the same shape."""
    shape = tuple(int(size) for size in np.ravel(np.asarray(shape)))
    return (np.sin(np.arange(1, np.prod(shape, dtype=int) + 1) * 12.9898) * scale).reshape(shape).astype("float32")


def without_chance() -> None:
    """Replace everything that is drawn at random, in the library that runs the scripts."""
    for name in INITIALIZERS:
        getattr(keras.initializers, name).__call__ = weights
    for name in DROPPING:
        getattr(keras.layers, name).call = lambda self, inputs, training=None: inputs
    keras.layers.Embedding.call = looked_up
    for module in (tf.random, keras.random):
        for name in ("normal", "truncated_normal"):
            setattr(module, name, normal)
        module.uniform = uniform
        module.shuffle = lambda value, *how, **more: value
    tf.random.categorical = keras.random.categorical = likeliest
    tf.data.Dataset.shuffle = lambda self, *how, **more: self
    for name in ("fit", "evaluate"):
        setattr(keras.Model, name, said(getattr(keras.Model, name)))


def weights(self: object, shape: object, dtype: object = None, **how: object) -> object:
    """Initial weights: of the size that is usual for the number of inputs."""
    inputs = int(np.prod(shape[:-1])) or 1
    return keras.ops.convert_to_tensor(numbers(shape, np.sqrt(2.0 / max(inputs, 4))), dtype or "float32")


def looked_up(self: object, inputs: object) -> object:
    """The rows of an embedding, with a dense gradient: TensorFlow updates only the rows of a sparse one."""
    return keras.ops.matmul(keras.ops.one_hot(inputs, self.input_dim, dtype="float32"), self.embeddings)


def normal(
    shape: object, mean: object = 0.0, stddev: object = 1.0, dtype: object = None, seed: object = None, **how: object
) -> object:
    """In place of normally distributed numbers."""
    return keras.ops.convert_to_tensor(numbers(shape)) * stddev + mean


def uniform(
    shape: object, minval: object = 0, maxval: object = None, dtype: object = None, seed: object = None, **how: object
) -> object:
    """In place of uniformly distributed numbers."""
    top = 1 if maxval is None else maxval
    values = minval + (numbers(shape) + 1) / 2 * 0.999 * (top - minval)
    return keras.ops.convert_to_tensor(values.astype("int32") if "int" in str(dtype) else values)


def likeliest(logits: object, num_samples: int, dtype: object = None, **how: object) -> object:
    """In place of classes that are drawn: the likeliest."""
    return tf.repeat(tf.argmax(logits, axis=-1, output_type=tf.int32)[:, None], num_samples, axis=1)


within: list = []  # the model whose method runs


def said(method: object) -> object:
    """A method of a model that keeps the rows' order, and prints its results in full in place of a progress bar."""

    def run(self: object, *args: object, **kwargs: object) -> object:
        if within:  # fit evaluates by itself
            return method(self, *args, **kwargs)
        kwargs["verbose"] = 0
        if method.__name__ == "fit":
            kwargs["shuffle"] = False
        within.append(self)
        try:
            made = method(self, *args, **kwargs)
        finally:
            within.clear()
        print(method.__name__, getattr(made, "history", made))
        return made

    return run


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main(sys.argv[1], sys.argv[2:])
