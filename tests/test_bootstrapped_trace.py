"""The trace: exact reference, numpy and compiled loops; what it keeps and removes; what it adds, coefficient by coefficient."""

import math

import numpy as np
import pytest
from bootstrapped_keys import NAME, ONE_LEVEL, TINY, TWO_LEVEL, needs_numba, polynomials, random_words, rms, typical_secret
from hypothesis import given
from hypothesis import strategies as st

from encnn.arithmetic.sampling import TAIL, Randomness
from encnn.schemes.bootstrapped import BOOTSTRAP_TOY, ONE_LEVEL_128, TWO_LEVEL_128, engine, noise, transform
from encnn.schemes.bootstrapped.trace import (
    TraceKey,
    automorphism,
    exponents,
    fraction_digits,
    make_trace_key,
    pack,
    trace,
    trace_exact,
    trace_numpy,
    unit,
)

SHORT = {"trace_bits": 3, "trace_levels": 4}
"""Digits so short that sums of products are exact in float64, under a key of few bits (`UpperHalves`)."""


class UpperHalves(TraceKey):
    """A key rounded to multiples of 2^32."""

    def integers(self):
        return super().integers() >> 32 << 32


def key_of(p, seed=1, kind=TraceKey):
    rng = np.random.default_rng(seed)
    secret = typical_secret(p, rng)
    key = make_trace_key(p, polynomials(secret), Randomness(rng))
    return secret, kind(p, key.seed, key.bodies)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


# Automorphisms


@given(st.data(), st.sampled_from([2, 4, 16, 64]))
def test_automorphisms_keep_products(data, N):
    p = np.array(data.draw(st.lists(st.integers(-9, 9), min_size=N, max_size=N)))
    q = np.roll(p, 1) - 3
    for d in exponents(N):
        product = transform.schoolbook(automorphism(p, d), automorphism(q, d))
        np.testing.assert_array_equal(automorphism(transform.schoolbook(p, q), d), product)


@pytest.mark.parametrize("N", [2, 8, 64])
def test_an_automorphism_turns_x_to_a_power_of_it(N):
    X = np.eye(N, dtype=np.int64)
    for d in range(1, 2 * N, 2):
        for j in range(N):
            np.testing.assert_array_equal(automorphism(X[j], d), transform.monomial_product(X[0], np.array(j * d)))


def test_a_trace_in_the_clear_keeps_the_constant_times_n_and_cancels_the_rest(rng):
    p = rng.integers(-99, 99, (3, 32))
    for d in exponents(32):
        p = p + automorphism(p, d)
    assert not p[:, 1:].any() and p[:, 0].all()


# Digits


@given(st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=9), st.integers(1, 14), st.integers(1, 3))
def test_digits_make_up_the_fraction_but_for_half_of_the_last_one(numbers, bits, levels):
    x = np.rint(np.array(numbers) / unit(1024)) * unit(1024)
    digits = list(fraction_digits(x, bits, levels))
    total = sum(d * 2.0 ** (-bits * (t + 1)) for t, d in enumerate(digits))
    assert np.abs(x - total).max() <= 2.0 ** (-bits * levels) / 2
    assert max(np.abs(d).max() for d in digits) <= 2 ** (bits - 1)
    assert all((d == np.rint(d)).all() for d in digits)


@pytest.mark.parametrize(("bits", "levels"), [(12, 3), (10, 4), (3, 5)])
def test_digits_have_mean_zero_and_the_mean_square_of_the_formula(bits, levels, rng):
    x = rng.integers(-(2**41), 2**41, 200_000) * unit(1024)
    for digit in fraction_digits(x, bits, levels):
        assert abs(digit.mean()) < 4 * digit.std() / math.sqrt(len(x))
        assert np.mean(digit**2) == pytest.approx(noise._digit_square(bits), rel=0.02)


@pytest.mark.parametrize("p", [BOOTSTRAP_TOY, ONE_LEVEL_128, TWO_LEVEL_128, BOOTSTRAP_TOY.updated(trace_bits=3)], ids=NAME)
def test_digits_of_the_first_step_are_those_of_small_masks(p, rng):
    x = random_words(rng, (100_000,)) * unit(p.N)
    squares = sum(np.mean(d**2) for d in fraction_digits(x, p.trace_bits, p.trace_levels))
    assert squares == pytest.approx(noise._first_digits(p), rel=0.02)


# Reference, numpy, compiled


@pytest.mark.parametrize("p", [TINY, TINY.updated(d=64, k=1)], ids=NAME)
def test_numpy_equals_the_exact_reference_where_float64_is_exact(p, rng):
    _, key = key_of(p.updated(**SHORT), kind=UpperHalves)
    acc = random_words(rng, (4, p.k + 1, p.N))
    exact = trace_exact(key, acc)
    np.testing.assert_array_equal(trace_numpy(key, acc), exact)
    assert exact.any(axis=(1, 2)).all()


@needs_numba
@pytest.mark.parametrize("levels", [1, 2, 4, 5])
def test_compiled_loops_equal_numpy_where_float64_is_exact(levels, rng):
    _, key = key_of(ONE_LEVEL.updated(trace_bits=3, trace_levels=levels), kind=UpperHalves)
    acc = random_words(rng, (5, 3, 1024))
    acc[0], acc[1], acc[2, 1:] = 2**31 - 1, -(2**31), 0
    np.testing.assert_array_equal(trace(key, acc), trace_numpy(key, acc))


@needs_numba
def test_the_batch_does_not_matter(rng):
    _, key = key_of(ONE_LEVEL)
    acc = random_words(rng, (5, 3, 1024))
    together = trace(key, acc)
    for i in range(5):
        np.testing.assert_array_equal(trace(key, acc[i : i + 1])[0], together[i])
    assert trace(key, acc[:0]).shape == (0, 3, 1024)


@pytest.mark.parametrize("p", [TINY, BOOTSTRAP_TOY], ids=NAME)
def test_a_key_encrypts_turned_secrets_times_the_gadget(p):
    secret, key = key_of(p)
    S, K = polynomials(secret), key.integers()
    for s, d in enumerate(exponents(p.N)):
        for j in range(p.k):
            for t in range(p.trace_levels):
                phase = K[s, j, t, 0] + sum(transform.schoolbook(S[i], K[s, j, t, 1 + i]) for i in range(p.k))
                error = phase - automorphism(S[j], d) * (1 << (64 - p.trace_bits * (t + 1)))
                assert 0 < np.abs(error).max() <= TAIL * p.glwe_sigma * 2.0**64 + 1
    assert key.nbytes == key.transforms.nbytes


@needs_numba
def test_compiled_packing_equals_numpys_where_float64_is_exact(rng, monkeypatch):
    _, key = key_of(ONE_LEVEL.updated(**SHORT), kind=UpperHalves)
    acc = random_words(rng, (37, 3, 1024))
    by_loops = pack(key, acc)
    monkeypatch.setattr(engine, "compiled", lambda N, k=2: None)
    np.testing.assert_array_equal(by_loops, pack(key, acc))


# What it does


@pytest.mark.parametrize("count", [1, 2, 37, 64])
def test_packing_puts_each_constant_in_its_place(count, rng):
    p = TINY.updated(glwe_sigma=0.0, trace_bits=4, trace_levels=10)
    secret, key = key_of(p)
    acc = random_words(rng, (count, p.k + 1, p.N))
    found = secret.glwe_phase(pack(key, acc)[None])[0]
    found[:count] -= secret.glwe_phase(acc)[:, 0]
    assert np.abs(found).max() <= (1 + p.d) / 2  # the rounding to 2^-32 alone


@pytest.mark.parametrize("p", [BOOTSTRAP_TOY, ONE_LEVEL, TWO_LEVEL], ids=NAME)
def test_packing_adds_to_each_number_what_a_trace_adds_to_one(p, rng):
    squares = []
    for seed in range(5):
        secret, key = key_of(p, seed)
        acc = random_words(rng, (p.N, p.k + 1, p.N))
        error = secret.glwe_phase(pack(key, acc)[None])[0] - secret.glwe_phase(acc)[:, 0]
        squares.append((error * 2.0**-32) ** 2)
    assert np.mean(squares) == pytest.approx(noise.trace(p)[0], rel=0.2)


@pytest.mark.parametrize("p", [TINY, BOOTSTRAP_TOY, ONE_LEVEL, TWO_LEVEL], ids=NAME)
def test_the_constant_is_kept_and_nothing_else(p, rng):
    secret, key = key_of(p)
    acc = random_words(rng, (6, p.k + 1, p.N))
    errors = trace_errors(secret, key, acc)
    assert 0 < rms(errors[:, 0]) and (np.abs(errors) < TAIL * np.sqrt(noise.trace(p))).all()


def test_without_noise_it_is_exact_up_to_rounding(rng):
    p = TINY.updated(glwe_sigma=0.0, trace_bits=4, trace_levels=10)  # 40 bits: more than there are
    secret, key = key_of(p)
    errors = trace_errors(secret, key, random_words(rng, (6, p.k + 1, p.N)))
    assert np.abs(errors).max() * 2.0**32 <= (1 + p.d) / 2


def trace_errors(secret, key, acc):
    """Phases of traces minus what they ought to be, as fractions of the torus, shape (B, N)."""
    found = secret.glwe_phase(trace(key, acc))
    found[:, 0] -= secret.glwe_phase(acc)[:, 0]
    return found * 2.0**-32


def by_valuation(squares):
    """Means over coefficients 0, and those with 2^v as the largest power of two in them, v = 0, 1, ..."""
    N = squares.shape[-1]
    groups = [np.array([0]), *(np.arange(1 << v, N, 2 << v) for v in range(N.bit_length() - 1))]
    return np.array([squares[..., j].mean() for j in groups])


def measured_over_predicted(p, count, keys=5):
    squares = []
    for seed in range(keys):
        secret, key = key_of(p, seed)
        acc = random_words(np.random.default_rng(seed), (count, p.k + 1, p.N))
        squares.append(trace_errors(secret, key, acc) ** 2)
    return by_valuation(np.concatenate(squares).mean(axis=0)) / by_valuation(noise.trace(p))


@pytest.mark.parametrize("p", [BOOTSTRAP_TOY, ONE_LEVEL, TWO_LEVEL], ids=NAME)
def test_noise_by_valuation(p):
    ratios = measured_over_predicted(p, 250)
    assert len(ratios) == p.N.bit_length() and ((ratios > 0.8) & (ratios < 1.25)).all(), ratios


@pytest.mark.parametrize(
    "changes",
    [{"glwe_sigma": 2.0**-36}, {"trace_bits": 5}],
    ids=["noise of the key", "what digits leave away"],
)
def test_every_term_of_the_noise(changes):
    p = BOOTSTRAP_TOY.updated(**changes)
    assert noise.trace(p)[0] > 4 * noise.trace(BOOTSTRAP_TOY)[0]
    ratios = measured_over_predicted(p, 250)
    assert ((ratios > 0.8) & (ratios < 1.25)).all(), ratios


@needs_numba
@pytest.mark.parametrize("numpy_only", [False, True])
def test_float64_where_it_rules(numpy_only, monkeypatch):
    if numpy_only:
        monkeypatch.setattr(engine, "compiled", lambda N, k=2: None)
    ratios = measured_over_predicted(ONE_LEVEL.updated(glwe_sigma=0.0, trace_bits=20, trace_levels=2), 60)
    few = slice(1, 7)  # of higher ones there are too few coefficients
    assert ((ratios[few] > 0.8) & (ratios[few] < 1.25)).all(), ratios


def test_a_key_leaves_no_error_of_its_own():
    """One that all errors of training would share, and that would move all weights to one side."""
    for seed in range(4):
        secret, key = key_of(ONE_LEVEL, seed)
        errors = trace_errors(secret, key, random_words(np.random.default_rng(seed), (400, 3, 1024)))[:, 0]
        assert abs(errors.mean()) < 3.5 * errors.std() / math.sqrt(400)


@pytest.mark.parametrize("p", [ONE_LEVEL_128, TWO_LEVEL_128], ids=NAME)
def test_presets_add_little_to_a_bootstrap(p):
    assert noise.trace(p)[0] < 0.15 * noise.rotation(p)
    assert noise.error_deviation(p) < 1.08 * noise.output_deviation(p)
