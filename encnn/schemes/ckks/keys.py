"""The owner's side of CKKS: encryption and decryption.  SEAL's secret key is in here and nowhere else."""

from collections.abc import Iterable
from typing import Self

import numpy as np

from encnn.arithmetic.sampling import Randomness
from encnn.errors import KeyMismatchError
from encnn.schemes import base
from encnn.schemes.ckks import storage
from encnn.schemes.ckks.ciphertext import CKKSContext, PackedArray, check_shape, packed
from encnn.schemes.ckks.packing import Packing
from encnn.schemes.ckks.parameters import CKKSParameters
from encnn.schemes.ckks.seal import SealCiphertext, SealObject


class CKKSSecretKey(base.SecretKey[PackedArray]):
    """SEAL's ternary secret key, and what encrypts and decrypts with it.

    SEAL itself draws keys and noise from the operating system, so no key can be reproduced.  Never give what `decrypt` returns
    to the party that sent the ciphertexts (see `ciphertext`).
    """

    context: CKKSContext

    def __init__(self, parameters: CKKSParameters, packing: Packing) -> None:
        self._take(CKKSContext(parameters, Randomness().token().hex(), packing=packing), ())

    @classmethod
    def restored(cls, context: CKKSContext, data: bytes) -> Self:
        """Return the key of this context from SEAL's bytes of it; `FileError` unless SEAL finds them valid."""
        key = cls.__new__(cls)
        key._take(context, (context.ring.from_bytes("SecretKey", data),))
        return key

    def _take(self, context: CKKSContext, given: tuple[object, ...]) -> None:
        """Make the encryptor and the decryptor, from a given secret or from a new one."""
        self.context, s, seal = context, context.ring.seal, context.ring.context
        self._generator = s.KeyGenerator(seal, *given)
        secret = self._generator.secret_key()
        self._encryptor, self._decryptor = s.Encryptor(seal, secret), s.Decryptor(seal, secret)

    @property
    def parameters(self) -> CKKSParameters:
        """The parameter set."""
        return self.context.parameters

    def encrypt(self, v: np.ndarray) -> PackedArray:
        """Return fresh encryptions of a vector (m,) or of rows (rows, width), at the highest level."""
        values = np.asarray(v, dtype=np.float64)
        packing = self.context.packing
        check_shape(values.shape, packing)
        rows = packing.blocks(len(values)) if values.ndim == 2 else ()
        messages = tuple(self._encrypted(slots) for slots in packed(values, packing, rows))
        blocks = [self.context.ring.ciphertext(m) for m in messages]
        return PackedArray(blocks, self.context, values.shape, rows, messages)

    def _encrypted(self, slots: np.ndarray) -> bytes:
        """Return the bytes of a fresh ciphertext; SEAL gives ciphertexts with a seed only as bytes."""
        p, ring = self.context.parameters, self.context.ring
        return ring.to_bytes(self._encryptor.encrypt_symmetric(ring.encode(slots, p.levels, p.scale)))

    def decrypt(self, a: PackedArray) -> np.ndarray:
        """Return the real numbers of an array, approximate; for the owner's eyes only."""
        if a.context != self.context:
            raise KeyMismatchError(
                f"ciphertexts of key {a.context.key_id} cannot be read with key {self.context.key_id}; ask their owner"
            )
        packing = self.context.packing
        parts = [
            packing.unpack(self._slots(c), (rows, *a.shape[1:])) for c, rows in zip(a.blocks, a.rows or a.shape, strict=True)
        ]
        return np.concatenate(parts)

    def _slots(self, c: SealCiphertext) -> np.ndarray:
        ring = self.context.ring
        plain = ring.seal.Plaintext()
        self._decryptor.decrypt(c, plain)
        return ring.decode(plain)

    def rotation_keys(self, steps: Iterable[int]) -> SealObject:
        """Return SEAL's Galois keys for rotations by these numbers of slots to the left (negative: to the right), public.

        SEAL wants elements of the Galois group here, not steps: 3^k mod 2N moves the slots by k.
        """
        p, keys = self.parameters, self.context.ring.seal.GaloisKeys()
        self._generator.create_galois_keys([pow(3, k % p.slots, 2 * p.degree) for k in sorted(steps)], keys)
        return keys

    def relinearisation_key(self) -> SealObject:
        """Return SEAL's key for products of two ciphertexts, public."""
        key = self.context.ring.seal.RelinKeys()
        self._generator.create_relin_keys(key)
        return key

    def export(self) -> tuple[dict, dict[str, np.ndarray]]:
        """Return (header, arrays), *secret*: SEAL's bytes of the key, from which `restored` makes it again."""
        data = self.context.ring.to_bytes(self._generator.secret_key())
        return storage.describe_context(self.context), {"T_seal": np.frombuffer(data, dtype=np.uint8)}
