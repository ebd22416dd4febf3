"""Reading the Large Movie Review Dataset [MDP+11] from its archive, or from an unpacked folder, into memory.

The archive is input from outside and is not trusted.  Nothing of it is ever written to disk.  Names that leave the
folder, links, devices, and anything larger or more numerous than the dataset needs are refused while they are read.
What has been read must then have the one known *content* digest, so that a truncated, altered or foreign archive is
refused and two different packings of the same reviews are not told apart.

The dataset has 12,500 reviews in each of train/neg, train/pos, test/neg and test/pos.  Its other members (unlabelled
reviews, feature files, lists of addresses, vocabulary) are skipped.
"""

import gzip
import hashlib
import io
import os
import re
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from encnn.errors import DataError
from encnn.progress import progress

ARCHIVE_NAME = "aclImdb_v1.tar.gz"
ARCHIVE_URL = "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz"
ARCHIVE_SHA256 = "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe"
CONTENT_SHA256 = "85222fd32ec369d7a1dafde41f491bb2e9c530fa4ba13e4a38dfb1bad9540f87"
FOLDER_NAME = "aclImdb"
PARTS = ("train/neg", "train/pos", "test/neg", "test/pos")
REVIEWS_IN_A_PART = 12_500

_REVIEW_NAME = re.compile(r"(?:aclImdb/)?((?:train|test)/(?:neg|pos)/(\d{1,9})_\d{1,2}\.txt)", re.ASCII)
_UNREADABLE = (tarfile.TarError, EOFError, OSError, zlib.error, ValueError, ArithmeticError, RecursionError)
_ADVICE = "Delete it and get the archive again, or point ENCNN_DATA to a good copy."


@dataclass(frozen=True)
class Limits:
    """The most that an archive may hold.  The dataset has some 100,000 members with its extras and stays well below."""

    members: int = 150_000  # files and folders
    review_bytes: int = 1 << 20  # bytes of one review
    total_bytes: int = 1 << 30  # bytes of all members together


def read_reviews(source: Path) -> dict[str, str]:
    """Return the 50,000 labelled reviews, `{"train/neg/0_3.txt": text, ...}`, from an archive or an unpacked folder.

    Raises DataError if the source cannot be read safely, or if its reviews are not exactly those of the dataset.
    """
    files = read_files(source)
    found = content_digest(files)
    if found != CONTENT_SHA256:
        raise DataError(
            f"{source} does not hold the Large Movie Review Dataset: {_difference(files)} "
            f"(content digest {found}, expected {CONTENT_SHA256}). {_ADVICE}"
        )
    return {name: data.decode() for name, data in files.items()}


def read_files(source: Path, limits: Limits | None = None) -> dict[str, bytes]:
    """Return the bytes of every labelled review in a source, without judging them; keys are as in `read_reviews`.

    Raises DataError if the source is missing, damaged or hostile.
    """
    limits = limits or Limits()
    files = _folder_files(source, limits) if source.is_dir() else _archive_files(source, limits)
    reviews: dict[str, bytes] = {}
    for name, data in files:
        if name in reviews:
            raise DataError(f"{source} holds the review {name} twice; expected each once. {_ADVICE}")
        reviews[name] = data
    return reviews


def content_digest(files: Mapping[str, bytes]) -> str:
    """Return the sha256 over `name NUL text NUL` of each review: train before test, neg before pos, then by number."""
    digest = hashlib.sha256()
    for name in sorted(files, key=_content_order):
        digest.update(name.encode() + b"\0" + files[name] + b"\0")
    return digest.hexdigest()


def source_fingerprint(source: Path) -> str:
    """Return a digest that changes whenever a source does, much faster than reading its reviews.

    For an archive it is the sha256 of its bytes, and for a folder that of the reviews' names, sizes and times of change.
    """
    try:
        if not source.is_dir():
            with source.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        entries = [(name, entry.stat()) for name, entry in _folder_entries(source)]
    except OSError as error:
        raise DataError(f"{source} cannot be read ({error}). {_ADVICE}") from error
    lines = sorted(f"{name} {status.st_size} {status.st_mtime_ns}" for name, status in entries)
    return hashlib.sha256("\n".join([str(source.resolve()), *lines]).encode()).hexdigest()


def _content_order(name: str) -> tuple[int, int, str]:
    match = _REVIEW_NAME.fullmatch(name)
    if match is None:
        raise DataError(f"{name!r} is not the name of a review; expected one like 'train/neg/0_3.txt'.")
    return PARTS.index(name.rpartition("/")[0]), int(match[2]), name


def _difference(files: Mapping[str, bytes]) -> str:
    counts = Counter(name.rpartition("/")[0] for name in files)
    wrong = [f"{counts[part]:,} in {part}" for part in PARTS if counts[part] != REVIEWS_IN_A_PART]
    if wrong:
        return f"expected {REVIEWS_IN_A_PART:,} reviews in each part, found {', '.join(wrong)}"
    return "the number of reviews is right, but some texts or names are altered"


def _folder_entries(folder: Path) -> Iterator[tuple[str, os.DirEntry]]:
    for part in PARTS:
        with os.scandir(folder / part) as entries:
            for entry in entries:
                if _REVIEW_NAME.fullmatch(f"{part}/{entry.name}"):
                    yield f"{part}/{entry.name}", entry


def _folder_files(folder: Path, limits: Limits) -> Iterator[tuple[str, bytes]]:
    try:
        for name, entry in progress(_folder_entries(folder), "reading reviews", unit=" files"):
            if not entry.is_file(follow_symlinks=False):
                raise DataError(f"{entry.path} is not a regular file; expected the text of a review. {_ADVICE}")
            _check_size(entry.path, entry.stat().st_size, limits)
            yield name, Path(entry.path).read_bytes()
    except OSError as error:
        raise DataError(f"{folder} is not a readable {FOLDER_NAME} folder ({error}). {_ADVICE}") from error


def _archive_files(path: Path, limits: Limits) -> Iterator[tuple[str, bytes]]:
    try:
        with gzip.open(path) as unpacked, tarfile.open(fileobj=_BoundedReader(unpacked, limits), mode="r:") as tar:
            for count, member in enumerate(progress(tar, "reading reviews", unit=" files"), start=1):
                if count > limits.members:
                    raise DataError(f"{path} has more than {limits.members:,} members; that is not the dataset.")
                name = _safe_name(path, member)
                if member.isfile() and (review := _REVIEW_NAME.fullmatch(name)):
                    _check_size(member.name, member.size, limits)
                    yield review[1], cast(IO[bytes], tar.extractfile(member)).read()  # None only for links and folders
    except DataError:
        raise
    except _UNREADABLE as error:
        raise DataError(
            f"{path} cannot be read as a gzip-compressed tar archive; it is missing, truncated, damaged or of another "
            f"kind ({type(error).__name__}: {error}). {_ADVICE}"
        ) from error


def _safe_name(path: Path, member: tarfile.TarInfo) -> str:
    """Return the member's name without leading "./"; refuse what no honest copy of the dataset contains."""
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts or "\\" in member.name or "\0" in member.name:
        raise DataError(f"{path} holds the unsafe name {member.name!r}; expected names inside {FOLDER_NAME}/. {_ADVICE}")
    if not (member.isfile() or member.isdir()) or member.issparse():
        raise DataError(f"{path}: {member.name!r} is a link, a device or a sparse file; expected plain files. {_ADVICE}")
    return str(name)


def _check_size(name: str, size: int, limits: Limits) -> None:
    if size > limits.review_bytes:
        raise DataError(f"{name} has {size:,} bytes; a review has at most {limits.review_bytes:,}. {_ADVICE}")


class _BoundedReader(io.RawIOBase):
    """A stream read forwards only, that refuses to unpack more than the limits allow (a decompression bomb)."""

    def __init__(self, stream: gzip.GzipFile, limits: Limits) -> None:
        self._stream = stream
        self._limits = limits
        self._position = 0

    def tell(self) -> int:
        return self._position

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= 2 * self._limits.review_bytes:
            raise DataError(f"The archive asks for {size:,} bytes at once: a damaged or hostile header. {_ADVICE}")
        data = self._stream.read(size)
        self._position += len(data)
        if self._position > self._limits.total_bytes:
            raise DataError(f"The archive unpacks to more than {self._limits.total_bytes:,} bytes: not the dataset.")
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET or offset < self._position:
            raise DataError(f"The archive asks to be read backwards: a damaged or hostile header. {_ADVICE}")
        while self._position < offset:
            if not self.read(min(offset - self._position, self._limits.review_bytes)):
                raise EOFError("the archive ends inside a member")
        return self._position
