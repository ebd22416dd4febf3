"""The owner's acceptance test: right verdicts, exact counts, refusals."""

import numpy as np
import pytest

from encnn.arithmetic.sigmoid import taylor
from encnn.data.metrics import Accuracy
from encnn.errors import DataError, KeyMismatchError, ParameterError
from encnn.network import Architecture, Network
from encnn.parties import Owner
from encnn.parties.acceptance import Acceptance, acceptance_test
from encnn.schemes.integer_vector import PAPER

ARCHITECTURE = Architecture(2, hidden=1, pooling="sum")
X = np.array([[1, 0], [0, 1], [1, 0], [0, 1]], dtype=np.int64)
Y = np.array([1, 0, 1, 0])


def owner_and_model(seed=1):
    owner = Owner(ARCHITECTURE, taylor(1), PAPER, rng=np.random.default_rng(seed))
    return owner, owner.encrypt(Network(ARCHITECTURE, np.array([[1.0], [-1.0]]), np.array([1.0])))


def test_counts_right_answers():
    owner, model = owner_and_model()
    assert acceptance_test(owner, model, X, Y, 1.0).accepted
    verdict = acceptance_test(owner, model, X, np.array([1, 0, 1, 1]), 0.8)
    assert verdict.accuracy == Accuracy(3, 4) and not verdict.accepted
    assert str(verdict) == "REJECTED: 3 of 4 (75.00 %) right on held-out reviews, 80.0 % required"


def test_reaching_the_minimum_is_enough():
    assert Acceptance(Accuracy(3, 4), 0.75).accepted
    assert str(Acceptance(Accuracy(3, 4), 0.75)).startswith("accepted")


def test_several_outputs_are_judged_by_the_largest():
    architecture = Architecture(3, hidden=0, outputs=3, pooling="sum")
    owner = Owner(architecture, taylor(1), PAPER, rng=np.random.default_rng(1))
    model = owner.encrypt(Network(architecture, np.eye(3), None))
    assert acceptance_test(owner, model, np.eye(3, dtype=int), np.array([0, 1, 0]), 0.5).accuracy == Accuracy(2, 3)


def test_a_model_of_another_key_is_refused():
    owner, _ = owner_and_model()
    _, foreign = owner_and_model(seed=2)
    with pytest.raises(KeyMismatchError):
        acceptance_test(owner, foreign, X, Y, 0.5)


@pytest.mark.parametrize("minimum", [0, -1, 1.5, float("nan")])
def test_a_minimum_that_is_no_share_is_refused(minimum):
    with pytest.raises(ParameterError, match="minimum=.*above 0, at most 1"):
        acceptance_test(*owner_and_model(), X, Y, minimum)


@pytest.mark.parametrize(("features", "labels"), [(X[:0], Y[:0]), (X, Y[:2])])
def test_reviews_and_labels_must_match(features, labels):
    with pytest.raises(DataError, match="one label per review|no review"):
        acceptance_test(*owner_and_model(), features, labels, 0.5)
