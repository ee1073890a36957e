"""Gradients of pictures: what excites a layer, the style of another picture, and where a class was seen."""

import numpy as np
import tensorflow as tf
from tensorflow import keras

tf.random.set_seed(4)
base = keras.Sequential(
    [keras.Input((None, None, 3)), keras.layers.Conv2D(4, 3, activation="relu", padding="same", name="one"),
     keras.layers.MaxPooling2D(), keras.layers.Conv2D(8, 3, activation="relu", padding="same", name="two")]
)  # fmt: skip
extractor = keras.Model(base.inputs, [base.get_layer(name).output for name in ("one", "two")])


class Dream(tf.Module):
    """Climbs along the gradient of what the layers answer."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    @tf.function(
        input_signature=(tf.TensorSpec([None, None, 3], tf.float32), tf.TensorSpec([], tf.int32), tf.TensorSpec([]))
    )
    def __call__(self, picture, steps, size):
        loss = tf.constant(0.0)
        for _ in tf.range(steps):
            with tf.GradientTape() as tape:
                tape.watch(picture)
                answers = self.model(tf.expand_dims(picture, axis=0))
                loss = tf.reduce_sum([tf.math.reduce_mean(answer) for answer in answers])
            slope = tape.gradient(loss, picture)
            slope /= tf.math.reduce_std(slope) + 1e-8
            picture = tf.clip_by_value(picture + slope * size, -1, 1)
        return loss, picture


dream, picture = Dream(extractor), tf.random.uniform((8, 8, 3))
first, _ = dream(picture, tf.constant(1), tf.constant(0.05))
last, picture = dream(picture, tf.constant(4), tf.constant(0.05))
assert last.numpy() > first.numpy() and picture.shape == (8, 8, 3)


def gram(features):
    places = tf.cast(tf.shape(features)[1] * tf.shape(features)[2], tf.float32)
    return tf.linalg.einsum("bijc,bijd->bcd", features, features) / places


styles = [gram(answer) for answer in extractor(tf.random.uniform((1, 8, 8, 3)))]
image = tf.Variable(tf.random.uniform((1, 8, 8, 3)))
optimizer = keras.optimizers.Adam(learning_rate=0.05)


@tf.function
def paint(image):
    with tf.GradientTape() as tape:
        losses = [tf.reduce_mean((gram(a) - s) ** 2) for a, s in zip(extractor(image), styles, strict=True)]
        loss = tf.add_n(losses) + 1e-6 * tf.image.total_variation(image)[0]
    slope = tape.gradient(loss, image)
    optimizer.apply_gradients([(slope, image)])
    image.assign(tf.clip_by_value(image, clip_value_min=0.0, clip_value_max=1.0))
    return loss


losses = [paint(image).numpy() for _ in range(10)]
assert losses[-1] < losses[0] and image.numpy().min() >= 0 and image.numpy().max() <= 1

head = keras.Sequential([keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)])
classifier = keras.Model(base.inputs, head(base.output))
both = keras.Model(classifier.inputs, [classifier.get_layer("two").output, classifier.output])
shown = np.random.default_rng(0).uniform(size=(1, 8, 8, 3)).astype("float32")
with tf.GradientTape() as tape:
    features, scores = both(shown)
    score = scores[:, tf.argmax(scores[0])]
slopes = tape.gradient(score, features)
weights = tf.reduce_mean(slopes, axis=(0, 1, 2))
heat = tf.squeeze(features[0] @ weights[..., tf.newaxis])
assert heat.numpy().shape == (4, 4) and np.any(slopes.numpy())
