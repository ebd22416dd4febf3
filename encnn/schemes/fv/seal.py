"""BFV of Microsoft SEAL, reached through TenSEAL, with the primes of one of our parameter sets: tests compare the two.

TenSEAL is an optional dependency, so the caller passes in its module `tenseal.sealapi`.
"""

from collections.abc import Callable
from types import ModuleType

import numpy as np

from encnn.schemes.fv.parameters import FVParameters


class SealBfv:
    """Keys and operations of SEAL.  Vectors of whole numbers fill the first row of slots.

    own_primes: SEAL's usual primes for this dimension, fewer and larger ones, in place of those of the set.
    """

    def __init__(self, seal: ModuleType, p: FVParameters, own_primes: bool = False) -> None:
        self.seal, self.p = seal, p
        chosen = seal.EncryptionParameters(seal.SCHEME_TYPE.BFV)
        chosen.set_poly_modulus_degree(p.N)
        usual = seal.CoeffModulus.BFVDefault(p.N, seal.SEC_LEVEL_TYPE.TC128)
        chosen.set_coeff_modulus(usual if own_primes else [seal.Modulus(q) for q in (*p.q_primes, p.special_prime)])
        chosen.set_plain_modulus(seal.Modulus(p.t))
        self.context = seal.SEALContext(chosen, True, seal.SEC_LEVEL_TYPE.TC128)
        if not self.context.parameters_set():
            raise ValueError(f"SEAL refuses these parameters: {self.context.parameters_error_message()}")
        generator = seal.KeyGenerator(self.context)
        public, self.relinearisation = seal.PublicKey(), seal.RelinKeys()
        generator.create_public_key(public)
        generator.create_relin_keys(self.relinearisation)
        self.encryptor = seal.Encryptor(self.context, public)
        self.decryptor = seal.Decryptor(self.context, generator.secret_key())
        self.evaluator, self.encoder = seal.Evaluator(self.context), seal.BatchEncoder(self.context)

    def encode(self, v: np.ndarray) -> object:
        """Return the plaintext that has v in both rows of slots."""
        plain = self.seal.Plaintext()
        self.encoder.encode([int(x) % self.p.t for x in np.concatenate([v, v])], plain)
        return plain

    def encrypt(self, v: np.ndarray) -> object:
        """Return a public-key encryption of v."""
        c = self.seal.Ciphertext(self.context)
        self.encryptor.encrypt(self.encode(v), c)
        return c

    def decrypt(self, c: object) -> np.ndarray:
        """Return the first row of slots, as centred whole numbers."""
        plain = self.seal.Plaintext()
        self.decryptor.decrypt(c, plain)
        x = np.array(self.encoder.decode_uint64(plain)[: self.p.N // 2], np.int64)
        return np.where(x > self.p.t // 2, x - self.p.t, x)

    def budget(self, c: object) -> int:
        """Return the noise budget in bits."""
        return self.decryptor.invariant_noise_budget(c)

    def add(self, a: object, b: object) -> object:
        """Return a + b."""
        return self._result(self.evaluator.add, a, b)

    def sub(self, a: object, b: object) -> object:
        """Return a - b."""
        return self._result(self.evaluator.sub, a, b)

    def multiply_plain(self, a: object, v: np.ndarray) -> object:
        """Return a v, entry by entry."""
        return self._result(self.evaluator.multiply_plain, a, self.encode(v))

    def multiply(self, a: object, b: object) -> object:
        """Return a b, relinearised."""
        product = self._result(self.evaluator.multiply, a, b)
        return self._result(self.evaluator.relinearize, product, self.relinearisation)

    def _result(self, operation: Callable[..., None], *arguments: object) -> object:
        c = self.seal.Ciphertext(self.context)
        operation(*arguments, c)
        return c
