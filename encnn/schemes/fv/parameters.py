"""Parameters of FV, and named sets.

The security is that of ring LWE with ternary keys.  It is estimated as that of LWE in dimension N with the largest modulus
under which keys are published.  The estimate counts lattice attacks that ignore the ring; no better ones are known here.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from encnn.schemes.fv import noise
from encnn.schemes.parameters import find_preset
from encnn.schemes.rings.parameters import RingParameters, primes_of_bits
from encnn.security.estimate import AttackCost, Estimate, estimate


@dataclass(frozen=True, kw_only=True, repr=False)
class FVParameters(RingParameters):
    """A validated parameter set of FV (see `RingParameters` for the fields)."""

    scheme: ClassVar[str] = "fv"

    @cached_property
    def security(self) -> Estimate:
        """The estimate of LWE in dimension N with a ternary key, modulo q times the special prime."""
        return estimate(self.N, self.modulus_bits, self.sigma, "ternary")

    @property
    def cheapest_attack(self) -> AttackCost:
        """The attack and the cost model that give the fewest bits of security."""
        return self.security.best()

    @property
    def plain_noise(self) -> float:
        """The invariant noise that adding a plain number adds at most: half a unit of a ciphertext's coefficient."""
        return 0.5 * self.t / self.q

    @property
    def public_noise(self) -> float:
        """See `noise`."""
        return noise.fresh_public(self)

    @property
    def switch_noise(self) -> float:
        """See `noise`."""
        return noise.switch(self)

    def product_noise(self, a: float, b: float) -> float:
        """See `noise`."""
        return noise.product(self, a, b)


DEPTH_128 = FVParameters.of_bits("fv-depth-128", 8192, (30,) * 6, 30, (20,))
"""For products of whole numbers, 8192 at a time; the predicted noise allows four products one after the other."""

ADDITIVE_128 = FVParameters.of_bits("fv-additive-128", 4096, (27, 27, 26, 26), 0, (24, 24), scale=1 << 10).updated(
    encoding="coefficients", value_limit=4.0
)
"""For additions and plain factors in fixed point, which is all that logistic regression needs."""

FRACTIONAL_128 = ADDITIVE_128.updated(
    name="fv-fractional-128", encoding="fractional", scale=1, fraction_digits=24, value_limit=4.0
)
"""The same set with the fractional encoder, which has no scaling factor."""

_LONG_Q = primes_of_bits(8192, (30,) * 7)

FRACTIONAL_LONG_128 = FRACTIONAL_128.updated(
    name="fv-fractional-long-128",
    N=8192,
    q_primes=_LONG_Q,
    t_primes=primes_of_bits(8192, (24,) * 4, _LONG_Q),
)
"""Twice the dimension, which allows twice as many steps before the owner must renew the weights."""

NETWORK_128 = FVParameters.of_bits("fv-network-128", 16384, (30,) * 13, 30, (28, 28), 1 << 12)
"""For networks with a hidden layer: fixed-point numbers of 56 bits in slots."""

HIDDEN_128 = FVParameters.of_bits("fv-hidden-128", 16384, (30,) * 13, 30, (24, 24, 24), 1 << 14).updated(value_limit=4.0)
"""The same with numbers of 72 bits, which hold a step of a network with eight hidden units whose weights the owner renews."""

TOY = FVParameters.of_bits("fv-toy-INSECURE", 64, (30,) * 6, 30, (17,))
"""A small ring, for tests and for a look inside."""

PRESETS = {p.name: p for p in (DEPTH_128, ADDITIVE_128, FRACTIONAL_128, FRACTIONAL_LONG_128, NETWORK_128, HIDDEN_128, TOY)}


def preset(name: str) -> FVParameters:
    """Return the set of this name, or raise `ParameterError` with the names that exist."""
    return find_preset(PRESETS, name)
