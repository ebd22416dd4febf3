"""Figures on secure parameters: bits against dimension, what ciphertexts look like, the assisted protocol and its costs.

Every function takes numbers and returns a matplotlib `Figure`.
"""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from encnn.report.style import COLOURS, PALETTE

STEPS = (
    ("right", "Opening: a public key that makes Enc(0)"),
    ("left", "Request 1: z = x W1 + Enc(0)"),
    ("right", "Answer 1: Enc(a (p - y))"),
    ("left", "Request 2"),
    ("right", "Answer 2"),
)
"""The messages of a run, each with the side that sends it.  The owner stands on the right."""


def protocol() -> Figure:
    """Who sends what to whom?  Two parties with time running downwards, and what each does with a message."""
    figure, axes = plt.subplots(figsize=(9.5, 4.6))
    sides = {"left": (0.0, "trainer\nreviews, Enc(W1)"), "right": (1.0, "owner\nsecret key")}
    for x, name in sides.values():
        axes.text(x, 0.35, name, ha="center", va="bottom", fontweight="bold")
        axes.plot([x, x], [0.25, -len(STEPS) - 0.2], color=COLOURS["paper"], linewidth=1)
    for k, (side, text) in enumerate(STEPS):
        start, end = (1.0, 0.0) if side == "right" else (0.0, 1.0)
        axes.annotate(
            "", (end, -k - 0.35), (start, -k), arrowprops={"arrowstyle": "->", "color": PALETTE[side == "left"], "lw": 2}
        )
        axes.text(0.5, -k - 0.02, text, ha="center", va="bottom", color=PALETTE[side == "left"])
    axes.text(1.04, -1.75, "z = Dec(...), p = sigmoid(z)\na fresh mask for the answer", va="center")
    axes.text(-0.04, -2.75, "W1[i] -= answer\nfor every word i", va="center", ha="right")
    axes.text(0.5, -len(STEPS), "...", ha="center", va="center")
    axes.set(xlim=(-0.45, 1.6), ylim=(-len(STEPS) - 0.3, 1.2), title="Who sends what to whom")
    axes.axis("off")
    return figure


def bits_over_dimension(table: pd.DataFrame, presets: Mapping[str, tuple[int, float]]) -> Figure:
    """How much security does a dimension give?  Bits against d, one line per modulus, with marks at 128 and 80 bits.

    table: columns d, log2 q, bits.  presets: (d, bits) by name, which are drawn as stars.
    """
    figure, axes = plt.subplots(figsize=(8.5, 4.2))
    for (q_bits, lines), colour in zip(table.groupby("log2 q"), PALETTE, strict=False):
        axes.plot(lines["d"], lines["bits"], marker=".", color=colour, label=f"{q_bits}")
    for name, (d, bits) in presets.items():
        axes.plot(d, bits, marker="*", markersize=13, color=COLOURS["paper"])
        axes.annotate(name, (d, bits), xytext=(-9, 6), textcoords="offset points", ha="right", fontsize="small")
    for level, name in ((128, "128 bits"), (80, "INSECURE below")):
        axes.axhline(level, color=COLOURS["paper"], linestyle=":", linewidth=1)
        axes.annotate(name, (table["d"].min(), level), va="bottom", fontsize="small")
    axes.set(xscale="log", xlabel="dimension d", ylabel="bits of security, the least of all attacks", ylim=(0, 300))
    axes.set_title("How much security a dimension gives")
    axes.set_xticks(sorted(table["d"].unique()), [f"{d}" for d in sorted(table["d"].unique())])
    axes.minorticks_off()
    axes.legend(title="log2 q", loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def entries(samples: Mapping[str, np.ndarray]) -> Figure:
    """Do ciphertexts of one number look random?  A histogram per parameter set, of first entries over the width of their range.

    samples: first entries by name, divided by the modulus, or by the largest entry if there is no modulus.
    """
    figure, axes = plt.subplots(1, len(samples), figsize=(4.8 * len(samples), 3.2), squeeze=False)
    for axis, (name, sample) in zip(axes[0], samples.items(), strict=True):
        axis.hist(sample, bins=40, range=(-0.5, 0.5), color=PALETTE[0])
        axis.set(title=name, xlabel="first entry, over its range")
    axes[0, 0].set_ylabel("ciphertexts")
    figure.suptitle("Do ciphertexts of one number look random?")
    return figure


def product_growth(costs: pd.DataFrame, presets: Mapping[str, tuple[int, float]]) -> Figure:
    """What would a product of two ciphertexts cost?  Left the size of its key against d, right the time of a product and a sum.

    costs: measured columns d, key MB, product ms, sum ms.  presets: (d, key MB) by name, by formula, which are drawn as stars.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4))
    left.plot(costs["d"], costs["key MB"], marker="o", label="made here")
    for name, (d, megabytes) in presets.items():
        left.plot(d, megabytes, marker="*", markersize=13, color=COLOURS["paper"])
        left.annotate(name, (d, megabytes), xytext=(-8, -4), textcoords="offset points", ha="right", fontsize="small")
    right.plot(costs["d"], costs["product ms"], marker="o", color=PALETTE[1], label="product")
    right.plot(costs["d"], costs["sum ms"], marker="o", color=PALETTE[2], label="sum")
    for axis, label in ((left, "evaluation key (MB)"), (right, "CPU time (ms)")):
        axis.set(xscale="log", yscale="log", xlabel="dimension d", ylabel=label)
    left.set_title("key of a product, stars by formula")
    right.set_title("one product, one sum")
    right.legend()
    figure.suptitle("What a product of two ciphertexts costs")
    return figure


def what_encryption_changes(clear: np.ndarray, encrypted: Mapping[str, np.ndarray]) -> Figure:
    """How far are scores from those of the clear twin?  |difference| of z for review after review, on a log scale.

    clear: the twin's scores, shape (reviews, 1).  encrypted: the scores of encrypted runs, by name.
    """
    figure, axes = plt.subplots(figsize=(8.5, 3.6))
    for (name, z), colour in zip(encrypted.items(), PALETTE, strict=False):
        difference = np.abs(z - clear).ravel()
        axes.plot(np.maximum(difference, 1e-12), ".", markersize=3, color=colour, label=name)
    axes.set(yscale="log", xlabel="review, in the order of training", ylabel="distance from the clear twin's score")
    axes.set_title("How far are scores from those of the clear twin?")
    axes.legend(markerscale=4, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def cpu_per_review(table: pd.DataFrame) -> Figure:
    """Who computes for how long?  CPU time per review of trainer, owner and clear twin, for each parameter set and labels.

    table: the columns of figures/assisted.csv.  The bars are means over the keys.
    """
    parts = {"trainer": PALETTE[1], "owner": PALETTE[2], "clear": PALETTE[0]}
    means = table.groupby(["parameters", "labels"], sort=False)[[f"{part} CPU us per review" for part in parts]].mean()
    figure, axes = plt.subplots(figsize=(8.5, 0.8 * len(means) + 1.2))
    for k, (part, colour) in enumerate(parts.items()):
        axes.barh(np.arange(len(means)) + 0.27 * (k - 1), means.iloc[:, k], height=0.25, color=colour, label=part)
    axes.set_yticks(np.arange(len(means)), [f"{name},\nlabels {labels}" for name, labels in means.index])
    axes.invert_yaxis()
    axes.set_xlabel("CPU time per review (us)")
    axes.set_title("Who computes for how long?")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure
