"""Well-formed files that ask for much where there is no config: HDF5, safetensors, pickles, NumPy's files, archives.

Each is what its format allows: far more than its bytes stand for, the same bytes under many names, sizes that multiply,
depth without end, names as long as they may be. `hostile` does the same with configs.
"""

import io
import json
import pickle
import random
import struct
import tarfile
import zipfile
from typing import Any

import h5py
import numpy as np

from tests.fuzz.hostile import STEERING, zip_packed

_SIZES = (0, 1, 2**20, 2**31 - 1, 2**32, 2**40, 2**62, 2**63 - 1)


# ---------------------------------------------------------------- HDF5


def h5_asking_much(content: bytes, rng: random.Random) -> bytes:
    """A weights file in which one thing is far larger than its bytes, or far more tangled."""
    with h5_in_memory(content, rng.choice(("earliest", "latest"))) as file:
        rng.choice(_H5)(file, rng)
        return h5_content(file)


def h5_in_memory(content: bytes, libver: str = "earliest") -> h5py.File:
    """An HDF5 file that can be changed, without a file."""
    return h5py.File.in_memory(content, block_size=2**16, libver=libver)


def h5_content(file: h5py.File) -> bytes:
    """The bytes of an open file."""
    file.flush()
    return file.id.get_file_image()


def _array(file: h5py.File, rng: random.Random) -> tuple[str, dict[str, Any]]:
    """The path of an array, now free, and the attributes that it had."""
    names: list[str] = []
    file.visititems(lambda name, node: names.append(name) if isinstance(node, h5py.Dataset) else None)
    name = rng.choice(names or ["vars/0"])
    attributes = dict(file[name].attrs) if name in file else {}
    if names:
        del file[name]
    return name, attributes


def _zeros(file: h5py.File, rng: random.Random) -> None:
    """Zeros, which are packed well."""
    name, attributes = _array(file, rng)
    side = rng.choice((100, 1000, 3000, 5000))
    shape = (side, side) if rng.random() < 0.7 else (side * side,)
    made = file.create_dataset(name, shape, "f4", compression="gzip", chunks=True)
    made.attrs.update(attributes)
    if side <= 1000:
        made[...] = np.zeros(shape, "f4")


def _filters(file: h5py.File, rng: random.Random) -> None:
    """A row of filters, some of them twice, some unknown."""
    name, attributes = _array(file, rng)
    side = rng.choice((4, 64, 512))
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk((side, rng.choice((1, side, side))))
    for _ in range(rng.choice((1, 2, 3, 30))):
        kind = rng.choice((h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32, 305))
        values = (rng.choice((1, 9)),) if kind == h5py.h5z.FILTER_DEFLATE else ()
        properties.set_filter(kind, h5py.h5z.FLAG_OPTIONAL, values)
    space = h5py.h5s.create_simple((side, side))
    made = h5py.Dataset(h5py.h5d.create(file.id, name.encode(), h5py.h5t.IEEE_F32LE, space, properties))
    made.attrs.update(attributes)
    if rng.random() < 0.7:
        made[...] = np.zeros((side, side), "f4")


def _chunk(file: h5py.File, rng: random.Random) -> None:
    """A huge chunk around a small array, or an array of huge size with little or nothing written, that may grow."""
    name, attributes = _array(file, rng)
    side = rng.choice((2**10, 2**13, 2**20))
    packed = rng.choice(({}, {"compression": "gzip"}, {"fillvalue": 7.0}))
    small = rng.random() < 0.5 and side < 2**14
    shape, chunks = ((3, 4), (side, side)) if small else ((side, side), (16, 16))
    made = file.create_dataset(name, shape, "f4", chunks=chunks, maxshape=(None, None), **packed)
    made.attrs.update(attributes)
    if not small:
        made[:16, :16] = 1.0


def _types(file: h5py.File, rng: random.Random) -> None:
    """A type that NumPy has, or has not, and numbers are not made of."""
    name, attributes = _array(file, rng)
    kinds = (
        np.dtype([("a", "f4"), ("b", "f8", (100, 100))]), np.dtype("V1000000"), np.dtype("S1000000"), "f2", ">f8",
        "c16", "u8", "i1", "bool", h5py.vlen_dtype("f4"), h5py.string_dtype(), h5py.enum_dtype({"a": 1}, "i4"),
        h5py.ref_dtype, np.dtype(("f4", (1000, 1000))),
    )  # fmt: skip
    made = file.create_dataset(name, rng.choice(((3,), (4, 3), (), (0,), (1000,))), rng.choice(kinds))
    made.attrs.update(attributes)


def _groups(file: h5py.File, rng: random.Random) -> None:
    """Groups by the hundred, side by side or within each other."""
    count = rng.choice((10, 100, 300))
    name = rng.choice(("layers", "x" * 1000, "a b", "é", "vars"))
    if rng.random() < 0.5:
        for number in range(count):
            file.create_group(f"{name * 3}/{number}/vars")
    else:
        file.create_group(f"{name}/" * min(count, 30000 // len(name)) + "vars")


def _one_array(file: h5py.File, rng: random.Random) -> None:
    """One array, or group, in the place of all, or of its own group."""
    names: list[str] = []
    file.visit(names.append)
    first = rng.choice(names or ["/"])
    for name in rng.sample(names, min(len(names), 4)):
        if name in file and first in file and not f"{first}/".startswith(f"{name}/"):
            del file[name]
            file[name] = rng.choice((file[first], h5py.SoftLink(f"/{first}")))


def _attributes(file: h5py.File, rng: random.Random) -> None:
    """Attributes by the hundred, long ones, or the list of an older file with its entries many times."""
    lists = [
        (holder, key) for holder in _holders(file) for key in ("layer_names", "weight_names") if key in holder.attrs
    ]
    if lists and rng.random() < 0.7:
        holder, key = rng.choice(lists)
        entries = list(holder.attrs[key]) or [b"x"]
        entries = rng.choice((entries * rng.choice((2, 30)), entries[::-1], [*entries, b"/"], [b"x" * 1000], [b".."]))
        holder.attrs[key] = np.array(entries[:500])
        return
    holder = rng.choice(_holders(file))
    for number in range(rng.choice((1, 30, 200))):
        holder.attrs[f"attribute{number}"] = rng.choice((1, "x" * 60000, np.zeros(7000), h5py.Empty("f4")))
    for key in ("name", "keras_version", "backend", "dtype"):
        holder.attrs[key] = rng.choice((*STEERING, "9" * 60000, "bfloat16", "theano", 3))


def _holders(file: h5py.File) -> list[Any]:
    found = [file]
    file.visititems(lambda name, node: found.append(node) if len(found) < 50 else None)
    return found


_H5 = (_zeros, _filters, _chunk, _types, _groups, _one_array, _attributes)


# ---------------------------------------------------------------- safetensors


def safetensors_asking_much(content: bytes, rng: random.Random) -> bytes:
    """A file whose header claims much of the numbers behind it."""
    size = int.from_bytes(content[:8], "little")
    header, numbers = json.loads(content[8 : 8 + size]), content[8 + size :]
    names = [name for name in header if name != "__metadata__"]
    entry = header[rng.choice(names)]
    kind = rng.randrange(7)
    if kind == 0:
        entry["shape"] = rng.choice(
            ([rng.choice(_SIZES)], [2**32, 2**32], [0, 2**62], [1] * 1000, [-1, -4], [3.0], [True])
        )
    elif kind == 1:
        entry["data_offsets"] = rng.choice(
            ([0, len(numbers)], [0, 0], [len(numbers), 0], [-8, 8], [0, 2**63], [0.0, 4.0])
        )
    elif kind == 2:
        entry["dtype"] = rng.choice(
            ("F8_E4M3", "F8_E5M2", "F64", "I64", "BOOL", "C64", "F4", "O", "U300000000", "f4", 7)
        )
    elif kind == 3:
        for number in range(rng.choice((100, 3000))):
            header[f"{'n' * 30}{number}"] = rng.choice((entry, {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}))
    elif kind == 4:
        header["__metadata__"] = rng.choice(({"a": "b" * 10**5}, {"a": 1}, [], {str(n): "" for n in range(3000)}))
    elif kind == 5:
        header = {rng.choice((*STEERING, "..", "/x", "")) + name: value for name, value in header.items()}
    else:
        numbers += bytes(rng.choice((1, 4, 10**6)))
    text = json.dumps(header).encode() + b" " * rng.choice((0, 3, 10**5))
    if rng.random() < 0.2:  # a name twice
        text = text.replace(b"{", b'{"' + names[0].encode() + b'": ' + json.dumps(entry).encode() + b", ", 1)
    return len(text).to_bytes(8, "little") + text + numbers


# ---------------------------------------------------------------- NumPy's files


def npz_asking_much(content: bytes, rng: random.Random) -> bytes:
    """An archive of arrays, one of which has a header of its own."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(list(members))
    kind = rng.randrange(4)
    if kind == 0:
        members[name] = _npy(rng)
    elif kind == 1:
        side = rng.choice((100, 2000))
        buffer = io.BytesIO()
        np.save(buffer, np.zeros((side, side), rng.choice(("f4", "u1", "f8"))))
        members[name] = buffer.getvalue()
    elif kind == 2:
        members |= {f"{'n' * 100}{number}.npy": members[name] for number in range(rng.choice((10, 300)))}
    elif "structure.npy" in members:
        text = _much_json(rng).encode()
        members["structure.npy"] = _npy(rng, text, f"({len(text)},)", "|u1")
    else:
        members[name] = _npy(rng, pickle_asking_much(b"", rng), "(3,)", "|O")
    return zip_packed(members)


def _npy(rng: random.Random, numbers: bytes = bytes(64), shape: str = "", dtype: str = "") -> bytes:
    shape = shape or rng.choice(
        (
            "(10**9,)",
            "(1000000000,)",
            "(0, 9223372036854775807)",
            "(-4, -4)",
            "(4,4," + "1," * 90 + ")",
            "(4.0, 4)",
            "(True,)*16",
        )
    )
    dtype = dtype or rng.choice(("<f4", "|O", "U300000000", "V64", "|S1000000000", "(1000,1000)f4", "f4,f4", "<M8[s]"))
    shown = repr(dtype)
    header = f"{{'descr': {shown}, 'fortran_order': {rng.choice(('False', 'True', '1'))}, 'shape': {shape}, }}"
    header = rng.choice((header, header, header + " " * 5000, "(" * 500 + ")" * 500, "-" * 9000 + "1"))
    form, version = rng.choice((("<H", b"\x01\x00"), ("<I", b"\x02\x00"), ("<I", b"\x03\x00")))
    return b"\x93NUMPY" + version + struct.pack(form, len(header)) + header.encode() + numbers


def _much_json(rng: random.Random) -> str:
    depth = rng.choice((10, 900, 10**5))
    deep = "[" * depth + "]" * depth
    array = json.dumps({"__array__": rng.choice((0, 10**9, -1, "0", [0]))})
    items = json.dumps({"__items__": rng.choice(([[[1], 2]], [[{"a": 1}, 2]], [1], [[1, 2, 3]], 7))})
    many = "[" + ",".join([array] * rng.choice((10, 10**4))) + "]"
    return rng.choice(
        (
            deep,
            array,
            items,
            many,
            '{"__bytes__": 3}',
            '{"__tuple__": {}}',
            "1" * 10**5,
            "NaN",
            "[" + "1e999," * 99 + "0]",
        )
    )


# ---------------------------------------------------------------- pickles


def pickle_asking_much(content: bytes, rng: random.Random) -> bytes:
    """A program that makes plain data, but much of it, or in a tangle."""
    return b"\x80\x04" + rng.choice(_PICKLES)(rng) + b"."


def _doublings(rng: random.Random) -> bytes:
    """A list of two of the list before, and so on."""
    return (
        b"]q\x00"
        + b"h\x00"
        + b"".join(b"0]q%c(h%ch%ce" % (n, n - 1, n - 1) for n in range(1, rng.choice((5, 40, 200))))
    )


def _in_itself(rng: random.Random) -> bytes:
    return rng.choice((b"]q\x00h\x00a", b"}q\x00K\x01h\x00s", b"]q\x00(h\x00h\x00h\x00e", b"]q\x00h\x00\x85q\x01a"))


def _deep(rng: random.Random) -> bytes:
    depth = rng.choice((10, 1000, 10**5))
    return rng.choice(
        (b"]" * depth + b"a" * (depth - 1), b"K\x01" + b"\x85" * depth, b"(" * depth + b"t" * depth, b"}" * depth)
    )


def _keys(rng: random.Random) -> bytes:
    """A dictionary with keys of one hash, or such that cannot be one."""
    if rng.random() < 0.5:
        return b"}(" + b"".join(b"\x8a\x08" + (n * (2**61 - 1)).to_bytes(8, "little") + b"N" for n in range(4)) + b"u"
    return b"}(" + rng.choice((b"]N", b"}N", b"K\x01\x85NK\x01\x85N", b"NN" * 10**4, b"]\x85N")) + b"u"


def _arrays(rng: random.Random) -> bytes:
    """An array whose values are many references, or whose shape is not theirs."""
    buffer = io.BytesIO()
    value = np.empty(rng.choice((1, 1000)), object)
    value[:] = [list(range(rng.choice((0, 10))))] * len(value)
    array = rng.choice(
        (
            value,
            np.zeros((rng.choice((0, 3, 1000)), 7)),
            np.float32(3),
            np.zeros(3, "M8[s]"),
            np.arange(6).reshape(2, 3).T,
        )
    )
    pickle.Pickler(buffer, rng.choice((2, 4))).dump([array] * rng.choice((1, 500)))
    content = buffer.getvalue()[:-1].removeprefix(b"\x80\x02").removeprefix(b"\x80\x04")
    return content if rng.random() < 0.5 else content.replace(b"K\x07", b"K\x08").replace(b"M\xe8\x03", b"M\xff\xff")


def _texts(rng: random.Random) -> bytes:
    size = rng.choice(_SIZES)
    return rng.choice((b"\x8d", b"\x8e", b"\x96")) + size.to_bytes(8, "little") + b"x" * rng.choice((0, 1, 2**20))


_PICKLES = (_doublings, _in_itself, _deep, _keys, _arrays, _texts)


# ---------------------------------------------------------------- archives

_FAST: dict[str, dict[str, Any]] = {"w:gz": {"compresslevel": 1}, "w:xz": {"preset": 0}}


def archive_asking_much(content: bytes, rng: random.Random) -> bytes:
    """A zip archive of many members, long or deep names, much in few bytes, or one part under several names."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    kind = rng.randrange(6)
    if kind == 0:
        members |= {f"many/{number}.txt": b"" for number in range(rng.choice((100, 1000)))}
    elif kind == 1:
        members["a/" * rng.choice((10, 100, 3000)) + "x"] = b"x"
    elif kind == 2:
        members[rng.choice(STEERING) + "x"] = b"x"
    elif kind == 3:
        members["zeros"] = bytes(rng.choice((10**4, 10**6, 10**7)))
    elif kind == 4:
        members |= {"case": b"1", "CASE": b"2", "case/": b"", "dot.": b"3", "dot": b"4", "con": b"5", "x" * 255: b"6"}
    else:
        members["inner.zip"] = zip_packed({"zeros": bytes(10**6)})
    packed = zip_packed(members)
    return packed if rng.random() < 0.7 else _overlapping(packed)


def _overlapping(content: bytes) -> bytes:
    """All members at the place of the first one."""
    buffer = io.BytesIO(content)
    with zipfile.ZipFile(buffer, "a") as archive:
        for member in archive.infolist()[1:]:
            first = archive.infolist()[0]
            member.header_offset, member.CRC = first.header_offset, first.CRC
            member.file_size, member.compress_size = first.file_size, first.compress_size
        archive._didModify = True  # so that the table of contents is written again
    return buffer.getvalue()


def tar_asking_much(content: bytes, rng: random.Random) -> bytes:
    """A tar archive of many members, of a size that the archive has not, or of chains of links."""
    buffer = io.BytesIO()
    mode, form = rng.choice(("w", "w:gz", "w:xz")), rng.choice((0, 1, 2))
    with tarfile.open(fileobj=buffer, mode=mode, format=form, **_FAST.get(mode, {})) as archive:
        for number in range(rng.choice((1, 30, 300))):
            name = rng.choice(
                (f"x{number}", "a/" * 60 + f"{number}", f"{'y' * 90}{number}", rng.choice(STEERING)[:9] + "z")
            )
            member = tarfile.TarInfo(name)
            member.size = rng.choice((0, 5, 5, 10**5))
            member.mode, member.mtime = rng.choice((0o644, 0o4777, 0)), rng.choice((0, 2**33, -1))
            kind = rng.random()
            if kind < 0.2:
                member.type, member.linkname, member.size = rng.choice((b"1", b"2")), f"x{number - 1}", 0
            archive.addfile(member, io.BytesIO(bytes(member.size)))
        if rng.random() < 0.3:
            sparse = tarfile.TarInfo("sparse")
            sparse.pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.size": str(2**40), "GNU.sparse.map": "0,0"}
            archive.addfile(sparse)
    return buffer.getvalue()
