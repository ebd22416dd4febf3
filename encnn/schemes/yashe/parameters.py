"""Parameters of YASHE, and named sets.

Security is that of NTRU with q as large as homomorphic products want it, which is where NTRU is weak: `security.overstretched`
counts the attacks.  A set of 128 bits needs a dimension two to four times that of FV for the same work, or has no products.
"""

from dataclasses import dataclass
from functools import cached_property
from math import log2
from typing import ClassVar

from encnn.errors import ParameterError
from encnn.schemes.rings.parameters import RingParameters, primes_of_bits
from encnn.schemes.yashe import noise
from encnn.security.estimate import AttackCost
from encnn.security.overstretched import NtruEstimate, estimate_ntru


@dataclass(frozen=True, kw_only=True, repr=False)
class YASHEParameters(RingParameters):
    """A validated parameter set of YASHE (see `RingParameters` for the fields)."""

    scheme: ClassVar[str] = "yashe"

    @cached_property
    def security(self) -> NtruEstimate:
        """The estimate of NTRU in dimension N, modulus q times the special prime, with f = t f' + 1 ternary f' and g."""
        return estimate_ntru(self.N, self.modulus_bits, log2(self.t))

    @property
    def cheapest_attack(self) -> AttackCost:
        """The attack and the cost model that decide about the bits of security."""
        return self.security.best

    @property
    def plain_noise(self) -> float:
        """The invariant noise of adding a plain number: the rounding of q m / t, times f."""
        return noise.enlargement(self) / 2 * self.t / self.q

    @property
    def depth(self) -> int:
        """Products one after the other, squares of fresh ciphertexts, that the predicted noise allows."""
        v, depth = noise.fresh(self), 0
        while self.special_prime and (v := noise.product(self, v, v) + noise.switch(self)) < 0.5:
            depth += 1
        return depth


def _set(
    name: str, N: int, q_bits: tuple[int, ...], special_bits: int, t_bits: tuple[int, ...], **fields: object
) -> YASHEParameters:
    special = primes_of_bits(N, (special_bits,)) if special_bits else ()
    q = primes_of_bits(N, q_bits, special)
    t = primes_of_bits(N, t_bits, (*special, *q))
    return YASHEParameters(name=name, N=N, q_primes=q, t_primes=t, special_prime=sum(special), **fields)  # type: ignore[arg-type]


ADDITIVE_128 = _set(
    "yashe-additive-128", 16384, (28,) * 5, 0, (21, 21), encoding="coefficients", scale=1 << 10, value_limit=4.0
)
"""Additions and plain factors in fixed point, four times FV's dimension: overstretched, and paid for with dimension."""

FRACTIONAL_128 = ADDITIVE_128.updated(
    name="yashe-fractional-128", encoding="fractional", scale=1, fraction_digits=24, value_limit=4.0
)
"""The same with the fractional encoder: no scaling factor."""

DEPTH_128 = _set("yashe-depth-128", 32768, (28,) * 4, 28, (17,))
"""One product, in slots: all that 128 bits leave in this dimension.  FV has four of them in a quarter of it."""

DEEP = _set("yashe-deep-INSECURE", 8192, (30,) * 6, 30, (20,))
"""FV's parameters of 128 bits, which protect nothing here: what made libraries drop the scheme."""

TOY = _set("yashe-toy-INSECURE", 64, (30,) * 6, 30, (17,))
"""A small ring, for tests and for looking inside."""

PRESETS = {p.name: p for p in (ADDITIVE_128, FRACTIONAL_128, DEPTH_128, DEEP, TOY)}


def preset(name: str) -> YASHEParameters:
    """Return the named set, or raise `ParameterError` with the names there are."""
    if name not in PRESETS:
        raise ParameterError(f"no parameters are called {name!r}; there are {', '.join(PRESETS)}")
    return PRESETS[name]
