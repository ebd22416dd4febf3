"""Figures on FV and YASHE: each draws the numbers that it was given."""

import numpy as np
import pandas as pd
import pytest

from encnn.report import ring_figures as figures

pytestmark = pytest.mark.usefixtures("checked_figures")


def test_noise_budgets_draw_bound_and_measurement_for_each_set():
    table = pd.DataFrame(
        {
            "parameters": ["a", "a", "b"],
            "depth": [0, 1, 0],
            "predicted_bits": [50.0, 20.0, 40.0],
            "measured_bits": [51.0, 25.0, 42.0],
        }
    )
    (axis,) = figures.noise_budgets(table).axes
    drawn = [np.asarray(line.get_ydata()).tolist() for line in axis.lines]
    assert drawn[:4] == [[50, 20], [51, 25], [40], [42]] and drawn[4] == [0, 0]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["a", "b", "guaranteed (bound)"]


def test_digits_stand_at_their_places():
    coefficients = np.array([[1, 0, 0, 0, 0, 0, 0, -4], [0, 0, 2, 0, 0, 0, 0, 0]], object)
    panels = {"moved": (coefficients, np.array([True, False])), "right": (coefficients, np.array([True, True]))}
    left, right, *_ = figures.digit_places(panels).axes
    image = left.images[0]
    drawn, low = image.get_array(), image.get_extent()[0] + 0.5
    assert {(int(i), int(j + low), float(drawn[i, j])) for i, j in zip(*np.nonzero(~drawn.mask), strict=True)} == {
        (0, 0, 0.0),  # 1 at X^0
        (0, -1, 2.0),  # -4 at X^(N - 1), the first place after the point
        (1, 2, 1.0),
    }
    crosses = [line for line in left.lines if line.get_marker() == "x"]
    assert [line.get_ydata()[0] for line in crosses] == [1] and left.get_legend() is not None
    assert not [line for line in right.lines if line.get_marker() == "x"] and right.get_legend() is None
    assert (left.get_title(), right.get_title()) == ("moved", "right")


def test_training_budgets_have_a_panel_for_each_budget():
    table = pd.DataFrame(
        {
            "encoding": ["slots", "slots", "fractional", "fractional"],
            "step": [0, 1, 0, 1],
            "scale_bits": [10, 20, 0, 0],
            "plaintext_bits": [30, 15, 40, 28],
            "noise_bits": [50, 35, 51, 38],
        }
    )
    axes = figures.training_budgets(table).axes
    drawn = [[np.asarray(line.get_ydata()).tolist() for line in axis.lines] for axis in axes]
    assert drawn == [[[10, 20], [0, 0]], [[30, 15], [40, 28]], [[50, 35], [51, 38]]]
    assert [axis.get_ylabel() for axis in axes] == ["scale (bits)", "plaintext budget left (bits)", "noise budget left (bits)"]


def test_security_draws_attacks_presets_and_the_fatigue_point():
    table = pd.DataFrame({"q_bits": [50, 100] * 2, "attack": ["key"] * 2 + ["sublattice"] * 2, "bits": [500, 200, 400, 60]})
    (axis,) = figures.security(table, 44.0, {"fv": (100.0, 200.0)}).axes
    lines = {str(line.get_label()): np.asarray(line.get_xdata()).tolist() for line in axis.lines}
    heights = {str(line.get_label()): np.asarray(line.get_ydata()).tolist() for line in axis.lines}
    assert heights["key"] == [500, 200] and heights["sublattice"] == [400, 60]
    assert (lines["fv"], heights["fv"]) == ([100], [200]) and lines["YASHE: fatigue point"] == [44, 44]
    assert axis.get_yscale() == "log"
