"""Figures on FV and YASHE: noise over depth, digits of the fractional encoder, budgets in training, security by modulus.

Every function takes numbers, a `DataFrame` or arrays, and returns a matplotlib `Figure`.  A budget is the number of bits that
are left: -log2(2 |v|) for the noise, and log2(t / 2 / |x|) for the plaintext.
"""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from encnn.report.style import COLOURS, PALETTE

LIMIT, WRONG = COLOURS["paper"], PALETTE[1]


def noise_budgets(table: pd.DataFrame) -> Figure:
    """How many products can a ciphertext take?  Lines of the noise budget that is left after each product.

    table: columns `parameters`, `depth`, `predicted_bits`, `measured_bits`.
    """
    figure, axis = plt.subplots(figsize=(8, 4))
    for (name, rows), colour in zip(table.groupby("parameters", sort=False), PALETTE, strict=False):
        axis.plot(rows.depth, rows.predicted_bits, "--", color=colour, lw=1.2)
        axis.plot(rows.depth, rows.measured_bits, "o-", color=colour, ms=5, label=str(name))
    axis.axhline(0, color=LIMIT, ls=":")
    axis.plot([], [], "--", color="grey", label="guaranteed (bound)")
    axis.set(xlabel="products, one after the other", ylabel="noise budget left (bits)")
    axis.set_title("How many products can a ciphertext take?")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.legend(fontsize="small")
    return figure


def digit_places(runs: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Where do the digits of a number stand after each step, and how large are they?  One panel per run, one row per step.

    runs: by title, (coefficients of shape (steps, N), right of shape (steps,)).  `right` says whether the step decodes to the
    right number.  Coefficient N - i is drawn at place -i.
    """
    figure, axes = plt.subplots(1, len(runs), figsize=(5.6 * len(runs), 4), squeeze=False)
    for axis, (title, (coefficients, right)) in zip(axes[0], runs.items(), strict=True):
        _places(axis, coefficients, right)
        axis.set(title=title, ylabel="step")
    figure.suptitle("Where the digits of a number stand after each step")
    return figure


def _places(axis: Axes, coefficients: np.ndarray, right: np.ndarray) -> None:
    steps, N = coefficients.shape
    size = np.abs(np.roll(coefficients, N // 2, axis=1)).astype(float)
    bits = np.log2(np.where(size > 0, size, np.nan))
    edges = (-N // 2 - 0.5, N // 2 - 0.5, steps - 0.5, -0.5)
    image = axis.imshow(bits, aspect="auto", cmap="viridis", interpolation="nearest", extent=edges, vmin=0)
    axis.figure.colorbar(image, ax=axis, label="size of a digit (bits)")
    axis.axvline(-0.5, color=LIMIT, lw=1)
    for step in np.flatnonzero(~right):
        axis.plot(-N // 2, step, "x", color=WRONG, clip_on=False, ms=6, label="decodes to another number")
    handles, labels = axis.get_legend_handles_labels()
    if handles:
        axis.legend(handles[:1], labels[:1], loc="upper center", bbox_to_anchor=(0.5, -0.18), fontsize="small", frameon=False)
    axis.grid(visible=False)
    axis.set(xlabel="place: power of the base")
    axis.yaxis.set_major_locator(MaxNLocator(integer=True))


def training_budgets(table: pd.DataFrame) -> Figure:
    """What does a step of training cost?  Three panels show the scale and both budgets after each step, one line per encoding.

    table: columns `encoding`, `step`, `scale_bits`, `plaintext_bits`, `noise_bits`.
    """
    labels = {
        "scale_bits": "scale (bits)",
        "plaintext_bits": "plaintext budget left (bits)",
        "noise_bits": "noise budget left (bits)",
    }
    figure, axes = plt.subplots(1, len(labels), figsize=(11, 3.4))
    for axis, (column, label) in zip(axes, labels.items(), strict=True):
        for (name, rows), colour in zip(table.groupby("encoding", sort=False), PALETTE, strict=False):
            axis.plot(rows.step, rows[column], "o-", color=colour, label=str(name))
        axis.set(xlabel="steps of training", ylabel=label)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0].legend(fontsize="small")
    figure.suptitle("What a step of training costs")
    return figure


def security(table: pd.DataFrame, fatigue_bits: float, presets: Mapping[str, tuple[float, float]]) -> Figure:
    """What does a large modulus cost in security?  Bits of security against the size of the modulus, one line per attack.

    table: columns `q_bits`, `attack`, `bits`.  fatigue_bits: log2 q from which on NTRU is overstretched.  presets: (log2 q,
    bits) by name, which are drawn as points.
    """
    figure, axis = plt.subplots(figsize=(8.5, 4.4))
    for k, (attack, rows) in enumerate(table.groupby("attack", sort=False)):
        style = "--" if k % 2 else "-"  # two lines that lie on each other are then both seen
        axis.plot(rows.q_bits, rows.bits, style, color=PALETTE[k], lw=2, label=str(attack))
    for i, (name, (q_bits, bits)) in enumerate(presets.items()):
        axis.plot(q_bits, bits, "os^D"[i % 4], color=LIMIT, ms=7, label=name)
    axis.axhline(128, color=LIMIT, lw=0.8, ls=":")
    axis.axvline(fatigue_bits, color=LIMIT, lw=0.8, ls="--", label="YASHE: fatigue point")
    axis.set(yscale="log", xlabel="size of the modulus (bits)", ylabel="bits of security")
    axis.set_title("What does a large modulus cost in security?")
    axis.set_yticks([32, 64, 128, 256, 512, 1024], ["32", "64", "128", "256", "512", "1024"])
    axis.minorticks_off()
    axis.legend(fontsize="small")
    return figure
