"""Key switching: from a ciphertext polynomial c, which some key F multiplies, to ciphertexts of the scheme's own key.

The digits d_i are the residues of c modulo the primes q_i.  Let g_i be 1 modulo q_i and 0 modulo the other primes; then
c = sum_i d_i g_i modulo q.  The key holds encryptions K_i of P g_i F with noise e_i, modulo q P for the special prime P.  So

    sum_i d_i K_i   decrypts to   P c F + sum_i d_i e_i,

and the rounded division by P leaves c F with noise sum_i d_i e_i / P [GHS12, HPS19].  The digits are as large as a prime, and
the division by P removes that factor from the noise.

[GHS12] C. Gentry, S. Halevi, N. Smart, "Homomorphic evaluation of the AES circuit", CRYPTO 2012.
"""

from dataclasses import dataclass

import numpy as np

from encnn.errors import ParameterError
from encnn.schemes.rings.parameters import RingParameters
from encnn.schemes.rings.rns import rescaling, ring


@dataclass(frozen=True)
class RingSwitchKey:
    """The key of a switch: transformed polynomials, which are public."""

    parameters: RingParameters  # of the scheme
    values: np.ndarray  # uint64 of shape (digits, parts, k + 1, N)

    @property
    def nbytes(self) -> int:
        """Bytes of the key."""
        return self.values.nbytes

    def apply(self, c: np.ndarray) -> np.ndarray:
        """Return ciphertexts of c F: residues of shape (k, N) -> (parts, k, N)."""
        p = self.parameters
        keys, k = p.key_ring, len(p.q_primes)
        # transforms take any number below 4 times their primes, which are of about one size: no reduction is needed
        digits = keys.ntt.forward(np.broadcast_to(c[:, None, :], (k, keys.k, p.N)))
        wide = keys.ntt.inverse(keys.sum_products(digits, self.values), overwrite=True)
        return rescaling(ring(p.N, (p.special_prime,)), p.cipher_ring, 1)(wide[:, k:], wide[:, :k])


def gadget(p: RingParameters, F: np.ndarray) -> np.ndarray:
    """Return P g_i F for every digit i: residues of F of shape (k + 1, N), transformed or not -> (k, k + 1, N)."""
    if not p.special_prime:
        raise ParameterError(
            f"{p.name!r} has no special prime, so it has no keys for products or rotations: additions and plain factors only; "
            "use a preset with products"
        )
    k = len(p.q_primes)
    result = np.zeros((k, *F.shape), np.uint64)
    for i, q in enumerate(p.q_primes):
        result[i, i] = F[i] * np.uint64(p.special_prime % q) % np.uint64(q)
    return result


def switch_noise(p: RingParameters, error: float) -> float:
    """Return the noise of a key switch in units of a ciphertext's coefficient, before its rounding: sum_i d_i e_i / P.

    error: a bound on what stands for e_i, multiplied by the key where the scheme does so.
    """
    return sum(p.expansion * q * error for q in p.q_primes) / p.special_prime
