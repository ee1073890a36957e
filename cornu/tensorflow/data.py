"""`tensorflow.data`: the type of its data sets, of which there is none here."""

from cornu.tensorflow.types import type_of

Dataset = type_of("data.Dataset")
