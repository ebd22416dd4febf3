"""Archives of the reviews: every packing of the same content is read, and every other archive is refused."""

import gzip
import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encnn.data.reviews import archive
from encnn.data.reviews.archive import Limits, content_digest, read_files, read_reviews, source_fingerprint
from encnn.errors import DataError

FILES = {
    "train/neg/2_3.txt": b"dull",
    "train/neg/10_1.txt": b"bad",
    "train/pos/0_9.txt": "caf\u00e9".encode(),
    "train/pos/1_10.txt": b"good",
    "test/neg/0_2.txt": b"worse",
    "test/neg/1_2.txt": b"",
    "test/pos/0_8.txt": b"better",
    "test/pos/1_7.txt": b"x" * 512,  # exactly one block of a tar archive
}
EXTRAS = {
    "README": b"cite the paper",
    "imdb.vocab": b"the\nand\n",
    "train/unsup/0_0.txt": b"unlabelled",
    "train/labeledBow.feat": b"9 0:1",
    "train/urls_pos.txt": b"http://example.org",
    "train/pos/notes.txt": b"no review",
}
# sha256 over "name NUL text NUL", train before test, neg before pos, numbers ascending; written out by hand
ORDER = [
    "train/neg/2_3.txt",
    "train/neg/10_1.txt",
    "train/pos/0_9.txt",
    "train/pos/1_10.txt",
    "test/neg/0_2.txt",
    "test/neg/1_2.txt",
    "test/pos/0_8.txt",
    "test/pos/1_7.txt",
]
DIGEST = hashlib.sha256(b"".join(name.encode() + b"\0" + FILES[name] + b"\0" for name in ORDER)).hexdigest()


def entry(name, data=b"", **fields):
    member = tarfile.TarInfo(name)
    member.size = len(data)
    for field, value in fields.items():
        setattr(member, field, value)
    return member, data


def pack(path, entries, tar_format=tarfile.GNU_FORMAT):
    with tarfile.open(path, "w:gz", format=tar_format) as tar:
        for member, data in entries:
            tar.addfile(member, io.BytesIO(data))
    return path


def pack_files(path, files, top="aclImdb/", **options):
    return pack(path, [entry(top + name, data) for name, data in files.items()], **options)


def unpack(folder, files):
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def known(monkeypatch):
    """Let the small content above stand for the dataset."""
    monkeypatch.setattr(archive, "CONTENT_SHA256", DIGEST)
    monkeypatch.setattr(archive, "REVIEWS_IN_A_PART", 2)


def test_content_digest_is_in_its_own_order():
    assert content_digest(FILES) == content_digest(dict(reversed(FILES.items()))) == DIGEST


def test_content_digest_refuses_a_foreign_name():
    with pytest.raises(DataError, match="not the name of a review"):
        content_digest({"train/unsup/0_0.txt": b""})


@pytest.mark.parametrize("top", ["aclImdb/", "./aclImdb/", "", "./"])
@pytest.mark.parametrize("tar_format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_every_packing_gives_the_same_reviews(tmp_path, known, top, tar_format):
    files = dict(reversed((EXTRAS | FILES).items()))
    path = pack_files(tmp_path / "reviews.tar.gz", files, top, tar_format=tar_format)
    assert read_reviews(path) == {name: data.decode() for name, data in FILES.items()}


def test_a_folder_gives_the_same_reviews(tmp_path, known):
    folder = unpack(tmp_path / "aclImdb", FILES | EXTRAS)
    assert read_reviews(folder) == {name: data.decode() for name, data in FILES.items()}


def test_directories_in_the_archive_are_passed_over(tmp_path):
    entries = [entry("aclImdb", type=tarfile.DIRTYPE), entry("aclImdb/train/pos/0_9.txt", b"good")]
    assert read_files(pack(tmp_path / "a.tar.gz", entries)) == {"train/pos/0_9.txt": b"good"}


def test_an_altered_text_is_refused(tmp_path, known):
    path = pack_files(tmp_path / "a.tar.gz", FILES | {"test/pos/0_8.txt": b"Better"})
    with pytest.raises(DataError, match="some texts or names are altered"):
        read_reviews(path)


def test_a_missing_review_is_counted(tmp_path, known):
    path = pack_files(tmp_path / "a.tar.gz", {n: d for n, d in FILES.items() if n != "train/neg/10_1.txt"})
    with pytest.raises(DataError, match="expected 2 reviews in each part, found 1 in train/neg "):
        read_reviews(path)


def test_a_foreign_archive_is_refused(tmp_path):
    with pytest.raises(DataError, match="expected 12,500 reviews in each part, found 0 in train/neg, 0 in train/pos"):
        read_reviews(pack_files(tmp_path / "a.tar.gz", EXTRAS))


REVIEW = "aclImdb/train/pos/0_9.txt"
HOSTILE = {
    "parent": ([entry("aclImdb/../../evil.txt", b"x")], "unsafe name"),
    "parent in a review": ([entry("aclImdb/train/../train/pos/0_9.txt", b"x")], "unsafe name"),
    "absolute": ([entry("/tmp/evil.txt", b"x")], "unsafe name"),
    "backslash": ([entry("aclImdb\\..\\evil.txt", b"x")], "unsafe name"),
    "symbolic link": ([entry(REVIEW, type=tarfile.SYMTYPE, linkname="/etc/passwd")], "link, a device"),
    "hard link": ([entry("a"), entry(REVIEW, type=tarfile.LNKTYPE, linkname="a")], "link, a device"),
    "device": ([entry("aclImdb/null", type=tarfile.CHRTYPE)], "link, a device"),
    "pipe": ([entry("aclImdb/pipe", type=tarfile.FIFOTYPE)], "link, a device"),
    "twice": ([entry(REVIEW, b"a"), entry("./" + REVIEW, b"a")], "train/pos/0_9.txt twice"),
    "large review": ([entry(REVIEW, b"\0" * 2000)], "a review has at most 1,000"),
    "large in all": ([entry("aclImdb/unsup.feat", b"\0" * 200_000)], "unpacks to more than 100,000 bytes"),
    "many members": ([entry(f"aclImdb/train/unsup/{i}_0.txt") for i in range(41)], "more than 40 members"),
    "large header": ([entry("n" * 5000, b"")], "asks for 5,120 bytes at once"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_archive_is_refused_and_leaves_nothing(tmp_path, case):
    entries, message = HOSTILE[case]
    path = pack(tmp_path / "a.tar.gz", entries)
    with pytest.raises(DataError, match=message):
        read_files(path, Limits(members=40, review_bytes=1000, total_bytes=100_000))
    assert list(tmp_path.iterdir()) == [path]


def test_a_sparse_member_is_refused(tmp_path):
    member, _ = entry(REVIEW)
    member.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": "1", "GNU.sparse.major": "0"}
    path = pack(tmp_path / "a.tar.gz", [(member, b"")], tar_format=tarfile.PAX_FORMAT)
    with pytest.raises(DataError, match="sparse file"):
        read_files(path)


def test_a_size_that_leads_backwards_is_refused(tmp_path):
    header = bytearray(entry("aclImdb/README")[0].tobuf(tarfile.GNU_FORMAT))
    header[124:136] = (-1024).to_bytes(12, "big", signed=True)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(bytes(header) * 3))
    with pytest.raises(DataError):
        read_files(path)


def test_a_bomb_is_stopped_before_it_is_unpacked(tmp_path):
    path = tmp_path / "a.tar.gz"
    header = entry("aclImdb/bomb")[0]
    header.size = 50 << 20
    path.write_bytes(gzip.compress(header.tobuf() + bytes(50 << 20)))
    assert path.stat().st_size < 100_000
    with pytest.raises(DataError, match="unpacks to more than 1,000,000 bytes"):
        read_files(path, Limits(total_bytes=1_000_000))


FOREIGN = {"empty": b"", "zip": b"PK\x03\x04 no tar", "no tar": gzip.compress(b"no tar" * 1000), "cut": b"\x1f\x8b\x08"}


@pytest.mark.parametrize("data", FOREIGN.values(), ids=FOREIGN)
def test_another_kind_of_file_is_refused(tmp_path, data):
    path = tmp_path / "a.tar.gz"
    path.write_bytes(data)
    with pytest.raises(DataError, match="cannot be read as a gzip-compressed tar archive"):
        read_files(path)


def test_a_missing_archive_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"none\.tar\.gz cannot be read.*FileNotFoundError"):
        read_files(tmp_path / "none.tar.gz")
    with pytest.raises(DataError, match=r"none\.tar\.gz cannot be read"):
        source_fingerprint(tmp_path / "none.tar.gz")


def test_a_truncated_archive_is_refused(tmp_path):
    data = pack_files(tmp_path / "a.tar.gz", FILES).read_bytes()
    cut = tmp_path / "cut.tar.gz"
    for size in range(0, len(data) - 8, 7):
        cut.write_bytes(data[:size])
        with pytest.raises(DataError):
            read_reviews(cut)


def test_a_tar_archive_that_ends_inside_a_review_is_refused(tmp_path):
    tar = entry(REVIEW, b"x" * 600)[0].tobuf() + b"x" * 100
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(tar))
    with pytest.raises(DataError, match="truncated"):
        read_files(path)


def test_a_tar_archive_that_ends_inside_a_skipped_member_is_refused(tmp_path):
    tar = entry("aclImdb/README", b"x" * 1600)[0].tobuf() + b"x" * 100
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(tar))
    with pytest.raises(DataError, match="ends inside a member"):
        read_files(path)


def packed_bytes():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in FILES.items():
            tar.addfile(entry("aclImdb/" + name, data)[0], io.BytesIO(data))
    return buffer.getvalue()


@settings(max_examples=200, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, len(packed_bytes()) - 1), st.integers(0, 255)), min_size=1, max_size=8),
    inside_gzip=st.booleans(),
)
def test_damage_is_either_harmless_or_a_data_error(tmp_path_factory, changes, inside_gzip):
    tar = packed_bytes()
    data = bytearray(tar if inside_gzip else gzip.compress(tar, mtime=0))
    for place, value in changes:
        data[place % len(data)] = value
    path = tmp_path_factory.mktemp("damage") / "a.tar.gz"
    path.write_bytes(gzip.compress(bytes(data)) if inside_gzip else bytes(data))
    try:
        found = read_files(path)
    except DataError:
        return
    assert len(found) <= len(FILES)


@pytest.mark.parametrize("part", archive.PARTS)
def test_a_folder_without_one_part_is_refused(tmp_path, part):
    folder = unpack(tmp_path / "aclImdb", {n: d for n, d in FILES.items() if not n.startswith(part)})
    with pytest.raises(DataError, match="not a readable aclImdb folder"):
        read_files(folder)
    with pytest.raises(DataError, match="cannot be read"):
        source_fingerprint(folder)


def test_a_folder_with_a_link_or_a_large_file_is_refused(tmp_path):
    folder = unpack(tmp_path / "aclImdb", FILES)
    link = folder / "train/neg/3_1.txt"
    link.symlink_to("/etc/passwd")
    with pytest.raises(DataError, match=r"3_1\.txt is not a regular file"):
        read_files(folder)
    link.unlink()
    with pytest.raises(DataError, match="a review has at most 100"):
        read_files(folder, Limits(review_bytes=100))


def test_the_fingerprint_follows_every_change(tmp_path):
    path = pack_files(tmp_path / "a.tar.gz", FILES)
    assert source_fingerprint(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    folder = unpack(tmp_path / "aclImdb", FILES)
    before = source_fingerprint(folder)
    assert source_fingerprint(folder) == before
    os.utime(folder / "train/neg/2_3.txt", ns=(0, 0))
    assert source_fingerprint(folder) != before


@pytest.mark.slow
@pytest.mark.skipif(not Path(os.environ.get("ENCNN_DATA", ""), archive.ARCHIVE_NAME).is_file(), reason="no archive here")
def test_the_real_archive_is_read_and_a_cut_one_is_not(tmp_path):
    source = Path(os.environ["ENCNN_DATA"], archive.ARCHIVE_NAME)
    assert len(read_reviews(source)) == 50_000
    cut = tmp_path / archive.ARCHIVE_NAME
    cut.write_bytes(source.read_bytes()[:1_000_000])
    with pytest.raises(DataError, match="truncated"):
        read_reviews(cut)
