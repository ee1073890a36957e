"""Small datasets used in books and courses, downloaded on first use."""

from typing import TYPE_CHECKING

from cornu.absent import explainer as _explainer
from cornu.datasets import (
    boston_housing,
    california_housing,
    cifar10,
    cifar100,
    fashion_mnist,
    imdb,
    mnist,
    reuters,
)

__all__ = [
    "boston_housing", "california_housing", "cifar10", "cifar100", "fashion_mnist", "imdb", "mnist", "reuters",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__ = _explainer(__name__)
