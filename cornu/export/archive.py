"""`ExportArchive`: functions and their shared variables in one file that runs without cornu.

The file is a zip archive with uncompressed members. It is also an `.npz` file that NumPy can open:

- `metadata.json`: the endpoints with the names, shapes and dtypes of inputs and outputs, the names of the
  variables that each uses, the collections of variables, and the version that wrote it;
- `endpoints/NAME`: an endpoint as `jax.export` serializes it: a function from a dictionary of variables and the
  inputs to `(outputs, changes)`, where `changes` are the new values of variables;
- `weights/NAME.npy`: the value of a variable; for bfloat16 and 8-bit floats the bits, which endpoints accept.

JAX and its `flatbuffers` package suffice to run it:

    import json
    import jax, numpy as np
    from jax import export

    with np.load("model.stablehlo") as file:  # nothing is unpickled
        endpoint = json.loads(file["metadata.json"])["endpoints"]["serve"]
        weights = {name: file[f"weights/{name}"] for name in endpoint["variables"]}
        serve = export.deserialize(bytearray(file["endpoints/serve"]))
    outputs, changes = jax.jit(serve.call)(weights, x)

JAX guarantees that exported functions can be loaded for at least six months. The bytes of an endpoint are a program,
and reading them is as safe as JAX's own reader, which never terminates on some damaged ones. `load` validates
everything around them, and verifies by a digest that they are the bytes that were written, so that damage never reaches
that reader; but a malicious author can compute a valid digest, too. Load only files from sources that you trust.
"""

import hashlib
import json
import os
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from cornu import validate
from cornu._version import __version__
from cornu.core.typing import AnyFunction, AnyList, ConfigDict, Kwargs
from cornu.core.variable import Variable
from cornu.export import signature as signatures, stablehlo
from cornu.export.formats import Format
from cornu.layers.layer import Layer
from cornu.runs import Record
from cornu.saving.atomic import replacing

FORMAT = "cornu-stablehlo"
FORMAT_VERSION = 1
METADATA = "metadata.json"
_OWN_NAMES = ("endpoints", "inputs", "metadata", "non_trainable_variables", "trainable_variables", "variables")


class _Endpoint(NamedTuple):
    lowered: stablehlo.Lowered
    inputs: list[ConfigDict]
    outputs: list[ConfigDict]


class ExportArchive:
    """Writes functions of models to a StableHLO file that runs without cornu.

    Args:
        format: `"stablehlo"`, the only format that supports several functions.

    Example:

        model = cornu.Sequential([cornu.Input((3,)), cornu.layers.Dropout(0.5), cornu.layers.Dense(2)])
        archive = cornu.export.ExportArchive()
        archive.track(model)
        spec = cornu.layers.InputSpec(shape=(None, 3), dtype="float32")
        archive.add_endpoint("serve", model.call, [spec])
        archive.add_endpoint("noisy", lambda x: model(x, training=True), [spec])
        archive.write_out("model.stablehlo")
        print(cornu.export.load("model.stablehlo").serve(np.ones((5, 3), "float32")).shape)  # (5, 2)
    """

    def __init__(self, format: object = Format.STABLEHLO, **kwargs: object):
        if Format.of(format, "ExportArchive") is not Format.STABLEHLO:
            raise ValueError(
                f'ExportArchive: format must be "stablehlo"; files of other formats contain a single function, which '
                f"model.export writes. Received: format={validate.shown(format)}."
            )
        if kwargs:
            raise ValueError(f"ExportArchive: unknown argument(s) {', '.join(map(repr, kwargs))}.")
        self._endpoints: dict[str, _Endpoint] = {}
        self._collections: dict[str, list[str]] = {}
        self._tracked: AnyList = []
        self._names: dict[Variable, str] = {}

    def __repr__(self) -> str:
        return f"<ExportArchive endpoints={list(self._endpoints)}>"

    def track(self, resource: object) -> None:
        """Store the variables of a layer or model in the file, including those that no endpoint reads.

        Args:
            resource: a built layer or model.
        """
        if not isinstance(resource, Layer):
            raise ValueError(
                "ExportArchive: track expects a layer or a model; variables that endpoints read are stored "
                "automatically. "
                f"Received: {validate.shown(resource)}."
            )
        if not resource.built:
            raise ValueError(
                f"ExportArchive: {validate.describe(resource)} does not have variables yet; build or call it."
            )
        if resource not in self._tracked:
            self._tracked.append(resource)
        for variable in resource.variables:
            self._name(variable)

    def add_endpoint(self, name: str, fn: AnyFunction, input_signature: object = None, **kwargs: object) -> AnyFunction:
        """Add a function to the file. Its variables are found automatically; those it assigns to are state.

        Args:
            name: the name of the function in the file: a Python identifier.
            fn: function of arrays, composed of cornu or JAX operations. Layers in it run in inference mode, unless it
                calls them with `training=True`.
            input_signature: list with one structure of `InputSpec`s, symbolic tensors or arrays per argument; None if
                `fn` is a built layer or model, or the `call` of one. A size of None is dynamic, and independent of all
                other dynamic sizes if `fn` permits.
            kwargs: `platforms`, a sequence of `"cpu"`, `"cuda"`, `"rocm"` and `"tpu"` (by default the first two and
                the last, if possible); `is_static`, whether to raise an error if `fn` assigns to variables.

        Returns:
            `fn` itself.
        """
        return self._add(name, fn, input_signature, None, kwargs)

    def track_and_add_endpoint(
        self, name: str, resource: Any, input_signature: Any = None, **kwargs: Any
    ) -> AnyFunction:
        """Track a layer or model and add its call as an endpoint; the arguments are those of `add_endpoint`."""
        self.track(resource)
        return self._add(name, resource, input_signature, getattr(resource, "output_names", None), kwargs)

    def _add(
        self, name: str, fn: AnyFunction, input_signature: object, output_names: Any, options: Kwargs
    ) -> AnyFunction:
        owner = f'ExportArchive, endpoint "{name}"'
        self._check_name(name, "endpoint")
        if not callable(fn):
            raise ValueError(f"{owner}: fn must be a function, a layer or a model. Received: {validate.shown(fn)}.")
        platforms, is_static = _options(options, owner)
        signature = _signature(fn, input_signature, owner)
        lowered = stablehlo.lower(fn, signature, self._name, platforms, owner)
        outputs, changes = jax.tree.unflatten(lowered.exported.out_tree, lowered.exported.out_avals)
        if is_static and changes:
            raise ValueError(
                f"{owner}: it assigns to {', '.join(changes)}, so is_static must not be True. "
                "Omit it, or call layers with training=False."
            )
        arguments = jax.tree.unflatten(lowered.exported.in_tree, lowered.exported.in_avals)[0][1:]
        names = signatures.named(outputs, output_names, "output")
        self._endpoints[name] = _Endpoint(
            lowered,
            signatures.described(signatures.input_names(signature), jax.tree.leaves(arguments)),
            signatures.described(names, jax.tree.leaves(outputs)),
        )
        return fn

    def add_variable_collection(self, name: str, variables: Iterable[Variable]) -> None:
        """Store variables in the file under a name, by which they are available after loading.

        Args:
            name: a Python identifier.
            variables: list, tuple or set of variables.
        """
        self._check_name(name, "collection of variables")
        if not isinstance(variables, (list, tuple, set, frozenset)):
            raise ValueError(
                f'ExportArchive: collection "{name}" must be a list, tuple or set of variables. '
                f"Received: {type(variables).__name__}."
            )
        wrong = [v for v in variables if not isinstance(v, Variable)]
        if wrong:
            raise ValueError(
                f'ExportArchive: collection "{name}" must contain only variables. Received: {validate.shown(wrong[0])}.'
            )
        self._collections[name] = [self._name(v) for v in variables]

    def write_out(self, filepath: str | os.PathLike[str], options: object = None, verbose: bool = True) -> None:
        """Write the file atomically.

        Args:
            filepath: the path, by convention with the extension `.stablehlo`.
            options: must be None: there are no options.
            verbose: whether to print what was written. Defaults to True.
        """
        if options is not None:
            raise ValueError(
                f"ExportArchive: options belong to TensorFlow and must be None. Received: {validate.shown(options)}."
            )
        if not self._endpoints:
            raise ValueError("ExportArchive: there is nothing to write yet. Add an endpoint first.")
        path = target(filepath)
        serialized = {name: _serialize(endpoint.lowered) for name, endpoint in self._endpoints.items()}
        with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as file:
            file.writestr(METADATA, json.dumps(self._metadata(serialized), indent=1))
            for name, content in serialized.items():
                file.writestr(f"endpoints/{name}", content)
            for variable, name in self._names.items():
                with file.open(f"weights/{name}.npy", "w", force_zip64=True) as member:
                    value = np.asarray(stablehlo.to_bits(variable._own()))
                    np.lib.format.write_array(member, value, allow_pickle=False)
        if verbose:
            print(self._report(path))

    def _metadata(self, serialized: dict[str, bytes]) -> Record:
        state = {v for resource in self._tracked for v in resource.variables}
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "written_by": {"cornu": __version__, "jax": jax.__version__},
            "endpoints": {
                name: {
                    "inputs": endpoint.inputs,
                    "outputs": endpoint.outputs,
                    "variables": list(endpoint.lowered.variables),
                    "platforms": list(endpoint.lowered.exported.platforms),
                    "sha256": hashlib.sha256(serialized[name]).hexdigest(),
                }
                for name, endpoint in self._endpoints.items()
            },
            "variables": {
                name: {"dtype": v._dtype, "trainable": v.trainable, "tracked": v in state}
                for v, name in self._names.items()
            },
            "collections": self._collections,
        }

    def _report(self, path: Path) -> str:
        lines = [f"Exported to {str(path)!r} as StableHLO:"]
        for name, endpoint in self._endpoints.items():
            given, made = (", ".join(map(_brief, part)) for part in (endpoint.inputs, endpoint.outputs))
            lines.append(f"  {name}({given}) -> {made}   [{', '.join(endpoint.lowered.exported.platforms)}]")
        return "\n".join(lines)

    def _check_name(self, name: object, kind: str) -> None:
        if not isinstance(name, str) or not name.isidentifier() or name.startswith("_") or name in _OWN_NAMES:
            raise ValueError(
                f"ExportArchive: the name of an {kind} must be a Python identifier that starts with a letter, other "
                "than "
                f"{', '.join(_OWN_NAMES)}. Received: {validate.shown(name)}."
            )
        if name in self._endpoints or name in self._collections:
            raise ValueError(f"ExportArchive: an endpoint or a collection named {name!r} already exists.")

    def _name(self, variable: Variable) -> str:
        """The variable's path, with a numeric suffix if it is not unique."""
        if variable not in self._names:
            same = sum(v.path == variable.path for v in self._names)
            self._names[variable] = f"{variable.path}:{same}" if same else variable.path
        return self._names[variable]


def target(filepath: str | os.PathLike[str]) -> Path:
    """The path to write to, which must not be a directory."""
    path = Path(os.fsdecode(filepath))
    if path.is_dir():
        raise ValueError(f"export: an exported model is one file, and {str(path)!r} is a directory.")
    return path


def _options(options: Kwargs, owner: str) -> tuple[Sequence[str] | None, bool | None]:
    options = dict(options)
    platforms, is_static = options.pop("platforms", None), options.pop("is_static", None)
    if options:
        raise ValueError(
            f"{owner}: unknown argument(s) {', '.join(map(repr, options))}. Known arguments: 'platforms' and "
            "'is_static'."
        )
    return platforms, is_static


def _signature(fn: AnyFunction, given: object, owner: str) -> signatures.Signature:
    resource = fn if isinstance(fn, Layer) else getattr(fn, "__self__", None)
    if isinstance(resource, Layer):
        return signatures.for_layer(resource, given)
    if given is None:
        raise ValueError(
            f"{owner}: input_signature, the description of the function's inputs, is missing: "
            "input_signature=[cornu.layers.InputSpec(shape=(None, ...), dtype=...)]."
        )
    return signatures.given(given, owner)


def _serialize(lowered: stablehlo.Lowered) -> bytes:
    validate.optional_import("flatbuffers", extra="export", purpose="StableHLO export")
    return bytes(lowered.exported.serialize())


def _brief(array: Record) -> str:
    return f"{array['name']}: {array['dtype']}[{', '.join(map(str, array['shape']))}]"
