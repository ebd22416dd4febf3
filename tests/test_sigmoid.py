"""The polynomial sigmoids: exact coefficients, optimality of the fits, and the check that stops lost runs."""

import functools
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encnn.arithmetic import sigmoid as sg
from encnn.errors import DivergenceError, ParameterError

odd_degrees = st.integers(0, 7).map(lambda k: 2 * k + 1)
radii = st.floats(0.5, 20)
reals = st.floats(-30, 30)


@functools.cache
def bernoulli(n: int) -> Fraction:
    """Return the Bernoulli number B_n, by its recurrence."""
    if n == 0:
        return Fraction(1)
    return -sum((math.comb(n + 1, k) * bernoulli(k) for k in range(n)), Fraction(0)) / (n + 1)


# The exact function and its series


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_sigmoid_is_stable_and_symmetric(x):
    assert 0 <= sg.sigmoid(x) <= 1
    assert float(sg.sigmoid(x) + sg.sigmoid(-x)) == pytest.approx(1, abs=1e-15)


def test_sigmoid_keeps_its_small_values_and_shapes():
    assert float(sg.sigmoid(-700.0)) == pytest.approx(math.exp(-700), rel=1e-12)
    assert sg.sigmoid(np.zeros((2, 3))).shape == (2, 3)


def test_the_exact_sigmoid_is_callable_like_its_approximations():
    x = np.linspace(-5, 5, 11)
    np.testing.assert_array_equal(sg.ExactSigmoid()(x), sg.sigmoid(x))


def test_taylor_coefficients_of_the_paper():
    series = [Fraction(1, 2), Fraction(1, 4), 0, Fraction(-1, 48), 0, Fraction(1, 480), 0, Fraction(-17, 80640)]
    assert list(sg.taylor_coefficients(7)) == series


def test_taylor_coefficients_by_bernoulli_numbers():
    """sigma(x) = 1/2 + tanh(x/2)/2, whose odd coefficients are (2^(n+1) - 1) B_(n+1) / (n+1)!."""
    for n in range(1, 16, 2):
        assert sg.taylor_coefficients(15)[n] == Fraction(2 ** (n + 1) - 1) * bernoulli(n + 1) / math.factorial(n + 1)


@given(odd_degrees)
def test_derivative_identity_at_zero(degree):
    """sigma' = sigma (1 - sigma), up to the power that the truncation leaves."""
    p = np.polynomial.Polynomial([float(a) for a in sg.taylor_coefficients(degree)])
    defect = (p.deriv() - p * (1 - p)).coef
    np.testing.assert_allclose(defect[:degree], 0, atol=1e-15)


def test_taylor_converges_inside_pi_and_nowhere_else():
    high = sg.taylor(61)
    assert abs(float(high.error(2.0))) < 1e-11
    assert abs(float(high.error(3.6))) > 100


def test_ancestor_is_the_series_out_of_place():
    p = sg.ancestor_misplaced()
    assert p.coefficients == (0.5, 1 / 4, -1 / 48, 1 / 480, 0, -17 / 80640)
    assert "misplaced" in p.name
    assert float(p(2.0) + p(-2.0)) != pytest.approx(1, abs=0.1)


# Every approximation


@settings(max_examples=40, deadline=None)
@given(odd_degrees, radii, reals)
def test_odd_about_one_half(degree, radius, x):
    for p in (sg.taylor(degree), sg.least_squares(degree, radius)):
        assert float(p(x) + p(-x)) == pytest.approx(1, rel=1e-9, abs=1e-9 * float(np.abs(p(x)) + 1))
        assert p.coefficients[0] == 0.5 and p.degree == degree


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=6).filter(lambda c: c[-1] != 0), reals)
def test_horner_against_powers(coefficients, x):
    p = sg.PolynomialSigmoid("p", tuple(coefficients), (-1.0, 1.0))
    terms = [Fraction(c) * Fraction(x) ** k for k, c in enumerate(coefficients)]
    scale = float(sum(map(abs, terms)))
    assert float(p(x)) == pytest.approx(float(sum(terms)), abs=1e-13 * scale + 1e-300)


def test_shapes_are_kept():
    assert sg.taylor(5)(np.zeros((2, 3))).shape == (2, 3)
    assert sg.taylor(5)([0, 1]).dtype == np.float64


@pytest.mark.parametrize("degree", [1, 3, 5, 9, 15])
@pytest.mark.parametrize("radius", [1, 2.5, 8, 20])
def test_each_fit_is_best_in_its_own_norm(degree, radius):
    x, weights = np.polynomial.legendre.leggauss(600)
    taylor, squares, minimax = sg.taylor(degree), sg.least_squares(degree, radius), sg.minimax(degree, radius)
    l2 = [float(weights @ p.error(radius * x) ** 2) for p in (squares, taylor, minimax)]
    assert l2[0] <= min(l2[1:]) * (1 + 1e-9) + 1e-24
    grid = np.linspace(-radius, radius, 5001)
    worst = [float(np.abs(p.error(grid)).max()) for p in (minimax, taylor, squares)]
    assert worst[0] <= min(worst[1:]) * (1 + 1e-6) + 1e-12
    if degree > 1 and radius >= 2.5:
        assert l2[0] < 0.7 * l2[1] and worst[0] < 0.9 * min(worst[1:])


@pytest.mark.parametrize(("degree", "radius"), [(1, 8), (3, 4), (7, 8), (7, 20), (15, 10), (31, 20)])
def test_minimax_equioscillates(degree, radius):
    error = sg.minimax(degree, radius).error(np.linspace(0, radius, 100_001)[1:])
    edges = np.flatnonzero(np.diff(error > 0)) + 1
    peaks = np.array([part[np.abs(part).argmax()] for part in np.split(error, edges)])
    assert len(peaks) == (degree + 3) // 2
    np.testing.assert_allclose(np.abs(peaks), np.abs(peaks).max(), rtol=1e-4)


@pytest.mark.parametrize("degree", [1, 3, 7])
def test_least_squares_error_is_orthogonal_to_odd_powers(degree):
    x, weights = np.polynomial.legendre.leggauss(400)
    error = sg.least_squares(degree, 8).error(8 * x)
    for k in range(1, degree + 1, 2):
        assert abs(float(weights @ (error * x**k))) < 1e-13


def test_fits_name_themselves():
    assert sg.minimax(7, 8).name == "minimax on +-8, degree 7"
    assert sg.least_squares(3, 2.5).name == "least squares on +-2.5, degree 3"
    assert sg.minimax(7, 8).interval == (-8.0, 8.0)


# Radii and tables


def test_monotone_radius():
    assert sg.taylor(1).monotone_radius == math.inf
    assert sg.taylor(3).monotone_radius == pytest.approx(2, rel=1e-12)
    assert sg.taylor(5).monotone_radius == math.inf
    radius = sg.taylor(7).monotone_radius
    assert 2.2 < radius < 2.5
    x = np.array([-1.001, -0.999, 0.999, 1.001]) * radius
    slopes = np.sign(sg.taylor(7)(x + 1e-6) - sg.taylor(7)(x))
    assert slopes.tolist() == [-1, 1, 1, -1]


@pytest.mark.parametrize(
    ("coefficients", "radius"),
    [
        ((0.5, -0.25), 0.0),
        ((0.5, 1.0, 0.0, -2 / 3, 0.0, 1 / 5), math.inf),  # slope (1 - x^2)^2: touches 0, never falls
        ((0.5, 1.0, 0.5), 1.0),  # slope 1 + x: falls on the left only
        ((0.5, 0.0, 1.0), 0.0),
        ((0.5, 0.0, 0.0, 1.0), math.inf),
    ],
)
def test_monotone_radius_in_odd_cases(coefficients, radius):
    assert sg.PolynomialSigmoid("p", coefficients, (-1.0, 1.0)).monotone_radius == pytest.approx(radius, abs=1e-6)


@pytest.mark.parametrize("degree", [1, 3, 5, 7, 15])
def test_tolerance_radius_is_where_the_error_passes(degree):
    p = sg.taylor(degree)
    radius = p.tolerance_radius()
    assert float(np.abs(p.error(np.linspace(-radius, radius, 5001))).max()) <= sg.TOLERANCE * (1 + 1e-9)
    assert abs(float(p.error(radius * (1 + 1e-6)))) > sg.TOLERANCE
    assert p.interval == (-radius, radius)


def test_tolerance_radius_at_its_ends():
    assert sg.PolynomialSigmoid("off", (0.6, 0.25), (-1.0, 1.0)).tolerance_radius() == 0
    assert sg.PolynomialSigmoid("flat", (0.5, 1e-9), (-1.0, 1.0)).tolerance_radius(0.6) == math.inf


def test_error_table():
    approximations = [sg.taylor(3), sg.minimax(3, 8), sg.ancestor_misplaced()]
    table = sg.error_table(approximations, radius=8)
    columns = ["name", "degree", "max_abs_error", "mean_abs_error", "tolerance_radius", "monotone_radius"]
    assert list(table.columns) == columns
    assert table.degree.tolist() == [3, 3, 5]
    taylor = table.iloc[0]
    assert taylor.max_abs_error == pytest.approx(abs(float(sg.taylor(3).error(8.0))))
    assert taylor.mean_abs_error == pytest.approx(2.08, abs=0.01)
    assert taylor.monotone_radius == pytest.approx(2)
    assert (table.mean_abs_error <= table.max_abs_error).all()


# What training met


def test_error_over_reports_facts():
    p = sg.taylor(3)
    report = sg.error_over(p, [[-1.0, 0.0], [1.0, 6.0]])
    assert (report.min_z, report.max_z) == (-1.0, 6.0)
    assert report.share_outside == report.share_beyond_monotone == report.share_wrong_side == 0.25
    assert report.max_abs_error == pytest.approx(abs(float(p.error(6.0))))
    assert report.mean_abs_error == pytest.approx(np.abs(p.error([-1, 0, 1, 6])).mean())
    assert report.max_abs_p == pytest.approx(2.5)


def test_error_over_a_lost_run_does_not_hide_it():
    report = sg.error_over(sg.taylor(5), [0.0, 1e300, math.nan])
    assert math.isnan(report.max_abs_p) or report.max_abs_p == math.inf
    assert report.share_outside == pytest.approx(2 / 3)


@pytest.mark.parametrize("degree", [1, 5])
def test_healthy_runs_reach_8(degree):
    z = np.linspace(-8, 8, 101)
    report = sg.check_range(sg.taylor(degree), z, learning_rate=0.001)
    assert report == sg.error_over(sg.taylor(degree), z)
    assert report.share_outside > 0.5 and report.share_wrong_side == 0


def test_a_little_on_the_wrong_side_is_reported_not_raised():
    assert sg.check_range(sg.taylor(3), [5.0, -5.0], learning_rate=0.001).share_wrong_side == 1


@pytest.mark.parametrize(
    ("degree", "z", "learning_rate"),
    [(3, 9.0, 1e-9), (3, -9.0, 1e-9), (7, 6.0, 1e-9), (7, -6.0, 1e-9), (1, 1e6, 0.001), (5, -40.0, 0.001)],
)
def test_divergence_names_review_degree_rate_and_range(degree, z, learning_rate):
    values = [0.0, 1.0, z, 0.0]
    with pytest.raises(DivergenceError) as caught:
        sg.check_range(sg.taylor(degree), values, learning_rate, first_review=1000)
    message = str(caught.value)
    low, high = sg.taylor(degree).interval
    facts = ("review 1002", f"degree {degree}", f"learning rate {learning_rate:g}", f"from {low:.3g} to {high:.3g}")
    assert all(fact in message for fact in facts)


@pytest.mark.parametrize("z", [math.nan, math.inf, -math.inf, 1e200])
def test_values_beyond_all_bounds_are_divergence(z):
    with pytest.raises(DivergenceError, match="review 0"):
        sg.check_range(sg.taylor(5), [z], learning_rate=1e-300)


@pytest.mark.parametrize(("degree", "learning_rate", "lost"), [(1, 0.05, False), (5, 0.001, False), (5, 0.3, True)])
def test_the_check_agrees_with_training(degree, learning_rate, lost):
    """A network of one hidden layer on noise: the check raises exactly when the run leaves all bounds."""
    z = train(sg.taylor(degree), learning_rate)
    assert (not np.abs(z[-1]) < 1e6) == lost
    if lost:
        with pytest.raises(DivergenceError):
            sg.check_range(sg.taylor(degree), z, learning_rate)
    else:
        sg.check_range(sg.taylor(degree), z, learning_rate)


def train(p: sg.PolynomialSigmoid, learning_rate: float, n_reviews: int = 400) -> np.ndarray:
    """Return the z of every review until one is beyond bounds; random labels, 20 of 50 words per review, sum of rows."""
    rng = np.random.default_rng(3)
    W1, W2, z = np.zeros((50, 4)), rng.normal(size=4), []
    for _ in range(n_reviews):
        words = rng.choice(50, size=20, replace=False)
        h = W1[words].sum(axis=0)
        z.append(float(h @ W2))
        if not abs(z[-1]) < 1e6:
            break
        step = learning_rate * (float(p(z[-1])) - rng.integers(2))
        W1[words] -= step * W2
        W2 = W2 - step * h
    return np.array(z)


# Refusals


@pytest.mark.parametrize("degree", [0, -1, 2, 4, 1.0, "3"])
def test_degrees_must_be_odd(degree):
    for make in (sg.taylor, lambda d: sg.least_squares(d, 8), lambda d: sg.minimax(d, 8)):
        with pytest.raises(ParameterError, match="expected (an odd|a whole) number"):
            make(degree)


@pytest.mark.parametrize("make", [sg.least_squares, sg.minimax])
def test_limits_of_fits(make):
    with pytest.raises(ParameterError, match="rounding"):
        make(33, 8)
    for radius in (0, -1, math.inf, math.nan, 101):
        with pytest.raises(ParameterError, match="radius"):
            make(3, radius)


def test_exchange_that_does_not_settle(monkeypatch):
    monkeypatch.setattr(sg, "_EXCHANGES", 1)
    with pytest.raises(ParameterError, match="lower degree"):
        sg.minimax(7, 8)


@pytest.mark.parametrize("coefficients", [(), (0.5,), (0.5, 0.0), (0.5, math.nan), (0.5, math.inf)])
def test_coefficients_must_make_a_polynomial(coefficients):
    with pytest.raises(ParameterError, match="coefficients"):
        sg.PolynomialSigmoid("p", coefficients, (-1.0, 1.0))


@pytest.mark.parametrize("interval", [(1.0, -1.0), (0.0, 0.0), (0.0, math.nan)])
def test_intervals_must_not_be_empty(interval):
    with pytest.raises(ParameterError, match="interval"):
        sg.PolynomialSigmoid("p", (0.5, 0.25), interval)


def test_other_refusals():
    with pytest.raises(ParameterError, match="radius"):
        sg.error_table([sg.taylor(1)], radius=0)
    with pytest.raises(ParameterError, match="no values"):
        sg.error_over(sg.taylor(1), [])
    for rate in (0, -1, math.nan, math.inf):
        with pytest.raises(ParameterError, match="learning rate"):
            sg.check_range(sg.taylor(1), [0.0], learning_rate=rate)


# Names


STANDARD = [sg.taylor(1), sg.taylor(7), sg.taylor(63), sg.least_squares(3, 8.0), sg.least_squares(31, 100.0)]
STANDARD += [sg.minimax(5, 4.5), sg.ancestor_misplaced()]


@pytest.mark.parametrize("p", STANDARD, ids=lambda p: p.name)
def test_a_standard_name_stands_for_its_polynomial(p):
    sg.check_name(p)
    sg.check_name(replace(p, name="mine", coefficients=(0.5, 1.0)))
    others = [replace(p, name=q.name) for q in STANDARD if q.name != p.name]
    others += [replace(p, coefficients=(*p.coefficients[:-1], p.coefficients[-1] * 1.001))]
    others += [replace(p, coefficients=(*p.coefficients, 1e-300)), replace(p, interval=(p.interval[0], p.interval[1] * 1.001))]
    others += [replace(p, coefficients=(5e-324, *p.coefficients[1:])), replace(p, name="exact")]
    for other in others:
        with pytest.raises(ParameterError):
            sg.check_name(other)


def test_fits_that_differ_by_rounding_keep_their_name():
    p = sg.minimax(5, 4.5)
    sg.check_name(replace(p, coefficients=(0.5, *(c * (1 + 1e-13) for c in p.coefficients[1:]))))
