"""Figures on products by codes: numbers and codes on the torus, and how far products are off.

Every function takes numbers and returns a matplotlib `Figure`.  Codes and phases are fractions of the torus.
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from encnn.report.scheme_figures import MEASURED, PREDICTED, gaussian_density
from encnn.report.style import COLOURS, PALETTE

_RADII = (1.0, 0.8, 0.6)


def circles(products: Sequence[Sequence[tuple[str, float]]]) -> Figure:
    """How does a product become a sum?  Each product has a circle: the codes of its factors as arcs in turn, and their sum.

    products: for each, (name, code) of both factors and of the product; codes between 0 and 1.
    """
    figure, panels = plt.subplots(
        1, len(products), figsize=(4.4 * len(products), 5.0), subplot_kw={"projection": "polar"}, squeeze=False
    )
    half = np.linspace(np.pi, 2 * np.pi, 91)
    for axis, parts in zip(panels[0], products, strict=True):
        axis.fill_between(half, 0, 1.1, color=PALETTE[1], alpha=0.12, linewidth=0, label="sign is minus")
        begin = 0.0
        for (name, code), radius, colour in zip(parts, _RADII, (PALETTE[0], PALETTE[2], COLOURS["paper"]), strict=True):
            start, end = (begin, begin + code) if radius > _RADII[2] else (0.0, code)
            angle = 2 * np.pi * np.linspace(start, end, 120)
            axis.plot(angle, np.full(120, radius), color=colour, linewidth=4, solid_capstyle="butt", label=f"code of {name}")
            axis.plot(angle[-1], radius, "o", color=colour, markersize=8)
            begin = end
        axis.set(ylim=(0, 1.1), yticks=[])
        axis.set_xticks(2 * np.pi * np.arange(8) / 8, ["0", "", "1/4", "", "1/2", "", "3/4", ""])
        axis.set_title(" times ".join(name for name, _ in parts[:2]), pad=14)
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), fontsize="small")
    figure.suptitle("A product is an addition of codes, and half turns are the signs")
    return figure


def product_errors(errors: np.ndarray) -> Figure:
    """How far are products off?  Errors in units of their predicted deviations, beside the standard Gaussian."""
    figure, axis = plt.subplots(figsize=(8, 3.8))
    edges = np.linspace(-4, 4, 41)
    axis.hist(errors, bins=edges.tolist(), density=True, color=MEASURED, alpha=0.5, label=f"measured, sd {errors.std():.2f}")
    axis.plot(*gaussian_density(edges, 1.0), color=PREDICTED, label="predicted, sd 1")
    axis.set(xlabel="error, in predicted standard deviations", ylabel="density", title="How far off are products by codes?")
    axis.legend()
    return figure
