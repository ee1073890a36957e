"""`tensorflow.keras.metrics`: Keras's own, and the short names that Keras 2 had for some."""

from typing import Any

from cornu import losses as _losses, metrics as _names

_SHORT = {
    "KLD": "kl_divergence",
    "MAE": "mean_absolute_error",
    "MAPE": "mean_absolute_percentage_error",
    "MSE": "mean_squared_error",
    "MSLE": "mean_squared_logarithmic_error",
    "kld": "kl_divergence",
    "kullback_leibler_divergence": "kl_divergence",
    "logcosh": "log_cosh",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "mse": "mean_squared_error",
    "msle": "mean_squared_logarithmic_error",
}

__all__ = [*_SHORT, *_names.__all__]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    from_losses = name in _SHORT and not hasattr(_names, _SHORT[name])
    return getattr(_losses if from_losses else _names, _SHORT.get(name, name))
