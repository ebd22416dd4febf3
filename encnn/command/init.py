"""Make keys and an encrypted start, as the owner.

    encnn init reviews.csv --out owner

The words that the network sees are taken from the data. With --columns it sees columns of numbers instead.
Real numbers are standardised and rounded to a few bits, and the model publishes the mean and the spread of
each column. If there are more than two labels, name all of them with --classes. Two files are written:

    owner/secret.key     never leaves you; whoever has it can read the weights
    owner/model.encnn    for the trainer: an encrypted model, its keys and its words

The words are published with the model. By default those words are kept that are more frequent in one of the
classes, which reveals something about the labels of this file. With --polarity-cutoff 0 words are kept by
frequency alone, and the file needs no labels.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from encnn.arithmetic.sigmoid import ExactSigmoid
from encnn.command.inputs import CsvFile, add_data, classes_in, names_in
from encnn.command.outputs import new_file, told_size
from encnn.data.datasets import POLARITY_CUTOFF
from encnn.data.recipes import ClassFeatures, Recipe, ScaledFeatures, TableFeatures, WordFeatures
from encnn.data.reviews import Vocabulary
from encnn.data.whole_numbers import COUNTS, scaling_of
from encnn.errors import DataError, ParameterError
from encnn.network import Architecture, Network
from encnn.parties import Owner
from encnn.schemes.bootstrapped import LOGISTIC_PRESETS, ONE_LEVEL_128, TWO_LEVEL_128, BootstrappedParameters
from encnn.schemes.bootstrapped.noise import training_noise
from encnn.schemes.integer_vector import ADDITIVE_128, COMPACT_128

SECRET, MODEL = "secret.key", "model.encnn"
PARAMETERS = LOGISTIC_PRESETS | {p.name: p for p in (COMPACT_128, ADDITIVE_128)}
"""Parameter sets by their names.  `LOGISTIC_PRESETS` train alone, and the other two with `encnn assist`."""
MAX_WORDS = 10_000
BITS = 4
USUAL_RATE = 0.01
"""The learning rate for which we say how much training the noise allows.  The answer hardly depends on the rate."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `encnn init`."""
    add_data(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the folder for both files")
    parser.add_argument("--columns", metavar="A,B,...", help="take these columns of numbers instead of texts")
    parser.add_argument(
        "--bits", type=int, metavar="N", help=f"round real numbers to N bits (default: {BITS}); small whole numbers are kept"
    )
    parser.add_argument("--classes", metavar="A,B,...", help="the labels, if there are more than two; each gets weights")
    parser.add_argument(
        "--min-count",
        type=int,
        metavar="N",
        help="keep words that occur more than N times (default: a thousandth of the number of texts, at least 2)",
    )
    parser.add_argument(
        "--polarity-cutoff",
        type=float,
        default=POLARITY_CUTOFF,
        metavar="R",
        help=f"drop frequent words whose log ratio between the classes is below R (default: {POLARITY_CUTOFF})",
    )
    parser.add_argument(
        "--max-words", type=int, default=MAX_WORDS, metavar="N", help=f"keep at most N words (default: {MAX_WORDS:,})"
    )
    parser.add_argument(
        "--any-letters", action="store_true", help="take words as they stand between blanks (default: letters from a to z only)"
    )
    parser.add_argument(
        "--parameters",
        choices=list(PARAMETERS),
        help=f"parameter set (default: {ONE_LEVEL_128.name}, or for rounded numbers {TWO_LEVEL_128.name}, which has less noise "
        "and takes twice the time); with compact-128 and additive-128 training needs `encnn assist`",
    )


def run(options: argparse.Namespace) -> None:
    """Write the secret and the encrypted start, and say what they are."""
    secret, model = (new_file(options.out / name) for name in (SECRET, MODEL))
    recipe = _recipe(options)
    p = PARAMETERS[options.parameters] if options.parameters else _usual(recipe)
    X = CsvFile.of(options.data, options).unlabelled(recipe)
    architecture = Architecture(X.shape[1], hidden=0, pooling="sum")
    owner = Owner(architecture, ExactSigmoid(), p, features=recipe, insecure=True)  # `run` warns of such sets
    start = Network.zeros(architecture)
    owner.save_secret(secret)
    owner.save_model(owner.encrypt(start), model)
    if p.insecure:
        print(f"WARNING: {p.name} protects nothing: it is for lessons and tests only.", file=sys.stderr)
    print(f"{architecture.features:,} weights, encrypted under {p.name}: {p.security.summary}.")
    if isinstance(p, BootstrappedParameters):
        room = training_noise(p, X, USUAL_RATE).epochs_allowed * X.shape[0]
        print(f"The noise leaves room to train on about {float(f'{room:.2g}'):,.0f} rows like these, all epochs together.")
    print(f"Keep:  {told_size(secret)}, which never leaves you.")
    print(f"Send:  {told_size(model)}, to the trainer.")


def _usual(recipe: Recipe) -> BootstrappedParameters:
    """Return the default parameters for training alone on such features.  Rounded numbers need less noise than words."""
    of = recipe.of if isinstance(recipe, ClassFeatures) else recipe
    return TWO_LEVEL_128 if isinstance(of, ScaledFeatures) else ONE_LEVEL_128


def _recipe(options: argparse.Namespace) -> Recipe:
    """Return the recipe of features that the options and the data ask for."""
    file = CsvFile.of(options.data, options)
    if options.bits is not None and options.columns is None:
        raise ParameterError("--bits is for numbers; name their columns by --columns, or leave --bits out")
    of = _words(options, file) if options.columns is None else _columns(options, file)
    if options.classes is None or isinstance(of, TableFeatures):
        return of
    classes = ClassFeatures(of, classes_in(options.classes))
    if options.label in file.table.columns:
        file.labels_for(classes)  # a label that is not among the classes is refused now, and not at the trainer
    return classes


def _columns(options: argparse.Namespace, file: CsvFile) -> TableFeatures | ScaledFeatures:
    """Return the columns of the options.  If numbers are not whole and small, those of the file decide how they are scaled."""
    columns = tuple(names_in(options.columns))
    numbers = file.numbers(columns)
    small = numbers.size and (numbers == np.rint(numbers)).all() and np.abs(numbers).max() <= COUNTS
    if options.bits is None and options.classes is None and small:
        return TableFeatures(columns)
    return ScaledFeatures(columns, scaling_of(numbers, BITS if options.bits is None else options.bits))


def _words(options: argparse.Namespace, file: CsvFile) -> WordFeatures:
    """Return the words of the file that the options ask for.  With several classes they are chosen by frequency alone."""
    if options.max_words < 1:
        raise ParameterError(f"--max-words is {options.max_words}; expected at least 1")
    cutoff = None if options.classes else options.polarity_cutoff or None
    raw = not options.any_letters
    reviews = file.texts(raw) if cutoff is None else file.reviews(raw)
    if cutoff is not None and (reviews.labels == reviews.labels[0]).all():
        raise DataError(
            f"{file.path}: all labels are {reviews.labels[0]}, so no word leans to one class; pass --polarity-cutoff 0, which "
            "needs no labels, or take rows of both classes"
        )
    least = max(2, len(reviews) // 1000) if options.min_count is None else options.min_count
    return WordFeatures(Vocabulary.select(reviews, least, cutoff, options.max_words), bias=options.classes is not None, raw=raw)
