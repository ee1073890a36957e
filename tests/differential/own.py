"""Layers of a user's own, as text of programs; `K` is the library."""

OWN = {
    "Scaled": """\
class Scaled(K.layers.Layer):
    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor
    def build(self, input_shape):
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="scale")
    def call(self, inputs):
        return inputs * self.scale * self.factor
    def get_config(self):
        return {**super().get_config(), "factor": self.factor}
""",
    "Counted": """\
class Counted(K.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.inner = K.layers.Dense(units)
        self.seen = self.add_weight(shape=(), initializer="zeros", trainable=False, name="seen")
    def call(self, inputs, training=False):
        if training:
            self.seen.assign_add(1.0)
        self.add_loss(0.01 * K.ops.mean(K.ops.square(inputs)))
        return self.inner(inputs)
    def get_config(self):
        return {**super().get_config(), "units": self.units}
""",
    "Kept": """\
class Kept(K.layers.Layer):
    supports_masking = True
    def call(self, inputs, mask=None):
        if mask is None:
            return K.ops.mean(inputs, axis=1)
        kept = K.ops.expand_dims(K.ops.cast(mask, inputs.dtype), -1)
        return K.ops.sum(inputs * kept, axis=1) / (K.ops.sum(kept, axis=1) + 0.5)
    def compute_mask(self, inputs, mask=None):
        return None
""",
}
