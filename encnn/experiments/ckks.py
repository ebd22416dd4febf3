"""The CKKS job: `python -m encnn.experiments.ckks` trains on word2vec features at 128 bits and writes figures/ckks*.csv.

Mini-batches are packed into the slots (`schemes.ckks.packing`), and the owner refreshes the weights when their levels are used
up (`assistance.weights`), or, with a ring of 32768, not at all.  Every run has a clear twin: the same start, order, polynomial
and updates by the same loop in float64.  Each encrypted run has a process of its own, so that its peak memory is its own.

Learning rate, radius of the polynomial and size of the start are the best on the last fifth of the *training* reviews, trained
in the clear on the others (`held_out_choices`, written beside the results); no test review takes part in a choice.

Keys and noise come from the operating system, so accuracies may change in the last digits from run to run.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from encnn.assistance.scores import DirectChannel
from encnn.assistance.weights import BEYOND, LevelRefresh, OwnerOfWeights, check_interval
from encnn.costs import announce
from encnn.costs.peak_memory import peak_memory_mb
from encnn.data.reviews import Corpus, word2vec_features
from encnn.experiments.reproduce import FIGURES, heading, load_or_toy, store
from encnn.experiments.table_three import Dataset, held_out
from encnn.network import Architecture, Network, TrainingPlan, predict
from encnn.network.training import NOBODY
from encnn.parties import Owner, Trainer
from encnn.parties.mirror import MIRROR_128, SHALLOW_128, Client, Server
from encnn.progress import progress
from encnn.schemes import ClearParameters
from encnn.schemes.ckks import HIDDEN_128, LOGISTIC_128, UNASSISTED_128, Parameters
from encnn.schemes.clear import ClearEvaluator
from encnn.sigmoid import PolynomialSigmoid, least_squares

LONGEST = 12.0
"""Norm to which the whitened features of a review are shortened, near the median of the real ones."""
SQUARE = PolynomialSigmoid("z + z^2 / 8", (0.0, 1.0, 0.125), (-4.0, 4.0))
"""Activation of the hidden layer: the square, and the identity so that a small start has a slope."""
MARGIN = 0.2
"""Choices are taken where the scores beyond the radius stay below this part of what ends a run: all reviews are more steps."""
SEED = 0
RATES, HIDDEN_RATES = (2.0, 3.0, 4.0, 5.0, 6.0), (0.125, 0.25, 0.5, 1.0)
RADII, DEVIATIONS = (6.0, 8.0, 10.0), (0.02, 0.05)


@dataclass(frozen=True)
class Case:
    """One line of the table.

    rate: learning rate for the mean of a mini-batch; updates are summed, so the plan divides it by the batch.
    radius: the polynomial sigmoid is fitted on +-radius.  deviation: of the start of W1.  These three are chosen on training
    reviews held out.  labels: "plain" or "encrypted".  refreshed: whether the owner refreshes the weights.  reviews: how many
    training reviews, None for all.
    """

    name: str
    parameters: Parameters
    rate: float = 2.0
    radius: float = 8.0
    epochs: int = 1
    hidden: int = 0
    deviation: float = 0.0
    labels: str = "plain"
    refreshed: bool = True
    reviews: int | None = None

    def architecture(self, features: int) -> Architecture:
        """Return the network's shape."""
        return Architecture(features, self.hidden, pooling="sum", hidden_sigmoid=SQUARE if self.hidden else None)

    def start(self, features: int) -> Network:
        """Return the network in the clear before training, the same in every run."""
        return Network.initial(self.architecture(features), np.random.default_rng(SEED), self.deviation)

    def plan(self, reviews: int) -> TrainingPlan:
        """Return how to train on so many reviews: mini-batches that fill a ciphertext, or all reviews if they are fewer."""
        batch = min(reviews, self.parameters.slots // (1 << (max(self.hidden, 1) - 1).bit_length()))
        return TrainingPlan(least_squares(3, self.radius), self.rate / batch, batch_size=batch, epochs=self.epochs)

    def data(self, data: Dataset) -> Dataset:
        """Return the reviews of the case."""
        return replace(data, X=data.X[: self.reviews], y=data.y[: self.reviews])


LOGISTIC = Case("logistic regression", LOGISTIC_128)
CASES = (
    replace(LOGISTIC, name="logistic regression, 1,000 reviews", epochs=7, reviews=1000),
    LOGISTIC,
    replace(LOGISTIC, name="logistic regression, encrypted labels", labels="encrypted"),
    Case("hidden layer of 8", HIDDEN_128, hidden=8),
)
UNASSISTED = Case("logistic regression, no refresh", UNASSISTED_128, epochs=2, refreshed=False)
TOY_CASES = (
    replace(LOGISTIC, epochs=8),
    replace(LOGISTIC, name="logistic regression, encrypted labels", labels="encrypted", epochs=8),
    Case("hidden layer of 8", HIDDEN_128, hidden=8, epochs=8),
)


def packed_dataset(corpus: Corpus) -> Dataset:
    """Return word2vec features for training by polynomials: whitened, so that few steps suffice, and of bounded norm.

    Neither labels nor test reviews take part in making them.
    """
    real = {"dimensions": 128, "window": 10, "learning_rate": 0.025}
    toy = {"dimensions": 32, "subsampling": 0.0, "epochs": 30}
    settings: dict[str, Any] = real if corpus.is_real else toy
    X, X_test = word2vec_features(
        corpus.train, corpus.test, skip_gram=True, scaling="whitened", dampened=True, longest=LONGEST, **settings
    )
    return Dataset(f"{corpus.name}, word2vec whitened", X, corpus.train.labels, X_test, corpus.test.labels)


@dataclass(frozen=True)
class ClearRun:
    """A run in the clear: the trained network, the scores met, and its CPU seconds."""

    network: Network
    z: np.ndarray
    cpu_seconds: float


def clear_twin(case: Case, data: Dataset) -> ClearRun:
    """Train a case in the clear by the same loop."""
    reviews, features = data.X.shape
    owner = Owner(case.architecture(features), case.plan(reviews).sigmoid, ClearParameters())
    model = owner.encrypt(case.start(features))
    begun = time.process_time()
    z = Trainer(model).train(data.X, data.y, case.plan(reviews))
    return ClearRun(model.network, z, time.process_time() - begun)


def packed_run(case: Case, data: Dataset) -> dict[str, Any]:
    """Train under CKKS beside the clear twin; return the line of the table."""
    data = case.data(data)
    reviews, features = data.X.shape
    plan, twin = case.plan(reviews), clear_twin(case, data)
    owner = Owner(case.architecture(features), plan.sigmoid, case.parameters)
    model = owner.encrypt(case.start(features))
    y = owner.encrypt_labels(data.y) if case.labels == "encrypted" else data.y
    side = OwnerOfWeights(owner.secret_key, model)
    watch, refresh = (side.watch(plan), LevelRefresh(model, DirectChannel(side))) if case.refreshed else (None, None)
    begun = time.process_time()
    scores = Trainer(model).train(data.X, y, plan, refresh or NOBODY, on_scores=watch)
    tally = side.tally
    seconds = time.process_time() - begun - tally.cpu_seconds
    z = owner.decrypt(scores)
    check_interval(plan, z)
    line = _described(case, owner, plan, reviews)
    line |= _compared(owner.decrypt_network(model), twin.network, case.start(features), data)
    line |= {
        "largest score": round(float(np.abs(z).max()), 2),
        "largest error of a score": float(f"{np.abs(z - twin.z).max():.2g}"),
        "trainer CPU s": round(seconds, 2),
        "owner CPU s": round(tally.cpu_seconds, 2),
        "trainer CPU ms a review": round(1e3 * seconds / (reviews * case.epochs), 3),
        "clear CPU s": round(twin.cpu_seconds, 3),
        "trips": tally.trips,
        "bytes up": tally.bytes_up,
        "bytes down": tally.bytes_down,
        "score bytes up": tally.score_bytes_up,
        "weight bytes": model.network.W1.nbytes,
        "peak memory MB": round(peak_memory_mb()),
    }
    return line


def held_out_choices(case: Case, data: Dataset) -> pd.DataFrame:
    """Return how choices do on training reviews held out (the last fifth), trained in the clear on the others; best first.

    Those that stay within the range of their polynomial come before those that do not (see `MARGIN`), whatever their accuracy.
    """
    part = held_out(case.data(data))
    lines = []
    grid = product(HIDDEN_RATES, RADII, DEVIATIONS) if case.hidden else product(RATES, RADII, (0.0,))
    for rate, radius, deviation in progress(list(grid), "choices", unit="run"):
        tried = replace(case, rate=rate, radius=radius, deviation=deviation)
        with np.errstate(over="ignore", invalid="ignore"):
            twin = clear_twin(tried, part)
            beyond = _largest_share_beyond(twin.z, radius, tried.plan(part.X.shape[0]).batch_size)
            right = _right(twin.network, part)
        within = beyond <= MARGIN * BEYOND
        lines.append((case.name, rate, radius, deviation, round(100 * beyond, 3), within, round(100 * right.mean(), 2)))
    columns = ["case", "rate", "radius", "deviation", "scores beyond radius percent", "within", "held-out accuracy percent"]
    table = pd.DataFrame(lines, columns=columns)
    return table.sort_values(["within", columns[-1]], ascending=False, kind="stable", ignore_index=True)


def chosen(case: Case, choices: pd.DataFrame) -> Case:
    """Return the case with the best of its choices."""
    best = choices.iloc[0]
    return replace(case, rate=float(best["rate"]), radius=float(best["radius"]), deviation=float(best["deviation"]))


def mirror_costs(data: Dataset, network: Network, hidden: Network) -> pd.DataFrame:
    """Return what encrypted reviews under a clear model cost: one review, and a batch that fills the slots."""
    lines = []
    models = ((SHALLOW_128, network), (MIRROR_128, network), (MIRROR_128, hidden))
    for p, model in progress(models, "mirror", unit="model"):
        client = Client(p)
        server, batch = Server(client.evaluator, model), client.evaluator.batch_rows
        X = data.X_test[:batch]
        z = predict(ClearEvaluator(), model, X)
        one = _timed(client.encrypt_review, server.score, client.decrypt, X[0], repeats=5)
        many = _timed(client.encrypt_batch, server.score_batch, client.decrypt, X, repeats=1)
        for layout, (seconds, scores), reviews in (("one review", one, 1), ("batch", many, len(X))):
            lines.append(
                {
                    "layout": layout,
                    "model": f"{model.architecture.features} x {model.architecture.hidden or ''} x 1".replace("x  x", "x"),
                    "parameters": p.name,
                    "bits": round(p.security.bits, 1),
                    "decided by": p.security.best().method,
                    "reviews": reviews,
                    "client encrypts, CPU ms": round(1e3 * seconds[0], 1),
                    "server scores, CPU ms": round(1e3 * seconds[1], 1),
                    "client decrypts, CPU ms": round(1e3 * seconds[2], 2),
                    "reviews scored per CPU s": round(reviews / seconds[1]),
                    "largest error of a score": float(f"{np.abs(scores.reshape(-1, 1) - z[:reviews]).max():.2g}"),
                    "key bytes": client.evaluator.nbytes,
                }
            )
    return pd.DataFrame(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything, print the tables and write them; return the exit status."""
    options = _options(arguments)
    corpus = load_or_toy(options.corpus)
    folder = options.folder if corpus.is_real else options.folder / "toy"  # never in place of the real ones
    data = packed_dataset(corpus)
    cases = (*(CASES if corpus.is_real else TOY_CASES), *((UNASSISTED,) if options.unassisted else ()))
    tables = {_in_the_clear(case): held_out_choices(case, data) for case in cases if case.labels == "plain"}
    choices = pd.concat(tables.values(), ignore_index=True)
    heading("Choices in the clear, on training reviews held out: the best three of each case, of which the first is taken")
    print(choices.groupby("case", sort=False).head(3).to_string(index=False), flush=True)
    cases = tuple(chosen(case, tables[_in_the_clear(case)]) for case in cases)
    table = pd.DataFrame([_announced(case, data) for case in progress(cases, "CKKS", unit="run")])
    heading("CKKS on word2vec features")
    print(table.T.to_string(header=False))
    logistic, hidden = (next(c for c in cases if c.hidden == h and c.reviews is None) for h in (0, 8))
    mirror = mirror_costs(data, *(clear_twin(case, data).network for case in (logistic, hidden)))
    heading("The mirror: encrypted reviews, clear model")
    print(mirror.to_string(index=False))
    for name, frame in (("ckks_choices", choices), ("ckks", table), ("mirror", mirror)):
        store(frame, folder / f"{name}.csv")
    print(f"\nThe tables are in {folder}/")
    return 0


def _in_the_clear(case: Case) -> Case:
    """Return what of a case matters in the clear: who may read the labels does not."""
    return replace(case, name="", labels="plain")


def _announced(case: Case, data: Dataset) -> dict[str, Any]:
    """Say what a case will cost, then return its line."""
    reviews, features = case.data(data).X.shape
    announce(case.name, case.data(data).X, case.plan(reviews), case.architecture(features), case.parameters)
    return _in_a_process(case, data)


def _in_a_process(case: Case, data: Dataset) -> dict[str, Any]:
    """Return the line of a case run by itself, so that its peak memory is not that of another one."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(packed_run, case, data).result()


def _described(case: Case, owner: Owner, plan: TrainingPlan, reviews: int) -> dict[str, Any]:
    p = case.parameters
    return {
        "case": case.name,
        "scheme": owner.evaluator.scheme,
        "parameters": p.name,
        "N": p.degree,
        "log2 q": p.modulus_total_bits,
        **p.security.columns,
        "owner in the loop": case.refreshed,
        "labels": case.labels,
        "reviews": reviews,
        "batch": plan.batch_size,
        "steps": case.epochs * -(-reviews // plan.batch_size),
        "learning rate of the mean": case.rate,
        "sigmoid": plan.sigmoid.name,
        "key bytes": owner.evaluator.nbytes,  # type: ignore[attr-defined]
    }


def _compared(trained: Network, twin: Network, start: Network, data: Dataset) -> dict[str, Any]:
    """Return accuracies on the test reviews, and how far the weights are from the twin's as a share of its change."""
    right, twin_right = _right(trained, data), _right(twin, data)
    names = ("W1",) if twin.W2 is None else ("W1", "W2")
    error, change = (np.sqrt(sum(np.square(getattr(a, n) - getattr(twin, n)).sum() for n in names)) for a in (trained, start))
    return {
        "test accuracy percent": round(100 * right.mean(), 3),
        "clear twin test accuracy percent": round(100 * twin_right.mean(), 3),
        "predictions that differ": int((right != twin_right).sum()),
        "error of weights, percent of their change": float(f"{100 * error / change:.2g}"),
    }


def _right(network: Network, data: Dataset) -> np.ndarray:
    """Return which test reviews a clear network gets right."""
    z = predict(ClearEvaluator(), network, data.X_test, batch_size=data.X_test.shape[0])
    return (z[:, 0] > 0) == data.y_test


def _largest_share_beyond(z: np.ndarray, radius: float, batch: int) -> float:
    """Return the largest share of the scores of a mini-batch that lies outside +-radius."""
    return max(float((~(np.abs(z[i : i + batch]) <= radius)).mean()) for i in range(0, len(z), batch))


def _timed(encrypt: Callable, score: Callable, decrypt: Callable, x: np.ndarray, repeats: int) -> tuple[np.ndarray, np.ndarray]:
    """Return CPU seconds of the three steps, the least of the repeats each, and the scores."""
    seconds = []
    for _ in range(repeats + 1):
        marks = [time.process_time()]
        result: Any = x
        for act in (encrypt, score, decrypt):
            result = act(result)
            marks.append(time.process_time())
        seconds.append(np.diff(marks))
    return np.min(seconds, axis=0), result


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m encnn.experiments.ckks", description="Train under CKKS on packed mini-batches."
    )
    parser.add_argument("--corpus", default="imdb", choices=["imdb", "toy"], help="the reviews (default: imdb)")
    parser.add_argument("--unassisted", action="store_true", help="also train with no refresh: minutes, and several GB")
    parser.add_argument("--folder", type=Path, default=FIGURES, help="where tables go (default: figures)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
