"""What is to be trained, and what the owner must do in it: the public description of a run."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.sparse import csr_array

from encnn.arithmetic.checks import check_types
from encnn.data import Features, features_of
from encnn.data.batches import batches
from encnn.errors import ParameterError
from encnn.network import Architecture, TrainingPlan
from encnn.parties.assistance import weights
from encnn.schemes import SchemeParameters
from encnn.schemes.base import OwnerHelp


@dataclass(frozen=True)
class Task:
    """What is to be trained, and on how much data."""

    architecture: Architecture  # the network; its `features` are the vocabulary
    plan: TrainingPlan  # learning rate, mini-batches and epochs
    reviews: int  # the number of reviews
    words: float  # the mean number of stored features per review; for dense features, all of them
    dense: bool = False  # whether features are dense
    largest: float | None = None  # the size of the longest review, for schemes whose refreshes depend on it
    whole: bool = False  # whether dense features are whole numbers, which some schemes require

    def __post_init__(self) -> None:
        """Raise `ParameterError` for impossible sizes."""
        check_types(self)
        if self.reviews < 1 or not 1 <= self.words <= self.architecture.features:
            raise ParameterError(
                f"a task cannot have {self.reviews} reviews of {self.words} words over {self.architecture.features} features; "
                "expected at least one review, with at least one word and at most all of them"
            )

    @classmethod
    def of(cls, X: Features, plan: TrainingPlan, architecture: Architecture) -> Self:
        """Return the task of training this network on features X."""
        X = features_of(X, architecture.features)
        if isinstance(X, np.ndarray):
            whole = X.dtype.kind in "iub"
            return cls(architecture, plan, X.shape[0], float(X.shape[1]), dense=True, whole=whole)
        words = max(X.nnz / X.shape[0], 1.0)
        largest = max(batch.largest_row() for _, batch in batches(X, max(X.shape[0], 1)))
        return cls(architecture, plan, X.shape[0], words, largest=largest)

    @property
    def steps(self) -> int:
        """The number of mini-batches in all epochs together."""
        return self.plan.epochs * -(-self.reviews // self.plan.batch_size)


def assistance(task: Task, parameters: SchemeParameters) -> OwnerHelp:
    """Return what the owner must do in training under these parameters: what they ask for, unless this task needs none."""
    levels = getattr(parameters, "levels", 0)  # leveled schemes make some steps before they need fresh weights
    enough = levels and task.steps * weights.step_levels(task.architecture, task.plan.sigmoid) <= levels
    alone = task.architecture.hidden if parameters.owner_help == "errors" else enough
    return "none" if alone else parameters.owner_help


def synthetic_features(
    rng: np.random.Generator, reviews: int, words: int, features: int, dense: bool = False, whole: bool = False
) -> Features:
    """Return reviews of `words` distinct, equally frequent words, or dense ones: 0 and 1, or fractions with norm about 1."""
    if dense and whole:
        return rng.integers(0, 2, (reviews, features))
    if dense:
        return rng.normal(0.0, 1.0 / np.sqrt(features), (reviews, features))
    indices = np.concatenate([np.sort(rng.choice(features, words, replace=False, shuffle=False)) for _ in range(reviews)])
    pointers = np.arange(0, len(indices) + 1, words)
    return csr_array((np.ones(len(indices), np.int8), indices, pointers), shape=(reviews, features))
