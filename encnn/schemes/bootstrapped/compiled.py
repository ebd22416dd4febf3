"""The hot loops of a bootstrap, compiled by numba: blind rotation for N = 1024 and k = 2, and the key switch.

`rotation` and `switching` hold the same operations in numpy, which are the reference.  They import this module if numba is
installed and the sizes fit.  Each ciphertext is computed by itself, so results depend neither on the batch nor on threads.  All
functions release Python's lock.  `compiled_transform` has the transforms, `compiled_vectors` the products with the key.
"""

from collections.abc import Iterator

import numpy as np
from numba import njit

from encnn.arithmetic.negacyclic import roots
from encnn.arithmetic.placement import check_array, placed
from encnn.errors import ParameterError
from encnn.schemes.bootstrapped.compiled_transform import OPTIONS, ORDER, M, N, add_backward, forward
from encnn.schemes.bootstrapped.compiled_vectors import (
    COMPONENTS,
    PACE,
    ROW,
    TOGETHER,
    WIDTH,
    add_bit,
    add_four_bits,
    add_four_bits_of_two,
    shift_right,
)
from encnn.schemes.bootstrapped.frequencies import GROUP, LINE

_DIGIT = TOGETHER * COMPONENTS * PACE
"""Numbers of the work array for the transforms of a digit."""
_ROOTS = roots(np.arange(2 * N), 2 * N)
_ROOTS = np.concatenate([_ROOTS.real, _ROOTS.imag])
_SLOT_TURNS = 1 - 4 * ORDER[:64]


@njit(inline="always")
def _shifted(a, bits):
    """Return a / 2^bits rounded, halves to even, int32."""
    odd = shift_right(a, np.int32(bits)) & np.int32(1)
    return shift_right(np.int32(a + np.int32((1 << (bits - 1)) - 1) + odd), np.int32(bits))


@njit(inline="always")
def _shifted_left(a, bits):
    """Return a 2^bits modulo 2^32, int32."""
    return np.int32(a << np.int32(bits & 31))  # `& 31` allows vectors of int32


@njit(**OPTIONS)
def _round_to_digits(p, shift, d):
    """Round the entries of p, int32 modulo 2^32, to multiples of 2^shift, in place, and write their quotients to d."""
    for j in range(N):
        d[j] = _shifted(p[j], shift)
        p[j] = _shifted_left(d[j], shift)


@njit(**OPTIONS)
def _take_digits(d, bits, digits):
    """Write the lowest balanced digits of d to `digits`, and replace d by what is left, divided by 2^bits."""
    for j in range(N):
        above = _shifted(d[j], bits)
        digits[j] = d[j] - _shifted_left(above, bits)
        d[j] = above


@njit(**OPTIONS)
def _monomial_less_one(a, w):
    """Write the values of X^a - 1 to w, for 0 <= a < 2 N.

    The value at frequency f is exp(2 pi i a (1 - 4 f) / 2 N) - 1.  Frequencies at places 64 apart differ by 64, so their powers
    differ by eighths of a turn: 64 table look-ups and seven cheap factors give all 512 values.
    """
    for s in range(64):
        turn = (a * _SLOT_TURNS[s]) & (2 * N - 1)
        w[s] = _ROOTS[turn]
        w[s + 64] = _ROOTS[turn + 2 * N]
    for u in range(1, 8):
        eighth = ((-a * u) & 7) * (N // 4)
        x, y = _ROOTS[eighth], _ROOTS[eighth + 2 * N]
        for s in range(64):
            w[128 * u + s] = w[s] * x - w[s + 64] * y - 1.0
            w[128 * u + s + 64] = w[s] * y + w[s + 64] * x
    for s in range(64):
        w[s] -= 1.0


@njit(inline="always")
def _add_rows(v, p, factors, q, key, r, sums, s, count, block, fresh, ask):
    """Add the products with the rows of a block, in a stretch of a line, to the sums of `count` ciphertexts."""
    for i in range(0, block - 3, 4):
        new = fresh and i == 0
        for w in range(0, LINE, WIDTH):
            f, k = q + w + i * TOGETHER * PACE, r + w + i * ROW
            if count == TOGETHER:
                add_four_bits_of_two(v, p + w, factors, f, key, k, sums, s + w, new, ask)
            else:
                add_four_bits(v, p + w, factors, f, key, k, sums, s + w, new, ask)
    for i in range(block // 4 * 4, block):
        new = fresh and i == 0
        for w in range(0, LINE, WIDTH):
            for b in range(count):
                c, f = b * COMPONENTS * PACE + w, (i * TOGETHER + b) * PACE + w
                add_bit(v, p + c, factors, q + f, key, r + w + i * ROW, sums, s + c, new, ask)


@njit(**OPTIONS)
def sum_products(v, factors, key, count, block, levels, sums, ask):
    """Write the sums of products with a block of the key for `count` ciphertexts, at most TOGETHER.

    v: transforms of digits, (levels, TOGETHER, 3, PACE).  factors: those of the bits, (block, TOGETHER, PACE).
    sums: (TOGETHER, 3, PACE).  key: the rows of the block, (512 / LINE, 3, levels, block, ROW).  Axes in one pair of brackets
    are one axis of the arrays.  ask: whether the key is not in the cache yet.
    """
    r = 0
    for group in range(0, 2 * M, 2 * GROUP):
        for p in range(group, group + GROUP, LINE):
            for s in range(p, p + COMPONENTS * PACE, PACE):
                for t in range(levels):
                    _add_rows(v, t * _DIGIT + p, factors, p, key, r, sums, s, count, block, t == 0, ask)
                    r += block * ROW


@njit(**OPTIONS)
def _digit_transforms(p, bits, levels, v, d, digits, w):
    """Round an int32 polynomial p to its digits and write their transforms to v, _DIGIT apart; d, digits, w are work arrays."""
    _round_to_digits(p, 32 - bits * levels, d)
    for t in range(levels - 1, 0, -1):
        _take_digits(d, bits, digits)
        forward(digits, w, v[t * _DIGIT :])
    forward(d, w, v)


def blind_rotate(acc: np.ndarray, exponents: np.ndarray, key: np.ndarray, block: int, bits: int, levels: int) -> None:
    """Multiply each GLWE ciphertext by X^<exponents, s>, in place.

    acc: int32 of shape (B, 3, 1024).  exponents: int64 of shape (B, n), from 0 to 2047.  block: number of bits of s per block.
    key: transforms of GGSW encryptions of s in units of the torus, float64 of shape (n / block, 64, 3, levels, block, 3, 2, 8).
    Its axes are: block of s, line of values, component of the result, digit (most significant first), bit of the block,
    component of the ciphertext, real and imaginary parts, values of the line.  It is fastest if it begins at the start of a
    page (`placement.placed`).
    """
    n = exponents.shape[-1]
    check_array("acc", acc, np.int32, (len(exponents), COMPONENTS, N))
    check_array("exponents", exponents, np.int64, (len(exponents), n))
    _check_digits(bits, levels)
    if block < 1 or n % block:
        raise ParameterError(f"blocks of {block} bits do not divide a key of {n}; use the key's own parameters")
    check_array("key", key, np.float64, (n // block, M // LINE, COMPONENTS, levels, block, COMPONENTS, 2, LINE))
    _blind_rotate(acc, exponents, key.reshape(n // block, -1), block, bits, levels, *room(block, levels))


def switch_key(ciphertexts: np.ndarray, key: np.ndarray, bits: int, levels: int, out: np.ndarray) -> None:
    """Add to out the digits of the last masks times the key, one mask per row of the key.

    ciphertexts: int32 of shape (B, 1 + d).  key: int32 of shape (d - n, levels, width), most significant digit first.  out:
    int32 of shape (B, width).
    """
    check_array("ciphertexts", ciphertexts, np.int32, (len(ciphertexts), ciphertexts.shape[-1]))
    check_array("key", key, np.int32, (len(key), levels, key.shape[-1]))
    check_array("out", out, np.int32, (len(ciphertexts), key.shape[-1]))
    _check_digits(bits, levels)
    if not 1 <= len(key) < ciphertexts.shape[-1]:
        raise ParameterError(f"a key of {len(key)} rows does not fit masks of {ciphertexts.shape[-1] - 1} entries; use its own")
    _switch_key(ciphertexts, key, bits, levels, out)


def _check_digits(bits: int, levels: int) -> None:
    if bits < 1 or levels < 1 or bits * levels > 31:
        raise ParameterError(f"{levels} digits of {bits} bits are not 1 to 31 bits; use the key's own parameters")


def room(block: int, levels: int) -> Iterator[np.ndarray]:
    """Yield the work arrays, each at another offset within its page: at equal offsets the loops take up to twice the time."""
    transforms = [(float, (TOGETHER * count * PACE,)) for count in (levels * COMPONENTS, block, COMPONENTS)]
    arrays = [(np.int32, (N,)), (np.int32, (N,)), (float, (N,)), *transforms]
    for i, (dtype, shape) in enumerate(arrays, start=1):
        yield placed(shape, dtype, place=512 * i)


@njit(**OPTIONS)
def _blind_rotate(acc, exponents, key, block, bits, levels, d, digits, w, v, factors, sums):
    """Do what `blind_rotate` does, with the key as an array of shape (blocks, numbers); the last six are work arrays."""
    # blocks outside, ciphertexts inside: the part of the key that a block needs stays in the cache for the whole batch
    for step in range(key.shape[0]):
        for first in range(0, acc.shape[0], TOGETHER):
            count = min(TOGETHER, acc.shape[0] - first)
            for b in range(count):
                # small digits keep the noise of the key small; one transform per digit serves all bits of the block
                for c in range(COMPONENTS):
                    _digit_transforms(acc[first + b, c], bits, levels, v[(b * COMPONENTS + c) * PACE :], d, digits, w)
                for i in range(block):  # (X^a_i - 1) C is what must be added if s_i is set
                    _monomial_less_one(exponents[first + b, step * block + i], factors[(i * TOGETHER + b) * PACE :])
            sum_products(v, factors, key[step], count, block, levels, sums, first == 0)
            # sums of values are values of sums, so one transform back per component is enough
            for b in range(count):
                for c in range(COMPONENTS):
                    add_backward(sums[(b * COMPONENTS + c) * PACE :], w, acc[first + b, c])


@njit(**OPTIONS)
def _digits(a, bits, levels, digit):
    """Write the balanced digits of one int32 to digit, most significant first."""
    rest = _shifted(a, 32 - bits * levels)
    for t in range(levels - 1, 0, -1):
        above = _shifted(rest, bits)
        digit[t] = rest - _shifted_left(above, bits)
        rest = above
    digit[0] = rest


@njit(**OPTIONS)
def _add_four_rows(total, f_0, f_1, f_2, f_3, row_0, row_1, row_2, row_3):
    """Add f_0 row_0 + ... + f_3 row_3 to total, int32 modulo 2^32."""
    for j in range(total.shape[0]):
        total[j] += np.int32(f_0 * row_0[j] + f_1 * row_1[j] + f_2 * row_2[j] + f_3 * row_3[j])


@njit(**OPTIONS)
def _switch_key(ciphertexts, key, bits, levels, out):
    """Do what `switch_key` does, with four rows of the key at a time: each sum is read and written once per four products."""
    count = key.shape[0]
    first, digit = ciphertexts.shape[1] - count, np.empty((levels, 4), np.int32)
    for i in range(0, count, 4):  # rows outside, ciphertexts inside: the rows stay in the cache for the whole batch
        i_1, i_2, i_3 = min(i + 1, count - 1), min(i + 2, count - 1), min(i + 3, count - 1)
        digit[:] = 0  # rows beyond the last one count nothing
        for b in range(ciphertexts.shape[0]):
            for r in range(min(4, count - i)):
                _digits(ciphertexts[b, first + i + r], bits, levels, digit[:, r])
            for t in range(levels):
                f_0, f_1, f_2, f_3 = digit[t, 0], digit[t, 1], digit[t, 2], digit[t, 3]
                _add_four_rows(out[b], f_0, f_1, f_2, f_3, key[i, t], key[i_1, t], key[i_2, t], key[i_3, t])
