"""Good files of every format, small, and how each is loaded.

A file goes one of the ways that a user may take it: it is loaded, inspected, opened in the editor, or loaded after an
inspection, which must have said what came of it. Weights that are refused must leave the model as it was.
"""

import contextlib
import io
import json
import pickle
import tarfile
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import cornu
from cornu import layers
from cornu.core import budget
from cornu.saving import plain_npz, plain_pickle, plain_state
from cornu.utils import archives
from tests.contracts.examples import EXAMPLES, IDS

_OLD = Path(__file__).parents[1] / "files" / "legacy_h5.zip"  # of Keras 1 and 2
_OLD_MODELS = (
    "keras-1.2.2-tensorflow/conv_1d", "keras-1.2.2-tensorflow/graph", "keras-1.2.2-theano/conv_th",
    "keras-1.2.2-theano/lstm", "keras-2.15.0-tensorflow/attention", "keras-2.15.0-tensorflow/initial_state",
    "keras-2.15.0-tensorflow/optimizer_adam", "keras-2.15.0-tensorflow/stacked_cells", "keras-2.2.4-tensorflow/gru",
    "keras-2.2.4-tensorflow/optimizer_decay", "keras-2.2.4-tf-tensorflow/ops", "keras-2.2.4-theano/conv",
)  # fmt: skip


Door = Callable[[Path, str], Any]


class Format(NamedTuple):
    """A kind of file: the files, the doors by which one is opened, and what it is inside, which mutations go by.

    A door that is there several times is taken as much more often. A format has a share of the changes that follows
    what can go wrong in its files: most have those that describe models.
    """

    write: Callable[[Path], dict[str, Path]]
    doors: tuple[Door, ...]
    inside: str
    share: int
    most: int = 2**28  # bytes of memory that any file may take, besides what its own bytes account for
    seconds: float = 5.0  # of processor time, likewise


def dense() -> Any:
    """Weights, an optimizer with slots, a metric."""
    model = cornu.Sequential([cornu.Input((4,)), layers.Dense(2, "relu", kernel_regularizer="l2")])
    model.compile("adam", "mse", metrics=["mae", cornu.metrics.AUC(num_thresholds=5)])
    return model


def statistics() -> Any:
    """Weights that are not trained, and a constraint."""
    return cornu.Sequential([cornu.Input((4,)), layers.BatchNormalization(gamma_constraint="max_norm")])


def shared() -> Any:
    """Several inputs and outputs by name, and a shared layer."""
    a, b = cornu.Input((3,), name="a"), cornu.Input((3,), name="b")
    layer = layers.Dense(3)
    return cornu.Model({"a": a, "b": b}, {"x": layers.Concatenate()([layer(a), layer(b)]), "y": b})


def nested() -> Any:
    """A model in a model."""
    x = cornu.Input((4, 3))
    inner = cornu.Sequential([cornu.Input((4, 3)), layers.Conv1D(2, 3, padding="same")])
    return cornu.Model(x, inner(x))


def operations() -> Any:
    """Operations on tensors, a wrapped tuple, a function."""
    x = cornu.Input((4, 3))
    y = cornu.ops.mean(cornu.ops.reshape(x, (-1, 2, 6)), axis=-1) + 1.0
    return cornu.Model(x, [layers.Lambda(cornu.ops.relu)(y)])


def words_in_order() -> Any:
    """A mask, recurrence, an initializer of its own."""
    x = cornu.Input((5,), dtype="int32")
    start = cornu.initializers.RandomUniform(-1, 1, seed=3)
    y = layers.Embedding(7, 2, mask_zero=True, embeddings_initializer=start)(x)
    return cornu.Model(x, layers.GRU(2)(y))


def wrapped() -> Any:
    """Layers in layers."""
    return cornu.Sequential(
        [cornu.Input((3, 2)), layers.Bidirectional(layers.SimpleRNN(1)), layers.SpectralNormalization(layers.Dense(2))]
    )


def attention() -> Any:
    """Attention, seeds."""
    x = cornu.Input((3, 2))
    return cornu.Model(x, layers.MultiHeadAttention(1, 2, dropout=0.1)(x, layers.Dropout(0.5, seed=1)(x)))


def image() -> Any:
    """Convolutions, padding, pooling."""
    parts = [cornu.Input((6, 6, 2)), layers.ZeroPadding2D(1), layers.Conv2D(2, 3, 2), layers.GlobalMaxPooling2D()]
    return cornu.Sequential(parts)


MODELS = {
    make.__name__: make
    for make in (dense, statistics, shared, nested, operations, words_in_order, wrapped, attention, image)
}


def words() -> Any:
    """A layer that keeps files."""
    parts = [cornu.Input((), dtype="string"), layers.StringLookup(vocabulary=["a", "b", "c"])]
    return cornu.Sequential(parts)


def quantized() -> Any:
    """Weights of few bits, one of them with a low-rank correction, and some within another layer."""
    first, inner, last = layers.Dense(4), layers.Dense(2), layers.Dense(2)
    model = cornu.Sequential([cornu.Input((3, 8)), first, layers.TimeDistributed(inner), last])
    first.quantize("int8")
    first.enable_lora(2)
    inner.quantize("int8")
    last.quantize("int4")
    return model


def _all(save: Callable[[Any, Path], None], ending: str) -> Callable[[Path], dict[str, Path]]:
    def write(folder: Path) -> dict[str, Path]:
        found = {}
        for name, make in MODELS.items():
            found[name] = folder / f"{name}{ending}"
            save(make(), found[name])
        return found

    return write


def _keras(folder: Path) -> dict[str, Path]:
    found = _all(lambda model, path: model.save(path), ".keras")(folder)
    found["packed"] = folder / "packed.keras"
    with zipfile.ZipFile(found["dense"]) as old, zipfile.ZipFile(found["packed"], "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    for make in (words, quantized):
        found[make.__name__] = folder / f"{make.__name__}.keras"
        make().save(found[make.__name__])
    return found


def _json(folder: Path) -> dict[str, Path]:
    return _all(lambda model, path: path.write_text(model.to_json()), ".json")(folder)


def _every_layer(folder: Path) -> dict[str, Path]:
    """A model of each layer alone, as JSON."""
    found = {}
    for name, example in EXAMPLES.items():
        if example is not None:
            make, shapes = example
            shapes = shapes if isinstance(shapes, list) else [shapes]
            inputs = [cornu.Input((4,), dtype="int32") if s == IDS else cornu.Input(s) for s in shapes]
            apart = len(inputs) == 1 or name in ("GroupQueryAttention", "MultiHeadAttention")  # query and value
            outputs = make()(*inputs) if apart else make()(inputs)
            found[name] = folder / f"{name}.json"
            found[name].write_text(cornu.Model(inputs, outputs).to_json())
    return found


def _shards(folder: Path) -> dict[str, Path]:
    return _all(lambda model, path: model.save_weights(path, max_shard_size=3e-7), ".weights.json")(folder)


def _export(folder: Path) -> dict[str, Path]:
    found = {name: folder / f"{name}.stablehlo" for name in ("dense", "attention")}
    for name, path in found.items():
        MODELS[name]().export(path, verbose=False, platforms=["cpu"])
    return found


def _tar(folder: Path) -> dict[str, Path]:
    found = {}
    for mode in ("", "gz", "bz2", "xz"):
        found[mode] = folder / f"files{mode}.tar"
        with tarfile.open(found[mode], f"w:{mode}" if mode else "w") as archive:
            for index in range(3):
                member = tarfile.TarInfo(f"folder/{'long' * 30 * index}{index}.txt")
                member.size = 5
                archive.addfile(member, io.BytesIO(b"hello"))
    return found


def _zip(folder: Path) -> dict[str, Path]:
    with zipfile.ZipFile(folder / "files.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for index in range(3):
            archive.writestr(f"folder/{index}.txt", "hello")
    return {"": folder / "files.zip"}


def _texts() -> np.ndarray:
    """Lists of numbers, as data sets of texts have them."""
    texts = np.empty(3, object)
    texts[:] = [[1, 300, 70000], [], list(range(400))]
    return texts


def _pickle(folder: Path) -> dict[str, Path]:
    values = {"batch": {"data": np.arange(12, dtype="uint8").reshape(2, 6), "labels": [3, 2**31], "names": (b"a", "b")}}
    found = {}
    for protocol in (2, 4, 5):
        for name, value in (values | {"texts": _texts()}).items():
            found[f"{name}-{protocol}"] = folder / f"{name}-{protocol}.pickle"
            found[f"{name}-{protocol}"].write_bytes(pickle.dumps(value, protocol))
    return found


def _npz(folder: Path) -> dict[str, Path]:
    found = {"plain": folder / "plain.npz", "packed": folder / "packed.npz"}
    for name, write in (("plain", np.savez), ("packed", np.savez_compressed)):
        write(found[name], x=_texts(), y=np.arange(3), z=np.zeros((4, 4), "float32"))
    return found


def _backup(folder: Path) -> dict[str, Path]:
    state = {"epoch": 3, "values": [np.ones((4, 4), "float32"), np.arange(3)], "logs": {0: (1.5, None, b"ab")}}
    plain_state.save(folder / "training.npz", plain_state.packed(state))
    return {"": folder / "training.npz"}


def _old(folder: Path) -> dict[str, Path]:
    found = {}
    with zipfile.ZipFile(_OLD) as archive:
        for name in _OLD_MODELS:
            found[name] = folder / f"{name.replace('/', '_')}.h5"
            found[name].write_bytes(archive.read(f"{name}.h5"))
    return found


class Broken(Exception):
    """A promise about files that was not kept."""


def load_model(path: Path, name: str) -> None:
    cornu.models.load_model(path)


def inspect(path: Path, name: str) -> None:
    report = _inspected(path)
    if not report.loads:
        raise ValueError(f"It would be refused: {report.refused}")


def load_inspected(path: Path, name: str) -> None:
    """Load it: whether it loads must be what the inspection said."""
    report = _inspected(path)
    try:
        cornu.models.load_model(path)
    except ValueError as error:
        if report.loads and report.model is not None:  # weights alone load into a model
            raise Broken(f"The inspection says that the file loads, but: {error}") from error
        raise
    if not report.loads:
        raise Broken(f"The file loads, but the inspection says: {report.refused}")


def load_weights(path: Path, name: str) -> None:
    """Give a model the weights: those that are refused leave it as it was."""
    model = _built(name)
    before = [variable.numpy() for variable in model.variables]
    try:
        model.load_weights(path)
    except ValueError as error:
        for variable, old in zip(model.variables, before, strict=True):
            if not np.array_equal(variable.numpy(), old, equal_nan=True):
                raise Broken(f"The weights were refused, but {variable.path} has changed: {error}") from error
        raise


def edit(path: Path, name: str) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        cornu.saving.KerasFileEditor(path).summary()


def model_from_json(path: Path, name: str) -> None:
    cornu.models.model_from_json(path.read_text(errors="replace"))


def _inspected(path: Path) -> Any:
    report = cornu.models.load_model(path, report=True)
    json.dumps(report.to_dict())
    if steers(str(report)):
        raise Broken("The report has signs that a terminal obeys.")
    return report


def steers(text: str) -> bool:
    """Whether a text has signs that a terminal obeys, other than to go on elsewhere in the line or in the next."""
    return any(unicodedata.category(sign) in ("Cc", "Cf") and sign not in "\t\n" for sign in text)


_models: dict[str, Any] = {}


def _built(name: str) -> Any:
    if name not in _models:
        _models[name] = MODELS[name]()
    return _models[name]


def unpack(path: Path, name: str) -> None:
    archives.unpack(path, path.with_name(f"{path.name}_extracted"), "auto", again=True)


def unpickle(path: Path, name: str) -> None:
    with budget.load(path.stat().st_size):
        plain_pickle.load(path.read_bytes(), path.name, encoding="bytes")


def backup(path: Path, name: str) -> None:
    plain_state.load(path)


def npz(path: Path, name: str) -> None:
    plain_npz.load(path, objects=True)


def program(path: Path, name: str) -> None:
    cornu.export.load(path)


_FRESH = 5 * 2**29, 15.0  # a gigabyte of new weights, as model_from_json says: drawing them takes twice the memory
_MODEL = (*[load_model] * 8, load_inspected)
_WEIGHTS = (*[load_weights] * 6, inspect)

FORMATS = {
    "keras": Format(_keras, (*_MODEL, edit), "zip", 12),
    "weights.h5": Format(_all(lambda m, path: m.save_weights(path), ".weights.h5"), (*_WEIGHTS, edit), "h5", 9),
    "json": Format(_json, (model_from_json,), "json", 12, *_FRESH),
    "every layer": Format(_every_layer, (model_from_json,), "json", 14, *_FRESH),
    "safetensors": Format(_all(lambda m, path: m.save_weights(path), ".safetensors"), _WEIGHTS, "safetensors", 8),
    "shards": Format(_shards, (*_WEIGHTS, edit), "json", 4),
    "h5": Format(_all(lambda m, path: m.save(path), ".h5"), _MODEL, "h5", 9),
    "h5 of Keras 1, 2": Format(_old, _MODEL, "h5", 4),
    "old weights": Format(_all(lambda m, path: m.save_weights(path), ".h5"), _WEIGHTS, "h5", 4),
    "backup": Format(_backup, (backup,), "npz", 4),
    "npz": Format(_npz, (npz,), "npz", 6),
    "pickle": Format(_pickle, (unpickle,), "pickle", 6),
    "tar": Format(_tar, (unpack,), "tar", 3),
    "stablehlo": Format(_export, (program,), "export", 2),
    "zip": Format(_zip, (unpack,), "archive", 3),
}
