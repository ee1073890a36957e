"""Two networks against each other: with tapes side by side, and with a penalty on the critic's slope inside `fit`."""

import tensorflow as tf
from tensorflow.keras import Model, Sequential, layers, optimizers

tf.random.set_seed(2)
maker = Sequential(
    [layers.Input((3,)), layers.Dense(16, use_bias=False), layers.BatchNormalization(), layers.LeakyReLU(),
     layers.Reshape((4, 4, 1)), layers.Conv2DTranspose(1, 3, strides=2, padding="same", activation="tanh")]
)  # fmt: skip
critic = Sequential(
    [layers.Input((8, 8, 1)), layers.Conv2D(4, 3, strides=2, padding="same"), layers.LeakyReLU(), layers.Dropout(0.2),
     layers.Flatten(), layers.Dense(1)]
)  # fmt: skip
real = tf.random.uniform([24, 8, 8, 1], -1, 1)
crossentropy = tf.keras.losses.BinaryCrossentropy(from_logits=True)
maker_optimizer, critic_optimizer = optimizers.Adam(1e-3), optimizers.Adam(1e-3)


@tf.function
def step(images):
    noise = tf.random.normal([tf.shape(images)[0], 3])
    with tf.GradientTape() as of_maker, tf.GradientTape() as of_critic:
        made = maker(noise, training=True)
        on_real, on_made = critic(images, training=True), critic(made, training=True)
        maker_loss = crossentropy(tf.ones_like(on_made), on_made)
        critic_loss = crossentropy(tf.ones_like(on_real), on_real) + crossentropy(tf.zeros_like(on_made), on_made)
    for tape, loss, model, optimizer in (
        (of_maker, maker_loss, maker, maker_optimizer), (of_critic, critic_loss, critic, critic_optimizer),
    ):  # fmt: skip
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
    return maker_loss, critic_loss


before = maker.get_weights()
for images in tf.data.Dataset.from_tensor_slices(real).batch(12):
    losses = step(images)
assert all(tf.math.is_finite(loss) for loss in losses) and (maker.get_weights()[0] != before[0]).any()
assert maker(tf.random.normal([1, 3]), training=False).numpy().shape == (1, 8, 8, 1)


class Pair(Model):
    """Both in one model, whose step trains the critic twice."""

    def compile(self, critic_optimizer, maker_optimizer):
        super().compile()
        self.critic_optimizer, self.maker_optimizer = critic_optimizer, maker_optimizer

    def penalty(self, images, made):
        mix = tf.random.uniform([tf.shape(images)[0], 1, 1, 1])
        between = images + mix * (made - images)
        with tf.GradientTape() as tape:
            tape.watch(between)
            scores = critic(between, training=True)
        slopes = tape.gradient(scores, [between])[0]
        return tf.reduce_mean((tf.sqrt(tf.reduce_sum(tf.square(slopes), axis=[1, 2, 3])) - 1.0) ** 2)

    def train_step(self, images):
        count = tf.shape(images)[0]
        for _ in range(2):
            with tf.GradientTape() as tape:
                made = maker(tf.random.normal((count, 3)), training=True)
                critic_loss = tf.reduce_mean(critic(made, training=True)) - tf.reduce_mean(
                    critic(images, training=True)
                )
                critic_loss += 10.0 * self.penalty(images, made)
            gradients = tape.gradient(critic_loss, critic.trainable_variables)
            self.critic_optimizer.apply_gradients(zip(gradients, critic.trainable_variables, strict=True))
        with tf.GradientTape() as tape:
            maker_loss = -tf.reduce_mean(critic(maker(tf.random.normal((count, 3)), training=True), training=True))
        gradients = tape.gradient(maker_loss, maker.trainable_variables)
        self.maker_optimizer.apply_gradients(zip(gradients, maker.trainable_variables, strict=True))
        return {"critic": critic_loss, "maker": maker_loss}


class Built(Pair):
    """Its parts are attributes, as where they are given to the constructor."""

    def __init__(self):
        super().__init__()
        self.parts = [maker, critic]


pair = Built()
pair.compile(optimizers.Adam(1e-3), optimizers.Adam(1e-3))
history = pair.fit(real, batch_size=12, epochs=2, verbose=0).history
assert len(history["critic"]) == 2 and history["critic"][1] == history["critic"][1]
