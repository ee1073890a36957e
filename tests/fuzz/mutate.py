"""Changes of good files at random: of bytes, of the data that JSON holds, of what HDF5, zip and tar files are made of.

Half of the others are well formed and ask for much (`hostile`, `hostile_bytes`).

JSON is changed wherever a format keeps it: in files, in attributes of HDF5, in the header of safetensors.
"""

import bz2
import copy
import functools
import gzip
import hashlib
import io
import json
import lzma
import random
import tarfile
import zipfile
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np

from cornu import layers
from cornu.core import function_code
from tests.fuzz import hostile, hostile_bytes

_STRANGE = (
    None, True, False, -1, 0, 1, 2, 3, 7, 1.5, -0.0, 1e308, float("nan"), float("inf"), 2**31, 2**63, 10**9, 10**12,
    10**30, "", "relu", "..", "../../x", "/etc/passwd", "a" * 10**5, "\ud800", "\0", [], {}, [None], [[[[]]]],
    [0, 0, 0], "float16", "int8", "string", "channels_first", "same", "valid", "causal", "__tuple__",
    [10**6, 10**6],
)  # fmt: skip
_CODE = json.loads(json.dumps(function_code.Written(lambda x: x)))
_GADGETS = (
    _CODE,
    {
        "class_name": "Lambda",
        "config": {"name": "l", "function_type": "lambda", "function": list(_CODE["config"].values())},
        "inbound_nodes": [],
    },
    {
        "module": "keras.layers",
        "class_name": "Lambda",
        "registered_name": None,
        "config": {"name": "l", "function": _CODE},
    },
    {"module": "os", "class_name": "system", "config": "echo", "registered_name": None},
    {"module": "builtins", "class_name": "function", "config": "eval", "registered_name": "function"},
    {"module": "keras.models", "class_name": "function", "config": "load_model", "registered_name": "function"},
    {"module": "keras.config", "class_name": "enable_unsafe_deserialization", "config": {}, "registered_name": None},
    {"class_name": "__lambda__", "config": {"code": "4wEAAAA=", "defaults": None, "closure": None}},
    {"class_name": "__numpy__", "config": {"value": [1], "dtype": "object"}},
    {"class_name": "__tensor__", "config": {"value": [[1], [2, 3]], "dtype": "float32"}},
    {"class_name": "__slice__", "config": {"start": 0}},
    {"class_name": "__tuple__", "items": [1, 2]},
    {
        "module": "keras.dtype_policies",
        "class_name": "DTypePolicyMap",
        "registered_name": None,
        "config": {
            "default_policy": None,
            "policy_map": {
                "(.+)+!": {
                    "module": "keras",
                    "class_name": "DTypePolicy",
                    "config": {"name": "float32"},
                    "registered_name": None,
                }
            },
        },
    },
    {"module": "keras.optimizers", "class_name": "Muon", "config": {"exclude_layers": ["(.+)+!"]}},
    {"module": "keras.layers", "class_name": "TorchModuleWrapper", "config": {"module": "gASV"}},
)


def mutate(content: bytes, inside: str, rng: random.Random, others: list[bytes]) -> tuple[bytes, str]:
    """A changed copy of a file, and what kind of change that is.

    Args:
        content: the good file.
        inside: what it is made of, a key of `_INSIDE`.
        rng: the source of chance.
        others: good files of the same format, whose parts may be mixed in.
    """
    chance = rng.random()
    if chance < 0.3:
        return _bytes(content, rng, others), "bytes"
    try:
        if chance < 0.65:
            return _MUCH[inside](content, rng), "much"
        return _INSIDE[inside](content, rng, others), "parts"
    except (ValueError, OSError, LookupError, TypeError, RuntimeError):  # what cannot even be written
        return _bytes(content, rng, others), "bytes"


# ---------------------------------------------------------------- bytes


def _bytes(content: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        if not changed:
            break
        at = rng.randrange(len(changed))
        kind = rng.randrange(7)
        if kind == 0:
            changed[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            changed[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif kind == 2:
            del changed[at:]
        elif kind == 3:
            del changed[at : at + rng.randrange(1, 64)]
        elif kind == 4:
            changed[at:at] = rng.randbytes(rng.randrange(1, 64))
        elif kind == 5:
            number = rng.choice((2**31 - 1, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1)).to_bytes(8, "little")
            changed[at : at + 8] = number[: rng.choice((4, 8))]
        else:
            other = rng.choice(others)
            start = rng.randrange(len(other))
            part = other[start : start + rng.randrange(1, 4096)]
            changed[at : at + len(part)] = part
    return bytes(changed)


# ---------------------------------------------------------------- JSON


def _json(content: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    data = json.loads(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        data = _changed(data, rng)
    return json.dumps(data).encode()


def _changed(data: Any, rng: random.Random) -> Any:
    places = [(holder, key) for holder in hostile.holders(data) for key in _keys(holder)]
    if not places:
        return copy.deepcopy(rng.choice(_STRANGE))
    holder, key = rng.choice(places)
    kind = rng.randrange(8)
    if kind <= 2:
        holder[key] = copy.deepcopy(rng.choice(_STRANGE))
    elif kind == 3:
        del holder[key]
    elif kind == 4:
        other, there = rng.choice(places)
        holder[key] = copy.deepcopy(other[there])
    elif kind == 5 and isinstance(holder, list):
        holder.insert(rng.randrange(len(holder) + 1), copy.deepcopy(holder[key]))
    elif kind == 5:
        holder[rng.choice(("name", "class_name", "config", "build_config", "call", "x" * 9))] = holder[key]
    elif kind == 6:
        named = [one for one in hostile.holders(data) if isinstance(one, dict) and "class_name" in one]
        if named:
            rng.choice(named)["class_name"] = rng.choice(layers.__all__)
    elif rng.random() < 0.7:
        holder[key] = copy.deepcopy(rng.choice(_GADGETS))
    else:
        holder[key] = _nested(holder[key], rng.choice((10, 100, 300)), rng)
    return data


def _nested(value: Any, depth: int, rng: random.Random) -> Any:
    wrap = rng.choice((lambda v: [v], lambda v: {"a": v}, lambda v: {"class_name": "__tuple__", "items": [v]}))
    for _ in range(depth):
        value = wrap(value)
    return value


def _keys(holder: Any) -> list:
    return list(holder) if isinstance(holder, dict) else list(range(len(holder)))


# ---------------------------------------------------------------- HDF5


def _h5(content: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    with hostile_bytes.h5_in_memory(content) as file:
        texts = [key for key in ("model_config", "training_config") if key in file.attrs]
        for _ in range(rng.choice((1, 1, 2))):
            names: list[str] = []
            file.visit(names.append)
            if texts and rng.random() < 0.6:
                key = texts[rng.random() < 0.3 and len(texts) > 1]
                file.attrs[key] = _json(file.attrs[key], rng, others).decode()
            elif names:
                _change_node(file, rng.choice(names), names, rng)
        return hostile_bytes.h5_content(file)


def _change_node(file: Any, name: str, names: list[str], rng: random.Random) -> None:
    node, kind = file[name], rng.randrange(10)
    if kind <= 2 and isinstance(node, h5py.Dataset):
        attributes = dict(node.attrs)
        del file[name]
        shape = rng.choice((node.shape, (1,), (), (0,), (2, 2), (10**6, 10**6), (*node.shape, 1), node.shape[::-1]))
        dtype = rng.choice((node.dtype, "f8", ">f4", "i1", "bool", "c8", h5py.string_dtype(), h5py.ref_dtype, "S5"))
        packed = rng.choice(({}, {"compression": "gzip"}, {"compression": "lzf", "shuffle": True}, {"scaleoffset": 0}))
        packed = {} if "scaleoffset" in packed and np.dtype(dtype).kind not in "iu" else packed
        made = file.create_dataset(name, shape, dtype, **(packed if shape and 0 not in shape else {}))
        made.attrs.update(attributes)
    elif kind == 3:
        del file[name]
    elif kind == 4:
        file.move(name, f"{name}_{rng.randrange(3)}")
    elif kind == 5:
        del file[name]
        file[name] = rng.choice((h5py.SoftLink("/"), h5py.SoftLink(f"/{name}"), h5py.ExternalLink("/etc/passwd", "/x")))
    elif kind == 6:
        holder = node if isinstance(node, h5py.Group) else node.parent
        holder[f"again{rng.randrange(9)}"] = file[rng.choice((*names, "/"))]
    elif kind == 7:
        key = rng.choice((*node.attrs, "dtype", "name", "layer_names", "weight_names"))
        node.attrs[key] = rng.choice(
            (1, "bfloat16", b"\xff", np.zeros(3), [b"a", b"b"], "x" * 10**4, h5py.Empty("f4"), file.ref)
        )
    elif kind == 8:
        for key in list(node.attrs):
            del node.attrs[key]
    else:
        file.create_group(f"{name}_more/vars") if isinstance(node, h5py.Group) else node.attrs.create(
            "dtype", "bfloat16"
        )


# ---------------------------------------------------------------- safetensors


def _safetensors(content: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    size = int.from_bytes(content[:8], "little")
    header = _json(content[8 : 8 + size], rng, others)
    numbers = content[8 + size :]
    if rng.random() < 0.2:
        numbers = _bytes(numbers, rng, others)
    return len(header).to_bytes(8, "little") + header + numbers


# ---------------------------------------------------------------- tar

_PACKERS: dict[bytes, tuple[Callable, Callable]] = {
    b"\x1f\x8b": (gzip.decompress, gzip.compress),
    b"BZh": (bz2.decompress, bz2.compress),
    b"\xfd7zXZ": (lzma.decompress, functools.partial(lzma.compress, preset=0)),
}


def _tar(content: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    mark = next((mark for mark in _PACKERS if content.startswith(mark)), None)
    unpack, pack = _PACKERS.get(mark, (bytes, bytes))
    plain = unpack(content)
    return pack(_bytes(plain, rng, [plain]) if rng.random() < 0.4 else _with_a_member(plain, rng))


def _with_a_member(content: bytes, rng: random.Random) -> bytes:
    """The archive with one member more, among the others."""
    buffer = io.BytesIO()
    strange = tarfile.TarInfo(
        rng.choice(("../x", "/x", "a/../../x", "folder", "folder/0.txt", "\udc80", "x" * 300, ""))
    )
    strange.type = rng.choice((tarfile.REGTYPE, *(bytes([kind]) for kind in b"1234567LKxgS\0V")))
    strange.linkname = rng.choice(("", "/etc/passwd", "..", "folder", "y" * 300))
    strange.pax_headers = rng.choice(({}, {"path": "../y"}, {"size": "10000000000"}, {"GNU.sparse.major": "1"}))
    with tarfile.open(fileobj=io.BytesIO(content)) as old, tarfile.open(fileobj=buffer, mode="w") as new:
        members = old.getmembers()
        place = rng.randrange(len(members) + 1)
        for index, member in enumerate(members):
            if index == place:
                strange.size = 5
                new.addfile(strange, io.BytesIO(b"12345"))
            new.addfile(member, old.extractfile(member))
        if place == len(members):
            new.addfile(strange)
    return buffer.getvalue()


# ---------------------------------------------------------------- zip


def _zip(content: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    members, other = _members(content), rng.choice(others)
    name = rng.choice([*members, *[name for name in members if name == "config.json"] * 3])
    kind = rng.randrange(10)
    if kind <= 5 and name.endswith(".json"):
        members[name] = _json(members[name], rng, others)
    elif kind <= 5 and name.endswith(".h5"):
        members[name] = (_h5 if rng.random() < 0.5 else _bytes)(members[name], rng, [members[name]])
    elif kind <= 6:
        members[name] = _bytes(members[name], rng, list(members.values())) if members[name] else b"x"
    elif kind == 7:
        del members[name]
    elif kind == 8:
        members[rng.choice(("../x", "/x", "assets/../../x", "assets/layers/..", "a\\..\\b", f"{name}/x"))] = b"x"
    else:
        members |= _members(other)
    return _written(members, rng)


def _sealed(content: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    """An exported model, changed, whose checksums mostly fit again."""
    members = _members(content)
    name = rng.choice([*members, *[name for name in members if name.startswith("endpoints/")] * 4])
    if name.endswith(".json"):
        members[name] = _json(members[name], rng, others)
    else:
        members[name] = _bytes(members[name], rng, [members[name]])
        metadata = json.loads(members["metadata.json"])
        for entry in metadata["endpoints"]:
            seal = hashlib.sha256(members[f"endpoints/{entry}"]).hexdigest()
            metadata["endpoints"][entry]["sha256"] = seal
        members["metadata.json"] = json.dumps(metadata).encode()
    return _stored(members)


def _stored(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _members(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _written(members: dict[str, bytes], rng: random.Random) -> bytes:
    buffer = io.BytesIO()
    method = rng.choice((*[zipfile.ZIP_STORED] * 6, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA))
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


# ---------------------------------------------------------------- well formed


def _json_much(content: bytes, rng: random.Random) -> bytes:
    return json.dumps(hostile.json_asking_much(json.loads(content), rng)).encode()


def _h5_much(content: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.8:
        with hostile_bytes.h5_in_memory(content) as file:
            keys = [key for key in ("model_config", "training_config") if key in file.attrs]
            if keys:
                key = rng.choice(keys)
                file.attrs[key] = _json_much(file.attrs[key], rng).decode()
                return hostile_bytes.h5_content(file)
    return hostile_bytes.h5_asking_much(content, rng)


def _zip_much(content: bytes, rng: random.Random) -> bytes:
    """What is in one member, or in several: limits of each could multiply."""
    members = _members(content)
    for name in rng.sample(list(members), rng.choice((1, 1, 2, len(members)))):
        if name.endswith(".txt"):
            members[name] = hostile.text_asking_much(members[name], rng)
        elif name.endswith(".json"):
            members[name] = _json_much(members[name], rng)
        elif name.endswith(".h5"):
            members[name] = hostile_bytes.h5_asking_much(members[name], rng)
    return hostile.zip_packed(members) if rng.random() < 0.7 else _written(members, rng)


def _export_much(content: bytes, rng: random.Random) -> bytes:
    members = _members(content)
    members["metadata.json"] = _json_much(members["metadata.json"], rng)
    return _stored(members)


_MUCH: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "archive": hostile_bytes.archive_asking_much, "export": _export_much, "h5": _h5_much, "json": _json_much,
    "npz": hostile_bytes.npz_asking_much, "pickle": hostile_bytes.pickle_asking_much, "zip": _zip_much,
    "safetensors": hostile_bytes.safetensors_asking_much, "tar": hostile_bytes.tar_asking_much,
}  # fmt: skip
_INSIDE = {
    "archive": _zip, "export": _sealed, "h5": _h5, "json": _json, "npz": _zip, "pickle": _bytes, "tar": _tar,
    "safetensors": _safetensors, "zip": _zip,
}  # fmt: skip
