"""Figures on the attacks: each draws the numbers that it was given."""

import numpy as np
import pandas as pd
import pytest

from encnn.report import attack_figures as figures

pytestmark = pytest.mark.usefixtures("checked_figures")


def test_advantages_are_the_heights_of_bars():
    table = pd.DataFrame({"encryption": ["a", "a", "b", "b"], "test": ["x", "y", "x", "y"], "advantage": [1.0, 0.9, 0.25, 0.0]})
    axis = figures.advantages(table).axes[0]
    heights = [[bar.get_height() for bar in bars] for bars in axis.containers]
    assert heights == [[1.0, 0.25], [0.9, 0.0]]


def test_oracle_queries_are_lines_over_d():
    table = pd.DataFrame(
        {"d": [2, 4] * 2, "secret": ["ternary"] * 4, "answers": ["full"] * 2 + ["sign"] * 2, "queries": [1, 2, 4, 8]}
    )
    axis = figures.oracle_queries(table).axes[0]
    drawn = {tuple(np.asarray(line.get_ydata()).tolist()) for line in axis.lines}
    assert {(1, 2), (4, 8)} <= drawn and axis.get_xscale() == axis.get_yscale() == "log"


def test_lattice_cost_draws_measured_times_and_goes_on_from_them():
    measured = pd.DataFrame(
        {"q_bits": [12, 12, 32], "d": [10, 20, 30], "cpu_s": [1.0, 4.0, 16.0], "block_size": [2, 10, 2]}
    ).assign(predicted_block_size=[2, 5, 2])
    ahead = pd.DataFrame({"d": [20, 1000], "log2_seconds": [2.0, 90.0]})
    left, right = figures.lattice_cost(measured, {12: ahead, 32: ahead}).axes
    lines = {str(line.get_label()): np.asarray(line.get_ydata()).tolist() for line in (*left.lines, *right.lines)}
    assert lines["measured, log2 q = 12"] == [0, 2] and lines["measured, log2 q = 32"] == [4]
    assert lines["extrapolated by the estimate, log2 q = 12"] == [2, 90]
    assert lines["needed, log2 q = 12"] == [2, 10] and lines["estimate, log2 q = 12"] == [2, 5]
    assert {text.get_text() for text in left.texts} == set(figures.DURATIONS)


def test_verdicts_draw_one_bar_a_model_and_the_minimum():
    table = pd.DataFrame({"model": ["honest", "flipped"], "percent": [97.0, 3.0], "accepted": [True, False]})
    (axis,) = figures.verdicts(table, minimum=90).axes
    honest, flipped = axis.patches
    assert [honest.get_width(), flipped.get_width()] == [97, 3]
    assert honest.get_facecolor() != flipped.get_facecolor()
    assert np.asarray(axis.lines[0].get_xdata()).tolist() == [90, 90]
