"""Loops of training written out: with and without `tf.function`, on layers, modules and plain variables."""

import tensorflow as tf
from tensorflow import keras

tf.random.set_seed(1)
x = tf.random.normal([48, 6])
y = tf.cast(tf.reduce_sum(x, axis=1) > 0, tf.int32)
batches = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(48).batch(16)


class Net(keras.Model):
    """A network that is built when it is first called."""

    def __init__(self):
        super().__init__()
        self.hidden = keras.layers.Dense(8, activation="relu")
        self.dropout = keras.layers.Dropout(0.1)
        self.scores = keras.layers.Dense(2)

    def call(self, inputs, training=False):
        hidden = self.hidden(inputs)
        self.add_loss(0.001 * tf.reduce_mean(hidden**2))
        return self.scores(self.dropout(hidden, training=training))


loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def train(compiled):
    model, optimizer = Net(), keras.optimizers.Adam(0.02)
    mean, accuracy = keras.metrics.Mean(name="loss"), keras.metrics.SparseCategoricalAccuracy()
    traces = []

    def step(images, labels):
        traces.append(images.shape)
        with tf.GradientTape() as tape:
            predictions = model(images, training=True)
            loss = loss_fn(labels, predictions) + sum(model.losses)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        mean(loss)
        accuracy.update_state(labels, predictions)
        return loss

    run = tf.function(step) if compiled else step
    means = []
    for _epoch in range(5):
        mean.reset_state()
        accuracy.reset_state()
        for images, labels in batches:
            assert isinstance(images.numpy().sum().item(), float) and labels.dtype == tf.int32
            loss = run(images, labels)
        means.append(float(mean.result()))
        print(f"loss {mean.result():.3f}, last {loss.numpy():.3f}, accuracy {accuracy.result() * 100:.0f} %")
    assert means[-1] < means[0] and optimizer.iterations.numpy() == 15
    assert len(traces) < 5 if compiled else len(traces) == 15


train(compiled=True)
train(compiled=False)


class Line(tf.Module):
    """A straight line, of plain variables."""

    def __init__(self):
        super().__init__()
        self.slope, self.height = tf.Variable(5.0, name="w"), tf.Variable(0.0, name="b")

    @tf.function
    def __call__(self, inputs):
        return self.slope * inputs + self.height


line = Line()
points = tf.linspace(-2.0, 2.0, 50)
for _ in range(40):
    with tf.GradientTape() as tape:
        error = tf.reduce_mean(tf.square(3.0 * points + 2.0 - line(points)))
    d_slope, d_height = tape.gradient(error, [line.slope, line.height])
    line.slope.assign_sub(0.2 * d_slope)
    line.height.assign_sub(0.2 * d_height)
assert abs(line.slope.numpy() - 3) < 0.01 and abs(line.height.numpy() - 2) < 0.01


class OwnStep(keras.Model):
    """A step with a tape inside `fit`."""

    def train_step(self, data):
        inputs, targets = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(y=targets, y_pred=self(inputs, training=True))
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {"loss": loss}


inputs = keras.Input((6,))
model = OwnStep(inputs, keras.layers.Dense(2)(inputs))
model.compile(keras.optimizers.SGD(0.1), loss_fn)
history = model.fit(batches, epochs=4, verbose=0).history["loss"]
assert history[-1] < history[0]

total = tf.Variable(0)


@tf.function
def count_up(step=1):
    return total.assign_add(step)


@tf.function
def magnitude(value):
    return value if value > 0 else -value  # a choice that needs the value: runs uncompiled


@tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
def ten_times(values):
    for _ in tf.range(10):
        values += 1
    return values


count_up()
count_up(tf.constant(2))
assert total.numpy() == 3 and magnitude(tf.constant(-2.0)).numpy() == 2
assert ten_times([1.0, 2.0]).numpy().tolist() == [11, 12]
assert tf.function(lambda a: a**2)(3) == 9
with tf.GradientTape() as tape:
    squares = tf.function(lambda: line.slope**2)()
assert abs(tape.gradient(squares, line.slope) - 2 * line.slope) < 1e-5
