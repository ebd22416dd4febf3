"""Files: round trips, one test for every refusal, and fuzzing: whatever was altered is refused with FileError."""

import hashlib
import io
import json
import os
import re
import stat
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encnn.errors import FileError, ParameterError
from encnn.files import archive as files

KEY = b"a key of the owner, 32 bytes ..."
HEADER = {"scale": 1000, "lr": 0.001, "name": "größer", "bits": [1, 2, None, True], "nested": {"q": 2**70}}
ARRAYS = {
    "W1": np.arange(12, dtype=np.int64).reshape(3, 4),
    "b": np.array([0.5, -1.5]),
    "mask": np.array([True, False]),
}

dtypes = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="="),
    hnp.unsigned_integer_dtypes(endianness="="),
    hnp.floating_dtypes(endianness="="),
    hnp.integer_dtypes(endianness=">"),
)
any_array = hnp.arrays(dtypes, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
names = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)


def message(mac_key: bytes | None = None) -> bytes:
    return files.to_bytes("network", HEADER, ARRAYS, mac_key=mac_key)


def forge(
    change_header: Callable[[dict[str, Any]], None] | None = None,
    raw_header: bytes | None = None,
    change_body: Callable[[bytes], bytes] = lambda body: body,
    arrays: dict[str, np.ndarray] = ARRAYS,
) -> bytes:
    """Make what an attacker without the key can: any header, any members, and a digest that fits."""
    fields = json.loads(zipfile.ZipFile(io.BytesIO(files.to_bytes("network", {}, arrays))).read("header.json"))
    if change_header is not None:
        change_header(fields)
    raw = raw_header or json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(member_info("header.json"), raw)
        for name, array in arrays.items():
            member = io.BytesIO()
            np.save(member, array)
            archive.writestr(member_info(f"{name}.npy"), member.getvalue())
        archive.comment = bytes(files._DIGEST_BYTES)
    return seal(change_body(stream.getvalue()[: -files._DIGEST_BYTES]))


def member_info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    return info


def seal(body: bytes) -> bytes:
    """Append the digest that fits the body."""
    return body + b"sha256:" + hashlib.sha256(body).hexdigest().encode()


def change(**fields: Any) -> bytes:
    return forge(lambda header: header.update(fields))


def change_array(**fields: Any) -> bytes:
    return forge(lambda header: header["arrays"][0].update(fields))


def assert_equal(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype.newbyteorder("=")
        assert found[name].flags.c_contiguous and found[name].flags.writeable
        np.testing.assert_array_equal(found[name], array, strict=array.dtype.isnative)


# Round trips


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.text(max_size=8), json_values, max_size=4),
    st.dictionaries(names, any_array, max_size=4),
    st.none() | st.binary(min_size=16, max_size=64),
)
def test_messages_come_back_as_they_were(header, arrays, mac_key):
    sent = files.to_bytes("kind-1", header, arrays, mac_key=mac_key)
    found_header, found_arrays = files.from_bytes(sent, "kind-1", mac_key=mac_key)
    assert found_header == header
    assert_equal(found_arrays, arrays)


@pytest.mark.parametrize("mac_key", [None, KEY])
def test_files_come_back_as_they_were(tmp_path, mac_key):
    path = tmp_path / "network.npz"
    size = files.write(path, "network", HEADER, ARRAYS, mac_key=mac_key)
    assert size == path.stat().st_size
    assert path.read_bytes() == message(mac_key)
    header, arrays = files.read(path, "network", mac_key=mac_key)
    assert header == HEADER
    assert_equal(arrays, ARRAYS)


def test_fortran_order_and_views_are_stored_in_c_order():
    arrays = {"f": np.asfortranarray(np.arange(6).reshape(2, 3)), "step": np.arange(10)[::3], "t": np.eye(3)[1:].T}
    assert_equal(files.from_bytes(files.to_bytes("k", {}, arrays), "k")[1], arrays)


def test_numpy_and_zip_tools_open_the_file(tmp_path):
    path = tmp_path / "network.npz"
    files.write(path, "network", HEADER, ARRAYS, mac_key=KEY)
    assert zipfile.ZipFile(path).testzip() is None
    with np.load(path, allow_pickle=False) as archive:
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(archive[name], array, strict=True)


def test_a_file_made_with_zipfile_and_numpy_is_read_when_it_is_canonical():
    """So the refusals of forged files below are due to what they change."""
    assert_equal(files.from_bytes(forge(), "network")[1], ARRAYS)


def test_a_reader_without_the_key_may_read_a_file_with_a_mac():
    assert files.from_bytes(message(KEY), "network")[0] == HEADER


def test_inspect_prints_sizes(tmp_path):
    path = tmp_path / "network.npz"
    size = files.write(path, "network", HEADER, ARRAYS | {"big": np.zeros((500, 1000))}, mac_key=KEY)
    contents = files.inspect(path)
    assert (contents.kind, contents.header, contents.has_mac) == ("network", HEADER, True)
    assert contents.nbytes == size
    assert [a.nbytes for a in contents.arrays] == [96, 16, 2, 4_000_000]
    assert str(contents).splitlines()[0] == "network: 4.00 MB, with MAC"
    assert "  big: float64 (500, 1000), 4.00 MB" in str(contents).splitlines()


# What cannot be written


@pytest.mark.parametrize(
    ("array", "complaint"),
    [
        (np.array([{}], dtype=object), "dtype '|O'"),
        (np.array(["text"]), "dtype '<U4'"),
        (np.array([b"text"]), "dtype '|S4'"),
        (np.array([1j]), "dtype '<c16'"),
        (np.array([np.datetime64("2020-01-01")]), "dtype '<M8[D]'"),
        (np.zeros(2, dtype=[("a", "i4")]), "dtype"),
        ([1, 2], "expected a numpy array, got list"),
        (np.empty((0, 2**50, 2**10), dtype=np.int8), None),
        (np.zeros((1,) * 33), "shape"),
    ],
)
def test_arrays_that_cannot_be_stored(array, complaint):
    if complaint is None:
        assert files.from_bytes(files.to_bytes("k", {}, {"a": array}), "k")[1]["a"].shape == array.shape
        return
    with pytest.raises(FileError, match=re.escape(complaint)):
        files.to_bytes("k", {}, {"a": array})


@pytest.mark.parametrize(
    ("header", "complaint"),
    [
        ({"a": (1, 2)}, "use lists"),
        ({1: "a"}, "use lists for tuples and strings for keys"),
        ({1: "a", "1": "b"}, "not JSON"),
        ({"a": float("nan")}, "not JSON"),
        ({"a": float("inf")}, "not JSON"),
        ({"a": np.int64(1)}, "not JSON"),
        ({"a": b"bytes"}, "not JSON"),
        ({"a": "x" * files.MAX_HEADER_BYTES}, "move data to arrays"),
    ],
)
def test_headers_that_cannot_be_stored(header, complaint):
    with pytest.raises(FileError, match=complaint):
        files.to_bytes("k", header, {})


@pytest.mark.parametrize("name", ["", "a/b", "../a", "a b", "é", ".a", "x" * 101, "a\n"])
def test_names_that_cannot_be_stored(name):
    with pytest.raises(FileError, match="array name"):
        files.to_bytes("k", {}, {name: np.zeros(1)})
    with pytest.raises(FileError, match="kind"):
        files.to_bytes(name, {}, {})


def test_more_than_a_zip_holds():
    contents = files.Contents("k", {}, (files.ArraySpec("a", "|u1", (2**32,)),), False, "1")
    with pytest.raises(FileError, match="write several files"):
        files._check_size(contents)


@pytest.mark.parametrize("mac_key", [b"", b"short", "a string of enough letters"])
def test_bad_mac_keys(tmp_path, mac_key):
    with pytest.raises(ParameterError, match="at least 16 bytes"):
        files.write(tmp_path / "a", "k", {}, {}, mac_key=mac_key)
    with pytest.raises(ParameterError, match="at least 16 bytes"):
        files.from_bytes(message(), "network", mac_key=mac_key)
    assert not list(tmp_path.iterdir())


# The file system


@pytest.mark.parametrize(("private", "mode"), [(True, 0o600), (False, 0o644)])
def test_mode_from_creation(tmp_path, monkeypatch, private, mode):
    seen = []
    fsync = os.fsync

    def spy(descriptor: int) -> None:
        seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        fsync(descriptor)

    path = tmp_path / "secret.npz"
    path.write_text("an older file, readable by all")
    path.chmod(0o666)
    old_umask = os.umask(0o022)
    try:
        monkeypatch.setattr(os, "fsync", spy)
        monkeypatch.setattr(os, "chmod", lambda *_: pytest.fail("the mode must be right from creation"))
        files.write(path, "k", {}, ARRAYS, private=private)
    finally:
        os.umask(old_umask)
    assert seen == [mode]
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_failing_write_leaves_the_old_file(tmp_path, monkeypatch, error):
    path = tmp_path / "a.npz"
    files.write(path, "k", {"age": "old"}, ARRAYS)

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(type(error)):
        files.write(path, "k", {"age": "new"}, ARRAYS)
    assert files.read(path, "k")[0] == {"age": "old"}
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


def test_missing_files_and_things_that_are_not_files(tmp_path):
    with pytest.raises(FileNotFoundError):
        files.read(tmp_path / "nothing", "k")
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(FileError, match="not a regular file"):
            files.read(path, "k")
        with pytest.raises(FileError, match="not a regular file"):
            files.inspect(path)


def test_a_file_that_shrinks_while_it_is_read():
    sent = message()
    source = files._Source(io.BytesIO(sent[:-200]), len(sent), "the message")
    with pytest.raises(FileError, match="became shorter"):
        files._read(source, "network", 10**6, None)


# What is refused


def npz(**arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def zip_with(*changes: tuple[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """Rewrite a valid message with zipfile: members added or replaced, perhaps compressed."""
    stream = io.BytesIO()
    old = zipfile.ZipFile(io.BytesIO(message()))
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, data in dict([(n, old.read(n)) for n in old.namelist()] + list(changes)).items():
            archive.writestr(member_info(name), data, compress_type=compression)
        archive.comment = bytes(files._DIGEST_BYTES)
    return seal(stream.getvalue()[: -files._DIGEST_BYTES])


REFUSED = {
    "empty": (b"", "not an encnn file"),
    "text": (b"hello, this is a text that is long enough to hold a record", "not an encnn file"),
    "foreign npz": (npz(a=np.zeros(3)), "not an encnn file"),
    "pickle in an npz": (npz(a=np.array([{}], dtype=object)), "not an encnn file"),
    "truncated in the header": (message()[:100], "truncated"),
    "truncated in an array": (message()[:-500], "truncated"),
    "truncated by one byte": (message()[:-1], "truncated"),
    "something after the end": (message() + b"\0", "damaged or altered"),
    "something before the start": (b"\0" + message(), "not an encnn file"),
    "digest of zeros": (message()[:-64] + b"0" * 64, "digest does not match"),
    "other magic": (change(magic="encmm"), "not an encnn file"),
    "newer": (change(format=files.FORMAT_VERSION + 1), "upgrade encnn"),
    "older": (change(format=files.FORMAT_VERSION - 1), "write it again"),
    "format 0": (change(format=0), "write it again"),
    "format true": (change(format=True), "does not say so"),
    "another field": (change(extra=1), "lacks fields"),
    "missing field": (forge(lambda header: header.pop("package") and None), "lacks fields"),
    "mac 1": (change(mac=1), "lacks fields"),
    "mac promised": (change(mac=True), "truncated"),
    "kind is a list": (change(kind=["network"]), "kind"),
    "header is a list": (change(header=[]), "wrong type"),
    "package is a number": (change(package=1), "wrong type"),
    "arrays is a number": (change(arrays=5), "malformed"),
    "arrays is an object": (change(arrays={"a": 1}), "malformed"),
    "array is a list": (change(arrays=[["a", "<i8", [1]]]), "malformed"),
    "array without shape": (change(arrays=[{"name": "a", "dtype": "<i8"}]), "malformed"),
    "array with more": (change_array(order="F"), "canonical"),
    "shape is a number": (change_array(shape=12), "malformed"),
    "shape is text": (change_array(shape="34"), "no array can have"),
    "shape is negative": (change_array(shape=[-3, -4]), "no array can have"),
    "shape of floats": (change_array(shape=[3.0, 4.0]), "no array can have"),
    "shape of booleans": (change_array(shape=[True]), "no array can have"),
    "shape swapped": (change_array(shape=[4, 3]), "does not match the header"),
    "shape too large": (change_array(shape=[3, 5]), "truncated"),
    "shape too small": (change_array(shape=[3, 3]), "header implies"),
    "shape huge": (change_array(shape=[2**40]), "truncated"),
    "shape beyond 64 bits": (change_array(shape=[2**80]), "no array can have"),
    "empty but huge": (change_array(shape=[0, 2**62]), "no array can have"),
    "many dimensions": (change_array(shape=[1] * 33), "no array can have"),
    "other dtype": (change_array(dtype="<u8"), "does not match the header"),
    "float dtype": (change_array(dtype="<f8"), "does not match the header"),
    "object dtype": (change_array(dtype="|O"), "expected bool, int, float"),
    "text dtype": (change_array(dtype="<U2"), "expected bool, int, float"),
    "void dtype": (change_array(dtype="|V8"), "expected bool, int, float"),
    "big-endian": (change_array(dtype=">i8"), "expected bool, int, float"),
    "structured dtype": (change_array(dtype=[["a", "<i8"]]), "expected bool, int, float"),
    "other name": (change_array(name="W2"), "does not match the header"),
    "path as name": (change_array(name="../W"), "array name"),
    "name is a number": (change_array(name=1), "array name"),
    "name twice": (change_array(name="b"), "array name"),
    "header is not ASCII": (forge(raw_header=b'{"a":"\xc3\xa9"}'), "not JSON"),
    "header is not JSON": (forge(raw_header=b"{" * 50), "not JSON"),
    "header is too deep": (forge(raw_header=b"[" * 200_000), "not JSON"),
    "header is text": (forge(raw_header=b'"encnn"'), "not an encnn file"),
    "header too long": (forge(raw_header=b" " * (files.MAX_HEADER_BYTES + 1)), "at most"),
    "number of 5000 digits": (forge(raw_header=b"1" * 5000), "not JSON"),
    "infinity": (change(header={"a": float("inf")}), "canonical"),
    "fields twice": (
        forge(raw_header=json.dumps(json.loads(zipfile.ZipFile(io.BytesIO(message())).read("header.json"))).encode()),
        "canonical",
    ),
    "foreign member": (zip_with(("evil.npy", b"x")), "header implies"),
    "member replaced": (zip_with(("b.npy", b"x" * 144)), "does not match the header"),
    "pickle for an array": (zip_with(("b.npy", b"\x80\x04N." + b"x" * 140)), "does not match the header"),
    "compressed": (zip_with(compression=zipfile.ZIP_DEFLATED), "truncated|damaged"),
    "boolean of 2": (
        forge(change_body=lambda body: body, arrays={"mask": np.array([2], dtype=np.uint8).view(bool)}),
        "other than 0 and 1",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    data, complaint = REFUSED[case]
    with pytest.raises(FileError, match=complaint):
        files.from_bytes(data, "network")


def flip(position: int, bit: int = 0) -> Callable[[bytes], bytes]:
    def flipped(body: bytes) -> bytes:
        altered = bytearray(body)
        altered[position] ^= 1 << bit
        return bytes(altered)

    return flipped


@pytest.mark.parametrize(
    ("marker", "offset", "complaint"),
    [
        (b"PK\x01\x02", 5, "directory"),
        (b"PK\x01\x02", 38, "directory"),
        (b"PK\x05\x06", 8, "directory"),
        (b"\x93NUMPY", 6, "does not match the header"),
        (b"'fortran_order': False", 18, "does not match the header"),
        (b"W1.npy", -24, "does not match the header"),  # flags: encrypted
        (b"W1.npy", -22, "does not match the header"),  # compression method
        (b"W1.npy", -16, "does not match the header"),  # CRC
    ],
)
def test_altered_zip_records_with_a_fitting_digest(marker, offset, complaint):
    body = forge()[: -files._DIGEST_BYTES]
    with pytest.raises(FileError, match=complaint):
        files.from_bytes(seal(flip(body.index(marker) + offset)(body)), "network")


def test_wrong_kind_and_too_large(tmp_path):
    path = tmp_path / "a.npz"
    size = files.write(path, "network", HEADER, ARRAYS)
    with pytest.raises(FileError, match="of kind 'network', but 'secret-key' was wanted"):
        files.read(path, "secret-key")
    with pytest.raises(FileError, match="raise max_bytes"):
        files.read(path, "network", max_bytes=size - 1)
    assert files.read(path, "network", max_bytes=size)[0] == HEADER


def test_mac_missing_wrong_and_stripped():
    with pytest.raises(FileError, match="has no MAC"):
        files.from_bytes(message(), "network", mac_key=KEY)
    with pytest.raises(FileError, match="wrong MAC"):
        files.from_bytes(message(KEY), "network", mac_key=KEY[::-1])


def test_only_the_mac_finds_malice():
    """An attacker alters one element and repairs both checksums: CRC and digest."""
    array = np.arange(5)
    honest = files.to_bytes("k", {}, {"a": array}, mac_key=KEY)
    forged = bytearray(files.to_bytes("k", {}, {"a": array + 1}, mac_key=b"a key of the attacker"))
    with pytest.raises(FileError, match="wrong MAC"):
        files.from_bytes(bytes(forged), "k", mac_key=KEY)
    mac = slice(-files._DIGEST_BYTES - files._MAC_BYTES, -files._DIGEST_BYTES)
    forged[mac] = honest[mac]
    forged = seal(bytes(forged[: -files._DIGEST_BYTES]))
    assert files.from_bytes(forged, "k")[1]["a"][0] == 1  # the digest is content
    with pytest.raises(FileError, match="wrong MAC"):
        files.from_bytes(forged, "k", mac_key=KEY)


# Fuzzing

VALID, VALID_WITH_MAC = message(), message(KEY)


def refuse(data: bytes, mac_key: bytes | None = None) -> None:
    with pytest.raises(FileError):
        files.from_bytes(data, "network", mac_key=mac_key)


@pytest.mark.parametrize(("valid", "key"), [(VALID, None), (VALID_WITH_MAC, None), (VALID_WITH_MAC, KEY)])
def test_a_flipped_bit_anywhere(valid, key):
    for position in range(len(valid)):
        refuse(flip(position, position % 8)(valid), key)


def test_a_truncation_anywhere():
    for length in range(len(VALID_WITH_MAC)):
        refuse(VALID_WITH_MAC[:length])


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_span_replaced_under_a_fitting_digest_changes_only_array_elements(data):
    """Whoever recomputes the digest can change elements and header values, but not get anything malformed accepted."""
    body = VALID[: -files._DIGEST_BYTES]
    start = data.draw(st.integers(0, len(body)))
    length = data.draw(st.integers(0, 12))
    altered = body[:start] + data.draw(st.binary(max_size=12)) + body[start + length :]
    try:
        _, arrays = files.from_bytes(seal(altered), "network")
    except FileError:
        return
    assert altered == body
    assert_equal(arrays, ARRAYS)


json_junk = st.one_of(
    json_values,
    st.sampled_from(["<i8", "|O", "<f8", "|b1", "W1", "network", "encnn", 2**31, 2**63, 10**30, -1, [0], [2**62, 4]]),
    st.lists(st.integers(0, 2**70), max_size=5),
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["field", "array"]), st.data(), json_junk)
def test_headers_with_junk_for_a_value(where, data, junk):
    def put(header: dict[str, Any]) -> None:
        target = header if where == "field" else data.draw(st.sampled_from(header["arrays"]))
        target[data.draw(st.sampled_from(sorted(target)))] = junk

    try:
        _, arrays = files.from_bytes(forge(put), "network")
    except FileError:
        return
    assert_equal(arrays, ARRAYS)  # junk that happened to be right, or landed in "package" or "header"


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300))
def test_noise_is_refused(noise):
    refuse(noise)
    refuse(VALID[:41] + noise)


HOSTILE = {
    "claims 3 GiB": change_array(shape=[3 * 2**27]),
    "claims an exabyte": change_array(shape=[2**57]),
    "many small lists": change(header={"a": [[]] * 87_000})[:-1] + b"-",
    "many small objects": change(header={"a": [{"": 0}] * 30_000})[:-1] + b"-",
    "many arrays": change(arrays=[{"name": f"a{i}", "dtype": "<i8", "shape": [2**20]} for i in range(5000)]),
    "deep": forge(raw_header=b"[" * 260_000),
    "long header": forge(raw_header=b" " * 5_000_000),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_refusing_allocates_little(case):
    tracemalloc.start()
    try:
        refuse(HOSTILE[case])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < files.OVERHEAD_BYTES


def test_writing_and_reading_allocate_no_second_copy(tmp_path):
    array = np.zeros(2**23, dtype=np.uint8)
    path = tmp_path / "a.npz"
    tracemalloc.start()
    try:
        files.write(path, "k", {}, {"a": array})
        _, writing = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        files.read(path, "k")
        _, reading = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert writing < 2**20
    assert reading < array.nbytes + 2**20


@pytest.mark.slow
@settings(max_examples=1500, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(VALID_WITH_MAC) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_many_bytes_overwritten(changes):
    altered = bytearray(VALID_WITH_MAC)
    for position, value in changes:
        altered[position] = value
    if bytes(altered) != VALID_WITH_MAC:
        refuse(bytes(altered))
        refuse(bytes(altered), KEY)
