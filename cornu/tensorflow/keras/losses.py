"""`tensorflow.keras.losses`: Keras's own, and the abbreviations that Keras 2 had for some."""

from typing import Any

from cornu import losses as _names

SHORT = {
    **{short: function.__name__ for short, function in _names.SHORT.items() if short.lower() != "bce"},
    **{old: _names.OLD_NAMES[old] for old in ("kullback_leibler_divergence", "logcosh")},
}


class Reduction:
    """Names of the ways to reduce a loss."""

    AUTO, NONE, SUM, SUM_OVER_BATCH_SIZE = "auto", "none", "sum", "sum_over_batch_size"


__all__ = ["Reduction", *SHORT, *_names.__all__]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    return getattr(_names, SHORT.get(name, name))
