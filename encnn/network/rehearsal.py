"""A rehearsal: training in the clear, from a start of the trainer's own, before anything encrypted is trained.

The bootstrapped scheme reads a table at z modulo the width of the torus.  Beyond half the width, `Evaluator.activation_limit`,
it takes the error of another score, of the wrong sign, and nobody who trains can see it: neither in the ciphertexts nor in the
scores, which wrap alike.  In the clear nothing wraps, so a rehearsal shows how far scores go.

The owner's start is another one, so a rehearsal is no proof; and it takes plain labels.  It costs what the clear twin costs.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from encnn.arithmetic.sigmoid import check_reach
from encnn.data.batches import TrainingFeatures
from encnn.errors import DivergenceError
from encnn.network.architecture import Architecture, Network
from encnn.network.training import OnScores, TrainingPlan, train
from encnn.schemes.clear import ClearEvaluator

HALVINGS = 12
"""How often the learning rate is halved in the search for one that can be advised."""


def rehearse(start: Network, X: TrainingFeatures, y: Any, plan: TrainingPlan, on_scores: OnScores | None = None) -> np.ndarray:
    """Return the scores that training in the clear meets, shape (epochs * reviews, outputs); `start` is trained."""
    with np.errstate(over="ignore", invalid="ignore"):  # a lost run leaves all bounds; whoever looks at the scores says so
        return train(ClearEvaluator(), start, X, y, plan, on_scores=on_scores)


def check_rehearsal(
    z: np.ndarray, limit: float, architecture: Architecture, X: TrainingFeatures, y: Any, plan: TrainingPlan
) -> None:
    """Raise `DivergenceError` if too many of the scores z of a rehearsal leave the limit; advise a rate at which few do."""
    try:
        check_reach(z, limit)
    except DivergenceError as error:
        raise DivergenceError(f"in a rehearsal in the clear, {error}; {_advice(limit, architecture, X, y, plan)}") from None


def from_zero(architecture: Architecture, X: TrainingFeatures, y: Any, plan: TrainingPlan) -> np.ndarray:
    """Return the scores of a rehearsal from weights of zero."""
    return rehearse(Network.zeros(architecture), X, y, plan)


def _advice(limit: float, architecture: Architecture, X: TrainingFeatures, y: Any, plan: TrainingPlan) -> str:
    for halvings in range(1, HALVINGS + 1):
        lower = replace(plan, learning_rate=plan.learning_rate / 2**halvings)
        try:
            check_reach(from_zero(architecture, X, y, lower), limit)
        except DivergenceError:
            continue
        return f"learning_rate={lower.learning_rate:g} keeps them in range"
    return "scale the features down, since no lower learning rate keeps them in range"
