"""Sliders: where they stand, what they redraw, and what is left without them."""

import sys

import matplotlib.pyplot as plt
import pytest

from encnn.errors import ParameterError
from encnn.report.interactive import explore, make_sliders, starting_values


def line(slope=2, intercept=0):
    figure, axes = plt.subplots()
    axes.plot([0, 1], [intercept, intercept + slope])
    return figure


class Handle:
    """A display handle that notes what it was given."""

    def __init__(self):
        self.figures = []

    def update(self, figure):
        self.figures.append(figure)


def test_sliders_start_at_the_defaults():
    assert starting_values(line, {"slope": (1, 2, 3)}) == {"slope": 2}


@pytest.mark.parametrize("choices", [{"slope": (1, 3)}, {"colour": (1, 2)}])
def test_a_slider_without_a_starting_value_is_refused(choices):
    with pytest.raises(ParameterError, match="starting value"):
        starting_values(line, choices)


def test_moving_a_slider_draws_the_picture_again():
    pytest.importorskip("ipywidgets")
    handle = Handle()
    box = make_sliders(line, {"slope": (1, 2, 3), "intercept": (0, 5)}, handle)
    slope, intercept = box.children
    slope.value, intercept.value = 3, 5
    drawn = [figure.axes[0].lines[0].get_ydata().tolist() for figure in handle.figures]
    assert drawn == [[0, 3], [5, 8]]


def test_without_ipywidgets_the_picture_is_left(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    assert make_sliders(line, {"slope": (1, 2, 3)}, Handle()) is None


@pytest.mark.parametrize("missing", ["ipywidgets", "IPython.display"])
def test_explore_draws_once_and_leaves_no_figure_open_in_a_notebook(monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    drawn = []

    def draw(slope=2):
        drawn.append(slope)
        return line(slope)

    explore(draw, slope=(1, 2, 3))
    assert drawn == [2]
    plt.close("all")
