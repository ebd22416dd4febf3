"""Words and pairs of words as features.

A gram is a word, or several words that follow each other, joined by blanks.  Full stops and empty words do not count and do
not part the words beside them.  Which grams a network sees is decided by how many reviews have them, hence without labels: rare
ones teach nothing, and very common ones make scores share errors while they say little.
"""

from collections import Counter
from collections.abc import Sequence

from scipy import sparse

from encnn.data.reviews.corpus import Reviews
from encnn.data.reviews.features import bag_of
from encnn.data.reviews.text import words_of
from encnn.data.reviews.vocabulary import Vocabulary
from encnn.errors import DataError
from encnn.progress import progress

PAIRS = 2


def grams_of(text: str, longest: int = PAIRS) -> list[str]:
    """Return all grams of a text, of up to `longest` words each, repetitions included, the short ones first.

    >>> grams_of("a good film  . good")
    ['a', 'good', 'film', 'good', 'a good', 'good film', 'film good']
    """
    words = [word for word in words_of(text) if word and word != "."]
    return [" ".join(words[i : i + n]) for n in range(1, longest + 1) for i in range(len(words) - n + 1)]


def select_grams(reviews: Reviews, longest: int = PAIRS, least: int = 10, most: int = 5000) -> Vocabulary:
    """Return the grams of up to `longest` words that occur in `least` to `most` of the training reviews.

    It looks at no label, so it goes with labels that the trainer must not learn.  Raises `DataError` if no gram is left.
    """
    if longest < 1 or not 1 <= least <= most:
        raise DataError(f"longest={longest}, least={least}, most={most}: expected longest >= 1 and 1 <= least <= most")
    seen: Counter[str] = Counter()
    for text in progress(reviews.texts, "counting grams", unit=" reviews"):
        seen.update(set(grams_of(text, longest)))
    kept = sorted(gram for gram, count in seen.items() if least <= count <= most)
    if not kept:
        raise DataError(
            f"no gram occurs in {least} to {most} of {len(reviews)} reviews; lower least, raise most or give more texts"
        )
    return Vocabulary(tuple(kept))


def bag_of_grams(reviews: Reviews | Sequence[str], vocabulary: Vocabulary) -> sparse.csr_array:
    """Return which grams of the vocabulary each review, or text, has: int64 csr_array of ones, (reviews, grams).

    >>> reviews = Reviews(("bad film . bad film", "film bad"), [0, 1])
    >>> bag_of_grams(reviews, Vocabulary(("bad film", "film"))).toarray()
    array([[1, 1],
           [0, 1]])
    """
    longest = 1 + max(gram.count(" ") for gram in vocabulary.words)
    return bag_of(reviews, vocabulary, lambda text: grams_of(text, longest), "grams")
