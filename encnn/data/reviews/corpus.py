"""Reviews with their labels, and the corpora that come with the package.

`Reviews` holds texts and labels, from anywhere.  `load_reviews` returns a `Corpus` of training and test reviews:

- "imdb": the 25,000 + 25,000 reviews of the Large Movie Review Dataset [MDP+11] in the paper's text form, in the
  order of the paper's files: names sorted as strings in pos and in neg, then taken in turn pos, neg, pos, neg;
- "toy": a generated corpus with a known signal, for first runs without a network.
"""

import hashlib
import lzma
import numbers
import os
import re
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from encnn.arithmetic.checks import instance, shown, whole
from encnn.data.inputs import LabelMapping, mapped_labels
from encnn.data.reviews import archive, toy
from encnn.data.reviews.cache import cache_folder, load_arrays, pack_strings, pooch, save_arrays, unpack_strings
from encnn.data.reviews.text import paper_form
from encnn.errors import DataError, DataWarning
from encnn.progress import progress

if TYPE_CHECKING:
    import pandas as pd

CORPORA = ("imdb", "toy")
_FORMAT = 1
_CACHE_NAME = f"imdb-{archive.CONTENT_SHA256[:16]}-v{_FORMAT}.bin"
_CACHED = ("sources", "train_texts", "train_labels", "test_texts", "test_labels")
_LABELS = {"positive": 1, "pos": 1, "negative": 0, "neg": 0}
_LABELS_HELP = "expected 0 or 1, False or True, 'negative' or 'positive', 'neg' or 'pos'"
_MAPPING_HELP = (
    "For other labels say what they mean, by labels={...} or encnn.data.mapped_labels (in the command by --positive, or by "
    "--classes of `encnn init`)."
)
_MOST_CLASSES = 128  # labels are int8
_BLOCK = 5  # ten reviews in random order come sorted once in a hundred times
_BREAKS = re.compile(r"[^\S ]+")
_UNREADABLE = (
    *(OSError, ValueError, EOFError, LookupError, ImportError, RuntimeError),  # pandas' parser errors are ValueErrors
    *(zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError),  # a compressed file that was cut
)


@dataclass(frozen=True, eq=False)
class Reviews:
    """Texts and their labels.

    texts: n strings, words separated by single blanks.
    labels: int8 ndarray of shape (n,), 1 for positive and 0 for negative; read-only.  object sequence of 0/1, booleans or
        the words "positive"/"negative", "pos"/"neg" (in any case) is accepted and converted.
    classes: 2, or more; labels then go from 0 to classes - 1.  A network has one output per class (`Architecture.outputs`);
        for one output take a class against the rest: `Reviews(reviews.texts, reviews.labels == 2)`.

    Raises DataError if there are no reviews, if texts and labels differ in number, or if any of them is missing or of
    the wrong kind.

    >>> reviews = Reviews(("a good film", "a bad film"), ["positive", "negative"])
    >>> len(reviews), reviews.labels.tolist(), reviews[1:].texts
    (2, [1, 0], ('a bad film',))
    """

    texts: tuple[str, ...]  # words separated by single blanks
    labels: np.ndarray  # int8 of shape (n,), read-only
    classes: int = 2  # labels go from 0 to classes - 1

    def __post_init__(self) -> None:
        whole("classes", self.classes, 2, _MOST_CLASSES, error=DataError)
        texts, labels = _checked_texts(self.texts), _checked_labels(self.labels, self.classes)
        if len(texts) != len(labels):
            raise DataError(f"{len(texts):,} texts but {len(labels):,} labels; expected one label for each text.")
        if not texts:
            raise DataError("There are no reviews; expected at least one text with its label.")
        object.__setattr__(self, "texts", texts)
        object.__setattr__(self, "labels", labels)

    @classmethod
    def from_frame(
        cls,
        frame: "pd.DataFrame",
        text: str = "text",
        label: str = "label",
        *,
        raw: bool = True,
        labels: LabelMapping | None = None,
    ) -> "Reviews":
        """Return the reviews in two columns of a table, named by `text` and `label`.

        raw: bring the texts into the paper's text form (lower case, letters a-z and full stops only).  Pass False for
        texts that are already words separated by blanks, or that are not in English.  Line breaks and tabs inside a text
        become blanks in either case, since words are what lies between blanks.
        labels: which class, 0, 1, ..., a label stands for, such as {"bad": 0, "good": 1}; several may stand for one.

        Warns (`DataWarning`) of texts of which the paper's form keeps less than half, and of labels that come sorted.
        """
        for column in (text, label):
            if list(frame.columns).count(column) != 1:
                raise DataError(f"Expected exactly one column {column!r}; the columns are {list(frame.columns)}.")
        texts = tuple(_BREAKS.sub(" ", t) for t in _checked_texts(frame[text]))
        if raw:
            warn_of_other_scripts(texts)
            texts = tuple(map(paper_form, texts))
        numbers = frame[label].to_numpy() if labels is None else mapped_labels(frame[label], labels)
        reviews = cls(texts, numbers, 2 if labels is None else max(2, *(k + 1 for k in labels.values())))
        reviews._warn_if_sorted()
        return reviews

    @classmethod
    def from_csv(
        cls,
        path: str | os.PathLike,
        text: str = "text",
        label: str = "label",
        *,
        raw: bool = True,
        sep: str = ",",
        encoding: str = "utf-8",
        header: Sequence[str] | None = None,
        labels: LabelMapping | None = None,
    ) -> "Reviews":
        """Return the reviews in a CSV file, compressed or not; `text`, `label`, `raw` and `labels` as in `from_frame`.

        sep: the character between fields; texts that contain it stand between double quotes.  header: the names of the
        columns, for a file whose first line holds none.

        >>> Reviews.from_csv("stars.tsv", sep="\t", header=["stars", "text"], label="stars",
        ...                  labels={1: 0, 2: 0, 4: 1, 5: 1})  # doctest: +SKIP
        """
        frame = read_table(path, sep, encoding, header)
        if labels is None or not all(isinstance(key, str) for key in labels):
            if list(frame.columns).count(label) == 1:
                frame[label] = numbers_or_words(frame[label])
        return cls.from_frame(frame, text, label, raw=raw, labels=labels)

    def shuffled(self, rng: np.random.Generator) -> "Reviews":
        """Return the same reviews in an order drawn from `rng`: training one by one wants classes that take turns."""
        return self[instance("rng", rng, np.random.Generator, error=DataError).permutation(len(self))]

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, rows: slice | np.ndarray) -> "Reviews":
        """Return the reviews of a slice, or of an array of row numbers or booleans, in that order."""
        chosen = np.arange(len(self))[rows]
        if chosen.ndim != 1:
            raise DataError(f"reviews[{rows}] is not a set of reviews; take a slice, or index .texts and .labels.")
        return Reviews(tuple(self.texts[row] for row in chosen), self.labels[chosen], self.classes)

    def _warn_if_sorted(self) -> None:
        """Warn if every class stands in one block, and no block is so small that chance explains it."""
        changes = int(np.count_nonzero(np.diff(self.labels)))
        counts = np.unique(self.labels, return_counts=True)[1]
        if len(counts) > 1 and changes == len(counts) - 1 and counts.min() >= _BLOCK:
            warnings.warn(
                f"the {len(self):,} labels come sorted, one class after the other: training one by one then forgets the first "
                "class; use reviews.shuffled(np.random.default_rng(0))",
                DataWarning,
                stacklevel=3,
            )

    @cached_property
    def digest(self) -> str:
        """The sha256 of texts and labels, as a hexadecimal string: equal for equal reviews in the same order."""
        content = hashlib.sha256(self.labels.tobytes())
        content.update(pack_strings(self.texts).tobytes())
        return content.hexdigest()


@dataclass(frozen=True)
class Corpus:
    """Training and test reviews."""

    name: str  # "imdb" or "toy"
    train: Reviews  # training reviews
    test: Reviews  # test reviews
    is_real: bool  # False for generated reviews, whose results say nothing about the paper's


def load_reviews(name: str = "imdb", *, download: bool = True) -> Corpus:
    """Return the corpus called `name`: "imdb" or "toy".

    The real reviews are taken from the archive or folder that the environment variable `ENCNN_DATA` names, else from
    the user's cache folder, else they are downloaded (84 MB) unless `download` is False.  They are parsed once, and
    kept in the cache folder (`ENCNN_CACHE`, or the system's usual place), from where they load in a second.

    Raises DataError for an unknown name, and for reviews that are not to be had or are not the real ones.
    """
    _check_name(name)
    return _load_toy() if name == "toy" else _load_imdb(download)


def reviews_available(name: str = "imdb") -> bool:
    """Return whether `load_reviews(name)` finds its reviews on this machine, that is, without a download.

    Nothing is read, so loading may still find that the reviews are damaged.
    """
    _check_name(name)
    if name == "toy":
        return True
    if os.environ.get("ENCNN_DATA"):
        return _find_source(Path(os.environ["ENCNN_DATA"])) is not None
    return (cache_folder() / _CACHE_NAME).is_file() or _find_source(cache_folder()) is not None


def _check_name(name: str) -> None:
    if name not in CORPORA:
        raise DataError(f"There are no reviews called {name!r}; expected one of {', '.join(CORPORA)}.")


def _checked_texts(texts: Iterable[str]) -> tuple[str, ...]:
    if isinstance(texts, str):
        raise DataError("The texts are a single string; expected a sequence of strings, one for each review.")
    checked = tuple(texts)
    for row, text in enumerate(checked):
        if not isinstance(text, str):
            raise DataError(f"Text {row} is {text!r}; expected a string. Fill in or drop missing texts.")
    return checked


def _checked_labels(labels: Iterable, classes: int) -> np.ndarray:
    values = np.asarray(labels if isinstance(labels, np.ndarray) else list(labels))
    if values.ndim != 1:
        raise DataError(f"The labels have shape {values.shape}; expected one label for each review.")
    if values.dtype.kind not in "biuf":
        values = np.array([_label_number(row, label) for row, label in enumerate(values.tolist())], dtype=float)
    wrong = np.flatnonzero(~np.isin(values, np.arange(classes)))
    if wrong.size:
        expected = _LABELS_HELP if classes == 2 else f"expected whole numbers from 0 to {classes - 1}"
        raise DataError(f"Label {wrong[0]} is {values[wrong[0]]}; {expected}. Fill in or drop missing labels. {_MAPPING_HELP}")
    checked = values.astype(np.int8)
    checked.setflags(write=False)
    return checked


def _label_number(row: int, label: object) -> float:
    if isinstance(label, str) and label.strip().lower() in _LABELS:
        return _LABELS[label.strip().lower()]
    if isinstance(label, numbers.Real):
        return float(label)
    raise DataError(f"Label {row} is {shown(label)}; {_LABELS_HELP}. Fill in or drop missing labels. {_MAPPING_HELP}")


def read_table(
    path: str | os.PathLike, sep: str = ",", encoding: str = "utf-8", header: Sequence[str] | None = None
) -> "pd.DataFrame":
    """Return the fields of a CSV file as strings, missing where they are empty, under the names of its columns."""
    import pandas as pd  # a second to import, and no training needs it

    if not isinstance(sep, str) or len(sep) != 1 or not isinstance(encoding, str):
        raise DataError(f"sep={shown(sep)}, encoding={shown(encoding)}; expected one character, and a name such as 'utf-8'.")
    try:
        table = pd.read_csv(path, sep=sep, encoding=encoding, header=None, dtype=str, keep_default_na=False, na_values=[""])
    except _UNREADABLE as error:
        raise DataError(
            f"{path} cannot be read as a CSV file in {encoding.upper()} with {sep!r} between fields ({str(error).strip()}). "
            f"Put texts that contain {sep!r} between double quotes, remove {sep!r} at the ends of lines, name another sep= or "
            "encoding= (in the command --sep, --encoding), or get the file again if it was cut or is empty."
        ) from error
    names = table.iloc[0].tolist() if header is None else list(header)
    if len(names) != table.shape[1]:
        raise DataError(f"{path} has {table.shape[1]} columns, but header= names {len(names)}: {names}; name each of them.")
    table = table.iloc[1:] if header is None else table
    return table.set_axis(names, axis=1).reset_index(drop=True)


def numbers_or_words(column: "pd.Series") -> "pd.Series":
    """Return a column of strings as numbers or truth values if all of them are."""
    import pandas as pd

    numbers_ = pd.to_numeric(column, errors="coerce")
    if numbers_.notna().equals(column.notna()):
        return numbers_
    truths = column.str.strip().str.lower().map({"true": 1, "false": 0})
    return truths if truths.notna().equals(column.notna()) else column


def warn_of_other_scripts(texts: Sequence[str]) -> None:
    """Warn of texts that the paper's form would empty without a word: letters other than a-z are deleted."""
    lost = [row for row, text in enumerate(texts) if not text.isascii() and _mostly_foreign(text)]
    if lost:
        warnings.warn(
            f"{len(lost):,} of {len(texts):,} texts are mostly written in letters other than a to z (the first is text "
            f"{lost[0]}), which the paper's text form deletes; pass raw=False, and texts as words separated by "
            "blanks (in the command --any-letters; for EncryptedClassifier a CountVectorizer before it)",
            DataWarning,
            stacklevel=3,
        )


def _mostly_foreign(text: str) -> bool:
    letters = [character for character in text if character.isalpha()]
    return 2 * sum(not character.isascii() for character in letters) > len(letters)


def _load_toy() -> Corpus:
    train, test = (Reviews(*toy.toy_reviews(part)) for part in ("train", "test"))
    return Corpus("toy", train, test, is_real=False)


def _load_imdb(download: bool) -> Corpus:
    source = _named_source()
    fingerprint = archive.source_fingerprint(source) if source else None
    cached = load_arrays(_CACHE_NAME, _CACHED)
    sources = unpack_strings(cached["sources"]) if cached else []
    # The cache stands for a named source only if that very source was read and found good before.
    if cached and (fingerprint is None or fingerprint in sources):
        return _unpack(cached)
    source = source or _find_source(cache_folder()) or _downloaded(download)
    corpus = _parse(archive.read_reviews(source))
    save_arrays(_CACHE_NAME, _pack(corpus, [*sources, fingerprint or archive.source_fingerprint(source)]))
    return corpus


def _named_source() -> Path | None:
    named = os.environ.get("ENCNN_DATA")
    if not named:
        return None
    source = _find_source(Path(named))
    if source is None:
        raise DataError(
            f"ENCNN_DATA is {named!r}, where there are no reviews; expected the archive {archive.ARCHIVE_NAME}, a "
            f"folder that holds it, or its unpacked folder {archive.FOLDER_NAME}. Correct it, or unset it to download."
        )
    return source


def _find_source(place: Path) -> Path | None:
    """Return the archive or unpacked folder at a place, which is either itself or directly holds it."""
    if place.is_file():
        return place
    for candidate in (place / archive.ARCHIVE_NAME, place, place / archive.FOLDER_NAME):
        if candidate.is_file() or (candidate / "train").is_dir():
            return candidate
    return None


def _downloaded(download: bool) -> Path:
    if not download:
        raise DataError(f"The real reviews are not on this machine, and downloading was ruled out. {_HOW_TO_GET}")
    bar, loader = progress(total=1, description="downloading reviews", unit="B", unit_scale=True), pooch()
    try:
        path = loader.retrieve(
            archive.ARCHIVE_URL,
            known_hash=archive.ARCHIVE_SHA256,
            fname=archive.ARCHIVE_NAME,
            path=cache_folder(),
            downloader=loader.HTTPDownloader(progressbar=bar),
        )
    except (OSError, ValueError) as error:  # no network, or a wrong checksum
        raise DataError(f"The real reviews could not be downloaded ({error}). {_HOW_TO_GET}") from error
    finally:
        bar.close()
    return Path(path)


_HOW_TO_GET = (
    f"Get {archive.ARCHIVE_URL} on a machine with a network and set the environment variable ENCNN_DATA to the file, "
    "or use load_reviews('toy')."
)


def _parse(files: Mapping[str, str]) -> Corpus:
    train, test = (
        [paper_form(files[name]) for name in progress(_paper_order(files, split), f"parsing {split}", unit=" reviews")]
        for split in ("train", "test")
    )
    return Corpus("imdb", _alternating(train), _alternating(test), is_real=True)


def _alternating(texts: Sequence[str]) -> Reviews:
    return Reviews(tuple(texts), np.tile([1, 0], len(texts) // 2))


def _paper_order(files: Iterable[str], split: str) -> list[str]:
    """Return the names of one split: sorted as strings in pos and in neg, then taken in turn."""
    names = sorted(files)
    positive, negative = ([name for name in names if name.startswith(f"{split}/{label}/")] for label in ("pos", "neg"))
    return [name for pair in zip(positive, negative, strict=True) for name in pair]


def _pack(corpus: Corpus, sources: list[str]) -> dict[str, np.ndarray]:
    arrays = {"sources": pack_strings(sources)}
    for split, reviews in (("train", corpus.train), ("test", corpus.test)):
        arrays[f"{split}_texts"] = pack_strings(reviews.texts)
        arrays[f"{split}_labels"] = reviews.labels
    return arrays


def _unpack(arrays: Mapping[str, np.ndarray]) -> Corpus:
    train, test = (
        Reviews(tuple(unpack_strings(arrays[f"{split}_texts"])), arrays[f"{split}_labels"]) for split in ("train", "test")
    )
    return Corpus("imdb", train, test, is_real=True)
