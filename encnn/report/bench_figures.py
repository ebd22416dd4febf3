"""Figures on speed: how cost grows, what each operation costs beside the clear, where the time of an epoch goes.

Every function takes a table as the suite in benchmarks/ writes it, and returns a matplotlib `Figure`.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from encnn.report.style import COLOURS, PALETTE


def growth(table: pd.DataFrame, fits: pd.DataFrame, against: str) -> Figure:
    """How does cost grow with one thing?  Measurements on log axes, with the fitted exponent and that of the formula.

    table: columns against, series, size, cpu_ms.  fits: columns against, series, exponent, formula, base_ms, slope_ms.
    """
    figure, axes = plt.subplots(figsize=(7.5, 4.6))
    chosen = table[table["against"] == against]
    for (name, points), colour in zip(chosen.groupby("series", sort=False), PALETTE, strict=False):
        fit = fits[(fits["against"] == against) & (fits["series"] == name)].iloc[0]
        label = f"{name}: exponent {fit['exponent']:.2f} (formula: {fit['formula']:g})"
        if against == "words":
            label = f"{name}: {1e3 * fit['base_ms']:.3g} + {1e3 * fit['slope_ms']:.3g} words us"
        axes.plot(points["size"], points["cpu_ms"], "o", color=colour, label=label)
        axes.plot(points["size"], _line(points, fit, against), color=colour, linewidth=1)
    axes.set(xscale="log", yscale="log", xlabel=against, ylabel="CPU time (ms)")
    sizes = np.unique(chosen["size"])
    axes.set_xticks(sizes, [f"{size:g}" for size in sizes])
    axes.minorticks_off()
    axes.legend(fontsize="small")
    return figure


def _line(points: pd.DataFrame, fit: pd.Series, against: str) -> np.ndarray:
    """Return the fitted curve: a + b size for words, else a power through the last point."""
    size = points["size"].to_numpy(float)
    if against == "words":
        return fit["base_ms"] + fit["slope_ms"] * size
    return points["cpu_ms"].iloc[-1] * (size / size[-1]) ** fit["exponent"]


def operations(results: pd.DataFrame) -> Figure:
    """What does each operation cost beside the clear?  A dot for each operation and parameter set, log scale."""
    shown = results[results["ratio_to_clear"].notna() & (results["scheme"] != "clear")].copy()
    shown["operation"] = shown["benchmark"].str.partition(" (")[0].str.partition(":")[0]
    steps = shown["benchmark"] == "training step"
    shown.loc[steps, "operation"] = "training step, batch " + shown.loc[steps, "n"].astype(str)
    names, sets = list(dict.fromkeys(shown["operation"])), list(dict.fromkeys(shown["parameters"]))
    figure, axes = plt.subplots(figsize=(9, 0.34 * len(names) + 1.2))
    for k, name in enumerate(sets):
        of = shown[shown["parameters"] == name]
        colour, marker = PALETTE[k % len(PALETTE)], "os^"[k // len(PALETTE)]
        axes.plot(of["ratio_to_clear"], [names.index(o) for o in of["operation"]], marker, color=colour, label=name)
    axes.axvline(1.0, color=COLOURS["paper"], linewidth=1)
    axes.set(xscale="log", xlabel="CPU time, times that of the clear", yticks=range(len(names)), yticklabels=names)
    axes.invert_yaxis()
    axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def profile(table: pd.DataFrame) -> Figure:
    """Where does the time of an epoch go?  A bar a scheme, its parts in order, each with the share of the machine's peak."""
    parts = table[table["part"] != "whole step"]
    groups = list(parts.groupby(["scheme", "batch"], sort=False))
    names = list(dict.fromkeys(parts["part"]))
    figure, axes = plt.subplots(figsize=(9, 0.9 * len(groups) + 1.4))
    for row, (_, of) in enumerate(groups):
        left = 0.0
        for _, part in of.iterrows():
            colour = PALETTE[names.index(part["part"]) % len(PALETTE)]
            axes.barh(row, part["share_percent"], left=left, color=colour, edgecolor="white")
            if part["share_percent"] > 7:  # else there is no room
                peak = "" if pd.isna(part["of_peak"]) else f"\n{100 * part['of_peak']:.0f} % of peak"
                name = str(part["part"]).partition(":")[0].replace(" ", "\n")
                axes.text(left + part["share_percent"] / 2, row, name + peak, ha="center", va="center", fontsize=7)
            left += part["share_percent"]
    labels = [f"{scheme},\nbatch {batch}" for (scheme, batch), _ in groups]
    axes.set(yticks=range(len(groups)), yticklabels=labels, xlabel="share of a step's CPU time (%)")
    axes.invert_yaxis()
    axes.grid(visible=False)
    return figure
