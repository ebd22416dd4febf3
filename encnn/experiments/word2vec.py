"""The choice of word2vec settings: `python -m encnn.experiments word2vec` makes it on training reviews held out.

On the real reviews this is how the defaults of `word2vec_features` were chosen.  No test review takes part.
"""

import itertools
from collections.abc import Iterable, Sequence
from typing import TypedDict

import numpy as np
import pandas as pd

from encnn.data.datasets import HELD_OUT, Dataset
from encnn.data.reviews import Reviews, word2vec_features
from encnn.experiments.console import begin, job_options, show
from encnn.experiments.table_three import run, word2vec_pair
from encnn.progress import progress


class Word2vecChoice(TypedDict):
    """Settings of `word2vec_features`."""

    window: int
    subsampling: float
    learning_rate: float


CHOICES = tuple(
    Word2vecChoice(window=window, subsampling=subsampling, learning_rate=rate)
    for window, subsampling, rate in itertools.product((5, 15), (1e-3, 1e-4), (0.025, 0.05))
)
"""Settings to choose from: gensim's own are the first, the others change one, two or three of them."""
SEEDS = 5


def word2vec_choice(
    reviews: Reviews, choices: Iterable[Word2vecChoice] = CHOICES, seeds: Iterable[int] = range(SEEDS)
) -> pd.DataFrame:
    """Return the choices, best first, with their mean accuracy on the last fifth of `reviews`, in percent, over all seeds.

    A run that diverges is worth a guess, 50 percent; `diverged` counts them.  Word vectors and network (the Non-PP row on
    word2vec features) learn from the other four fifths alone.  Takes about one CPU minute per choice with 25,000 reviews.
    """
    cut = round(len(reviews) * (1 - HELD_OUT))
    fit, held_out = reviews[:cut], reviews[cut:]
    setting, seeds, lines = word2vec_pair()[0], list(seeds), []
    for choice in progress(list(choices), "choosing word2vec settings", unit="setting"):
        X, X_held_out = word2vec_features(fit, held_out, scaling="none", **choice)
        data = Dataset("hold-out", X, fit.labels, X_held_out, held_out.labels)
        percent = np.array([run(setting, data, seed).line["test_accuracy_percent"] for seed in seeds], dtype=np.float64)
        diverged = np.isnan(percent)
        lines.append({**choice, "diverged": diverged.sum(), "held_out_percent": np.where(diverged, 50.0, percent).mean()})
    return pd.DataFrame(lines).sort_values("held_out_percent", ascending=False, kind="stable", ignore_index=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the choice, print it and write word2vec_choice.csv; return the exit status."""
    corpus, results = begin(job_options(__name__, "Choose settings of word2vec.").parse_args(arguments))
    choice = word2vec_choice(corpus.train)
    show(results, "word2vec_choice", "Settings of word2vec, on training reviews held out", choice)
    results.finish()
    return 0
