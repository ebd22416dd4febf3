"""Results of a run, kept apart from those that are published.

A job writes its tables and pictures to results/, which is not under version control.  The tables that the README, the
pages, the notebooks and the tests quote are in figures/, under version control.  A job ends by saying how the two differ.
`python -m encnn.experiments publish` is the only way from results/ to figures/.
"""

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from encnn.errors import DataError

FRESH, PUBLISHED = Path("results"), Path("figures")
TOY_FOLDER = "toy"
KEYS: dict[str, tuple[str, ...]] = {
    "table3": ("row", "learning_rate", "sigmoid", "seed"),
    "accuracy": ("review",),
    "grid": ("row", "polarity_cutoff", "threshold", "seed"),
    "word2vec_choice": ("window", "subsampling", "learning_rate"),
    "assisted": ("parameters", "labels", "key"),
    "assisted_rates": ("learning rate",),
    "unassisted": ("case", "key"),
    "unassisted_choice": ("features", "parameters", "largest multiplier", "learning rate", "decay", "epochs"),
    "unassisted_curve": ("case", "key", "reviews"),
    "hidden": ("case", "key"),
    "hidden_choice": ("learning rate",),
    "hidden_curve": ("case", "key", "reviews"),
    "ckks": ("case",),
    "ckks_choices": ("case", "rate", "radius", "deviation"),
    "mirror": ("layout", "model", "parameters"),
    "tables": ("data", "owner in the loop", "key"),
    "rings": ("parameters", "data"),
    "comparison": ("task", "scheme"),
    "comparison_hidden": ("task", "scheme"),
    "label_copies": ("labels from",),
    "lattice_attack": ("q_bits", "d"),
}
"""The columns that name a line of each table."""

OF_THE_MACHINE = re.compile(
    r"cpu|wall|seconds|memory|threads|trainer / clear|_[mu]s$|_to_|times_|^rate$|share_percent|of_peak", re.IGNORECASE
)
"""Columns that say how fast the machine is: compared by their quotients."""


class Results:
    """Where a job writes: `folder`, or a folder for toy numbers in it, which are never stored beside real ones."""

    def __init__(self, folder: Path = FRESH, real: bool = True, keys: Mapping[str, Sequence[str]] = KEYS) -> None:
        self.folder, self.real, self.keys = (folder if real else folder / TOY_FOLDER), real, keys
        self._stored: list[str] = []

    def store(self, name: str, frame: pd.DataFrame) -> None:
        """Write a table as CSV.  A job may call this repeatedly while it runs."""
        store(frame, self.folder / f"{name}.csv")
        self._stored = [*dict.fromkeys([*self._stored, name])]

    def finish(self, published: Path = PUBLISHED) -> None:
        """Say where the results are, and how they differ from the published ones."""
        print(f"\nThe results are in {self.folder}/")
        if self.real:
            print(f"Beside those published in {published}/:")
            for name in self._stored:
                print(f"    {name}: {against_published(name, self.folder, published, self.keys)}")


def store(frame: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(path, index=False)


def against_published(name: str, fresh: Path, published: Path, keys: Mapping[str, Sequence[str]] = KEYS) -> str:
    """Return in a sentence how a table differs from the published one."""
    path = published / f"{name}.csv"
    if not path.exists():
        return f"nothing to compare with, since {path} is not there"
    return difference(pd.read_csv(fresh / f"{name}.csv"), pd.read_csv(path), keys[name])


def copy_tables(fresh: Path, published: Path, names: Sequence[str] = (), keys: Mapping[str, Sequence[str]] = KEYS) -> list[str]:
    """Copy tables (all that `fresh` has, by default), saying how they differ; return the tables that were copied."""
    found = [name for name in keys if (fresh / f"{name}.csv").exists() and (not names or name in names)]
    missing = sorted(set(names) - set(found))
    if missing or not found:
        raise DataError(f"{fresh}/ has no {', '.join(missing) or 'tables'}; run the job that writes it first")
    published.mkdir(parents=True, exist_ok=True)
    for name in found:
        print(f"{name}: {against_published(name, fresh, published, keys)}")
        shutil.copyfile(fresh / f"{name}.csv", published / f"{name}.csv")
    return found


def difference(fresh: pd.DataFrame, published: pd.DataFrame, keys: Sequence[str]) -> str:
    """Return in a sentence how a table differs from another one.  The columns `keys` identify a line.

    >>> one = pd.DataFrame({"seed": [0, 1], "correct": [18840, 19000], "cpu_seconds": [2.0, 4.0]})
    >>> difference(one, one.assign(correct=[18840, 19001], cpu_seconds=[1.0, 2.0]), ["seed"])
    'the same in all 2 lines within: correct 1 (in 1 line); times are 200 % of the published ones'
    >>> difference(one, one, ["seed"])
    'the same in all 2 lines; times are 100 % of the published ones'
    """
    if not set(keys) <= set(published.columns):
        return "the published table has other columns, from an earlier form of the job"
    both = fresh.merge(published, on=list(keys), suffixes=("", _PUBLISHED_SUFFIX))
    if both.empty:
        return "no line is the same case as a published one"
    columns = [c for c in fresh.columns if f"{c}{_PUBLISHED_SUFFIX}" in both]
    pairs = {c: (both[c], both[f"{c}{_PUBLISHED_SUFFIX}"]) for c in columns}
    differing = [text for c, pair in pairs.items() if not OF_THE_MACHINE.search(c) and (text := _column_text(c, *pair))]
    told = f"the same in {_lines_text(len(both), len(fresh), len(published))}"
    told += f" within: {', '.join(differing)}" if differing else ""
    quotients = [_quotients(*pair) for c, pair in pairs.items() if OF_THE_MACHINE.search(c) and "memory" not in c]
    speed = np.concatenate([*quotients, np.empty(0)])
    return told + (f"; times are {100 * np.median(speed):.0f} % of the published ones" if len(speed) else "")


_PUBLISHED_SUFFIX = " (published)"


def _lines_text(both: int, fresh: int, published: int) -> str:
    if both == fresh == published:
        return f"all {both} lines"
    return f"{both} lines ({fresh} lines here, {published} published)"


def _column_text(name: str, fresh: pd.Series, published: pd.Series) -> str:
    """Return by how much a column differs, and in how many lines; an empty text if it does not differ."""
    emptied = fresh.isna() != published.isna()
    differs = (fresh != published) & ~fresh.isna() & ~published.isna()
    parts = []
    if differs.any():
        numbers = all(pd.api.types.is_numeric_dtype(column) and column.dtype != bool for column in (fresh, published))
        size = f" {(fresh - published).abs().max():.3g}" if numbers else ""
        parts.append(f"{name}{size} (in {_count_text(differs)})")
    if emptied.any():
        parts.append(f"{name} (only one has a value in {_count_text(emptied)})")
    return ", ".join(parts)


def _count_text(lines: pd.Series) -> str:
    return f"{int(lines.sum())} line{'s' if lines.sum() > 1 else ''}"


def _quotients(fresh: pd.Series, published: pd.Series) -> np.ndarray:
    comparable = (fresh > 0) & (published > 0)
    return np.asarray(fresh[comparable] / published[comparable], dtype=np.float64)
