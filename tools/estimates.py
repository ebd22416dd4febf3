"""Compute the costs of attacks on all presets anew: `python tools/estimates.py check | write`."""

import math
import sys
from collections.abc import Mapping

from encnn.schemes import SCHEMES
from encnn.security.estimate import Estimate, lwe_costs
from encnn.security.known import KNOWN, Costs, known_costs, stored
from encnn.security.overstretched import NtruEstimate, ntru_costs

ESTIMATES = ("security", "lwe_security", "glwe_security")
"""What presets call the estimates that are asked of them on import."""


def of_presets() -> dict[tuple, Costs]:
    """Return the costs of attacks on every preset, computed anew, by the questions of `known_costs`."""
    found: dict[tuple, Costs] = {}
    for e in (getattr(preset, name, None) for scheme in SCHEMES for preset in scheme.presets for name in ESTIMATES):
        if isinstance(e, Estimate):
            asked = e.n, e.q_bits, e.sigma, e.secret, e.samples
            found["LWE", *asked] = lwe_costs(*asked)
        if isinstance(e, NtruEstimate):
            found["NTRU", e.n, e.q_bits, e.t_bits] = ntru_costs(e.n, e.q_bits, e.t_bits)
    return found


def disagreements(computed: Mapping[tuple, Costs]) -> list[tuple]:
    """Return the instances whose stored costs are missing or differ; last digits of bits vary from machine to machine."""
    return [question for question, costs in computed.items() if not _same(known_costs(*question) or (), costs)]


def _same(a: Costs, b: Costs) -> bool:
    names = [[(cost.attack, cost.model, cost.block_size) for cost in costs] for costs in (a, b)]
    return names[0] == names[1] and all(math.isclose(x.bits, y.bits, rel_tol=1e-9) for x, y in zip(a, b, strict=True))


def main(arguments: list[str]) -> int:
    """Write the costs, or check that the stored ones are these."""
    computed = of_presets()
    if arguments == ["write"]:
        KNOWN.write_text(stored(computed), encoding="utf-8")
        return 0
    differ = disagreements(computed)
    if differ:
        print(f"{KNOWN} and the presets disagree on {differ}: run `python tools/estimates.py write`")
    return int(bool(differ))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
