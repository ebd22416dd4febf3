"""Names beside points: each is placed where it covers neither a point nor another name."""

import itertools
from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

DIRECTIONS = [(1, 0.5), (1, -0.5), (-1, 0.5), (-1, -0.5), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1)]
DISTANCES = (7, 13, 20, 28)
"""Places that are tried, nearest first, in points from the point that is named."""
RADIUS_POINTS = 5.0


def name_points(axes: Axes, points: np.ndarray, names: Sequence[str], chosen: Iterable[int], size: float = 8) -> list[Annotation]:
    """Write `names[i]` beside `points[i]` for each i of `chosen`, shape (points, 2); return the names written.

    A name for which there is no room at any of the places tried is left out.  Call this when the picture is otherwise complete:
    the layout is fixed here.
    """
    figure = axes.figure.figure  # the figure itself, where axes stand in a part of it
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    radius = RADIUS_POINTS * figure.dpi / 72
    taken = [Bbox.from_extents(x - radius, y - radius, x + radius, y + radius) for x, y in axes.transData.transform(points)]
    written = []
    for i in chosen:
        label = _place(axes, (float(points[i, 0]), float(points[i, 1])), names[i], taken, size)
        if label is not None:
            taken.append(label.get_window_extent())
            written.append(label)
    return written


def _place(axes: Axes, point: tuple[float, float], name: str, taken: list[Bbox], size: float) -> Annotation | None:
    """Write a name at the first free place beside a point, with a thin line where it is not next to it."""
    for distance, (right, up) in itertools.product(DISTANCES, DIRECTIONS):
        offset, side = (distance * right, distance * up), {1: "left", -1: "right", 0: "center"}[right]
        label = axes.annotate(name, point, offset, textcoords="offset points", size=size, ha=side, va="center")
        box = label.get_window_extent()
        if _inside(axes, box) and not any(box.overlaps(other) for other in taken):
            if distance > DISTANCES[0]:
                axes.add_artist(_line(axes, point, offset))
            return label
        label.remove()
    return None


def _line(axes: Axes, point: tuple[float, float], offset: tuple[float, float]) -> Line2D:
    """Return a thin line from a point towards its name; offset in points."""
    start = axes.transData.transform(point)
    ends = axes.transData.inverted().transform([start, start + np.array(offset) * axes.figure.dpi / 72])
    return Line2D(ends[:, 0], ends[:, 1], linewidth=0.5, color="#777777", zorder=1)


def _inside(axes: Axes, box: Bbox) -> bool:
    frame = axes.get_window_extent()
    return bool(frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1)
