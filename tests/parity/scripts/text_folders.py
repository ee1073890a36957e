"""Text classification from folders: vectorization in `map`, an embedding, and an end-to-end model."""

import os
import re
import string

import tensorflow as tf
from tensorflow.keras import layers, losses

print("TensorFlow has", len(tf.config.list_physical_devices("TPU")), "TPUs")
good, bad = ["a great film", "truly great fun", "I loved it"], ["a bad film", "no fun at all", "I left <br /> early"]
for kind, texts in (("pos", good), ("neg", bad)):
    os.makedirs(os.path.join("reviews", kind))
    for number in range(12):
        with open(os.path.join("reviews", kind, f"{number}.txt"), "w") as file:
            file.write(texts[number % 3] + "!" * (number % 4))

batch_size, seed = 4, 42
raw_train_ds = tf.keras.utils.text_dataset_from_directory(
    "reviews", batch_size=batch_size, validation_split=0.25, subset="training", seed=seed, shuffle=False
)
raw_val_ds = tf.keras.utils.text_dataset_from_directory(
    "reviews", batch_size=batch_size, validation_split=0.25, subset="validation", seed=seed, shuffle=False
)
for text_batch, label_batch in raw_train_ds.take(1):
    for i in range(3):
        print("Review", text_batch.numpy()[i])
        print("Label", label_batch.numpy()[i])
print("Label 0 corresponds to", raw_train_ds.class_names[0])


def custom_standardization(input_data):
    lowercase = tf.strings.lower(input_data)
    stripped_html = tf.strings.regex_replace(lowercase, "<br />", " ")
    return tf.strings.regex_replace(stripped_html, "[%s]" % re.escape(string.punctuation), "")


max_features, sequence_length, embedding_dim = 100, 8, 4
vectorize_layer = layers.TextVectorization(
    standardize=custom_standardization,
    max_tokens=max_features,
    output_mode="int",
    output_sequence_length=sequence_length,
)
vectorize_layer.adapt(raw_train_ds.map(lambda x, y: x))


def vectorize_text(text, label):
    text = tf.expand_dims(text, -1)
    return vectorize_layer(text), label


first_review, first_label = next(iter(raw_train_ds))[0][0], next(iter(raw_train_ds))[1][0]
print("Vectorized review", vectorize_text(first_review, first_label))
print("3 ---> ", vectorize_layer.get_vocabulary()[3])
print("Vocabulary size: {}".format(len(vectorize_layer.get_vocabulary())))

AUTOTUNE = tf.data.AUTOTUNE
train_ds = raw_train_ds.map(vectorize_text).cache().prefetch(buffer_size=AUTOTUNE)
val_ds = raw_val_ds.map(vectorize_text).cache().prefetch(buffer_size=AUTOTUNE)
model = tf.keras.Sequential(
    [
        layers.Embedding(max_features, embedding_dim),
        layers.Dropout(0.2),
        layers.GlobalAveragePooling1D(),
        layers.Dropout(0.2),
        layers.Dense(1, activation="sigmoid"),
    ]
)
model.compile(loss=losses.BinaryCrossentropy(), optimizer="adam", metrics=[tf.metrics.BinaryAccuracy(threshold=0.5)])
history = model.fit(train_ds, validation_data=val_ds, epochs=3)
loss, accuracy = model.evaluate(val_ds)
print("Loss: ", loss)
print("Accuracy: ", accuracy)
print(sorted(history.history.keys()))

export_model = tf.keras.Sequential([vectorize_layer, model, layers.Activation("sigmoid")])
export_model.compile(loss=losses.BinaryCrossentropy(from_logits=False), optimizer="adam", metrics=["accuracy"])
export_model.evaluate(raw_val_ds)
examples = tf.constant(["The movie was great!", "The movie was okay.", "The movie was terrible..."])
print(export_model.predict(examples, verbose=0))
