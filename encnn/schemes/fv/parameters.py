"""Parameters of FV, and named sets.

The security is that of ring LWE with ternary keys.  It is estimated as that of LWE in dimension N with the largest modulus
under which keys are published.  The estimate counts lattice attacks that ignore the ring; no better ones are known here.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from encnn.errors import ParameterError
from encnn.schemes.fv import noise
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
    def depth(self) -> int:
        """How often a fresh ciphertext can be squared, one square after the other, by the predicted noise."""
        v, depth = noise.fresh_public(self), 0
        while self.special_prime and (v := noise.product(self, v, v) + noise.switch(self)) < 0.5:
            depth += 1
        return depth


def _with_products(
    name: str, N: int, q_bits: tuple[int, ...], special_bits: int, t_bits: tuple[int, ...], scale: int
) -> FVParameters:
    special = primes_of_bits(N, (special_bits,))
    q = primes_of_bits(N, q_bits, special)
    t = primes_of_bits(N, t_bits, (*special, *q))
    return FVParameters(name=name, N=N, q_primes=q, t_primes=t, special_prime=special[0], scale=scale)


DEPTH_128 = _with_products("fv-depth-128", 8192, (30,) * 6, 30, (20,), 1)
"""For products of whole numbers, 8192 at a time; the predicted noise allows four products one after the other."""

_ADDITIVE_Q = primes_of_bits(4096, (27, 27, 26, 26))
_ADDITIVE_T = primes_of_bits(4096, (24, 24), _ADDITIVE_Q)

ADDITIVE_128 = FVParameters(
    name="fv-additive-128",
    N=4096,
    q_primes=_ADDITIVE_Q,
    t_primes=_ADDITIVE_T,
    encoding="coefficients",
    scale=1 << 10,
    value_limit=4.0,
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

NETWORK_128 = _with_products("fv-network-128", 16384, (30,) * 13, 30, (28, 28), 1 << 12)
"""For networks with a hidden layer: fixed-point numbers of 56 bits in slots."""

TOY = _with_products("fv-toy-INSECURE", 64, (30,) * 6, 30, (17,), 1)
"""A small ring, for tests and for a look inside."""

PRESETS = {p.name: p for p in (DEPTH_128, ADDITIVE_128, FRACTIONAL_128, FRACTIONAL_LONG_128, NETWORK_128, TOY)}


def preset(name: str) -> FVParameters:
    """Return the set of this name, or raise `ParameterError` with the names that exist."""
    if name not in PRESETS:
        raise ParameterError(f"no parameters are called {name!r}; choose one of {', '.join(PRESETS)}")
    return PRESETS[name]
