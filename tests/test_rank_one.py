"""Rank one: from W1 = 0, a network with a linear hidden layer is a network with one hidden unit."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array, random_array

from encnn.arithmetic.sigmoid import ExactSigmoid, taylor
from encnn.data.batches import Conditioned
from encnn.errors import DataError, ParameterError
from encnn.network import Architecture, Network, TrainingPlan, predict, train
from encnn.network.rank_one import expanded, obstacle, reduced
from encnn.schemes.clear import ClearEvaluator

CLEAR = ClearEvaluator()


def reviews(seed: int, rows: int = 23, words: int = 11) -> tuple[csr_array, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = random_array((rows, words), density=0.4, rng=rng, dtype=np.float64, format="csr")
    X.data[:] = rng.integers(1, 4, X.nnz)
    return csr_array(X), rng.integers(0, 2, rows)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1 << 20),
    hidden=st.integers(1, 9),
    batch=st.integers(1, 30),
    rate=st.floats(1e-4, 0.2),
    decay=st.sampled_from([0.0, 0.7]),
    epochs=st.integers(1, 3),
    sigmoid=st.sampled_from([ExactSigmoid(), taylor(3)]),
    pooling=st.sampled_from(["mean", "sum"]),
    shrink=st.sampled_from([1.0, 0.8]),
    divide=st.booleans(),
    conditioned=st.booleans(),
)
def test_one_unit_trains_as_all_of_them(
    seed, hidden, batch, rate, decay, epochs, sigmoid, pooling, shrink, divide, conditioned
) -> None:
    X, y = reviews(seed)
    shown = Conditioned(X, multipliers=np.arange(1, X.shape[1] + 1)) if conditioned else X
    rate = rate / (20 if pooling == "sum" else 1)
    plan = TrainingPlan(sigmoid, rate / (10 if conditioned else 1), decay, batch, epochs, divide, shrink)
    whole = Network.initial(Architecture(X.shape[1], hidden, pooling=pooling), np.random.default_rng(seed))
    one, w = reduced(whole)
    z, z_one = (train(CLEAR, network, shown, y, plan) for network in (whole, one))
    assume(np.abs(z).max() < 20)  # a run that diverges compares infinities, and one that is about to doubles its errors
    assert np.any(whole.W1)
    _assert_close(z_one, z, z)
    back = expanded(one, w)
    assert back.architecture == whole.architecture
    _assert_close(back.W1, whole.W1, z)
    _assert_close(back.W2, whole.W2, z)
    _assert_close(predict(CLEAR, back, X), predict(CLEAR, whole, X), z)


def _assert_close(found: np.ndarray, expected: np.ndarray, z: np.ndarray) -> None:
    """Errors of float64 may be 1e-12 of the largest score met in training, or of the largest number that is compared."""
    largest = max(1.0, np.abs(z).max(), np.abs(expected).max())
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * largest)


def test_scores_move_where_the_start_is_not_zero() -> None:
    X, y = reviews(1)
    whole = Network.initial(Architecture(X.shape[1], 4), np.random.default_rng(1), first_layer_sd=0.1)
    plan = TrainingPlan(ExactSigmoid(), 0.2, batch_size=4, epochs=3)
    train(CLEAR, whole, X, y, plan)
    assert np.linalg.matrix_rank(whole.W1, tol=1e-6) > 1


@pytest.mark.parametrize(
    ("network", "why"),
    [
        (Network.zeros(Architecture(5, hidden=0)), "no hidden layer"),
        (Network.initial(Architecture(5, 3, outputs=2), np.random.default_rng(0)), "2 outputs"),
        (Network.initial(Architecture(5, 3, hidden_sigmoid=taylor(3)), np.random.default_rng(0)), "hidden layer has a sigmoid"),
        (Network.initial(Architecture(5, 3), np.random.default_rng(0), first_layer_sd=0.1), "W1 is not zero"),
        (Network.zeros(Architecture(5, 3)), "W2 is zero"),
    ],
)
def test_says_why_it_does_not_hold_and_what_can(network, why) -> None:
    assert why in (obstacle(network) or "")
    with pytest.raises(ParameterError, match=f"{why}.*general step"):
        reduced(network)


@pytest.mark.parametrize("factor", [0.0, 0.9, 3.0, np.nan])
def test_a_direction_that_somebody_changed_is_refused(factor: float) -> None:
    one, w = reduced(Network.initial(Architecture(5, 3), np.random.default_rng(0)))
    np.testing.assert_allclose(expanded(one, -w).W2, -one.second_layer * w)  # scores have w twice, and so do not change
    with pytest.raises(DataError, match="not 1, so somebody changed it"):
        expanded(one, factor * w)


def test_only_one_unit_is_expanded() -> None:
    with pytest.raises(ParameterError, match="one hidden unit"):
        expanded(Network.zeros(Architecture(5, 2)), np.ones(2))
