"""Small data sets that books and courses begin with, downloaded when they are first asked for."""

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
