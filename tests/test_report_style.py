"""What the tests demand of every figure is what a reader needs."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from figure_checks import complaints

from encnn.report import paper, training_figures


@pytest.fixture
def figure():
    figure, axes = plt.subplots()
    axes.plot([1, 2])
    axes.set(title="title", xlabel="reviews", ylabel="percent")
    yield figure
    plt.close("all")


def test_a_whole_figure_passes(figure):
    assert complaints(figure) == []


@pytest.mark.parametrize("missing", ["title", "xlabel", "ylabel"])
def test_what_is_missing_is_found(figure, missing):
    figure.axes[0].set(**{missing: ""})
    assert len(complaints(figure)) == 1


def test_a_colour_bar_without_a_name_is_found(figure):
    figure.colorbar(figure.axes[0].scatter([1], [1], c=[1]))
    assert complaints(figure)


def test_words_beside_bars_are_names_and_numbers_are_not(figure):
    figure.axes[0].set(ylabel="", yticks=[1, 2], yticklabels=["addition", "product"])
    assert complaints(figure) == []
    figure.axes[0].set(yticklabels=["1", "2"])
    assert len(complaints(figure)) == 1


def test_a_grid_marks_only_the_counts_that_its_colours_reach():
    cells = [("a", 0.1, "half", 12000), ("a", 0.1, "mean", 19000)]
    *_, bar = training_figures.plot_grid(pd.DataFrame(cells, columns=["row", "polarity_cutoff", "threshold", "correct"])).axes
    assert [line.get_ydata()[0] for line in bar.lines] == [paper.CORRECT["PP"]]
    plt.close("all")
