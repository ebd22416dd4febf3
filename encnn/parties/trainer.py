"""The parties who hold an encrypted model and no secret: the user runs it, the trainer trains it on its own reviews."""

import math
from dataclasses import replace

import numpy as np

from encnn import files
from encnn.arithmetic.sigmoid import RangeReport, error_over
from encnn.data import Features, features_of
from encnn.data.batches import TrainingFeatures, batches, training_features
from encnn.data.inputs import is_plain
from encnn.errors import KeyMismatchError
from encnn.files.schema import describe
from encnn.network import Help, Network, OnScores, TrainingPlan, forward, predict, train
from encnn.network.partial_scores import PartialScores, joined
from encnn.network.rehearsal import check_rehearsal, hidden_layer_of, rehearse, typical_start
from encnn.network.training import NOBODY
from encnn.parties.model import SCORES, EncryptedModel, Path, check_encrypted, checked_context, describe_scores
from encnn.parties.owner import Owner
from encnn.schemes import ClearParameters
from encnn.schemes.base import Encrypted
from encnn.schemes.factored import FactoredScores


class User:
    """Holds an encrypted model and runs it.  A user can read neither weights nor scores."""

    def __init__(self, model: EncryptedModel) -> None:
        self.model = model

    @classmethod
    def load(cls, path: Path) -> "User":
        """Return a user (or trainer) with the model in the file."""
        return cls(EncryptedModel.load(path))

    def predict(self, X: Features) -> Encrypted:
        """Return encrypted scores z of features X, shape (reviews, outputs); only the owner can read them.

        They are `PartialScores` if the announced bound on weights lets a score leave the range of the scheme.
        """
        self.model.check_features(X)
        return predict(self.model.evaluator, self.model.network, X)

    def predict_probabilities(self, X: Features) -> Encrypted:
        """Return encrypted probabilities sigmoid(z), shape (reviews, outputs), with the sigmoid of the model's keys."""
        evaluator, scores = self.model.evaluator, self.predict(X)
        if not isinstance(scores, PartialScores | FactoredScores):
            return evaluator.activate(self.model.sigmoid, scores)
        X = features_of(X, self.model.architecture.features)
        z = joined(evaluator, [forward(evaluator, self.model.network, batch)[-1] for _, batch in batches(X, len(scores))])
        p = evaluator.activate(self.model.sigmoid, z)  # of scores as training reads them: whole, and in its ranges
        return replace(scores, values=p) if isinstance(scores, PartialScores) else p

    def save_scores(self, scores: Encrypted, path: Path) -> int:
        """Write encrypted scores for the owner; return the bytes written."""
        evaluator = self.model.evaluator
        context = checked_context(evaluator.context, "scores in the clear are not saved as encrypted scores; use numpy.save")
        check_encrypted(scores, context)
        own = getattr(scores, "context", context)
        if own != context:
            raise KeyMismatchError(
                f"the scores belong to key {own.key_id}, but the model to key {context.key_id}; save them with the User of the "
                "model that they were computed with"
            )
        known = None if self.model.features is None else self.model.features.fingerprint
        header, arrays = describe_scores(evaluator, context.key_id, known, scores)
        return files.write(path, SCORES, describe(header), arrays)


class Trainer(User):
    """Trains an encrypted model on its own plaintext reviews."""

    def train(
        self,
        X: TrainingFeatures,
        y: object,
        plan: TrainingPlan,
        help: Help = NOBODY,
        on_scores: OnScores | None = None,
        keep_scores: bool | None = None,
        first: int = 0,
    ) -> Encrypted | None:
        """Train the model in place (see `network.train`); return the encrypted scores met, for the owner.

        If nobody could see scores leave the scheme's range, the plan is first rehearsed in the clear (`network.rehearsal`).  A
        `DivergenceError` then advises a learning rate that keeps them in range.
        """
        X = self._entered(X)
        if getattr(help, "error_step", None) is None and not first:
            self._check_reach(X, y, plan)
        return train(self.model.evaluator, self.model.network, X, y, plan, help, on_scores, keep_scores, first)

    def dry_run(self, X: TrainingFeatures, y: np.ndarray, plan: TrainingPlan, rng: np.random.Generator) -> RangeReport:
        """Train in the clear from the trainer's own initial weights, to see whether the plan diverges on these reviews.

        The owner's initial weights differ, so this is a rehearsal and no proof.  Raises `DivergenceError` as the owner's check
        does, and when too many scores leave the range in which the model's scheme can train.  The report counts those scores.
        """
        X = self._entered(X)
        a, limit = self.model.architecture, self.model.evaluator.activation_limit
        watch = Owner(a, plan.sigmoid, ClearParameters()).watch(plan)
        z = rehearse(Network.initial(a, rng), X, y, plan, watch)
        check_rehearsal(z, limit, a, X, y, plan)
        return error_over(plan.sigmoid, z, limit)

    def _entered(self, X: TrainingFeatures) -> TrainingFeatures:
        """Return checked features; raise `DataError` unless they fit the model."""
        self.model.check_features(X)
        return training_features(X, self.model.architecture.features)

    def _check_reach(self, X: TrainingFeatures, y: object, plan: TrainingPlan) -> None:
        """Raise `DivergenceError` if a rehearsal leaves the range of a scheme that gives no sign of it in training.

        Encrypted labels allow no rehearsal; then only the owner can see it, in the scores.
        """
        a, limit = self.model.architecture, self.model.evaluator.activation_limit
        if math.isfinite(limit) and is_plain(y) and self.model.network.direction is None:
            # checked here, before hours are spent on a plan that cannot work
            self.model.evaluator.check_plan(X, plan.epochs, plan.learning_rate, self.model.network)
            start = typical_start(a)
            check_rehearsal(rehearse(start, X, y, plan), limit, a, X, y, plan)
            if start.W2 is not None:
                self.model.evaluator.check_hidden(hidden_layer_of(start, X), start.W2)
