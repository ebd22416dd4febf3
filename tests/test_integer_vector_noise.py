"""The bounds that travel with ciphertexts hold, whatever is done to them; and decryption fails just beyond them."""

from fractions import Fraction

import numpy as np
import pytest
import slow_scheme
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_scheme import excess, fractions, key_pair

from encnn.data.batches import DenseBatch, OneReview
from encnn.errors import CiphertextOverflowError, ParameterError
from encnn.schemes.bilinear import elementwise, inner_product
from encnn.schemes.integer_vector import MODULUS_TOY, PAPER, PAPER_BITS, CiphertextArray

PRODUCTS = [elementwise(2), inner_product(2)]
ODD_54 = MODULUS_TOY.updated(q_bits=54, w_bits=38, base_bits=18)
SETS = {
    "paper": PAPER,
    "bits": PAPER_BITS,
    "paper, no noise": PAPER.updated(E_bound=0),
    "paper, no noise, T = 9": PAPER.updated(E_bound=0, T_low=9),
    "wide": PAPER.updated(d=3, T_low=-4, T_high=5, base_bits=7),
    "toy": MODULUS_TOY,
    "toy, no noise": MODULUS_TOY.updated(sigma=0.0),
    "54": ODD_54,
}
PAIRS = {(name, worst): key_pair(p, {1, 2}, PRODUCTS, [2], worst) for name, p in SETS.items() for worst in (False, True)}
every_pair = pytest.mark.parametrize("name, worst", PAIRS)
SLACK = 1 + 1e-12  # the bounds are computed in float64

OPERATIONS = ["+", "-", "+plain", "plain-", "*", "/", "product", "total", "gather", "scatter", "row", "one"]
FRACTIONS = st.sampled_from([0.0, 1.0, -1.0, 0.1, -2.5, 1e-3, 7.0, 1e3, 1 / 3, 1e6])


def apply(operation, evaluator, a, b, x):
    """Apply one operation to two arrays, each a pair (ciphertexts, exact values) of shape (3, 2); x is a number."""
    (c, u), (d, v) = a, b
    whole = evaluator.parameters.q_bits is not None
    f = float(round(x)) if whole else x
    F = Fraction(f)
    if operation == "+":
        return c + d, u + v
    if operation == "-":
        return c - d, u - v
    if operation == "+plain":
        return c + f, u + F
    if operation == "plain-":
        plain = np.array([f, 1.0])
        return plain - c, fractions(plain) - u
    if operation == "*":
        column = np.array([[f], [1.0], [-f]])
        return c * column, u * fractions(column)
    if operation == "/":
        return (c * 3, u * 3) if whole else (c / 3, u / 3)
    if operation == "product":
        gain = 1.0 if whole else (x or 0.5)
        return evaluator.bilinear(elementwise(2), c, d, gain), u * v * Fraction(gain)
    if operation == "total":
        summed = evaluator.bilinear(elementwise(2), c, d, total=True)
        return c - summed, u - (u * v).sum(axis=0)
    X = np.array([[1, 0, 2], [0, -1, 1], [1, 1, 1]]) * (1 if whole else f)
    if operation == "gather":
        return evaluator.gather(DenseBatch(X), c), fractions(X) @ u
    W = c.copy()
    if operation == "scatter":
        evaluator.scatter_subtract(W, DenseBatch(X), d)
        return W, u - fractions(X).T @ v
    if operation == "row":
        evaluator.scatter_subtract(W, OneReview(np.array([0, 2])), d[:1])
        return W, u - np.array([[1], [0], [1]]) * v[0]
    one = evaluator.gather(OneReview(np.array([1, 2])), c)
    return d - one[0], v - (u[1] + u[2])


@every_pair
@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**32),
    size=st.sampled_from([0.0, 1.0, 30.0, 1000.0, 3e6, 6e7]),
    chain=st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 9), st.integers(0, 9), FRACTIONS), max_size=7),
)
def test_no_chain_of_operations_breaks_a_bound(name, worst, seed, size, chain):
    """Measured noise, values and entries stay within `noise`, `value` and `bound`; what could not is refused."""
    secret, evaluator = PAIRS[name, worst]
    p = secret.parameters
    rng = np.random.default_rng(seed)
    drawn = rng.uniform(-size, size, (2, 3, 2))
    if p.q is not None:
        drawn = np.rint(np.clip(drawn, -30, 30))
    encrypted = [secret.encrypt(drawn[0]), evaluator.encrypt(drawn[1], rng)]
    pool = [(c, fractions(v)) for c, v in zip(encrypted, drawn, strict=True)]
    for operation, i, j, x in chain:
        try:
            c, v = apply(operation, evaluator, pool[i % len(pool)], pool[j % len(pool)], x)
        except (CiphertextOverflowError, ParameterError):
            continue
        assert max(excess(secret, c, v)) <= SLACK, operation
        pool.append((c, v))
    for c, v in pool:
        assert max(excess(secret, c, v)) <= SLACK


@every_pair
def test_bounds_are_not_idle(name, worst):
    """A bound that is never approached would prove nothing: with a worst key a switch uses a good part of it."""
    secret, evaluator = PAIRS[name, worst]
    v = np.array([[3.0, -5.0]]) if secret.parameters.q else np.array([[1 / 3, -5.7]])
    used = excess(secret, secret.encrypt(v), fractions(v))
    if secret.parameters.q is None:  # with a modulus the bound on values is the modulus, as a closer one would tell them
        assert used[1] > 0.99
    if worst and secret.parameters.noise_bound:
        assert used[0] > 0.9
    product = evaluator.bilinear(elementwise(2), secret.encrypt(v), secret.encrypt(v))
    assert 0 < excess(secret, product, fractions(v) ** 2)[0] <= 1


def test_rounding_of_large_plain_numbers_is_counted():
    """float64 has 53 bits, phases 61: what is lost between them is noise."""
    secret, _ = PAIRS["paper, no noise", False]
    v = np.array([[0.1 + 6e7, 1 / 3 + 5e7]])
    c = secret.encrypt(v)
    assert c.noise > 100 and excess(secret, c, fractions(v))[0] <= 1
    assert excess(secret, c * 0.0 + v, fractions(v))[0] <= 1


def test_cancelling_sums_keep_the_rounding_of_their_terms():
    """Products of 2^61-sized phases that cancel leave float errors larger than what is left of the sum."""
    secret, evaluator = PAIRS["paper, no noise", True]
    rng = np.random.default_rng(1)
    v = rng.uniform(0, 900, (200, 2))
    a, b = secret.encrypt(np.concatenate([v, -v])), secret.encrypt(np.concatenate([v[::-1], v[::-1]]))
    c = evaluator.bilinear(elementwise(2), a, b, total=True)
    assert excess(secret, c, fractions(np.zeros(2)))[0] <= 1


def test_value_counts_the_whole_plaintext_of_a_rounded_number():
    """With a modulus and scale 1 the number 0.6 is encrypted as 1, and its value bound must say so."""
    secret, evaluator = PAIRS["toy", False]
    v = np.array([[0.6, 1.5]])
    for c in (secret.encrypt(v), evaluator.encrypt(v), secret.encrypt(0 * v) + v):
        assert c.value >= 2 and excess(secret, c, fractions(np.rint(v)))[1] <= 1


@pytest.mark.parametrize("p", [PAPER.updated(scale=1), MODULUS_TOY])
@pytest.mark.parametrize("x", [0, 7, -3, 1000])
@pytest.mark.parametrize("sign", [1, -1])
def test_just_too_much_noise_really_fails(p, x, sign):
    """Equation (2) rounds to x up to |e| < w / 2, and to x +- 1 beyond."""
    secret, _ = key_pair(p, {1})
    a = np.arange(1, p.d + 1)
    for e, expected in [(p.w // 2 - 1, x), (p.w // 2 + 1, x + sign)]:
        top = p.w * x + sign * e - secret.T(1) @ a
        c = CiphertextArray(np.concatenate([top, a]), secret.context, p.scale, 0.0, abs(x), e)
        assert secret.decrypt_integers(c) == expected
        assert (c.noise_budget_bits >= 0) == (e < p.w / 2)


def test_equation_2_is_exact_beyond_the_bits_of_a_float():
    """One unit below w / 2 at a phase near 2^61, where float64 would round it up."""
    secret, _ = key_pair(PAPER.updated(scale=1), {1})
    x = (1 << 36) - 1
    data = np.array([(x << 25) + (1 << 24) - 1, 0])
    c = CiphertextArray(data, secret.context, 1, 2.0**61, x, 2.0**24)
    assert secret.decrypt_integers(c).tolist() == [x]


def test_noise_budget():
    secret, _ = PAIRS["paper", False]
    c = secret.encrypt(np.ones(2))
    assert c.noise_budget_bits == pytest.approx(24 - np.log2(9.5), abs=1e-4)
    assert (c + c).noise_budget_bits == pytest.approx(c.noise_budget_bits - 1)
    assert (c * 2.0**22).noise_budget_bits < 0
    exact, _ = PAIRS["toy, no noise", False]
    assert exact.encrypt(np.ones(2)).noise_budget_bits == 43 + 60


@given(st.integers(-(1 << 61), 1 << 61), st.integers(-(1 << 61), 1 << 61))
def test_sums_at_the_edge_are_exact_or_refused(left, right):
    """Ciphertexts of any entries below the limit: their sum is the sum in Python integers, or an error."""
    secret, _ = PAIRS["paper", False]
    arrays = [
        CiphertextArray(np.array([x, -x, 1]), secret.context, PAPER.scale, float(abs(x)), 1.0, 1.0) for x in (left, right)
    ]
    try:
        total = arrays[0] + arrays[1]
    except CiphertextOverflowError:
        assert max(abs(left), abs(right)) >= 1 << 60
        return
    assert total.data.tolist() == [left + right, -left - right, 2]
    assert total.bound < 1 << 62


@pytest.mark.parametrize("operation", ["+", "sum", "*", "+plain", "gather", "scatter", "switch"])
@pytest.mark.parametrize("bits", [40, 50, 57, 58, 59, 60, 60.9, 61.9, 61.99])
def test_at_the_edge_results_are_exact_or_refused(operation, bits):
    secret, evaluator = PAIRS["paper", False]
    x = int(2**bits)
    c = CiphertextArray(np.full((2, 3), x), secret.context, PAPER.scale, float(x), 1.0, 1.0)
    X, W, identity = DenseBatch(np.ones((2, 2), dtype=np.int64)), c.copy(), secret.linear_key(np.eye(2))
    run = {
        "+": (lambda: c + c, [2 * x] * 3),
        "sum": (lambda: c.sum()[None], [2 * x] * 3),
        "*": (lambda: c * 2, [2 * x] * 3),
        "+plain": (lambda: c + 2.0**60 / PAPER.unit, [x + (1 << 60), x + (1 << 60), x]),
        "gather": (lambda: evaluator.gather(X, c), [2 * x] * 3),
        "scatter": (lambda: evaluator.scatter_subtract(W, X, c) or W, [-x] * 3),
        "switch": (lambda: evaluator.linear(c, identity), slow_scheme.switch(identity.M, c.data[0], PAPER)),
    }
    compute, expected = run[operation]
    try:
        result = compute()
    except CiphertextOverflowError:
        assert bits >= 58
        return
    assert result.data[0].tolist() == expected
    assert np.abs(result.data).max() <= result.bound < 1 << 62


def test_products_just_inside_the_range_are_right_and_beyond_refused():
    secret, evaluator = PAIRS["paper", False]
    limit = PAPER.value_limit
    inside, beyond = np.array([0.98 * limit / 100, 1.0]), np.array([1.02 * limit / 100, 1.0])
    c = evaluator.bilinear(elementwise(2), secret.encrypt(inside), secret.encrypt(np.array([100.0, 1.0])))
    assert np.allclose(secret.decrypt(c), inside * [100, 1], rtol=1e-6)
    with pytest.raises(CiphertextOverflowError, match="limit"):
        evaluator.bilinear(elementwise(2), secret.encrypt(beyond), secret.encrypt(np.array([100.0, 1.0])))
    with pytest.raises(CiphertextOverflowError, match="product reached"):
        evaluator.bilinear(elementwise(2), secret.encrypt(np.full(2, 5e7)), secret.encrypt(np.full(2, 5e7)))


def test_a_loose_bound_is_measured_before_anything_is_refused():
    secret, _ = PAIRS["paper", False]
    c = secret.encrypt(np.ones(2))
    c.bound = 2.0**62
    assert np.allclose(secret.decrypt(c + c), 2, atol=1e-6)
    assert c.bound < 2**40
