"""The parties who hold an encrypted model and no secret: the user runs it, the trainer trains it on reviews of its own."""

from typing import Any

import numpy as np

from encnn import files
from encnn.data import Features
from encnn.data.batches import TrainingFeatures
from encnn.errors import KeyMismatchError, ParameterError
from encnn.files.schema import describe
from encnn.network import Help, Network, OnScores, TrainingPlan, predict, train
from encnn.network.training import NOBODY
from encnn.parties.model import SCORES, EncryptedModel, Path, ScoresHeader, refuse_experimental
from encnn.parties.owner import Owner
from encnn.schemes import ClearParameters
from encnn.schemes.base import Encrypted
from encnn.sigmoid import RangeReport


class User:
    """Holds an encrypted model and runs it; reads nothing."""

    def __init__(self, model: EncryptedModel) -> None:
        self.model = model

    @classmethod
    def load(cls, path: Path) -> "User":
        """Return one who holds the model in the file."""
        return cls(EncryptedModel.load(path))

    def predict(self, X: Features) -> Encrypted:
        """Return encrypted scores z of features X, shape (reviews, outputs); only the owner can read them."""
        self.model.check_features(X)
        return predict(self.model.evaluator, self.model.network, X)

    def predict_probabilities(self, X: Features) -> Encrypted:
        """Return encrypted probabilities sigmoid(z), shape (reviews, outputs), by the sigmoid that the model's keys are for."""
        return self.model.evaluator.activate(self.model.sigmoid, self.predict(X))

    def save_scores(self, scores: Encrypted, path: Path) -> int:
        """Write encrypted scores for the owner; return the bytes written."""
        evaluator = self.model.evaluator
        context = getattr(evaluator, "context", None)
        if context is None:
            raise ParameterError("scores in the clear are not saved as encrypted scores; use numpy.save")
        if scores.context != context:
            raise KeyMismatchError(
                f"the scores belong to key {scores.context.key_id}, the model to key {context.key_id}; save them by the user "
                "of their own model"
            )
        refuse_experimental(context.experimental)
        described, array = evaluator.export_array(evaluator.pack(scores))
        known = None if self.model.features is None else self.model.features.fingerprint
        header = ScoresHeader(evaluator.scheme, context.key_id, scores.shape, known, described)
        return files.write(path, SCORES, describe(header), {"scores": array})


class Trainer(User):
    """Trains an encrypted model on its own plaintext reviews."""

    def train(
        self,
        X: TrainingFeatures,
        y: Any,
        plan: TrainingPlan,
        help: Help = NOBODY,
        on_scores: OnScores | None = None,
        keep_scores: bool | None = None,
        first: int = 0,
    ) -> Encrypted:
        """Train the model in place (see `network.train`); return the encrypted scores met, for the owner."""
        self.model.check_features(X)
        return train(self.model.evaluator, self.model.network, X, y, plan, help, on_scores, keep_scores, first)

    def dry_run(self, X: TrainingFeatures, y: np.ndarray, plan: TrainingPlan, rng: np.random.Generator) -> RangeReport:
        """Train in the clear from a start of the trainer's own, to learn whether the plan diverges on these reviews.

        The owner's start is another one, so this is a rehearsal, no proof.  Raises `DivergenceError` as the owner's check does.
        """
        self.model.check_features(X)
        rehearsal = Owner(self.model.architecture, plan.sigmoid, ClearParameters())
        trainer = Trainer(rehearsal.encrypt(Network.initial(self.model.architecture, rng)))
        with np.errstate(over="ignore", invalid="ignore"):  # a lost run leaves all bounds; the check says so
            scores = trainer.train(X, y, plan, on_scores=rehearsal.watch(plan))
        return rehearsal.evaluate(scores, y, plan).range
