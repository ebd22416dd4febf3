"""Names beside points, placed so that no name covers another name, a point, or the frame."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

FONT_POINTS = 9.0
STEP_POINTS = 4.0
"""How much farther from the point each further place for a name is."""
FARTHEST_POINTS = 160.0
ROOM_POINTS = 3.0
SIDE_ROOM_POINTS = 12.0
"""More room to the sides than above, since two names on one line would read like one."""
NAME_ON_NAME = 100
"""Where no place is free, covering a name is as bad as covering this many points and pieces of lines."""
ANGLES = np.deg2rad([0, 180, 90, 270, 30, 150, 210, 330, 60, 120, 240, 300])


@dataclass(frozen=True)
class _Place:
    """A place for a name."""

    offset: tuple[float, float]  # of its centre from the point, in typographic points
    box: Bbox  # around the name, in pixels
    line: list[Bbox]  # small boxes along the line from the point to the name, in pixels


def name_points(
    axes: Axes,
    points: np.ndarray,
    names: Sequence[str],
    widths: Sequence[float],
    size: float = FONT_POINTS,
    avoid: np.ndarray | None = None,
) -> None:
    """Write a name beside each point, at the nearest place that is free, and draw a line from the point to it.

    points: shape (n, 2), in data coordinates.  avoid: further points, shape (k, 2), which have no name.  widths: the widths of
    the points, in typographic points.  size: the size of the font.  The figure must have been laid out
    (`figure.draw_without_rendering()`), and must not be laid out again, since places depend on the picture as it is.
    """
    unit = axes.figure.dpi / 72
    pixels = axes.transData.transform(points)
    taken = [_box(x, y, width, width, unit) for (x, y), width in zip(pixels, widths, strict=True)]
    taken += [_box(x, y, min(widths), min(widths), unit) for x, y in ([] if avoid is None else axes.transData.transform(avoid))]
    texts: list[Bbox] = []
    for i, (pixel, name) in enumerate(zip(pixels, names, strict=True)):
        others = taken[:i] + taken[i + 1 :]
        place = _free_place(axes, pixel, name, size, (others, texts), widths[i] / 2)
        texts.append(place.box)
        taken += [place.box, *place.line]
        _write(axes, name, points[i], place.offset, size)


def _free_place(
    axes: Axes, pixel: np.ndarray, name: str, size: float, occupied: tuple[list[Bbox], list[Bbox]], radius: float
) -> _Place:
    """Return the nearest free place within the frame; if no place is free, the one within the frame that covers least."""
    best, least = None, np.inf
    for place in _places(axes, pixel, name, size, radius):
        if not _inside(axes, place.box):
            continue
        boxes, texts = occupied
        covered = sum(place.box.overlaps(box) for box in boxes)
        covered += sum(piece.overlaps(text) for piece in place.line for text in texts)
        covered += NAME_ON_NAME * sum(place.box.overlaps(text) for text in texts)
        if covered < least:
            best, least = place, covered
        if not covered:
            break
    return best or next(_places(axes, pixel, name, size, radius))


def _places(axes: Axes, pixel: np.ndarray, name: str, size: float, radius: float) -> Iterator[_Place]:
    """Yield places around a point, the nearest ones first."""
    unit, (x, y) = axes.figure.dpi / 72, pixel
    width, height = _size(axes, name, size)
    for gap in np.arange(2.0, FARTHEST_POINTS, STEP_POINTS):
        for angle in ANGLES:
            dx = np.cos(angle) * (radius + gap + width / 2)
            dy = np.sin(angle) * (radius + gap + height / 2)
            parts = np.linspace(0.2, 1.0, 20)
            line = [_box(x + part * dx * unit, y + part * dy * unit, 2, 2, unit) for part in parts]
            yield _Place((float(dx), float(dy)), _box(x + dx * unit, y + dy * unit, width, height, unit), line)


def _write(axes: Axes, name: str, point: np.ndarray, offset: tuple[float, float], size: float) -> None:
    line = {"arrowstyle": "-", "color": "#999999", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 0}
    text = axes.annotate(name, tuple(point), offset, textcoords="offset points", arrowprops=line)
    text.set(ha="center", va="center", fontsize=size, zorder=5)


def _size(axes: Axes, name: str, size: float) -> tuple[float, float]:
    """Return the width and the height of a name in typographic points, with a little room around it."""
    text = axes.figure.text(0, 0, name, fontsize=size)
    extent, unit = text.get_window_extent(), axes.figure.dpi / 72
    text.remove()
    return extent.width / unit + SIDE_ROOM_POINTS, extent.height / unit + ROOM_POINTS


def _box(x: float, y: float, width: float, height: float, unit: float) -> Bbox:
    """Return the box around (x, y), in pixels; width and height are given in typographic points."""
    return Bbox.from_bounds(x - width * unit / 2, y - height * unit / 2, width * unit, height * unit)


def _inside(axes: Axes, box: Bbox) -> bool:
    frame = axes.get_window_extent()
    return bool(frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1)
