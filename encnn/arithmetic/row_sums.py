"""Compiled inner loops for ciphertexts: the sum of a review's rows, and the update of those rows.

At 128 bits a row has a thousand entries or more.  A trainer spends nearly all of its time adding about a hundred such rows per
review.  numpy copies the rows before it adds them, and again before it writes them back.  The loops below read and write each
row once.  They take eight rows together, because rows lie apart in memory and the processor then waits for all eight at the
same time.  This halves the time.  For the paper's short rows they save calls of numpy, each of which takes longer than its
additions.

The loops need numba (`pip install 'encnn[fast]'`).  They replace numpy automatically if numba is installed and the rows are
integers.  Integers wrap in the same way, so the results are equal bit for bit.  numpy still handles floats.

The functions are plain Python that numba compiles at the first call, in about a second, and keeps in its cache on the disk.
Compiled code does not check indices, so `gather` and `scatter_subtract` first check all of them against the rows (`fits`).
"""

import threading
from collections.abc import Callable
from functools import cache

import numpy as np

from encnn.errors import DataError

_IMPORTING = threading.Lock()

TOGETHER = 8
"""The number of rows that are read at the same time."""


def worthwhile(W: np.ndarray) -> bool:
    """Return whether the compiled loops exist and are faster than numpy on these rows."""
    return W.dtype.kind == "i" and W.ndim == 2 and W.flags.c_contiguous and available()


@cache
def available() -> bool:
    """Return whether numba is installed, and import it.

    Everything that needs numba asks this first.  One thread imports it while others wait, because threads that import numba at
    the same time can block each other for ever: one of them stopped at a lock of its compiler, which nobody gave back.
    """
    with _IMPORTING:
        try:
            import numba  # noqa: F401  imported here, because the import is slow and most programs do not need it
        except ImportError:
            return False
    return True


def gather(W: np.ndarray, indices: np.ndarray, pointers: np.ndarray) -> np.ndarray:
    """Return for each review r the sum of the rows indices[pointers[r] : pointers[r + 1]] of W, shape (reviews, width)."""
    check_rows(len(W), indices, pointers)
    sums = np.zeros((len(pointers) - 1, W.shape[1]), W.dtype)
    compiled(add_rows)(sums, W, indices, pointers)
    return sums


def scatter_subtract(W: np.ndarray, indices: np.ndarray, pointers: np.ndarray, G: np.ndarray) -> None:
    """Subtract row r of G, of shape (reviews, width), from the rows of W that review r names, in place."""
    check_rows(len(W), indices, pointers)
    if G.shape != (len(pointers) - 1, W.shape[1]) or G.dtype.kind != W.dtype.kind:
        raise DataError(
            f"updates are {G.dtype} of shape {G.shape}, expected {W.dtype} of shape {(len(pointers) - 1, W.shape[1])}: one row "
            "per review"
        )
    compiled(subtract_rows)(W, indices, pointers, G)


def check_rows(rows: int, indices: np.ndarray, pointers: np.ndarray) -> None:
    """Raise `DataError` if pointers or indices point outside their arrays (see `fits`)."""
    if not compiled(fits)(indices, pointers, rows):
        raise DataError(
            f"a mini-batch names rows that are not there: {rows} rows, {len(indices)} indices, pointers to {pointers[-1:]}; "
            "make features with the network's own vocabulary"
        )


def fits(indices: np.ndarray, pointers: np.ndarray, rows: int) -> bool:
    """Return whether pointers rise from 0 or more to at most the number of indices, and all indices are from 0 to rows - 1."""
    if len(pointers) < 1 or pointers[0] < 0 or pointers[-1] > len(indices):
        return False
    # plain loops: numba compiles them, and unlike array expressions they allocate nothing
    for r in range(len(pointers) - 1):
        if pointers[r] > pointers[r + 1]:
            return False
    for t in range(len(indices)):
        if indices[t] < 0 or indices[t] >= rows:
            return False
    return True


def add_rows(sums: np.ndarray, W: np.ndarray, indices: np.ndarray, pointers: np.ndarray) -> None:
    """Add to sums[r] the rows of W that review r names."""
    for r in range(len(sums)):
        first, stop = pointers[r], pointers[r + 1]
        left_over = stop - (stop - first) % TOGETHER  # the rows from here on are fewer than eight, and go one by one
        for t in range(first, left_over, TOGETHER):
            # eight names and not a loop, so that one pass over k reads all eight rows
            a, b, c, d = indices[t], indices[t + 1], indices[t + 2], indices[t + 3]
            e, f, g, h = indices[t + 4], indices[t + 5], indices[t + 6], indices[t + 7]
            for k in range(W.shape[1]):
                # one sum of eight terms reads and writes sums[r, k] once, not eight times
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
                # eight separate statements stay right if a review names a row twice
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
def compiled(loop: Callable[..., object]) -> Callable[..., object]:
    """Return a loop compiled by numba, which releases the lock of the interpreter."""
    import numba  # which `available` has imported

    return numba.njit(nogil=True, cache=True)(loop)
