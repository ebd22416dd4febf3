"""Copies without the owner's labels: `python -m encnn.experiments labels` measures them and writes label_copies.csv."""

from collections.abc import Sequence

from encnn.attacks.labels import on_corpus
from encnn.experiments.console import begin, job_options, show
from encnn.experiments.linear import LEARNING_RATE


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure on the real reviews, or else on the toy ones; return the exit status."""
    corpus, results = begin(job_options(__name__, "Copies without the labels.").parse_args(arguments))
    copies = on_corpus(corpus, LEARNING_RATE)
    show(results, "label_copies", "How near a stranger comes to the owner's network without the owner's labels", copies)
    results.finish()
    return 0
