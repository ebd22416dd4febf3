"""Real numbers as polynomials of Z_t[X]/(X^N + 1), the plaintexts of FV and YASHE: four ways.

====================  =================================  ======================================  ===============================
encoder               plaintext                          what a product of plaintexts does       where it breaks
====================  =================================  ======================================  ===============================
`CoefficientEncoder`  numbers side by side, one a        multiplies by single numbers only       |x| reaches t / 2
                      coefficient, x = scale v
`SlotEncoder`         numbers x = scale v are the        multiplies entry by entry (SIMD)        |x| reaches t / 2
                      values at the roots of X^N + 1
`IntegerEncoder`      the digits of one whole number     multiplies the numbers                  a digit reaches t / 2, or the
                                                                                                 degree N
`FractionalEncoder`   the digits of one real number;     multiplies the numbers                  a digit reaches t / 2, or the
                      digit -i stands at -X^(N-i)                                                fraction meets the integers
====================  =================================  ======================================  ===============================

The first two need a scaling factor, and the scale of a product is the product of the scales.  The fractional encoder
[DGL+15, GDL+16] needs none.  X stands for the base b, and X^-i = -X^(N-i) for b^-i.  So multiplying by a power of the base is
multiplying by a power of X, which moves the digits and makes none of them larger.  Digits are never carried: those of sums and
products grow as far as t allows.  But each number fills a whole polynomial, while slots hold N numbers.

[DGL+15] Dowlin, Gilad-Bachrach, Laine, Lauter, Naehrig, Wernsing, "Manual for using homomorphic encryption for
bioinformatics", MSR-TR-2015-87.  [GDL+16] the same, "CryptoNets", ICML 2016.  [SV14] Smart, Vercauteren, "Fully homomorphic
SIMD operations", Designs, Codes and Cryptography 71, 2014.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from encnn.errors import ParameterError
from encnn.schemes.rings.ntt import bit_reversal
from encnn.schemes.rings.rns import Ring

GENERATOR = 3
"""3 and -1 generate the odd numbers modulo 2 N: slot i stands at the root psi^(3^i), in the second row at its inverse."""


@dataclass(frozen=True)
class Plaintext:
    """Polynomials modulo t."""

    residues: np.ndarray  # shape (..., k_t, n), of the coefficients at `columns`
    columns: slice | np.ndarray  # the places of these coefficients; all others are zero
    magnitude: float  # a bound on |coefficient|, or on |x| if x stands in slots
    low: int = 0  # digits go down to X^-low
    high: int = 0  # and up to X^high


class Encoder(ABC):
    """A way from real vectors of shape (..., m) to polynomials of `ring` = Z_t[X]/(X^N + 1) and back.

    per_number: whether every number gets a polynomial of its own, instead of every vector.
    """

    per_number = False

    def __init__(self, ring: Ring) -> None:
        self.ring = ring

    @abstractmethod
    def encode(self, v: np.ndarray, scale: int = 1) -> Plaintext:
        """Return the plaintexts of real vectors v, shape (..., m), at this scale."""

    @abstractmethod
    def decode(self, m: np.ndarray, width: int, scale: int = 1, low: int = 0, high: int = 0) -> np.ndarray:
        """Return the real vectors, shape (..., width), of plaintexts, residues of shape (..., k_t, N)."""

    def polynomials(self, plain: Plaintext) -> np.ndarray:
        """Return all coefficients of plaintexts, shape (..., k_t, N)."""
        full = np.zeros((*plain.residues.shape[:-1], self.ring.N), np.uint64)
        full[..., plain.columns] = plain.residues
        return full

    def whole(self, v: np.ndarray, scale: int) -> tuple[np.ndarray, float]:
        """Return round(scale v) as whole numbers, int64 or Python's, and their largest size; raise beyond t / 2."""
        x = np.rint(np.asarray(v, np.float64) * float(scale))
        largest = float(np.abs(x).max(initial=0.0))
        if not largest < self.ring.q / 2:
            raise ParameterError(
                f"a plain number reaches {largest:.3g} at scale {scale:.3g}, but the plaintext modulus allows "
                f"{self.ring.q / 2:.3g}; use smaller numbers, a smaller scale or a larger t"
            )
        if largest < 2.0**62:
            return x.astype(np.int64), largest
        return np.asarray(np.frompyfunc(int, 1, 1)(x), object), largest


class CoefficientEncoder(Encoder):
    """Vectors as the first coefficients of a polynomial."""

    def encode(self, v: np.ndarray, scale: int = 1) -> Plaintext:
        """Return the plaintexts; magnitude: the largest |scale v|."""
        _check_width(np.shape(v)[-1], self.ring.N)
        x, largest = self.whole(v, scale)
        return Plaintext(self.ring.residues(x), slice(0, x.shape[-1]), largest)

    def decode(self, m: np.ndarray, width: int, scale: int = 1, low: int = 0, high: int = 0) -> np.ndarray:
        """Return coefficients / scale."""
        return _quotients(self.ring.lift(m[..., :width]), scale)


class SlotEncoder(Encoder):
    """Vectors in the slots [SV14], repeated with a period that is a power of two, so that their sums can be taken by rotations.

    Slots stand in two rows of N / 2.  A rotation by r, the automorphism X -> X^(3^r), moves both rows to the left.
    """

    @cached_property
    def places(self) -> np.ndarray:
        """Where slot i of the first row, then of the second, stands among the values of the transform, shape (N,)."""
        N = self.ring.N
        powers = np.ones(N // 2, np.int64)
        for i in range(1, N // 2):
            powers[i] = powers[i - 1] * GENERATOR % (2 * N)
        exponents = np.concatenate([powers, 2 * N - powers])
        return bit_reversal(N)[(exponents - 1) // 2]

    def encode(self, v: np.ndarray, scale: int = 1) -> Plaintext:
        """Return the plaintexts; magnitude: the largest |scale v|, in slots."""
        v = np.asarray(v, np.float64)
        period = self.period(v.shape[-1])
        x, largest = self.whole(v, scale)
        padded = np.zeros((*x.shape[:-1], period), x.dtype)
        padded[..., : x.shape[-1]] = x
        return Plaintext(self.from_slots(np.tile(self.ring.residues(padded), self.ring.N // period)), slice(None), largest)

    def decode(self, m: np.ndarray, width: int, scale: int = 1, low: int = 0, high: int = 0) -> np.ndarray:
        """Return the first slots / scale."""
        return _quotients(self.ring.lift(self.to_slots(m)[..., :width]), scale)

    def from_slots(self, x: np.ndarray) -> np.ndarray:
        """Return the polynomials with these values in their slots: residues of shape (..., k_t, N)."""
        values = np.empty_like(x)
        values[..., self.places] = x
        return self.ring.ntt.inverse(values)

    def to_slots(self, m: np.ndarray) -> np.ndarray:
        """Return the values in the slots."""
        return self.ring.ntt.forward(m)[..., self.places]

    def period(self, width: int) -> int:
        """Return the power of two with which vectors of this width are repeated."""
        _check_width(width, self.ring.N // 2)
        return 1 << (width - 1).bit_length()


class FractionalEncoder(Encoder):
    """Numbers by their digits, one polynomial per number; `fraction_digits` digits are after the point.

    base: 2 or more; digits lie between -(base - 1) and base - 1, all with the sign of the number.
    """

    per_number = True

    def __init__(self, ring: Ring, fraction_digits: int, base: int = 2) -> None:
        super().__init__(ring)
        if base < 2 or not 0 <= fraction_digits < ring.N // 2:
            raise ParameterError(
                f"base={base}, fraction_digits={fraction_digits}: expected a base of at least 2 and up to N / 2 = "
                f"{ring.N // 2} digits"
            )
        self.base, self.fraction_digits = base, fraction_digits

    def encode(self, v: np.ndarray, scale: int = 1) -> Plaintext:
        """Return the plaintexts, residues of shape (..., m, k_t, n): the numbers to the nearest base^-fraction_digits."""
        unit = scale * self.base**self.fraction_digits
        x = np.asarray(np.frompyfunc(lambda f: round(Fraction(f) * unit), 1, 1)(np.asarray(v, float)), object)
        return self.from_digits(self.digits(x), -self.fraction_digits)

    def from_digits(self, digits: np.ndarray, first: int) -> Plaintext:
        """Return the plaintexts of digits of shape (..., n), int64, the first of which counts base^first."""
        N, n = self.ring.N, digits.shape[-1]
        exponents = np.arange(first, first + n)
        if n > N:
            raise ParameterError(
                f"a number has {n} digits, but a polynomial of degree below {N} has no room for them; raise the base"
            )
        signed = np.where(exponents < 0, -digits, digits)
        magnitude = float(np.abs(digits).max(initial=0))
        return Plaintext(self.ring.residues(signed), exponents % N, magnitude, -first, first + n - 1)

    def decode(self, m: np.ndarray, width: int, scale: int = 1, low: int = 0, high: int = 0) -> np.ndarray:
        """Return the sum of digit * base^place over the places -low .. high; exact until the last division."""
        exponents = np.arange(-low, high + 1)
        digits = self.ring.lift(m[..., exponents % self.ring.N])
        digits = np.where(exponents // self.ring.N % 2 == 1, -digits, digits)  # X^N = -1 turns the sign once per N places
        total = np.zeros(digits.shape[:-1], object)
        for j in reversed(range(len(exponents))):
            total = total * self.base + digits[..., j]
        unit = Fraction(self.base) ** -low / scale
        return np.asarray(np.frompyfunc(lambda x: float(x * unit), 1, 1)(total), np.float64)

    def digits(self, x: np.ndarray) -> np.ndarray:
        """Return the digits of whole numbers, lowest first, shape (..., n)."""
        rest, signs = np.abs(x), np.sign(x)
        rows: list[np.ndarray] = []
        while rest.any() or not rows:
            rows.append(rest % self.base)
            rest = rest // self.base
        return np.stack([(r * signs).astype(np.int64) for r in rows], axis=-1)

    def signed_powers(self, factor: float) -> list[tuple[int, int]]:
        """Return (digit, place) pairs, few of them, with sum digit * base^place = factor up to one part in 1024.

        A power of the base is one pair.  In base 2 the digits are -1 and 1, no two of them neighbours.

        >>> from encnn.schemes.rings.rns import ring
        >>> encoder = FractionalEncoder(ring(16, (97,)), 4)
        >>> encoder.signed_powers(0.125), encoder.signed_powers(0.875)
        ([(1, -3)], [(-1, -3), (1, 0)])
        """
        numerator, places = _nearby(Fraction(factor), self.base)
        return list(self._sparse_digits(numerator, places))

    def _sparse_digits(self, x: int, place: int) -> Iterator[tuple[int, int]]:
        while x:
            digit = x % self.base
            if self.base == 2:
                digit = 2 - x % 4 if digit else 0
            elif 2 * digit > self.base:
                digit -= self.base
            if digit:
                yield digit, place
            x, place = (x - digit) // self.base, place + 1


class IntegerEncoder(FractionalEncoder):
    """Whole numbers by their digits: the fractional encoder without digits after the point.

    >>> from encnn.schemes.rings.rns import ring
    >>> encoder = IntegerEncoder(ring(16, (97,)), base=2)
    >>> encoder.polynomials(encoder.encode(np.array([6.0])))[0, 0, :4]
    array([0, 1, 1, 0], dtype=uint64)
    """

    def __init__(self, ring: Ring, base: int = 2) -> None:
        super().__init__(ring, 0, base)


FACTOR_ERROR = Fraction(1, 1024)
"""Plain factors that are no short binary fractions are rounded to this relative error."""


def _nearby(x: Fraction, base: int) -> tuple[int, int]:
    """Return (n, -k) with the smallest k for which |n base^-k - x| <= |x| / 1024."""
    k = 0
    while abs(Fraction(round(x * base**k), base**k) - x) > FACTOR_ERROR * abs(x):
        k += 1
    return round(x * base**k), -k


def dyadic(factor: np.ndarray) -> tuple[np.ndarray, int]:
    """Return whole n and the smallest k with n / 2^k = factor, each up to one part in 1024 (0 for short binary fractions).

    >>> dyadic(np.array([0.25, 0.5]))
    (array([1, 2]), 2)
    """
    exact = [Fraction(float(f)) for f in factor.ravel()]
    k = max((-_nearby(f, 2)[1] for f in exact), default=0)
    n = np.array([round(f * 2**k) for f in exact], object)
    if max((abs(x) for x in n), default=0) >= 1 << 62:
        raise ParameterError(
            f"plain factors from {min(map(abs, exact))} to {max(map(abs, exact))} do not share a scale of 62 bits"
        )
    return n.astype(np.int64).reshape(factor.shape), k


def _quotients(x: np.ndarray, scale: int) -> np.ndarray:
    """Return x / scale as float64; Python divides whole numbers of any size correctly."""
    return np.asarray(np.frompyfunc(lambda i: i / scale, 1, 1)(x), np.float64)


def _check_width(width: int, largest: int) -> None:
    if not 1 <= width <= largest:
        raise ParameterError(f"a plaintext holds vectors of 1 to {largest} numbers, not of {width}; raise N or cut the vectors")
