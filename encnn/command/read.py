"""Decrypt scores that a user or trainer sent, as the owner.

    encnn read owner/secret.key scores.encnn --labels texts.csv

With --labels you learn the share of right answers, and with --out the scores go to a CSV file. Without
either of these the scores are printed. A score above 0 stands for label 1. If there are several classes,
the class with the largest score is predicted.
"""

import argparse
import csv
import sys
from pathlib import Path
from typing import TextIO

import numpy as np

from encnn.command.inputs import CsvFile, add_form, add_labels
from encnn.command.outputs import new_file
from encnn.data import metrics
from encnn.data.recipes import ClassFeatures
from encnn.errors import CapabilityError, DataError, DivergenceError
from encnn.network import TrainingPlan
from encnn.parties import Owner


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `encnn read`."""
    parser.add_argument("secret", type=Path, metavar="SECRET", help="your secret, written by `encnn init`")
    parser.add_argument("scores", type=Path, metavar="SCORES", help="encrypted scores, written by `encnn predict`")
    parser.add_argument("--labels", type=Path, metavar="DATA.csv", help="the same rows with their labels")
    add_labels(parser)
    add_form(parser)
    parser.add_argument("--out", type=Path, metavar="FILE.csv", help="write scores, probabilities and labels to it")


def run(options: argparse.Namespace) -> None:
    """Print the accuracy or the scores, or write the scores to a file."""
    out, owner = None if options.out is None else new_file(options.out), Owner.load(options.secret)
    z = owner.load_scores(options.scores)
    if z.shape[1] != 1:
        raise CapabilityError(
            f"the model has {z.shape[1]} outputs, but this command reads one; use Owner.load_scores in Python"
        )
    if options.labels is not None:
        print(f"right: {_accuracy(owner, z, CsvFile.of(options.labels, options))}")
    if out is not None:
        with open(out, "x", encoding="utf-8") as stream:
            _write(stream, owner, z)
        print(f"{len(z):,} scores are in {out}.")
    if options.labels is None and out is None:
        _write(sys.stdout, owner, z)


def _accuracy(owner: Owner, z: np.ndarray, file: CsvFile) -> str:
    recipe, path = owner.features, file.path
    if isinstance(recipe, ClassFeatures):
        return _accuracy_of_classes(recipe, z, file)
    y = file.labels()
    if len(y) != len(z):
        raise DataError(f"there are {len(z):,} scores, but {len(y):,} labels in {path}; pass the labels of the very same rows")
    found = owner.evaluate(z, y, TrainingPlan(owner.sigmoid))
    if not found.known.any():
        raise DivergenceError("all scores left the range of the scheme; ask the trainer to train with a lower learning rate")
    left = f"; out of the range of the scheme, and not counted: {found.out_of_range:,}" if found.out_of_range else ""
    return f"{found.accuracy}{left}"


def _accuracy_of_classes(recipe: ClassFeatures, z: np.ndarray, file: CsvFile) -> str:
    """Return how many rows get the right class.  A class whose score is unknown is never predicted."""
    found, y = recipe.predicted(z), file.class_labels()
    if len(y) != len(found):
        raise DataError(
            f"there are scores of {len(found):,} rows, but {len(y):,} labels in {file.path}; pass the labels of the same rows"
        )
    return str(metrics.accuracy(np.array([a == b for a, b in zip(found, y, strict=True)])))


def _write(stream: TextIO, owner: Owner, z: np.ndarray) -> None:
    """Write one line per row of data."""
    if isinstance(owner.features, ClassFeatures):
        _write_classes(stream, owner.features, z)
    else:
        _write_scores(stream, z[:, 0], np.asarray(owner.sigmoid(z))[:, 0])


def _write_classes(stream: TextIO, recipe: ClassFeatures, z: np.ndarray) -> None:
    """Write the class and the scores of each row; a model of two classes has one score, for the second class."""
    writer = csv.writer(stream)
    writer.writerow(["label", *(f"score of {c}" for c in recipe.classes[-recipe.rows :])])
    writer.writerows([c, *(f"{s:.6g}" for s in row)] for c, row in zip(recipe.predicted(z), recipe.scores(z), strict=True))


def _write_scores(stream: TextIO, z: np.ndarray, p: np.ndarray) -> None:
    """Write one line per score.  An unknown score gets no label."""
    print("score,probability,label", file=stream)
    for score, probability in zip(z.tolist(), p.tolist(), strict=True):
        label = "" if np.isnan(score) else int(probability >= 0.5)
        print(f"{score:.6g},{probability:.6g},{label}", file=stream)
