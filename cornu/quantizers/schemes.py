"""Storage of and multiplication with quantized weights: one scheme per quantization mode.

A layer describes each weight that it multiplies with as a `Form`; a scheme defines the variables that replace the
weight, their values, and the product. Nothing else differs between layers, or between modes.

Most schemes view the weight as a matrix (rows, columns), whose columns are the outputs; scales belong to columns, or to
blocks of rows of a column. The stored parts of a weight are a dictionary whose keys are templates, in which `{}` is
replaced by the weight's name: `{"{}": integers, "{}_scale": scales}`.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from cornu.core.policy import QuantizedDTypePolicy
from cornu.core.typing import AnyFunction
from cornu.quantizers import float8
from cornu.quantizers.configs import QuantizationConfig
from cornu.quantizers.integers import (
    abs_max_quantize_grouped_with_zero_point,
    pack_int4,
    unpack_int4,
)
from cornu.quantizers.quantizer import AbsMaxQuantizer

Multiply: TypeAlias = Callable[[jax.Array, jax.Array], jax.Array]
Stored: TypeAlias = Mapping[str, Any]


class Form(NamedTuple):
    """A layer's description of a weight that it multiplies with."""

    name: str
    shape: tuple[int, ...]
    kept: tuple[int, ...]  # the weight's axes in the result, in its order; the others are contracted
    scale_shape: tuple[int, ...]  # one scale per index of the kept axes, in the file layout
    rows: int  # of the matrix
    turned: bool = False  # whether the weight is the transposed matrix
    packed: int = -1  # the axis of the matrix, in the file layout, along which two integers share a byte
    summed_inputs: tuple[int, ...] = (-1,)  # axes of the inputs that are contracted
    ends: bool = True  # whether the weight's last axis is the last one of the result

    @property
    def columns(self) -> int:
        """The number of columns of the matrix."""
        return math.prod(self.shape) // self.rows

    @property
    def summed(self) -> tuple[int, ...]:
        """The contracted axes of the weight."""
        return tuple(axis for axis in range(len(self.shape)) if axis not in self.kept)

    @property
    def laid(self) -> tuple[int, int]:
        """The shape of the matrix in the file layout."""
        return (self.columns, self.rows) if self.turned else (self.rows, self.columns)

    def matrix(self, weight: Any) -> Any:
        """The weight as (rows, columns)."""
        flat = weight.reshape(self.laid)
        return flat.T if self.turned else flat

    def weight(self, matrix: Any) -> Any:
        """The weight of a matrix."""
        return (matrix.T if self.turned else matrix).reshape(self.shape)

    def halved(self) -> tuple[int, ...]:
        """The shape of the matrix in the file layout, two integers to a byte."""
        shape = list(self.laid)
        shape[self.packed] = -(-shape[self.packed] // 2)
        return tuple(shape)


class Part(NamedTuple):
    """One of the variables that replace a weight."""

    shape: tuple[int, ...]
    dtype: str | None  # None uses the layer's dtype
    first: str = "zeros"  # initializer
    cast: bool = False  # whether it is cast to the compute dtype
    overwritten: bool = False  # whether it is trainable and its gradient is its next value


class Scheme:
    """Base class: how a quantization mode stores a weight.

    Args:
        policy: the layer's dtype policy, which contains the mode's parameters.
    """

    templates: ClassVar[tuple[str, ...]]
    """All possible parts, in file order."""
    keeps_weight = False  # whether the weight itself is kept and trainable
    one_to_a_byte = False  # whether the part "{}" contains unpacked integers in the weight's shape
    takes_lora = True  # whether it supports LoRA

    def __init__(self, policy: QuantizedDTypePolicy):
        self.policy: Any = policy

    def parts(self, form: Form) -> dict[str, Part]:
        """The variables that replace the weight."""
        raise TypeError(f"{type(self).__name__} must define parts(form).")

    def encoded(self, weight: np.ndarray, form: Form, config: QuantizationConfig | None) -> dict[str, Any]:
        """Their values for a weight."""
        raise TypeError(f"{type(self).__name__} must define encoded(weight, form, config).")

    def integers(self, stored: Stored, form: Form) -> jax.Array:
        """The weight's integers, in its shape."""
        raise TypeError(f"{type(self).__name__} must define integers(stored, form).")

    def decoded(self, stored: Stored, form: Form) -> jax.Array:
        """The weight represented by the variables, in the dtype of their scales."""
        raise TypeError(f"{type(self).__name__} must define decoded(stored, form).")

    def product(
        self, multiply: Multiply, x: jax.Array, stored: Stored, form: Form, config: QuantizationConfig | None
    ) -> jax.Array:
        """`multiply(x, weight)`; subclasses may avoid materializing the weight."""
        return multiply(x, self.decoded(stored, form).astype(x.dtype))

    def bias(self, bias: jax.Array) -> jax.Array:
        """The bias, in the precision of the mode."""
        return bias


class Int8(Scheme):
    """8-bit integers with one scale per output; activations are quantized per row."""

    templates: ClassVar[tuple[str, ...]] = ("{}", "{}_scale")
    one_to_a_byte = True

    def parts(self, form: Form) -> dict[str, Part]:
        """Integers and scales."""
        return {"{}": Part(form.shape, "int8"), "{}_scale": Part(form.scale_shape, None, "ones", True)}

    def encoded(self, weight: np.ndarray, form: Form, config: QuantizationConfig | None) -> dict[str, Any]:
        """Rounded by the largest magnitude of each output."""
        quantizer = QuantizationConfig.weight_quantizer_or_default(config, AbsMaxQuantizer())
        integers, scale = quantizer(weight, axis=form.summed, to_numpy=True)
        in_order = scale.transpose(form.summed + form.kept)
        return {"{}": integers, "{}_scale": in_order.reshape(form.scale_shape)}

    def integers(self, stored: Stored, form: Form) -> jax.Array:
        """As they are."""
        return stored["{}"]

    def decoded(self, stored: Stored, form: Form) -> jax.Array:
        """Divided by the scales."""
        scale = _beside_weight(stored["{}_scale"], form)
        return stored["{}"].astype(scale.dtype) / scale

    def product(
        self, multiply: Multiply, x: jax.Array, stored: Stored, form: Form, config: QuantizationConfig | None
    ) -> jax.Array:
        """An integer product, divided by both scales; its gradient is that of the dequantized product."""
        quantizer = QuantizationConfig.activation_quantizer_or_default(config, AbsMaxQuantizer())
        if quantizer is None:
            return super().product(multiply, x, stored, form, config)
        return _integer_product(
            partial(self._of_integers, multiply, quantizer, form), partial(self._of_numbers, multiply, form), x, stored
        )

    def _of_integers(self, multiply: Multiply, quantizer: Any, form: Form, x: jax.Array, stored: Stored) -> jax.Array:
        small, scale = quantizer(x, axis=form.summed_inputs)
        scales = multiply(scale, _beside_weight(stored["{}_scale"], form).astype(x.dtype))  # for each element
        return multiply(small, self.integers(stored, form)).astype(x.dtype) / scales

    def _of_numbers(self, multiply: Multiply, form: Form, x: jax.Array, stored: Stored) -> jax.Array:
        return multiply(x, self.decoded(stored, form).astype(x.dtype))


def _beside_weight(scale: jax.Array, form: Form) -> jax.Array:
    """The scales with the axes of the weight, of size 1 along contracted axes."""
    order = form.summed + form.kept
    sizes = [1] * len(form.summed) + [form.shape[axis] for axis in form.kept]
    return scale.reshape(sizes).transpose([order.index(axis) for axis in range(len(order))])


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _integer_product(of_integers: AnyFunction, of_numbers: AnyFunction, x: jax.Array, stored: Stored) -> jax.Array:
    """`of_integers(x, stored)` with the gradient of `of_numbers` with respect to `x`: that of rounding is 0."""
    return of_integers(x, stored)


def _numbers_gradient(
    of_integers: AnyFunction, of_numbers: AnyFunction, kept: tuple[jax.Array, ...], gradient: jax.Array
) -> tuple[jax.Array, ...]:
    x, stored = kept
    _, pull_back = jax.vjp(lambda x: of_numbers(x, stored), x)
    return (*pull_back(gradient), None)


_integer_product.defvjp(
    lambda of_integers, of_numbers, x, stored: (of_integers(x, stored), (x, stored)), _numbers_gradient
)


class Int4(Int8):
    """4-bit integers, two to a byte, with one scale per column; activations are not quantized by default."""

    one_to_a_byte = False

    def parts(self, form: Form) -> dict[str, Part]:
        """Bytes and scales."""
        return {"{}": Part(form.halved(), "int8"), "{}_scale": Part((form.columns,), None, "ones", True)}

    def encoded(self, weight: np.ndarray, form: Form, config: QuantizationConfig | None) -> dict[str, Any]:
        """Rounded by the largest magnitude of each column."""
        quantizer = QuantizationConfig.weight_quantizer_or_default(config, AbsMaxQuantizer(value_range=(-8, 7)))
        integers, scale = quantizer(form.matrix(weight), axis=0, to_numpy=True)
        return {"{}": _packed(integers, form), "{}_scale": scale.reshape(-1)}

    def integers(self, stored: Stored, form: Form) -> jax.Array:
        """One to a byte."""
        return form.weight(_unpacked(stored["{}"], form))

    def decoded(self, stored: Stored, form: Form) -> jax.Array:
        """Divided by the scales."""
        scale = stored["{}_scale"]
        return form.weight(_unpacked(stored["{}"], form).astype(scale.dtype) / scale)

    def product(
        self, multiply: Multiply, x: jax.Array, stored: Stored, form: Form, config: QuantizationConfig | None
    ) -> jax.Array:
        """A floating-point product, with quantized activations if configured."""
        if config is None or config.activation_quantizer is None:
            return Scheme.product(self, multiply, x, stored, form, config)
        return super().product(multiply, x, stored, form, config)

    def _of_integers(self, multiply: Multiply, quantizer: Any, form: Form, x: jax.Array, stored: Stored) -> jax.Array:
        small, scale = quantizer(x, axis=form.summed_inputs)
        return self._of_numbers(multiply, form, small.astype(x.dtype) / scale, stored)


def _packed(matrix: jax.Array, form: Form) -> jax.Array:
    """The matrix in the file layout, two integers to a byte."""
    return pack_int4(matrix.T if form.turned else matrix, form.packed, matrix.dtype)[0]


def _unpacked(packed: jax.Array, form: Form) -> jax.Array:
    """The matrix of integers."""
    laid = unpack_int4(packed, form.laid[form.packed], form.packed, packed.dtype)
    return laid.T if form.turned else laid


class GroupedInt4(Int4):
    """4-bit integers, with a scale and a zero point per block of a column."""

    templates = ("{}", "{}_scale", "{}_zero", "g_idx")

    def _blocks(self, form: Form) -> tuple[int, ...]:
        """The shape of the scales, in the file layout."""
        blocks = (-(-form.rows // self._size(form)), form.columns)
        return blocks[::-1] if form.turned else blocks

    def _size(self, form: Form) -> int:
        return self.policy.block_size

    def parts(self, form: Form) -> dict[str, Part]:
        """Bytes, scales, zero points, and the block of each row."""
        blocks = self._blocks(form)
        return {
            "{}": Part(form.halved(), "int8"),
            "{}_scale": Part(blocks, None, "ones", True),
            "{}_zero": Part(blocks, "int8"),
            "g_idx": Part((form.rows,), "float32"),
        }

    def encoded(self, weight: np.ndarray, form: Form, config: QuantizationConfig | None) -> dict[str, Any]:
        """Rounded between the minimum and the maximum of each block."""
        size = self._size(form)
        integers, scale, zero = abs_max_quantize_grouped_with_zero_point(form.matrix(weight), size, to_numpy=True)
        if form.turned:
            scale, zero = scale.T, zero.T
        values = {"{}": _packed(integers, form), "{}_scale": scale, "{}_zero": zero}
        return values | {"g_idx": np.arange(form.rows) // size}

    def decoded(self, stored: Stored, form: Form) -> jax.Array:
        """Less the zero points, times the scales."""
        scale, zero = stored["{}_scale"], stored["{}_zero"]
        if form.turned:
            scale, zero = scale.T, zero.T
        block = stored["g_idx"].astype("int32")
        numbers = _unpacked(stored["{}"], form).astype(scale.dtype) - zero.astype(scale.dtype)[block]
        return form.weight(numbers * scale[block])


class Gptq(Scheme):
    """Unsigned integers of 2 to 8 bits, 4-bit ones two to a byte, with scales and zero points per group."""

    templates: ClassVar[tuple[str, ...]] = ("quantized_{}", "{}_scale", "{}_zero", "g_idx")
    takes_lora = False

    def _form(self, form: Form) -> Form:
        """The matrix in Keras's layout for these modes, which depends only on the sizes of the weight."""
        sizes = form.shape
        if len(sizes) == 3:
            rows = sizes[0] if sizes[0] == max(sizes) else sizes[0] * sizes[1]
        else:
            rows = sizes[0] if len(sizes) == 2 else form.rows
        return form._replace(rows=rows, packed=0, turned=False)

    def fits_inputs(self, form: Form) -> bool:
        """Whether the rows of the matrix are the inputs of the product, in their order."""
        leading = form.summed == tuple(range(len(form.summed))) and len(form.summed_inputs) == len(form.summed)
        return leading and self._form(form).rows == form.rows

    def group(self, form: Form) -> int:
        """The number of rows that share a scale."""
        size = self.policy.group_size
        return self._form(form).rows if size == -1 else size

    def parts(self, form: Form) -> dict[str, Part]:
        """Integers, scales, zero points, and the group of each row; columns come first."""
        rows, columns = self._form(form).rows, self._form(form).columns
        groups = (columns, -(-rows // self.group(form)))
        return {
            "quantized_{}": Part((-(-columns // 2) if self.policy.weight_bits == 4 else columns, rows), "uint8"),
            "{}_scale": Part(groups, None, "ones", True),
            "{}_zero": Part(groups, "uint8"),
            "g_idx": Part((rows,), "float32"),
        }

    def matrix(self, weight: np.ndarray, form: Form) -> np.ndarray:
        """The weight as (rows, columns)."""
        return self._form(form).matrix(weight)

    def encoded(self, weight: np.ndarray, form: Form, config: QuantizationConfig | None) -> dict[str, Any]:
        """Each number rounded independently; `calibration` is more accurate."""
        matrix = self.matrix(weight, form)
        return self.stored_matrix(matrix, form, *self.grid(matrix, form, config))

    def grid(self, matrix: np.ndarray, form: Form, config: object) -> tuple[np.ndarray, ...]:
        """(scales, zero points) of the groups of a matrix, of shape (columns, groups)."""
        size = self.group(form)
        found = [self.span(matrix[start : start + size], config) for start in range(0, len(matrix), size)]
        return tuple(np.stack(values, 1) for values in zip(*found, strict=True))

    def span(self, rows: np.ndarray, config: object = None) -> tuple[np.ndarray, np.ndarray]:
        """(scale, zero point) for each column of one group, such that the range includes 0 and all of its numbers.

        Args:
            rows: numbers that share a scale, (rows, columns).
            config: a `GPTQConfig`, whose `symmetric` and `per_channel` are used; both default to False if missing.
        """
        symmetric = getattr(config, "symmetric", False)
        low, high = np.minimum(rows.min(0), 0), np.maximum(rows.max(0), 0)
        if not getattr(config, "per_channel", True):
            low, high = np.full_like(low, low.min()), np.full_like(high, high.max())
        if symmetric:
            high = np.maximum(-low, high)
            low = np.where(low < 0, -high, low)
        empty = low == high
        low, high = np.where(empty, -1, low), np.where(empty, 1, high)
        scale = (high - low) / (2**self.policy.weight_bits - 1)
        return scale, np.full_like(scale, 2 ** (self.policy.weight_bits - 1)) if symmetric else np.round(-low / scale)

    def _levels(self, numbers: np.ndarray, scale: np.ndarray, zero: np.ndarray) -> np.ndarray:
        return np.clip(np.round(numbers / scale) + zero, 0, 2**self.policy.weight_bits - 1)

    def rounded(self, numbers: np.ndarray, scale: np.ndarray, zero: np.ndarray) -> np.ndarray:
        """Numbers after quantization and dequantization."""
        return scale * (self._levels(numbers, scale, zero) - zero)

    def stored_matrix(self, matrix: np.ndarray, form: Form, scale: np.ndarray, zero: np.ndarray) -> dict[str, Any]:
        """The stored form of a matrix, given scales and zero points."""
        group = np.arange(len(matrix)) // self.group(form)
        integers = jnp.asarray(self._levels(matrix.T, scale[:, group], zero[:, group]).astype("uint8"))
        if self.policy.weight_bits == 4:
            integers = pack_int4(integers, 0, "uint8")[0]
        return {"quantized_{}": integers, "{}_scale": scale, "{}_zero": zero.astype("uint8"), "g_idx": group}

    def integers(self, stored: Stored, form: Form) -> jax.Array:
        """One to a byte."""
        return self._form(form).weight(self._unpacked(stored, form).T)

    def _unpacked(self, stored: Stored, form: Form) -> jax.Array:
        """The integers, (columns, rows)."""
        integers = stored["quantized_{}"]
        if self.policy.weight_bits != 4:
            return integers
        return unpack_int4(integers, self._form(form).columns, 0, "uint8")

    def _matrix(self, stored: Stored, form: Form) -> jax.Array:
        """The numbers, (columns, rows)."""
        scale, group = stored["{}_scale"], stored["g_idx"].astype("int32")
        zero = stored["{}_zero"].astype(scale.dtype)
        return (self._unpacked(stored, form).astype(scale.dtype) - zero[:, group]) * scale[:, group]

    def decoded(self, stored: Stored, form: Form) -> jax.Array:
        """Less the zero points, times the scales."""
        return self._form(form).weight(self._matrix(stored, form).T)


class Awq(Gptq):
    """Like GPTQ, after each row was multiplied by its own factor."""

    templates = ("quantized_{}", "{}_scale", "{}_zero", "awq_scales", "g_idx")

    def parts(self, form: Form) -> dict[str, Part]:
        """Those of GPTQ, and the factors of the rows."""
        return super().parts(form) | {"awq_scales": Part((self._form(form).rows,), None, "ones", True)}

    def encoded(self, weight: np.ndarray, form: Form, config: QuantizationConfig | None) -> dict[str, Any]:
        """Each number rounded independently, without row factors; `calibration` is more accurate."""
        return super().encoded(weight, form, config) | {"awq_scales": np.ones(self._form(form).rows)}

    def decoded(self, stored: Stored, form: Form) -> jax.Array:
        """Less the zero points, times the scales, divided by the row factors."""
        return self._form(form).weight((self._matrix(stored, form) / stored["awq_scales"]).T)


class Float8(Scheme):
    """The unquantized weight, rounded to 8 bits for each product, as are inputs and gradients."""

    templates = (
        "{}", "inputs_scale", "inputs_amax_history", "{}_scale", "{}_amax_history", "outputs_grad_scale",
        "outputs_grad_amax_history",
    )  # fmt: skip
    keeps_weight = True

    def parts(self, form: Form) -> dict[str, Part]:
        """Scales and histories, which the optimizer sets to their gradients."""
        length = self.policy.amax_history_length
        return {
            template: Part((length,) if template.endswith("history") else (), None, first, overwritten=True)
            for template, first in zip(self.templates[1:], ("ones", "zeros") * 3, strict=True)
        }

    def encoded(self, weight: np.ndarray, form: Form, config: QuantizationConfig | None) -> dict[str, Any]:
        """Nothing: the parts keep their initial values."""
        return {}

    def decoded(self, stored: Stored, form: Form) -> jax.Array:
        """The weight itself."""
        return stored["{}"]

    integers = decoded

    def product(
        self, multiply: Multiply, x: jax.Array, stored: Stored, form: Form, config: QuantizationConfig | None
    ) -> jax.Array:
        """Of rounded numbers, with a rounded gradient."""
        small = float8.rounded(x, stored["inputs_scale"], stored["inputs_amax_history"])
        weight = float8.rounded(stored["{}"].astype(x.dtype), stored["{}_scale"], stored["{}_amax_history"])
        result = multiply(small, weight)
        return float8.with_rounded_gradient(result, stored["outputs_grad_scale"], stored["outputs_grad_amax_history"])

    def bias(self, bias: jax.Array) -> jax.Array:
        """Rounded to 16 bits, as if a GPU fused it with the product."""
        return bias.astype("bfloat16").astype(bias.dtype)


SCHEMES: dict[str, type[Scheme]] = {"int8": Int8, "int4": GroupedInt4, "float8": Float8, "gptq": Gptq, "awq": Awq}


def scheme_of(policy: Any) -> Scheme | None:
    """The scheme of a dtype policy; None if weights are not quantized."""
    if policy.quantization_mode is None:
        return None
    whole_columns = policy.quantization_mode == "int4" and getattr(policy, "block_size", -1) == -1
    return Int4(policy) if whole_columns else SCHEMES[policy.quantization_mode](policy)
