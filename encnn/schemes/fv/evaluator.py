"""The public side of FV: products, rotations, public-key encryption.

    (c_0, c_1)(d_0, d_1) -> round(t / q (c_0 d_0, c_0 d_1 + c_1 d_0, c_1 d_1)), under (1, s, s^2)

Relinearisation then switches the last part from s^2 to s.  A rotation substitutes X^g for X.  The result is a ciphertext under
s(X^g), and a key switch brings it back under s.
"""

from typing import ClassVar

import numpy as np

from encnn.arithmetic.sampling import Randomness
from encnn.schemes.rings.evaluator import RingEvaluator
from encnn.schemes.rings.rns import Ring


class FVEvaluator(RingEvaluator):
    """Operations on arrays of FV ciphertexts, with the public keys that their owner made."""

    scheme: ClassVar[str] = "fv"
    parts = 2

    def _encrypted_zeros(self, key: np.ndarray, randomness: Randomness, counts: tuple[int, ...]) -> np.ndarray:
        p, ring = self.parameters, self.parameters.cipher_ring
        # a new ternary u hides the key: (b u + e_1, a u + e_2) is an encryption of zero that nobody relates to (b, a)
        u = ring.ntt.forward(ring.residues(randomness.integers(-1, 2, (*counts, p.N))))[..., None, :, :]
        e = ring.residues(randomness.gaussian(p.sigma, (*counts, 2, p.N)))
        return ring.add(ring.ntt.inverse(key * u % ring.p), e)

    def _multiply_polynomials(self, ring: Ring, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        # (a_0 + a_1 s)(b_0 + b_1 s): the coefficients of 1, s and s^2
        parts = np.empty((3, *a.shape[1:]), np.uint64)
        for part, (x, y) in zip(parts, ((a[:1], b[:1]), (a, b[::-1]), (a[1:], b[1:])), strict=True):
            ring.sum_products(x, y, out=part)
        return parts
