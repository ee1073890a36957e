"""Beginners' mistakes: each message says where, what was expected, what was received, and names the cure.

`test_advice` has the mistakes that raise no error, `test_tracebacks` those of Python on traced values, and
`test_bad_input` more of what is refused before the first step.
"""

import numpy as np
import pandas as pd
import pytest

import cornu
from cornu import layers, ops

X, Y = np.ones((12, 4), "float32"), np.ones((12, 1), "float32")
KINDS = np.arange(12) % 3
IMAGES = np.ones((12, 8, 8, 1), "float32")
TEXT = np.array(["oak", "elm", "ash"] * 4)
RECORDS = np.zeros(12, [("p", "f4"), ("q", "f4")])
FRAME = pd.DataFrame({"size": np.ones(12), "city": ["Rome"] * 12, "age": np.ones(12), "rooms": np.ones(12)})


def net(*parts, loss="mse", optimizer="sgd", **arguments):
    model = cornu.Sequential([*parts])
    model.compile(optimizer, loss, **arguments)
    return model


def line(**arguments):
    return net(cornu.Input((4,)), layers.Dense(1), **arguments)


def classes(units=3, loss="sparse_categorical_crossentropy"):
    return net(cornu.Input((4,)), layers.Dense(units, "softmax" if units > 1 else "sigmoid"), loss=loss)


def after_unfreezing():
    model = cornu.Sequential([cornu.Input((4,)), layers.Dense(2, name="lower"), layers.Dense(1)])
    model.get_layer("lower").trainable = False
    optimizer = cornu.optimizers.Adam()
    model.compile(optimizer, "mse")
    model.fit(X, Y, epochs=1, initial_epoch=1, verbose=0)  # builds the optimizer
    model.get_layer("lower").trainable = True
    model.compile(optimizer, "mse")
    model.fit(X, Y, verbose=0)


def for_two_models():
    optimizer = cornu.optimizers.Adam()
    for units in (1, 2):
        model = net(cornu.Input((4,)), layers.Dense(units), layers.Dense(1), optimizer=optimizer)
        model.fit(X, Y, epochs=1, initial_epoch=1, verbose=0)


def forgetful(y_true, y_pred):
    """A loss that does not return."""
    ops.mean(y_true - y_pred)


def graph(**arguments):
    x = cornu.Input((4,))
    cornu.Model(**{name: make(x) for name, make in arguments.items()})


def generator():
    yield X, Y


# what a user does -> words of the message
MISTAKES = {
    "a long sample without its batch": (
        lambda: net(cornu.Input((40,)), layers.Dense(1)).predict(np.ones(40), verbose=0), r"\(40,\).*x\[None\]"
    ),
    "labels of text": (lambda: classes().fit(X, TEXT), r"y must contain numbers.*text.*'oak'.*np\.unique\(y"),
    "labels of categories": (lambda: classes().fit(X, pd.Series(TEXT, dtype="category")), "y must contain.*np.unique"),
    "labels of objects": (lambda: classes().fit(X, np.array([None, {}] * 6)), "y must contain.*dict"),
    "structured data": (lambda: line().fit(RECORDS, Y), "x is a structured array.*fields p, q.*structured_to_unst"),
    "structured labels": (lambda: line().fit(X, RECORDS), "y is a structured array"),
    "a column of text in a frame": (lambda: line().fit(FRAME, Y), "column 'city' contains 'Rome'.*get_dummies"),
    "a list of rows": (
        lambda: line().fit([np.ones(4)] * 300, np.ones((300, 1))), r"and so on.*300 inputs.*np\.stack\(x\)"),
    "a list of labels": (lambda: line().fit(X, [np.ones(1)] * 12), r"12 outputs.*np\.stack\(y\)"),
    "one sample": (lambda: line().predict(X[0]), r"(?s)expected.*\(None, 4\).*Received: shape=\(4,\).*x\[None\]"),
    "one sample in a call": (lambda: line()(X[0]), r"x\[None\]"),
    "one picture": (lambda: net(cornu.Input((8, 8, 1)), layers.Flatten()).predict(IMAGES[0]), r"x\[None\]"),
    "no Flatten": (
        lambda: net(cornu.Input((8, 8, 1)), layers.Dense(3), loss="sparse_categorical_crossentropy").fit(IMAGES, KINDS),
        r"Flatten\(\)"),
    "no Flatten, one-hot": (
        lambda: net(cornu.Input((8, 8)), layers.Dense(3), loss="categorical_crossentropy").fit(
            IMAGES[..., 0], np.eye(3)[KINDS]), r"Flatten\(\).*return_sequences"),
    "no return_sequences": (
        lambda: cornu.Sequential([cornu.Input((5, 3)), layers.LSTM(2), layers.LSTM(2)]), "return_sequences=True"),
    "no axis of channels": (
        lambda: cornu.Sequential([cornu.Input((8, 8)), layers.Conv2D(2, 3)]), r"channels.*Reshape\(\(8, 8, 1\)\)"),
    "channels first": (
        lambda: net(cornu.Input((8, 8, 3)), layers.Flatten()).predict(np.ones((2, 3, 8, 8))), r"\(0, 2, 3, 1\)"),
    "fit of a pair": (lambda: line().fit((X, Y)), r"needs labels.*fit\(\*data\)"),
    "one unit for many classes": (lambda: classes(1).fit(X, KINDS), "labels from 0 to 2.*End the model with 3 outputs"),
    "one unit for two classes": (lambda: classes(1).fit(X, KINDS % 2), "use binary_crossentropy"),
    "two loss_weights": (lambda: line(loss_weights=[1.0, 2.0]).fit(X, Y), "but loss_weights is a list of 2"),
    "a loss that returns nothing": (lambda: line(loss=forgetful).fit(X, Y), '"forgetful": its function returned None'),
    "a metric that returns nothing": (
        lambda: line(metrics=[forgetful]).fit(X, Y), '"forgetful": its function returned None'),
    "MeanIoU of scores": (
        lambda: cornu.metrics.MeanIoU(3, name="overlap").update_state([0, 1], np.ones((2, 3))), "overlap.*np.argmax"),
    "weights of another length": (
        lambda: cornu.losses.MeanSquaredError()(X, X, sample_weight=np.ones(6)), r"sample_weight.*\(6,\).*\(12,\)"),
    "an optimizer after unfreezing": (after_unfreezing, r'optimizer Adam "adam.*built for other.*new optimizer'),
    "an optimizer for two models": (for_two_models, "An optimizer belongs to one model.*new optimizer"),
    "Model(input=, output=)": (
        lambda: graph(input=lambda x: x, output=layers.Dense(1)), r"'input'.*Model\(inputs=\.\.\., outputs="),
    "a layer that was not called": (
        lambda: graph(inputs=lambda x: x, outputs=lambda x: layers.Dense(1)), r"Dense\(\.\.\.\)\(x\)"),
    "complex numbers": (lambda: line().predict(X * 1j), "lose their imaginary part"),
    "complex numbers in a call": (lambda: line()(X * 1j), "lose their imaginary part"),
    "a generator that was not called": (lambda: line().fit(generator), "Call the function"),
    "a callback's class": (lambda: line().fit(X, Y, callbacks=[cornu.callbacks.EarlyStopping]), "add parentheses"),
    "a function as callback": (lambda: line().fit(X, Y, callbacks=[print]), "LambdaCallback"),
    "an optimizer's name": (lambda: line(optimizer="adm"), "'adm'.*'adam'"),
    "a loss's name": (lambda: line(loss="sparse_crossentropy"), "'sparse_categorical_crossentropy'"),
    "an activation's name": (lambda: layers.Dense(3, "relo"), "'relu'"),
    "an argument's name": (lambda: layers.Dense(3, activations="relu"), "'activations'.*'activation'"),
    "an argument's older name": (
        lambda: layers.Conv2D(3, 3, border_mode="same"), "'border_mode'. In Keras 3 .* padding"),
    "an older name of what is needed": (
        lambda: layers.Dense(output_dim=3), "'output_dim'. In Keras 3 it is units. units must be given"),
    "an argument that is gone": (lambda: layers.BatchNormalization(fused=True), "'fused'.*older Keras.*omit it"),
    "an older argument of a callback": (
        lambda: cornu.callbacks.ModelCheckpoint("m.keras", period=2), "'period'.*save_freq, in batches"),
    "a callback's argument": (lambda: cornu.callbacks.EarlyStopping(monitr="loss"), "'monitr'. Closest: 'monitor'"),
    "an older argument of fit": (lambda: line().fit(X, Y, nb_epoch=3), "fit.*'nb_epoch'. In Keras 3 it is epochs"),
    "an older argument of an optimizer": (lambda: cornu.optimizers.SGD(lr=0.1), "'lr'. In Keras 3 it is learning_rate"),
    "an older argument of a function": (
        lambda: cornu.Input(batch_input_shape=(2, 3)), "'batch_input_shape'.*batch_shape"),
    "an argument too few": (lambda: layers.Dense(activation="relu"), "Dense: units must be given"),
    "a float for a number of units": (
        lambda: layers.Dense(3.0), "units must be a positive integer.*units=3.0.*Write 3"),
    "a fraction for a number of epochs": (
        lambda: line().fit(X, Y, epochs=2.5), "epochs must be an integer.*epochs=2.5"),
    "a layer's name": (lambda: line().get_layer("dens"), "'dens'.*'dense"),
    "a rate in percent": (lambda: layers.Dropout(50), "from 0 to 1"),
    "no compile": (lambda: cornu.Sequential([layers.Dense(1)]).fit(X, Y), r"You must call `compile\(\)` before fit"),
    "a layer in the place of a tensor": (
        lambda: layers.Dropout(0.1)(layers.Dense(3)), r'dropout.*Received: the layer Dense.*Dense\(\.\.\.\)\(x\)'),
    "a config with an argument of another version": (
        lambda: layers.Dense.from_config({"units": 3, "unit": 3}), "unknown argument.*'unit'.*'units'"),
    "a config without a class": (lambda: layers.Dense(3, kernel_regularizer={"l2": 1}), "A regularizer must be a name"),
    "an axis that is not there": (lambda: ops.mean(X, axis=7), r"mean: there is no such axis.*\(12, 4\), axis=7"),
    "shapes that do not broadcast": (
        lambda: ops.add(cornu.Input((3,)), cornu.Input((4,))), r"add: .*Received: x1=float32 \(None, 3\)"),
    "a number in the place of a list": (lambda: layers.Pipeline(2), "Pipeline: .*Received: layers=2"),
    "a gradient of another shape": (
        lambda: cornu.optimizers.SGD().apply([np.ones(3)], [cornu.Variable(np.ones(2, "float32"))]),
        r"SGD.*apply.*Received: grads=\[float64 \(3,\)\]"),
    "a factor outside its range": (lambda: layers.RandomInvert((2, 3)), "factor must be .* from 0 to 1"),
    "weights of a model that has none yet": (
        lambda: cornu.Sequential([layers.Dense(1)]).save_weights("w.weights.h5"), "not built.*Call it on data first"),
    "a file without an ending": (lambda: line().save("model"), r"must end with '\.keras'"),
    "a file that is not there": (lambda: cornu.models.load_model("none.keras"), r"no file 'none\.keras'"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_the_message_names_the_mistake_and_the_cure(name):
    mistake, words = MISTAKES[name]
    with pytest.raises((ValueError, TypeError), match=f"(?s){words}") as caught:
        mistake()
    assert len(str(caught.value)) < 700


def test_an_unknown_argument_is_a_wrong_value_and_a_wrong_call():
    for kind in (ValueError, TypeError):
        with pytest.raises(kind):
            layers.Dense.from_config({"units": 3, "unit": 3})


@pytest.mark.parametrize(
    "use, words",
    [
        (lambda: line().fit_generator(generator), r"fit_generator is of older Keras. Use fit\(\)"),
        (lambda: line().predict_classes(X), "argmax"),
        (lambda: cornu.optimizers.SGD().lr, "learning_rate"),
        (lambda: line().layers[0].output_shape, r"layer\.output\.shape"),
        (lambda: line().unheard_of, "'Sequential' object has no attribute 'unheard_of'"),
        (lambda: layers.Dense(1).output, "never called on symbolic tensors"),
    ],
)
def test_attributes_of_older_keras_are_told_of(use, words):
    with pytest.raises(AttributeError, match=words):
        use()
