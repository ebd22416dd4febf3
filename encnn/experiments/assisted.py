"""The owner assists at 128 bits: `python -m encnn.experiments.assisted` trains on all reviews, writes figures/assisted.csv.

Logistic regression on the sum of a review's words, one review at a time, one epoch, under parameters of 128 bits: additions by
the trainer, the exact sigmoid by the owner (`assistance.scores`), both in this process and each timed by itself.  Every run has
a clear twin, the same training on float64 without encryption, timed beside it.

Three places for the labels: "sent" with each request, "kept" by the owner, or "encrypted" and handed to the trainer.  The last
two hide labels from the trainer, so their vocabulary is chosen by frequency alone: a choice by polarity would tell them.

Keys are real (the operating system's randomness), so counts may change by a review or two from run to run.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from encnn.assistance.scores import Assistant, AssistedStep, DirectChannel, KeptLabels, Tally
from encnn.costs import announce
from encnn.experiments.reproduce import FIGURES, heading, load_or_toy, store
from encnn.experiments.table_three import Dataset, held_out, linear_start, words_dataset
from encnn.network import TrainingPlan
from encnn.parties import Evaluation, Owner, Trainer
from encnn.progress import progress
from encnn.schemes import ClearParameters
from encnn.schemes.integer_vector import ADDITIVE_128, COMPACT_128, Parameters, SecretKey
from encnn.sigmoid import ExactSigmoid

LEARNING_RATE = 0.012
"""The best of `RATES` on the last fifth of the real training reviews, trained on the others (figures/assisted_rates.csv)."""
RATES = (0.004, 0.008, 0.012, 0.016, 0.024)
KEYS = 3
WARM_UP = 20


@dataclass(frozen=True)
class Case:
    """One line of the table: parameters, and where the labels are ("sent", "kept" or "encrypted")."""

    parameters: Parameters
    labels: str = "sent"


CASES = (Case(COMPACT_128), Case(ADDITIVE_128), Case(COMPACT_128, "kept"), Case(COMPACT_128, "encrypted"))


@dataclass(frozen=True)
class Twin:
    """A clear run: its evaluations in training and on the test reviews, and its CPU seconds."""

    training: Evaluation
    test: Evaluation
    cpu_seconds: float


def clear_twin(data: Dataset, plan: TrainingPlan) -> Twin:
    """Train in the clear from zero; evaluate and time it."""
    owner = Owner(linear_start(data).architecture, plan.sigmoid, ClearParameters())
    trainer = Trainer(owner.encrypt(linear_start(data)))
    begun = time.process_time()
    scores = trainer.train(data.X, data.y, plan)
    seconds = time.process_time() - begun
    test = owner.evaluate(trainer.predict(data.X_test), data.y_test, plan)
    return Twin(owner.evaluate(scores, data.y, plan), test, seconds)


@dataclass(frozen=True)
class Run:
    """An assisted run: its evaluations, the trainer's CPU seconds, what the owner counted, and bytes of the model."""

    training: Evaluation
    test: Evaluation
    cpu_seconds: float
    tally: Tally
    model_bytes: int
    start_bytes: int


def assisted_run(case: Case, data: Dataset, plan: TrainingPlan, key: int) -> dict[str, Any]:
    """Train under encryption with the owner's assistance, beside the clear twin; return the line of the table."""
    twin, run = clear_twin(data, plan), trained(case, data, plan)
    return _what(case) | {"key": key} | _accuracies(twin, run) | _costs(twin, run)


def trained(case: Case, data: Dataset, plan: TrainingPlan) -> Run:
    """Train under encryption from zero, the owner assisting, with keys of its own; evaluate and time it."""
    owner = Owner(linear_start(data).architecture, plan.sigmoid, case.parameters)
    secret: SecretKey = owner.secret_key  # type: ignore[assignment]
    model = owner.encrypt(linear_start(data))
    start_bytes = _bytes_on_disk(model)
    targets = _targets(case, owner, data, plan)
    _warm_up(model, data, plan, Assistant(secret))
    assistant, trainer = Assistant(secret, labels=data.y if case.labels == "kept" else None), Trainer(model)
    begun = time.process_time()
    trainer.train(data.X, targets, plan, help=AssistedStep(DirectChannel(assistant)), keep_scores=False)
    seconds = time.process_time() - begun - assistant.tally.cpu_seconds
    training = owner.evaluate(assistant.scores, data.y, plan)
    test = owner.evaluate(trainer.predict(data.X_test), data.y_test, plan)
    return Run(training, test, seconds, assistant.tally, model.network.W1.nbytes, start_bytes)


def _what(case: Case) -> dict[str, Any]:
    """Return the columns that say what was run."""
    p = case.parameters
    return {
        "scheme": "integer vectors",
        "parameters": p.name,
        "d": p.d,
        "log2 q": p.q_bits,
        **p.security.columns,
        "owner in the loop": True,
        "labels": case.labels,
    }


def _accuracies(twin: Twin, run: Run) -> dict[str, Any]:
    """Return the columns on what was right, beside the clear twin."""
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


def _costs(twin: Twin, run: Run) -> dict[str, Any]:
    """Return the columns on CPU time, beside the clear twin's, and on bytes."""
    reviews, tally = len(run.training.right), run.tally
    return {
        "trainer CPU us a review": round(1e6 * run.cpu_seconds / reviews, 1),
        "owner CPU us a review": round(1e6 * tally.cpu_seconds / reviews, 1),
        "clear CPU us a review": round(1e6 * twin.cpu_seconds / reviews, 1),
        "trainer / clear": round(run.cpu_seconds / twin.cpu_seconds, 1),
        "trips": tally.trips,
        "bytes up": tally.bytes_up,
        "bytes down": tally.bytes_down,
        "model bytes": run.model_bytes,
        "start on disk bytes": run.start_bytes,
    }


def held_out_rates(data: Dataset, rates: Iterable[float] = RATES) -> pd.DataFrame:
    """Return how learning rates do on training reviews held out (the last fifth), trained in the clear on the others."""
    part = held_out(data)
    lines = []
    for rate in progress(list(rates), "learning rates", unit="run"):
        twin = clear_twin(part, TrainingPlan(ExactSigmoid(), rate))
        lines.append((rate, twin.training.accuracy.percent, twin.test.accuracy.percent))
    return pd.DataFrame(lines, columns=["learning rate", "running accuracy percent", "held-out accuracy percent"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything, print the tables and write them; return the exit status."""
    options = _options(arguments)
    corpus = load_or_toy(options.corpus)
    folder = options.folder if corpus.is_real else options.folder / "toy"  # never in place of the real ones
    words, frequent = words_dataset(corpus), words_dataset(corpus, cutoff=None)
    rates = held_out_rates(words)
    heading("Learning rates in the clear, on training reviews held out")
    print(rates.to_string(index=False))
    plan = TrainingPlan(ExactSigmoid(), LEARNING_RATE)
    heading("What the runs will cost")
    for parameters in dict.fromkeys(case.parameters for case in CASES):
        announce(parameters.name, words.X, plan, linear_start(words).architecture, parameters)
    jobs = [(case, key) for case in CASES for key in range(options.keys)]
    lines = [
        assisted_run(case, words if case.labels == "sent" else frequent, plan, key)
        for case, key in progress(jobs, "assisted training", unit="run")
    ]
    heading(f"Assisted training at 128 bits, learning rate {LEARNING_RATE}")
    table = pd.DataFrame(lines)
    print(table.T.to_string(header=False))
    store(rates, folder / "assisted_rates.csv")
    store(table, folder / "assisted.csv")
    print(f"\nThe tables are in {folder}/")
    return 0


def _targets(case: Case, owner: Owner, data: Dataset, plan: TrainingPlan) -> Any:
    if case.labels == "kept":
        return KeptLabels(len(data.y))
    return data.y if case.labels == "sent" else owner.encrypt_labels(data.y, plan.learning_rate)


def _warm_up(model: Any, data: Dataset, plan: TrainingPlan, assistant: Assistant) -> None:
    """Have the inner loops compiled on a copy, so that no run is charged for it."""
    Trainer(model.copy()).train(data.X[:WARM_UP], data.y[:WARM_UP], plan, help=AssistedStep(DirectChannel(assistant)))


def _bytes_on_disk(model: Any) -> int:
    with tempfile.TemporaryDirectory() as folder:
        return model.save(Path(folder) / "model")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m encnn.experiments.assisted", description="Train at 128 bits, the owner assisting."
    )
    parser.add_argument("--corpus", default="imdb", choices=["imdb", "toy"], help="the reviews (default: imdb)")
    parser.add_argument("--keys", type=int, default=KEYS, help=f"keys for each set of parameters (default: {KEYS})")
    parser.add_argument("--folder", type=Path, default=FIGURES, help="where tables go (default: figures)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
