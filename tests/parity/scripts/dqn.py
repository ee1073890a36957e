"""Deep Q-learning on a corridor: a replay memory, masks by one-hot actions, a target network."""

from collections import deque

import numpy as np
import tensorflow as tf
from tensorflow import keras


class Corridor:
    """Walk to the right end."""

    def reset(self):
        self.at = 2
        return self.state()

    def state(self):
        return np.eye(6, dtype=np.float32)[self.at]

    def step(self, action):
        self.at += 1 if action else -1
        done = self.at in (0, 5)
        return self.state(), float(self.at == 5), done, {}


env, n_outputs = Corridor(), 2
np.random.seed(42)
model = keras.models.Sequential(
    [
        keras.layers.Dense(8, activation="elu", input_shape=[6]),
        keras.layers.Dense(8, activation="elu"),
        keras.layers.Dense(n_outputs),
    ]
)
target = keras.models.clone_model(model)
target.set_weights(model.get_weights())
replay_buffer = deque(maxlen=200)


def epsilon_greedy_policy(state, epsilon=0.0):
    if np.random.rand() < epsilon:
        return np.random.randint(n_outputs)
    return np.argmax(model.predict(state[np.newaxis], verbose=0)[0])


def sample_experiences(batch_size):
    indices = np.random.randint(len(replay_buffer), size=batch_size)
    batch = [replay_buffer[index] for index in indices]
    return [np.array([experience[field_index] for experience in batch]) for field_index in range(5)]


batch_size, discount_rate = 16, 0.95
optimizer = keras.optimizers.Nadam(learning_rate=1e-2)
loss_fn = keras.losses.MeanSquaredError()


def training_step(batch_size):
    states, actions, rewards, next_states, dones = sample_experiences(batch_size)
    next_Q_values = target.predict(next_states, verbose=0)
    max_next_Q_values = next_Q_values.max(axis=1)
    runs = 1.0 - dones
    target_Q_values = (rewards + runs * discount_rate * max_next_Q_values).reshape(-1, 1)
    mask = tf.one_hot(actions, n_outputs)
    with tf.GradientTape() as tape:
        all_Q_values = model(states)
        Q_values = tf.reduce_sum(all_Q_values * mask, axis=1, keepdims=True)
        loss = tf.reduce_mean(loss_fn(target_Q_values, Q_values))
    grads = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(grads, model.trainable_variables))
    return loss


rewards, losses = [], []
for episode in range(12):
    obs, total = env.reset(), 0
    for step in range(10):
        epsilon = max(1 - episode / 10, 0.01)
        action = np.random.randint(n_outputs) if np.random.rand() < 0.7 else int(step % 3 > 0)
        next_obs, reward, done, info = env.step(action)
        replay_buffer.append((obs, action, reward, next_obs, done))
        obs, total = next_obs, total + reward
        if done:
            break
    rewards.append(total)
    if episode > 3:
        losses.append(float(training_step(batch_size)))
        print(f"Episode: {episode + 1}, steps: {step + 1}, eps: {epsilon:.3f}, loss: {losses[-1]:.6f}")
    if episode % 5 == 0:
        target.set_weights(model.get_weights())
print(rewards, epsilon_greedy_policy(env.reset()))
print(model(np.eye(6, dtype="float32")).numpy())

# A linear model's actor-critic: log probabilities, Huber losses, running rewards
inputs = keras.layers.Input(shape=(6,))
common = keras.layers.Dense(8, activation="relu")(inputs)
actor_critic = keras.Model(
    inputs=inputs, outputs=[keras.layers.Dense(2, activation="softmax")(common), keras.layers.Dense(1)(common)]
)
optimizer, huber_loss = keras.optimizers.Adam(learning_rate=0.01), keras.losses.Huber()
eps, running_reward = np.finfo(np.float32).eps.item(), 0
for episode in range(3):
    state, action_probs_history, critic_value_history, rewards_history, episode_reward = env.reset(), [], [], [], 0
    with tf.GradientTape() as tape:
        for timestep in range(1, 8):
            state = tf.convert_to_tensor(state)
            state = tf.expand_dims(state, 0)
            action_probs, critic_value = actor_critic(state)
            critic_value_history.append(critic_value[0, 0])
            action = np.random.choice(2, p=np.squeeze(action_probs) / np.sum(np.squeeze(action_probs)))
            action_probs_history.append(tf.math.log(action_probs[0, action]))
            state, reward, done, _ = env.step(action)
            rewards_history.append(reward)
            episode_reward += reward
            if done:
                break
        running_reward = 0.05 * episode_reward + (1 - 0.05) * running_reward
        returns, discounted_sum = [], 0
        for r in rewards_history[::-1]:
            discounted_sum = r + 0.99 * discounted_sum
            returns.insert(0, discounted_sum)
        returns = np.array(returns)
        returns = ((returns - np.mean(returns)) / (np.std(returns) + eps)).tolist()
        actor_losses, critic_losses = [], []
        for log_prob, value, ret in zip(action_probs_history, critic_value_history, returns):
            actor_losses.append(-log_prob * (ret - value))
            critic_losses.append(huber_loss(tf.expand_dims(value, 0), tf.expand_dims(ret, 0)))
        loss_value = sum(actor_losses) + sum(critic_losses)
    grads = tape.gradient(loss_value, actor_critic.trainable_variables)
    optimizer.apply_gradients(zip(grads, actor_critic.trainable_variables))
    print(f"running reward: {running_reward:.4f} at episode {episode}, loss {float(loss_value):.6f}")
