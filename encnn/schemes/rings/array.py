"""Arrays of ring ciphertexts, and the operations that need no key: additions and plain factors.

A ciphertext is one polynomial or more (`parts`) of Z_q[X]/(X^N + 1).  FV has c_0 + c_1 s, YASHE f c, for which

    (t / q) (c_0 + c_1 s) = m + v + t a        (t / q) f c = m + v + t a

with a plaintext m, a polynomial a of whole numbers, and the invariant noise v: m can be read as long as |v| < 1/2.

There is no division, so scales multiply.  An array carries its scale.  Before arrays of different scales are added, one is
multiplied by the quotient of the scales, which costs as many bits of plaintext and noise as the quotient has.  `Bounds` follows
plaintext and noise in the worst case.  An operation raises `CiphertextOverflowError` if its result could not be decrypted.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from encnn.errors import CapabilityError, CiphertextOverflowError, KeyMismatchError, ParameterError
from encnn.schemes.base import KeyContext
from encnn.schemes.encoders import FractionalEncoder, Plaintext, dyadic
from encnn.schemes.rings.parameters import RingParameters
from encnn.schemes.rings.rns import rescaling

SLACK_LIMIT = 2.0**32
"""Entries of unreduced sums stay below 2^32 * 2^30, within int64."""
BLOCK = 8
"""Number of ciphertexts that are handled together where there are many."""


RingContext = KeyContext[RingParameters]


@dataclass(frozen=True)
class Bounds:
    """What is publicly known of the plaintexts of an array."""

    scale: int  # integer plaintext of 1.0
    magnitude: float  # bound on |x| (numbers times the scale) or on |digit|
    noise: float  # bound on the invariant noise |v|
    low: int = 0  # fractional encoding only: digits go from base^-low
    high: int = 0  # to base^high
    degree: int = 1  # power of the key of the ciphertexts; 2 for products that were not relinearised

    def plus(self, other: "Bounds", weight: float = 1.0) -> "Bounds":
        """Return the bounds of a + f b with |f| <= weight, for arrays of one scale."""
        magnitude, noise = self.magnitude + weight * other.magnitude, self.noise + weight * other.noise
        low, high = max(self.low, other.low), max(self.high, other.high)
        return replace(self, magnitude=magnitude, noise=noise, low=low, high=high)

    def either(self, other: "Bounds") -> "Bounds":
        """Return bounds that hold for both, of one scale."""
        wider = self.plus(other, 0.0)
        return replace(wider, magnitude=max(self.magnitude, other.magnitude), noise=max(self.noise, other.noise))

    def times(self, weight: float) -> "Bounds":
        """Return the bounds of f a with |f| <= weight."""
        return replace(self, magnitude=weight * self.magnitude, noise=weight * self.noise)

    def at_scale(self, scale: int) -> "Bounds":
        """Return the bounds of the same numbers at a multiple of the scale."""
        return replace(self.times(scale / self.scale), scale=scale)

    def shifted(self, places: int) -> "Bounds":
        """Return the bounds of base^places a."""
        return replace(self, low=self.low - places, high=self.high + places)

    def check(self, p: RingParameters, operation: str) -> "Bounds":
        """Return these bounds; raise `CiphertextOverflowError` if a plaintext might no longer be readable."""
        if not self.magnitude < p.t / 2:
            what = f"plaintexts could reach {self.magnitude:.3g}, the plaintext modulus allows {p.t / 2:.3g}"
        elif not self.noise < 0.5:
            what = f"noise could use up the budget ({-math.log2(2 * self.noise):.1f} bits left)"
        elif self.low + self.high >= p.N:
            what = (
                f"digits from base^-{self.low} to base^{self.high} would overlap in {p.N} coefficients: fractions meet integers"
            )
        else:
            return self
        raise CiphertextOverflowError(
            f"scheme {p.scheme!r} with {p.name!r} cannot do one more {operation}: {what}. Let the owner refresh the array, "
            "take fewer steps, or use larger parameters; the scheme 'integer_vector' without a modulus can divide ciphertexts, "
            "and schemes with bootstrapping need no refresh"
        )


class RingArray:
    """Ciphertexts as int64 residues of shape (..., parts, k, N), standing for real vectors of shape (..., width).

    In the fractional encoding every number is a ciphertext, so the axis of the vector stands before those of the ciphertext.
    `+`, `-` work with another array of the same key and with plain numbers; `*` and `/` with plain numbers or shape (B, 1).
    slack: entries are below slack * 2^30 in size; they are residues where it is 1.
    """

    __slots__ = ("_slack", "_width", "bounds", "context", "data")
    __array_ufunc__ = None  # makes numpy leave plain array + ciphertexts to `__radd__`

    def __init__(self, data: np.ndarray, context: RingContext, width: int, bounds: Bounds, slack: float = 1.0) -> None:
        self.data, self.context, self.bounds = data.view(np.int64), context, bounds
        self._width, self._slack = width, slack

    @property
    def parameters(self) -> RingParameters:
        """The parameter set."""
        return self.context.parameters

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the vectors it stands for, (..., width)."""
        counts = self.data.shape[:-3]
        return counts if self.parameters.encoder.per_number else (*counts, self._width)

    @property
    def width(self) -> int:
        """Length of the vectors."""
        return self._width

    @property
    def nbytes(self) -> int:
        """Bytes of the ciphertexts in memory."""
        return self.data.nbytes

    @property
    def ciphertexts(self) -> int:
        """The number of ciphertexts."""
        return math.prod(self.data.shape[:-3])

    @property
    def scale(self) -> int:
        """The integer plaintext per 1.0."""
        return self.bounds.scale

    @property
    def noise_budget_bits(self) -> float:
        """Guaranteed bits left, by the predicted noise: -log2(2 |v|)."""
        return -math.log2(2 * self.bounds.noise) if self.bounds.noise else math.inf

    @property
    def plaintext_budget_bits(self) -> float:
        """Guaranteed bits left before a number could reach t / 2."""
        return math.log2(self.parameters.t / 2 / max(self.bounds.magnitude, 1.0))

    def __len__(self) -> int:
        """Return the length of the first axis."""
        return self.shape[0]

    def __repr__(self) -> str:
        """Show shape, parameters and budget, never entries."""
        return (
            f"RingArray(shape={self.shape}, parameters={self.parameters.name!r}, log2 scale={math.log2(self.scale):g}, "
            f"noise budget>={self.noise_budget_bits:.0f} bits, plaintext budget>={self.plaintext_budget_bits:.0f} bits)"
        )

    def __getitem__(self, rows: int | slice | np.ndarray | None) -> "RingArray":
        """Return some of the vectors, along the first axis."""
        return RingArray(self.data[rows], self.context, self._width, self.bounds, self._slack)

    def copy(self) -> "RingArray":
        """Return an array with its own ciphertexts."""
        return RingArray(self.data.copy(), self.context, self._width, self.bounds, self._slack)

    def residues(self) -> np.ndarray:
        """Return the ciphertexts as uint64 residues; reduces them in place where sums were left unreduced."""
        if self._slack > 1:
            np.mod(self.data, self.parameters.cipher_ring.p.astype(np.int64), out=self.data)
            self._slack = 1.0
        return self.data.view(np.uint64)

    def __neg__(self) -> "RingArray":
        """Return -v."""
        ring = self.parameters.cipher_ring
        return self.like(ring.subtract(np.zeros(1, np.uint64), self.residues()), self.bounds)

    def __add__(self, other: "RingArray | np.ndarray | float") -> "RingArray":
        """Return the sum; noises add, after the array of smaller scale is multiplied up."""
        if not isinstance(other, RingArray):
            return self._add_plain(other)
        a, b = self.at_common_scale(other)
        bounds = a.bounds.plus(b.bounds).check(self.parameters, "addition")
        return a.like(self.parameters.cipher_ring.add(a.residues(), b.residues()), bounds)

    __radd__ = __add__

    def __sub__(self, other: "RingArray | np.ndarray | float") -> "RingArray":
        """Return the difference; noises add."""
        if not isinstance(other, RingArray):
            return self._add_plain(-other)
        a, b = self.at_common_scale(other)
        bounds = a.bounds.plus(b.bounds).check(self.parameters, "subtraction")
        return a.like(self.parameters.cipher_ring.subtract(a.residues(), b.residues()), bounds)

    def __rsub__(self, other: np.ndarray | float) -> "RingArray":
        """Return plain - v."""
        return (-self)._add_plain(other)

    def __mul__(self, factor: float | np.ndarray) -> "RingArray":
        """Return factor * v, without any key.

        In fixed point the factor n / 2^k gives n v at 2^k times the scale; a power of two changes the scale and no ciphertext.
        In the fractional encoding the result is a sum of shifted polynomials, one per digit of the factor, so a power of two is
        a shift and adds no noise.  Other factors are rounded to one part in 1024.
        """
        if isinstance(factor, RingArray):  # type: ignore[unreachable]
            raise CapabilityError("a product of two ciphertexts needs an evaluation key: use evaluator.multiply(a, b)")
        f = np.asarray(factor, np.float64)
        if f.ndim and f.shape[-1] != 1:
            raise ParameterError(
                f"a plain factor of shape {f.shape} is not one number per ciphertext; give it shape (..., 1), or multiply "
                "entries by different numbers with evaluator.multiply_entries"
            )
        if isinstance(self.parameters.encoder, FractionalEncoder):
            return self._times_digits(f, self.parameters.encoder)
        n, k = dyadic(f)
        return self._times_whole(n).relabelled(k)

    __rmul__ = __mul__

    def __truediv__(self, divisor: float | np.ndarray) -> "RingArray":
        """Return v / divisor, for plain numbers."""
        return self * (1.0 / np.asarray(divisor, np.float64))

    def relabelled(self, k: int) -> "RingArray":
        """Return v / 2^k: the same ciphertexts, at 2^k times the scale."""
        return self.like(self.residues(), replace(self.bounds, scale=self.bounds.scale << k))

    def like(self, data: np.ndarray, bounds: Bounds, slack: float = 1.0) -> "RingArray":
        """Return an array with other ciphertexts, of the same key and width."""
        return RingArray(data, self.context, self._width, bounds, slack)

    def at_common_scale(self, other: "RingArray") -> tuple["RingArray", "RingArray"]:
        """Return both arrays at the larger of their scales, after checking that they belong together."""
        self.check_same_key(other)
        scale = max(self.scale, other.scale)
        return self.at_scale(scale), other.at_scale(scale)

    def at_scale(self, scale: int) -> "RingArray":
        """Return the same numbers at a larger scale; noise and plaintext grow by the quotient."""
        if scale == self.scale:
            return self
        bounds = self.bounds.at_scale(scale).check(self.parameters, "change of scale")
        return self.like(self.parameters.cipher_ring.scale(self.residues(), scale // self.scale), bounds)

    def replace(self, other: "RingArray") -> None:
        """Take the ciphertexts and bounds of another array in place of these."""
        self.data, self.bounds, self._slack = other.data, other.bounds, other._slack

    def rescale(self, scale: int) -> None:
        """Become `at_scale(scale)` in place, row by row, because new memory of the size of all weights would cost more."""
        bounds = self.bounds.at_scale(scale).check(self.parameters, "change of scale")
        ring = self.parameters.cipher_ring
        factors = ring.constant(scale // self.scale)
        for row in self.residues():
            np.multiply(row, factors, out=row)
            np.remainder(row, ring.p, out=row)
        self.bounds = bounds

    def check_same_key(self, other: "RingArray") -> None:
        """Raise `KeyMismatchError` unless both arrays belong to one key, `ParameterError` if only one is an open product."""
        if self.context is not other.context and self.context != other.context:
            raise KeyMismatchError(
                f"ciphertexts of key {self.context.key_id} and of key {other.context.key_id} do not combine; encrypt both "
                "under one key"
            )
        if self.bounds.degree != other.bounds.degree:
            raise ParameterError("one of the arrays is a product that was not relinearised; call evaluator.relinearise first")

    def _add_plain(self, plain: np.ndarray | float) -> "RingArray":
        p = self.parameters
        v = np.broadcast_to(np.asarray(plain, np.float64), self.shape)
        encoded = p.encoder.encode(v, self.scale)
        added = Bounds(self.scale, encoded.magnitude, p.plain_noise, encoded.low, encoded.high)
        bounds = self.bounds.plus(added).check(p, "addition")
        data = self.residues().copy()
        top = data[..., 0, :, :]
        top[..., encoded.columns] = p.cipher_ring.add(top[..., encoded.columns], scaled_up(p, encoded))
        return self.like(data, bounds)

    def _times_whole(self, n: np.ndarray) -> "RingArray":
        largest = float(np.abs(n).max(initial=0))
        bounds = self.bounds.times(largest).check(self.parameters, "product with a plain number")
        if n.size == 1 and n.item() == 1:
            return self.like(self.residues(), bounds)
        ring = self.parameters.cipher_ring
        factors = ring.residues(n.reshape(*n.shape, 1) if n.ndim == 0 else n)[..., None, :, :]
        return self.like(self.residues() * factors % ring.p, bounds)

    def _times_digits(self, f: np.ndarray, encoder: FractionalEncoder) -> "RingArray":
        if f.size == 1:
            return self._times_powers(encoder.signed_powers(f.item()))
        rows = [self[r]._times_powers(encoder.signed_powers(x)) for r, x in enumerate(f.ravel())]
        bounds = rows[0].bounds
        for row in rows[1:]:
            bounds = bounds.either(row.bounds)
        return self.like(np.stack([row.residues() for row in rows]), bounds)

    def _times_powers(self, powers: list[tuple[int, int]]) -> "RingArray":
        """Return the sum of digit * base^place * v over (digit, place) pairs."""
        if not powers:
            return self._times_whole(np.array(0))
        ring, parts = self.parameters.cipher_ring, []
        for digit, place in powers:
            moved = ring.shift(self.residues(), place)
            data = moved if digit == 1 else ring.scale(moved, digit)
            parts.append(self.like(data, self.bounds.shifted(place).times(abs(digit))))
        bounds = reduce(Bounds.plus, (part.bounds for part in parts)).check(self.parameters, "product with a plain number")
        return self.like(reduce(ring.add, (part.residues() for part in parts)), bounds)


def scaled_up(p: RingParameters, plain: Plaintext) -> np.ndarray:
    """Return round(q m / t) modulo the primes of q, at the columns of the plaintext: what encryption adds to a mask."""
    return rescaling(p.plain_ring, p.cipher_ring, p.q)(plain.residues)


def join(arrays: Sequence[RingArray]) -> RingArray:
    """Return the arrays joined along their first axis, at the largest of their scales, with the largest of their bounds."""
    first = arrays[0]
    for other in arrays[1:]:
        first.check_same_key(other)
    scale = max(a.scale for a in arrays)
    level = [a.at_scale(scale) for a in arrays]
    bounds = reduce(Bounds.either, (a.bounds for a in level))
    return first.like(np.concatenate([a.residues() for a in level]), bounds)


def blocks(count: int) -> list[slice]:
    """Return slices that cover `count` items, `BLOCK` at a time, so that intermediate results stay in the cache."""
    return [slice(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK)]


def encrypted(context: RingContext, v: np.ndarray, zeros: Callable[[tuple[int, ...]], np.ndarray], noise: float) -> RingArray:
    """Return encryptions of zero plus round(q m / t) for the plaintexts m of real vectors v."""
    p = context.parameters
    largest = float(np.abs(v).max(initial=0.0))
    if not largest <= p.value_limit:
        raise ParameterError(
            f"a number reaches {largest:.3g}, but fresh ciphertexts of {p.name!r} hold up to {p.value_limit}; use smaller "
            "numbers or parameters.updated(value_limit=...)"
        )
    plain = p.encoder.encode(v, p.scale)
    counts = v.shape if p.encoder.per_number else v.shape[:-1]
    data = np.concatenate([zeros((rows.stop - rows.start,)) for rows in blocks(math.prod(counts))])
    data = data.reshape(*counts, *data.shape[1:])
    top = data[..., 0, :, :]
    top[..., plain.columns] = p.cipher_ring.add(top[..., plain.columns], scaled_up(p, plain))
    bounds = Bounds(p.scale, p.fresh_magnitude, noise, p.fraction_digits, p.fresh_high)
    return RingArray(data, context, v.shape[-1], bounds)
