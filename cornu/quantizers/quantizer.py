"""Quantizers: objects that map floating-point numbers to low-bit integers and a scale."""

from collections.abc import Sequence

import jax

from cornu import validate
from cornu.core import dtypes
from cornu.core.configurable import Catalogue, Configurable
from cornu.core.typing import ArrayLike, ConfigDict, DTypeLike
from cornu.quantizers.integers import Axes, abs_max_quantize

__all__ = ["AbsMaxQuantizer", "Quantizer"]


class Quantizer(Configurable):
    """Base class: subclasses implement `__call__(self, x)`, which returns integers and a scale.

    Args:
        output_dtype: dtype of the integers. Defaults to `"int8"`.

    Example:

        class Sign(cornu.quantizers.Quantizer):
            def __call__(self, x):
                return cornu.ops.cast(cornu.ops.sign(x), self.output_dtype), cornu.ops.mean(cornu.ops.abs(x))
        print(Sign()(np.array([-2.0, 4.0]))[0])  # [-1 1]
    """

    def __init__(self, output_dtype: DTypeLike = "int8"):
        self.output_dtype = dtypes.standardize_dtype(output_dtype)

    def __call__(self, x: ArrayLike) -> tuple[jax.Array, jax.Array]:
        """The integers of `x`, and their scale."""
        raise TypeError(f"{type(self).__name__} must define __call__(x), which returns integers and a scale.")


class AbsMaxQuantizer(Quantizer):
    """Quantizes by the largest magnitude: `round(x * scale)`, `scale = value_range[1] / (max(abs(x)) + epsilon)`.

    Args:
        axis: axis or axes over which numbers share a scale; None requires it in each call.
        value_range: minimum and maximum integer. Defaults to (-127, 127).
        epsilon: added to the largest magnitude, to avoid division by zero.
        output_dtype: dtype of the integers. Defaults to `"int8"`.

    Example:

        integers, scale = cornu.quantizers.AbsMaxQuantizer(axis=-1)(np.array([[1.0, -2.0]]))
        print(integers)  # [[  64 -127]]
    """

    def __init__(
        self,
        axis: Axes = None,
        value_range: tuple[float, float] = (-127, 127),
        epsilon: float = 1e-7,
        output_dtype: DTypeLike = "int8",
    ):
        super().__init__(output_dtype)
        self.axis = None if axis is None else tuple(axis) if isinstance(axis, Sequence) else (axis,)
        self.value_range = _checked_range(value_range, self.output_dtype)
        self.epsilon = epsilon

    def __call__(self, x: ArrayLike, axis: Axes = None, to_numpy: bool = False) -> tuple[jax.Array, jax.Array]:
        """The integers of `x`, and their scale, over `axis`, if given, instead of the quantizer's own."""
        axis = self.axis if axis is None else axis
        return abs_max_quantize(x, axis, self.value_range, self.output_dtype, self.epsilon, to_numpy)

    def get_config(self) -> ConfigDict:
        """The constructor's arguments; without the axis if it is None."""
        config = {name: getattr(self, name) for name in ("value_range", "epsilon", "output_dtype")}
        return config if self.axis is None else config | {"axis": self.axis}


def _checked_range(value_range: tuple[float, float], dtype: str) -> tuple[float, float]:
    """Check that the range fits the dtype, and return it."""
    limits = {"int8": (-128, 127), "uint8": (0, 255)}.get(dtype, (float("-inf"), float("inf")))
    pair = tuple(value_range) if isinstance(value_range, Sequence) and all(map(validate.is_real, value_range)) else ()
    if len(pair) != 2 or not limits[0] <= pair[0] < pair[1] <= limits[1]:
        raise ValueError(
            f"AbsMaxQuantizer: value_range must be two increasing numbers within {list(limits)} for "
            f"output_dtype={dtype!r}. Received: value_range={value_range!r:.100}."
        )
    return pair


catalogue = Catalogue("quantizer", {"AbsMaxQuantizer": AbsMaxQuantizer, "abs_max_quantizer": AbsMaxQuantizer})
