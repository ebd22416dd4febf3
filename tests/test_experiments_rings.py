"""The table of FV and YASHE against their clear twins, on few reviews."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ring_schemes import fractional

from encnn.arithmetic.sigmoid import taylor
from encnn.data.datasets import Dataset
from encnn.data.reviews import load_reviews
from encnn.experiments import rings, small_reviews
from encnn.network import TrainingPlan
from encnn.schemes import fv, yashe


def small() -> Dataset:
    rng = np.random.default_rng(2)
    X = (rng.random((60, 10)) < 0.4).astype(np.int64)
    y = (X[:, :5].sum(axis=1) > X[:, 5:].sum(axis=1)).astype(int)
    return Dataset("small", X[:40], y[:40], X[40:], y[40:])


def test_a_line_of_the_table() -> None:
    secret, _ = fractional("fv")
    line = rings.compare(secret.parameters, small(), TrainingPlan(taylor(1), 2.0**-6, batch_size=20, epochs=4)).line
    assert line["owner trips"] >= 1 and line["MB up"] > 0 and line["noise bits left"] > 0 and line["encoding"] == "fractional"
    assert line["error of the change percent"] < 2 and line["scheme"] == "fv"


@pytest.mark.slow
@pytest.mark.parametrize("parameters", [fv.ADDITIVE_128, fv.FRACTIONAL_128, yashe.FRACTIONAL_128], ids=lambda p: p.name)
def test_training_follows_the_clear_twin(parameters: fv.FVParameters | yashe.YASHEParameters) -> None:
    plan = TrainingPlan(taylor(1), 2.0**-6, batch_size=20, epochs=4)
    result = rings.compare(parameters, small(), plan)
    line = result.line
    assert np.linalg.norm(result.network.W1 - result.twin.W1) < 0.02 * np.linalg.norm(result.twin.W1)
    assert line["bits"] >= 128 and line["owner trips"] >= 1 and line["ciphertext products"] == 0
    assert line["test accuracy percent"] == line["clear test accuracy percent"]


@pytest.mark.slow
def test_one_epoch_of_few_steps_needs_no_owner_and_rounds_nothing() -> None:
    result = rings.compare(fv.FRACTIONAL_LONG_128, small(), TrainingPlan(taylor(1), 2.0**-6, batch_size=20, epochs=2))
    assert result.line["owner trips"] == 0 and np.array_equal(result.network.W1, result.twin.W1)


@pytest.mark.slow
def test_toy_corpus_is_learnt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    toy = load_reviews("toy")
    monkeypatch.setattr(small_reviews, "load_or_toy", lambda name: toy)
    monkeypatch.setattr(rings, "PRESETS", (fv.FRACTIONAL_128,))
    assert rings.main(["--folder", str(tmp_path)]) == 0
    (line,) = pd.read_csv(tmp_path / "rings.csv").to_dict("records")
    assert line["accuracy percent"] >= 95 and line["test accuracy percent"] >= 95
    assert line["error of the change percent"] < 2
