"""`Discretization`: numbers mapped to bins, whose boundaries are given or learned from data."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from cornu import validate
from cornu.core import context
from cornu.core.policy import PolicyLike
from cornu.core.typing import Config, ConfigDict, CustomObjects, Data, Nested, Tensor
from cornu.layers.category_counts import OUTPUT_MODES, encode
from cornu.layers.host import HostLayer, as_numpy, batches, numpy_for, refuse_sparse

__all__ = ["Discretization"]


class Discretization(HostLayer):
    """Maps numbers to bins: a number `x` is in bin `i` if `b[i-1] <= x < b[i]`.

    Args:
        bin_boundaries: the boundaries, in increasing order. None by default.
        num_bins: number of bins that `adapt` creates, all with equally many of the data's values; fewer if the data
            have fewer distinct values. None by default.
        epsilon: tolerance of the boundaries found by `adapt`, as a fraction of the data. A smaller one takes more
            memory. Defaults to 0.01.
        output_mode: "int" for the index of the bin; "one_hot", "multi_hot" or "count" for vectors, as in
            `CategoryEncoding`. Defaults to `"int"`.
        sparse: must be False.
        dtype: dtype of the vectors.
        name: name.

    Input shape:
        Any.

    Output shape:
        The same for "int", otherwise with the number of bins as the last axis, as in `CategoryEncoding`.

    Example:

        layer = cornu.layers.Discretization(bin_boundaries=[0.0, 1.0, 2.0])
        print(layer(np.array([[-1.5, 1.0, 3.4, 0.5]])))  # [[0 2 3 1]]
    """

    pure_call = rowwise = True
    summary: np.ndarray

    def __init__(
        self,
        bin_boundaries: Sequence[float] | None = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        sparse: bool = False,
        dtype: PolicyLike | None = None,
        name: str | None = None,
    ):
        super().__init__(name=name, dtype=dtype)
        if (bin_boundaries is None) == (num_bins is None):
            raise ValueError(
                f"{validate.describe(self)}: give bin_boundaries, or num_bins to learn them with adapt(data). "
                f"Received: bin_boundaries={bin_boundaries}, num_bins={num_bins}."
            )
        if not isinstance(epsilon, (int, float)) or not 0 < epsilon < 1:
            raise ValueError(
                f"{validate.describe(self)}: epsilon must be between 0 and 1. Received: {validate.shown(epsilon)}."
            )
        self.bin_boundaries = None if bin_boundaries is None else _boundaries(bin_boundaries, self)
        self.num_bins = None if num_bins is None else validate.positive_int(num_bins, "num_bins", self)
        self.epsilon = epsilon
        self.output_mode = validate.one_of(output_mode, OUTPUT_MODES, "output_mode", self)
        self.sparse = refuse_sparse(sparse, self)
        self.reset_state()

    def call(self, inputs: Tensor) -> Nested:
        """The indices of the bins, or their vectors."""
        xp = numpy_for(inputs)
        boundaries = xp.asarray(self._boundaries_now(), "float32")
        numbers = xp.searchsorted(boundaries, xp.asarray(inputs).astype("float32"), side="right")
        numbers = xp.asarray(numbers)
        return encode(numbers, self.output_mode, len(boundaries) + 1, self.output_dtype)

    def _boundaries_now(self) -> list[float]:
        """The boundaries; before `adapt`, placeholders if only shapes matter."""
        if self.bin_boundaries is not None:
            return self.bin_boundaries
        if context.current().symbolic and self.num_bins is not None:
            return [0.0] * (self.num_bins - 1)
        raise ValueError(
            f"{validate.describe(self)} has no boundaries yet: call adapt(data) first, or give bin_boundaries."
        )

    @property
    def output_dtype(self) -> str:
        """The dtype of the output: int32, or the layer's own for vectors."""
        return "int32" if self.output_mode == "int" else self.compute_dtype

    def adapt(self, data: Data, steps: int | None = None) -> None:
        """Learn the boundaries from data, discarding previous ones.

        A model that contains the layer and has already run keeps the old boundaries until `compile` is called again.

        Args:
            data: an array, a list, or an iterable of batches (a generator, a `PyDataset`, a data loader).
            steps: number of batches to use from an iterable; None uses all.
        """
        self._require_num_bins()
        self.reset_state()
        for batch in batches(data, self, steps):
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Data) -> None:
        """Add a batch to the data from which `finalize_state` computes the boundaries."""
        self._require_num_bins()
        values = np.sort(as_numpy(data, self).astype("float32"), axis=None)
        if np.isnan(values[-1:]).any():
            raise ValueError(f"{validate.describe(self)}: the data for adapt() must not contain NaN.")
        self.summary = _merged(self.summary, _summarized(values, self.epsilon), self.epsilon)

    def finalize_state(self) -> None:
        """Compute the boundaries from the batches so far."""
        if self.num_bins is None:
            return
        if not self.summary.size:
            raise ValueError(f"{validate.describe(self)}: adapt() received no data.")
        values = self.summary[0]
        if len(values) < self.num_bins:
            values = values[:-1]
        else:
            values = _quantiles(self.summary, np.arange(1, self.num_bins) / self.num_bins)
        self.bin_boundaries = [float(np.float32(value)) for value in values]

    def reset_state(self) -> None:
        """Discard the batches so far; the boundaries are kept until new ones are computed."""
        self.summary = np.empty((2, 0))  # sorted values, and how many data points each represents

    def _require_num_bins(self) -> None:
        if self.num_bins is None:
            raise ValueError(
                f"{validate.describe(self)}: bin_boundaries were given, so there is nothing to adapt. "
                "Give num_bins instead."
            )

    def get_config(self) -> ConfigDict:
        """The constructor's arguments, including learned boundaries."""
        names = ("bin_boundaries", "num_bins", "epsilon", "output_mode", "sparse", "name")
        return {name: getattr(self, name) for name in names} | {"dtype": self.dtype}

    @classmethod
    def from_config(cls, config: Config, custom_objects: CustomObjects | None = None) -> "Discretization":
        """The layer described by `get_config`, including learned boundaries."""
        if config.get("num_bins") is None or config.get("bin_boundaries") is None:
            return super().from_config(config)
        layer = super().from_config({**config, "bin_boundaries": None})
        layer.bin_boundaries = _boundaries(config["bin_boundaries"], layer)
        return layer


def _boundaries(values: Tensor, owner: object) -> list[float]:
    boundaries = [float(value) for value in values]
    if not all(a <= b for a, b in pairwise(boundaries)):
        raise ValueError(
            f"{validate.describe(owner)}: bin_boundaries must be in increasing order. Received: {boundaries}."
        )
    return boundaries


# ---------------------------------------------------------------- quantiles of a stream


def _summarized(values: np.ndarray, epsilon: float) -> np.ndarray:
    """About `1 / epsilon` of the sorted values, each representing equally many."""
    weight = max(1.0, values.size * epsilon)
    kept = values[int(weight) - 1 :: int(weight)]
    return np.stack([kept.astype("float64"), np.full(kept.size, weight)])


def _merged(one: np.ndarray, other: np.ndarray, epsilon: float) -> np.ndarray:
    """The merged summary of two summaries, with about `1 / epsilon` entries."""
    both = np.concatenate([one, other], axis=1)
    both = both[:, np.argsort(both[0], kind="stable")]
    if both.shape[1] * epsilon < 1:
        return both
    shares = np.minimum(epsilon + np.arange(0.0, 1.0, epsilon), 1.0)
    return np.stack([_quantiles(both, shares), np.diff(shares, prepend=0.0) * both[1].sum()])


def _quantiles(summary: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The quantiles of the data for these fractions."""
    values, weights = summary
    return np.interp(shares, np.cumsum(weights) / weights.sum(), values)
