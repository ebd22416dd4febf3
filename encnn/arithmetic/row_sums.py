"""Compiled inner loops for wide ciphertexts: the sum of a review's rows, and the update of those rows.

At 128 bits a row has a thousand entries or more, and adding some hundred of them is all that a trainer's time goes to.  numpy
copies the rows before it adds them and again before it puts them back; the loops below read and write each row once, and take
eight rows together: rows lie apart in memory, and the wait for one is the wait for all: half the time of one by one.

They need numba (`pip install 'encnn[fast]'`) and take over from numpy, unasked, when it can be imported and the rows are
integers of at least `WIDE` entries.  Integers wrap alike, so the results are equal bit for bit; narrow rows and floats stay
with numpy.

The functions are plain Python that numba compiles at the first call, in about a second.  The indices are not checked here.
"""

import importlib.util
from collections.abc import Callable
from functools import cache

import numpy as np

WIDE = 256
"""Entries of a row from which the compiled loops are worth their call."""

TOGETHER = 8
"""Rows read at the same time."""


def worthwhile(W: np.ndarray) -> bool:
    """Return whether the compiled loops exist and are faster than numpy on these rows."""
    return W.ndim == 2 and W.shape[1] >= WIDE and W.dtype.kind == "i" and W.flags.c_contiguous and available()


@cache
def available() -> bool:
    """Return whether numba is installed."""
    return importlib.util.find_spec("numba") is not None


def gather(W: np.ndarray, indices: np.ndarray, pointers: np.ndarray) -> np.ndarray:
    """Return for each review r the sum of the rows indices[pointers[r] : pointers[r + 1]] of W, shape (reviews, width)."""
    sums = np.zeros((len(pointers) - 1, W.shape[1]), W.dtype)
    _compiled(add_rows)(sums, W, indices, pointers)
    return sums


def scatter_subtract(W: np.ndarray, indices: np.ndarray, pointers: np.ndarray, G: np.ndarray) -> None:
    """Subtract row r of G, of shape (reviews, width), from each of the rows of W that review r names, in place."""
    _compiled(subtract_rows)(W, indices, pointers, G)


def add_rows(sums: np.ndarray, W: np.ndarray, indices: np.ndarray, pointers: np.ndarray) -> None:
    """Add to sums[r] the rows of W that review r names."""
    for r in range(len(sums)):
        first, stop = pointers[r], pointers[r + 1]
        left_over = stop - (stop - first) % TOGETHER
        for t in range(first, left_over, TOGETHER):
            a, b, c, d = indices[t], indices[t + 1], indices[t + 2], indices[t + 3]
            e, f, g, h = indices[t + 4], indices[t + 5], indices[t + 6], indices[t + 7]
            for k in range(W.shape[1]):
                sums[r, k] += W[a, k] + W[b, k] + W[c, k] + W[d, k] + W[e, k] + W[f, k] + W[g, k] + W[h, k]
        for t in range(left_over, stop):
            i = indices[t]
            for k in range(W.shape[1]):
                sums[r, k] += W[i, k]


def subtract_rows(W: np.ndarray, indices: np.ndarray, pointers: np.ndarray, G: np.ndarray) -> None:
    """Subtract G[r] from the rows of W that review r names."""
    for r in range(len(G)):
        first, stop = pointers[r], pointers[r + 1]
        left_over = stop - (stop - first) % TOGETHER
        for t in range(first, left_over, TOGETHER):
            a, b, c, d = indices[t], indices[t + 1], indices[t + 2], indices[t + 3]
            e, f, g, h = indices[t + 4], indices[t + 5], indices[t + 6], indices[t + 7]
            for k in range(W.shape[1]):
                update = G[r, k]
                W[a, k] -= update
                W[b, k] -= update
                W[c, k] -= update
                W[d, k] -= update
                W[e, k] -= update
                W[f, k] -= update
                W[g, k] -= update
                W[h, k] -= update
        for t in range(left_over, stop):
            i = indices[t]
            for k in range(W.shape[1]):
                W[i, k] -= G[r, k]


@cache
def _compiled(loop: Callable[..., None]) -> Callable[..., None]:
    import numba  # here and not above: importing it takes longer than most programs that have no use for it

    return numba.njit(nogil=True)(loop)
