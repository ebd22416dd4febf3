"""Figures on the schemes: each draws the numbers that it was given."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy.stats import norm

from encnn.report import scheme_figures as figures

pytestmark = pytest.mark.usefixtures("checked_figures")


def line(figure: Figure, label: str, axis: int = 0):
    """Return (x, y) of the one line with this label."""
    (found,) = [one for one in figure.axes[axis].lines if one.get_label() == label]
    return np.asarray(found.get_xdata()), np.asarray(found.get_ydata())


def test_gaussian_density_is_the_mean_over_each_bin():
    edges = np.array([-30.0, -2.0, 0.5, 30.0])
    centres, density = figures.gaussian_density(edges, sd=3.0)
    np.testing.assert_allclose(centres, [-16, -0.75, 15.25])
    np.testing.assert_allclose(density * np.diff(edges), np.diff(norm.cdf(edges, scale=3.0)))


def test_noise_histogram_draws_all_noise_under_its_density():
    noise = np.rint(np.random.default_rng(1).normal(0, 50, (40, 25)))
    figure = figures.noise_histogram(noise, sd=50, bound=4096, limit=2.0**20, title="title")
    left, right = figure.axes
    bars = left.patches
    assert sum(bar.get_height() * bar.get_width() for bar in bars) == pytest.approx(1)
    assert bars[0].get_x() <= noise.min() and bars[-1].get_x() + bars[-1].get_width() >= noise.max()
    x, density = line(figure, "predicted, sd 50")
    np.testing.assert_allclose(density, norm.pdf(x, scale=50), rtol=0.02, atol=1e-5)
    assert [bar.get_width() for bar in right.patches] == pytest.approx([np.log2(50), np.log2(np.abs(noise).max()), 12, 20])


def test_narrow_noise_has_one_bin_for_each_integer():
    noise = np.array([-1.0, 0.0, 0.0, 0.0, 2.0])
    figure = figures.noise_histogram(noise, sd=1, bound=4, limit=8, title="")
    shares = {round(bar.get_x() + 0.5): bar.get_height() for bar in figure.axes[0].patches}
    assert {e: share for e, share in shares.items() if share} == pytest.approx({-1: 0.2, 0: 0.6, 2: 0.2})


def test_ciphertext_against_plaintext_has_a_panel_for_each_reading():
    plain = np.array([[1, 2], [3, 4]])
    figure = figures.ciphertext_against_plaintext(plain, {"toy": plain + 0.1, "other": -plain}, "c / (w scale)")
    assert figure.axes[0].get_ylabel() == "c / (w scale), read without a key"
    assert [axis.get_title() for axis in figure.axes] == ["toy", "other"]
    points = figure.axes[0].collections[0].get_offsets()
    np.testing.assert_allclose(points, [[1, 1.1], [2, 2.1], [3, 3.1], [4, 4.1]])


def test_failure_curve():
    table = pd.DataFrame({"sd_bits": [-1, 0, 1], "failed": [0.1, 0.3, 0.6], "predicted": [0.05, 0.32, 0.62]})
    figure = figures.failure_curve(table)
    np.testing.assert_array_equal(line(figure, "measured"), [table.sd_bits, table.failed])
    np.testing.assert_array_equal(line(figure, "predicted: P(|e| > w / 2)"), [table.sd_bits, table.predicted])


def test_noise_by_key_has_a_half_violin_for_each_key_and_kind():
    rng = np.random.default_rng(1)
    kinds, noise = ["signed", "balanced"] * 60, rng.normal(size=120)
    table = pd.DataFrame({"key": np.repeat([0, 1, 2], 40), "digits": kinds, "noise": noise})
    figure = figures.noise_by_key(table)
    axis = figure.axes[0]
    assert len(axis.collections) == 6
    heights = np.concatenate([one.get_paths()[0].vertices[:, 1] for one in axis.collections])
    assert (heights.min(), heights.max()) == pytest.approx((table.noise.min(), table.noise.max()))
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["signed", "balanced"]


def test_convergence_draws_a_line_for_each_computation():
    table = pd.DataFrame({"step": [0, 1, 0, 1], "error": [0.5, 0.25, 0.5, 0.3], "computed": ["clear"] * 2 + ["encrypted"] * 2})
    figure = figures.convergence(table, floor=1e-3)
    axis = figure.axes[0]
    assert axis.get_yscale() == "log"
    drawn = [list(one.get_ydata()) for one in axis.lines if len(one.get_xdata()) == 2]
    assert [0.5, 0.25] in drawn and [0.5, 0.3] in drawn and [1e-3, 1e-3] in drawn


def test_noise_growth_is_a_grid_of_sets_and_operations():
    rows = [
        (name, operation, count, 10 * i + 3 * j + count, 10 * i + 3 * j + count / 2)
        for i, name in enumerate(("a", "b"))
        for j, operation in enumerate(("add", "product"))
        for count in range(4)
    ]
    table = pd.DataFrame(rows, columns=["parameters", "operation", "count", "predicted_bits", "measured_bits"])
    figure = figures.noise_growth(table, {"a": 20.0, "b": 40.0})
    assert [axis.get_title() for axis in figure.axes] == ["add", "product", "", ""]
    np.testing.assert_array_equal(line(figure, "worst-case bound", axis=3), [range(4), [13, 14, 15, 16]])
    np.testing.assert_array_equal(line(figure, "largest measured", axis=1), [range(4), [3, 3.5, 4, 4.5]])
    assert list(line(figure, "limit w / 2", axis=2)[1]) == [40, 40]


def test_budget_marks_right_and_wrong_decryptions():
    table = pd.DataFrame(
        {"count": [0, 1, 2], "guaranteed_bits": [5, 0, -5], "measured_bits": [8, 3, -2], "right": [True, True, False]}
    )
    figure = figures.budget(table)
    np.testing.assert_array_equal(line(figure, "guaranteed, no key needed"), [table["count"], table.guaranteed_bits])
    right, wrong = figure.axes[0].collections
    assert right.get_offsets().tolist() == [[0, 8], [1, 3]]
    assert wrong.get_offsets().tolist() == [[2, -2]]


def test_base_trade_off_names_bases_and_sizes():
    columns = {"base_bits": [8, 16], "predicted_bits": [29, 31], "measured_bits": [23, 25], "key_kb": [512.0, 256.0]}
    table = pd.DataFrame(columns)
    figure = figures.base_trade_off(table, limit_bits=43)
    np.testing.assert_array_equal(line(figure, "largest measured"), [table.key_kb, table.measured_bits])
    np.testing.assert_array_equal(line(figure, "worst-case bound"), [table.key_kb, table.predicted_bits])
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["8\n512 kB", "16\n256 kB"]
