"""Compiled products: tensor, digits and key switch of one ciphertext after the other, in one pass without arrays in between.

Per-review training multiplies a few numbers at a time, and each call of numpy takes longer than its arithmetic.  Here one call
takes the place of ten.  `products` holds the same operations in numpy, which are the reference.  Tensors come from the same
float64 operations in the same order, and digits are integers, which wrap in the same way.  So results are equal bit for bit.

Compiled code has no bounds.  `product` and `polynomial` check all sizes first, and `_polynomial` each index.
"""

from typing import Any

import numpy as np
from numba import njit

from encnn.errors import ParameterError

OPTIONS: Any = {"nogil": True, "boundscheck": False, "error_model": "numpy", "cache": True}
"""Fast-math flags are off, since they would change the order of operations."""

LIMIT = 2.0**62
"""Entries of a tensor from here on are not converted to integers."""


def product(left: np.ndarray, right: np.ndarray, divisor: float, M: np.ndarray, base_bits: int) -> tuple[np.ndarray, float]:
    """Return (M t* for t = round(c1 (x) c2 / divisor) of each pair of rows, largest |t|), as `products.product` does.

    left, right: int64 of shapes (B, n1) and (B, n2); either may be a single row, which serves all rows of the other.
    M: as `keys.IntegerVectorSwitchKey.by_digit`, int64 of shape (n', digits, n1 n2).
    The rows are undefined if the largest |t| is not below `LIMIT`.
    """
    rows = len(right) if len(left) == 1 else len(left)
    if M.ndim != 3 or M.shape[2] != left.shape[1] * right.shape[1] or len(right) not in (1, rows):
        raise ParameterError(f"ciphertexts of shapes {left.shape} and {right.shape} do not fit a key of shape {M.shape}")
    out = np.empty((rows, M.shape[0]), np.int64)
    return out, _product(np.ascontiguousarray(left), np.ascontiguousarray(right), divisor, M, base_bits, out)


def polynomial(
    c: np.ndarray, unit: float, monomials: tuple[np.ndarray, np.ndarray, np.ndarray], M: np.ndarray, base_bits: int
) -> tuple[np.ndarray, float, float]:
    """Return (M t* for the tensors t of each row, largest |t|, largest sum of bounds * |t|), as `products.polynomial` does.

    c: int64 of shape (B, n).  monomials: those of a `powers.PreparedPolynomial`.  M: as for `product`.
    The rows are undefined if the largest |t| is not below `LIMIT`.
    """
    indices, weights, bounds = monomials
    if M.ndim != 3 or not M.shape[2] == len(indices) == len(weights) == len(bounds):
        raise ParameterError(f"a polynomial of {indices.shape} monomials and {len(weights)} weights does not fit {M.shape}")
    out = np.empty((len(c), M.shape[0]), np.int64)
    largest, phase = _polynomial(np.ascontiguousarray(c), unit, indices, weights, bounds, M, base_bits, out)
    if largest < 0:
        raise ParameterError(f"a monomial names an entry that ciphertexts of {c.shape[1]} entries do not have; prepare it anew")
    return out, largest, phase


@njit(**OPTIONS)
def _product(left, right, divisor, M, base_bits, out):
    """Write the switched products to out, and return the largest |t|."""
    n1, n2, largest = left.shape[1], right.shape[1], 0.0
    t, words = np.empty(n1 * n2), np.empty(n1 * n2, np.int64)
    for b in range(len(out)):
        c1, c2 = left[b if len(left) > 1 else 0], right[b if len(right) > 1 else 0]
        for i in range(n1):
            for k in range(n2):
                t[i * n2 + k] = c1[i] * (c2[k] / divisor)
        largest = max(largest, _switch(t, words, M, base_bits, out[b]))
    return largest


@njit(**OPTIONS)
def _polynomial(c, unit, indices, weights, bounds, M, base_bits, out):
    """Write the switched polynomials to out, and return the largest |t| and sum of bounds * |t|; (-1, 0) for a wrong index."""
    n, largest, most = c.shape[1], 0.0, 0.0
    t, words, entries = np.empty(len(indices)), np.empty(len(indices), np.int64), np.ones(n + 1)
    for b in range(len(out)):
        for i in range(n):
            entries[i] = c[b, i] / unit
        phase = 0.0
        for m in range(len(indices)):
            x = 1.0
            for i in indices[m]:
                if i < 0 or i > n:
                    return -1.0, 0.0
                x *= entries[i]
            t[m] = x * weights[m]
            phase += abs(t[m]) * bounds[m]
        largest, most = max(largest, _switch(t, words, M, base_bits, out[b])), max(most, phase)
    return largest, most


@njit(**OPTIONS)
def _switch(t, words, M, base_bits, out):
    """Write M t* for the rounded t to out, and return the largest |t|; write nothing if that is not below `LIMIT`.

    Balanced digits of x are the plain digits of x + (B/2, ..., B/2), each minus B/2 (see `arithmetic.digits`).  Digits beyond
    the last one at which some sum differs from (B/2, ..., B/2) are zero.
    """
    size = 0.0
    for x in t:
        size = max(size, abs(x)) if x == x else np.inf  # what differs from itself is not a number, and `max` forgets it
    if not size < LIMIT:
        return size
    half, balance, differ = 1 << (base_bits - 1), 0, 0
    for k in range(M.shape[1]):
        balance += half << (base_bits * k)
    for i in range(len(t)):
        words[i] = np.int64(np.rint(t[i])) + balance
        differ |= words[i] ^ balance
    digits = 0
    while digits < M.shape[1] and differ >> (base_bits * digits):
        digits += 1
    for j in range(len(out)):
        total = 0
        for k in range(digits):
            for i in range(len(t)):
                total += (((words[i] >> (base_bits * k)) & (2 * half - 1)) - half) * M[j, k, i]
        out[j] = total
    return size
