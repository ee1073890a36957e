"""The functions and tools that scripts for Keras 2 find in `tensorflow.keras`; values as Keras 2.15 gives them."""

import json
import random

import numpy as np
import pytest

import cornu
from cornu.tensorflow.keras import backend as K
from cornu.tensorflow.keras.preprocessing import image, sequence, text

A = np.array([[1.0, -2.0, 0.5], [0.0, 4.0, -1.0]], "float32")
B = np.array([[2.0, 1.0, 1.0], [-1.0, 0.5, 3.0]], "float32")
X = np.arange(24, dtype="float32").reshape(2, 4, 3)
P = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]], "float32")
Y = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], "float32")

VALUES = {
    "argmax": (lambda: K.argmax(A), [0, 1]),
    "cumsum": (lambda: K.cumsum(A), [[1, -2, 0.5], [1, 2, -0.5]]),
    "mean of truth": (lambda: K.mean(K.greater(A, 0.0)), 0.5),
    "var": (lambda: K.var(A, axis=-1), [1.7222223, 4.6666665]),
    "sqrt of a negative number": (lambda: K.sqrt(A), [[1, 0, 0.70710677], [0, 2, 0]]),
    "clip with bounds the wrong way round": (lambda: K.clip(A, 1.0, -1.0), np.ones((2, 3))),
    "clip from below": (lambda: K.clip(A, 0.0, None), [[1, 0, 0.5], [0, 4, 0]]),
    "relu": (lambda: K.relu(A, 0.1, 0.75, 0.6), [[0.75, -0.26, -0.01], [-0.06, 0.75, -0.16]]),
    "hard_sigmoid": (lambda: K.hard_sigmoid(A), [[0.7, 0.1, 0.6], [0.5, 1.0, 0.3]]),
    "l2_normalize": (lambda: K.l2_normalize(K.constant([[3.0, 4.0]]), -1), [[0.6, 0.8]]),
    "batch_dot of rows": (lambda: K.batch_dot(A, B, axes=1), [[0.5], [-1.0]]),
    "batch_dot of matrices": (lambda: K.batch_dot(X, X, axes=(1, 1))[0], X[0].T @ X[0]),
    "dot": (lambda: K.dot(X, np.ones((3, 1), "float32"))[0], X[0].sum(-1, keepdims=True)),
    "repeat": (lambda: K.repeat(A, 2)[0], [A[0], A[0]]),
    "repeat_elements": (lambda: K.repeat_elements(A, 2, 1)[0], [1, 1, -2, -2, 0.5, 0.5]),
    "reverse": (lambda: K.reverse(A, (0, 1)), A[::-1, ::-1]),
    "gather": (lambda: K.gather(A, [1, 0]), A[::-1]),
    "switch by rows": (lambda: K.switch(K.constant([[1.0], [0.0]]), A, B), [A[0], B[1]]),
    "switch of functions": (lambda: K.switch(K.sum(A) > 0, lambda: A, lambda: B), A),
    "bias of channels first": (lambda: K.bias_add(X, np.arange(4.0), "channels_first")[0, :, 0], [0, 4, 8, 12]),
    "spatial_2d_padding": (lambda: K.spatial_2d_padding(X[..., None], ((0, 1), (0, 0)))[0, -1, 0], [0]),
    "resize_images": (lambda: K.resize_images(X[..., None], 1, 2, "channels_last")[0, 0, :, 0], [0, 0, 1, 1, 2, 2]),
    "conv1d causal": (lambda: K.conv1d(X, np.ones((2, 3, 1)), padding="causal")[0, :, 0], [3, 15, 33, 51]),
    "conv2d_transpose": (
        lambda: K.conv2d_transpose(X[:1, :2, :2, None], np.ones((3, 3, 1, 1)), (1, 4, 4, 1), (2, 2), "same")[0, 1],
        [[0], [0], [1], [1]],
    ),
    "pool2d": (lambda: K.pool2d(X[..., None], (2, 2), pool_mode="avg")[0, 0, :, 0], [2, 3]),
    "batch_normalization": (
        lambda: K.batch_normalization(A, np.zeros(3), np.ones(3), None, np.full(3, 2.0), epsilon=0.0), 2 * A,
    ),
    "binary_focal_crossentropy": (
        lambda: K.binary_focal_crossentropy(Y, P)[0], [0.0321007, 0.0089257, 0.0010536],
    ),
    "sparse_categorical_crossentropy": (
        lambda: K.sparse_categorical_crossentropy(np.array([0, 2]), P, ignore_class=2), [0.35667497, 0],
    ),
    "ctc_batch_cost": (
        lambda: K.ctc_batch_cost(np.array([[0, 1]]), P[None], np.array([[2]]), np.array([[2]])), [[0.5798185]],
    ),
    "map_fn": (lambda: K.map_fn(lambda row: K.sum(row) * 2, A), [-1, 6]),
    "foldl": (lambda: K.foldl(lambda so_far, row: so_far - row, A), A[0] - A[1]),
    "foldr": (lambda: K.foldr(lambda so_far, row: so_far - row, A), A[1] - A[0]),
    "one_hot": (lambda: K.one_hot([2, 0], 3), [[0, 0, 1], [1, 0, 0]]),
    "constant": (lambda: K.constant(3, shape=(2, 2)), np.full((2, 2), 3)),
}  # fmt: skip


@pytest.mark.parametrize("case", VALUES)
def test_a_function_gives_the_value_of_keras_2(case):
    found, expected = VALUES[case][0](), VALUES[case][1]
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)


def test_all_names_are_there():
    assert len(K.__all__) == 140 and all(callable(getattr(K, name)) for name in K.__all__)


def test_a_step_goes_along_the_time_and_stays_where_the_mask_says():
    def step(x, states):
        return x + states[0], [x + states[0]]

    x, mask = np.ones((1, 4, 1), "float32"), np.array([[1, 1, 0, 1]], bool)
    for options, outputs in [
        ({}, [1, 2, 3, 4]),
        ({"mask": mask}, [1, 2, 2, 3]),
        ({"mask": mask, "zero_output_for_mask": True}, [1, 2, 0, 3]),
        ({"mask": mask, "go_backwards": True}, [1, 1, 2, 3]),
        ({"unroll": True, "return_all_outputs": False}, [4]),
    ]:
        last, all_outputs, states = K.rnn(step, x, [np.zeros((1, 1), "float32")], **options)
        assert all_outputs[0, :, 0].tolist() == outputs
        assert last[0, 0] == outputs[-1] and states[0][0, 0] == max(outputs)


def test_variables_are_set_read_and_updated():
    v = K.zeros((2,))
    K.set_value(v, [1.0, 2.0])
    K.update_add(v, [1.0, 1.0])
    K.update_sub(v, [0.0, 1.0])
    assert K.get_value(v).tolist() == [2.0, 2.0]
    K.moving_average_update(v, np.zeros(2), 0.75)
    K.batch_set_value([(w := K.variable([5.0]), [6.0])])
    assert K.batch_get_value([v, w])[0].tolist() == [1.5, 1.5] and K.eval(w) == 6.0
    with pytest.raises(RuntimeError, match=r"jax\.grad"):
        K.gradients(v, w)


def test_a_function_reaches_into_a_model():
    model = cornu.Sequential([cornu.Input((3,)), cornu.layers.Dropout(0.5), cornu.layers.Dense(2), cornu.layers.ReLU()])
    x = np.ones((4, 3), "float32")
    inner, last = K.function([model.input], [model.layers[1].output, model.output])([x])
    np.testing.assert_allclose(last, np.maximum(inner, 0))
    np.testing.assert_allclose(K.function(model.input, model.output)(x), model.predict(x, verbose=0), rtol=1e-6)
    by_mode = K.function([model.input, K.learning_phase()], [model.layers[0].output])
    assert (by_mode([x, 0])[0] == 1).all() and not (by_mode([x, 1])[0] == 1).any()
    K.set_learning_phase(0)
    with pytest.raises(RuntimeError, match="training=True"):
        K.set_learning_phase(1)
    with pytest.raises(ValueError, match="assign to variables"):
        K.function([model.input], [model.output], updates=[(x, x)])


def test_functions_serve_symbolic_tensors_and_compiled_losses():
    start = cornu.Input((4, 3))
    shapes = [K.int_shape(f(start)) for f in (K.batch_flatten, K.l2_normalize, K.sqrt, K.hard_sigmoid, K.argmax)]
    assert shapes == [(None, 12), (None, 4, 3), (None, 4, 3), (None, 4, 3), (None, 4)]

    def loss(y_true, y_pred):
        return K.mean(K.square(y_pred - y_true), axis=-1) / (K.mean(K.abs(y_true)) + K.epsilon())

    model = cornu.Sequential([cornu.Input((3,)), cornu.layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", loss)
    assert model.evaluate(np.ones((2, 3)), np.ones((2, 1)), verbose=0) == pytest.approx(4, rel=1e-5)


# ---------------------------------------------------------------- text

DOCUMENTS = ["Plum fig, plum!", "oak plum\tfig", "", "PLUM-tree"]


def test_words_are_numbered_by_how_often_they_come():
    tokenizer = text.Tokenizer(num_words=4, oov_token="<none>")
    tokenizer.fit_on_texts(DOCUMENTS)
    assert tokenizer.word_index == {"<none>": 1, "plum": 2, "fig": 3, "oak": 4, "tree": 5}
    assert tokenizer.texts_to_sequences(["plum oak pear", ["Fig", "plum"]]) == [[2, 1, 1], [3, 2]]
    assert tokenizer.sequences_to_texts([[2, 4, 3]]) == ["plum <none> fig"]
    assert tokenizer.document_count == 4 and tokenizer.word_docs["plum"] == 3 and tokenizer.index_docs[2] == 3
    again = text.tokenizer_from_json(tokenizer.to_json())
    assert again.texts_to_sequences(DOCUMENTS) == tokenizer.texts_to_sequences(DOCUMENTS)
    assert json.loads(tokenizer.to_json())["class_name"] == "Tokenizer"


@pytest.mark.parametrize(
    "mode, row",
    [
        ("binary", [0, 1, 1]),
        ("count", [0, 2, 1]),
        ("freq", [0, 2 / 3, 1 / 3]),
        ("tfidf", [0, (1 + np.log(2)) * np.log(2), np.log(1 + 4 / 3)]),
    ],
)
def test_texts_become_rows_of_a_matrix(mode, row):
    tokenizer = text.Tokenizer(num_words=3)
    tokenizer.fit_on_texts(DOCUMENTS)
    np.testing.assert_allclose(tokenizer.texts_to_matrix(DOCUMENTS, mode)[0], row)


def test_characters_can_be_words_and_words_can_be_hashed():
    tokenizer = text.Tokenizer(char_level=True)
    tokenizer.fit_on_texts(["aba"])
    assert tokenizer.texts_to_sequences(["ab c"]) == [[1, 2]]
    assert text.text_to_word_sequence("Plum, fig!") == ["plum", "fig"]
    assert text.hashing_trick("a b plum a", 50, "md5") == [15, 33, 5, 15]
    with pytest.raises(ValueError, match="fit_on_texts"):
        text.Tokenizer().sequences_to_matrix([[1]])


# ---------------------------------------------------------------- sequences


def test_windows_of_a_series_come_with_the_step_after_them():
    data = np.arange(10)
    batches = sequence.TimeseriesGenerator(data, data * 10, length=4, sampling_rate=2, stride=2, batch_size=2)
    assert len(batches) == 2
    windows, targets = batches[1]
    assert windows.tolist() == [[4, 6]] and targets.tolist() == [80]
    backwards = sequence.TimeseriesGenerator(data, data, length=3, reverse=True, start_index=2, end_index=6)
    assert backwards[0][0].tolist() == [[4, 3, 2], [5, 4, 3]] and backwards[0][1].tolist() == [5, 6]
    model = cornu.Sequential([cornu.Input((4, 1)), cornu.layers.Flatten(), cornu.layers.Dense(1)])
    model.compile("sgd", "mse")
    series = np.linspace(0, 1, 9)[:, None]
    history = model.fit(sequence.TimeseriesGenerator(series, series, length=4, batch_size=5), verbose=0)
    assert np.isfinite(history.history["loss"][0])
    with pytest.raises(ValueError, match="no window fits"):
        sequence.TimeseriesGenerator(data, data, length=30)


def test_pairs_of_words_are_those_that_stand_near_each_other():
    couples, labels = sequence.skipgrams([1, 2, 3, 0, 4], 10, window_size=1, negative_samples=0, shuffle=False)
    assert couples == [[1, 2], [2, 1], [2, 3], [3, 2]] and labels == [1, 1, 1, 1]
    random.seed(4)
    couples, labels = sequence.skipgrams([1, 2, 3], 10, window_size=1, categorical=True)
    assert sorted(labels) == [[0, 1]] * 4 + [[1, 0]] * 4 and len(couples) == 8
    np.testing.assert_allclose(
        sequence.make_sampling_table(4), [0.00315225, 0.00315225, 0.00547597, 0.00741556], rtol=1e-5
    )


# ---------------------------------------------------------------- pictures

PICTURES = np.arange(18, dtype="float32").reshape(2, 3, 3, 1)


@pytest.mark.parametrize(
    "how, seed, expected",
    [
        (
            {
                "rotation_range": 40,
                "width_shift_range": 0.3,
                "zoom_range": 0.2,
                "horizontal_flip": True,
                "rescale": 0.5,
            },
            3,
            [[5.5, 5.8677, 6.2354], [7.0398, 7.4305, 7.7982], [8.3127, 8.4625, 8.1122]],
        ),
        (
            {"brightness_range": (0.5, 1.5), "channel_shift_range": 3.0, "vertical_flip": True},
            4,
            [[18, 18, 18], [15, 16, 17], [12, 13, 14]],
        ),
    ],
)
def test_a_seed_gives_the_pictures_that_it_gave_in_keras_2(how, seed, expected):
    batch = next(image.ImageDataGenerator(**how).flow(PICTURES, batch_size=1, seed=seed))
    np.testing.assert_allclose(batch[0, :, :, 0], expected, atol=1e-3)


def test_pictures_are_brought_to_the_scale_of_the_data():
    generator = image.ImageDataGenerator(featurewise_std_normalization=True, validation_split=0.5)
    with pytest.raises(ValueError, match="call fit"):
        next(generator.flow(PICTURES))
    generator.fit(PICTURES)
    both = [next(generator.flow(PICTURES, shuffle=False, subset=part)) for part in ("validation", "training")]
    np.testing.assert_allclose(np.concatenate(both), (PICTURES - 8.5) / PICTURES.std(), rtol=1e-5)


def test_a_model_trains_on_pictures_from_a_folder(tmp_path, capsys):
    for name in ("plum", "fig"):
        (tmp_path / name).mkdir()
        image.save_img(tmp_path / name / "one.png", np.full((4, 4, 3), 90.0), scale=False)
    generator = image.ImageDataGenerator(rescale=1 / 255)
    flow = generator.flow_from_directory(tmp_path, target_size=(2, 2), batch_size=1, shuffle=False)
    assert "Found 2 images belonging to 2 classes." in capsys.readouterr().out
    assert flow.class_indices == {"fig": 0, "plum": 1} and len(flow) == 2
    pictures, targets = flow[1]
    assert pictures.shape == (1, 2, 2, 3) and pictures[0, 0, 0, 0] == pytest.approx(90 / 255)
    assert targets.tolist() == [[0.0, 1.0]]
    model = cornu.Sequential([cornu.Input((2, 2, 3)), cornu.layers.Flatten(), cornu.layers.Dense(2, "softmax")])
    model.compile("sgd", "categorical_crossentropy")
    assert np.isfinite(model.fit(flow, epochs=2, verbose=0).history["loss"]).all()
    assert model.predict(flow, verbose=0).shape == (2, 2)


FRAME = {
    "filename": ["a.png", "b.png", "c.png", "gone.png"],
    "class": ["x", "y", "x", "y"],
    "price": [1.0, 2.0, 3.0, 4.0],
}


def served(tmp_path, rows=4, **how):
    pandas = pytest.importorskip("pandas")
    for number, name in enumerate(FRAME["filename"][:3]):
        image.save_img(tmp_path / name, np.full((4, 4, 3), 40.0 * number), scale=False)
    frame = pandas.DataFrame(FRAME)[:rows]
    generator = image.ImageDataGenerator(validation_split=0.5)
    return generator.flow_from_dataframe(frame, tmp_path, target_size=(2, 2), shuffle=False, **how)


def test_a_frame_names_pictures_and_their_targets(tmp_path):
    with pytest.warns(UserWarning, match=r"1 of 4 names in the column 'filename' are left out.*gone\.png"):
        pictures, classes = next(served(tmp_path))
    assert pictures[:, 0, 0, 0].tolist() == [0, 40, 80] and classes.tolist() == [[1, 0], [0, 1], [1, 0]]
    _, prices, weights = next(served(tmp_path, 3, y_col="price", class_mode="raw", weight_col="price"))
    assert prices.tolist() == weights.tolist() == [1, 2, 3]
    (prices, again) = next(served(tmp_path, 3, y_col=["price", "price"], class_mode="multi_output"))[1]
    assert prices.tolist() == again.tolist() == [1, 2, 3]
    assert served(tmp_path, 3, class_mode="binary", subset="validation").filenames == ["a.png"]


@pytest.mark.parametrize(
    "how, error, words",
    [
        ({"x_col": "file"}, ValueError, "no column 'file'. Its columns are 'filename', 'class', 'price'"),
        ({"y_col": "price"}, TypeError, r"frame\['price'\].astype\(str\)"),
        ({"class_mode": "binary", "rows": 1}, ValueError, "needs two classes"),
        ({"weight_col": "class"}, TypeError, "must contain numbers"),
    ],
)
def test_a_frame_that_does_not_fit_is_refused_with_the_cure(how, error, words, tmp_path):
    with pytest.raises(error, match=words):
        served(tmp_path, **{"rows": 3, **how})


def test_pictures_are_kept_as_they_were_served(tmp_path):
    next(image.ImageDataGenerator().flow(PICTURES, seed=1, save_to_dir=tmp_path, save_prefix="p", save_format="jpeg"))
    assert sorted(path.name[:4] for path in tmp_path.iterdir()) == ["p_0_", "p_1_"]
    assert {path.suffix for path in tmp_path.iterdir()} == {".jpeg"}


def test_losses_and_metrics_have_the_short_names_of_keras_2():
    from cornu.tensorflow import keras

    np.testing.assert_allclose(keras.losses.mse(A, B), cornu.losses.mean_squared_error(A, B))
    np.testing.assert_allclose(keras.metrics.MAE(A, B), cornu.losses.mean_absolute_error(A, B))
    assert keras.losses.MeanSquaredError is cornu.losses.MeanSquaredError
    loss = keras.losses.BinaryCrossentropy(reduction=keras.losses.Reduction.NONE)
    assert loss(np.eye(2), np.full((2, 2), 0.5)).shape == (2,)
    assert all(hasattr(home, name) for home in (keras.losses, keras.metrics) for name in home.__all__)
