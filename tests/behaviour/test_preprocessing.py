"""Preparing data with layers: vocabularies, texts, categories and ranges, before a model and inside one."""

import json
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

import cornu
from cornu import layers as L

TEXTS = ["The cat sat.", "The cat ran!", "A dog ran"]


class Batches(cornu.utils.PyDataset):
    """Batches of words with labels beside them."""

    words = (np.array(["b", "a"]), np.array(["b", "c"]))

    def __len__(self):
        return len(self.words)

    def __getitem__(self, index):
        return self.words[index], np.zeros(2)


@pytest.mark.parametrize(
    "data",
    [
        ["b", "a", "b", "c"],
        np.array([["b", "a"], ["b", "c"]]),
        np.array([b"b", b"a", b"b", b"c"]),
        np.array(["b", "a", "b", "c"], object),
        Batches(),
        iter([["b", "a"], ["b", "c"]]),
        [["b", "a"], ["b", "c"]],
    ],
    ids=["list", "table", "bytes", "objects", "PyDataset", "generator", "lists"],
)
def test_a_vocabulary_is_learned_from_any_kind_of_data(data):
    layer = L.StringLookup()
    layer.adapt(data)
    assert layer.get_vocabulary() == ["[UNK]", "b", "c", "a"]


def test_only_so_many_batches_are_learned_from():
    layer = L.StringLookup()
    layer.adapt(iter([["a"], ["b"], ["c"]]), steps=2)
    assert set(layer.get_vocabulary()) == {"[UNK]", "a", "b"}
    layer.adapt(Batches(), steps=1)
    assert set(layer.get_vocabulary()) == {"[UNK]", "a", "b"}


def test_words_become_numbers_and_words_again():
    there = L.StringLookup(vocabulary=["cat", "dog"])
    back = L.StringLookup(vocabulary=there.get_vocabulary(), invert=True)
    ids = there([["dog", "cat", "emu"]])
    np.testing.assert_array_equal(ids, [[2, 1, 0]])
    assert back(ids).tolist() == [["dog", "cat", "[UNK]"]]


def test_a_vocabulary_is_read_from_a_text_file(tmp_path):
    file = tmp_path / "words.txt"
    file.write_text("cat\ndog\n")
    for path in (file, str(file)):
        assert L.StringLookup(vocabulary=path).get_vocabulary() == ["[UNK]", "cat", "dog"]
    layer = L.TextVectorization()
    layer.set_vocabulary(str(file))
    assert layer(["the dog"]).tolist() == [[1, 3]]
    file.write_text("12\n7\n")
    assert L.IntegerLookup(vocabulary=file)([7, 12]).tolist() == [2, 1]


BAD_FILES = {"absent.txt": "there is no vocabulary file", "hole.txt": "line 2 of the file .* is empty"}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_vocabulary_file_is_named(tmp_path, name):
    (tmp_path / "hole.txt").write_text("cat\n\ndog\n")
    with pytest.raises(ValueError, match=BAD_FILES[name]):
        L.StringLookup(vocabulary=tmp_path / name)


@pytest.mark.parametrize("name", ["StringLookup", "IntegerLookup", "TextVectorization"])
def test_a_config_never_opens_a_file(name, tmp_path):
    file = tmp_path / "secret.txt"
    file.write_text("1\n2\n")
    cls = getattr(L, name)
    assert cls(vocabulary=str(file)).get_config()["vocabulary"] is None
    config = cls().get_config() | {"vocabulary": str(file)}
    with pytest.raises(ValueError, match=f"{name}: the config contains a vocabulary file, which is not opened"):
        cls.from_config(config)
    plain = {"module": "keras.layers", "class_name": name, "config": config, "registered_name": None}
    with pytest.raises(ValueError, match="is not opened"):
        cornu.saving.deserialize_keras_object(plain)


def test_a_model_file_never_opens_a_file(tmp_path):
    entry = cornu.Input((1,), dtype="string")
    model = cornu.Model(entry, L.StringLookup(vocabulary=["a"])(entry))
    model.save(tmp_path / "good.keras")
    secret = tmp_path / "secret.txt"
    secret.write_text("hush\n")
    with zipfile.ZipFile(tmp_path / "good.keras") as good, zipfile.ZipFile(tmp_path / "bad.keras", "w") as bad:
        for name in good.namelist():
            content = good.read(name)
            bad.writestr(name, content.replace(b'["a"]', json.dumps(str(secret)).encode()))
    with pytest.raises(ValueError, match="is not opened"):
        cornu.models.load_model(tmp_path / "bad.keras")


# What a person may get wrong, and what the message says.
MISTAKES = {
    "no vocabulary": (lambda: L.StringLookup()(["a"]), "has no vocabulary yet: .* adapt"),
    "no words": (lambda: L.TextVectorization(name="t")(TEXTS), r'^TextVectorization "t" has no vocabulary yet: '),
    "no boundaries": (lambda: L.Discretization(num_bins=3)([1.0]), "has no boundaries yet: call adapt"),
    "no size": (lambda: L.StringLookup(output_mode="count")(cornu.Input((1,), dtype="string")), "no vocabulary yet"),
    "no data": (lambda: L.StringLookup().adapt(iter([])), "received no data"),
    "no numbers": (lambda: L.Discretization(num_bins=3).adapt(iter([])), "received no data"),
    "no tokens": (lambda: L.TextVectorization().adapt(["!", ""]), "contained no tokens"),
    "nothing to adapt": (lambda: L.StringLookup(vocabulary=["a"]).adapt(["b"]), "nothing to adapt"),
    "nothing to find": (lambda: L.Discretization([1.0]).adapt([2.0]), "nothing to adapt"),
    "repeated token": (lambda: L.StringLookup(vocabulary=["a", "b", "a"]), "duplicate tokens: .*'a'"),
    "empty vocabulary": (lambda: L.StringLookup(vocabulary=[]), "must not be empty"),
    "mask inside": (lambda: L.StringLookup(vocabulary=["a", ""], mask_token=""), "mask token '' .* at index 1"),
    "too many": (lambda: L.StringLookup(vocabulary=["a", "b"], max_tokens=2), "has 3 tokens.*max_tokens is 2"),
    "idf without mode": (lambda: L.StringLookup(vocabulary=["a"], idf_weights=[1.0]), "idf_weights are required"),
    "mode without idf": (lambda: L.StringLookup(vocabulary=["a"], output_mode="tf_idf"), "idf_weights are required"),
    "idf of other length": (
        lambda: L.StringLookup(vocabulary=["a"], idf_weights=[1.0, 2.0], output_mode="tf_idf"), "2 weights for 1 tokens"
    ),
    "idf alone": (lambda: L.StringLookup(idf_weights=[1.0], output_mode="tf_idf"), "idf_weights require a vocabulary"),
    "unknown token": (
        lambda: L.StringLookup(vocabulary=["a"], num_oov_indices=0)(["a", "q"]), "Unknown: 'q'. Set num_oov_indices=1"
    ),
    "unknown tokens without end": (lambda: L.StringLookup(num_oov_indices=10**12), "num_oov_indices must be at most"),
    "mistyped mode": (lambda: L.TextVectorization(output_mode="tfidf"), r'Did you mean "tf_idf"\?'),
    "unknown mode": (lambda: L.StringLookup(output_mode="many"), 'output_mode must be "int" or'),
    "inverted vectors": (lambda: L.StringLookup(invert=True, output_mode="count"), 'invert requires output_mode="int"'),
    "padding to nothing": (lambda: L.StringLookup(pad_to_max_tokens=True), "pad_to_max_tokens requires max_tokens"),
    "a limit of one": (lambda: L.StringLookup(max_tokens=1), "max_tokens must be greater than 1"),
    "numbers as words": (lambda: L.StringLookup(vocabulary=["1"])(np.array([1])), "accepts only text. Received: int64"),
    "words as numbers": (lambda: L.IntegerLookup(vocabulary=[1])(["1"]), "accepts strings or integers"),
    "words in a vocabulary of numbers": (lambda: L.IntegerLookup(vocabulary=["a"]), "must contain integers"),
    "narrow integers": (lambda: L.IntegerLookup(vocabulary_dtype="int32"), 'vocabulary_dtype must be "int64"'),
    "salt for a remainder": (lambda: L.IntegerLookup(salt=3), 'salt requires oov_method="farmhash"'),
    "long salt": (lambda: L.Hashing(3, salt=[1, 2, 3]), "salt must be one or two integers"),
    "no bins": (lambda: L.Hashing(0), "num_bins must be a positive integer"),
    "too many bins": (lambda: L.Hashing(2**31), "less than 2"),
    "a fraction as bin": (lambda: L.Hashing(3, dtype="float32"), "dtype must be an integer type"),
    "ragged rows": (lambda: L.StringLookup(vocabulary=["a"])([["a"], ["a", "b"]]), "rows differ in length"),
    "sparse": (lambda: L.CategoryEncoding(3, sparse=True), "sparse must be False"),
    "ragged": (lambda: L.TextVectorization(ragged=True), "ragged must be False"),
    "no categories": (L.CategoryEncoding, "num_tokens must be a positive integer"),
    "weights for nothing": (
        lambda: L.CategoryEncoding(3)([[0]], count_weights=np.ones((1, 1))), 'count_weights require output_mode="count"'
    ),
    "both": (lambda: L.Discretization([1.0], num_bins=2), "give bin_boundaries, or num_bins"),
    "falling boundaries": (lambda: L.Discretization([2.0, 1.0]), "must be in increasing order"),
    "no precision": (lambda: L.Discretization(num_bins=2, epsilon=0), "epsilon must be between 0 and 1"),
    "not a number": (lambda: L.Discretization(num_bins=2).adapt([1.0, np.nan]), "must not contain NaN"),
    "one feature": (lambda: L.HashedCrossing(3)((np.array([1]),)), "two or more features"),
    "unlike features": (
        lambda: L.HashedCrossing(3)((np.array([1]), np.array([[1]]))), r"the same shape.*\(1,\), \(1, 1\)"
    ),
    "fractions crossed": (lambda: L.HashedCrossing(3)((np.array([1.5]), np.array([1]))), "must be strings or integers"),
    "wide texts": (lambda: L.TextVectorization(vocabulary=["a"])([["a", "b"]]), r"shape \(batch,\) or \(batch, 1\)"),
    "unknown split": (lambda: L.TextVectorization(split="words"), 'split must be "whitespace" or "character"'),
    "ngrams": (lambda: L.TextVectorization(ngrams="two"), "ngrams must be None, an integer, or a tuple"),
    "length of counts": (
        lambda: L.TextVectorization(output_mode="count", output_sequence_length=3), 'requires output_mode="int"'
    ),
    "split into too few": (
        lambda: L.TextVectorization(vocabulary=["a"], split=lambda texts: [])(TEXTS), "for each of the 3 documents"
    ),
    "standardize to one": (
        lambda: L.TextVectorization(vocabulary=["a"], standardize=lambda texts: texts[:1])(TEXTS), r"preserve the shape"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_explained(name):
    make, message = MISTAKES[name]
    with pytest.raises(ValueError, match=message):
        make()


def test_texts_are_standardized_and_split_by_functions_of_ones_own():
    layer = L.TextVectorization(
        standardize=lambda texts: np.char.upper(np.asarray(texts, str)),
        split=lambda texts: [text.split(",") for text in texts],
    )
    layer.adapt(["a b,c", "c"])
    assert layer.get_vocabulary() == ["", "[UNK]", "C", "A B"]
    assert layer(["c,a b", "x"]).tolist() == [[2, 3], [1, 0]]


def test_a_function_of_ones_own_is_found_again_in_a_file(tmp_path):
    @cornu.saving.register_keras_serializable("preprocessing")
    def shout(texts):
        return np.char.upper(np.asarray(texts, str))

    layer = L.TextVectorization(standardize=shout)
    layer.adapt(TEXTS)
    entry = cornu.Input((), dtype="string")
    model = cornu.Model(entry, layer(entry))
    model.save(tmp_path / "model.keras")
    loaded = cornu.models.load_model(tmp_path / "model.keras")
    assert loaded(np.array(TEXTS)).tolist() == layer(TEXTS).tolist()


def test_tokens_that_lines_cannot_hold_are_kept_too(tmp_path):
    layer = L.TextVectorization(split="character", standardize=None, output_mode="tf_idf")
    layer.adapt(["a\nb\r", "\n\u2028"])
    assert layer.get_config()["vocabulary"] and len(layer.get_config()["idf_weights"]) == 5
    entry = cornu.Input((), dtype="string")
    cornu.Model(entry, layer(entry)).save(tmp_path / "model.keras")
    loaded = cornu.models.load_model(tmp_path / "model.keras")
    assert loaded.layers[1].get_vocabulary() == layer.get_vocabulary()
    np.testing.assert_allclose(loaded(np.array(["\n\na"])), layer(["\n\na"]), rtol=1e-6)


def test_an_empty_token_is_kept_too():
    layer = L.StringLookup()
    layer.adapt(["", "", "a"])
    again = L.StringLookup.from_config(layer.get_config())
    assert again.get_vocabulary() == layer.get_vocabulary() == ["[UNK]", "", "a"]


def test_texts_prepared_beforehand_train_a_model():
    layer = L.TextVectorization(output_sequence_length=3)
    layer.adapt(TEXTS)
    x, y = layer(TEXTS), np.array([0.0, 0.0, 1.0])
    model = cornu.Sequential([L.Embedding(layer.vocabulary_size(), 4), L.Flatten(), L.Dense(1)])
    model.compile("adam", "mse")
    history = model.fit(x, y, epochs=3, verbose=0).history["loss"]
    assert history[-1] < history[0]


INSIDE = {
    "lookup": (lambda: L.IntegerLookup(vocabulary=[3, 1, 2**40], num_oov_indices=3), (6,)),
    "masked lookup": (lambda: L.IntegerLookup(vocabulary=[3, 1], mask_token=0, output_mode="count"), (3,)),
    "lookup of weights": (
        lambda: L.IntegerLookup(vocabulary=[3, 1], output_mode="tf_idf", idf_weights=[0.5, 2.0]), (3,)
    ),
    "large vocabulary": (lambda: L.IntegerLookup(vocabulary=[2**40], output_mode="one_hot"), (6, 2)),
    "back": (lambda: L.IntegerLookup(vocabulary=[30, 10], invert=True), (6,)),
    "hashed lookup": (lambda: L.IntegerLookup(vocabulary=[3], num_oov_indices=4, oov_method="farmhash"), (6,)),
    "hash": (lambda: L.Hashing(7, mask_value=2), (6,)),
    "salted hash": (lambda: L.Hashing(4, salt=3, output_mode="multi_hot"), (4,)),
    "categories": (lambda: L.CategoryEncoding(3, output_mode="count"), (3,)),
    "ranges": (lambda: L.Discretization([0.5, 2.5], output_mode="one_hot"), (6, 3)),
}  # fmt: skip


@pytest.mark.parametrize("name", INSIDE)
def test_layers_of_integers_are_the_same_inside_a_compiled_model(name):
    make, shape = INSIDE[name]
    layer = make()
    x = np.array([[0, 1, 2, 3, 4, -1], [3, 3, 3, 0, 1, 1]], "int32")
    entry = cornu.Input((6,), dtype="int32")
    model = cornu.Model(entry, layer(entry))
    eager = layer(x)
    assert cornu.ops.is_tensor(eager) and model.output_shape == (None, *shape)
    result = model.predict(x, verbose=0)
    np.testing.assert_array_equal(result, eager)
    assert result.dtype == eager.dtype == model.output.dtype


def test_features_are_crossed_inside_a_compiled_model():
    layer = L.HashedCrossing(10)
    entries = [cornu.Input((1,), dtype="int32") for _ in range(2)]
    model = cornu.Model(entries, layer(entries))
    x = [np.array([[1], [2], [3]], "int32"), np.array([[7], [7], [9]], "int32")]
    np.testing.assert_array_equal(model.predict(x, verbose=0), layer(x))


def test_a_new_vocabulary_reaches_a_model_that_is_compiled_again():
    layer = L.IntegerLookup()
    layer.adapt([5, 5, 6])
    entry = cornu.Input((2,), dtype="int32")
    model = cornu.Model(entry, layer(entry))
    x = np.array([[5, 6]])
    assert model.predict(x, verbose=0).tolist() == [[1, 2]]
    layer.adapt([6, 6, 5])
    assert layer(x).tolist() == [[2, 1]]
    model.compile()
    assert model.predict(x, verbose=0).tolist() == [[2, 1]]


def test_a_data_set_looks_words_up_in_its_workers():
    layer = L.StringLookup(vocabulary=["a", "b", "c"])

    class Looked(Batches):
        def __getitem__(self, index):
            threads.add(threading.get_ident())
            return layer(self.words[index])[:, None].astype("float32"), np.zeros(2)

    threads = set()
    model = cornu.Sequential([L.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(Looked(workers=2), verbose=0)
    assert threads - {threading.get_ident()}


def test_many_tokens_are_looked_up_by_table_not_one_by_one():
    tokens = np.array([f"w{i}" for i in range(3000)])[np.random.default_rng(0).integers(0, 3000, 100_000)]
    layer = L.StringLookup()
    layer.adapt(tokens)
    back = L.StringLookup(vocabulary=layer.get_vocabulary(), invert=True)
    assert (back(layer(tokens)) == tokens).all()


def test_the_state_of_a_layer_stays_out_of_its_weights():
    layer = L.StringLookup(output_mode="tf_idf")
    layer.adapt([["a", "b"], ["a", "c"]])
    assert layer.weights == []
    store = {}
    layer.save_own_variables(store)
    assert list(store) == ["idf_weights"]
    with pytest.raises(ValueError, match="3 idf weights do not match a vocabulary of 4 tokens"):
        layer.load_own_variables({"idf_weights": np.ones(3)})


def test_a_file_whose_vocabulary_is_gone_says_so(tmp_path):
    layer = L.StringLookup()
    layer.adapt(["a"])
    again = L.StringLookup.from_config(layer.get_config())
    with pytest.raises(ValueError, match=r"no vocabulary\.txt"):
        again.load_assets(str(tmp_path))
    layer.save_assets(str(tmp_path))
    again.load_assets(str(tmp_path))
    assert again.get_vocabulary() == ["[UNK]", "a"]


def test_mixed_precision_gives_vectors_in_bfloat16_and_whole_numbers():
    for layer in (L.StringLookup(vocabulary=["a"], output_mode="count", dtype="mixed_bfloat16"),
                  L.TextVectorization(vocabulary=["a"], output_mode="multi_hot", dtype="mixed_bfloat16")):  # fmt: skip
        assert layer(["a"]).dtype == "bfloat16"
    assert L.StringLookup(vocabulary=["a"], dtype="mixed_bfloat16")(["a"]).dtype == "int32"


def test_output_modes_may_have_the_names_of_older_keras():
    assert L.CategoryEncoding(3, output_mode="binary").output_mode == "multi_hot"
    lookup = L.StringLookup(vocabulary=["a"], output_mode="binary")
    assert lookup(["a", "a"]).tolist() == [0, 1]
    assert L.TextVectorization(output_mode="tf-idf").get_config()["output_mode"] == "tf_idf"


class Spelling(L.Layer):
    """Keeps words in a file of its own, which it reads through another layer, as KerasHub's tokenizers do."""

    words: list = []

    def save_assets(self, folder):
        (Path(folder) / "words.txt").write_text("ants\nbees")

    def load_assets(self, folder):
        self.words = L.StringLookup(vocabulary=str(Path(folder) / "words.txt")).get_vocabulary()

    def call(self, inputs):
        return inputs


def test_a_layer_opens_its_own_file_when_its_model_is_loaded(tmp_path):
    cornu.Sequential([cornu.Input((2,)), Spelling(name="spelling")]).save(tmp_path / "model.keras")
    model = cornu.models.load_model(tmp_path / "model.keras", custom_objects={"Spelling": Spelling})
    assert model.get_layer("spelling").words == ["[UNK]", "ants", "bees"]


def test_normalization_of_numbers_without_features_is_told_what_to_pass():
    with pytest.raises(ValueError, match=r"pass axis=None, or data of shape \(rows, 1\)"):
        L.Normalization().adapt(np.array([3.0, 4.0, 5.0]))
