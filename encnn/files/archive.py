"""The format of files: named arrays and a JSON header in one file.

A file is a zip of stored (uncompressed) members, so `numpy.load` and `unzip` open it too:

    header.json     magic "encnn", format version, kind, package version, the caller's header, and the name, dtype
                    and shape of every array, in order; canonical JSON (sorted keys, ASCII, no spaces)
    NAME.npy        one member per array: C order, little-endian, boolean, integer or floating point
    zip comment     `hmac-sha256:...` when there is a key, then `sha256:...`

The header determines every other byte except the elements of the arrays.  So the reader interprets no zip directory and no .npy
header: it rebuilds what `write` would have written, and compares.  A pickle, a compression bomb or a member with a false size
cannot get in.  The file must have the size that the header implies before any array is allocated.  Reading allocates the arrays
and at most `OVERHEAD_BYTES` more.

**Why not `zipfile`.**  It seeks back to write a member's size and checksum, or writes them behind the member, so a file could
not be hashed while it is written.  It takes a member whole, so a large array would be in memory twice.  Its reader interprets
the directory and lets members overlap, repeat or carry extra fields, and this module would have to refuse all of that.  A
strict reader must know the one right form of every record anyway, so `zipfile` would save only the three `struct` formats
below.

The SHA-256 digest covers every byte before it.  It finds *damage*, not *malice*, since whoever alters a file can compute a new
digest.  Only the MAC finds malice: HMAC-SHA-256 under a key that whoever alters the file does not have.  Even a MAC does not
show that a file is the newest one, so an old file can be sent again.
"""

import hashlib
import hmac
import io
import json
import math
import os
import re
import secrets
import stat
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from tqdm import tqdm

from encnn.errors import FileError, ParameterError
from encnn.progress import progress

FORMAT_VERSION = 2
MAX_FILE_BYTES = 2**32 - 1  # the most that a zip holds without its 64-bit extension
MAX_HEADER_BYTES = 2**18
OVERHEAD_BYTES = 2**24  # parsing the largest hostile header takes about 10 MB
MIN_KEY_BYTES = 16

_DTYPES = {"|b1", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "<f2", "<f4", "<f8"}
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_FIELDS = {"arrays", "format", "header", "kind", "mac", "magic", "package"}
_HEADER_NAME = b"header.json"
_CHUNK = 2**22
_MAX_DIMENSIONS = 32

# Zip records: PKWARE APPNOTE 6.3, sections 4.3.7 (local), 4.3.12 (central) and 4.3.16 (end).
_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_NPY_MAGIC = b"\x93NUMPY\x01\x00"
_ZIP_2_0, _DATE_1980 = 20, 0x21
_UNIX, _MODE_600 = 3 << 8, 0o600 << 16  # unzip then makes private files
_MAC_BYTES = len(b"hmac-sha256:") + 64 + 1
_DIGEST_BYTES = len(b"sha256:") + 64


class ArraySpec(NamedTuple):
    """Name, numpy dtype string and shape of one stored array."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of the array's elements."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    @property
    def member_name(self) -> bytes:
        """Name of the zip member."""
        return f"{self.name}.npy".encode("ascii")

    @property
    def npy_header(self) -> bytes:
        """The .npy preamble (version 1.0, padded to 64 bytes).  It is made here, since numpy's varies between versions."""
        text = f"{{'descr': '{self.dtype}', 'fortran_order': False, 'shape': {self.shape!r}, }}"
        text += " " * (-(len(_NPY_MAGIC) + 2 + len(text) + 1) % 64) + "\n"
        return _NPY_MAGIC + struct.pack("<H", len(text)) + text.encode("ascii")


@dataclass(frozen=True)
class Contents:
    """What a file holds, except the arrays' elements; `print` it before loading something large."""

    kind: str  # what the file is
    header: Mapping[str, object]  # the caller's own JSON object
    arrays: tuple[ArraySpec, ...]  # names, types and shapes
    has_mac: bool  # whether its owner can tell that nobody changed it
    package: str  # the version of encnn that wrote the file

    @property
    def nbytes(self) -> int:
        """Size of the whole file in bytes."""
        members = [(_HEADER_NAME, len(self.encode()))]
        members += [(a.member_name, len(a.npy_header) + a.nbytes) for a in self.arrays]
        records = sum(_LOCAL.size + _CENTRAL.size + 2 * len(name) + size for name, size in members)
        return records + _END.size + self.comment_bytes

    @property
    def comment_bytes(self) -> int:
        """Size of the zip comment, which holds the MAC and the digest."""
        return self.has_mac * _MAC_BYTES + _DIGEST_BYTES

    def encode(self) -> bytes:
        """Return the member header.json in canonical form: equal contents have equal bytes."""
        arrays = [{"name": a.name, "dtype": a.dtype, "shape": list(a.shape)} for a in self.arrays]
        fields = {
            "magic": "encnn",
            "format": FORMAT_VERSION,
            "kind": self.kind,
            "package": self.package,
            "mac": self.has_mac,
            "header": self.header,
            "arrays": arrays,
        }
        return json.dumps(fields, sort_keys=True, allow_nan=False, separators=(",", ":")).encode("ascii")

    def __str__(self) -> str:
        """Return one line for the file and one for each array."""
        lines = [f"{self.kind}: {_megabytes(self.nbytes)}, {'with' if self.has_mac else 'without'} MAC"]
        lines += [f"  {a.name}: {np.dtype(a.dtype).name} {a.shape}, {_megabytes(a.nbytes)}" for a in self.arrays]
        return "\n".join(lines)


def write(
    path: str | os.PathLike[str],
    kind: str,
    header: Mapping[str, object],
    arrays: Mapping[str, np.ndarray],
    *,
    private: bool = False,
    mac_key: bytes | None = None,
) -> int:
    """Write `arrays` and the JSON object `header` to `path`, and return the size of the file in bytes.

    The old file stays whole until the new one is complete and on disk.  `private=True`, for secret keys, makes the
    file readable by its owner alone (mode 0600) from the moment it exists.  `mac_key` (at least 16 random bytes) adds
    a MAC.  With the same key a later reader can check that nobody else altered the file.  Big-endian and
    Fortran-ordered arrays are stored little-endian and in C order.

    Raises FileError for arrays that are not boolean, integer or floating point (16 to 64 bits), for headers that are not
    JSON (tuples, keys that are not strings, infinities), and for more than 4 GiB.
    """
    contents, stored = _prepare(kind, header, arrays, mac_key)
    target = Path(path)
    # In the folder of the target, since only a rename within one file system is atomic; a random name collides with no other.
    temporary = target.with_name(f".encnn-{secrets.token_hex(8)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666)
    try:
        with open(descriptor, "wb") as stream:
            _write(stream, contents, stored, mac_key)
            stream.flush()
            os.fsync(stream.fileno())  # or a crash could leave the new name with half of the contents
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return contents.nbytes


def to_bytes(
    kind: str, header: Mapping[str, object], arrays: Mapping[str, np.ndarray], *, mac_key: bytes | None = None
) -> bytes:
    """Return the bytes that `write` would write, as a message to another party.

    >>> message = to_bytes("demo", {"lr": 0.1}, {"W": np.arange(3)})
    >>> from_bytes(message, "demo")
    ({'lr': 0.1}, {'W': array([0, 1, 2])})
    """
    contents, stored = _prepare(kind, header, arrays, mac_key)
    stream = io.BytesIO()
    _write(stream, contents, stored, mac_key)
    return stream.getvalue()


def read(
    path: str | os.PathLike[str],
    kind: str,
    *,
    max_bytes: int = 2**31,
    mac_key: bytes | None = None,
    follow_links: bool = True,
) -> tuple[dict[str, object], dict[str, np.ndarray]]:
    """Return the header and the arrays of a file of this `kind`, after checking all of it.

    Without `mac_key` the result is undamaged, but anybody may have written it.  With it, only a holder of the key can
    have written it.  Files larger than `max_bytes` are refused unread.  Set `follow_links=False` for folders that others
    write to: a symbolic link is then refused.

    Raises FileError for a file that is foreign, of another kind or version, truncated, damaged, too large, or whose
    MAC is missing or wrong.  Raises OSError, such as FileNotFoundError, when it cannot be opened.
    """
    _check_key(mac_key)
    with _open(path, follow_links) as stream:
        return _read(_Source(stream, _size(stream), str(path)), kind, max_bytes, mac_key)


def from_bytes(
    message: bytes, kind: str, *, max_bytes: int = 2**31, mac_key: bytes | None = None
) -> tuple[dict[str, object], dict[str, np.ndarray]]:
    """Return the header and the arrays of a message made by `to_bytes`, with the same checks as `read`."""
    _check_key(mac_key)
    return _read(_Source(io.BytesIO(message), len(message), "the message"), kind, max_bytes, mac_key)


def inspect(path: str | os.PathLike[str]) -> Contents:
    """Return kind, header and array sizes of a file without loading it.

    Neither digest nor MAC is checked, so use the result for information only.  Raises FileError as `read` does.
    """
    with _open(path) as stream:
        contents, _ = _read_contents(_Source(stream, _size(stream), str(path)))
    return contents


# Writing


def _prepare(
    kind: str, header: Mapping[str, object], arrays: Mapping[str, np.ndarray], mac_key: bytes | None
) -> tuple[Contents, list[np.ndarray]]:
    """Check all arguments of `write`; return the contents, and the arrays in the form in which they are stored."""
    _check_key(mac_key)
    stored = [_storable(name, array) for name, array in arrays.items()]
    specs = tuple(ArraySpec(name, array.dtype.str, array.shape) for name, array in zip(arrays, stored, strict=True))
    contents = Contents(kind, header, specs, mac_key is not None, _package_version())
    _check_contents(contents, "cannot write")
    _check_header(contents)
    _check_size(contents)
    return contents, stored


def _storable(name: str, array: np.ndarray) -> np.ndarray:
    """Return the array little-endian and in C order; it is copied only if it was in another form."""
    if not isinstance(array, np.ndarray):
        raise FileError(f"cannot write {name!r}: expected a numpy array, got {type(array).__name__}")
    return np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")


def _check_header(contents: Contents) -> None:
    """Refuse headers that JSON would change or could not hold."""
    try:
        encoded = contents.encode()
        same = json.loads(encoded)["header"] == contents.header
    except (TypeError, ValueError, RecursionError) as error:
        raise FileError(f"cannot write a header that is not JSON: {error}") from error
    if not same:
        raise FileError("cannot write a header that JSON would change: use lists for tuples and strings for keys")
    if len(encoded) > MAX_HEADER_BYTES:
        raise FileError(f"the header has {len(encoded)} bytes, at most {MAX_HEADER_BYTES} are allowed; move data to arrays")


def _check_size(contents: Contents) -> None:
    if contents.nbytes > MAX_FILE_BYTES:
        raise FileError(f"{_megabytes(contents.nbytes)} are more than the 4 GiB one file holds; write several files")


def _write(stream: BinaryIO, contents: Contents, arrays: list[np.ndarray], mac_key: bytes | None) -> None:
    """Write members, directory and comment."""
    sink = _Sink(stream)
    directory = b""
    with progress(total=contents.nbytes, description=f"writing {contents.kind}", unit="B", unit_scale=True) as bar:
        for member in _members(contents, arrays):
            directory += member.central(sink.position)  # collected on the way, since a zip has its directory at the end
            sink.put(member.local + member.prefix)
            for chunk in _chunks(member.data):
                sink.put(chunk)
                bar.update(len(chunk))
    sink.put(directory + _end(contents, len(directory), sink.position))
    if mac_key is not None:  # before the digest, which then covers the MAC too
        sink.put(_mac_text(mac_key, sink.digest))
    sink.put(b"sha256:" + sink.digest.hexdigest().encode())


class _Sink:
    """A stream that hashes what is written to it."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.digest = hashlib.sha256()
        self.position = 0

    def put(self, data: bytes | memoryview) -> None:
        # This also hashes the text of the digest itself, which does no harm: the digest was taken before.
        self.stream.write(data)
        self.digest.update(data)
        self.position += len(data)


# Reading


def _read(
    source: "_Source", kind: str, max_bytes: int, mac_key: bytes | None
) -> tuple[dict[str, object], dict[str, np.ndarray]]:
    """Read and check a whole file; see `read`."""
    if source.size > max_bytes:
        raise FileError(
            f"{source.name} has {source.size} bytes, more than the {max_bytes} allowed; raise max_bytes if you trust it"
        )
    contents, raw_header = _read_contents(source)
    if contents.kind != kind:
        raise FileError(f"{source.name} is of kind {contents.kind!r}, but {kind!r} was wanted; choose another file")
    # The directory is rebuilt from the members that were read, and compared with the file's as bytes: it is never parsed.
    directory = _header_member(raw_header).central(0)
    arrays = {}
    with progress(total=contents.nbytes, description=f"reading {kind}", unit="B", unit_scale=True) as bar:
        for spec in contents.arrays:
            position = source.position
            array, member = _read_array(source, spec, bar)
            arrays[spec.name] = array
            directory += member.central(position)
    end = directory + _end(contents, len(directory), source.position)
    if source.take(len(end)) != end:
        raise _damaged(source, "its directory does not describe its members")
    _check_comment(source, contents, mac_key)
    return dict(contents.header), arrays


def _read_contents(source: "_Source") -> tuple[Contents, bytes]:
    """Read header.json; return it parsed and raw.  The file is then known to have the size its header implies."""
    start = source.take(min(source.size, _LOCAL.size + len(_HEADER_NAME)))
    if not (start.startswith(b"PK\x03\x04") and start.endswith(_HEADER_NAME)):
        raise FileError(f"{source.name} is not an encnn file; expected one that encnn wrote")
    size = _LOCAL.unpack_from(start)[8]  # the only number that is read from a zip record, and it is checked below
    if size > MAX_HEADER_BYTES:
        raise _damaged(source, f"its header claims {size} bytes, at most {MAX_HEADER_BYTES} are allowed")
    raw = source.take(size)
    contents = _parse(raw, source)
    if start != _header_member(raw).local:  # all other fields of the record must be those that `write` gives them
        raise _damaged(source, "the checksum of its header is wrong")
    if source.size < contents.nbytes:
        raise FileError(f"{source.name} is truncated: {source.size} of {contents.nbytes} bytes; fetch it again")
    if source.size > contents.nbytes:
        raise _damaged(source, f"{source.size} bytes where its header implies {contents.nbytes}")
    return contents, raw


def _parse(raw: bytes, source: "_Source") -> Contents:
    """Parse and check header.json."""
    try:
        fields = json.loads(raw.decode("ascii"))
    except (ValueError, RecursionError):
        raise _damaged(source, "its header is not JSON") from None
    if not isinstance(fields, dict) or fields.get("magic") != "encnn" or type(fields.get("format")) is not int:
        raise FileError(f"{source.name} is not an encnn file: its header does not say so")
    if fields["format"] > FORMAT_VERSION:
        raise FileError(
            f"{source.name} has format {fields['format']}, newer than {FORMAT_VERSION}, the newest that this version "
            "of encnn reads; upgrade encnn"
        )
    if fields["format"] < FORMAT_VERSION:
        raise FileError(
            f"{source.name} has format {fields['format']}, older than {FORMAT_VERSION}, which this version of encnn reads; ask "
            "its sender to write it again"
        )
    if fields.keys() != _FIELDS or type(fields["mac"]) is not bool:
        raise _damaged(source, "its header lacks fields or has others")
    if not (isinstance(fields["package"], str) and isinstance(fields["header"], dict)):
        raise _damaged(source, "its header has fields of the wrong type")
    specs = _parse_specs(fields["arrays"], source)
    contents = Contents(fields["kind"], fields["header"], specs, fields["mac"], fields["package"])
    _check_contents(contents, f"{source.name} is damaged or altered")
    # Encoding again gives the same bytes only for the canonical form: no repeated keys, no spaces, no second spelling.
    if _encoded_or_empty(contents) != raw:
        raise _damaged(source, "its header is not in canonical form")
    return contents


def _parse_specs(entries: object, source: "_Source") -> tuple[ArraySpec, ...]:
    """Parse the list of arrays; `_check_contents` checks the values."""
    if not isinstance(entries, list):
        raise _damaged(source, "its list of arrays is malformed")
    try:
        specs = tuple(ArraySpec(entry["name"], entry["dtype"], tuple(entry["shape"])) for entry in entries)
    except (TypeError, KeyError, IndexError):
        raise _damaged(source, "its list of arrays is malformed") from None
    return specs


def _encoded_or_empty(contents: Contents) -> bytes:
    """Encode contents; return nothing for a header that JSON can read but not write (1e999 reads as infinity)."""
    try:
        return contents.encode()
    except (ValueError, RecursionError):
        return b""


def _read_array(source: "_Source", spec: ArraySpec, bar: tqdm) -> tuple[np.ndarray, "_Member"]:
    """Read one array and check the records before its elements, checksum included."""
    opening = source.take(_LOCAL.size + len(spec.member_name) + len(spec.npy_header))
    array = np.empty(spec.shape, dtype=spec.dtype)
    for chunk in _chunks(_raw(array)):
        source.fill(chunk)
        bar.update(len(chunk))
    member = _member(spec.member_name, spec.npy_header, _raw(array))
    if opening != member.local + member.prefix:
        raise _damaged(source, f"array {spec.name!r} does not match the header or its checksum")
    # numpy relies on every byte of a boolean array being 0 or 1.
    if spec.dtype == "|b1" and array.size and array.view(np.uint8).max() > 1:
        raise _damaged(source, f"boolean array {spec.name!r} holds values other than 0 and 1")
    return array, member


def _check_comment(source: "_Source", contents: Contents, mac_key: bytes | None) -> None:
    """Check digest, then MAC, over all bytes read so far."""
    # The MAC covers all before it, so its value is computed before its text is read; the digest covers that text too.
    expected_mac = None if mac_key is None else _mac_text(mac_key, source.digest)
    found_mac = source.take(_MAC_BYTES) if contents.has_mac else b""
    expected = b"sha256:" + source.digest.hexdigest().encode()
    # Damage is reported as damage, so the digest comes first.  `compare_digest` does not tell by its time how much was right.
    if not hmac.compare_digest(source.take(_DIGEST_BYTES), expected):
        raise _damaged(source, "the digest does not match")
    if expected_mac is None:
        return
    if not contents.has_mac:
        raise FileError(f"{source.name} has no MAC, so anybody may have written it; expected one under the given key")
    if not hmac.compare_digest(found_mac, expected_mac):
        raise FileError(f"{source.name} has a wrong MAC: altered, or written under another key; do not use it")


class _Source:
    """A stream of known size that hashes what is read from it."""

    def __init__(self, stream: io.BufferedIOBase, size: int, name: str) -> None:
        self.stream = stream
        self.size = size
        self.name = name
        self.digest = hashlib.sha256()
        self.position = 0

    def take(self, count: int) -> bytes:
        if count > self.size - self.position:
            raise FileError(f"{self.name} is truncated: it ends after {self.size} bytes; fetch it again")
        buffer = bytearray(count)
        self.fill(memoryview(buffer))
        return bytes(buffer)

    def fill(self, view: memoryview) -> None:
        """Read exactly as many bytes as `view` has."""
        done = 0
        while done < len(view):
            count = self.stream.readinto(view[done:])
            if not count:
                raise FileError(f"{self.name} became shorter while it was read; fetch it again")
            done += count
        self.digest.update(view)
        self.position += done


# Both ways


class _Member(NamedTuple):
    """One stored zip member: `prefix`, then `data`."""

    name: bytes
    prefix: bytes
    data: memoryview
    crc: int

    @property
    def size(self) -> int:
        return len(self.prefix) + len(self.data)

    @property
    def local(self) -> bytes:
        """The record before the member."""
        sizes = (self.crc, self.size, self.size)
        return _LOCAL.pack(b"PK\x03\x04", _ZIP_2_0, 0, 0, 0, _DATE_1980, *sizes, len(self.name), 0) + self.name

    def central(self, offset: int) -> bytes:
        """The entry in the directory; `offset` is where the member's local record starts."""
        start = (b"PK\x01\x02", _UNIX | _ZIP_2_0, _ZIP_2_0, 0, 0, 0, _DATE_1980)
        sizes = (self.crc, self.size, self.size, len(self.name))
        return _CENTRAL.pack(*start, *sizes, 0, 0, 0, 0, _MODE_600, offset) + self.name


def _member(name: bytes, prefix: bytes, data: memoryview) -> _Member:
    return _Member(name, prefix, data, zlib.crc32(data, zlib.crc32(prefix)))


def _members(contents: Contents, arrays: list[np.ndarray]) -> Iterator[_Member]:
    yield _header_member(contents.encode())
    for spec, array in zip(contents.arrays, arrays, strict=True):
        yield _member(spec.member_name, spec.npy_header, _raw(array))


def _header_member(raw: bytes) -> _Member:
    return _member(_HEADER_NAME, b"", memoryview(raw))


def _end(contents: Contents, directory_bytes: int, offset: int) -> bytes:
    """Return the zip's end record, without the comment that follows it."""
    count = 1 + len(contents.arrays)
    return _END.pack(b"PK\x05\x06", 0, 0, count, count, directory_bytes, offset, contents.comment_bytes)


def _mac_text(mac_key: bytes, digest: "hashlib._Hash") -> bytes:
    """Return the MAC of the digest, not of the file, so that large files are hashed once."""
    return b"hmac-sha256:" + hmac.new(mac_key, digest.digest(), hashlib.sha256).hexdigest().encode() + b" "


def _raw(array: np.ndarray) -> memoryview:
    """Return the bytes of a C-ordered array without a copy."""
    return array.reshape(-1).view(np.uint8).data


def _chunks(data: memoryview) -> Iterator[memoryview]:
    for start in range(0, len(data), _CHUNK):
        yield data[start : start + _CHUNK]


def _check_contents(contents: Contents, complaint: str) -> None:
    """Refuse kinds, names, dtypes and shapes outside the format, both when reading and when writing."""
    if not _is_name(contents.kind):
        raise FileError(f"{complaint}: kind {contents.kind!r:.80}; expected letters, digits and _ . -")
    seen: set[str] = set()
    for spec in contents.arrays:
        if not _is_name(spec.name) or spec.name in seen:
            raise FileError(f"{complaint}: array name {spec.name!r:.80}; expected distinct names of letters, digits and _ . -")
        if not isinstance(spec.dtype, str) or spec.dtype not in _DTYPES:
            raise FileError(f"{complaint}: array {spec.name!r} of dtype {spec.dtype!r:.80}; expected bool, int, float")
        if not _is_shape(spec):
            raise FileError(f"{complaint}: array {spec.name!r} has shape {spec.shape!r:.80}, which no array can have")
        seen.add(spec.name)


def _is_name(name: object) -> bool:
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def _is_shape(spec: ArraySpec) -> bool:
    """Return whether numpy can make the shape (its overflow check counts an empty axis as 1)."""
    if len(spec.shape) > _MAX_DIMENSIONS or not all(type(n) is int and n >= 0 for n in spec.shape):
        return False
    return math.prod(max(n, 1) for n in spec.shape) * np.dtype(spec.dtype).itemsize < 2**63


def _check_key(mac_key: bytes | None) -> None:
    if mac_key is not None and (not isinstance(mac_key, bytes) or len(mac_key) < MIN_KEY_BYTES):
        raise ParameterError(f"a MAC key is at least {MIN_KEY_BYTES} bytes; make one with secrets.token_bytes(32)")


def _open(path: str | os.PathLike[str], follow_links: bool = True) -> io.BufferedReader:
    """Open a regular file for reading; refuse pipes (they would block), devices (they never end) and, if asked, links."""
    if not stat.S_ISREG(os.stat(path, follow_symlinks=follow_links).st_mode):
        raise FileError(f"{path} is not a regular file; expected one that encnn wrote")
    # Somebody may replace the file between the check and the opening, so the opened one is checked again.
    flags = getattr(os, "O_NONBLOCK", 0) | (0 if follow_links else getattr(os, "O_NOFOLLOW", 0))
    stream = open(path, "rb", opener=lambda name, mode: os.open(name, mode | flags))
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise FileError(f"{path} is not a regular file; expected one that encnn wrote")
    return stream


def _size(stream: io.BufferedReader) -> int:
    return os.fstat(stream.fileno()).st_size


def _damaged(source: _Source, why: str) -> FileError:
    return FileError(f"{source.name} is damaged or altered: {why}; fetch it again")


def _package_version() -> str:
    try:
        return metadata.version("encnn")
    except metadata.PackageNotFoundError:  # a source tree that was never installed
        return "unknown"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.2f} MB"
