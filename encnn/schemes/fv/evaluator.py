"""The public side of FV: products, rotations, public-key encryption.

    (c_0, c_1)(d_0, d_1) -> round(t / q (c_0 d_0, c_0 d_1 + c_1 d_0, c_1 d_1)), under (1, s, s^2)

Relinearisation then switches the last part from s^2 to s.  A rotation substitutes X^g for X.  The result is a ciphertext under
s(X^g), and a key switch brings it back under s.
"""

from typing import ClassVar

import numpy as np

from encnn.arithmetic.sampling import for_key
from encnn.errors import MissingKeyError
from encnn.schemes.fv import noise
from encnn.schemes.rings.array import RingArray
from encnn.schemes.rings.evaluator import RingEvaluator
from encnn.schemes.rings.rns import Ring
from encnn.schemes.rings.secret import encrypted


class FVEvaluator(RingEvaluator):
    """Operations on arrays of FV ciphertexts, with the public keys that their owner made."""

    scheme: ClassVar[str] = "fv"
    parts = 2

    def encrypt(self, v: np.ndarray, rng: np.random.Generator | None = None) -> RingArray:
        """Return randomised public-key encryptions of real vectors v, shape (..., m).  Noise: `noise.fresh_public`."""
        if self.public_key is None:
            raise MissingKeyError("there is no public key; the owner makes one when make_keys is told of public widths")
        randomness, p = for_key(self.context.experimental, rng), self.parameters
        ring, key = p.cipher_ring, p.cipher_ring.ntt.forward(self.public_key)

        def zeros(counts: tuple[int, ...]) -> np.ndarray:
            # a new ternary u hides the key: (b u + e_1, a u + e_2) is an encryption of zero that nobody relates to (b, a)
            u = ring.ntt.forward(ring.residues(randomness.integers(-1, 2, (*counts, p.N))))[..., None, :, :]
            e = ring.residues(randomness.gaussian(p.sigma, (*counts, 2, p.N)))
            return ring.add(ring.ntt.inverse(key * u % ring.p), e)

        return encrypted(self.context, np.asarray(v, np.float64), zeros, noise.fresh_public(p))

    @property
    def _switch_noise(self) -> float:
        return noise.switch(self.parameters)

    def _multiply_polynomials(self, ring: Ring, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        # (a_0 + a_1 s)(b_0 + b_1 s): the coefficients of 1, s and s^2
        parts = np.empty((3, *a.shape[1:]), np.uint64)
        for part, (x, y) in zip(parts, ((a[:1], b[:1]), (a, b[::-1]), (a[1:], b[1:])), strict=True):
            ring.sum_products(x, y, out=part)
        return parts

    def _product_noise(self, a: float, b: float) -> float:
        return noise.product(self.parameters, a, b)
