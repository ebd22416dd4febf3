"""Decrypt the weights of a model, as the owner.

    encnn open owner/secret.key trained.encnn --out weights.csv

The weights are then in the clear, in a file that only your user account can read.
"""

import argparse
import csv
import os
import sys
from pathlib import Path

from encnn.command.outputs import new_file
from encnn.data.recipes import ClassFeatures, Recipe, ScaledFeatures, TableFeatures, WordFeatures
from encnn.errors import CapabilityError, EncnnError, KeyMismatchError
from encnn.parties import EncryptedModel, Owner


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `encnn open`."""
    parser.add_argument("secret", type=Path, metavar="SECRET", help="your secret, written by `encnn init`")
    parser.add_argument("model", type=Path, metavar="MODEL", help="a model of your own, trained or not")
    parser.add_argument("--out", type=Path, default=Path("weights.csv"), help="the file of weights (default: %(default)s)")
    parser.add_argument("--yes", action="store_true", help="write them without asking first")


def run(options: argparse.Namespace) -> None:
    """Write the weights with the names of their features."""
    out = new_file(options.out)
    owner, model = Owner.load(options.secret), EncryptedModel.load(options.model)
    _check_own(owner, model)
    names = feature_names(model)
    if not options.yes:
        _confirm(f"The weights of {options.model} will be written to {out}, in the clear. Go on?")
    W1 = owner.decrypt_network(model).W1
    with open(out, "x", encoding="utf-8", newline="", opener=_private) as stream:
        writer = csv.writer(stream)
        writer.writerow(["feature", "weight"])
        writer.writerows((name, f"{weight:.6g}") for name, weight in zip(names, W1[:, 0].tolist(), strict=True))
    print(f"{len(names):,} weights are in {out}.")


def feature_names(model: EncryptedModel) -> list[str]:
    """Return a name for each row of W1."""
    a, recipe = model.architecture, model.features
    if a.row_width != 1 or model.network.W2 is not None:
        raise CapabilityError(f"{a} has more than one weight per feature; use Owner.decrypt_network in Python")
    if isinstance(recipe, ClassFeatures):
        names = _names_of(recipe.of)
        return names if recipe.rows == 1 else [f"{name} for {c}" for name in names for c in recipe.classes]
    return _names_of(recipe) or [str(row) for row in range(a.features)]


def _names_of(recipe: Recipe | None) -> list[str]:
    """Return the names of features; none if they are not published."""
    if isinstance(recipe, WordFeatures):
        return [*recipe.vocabulary.words, *(["(bias)"] if recipe.bias else [])]
    if isinstance(recipe, ScaledFeatures):
        return [*recipe.columns, "(bias)"]
    return list(recipe.columns) if isinstance(recipe, TableFeatures) else []


def _check_own(owner: Owner, model: EncryptedModel) -> None:
    own, found = (e.key_id for e in (owner.evaluator, model.evaluator))
    if own != found:
        raise KeyMismatchError(f"the model belongs to key {found}, but the secret to key {own}; use the model's own secret")


def _confirm(question: str) -> None:
    """Ask on the terminal; raise `EncnnError` for anything but yes."""
    try:
        answer = input(f"{question} [y/N] ") if sys.stdin.isatty() else ""
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise EncnnError("nothing was decrypted, because you did not confirm it; answer y, or pass --yes")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
