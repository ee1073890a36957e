"""A fully connected layer whose product is given by an einsum equation."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Unpack

import jax

from cornu import activations, constraints, initializers, regularizers, validate
from cornu.core.typing import (
    ActivationLike,
    AnyTuple,
    ConstraintLike,
    InitializerLike,
    NestedShapes,
    RegularizerLike,
    ShapeLike,
    Tensor,
)
from cornu.kernels import dense
from cornu.layers.input_spec import InputSpec
from cornu.layers.layer import Layer
from cornu.layers.options import LayerOptions
from cornu.layers.quantization import Quantizable
from cornu.quantizers.schemes import Form

__all__ = ["EinsumDense"]

_FORMS = 'equation must have the form "ab,bc->ac", "...ab,bc->...ac" or "ab...,bc->ac..."'


class Plan(NamedTuple):
    """The interpretation of an equation for one input shape."""

    equation: str  # as passed to jax.numpy.einsum
    kernel_shape: tuple[int, ...]
    bias_shape: tuple[int, ...] | None


def plan(equation: str, input_shape: ShapeLike, output_shape: ShapeLike, bias_axes: str | None, owner: object) -> Plan:
    """The shapes of the kernel and the bias.

    Args:
        equation: input, kernel and output subscripts.
        input_shape: shape of the input, batch included.
        output_shape: sizes of the output without the batch, None to use the input's size; with a leading `...` they
            apply to the last letters.
        bias_axes: letters of the output axes that have a bias; None for no bias.
        owner: the layer, for error messages.
    """
    source, weight, target, ellipsis = _parse(equation, owner)
    rank = len(input_shape)
    if len(source) > rank or (ellipsis is None and len(source) != rank):
        raise ValueError(
            f"{validate.describe(owner)}: the input of equation {equation!r} must have "
            f"{len(source)}{' or more' if ellipsis else ''} axes. Received: shape={tuple(input_shape)}."
        )
    sizes = dict(zip(source, input_shape[rank - len(source) :] if ellipsis == "left" else input_shape, strict=False))
    for letter, size in _named_outputs(target, output_shape, ellipsis, equation, owner).items():
        if letter in sizes and size is not None and sizes[letter] not in (size, None):
            raise ValueError(
                f"{validate.describe(owner)}: axis {letter!r} has size {sizes[letter]} in the input and {size} in "
                f"output_shape={tuple(output_shape)}. Use None to keep the input's size."
            )
        sizes[letter] = sizes.get(letter) if size is None else size
    unknown = [letter for letter in (*weight, *target) if letter not in sizes]
    if unknown:
        raise ValueError(
            f"{validate.describe(owner)}: axis {unknown[0]!r} of {equation!r} is neither in the input nor among the "
            "sizes in output_shape, so its size is unknown."
        )
    kernel_shape: AnyTuple = tuple(sizes[letter] for letter in weight)
    trailing = rank - len(source) if ellipsis == "right" else 0
    return Plan(equation, kernel_shape, _bias_shape(target, sizes, bias_axes, trailing, owner))


def _parse(equation: str, owner: object) -> tuple[str, str, str, str | None]:
    """Input, kernel and output letters, and the side of the ellipsis: "left", "right" or None."""
    parts = equation.replace(" ", "").replace("->", ",").split(",")
    well_formed = len(parts) == 3 and equation.count("->") == 1
    source, weight, target = parts if well_formed else ("", "", "")
    ellipsis = None
    if source.startswith("...") and target.startswith("..."):
        source, target, ellipsis = source[3:], target[3:], "left"
    elif source.endswith("...") and target.endswith("..."):
        source, target, ellipsis = source[:-3], target[:-3], "right"
    if not all(part.isalpha() for part in (source, weight, target)):
        raise ValueError(f"{validate.describe(owner)}: {_FORMS}. Received: equation={validate.shown(equation)}.")
    return source, weight, target, ellipsis


def _named_outputs(
    target: str, sizes: ShapeLike, ellipsis: str | None, equation: str, owner: object
) -> dict[str, int | None]:
    """The size given for each output letter except the batch."""
    letters = target if ellipsis == "left" else target[1:]
    if len(sizes) < len(letters) or (ellipsis is None and len(sizes) != len(letters)):
        raise ValueError(
            f"{validate.describe(owner)}: output_shape must have a size or None for each of the axes {letters!r} of "
            f"{equation!r}. Received: output_shape={tuple(sizes)}."
        )
    chosen = sizes[len(sizes) - len(letters) :] if ellipsis == "left" else sizes[: len(letters)]
    return dict(zip(letters, chosen, strict=True))


def _bias_shape(
    target: str, sizes: Mapping[str, int | None], bias_axes: str | None, trailing: int, owner: object
) -> AnyTuple | None:
    """Sizes along the bias axes, 1 between and after them, nothing before the first."""
    if not bias_axes:
        return None
    for letter in bias_axes:
        if letter not in target:
            raise ValueError(
                f"{validate.describe(owner)}: bias_axes must be letters of the output {target!r}. "
                f"Received: bias_axes={validate.shown(bias_axes)}."
            )
    first = min(target.index(letter) for letter in bias_axes)
    return tuple(sizes[letter] if letter in bias_axes else 1 for letter in target[first:]) + (1,) * trailing


class EinsumDense(Quantizable, Layer):
    """`activation(einsum(equation, inputs, kernel) + bias)`.

    Args:
        equation: subscripts of input, kernel and output, such as `"abc,cd->abd"`. Input and output may both begin, or
            both end, with `...` for axes that are left unchanged.
        output_shape: size or sizes of the output axes without the batch; None among them, as in `(None, 5)`, uses the
            input's size of that axis.
        activation: activation function, a name or a callable; None is linear.
        bias_axes: letters of the output axes that have a bias, such as `"d"`; None for no bias.
        kernel_initializer, bias_initializer: initializers of the weights. Default to `"glorot_uniform"` and `"zeros"`.
        kernel_regularizer, bias_regularizer: penalties on the weights, added to the loss. None by default.
        kernel_constraint, bias_constraint: constraints applied to the weights after each update. None by default.
        lora_rank: rank of a trainable low-rank update (LoRA) to the frozen kernel; None trains the kernel itself.
        lora_alpha: the update is scaled by `lora_alpha / lora_rank`; None uses `lora_rank`.
        gptq_unpacked_column_size: accepted for Keras's files with GPTQ-quantized kernels and ignored: the number of
            columns follows from the equation. None by default.
        quantization_config: how the weights are quantized, if the dtype policy says so; None uses the mode's default.

    Input shape:
        As in the first part of the equation.

    Output shape:
        As in the last part of the equation.

    Example:

        layer = cornu.layers.EinsumDense("abc,cd->abd", output_shape=(None, 5), bias_axes="d")
        print(layer(np.ones((2, 3, 4))).shape)  # (2, 3, 5)
    """

    pure_call = True
    beside = ("bias",)
    config_optional: tuple[str, ...] = ("lora_rank", "lora_alpha", "gptq_unpacked_column_size")

    def __init__(
        self,
        equation: str,
        output_shape: int | Sequence[int | None],
        activation: ActivationLike | None = None,
        bias_axes: str | None = None,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike | None = None,
        bias_regularizer: RegularizerLike | None = None,
        kernel_constraint: ConstraintLike | None = None,
        bias_constraint: ConstraintLike | None = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        gptq_unpacked_column_size: int | None = None,
        quantization_config: object = None,
        **kwargs: Unpack[LayerOptions],
    ):
        super().__init__(**kwargs)
        _parse(equation, self)
        self.equation = equation
        if output_shape is None:
            raise TypeError(
                f"{validate.describe(self)}: output_shape must be a size, or a tuple with a size or None for each "
                "output axis without the batch, such as (None, 5). Received: output_shape=None."
            )
        self.output_shape = validate.one_or_several(output_shape)
        self.activation = activations.get(activation)
        self.bias_axes = bias_axes
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.gptq_unpacked_column_size = gptq_unpacked_column_size
        self._init_quantization(quantization_config)
        self._init_lora(lora_rank, lora_alpha)

    @property
    def rowwise(self) -> bool:  # type: ignore[override]  # what the equation says, and nothing to be set
        """Whether the first input axis is also the first output axis."""
        source, weight, target, ellipsis = _parse(self.equation, self)
        return ellipsis == "left" or (source[:1] == target[:1] and source[:1] not in weight)

    @property
    def kernel(self) -> Tensor:
        """The weights, including any low-rank update; None before `build`."""
        return self._adapted_weight()

    def build(self, input_shape: NestedShapes) -> None:
        """Create the kernel and bias for inputs of this shape."""
        shapes = plan(self.equation, input_shape, self.output_shape, self.bias_axes, self)
        self._add_multiplied(self._form(shapes.kernel_shape, len(input_shape)), self._scaled_initializer())
        self.bias = None
        if shapes.bias_shape is not None:
            self.bias = self.add_weight(
                shapes.bias_shape, self.bias_initializer, name="bias",
                regularizer=self.bias_regularizer, constraint=self.bias_constraint,
            )  # fmt: skip
        self.input_spec = InputSpec(ndim=len(input_shape))
        self._start_lora()

    def _scaled_initializer(self) -> Any:
        """The kernel's initializer, with the summed kernel axes as inputs and the others as outputs."""
        initializer = self.kernel_initializer
        if not isinstance(initializer, initializers.VarianceScaling) or initializer.input_axes is not None:
            return initializer
        _, weight, target, _ = _parse(self.equation, self)
        axes = range(len(weight))
        return initializer.over(
            [axis for axis in axes if weight[axis] not in target], [axis for axis in axes if weight[axis] in target]
        )

    def _form(self, shape: tuple[int, ...], rank: int) -> Form:
        """The plan of the equation, for inputs with this many axes."""
        source, weight, target, ellipsis = _parse(self.equation, self)
        kept = tuple(weight.index(letter) for letter in target if letter in weight)
        scales = [shape[weight.index(letter)] if letter in weight else 1 for letter in target]
        others = [1] * (rank - len(source))
        summed = dict.fromkeys(letter for letter in weight + source if letter in source and letter not in target)
        rows = math.prod(shape[axis] for axis, letter in enumerate(weight) if letter not in target)
        before = rank - len(source) if ellipsis == "left" else 0
        return Form(
            "kernel", shape, kept, tuple(others + scales if ellipsis == "left" else scales + others), rows,
            summed_inputs=tuple(before + source.index(letter) for letter in summed),
            ends=ellipsis != "right" and weight[-1] == target[-1],
        )  # fmt: skip

    def _multiply(self, x: jax.Array, weight: jax.Array) -> jax.Array:
        return dense.einsum(self.equation, x, weight)

    def call(self, inputs: jax.Array, training: bool | None = None) -> jax.Array:
        """`activation(einsum(equation, inputs, kernel) + bias)`."""
        return activations.get(self.activation)(self._biased(self._product(inputs), self.bias))
