"""Training with the owner's help that a scheme needs: none, errors for scores, or renewed weights.

The owner is in the same process, and its work is timed separately.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from encnn.costs.timing import cpu_seconds
from encnn.data import Features
from encnn.data.datasets import Dataset
from encnn.experiments.linear import linear_start
from encnn.experiments.twin import WARM_UP
from encnn.network import Help, Network, TrainingPlan
from encnn.network.training import NOBODY
from encnn.parties import EncryptedModel, Owner, Trainer
from encnn.parties.assistance.scores import AssistedStep, DirectChannel, Tally
from encnn.parties.assistance.weights import refresh_for
from encnn.schemes import SchemeParameters


@dataclass(frozen=True)
class HelpedModel:
    """A model with the way to its owner, if the scheme needs one.  The model itself does not lead to the owner."""

    model: EncryptedModel  # to train
    help: Help = NOBODY  # asks the owner for errors, or for fresh weights
    tally: Tally = field(default_factory=Tally)  # what the owner counted

    def train(self, X: Features, y: np.ndarray, plan: TrainingPlan) -> None:
        """Train the model in place, forgetting the scores."""
        Trainer(self.model).train(X, y, plan, self.help, keep_scores=False)


def helped(owner: Owner, model: EncryptedModel, X: Features, plan: TrainingPlan) -> HelpedModel:
    """Return the model with the help that its scheme needs."""
    needed = owner.parameters.owner_help
    if needed == "weights":
        side = owner.refresher(model)
        return HelpedModel(model, refresh_for(model, DirectChannel(side), plan, X), side.tally)
    if needed == "errors":
        assistant = owner.assistant()
        return HelpedModel(model, AssistedStep(DirectChannel(assistant)), assistant.tally)
    return HelpedModel(model)


def trained(
    parameters: SchemeParameters, data: Dataset, plan: TrainingPlan, start: Network | None = None
) -> tuple[Network, float, HelpedModel]:
    """Train under these parameters; return the network in the clear, CPU seconds of both parties, and the model.

    start: in the clear; logistic regression from zero weights if left out.
    """
    start = start or linear_start(data)
    owner = Owner(start.architecture, plan.sigmoid, parameters, insecure=True)
    model = owner.encrypt(start)
    warm_up = helped(owner, model.copy(), data.X, plan)
    warm_up.train(data.X[:WARM_UP], data.y[:WARM_UP], replace(plan, epochs=1))
    run = helped(owner, model, data.X, plan)
    _, seconds = cpu_seconds(run.train, data.X, data.y, plan)
    return owner.decrypt_network(run.model), seconds, run
