"""Names and arguments that Keras has, or once had, and cornu has not: what becomes of them, and what to use meanwhile.

One table serves everyone who asks: `module.__getattr__`, `from module import name`, `cornu run`, and the page
`docs/differences.md`, whose list is made by `listed` (a test holds the two together). A test against Keras's own names
keeps the table whole.
"""

import difflib
import dis
import functools
import importlib
import sys
import textwrap
from collections.abc import Callable, Iterable
from types import FrameType
from typing import TYPE_CHECKING, Any

from cornu.spelling import closest

NEVER, GONE = "not planned", "gone"

_OPENINGS = {
    NEVER: "Keras's {path} is not in cornu and is not planned. {advice}",
    GONE: "{path} is a name of older Keras. {advice}",
}

# path below cornu -> (what becomes of it, what to use)
TABLE: dict[str, tuple[str, str]] = {
    "config.is_nnx_enabled": (NEVER, "There is no NNX here; it is always off."),
    "config.set_backend": (NEVER, "JAX is the one engine; leave the call out."),
    "layers.TFSMLayer": (NEVER, "It runs TensorFlow; export the model as ONNX or StableHLO instead."),
    "callbacks.BaseLogger": (GONE, "Leave it out: fit averages by itself."),
    "engine": (GONE, "Layer, Model and InputSpec are at the top: keras.Layer, keras.Model, keras.InputSpec."),
    "experimental": (GONE, "LinearModel and WideDeepModel are gone; build them from Dense and Add."),
    "layers.AtrousConvolution2D": (GONE, "Use Conv2D(..., dilation_rate=...)."),
    "layers.CuDNNGRU": (GONE, "Use GRU, which is fast by itself."),
    "layers.CuDNNLSTM": (GONE, "Use LSTM, which is fast by itself."),
    "layers.LocallyConnected1D": (GONE, "Keras 3 dropped it; write it with ops.einsum over patches of the input."),
    "layers.LocallyConnected2D": (GONE, "Keras 3 dropped it; write it with ops.image.extract_patches and ops.einsum."),
    "layers.Merge": (GONE, "Use Add, Concatenate, Multiply, ... on a list of tensors."),
    "layers.ThresholdedReLU": (GONE, "Use ReLU(threshold=...)."),
    "layers.convolutional": (GONE, "Import from keras.layers directly."),
    "layers.embeddings": (GONE, "Import from keras.layers directly."),
    "layers.experimental": (GONE, "Import from keras.layers directly: RandomFlip, Resizing, Normalization, ..."),
    "layers.preprocessing": (GONE, "Import from keras.layers directly: RandomFlip, Resizing, Normalization, ..."),
    "layers.wrappers": (GONE, "Import from keras.layers directly: Bidirectional, TimeDistributed."),
    "losses.Reduction": (GONE, 'Write the name: reduction="sum_over_batch_size", "sum" or "none".'),
    "losses.cosine_proximity": (GONE, "Use cosine_similarity."),
    "models.model_from_yaml": (GONE, "Use model.to_json() and models.model_from_json()."),
    "optimizers.experimental": (GONE, "Use the optimizers of keras.optimizers directly."),
    "utils.multi_gpu_model": (GONE, "Use keras.distribution.DataParallel."),
    "utils.np_utils": (GONE, "Use keras.utils.to_categorical and keras.utils.normalize."),
    "utils.vis_utils": (GONE, "Use keras.utils.plot_model and keras.utils.model_to_dot."),
}


def explainer(module: str) -> Callable[[str], object]:
    """A `__getattr__` for a module of the package, which says what becomes of a name that is not there.

    `dir` of the module lists its public names alone from then on, for programs that go through them.

    Args:
        module: the module's `__name__`.
    """
    names = vars(sys.modules[module])
    names["__dir__"] = lambda: names["__all__"]
    return functools.partial(missing, module)


def missing(module: str, name: str) -> Any:
    """Raise the error for a name that a module has not."""
    sentence = explain(module, name) or _unknown(module, name)
    if not name.startswith("_") and _is_import(_caller()):
        raise ImportError(sentence, name=module)
    raise AttributeError(sentence, name=name)


def _caller() -> FrameType | None:
    """The frame that asks a module for a name, behind this file and every `__getattr__`."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code.co_name == "__getattr__":
        frame = frame.f_back
    return frame


def explain(module: str, name: str) -> str | None:
    """What becomes of `name` in a module, and what to use; None for a name that is nowhere in Keras."""
    path = f"{module}.{name}".partition(".")[2]
    if path not in TABLE:
        return None
    status, advice = TABLE[path]
    return _OPENINGS[status].format(path=path, advice=advice)


def _is_import(frame: Any) -> bool:
    """Whether a frame is at `from module import name`, whose error would hide the message of an AttributeError."""
    return frame.f_code.co_code[frame.f_lasti] == dis.opmap["IMPORT_FROM"]


def _unknown(module: str, name: str) -> str:
    message = f"module {module!r} has no attribute {name!r}"
    if name.startswith("_"):
        return message
    names = getattr(importlib.import_module(module), "__all__", ())
    likely = {n.lower(): n for n in reversed(names)}
    found = difflib.get_close_matches(name.lower(), likely, n=3, cutoff=0.6)
    return f"{message}. Closest: {', '.join(likely[n] for n in found)}." if found else message


def listed() -> str:
    """The list of what is not here, as `docs/differences.md` holds it."""
    paths = [f"`{path}`" for path, (becomes, _) in TABLE.items() if becomes == NEVER]
    return textwrap.fill(f"Not planned: {', '.join(paths)}.", 118, break_long_words=False)


# ---------------------------------------------------------------- arguments of calls

_OWN_WORKERS = "it goes to the PyDataset that makes the batches"
_BY_ITSELF = "leave it out: the fast form is chosen by itself"

_ARGUMENTS = {
    "W_constraint": "kernel_constraint",
    "W_regularizer": "kernel_regularizer",
    "b_constraint": "bias_constraint",
    "b_regularizer": "bias_regularizer",
    "batch_input_shape": "batch_shape",
    "bias": "use_bias",
    "border_mode": "padding",
    "class_mode": "loss and metrics, which say of what kind the labels are",
    "consume_less": _BY_ITSELF,
    "dim_ordering": 'data_format="channels_last" or "channels_first"',
    "dropout_U": "recurrent_dropout",
    "dropout_W": "dropout",
    "dynamic": "compile(run_eagerly=True)",
    "filter_length": "kernel_size",
    "fused": _BY_ITSELF,
    "init": "kernel_initializer",
    "inner_activation": "recurrent_activation",
    "inner_init": "recurrent_initializer",
    "input": "inputs",
    "lr": "learning_rate",
    "max_q_size": _OWN_WORKERS,
    "max_queue_size": _OWN_WORKERS,
    "nb_classes": "num_classes",
    "nb_col": "kernel_size=(rows, columns)",
    "nb_epoch": "epochs",
    "nb_feature": "num_features",
    "nb_filter": "filters",
    "nb_row": "kernel_size=(rows, columns)",
    "nb_val_samples": "validation_steps, in batches",
    "nb_worker": _OWN_WORKERS,
    "output": "outputs",
    "output_dim": "units",
    "p": "rate",
    "period": "save_freq, in batches: period times the batches of an epoch",
    "pickle_safe": _OWN_WORKERS,
    "pool_length": "pool_size",
    "sample_weight_mode": "sample_weight of shape (batch, steps), which needs no mode",
    "samples_per_epoch": "steps_per_epoch, in batches",
    "save_format": "the ending of the file's name: .keras, .h5 or .weights.h5",
    "schedule_decay": "a schedule as learning_rate, such as schedules.ExponentialDecay",
    "show_accuracy": 'compile(metrics=["accuracy"])',
    "subsample": "strides",
    "target_tensors": "y of fit",
    "time_major": "ops.swapaxes(x, 0, 1) before the layer and after it",
    "use_multiprocessing": _OWN_WORKERS,
    "virtual_batch_size": "GroupNormalization, or batches of that size",
    "weights": "layer.set_weights(...) once the layer is built",
    "workers": _OWN_WORKERS,
}  # of older Keras, and what to write


_OF_FIT = ("batch_size", "callbacks", "class_weight", "epochs", "initial_epoch", "shuffle", "steps_per_epoch",
           "validation_data", "validation_split")  # fmt: skip
_OWNERS = {
    "learning_rate": "the optimizer: compile(SGD(learning_rate=0.01))",
    **dict.fromkeys(_OF_FIT, "fit()"),
    **dict.fromkeys(("loss", "metrics", "optimizer"), "compile()"),
}  # of arguments that are given to the wrong call


def unknown_argument(name: str, known: Iterable[str]) -> str:
    """What to write in the place of an argument that a call does not know, as a sentence.

    Args:
        name: the unknown argument.
        known: the names of the arguments that the call has.
    """
    known = list(known)
    advice = _ARGUMENTS.get(name, "")
    if advice and (advice in known or not advice.isidentifier()):
        return f"In Keras 3 it is {advice}." if advice in known else f"It is of older Keras. Now: {advice}."
    if name in _OWNERS:
        return f"It belongs to {_OWNERS[name]}."
    return f"Closest: {closest(name, known)}."


# ---------------------------------------------------------------- attributes of objects

_OF_OBJECTS = {
    "evaluate_generator": "evaluate(), which takes generators itself",
    "fit_generator": "fit(), which takes generators itself",
    "predict_generator": "predict(), which takes generators itself",
    "predict_classes": "np.argmax(model.predict(x), axis=-1), or model.predict(x) > 0.5 for one sigmoid unit",
    "predict_proba": "predict()",
    "get_input_at": "the attribute input, or a new model from the tensors in question",
    "get_output_at": "the attribute output, or a new model from the tensors in question",
    "input_shape": "layer.input.shape",
    "output_shape": "layer.output.shape, or compute_output_shape(input_shape)",
    "lr": "learning_rate",
    "_make_predict_function": "nothing: predict() may be called from any thread at once",
    "total_loss": "compute_loss(x, y, y_pred)",
}  # of older Keras, and what took their place


class Explained:
    """Base of objects that say why an attribute is missing.

    That is what took its place since older Keras, or that a constructor of the user's does not call that of its base.
    """

    _set_by_init = ""  # the attribute by which one sees that the base's constructor has run

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            if name in _OF_OBJECTS and not hasattr(type(self), name):
                raise AttributeError(f"{type(self).__name__}.{name} is of older Keras. Use {_OF_OBJECTS[name]}.")
            if self._set_by_init and self._set_by_init not in self.__dict__:
                raise AttributeError(
                    f"In class {type(self).__name__}, call super().__init__() as the first line of __init__(). "
                    f"Without it there is no attribute {name!r}."
                )
            return object.__getattribute__(self, name)  # raises again what was raised
