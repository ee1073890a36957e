"""Grad-CAM, integrated gradients, saliency and an adversarial picture of one small classifier."""

import numpy as np
import tensorflow as tf
from tensorflow import keras

inputs = keras.Input((24, 24, 3))
x = keras.layers.Conv2D(6, 3, activation="relu")(inputs)
x = keras.layers.MaxPooling2D()(x)
x = keras.layers.Conv2D(8, 3, activation="relu", name="last_conv")(x)
x = keras.layers.GlobalAveragePooling2D()(x)
outputs = keras.layers.Dense(5, activation="softmax", name="predictions")(x)
model = keras.Model(inputs, outputs)
img_array = (np.arange(24 * 24 * 3) % 97).reshape(1, 24, 24, 3).astype("float32") / 97


def make_gradcam_heatmap(img_array, model, last_conv_layer_name, pred_index=None):
    grad_model = keras.models.Model(model.inputs, [model.get_layer(last_conv_layer_name).output, model.output])
    with tf.GradientTape() as tape:
        last_conv_layer_output, preds = grad_model(img_array)
        if pred_index is None:
            pred_index = tf.argmax(preds[0])
        class_channel = preds[:, pred_index]
    grads = tape.gradient(class_channel, last_conv_layer_output)
    pooled_grads = tf.reduce_mean(grads, axis=(0, 1, 2))
    last_conv_layer_output = last_conv_layer_output[0]
    heatmap = last_conv_layer_output @ pooled_grads[..., tf.newaxis]
    heatmap = tf.squeeze(heatmap)
    heatmap = tf.maximum(heatmap, 0) / tf.math.reduce_max(heatmap)
    return heatmap.numpy()


model.layers[-1].activation = None
preds = model.predict(img_array, verbose=0)
print("Predicted:", preds, np.argmax(preds[0]))
heatmap = make_gradcam_heatmap(img_array, model, "last_conv")
print(heatmap.shape, heatmap.mean(), heatmap.max())


def interpolate_images(baseline, image, alphas):
    alphas_x = alphas[:, tf.newaxis, tf.newaxis, tf.newaxis]
    baseline_x = tf.expand_dims(baseline, axis=0)
    input_x = tf.expand_dims(image, axis=0)
    delta = input_x - baseline_x
    return baseline_x + alphas_x * delta


def compute_gradients(images, target_class_idx):
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = model(images)
        probs = tf.nn.softmax(logits, axis=-1)[:, target_class_idx]
    return tape.gradient(probs, images)


def integral_approximation(gradients):
    grads = (gradients[:-1] + gradients[1:]) / tf.constant(2.0)
    return tf.math.reduce_mean(grads, axis=0)


@tf.function
def one_batch(baseline, image, alpha_batch, target_class_idx):
    interpolated = interpolate_images(baseline=baseline, image=image, alphas=alpha_batch)
    return compute_gradients(images=interpolated, target_class_idx=target_class_idx)


def integrated_gradients(baseline, image, target_class_idx, m_steps=10, batch_size=4):
    alphas = tf.linspace(start=0.0, stop=1.0, num=m_steps + 1)
    gradient_batches = []
    for alpha in tf.range(0, len(alphas), batch_size):
        from_ = alpha
        to = tf.minimum(from_ + batch_size, len(alphas))
        alpha_batch = alphas[from_:to]
        gradient_batches.append(one_batch(baseline, image, alpha_batch, target_class_idx))
    total_gradients = tf.concat(gradient_batches, axis=0)
    avg_gradients = integral_approximation(gradients=total_gradients)
    return (image - baseline) * avg_gradients


image = tf.convert_to_tensor(img_array[0])
baseline = tf.zeros(shape=(24, 24, 3))
attributions = integrated_gradients(baseline, image, target_class_idx=2)
print(attributions.shape, tf.reduce_sum(attributions).numpy())
difference = tf.nn.softmax(model(image[None]))[0, 2] - tf.nn.softmax(model(baseline[None]))[0, 2]
print("completeness", difference.numpy())

loss_object = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
picture = tf.Variable(img_array)
with tf.GradientTape() as tape:
    loss = loss_object(tf.constant([3]), model(picture))
signed_grad = tf.sign(tape.gradient(loss, picture))
for eps in (0.01, 0.1):
    adversarial = tf.clip_by_value(picture + eps * signed_grad, -1, 1)
    print(f"epsilon {eps}", tf.nn.softmax(model(adversarial)).numpy())


class DeepDream(tf.Module):
    def __init__(self, model):
        self.model = model

    @tf.function(
        input_signature=(
            tf.TensorSpec(shape=[None, None, 3], dtype=tf.float32),
            tf.TensorSpec(shape=[], dtype=tf.int32),
            tf.TensorSpec(shape=[], dtype=tf.float32),
        )
    )
    def __call__(self, img, steps, step_size):
        print("Tracing")
        loss = tf.constant(0.0)
        for n in tf.range(steps):
            with tf.GradientTape() as tape:
                tape.watch(img)
                loss = tf.math.reduce_mean(self.model(tf.expand_dims(img, axis=0)))
            gradients = tape.gradient(loss, img)
            gradients /= tf.math.reduce_std(gradients) + 1e-8
            img = img + gradients * step_size
            img = tf.clip_by_value(img, -1, 1)
        return loss, img


dream_model = keras.Model(model.inputs, model.get_layer("last_conv").output)
deepdream = DeepDream(dream_model)
for run in range(2):
    loss, dreamt = deepdream(image, tf.constant(3), tf.constant(0.01))
    print("dream", loss.numpy(), dreamt.numpy().mean())
