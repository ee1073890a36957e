"""A classifier of texts: cleaned and looked up by a layer, trained on numbers, exported for raw texts, and saved."""

import re
import string

import numpy as np
import tensorflow as tf
from tensorflow.keras import layers, losses

words = ["awful", "bad", "fine", "good"]
rng = np.random.default_rng(0)
reviews = [" ".join(rng.choice(words[2 * label : 2 * label + 2], 5)) + "!<br />" for label in (0, 1) * 40]
raw = tf.data.Dataset.from_tensor_slices((reviews, [0, 1] * 40)).shuffle(80, seed=1).batch(8)


@tf.keras.utils.register_keras_serializable()
def cleaned(text):
    plain = tf.strings.regex_replace(tf.strings.lower(text), "<br />", " ")
    return tf.strings.regex_replace(plain, "[%s]" % re.escape(string.punctuation), "")  # noqa: UP031 - as in scripts


vectorize = layers.TextVectorization(standardize=cleaned, max_tokens=50, output_mode="int", output_sequence_length=6)
vectorize.adapt(raw.map(lambda text, label: text))
numbers = raw.map(lambda text, label: (vectorize(text), label)).cache().prefetch(tf.data.AUTOTUNE)
model = tf.keras.Sequential(
    [layers.Embedding(50, 8), layers.Dropout(0.1), layers.GlobalAveragePooling1D(), layers.Dense(1)]
)
model.compile(
    loss=losses.BinaryCrossentropy(from_logits=True), optimizer=tf.keras.optimizers.Adam(0.05),
    metrics=[tf.metrics.BinaryAccuracy(threshold=0.0)],
)  # fmt: skip
model.fit(numbers, validation_data=numbers, epochs=5, verbose=0)

export = tf.keras.Sequential([vectorize, model, layers.Activation("sigmoid")])
export.compile(loss=losses.BinaryCrossentropy(from_logits=False), optimizer="adam", metrics=["accuracy"])
loss, accuracy = export.evaluate(raw, verbose=0)
assert accuracy == 1.0, accuracy
examples = tf.constant(["It was GOOD, and fine!", "bad. awful"])
scores = export.predict(examples, verbose=0)
assert scores[0, 0] > 0.5 > scores[1, 0]
export.save("export.keras")
again = tf.keras.models.load_model("export.keras")
np.testing.assert_allclose(again.predict(examples, verbose=0), scores, rtol=1e-5)
