"""Attacks on overstretched NTRU: against the published fatigue point, and against what must hold of any count."""

import math

import pytest

from encnn.errors import ParameterError
from encnn.security.estimate import SIEVING, estimate
from encnn.security.overstretched import (
    CAUTION_BITS,
    TERNARY_DEVIATION,
    dense_sublattice,
    estimate_ntru,
    fatigue_bits,
    profile,
    subfield,
)


def crossing(n: int) -> float:
    """Return log2 q at which the dense sublattice costs as much as the key, by bisection, without caution."""
    low, high = 4.0, fatigue_bits(n) + 8  # far beyond it, LLL does both
    while high - low > 0.05:
        q_bits = (low + high) / 2
        key = estimate(n, q_bits, TERNARY_DEVIATION, "ternary", samples=n).bits
        low, high = (low, q_bits) if dense_sublattice(n, q_bits).bits < key else (q_bits, high)
    return high


@pytest.mark.parametrize("n", [256, 512, 1024, pytest.param(4096, marks=pytest.mark.slow)])
def test_fatigue_point_is_the_published_one_within_the_caution(n: int) -> None:
    """0.004 n^2.484 [DvW21]: the attack overtakes here a few bits later, which the caution takes back."""
    assert fatigue_bits(n) - 1 < crossing(n) < fatigue_bits(n) + CAUTION_BITS


@pytest.mark.parametrize("n", [512, 2048, 8192])
def test_at_the_fatigue_point_the_sublattice_is_counted_as_cheaper(n: int) -> None:
    e = estimate_ntru(n, fatigue_bits(n) + 0.01)
    assert e.overstretched and e.best.attack in ("dense sublattice", f"subfield of degree {n // 2}")
    assert not estimate_ntru(n, fatigue_bits(n) - 0.01).overstretched


def test_a_larger_modulus_is_weaker_and_a_larger_dimension_stronger() -> None:
    bits = [estimate_ntru(4096, q, 10.0).bits for q in (40.0, 54.0, 80.0, 109.0)]
    assert bits == sorted(bits, reverse=True) and len(set(bits)) == len(bits)
    bits = [estimate_ntru(n, 60.0, 10.0).bits for n in (1024, 2048, 4096, 8192)]
    assert bits == sorted(bits) and len(set(bits)) == len(bits)


def test_what_counts_is_q_over_t() -> None:
    assert estimate_ntru(4096, 80.0, 30.0).costs[1:] == estimate_ntru(4096, 60.0, 10.0).costs[1:]


def test_lwe_of_the_same_size_is_far_safer() -> None:
    """The reason why libraries kept FV and dropped YASHE."""
    assert estimate(8192, 218, 3.2).bits > 120
    assert estimate_ntru(8192, 218.0, 20.0).bits < 60


def test_profile_keeps_the_volume() -> None:
    for block_size in (50, 400):
        b = profile(512, 40.0, block_size)
        assert b.sum() == pytest.approx(512 * 40.0) and (b >= 0).all() and (b <= 40).all() and (b[:-1] >= b[1:]).all()


def test_small_moduli_have_no_sublattice_attack() -> None:
    assert math.isinf(dense_sublattice(1024, 10.0).bits) and math.isinf(subfield(1024, 10.0).bits)
    best = estimate_ntru(1024, 5.0).best
    assert best.model == SIEVING and best.attack.startswith("key recovery")
    assert "overstretched" not in str(estimate_ntru(1024, 5.0))


@pytest.mark.parametrize("arguments", [(8, 20.0, 0.0), (64, 20.0, 20.0), (64, 20.0, -1.0)])
def test_other_arguments_are_refused(arguments: tuple) -> None:
    with pytest.raises(ParameterError, match="expected n of 16 or more"):
        estimate_ntru(*arguments)
