"""The costs of attacks on the presets: `tools/estimates.py` computes them and writes a file, since imports check presets."""

import json
from collections.abc import Mapping
from dataclasses import astuple
from functools import cache
from pathlib import Path

from encnn.security.instance import AttackCost

KNOWN = Path(__file__).with_name("known.json")

Costs = tuple[AttackCost, ...]


def known_costs(*question: object) -> Costs | None:
    """Return the stored costs for a kind of instance and its parameters, or None if no preset has them."""
    return _known().get(question)


def stored(costs: Mapping[tuple, Costs]) -> str:
    """Return the text of the file that holds these costs, one instance per line."""
    lines = [json.dumps([*question, [astuple(cost) for cost in found]]) for question, found in costs.items()]
    return "[\n" + ",\n".join(lines) + "\n]\n"


@cache
def _known() -> dict[tuple, Costs]:
    rows = json.loads(KNOWN.read_text(encoding="utf-8"))
    return {tuple(question): tuple(AttackCost(*cost) for cost in costs) for *question, costs in rows}
