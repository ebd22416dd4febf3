"""The public side of YASHE.

A product is round(t / q c d), one polynomial under f^2.  Relinearisation switches it back to f.
"""

from typing import ClassVar

import numpy as np

from encnn.arithmetic.sampling import for_key
from encnn.errors import MissingKeyError
from encnn.schemes.rings.array import RingArray
from encnn.schemes.rings.evaluator import RingEvaluator
from encnn.schemes.rings.rns import Ring, rescaling
from encnn.schemes.rings.secret import encrypted
from encnn.schemes.yashe import noise

_LOOKED_AT, _NEAR = 4, 1 << 16
"""Four coefficients tell whether a ciphertext is plain: they are then within 2^16 of a plaintext's, even after many sums."""


class YASHEEvaluator(RingEvaluator):
    """Operations on arrays of YASHE ciphertexts, with the public keys that their owner made."""

    scheme: ClassVar[str] = "yashe"
    parts = 1

    def encrypt(self, v: np.ndarray, rng: np.random.Generator | None = None) -> RingArray:
        """Return randomised public-key encryptions of real vectors v, shape (..., m): round(q m / t) + e + h s."""
        if self.public_key is None:
            raise MissingKeyError("there is no public key; the owner makes one when make_keys is told of public widths")
        randomness, p = for_key(self.context.experimental, rng), self.parameters
        ring, h = p.cipher_ring, p.cipher_ring.ntt.forward(self.public_key[0])

        def zeros(counts: tuple[int, ...]) -> np.ndarray:
            s, e = (ring.residues(randomness.gaussian(p.sigma, (*counts, p.N))) for _ in range(2))
            return ring.add(e, ring.ntt.inverse(ring.ntt.forward(s) * h % ring.p))[..., None, :, :]

        return encrypted(self.context, np.asarray(v, np.float64), zeros, noise.fresh(p))

    def readable(self, a: RingArray) -> bool:
        """Return whether some ciphertext is round(q m / t) without h s, so that anybody reads it."""
        p = self.parameters
        # decode the first coefficients as if there were no key, and encode the result again: a plain ciphertext comes back
        c = a.residues().reshape(-1, p.cipher_ring.k, p.N)[..., :_LOOKED_AT]
        plain = rescaling(p.plain_ring, p.cipher_ring, p.q)(rescaling(p.cipher_ring, p.plain_ring, p.t)(c))
        return bool((np.abs(p.cipher_ring.lift(p.cipher_ring.subtract(c, plain))) < _NEAR).all(axis=-1).any())

    @property
    def _switch_noise(self) -> float:
        return noise.switch(self.parameters)

    def _multiply_polynomials(self, ring: Ring, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return ring.sum_products(a, b)[None]

    def _product_noise(self, a: float, b: float) -> float:
        return noise.product(self.parameters, a, b)
