"""The fully connected layer."""

from typing import Unpack

import jax

from cornu import activations, constraints, initializers, regularizers, validate
from cornu.core.typing import ActivationLike, ConstraintLike, InitializerLike, NestedShapes, RegularizerLike, Tensor
from cornu.kernels import dense
from cornu.layers.input_spec import InputSpec
from cornu.layers.layer import Layer
from cornu.layers.options import NamedOptions
from cornu.layers.quantization import Quantizable
from cornu.quantizers.schemes import Form

__all__ = ["Dense"]


class Dense(Quantizable, Layer):
    """Fully connected layer: `activation(inputs @ kernel + bias)`.

    Args:
        units: size of the output, a positive int.
        activation: activation function, a name or a callable; None is linear.
        use_bias: whether to add a bias. Defaults to True.
        kernel_initializer, bias_initializer: initializers of the weights. Default to `"glorot_uniform"` and `"zeros"`.
        kernel_regularizer, bias_regularizer: penalties on the weights, added to the loss. None by default.
        activity_regularizer: penalty on the output. None by default.
        kernel_constraint, bias_constraint: constraints applied to the weights after each update. None by default.
        lora_rank: rank of a trainable low-rank update (LoRA) to the frozen kernel; None trains the kernel itself.
        lora_alpha: the update is scaled by `lora_alpha / lora_rank`; None uses `lora_rank`.
        quantization_config: how the weights are quantized, if the dtype policy says so; None uses the mode's default.

    Input shape:
        `(batch, ..., features)`.

    Output shape:
        `(batch, ..., units)`.

    Example:

        layer = cornu.layers.Dense(2, activation="relu")
        print(layer(np.ones((4, 3))).shape)  # (4, 2)
    """

    pure_call = rowwise = True
    beside = ("bias",)
    product_casts_kernel = True

    def __init__(
        self,
        units: int,
        activation: ActivationLike | None = None,
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike | None = None,
        bias_regularizer: RegularizerLike | None = None,
        activity_regularizer: RegularizerLike | None = None,
        kernel_constraint: ConstraintLike | None = None,
        bias_constraint: ConstraintLike | None = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: object = None,
        **kwargs: Unpack[NamedOptions],
    ):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.units = validate.positive_int(units, "units", self)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self._init_quantization(quantization_config)
        self._init_lora(lora_rank, lora_alpha)
        self.input_spec = InputSpec(min_ndim=2)
        self.supports_masking = True

    @property
    def kernel(self) -> Tensor:
        """The weights of shape (features, units), including any low-rank update; None before `build`."""
        return self._adapted_weight()

    def build(self, input_shape: NestedShapes) -> None:
        """Create the kernel and bias for inputs of this shape."""
        features = input_shape[-1]
        form = Form("kernel", (features, self.units), kept=(1,), scale_shape=(self.units,), rows=features)
        self._add_multiplied(form, self.kernel_initializer)
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                (self.units,), self.bias_initializer, name="bias",
                regularizer=self.bias_regularizer, constraint=self.bias_constraint,
            )  # fmt: skip
        self.input_spec = InputSpec(min_ndim=2, axes={-1: features})
        self._start_lora()

    def _multiply(self, x: jax.Array, weight: jax.Array) -> jax.Array:
        return dense.product(x, weight)

    def call(self, inputs: jax.Array, training: bool | None = None) -> jax.Array:
        """`activation(inputs @ kernel + bias)`."""
        return activations.get(self.activation)(self._biased(self._product(inputs), self.bias))
