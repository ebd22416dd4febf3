"""Figures on training: accuracy over the epoch, the spread over seeds, and the grid of networks that the paper may have run."""

from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure

from encnn.data.metrics import running_percent
from encnn.report import paper
from encnn.report.style import COLOURS, use_style

STEP = 50
MEANING = {"Non-PP": "in the clear (Non-PP)", "PP": "encrypted (PP)"}


def accuracy_curves(evaluations: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return the running accuracy after every `STEP` reviews; `evaluations` maps a row to which reviews were right."""
    columns = {name: running_percent(right)[STEP - 1 :: STEP] for name, right in evaluations.items()}
    frame = pd.DataFrame(columns)
    frame.insert(0, "review", STEP * np.arange(1, len(frame) + 1))
    return frame


def plot_accuracy(curves: pd.DataFrame, real: bool) -> Figure:
    """What does encryption change in the accuracy?  Above the running accuracy of Non-PP and PP, below their difference.

    curves: what `accuracy_curves` returns.  real: whether the reviews are the paper's, so that its accuracies are marked.
    """
    use_style()
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(8, 5.5), sharex=True, height_ratios=[3, 1])
    for row, style in (("Non-PP", "-"), ("PP", "--")):
        top.plot(curves["review"], curves[row], style, color=COLOURS[row], label=MEANING[row], linewidth=2)
    if real:
        mark_paper(top.axhline)
    top.set(ylabel="reviews right so far (%)", title="Accuracy while training, without and with encryption")
    top.legend(loc="lower right", frameon=True)
    bottom.plot(curves["review"], curves["PP"] - curves["Non-PP"], color=COLOURS["paper"])
    bottom.set(xlabel="reviews trained on", ylabel="PP less Non-PP\n(points)")
    return figure


def plot_spread(results: pd.DataFrame) -> Figure:
    """How much do the results vary with the start?  A line per row of the table, with a dot per start.

    results: columns row, accuracy_percent, reviews.  The paper's two accuracies are marked if the reviews are the paper's.
    """
    use_style()
    order = list(dict.fromkeys(results["row"]))
    figure, axes = plt.subplots(figsize=(9, 0.55 * len(order) + 1.6))
    for place, row in enumerate(order):
        percent = results.loc[results["row"] == row, "accuracy_percent"].to_numpy(dtype=float)
        apart = 0.5 * ((0.618 * np.arange(len(percent))) % 1.0 - 0.5)  # like jitter, but the same in every drawing
        axes.scatter(percent, place + apart, s=16, color=COLOURS.get(row, "#777777"), alpha=0.8)
        axes.scatter(np.median(percent), place, marker="|", s=420, color=COLOURS["paper"], zorder=3)
    axes.set_yticks(range(len(order)), order)
    axes.invert_yaxis()
    if int(results["reviews"].iloc[0]) == paper.REVIEWS:
        mark_paper(axes.axvline)
        figure.legend(loc="outside lower center", ncols=2)
    axes.set(
        xlabel="reviews right while training (%)",
        title="What each choice moves: a dot per start, a bar at the median",
    )
    return figure


def plot_grid(grid: pd.DataFrame) -> Figure:
    """Which network may the paper have run?  A panel per network: the mean right count by polarity cutoff and threshold.

    grid: columns row, polarity_cutoff, threshold, correct.  The colour bar marks the paper's counts.
    """
    use_style()
    networks = list(dict.fromkeys(grid["row"]))
    figure, panels = plt.subplots(1, len(networks), figsize=(4.1 * len(networks), 3.6), sharey=True, squeeze=False)
    means = grid.pivot_table(index="polarity_cutoff", columns=["row", "threshold"], values="correct")
    low, high = float(np.nanmin(means)), float(np.nanmax(means))  # one scale for all panels
    for axes, network in zip(panels[0], networks, strict=True):
        sns.heatmap(means[network], annot=True, fmt=",.0f", cmap="crest", cbar=False, ax=axes, vmin=low, vmax=high)
        axes.set(title=network, xlabel="threshold", ylabel="polarity cutoff" if axes is panels[0][0] else "")
    bar = figure.colorbar(panels[0][0].collections[0], ax=panels, label="reviews right, mean over starts")
    _mark_counts(bar, low, high)
    bar.ax.yaxis.labelpad = 12  # the names of the paper's counts are wider than numbers
    figure.suptitle(f"What the paper may have run: reviews right of {paper.REVIEWS:,}")
    return figure


def mark_paper(draw: Callable[..., object]) -> None:
    """Draw the paper's two accuracies as dotted lines with labels; `draw` is `axhline` or `axvline` of some axes."""
    for row, count in paper.CORRECT.items():
        percent = 100 * count / paper.REVIEWS
        draw(percent, color=COLOURS[row], linestyle=":", linewidth=1.5, label=f"the paper, {row}: {count:,} right")


def _mark_counts(bar: Colorbar, low: float, high: float) -> None:
    """Mark the paper's counts on a colour bar, and leave out the ticks that would touch them."""
    marks = {count: f"{count:,}: the paper, {row}" for row, count in paper.CORRECT.items() if low <= count <= high}
    room = (high - low) / 12
    others = [tick for tick in bar.get_ticks() if low <= tick <= high and all(abs(tick - mark) > room for mark in marks)]
    bar.set_ticks([*others, *marks], labels=[*(f"{tick:,.0f}" for tick in others), *marks.values()])
    for count in marks:
        bar.ax.axhline(count, color=COLOURS["paper"], linewidth=2)
