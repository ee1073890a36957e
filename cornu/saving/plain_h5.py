"""Safe reading of HDF5: only data that the file itself contains, and no more than its size accounts for.

HDF5 can refer to other files: soft and external links, external and virtual datasets. It can have one object under many
names, claim any size, and name filters to be loaded from libraries. None of that is followed.

Writing goes through a Python file, so that an HDF5 file can be embedded in another one, and a full disk is reported.
"""

from __future__ import annotations

import io
import math
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from cornu import lazy
from cornu.core import allocation, budget
from cornu.errors import DamagedFileError
from cornu.saving import h5_headers
from cornu.saving.checksum import Sums

if TYPE_CHECKING:
    import h5py
else:
    h5py = lazy.module("h5py")

SIGNATURE = b"\x89HDF\r\n\x1a\n"  # the start of files
MOST_PACKED = 1100  # the maximum compression ratio
_FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 32000: "lzf"}
_HEAP = b"GCOL\1"
_BLOCK = 2**22  # bytes
_MOST_TEXTS = 2**20
_DEEPEST, _LONGEST = 500, 2**14  # groups within each other, and bytes of a path, of which HDF5 keeps several copies
_ENTRY = 200  # bytes that Python needs for one object of a file, without its name
_streams: dict[int, Any] = {}  # the bytes of open files, by the file's id
_unchecked: set[int] = set()  # those whose heaps have not been checked
_NUMBERS = "biufc"  # kinds of dtype
_ALIGNED = 64  # bytes; JAX uses arrays with this alignment without a copy


class Part(io.RawIOBase):
    """The bytes of an open file from `start` on, as a file object; `size` is None if it may grow.

    After a failed write, later ones do nothing and `error` is the cause: HDF5 cannot close a file that it cannot write.
    """

    def __init__(self, file: Any, start: int = 0, size: int | None = None, sums: Sums | None = None):
        self._file, self._start, self._size, self._sums = file, start, size, sums
        self._at = 0
        self.error: OSError | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def writable(self) -> bool:
        return self._size is None

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.end()}[whence]
        return self._at

    def end(self) -> int:
        """The size in bytes."""
        return self._file.seek(0, io.SEEK_END) - self._start if self._size is None else self._size

    def readinto(self, buffer: Any) -> int:
        room = memoryview(buffer).cast("B")[: max(0, self.end() - self._at)]
        self._file.seek(self._start + self._at)
        count = self._file.readinto(room)
        self._at += count
        return count

    def write(self, data: Any) -> int:
        data = memoryview(data).cast("B")
        try:
            if self.error is None:
                self._file.seek(self._start + self._at)
                with self._sums.of(self._at, data) if self._sums is not None else nullcontext():
                    self._file.write(data)
        except OSError as error:
            self.error = error
        self._at += len(data)
        return len(data)

    def truncate(self, size: int | None = None) -> int:
        size = self._at if size is None else size
        try:
            if self.error is None:
                self._file.truncate(self._start + size)
        except OSError as error:
            self.error = error
        return size


@contextmanager
def created(file: object, start: int = 0, sums: Sums | None = None) -> Iterator[h5py.File]:
    """A new HDF5 file, written to an open file from offset `start`.

    Args:
        file: a file open for reading and writing.
        start: the offset.
        sums: accumulates the checksum of what is written.

    Raises:
        OSError: if it cannot be written.
    """
    part = Part(file, start, sums=sums)
    try:
        with h5py.File(part, "w") as made:
            yield made
    finally:
        if part.error is not None:
            raise part.error


@contextmanager
def opened(source: Any, name: str) -> Iterator[h5py.File]:
    """The file at a path or in an open stream, for reading; `name` is its name in error messages.

    Raises:
        ValueError: if it is damaged, which may be noticed only during reading.
    """
    with ExitStack() as stack:
        try:
            if not hasattr(source, "read"):
                budget.opened(os.path.getsize(source))
            file = stack.enter_context(h5py.File(source, "r"))
            stream = source if hasattr(source, "read") else stack.enter_context(open(source, "rb"))
            number = file.id.id
            _streams[number] = stream
            _unchecked.add(number)
            stack.callback(_streams.pop, number, None)
            stack.callback(_unchecked.discard, number)
            yield file
        except (OSError, RuntimeError, KeyError) as error:
            raise DamagedFileError(f"{name} is damaged, or is not an HDF5 file: {error}") from error


# ---------------------------------------------------------------- locating objects


def node(parent: h5py.Group, path: str) -> Any:
    """The object at `path` in the file itself, or None.

    Raises:
        ValueError: if there is a link on the way, or an object with several names.
    """
    if not isinstance(path, str):
        raise DamagedFileError(f"The weights file is damaged: the name {path!r} is not valid text.")
    found: Any = parent.id
    for name in (part.encode() for part in path.split("/") if part):
        if name == b".." or not isinstance(found, h5py.h5g.GroupID) or not found.links.exists(name):
            return None
        if found.links.get_info(name).type != h5py.h5l.TYPE_HARD:
            raise DamagedFileError(
                f"The weights file has a link at {path!r}, which is not allowed: a file must contain its own data."
            )
        found = h5py.h5o.open(found, name)
        if h5py.h5o.get_info(found).rc > 1:
            raise DamagedFileError(f"The weights file has {path!r} under several names, which is not allowed.")
    return _KINDS.get(type(found).__name__, lambda found: found)(found)


# The h5py classes of opened objects; h5py's own lookup would reopen the file each time.
_KINDS: dict[str, Callable[[Any], Any]] = {
    "GroupID": lambda found: h5py.Group(found),  # noqa: PLW0108 - h5py is loaded when it is used
    "DatasetID": lambda found: h5py.Dataset(found, readonly=True),
}


def group(parent: h5py.Group, path: str) -> h5py.Group | None:
    """The group at `path`, or None."""
    found = node(parent, path)
    return found if isinstance(found, h5py.Group) else None


def dataset(parent: h5py.Group, path: str) -> h5py.Dataset:
    """The dataset at `path`.

    Raises:
        ValueError: if there is none, it is not a numeric array, or its data is stored elsewhere.
    """
    found = node(parent, path)
    if not isinstance(found, h5py.Dataset):
        raise DamagedFileError(f"The weights file does not contain a plain array at {parent.name}/{path}.")
    if found.external or found.is_virtual:
        raise DamagedFileError(f"The array {found.name} is stored outside the weights file, which is not allowed.")
    if found.shape is None or (_kind(found) not in _NUMBERS and not _is_bfloat16(found)):
        raise DamagedFileError(f"The weights file does not contain a plain numeric array at {found.name}.")
    return found


def _kind(found: h5py.Dataset) -> str:
    try:
        return found.dtype.kind
    except (TypeError, ValueError):  # a type that NumPy lacks
        return "?"


def _is_bfloat16(found: h5py.Dataset) -> bool:
    """Whether these are bfloat16 bit patterns, for which HDF5 has no type."""
    bits = _kind(found) in "Vu" and found.dtype in (np.dtype("V2"), np.dtype(np.uint16))
    return bits and attribute(found, "dtype") == "bfloat16"


def attribute(holder: h5py.Group, name: str) -> Any:
    """The value of an attribute, or None if missing.

    Raises:
        ValueError: if it claims more data than the file contains, or is neither text nor numeric.
    """
    if name not in holder.attrs:
        return None
    found = holder.attrs.get_id(name)
    plain = h5py.h5t.TypeStringID, h5py.h5t.TypeIntegerID, h5py.h5t.TypeFloatID
    if not isinstance(found.get_type(), plain):  # HDF5 crashes on damaged values of some other types
        raise DamagedFileError(f"The attribute {name!r} of {holder.name} is neither text nor numeric.")
    if found.shape and math.prod(found.shape) * found.dtype.itemsize > holder.file.id.get_filesize():
        raise DamagedFileError(
            f"The attribute {name!r} of {holder.name} claims {found.shape} values, more than the file contains."
        )
    budget.take("objects", math.prod(found.shape or ()) * (_ENTRY + found.dtype.itemsize), f"The attribute {name!r}")
    if found.dtype.kind == "O":
        _check_heaps(holder.file)
        _check_texts(holder, name, math.prod(found.shape or ()))
    return holder.attrs[name]


def _check_texts(holder: h5py.Group, name: str, count: int) -> None:
    """Reject an attribute whose strings claim to be longer than the file."""
    file = holder.file
    stream = _streams.get(file.id.id)
    if stream is None:
        return
    address = h5py.h5o.get_info(holder.id).addr
    claimed = sum(h5_headers.text_lengths(stream, file.userblock_size, address, name, count))
    if claimed > file.id.get_filesize():
        raise DamagedFileError(
            f"The attribute {name!r} of {holder.name} claims {claimed} bytes of text, more than the file contains."
        )
    budget.take("objects", claimed, f"The attribute {name!r} of {holder.name}")


def _check_heaps(file: h5py.File) -> None:
    """Reject string heaps in which HDF5 would loop forever: an object of size zero has no successor."""
    if file.id.id not in _unchecked:
        return
    stream = _streams[file.id.id]
    if file.id.get_create_plist().get_sizes() != (8, 8):
        raise DamagedFileError("The HDF5 file uses an unusual word size, which is not supported.")
    seen: set[int] = set()
    for start, size in _heaps(stream):
        at = start + 16
        while at + 16 <= start + size and at not in seen:
            seen.add(at)
            budget.take("objects", _ENTRY, "The HDF5 file")
            if len(seen) > _MOST_TEXTS:
                raise DamagedFileError("The HDF5 file contains more strings than any model has.")
            stream.seek(at)
            index, length = struct.unpack("<H6xQ", stream.read(16).ljust(16, b"\xff"))
            room = (length if index == 0 else 16 + (length + 7) // 8 * 8) % 2**64
            if room == 0:
                raise DamagedFileError("The HDF5 file is damaged: an object in a heap has size zero.")
            at += room
    _unchecked.discard(file.id.id)  # only now, so that the error is raised again if ignored


def _heaps(stream: Any) -> Iterator[tuple[int, int]]:
    """(start, size) of possible heaps, found by their signature."""
    found, at, rest, end = [], 0, b"", stream.seek(0, io.SEEK_END)
    stream.seek(0)
    while block := stream.read(_BLOCK):
        block = rest + block
        place = block.find(_HEAP)
        while place >= 0:
            found.append(at - len(rest) + place)
            place = block.find(_HEAP, place + 1)
        at += len(block) - len(rest)
        rest = block[-len(_HEAP) + 1 :]
    for start in found:
        stream.seek(start + 8)
        yield start, min(struct.unpack("<Q", stream.read(8).ljust(8, b"\0"))[0], end - start)


# ---------------------------------------------------------------- numbers


def listing(file: h5py.File) -> dict[str | bytes, type]:
    """The contents of the file: each `h5py.Group` or `h5py.Dataset` by its path, bytes if it is not valid text.

    Raises:
        ValueError: if arrays share bytes, since together they may not exceed the file size, if the file has more
            objects than the load has a budget for, or if groups are nested too deeply.
    """
    found: dict[str | bytes, type] = {}
    sizes = []
    for path, node in _walk(file):
        found[_text(path)] = {"GroupID": h5py.Group, "DatasetID": h5py.Dataset}.get(type(node).__name__, type)
        if isinstance(node, h5py.h5d.DatasetID) and not node.get_create_plist().get_external_count():
            sizes.append(node.get_storage_size())
    held = file.id.get_filesize()
    if sum(sizes) > held:
        raise DamagedFileError(f"The arrays of the weights file claim {sum(sizes)} bytes, but the file has {held}.")
    return found


def _walk(file: h5py.File) -> Iterator[tuple[bytes, Any]]:
    """(path, object) of each object but the root, once, without following soft links.

    Each is opened from its group: HDF5's own walk opens each from the root, which takes time and memory that grow with
    the square of the depth.
    """
    seen = {h5py.h5o.get_info(file.id).addr}
    open_groups: list[tuple[bytes, Any, Iterator[bytes]]] = [(b"", file.id, iter(_hard_links(file.id)))]
    while open_groups:
        prefix, holder, names = open_groups[-1]
        name = next(names, None)
        if name is None:
            open_groups.pop()
            continue
        path = prefix + name
        entered(path)
        node = h5py.h5o.open(holder, name)
        info = h5py.h5o.get_info(node)
        if info.rc > 1:
            if info.addr in seen:
                continue
            seen.add(info.addr)
        yield path, node
        if isinstance(node, h5py.h5g.GroupID):
            open_groups.append((path + b"/", node, iter(_hard_links(node))))


def _hard_links(holder: Any) -> list[bytes]:
    names: list[bytes] = []

    def note(name: bytes, info: Any) -> None:
        budget.take("objects", _ENTRY + len(name), "The weights file")
        if info.type == h5py.h5l.TYPE_HARD:
            names.append(name)

    holder.links.iterate(note, info=True)
    return names


def entered(path: bytes) -> None:
    """Take the path of an object from the budget.

    Raises:
        ValueError: if the budget is exceeded, or the path is longer or deeper than those of any model.
    """
    budget.take("objects", _ENTRY + len(path), "The weights file")
    if len(path) > _LONGEST:
        raise DamagedFileError(f"The HDF5 file has a path of more than {_LONGEST:,} bytes, which no model needs.")
    if path.count(b"/") > _DEEPEST:
        raise DamagedFileError(f"The HDF5 file nests groups more than {_DEEPEST} deep, which no model needs.")


def _text(name: bytes) -> str | bytes:
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name


def array(data: h5py.Dataset) -> np.ndarray:
    """The data, after checking that the file contains as much as it claims; a placeholder if values are not needed."""
    _check_size(data)
    chunk = math.prod(data.chunks) * data.dtype.itemsize if data.chunks else 0
    budget.take("numbers", max(data.nbytes, chunk), f"The array {data.name}")
    if not allocation.current().has_values:
        return allocation.placeholder(data.shape, data.dtype)
    value = _read(data)
    if _is_bfloat16(data):
        import ml_dtypes

        return value.view(ml_dtypes.bfloat16)
    return value


def _check_size(data: h5py.Dataset) -> None:
    stored = min(data.id.get_storage_size(), data.file.id.get_filesize())
    packed = 1 if data.chunks is None else MOST_PACKED
    chunk = math.prod(data.chunks or ()) * data.dtype.itemsize if data.chunks else 0
    if data.size and max(data.nbytes, chunk) > stored * packed:
        raise DamagedFileError(f"The array {data.name} claims {data.nbytes} bytes, but the file contains {stored}.")
    properties = data.id.get_create_plist()
    filters = [properties.get_filter(i)[0] for i in range(properties.get_nfilters())]
    if len(set(filters)) < len(filters) or not set(filters) <= _FILTERS.keys():
        raise DamagedFileError(
            f"The array {data.name} uses an unsupported filter. Only {', '.join(_FILTERS.values())} are supported, "
            "each at most once."
        )


def _read(data: h5py.Dataset) -> np.ndarray:
    if not data.size or not data.shape:
        return np.asarray(data[()])
    room, value = _aligned(data.shape, data.dtype)
    data.read_direct(value)
    room.flags.writeable = value.flags.writeable = False  # so that a variable may use it without a copy
    return value


def _aligned(shape: tuple[int, ...], dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    """(memory, array in it) to read into, aligned so that JAX can use it without a copy."""
    size = math.prod(shape) * dtype.itemsize
    room = np.empty(size + _ALIGNED, np.uint8)
    first = -room.ctypes.data % _ALIGNED
    return room, room[first : first + size].view(dtype).reshape(shape)
