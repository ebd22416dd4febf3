"""The clear scheme is plain numpy; its fixed-point form stays on the grid, and truncation leans towards zero."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from encnn.arithmetic.sigmoid import ExactSigmoid, PolynomialSigmoid, sigmoid, taylor
from encnn.data.batches import batches
from encnn.errors import CapabilityError, FileError, ParameterError
from encnn.network import Architecture, Network, TrainingPlan, train
from encnn.parties import Owner, Trainer
from encnn.schemes import ClearParameters, make_keys
from encnn.schemes.bilinear import elementwise, inner_product, outer, vector_matrix, vector_transposed_matrix
from encnn.schemes.clear import ClearEvaluator, ClearSecretKey, FixedPointEvaluator
from encnn.schemes.integer_vector import PAPER, IntegerVectorEvaluator

numbers = st.floats(-4, 4)
coefficients = st.lists(numbers, min_size=1, max_size=6)
vectors = hnp.arrays(np.float64, (3, 4), elements=numbers)
clear = ClearEvaluator()


@given(vectors, vectors)
def test_products_are_numpy(a: np.ndarray, b: np.ndarray) -> None:
    Y = b[:, :4].reshape(3, 2, 2)
    by_hand = {
        elementwise(4): (a, b, a * b),
        inner_product(4): (a, b, (a * b).sum(axis=1, keepdims=True)),
        outer(4, 4): (a, b, np.stack([np.outer(x, y).ravel() for x, y in zip(a, b, strict=True)])),
        vector_matrix(2, 2): (a[:, :2], b, np.stack([x @ M for x, M in zip(a[:, :2], Y, strict=True)])),
        vector_transposed_matrix(2, 2): (a[:, :2], b, np.stack([x @ M.T for x, M in zip(a[:, :2], Y, strict=True)])),
    }
    for f, (left, right, expected) in by_hand.items():
        np.testing.assert_allclose(clear.bilinear(f, left, right), expected, atol=1e-12)
        np.testing.assert_allclose(clear.bilinear(f, left, right, gain=0.25), expected / 4, atol=1e-12)
        np.testing.assert_allclose(clear.bilinear(f, left, right, 0.25, total=True), expected.sum(axis=0) / 4, atol=1e-12)
        np.testing.assert_allclose(clear.bilinear(f, left[:1], right[:1], total=True), expected[0], atol=1e-12)
    np.testing.assert_array_equal(clear.multiply(a, b), a * b)


@given(vectors, coefficients)
def test_polynomials_of_any_parity(z: np.ndarray, c: list[float]) -> None:
    expected = sum(a * z**k for k, a in enumerate(c)) * np.ones_like(z)
    np.testing.assert_allclose(clear.polynomial(z, c), expected, rtol=1e-9, atol=1e-9)


@given(vectors)
def test_activations_exact_and_polynomial(z: np.ndarray) -> None:
    np.testing.assert_allclose(clear.activate(ExactSigmoid(), z, minus=1.0), sigmoid(z) - 1, atol=1e-15)
    np.testing.assert_allclose(clear.activate(taylor(5), z, minus=z), taylor(5)(z) - z, atol=1e-12)


def test_newton_reciprocal_squares_its_error() -> None:
    a = np.array([0.5, 1.0, 1.6])
    for steps in range(5):
        np.testing.assert_allclose(1 - a * clear.reciprocal(a, 1.0, steps), (1 - a) ** 2**steps, atol=1e-12)


def test_encryption_is_the_identity_on_a_copy() -> None:
    secret, evaluator = make_keys(ClearParameters(), {2})
    v = np.array([[1, 2]])
    a = secret.encrypt(v)
    a[0, 0] = 9
    read = secret.decrypt(a)
    read[0, 1] = 5
    assert (v[0, 0], a.dtype, a[0, 1]) == (1, np.float64, 2)
    assert isinstance(secret, ClearSecretKey)
    assert type(evaluator) is ClearEvaluator
    assert (secret.export(), evaluator.export()) == (({}, {}), ({}, {}))


def test_arrays_come_back_in_their_shape_only() -> None:
    header, array = clear.export_array(np.zeros((2, 3)))
    assert clear.restore_array(header, array, (2, 3)) is array
    for wrong in (np.zeros((3, 2)), np.zeros((2, 3), dtype=np.int64)):
        with pytest.raises(FileError, match=r"expected float64 and \(2, 3\)"):
            clear.restore_array(header, wrong, (2, 3))


# Fixed point


@pytest.mark.parametrize("settings", [{"scale": 0}, {"scale": -3}, {"scale": 10, "rounding": "up"}])
def test_meaningless_roundings_are_refused(settings: dict) -> None:
    with pytest.raises(ParameterError, match="expected a scale of at least 1|must be 'nearest' or 'truncate'"):
        ClearParameters(**settings)


def test_parameters_choose_the_evaluator() -> None:
    _, evaluator = make_keys(ClearParameters(100, "truncate"), {1})
    assert isinstance(evaluator, FixedPointEvaluator)
    assert evaluator.parameters == ClearParameters(100, "truncate")
    assert evaluator.rounded(np.array([0.019, -0.019])).tolist() == [0.01, -0.01]


@given(vectors, vectors, st.sampled_from([1, 10, 1000]), st.sampled_from(["nearest", "truncate"]))
def test_fixed_point_results_lie_on_the_grid_next_to_the_exact_ones(
    a: np.ndarray, b: np.ndarray, scale: int, rounding: str
) -> None:
    fixed = FixedPointEvaluator(scale, rounding)
    a, b = np.rint(a * scale) / scale, np.rint(b * scale) / scale
    step = 1 / scale if rounding == "truncate" else 0.5 / scale
    ((_, words),) = batches(csr_array(np.array([[1, 0, 1], [0, 0, 0]])), 2)
    results = [
        (fixed.multiply_plain(a, 0.37), a * 0.37, 1),
        (fixed.multiply(a, b), a * b, 1),
        (fixed.bilinear(inner_product(4), a, b, gain=0.3), 0.3 * (a * b).sum(axis=1, keepdims=True), 1.3),
        (fixed.bilinear(elementwise(4), a, b, total=True), (a * b).sum(axis=0), 3),
        (fixed.activate(taylor(3), a, minus=1.0), taylor(3)(a) - 1, 1),
        (fixed.activate(ExactSigmoid(), a), sigmoid(a), 1),
        (fixed.gather(words, a), np.stack([a[0] + a[2], 0 * a[0]]), 0),
    ]
    for found, exact, roundings in results:
        np.testing.assert_allclose(found * scale, np.rint(found * scale), atol=1e-9 * scale)
        np.testing.assert_array_less(np.abs(found - exact), roundings * step + 1e-5 / scale)


@given(vectors, st.sampled_from([1, 10, 1000]))
def test_truncation_never_leads_away_from_zero(a: np.ndarray, scale: int) -> None:
    found = FixedPointEvaluator(scale, "truncate").multiply_plain(a, 0.9)
    assert (np.abs(found) <= np.abs(0.9 * a) + 1e-5 / scale).all()
    assert (found * a >= 0).all()


def test_truncation_biases_what_rounding_leaves_centred() -> None:
    a = np.random.default_rng(0).uniform(0, 1, 10_000)
    nearest, truncated = (FixedPointEvaluator(100, r).multiply_plain(a, 0.5) - a / 2 for r in ("nearest", "truncate"))
    deviation_of_mean = 0.01 / np.sqrt(12 * len(a))
    assert abs(nearest.mean()) < 5 * deviation_of_mean
    assert truncated.mean() == pytest.approx(-0.005, abs=5 * deviation_of_mean)


def test_truncation_leaves_what_is_on_the_grid_already() -> None:
    """0.7 + 0.1 is 0.7999999999999999 in float64, but 7 + 1 is 8."""
    a = np.arange(-2000, 2000) / 1000
    for scale in (10, 1000):
        fixed = FixedPointEvaluator(scale, "truncate")
        grid = fixed.rounded(a)
        sums = grid[:, None] + grid[::7]
        np.testing.assert_allclose(fixed.rounded(sums), sums, atol=1e-12)


def test_training_in_fixed_point_stays_on_the_grid_and_truncation_learns_less() -> None:
    """Updates below 1 / scale vanish when truncated; rounded to nearest half of them survive."""
    rng = np.random.default_rng(3)
    X, y = csr_array(rng.integers(0, 2, (200, 20))), rng.integers(0, 2, 200)
    moved = {}
    for rounding in ("nearest", "truncate"):
        network = Network.initial(Architecture(20, hidden=4, pooling="sum"), np.random.default_rng(1))
        network.W2 = np.rint(network.W2 * 1000) / 1000
        scores = train(FixedPointEvaluator(1000, rounding), network, X, y, TrainingPlan(taylor(3), 0.01))
        for values in (network.W1, network.W2, scores):
            np.testing.assert_allclose(values * 1000, np.rint(values * 1000), atol=1e-6)
        moved[rounding] = np.abs(network.W1).sum()
    assert 0 < moved["truncate"] < moved["nearest"]


def test_fine_fixed_point_is_the_clear_twin() -> None:
    rng = np.random.default_rng(3)
    X, y = csr_array(rng.integers(0, 2, (60, 10))), rng.integers(0, 2, 60)
    architecture, plan = Architecture(10, hidden=3), TrainingPlan(taylor(3), 0.1)
    start = Network.initial(architecture, rng)
    scores = [
        Trainer(Owner(architecture, taylor(3), p).encrypt(start)).train(X, y, plan)
        for p in (ClearParameters(), ClearParameters(scale=10**9))
    ]
    assert 0 < np.abs(scores[0] - scores[1]).max() < 1e-6


# What only clear arithmetic can do


def test_ciphertexts_refuse_the_exact_sigmoid_and_name_the_way_out() -> None:
    secret, evaluator = make_keys(PAPER, {1}, rng=np.random.default_rng(0))
    with pytest.raises(CapabilityError) as caught:
        evaluator.activate(ExactSigmoid(), secret.encrypt(np.zeros((2, 1))))
    for part in (IntegerVectorEvaluator.scheme, "exact sigmoid", "taylor", "'clear'"):
        assert part in str(caught.value)


def test_the_general_polynomial_of_the_base_class_agrees_with_the_fast_one() -> None:
    """Encrypted schemes use the base class's evaluation; on numpy arrays both must give the same."""
    z = np.linspace(-2, 2, 9)[:, None]
    general = super(ClearEvaluator, clear).polynomial
    for c in ([0.5, 0.25, 0, -0.02], [1.0], [0.5, 0.0, 0.3], [0.5, 0.2, 0.1, 0.0, 0.01], [0.1, 1.0, 2.0, 3.0, 4.0, 5.0]):
        np.testing.assert_allclose(general(z, c), clear.polynomial(z, c), atol=1e-12)
    p = PolynomialSigmoid("p", (0.5, 0.2, 0.1), (-1, 1))
    np.testing.assert_allclose(super(ClearEvaluator, clear).activate(p, z, minus=z), p(z) - z, atol=1e-12)
