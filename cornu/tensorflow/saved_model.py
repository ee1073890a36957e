"""`tensorflow.saved_model`: modules and models in a folder, with their compiled functions and variables.

The folder holds cornu's StableHLO file (`cornu.export.ExportArchive`) in place of TensorFlow's graph. A function is
stored for its input signature, or for the kinds of tensors with which it has been called.
"""

import inspect
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import jax

from cornu.core.symbolic import KerasTensor
from cornu.core.typing import AnyDict, AnyFunction, Config, Nested, Tensor
from cornu.core.variable import Variable
from cornu.export import Artifact, Endpoint, ExportArchive, load as load_artifact
from cornu.layers.layer import Layer
from cornu.tensorflow.function import ConcreteFunction, Function
from cornu.tensorflow.served import Namespace, within
from cornu.tensorflow.types import TensorSpec

__all__ = ["DEFAULT_SERVING_SIGNATURE_DEF_KEY", "LoadOptions", "SaveOptions", "contains_saved_model", "load", "save"]

DEFAULT_SERVING_SIGNATURE_DEF_KEY = "serving_default"
_FILE = "saved_model.stablehlo"
_CALL = "call"  # the name in the file of what calling the object does
_SIGNATURE = "signature_"  # before the names of signatures
_KIND = "__"  # between the name of a function and the number of the kind of arguments


class SaveOptions:
    """Settings of TensorFlow's files, none of which applies here."""

    def __init__(self, **settings: object):
        self.__dict__.update(settings)


LoadOptions = SaveOptions


def save(
    obj: object, export_dir: str | os.PathLike[str], signatures: object = None, options: SaveOptions | None = None
) -> None:
    """Write the functions and variables of a model or a module to a folder.

    Args:
        obj: a built Keras model or layer, or a `tf.Module` with functions compiled by `tf.function`.
        export_dir: the folder.
        signatures: a function of `tf.function`, or a dictionary of them; by default the only one, or a model's call.
        options: ignored.
    """
    archive = ExportArchive()
    found = _functions_of(obj)
    for name, function in found.items():
        for number, kind in enumerate(function.signatures()):
            archive.add_endpoint(f"{name}{_KIND}{number}", function.python_function, _specs(kind))
    if isinstance(obj, Layer):
        archive.track_and_add_endpoint(f"{_CALL}{_KIND}0", obj)
    for name, signature in _named(signatures, found, obj).items():
        kind = signature.signatures()[0]
        archive.add_endpoint(f"{_SIGNATURE}{name}", signature.python_function, _specs(kind))
    for name, variable in vars(obj).items():
        if isinstance(variable, Variable) and name.isidentifier() and not name.startswith("_"):
            archive.add_variable_collection(name, [variable])
    Path(export_dir).mkdir(parents=True, exist_ok=True)
    archive.write_out(Path(export_dir) / _FILE, verbose=False)


def _functions_of(obj: object) -> dict[str, Function]:
    """The functions of an object that `tf.function` compiles and whose arguments are known, by name."""
    names = {name: name for name in dir(obj) if not name.startswith("_")} | {"__call__": _CALL}
    found = {own: getattr(obj, name, None) for name, own in names.items() if not _is_property(obj, name)}
    return {own: each for own, each in found.items() if isinstance(each, Function) and each.signatures()}


def _is_property(obj: object, name: str) -> bool:
    return isinstance(inspect.getattr_static(obj, name, None), property)


def _named(given: object, found: Mapping[str, Function], obj: object) -> "dict[str, Function | ConcreteFunction]":
    """The signatures by name."""
    if given is None:
        only = list(found.values()) if len(found) == 1 and not isinstance(obj, Layer) else []
        return dict(zip([DEFAULT_SERVING_SIGNATURE_DEF_KEY], only, strict=False))
    named: AnyDict = dict(given) if isinstance(given, Mapping) else {DEFAULT_SERVING_SIGNATURE_DEF_KEY: given}
    for name, function in named.items():
        if not isinstance(function, (Function, ConcreteFunction)) or not function.signatures():
            raise ValueError(
                f"tf.saved_model.save: signature {name!r} must be a function of tf.function with input_signature, or "
                f"its get_concrete_function(tf.TensorSpec(...)). Received: {function!r}."
            )
    return named


def _specs(kind: Iterable[TensorSpec]) -> list[KerasTensor]:
    return [KerasTensor(shape=spec.shape or (), dtype=str(spec.dtype), name=spec.name) for spec in kind]


class _Signature:
    """A signature of a saved object: takes tensors by name, and gives a dictionary.

    Args:
        endpoint: the function in the file.
    """

    def __init__(self, endpoint: Endpoint):
        self._endpoint = endpoint
        specs = {each["name"]: TensorSpec(_sizes(each), each["dtype"], each["name"]) for each in endpoint.inputs}
        self.structured_input_signature = ((), specs)
        self.structured_outputs = {
            each["name"]: TensorSpec(_sizes(each), each["dtype"], each["name"]) for each in endpoint.outputs
        }

    def __call__(self, *args: Tensor, **kwargs: Tensor) -> dict[str, jax.Array]:
        names = [each["name"] for each in self._endpoint.inputs][len(args) :]
        if set(names) != set(kwargs):
            raise TypeError(f"The signature takes the tensors {', '.join(names)}. Received: {', '.join(kwargs)}.")
        found = self._endpoint(*args, *(kwargs[name] for name in names))
        if isinstance(found, dict):
            return found
        return {f"output_{at}": value for at, value in enumerate(jax.tree.leaves(found))}


def _sizes(described: Config) -> list[int | None]:
    return [size if isinstance(size, int) else None for size in described["shape"]]


class _Loaded:
    """What `load` gives: the functions and variables of the object as attributes, and its signatures.

    Args:
        artifact: the file.
    """

    def __init__(self, artifact: Artifact):
        self._artifact = artifact
        self.variables = artifact.variables
        self.trainable_variables = artifact.trainable_variables
        kinds: dict[str, list[Endpoint]] = {}
        self.signatures: dict[str, _Signature] = {}
        for name, endpoint in artifact.endpoints.items():
            if name.startswith(_SIGNATURE):
                self.signatures[name.removeprefix(_SIGNATURE)] = _Signature(endpoint)
            else:
                kinds.setdefault(name.partition(_KIND)[0], []).append(endpoint)
        if not self.signatures and list(kinds) == [_CALL]:
            self.signatures[DEFAULT_SERVING_SIGNATURE_DEF_KEY] = _Signature(kinds[_CALL][0])
        self._functions = {name: _first_that_fits(name, each) for name, each in kinds.items()}

    def __call__(self, *args: Tensor, **kwargs: Tensor) -> Nested:
        if _CALL not in self._functions:
            raise TypeError(f"The saved object cannot be called. It has: {', '.join(self._functions)}.")
        return self._functions[_CALL](*args, **kwargs)

    def __getattr__(self, name: str) -> AnyFunction | Variable:
        functions = self.__dict__.get("_functions", {})
        return functions[name] if name in functions else getattr(self._artifact, name)[0]


def _first_that_fits(name: str, endpoints: list[Endpoint]) -> AnyFunction:
    """A function that calls the first of the endpoints that takes the arguments."""

    def call(*args: Tensor, training: bool = False, **kwargs: Tensor) -> Nested:
        given = [jax.numpy.asarray(each) if isinstance(each, (int, float, list)) else each for each in args]
        given += kwargs.values()
        for endpoint in endpoints[:-1]:
            try:
                return endpoint(*given)
            except ValueError:
                continue
        return endpoints[-1](*given)

    call.__name__ = name
    return call


def load(
    export_dir: str | os.PathLike[str], tags: object = None, options: LoadOptions | None = None
) -> "Artifact | _Loaded":
    """Read what `save`, or `export` of a model, has written.

    Args:
        export_dir: the folder, or a model's exported file.
        tags, options: ignored.
    """
    path = Path(os.fspath(export_dir))
    if (path / "saved_model.pb").exists():
        raise ValueError(
            f"tf.saved_model.load: {path} holds a graph, which only TensorFlow runs. Where it is installed, "
            "export the model as ONNX, or save its weights with model.save_weights and load them into the same model."
        )
    if path.is_file():
        return load_artifact(path)
    if not contains_saved_model(path):
        raise OSError(f"tf.saved_model.load: there is no saved model in {path}.")
    return _Loaded(load_artifact(path / _FILE))


def contains_saved_model(export_dir: str | os.PathLike[str]) -> bool:
    """Whether a folder holds what `save` writes."""
    return (Path(os.fspath(export_dir)) / _FILE).exists()


experimental = Namespace("saved_model.experimental", TrackableResource=object)
__getattr__ = within(__name__)
