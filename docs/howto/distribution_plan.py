"""Write the table of `distribution-plan.md`: a Transformer of 7 billion weights on 8 to 1,024 devices, on paper.

python docs/howto/distribution_plan.py
"""

from pathlib import Path

import jax

import cornu as keras
from cornu.distribution import plan_table, plans

PAGE = Path(__file__).with_name("distribution-plan.md")
START, END = "<!-- written by distribution_plan.py -->\n", "<!-- until here -->\n"
WIDTH, HEADS, DEPTH, WORDS, LENGTH = 4096, 32, 32, 32_000, 2048
ROWS = 4  # sequences a device and step
COUNTS = 8, 16, 32, 64, 128, 256, 512, 1024
MACHINE = 8  # devices with fast links among them
HEAD = """| devices | layout | memory | sent per step | computation | memory traffic | links | lower bound of a step |
|---:|---|---:|---:|---:|---:|---:|---:|
"""
FAST, SLOW = 450e9, 50e9  # bytes a second: NVLink, and 400 Gbit/s a device to other machines


class Block(keras.layers.Layer):
    """Attention and two dense layers, before each of which the values are normalized."""

    def __init__(self, width, heads, **kwargs):
        super().__init__(**kwargs)
        dtype = self.dtype_policy
        self.first = keras.layers.LayerNormalization(dtype=dtype, name="first")
        self.attention = keras.layers.MultiHeadAttention(
            heads, width // heads, use_bias=False, dtype=dtype, name="attention"
        )
        self.second = keras.layers.LayerNormalization(dtype=dtype, name="second")
        self.wide = keras.layers.Dense(4 * width, activation="gelu", dtype=dtype, name="wide")
        self.narrow = keras.layers.Dense(width, dtype=dtype, name="narrow")

    def call(self, x):
        """The values after the block, within which nothing is kept for the gradient."""
        return keras.remat(self.inner)(x)

    def inner(self, x):
        """The values after the block."""
        normal = self.first(x)
        x = x + self.attention(normal, normal, use_causal_mask=True)
        return x + self.narrow(self.wide(self.second(x)))


def transformer(width=WIDTH, heads=HEADS, depth=DEPTH, words=WORDS, length=LENGTH):
    """A language model that computes in bfloat16."""
    words_in = keras.Input((length,), dtype="int32")
    x = keras.layers.Embedding(words, width, dtype="mixed_bfloat16", name="embedding")(words_in)
    for number in range(depth):
        x = Block(width, heads, dtype="mixed_bfloat16", name=f"block_{number}")(x)
    x = keras.layers.LayerNormalization(dtype="mixed_bfloat16", name="normal")(x)
    logits = keras.layers.Dense(words, use_bias=False, dtype="mixed_bfloat16", name="logits")(x)
    model = keras.Model(words_in, logits)
    model.compile("adamw", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def layouts(mesh):
    """Each block split over the devices of a machine, as Shoeybi et al., 2019, do: https://arxiv.org/abs/1909.08053"""
    found = keras.distribution.LayoutMap(mesh)
    found[".*attention/(query|key|value)/kernel"] = (None, "model", None)
    found[".*attention/attention_output/kernel"] = ("model", None, None)
    found[".*wide/kernel"], found[".*wide/bias"] = (None, "model"), ("model",)
    found[".*narrow/kernel"] = ("model", None)
    found["embedding/embeddings"], found["logits/kernel"] = ("model", None), (None, "model")
    return found


def plan(devices: int, **sizes) -> plans.Plan:
    """The plan for so many H100s."""
    mesh = {"batch": devices // MACHINE, "model": MACHINE}
    on_paper = keras.distribution.DeviceMesh((1, 1), ["batch", "model"], ["paper:0"])
    return keras.distribution.plan(
        lambda: transformer(**sizes),
        mesh,
        ROWS * devices,
        y=jax.ShapeDtypeStruct((1, sizes.get("length", LENGTH)), "int32"),
        layout_map=layouts(on_paper),
        memory=80e9,
        flops=989e12,
        memory_bandwidth=3.35e12,
        link_bandwidth={"batch": FAST if devices <= MACHINE else SLOW, "model": FAST},
    )


def rows(devices: int, planned: plans.Plan) -> list[str]:
    """The table's rows for so many devices."""
    return [_row(devices, row, row is planned.best) for row in planned.layouts]


def _row(devices: int, row: plans.LayoutPlan, best: bool) -> str:
    bold = "**" if best else ""
    memory = plan_table.size(row.memory) + ("" if row.fits else " ✗")
    cells = [f"{devices:,}", f"{bold}{row.layout}{bold}", memory, plan_table.size(sum(row.traffic.values()))]
    times = [plan_table.duration(value) for value in (*row.seconds.values(), row.bound)]
    return f"| {' | '.join([*cells, *times])} |\n"


def page(text: str) -> str:
    """The page with a new table."""
    before, rest = text.split(START)
    lines = [row for devices in COUNTS for row in rows(devices, plan(devices))]
    return "".join([before, START, HEAD, *lines, END, rest.split(END)[1]])


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
