"""A bootstrap step by step: digits, key switch, blind rotation, extraction, tables, and all of it together.

The exact reference (integers, products by the schoolbook) against numpy against the compiled loops; then what each step does to
the phase, which only the owner sees.
"""

import math
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from bootstrapped_keys import (
    NAME,
    ONE_LEVEL,
    TINY,
    TWO_LEVEL,
    UpperHalves,
    glwe_phase,
    needs_numba,
    polynomials,
    random_words,
    rms,
    typical_secret,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from encnn.arithmetic import row_sums as kernels
from encnn.arithmetic.placement import PAGE
from encnn.arithmetic.sampling import TAIL
from encnn.errors import ParameterError, SpeedWarning
from encnn.schemes.bootstrapped import BOOTSTRAP_TOY, BootstrappedSecretKey, engine, make_table, noise, read_table, transform
from encnn.schemes.bootstrapped.blocks import extract
from encnn.schemes.bootstrapped.bootstrap import BootstrapKey, bootstrap, rotated_table
from encnn.schemes.bootstrapped.rotation import (
    RotationKey,
    blind_rotate,
    blind_rotate_exact,
    blind_rotate_numpy,
    decompose,
    round_and_decompose,
)
from encnn.schemes.bootstrapped.switching import switch_key, switch_key_numpy, to_positions

FEW = settings(max_examples=25)
int32s = st.integers(-(2**31), 2**31 - 1) | st.sampled_from([-(2**31), 2**31 - 1, -1, 0, 1, 2**30])


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def keys(p, seed=1):
    secret = typical_secret(p, np.random.default_rng(seed))
    return secret, secret.bootstrap_key()


def rounded(key: RotationKey) -> UpperHalves:
    return UpperHalves(key.parameters, key.seed, key.bodies)


def by_numpy(monkeypatch):
    monkeypatch.setattr(engine, "compiled", lambda N, k=2: None)


# Digits


@st.composite
def digit_sizes(draw):
    bits = draw(st.integers(1, 31))
    return bits, draw(st.integers(1, 31 // bits))


@settings(max_examples=150)
@given(st.lists(int32s, min_size=1, max_size=20), digit_sizes())
def test_digits_make_up_the_number_but_for_half_of_the_last_one(numbers, sizes):
    bits, levels = sizes
    a = np.array(numbers, np.int32)
    digits = decompose(a, bits, levels)
    assert digits.dtype == np.int32 and digits.shape == (levels, len(a))
    gadget = [1 << (32 - bits * (t + 1)) for t in range(levels)]
    total = sum(g * d.astype(np.int64) for g, d in zip(gadget, digits, strict=True))
    left = (a - total).astype(np.int32).astype(np.int64)
    assert np.abs(left).max() <= gadget[-1] // 2
    half = 1 << (bits - 1)
    assert -half <= digits.min() and digits.max() <= half


@pytest.mark.parametrize(("bits", "levels"), [(4, 2), (3, 5), (8, 1), (10, 2), (15, 2), (23, 1)])
def test_what_digits_leave_away_has_no_bias(bits, levels):
    """Every remainder occurs once, beside an odd and an even last digit: halves cancel since they go to even ones."""
    shift = 32 - bits * levels
    step = max(1, (1 << shift) // 4096)
    a = (np.arange(0, 2 << shift, step) - (5 << shift)).astype(np.int32)
    digits = decompose(a, bits, levels)
    gadget = np.array([1 << (32 - bits * (t + 1)) for t in range(levels)])
    left = (a - np.tensordot(gadget, digits.astype(np.int64), axes=1)).astype(np.int32)
    assert left.astype(np.int64).sum() == 0
    assert rms(left * 2.0**-32) == pytest.approx(math.sqrt(noise._rounding(bits * levels)), rel=1e-3)


@pytest.mark.parametrize(("bits", "levels"), [(3, 5), (4, 2), (7, 3), (10, 2), (15, 2)])
def test_digits_have_mean_zero_and_the_mean_square_of_the_formula(bits, levels):
    """A mean of 1/2 would leave the same error, half the sum of a key's noises, in every result."""
    a = random_words(np.random.default_rng(1), (200_000,))
    for digit in decompose(a, bits, levels):
        assert abs(digit.mean()) < 4 * digit.std() / math.sqrt(len(a))
        assert np.mean(digit.astype(float) ** 2) == pytest.approx(noise._digit_square(bits), rel=0.02)


# Key switch


@needs_numba
@pytest.mark.parametrize("p", [ONE_LEVEL, ONE_LEVEL.updated(n=18, block=2, switch_bits=7), TWO_LEVEL], ids=NAME)
def test_the_compiled_key_switch_is_numpys(p, rng):
    _, key = keys(p)
    ciphertexts = random_words(rng, (9, 1 + p.d))
    ciphertexts[0], ciphertexts[1], ciphertexts[2] = 2**31 - 1, -(2**31), 0
    np.testing.assert_array_equal(switch_key(key.switch, ciphertexts), switch_key_numpy(key.switch, ciphertexts))
    np.testing.assert_array_equal(switch_key(key.switch, ciphertexts[3:4]), switch_key(key.switch, ciphertexts)[3:4])


@pytest.mark.parametrize("p", [BOOTSTRAP_TOY, ONE_LEVEL], ids=NAME)
def test_the_key_switch_keeps_phases(p, rng):
    secret, key = keys(p)
    ciphertexts = random_words(rng, (50, 1 + p.d))
    small = switch_key(key.switch, ciphertexts)
    assert small.dtype == np.int32 and small.shape == (50, 1 + p.n)
    moved = secret.small_phase(small) * 2.0**-p.z_bits - secret.torus_phase(ciphertexts)
    moved -= np.rint(moved)
    assert 0 < np.abs(moved).max() < 6 * math.sqrt(noise.key_switch(p))


@pytest.mark.parametrize("p", [BOOTSTRAP_TOY, ONE_LEVEL], ids=NAME)
def test_masks_of_the_small_key_stay_as_they_are(p, rng):
    secret, key = keys(p)
    ciphertexts = random_words(rng, (5, 1 + p.d))
    ciphertexts[:, 1 + p.n :] = 0
    np.testing.assert_array_equal(switch_key(key.switch, ciphertexts), ciphertexts[:, : 1 + p.n])
    exact = secret.small_phase(ciphertexts[:, : 1 + p.n]) * 2.0**-p.z_bits - secret.torus_phase(ciphertexts)
    assert (exact == np.rint(exact)).all()


def test_a_switch_key_encrypts_what_the_small_key_lacks(rng):
    secret, key = keys(TINY)
    p = TINY
    rows = key.switch.rows[..., : 1 + p.n].reshape(-1, 1 + p.n)
    gadget = 2.0 ** (-p.switch_bits * np.arange(1, p.switch_levels + 1))
    found = (secret.small_phase(rows) * 2.0**-p.z_bits).reshape(p.d - p.n, p.switch_levels)
    error = found - secret.T(1)[0, p.n :, None] * gadget
    error -= np.rint(error)
    assert 0 < np.abs(error).max() <= TAIL * p.lwe_sigma + 2.0**-33
    assert key.switch.nbytes == key.switch.rows.nbytes


@FEW
@given(st.lists(int32s, min_size=1, max_size=20), st.sampled_from([4, 256, 1024]))
def test_positions_are_the_nearest_ones(numbers, N):
    small = np.array([numbers], np.int32)
    positions = to_positions(small, N)
    assert positions.min() >= 0 and positions.max() < 2 * N
    away = positions / (2 * N) - small * 2.0**-32
    assert np.abs(away - np.rint(away)).max() <= 0.5 / (2 * N)


# Blind rotation: reference, numpy, compiled


@pytest.mark.parametrize("p", [TINY, TINY.updated(d=64, k=1), TINY.updated(rotation_bits=6, rotation_levels=3)], ids=NAME)
def test_numpy_equals_the_exact_reference_where_float64_is_exact(p, rng):
    _, key = keys(p)
    acc = random_words(rng, (3, p.k + 1, p.N))
    exponents = rng.integers(0, 2 * p.N, (3, p.n))
    exact, fast = acc.copy(), acc.copy()
    blind_rotate_exact(rounded(key.rotation), exact, exponents)
    blind_rotate_numpy(rounded(key.rotation), fast, exponents)
    assert np.array_equal(fast, exact) and not np.array_equal(fast, acc)


@needs_numba
def test_compiled_loops_equal_the_exact_reference_where_float64_is_exact(rng):
    p = ONE_LEVEL.updated(n=2, block=2, rotation_bits=10)
    _, key = keys(p)
    acc = random_words(rng, (1, 3, p.N))
    exact, by_loops = acc.copy(), acc.copy()
    exponents = np.array([[1234, 77]])
    blind_rotate_exact(rounded(key.rotation), exact, exponents)
    blind_rotate(rounded(key.rotation), by_loops, exponents)
    assert np.array_equal(by_loops, exact) and not np.array_equal(by_loops, acc)


@needs_numba
@pytest.mark.parametrize(("block", "levels", "batch"), [(4, 2, 6), (5, 1, 7), (2, 3, 1), (10, 2, 3)])
def test_compiled_loops_equal_numpy_where_float64_is_exact(block, levels, batch, rng):
    """Loops take four bits of a block at a time and then one, and two ciphertexts at a time and then one."""
    p = TWO_LEVEL.updated(rotation_bits=7, block=block, rotation_levels=levels)
    _, key = keys(p)
    acc = random_words(rng, (batch, 3, p.N))
    exponents = rng.integers(0, 2 * p.N, (batch, p.n))
    exponents[:, 3] = [0, 1, p.N - 1, p.N, p.N + 1, 2 * p.N - 1, 3][:batch]
    by_loops, by_numpy_ = acc.copy(), acc.copy()
    blind_rotate(rounded(key.rotation), by_loops, exponents)
    blind_rotate_numpy(rounded(key.rotation), by_numpy_, exponents)
    assert np.array_equal(by_loops, by_numpy_)


ROTATED = """
import hashlib, os
import numpy as np
from llvmlite import binding
if "NARROW" in os.environ:
    binding.get_host_cpu_features = dict
from encnn.schemes.bootstrapped import ONE_LEVEL_128 as p, compiled
rng = np.random.default_rng(1)
key = rng.uniform(-9, 9, (p.n // p.block, 64, 3, p.rotation_levels, p.block, 3, 2, 8))
acc = rng.integers(-(2**31), 2**31, (1, 3, p.N)).astype(np.int32)
compiled.blind_rotate(acc, rng.integers(0, 2 * p.N, (1, p.n)), key, p.block, p.rotation_bits, p.rotation_levels)
print(hashlib.sha256(acc.tobytes()).hexdigest())
"""


def rotated(**environment):
    """Return the digest that a process of its own prints with these additions to the environment."""
    run = [sys.executable, "-c", ROTATED]
    return subprocess.run(run, env=os.environ | environment, capture_output=True, text=True, check=True).stdout


@needs_numba
@pytest.mark.slow
def test_code_just_compiled_and_code_from_the_cache_give_equal_ciphertexts(tmp_path):
    compiled, cached = (rotated(NUMBA_CACHE_DIR=str(tmp_path)) for _ in range(2))
    assert any(tmp_path.rglob("*.nbc")) and len(compiled) > 60
    assert compiled == cached


@needs_numba
@pytest.mark.slow
def test_a_processor_without_wide_vectors_gives_equal_ciphertexts(tmp_path):
    plain = rotated(NUMBA_CACHE_DIR=str(tmp_path), NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="", NARROW="yes")
    assert len(plain) > 60
    assert plain == rotated()


@needs_numba
@pytest.mark.parametrize("p", [ONE_LEVEL, TWO_LEVEL], ids=NAME)
def test_no_two_arrays_of_a_rotation_begin_at_the_same_place_of_a_page(p, monkeypatch):
    _, key = keys(p)
    loops, seen = engine.compiled(p.N), []
    monkeypatch.setattr(loops, "_blind_rotate", lambda *arguments: seen.extend(arguments))
    blind_rotate(key.rotation, np.zeros((2, p.k + 1, p.N), np.int32), np.zeros((2, p.n), np.int64))
    arrays = [a for a in seen[2:] if isinstance(a, np.ndarray)]  # acc and exponents are read once a block
    places = [a.ctypes.data % PAGE for a in arrays]
    assert len(arrays) == 7 and not any(place % 512 for place in places)
    assert len(set(places)) == len(places)


@needs_numba
def test_float64_costs_what_is_predicted(rng):
    """One step, exact and fast: each coefficient is off by 1.1 FFT_ERROR 2^-53 times the sum of products."""
    p = ONE_LEVEL.updated(n=4)
    _, key = keys(p)
    acc = random_words(rng, (1, 3, p.N))
    exact, by_loops, by_numpy_ = acc.copy(), acc.copy(), acc.copy()
    exponents = np.array([[777, 1500, 2, 1031]])
    blind_rotate_exact(key.rotation, exact, exponents)
    blind_rotate(key.rotation, by_loops, exponents)
    blind_rotate_numpy(key.rotation, by_numpy_, exponents)
    products = 2 * p.block * 3 * p.rotation_levels * p.N * (4.0**p.rotation_bits / 12)
    predicted = 1.1 * noise.FFT_ERROR * 2.0**-53 * math.sqrt(products / 12) * 2**32
    assert predicted > 10  # in units of 2^-32, to which results are rounded, so that rounding does not count
    for fast in (by_loops, by_numpy_):
        assert rms((fast - exact).astype(np.int32)) == pytest.approx(predicted, rel=0.12)


def test_float64_costs_the_same_for_every_other_size(rng):
    """Products of random digits and torus elements, in units of 2^-53 of their sum: it does not grow with N, or hardly."""
    for N in (256, 1024, 2048):
        digits = rng.integers(-(2**22), 2**22, (2, N))
        key = rng.integers(-(2**63), 2**63 - 1, (2, N))
        exact = transform.schoolbook(digits, key).sum(axis=0) * 2.0**-64
        fast = transform.backward((transform.forward(digits * 1.0) * transform.forward(key * 2.0**-64)).sum(axis=0))
        deviation = rms(fast - exact - np.rint(fast - exact)) / (2.0**-53 * math.sqrt(2 * N * 4.0**23 / 12 / 12))
        assert 0.75 * noise.FFT_ERROR < deviation < 1.25 * noise.FFT_ERROR


# Blind rotation: what it does


@pytest.mark.parametrize("p", [TINY, ONE_LEVEL, TWO_LEVEL], ids=NAME)
def test_the_phase_is_turned_by_the_secret_exponent(p, rng):
    secret, key = keys(p)
    acc = random_words(rng, (4, p.k + 1, p.N))
    exponents = rng.integers(-p.N, 3 * p.N, (4, p.n))
    before = glwe_phase(secret, acc)
    blind_rotate(key.rotation, acc, exponents)
    expected = transform.monomial_product(before, exponents @ secret.s)
    error = (glwe_phase(secret, acc) - expected).astype(np.int32) * 2.0**-32
    assert 0 < np.abs(error).max() < TAIL * math.sqrt(noise.rotation(p))


@pytest.mark.parametrize("bit", [0, 1])
def test_an_external_product_chooses(bit, rng):
    p = TINY.updated(n=1, block=1, glwe_sigma=0.0)
    secret = BootstrappedSecretKey(p, rng=rng)
    secret.T(1)[0, 0] = bit
    acc = random_words(rng, (1, p.k + 1, p.N))
    before = glwe_phase(secret, acc)
    blind_rotate(secret.bootstrap_key().rotation, acc, np.array([[5]]))
    chosen = transform.monomial_product(before, np.array([5])) if bit else before
    away = np.abs((glwe_phase(secret, acc) - chosen).astype(np.int32)).max()
    assert away <= (1 + p.d) * (2**11 + 1)  # halves of the last digit's unit, and of the accumulator's


@pytest.mark.parametrize("p", [TINY, ONE_LEVEL], ids=NAME)
def test_no_rotation_rounds_to_what_digits_can_tell_and_no_more(p, rng):
    _, key = keys(p)
    acc = random_words(rng, (2, p.k + 1, p.N))
    turned, rounded_ = acc.copy(), acc.copy()
    blind_rotate(key.rotation, turned, np.array([0, 2 * p.N] * (p.n // 2))[None].repeat(2, axis=0))
    digits = round_and_decompose(rounded_, p.rotation_bits, p.rotation_levels)
    np.testing.assert_array_equal(turned, rounded_)
    np.testing.assert_array_equal(digits, decompose(acc, p.rotation_bits, p.rotation_levels))
    assert 0 < np.abs((rounded_ - acc).astype(np.int32)).max() <= 1 << (31 - p.rotation_bits * p.rotation_levels)


def test_a_block_of_the_key_has_at_most_one_bit_and_all_cases_occur():
    p = ONE_LEVEL.updated(n=2000)
    secret = BootstrappedSecretKey(p, rng=np.random.default_rng(5))
    blocks = secret.T(1).reshape(-1, p.block)
    assert set(blocks.sum(axis=1).tolist()) == {0, 1}
    cases, expected = np.append(blocks.sum(axis=0), len(blocks) - blocks.sum()), p.d / p.block / 5
    assert np.abs(cases - expected).max() < 5 * math.sqrt(expected * 0.8)
    assert np.array_equal(secret.s, secret.T(1)[0, :2000]) and p.ones == p.d / 5
    ordinary = BootstrappedSecretKey(p.updated(block=1), rng=np.random.default_rng(5)).T(1)
    assert abs(ordinary.mean() - 0.5) < 0.05


def test_a_block_that_the_end_of_the_key_cuts_is_like_the_others():
    p = TINY.updated(n=9, block=3)
    assert p.d % p.block == 2
    T = np.concatenate([BootstrappedSecretKey(p, rng=np.random.default_rng(seed)).T(1) for seed in range(400)])
    assert T.shape == (400, p.d) and set(T[:, -2:].sum(axis=1).tolist()) == {0, 1}
    assert np.abs(T[:, -2:].mean(axis=0) - 1 / 4).max() < 5 * math.sqrt(3 / 16 / 400)


def test_a_rotation_key_encrypts_the_bits_times_the_gadget():
    p = TINY
    secret, key = keys(p)
    S = polynomials(secret)
    factors = np.concatenate([np.eye(1, p.N, dtype=np.int64), S])
    ((first, ggsw),) = key.rotation.integers()
    assert first == 0 and ggsw.shape == (p.n, p.rotation_levels, p.k + 1, p.k + 1, p.N)
    for i, bit in enumerate(secret.s):
        for t in range(p.rotation_levels):
            phase = ggsw[i, t, :, 0] + sum(transform.schoolbook(S[j], ggsw[i, t, :, 1 + j]) for j in range(p.k))
            error = phase - bit * factors * (1 << (64 - p.rotation_bits * (t + 1)))
            assert 0 < np.abs(error).max() <= TAIL * p.glwe_sigma * 2.0**64 + 1
    assert key.nbytes == key.rotation.transforms.nbytes + key.switch.rows.nbytes + key.trace.transforms.nbytes


def test_more_bits_than_a_chunk_make_one_key():
    """Keys are made and expanded some bits at a time; a wrong seam would ruin every bit after it."""
    p = TINY.updated(N=128, d=256, n=130)
    secret, key = keys(p)
    parts = list(key.rotation.integers())
    assert [first for first, _ in parts] == [0, 64, 128]
    last = parts[-1][1][-1]
    S = polynomials(secret)
    phase = last[0, 0, 0] + sum(transform.schoolbook(S[j], last[0, 0, 1 + j]) for j in range(p.k))
    assert round(phase[0] / 2.0 ** (64 - p.rotation_bits)) == secret.s[-1]


# Extraction


@pytest.mark.parametrize("p", [TINY, TINY.updated(d=64, k=1), ONE_LEVEL], ids=NAME)
def test_extraction_takes_the_constant_coefficient(p, rng):
    secret = BootstrappedSecretKey(p, rng=rng)
    acc = random_words(rng, (5, p.k + 1, p.N))
    found = extract(acc)
    assert found.shape == (5, 1 + p.d)
    np.testing.assert_array_equal(secret.torus_phase(found) * 2.0**32, glwe_phase(secret, acc)[:, 0])


def test_a_table_starts_where_the_body_says():
    table = np.arange(1, 9, dtype=np.int32)
    acc = rotated_table(table, np.array([0, 3, 8, 13]), 2)
    assert acc.shape == (4, 3, 8) and acc.dtype == np.int32
    assert not acc[:, 1:].any()
    assert acc[:, 0, 0].tolist() == [1, 4, -1, -6]


# Tables


def any_function(z):
    return np.where(z < -3, 2.5, np.cos(z) - 0.1 * z)


@pytest.mark.parametrize("p", [BOOTSTRAP_TOY, ONE_LEVEL, BOOTSTRAP_TOY.updated(scale=1 << 29)], ids=NAME)
@pytest.mark.parametrize("f", [any_function, np.tanh, np.abs, lambda z: 0.75, lambda z: z * 0.5], ids=range(5))
def test_a_table_holds_any_function_on_half_the_torus(p, f):
    table = make_table(p, f)
    z = np.arange(-p.N // 2, p.N // 2) * p.step
    assert (z[0], z[-1]) == (-p.z_half, p.z_half - p.step)
    read = read_table(table, np.rint(z / p.step).astype(int)) / p.scale
    np.testing.assert_allclose(read, f(z) + 0 * z, atol=0.5 / p.scale)


def test_outside_a_table_reads_the_other_half_with_its_sign_turned():
    p = BOOTSTRAP_TOY
    table = make_table(p, any_function)
    above = np.arange(p.N // 2, 3 * p.N // 2)
    np.testing.assert_allclose(
        read_table(table, above) / p.scale, -any_function(above * p.step - 2 * p.z_half), atol=1 / p.scale
    )
    below = np.arange(-3 * p.N // 2, -p.N // 2)
    np.testing.assert_allclose(
        read_table(table, below) / p.scale, -any_function(below * p.step + 2 * p.z_half), atol=1 / p.scale
    )
    everywhere = np.arange(-5 * p.N, 5 * p.N)
    np.testing.assert_array_equal(read_table(table, everywhere), read_table(table, everywhere + 2 * p.N))


def test_an_odd_function_comes_back_as_it_went_and_keeps_its_sign():
    p = BOOTSTRAP_TOY
    table = make_table(p, np.tanh)
    beyond = np.arange(p.N // 2 + 1, p.N)
    read = read_table(table, beyond) / p.scale
    np.testing.assert_allclose(read, np.tanh(2 * p.z_half - beyond * p.step), atol=1 / p.scale)
    assert (read > 0).all()
    assert (read_table(table, np.arange(p.N + 1, 2 * p.N)) < 0).all()


@pytest.mark.parametrize(
    "f", [lambda z: z * 3, lambda z: 16.0 + 0 * z, lambda z: z * np.nan, lambda z: 1 / (z + 1e-12)], ids=range(4)
)
def test_what_a_table_cannot_hold_is_refused(f):
    with pytest.raises(ParameterError, match="holds numbers below 16 in size.*scale the function down"):
        make_table(BOOTSTRAP_TOY, f)
    make_table(BOOTSTRAP_TOY, lambda z: z * 1.99)


# All of it


@pytest.mark.parametrize("p", [BOOTSTRAP_TOY, ONE_LEVEL, TWO_LEVEL], ids=NAME)
@pytest.mark.parametrize("engine_", ["as installed", "numpy"])
def test_a_bootstrap_reads_a_table_where_the_owner_sees_it(p, engine_, rng, monkeypatch):
    if engine_ == "numpy":
        by_numpy(monkeypatch)
    secret, key = keys(p)
    table = random_words(rng, (p.N,)) >> 3
    ciphertexts = random_words(rng, (12, 1 + p.d))
    found = secret.torus_phase(bootstrap(key, ciphertexts, table))
    positions = to_positions(switch_key(key.switch, ciphertexts), p.N)
    error = found - read_table(table, secret.position(positions)) * 2.0**-32
    assert 0 < rms(error) and np.abs(error - np.rint(error)).max() < TAIL * math.sqrt(noise.rotation(p))
    away = secret.position_z(positions) - secret.torus_phase(ciphertexts) * 2.0**p.z_bits
    away -= np.rint(away * 2.0**-p.z_bits) * 2.0**p.z_bits
    assert rms(away) < 2 * noise.input_deviation(p)


@pytest.mark.parametrize("p", [BOOTSTRAP_TOY, ONE_LEVEL, TWO_LEVEL], ids=NAME)
def test_results_depend_neither_on_the_batch_nor_on_threads(p, rng):
    _, key = keys(p)
    table = random_words(rng, (p.N,))
    ciphertexts = random_words(rng, (7, 1 + p.d))
    together = bootstrap(key, ciphertexts, table)
    for threads in (2, 3, 20):
        np.testing.assert_array_equal(bootstrap(key, ciphertexts, table, threads), together)
    for i in range(7):
        np.testing.assert_array_equal(bootstrap(key, ciphertexts[i : i + 1], table, threads=2)[0], together[i])


def test_the_batch_does_not_matter_to_numpy_either(rng, monkeypatch):
    by_numpy(monkeypatch)
    p = TWO_LEVEL.updated(n=3, block=3)
    _, key = keys(p)
    table = random_words(rng, (p.N,))
    ciphertexts = random_words(rng, (5, 1 + p.d))
    together = bootstrap(key, ciphertexts, table)
    np.testing.assert_array_equal(bootstrap(key, ciphertexts, table, threads=2), together)
    for i in range(5):
        np.testing.assert_array_equal(bootstrap(key, ciphertexts[i : i + 1], table)[0], together[i])


@pytest.mark.parametrize("threads", [1, 2])
def test_nothing_is_bootstrapped_to_nothing(threads):
    _, key = keys(TINY)
    empty = np.zeros((0, 1 + TINY.d), np.int32)
    assert bootstrap(key, empty, np.zeros(TINY.N, np.int32), threads).shape == (0, 1 + TINY.d)


def test_a_key_is_expanded_once():
    _, key = keys(TINY)
    assert isinstance(key, BootstrapKey)
    key.prepare()
    assert key.rotation.transforms is key.rotation.transforms and key.switch.rows is key.switch.rows


@pytest.mark.filterwarnings("error")
def test_a_missing_numba_is_told_once(monkeypatch):
    monkeypatch.setattr(kernels, "available", lambda: False)
    engine._tell_of_numba.cache_clear()
    assert engine.compiled(512) is None  # not the sizes that numba would compile
    with pytest.warns(SpeedWarning, match="many times as long.*pip install 'encnn\\[fast\\]'"):
        assert engine.compiled(1024) is None
    assert engine.compiled(1024) is None


@pytest.mark.skipif(not kernels.available(), reason="numba is not installed")
def test_compilation_is_told_once_and_only_that_of_our_own_loops(capsys):
    from numba.core import event

    from encnn.schemes.bootstrapped import compiled_transform

    engine._tell_of_compiling.cache_clear()
    engine._tell_of_compiling()
    ours = compiled_transform.forward
    foreign = SimpleNamespace(py_func=np.mean)
    for dispatcher, said in ((foreign, ""), (ours, "compiling loops for this machine"), (ours, "")):
        with event.trigger_event("numba:compile", data={"dispatcher": dispatcher}):
            pass
        err = capsys.readouterr().err
        assert said in err and bool(err) == bool(said)


def test_no_threads_are_refused():
    _, key = keys(TINY)
    two = np.zeros((2, 1 + TINY.d), np.int32)
    with pytest.raises(ParameterError, match="threads=0: expected a whole number of at least 1"):
        bootstrap(key, two, np.zeros(TINY.N, np.int32), threads=0)
