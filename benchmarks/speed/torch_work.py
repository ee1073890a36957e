"""The same work as PyTorch's users write it: modules, a loop over batches, `eval` and `inference_mode` to predict.

Images lie channels last, which is the faster order for these networks. `Engine` says where and how to run: the
device, bfloat16 through autocast, and whether `torch.compile` is asked first.
"""

from collections.abc import Callable
from typing import Any

import keras_work
import numpy as np
import torch
from graphs import WORDS
from keras_work import Case
from shapes import AVERAGE, INCEPTION_V3, MAXIMUM, MOBILE, RESNET50, RESNET_EPSILON, VGG16, Fork
from torch import nn


class Engine:
    """Where and how PyTorch runs."""

    def __init__(self, device: str = "cpu", dtype: str = "float32", compiled: bool = False):
        self.device, self.dtype, self.compiled = torch.device(device), dtype, compiled
        if self.device.type == "cuda":
            torch.set_float32_matmul_precision("high")  # TF32, as JAX does by default

    def place(self, model: nn.Module, images: bool = False) -> nn.Module:
        """The model on the device, compiled if asked."""
        model = model.to(self.device)
        if images:
            model = model.to(memory_format=torch.channels_last)
        return torch.compile(model) if self.compiled else model

    def tensor(self, array: np.ndarray) -> torch.Tensor:
        """An array as tensor on the device; images go from (n, height, width, channels) to channels second."""
        tensor = torch.from_numpy(array).to(self.device)
        return tensor.permute(0, 3, 1, 2) if tensor.ndim == 4 else tensor

    def autocast(self) -> Any:
        """The context in which the model runs."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.dtype == "bfloat16")


def _layout(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor


def _fit(engine, model, data, batch, steps, optimizer=torch.optim.Adam, loss=None, images=False) -> Case:
    """Epochs of training with a running loss and accuracy, over arrays that go to the device before an epoch."""
    model = engine.place(model, images)
    loss = loss or nn.CrossEntropyLoss()
    updates = optimizer(model.parameters())

    def run(n: int) -> tuple[float, float]:
        model.train()
        *x, y = (engine.tensor(part[: n * batch]) for part in data)
        order = torch.randperm(n * batch, device=engine.device)
        total, right = (torch.zeros((), device=engine.device) for _ in range(2))
        for chosen in order.split(batch):
            labels = y[chosen]
            updates.zero_grad()
            with engine.autocast():
                answer = model(*(_layout(part[chosen]) for part in x))
                error = loss(answer, labels)
            error.backward()
            updates.step()
            total += error.detach()
            right += _right(answer, labels)
        return total.item() / n, right.item()

    return Case(run, steps)


def _right(answer: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    if answer.shape == labels.shape:
        return ((answer > 0) == labels).sum()
    return (answer.argmax(1) == labels).sum()


def _binary(data: tuple) -> tuple:
    *x, y = data
    return (*x, y.astype(np.float32))


class _Flat(nn.Module):
    """A model whose last dimension, of one, is dropped: one answer a row."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, *x):
        return self.model(*x).squeeze(-1)


def _predictor(engine: Engine, model: nn.Module, images: bool = False) -> Callable[[np.ndarray, int], np.ndarray]:
    """A function from NumPy rows and a batch size to NumPy probabilities."""
    model = engine.place(model, images).eval()

    def predict(rows: np.ndarray, batch: int) -> np.ndarray:
        with torch.inference_mode(), engine.autocast():
            batches = engine.tensor(rows).split(batch)
            return torch.cat([model(_layout(part)).softmax(1) for part in batches]).float().cpu().numpy()

    return predict


# --- networks


def _mlp(width: int = 512, depth: int = 1) -> nn.Module:
    inputs = [784] + [width] * (depth - 1)
    hidden = [part for size in inputs for part in (nn.Linear(size, width), nn.ReLU())]
    return nn.Sequential(*hidden, nn.Dropout(0.2), nn.Linear(width, 10))


def _cnn(size: int) -> nn.Module:
    left = ((size - 2) // 2 - 2) // 2
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64 * left * left, 10)),
    )


def _demo() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Dropout(0.3), nn.Flatten(), nn.Linear(1024, 64), nn.ReLU(), nn.Dropout(0.4), nn.Linear(64, 10)),
    )


class _Recurrent(nn.Module):
    """Embedding, a recurrent layer, and one answer from its last state."""

    def __init__(self, recurrent: nn.Module, width: int):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, width)
        self.recurrent = recurrent
        self.last = nn.Linear(recurrent.hidden_size, 1)

    def forward(self, words):
        sequence, _ = self.recurrent(self.embedding(words))
        return self.last(sequence[:, -1])


class _Bidirectional(nn.Module):
    """An LSTM in both directions over packed sequences."""

    def __init__(self, width: int):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, width, padding_idx=0)
        self.lstm = nn.LSTM(width, width, batch_first=True, bidirectional=True)
        self.last = nn.Linear(2 * width, 1)

    def forward(self, words):
        lengths = (words != 0).sum(1).cpu()
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(words), lengths, batch_first=True, enforce_sorted=False
        )
        _, (state, _) = self.lstm(packed)
        return self.last(torch.cat([state[0], state[1]], 1))


class _Transformer(nn.Module):
    """Encoder layers over embedded words, the mean, two classes."""

    def __init__(self, time: int, width: int, depth: int, heads: int):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, width)
        self.positions = nn.Parameter(torch.empty(time, width).uniform_(-0.05, 0.05))
        layer = nn.TransformerEncoderLayer(width, heads, 4 * width, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, depth)
        self.last = nn.Linear(width, 2)

    def forward(self, words):
        return self.last(self.encoder(self.embedding(words) + self.positions).mean(1))


def _inverted(inputs: int, expansion: int, filters: int, stride: int) -> nn.Module:
    inner = expansion * inputs
    steps = [nn.Conv2d(inputs, inner, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU6()] if expansion > 1 else []
    steps += [nn.Conv2d(inner, inner, 3, stride, 1, groups=inner, bias=False), nn.BatchNorm2d(inner), nn.ReLU6()]
    steps += [nn.Conv2d(inner, filters, 1, bias=False), nn.BatchNorm2d(filters)]
    return nn.Sequential(*steps)


class _Residual(nn.Module):
    """What came in, added to what the block made of it."""

    def __init__(self, block: nn.Module):
        super().__init__()
        self.block = block

    def forward(self, x):
        return x + self.block(x)


def _mobilenet() -> nn.Module:
    steps = [nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU6()]
    inputs = 32
    for expansion, filters, stride in MOBILE:
        block = _inverted(inputs, expansion, filters, stride)
        steps.append(_Residual(block) if stride == 1 and filters == inputs else block)
        inputs = filters
    steps += [nn.Conv2d(inputs, 256, 1, bias=False), nn.BatchNorm2d(256), nn.ReLU6()]
    return nn.Sequential(*steps, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 10))


def _twice(inputs: int, filters: int) -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(inputs, filters, 3, padding=1), nn.ReLU(), nn.Conv2d(filters, filters, 3, padding=1), nn.ReLU())
    )


class _UNet(nn.Module):
    """Down by pooling, up by transposed convolutions, joined level by level."""

    def __init__(self, width: int = 16, depth: int = 3):
        super().__init__()
        filters = [width * 2**level for level in range(depth)]
        self.down = nn.ModuleList(_twice(i, o) for i, o in zip([3, *filters], filters, strict=False))
        self.bottom = _twice(filters[-1], 2 * filters[-1])
        self.rise = nn.ModuleList(
            nn.ConvTranspose2d(2 * f, f, 3, 2, padding=1, output_padding=1) for f in reversed(filters)
        )
        self.up = nn.ModuleList(_twice(2 * f, f) for f in reversed(filters))
        self.pool = nn.MaxPool2d(2)
        self.last = nn.Conv2d(width, 1, 1)

    def forward(self, x):
        kept = []
        for block in self.down:
            kept.append(block(x))
            x = self.pool(kept[-1])
        x = self.bottom(x)
        for rise, block in zip(self.rise, self.up, strict=True):
            x = block(torch.cat([rise(x), kept.pop()], 1))
        return self.last(x)


def _vgg16(size: int) -> nn.Module:
    steps, inputs = [], 3
    for filters, convolutions in VGG16:
        for _ in range(convolutions):
            steps += [nn.Conv2d(inputs, filters, 3, padding=1), nn.ReLU()]
            inputs = filters
        steps.append(nn.MaxPool2d(2))
    left = size // 32
    dense = [nn.Linear(512 * left * left, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000)]
    return nn.Sequential(*steps, nn.Flatten(), *dense)


def _normalized(inputs: int, filters: int, kernel: int = 1, stride: int = 1, padding: int = 0) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inputs, filters, kernel, stride, padding), nn.BatchNorm2d(filters, eps=RESNET_EPSILON)
    )


class _Bottleneck(nn.Module):
    """1×1, 3×3, 1×1 beside a shortcut."""

    def __init__(self, inputs: int, filters: int, stride: int, first: bool):
        super().__init__()
        self.past = _normalized(inputs, 4 * filters, 1, stride) if first else nn.Identity()
        self.inner = nn.Sequential(
            *(_normalized(inputs, filters, 1, stride), nn.ReLU(inplace=True)),
            *(_normalized(filters, filters, 3, 1, 1), nn.ReLU(inplace=True)),
            _normalized(filters, 4 * filters),
        )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(self.inner(x) + self.past(x))


def _resnet50() -> nn.Module:
    steps = [_normalized(3, 64, 7, 2, 3), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]
    inputs = 64
    for filters, blocks, stage_stride in RESNET50:
        for block in range(blocks):
            first = block == 0
            steps.append(_Bottleneck(inputs, filters, stage_stride if first else 1, first))
            inputs = 4 * filters
    return nn.Sequential(*steps, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 1000))


class _Fork(nn.Module):
    """Ways side by side, joined along the channels."""

    def __init__(self, ways: list):
        super().__init__()
        self.ways = nn.ModuleList(ways)

    def forward(self, x):
        return torch.cat([way(x) for way in self.ways], 1)


def _way(inputs: int, steps: tuple) -> tuple[nn.Module, int]:
    """The module of a way, and how many channels come out."""
    made = []
    for step in steps:
        module, inputs = _step(inputs, step)
        made.append(module)
    return nn.Sequential(*made), inputs


def _step(inputs: int, step: Any) -> tuple[nn.Module, int]:
    if step is AVERAGE:
        return nn.AvgPool2d(3, 1, 1, count_include_pad=False), inputs
    if step is MAXIMUM:
        return nn.MaxPool2d(3, 2), inputs
    if isinstance(step, Fork):
        ways = [_way(inputs, way) for way in step.ways]
        return _Fork([way for way, _ in ways]), sum(channels for _, channels in ways)
    padding = tuple(k // 2 for k in step.kernel) if step.padding == "same" else 0
    convolution = nn.Conv2d(inputs, step.filters, step.kernel, step.stride, padding, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(step.filters, eps=1e-3), nn.ReLU(inplace=True)), step.filters


def _inception_v3() -> nn.Module:
    body, channels = _way(3, INCEPTION_V3)
    return nn.Sequential(body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 1000))


# --- work, by the names of keras_work


def demo(engine, batch=32, steps=38):
    return _fit(engine, _demo(), keras_work.labelled((8, 8, 1), 10, batch * steps), batch, steps, images=True)


def mlp(engine, batch=32, steps=400, width=512, depth=1):
    return _fit(engine, _mlp(width, depth), keras_work.labelled((784,), 10, batch * steps), batch, steps)


def cnn(engine, batch=128, steps=40, size=28):
    data = keras_work.labelled((size, size, 1), 10, batch * steps)
    return _fit(engine, _cnn(size), data, batch, steps, images=True)


def _read(engine, model, data, batch, steps, optimizer=torch.optim.Adam):
    return _fit(engine, _Flat(model), _binary(data), batch, steps, optimizer, nn.BCEWithLogitsLoss())


def simple_rnn(engine, batch=32, steps=100, time=100):
    model = _Recurrent(nn.RNN(32, 32, num_layers=3, batch_first=True), 32)
    return _read(engine, model, keras_work.sentences(time, batch * steps), batch, steps, torch.optim.RMSprop)


def lstm(engine, batch=32, steps=50, time=100, width=64):
    model = _Recurrent(nn.LSTM(width, width, batch_first=True), width)
    return _read(engine, model, keras_work.sentences(time, batch * steps), batch, steps)


def gru(engine, batch=32, steps=50, time=100, width=64):
    model = _Recurrent(nn.GRU(width, width, batch_first=True), width)
    return _read(engine, model, keras_work.sentences(time, batch * steps), batch, steps)


def bidirectional(engine, batch=32, steps=50, time=100, width=64):
    data = keras_work.padded_words(time, batch * steps)
    return _read(engine, _Bidirectional(width), data, batch, steps)


def transformer(engine, batch=32, steps=10, time=128, width=128, depth=2, heads=4):
    data = keras_work.sentences(time, batch * steps)
    return _fit(engine, _Transformer(time, width, depth, heads), data, batch, steps)


def mobilenet(engine, batch=32, steps=16, size=96):
    data = keras_work.labelled((size, size, 3), 10, batch * steps)
    return _fit(engine, _mobilenet(), data, batch, steps, images=True)


def unet(engine, batch=8, steps=16, size=128):
    image = np.random.default_rng(0).random((batch * steps, size, size, 3), np.float32)
    outline = np.random.default_rng(0).integers(0, 2, (batch * steps, size, size, 1)).astype(np.float32)
    return _fit(engine, _UNet(), (image, outline), batch, steps, loss=nn.BCEWithLogitsLoss(), images=True)


def resnet50(engine, batch=8, steps=4, size=224):
    data = keras_work.labelled((size, size, 3), 1000, batch * steps)
    return _fit(engine, _resnet50(), data, batch, steps, lambda p: torch.optim.SGD(p, 0.01, momentum=0.9), images=True)


def _predict(engine, model, size, batch, steps):
    predict = _predictor(engine, model, images=True)
    x = np.random.default_rng(0).random((batch * steps, size, size, 3), np.float32)
    return Case(lambda n: predict(x[: n * batch], batch), steps)


def resnet50_predict(engine, batch=8, steps=4, size=224):
    return _predict(engine, _resnet50(), size, batch, steps)


def vgg16_predict(engine, batch=8, steps=4, size=224):
    return _predict(engine, _vgg16(size), size, batch, steps)


def inception_v3_predict(engine, batch=8, steps=4, size=299):
    return _predict(engine, _inception_v3(), size, batch, steps)


def evaluate(engine, batch=32, steps=400):
    model, loss = engine.place(_mlp()).eval(), nn.CrossEntropyLoss()
    data = keras_work.labelled((784,), 10, batch * steps)

    def run(n: int) -> tuple[float, float]:
        x, y = (engine.tensor(part[: n * batch]) for part in data)
        total, right = (torch.zeros((), device=engine.device) for _ in range(2))
        with torch.inference_mode(), engine.autocast():
            for rows, labels in zip(x.split(batch), y.split(batch), strict=True):
                answer = model(rows)
                total += loss(answer, labels)
                right += _right(answer, labels)
        return total.item() / n, right.item()

    return Case(run, steps)


def predict(engine, rows=30_000, steps=2):
    answer = _predictor(engine, _mlp())
    x, _ = keras_work.labelled((784,), 10, rows)
    return keras_work.repeat(lambda: answer(x, 32), steps)


def predict_one(engine, steps=300):
    answer = _predictor(engine, _mlp())
    row = np.random.default_rng(0).random((1, 784), np.float32)
    return keras_work.repeat(lambda: answer(row, 1), steps)


call_one = call_subclass = predict_one  # one function does all three here
mlp_subclass = mlp

WORK = {name: globals()[name] for name in keras_work.WORK if name in globals()}
NOT_COMPILED = {"simple_rnn", "lstm", "gru", "bidirectional"}  # torch.compile leaves PyTorch's own loops as they are
