"""How fast pictures come from folders, changed at random, into the README's CNN: cornu's data set beside its peers.

python -m benchmarks.dataset                         # 20,000 pictures, minutes; writes benchmarks/results/dataset.json
python -m benchmarks.dataset --pictures 2000 --rounds 3

The pictures are JPEGs of 32×32 in ten folders, made for the occasion. Each reads, decodes, flips and scales them in two
threads (torch: two processes) and gives batches of 128. Peers that are not installed are left out, and named. The
readers take turns; each round is one pass over all pictures. "waits" is the share of a training epoch in which no step
was ready to run: 1 - (epoch on batches that were made before) / (epoch on the data set).
"""

import argparse
import importlib.util
import json
import resource
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import cornu
from cornu.data import AUTOTUNE, Dataset

HERE = Path(__file__).parent
BATCH, SIZE, CLASSES = 128, 32, 10


def main() -> int:
    """Measure, print and keep the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dataset", description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=20_000, help="pictures in the folders (20000)")
    parser.add_argument("--rounds", type=int, default=3, help="passes of each reader (3)")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder for the figures")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = make_pictures(Path(folder), options.pictures)
        readers = {name: make(files) for name, make in READERS.items() if is_there(name)}
        missing = [name for name in READERS if not is_there(name)]
        seconds = in_turns(readers, options.rounds)
        figures = {
            "pictures": options.pictures,
            "pictures a second": {name: round(options.pictures / min(times)) for name, times in seconds.items()},
            "not installed": missing,
            "training": trained(readers["cornu"]),
            "peak memory in MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "dataset.json").write_text(json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures, indent=1))
    return 0


def make_pictures(folder: Path, count: int) -> list[str]:
    """The names of JPEGs in a folder for each class."""
    random = np.random.default_rng(0)
    names = []
    for number in range(count):
        place = folder / str(number % CLASSES)
        place.mkdir(exist_ok=True)
        names.append(str(place / f"{number}.jpg"))
        Image.fromarray(random.integers(0, 255, (SIZE, SIZE, 3), "uint8")).save(names[-1])
    return names


def is_there(name: str) -> bool:
    """Whether a library is installed."""
    return importlib.util.find_spec(name) is not None


def read(name: str) -> np.ndarray:
    """A picture with numbers from 0 to 1."""
    with Image.open(name) as picture:
        return np.asarray(picture.convert("RGB"), "float32") / 255


def flipped(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A picture, or its mirror image."""
    return picture[:, ::-1] if random.random() < 0.5 else picture


def label(name: str) -> int:
    """The class of a picture's folder."""
    return int(Path(name).parent.name)


def with_cornu(files: list[str]) -> Iterable:
    """cornu's data set."""
    random = np.random.default_rng(0)

    def load(name: np.ndarray) -> tuple:
        return flipped(read(name.item()), random), np.int32(label(name.item()))

    names = Dataset.from_tensor_slices(np.array(files)).shuffle(len(files), seed=0)
    return names.map(load, num_parallel_calls=AUTOTUNE).batch(BATCH).prefetch(2)


def with_tensorflow(files: list[str]) -> Iterable:
    """`tf.data`, with TensorFlow's own operations."""
    import tensorflow as tf

    def load(name: Any, number: Any) -> tuple:
        picture = tf.io.decode_jpeg(tf.io.read_file(name), 3)
        return tf.image.random_flip_left_right(tf.cast(picture, tf.float32) / 255), number

    names = tf.data.Dataset.from_tensor_slices((files, [label(name) for name in files])).shuffle(len(files), seed=0)
    return names.map(load, num_parallel_calls=tf.data.AUTOTUNE).batch(BATCH).prefetch(2)


def with_torch(files: list[str]) -> Iterable:
    """torch's `DataLoader` with two workers."""
    import torch

    class Pictures(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(files)

        def __getitem__(self, number: int) -> tuple:
            random = np.random.default_rng()
            return flipped(read(files[number]), random).copy(), label(files[number])

    return torch.utils.data.DataLoader(Pictures(), BATCH, shuffle=True, num_workers=2)


READERS: dict[str, Callable[[list[str]], Iterable]] = {
    "cornu": with_cornu, "tensorflow": with_tensorflow, "torch": with_torch,
}  # fmt: skip


def in_turns(readers: dict[str, Iterable], rounds: int) -> dict[str, list[float]]:
    """Seconds of the passes of each reader."""
    seconds: dict[str, list[float]] = {name: [] for name in readers}
    for _ in range(rounds):
        for name, reader in readers.items():
            start = time.perf_counter()
            for _ in reader:
                pass
            seconds[name].append(time.perf_counter() - start)
    return seconds


def trained(data: Any) -> dict[str, float]:
    """Seconds of an epoch of the README's CNN on the data set, and on its batches in memory."""
    model = cornu.Sequential([
        cornu.Input((SIZE, SIZE, 3)),
        cornu.layers.Conv2D(32, 3, activation="relu"), cornu.layers.MaxPooling2D(),
        cornu.layers.Conv2D(64, 3, activation="relu"), cornu.layers.MaxPooling2D(),
        cornu.layers.Flatten(), cornu.layers.Dropout(0.5), cornu.layers.Dense(CLASSES, activation="softmax"),
    ])  # fmt: skip
    model.compile("adam", "sparse_categorical_crossentropy")
    kept = list(data.as_numpy_iterator())
    ready = Dataset.from_generator(lambda: iter(kept))
    seconds: dict[str, list[float]] = {"from files": [], "from memory": []}
    model.fit(ready, verbose=0)
    for _ in range(2):
        for name, source in (("from files", data), ("from memory", ready)):
            start = time.perf_counter()
            model.fit(source, verbose=0)
            seconds[name].append(time.perf_counter() - start)
    best = {name: min(times) for name, times in seconds.items()}
    waits = max(0.0, 1 - best["from memory"] / best["from files"])
    return {**{name: round(value, 2) for name, value in best.items()}, "waits": round(waits, 3)}


if __name__ == "__main__":
    raise SystemExit(main())
