"""What preprocessing layers are asked to do here and in Keras, and a program that writes down what Keras answers.

Several of these layers need TensorFlow in Keras, which the tests do not have. So the answers come from a file, written
by Keras on TensorFlow, together with models that Keras saved:

    KERAS_BACKEND=tensorflow python tests/parity/preprocessing_cases.py     # writes tests/files/preprocessing.zip
"""

import itertools
import json
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np

FILE = Path(__file__).parents[1] / "files" / "preprocessing.zip"

WORDS = np.array([["a", "c", "z"], ["b", "a", "a"]])
PADDED = np.array([["", "a", "q", "[UNK]"]])
LETTERS = np.array([list("cdefghij")])
NUMBERS = np.array([0, 1, -5, 2**31, 10**18])
TEXTS = ["", "a", "ab", "abc", "abcd", "abcde", "abcdefgh", "abcdefghi", "é" * 16]
TEXTS += [letter * n for letter, n in zip("qrstuvwxyz", (16, 17, 31, 32, 33, 63, 64, 65, 128, 200), strict=True)]
DOCUMENTS = np.array(["Hello, World!  foo", "bar foo", "", "a\tb\nhello"])
SPACES = np.array(["a\x1cb a\x0bb\x0ca\rb\x85a\u2028b"])
CORPUS = np.array(["Ab'c. D-e! É ß İ “q” _x_ a#b$c%d&e(f)g*h+i,j/k:l;m<n=o>p?q@r[s\\t]u^v`w{x|y}z~", "ab  cb\t d"])
SHAPES = {"scalar": (), "flat": (4,), "column": (4, 1), "table": (2, 2), "deep": (1, 2, 2)}
MODES = ("int", "one_hot", "multi_hot", "count")


def adapted(layer, data, **arguments):
    layer.adapt(data, **arguments)
    return layer


def learned(layer, data, **arguments):
    return adapted(layer, data, **arguments).get_vocabulary()


def counted(layer, *batches):
    for batch in batches:
        layer.update_state(batch)
    layer.finalize_state()
    return layer


def replaced(layer, *arguments):
    layer.set_vocabulary(*arguments)
    return layer


def shaped(values, shape):
    """As many of `values` as fit."""
    return np.array(values[: int(np.prod(shape))]).reshape(shape)


def string_lookup(L):
    def S(**arguments):
        return L.StringLookup(vocabulary=["a", "b"], **arguments)

    for mode, (name, shape) in itertools.product(MODES, SHAPES.items()):
        yield f"{mode} {name}", S(output_mode=mode)(shaped(["a", "c", "b", "a"], shape))
    idf = {"output_mode": "tf_idf", "idf_weights": [0.25, 0.75]}
    for mode, more in {"int": {}, "one_hot": {}, "multi_hot": {}, "count": {}, "tf_idf": idf}.items():
        yield f"mask {mode}", S(**{"output_mode": mode, "mask_token": "", "num_oov_indices": 2, **more})(PADDED)
        yield f"padded {mode}", S(**{"output_mode": mode, "max_tokens": 6, "pad_to_max_tokens": True, **more})(WORDS)
    yield "words as masks", S(mask_token="q")(PADDED)
    yield "no unknown tokens", S(num_oov_indices=0, mask_token="")(np.array([["", "b", "a"]]))
    for salt in (None, 5, [5, 6]):
        yield f"spread with salt {salt}", S(num_oov_indices=3, salt=salt)(LETTERS)
        yield f"salt {salt} in a config", S(salt=salt).get_config()["salt"]
    for more in ({}, {"mask_token": ""}, {"num_oov_indices": 2}, {"num_oov_indices": 0}):
        yield f"back {more}", S(invert=True, **more)(np.array([[0, 1, 2, 3, 4, -1]]))
        yield f"vocabulary {more}", S(**more).get_vocabulary()
        yield f"size {more}", S(**more).vocabulary_size()
    yield "special tokens given", L.StringLookup(vocabulary=["", "[UNK]", "a"], mask_token="").get_vocabulary()
    yield "no special tokens wanted", S(mask_token="").get_vocabulary(include_special_tokens=False)
    yield "mask without index", S(output_mode="count", mask_token="").get_vocabulary()
    yield "bytes", L.StringLookup(vocabulary=[b"a"])(np.array([b"a", b"b"]))
    special = {"vocabulary": ["[UNK]", "a", "b"], "output_mode": "tf_idf", "idf_weights": [0.9, 0.25, 0.75]}
    yield "idf weight of unknown tokens", L.StringLookup(**special)(WORDS)
    yield "config", S().get_config()
    yield "config with idf weights", S(**idf).get_config()
    yield "config without vocabulary", L.StringLookup().get_config()
    ties = np.array(["x", "b", "q", "a", "b", "z", "Z", "é", "a", ""])
    yield "adapt", learned(L.StringLookup(), ties)
    yield "adapt with mask", learned(L.StringLookup(mask_token=""), ties)
    yield "adapt with a limit", learned(L.StringLookup(max_tokens=4, mask_token="", num_oov_indices=2), ties)
    yield "adapt to a list", learned(L.StringLookup(), ["x", "b", "b"])
    yield "adapt twice", learned(adapted(L.StringLookup(), ["a"]), ["b"])
    yield "adapt after set", learned(replaced(L.StringLookup(), ["a"]), ["b"])
    yield "adapt to batches", learned(L.StringLookup(), iter([np.array(["b", "a"]), np.array(["a"])]))
    yield "adapt by hand", counted(L.StringLookup(), np.array(["a"]), np.array(["b", "a"])).get_vocabulary()
    yield "config after adapt", adapted(L.StringLookup(), ["a", "q"]).get_config()
    rows = np.array([["a", "b"], ["a", "a"], ["c", "a"]])
    for name, data, limit in (("rows", rows, None), ("flat", rows.ravel(), None), ("limit", rows, 3)):
        layer = adapted(L.StringLookup(output_mode="tf_idf", max_tokens=limit), data)
        yield f"tf_idf of {name}", layer(np.array([["a", "b"], ["c", "zz"]]))
        yield f"config after tf_idf of {name}", layer.get_config()
    yield "set with idf weights", replaced(L.StringLookup(output_mode="tf_idf"), ["a", "q"], [0.1, 0.2])(WORDS)


def integer_lookup(L):
    def lookup(**arguments):
        return L.IntegerLookup(vocabulary=[10, 20], **arguments)

    data = np.array([[0, 10, 20, -1], [5, 6, -7, 10**6]])
    for mode in MODES:
        yield mode, lookup(output_mode=mode)(data)
        yield f"mask {mode}", lookup(output_mode=mode, mask_token=0, num_oov_indices=2)(data)
    for number in (2, 3):
        yield f"spread {number}", lookup(num_oov_indices=number)(data)
        for salt in (None, 7, [1, 2]):
            yield f"hashed {number} {salt}", lookup(num_oov_indices=number, oov_method="farmhash", salt=salt)(data)
    for more in ({}, {"mask_token": 0}, {"num_oov_indices": 2}):
        yield f"back {more}", lookup(invert=True, **more)(np.arange(-1, 6))
        yield f"vocabulary {more}", lookup(**more).get_vocabulary()
    yield "large", L.IntegerLookup(vocabulary=[2**40, 20])(np.array([2**40, 3, 20]))
    yield "floats", lookup()(np.array([10.5, 20.0]))
    yield "adapt", learned(L.IntegerLookup(), np.array([5, 5, 7, 6, 7, -1, 5]))
    yield "adapt with mask", learned(L.IntegerLookup(mask_token=0), np.array([5, 5, 7, 6, 7, -1, 5, 0, 0]))
    yield "ties", learned(L.IntegerLookup(), np.array([3, 100, 20, 1, -5]))
    yield "config", lookup().get_config()


def text_vectorization(L):
    def T(**arguments):
        return L.TextVectorization(vocabulary=["hello", "world", "foo"], **arguments)

    idf = {"output_mode": "tf_idf", "idf_weights": [0.1, 0.2, 0.3]}
    for mode, more in {"int": {}, "multi_hot": {}, "count": {}, "tf_idf": idf}.items():
        layer = T(**{"output_mode": mode, **more})
        yield f"{mode} flat", layer(DOCUMENTS)
        yield f"{mode} column", layer(DOCUMENTS[:, None])
        yield f"{mode} scalar", layer("hello foo x")
        yield f"{mode} list", layer(["hello foo", "x"])
        yield f"{mode} empty", layer(np.array(["", ""]))
        yield f"{mode} vocabulary", layer.get_vocabulary()
        yield (
            f"{mode} padded",
            T(**{"output_mode": mode, "max_tokens": 7, "pad_to_max_tokens": True, **more})(DOCUMENTS),
        )
        yield f"{mode} config", layer.get_config()
        words = L.TextVectorization(**{"vocabulary": ["a", "b", "c"], "split": None, "output_mode": mode, **more})
        yield f"{mode} words", words(WORDS)
        yield f"{mode} flat words", words(WORDS[0])
    yield "deep", T()(DOCUMENTS.reshape(2, 2, 1))
    for length in (2, 5):
        yield f"length {length}", T(output_sequence_length=length)(DOCUMENTS)
        words = L.TextVectorization(vocabulary=["a", "b"], split=None, output_sequence_length=length)
        yield f"length {length} of words", words(WORDS)
    for standardize in (None, "lower", "strip_punctuation", "lower_and_strip_punctuation"):
        for split in (None, "whitespace", "character"):
            layer = adapted(L.TextVectorization(standardize=standardize, split=split), CORPUS)
            yield f"vocabulary {standardize} {split}", layer.get_vocabulary()
            yield f"indices {standardize} {split}", layer(CORPUS)
    yield "spaces", L.TextVectorization(vocabulary=["a", "b"])(SPACES)
    for ngrams in (2, 3, (2,), (1, 3)):
        layer = adapted(L.TextVectorization(ngrams=ngrams), np.array(["a b c d", "a b"]))
        yield f"vocabulary of {ngrams}", layer.get_vocabulary()
        yield f"indices of {ngrams}", layer(np.array(["a b c", "d"]))
    data = np.array(["b a", "c a a", "a"])
    yield "adapt", learned(L.TextVectorization(), data)
    yield "adapt with a limit", learned(L.TextVectorization(max_tokens=3), data[:, None])
    yield "adapt to batches", learned(L.TextVectorization(), iter([data, data[:1]]))
    layer = adapted(L.TextVectorization(output_mode="tf_idf"), data)
    yield "tf_idf", layer(np.array(["b a a zz"]))
    yield "config after adapt", layer.get_config()
    yield "latin-1", learned(L.TextVectorization(encoding="latin-1"), np.array(["é".encode("latin-1")]))


def hashing(L):
    for salt, texts in itertools.product((None, 7, [7, 9]), (np.array(TEXTS), NUMBERS)):
        yield f"{texts.dtype.kind} with salt {salt}", L.Hashing(2**31 - 1, salt=salt)(texts)
    for mode, (name, shape) in itertools.product(MODES, SHAPES.items()):
        if name != "scalar":  # which Keras takes in the mode "int" alone
            yield f"{mode} {name}", L.Hashing(5, output_mode=mode)(shaped([3, 1, 4, 1], shape))
    yield "masked integers", L.Hashing(10, mask_value=3)(np.arange(8))
    yield "masked texts", L.Hashing(10, mask_value="")(np.array(["a", "", "b"]))
    yield "one bin and a mask", L.Hashing(1, mask_value=0)(np.arange(3))
    yield "floats", L.Hashing(1000)(np.array([1.7, -1.7]))
    yield "config", L.Hashing(4, salt=5).get_config()
    yield "config of vectors", L.Hashing(4, output_mode="one_hot", mask_value=3).get_config()


def hashed_crossing(L):
    a, b, c = np.array(["A", "B", "A", "lorem ipsum dolor"]), np.array([101, -5, 102, 7]), np.array(["x", "", "z", "é"])
    for mode in ("int", "one_hot"):
        layer = L.HashedCrossing(1000 if mode == "int" else 5, output_mode=mode)
        yield f"{mode} text and integer", layer((a, b))
        yield f"{mode} three", layer((a, b, c))
        yield f"{mode} integers", layer((b, b + 1))
        yield f"{mode} columns", layer((a[:, None], b[:, None]))
        yield f"{mode} scalars", layer((np.array("a"), np.array(5)))
        yield f"{mode} config", layer.get_config()


def discretization(L):
    for mode, (name, shape) in itertools.product(MODES, SHAPES.items()):
        layer = L.Discretization(bin_boundaries=[0.0, 1.0, 2.0], output_mode=mode)
        yield f"{mode} {name}", layer(shaped([0.5, 1.0, 3.5, -4.0], shape))
    yield "special numbers", L.Discretization([1.0, 2.0])(np.array([np.nan, np.inf, -np.inf]))
    yield "no boundaries", L.Discretization([])(np.array([1.0, 2.0]))
    yield "config", L.Discretization([1.0, 2.0], output_mode="count").get_config()
    numbers = np.random.default_rng(0)
    data = {"few": np.arange(10.0), "normal": numbers.normal(size=1000), "repeated": np.array([1.0, 1, 1, 2])}
    data |= {f"{n}": np.arange(float(n)) for n in (50, 101, 199, 250, 1005)}
    for (name, values), epsilon, bins in itertools.product(data.items(), (0.01, 0.1), (2, 4, 10)):
        layer = adapted(L.Discretization(num_bins=bins, epsilon=epsilon), values)
        yield f"boundaries {name} {epsilon} {bins}", layer.bin_boundaries
    for epsilon in (0.3, 0.1, 0.01):
        layer = counted(L.Discretization(num_bins=4, epsilon=epsilon), np.arange(100.0), np.arange(110.0) + 0.5)
        yield f"boundaries of batches {epsilon}", layer.bin_boundaries
    yield "config after adapt", adapted(L.Discretization(num_bins=3), np.arange(6.0)).get_config()


def category_encoding(L):
    for mode, (name, shape) in itertools.product(MODES[1:], SHAPES.items()):
        yield f"{mode} {name}", L.CategoryEncoding(4, output_mode=mode)(shaped([0, 1, 3, 3], shape))
        yield f"{mode} outside {name}", L.CategoryEncoding(4, output_mode=mode)(shaped([0, 7, 9, 3], shape))
    weights = np.array([[0.1, 0.2], [0.1, 0.3]])
    layer = L.CategoryEncoding(4, output_mode="count")
    yield "weights", layer(np.array([[0, 1], [0, 0]]), count_weights=weights)
    yield "config", layer.get_config()


GROUPS = (
    string_lookup, integer_lookup, text_vectorization, hashing, hashed_crossing, discretization, category_encoding,
)  # fmt: skip


def answers(layers):
    """(name, plain data) of every case."""
    for group in GROUPS:
        for name, result in group(layers):
            yield f"{group.__name__}: {name}", plain(result)


def plain(result):
    """Arrays as shape and numbers, of which no file of JSON needs to tell integers from floats."""
    if isinstance(result, dict):
        return {key: plain(value) for key, value in result.items() if key != "name"}
    if isinstance(result, (list, tuple)):
        return [plain(value) for value in result]
    if isinstance(result, np.generic):
        return plain(result.item())
    if hasattr(result, "shape"):
        array = np.asarray(result.numpy() if hasattr(result, "numpy") else result)
        return {"shape": list(array.shape), "values": [plain(value) for value in array.ravel().tolist()]}
    return result.decode() if isinstance(result, bytes) else result


def models(keras):
    """(name, model with preprocessing inside, inputs) for files."""
    L = keras.layers

    def model(layer, shape, dtype):
        entry = keras.Input(shape, dtype=dtype)
        return keras.Model(entry, layer(entry))

    rows = np.array([["a", "b"], ["a", "ü x"]])
    texts = np.array(["Hello there", "there hello you"])
    numbers = np.arange(10.0, dtype="float32")
    integers = np.array([[5, 5], [7, 0]])
    yield "vocabulary", model(L.StringLookup(vocabulary=["a", "b"]), (2,), "string"), rows
    yield "adapted", model(adapted(L.StringLookup(mask_token=""), rows), (2,), "string"), rows
    yield "tf_idf", model(adapted(L.StringLookup(output_mode="tf_idf"), rows), (2,), "string"), rows
    yield "integers", model(adapted(L.IntegerLookup(mask_token=0), integers), (2,), "int64"), integers
    yield "texts", model(adapted(L.TextVectorization(), texts), (), "string"), texts
    yield "texts_tf_idf", model(adapted(L.TextVectorization(output_mode="tf_idf"), texts), (), "string"), texts
    yield "ngrams", model(adapted(L.TextVectorization(ngrams=(1, 2)), texts), (), "string"), texts
    yield "bins", model(adapted(L.Discretization(num_bins=4), numbers), (1,), "float32"), numbers[:, None]
    yield "hashes", model(L.Hashing(5, salt=3), (2,), "int64"), integers
    stack = keras.Sequential([keras.Input((), dtype="string")])
    stack.add(adapted(L.TextVectorization(output_sequence_length=4), texts))
    stack.add(L.Embedding(10, 4))
    stack.add(L.Flatten())
    stack.add(L.Dense(2))
    yield "embedded", stack, texts


def write():
    import keras

    FILE.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(FILE, "w", zipfile.ZIP_DEFLATED) as archive, tempfile.TemporaryDirectory() as folder:
        archive.writestr("answers.json", json.dumps(dict(answers(keras.layers)), indent=0))
        for name, model, inputs in models(keras):
            path = os.path.join(folder, f"{name}.keras")
            model.save(path)
            archive.write(path, f"{name}.keras")
            given = inputs if inputs.dtype.kind != "U" else keras.ops.convert_to_tensor(inputs.astype(object))
            archive.writestr(f"{name}.json", json.dumps(plain(model(given))))


if __name__ == "__main__":
    write()
