"""The data sets of books and courses: downloaded once, read as data alone. The files here are small ones of our own."""

import gzip
import hashlib
import io
import json
import pickle
import struct
import tarfile
import zipfile

import numpy as np
import pytest

import cornu
from cornu import datasets
from cornu.datasets import published
from cornu.saving import plain_npz, plain_pickle
from cornu.utils import download
from tests.behaviour.local_server import Server

RANDOM = np.random.RandomState(0)


class Python2(pickle._Pickler):
    """Writes pickles with byte strings, as Python 2 did."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_bytes(self, value):
        length = struct.pack("<B", len(value)) if len(value) < 256 else struct.pack("<i", len(value))
        self.write((b"U" if len(value) < 256 else b"T") + length + value)
        self.memoize(value)

    dispatch[bytes] = save_bytes


def python2(value) -> bytes:
    file = io.BytesIO()
    Python2(file, 2).dump(value)
    return file.getvalue()


def npz(**arrays) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def lists(*rows) -> np.ndarray:
    array = np.empty(len(rows), object)
    array[:] = rows
    return array


def texts(count: int) -> np.ndarray:
    return lists(*(RANDOM.randint(1, 200, RANDOM.randint(3, 9)).tolist() for _ in range(count)))


def idx(array: np.ndarray) -> bytes:
    header = bytes((0, 0, 8, array.ndim)) + b"".join(length.to_bytes(4, "big") for length in array.shape)
    return gzip.compress(header + array.tobytes())


def cifar(folder: str, *labels: str, **counts: int) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, count in counts.items():
            batch = {b"data": RANDOM.randint(0, 256, (count, 3072)).astype("uint8"), b"batch_label": name.encode()}
            batch |= {label.encode(): RANDOM.randint(0, 10, count).tolist() for label in labels}
            content = python2(batch)
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def images(*shape: int) -> np.ndarray:
    return RANDOM.randint(0, 256, shape).astype("uint8")


PIXELS = {name: images(count, 28, 28) for name, count in {"train": 6, "t10k": 4}.items()}
TABLE = {"x": RANDOM.normal(size=(700, 3)), "y": np.arange(700.0)}
FILES = {
    "boston_housing": npz(**TABLE),
    "california_housing": npz(**{name: values.astype("float32") for name, values in TABLE.items()}),
    "cifar10": cifar(
        "cifar-10-batches-py", "labels", **{f"data_batch_{n}": 2 for n in range(1, 6)}, test_batch=3
    ),
    "cifar100": cifar("cifar-100-python", "fine_labels", "coarse_labels", train=5, test=2),
    "fashion_mnist/train-labels": idx(np.arange(6, dtype="uint8")),
    "fashion_mnist/train-images": idx(PIXELS["train"]),
    "fashion_mnist/t10k-labels": idx(np.arange(4, dtype="uint8")),
    "fashion_mnist/t10k-images": idx(PIXELS["t10k"]),
    "imdb": npz(x_train=texts(12), y_train=np.arange(12) % 2, x_test=texts(10), y_test=np.arange(10) % 2),
    "imdb/words": json.dumps({"the": 1, "and": 2}).encode(),
    "mnist": npz(
        x_train=PIXELS["train"], y_train=np.arange(6, dtype="uint8"), x_test=PIXELS["t10k"],
        y_test=np.arange(4, dtype="uint8"),
    ),
    "reuters": npz(x=texts(17), y=np.arange(17)),
    "reuters/words": json.dumps({"the": 1, "of": 2}).encode(),
}  # fmt: skip


@pytest.fixture(scope="module")
def published_here():
    """A server with small files in the place of the published ones."""
    server = Server()
    table = {}
    for name, file in published.FILES.items():
        path = file.origin.rpartition("/")[2]
        server.files[f"/{path}"] = FILES[name]
        file_hash = file.file_hash and hashlib.sha256(FILES[name]).hexdigest()
        table[name] = file._replace(origin=server.address(path), file_hash=file_hash)
    yield server, table
    server.close()


@pytest.fixture
def server(published_here, tmp_path, monkeypatch):
    server, table = published_here
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(download, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(published, "FILES", table)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    server.requests.clear()
    return server


@pytest.fixture
def folder(server, tmp_path):
    return tmp_path / "datasets"


def test_digits_and_clothes(folder, server):
    for module, name in ((datasets.mnist, "mnist.npz"), (datasets.fashion_mnist, "fashion-mnist")):
        (x_train, y_train), (x_test, y_test) = module.load_data()
        np.testing.assert_array_equal(x_train, PIXELS["train"])
        np.testing.assert_array_equal(x_test, PIXELS["t10k"])
        assert y_train.tolist() == [0, 1, 2, 3, 4, 5] and y_test.tolist() == [0, 1, 2, 3]
        assert {array.dtype for array in (x_train, y_train, x_test, y_test)} == {np.dtype("uint8")}
        assert (folder / name).exists()
        x_train += 1  # an array of one's own
    assert len(server.requests) == 5
    datasets.mnist.load_data()
    datasets.fashion_mnist.load_data()
    assert len(server.requests) == 5


def test_small_photographs(folder):
    (x_train, y_train), (x_test, y_test) = datasets.cifar10.load_data()
    assert (x_train.shape, y_train.shape, x_test.shape) == ((10, 32, 32, 3), (10, 1), (3, 32, 32, 3))
    assert x_train.dtype == y_train.dtype == y_test.dtype == "uint8"
    second = pickle.loads((folder / "cifar-10-batches-py-target/cifar-10-batches-py/data_batch_2").read_bytes(),
                          encoding="bytes")  # fmt: skip
    assert x_train[2, 0, 1].tolist() == second[b"data"][0, [1, 1025, 2049]].tolist()
    assert y_train[2:4, 0].tolist() == second[b"labels"]
    (fine, y_fine), _ = datasets.cifar100.load_data()
    (coarse, y_coarse), (_, y_test) = datasets.cifar100.load_data(label_mode="coarse")
    np.testing.assert_array_equal(fine, coarse)
    assert y_fine.tolist() != y_coarse.tolist() and y_test.dtype == "int64" and y_test.shape == (2, 1)
    with pytest.raises(ValueError, match=r'label_mode must be "fine" or "coarse"'):
        datasets.cifar100.load_data("both")


def test_the_order_of_the_axes_is_that_of_the_settings(server):
    (last, _), _ = datasets.cifar10.load_data()
    cornu.config.set_image_data_format("channels_first")
    try:
        (first, _), _ = datasets.cifar10.load_data()
    finally:
        cornu.config.set_image_data_format("channels_last")
    np.testing.assert_array_equal(first, last.transpose(0, 3, 1, 2))


def test_tables_are_parted(server):
    (x_train, y_train), (x_test, y_test) = datasets.boston_housing.load_data(test_split=0.25)
    assert (x_train.shape, x_test.shape) == ((525, 3), (175, 3))
    rows = np.concatenate([y_train, y_test]).astype(int)
    assert sorted(rows) == list(range(700)) and rows[:9].tolist() != list(range(9))
    np.testing.assert_array_equal(np.concatenate([x_train, x_test]), TABLE["x"][rows])
    (small, _), _ = datasets.california_housing.load_data("small")
    assert small.shape == (480, 3) and small.dtype == "float32"
    with pytest.raises(ValueError, match="test_split must be a number from 0"):
        datasets.boston_housing.load_data(test_split=1.0)
    with pytest.raises(ValueError, match=r'version must be "large" or "small"'):
        datasets.california_housing.load_data("medium")


def test_reviews_are_word_numbers(server):
    (x_train, y_train), (x_test, _) = datasets.imdb.load_data(num_words=100, skip_top=10)
    assert x_train.shape == y_train.shape == (12,) and x_test.shape == (10,)
    assert all(number == 2 or 10 <= number < 100 for text in x_train for number in text)
    (bare, _), _ = datasets.imdb.load_data(num_words=100, skip_top=10, oov_char=None)
    assert [[n for n in text if n != 2] for text in x_train] == bare.tolist()
    (marked, _), _ = datasets.imdb.load_data(start_char=7, index_from=0)
    (plain, _), _ = datasets.imdb.load_data(start_char=None, index_from=None)
    assert [text[1:] for text in marked] == plain.tolist() and {text[0] for text in marked} == {7}
    (short, labels), _ = datasets.imdb.load_data(maxlen=6)
    assert 0 < len(short) == len(labels) < 12 and max(map(len, short)) == 5
    with pytest.raises(ValueError, match="maxlen=2 leaves none"):
        datasets.imdb.load_data(maxlen=2)
    assert datasets.imdb.get_word_index() == {"the": 1, "and": 2}


def test_news_have_topics(server):
    (x_train, y_train), (x_test, y_test) = datasets.reuters.load_data(test_split=0.3)
    assert (len(x_train), len(x_test)) == (11, 6)
    assert sorted([*y_train, *y_test]) == list(range(17))
    assert datasets.reuters.get_word_index()["of"] == 2
    assert len(datasets.reuters.get_label_names()) == 46


def test_another_name_for_the_file(folder, tmp_path):
    datasets.mnist.load_data(path="digits.npz")
    datasets.mnist.load_data(path=tmp_path / "mine.npz")
    assert (folder / "digits.npz").exists() and (tmp_path / "mine.npz").exists()


def test_without_a_network_it_says_where_the_file_goes(folder, monkeypatch):
    table = dict(published.FILES)
    table["mnist"] = table["mnist"]._replace(origin="http://127.0.0.1:9/mnist.npz")
    monkeypatch.setattr(published, "FILES", table)
    with pytest.raises(OSError, match=r"Without a network, .* put it at .*mnist\.npz"):
        datasets.mnist.load_data()


def test_the_published_files_are_known_by_their_hashes():
    without = [name for name, file in published.FILES.items() if file.file_hash is None]
    assert all(name.startswith("fashion_mnist/") for name in without)
    assert all(file.origin.startswith("https://") for file in published.FILES.values())


# ---------------------------------------------------------------- a file is data


class Evil:
    def __reduce__(self):
        return print, ("run",)


NAMES = {
    "a function": pickle.dumps(Evil(), 2),
    "a class of Python": pickle.dumps({1, 2}, 2),
    "eval": b"\x80\x02cbuiltins\neval\nX\x01\x00\x00\x001\x85R.",
    "an attribute": b"\x80\x04\x8c\x05numpy\x8c\x0cndarray.view\x93.",
    "an old step": b"cos\nsystem\n(S'true'\ntR.",
    "a persistent name": b"\x80\x02X\x01\x00\x00\x00aQ.",
    "an extension": b"\x80\x02\x82\x01.",
    "an object": b"\x80\x02cnumpy\nndarray\n)\x81.",
}
SIZES = {
    "a text longer than the file": b"\x80\x02X\xff\xff\xff\x7fa.",
    "bytes longer than any memory": b"\x80\x05\x96" + b"\xff" * 7 + b"\x7fa.",
    "a place far off": b"\x80\x02Nr\xff\xff\xff\xff.",
    "a number of a megabyte": b"\x80\x02\x8a\xff" + b"\x01" * 255 + b".",
    "sets": b"\x80\x04" + b"\x8f" * 1000 + b".",
    "an array larger than its values": python2(np.arange(4)).replace(b"K\x04\x85", b"K\x64\x85"),
    "numbers called objects": python2(np.arange(4)).replace(b"i8", b"O8"),
    "objects called numbers": python2(lists([1], [2])).replace(b"O8", b"i8"),
    "a dtype with fields": python2(np.zeros(2, [("a", "i4")])),
    "no end": b"\x80\x02]q\x01",
    "nothing": b"",
}


@pytest.mark.parametrize("name", NAMES | SIZES)
def test_a_pickle_runs_nothing_and_takes_no_more_than_it_holds(name, capsys):
    with pytest.raises(ValueError, match=r"is damaged, or contains more than plain data"):
        plain_pickle.load((NAMES | SIZES)[name], "the file")
    assert capsys.readouterr().out == ""


def test_what_a_damaged_file_says_does_not_steer_a_terminal():
    with pytest.raises(ValueError, match=r"it names os\\x1b\[2J\.system, which is not allowed"):
        plain_pickle.load(b"\x80\x02cos\x1b[2J\nsystem\n.", "the file")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_data_come_back_from_a_pickle(protocol):
    value = {
        "numbers": [0, -1, 255, 256, 70_000, -(2**40), 1.5, True, None, 2**62],
        "texts": ("é", "x" * 300, b"\xff\0", b"y" * 300, ""),
        "inner": {"a": [], "b": {}, "c": ()},
        "array": np.arange(6, dtype=">i2").reshape(2, 3).T,
        "scalar": np.float32(2.5),
        "objects": lists([1, 2], "a", None),
    }
    read = plain_pickle.load(pickle.dumps(value, protocol), "the file")
    for name in ("numbers", "texts", "inner", "scalar"):
        assert read[name] == value[name]
    np.testing.assert_array_equal(read["array"], value["array"])
    assert read["objects"].tolist() == value["objects"].tolist() and type(read["objects"]) is np.ndarray


def test_a_file_of_arrays_may_be_damaged(tmp_path):
    path = tmp_path / "a.npz"
    header = b"\x93NUMPY\x01\x00F\x00{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000,), }"
    for content in (header.ljust(80) + bytes(16), b"\x93NUMPY\x01\x00", b"no array"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.npy", content)
        with pytest.raises(ValueError, match=r"x\.npy"):
            plain_npz.load(path)
    path.write_bytes(npz(x=lists([1], [2, 3])))
    with pytest.raises(ValueError, match="numeric array"):
        plain_npz.load(path)
    path.write_bytes(npz(x=lists([1], Evil())))
    with pytest.raises(ValueError, match=r"names (builtins|__builtin__)\.print"):
        plain_npz.load(path, objects=True)


@pytest.mark.parametrize(("name", "content"), [
    ("fashion_mnist", gzip.compress(bytes((0, 0, 8, 3)) + b"\xff" * 12)),
    ("fashion_mnist", idx(PIXELS["train"])[:-9]),
    ("fashion_mnist", b"no archive"),
], ids=["sizes", "cut short", "no archive"])  # fmt: skip
def test_a_damaged_file_of_pixels_is_refused(name, content, folder):
    (folder / "fashion-mnist").mkdir(parents=True)
    (folder / "fashion-mnist" / "train-images-idx3-ubyte.gz").write_bytes(content)
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte\.gz"):
        datasets.fashion_mnist.load_data()
