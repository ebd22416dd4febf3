"""The figures on the sigmoid, the reviews and XOR carry the numbers they were given."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from encnn.arithmetic.sigmoid import minimax, sigmoid, taylor
from encnn.report import review_figures, sigmoid_figures, xor_figures

pytestmark = pytest.mark.usefixtures("checked_figures")


Z = np.linspace(-4, 4, 81)


def test_error_bands_draw_values_errors_and_where_they_pass_the_tolerance():
    p = taylor(3)
    figure = sigmoid_figures.error_bands(pd.DataFrame({"third": p(Z)}, index=Z), {"third": 2.0}, tolerance=0.05)
    values, errors = figure.axes
    np.testing.assert_array_equal(values.lines[0].get_ydata(), sigmoid(Z))
    np.testing.assert_array_equal(values.lines[1].get_ydata(), p(Z))
    drawn = np.asarray(errors.lines[0].get_ydata(), dtype=float)
    np.testing.assert_allclose(drawn[Z != 0], np.abs(p.error(Z))[Z != 0])
    assert np.isnan(drawn[Z == 0]).all()  # an error of zero has no logarithm
    assert list(errors.lines[1].get_xdata()) == [-2.0, 2.0]
    assert list(errors.lines[1].get_ydata()) == [0.05, 0.05]


def test_error_bands_leave_out_marks_beyond_the_picture():
    figure = sigmoid_figures.error_bands(pd.DataFrame({"first": taylor(1)(Z)}, index=Z), {"first": np.inf}, tolerance=0.05)
    assert len(figure.axes[1].lines) == 2  # the error and the tolerance


def test_error_waves_mark_the_peaks_between_lines_at_the_largest_error():
    error = pd.Series(minimax(3, 4.0).error(Z), index=Z)
    figure = sigmoid_figures.error_waves(pd.DataFrame({"fit": error}), {"fit": Z[[0, 80]]})
    wave, peaks, low, high = figure.axes[0].lines
    np.testing.assert_array_equal(wave.get_ydata(), error)
    np.testing.assert_array_equal(peaks.get_ydata(), error.to_numpy()[[0, 80]])
    level = error.abs().max()
    assert [low.get_ydata()[0], high.get_ydata()[0]] == [-level, level]
    assert f"{level:.4f}" in figure.axes[0].get_title()


def test_scores_met_draws_a_density_over_the_errors():
    errors = pd.DataFrame({"Taylor 1": taylor(1).error(Z), "Taylor 3": taylor(3).error(Z)}, index=Z)
    figure = sigmoid_figures.scores_met({"run": np.array([[0.05], [0.06], [3.05]])}, errors)
    above, below = figure.axes
    outline = above.patches[0].get_xy()
    assert outline[:, 1].max() == pytest.approx(2 / 3 / (8 / 80))  # two of three in one bin of 80
    np.testing.assert_allclose(below.lines[1].get_ydata()[50:], np.abs(errors["Taylor 3"])[50:])
    assert [text.get_text() for text in below.get_legend().get_texts()] == list(errors)


def test_runs_in_range_part_what_is_inside_from_what_is_outside():
    figure = sigmoid_figures.runs_in_range({"a": np.array([0.0, 1.0, 5.0]), "b": np.array([-3.0])}, (-2.0, 2.0))
    inside, outside = figure.axes[0].lines
    assert (list(inside.get_xdata()), list(inside.get_ydata())) == ([0, 1], [0.0, 1.0])
    assert (list(outside.get_xdata()), list(outside.get_ydata())) == ([2], [5.0])
    assert list(figure.axes[1].lines[1].get_ydata()) == [-3.0]
    assert [axis.get_title() for axis in figure.axes] == ["a", "b"]


def test_two_errors_draw_both_and_floor_them_at_the_resolution():
    table = pd.DataFrame({"polynomial": "p", "z": [0.0, 1.0], "encryption": [1e-8, 0.0], "approximation": [0.0, 1e-3]})
    other = table.assign(polynomial="q", encryption=[1e-4, 1e-5])
    figure = sigmoid_figures.two_errors(pd.concat([table, other]))
    approximation, encryption = figure.axes[0].lines
    assert list(approximation.get_ydata()) == [sigmoid_figures.RESOLUTION, 1e-3]
    assert list(encryption.get_ydata()) == [1e-8, sigmoid_figures.RESOLUTION]
    assert list(figure.axes[1].lines[1].get_ydata()) == [1e-4, 1e-5]


def test_ratio_distribution_counts_words_and_shades_the_cutoff():
    figure = review_figures.ratio_distribution({"toy": np.array([-2.0, -1.9, 0.1, 1.5])}, cutoff=0.5)
    bars, shade = figure.axes[0].patches[:-1], figure.axes[0].patches[-1]
    assert sum(bar.get_height() for bar in bars) == 4
    assert (shade.get_x(), shade.get_width()) == (-0.5, 1.0)
    assert bars[0].get_facecolor() != bars[-1].get_facecolor()


def words_table(words: list[str], ratios: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"word": words, "positive": [9] * len(words), "negative": [2] * len(words), "log_ratio": ratios})


def test_leaning_words_run_from_most_positive_to_most_negative():
    positive, negative = words_table(["best", "good"], [2.0, 1.0]), words_table(["worst", "bad"], [-2.0, -1.0])
    axis = review_figures.leaning_words(positive, negative, "title").axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["best", "good", "bad", "worst"]
    assert [bar.get_width() for bar in axis.patches] == [2.0, 1.0, -1.0, -2.0]
    assert axis.texts[0].get_text() == "9 : 2"


def test_vocabulary_sizes_draw_a_line_a_cutoff():
    sizes = pd.DataFrame({0.0: [100, 50, 10], 0.5: [90, 40, 5]}, index=pd.Index([0, 10, 100], name="min_count"))
    axis = review_figures.vocabulary_sizes(sizes, "title").axes[0]
    assert [list(line.get_ydata()) for line in axis.lines] == [[100, 50, 10], [90, 40, 5]]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["0.0", "0.5"]


def test_review_lengths_draw_both_counts_with_their_medians():
    lengths, different = {"toy": np.array([3, 5, 100])}, {"toy": np.array([2, 4, 7])}
    axis = review_figures.review_lengths(lengths, different).axes[0]
    assert [line.get_xdata()[0] for line in axis.lines] == [5, 4]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["words, median 5", "different known words, median 4"]
    assert sum(bar.get_height() for bar in axis.patches) == 5  # each review in both histograms, but for the longest


def test_word_map_names_the_words_at_both_ends():
    points = np.arange(8.0).reshape(4, 2)
    figure = review_figures.word_map(points, ["a", "b", "c", "d"], np.array([-1.0, 0.1, -0.2, 3.0]), "lean", "title", named=2)
    axis, colours = figure.axes
    np.testing.assert_array_equal(axis.collections[0].get_offsets(), points)
    assert [text.get_text() for text in axis.texts] == ["a", "d"]
    assert colours.get_ylabel() == "lean"
    assert axis.collections[0].get_clim() == (-3.0, 3.0)  # neutral in the middle


def test_word_map_keeps_names_apart():
    points = np.array([[0.0, 0.0], [0.0, 0.01], [0.01, 0.0], [5.0, 5.0]])
    lean = np.array([-1.0, -0.5, 0.5, 1.0])
    figure = review_figures.word_map(points, ["close", "closer", "closest", "far"], lean, "lean", "title", named=4)
    figure.draw_without_rendering()
    boxes = [plt.Text.get_window_extent(text) for text in figure.axes[0].texts]  # without the line to the point
    assert len(boxes) == 4
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_learning_curves_draw_both_runs_and_their_largest_difference():
    clear = np.array([[0.5, 0.5], [0.1, 0.9]])
    encrypted = clear + [[0.0, 0.01], [-0.02, 0.0]]
    left, right = xor_figures.learning_curves(clear, encrypted, ["0, 0", "0, 1"]).axes
    np.testing.assert_array_equal(left.lines[0].get_ydata(), clear[:, 0])
    np.testing.assert_array_equal(left.lines[1].get_ydata(), encrypted[:, 0])
    np.testing.assert_allclose(right.lines[0].get_ydata(), [0.01, 0.02])
    assert list(right.lines[0].get_xdata()) == [1, 2]


def test_decision_surfaces_show_each_network_and_the_truth_at_the_corners():
    grid = np.linspace(0, 1, 5)
    p = np.add.outer(grid, grid) / 2
    figure = xor_figures.decision_surfaces(grid, {"Non-PP": p, "PP": p})
    assert [axis.get_title() for axis in figure.axes[:2]] == ["Non-PP", "PP"]
    assert {text.xy: text.get_text() for text in figure.axes[0].texts} == {(0, 0): "0", (0, 1): "1", (1, 0): "1", (1, 1): "0"}
    half = figure.axes[0].collections[1].get_paths()[0].vertices
    np.testing.assert_allclose(half.sum(axis=1), 1.0)  # the line p = 1/2


def test_trainer_view_writes_large_entries_in_billions():
    before, after = np.array([[1_500_000_000, -2, -18_600_000_000]]), np.array([[-3_000_000_000, 5, 0]])
    figure = xor_figures.trainer_view(before, after)
    assert [text.get_text() for text in figure.axes[0].texts] == ["1.5 bn", "-2", "-18.6 bn"]
    assert [text.get_text() for text in figure.axes[1].texts] == ["-3 bn", "5", "0"]
