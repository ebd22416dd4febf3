"""The clear twin of a run: the same start, order, sigmoid and updates by the same loop, in float64 and without encryption."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from encnn.costs.timing import cpu_seconds
from encnn.data.datasets import Dataset
from encnn.network import Help, Network, TrainingPlan, train
from encnn.network.rehearsal import predict_in_clear
from encnn.network.training import NOBODY
from encnn.parties import Evaluation, Owner
from encnn.schemes import ClearParameters
from encnn.schemes.clear import ClearEvaluator

WARM_UP = 20
"""Reviews that a copy is trained on first, so that no run is charged for loops compiled or keys expanded."""


@dataclass(frozen=True)
class ClearTwin:
    """A run in the clear, from which everything else is read."""

    data: Dataset  # what it was trained on
    plan: TrainingPlan  # how it was trained
    network: Network  # after training
    z: np.ndarray  # the scores met in training, shape (epochs * reviews, outputs)
    cpu_seconds: float  # of training alone

    @cached_property
    def training(self) -> Evaluation:
        """What was right while training."""
        return self._owner.evaluate(self.z, self.data.y, self.plan)

    @cached_property
    def test(self) -> Evaluation:
        """What the trained network gets right of the test reviews."""
        return self._owner.evaluate(predict_in_clear(self.network, self.data.X_test), self.data.y_test, self.plan)

    @property
    def _owner(self) -> Owner:
        return Owner(self.network.architecture, self.plan.sigmoid, ClearParameters())


def clear_twin(start: Network, data: Dataset, plan: TrainingPlan, help: Help = NOBODY) -> ClearTwin:
    """Train a copy of `start` in the clear.  help: may replace the error step, to add the noise of a scheme for example."""
    evaluator, network = ClearEvaluator(), start.copy()
    train(evaluator, start.copy(), data.X[:WARM_UP], data.y[:WARM_UP], replace(plan, epochs=1))
    z, seconds = cpu_seconds(lambda: train(evaluator, network, data.X, data.y, plan, help))
    return ClearTwin(data, plan, network, np.asarray(z), seconds)
