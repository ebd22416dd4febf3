"""Keys: equations (1)-(10), encryption, key switching, and what a repr shows."""

import numpy as np
import pytest
import slow_scheme
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_scheme import key_pair

from encnn.arithmetic.digits import digits, expand_key
from encnn.errors import KeyMismatchError, MissingKeyError, ParameterError
from encnn.schemes.bilinear import elementwise, inner_product, outer
from encnn.schemes.integer_vector import (
    ADDITIVE_128,
    MODULUS_TOY,
    PAPER,
    PAPER_BITS,
    IntegerVectorEvaluator,
    IntegerVectorSecretKey,
    make_keys,
)

ODD_54 = MODULUS_TOY.updated(q_bits=54, w_bits=38, base_bits=18)
ODD_32 = MODULUS_TOY.updated(q_bits=32, w_bits=24, base_bits=5, d=4)
SIGNED_54 = MODULUS_TOY.updated(q_bits=54, w_bits=38, base_bits=4, balanced=False, d=3)
SETS = {"paper": PAPER, "bits": PAPER_BITS, "toy": MODULUS_TOY, "54": ODD_54, "32": ODD_32, "54-signed": SIGNED_54}
PAIRS = {name: key_pair(p, {1, 3}, [elementwise(3)], [3]) for name, p in SETS.items()}
EXACT = {name: key_pair(p.updated(E_bound=0, sigma=p.sigma and 0.0), {1, 3}, [elementwise(3)], [3]) for name, p in SETS.items()}
every_set = pytest.mark.parametrize("name", SETS)


def vectors(seed, *shape, high=9):
    return np.random.default_rng(seed).integers(-high, high + 1, shape).astype(float)


@every_set
def test_equation_8_key_is_identity_beside_t(name):
    secret, _ = PAIRS[name]
    S, p = secret.S(3), secret.parameters
    assert S.shape == (3, 3 + p.d) and np.array_equal(S[:, :3], np.eye(3)) and np.array_equal(S[:, 3:], secret.T(3))
    assert S[:, 3:].min() >= p.T_low and S[:, 3:].max() < p.T_high


@every_set
def test_equation_7_holds_within_the_noise_bound(name):
    """S' M = S* + E (mod q), with |E| at most the bound, and E not zero."""
    secret, evaluator = PAIRS[name]
    p, M = secret.parameters, evaluator.public_keys[3].switch.M
    S_star = expand_key(np.eye(3, dtype=np.int64), p.base_bits, p.n_digits)
    exact = secret.S(3).astype(object) @ M.astype(object)
    E = np.vectorize(lambda e: slow_scheme.centre(e, p.q or 1 << 64))(exact - S_star.astype(object))
    assert 0 < np.abs(E).max() <= p.noise_bound


@every_set
def test_equation_3_holds_exactly_without_noise(name):
    secret, evaluator = EXACT[name]
    p, M = secret.parameters, evaluator.public_keys[3].switch.M
    S_star = expand_key(np.eye(3, dtype=np.int64), p.base_bits, p.n_digits).astype(object)
    exact = secret.S(3).astype(object) @ M.astype(object) - S_star
    assert not np.any(exact % (p.q or 1 << 64))


@every_set
@settings(max_examples=20)
@given(seed=st.integers(0, 2**32))
def test_equations_9_and_10_against_the_slow_oracle(name, seed):
    """c' = M c*, and S' c' = S c + E c* exactly."""
    secret, evaluator = PAIRS[name]
    p, key = secret.parameters, evaluator.public_keys[3].switch
    c = np.random.default_rng(seed).integers(-(1 << 30), 1 << 30, 3)
    c_new = key.apply(c)
    slow = slow_scheme.switch(key.M, c, p)
    assert [slow_scheme.centre(int(x), p.q) for x in c_new] == slow
    c_star = digits(c, p.base_bits, p.n_digits, p.balanced)
    S_star = expand_key(np.eye(3, dtype=np.int64), p.base_bits, p.n_digits)
    E = secret.S(3).astype(object) @ key.M.astype(object) - S_star.astype(object)
    expected = [slow_scheme.centre(int(x), p.q or 1 << 64) for x in c.astype(object) + E @ c_star.astype(object)]
    assert [slow_scheme.centre(x, p.q or 1 << 64) for x in slow_scheme.dot(secret.S(3), slow, p)] == expected


@every_set
def test_equations_1_and_2_round_trip(name):
    secret, _ = PAIRS[name]
    v = vectors(1, 5, 3)
    c = secret.encrypt(v)
    e = slow_scheme.phase(secret, c) - (v * secret.parameters.unit).astype(np.int64)
    assert 0 < np.abs(e).max() <= secret.parameters.noise_bound
    assert np.array_equal(secret.decrypt_integers(c), v * secret.parameters.scale)
    assert np.allclose(secret.decrypt(c), v, rtol=0, atol=c.noise / c.unit)
    assert np.array_equal(secret.measure_noise(c, v), e.astype(float))


@every_set
def test_round_trip_is_exact_without_noise(name):
    secret, evaluator = EXACT[name]
    v = vectors(2, 5, 3)
    for c in (secret.encrypt(v), evaluator.encrypt(v), evaluator.encrypt_deterministic(v)):
        assert np.array_equal(secret.decrypt(c), v)
        assert not secret.measure_noise(c, v).any()


@every_set
def test_public_key_encryption(name):
    secret, evaluator = PAIRS[name]
    v = vectors(3, 2, 3)
    fixed = [evaluator.encrypt_deterministic(v) for _ in range(2)]
    drawn = [evaluator.encrypt(v, np.random.default_rng(i)) for i in range(2)]
    again = evaluator.encrypt(v, np.random.default_rng(0))
    assert np.array_equal(fixed[0].data, fixed[1].data)
    assert not np.array_equal(drawn[0].data, drawn[1].data) and np.array_equal(drawn[0].data, again.data)
    assert not np.array_equal(evaluator.encrypt(v).data, evaluator.encrypt(v).data)
    for c in fixed + drawn:
        assert np.array_equal(secret.decrypt_integers(c), v * secret.parameters.scale)
        assert slow_scheme.excess(secret, c, slow_scheme.fractions(v))[0] <= 1


@every_set
@settings(max_examples=20)
@given(seed=st.integers(0, 2**32))
def test_linear_map(name, seed):
    secret, evaluator = PAIRS[name]
    rng = np.random.default_rng(seed)
    G, v = rng.integers(-3, 4, (1, 3)), vectors(seed, 4, 3, high=2)
    c = evaluator.linear(secret.encrypt(v), secret.linear_key(G))
    assert c.shape == (4, 1)
    assert np.array_equal(secret.decrypt_integers(c), v @ G.T * secret.parameters.scale)
    assert max(slow_scheme.excess(secret, c, slow_scheme.fractions(v @ G.T))) <= 1


@every_set
def test_re_key_to_another_owner(name):
    secret, _ = PAIRS[name]
    other = IntegerVectorSecretKey(secret.parameters, {3}, np.random.default_rng(9))
    v = vectors(4, 2, 3)
    c = IntegerVectorEvaluator(other.context).switch(secret.encrypt(v), secret.re_key(other, 3))
    assert np.array_equal(other.decrypt_integers(c), v * secret.parameters.scale)
    assert max(slow_scheme.excess(other, c, slow_scheme.fractions(v))) <= 1
    with pytest.raises(KeyMismatchError, match=other.context.key_id):
        secret.decrypt(c)


def test_re_key_refuses_another_encoding():
    other = IntegerVectorSecretKey(PAPER.updated(w_bits=20), {3}, np.random.default_rng(9))
    with pytest.raises(ParameterError, match="w_bits"):
        PAIRS["paper"][0].re_key(other, 3)


def test_key_ids_differ_unless_the_seed_is_the_same():
    ids = {IntegerVectorSecretKey(PAPER, {1}).context.key_id for _ in range(3)}
    assert len(ids) == 3 and all(len(i) == 32 for i in ids)
    seeded = [IntegerVectorSecretKey(PAPER, {1}, np.random.default_rng(1)) for _ in range(2)]
    assert seeded[0].context == seeded[1].context and seeded[0].context.experimental
    assert np.array_equal(seeded[0].T(1), seeded[1].T(1))
    assert not IntegerVectorSecretKey(PAPER, {1}).context.experimental


@every_set
def test_repr_shows_no_secret(name):
    secret, evaluator = PAIRS[name]
    shown = repr(secret)
    rest = shown.replace(secret.context.key_id, "").replace(secret.parameters.name, "")
    assert "<secret>" in shown and rest == "IntegerVectorSecretKey('', widths=[1, 3], key_id=, T=<secret>)"
    assert "array" not in repr(evaluator) and "elementwise:3" in repr(evaluator)
    assert "array" not in repr(secret.encrypt(vectors(1, 2, 3)))


def test_widths_and_missing_keys():
    secret, evaluator = PAIRS["paper"]
    assert secret.widths == [1, 3]
    with pytest.raises(KeyMismatchError, match="width 2"):
        secret.encrypt(np.zeros(2))
    with pytest.raises(MissingKeyError, match="width 1"):
        evaluator.encrypt(np.zeros(1))


def test_make_keys_makes_what_is_asked_for():
    secret, evaluator = make_keys(PAPER, [5], [outer(2, 3)], np.random.default_rng(1), [4])
    assert set(secret.widths) == {2, 3, 4, 5, 6}
    assert sorted(evaluator.products) == ["outer:2x3"] and sorted(evaluator.public_keys) == [4]
    assert evaluator.nbytes == 8 * (3 * 4 * 8 * 7 + 4 * 8 * 5 + 5 * 64)


def test_keys_too_large_for_memory_are_refused_at_once():
    with pytest.raises(ParameterError, match="GiB"):
        make_keys(ADDITIVE_128, [1], [elementwise(1)])


def test_a_switch_that_leaves_no_room_is_refused():
    p = PAPER.updated(A_high=1 << 40, w_bits=20)
    with pytest.raises(ParameterError, match="half of the limit"):
        IntegerVectorSecretKey(p, {1, 20}, np.random.default_rng(1)).bilinear_key(inner_product(20))


@pytest.mark.parametrize("v", [1e9, -1e30, np.nan, np.inf])
@pytest.mark.parametrize("name", ["paper", "toy"])
def test_values_beyond_the_range_are_refused(name, v):
    secret, evaluator = PAIRS[name]
    for encrypt in (secret.encrypt, evaluator.encrypt, evaluator.encrypt_deterministic):
        with pytest.raises(ParameterError, match="smaller"):
            encrypt(np.array([0, v, 0]))
