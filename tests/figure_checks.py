"""What every figure must have: a title, names of its axes in words, and nothing written outside."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure


def complaints(figure: Figure) -> list[str]:
    """Return what a reader would miss in a figure."""
    shown = [axes for axes in figure.axes if axes.axison]
    found = [] if figure.get_suptitle() or any(axes.get_title() for axes in figure.axes) else ["the figure has no title"]
    for axes in shown:
        found += [f"{axes.get_title()!r} has no name for {name}" for name in ("x", "y") if not _named(figure, axes, name)]
    return found


def _named(figure: Figure, axes: Axes, name: str) -> bool:
    """Whether an axis has a label, or needs none: one shared with a neighbour, of words, of angles, or of a colour bar."""
    if axes.get_label() == "<colorbar>":
        return bool(axes.get_xlabel() or axes.get_ylabel())
    label, whole = (axes.get_xlabel(), figure.get_supxlabel()) if name == "x" else (axes.get_ylabel(), figure.get_supylabel())
    return bool(label or whole) or axes.name == "polar" or _words(axes, name) or _shared(axes, name)


def _words(axes: Axes, name: str) -> bool:
    ticks = axes.get_xticklabels() if name == "x" else axes.get_yticklabels()
    return any(any(letter.isalpha() for letter in tick.get_text()) for tick in ticks if "mathdefault" not in tick.get_text())


def _shared(axes: Axes, name: str) -> bool:
    """Whether the axis is drawn and named at the edge of the grid that the axes stand in, or has no numbers at all."""
    place = axes.get_subplotspec()
    edge = place is None or (place.is_last_row() if name == "x" else place.is_first_col())
    ticks = axes.get_xticks() if name == "x" else axes.get_yticks()
    return not edge or not len(ticks)
