"""Figures on bootstrapping: phases on the torus, tables, the noise of every step, the encrypted sigmoid, and training alone.

Every function takes numbers and returns a matplotlib `Figure`.  z is a score.  The torus is 2 * limit wide in z, and the values
of a table can be chosen freely on its half [-limit / 2, limit / 2).
"""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from encnn.arithmetic.sigmoid import sigmoid
from encnn.report.scheme_figures import MEASURED, PREDICTED, gaussian_density
from encnn.report.style import COLOURS, PALETTE

RUNS_DRAWN = 40


def torus(phases: Mapping[str, np.ndarray], limit: float) -> Figure:
    """Where are the phases?  A circle for each name, and a dot for each ciphertext.

    The half on which a table can be chosen freely is shaded.  phases: by name, in units of z, from -limit to limit.
    """
    figure, panels = plt.subplots(
        1, len(phases), figsize=(5.4 * len(phases), 4.8), subplot_kw={"projection": "polar"}, squeeze=False
    )
    for axis, (name, z) in zip(panels[0], phases.items(), strict=True):
        angle = np.pi * z.ravel() / limit
        apart = 1 + 0.12 * ((0.618 * np.arange(angle.size)) % 1.0 - 0.5)  # else equal phases would be one dot
        axis.scatter(angle, apart, s=12, color=MEASURED, alpha=0.6, linewidths=0)
        axis.fill_between(np.linspace(-np.pi / 2, np.pi / 2, 181), 0, 0.85, color=PALETTE[3], alpha=0.2, linewidth=0)
        marks = np.arange(-limit, limit, limit / 4)
        axis.set_xticks(np.pi * marks / limit % (2 * np.pi), [f"z = {z:g}" for z in marks])
        axis.tick_params(axis="x", pad=8)
        axis.set(ylim=(0, 1.15), yticks=[])
        axis.set_title(name, pad=18)
    figure.suptitle("Phases on the torus; a table can be chosen freely on the shaded half")
    return figure


def tables(z: np.ndarray, read: Mapping[str, np.ndarray], limit: float) -> Figure:
    """What does a table return on all of the torus?  One panel per function; outside the shaded half it is -f(z -+ limit).

    z: scores from -limit to limit.  read: the values of the tables there, by name.
    """
    figure, panels = plt.subplots(1, len(read), figsize=(4.6 * len(read), 3.4), squeeze=False)
    for axis, (name, values), colour in zip(panels[0], read.items(), PALETTE, strict=False):
        axis.axvspan(-limit / 2, limit / 2, color=PALETTE[3], alpha=0.2, linewidth=0, label="free to choose")
        jumps = np.abs(np.diff(values, append=values[-1])) > 0.5 * np.ptp(values)
        axis.plot(z, np.where(jumps, np.nan, values), color=colour, linewidth=2)
        axis.axhline(0, color=COLOURS["paper"], linewidth=0.8)
        axis.set(title=name, xlabel="score z", xticks=np.linspace(-limit, limit, 5))
    panels[0, 0].set_ylabel("value in the table")
    figure.suptitle("What a table returns on all of the torus")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center")
    return figure


def noise_steps(steps: Mapping[str, tuple[np.ndarray, float]]) -> Figure:
    """Is the noise of each step as it was predicted?  A histogram for each step, under the predicted Gaussian.

    steps: by name, (measured noise, predicted standard deviation) in units of z.
    """
    figure, panels = plt.subplots(1, len(steps), figsize=(4.4 * len(steps), 3.4), squeeze=False)
    for axis, (name, (noise, sd)) in zip(panels[0], steps.items(), strict=True):
        edges = np.linspace(-4 * sd, 4 * sd, 33)
        axis.hist(noise.ravel(), bins=list(edges), density=True, color=MEASURED, alpha=0.45, label=f"measured, {noise.size}")
        axis.plot(*gaussian_density(edges, sd), color=PREDICTED, linewidth=2, label=f"predicted, sd {sd:.2g}")
        axis.set(title=name, xlabel="noise, in units of z", yticks=[])
        axis.set_ylim(0, 1.5 * axis.get_ylim()[1])
        axis.locator_params(axis="x", nbins=5)
        axis.legend(loc="upper right", fontsize="small")
    panels[0, 0].set_ylabel("density")
    figure.suptitle("The noise of each step of a bootstrap")
    return figure


def sigmoids(z: np.ndarray, exact: np.ndarray, others: Mapping[str, np.ndarray]) -> Figure:
    """How good is each function as a sigmoid?  Left the functions, right their distance from the sigmoid on a log scale.

    z: scores.  exact: the sigmoid there.  others: the values of the functions there, by name.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4))
    left.plot(z, exact, color=COLOURS["paper"], linewidth=1, label="sigmoid")
    for (name, values), colour in zip(others.items(), PALETTE, strict=False):
        style = {"linestyle": "", "marker": ".", "markersize": 4} if name == next(iter(others)) else {"linewidth": 1.5}
        left.plot(z, values, color=colour, label=name, **style)
        right.plot(z, np.maximum(np.abs(values - exact), 1e-6), color=colour, **style)
    left.set(xlabel="score z", ylabel="value", ylim=(-0.6, 1.6), title="values")
    right.set(xlabel="score z", ylabel="distance from the sigmoid", yscale="log", title="errors")
    figure.suptitle("How good is each function as a sigmoid?")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=len(others) + 1)
    return figure


def score_noise(measured: np.ndarray, predicted: np.ndarray, independent: np.ndarray) -> Figure:
    """How does the noise in a score grow during training?  The deviation of z after each review.

    measured: the noise in several runs, shape (runs, reviews); the first `RUNS_DRAWN` runs are drawn, and all are averaged.
    predicted: the predicted deviation, shape (reviews,).  independent: what it would be if weights did not share errors.
    """
    figure, axes = plt.subplots(figsize=(8.5, 3.8))
    reviews = np.arange(1, len(predicted) + 1)
    axes.plot(reviews, measured[:RUNS_DRAWN].T, color=MEASURED, alpha=0.15, linewidth=0.8)
    axes.plot(reviews, np.sqrt((measured**2).mean(axis=0)), color=MEASURED, linewidth=2, label="measured, mean over runs")
    axes.plot(reviews, predicted, "--", color=PREDICTED, linewidth=2, label="predicted")
    axes.plot(reviews, independent, ":", color=COLOURS["paper"], label="if weights did not share errors")
    axes.set(
        xlabel="reviews trained on", ylabel="standard deviation of z", title="How the noise in a score grows during training"
    )
    axes.legend(loc="upper left")
    return figure


def probabilities(z: np.ndarray, p: np.ndarray, right: np.ndarray) -> Figure:
    """What does the owner read from encrypted predictions?  Dots are probabilities over scores, beside the exact sigmoid.

    z, p: decrypted scores and probabilities.  right: whether each prediction is right.  All have shape (reviews,).
    """
    figure, axes = plt.subplots(figsize=(7, 3.6))
    line = np.linspace(z.min() - 0.3, z.max() + 0.3, 200)
    axes.plot(line, sigmoid(line), color=COLOURS["paper"], linewidth=1, label="sigmoid")
    for kind, name, colour in ((right, "right", PALETTE[0]), (~right, "wrong", PALETTE[1])):
        axes.plot(z[kind], p[kind], ".", color=colour, label=f"{name}: {int(kind.sum())}")
    axes.set(xlabel="decrypted score", ylabel="decrypted probability", title="What the owner reads from encrypted predictions")
    axes.legend(loc="upper left")
    return figure


def against_the_twin(z: np.ndarray, twin: np.ndarray) -> Figure:
    """Does an encrypted run follow its clear twin?  Left the scores of both, right their difference in the order of training.

    z, twin: the scores that the encrypted run and its clear twin met, shape (reviews, 1) or (reviews,).
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.8))
    ends = [float(min(z.min(), twin.min())), float(max(z.max(), twin.max()))]
    left.plot(ends, ends, color=COLOURS["paper"], linewidth=1)
    left.plot(twin.ravel(), z.ravel(), ".", markersize=4, color=MEASURED)
    left.set(xlabel="score of the clear twin", ylabel="decrypted score", title="scores of both")
    right.plot((z - twin).ravel(), ".", markersize=4, color=MEASURED)
    right.axhline(0, color=COLOURS["paper"], linewidth=1)
    right.set(
        xlabel="review, in the order of training", ylabel="decrypted score less the twin's", title="how far they are apart"
    )
    figure.suptitle("Does an encrypted run follow its clear twin?")
    return figure


def training_curve(curve: pd.DataFrame, lines: Mapping[str, float]) -> Figure:
    """How accurate does training without help become?  Above the running accuracy of each case, below what encryption changes.

    Clear twins are dashed.  curve: columns case, key, reviews, encrypted, clear twin, in percent
    (figures/unassisted_curve.csv).  lines: accuracies of other runs in percent, by name.
    """
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(9, 6), sharex=True, height_ratios=[3, 1])
    for (case, runs), colour in zip(curve.groupby("case", sort=False), PALETTE, strict=False):
        for key, run in runs.groupby("key"):
            label = str(case) if key == runs["key"].iloc[0] else None
            top.plot(run["reviews"], run["encrypted"], color=colour, linewidth=1.5, label=label)
            bottom.plot(run["reviews"], run["encrypted"] - run["clear twin"], color=colour, linewidth=1)
            top.plot(run["reviews"], run["clear twin"], "--", color=colour, linewidth=1)  # with a hidden layer one per key
    for name, percent in lines.items():
        _mark(top, name, percent)
    bottom.axhline(0, color=COLOURS["paper"], linewidth=0.8)
    top.set(ylabel="reviews right so far (%)", title="Training without help in the first epoch (dashed: clear twins)")
    bottom.set(xlabel="reviews trained on", ylabel="encrypted less\ntwin (points)")
    top.margins(y=0.08)
    figure.legend(*top.get_legend_handles_labels(), loc="outside lower center", ncols=2)  # inside it would cover a line
    return figure


def choice(table: pd.DataFrame) -> Figure:
    """Which plan is best on held-out reviews?  A panel for each set of parameters and number of epochs, over the learning rate.

    Each colour is one way to train, with the noise of the parameters (dots) and without noise (dashed).

    table: the columns of figures/unassisted_choice.csv, of one kind of features.
    """
    panels = list(table[["parameters", "epochs"]].drop_duplicates().itertuples(index=False))
    ways = sorted(set(zip(table["decay"], table["largest multiplier"], strict=True)))
    drawn: dict[str, Line2D] = {}
    figure, axes = plt.subplots(1, len(panels), figsize=(4.2 * len(panels), 4.2), sharey=True, squeeze=False)
    for axis, (parameters, epochs) in zip(axes[0], panels, strict=True):
        here = table[(table["parameters"] == parameters) & (table["epochs"] == epochs)]
        for (decay, largest), colour in zip(ways, PALETTE, strict=False):
            lines = here[(here["decay"] == decay) & (here["largest multiplier"] == largest)]
            label = f"decay {decay:g}" + (f", multipliers to {largest}" if largest > 1 else "")
            if len(lines):
                drawn[label] = axis.plot("learning rate", "held-out percent, with noise", ".-", data=lines, color=colour)[0]
                axis.plot("learning rate", "held-out percent, clear", "--", data=lines, color=colour, linewidth=1)
        axis.set(title=f"{parameters}, {epochs} epoch{'s' if epochs > 1 else ''}", xlabel="learning rate")
        axis.locator_params(axis="x", nbins=5)
    axes[0, 0].set_ylabel("held-out reviews that are right (%)")
    features = table["features"].iloc[0]
    figure.suptitle(f"Which plan is best on held-out training reviews?\n({features})", fontsize="medium")
    drawn["without noise"] = Line2D([], [], linestyle="--", color="grey")
    figure.legend(drawn.values(), drawn, loc="outside lower center", ncols=4)
    return figure


def _mark(axes: Axes, name: str, percent: float) -> None:
    """Draw a horizontal line, with its name to the right of the frame, where it covers no curve."""
    axes.axhline(percent, color=COLOURS["paper"], linestyle=":", linewidth=1)
    axes.annotate(
        name, (1.0, percent), xycoords=("axes fraction", "data"), xytext=(4, 0), textcoords="offset points",
        ha="left", va="center", fontsize="small", color=COLOURS["paper"],
    )  # fmt: skip
