"""Train on all reviews by bootstrapping alone, without the owner's help: `python -m encnn.experiments unassisted`.

The model is logistic regression on the sum of a review's words, trained in mini-batches of 16.  The trainer holds encrypted
weights and evaluation keys.  The error of each review takes one bootstrap (`schemes.bootstrapped`), and the owner is asked
nothing.  The owner only receives the encrypted scores, from which it reads the running accuracy.  Every run has a clear twin:
the same training without encryption.

There are two kinds of features.  **Words** that lean to one class, as in the other jobs, are trained for one epoch with one
rotation level, and for several epochs with two levels, since the noise of one level would drown those.  **Words and pairs of
words**, conditioned by the trainer (`data.reviews.conditioning`), are trained with plain labels, with one level and with two,
and with two levels and labels that the owner encrypts, where neither features nor conditioning depend on labels.

Learning rates, epochs and the largest multiplier are chosen on training reviews held out, in the clear, with the noise that
bootstraps would add (`simulation`).  Test reviews choose nothing.

The job writes unassisted.csv (a line for each run), unassisted_choice.csv (the choices) and unassisted_curve.csv (running
accuracy).  A run takes minutes.  It is kept in a folder while it goes on, and continues from there when the job is started
again.  Each run has its own process, so that its peak memory is measured alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from encnn.arithmetic.sigmoid import ExactSigmoid
from encnn.data.datasets import Dataset, held_out
from encnn.experiments.bootstrapped_runs import (
    BATCH_SIZE,
    KEYS,
    PAIRS,
    PAIRS_UNLABELLED,
    SIMULATIONS,
    WORDS,
    BootstrappedCase,
    Recipe,
    add_run_options,
    all_runs,
    mean_percent,
)
from encnn.experiments.console import begin, job_options, show
from encnn.experiments.linear import linear_start
from encnn.experiments.twin import ClearTwin, clear_twin
from encnn.network import Help, TrainingPlan
from encnn.progress import progress
from encnn.schemes.bootstrapped import ONE_LEVEL_128, TWO_LEVEL_128, BootstrappedParameters
from encnn.schemes.bootstrapped.simulation import noisy_step


@dataclass(frozen=True)
class Choice:
    """Plans to choose from: all combinations of these settings."""

    recipe: Recipe  # of the features
    parameters: BootstrappedParameters  # of the scheme
    rates: tuple[float, ...]  # of the features with the largest multiplier
    multipliers: tuple[int, ...] = (1,)  # the largest multiplier of a feature's steps
    epochs: tuple[int, ...] = (1,)  # passes over the reviews
    decays: tuple[float, ...] = (0.0,)  # of the learning rate

    def plans(self) -> Iterator[tuple[TrainingPlan, int]]:
        """Yield each plan, and its largest multiplier; a rate decays in several epochs only."""
        for epochs, rate, largest in product(self.epochs, self.rates, self.multipliers):
            for decay in self.decays if epochs > 1 else (0.0,):
                yield TrainingPlan(ExactSigmoid(), rate / largest, decay, BATCH_SIZE, epochs), largest


CHOICES = (
    Choice(WORDS, ONE_LEVEL_128, (0.005, 0.0075, 0.01, 0.015)),
    Choice(WORDS, TWO_LEVEL_128, (0.005, 0.0075, 0.01, 0.015), epochs=(2, 3), decays=(0.0, 0.5, 1.0)),
    Choice(PAIRS, ONE_LEVEL_128, (0.035, 0.05, 0.07), multipliers=(6, 8)),
    Choice(PAIRS, TWO_LEVEL_128, (0.035, 0.05, 0.07), multipliers=(8, 12)),
    Choice(PAIRS_UNLABELLED, TWO_LEVEL_128, (0.0175, 0.025, 0.035), multipliers=(6, 12)),
)


def cases(choice: pd.DataFrame, keys: int = KEYS) -> list[BootstrappedCase]:
    """Return the cases, with the best plans of the choices.  A new case is one line here."""
    one, several, pairs, finer, unlabelled = (plan_of(best(choice, of)) for of in CHOICES)
    return [
        BootstrappedCase("words, one epoch", WORDS, ONE_LEVEL_128, *one, keys=keys),
        BootstrappedCase("words, several epochs", WORDS, TWO_LEVEL_128, *several),
        BootstrappedCase("words and pairs, one level", PAIRS, ONE_LEVEL_128, *pairs, keys=keys),
        BootstrappedCase("words and pairs, two levels", PAIRS, TWO_LEVEL_128, *finer, keys=keys),
        BootstrappedCase("words and pairs, encrypted labels", PAIRS_UNLABELLED, TWO_LEVEL_128, *unlabelled, "encrypted", keys),
    ]


def best(choice: pd.DataFrame, of: Choice) -> pd.Series:
    """Return the line with the best held-out accuracy under noise, among the plans of one choice."""
    lines = choice[(choice["features"] == of.recipe.name) & (choice["parameters"] == of.parameters.name)]
    return lines.iloc[int(lines["held-out percent, with noise"].argmax())]


def plan_of(line: pd.Series) -> tuple[TrainingPlan, int]:
    """Return the plan and the largest multiplier of a line of the choices."""
    rate, decay = float(line["learning rate"]), float(line["decay"])
    return TrainingPlan(ExactSigmoid(), rate, decay, BATCH_SIZE, int(line["epochs"])), int(line["largest multiplier"])


def choose(of: Choice, data: Dataset, simulations: int = SIMULATIONS) -> pd.DataFrame:
    """Return how plans do on the last fifth of the training reviews, trained on the others in the clear and with noise."""
    part, lines = held_out(data), []
    for plan, largest in progress(list(of.plans()), f"choosing for {of.recipe.name}", unit="plan"):
        prepared = of.recipe.prepared(part, largest)
        clear = mean_percent([simulated(prepared, plan)])
        noisy = mean_percent(simulated(prepared, plan, of.parameters, seed) for seed in range(simulations))
        lines.append((of.recipe.name, of.parameters.name, plan.learning_rate, largest, plan.decay, plan.epochs, clear, noisy))
    columns = ["features", "parameters", "learning rate", "largest multiplier", "decay", "epochs"]
    return pd.DataFrame(lines, columns=[*columns, "held-out percent, clear", "held-out percent, with noise"])


def simulated(data: Dataset, plan: TrainingPlan, p: BootstrappedParameters | None = None, seed: int = 0) -> ClearTwin:
    """Return a run in the clear, without noise or with that of parameters p."""
    step = None if p is None else noisy_step(p, plan.sigmoid, np.random.default_rng(seed))
    return clear_twin(linear_start(data), data, plan, Help(step))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything, print the tables and write them; return the exit status."""
    options = add_run_options(job_options(__name__, "Train at 128 bits without the owner's help.")).parse_args(arguments)
    corpus, results = begin(options)
    plain = {recipe.name: recipe.dataset(corpus) for recipe in dict.fromkeys(of.recipe for of in CHOICES)}
    choice = pd.concat([choose(of, plain[of.recipe.name]) for of in CHOICES], ignore_index=True)
    show(results, "unassisted_choice", "Plans in the clear and with noise, on training reviews held out", choice)
    title = "Training by bootstrapping alone, at 128 bits"
    all_runs("unassisted", title, cases(choice, options.keys), plain, options, corpus, results)
    return 0
