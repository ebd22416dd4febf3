"""Make keys and an encrypted start, as the owner.

    encnn init reviews.csv --out owner

The data says which words the network sees (or, with --columns, which columns). Two files are written:

    owner/secret.key     never leaves you; whoever has it reads the weights
    owner/model.encnn    for the trainer: an encrypted model, its keys and its words

The words are published with the model. By default those words are kept that lean to one class, which
reveals something about the labels of this file. With --polarity-cutoff 0 words are kept by frequency
alone, and the file needs no labels.
"""

import argparse
import sys
from pathlib import Path

from encnn.arithmetic.sigmoid import ExactSigmoid
from encnn.command.inputs import CsvFile, add_data
from encnn.command.outputs import new_file, told_size
from encnn.data.datasets import POLARITY_CUTOFF
from encnn.data.recipes import Recipe, TableFeatures, WordFeatures
from encnn.data.reviews import Vocabulary
from encnn.errors import ParameterError
from encnn.network import Architecture, Network
from encnn.parties import Owner
from encnn.schemes.bootstrapped import LOGISTIC_PRESETS, ONE_LEVEL_128, BootstrappedParameters
from encnn.schemes.bootstrapped.noise import training_noise
from encnn.schemes.integer_vector import ADDITIVE_128, COMPACT_128

SECRET, MODEL = "secret.key", "model.encnn"
PARAMETERS = LOGISTIC_PRESETS | {p.name: p for p in (COMPACT_128, ADDITIVE_128)}
"""Parameter sets by their names.  `LOGISTIC_PRESETS` train alone, and the other two with `encnn assist`."""
MAX_WORDS = 10_000
USUAL_RATE = 0.01
"""The learning rate with which we tell how much training the noise allows; the answer hardly depends on the rate."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `encnn init`."""
    add_data(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the folder for both files")
    parser.add_argument("--columns", metavar="A,B,...", help="take these columns of whole numbers instead of texts")
    parser.add_argument(
        "--min-count", type=int, metavar="N", help="keep words that occur more often (default: a thousandth of the texts, or 2)"
    )
    parser.add_argument(
        "--polarity-cutoff",
        type=float,
        default=POLARITY_CUTOFF,
        metavar="R",
        help=f"drop frequent words whose log ratio between the classes is below R (default: {POLARITY_CUTOFF})",
    )
    parser.add_argument("--max-words", type=int, default=MAX_WORDS, metavar="N", help=f"keep no more (default: {MAX_WORDS:,})")
    parser.add_argument(
        "--parameters",
        choices=list(PARAMETERS),
        default=ONE_LEVEL_128.name,
        help="parameter set (default: %(default)s); two-level-128 has less noise and takes twice the time; "
        "compact-128 and additive-128 need `encnn assist`",
    )


def run(options: argparse.Namespace) -> None:
    """Write the secret and the encrypted start, and say what they are."""
    secret, model = (new_file(options.out / name) for name in (SECRET, MODEL))
    p, recipe = PARAMETERS[options.parameters], _recipe(options)
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


def _recipe(options: argparse.Namespace) -> Recipe:
    """Return the recipe of features that the options and the data ask for."""
    if options.columns is not None:
        return TableFeatures(tuple(options.columns.split(",")))
    if options.max_words < 1:
        raise ParameterError(f"--max-words is {options.max_words}; expected at least 1")
    file, cutoff = CsvFile.of(options.data, options), options.polarity_cutoff or None
    reviews = file.texts() if cutoff is None else file.reviews()
    least = max(2, len(reviews) // 1000) if options.min_count is None else options.min_count
    return WordFeatures(Vocabulary.select(reviews, least, cutoff, options.max_words))
