"""Sliders in notebooks: a picture that can be drawn again with other parameters.

The picture is an ordinary output, so it is stored with the notebook and is seen without a kernel.  If a kernel runs and
ipywidgets is installed (the extra `notebooks`), sliders below the picture draw it again in its place.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Protocol

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from encnn.errors import ParameterError

Draw = Callable[..., Figure]


class ShownPicture(Protocol):
    """A picture in a notebook, which can be replaced: a display handle of IPython."""

    def update(self, figure: Figure, /) -> None:
        """Show this figure in its place."""


def starting_values(draw: Draw, choices: dict[str, Sequence[object]]) -> dict[str, object]:
    """Return the defaults of `draw` for the names in `choices`, at which the sliders stand at first."""
    parameters = inspect.signature(draw).parameters
    start = {name: parameters[name].default if name in parameters else inspect.Parameter.empty for name in choices}
    for name, value in start.items():
        if value not in choices[name]:
            raise ParameterError(f"the slider '{name}' needs a starting value: give {draw.__name__} the argument "
                                 f"{name} with a default that is one of {list(choices[name])}")  # fmt: skip
    return start


def explore(draw: Draw, **choices: Sequence[object]) -> None:
    """Show the picture that `draw` makes from its defaults, and a slider for each of `choices`.

    draw: returns a figure; each keyword in `choices` is an argument of it.  choices: the values that a slider steps through.
    """
    try:
        from IPython.display import display
    except ImportError:  # outside a notebook there is only the picture
        draw(**starting_values(draw, choices))
        return
    picture = display(_closed(draw(**starting_values(draw, choices))), display_id=True)
    sliders = make_sliders(draw, choices, picture)
    if sliders is not None:
        display(sliders)


def make_sliders(draw: Draw, choices: dict[str, Sequence[object]], picture: ShownPicture) -> object:
    """Return a box of sliders that draw `picture` again; None if ipywidgets is not installed."""
    try:
        import ipywidgets
    except ImportError:
        return None
    start = starting_values(draw, choices)
    sliders = {
        name: ipywidgets.SelectionSlider(
            options=list(values), value=start[name], description=name.replace("_", " "), continuous_update=False
        )
        for name, values in choices.items()
    }

    def renew(_change: object) -> None:
        picture.update(_closed(draw(**{name: slider.value for name, slider in sliders.items()})))

    for slider in sliders.values():
        slider.observe(renew, names="value")
    return ipywidgets.VBox(list(sliders.values()))


def _closed(figure: Figure) -> Figure:
    """Return the figure, closed so that the notebook does not draw it a second time."""
    plt.close(figure)
    return figure
