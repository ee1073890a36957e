"""`tensorflow.keras.losses`: Keras's own, and the short names that Keras 2 had for some."""

from typing import Any

from cornu import losses as _names

SHORT = {
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


class Reduction:
    """Names of the ways to reduce a loss."""

    AUTO, NONE, SUM, SUM_OVER_BATCH_SIZE = "auto", "none", "sum", "sum_over_batch_size"


__all__ = ["Reduction", *SHORT, *_names.__all__]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    return getattr(_names, SHORT.get(name, name))
