"""The numbers that the figures draw."""

import numpy as np
import pandas as pd
import pytest

from encnn.report import federation_figures as figures

pytestmark = pytest.mark.usefixtures("checked_figures")


def test_every_organisation_and_hand_over_is_drawn() -> None:
    figure = figures.organisations(["A", "B", "C"])
    texts = " ".join(text.get_text() for text in figure.axes[0].texts)
    for part in ("secret key A", "secret key B", "secret key C", "key A to B", "key B to C", "recipient key C", "no secret"):
        assert part in texts
    assert "key C to" not in texts


def test_accuracies_are_the_bars() -> None:
    table = pd.DataFrame({"organisation": ["A", "B"], "alone percent": [70.0, 80.0], "in turn percent": [70.0, 90.0]})
    figure = figures.accuracy_by_turn(table)
    assert [bar.get_height() for bar in figure.axes[0].patches] == [70.0, 80.0, 70.0, 90.0]


def test_noise_is_drawn_with_the_size_of_keys() -> None:
    table = pd.DataFrame({"base bits": [2, 4], "predicted": [0.1, 0.2], "measured": [0.11, 0.19], "key bytes": [3000, 1000]})
    figure = figures.noise_by_digits(table)
    np.testing.assert_array_equal(figure.axes[0].lines[1].get_ydata(), [0.11, 0.19])
    assert [text.get_text() for text in figure.axes[0].texts] == ["3 kB", "1 kB"]
