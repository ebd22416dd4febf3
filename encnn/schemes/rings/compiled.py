"""Compiled inner loops of the ring: transforms, and sums of products modulo primes.

They need numba (`pip install 'encnn[fast]'`) and replace numpy automatically when numba can be imported.  The functions are
plain Python that numba compiles at the first call.  Each has a numpy twin in `ntt` or `rns` with bit-identical results.

All arrays are uint64.  A product w x modulo p < 2^30 by a constant w needs no division [Shoup; Har14]: with
w' = floor(2^32 w / p) and x < 2^32,

    r = w x - floor(w' x / 2^32) p      lies in [0, 2 p).

[Har14] D. Harvey, "Faster arithmetic for number-theoretic transforms", J. Symbolic Computation 60, 2014.
"""

from collections.abc import Callable
from functools import cache

import numpy as np

from encnn.arithmetic.row_sums import available

__all__ = ["available", "compiled", "forward_loop", "inverse_loop", "lincomb_loop", "products_loop"]

_32 = np.uint64(32)


def forward_loop(x: np.ndarray, primes: np.ndarray, w: np.ndarray, w_shoup: np.ndarray) -> None:
    """Transform the rows of x, shape (rows, k, N), in place; see `ntt.Transform.forward`."""
    k, N = x.shape[1], x.shape[2]
    for r in range(x.shape[0]):
        for c in range(k):
            a, p = x[r, c], primes[c]
            two_p = p + p
            m, t = 1, N // 2
            while m < N:
                for i in range(m):
                    s, s_shoup = w[c, m + i], w_shoup[c, m + i]
                    low, high = a[2 * i * t : (2 * i + 1) * t], a[(2 * i + 1) * t : (2 * i + 2) * t]
                    for j in range(t):
                        u, v = low[j], high[j]
                        u = u - two_p if u >= two_p else u  # both results are then below 4 p, which fits 32 bits
                        v = v * s - ((v * s_shoup) >> _32) * p  # below 2 p, without a division
                        low[j] = u + v
                        high[j] = u + (two_p - v)
                m, t = 2 * m, t // 2
            for j in range(N):  # full reduction only once, at the end
                u = a[j]
                u = u - two_p if u >= two_p else u
                a[j] = u - p if u >= p else u


def inverse_loop(
    x: np.ndarray, primes: np.ndarray, w: np.ndarray, w_shoup: np.ndarray, last: np.ndarray, last_shoup: np.ndarray
) -> None:
    """Transform the rows of x, shape (rows, k, N), back in place; `last` holds 1 / N modulo each prime."""
    k, N = x.shape[1], x.shape[2]
    for r in range(x.shape[0]):
        for c in range(k):
            a, p = x[r, c], primes[c]
            two_p = p + p
            m, t = N // 2, 1
            while m:
                for i in range(m):
                    s, s_shoup = w[c, m + i], w_shoup[c, m + i]
                    low, high = a[2 * i * t : (2 * i + 1) * t], a[(2 * i + 1) * t : (2 * i + 2) * t]
                    for j in range(t):
                        u, v = low[j], high[j]
                        d = u + (two_p - v)
                        u = u + v
                        low[j] = u - two_p if u >= two_p else u
                        high[j] = d * s - ((d * s_shoup) >> _32) * p
                m, t = m // 2, 2 * t
            for j in range(N):
                u = a[j] * last[c] - ((a[j] * last_shoup[c]) >> _32) * p
                a[j] = u - p if u >= p else u


def lincomb_loop(out: np.ndarray, x: np.ndarray, factors: np.ndarray, primes: np.ndarray) -> None:
    """Set out[j] = sum_i factors[j, i] x[i] modulo primes[j]; x has shape (k, n), out (k', n), at most 16 terms."""
    for j in range(out.shape[0]):
        p = primes[j]
        for c in range(out.shape[1]):
            total = np.uint64(0)  # 16 products below 2^60 fit 64 bits, so one reduction is enough
            for i in range(x.shape[0]):
                total += factors[j, i] * x[i, c]
            out[j, c] = total % p


def products_loop(out: np.ndarray, x: np.ndarray, y: np.ndarray, primes: np.ndarray) -> None:
    """Set out[j] = sum_i x[i, j] y[i, j] modulo primes[j]; x and y have shape (terms, k, n), at most 16 terms."""
    for j in range(out.shape[0]):
        p = primes[j]
        for c in range(out.shape[1]):
            total = np.uint64(0)  # 16 products below 2^60 fit 64 bits, so one reduction is enough
            for i in range(x.shape[0]):
                total += x[i, j, c] * y[i, j, c]
            out[j, c] = total % p


@cache
def compiled(loop: Callable[..., None]) -> Callable[..., None]:
    """Return the loop compiled by numba."""
    import numba  # not at the top of the module, because importing it is slow and many programs do not need it

    return numba.njit(nogil=True)(loop)
