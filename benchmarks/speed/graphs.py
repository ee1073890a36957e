"""The networks in the Keras API: each function takes the `keras` module, so that every engine runs the same lines.

Those that `cornu bench` times too stand with it, in a file that needs no cornu.
"""

import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[2] / "cornu" / "cli" / "bench"))

from networks import WORDS, cnn, lstm, mlp, transformer
from shapes import (
    AVERAGE,
    INCEPTION_V3,
    MAXIMUM,
    MOBILE,
    PARAMETERS,
    RESNET50,
    RESNET_EPSILON,
    VGG16,
    Fork,
)

__all__ = [
    "WORDS", "bidirectional", "cnn", "demo", "gru", "inception_v3", "lstm", "mlp", "mobilenet", "own_mlp", "resnet50",
    "simple_rnn", "transformer", "unet", "vgg16",
]  # fmt: skip


def own_mlp(keras: Any) -> Any:
    """The same as a subclassed model of subclassed layers."""

    class OwnDense(keras.layers.Dense):
        pass

    class OwnModel(keras.Model):
        def __init__(self):
            super().__init__()
            self.hidden = OwnDense(512, activation="relu")
            self.dropout = keras.layers.Dropout(0.2)
            self.answer = OwnDense(10, activation="softmax")

        def call(self, x, training=False):
            return self.answer(self.dropout(self.hidden(x), training=training))

    return OwnModel()


def demo(keras: Any) -> Any:
    """The network of `cornu demo`, for 8×8 digits."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Dropout(0.3),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dropout(0.4),
            layers.Dense(10, activation="softmax"),
        ]
    )


def simple_rnn(keras: Any) -> Any:
    """Three stacked SimpleRNN(32) over embedded words."""
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Embedding(WORDS, 32),
            layers.SimpleRNN(32, return_sequences=True),
            layers.SimpleRNN(32, return_sequences=True),
            layers.SimpleRNN(32),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def gru(keras: Any, width: int = 64) -> Any:
    """One GRU over embedded words."""
    layers = keras.layers
    return keras.Sequential([layers.Embedding(WORDS, width), layers.GRU(width), layers.Dense(1, activation="sigmoid")])


def bidirectional(keras: Any, width: int = 64) -> Any:
    """An LSTM in both directions over words padded with zeros, which are masked."""
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Embedding(WORDS, width, mask_zero=True),
            layers.Bidirectional(layers.LSTM(width)),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def mobilenet(keras: Any, size: int = 96) -> Any:
    """Inverted residual blocks with depthwise convolutions, after MobileNetV2."""
    layers = keras.layers

    def normalized(x, activated=True):
        x = layers.BatchNormalization()(x)
        return layers.ReLU(max_value=6.0)(x) if activated else x

    image = keras.Input((size, size, 3))
    x = normalized(layers.Conv2D(32, 3, strides=2, padding="same", use_bias=False)(image))
    for expansion, filters, stride in MOBILE:
        inner = x
        if expansion > 1:
            inner = normalized(layers.Conv2D(expansion * x.shape[-1], 1, use_bias=False)(inner))
        inner = normalized(layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)(inner))
        inner = normalized(layers.Conv2D(filters, 1, use_bias=False)(inner), activated=False)
        x = layers.Add()([x, inner]) if stride == 1 and filters == x.shape[-1] else inner
    x = normalized(layers.Conv2D(256, 1, use_bias=False)(x))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(10, activation="softmax")(x))


def unet(keras: Any, size: int = 128, width: int = 16, depth: int = 3) -> Any:
    """A U-Net whose way up is made of transposed convolutions."""
    layers = keras.layers

    def twice(x, filters):
        for _ in range(2):
            x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        return x

    image = x = keras.Input((size, size, 3))
    kept = []
    for level in range(depth):
        kept.append(twice(x, width * 2**level))
        x = layers.MaxPooling2D()(kept[-1])
    x = twice(x, width * 2**depth)
    for level in reversed(range(depth)):
        x = layers.Conv2DTranspose(width * 2**level, 3, strides=2, padding="same")(x)
        x = twice(layers.Concatenate()([x, kept[level]]), width * 2**level)
    return keras.Model(image, layers.Conv2D(1, 1, activation="sigmoid")(x))


def vgg16(keras: Any, size: int = 224) -> Any:
    """VGG16 with its three dense layers."""
    layers = keras.layers
    model = keras.Sequential([keras.Input((size, size, 3))])
    for filters, convolutions in VGG16:
        for _ in range(convolutions):
            model.add(layers.Conv2D(filters, 3, padding="same", activation="relu"))
        model.add(layers.MaxPooling2D())
    model.add(layers.Flatten())
    model.add(layers.Dense(4096, activation="relu"))
    model.add(layers.Dense(4096, activation="relu"))
    model.add(layers.Dense(1000, activation="softmax"))
    return _counted("vgg16", model, size == 224)


def resnet50(keras: Any, size: int = 224) -> Any:
    """ResNet50 in its first form: the stride is in a block's first convolution, and convolutions have biases."""
    layers = keras.layers

    def normalized(x, filters, kernel=1, stride=1, activated=True):
        x = layers.Conv2D(filters, kernel, strides=stride, padding="same" if stride == 1 else "valid")(x)
        x = layers.BatchNormalization(epsilon=RESNET_EPSILON)(x)
        return layers.Activation("relu")(x) if activated else x

    image = keras.Input((size, size, 3))
    x = normalized(layers.ZeroPadding2D(3)(image), 64, 7, 2)
    x = layers.MaxPooling2D(3, strides=2)(layers.ZeroPadding2D(1)(x))
    for filters, blocks, stage_stride in RESNET50:
        for block in range(blocks):
            stride = stage_stride if block == 0 else 1
            past = normalized(x, 4 * filters, 1, stride, activated=False) if block == 0 else x
            inner = normalized(normalized(x, filters, 1, stride), filters, 3)
            inner = normalized(inner, 4 * filters, activated=False)
            x = layers.Activation("relu")(layers.Add()([past, inner]))
    x = layers.GlobalAveragePooling2D()(x)
    return _counted("resnet50", keras.Model(image, layers.Dense(1000, activation="softmax")(x)))


def inception_v3(keras: Any, size: int = 299) -> Any:
    """InceptionV3, built from its table."""
    layers = keras.layers

    def walk(x, steps):
        for step in steps:
            x = take(x, step)
        return x

    def take(x, step):
        if step is AVERAGE:
            return layers.AveragePooling2D(3, strides=1, padding="same")(x)
        if step is MAXIMUM:
            return layers.MaxPooling2D(3, strides=2)(x)
        if isinstance(step, Fork):
            return layers.Concatenate()([walk(x, way) for way in step.ways])
        x = layers.Conv2D(step.filters, step.kernel, strides=step.stride, padding=step.padding, use_bias=False)(x)
        return layers.Activation("relu")(layers.BatchNormalization(scale=False)(x))

    image = keras.Input((size, size, 3))
    x = layers.GlobalAveragePooling2D()(walk(image, INCEPTION_V3))
    return _counted("inception_v3", keras.Model(image, layers.Dense(1000, activation="softmax")(x)))


def _counted(name: str, model: Any, full: bool = True) -> Any:
    """The model, after making sure that it is the network it claims to be."""
    if full and model.count_params() != PARAMETERS[name]:
        raise ValueError(f"{name} has {model.count_params():,} parameters, not {PARAMETERS[name]:,}.")
    return model
