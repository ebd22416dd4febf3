"""Figures on the reviews: which way words lean, how many are kept, how long reviews are, and what word vectors know.

Every function takes numbers and returns a matplotlib `Figure`.  Ratios are the `log_ratio` of `positive_to_negative_ratios`.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from encnn.report.labels import name_points
from encnn.report.style import COLOURS, PALETTE

POSITIVE, NEGATIVE, MARK = PALETTE[0], PALETTE[1], COLOURS["paper"]
DOT_POINTS = 7.0


def ratio_distribution(ratios: Mapping[str, np.ndarray], cutoff: float) -> Figure:
    """How many words lean, and how far?  One histogram per corpus; the range that a polarity cutoff drops is shaded."""
    figure, axes = plt.subplots(1, len(ratios), figsize=(5.4 * len(ratios), 3.6), squeeze=False)
    for axis, (name, values) in zip(axes[0], ratios.items(), strict=True):
        _, edges, bars = axis.hist(values, bins=61, color=POSITIVE)
        for left, bar in zip(edges, bars, strict=False):
            bar.set_facecolor(POSITIVE if left > 0 else NEGATIVE)
        axis.axvspan(-cutoff, cutoff, color=MARK, alpha=0.15, lw=0, label=f"|log ratio| < {cutoff:g}")
        axis.set(xlabel="log ratio (negative words left, positive right)", ylabel="words", title=name)
        axis.legend()
    figure.suptitle("How many words lean, and how far?")
    return figure


def leaning_words(positive: pd.DataFrame, negative: pd.DataFrame, title: str) -> Figure:
    """Which words lean most?  Bars of `log_ratio` for the tables of `most_positive` and `most_negative`."""
    table = pd.concat([positive, negative[::-1]])
    figure, axis = plt.subplots(figsize=(7.5, 0.24 * len(table) + 1.2))
    colours = [POSITIVE if ratio > 0 else NEGATIVE for ratio in table.log_ratio]
    bars = axis.barh(table.word, table.log_ratio, color=colours)
    axis.bar_label(bars, labels=[f"{p} : {n}" for p, n in zip(table.positive, table.negative, strict=True)], padding=3, size=8)
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    axis.margins(x=0.18, y=0.02)
    axis.set(xlabel="log ratio (labels: seen in positive : in negative reviews)", title=title)
    return figure


def vocabulary_sizes(sizes: pd.DataFrame, title: str) -> Figure:
    """How many words do the two selections keep?  Words kept against `min_count`, one line per polarity cutoff, log scales.

    sizes: the number of words kept, with `min_count` as the index and one column per polarity cutoff.
    """
    figure, axis = plt.subplots(figsize=(7, 3.8))
    for name, colour in zip(sizes, sns.color_palette("flare", sizes.shape[1]), strict=True):
        axis.plot(sizes.index, sizes[name], "o-", color=colour, label=f"{name}")
    axis.set(yscale="log", xlabel="min_count: words seen more often are kept", ylabel="words kept", title=title)
    axis.set_xscale("symlog", linthresh=10, linscale=0.4)
    axis.set_xlim(-1, 1.15 * sizes.index.max())
    axis.set_xticks(sizes.index, [f"{count}" for count in sizes.index])
    axis.legend(title="polarity cutoff")
    return figure


def review_lengths(lengths: Mapping[str, np.ndarray], different: Mapping[str, np.ndarray]) -> Figure:
    """How long are reviews?  One panel per corpus: histograms of all words and of the different known words, with medians.

    The longest hundredth of the reviews lies outside the picture.
    """
    figure, axes = plt.subplots(1, len(lengths), figsize=(5.4 * len(lengths), 3.6), squeeze=False)
    for axis, name in zip(axes[0], lengths, strict=True):
        longest = np.percentile(lengths[name], 99)
        step = -(-longest // 60)
        edges = list(np.arange(0, longest + step, step) - 0.5)  # bins of equally many whole numbers
        kinds = {"words": lengths[name], "different known words": different[name]}
        for (kind, values), colour in zip(kinds.items(), PALETTE, strict=False):
            median = float(np.median(values))
            axis.hist(values, bins=edges, color=colour, alpha=0.5, label=f"{kind}, median {median:g}")
            axis.axvline(median, color=colour, ls="--")
        axis.margins(y=0.35)
        axis.set(xlabel="words in a review", ylabel="reviews", title=name)
        axis.legend(loc="upper right", framealpha=1)
    figure.suptitle("How long are reviews?")
    return figure


def word_map(
    points: np.ndarray, words: Sequence[str], lean: np.ndarray, lean_label: str, title: str, named: int = 36
) -> Figure:
    """What do word vectors know?  A dot per word at `points`, shape (words, 2), coloured by `lean`, shape (words,).

    named: how many words are written beside their dots, half of them from each end of `lean`.
    """
    figure, axis = plt.subplots(figsize=(8.5, 5.4))
    limit = float(np.abs(lean).max())
    x, y = points.T
    dots = axis.scatter(
        x, y, s=DOT_POINTS**2, c=lean, cmap="coolwarm_r", vmin=-limit, vmax=limit, edgecolor=MARK, linewidth=0.5
    )
    order = np.argsort(lean, kind="stable")
    axis.set(xlabel="first principal component", ylabel="second principal component", title=title)
    axis.margins(0.08)
    figure.colorbar(dots, label=lean_label)
    figure.draw_without_rendering()  # places the axes
    figure.set_layout_engine("none")
    ends = [*order[: named // 2], *order[len(order) - named // 2 :]]
    others = [i for i in range(len(words)) if i not in set(ends)]
    name_points(axis, points[ends], [words[i] for i in ends], [DOT_POINTS] * len(ends), 8, avoid=points[others])
    return figure
