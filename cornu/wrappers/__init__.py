"""Models as scikit-learn estimators. scikit-learn is imported on first use."""

import importlib
from typing import TYPE_CHECKING, Any

from cornu.absent import missing as _missing

__all__ = ["SKLearnClassifier", "SKLearnRegressor", "SKLearnTransformer"]

if TYPE_CHECKING:
    from cornu.wrappers.estimators import (
        SKLearnClassifier as SKLearnClassifier,
        SKLearnRegressor as SKLearnRegressor,
        SKLearnTransformer as SKLearnTransformer,
    )
else:

    def __getattr__(name: str) -> Any:
        if name in __all__:
            return getattr(importlib.import_module("cornu.wrappers.estimators"), name)
        return _missing(__name__, name)

    def __dir__() -> list[str]:
        return __all__
