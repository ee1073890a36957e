"""One library, in its own process: prepares one piece of work on data, then times a pass each time a line comes in.

Run by `dataset` as `python dataset_worker.py OPTIONS`, the options being one JSON object; answers in JSON, a line each.
"""

import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

BATCH, CLASSES, ROWS, FEATURES = 128, 10, 60_000, 784
SIZES = {"small": 32, "mixed": 64, "large": 160}  # that the pictures of a folder are brought to
TRAINED = 32  # and to train on


def main(options: dict) -> None:
    """Time a pass for each line on standard input."""
    libraries = {"cornu": Cornu, "keras": TensorFlow, "torch": Torch}
    library = libraries[options["engine"]](Path(options["folder"]))
    name, _, detail = options["work"].partition(" ")
    work = getattr(library, name, None)
    go_through = work(*detail.split()) if work else None
    if go_through is None:
        say(absent=True)
        return
    for _ in range(2):  # a shape that comes once in a pass may be compiled when it comes again
        elements = go_through()
    say(elements=elements)
    for _ in sys.stdin:
        began, cpu = time.perf_counter(), used()
        elements = go_through()
        seconds, cpu = time.perf_counter() - began, used() - cpu
        say(wall_us=seconds / elements * 1e6, cpu_us=cpu / elements * 1e6, peak_mb=peak())


def used() -> float:
    """Seconds of processor time of this process and of those that it started and that have ended."""
    both = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in both)


def peak() -> float:
    """The most memory that this process has held, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def passing(data: Iterable, elements: int) -> Callable[[], int]:
    """What goes through data once, and says how many elements that was."""

    def go_through() -> int:
        for _ in data:
            pass
        return elements

    return go_through


def table() -> tuple[np.ndarray, np.ndarray]:
    """Rows of numbers with labels."""
    random = np.random.default_rng(0)
    return random.random((ROWS, FEATURES), "float32"), random.integers(0, CLASSES, ROWS, "int32")


class Tables:
    """Work that cornu and TensorFlow name alike; a subclass has the library's `keras` and `Dataset`."""

    keras: Any
    Dataset: Any
    auto = -1

    def __init__(self, folder: Path):
        self.folder = folder

    def python(self, function: Callable, like: np.ndarray) -> Callable:
        """A function of the user's in Python, for `map`."""
        raise NotImplementedError

    # ------------------------------------------------------------ pictures

    def _pictures(self, kind: str, size: int) -> Any:
        return self.keras.utils.image_dataset_from_directory(
            self.folder / kind, image_size=(size, size), batch_size=BATCH, seed=0, verbose=False
        )

    def read(self, kind: str) -> Callable[[], int]:
        """Pictures of a folder in batches."""
        data = self._pictures(kind, SIZES[kind])
        return passing(data, len(data.file_paths))

    def augmented(self, kind: str) -> Callable[[], int]:
        """The same, flipped, turned and zoomed at random by layers within `map`."""
        data, augment = self._pictures(kind, SIZES[kind]), self._augmentation()
        made = data.map(lambda x, y: (augment(x, training=True), y), num_parallel_calls=self.auto).prefetch(2)
        return passing(made, len(data.file_paths))

    def _augmentation(self) -> Any:
        layers = self.keras.layers
        return self.keras.Sequential(
            [
                layers.RandomFlip("horizontal", seed=1),
                layers.RandomRotation(0.1, seed=2),
                layers.RandomZoom(0.1, seed=3),
            ]
        )

    def trained(self, kind: str, where: str) -> Callable[[], int]:
        """An epoch of a small CNN on pictures that are changed "inmap" or "inmodel", or on ones "inmemory"."""
        data = self._pictures(kind, TRAINED)
        count = len(data.file_paths)
        augment = self._augmentation()
        if where == "inmodel":
            model = self._cnn(augment)
        else:
            model = self._cnn()
            data = data.map(lambda x, y: (augment(x, training=True), y), num_parallel_calls=self.auto).prefetch(2)
        if where == "inmemory":
            data = data.cache()
        return lambda: (model.fit(data, verbose=0), count)[1]

    def _cnn(self, *first: Any) -> Any:
        layers = self.keras.layers
        model = self.keras.Sequential([
            self.keras.Input((TRAINED, TRAINED, 3)), *first, layers.Rescaling(1 / 255),
            layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(),
            layers.Flatten(), layers.Dropout(0.5), layers.Dense(CLASSES, activation="softmax"),
        ])  # fmt: skip
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    # ------------------------------------------------------------ other data

    def shuffled(self) -> Callable[[], int]:
        """60,000 rows of 784 numbers shuffled and in batches."""
        data = self.Dataset.from_tensor_slices(table()).shuffle(ROWS, seed=0).batch(BATCH).prefetch(2)
        return passing(data, ROWS)

    def mapped(self) -> Callable[[], int]:
        """The same with a Python function of each row."""
        x, _ = table()
        data = self.Dataset.from_tensor_slices(x[:10_000])
        double = self.python(lambda row: row * 2, x[0])
        return passing(data.map(double, num_parallel_calls=self.auto).batch(BATCH).prefetch(2), 10_000)

    def mapped_batches(self) -> Callable[[], int]:
        """The same with a NumPy function of each batch."""
        x, _ = table()
        double = self.python(lambda rows: np.sqrt(rows) * 2, x)
        return passing(self.Dataset.from_tensor_slices(x).batch(BATCH).map(double, self.auto).prefetch(2), ROWS)

    def generated(self) -> Callable[[], int]:
        """Rows that a generator yields, in batches."""
        x, _ = table()
        data = self.Dataset.from_generator(lambda: iter(x[:10_000]), output_signature=self.spec((FEATURES,), "float32"))
        return passing(data.batch(BATCH).prefetch(2), 10_000)

    def texts(self) -> Callable[[], int]:
        """Texts of a folder in batches."""
        place = self.folder / "texts"
        data = self.keras.utils.text_dataset_from_directory(place, batch_size=BATCH, seed=0, verbose=False)
        return passing(data, sum(1 for _ in place.glob("*/*")))

    def windows(self) -> Callable[[], int]:
        """Windows of 24 steps of a series of 14 numbers."""
        series = np.random.default_rng(0).random((20_000, 14), "float32")
        make = self.keras.utils.timeseries_dataset_from_array
        data = make(series[:-1], series[24:, 0], 24, batch_size=BATCH, shuffle=True, seed=0)
        return passing(data, 20_000 - 24)

    def cached(self) -> Callable[[], int]:
        """Rows out of a cache, in batches."""
        x, y = table()
        data = self.Dataset.from_tensor_slices((x[:20_000], y[:20_000])).cache().shuffle(1000, seed=0).batch(BATCH)
        return passing(data.prefetch(2), 20_000)

    def interleaved(self) -> Callable[[], int]:
        """Rows of ten data sets in turns."""
        x, _ = table()
        parts = np.split(x[:10_000], 10)
        stacked = np.stack(parts)
        data = self.Dataset.from_tensor_slices(stacked).interleave(self.Dataset.from_tensor_slices, cycle_length=4)
        return passing(data.batch(BATCH).prefetch(2), 10_000)


class Cornu(Tables):
    """cornu's data sets."""

    def __init__(self, folder: Path):
        super().__init__(folder)
        self.keras = importlib.import_module("cornu")
        self.Dataset, self.spec = self.keras.data.Dataset, self.keras.data.TensorSpec

    def python(self, function: Callable, like: np.ndarray) -> Callable:
        """The function itself."""
        return function


class TensorFlow(Tables):
    """`tf.data`, with Keras on TensorFlow."""

    def __init__(self, folder: Path):
        super().__init__(folder)
        self.keras, self.tf = importlib.import_module("keras"), importlib.import_module("tensorflow")
        self.Dataset, self.spec = self.tf.data.Dataset, self.tf.TensorSpec

    def python(self, function: Callable, like: np.ndarray) -> Callable:
        """The function as an operation of a graph."""
        return lambda x: self.tf.numpy_function(function, [x], like.dtype, stateful=False)


class Torch:
    """torch's `DataLoader` with two workers; pictures are read and changed by Pillow, as by torchvision."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.torch = importlib.import_module("torch")

    def _loader(self, data: Any) -> Any:
        return self.torch.utils.data.DataLoader(data, BATCH, shuffle=True, num_workers=2)

    def _pictures(self, kind: str, size: int, change: Callable = lambda picture: picture) -> tuple[Any, int]:
        """A loader of the pictures of a folder in batches, and how many there are."""
        from PIL import Image

        files, torch = sorted(map(str, (self.folder / kind).glob("*/*.jpg"))), self.torch

        class Pictures(torch.utils.data.Dataset):
            def __len__(self) -> int:
                return len(files)

            def __getitem__(self, number: int) -> tuple:
                with Image.open(files[number]) as file:
                    picture = file.convert("RGB")
                if picture.size != (size, size):
                    picture = picture.resize((size, size), Image.Resampling.BILINEAR)
                pixels = torch.from_numpy(np.array(change(picture))).permute(2, 0, 1).contiguous()
                return pixels.to(torch.float32), int(Path(files[number]).parent.name)

        return self._loader(Pictures()), len(files)

    def read(self, kind: str) -> Callable[[], int]:
        """Pictures of a folder in batches."""
        return passing(*self._pictures(kind, SIZES[kind]))

    def augmented(self, kind: str) -> Callable[[], int]:
        """The same, flipped, and turned and zoomed in one, at random."""
        return passing(*self._pictures(kind, SIZES[kind], self._change))

    @staticmethod
    def _change(picture: Any) -> Any:
        import random

        from PIL import Image

        if random.random() < 0.5:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return picture.rotate(random.uniform(-36, 36), Image.Resampling.BILINEAR)

    def trained(self, kind: str, where: str) -> Callable[[], int] | None:
        """An epoch of a small CNN on pictures that the loader's workers change."""
        if where != "inmap":
            return None
        torch = self.torch
        nn, (loader, count), left = torch.nn, self._pictures(kind, TRAINED, self._change), ((TRAINED - 2) // 2 - 2) // 2
        model = nn.Sequential(
            nn.Conv2d(3, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Dropout(0.5), nn.Linear(64 * left * left, CLASSES),
        )  # fmt: skip
        loss_of, optimizer = nn.CrossEntropyLoss(), torch.optim.Adam(model.parameters())

        def epoch() -> int:
            for x, y in loader:
                optimizer.zero_grad()
                loss_of(model(x / 255), y).backward()
                optimizer.step()
            return count

        return epoch

    def shuffled(self) -> Callable[[], int]:
        """60,000 rows of 784 numbers shuffled and in batches."""
        x, y = map(self.torch.from_numpy, table())
        return passing(self._loader(self.torch.utils.data.TensorDataset(x, y)), ROWS)


def say(**values: object) -> None:
    """One line of JSON for the driver, on the standard output as it was at the start."""
    os.write(_OUT, (json.dumps(values) + "\n").encode())


if __name__ == "__main__":
    _OUT = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints goes with the errors
    main(json.loads(sys.argv[1]))
