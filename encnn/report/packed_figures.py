"""Figures on packed weights: a block, the trace and its noise, and accuracy against size.

Every function takes numbers and returns a matplotlib `Figure`.
"""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from encnn.report.scheme_figures import MEASURED, PREDICTED, gaussian_density
from encnn.report.style import COLOURS, PALETTE


def packed_block(parts: Mapping[str, np.ndarray]) -> Figure:
    """What does a block show, and to whom?  Each part has a panel with its numbers by coefficient, shape (N,)."""
    figure, panels = plt.subplots(1, len(parts), figsize=(4 * len(parts), 3.2), squeeze=False)
    for axis, (name, numbers), colour in zip(panels[0], parts.items(), PALETTE, strict=False):
        axis.plot(np.arange(len(numbers)), numbers, ".", color=colour, markersize=5)
        axis.set(title=name, xlabel="coefficient")
    panels[0, 0].set_ylabel("number")
    figure.suptitle("One packed block: what everybody sees, and what the owner reads")
    return figure


def trace_steps(phases: np.ndarray, exponents: list[int], noise: float) -> Figure:
    """What does each step of a trace leave?  Rows show the sizes of all coefficients at the start and after each step.

    phases: fractions of the torus, shape (steps + 1, N).  noise: sizes below this are drawn alike.
    """
    figure, axis = plt.subplots(figsize=(9, 3.6))
    size = np.log2(np.maximum(np.abs(phases), noise))
    image = axis.imshow(size, aspect="auto", cmap="viridis", interpolation="nearest")
    names = ["start", *(f"after X \N{RIGHTWARDS ARROW} X^{d}" for d in exponents)]
    axis.set_yticks(range(len(phases)), names[: len(phases)])
    axis.set(xlabel="coefficient", title="Each step of the trace cancels half of the coefficients that are left")
    axis.grid(visible=False)
    figure.colorbar(image, label="log2 of the size of the phase")
    return figure


def trace_noise(measured: np.ndarray, predicted: np.ndarray) -> Figure:
    """Is the noise of the trace what was predicted?  Deviations by the power of two that divides the place; 0 comes last."""
    figure, axis = plt.subplots(figsize=(7, 3.4))
    places = np.arange(len(measured))
    axis.semilogy(places, predicted, "_", color=PREDICTED, markersize=22, markeredgewidth=2, base=2, label="predicted")
    axis.semilogy(places, measured, "o", color=MEASURED, base=2, label="measured")
    names = [*("odd", *(f"{1 << v}" for v in places[1:-1])), "place 0"]
    axis.set_xticks(places, names[: len(places)])
    axis.set(xlabel="largest power of two that divides the place", ylabel="standard deviation\n(fraction of the torus)")
    axis.set_title("The noise that a trace adds to each coefficient of a block")
    axis.legend()
    return figure


def accuracy_by_size(table: pd.DataFrame) -> Figure:
    """How good is a model of a given size?  Hollow marks: one ciphertext per weight (computed).  Full marks: packed.

    Columns `case`, `model MB`, `rows MB`, `test accuracy percent`, `clear twin test accuracy percent`.
    """
    figure, axis = plt.subplots(figsize=(9, 4.2))
    for line, colour in zip(table.to_dict("records"), PALETTE, strict=False):
        sizes, y = (line["rows MB"], line["model MB"]), line["test accuracy percent"]
        axis.plot(sizes, [y, y], ":", color=colour, linewidth=1)
        axis.plot(sizes[:1], [y], "o", color=colour, markerfacecolor="white", markersize=8)
        axis.plot(sizes[1:], [y], "o", color=colour, markersize=8, label=line["case"])
        axis.axhline(line["clear twin test accuracy percent"], color=colour, linewidth=0.8, alpha=0.7)
    axis.set_xscale("log")
    axis.set(xlabel="size of the encrypted model (MB)", ylabel="test reviews that are right (%)")
    axis.set_title("How good is an encrypted model of a given size?")
    marks = [
        Line2D([], [], marker="o", linestyle="", color="grey", label="packed"),
        Line2D([], [], marker="o", linestyle="", color="grey", mfc="white", label="one ciphertext per weight (computed)"),
        Line2D([], [], color="grey", linewidth=0.8, label="the same training in the clear"),
    ]
    axis.legend(handles=[*axis.get_legend_handles_labels()[0], *marks], loc="center", fontsize="small", ncols=2)
    return figure


def noise_in_scores(z: np.ndarray, twin: np.ndarray, predicted: float) -> Figure:
    """How far are encrypted scores from those of the clear twin?  Left: every score.  Right: the distances and a prediction."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6))
    ends = [float(twin.min()), float(twin.max())]
    left.plot(ends, ends, color=COLOURS["paper"], linewidth=1, label="equal")
    left.plot(twin.ravel(), z.ravel(), ".", color=MEASURED, markersize=4, label="a test review")
    left.set(xlabel="score of the clear twin", ylabel="decrypted score", title="scores")
    left.legend()
    noise = (z - twin).ravel()
    reach = 4 * max(float(np.std(noise)), predicted)
    edges = np.linspace(-reach, reach, 41)
    right.hist(noise, bins=list(edges), density=True, color=MEASURED, alpha=0.45, label=f"measured, sd {np.std(noise):.2g}")
    right.plot(*gaussian_density(edges, predicted), color=PREDICTED, linewidth=2, label=f"predicted, sd {predicted:.2g}")
    right.set(xlabel="decrypted score less the twin's", yticks=[], title="distances")
    right.locator_params(axis="x", nbins=6)
    right.legend(fontsize="small")
    figure.suptitle("The noise in scores after training under encryption")
    return figure
