"""The accuracy of a run, which the owner computes from decrypted scores.

The paper counts "correct trained": a review is right when its prediction, made before the network learnt from it, falls on
the right side of a threshold.  Predictions are compared at the resolution of equation (2), 1 / scale.  So noise does not decide
a prediction of exactly one half, which an untrained network gives.
"""

import math
from dataclasses import dataclass

import numpy as np

RESOLUTION = 1000
"""Steps per 1.0 at which predictions are compared with the threshold: the paper's scaling factor."""


@dataclass(frozen=True)
class Accuracy:
    """A count of right predictions."""

    correct: int  # predictions that are right
    reviews: int  # all predictions

    @property
    def percent(self) -> float:
        """Share of right predictions in percent; not-a-number if there are none."""
        return 100.0 * self.correct / self.reviews if self.reviews else math.nan

    def __str__(self) -> str:
        """Show count and percentage."""
        return f"{self.correct:,} of {self.reviews:,} ({self.percent:.2f} %)"


def right_at_half(p: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return which predictions are right with the threshold one half; p, y of shape (reviews,)."""
    return (_shown(p) >= 0.5) == (y == 1)


def right_at_running_mean(p: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return which predictions are right with the ancestor notebook's threshold: the mean of all predictions so far.

    The mean starts from two predictions of one half in all, 0.5 / 2, before the first review is added.
    """
    shown = _shown(p)
    threshold = (0.5 + np.cumsum(shown)) / (np.arange(len(shown)) + 2)
    return (shown >= threshold) == (y == 1)


def accuracy(right: np.ndarray) -> Accuracy:
    """Return the count of `right`, an array of truth values."""
    return Accuracy(int(right.sum()), len(right))


def running_percent(right: np.ndarray) -> np.ndarray:
    """Return the accuracy in percent after each review."""
    return 100.0 * np.cumsum(right) / np.arange(1, len(right) + 1)


def classify(p: np.ndarray) -> np.ndarray:
    """Return class numbers from predictions of shape (reviews, outputs): by threshold for one output, else the largest."""
    return (_shown(p[:, 0]) >= 0.5).astype(np.int64) if p.shape[1] == 1 else p.argmax(axis=1)


def _shown(p: np.ndarray) -> np.ndarray:
    return np.floor(np.asarray(p, dtype=np.float64) * RESOLUTION + 0.5) / RESOLUTION
