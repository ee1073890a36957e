"""Pictures read, changed and written: beside Keras, on pictures made here."""

import io

import numpy as np
import pytest
from oracle import both
from PIL import Image

import cornu
from cornu.preprocessing.image import smart_resize

RANDOM = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def numbers_of_its_own():
    """The data of a test do not depend on which tests ran before."""
    RANDOM.bit_generator.state = np.random.default_rng(1).bit_generator.state


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder, draw = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    Image.fromarray(draw.integers(0, 255, (7, 9, 4), dtype=np.uint8)).save(folder / "rgba.png")
    Image.fromarray(draw.integers(0, 255, (7, 9), dtype=np.uint8)).save(folder / "gray.png")
    Image.fromarray(draw.integers(0, 60000, (7, 9), dtype=np.uint16)).save(folder / "deep.png")
    return folder


@pytest.mark.parametrize("size", [None, (4, 5), (8, 3), (7, 9), (13, 4)])
@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("mode", ["rgb", "rgba", "grayscale"])
def test_a_picture_is_read_as_keras_reads_it(pictures, size, keep, mode):
    ways = [(name, way) for name in ("rgba.png", "gray.png") for way in ("nearest", "bilinear", "lanczos")]

    def question(library):
        read = []
        for name, way in [*ways, ("deep.png", "nearest")]:
            arguments = {"color_mode": mode, "target_size": size, "interpolation": way, "keep_aspect_ratio": keep}
            read.append(library.utils.load_img(pictures / name, **arguments))
        return [image.mode for image in read], [np.asarray(image) for image in read]

    (modes, images), (wanted, expected) = both(question)
    assert modes == wanted
    for ours, theirs in zip(images, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("shape", [(5, 6, 3), (5, 6, 1), (5, 6, 4)])
@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_arrays_become_the_same_pictures(shape, scale, data_format):
    array = RANDOM.random(shape) * 300
    array = array if data_format == "channels_last" else array.transpose(2, 0, 1)

    def question(library):
        image = library.utils.array_to_img(array, data_format=data_format, scale=scale)
        return image.mode, np.asarray(image), library.utils.img_to_array(image, data_format=data_format)

    ours, theirs = both(question)
    assert ours[0] == theirs[0]
    np.testing.assert_array_equal(ours[1], theirs[1])
    np.testing.assert_array_equal(ours[2], theirs[2])


def test_a_picture_written_is_read_back(tmp_path):
    array = RANDOM.integers(0, 255, (4, 5, 3)).astype("float32")
    cornu.utils.save_img(tmp_path / "a.png", array, scale=False)
    np.testing.assert_array_equal(cornu.utils.img_to_array(cornu.utils.load_img(tmp_path / "a.png")), array)
    content = io.BytesIO((tmp_path / "a.png").read_bytes())
    assert cornu.utils.load_img(content).size == (5, 4)


def test_jpeg_loses_transparency_with_a_warning(tmp_path):
    with pytest.warns(UserWarning, match="no transparency"):
        cornu.utils.save_img(tmp_path / "a.jpg", RANDOM.random((4, 4, 4)))
    assert cornu.utils.load_img(tmp_path / "a.jpg", color_mode="rgba").size == (4, 4)


@pytest.mark.parametrize("shape", [(5, 6, 3), (2, 5, 9, 3), (9, 5, 1)])
@pytest.mark.parametrize("size", [(4, 4), (8, 3), (3, 10)])
def test_smart_resize_keeps_proportions(shape, size):
    array = RANDOM.random(shape).astype("float32")
    ours, theirs = both(lambda library: library.preprocessing.image.smart_resize(array, size))
    assert isinstance(smart_resize(array, size), np.ndarray)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: cornu.utils.load_img("x.png", color_mode="cmyk"), 'color_mode must be "grayscale"'),
        (lambda: cornu.utils.load_img("x.png", interpolation="best"), "interpolation must be"),
        (lambda: cornu.utils.load_img("x.png", target_size=(3,)), "target_size"),
        (lambda: cornu.utils.array_to_img(np.zeros((3, 3))), "3 axes"),
        (lambda: cornu.utils.array_to_img(np.zeros((3, 3, 2))), "1, 3 or 4 channels"),
        (lambda: cornu.utils.img_to_array(np.zeros((1, 3, 3, 3))), "2 or 3 axes"),
        (lambda: smart_resize(np.zeros((3, 3)), (2, 2)), "an image or a batch"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
