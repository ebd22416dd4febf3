"""Table and figure of one network under every scheme: what was measured is what is shown."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from encnn.experiments.results import PUBLISHED
from encnn.report import comparison_figures as figures

pytestmark = pytest.mark.usefixtures("checked_figures")


@pytest.fixture
def table():
    line = {"task": "real", "features": "words, 300", "sigmoid": "exact", "ciphertext products per review": 0.0}
    line |= {"owner's trips": 0, "owner CPU ms per review": 0.0, "distance, percent of change": 0.0, "MB on the wire": 0.0}
    line |= {"clear twin test accuracy percent": 80.5, "keys": 1, "largest distance, percent of change": 0.0}
    line |= {"least test accuracy percent": 80.0, "most test accuracy percent": 81.0}
    values = {
        "clear": (np.nan, "", 80.5, 0.001, 0.0, 0.0024),
        "integer vectors": (0.0, "elimination, MATZOV", 80.4, 0.002, 0.002, 0.005),
        "bootstrapped, a long name": (130.0, "BDD, MATZOV", 80.1, 12.5, 85.7, 3.1),
        "bootstrapped, another one": (130.0, "BDD, MATZOV", 80.2, 13.0, 141.0, 3.1),
    }
    names = [
        "bits",
        "decided by",
        "test accuracy percent",
        "trainer CPU ms per review",
        "key MB",
        "model MB",
    ]
    lines = [line | {"scheme": name} | dict(zip(names, numbers, strict=True)) for name, numbers in values.items()]
    return pd.DataFrame([*lines, lines[0] | {"task": "toy"}])


def test_overview_has_units(table):
    shown = figures.overview(table)
    assert len(shown) == 4 and len(figures.overview(table, "toy")) == 1
    assert shown.iloc[2].to_dict() == {
        "scheme": "bootstrapped, a long name",
        "bits (decided by)": "130 (BDD, MATZOV)",
        "features": "words",
        "sigmoid": "exact",
        "products per review": "0",
        "trips": 0,
        "test (clear twin)": "80.10 % (80.50 %)",
        "off by": "0 %",
        "CPU per review: trainer + owner": "12.5 ms + 0",
        "keys": "85.7 MB",
        "model": "3.1 MB",
        "on the wire": "none",
    }
    shown_keys = figures.overview(table.assign(keys=3, **{"largest distance, percent of change": 4.0}))
    assert shown_keys["test (clear twin)"][2] == "80.10 %, 80.00 to 81.00 (80.50 %)"
    assert shown_keys["off by"][2] == "0 %, at most 4"
    assert list(shown["bits (decided by)"][:2]) == ["in the clear", "0: INSECURE"]


def test_bubbles_stand_at_cpu_and_accuracy(table):
    axes = figures.accuracy_against_cpu(table).axes[0]
    keys, models = axes.collections[:2]
    assert np.asarray(keys.get_offsets()).tolist() == [[0.001, 80.5], [0.002, 80.4], [12.5, 80.1], [13.0, 80.2]]
    assert keys.get_sizes()[2] == pytest.approx(85.7 * figures.POINTS_PER_MB) and keys.get_sizes()[0] == figures.SMALLEST
    assert models.get_sizes().tolist() == pytest.approx([figures.SMALLEST] * 4)
    assert np.asarray(keys.get_array()).tolist() == [0.0, 0.0, 130.0, 130.0]
    assert axes.get_xscale() == "log"


def test_the_axis_leaves_out_what_is_empty(table):
    table.loc[3, ["test accuracy percent", "clear twin test accuracy percent"]] = 85.0
    upper, lower = figures.accuracy_against_cpu(table).axes[:2]
    assert upper.get_ylim() == pytest.approx((84.8, 85.2)) and lower.get_ylim() == pytest.approx((79.9, 80.7))
    assert upper.get_xlim() == lower.get_xlim()
    assert [len(axes.collections[0].get_offsets()) for axes in (upper, lower)] == [1, 3]


def test_names_do_not_cover_each_other(table):
    figure = figures.accuracy_against_cpu(table)
    names = list(table["scheme"][:4])
    texts = [text for text in figure.axes[0].texts if text.get_text() in names]
    assert [text.get_text() for text in texts] == names
    figure.draw_without_rendering()
    boxes = [plt.Text.get_window_extent(text) for text in texts]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


@pytest.mark.parametrize("task", ["real", "toy"])
def test_names_of_the_published_schemes_stand_in_their_panels(task):
    published = pd.read_csv(PUBLISHED / "comparison.csv")
    figure = figures.accuracy_against_cpu(published, task)
    figure.draw_without_rendering()
    named = [(axes.get_window_extent(), text) for axes in figure.axes for text in axes.texts]
    assert {text.get_text() for _, text in named} == set(published["scheme"])
    boxes = [plt.Text.get_window_extent(text) for _, text in named]
    for (frame, _), box in zip(named, boxes, strict=True):
        assert frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


def test_runs_on_all_reviews_are_means_over_keys():
    both = {"bits": 130.0, "decided by": "BDD, MATZOV", "clear twin test accuracy percent": 87.5}
    assisted = pd.DataFrame(
        [
            both
            | {
                "parameters": "p",
                "labels": labels,
                "trips": 25000,
                "test accuracy percent": right,
                "trainer CPU us per review": 100,
            }
            for labels, right in (("sent", 87.0), ("sent", 88.0), ("kept", 10.0))
        ]
    )
    ckks = pd.DataFrame(
        [
            both
            | {"case": case, "labels": "plain", "reviews": n, "trips": 6, "test accuracy percent": 87.6}
            | {"trainer CPU ms per review": 0.2}
            for case, n in (("few", 1000), ("all", 25000))
        ]
    )
    alone = pd.DataFrame(
        [both | {"case": "one epoch", "labels": "sent", "test accuracy percent": 87.4, "CPU ms per review": 12.0}]
    )
    shown = figures.all_reviews(assisted, ckks, alone).set_index("case")
    assert list(shown.index) == ["p", "all", "one epoch"]
    assert list(shown["test %"]) == [87.5, 87.6, 87.4] and list(shown["runs"]) == [2, 1, 1]
    assert list(shown["trips"]) == [25000, 6, 0]
    assert list(shown["trainer's CPU per review"]) == ["100 us", "200 us", "12 ms"]
    assert len(figures.all_reviews(assisted, ckks, alone[:0])) == 2
