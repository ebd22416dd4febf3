"""The job with nobody in the loop, on a part of the toy corpus."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from encnn.arithmetic.sigmoid import ExactSigmoid
from encnn.data.datasets import grams_dataset, words_dataset
from encnn.data.reviews import load_reviews
from encnn.experiments import bootstrapped_runs, unassisted
from encnn.network import TrainingPlan
from encnn.schemes.bootstrapped import ONE_LEVEL_128, TWO_LEVEL_128

REVIEWS = 64
FEW = unassisted.Choice(unassisted.WORDS, ONE_LEVEL_128, (0.02,), epochs=(1, 2), decays=(0.5,))
PLANS = [TrainingPlan(ExactSigmoid(), 0.02, batch_size=16), TrainingPlan(ExactSigmoid(), 0.02, 0.5, 16, epochs=2)]


@pytest.fixture(scope="module")
def data():
    return part_of(words_dataset(load_reviews("toy")))


def part_of(d):
    return replace(d.first(REVIEWS), X_test=d.X_test[:REVIEWS], y_test=d.y_test[:REVIEWS])


def test_plans_are_chosen_on_training_reviews_held_out(data):
    choice = unassisted.choose(FEW, data, simulations=2)
    assert list(choice["epochs"]) == [1, 2]
    assert choice[["held-out percent, clear", "held-out percent, with noise"]].stack().between(0, 100).all()
    found = [unassisted.plan_of(unassisted.best(choice[choice["epochs"] == epochs], FEW)) for epochs in (1, 2)]
    assert found == [(plan, 1) for plan in PLANS]


def test_the_best_plan_is_the_best_under_noise():
    table = pd.DataFrame(
        {
            "features": ["words", "words", "words", "words and pairs"],
            "parameters": ["one-level-128", "one-level-128", "two-level-128", "one-level-128"],
            "learning rate": [0.1, 0.2, 0.3, 0.4],
            "decay": 0.0,
            "epochs": [1, 1, 2, 1],
            "held-out percent, clear": [90.0, 80.0, 95.0, 99.0],
            "held-out percent, with noise": [70.0, 75.0, 60.0, 99.0],
        }
    )
    assert unassisted.best(table, FEW)["learning rate"] == 0.2
    assert unassisted.best(table, replace(FEW, parameters=TWO_LEVEL_128))["learning rate"] == 0.3


def test_the_cases_cover_what_the_scheme_is_for(data):
    found = unassisted.cases(CHOICE)
    assert [case.labels for case in found] == [*["sent"] * 4, "encrypted"]
    assert found[-1].recipe.conditioned == "by features"  # labels that are secret must not be seen in the multipliers
    assert {case.parameters for case in found} == {ONE_LEVEL_128, TWO_LEVEL_128}
    assert found[1].plan.epochs > 1


def test_noise_changes_what_a_low_rate_learns(data):
    low = TrainingPlan(ExactSigmoid(), 0.0005, batch_size=16)
    noisy = [unassisted.simulated(data, low, ONE_LEVEL_128, seed).training.accuracy.percent for seed in range(5)]
    assert np.std(noisy) > 0
    assert unassisted.simulated(data, PLANS[0]).training.accuracy.percent > np.mean(noisy)


@pytest.mark.slow
def test_the_job_writes_its_tables_and_does_not_run_twice(tmp_path, monkeypatch, capsys):
    for make in (words_dataset, grams_dataset):
        monkeypatch.setattr(bootstrapped_runs, make.__name__, lambda *a, make=make, **k: part_of(make(*a, **k)))
    monkeypatch.setattr(unassisted, "choose", lambda of, data: CHOICE.loc[[unassisted.CHOICES.index(of)]])
    monkeypatch.setattr(bootstrapped_runs, "peak_memory_mb", None)  # each run measures its own, in another process
    options = ["--corpus", "toy", "--keys", "1", "--folder", str(tmp_path), "--runs", str(tmp_path / "runs"), "--threads", "2"]
    assert unassisted.main(options) == 0
    assert "NOT THE PAPER'S NUMBERS" in capsys.readouterr().out
    table, curve = (pd.read_csv(tmp_path / "toy" / f"unassisted{part}.csv") for part in ("", "_curve"))
    assert list(table["labels"]) == [*["sent"] * 4, "encrypted"]
    assert (table["bits"] >= 128).all() and not table["owner in the loop"].any()
    assert ((table["correct"] - table["clear twin correct"]).abs() <= 8).all()
    assert (table["CPU ms per review"] > 1).all()
    assert table["clear CPU ms per review"].between(1e-4, 1).all()  # the peer of that time, from the same run
    assert curve.groupby("case")["reviews"].apply(list).tolist() == [list(range(2, 65, 2))] * 5
    kept = [sorted(path.name for path in folder.iterdir()) for folder in (tmp_path / "runs" / "toy").iterdir()]
    assert kept == [["curve.csv", "line.json"]] * 5  # no secret is left behind
    monkeypatch.setattr(bootstrapped_runs, "bootstrapped_run", None)
    assert unassisted.main(options) == 0  # every run is kept


CHOICE = pd.DataFrame(
    {
        "features": [of.recipe.name for of in unassisted.CHOICES],
        "parameters": [of.parameters.name for of in unassisted.CHOICES],
        "learning rate": [0.02, 0.02, 0.01, 0.01, 0.01],
        "largest multiplier": [1, 1, 4, 4, 4],
        "decay": [0.0, 0.5, 0.0, 0.0, 0.0],
        "epochs": [1, 2, 1, 1, 1],
        "held-out percent, clear": 90.0,
        "held-out percent, with noise": 90.0,
    }
)
