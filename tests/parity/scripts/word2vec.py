"""Skip-grams with negative sampling: candidate samplers, lookups by dot products, a subclassed model."""

import numpy as np
import tensorflow as tf
from tensorflow.keras import layers

sentence = "The wide road shimmered in the hot sun"
tokens = list(sentence.lower().split())
vocab, index = {}, 1
vocab["<pad>"] = 0
for token in tokens:
    if token not in vocab:
        vocab[token] = index
        index += 1
vocab_size = len(vocab)
inverse_vocab = {index: token for token, index in vocab.items()}
example_sequence = [vocab[word] for word in tokens]
sampling_table = tf.keras.preprocessing.sequence.make_sampling_table(size=10)
print(sampling_table)
positive_skip_grams, _ = tf.keras.preprocessing.sequence.skipgrams(
    example_sequence, vocabulary_size=vocab_size, window_size=2, negative_samples=0, shuffle=False
)
print(len(positive_skip_grams))
target_word, context_word = positive_skip_grams[0]
context_class = tf.reshape(tf.constant(context_word, dtype="int64"), (1, 1))
negative_sampling_candidates, _, _ = tf.random.log_uniform_candidate_sampler(
    true_classes=context_class, num_true=1, num_sampled=4, unique=True, range_max=vocab_size, seed=42, name="negative"
)
assert negative_sampling_candidates.shape == (4,) and len(set(negative_sampling_candidates.numpy())) == 4
targets, contexts, labels = [], [], []
for target_word, context_word in positive_skip_grams:
    negatives = tf.constant([(context_word + k) % vocab_size for k in range(1, 5)], dtype="int64")
    context = tf.concat([tf.reshape(tf.constant(context_word, dtype="int64"), (1,)), negatives], 0)
    targets.append(target_word)
    contexts.append(context)
    labels.append(tf.constant([1] + [0] * 4, dtype="int64"))
targets, contexts, labels = np.array(targets), np.array(contexts), np.array(labels)
print(f"targets.shape: {targets.shape} contexts.shape: {contexts.shape} labels.shape: {labels.shape}")
dataset = tf.data.Dataset.from_tensor_slices(((targets, contexts), labels))
dataset = dataset.shuffle(100).batch(8, drop_remainder=True).cache().prefetch(buffer_size=tf.data.AUTOTUNE)
print(len(dataset))


class Word2Vec(tf.keras.Model):
    def __init__(self, vocab_size, embedding_dim):
        super().__init__()
        self.target_embedding = layers.Embedding(vocab_size, embedding_dim, name="w2v_embedding")
        self.context_embedding = layers.Embedding(vocab_size, embedding_dim)

    def call(self, pair):
        target, context = pair
        if len(target.shape) == 2:
            target = tf.squeeze(target, axis=1)
        word_emb = self.target_embedding(target)
        context_emb = self.context_embedding(context)
        return tf.einsum("be,bce->bc", word_emb, context_emb)


word2vec = Word2Vec(vocab_size, 6)
word2vec.compile(optimizer="adam", loss=tf.keras.losses.CategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
word2vec.fit(dataset, epochs=3)
weights = word2vec.get_layer("w2v_embedding").get_weights()[0]
print(weights.shape, weights.mean(), weights[1])


def nce_style(x_logit, y_true):
    return tf.nn.sigmoid_cross_entropy_with_logits(logits=x_logit, labels=y_true)


print(tf.reduce_mean(nce_style(word2vec((targets[:4], contexts[:4])), tf.cast(labels[:4], tf.float32))).numpy())
sampled = tf.nn.sampled_softmax_loss(
    weights=tf.constant(weights),
    biases=tf.zeros(vocab_size),
    labels=tf.constant([[1], [2]], tf.int64),
    inputs=tf.constant(weights[:2]),
    num_sampled=vocab_size,
    num_classes=vocab_size,
    sampled_values=(tf.range(vocab_size, dtype=tf.int64), tf.ones((2, 1)), tf.ones(vocab_size)),
)
print(sampled.numpy())
print(tf.nn.embedding_lookup(tf.constant(weights), [0, 2, 2]).numpy().sum(axis=1))
