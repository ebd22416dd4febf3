"""Figures on the schemes: what noise looks like, how it grows, and what it costs to keep it small.

Every function takes numbers, a `DataFrame` or arrays, and returns a matplotlib `Figure`.  It computes nothing but densities.
Noise is in units of the phase S c, and "bits" are log2 of its size.
"""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from scipy.special import ndtr

from encnn.report.style import COLOURS, PALETTE

MEASURED, PREDICTED, LIMIT = PALETTE[0], PALETTE[1], COLOURS["paper"]
RIGHT, WRONG = PALETTE[2], PALETTE[1]


def noise_histogram(noise: np.ndarray, sd: float, bound: float, limit: float, title: str) -> Figure:
    """Is the noise as it was predicted?  Left its histogram under the predicted density, right its size in bits.

    noise: the measured e, of any shape.  sd: the predicted standard deviation of a Gaussian that is rounded to integers.
    bound: the predicted worst case.  limit: w / 2, from which on decryption fails.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), width_ratios=[3, 2])
    edges = _integer_edges(noise, 60)
    left.hist(noise.ravel(), bins=list(edges), density=True, color=MEASURED, alpha=0.45, label=f"measured, {noise.size} values")
    centres, density = gaussian_density(edges, sd)
    left.plot(centres, density, color=PREDICTED, lw=2, label=f"predicted, sd {sd:.4g}")
    left.set(xlabel="noise e", ylabel="density", title=title, ylim=(0, 1.35 * density.max()))
    left.xaxis.set_major_locator(MaxNLocator(nbins=7))
    left.ticklabel_format(axis="y", style="sci", scilimits=(-2, 2))
    left.legend(loc="upper right")
    largest = float(np.abs(noise).max())
    right.set_title("its size")
    _noise_ladder(right, {"predicted sd": sd, "largest measured": largest, "worst-case bound": bound, "limit w / 2": limit})
    return figure


def gaussian_density(edges: np.ndarray, sd: float) -> tuple[np.ndarray, np.ndarray]:
    """Return (centres, mean density) over the bins `edges` of a centred Gaussian of standard deviation `sd`.

    The mean over a bin is right for a rounded Gaussian too, if the edges lie half-way between integers.
    """
    return (edges[1:] + edges[:-1]) / 2, np.diff(ndtr(edges / sd)) / np.diff(edges)


def ciphertext_against_plaintext(plain: np.ndarray, readings: Mapping[str, np.ndarray], formula: str = "c / w") -> Figure:
    """Can a ciphertext be read without the key?  One panel per parameter set shows what was read against x.

    A diagonal means that it can be read.  readings: what was read, by parameter set.  formula: how it was read.
    """
    figure, axes = plt.subplots(1, len(readings), figsize=(4.8 * len(readings), 3.8), squeeze=False)
    for axis, (name, reading) in zip(axes[0], readings.items(), strict=True):
        axis.scatter(plain.ravel(), reading.ravel(), s=14, color=MEASURED, alpha=0.7, linewidths=0)
        axis.set(xlabel="plaintext x", ylabel=f"{formula}, read without a key", title=name)
    figure.suptitle("Can a ciphertext be read without the key?  A diagonal means yes")
    return figure


def failure_curve(table: pd.DataFrame) -> Figure:
    """From which noise on does decryption fail?  The share of wrong entries against the size of the noise.

    table: columns `sd_bits` (log2 of the deviation over w / 2), `failed` and `predicted` (shares of the entries).
    """
    figure, axis = plt.subplots(figsize=(7, 3.8))
    axis.plot(table.sd_bits, table.predicted, color=PREDICTED, lw=2, label="predicted: P(|e| > w / 2)")
    axis.plot(table.sd_bits, table.failed, "o", color=MEASURED, label="measured")
    axis.axvline(0, color=LIMIT, ls=":", label="sd = w / 2")
    axis.set(xlabel="standard deviation of the noise over w / 2, log2", ylabel="share decrypted wrongly", ylim=(-0.03, 1.03))
    axis.set_title("From which noise on does decryption fail?")
    axis.legend()
    return figure


def noise_by_key(table: pd.DataFrame) -> Figure:
    """Which digits make less noise?  One violin per key, whose halves are two kinds of digits, over many messages.

    table: columns `key`, `digits`, `noise`.
    """
    figure, axis = plt.subplots(figsize=(10, 4))
    sns.violinplot(table, x="key", y="noise", hue="digits", split=True, inner="quart", linewidth=0.8, cut=0, ax=axis)
    axis.axhline(0, color=LIMIT, lw=1)
    axis.set(xlabel="key", ylabel="noise of a key switch, E c*", title="Which digits make less noise?")
    sns.move_legend(axis, "upper left", bbox_to_anchor=(1, 1), frameon=False)
    return figure


def convergence(table: pd.DataFrame, floor: float) -> Figure:
    """How fast do Newton steps converge?  The error after each step, one line per value of `computed`, on a log scale.

    table: columns `step`, `error`, `computed`.  floor: the smallest number that the fixed point can hold.
    """
    figure, axis = plt.subplots(figsize=(7, 3.8))
    sns.lineplot(table, x="step", y="error", hue="computed", style="computed", markers=True, dashes=False, ax=axis)
    axis.axhline(floor, color=LIMIT, ls=":", label="1 / (w scale)")
    axis.set(yscale="log", xlabel="Newton steps", ylabel="largest relative error", title="How fast do Newton steps converge?")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.legend()
    return figure


def noise_growth(table: pd.DataFrame, limits: Mapping[str, float]) -> Figure:
    """How does noise grow with each operation?  A grid of panels: rows are parameter sets, columns are operations.

    table: columns `parameters`, `operation`, `count`, `predicted_bits`, `measured_bits`.  limits: log2(w / 2) by parameter set.
    """
    sets, operations = list(table.parameters.unique()), list(table.operation.unique())
    size = (2.9 * len(operations), 3.0 * len(sets))
    figure, axes = plt.subplots(len(sets), len(operations), figsize=size, sharey="row", squeeze=False)
    for row, name in zip(axes, sets, strict=True):
        for axis, operation in zip(row, operations, strict=True):
            chosen = table[(table.parameters == name) & (table.operation == operation)]
            _growth_panel(axis, chosen, limits[name])
        row[0].set_ylabel(f"{name}\nnoise (bits)")
    for axis, operation in zip(axes[0], operations, strict=True):
        axis.set_title(operation)
    for axis in axes[-1]:
        axis.set_xlabel("operations")
    figure.suptitle("How noise grows with each operation")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def budget(table: pd.DataFrame) -> Figure:
    """How much of the budget is left, and when does decryption fail?  Lines of the bits left after each operation.

    table: columns `count`, `guaranteed_bits` (known to everybody), `measured_bits` (known to the owner only), `right` (whether
    the result was decrypted rightly).
    """
    figure, axis = plt.subplots(figsize=(7, 3.8))
    axis.plot(table["count"], table.guaranteed_bits, "--", color=PREDICTED, label="guaranteed, no key needed")
    axis.plot(table["count"], table.measured_bits, color=MEASURED, label="measured by the owner")
    for right, colour, marker in ((True, RIGHT, "o"), (False, WRONG, "X")):
        chosen = table[table.right == right]
        label = "decrypts rightly" if right else "decrypts wrongly"
        axis.scatter(chosen["count"], chosen.measured_bits, color=colour, marker=marker, zorder=3, label=label)
    axis.axhline(0, color=LIMIT, ls=":")
    axis.set(
        xlabel="operations",
        ylabel="bits left between noise and w / 2",
        title="How much is left, and when does decryption fail?",
    )
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.legend()
    return figure


def base_trade_off(table: pd.DataFrame, limit_bits: float) -> Figure:
    """What do small digits gain?  The noise of a product against the size of the evaluation key.

    table: columns `base_bits`, `predicted_bits`, `measured_bits`, `key_kb`.  limit_bits: log2(w / 2).
    """
    figure, axis = plt.subplots(figsize=(7, 4))
    axis.plot(table.key_kb, table.predicted_bits, "s--", color=PREDICTED, label="worst-case bound")
    axis.plot(table.key_kb, table.measured_bits, "o-", color=MEASURED, label="largest measured")
    axis.axhline(limit_bits, color=LIMIT, ls=":", label="limit w / 2")
    axis.set(xscale="log", xlabel="bits of a digit, and size of the evaluation key", ylabel="noise of one product (bits)")
    axis.set_title("What do small digits gain?")
    labels = [f"{bits}\n{kb:.0f} kB" for bits, kb in zip(table.base_bits, table.key_kb, strict=True)]
    axis.set_xticks(table.key_kb, labels=labels)
    axis.minorticks_off()
    axis.legend()
    return figure


def _integer_edges(values: np.ndarray, bins: int) -> np.ndarray:
    """Return about `bins` edges of bins, half-way between integers, on both sides of zero."""
    width = max(1, -(-2 * int(np.abs(values).max()) // bins))
    half = int(np.abs(values).max()) // width + 1
    return width * np.arange(-half, half + 2) - 0.5


def _noise_ladder(axis: Axes, sizes: Mapping[str, float]) -> None:
    bits = [float(np.log2(size)) for size in sizes.values()]
    bars = axis.barh(list(sizes), bits, color=[PREDICTED, MEASURED, PREDICTED, LIMIT], alpha=0.75)
    axis.bar_label(bars, fmt="%.1f", padding=3)
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    axis.set(xlabel="size (bits)", xlim=(0, 1.25 * max(bits)))


def _growth_panel(axis: Axes, table: pd.DataFrame, limit: float) -> None:
    axis.plot(table["count"], table.predicted_bits, "--", color=PREDICTED, label="worst-case bound")
    axis.plot(table["count"], table.measured_bits, color=MEASURED, label="largest measured")
    axis.axhline(limit, color=LIMIT, ls=":", label="limit w / 2")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
