"""The owner's side of FV and YASHE: the operations with a secret polynomial that both share."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar, Generic, Self, TypeVar

import numpy as np

from encnn.arithmetic.sampling import Randomness
from encnn.errors import KeyMismatchError, ParameterError
from encnn.schemes import base
from encnn.schemes.base import KeyContext
from encnn.schemes.bilinear import BilinearMap
from encnn.schemes.encoders import SlotEncoder
from encnn.schemes.powers import Product
from encnn.schemes.rings import storage
from encnn.schemes.rings.array import RingArray, blocks, encrypted
from encnn.schemes.rings.evaluator import RELINEARISE, galois_element
from encnn.schemes.rings.packing import PackedRows, unpacked
from encnn.schemes.rings.parameters import RingParameters
from encnn.schemes.rings.rns import Ring, rescaling
from encnn.schemes.rings.switching import RingSwitchKey

R = TypeVar("R", bound=RingParameters)


class RingSecretKey(base.SecretKey[RingArray], Generic[R]):
    """The owner's key.  `rng` makes an experimental key that can be reproduced; otherwise it comes from the system's entropy.

    secret_names: names of the secret polynomials in a file, in the order of `from_polynomials`.
    """

    context: KeyContext[R]
    secret_names: ClassVar[tuple[str, ...]]

    def __init__(self, parameters: R, rng: np.random.Generator | None = None) -> None:
        self.parameters = parameters
        self._randomness = Randomness(rng)
        self.context = KeyContext(parameters, self._randomness.token().hex(), self._randomness.experimental)

    def __repr__(self) -> str:
        """Show the key's name, never its entries."""
        return f"{type(self).__name__}({self.parameters.name!r}, key_id={self.context.key_id}, <secret>)"

    # -- what a scheme adds

    @classmethod
    @abstractmethod
    def from_polynomials(cls, context: KeyContext[R], polynomials: Sequence[np.ndarray]) -> Self:
        """Return the key with given secret polynomials, as read from a file."""

    @property
    @abstractmethod
    def _polynomial(self) -> np.ndarray:
        """The secret polynomial, whole numbers of shape (N,)."""

    @property
    @abstractmethod
    def _secret_part(self) -> dict[str, np.ndarray]:
        """What a file must hold to make this key again."""

    @abstractmethod
    def phase(self, c: RingArray) -> np.ndarray:
        """Return c_0 + c_1 s (FV), f c (YASHE) modulo q: residues of shape (..., k, N)."""

    @abstractmethod
    def switch_key(self, F: np.ndarray) -> RingSwitchKey:
        """Return the key that switches what the polynomial F multiplies; F transformed, of shape (k + 1, N)."""

    @abstractmethod
    def relinearisation_key(self) -> RingSwitchKey:
        """Return the key that brings products under this key again."""

    @abstractmethod
    def public_key(self) -> np.ndarray:
        """Return what anyone needs to encrypt, residues of shape (parts, k, N)."""

    @abstractmethod
    def _encrypted_zeros(self, counts: tuple[int, ...]) -> np.ndarray:
        """Return fresh encryptions of zero, residues of shape (*counts, parts, k, N)."""

    @property
    @abstractmethod
    def _fresh_noise(self) -> float:
        """A bound on the invariant noise of the owner's fresh ciphertexts."""

    # -- encryption and decryption

    def encrypt(self, v: np.ndarray) -> RingArray:
        """Return fresh ciphertexts of real vectors v, shape (..., m), |v| within the parameters' `value_limit`."""
        v = np.asarray(v, np.float64)
        return encrypted(self.context, v, self._encrypted_zeros, self._fresh_noise)

    def decrypt(self, a: RingArray | PackedRows) -> np.ndarray:
        """Return the real vectors, shape (..., width)."""
        if isinstance(a, PackedRows):
            m = np.concatenate([self.decrypt_polynomials(a.blocks[rows]) for rows in blocks(len(a.blocks))])
            return np.concatenate([self._decode(a.blocks, part) for part in unpacked(a, m)]).reshape(a.shape)
        flat = a.like(a.residues().reshape(-1, *a.data.shape[-3:]), a.bounds)
        parts = [
            self._decode(part, self.decrypt_polynomials(part)) for part in (flat[rows] for rows in blocks(flat.ciphertexts))
        ]
        return np.concatenate(parts).reshape(a.shape)

    def decrypt_polynomials(self, a: RingArray) -> np.ndarray:
        """Return the plaintexts round(t / q phase) modulo t: residues of shape (..., k_t, N)."""
        p = self.parameters
        return rescaling(p.cipher_ring, p.plain_ring, p.t)(self.phase(a))

    def measure_noise(self, a: RingArray) -> float:
        """Return the largest invariant noise |v| of the ciphertexts: the distance of (t / q) phase from the plaintext m.

        It is right as long as they decrypt correctly; beyond 1/2 it starts again from 0.
        """
        p = self.parameters
        rest = p.cipher_ring.lift(p.cipher_ring.scale(self.phase(a), p.t))
        return float(int(np.abs(rest).max()) / p.q)

    def measured_budget_bits(self, a: RingArray) -> float:
        """Return the bits left, -log2(2 |v|), by the measured noise; compare `RingArray.noise_budget_bits`."""
        noise = self.measure_noise(a)
        return -math.log2(2 * noise) if noise else math.inf

    def _decode(self, a: RingArray, m: np.ndarray) -> np.ndarray:
        b = a.bounds
        return self.parameters.encoder.decode(m, a.width, b.scale, b.low, b.high)

    def _check_own(self, a: RingArray) -> None:
        if a.context is not self.context and a.context != self.context:
            raise KeyMismatchError(
                f"this ciphertext belongs to key {a.context.key_id}, not to key {self.context.key_id}; use its own key"
            )

    # -- keys

    def switch_keys(self, products: Sequence[Product]) -> dict[int, RingSwitchKey]:
        """Return the keys that these products need: relinearisation, and rotations for sums over vectors."""
        if not products:
            return {}
        if not self.parameters.special_prime:
            raise ParameterError(
                f"{self.parameters.name!r} is for additions and plain factors: it has no key for {products[0].name!r}; train "
                "without a hidden layer and with a sigmoid of degree 1, or use a preset with products"
            )
        keys = {RELINEARISE: self.relinearisation_key()}
        encoder, steps = self.parameters.encoder, 1
        matrices = [f for f in products if isinstance(f, BilinearMap) and f.name.startswith("vector_matrix:")]
        summed = max((f.left for f in matrices), default=1)
        while isinstance(encoder, SlotEncoder) and steps < encoder.period(summed):
            keys[steps], steps = self.rotation_key(steps), 2 * steps
        return keys

    def rotation_key(self, steps: int) -> RingSwitchKey:
        """Return the key for `evaluator.rotate(a, steps)`."""
        ring = self.parameters.key_ring
        rotated = ring.automorphism(ring.residues(self._polynomial), galois_element(self.parameters, steps))
        return self.switch_key(ring.ntt.forward(rotated))

    # -- randomness

    def _noise(self, ring: Ring, counts: tuple[int, ...]) -> np.ndarray:
        """Return small noise as residues, shape (*counts, k, N)."""
        return ring.residues(self._randomness.gaussian(self.parameters.sigma, (*counts, self.parameters.N)))

    def _ternary(self) -> np.ndarray:
        return self._randomness.integers(-1, 2, (self.parameters.N,))

    def _uniform(self, ring: Ring, counts: tuple[int, ...]) -> np.ndarray:
        """Return uniform residues, shape (*counts, k, N)."""
        return uniform(self._randomness, ring, counts)

    @cached_property
    def _secret_values(self) -> np.ndarray:
        """The secret polynomial's values modulo the primes of the key ring, shape (k + 1, N)."""
        ring = self.parameters.key_ring
        return ring.ntt.forward(ring.residues(self._polynomial))

    @property
    def _small_values(self) -> np.ndarray:
        """The same modulo the primes of q only."""
        return self._secret_values[: len(self.parameters.q_primes)]

    def export(self) -> tuple[dict, dict[str, np.ndarray]]:
        """Return (header, arrays): *the secret*."""
        return storage.export_context(self.context), self._secret_part


def uniform(randomness: Randomness, ring: Ring, counts: tuple[int, ...]) -> np.ndarray:
    """Return uniform residues, shape (*counts, k, N)."""
    rows = [randomness.integers(0, p, (*counts, ring.N)) for p in ring.primes]
    return np.stack(rows, axis=-2).astype(np.uint64)
