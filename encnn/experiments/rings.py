"""Logistic regression under FV and YASHE at 128 bits beside its clear twin: `python -m encnn.experiments.rings` prints it.

The toy corpus, and the first 1,000 real reviews over the most frequent of the words that lean (where the data are there).  The
sigmoid is of degree 1 and rates are powers of two, so training takes additions and plain factors only: no ciphertext products.
Keys are real (the operating system's randomness).
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from encnn.assistance.scores import DirectChannel
from encnn.assistance.weights import BudgetRefresh, OwnerOfWeights
from encnn.costs import announce
from encnn.data.reviews import Corpus, Vocabulary, bag_of_words, load_reviews
from encnn.experiments.reproduce import load_or_toy
from encnn.experiments.table_three import Dataset, linear_start
from encnn.network import Help, TrainingPlan
from encnn.network.training import NOBODY
from encnn.parties import EncryptedModel, Owner, Trainer
from encnn.progress import progress
from encnn.schemes import ClearParameters, fv, yashe
from encnn.sigmoid import taylor

REVIEWS = 1000
WORDS = 300
MIN_COUNT, POLARITY_CUTOFF = 50, 0.5
PRESETS = (fv.ADDITIVE_128, fv.FRACTIONAL_128, yashe.ADDITIVE_128, yashe.FRACTIONAL_128)
PLANS = {
    "toy": TrainingPlan(taylor(1), 2.0**-8, batch_size=250),
    "real": TrainingPlan(taylor(1), 2.0**-6, batch_size=250, epochs=2),
}


@dataclass(frozen=True)
class Result:
    """A run's line of the table, and the weights that it and its clear twin ended with, shape (words, 1)."""

    line: dict[str, Any]
    weights: np.ndarray
    clear_weights: np.ndarray


def compare(parameters: fv.Parameters | yashe.Parameters, data: Dataset, plan: TrainingPlan) -> Result:
    """Train from zero in the clear and under encryption, the owner refreshing the weights where budgets run low."""
    start = linear_start(data)
    architecture = start.architecture
    twin, clear_seconds = _timed(Owner(architecture, plan.sigmoid, ClearParameters()).encrypt(start), data, plan)
    owner = Owner(architecture, plan.sigmoid, parameters)
    model = owner.encrypt(start)
    side = OwnerOfWeights(owner.secret_key, model)
    _, seconds = _timed(model, data, plan, BudgetRefresh(model, DirectChannel(side), plan, data.X))
    W, wanted, tally = owner.decrypt(model.network.W1), twin.network.W1, side.tally
    reviews = data.X.shape[0] * plan.epochs
    line = {
        "scheme": parameters.scheme,
        "parameters": parameters.name,
        "bits": round(parameters.security_bits, 1),
        "decided by": parameters.cheapest_attack.method,
        "encoding": parameters.encoding,
        "data": data.name,
        "ciphertext products": 0,
        "error of the change percent": float(f"{100 * np.linalg.norm(W - wanted) / np.linalg.norm(wanted):.2g}"),
        "accuracy percent": _accuracy(data.X, data.y, W),
        "test accuracy percent": _accuracy(data.X_test, data.y_test, W),
        "clear test accuracy percent": _accuracy(data.X_test, data.y_test, wanted),
        "trainer CPU ms a review": round(1e3 * (seconds - tally.cpu_seconds) / reviews, 2),
        "clear CPU ms a review": round(1e3 * clear_seconds / reviews, 4),
        "owner trips": tally.trips,
        "owner CPU s": round(tally.cpu_seconds, 1),
        "MB up": round(tally.bytes_up / 1e6, 1),
        "MB down": round(tally.bytes_down / 1e6, 1),
        "model MB": round(model.network.W1.nbytes / 1e6, 1),
        "key MB": round(model.evaluator.nbytes / 1e6, 1),  # type: ignore[attr-defined]
        "noise bits left": round(model.network.W1.noise_budget_bits, 1),
    }
    return Result(line, W, wanted)


def datasets() -> dict[str, Dataset]:
    """Return the toy corpus, and the real one where its files are."""
    toy = load_reviews("toy")
    found = {"toy": _dataset(toy, Vocabulary.select(toy.train))}
    real = load_or_toy("imdb")
    if real.is_real:
        chosen = Vocabulary.select(real.train, MIN_COUNT, POLARITY_CUTOFF, WORDS)
        found["real"] = _dataset(real, chosen)
    return found


def lines() -> Iterator[dict[str, Any]]:
    """Yield one line for each preset and data set, as they come, and say before each run what it will cost."""
    cases = [(p, name, data) for name, data in datasets().items() for p in PRESETS]
    for p, name, data in progress(cases, "rings", unit="run"):
        announce(f"{p.name}, {name}", data.X, PLANS[name], linear_start(data).architecture, p)
        yield compare(p, data, PLANS[name]).line


def table() -> pd.DataFrame:
    """Return all lines."""
    return pd.DataFrame(list(lines()))


def _dataset(corpus: Corpus, vocabulary: Vocabulary) -> Dataset:
    X, X_test = (bag_of_words(reviews, vocabulary) for reviews in (corpus.train, corpus.test))
    y, y_test = np.asarray(corpus.train.labels), np.asarray(corpus.test.labels)
    return Dataset(corpus.name, X[:REVIEWS], y[:REVIEWS], X_test, y_test)


def _timed(model: EncryptedModel, data: Dataset, plan: TrainingPlan, help: Help = NOBODY) -> tuple[EncryptedModel, float]:
    begun = time.process_time()
    Trainer(model).train(data.X, data.y, plan, help, keep_scores=False)
    return model, time.process_time() - begun


def _accuracy(X: Any, y: np.ndarray, W: np.ndarray) -> float:
    """Return the percentage of reviews on the right side of z = 0."""
    return round(100 * float((((X @ W)[:, 0] > 0) == (y == 1)).mean()), 2)


if __name__ == "__main__":
    for line in lines():
        print(pd.Series(line).to_string(), end="\n\n", flush=True)
