"""Figures on packed weights: each draws the numbers that it was given."""

import numpy as np
import pandas as pd
import pytest

from encnn.report import packed_figures as figures

pytestmark = pytest.mark.usefixtures("checked_figures")


def test_a_block_has_a_panel_for_each_part():
    body, phase = figures.packed_block({"body": np.array([0.1, -0.4]), "phase": np.array([3.0, 1.0, 2.0])}).axes
    assert (body.get_title(), phase.get_title()) == ("body", "phase")
    assert np.asarray(phase.lines[0].get_ydata()).tolist() == [3.0, 1.0, 2.0]


def test_a_row_for_each_step_of_the_trace():
    axis, _ = figures.trace_steps(np.array([[0.5, 0.25], [-0.25, 0.0]]), [3], noise=2.0**-20).axes
    assert axis.images[0].get_array().tolist() == [[-1.0, -2.0], [-2.0, -20.0]]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["start", "after X \N{RIGHTWARDS ARROW} X^3"]


def test_measured_and_predicted_noise_side_by_side():
    axis = figures.trace_noise(np.array([1e-9, 2e-9, 3e-9]), np.array([1e-9, 2e-9, 4e-9])).axes[0]
    predicted, measured = (np.asarray(line.get_ydata()).tolist() for line in axis.lines)
    assert (predicted, measured) == ([1e-9, 2e-9, 4e-9], [1e-9, 2e-9, 3e-9])
    assert [label.get_text() for label in axis.get_xticklabels()] == ["odd", "2", "place 0"]


def test_accuracy_over_both_sizes_with_the_clear_ceiling():
    table = pd.DataFrame(
        {
            "case": ["words", "pairs"],
            "model MB": [0.1, 2.0],
            "rows MB": [80.0, 1300.0],
            "test accuracy percent": [87.0, 91.0],
            "clear twin test accuracy percent": [87.5, 91.1],
        }
    )
    axis = figures.accuracy_by_size(table).axes[0]
    points = [(line.get_xdata()[0], line.get_ydata()[0]) for line in axis.lines if line.get_marker() == "o"]
    assert points == [(80.0, 87.0), (0.1, 87.0), (1300.0, 91.0), (2.0, 91.0)]
    assert [line.get_ydata()[0] for line in axis.lines if line.get_linestyle() == "-"][-1] == 91.1
    marks = ["packed", "one ciphertext per weight (computed)", "the same training in the clear"]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["words", "pairs", *marks]


def test_scores_and_their_distances():
    twin = np.linspace(-1, 1, 50)[:, None]
    z = twin + 0.01 * (-1.0) ** np.arange(50)[:, None]
    scores, distances = figures.noise_in_scores(z, twin, predicted=0.02).axes
    assert np.asarray(scores.lines[1].get_ydata()).tolist() == z.ravel().tolist()
    heights = np.array([patch.get_height() * patch.get_width() for patch in distances.patches])
    assert heights.sum() == pytest.approx(1) and (heights > 0).sum() == 2
    assert distances.get_legend_handles_labels()[1] == ["measured, sd 0.01", "predicted, sd 0.02"]
