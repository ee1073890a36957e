"""Compile cornu/native where that is possible: everything else about the package stands in pyproject.toml."""

import platform
import sys

from setuptools import Extension, setup

_FLAGS = ["-O3", "-g0", "-std=c++17", "-ffp-contract=fast", "-fno-math-errno", "-fvisibility=hidden", "-Wno-psabi"]
_KERNELS = Extension(
    "cornu.native._kernels",
    ["cornu/native/kernels.cpp"],
    depends=["cornu/native/tiles.h", "cornu/native/xla.h"],
    extra_compile_args=_FLAGS,
    py_limited_api=True,  # it does not use Python at all
    optional=True,  # without a compiler the package is complete, only slower
)
_POSSIBLE = platform.machine() in ("x86_64", "AMD64") and sys.platform != "win32"

setup(
    ext_modules=[_KERNELS] if _POSSIBLE else [],
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if _POSSIBLE else {},
)
