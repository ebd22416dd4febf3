"""Arithmetic modulo a power of two, in machine integers with wrap-around.

Because 2^q_bits divides 2^64 (for int32, 2^32), sums and products may wrap freely.  Only the final result is reduced to its
centred representative.
"""

import numpy as np

_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)


def centred(x: np.ndarray, q_bits: int) -> np.ndarray:
    """Return the representatives of x modulo 2^q_bits in [-2^(q_bits-1), 2^(q_bits-1)), in the signed integer type of x.

    >>> centred(np.array([5, 8, -9]), 4)
    array([ 5, -8,  7])
    """
    shift = x.dtype.type(8 * x.itemsize - q_bits)
    return (x << shift) >> shift


def rounded_product(a: np.ndarray, b: np.ndarray, shift: int) -> np.ndarray:
    """Return round(a b / 2^shift) modulo 2^64 for int64 arrays, from the exact 128-bit product; 0 <= shift < 64.

    >>> rounded_product(np.array([2**62 + 1]), np.array([6]), 2)
    array([6917529027641081858])
    """
    low, high = _wide_product(a, b)
    if shift == 0:
        return low.view(np.int64)
    half = np.uint64(1 << (shift - 1))
    rounded = low + half
    high = high + (rounded < low)
    return ((rounded >> np.uint64(shift)) | (high.view(np.uint64) << np.uint64(64 - shift))).view(np.int64)


def _wide_product(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the low (uint64) and high (int64) words of the signed 128-bit product a b."""
    a, b = np.broadcast_arrays(np.asarray(a, np.int64), np.asarray(b, np.int64))
    a_low, b_low = a.astype(np.uint64) & _LOW, b.astype(np.uint64) & _LOW
    a_high, b_high = a >> np.int64(32), b >> np.int64(32)
    bottom = a_low * b_low
    # a signed 32-bit times an unsigned 32-bit number fits an int64
    middle_1 = a_high * b_low.astype(np.int64)
    middle_2 = b_high * a_low.astype(np.int64)
    carry = (bottom >> _32) + (middle_1.astype(np.uint64) & _LOW) + (middle_2.astype(np.uint64) & _LOW)
    high = a_high * b_high + (middle_1 >> 32) + (middle_2 >> 32) + (carry >> _32).astype(np.int64)
    low = a.astype(np.uint64) * b.astype(np.uint64)
    return low, high
