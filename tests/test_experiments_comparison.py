"""One network under every scheme, on few reviews and small rings."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from ring_schemes import for_hidden_layers, fractional

from encnn.arithmetic.sigmoid import ExactSigmoid, least_squares, taylor
from encnn.data.datasets import Dataset
from encnn.data.reviews import Vocabulary, bag_of_words, load_reviews
from encnn.experiments import comparison, small_reviews
from encnn.experiments.columns import right_percent, security
from encnn.experiments.comparison import (
    ComparisonTask,
    cases,
    ciphertext_products,
    compare,
    slot_layouts,
)
from encnn.experiments.helped import trained
from encnn.experiments.results import PUBLISHED
from encnn.network import Architecture, Network, TrainingPlan
from encnn.network.training import NOBODY
from encnn.schemes import ClearParameters, base, bootstrapped, ckks, fv
from encnn.schemes.base import ComparedPreset
from encnn.schemes.clear import ClearEvaluator
from encnn.schemes.integer_vector import COMPACT_128, PAPER

pytest.importorskip("tenseal.sealapi")


def small() -> ComparisonTask:
    rng = np.random.default_rng(2)
    X = (rng.random((60, 10)) < 0.4).astype(np.int64)
    y = (X[:, :5].sum(axis=1) > X[:, 5:].sum(axis=1)).astype(int)
    words = Dataset("small", X[:40], y[:40], X[40:], y[40:])
    V = X - 0.4
    vectors = Dataset("small", V[:40], y[:40], V[40:], y[40:])
    packed_plan = TrainingPlan(least_squares(3, 8.0), 0.05, batch_size=40, epochs=4)
    return ComparisonTask("small", words, TrainingPlan(ExactSigmoid(), 2.0**-6, batch_size=20, epochs=4), vectors, packed_plan)


def small_ring(scheme: str) -> ComparedPreset:
    secret, _ = fractional(scheme)
    return ComparedPreset(scheme, secret.parameters, taylor(1))


def small_hidden() -> ComparisonTask:
    task = small()
    plan = replace(task.plan, sigmoid=taylor(1), learning_rate=2.0**-4, batch_size=10, epochs=1)
    dense = replace(task.words, X=task.words.X.astype(np.float64))
    return ComparisonTask("small", task.words, plan, dense, plan, hidden=2)


def hidden_ring(scheme: str) -> ComparedPreset:
    return ComparedPreset(scheme, for_hidden_layers(scheme), taylor(1), hidden=True)


@pytest.mark.parametrize(
    ("case", "limit", "trips", "products"),
    [
        (ComparedPreset("clear", ClearParameters(), ExactSigmoid()), 0.0, False, 0),
        (ComparedPreset("paper", PAPER, taylor(5)), 0.1, False, 3),
        (ComparedPreset("assisted", COMPACT_128, ExactSigmoid()), 1.0, True, 0),
        (small_ring("fv"), 2.0, True, 0),
        (small_ring("yashe"), 2.0, True, 0),
        (ComparedPreset("ckks", ckks.TOY, None), 0.1, True, 2 / 40),
        (ComparedPreset("bootstrapped", bootstrapped.BOOTSTRAP_TOY, ExactSigmoid()), 20.0, False, 0),
    ],
    ids=lambda x: x.name if isinstance(x, ComparedPreset) else "",
)
def test_a_line_of_each_scheme(case: ComparedPreset, limit: float, trips: bool, products: float) -> None:
    line = compare(case, small())
    assert line["distance, percent of change"] <= limit
    assert (line["owner's trips"] > 0) == trips == (line["MB on the wire"] > 0) == (line["owner CPU ms per review"] > 0)
    assert line["ciphertext products per review"] == products
    assert line["encrypted"] == ("nothing" if case.name == "clear" else "weights")
    assert line["features"] == ("word2vec, 10" if case.name == "ckks" else "words, 10")
    assert line["trainer CPU ms per review"] > 0 and line["model MB"] > 0
    assert abs(line["test accuracy percent"] - line["clear twin test accuracy percent"]) <= 10


@pytest.mark.parametrize(
    ("case", "limit", "trips", "products"),
    [
        (ComparedPreset("clear", ClearParameters(), taylor(1), hidden=True), 0.0, 0, 0),
        (ComparedPreset("paper", PAPER, taylor(1), hidden=True), 1.0, 0, 3),
        (hidden_ring("fv"), 5.0, 4, 3),
        (hidden_ring("yashe"), 5.0, 4, 3),
        (ComparedPreset("ckks", ckks.TOY, None, hidden=True), 0.1, 3, 3 / 10),
        (ComparedPreset("bootstrapped", bootstrapped.HIDDEN_TOY, taylor(1), hidden=True), 20.0, 0, 0),
    ],
    ids=lambda x: x.name if isinstance(x, ComparedPreset) else "",
)
def test_a_line_of_each_scheme_that_trains_a_hidden_layer(
    case: ComparedPreset, limit: float, trips: int, products: float
) -> None:
    task = small_hidden()
    line = compare(case, task)
    clear = compare(ComparedPreset("clear", ClearParameters(), taylor(1), hidden=True), task)
    assert line["distance, percent of change"] <= limit and (line["distance, percent of change"] > 0) == (limit > 0)
    assert line["clear twin test accuracy percent"] == clear["test accuracy percent"], "one twin for all"
    assert (line["hidden"], line["owner's trips"], line["ciphertext products per review"]) == (2, trips, products)
    assert line["features"] == ("dense words, 10" if case.name == "ckks" else "words, 10")


def test_the_task_with_a_hidden_layer_is_the_same_for_all() -> None:
    task = comparison.hidden_task()
    assert (task.words.X.toarray() == task.vectors.X).all() and (task.words.y == task.vectors.y).all()
    starts = [task.start(data) for data in (task.words, task.vectors)]
    assert starts[0].architecture == starts[1].architecture == Architecture(128, 8, pooling="sum")
    assert not starts[0].W1.any() and (starts[0].W2 == starts[1].W2).all()
    plans = {task.of(case)[2] for case in cases(hidden=True)}
    assert plans == {comparison.HIDDEN_PLAN}


def test_the_stored_table_of_the_hidden_layer_reaches_its_aims() -> None:
    stored = pd.read_csv(PUBLISHED / "comparison_hidden.csv")
    assert list(stored["scheme"]) == [c.name for c in cases(hidden=True)] and (stored["hidden"] == 8).all()
    assert stored["clear twin test accuracy percent"].nunique() == 1 and stored["reviews"].nunique() == 1
    assert (stored["least test accuracy percent"] >= 90).all() and (stored["distance, percent of change"] <= 5).all()
    insecure = stored["scheme"].isin(["clear", "integer vectors, paper", "YASHE, slots"])
    assert (stored["bits"] >= 128).equals(~insecure)


def test_warming_up_leaves_the_model_as_it_was() -> None:
    case, task = cases()[1], small()
    _, data, plan = task.of(case)
    network, _, run = trained(case.parameters, data, plan)
    alone, _, _ = trained(ClearParameters(), data, plan)
    assert np.allclose(network.W1, alone.W1, atol=1e-3) and run.help is NOBODY


@pytest.mark.parametrize("degree", [1, 3, 5, 7])
def test_products_are_those_that_the_polynomial_takes(degree: int) -> None:
    made = []

    class Counting(ClearEvaluator):
        def multiply(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
            made.append(1)
            return a * b

    sigmoid = taylor(degree)
    z = np.array([[0.3]])
    assert base.Evaluator.polynomial(Counting(), z, sigmoid.coefficients) == pytest.approx(sigmoid(z))
    plan = TrainingPlan(sigmoid, batch_size=8)
    assert ciphertext_products(PAPER, plan) == len(made)
    assert ciphertext_products(ckks.TOY, plan) == len(made) / 8
    assert ciphertext_products(PAPER, plan, hidden=8) == len(made) + 3
    assert ciphertext_products(ClearParameters(), plan, hidden=8) == 0


def test_security_in_both_models() -> None:
    found = {case.name: tuple(security(case.parameters).values()) for case in cases()}
    bits, decided_by, core = found.pop("clear")
    assert np.isnan(bits) and np.isnan(core) and not decided_by
    assert found.pop("integer vectors, paper") == (0.0, "elimination, MATZOV", 0.0)
    assert all(bits >= 128 > core > 90 and decided_by.endswith(", MATZOV") for bits, decided_by, core in found.values())


def test_accuracy_is_that_of_the_side_of_zero() -> None:
    X, y = np.eye(4), np.array([1, 0, 1, 0])
    network = Network(Architecture(4, 0, pooling="sum"), np.array([[1.0], [-1.0], [-1.0], [-1.0]]), None)
    assert right_percent(network, X, y) == 75.0


def test_one_weight_a_ciphertext_pays_for_large_batches_only() -> None:
    table = slot_layouts(20, 5, (2, 32), fv.TOY)
    few, many = table["a weight per ciphertext"]
    assert few > many > 0 and table["a row per ciphertext"].nunique() == 1
    wide = slot_layouts(2000, 5, (32,), fv.TOY)
    assert wide["a weight per ciphertext"][0] > 10 * wide["a row per ciphertext"][0]


def test_the_stored_table_reaches_its_aims() -> None:
    stored = pd.read_csv(PUBLISHED / "comparison.csv")
    assert set(zip(stored["task"], stored["scheme"], strict=True)) == {(t, c.name) for t in ("toy", "real") for c in cases()}
    toy, gap = stored["task"] == "toy", stored["test accuracy percent"] - stored["clear twin test accuracy percent"]
    assert (stored[toy]["least test accuracy percent"] >= 95).all()
    assert (stored["largest distance, percent of change"] <= 2).all() and (gap.abs() <= 0.5).all()
    assert (stored["keys"] == np.where(stored["scheme"].str.startswith("bootstrapped"), bootstrapped.KEYS, 1)).all()
    long = stored["trainer CPU ms per review"] * stored["reviews"] * stored["epochs"] >= 500
    predicted = (stored["predicted trainer CPU ms per review"] / stored["trainer CPU ms per review"])[long]
    assert len(predicted) == 12 and ((predicted > 1 / 1.5) & (predicted < 1.5)).all()
    insecure = stored["scheme"].isin(["clear", "integer vectors, paper"])
    assert (stored[~insecure]["bits"] >= 128).all()


def test_the_job_writes_its_table(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(comparison, "tasks", lambda: [small()])
    monkeypatch.setattr(comparison, "table", lambda of: pd.DataFrame([compare(cases()[0], task) for task in of]))
    monkeypatch.setattr(comparison, "hidden_task", small_hidden)
    monkeypatch.setattr(comparison, "cases", lambda hidden=False: [case for case in cases(hidden) if case.name == "clear"])
    assert comparison.main(["--hidden", "--folder", str(tmp_path / "hidden")]) == 0
    assert [path.name for path in (tmp_path / "hidden").iterdir()] == ["comparison_hidden.csv"]
    assert comparison.main(["--folder", str(tmp_path)]) == 0
    assert list(pd.read_csv(tmp_path / "toy" / "comparison.csv")["scheme"]) == ["clear"]
    monkeypatch.setattr(comparison, "tasks", lambda: [replace(small(), name="real")])
    assert comparison.main(["--folder", str(tmp_path)]) == 0
    assert (tmp_path / "comparison.csv").exists() and "every scheme" in capsys.readouterr().out


def test_several_keys_make_one_line_with_their_spread() -> None:
    case = ComparedPreset("bootstrapped", bootstrapped.BOOTSTRAP_TOY, ExactSigmoid(), keys=3)
    line = compare(case, small())
    assert line["keys"] == 3
    assert line["least test accuracy percent"] <= line["test accuracy percent"] <= line["most test accuracy percent"]
    assert 0 < line["distance, percent of change"] < line["largest distance, percent of change"]


def test_every_task_meets_every_case() -> None:
    table = comparison.table([small(), replace(small(), name="again")], cases()[:2])
    assert list(zip(table["task"], table["scheme"], strict=True)) == [
        (task, case.name) for task in ("small", "again") for case in cases()[:2]
    ]


@pytest.mark.slow
def test_the_toy_task(monkeypatch) -> None:
    toy = load_reviews("toy")
    chosen = Vocabulary.select(toy.train)
    X, X_test = (bag_of_words(part, chosen) for part in (toy.train, toy.test))
    words = Dataset("toy", X, toy.train.labels, X_test, toy.test.labels)
    monkeypatch.setattr(small_reviews, "datasets", lambda: {"toy": words})
    (task,) = comparison.tasks()
    assert task.vectors.X.shape[0] == X.shape[0] == task.packed_plan.batch_size
    for case in (cases()[0], cases()[1], cases()[2], next(c for c in cases() if c.name == "CKKS")):
        line = compare(case, task)
        assert line["test accuracy percent"] >= 95 and line["distance, percent of change"] <= 2
