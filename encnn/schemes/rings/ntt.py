"""The negacyclic number-theoretic transform: values of a polynomial at the N roots of X^N + 1, modulo several primes at once.

Let psi have order 2 N modulo p.  Then X^N + 1 = prod_j (X - psi^e_j) with e_j = 2 rev(j) + 1 (rev reverses the bits of j), and

    forward(a)_j = a(psi^e_j)     inverse(forward(a)) = a     forward(a b mod X^N + 1) = forward(a) forward(b), entry by entry.

Stage m = 1, 2, 4, ... of the forward transform splits m blocks into 2 m [LN16]: (u, v) -> (u + s v, u - s v), where s is one
power of psi per block.  numpy is fast on long vectors, so the stages here keep the block index *innermost* (Pease's constant
geometry).  Each stage takes the first and the second half of the array and interleaves the results; the final order is the
same.  The compiled loops keep the block index innermost in the late stages only, on a transposed array.  Factors are applied
without division, and sums are only reduced below 4 p [Har14] (see `compiled`).

[LN16] P. Longa, M. Naehrig, "Speeding up the number theoretic transform for faster ideal lattice-based cryptography", CANS
2016.
"""

from functools import cache, cached_property

import numpy as np

from encnn.errors import ParameterError
from encnn.schemes.rings.compiled import available, compiled, forward_loop, inverse_loop
from encnn.schemes.rings.primes import check_primes, root_of_unity

_32 = np.uint64(32)

NEIGHBOURS = 16
"""Stages that combine numbers fewer than this many places apart are the late ones (see `compiled.forward_loop`)."""


class Transform:
    """The transform of dimension N, a power of two, modulo the given primes; `transform` makes each one once."""

    def __init__(self, N: int, primes: tuple[int, ...]) -> None:
        if N < 4 or N & (N - 1):
            raise ParameterError(f"the dimension is {N}; it must be a power of two, 4 or more")
        check_primes(N, primes)
        self.N, self.primes = N, primes
        self._p = np.array(primes, np.uint64)
        # powers of psi in bit-reversed order: stage m then reads its m factors as the run m .. 2 m - 1
        roots = [root_of_unity(p, 2 * N) for p in primes]
        order = bit_reversal(N)
        pairs = list(zip(roots, primes, strict=True))
        self._w, self._shoup = shoup(np.array([_powers(root, N, p)[order] for root, p in pairs]), self._p)
        powers = np.array([_powers(pow(root, -1, p), N, p)[order] for root, p in pairs])
        self._w_inverse, self._shoup_inverse = shoup(powers, self._p)
        self._last, self._last_shoup = shoup(np.array([[pow(N, -1, p)] for p in primes], np.uint64), self._p)
        # what the compiled loops take: factors of all stages, and again those of the late stages as these need them
        self._tables, self._tables_inverse = (
            (w, w_shoup, _late(w), _late(w_shoup))
            for w, w_shoup in ((self._w, self._shoup), (self._w_inverse, self._shoup_inverse))
        )

    @cached_property
    def exponents(self) -> np.ndarray:
        """The exponents e_j of psi at which `forward` evaluates, shape (N,)."""
        return 2 * bit_reversal(self.N) + 1

    def forward(self, a: np.ndarray, overwrite: bool = False) -> np.ndarray:
        """Return the values of polynomials a, residues below p of shape (..., k, N); the result has the same shape, uint64.

        overwrite: a is not needed any more, and its memory may be used, since new memory costs more than a transform.
        """
        if not available():
            return self.forward_numpy(a)
        x = self._checked(a, overwrite)
        compiled(forward_loop)(x.reshape(-1, *x.shape[-2:]), self._p, self._tables)
        return x

    def inverse(self, values: np.ndarray, overwrite: bool = False) -> np.ndarray:
        """Return the polynomials with these values, shape (..., k, N)."""
        if not available():
            return self.inverse_numpy(values)
        x = self._checked(values, overwrite)
        rows = x.reshape(-1, *x.shape[-2:])
        compiled(inverse_loop)(rows, self._p, self._tables_inverse, self._last[:, 0], self._last_shoup[:, 0])
        return x

    def _checked(self, a: np.ndarray, overwrite: bool) -> np.ndarray:
        """Return a copy to transform in place, or a itself; check its shape, since compiled loops rely on it."""
        if np.shape(a)[-2:] != (len(self.primes), self.N):
            raise ParameterError(f"residues have shape {np.shape(a)}, expected (..., {len(self.primes)}, {self.N})")
        return np.array(a, np.uint64, order="C", copy=None if overwrite else True)

    def forward_numpy(self, a: np.ndarray) -> np.ndarray:
        """Return the same as `forward`, computed by numpy."""
        x, p = np.array(a, np.uint64, order="C"), self._p[:, None]
        y, half = np.empty_like(x), self.N // 2
        for s, s_shoup in self._stages:
            u, v = x[..., :half], x[..., half:]
            # u < 4 p becomes u < 2 p: a negative difference wraps around to a large number, so the minimum is right
            u = np.minimum(u, u - 2 * p)
            v = _times(v, s, s_shoup, p)  # below 2 p for any v < 2^32, so v needs no reduction
            np.add(u, v, out=y[..., 0::2])
            np.add(u, 2 * p - v, out=y[..., 1::2])  # 2 p keeps it positive; both sums are below 4 p < 2^32
            x, y = y, x  # numpy cannot interleave in place, so two arrays take turns
        x = np.minimum(x, x - 2 * p)  # full reduction only here, after the last stage
        return np.minimum(x, x - p)

    def inverse_numpy(self, values: np.ndarray) -> np.ndarray:
        """Return the same as `inverse`, computed by numpy."""
        x, p = np.array(values, np.uint64, order="C"), self._p[:, None]
        y, half = np.empty_like(x), self.N // 2
        for s, s_shoup in self._inverse_stages:
            u, v = x[..., 0::2], x[..., 1::2]  # undoes the interleaving of the forward stage
            total = u + v
            np.minimum(total, total - 2 * p, out=y[..., :half])  # values stay below 2 p from stage to stage
            y[..., half:] = _times(u + (2 * p - v), s, s_shoup, p)  # the factor comes after the difference: stages inverted
            x, y = y, x
        # each stage gives twice what the forward stage took in, so the result is divided by N
        x = _times(x, self._last, self._last_shoup, p)
        return np.minimum(x, x - p)

    @cached_property
    def _stages(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """The factors of each stage and their floor(2^32 w / p), repeated to the full length N / 2."""
        return [self._stage(self._w, self._shoup, m) for m in _doubling(self.N)]

    @cached_property
    def _inverse_stages(self) -> list[tuple[np.ndarray, np.ndarray]]:
        return [self._stage(self._w_inverse, self._shoup_inverse, m) for m in reversed(_doubling(self.N))]

    def _stage(self, w: np.ndarray, w_shoup: np.ndarray, m: int) -> tuple[np.ndarray, np.ndarray]:
        blocks = slice(m, 2 * m)
        times = self.N // (2 * m)
        return np.tile(w[:, blocks], times), np.tile(w_shoup[:, blocks], times)


@cache
def transform(N: int, primes: tuple[int, ...]) -> Transform:
    """Return the transform; it is made at the first call."""
    return Transform(N, primes)


@cache
def bit_reversal(N: int) -> np.ndarray:
    """Return the numbers 0 .. N - 1 with their bits reversed.

    >>> bit_reversal(8)
    array([0, 4, 2, 6, 1, 5, 3, 7])
    """
    order = np.zeros(1, np.int64)
    for _ in range(N.bit_length() - 1):
        order = np.concatenate([2 * order, 2 * order + 1])
    return order


def shoup(factors: np.ndarray, primes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return factors below p, shape (k, ...), and floor(2^32 w / p) of each, which replaces the division in products modulo p.

    Both are uint32 (see `compiled`).
    """
    p = primes.reshape(-1, *(1,) * (factors.ndim - 1))
    return factors.astype(np.uint32), ((factors << _32) // p).astype(np.uint32)


def _late(w: np.ndarray) -> np.ndarray:
    """Return the factors of the last stages, shape (k, NEIGHBOURS - 1, blocks): a row for each s that block i splits with.

    Stage m = blocks h splits the 2 s-th and the next of the h parts of block i with the factor m + h i + s, s < h.
    """
    blocks = max(1, w.shape[1] // NEIGHBOURS)
    halves = _doubling(w.shape[1] // blocks)
    rows = [w[:, blocks * h : 2 * blocks * h].reshape(len(w), blocks, h).swapaxes(1, 2) for h in halves]
    return np.ascontiguousarray(np.concatenate(rows, axis=1))


def _times(x: np.ndarray, s: np.ndarray, s_shoup: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Return s x modulo p, in [0, 2 p), for x < 2^32: the quotient is estimated by s_shoup and is at most 1 too small."""
    quotient = x * s_shoup
    quotient >>= _32
    quotient *= p
    product = x * s
    product -= quotient
    return product


def _powers(root: int, count: int, p: int) -> np.ndarray:
    """Return root^0 .. root^(count - 1) modulo p, by doubling."""
    powers = np.ones(1, np.uint64)
    while len(powers) < count:
        powers = np.concatenate([powers, powers * np.uint64(pow(root, len(powers), p)) % np.uint64(p)])
    return powers


def _doubling(N: int) -> list[int]:
    return [1 << k for k in range(N.bit_length() - 1)]
