"""A figure on what workers send to each other."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from encnn.report.style import PALETTE


def traffic_by_batch(table: pd.DataFrame) -> Figure:
    """What does a larger mini-batch save?  Left the number of steps, right the bytes per review, a bar per batch size.

    table: columns `batch size`, `steps per 1,000 reviews`, `kB per review`.
    """
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.2))
    for axes, column, colour in zip(panels, ("steps per 1,000 reviews", "kB per review"), PALETTE, strict=False):
        bars = axes.bar([f"{size}" for size in table["batch size"]], table[column], color=colour)
        axes.bar_label(bars, fmt="%.3g", padding=2)
        axes.margins(y=0.15)
        axes.grid(axis="x", visible=False)
        axes.set(xlabel="reviews in a mini-batch", ylabel=column)
    figure.suptitle("A larger mini-batch sends fewer messages, but as many bytes")
    return figure
