"""Figures on bootstrapping: each draws the numbers that it was given."""

import numpy as np
import pandas as pd
import pytest

from encnn.report import bootstrap_figures as figures

pytestmark = pytest.mark.usefixtures("checked_figures")


def ydata(line):
    return np.asarray(line.get_ydata()).tolist()


def test_a_phase_is_an_angle():
    left, right = figures.torus({"before": np.array([[0.0], [8.0], [-4.0]]), "after": np.array([4.0])}, 16.0).axes
    angles = np.asarray(left.collections[0].get_offsets())[:, 0]
    assert angles.tolist() == pytest.approx([0, np.pi / 2, -np.pi / 4])
    assert np.asarray(right.collections[0].get_offsets())[:, 0] == pytest.approx(np.pi / 4)
    assert (left.get_title(), right.get_title()) == ("before", "after")
    assert [label.get_text() for label in left.get_xticklabels()][4:6] == ["z = 0", "z = 4"]


def test_tables_are_lines_with_gaps_where_they_jump():
    z = np.array([-2.0, -1.0, 0.0, 1.0])
    smooth, jumping = figures.tables(z, {"a": np.array([0.0, 0.1, 0.2, 0.3]), "b": np.array([0.0, 1.0, 1.0, 1.0])}, 2.0).axes
    assert ydata(smooth.lines[0]) == [0.0, 0.1, 0.2, 0.3]
    assert np.isnan(ydata(jumping.lines[0])).tolist() == [True, False, False, False]
    assert [tick for tick in smooth.get_xticks()] == [-2, -1, 0, 1, 2]


def test_noise_is_a_histogram_under_the_predicted_density():
    noise = np.array([-0.5, 0.5, 0.5, 1.5])
    (axis,) = figures.noise_steps({"key switch": (noise, 1.0)}).axes
    bars = {round(bar.get_x() + bar.get_width() / 2, 3): bar.get_height() for bar in axis.patches if bar.get_height()}
    assert list(bars.values()) == pytest.approx([1.0, 2.0, 1.0]) and list(bars) == [-0.375, 0.625, 1.625]
    assert max(ydata(axis.lines[0])) == pytest.approx(0.3989, abs=0.01)
    assert "measured, 4" in [text.get_text() for text in axis.get_legend().get_texts()]


def test_sigmoids_draw_values_and_absolute_errors():
    z = np.array([-1.0, 0.0, 1.0])
    exact, off = np.array([0.2, 0.5, 0.8]), np.array([0.3, 0.5, 0.6])
    left, right = figures.sigmoids(z, exact, {"bootstrapped": off, "Taylor": exact}).axes
    assert [ydata(line) for line in left.lines] == [exact.tolist(), off.tolist(), exact.tolist()]
    assert ydata(right.lines[0]) == pytest.approx([0.1, 1e-6, 0.2])
    assert right.get_yscale() == "log"


def test_score_noise_draws_every_run_and_their_mean_square():
    measured = np.array([[3.0, 1.0], [4.0, 7.0]])
    (axis,) = figures.score_noise(measured, np.array([1.0, 2.0]), np.array([0.5, 0.6])).axes
    drawn = {str(line.get_label()): ydata(line) for line in axis.lines}
    assert drawn["measured, mean over runs"] == pytest.approx([12.5**0.5, 5.0])
    assert drawn["predicted"] == [1.0, 2.0] and drawn["if weights did not share errors"] == [0.5, 0.6]
    assert [ydata(line) for line in axis.lines[:2]] == [[3.0, 1.0], [4.0, 7.0]]


def test_probabilities_tell_right_from_wrong():
    z, p = np.array([-1.0, 1.0, 2.0]), np.array([0.3, 0.7, 0.9])
    (axis,) = figures.probabilities(z, p, np.array([True, False, True])).axes
    drawn = {str(line.get_label()): ydata(line) for line in axis.lines}
    assert drawn["right: 2"] == [0.3, 0.9] and drawn["wrong: 1"] == [0.7]


def test_the_difference_from_the_twin_is_drawn_in_order():
    z, twin = np.array([[0.0], [2.0]]), np.array([[0.5], [1.0]])
    left, right = figures.against_the_twin(z, twin).axes
    assert ydata(left.lines[0]) == [0.0, 2.0]
    assert ydata(left.lines[1]) == [0.0, 2.0] and np.asarray(left.lines[1].get_xdata()).tolist() == [0.5, 1.0]
    assert ydata(right.lines[0]) == [-0.5, 1.0]


def test_training_curve_draws_every_key_and_its_twin():
    curve = pd.DataFrame(
        {
            "case": ["one epoch"] * 4 + ["two levels"] * 2,
            "key": [0, 0, 1, 1, 0, 0],
            "reviews": [500, 1000] * 3,
            "encrypted": [80.0, 84.0, 81.0, 85.0, 78.0, 79.0],
            "clear twin": [80.5, 84.5, 81.25, 85.5, 78.0, 79.0],
        }
    )
    figure = figures.training_curve(curve, {"the paper": 75.0})
    top, bottom = figure.axes
    assert [ydata(line) for line in top.lines] == [
        [80.0, 84.0],
        [80.5, 84.5],
        [81.0, 85.0],
        [81.25, 85.5],
        [78.0, 79.0],
        [78.0, 79.0],
        [75.0, 75.0],
    ]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["one epoch", "two levels"]
    assert [text.get_text() for text in top.texts] == ["the paper"]
    figure.canvas.draw()
    assert not any(legend.get_window_extent().overlaps(axes.bbox) for axes in (top, bottom)), "it would cover a line"
    assert [ydata(line) for line in bottom.lines[:3]] == [[-0.5, -0.5], [-0.25, -0.5], [0.0, 0.0]]


def test_choice_has_a_panel_for_each_set_and_number_of_epochs():
    table = pd.DataFrame(
        {
            "features": "words",
            "parameters": ["one-level-128"] * 2 + ["two-level-128"] * 3,
            "largest multiplier": 1,
            "learning rate": [0.01, 0.02, 0.01, 0.02, 0.01],
            "decay": [0.0, 0.0, 0.0, 0.0, 0.5],
            "epochs": [1, 1, 2, 2, 2],
            "held-out percent, clear": [80.0, 81.0, 82.0, 83.0, 84.0],
            "held-out percent, with noise": [70.0, 71.0, 72.0, 73.0, 74.0],
        }
    )
    one, two = figures.choice(table).axes
    assert [ydata(line) for line in one.lines] == [[70.0, 71.0], [80.0, 81.0]]
    assert [ydata(line) for line in two.lines] == [[72.0, 73.0], [82.0, 83.0], [74.0], [84.0]]
    assert (one.get_title(), two.get_title()) == ("one-level-128, 1 epoch", "two-level-128, 2 epochs")
    assert one.lines[0].get_color() == two.lines[0].get_color() != two.lines[2].get_color()
