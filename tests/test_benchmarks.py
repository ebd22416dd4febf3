"""The benchmark compares like with like: all three trainings make the same updates."""

import numpy as np
import pytest

from benchmarks import twin
from encnn import experiments as ex
from encnn.network import Architecture, Network, TrainingPlan, train
from encnn.reviews import load_reviews
from encnn.schemes.clear import ClearEvaluator
from encnn.sigmoid import taylor


@pytest.fixture(scope="module")
def data() -> ex.Dataset:
    return ex.words_dataset(load_reviews("toy"))


@pytest.mark.parametrize("batch", [1, 64])
@pytest.mark.parametrize("degree", [1, 5, 7])
def test_the_hand_written_loop_is_the_clear_twin(data: ex.Dataset, degree: int, batch: int) -> None:
    start = Network.initial(Architecture(data.X.shape[1]), np.random.default_rng(0))
    W1, W2 = twin.hand_written(data.X, data.y, start.W2, 0.01, degree, batch)
    network = start.copy()
    train(ClearEvaluator(), network, data.X, data.y, TrainingPlan(taylor(degree), 0.01, batch_size=batch))
    np.testing.assert_allclose(network.W1, W1, atol=1e-12)
    np.testing.assert_allclose(network.W2, W2, atol=1e-12)


def test_a_measurement_has_all_columns(data: ex.Dataset) -> None:
    line = twin.measure(data, degree=1, batch=1, reviews=50, rounds=1)
    assert line["clear_us"] > 0 and line["encrypted_us"] > 0 and line["times_ancestor"] > 0
