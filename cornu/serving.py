"""Serving `import keras` and `tensorflow.keras` from cornu, once `install` was called.

A finder at the front of `sys.meta_path` answers for the names `keras`, `tf_keras`, `tensorflow.keras` and everything
below them with cornu's modules themselves, so `keras.layers.Dense is cornu.layers.Dense`. `tensorflow` alone is a
small stand-in that has Keras and nothing else; where a script reaches for more of TensorFlow, it says so.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from types import ModuleType
from typing import Any

import cornu

_ROOTS = {"keras": "cornu", "tf_keras": "cornu", "tensorflow.keras": "cornu"}
_TENSORFLOW = "tensorflow"


class _Served(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds Keras's names and loads cornu's modules for them."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name == _TENSORFLOW or _own_name(name) is not None:
            return importlib.util.spec_from_loader(name, self, is_package=True)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        if spec.name == _TENSORFLOW:
            return _tensorflow()
        own = _own_name(spec.name)
        try:
            module = importlib.import_module(own)
        except ModuleNotFoundError as error:
            if error.name is None or not own.startswith(error.name):
                raise
            raise ModuleNotFoundError(f"cornu has no {own!r} to serve as {spec.name!r}.", name=spec.name) from None
        _keep_identity(module)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run: the module is loaded already."""
        _restore_identity(module)


_identities: dict[str, tuple] = {}


def _keep_identity(module: ModuleType) -> None:
    """Remember what the import system is about to write over."""
    names = ("__name__", "__spec__", "__loader__", "__package__", "__path__", "__file__")
    kept = {name: module.__dict__[name] for name in names if name in module.__dict__}
    _identities.setdefault(module.__name__, (module, kept))


def _restore_identity(module: ModuleType) -> None:
    for kept_module, kept in _identities.values():
        if kept_module is module:
            module.__dict__.update(kept)


def _own_name(name: str) -> str | None:
    """cornu's module for a Keras module's name."""
    for root, own in _ROOTS.items():
        if name == root or name.startswith(f"{root}."):
            return own + name[len(root) :]
    return None


def _tensorflow() -> ModuleType:
    module = ModuleType(_TENSORFLOW, "A stand-in for TensorFlow that has Keras and nothing else.")
    module.__path__ = []
    module.keras = cornu

    def missing(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(
            f"tensorflow.{name} is not here: this script runs on cornu, which serves tensorflow.keras alone. "
            f"Look for the operation in keras.ops (JAX underneath), or run the script with TensorFlow."
        )

    module.__getattr__ = missing
    return module


_finder = _Served()


def install() -> None:
    """Serve Keras's names from now on. Doing it twice does nothing; if real Keras was imported before, it says so."""
    if _finder in sys.meta_path:
        return
    for root in (*_ROOTS, _TENSORFLOW):
        loaded = sys.modules.get(root)
        if loaded is not None and loaded is not cornu:
            raise ImportError(
                f"{root!r} was imported already, before cornu could serve it. Put `import cornu.as_keras` above every "
                "import of Keras or TensorFlow (in a notebook: restart the kernel first)."
            )
    sys.meta_path.insert(0, _finder)
