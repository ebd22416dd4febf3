"""A part of what the two fuzz harnesses do; all of it is run by their commands (see `fuzz_gate.py`, `fuzz_twins.py`)."""

import fuzz_gate
import fuzz_twins
import pytest


def check_gate(cases: int, seed: int) -> None:
    for name in fuzz_gate.OWNERS:
        fuzz_gate.party(name)
    found = fuzz_gate.run(cases, seed)
    assert found["wrong"] == []
    assert set(found["counted"]) == {case.__name__ for case in fuzz_gate.CASES}
    assert found["slowest"] < fuzz_gate.SLOWEST_S and found["most_bytes"] < fuzz_gate.MOST_BYTES


def test_generated_cases_end_as_the_reference_says_or_in_a_documented_error() -> None:
    check_gate(300, seed=1)


@pytest.mark.slow
def test_many_generated_cases() -> None:
    check_gate(20_000, seed=2)


def check_twins(cases: int, seed: int, schemes: tuple[str, ...]) -> None:
    found = fuzz_twins.run(cases, seed, schemes)
    assert found["wrong"] == []
    assert set(found["done"]) == set(schemes) and sum(found["refused"].values()) < cases / 10
    noisy = {name for name, share in found["largest"].items() if share > 0}
    assert noisy == set(schemes) - {"fv", "yashe"}  # the others do compute with something else than the numbers


def test_random_networks_follow_their_clear_twins() -> None:
    check_twins(40, 1, ("integer vectors", "fv", "yashe"))


@pytest.mark.slow
def test_many_random_networks_follow_their_clear_twins() -> None:
    check_twins(600, 2, tuple(fuzz_twins.RUNS))
