"""One network under every scheme: a table to read, a picture for a slide, and the runs on all reviews side by side.

The functions take the stored tables (figures/comparison.csv and others) and return a table or a matplotlib `Figure`.
"""

import itertools
import math
from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from encnn.costs.units import short_time_text, size_text
from encnn.report.labels import name_points
from encnn.report.style import COLOURS
from encnn.security.promise import INSECURE_BELOW

POINTS_PER_MB = 6.0
"""The area of a bubble per MB, in square points.  No bubble is smaller than `SMALLEST`."""
SMALLEST = 30.0
MOST_BITS = 150.0
"""The bits of security at which the colour scale ends."""
NO_KEY = "none"
ACCURACY, TWIN = "test accuracy percent", "clear twin test accuracy percent"
DISTANCE = "distance, percent of change"
GAP_POINTS, MARGIN_POINTS = 0.75, 0.2
"""In points of accuracy: the axis leaves out gaps wider than the first, and the second is the room above and below points."""


def overview(table: pd.DataFrame, task: str = "real") -> pd.DataFrame:
    """Return what each scheme costs in one task, as text with units.

    table: the columns of figures/comparison.csv.  "off by" is the distance of the weights from those of the clear twin, as a
    share of their change.  If there are several keys, it is the median over the keys, and the spread is given too.
    """
    of = table[table["task"] == task]
    pairs = zip(of["trainer CPU ms per review"], of["owner CPU ms per review"], strict=True)
    security = zip(of["bits"], of["decided by"], strict=True)
    return pd.DataFrame(
        {
            "scheme": of["scheme"].to_list(),
            "bits (decided by)": [bits_text(*bits) for bits in security],
            "features": of["features"].str.split(",").str[0].to_list(),
            "sigmoid": of["sigmoid"].to_list(),
            "products per review": [f"{x:g}" for x in of["ciphertext products per review"]],
            "trips": of["owner's trips"].to_list(),
            "test (clear twin)": [f"{a} ({b:.2f} %)" for a, b in zip(accuracy_texts(of), of[TWIN], strict=True)],
            "off by": [_distance_text(*line) for line in of[["keys", DISTANCE, f"largest {DISTANCE}"]].to_numpy()],
            "CPU per review: trainer + owner": [f"{short_time_text(a)} + {short_time_text(b)}" for a, b in pairs],
            "keys": [_mb_text(x) for x in of["key MB"]],
            "model": [_mb_text(x) for x in of["model MB"]],
            "on the wire": [_mb_text(x) for x in of["MB on the wire"]],
        }
    )


def all_reviews(assisted: pd.DataFrame, ckks: pd.DataFrame, unassisted: pd.DataFrame) -> pd.DataFrame:
    """Return the runs on all training reviews under parameters of 128 bits, with plain labels, as means over the keys.

    The arguments are the tables figures/assisted.csv, ckks.csv and unassisted.csv.
    """
    sent, plain, alone = (
        runs[runs["labels"] == name] for runs, name in ((assisted, "sent"), (ckks, "plain"), (unassisted, "sent"))
    )
    lines = [_line("integer vectors", p, of, 1e-3 * of["trainer CPU us per review"]) for p, of in _groups(sent, "parameters")]
    lines += [
        _line("CKKS", case, of, of["trainer CPU ms per review"]) for case, of in _groups(plain[plain["reviews"] > 1000], "case")
    ]
    lines += [_line("bootstrapped", case, of, of["CPU ms per review"]) for case, of in _groups(alone, "case")]
    return pd.DataFrame(lines)


def accuracy_against_cpu(table: pd.DataFrame, task: str = "real") -> Figure:
    """What does each scheme cost?  Accuracy against CPU time per review, on a log scale.

    The area of a bubble is the size of the keys, that of a ring is the size of the model, and the colour shows the bits of
    security.  A dash is the clear twin's accuracy.  CPU time is that of trainer and owner together.  table: as for `overview`.
    """
    of = table[table["task"] == task]
    levels = _levels(of[[ACCURACY, TWIN]].to_numpy())
    heights = [high - low for low, high in levels]
    figure, panels = plt.subplots(len(levels), 1, figsize=(11, 6.2), sharex=True, squeeze=False, height_ratios=heights)
    for axes, (low, high) in zip(panels[:, 0], levels, strict=True):
        axes.set(xscale="log", ylim=(low, high))
        bubbles = _bubbles(axes, of[of[ACCURACY].between(low, high)])
    axes.margins(x=0.15)
    axes.set_xlabel("CPU time per review, trainer and owner together (ms)")
    figure.supylabel("test reviews that are right (%)", fontsize="medium")
    figure.suptitle("One network under every scheme: accuracy against cost")
    _size_legend(panels[0, 0])
    figure.colorbar(bubbles, ax=panels, label="bits of security, the least of all attacks")
    figure.draw_without_rendering()  # places the panels
    figure.set_layout_engine("none")
    for axes, (low, high) in zip(panels[:, 0], levels, strict=True):
        _name_schemes(axes, of[of[ACCURACY].between(low, high)])
    _mark_breaks(panels[:, 0])
    return figure


def bits_text(bits: float, decided_by: str) -> str:
    """Return the least bits of security, rounded down, with the attack and the cost model that decide, or INSECURE.

    >>> bits_text(128.9, "BDD, MATZOV"), bits_text(31.3, "subfield, BDGL16"), bits_text(float("nan"), "")
    ('128 (BDD, MATZOV)', '31: INSECURE', 'in the clear')
    """
    if np.isnan(bits):
        return "in the clear"
    return f"{math.floor(bits)}: INSECURE" if bits < INSECURE_BELOW else f"{math.floor(bits)} ({decided_by})"


def accuracy_texts(lines: pd.DataFrame, digits: int = 2) -> list[str]:
    """Return the test accuracy of each line of figures/comparison.csv, and if it has several keys, the least and the most."""
    columns = lines[["keys", ACCURACY, f"least {ACCURACY}", f"most {ACCURACY}"]].to_numpy()
    return [f"{a:.{digits}f} %" + (f", {b:.{digits}f} to {c:.{digits}f}" if keys > 1 else "") for keys, a, b, c in columns]


def _distance_text(keys: float, percent: float, largest: float) -> str:
    return f"{percent:.2g} %" + (f", at most {largest:.2g}" if keys > 1 else "")


def _mb_text(megabytes: float) -> str:
    return size_text(1e6 * megabytes) if megabytes else NO_KEY


def _groups(runs: pd.DataFrame, by: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield (name, its runs) in the order of the table."""
    for name, of in runs.groupby(by, sort=False):
        yield str(name), of


def _line(scheme: str, case: str, of: pd.DataFrame, cpu_ms: pd.Series) -> dict[str, object]:
    """Return a line of `all_reviews`: the means of these runs."""
    mean = of.mean(numeric_only=True)
    return {
        "scheme": scheme,
        "case": case,
        "bits (decided by)": bits_text(mean["bits"], str(of["decided by"].iloc[0])),
        "runs": len(of),
        "trips": round(mean.get("trips", 0)),
        "test %": round(mean[ACCURACY], 2),
        "clear twin %": round(mean[TWIN], 2),
        "trainer's CPU per review": short_time_text(float(cpu_ms.mean())),
    }


def _cpu(of: pd.DataFrame) -> pd.Series:
    return of["trainer CPU ms per review"] + of["owner CPU ms per review"]


def _levels(values: np.ndarray) -> list[tuple[float, float]]:
    """Return ranges (low, high) that hold all values, from the highest down: the axis leaves out what lies between.

    >>> [(round(low, 2), round(high, 2)) for low, high in _levels(np.array([80.4, 82.2, 80.7]))]
    [(82.0, 82.4), (80.2, 80.9)]
    """
    ordered = np.unique(values)
    groups = np.split(ordered, np.flatnonzero(np.diff(ordered) > GAP_POINTS) + 1)
    return [(float(group[0]) - MARGIN_POINTS, float(group[-1]) + MARGIN_POINTS) for group in reversed(groups)]


def _bubbles(axes: Axes, of: pd.DataFrame) -> PathCollection:
    """Draw keys (filled bubbles), models (rings) and clear twins (dashes); return the bubbles."""
    cpu, accuracy, bits = _cpu(of), of[ACCURACY], of["bits"].fillna(0.0)
    sizes = _areas(of["key MB"])
    keys = axes.scatter(cpu, accuracy, s=sizes, c=bits, cmap="viridis", vmin=0.0, vmax=MOST_BITS, alpha=0.75, zorder=3)
    sizes = _areas(of["model MB"])
    axes.scatter(cpu, accuracy, s=sizes, facecolors="none", edgecolors=COLOURS["paper"], linewidths=0.8, zorder=2)
    axes.plot(cpu, of[TWIN], "_", color=COLOURS["PP"], markersize=14, zorder=4)
    return keys


def _areas(megabytes: pd.Series) -> np.ndarray:
    return np.maximum(SMALLEST, POINTS_PER_MB * megabytes.to_numpy(dtype=np.float64))


def _size_legend(axes: Axes) -> None:
    for megabytes in (10, 100):
        label, size = f"{megabytes} MB (filled: keys, ring: model)", POINTS_PER_MB * megabytes
        axes.scatter([], [], s=size, color="#bbbbbb", edgecolors=COLOURS["paper"], linewidths=0.8, label=label)
    axes.plot([], [], "_", color=COLOURS["PP"], markersize=14, label="clear twin")
    axes.figure.legend(loc="outside lower center", ncols=3, fontsize="small", borderpad=0.9)


def _mark_breaks(panels: np.ndarray) -> None:
    """Open the frames where the axis leaves something out, and draw slanted strokes at the open ends."""
    for upper, lower in itertools.pairwise(panels):
        upper.spines.bottom.set_visible(False)
        lower.spines.top.set_visible(False)
        upper.tick_params(bottom=False)
        for panel, edge in ((upper, 0), (lower, 1)):
            (stroke,) = panel.plot([0, 1], [edge, edge], transform=panel.transAxes, linestyle="none", color=COLOURS["paper"])
            stroke.set(marker=[(-1, -0.5), (1, 0.5)], markersize=9, clip_on=False)


def _name_schemes(axes: Axes, of: pd.DataFrame) -> None:
    widths = 2 * np.sqrt(np.maximum(_areas(of["key MB"]), _areas(of["model MB"])) / np.pi)
    name_points(axes, np.column_stack([_cpu(of), of[ACCURACY]]), list(of["scheme"]), list(np.maximum(widths, 16)))
