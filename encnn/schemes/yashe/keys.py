"""Keys of YASHE, [BLLN13] section 4: the practical variant, with one polynomial per ciphertext.

    secret key      f = t f' + 1, invertible modulo q;  f', g ternary
    public key      h = t g / f
    encryption      c = round(q m / t) + e + h s
    decryption      m = round(t f c / q) mod t,     as  f c = round(q m / t) + f e + t g s + q (...)
    evaluation key  K_i = P g_i f + e_i + h s_i,    which f multiplies to P g_i f^2 + small

[BLLN13] J. Bos, K. Lauter, J. Loftus, M. Naehrig, "Improved security for a ring-based fully homomorphic encryption scheme",
IMA International Conference on Cryptography and Coding 2013, ePrint 2013/075.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Self

import numpy as np

from encnn.errors import FileError
from encnn.schemes.base import KeyContext
from encnn.schemes.rings.array import RingArray
from encnn.schemes.rings.secret import RingSecretKey
from encnn.schemes.rings.switching import RingSwitchKey, gadget
from encnn.schemes.yashe import noise
from encnn.schemes.yashe.parameters import YASHEParameters


class YASHESecretKey(RingSecretKey[YASHEParameters]):
    """The secret polynomials f' and g, and the operations that need them."""

    parameters: YASHEParameters
    secret_names = ("T_secret", "T_g")

    def __init__(self, parameters: YASHEParameters, rng: np.random.Generator | None = None) -> None:
        super().__init__(parameters, rng)
        self._g = self._ternary()
        self._f_prime = self._ternary()
        # f must be invertible modulo q; a ternary f' that gives another f is rare, and then a new one is drawn
        while parameters.key_ring.inverse(parameters.key_ring.residues(self._polynomial)) is None:
            self._f_prime = self._ternary()

    @classmethod
    def from_polynomials(cls, context: KeyContext[YASHEParameters], polynomials: Sequence[np.ndarray]) -> Self:
        """Return the key with given f' and g, as read from a file; new randomness comes from the operating system."""
        key = cls(context.parameters)
        (key._f_prime, key._g), key.context = polynomials, context
        _ = key._inverse_values  # refuses a polynomial without inverse
        return key

    @property
    def _polynomial(self) -> np.ndarray:
        """f = t f' + 1, as whole numbers of Python."""
        f = self._f_prime.astype(object) * self.parameters.t
        f[0] += 1
        return f

    @property
    def _secret_part(self) -> dict[str, np.ndarray]:
        return {"T_secret": self._f_prime, "T_g": self._g}

    @property
    def _fresh_noise(self) -> float:
        return noise.fresh(self.parameters)

    def phase(self, c: RingArray) -> np.ndarray:
        """Return f c modulo q (f^2 c for a product that was not relinearised)."""
        self._check_own(c)
        ring = self.parameters.cipher_ring
        values = ring.ntt.forward(c.residues()[..., 0, :, :])
        for _ in range(c.bounds.degree):
            values = values * self._small_values % ring.p
        return ring.ntt.inverse(values)

    def public_key(self) -> np.ndarray:
        """Return h = t g / f, of shape (1, k, N)."""
        ring = self.parameters.cipher_ring
        return ring.ntt.inverse(self._h[: ring.k])[None]

    def relinearisation_key(self) -> RingSwitchKey:
        """Return the key that switches from f^2 to f."""
        return self.switch_key(self._secret_values * self._secret_values % self.parameters.key_ring.p)

    def switch_key(self, F: np.ndarray) -> RingSwitchKey:
        """Return the key that switches from F to f: P g_i F / f + e_i + h s_i for every digit i."""
        p = self.parameters
        ring, k = p.key_ring, len(p.q_primes)
        s, e = ring.ntt.forward(self._noise(ring, (k,))), ring.ntt.forward(self._noise(ring, (k,)))
        body = gadget(p, F * self._inverse_values % ring.p)
        return RingSwitchKey(p, ring.add(ring.add(body, e), self._h * s % ring.p)[:, None])

    @cached_property
    def _inverse_values(self) -> np.ndarray:
        """The values of 1 / f modulo the primes of the key ring."""
        ring = self.parameters.key_ring
        inverse = ring.inverse(ring.residues(self._polynomial))
        if inverse is None:  # this can only be a polynomial from a file: those drawn here have an inverse
            raise FileError("the secret polynomial has no inverse, so it made no key; restore the file from a backup")
        return ring.ntt.forward(inverse)

    @cached_property
    def _h(self) -> np.ndarray:
        """The values of h = t g / f modulo the primes of the key ring."""
        ring = self.parameters.key_ring
        return ring.scale(ring.ntt.forward(ring.residues(self._g)) * self._inverse_values % ring.p, self.parameters.t)

    def _encrypted_zeros(self, counts: tuple[int, ...]) -> np.ndarray:
        ring = self.parameters.cipher_ring
        s = ring.ntt.forward(self._noise(ring, counts))
        return ring.add(self._noise(ring, counts), ring.ntt.inverse(s * self._h[: ring.k] % ring.p))[..., None, :, :]
