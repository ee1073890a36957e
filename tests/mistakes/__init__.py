"""What beginners do wrong, on cornu and on Keras, and how well each says what is wrong."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")
