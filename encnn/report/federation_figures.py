"""Figures on several organisations: who passes the network to whom, and what training together gains.

Every function takes numbers and returns a matplotlib `Figure`.
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from encnn.report.style import COLOURS, PALETTE


def organisations(names: Sequence[str]) -> Figure:
    """Who holds what, and what is sent?  Organisations stand in a row, with a proxy between each two neighbours."""
    figure, axes = plt.subplots(figsize=(3.3 * len(names), 3.6))
    for k, name in enumerate(names):
        _box(axes, 3 * k, 0.0, f"organisation {name}\nsecret key {name}\nreviews {name}", PALETTE[0])
        if k + 1 < len(names):
            following = names[k + 1]
            _box(axes, 3 * k + 1.5, 1.9, f"proxy\nkey {name} to {following},\nno secret", COLOURS["paper"])
            _arrow(axes, (3 * k + 0.2, 0.55), (3 * k + 1.1, 1.4), f"Enc$_{{{name}}}$(W)", PALETTE[1], "right")
            _arrow(axes, (3 * k + 1.9, 1.4), (3 * k + 2.8, 0.55), f"Enc$_{{{following}}}$(W)", PALETTE[1], "left")
            _arrow(axes, (3 * k + 2.3, -0.2), (3 * k + 0.7, -0.2), f"recipient key {following}", PALETTE[2], "center")
    axes.set_title("Who holds what, and what is sent")
    axes.set_xlim(-1, 3 * len(names) - 2)
    axes.set_ylim(-0.9, 2.6)
    axes.axis("off")
    return figure


def accuracy_by_turn(table: pd.DataFrame) -> Figure:
    """What does each turn add?  A pair of bars per organisation: its accuracy alone, and that of the network after its turn.

    table: columns `organisation`, `alone percent`, `in turn percent`, one line per organisation, in the order of turns.
    """
    figure, axes = plt.subplots(figsize=(6.5, 3.8))
    place = np.arange(len(table))
    alone = axes.bar(place - 0.2, table["alone percent"], 0.36, color=COLOURS["Non-PP"], label="its own reviews only")
    turns = axes.bar(place + 0.2, table["in turn percent"], 0.36, color=COLOURS["PP"], label="encrypted network after its turn")
    for bars in (alone, turns):
        axes.bar_label(bars, fmt="%.1f", padding=2, fontsize="small")
    axes.set_xticks(place, table["organisation"])
    axes.set_xlabel("organisation, in the order of turns")
    axes.set_ylabel("test reviews that are right (%)")
    axes.set_ylim(0, 110)
    axes.set_title("What each turn adds")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def noise_by_digits(table: pd.DataFrame) -> Figure:
    """How much noise does a hand-over add, and how large is its key?  The noise against the size of a digit, on a log scale.

    The size of the key stands beside each point.  table: columns `base bits`, `predicted`, `measured` (standard deviations of
    what a switch adds to a number), `key bytes`.
    """
    figure, axes = plt.subplots(figsize=(6.5, 3.4))
    axes.plot(table["base bits"], table["predicted"], color=COLOURS["paper"], linewidth=1, label="predicted")
    axes.plot(table["base bits"], table["measured"], "o", color=PALETTE[1], label="measured")
    axes.set_yscale("log", base=2)
    axes.set_xticks(table["base bits"])
    axes.set_xlabel("size of a digit (bits)")
    axes.set_title("The noise that a hand-over adds, and the size of its key")
    axes.margins(x=0.12, y=0.14)
    axes.set_ylabel("what a switch adds to a number\n(standard deviation)")
    for x, y, size in zip(table["base bits"], table["measured"], table["key bytes"], strict=True):
        axes.annotate(f"{size / 1e3:.0f} kB", (x, y), textcoords="offset points", xytext=(6, -12), fontsize=8)
    axes.legend(loc="upper left")
    return figure


def _box(axes: Axes, x: float, y: float, text: str, colour: str) -> None:
    axes.add_patch(
        FancyBboxPatch(
            (x - 0.65, y - 0.5), 1.3, 1.0, boxstyle="round,pad=0.05", facecolor="white", edgecolor=colour, linewidth=2
        )
    )
    axes.text(x, y, text, ha="center", va="center", fontsize=9)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], text: str, colour: str, side: str) -> None:
    axes.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": colour, "lw": 2})
    x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    axes.text(x, y + (0.08 if side == "center" else 0.1), text, ha=side, va="bottom", fontsize=9)
