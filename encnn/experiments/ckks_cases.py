"""What is trained under CKKS, and how learning rate, polynomial and start are chosen.

Mini-batches fill a ciphertext.  The choices are the best on the last fifth of the *training* reviews, after clear training
on the others.  No test review is used.
"""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pandas as pd

from encnn.arithmetic.sigmoid import BEYOND, PolynomialSigmoid, least_squares
from encnn.data.datasets import Dataset, held_out
from encnn.experiments.columns import right
from encnn.experiments.twin import ClearTwin, clear_twin
from encnn.network import Architecture, Network, TrainingPlan
from encnn.progress import progress
from encnn.schemes.ckks import HIDDEN_128, LOGISTIC_128, UNASSISTED_128, CKKSParameters

SQUARE = PolynomialSigmoid("z + z^2 / 8", (0.0, 1.0, 0.125), (-4.0, 4.0))
"""Activation of the hidden layer: the square, and the identity so that a small start has a slope."""
MARGIN = 0.2
"""Choices must keep scores beyond the radius below this part of what ends a run, since the full run has more steps."""
SEED = 0
RATES, HIDDEN_RATES = (2.0, 3.0, 4.0, 5.0, 6.0), (0.125, 0.25, 0.5, 1.0)
RADII, DEVIATIONS = (6.0, 8.0, 10.0), (0.02, 0.05)


@dataclass(frozen=True)
class CKKSCase:
    """One line of the table.  Rate, radius and deviation are chosen on held-out training reviews."""

    name: str  # as tables show it
    parameters: CKKSParameters  # of the scheme
    rate: float = 2.0  # learning rate for the mean of a mini-batch; updates are summed, so the plan divides it by the batch
    radius: float = 8.0  # the polynomial sigmoid is fitted on +-radius
    epochs: int = 1  # passes over the reviews
    hidden: int = 0  # hidden units
    deviation: float = 0.0  # of the start of W1
    labels: str = "plain"  # or "encrypted"
    refreshed: bool = True  # whether the owner refreshes the weights
    reviews: int | None = None  # how many training reviews, None for all

    def architecture(self, features: int) -> Architecture:
        """Return the network's shape."""
        return Architecture(features, self.hidden, pooling="sum", hidden_sigmoid=SQUARE if self.hidden else None)

    def start(self, features: int) -> Network:
        """Return the network in the clear before training, the same in every run."""
        return Network.initial(self.architecture(features), np.random.default_rng(SEED), self.deviation)

    def plan(self, reviews: int) -> TrainingPlan:
        """Return how to train on a number of reviews: mini-batches that fill a ciphertext, or all reviews if they are fewer."""
        batch = min(reviews, self.parameters.slots // (1 << (max(self.hidden, 1) - 1).bit_length()))
        return TrainingPlan(least_squares(3, self.radius), self.rate / batch, batch_size=batch, epochs=self.epochs)

    def data(self, data: Dataset) -> Dataset:
        """Return the reviews of the case."""
        return data.first(self.reviews)

    def clear_twin(self, data: Dataset) -> ClearTwin:
        """Train the case in the clear on all of these data."""
        reviews, features = data.X.shape
        return clear_twin(self.start(features), data, self.plan(reviews))

    def in_the_clear(self) -> "CKKSCase":
        """Return the parts of the case that matter in the clear; who may read the labels does not matter there."""
        return replace(self, name="", labels="plain")

    def chosen(self, choices: pd.DataFrame) -> "CKKSCase":
        """Return the case with the best of its choices."""
        best = choices.iloc[0]
        return replace(self, rate=float(best["rate"]), radius=float(best["radius"]), deviation=float(best["deviation"]))


LOGISTIC = CKKSCase("logistic regression", LOGISTIC_128)
CASES = (
    replace(LOGISTIC, name="logistic regression, 1,000 reviews", epochs=7, reviews=1000),
    LOGISTIC,
    replace(LOGISTIC, name="logistic regression, encrypted labels", labels="encrypted"),
    CKKSCase("hidden layer of 8", HIDDEN_128, hidden=8),
)
UNASSISTED = CKKSCase("logistic regression, no refresh", UNASSISTED_128, epochs=2, refreshed=False)
TOY_CASES = (
    replace(LOGISTIC, epochs=8),
    replace(LOGISTIC, name="logistic regression, encrypted labels", labels="encrypted", epochs=8),
    CKKSCase("hidden layer of 8", HIDDEN_128, hidden=8, epochs=8),
)


def held_out_choices(case: CKKSCase, data: Dataset) -> pd.DataFrame:
    """Return the accuracy of choices on the held-out last fifth of the training reviews, after clear training; best first.

    Choices that stay within the range of their polynomial (see `MARGIN`) come before all others, at any accuracy.
    """
    part = held_out(case.data(data))
    lines = []
    grid = product(HIDDEN_RATES, RADII, DEVIATIONS) if case.hidden else product(RATES, RADII, (0.0,))
    for rate, radius, deviation in progress(list(grid), "choices", unit="run"):
        tried = replace(case, rate=rate, radius=radius, deviation=deviation)
        with np.errstate(over="ignore", invalid="ignore"):
            twin = tried.clear_twin(part)
            beyond = _largest_share_beyond(twin.z, radius, tried.plan(part.X.shape[0]).batch_size)
            accuracy = right(twin.network, part.X_test, part.y_test).mean()
        within = beyond <= MARGIN * BEYOND
        lines.append((case.name, rate, radius, deviation, round(100 * beyond, 3), within, round(100 * accuracy, 2)))
    columns = ["case", "rate", "radius", "deviation", "scores beyond radius percent", "within", "held-out accuracy percent"]
    table = pd.DataFrame(lines, columns=columns)
    return table.sort_values(["within", columns[-1]], ascending=False, kind="stable", ignore_index=True)


def _largest_share_beyond(z: np.ndarray, radius: float, batch: int) -> float:
    """Return the largest share of the scores of a mini-batch that lies outside +-radius."""
    return max(float((~(np.abs(z[i : i + batch]) <= radius)).mean()) for i in range(0, len(z), batch))
