"""Runs that train by bootstrapping alone: what is trained, and a run under encryption beside its clear twin.

The jobs `unassisted` and `hidden` define the cases and choose their settings.
"""

import argparse
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from encnn.costs import announce
from encnn.costs.peak_memory import peak_memory_mb
from encnn.data.datasets import Dataset, grams_dataset, words_dataset
from encnn.data.reviews import Corpus
from encnn.data.reviews.cache import cache_folder
from encnn.data.reviews.conditioning import with_labels, without_labels
from encnn.experiments.columns import security
from encnn.experiments.console import show
from encnn.experiments.linear import linear_start
from encnn.experiments.own_process import in_a_process, kept
from encnn.experiments.results import Results
from encnn.experiments.twin import ClearTwin, clear_twin
from encnn.network import Architecture, Network, TrainingPlan, train
from encnn.network.architecture import Pooling
from encnn.network.rank_one import expanded, reduced
from encnn.parties import EncryptedModel, Evaluation, Owner, Trainer
from encnn.progress import progress
from encnn.scaling.checkpoints import scores_in, train_resumably
from encnn.schemes.base import Encrypted
from encnn.schemes.bootstrapped import BootstrappedEvaluator, BootstrappedParameters, noise
from encnn.schemes.bootstrapped.rank_one import LEAST
from encnn.schemes.bootstrapped.rank_one_ranges import LARGEST_START, update_noise
from encnn.schemes.bootstrapped.simulation import SimulatedEvaluator

BATCH_SIZE = 16
KEYS = 3
CURVE_POINTS = 50
SIMULATIONS = 3


@dataclass(frozen=True)
class Recipe:
    """How reviews become features, and how the trainer conditions them."""

    name: str  # as tables show it
    least: int = 0  # the fewest reviews that a gram is in; 0 means single words that lean to one class
    conditioned: str = "no"  # "no", "by features" alone, or "by labels" too

    def dataset(self, corpus: Corpus) -> Dataset:
        """Return plain features of the corpus."""
        return grams_dataset(corpus, self.least if corpus.is_real else 1) if self.least else words_dataset(corpus)

    def prepared(self, data: Dataset, largest: int) -> Dataset:
        """Return the data with its training reviews conditioned, by multipliers up to `largest`."""
        if self.conditioned == "no":
            return data
        X = without_labels(data.X, largest) if self.conditioned == "by features" else with_labels(data.X, data.y, largest)
        return replace(data, X=X)


WORDS = Recipe("words")
PAIRS = Recipe("words and pairs", least=5, conditioned="by labels")
PAIRS_UNLABELLED = Recipe("words and pairs, no label seen", least=10, conditioned="by features")


@dataclass(frozen=True)
class BootstrappedCase:
    """One or several lines of the table: what is trained, how, and with how many keys."""

    name: str  # as tables show it
    recipe: Recipe  # of the features
    parameters: BootstrappedParameters  # of the scheme
    plan: TrainingPlan  # how it is trained
    largest: int = 1  # the largest multiplier of a feature's steps
    labels: str = "sent"  # "sent" to the trainer in plain, or "encrypted"
    keys: int = 1  # how many runs there are, each with its own key
    hidden: int = 0  # linear hidden units on the mean of rows, of rank one; 0 means logistic regression on their sum

    def start(self, data: Dataset, key: int) -> Network:
        """Return the start in the clear, which depends on the key if there is a hidden layer."""
        return rank_one_start(data, self.hidden, key) if self.hidden else linear_start(data)

    def folder_name(self, key: int) -> str:
        """Return the name of the folder in which a run goes on."""
        return f"{'hidden ' if self.hidden else ''}{self.name} {key}".replace(" ", "-").replace("'", "")


def rank_one_start(data: Dataset, hidden: int, seed: int, pooling: Pooling = "mean") -> Network:
    """Return the paper's start: W1 zero and W2 standard normal, drawn again until codes can hold |W2|."""
    rng, architecture = np.random.default_rng(seed), Architecture(data.X.shape[1], hidden, pooling=pooling)
    while True:
        network = Network.initial(architecture, rng)
        if LEAST <= np.linalg.norm(network.second_layer) <= LARGEST_START:
            return network


def add_run_options(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add the options that all jobs of such runs have, and return the parser."""
    parser.add_argument("--keys", type=int, default=KEYS, help=f"keys for the main cases (default: {KEYS})")
    parser.add_argument(
        "--threads", type=int, default=os.cpu_count() or 1, help="threads that share a mini-batch (default: all)"
    )
    parser.add_argument("--runs", type=Path, default=cache_folder() / "runs", help="where runs are kept while they go on")
    return parser


def bootstrapped_run(
    case: BootstrappedCase, data: Dataset, key: int, folder: Path, threads: int
) -> tuple[dict[str, object], pd.DataFrame]:
    """Train under encryption beside the clear twin; return the line of the table and the running accuracies of both.

    folder: where keys, models and scores are written as the run goes on; a run that was cut short continues from there.
    """
    plan = case.plan
    start = case.start(data, key)
    owner = _owner(case, start, folder / "owner")
    widths = getattr(data.X, "widths", None)
    rates = plan.learning_rate if widths is None else plan.learning_rate / widths
    y = data.y if case.labels == "sent" else owner.encrypt_labels(data.y, 1.0 if case.hidden else rates)
    clock = _Clock()
    trainer = train_resumably(_prepared(owner, start, threads), data.X, y, plan, folder / "run", on_scores=clock)
    z = np.concatenate([owner.load_scores(path) for path in scores_in(folder / "run")])
    training, test = owner.evaluate(z, data.y, plan), owner.evaluate(_decrypted_test(owner, trainer, data), data.y_test, plan)
    twin = clear_twin(start, data, plan)
    reviews = len(data.y)
    line = _settings(case, key) | _accuracies(training, test, twin, reviews) | _noise(case, data, start, test, twin)
    line |= {
        "CPU ms per review": round(1e3 * clock.cpu_seconds / max(clock.reviews, 1), 3),
        "clear CPU ms per review": round(1e3 * twin.cpu_seconds / len(twin.z), 4),
        "wall ms per review": round(1e3 * clock.wall_seconds / max(clock.reviews, 1), 3),
        "threads": threads,
        "keys MB": round(owner.evaluator.nbytes / 1e6, 1),
        "model MB": round(trainer.model.network.W1.nbytes / 1e6, 3),
        "labels MB": 0.0 if isinstance(y, np.ndarray) else round(y.nbytes / 1e6, 3),
        "keys and start on disk MB": round((folder / "start").stat().st_size / 1e6, 1),
        "peak memory MB": round(peak_memory_mb(), 0),
    }
    return line, curve(case, key, training, twin.training, reviews)


def _settings(case: BootstrappedCase, key: int) -> dict[str, object]:
    """Return the columns that are known before a run."""
    p, plan = case.parameters, case.plan
    return {
        "scheme": "bootstrapped LWE",
        "case": case.name,
        "parameters": p.name,
        "n": p.n,
        "k N": p.d,
        **security(p),
        "owner in the loop": False,
        "features": case.recipe.name,
        "conditioned": case.recipe.conditioned,
        "largest multiplier": case.largest,
        "labels": case.labels,
        **({"hidden": case.hidden} if case.hidden else {}),
        "key": key,
        "learning rate": plan.learning_rate,
        "decay": plan.decay,
        "epochs": plan.epochs,
        "batch": plan.batch_size,
    }


def _accuracies(training: Evaluation, test: Evaluation, twin: ClearTwin, reviews: int) -> dict[str, object]:
    """Return how often the first epoch and the test were right, under encryption and in the clear."""
    first = slice(0, reviews)
    return {
        "reviews": reviews,
        "correct": int(training.right[first].sum()),
        "clear twin correct": int(twin.training.right[first].sum()),
        "running accuracy percent": round(100 * float(training.right[first].mean()), 3),
        "clear twin running percent": round(100 * float(twin.training.right[first].mean()), 3),
        "test accuracy percent": round(test.accuracy.percent, 3),
        "clear twin test accuracy percent": round(twin.test.accuracy.percent, 3),
    }


def _noise(case: BootstrappedCase, data: Dataset, start: Network, test: Evaluation, twin: ClearTwin) -> dict[str, object]:
    """Return how far scores went and how far they are off.

    The twin's scores say how far a run without noise goes.  Deviations are of the scores that the owner could read.
    """
    p, plan, met = case.parameters, case.plan, np.abs(twin.training.z)
    found: dict[str, object] = {
        "largest score of the twin": round(float(max(met.max(), np.abs(twin.test.z).max())), 2),
        "scores beyond the table percent": round(100 * float((met > p.z_half).mean()), 3),
        "test scores beyond the torus": int((np.abs(twin.test.z) >= 2.0**p.z_bits / 2).sum()),
        "deviation from the twin in test scores": round(float(np.nanstd(test.z - twin.test.z)), 4),
    }
    if not case.hidden:
        found["predicted deviation, open loop"] = round(
            noise.training_noise(p, data.X, plan.learning_rate).deviation(plan.epochs), 4
        )
        found["table noise in sigmoid - y"] = round(noise.output_deviation(p) / plan.learning_rate, 4)
        return found
    del found["scores beyond the table percent"], found["test scores beyond the torus"]
    b = float(np.linalg.norm(start.second_layer))
    simulated = [simulated_hidden(start, data, plan, p, seed) for seed in range(SIMULATIONS)]
    deviations = [np.std(run.test.z - twin.test.z) for run in simulated]
    return found | {
        "scores out of range": test.out_of_range,
        "simulated deviation": round(float(np.mean(deviations)), 4),
        "simulated running percent": round(float(np.mean([run.training.accuracy.percent for run in simulated])), 3),
        "simulated test percent": mean_percent(simulated),
        "update noise in sigmoid - y": round(update_noise(p, plan.learning_rate, b), 4),
    }


def simulated_hidden(start: Network, data: Dataset, plan: TrainingPlan, p: BootstrappedParameters, seed: int) -> ClearTwin:
    """Return a run from a start of rank one, in the clear, with the noise that ciphertexts would have."""
    one, w = reduced(start)
    one.direction = w
    z = train(SimulatedEvaluator(p, np.random.default_rng(seed)), one, data.X, data.y, plan)
    return ClearTwin(data, plan, expanded(one, w), np.asarray(z), 0.0)


def mean_percent(runs: Iterable[ClearTwin]) -> float:
    """Return the mean of how many test reviews the runs get right, in percent."""
    return round(float(np.mean([run.test.accuracy.percent for run in runs])), 3)


def curve(case: BootstrappedCase, key: int, training: Evaluation, twin: Evaluation, reviews: int) -> pd.DataFrame:
    """Return the running accuracies in percent at `CURVE_POINTS` places of the first epoch, evenly apart."""
    step = -(-reviews // CURVE_POINTS)
    met = np.arange(step, reviews + 1, step)

    def running(e: Evaluation) -> np.ndarray:
        return 100 * np.cumsum(e.right[:reviews])[met - 1] / met

    lines = {"case": case.name, "key": key, "reviews": met, "encrypted": running(training), "clear twin": running(twin)}
    return pd.DataFrame(lines).round(3)


@dataclass
class _Clock:
    """Counts reviews and time while a run goes on; it is passed as `on_scores`."""

    reviews: int = 0

    def __post_init__(self) -> None:
        self._cpu, self._wall = time.process_time(), time.perf_counter()
        self.cpu_seconds = self.wall_seconds = 0.0

    def __call__(self, first: int, scores: Encrypted) -> None:
        self.reviews += len(scores)
        self.cpu_seconds, self.wall_seconds = time.process_time() - self._cpu, time.perf_counter() - self._wall


def all_runs(
    name: str,
    title: str,
    cases: Sequence[BootstrappedCase],
    data: Mapping[str, Dataset],
    options: argparse.Namespace,
    corpus: Corpus,
    results: Results,
) -> None:
    """Make the runs of all cases; write their lines (NAME.csv) and running accuracies (NAME_curve.csv) as they come.

    data: plain features by the names of recipes.
    """
    lines, curves = [], []
    jobs = [(case, key) for case in cases for key in range(case.keys)]
    for case, key in progress(jobs, "training by bootstrapping", unit="run"):
        folder = options.runs / corpus.name / case.folder_name(key)
        line, points = kept(folder, partial(run_apart, case, data[case.recipe.name], key, folder, options.threads))
        lines.append(line)
        curves.append(points)
        results.store(name, pd.DataFrame(lines))
        results.store(f"{name}_curve", pd.concat(curves))
    show(results, name, title, pd.DataFrame(lines), upright=True)
    results.finish()


def run_apart(
    case: BootstrappedCase, data: Dataset, key: int, folder: Path, threads: int
) -> tuple[dict[str, object], pd.DataFrame]:
    """Say what a run will cost, and make it in a process of its own."""
    if not case.hidden:  # an estimate is that of the general step, which takes ten times as long as that of rank one
        announce(f"{case.name}, key {key}", data.X, case.plan, linear_start(data).architecture, case.parameters)
    return in_a_process(bootstrapped_run, case, case.recipe.prepared(data, case.largest), key, folder, threads)


def _owner(case: BootstrappedCase, start: Network, path: Path) -> Owner:
    """Return the owner of a run, whose secret is kept beside it so that it can go on."""
    if path.exists():
        return Owner.load(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    owner = Owner(start.architecture, case.plan.sigmoid, case.parameters)
    owner.save_secret(path)
    owner.encrypt(start).save(path.with_name("start"))
    return owner


def _prepared(owner: Owner, start: Network, threads: int) -> EncryptedModel:
    """Return an encrypted start with its keys expanded and its loops compiled, so that no run is charged for that."""
    model = owner.encrypt(start)
    if isinstance(model.evaluator, BootstrappedEvaluator):
        model.evaluator.threads = threads
    model.evaluator.activate(owner.sigmoid, model.evaluator.unpack(model.network.W1[:2]))
    return model


def _decrypted_test(owner: Owner, trainer: Trainer, data: Dataset) -> np.ndarray:
    """Return the decrypted test scores, made some hundreds at a time: one of thirty parts takes a quarter of a megabyte."""
    parts = [data.X_test[start : start + 500] for start in range(0, data.X_test.shape[0], 500)]
    return np.concatenate([owner.decrypt(trainer.predict(X)) for X in parts])
