"""Models written in JAX or Flax as layers: their parameters and state become variables.

A JAX model is a function of its parameters and inputs. The names of its other arguments determine whether it has state,
uses random numbers or distinguishes training from inference.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Unpack

import jax
import jax.numpy as jnp

from cornu import validate
from cornu.core.configurable import deserialize_keras_object, serialize_keras_object
from cornu.core.typing import AnyFunction, AnyTuple, Config, ConfigDict, Nested, NestedShapes, Tensor
from cornu.core.variable import Variable
from cornu.layers.layer import Layer
from cornu.layers.options import LayerOptions
from cornu.random.seed_generator import SeedLike, generator_of, given_seed
from cornu.registry import custom_objects_in_scope

_CALL = {"params", "state", "rng", "inputs", "training"}
_INIT = {"rng", "inputs", "training"}


class JaxLayer(Layer):
    """A layer that calls a JAX function and stores its parameters as weights.

    `call_fn` receives those of the following that it has as arguments: `params`; `state`, the non-trainable values, in
    which case it must return `(outputs, new_state)`; `rng`, a key; `inputs`, a structure of tensors; `training`, a
    bool. `init_fn` receives `rng`, `inputs` (zeros of the shape of the first inputs, with one row if the batch size is
    unknown) and `training=True`, and returns `params`, or `(params, state)`.

    Args:
        call_fn: the computation of the layer. It must have the arguments `params` and `inputs`.
        init_fn: creates `params` and `state`. None by default, if they are given.
        params: the initial parameters, a structure of arrays. None by default, to call `init_fn`.
        state: the initial state, likewise. None by default.
        seed: int or SeedGenerator for `rng`. None by default.
        native_serialization_platforms: used by Keras on TensorFlow; ignored on JAX. None by default.

    Input shape:
        Any that `call_fn` accepts; also dictionaries and lists of tensors.

    Output shape:
        The result of `call_fn`.

    https://keras.io/api/layers/backend_specific_layers/jax_layer/

    Example:

        def start(rng, inputs):
            return {"scale": np.ones(inputs.shape[-1])}

        layer = cornu.layers.JaxLayer(lambda params, inputs: params["scale"] * inputs, start)
        print(layer(np.ones((2, 3))), len(layer.trainable_weights))
    """

    pure_call = rowwise = False  # nothing is known about the function

    def __init__(
        self,
        call_fn: AnyFunction,
        init_fn: AnyFunction | None = None,
        params: Nested = None,
        state: Nested = None,
        seed: SeedLike = None,
        native_serialization_platforms: Sequence[str] | None = None,
        **kwargs: Unpack[LayerOptions],
    ):
        super().__init__(**kwargs)
        self.call_fn = call_fn
        self.init_fn = init_fn
        self.seed = given_seed(seed, self)
        self.native_serialization_platforms = native_serialization_platforms
        self._call_names = self._names(call_fn, "call_fn", _CALL, {"params", "inputs"})
        self._init_names = frozenset() if init_fn is None else self._names(init_fn, "init_fn", _INIT, set())
        if init_fn is None and params is None and state is None:
            raise ValueError(f"{validate.describe(self)}: either init_fn, or params and state, must be given.")
        if state is not None and "state" not in self._call_names:
            raise ValueError(f"{validate.describe(self)}: call_fn has no argument `state`, so state must be None.")
        self._given = (params, state)
        self.seed_generator = generator_of(self.seed) if "rng" in self._call_names else None
        self._trees: dict[str, Any] = {}  # the structures of params and state
        if params is not None or state is not None:
            self._keep(params, state)
            self.built = True

    def _names(self, fn: Callable[..., object], role: str, known: set[str], needed: set[str]) -> frozenset[str]:
        """Which of the known arguments a function has."""
        parameters = inspect.signature(fn).parameters.values()
        names = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
        must = {p.name for p in parameters if p.default is p.empty and p.name in names}
        if not needed <= names or not must <= known:
            raise ValueError(
                f"{validate.describe(self)}: {role} must have arguments named {', '.join(sorted(needed)) or 'as'} "
                f"among {', '.join(sorted(known))}, and no others. Received: {', '.join(sorted(names))}."
            )
        return frozenset(names & known)

    def build(self, input_shape: NestedShapes) -> None:
        """Call `init_fn` for the parameters and the state."""
        rng = (self.seed_generator or generator_of(self.seed)).next()
        shapes, structure = jax.tree_util.tree_flatten(input_shape, is_leaf=_is_shape)
        zeros = [jnp.zeros([size or 1 for size in shape], self.compute_dtype) for shape in shapes]
        given = {"rng": rng, "inputs": jax.tree_util.tree_unflatten(structure, zeros), "training": True}
        made = self.init_fn(**{name: given[name] for name in self._init_names})  # type: ignore[misc]
        if "state" not in self._call_names:
            self._keep(made, None)
        elif isinstance(made, tuple) and len(made) == 2:
            self._keep(*made)
        else:
            raise ValueError(
                f"{validate.describe(self)}: init_fn must return (params, state), since call_fn has an argument "
                f"`state`. Received: {type(made).__name__}."
            )

    def _keep(self, params: Nested, state: Nested) -> None:
        for kind, values, trainable in (("params", params, True), ("state", state, False)):
            leaves, self._trees[kind] = jax.tree_util.tree_flatten_with_path(values)
            weights = [self._weight(kind, path, leaf, trainable) for path, leaf in leaves]
            setattr(self, f"{kind}_variables", weights)

    def _weight(self, kind: str, path: AnyTuple, value: Nested, trainable: bool) -> Variable:
        array = jnp.asarray(value)
        words = [str(getattr(key, "key", getattr(key, "idx", getattr(key, "name", key)))) for key in path]
        return self.add_weight(
            array.shape,
            lambda shape, dtype=None: array,
            dtype=array.dtype.name,
            trainable=trainable and bool(jnp.issubdtype(array.dtype, jnp.inexact)),
            name="_".join([kind, *words]).replace("/", "_"),
        )

    @property
    def params(self) -> Nested:
        """The current parameters, in their structure; None before the layer is built."""
        return self._values("params")

    @property
    def state(self) -> Nested:
        """The current state, in its structure; None before the layer is built."""
        return self._values("state")

    def _values(self, kind: str) -> Nested:
        if kind not in self._trees:
            return None
        values = [variable.value for variable in getattr(self, f"{kind}_variables")]
        return jax.tree_util.tree_unflatten(self._trees[kind], values)

    def call(self, inputs: Nested, training: bool = False) -> Nested:
        """The result of `call_fn`."""
        given = {"params": self.params, "state": self.state, "inputs": inputs, "training": bool(training)}
        if self.seed_generator is not None:
            given["rng"] = self.seed_generator.next()
        result = self.call_fn(**{name: given[name] for name in self._call_names})
        if "state" not in self._call_names:
            return result
        outputs, state = result
        leaves, structure = jax.tree_util.tree_flatten(state)
        if structure != self._trees["state"]:
            raise ValueError(
                f"{validate.describe(self)}: the new state must have the structure of the old one, "
                f"{self._trees['state']}. Received: {structure}."
            )
        for variable, value in zip(self.state_variables, leaves, strict=True):
            variable.assign(value)
        return outputs

    state_variables: list[Variable]
    params_variables: list[Variable]

    def get_config(self) -> ConfigDict:
        """The constructor's arguments; `params` and `state` only if there is no `init_fn` to create them."""
        config = _base_config(self)
        names = ("call_fn", "init_fn", "seed", "native_serialization_platforms")
        config |= {name: serialize_keras_object(getattr(self, name)) for name in names}
        values = (None, None) if self.init_fn is not None else self._given
        return config | {
            name: serialize_keras_object(value) for name, value in zip(("params", "state"), values, strict=True)
        }

    @classmethod
    def from_config(cls, config: Config) -> "JaxLayer":
        """A layer of the functions in the config, which must be registered.

        Raises:
            ValueError: for functions that are not registered, including cornu's own: a file could name any of them.
        """
        made = {key: deserialize_keras_object(value) for key, value in config.items()}
        known = custom_objects_in_scope().values()
        for name in ("call_fn", "init_fn", "method"):
            if callable(made.get(name)) and not any(made[name] is one for one in known):
                raise ValueError(
                    f"{cls.__name__}: {name} is {config[name]!r:.200}, which is not registered. Decorate the function "
                    "with "
                    "@cornu.saving.register_keras_serializable(), or pass custom_objects."
                )
        return cls(**made)


def _base_config(layer: Layer) -> ConfigDict:
    return {
        "name": layer.name,
        "trainable": layer.trainable,
        "dtype": serialize_keras_object(layer.dtype_policy),
    }


def _is_shape(value: object) -> bool:
    return isinstance(value, tuple) and all(size is None or isinstance(size, int) for size in value)


class FlaxLayer(JaxLayer):
    """A layer that calls a Flax module (`flax.linen`) and stores its variables.

    The module's method must have an argument `inputs`, and may have `training`. Variable collections other than
    "params" become the layer's state. Random numbers come from the layer's own generator.

    Args:
        module: a `flax.linen.Module`.
        method: the method to call, or a function `(module, inputs)`. None by default, for `__call__`.
        variables: the initial variables by collection, as returned by `module.init`. None by default, to call it.

    Input shape:
        Any that the module accepts; also dictionaries and lists of tensors.

    Output shape:
        The result of the module.

    https://keras.io/api/layers/backend_specific_layers/flax_layer/

    Example:

        from flax import linen

        class Net(linen.Module):
            @linen.compact
            def __call__(self, inputs):
                return linen.Dense(2)(inputs)

        print(cornu.layers.FlaxLayer(Net())(np.ones((1, 3))).shape)  # (1, 2)
    """

    def __init__(self, module: Any, method: Any = None, variables: Nested = None, **kwargs: Any):
        state = None if variables is None else {key: value for key, value in variables.items() if key != "params"}
        params = None if variables is None else variables.get("params", {})
        super().__init__(self._apply, self._init, params, state, **kwargs)
        validate.optional_import("flax.linen", purpose="FlaxLayer", extra="flax")
        self._with_mode = "training" in inspect.signature(method or module.__call__).parameters
        self.module, self.method = module, method

    def _mode(self, training: bool) -> dict[str, bool]:
        return {"training": training} if self._with_mode else {}

    def _apply(
        self, params: Nested, state: Nested, rng: Tensor, inputs: Nested, training: bool
    ) -> tuple[Nested, Nested]:
        flax = validate.optional_import("flax.core", purpose="FlaxLayer", extra="flax")
        outputs, changed = self.module.apply(
            {"params": params, **state},
            inputs,
            **self._mode(training),
            rngs=rng,
            method=self.method,
            mutable=flax.DenyList(["params"]),
        )
        return outputs, {**state, **changed}

    def _init(self, rng: Tensor, inputs: Nested) -> tuple[Nested, Nested]:
        variables = dict(self.module.init(rng, inputs, **self._mode(True), method=self.method))
        return variables.pop("params", {}), variables

    def get_config(self) -> ConfigDict:
        """The constructor's arguments; a module can be serialized only if its class is registered."""
        rest = {name: serialize_keras_object(getattr(self, name)) for name in ("module", "method")}
        return {**_base_config(self), **rest}


__all__ = ["FlaxLayer", "JaxLayer"]
