"""Sequence to sequence with attention, teacher forcing in a loop of its own, and checkpoints kept by a manager."""

import os

import numpy as np
import tensorflow as tf

np.random.seed(0)
BATCH_SIZE, units, embedding_dim, vocab = 8, 6, 5, 12
source = np.random.randint(1, vocab, (24, 5)).astype("int32")
target = np.concatenate([np.ones((24, 1), "int32"), source[:, ::-1]], axis=1)
target[::3, -2:] = 0
dataset = tf.data.Dataset.from_tensor_slices((source, target)).shuffle(24).batch(BATCH_SIZE, drop_remainder=True)


class Encoder(tf.keras.Model):
    def __init__(self, vocab_size, embedding_dim, enc_units, batch_sz):
        super().__init__()
        self.batch_sz = batch_sz
        self.enc_units = enc_units
        self.embedding = tf.keras.layers.Embedding(vocab_size, embedding_dim)
        self.gru = tf.keras.layers.GRU(
            self.enc_units, return_sequences=True, return_state=True, recurrent_initializer="glorot_uniform"
        )

    def call(self, x, hidden):
        x = self.embedding(x)
        output, state = self.gru(x, initial_state=hidden)
        return output, state

    def initialize_hidden_state(self):
        return tf.zeros((self.batch_sz, self.enc_units))


class BahdanauAttention(tf.keras.layers.Layer):
    def __init__(self, units):
        super().__init__()
        self.W1 = tf.keras.layers.Dense(units)
        self.W2 = tf.keras.layers.Dense(units)
        self.V = tf.keras.layers.Dense(1)

    def call(self, query, values):
        query_with_time_axis = tf.expand_dims(query, 1)
        score = self.V(tf.nn.tanh(self.W1(query_with_time_axis) + self.W2(values)))
        attention_weights = tf.nn.softmax(score, axis=1)
        context_vector = attention_weights * values
        context_vector = tf.reduce_sum(context_vector, axis=1)
        return context_vector, attention_weights


class Decoder(tf.keras.Model):
    def __init__(self, vocab_size, embedding_dim, dec_units):
        super().__init__()
        self.embedding = tf.keras.layers.Embedding(vocab_size, embedding_dim)
        self.gru = tf.keras.layers.GRU(dec_units, return_sequences=True, return_state=True)
        self.fc = tf.keras.layers.Dense(vocab_size)
        self.attention = BahdanauAttention(dec_units)

    def call(self, x, hidden, enc_output):
        context_vector, attention_weights = self.attention(hidden, enc_output)
        x = self.embedding(x)
        x = tf.concat([tf.expand_dims(context_vector, 1), x], axis=-1)
        output, state = self.gru(x)
        output = tf.reshape(output, (-1, output.shape[2]))
        x = self.fc(output)
        return x, state, attention_weights


encoder, decoder = Encoder(vocab, embedding_dim, units, BATCH_SIZE), Decoder(vocab, embedding_dim, units)
sample_hidden = encoder.initialize_hidden_state()
sample_output, sample_hidden = encoder(next(iter(dataset))[0], sample_hidden)
print(f"Encoder output shape: {sample_output.shape}")
optimizer = tf.keras.optimizers.Adam()
loss_object = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")


def loss_function(real, pred):
    mask = tf.math.logical_not(tf.math.equal(real, 0))
    loss_ = loss_object(real, pred)
    mask = tf.cast(mask, dtype=loss_.dtype)
    loss_ *= mask
    return tf.reduce_mean(loss_)


step_counter = tf.Variable(0, trainable=False, dtype=tf.int64)
checkpoint = tf.train.Checkpoint(step=step_counter, optimizer=optimizer, encoder=encoder, decoder=decoder)
manager = tf.train.CheckpointManager(checkpoint, "./tf_ckpts", max_to_keep=2)
print("restored" if manager.latest_checkpoint else "Initializing from scratch.")
checkpoint.restore(manager.latest_checkpoint)


@tf.function
def train_step(inp, targ, enc_hidden):
    loss = 0.0
    with tf.GradientTape() as tape:
        enc_output, enc_hidden = encoder(inp, enc_hidden)
        dec_hidden = enc_hidden
        dec_input = tf.expand_dims([1] * BATCH_SIZE, 1)
        for t in range(1, targ.shape[1]):
            predictions, dec_hidden, _ = decoder(dec_input, dec_hidden, enc_output)
            loss += loss_function(targ[:, t], predictions)
            dec_input = tf.expand_dims(targ[:, t], 1)
    batch_loss = loss / int(targ.shape[1])
    variables = encoder.trainable_variables + decoder.trainable_variables
    gradients = tape.gradient(loss, variables)
    optimizer.apply_gradients(zip(gradients, variables))
    step_counter.assign_add(1)
    return batch_loss


for epoch in range(3):
    enc_hidden = encoder.initialize_hidden_state()
    total_loss = 0
    for batch, (inp, targ) in enumerate(dataset.take(3)):
        batch_loss = train_step(inp, targ, enc_hidden)
        total_loss += batch_loss
        print("Epoch {} Batch {} Loss {:.6f}".format(epoch + 1, batch, batch_loss.numpy()))
    save_path = manager.save()
    print("Saved checkpoint for step {}: {}".format(int(checkpoint.step), save_path))
    print("Epoch {} Loss {:.6f}".format(epoch + 1, total_loss / 3))
print(manager.checkpoints, os.path.basename(manager.latest_checkpoint))


def evaluate(inputs):
    attention_plot = np.zeros((4, 5))
    enc_out, enc_hidden = encoder(tf.convert_to_tensor(inputs), tf.zeros((1, units)))
    dec_hidden, dec_input, result = enc_hidden, tf.expand_dims([1], 0), []
    for t in range(4):
        predictions, dec_hidden, attention_weights = decoder(dec_input, dec_hidden, enc_out)
        attention_weights = tf.reshape(attention_weights, (-1,))
        attention_plot[t] = attention_weights.numpy()
        predicted_id = tf.argmax(predictions[0]).numpy()
        result.append(int(predicted_id))
        dec_input = tf.expand_dims([predicted_id], 0)
    return result, attention_plot


print(evaluate(source[:1]))
before = encoder.embedding.embeddings.numpy().copy()
encoder.embedding.embeddings.assign(tf.zeros_like(encoder.embedding.embeddings))
checkpoint.restore(manager.latest_checkpoint).expect_partial()
print("same", np.array_equal(before, encoder.embedding.embeddings.numpy()), step_counter.numpy())
