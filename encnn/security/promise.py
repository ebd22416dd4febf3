"""The bits of security that the name of a parameter set promises, and the check of this promise.

    a name with INSECURE in it             nothing
    a name with "<number>-bits" in it      <number> bits
    any other name                         128 bits

The bits of a set are those of the cheapest attack, over all attacks and cost models that are counted.
"""

import re

from encnn.errors import ParameterError
from encnn.security.instance import AttackCost

SECURE_BITS = 128.0
STANDARD_128 = {1024: 27, 2048: 54, 4096: 109, 8192: 218, 16384: 438, 32768: 881}
"""Ring dimension -> largest log2 q for 128 bits against classical attacks, ternary keys [HES18, table 1].

[HES18] M. Albrecht et al., Homomorphic Encryption Standard v1.1, ePrint 2019/939.
"""
INSECURE_BELOW = 80.0
"""A set with fewer bits than this is INSECURE."""


def promised_bits(name: str) -> float:
    """Return the bits of security that a parameter set of this name must have.

    >>> [promised_bits(name) for name in ("compact-128", "small-100-bits", "toy-INSECURE")]
    [128.0, 100.0, 0.0]
    """
    if "INSECURE" in name:
        return 0.0
    stated = re.search(r"(\d+)-bits", name)
    return float(stated[1]) if stated else SECURE_BITS


def check_promise(name: str, best: AttackCost, remedy: str) -> None:
    """Raise `ParameterError` if the cheapest attack costs less than the name promises.  The message also offers `remedy`."""
    promised = promised_bits(name)
    if best.bits < promised:
        raise ParameterError(
            f"{name!r} has {best}, fewer than {promised:.0f}, which its name promises: put INSECURE into its name, or the "
            f"number of bits ({honest_name(name, best.bits)!r} would do), or {remedy}"
        )


def honest_name(name: str, bits: float) -> str:
    """Return the name.  If the set has fewer than 128 bits, return a name that promises no more than these bits.

    >>> [honest_name("compact-128", bits) for bits in (130.0, 102.1, 31.0)]
    ['compact-128', 'compact-102-bits', 'compact-INSECURE']
    """
    if bits >= SECURE_BITS:
        return name
    stem = re.sub(r"-\d+(-bits)?$", "", name)
    return f"{stem}-{int(bits)}-bits" if bits >= INSECURE_BELOW else f"{stem}-INSECURE"
