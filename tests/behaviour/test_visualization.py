"""Pictures of what a classifier does: confusion matrices, mistakes, heat; and galleries in what Keras's cannot do."""

import threading

import matplotlib.pyplot as plt
import numpy as np
import pytest

import cornu
from cornu import layers, visualization

SIZE = 6


def seeing(channels_first=False, last=None):
    """A model that sees class 0 where an image is bright, and class 1 where it is dark."""
    form = "channels_first" if channels_first else "channels_last"
    return cornu.Sequential(
        [
            cornu.Input((1, SIZE, SIZE) if channels_first else (SIZE, SIZE, 1)),
            layers.Conv2D(1, 1, use_bias=False, kernel_initializer="ones", data_format=form, name="map"),
            layers.GlobalAveragePooling2D(data_format=form),
            last or scores(2, "softmax"),
        ]
    )


def scores(units, activation=None):
    signs = np.array([[3.0, -3.0]] if units == 2 else [[-3.0]], "float32")
    return layers.Dense(units, activation, kernel_initializer=lambda shape, dtype: signs)


class Subclassed(cornu.Model):
    def __init__(self):
        super().__init__()
        self.inner = seeing()

    def call(self, x):
        return self.inner(x)


@pytest.fixture
def image():
    picture = np.zeros((1, SIZE, SIZE, 1), "float32")
    picture[0, 1:3, 1:4] = 1
    return picture


def with_operations():
    inputs = cornu.Input((SIZE, SIZE, 1))
    features = layers.Conv2D(1, 1, use_bias=False, kernel_initializer="ones")(inputs * 1.0)
    return cornu.Model(inputs, layers.Softmax()(scores(2)(layers.GlobalAveragePooling2D()(features))))


MODELS = {
    "sequential": seeing,
    "graph with operations": with_operations,
    "in a model": lambda: cornu.Sequential([cornu.Input((SIZE, SIZE, 1)), layers.Rescaling(2.0), seeing()]),
    "subclass": Subclassed,
    "one sigmoid unit": lambda: seeing(last=scores(1, "sigmoid")),
    "logits": lambda: seeing(last=scores(2)),
}


@pytest.mark.parametrize("kind", MODELS)
def test_heat_is_where_the_class_is_seen(kind, image):
    heat = visualization.grad_cam(MODELS[kind](), image, class_index=0)
    np.testing.assert_allclose(heat, image[..., 0], atol=1e-5)


def test_heat_of_the_class_that_is_seen_and_of_another(image):
    model = seeing()
    np.testing.assert_allclose(visualization.grad_cam(model, image), image[..., 0], atol=1e-5)
    several = np.concatenate([image, image, image])
    heat = visualization.grad_cam(model, several, class_index=[0, 1, 0], batch_size=2)
    np.testing.assert_allclose(heat[[0, 2]], several[:2, ..., 0], atol=1e-5)
    assert not heat[1].any()  # nothing speaks for it
    assert all("call" not in vars(layer) for layer in model.layers)


def test_heat_with_channels_first(image):
    heat = visualization.grad_cam(seeing(channels_first=True), image.transpose(0, 3, 1, 2), layer="map")
    np.testing.assert_allclose(heat, image[..., 0], atol=1e-5)


def test_the_model_predicts_the_same_meanwhile_in_another_thread(image):
    model, found = seeing(), []
    before = model.predict(image, verbose=0)

    class Watched(layers.Layer):
        def call(self, x):
            thread = threading.Thread(target=lambda: found.append(model.predict(image, verbose=0)))
            thread.start()
            thread.join()
            return x

    visualization.grad_cam(cornu.Sequential([cornu.Input((SIZE, SIZE, 1)), Watched(), model]), image)
    assert found
    for answer in found:
        np.testing.assert_array_equal(answer, before)


def test_heat_is_drawn_over_the_pictures(image, tmp_path):
    many = np.repeat(image, 7, axis=0)
    figure = visualization.plot_grad_cam(
        seeing(), many, pictures_shown=many * 255, class_names=["bright", "dark"], path=tmp_path / "heat.png"
    )
    assert [axes.get_title() for axes in figure.axes if axes.get_title()] == ["bright"] * 7
    assert cornu.utils.load_img(tmp_path / "heat.png").size[1] > 100
    assert not plt.get_fignums()


@pytest.mark.parametrize(("wrong", "words"), [
    (lambda m, x: visualization.grad_cam(m, x, layer="nap"), "Received: 'nap'. Layers with one: map"),
    (lambda m, x: visualization.grad_cam(m, x, class_index=2), "class_index must be a class from 0 to 1"),
    (lambda m, x: visualization.grad_cam(m, x[0]), r"images\[None\]"),
    (lambda m, x: visualization.grad_cam(cornu.Sequential([m.layers[0]]), x), "must have one output"),
    (lambda m, x: visualization.plot_grad_cam(m, x, alpha=2), "alpha must be"),
    (lambda m, x: visualization.plot_grad_cam(m, x, pictures_shown=np.zeros((1, 5, 5, 3))), "pictures_shown must have"),
])  # fmt: skip
def test_mistakes_in_heat_are_explained(wrong, words, image):
    with pytest.raises(ValueError, match=words):
        wrong(seeing(), image)


# ---------------------------------------------------------------- confusion matrices


def cells(figure):
    """{(true, predicted): text} of a matrix."""
    texts = figure.axes[0].texts
    return {(int(t.get_position()[1]), int(t.get_position()[0])): t.get_text() for t in texts}


TRUE, PREDICTED = [0, 1, 1, 2, 2, 2], [0, 1, 2, 2, 2, 1]
COUNTS = {(0, 0): "1", (1, 1): "1", (1, 2): "1", (2, 1): "1", (2, 2): "2"}


@pytest.mark.parametrize("predicted", [
    PREDICTED,
    np.array(PREDICTED)[:, None],
    np.eye(3)[PREDICTED] * 0.5 + 0.2,
    np.eye(3)[PREDICTED] * 9 - 4,
])  # fmt: skip
def test_a_confusion_matrix_counts(predicted, tmp_path):
    names = ["$cat", "dog", "owl"]
    figure = visualization.plot_confusion_matrix(TRUE, predicted, class_names=names, path=tmp_path / "matrix.svg")
    assert cells(figure) == COUNTS
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == names
    assert figure.axes[0].get_title() == "66.7% of 6 right"
    assert (tmp_path / "matrix.svg").stat().st_size > 1000


@pytest.mark.parametrize(("normalize", "text"), [("true", "0.67"), ("pred", "0.67"), ("all", "0.33")])
def test_a_confusion_matrix_of_fractions(normalize, text):
    figure = visualization.plot_confusion_matrix(np.eye(3)[TRUE], PREDICTED, normalize=normalize)
    assert cells(figure)[2, 2] == text


def test_two_classes_of_one_number():
    assert cells(visualization.plot_confusion_matrix([0, 1, 1], [0.2, 0.4, 0.9])) == {
        (0, 0): "1", (1, 0): "1", (1, 1): "1",
    }  # fmt: skip
    assert cells(visualization.plot_confusion_matrix([0, 1, 1], [[-0.2], [-4], [3]])) == {
        (0, 0): "1", (1, 0): "1", (1, 1): "1",
    }  # fmt: skip


def test_a_class_that_never_occurs_has_its_row():
    figure = visualization.plot_confusion_matrix([0, 1], [0, 1], class_names={0: "a", 1: "b", 3: "d"})
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["a", "b", "2", "d"]


def test_a_model_and_data(image):
    x, y = np.concatenate([image, -image, image]), np.array([0, 0, 1])
    model = seeing()
    wanted = {(0, 0): "1", (0, 1): "1", (1, 0): "1"}
    assert cells(visualization.plot_confusion_matrix(y, model=model, data=x)) == wanted
    data = cornu.data.Dataset.from_tensor_slices((x, y)).batch(3)
    assert cells(visualization.plot_confusion_matrix(model=model, data=data)) == wanted
    assert cells(visualization.plot_confusion_matrix(model=model, data=(x, y))) == wanted


@pytest.mark.parametrize(("arguments", "words"), [
    ({"y_true": [0, 1]}, "pass either y_pred, or model and data"),
    ({"y_pred": [0, 1]}, "y_true must be given"),
    ({"y_true": [0, 1], "y_pred": [0]}, "must have the same length"),
    ({"y_true": [0.5, 1], "y_pred": [0, 1]}, "y_true must be classes"),
    ({"y_true": [0, -1], "y_pred": [0, 1]}, "nonnegative integers. Received: -1"),
    ({"y_true": [0], "y_pred": [0], "normalize": "rows"}, "normalize must be"),
])  # fmt: skip
def test_mistakes_in_matrices_are_explained(arguments, words):
    with pytest.raises(ValueError, match=words):
        visualization.plot_confusion_matrix(**arguments)


# ---------------------------------------------------------------- mistakes


def shown(figure):
    """(predicted, true) as written at each picture."""
    return [(axes.get_title(), axes.get_xlabel()) for axes in figure.axes if axes.images]


def test_the_worst_mistakes_come_first(image, tmp_path):
    x, y = np.concatenate([image, -image, image * 3, image * 0.1]), np.array([0, 0, 1, 1])
    model = seeing()
    figure = visualization.plot_worst_mistakes(
        model, x, y, count=2, class_names=["bright", "dark"], path=tmp_path / "mistakes.png"
    )
    assert figure.get_suptitle() == "3 of 4 are mistaken; the worst:"
    assert shown(figure) == [("pred: bright (95%)", "true: dark (5%)"), ("pred: dark (73%)", "true: bright (27%)")]
    assert cornu.utils.load_img(tmp_path / "mistakes.png").size[0] > 200
    batches = [(x[:3], y[:3]), (x[3:], y[3:])]
    assert shown(visualization.plot_worst_mistakes(model, batches, by="confidence")) == [
        ("pred: 0 (95%)", "true: 1 (5%)"), ("pred: 1 (73%)", "true: 0 (27%)"), ("pred: 0 (52%)", "true: 1 (48%)"),
    ]  # fmt: skip
    assert not plt.get_fignums()


def test_where_nothing_is_mistaken_the_picture_says_so(image):
    figure = visualization.plot_worst_mistakes(seeing(), image, [0])
    assert figure.get_suptitle() == "0 of 1 are mistaken."


@pytest.mark.parametrize(("y", "words"), [
    (None, "labels are required"), ([0, 1], "one label per image"), ([2], "labels must be from 0 to 1"),
])  # fmt: skip
def test_mistakes_in_labels_are_explained(y, words, image):
    with pytest.raises(ValueError, match=words):
        visualization.plot_worst_mistakes(seeing(), image, y)


# ---------------------------------------------------------------- galleries


def test_a_gallery_has_room_for_every_picture(tmp_path):
    images = np.arange(5 * 4 * 4).reshape(5, 1, 4, 4)  # gray, with the channels first
    figure = visualization.plot_image_gallery(images, path=tmp_path / "five.png", data_format="channels_first")
    assert sum(bool(axes.images) for axes in figure.axes) == 5
    assert np.asarray(figure.axes[0].images[0].get_array()).shape == (4, 4, 3)
    assert cornu.utils.load_img(tmp_path / "five.png").size == (2 * 2 * 60, 3 * 2 * 60)
    assert not plt.get_fignums()


def test_what_is_no_number_is_black(tmp_path):
    images = np.full((1, 4, 4, 3), np.nan)
    figure = visualization.plot_image_gallery(images, path=tmp_path / "black.png")
    assert not np.asarray(figure.axes[0].images[0].get_array()).any()


def test_a_gallery_is_shown_once_and_gone():
    shown = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plt, "show", lambda: shown.append(plt.get_fignums()))
        assert visualization.plot_image_gallery(np.zeros((2, 4, 4, 3))) is None
    assert len(shown) == 1 and len(shown[0]) == 1
    assert not plt.get_fignums()


def test_classes_are_drawn_up_to_the_highest():
    masks = np.array([[[0, 1], [2, 3]]])
    drawn = visualization.draw_segmentation_masks(np.full((1, 2, 2, 1), 9), masks, blend=False)
    assert drawn[0, 1, 1].tolist() == [3, 126, 93]
    drawn = visualization.draw_segmentation_masks(np.full((1, 2, 2, 3), 9), masks, 2, {1: (1, 1, 1), 2: (2, 2, 2)}, 1.0)
    assert drawn[0, ..., 0].tolist() == [[9, 1], [2, 9]]


def test_names_of_boxes_stay_within_the_image():
    boxes = {"boxes": np.array([[[50, 30, 58, 50], [2, 1, 30, 50]]]), "labels": np.array([[0, 1]])}
    image = np.zeros((1, 60, 60, 3))
    plain = visualization.draw_bounding_boxes(image, boxes, "xyxy")
    named = visualization.draw_bounding_boxes(image, boxes, "xyxy", {0: "owl", 1: "$1"}, font_scale=0.5)
    letters = np.argwhere((named != plain).any(axis=-1)[0])
    assert len(letters) > 40
    right = letters[letters[:, 1] > 35]
    assert right[:, 1].max() < 59 and right[:, 0].max() < 30  # moved to the left, above its box
    assert letters[letters[:, 1] <= 35][:, 0].min() > 1  # within its box, for above it is no room


@pytest.mark.parametrize(("wrong", "words"), [
    (lambda x: visualization.plot_image_gallery(x[0]), r"images\[None\]"),
    (lambda x: visualization.plot_image_gallery(x, path="a.png", show=True), "not both"),
    (lambda x: visualization.plot_image_gallery(x, y_true=[0]), "need label_map"),
    (lambda x: visualization.plot_image_gallery(x, y_true=[0, 1], label_map={0: "a"}), "class of each image"),
    (lambda x: visualization.plot_image_gallery(x[:0]), "at least one"),
    (lambda x: visualization.plot_image_gallery(x[..., :2]), "1, 3 or 4 channels. Received: 2"),
    (lambda x: visualization.plot_image_gallery(x, value_range=(1, 0)), "value_range must be"),
    (lambda x: visualization.plot_image_gallery(x, value_range=255), "value_range must be"),
    (lambda x: visualization.plot_bounding_box_gallery(x, "xyxy", legend=True, legend_handles=[]), "either legend"),
    (lambda x: visualization.draw_bounding_boxes(x, {"boxes": [[1]]}, "xyxy"), 'with "boxes" and "labels"'),
    (lambda x: visualization.draw_bounding_boxes(x, {"boxes": [[[1] * 4]] * 3, "labels": [[1]]}, "xyxy"), "1 images"),
    (lambda x: visualization.draw_segmentation_masks(x, np.ones((1, 2, 2), int)), "the shape .* of the images"),
    (lambda x: visualization.draw_segmentation_masks(x, np.full((1, 4, 4), 2), color_mapping={}), "color for"),
    (lambda x: visualization.draw_segmentation_masks(x, np.ones((1, 4, 4), int), alpha=-1), "alpha must be"),
])  # fmt: skip
def test_mistakes_in_galleries_are_explained(wrong, words):
    with pytest.raises(ValueError, match=words):
        wrong(np.zeros((1, 4, 4, 3)))


def test_masks_are_whole_numbers():
    with pytest.raises(TypeError, match="argmax"):
        visualization.draw_segmentation_masks(np.zeros((1, 4, 4, 3)), np.zeros((1, 4, 4)))
