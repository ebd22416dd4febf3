"""Choose a learning rate for a model's parameters and the trainer's data, in the clear, on data held out.

With a rate that is too small the noise of the bootstraps drowns the updates.  With one that is too large scores leave the range
of the scheme.  So the trainer trains in the clear from zero, with the noise that bootstraps would add
(`schemes.bootstrapped.simulation`), and counts how often it is right on the last fifth of its data.  A score beyond the range
counts as wrong.  If the owner assists, there is no such noise.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from encnn.arithmetic.sigmoid import check_reach
from encnn.data.batches import training_features
from encnn.data.inputs import Features
from encnn.data.recipes import ClassFeatures, ScaledFeatures
from encnn.errors import CapabilityError, DataError, DivergenceError, ParameterError
from encnn.network import Help, Network, TrainingPlan, predict, train
from encnn.network.rehearsal import from_typical
from encnn.parties import EncryptedModel
from encnn.progress import progress
from encnn.schemes.bootstrapped import BootstrappedParameters
from encnn.schemes.bootstrapped.simulation import noisy_step
from encnn.schemes.clear import ClearEvaluator

RATES = (0.0025, 0.005, 0.01, 0.02, 0.04)
GAINS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Rates for scaled numbers, in units of 1 / |x|^2.  At the gain g a step on a row moves its own score by g times its error."""
HELD_OUT = 0.2
FEWEST = 20
"""The fewest rows from which a rate is chosen."""


def chosen_rate(model: EncryptedModel, X: Features, y: np.ndarray, plan: TrainingPlan) -> tuple[float, float]:
    """Return the best of `RATES` for this plan on features X and labels y, and its share of right answers on data held out.

    X, y: in an order in which labels take turns.  The same arguments always give the same answer.
    """
    if model.architecture.hidden:
        raise CapabilityError(
            "this network has a hidden layer, and a learning rate is chosen only for networks without one; name --learning-rate"
        )
    if len(y) < FEWEST:
        raise DataError(f"{len(y)} rows are too few to choose a learning rate on; expected {FEWEST}, or name --learning-rate")
    if (y == y[0]).all():
        raise DataError(f"all labels are {y[0]}, so there is no rate to choose; expected rows of both, or name --learning-rate")
    plans = _above_noise(model, X, [replace(plan, learning_rate=rate) for rate in _rates(model, X)])
    rehearsals = progress(plans, "choosing a learning rate", unit="rehearsal")
    shares = {plan.learning_rate: _share_right(model, X, y, plan) for plan in rehearsals}
    ranked = sorted(plans, key=lambda plan: shares[plan.learning_rate], reverse=True)
    best = next((plan for plan in ranked if _stays(model, X, y, plan)), plans[0])
    return best.learning_rate, shares[best.learning_rate]


def _above_noise(model: EncryptedModel, X: Features, plans: list[TrainingPlan]) -> list[TrainingPlan]:
    """Return the plans that the noise would not drown; raise the error of the last one if there are none."""
    possible = []
    for plan in plans:
        try:
            model.evaluator.check_plan(training_features(X, X.shape[1]), plan.epochs, plan.learning_rate, model.network)
            possible.append(plan)
        except ParameterError as error:
            refused = error
    if not possible:
        raise refused
    return possible


def _rates(model: EncryptedModel, X: Features) -> Sequence[float]:
    """Return the rates to choose from; those for scaled numbers depend on how large the numbers are."""
    of = model.features.of if isinstance(model.features, ClassFeatures) else model.features
    return [gain * X.shape[0] / float((X**2).sum()) for gain in GAINS] if isinstance(of, ScaledFeatures) else RATES


def _stays(model: EncryptedModel, X: Features, y: np.ndarray, plan: TrainingPlan) -> bool:
    """Return whether scores stay in the range of the scheme in a rehearsal on all rows; `Trainer.train` refuses others."""
    try:
        check_reach(from_typical(model.architecture, X, y, plan), _limit(model))
    except DivergenceError:
        return False
    return True


def _limit(model: EncryptedModel) -> float:
    """Return the size of scores that the scheme can tell and train on."""
    return min(model.evaluator.activation_limit, model.evaluator.score_limit)


def _share_right(model: EncryptedModel, X: Features, y: np.ndarray, plan: TrainingPlan) -> float:
    """Return how many of the rows held out are right after training on the others with the noise of the model's parameters."""
    a, cut, p = model.architecture, round(len(y) * (1 - HELD_OUT)), getattr(model.evaluator, "parameters", None)
    network = Network.zeros(a)
    noisy = noisy_step(p, plan.sigmoid, np.random.default_rng(0)) if isinstance(p, BootstrappedParameters) else None
    with np.errstate(over="ignore", invalid="ignore"):  # a run that diverges is noticed by its share
        train(ClearEvaluator(), network, X[:cut], y[:cut], plan, Help(noisy), keep_scores=False)
        z = np.asarray(predict(ClearEvaluator(), network, X[cut:]))[:, 0]
    told = np.abs(z) < _limit(model)
    return float(np.mean(told & ((z >= 0) == (y[cut:] == 1))))
