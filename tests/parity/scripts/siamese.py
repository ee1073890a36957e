"""A siamese network with a triplet loss, in a model with its own train and test steps; contrastive pairs."""

import numpy as np
import tensorflow as tf
from tensorflow.keras import Model, layers, metrics, optimizers

target_shape = (16, 16)
np.random.seed(1)
for kind in ("anchor", "positive", "negative"):
    tf.io.gfile.makedirs(kind)
    for i in range(6):
        picture = np.random.randint(0, 255, (20, 18, 3)).astype("uint8")
        tf.io.write_file(f"{kind}/{i}.png", tf.io.encode_png(picture))
print(tf.io.gfile.exists("anchor/0.png"), sorted(tf.io.gfile.listdir("anchor"))[:2])


def preprocess_image(filename):
    image_string = tf.io.read_file(filename)
    image = tf.image.decode_jpeg(image_string, channels=3)  # PNG too: JPEG decoders differ by a grey level
    image = tf.image.convert_image_dtype(image, tf.float32)
    return tf.image.resize(image, target_shape)


def preprocess_triplets(anchor, positive, negative):
    return preprocess_image(anchor), preprocess_image(positive), preprocess_image(negative)


def files(kind):
    return tf.data.Dataset.from_tensor_slices([f"{kind}/{i}.png" for i in range(6)])


dataset = tf.data.Dataset.zip((files("anchor"), files("positive"), files("negative")))
dataset = dataset.shuffle(buffer_size=1024).map(preprocess_triplets)
train_dataset = dataset.take(round(6 * 0.7)).batch(2, drop_remainder=False).prefetch(tf.data.AUTOTUNE)
val_dataset = dataset.skip(round(6 * 0.7)).batch(2, drop_remainder=False).prefetch(8)
print(len(list(train_dataset)), len(list(val_dataset)), train_dataset.cardinality().numpy())

base = tf.keras.Sequential(
    [
        layers.Input(target_shape + (3,)),
        layers.Conv2D(4, 3, activation="relu"),
        layers.Flatten(),
        layers.Dense(8, activation="relu"),
        layers.BatchNormalization(),
        layers.Dense(4),
    ]
)
embedding = Model(base.inputs, base.outputs[0], name="Embedding")
for layer in embedding.layers:
    trainable = layer.name != "conv2d"
    layer.trainable = trainable


class DistanceLayer(layers.Layer):
    def call(self, anchor, positive, negative):
        ap_distance = tf.reduce_sum(tf.square(anchor - positive), -1)
        an_distance = tf.reduce_sum(tf.square(anchor - negative), -1)
        return (ap_distance, an_distance)


anchor_input = layers.Input(name="anchor", shape=target_shape + (3,))
positive_input = layers.Input(name="positive", shape=target_shape + (3,))
negative_input = layers.Input(name="negative", shape=target_shape + (3,))
distances = DistanceLayer()(embedding(anchor_input), embedding(positive_input), embedding(negative_input))
siamese_network = Model(inputs=[anchor_input, positive_input, negative_input], outputs=distances)


class SiameseModel(Model):
    def __init__(self, siamese_network, margin=0.5):
        super().__init__()
        self.siamese_network = siamese_network
        self.margin = margin
        self.loss_tracker = metrics.Mean(name="loss")

    def call(self, inputs):
        return self.siamese_network(inputs)

    def train_step(self, data):
        with tf.GradientTape() as tape:
            loss = self._compute_loss(data)
        gradients = tape.gradient(loss, self.siamese_network.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.siamese_network.trainable_weights))
        self.loss_tracker.update_state(loss)
        return {"loss": self.loss_tracker.result()}

    def test_step(self, data):
        loss = self._compute_loss(data)
        self.loss_tracker.update_state(loss)
        return {"loss": self.loss_tracker.result()}

    def _compute_loss(self, data):
        ap_distance, an_distance = self.siamese_network(data)
        loss = ap_distance - an_distance
        return tf.maximum(loss + self.margin, 0.0)

    @property
    def metrics(self):
        return [self.loss_tracker]


siamese_model = SiameseModel(siamese_network)
siamese_model.compile(optimizer=optimizers.Adam(0.001), weighted_metrics=[])
siamese_model.fit(train_dataset, epochs=2, validation_data=val_dataset)
anchor, positive, negative = next(iter(train_dataset))
cosine_similarity = metrics.CosineSimilarity()
print("Positive similarity:", cosine_similarity(embedding(anchor), embedding(positive)).numpy())


def euclidean_distance(vects):
    x, y = vects
    sum_square = tf.math.reduce_sum(tf.math.square(x - y), axis=1, keepdims=True)
    return tf.math.sqrt(tf.math.maximum(sum_square, tf.keras.backend.epsilon()))


def loss(margin=1):
    def contrastive_loss(y_true, y_pred):
        square_pred = tf.math.square(y_pred)
        margin_square = tf.math.square(tf.math.maximum(margin - (y_pred), 0))
        return tf.math.reduce_mean((1 - y_true) * square_pred + (y_true) * margin_square)

    return contrastive_loss


left, right = layers.Input((6,)), layers.Input((6,))
shared = layers.Dense(3, activation="tanh")
merged = layers.Lambda(euclidean_distance, output_shape=(1,))([shared(left), shared(right)])
output = layers.Dense(1, activation="sigmoid")(layers.BatchNormalization()(merged))
pairs = Model([left, right], output)
pairs.compile(loss=loss(margin=1), optimizer="RMSprop", metrics=["accuracy"])
x1, x2 = np.random.rand(2, 16, 6).astype("float32")
pairs.fit([x1, x2], (np.arange(16) % 2).astype("float32"), batch_size=8, epochs=2)
