"""Data through `tf.data`: a folder of pictures, texts, windows of a series, a generator."""

import os
import pathlib

import numpy as np
import tensorflow as tf
from tensorflow.keras import Sequential, layers

tf.random.set_seed(5)
folder = pathlib.Path("pictures")
for kind in ("plums", "figs"):
    for number in range(4):
        pixels = tf.cast(tf.random.uniform((10, 12, 3), 0, 255), tf.uint8)
        tf.io.write_file(str(folder / kind / f"{number}.png"), tf.io.encode_png(pixels))
class_names = np.array(sorted(each.name for each in folder.iterdir()))


def read(path):
    kind = tf.strings.split(path, os.path.sep)[-2]
    picture = tf.io.decode_png(tf.io.read_file(path), channels=3)
    picture = tf.image.convert_image_dtype(picture, tf.float32)
    return tf.image.resize(picture, [8, 8]), tf.argmax(kind == class_names)


def vary(picture, label):
    picture = tf.image.random_flip_left_right(picture)
    return tf.clip_by_value(tf.image.random_brightness(picture, 0.1), 0.0, 1.0), label


files = tf.data.Dataset.from_tensor_slices(sorted(str(path) for path in folder.glob("*/*"))).shuffle(8)
pictures = files.map(read, num_parallel_calls=tf.data.AUTOTUNE).cache().map(vary).batch(4).prefetch(tf.data.AUTOTUNE)
for batch, labels in pictures.take(1):
    assert batch.numpy().shape == (4, 8, 8, 3) and batch.dtype == tf.float32 and set(labels.numpy()) <= {0, 1}
model = Sequential([layers.Flatten(), layers.Dense(2)])
model.compile("adam", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
assert np.isfinite(model.fit(pictures, epochs=2, verbose=0).history["loss"]).all()

texts = ["Ripe &amp; sweet", "Far too sour!", "Sweet", "sour, sour"] * 2
rows = tf.data.Dataset.from_tensor_slices((texts, [1, 0, 1, 0] * 2)).batch(4)


def plain(text):
    return tf.strings.regex_replace(tf.strings.regex_replace(tf.strings.lower(text), "&amp;", " "), "[!,.]", "")


words = layers.TextVectorization(standardize=plain, max_tokens=20, output_sequence_length=4)
words.adapt(rows.map(lambda text, label: text))
assert words.get_vocabulary()[2] == "sour"
first, _ = next(iter(rows))
assert first[0].numpy() == b"Ripe &amp; sweet"
reviews = rows.map(lambda text, label: (words(text), label)).cache()
judge = Sequential([layers.Embedding(20, 3), layers.GlobalAveragePooling1D(), layers.Dense(1, activation="sigmoid")])
judge.compile("adam", "binary_crossentropy", metrics=["accuracy"])
assert np.isfinite(judge.fit(reviews, epochs=2, verbose=0).history["loss"]).all()

letters = tf.strings.unicode_split("banana", "UTF-8")
to_numbers = layers.StringLookup(vocabulary=sorted(set("banana")), mask_token=None)
to_letters = layers.StringLookup(vocabulary=to_numbers.get_vocabulary(), invert=True, mask_token=None)
assert to_numbers(letters).numpy().tolist() == [2, 1, 3, 1, 3, 1]
assert tf.strings.reduce_join(to_letters(to_numbers(letters)), axis=-1).numpy().decode() == "banana"

numbers = tf.data.Dataset.from_tensor_slices(tf.expand_dims(tf.range(12, dtype=tf.float32), axis=-1))
windows = numbers.window(4, shift=1, drop_remainder=True).flat_map(lambda window: window.batch(4))
windows = windows.map(lambda window: (window[:-1], window[-1])).batch(3)
before, after = next(iter(windows))
assert before.numpy()[1, :, 0].tolist() == [1, 2, 3] and after.numpy()[1, 0] == 4


def squares():
    for number in range(3):
        yield number, [number**2]


made = tf.data.Dataset.from_generator(
    squares, output_signature=(tf.TensorSpec(shape=(), dtype=tf.int32), tf.TensorSpec(shape=(1,), dtype=tf.float32))
)
assert [(number.numpy(), square.numpy()[0]) for number, square in made] == [(0, 0), (1, 1), (2, 4)]
pathlib.Path("lines.txt").write_text("one\ntwo\n")
assert [line.numpy() for line in tf.data.TextLineDataset("lines.txt")] == [b"one", b"two"]
