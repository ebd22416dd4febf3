"""The hot loops of a bootstrap, compiled by numba: blind rotation for N = 1024 and k = 2, and the key switch.

`rotation` and `switching` hold the same operations in numpy, which are the reference.  They import this module if numba is
installed and the sizes fit.  Each ciphertext is computed by itself, so results depend neither on the batch nor on threads.  All
functions release Python's lock.  Fast-math flags are off: they would fuse multiplications with additions, and then freshly
compiled code and the same code from numba's cache could differ in the last bit.

**Transform.**  A real polynomial of 1024 coefficients becomes the 512 complex numbers (p_j + i p_(j + 512)) exp(i pi j / 1024)
and then their discrete Fourier transform.  Since 512 = 8 * 8 * 8, the transform has three stages of 64 butterflies of size
eight.  A stage works on 64 neighbours in memory at a time, so that the compiler can use vector instructions.  Real parts fill
the first half of an array of 1024, imaginary parts the second half.  One array holds both, because the compiler must see that
they do not overlap.  Frequencies come out in the order `ORDER`.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numba import njit

from encnn.arithmetic.negacyclic import roots
from encnn.arithmetic.placement import placed
from encnn.errors import ParameterError
from encnn.schemes.bootstrapped.frequencies import frequency_order

N, M, COMPONENTS = 1024, 512, 3
_OPTIONS: Any = {"nogil": True, "boundscheck": False, "error_model": "numpy", "cache": True}
_ROUND = 1.5 * 2.0**52
"""Adding this to a float64 below 2^51 and subtracting it again rounds to a whole number, if the order of additions is kept."""
_HALF_ROOT = float(np.sqrt(0.5))

ORDER = frequency_order(N)
"""The frequency at each place of a transform."""


def _turns(numerators: np.ndarray, denominator: int) -> np.ndarray:
    """Return the cosines and then the sines of 2 pi numerators / denominator."""
    found = roots(numerators, denominator).ravel()
    return np.concatenate([found.real, found.imag])


_FIRST = _turns(-np.arange(8)[:, None] * (np.arange(64) // 8), 64)
_LAST = _turns(-np.arange(8)[:, None] * ORDER[:64], M)
_TWIST = _turns(np.arange(M), 2 * N)
_ROOTS = _turns(np.arange(2 * N), 2 * N)
_SLOT_TURNS = 1 - 4 * ORDER[:64]


@njit(inline="always")
def _eight(x0, y0, x1, y1, x2, y2, x3, y3, x4, y4, x5, y5, x6, y6, x7, y7):  # type: ignore[no-untyped-def]
    """Return the Fourier transform of eight complex numbers x + i y."""
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
def _load(w, p, s, re, im):  # type: ignore[no-untyped-def]
    """Return the transform of eight numbers at p, p + s, ..."""
    return _eight(
        w[p + re], w[p + im], w[p + s + re], w[p + s + im], w[p + 2 * s + re], w[p + 2 * s + im],
        w[p + 3 * s + re], w[p + 3 * s + im], w[p + 4 * s + re], w[p + 4 * s + im], w[p + 5 * s + re], w[p + 5 * s + im],
        w[p + 6 * s + re], w[p + 6 * s + im], w[p + 7 * s + re], w[p + 7 * s + im],
    )  # fmt: skip


@njit(inline="always")
def _turned(w, t, p, re, im):  # type: ignore[no-untyped-def]
    """Return the complex number of w at p times that of t at p."""
    return w[p + re] * t[p] - w[p + im] * t[p + 512], w[p + re] * t[p + 512] + w[p + im] * t[p]


@njit(inline="always")
def _put(w, t, p, re, im, x, y):  # type: ignore[no-untyped-def]
    """Store x + i y, times the complex number of t at p, at p."""
    w[p + re] = x * t[p] - y * t[p + 512]
    w[p + im] = x * t[p + 512] + y * t[p]


@njit(inline="always")
def _stage_then_turn(w, t, re, im):  # type: ignore[no-untyped-def]
    """Transform over the highest of the three octal digits of the index, then multiply by the factors t."""
    for p in range(64):
        x0, y0, x1, y1, x2, y2, x3, y3, x4, y4, x5, y5, x6, y6, x7, y7 = _load(w, p, 64, re, im)
        w[p + re] = x0
        w[p + im] = y0
        _put(w, t, p + 64, re, im, x1, y1)
        _put(w, t, p + 128, re, im, x2, y2)
        _put(w, t, p + 192, re, im, x3, y3)
        _put(w, t, p + 256, re, im, x4, y4)
        _put(w, t, p + 320, re, im, x5, y5)
        _put(w, t, p + 384, re, im, x6, y6)
        _put(w, t, p + 448, re, im, x7, y7)


@njit(inline="always")
def _turn_then_stage(w, t, re, im):  # type: ignore[no-untyped-def]
    """Multiply by the factors t, then transform over the highest of the three octal digits of the index."""
    for p in range(64):
        a1, b1 = _turned(w, t, p + 64, re, im)
        a2, b2 = _turned(w, t, p + 128, re, im)
        a3, b3 = _turned(w, t, p + 192, re, im)
        a4, b4 = _turned(w, t, p + 256, re, im)
        a5, b5 = _turned(w, t, p + 320, re, im)
        a6, b6 = _turned(w, t, p + 384, re, im)
        a7, b7 = _turned(w, t, p + 448, re, im)
        x0, y0, x1, y1, x2, y2, x3, y3, x4, y4, x5, y5, x6, y6, x7, y7 = _eight(
            w[p + re], w[p + im], a1, b1, a2, b2, a3, b3, a4, b4, a5, b5, a6, b6, a7, b7
        )  # fmt: skip
        _store(w, p, 64, re, im, x0, y0, x1, y1, x2, y2, x3, y3, x4, y4, x5, y5, x6, y6, x7, y7)


@njit(inline="always")
def _store(w, p, s, re, im, x0, y0, x1, y1, x2, y2, x3, y3, x4, y4, x5, y5, x6, y6, x7, y7):  # type: ignore[no-untyped-def]
    """Store eight numbers at p, p + s, ..."""
    w[p + re], w[p + im], w[p + s + re], w[p + s + im] = x0, y0, x1, y1
    w[p + 2 * s + re], w[p + 2 * s + im], w[p + 3 * s + re], w[p + 3 * s + im] = x2, y2, x3, y3
    w[p + 4 * s + re], w[p + 4 * s + im], w[p + 5 * s + re], w[p + 5 * s + im] = x4, y4, x5, y5
    w[p + 6 * s + re], w[p + 6 * s + im], w[p + 7 * s + re], w[p + 7 * s + im] = x6, y6, x7, y7


@njit(inline="always")
def _middle_stage(w, re, im):  # type: ignore[no-untyped-def]
    """Transform over the middle octal digit of the index."""
    for high in range(0, 512, 64):
        for low in range(8):
            p = high + low
            x0, y0, x1, y1, x2, y2, x3, y3, x4, y4, x5, y5, x6, y6, x7, y7 = _load(w, p, 8, re, im)
            _store(w, p, 8, re, im, x0, y0, x1, y1, x2, y2, x3, y3, x4, y4, x5, y5, x6, y6, x7, y7)


@njit(**_OPTIONS)
def _transform(w, v):  # type: ignore[no-untyped-def]
    """Write to v the Fourier transform of w, kernel exp(-2 pi i / 512); w is overwritten."""
    _stage_then_turn(w, _FIRST, 0, 512)
    _middle_stage(w, 0, 512)
    # swap the digits of the index so that the last stage, too, works on 64 neighbours
    for half in range(0, 1024, 512):
        for s in range(64):
            for low in range(8):
                v[half + 64 * low + s] = w[half + 8 * s + low]
    _turn_then_stage(v, _LAST, 0, 512)


@njit(**_OPTIONS)
def _transform_back(v, w):  # type: ignore[no-untyped-def]
    """Write to w 512 times the inverse transform of v, which is overwritten.

    The stages are the same in reverse order.  Exchanging real and imaginary parts has the effect of conjugating every factor.
    """
    _stage_then_turn(v, _LAST, 512, 0)
    for half in range(0, 1024, 512):
        for s in range(64):
            for low in range(8):
                w[half + 8 * s + low] = v[half + 64 * low + s]
    _middle_stage(w, 512, 0)
    _turn_then_stage(w, _FIRST, 512, 0)


@njit(inline="always")
def _shifted(a, bits):  # type: ignore[no-untyped-def]
    """Return a / 2^bits rounded, halves to even, int32."""
    return np.int32(a + np.int32((1 << (bits - 1)) - 1) + ((a >> np.int32(bits)) & np.int32(1))) >> np.int32(bits)


@njit(**_OPTIONS)
def _round_to_digits(p, shift, d):  # type: ignore[no-untyped-def]
    """Round the entries of p, int32 modulo 2^32, to multiples of 2^shift, in place, and write their quotients to d."""
    for j in range(N):
        d[j] = _shifted(p[j], shift)
        p[j] = d[j] << np.int32(shift)


@njit(**_OPTIONS)
def _take_digits(d, bits, digits):  # type: ignore[no-untyped-def]
    """Write the lowest balanced digits of d to `digits`, and replace d by what is left, divided by 2^bits."""
    for j in range(N):
        above = _shifted(d[j], bits)
        digits[j] = d[j] - np.int32(above << np.int32(bits))
        d[j] = above


@njit(**_OPTIONS)
def _twisted(digits, w):  # type: ignore[no-untyped-def]
    """Write the complex numbers (p_j + i p_(j + 512)) exp(i pi j / 1024) of an int32 polynomial p = digits to w."""
    for j in range(M):
        x, y = np.float64(digits[j]), np.float64(digits[j + 512])
        w[j] = x * _TWIST[j] - y * _TWIST[j + 512]
        w[j + 512] = x * _TWIST[j + 512] + y * _TWIST[j]


@njit(**_OPTIONS)
def _monomial_less_one(a, w):  # type: ignore[no-untyped-def]
    """Write the values of X^a - 1 to w, for 0 <= a < 2 N.

    The value at frequency f is exp(2 pi i a (1 - 4 f) / 2 N) - 1.  Frequencies at places 64 apart differ by 64, so their powers
    differ by eighths of a turn: 64 table look-ups and seven cheap factors give all 512 values.
    """
    for s in range(64):
        turn = (a * _SLOT_TURNS[s]) & (2 * N - 1)
        w[s] = _ROOTS[turn]
        w[s + 512] = _ROOTS[turn + 2 * N]
    for u in range(1, 8):
        eighth = ((-a * u) & 7) * (N // 4)
        x, y = _ROOTS[eighth], _ROOTS[eighth + 2 * N]
        for s in range(64):
            w[64 * u + s] = w[s] * x - w[s + 512] * y - 1.0
            w[64 * u + s + 512] = w[s] * y + w[s + 512] * x
    for s in range(64):
        w[s] -= 1.0


@njit(**_OPTIONS)
def _add_inner_product(v, key, o, factor, total):  # type: ignore[no-untyped-def]
    """Add to total, times factor, the products of transforms v, shape (3, 1024), with component o of three rows of a key."""
    a, b, c, f, g, h = v[0], v[1], v[2], key[0, o], key[1, o], key[2, o]
    for j in range(M):
        x = (
            a[j] * f[j]
            - a[j + 512] * f[j + 512]
            + b[j] * g[j]
            - b[j + 512] * g[j + 512]
            + c[j] * h[j]
            - c[j + 512] * h[j + 512]
        )
        y = (
            a[j] * f[j + 512]
            + a[j + 512] * f[j]
            + b[j] * g[j + 512]
            + b[j + 512] * g[j]
            + c[j] * h[j + 512]
            + c[j + 512] * h[j]
        )
        total[j] += x * factor[j] - y * factor[j + 512]
        total[j + 512] += x * factor[j + 512] + y * factor[j]


@njit(**_OPTIONS)
def _add_to_torus(w, p):  # type: ignore[no-untyped-def]
    """Undo the factors exp(i pi j / 1024) of w and add the result to p, int32; w is in units of the torus, times 512."""
    for j in range(M):
        x = (w[j] * _TWIST[j] + w[j + 512] * _TWIST[j + 512]) * (1.0 / 512)
        y = (w[j + 512] * _TWIST[j] - w[j] * _TWIST[j + 512]) * (1.0 / 512)
        x -= (x + _ROUND) - _ROUND  # only the fraction counts on the torus, and it must fit 32 bits
        y -= (y + _ROUND) - _ROUND
        w[j] = x * 2.0**32 + _ROUND
        w[j + 512] = y * 2.0**32 + _ROUND
    low_bits = w.view(np.int32)[::2]  # adding _ROUND put the rounded whole number into the low 32 bits
    for j in range(N):
        p[j] += low_bits[j]


@njit(**_OPTIONS)
def _digit_transforms(p, bits, levels, v, c, d, digits, w):  # type: ignore[no-untyped-def]
    """Round an int32 polynomial p to its digits and write their transforms to v[:, c]; d, digits, w are work arrays."""
    _round_to_digits(p, 32 - bits * levels, d)
    for t in range(levels - 1, 0, -1):
        _take_digits(d, bits, digits)
        _twisted(digits, w)
        _transform(w, v[t, c])
    _twisted(d, w)
    _transform(w, v[0, c])


def blind_rotate(acc: np.ndarray, exponents: np.ndarray, key: np.ndarray, block: int, bits: int, levels: int) -> None:
    """Multiply each GLWE ciphertext by X^<exponents, s>, in place.

    acc: int32 of shape (B, 3, 1024).  exponents: int64 of shape (B, n), from 0 to 2047.  block: number of bits of s per block.
    key: transforms of GGSW encryptions of s in units of the torus, float64 of shape (n, levels, 3, 3, 1024).  Its axes are: bit
    of s, digit (most significant first), component of the ciphertext, component of the result, value.  It is fastest if it
    begins at the start of a page (`placement.placed`).
    """
    n = exponents.shape[-1]
    check_array("acc", acc, np.int32, (len(exponents), COMPONENTS, N))
    check_array("exponents", exponents, np.int64, (len(exponents), n))
    check_array("key", key, np.float64, (n, levels, COMPONENTS, COMPONENTS, N))
    _check_digits(bits, levels)
    if block < 1 or n % block:
        raise ParameterError(f"blocks of {block} bits do not divide a key of {n}; use the key's own parameters")
    _blind_rotate(acc, exponents, key, block, bits, levels, *_room(levels))


def switch_key(ciphertexts: np.ndarray, key: np.ndarray, bits: int, levels: int, out: np.ndarray) -> None:
    """Write the switched ciphertexts to out, int32 of shape (B, 1 + n): body plus the digits of the mask times the key.

    ciphertexts: int32 of shape (B, 1 + d), d a multiple of 4.  key: int32 of shape (d, levels, 1 + n), most significant digit
    first.
    """
    d = ciphertexts.shape[-1] - 1
    check_array("ciphertexts", ciphertexts, np.int32, (len(ciphertexts), 1 + d))
    check_array("key", key, np.int32, (d, levels, key.shape[-1]))
    check_array("out", out, np.int32, (len(ciphertexts), key.shape[-1]))
    _check_digits(bits, levels)
    if d % 4 or key.shape[-1] < 1:
        raise ParameterError(f"masks of {d} entries under a key of {key.shape[-1]}: expected a multiple of 4, and at least 1")
    _switch_key(ciphertexts, key, bits, levels, out)


def check_array(name: str, a: np.ndarray, dtype: Any, shape: tuple[int, ...]) -> None:
    """Raise `ParameterError` unless an array has this type and shape, because compiled loops do not check their bounds."""
    if a.dtype != dtype or a.shape != shape:
        raise ParameterError(f"{name} is {a.dtype} of shape {a.shape}, expected {np.dtype(dtype)} of shape {shape}")


def _check_digits(bits: int, levels: int) -> None:
    if bits < 1 or levels < 1 or bits * levels > 31:
        raise ParameterError(f"{levels} digits of {bits} bits are not 1 to 31 bits; use the key's own parameters")


def _room(levels: int) -> Iterator[np.ndarray]:
    """Yield the work arrays, each at another offset within its page: at equal offsets the loops take up to twice the time."""
    integers, numbers = [(np.int32, (N,))] * 2, [(float, (N,))] * 2
    transforms = [(float, (levels, COMPONENTS, N)), (float, (COMPONENTS, N))]
    for i, (dtype, shape) in enumerate([*integers, *numbers, *transforms], start=1):
        yield placed(shape, dtype, place=512 * i)


@njit(**_OPTIONS)
def _blind_rotate(acc, exponents, key, block, bits, levels, d, digits, w, factor, v, sums):  # type: ignore[no-untyped-def]
    """Do what `blind_rotate` does; d, digits, w, factor, v, sums are work arrays."""
    # blocks outside, ciphertexts inside: the part of the key that a block needs stays in the cache for the whole batch
    for first in range(0, exponents.shape[1], block):
        for b in range(acc.shape[0]):
            # small digits keep the noise of the key small; one transform per digit serves all bits of the block
            for c in range(COMPONENTS):
                _digit_transforms(acc[b, c], bits, levels, v, c, d, digits, w)
            sums[:, :] = 0.0
            for i in range(first, first + block):
                _monomial_less_one(exponents[b, i], factor)  # (X^a_i - 1) C is what must be added if s_i is set
                for t in range(levels):
                    for o in range(COMPONENTS):
                        _add_inner_product(v[t], key[i, t], o, factor, sums[o])
            # sums of values are values of sums, so one transform back per component is enough
            for c in range(COMPONENTS):
                _transform_back(sums[c], w)
                _add_to_torus(w, acc[b, c])


@njit(**_OPTIONS)
def _digits(a, bits, levels, digit):  # type: ignore[no-untyped-def]
    """Write the balanced digits of one int32 to digit, most significant first."""
    rest = _shifted(a, 32 - bits * levels)
    for t in range(levels - 1, 0, -1):
        above = _shifted(rest, bits)
        digit[t] = rest - np.int32(above << np.int32(bits))
        rest = above
    digit[0] = rest


@njit(**_OPTIONS)
def _add_four_rows(total, f, row_0, row_1, row_2, row_3):  # type: ignore[no-untyped-def]
    """Add f[0] row_0 + ... + f[3] row_3 to total, int32 modulo 2^32."""
    f_0, f_1, f_2, f_3 = f
    for j in range(total.shape[0]):
        total[j] += np.int32(f_0 * row_0[j] + f_1 * row_1[j] + f_2 * row_2[j] + f_3 * row_3[j])


@njit(**_OPTIONS)
def _switch_key(ciphertexts, key, bits, levels, out):  # type: ignore[no-untyped-def]
    """Do what `switch_key` does, with four rows of the key at a time: each sum is read and written once per four products."""
    d = ciphertexts.shape[1] - 1
    digit = np.empty((levels, 4), np.int32)
    out[:] = 0
    for b in range(ciphertexts.shape[0]):
        out[b, 0] = ciphertexts[b, 0]
    for i in range(0, d, 4):  # rows outside, ciphertexts inside: the rows stay in the cache for the whole batch
        for b in range(ciphertexts.shape[0]):
            for r in range(4):
                _digits(ciphertexts[b, 1 + i + r], bits, levels, digit[:, r])
            for t in range(levels):
                _add_four_rows(out[b], digit[t], key[i, t], key[i + 1, t], key[i + 2, t], key[i + 3, t])
