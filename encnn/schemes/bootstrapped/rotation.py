"""The rotation key and blind rotation: multiply a GLWE ciphertext by X^<a, s>, where a is plain and the bits s are encrypted.

A GLWE ciphertext (b, a_1, ..., a_k) of polynomials modulo X^N + 1 has the phase b + sum_j a_j S_j.  A GGSW encryption of a bit
s has one row for each component c and each digit t.  The row is a GLWE encryption of s g_t times the factor of c in the phase,
which is 1 for b and S_c for a_c; g_t = 2^-((t + 1) bits).  The **external product** multiplies the digits of a ciphertext by
these rows:

    digits(C) . GGSW(s)  has the phase  s phase(C) + noise.

It lets a bit choose between a ciphertext and its rotation: C + (X^a - 1) digits(C) . GGSW(s) has the phase X^(a s) phase(C).
At most one bit s_i is set in a block of the key, so one sum serves all bits of the block [LMSS23]:

    C + sum_i (X^a_i - 1) digits(C) . GGSW(s_i)    has the phase    X^(sum_i a_i s_i) phase(C) + noise.

Each sum costs one transform of the digits and one transform back.  The **blind rotation** does one such step per block and so
multiplies C by X^<a, s>.  Each step first rounds C to the precision of its digits, so the rounding error enters only once.
Without this, the step would add the error twice: as it is, and multiplied by X^(a s).

The masks of GGSW encryptions are expanded from a public seed (SHAKE-128), so a file holds only one of k + 1 polynomials.  The
trainer computes with transforms (see `transform`), the reference with integers.  GLWE accumulators are int32 in units of 2^-32.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from encnn.arithmetic.negacyclic import multiply
from encnn.arithmetic.placement import placed
from encnn.arithmetic.sampling import Randomness
from encnn.schemes.bootstrapped import engine, transform
from encnn.schemes.bootstrapped.frequencies import LINE, frequency_order
from encnn.schemes.bootstrapped.parameters import KEY_BITS, BootstrappedParameters
from encnn.schemes.bootstrapped.tables import to_torus

_CHUNK = 64
"""Number of GGSW encryptions that are handled together; a hundred of them fill some megabytes."""


@dataclass(frozen=True)
class RotationKey:
    """GGSW encryptions of the n bits of the small key."""

    parameters: BootstrappedParameters  # of the scheme
    seed: bytes  # public; the masks are expanded from it
    bodies: np.ndarray  # int64 of shape (n, levels, k+1, N)

    @property
    def nbytes(self) -> int:
        """Bytes of the transforms, which rotations read.  The bodies that files hold stay in memory beside them, uncounted."""
        p = self.parameters
        return 8 * p.n * p.rotation_levels * (p.k + 1) ** 2 * p.N

    @cached_property
    def transforms(self) -> np.ndarray:
        """Transforms in units of the torus, float64, in the order in which a rotation reads them.

        The axes are: block of the key, line of values, component of the result, digit, bit of the block, component of the
        ciphertext, real and imaginary parts, values of the line.
        """
        p, line = self.parameters, min(LINE, self.parameters.N // 2)
        shape = (p.n // p.block, p.N // 2 // line, p.k + 1, p.rotation_levels, p.block, p.k + 1, 2, line)
        found = placed(shape, float)
        for first, integers in self.integers():
            i = np.arange(first, first + len(integers))
            values = transform.forward(integers * 2.0**-KEY_BITS)[..., frequency_order(p.N)]
            lines = np.moveaxis(values.reshape(*values.shape[:-1], -1, line), (4, 3, 1, 2), (1, 2, 3, 4))
            found[i // p.block, :, :, :, i % p.block] = np.stack([lines.real, lines.imag], axis=-2)
        return found

    def values(self, step: int) -> np.ndarray:
        """Return the values of a block of the key, complex of shape (block, levels, k+1, k+1, N / 2), in natural order."""
        p, lines = self.parameters, self.transforms[step]
        values = np.empty((p.block, p.rotation_levels, p.k + 1, p.k + 1, p.N // 2), np.complex128)
        ordered = np.moveaxis(lines[..., 0, :] + 1j * lines[..., 1, :], (3, 2, 4, 1, 0), (0, 1, 2, 3, 4))
        values[..., frequency_order(p.N)] = ordered.reshape(values.shape)
        return values

    def integers(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first, GGSW encryptions from bit `first` on), int64 of shape (., levels, k+1, k+1, N), a few at a time."""
        stream = Randomness.from_public_seed(b"masks of rotation key" + self.seed)
        for first in range(0, self.parameters.n, _CHUNK):
            bodies = self.bodies[first : first + _CHUNK]
            yield first, np.concatenate([bodies[..., None, :], _masks(stream, bodies.shape, self.parameters.k)], axis=-2)


def make_rotation_key(p: BootstrappedParameters, s: np.ndarray, S: np.ndarray, randomness: Randomness) -> RotationKey:
    """Return GGSW encryptions of the bits s, int64 of shape (n,), under the GLWE key S, shape (k, N).  Noise: `glwe_sigma`."""
    seed = randomness.token()
    stream = Randomness.from_public_seed(b"masks of rotation key" + seed)
    factors = np.concatenate([np.eye(1, p.N, dtype=np.int64), S])  # what a component is multiplied with in the phase
    gadget = np.array([1 << (KEY_BITS - p.rotation_bits * (t + 1)) for t in range(p.rotation_levels)], np.uint64).view(np.int64)
    message = gadget[:, None, None] * factors
    bodies = np.empty((p.n, *message.shape), np.int64)
    for first in range(0, p.n, _CHUNK):
        part = bodies[first : first + _CHUNK]
        masks = _masks(stream, part.shape, p.k)
        # the body is message + noise - sum_j mask_j S_j, so that the phase is message + noise
        part[:] = s[first : first + _CHUNK, None, None, None] * message
        part += randomness.gaussian(p.glwe_sigma * 2.0**KEY_BITS, part.shape)
        for j in range(p.k):
            part -= multiply(masks[..., j, :], S[j], KEY_BITS)
    return RotationKey(p, seed, bodies)


def blind_rotate(key: RotationKey, acc: np.ndarray, exponents: np.ndarray) -> None:
    """Multiply GLWE ciphertexts by X^<exponents, s> in place.

    acc: int32 of shape (B, k+1, N), body first.  exponents: integers of shape (B, n), modulo 2 N.  Noise: `noise.rotation`.
    """
    p = key.parameters
    loops = engine.compiled(p.N, p.k)
    exponents = np.ascontiguousarray(exponents % (2 * p.N), dtype=np.int64)
    if loops is not None:
        loops.blind_rotate(acc, exponents, key.transforms, p.block, p.rotation_bits, p.rotation_levels)
    else:
        blind_rotate_numpy(key, acc, exponents)


def blind_rotate_numpy(key: RotationKey, acc: np.ndarray, exponents: np.ndarray) -> None:
    """Do what `blind_rotate` does, in numpy and for all ciphertexts at once: the readable version."""
    p = key.parameters
    for first in range(0, p.n, p.block):  # one step per block of key bits
        # products with small digits keep the key's noise small; products with whole coefficients would not
        digits = round_and_decompose(acc, p.rotation_bits, p.rotation_levels)
        # a product of polynomials is a product of their values; the digits are transformed once for the whole block
        values = transform.forward(digits.astype(np.float64))
        total = np.zeros((*acc.shape[:2], p.N // 2), np.complex128)
        for i, ggsw in enumerate(key.values(first // p.block), start=first):
            # external product: its phase is s_i phase(acc), and at most one s_i of the block is 1
            product = np.einsum("tbcf,tcof->bof", values, ggsw)
            # X^a_i - 1 is what must be added if s_i is set; it multiplies the values, so it needs no transform
            total += (transform.monomial_values(exponents[:, i : i + 1], p.N) - 1) * product
        # one transform back per block, since sums of values are values of sums
        acc += to_torus(transform.backward(total))


def blind_rotate_exact(key: RotationKey, acc: np.ndarray, exponents: np.ndarray) -> None:
    """Do what `blind_rotate` does, in integers modulo 2^64 with schoolbook products: the reference for small N."""
    p = key.parameters
    ggsw = np.concatenate([rows for _, rows in key.integers()])
    for first in range(0, p.n, p.block):
        digits = round_and_decompose(acc, p.rotation_bits, p.rotation_levels).astype(np.int64)
        total = np.zeros(acc.shape, np.int64)
        for i in range(first, first + p.block):
            product = np.zeros(acc.shape, np.int64)
            for t in range(p.rotation_levels):
                for c in range(p.k + 1):
                    product += transform.schoolbook(digits[t, :, c, None, :], ggsw[i, t, c])
            total += transform.monomial_product(product, exponents[:, i : i + 1]) - product
        acc += ((total + (1 << 31)) >> 32).astype(np.int32)  # from units of 2^-64, rounded, to units of 2^-32


def round_and_decompose(acc: np.ndarray, bits: int, levels: int) -> np.ndarray:
    """Round int32 fractions of 2^32 to their upper bits * levels bits, in place, and return their digits (`decompose`)."""
    shift = 32 - bits * levels
    acc[:] = _shifted(acc, shift) << np.int32(shift)
    return decompose(acc, bits, levels)


def decompose(a: np.ndarray, bits: int, levels: int) -> np.ndarray:
    """Return the balanced digits of int32 fractions of 2^32, most significant first: int32 of shape (levels, *a.shape).

    a = sum_t digit_t 2^(32 - (t + 1) bits) modulo 2^32, except for the bits below the last digit, which are rounded away.

    Each digit is rounded, halves to even, and the remainder becomes the next digit.  So digits lie between -2^(bits - 1) and
    2^(bits - 1) and have mean 0.  Another rule for halves would give them the mean 1/2.  That mean times the sum of the key's
    noise would shift everything that is computed with this key in the same direction.

    >>> decompose(np.array([3 << 28, -1 << 20], np.int32), bits=4, levels=2)
    array([[3, 0],
           [0, 0]], dtype=int32)
    """
    rest = _shifted(a, 32 - bits * levels)
    digits = np.empty((levels, *a.shape), np.int32)
    for t in range(levels - 1, 0, -1):  # from the lowest digit up, because a rounded-up digit carries into the next
        above = _shifted(rest, bits)
        digits[t] = rest - (above << np.int32(bits))
        rest = above
    digits[0] = rest
    return digits


def _shifted(a: np.ndarray, bits: int) -> np.ndarray:
    """Return a / 2^bits rounded, halves to even, int32."""
    return (a + np.int32((1 << (bits - 1)) - 1) + ((a >> np.int32(bits)) & np.int32(1))) >> np.int32(bits)


def _masks(stream: Randomness, bodies: tuple[int, ...], k: int) -> np.ndarray:
    """Return the next masks, int64 of shape (*bodies[:-1], k, N)."""
    return stream.words((*bodies[:-1], k, bodies[-1]))
