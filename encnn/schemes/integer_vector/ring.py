"""Masks with structure: one polynomial where the scheme has a matrix, for d fresh ciphertexts at the price of one.

Each fresh ciphertext c = [w x + e - T a ; a] needs a mask a of its own, d numbers.  Take instead, for d a power of two, one
random polynomial a in R = Z_q[X] / (X^d + 1), and let t in R have a row of T as its coefficients.  Coefficient i of the
product a t is an inner product with t,

    (a t)_i = <a^(i), t>,    a^(i) = (a_i, a_(i-1), ..., a_0, -a_(d-1), ..., -a_(i+1)),

so the d vectors a^(i), all read off one a, serve as d masks ("sample extraction" of TFHE [CGGI20]).  The samples (-a t + e, a)
are ring LWE [LPR10] instead of LWE: the assumption behind FV and CKKS, for which tables of parameters are published.
Nothing else in the scheme changes; what is extracted is an integer-vector ciphertext like any other.

Two uses, both for messages that would else be dominated by masks:

- `PadStream`, the owner's: -a t + e in advance, from a seed that is sent once for d answers.  A fresh encryption then takes one
  addition and one number on the wire.  A pad is used once: a second message under it would show the difference of both.
- `ZeroKey` and `ZeroStream`, anyone's: the public key (b, a) = (-a t + e, a) of [LPR10] gives encryptions of zero,
  (b u + e1, a u + e2) with u ternary; d of them are extracted from one.  Added to a ciphertext, one makes its mask random.

[LPR10] Lyubashevsky, Peikert, Regev, EUROCRYPT 2010 (ePrint 2012/230).  [CGGI20] Chillotti, Gama, Georgieva, Izabachene,
J. Cryptology 2020 (ePrint 2018/421).
"""

from dataclasses import dataclass

import numpy as np

from encnn.arithmetic.modular import centred
from encnn.arithmetic.sampling import Randomness
from encnn.errors import ParameterError
from encnn.schemes.integer_vector.keys import SecretKey
from encnn.schemes.integer_vector.parameters import Parameters

_LIMB_BITS = 27
"""Polynomials are cut into limbs so small that float64 transforms of length 2 d give products exactly (see `negacyclic`)."""
_LARGEST_D = 1 << 14


def check_ring(p: Parameters) -> None:
    """Raise `ParameterError` unless the parameters have a ring: a modulus, d a power of two, small keys, Gaussian noise."""
    if p.q_bits is None or p.sigma is None or p.d & (p.d - 1) or p.d > _LARGEST_D or p.T_bound > 1:
        raise ParameterError(
            f"{p.name!r} (d = {p.d}, log2 q = {p.q_bits}, |T| <= {p.T_bound}, sigma = {p.sigma}) has no ring masks: they need "
            f"a modulus, a power of two d <= {_LARGEST_D}, |T| <= 1 and Gaussian noise; use ADDITIVE_128 or COMPACT_128"
        )


def negacyclic(a: np.ndarray, small: np.ndarray, q_bits: int) -> np.ndarray:
    """Return the products a * small in Z[X] / (X^d + 1), modulo 2^q_bits, int64 of shape (..., d).

    a: int64 of shape (..., d), anything modulo 2^q_bits.  small: integers of shape (..., d), at most 1 in absolute value.
    Exact: coefficients of a limb's product stay below 2^41 for d <= 2^14, and the errors of the transforms far below 1/2.
    """
    d = a.shape[-1]
    small_transformed = np.fft.rfft(small, 2 * d)
    total = np.zeros(np.broadcast_shapes(a.shape, small.shape), np.int64)
    for shift in range(0, q_bits, _LIMB_BITS):
        limb = a >> np.int64(shift) & ((1 << _LIMB_BITS) - 1)
        product = np.rint(np.fft.irfft(np.fft.rfft(limb, 2 * d) * small_transformed, 2 * d)).astype(np.int64)
        total += (product[..., :d] - product[..., d:]) << np.int64(shift)
    return centred(total, q_bits)


def expand_polynomial(seed: bytes, p: Parameters) -> np.ndarray:
    """Return the polynomial a, int64 of shape (d,), uniform modulo q, that SHAKE-128 expands from a public seed."""
    return Randomness.from_public_seed(b"ring mask" + seed).words((p.d,), p.q_bits or 64)


class Rows:
    """The masks a^(i) of a polynomial a, all of them views of one array of 2 d numbers."""

    def __init__(self, a: np.ndarray, p: Parameters) -> None:
        backwards = centred(a, p.q_bits or 64)[::-1].astype(p.dtype)
        self._unrolled = np.concatenate([backwards, -backwards])
        self._windows = np.lib.stride_tricks.sliding_window_view(self._unrolled, p.d)

    def __getitem__(self, rows: slice) -> np.ndarray:
        """Return a^(i) for a range of i, shape (rows, d), read-only."""
        d = self._windows.shape[1]
        start, stop, _ = rows.indices(d)
        return self._windows[d - stop : d - start][::-1]


class PadStream:
    """The owner's supply of fresh masks for vectors of width m: pads k_i = -<T, a^(i)> + e, each given out once."""

    def __init__(self, secret: SecretKey, m: int, randomness: Randomness) -> None:
        check_ring(secret.parameters)
        self._secret, self._m, self._randomness = secret, m, randomness
        self._seed, self._next, self._pads = b"", secret.parameters.d, np.empty((0, m), np.int64)

    def take(self, count: int) -> tuple[bytes, int, np.ndarray]:
        """Return (seed, first, pads) of `count` <= d unused pads, int64 of shape (count, m): rows first, first + 1, ...

        A block that has too few left is dropped for a new one.
        """
        d = self._secret.parameters.d
        if not 1 <= count <= d:
            raise ParameterError(f"{count} pads were asked for at once; a block has {d}, so ask for 1 to {d}")
        if self._next + count > d:
            self._renew()
        first, self._next = self._next, self._next + count
        return self._seed, first, self._pads[first : first + count]

    def _renew(self) -> None:
        p = self._secret.parameters
        self._seed, self._next = self._randomness.token(), 0
        product = negacyclic(expand_polynomial(self._seed, p), self._secret.T(self._m), p.q_bits or 64)
        self._pads = np.ascontiguousarray((self._randomness.gaussian(p.sigma or 0.0, product.shape) - product).T)


@dataclass(frozen=True)
class ZeroKey:
    """The public key of ring LWE for vectors of width m: the seed of a, and b = -a t_k + e_k, int64 of shape (m, d)."""

    seed: bytes
    b: np.ndarray

    @property
    def nbytes(self) -> int:
        """Bytes of the key."""
        return len(self.seed) + self.b.nbytes


def make_zero_key(secret: SecretKey, m: int, randomness: Randomness) -> ZeroKey:
    """Return the public key from which anyone makes encryptions of zero under this secret key."""
    p = secret.parameters
    check_ring(p)
    seed = randomness.token()
    product = negacyclic(expand_polynomial(seed, p), secret.T(m), p.q_bits or 64)
    return ZeroKey(seed, centred(randomness.gaussian(p.sigma or 0.0, product.shape) - product, p.q_bits or 64))


def zero_noise(p: Parameters) -> float:
    """Return the largest noise of an encryption of zero: |e u| + |e1| + |t e2|."""
    return p.noise_bound * (2 * p.d + 1)


def zero_block(
    key: ZeroKey, p: Parameters, randomness: Randomness, a: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return d encryptions of zero: their first entries (m, d), and the polynomial (d,) of which `Rows` are their masks.

    a: the polynomial that the key's seed expands to, if it is at hand.
    """
    q_bits, sigma = p.q_bits or 64, p.sigma or 0.0
    u = randomness.integers(-1, 2, (p.d,))
    tops = np.stack([negacyclic(b, u, q_bits) for b in key.b]) + randomness.gaussian(sigma, key.b.shape)
    mask = negacyclic(expand_polynomial(key.seed, p) if a is None else a, u, q_bits) + randomness.gaussian(sigma, (p.d,))
    return centred(tops, q_bits), centred(mask, q_bits)


class ZeroStream:
    """A supply of encryptions of zero, each used once: what hides which ciphertexts a sum was made of."""

    def __init__(self, key: ZeroKey, p: Parameters, randomness: Randomness) -> None:
        check_ring(p)
        self._key, self._parameters, self._randomness = key, p, randomness
        self._a = expand_polynomial(key.seed, p)
        self._next = p.d
        self._renew()

    def take(self, count: int) -> np.ndarray:
        """Return `count` <= d encryptions of zero of shape (count, m + d)."""
        d = self._parameters.d
        if not 1 <= count <= d:
            raise ParameterError(f"{count} zeros were asked for at once; a block has {d}, so ask for 1 to {d}")
        if self._next + count > d:
            self._renew()
        rows = slice(self._next, self._next + count)
        self._next += count
        return np.concatenate([self._tops[rows], self._masks[rows]], axis=1)

    def _renew(self) -> None:
        tops, mask = zero_block(self._key, self._parameters, self._randomness, self._a)
        self._tops = np.ascontiguousarray(tops.T.astype(self._parameters.dtype))
        self._masks = Rows(mask, self._parameters)
        self._next = 0
