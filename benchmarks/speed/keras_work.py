"""What is timed, in the Keras API alone: a network, its data, and what is asked of it.

A piece of work takes the `keras` module and sizes, and returns a `Case`. Data is random: speed does not depend on it.
"""

import importlib.util
from collections.abc import Callable
from typing import Any, NamedTuple

import graphs
import numpy as np


class Case(NamedTuple):
    """`run(n)` does `n` steps; `steps` of them make a round."""

    run: Callable[[int], Any]
    steps: int


def _random() -> np.random.Generator:
    return np.random.default_rng(0)


def labelled(shape: tuple, classes: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    return _random().random((rows, *shape), np.float32), _random().integers(0, classes, rows)


def sentences(time: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    return _random().integers(1, graphs.WORDS, (rows, time)), _random().integers(0, 2, rows)


def padded_words(time: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Sentences of half to full length, padded with zeros; and a label each."""
    words, labels = sentences(time, rows)
    lengths = _random().integers(time // 2, time + 1, rows)
    return words * (np.arange(time) < lengths[:, None]), labels


def _fit(model: Any, data: tuple, batch: int, steps: int, optimizer: Any, loss: str) -> Case:
    x, y = data
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])

    def run(n: int) -> None:
        model.fit(x[: n * batch], y[: n * batch], batch_size=batch, epochs=1, verbose=0)

    return Case(run, steps)


_SPARSE, _BINARY = "sparse_categorical_crossentropy", "binary_crossentropy"


def demo(keras: Any, batch: int = 32, steps: int = 38) -> Case:
    """The network of `cornu demo`."""
    return _fit(graphs.demo(keras), labelled((8, 8, 1), 10, batch * steps), batch, steps, "adam", _SPARSE)


def mlp(keras: Any, batch: int = 32, steps: int = 400, width: int = 512, depth: int = 1) -> Case:
    """784-512-dropout-10, Adam."""
    model = graphs.mlp(keras, width, depth)
    return _fit(model, labelled((784,), 10, batch * steps), batch, steps, "adam", _SPARSE)


def mlp_subclass(keras: Any, batch: int = 32, steps: int = 400) -> Case:
    """The MLP as a subclassed model of subclassed layers, Adam."""
    return _fit(graphs.own_mlp(keras), labelled((784,), 10, batch * steps), batch, steps, "adam", _SPARSE)


def cnn(keras: Any, batch: int = 128, steps: int = 40, size: int = 28) -> Case:
    """conv32-pool-conv64-pool-dropout-10 on 28×28, Adam."""
    model = graphs.cnn(keras, size)
    return _fit(model, labelled((size, size, 1), 10, batch * steps), batch, steps, "adam", _SPARSE)


def simple_rnn(keras: Any, batch: int = 32, steps: int = 100, time: int = 100) -> Case:
    """Embedding and three SimpleRNN(32), RMSprop."""
    return _fit(graphs.simple_rnn(keras), sentences(time, batch * steps), batch, steps, "rmsprop", _BINARY)


def lstm(keras: Any, batch: int = 32, steps: int = 50, time: int = 100, width: int = 64) -> Case:
    """Embedding and LSTM(64), Adam."""
    return _fit(graphs.lstm(keras, width), sentences(time, batch * steps), batch, steps, "adam", _BINARY)


def gru(keras: Any, batch: int = 32, steps: int = 50, time: int = 100, width: int = 64) -> Case:
    """Embedding and GRU(64), Adam."""
    return _fit(graphs.gru(keras, width), sentences(time, batch * steps), batch, steps, "adam", _BINARY)


def bidirectional(keras: Any, batch: int = 32, steps: int = 50, time: int = 100, width: int = 64) -> Case:
    """Embedding with a mask and Bidirectional(LSTM(64)), Adam."""
    return _fit(graphs.bidirectional(keras, width), padded_words(time, batch * steps), batch, steps, "adam", _BINARY)


def transformer(
    keras: Any, batch: int = 32, steps: int = 10, time: int = 128, width: int = 128, depth: int = 2, heads: int = 4
) -> Case:
    """Encoder blocks over 128 words, width 128, Adam."""
    model = graphs.transformer(keras, time, width, depth, heads)
    return _fit(model, sentences(time, batch * steps), batch, steps, "adam", _SPARSE)


def mobilenet(keras: Any, batch: int = 32, steps: int = 16, size: int = 96) -> Case:
    """Inverted residual blocks on 96×96, Adam."""
    model = graphs.mobilenet(keras, size)
    return _fit(model, labelled((size, size, 3), 10, batch * steps), batch, steps, "adam", _SPARSE)


def unet(keras: Any, batch: int = 8, steps: int = 16, size: int = 128) -> Case:
    """A U-Net on 128×128, Adam."""
    image = _random().random((batch * steps, size, size, 3), np.float32)
    outline = _random().integers(0, 2, (batch * steps, size, size, 1))
    return _fit(graphs.unet(keras, size), (image, outline), batch, steps, "adam", _BINARY)


def resnet50(keras: Any, batch: int = 8, steps: int = 4, size: int = 224) -> Case:
    """ResNet50, SGD with momentum."""
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
    data = labelled((size, size, 3), 1000, batch * steps)
    return _fit(graphs.resnet50(keras, size), data, batch, steps, optimizer, _SPARSE)


def _predict(model: Any, size: int, batch: int, steps: int) -> Case:
    x = _random().random((batch * steps, size, size, 3), np.float32)
    return Case(lambda n: model.predict(x[: n * batch], batch_size=batch, verbose=0), steps)


def resnet50_predict(keras: Any, batch: int = 8, steps: int = 4, size: int = 224) -> Case:
    """`predict` of a few batches with ResNet50."""
    return _predict(graphs.resnet50(keras, size), size, batch, steps)


def vgg16_predict(keras: Any, batch: int = 8, steps: int = 4, size: int = 224) -> Case:
    """`predict` of a few batches with VGG16."""
    return _predict(graphs.vgg16(keras, size), size, batch, steps)


def inception_v3_predict(keras: Any, batch: int = 8, steps: int = 4, size: int = 299) -> Case:
    """`predict` of a few batches with InceptionV3."""
    return _predict(graphs.inception_v3(keras, size), size, batch, steps)


def _hub(keras: Any) -> Any:
    """KerasHub on this Keras, or None where it is not installed."""
    if importlib.util.find_spec("keras_hub") is None:
        return None
    if keras.__name__ == "cornu":
        importlib.import_module("cornu.as_keras")
    return importlib.import_module("keras_hub")


def hub_generate(keras: Any, steps: int = 4, length: int = 64, width: int = 128, depth: int = 4) -> Case | None:
    """`generate` with KerasHub's GPT-2, greedily, from a prompt of 8 of 5000 words up to `length`."""
    if (hub := _hub(keras)) is None:
        return None
    backbone = hub.models.GPT2Backbone(5000, depth, 4, width, 4 * width, max_sequence_length=length)
    writer = hub.models.GPT2CausalLM(backbone, None)
    writer.compile(sampler="greedy")
    known = np.arange(length) < 8
    prompt = {
        "token_ids": _random().integers(1, 5000, (1, length)) * known,
        "padding_mask": known[None].astype("int32"),
    }
    return repeat(lambda: writer.generate(prompt, stop_token_ids=None), steps)


def hub_bert(
    keras: Any, batch: int = 16, steps: int = 8, time: int = 64, width: int = 128, depth: int = 2
) -> Case | None:
    """`fit` of KerasHub's BERT classifier, Adam."""
    if (hub := _hub(keras)) is None:
        return None
    backbone = hub.models.BertBackbone(5000, depth, 4, width, 4 * width, max_sequence_length=time)
    model = hub.models.BertTextClassifier(backbone, num_classes=2, preprocessor=None)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    words = _random().integers(1, 5000, (batch * steps, time))
    given = {"token_ids": words, "segment_ids": np.zeros_like(words), "padding_mask": np.ones_like(words)}
    labels = words[:, 0] % 2

    def run(n: int) -> None:
        rows = {name: x[: n * batch] for name, x in given.items()}
        model.fit(rows, labels[: n * batch], batch_size=batch, epochs=1, verbose=0)

    return Case(run, steps)


def evaluate(keras: Any, batch: int = 32, steps: int = 400) -> Case:
    """`evaluate` of the MLP."""
    model = graphs.mlp(keras)
    x, y = labelled((784,), 10, batch * steps)
    model.compile(optimizer="adam", loss=_SPARSE, metrics=["accuracy"])
    return Case(lambda n: model.evaluate(x[: n * batch], y[: n * batch], batch_size=batch, verbose=0), steps)


def predict(keras: Any, rows: int = 30_000, steps: int = 2) -> Case:
    """`predict` over many rows with the MLP, in batches of 32 as by default."""
    model = graphs.mlp(keras)
    x, _ = labelled((784,), 10, rows)
    return repeat(lambda: model.predict(x, verbose=0), steps)


def predict_one(keras: Any, steps: int = 300) -> Case:
    """`predict` on one row with the MLP, NumPy in and out."""
    model = graphs.mlp(keras)
    row = _random().random((1, 784), np.float32)
    return repeat(lambda: model.predict(row, verbose=0), steps)


def call_one(keras: Any, steps: int = 300) -> Case:
    """`model(x)` on one row with the MLP, NumPy in and out."""
    model = graphs.mlp(keras)
    row = _random().random((1, 784), np.float32)
    return repeat(lambda: keras.ops.convert_to_numpy(model(row)), steps)


def call_subclass(keras: Any, steps: int = 300) -> Case:
    """`model(x)` on one row with the subclassed MLP, NumPy in and out."""
    model = graphs.own_mlp(keras)
    row = _random().random((1, 784), np.float32)
    return repeat(lambda: keras.ops.convert_to_numpy(model(row)), steps)


def repeat(once: Callable[[], Any], steps: int) -> Case:
    def run(n: int) -> None:
        for _ in range(n):
            once()

    return Case(run, steps)


WORK = {
    function.__name__: function
    for function in (
        *(demo, mlp, cnn, simple_rnn, lstm, gru, bidirectional, transformer, mobilenet, unet, resnet50),
        *(resnet50_predict, vgg16_predict, inception_v3_predict, evaluate, predict, predict_one, call_one),
        *(mlp_subclass, call_subclass, hub_generate, hub_bert),
    )
}
