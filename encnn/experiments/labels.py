"""Copies without the owner's labels: `python -m encnn.experiments labels` measures them and writes label_copies.csv."""

from collections.abc import Sequence

from encnn.attacks.labels import on_corpus
from encnn.experiments.console import begin, heading, job_options
from encnn.experiments.linear import LEARNING_RATE


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure on the real reviews, or else on the toy ones; return the exit status."""
    corpus, results = begin(job_options(__name__, "Copies without the labels.").parse_args(arguments))
    copies = on_corpus(corpus, LEARNING_RATE)
    heading("How near a stranger comes to the owner's network without the owner's labels")
    print(copies.to_string(index=False))
    results.store("label_copies", copies)
    results.finish()
    return 0
