"""`python -m encnn.experiments NAME`: run the job of that name; without a name, list the jobs."""

import sys
from collections.abc import Sequence
from importlib import import_module

JOBS = {
    "reproduce": "the paper's tables: train in the clear and encrypted",
    "word2vec": "choose the settings of word2vec on training reviews held out",
    "assisted": "train at 128 bits, the owner assisting",
    "unassisted": "train at 128 bits by bootstrapping, nobody assisting",
    "hidden": "train the paper's hidden layer at 128 bits by bootstrapping, nobody assisting",
    "ckks": "train under CKKS at 128 bits on word2vec features; encrypted reviews under a clear model",
    "tables": "train a classifier on tables and texts at 128 bits, beside scikit-learn's",
    "rings": "train under FV and YASHE at 128 bits",
    "comparison": "train one small network under every scheme",
    "labels": "copy the owner's network without the owner's labels",
    "lattice": "recover keys by lattice reduction, over the dimension",
    "figures": "draw the pictures of figures/ again from the tables there",
    "publish": "take the tables of results/ into figures/, and draw the pictures again",
}
"""What each job does; its module has the same name, and a function `main`.  A new job is one module and one line here."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job that the first argument names, with the others; return the exit status."""
    name, *others = (sys.argv[1:] if arguments is None else arguments) or [""]
    if name not in JOBS:
        print("usage: python -m encnn.experiments JOB [options]\n")
        print("\n".join(f"    {job:12}{what}" for job, what in JOBS.items()))
        print("\nThe options of a job: python -m encnn.experiments JOB --help")
        return 0 if name in ("", "-h", "--help") else 2
    return int(import_module(f"encnn.experiments.{name}").main(others))


if __name__ == "__main__":
    sys.exit(main())
