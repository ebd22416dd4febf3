"""The text form in which the paper reads a review.

The paper's files "reviews" and "labels" are those of the Udacity sentiment course, made from the training part of the
Large Movie Review Dataset [MDP+11].  One review becomes one line of them in four steps:

1. lower-case it, and set a blank on both sides of each of . , ! ? " ' ’ ( ) < > / _ - and of each digit;
2. add one blank at the end, and squeeze every run of blanks to a single one;
3. delete everything that is not a letter a-z, a blank or a full stop (the blanks around it stay, in runs);
4. add one more blank.

Words are what lies between single blanks, so a run of blanks yields the *empty word*, which counts like any other.
"""

import re
from collections.abc import Iterable

_SET_APART = str.maketrans({character: f" {character} " for character in ".,!?\"'\u2019()<>/_-0123456789"})
_BLANKS = re.compile("  +")
_DELETED = re.compile("[^a-z. ]+")


def paper_form(text: str) -> str:
    """Return one review in the paper's text form, without the newline that ends its line.

    >>> paper_form("Great fun (9/10).<br />Don't miss it: see it!")
    'great fun      .   br    don  t miss it see it   '
    """
    apart = text.lower().translate(_SET_APART) + " "
    return _DELETED.sub("", _BLANKS.sub(" ", apart)) + " "


def words_of(text: str) -> list[str]:
    """Return the words of a text in order: what lies between single blanks, empty words included.

    >>> words_of("a film  . ")
    ['a', 'film', '', '.', '']
    """
    return text.split(" ")


def reviews_file(texts: Iterable[str]) -> bytes:
    """Return the bytes of the course's `reviews.txt`, with one text per line."""
    return "".join(f"{text}\n" for text in texts).encode()


def labels_file(labels: Iterable[int]) -> bytes:
    """Return the bytes of the course's `labels.txt`: one line per label, "positive" for 1 and "negative" for 0."""
    return "".join("positive\n" if label else "negative\n" for label in labels).encode()
