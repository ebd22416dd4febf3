"""Figures on speed: how cost grows, what each operation costs beside the clear, and where the time of an epoch goes.

Every function takes a table that the suite in benchmarks/ has written, and returns a matplotlib `Figure`.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator

from encnn.report.names import operation_name, scheme_name
from encnn.report.style import COLOURS, PALETTE

ORDER = (
    "encryption", "decryption", "addition", "product", "outer product", "elementwise product", "sum of rows",
    "update of rows", "sigmoid", "training step", "epoch",
)  # fmt: skip
"""The order of the operations from top to bottom, by the beginnings of their names.  Others follow at the end."""
MARKERS = "osD^v"
PART_COLOURS = [*PALETTE, "#ee8866", "#bbcc33", "#332288", "#44aa99"]
REST, BAND = "#dddddd", "#f2f2f2"
HALF_DARK = 0.5
"""Mean of red, green and blue below which a number on the colour is white."""
APART = 1.6
"""The least factor between two marked sizes on a log axis."""
ROOM_PERCENT = 4.0
"""The least width of a part of a bar, in percent, in which a number can be read."""
COLUMNS = 2

PER_REVIEW = "CPU time per review (ms)"
GROWTH = {
    "reviews": ("reviews trained on", "CPU time of the run (ms)"),
    "words": ("words in a review", PER_REVIEW),
    "vocabulary": ("words in the vocabulary", PER_REVIEW),
    "vocabulary from cache to memory": ("words in the vocabulary, from cache to memory", PER_REVIEW),
    "hidden units": ("hidden units", PER_REVIEW),
    "LWE dimension": ("LWE dimension d", "CPU time of both (ms)"),
    "log2 of the digit base": ("size of a digit (bits)", "CPU time of a product (ms)"),
}
"""The labels of both axes, by the name of what cost is measured against."""


def growth(table: pd.DataFrame, fits: pd.DataFrame) -> Figure:
    """How does cost grow when one thing grows?  A panel for each thing shows measurements and the fitted curve, on log axes.

    table: columns against, series, size, cpu_ms.  fits: columns against, series, exponent, formula, factor_ms, from_size,
    to_size, residual_percent, base_ms, slope_ms, off_percent.
    """
    against = list(dict.fromkeys(table["against"]))
    rows = -(-len(against) // COLUMNS)
    figure, panels = plt.subplots(rows, COLUMNS, figsize=(13, 5.4 * rows), squeeze=False)
    for axes, name in zip(panels.flat, against, strict=False):
        _growth_panel(axes, table[table["against"] == name], fits[fits["against"] == name], name)
    for axes in list(panels.flat)[len(against) :]:
        axes.remove()
    figure.suptitle("How cost grows: measurements, and curves fitted to them in the range that is drawn")
    return figure


def _growth_panel(axes: Axes, chosen: pd.DataFrame, fits: pd.DataFrame, against: str) -> None:
    for (name, points), colour in zip(chosen.groupby("series", sort=False), PALETTE, strict=False):
        fit = fits[fits["series"] == name].iloc[0]
        sizes = points["size"].to_numpy(float)
        fitted = sizes[(sizes >= fit["from_size"]) & (sizes <= fit["to_size"])]
        axes.plot(sizes, points["cpu_ms"], "o", color=colour, label=f"{name}: {_fit_text(fit, against)}")
        axes.plot(fitted, _curve(fitted, fit, against), color=colour, linewidth=1)
    xlabel, ylabel = GROWTH.get(against, (against, "CPU time (ms)"))
    axes.set(xscale="log", yscale="log", xlabel=xlabel, ylabel=ylabel)
    marked = _apart(np.unique(chosen["size"]))
    axes.set_xticks(marked, [f"{size:,g}" for size in marked])
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter("{x:,g}")
    axes.minorticks_off()
    axes.legend(fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)


def _fit_text(fit: pd.Series, against: str) -> str:
    """Return the words of the legend: what was fitted, in which range, and how far the worst point is from it."""
    if against == "words":
        line = f"{fit['base_ms']:.3g} ms + {1e3 * fit['slope_ms']:.3g} us per word"
        return f"{line},\npoints off by {fit['off_percent']:.1f} % at most"
    span = f"{fit['from_size']:,.0f} to {fit['to_size']:,.0f}"
    exponent = f"exponent {fit['exponent']:.2f} (formula {fit['formula']:g})"
    return f"{exponent},\nfitted from {span}, points off by {fit['residual_percent']:.1f} % at most"


def _apart(sizes: np.ndarray) -> list[float]:
    """Return the sizes, in order, without those that would stand too close to the one before."""
    kept: list[float] = []
    for size in sizes:
        if not kept or size >= APART * kept[-1]:
            kept.append(size)
    return kept


def _curve(sizes: np.ndarray, fit: pd.Series, against: str) -> np.ndarray:
    """Return the fitted curve: a + b size for words, and otherwise the power of the size that is nearest to all points."""
    if against == "words":
        return np.asarray(fit["base_ms"] + fit["slope_ms"] * sizes)
    return np.asarray(fit["factor_ms"] * sizes ** fit["exponent"])


def operations(results: pd.DataFrame) -> Figure:
    """What does each operation cost beside the same operation in the clear?  Each line has a mark per parameter set.

    results: the columns of benchmarks/results.csv.  Colours are schemes, and shapes are parameter sets of one scheme.
    """
    shown = _compared(results)
    names = sorted(dict.fromkeys(shown["operation"]), key=_place)
    schemes = list(dict.fromkeys(shown["scheme"]))
    sets = [(scheme, k, of) for scheme in schemes for k, of in enumerate(_sets(shown[shown["scheme"] == scheme]))]
    figure, axes = plt.subplots(figsize=(11, 0.36 * len(names) + 1.2))
    for (scheme, k, of), lower in zip(sets, np.linspace(-0.3, 0.3, len(sets)), strict=True):
        places = [names.index(operation) + lower for operation in of["operation"]]
        label = f"{scheme_name(scheme)}: {of['parameters'].iloc[0]}"
        axes.plot(of["ratio_to_clear"], places, MARKERS[k], color=PALETTE[schemes.index(scheme)], markersize=5, label=label)
    axes.axvline(1.0, color=COLOURS["paper"], linewidth=1)
    axes.set(xscale="log", xlabel="CPU time, as a multiple of that in the clear", yticks=range(len(names)), yticklabels=names)
    axes.set_title("What each operation costs, compared with the clear")
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    for row in range(0, len(names), 2):
        axes.axhspan(row - 0.5, row + 0.5, color=BAND, zorder=0)
    figure.legend(fontsize="small", loc="outside right center")
    return figure


def _compared(results: pd.DataFrame) -> pd.DataFrame:
    """Return the lines that have a ratio, with a column for the name of the operation without its settings."""
    shown = results[results["ratio_to_clear"].notna() & (results["scheme"] != "clear")].copy()
    shown["operation"] = shown["benchmark"].map(operation_name)
    steps = shown["benchmark"] == "training step"
    shown.loc[steps, "operation"] = "training step, batch " + shown.loc[steps, "n"].astype(str)
    return shown


def _place(operation: str) -> int:
    return next((k for k, start in enumerate(ORDER) if operation.startswith(start)), len(ORDER))


def _sets(of_scheme: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the lines of each parameter set."""
    return [of for _, of in of_scheme.groupby("parameters", sort=False)]


def profile(table: pd.DataFrame) -> Figure:
    """Where does the time of an epoch go?  Left a bar per scheme, cut into the shares of its parts in percent of a step's time.

    Right the speed of each part, in percent of the machine's peak, if the work that it must do is known.  Each part is timed by
    itself, so the parts of a bar may add up to a little more than the step.  table: the columns of benchmarks/profile.csv.
    """
    parts = table[table["part"] != "whole step"]
    groups = list(parts.groupby(["scheme", "batch"], sort=False))
    names = [name for name in dict.fromkeys(parts["part"]) if name != "rest"]
    colours = dict(zip(names, PART_COLOURS, strict=False)) | {"rest": REST}
    size = (12, 0.75 * len(groups) + 2.4)
    figure, (left, right) = plt.subplots(1, 2, figsize=size, width_ratios=[3, 2], sharey=True)
    for row, (_, of) in enumerate(groups):
        _shares(left, row, of, colours)
        _speeds(right, row, of, colours)
    left.axvline(100, color=COLOURS["paper"], linewidth=1, linestyle=":")
    labels = [f"{scheme},\nbatch {batch}" for (scheme, batch), _ in groups]
    left.set(
        yticks=range(len(groups)), yticklabels=labels, xlabel="share of a step's CPU time (%)", title="shares of its parts"
    )
    left.set_xlim(0, 1.02 * max(of["share_percent"].sum() for _, of in groups))
    left.invert_yaxis()
    right.set(xlim=(0, 105), xlabel="speed (% of the machine's peak)", title="speed of its parts")
    left.grid(visible=False)
    right.grid(visible=False, axis="y")
    handles = [Patch(color=colour, label=operation_name(name)) for name, colour in colours.items()]
    figure.suptitle("Where the time of a training step goes")
    figure.legend(handles=handles, fontsize="small", loc="outside lower center", ncols=3)
    return figure


def _shares(axes: Axes, row: int, of: pd.DataFrame, colours: dict[str, str]) -> None:
    """Draw the parts of a step one after the other, and write their shares into them."""
    start, dark = 0.0, [part for part, colour in colours.items() if np.mean(to_rgb(colour)) < HALF_DARK]
    for part in of.to_dict("records"):
        share = part["share_percent"]
        axes.barh(row, share, left=start, color=colours[part["part"]], edgecolor="white")
        if share > ROOM_PERCENT:
            ink = "white" if part["part"] in dark else "black"
            axes.text(start + share / 2, row, f"{share:.0f}", ha="center", va="center", fontsize=9, color=ink)
        start += share


def _speeds(axes: Axes, row: int, of: pd.DataFrame, colours: dict[str, str]) -> None:
    """Draw a thin bar for each part whose share of the peak is known."""
    known = of[of["of_peak"].notna()].to_dict("records")
    height = 0.8 / max(len(known), 1)
    for k, part in enumerate(known):
        place = row - 0.4 + (k + 0.5) * height
        axes.barh(place, 100 * part["of_peak"], height=0.9 * height, color=colours[part["part"]])
