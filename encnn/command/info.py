"""Tell what a file is: its kind, scheme and size, how many bits protect it, and whether it holds a secret."""

import argparse
from pathlib import Path

import numpy as np

from encnn import files
from encnn.command.outputs import told_size
from encnn.data.fingerprints import width_of
from encnn.data.recipes import Recipe, UnpublishedFeatures
from encnn.files import Contents
from encnn.parties import EncryptedModel, Owner
from encnn.parties.model import MODEL, SECRET

KINDS = {
    MODEL: "an encrypted model with its evaluation keys, for trainers and users",
    SECRET: "the secret of an owner",
    "encrypted-scores": "encrypted scores, for the owner",
    "encrypted-labels": "encrypted labels, for a trainer",
    "training-run": "the mark of a folder in which a training run is kept",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `encnn info`."""
    parser.add_argument("file", type=Path, metavar="FILE", help="any file that encnn wrote")


def run(options: argparse.Namespace) -> None:
    """Print what the file is.  Models and secrets are read in full, which checks them for damage."""
    contents = files.inspect(options.file)
    print(f"{told_size(options.file)} is {KINDS.get(contents.kind, 'a message between owner and trainer')}.")
    for name, value in described(options.file, contents).items():
        print(f"  {name + ':':12} {value}")
    secret = contents.kind == SECRET
    print("It HOLDS A SECRET: never send it to anybody." if secret else "It holds no secret.")


def described(path: Path, contents: Contents) -> dict[str, str]:
    """Return what can be said about a file, by name."""
    found = {"kind": contents.kind, "written by": f"encnn {contents.package}"}
    if "scheme" in contents.header:
        found["scheme"] = str(contents.header["scheme"])
    if "key_id" in contents.header:
        found["key"] = str(contents.header["key_id"])
    if contents.kind in (MODEL, SECRET):
        found |= _with_keys(path, contents.kind)
    found["MAC"] = "yes, so its owner can tell whether it was altered" if contents.has_mac else "no"
    arrays = [f"{a.name} {np.dtype(a.dtype).name} {'x'.join(map(str, a.shape))}" for a in contents.arrays]
    return found | ({"arrays": "; ".join(arrays)} if arrays else {})


def _with_keys(path: Path, kind: str) -> dict[str, str]:
    """Return what a model or secret says beyond its contents."""
    holder = EncryptedModel.load(path) if kind == MODEL else Owner.load(path)
    evaluator = holder.evaluator
    p = evaluator.parameters
    return {
        "key": evaluator.key_id,
        "parameters": p.name,
        "security": _security(p),
        "network": str(holder.architecture),
        "features": _features(holder.features),
    }


def _security(p: object) -> str:
    """Return the bits of a parameter set, and the attack that decides them."""
    attack = getattr(p, "cheapest_attack", None)
    text = str(attack) if attack is not None else p.security.summary  # type: ignore[attr-defined]
    marked = p.insecure and "INSECURE" not in text  # type: ignore[attr-defined]
    return f"INSECURE: {text}" if marked else text


def _features(recipe: Recipe | None) -> str:
    if recipe is None:
        return "unknown, because the owner named no recipe"
    what = f"{width_of(recipe.fingerprint):,}, {recipe.fingerprint}"
    return what + (" (the names stay with the owner)" if isinstance(recipe, UnpublishedFeatures) else "")
