"""Attacks on overstretched NTRU: against the published fatigue point, and against what must hold of any count."""

import math

import pytest

from encnn.errors import ParameterError
from encnn.schemes import yashe
from encnn.security.estimate import MODELS, estimate
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
        low, high = (low, q_bits) if dense_sublattice(n, q_bits).bits < by_uniqueness(n, q_bits) else (q_bits, high)
    return high


@pytest.mark.parametrize("n", [256, 512, 1024, pytest.param(4096, marks=pytest.mark.slow)])
def test_fatigue_point_is_the_published_one_within_the_caution(n: int) -> None:
    """0.004 n^2.484 [DvW21]."""
    assert fatigue_bits(n) - 1 < crossing(n) < fatigue_bits(n) + CAUTION_BITS


def by_uniqueness(n: int, q_bits: float) -> float:
    """Return the bits of key recovery as [DvW21] count it: primal uSVP, in the cost model of the sublattice attack."""
    costs = estimate(n, q_bits, TERNARY_DEVIATION, "ternary", samples=n).costs
    return min(cost.bits for cost in costs if cost.attack == "primal uSVP" and cost.model in MODELS)


# Block sizes that the public lattice-estimator predicts (commit 27a581bb).  The first two are in a docstring, ntru_primal.py;
# the third is where `prob_dsd` of a circulant key goes from 0 to 1 with the profile "zgsa" (between 610 and 620); the last is
# from an independent cryptanalysis of this package, which ran the predictor on YASHE's set for one product.
PREDICTED = [(700, 13.0, 571), (113, 9.0, 42), (4096, 37.0, 615), (32768, 139.973 - 16, 572)]


@pytest.mark.parametrize(("n", "q_bits", "block_size"), PREDICTED)
def test_block_sizes_are_those_of_the_public_predictor_and_smaller_with_caution(n: int, q_bits: float, block_size: int) -> None:
    assert dense_sublattice(n, q_bits).block_size == pytest.approx(block_size, rel=0.03, abs=6)
    assert dense_sublattice(n, q_bits + CAUTION_BITS).block_size < block_size


def test_the_sets_of_yashe_are_counted_as_no_safer_than_the_public_predictor_has_them() -> None:
    p = yashe.DEPTH_128
    sublattice = p.security.costs[1]
    assert sublattice.attack == "dense sublattice" and sublattice.block_size <= 572
    assert p.security.best == sublattice


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
    assert best.model in MODELS and best.attack.startswith("key recovery")
    assert "overstretched" not in str(estimate_ntru(1024, 5.0))


@pytest.mark.parametrize("arguments", [(8, 20.0, 0.0), (64, 20.0, 20.0), (64, 20.0, -1.0)])
def test_other_arguments_are_refused(arguments: tuple) -> None:
    with pytest.raises(ParameterError, match="expected n of 16 or more"):
        estimate_ntru(*arguments)
