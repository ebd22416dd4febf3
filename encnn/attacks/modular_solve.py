"""Linear equations modulo a power of two, by elimination with odd pivots; several attacks end with these."""

import numpy as np


def solve(A: np.ndarray, B: np.ndarray, bits: int) -> np.ndarray | None:
    """Return the X with A X = B modulo 2^bits, shape (n, k), for integers A (rows, n) and B (rows, k), as centred int64.

    Returns None if a column has no odd pivot left, so that X is not unique, or if no X fits all equations.
    """
    words: list[type[np.unsignedinteger]] = [np.uint8, np.uint16, np.uint32, np.uint64]
    word = next(t for t in words if np.dtype(t).itemsize * 8 >= bits)
    n = A.shape[1]
    M: np.ndarray = np.concatenate([A, B], axis=1).astype(np.int64).astype(word)
    for column in range(n):
        (odd,) = np.nonzero(M[column:, column] & word(1))
        if not len(odd):
            return None
        M[[column, column + odd[0]]] = M[[column + odd[0], column]]
        M[column] *= word(pow(int(M[column, column]), -1, 1 << bits) % (1 << 8 * M.itemsize))
        factors = M[:, column].copy()
        factors[column] = 0
        M -= factors[:, None] * M[column]
    solution, rest = _centred(M[:n, n:], bits), _centred(M[n:, n:], bits)
    return None if rest.any() else solution


def _centred(x: np.ndarray, bits: int) -> np.ndarray:
    shift = np.int64(64 - bits)
    return (x.astype(np.uint64).view(np.int64) << shift) >> shift
