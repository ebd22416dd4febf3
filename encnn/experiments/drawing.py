"""Which pictures are drawn from which stored tables."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from encnn.errors import DataError
from encnn.experiments import table_three as ex
from encnn.report import comparison_figures, paper, training_figures
from encnn.report.style import save, use_style


def draw(folder: Path, into: Path | None = None) -> list[Path]:
    """Draw every picture whose table is in `folder`, into the same folder or another one; return the files."""
    use_style()
    drawable = {name: make for name, (table, make) in PICTURES.items() if (folder / f"{table}.csv").exists()}
    if not drawable:
        tables = ", ".join(f"{table}.csv" for table, _ in PICTURES.values())
        raise DataError(f"{folder}/ has none of {tables}; run `make reproduce`, which writes them to results/")
    return [
        save(make(pd.read_csv(folder / f"{PICTURES[name][0]}.csv")), into or folder, name) for name, make in drawable.items()
    ]


def _accuracy(curves: pd.DataFrame) -> Figure:
    return training_figures.plot_accuracy(curves, real=int(curves["review"].max()) == paper.REVIEWS)


def _spread(results: pd.DataFrame) -> Figure:
    return training_figures.plot_spread(ex.ladder(results).dropna(subset=["correct"]))


def _comparison(results: pd.DataFrame) -> Figure:
    task = "real" if "real" in set(results["task"]) else str(results["task"].iloc[0])
    return comparison_figures.accuracy_against_cpu(results, task)


PICTURES: dict[str, tuple[str, Callable[[pd.DataFrame], Figure]]] = {
    "accuracy": ("accuracy", _accuracy),
    "spread": ("table3", _spread),
    "grid": ("grid", training_figures.plot_grid),
    "comparison": ("comparison", _comparison),
}
"""For each picture its table, and what draws it.  A new picture is one line here."""
