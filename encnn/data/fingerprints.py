"""The fingerprint of features: which columns a matrix has, in which order, and how its entries were counted.

A network's rows belong to words, or to columns of a table.  Features of the same width from another vocabulary would give
scores without meaning, and no error.  So the functions that make features mark them with a fingerprint, a short text such as

    words:382:6b1f...0e3c+bias

It holds the *rule* (`words` for bags of words, `counts` for bags that count, `grams` for words and groups of words, `table` for
named columns, `scaled` for columns of real numbers made whole), the number of names, a digest of the names in order, and
whether a constant column follows.  `x10` at its end says that each review has ten rows, one per class, and each column ten
weights.  It tells features apart.  It hides nothing, since anybody can test a guess of the vocabulary.  For features without a
fingerprint, bare matrices, only the width is checked.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias, TypeVar

from scipy.sparse import csr_array

from encnn.errors import DataError
from encnn.files.schema import Matches

T = TypeVar("T")
Rule: TypeAlias = Literal["words", "counts", "grams", "table", "scaled"]

PATTERN = r"(words|counts|grams|table|scaled):([1-9][0-9]{0,9}):[0-9a-f]{32}(\+bias)?(?:x([1-9][0-9]{0,4}))?"
BIAS = "+bias"

Fingerprint: TypeAlias = Annotated[str, Matches(PATTERN, "the fingerprint of features")]


class MarkedFeatures(csr_array):
    """A csr_array with a fingerprint.  Rows and copies keep it; operations that change columns or entries drop it."""

    fingerprint: str | None = None

    def __getitem__(self, key: object) -> object:
        """Return rows with the fingerprint, or anything else without it."""
        return self._marked(super().__getitem__(key)) if not isinstance(key, tuple) else super().__getitem__(key)

    def copy(self) -> "MarkedFeatures":
        """Return a copy with the fingerprint."""
        copied: MarkedFeatures = self._marked(super().copy())
        return copied

    def _marked(self, rows: T) -> T:
        if isinstance(rows, MarkedFeatures) and rows.ndim == 2:
            rows.fingerprint = self.fingerprint
        return rows


def marked(X: csr_array, fingerprint: str) -> csr_array:
    """Return the same features with a fingerprint; nothing is copied."""
    features = MarkedFeatures((X.data, X.indices, X.indptr), shape=X.shape)
    features.fingerprint = fingerprint
    return features


def fingerprint_of_names(rule: Rule, names: Sequence[str], bias: bool = False) -> str:
    """Return the fingerprint of columns with these names, made by this rule.

    >>> fingerprint_of_names("words", ["bad", "good"], bias=True)
    'words:2:43f2653587307b871a3b27e1fc14e832+bias'
    """
    digest = hashlib.sha256(json.dumps([rule, *names]).encode()).hexdigest()[:32]
    return f"{rule}:{len(names)}:{digest}{BIAS if bias else ''}"


def fingerprint_of(X: object) -> str | None:
    """Return the fingerprint of features: the one they carry, that of the columns of a data frame, or None."""
    carried = getattr(X, "fingerprint", None)
    if isinstance(carried, str):
        return carried
    names = list(getattr(X, "columns", ()))
    return fingerprint_of_names("table", names) if names and all(isinstance(name, str) for name in names) else None


def width_of(fingerprint: str) -> int:
    """Return the number of columns of features with this fingerprint."""
    match = re.fullmatch(PATTERN, fingerprint)
    if match is None:
        raise DataError(f"{fingerprint!r:.80} is not a fingerprint of features; take one from fingerprint_of(X)")
    return (int(match[2]) + bool(match[3])) * int(match[4] or 1)


def check_fingerprints(wanted: str | None, found: str | None) -> None:
    """Raise `DataError` if both are known and differ."""
    if wanted is not None and found is not None and wanted != found:
        raise DataError(
            f"these features are {found}, the model is for {wanted}: other words or columns, another order, or counted "
            "otherwise; make features with model.features(texts), or with the vocabulary that the model's owner chose"
        )
