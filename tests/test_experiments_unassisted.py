"""The job with nobody in the loop, on a part of the toy corpus."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from encnn.data.datasets import words_dataset
from encnn.data.reviews import load_reviews
from encnn.experiments import unassisted
from encnn.network import TrainingPlan
from encnn.schemes.bootstrapped import ONE_LEVEL_128, TWO_LEVEL_128
from encnn.sigmoid import ExactSigmoid

REVIEWS = 64
PLANS = [TrainingPlan(ExactSigmoid(), 0.02, batch_size=16), TrainingPlan(ExactSigmoid(), 0.02, 0.5, 16, epochs=2)]


@pytest.fixture(scope="module")
def data():
    return part_of(words_dataset(load_reviews("toy")))


def part_of(d):
    return replace(d.first(REVIEWS), X_test=d.X_test[:REVIEWS], y_test=d.y_test[:REVIEWS])


def test_plans_are_chosen_on_training_reviews_held_out(data):
    choice = unassisted.choose(data, PLANS, simulations=2)
    assert list(choice["epochs"]) == [1, 2]
    assert choice[["held-out percent, clear", "held-out percent, with noise"]].stack().between(0, 100).all()
    assert [unassisted.plan_of(unassisted.best(choice, several)) for several in (False, True)] == PLANS


def test_the_best_plan_is_the_best_under_noise():
    table = pd.DataFrame(
        {
            "learning rate": [0.1, 0.2, 0.3],
            "decay": 0.0,
            "epochs": [1, 1, 2],
            "held-out percent, clear": [90.0, 80.0, 95.0],
            "held-out percent, with noise": [70.0, 75.0, 60.0],
        }
    )
    assert unassisted.best(table, several=False)["learning rate"] == 0.2
    assert unassisted.best(table, several=True)["learning rate"] == 0.3


def test_the_cases_cover_what_the_scheme_is_for(data):
    found = unassisted.cases(unassisted.choose(data, PLANS, simulations=1))
    assert [case.labels for case in found] == ["sent", "sent", "sent", "encrypted"]
    assert {case.parameters for case in found} == {ONE_LEVEL_128, TWO_LEVEL_128}
    assert found[1].plan.epochs > 1


def test_noise_changes_what_a_low_rate_learns(data):
    low = TrainingPlan(ExactSigmoid(), 0.0005, batch_size=16)
    noisy = [unassisted.simulated(data, low, ONE_LEVEL_128, seed)[0] for seed in range(5)]
    assert np.std(noisy) > 0
    assert unassisted.simulated(data, PLANS[0])[0] > np.mean(noisy)


@pytest.mark.slow
def test_the_job_writes_its_tables_and_does_not_run_twice(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(unassisted, "words_dataset", lambda *a, **k: part_of(words_dataset(*a, **k)))
    monkeypatch.setattr(unassisted, "choose", lambda data: CHOICE)
    monkeypatch.setattr(unassisted, "CURVE_STEP", 32)
    options = ["--corpus", "toy", "--keys", "1", "--folder", str(tmp_path), "--runs", str(tmp_path / "runs"), "--threads", "2"]
    assert unassisted.main(options) == 0
    assert "NOT THE PAPER'S NUMBERS" in capsys.readouterr().out
    table, curve = (pd.read_csv(tmp_path / "toy" / f"unassisted{part}.csv") for part in ("", "_curve"))
    assert list(table["labels"]) == ["sent", "sent", "sent", "encrypted"]
    assert (table["bits"] >= 128).all() and not table["owner in the loop"].any()
    assert ((table["correct"] - table["clear twin correct"]).abs() <= 8).all()
    assert (table["CPU ms a review"] > 1).all()
    assert curve.groupby("case")["reviews"].apply(list).tolist() == [[32, 64]] * 4
    monkeypatch.setattr(unassisted, "bootstrapped_run", None)
    assert unassisted.main(options) == 0  # every run is kept


CHOICE = pd.DataFrame(
    {
        "learning rate": [0.02, 0.02],
        "decay": [0.0, 0.5],
        "epochs": [1, 2],
        "held-out percent, clear": 90.0,
        "held-out percent, with noise": 90.0,
    }
)
