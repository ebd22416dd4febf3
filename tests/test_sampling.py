"""Randomness: ranges, shapes, repeatability and rough shapes of the distributions."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri

from encnn.arithmetic.sampling import TAIL, Randomness, for_key
from encnn.errors import ParameterError

SOURCES = {
    "system": lambda: Randomness(),
    "generator": lambda: Randomness(np.random.default_rng(5)),
    "bulk": lambda: Randomness.in_bulk(),
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


def test_ternary_numbers_are_uniform(source):
    drawn = source.ternary((40, 501))
    assert drawn.dtype == np.int8 and drawn.shape == (40, 501)
    counts = np.bincount(drawn.ravel() + 1, minlength=4)
    assert counts[3] == 0 and np.abs(counts[:3] - drawn.size / 3).max() < 6 * np.sqrt(drawn.size * 2 / 9)
    pairs = np.bincount((3 * (drawn[:, :-1] + 1) + drawn[:, 1:] + 1).ravel(), minlength=9)
    assert np.abs(pairs / drawn[:, 1:].size - 1 / 9).max() < 0.015


def test_ternary_digits_come_from_every_number_below_nine_times_3_to_the_8():
    """Words beyond it are drawn again, so that all remainders are as likely."""
    source = Randomness()
    words = np.arange(1 << 16).astype(np.uint16)
    source._words = lambda count: words.view(np.uint64)
    digits = source.ternary((9 * 3**8, 8))
    assert np.array_equal(np.bincount((digits.astype(int) + 1) @ 3 ** np.arange(8)), np.full(3**8, 9))


@pytest.mark.parametrize("sigma", [0.5, 3.2, 15.0, 40.0])
def test_small_gaussian_has_the_distribution_of_the_gaussian(source, sigma):
    """Value by value, up to six deviations of the counts, and in both tails."""
    e, n = source.small_gaussian(sigma, (100, 2000)).astype(int).ravel(), 200_000
    k = np.arange(-int(9 * sigma), int(9 * sigma) + 1)
    p = ndtr((k + 0.5) / sigma) - ndtr((k - 0.5) / sigma)
    counts = np.bincount(e - k[0], minlength=len(k))
    assert np.abs(counts - n * p).max() < 6 * np.sqrt(n * p.max()) and (np.abs(counts - n * p) < 6 * np.sqrt(n * p) + 6).all()
    assert np.abs(e).max() <= TAIL * sigma + 0.5


def test_small_gaussian_is_the_rounded_quantile_of_its_bits():
    """The first 16 bits and, where they do not decide, the 36 that follow."""
    source, later = Randomness(), (1 << 36) - 5
    for first in (*range(0, 1 << 16, 977), 0, (1 << 16) - 1):
        drawn = [np.full(1, first, np.uint64), np.full(1, later << 28, np.uint64)]
        source._words = lambda count, drawn=drawn: drawn.pop(0)[:count]
        u = (first + (later + 0.5) * 2.0**-36) * 2.0**-16
        assert source.small_gaussian(3.2, (1,))[0] == np.rint(3.2 * ndtri(u))


def test_streams_for_real_keys_are_never_seeded():
    for_key(True, np.random.default_rng(1)).token()
    for_key(False, None, bulk=True).token()
    with pytest.raises(ParameterError, match="leave out rng"):
        for_key(False, np.random.default_rng(1))
