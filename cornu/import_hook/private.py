"""The parts of `keras.src` that libraries use.

Keras's internal modules are private, but well-known libraries import from them. Most of these names are also public
(`keras.src.layers.core.dense.Dense` is `keras.layers.Dense`), so a module below `keras.src` has the public names of its
namespace, whatever its path is. A few additional private names are listed here. Everything else raises an explanatory
error.
"""

import importlib
from functools import cache
from types import ModuleType
from typing import Any

import cornu

ROOT = "keras.src"

# Packages and modules of Keras that are not named after something public.
_MODULES = frozenset("""
    activations adapters base_conv base_conv_transpose base_depthwise_conv base_global_pooling base_merge
    base_optimizer base_pooling base_rnn base_separable_conv backend_utils common convolutional core data_adapter_utils
    data_adapters distribution_lib dropout_rnn_cell dtypes file_utils functional global_state image_preprocessing
    image_utils input_layer io_utils keras_saveable learning_rate_schedule merging model_visualization naming
    normalization numerical_utils object_registration operation_utils pooling progbar py_dataset_adapter python_utils
    regularization reshaping rng_utils rnn saving_api saving_lib sequence_utils serialization_lib tracking
    traceback_utils trainer trainers tree_api variables
    """.split())  # fmt: skip  # noqa: SIM905

# Private names that libraries use, and their location in cornu.
_NAMES = {
    "BaseConvTranspose": "layers.conv:_ConvTranspose",
    "BaseDepthwiseConv": "layers.conv:_DepthwiseConv",
    "BaseGlobalPooling": "layers.pool:_GlobalPooling",
    "BasePooling": "layers.pool:_Pooling",
    "BaseSeparableConv": "layers.conv:_SeparableConv",
    "Functional": "models:Functional",
    "LossFunctionWrapper": "losses.loss:LossFunctionWrapper",
    "Merge": "layers.merge:_Joining",
    "_build_attention_equation": "layers.multi_head_attention:attention_equations",
    "any_symbolic_tensors": "core.symbolic:any_symbolic",
    "compute_output_spec": "core.symbolic:output_spec",
    "get_keras_mask": "core.masks:get_mask",
    "set_keras_mask": "core.masks:set_mask",
    "load_weights_only": "saving:load_weights",
    "save_weights_only": "saving:save_weights",
    "saving_lib.load_model": "import_hook.private_functions:load_model",
    "saving_lib.save_model": "import_hook.private_functions:save_model",
    "snake_case": "core.operation:snake_case",
}

# Where names missing from the namespace itself are looked up.
_FURTHER = {"backend": ("ops",), "utils": ("ops", "saving", "tree"), "trainers": ("utils",), "legacy": ("saving",)}


class Private(ModuleType):
    """A module below `keras.src`."""

    def __init__(self, name: str):
        super().__init__(name, "Names of Keras's internal modules that cornu provides.")
        self.__path__: list[str] = []
        self._namespaces = _namespaces(name)

    @property
    def __all__(self) -> list[str]:
        """The public names, for `import *`."""
        return list(self._namespaces[0].__all__)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        place = _NAMES.get(f"{self.__name__.split('.')[-1]}.{name}", _NAMES.get(name))
        if place is not None:
            module, _, attribute = place.partition(":")
            return getattr(importlib.import_module(f"cornu.{module}"), attribute)
        own = importlib.import_module("cornu.import_hook.private_functions")  # a lazy import, since it loads JAX
        if name in own.__all__:
            return getattr(own, name)
        for namespace in self._namespaces:
            if name in namespace.__all__:
                found = getattr(namespace, name)
                return importlib.import_module(f"{self.__name__}.{name}") if isinstance(found, ModuleType) else found
        if knows(f"{self.__name__}.{name}"):
            return importlib.import_module(f"{self.__name__}.{name}")
        raise AttributeError(refusal(f"{self.__name__}.{name}"))

    def __dir__(self) -> list[str]:
        return self.__all__


def knows(name: str) -> bool:
    """Whether a module of this name may be imported: a namespace, or one named like a Keras module."""
    first, *rest = name.removeprefix(ROOT).lstrip(".").split(".")
    return (not first or first in _namespace_names()) and all(
        part in _MODULES or part in _namespace_names() or part.replace("_", "") in _public_words() for part in rest
    )


def refusal(name: str) -> str:
    """The reason why `name` does not exist."""
    return (
        f"{name!r} is private to Keras and not available: this program runs on cornu, which provides Keras's public "
        "names, "
        "and in keras.src only the few private ones that well-known libraries use. Use a public name of keras."
    )


def _namespaces(name: str) -> list[ModuleType]:
    """The namespaces in which a module's names are looked up, the nearest first."""
    parts = name.removeprefix(ROOT).lstrip(".").split(".")
    named = [part for part in reversed(parts) if part in cornu._NAMESPACES]
    named += [each for part in parts for each in _FURTHER.get(part, ())]
    return [*(getattr(cornu, each) for each in named), cornu]


@cache
def _namespace_names() -> frozenset[str]:
    return frozenset(cornu._NAMESPACES) | {"trainers", "version"}


@cache
def _public_words() -> frozenset[str]:
    """All public names without capitals, such as "batchnormalization", after which Keras's files are named."""
    return frozenset(
        name.lower().replace("_", "") for each in cornu._NAMESPACES for name in getattr(cornu, each).__all__
    )
