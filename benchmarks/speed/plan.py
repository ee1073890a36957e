"""What is timed, what is aimed at, and how small each piece is for a smoke test."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Target:
    """cornu at least `times` as fast (or, of memory, as small) as the best of `peers`: of all, if none is named."""

    times: float
    peers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Work:
    """One row: `name` is a function of `keras_work` unless `of` names another one."""

    title: str
    targets: tuple[Target, ...] = ()
    ceiling: float | None = None  # cornu's own figure is to stay below this
    weight: float = 1.0  # share of the time
    sizes: dict = field(default_factory=dict)  # other than the function's own
    quick: dict = field(default_factory=dict)  # sizes for a smoke test
    until: str = "rounds"
    of: str | None = None
    uses: tuple[str, ...] = ()  # what is touched right after the import
    cache: str = "own"  # "own": the user's compilation cache; "cold": an empty one each time; "warm": a filled one
    peers: tuple[str, ...] = ()  # only these, if any are named
    unit: str = "ms"


def _times(times: float, *peers: str) -> tuple[Target, ...]:
    return (Target(times, peers),)


_SMALL = {"batch": 4, "steps": 2}
_READ = {"batch": 4, "steps": 2, "time": 8}
_IMPORT = (Target(2.0, ("keras-jax",)), Target(1 / 1.15, ("jax",)))

WORK = {
    "mlp": Work("MLP 784-512-10, batch 32: step of fit", _times(1.3), quick=_SMALL),
    "cnn": Work("CNN 28×28, batch 128: step of fit", _times(1.3), quick=_SMALL),
    "simple_rnn": Work("3 × SimpleRNN(32), 100 steps: step of fit", _times(2.0), quick=_READ),
    "lstm": Work("LSTM(64), 100 steps: step of fit", _times(1.6), quick=_READ),
    "gru": Work("GRU(64), 100 steps: step of fit", _times(1.6), quick=_READ),
    "bidirectional": Work("Bidirectional LSTM(64), mask: step of fit", _times(1.6), quick=_READ),
    "transformer": Work(
        "Transformer, 2 blocks, 128 × 128: step of fit", _times(1.3), quick={**_READ, "width": 16, "depth": 1}
    ),
    "resnet50": Work(
        "ResNet50, batch 8: step of fit", _times(1.15), weight=3.5, quick={"batch": 2, "steps": 1, "size": 32}
    ),
    "resnet50_predict": Work(
        "ResNet50, batch 8: predict", _times(1.3), weight=1.5, quick={"batch": 1, "size": 32}
    ),
    "vgg16_predict": Work("VGG16, batch 8: predict", _times(1.0), weight=2, quick={"batch": 1, "size": 32}),
    "inception_v3_predict": Work(
        "InceptionV3, batch 8: predict", _times(1.0), weight=2, quick={"batch": 1, "size": 75}
    ),
    "mobilenet": Work("MobileNet-style, 96×96: step of fit", _times(1.5), weight=1.5, quick={**_SMALL, "size": 32}),
    "unet": Work("U-Net, 128×128, batch 8: step of fit", _times(1.5), weight=1.5, quick={**_SMALL, "size": 16}),
    "hub_generate": Work(
        "KerasHub GPT-2, 4 × 128: generate 56 words", _times(1.0, "keras-jax", "keras-torch"),
        quick={"steps": 1, "length": 10, "width": 8, "depth": 1},
    ),
    "hub_bert": Work(
        "KerasHub BERT classifier, 2 × 128: step of fit", _times(1.0, "keras-jax", "keras-torch"),
        quick={**_READ, "width": 8, "depth": 1},
    ),
    "evaluate": Work("MLP: step of evaluate", quick=_SMALL),
    "predict": Work("MLP: predict of 30,000 rows", quick={"rows": 64, "steps": 1}),
    "predict_one": Work("MLP: predict of one row", ceiling=0.15, weight=0.7, quick={"steps": 3}),
    "call_one": Work("MLP: model(x) of one row", ceiling=0.15, weight=0.7, quick={"steps": 3}),
    "mlp_subclass": Work("subclassed MLP: step of fit", _times(1.0, "keras-jax"), weight=0.7, quick=_SMALL),
    "call_subclass": Work(
        "subclassed MLP: model(x) of one row", _times(1.0, "keras-jax"), ceiling=0.15, weight=0.7, quick={"steps": 3}
    ),
    "demo": Work("the network of cornu demo: step of fit", weight=0.7, quick=_SMALL),
    "import": Work("import", _IMPORT, weight=0.7, until="import"),
    "import_use": Work(
        "import, and touch Sequential, Dense, Adam", _IMPORT, weight=0.7, until="import",
        uses=("Sequential", "layers.Dense", "optimizers.Adam"),
    ),
    "first_cold": Work(
        "first step of the CNN, cold cache", _times(1.0, "keras-jax"), until="first", of="cnn", cache="cold",
        sizes={"steps": 1}, quick=_SMALL,
    ),
    "first_warm": Work(
        "first step of the CNN, warm cache", _times(3.0, "keras-jax"), until="first", of="cnn", cache="warm",
        sizes={"steps": 1}, quick=_SMALL,
    ),
    "resnet50_warm": Work(
        "first step of ResNet50, warm cache", _times(3.0, "keras-jax"), until="first", of="resnet50", cache="warm",
        weight=1.5, peers=("cornu", "keras-jax"), sizes={"steps": 1}, quick={"batch": 2, "steps": 1, "size": 32},
    ),
    "predict_growth": Work(
        "memory left by 10,000 × predict of one row", ceiling=2.0, until="growth", of="predict_one", weight=0.5,
        peers=("cornu", "keras-jax"), unit="MB",
    ),
    "call_growth": Work(
        "memory left by 10,000 × model(x) of one row", ceiling=2.0, until="growth", of="call_one", weight=0.5,
        peers=("cornu", "keras-jax"), unit="MB",
    ),
}  # fmt: skip

# Rows read off the others: the most memory that the processes of these pieces of work held.
MEMORY = ("mlp", "cnn", "lstm", "transformer", "resnet50", "vgg16_predict")
MEMORY_TARGETS = _times(1.0, "keras-jax")
