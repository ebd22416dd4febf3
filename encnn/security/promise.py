"""What the name of a parameter set promises, and the check that it keeps the promise.

    a name with INSECURE in it             nothing
    a name with "<number>-bits" in it      so many bits
    any other                              128 bits

The bits are the least over all attacks and cost models that are counted.
"""

import re

from encnn.errors import ParameterError
from encnn.security.instance import AttackCost

SECURE_BITS = 128.0
INSECURE_BELOW = 80.0
"""Bits under which a set is called INSECURE, whatever else its name says."""


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
    """Raise `ParameterError` if the cheapest attack costs less than the name promises; remedy: what else would help."""
    promised = promised_bits(name)
    if best.bits < promised:
        raise ParameterError(
            f"{name!r} has {best}, fewer than {promised:.0f}, which its name promises: put INSECURE into its name, or the "
            f"number of bits ({honest_name(name, best.bits)!r} would do), or {remedy}"
        )


def honest_name(name: str, bits: float) -> str:
    """Return the name, or where the set has fewer than 128 bits, one that promises no more than it has.

    >>> [honest_name("compact-128", bits) for bits in (130.0, 102.1, 31.0)]
    ['compact-128', 'compact-102-bits', 'compact-INSECURE']
    """
    if bits >= SECURE_BITS:
        return name
    stem = re.sub(r"-\d+(-bits)?$", "", name)
    return f"{stem}-{int(bits)}-bits" if bits >= INSECURE_BELOW else f"{stem}-INSECURE"
