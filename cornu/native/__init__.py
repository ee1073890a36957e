"""C++ kernels for operations that XLA computes on CPUs at a fraction of the speed of a large matrix product.

The source is in this directory. Installing cornu compiles it if a suitable compiler is found; without one the package
is complete but slower. `instructions()` tells whether the kernels are available and which instruction set they use.

Each kernel also has a plain form in JAX. `kernel` wraps that form in one JAX primitive. In a program for a single CPU
device of this process, the primitive is lowered to a call of the C++ function; everywhere else (on other platforms, on
several devices, in a program exported for other processes, under `vmap`) it is lowered to the plain form.
"""

import ctypes
import functools
import os
import re
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.extend.core import Primitive
from jax.interpreters import batching, mlir

Shape = tuple[int, ...]

_MAJOR, _MINOR = 0, 3  # version of XLA's foreign function interface, as in xla.h; later minor versions accept it


def instructions() -> str | None:
    """`"AVX-512"` or `"AVX2"`; None if the kernels were not compiled or are switched off by `CORNU_NATIVE=0`."""
    library = None if os.environ.get("CORNU_NATIVE") == "0" else _library()
    return None if library is None else "AVX-512" if library.cornu_uses_avx512() else "AVX2"


def use_avx512(use: bool) -> None:
    """Use AVX-512 if this processor has it, or only AVX2; for tests."""
    library = _library()
    if library is not None:
        library.cornu_use_avx512(int(use))


@functools.cache
def _library() -> ctypes.CDLL | None:
    files = sorted(Path(__file__).parent.glob("_kernels*.so"))
    if not files or not _fits_xla():
        return None
    try:
        library = ctypes.CDLL(str(files[0]))
    except OSError:  # compiled for another system
        return None
    return library if library.cornu_supported() else None


def _fits_xla() -> bool:
    """Whether this jaxlib supports the interface version of the kernels; otherwise its CPU backend could not start."""
    header = Path(jax.ffi.include_dir(), "xla", "ffi", "api", "c_api.h")
    text = header.read_text() if header.exists() else ""
    numbers = [re.search(rf"define XLA_FFI_API_{name} (\d+)", text) for name in ("MAJOR", "MINOR")]
    major, minor = (int(number[1]) if number else -1 for number in numbers)
    return major == _MAJOR and minor >= _MINOR


def kernel(
    name: str, results: Callable[..., Sequence[Shape]], sizes: Callable[..., Sequence[int]]
) -> Callable[[Callable[..., Sequence[jax.Array]]], Callable[..., list[jax.Array]]]:
    """Decorator that makes a plain form one operation, computed by a C++ function where that can be called.

    The plain form takes float32 arrays, and hashable choices by keyword; it returns a sequence of float32 arrays.

    Args:
        name: the name of the C++ function, without `cornu_`.
        results: computes the shapes of the results from the arrays' shapes and the choices.
        sizes: computes the integers passed to the C++ function, from the same.
    """

    def decorate(plain: Callable[..., Sequence[jax.Array]]) -> Callable[..., list[jax.Array]]:
        operation = Primitive(f"cornu_{name}")
        operation.multiple_results = True
        in_plain = mlir.lower_fun(plain, multiple_results=True)

        def abstract(*arrays: jax.core.ShapedArray, **choices: Hashable) -> list[jax.core.ShapedArray]:
            return [jax.core.ShapedArray(shape, np.float32) for shape in results(*_shapes(arrays), **choices)]

        def called(ctx: mlir.LoweringRuleContext, *operands: Any, **choices: Hashable) -> Sequence[Any]:
            if not _is_for_here(ctx) or not _registered(name):
                return in_plain(ctx, *operands, **choices)
            told = np.array(sizes(*_shapes(ctx.avals_in), **choices), np.int64)
            return jax.ffi.ffi_lowering(_target(name))(ctx, *operands, sizes=told)

        def batched(
            arrays: Sequence[jax.Array], axes: Sequence[int | None], **choices: Hashable
        ) -> tuple[Sequence[jax.Array], list[int]]:
            outputs = jax.vmap(functools.partial(plain, **choices), tuple(axes))(*arrays)
            return outputs, [0] * len(outputs)

        @functools.cache
        def alone(**choices: Hashable) -> Callable[..., list[jax.Array]]:
            return jax.jit(functools.partial(operation.bind, **choices))

        operation.def_impl(lambda *arrays, **choices: alone(**choices)(*arrays))
        operation.def_abstract_eval(abstract)
        batching.primitive_batchers[operation] = batched
        mlir.register_lowering(operation, in_plain)
        mlir.register_lowering(operation, called, platform="cpu")
        return operation.bind

    return decorate


def _shapes(arrays: Sequence[jax.core.AbstractValue]) -> list[Shape]:
    return [array.shape for array in arrays if isinstance(array, jax.core.ShapedArray)]


def _is_for_here(ctx: mlir.LoweringRuleContext) -> bool:
    """Whether the program will run in this process, on one device."""
    module = ctx.module_context
    devices = getattr(module.axis_context, "num_devices", None)  # a mesh has none
    return devices == 1 and not module.lowering_parameters.for_export and instructions() is not None


def _target(name: str) -> str:
    return f"cornu_{name}_1"  # change the number with the arguments: compiled programs are cached


@functools.cache
def _registered(name: str) -> bool:
    library = _library()
    if library is not None:
        jax.ffi.register_ffi_target(_target(name), jax.ffi.pycapsule(library[f"cornu_{name}"]), platform="cpu")
    return library is not None
