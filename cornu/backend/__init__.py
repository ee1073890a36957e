"""Names that scripts use from `keras.backend`."""

import gc
from typing import TYPE_CHECKING

from cornu import settings
from cornu.absent import explainer as _explainer
from cornu.config import backend
from cornu.core.context import get_uid, reset_uids
from cornu.core.dtypes import is_float as is_float_dtype, is_int as is_int_dtype, result_type, standardize_dtype
from cornu.core.symbolic import is_keras_tensor
from cornu.random import reset_global_seed
from cornu.settings import epsilon, floatx, image_data_format, set_epsilon, set_floatx, set_image_data_format


def clear_session(free_memory: bool = True) -> None:
    """Reset automatic names, random seeds and the dtype policy, and free unreferenced objects.

    Args:
        free_memory: whether to run Python's garbage collector, too. Defaults to True.

    Example:

        cornu.backend.clear_session()
        print(cornu.layers.Dense(2).name)  # dense
    """
    reset_uids()
    reset_global_seed()
    settings.write("dtype_policy", None)
    if free_memory:
        gc.collect()


__all__ = [
    "backend", "clear_session", "epsilon", "floatx", "get_uid", "image_data_format", "is_float_dtype", "is_int_dtype",
    "is_keras_tensor", "result_type", "set_epsilon", "set_floatx", "set_image_data_format", "standardize_dtype",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__ = _explainer(__name__)
