"""The protocol of Table III, on the toy corpus: every row is what it says, pairs start alike, tables say what runs gave."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from encnn.arithmetic.sigmoid import sigmoid, taylor
from encnn.data.datasets import Dataset, words_dataset
from encnn.data.reviews import load_reviews
from encnn.errors import DataError
from encnn.experiments import console, figures, reproduce, word2vec
from encnn.experiments import table_three as ex
from encnn.report import paper, tables, training_figures
from encnn.schemes import ClearParameters

pytestmark = pytest.mark.usefixtures("checked_figures")


@pytest.fixture(scope="module")
def toy() -> Dataset:
    return words_dataset(load_reviews("toy"))


@pytest.fixture(scope="module")
def small(toy: Dataset) -> Dataset:
    return Dataset("small", toy.X[:200], toy.y[:200], toy.X_test[:100], toy.y_test[:100])


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory):
    """One whole reproduction on the toy corpus, with two starts."""
    folder = tmp_path_factory.mktemp("figures")
    assert reproduce.main(["--corpus", "toy", "--seeds", "2", "--folder", str(folder)]) == 0
    assert list(folder.iterdir()) == [folder / "toy"]  # the toy's numbers never stand where the paper's do
    return folder / "toy"


def test_the_encrypted_row_follows_its_clear_twin(toy: Dataset) -> None:
    clear, encrypted = (ex.run(setting, toy, seed=3) for setting in ex.pair())
    assert abs(clear.line["correct"] - encrypted.line["correct"]) <= 1
    assert np.abs(clear.evaluation.z - encrypted.evaluation.z).max() < 1e-3
    assert (clear.evaluation.z != encrypted.evaluation.z).any()  # they are two computations, not one
    assert encrypted.line["sigmoid"] == clear.line["sigmoid"] == taylor(ex.DEGREE).name


def test_rows_of_one_seed_start_alike_and_seeds_differ(small: Dataset) -> None:
    setting = ex.pair()[0]
    same, again, other = (ex.run(setting, small, seed).evaluation.z for seed in (0, 0, 1))
    assert (same == again).all()
    assert (same != other).any()


def test_each_step_of_the_ablation_is_what_its_name_says() -> None:
    rows = {s.row: s for s in ex.ablation()}
    assert rows["sum of rows, exact sigmoid"].pooling == "sum"
    rounded = rows["mean of rows, Taylor, rounded at 1/1000"]
    assert rounded.parameters == ClearParameters(1000)
    assert rows["mean of rows, Taylor, cut at 1/1000"].parameters.rounding == "truncate"
    assert all(s.plan.learning_rate == ex.LEARNING_RATE for s in rows.values())


def test_the_ablations_mistakes_are_those_described() -> None:
    z, y = np.array([[0.7], [-0.2]]), np.array([[1.0], [0.0]])
    p = sigmoid(z)
    error, rate = ex.udacity_step(None, z, y, 0.1)  # type: ignore[arg-type]
    np.testing.assert_allclose(error, (p - y) * p * (1 - p))
    assert rate == 0.1
    error, _ = ex.constant_error_step(None, z, y, 0.1)  # type: ignore[arg-type]
    np.testing.assert_array_equal(error, [[-0.5], [0.5]])
    shown = ex.through_the_wrong_slot(p, np.random.default_rng(0))
    T = (shown - 0.5) / p
    np.testing.assert_allclose(T, T[0, 0])
    assert 0 <= T[0, 0] < 1


def test_the_ancestors_count_is_of_what_it_shows(small: Dataset) -> None:
    coded = ex.run(ex.ancestor_as_coded(), small, seed=0)
    assert coded.evaluation.p.min() >= 0.5 - 1e-9 or coded.evaluation.p.max() > 0.5
    assert coded.line["correct"] == coded.evaluation.running_mean_accuracy.correct


def test_a_run_that_diverges_leaves_its_counts_empty(small: Dataset) -> None:
    lost = replace(ex.pair(50.0, 3)[0], pooling="sum")
    run = ex.run(lost, small, seed=0)
    assert run.evaluation is None
    assert run.line["correct"] is None
    assert ex._both_counts(run) == {}
    table = tables.summary(ex.table([run]))
    assert table["diverged"].iloc[0] == 1


def test_word2vec_settings_are_chosen_on_the_last_fifth_of_the_training_reviews(monkeypatch: pytest.MonkeyPatch) -> None:
    """Features that give the label away to a choice, in one part of the reviews, change what is measured there alone."""
    reviews = load_reviews("toy").train[:500]
    seen = []

    def features(fit, held_out, scaling, strength):
        seen.append((fit.texts, held_out.texts))
        return tuple(strength * (2.0 * part.labels[:, None] - 1) for part in (fit, held_out))

    monkeypatch.setattr(word2vec, "word2vec_features", features)
    choices = [{"strength": 0.0}, {"strength": 1e9}, {"strength": 3.0}]
    table = word2vec.word2vec_choice(reviews, choices, seeds=[0, 1])
    assert seen == [(reviews.texts[:400], reviews.texts[400:])] * 3
    assert table["strength"].tolist() == [3.0, 0.0, 1e9]
    assert table["diverged"].tolist() == [0, 0, 2]
    assert table["held_out_percent"].tolist() == [100.0, 50.0, 50.0]


def test_runs_in_processes_are_the_runs_in_one(small: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, seeds = [ex.pair()[0], ex.ablation()[4]], [0, 1]
    here = [r.line["correct"] for r in ex.runs(settings, small, seeds, "here")]
    monkeypatch.setattr(ex, "WORTH_A_PROCESS", 1)
    monkeypatch.setattr(ex.os, "cpu_count", lambda: 2)
    assert [r.line["correct"] for r in ex.runs(settings, small, seeds, "there")] == here


def test_the_table_has_one_line_a_run_and_every_pp_line_its_twin(stored) -> None:
    results = pd.read_csv(stored / "table3.csv")
    assert list(results.columns) == ex.COLUMNS
    keys = ["seed", "learning_rate", "sigmoid"]
    for row in ("PP", "PP, word2vec"):
        encrypted = results[results["row"] == row]
        clear = results[results["row"] == f"Non-{row}"]
        assert len(encrypted) and len(encrypted.merge(clear, on=keys)) == len(encrypted)
    assert (results[results["row"] == "PP"].groupby(keys).size() == 1).all()
    done = results.dropna(subset=["correct"])
    np.testing.assert_allclose(done["accuracy_percent"], 100 * done["correct"] / done["reviews"], atol=1e-4)


def test_tables_show_what_the_runs_gave(stored) -> None:
    results = pd.read_csv(stored / "table3.csv")
    main = results[(results["learning_rate"] == ex.LEARNING_RATE) & (results["sigmoid"] == taylor(ex.DEGREE).name)]
    shown = tables.table3(main, seed=0)
    first = main[(main["row"] == "PP") & (main["seed"] == 0)].iloc[0]
    assert shown.loc["PP", "correct"] == first["correct"]
    assert shown.loc["PP", "paper: correct"] == paper.CORRECT["PP"]
    differences = tables.differences(results)
    assert set(differences["features"]) == {"words", "word2vec"}
    assert (differences["PP - Non-PP"] == differences["PP"] - differences["Non-PP"]).all()


def test_the_papers_percentages_are_its_counts_cut() -> None:
    for row, count in paper.CORRECT.items():
        assert int(1000 * count / paper.REVIEWS) / 10 == pytest.approx(paper.PERCENT[row], abs=0.1)


def test_figures_are_drawn_again_from_the_stored_numbers(stored) -> None:
    names = ["accuracy.png", "spread.png", "grid.png"]
    before = {name: (stored / name).read_bytes() for name in names}
    assert figures.main(["--folder", str(stored)]) == 0
    assert {name: (stored / name).read_bytes() for name in names} == before


def test_figures_without_numbers_say_what_to_run(tmp_path) -> None:
    with pytest.raises(DataError, match="make reproduce"):
        figures.main(["--folder", str(tmp_path)])


def test_the_toy_corpus_is_announced_loudly(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCNN_DATA", "/nonexistent/reviews")
    corpus = console.load_or_toy("imdb")
    assert not corpus.is_real
    assert "NOT THE PAPER'S NUMBERS" in capsys.readouterr().out


def test_the_quick_run_stops_after_table_three(tmp_path, capsys: pytest.CaptureFixture) -> None:
    reproduce.main(["--corpus", "toy", "--quick", "--folder", str(tmp_path)])
    out = capsys.readouterr().out
    assert "Table III" in out and "ablation" not in out
    assert [path.name for path in (tmp_path / "toy").iterdir()] == ["accuracy.csv"]


def test_curves_are_the_running_accuracy() -> None:
    right = np.tile([True, False], 100)
    curves = training_figures.accuracy_curves({"Non-PP": right, "PP": ~right})
    assert list(curves["review"]) == [50, 100, 150, 200]
    assert (curves["Non-PP"] == 50).all()
    figure = training_figures.plot_accuracy(curves, real=True)
    drawn = figure.axes[0].get_lines()[0]
    np.testing.assert_array_equal(drawn.get_ydata(), curves["Non-PP"])


def test_spread_marks_the_paper_only_for_its_own_number_of_reviews() -> None:
    frame = pd.DataFrame({"row": ["PP", "PP"], "accuracy_percent": [70.0, 80.0], "reviews": [paper.REVIEWS] * 2})
    marks = training_figures.plot_spread(frame).axes[0].lines
    assert [mark.get_xdata()[0] for mark in marks] == [100 * count / paper.REVIEWS for count in paper.CORRECT.values()]
    assert all(str(mark.get_label()).startswith("the paper, ") for mark in marks)
    frame["reviews"] = 1000
    assert not training_figures.plot_spread(frame).axes[0].lines


def test_the_grid_has_one_scale_that_holds_every_cell() -> None:
    cells = [("a", 0.1, "half", 12000), ("a", 0.1, "mean", 18000), ("b", 0.1, "half", 20000), ("b", 0.1, "mean", 21000)]
    grid = pd.DataFrame(cells, columns=["row", "polarity_cutoff", "threshold", "correct"])
    *panels, bar = training_figures.plot_grid(grid).axes
    assert [axes.collections[0].get_clim() for axes in panels] == [(12000, 21000)] * 2
    assert [text.get_text() for axes in panels for text in axes.texts] == ["12,000", "18,000", "20,000", "21,000"]
    marks = {tick.get_text() for tick in bar.get_yticklabels()}
    assert {f"{count:,}: the paper, {row}" for row, count in paper.CORRECT.items()} <= marks
    assert [line.get_ydata()[0] for line in bar.lines] == list(paper.CORRECT.values())
