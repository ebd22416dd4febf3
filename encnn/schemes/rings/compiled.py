"""Compiled inner loops of the ring: transforms, conversions, and sums of products modulo primes.

They need numba (`pip install 'encnn[fast]'`) and replace numpy automatically when numba can be imported.  The functions are
plain Python that numba compiles at the first call.  Each has a numpy twin in `ntt` or `rns` with bit-identical results.

All arrays are uint64, tables of constants uint32.  A product w x modulo p < 2^30 by a constant w needs no division [Shoup;
Har14]: with w' = floor(2^32 w / p) and x < 2^32,

    r = w x - floor(w' x / 2^32) p      lies in [0, 2 p).

A sum below 2^64 is reduced in the same way: its upper half is a number x below 2^32 that 2^32 multiplies, its lower half one
that 1 multiplies.  Unsigned numbers wrap around, so min(u, u - p) subtracts p where that is possible.  Nothing here branches,
so compilers turn the innermost loops into vector instructions.

[Har14] D. Harvey, "Faster arithmetic for number-theoretic transforms", J. Symbolic Computation 60, 2014.
"""

import numpy as np

from encnn.arithmetic.row_sums import available, compiled

__all__ = [
    "NEAR_HALF",
    "available",
    "compiled",
    "convert_loop",
    "forward_loop",
    "inverse_loop",
    "products_loop",
    "reduce_loop",
    "split_loop",
]

_32, _LOW = np.uint64(32), np.uint64(0xFFFFFFFF)
_CHUNK = 512

NEAR_HALF = 1e-9
"""Distance from a half below which a float64 sum is not trusted to round the right way."""


def forward_loop(x: np.ndarray, primes: np.ndarray, tables: tuple[np.ndarray, ...]) -> None:
    """Transform the rows of x, shape (rows, k, N), in place; see `ntt.Transform.forward`, and `ntt.Transform` for the tables.

    The late stages combine near neighbours, which vector instructions cannot do.  So they work on the transposed array b, whose
    rows are the places within a block, one column for each block.
    """
    w, w_shoup, late, late_shoup = tables
    blocks = late.shape[2]
    b = np.empty((x.shape[2] // blocks, blocks), np.uint64)
    for r in range(x.shape[0]):
        for c in range(x.shape[1]):
            a, p, two_p = x[r, c], primes[c], primes[c] + primes[c]
            m, t = 1, len(a) // 2
            while m < blocks:
                for i in range(m):
                    s, s_shoup = w[c, m + i], w_shoup[c, m + i]
                    low, high = a[2 * i * t : (2 * i + 1) * t], a[(2 * i + 1) * t : (2 * i + 2) * t]
                    for j in range(t):
                        u, v = min(low[j], low[j] - two_p), high[j]  # both results are then below 4 p, which fits 32 bits
                        v = v * s - ((v * s_shoup) >> _32) * p  # below 2 p, without a division
                        low[j], high[j] = u + v, u + (two_p - v)
                m, t = 2 * m, t // 2
            for j in range(len(b)):
                for i in range(blocks):
                    b[j, i] = a[i * len(b) + j]
            m, t = 1, len(b) // 2
            while t:
                for i in range(m):
                    f, f_shoup = late[c, m - 1 + i], late_shoup[c, m - 1 + i]
                    for j in range(2 * i * t, (2 * i + 1) * t):
                        low, high = b[j], b[j + t]
                        for n in range(blocks):
                            u, v = min(low[n], low[n] - two_p), high[n]
                            v = v * f[n] - ((v * f_shoup[n]) >> _32) * p
                            low[n], high[n] = u + v, u + (two_p - v)
                m, t = 2 * m, t // 2
            for j in range(len(b)):
                for i in range(blocks):
                    u = min(b[j, i], b[j, i] - two_p)
                    a[i * len(b) + j] = min(u, u - p)  # full reduction only once, at the end


def inverse_loop(
    x: np.ndarray, primes: np.ndarray, tables: tuple[np.ndarray, ...], last: np.ndarray, last_shoup: np.ndarray
) -> None:
    """Transform the rows of x, shape (rows, k, N), back in place, late stages first; `last` holds 1 / N modulo each prime."""
    w, w_shoup, late, late_shoup = tables
    blocks = late.shape[2]
    b = np.empty((x.shape[2] // blocks, blocks), np.uint64)
    for r in range(x.shape[0]):
        for c in range(x.shape[1]):
            a, p, two_p = x[r, c], primes[c], primes[c] + primes[c]
            for j in range(len(b)):
                for i in range(blocks):
                    b[j, i] = a[i * len(b) + j]
            m, t = len(b) // 2, 1
            while m:
                for i in range(m):
                    f, f_shoup = late[c, m - 1 + i], late_shoup[c, m - 1 + i]
                    for j in range(2 * i * t, (2 * i + 1) * t):
                        low, high = b[j], b[j + t]
                        for n in range(blocks):
                            u, d = low[n] + high[n], low[n] + (two_p - high[n])  # above 0: unsigned
                            low[n], high[n] = min(u, u - two_p), d * f[n] - ((d * f_shoup[n]) >> _32) * p
                m, t = m // 2, 2 * t
            for j in range(len(b)):
                for i in range(blocks):
                    a[i * len(b) + j] = b[j, i]
            m, t = blocks // 2, len(b)
            while m:
                for i in range(m):
                    s, s_shoup = w[c, m + i], w_shoup[c, m + i]
                    low, high = a[2 * i * t : (2 * i + 1) * t], a[(2 * i + 1) * t : (2 * i + 2) * t]
                    for j in range(t):
                        u, d = low[j] + high[j], low[j] + (two_p - high[j])
                        low[j], high[j] = min(u, u - two_p), d * s - ((d * s_shoup) >> _32) * p
                m, t = m // 2, 2 * t
            for j in range(len(a)):  # each of the log2(N) stages has doubled the coefficients
                u = a[j] * last[c] - ((a[j] * last_shoup[c]) >> _32) * p
                a[j] = min(u, u - p)


def split_loop(
    parts: np.ndarray, v: np.ndarray, x: np.ndarray, factors: np.ndarray, factors_shoup: np.ndarray, primes: np.ndarray
) -> int:
    """Set parts[i] = factors[i] x[i] modulo primes[i] and v = round(sum_i parts[i] / primes[i]).

    x and parts have shape (k, n), v has (n,).  Returns how many of v are too near to a half for float64 to decide.
    """
    quotients = np.full(len(v), 0.5)  # so that floor rounds to the nearest whole number
    for i in range(len(x)):
        p, inverse, f, f_shoup = primes[i], 1.0 / primes[i], factors[i], factors_shoup[i]
        row, part = x[i], parts[i]
        for c in range(len(v)):
            u = row[c] * f - ((row[c] * f_shoup) >> _32) * p
            u = min(u, u - p)  # below p, so that 16 products with residues stay below 2^64
            part[c] = u
            quotients[c] += u * inverse
    undecided = 0
    for c in range(len(v)):
        whole = np.floor(quotients[c])
        v[c] = np.uint64(whole)
        undecided += abs(quotients[c] - whole - 0.5) > 0.5 - NEAR_HALF
    return undecided


def convert_loop(
    out: np.ndarray,
    parts: np.ndarray,
    v: np.ndarray,
    factors: np.ndarray,
    multiples: np.ndarray,
    y: np.ndarray,
    own: np.ndarray,
) -> None:
    """Set out[j] = sum_i factors[j, i] parts[i] + multiples[j] v + own[j] y[j], not reduced; y may have no rows.

    parts has shape (k, n), v (n,), out and y (k', n).  The sum of 16 products of residues and 16 residues is below 2^64.
    """
    for start in range(0, len(v), _CHUNK):  # a chunk of all parts fits the nearest cache
        few = slice(start, start + _CHUNK)
        for j in range(len(out)):
            total, counts, multiple = out[j, few], v[few], multiples[j]
            for c in range(len(total)):
                total[c] = counts[c] * multiple  # v times minus the old modulus, which the sum of the parts has too often
            for i in range(len(parts)):
                part, f = parts[i, few], factors[j, i]
                for c in range(len(total)):
                    total[c] += part[c] * f
            if len(y):
                row, f = y[j, few], own[j]
                for c in range(len(total)):
                    total[c] += row[c] * f


def products_loop(out: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
    """Set out[s, j] = sum_i x[i, j] y[i, s, j], not reduced.

    x has shape (terms, k, n) with at most 16 terms, y (terms, sums, k, n), out (sums, k, n).
    """
    for s in range(out.shape[0]):
        for j in range(out.shape[1]):
            for start in range(0, out.shape[2], _CHUNK):
                few = slice(start, start + _CHUNK)
                total = out[s, j, few]  # stays in the nearest cache over all terms
                total[:] = 0
                for i in range(len(x)):
                    a, b = x[i, j, few], y[i, s, j, few]
                    for c in range(len(total)):
                        total[c] += a[c] * b[c]


def reduce_loop(x: np.ndarray, primes: np.ndarray) -> None:
    """Reduce any x, shape (rows, k, n), modulo the primes, in place."""
    for j in range(x.shape[1]):
        p, two_p = primes[j], primes[j] + primes[j]
        one, high_one = (np.uint64(1) << _32) // p, (np.uint64(1) << _32) % p
        high_shoup = (high_one << _32) // p  # w' for the constant w = 2^32 modulo p
        for r in range(x.shape[0]):
            row = x[r, j]
            for c in range(len(row)):
                low, high = row[c] & _LOW, row[c] >> _32
                u = low - ((low * one) >> _32) * p + high * high_one - ((high * high_shoup) >> _32) * p
                u = min(u, u - two_p)  # two products below 2 p each: their sum is below 4 p
                row[c] = min(u, u - p)
