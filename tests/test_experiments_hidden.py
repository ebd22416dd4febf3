"""The job that trains the paper's hidden layer alone, on a part of the toy corpus with small keys."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from encnn.data.datasets import words_dataset
from encnn.data.reviews import load_reviews
from encnn.experiments import bootstrapped_runs, hidden
from encnn.schemes.bootstrapped import HIDDEN_128, HIDDEN_SLOW_128, HIDDEN_TOY

REVIEWS = 64


@pytest.fixture(scope="module")
def data():
    d = words_dataset(load_reviews("toy"))
    return replace(d.first(REVIEWS), X_test=d.X_test[:REVIEWS], y_test=d.y_test[:REVIEWS])


def test_the_rate_is_chosen_on_training_reviews_held_out(data):
    choice = hidden.choose(data, rates=(0.1, 0.3), starts=1)
    assert list(choice["learning rate"]) == [0.1, 0.3]
    assert choice[["held-out percent, clear", "held-out percent, with noise"]].stack().between(30, 100).all()


def test_the_cases_are_the_best_rate_under_noise_and_the_papers():
    names = ["learning rate", "held-out percent, clear", "held-out percent, with noise"]
    choice = pd.DataFrame([(0.02, 90.0, 80.0), (0.03, 70.0, 85.0), (0.04, 95.0, 60.0)], columns=names)
    paper, best = hidden.cases(choice)
    assert (best.plan.learning_rate, best.parameters, best.hidden) == (0.03, HIDDEN_128, 8)
    assert (paper.plan.learning_rate, paper.parameters, paper.hidden) == (0.001, HIDDEN_SLOW_128, 8)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_starts_are_the_papers_and_fit_the_codes(data, seed):
    start = bootstrapped_runs.rank_one_start(data, 8, seed)
    assert not start.W1.any() and 1 <= np.linalg.norm(start.W2) <= 6


@pytest.mark.parametrize("labels", ["sent", "encrypted"])
def test_a_run_goes_on_where_it_stopped_and_follows_its_twin(data, labels, tmp_path, monkeypatch):
    monkeypatch.setattr("encnn.network.training.SCORES_PER_REPORT", 16)
    monkeypatch.setattr("encnn.parties.owner.Owner.encrypt_labels", insecure_labels)
    case = bootstrapped_runs.BootstrappedCase(
        "toy", bootstrapped_runs.WORDS, HIDDEN_TOY, hidden.plan_at(0.5), labels=labels, hidden=3
    )
    killed, count = [], bootstrapped_runs._Clock.__call__

    def kill(clock, first, scores):
        count(clock, first, scores)
        if first >= 32 and not killed:
            killed.append(first)
            raise KeyboardInterrupt

    monkeypatch.setattr("encnn.experiments.bootstrapped_runs._Clock.__call__", kill)
    with pytest.raises(KeyboardInterrupt):
        bootstrapped_runs.bootstrapped_run(case, data, 0, tmp_path, 1)
    assert killed and (tmp_path / "owner").exists()
    line, points = bootstrapped_runs.bootstrapped_run(case, data, 0, tmp_path, 1)
    assert line["hidden"] == 3 and line["labels"] == labels and line["owner in the loop"] is False
    assert abs(line["correct"] - line["clear twin correct"]) <= 8
    assert 0 < line["deviation from the twin in test scores"] < 0.2 * line["largest score of the twin"]
    assert line["scores out of range"] == 0 and points["reviews"].max() == REVIEWS


original = bootstrapped_runs.Owner.encrypt_labels


def insecure_labels(owner, y, rate=1.0):
    return original(owner, y, rate, insecure=True)
