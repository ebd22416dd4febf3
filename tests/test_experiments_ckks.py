from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from encnn.data.datasets import Dataset, whitened_dataset
from encnn.data.reviews import load_reviews
from encnn.errors import DivergenceError
from encnn.experiments import ckks, ckks_cases
from encnn.experiments.ckks import mirror_costs, packed_run
from encnn.experiments.ckks_cases import CKKSCase, held_out_choices
from encnn.experiments.results import PUBLISHED
from encnn.schemes.ckks import TOY

pytest.importorskip("tenseal.sealapi")

SMALL = CKKSCase("small", TOY, epochs=3)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(1)
    X, direction = rng.normal(size=(400, 30)), rng.normal(size=30)
    y = (X @ direction + rng.normal(size=400) > 0).astype(int)
    return Dataset("generated", X[:300], y[:300], X[300:], y[300:])


@pytest.mark.parametrize(
    "case",
    [
        SMALL,
        replace(SMALL, labels="plain", hidden=8, deviation=0.05, rate=0.25),
        replace(SMALL, epochs=2, refreshed=False),
        replace(SMALL, reviews=50),
    ],
    ids=["logistic", "hidden", "no refresh", "few reviews"],
)
def test_a_run_stays_beside_its_clear_twin(case, data):
    line = packed_run(case, data)
    assert line["error of weights, percent of their change"] < 2
    assert line["predictions that differ"] <= 1
    assert line["test accuracy percent"] > 75
    assert line["reviews"] == (case.reviews or 300) and line["steps"] == case.epochs * -(-line["reviews"] // line["batch"])
    assert (line["trips"] > 0) == (case.refreshed and line["steps"] > 2 or case.hidden > 0)


def test_encrypted_labels_run(data):
    with pytest.raises(Exception, match="read without a key"):
        packed_run(replace(SMALL, labels="encrypted"), data)  # the toy parameters protect nothing


def test_a_run_beyond_the_range_of_its_polynomial_is_ended(data):
    for refreshed in (True, False):
        with pytest.raises(DivergenceError, match="z left the range"):
            packed_run(replace(SMALL, rate=40.0, epochs=2, refreshed=refreshed), data)


def test_choices_are_made_on_training_reviews_alone(data):
    nonsense = replace(data, X_test=np.full((1, 30), np.nan), y_test=np.array([1]))
    table = held_out_choices(SMALL, data)
    pd.testing.assert_frame_equal(table, held_out_choices(SMALL, nonsense))
    best = table.iloc[0]
    assert best["held-out accuracy percent"] == table[table["within"]]["held-out accuracy percent"].max()
    assert (SMALL.chosen(table).rate, SMALL.chosen(table).radius) == (best["rate"], best["radius"])
    assert set(held_out_choices(replace(SMALL, hidden=4), data)["deviation"]) == set(ckks_cases.DEVIATIONS)


def test_choices_out_of_range_come_last(data, monkeypatch):
    monkeypatch.setattr(ckks_cases, "RATES", (2.0, 60.0))
    table = held_out_choices(SMALL, data)
    assert list(table["within"]) == sorted(table["within"], reverse=True)
    assert set(table[~table["within"]]["rate"]) == {60.0}


def test_the_stored_results_are_as_good_as_their_clear_twins():
    stored = pd.read_csv(PUBLISHED / "ckks.csv").set_index("case")
    assert (stored["bits"] >= 128).all()
    assert (stored["error of weights, percent of their change"] < 2).all()
    gap = stored["test accuracy percent"] - stored["clear twin test accuracy percent"]
    assert (gap.abs() <= 0.1).all()
    full = stored[stored["reviews"] == 25000]["test accuracy percent"]
    assert full["logistic regression"] >= 87.5 and full["hidden layer of 8"] >= 87
    assert set(stored.index) == {case.name for case in (*ckks_cases.CASES, ckks_cases.UNASSISTED)}


@pytest.mark.slow
def test_the_mirror_is_measured(data):
    networks = [replace(SMALL, hidden=h, deviation=0.05, rate=0.25).clear_twin(data).network for h in (0, 8)]
    table = mirror_costs(data, *networks)
    assert list(table["layout"]) == 3 * ["one review", "batch"] and table["largest error of a score"].max() < 0.01
    assert list(table["model"].unique()) == ["30 x 1", "30 x 8 x 1"]


@pytest.mark.slow
def test_the_job_writes_its_tables(tmp_path, capsys, monkeypatch):
    cases = (CKKSCase("logistic", TOY, epochs=2), CKKSCase("hidden", TOY, hidden=8, epochs=2))
    monkeypatch.setattr(ckks, "TOY_CASES", cases)
    assert ckks.main(["--corpus", "toy", "--folder", str(tmp_path)]) == 0
    table = pd.read_csv(tmp_path / "toy" / "ckks.csv")
    assert list(table["case"]) == ["logistic", "hidden"]
    assert (table["test accuracy percent"] >= 95).all()
    assert {p.name for p in (tmp_path / "toy").iterdir()} == {"ckks.csv", "ckks_choices.csv", "mirror.csv"}
    assert "NOT THE PAPER'S NUMBERS" in capsys.readouterr().out


@pytest.mark.slow
def test_the_toy_corpus_trains_to_95_percent_at_128_bits():
    corpus = load_reviews("toy")
    data = whitened_dataset(corpus)
    case = ckks_cases.TOY_CASES[1]
    assert case.labels == "encrypted"
    line = packed_run(case.chosen(held_out_choices(case, data)), data)
    assert line["test accuracy percent"] >= 95
    assert line["error of weights, percent of their change"] < 2
    assert line["bits"] >= 128
