"""Names that programs use: data, weights, callbacks, sources of batches. `K` is the library."""

import math

import numpy as np

K = see = next_file = None  # the library, where to show things, another name for files: the runner sets them
shake = (0, 0.0)  # seed and relative size of what `shaken` adds


def shaken(values):
    """Floats as float32, each moved as little as `shake` says."""
    seed, size = shake
    return (values * (1 + size * np.random.default_rng(seed).uniform(-1, 1, values.shape))).astype("float32")


def numbers(seed, *shape):
    """Floats between -1 and 1."""
    return shaken(np.random.default_rng([seed, *shape]).uniform(-1, 1, shape))


def ids(seed, *shape):
    """Whole numbers from 0, which pads, to 4."""
    return np.random.default_rng([seed, *shape]).integers(0, 5, shape).astype("int32")


def truths(seed, *shape):
    """Masks: the first of each row is True, so that none is empty."""
    drawn = np.random.default_rng([seed, *shape]).integers(0, 3, shape) > 0
    drawn[:, :1] = True
    return drawn


def classes_of(seed, *shape, top):
    """Labels from 0 to `top` - 1."""
    return np.random.default_rng([seed, *shape]).integers(0, top, shape)


def one_hot(seed, *shape, top):
    """The same as rows of zeros with a one."""
    return np.eye(top, dtype="float32")[classes_of(seed, *shape, top=top)]


def give_weights(model, seed=3):
    """Set each weight to numbers that depend on the seed, its place and its shape."""
    values = []
    for index, weight in enumerate(model.weights):
        value = 0.4 * np.random.default_rng([seed, index]).standard_normal(tuple(weight.shape))
        positive = any(word in weight.path for word in ("variance", "stddev", "gamma"))
        values.append(shaken(np.abs(value) + 0.5 if positive else value))
    model.set_weights(values)


class Stop(Exception):
    """What a callback raises in the middle."""


def hooks(see):
    """A callback that shows each call with its numbers and the names in its logs."""

    class Hooks(K.callbacks.Callback):
        pass

    def note(name):
        def hook(self, *args, **kwargs):
            given = [*args, *kwargs.values()]
            whole = [int(a) for a in given if isinstance(a, (int, np.integer))]
            logs = [sorted(a) for a in given if isinstance(a, dict)]
            see(f"hook {name}", whole, logs[0] if logs else [])

        return hook

    silent = ("on_batch_begin", "on_batch_end", "on_train_error")  # the last is cornu's own
    for name in dir(K.callbacks.Callback):
        if name.startswith("on_") and name not in silent:
            setattr(Hooks, name, note(name))
    return Hooks()


def raiser(batch, epoch=0):
    """A callback that raises `Stop` after a batch of an epoch."""

    class Raiser(K.callbacks.Callback):
        def on_epoch_begin(self, number, logs=None):
            self.number = number

        def on_train_batch_end(self, step, logs=None):
            if self.number == epoch and step == batch:
                raise Stop

    return Raiser()


def rows_of(tree, start, stop):
    """The rows from `start` to `stop` of every array in a structure."""
    if isinstance(tree, dict):
        return {key: rows_of(value, start, stop) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(rows_of(value, start, stop) for value in tree)
    return tree[start:stop]


def generator(*parts, size=2, rows=5, endless=False):
    """A generator of batches of `size` rows."""
    while True:
        for start in range(0, rows, size):
            yield tuple(rows_of(part, start, min(start + size, rows)) for part in parts)
        if not endless:
            return


def breaking(*parts):
    """A generator of two batches that then raises `Stop`; of one, Keras reads the second before it computes."""
    yield parts
    yield parts
    raise Stop


def table(path):
    """The head of a CSV file and its numbers."""
    with open(path) as file:
        head, *rows = (line.strip().split(",") for line in file)
    return head, [[float(cell) for cell in row] for row in rows]


def dataset(*parts, size=2, rows=5):
    """A `PyDataset` of batches of `size` rows."""

    class Batches(K.utils.PyDataset):
        def __len__(self):
            return math.ceil(rows / size)

        def __getitem__(self, index):
            return tuple(rows_of(part, index * size, min((index + 1) * size, rows)) for part in parts)

        def on_epoch_end(self):
            see("end of data")

    return Batches()


def weights_of_rows(rows, seed=4):
    """A weight for each row, one of them 0."""
    values = np.random.default_rng(seed).uniform(0.2, 2, rows).astype("float32")
    values[rows // 2] = 0
    return values
