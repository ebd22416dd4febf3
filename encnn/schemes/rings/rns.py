"""Polynomials of Z_q[X]/(X^N + 1), q = p_1 ... p_k: residues modulo each prime, uint64 of shape (..., k, N).

Sums and products are computed for each prime by itself.  Three operations mix the primes, and all three are exact:

- The **centred lift** of x is the whole number in (-q/2, q/2) with these residues.  It is x = sum_i x'_i q / p_i - v q with
  x'_i = x_i (q / p_i)^-1 mod p_i and v = round(sum_i x'_i / p_i).
- The **conversion** to other primes is the same formula modulo the new primes.  v comes from floating point [HPS19].  Where the
  sum is so near to a half that rounding errors could decide, v is computed with Python's whole numbers.
- **Scaling** by t / q: let r be the centred lift of t x mod q.  Then t x - r is a multiple of q, so round(t x / q) =
  (t x - r) / q modulo primes that do not divide q.  No fraction appears.

[HPS19] S. Halevi, Y. Polyakov, V. Shoup, "An improved RNS variant of the BFV homomorphic encryption scheme", CT-RSA 2019.
"""

import math
from functools import cache

import numpy as np

from encnn.errors import ParameterError
from encnn.schemes.rings.compiled import NEAR_HALF, available, compiled, convert_loop, products_loop, reduce_loop, split_loop
from encnn.schemes.rings.ntt import shoup, transform

MAX_TERMS = 16
"""Number of products of residues that can be added before they are reduced: 16 (2^30 - 1)^2 + 16 * 2^30 < 2^64."""


class Ring:
    """Z_q[X]/(X^N + 1) with q the product of `primes`; `ring` makes each one once."""

    def __init__(self, N: int, primes: tuple[int, ...]) -> None:
        if not 1 <= len(primes) <= MAX_TERMS:
            raise ParameterError(
                f"a modulus is a product of 1 to {MAX_TERMS} primes, not of {len(primes)}; take fewer or larger ones"
            )
        self.N, self.primes, self.q = N, primes, math.prod(primes)
        self.ntt = transform(N, primes)
        self.p = np.array(primes, np.uint64)[:, None]

    def __repr__(self) -> str:
        """Show the dimension and the size of q."""
        return f"Ring(N={self.N}, {len(self.primes)} primes, log2 q={math.log2(self.q):.1f})"

    @property
    def k(self) -> int:
        """The number of primes."""
        return len(self.primes)

    # -- in and out

    def residues(self, x: np.ndarray) -> np.ndarray:
        """Return the residues of whole numbers x (int64 or Python integers), shape (..., n) -> (..., k, n)."""
        if x.dtype != object:
            return np.mod(x[..., None, :], self.p.astype(np.int64)).view(np.uint64)
        return np.stack([np.mod(x, p).astype(np.uint64) for p in self.primes], axis=-2)

    def lift(self, x: np.ndarray) -> np.ndarray:
        """Return the centred whole numbers of residues, as Python integers: shape (..., k, n) -> (..., n)."""
        total: np.ndarray = np.zeros((*x.shape[:-2], x.shape[-1]), object)
        for i, p in enumerate(self.primes):
            rest = self.q // p
            total = total + x[..., i, :].astype(object) * (rest * pow(rest, -1, p) % self.q)
        total = total % self.q
        return np.where(total > self.q // 2, total - self.q, total)

    # -- arithmetic; all results are reduced

    def add(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return a + b."""
        total = a + b  # if total - p is negative, it wraps around to a large number, so the minimum is the reduced sum
        return np.minimum(total, total - self.p)

    def subtract(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return a - b."""
        difference = a - b
        return np.minimum(difference, difference + self.p)

    def scale(self, a: np.ndarray, factor: int) -> np.ndarray:
        """Return factor * a for a whole number."""
        return a * self.constant(factor) % self.p

    def constant(self, factor: int) -> np.ndarray:
        """Return the residues of a whole number, shape (k, 1)."""
        return np.array([factor % p for p in self.primes], np.uint64)[:, None]

    def multiply(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return the product of polynomials, modulo X^N + 1."""
        return self.ntt.inverse(self.ntt.forward(a) * self.ntt.forward(b) % self.p)

    def sum_products(self, a: np.ndarray, b: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Return sum_i a[i] b[i], entry by entry, for at most 16 terms.

        Shapes (terms, k, n) and (terms, ..., k, n) -> (..., k, n).  out: an array to write them to.
        """
        if a.ndim != 3 or not 1 <= len(a) <= MAX_TERMS or a.shape[1] != self.k or a.shape != (*b.shape[:1], *b.shape[-2:]):
            raise ParameterError(
                f"products of {a.shape} and {b.shape}: expected (at most {MAX_TERMS}, {self.k}, n) and the same, with any axes "
                "after the first one"
            )
        out = np.empty(b.shape[1:], np.uint64) if out is None else out
        if not available():
            return np.remainder(np.einsum("ikn,i...kn->...kn", a, b), self.p, out=out)
        sums = out.reshape(-1, *a.shape[1:])
        compiled(products_loop)(sums, np.ascontiguousarray(a), np.ascontiguousarray(b).reshape(len(a), *sums.shape))
        compiled(reduce_loop)(sums, self.p[:, 0])
        return out

    def inverse(self, a: np.ndarray) -> np.ndarray | None:
        """Return 1 / a, or None if a is zero at some root and so has no inverse; shape (k, N)."""
        values = self.ntt.forward(a)
        if not values.all():
            return None
        inverses = [_inverses(row, p) for row, p in zip(values, self.primes, strict=True)]
        return self.ntt.inverse(np.stack(inverses))

    # -- permutations of the coefficients

    def shift(self, a: np.ndarray, k: int) -> np.ndarray:
        """Return X^k a for any whole k; X^-1 = -X^(N-1)."""
        turns, k = divmod(k, self.N)
        moved = np.empty_like(a)
        wrapped, others = moved[..., :k], moved[..., k:]
        wrapped[...], others[...] = a[..., self.N - k :], a[..., : self.N - k]
        negative = others if turns % 2 else wrapped
        np.subtract(self.p, negative, out=negative, where=negative != 0)
        return moved

    def automorphism(self, a: np.ndarray, g: int) -> np.ndarray:
        """Return a(X^g) for an odd g."""
        source = np.arange(self.N) * pow(g, -1, 2 * self.N) % (2 * self.N)
        moved = np.take(a, source % self.N, axis=-1)
        return np.where((source >= self.N) & (moved != 0), self.p - moved, moved)


class BaseConversion:
    """The exact map from x modulo q, and y modulo the target's primes, to gain * lift(times * x mod q) + own * y modulo these.

    The plain conversion has all three at their defaults.  They are whole numbers.
    """

    def __init__(self, source: Ring, target: Ring, times: int = 1, gain: int = 1, own: int = 0) -> None:
        self.source, self.target = source, target
        # q / p_i, their inverses modulo p_i and their residues modulo the new primes depend on the rings only
        self._rests = rests = [source.q // p for p in source.primes]
        inverses = [times * pow(r, -1, p) % p for r, p in zip(rests, source.primes, strict=True)]
        self._inverses = shoup(np.array(inverses, np.uint64), source.p)
        self._factors = np.array([[gain * r % p for r in rests] for p in target.primes], np.uint64)
        self._multiples, self._own = target.constant(-gain * source.q), target.constant(own)

    def __call__(self, x: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
        """Return the residues modulo the target's primes: shape (..., k, n), and of y (..., k', n) -> (..., k', n)."""
        shape = (*x.shape[:-2], self.target.k, *x.shape[-1:])
        if x.ndim < 2 or x.shape[-2] != self.source.k or (y is not None and (y.shape != shape or self.source.k == MAX_TERMS)):
            raise ParameterError(
                f"residues have shapes {x.shape} and {getattr(y, 'shape', None)}, expected (..., {self.source.k}, n), and "
                f"(..., {self.target.k}, n) or nothing; sources of {MAX_TERMS} primes take nothing"
            )
        if not available():
            return self._by_numpy(x, y)
        out, few = np.empty(shape, np.uint64), x.shape[-2:]
        sums, rows = out.reshape(-1, *shape[-2:]), np.ascontiguousarray(x, np.uint64).reshape(-1, *few)
        # rows of y, or arrays without any
        own = (
            np.empty((len(rows), 0, few[1]), np.uint64) if y is None else np.ascontiguousarray(y, np.uint64).reshape(sums.shape)
        )
        parts, v = np.empty(few, np.uint64), np.empty(few[1], np.uint64)  # for all rows: new memory would cost more
        for x_row, y_row, total in zip(rows, own, sums, strict=True):
            if compiled(split_loop)(parts, v, x_row, *self._inverses, self.source.p[:, 0]):
                v[:] = self._multiples_of(parts)
            compiled(convert_loop)(total, parts, v, self._factors, self._multiples[:, 0], y_row, self._own[:, 0])
        compiled(reduce_loop)(sums, self.target.p[:, 0])
        return out

    def _by_numpy(self, x: np.ndarray, y: np.ndarray | None) -> np.ndarray:
        """Return the same, computed by numpy."""
        parts = x * self._inverses[0][:, None] % self.source.p  # x'_i: then x = sum_i x'_i q / p_i modulo q
        sums = np.matmul(self._factors, parts)  # that sum modulo the new primes is x + v q, not x
        sums += self._multiples * self._multiples_of(parts)[..., None, :]
        return (sums if y is None else sums + self._own * y) % self.target.p

    def _multiples_of(self, parts: np.ndarray) -> np.ndarray:
        """Return v = round(sum_i parts_i / p_i), shape (..., n)."""
        # the sum divided by q is sum_i x'_i / p_i, at most k: float64 has far more bits than v needs
        quotients = (parts / self.source.p.astype(np.float64)).sum(axis=-2)
        v = np.rint(quotients)
        # near a half, x is near +-q / 2, and float64's error could round to the wrong side: decide these few exactly
        for place in zip(*np.nonzero(np.abs(np.abs(quotients - v) - 0.5) < NEAR_HALF), strict=True):
            v[place] = self._exact_multiple(parts[(*place[:-1], slice(None), place[-1])])
        return v.astype(np.uint64)

    def _exact_multiple(self, parts: np.ndarray) -> int:
        total = sum(int(x) * rest for x, rest in zip(parts, self._rests, strict=True))
        return (2 * total + self.source.q) // (2 * self.source.q)


@cache
def ring(N: int, primes: tuple[int, ...]) -> Ring:
    """Return the ring; it is made at the first call."""
    return Ring(N, primes)


@cache
def base_conversion(source: Ring, target: Ring) -> BaseConversion:
    """Return the conversion; it is made at the first call."""
    return BaseConversion(source, target)


@cache
def rescaling(source: Ring, target: Ring, t: int) -> BaseConversion:
    """Return the map x -> round(t x / q) for a whole number t; it is made at the first call.

    It takes x modulo q.  It also takes x modulo the target's primes, unless t is a multiple of the target's modulus.
    """
    # with r the centred lift of t x mod q, t x - r is a multiple of q: dividing is a product with 1 / q modulo each new prime
    inverse = pow(source.q, -1, target.q)
    return BaseConversion(source, target, times=t, gain=-inverse, own=t * inverse)


def _inverses(a: np.ndarray, p: int) -> np.ndarray:
    """Return a^(p - 2) modulo p, entry by entry: the inverses, by Fermat's little theorem."""
    result, power, exponent = np.ones_like(a), a, p - 2
    while exponent:
        if exponent & 1:
            result = result * power % np.uint64(p)
        power = power * power % np.uint64(p)
        exponent >>= 1
    return result
