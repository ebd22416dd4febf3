"""Figures on what a classifier chose: how few bits a column needs, and which learning rate and epochs do best."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FormatStrFormatter, NullFormatter

LARGEST_LOSS = 1.0
"""Settings with a larger loss than this are left out of a figure: their runs are lost."""
TICKS = 6


def bits_of_features(frame: pd.DataFrame) -> Figure:
    """Show how few bits a column needs.

    Columns: bits, right (percent of rows that are right with whole features), exact (the same with real ones), noise (the
    standard deviation in scores).
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6))
    left.plot(frame["bits"], frame["right"], marker="o", label="whole numbers")
    left.plot(frame["bits"], frame["exact"], linestyle="--", label="real numbers")
    left.set(xlabel="bits of a feature", ylabel="held-out rows that are right (%)", title="accuracy in the clear")
    left.legend()
    right.semilogy(frame["bits"], frame["noise"], marker="o")
    right.set(xlabel="bits of a feature", ylabel="standard deviation of a score", title="predicted noise after one epoch")
    figure.suptitle("How few bits does a column need?")
    return figure


def held_out_losses(tried: pd.DataFrame, chosen: pd.Series) -> Figure:
    """Show the log loss of all settings that share bits, width and parameters with the chosen one, with a line per epochs.

    tried: the table `EncryptedClassifier.tried_`.  chosen: one of its lines.  Crosses are settings whose scores leave the
    range.
    """
    like = tried[(tried[["parameters", "bits", "width"]] == chosen[["parameters", "bits", "width"]]).all(axis=1)]
    like = like[like["log loss"] <= LARGEST_LOSS].sort_values("learning_rate")
    beyond = like["out of range percent"].gt(1)
    figure, axes = plt.subplots(figsize=(7, 3.8))
    for epochs, line in like[~beyond].groupby("epochs"):
        axes.loglog(line["learning_rate"], line["log loss"], marker="o", label="1 epoch" if epochs == 1 else f"{epochs} epochs")
    if beyond.any():
        axes.loglog(like["learning_rate"][beyond], like["log loss"][beyond], "x", color="grey", label="out of range")
    axes.loglog(chosen["learning_rate"], chosen["log loss"], "*", markersize=16, color="black", label="chosen")
    rates, losses = like["learning_rate"].unique(), like["log loss"]
    for axis, ticks in ((axes.xaxis, rates), (axes.yaxis, np.geomspace(losses.min(), losses.max(), TICKS))):
        axis.set_minor_formatter(NullFormatter())
        axis.set_major_locator(FixedLocator(ticks.tolist()))
        axis.set_major_formatter(FormatStrFormatter("%.2g"))
    axes.set(xlabel="learning rate", ylabel="log loss on held-out rows", title="Which learning rate, and how many epochs?")
    axes.legend()
    return figure
