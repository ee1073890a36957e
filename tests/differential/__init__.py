"""Cornu beside Keras on random input: random programs, and operations at the edges of their arguments."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")
