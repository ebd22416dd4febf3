"""The owner assists at 128 bits: `python -m encnn.experiments assisted` trains on all reviews and writes assisted.csv.

The network is logistic regression on the sum of a review's words.  It trains on one review at a time, for one epoch, under
parameters of 128 bits.  The trainer adds, and the owner computes the exact sigmoid (`parties.assistance.scores`).  Both are in
this process, and each is timed separately.  Every run has a clear twin: the same training on float64 without encryption.

Labels can be in three places: "sent" with each request, "kept" by the owner, or "encrypted" and handed to the trainer.  The
last two hide labels from the trainer.  Their vocabulary is chosen by frequency alone, because a choice by polarity would
reveal labels.

Keys are real (the operating system's randomness), so counts may change by a review or two from run to run.
"""

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from encnn.arithmetic.sigmoid import ExactSigmoid
from encnn.costs import announce
from encnn.costs.timing import cpu_seconds
from encnn.data.datasets import Dataset, held_out, words_dataset
from encnn.experiments.columns import security
from encnn.experiments.console import begin, heading, job_options, show
from encnn.experiments.linear import LEARNING_RATE, linear_start
from encnn.experiments.twin import WARM_UP, ClearTwin, clear_twin
from encnn.network import TrainingPlan
from encnn.parties import EncryptedModel, Evaluation, Owner, Trainer
from encnn.parties.assistance.scores import Assistant, AssistedStep, DirectChannel, KeptLabels, Tally
from encnn.progress import progress
from encnn.schemes.base import Targets
from encnn.schemes.integer_vector import ADDITIVE_128, COMPACT_128, IntegerVectorParameters

RATES = (0.004, 0.008, 0.012, 0.016, 0.024)
"""Learning rates to choose from, on the last fifth of the training reviews; the best became `LEARNING_RATE`."""
KEYS = 3


@dataclass(frozen=True)
class AssistedCase:
    """One line of the table: parameters, and where the labels are."""

    parameters: IntegerVectorParameters  # of the scheme
    labels: str = "sent"  # or "kept", or "encrypted"


CASES = (
    AssistedCase(COMPACT_128),
    AssistedCase(ADDITIVE_128),
    AssistedCase(COMPACT_128, "kept"),
    AssistedCase(COMPACT_128, "encrypted"),
)
"""A new case is one line here."""


@dataclass(frozen=True)
class AssistedRun:
    """An assisted run, as the owner sees it."""

    training: Evaluation  # what was right while training
    test: Evaluation  # what is right in the test
    cpu_seconds: float  # of the trainer
    tally: Tally  # what the owner counted
    model_bytes: int  # in memory
    start_bytes: int  # of the fresh model on disk


def assisted_run(case: AssistedCase, data: Dataset, plan: TrainingPlan, key: int) -> dict[str, object]:
    """Train under encryption with the owner's assistance, beside the clear twin; return the line of the table."""
    twin, run = clear_twin(linear_start(data), data, plan), trained(case, data, plan)
    return _what(case) | {"key": key} | _accuracies(twin, run) | _costs(twin, run)


def trained(case: AssistedCase, data: Dataset, plan: TrainingPlan) -> AssistedRun:
    """Train under encryption from zero, the owner assisting, with keys of its own; evaluate and time it."""
    owner = Owner(linear_start(data).architecture, plan.sigmoid, case.parameters)
    model = owner.encrypt(linear_start(data))
    start_bytes = _bytes_on_disk(model)
    targets = _targets(case, owner, data, plan)
    _warm_up(model, data, plan, owner.assistant())
    assistant, trainer = owner.assistant(data.y if case.labels == "kept" else None), Trainer(model)
    help = AssistedStep(DirectChannel(assistant))
    _, seconds = cpu_seconds(lambda: trainer.train(data.X, targets, plan, help, keep_scores=False))
    training = owner.evaluate(assistant.scores, data.y, plan)
    test = owner.evaluate(trainer.predict(data.X_test), data.y_test, plan)
    seconds -= assistant.tally.cpu_seconds
    return AssistedRun(training, test, seconds, assistant.tally, model.network.W1.nbytes, start_bytes)


def _what(case: AssistedCase) -> dict[str, object]:
    """Return the columns that say what was run."""
    p = case.parameters
    return {
        "scheme": "integer vectors",
        "parameters": p.name,
        "d": p.d,
        "log2 q": p.q_bits,
        **security(p),
        "owner in the loop": True,
        "labels": case.labels,
    }


def _accuracies(twin: ClearTwin, run: AssistedRun) -> dict[str, object]:
    """Return the columns about accuracy, beside the clear twin's."""
    return {
        "reviews": len(run.training.right),
        "correct": run.training.accuracy.correct,
        "clear twin correct": twin.training.accuracy.correct,
        "predictions that differ": int((run.training.right != twin.training.right).sum()),
        "running accuracy percent": round(run.training.accuracy.percent, 3),
        "test accuracy percent": round(run.test.accuracy.percent, 3),
        "clear twin test accuracy percent": round(twin.test.accuracy.percent, 3),
        "largest score": round(float(max(np.abs(run.training.z).max(), np.abs(run.test.z).max())), 2),
    }


def _costs(twin: ClearTwin, run: AssistedRun) -> dict[str, object]:
    """Return the columns about CPU time, beside the clear twin's, and about bytes."""
    reviews, tally = len(run.training.right), run.tally
    return {
        "trainer CPU us per review": round(1e6 * run.cpu_seconds / reviews, 1),
        "owner CPU us per review": round(1e6 * tally.cpu_seconds / reviews, 1),
        "clear CPU us per review": round(1e6 * twin.cpu_seconds / reviews, 1),
        "trainer / clear": round(run.cpu_seconds / twin.cpu_seconds, 1),
        "trips": tally.trips,
        "bytes up": tally.bytes_up,
        "bytes down": tally.bytes_down,
        "model bytes": run.model_bytes,
        "start on disk bytes": run.start_bytes,
    }


def held_out_rates(data: Dataset, rates: Iterable[float] = RATES) -> pd.DataFrame:
    """Return the accuracy of each learning rate on the held-out last fifth of the training reviews, after clear training."""
    part = held_out(data)
    lines = []
    for rate in progress(list(rates), "learning rates", unit="run"):
        twin = clear_twin(linear_start(part), part, TrainingPlan(ExactSigmoid(), rate))
        lines.append((rate, twin.training.accuracy.percent, twin.test.accuracy.percent))
    return pd.DataFrame(lines, columns=["learning rate", "running accuracy percent", "held-out accuracy percent"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything, print the tables and write them; return the exit status."""
    parser = job_options(__name__, "Train at 128 bits, the owner assisting.")
    parser.add_argument("--keys", type=int, default=KEYS, help=f"keys for each set of parameters (default: {KEYS})")
    options = parser.parse_args(arguments)
    corpus, results = begin(options)
    words, frequent = words_dataset(corpus), words_dataset(corpus, cutoff=None)
    rates = held_out_rates(words)
    show(results, "assisted_rates", "Learning rates in the clear, on training reviews held out", rates)
    plan = TrainingPlan(ExactSigmoid(), LEARNING_RATE)
    heading("What the runs will cost")
    for parameters in dict.fromkeys(case.parameters for case in CASES):
        announce(parameters.name, words.X, plan, linear_start(words).architecture, parameters)
    jobs = [(case, key) for case in CASES for key in range(options.keys)]
    lines = [
        assisted_run(case, words if case.labels == "sent" else frequent, plan, key)
        for case, key in progress(jobs, "assisted training", unit="run")
    ]
    title = f"Assisted training at 128 bits, learning rate {LEARNING_RATE}"
    show(results, "assisted", title, pd.DataFrame(lines), upright=True)
    results.finish()
    return 0


def _targets(case: AssistedCase, owner: Owner, data: Dataset, plan: TrainingPlan) -> Targets:
    if case.labels == "kept":
        return KeptLabels(len(data.y))
    return data.y if case.labels == "sent" else owner.encrypt_labels(data.y, plan.learning_rate)


def _warm_up(model: EncryptedModel, data: Dataset, plan: TrainingPlan, assistant: Assistant) -> None:
    """Compile the inner loops on a copy, so that no run pays for it."""
    Trainer(model.copy()).train(data.X[:WARM_UP], data.y[:WARM_UP], plan, help=AssistedStep(DirectChannel(assistant)))


def _bytes_on_disk(model: EncryptedModel) -> int:
    with tempfile.TemporaryDirectory() as folder:
        return model.save(Path(folder) / "model")
