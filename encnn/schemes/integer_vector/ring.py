"""Masks with structure: one random polynomial gives the masks of d fresh ciphertexts.

Each fresh ciphertext c = [w x + e - T a ; a] needs its own mask a of d numbers.  For a power of two d, one random polynomial a
in R = Z_q[X] / (X^d + 1) replaces d masks.  Let t in R have a row of T as its coefficients.  Coefficient i of the product a t
is an inner product with t:

    (a t)_i = <a^(i), t>,    a^(i) = (a_i, a_(i-1), ..., a_0, -a_(d-1), ..., -a_(i+1)).

So the d vectors a^(i), all read from one a, serve as d masks ("sample extraction" of TFHE [CGGI20]).  The samples (-a t + e, a)
are ring LWE [LPR10] instead of LWE.  FV and CKKS rest on the same assumption, and tables of parameters are published for it.
Nothing else in the scheme changes: the result is an integer-vector ciphertext like any other.

There are two uses, both for messages that would otherwise consist mostly of masks:

- `PadStream` is for the owner.  It computes -a t + e in advance, from a seed that is sent once for d answers.  A fresh
  encryption then takes one addition and sends one number.  A pad is used only once, because two messages under one pad would
  show their difference.
- `ZeroKey` and `ZeroStream` are for anyone.  The public key (b, a) = (-a t + e, a) of [LPR10] gives encryptions of zero,
  (b u + e1, a u + e2) with u ternary.  Adding one to a ciphertext makes its mask random.

**Rows of one polynomial are related**: a^(i+1) is a^(i), shifted by one.  This does no harm where the rows are public (answers,
columns of a key).  It breaks everything where one mask must hide another: if two sums are masked by a^(i) and a^(i+1), one sum
minus the other, shifted, has no mask at all (`attacks.shifted_masks`).  So `ZeroStream` takes only one row of each encryption
of zero, which costs one product of polynomials per ciphertext, and `zero_block` is for columns of keys only.

To save half of the transforms, a key for streams has many public polynomials a_k, and each u is used once with every a_k.  The
masks a_k u + e2_k are then samples of ring LWE with the secret u; together they are as random as one alone.  Whoever holds t
reads the noise of each sample, <e_k, u> + e1 + <t, e2_k>.  A cheat who made b_k up reads <b_k, u> instead, which is one
equation for u per sample.  That helps no more than a dimension smaller by `SAMPLES` (times m).

[LPR10] Lyubashevsky, Peikert, Regev, EUROCRYPT 2010 (ePrint 2012/230).  [CGGI20] Chillotti, Gama, Georgieva, Izabachene,
J. Cryptology 2020 (ePrint 2018/421).
"""

from dataclasses import dataclass

import numpy as np

from encnn.arithmetic import sampling
from encnn.arithmetic.modular import centred
from encnn.arithmetic.negacyclic import Multiplier, multiply
from encnn.arithmetic.sampling import Randomness
from encnn.errors import ParameterError
from encnn.schemes.integer_vector.keys import IntegerVectorSecretKey
from encnn.schemes.integer_vector.parameters import IntegerVectorParameters

_LARGEST_D = 1 << 14

SAMPLES = 16
"""Number of public polynomials of a key for streams of zeros; this many encryptions of zero share one u."""

_AHEAD = 8
"""Number of u that are drawn together.  The key's transforms, which training drives out of the cache, are then fetched once."""


def check_ring(p: IntegerVectorParameters) -> None:
    """Raise `ParameterError` unless the parameters have a ring: a modulus, d a power of two, small keys, Gaussian noise."""
    if p.q_bits is None or p.sigma is None or p.d & (p.d - 1) or p.d > _LARGEST_D or p.T_bound > 1:
        raise ParameterError(
            f"{p.name!r} (d = {p.d}, log2 q = {p.q_bits}, |T| <= {p.T_bound}, sigma = {p.sigma}) has no ring masks: they need "
            f"a modulus, a power of two d <= {_LARGEST_D}, |T| <= 1 and Gaussian noise; use ADDITIVE_128 or COMPACT_128"
        )


def expand_polynomial(seed: bytes, p: IntegerVectorParameters) -> np.ndarray:
    """Return the polynomial a, int64 of shape (d,), uniform modulo q, that SHAKE-128 expands from a public seed."""
    return expand_polynomials(seed, 1, p)[0]


def expand_polynomials(seed: bytes, count: int, p: IntegerVectorParameters) -> np.ndarray:
    """Return `count` such polynomials, int64 of shape (count, d); the first does not depend on the count."""
    return Randomness.from_public_seed(b"ring mask" + seed).words((count, p.d), p.q_bits or 64)


class Rows:
    """The masks a^(i) of a polynomial a; all are views of one array of 2 d numbers."""

    def __init__(self, a: np.ndarray, p: IntegerVectorParameters) -> None:
        # each a^(i) is a window of (a_(d-1), ..., a_0, -a_(d-1), ..., -a_0), so nothing is copied
        backwards = centred(a, p.q_bits or 64)[::-1].astype(p.dtype)
        self._unrolled = np.concatenate([backwards, -backwards])
        self._windows = np.lib.stride_tricks.sliding_window_view(self._unrolled, p.d)

    def __getitem__(self, rows: slice) -> np.ndarray:
        """Return a^(i) for a range of i, shape (rows, d), read-only."""
        d = self._windows.shape[1]
        start, stop, _ = rows.indices(d)
        return self._windows[d - stop : d - start][::-1]


class PadStream:
    """The owner's supply of pads k_i = -<T, a^(i)> + e for vectors of width m; each is given out once."""

    def __init__(self, secret: IntegerVectorSecretKey, m: int, randomness: Randomness) -> None:
        check_ring(secret.parameters)
        self._secret, self._m, self._randomness = secret, m, randomness
        self._seed, self._next, self._pads = b"", secret.parameters.d, np.empty((0, m), np.int64)
        self._drawn_in = sampling.process()

    def take(self, count: int) -> tuple[bytes, int, np.ndarray]:
        """Return (seed, first, pads) of `count` <= d unused pads, int64 of shape (count, m): rows first, first + 1, ...

        A new block replaces one that has too few pads left, or that was drawn before this process was forked.
        """
        d = self._secret.parameters.d
        if not 1 <= count <= d:
            raise ParameterError(f"{count} pads were asked for at once; a block has {d}, so ask for 1 to {d}")
        # after a fork both processes hold the same block, and would use its pads twice
        if self._next + count > d or self._drawn_in is not sampling.process():
            self._renew()
        first, self._next = self._next, self._next + count
        return self._seed, first, self._pads[first : first + count]

    def _renew(self) -> None:
        p = self._secret.parameters
        self._seed, self._next, self._drawn_in = self._randomness.token(), 0, sampling.process()
        product = multiply(expand_polynomial(self._seed, p), self._secret.T(self._m), p.q_bits or 64)
        self._pads = np.ascontiguousarray((self._randomness.gaussian(p.sigma or 0.0, product.shape) - product).T)


@dataclass(frozen=True)
class ZeroKey:
    """The public key of ring LWE for vectors of width m."""

    seed: bytes  # the polynomials a_k are expanded from it
    b: np.ndarray  # b_k = -a_k t + e_k, int64 of shape (samples, m, d)

    @property
    def nbytes(self) -> int:
        """Bytes of the key."""
        return len(self.seed) + self.b.nbytes

    @property
    def samples(self) -> int:
        """The number of polynomials a_k."""
        return len(self.b)


def make_zero_key(secret: IntegerVectorSecretKey, m: int, randomness: Randomness, samples: int = 1) -> ZeroKey:
    """Return the public key from which anyone makes encryptions of zero under this secret key."""
    p = secret.parameters
    check_ring(p)
    seed = randomness.token()
    product = multiply(expand_polynomials(seed, samples, p)[:, None], secret.T(m), p.q_bits or 64)
    return ZeroKey(seed, centred(randomness.gaussian(p.sigma or 0.0, product.shape) - product, p.q_bits or 64))


def zero_noise(p: IntegerVectorParameters) -> float:
    """Return the largest noise of an encryption of zero: |e u| + |e1| + |t e2|."""
    return p.noise_bound * (2 * p.d + 1)


def zero_block(key: ZeroKey, p: IntegerVectorParameters, randomness: Randomness) -> tuple[np.ndarray, np.ndarray]:
    """Return d encryptions of zero: first entries, shape (m, d), and the polynomial, shape (d,), whose `Rows` are the masks.

    The masks are related (see above), so this is only for columns of public keys, which hide no other mask.
    """
    q_bits, sigma = p.q_bits or 64, p.sigma or 0.0
    u, b = randomness.integers(-1, 2, (p.d,)), key.b[0]
    tops = np.stack([multiply(row, u, q_bits) for row in b]) + randomness.gaussian(sigma, b.shape)
    mask = multiply(expand_polynomial(key.seed, p), u, q_bits) + randomness.gaussian(sigma, (p.d,))
    return centred(tops, q_bits), centred(mask, q_bits)


class ZeroStream:
    """A supply of encryptions of zero with independent masks, each used once.  They hide of which ciphertexts a sum was made.

    Row 0 of a polynomial p, (p_0, -p_(d-1), ..., -p_1), holds the coefficients of p(1 / X).  u(1 / X) and e2(1 / X) have the
    distributions of u and e2.  So an encryption of zero is  [<b, u> + e1 ; a(1 / X) u + e2].
    """

    def __init__(self, key: ZeroKey, p: IntegerVectorParameters, randomness: Randomness) -> None:
        check_ring(p)
        self._b, self._parameters, self._randomness = key.b, p, randomness
        a = expand_polynomials(key.seed, key.samples, p)
        self._times_a = Multiplier(np.concatenate([a[:, :1], -a[:, :0:-1]], axis=1), p.q_bits or 64)
        self._drawn_in: tuple[int, ...] | None = None
        self._ready = np.empty((0, key.b.shape[1] + p.d), p.dtype)

    def take(self, count: int) -> np.ndarray:
        """Return `count` encryptions of zero of shape (count, m + d) in the type of ciphertexts, right modulo q."""
        if count < 1:
            raise ParameterError(f"{count} encryptions of zero were asked for; ask for 1 or more")
        if self._drawn_in is not sampling.process():  # after a fork both processes would use the same zeros
            self._drawn_in, self._ready = sampling.process(), self._ready[:0]
        if count <= len(self._ready):
            taken, self._ready = self._ready[:count], self._ready[count:]
            return taken
        parts, missing = [], count
        while missing:
            if not len(self._ready):
                self._ready = self._made()
            parts.append(self._ready[:missing])
            self._ready, missing = self._ready[missing:], missing - len(parts[-1])
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _made(self) -> np.ndarray:
        """Return one encryption of zero for each a_k and each of `_AHEAD` u."""
        p, draw, (samples, m, d) = self._parameters, self._randomness, self._b.shape
        made = np.empty((_AHEAD, samples, m + d), p.dtype)
        for zeros in made:
            # one u for all a_k, transformed once; each sample gets noise of its own, so the masks stay independent
            u = draw.ternary((d,))
            zeros[:] = draw.small_gaussian(p.sigma or 0.0, (samples, m + d))
            # only coefficient 0 of b_k u is needed: an inner product, no transform
            zeros[:, :m] += (self._b @ u.astype(np.int64)).astype(p.dtype, copy=False)
            self._times_a.add_to(zeros[:, m:], u)
        return made.reshape(-1, m + d)
