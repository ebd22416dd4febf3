"""The paper's Table III beside ours, as a picture."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from encnn.report.style import COLOURS


def paper_against_ours(paper: Mapping[str, int], ours: Mapping[str, Sequence[float]], reviews: int) -> Figure:
    """Do our runs give the paper's counts?  Each row of Table III is a line: the paper's count, and ours from every start.

    paper: the number of reviews that are right, by row of the table.  ours: the same numbers from several starts.  reviews: the
    number of all reviews.
    """
    figure, axes = plt.subplots(figsize=(8.5, 3.2))
    for place, (row, count) in enumerate(paper.items()):
        right = np.asarray(ours[row], dtype=float)
        apart = 0.3 * ((0.618 * np.arange(len(right))) % 1.0 - 0.5)  # like jitter, but the same in every drawing
        axes.scatter(right, place + apart, s=18, color=COLOURS[row], alpha=0.8)
        axes.scatter(np.median(right), place, marker="|", s=500, color=COLOURS["paper"], zorder=3)
        axes.scatter(count, place, marker="D", s=60, color=COLOURS["paper"])
        axes.annotate(f"the paper: {count:,}", (count, place), (0, 22), textcoords="offset points", ha="center", size=9)
    axes.set_yticks(range(len(paper)), list(paper))
    axes.set_ylim(len(paper) - 0.5, -0.5)
    axes.margins(x=0.1)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set(xlabel=f"reviews right while training, of {reviews:,}", title="Table III: one dot per start, a bar at the median")
    return figure
