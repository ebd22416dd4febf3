"""Ring masks: products of polynomials, extracted rows, pads used once, encryptions of zero."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encnn.arithmetic.modular import centred
from encnn.arithmetic.negacyclic import multiply
from encnn.arithmetic.sampling import Randomness
from encnn.errors import ParameterError
from encnn.schemes.integer_vector import (
    ADDITIVE_128,
    COMPACT_128,
    MODULUS_TOY,
    PAPER,
    CiphertextArray,
    IntegerVectorSecretKey,
    ring,
)

SMALL = COMPACT_128.updated(d=16, name="small-INSECURE")
WIDE = MODULUS_TOY.updated(d=8, w_bits=20)


def slow_product(a: np.ndarray, t: np.ndarray, q_bits: int) -> np.ndarray:
    """Multiply as taught in school, X^d = -1, in Python's integers."""
    d, result = len(a), [0] * len(a)
    for i in range(d):
        for j in range(d):
            sign = 1 if i + j < d else -1
            result[(i + j) % d] += sign * int(a[i]) * int(t[j])
    half = 1 << (q_bits - 1)
    return np.array([(k + half) % (2 * half) - half for k in result])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([1, 2, 8, 32]), st.sampled_from([2, 26, 27, 28, 53, 54, 64]))
def test_products_are_those_of_school(seed, d, q_bits):
    stream = Randomness.from_public_seed(seed.to_bytes(8, "little"))
    a, t = stream.words((d,), q_bits), stream.integers(-1, 2, (2, d))
    expected = np.stack([slow_product(a, row, q_bits) for row in t])
    assert np.array_equal(multiply(a, t, q_bits), expected)


@pytest.mark.parametrize("parameters", [COMPACT_128, ADDITIVE_128], ids=str)
def test_the_largest_products_are_exact(parameters):
    d, q_bits = parameters.d, parameters.q_bits
    a = np.full(d, (1 << (q_bits - 1)) - 1)
    signs = np.where(np.arange(d) % 2, 1, -1)
    for t in (np.ones(d, np.int64), signs):
        assert np.array_equal(multiply(a, t, q_bits), slow_all_alike(int(a[0]), t, q_bits))


def slow_all_alike(value: int, t: np.ndarray, q_bits: int) -> np.ndarray:
    """Return (value, value, ...) * t: coefficient k is value times (sum of t up to k minus the sum of the others)."""
    sums = 2 * np.cumsum(t) - t.sum()
    half = 1 << (q_bits - 1)
    return np.array([(value * int(s) + half) % (2 * half) - half for s in sums])


@pytest.mark.parametrize("parameters", [SMALL, WIDE], ids=str)
def test_row_i_has_the_inner_product_that_is_coefficient_i(parameters):
    stream = Randomness.from_public_seed(b"rows")
    a, t = stream.words((parameters.d,), parameters.q_bits), stream.integers(-1, 2, (parameters.d,))
    rows = ring.Rows(a, parameters)[0 : parameters.d]
    assert rows.dtype == parameters.dtype
    assert np.array_equal(centred(rows.astype(np.int64) @ t, parameters.q_bits), multiply(a, t, parameters.q_bits))
    assert np.array_equal(ring.Rows(a, parameters)[3:5], rows[3:5])


@pytest.mark.parametrize("parameters", [SMALL, WIDE], ids=str)
def test_pads_are_encryptions_of_zero_under_masks_that_a_seed_gives(parameters):
    secret = IntegerVectorSecretKey(parameters, [2])
    seed, first, pads = ring.PadStream(secret, 2, Randomness()).take(5)
    masks = ring.Rows(ring.expand_polynomial(seed, parameters), parameters)[first : first + 5]
    c = CiphertextArray(np.concatenate([pads.astype(parameters.dtype), masks], axis=1), secret.context, 1, 0.0, 0.0, 0.0)
    assert np.abs(secret.phase(c)).max() <= parameters.noise_bound
    assert secret.phase(c).any()


def test_a_pad_is_given_out_once():
    stream = ring.PadStream(IntegerVectorSecretKey(SMALL, [1]), 1, Randomness())
    taken = [stream.take(count) for count in (7, 7, 7, 16, 1)]
    used = [(seed, first + k) for seed, first, pads in taken for k in range(len(pads))]
    assert len(set(used)) == 7 + 7 + 7 + 16 + 1
    assert [first for _, first, _ in taken] == [0, 7, 0, 0, 0]


@pytest.mark.parametrize("parameters", [SMALL, WIDE, COMPACT_128], ids=str)
def test_zeros_decrypt_to_little_and_never_repeat(parameters):
    secret = IntegerVectorSecretKey(parameters, [2])
    stream = ring.ZeroStream(ring.make_zero_key(secret, 2, Randomness()), parameters, Randomness())
    zeros = np.concatenate([stream.take(parameters.d // 2 + 1) for _ in range(3)])
    c = CiphertextArray(zeros, secret.context, parameters.scale, 0.0, 0.0, 0.0)
    assert zeros.dtype == parameters.dtype
    assert np.abs(secret.phase(c)).max() <= ring.zero_noise(parameters)
    assert len(np.unique(zeros, axis=0)) == len(zeros)


@pytest.mark.parametrize("make", [ring.PadStream, ring.make_zero_key])
def test_parameters_without_a_ring_are_refused(make):
    for parameters in (PAPER, COMPACT_128.updated(d=1300, q_bits=27), MODULUS_TOY.updated(T_high=3), WIDE.updated(sigma=None)):
        with pytest.raises(ParameterError, match="has no ring masks"):
            make(IntegerVectorSecretKey(parameters, [1]), 1, Randomness())


def test_no_more_than_a_block_is_given_at_once():
    secret = IntegerVectorSecretKey(SMALL, [1])
    pads = ring.PadStream(secret, 1, Randomness())
    for count in (0, 17):
        with pytest.raises(ParameterError, match="ask for 1 to 16"):
            pads.take(count)
    zeros = ring.ZeroStream(ring.make_zero_key(secret, 1, Randomness()), SMALL, Randomness())
    with pytest.raises(ParameterError, match="ask for 1 or more"):
        zeros.take(0)
    assert zeros.take(17).shape == (17, 17)


def test_the_key_knows_its_size():
    key = ring.make_zero_key(IntegerVectorSecretKey(COMPACT_128, [1]), 1, Randomness())
    assert key.nbytes == 16 + 8 * COMPACT_128.d
