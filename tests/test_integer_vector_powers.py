"""A whole polynomial as one key switch: equal to Horner's rule, within its own bounds, and refused where it cannot be."""

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encnn.arithmetic.sigmoid import PolynomialSigmoid, ancestor_misplaced, taylor
from encnn.errors import CiphertextOverflowError
from encnn.schemes.bilinear import elementwise
from encnn.schemes.integer_vector import MODULUS_TOY, PAPER, make_keys, powers
from encnn.schemes.powers import power_sum

EXACT = PAPER.updated(E_bound=0, name="no-noise-INSECURE")
WIDE = PAPER.updated(d=3, name="wide-INSECURE")


def keys(parameters, width, sigmoid: PolynomialSigmoid, seed: int = 0):
    products = [power_sum(width, sigmoid.coefficients), elementwise(width)]
    return make_keys(parameters, [width], products, np.random.default_rng(seed))


def by_horner(evaluator, z, coefficients):
    return super(type(evaluator), evaluator).polynomial(z, coefficients)


@pytest.mark.parametrize("parameters", [PAPER, EXACT, WIDE], ids=lambda p: p.name)
@pytest.mark.parametrize("sigmoid", [taylor(3), taylor(5), taylor(7), ancestor_misplaced()], ids=lambda s: s.name)
@pytest.mark.parametrize("width", [1, 3])
def test_it_is_the_polynomial_and_horners_result(parameters, sigmoid, width) -> None:
    secret, evaluator = keys(parameters, width, sigmoid)
    v = np.linspace(-3, 3, 5 * width).reshape(5, width)
    z = secret.encrypt(v)
    one, chain = evaluator.polynomial(z, sigmoid.coefficients), by_horner(evaluator, z, sigmoid.coefficients)
    np.testing.assert_allclose(secret.decrypt(one), sigmoid(v), atol=1e-4)
    np.testing.assert_allclose(secret.decrypt(one), secret.decrypt(chain), atol=1e-3)


@given(st.lists(st.floats(-2, 2), min_size=3, max_size=7), st.floats(-2.5, 2.5), st.integers(0, 100))
def test_measured_noise_and_value_are_within_their_bounds(coefficients, v, seed) -> None:
    polynomial = PolynomialSigmoid("any", (*coefficients, 1.0), (-1.0, 1.0))
    secret, evaluator = keys(PAPER, 1, polynomial, seed)
    result = evaluator.polynomial(secret.encrypt(np.array([v])), polynomial.coefficients)
    expected = polynomial(np.array([v]))
    assert np.abs(secret.measure_noise(result, expected)).max() <= result.noise
    assert np.abs(expected).max() <= result.value
    assert np.abs(result.data).max() <= result.bound


def test_it_takes_one_switch_of_the_stated_size() -> None:
    f = power_sum(1, taylor(5).coefficients)
    assert powers.count_monomials(f, d=1) == sum(k + 1 for k in (1, 3, 5))
    assert powers.count_monomials(power_sum(2, (0, 0, 0, 1.0)), d=2) == comb(4 + 3 - 1, 3)
    _, evaluator = keys(PAPER, 1, taylor(5))
    assert evaluator.products[f.name].entries == 12


@pytest.mark.parametrize("shape", [(2,), (1, 2), (5, 2), (2, 3, 2)])
def test_the_tensor_holds_the_monomials_in_order(shape) -> None:
    """Also for one ciphertext and for arrays of several axes: c_k u (c_i / u) ... (c_j / u), entry by entry."""
    secret, _ = keys(WIDE, 2, taylor(3))
    z = secret.encrypt(np.random.default_rng(0).normal(size=shape))
    prepared = powers.prepare(WIDE, 2, taylor(3).coefficients[1:])
    x, coefficients = z.data / z.unit, taylor(3).coefficients
    chosen = [[i] for i in range(5)] + [[i, j, k] for i in range(5) for j in range(i, 5) for k in range(j, 5)]
    expected = np.stack([coefficients[len(m)] * z.unit * x[..., m].prod(axis=-1) for m in chosen], axis=-1)
    np.testing.assert_allclose(prepared.tensor(z.data, z.unit), expected, rtol=1e-14)


def test_the_source_key_is_the_power_of_the_key() -> None:
    """R applied to the monomials of c gives the sum of the powers of S c."""
    rng = np.random.default_rng(1)
    f = power_sum(2, (0, 0, 1.0, 1.0))
    S = np.concatenate([np.eye(2, dtype=np.int64), rng.integers(0, 10, (2, 2))], axis=1)
    c = rng.integers(-5, 6, 4)
    indices, _, _ = powers._monomials(4, f.exponents)
    monomials = np.append(c, 1)[indices].prod(axis=1)
    np.testing.assert_array_equal(powers.source_key(S, f) @ monomials, (S @ c) ** 2 + (S @ c) ** 3)


def test_a_constant_may_be_an_array_and_other_polynomials_take_horners_rule() -> None:
    secret, evaluator = keys(PAPER, 1, taylor(3))
    v = np.array([[0.5], [-1.0]])
    labels = np.array([[1.0], [0.0]])
    constant, *rest = taylor(3).coefficients
    result = secret.decrypt(evaluator.polynomial(secret.encrypt(v), [constant - labels, *rest]))
    np.testing.assert_allclose(result, taylor(3)(v) - labels, atol=1e-5)
    square = secret.decrypt(evaluator.polynomial(secret.encrypt(v), [0.0, 0.0, 1.0]))  # no key for these powers
    np.testing.assert_allclose(square, v**2, atol=1e-5)
    np.testing.assert_allclose(secret.decrypt(evaluator.polynomial(secret.encrypt(v), [2.0, 0.0, 0.0])), 2.0, atol=1e-5)


def test_no_key_is_made_where_it_would_not_pay() -> None:
    f = power_sum(1, taylor(3).coefficients)
    assert powers.worthwhile(f, PAPER)
    assert not powers.worthwhile(f, MODULUS_TOY)
    assert not powers.worthwhile(power_sum(1, taylor(1).coefficients), PAPER)
    assert not powers.worthwhile(power_sum(64, taylor(7).coefficients), PAPER)
    _, evaluator = keys(MODULUS_TOY, 1, taylor(3))
    assert set(evaluator.products) == {"elementwise:1"}


def test_too_large_a_value_is_an_error_not_garbage() -> None:
    secret, evaluator = keys(PAPER, 1, taylor(7))
    z = secret.encrypt(np.array([2000.0]))
    with pytest.raises(CiphertextOverflowError, match="limit"):
        evaluator.polynomial(z, taylor(7).coefficients)


def test_bounds_that_have_grown_beyond_all_measure_stay_infinite_and_harmless() -> None:
    secret, evaluator = keys(PAPER, 1, taylor(3))
    z = secret.encrypt(np.array([0.5]))
    z.value = z.noise = 1e300
    result = evaluator.polynomial(z, taylor(3).coefficients)
    assert result.value == result.noise == np.inf
    np.testing.assert_allclose(secret.decrypt(result), taylor(3)(np.array([0.5])), atol=1e-5)
