"""Keys of FV, [FV12] section 3: the ternary secret s, the public key, and the keys for relinearisation and rotations.

    public key           (b, a)  = (-(a s + e), a)
    encryption           (c_0, c_1) = (b u + e_1 + round(q m / t), a u + e_2),  u ternary
    the owner's way      (c_0, c_1) = (-(a s + e) + round(q m / t), a)
    decryption           m = round(t (c_0 + c_1 s) / q) mod t

[FV12] J. Fan, F. Vercauteren, "Somewhat practical fully homomorphic encryption", ePrint 2012/144.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Self

import numpy as np

from encnn.schemes.base import KeyContext
from encnn.schemes.fv import noise
from encnn.schemes.fv.parameters import FVParameters
from encnn.schemes.rings.array import RingArray
from encnn.schemes.rings.secret import RingSecretKey
from encnn.schemes.rings.switching import RingSwitchKey, gadget


class FVSecretKey(RingSecretKey[FVParameters]):
    """The secret polynomial s, and the operations that need it."""

    parameters: FVParameters
    secret_names = ("T_secret",)

    def __init__(self, parameters: FVParameters, rng: np.random.Generator | None = None) -> None:
        super().__init__(parameters, rng)
        self._s = self._ternary()

    @classmethod
    def from_polynomials(cls, context: KeyContext[FVParameters], polynomials: Sequence[np.ndarray]) -> Self:
        """Return the key with a given s, as read from a file; new randomness comes from the operating system."""
        key = cls(context.parameters)
        (key._s,), key.context = polynomials, context
        return key

    @property
    def _polynomial(self) -> np.ndarray:
        return self._s

    @property
    def _secret_part(self) -> dict[str, np.ndarray]:
        return {"T_secret": self._s}

    @property
    def _fresh_noise(self) -> float:
        return noise.fresh_secret(self.parameters)

    def phase(self, c: RingArray) -> np.ndarray:
        """Return c_0 + c_1 s (+ c_2 s^2 for an open product) modulo q: residues of shape (..., k, N)."""
        self._check_own(c)
        ring = self.parameters.cipher_ring
        values = ring.ntt.forward(c.residues())
        total = values[..., -1, :, :]  # Horner's rule in s, from the highest power down
        for part in range(values.shape[-3] - 2, -1, -1):
            total = (total * self._small_values + values[..., part, :, :]) % ring.p
        return ring.ntt.inverse(total)

    def public_key(self) -> np.ndarray:
        """Return (b, a), an encryption of zero: residues of shape (2, k, N)."""
        return self._encrypted_zeros(())

    def relinearisation_key(self) -> RingSwitchKey:
        """Return the key that switches from s^2 to s."""
        return self.switch_key(self._squared)

    def switch_key(self, F: np.ndarray) -> RingSwitchKey:
        """Return the key that switches from F to s: (P g_i F - (a_i s + e_i), a_i) for every digit i."""
        p = self.parameters
        ring, k = p.key_ring, len(p.q_primes)
        top, a = gadget(p, F), self._uniform(ring, (k,))
        e = ring.ntt.forward(self._noise(ring, (k,)))
        b = ring.subtract(top, ring.add(a * self._secret_values % ring.p, e))
        return RingSwitchKey(p, np.stack([b, a], axis=1))

    @cached_property
    def _squared(self) -> np.ndarray:
        return self._secret_values * self._secret_values % self.parameters.key_ring.p

    def _encrypted_zeros(self, counts: tuple[int, ...]) -> np.ndarray:
        ring = self.parameters.cipher_ring
        zeros = np.empty((*counts, 2, ring.k, ring.N), np.uint64)
        a = zeros[..., 1, :, :]
        a[...] = self._uniform(ring, counts)
        as_ = ring.ntt.inverse(ring.ntt.forward(a) * self._small_values % ring.p)
        zeros[..., 0, :, :] = ring.subtract(self._noise(ring, counts), as_)
        return zeros
