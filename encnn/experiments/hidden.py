"""Train the paper's own network on all reviews without the owner's help: `python -m encnn.experiments hidden`.

The network has eight linear hidden units on the mean of a review's words and starts from W1 = 0.  Both layers are encrypted and
trained by bootstrapping alone, at 128 bits.  From that start the network stays of rank one (`network.rank_one`), so a review
takes three rotations.  Every run has a clear twin with eight hidden units: the same start, order and updates without
encryption.

There are two learning rates: the paper's, and the one that does best on training reviews held out.  The second is chosen in the
clear, with the noise that ciphertexts would have, over several starts.  Test reviews choose nothing.

The job writes hidden.csv (a line for each run), hidden_choice.csv (the choice) and hidden_curve.csv (running accuracy).  A run
takes minutes.  It is kept in a folder while it goes on, and continues from there when the job is started again.
"""

from collections.abc import Sequence

import pandas as pd

from encnn.arithmetic.sigmoid import ExactSigmoid
from encnn.data.datasets import Dataset, held_out
from encnn.experiments.bootstrapped_runs import (
    BATCH_SIZE,
    KEYS,
    WORDS,
    BootstrappedCase,
    add_run_options,
    all_runs,
    mean_percent,
    rank_one_start,
    simulated_hidden,
)
from encnn.experiments.console import begin, job_options, show
from encnn.experiments.twin import clear_twin
from encnn.network import TrainingPlan
from encnn.progress import progress
from encnn.schemes.bootstrapped import HIDDEN_128, HIDDEN_SLOW_128

HIDDEN = 8
PAPER_RATE = 0.001
RATES = (0.01, 0.02, 0.03, 0.04, 0.06)
STARTS = 3


def plan_at(rate: float) -> TrainingPlan:
    """Return one epoch at this learning rate."""
    return TrainingPlan(ExactSigmoid(), rate, batch_size=BATCH_SIZE)


def choose(data: Dataset, rates: Sequence[float] = RATES, starts: int = STARTS) -> pd.DataFrame:
    """Return how rates do on the last fifth of the training reviews, trained on the others in the clear and with noise."""
    part, lines = held_out(data), []
    inits = [rank_one_start(part, HIDDEN, seed) for seed in range(starts)]
    for rate in progress(rates, "choosing a rate for the hidden layer", unit="rate"):
        clear = mean_percent(clear_twin(start, part, plan_at(rate)) for start in inits)
        noisy = mean_percent(simulated_hidden(start, part, plan_at(rate), HIDDEN_128, seed) for seed, start in enumerate(inits))
        lines.append((HIDDEN_128.name, rate, starts, clear, noisy))
    columns = ["parameters", "learning rate", "starts", "held-out percent, clear", "held-out percent, with noise"]
    return pd.DataFrame(lines, columns=columns)


def cases(choice: pd.DataFrame, keys: int = KEYS) -> list[BootstrappedCase]:
    """Return the cases: the paper's rate, and the one that was chosen."""
    best = float(choice["learning rate"].iloc[int(choice["held-out percent, with noise"].argmax())])
    chosen = BootstrappedCase("rate chosen", WORDS, HIDDEN_128, plan_at(best), keys=keys, hidden=HIDDEN)
    return [BootstrappedCase("the paper's rate", WORDS, HIDDEN_SLOW_128, plan_at(PAPER_RATE), keys=keys, hidden=HIDDEN), chosen]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything, print the tables and write them; return the exit status."""
    options = add_run_options(
        job_options(__name__, "Train the paper's network with its hidden layer at 128 bits, without the owner's help.")
    ).parse_args(arguments)
    corpus, results = begin(options)
    data = WORDS.dataset(corpus)
    choice = choose(data)
    show(results, "hidden_choice", "Learning rates in the clear and with noise, on training reviews held out", choice)
    title = "The paper's network by bootstrapping alone, at 128 bits"
    all_runs("hidden", title, cases(choice, options.keys), {WORDS.name: data}, options, corpus, results)
    return 0
