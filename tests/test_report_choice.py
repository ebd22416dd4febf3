"""The pictures of choices draw the numbers that they are given."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from encnn.report.choice_figures import bits_of_features, held_out_losses


@pytest.fixture
def tried() -> pd.DataFrame:
    lines = [("two", 4, 1.0, 0.02, 1, 0.3, 0.0), ("two", 4, 1.0, 0.01, 1, 0.5, 0.0), ("two", 4, 1.0, 0.02, 2, 0.25, 0.0)]
    lines += [("two", 4, 1.0, 0.04, 1, 0.2, 5.0), ("two", 6, 1.0, 0.02, 1, 0.9, 0.0), ("two", 4, 1.0, 0.01, 2, 3.0, 0.0)]
    columns = ["parameters", "bits", "width", "learning_rate", "epochs", "log loss", "out of range percent"]
    return pd.DataFrame(lines, columns=columns)


def test_losses_are_drawn_by_epochs_and_those_out_of_range_are_crosses(tried: pd.DataFrame) -> None:
    figure = held_out_losses(tried, tried.iloc[2])
    lines = [(list(line.get_xdata()), list(line.get_ydata())) for line in figure.axes[0].lines]
    assert lines == [([0.01, 0.02], [0.5, 0.3]), ([0.02], [0.25]), ([0.04], [0.2]), ([0.02], [0.25])]
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["1 epoch", "2 epochs", "out of range", "chosen"]
    plt.close(figure)


def test_bits_are_drawn_beside_their_noise() -> None:
    frame = pd.DataFrame({"bits": [2, 3], "right": [90.0, 95.0], "exact": [96.0, 96.0], "noise": [0.1, 0.2]})
    figure = bits_of_features(frame)
    left, right = figure.axes
    assert [list(line.get_ydata()) for line in left.lines] == [[90.0, 95.0], [96.0, 96.0]]
    assert list(right.lines[0].get_ydata()) == [0.1, 0.2] and right.get_yscale() == "log"
    plt.close(figure)
