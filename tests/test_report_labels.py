"""Names beside points: each stands in its axes, on no other name and on no point, and is tied to its own point."""

import itertools
from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.transforms import Bbox

from encnn.report.labels import name_points


@pytest.fixture(autouse=True)
def close_figures() -> Iterator[None]:
    yield
    plt.close("all")


NAMES = ["clear", "integer vectors, paper", "bootstrapped, two levels", "FV, fixed point", "YASHE"]


def named(points: np.ndarray, avoid: np.ndarray | None = None) -> tuple[plt.Axes, list[Bbox]]:
    figure, axes = plt.subplots(figsize=(9, 5))
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.scatter(*points.T, s=100)
    figure.draw_without_rendering()
    name_points(axes, points, NAMES[: len(points)], [10.0] * len(points), avoid=avoid)
    figure.draw_without_rendering()
    return axes, [plt.Text.get_window_extent(text) for text in axes.texts]


@settings(max_examples=25)
@given(st.lists(st.tuples(*[st.floats(0.0, 1.0)] * 2), min_size=1, max_size=5))
def test_names_stand_within_the_frame_and_apart(points: list[tuple[float, float]]) -> None:
    plt.close("all")
    axes, boxes = named(np.array(points))
    frame = axes.get_window_extent()
    assert [text.get_text() for text in axes.texts] == NAMES[: len(points)]
    assert all(frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1 for box in boxes)
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


def test_names_keep_off_points_with_and_without_a_name() -> None:
    points, others = np.array([[0.5, 0.5], [0.52, 0.52]]), np.array([[0.58, 0.5], [0.42, 0.5]])
    axes, boxes = named(points, others)
    pixels = axes.transData.transform(np.concatenate([points, others]))
    assert not any(box.contains(x, y) for box in boxes for x, y in pixels)
    assert [text.xy for text in axes.texts] == [tuple(point) for point in points]
