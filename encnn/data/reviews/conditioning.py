"""How a trainer conditions its reviews: multipliers of steps, and widths (see `data.batches.Conditioned`).

Two recipes.  `without_labels` looks at features alone: how many reviews have each, and how many each review has.  It goes with
encrypted labels, since whoever sees multipliers and widths could have computed them from the texts.  `with_labels` also looks
at the trainer's own plain labels: features that occur in reviews of both classes alike take small steps, as in naive Bayes
[WM12].  Its multipliers tell which features lean, hence most labels; so it must not be used where labels are to stay secret.

Multipliers are whole, since an encrypted error is multiplied by them.  Small ones keep the learning rate, and with it the
errors, large beside the noise; the largest is a setting.  Test reviews take no part, nor do those held out when settings are
chosen.

[WM12] Wang, Manning, Baselines and Bigrams, ACL 2012: log-count ratios of naive Bayes as features.
"""

import numpy as np
from scipy.sparse import csr_array

from encnn.data.batches import Conditioned
from encnn.errors import DataError

RAREST = 25.0
"""Steps of a rare feature are at most this many times those of one that all reviews have, before they are made whole."""
CUT = 0.98
"""Quantile of leanings above which all steps are equally large."""
NARROWEST, WIDEST = 0.4, 3.0
POWER = 0.75


def without_labels(X: csr_array, largest: int = 6, power: float = POWER) -> Conditioned:
    """Return features conditioned by themselves alone: multipliers `rarity`, from 1 to `largest`, and widths by `lengths`."""
    return Conditioned(X, whole(rarity(X), largest), lengths(X, power))


def with_labels(X: csr_array, y: np.ndarray, largest: int = 8, power: float = POWER) -> Conditioned:
    """Return features conditioned by plain labels 0 and 1: multipliers `leaning` times the root of `rarity`."""
    steps = leaning(X, y) * np.sqrt(rarity(X))
    return Conditioned(X, whole(np.minimum(steps, np.quantile(steps, CUT)), largest), lengths(X, power))


def rarity(X: csr_array) -> np.ndarray:
    """Return sqrt(reviews / reviews that have the feature), at most `RAREST`, shape (features,)."""
    having = np.bincount(X.indices, minlength=X.shape[1])
    return np.minimum(np.sqrt(X.shape[0] / np.maximum(having, 1)), RAREST)


def leaning(X: csr_array, y: np.ndarray) -> np.ndarray:
    """Return |log of the ratio of a feature's shares in the two classes|, each count raised by one: shape (features,)."""
    labels = np.asarray(y)
    if labels.shape != (X.shape[0],) or not np.isin(labels, (0, 1)).all():
        raise DataError(f"labels must be {X.shape[0]} zeros and ones, one for each review; these have shape {labels.shape}")
    of_review = np.repeat(labels, np.diff(X.indptr))
    positive, negative = (1.0 + np.bincount(X.indices[of_review == c], minlength=X.shape[1]) for c in (1, 0))
    return np.abs(np.log((positive / positive.sum()) / (negative / negative.sum())))


def lengths(X: csr_array, power: float = POWER) -> np.ndarray:
    """Return (features of a review / mean of all)^power, from `NARROWEST` to `WIDEST`, shape (reviews,)."""
    counts = np.diff(X.indptr)
    return np.clip((np.maximum(counts, 1) / counts.mean()) ** power, NARROWEST, WIDEST)


def whole(steps: np.ndarray, largest: int) -> np.ndarray:
    """Return steps as whole multipliers from 1 to `largest`, the largest step becoming `largest`."""
    if largest < 1:
        raise DataError(f"the largest multiplier is {largest}; expected a whole number of at least 1")
    return np.clip(np.rint(steps * (largest / max(steps.max(), 1e-300))), 1, largest).astype(np.int64)
