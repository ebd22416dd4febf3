"""The trace keeps the constant coefficient of a ciphertext's phase and removes all others.

For odd d, sigma_d: X -> X^d is an automorphism of polynomials modulo X^N + 1.  It turns a GLWE ciphertext of m under S
into a ciphertext of sigma_d(m) under the key sigma_d(S).  A **key switch** leads back to S.  It needs GLWE encryptions K_jt of
sigma_d(S_j) g_t under S, and the digits of the masks:

    switch(sigma_d(b, a_1, ..., a_k))  =  (sigma_d(b), 0, ..., 0) + sum_jt digit_t(sigma_d(a_j)) K_jt.

The trace does  C <- C + switch(sigma_d(C))  for d = N + 1, N / 2 + 1, ..., 5, 3 in turn.  A step doubles the coefficients of
those X^j that sigma_d leaves in place, and cancels those whose sign it turns.  Step s cancels the coefficients of every j that
2^s divides and 2^(s + 1) does not [CDKS21].  After log2 N steps only N times the constant coefficient is left.

**Division by N.**  N has no inverse modulo 2^32, so the result cannot be divided by N, and a ciphertext whose noise grew by the
factor N would be useless.  The division is therefore done first, on a finer torus: c units of 2^-32 are read as c units of
2^-32 / N.  This divides the phase by N, except that each coefficient may be off by a multiple of 1 / N, since phases are known
modulo 1 only.  The trace multiplies that by N in the constant coefficient, where it becomes a whole number, which is 0 modulo
1, and cancels it elsewhere.  The noise that came in keeps its size, and only that of the key switches is added (`noise.trace`).

Fractions of the finer torus are float64, which holds them exactly.  The result of a key switch is rounded to them.

[CDKS21] Chen, Dai, Kim, Song, Efficient Homomorphic Conversion between (Ring) LWE Ciphertexts, ACNS 2021 (ePrint 2020/015).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from encnn.arithmetic.automorphisms import automorphism, exponents
from encnn.arithmetic.digits import fraction_digits
from encnn.arithmetic.negacyclic import multiply
from encnn.arithmetic.placement import placed
from encnn.arithmetic.sampling import Randomness
from encnn.schemes.bootstrapped import engine, transform
from encnn.schemes.bootstrapped.parameters import KEY_BITS, TORUS_BITS, BootstrappedParameters
from encnn.schemes.bootstrapped.tables import to_torus, unit


@dataclass(frozen=True)
class TraceKey:
    """GLWE encryptions of sigma_d(S_j) g_t, for all d of the trace."""

    parameters: BootstrappedParameters  # those of the scheme
    seed: bytes  # public; the masks are expanded from it
    bodies: np.ndarray  # int64 of shape (log2 N, k, levels, N)

    @property
    def nbytes(self) -> int:
        """The bytes of the transforms, which stay in memory."""
        return 8 * self.bodies.size * (self.parameters.k + 1)

    @cached_property
    def transforms(self) -> np.ndarray:
        """The transforms of the key in units of the torus, float64 of shape (log2 N, k, levels, k+1, N)."""
        found = placed(self.integers().shape, float)
        found[:] = transform.stored(transform.forward(self.integers() * 2.0**-KEY_BITS))
        return found

    def integers(self) -> np.ndarray:
        """Return the encryptions as int64 of shape (log2 N, k, levels, k+1, N)."""
        masks = _masks(self.seed, self.bodies.shape, self.parameters.k)
        return np.concatenate([self.bodies[..., None, :], masks], axis=-2)


def key_shape(p: BootstrappedParameters) -> tuple[int, int, int, int]:
    """Return the shape of a key's bodies."""
    return len(exponents(p.N)), p.k, p.trace_levels, p.N


def make_trace_key(p: BootstrappedParameters, S: np.ndarray, randomness: Randomness) -> TraceKey:
    """Return the key of the trace for the GLWE key S, shape (k, N).  Its noise has the deviation `glwe_sigma`.

    The key encrypts functions of S under S.  As for bootstrapping, that this is safe is the assumption of circular security.
    """
    seed, shape = randomness.token(), key_shape(p)
    masks = _masks(seed, shape, p.k)
    gadget = np.array([1 << (KEY_BITS - p.trace_bits * (t + 1)) for t in range(p.trace_levels)], np.uint64).view(np.int64)
    turned = np.stack([automorphism(S, d) for d in exponents(p.N)])
    bodies = turned[:, :, None] * gadget[:, None] + randomness.gaussian(p.glwe_sigma * 2.0**KEY_BITS, shape)
    for j in range(p.k):  # the body is message + noise - sum_j mask_j S_j, so that the phase is message + noise
        bodies -= multiply(masks[..., j, :], S[j], KEY_BITS)
    return TraceKey(p, seed, bodies)


def trace(key: TraceKey, acc: np.ndarray) -> np.ndarray:
    """Return GLWE ciphertexts with the constant coefficients of those in acc, and 0 elsewhere; int32 of shape (B, k+1, N).

    This adds noise to every coefficient (`noise.trace`).
    """
    p = key.parameters
    loops = engine.compiled_blocks(p.N, p.k)
    if loops is None:
        return trace_numpy(key, acc)
    return loops.trace(np.ascontiguousarray(acc), key.transforms, p.trace_bits)


def trace_numpy(key: TraceKey, acc: np.ndarray) -> np.ndarray:
    """Do what `trace` does in numpy, for all ciphertexts at once.  This is the readable version."""
    C = acc * unit(key.parameters.N)  # the same numbers in units of 2^-32 / N, which divides them by N
    for s in range(len(key.transforms)):
        add_automorphism_numpy(key, C, s)
    return to_torus(C)


def pack(key: TraceKey, acc: np.ndarray) -> np.ndarray:
    """Return one GLWE ciphertext, int32 (k+1, N), whose coefficient i is the constant one of acc[i], for at most N of them.

    A trace of each would take log2 N automorphisms per ciphertext.  Here the traces share their steps [CDKS21].  Let A and B
    be the ciphertexts i and i + h.  In a step, sigma_d leaves the numbers of A in place and turns the signs of those of X^h B.
    So A + X^h B + sigma_d(A - X^h B)  holds the numbers of both, doubled, and besides them only what later steps remove.  Each
    step halves the ciphertexts, so all N together need fewer than N automorphisms.  The steps run in the reverse order of a
    trace.

    Each coefficient gets the noise that a trace adds to the constant one (`noise.trace`).
    """
    C, half = acc * unit(key.parameters.N), key.parameters.N
    for s in reversed(range(len(key.transforms))):
        half //= 2  # each step joins ciphertext i with ciphertext i + half, and halves their number
        join(key, C, half, s)
        C = C[:half]
    return to_torus(C[0])


def join(key: TraceKey, C: np.ndarray, half: int, s: int) -> None:
    """Do step s of `pack` in place, for GLWE ciphertexts of fractions, shape (B, k+1, N).  The first `half` hold the result."""
    p = key.parameters
    loops = engine.compiled_blocks(p.N, p.k)
    if loops is None:
        join_numpy(key, C, half, s)
    else:
        loops.join(C, half, s, key.transforms[s], p.trace_bits)


def join_numpy(key: TraceKey, C: np.ndarray, half: int, s: int) -> None:
    """Do what `join` does, in numpy."""
    A, moved = C[:half], transform.monomial_product(C[half:], half)  # `moved` is shorter than A for fewer than N
    A[: len(moved)] = _reduced(A[: len(moved)] - moved)
    add_automorphism_numpy(key, A, s)  # now A - X^h B + sigma_d(A - X^h B)
    A[: len(moved)] = _reduced(A[: len(moved)] + 2 * moved)  # adding 2 X^h B makes it the sum above


def add_automorphism(key: TraceKey, C: np.ndarray, s: int) -> None:
    """Do C += switch(sigma_d(C)) in place, with the d of step s, for GLWE ciphertexts of fractions, shape (B, k+1, N)."""
    join(key, C, len(C), s)


def add_automorphism_numpy(key: TraceKey, C: np.ndarray, s: int) -> None:
    """Do what `add_automorphism` does, in numpy."""
    p = key.parameters
    turned = automorphism(C, exponents(p.N)[s])
    # only masks need the switch; small digits keep the key's noise small
    digits = np.stack(list(fraction_digits(turned[:, 1:], p.trace_bits, p.trace_levels)))
    product = np.einsum("tbcf,ctof->bof", transform.forward(digits), transform.unstored(key.transforms[s]))
    # rounded to the unit, so that float64 goes on holding C exactly
    C += np.rint(_reduced(transform.backward(product)) / unit(p.N)) * unit(p.N)
    C[:, 0] += turned[:, 0]  # the body meets no key, so it is added as it is
    C -= np.rint(C)  # numbers modulo 1


def trace_exact(key: TraceKey, acc: np.ndarray) -> np.ndarray:
    """Do what `trace` does in integers modulo 2^64 with schoolbook products, as the reference for small N."""
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
    return to_torus(C * 2.0**-KEY_BITS)


def _reduced(x: np.ndarray) -> np.ndarray:
    """Return the numbers modulo 1, in [-1/2, 1/2]."""
    return x - np.rint(x)


def _masks(seed: bytes, bodies: tuple[int, ...], k: int) -> np.ndarray:
    """Return the masks of a key whose bodies have this shape, int64 of shape (*bodies[:-1], k, N)."""
    return Randomness.from_public_seed(b"masks of trace key" + seed).words((*bodies[:-1], k, bodies[-1]))
