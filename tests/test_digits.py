"""Digits of ciphertexts and powers of keys: equations (4)-(6)."""

import numpy as np
import pytest
import slow_scheme
from hypothesis import given, settings
from hypothesis import strategies as st

from encnn.arithmetic.digits import digit_bound, digits, expand_key, largest

BASES = [(1, 64, False), (1, 48, False), (8, 8, False), (8, 8, True), (8, 4, True), (16, 4, True), (32, 2, True), (2, 32, True),
         (18, 3, True), (16, 2, True), (7, 9, True), (7, 8, False), (5, 7, True)]  # fmt: skip
INT64 = st.integers(-(1 << 63), (1 << 63) - 1)


def value(d, base_bits):
    number = 0
    for digit in d:
        number = (number << base_bits) + int(digit)
    return number


@pytest.mark.parametrize("base_bits, n_digits, balanced", BASES)
@settings(max_examples=30)
@given(data=st.data())
def test_digits_are_those_of_the_slow_oracle_and_recompose(base_bits, n_digits, balanced, data):
    limit = largest(base_bits, n_digits, balanced)
    c = data.draw(st.lists(st.integers(-limit, limit) | st.sampled_from([limit, -limit, 0]), min_size=1, max_size=4))
    found = digits(np.array(c), base_bits, n_digits, balanced).reshape(len(c), n_digits)
    assert found.tolist() == [slow_scheme.digits(x, base_bits, n_digits, balanced) for x in c]
    assert [value(d, base_bits) for d in found] == c
    assert np.abs(found).max() <= digit_bound(base_bits, balanced)


@pytest.mark.parametrize("base_bits, n_digits, balanced", BASES)
@settings(max_examples=30)
@given(c=INT64)
def test_digits_of_any_int64_recompose_modulo_the_power_they_hold(base_bits, n_digits, balanced, c):
    d = digits(np.array([c]), base_bits, n_digits, balanced)
    assert (value(d, base_bits) - c) % (1 << base_bits * n_digits) == 0
    assert np.abs(d).max() <= digit_bound(base_bits, balanced)


@pytest.mark.parametrize("base_bits, n_digits, balanced", [b for b in BASES if b[0] * b[1] < 63])
def test_largest_is_the_edge(base_bits, n_digits, balanced):
    limit = largest(base_bits, n_digits, balanced)
    assert value(digits(np.array([limit]), base_bits, n_digits, balanced), base_bits) == limit
    assert value(digits(np.array([limit + 1]), base_bits, n_digits, balanced), base_bits) != limit + 1


@pytest.mark.parametrize("base_bits, n_digits, balanced", BASES)
@settings(max_examples=30)
@given(seed=st.integers(0, 2**32))
def test_equation_6_the_inner_products_agree_modulo_2_64(base_bits, n_digits, balanced, seed):
    rng = np.random.default_rng(seed)
    limit = largest(base_bits, n_digits, balanced)
    S = rng.integers(-(1 << 63), 1 << 63, (2, 3), dtype=np.int64)
    c = rng.integers(-limit, limit + 1, 3, dtype=np.int64)
    assert np.array_equal(expand_key(S, base_bits, n_digits) @ digits(c, base_bits, n_digits, balanced), S @ c)


def test_equation_5_known_answer_of_the_paper():
    S = np.array([[1, 2], [5, 4]])
    assert expand_key(S, 1, 3).tolist() == [[4, 2, 1, 8, 4, 2], [20, 10, 5, 16, 8, 4]]


def test_equation_6_in_exact_integers_for_the_paper_example():
    S, c = np.array([[1, 2], [5, 4]]), np.array([3, -6])
    assert (expand_key(S, 1, 3) @ digits(c, 1, 3)).tolist() == [1 * 3 - 2 * 6, 5 * 3 - 4 * 6]


@pytest.mark.parametrize("base_bits, n_digits, balanced", BASES)
def test_layout_of_the_memory_does_not_matter(base_bits, n_digits, balanced):
    c = np.random.default_rng(1).integers(-1000, 1000, (3, 4, 5)) % largest(base_bits, n_digits, balanced)
    expected = digits(c, base_bits, n_digits, balanced)
    assert expected.shape == (3, 4, 5 * n_digits)
    for other in (np.asfortranarray(c), c[::-1][::-1], np.ascontiguousarray(c.T).T, np.repeat(c, 2, axis=-1)[..., ::2]):
        assert np.array_equal(digits(other, base_bits, n_digits, balanced), expected)


@pytest.mark.parametrize("base_bits, n_digits, balanced", BASES)
def test_digits_do_not_change_their_argument(base_bits, n_digits, balanced):
    c = np.array([[5, -7], [0, 1]])
    digits(c, base_bits, n_digits, balanced)
    assert c.tolist() == [[5, -7], [0, 1]]
