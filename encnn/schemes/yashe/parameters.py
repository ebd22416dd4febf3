"""Parameters of YASHE, and named sets.

The security is that of NTRU.  Homomorphic products need a large q, and NTRU with a large q is weak: `security.overstretched`
estimates the attacks.  For the same work a set of 128 bits needs two to four times FV's dimension, or it allows no products.
"""

from dataclasses import dataclass
from functools import cached_property
from math import log2
from typing import ClassVar

from encnn.schemes.parameters import find_preset
from encnn.schemes.rings.parameters import RingParameters
from encnn.schemes.yashe import noise
from encnn.security.estimate import AttackCost
from encnn.security.overstretched import NtruEstimate, estimate_ntru


@dataclass(frozen=True, kw_only=True, repr=False)
class YASHEParameters(RingParameters):
    """A validated parameter set of YASHE (see `RingParameters` for the fields)."""

    scheme: ClassVar[str] = "yashe"

    @cached_property
    def security(self) -> NtruEstimate:
        """The estimate of NTRU in dimension N modulo q times the special prime, for f = t f' + 1 with ternary f' and g."""
        return estimate_ntru(self.N, self.modulus_bits, log2(self.t))

    @property
    def cheapest_attack(self) -> AttackCost:
        """The attack and the cost model that give the fewest bits of security."""
        return self.security.best

    @property
    def plain_noise(self) -> float:
        """The invariant noise that adding a plain number adds at most: the rounding of q m / t, multiplied by f."""
        return noise.enlargement(self) / 2 * self.t / self.q

    @property
    def public_noise(self) -> float:
        """See `noise`."""
        return noise.fresh(self)

    @property
    def switch_noise(self) -> float:
        """See `noise`."""
        return noise.switch(self)

    def product_noise(self, a: float, b: float) -> float:
        """See `noise`."""
        return noise.product(self, a, b)


ADDITIVE_128 = YASHEParameters.of_bits("yashe-additive-128", 16384, (28,) * 5, 0, (21, 21), scale=1 << 10).updated(
    encoding="coefficients", value_limit=4.0
)
"""For additions and plain factors in fixed point.  It has four times FV's dimension, because NTRU is overstretched here."""

FRACTIONAL_128 = ADDITIVE_128.updated(
    name="yashe-fractional-128", encoding="fractional", scale=1, fraction_digits=24, value_limit=4.0
)
"""The same set with the fractional encoder, which has no scaling factor."""

DEPTH_128 = YASHEParameters.of_bits("yashe-depth-128", 32768, (28,) * 4, 28, (17,))
"""For one product, in slots: 128 bits allow no more in this dimension.  FV allows four products in a quarter of it."""

DEEP = YASHEParameters.of_bits("yashe-deep-INSECURE", 8192, (30,) * 6, 30, (20,))
"""The parameters with which FV has 128 bits.  They protect nothing here, which is why libraries dropped the scheme."""

HIDDEN = YASHEParameters.of_bits("yashe-hidden-INSECURE", 16384, (30,) * 13, 30, (27, 27), 1 << 10).updated(value_limit=2.0)
"""FV's dimension and modulus for a network with a hidden layer, with the longest plaintexts that a step of it leaves room for.
It protects nothing.  In four times the dimension, a modulus of 128 bits still allows no product of such plaintexts."""

TOY = YASHEParameters.of_bits("yashe-toy-INSECURE", 64, (30,) * 6, 30, (17,))
"""A small ring, for tests and for a look inside."""

PRESETS = {p.name: p for p in (ADDITIVE_128, FRACTIONAL_128, DEPTH_128, DEEP, HIDDEN, TOY)}


def preset(name: str) -> YASHEParameters:
    """Return the set of this name, or raise `ParameterError` with the names that exist."""
    return find_preset(PRESETS, name)
