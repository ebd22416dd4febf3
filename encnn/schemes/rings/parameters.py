"""What the parameters of FV and YASHE have in common: the rings, and how numbers become plaintexts.

The modulus q and the plaintext modulus t are products of primes below 2^30.  A set for products of ciphertexts also has a
special prime.  Key switches use it, and it counts as part of the modulus for security.

No preset goes beyond these tables.  Largest log2 q, special prime included, for 128 bits, ternary keys, sigma = 3.2:

    ========  ====  ====  ====  =====  =====  =====================================================================
    N         2048  4096  8192  16384  32768  source
    ========  ====  ====  ====  =====  =====  =====================================================================
    [HES18]   54    109   218   438    881    Albrecht et al., Homomorphic Encryption Standard v1.1 (ePrint 2019/939)
    ========  ====  ====  ====  =====  =====  =====================================================================
"""

import math
from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal, Self, TypeAlias

from encnn.arithmetic.checks import check_types, whole
from encnn.arithmetic.sampling import TAIL
from encnn.errors import ParameterError
from encnn.schemes.base import OwnerHelp
from encnn.schemes.encoders import CoefficientEncoder, Encoder, FractionalEncoder, SlotEncoder
from encnn.schemes.parameters import NamedParameters
from encnn.schemes.rings.primes import PRIME_BITS, check_primes, find_primes
from encnn.schemes.rings.rns import MAX_TERMS, Ring, ring
from encnn.security.estimate import AttackCost
from encnn.security.promise import check_promise

Bits: TypeAlias = tuple[int, ...]
"""Bits of primes."""


@dataclass(frozen=True, kw_only=True, repr=False)
class RingParameters(NamedParameters):
    """A validated parameter set.  A set without protection must have INSECURE in its name."""

    scheme: ClassVar[str]  # the name of its folder

    N: int  # dimension, a power of two
    q_primes: tuple[int, ...]  # primes of the modulus
    t_primes: tuple[int, ...]  # primes of the plaintext modulus
    special_prime: int = 0  # for key switches; 0 for a set with additions only
    sigma: float = 3.2  # standard deviation of the noise
    encoding: Literal["coefficients", "slots", "fractional"] = "slots"  # see `encoders`
    scale: int = 1  # integer plaintext of 1.0 in fresh vectors; 1 for the fractional encoding
    value_limit: float = 8.0  # public bound on fresh vectors; a measured bound would leak them
    fraction_digits: int = 0  # digits after the point in the fractional encoding
    base: int = 2  # of the digits in the fractional encoding

    def __post_init__(self) -> None:
        """Check what can be checked before any key exists."""
        check_types(self)
        whole("N", self.N, 4)
        if not self.q_primes or not self.t_primes:
            raise ParameterError("a modulus has no primes; give q_primes and t_primes at least one each")
        check_primes(self.N, (*self.q_primes, *self.t_primes, *self._special))
        if self.encoding not in ("coefficients", "slots", "fractional"):
            raise ParameterError(f"encoding is {self.encoding!r}; it must be 'coefficients', 'slots' or 'fractional'")
        if self.scale < 1 or self.scale & (self.scale - 1) or (self.encoding == "fractional" and self.scale != 1):
            raise ParameterError(f"scale is {self.scale}; it must be a power of two, and 1 for the fractional encoding")
        if not 2 <= self.base <= 1 << 16 or not 0 <= self.fraction_digits < self.N:
            raise ParameterError(
                f"base={self.base}, fraction_digits={self.fraction_digits}: expected a base from 2 to {1 << 16}, and fewer "
                f"digits than N={self.N}"
            )
        if not 0 < self.sigma < 2.0**20 or not self.value_limit > 0:
            raise ParameterError(f"sigma={self.sigma} and value_limit={self.value_limit} must be positive")
        if self.special_prime and max(self.q_primes) > 2 * min(self.special_prime, *self.q_primes):
            raise ParameterError(
                f"key switches take primes of about one size, and the special prime among the largest; got {self.q_primes} and "
                f"{self.special_prime}"
            )
        if not self.fresh_magnitude < self.t / 2:
            raise ParameterError(
                f"numbers up to {self.value_limit} at scale {self.scale} reach t / 2 = {self.t / 2:.3g}; lower one of them or "
                "raise t"
            )
        if not self.insecure:
            check_promise(self.name, self.cheapest_attack, "raise N or lower q")

    @property
    @abstractmethod
    def cheapest_attack(self) -> AttackCost:
        """The attack and the cost model that decide about the bits of security."""

    @property
    def security_bits(self) -> float:
        """Bits of security: the least over the attacks and cost models that are counted."""
        return self.cheapest_attack.bits

    @property
    @abstractmethod
    def plain_noise(self) -> float:
        """The invariant noise that adding a plain number adds at most: the rounding of q m / t."""

    @property
    @abstractmethod
    def public_noise(self) -> float:
        """A bound on the invariant noise of an encryption by the public key."""

    @property
    @abstractmethod
    def switch_noise(self) -> float:
        """A bound on the invariant noise that a key switch adds."""

    @abstractmethod
    def product_noise(self, a: float, b: float) -> float:
        """Return a bound on the invariant noise of the product of ciphertexts with these noises, before relinearisation."""

    @property
    def depth(self) -> int:
        """How often a fresh ciphertext can be squared, one square after the other, by the predicted noise."""
        v, depth = self.public_noise, 0
        while self.special_prime and (v := self.product_noise(v, v) + self.switch_noise) < 0.5:
            depth += 1
        return depth

    @property
    def protection(self) -> str:
        """The bits of security, and the sizes; INSECURE first where the name says it."""
        sizes = f"N={self.N}, log2 q={self.modulus_bits:.1f}, log2 t={math.log2(self.t):.1f}"
        return f"{'INSECURE: ' if self.insecure else ''}{self.cheapest_attack}; {sizes}"

    @property
    def owner_help(self) -> OwnerHelp:
        """The owner sends fresh weights, since ciphertexts allow a limited number of products."""
        return "weights"

    @property
    def q(self) -> int:
        """The modulus of ciphertexts."""
        return math.prod(self.q_primes)

    @property
    def t(self) -> int:
        """The plaintext modulus."""
        return math.prod(self.t_primes)

    @property
    def modulus_bits(self) -> float:
        """log2 of the largest modulus under which anything is published: q times the special prime."""
        return math.log2(self.q) + (math.log2(self.special_prime) if self.special_prime else 0.0)

    @property
    def noise_bound(self) -> float:
        """Largest absolute value of an entry of the noise."""
        return TAIL * self.sigma + 0.5

    @property
    def expansion(self) -> float:
        """A bound on how much a product of two polynomials exceeds the product of their largest coefficients: 2 sqrt(N).

        The worst case is N.  If one factor has random, centred coefficients, 2 sqrt(N) fails with negligible probability only
        [HPS19].  One factor always has such coefficients: it is a key, noise, or a ciphertext.
        """
        return 2.0 * math.sqrt(self.N)

    @property
    def fresh_magnitude(self) -> float:
        """The public bound on a fresh plaintext: on numbers times the scale, or on digits."""
        return self.base - 1.0 if self.encoding == "fractional" else self.value_limit * self.scale

    @property
    def fresh_high(self) -> int:
        """Place of the highest digit of a fresh number in the fractional encoding, else 0."""
        return max(0, math.ceil(math.log(self.value_limit, self.base))) if self.encoding == "fractional" else 0

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder of this set."""
        if self.encoding == "fractional":
            return FractionalEncoder(self.plain_ring, self.fraction_digits, self.base)
        return CoefficientEncoder(self.plain_ring) if self.encoding == "coefficients" else SlotEncoder(self.plain_ring)

    @cached_property
    def cipher_ring(self) -> Ring:
        """Z_q[X]/(X^N + 1)."""
        return ring(self.N, self.q_primes)

    @cached_property
    def plain_ring(self) -> Ring:
        """Z_t[X]/(X^N + 1)."""
        return ring(self.N, self.t_primes)

    @cached_property
    def key_ring(self) -> Ring:
        """The ring of evaluation keys, modulo q times the special prime."""
        return ring(self.N, (*self.q_primes, *self._special))

    @cached_property
    def wide_ring(self) -> Ring:
        """A ring with other primes, whose modulus holds round(t / q a b) for any ciphertext polynomials a and b."""
        bits = math.log2(self.t * self.q * self.N) + 2
        count = math.ceil(bits / (PRIME_BITS - 0.01))
        if count > MAX_TERMS:
            raise ParameterError(f"products under {self.name!r} need {count} primes, above {MAX_TERMS}; lower q or t")
        return ring(self.N, find_primes(self.N, PRIME_BITS, count, (*self.q_primes, *self._special)))

    @classmethod
    def of_bits(cls, name: str, N: int, q_bits: Bits, special_bits: int, t_bits: Bits, scale: int = 1) -> Self:
        """Return a set whose primes have these bits; with `special_bits` 0 it is for additions only."""
        special = primes_of_bits(N, (special_bits,)) if special_bits else ()
        q = primes_of_bits(N, q_bits, special)
        t = primes_of_bits(N, t_bits, (*special, *q))
        return cls(name=name, N=N, q_primes=q, t_primes=t, special_prime=sum(special), scale=scale)

    @property
    def _special(self) -> tuple[int, ...]:
        return (self.special_prime,) if self.special_prime else ()


def primes_of_bits(N: int, bits: tuple[int, ...], avoid: tuple[int, ...] = ()) -> tuple[int, ...]:
    """Return distinct primes of these sizes, the largest ones first.

    >>> primes_of_bits(4096, (20, 20, 17))
    (1032193, 974849, 114689)
    """
    found: list[int] = []
    for size in bits:
        found += find_primes(N, size, 1, (*avoid, *found))
    return tuple(found)
