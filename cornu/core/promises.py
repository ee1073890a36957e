"""What a class promises about its methods, and for which subclasses that holds.

A promise is a class attribute: in a layer, `pure_call = True` says that a call has no side effects, and `rowwise =
True` that each output row depends only on the same input row. Fast paths are taken where promises allow them. A
subclass inherits a promise until it overrides a method that the promise may concern; it can then renew the promise for
its own methods. A class derived only to change its constructor, config or weights keeps all of them. Methods intended
to be overridden, the `hooks` of a class, are covered by its promises.
"""

from collections.abc import Iterator
from typing import Any

from cornu.core.typing import cached

# Methods that run before or after a computation, not within it.
_AROUND = frozenset({
    "__annotate__", "__annotate_func__", "__doc__", "__getstate__", "__init__", "__init_subclass__", "__module__",
    "__new__", "__qualname__", "__reduce__", "__repr__", "__setattr__", "__setstate__", "__str__", "build",
    "build_from_config", "compile", "compile_from_config", "compute_loss", "compute_metrics", "compute_output_shape",
    "compute_output_spec", "count_params", "enable_lora", "evaluate", "fit", "from_config", "get_build_config",
    "get_compile_config", "get_config", "get_quantization_layer_structure", "get_weights", "layers", "load_assets",
    "load_own_variables", "load_weights", "metrics", "predict", "predict_step", "quantize", "quantized_build",
    "reset_state", "result", "save_assets", "save_own_variables", "save_weights", "set_weights", "summary",
    "test_step", "train_step", "variable_serialization_spec",
})  # fmt: skip


def kept(part: object, name: str) -> Any:
    """The promise `name` as it applies to an object; None if its class does not make it or has broken it."""
    return getattr(part, name) if _holds(type(part), name) else None


def may_run_in_call(method: str) -> bool:
    """Whether a method of this name may be part of a computation."""
    return method not in _AROUND


@cached
def _holds(cls: type, name: str) -> bool:
    """Whether a class in the MRO makes the promise, and none before it overrides a method that it may concern."""
    above = list(cls.__mro__)
    while above:
        base = above.pop(0)
        if name in base.__dict__:
            return True
        inherited = {key for other in above if other is not object for key in other.__dict__}
        covered = _AROUND.union(*(other.__dict__.get("hooks", ()) for other in above))
        if any(key in inherited and key not in covered for key in _methods(base)):
            return False
    return False


def _methods(cls: type) -> Iterator[str]:
    return (key for key, value in vars(cls).items() if callable(value) or hasattr(type(value), "__get__"))
