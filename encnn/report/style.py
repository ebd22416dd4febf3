"""The common look of all figures, and the one way to write them to files."""

from pathlib import Path

import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.figure import Figure

COLOURS = {"Non-PP": "#4477aa", "PP": "#cc6677", "paper": "#222222"}
"""Colours of what appears in several figures.  They are from Tol's sets for colour-blind readers."""

PALETTE = ["#4477aa", "#cc6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#777777"]


def use_style() -> None:
    """Set seaborn's theme and this project's palette for all figures that are drawn afterwards."""
    sns.set_theme(context="notebook", style="whitegrid", palette=PALETTE, font_scale=0.95)
    plt.rcParams.update({"figure.dpi": 100, "savefig.dpi": 150, "figure.constrained_layout.use": True})


def save(figure: Figure, folder: Path, name: str) -> Path:
    """Write `folder/name.png` without a date, so that equal figures are equal files; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)
    return path
