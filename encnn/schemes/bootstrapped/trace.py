"""The trace: what keeps one coefficient of a ciphertext and removes all others.

X -> X^d, for odd d, is an automorphism of polynomials modulo X^N + 1.  Applied to a GLWE ciphertext it gives one of sigma_d(m)
under the key sigma_d(S), and a **key switch** leads back to S: with the digits of the masks, and GLWE encryptions K of
sigma_d(S_j) g_t under S,

    switch(sigma_d(b, a_1, ..., a_k))  =  (sigma_d(b), 0, ..., 0) + sum_jt digit_t(sigma_d(a_j)) K_jt.

For d = N + 1, N / 2 + 1, ..., 5, 3 in turn,  C <- C + switch(sigma_d(C))  doubles the coefficients of X^j that sigma_d leaves
in place, and cancels those whose sign it turns: in step s those with 2^s as the largest power of two in j [CDKS21].  After
log2 N steps only N times the constant coefficient is left.

**Divided by N.**  That N has no inverse modulo 2^32, and a ciphertext whose noise grew by N would be useless.  So the torus is
refined by log2 N bits first: c units of 2^-32 become c units of 2^-32 / N.  The phase is then that divided by N, up to a
multiple of 1 / N in each coefficient.  The trace makes that multiple a whole number in the constant coefficient, and cancels it
elsewhere: the noise that came in is as large as before, and only that of the key switches is added (`noise.trace`).

Fractions of the refined torus are float64, which holds them exactly; what a key switch adds is rounded to them.

[CDKS21] Chen, Dai, Kim, Song, Efficient Homomorphic Conversion between (Ring) LWE Ciphertexts, ACNS 2021 (ePrint 2020/015).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from encnn.arithmetic.negacyclic import multiply
from encnn.arithmetic.placement import placed
from encnn.arithmetic.sampling import Randomness
from encnn.schemes.bootstrapped import engine, transform
from encnn.schemes.bootstrapped.automorphisms import automorphism, exponents, unit
from encnn.schemes.bootstrapped.parameters import KEY_BITS, TORUS_BITS, BootstrappedParameters


@dataclass(frozen=True)
class TraceKey:
    """GLWE encryptions of sigma_d(S_j) g_t, for all d: seed of the masks, and bodies, int64 (log2 N, k, levels, N)."""

    parameters: BootstrappedParameters
    seed: bytes
    bodies: np.ndarray

    @property
    def nbytes(self) -> int:
        """Bytes in use: the transforms."""
        return 8 * self.bodies.size * (self.parameters.k + 1)

    @cached_property
    def transforms(self) -> np.ndarray:
        """Transforms in units of the torus, float64 of shape (log2 N, k, levels, k+1, N)."""
        found = placed(self.integers().shape, float)
        found[:] = transform.stored(transform.forward(self.integers() * 2.0**-KEY_BITS))
        return found

    def integers(self) -> np.ndarray:
        """Return the encryptions as int64 of shape (log2 N, k, levels, k+1, N)."""
        masks = _masks(self.seed, self.bodies.shape, self.parameters.k)
        return np.concatenate([self.bodies[..., None, :], masks], axis=-2)


def key_shape(p: BootstrappedParameters) -> tuple[int, int, int, int]:
    """Return the shape of the bodies of a key."""
    return len(exponents(p.N)), p.k, p.trace_levels, p.N


def make_trace_key(p: BootstrappedParameters, S: np.ndarray, randomness: Randomness) -> TraceKey:
    """Return the key of the trace under the GLWE key S, shape (k, N).  Noise: `glwe_sigma`.

    It encrypts functions of S under S, as bootstrapping does: the assumption of circular security.
    """
    seed, shape = randomness.token(), key_shape(p)
    masks = _masks(seed, shape, p.k)
    gadget = np.array([1 << (KEY_BITS - p.trace_bits * (t + 1)) for t in range(p.trace_levels)], np.uint64).view(np.int64)
    turned = np.stack([automorphism(S, d) for d in exponents(p.N)])
    bodies = turned[:, :, None] * gadget[:, None] + randomness.gaussian(p.glwe_sigma * 2.0**KEY_BITS, shape)
    for j in range(p.k):
        bodies -= multiply(masks[..., j, :], S[j], KEY_BITS)
    return TraceKey(p, seed, bodies)


def trace(key: TraceKey, acc: np.ndarray) -> np.ndarray:
    """Return GLWE ciphertexts of the constant coefficients of those in acc, int32 of shape (B, k+1, N), 0 elsewhere.

    Noise: `noise.trace`, by coefficient.
    """
    p = key.parameters
    loops = engine.compiled_blocks(p.N, p.k)
    if loops is None:
        return trace_numpy(key, acc)
    return loops.trace(np.ascontiguousarray(acc), key.transforms, p.trace_bits)


def trace_numpy(key: TraceKey, acc: np.ndarray) -> np.ndarray:
    """Do what `trace` does, in numpy, all ciphertexts at once: the readable version."""
    C = acc * unit(key.parameters.N)
    for s in range(len(key.transforms)):
        add_automorphism_numpy(key, C, s)
    return _to_torus(C)


def pack(key: TraceKey, acc: np.ndarray) -> np.ndarray:
    """Return one GLWE ciphertext, int32 (k+1, N), whose coefficient i is the constant one of acc[i], for at most N of them.

    Traces that share their steps [CDKS21]: where sigma_d leaves the numbers of A in their places and turns the signs of those
    of B, moved by a power of X,  A + X^h B + sigma_d(A - X^h B)  has both, doubled, and of the rest only what later steps
    remove.  So N traces take N automorphisms together.  The last step comes first.

    Noise: in each coefficient what a trace adds to the constant one (`noise.trace`).
    """
    C, half = acc * unit(key.parameters.N), key.parameters.N
    for s in reversed(range(len(key.transforms))):
        half //= 2
        A, moved = C[:half], transform.monomial_product(C[half:], half)  # fewer than A where the ciphertexts are not N
        A[: len(moved)] = _reduced(A[: len(moved)] - moved)
        add_automorphism(key, A, s)
        A[: len(moved)] = _reduced(A[: len(moved)] + 2 * moved)
        C = A
    return _to_torus(C[0])


def add_automorphism(key: TraceKey, C: np.ndarray, s: int) -> None:
    """Do C += switch(sigma_d(C)) for the exponent of step s, in place, for GLWE ciphertexts of fractions, (B, k+1, N)."""
    p = key.parameters
    loops = engine.compiled_blocks(p.N, p.k)
    if loops is None:
        add_automorphism_numpy(key, C, s)
    else:
        loops.add_automorphism(C, s, key.transforms[s], p.trace_bits)


def add_automorphism_numpy(key: TraceKey, C: np.ndarray, s: int) -> None:
    """Do what `add_automorphism` does, in numpy."""
    p = key.parameters
    turned = automorphism(C, exponents(p.N)[s])
    digits = np.stack(list(fraction_digits(turned[:, 1:], p.trace_bits, p.trace_levels)))
    product = np.einsum("tbcf,ctof->bof", transform.forward(digits), transform.unstored(key.transforms[s]))
    C += np.rint(_reduced(transform.backward(product)) / unit(p.N)) * unit(p.N)
    C[:, 0] += turned[:, 0]
    C -= np.rint(C)


def trace_exact(key: TraceKey, acc: np.ndarray) -> np.ndarray:
    """Do what `trace` does, in integers modulo 2^64, with products by the schoolbook: the reference for small N."""
    p = key.parameters
    fine = KEY_BITS - TORUS_BITS - (p.N.bit_length() - 1)
    C = acc.astype(np.int64) << fine
    for d, K in zip(exponents(p.N), key.integers(), strict=True):
        turned = automorphism(C, d)
        digits = fraction_digits(turned[:, 1:] * 2.0**-KEY_BITS, p.trace_bits, p.trace_levels)
        total = np.zeros(C.shape, np.int64)
        for t, digit in enumerate(digits):
            for c in range(p.k):
                total += transform.schoolbook(digit[:, c, None].astype(np.int64), K[c, t])
        C += (total + (1 << fine >> 1)) >> fine << fine
        C[:, 0] += turned[:, 0]
    return _to_torus(C * 2.0**-KEY_BITS)


def fraction_digits(x: np.ndarray, bits: int, levels: int) -> Iterator[np.ndarray]:
    """Yield the balanced digits of fractions x of the torus in [-1/2, 1/2], float64, most significant first.

    x = sum_t digit_t 2^-((t + 1) bits) up to what lies below the last one.  Halves go to even numbers, so that digits have
    mean 0 (see `rotation.decompose`).

    >>> [d.tolist() for d in fraction_digits(np.array([0.3125, -0.0625]), bits=2, levels=2)]
    [[1.0, -0.0], [1.0, -1.0]]
    """
    rest = x
    for t in range(1, levels + 1):
        digit = np.rint(rest * 2.0 ** (bits * t))
        rest = rest - digit * 2.0 ** (-bits * t)
        yield digit


def _reduced(x: np.ndarray) -> np.ndarray:
    """Return fractions of the torus in [-1/2, 1/2]."""
    return x - np.rint(x)


def _to_torus(x: np.ndarray) -> np.ndarray:
    """Return fractions of the torus, exact ones, as int32 fractions of 2^32; halves go to even numbers."""
    return np.rint(x * 2.0**TORUS_BITS).astype(np.int64).astype(np.int32)


def _masks(seed: bytes, bodies: tuple[int, ...], k: int) -> np.ndarray:
    """Return masks, int64 of shape (*bodies[:-1], k, N)."""
    return Randomness.from_public_seed(b"masks of trace key" + seed).words((*bodies[:-1], k, bodies[-1]))
