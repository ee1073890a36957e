"""Training from scratch: variables as metrics, tf.function with control flow, tf.Module, checks."""

import numpy as np
import tensorflow as tf

print(tf.executing_eagerly(), tf.version.VERSION >= "2", tf.config.list_physical_devices("GPU"))
tf.get_logger().setLevel("ERROR")
tf.autograph.set_verbosity(0)


class Dense(tf.Module):
    def __init__(self, in_features, out_features, name=None):
        super().__init__(name=name)
        self.w = tf.Variable(tf.random.normal([in_features, out_features]), name="w")
        self.b = tf.Variable(tf.zeros([out_features]), name="b")

    def __call__(self, x):
        return tf.nn.relu(tf.matmul(x, self.w) + self.b)


class SequentialModule(tf.Module):
    def __init__(self, name=None):
        super().__init__(name=name)
        self.dense_1 = Dense(in_features=3, out_features=3)
        self.dense_2 = Dense(in_features=3, out_features=2)

    @tf.function
    def __call__(self, x):
        return self.dense_2(self.dense_1(x))


module = SequentialModule(name="the_model")
print("Model results:", module(tf.constant([[2.0, 2.0, 2.0]])))
print("Submodules:", [m.name for m in module.submodules])
for var in module.variables:
    print(var.name.split(":")[0], var.shape, var.numpy().sum())

x = tf.linspace(-2.0, 2.0, 50)
y = 3.0 * x + 2.0 + 0.1 * tf.sin(9.0 * x)
w, b = tf.Variable(5.0), tf.Variable(0.0)
running = tf.Variable(0.0, trainable=False, name="running_loss")
count = tf.Variable(0, trainable=False, dtype=tf.int32)


@tf.function
def step(x, y, lr=tf.constant(0.1)):
    with tf.GradientTape() as t:
        current_loss = tf.reduce_mean(tf.square(y - (w * x + b)))
    dw, db = t.gradient(current_loss, [w, b])
    w.assign_sub(lr * dw)
    b.assign_sub(lr * db)
    running.assign(0.9 * running + 0.1 * current_loss)
    count.assign_add(1)
    if current_loss < 1.0:
        running.assign(0.9 * running)
    return current_loss


for epoch in range(8):
    loss = step(x, y)
    print(f"Epoch {epoch:2d}: W = {w.numpy():.5f} b = {b.numpy():.5f} loss={loss.numpy():.5f}")
print(running.numpy(), count.numpy())


@tf.function
def fizzbuzz(n):
    three, five = 0, 0
    for i in tf.range(1, n + 1):
        if i % 15 == 0:
            three, five = three + 1, five + 1
        elif i % 3 == 0:
            three += 1
        elif i % 5 == 0:
            five += 1
    return three, five


print(fizzbuzz(tf.constant(15)), fizzbuzz(tf.constant(30)))


@tf.function
def collatz(n):
    steps = tf.constant(0)
    while n != 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        steps += 1
    return steps


print(collatz(tf.constant(27)))


@tf.function
def cumulate(values):
    total = tf.TensorArray(tf.float32, size=0, dynamic_size=True)
    state = tf.zeros([])
    for i in tf.range(tf.shape(values)[0]):
        state = state + values[i]
        total = total.write(i, state)
    return total.stack()


print(cumulate(tf.constant([1.0, 2.0, 3.5])))


@tf.function(input_signature=[tf.TensorSpec(shape=[None], dtype=tf.float32)], reduce_retracing=True)
def doubled(x):
    return {"twice": x * 2, "sum": tf.reduce_sum(x)}


print(
    {key: value.numpy() for key, value in sorted(doubled(tf.constant([1.0, 2.0])).items())},
    doubled([3.0])["sum"].numpy(),
)
concrete = doubled.get_concrete_function()
print(concrete(tf.constant([5.0, 6.0]))["sum"].numpy(), sorted(concrete.structured_outputs))
print(concrete.structured_input_signature[0][0].shape, concrete.outputs[0].dtype)


@tf.custom_gradient
def clip_gradients(y):
    def backward(dy):
        return tf.clip_by_norm(dy, 0.5)

    return y, backward


v = tf.Variable(2.0)
with tf.GradientTape() as t:
    output = clip_gradients(v * v)
print(t.gradient(output, v))


@tf.function(jit_compile=True)
def power(x, n: int):
    return tf.cond(x > 0, lambda: x**n, lambda: -x)


print(power(tf.constant(2.0), 3), power(tf.constant(-2.0), 3))
print(tf.while_loop(lambda i, s: i < 5, lambda i, s: (i + 1, s + i), [tf.constant(0), tf.constant(0)]))
print(tf.map_fn(lambda e: e * e, tf.range(4.0)), tf.scan(lambda a, e: a + e, tf.range(1, 5)))
print(tf.vectorized_map(lambda e: e + 1, tf.range(3)), tf.case([(tf.constant(False), lambda: 1)], default=lambda: 2))
print(tf.switch_case(tf.constant(1), [lambda: tf.constant(10), lambda: tf.constant(20)]))

tf.debugging.assert_equal(tf.constant([1, 2]), tf.constant([1, 2]))
tf.debugging.assert_shapes([(x, ("N",)), (y, ("N",))])
try:
    tf.debugging.assert_less(tf.constant(3), tf.constant(2), message="too large")
except tf.errors.InvalidArgumentError as error:
    print("too large" in str(error))
print(tf.debugging.check_numerics(w, "w").numpy(), tf.debugging.is_numeric_tensor(x))
with tf.device("/CPU:0"), tf.name_scope("scope"):
    print(tf.add(1, 2).numpy(), tf.identity(w).numpy())
with tf.GradientTape(persistent=True) as tape:
    z = w * w * b
print(tape.gradient(z, {"w": w, "b": b}), tape.jacobian(z, w).numpy())
del tape
logits = tf.constant([[2.0, 1.0, 0.1]])
print(tf.nn.softmax_cross_entropy_with_logits(labels=[[1.0, 0.0, 0.0]], logits=logits).numpy())
print(np.round(tf.nn.moments(tf.reshape(x, (10, 5)), axes=[0])[1].numpy(), 4))
