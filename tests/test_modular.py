"""Arithmetic modulo powers of two, against Python integers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encnn.arithmetic.modular import centred, rounded_product

EDGES = [0, 1, -1, (1 << 63) - 1, -(1 << 63), 1 << 32, -(1 << 32), (1 << 32) - 1, (1 << 31), -(1 << 31)]
INT64 = st.integers(-(1 << 63), (1 << 63) - 1) | st.sampled_from(EDGES)


def wrapped(number, bits=64):
    return (number + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))


@given(st.lists(INT64, min_size=1), st.integers(1, 64))
def test_centred_is_the_representative_nearest_zero(x, q_bits):
    found = centred(np.array(x, dtype=np.int64), q_bits)
    assert found.dtype == np.int64
    assert found.tolist() == [wrapped(number, q_bits) for number in x]


@given(INT64, INT64, st.integers(0, 63))
def test_rounded_product_is_the_rounded_128_bit_product(a, b, shift):
    half = 1 << (shift - 1) if shift else 0
    expected = wrapped((a * b + half) >> shift)
    assert rounded_product(np.array([a]), np.array([b]), shift).tolist() == [expected]


@pytest.mark.parametrize("shift", [0, 1, 31, 32, 44, 63])
def test_rounded_product_at_all_pairs_of_edges(shift):
    left, right = np.array(EDGES)[:, None], np.array(EDGES)[None, :]
    half = 1 << (shift - 1) if shift else 0
    expected = [[wrapped((a * b + half) >> shift) for b in EDGES] for a in EDGES]
    assert rounded_product(left, right, shift).tolist() == expected


def test_sums_and_products_may_wrap_before_they_are_reduced():
    a, b = np.array([(1 << 62) + 3]), np.array([(1 << 62) + 5])
    assert centred(a * 7 + b * 9, 32).tolist() == [wrapped(int(a[0]) * 7 + int(b[0]) * 9, 32)]
