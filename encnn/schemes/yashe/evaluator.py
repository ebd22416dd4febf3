"""The public side of YASHE.

A product is round(t / q c d), one polynomial under f^2.  Relinearisation switches it back to f.
"""

from typing import ClassVar

import numpy as np

from encnn.arithmetic.sampling import Randomness
from encnn.schemes.rings.array import RingArray
from encnn.schemes.rings.evaluator import RingEvaluator
from encnn.schemes.rings.rns import Ring, rescaling

_LOOKED_AT, _NEAR = 4, 1 << 16
"""Four coefficients tell whether a ciphertext is plain: they are then within 2^16 of a plaintext's, even after many sums."""


class YASHEEvaluator(RingEvaluator):
    """Operations on arrays of YASHE ciphertexts, with the public keys that their owner made."""

    scheme: ClassVar[str] = "yashe"
    parts = 1

    def _encrypted_zeros(self, key: np.ndarray, randomness: Randomness, counts: tuple[int, ...]) -> np.ndarray:
        p, ring = self.parameters, self.parameters.cipher_ring
        s, e = (ring.residues(randomness.gaussian(p.sigma, (*counts, p.N))) for _ in range(2))
        return ring.add(e, ring.ntt.inverse(ring.ntt.forward(s) * key[0] % ring.p))[..., None, :, :]  # e + h s

    def readable(self, a: RingArray) -> bool:
        """Return whether some ciphertext is round(q m / t) without h s, so that anybody reads it."""
        p = self.parameters
        # decode the first coefficients as if there were no key, and encode the result again: a plain ciphertext comes back
        c = a.residues().reshape(-1, p.cipher_ring.k, p.N)[..., :_LOOKED_AT]
        plain = rescaling(p.plain_ring, p.cipher_ring, p.q)(rescaling(p.cipher_ring, p.plain_ring, p.t)(c))
        return bool((np.abs(p.cipher_ring.lift(p.cipher_ring.subtract(c, plain))) < _NEAR).all(axis=-1).any())

    def _multiply_polynomials(self, ring: Ring, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return ring.sum_products(a, b)[None]
