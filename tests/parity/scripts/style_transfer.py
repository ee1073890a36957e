"""Neural style transfer: a model of inner outputs, Gram matrices, an image as the variable, total variation."""

import numpy as np
import tensorflow as tf

vgg = tf.keras.Sequential(
    [
        tf.keras.Input((None, None, 3)),
        tf.keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="block1_conv1"),
        tf.keras.layers.AveragePooling2D(2),
        tf.keras.layers.Conv2D(8, 3, padding="same", activation="relu", name="block2_conv1"),
        tf.keras.layers.AveragePooling2D(2),
        tf.keras.layers.Conv2D(8, 3, padding="same", activation="relu", name="block3_conv2"),
    ]
)
vgg.trainable = False
content_layers, style_layers = ["block3_conv2"], ["block1_conv1", "block2_conv1"]
num_content_layers, num_style_layers = len(content_layers), len(style_layers)
grid = np.linspace(0, 1, 24 * 24 * 3).reshape(24, 24, 3).astype("uint8")
np.random.seed(3)
tf.io.write_file("content.png", tf.io.encode_png(np.random.randint(0, 255, (30, 24, 3)).astype("uint8")))
tf.io.write_file("style.png", tf.io.encode_png(np.random.randint(0, 255, (24, 24, 3)).astype("uint8")))


def load_img(path_to_img):
    max_dim = 30
    img = tf.io.read_file(path_to_img)
    img = tf.image.decode_image(img, channels=3)
    img = tf.image.convert_image_dtype(img, tf.float32)
    shape = tf.cast(tf.shape(img)[:-1], tf.float32)
    long_dim = max(shape)
    scale = max_dim / long_dim
    new_shape = tf.cast(shape * scale, tf.int32)
    img = tf.image.resize(img, new_shape)
    return img[tf.newaxis, :]


def tensor_to_image(tensor):
    tensor = tensor * 255
    tensor = np.array(tensor, dtype=np.uint8)
    if np.ndim(tensor) > 3:
        assert tensor.shape[0] == 1
        tensor = tensor[0]
    return tensor


content_image, style_image = load_img("content.png"), load_img("style.png")
print(content_image.shape, style_image.shape)


def gram_matrix(input_tensor):
    result = tf.linalg.einsum("bijc,bijd->bcd", input_tensor, input_tensor)
    input_shape = tf.shape(input_tensor)
    num_locations = tf.cast(input_shape[1] * input_shape[2], tf.float32)
    return result / (num_locations)


class StyleContentModel(tf.keras.models.Model):
    def __init__(self, style_layers, content_layers):
        super().__init__()
        outputs = [vgg.get_layer(name).output for name in style_layers + content_layers]
        self.vgg = tf.keras.Model(vgg.inputs, outputs)
        self.style_layers = style_layers
        self.content_layers = content_layers
        self.num_style_layers = len(style_layers)
        self.vgg.trainable = False

    def call(self, inputs):
        inputs = inputs * 255.0
        preprocessed_input = tf.keras.applications.vgg19.preprocess_input(inputs) / 100.0
        outputs = self.vgg(preprocessed_input)
        style_outputs, content_outputs = (outputs[: self.num_style_layers], outputs[self.num_style_layers :])
        style_outputs = [gram_matrix(style_output) for style_output in style_outputs]
        content_dict = {name: value for name, value in zip(self.content_layers, content_outputs)}
        style_dict = {name: value for name, value in zip(self.style_layers, style_outputs)}
        return {"content": content_dict, "style": style_dict}


extractor = StyleContentModel(style_layers, content_layers)
results = extractor(tf.constant(content_image))
for name, output in sorted(results["style"].items()):
    print(" ", name, output.numpy().shape, output.numpy().min(), output.numpy().max(), output.numpy().mean())
style_targets, content_targets = extractor(style_image)["style"], extractor(content_image)["content"]
image = tf.Variable(content_image)


def clip_0_1(image):
    return tf.clip_by_value(image, clip_value_min=0.0, clip_value_max=1.0)


opt = tf.keras.optimizers.Adam(learning_rate=0.02, beta_1=0.99, epsilon=1e-1)
style_weight, content_weight, total_variation_weight = 1e-2, 1e4, 30


def style_content_loss(outputs):
    style_outputs, content_outputs = outputs["style"], outputs["content"]
    style_loss = tf.add_n([tf.reduce_mean((style_outputs[name] - style_targets[name]) ** 2) for name in style_outputs])
    style_loss *= style_weight / num_style_layers
    content_loss = tf.add_n(
        [tf.reduce_mean((content_outputs[name] - content_targets[name]) ** 2) for name in content_outputs]
    )
    content_loss *= content_weight / num_content_layers
    return style_loss + content_loss


@tf.function()
def train_step(image):
    with tf.GradientTape() as tape:
        outputs = extractor(image)
        loss = style_content_loss(outputs)
        loss += total_variation_weight * tf.image.total_variation(image)
    grad = tape.gradient(loss, image)
    opt.apply_gradients([(grad, image)])
    image.assign(clip_0_1(image))
    return loss


for step in range(4):
    print("Train step:", step, train_step(image).numpy())
print(tensor_to_image(image).shape, image.numpy().mean())
sobel = tf.image.sobel_edges(content_image)
print(tf.reduce_mean(tf.abs(sobel)).numpy(), tf.image.total_variation(image).numpy())
