"""Randomness: ranges, shapes, repeatability and rough shapes of the distributions."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encnn.arithmetic.sampling import TAIL, Randomness

SOURCES = {
    "system": lambda: Randomness(),
    "generator": lambda: Randomness(np.random.default_rng(5)),
    "shake": lambda: Randomness.from_public_seed(b"a public seed"),
}


@pytest.fixture(params=SOURCES)
def source(request):
    return SOURCES[request.param]()


def test_only_a_passed_generator_makes_experimental_keys():
    assert Randomness(np.random.default_rng(1)).experimental
    assert not Randomness().experimental
    assert not Randomness.from_public_seed(b"seed").experimental


@pytest.mark.parametrize("bits", [1, 7, 32, 54, 64])
def test_words_are_uniform_modulo_2_bits(source, bits):
    drawn = source.words((4000,), bits)
    assert drawn.dtype == np.int64 and drawn.shape == (4000,)
    half = 2.0 ** (bits - 1)
    assert -half <= drawn.min() and drawn.max() <= half - 1
    sd = half / np.sqrt(3 * 4000)
    assert abs(drawn.astype(float).mean() + 0.5) < 6 * sd + 0.5
    for bit in range(bits):
        assert abs((drawn >> bit & 1).sum() - 2000) < 6 * np.sqrt(1000)


@pytest.mark.parametrize("low, high", [(-1, 2), (0, 10), (-3, -2), (0, 3 << 61), (-(1 << 62), 1 << 62)])
def test_integers_fill_their_range(source, low, high):
    drawn = source.integers(low, high, (3, 1000))
    assert drawn.shape == (3, 1000) and drawn.min() >= low and drawn.max() < high
    sd = (high - low) / np.sqrt(12 * 3000)
    assert abs(drawn.astype(float).mean() - (low + high - 1) / 2) <= 6 * sd
    if high - low < 100:
        assert set(np.unique(drawn)) == set(range(low, high))


def test_integers_reject_what_would_bias_them():
    """Of 2^64 words, those beyond the last multiple of 3 * 2^61 are drawn again: 2 * 3 * 2^61 <= word < 2^64."""
    source = Randomness()
    stream = [np.array([1, (1 << 64) - 1, 5], np.uint64), np.array([6 << 61], np.uint64), np.array([(6 << 61) - 1], np.uint64)]
    source._words = lambda count: stream.pop(0)
    assert source.integers(0, 3 << 61, (3,)).tolist() == [1, (3 << 61) - 1, 5]
    assert stream == []


@pytest.mark.parametrize("sigma", [0.5, 3.2, 1000.0])
def test_gaussian_has_its_moments_and_its_bound(source, sigma):
    e = source.gaussian(sigma, (20, 1000))
    assert e.dtype == np.int64 and e.shape == (20, 1000)
    assert abs(e.mean()) < 6 * sigma / np.sqrt(20000)
    assert abs(e.var() / (sigma**2 + 1 / 12) - 1) < 0.08
    assert np.abs(e).max() <= TAIL * sigma + 0.5


def test_gaussian_bound_holds_at_the_extreme_words():
    source = Randomness()
    source._words = lambda count: np.array([0, (1 << 64) - 1], dtype=np.uint64)
    low, high = source.gaussian(1e6, (2,))
    assert low == -high and 0.98 * TAIL * 1e6 < high <= TAIL * 1e6 + 0.5


def test_zero_sigma_is_exactly_zero(source):
    assert not source.gaussian(0.0, (100,)).any()


@given(st.binary(max_size=40), st.lists(st.integers(0, 50), max_size=6))
def test_shake_stream_does_not_depend_on_how_it_is_cut(seed, cuts):
    whole = Randomness.from_public_seed(seed).words((sum(cuts),))
    stream = Randomness.from_public_seed(seed)
    assert np.array_equal(np.concatenate([stream.words((cut,)) for cut in cuts] + [np.empty(0, np.int64)]), whole)


def test_shake_stream_is_shake_128_in_counter_mode():
    blocks = [hashlib.shake_128(b"seed" + i.to_bytes(8, "little")).digest(1 << 14) for i in range(2)]
    expected = np.frombuffer(b"".join(blocks), "<i8")
    assert np.array_equal(Randomness.from_public_seed(b"seed").words((1 << 12,)), expected)


def test_generator_repeats_and_system_does_not():
    assert Randomness(np.random.default_rng(3)).token() == Randomness(np.random.default_rng(3)).token()
    assert Randomness().token() != Randomness().token()
    assert len(Randomness().token()) == 16


def test_empty_shapes(source):
    assert source.words((0, 3)).shape == (0, 3)
    assert source.integers(0, 5, (0,)).shape == (0,)
