"""Figures on the attacks: what they read, what they cost, and when they fail.

Every function takes a `DataFrame` or numbers and returns a matplotlib `Figure`.
"""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure

from encnn.report.style import COLOURS, PALETTE

ATTACK, LIMIT = PALETTE[1], COLOURS["paper"]
DURATIONS = {"1 second": 1.0, "1 day": 86400.0, "1,000 years": 3.156e10, "age of the\nuniverse": 4.35e17}
"""Seconds of well-known durations, which are marked beside computed times."""
HOLLOW = "os^D"
"""Markers of which none hides another one at the same place, since they are drawn without filling."""


def advantages(table: pd.DataFrame) -> Figure:
    """Which encryption stops which distinguisher?  Groups of bars are encryptions, and each bar shows a test's advantage.

    table: columns `encryption`, `test`, `advantage` (from 0 to 1).
    """
    figure, axis = plt.subplots(figsize=(8.5, 3.4))
    sns.barplot(table, x="encryption", y="advantage", hue="test", errorbar=None, ax=axis)
    for bars in axis.containers:
        if isinstance(bars, BarContainer):
            axis.bar_label(bars, fmt="%.2f", padding=2, fontsize="small")
    axis.set(ylim=(0, 1.15), xlabel="encryption", ylabel="advantage (1: always told apart)")
    axis.set_title("Which encryption stops which distinguisher?")
    sns.move_legend(axis, "upper left", bbox_to_anchor=(1, 1), frameon=False)
    return figure


def oracle_queries(table: pd.DataFrame) -> Figure:
    """How many answers of the owner give the key?  Lines of the number of queries against the dimension, on log axes.

    table: columns `d`, `secret`, `answers`, `queries`.
    """
    figure, axis = plt.subplots(figsize=(8, 4))
    sns.lineplot(table, x="d", y="queries", hue="secret", style="answers", markers=True, ax=axis)
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    axis.set(xlabel="dimension d", ylabel="ciphertexts decrypted", title="How many answers give the key?")
    sns.move_legend(axis, "upper left", bbox_to_anchor=(1, 1), frameon=False)
    return figure


def lattice_cost(measured: pd.DataFrame, extrapolated: Mapping[int, pd.DataFrame]) -> Figure:
    """From which dimension on does lattice reduction fail?  Left CPU time against d, right the block size that was needed.

    measured: columns `q_bits`, `d`, `cpu_s`, `block_size`, `predicted_block_size`.  extrapolated: a table for each q_bits, with
    columns `d`, `log2_seconds`, which continues the measured times.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 5.4), width_ratios=[3, 2])
    for (q_bits, rows), colour, marker in zip(measured.groupby("q_bits"), PALETTE, HOLLOW, strict=False):
        for axis, values, size, what in ((left, np.log2(rows.cpu_s), 5, "measured"), (right, rows.block_size, 7, "needed")):
            (points,) = axis.plot(rows.d, values, color=colour, marker=marker, linestyle="none", fillstyle="none", ms=size)
            points.set_label(f"{what}, log2 q = {q_bits}")
        ahead = extrapolated[int(str(q_bits))]
        left.plot(ahead.d, ahead.log2_seconds, "--", color=colour, label=f"extrapolated by the estimate, log2 q = {q_bits}")
        right.plot(rows.d, rows.predicted_block_size, "--", color=colour, label=f"estimate, log2 q = {q_bits}")
    ticks = [10, 30, 100, 300, 1000]
    left.set(xscale="log", xlabel="dimension d", ylabel="CPU time (seconds, log2)", title="time that lattice reduction takes")
    right.set(xlabel="dimension d", ylabel="block size (2 is LLL)", title="block size that it needs")
    left.set_xticks(ticks, [f"{d:,}" for d in ticks])
    left.minorticks_off()
    figure.suptitle("From which dimension on does lattice reduction fail?")
    _mark_durations(left)
    for axis in (left, right):
        axis.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    return figure


def verdicts(table: pd.DataFrame, minimum: float) -> Figure:
    """Which models does the acceptance test catch?  A bar per model shows its accuracy, with the verdict at its end.

    table: columns `model`, `percent`, `accepted`.  minimum: the percentage that is required.
    """
    figure, axis = plt.subplots(figsize=(8, 0.45 * len(table) + 1.2))
    colours = [PALETTE[2] if accepted else ATTACK for accepted in table.accepted]
    bars = axis.barh(list(table.model), list(table.percent), color=colours, alpha=0.8)
    axis.bar_label(bars, labels=["accepted" if accepted else "rejected" for accepted in table.accepted], padding=3)
    axis.axvline(minimum, color=LIMIT, ls=":", label=f"{minimum:g} % required")
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    axis.set(xlim=(0, 128), xticks=range(0, 101, 20), xlabel="held-out reviews that are right (%)")
    axis.set_title("Which models does the acceptance test catch?")
    axis.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _mark_durations(axis: Axes) -> None:
    """Write the durations to the right of the frame, where they cover no curve."""
    for name, seconds in DURATIONS.items():
        axis.axhline(np.log2(seconds), color=LIMIT, lw=0.7, ls=":")
        text = axis.annotate(name, (1.0, np.log2(seconds)), (4, 0), ("axes fraction", "data"), "offset points")
        text.set(ha="left", va="center", fontsize="small")
