"""Compute encrypted scores, as a user of a model.

    encnn predict trained.encnn texts.csv --out scores.encnn

The data needs no labels. Only the owner of the model can read the scores, so send them to the owner.
"""

import argparse
from pathlib import Path

from encnn.command.inputs import CsvFile, add_data, recipe_of
from encnn.command.outputs import add_threads, new_file, told_size, use_threads
from encnn.parties import EncryptedModel, User


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `encnn predict`."""
    parser.add_argument("model", type=Path, metavar="MODEL", help="an encrypted model")
    add_data(parser, labels=False)
    parser.add_argument("--out", type=Path, required=True, metavar="SCORES", help="the file of encrypted scores")
    add_threads(parser)


def run(options: argparse.Namespace) -> None:
    """Write the encrypted scores of all rows, in their order."""
    out, user = new_file(options.out), User(EncryptedModel.load(options.model))
    use_threads(user.model.evaluator, options.threads)
    X = CsvFile.of(options.data, options).unlabelled(recipe_of(user.model))
    user.save_scores(user.predict(X), out)
    print(f"{X.shape[0]:,} encrypted scores. Send {told_size(out)} to the owner.")
