"""The transform of the compiled loops, for N = 1024: from real polynomials to their values at the roots of X^N + 1, and back.

The functions here are called by other compiled loops, which check the sizes.  Fast-math flags are off.  They would fuse
multiplications with additions, and then freshly compiled code and the same code from numba's cache could differ in the last
bit.

A real polynomial p becomes the 512 complex numbers (p_j + i p_(j + 512)) exp(i pi j / 1024).  Their discrete Fourier transform
holds the values of p at one of each pair of conjugate roots, and the values at the others are conjugates.  Since
512 = 8 * 8 * 8, the transform has three stages of 64 butterflies of size eight.  Frequencies come out in the order `ORDER`.

**Layout.**  Complex numbers lie in 8 groups of 64.  A group holds its real parts first and then its imaginary parts, so number
64 u + s has its real part at place 128 u + s and its imaginary part 64 places further.  A stage works on many neighbours at
a time, so that the compiler can use vectors.  The first stage combines numbers of different groups, and the second one numbers
that are 8 apart.  The last stage would have to combine neighbours, which does not fit vectors, so the numbers are transposed
before it.
"""

from typing import Literal, TypedDict

import numpy as np
from numba import njit

from encnn.arithmetic.negacyclic import roots
from encnn.schemes.bootstrapped.compiled_vectors import low_word, transpose_square
from encnn.schemes.bootstrapped.frequencies import COMPILED_N, GROUP, frequency_order

N, M = COMPILED_N, COMPILED_N // 2


class LoopOptions(TypedDict):
    """How numba compiles a loop."""

    nogil: bool
    boundscheck: bool
    error_model: Literal["numpy"]
    cache: bool


OPTIONS: LoopOptions = {"nogil": True, "boundscheck": False, "error_model": "numpy", "cache": True}
ROUND = 1.5 * 2.0**52
"""Adding this to a float64 below 2^51 and subtracting it again rounds to a whole number, if the order of additions is kept."""
ORDER = frequency_order(N)
"""The frequency at each place of a transform."""
_HALF_ROOT = float(np.sqrt(0.5))


def grouped(values: np.ndarray) -> np.ndarray:
    """Return 512 complex numbers in the layout of this module, float64 of shape (1024,)."""
    groups = values.reshape(-1, GROUP)
    return np.stack([groups.real, groups.imag], axis=1).ravel()


def _turns(numerators: np.ndarray, denominator: int) -> np.ndarray:
    """Return exp(2 pi i numerators / denominator), grouped."""
    return grouped(roots(numerators, denominator))


_FIRST = _turns(-np.arange(8)[:, None] * (np.arange(64) // 8), 64)
_LAST = _turns(-np.arange(8)[:, None] * ORDER[:64], M)
_TWIST = _turns(np.arange(M), 2 * N)


@njit(inline="always")
def _eight(x0, y0, x1, y1, x2, y2, x3, y3, x4, y4, x5, y5, x6, y6, x7, y7):
    """Return the Fourier transform of eight complex numbers x + i y."""
    # three rounds of sums and differences: of numbers 4 apart (a, b), then 2 apart (c to h), then neighbours (returned)
    a0, b0, a4, b4 = x0 + x4, y0 + y4, x0 - x4, y0 - y4
    a1, b1, a5, b5 = x1 + x5, y1 + y5, x1 - x5, y1 - y5
    a2, b2, a6, b6 = x2 + x6, y2 + y6, x2 - x6, y2 - y6
    a3, b3, a7, b7 = x3 + x7, y3 + y7, x3 - x7, y3 - y7
    c0, d0, c2, d2 = a0 + a2, b0 + b2, a0 - a2, b0 - b2
    c1, d1, c3, d3 = a1 + a3, b1 + b3, a1 - a3, b1 - b3
    e5, f5 = (a5 + b5) * _HALF_ROOT, (b5 - a5) * _HALF_ROOT
    e7, f7 = (b7 - a7) * _HALF_ROOT, -(a7 + b7) * _HALF_ROOT
    g0, h0, g2, h2 = a4 + b6, b4 - a6, a4 - b6, b4 + a6
    g1, h1, g3, h3 = e5 + e7, f5 + f7, e5 - e7, f5 - f7
    return (
        c0 + c1, d0 + d1, g0 + g1, h0 + h1, c2 + d3, d2 - c3, g2 + h3, h2 - g3,
        c0 - c1, d0 - d1, g0 - g1, h0 - h1, c2 - d3, d2 + c3, g2 - h3, h2 + g3,
    )  # fmt: skip


@njit(inline="always")
def _load(w, p, s, re, im):
    """Return the transform of the eight numbers at p, p + s, ..."""
    return _eight(
        w[p + re], w[p + im], w[p + s + re], w[p + s + im], w[p + 2 * s + re], w[p + 2 * s + im],
        w[p + 3 * s + re], w[p + 3 * s + im], w[p + 4 * s + re], w[p + 4 * s + im], w[p + 5 * s + re], w[p + 5 * s + im],
        w[p + 6 * s + re], w[p + 6 * s + im], w[p + 7 * s + re], w[p + 7 * s + im],
    )  # fmt: skip


@njit(inline="always")
def _store(w, p, s, re, im, x0, y0, x1, y1, x2, y2, x3, y3, x4, y4, x5, y5, x6, y6, x7, y7):
    """Store eight numbers at p, p + s, ..."""
    w[p + re], w[p + im], w[p + s + re], w[p + s + im] = x0, y0, x1, y1
    w[p + 2 * s + re], w[p + 2 * s + im], w[p + 3 * s + re], w[p + 3 * s + im] = x2, y2, x3, y3
    w[p + 4 * s + re], w[p + 4 * s + im], w[p + 5 * s + re], w[p + 5 * s + im] = x4, y4, x5, y5
    w[p + 6 * s + re], w[p + 6 * s + im], w[p + 7 * s + re], w[p + 7 * s + im] = x6, y6, x7, y7


@njit(inline="always")
def _put(w, t, p, re, im, x, y):
    """Store at place p the product of x + i y and the complex number that t has there."""
    w[p + re] = x * t[p] - y * t[p + 64]
    w[p + im] = x * t[p + 64] + y * t[p]


@njit(inline="always")
def _store_turned(w, t, p, re, im, x0, y0, x1, y1, x2, y2, x3, y3, x4, y4, x5, y5, x6, y6, x7, y7):
    """Store at p, p + 128, ... the products of eight numbers and those that t has there, of which the first is 1."""
    w[p + re] = x0
    w[p + im] = y0
    _put(w, t, p + 128, re, im, x1, y1)
    _put(w, t, p + 256, re, im, x2, y2)
    _put(w, t, p + 384, re, im, x3, y3)
    _put(w, t, p + 512, re, im, x4, y4)
    _put(w, t, p + 640, re, im, x5, y5)
    _put(w, t, p + 768, re, im, x6, y6)
    _put(w, t, p + 896, re, im, x7, y7)


@njit(inline="always")
def _turned(w, t, p, re, im):
    """Return the complex number of w at p times that of t at p."""
    return w[p + re] * t[p] - w[p + im] * t[p + 64], w[p + re] * t[p + 64] + w[p + im] * t[p]


@njit(inline="always")
def _load_turned(w, t, p, re, im):
    """Return the transform of the products of eight numbers of w and t at p, p + 128, ...; the first number of t is 1."""
    a1, b1 = _turned(w, t, p + 128, re, im)
    a2, b2 = _turned(w, t, p + 256, re, im)
    a3, b3 = _turned(w, t, p + 384, re, im)
    a4, b4 = _turned(w, t, p + 512, re, im)
    a5, b5 = _turned(w, t, p + 640, re, im)
    a6, b6 = _turned(w, t, p + 768, re, im)
    a7, b7 = _turned(w, t, p + 896, re, im)
    return _eight(w[p + re], w[p + im], a1, b1, a2, b2, a3, b3, a4, b4, a5, b5, a6, b6, a7, b7)


@njit(inline="always")
def _twisted(p, j, q):
    """Return (p_j + i p_(j + 512)) exp(i pi j / 1024).  q is the place of j in the layout."""
    x, y = np.float64(p[j]), np.float64(p[j + 512])
    return x * _TWIST[q] - y * _TWIST[q + 64], x * _TWIST[q + 64] + y * _TWIST[q]


@njit(inline="always")
def _load_twisted(p, j):
    """Return the transform of eight twisted pairs of coefficients, j, j + 64, ..."""
    x0, y0 = _twisted(p, j, j)
    x1, y1 = _twisted(p, j + 64, j + 128)
    x2, y2 = _twisted(p, j + 128, j + 256)
    x3, y3 = _twisted(p, j + 192, j + 384)
    x4, y4 = _twisted(p, j + 256, j + 512)
    x5, y5 = _twisted(p, j + 320, j + 640)
    x6, y6 = _twisted(p, j + 384, j + 768)
    x7, y7 = _twisted(p, j + 448, j + 896)
    return _eight(x0, y0, x1, y1, x2, y2, x3, y3, x4, y4, x5, y5, x6, y6, x7, y7)


@njit(inline="always")
def _store_number(p, j, x):
    """Store a number."""
    p[j] = x


@njit(inline="always")
def _add_on_torus(p, j, x):
    """Add a number in units of the torus to one of int32, in units of 2^-32."""
    fraction = x - ((x + ROUND) - ROUND)  # only the fraction counts on the torus, and it must fit 32 bits
    p[j] += low_word(fraction * 2.0**32 + ROUND)  # adding ROUND put the rounded whole number into the low 32 bits


@njit(inline="always")
def _put_untwisted(put, p, j, q, x, y):
    """Put x + i y divided by 512 exp(i pi j / 1024) as coefficients j and j + 512."""
    put(p, j, (x * _TWIST[q] + y * _TWIST[q + 64]) * (1.0 / 512))
    put(p, j + 512, (y * _TWIST[q] - x * _TWIST[q + 64]) * (1.0 / 512))


@njit(inline="always")
def _put_all_untwisted(put, p, j, x0, y0, x1, y1, x2, y2, x3, y3, x4, y4, x5, y5, x6, y6, x7, y7):
    """Put eight pairs of coefficients, those of j, j + 64, ..."""
    _put_untwisted(put, p, j, j, x0, y0)
    _put_untwisted(put, p, j + 64, j + 128, x1, y1)
    _put_untwisted(put, p, j + 128, j + 256, x2, y2)
    _put_untwisted(put, p, j + 192, j + 384, x3, y3)
    _put_untwisted(put, p, j + 256, j + 512, x4, y4)
    _put_untwisted(put, p, j + 320, j + 640, x5, y5)
    _put_untwisted(put, p, j + 384, j + 768, x6, y6)
    _put_untwisted(put, p, j + 448, j + 896, x7, y7)


@njit(inline="always")
def _middle_stage(w, re, im):
    """Transform over the middle octal digit of the index, in place."""
    for group in range(0, 1024, 128):
        for low in range(8):
            p = group + low
            x0, y0, x1, y1, x2, y2, x3, y3, x4, y4, x5, y5, x6, y6, x7, y7 = _load(w, p, 8, re, im)
            _store(w, p, 8, re, im, x0, y0, x1, y1, x2, y2, x3, y3, x4, y4, x5, y5, x6, y6, x7, y7)


@njit(inline="always")
def _transpose(w, v):
    """Write number 8 s + low of w to place 64 low + s of v."""
    for group in range(8):
        for half in range(0, 128, 64):
            transpose_square(w, 128 * group + half, 8, v, 8 * group + half, 128)


@njit(inline="always")
def _transpose_back(v, w):
    """Write number 64 low + s of v to place 8 s + low of w."""
    for group in range(8):
        for half in range(0, 128, 64):
            transpose_square(v, 8 * group + half, 128, w, 128 * group + half, 8)


@njit(**OPTIONS)
def forward(p, w, v):
    """Write to v the values of a polynomial p of 1024 numbers, int32 or float64.  w is a work array of 1024 numbers."""
    for j in range(64):
        x0, y0, x1, y1, x2, y2, x3, y3, x4, y4, x5, y5, x6, y6, x7, y7 = _load_twisted(p, j)
        _store_turned(w, _FIRST, j, 0, 64, x0, y0, x1, y1, x2, y2, x3, y3, x4, y4, x5, y5, x6, y6, x7, y7)
    _middle_stage(w, 0, 64)
    _transpose(w, v)
    for j in range(64):
        x0, y0, x1, y1, x2, y2, x3, y3, x4, y4, x5, y5, x6, y6, x7, y7 = _load_turned(v, _LAST, j, 0, 64)
        _store(v, j, 128, 0, 64, x0, y0, x1, y1, x2, y2, x3, y3, x4, y4, x5, y5, x6, y6, x7, y7)


@njit(inline="always")
def _backward(put, v, w, p):
    """Put the polynomial that has the values v into p, coefficient by coefficient.

    The stages are those of `forward` in reverse order with conjugate factors.  Exchanging real and imaginary parts, on the way
    in and on the way out, has the effect of conjugating every factor, so the same butterflies and tables serve both ways.
    """
    for j in range(64):
        x0, y0, x1, y1, x2, y2, x3, y3, x4, y4, x5, y5, x6, y6, x7, y7 = _load(v, j, 128, 64, 0)
        _store_turned(v, _LAST, j, 64, 0, x0, y0, x1, y1, x2, y2, x3, y3, x4, y4, x5, y5, x6, y6, x7, y7)
    _transpose_back(v, w)
    _middle_stage(w, 64, 0)
    for j in range(64):
        y0, x0, y1, x1, y2, x2, y3, x3, y4, x4, y5, x5, y6, x6, y7, x7 = _load_turned(w, _FIRST, j, 64, 0)
        _put_all_untwisted(put, p, j, x0, y0, x1, y1, x2, y2, x3, y3, x4, y4, x5, y5, x6, y6, x7, y7)


@njit(**OPTIONS)
def backward(v, w, p):
    """Write to p the polynomial, float64, that has the values v.  v is overwritten, and w is a work array of 1024 numbers."""
    _backward(_store_number, v, w, p)


@njit(**OPTIONS)
def add_backward(v, w, p):
    """Add the polynomial with the values v, in units of the torus, to p, int32.  v is overwritten, and w is a work array."""
    _backward(_add_on_torus, v, w, p)
