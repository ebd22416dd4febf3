"""Digits of ciphertexts and powers of keys: c* and S*, equations (4)-(6) of the paper.

A ciphertext entry is written with `n_digits` digits in base B = 2^base_bits, and the key is multiplied by the matching powers
of B.  Then the inner products agree:  S* c* = S c.  Entries follow each other, each with its most significant digit first, as
the paper prints them.

Two forms of digits:

- signed (the paper's): the digits of |c|, each with the sign of c.  In base 2 they are the paper's bits.
- balanced: each digit lies in [-B/2, B/2).  They cost the same, have a quarter of the noise variance and no bias.  We use them.

With base_bits * n_digits = 64 balanced digits hold every int64, and all identities hold modulo 2^64.
"""

from collections.abc import Iterator
from functools import cache

import numpy as np

_MACHINE_INTEGERS: dict[int, type] = {8: np.int8, 16: np.int16, 32: np.int32}
_WORDS: dict[int, type] = {32: np.int32, 64: np.int64}


def digits(c: np.ndarray, base_bits: int, n_digits: int, balanced: bool = False) -> np.ndarray:
    """Return c*, equation (4): shape (..., n) -> (..., n * n_digits), int64.

    Signed digits are exact for |c| < 2^(base_bits * n_digits), balanced ones for |c| <= `largest(...)`.

    >>> digits(np.array([3, -6]), base_bits=1, n_digits=3)
    array([ 0,  1,  1, -1, -1,  0])
    >>> digits(np.array([255]), base_bits=4, n_digits=3, balanced=True)
    array([ 1,  0, -1])
    """
    c = np.asarray(c, dtype=np.int64)
    d = digits_lowest_first(c, base_bits, n_digits, balanced).reshape(*c.shape, n_digits)[..., ::-1]
    return d.astype(np.int64).reshape(*c.shape[:-1], c.shape[-1] * n_digits)


def digits_lowest_first(c: np.ndarray, base_bits: int, n_digits: int, balanced: bool) -> np.ndarray:
    """Return the digits of c, int64 of shape (..., n), least significant first in each entry, in any integer type.

    Balanced digits are the plain digits of c + (B/2, ..., B/2), each minus B/2.  If the digits are machine integers that fill
    32 or 64 bits, they already lie in memory as the parts of that sum; flipping each top bit subtracts B/2.
    """
    if not balanced:
        d = np.abs(c)[..., None] >> _shifts(base_bits, n_digits)
        d &= (1 << base_bits) - 1
        d *= np.sign(c)[..., None]
    else:
        balance = _balance(base_bits, n_digits)
        if base_bits in _MACHINE_INTEGERS and base_bits * n_digits in _WORDS:
            words = c.astype(balance.dtype, order="C")
            words += balance
            words ^= balance
            return words.view(_MACHINE_INTEGERS[base_bits])
        d = (c + balance)[..., None] >> _shifts(base_bits, n_digits)
        d &= (1 << base_bits) - 1
        d -= 1 << (base_bits - 1)
    return d.reshape(*c.shape[:-1], c.shape[-1] * n_digits)


def expand_key(S: np.ndarray, base_bits: int, n_digits: int) -> np.ndarray:
    """Return S*, equation (5): shape (m, n) -> (m, n * n_digits), int64 (modulo 2^64).

    >>> expand_key(np.array([[1, 2], [5, 4]]), base_bits=1, n_digits=3)
    array([[ 4,  2,  1,  8,  4,  2],
           [20, 10,  5, 16,  8,  4]])
    """
    S = np.asarray(S, dtype=np.int64)
    return (S[..., None] << _shifts(base_bits, n_digits)[::-1]).reshape(*S.shape[:-1], -1)


def largest(base_bits: int, n_digits: int, balanced: bool = False) -> int:
    """Return the largest |c| whose digits are exact.

    >>> largest(base_bits=1, n_digits=3), largest(base_bits=4, n_digits=3, balanced=True)
    (7, 1911)
    """
    top = (1 << base_bits * n_digits) - 1
    digit = (1 << (base_bits - 1)) - 1 if balanced else (1 << base_bits) - 1
    return min(digit * top // ((1 << base_bits) - 1), (1 << 63) - 1)


def digit_bound(base_bits: int, balanced: bool = False) -> int:
    """Return the largest absolute value of one digit."""
    return 1 << (base_bits - 1) if balanced else (1 << base_bits) - 1


@cache
def _shifts(base_bits: int, n_digits: int) -> np.ndarray:
    return base_bits * np.arange(n_digits, dtype=np.int64)


@cache
def _balance(base_bits: int, n_digits: int) -> np.ndarray:
    """Return B/2 at every digit position, modulo 2^64, in the machine word that the digits fill, or else as an int64.

    The result is an array of shape ().  numpy adds it to a few entries in two thirds of the time that a scalar takes.
    """
    total = sum(1 << (base_bits * i + base_bits - 1) for i in range(n_digits))
    return np.array(total % (1 << 64), np.uint64).astype(_WORDS.get(base_bits * n_digits, np.int64))


def fraction_digits(x: np.ndarray, bits: int, levels: int) -> Iterator[np.ndarray]:
    """Yield the balanced digits of fractions x of the torus in [-1/2, 1/2], float64, the most significant first.

    x = sum_t digit_t 2^-((t + 1) bits), up to the bits below the last digit.  Halves are rounded to even numbers, so that the
    digits have the mean 0.

    >>> [d.tolist() for d in fraction_digits(np.array([0.3125, -0.0625]), bits=2, levels=2)]
    [[1.0, -0.0], [1.0, -1.0]]
    """
    rest = x
    for t in range(1, levels + 1):
        digit = np.rint(rest * 2.0 ** (bits * t))
        rest = rest - digit * 2.0 ** (-bits * t)
        yield digit
