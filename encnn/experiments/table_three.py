"""The protocol of Table III: which runs are made, with which settings, and what is recorded of each.

The paper states the reviews, the learning rate, the scaling factor and "Taylor series"; this module chooses all that it leaves
open, and docs/deviations.md lists these choices with their reasons.  Every run is a pair (setting, seed): the seed gives the
start of the network and the key, so all rows of one seed start alike.  Keys are made from the seed, so they are experimental
keys.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from multiprocessing import get_context

import numpy as np
import pandas as pd

from encnn.arithmetic.sigmoid import ExactSigmoid, ancestor_misplaced, taylor
from encnn.costs.peak_memory import peak_memory_mb
from encnn.data import metrics
from encnn.data.datasets import Dataset, words_dataset
from encnn.data.reviews import Corpus
from encnn.errors import CiphertextOverflowError, DivergenceError
from encnn.network import Architecture, ErrorStep, Help, Network, TrainingPlan
from encnn.network.architecture import Pooling
from encnn.parties import Evaluation, Owner, Trainer
from encnn.progress import progress
from encnn.report import paper
from encnn.schemes import ClearParameters, Evaluator, SchemeParameters
from encnn.schemes.integer_vector import PAPER

LEARNING_RATE = paper.LEARNING_RATE
HIDDEN = 8
DEGREE = 5
SEEDS = 20
GRID_CUTOFFS = (0.05, 0.1, 0.15, 0.5)
GRID_SEEDS = 3
WORTH_A_PROCESS = 5000
"""Reviews from which on a run is worth sending to a process of its own."""

COLUMNS = [
    "row",
    "learning_rate",
    "sigmoid",
    "correct",
    "reviews",
    "accuracy_percent",
    "test_accuracy_percent",
    "cpu_seconds",
    "peak_memory_mb",
    "seed",
]


@dataclass(frozen=True)
class Setting:
    """One row of a table: a network, how it is trained, and in which arithmetic."""

    row: str  # its name
    plan: TrainingPlan  # how it is trained
    parameters: SchemeParameters = field(default_factory=ClearParameters)  # of its arithmetic
    pooling: Pooling = "mean"  # "mean" or "sum" of a review's rows
    step: ErrorStep | None = None  # replaces the error step (the ablations' mistakes)
    shown: Callable[[np.ndarray, np.random.Generator], np.ndarray] | None = None  # the prediction, from p and the seed's rng
    running_mean: bool = False  # count with the ancestor's running-mean threshold instead of one half

    def architecture(self, data: Dataset) -> Architecture:
        """Return the network for the features of these data."""
        return Architecture(data.X.shape[1], HIDDEN, pooling=self.pooling)


@dataclass(frozen=True)
class SettingRun:
    """The results of one run."""

    line: dict[str, object]  # of the table
    evaluation: Evaluation | None  # the owner's, None if it diverged


def run(setting: Setting, data: Dataset, seed: int) -> SettingRun:
    """Train one network over the reviews and test it; a run that diverges leaves its counts empty."""
    architecture = setting.architecture(data)
    rng = np.random.default_rng(seed)
    start = Network.initial(architecture, rng)
    owner = Owner(architecture, setting.plan.sigmoid, setting.parameters, rng=rng, insecure=True)
    trainer = Trainer(owner.encrypt(start))
    # a network that feeds back the wrong error has no range to watch
    watch = owner.watch(setting.plan) if setting.step is None else None
    begun = time.process_time()
    try:
        scores = trainer.train(data.X, data.y, setting.plan, Help(setting.step), on_scores=watch)
    except (DivergenceError, CiphertextOverflowError):
        return SettingRun(_line(setting, data, seed, time.process_time() - begun, None, None), None)
    seconds = time.process_time() - begun
    evaluation = owner.evaluate(scores, data.y, setting.plan)
    if setting.shown is not None:
        evaluation = _shown_instead(evaluation, setting.shown(evaluation.p, rng), data.y)
    test = owner.evaluate(trainer.predict(data.X_test), data.y_test, setting.plan)
    right = evaluation.running_mean_accuracy if setting.running_mean else evaluation.accuracy
    return SettingRun(_line(setting, data, seed, seconds, right, test.accuracy), evaluation)


def runs(settings: Iterable[Setting], data: Dataset, seeds: Iterable[int], description: str) -> Iterator[SettingRun]:
    """Yield all runs of settings x seeds, seed by seed, on all processors, under one progress bar."""
    jobs = [(setting, seed) for seed in seeds for setting in settings]
    workers = min(os.cpu_count() or 1, len(jobs))
    if workers == 1 or data.X.shape[0] < WORTH_A_PROCESS:
        yield from (run(setting, data, seed) for setting, seed in progress(jobs, description, unit="run"))
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), _receive, (data,)) as pool:
        yield from progress(pool.map(_run_here, jobs), description, total=len(jobs), unit="run")


_here: list[Dataset] = []


def _receive(data: Dataset) -> None:
    """Keep the data in a worker process, so that it is sent once and not once per run."""
    _here[:] = [data]


def _run_here(job: tuple[Setting, int]) -> SettingRun:
    return run(job[0], _here[0], job[1])


def table(results: Iterable[SettingRun]) -> pd.DataFrame:
    """Return one line per run, with the columns of table3.csv."""
    return pd.DataFrame([r.line for r in results], columns=COLUMNS).astype({"correct": "Int64"})


# -- the rows


def pair(
    learning_rate: float = LEARNING_RATE, degree: int = DEGREE, suffix: str = "", pooling: Pooling = "mean"
) -> tuple[Setting, Setting]:
    """Return (Non-PP, PP): the rightly coded network in the clear, and the same under the paper's encryption."""
    plan = TrainingPlan(taylor(degree), learning_rate)
    clear = Setting(f"Non-PP{suffix}", plan, pooling=pooling)
    return clear, replace(clear, row=f"PP{suffix}", parameters=PAPER)


def word2vec_pair() -> tuple[Setting, Setting]:
    """Return (Non-PP, PP) on word2vec features, whose rows are reviews already: their vectors are not divided again."""
    return pair(suffix=", word2vec", pooling="sum")


def ablation() -> list[Setting]:
    """Return the steps from the textbook network to the ciphertext, then what others have run; `ladder` puts them in order."""
    exact, polynomial = TrainingPlan(ExactSigmoid(), LEARNING_RATE), TrainingPlan(taylor(DEGREE), LEARNING_RATE)
    fixed = ClearParameters(PAPER.scale)
    return [
        Setting("sum of rows, exact sigmoid", exact, pooling="sum"),
        Setting("mean of rows, exact sigmoid", exact),
        Setting("mean of rows, Taylor, rounded at 1/1000", polynomial, fixed),
        Setting("mean of rows, Taylor, cut at 1/1000", polynomial, ClearParameters(PAPER.scale, "truncate")),
        Setting("Udacity network", exact, pooling="sum", step=udacity_step),
        ancestor_as_coded(),
    ]


def ladder(results: pd.DataFrame) -> pd.DataFrame:
    """Return the lines of the ablation, Non-PP and PP included, in the order in which one thing changes at a time."""
    steps = [s.row for s in ablation()]
    order = {row: i for i, row in enumerate([*steps[:2], "Non-PP", *steps[2:4], "PP", *steps[4:]])}
    plan = pair()[0].plan
    of_plan = (results["learning_rate"] == plan.learning_rate) & (
        ~results["row"].isin(["Non-PP", "PP"]) | (results["sigmoid"] == plan.sigmoid.name)
    )
    chosen = results[of_plan & results["row"].isin(list(order))]
    return chosen.sort_values("row", key=lambda rows: rows.map(order), kind="stable")


def ancestor_as_coded() -> Setting:
    """Return the 2017 notebook as its code runs, at the paper's learning rate.

    Its polynomial has its coefficients one power out of place; the error that it feeds back is 1/2 - y, since its output
    layer reads the wrong slot; the prediction that it shows is 1/2 + T p with T in [0, 1), an entry of the secret key; and it
    counts with the running-mean threshold.
    """
    plan = TrainingPlan(ancestor_misplaced(), LEARNING_RATE)
    return Setting("ancestor as coded", plan, step=constant_error_step, shown=through_the_wrong_slot, running_mean=True)


def other_settings() -> list[Setting]:
    """Return Non-PP and PP pairs at other degrees and learning rates; runs that diverge are part of the answer."""
    choices = [(LEARNING_RATE, 1), (LEARNING_RATE, 3), (LEARNING_RATE, 7), (0.01, 1), (0.01, 3), (0.01, 5)]
    return [setting for rate, degree in choices for setting in pair(rate, degree)]


def grid(corpus: Corpus) -> pd.DataFrame:
    """Return right counts over vocabulary and threshold for three networks that the paper may have run.

    Columns: row, polarity_cutoff, words, threshold ("half" or "running mean"), seed, correct.
    """
    candidates = [pair()[0], *(s for s in ablation() if s.row in ("Udacity network", "ancestor as coded"))]
    lines = []
    for cutoff in progress(GRID_CUTOFFS, "grid over vocabularies", unit="vocabulary"):
        data = words_dataset(corpus, cutoff)
        for r in runs(candidates, data, range(GRID_SEEDS), f"cutoff {cutoff}"):
            for threshold, correct in _both_counts(r).items():
                lines.append((r.line["row"], cutoff, data.X.shape[1], threshold, r.line["seed"], correct))
    return pd.DataFrame(lines, columns=["row", "polarity_cutoff", "words", "threshold", "seed", "correct"])


def udacity_step(evaluator: Evaluator, z: np.ndarray, targets: np.ndarray, rate: float) -> tuple[np.ndarray, float]:
    """Return (p - y) p (1 - p), the error of the Udacity course's network, in the clear."""
    p = np.asarray(ExactSigmoid()(z))
    return (p - targets) * p * (1.0 - p), rate


def constant_error_step(evaluator: Evaluator, z: np.ndarray, targets: np.ndarray, rate: float) -> tuple[np.ndarray, float]:
    """Return 1/2 - y, which does not depend on the network: the error that the 2017 notebook feeds back."""
    return 0.5 - targets, rate


def through_the_wrong_slot(p: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return 1/2 + T p with T uniform in [0, 1): what the 2017 notebook shows as its prediction."""
    return 0.5 + rng.random() * p


def _shown_instead(evaluation: Evaluation, p: np.ndarray, y: np.ndarray) -> Evaluation:
    """Return the evaluation with other predictions."""
    right, right_mean = metrics.right_at_half(p[:, 0], y), metrics.right_at_running_mean(p[:, 0], y)
    return replace(evaluation, p=p, right=right, right_running_mean=right_mean)


def _both_counts(r: SettingRun) -> dict[str, int]:
    if r.evaluation is None:
        return {}
    return {"half": r.evaluation.accuracy.correct, "running mean": r.evaluation.running_mean_accuracy.correct}


def _line(
    setting: Setting,
    data: Dataset,
    seed: int,
    cpu_seconds: float,
    right: metrics.Accuracy | None,
    test: metrics.Accuracy | None,
) -> dict[str, object]:
    return {
        "row": setting.row,
        "learning_rate": setting.plan.learning_rate,
        "sigmoid": setting.plan.sigmoid.name,
        "correct": None if right is None else right.correct,
        "reviews": data.X.shape[0],
        "accuracy_percent": None if right is None else round(right.percent, 4),
        "test_accuracy_percent": None if test is None else round(test.percent, 4),
        "cpu_seconds": round(cpu_seconds, 3),
        "peak_memory_mb": round(peak_memory_mb(), 1),
        "seed": seed,
    }
