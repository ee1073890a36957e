"""Every constructor of `applications` beside Keras's: structure, weights from a file that Keras wrote, outputs.

As a command, `python tests/parity/applications_table.py [NAME ...]` goes through all of them, or the ones named, and
prints a line for each. The tests use the same functions for one small member of each family.
"""

import contextlib
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"

import h5py
import jax
import numpy as np

import cornu

CLOSE = 1e-4
SMALLEST = {"InceptionV3": 75, "InceptionResNetV2": 75, "Xception": 71}
SMALL = {"classes": 10, "classifier_activation": None, "weights": None}


GRADIENTS = ("ResNet50", "VGG16", "InceptionV3", "EfficientNetB0")  # whose fine-tuning is compared too


@contextlib.contextmanager
def drawing_quickly(library):
    """Let a library draw first weights with NumPy, where it would compile a program for each shape."""

    def start(self, shape, dtype=None):
        fan = np.prod(shape[:-1]) if len(shape) > 1 else shape[0]
        return np.random.default_rng(len(shape)).normal(size=shape, scale=fan**-0.5).astype(dtype or "float32")

    kind = library.initializers.VarianceScaling
    before, kind.__call__ = kind.__call__, start
    try:
        yield
    finally:
        kind.__call__ = before


def size(name: str) -> int:
    """The height and width that `name` is compared at."""
    return SMALLEST.get(name, 32)


def arguments(kind: str, **given) -> dict:
    """Arguments that make a model with a small classifier for small images."""
    return SMALL | {"input_shape": (size(kind), size(kind), 3)} | given


def model_of(library, kind: str, **given):
    """The library's model of these arguments, its automatic names counted from the beginning."""
    library.utils.clear_session(free_memory=False)
    with drawing_quickly(library):
        return getattr(library.applications, kind)(**given)


def structure(model) -> dict:
    """What must be equal: all layers with their settings and connections, shapes, and the list of weights."""
    return {
        "name": model.name,
        "input": tuple(model.input.shape),
        "output": tuple(model.output.shape),
        "parameters": model.count_params(),
        "layers": [layer.name for layer in model.layers],
        "config": plain(model.get_config()),
        "weights": [(w.path, tuple(w.shape), str(w.dtype), w.trainable) for w in model.weights],
        "trained": [w.path for w in model.trainable_weights],
    }


def plain(x):
    """A config with tuples as lists, as a file holds it."""
    if isinstance(x, dict):
        return {key: plain(value) for key, value in x.items()}
    return [plain(value) for value in x] if isinstance(x, (list, tuple)) else x


def shake(model, seed: int = 0) -> None:
    """Give every weight a value that shows and that is the same in both libraries."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        shape, dtype = tuple(weight.shape), str(weight.dtype)
        if weight.name in ("gamma", "moving_variance", "variance") and shape:
            value = rng.uniform(0.7, 1.3, shape)
        elif weight.name in ("bias", "beta", "moving_mean", "mean"):
            value = rng.normal(size=shape) * 0.1
        elif weight.name.startswith("variable"):  # the factors of ConvNeXt, too small to be seen
            value = rng.uniform(0.2, 0.5, shape)
        elif "kernel" in weight.name:
            value = rng.standard_normal(shape, "float32") * np.float32(np.prod(shape[:-1])) ** -0.5
        else:
            continue
        weight.assign(value.astype(dtype))


def published(model, path: Path) -> Path:
    """Write the weights as the published files have them: the weights of a whole-model file, alone."""
    whole = path.with_name("whole.h5")
    model.save(whole)
    with h5py.File(whole) as source, h5py.File(path, "w") as target:
        stored = source["model_weights"]
        for key, value in stored.attrs.items():
            target.attrs[key] = value
        for key in stored:
            source.copy(stored[key], target, key)
    whole.unlink()
    return path


def images(name: str, count: int = 2, seed: int = 3) -> np.ndarray:
    """Noise from 0 to 255."""
    return np.random.default_rng(seed).uniform(0, 255, (count, size(name), size(name), 3)).astype("float32")


def outputs(model, name: str) -> np.ndarray:
    """What the model gives for the images."""
    return np.asarray(jax.jit(lambda x: model(x, training=False))(images(name)))


def difference(theirs: np.ndarray, ours: np.ndarray) -> float:
    """The largest difference of the outputs, over the largest output."""
    assert np.isfinite(theirs).all()
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


BATCHES = (3, 4, 5)  # seeds of the images


def gradients(model, name: str, trained=lambda path: True) -> list[list[np.ndarray]]:
    """The gradient of the cross-entropy for each of three batches, at some places of the chosen trainable weights.

    Normalization uses its moving averages, as fine-tuning does: the moments of a few tiny images amplify rounding.

    Args:
        model: a model that gives logits.
        name: the constructor's.
        trained: function of a weight's path.

    Returns:
        For each batch and weight 200 of its gradient's numbers, evenly spread, and the gradient's norm.
    """
    fixed = [w.value for w in model.non_trainable_variables]
    chosen = [index for index, w in enumerate(model.trainable_variables) if trained(w.path)]
    start = [w.value for w in model.trainable_variables]

    def loss(values, x):
        state = list(start)
        for index, value in zip(chosen, values, strict=True):
            state[index] = value
        logits, _ = model.stateless_call(state, fixed, x, training=False)
        return -jax.nn.log_softmax(logits)[np.arange(len(x)), np.arange(len(x)) % 10].mean()

    def some(gradient):
        flat = np.asarray(gradient).ravel()
        return np.append(flat[:: max(1, flat.size // 200)], np.sqrt((flat.astype("float64") ** 2).sum() / flat.size))

    differentiate = jax.jit(jax.grad(loss))
    values = [start[index] for index in chosen]
    return [[some(g).astype("float32") for g in differentiate(values, images(name, seed=seed))] for seed in BATCHES]


def gradient_difference(theirs: list[list[np.ndarray]], ours: list[list[np.ndarray]]) -> float:
    """The largest difference of the gradients, each over its weight's largest gradient, the tiniest ones aside.

    A ReLU or a maximum within rounding of where it turns may fall on either side, which changes a gradient at once. So
    the best of three batches counts: chance spares one of them, a mistake none.
    """
    differences = []
    for expected, found in zip(theirs, ours, strict=True):
        assert len(expected) == len(found) and expected
        floor = 1e-4 * max(np.abs(e).max() for e in expected)
        differences.append(
            max(np.abs(f - e).max() / max(np.abs(e).max(), floor) for e, f in zip(expected, found, strict=True))
        )
    return min(differences)


def line(name: str, folder: Path) -> tuple[bool, str]:
    """Compare one constructor."""
    import keras

    given = arguments(name)
    started = time.perf_counter()
    theirs = model_of(keras, name, **given)
    built = time.perf_counter()
    shake(theirs)
    file = published(theirs, folder / "weights.h5")
    middle = time.perf_counter()
    ours = model_of(cornu, name, **given)
    ended = time.perf_counter()
    same = structure(theirs) == structure(ours)
    ours.load_weights(file)
    worst = difference(outputs(theirs, name), outputs(ours, name))
    slope, told = 0.0, ""
    if name in GRADIENTS:
        slope = gradient_difference(gradients(theirs, name), gradients(ours, name))
        told = f"gradients within {slope:.1e}   "
    good = same and worst < CLOSE and slope < CLOSE
    return good, (
        f"{name:18} {len(ours.layers):5} layers {ours.count_params():10} parameters   structure "
        f"{'equal' if same else 'DIFFERS'}   outputs within {worst:.1e}   {told}built in {ended - middle:.2f} s "
        f"(Keras {built - started:.2f} s)   {'good' if good else 'BAD'}"
    )


def main(names: list[str]) -> int:
    """Compare all that are named, else all there are."""
    jax.config.update("jax_disable_most_optimizations", True)
    every = [n for n in cornu.applications.__all__ if n[0].isupper()]
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for name in names or every:
            good, text = line(name, Path(folder))
            print(text, flush=True)
            results.append(good)
            jax.clear_caches()
    print(f"{sum(results)} of {len(results)} good")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.path.insert(0, os.fspath(Path(__file__).parents[2]))
    sys.exit(main(sys.argv[1:]))
