"""The owner's judgement of a trained model before it is used: its accuracy on reviews that the trainer has not seen."""

from dataclasses import dataclass

import numpy as np

from encnn.arithmetic import checks
from encnn.arithmetic.sigmoid import ExactSigmoid
from encnn.data import Features, features_of, labels_of, metrics
from encnn.network.rehearsal import predict_in_clear
from encnn.parties import EncryptedModel, Owner


@dataclass(frozen=True)
class Acceptance:
    """The verdict on a model, with the numbers that it is based on."""

    accuracy: metrics.Accuracy  # on reviews that the trainer has not seen
    minimum: float  # the share of right predictions that is required

    @property
    def accepted(self) -> bool:
        """Whether the accuracy reaches the minimum."""
        return self.accuracy.correct >= self.minimum * self.accuracy.reviews

    def __str__(self) -> str:
        """Show verdict, accuracy and minimum."""
        verdict = "accepted" if self.accepted else "REJECTED"
        return f"{verdict}: {self.accuracy} right on held-out reviews, {100 * self.minimum:.1f} % required"


def acceptance_test(owner: Owner, model: EncryptedModel, X: Features, y: np.ndarray, minimum: float) -> Acceptance:
    """Return whether a trained model gets at least the share `minimum` of held-out reviews right.

    X, y: features and labels that the trainer never had.  The owner decrypts the weights and predicts in the clear.  The test
    finds everything that lowers the accuracy; it does not find a back door for chosen words.
    Raises `KeyMismatchError` for a model under another key, and `DataError` if there are no reviews.
    """
    minimum = checks.real("minimum", minimum, most=1, above=0)
    X = features_of(X, model.architecture.features)
    y = labels_of(y, X.shape[0], model.architecture.outputs)
    z = predict_in_clear(owner.decrypt_network(model), X)
    return Acceptance(metrics.accuracy(metrics.classify(ExactSigmoid()(z)) == y), minimum)
