"""Quantization configs: the quantizers of weights and activations, and the calibration data."""

from collections.abc import Iterable
from typing import Any, ClassVar

from cornu import validate
from cornu.core import policy
from cornu.core.configurable import Configurable, deserialize_keras_object
from cornu.core.typing import ConfigDict
from cornu.quantizers.quantizer import AbsMaxQuantizer, catalogue

__all__ = [
    "AWQConfig",
    "Float8QuantizationConfig",
    "GPTQConfig",
    "Int4QuantizationConfig",
    "Int8QuantizationConfig",
    "QuantizationConfig",
]


class QuantizationConfig(Configurable):
    """Base class: how weights and activations are quantized.

    Args:
        weight_quantizer: quantizer of weights; None uses the mode's default.
        activation_quantizer: quantizer of the activations; None does not quantize them.

    Example:

        class Rows(cornu.quantizers.QuantizationConfig):
            @property
            def mode(self):
                return "int8"
        print(Rows().mode)  # int8
    """

    _mode: ClassVar[str | None] = None

    def __init__(self, weight_quantizer: object = None, activation_quantizer: object = None):
        self.weight_quantizer = catalogue.get(weight_quantizer)
        self.activation_quantizer = catalogue.get(activation_quantizer)
        for role in ("weight_quantizer", "activation_quantizer"):
            quantizer = getattr(self, role)
            if getattr(quantizer, "output_dtype", "int8") != "int8":
                raise ValueError(
                    f"{type(self).__name__}: {role} must return integers of dtype 'int8'. "
                    f"Received: output_dtype={validate.shown(quantizer.output_dtype)}."
                )

    @property
    def mode(self) -> str:
        """The name of the mode, such as `"int8"`."""
        if self._mode is None:
            raise ValueError(
                f"{type(self).__name__} does not define a quantization mode: use Int8QuantizationConfig, ..."
            )
        return self._mode

    def dtype_policy_string(self) -> str:
        """The mode with its parameters, the prefix of a policy's name."""
        return self.mode

    @staticmethod
    def weight_quantizer_or_default(config: "QuantizationConfig | None", default: object) -> Any:
        """The config's quantizer of weights, or `default`."""
        return default if config is None or config.weight_quantizer is None else config.weight_quantizer

    @staticmethod
    def activation_quantizer_or_default(config: "QuantizationConfig | None", default: object) -> Any:
        """The config's quantizer of activations, or None if it has none; `default` without a config."""
        return default if config is None else config.activation_quantizer


class Int8QuantizationConfig(QuantizationConfig):
    """Weights and activations of 8 bits, multiplied as integers.

    Args:
        weight_quantizer: quantizer of weights; None uses one scale per output.
        activation_quantizer: quantizer of activations, `"default"` for one scale per row; None multiplies with
            floating-point activations.

    Example:

        model = cornu.Sequential([cornu.Input((4,)), cornu.layers.Dense(2)])
        model.quantize(config=cornu.quantizers.Int8QuantizationConfig(activation_quantizer=None))
    """

    _mode = "int8"

    def __init__(self, weight_quantizer: object = None, activation_quantizer: object = "default"):
        super().__init__(weight_quantizer, _or_none(activation_quantizer, AbsMaxQuantizer()))


class Int4QuantizationConfig(QuantizationConfig):
    """Weights of 4 bits.

    Args:
        weight_quantizer: quantizer of weights, for whole columns only; None uses the mode's default.
        activation_quantizer: quantizer of activations, for whole columns only; `"default"` uses none.
        block_size: number of rows of a column that share a scale and a zero point; None or -1 means all of them, with a
            scale only. Defaults to 128.

    Example:

        model = cornu.Sequential([cornu.Input((4,)), cornu.layers.Dense(2)])
        model.quantize(config=cornu.quantizers.Int4QuantizationConfig(block_size=2))
    """

    _mode = "int4"

    def __init__(
        self, weight_quantizer: object = None, activation_quantizer: object = "default", block_size: int | None = 128
    ):
        super().__init__(weight_quantizer, _or_none(activation_quantizer, None))
        if block_size not in (None, -1):
            validate.positive_int(block_size, "block_size", self)
            if self.weight_quantizer or self.activation_quantizer:
                raise ValueError(
                    "Int4QuantizationConfig: with blocks, the weight quantizer is fixed. Pass block_size=-1 for "
                    f"custom quantizers. Received: block_size={block_size}."
                )
        self.block_size = block_size

    def dtype_policy_string(self) -> str:
        """The mode with the block size."""
        return f"int4/{-1 if self.block_size is None else self.block_size}"


class Float8QuantizationConfig(QuantizationConfig):
    """Training and inference with 8-bit floating-point matrix products; there are no options.

    Example:

        model = cornu.Sequential([cornu.Input((4,)), cornu.layers.Dense(2)])
        model.quantize(config=cornu.quantizers.Float8QuantizationConfig())
        print(model.layers[0].quantization_mode)  # float8
    """

    _mode = "float8"

    def __init__(self) -> None:
        super().__init__()

    def get_config(self) -> ConfigDict:
        """An empty dictionary."""
        return {}


_IN_NO_FILE = ("dataset", "tokenizer", "quantization_layer_structure")


class _Calibrated(QuantizationConfig):
    """A config with calibration data; the data and the layers are not saved."""

    config_skip: tuple[str, ...] = _IN_NO_FILE
    group_size: int
    weight_bits: int

    def _set(self, **arguments: object) -> None:
        for name, value in arguments.items():
            setattr(self, name, value)
        for name in ("num_samples", "sequence_length"):
            validate.positive_int(getattr(self, name), name, self)
        policy.quantized(self.dtype_policy_string())  # rejects invalid parameters

    def dtype_policy_string(self) -> str:
        """The mode with its parameters, such as `"gptq/4/128"`."""
        return f"{self.mode}/{self.weight_bits}/{self.group_size}"

    def get_config(self) -> ConfigDict:
        """The parameters; None for data and layers."""
        return dict.fromkeys(_IN_NO_FILE) | super().get_config()


class GPTQConfig(_Calibrated):
    """Weights rounded row by row, each row compensating the errors of those before it (GPTQ).

    Args:
        dataset: calibration data: an iterable of token ids of shape (batch, time), or of strings.
        tokenizer: function from a string to its token ids; required for strings.
        weight_bits: bits per weight: 2, 3, 4 or 8. Defaults to 4.
        num_samples: number of calibration samples. Defaults to 128.
        per_channel: whether each column has its own scale; False uses a single one for the whole matrix.
        sequence_length: tokens per sample; longer texts are truncated. Defaults to 512.
        hessian_damping: value added to the Hessian's diagonal, as a fraction of its mean, from 0 to 1.
        group_size: number of rows of a column that share a scale; -1 means all. Defaults to 128.
        symmetric: whether the range is symmetric around 0. Defaults to False.
        activation_order: whether rows with large activations are rounded first. Defaults to False.
        quantization_layer_structure: dictionary with `"pre_block_layers"`, layers applied to the input first, and
            `"sequential_blocks"`, layers whose weights are rounded, in order. None calls the model's
            `get_quantization_layer_structure`.

    Frantar et al., 2022: GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers.

    Example:

        config = cornu.quantizers.GPTQConfig([np.ones((1, 8), int)], tokenizer=None, weight_bits=3)
        print(config.weight_bits, config.group_size)  # 3 128
    """

    _mode = "gptq"

    def __init__(
        self,
        dataset: Iterable[object] | None,
        tokenizer: object,
        *,
        weight_bits: int = 4,
        num_samples: int = 128,
        per_channel: bool = True,
        sequence_length: int = 512,
        hessian_damping: float = 0.01,
        group_size: int = 128,
        symmetric: bool = False,
        activation_order: bool = False,
        quantization_layer_structure: ConfigDict | None = None,
    ):
        super().__init__()
        self.hessian_damping = validate.fraction(hessian_damping, "hessian_damping", self)
        self.symmetric, self.activation_order, self.per_channel = symmetric, activation_order, per_channel
        self._set(
            dataset=dataset, tokenizer=tokenizer, weight_bits=weight_bits, num_samples=num_samples,
            sequence_length=sequence_length, group_size=group_size,
            quantization_layer_structure=quantization_layer_structure,
        )  # fmt: skip


class AWQConfig(_Calibrated):
    """Weights scaled up where activations are large, so that rounding affects those least (AWQ).

    Args:
        dataset: calibration data: an iterable of token ids of shape (batch, time), or of strings.
        tokenizer: function from a string to its token ids; required for strings.
        weight_bits: bits per weight: 4.
        num_samples: number of calibration samples. Defaults to 128.
        sequence_length: tokens per sample; longer texts are truncated. Defaults to 512.
        group_size: number of rows of a column that share a scale; -1 means all. Defaults to 128.
        num_grid_points: number of scaling strengths to try. Defaults to 20.
        quantization_layer_structure: as for `GPTQConfig`.

    Lin et al., 2023: AWQ: Activation-aware Weight Quantization for LLM Compression and Acceleration.

    Example:

        config = cornu.quantizers.AWQConfig([np.ones((1, 8), int)], tokenizer=None, group_size=64)
        print(config.weight_bits, config.group_size)  # 4 64
    """

    _mode = "awq"

    def __init__(
        self,
        dataset: Iterable[object] | None,
        tokenizer: object,
        *,
        weight_bits: int = 4,
        num_samples: int = 128,
        sequence_length: int = 512,
        group_size: int = 128,
        num_grid_points: int = 20,
        quantization_layer_structure: ConfigDict | None = None,
    ):
        super().__init__()
        self.num_grid_points = validate.positive_int(num_grid_points, "num_grid_points", self)
        self._set(
            dataset=dataset, tokenizer=tokenizer, weight_bits=weight_bits, num_samples=num_samples,
            sequence_length=sequence_length, group_size=group_size,
            quantization_layer_structure=quantization_layer_structure,
        )  # fmt: skip


def _or_none(given: object, default: object) -> Any:
    return default if isinstance(given, str) and given == "default" else given


_OF_MODES: dict[str, type[QuantizationConfig]] = {
    "int8": Int8QuantizationConfig,
    "int4": Int4QuantizationConfig,
    "float8": Float8QuantizationConfig,
    "gptq": GPTQConfig,
    "awq": AWQConfig,
}


def chosen(mode: Any, config: object, owner: object) -> QuantizationConfig:
    """The config given by `mode` and `config`, one or both.

    Args:
        mode: name of a mode; None uses that of the config.
        config: a config, its plain data, or None for the mode's default.
        owner: the layer or model to be quantized, for error messages.
    """
    config = config_of(config, owner)
    if config is None:
        name = validate.one_of(mode, tuple(_OF_MODES), "mode", owner)
        if name in ("gptq", "awq"):
            raise ValueError(
                f"{validate.describe(owner)}: mode={mode!r} needs calibration data. Pass "
                f"config={_OF_MODES[name].__name__}(dataset, tokenizer, ...)."
            )
        return _OF_MODES[name]()
    if mode not in (None, config.mode):
        raise ValueError(
            f"{validate.describe(owner)}: mode and config must agree. "
            f"Received: mode={validate.shown(mode)}, and a config of mode "
            f"{config.mode!r}."
        )
    return config


def config_of(value: object, owner: object) -> QuantizationConfig | None:
    """The config for a value: a config, its plain data or None."""
    found = deserialize_keras_object(value) if isinstance(value, dict) else value
    if found is not None and not isinstance(found, QuantizationConfig):
        raise ValueError(
            f"{validate.describe(owner)}: a quantization config must be a QuantizationConfig, such as "
            f"Int8QuantizationConfig(). Received: {value!r:.200}."
        )
    return found
