"""What encryption costs per review: a hand-written numpy loop, the clear twin and the encrypted network are compared.

Machines are noisy, so each round runs all three on the same reviews, and the median of the rounds' ratios counts.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from encnn.arithmetic.sigmoid import taylor
from encnn.costs.timing import cpu_seconds
from encnn.data.datasets import Dataset
from encnn.experiments.table_three import HIDDEN, LEARNING_RATE
from encnn.network import Architecture, Network, TrainingPlan, train
from encnn.parties import Owner
from encnn.progress import progress
from encnn.schemes import ClearParameters, SchemeParameters
from encnn.schemes.integer_vector import PAPER

ANCESTOR_REVIEWS_PER_S = 22.0
"""Reviews that the ancestor notebook of 2017 trains per CPU second on this kind of machine."""


def hand_written(X: csr_array, y: np.ndarray, W2: np.ndarray, rate: float, degree: int, batch: int) -> tuple:
    """Return (W1, W2), trained as one would without this package: with the same updates and nothing else."""
    indptr, indices = X.indptr, X.indices.astype(np.intp)
    W1, W2 = np.zeros((X.shape[1], len(W2))), W2.copy()
    if batch == 1:
        for r in range(X.shape[0]):
            words = indices[indptr[r] : indptr[r + 1]]
            h = W1[words].sum(0) / len(words)
            z = h @ W2
            d = polynomial(z, degree) - y[r]
            update = rate * d * W2
            W2 = W2 - rate * d * h
            W1[words] -= update
        return W1, W2
    for start in range(0, X.shape[0], batch):
        part = X[start : start + batch]
        lengths = np.diff(part.indptr)
        h = (part @ W1) / lengths[:, None]
        d = polynomial(h @ W2, degree) - y[start : start + batch]
        update = rate * d[:, None] * W2
        W2 = W2 - rate * (d @ h)
        np.subtract.at(W1, part.indices, np.repeat(update, lengths, axis=0))
    return W1, W2


def polynomial(z: np.ndarray, degree: int) -> np.ndarray:
    """Return the Taylor series of the sigmoid of degree 1, 3, 5 or 7 at z, written out."""
    p = 0.5 + z / 4
    if degree >= 3:
        p = p - z**3 / 48
    if degree >= 5:
        p = p + z**5 / 480
    if degree >= 7:
        p = p - 17 * z**7 / 80640
    return p


def measure(data: Dataset, degree: int, batch: int, reviews: int, rounds: int) -> dict:
    """Return the CPU microseconds per review and their ratios, as medians over `rounds`."""
    X, y = data.X[:reviews], data.y[:reviews]
    plan = TrainingPlan(taylor(degree), LEARNING_RATE, batch_size=batch)
    start = Network.initial(Architecture(X.shape[1], HIDDEN), np.random.default_rng(0))
    W2 = np.asarray(start.W2)
    jobs: list[Callable[[], object]] = [lambda: hand_written(X, y, W2, LEARNING_RATE, degree, batch)]
    jobs += [_training(parameters, start, X, y, plan) for parameters in (ClearParameters(), PAPER)]
    seconds = np.array([[cpu_seconds(job)[1] for job in jobs] for _ in range(rounds)])
    hand, clear, encrypted = np.median(seconds, axis=0) / reviews * 1e6
    return {
        "degree": degree,
        "batch": batch,
        "hand_us": round(hand, 1),
        "clear_us": round(clear, 1),
        "encrypted_us": round(encrypted, 1),
        "clear_to_hand": round(float(np.median(seconds[:, 1] / seconds[:, 0])), 2),
        "encrypted_to_clear": round(float(np.median(seconds[:, 2] / seconds[:, 1])), 2),
        "encrypted_to_hand": round(float(np.median(seconds[:, 2] / seconds[:, 0])), 2),
        "times_ancestor": round(1e6 / encrypted / ANCESTOR_REVIEWS_PER_S),
    }


def table(data: Dataset, rounds: int = 15) -> pd.DataFrame:
    """Return twin.csv, with one line for each degree and batch size."""
    cases = [(1, 1, 1000), (5, 1, 1000), (7, 1, 1000), (1, 64, 6400), (5, 64, 6400)]
    rows = [measure(data, degree, batch, n, rounds) for degree, batch, n in progress(cases, "twins", unit="case")]
    return pd.DataFrame(rows)


def _training(
    parameters: SchemeParameters, start: Network, X: csr_array, y: np.ndarray, plan: TrainingPlan
) -> Callable[[], object]:
    owner = Owner(start.architecture, plan.sigmoid, parameters, rng=np.random.default_rng(1), insecure=True)
    model = owner.encrypt(start)
    return lambda: train(model.evaluator, model.network.copy(), X, y, plan)
