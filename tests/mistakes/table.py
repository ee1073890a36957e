"""The mistakes: what a beginner writes, as a function of the library, and how well its message serves.

A rating says what of four things the user reads: where it is, what was expected, what came, and what to do. 3 is all
of it, 2 lacks one that is easily seen, 1 points elsewhere or says only that something failed, 0 is silence or an error
out of the depths.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

random = np.random.default_rng(0)
X = random.normal(size=(24, 4)).astype("float32")
Y = random.normal(size=(24, 1)).astype("float32")
KINDS = random.permutation(np.arange(24) % 3)
IMAGES = random.integers(0, 256, (24, 6, 6, 1)).astype("float32")
STEPS = random.normal(size=(24, 5, 3)).astype("float32")
WORDS = random.integers(0, 9, (24, 5))
TREES = np.array(["oak", "elm", "ash"] * 8)
FRAME = pd.DataFrame({"size": X[:, 0], "city": ["Rome"] * 24, "age": X[:, 1], "rooms": X[:, 2]})


@dataclass(frozen=True)
class Mistake:
    """One mistake.

    Args:
        make: does it, with a library.
        words: what cornu's message must say, in any order.
        ours, theirs: how well cornu's and Keras 3.15.1's message served when they were last read.
    """

    make: Callable[[Any], Any]
    words: tuple[str, ...]
    ours: int
    theirs: int


def line(
    K: ModuleType, loss: Any = "mse", optimizer: Any = "sgd", units: int = 1, end: Any = None, **given: Any
) -> Any:
    model = K.Sequential([K.Input((4,)), K.layers.Dense(units, end)])
    model.compile(optimizer, loss, **given)
    return model


def classes(K: ModuleType, loss: Any = "sparse_categorical_crossentropy", end: Any = "softmax", units: int = 3) -> Any:
    return line(K, loss, units=units, end=end, metrics=["accuracy"])


def images(K: ModuleType, *parts: Any, shape: tuple = (6, 6, 1)) -> Any:
    model = K.Sequential([K.Input(shape), *parts])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def with_a_hole(values: np.ndarray) -> np.ndarray:
    values = values.copy()
    values[5, 0] = np.nan
    return values


def bad_second_batch(K: ModuleType) -> None:
    def batches():
        yield X[:8], KINDS[:8]
        yield X[8:16], KINDS[8:16] + 5

    classes(K).fit(batches(), verbose=0)


def forgets_labels(K: ModuleType) -> None:
    def batches():
        while True:
            yield X[:8]

    line(K).fit(batches(), steps_per_epoch=2, verbose=0)


def too_large_index(K: ModuleType) -> None:
    model = K.Sequential(
        [K.Input((5,), dtype="int32"), K.layers.Embedding(5, 2), K.layers.Flatten(), K.layers.Dense(1)]
    )
    model.compile("sgd", "mse")
    model.fit(WORDS, Y, verbose=0)


def no_return(K: ModuleType) -> None:
    class Forgets(K.layers.Layer):
        def call(self, x):
            x * 2

    K.Sequential([K.Input((4,)), Forgets(), K.layers.Dense(1)])


def wrong_build(K: ModuleType) -> None:
    class Pair(K.layers.Layer):
        def build(self, first, second):
            self.built = True

        def call(self, a, b):
            return a + b

    Pair()(X, X)


def python_if(K: ModuleType) -> None:
    class Clip(K.layers.Layer):
        def call(self, x):
            if x[0, 0] > 0:
                return x
            return -x

    model = K.Sequential([K.Input((4,)), Clip(), K.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)


def numpy_inside(K: ModuleType) -> None:
    class Log(K.layers.Layer):
        def call(self, x):
            return np.log1p(x**2)

    model = K.Sequential([K.Input((4,)), Log(), K.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)


def one_optimizer(K: ModuleType) -> None:
    optimizer = K.optimizers.Adam()
    for units in (1, 2):
        model = K.Sequential([K.Input((4,)), K.layers.Dense(units), K.layers.Dense(1)])
        model.compile(optimizer, "mse")
        model.fit(X, Y, verbose=0)


def after_unfreezing(K: ModuleType) -> None:
    model = K.Sequential([K.Input((4,)), K.layers.Dense(2, name="lower"), K.layers.Dense(1)])
    model.get_layer("lower").trainable = False
    optimizer = K.optimizers.Adam()
    model.compile(optimizer, "mse")
    model.fit(X, Y, verbose=0)
    model.get_layer("lower").trainable = True
    model.compile(optimizer, "mse")
    model.fit(X, Y, verbose=0)


def layer_in_call(K: ModuleType) -> None:
    class Net(K.Model):
        def call(self, x):
            return K.layers.Dense(1)(x)

    model = Net()
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)


def old_names(K: ModuleType) -> None:
    x = K.Input((4,))
    K.Model(input=x, output=K.layers.Dense(1)(x))


def structured(K: ModuleType) -> None:
    line(K).fit(np.zeros(24, [("p", "f4"), ("q", "f4")]), Y, verbose=0)


def recurrent(K: ModuleType, *parts: Any) -> Any:
    return K.Sequential([K.Input((5, 3)), *parts])


def other_size(K: ModuleType) -> None:
    class Mix(K.layers.Layer):
        def build(self, input_shape):
            self.kernel = self.add_weight(shape=(3, 2))

        def call(self, x):
            return K.ops.matmul(x, self.kernel)

    line_of(K, Mix(name="mix")).fit(X, Y, verbose=0)


def layer_that(K: ModuleType, call: Callable[[Any, Any], Any]) -> Any:
    """A model with a layer whose `call` is a function of operations and a tensor."""

    class Own(K.layers.Layer):
        def call(self, x):
            return call(K.ops, x)

    return line_of(K, Own(name="own"))


def line_of(K: ModuleType, *layers: Any) -> Any:
    model = K.Sequential([K.Input((4,)), *layers, K.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def assigns(ops: Any, x: Any) -> Any:
    x[0] = 1.0
    return x


def own_without_super(base: type, **methods: Any) -> Any:
    """An instance of a class of one's own whose constructor does not call that of its base."""
    return type("Own", (base,), {"__init__": lambda self: None, **methods})()


def misspelt_hook(K: ModuleType) -> None:
    class Watch(K.callbacks.Callback):
        def on_epoch_start(self, epoch, logs=None):
            pass

    line(K).fit(X, Y, callbacks=[Watch()], verbose=0)


SPARSE = "sparse_categorical_crossentropy"
MISTAKES: dict[str, Mistake] = {
    # silent in most libraries
    "NaN in the data": Mistake(
        lambda K: line(K).fit(with_a_hole(X), Y, verbose=0), ("loss is nan", "row 5", "nan_to_num"), 3, 0),
    "NaN in the labels": Mistake(
        lambda K: line(K).fit(X, with_a_hole(Y), verbose=0), ("y contains NaN", "row 5", "y = np.nan_to_num(y)"), 3, 0),
    "a rate that is too high": Mistake(
        lambda K: line(K, optimizer=K.optimizers.SGD(1e25)).fit(X, Y, epochs=4, verbose=0), ("smaller",), 3, 0),
    "inputs that are not scaled": Mistake(
        lambda K: images(K, K.layers.Flatten(), K.layers.Dense(3, "softmax")).fit(IMAGES, KINDS, verbose=0),
        ("from 0 to 25", "x / 255"), 3, 0),
    "a classifier without softmax": Mistake(
        lambda K: classes(K, end=None).fit(X, KINDS, verbose=0), ("probabilities", 'activation="softmax"'), 3, 0),
    "softmax and from_logits": Mistake(
        lambda K: classes(K, K.losses.SparseCategoricalCrossentropy(from_logits=True)).fit(X, KINDS, verbose=0),
        ("applied twice", "Remove from_logits=True"), 3, 0),
    "softmax over one unit": Mistake(
        lambda K: classes(K, "binary_crossentropy", units=1).fit(X, KINDS % 2, verbose=0),
        ("always 1", "sigmoid"), 3, 2),
    "sorted labels and validation_split": Mistake(
        lambda K: classes(K).fit(X, np.sort(KINDS), validation_split=0.25, verbose=0),
        ("sorted", "Shuffle first"), 3, 0),
    "accuracy of a regression": Mistake(
        lambda K: line(K, metrics=["accuracy"]).fit(X, Y, verbose=0), ("meaningless", 'metrics=["mae"]'), 3, 0),
    "an index that is too large": Mistake(too_large_index, ("Embedding", "contains 8", "Embedding(9, 2)"), 3, 0),
    "labels out of range in a second batch": Mistake(
        bad_second_batch, ("batch 2", "labels from 5 to 7", "8 outputs"), 3, 0),
    "a generator without labels": Mistake(forgets_labels, ("labels",), 3, 2),
    # raw errors
    "labels of text": Mistake(
        lambda K: classes(K).fit(X, TREES, verbose=0), ("y must contain numbers", "np.unique"), 3, 1),
    "labels of categories": Mistake(
        lambda K: classes(K).fit(X, pd.Series(TREES, dtype="category"), verbose=0), ("contain", "np.unique"), 3, 1),
    "labels of objects": Mistake(
        lambda K: classes(K).fit(X, np.array([None, {}] * 12), verbose=0), ("y must contain", "dict"), 2, 1),
    "structured arrays": Mistake(structured, ("structured array", "structured_to_unstructured"), 3, 0),
    "call() without return": Mistake(no_return, ("Forgets", "return"), 3, 1),
    "a mask of another length for LSTM": Mistake(
        lambda K: K.layers.LSTM(2)(STEPS, mask=np.ones((24, 4), bool)), ("LSTM", "(24, 4)"), 3, 0),
    "a mask of another length for an average": Mistake(
        lambda K: K.layers.GlobalAveragePooling1D()(STEPS, mask=np.ones((24, 4), bool)), ("(24, 4)",), 3, 0),
    "an attention mask of steps": Mistake(
        lambda K: K.layers.MultiHeadAttention(2, 2)(STEPS, STEPS, attention_mask=np.ones((24, 5), bool)),
        ("attention_mask", "(24, 5)", "(5, 5)", "value_mask"), 3, 0),
    "two loss_weights for one output": Mistake(
        lambda K: line(K, loss_weights=[1.0, 2.0]).fit(X, Y, verbose=0),
        ("loss_weights", "one output", "Pass one"), 2, 2),
    "MeanIoU of probabilities": Mistake(
        lambda K: K.metrics.MeanIoU(3).update_state(KINDS, np.full((24, 3), 1 / 3)), ("argmax",), 3, 0),
    "build() with names of its own": Mistake(wrong_build, ("build", "_shape"), 3, 3),
    "if on a tensor": Mistake(python_if, ("Clip", "if x[0, 0] > 0", "ops.where"), 3, 0),
    "NumPy on a tensor": Mistake(numpy_inside, ("Log", "np.log1p", "ops"), 3, 0),
    # misleading errors
    "one optimizer for two models": Mistake(one_optimizer, ("optimizer", "new optimizer"), 3, 1),
    "the same optimizer after unfreezing": Mistake(after_unfreezing, ("optimizer", "new optimizer"), 3, 2),
    "layers made in call()": Mistake(layer_in_call, ("Dense", "Net", "neither trained nor saved", "__init__"), 3, 0),
    "Model(input=, output=)": Mistake(old_names, ("'input'", "inputs=..., outputs="), 3, 1),
    "a list of rows": Mistake(
        lambda K: line(K).fit([np.ones(4)] * 1797, np.ones((1797, 1)), verbose=0), ("1797", "np.stack"), 3, 1),
    "predict of one sample": Mistake(
        lambda K: line(K).predict(X[0], verbose=0), ("(None, 4)", "(4,)", "x[None]"), 3, 2),
    "no Flatten": Mistake(
        lambda K: images(K, K.layers.Dense(3, "softmax")).fit(IMAGES / 255, KINDS, verbose=0), ("Flatten()",), 3, 1),
    "no return_sequences": Mistake(
        lambda K: recurrent(K, K.layers.LSTM(2), K.layers.LSTM(2)), ("return_sequences=True", "3 dimensions"), 3, 2),
    "no axis of channels": Mistake(
        lambda K: images(K, K.layers.Conv2D(2, 3), shape=(6, 6)), ("channels", "Reshape((6, 6, 1))"), 3, 2),
    "one picture without its batch": Mistake(
        lambda K: images(K, K.layers.Flatten()).predict(IMAGES[0], verbose=0), ("x[None]",), 3, 0),
    "a frame with a column of text": Mistake(
        lambda K: line(K).fit(FRAME, Y, verbose=0), ("'city'", "get_dummies"), 3, 1),
    "fit((x, y))": Mistake(lambda K: line(K).fit((X, Y), verbose=0), ("fit(*data)",), 3, 1),
    "a Normalization that was not adapted": Mistake(
        lambda K: line_of(K, K.layers.Normalization()).fit(X, Y, verbose=0),
        ('Normalization "normalization', "no data", "adapt(x)"), 3, 0),
    "text for a layer of numbers": Mistake(
        lambda K: K.layers.Dense(2)(TREES[:, None]), ("Dense", "text", "StringLookup"), 3, 1),
    "a rate in the place of a schedule": Mistake(
        lambda K: K.callbacks.LearningRateScheduler(0.1), ("Scheduler", "function of the epoch", "0.1"), 3, 0),
    # in the user's own classes
    "a weight of another size in a layer of one's own": Mistake(
        other_size, ("matmul", "(3, 2)", 'Raised in Mix "mix"'), 3, 2),
    "an attribute that a layer of one's own lacks": Mistake(
        lambda K: layer_that(K, lambda ops, x: x.wrong).predict(X, verbose=0), ("wrong", 'Raised in Own "own"'), 2, 2),
    "shapes that do not add up in a layer of one's own": Mistake(
        lambda K: layer_that(K, lambda ops, x: x + ops.ones((5,))).predict(X, verbose=0),
        ("(5,)", 'Raised in Own "own"'), 2, 2),
    "an entry of a tensor is assigned": Mistake(
        lambda K: layer_that(K, assigns).predict(X, verbose=0), ('"own"', "x[0] = 1.0", "ops.slice_update"), 3, 1),
    "a tensor as a size": Mistake(
        lambda K: layer_that(K, lambda ops, x: ops.zeros((ops.max(x),))).predict(X, verbose=0),
        ("as a size", "x.shape", '"own"'), 3, 1),
    "no super().__init__() in a metric": Mistake(
        lambda K: line(K, metrics=[own_without_super(K.metrics.Metric, update_state=max, result=max)]).fit(X, Y),
        ("class Own", "super().__init__()"), 3, 0),
    "no super().__init__() in a loss": Mistake(
        lambda K: own_without_super(K.losses.Loss, call=max)(X, X), ("class Own", "super().__init__()"), 3, 0),
    "no super().__init__() in an optimizer": Mistake(
        lambda K: line(K, optimizer=own_without_super(K.optimizers.SGD)).fit(X, Y), ("super().__init__()",), 3, 0),
    "no super().__init__() in a model": Mistake(
        lambda K: own_without_super(K.Model, call=max).compile("sgd"), ("class Own", "super().__init__()"), 3, 2),
    "a hook's name that nobody calls": Mistake(misspelt_hook, ("on_epoch_start", "on_epoch_begin()"), 3, 0),
    # in the wrong place
    "inputs and outputs swapped": Mistake(
        lambda K: K.Model(K.layers.Dense(1)(x := K.Input((3,))), x), ("swapped", "Model(inputs, outputs)"), 3, 1),
    "inputs without outputs": Mistake(
        lambda K: K.Model(inputs=K.Input((3,))), ("inputs alone", "Model(inputs, outputs)"), 3, 1),
    "the batch in Input's shape": Mistake(
        lambda K: K.Sequential([K.Input((24, 4)), K.layers.Dense(1)]).predict(X, verbose=0), ("Input((4,))",), 3, 1),
    "a layer called on a shape": Mistake(
        lambda K: K.layers.Dense(2)((None, 4)), ("Dense", "(None, 4)", "Input(shape)"), 3, 1),
    "tensors one by one for a list": Mistake(
        lambda K: K.layers.Add()(K.Input((3,)), K.Input((3,))), ("Add", "([a, b])"), 3, 0),
    "layers one by one for a list": Mistake(
        lambda K: K.Sequential(K.layers.Dense(2), K.layers.Dense(3)), ("must be a list", "Dense"), 3, 1),
    "a tensor in a Sequential": Mistake(
        lambda K: K.Sequential([K.layers.Dense(2)(K.Input((4,)))]), ("Sequential", "Dense(2)(x)"), 3, 1),
    "learning_rate for compile()": Mistake(
        lambda K: line(K, learning_rate=0.1), ("learning_rate", "belongs to the optimizer"), 3, 1),
    "an array for set_weights()": Mistake(
        lambda K: line(K).set_weights(np.ones((4, 1))), ("list of 2 arrays", "(4, 1)"), 3, 1),
    "a file's name for model_from_json()": Mistake(
        lambda K: K.models.model_from_json("model.json"), ("'model.json'", "open(path).read()"), 3, 0),
    "a file that is not there": Mistake(
        lambda K: K.models.load_model("none/model.keras"), ("no file", "nor a folder", "none"), 3, 1),
    "validation data of another shape": Mistake(
        lambda K: line(K).fit(X, Y, validation_data=(X[:, :3], Y), verbose=0),
        ("validation_data", "(None, 4)", "(24, 3)"), 3, 1),
    "val_loss without validation": Mistake(
        lambda K: line(K).fit(X, Y, verbose=0, callbacks=[K.callbacks.EarlyStopping("val_loss")]),
        ("EarlyStopping", "val_loss", "Available: loss", "validation_split"), 3, 2),
    "class_weight counted from 1": Mistake(
        lambda K: classes(K).fit(X, KINDS, class_weight={1: 1.0, 2: 2.0, 3: 1.0}, verbose=0),
        ("class_weight", "[3]", "[0]"), 3, 0),
    "class_weight for a regression": Mistake(
        lambda K: line(K).fit(X, Y, class_weight={0: 2.0}, verbose=0), ("class_weight", "sample_weight"), 3, 0),
    "to_categorical of text": Mistake(
        lambda K: K.utils.to_categorical(["oak", "elm"]), ("'oak'", "np.unique"), 3, 1),
    # the everyday ones
    "a name that is not there": Mistake(lambda K: K.layers.Dens(3), ("Closest", "Dense"), 3, 1),
    "a layer for another shape": Mistake(
        lambda K: line(K).fit(X[:, :3], Y, verbose=0), ("(None, 4)", "(24, 3)", "model for 3"), 3, 2),
    "complex numbers": Mistake(lambda K: line(K)(X * 1j), ("imaginary",), 3, 0),
    "a misspelt argument": Mistake(
        lambda K: K.layers.Dense(3, activaton="relu"), ("'activaton'", "'activation'"), 3, 2),
    "a misspelt loss": Mistake(
        lambda K: line(K, "mean_square_error").fit(X, Y, verbose=0), ("'mean_squared_error'",), 3, 1),
    "a misspelt metric": Mistake(lambda K: line(K, metrics=["acuracy"]).fit(X, Y, verbose=0), ("'accuracy'",), 3, 1),
    "inputs and labels of different length": Mistake(
        lambda K: line(K).fit(X, Y[:20], verbose=0), ("24", "20", "missing"), 3, 2),
    "whole numbers for categorical_crossentropy": Mistake(
        lambda K: classes(K, "categorical_crossentropy").fit(X, KINDS, verbose=0), (SPARSE,), 3, 1),
    "one-hot labels for the sparse loss": Mistake(
        lambda K: classes(K).fit(X, np.eye(3)[KINDS], verbose=0), ("categorical_crossentropy",), 3, 1),
    "no compile": Mistake(
        lambda K: K.Sequential([K.Input((4,)), K.layers.Dense(1)]).fit(X, Y, verbose=0), ("compile()",), 3, 3),
}  # fmt: skip


def said(K: ModuleType, name: str) -> str:
    """What a user reads after a mistake: the error and the warnings; "" where all is quiet."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            MISTAKES[name].make(K)
            error = ""
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}"
    return "\n".join(filter(None, [error, *(str(w.message) for w in caught if w.category is UserWarning)]))
