"""What all jobs share on the console: options, the choice of the corpus, headings."""

import argparse
from pathlib import Path

import pandas as pd

from encnn.data.reviews import Corpus, load_reviews
from encnn.errors import DataError
from encnn.experiments.results import FRESH, Results

TOY = """
======================================================================
  THESE ARE NOT THE PAPER'S NUMBERS: everything below is computed on a
  small generated toy corpus, not on the real reviews
  ({reason}).
======================================================================
"""


def job_options(module: str, description: str, corpus: bool = True) -> argparse.ArgumentParser:
    """Return a parser with the options that all jobs have.  module: `__name__`.  corpus: whether the reviews can be chosen."""
    name = module.rpartition(".")[2]
    parser = argparse.ArgumentParser(prog=f"encnn {name}", description=description)
    if corpus:
        parser.add_argument("--corpus", default="imdb", choices=["imdb", "toy"], help="the reviews (default: imdb)")
    parser.add_argument("--folder", type=Path, default=FRESH, help=f"where results go (default: {FRESH})")
    return parser


def begin(options: argparse.Namespace) -> tuple[Corpus, Results]:
    """Return the chosen corpus, or the toy one, and the place for results."""
    corpus = load_or_toy(options.corpus)
    return corpus, Results(options.folder, real=corpus.is_real)


def load_or_toy(name: str) -> Corpus:
    """Return the named corpus.  If the real reviews are not available, return the toy corpus and announce it clearly."""
    reason = "the toy corpus was asked for"
    try:
        corpus = load_reviews(name)
    except DataError as error:
        corpus, reason = load_reviews("toy"), str(error)
    if not corpus.is_real:
        print(TOY.format(reason=reason))
    return corpus


def heading(text: str) -> None:
    """Print a heading."""
    print(f"\n{text}\n{'-' * len(text)}", flush=True)


def show(results: Results, name: str, title: str, table: pd.DataFrame, upright: bool = False) -> None:
    """Print a table under a heading, and write it.  upright: a column for each line, for tables of many columns."""
    heading(title)
    print(table.T.to_string(header=False) if upright else table.to_string(index=False), flush=True)
    results.store(name, table)
