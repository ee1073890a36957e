"""Files between Keras and cornu: each format, in both directions, for each layer and for models of many kinds.

A model of one library is trained for a step and saved. The other library loads it, must give the same outputs, and,
when the format holds the optimizer's state, the same losses and weights over the next two training steps.

    python -m tests.parity.file_table            # the whole table, counted per format; some minutes
"""

import copy
import os
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

if __name__ == "__main__":
    os.environ["KERAS_BACKEND"] = "jax"
    here = Path(__file__).parent
    sys.path[:0] = [str(here), str(here.parent / "contracts"), str(here.parent.parent)]

import model_zoo
import numpy as np

import cornu
from cornu import tree
from examples import EXAMPLES, IDS

STEPS = 2  # of training after the file


class Format(NamedTuple):
    """How a file of this kind is named and written, and whether it holds the model or its weights alone.

    `resumed_by` are the libraries that go on training from it as if they had never stopped: Keras fails at the first
    step after it has loaded a whole-model `.h5` with its optimizer, also one of its own. There it loads the model
    without it, and begins anew. A weights-only `.h5` holds no optimizer: with it, everyone begins anew.
    """

    name: str
    ending: str
    whole: bool
    arguments: dict = {}
    writers: tuple = ("keras", "cornu")
    resumed_by: tuple = ("keras", "cornu")


FORMATS = (
    Format(".keras", "model.keras", True),
    Format("folder", "model", True, {"zipped": False}),
    Format("whole-model .h5", "model.h5", True, resumed_by=("cornu",)),
    Format(".weights.h5", "model.weights.h5", False),
    Format("sharded", "model.weights.json", False, {"max_shard_size": 1e-6}),
    Format("weights-only .h5", "weights.h5", False, writers=("cornu",), resumed_by=()),
)


class Case(NamedTuple):
    """A model as either library makes it, and what it is called on."""

    name: str
    make: Callable[[Any], Any]
    inputs: Any
    exact: bool = True  # whether training has no randomness, which the libraries do not share


# ---------------------------------------------------------------- one model for each layer

RANDOM = ("Dropout", "Noise", "Rand", "Mix", "Solarization")
NO_MODEL = ("Equalization", "MelSpectrogram")  # in Keras: a circle in the graph; an error for the example's top_db=None
NEED_TENSORFLOW = ("Hashing", "IntegerLookup")  # in Keras; their files are looked at in test_preprocessing.py
SIX_DIGITS = {"rtol": 2e-4, "atol": 2e-5}


def layer_cases() -> Iterator[Case]:
    """A case for each layer class that a model can be made of."""
    cornu.utils.clear_session(free_memory=False)  # layers inside others have automatic names
    for name, example in EXAMPLES.items():
        if example is None or name in ("Layer", *NEED_TENSORFLOW, *NO_MODEL):
            continue
        make, shapes = example
        several = isinstance(shapes, list)
        inputs = [_sample(shape, seed) for seed, shape in enumerate(shapes if several else [shapes])]
        exact = not any(word in name for word in RANDOM)
        yield Case(name, _model_of(make().get_config(), name, inputs), inputs if several else inputs[0], exact)


def _sample(shape: Any, seed: int) -> np.ndarray:
    return model_zoo.tokens(3, 6, top=5, seed=seed) if shape is IDS else model_zoo.numbers(3, *shape, seed=seed)


def _model_of(config: dict, name: str, inputs: list[np.ndarray]) -> Callable[[Any], Any]:
    def make(k: Any) -> Any:
        layer = getattr(k.layers, name).from_config(copy.deepcopy({**config, "name": "layer"}))
        given = [k.Input(x.shape[1:], dtype=str(x.dtype), name=f"in{i}") for i, x in enumerate(inputs)]
        outputs = layer(given[0]) if len(given) == 1 else layer(*given) if name in POSITIONAL else layer(given)
        return k.Model(given if len(given) > 1 else given[0], outputs, name="model")

    return make


POSITIONAL = ("GroupQueryAttention", "MultiHeadAttention")

# ---------------------------------------------------------------- models of many kinds

OPTIMIZERS = {
    "SGD": lambda o: o.SGD(0.05, momentum=0.9, nesterov=True),
    "RMSprop": lambda o: o.RMSprop(0.01, momentum=0.5, centered=True),
    "Adam": lambda o: o.Adam(0.01, amsgrad=True),
    "AdamW": lambda o: o.AdamW(o.schedules.ExponentialDecay(0.01, 2, 0.9), weight_decay=0.01, epsilon=1e-3),
    "Adadelta": lambda o: o.Adadelta(0.5),
    "Adagrad": lambda o: o.Adagrad(0.05),
    "Adamax": lambda o: o.Adamax(0.01),
    "Nadam": lambda o: o.Nadam(0.01, epsilon=1e-3),
    "Ftrl": lambda o: o.Ftrl(0.05),
    "Lion": lambda o: o.Lion(0.005),
    "Lamb": lambda o: o.Lamb(0.01),
    "Muon": lambda o: o.Muon(0.01),
    "LossScaleOptimizer": lambda o: o.LossScaleOptimizer(o.Adam(0.01)),
    "Adam, averaged and clipped": lambda o: o.Adam(0.01, use_ema=True, clipnorm=1.0),
    "SGD, accumulated": lambda o: o.SGD(0.05, gradient_accumulation_steps=2),
    "Adafactor": lambda o: o.Adafactor(0.01),
}
COMPOSED = (
    "sequential_nested", "shared", "model_as_layer", "deeply_nested", "residual", "masked_lstm", "bidirectional",
    "attention", "operators", "dictionaries", "branches", "wrappers", "frozen", "several_sizes", "states",
    "regularized",
)  # fmt: skip


def composed_cases() -> Iterator[tuple[Case, str]]:
    """Sixteen models, each with an optimizer of its own."""
    for name, optimizer in zip(COMPOSED, OPTIMIZERS, strict=True):
        build = getattr(model_zoo, name)
        yield Case(name, lambda k, build=build: model_zoo.make(build, k), model_zoo.INPUTS[build]), optimizer


# ---------------------------------------------------------------- the comparison


# Of these Keras writes no whole-model `.h5`, since it cannot copy their `value_range`.
NO_H5 = (
    "RandomBrightness", "RandomColorDegeneration", "RandomPosterization", "RandomSaturation", "RandomSharpness",
    "Solarization",
)  # fmt: skip


def forms(writer: str, optimizer: str | None, name: str = "") -> list[Format]:
    """The formats that a library writes: Keras gives two arrays of an Adafactor one name in a whole-model `.h5`."""
    clash = writer == "keras" and (optimizer == "Adafactor" or name in NO_H5)
    return [form for form in FORMATS if writer in form.writers and not (clash and form.name == "whole-model .h5")]


class Saved(NamedTuple):
    """A model that was trained for a step and saved in each format, and what becomes of it."""

    case: Case
    folder: Path
    optimizer: str | None
    outputs: list[np.ndarray]
    losses: list[float]
    weights: list[np.ndarray]


def saved(case: Case, library: Any, folder: Path, optimizer: str | None) -> Saved:
    """Make, train and save the model, and go on training it; without an optimizer it is only saved."""
    model, optimizer = written(case, library, folder, optimizer)
    outputs = _outputs(model, case.inputs)
    losses = _train(model, case) if optimizer and case.exact else []
    return Saved(case, folder, optimizer, outputs, losses, model.get_weights())


def written(case: Case, library: Any, folder: Path, optimizer: str | None) -> tuple[Any, str | None]:
    """The model that was saved in each format, and its optimizer if it has anything to train."""
    library.utils.clear_session(free_memory=False)
    library.utils.set_random_seed(0)
    model = case.make(library)
    model.set_weights(model_zoo.random_weights(model))
    optimizer = optimizer if model.trainable_weights else None
    if optimizer:
        _compile(model, library, optimizer)
        model.train_on_batch(case.inputs, _targets(model, case.inputs))
    for form in forms(library.__name__, optimizer, case.name):
        write = model.save if form.whole else model.save_weights
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            write(str(folder / form.ending), **form.arguments)
    return model, optimizer


def check(source: Saved, form: Format, library: Any) -> bool:
    """The model that the library reads from the file does what the one that was saved does.

    Where weights alone were saved, and not trained on, they are compared; a folder holds what a `.keras` file holds.
    Returns whether its training was seen to go on as that one's does, step by step.
    """
    path = str(source.folder / form.ending)
    resumes = library.__name__ in form.resumed_by
    if form.whole:
        model = library.models.load_model(path, compile=resumes)
    else:
        model = source.case.make(library)
        if source.optimizer and resumes:
            _compile(model, library, source.optimizer)
            if library is not cornu:  # Keras loads no state into an optimizer that is not built; cornu builds it then
                model.optimizer.build(model.trainable_variables)
        model.load_weights(path)
    if not source.optimizer:
        _near(model.get_weights(), source.weights)
        if form.whole and form.name != "folder":
            _near(_outputs(model, source.case.inputs), source.outputs)
        return False
    _near(_outputs(model, source.case.inputs), source.outputs)
    if not resumes:
        _compile(model, library, source.optimizer)
    losses = _train(model, source.case)
    assert np.isfinite(losses).all()
    if not (source.case.exact and resumes):
        return False
    np.testing.assert_allclose(losses, source.losses, **SIX_DIGITS)
    _near(model.get_weights(), source.weights)
    return True


def _compile(model: Any, library: Any, optimizer: str) -> None:
    model.compile(optimizer=OPTIMIZERS[optimizer](library.optimizers), loss="mse")


def _outputs(model: Any, inputs: Any) -> list[np.ndarray]:
    return [np.asarray(x, "float32") for x in tree.flatten(model(inputs, training=False))]


def _targets(model: Any, inputs: Any) -> Any:
    return tree.map_structure(lambda x: np.full(x.shape, 0.5, "float32"), model(inputs, training=False))


def _train(model: Any, case: Case) -> list[float]:
    targets = _targets(model, case.inputs)
    return [float(np.asarray(model.train_on_batch(case.inputs, targets)).ravel()[0]) for _ in range(STEPS)]


def _near(ours: list[np.ndarray], theirs: list[np.ndarray]) -> None:
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(np.asarray(a, "float32"), np.asarray(b, "float32"), **SIX_DIGITS)


# ---------------------------------------------------------------- the whole table


def main() -> int:
    """Check everything, trained, and count."""
    import keras

    good, resumed, all_of_them = Counter(), Counter(), Counter()
    cases = [*composed_cases(), *((case, "SGD") for case in layer_cases())]
    for case, optimizer in cases:
        for writer, reader in ((keras, cornu), (cornu, keras)):
            for form, went_on, problem in _checked(case, writer, reader, optimizer):
                key = f"{form.name}, {writer.__name__} wrote it"
                all_of_them[key] += 1
                good[key] += problem is None
                resumed[key] += went_on
                if problem:
                    print(f"{case.name}, {optimizer}, {key}: {problem}", flush=True)
    for key, count in sorted(all_of_them.items()):
        print(f"{good[key]:4} of {count:4}  {key}; {resumed[key]} trained on step by step")
    return 0 if good == all_of_them else 1


def _checked(case: Case, writer: Any, reader: Any, optimizer: str) -> Iterator[tuple[Format, bool, str | None]]:
    """(format, whether training went on, what went wrong or None) for each format that the library writes."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            source = saved(case, writer, Path(folder), optimizer)
        except Exception as error:
            told = f"not saved: {_said(error)}"
            yield from ((form, False, told) for form in forms(writer.__name__, optimizer, case.name))
            return
        for form in forms(writer.__name__, optimizer, case.name):
            try:
                yield form, check(source, form, reader), None
            except Exception as error:
                yield form, False, _said(error)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


if __name__ == "__main__":
    sys.exit(main())
