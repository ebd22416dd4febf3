"""Columns that the tables of several jobs have: bits of security, accuracies, and distances from the clear twin."""

import numpy as np

from encnn.data import Features
from encnn.network import Network
from encnn.network.rehearsal import predict_in_clear
from encnn.schemes import SchemeParameters


def security(p: SchemeParameters) -> dict[str, object]:
    """Return the least bits of security, what decides, and the bits in core-SVP; none of them for the clear scheme."""
    estimate = getattr(p, "security", None)
    if estimate is None:
        return {"bits": np.nan, "decided by": "", "bits, core-SVP": np.nan}
    return dict(estimate.columns)


def right(network: Network, X: Features, y: np.ndarray) -> np.ndarray:
    """Return which reviews a network in the clear puts on the right side of z = 0, shape (reviews,)."""
    z = predict_in_clear(network, X, batch_size=X.shape[0])
    return np.asarray((z[:, 0] > 0) == (y == 1))


def right_percent(network: Network, X: Features, y: np.ndarray) -> float:
    """Return the percentage of reviews that a network in the clear gets right."""
    return round(100 * float(right(network, X, y).mean()), 2)


def distance_percent(network: Network, twin: Network, start: Network) -> float:
    """Return how far the weights of a network are from those of its twin, in percent of what training changed."""
    return 100 * _distance(network, twin) / _distance(start, twin)


def significant(x: float, digits: int = 3) -> float:
    """Return a number with a few significant digits.

    >>> significant(0.0123456), significant(4321.0, 2)
    (0.0123, 4300.0)
    """
    return float(f"{x:.{digits}g}")


def _distance(a: Network, b: Network) -> float:
    pairs: list[tuple[np.ndarray, np.ndarray]] = [(a.W1, b.W1)] + ([] if b.W2 is None else [(a.W2, b.W2)])
    return float(np.sqrt(sum(np.square(first - second).sum() for first, second in pairs)))
