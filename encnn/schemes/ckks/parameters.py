"""Parameters of CKKS: ring degree, the primes of the modulus, the scale of numbers, and named sets.

A ciphertext is in Z_q[X]/(X^N + 1) and holds N / 2 real numbers in its **slots**, each multiplied by a **scale** and rounded.
q is a product of primes.  Each product multiplies the scales.  Dividing by one prime (rescaling) brings the scale back and
spends a **level**.  A fresh ciphertext has `levels` of them; without any left it can be added but not multiplied.

Security is that of LWE in dimension N with a ternary secret, sigma = 3.2 and the *whole* modulus, the special prime of the
evaluation keys included.  The number of bits is from `security.estimate`.  Sets of 128 bits also stay within the published
tables.  Largest log2 q for 128 bits, ternary secrets:

    ========  ======  ======  ======  ======  ======  ===================================================================
    N         2048    4096    8192    16384   32768   source
    ========  ======  ======  ======  ======  ======  ===================================================================
    [HES18]   54      109     218     438     881     Albrecht et al., Homomorphic Encryption Standard v1.1 (ePrint
                                                      2019/939); also `seal::CoeffModulus::MaxBitCount` of SEAL 4
    [BCC24]   53      106     214     430     868     Bossuat et al., Security Guidelines for Implementing Homomorphic
                                                      Encryption (ePrint 2024/463)
    ========  ======  ======  ======  ======  ======  ===================================================================
"""

from dataclasses import dataclass
from functools import cached_property

from encnn.arithmetic.checks import check_types
from encnn.errors import ParameterError
from encnn.schemes.base import OwnerHelp
from encnn.schemes.parameters import NamedParameters, find_preset
from encnn.security.estimate import Estimate, estimate
from encnn.security.promise import STANDARD_128, check_promise

SIGMA = 3.2
"""Standard deviation of the noise; SEAL's is 3.19, the standard's 8 / sqrt(2 pi)."""


@dataclass(frozen=True, kw_only=True, repr=False)
class CKKSParameters(NamedParameters):
    """A validated parameter set; raises `ParameterError` when made if SEAL or the security estimate would refuse it.

    A set without protection must have INSECURE in its name.  The special prime is that of the evaluation keys.
    """

    degree: int  # N, a power of two
    modulus_bits: tuple[int, ...]  # of the primes: the one that remains last, one per level, and the special prime
    scale_bits: int  # log2 of the scale of fresh ciphertexts, near the size of the primes of the levels

    def __post_init__(self) -> None:
        """Check ranges, then that the name tells what the set protects."""
        check_types(self)
        self._check_ranges()
        if self.insecure:
            return
        if self.modulus_total_bits > STANDARD_128[self.degree]:
            raise ParameterError(
                f"{self.name!r} has log2 q = {self.modulus_total_bits} at N = {self.degree}: {self.security.summary}, "
                f"and 128 bits allow log2 q <= {STANDARD_128[self.degree]}; use fewer or smaller primes, a larger "
                "degree, or put INSECURE into the name"
            )
        check_promise(self.name, self.security.best(), "use fewer or smaller primes, or a larger degree")

    @property
    def slots(self) -> int:
        """Real numbers in one ciphertext: N / 2."""
        return self.degree // 2

    @property
    def levels(self) -> int:
        """Rescalings that a fresh ciphertext can take: the primes between the first and the special one."""
        return len(self.modulus_bits) - 2

    @property
    def modulus_total_bits(self) -> int:
        """The modulus in bits, special prime included: what security depends on."""
        return sum(self.modulus_bits)

    @property
    def scale(self) -> float:
        """The scale of fresh ciphertexts."""
        return 2.0**self.scale_bits

    @cached_property
    def security(self) -> Estimate:
        """The estimate of LWE with dimension N, this modulus and a ternary secret."""
        return estimate(self.degree, self.modulus_total_bits, SIGMA, "ternary")

    @property
    def protection(self) -> str:
        """The bits of security with the attack and the model that decide; INSECURE first below 80 bits."""
        return f"{self.security.summary}; N={self.degree}, log2 q={self.modulus_total_bits}"

    @property
    def owner_help(self) -> OwnerHelp:
        """The owner sends fresh weights, since ciphertexts allow a limited number of products."""
        return "weights"

    def _check_ranges(self) -> None:
        if self.degree not in STANDARD_128:
            raise ParameterError(f"degree is {self.degree}; it must be one of {', '.join(map(str, STANDARD_128))}")
        if len(self.modulus_bits) < 2 or not all(20 <= b <= 60 for b in self.modulus_bits):
            raise ParameterError(f"modulus_bits is {self.modulus_bits}; give two or more primes of 20 to 60 bits each")
        if not 15 <= self.scale_bits < self.modulus_bits[0]:
            raise ParameterError(
                f"scale_bits is {self.scale_bits}; it must be at least 15, and less than the first prime's "
                f"{self.modulus_bits[0]} bits, which leave no room for numbers above 1 otherwise"
            )


LOGISTIC_128 = CKKSParameters(name="ckks-8192", degree=8192, modulus_bits=(40, 33, 33, 33, 33, 40), scale_bits=33)
"""128 bits, one step of logistic regression with a cubic sigmoid for each refresh of the weights by the owner."""

HIDDEN_128 = CKKSParameters(name="ckks-16384", degree=16384, modulus_bits=(46, *9 * (37,), 46), scale_bits=37)
"""128 bits, one step of a network with a hidden layer, square activation and cubic sigmoid for each refresh."""

UNASSISTED_128 = CKKSParameters(name="ckks-32768", degree=32768, modulus_bits=(50, *16 * (36,), 50), scale_bits=36)
"""128 bits, four steps of logistic regression with a cubic sigmoid and no refresh at all."""

TOY = CKKSParameters(name="ckks-toy-INSECURE", degree=2048, modulus_bits=(46, *9 * (37,), 46), scale_bits=37)
"""A small ring with a large modulus, for tests and lessons; no protection."""

PRESETS = {p.name: p for p in (LOGISTIC_128, HIDDEN_128, UNASSISTED_128, TOY)}


def preset(name: str) -> CKKSParameters:
    """Return the set of this name, or raise `ParameterError` with the names that exist."""
    return find_preset(PRESETS, name)
