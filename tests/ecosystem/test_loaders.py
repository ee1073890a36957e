"""Loaders of other libraries in a training that is stopped and goes on: where these are installed."""

import importlib.util

import numpy as np
import pytest

import cornu
from cornu import layers
from cornu.callbacks import BackupAndRestore, LambdaCallback

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore:'set_vital':UserWarning"
)
X = np.random.default_rng(0).normal(size=(24, 4)).astype("float32")
Y = X.sum(1, keepdims=True)


def noisy_rows():
    import torch

    class Noisy(torch.utils.data.Dataset):
        """Rows that are changed at random, by the generator that the order is drawn from as well."""

        def __len__(self):
            return len(X)

        def __getitem__(self, index):
            return torch.tensor(X[index]) + 0.1 * torch.randn(4), torch.tensor(Y[index])

    torch.manual_seed(5)
    return Noisy()


def torch_loader(size=4, **arguments):
    from torch.utils.data import DataLoader

    return DataLoader(noisy_rows(), batch_size=size, shuffle=True, **arguments)


def generator():
    import torch

    return torch.Generator().manual_seed(3)


def stateful_loader():
    import torch
    from torchdata.stateful_dataloader import StatefulDataLoader

    torch.manual_seed(5)
    return StatefulDataLoader([*zip(X, Y, strict=True)], batch_size=4, shuffle=True)


def grain_rows():
    import grain

    return grain.MapDataset.source(list(zip(X, Y, strict=True))).seed(3).shuffle()


def hugging_face():
    import datasets

    return datasets.Dataset.from_dict({"x": X, "y": Y}).to_iterable_dataset().shuffle(seed=3).with_format("numpy")


# what a user gives to fit -> (packages, arguments)
DATA = {
    "a DataLoader": (["torch"], lambda: {"x": torch_loader()}),
    "a DataLoader in part": (["torch"], lambda: {"x": torch_loader(), "steps_per_epoch": 4}),
    "a DataLoader with a generator": (["torch"], lambda: {"x": torch_loader(generator=generator())}),
    "two DataLoaders": (
        ["torch"], lambda: {"x": torch_loader(), "validation_data": torch_loader(8), "validation_steps": 2}),
    "a StatefulDataLoader": (["torch", "torchdata"], lambda: {"x": stateful_loader()}),
    "a data set of grain": (["grain"], lambda: {"x": grain_rows().batch(4).to_iter_dataset()}),
    "an iterator of grain": (
        ["grain"], lambda: {"x": iter(grain_rows().repeat().batch(4).to_iter_dataset()), "steps_per_epoch": 4}),
    "a stream of Hugging Face": (["datasets"], lambda: {"x": hugging_face().batch(4)}),
}  # fmt: skip


class Power(Exception):
    """What goes out."""


class Sum(cornu.Model):
    """A model whose labels are among its inputs, where these are a dictionary."""

    def __init__(self):
        super().__init__()
        self.last = layers.Dense(1)

    def call(self, x):
        return self.last(x["x"] if isinstance(x, dict) else x)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return cornu.ops.mean((y_pred - (x["y"] if y is None else y)) ** 2)


def trained(data, *callbacks):
    cornu.utils.set_random_seed(7)
    model = Sum()
    model.compile("adam")
    history = model.fit(**data, epochs=4, verbose=0, callbacks=[*callbacks])
    return model.get_weights(), history.get_state()["history"]


def goes_out(step):
    """Fails before a step, counted over all epochs."""
    left = [step]

    def look(batch, logs):
        left[0] -= 1
        if left[0] < 0:
            raise Power

    return LambdaCallback(on_train_batch_begin=look)


@pytest.mark.parametrize(("save_freq", "stops"), [("epoch", (8, 6)), (1, (1, 8))])
@pytest.mark.parametrize("kind", DATA)
def test_a_resumed_training_ends_with_the_same_bits(kind, save_freq, stops, tmp_path):
    packages, data = DATA[kind]
    for package in packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    whole = trained(data(), goes_out(99))
    for step in stops:  # after the first step, which is compiled, batches have been read ahead
        with pytest.raises(Power):
            trained(data(), BackupAndRestore(tmp_path, save_freq), goes_out(step))
    resumed = trained(data(), BackupAndRestore(tmp_path, save_freq), goes_out(99))
    assert resumed[1] == whole[1]
    for a, b in zip(resumed[0], whole[0], strict=True):
        np.testing.assert_array_equal(a, b)
