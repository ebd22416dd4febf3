"""Products of polynomials modulo X^N + 1 by a complex Fourier transform of half the length.

The N roots of X^N + 1 come in conjugate pairs, so a real polynomial p has N / 2 independent values there.  With
z_j = (p_j + i p_(j + N/2)) exp(i pi j / N), a Fourier transform gives them:

    Z_f = sum_j z_j exp(-2 pi i j f / (N / 2)) = p(exp(i pi (1 - 4 f) / N)).

The values of a product are the products of the values.  float64 rounds, so `Multiplier` cuts polynomials into limbs.  The limbs
are so small that rounding to whole numbers gives the exact product.
"""

from functools import cache

import numpy as np

from encnn.arithmetic import row_sums
from encnn.arithmetic.modular import centred

LIMB_BITS = 27
"""A product of a limb and a small polynomial has coefficients below 2^41 for N <= 2^14, far from where float64 errs by 1/2."""


def forward(p: np.ndarray) -> np.ndarray:
    """Return the values of real polynomials of shape (..., N): complex of shape (..., N / 2), frequencies in natural order."""
    half = p.shape[-1] // 2
    z = np.empty((*p.shape[:-1], half), np.complex128)
    z.real, z.imag = p[..., :half], p[..., half:]
    z *= _twist(2 * half)
    return np.fft.fft(z)


def backward(values: np.ndarray) -> np.ndarray:
    """Return the real polynomials of shape (..., N) that have these values."""
    z = np.fft.ifft(values)
    z *= _untwist(2 * values.shape[-1])
    return np.concatenate([z.real, z.imag], axis=-1)


class Multiplier:
    """Exact products with fixed polynomials a: int64 of shape (..., N), any entries modulo 2^q_bits, N a power of two."""

    def __init__(self, a: np.ndarray, q_bits: int) -> None:
        self._a = a
        # a = sum_i limb_i 2^(27 i): each limb has 27 bits, so its products stay where float64 is exact after rounding.
        # a is fixed, so its limbs are transformed once
        shifts = range(0, q_bits, LIMB_BITS)
        self._values = [forward(a >> np.int64(s) & ((1 << LIMB_BITS) - 1)) for s in shifts] if a.shape[-1] > 1 else []

    def __call__(self, small: np.ndarray) -> np.ndarray:
        """Return a * small in Z[X] / (X^N + 1), int64, right modulo 2^q_bits; |small| <= 1, of shape (..., N)."""
        if not self._values:  # N = 1: polynomials are numbers, and there is nothing to transform
            return self._a * small
        values = forward(small)  # entries of -1, 0, 1 need no limbs
        total = _whole(self._values[0] * values)
        for i, limb in enumerate(self._values[1:], 1):
            # each limb's product is rounded before the shift: shifting first would leave float64's 53 bits.
            # int64 wraps modulo 2^64, a multiple of 2^q_bits, so the sum is right modulo 2^q_bits
            total += _whole(limb * values) << np.int64(LIMB_BITS * i)
        return total

    def add_to(self, out: np.ndarray, small: np.ndarray) -> None:
        """Add a * small to `out`, integers of shape (rows, N), in place; sums wrap in their type.

        Compiled, for who makes many products: it takes a third less time than `__call__` and the addition.
        """
        if not self._values or not row_sums.available():
            np.add(out, self(small), out=out, casting="unsafe")
            return
        values, untwist = forward(small), _untwist(out.shape[-1])
        for i, limb in enumerate(self._values):
            row_sums.compiled(add_whole)(out, np.fft.ifft(limb * values), untwist, LIMB_BITS * i)


def _whole(values: np.ndarray) -> np.ndarray:
    """Return the polynomials of whole numbers that have these values, int64; the values are overwritten."""
    z = np.fft.ifft(values, out=values)
    half = z.shape[-1]
    z *= _untwist(2 * half)
    np.rint(z.view(np.float64), out=z.view(np.float64))  # the product is whole and the error below 1/2, so this is exact
    whole = np.empty((*z.shape[:-1], 2 * half), np.int64)
    whole[..., :half], whole[..., half:] = z.real, z.imag
    return whole


def add_whole(out: np.ndarray, z: np.ndarray, untwist: np.ndarray, shift: int) -> None:
    """Add to `out` the polynomials of whole numbers whose values have the inverse transforms z, times 2^shift: one pass."""
    half = z.shape[1]
    for r in range(len(z)):
        for j in range(half):
            x, w = z[r, j], untwist[j]
            out[r, j] += np.int64(np.rint(x.real * w.real - x.imag * w.imag)) << shift
            out[r, half + j] += np.int64(np.rint(x.real * w.imag + x.imag * w.real)) << shift


def multiply(a: np.ndarray, small: np.ndarray, q_bits: int) -> np.ndarray:
    """Return the products a * small in Z[X] / (X^N + 1), modulo 2^q_bits, int64 of shape (..., N), for |small| <= 1."""
    return centred(Multiplier(a, q_bits)(small), q_bits)


def monomial_product(p: np.ndarray, exponent: np.ndarray | int) -> np.ndarray:
    """Return X^exponent p modulo X^N + 1 in the type of p, shape (..., N); exponents of shape (...) count modulo 2 N.

    >>> monomial_product(np.array([1, 2, 3, 4]), np.array(5))
    array([ 4, -1, -2, -3])
    """
    N = p.shape[-1]
    if np.ndim(exponent) == 0:  # two runs
        sign, i = (-1, int(exponent) % N) if int(exponent) // N % 2 else (1, int(exponent) % N)
        return np.concatenate([-sign * p[..., N - i :], sign * p[..., : N - i]], axis=-1, dtype=p.dtype)
    source = (np.arange(N) - np.asarray(exponent)[..., None]) % (2 * N)
    shape = np.broadcast_shapes(p.shape, source.shape)
    taken = np.take_along_axis(np.broadcast_to(p, shape), np.broadcast_to(source % N, shape), axis=-1)
    return np.where(source < N, taken, -taken)


def roots(numerators: np.ndarray, denominator: int) -> np.ndarray:
    """Return exp(2 pi i numerators / denominator), computed in extended precision and rounded once: errors would add up."""
    angle = 2 * np.longdouble("3.14159265358979323846264338327950288") * (numerators % denominator) / denominator
    return (np.cos(angle) + 1j * np.sin(angle)).astype(np.complex128)


@cache
def all_roots(denominator: int) -> np.ndarray:
    """Return all roots of unity of this order, beginning with 1."""
    return roots(np.arange(denominator), denominator)


def _twist(N: int) -> np.ndarray:
    return all_roots(2 * N)[: N // 2]


@cache
def _untwist(N: int) -> np.ndarray:
    return _twist(N).conj()
