"""The automorphisms X -> X^d that a trace is made of."""

from functools import cache

import numpy as np


def exponents(N: int) -> list[int]:
    """Return the exponents d of the automorphisms X -> X^d, in the order of the trace.

    >>> exponents(8)
    [9, 5, 3]
    """
    return [(N >> s) + 1 for s in range(N.bit_length() - 1)]


def automorphism(p: np.ndarray, d: int) -> np.ndarray:
    """Return p(X^d) modulo X^N + 1, for polynomials of shape (..., N).

    >>> automorphism(np.array([1, 2, 3, 4]), 3)     # 1 + 2 X^3 + 3 X^6 + 4 X^9 = 1 + 4 X - 3 X^2 + 2 X^3
    array([ 1,  4, -3,  2])
    """
    source, sign = permutation(p.shape[-1], d)
    return p[..., source] * sign.astype(p.dtype)


@cache
def permutation(N: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (source, sign), int64 and float64 of shape (N,): coefficient j of p(X^d) is sign[j] p[source[j]]."""
    target = np.arange(N) * d % (2 * N)  # coefficient i goes to X^(i d); X^N = -1 makes the upper half negative
    source, sign = np.empty(N, np.int64), np.empty(N)
    source[target % N], sign[target % N] = np.arange(N), np.where(target < N, 1.0, -1.0)
    return source, sign
