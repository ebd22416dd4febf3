"""A rehearsal: before it trains anything encrypted, the trainer trains in the clear from its own initial weights.

The bootstrapped scheme reads a table at z modulo the width of the torus.  If |z| is beyond half the width
(`Evaluator.activation_limit`), it takes the error of another score, which has the wrong sign.  The trainer cannot see this,
because ciphertexts do not show it and scores wrap in the same way.  In the clear nothing wraps, so a rehearsal shows how far
scores go.

A rehearsal proves nothing, since the owner's initial weights differ.  It needs plain labels, and takes as long as the clear
twin.
"""

from dataclasses import replace

import numpy as np

from encnn.arithmetic.sigmoid import check_reach
from encnn.data import Features
from encnn.data.batches import TrainingFeatures, batches
from encnn.errors import DivergenceError
from encnn.network.architecture import Architecture, Network
from encnn.network.training import OnScores, TrainingPlan, forward, predict, train
from encnn.schemes.clear import ClearEvaluator

TOGETHER = 1024
"""How many hidden layers are computed together."""

HALVINGS = 12
"""The search for a learning rate that can be advised halves the rate at most this often."""


def rehearse(
    start: Network, X: TrainingFeatures, y: object, plan: TrainingPlan, on_scores: OnScores | None = None
) -> np.ndarray:
    """Return the scores that training in the clear meets, shape (epochs * reviews, outputs); `start` is trained."""
    with np.errstate(over="ignore", invalid="ignore"):  # a lost run overflows; the check of its scores reports that
        return np.asarray(train(ClearEvaluator(), start, X, y, plan, on_scores=on_scores))


def predict_in_clear(network: Network[np.ndarray], X: Features, batch_size: int | None = None) -> np.ndarray:
    """Return the scores z of a network in the clear, shape (reviews, outputs)."""
    return np.asarray(predict(ClearEvaluator(), network, X, batch_size))


def check_rehearsal(
    z: np.ndarray, limit: float, architecture: Architecture, X: TrainingFeatures, y: object, plan: TrainingPlan
) -> None:
    """Raise `DivergenceError` if too many scores z of a rehearsal pass the limit.  It advises a rate at which few do."""
    try:
        check_reach(z, limit)
    except DivergenceError as error:
        raise DivergenceError(f"in a rehearsal in the clear, {error}; {_advice(limit, architecture, X, y, plan)}") from None


def typical_start(architecture: Architecture) -> Network[np.ndarray]:
    """Return W1 = 0 and a standard normal W2, always the same.  From W2 = 0 a hidden layer would not learn."""
    return Network.initial(architecture, np.random.default_rng(0))


def from_typical(architecture: Architecture, X: TrainingFeatures, y: object, plan: TrainingPlan) -> np.ndarray:
    """Return the scores of a rehearsal from a typical start."""
    return rehearse(typical_start(architecture), X, y, plan)


def hidden_layer_of(network: Network[np.ndarray], X: TrainingFeatures) -> np.ndarray:
    """Return the sum or mean of rows of W1 of each review, before an activation, shape (reviews, hidden)."""
    return np.concatenate([np.asarray(forward(ClearEvaluator(), network, batch)[0]) for _, batch in batches(X, TOGETHER)])


def _advice(limit: float, architecture: Architecture, X: TrainingFeatures, y: object, plan: TrainingPlan) -> str:
    for halvings in range(1, HALVINGS + 1):
        lower = replace(plan, learning_rate=plan.learning_rate / 2**halvings)
        try:
            check_reach(from_typical(architecture, X, y, lower), limit)
        except DivergenceError:
            continue
        return f"learning_rate={lower.learning_rate:g} keeps them in range"
    return "scale the features down, since no lower learning rate keeps them in range"
