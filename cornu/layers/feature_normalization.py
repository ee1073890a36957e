"""Normalization of features by a mean and a variance that are given, or computed from data once by `adapt`."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Unpack, cast

import jax
import jax.numpy as jnp
import numpy as np

from cornu import settings, validate
from cornu.core.typing import ConfigDict, Data, DTypeLike, Shape, Tensor
from cornu.kernels import norm
from cornu.layers.host import batches
from cornu.layers.layer import Layer
from cornu.layers.options import LayerOptions

__all__ = ["Normalization"]


class Normalization(Layer):
    """Normalizes each feature to mean 0 and variance 1: `(x - mean) / max(sqrt(variance), epsilon)`.

    Args:
        axis: axis or axes that have separate means and variances; None uses one of each for all values. Defaults to -1.
        mean: the mean, a number or one per feature; None leaves it to `adapt`.
        variance: the variance, required together with `mean`. None by default.
        invert: whether to undo the normalization, applying the variance and the mean. Defaults to False.

    Input shape:
        Any shape in which the axes in `axis` have known sizes.

    Output shape:
        The same.

    Example:

        layer = cornu.layers.Normalization()
        layer.adapt(np.array([[1.0, 10.0], [3.0, 30.0]]))
        print(layer(np.array([[1.0, 30.0]])))  # [[-1. 1.]]
    """

    pure_call = rowwise = changes_images = True

    def __init__(
        self,
        axis: int | Sequence[int] | None = -1,
        mean: float | Sequence[float] | None = None,
        variance: float | Sequence[float] | None = None,
        invert: bool = False,
        **kwargs: Unpack[LayerOptions],
    ):
        super().__init__(**kwargs)
        self.axis = _axes(axis, self)
        if (mean is None) != (variance is None):
            raise ValueError(
                f"{validate.describe(self)}: give both mean and variance, or neither. "
                f"Received: mean={mean}, variance={variance}."
            )
        self._given = _alike(_plain(mean, self.axis, self), _plain(variance, self.axis, self), self)
        self._input_shape: Shape | None = None
        self.invert = bool(invert)
        self.supports_masking = True

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Create the statistics as weights, unless they were given."""
        kept = self._kept(len(input_shape))
        unknown = [axis for axis in kept if input_shape[axis] is None]
        if unknown:
            single = " For numbers without features pass axis=None, or data of shape (rows, 1)." * (0 in unknown)
            raise ValueError(
                f"{validate.describe(self)}: the axes in axis must have known sizes, but that of {unknown} is unknown. "
                f"Received: input_shape={tuple(input_shape)}, axis={self.axis}.{single}"
            )
        self._input_shape = tuple(input_shape)
        if self._given[0] is None:
            shape = tuple(input_shape[axis] for axis in kept)
            make = partial(self.add_weight, cast(tuple[int, ...], shape), trainable=False, autocast=False)
            self.adapted_mean = make(name="mean", initializer="zeros")
            self.adapted_variance = make(name="variance", initializer="ones")
            self.count = self.add_weight(name="count", shape=(), dtype="int32", initializer="zeros", trainable=False)

    def call(self, inputs: jax.Array) -> jax.Array:
        """The normalized inputs, or the original ones if `invert` is set."""
        x = jnp.asarray(inputs, self.compute_dtype)
        wide = norm.widened(x)
        mean, variance = (self._lined_up(value, x.shape, wide.dtype) for value in self._statistics())
        deviation = jnp.maximum(jnp.sqrt(variance), norm.at_least(settings.epsilon(), x))
        return (wide * deviation + mean if self.invert else (wide - mean) / deviation).astype(x.dtype)

    def adapt(self, data: Data) -> None:
        """Compute mean and variance from data, discarding previous ones.

        Args:
            data: an array, or an iterable of batches (a generator, a `PyDataset`, a data loader).
        """
        if self._given[0] is not None:
            raise ValueError(f"{validate.describe(self)}: mean and variance were given, so there is nothing to adapt.")
        count, mean, square = 0, 0.0, 0.0  # of the batches so far; `square` is the sum of squared deviations
        for batch in _batches(data, self):
            if not self.built:
                self.build((None, *batch.shape[1:]))
                self.built = True
            reduced = tuple(a for a in range(batch.ndim) if a not in self._kept(batch.ndim))
            size = int(np.prod([batch.shape[a] for a in reduced]))
            batch_mean = batch.mean(axis=reduced, dtype="float64")
            batch_square = batch.var(axis=reduced, dtype="float64") * size
            shift, total = batch_mean - mean, count + size
            square = square + batch_square + shift**2 * (count * size / total)  # Chan, Golub & LeVeque, 1979
            mean = mean + shift * (size / total)
            count = total
        if not count:
            raise ValueError(f"{validate.describe(self)}: adapt() received no data.")
        self.adapted_mean.assign(np.asarray(mean, "float32"))
        self.adapted_variance.assign(np.asarray(square / count, "float32"))

    @property
    def _learned_nothing(self) -> bool:
        """Whether mean and variance are neither given nor from data or a file, but 0 and 1."""
        if self._given[0] is not None or not self.built:
            return False
        return not self.adapted_mean.numpy().any() and bool((self.adapted_variance.numpy() == 1).all())

    def _kept(self, rank: int) -> list[int]:
        """The axes with separate statistics, counted from the front."""
        wrong = [axis for axis in self.axis if not -rank <= axis < rank]
        if wrong:
            raise ValueError(
                f"{validate.describe(self)}: axis must be one of the {rank} dimensions of the input. "
                f"Received: axis={self.axis}."
            )
        return sorted(axis % rank for axis in self.axis)

    def _statistics(self) -> tuple[Tensor, Tensor]:
        if self._given[0] is None:
            return self.adapted_mean.value, self.adapted_variance.value
        mean, variance = self._given
        return np.asarray(mean), np.asarray(variance)

    def _lined_up(self, value: object, shape: Sequence[int | None], dtype: DTypeLike | None = None) -> jax.Array:
        """A statistic in a shape that broadcasts to inputs of `shape`."""
        value = jnp.asarray(value, dtype or self.compute_dtype)
        kept = self._kept(len(shape))
        full = jnp.broadcast_to(value, [shape[axis] for axis in kept])
        return full.reshape([shape[axis] if axis in kept else 1 for axis in range(len(shape))])

    @property
    def mean(self) -> jax.Array | None:
        """The mean in use, in a shape that broadcasts to the inputs; None before the layer is built."""
        return None if self._input_shape is None else self._lined_up(self._statistics()[0], self._input_shape)

    @property
    def variance(self) -> jax.Array | None:
        """The variance in use, in a shape that broadcasts to the inputs; None before the layer is built."""
        return None if self._input_shape is None else self._lined_up(self._statistics()[1], self._input_shape)

    def finalize_state(self) -> None:
        """Do nothing: `adapt` and loaded files set the statistics that are read at each call."""

    def convert_weight(self, weight: object) -> object:
        """The weight unchanged, since it fits inputs of any dtype."""
        return weight

    def get_config(self) -> ConfigDict:
        """The constructor's arguments: mean and variance if they were given."""
        return super().get_config() | dict(zip(("mean", "variance"), self._given, strict=True))


def _axes(axis: int | Sequence[int] | None, owner: object) -> tuple[int, ...]:
    axes = () if axis is None else validate.one_or_several(axis)
    if not all(map(validate.is_integer, axes)):
        raise ValueError(
            f"{validate.describe(owner)}: axis must be an integer or several. Received: axis={validate.shown(axis)}."
        )
    if 0 in axes:
        raise ValueError(
            f"{validate.describe(owner)}: axis 0 is the batch axis. Received: axis={validate.shown(axis)}."
        )
    return tuple(map(int, axes))


def _plain(value: object, axes: tuple[int, ...], owner: object) -> Any:
    """A statistic as a number or nested lists, as stored in a config."""
    if value is None or isinstance(value, (int, float)):
        return value
    try:
        array = np.asarray(value, "float64")
    except (ValueError, TypeError):
        raise ValueError(
            f"{validate.describe(owner)}: mean and variance must be numbers, one for each position along axis. "
            f"Received: {validate.shown(value)}."
        ) from None
    if array.ndim > len(axes):
        raise ValueError(
            f"{validate.describe(owner)}: mean and variance can have at most one dimension for each of the {len(axes)} "
            "axes. "
            f"Received: shape {array.shape}."
        )
    return array.tolist()


def _alike(mean: Tensor, variance: Tensor, owner: object) -> tuple[jax.Array, jax.Array]:
    """Mean and variance in the same shape, which Keras requires in a file."""
    shapes = np.shape(mean), np.shape(variance)
    if shapes[0] == shapes[1]:
        return mean, variance
    try:
        return tuple(np.broadcast_to(value, np.broadcast_shapes(*shapes)).tolist() for value in (mean, variance))
    except ValueError:
        raise ValueError(
            f"{validate.describe(owner)}: mean and variance must have compatible shapes. "
            f"Received: shapes {shapes[0]} and {shapes[1]}."
        ) from None


def _batches(data: object, owner: object) -> Iterator[np.ndarray]:
    if hasattr(data, "shape") or not isinstance(data, Iterable) or isinstance(data, (list, tuple)):
        yield np.asarray(data)
    else:
        yield from batches(data, owner)
