"""The first layer's update by a part of a mini-batch, X^T G, as sums of encrypted rows of G and the words that each updates.

Words that occur in the same reviews of a group have equal rows, and equal rows travel once.  Weights packed in blocks of a
thousand are so small that the update of whole blocks travels instead.
"""

import numpy as np

from encnn.data.batches import Batch, DenseBatch, OneReview, SparseBatch
from encnn.scaling.messages import Message, pack, unpack
from encnn.schemes.base import Encrypted, Evaluator

GROUP = 4
"""Reviews whose gradients are added up before they travel."""


def update_of(evaluator: Evaluator, W: Encrypted, batch: Batch, G: Encrypted) -> Message:
    """Return X^T G as the update of whole parts of W if these are small, else as sums of rows of G."""
    update = evaluator.update_of(W, batch, G)
    if update is None:
        return gradient_sums(evaluator, batch, G)
    header, arrays = pack(evaluator, U=update[1])
    return header, arrays | {"parts": update[0]}


def gradient_sums(evaluator: Evaluator, batch: Batch, G: Encrypted) -> Message:
    """Return X^T G as sums U of rows of G, shape (rows, width), and the words that each sum updates."""
    if isinstance(batch, DenseBatch):
        rows: Batch = DenseBatch(batch.X.T)
        words, pointers = np.arange(len(batch.X.T)), np.arange(len(batch.X.T) + 1, dtype=np.int32)
    else:
        rows, words, pointers = _by_group(*_patterns(batch))
    header, arrays = pack(evaluator, U=evaluator.gather(rows, G))
    return header, arrays | {"words": words.astype(np.int32), "pointers": pointers}


def _by_group(words: np.ndarray, patterns: np.ndarray) -> tuple[Batch, np.ndarray, np.ndarray]:
    """Return which rows of G each sum adds, and the words of each sum; each group of reviews has each distinct sum once."""
    sums, named, counts = [], [], []
    for first in range(0, patterns.shape[1], GROUP):
        group = slice(first, first + GROUP)
        used = np.flatnonzero(patterns[:, group].any(axis=1))
        distinct, which = _distinct(patterns[used, group])
        wide = np.zeros((len(distinct), patterns.shape[1]), patterns.dtype)
        wide[:, group] = patterns[used[distinct], group]
        sums.append(wide)
        named.append(words[used[np.argsort(which, kind="stable")]])
        counts.append(np.bincount(which, minlength=len(distinct)))
    pointers = np.concatenate([[0], np.cumsum(np.concatenate(counts))]).astype(np.int32)
    return _as_batch(np.concatenate(sums)), np.concatenate(named), pointers


def subtract_sums(evaluator: Evaluator, W: Encrypted, sums: Message) -> None:
    """Do W -= X^T G in place for the result of `update_of`; do nothing for an empty message."""
    header, arrays = sums
    if "parts" in arrays:
        evaluator.add_update(W, arrays["parts"], unpack(evaluator, sums)["U"])
    elif header:
        words, pointers = arrays["words"].astype(np.intp), arrays["pointers"]
        evaluator.scatter_subtract(W, _Words(words, pointers, None, len(W)), unpack(evaluator, sums)["U"])


class _Words(SparseBatch):
    """Rows that name the words of each sum."""

    __slots__ = ()

    def largest_column(self) -> float:
        """Return the most often that one word is named; each group of reviews names it at most once."""
        return float(np.bincount(self.indices).max()) if len(self.indices) else 0.0


def _patterns(batch: OneReview | SparseBatch) -> tuple[np.ndarray, np.ndarray]:
    """Return a batch's words, and how often each occurs in each review, shape (words, B)."""
    if isinstance(batch, OneReview):
        return batch.indices, np.ones((len(batch.indices), 1), np.bool_)
    words, place = np.unique(batch.indices, return_inverse=True)
    values = np.True_ if batch.values is None else batch.values
    patterns = np.zeros((len(words), len(batch)), np.asarray(values).dtype)
    patterns[place, np.repeat(np.arange(len(batch)), np.diff(batch.indptr))] = values
    return words, patterns


def _distinct(patterns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first index of each distinct row, and which of them each row equals."""
    short = np.packbits(patterns, axis=1) if patterns.dtype == np.bool_ else np.ascontiguousarray(patterns)
    as_one = short.view(np.dtype((np.void, short.shape[1] * short.itemsize)))[:, 0]
    _, first, group = np.unique(as_one, return_index=True, return_inverse=True)
    return first, group


def _as_batch(patterns: np.ndarray) -> Batch:
    """Return patterns of shape (rows, B) as the features of a batch over B reviews."""
    if patterns.dtype != np.bool_:
        return DenseBatch(patterns)
    rows, reviews = np.nonzero(patterns)
    pointers = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(patterns)))])
    return SparseBatch(reviews, pointers, None, patterns.shape[1])
