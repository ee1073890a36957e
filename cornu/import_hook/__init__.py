"""Serving `import keras` and `tensorflow.keras` from cornu, after `install` was called.

A finder at the front of `sys.meta_path` resolves the names `keras`, `tf_keras`, `tensorflow` and everything below them
to cornu's own modules, so `keras.layers.Dense is cornu.layers.Dense`. Additional names of the old packages are in
`cornu.tensorflow`, and names that libraries import from Keras's private modules in `private`. If TensorFlow is
installed, `tensorflow` is TensorFlow, and only its `keras` is cornu's.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from functools import cache
from types import ModuleType
from typing import Any, cast

from cornu import absent
from cornu.import_hook import private

# The module of each served name, and the namespaces searched for its submodules, in order.
_ROOTS = {
    "keras._tf_keras.keras": ("cornu.tensorflow.keras", ("cornu.tensorflow.keras", "cornu")),  # TensorFlow's own way
    "keras._tf_keras": ("cornu.import_hook.keras", ()),
    "keras": ("cornu.import_hook.keras", ("cornu",)),
    "tf_keras": ("cornu.tensorflow.keras", ("cornu.tensorflow.keras", "cornu")),
    "tensorflow.keras": ("cornu.tensorflow.keras", ("cornu.tensorflow.keras", "cornu")),
    "tensorflow": ("cornu.tensorflow", ("cornu.tensorflow",)),
}


class _Served(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds Keras's names and loads cornu's modules for them."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        if _is_private(name) and not private.knows(name):
            raise ModuleNotFoundError(private.refusal(name))
        if _root(name) is None:
            return None
        return importlib.util.spec_from_loader(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        if _is_private(spec.name):
            return private.Private(spec.name)
        module = _own_module(spec.name)
        _keep_identity(module)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing, since the module is already loaded."""
        _restore_identity(module)


def _is_private(name: str) -> bool:
    return name == private.ROOT or name.startswith(f"{private.ROOT}.")


def _root(name: str) -> str | None:
    """The served name that equals or contains `name`."""
    found = next((root for root in _ROOTS if name == root or name.startswith(f"{root}.")), None)
    return None if found == "tensorflow" and _has_tensorflow() else found


@cache
def _has_tensorflow() -> bool:
    """Whether TensorFlow is installed."""
    return importlib.machinery.PathFinder.find_spec("tensorflow") is not None


def _own_module(name: str) -> ModuleType:
    """cornu's module for a served name."""
    root = cast(str, _root(name))  # only served names get here
    face, homes = _ROOTS[root]
    if name == root:
        module = importlib.import_module(face)
        if root == "tensorflow":
            module.serve()
        return module
    below = name[len(root) :]
    for own in (home + below for home in homes):
        try:
            return importlib.import_module(own)
        except ModuleNotFoundError as error:
            if error.name is None or not own.startswith(error.name):
                raise
    parent, _, last = name.rpartition(".")
    found = getattr(sys.modules.get(parent), last, None)
    if isinstance(found, ModuleType):  # such as `tensorflow.compat.v1`, which is created within another module
        return found
    said = absent.explain(*f"cornu{name[len(root) :]}".rsplit(".", 1))
    nowhere = f"There is no {name!r}: this program runs on cornu, which provides only Keras."
    raise ModuleNotFoundError(said or nowhere, name=name)


_identities: dict[str, tuple[Any, ...]] = {}


def _keep_identity(module: ModuleType) -> None:
    """Save the attributes that the import system is about to overwrite."""
    names = ("__name__", "__spec__", "__loader__", "__package__", "__path__", "__file__")
    kept = {name: module.__dict__[name] for name in names if name in module.__dict__}
    _identities.setdefault(module.__name__, (module, kept))


def _restore_identity(module: ModuleType) -> None:
    for kept_module, kept in _identities.values():
        if kept_module is module:
            module.__dict__.update(kept)


_finder = _Served()


def install() -> None:
    """Start serving Keras's names. Calling it twice has no effect; it raises an error if Keras was already imported."""
    if _finder in sys.meta_path:
        return
    for root in filter(_root, _ROOTS):
        loaded = sys.modules.get(root)
        if loaded is not None and not loaded.__name__.startswith("cornu"):
            raise ImportError(
                f"{root!r} was already imported before cornu could serve it. Put `import cornu.as_keras` above every "
                "import of Keras or TensorFlow (in a notebook: restart the kernel first)."
            )
    sys.meta_path.insert(0, _finder)
