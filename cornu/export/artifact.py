"""Loading of files written by `ExportArchive`.

The file is validated before anything is created from it: members are uncompressed, so that they cannot be larger than
the file; arrays must have the declared size, and nothing is unpickled; endpoints must use the variables in the file,
and may call nothing outside the compiled program except XLA's and JAX's own libraries.
"""

import hashlib
import json
import math
import os
import re
import zipfile
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from cornu import validate
from cornu.core import budget, dtypes
from cornu.core.typing import AnyFunction, Args, ConfigDict, Nested, Tensor
from cornu.core.variable import Variable
from cornu.errors import DamagedFileError, MissingFileError
from cornu.export import archive, stablehlo
from cornu.kernels import xla
from cornu.runs import Record
from cornu.saving import plain_npz, plain_zip

_MOST_METADATA = 64 * 2**20  # bytes
_CALL = re.compile(r'custom_call @"?([^"\s(]+)|call_target_name = "([^"]*)"')
_LIBRARIES = re.compile(
    r"stablehlo\.dynamic_\w+|shape_assertion|ApproxTopK|Qr|Eigh|LuDecomposition|ProductOfElementaryHouseholderReflectors"
    r"|(lapack|cusolver|cusparse|hipsolver)_\w+_ffi|(cu|hip)_(threefry2x32_ffi|lu_pivots_to_permutation)"
    r"|AllocateBuffer|Sharding|SPMDFullToShardShape|SPMDShardToFullShape|annotate_device_placement"
)


def load(filepath: str | os.PathLike[str]) -> "Artifact":
    """Load the functions and variables in a file written by `model.export` or `ExportArchive`.

    Args:
        filepath: the file.

    Raises:
        DamagedFileError: if the file is damaged, or is not an exported model.
        MissingFileError: when there is no such file.

    Example:

        model = cornu.Sequential([cornu.Input((3,)), cornu.layers.Dense(2)])
        model.export("model.stablehlo", verbose=False)
        loaded = cornu.export.load("model.stablehlo")
        print(loaded.serve(np.ones((5, 3), "float32")).shape)  # (5, 2)
    """
    path = os.fsdecode(filepath)
    validate.optional_import("flatbuffers", extra="export", purpose="Loading StableHLO")
    if not os.path.isfile(path):
        raise MissingFileError.of(path)
    try:
        with budget.load(), plain_zip.opened(path, repr(path)) as file:
            return _Reader(file, path).artifact()
    except _DAMAGE as error:
        raise DamagedFileError(f"{path!r} is not an exported model, or it is damaged: {error}") from error


class _DamagedError(Exception):
    """The contents of a file are inconsistent."""


_DAMAGE = (_DamagedError, zipfile.BadZipFile, EOFError, KeyError, OverflowError, NotImplementedError, RuntimeError)


class Artifact:
    """Functions loaded from a file, as attributes, and their shared variables.

    Calling it calls the first function.

    Attributes:
        endpoints: dictionary from name to `Endpoint`.
        variables, trainable_variables, non_trainable_variables: the variables of the tracked layers and models.

    Example:

        model = cornu.Sequential([cornu.Input((3,)), cornu.layers.Dense(2)])
        model.export("model.stablehlo", verbose=False)
        artifact = cornu.export.load("model.stablehlo")
        print(artifact.serve(np.ones((1, 3), "float32")).shape, list(artifact.endpoints))  # (1, 2) ['serve']
    """

    def __init__(
        self, endpoints: dict[str, "Endpoint"], collections: dict[str, list[Variable]], tracked: list[Variable]
    ):
        self.endpoints = endpoints
        self.variables: list[Variable] = tracked
        self._collections = collections

    @property
    def trainable_variables(self) -> list[Variable]:
        """The tracked variables that were trainable."""
        return [v for v in self.variables if v.trainable]

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """The other tracked variables."""
        return [v for v in self.variables if not v.trainable]

    def __call__(self, *args: object) -> Nested:
        return next(iter(self.endpoints.values()))(*args)

    def __getattr__(self, name: str) -> Any:
        for members in (self.__dict__.get("endpoints", {}), self.__dict__.get("_collections", {})):
            if name in members:
                return members[name]
        raise AttributeError(
            f"The file has neither an endpoint nor a collection {name!r}. It has: {', '.join(dir(self))}."
        )

    def __dir__(self) -> list[str]:
        return [*self.endpoints, *self._collections]

    def __repr__(self) -> str:
        return f"<Artifact endpoints={list(self.endpoints)}>"


class Endpoint:
    """A function loaded from a file. It accepts arrays in the exported structure.

    Attributes:
        name: its name in the file.
        inputs, outputs: a dictionary with name, shape and dtype for each array; dynamic sizes are names.

    Example:

        model = cornu.Sequential([cornu.Input((3,), name="x"), cornu.layers.Dense(2)])
        model.export("model.stablehlo", verbose=False)
        serve = cornu.export.load("model.stablehlo").endpoints["serve"]
        print(serve.inputs)  # [{'name': 'x', 'shape': ['batch', 3], 'dtype': 'float32'}]
    """

    def __init__(self, name: str, exported: export.Exported, variables: dict[str, Variable], entry: ConfigDict):
        self.name = name
        self.inputs: list[ConfigDict] = entry["inputs"]
        self.outputs: list[ConfigDict] = entry["outputs"]
        self._variables = variables
        self._arguments = jax.tree.unflatten(exported.in_tree, list(exported.in_avals))[0][1:]
        self._call: AnyFunction = exported.call
        self._compiled: AnyFunction = jax.jit(exported.call, compiler_options=xla.compiler_options() or None)

    def __call__(self, *args: object) -> Nested:
        given = self._checked(args)
        weights = {name: stablehlo.to_bits(v._own()) for name, v in self._variables.items()}
        traced = any(isinstance(x, jax.core.Tracer) for x in jax.tree.leaves((weights, given)))
        outputs, changes = (self._call if traced else self._compiled)(weights, *given)
        for name, new in changes.items():
            variable = self._variables[name]
            variable.assign(stablehlo.from_bits(new, variable.dtype))
        return outputs

    def __repr__(self) -> str:
        return f"<Endpoint {self.name!r} inputs={self.inputs}>"

    def _checked(self, args: Args) -> Args:
        """The arguments as arrays of the exported dtypes, in the exported structure."""
        leaves, structure = jax.tree.flatten(self._arguments)
        try:
            values = _in_order(args, self._arguments)
        except TypeError:
            raise ValueError(
                f'Endpoint "{self.name}": the arguments must have the structure {_skeleton(self._arguments)}. '
                f"Received: {_skeleton(args)}."
            ) from None
        arrays = zip(values, leaves, self.inputs, strict=True)
        return jax.tree.unflatten(structure, [self._array(x, leaf, entry) for x, leaf, entry in arrays])

    def _array(self, x: Nested, wanted: Any, entry: ConfigDict) -> jax.Array:
        x = x.value if isinstance(x, Variable) else x if hasattr(x, "shape") else np.asarray(x)
        fits = len(x.shape) == len(wanted.shape) and all(
            not isinstance(size, int) or size == given for size, given in zip(wanted.shape, x.shape, strict=True)
        )
        if not fits or not jnp.can_cast(x.dtype, wanted.dtype, "same_kind"):
            raise ValueError(
                f'Endpoint "{self.name}", input "{entry["name"]}": expected {entry["dtype"]} of shape '
                f"{tuple(entry['shape'])}. Received: {x.dtype} of shape {tuple(x.shape)}."
            )
        return jnp.asarray(x, wanted.dtype)


def _in_order(given: Nested, expected: Any) -> list[Tensor]:
    """The arrays of `given` in JAX's order; TypeError unless it has the structure of `expected`."""
    keys: Sequence[str | int]
    if isinstance(expected, dict):
        keys, fits = sorted(expected), isinstance(given, dict) and set(given) == set(expected)
    elif isinstance(expected, (list, tuple)):
        keys, fits = range(len(expected)), isinstance(given, (list, tuple)) and len(given) == len(expected)
    elif expected is None:
        keys, fits = (), given is None
    else:
        return [given]
    if not fits:
        raise TypeError
    return [x for key in keys for x in _in_order(given[key], expected[key])]


def _skeleton(structure: object) -> str:
    """The structure with an asterisk for each array."""
    return str(jax.tree.structure(structure)).removeprefix("PyTreeDef(").removesuffix(")")


class _Reader:
    """A file being read."""

    def __init__(self, file: zipfile.ZipFile, path: str):
        self.file = file
        self.members = {member.filename: member for member in file.infolist()}
        size = os.path.getsize(path)
        for name, member in self.members.items():
            if member.compress_type != zipfile.ZIP_STORED or member.file_size > size or member.flag_bits & 1:
                raise _DamagedError(f"the member {name!r} is compressed")

    def artifact(self) -> Artifact:
        metadata = self._metadata()
        variables = {name: self._variable(name, entry) for name, entry in metadata["variables"].items()}
        endpoints = {name: self._endpoint(name, entry, variables) for name, entry in metadata["endpoints"].items()}
        collections = {name: [variables[n] for n in names] for name, names in metadata["collections"].items()}
        tracked = [variables[name] for name, entry in metadata["variables"].items() if entry["tracked"]]
        return Artifact(endpoints, collections, tracked)

    def _read(self, name: str, most: float = math.inf) -> bytes:
        if name not in self.members:
            raise _DamagedError(f"{name!r} is missing")
        if self.members[name].file_size > most:
            raise _DamagedError(f"{name!r} is impossibly large")
        return self.file.read(self.members[name])

    def _metadata(self) -> Record:
        try:
            text = self._read(archive.METADATA, _MOST_METADATA)
            budget.take("objects", budget.cost_of_json(text), archive.METADATA)
            metadata = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise _DamagedError(f"{archive.METADATA} is not JSON: {error}") from error
        if not isinstance(metadata, dict) or metadata.get("format") != archive.FORMAT:
            raise _DamagedError(f"its metadata does not name the format {archive.FORMAT!r}")
        if metadata.get("format_version") != archive.FORMAT_VERSION:
            raise _DamagedError(
                f"its format has the version {metadata.get('format_version')!r}, and this cornu reads version "
                f"{archive.FORMAT_VERSION}"
            )
        if not _fits(metadata, _SCHEMA):
            raise _DamagedError("its metadata does not have the required structure")
        return metadata

    def _variable(self, name: str, entry: ConfigDict) -> Variable:
        try:
            dtype = jnp.dtype(dtypes.standardize_dtype(entry["dtype"]))
        except (TypeError, ValueError) as error:
            raise _DamagedError(f"the dtype of {name!r} is unknown: {error}") from error
        array = self._array(f"weights/{name}.npy")
        if array.dtype != stablehlo.stored_dtype(dtype):
            raise _DamagedError(f"{name!r} is stored as {array.dtype}, but its metadata says {dtype}")
        value = stablehlo.from_bits(jnp.asarray(array), dtype)
        variable = Variable(value, trainable=entry["trainable"], name=name.rpartition("/")[2] or "variable")
        variable.path = name
        return variable

    def _array(self, name: str) -> np.ndarray:
        content = self._read(name)
        try:
            return plain_npz.array(content, repr(name))
        except ValueError as error:
            raise _DamagedError(str(error)) from error

    def _endpoint(self, name: str, entry: ConfigDict, variables: dict[str, Variable]) -> Endpoint:
        content = self._read(f"endpoints/{name}")
        if hashlib.sha256(content).hexdigest() != entry["sha256"]:
            raise _DamagedError(f"the endpoint {name!r} is not the program that was written")
        try:
            exported = export.deserialize(bytearray(content))
            (weights, *arguments), keywords = jax.tree.unflatten(exported.in_tree, list(exported.in_avals))
            _, changes = jax.tree.unflatten(exported.out_tree, list(exported.out_avals))
            program = exported.mlir_module()
        except Exception as error:
            raise _DamagedError(f"JAX cannot read the endpoint {name!r}: {error}") from error
        taken = {n: variables[n] for n in entry["variables"]}
        wanted = {n: (v.shape, stablehlo.stored_spec(v).dtype) for n, v in taken.items()}
        if keywords or {n: (a.shape, a.dtype) for n, a in weights.items()} != wanted or not set(changes) <= set(taken):
            raise _DamagedError(f"the endpoint {name!r} does not match the variables in the file")
        if len(jax.tree.leaves(arguments)) != len(entry["inputs"]):
            raise _DamagedError(f"the endpoint {name!r} does not match the inputs in its metadata")
        for called in map("".join, _CALL.findall(program)):
            if not _LIBRARIES.fullmatch(called):
                raise _DamagedError(f"the endpoint {name!r} calls {called!r}, which is not a part of XLA or JAX")
        return Endpoint(name, exported, taken, entry)


_ARRAY = {"name": str, "shape": [(int, str)], "dtype": str}
_SCHEMA = {
    "endpoints": {
        str: {"inputs": [_ARRAY], "outputs": [_ARRAY], "variables": [str], "platforms": [str], "sha256": str}
    },
    "variables": {str: {"dtype": str, "trainable": bool, "tracked": bool}},
    "collections": {str: [str]},
}


def _fits(value: Nested, form: Any) -> bool:
    """Whether plain data matches a schema: a type, a tuple of them, `[form of each]`, `{str: form of each}` or keys."""
    if isinstance(form, list):
        return isinstance(value, list) and all(_fits(item, form[0]) for item in value)
    if isinstance(form, dict) and str in form:
        return isinstance(value, dict) and all(_fits(item, form[str]) for item in value.values())
    if isinstance(form, dict):
        return isinstance(value, dict) and all(key in value and _fits(value[key], form[key]) for key in form)
    return isinstance(value, form)
