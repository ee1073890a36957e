"""Kernels in C++, for what XLA computes on CPUs far below the rate of a large product.

The code lies beside this file. Installing cornu compiles it where there is a compiler that can, and goes without it
where there is none: `instructions()` says whether it is here and what it uses of this processor.

Whoever has a use for such a kernel has a plain form, too, of which `kernel` makes one operation for JAX, traced as a
whole. In a program for one CPU of this process it becomes a call of the C++ function; everywhere else (on another
platform, on several devices, in a program exported for other processes, under `vmap`) it becomes the plain form.
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

_MAJOR, _MINOR = 0, 3  # of XLA's interface for foreign functions, as in xla.h; a later minor version takes it, too


def instructions() -> str | None:
    """`"AVX-512"` or `"AVX2"`; None if there are no kernels, as they were not compiled, or `CORNU_NATIVE=0`."""
    library = None if os.environ.get("CORNU_NATIVE") == "0" else _library()
    return None if library is None else "AVX-512" if library.cornu_uses_avx512() else "AVX2"


def use_avx512(use: bool) -> None:
    """Use AVX-512, where this processor has it, or AVX2 alone: for tests."""
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
    """Whether this jaxlib calls functions that are written as these are: otherwise it could not start."""
    header = Path(jax.ffi.include_dir(), "xla", "ffi", "api", "c_api.h")
    text = header.read_text() if header.exists() else ""
    numbers = [re.search(rf"define XLA_FFI_API_{name} (\d+)", text) for name in ("MAJOR", "MINOR")]
    major, minor = (int(number[1]) if number else -1 for number in numbers)
    return major == _MAJOR and minor >= _MINOR


def kernel(
    name: str, results: Callable[..., Sequence[Shape]], sizes: Callable[..., Sequence[int]]
) -> Callable[[Callable[..., Sequence[jax.Array]]], Callable[..., list[jax.Array]]]:
    """Make of a plain form one operation, which is computed by a C++ function where that can be called.

    The plain form takes arrays of float32, and by name what is hashable; it returns a sequence of arrays of float32.

    Args:
        name: of the C++ function, without `cornu_`.
        results: the shapes of the results, of the arrays' shapes and what is given by name.
        sizes: what the function is told, of the same.
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

        def batched(arrays: Sequence[jax.Array], axes: Sequence[int | None], **choices: Hashable) -> tuple:
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
    """Whether a program is to run in this process, on one device."""
    module = ctx.module_context
    devices = getattr(module.axis_context, "num_devices", None)  # a mesh has none
    return devices == 1 and not module.lowering_parameters.for_export and instructions() is not None


def _target(name: str) -> str:
    return f"cornu_{name}_1"  # the number is to change with what is passed: compiled programs are kept


@functools.cache
def _registered(name: str) -> bool:
    library = _library()
    if library is not None:
        jax.ffi.register_ffi_target(_target(name), jax.ffi.pycapsule(library[f"cornu_{name}"]), platform="cpu")
    return library is not None
