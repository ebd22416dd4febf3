"""Figures on speed: how cost grows, what each operation costs beside the clear, where the time of an epoch goes.

Every function takes a table as the suite in benchmarks/ writes it, and returns a matplotlib `Figure`.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator

from encnn.report.style import COLOURS, PALETTE

ORDER = ("encryption", "decryption", "addition", "product", "gather", "scatter", "sigmoid", "training step", "epoch")
"""Operations from top to bottom, by how their names begin; others follow."""
MARKERS = "osD^v"
PART_COLOURS = [*PALETTE, "#ee8866", "#bbcc33"]
REST, BAND = "#dddddd", "#f2f2f2"
APART = 1.2
"""Factor between marked sizes on a log axis, at least."""
ROOM_PERCENT = 4.0
"""Width of a part of a bar in which a number can be read."""


def growth(table: pd.DataFrame, fits: pd.DataFrame, against: str) -> Figure:
    """How does cost grow with one thing?  Measurements on log axes, with the fitted exponent and that of the formula.

    table: columns against, series, size, cpu_ms.  fits: columns against, series, exponent, formula, base_ms, slope_ms.
    """
    figure, axes = plt.subplots(figsize=(9, 5))
    chosen = table[table["against"] == against]
    for (name, points), colour in zip(chosen.groupby("series", sort=False), PALETTE, strict=False):
        fit = fits[(fits["against"] == against) & (fits["series"] == name)].iloc[0]
        label = f"{name}: exponent {fit['exponent']:.2f} (formula: {fit['formula']:g})"
        if against == "words":
            label = f"{name}: {fit['base_ms']:.3g} ms + {1e3 * fit['slope_ms']:.3g} us a word"
        axes.plot(points["size"], points["cpu_ms"], "o", color=colour, label=label)
        axes.plot(points["size"], _line(points, fit, against), color=colour, linewidth=1)
    axes.set(xscale="log", yscale="log", xlabel=against, ylabel="CPU time (ms)")
    sizes = _apart(np.unique(chosen["size"]))
    axes.set_xticks(sizes, [f"{size:,g}" for size in sizes])
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter("{x:,g}")
    axes.minorticks_off()
    figure.legend(fontsize="small", loc="outside upper center", ncols=2)
    return figure


def _apart(sizes: np.ndarray) -> list[float]:
    """Return sizes, in order, without those that stand too close to the one before."""
    kept: list[float] = []
    for size in sizes:
        if not kept or size >= APART * kept[-1]:
            kept.append(size)
    return kept


def _line(points: pd.DataFrame, fit: pd.Series, against: str) -> np.ndarray:
    """Return the fitted curve: a + b size for words, else a power through the last point."""
    size = points["size"].to_numpy(float)
    if against == "words":
        return fit["base_ms"] + fit["slope_ms"] * size
    return points["cpu_ms"].iloc[-1] * (size / size[-1]) ** fit["exponent"]


def operations(results: pd.DataFrame) -> Figure:
    """What does each operation cost beside the clear?  A mark an operation and parameter set; colours are schemes."""
    shown = _compared(results)
    names = sorted(dict.fromkeys(shown["operation"]), key=_place)
    schemes = list(dict.fromkeys(shown["scheme"]))
    sets = [(scheme, k, of) for scheme in schemes for k, of in enumerate(_sets(shown[shown["scheme"] == scheme]))]
    figure, axes = plt.subplots(figsize=(9, 0.36 * len(names) + 0.8))
    for (scheme, k, of), lower in zip(sets, np.linspace(-0.3, 0.3, len(sets)), strict=True):
        places = [names.index(operation) + lower for operation in of["operation"]]
        label = f"{scheme}: {of['parameters'].iloc[0]}"
        axes.plot(of["ratio_to_clear"], places, MARKERS[k], color=PALETTE[schemes.index(scheme)], markersize=5, label=label)
    axes.axvline(1.0, color=COLOURS["paper"], linewidth=1)
    axes.set(xscale="log", xlabel="CPU time, times that of the clear", yticks=range(len(names)), yticklabels=names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    for row in range(0, len(names), 2):
        axes.axhspan(row - 0.5, row + 0.5, color=BAND, zorder=0)
    figure.legend(fontsize="small", loc="outside right center")
    return figure


def _compared(results: pd.DataFrame) -> pd.DataFrame:
    """Return the lines with a ratio, and the name of each operation without its settings."""
    shown = results[results["ratio_to_clear"].notna() & (results["scheme"] != "clear")].copy()
    shown["operation"] = shown["benchmark"].str.partition(" (")[0].str.partition(":")[0]
    steps = shown["benchmark"] == "training step"
    shown.loc[steps, "operation"] = "training step, batch " + shown.loc[steps, "n"].astype(str)
    return shown


def _place(operation: str) -> int:
    return next((k for k, start in enumerate(ORDER) if operation.startswith(start)), len(ORDER))


def _sets(of_scheme: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the lines of each parameter set."""
    return [of for _, of in of_scheme.groupby("parameters", sort=False)]


def profile(table: pd.DataFrame) -> Figure:
    """Where does the time of an epoch go?  A bar a scheme, its parts in order, each with the share of the machine's peak.

    Parts are timed by themselves, so those of a bar may add up to a little more than the step.
    """
    parts = table[table["part"] != "whole step"]
    groups = list(parts.groupby(["scheme", "batch"], sort=False))
    names = [name for name in dict.fromkeys(parts["part"]) if name != "rest"]
    colours = dict(zip(names, PART_COLOURS, strict=False)) | {"rest": REST}
    figure, axes = plt.subplots(figsize=(9, 0.75 * len(groups) + 2.2))
    for row, (_, of) in enumerate(groups):
        _bar(axes, row, of, colours)
    axes.axvline(100, color=COLOURS["paper"], linewidth=1, linestyle=":")
    labels = [f"{scheme},\nbatch {batch}" for (scheme, batch), _ in groups]
    axes.set(yticks=range(len(groups)), yticklabels=labels)
    axes.set_xlabel("share of a step's CPU time (%), each part timed by itself\nnumbers: % of the machine's peak")
    axes.set_xlim(0, 1.02 * max(of["share_percent"].sum() for _, of in groups))
    axes.invert_yaxis()
    axes.grid(visible=False)
    handles = [Patch(color=colour, label=name.partition(":")[0]) for name, colour in colours.items()]
    figure.legend(handles=handles, fontsize="small", loc="outside upper center", ncols=3)
    return figure


def _bar(axes: Axes, row: int, of: pd.DataFrame, colours: dict[str, str]) -> None:
    """Draw the parts of a step one after the other."""
    left = 0.0
    for part in of.to_dict("records"):
        share, peak = part["share_percent"], part["of_peak"]
        axes.barh(row, share, left=left, color=colours[part["part"]], edgecolor="white")
        if share > ROOM_PERCENT and not pd.isna(peak):
            axes.text(left + share / 2, row, f"{100 * peak:.0f}", ha="center", va="center", fontsize=9)
        left += share
