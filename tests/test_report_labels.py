"""Names beside points: they cover nothing, and are left out where there is no room."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from encnn.report.labels import name_points


@pytest.fixture
def axes():
    figure, axes = plt.subplots(figsize=(5, 4))
    yield axes
    plt.close(figure)


def test_names_cover_neither_points_nor_names(axes):
    points = np.random.default_rng(0).normal(size=(40, 2))
    axes.scatter(*points.T)
    labels = name_points(axes, points, [f"word {i}" for i in range(40)], range(40))
    assert 20 <= len(labels) <= 40
    boxes = [label.get_window_extent() for label in labels]
    pixels = axes.transData.transform(points)
    assert not any(box.contains(x, y) for box in boxes for x, y in pixels)
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    frame = axes.get_window_extent()
    assert all(frame.contains(box.x0, box.y0) and frame.contains(box.x1, box.y1) for box in boxes)


def test_names_without_room_are_left_out(axes):
    points = np.array([[0.5, 0.5]] * 60)
    axes.scatter(*points.T)
    labels = name_points(axes, points, ["a rather long name, with more words than room"] * 60, range(60))
    assert 1 <= len(labels) < 30


def test_the_chosen_name_stands_beside_its_point(axes):
    axes.scatter([0, 1, 2], [0, 1, 2])
    (label,) = name_points(axes, np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]), ["a", "b", "c"], [1])
    assert (label.get_text(), label.xy) == ("b", (1.0, 1.0))
