"""Saving of modules and models, checkpoints by parts, and of the place in a dataset."""

import os

import numpy as np
import tensorflow as tf


class Adder(tf.Module):
    def __init__(self):
        super().__init__()
        self.scale = tf.Variable(3.0, name="scale")
        self.table = tf.Variable([1.0, 2.0, 4.0])

    @tf.function(input_signature=[tf.TensorSpec(shape=[None], dtype=tf.float32)])
    def add(self, x):
        return {"y": self.scale * x + tf.reduce_sum(self.table)}

    @tf.function
    def __call__(self, x):
        return self.scale * x


adder = Adder()
print(adder.add(tf.constant([1.0, 2.0]))["y"].numpy())
adder(tf.constant(2.0))
tf.saved_model.save(adder, "adder")
loaded = tf.saved_model.load("adder")
print(loaded.add(tf.constant([1.0, 2.0, 3.0]))["y"].numpy(), loaded.scale.numpy(), loaded(tf.constant(2.0)).numpy())
tf.saved_model.save(adder, "signed", signatures=adder.add)
signed = tf.saved_model.load("signed")
print(list(signed.signatures.keys()))
infer = signed.signatures["serving_default"]
print(infer(tf.constant([4.0]))["y"].numpy())

model = tf.keras.Sequential([tf.keras.layers.Dense(4, activation="relu"), tf.keras.layers.Dense(2)])
x = np.arange(12, dtype="float32").reshape(4, 3)
model.compile("sgd", "mse")
model.fit(x, x[:, :2], epochs=1)
model.export("exported", verbose=False)
served = tf.saved_model.load("exported")
print(np.allclose(served.serve(x), model.predict(x, verbose=0), atol=1e-5))
tf.saved_model.save(model, "as_saved_model")
again = tf.saved_model.load("as_saved_model")
print(os.path.isdir("as_saved_model"))

to_restore = tf.Variable(tf.zeros([2]))
iterator = iter(tf.data.Dataset.range(10))
checkpoint = tf.train.Checkpoint(step=tf.Variable(1), value=to_restore, iterator=iterator)
print(next(iterator).numpy(), next(iterator).numpy())
to_restore.assign([1.0, 2.0])
path = checkpoint.save("ckpts/ckpt")
print(next(iterator).numpy(), next(iterator).numpy())
to_restore.assign([5.0, 6.0])
checkpoint.restore(path).assert_consumed()
print(next(iterator).numpy(), to_restore.numpy(), checkpoint.step.numpy(), int(checkpoint.save_counter))
reader = tf.train.load_checkpoint("ckpts")
names = [name for name in reader.get_variable_to_shape_map() if "value" in name]
print(reader.get_tensor(names[0]), reader.has_tensor(names[0]), reader.get_variable_to_dtype_map()[names[0]])
print([shape for name, shape in tf.train.list_variables("ckpts") if name == names[0]])
late = tf.Variable(0.0, name="late")
partial = tf.train.Checkpoint(value=tf.Variable(tf.zeros([2])), late=late)
partial.restore(path).expect_partial()
print(partial.value.numpy(), late.numpy())
