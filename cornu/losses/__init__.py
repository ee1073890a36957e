"""Losses: what training minimizes. Classes with reduction and weights, functions with one value per sample.

Example:

    loss = cornu.losses.MeanSquaredError()
    print(float(loss([[1.0], [2.0]], [[1.0], [4.0]])))  # 2.0
    print(cornu.losses.mean_squared_error([[1.0], [2.0]], [[1.0], [4.0]]))  # [0. 4.]
"""

from typing import TYPE_CHECKING, Any

from cornu.absent import explainer as _explainer
from cornu.core.configurable import Catalogue
from cornu.core.typing import AnyFunction, CustomObjects
from cornu.losses.embedding import Circle, circle
from cornu.losses.loss import Loss, LossFunctionWrapper
from cornu.losses.margin import CategoricalHinge, Hinge, SquaredHinge, categorical_hinge, hinge, squared_hinge
from cornu.losses.overlap import Dice, Tversky, dice, tversky
from cornu.losses.probabilistic import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    KLDivergence,
    Poisson,
    SparseCategoricalCrossentropy,
    SparseCategoricalFocalCrossentropy,
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
    kl_divergence,
    poisson,
    sparse_categorical_crossentropy,
    sparse_categorical_focal_crossentropy,
)
from cornu.losses.regression import (
    CosineSimilarity,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    cosine_similarity,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)
from cornu.losses.sequence import CTC, ctc

_CLASSES = (
    BinaryCrossentropy, BinaryFocalCrossentropy, CTC, CategoricalCrossentropy, CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy, CategoricalHinge, Circle, CosineSimilarity, Dice, Hinge, Huber, KLDivergence,
    LogCosh, Loss, MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredError, MeanSquaredLogarithmicError,
    Poisson, SparseCategoricalCrossentropy, SparseCategoricalFocalCrossentropy, SquaredHinge, Tversky,
)  # fmt: skip

_FUNCTIONS = (
    binary_crossentropy, binary_focal_crossentropy, categorical_crossentropy, categorical_focal_crossentropy,
    categorical_generalized_cross_entropy, categorical_hinge, circle, cosine_similarity, ctc, dice, hinge, huber,
    kl_divergence, log_cosh, mean_absolute_error, mean_absolute_percentage_error, mean_squared_error,
    mean_squared_logarithmic_error, poisson, sparse_categorical_crossentropy, sparse_categorical_focal_crossentropy,
    squared_hinge, tversky,
)  # fmt: skip

_LOWER = {
    "bce": binary_crossentropy,
    "kld": kl_divergence,
    "mae": mean_absolute_error,
    "mape": mean_absolute_percentage_error,
    "mse": mean_squared_error,
    "msle": mean_squared_logarithmic_error,
}

SHORT = {**_LOWER, **{name.upper(): function for name, function in _LOWER.items()}}

# Additional names from Keras 1 and 2: they are in old files and in `tensorflow.keras`, but not in Keras 3.
OLD_NAMES = {
    "cosine": "cosine_similarity",
    "cosine_proximity": "cosine_similarity",
    "kullback_leibler_divergence": "kl_divergence",
    "logcosh": "log_cosh",
}

catalogue = Catalogue(
    "loss",
    {
        **{cls.__name__: cls for cls in _CLASSES},
        **{function.__name__: function for function in _FUNCTIONS},
        **SHORT,
    },
)


def get(identifier: object) -> Any:
    """The loss for a name, config, class, function or loss.

    Args:
        identifier: a name such as `"mse"` (a function) or `"MeanSquaredError"` (an instance), a config, a class, or a
            loss. None returns None.

    Example:

        print(cornu.losses.get("mse")([[0.0]], [[2.0]]))  # [4.]
    """
    return catalogue.get(identifier)


def serialize(loss: object) -> Any:
    """The loss, function or instance, as plain data.

    Args:
        loss: a loss, as a function or an instance.

    Example:

        print(cornu.losses.serialize(cornu.losses.MeanSquaredError())["class_name"])  # MeanSquaredError
    """
    return catalogue.serialize(loss)


def deserialize(name: object, custom_objects: CustomObjects | None = None) -> AnyFunction:
    """The loss for a config or a name.

    Args:
        name: the result of `serialize`, or a name.
        custom_objects: dictionary from names to classes or functions. None by default.

    Example:

        config = cornu.losses.serialize(cornu.losses.Huber(delta=2.0))
        print(type(cornu.losses.deserialize(config)).__name__)  # Huber
    """
    return catalogue.deserialize(name, custom_objects)


__all__ = [
    "CTC",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalGeneralizedCrossEntropy",
    "CategoricalHinge",
    "Circle",
    "CosineSimilarity",
    "Dice",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "LossFunctionWrapper",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SparseCategoricalFocalCrossentropy",
    "SquaredHinge",
    "Tversky",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy",
    "categorical_hinge",
    "circle",
    "cosine_similarity",
    "ctc",
    "deserialize",
    "dice",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
    "serialize",
    "sparse_categorical_crossentropy",
    "sparse_categorical_focal_crossentropy",
    "squared_hinge",
    "tversky",
]

if not TYPE_CHECKING:
    __getattr__ = _explainer(__name__)
