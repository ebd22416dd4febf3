"""Which words a network sees, and which way they lean.

If a word is seen p times in positive and n times in negative training reviews, the course behind the paper's files takes
the ratio r = p / (n + 1) on a logarithmic scale:

    log_ratio = log(r) if r > 1, else -log(1 / (r + 0.01)),

about 0 for neutral words and of equal size for equally strong ones of either class (the 1 and the 0.01 keep it finite).

A vocabulary chosen by `polarity_cutoff` is computed from the labels and says something about them; one chosen by
frequency alone does not.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from encnn.arithmetic.checks import real, whole
from encnn.data.reviews.corpus import Reviews
from encnn.data.reviews.text import words_of
from encnn.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

COMMON = 50  # only words seen at least this often are cut by their polarity


@dataclass(frozen=True)
class Vocabulary:
    """The words that a network sees.

    Raises DataError if the words are not distinct strings in that order, or if there are none.

    >>> words = Vocabulary(("", "bad", "good"))
    >>> len(words), words.index["good"], "fine" in words
    (3, 2, False)
    """

    words: tuple[str, ...]  # in the order of plain strings
    index: Mapping[str, int] = field(init=False, repr=False, compare=False)  # the number of each word

    def __post_init__(self) -> None:
        words = tuple(self.words)
        if not words:
            raise DataError("The vocabulary has no words; lower min_count or polarity_cutoff.")
        if any(not isinstance(word, str) for word in words) or any(a >= b for a, b in pairwise(words)):
            raise DataError("The words of a vocabulary must be distinct strings in sorted order; pass sorted(set(words)).")
        object.__setattr__(self, "words", words)
        object.__setattr__(self, "index", MappingProxyType({word: i for i, word in enumerate(words)}))

    @classmethod
    def select(
        cls,
        reviews: Reviews,
        min_count: int = 0,
        polarity_cutoff: float | None = None,
        max_words: int | None = None,
    ) -> "Vocabulary":
        """Return the words of training reviews that pass every given test; all words if none is given.

        min_count: keep words seen more often than this.
        polarity_cutoff: of the words seen `COMMON` times or more, keep those with |log_ratio| >= polarity_cutoff.
            Rarer words stay, as in the course.  This looks at the labels.
        max_words: keep the most frequent ones of what is left; of equally frequent words, the first as strings.
        """
        if max_words is not None:
            whole("max_words", max_words, 1, error=DataError)
        counts = _counted(reviews, min_count, polarity_cutoff)
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        return cls(tuple(sorted(ranked[:max_words])))

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self.index


def positive_to_negative_ratios(reviews: Reviews, min_count: int = 0) -> "pd.DataFrame":
    """Return one row for each word seen more than `min_count` times, from the most positive to the most negative.

    Columns: word; positive and negative, how often it is seen in reviews of that label; log_ratio as above.
    """
    import pandas as pd  # a second to import, and no training needs it

    whole("min_count", min_count, 0, error=DataError)
    if reviews.classes != 2:
        raise DataError(
            f"words lean between two classes, these reviews have {reviews.classes}; take one class against the rest, "
            "Reviews(reviews.texts, reviews.labels == 2), or choose words by frequency alone (polarity_cutoff=None)"
        )
    positive, negative = (
        _count_words(text for text, of in zip(reviews.texts, reviews.labels, strict=True) if of == label) for label in (1, 0)
    )
    words = sorted(word for word in positive.keys() | negative.keys() if positive[word] + negative[word] > min_count)
    table = pd.DataFrame(
        {
            "word": pd.Series(words, dtype=object),
            "positive": np.array([positive[word] for word in words], dtype=np.int64),
            "negative": np.array([negative[word] for word in words], dtype=np.int64),
        }
    )
    table["log_ratio"] = _log_ratio(table.positive.to_numpy(), table.negative.to_numpy())
    return table.sort_values("log_ratio", ascending=False, kind="stable", ignore_index=True)


def most_positive(ratios: "pd.DataFrame", n: int = 10) -> "pd.DataFrame":
    """Return the `n` most positive rows of `positive_to_negative_ratios`, the most positive first."""
    return ratios.nlargest(n, "log_ratio").reset_index(drop=True)


def most_negative(ratios: "pd.DataFrame", n: int = 10) -> "pd.DataFrame":
    """Return the `n` most negative rows of `positive_to_negative_ratios`, the most negative first."""
    return ratios.nsmallest(n, "log_ratio").reset_index(drop=True)


def _counted(reviews: Reviews, min_count: int, polarity_cutoff: float | None) -> dict[str, int]:
    """Return the words that pass both tests, and how often each is seen."""
    if polarity_cutoff is None:
        whole("min_count", min_count, 0, error=DataError)
        return {word: count for word, count in _count_words(reviews.texts).items() if count > min_count}
    real("polarity_cutoff", polarity_cutoff, 0, error=DataError)
    table = positive_to_negative_ratios(reviews, min_count)
    count = table.positive + table.negative
    keep = (count < COMMON) | (table.log_ratio >= polarity_cutoff) | (table.log_ratio <= -polarity_cutoff)
    return dict(zip(table.word[keep], count[keep], strict=True))


def _count_words(texts: Iterable[str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(words_of(text))
    return counts


def _log_ratio(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    ratio = positive / (negative + 1)
    leaning = np.where(ratio > 1, ratio, 1)  # keeps log from seeing a 0 it does not need
    return np.where(ratio > 1, np.log(leaning), -np.log(1 / (ratio + 0.01)))
