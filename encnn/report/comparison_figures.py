"""One network under every scheme: the table to read, the picture for a slide, and the runs on all reviews side by side.

The functions take the stored tables (figures/comparison.csv and others) and return a table or a matplotlib `Figure`.
"""

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from encnn.report.costs import size_text
from encnn.report.style import COLOURS

POINTS_A_MB = 6.0
"""Area of a bubble, in square points, for each MB; no bubble is smaller than `SMALLEST`."""
SMALLEST = 30.0
MOST_BITS = 150.0
"""Bits at which the colour scale ends."""
FONT_POINTS = 9.0
NO_KEY = "none"


def overview(table: pd.DataFrame, task: str = "real") -> pd.DataFrame:
    """Return the lines of one task with units, as text: what each scheme costs.

    table: the columns of figures/comparison.csv.  "off by" is the distance of the weights from those of the clear twin, as a
    share of their change.
    """
    of = table[table["task"] == task]
    pairs = zip(of["trainer CPU ms a review"], of["owner CPU ms a review"], strict=True)
    accuracies = zip(of["test accuracy percent"], of["clear twin test accuracy percent"], strict=True)
    security = zip(of["bits, BKZ with sieving"], of["bits, core-SVP"], strict=True)
    return pd.DataFrame(
        {
            "scheme": of["scheme"].to_list(),
            "bits (core-SVP)": [bits_text(*bits) for bits in security],
            "features": of["features"].str.split(",").str[0].to_list(),
            "sigmoid": of["sigmoid"].to_list(),
            "products a review": [f"{x:g}" for x in of["ciphertext products a review"]],
            "trips": of["owner's trips"].to_list(),
            "test (clear twin)": [f"{a:.2f} % ({b:.2f} %)" for a, b in accuracies],
            "off by": [f"{x:.2g} %" for x in of["distance, percent of change"]],
            "CPU a review: trainer + owner": [f"{time_text(a)} + {time_text(b)}" for a, b in pairs],
            "keys": [_mb_text(x) for x in of["key MB"]],
            "model": [_mb_text(x) for x in of["model MB"]],
            "on the wire": [_mb_text(x) for x in of["MB on the wire"]],
        }
    )


def all_reviews(assisted: pd.DataFrame, ckks: pd.DataFrame, unassisted: pd.DataFrame) -> pd.DataFrame:
    """Return the runs on all training reviews under parameters of 128 bits, with plain labels, means over keys.

    The arguments are figures/assisted.csv, ckks.csv and unassisted.csv; what is not there yet is left out.
    """
    sent, plain, alone = (
        runs[runs["labels"] == name] for runs, name in ((assisted, "sent"), (ckks, "plain"), (unassisted, "sent"))
    )
    lines = [_line("integer vectors", p, of, 1e-3 * of["trainer CPU us a review"]) for p, of in _groups(sent, "parameters")]
    lines += [
        _line("CKKS", case, of, of["trainer CPU ms a review"]) for case, of in _groups(plain[plain["reviews"] > 1000], "case")
    ]
    lines += [_line("bootstrapped", case, of, of["CPU ms a review"]) for case, of in _groups(alone, "case")]
    return pd.DataFrame(lines)


def accuracy_against_cpu(table: pd.DataFrame, task: str = "real") -> Figure:
    """What does each scheme cost?  Accuracy over the CPU of a review, log scale; bubble: keys, ring: model, colour: bits.

    A dash is the clear twin's accuracy.  CPU is that of trainer and owner together.  table: as for `overview`.
    """
    of = table[table["task"] == task].reset_index(drop=True)
    cpu, accuracy = of["trainer CPU ms a review"] + of["owner CPU ms a review"], of["test accuracy percent"]
    figure, axes = plt.subplots(figsize=(11, 5.4))
    axes.set_xscale("log")
    bits = of["bits, BKZ with sieving"].fillna(0.0)
    bubbles = axes.scatter(
        cpu, accuracy, s=_areas(of["key MB"]), c=bits, cmap="viridis", vmin=0.0, vmax=MOST_BITS, alpha=0.75, zorder=3
    )
    axes.scatter(
        cpu, accuracy, s=_areas(of["model MB"]), facecolors="none", edgecolors=COLOURS["paper"], linewidths=0.8, zorder=2
    )
    axes.plot(cpu, of["clear twin test accuracy percent"], "_", color=COLOURS["PP"], markersize=14, zorder=4)
    axes.margins(0.12, 0.3)
    _name_points(axes, cpu.to_numpy(), accuracy.to_numpy(), of["scheme"].to_list())
    _size_legend(axes)
    figure.colorbar(bubbles, ax=axes, label="bits of security (BKZ with sieving)")
    axes.set(xlabel="CPU ms a review, trainer and owner", ylabel="right test reviews (%)")
    return figure


def bits_text(sieving: float, core_svp: float) -> str:
    """Return bits of security in both models.

    >>> bits_text(137.2, 106.9), bits_text(0.0, 0.0), bits_text(float("nan"), float("nan"))
    ('137 (107)', '0: INSECURE', 'in the clear')
    """
    if np.isnan(sieving):
        return "in the clear"
    return f"{sieving:.0f} ({core_svp:.0f})" if sieving else "0: INSECURE"


def time_text(ms: float) -> str:
    """Return milliseconds in a unit that suits them.

    >>> time_text(0.00117), time_text(12.49), time_text(0.0)
    ('1.17 us', '12.5 ms', '0')
    """
    if not ms:
        return "0"
    return f"{1e3 * ms:.3g} us" if ms < 1 else f"{ms:.3g} ms"


def _mb_text(megabytes: float) -> str:
    return size_text(1e6 * megabytes) if megabytes else NO_KEY


def _groups(runs: pd.DataFrame, by: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield (name, runs of it) in the order of the table."""
    for name, of in runs.groupby(by, sort=False):
        yield str(name), of


def _line(scheme: str, case: str, of: pd.DataFrame, cpu_ms: pd.Series) -> dict[str, object]:
    """Return a line of `all_reviews`."""
    mean = of.mean(numeric_only=True)
    return {
        "scheme": scheme,
        "case": case,
        "bits (core-SVP)": bits_text(mean["bits, BKZ with sieving"], mean["bits, core-SVP"]),
        "runs": len(of),
        "trips": round(mean.get("trips", 0)),
        "test %": round(mean["test accuracy percent"], 2),
        "clear twin %": round(mean["clear twin test accuracy percent"], 2),
        "trainer's CPU a review": time_text(float(cpu_ms.mean())),
    }


def _areas(megabytes: pd.Series) -> np.ndarray:
    return np.maximum(SMALLEST, POINTS_A_MB * megabytes.to_numpy(dtype=np.float64))


def _size_legend(axes: Axes) -> None:
    for megabytes in (10, 100):
        label = f"{megabytes} MB: filled keys, ring model"
        axes.scatter(
            [], [], s=POINTS_A_MB * megabytes, color="#bbbbbb", edgecolors=COLOURS["paper"], linewidths=0.8, label=label
        )
    axes.plot([], [], "_", color=COLOURS["PP"], markersize=14, label="clear twin")
    axes.legend(loc="upper left", fontsize="small", labelspacing=1.4, borderpad=1.0)


def _name_points(axes: Axes, x: np.ndarray, y: np.ndarray, names: list[str]) -> None:
    """Write names beside points: each at the nearest free place, with a line to its point."""
    axes.figure.draw_without_rendering()  # type: ignore[union-attr]  # sets the scales
    points = axes.transData.transform(np.column_stack([x, y]))
    unit = axes.figure.dpi / 72
    taken = [Bbox.from_bounds(px - 8 * unit, py - 8 * unit, 16 * unit, 16 * unit) for px, py in points]
    for (px, py), xi, yi, name in zip(points, x, y, names, strict=True):
        width, height = 0.56 * FONT_POINTS * len(name), 1.4 * FONT_POINTS
        for dx, dy in _places():
            box = Bbox.from_bounds(px + (dx - width / 2) * unit, py + (dy - height / 2) * unit, width * unit, height * unit)
            if not any(box.overlaps(other) for other in taken) and _inside(axes, box):
                break
        taken.append(box)
        axes.annotate(
            name,
            (xi, yi),
            xytext=(dx, dy),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=FONT_POINTS,
            zorder=5,
            arrowprops={"arrowstyle": "-", "color": "#999999", "linewidth": 0.6},
        )


def _places() -> Iterator[tuple[float, float]]:
    """Yield offsets in points, the nearest ones first: circles of places around a point."""
    for radius in range(24, 200, 12):
        for angle in np.deg2rad([90, 270, 60, 120, 240, 300, 30, 150, 210, 330]):
            yield 1.5 * radius * float(np.cos(angle)), radius * float(np.sin(angle))


def _inside(axes: Axes, box: Bbox) -> bool:
    frame = axes.get_window_extent()
    return bool(frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1)
