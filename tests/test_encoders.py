"""Encoders: what a plaintext holds, what products of plaintexts do, and where the fractional encoder breaks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encnn.errors import ParameterError
from encnn.schemes.encoders import (
    CoefficientEncoder,
    Encoder,
    FractionalEncoder,
    IntegerEncoder,
    SlotEncoder,
    dyadic,
)
from encnn.schemes.rings.primes import find_primes
from encnn.schemes.rings.rns import ring

N = 64
PLAIN = ring(N, find_primes(N, 20, 3))
numbers = st.floats(-100, 100, allow_nan=False)
vectors = st.lists(st.integers(-1000, 1000), min_size=1, max_size=8)


def product(encoder: Encoder, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    a, b = (encoder.polynomials(encoder.encode(v)) for v in (x, y))
    return PLAIN.multiply(a, b)


@given(vectors)
def test_coefficients_and_slots_return_what_they_hold(x: list[int]) -> None:
    v = np.array(x, float) / 4
    for encoder in (CoefficientEncoder(PLAIN), SlotEncoder(PLAIN)):
        plain = encoder.encode(v, 4)
        assert plain.magnitude == np.abs(x).max()
        assert np.array_equal(encoder.decode(encoder.polynomials(plain), len(x), 4), v)


@given(vectors, vectors)
def test_slots_multiply_entry_by_entry(x: list[int], y: list[int]) -> None:
    n = min(len(x), len(y))
    a, b = np.array(x[:n], float), np.array(y[:n], float)
    encoder = SlotEncoder(PLAIN)
    assert np.array_equal(encoder.decode(product(encoder, a, b), n), a * b)


def test_automorphism_rotates_slots_with_their_period() -> None:
    encoder = SlotEncoder(PLAIN)
    v = np.arange(8.0)
    m = encoder.polynomials(encoder.encode(v))
    assert np.array_equal(encoder.decode(PLAIN.automorphism(m, 3**3 % (2 * N)), 8), np.roll(v, -3))


def test_slots_fill_both_rows() -> None:
    encoder = SlotEncoder(PLAIN)
    assert sorted(encoder.places) == list(range(N))
    slots = PLAIN.residues(np.arange(N))
    assert np.array_equal(encoder.to_slots(encoder.from_slots(slots)), slots)
    swapped = encoder.to_slots(PLAIN.automorphism(encoder.from_slots(slots), 2 * N - 1))
    assert np.array_equal(swapped, np.roll(slots, N // 2, axis=-1))


@given(numbers, numbers)
def test_fractions_multiply_and_add(x: float, y: float) -> None:
    encoder = FractionalEncoder(PLAIN, 10)
    a, b = (round(v * 1024) / 1024 for v in (x, y))
    assert encoder.decode(encoder.polynomials(encoder.encode(np.array([x])))[0], 1, 1, 10, 7) == a
    m = product(encoder, np.array([a]), np.array([b]))
    assert encoder.decode(m, 1, 1, 20, 14)[0] == a * b
    total = PLAIN.add(*(encoder.polynomials(encoder.encode(np.array([v]))) for v in (a, b)))
    assert encoder.decode(total, 1, 1, 10, 7)[0] == a + b


def test_a_power_of_the_base_moves_digits_and_enlarges_none() -> None:
    encoder = FractionalEncoder(PLAIN, 6)
    m = encoder.polynomials(encoder.encode(np.array([5.625])))
    moved = PLAIN.shift(m, -3)
    assert np.abs(PLAIN.lift(moved)).max() == 1
    assert encoder.decode(moved, 1, 1, 9, 3)[0] == 5.625 / 8


@pytest.mark.parametrize("k", [-130, -70, 70, 130])
def test_digits_that_were_moved_round_the_ring_keep_their_signs(k: int) -> None:
    encoder = FractionalEncoder(PLAIN, 6)
    moved = PLAIN.shift(encoder.polynomials(encoder.encode(np.array([5.625]))), k)
    assert encoder.decode(moved, 1, 1, 6 - k, 3 + k)[0] == 5.625 * 2.0**k


def test_fractions_break_where_they_meet_the_integers() -> None:
    """Digits that pass X^(N/2) from both sides: the product is another number, and nothing shows it."""
    encoder = FractionalEncoder(PLAIN, 31)
    x = np.array([1.0 + 2.0**-31])
    m, value, low = encoder.polynomials(encoder.encode(x)), 1.0, 0
    for _ in range(2):
        m, low = PLAIN.multiply(m, m), 2 * (low or 31)
    value = (x[0] ** 2) ** 2
    assert low > N
    assert encoder.decode(m, 1, 1, N - 8, 7)[0] != pytest.approx(value, abs=1e-12)


def test_fractions_break_where_a_digit_passes_half_of_t() -> None:
    small = ring(N, (257,))
    encoder = FractionalEncoder(small, 4)
    m = encoder.polynomials(encoder.encode(np.array([1.0])))
    assert encoder.decode(small.scale(m, 128), 1, 1, 4, 3)[0] == 128
    assert encoder.decode(small.scale(m, 129), 1, 1, 4, 3)[0] == 129 - 257


@given(st.integers(-(10**6), 10**6), st.integers(2, 10))
def test_integer_encoder(x: int, base: int) -> None:
    encoder = IntegerEncoder(PLAIN, base)
    plain = encoder.encode(np.array([float(x)]))
    assert plain.magnitude < base and plain.low == 0
    assert encoder.decode(encoder.polynomials(plain), 1, 1, 0, plain.high)[0] == x


@given(st.floats(1e-6, 1e3), st.integers(2, 10))
def test_signed_powers(factor: float, base: int) -> None:
    pairs = FractionalEncoder(PLAIN, 4, base).signed_powers(factor)
    assert sum(d * float(base) ** k for d, k in pairs) == pytest.approx(factor, rel=1 / 1024)
    if base == 2:
        places = [k for _, k in pairs]
        assert all(b - a > 1 for a, b in zip(places, places[1:], strict=False)) and {abs(d) for d, _ in pairs} == {1}


@pytest.mark.parametrize("k", range(0, 30, 5))
def test_powers_of_two_are_one_digit(k: int) -> None:
    assert FractionalEncoder(PLAIN, 4).signed_powers(2.0**-k) == [(1, -k)]
    n, shift = dyadic(np.array(2.0**-k))
    assert (n.item(), shift) == (1, k)


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=5))
def test_dyadic_is_near(factors: list[float]) -> None:
    f = np.array(factors)
    n, k = dyadic(f)
    assert n / 2.0**k == pytest.approx(f, rel=1 / 1024)


def test_factors_of_very_different_size_are_refused() -> None:
    with pytest.raises(ParameterError, match="do not share a scale"):
        dyadic(np.array([1e-10, 1e10]))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ParameterError, match="plaintext modulus allows"):
        CoefficientEncoder(PLAIN).encode(np.array([1e30]))
    with pytest.raises(ParameterError, match="1 to 64 numbers"):
        CoefficientEncoder(PLAIN).encode(np.zeros(N + 1))
    with pytest.raises(ParameterError, match="1 to 32 numbers"):
        SlotEncoder(PLAIN).encode(np.zeros(N // 2 + 1))
    with pytest.raises(ParameterError, match="has 84 digits"):
        FractionalEncoder(PLAIN, 20).encode(np.array([2.0**63]))
    for digits, base in ((N // 2, 2), (-1, 2), (3, 1)):
        with pytest.raises(ParameterError, match="expected a base"):
            FractionalEncoder(PLAIN, digits, base)


def test_large_numbers_are_exact() -> None:
    big = ring(N, find_primes(N, 30, 6))
    encoder = CoefficientEncoder(big)
    v = np.array([2.0**100, -(2.0**99)])
    assert np.array_equal(encoder.decode(encoder.polynomials(encoder.encode(v)), 2), v)
