"""The older form of configs, under its name among the utilities: `keras.utils.legacy`."""

from cornu.legacy.saving import deserialize_keras_object, serialize_keras_object

__all__ = ["deserialize_keras_object", "serialize_keras_object"]
