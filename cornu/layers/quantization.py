"""Layers whose large weights can be quantized.

In `build`, a layer registers the weights it multiplies with (`_add_multiplied`), and `_multiply` defines the product.
Whether a weight is stored as created or as the integers of a scheme (`cornu/quantizers/schemes.py`), what the product
is then, and what files contain, is defined here once for all of them.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import numpy as np

from cornu import registry, validate
from cornu.core import parts, policy
from cornu.core.configurable import deserialize_keras_object, serialize_keras_object
from cornu.core.typing import Config, ConfigDict, InitializerLike, Tensor
from cornu.core.variable import Variable
from cornu.kernels import dense
from cornu.layers.lora import LowRankAdaptation
from cornu.quantizers import configs, schemes
from cornu.quantizers.schemes import Form, Scheme


class Quantizable(LowRankAdaptation):
    """Inherited, besides `Layer`, by layers with large weights, to provide `quantize` and `enable_lora`.

    The layer has the constructor argument `quantization_config`, defines `_multiply(x, weight)`, creates the weights
    that it multiplies with using `_add_multiplied`, the adapted one first, and computes their products with `_product`.
    """

    quantization_modes: ClassVar[tuple[str, ...]] = policy.QUANTIZATION_MODES
    beside: ClassVar[tuple[str, ...]] = ()  # the other variables in files
    product_casts_kernel = False  # whether `_multiply` casts the weight itself, if that is faster
    _forms: tuple[Form, ...] = ()
    _scheme: Scheme | None = None
    # Provided by `Layer`.
    _dtype_policy: Any
    _own_dtype_policy: Any

    def _init_quantization(self, config: object) -> None:
        """Store the constructor's argument."""
        self.quantization_config = configs.config_of(config, self)

    def _multiply(self, x: jax.Array, weight: jax.Array) -> jax.Array:
        """The product, linear in both, also of 8-bit integers."""
        raise TypeError(f"{validate.describe(self)} must define _multiply(x, weight).")

    # ------------------------------------------------------------ variables

    def _add_multiplied(self, form: Form, initializer: InitializerLike) -> None:
        """Create the variables that the policy requires for a weight; called by `build` for each."""
        scheme = self._checked_scheme(self._own_dtype_policy)
        if scheme is None or scheme.keeps_weight:
            weight = self.add_weight(
                form.shape, initializer, name=form.name,
                regularizer=getattr(self, f"{form.name}_regularizer", None),
                constraint=getattr(self, f"{form.name}_constraint", None),
            )  # fmt: skip
            setattr(self, self._attribute("{}", form), weight)
        self._forms = (*self._forms, form)
        self._scheme = scheme
        self._add_parts(form, {})

    def _checked_scheme(self, wanted: Any) -> Scheme | None:
        scheme = schemes.scheme_of(wanted)
        if scheme is not None and wanted.quantization_mode not in self.quantization_modes:
            raise ValueError(
                f"{validate.describe(self)}: its weights can be quantized as {', '.join(self.quantization_modes)}. "
                f"Received: {validate.shown(wanted.quantization_mode)}."
            )
        return scheme

    def _add_parts(self, form: Form, values: Mapping[str, Any]) -> None:
        """The scheme's variables for a weight, with values if there are any."""
        for template, part in (self._scheme.parts(form) if self._scheme else {}).items():
            attribute = self._attribute(template, form)
            if attribute in self.__dict__:  # shared by several weights
                continue
            variable = self.add_weight(
                part.shape, part.first, part.dtype, part.overwritten, part.cast,
                overwrite_with_gradient=part.overwritten, name=attribute.removeprefix("_").removeprefix("quantized_"),
            )  # fmt: skip
            if template in values:
                variable.assign(np.asarray(values[template]))
            setattr(self, attribute, variable)

    def _attribute(self, template: str, form: Form) -> str:
        """The name of the attribute for a part."""
        hidden = template == "{}" and form.name == self.adapted
        return ("_" if hidden else "") + template.format(form.name)

    def _variables_of(self, form: Form) -> dict[str, Variable]:
        """The variables that represent a weight, by their templates."""
        templates = self._scheme.templates if self._scheme else ("{}",)
        found = {template: self.__dict__.get(self._attribute(template, form)) for template in templates}
        return {template: variable for template, variable in found.items() if variable is not None}

    def _stored(self, form: Form) -> dict[str, Any]:
        return {template: variable.value for template, variable in self._variables_of(form).items()}

    # ------------------------------------------------------------ computing

    def _product(self, x: jax.Array, number: int = 0) -> jax.Array:
        """The product of `x` and one of the weights, including its low-rank update."""
        if self._scheme is None and number == 0:
            return self._multiply(x, self._effective(x if self.product_casts_kernel else None))
        form = self._forms[number]
        if self._scheme is None:
            return self._multiply(x, getattr(self, form.name).value)
        result = self._scheme.product(self._multiply, x, self._stored(form), form, self.quantization_config)
        if not self.lora_enabled or number:
            return result
        a, b = self._factors()
        low = self._multiply(x, a.value) @ b.value if form.ends else self._multiply(x, a.value @ b.value)
        return result + self._lora_scale() * low

    def _biased(self, x: jax.Array, bias: Variable | None) -> jax.Array:
        """`x + bias`, if there is a bias."""
        if bias is None:
            return x
        return dense.biased(x, bias.value if self._scheme is None else self._scheme.bias(bias.value))

    def _adapted_weight(self) -> Any:
        """The kernel's variable, the sum of kernel and low-rank update, or the quantized integers."""
        form = self._forms[0] if self._forms else None
        if form is None or self._scheme is None or self._scheme.keeps_weight:
            return super()._adapted_weight()
        if self.lora_enabled:
            return self._sum()
        if self._scheme.one_to_a_byte:
            return self._variables_of(form)["{}"]
        return self._scheme.integers(self._stored(form), form)

    def _sum(self) -> jax.Array:
        if self._scheme is None:
            return super()._sum()
        form = self._forms[0]
        return self._scheme.decoded(self._stored(form), form) + self._correction()

    def _large_variables(self) -> list[Variable]:
        return [
            variable for variable in self._variables_of(self._forms[0]).values() if not variable.overwrite_with_gradient
        ]

    def _adapted_shape(self) -> tuple[int, ...] | None:
        return self._forms[0].shape if self._forms else None

    def enable_lora(self, rank: int, *args: Any, **kwargs: Any) -> None:
        """Freeze the kernel, quantized or not, and train a low-rank update to it instead."""
        if self._scheme is not None and not self._scheme.takes_lora:
            raise ValueError(
                f"{validate.describe(self)}: a low-rank update cannot be merged into weights that were calibrated on "
                "data. Quantize to int8 or int4 instead."
            )
        super().enable_lora(rank, *args, **kwargs)

    # ------------------------------------------------------------ quantizing

    def quantize(self, mode: object = None, type_check: bool = True, config: object = None) -> None:
        """Quantize the large weights.

        Args:
            mode: `"int8"`, `"int4"` or `"float8"`; None uses that of `config`.
            type_check: whether to reject subclasses of this class, whose `call` may do more than multiply. Defaults to
            True.
            config: a `QuantizationConfig` with further settings; None uses the mode's defaults.

        Example:

            layer = cornu.layers.Dense(2)
            layer.build((None, 4))
            layer.quantize("int8")
            print(layer.kernel.dtype)  # int8
        """
        config = configs.chosen(mode, config, self)
        self.check_quantizable(type_check)
        wanted = policy.quantized(config.dtype_policy_string(), self._own_dtype_policy.name)
        scheme = self._checked_scheme(wanted)
        self._replace_weights(wanted, scheme, config)

    def check_quantizable(self, type_check: bool = True) -> None:
        """Reject a layer that is not built, is already quantized, or belongs to a class that may compute
        differently."""
        owner = validate.describe(self)
        if type_check and not registry.is_builtin(type(self)):
            raise ValueError(
                f"{owner}: the class {type(self).__name__} may do more with its weights than multiply with them. "
                "Pass type_check=False if it does not."
            )
        if not self.built:
            raise ValueError(f"{owner} has no weights to quantize yet. Call build(input_shape), or call the layer.")
        if self._scheme is not None:
            raise ValueError(f"{owner} is already quantized, by the dtype policy {self._own_dtype_policy.name!r}.")

    def _replace_weights(self, wanted: Any, scheme: Any, config: Any, empty: bool = False) -> None:
        """Replace the weights by their quantized form, or by variables whose values are yet to be loaded."""
        weights = [(form, self._variables_of(form)["{}"]) for form in self._forms]
        made = [(form, {} if empty else scheme.encoded(weight.numpy(), form, config)) for form, weight in weights]
        with self._growing():
            for form in self._forms if not scheme.keeps_weight else ():
                delattr(self, self._attribute("{}", form))
            self._scheme, self._dtype_policy = scheme, wanted
            self.quantization_config = config and type(config).from_config(config.get_config())  # without the data
            for form, values in made:
                self._add_parts(form, values)

    def set_stored(self, values: Mapping[str, Any]) -> None:
        """Set the parts of the adapted weight, as found by `calibration`."""
        variables = self._variables_of(self._forms[0])
        for template, value in values.items():
            variables[template].assign(np.asarray(value))

    # ------------------------------------------------------------ files

    @property
    def variable_serialization_spec(self) -> dict[str | None, list[str]]:
        """The names of the variables in files, in order, for each mode; None is the unquantized mode."""
        templates = {None: ("{}",)} | {mode: schemes.SCHEMES[mode].templates for mode in self.quantization_modes}
        return {mode: self._names_in_order(of_mode) for mode, of_mode in templates.items()}

    def _names_in_order(self, templates: tuple[str, ...]) -> list[str]:
        names = [form.name for form in self._forms] or [self.adapted]
        each = [template.format(name) for name in names for template in templates]
        first = [name for name in each if name == self.adapted]
        return list(dict.fromkeys((*first, *self.beside, *each)))

    def _saved_variables(self) -> list[Variable]:
        """The variables in files: those of the mode in order, then those created by a subclass."""
        names = self.variable_serialization_spec[self._own_dtype_policy.quantization_mode if self._scheme else None]
        found = [self.__dict__.get(f"_{name}", self.__dict__.get(name)) for name in names]
        named = [variable for variable in found if variable is not None]
        known = {id(v) for v in (*named, *(self._factors() if self.lora_enabled else ()))}
        return named + [v for v in self._own_variables() if id(v) not in known]

    def save_own_variables(self, store: dict[str, Tensor]) -> None:
        """Save the layer's own weights in `store`, with the low-rank update added to the kernel."""
        saved = self._saved_variables()
        values = {id(variable): variable.numpy() for variable in saved}
        if self.lora_enabled:
            form = self._forms[0]
            merged = np.asarray(self._sum())
            new = (
                {"{}": merged}
                if self._scheme is None
                else {"{}": merged} | self._scheme.encoded(merged, form, self.quantization_config)
            )
            values |= {
                id(variable): np.asarray(new[t], variable.dtype)
                for t, variable in self._variables_of(form).items()
                if t in new
            }
        store.update({str(index): values[id(variable)] for index, variable in enumerate(saved)})


# ---------------------------------------------------------------- nested layers

# A layer that creates others in its constructor creates them unquantized; their later quantization is saved together
# with the shapes that it was built with.


def of_parts(layer: object) -> ConfigDict:
    """The quantization of the layers within a layer, by their paths in it, as plain data."""
    return {
        path: {"dtype": serialize_keras_object(part._own_dtype_policy), "config": serialize_keras_object(config)}
        for path, part in parts.walk(layer)
        if part is not layer and getattr(part, "_scheme", None) is not None
        for config in (part.quantization_config,)
    }


def restore_parts(layer: object, described: Config) -> None:
    """Quantize the layers within a layer as `of_parts` returned, with values yet to be loaded."""
    found = dict(parts.walk(layer))
    for path, said in described.items():
        part = found.get(path)
        if not isinstance(part, Quantizable) or not part.built:
            raise ValueError(
                f"{validate.describe(layer)}: the config has a quantized layer at {path!r:.100}, which does not exist."
            )
        wanted = policy.get(said["dtype"])
        if part._scheme is None and wanted.quantization_mode is not None:
            config = configs.config_of(deserialize_keras_object(said["config"]), part)
            part._replace_weights(wanted, part._checked_scheme(wanted), config, empty=True)
