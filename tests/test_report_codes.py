"""Figures on products by codes: each draws the numbers that it was given."""

import numpy as np
import pytest

from encnn.report import code_figures as figures

pytestmark = pytest.mark.usefixtures("checked_figures")


def test_the_second_arc_begins_where_the_first_ends():
    (axis,) = figures.circles([[("2", 0.1), ("-3", 0.6), ("-6", 0.7)]]).axes
    first, second, total = (axis.lines[k].get_xdata() for k in (0, 2, 4))
    assert (first[0], first[-1]) == pytest.approx((0, 0.2 * np.pi))
    assert (second[0], second[-1]) == pytest.approx((0.2 * np.pi, 1.4 * np.pi))
    assert (total[0], total[-1]) == pytest.approx((0, 1.4 * np.pi))
    assert axis.get_title() == "2 times -3"


def test_errors_are_a_histogram_under_the_standard_gaussian():
    (axis,) = figures.product_errors(np.array([-1.05, 0.95, 0.95])).axes
    bars = {round(bar.get_x() + bar.get_width() / 2, 2): bar.get_height() for bar in axis.patches if bar.get_height()}
    assert bars == pytest.approx({-1.1: 5 / 3, 0.9: 10 / 3}, rel=1e-6)
    assert max(axis.lines[0].get_ydata()) == pytest.approx(0.3989, abs=0.01)
