"""Parts of TensorFlow that scripts import by their own paths, and what they ask of a machine."""

import tempfile

import tensorflow as tf
import tensorflow.compat.v1 as tf1
from tensorflow.keras.layers import ThresholdedReLU
from tensorflow.keras.layers.experimental import preprocessing
from tensorflow.summary import create_file_writer

tf1.logging.set_verbosity(tf1.logging.ERROR)
try:
    resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect()
    strategy = tf.distribute.TPUStrategy(resolver)
except ValueError:
    strategy = tf.distribute.get_strategy()

with strategy.scope():
    model = tf.keras.Sequential([preprocessing.Rescaling(0.5), tf.keras.layers.Dense(2), ThresholdedReLU(0.1)])
    model.compile("sgd", "mse")
model.fit(tf.ones((4, 3)), tf.zeros((4, 2)), verbose=0)
writer = create_file_writer(tempfile.mkdtemp())
with writer.as_default():
    tf.summary.scalar("loss", tf1.reduce_sum(tf1.ones([3])), step=0)


class Case(tf.test.TestCase):
    def test_shapes(self):
        self.assertAllClose(model(tf.zeros((1, 3))), [[0.0, 0.0]])


if __name__ == "__main__":
    tf.test.main()
