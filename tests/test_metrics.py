"""Metrics against plain loops, and the rule by which one half is decided."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encnn.data import metrics

predictions = hnp.arrays(np.float64, st.integers(1, 40), elements=st.floats(-3, 4))


def labels_for(p: np.ndarray) -> np.ndarray:
    return np.random.default_rng(len(p)).integers(0, 2, len(p))


def shown(p: float) -> float:
    """What equation (2) shows of p: whole thousandths, halves upwards."""
    return float(np.floor(p * 1000 + 0.5)) / 1000


@given(predictions)
def test_right_at_half_follows_the_shown_thousandths(p: np.ndarray) -> None:
    y = labels_for(p)
    expected = [(shown(a) >= 0.5) == bool(b) for a, b in zip(p, y, strict=True)]
    assert metrics.right_at_half(p, y).tolist() == expected


@pytest.mark.parametrize(
    ("p", "positive"), [(0.5, True), (0.5 - 1e-9, True), (0.49951, True), (0.49949, False), (0.4, False), (1.7, True)]
)
def test_noise_does_not_decide_a_prediction_of_one_half(p: float, positive: bool) -> None:
    assert metrics.right_at_half(np.array([p, p]), np.array([1, 0])).tolist() == [positive, not positive]


@given(predictions)
def test_running_mean_against_a_plain_loop(p: np.ndarray) -> None:
    y = labels_for(p)
    total, expected = 0.5, []
    for k, (a, b) in enumerate(zip(p, y, strict=True)):
        total += shown(a)
        mean = total / (k + 2)
        expected.append((shown(a) >= mean) == bool(b))
    assert metrics.right_at_running_mean(p, y).tolist() == expected


def test_the_first_review_is_compared_with_the_mean_that_includes_it() -> None:
    """(0.5 + 0.3) / 2 = 0.4 > 0.3, while (0.5 + 0.5) / 2 = 0.5."""
    assert metrics.right_at_running_mean(np.array([0.3]), np.array([0])).tolist() == [True]
    assert metrics.right_at_running_mean(np.array([0.5]), np.array([1])).tolist() == [True]


@given(hnp.arrays(np.bool_, st.integers(1, 60)))
def test_counts_and_percentages(right: np.ndarray) -> None:
    found = metrics.accuracy(right)
    assert (found.correct, found.reviews) == (sum(right.tolist()), len(right))
    assert found.percent == pytest.approx(100 * sum(right.tolist()) / len(right))
    running = [100 * sum(right[: k + 1].tolist()) / (k + 1) for k in range(len(right))]
    np.testing.assert_allclose(metrics.running_percent(right), running)
    assert metrics.running_percent(right)[-1] == pytest.approx(found.percent)


def test_an_accuracy_reads_as_the_paper_prints_it() -> None:
    assert str(metrics.Accuracy(20523, 25000)) == "20,523 of 25,000 (82.09 %)"


def test_classes_of_one_and_of_several_outputs() -> None:
    assert metrics.classify(np.array([[0.4999], [0.2], [0.51]])).tolist() == [1, 0, 1]
    assert metrics.classify(np.array([[0.1, 0.9, 0.3], [2.0, -1.0, 1.9]])).tolist() == [1, 0]
    assert metrics.classify(np.array([[0.7]])).dtype == np.int64
