"""Figures on the encrypted network that learns XOR: what the owner reads and what the trainer sees.

Every function takes numbers and returns a matplotlib `Figure`.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from encnn.report.style import COLOURS, PALETTE

CORNERS = ((0, 0), (0, 1), (1, 0), (1, 1))


def learning_curves(clear: np.ndarray, encrypted: np.ndarray, inputs: Sequence[str]) -> Figure:
    """Do both networks learn alike?  Left the predictions of both, right their largest difference in each epoch.

    clear, encrypted: the predictions met in training, shape (epochs, inputs).
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), width_ratios=[3, 2])
    epochs = np.arange(1, len(clear) + 1)
    for k, (name, colour) in enumerate(zip(inputs, PALETTE, strict=False)):
        left.plot(epochs, clear[:, k], color=colour, lw=5, alpha=0.3)
        left.plot(epochs, encrypted[:, k], color=colour, lw=1.3, label=name)
    left.set(xscale="log", xlabel="epoch", ylabel="prediction p", title="in the clear (wide) and encrypted (thin)")
    left.legend(title="input", loc="best")
    right.plot(epochs, np.abs(clear - encrypted).max(axis=1), color=COLOURS["PP"])
    right.set(
        xscale="log", yscale="log", xlabel="epoch", ylabel="largest difference of predictions", title="what encryption changes"
    )
    figure.suptitle("Do both networks learn alike?")
    return figure


def decision_surfaces(grid: np.ndarray, predictions: Mapping[str, np.ndarray]) -> Figure:
    """What was learnt between the corners?  One panel per network shows p over the square, and the line p = 1/2.

    grid: the n values of each input.  predictions: p by network, shape (n, n), with the second input along the rows.
    """
    figure, axes = plt.subplots(1, len(predictions), figsize=(4.6 * len(predictions), 4), squeeze=False, sharey=True)
    for axis, (name, p) in zip(axes[0], predictions.items(), strict=True):
        image = axis.contourf(grid, grid, np.clip(p, 0, 1), levels=np.linspace(0, 1, 21), cmap="coolwarm_r")
        axis.contour(grid, grid, p, levels=[0.5], colors=COLOURS["paper"])
        _mark_corners(axis)
        axis.set(xlabel="first input", title=name, aspect="equal")
    axes[0, 0].set_ylabel("second input")
    figure.colorbar(image, ax=list(axes[0]), label="prediction p, cut to [0, 1]", ticks=[0, 0.5, 1])
    figure.suptitle("What was learnt between the corners")
    return figure


def trainer_view(before: np.ndarray, after: np.ndarray) -> Figure:
    """What does the trainer see?  The entries of the ciphertexts of W1, above before training and below after it.

    before, after: ciphertexts of shape (rows, n).  Colours show the size of the entries.
    """
    figure, axes = plt.subplots(2, 1, figsize=(9, 4.2), sharex=True)
    limit = max(np.abs(before).max(), np.abs(after).max())
    for axis, (name, entries) in zip(axes, {"before training": before, "after training": after}.items(), strict=True):
        labels = np.vectorize(_short, otypes=[object])(entries)
        look = {"cmap": "coolwarm_r", "vmin": -limit, "vmax": limit, "cbar": False, "linewidths": 1}
        sns.heatmap(entries, ax=axis, annot=labels, fmt="", annot_kws={"fontsize": "small"}, **look)
        axis.set(ylabel="ciphertext", title=f"{name} (bn: billions)")
    axes[-1].set_xlabel("entry")
    figure.suptitle("What the trainer sees")
    return figure


def _short(entry: int) -> str:
    """Return a large number in billions, and a small one in full.

    >>> _short(-18_640_000_000), _short(117_120)
    ('-18.6 bn', '117,120')
    """
    return f"{entry / 1e9:.3g} bn" if abs(entry) >= 1e7 else f"{entry:,}"


def _mark_corners(axis: Axes) -> None:
    box = {"boxstyle": "circle", "facecolor": "white"}
    for x, y in CORNERS:
        axis.annotate(f"{x ^ y}", (x, y), ha="center", va="center", bbox=box, annotation_clip=False)
