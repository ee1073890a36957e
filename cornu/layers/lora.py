"""Low-rank adaptation (LoRA): training a small update to a large frozen kernel (Hu et al., 2021).

The kernel `W` of shape (..., m) is frozen, and `W + alpha / rank * A @ B` is used, with `A` of shape (..., rank) and
`B` of shape (rank, m). `B` is initialized to zero, so enabling it has no effect at first. Files contain the sum.
"""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any, cast

import jax
import numpy as np

from cornu import validate
from cornu.core import context
from cornu.core.typing import InitializerLike, Tensor
from cornu.core.variable import Variable
from cornu.kernels import dense


class LowRankAdaptation:
    """Inherited, besides `Layer`, by layers with one large kernel, to provide `enable_lora`.

    The layer stores the kernel in the attribute `_kernel` (an underscore and `adapted`), has the constructor arguments
    `lora_rank` and `lora_alpha`, and calls `_start_lora()` at the end of `build`.
    """

    adapted = "kernel"
    config_optional: tuple[str, ...] = ("activity_regularizer", "lora_rank", "lora_alpha")
    lora_enabled = False
    # Provided by `Layer`.
    built: bool
    add_weight: Callable[..., Variable]
    _growing: Callable[[], Any]
    _own_variables: Callable[[], list[Variable]]

    def _init_lora(self, rank: int | None, alpha: float | None) -> None:
        """Store the constructor's arguments; a rank of None or 0 disables adaptation."""
        self.lora_rank = validate.positive_int(rank, "lora_rank", self) if rank else None
        self.lora_alpha = None if self.lora_rank is None else alpha if alpha is not None else self.lora_rank

    def _start_lora(self) -> None:
        """Enable adaptation if the constructor requested it; called at the end of `build`."""
        if self.lora_rank is not None:
            self.built = True
            self.enable_lora(self.lora_rank, self.lora_alpha)

    def enable_lora(
        self,
        rank: int,
        lora_alpha: float | None = None,
        a_initializer: InitializerLike = "he_uniform",
        b_initializer: InitializerLike = "zeros",
    ) -> None:
        """Freeze the kernel and train a low-rank update to it instead.

        Args:
            rank: number of columns of the left factor.
            lora_alpha: the update is scaled by `lora_alpha / rank`; None uses `rank`.
            a_initializer, b_initializer: initializers of the left and right factors.
        """
        owner, shape = validate.describe(self), self._adapted_shape()
        if not self.built or shape is None:
            raise ValueError(f"{owner}: enable_lora needs a built layer. Call build(input_shape), or call the layer.")
        if self.lora_enabled:
            raise ValueError(f"{owner}: LoRA is already enabled and cannot be enabled twice.")
        if getattr(self, f"{self.adapted}_constraint") is not None:
            raise ValueError(
                f"{owner}: LoRA cannot be combined with a constraint on the kernel. Remove {self.adapted}_constraint."
            )
        rank = validate.positive_int(rank, "rank", self)
        regularizer = getattr(self, f"{self.adapted}_regularizer")
        factors = {"a": ((*shape[:-1], rank), a_initializer), "b": ((rank, shape[-1]), b_initializer)}
        with self._growing():
            for side, (sizes, initializer) in factors.items():
                name = f"lora_{self.adapted}_{side}"
                setattr(self, name, self.add_weight(sizes, initializer, name=name, regularizer=regularizer))
        for variable in self._large_variables():
            variable.trainable = False
        self.lora_enabled, self.lora_rank = True, rank
        self.lora_alpha = rank if lora_alpha is None else lora_alpha

    def _large_variables(self) -> list[Variable]:
        """The variables that are replaced by the update during training."""
        return [getattr(self, f"_{self.adapted}")]

    def _adapted_shape(self) -> tuple[int, ...] | None:
        """The shape of the kernel; None before `build`."""
        kernel = getattr(self, f"_{self.adapted}", None)
        return None if kernel is None else kernel.shape

    def _factors(self) -> tuple[Variable, Variable]:
        return getattr(self, f"lora_{self.adapted}_a"), getattr(self, f"lora_{self.adapted}_b")

    def _adapted_weight(self) -> Tensor:
        """The kernel's variable, or the array of the sum once adaptation is enabled; None before `build`."""
        weight = getattr(self, f"_{self.adapted}", None)
        return self._sum() if self.lora_enabled else weight

    def _effective(self, factor: jax.Array | None = None) -> jax.Array:
        """The kernel for computation, in the current layer's compute dtype.

        It keeps its own dtype if `dense.product` casts it to that of the other `factor`.
        """
        as_it_is = factor is not None and dense.casts_kernel(factor)
        with context.scope(autocast=None) if as_it_is else nullcontext():
            return self._sum() if self.lora_enabled else getattr(self, f"_{self.adapted}").value

    def _lora_scale(self) -> float:
        """The scale of the product of the factors, if there are any."""
        return cast(float, self.lora_alpha) / cast(int, self.lora_rank)

    def _correction(self) -> jax.Array:
        """The update that is added to the kernel."""
        a, b = self._factors()
        return self._lora_scale() * (a.value @ b.value)

    def _sum(self) -> jax.Array:
        return getattr(self, f"_{self.adapted}").value + self._correction()

    def _saved_variables(self) -> list[Variable]:
        """The variables saved in files: all but the factors, the kernel first."""
        kernel = getattr(self, f"_{self.adapted}", None)
        hidden = {id(kernel), *map(id, self._factors() if self.lora_enabled else ())}
        return [v for v in (kernel,) if v is not None] + [v for v in self._own_variables() if id(v) not in hidden]

    def save_own_variables(self, store: dict[str, Tensor]) -> None:
        """Save the layer's own weights in `store`, with the low-rank update added to the kernel."""
        for index, variable in enumerate(self._saved_variables()):
            store[str(index)] = variable.numpy()
        if self.lora_enabled:
            store["0"] = np.asarray(self._sum())

    def load_own_variables(self, store: Mapping[str, Tensor]) -> None:
        """Load the layer's own weights from `store`; a low-rank update restarts at zero."""
        variables = self._saved_variables()
        if len(store) != len(variables):
            raise ValueError(
                f"{validate.describe(self)}: expected {len(variables)} weights in the file, found {len(store)}."
                + ("" if self.built else " The layer is not built: call it, or build(input_shape), first.")
            )
        for index, variable in enumerate(variables):
            variable.assign(np.asarray(store[str(index)]))
        for factor in self._factors() if self.lora_enabled else ():
            factor.assign(np.zeros(factor.shape))
