"""Reinforcement learning: values of actions from played steps, and a policy that is rewarded."""

from collections import deque

import numpy as np
import tensorflow as tf
from tensorflow import keras

tf.keras.utils.set_random_seed(3)
random = np.random.default_rng(3)


def play(state, action):
    state = np.clip(state + (0.1 if action else -0.1) + random.normal(0, 0.02, 2), -1, 1).astype("float32")
    return state, float(abs(state[0]) < 0.5), bool(random.random() < 0.1)


model = keras.models.Sequential([keras.layers.Dense(8, activation="elu", input_shape=[2]), keras.layers.Dense(2)])
target = keras.models.clone_model(model)
target.set_weights(model.get_weights())
optimizer, loss_fn = keras.optimizers.Nadam(learning_rate=1e-2), keras.losses.MeanSquaredError()
memory = deque(maxlen=100)
state = np.zeros(2, "float32")
for step in range(60):
    action = random.integers(2) if step < 20 else int(np.argmax(model(state[np.newaxis])[0].numpy()))
    after, reward, done = play(state, action)
    memory.append((state, action, reward, after, done))
    state = np.zeros(2, "float32") if done else after
    if step < 30:
        continue
    rows = [memory[at] for at in random.integers(len(memory), size=16)]
    states, actions, rewards, afters, dones = (np.array([row[at] for row in rows]) for at in range(5))
    best = target.predict(afters, verbose=0).max(axis=1)
    wanted = (rewards + (1 - dones) * 0.95 * best).reshape(-1, 1)
    with tf.GradientTape() as tape:
        values = tf.reduce_sum(model(states) * tf.one_hot(actions, 2), axis=1, keepdims=True)
        loss = tf.reduce_mean(loss_fn(wanted, values))
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
assert np.isfinite(loss.numpy()) and optimizer.iterations.numpy() == 30

policy = keras.Sequential([keras.layers.Dense(4, activation="elu", input_shape=[2]), keras.layers.Dense(1, "sigmoid")])
steps = []
for _ in range(3):
    with tf.GradientTape() as tape:
        left = policy(state[np.newaxis])
        action = tf.random.uniform([1, 1]) > left
        chosen = tf.constant([[1.0]]) - tf.cast(action, tf.float32)
        loss = tf.reduce_mean(keras.losses.binary_crossentropy(chosen, left))
    steps.append(tape.gradient(loss, policy.trainable_variables))
    state, _, _ = play(state, int(action[0, 0].numpy()))
means = [tf.reduce_mean([2.0 * each[at] for each in steps], axis=0) for at in range(len(policy.trainable_variables))]
keras.optimizers.Adam(0.01).apply_gradients(zip(means, policy.trainable_variables, strict=True))

logits = tf.constant([[0.0, 1.0, 2.0]])
assert tf.random.categorical(logits, 1)[0, 0].numpy() in (0, 1, 2)
returns = tf.TensorArray(dtype=tf.float32, size=3)
total = tf.constant(0.0)
for at in tf.range(3):
    total = 1.0 + 0.9 * total
    returns = returns.write(at, total)
assert abs(returns.stack()[::-1][0].numpy() - 2.71) < 1e-5

series = np.arange(24, dtype="float32").reshape(12, 2)
windows = tf.keras.utils.timeseries_dataset_from_array(series, None, sequence_length=4, batch_size=3)


def split_window(rows):
    before, after = rows[:, :3, :], rows[:, 3:, :]
    before.set_shape([None, 3, None])
    return before, tf.stack([after[:, :, 0]], axis=-1)


for before, after in windows.map(split_window).take(1):
    assert before.numpy().shape == (3, 3, 2) and after.numpy()[0, 0, 0] == 6
