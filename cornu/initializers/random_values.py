"""Random initializers.

All share one convention: `_draw(generator, shape)` generates float values with a NumPy generator. An int seed gives the
same values at every call; a seed of None is drawn once, when the initializer is created; a `SeedGenerator` gives new
values at every call.
"""

import copy
import math
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from cornu import validate
from cornu.core import budget, dtypes
from cornu.core.configurable import serialize_keras_object
from cornu.core.typing import ConfigDict, DTypeLike
from cornu.initializers.initializer import Initializer, to_array
from cornu.random import SeedGenerator, make_default_seed
from cornu.random.seed_generator import SeedLike, given_seed

# The standard deviation of a standard normal truncated at two: VarianceScaling compensates for it.
_TRUNCATED_STDDEV = 0.87962566103423978
_MODES = ("fan_in", "fan_out", "fan_avg")
_DISTRIBUTIONS = ("truncated_normal", "untruncated_normal", "uniform")


class RandomInitializer(Initializer):
    """Base of the initializers with a seed.

    Args:
        seed: int for the same values at every call, `SeedGenerator` for new ones, None for an int drawn at creation.
    """

    def __init__(self, seed: SeedLike = None):
        self._given_seed = given_seed(seed, self)
        self.seed = make_default_seed() if seed is None else seed

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> jax.Array:
        if not dtypes.is_float(dtype):
            raise ValueError(
                f"{type(self).__name__}: dtype must be a floating-point type, since the values are drawn. "
                f"Received: dtype={validate.shown(dtype)}."
            )
        return to_array(self._draw(_generator(self.seed), tuple(shape)), dtype)

    def _draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        raise NotImplementedError(f"{type(self).__name__} must define __call__(shape, dtype=None).")

    def get_config(self) -> ConfigDict:
        """The constructor's arguments; a seed that was not given remains None."""
        return {**super().get_config(), "seed": serialize_keras_object(self._given_seed)}


def _generator(seed: Any) -> np.random.Generator:
    """NumPy's counter-based generator, keyed by an int or by the next state of a `SeedGenerator`."""
    if isinstance(seed, SeedGenerator):
        high, low = (int(word) for word in np.asarray(seed.next()))
        seed = (high << 32) + low
    return np.random.Generator(np.random.Philox(key=int(seed) % 2**128))


def _truncated_normal(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Standard normal values; those beyond two are redrawn."""
    values = generator.standard_normal(math.prod(shape), dtype=np.float32)
    outside = np.flatnonzero(np.abs(values) > 2)
    while outside.size:
        values[outside] = generator.standard_normal(outside.size, dtype=np.float32)
        outside = outside[np.abs(values[outside]) > 2]
    return values.reshape(shape)


class RandomNormal(RandomInitializer):
    """Normally distributed values.

    Args:
        mean: mean. Defaults to 0.0.
        stddev: standard deviation. Defaults to 0.05.
        seed: int, `SeedGenerator` or None.

    Example:

        print(cornu.initializers.RandomNormal(stddev=0.1, seed=1)((2, 2)))
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: SeedLike = None):
        super().__init__(seed)
        self.mean = mean
        self.stddev = stddev

    def _draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return self.mean + self.stddev * generator.standard_normal(shape, dtype=np.float32)


class TruncatedNormal(RandomNormal):
    """Truncated normal values: those more than two standard deviations from the mean are redrawn.

    Args:
        mean: mean. Defaults to 0.0.
        stddev: standard deviation before the truncation. Defaults to 0.05.
        seed: int, `SeedGenerator` or None.

    Example:

        print(cornu.initializers.TruncatedNormal(stddev=0.1, seed=1)((2, 2)))
    """

    def _draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return self.mean + self.stddev * _truncated_normal(generator, shape)


class RandomUniform(RandomInitializer):
    """Uniformly distributed values in `[minval, maxval)`.

    Args:
        minval: lower bound. Defaults to -0.05.
        maxval: upper bound. Defaults to 0.05.
        seed: int, `SeedGenerator` or None.

    Example:

        print(cornu.initializers.RandomUniform(-1.0, 1.0, seed=1)((2, 2)))
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: SeedLike = None):
        super().__init__(seed)
        self.minval = minval
        self.maxval = maxval

    def _draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return self.minval + (self.maxval - self.minval) * generator.random(shape, dtype=np.float32)


class VarianceScaling(RandomInitializer):
    """Values with variance `scale / fan`, so that a layer preserves the scale of its input.

    `fan` is the number of inputs of a unit (`fan_in`), of outputs (`fan_out`), or the mean of both (`fan_avg`). In a
    convolution kernel, each is counted once for every position of the kernel.

    Args:
        scale: positive factor. Defaults to 1.0.
        mode: `"fan_in"`, `"fan_out"` or `"fan_avg"`. Defaults to `"fan_in"`.
        distribution: `"truncated_normal"`, `"untruncated_normal"` or `"uniform"`. Defaults to `"truncated_normal"`.
        seed: int, `SeedGenerator` or None.
        input_axes: axes of the weight that count as inputs; with `output_axes`, for weights with layouts other than
            `(*kernel, inputs, outputs)`. None by default.
        output_axes: axes that count as outputs. None by default.

    Example:

        print(cornu.initializers.VarianceScaling(2.0, "fan_out", "uniform", seed=1)((3, 3, 4, 8)).shape)
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: SeedLike = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ):
        super().__init__(seed)
        if scale <= 0:
            raise ValueError(f"{type(self).__name__}: scale must be positive. Received: scale={validate.shown(scale)}.")
        if (input_axes is None) != (output_axes is None):
            raise ValueError(
                f"{type(self).__name__}: input_axes and output_axes must be given together. "
                f"Received: input_axes={validate.shown(input_axes)}, output_axes={validate.shown(output_axes)}."
            )
        self.scale = scale
        self.mode = validate.one_of(mode, _MODES, "mode", self)
        distribution = "truncated_normal" if distribution == "normal" else distribution
        self.distribution = validate.one_of(distribution, _DISTRIBUTIONS, "distribution", self)
        self.input_axes = input_axes
        self.output_axes = output_axes

    def over(self, input_axes: Sequence[int], output_axes: Sequence[int]) -> "VarianceScaling":
        """The same initializer, with the same source of random numbers, for a weight with these axes."""
        twin = copy.copy(self)
        twin.input_axes, twin.output_axes = tuple(input_axes), tuple(output_axes)
        return twin

    def _draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        stddev = math.sqrt(self.scale / max(1.0, fan))
        if self.distribution == "uniform":
            limit = math.sqrt(3.0) * stddev
            return limit * (2 * generator.random(shape, dtype=np.float32) - 1)
        if self.distribution == "truncated_normal":
            return stddev / _TRUNCATED_STDDEV * _truncated_normal(generator, shape)
        return stddev * generator.standard_normal(shape, dtype=np.float32)


def compute_fans(
    shape: tuple[int, ...], input_axes: Sequence[int] | None = None, output_axes: Sequence[int] | None = None
) -> tuple[int, int]:
    """The number of inputs that affect one output of a weight, and the number of outputs affected by one input."""
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[axis] for axis in input_axes), math.prod(shape[axis] for axis in output_axes)
    if len(shape) < 2:
        size = math.prod(shape)
        return size, size
    positions = math.prod(shape[:-2])
    return positions * shape[-2], positions * shape[-1]


class _NamedScaling(VarianceScaling):
    """A named case of `VarianceScaling`, with fixed (scale, mode, distribution)."""

    form: tuple[float, str, str]

    def __init__(
        self, seed: SeedLike = None, input_axes: Sequence[int] | None = None, output_axes: Sequence[int] | None = None
    ):
        super().__init__(*self.form, seed, input_axes, output_axes)


class GlorotUniform(_NamedScaling):
    """Uniform within `sqrt(6 / (fan_in + fan_out))` of 0 (Glorot and Bengio, 2010).

    Args:
        seed: int, `SeedGenerator` or None.
        input_axes, output_axes: as in `VarianceScaling`.

    Example:

        print(cornu.initializers.GlorotUniform(seed=1)((2, 2)))
    """

    form = (1.0, "fan_avg", "uniform")


class GlorotNormal(_NamedScaling):
    """Truncated normal of standard deviation `sqrt(2 / (fan_in + fan_out))` (Glorot and Bengio, 2010).

    Args:
        seed: int, `SeedGenerator` or None.
        input_axes, output_axes: as in `VarianceScaling`.

    Example:

        print(cornu.initializers.GlorotNormal(seed=1)((2, 2)))
    """

    form = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_NamedScaling):
    """Uniform within `sqrt(6 / fan_in)` of 0, for layers before a relu (He et al., 2015).

    Args:
        seed: int, `SeedGenerator` or None.
        input_axes, output_axes: as in `VarianceScaling`.

    Example:

        print(cornu.initializers.HeUniform(seed=1)((2, 2)))
    """

    form = (2.0, "fan_in", "uniform")


class HeNormal(_NamedScaling):
    """Truncated normal of standard deviation `sqrt(2 / fan_in)`, for layers before a relu (He et al., 2015).

    Args:
        seed: int, `SeedGenerator` or None.
        input_axes, output_axes: as in `VarianceScaling`.

    Example:

        print(cornu.initializers.HeNormal(seed=1)((2, 2)))
    """

    form = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_NamedScaling):
    """Uniform within `sqrt(3 / fan_in)` of 0 (LeCun et al., 1998).

    Args:
        seed: int, `SeedGenerator` or None.
        input_axes, output_axes: as in `VarianceScaling`.

    Example:

        print(cornu.initializers.LecunUniform(seed=1)((2, 2)))
    """

    form = (1.0, "fan_in", "uniform")


class LecunNormal(_NamedScaling):
    """Truncated normal of standard deviation `sqrt(1 / fan_in)`, recommended for selu (Klambauer et al., 2017).

    Args:
        seed: int, `SeedGenerator` or None.
        input_axes, output_axes: as in `VarianceScaling`.

    Example:

        print(cornu.initializers.LecunNormal(seed=1)((2, 2)))
    """

    form = (1.0, "fan_in", "truncated_normal")


class Orthogonal(RandomInitializer):
    """A random orthogonal matrix times `gain` (Saxe et al., 2013, https://arxiv.org/abs/1312.6120).

    The axes before the last are flattened: then the columns are orthonormal, or the rows if there are fewer.

    Args:
        gain: factor. Defaults to 1.0.
        seed: int, `SeedGenerator` or None.

    Example:

        q = np.asarray(cornu.initializers.Orthogonal(seed=1)((3, 3)))
        print(np.round(q @ q.T, 3))
    """

    def __init__(self, gain: float = 1.0, seed: SeedLike = None):
        super().__init__(seed)
        self.gain = gain

    def _draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        if len(shape) < 2:
            raise ValueError(f"Orthogonal: the weight must have rank 2 or more. Received: shape={shape}.")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        large, small = max(rows, columns), min(rows, columns)
        budget.take("work", 4 * large * small**2, f"An orthogonal matrix of shape {(rows, columns)}")
        q, r = np.linalg.qr(generator.standard_normal((large, small)))
        q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)  # makes the distribution uniform
        return self.gain * (q if rows >= columns else q.T).reshape(shape)
