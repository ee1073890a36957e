"""Segmentation by a U-Net from `tf.data`, with pictures and masks decoded from files."""

import os

import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

IMG_SIZE, NUM_CLASSES, BATCH = (32, 32), 3, 4
os.makedirs("images")
os.makedirs("masks")
for i in range(8):
    y, x = np.mgrid[:40, :40]
    disc = ((x - 12 - i) ** 2 + (y - 20) ** 2 < 80).astype("uint8")
    image = np.stack([disc * 200, x * 6, y * 6], -1).astype("uint8")
    tf.io.write_file(f"images/{i:02}.png", tf.io.encode_png(image))
    tf.io.write_file(f"masks/{i:02}.png", tf.io.encode_png(disc[..., None] + 1))

input_img_paths = sorted(os.path.join("images", name) for name in os.listdir("images") if name.endswith(".png"))
target_img_paths = sorted(os.path.join("masks", name) for name in os.listdir("masks") if not name.startswith("."))


def get_dataset(batch_size, img_size, inputs, targets, max_dataset_len=None):
    def load_img_masks(input_path, target_path):
        input_img = tf.io.read_file(input_path)
        input_img = tf.io.decode_png(input_img, channels=3)
        input_img = tf.image.resize(input_img, img_size)
        input_img = tf.image.convert_image_dtype(input_img, "float32") / 255.0
        target_img = tf.io.read_file(target_path)
        target_img = tf.io.decode_png(target_img, channels=1)
        target_img = tf.image.resize(target_img, img_size, method="nearest")
        target_img = tf.image.convert_image_dtype(target_img, "uint8")
        target_img -= 1
        return input_img, target_img

    if max_dataset_len:
        inputs, targets = inputs[:max_dataset_len], targets[:max_dataset_len]
    dataset = tf.data.Dataset.from_tensor_slices((inputs, targets))
    return dataset.map(load_img_masks, num_parallel_calls=tf.data.AUTOTUNE).batch(batch_size)


def get_model(img_size, num_classes):
    inputs = keras.Input(shape=img_size + (3,))
    x = layers.Conv2D(8, 3, strides=2, padding="same")(inputs)
    x = layers.BatchNormalization()(x)
    x = layers.Activation("relu")(x)
    previous_block_activation = x
    for filters in [8, 16]:
        x = layers.Activation("relu")(x)
        x = layers.SeparableConv2D(filters, 3, padding="same")(x)
        x = layers.BatchNormalization()(x)
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        residual = layers.Conv2D(filters, 1, strides=2, padding="same")(previous_block_activation)
        x = layers.add([x, residual])
        previous_block_activation = x
    for filters in [16, 8, 8]:
        x = layers.Activation("relu")(x)
        x = layers.Conv2DTranspose(filters, 3, padding="same")(x)
        x = layers.BatchNormalization()(x)
        x = layers.UpSampling2D(2)(x)
        residual = layers.UpSampling2D(2)(previous_block_activation)
        residual = layers.Conv2D(filters, 1, padding="same")(residual)
        x = layers.add([x, residual])
        previous_block_activation = x
    outputs = layers.Conv2D(num_classes, 3, activation="softmax", padding="same")(x)
    return keras.Model(inputs, outputs)


model = get_model(IMG_SIZE, NUM_CLASSES)
print("parameters", model.count_params())
train_dataset = get_dataset(BATCH, IMG_SIZE, input_img_paths, target_img_paths, max_dataset_len=8)
valid_dataset = get_dataset(BATCH, IMG_SIZE, input_img_paths[-4:], target_img_paths[-4:])
for images, masks in train_dataset.take(1):
    print(images.shape, masks.shape, images.dtype, masks.dtype, float(tf.reduce_mean(images)), np.unique(masks))
model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="sparse_categorical_crossentropy")
callbacks = [keras.callbacks.ModelCheckpoint("segmentation.keras", save_best_only=True)]
model.fit(train_dataset, epochs=2, validation_data=valid_dataset, callbacks=callbacks, verbose=2)
val_preds = model.predict(valid_dataset, verbose=0)
mask = np.argmax(val_preds[0], axis=-1)
print(mask.shape, val_preds.mean(axis=(0, 1, 2)))


def dice(y_true, y_pred):
    y_true = tf.one_hot(tf.cast(tf.squeeze(y_true, -1), tf.int32), NUM_CLASSES)
    intersection = tf.reduce_sum(y_true * y_pred, axis=[1, 2])
    union = tf.reduce_sum(y_true + y_pred, axis=[1, 2])
    return tf.reduce_mean(2.0 * intersection / (union + 1e-6))


model.compile(
    optimizer="rmsprop",
    loss=lambda t, p: 1 - dice(t, p),
    metrics=[dice, keras.metrics.MeanIoU(NUM_CLASSES, sparse_y_pred=False)],
)
model.fit(train_dataset, epochs=1)
