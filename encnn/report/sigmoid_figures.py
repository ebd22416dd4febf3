"""Figures on the sigmoid: how far polynomials are from it, where training evaluates it, and what encryption adds.

Every function takes numbers and returns a matplotlib `Figure`.  A table of curves has one row per value of z (its index) and
one column per polynomial, under the name that the legend shows.
"""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from encnn.arithmetic.sigmoid import sigmoid
from encnn.report.style import COLOURS, PALETTE

TRUTH, ENCRYPTION, APPROXIMATION = COLOURS["paper"], COLOURS["PP"], COLOURS["Non-PP"]
RESOLUTION = 1e-11


def error_bands(curves: pd.DataFrame, radii: Mapping[str, float], tolerance: float) -> Figure:
    """How good is a polynomial as a sigmoid?  Left its values and the band around the sigmoid, right its errors on a log scale.

    curves: the values p(z).  radii: by column, the |z| at which the error passes `tolerance`; a dot marks it.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2))
    z, truth = curves.index.to_numpy(), sigmoid(curves.index)
    left.fill_between(z, truth - tolerance, truth + tolerance, color=TRUTH, alpha=0.15, lw=0, label=f"sigmoid ± {tolerance:g}")
    left.plot(z, truth, color=TRUTH, lw=2.5, label="sigmoid")
    for name, colour in zip(radii, PALETTE, strict=False):
        left.plot(z, curves[name], color=colour, lw=1.6)
        right.plot(z, _positive(curves[name] - truth), color=colour, lw=1.6, label=name)
        if radii[name] <= z.max():
            right.plot([-radii[name], radii[name]], [tolerance] * 2, "o", color=colour, ms=5)
    right.axhline(tolerance, color=TRUTH, ls=":", label=f"tolerance {tolerance:g}")
    left.set(xlabel="score z", ylabel="value p(z)", ylim=(-0.6, 1.6), title="values")
    right.set(
        xlabel="score z",
        ylabel="distance from the sigmoid",
        yscale="log",
        ylim=(1e-6, None),
        title="errors; a dot where one passes the tolerance",
    )
    figure.suptitle("How good is a polynomial as a sigmoid?")
    handles, labels = (
        first + second for first, second in zip(*(a.get_legend_handles_labels() for a in (left, right)), strict=True)
    )
    figure.legend(handles, labels, loc="outside right center")
    return figure


def error_waves(errors: pd.DataFrame, peaks: Mapping[str, np.ndarray]) -> Figure:
    """How often does an error reach its largest size?  One panel per polynomial shows the signed error p - sigma.

    errors: the signed errors.  peaks: by column, the z of the local extremes, which dots mark.  Dashed lines show the largest
    size.
    """
    figure, axes = plt.subplots(1, len(peaks), figsize=(11, 3.4), sharey=True, squeeze=False)
    for axis, name, colour in zip(axes[0], peaks, PALETTE, strict=False):
        error, level = errors[name], float(errors[name].abs().max())
        axis.fill_between(errors.index, error, color=colour, alpha=0.2, lw=0)
        axis.plot(errors.index, error, color=colour)
        axis.plot(peaks[name], error.loc[peaks[name]], "o", color=colour, ms=5)
        for side in (-level, level):
            axis.axhline(side, color=TRUTH, ls="--", lw=0.9)
        axis.set(xlabel="score z", title=f"{name}: at most {level:.4f}")
    axes[0, 0].set_ylabel("p(z) less the sigmoid")
    figure.suptitle("How often does the error of a fit reach its largest size?  Dots mark local extremes")
    return figure


def scores_met(scores: Mapping[str, np.ndarray], errors: pd.DataFrame) -> Figure:
    """Which scores z does training meet, and how wrong is p there?  Above the density of z by run, below |p - sigma|.

    Both panels have a log scale.  scores: by run, the z that it met, of any shape.  errors: signed errors over the z to show.
    """
    figure, (above, below) = plt.subplots(2, 1, figsize=(9, 6), sharex=True, height_ratios=[1, 1])
    edges = list(np.linspace(errors.index.min(), errors.index.max(), 81))
    for (name, z), colour in zip(scores.items(), PALETTE, strict=False):
        above.hist(z.ravel(), bins=edges, density=True, histtype="stepfilled", color=colour, alpha=0.25)
        above.hist(z.ravel(), bins=edges, density=True, histtype="step", color=colour, lw=1.6, label=name)
    above.set(
        ylabel="density of scores met",
        yscale="log",
        title="Which scores does training meet, and how wrong is the polynomial there?",
    )
    above.legend(loc="upper left", fontsize="small")
    for polynomial, colour in zip(errors, sns.color_palette("viridis", errors.shape[1]), strict=True):
        below.plot(errors.index, _positive(errors[polynomial]), color=colour, label=polynomial)
    below.set(xlabel="score z", ylabel="distance from the sigmoid", yscale="log", ylim=(1e-6, None))
    below.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize="small")
    return figure


def runs_in_range(runs: Mapping[str, np.ndarray], interval: tuple[float, float]) -> Figure:
    """Which runs stay in range?  One panel per run shows the z of every review in turn, and the interval of p as a band.

    The scale is linear within the interval and logarithmic outside it.
    """
    figure, axes = plt.subplots(1, len(runs), figsize=(11, 3.6), sharey=True, squeeze=False)
    for axis, (name, z), colour in zip(axes[0], runs.items(), PALETTE, strict=False):
        axis.axhspan(*interval, color=TRUTH, alpha=0.12, lw=0)
        inside = (z >= interval[0]) & (z <= interval[1])
        reviews = np.arange(len(z))
        axis.plot(reviews[inside], z[inside], ".", color=colour, ms=3, alpha=0.5)
        axis.plot(reviews[~inside], z[~inside], "x", color=TRUTH, ms=4)
        axis.set_yscale("symlog", linthresh=max(interval))
        axis.set(xlabel="review, in the order of training", title=name)
    axes[0, 0].set_ylabel("score z")
    figure.suptitle("Which runs stay in the range of their polynomial (shaded)?")
    return figure


def two_errors(table: pd.DataFrame) -> Figure:
    """Which error matters, that of the encryption or that of the polynomial?  One panel per polynomial, on a log scale.

    table: columns `polynomial`, `z`, `encryption` (the decrypted value against p(z)), `approximation` (p(z) against sigma).
    """
    names = list(table.polynomial.unique())
    figure, axes = plt.subplots(1, len(names), figsize=(2.8 * len(names), 3.6), sharey=True, squeeze=False)
    for axis, name in zip(axes[0], names, strict=True):
        _two_errors_panel(axis, table[table.polynomial == name])
        axis.set(xlabel="score z", title=name)
    axes[0, 0].set(ylabel="absolute error", yscale="log")
    figure.suptitle("Which error matters, that of the encryption or that of the polynomial?")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _two_errors_panel(axis: Axes, table: pd.DataFrame) -> None:
    """Draw both errors.  Errors below `RESOLUTION`, that of the fixed point, are accidents of rounding and are drawn at it."""
    approximation, encryption = (table[kind].clip(lower=RESOLUTION) for kind in ("approximation", "encryption"))
    axis.fill_between(table.z, encryption, approximation, where=approximation > encryption, color=APPROXIMATION, alpha=0.12)
    axis.plot(table.z, approximation, color=APPROXIMATION, label="polynomial against the sigmoid")
    axis.plot(table.z, encryption, color=ENCRYPTION, label="decrypted against polynomial")


def _positive(errors: pd.Series) -> pd.Series:
    """Return |errors| with gaps instead of zeros, since zero has no place on a logarithmic scale."""
    return errors.abs().where(errors != 0)
