"""Folders of pictures, texts and sounds as data sets."""

import os
import sys

import numpy as np
import pytest
import soundfile
from PIL import Image

import cornu
from cornu import layers, utils
from cornu.utils import pixels, resampling


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Three classes of small pictures of different sizes; the brightness of each is its number."""
    folder = tmp_path_factory.mktemp("pictures")
    for label, (name, count) in enumerate({"birds": 4, "cats": 6, "dogs": 5}.items()):
        (folder / name / "more").mkdir(parents=True)
        for number in range(count):
            place = folder / name / ("more" if number % 3 == 2 else "") / f"{number}.png"
            pixels = np.full((5 + number, 8 - number, 3), 7 * number + 50 * label, "uint8")
            Image.fromarray(pixels).save(place)
    (folder / "cats" / "notes.txt").write_text("no picture")
    (folder / ".hidden").mkdir()
    return folder


def images_of(folder, **given):
    return utils.image_dataset_from_directory(folder, image_size=(4, 4), **{"verbose": False, **given})


def names(data) -> list[str]:
    """The paths below the folder."""
    return ["/".join(path.split(os.sep)[3:]).partition("pictures0/")[2] for path in data.file_paths]


def test_pictures_in_batches_with_the_labels_of_their_folders(pictures, capsys):
    data = images_of(pictures, batch_size=6, seed=1, verbose=True)
    assert capsys.readouterr().out == "Found 15 files belonging to 3 classes.\n"
    assert data.class_names == ["birds", "cats", "dogs"] and len(data) == 3
    batches = list(data)
    assert [(x.shape, x.dtype, y.shape, y.dtype) for x, y in batches][::2] == [
        ((6, 4, 4, 3), "float32", (6,), "int32"), ((3, 4, 4, 3), "float32", (3,), "int32"),
    ]  # fmt: skip
    for x, y in batches:
        assert (x[:, 0, 0, 0] // 50 == y).all() and (x == x[:, :1, :1, :1]).all()


def test_the_order_is_that_of_the_paths_or_of_the_seed(pictures):
    plain = images_of(pictures, shuffle=False)
    assert names(plain)[:5] == ["birds/0.png", "birds/1.png", "birds/3.png", "birds/more/2.png", "cats/0.png"]
    assert [int(n) for _, y in plain for n in y] == [0] * 4 + [1] * 6 + [2] * 5
    rows = np.arange(15)
    np.random.RandomState(7).shuffle(rows)
    shuffled = images_of(pictures, seed=7)
    assert names(shuffled) == [names(plain)[row] for row in rows]
    first, second = ([x.tolist() for x, _ in shuffled] for _ in range(2))
    assert first != second
    assert first == [x.tolist() for x, _ in images_of(pictures, seed=7)]


def test_the_last_ones_are_to_validate_with(pictures, capsys):
    train, held_out = images_of(pictures, seed=1, validation_split=0.25, subset="both", verbose=True)
    assert capsys.readouterr().out.splitlines()[1:] == ["Using 12 files for training.", "Using 3 files for validation."]
    assert names(train) + names(held_out) == names(images_of(pictures, seed=1))
    for subset, data in (("training", train), ("validation", held_out)):
        alone = images_of(pictures, seed=1, validation_split=0.25, subset=subset)
        assert alone.file_paths == data.file_paths and alone.class_names == data.class_names


def test_labels_come_in_the_form_asked_for(pictures):
    _, y = next(iter(images_of(pictures, label_mode="categorical", shuffle=False)))
    assert y.dtype == "float32" and y[4].tolist() == [0, 1, 0]
    data = images_of(pictures, label_mode="binary", class_names=["dogs", "cats"], shuffle=False)
    _, y = next(iter(data))
    assert y.dtype == "float32" and y.shape == (11, 1) and y[:, 0].tolist() == [0] * 5 + [1] * 6
    assert data.class_names == ["dogs", "cats"] and names(data)[0] == "dogs/0.png"
    for given in ({"labels": None}, {"label_mode": None}):
        data = images_of(pictures, batch_size=None, shuffle=False, **given)
        assert next(iter(data)).shape == (4, 4, 3) and data.class_names is None
    own = images_of(pictures, labels=[3, 5] * 7 + [3], shuffle=False)
    assert own.class_names == ["3", "5"] and next(iter(own))[1].tolist()[:3] == [3, 5, 3]


def test_pictures_of_every_kind_become_what_is_asked_for(tmp_path):
    folder = tmp_path / "a"
    folder.mkdir()
    colours = np.random.RandomState(0).randint(0, 256, (6, 6, 4)).astype("uint8")
    Image.fromarray(colours).save(folder / "1_alpha.png")
    Image.fromarray(colours[..., :3]).save(folder / "2_plain.BMP")
    Image.fromarray(colours[..., 0]).save(folder / "3_grey.gif")
    Image.fromarray(colours[..., 0].astype("uint16") * 257).save(folder / "4_deep.png")
    Image.fromarray(colours[..., 0]).convert("RGB").save(folder / "5_lossy.jpeg", quality=100)
    find = lambda mode, **given: next(iter(utils.image_dataset_from_directory(
        tmp_path, labels=None, shuffle=False, image_size=(6, 6), color_mode=mode, verbose=False, **given)))  # fmt: skip
    rgb = find("rgb")
    np.testing.assert_array_equal(rgb[0], colours[..., :3])
    np.testing.assert_array_equal(rgb[1], colours[..., :3])
    for grey in rgb[2:4]:
        np.testing.assert_array_equal(grey, np.repeat(colours[..., :1], 3, axis=2))
    np.testing.assert_allclose(rgb[4, ..., 0], colours[..., 0], atol=4)
    rgba = find("rgba", data_format="channels_first")
    assert rgba.shape == (5, 4, 6, 6)
    np.testing.assert_array_equal(rgba[0], colours.transpose(2, 0, 1))
    assert (rgba[1:, 3] == 255).all()
    np.testing.assert_array_equal(find("grayscale")[2, ..., 0], colours[..., 0])


@pytest.mark.parametrize(
    "given", [{}, {"progressive": True}, {"subsampling": 0}, {"optimize": True}, {"exif": b"Exif\0\0" + bytes(40)}]
)
@pytest.mark.parametrize("kind", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("decoder", ["simplejpeg", "pillow"])
def test_jpeg_files_have_the_pixels_that_pillow_finds(tmp_path, monkeypatch, kind, given, decoder):
    if decoder == "pillow":
        monkeypatch.setattr(pixels, "simplejpeg", lambda: None)
    else:
        pytest.importorskip("simplejpeg")
    noise = np.random.default_rng(0).integers(90, 160, (21, 35, 4), "uint8")
    Image.fromarray(noise, "RGBA").convert("RGB").convert(kind).save(tmp_path / "1.jpg", **given)
    wanted = {color: np.asarray(Image.open(tmp_path / "1.jpg").convert(mode), "float32").reshape(21, 35, -1)
              for color, mode in (("rgb", "RGB"), ("rgba", "RGBA"), ("grayscale", "L"))}  # fmt: skip
    for color, here in wanted.items():
        how = {"labels": None, "image_size": (21, 35), "color_mode": color, "verbose": False}
        for batch_size in (3, None):
            data = utils.image_dataset_from_directory(tmp_path, batch_size=batch_size, **how)
            found = data.get_single_element().numpy().reshape(here.shape)
            assert np.abs(found - here).max() <= (1 if color == "grayscale" else 0)


@pytest.mark.parametrize("kept", [1, 3, 30, 200, 620, 900])
def test_a_damaged_jpeg_file_is_named_with_what_is_wrong(tmp_path, kept):
    place = tmp_path / "1.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (21, 35, 3), "uint8")).save(place)
    assert place.stat().st_size > kept
    place.write_bytes(place.read_bytes()[:kept])
    data = images_of(tmp_path, labels=None)
    with pytest.raises(cornu.errors.DataError, match=r"1\.jpg cannot be read: .*(identify|[tT]runcated)"):
        list(data)


def test_proportions_can_be_kept(tmp_path):
    (tmp_path / "a").mkdir()
    Image.fromarray(np.arange(15, dtype="uint8").reshape(3, 5) + 1).save(tmp_path / "a" / "x.png")
    find = lambda size, **given: next(iter(utils.image_dataset_from_directory(
        tmp_path, labels=None, image_size=size, color_mode="grayscale", interpolation="nearest", verbose=False, **given
    )))[0, ..., 0].astype(int).tolist()  # fmt: skip
    assert find((3, 3)) == [[1, 3, 5], [6, 8, 10], [11, 13, 15]]
    assert find((3, 3), crop_to_aspect_ratio=True) == [[2, 3, 4], [7, 8, 9], [12, 13, 14]]
    assert find((3, 3), pad_to_aspect_ratio=True) == [[6, 8, 10], [0, 0, 0], [0, 0, 0]]
    assert find((5, 5), pad_to_aspect_ratio=True)[1] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("interpolation", resampling.INTERPOLATIONS)
def test_resampling_keeps_what_is_even(interpolation):
    for size in ((3, 3), (7, 11), (40, 31)):
        even = resampling.resized(np.full((7, 11, 3), 200, "uint8"), *size, interpolation)
        assert even.shape == (*size, 3) and even.dtype == "float32"
        np.testing.assert_allclose(even, 200, rtol=1e-5)
    if interpolation not in ("gaussian", "mitchellcubic"):  # which blur
        image = np.random.RandomState(0).randint(0, 256, (7, 11, 3))
        np.testing.assert_allclose(resampling.resized(image, 7, 11, interpolation), image, atol=1e-3)


def test_resampling_takes_the_places_between_pixels():
    row = np.array([0.0, 10.0, 20.0, 30.0])[None, :, None]
    find = lambda interpolation, width: resampling.resized(row, 1, width, interpolation)[0, :, 0].tolist()
    assert find("bilinear", 8) == [0, 2.5, 7.5, 12.5, 17.5, 22.5, 27.5, 30]
    assert find("bilinear", 2) == [5, 25] == find("area", 2)
    assert find("nearest", 2) == [10, 30]
    np.testing.assert_allclose(find("bicubic", 2), [70 / 17, 440 / 17], rtol=1e-6)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"labels": "none"}, 'labels must be "inferred"'),
        ({"labels": [1, 2]}, "there must be one label per file, and there are 15 files in .* Received: 2 labels"),
        ({"label_mode": "float"}, 'label_mode must be "int" or'),
        ({"label_mode": "binary"}, "needs exactly two classes"),
        ({"class_names": ["cats", "fish"]}, "must be distinct names of subdirectories of .*'birds', 'cats', 'dogs'"),
        ({"class_names": ["cats"], "labels": None}, 'class_names require labels="inferred"'),
        ({"validation_split": 0.2}, "validation_split and subset must be given together"),
        ({"subset": "training"}, "validation_split and subset must be given together"),
        ({"subset": "test", "validation_split": 0.2}, 'subset must be "training"'),
        ({"subset": "training", "validation_split": 1.5}, "validation_split must be a number from 0"),
        ({"subset": "training", "validation_split": 0.2}, "requires a seed"),
        ({"subset": "training", "validation_split": 0.01, "seed": 1}, "leaves none for validation"),
        ({"color_mode": "cmyk"}, 'color_mode must be "rgb"'),
        ({"interpolation": "box"}, 'interpolation must be "bilinear"'),
        ({"image_size": (0, 4)}, "image_size must be a tuple of 2 integers"),
        ({"batch_size": 0}, "batch_size must be a positive integer"),
        ({"format": "grain"}, 'format must be "tf"'),
        ({"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "only one of"),
    ],
)
def test_what_does_not_go_together_is_refused(pictures, given, message):
    with pytest.raises(ValueError, match=message):
        utils.image_dataset_from_directory(pictures, **given)


def test_a_folder_without_pictures(tmp_path, pictures):
    with pytest.raises(ValueError, match=r"there are no images in .*\.jpg"):
        images_of(tmp_path)
    with pytest.raises(FileNotFoundError):
        images_of(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="there is no directory"):
        images_of(tmp_path / "nowhere", labels=None)


def test_a_file_that_is_no_picture_is_named(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "broken.png").write_bytes(b"no picture")
    with pytest.raises(cornu.errors.DataError, match=r"broken\.png cannot be read"):
        list(images_of(tmp_path))


def test_links_to_folders_are_followed_where_asked_for(tmp_path, pictures):
    (tmp_path / "a").mkdir()
    os.symlink(pictures / "cats", tmp_path / "a" / "link")
    assert len(images_of(tmp_path, follow_links=True).file_paths) == 6
    with pytest.raises(ValueError, match="there are no images"):
        images_of(tmp_path)


def test_a_model_learns_from_a_folder(pictures):
    train, held_out = images_of(pictures, seed=0, validation_split=0.2, subset="both", batch_size=4)
    model = cornu.Sequential([
        cornu.Input((4, 4, 3)), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(3, activation="softmax"),
    ])  # fmt: skip
    model.compile(cornu.optimizers.Adam(0.1), "sparse_categorical_crossentropy")
    history = model.fit(train, validation_data=held_out, epochs=5, verbose=0).history
    assert history["loss"][-1] < history["loss"][0] and len(history["val_loss"]) == 5


# ---------------------------------------------------------------- texts and sounds


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    for name in ("neg", "pos"):
        (folder / name).mkdir()
        for number in range(5):
            (folder / name / f"{number}.txt").write_text(f"{name} é {number} " * (number + 1))
    return folder


def test_texts(texts, capsys):
    data = utils.text_dataset_from_directory(texts, batch_size=4, shuffle=False)
    assert capsys.readouterr().out == "Found 10 files belonging to 2 classes.\n"
    (x, y), *_ = data
    assert x[:2].tolist() == ["neg é 0 ", "neg é 1 neg é 1 "] and y.tolist() == [0, 0, 0, 0]
    assert x.numpy()[0] == "neg é 0 ".encode()
    short = utils.text_dataset_from_directory(texts, max_length=5, shuffle=False, labels=None, verbose=False)
    assert next(iter(short))[0] == "neg "  # the fifth byte is half of a sign
    train, held_out = utils.text_dataset_from_directory(
        texts, seed=2, validation_split=0.2, subset="both", label_mode="binary", verbose=False
    )
    assert sum(len(y) for _, y in train) == 8 and next(iter(held_out))[1].shape == (2, 1)
    vectorize = layers.TextVectorization(max_tokens=10)
    vectorize.adapt(train.map(lambda x, y: x))
    assert "neg" in vectorize.get_vocabulary()


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sounds")
    for name, channels in (("high", 1), ("low", 1)):
        (folder / name).mkdir()
        for number in range(3):
            wave = np.sin(np.arange(400 + 100 * number) / 10) / 2
            soundfile.write(folder / name / f"{number}.wav", np.stack([wave] * channels, 1), 8000)
    return folder


def test_sounds_are_filled_up_or_cut(sounds):
    find = lambda **given: utils.audio_dataset_from_directory(sounds, shuffle=False, verbose=False, **given)
    (x, y), (rest, _) = find(batch_size=4)
    assert x.shape == (4, 600, 1) and x.dtype == "float32" and y.tolist() == [0, 0, 0, 1]
    assert not x[0, 400:].any() and rest.shape == (2, 600, 1)
    np.testing.assert_allclose(x[2, :, 0], np.sin(np.arange(600) / 10) / 2, atol=1e-4)
    cut = next(iter(find(output_sequence_length=500)))[0]
    np.testing.assert_array_equal(cut[:4], x[:, :500])
    assert [len(x) for x, _ in find(batch_size=None)][:3] == [400, 500, 600]
    halved = next(iter(find(sampling_rate=4000, labels=None)))
    assert halved.shape == (6, 300, 1)
    np.testing.assert_allclose(halved[2, 20:-20, 0], x[2, 40:-40:2, 0], atol=2e-3)
    with pytest.raises(ValueError, match="ragged must be False"):
        find(ragged=True)


def test_a_missing_package_is_named(pictures, sounds, monkeypatch):
    for name, package, find in (
        ("image_dataset_from_directory", "PIL", lambda: images_of(pictures)),
        ("audio_dataset_from_directory", "soundfile", lambda: utils.audio_dataset_from_directory(sounds)),
    ):
        with monkeypatch.context() as without:
            without.setitem(sys.modules, package, None)
            without.setitem(sys.modules, f"{package}.Image", None)
            with pytest.raises(ImportError, match=rf"{name} needs the package '{package}'.*pip install"):
                find()
