"""The one clear twin, and what is read from it: it is plain training, whatever warmed up before it."""

import numpy as np
import pytest

from encnn.arithmetic.sigmoid import ExactSigmoid
from encnn.data.datasets import Dataset, held_out
from encnn.experiments.columns import distance_percent, right_percent
from encnn.experiments.linear import linear_start
from encnn.experiments.twin import WARM_UP, clear_twin
from encnn.network import Architecture, Help, Network, TrainingPlan, train
from encnn.schemes.clear import ClearEvaluator

PLAN = TrainingPlan(ExactSigmoid(), 0.1, batch_size=8, epochs=2)


@pytest.fixture
def data() -> Dataset:
    rng = np.random.default_rng(3)
    X = (rng.random((2 * WARM_UP, 12)) < 0.5).astype(float)
    y = (X[:, :6].sum(axis=1) > X[:, 6:].sum(axis=1)).astype(int)
    return Dataset("small", X[:30], y[:30], X[30:], y[30:])


def test_it_is_plain_training_from_a_start_that_stays_as_it_was(data: Dataset) -> None:
    start = linear_start(data)
    twin, plain = clear_twin(start, data, PLAN), start.copy()
    z = train(ClearEvaluator(), plain, data.X, data.y, PLAN)
    np.testing.assert_array_equal(twin.network.W1, plain.W1)
    np.testing.assert_array_equal(twin.z, z)
    assert not start.W1.any() and twin.cpu_seconds > 0


def test_what_was_right_is_that_of_training_and_of_the_test_reviews(data: Dataset) -> None:
    twin = clear_twin(linear_start(data), data, PLAN)
    assert (len(twin.training.right), len(twin.test.right)) == (60, 10)
    assert twin.test.accuracy.percent == pytest.approx(right_percent(twin.network, data.X_test, data.y_test))


def test_warming_up_takes_no_step_of_the_help(data: Dataset) -> None:
    """Else a help that draws noise would draw other noise in the run that counts."""
    batches = []

    def step(evaluator, z, targets, rate):
        batches.append(len(z))
        return z - targets, rate

    clear_twin(linear_start(data), data, PLAN, Help(step))
    assert batches == [8, 8, 8, 6] * 2


def test_distance_is_a_share_of_what_training_changed() -> None:
    a = Architecture(1, hidden=1)
    start, twin, other = (Network(a, np.array([[w]]), np.array([v])) for w, v in ((0.0, 1.0), (3.0, 5.0), (3.0, 4.5)))
    assert distance_percent(other, twin, start) == pytest.approx(10.0)  # both layers count: 0.5 of 5
    assert distance_percent(twin, twin, start) == 0


def test_held_out_reviews_are_the_last_training_reviews(data: Dataset) -> None:
    part = held_out(data)
    np.testing.assert_array_equal(part.X, data.X[:24])
    np.testing.assert_array_equal(part.X_test, data.X[24:])
    np.testing.assert_array_equal(part.y_test, data.y[24:])
