"""The 128-bit job on the toy corpus, and its figures."""

import numpy as np
import pandas as pd
import pytest

from encnn import ExactSigmoid, TrainingPlan
from encnn.data.datasets import words_dataset
from encnn.data.reviews import load_reviews
from encnn.experiments import assisted
from encnn.experiments.linear import LEARNING_RATE
from encnn.report import secure_figures
from encnn.schemes.integer_vector import ADDITIVE_128, COMPACT_128, packing

pytestmark = pytest.mark.usefixtures("checked_figures")


@pytest.fixture(scope="module")
def data():
    return words_dataset(load_reviews("toy"))


@pytest.mark.slow
def test_the_job_writes_its_tables(tmp_path, capsys):
    assert assisted.main(["--corpus", "toy", "--keys", "1", "--folder", str(tmp_path)]) == 0
    assert "NOT THE PAPER'S NUMBERS" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "toy" / "assisted.csv")
    assert list(table["labels"]) == ["sent", "sent", "kept", "encrypted"]
    assert (table["bits"] >= 128).all()
    assert ((table["correct"] - table["clear twin correct"]).abs() <= 3).all()
    assert (table["trips"] == table["reviews"]).all()
    keys = {p.name: packing.N * packing.digits_of(p)[1] * (1 + len(packing.STEPS)) * 8 for p in (COMPACT_128, ADDITIVE_128)}
    assert ((table["start on disk bytes"] - table["parameters"].map(keys)) * 100 < table["model bytes"]).all()
    figure = secure_figures.cpu_per_review(table)
    assert len(figure.axes[0].patches) == 3 * 4


def test_the_learning_rate_is_chosen_on_reviews_held_out(data):
    rates = assisted.held_out_rates(data, [0.001, 0.01])
    assert list(rates["learning rate"]) == [0.001, 0.01]
    assert rates["held-out accuracy percent"].between(50, 100).all()
    assert LEARNING_RATE in assisted.RATES


def test_a_run_counts_as_its_clear_twin(data):
    case, plan = assisted.AssistedCase(COMPACT_128, "encrypted"), TrainingPlan(ExactSigmoid(), 0.02)
    line = assisted.assisted_run(case, data, plan, key=0)
    assert abs(line["correct"] - line["clear twin correct"]) <= 3
    assert line["bytes up"] == 1000 * (4 * 1025 + 16)
    assert line["trainer CPU us per review"] > 0 and line["owner CPU us per review"] > 0


# Figures


def test_figures_show_the_numbers_they_are_given():
    table = pd.DataFrame({"d": [256, 512, 256, 512], "log2 q": [26, 26, 32, 32], "bits": [40.0, 70.0, 30.0, 60.0]})
    bits = secure_figures.bits_over_dimension(table, {"set": (512, 70.0)})
    assert bits.axes[0].lines[1].get_ydata().tolist() == [30.0, 60.0]
    histogram = secure_figures.entries({"a": np.zeros(50), "b": np.linspace(-0.5, 0.5, 40)})
    assert max(p.get_height() for p in histogram.axes[0].patches) == 50
    growth = secure_figures.product_growth(
        pd.DataFrame({"d": [8, 16], "key MB": [1.0, 8.0], "product ms": [0.1, 0.2], "sum ms": [0.01, 0.01]}),
        {"set": (32, 64.0)},
    )
    assert growth.axes[0].lines[1].get_ydata().tolist() == [64.0]
    changes = secure_figures.what_encryption_changes(np.zeros((3, 1)), {"set": np.array([[1.0], [2.0], [0.0]])})
    assert changes.axes[0].lines[0].get_ydata().tolist() == [1.0, 2.0, 1e-12]
    protocol = secure_figures.protocol()
    assert [t.get_text() for t in protocol.axes[0].texts].count("Answer 2") == 1
