"""What XLA says of compiled training steps on eight virtual devices, as JSON: `test_plan.py` starts it."""

import json
import math
import re
import sys
from collections import Counter
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))  # behind everything else, as in `conftest.py`

import jax
import numpy as np

import cornu
from cornu import distribution, layers
from cornu.core import placement
from cornu.training.execution.compiled import Compiled, composition
from tests.lowering import lower_quickly

ROWS = 32
BYTES = {"f32": 4, "s32": 4, "u32": 4}
COLLECTIVE = re.compile(r"\s*(?:ROOT )?%?\S+ = (.*?) (all-reduce|all-gather|reduce-scatter|all-to-all)(?:-start)?\(")


def language():
    """A Transformer of one block."""
    words = cornu.Input((16,), dtype="int32")
    x = layers.Embedding(64, 32, name="embedding")(words)
    normal = layers.LayerNormalization(name="first")(x)
    x = x + layers.MultiHeadAttention(4, 8, name="attention")(normal, normal, use_causal_mask=True)
    y = layers.Dense(128, activation="gelu", name="wide")(layers.LayerNormalization(name="second")(x))
    x = x + layers.Dense(32, name="narrow")(y)
    model = cornu.Model(words, layers.Dense(64, name="logits")(x))
    model.compile("adam", cornu.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def images():
    """A small convolutional network."""
    model = cornu.Sequential(
        [
            cornu.Input((16, 16, 3)),
            layers.Conv2D(16, 3, padding="same", name="conv"),
            layers.BatchNormalization(name="normal"),
            layers.Activation("relu", name="relu"),
            layers.Conv2D(32, 3, strides=2, padding="same", name="deeper"),
            layers.GlobalAveragePooling2D(name="average"),
            layers.Dense(8, name="wide"),
        ]
    )
    model.compile(cornu.optimizers.SGD(0.1, momentum=0.9), cornu.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def channels():
    """Convolutions in groups and depthwise, and one of each image of a sequence."""
    model = cornu.Sequential(
        [
            cornu.Input((4, 12, 12, 3)),
            layers.TimeDistributed(layers.Conv2D(16, 3, name="conv"), name="each"),
            layers.Reshape((20, 20, 16)),
            layers.DepthwiseConv2D(3, depth_multiplier=2, activation="relu", name="depthwise"),
            layers.Conv2D(32, 3, groups=4, strides=2, activation="relu", name="groups"),
            layers.SeparableConv2D(32, 3, name="separable"),
            layers.GlobalAveragePooling2D(name="average"),
            layers.Dense(8, name="wide"),
        ]
    )
    model.compile("adam", cornu.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


MODELS = {"language": (language, (16,)), "images": (images, ()), "channels": (channels, ())}


def summing():
    """A model that updates its weights with the mean gradient of four batches."""
    model = cornu.Sequential(
        [cornu.Input((32,)), layers.Dense(64, "relu"), layers.Dropout(0.1), layers.Dense(8, kernel_regularizer="l2")]
    )
    optimizer = cornu.optimizers.Adam(gradient_accumulation_steps=4)
    model.compile(optimizer, cornu.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def layouts(mesh):
    """The layout map of both models."""
    found = distribution.LayoutMap(mesh)
    found["attention/(query|key|value)/kernel"] = (None, "model", None)
    found["attention/(query|key|value)/bias"] = ("model", None)
    found["attention/attention_output/kernel"] = ("model", None, None)
    found[".*wide/kernel"], found[".*wide/bias"], found["narrow/kernel"] = (None, "model"), ("model",), ("model", None)
    found["embedding/embeddings"] = ("model", None)
    found[".*conv/kernel"], found[".*deeper/kernel"] = (None, None, None, "model"), (None, None, "model", None)
    return found


def distributions():
    """By the name that a plan gives to each."""
    mesh = distribution.DeviceMesh((2, 4), ["batch", "model"])
    return {
        "data parallel": distribution.DataParallel(),
        "fully sharded": distribution.DataParallel(shard_weights=True),
        "layout map": distribution.ModelParallel(layout_map=layouts(mesh)),
        "layout map, fully sharded": distribution.ModelParallel(layout_map=layouts(mesh), shard_weights=True),
    }


def compiled(make, target, chosen, several=False):
    """The compiled step of `fit`, or several of them in one call."""
    with chosen.scope():
        model = make()
        model.optimizer.build(model.trainable_variables)
        step = Compiled(model, "train", composition(model, "train"), many=several)
        inputs, steps = model.inputs[0], (4,) * several
        batch = np.zeros((*steps, ROWS, *inputs.shape[1:]), inputs.dtype), np.zeros((*steps, ROWS, *target), "int32")
        span = (None, np.int32(0), np.int32(4)) if several else None
        return step.function.lower(step._state(None), placement.batch(batch, stacked=several), span).compile()


def said(step):
    """What XLA says of it: bytes of a device, operations, and bytes of each kind of collective."""
    memory = step.memory_analysis()
    sent = Counter()
    for line in step.as_text().splitlines():
        if found := COLLECTIVE.match(line):
            arrays = re.findall(r"(f32|s32|u32)\[([\d,]*)\]", found[1])
            sent[found[2]] += sum(BYTES[kind] * math.prod(map(int, filter(None, n.split(",")))) for kind, n in arrays)
    return {
        "arguments": memory.argument_size_in_bytes,
        "results": memory.output_size_in_bytes,
        "temporary": memory.temp_size_in_bytes,
        "flops": step.cost_analysis()["flops"],
        "sent": sent,
    }


if __name__ == "__main__":
    lower_quickly()
    assert jax.device_count() == 8
    answers = {
        f"{model}, {name}": said(compiled(make, target, chosen))
        for model, (make, target) in MODELS.items()
        for name, chosen in distributions().items()
        if model != "channels" or "map" not in name  # of whose axes the map says nothing
    }
    answers["summing"] = said(compiled(summing, (), distribution.DataParallel(), several=True))
    with open(sys.argv[1], "w") as file:
        json.dump(answers, file)
