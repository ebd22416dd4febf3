"""The benchmark compares like with like, and every table of the suite can be made, drawn and shown."""

import importlib.util
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks import __main__ as suite_door
from benchmarks import bootstraps, cases, growth, machine, parts, peers, plan, suite, twin, workers
from encnn.arithmetic.sigmoid import ExactSigmoid, taylor
from encnn.costs import Task, calibration, estimate, rehearsal
from encnn.data.datasets import Dataset, words_dataset
from encnn.data.reviews import load_reviews
from encnn.errors import DataError
from encnn.experiments.results import difference
from encnn.network import Architecture, Network, TrainingPlan, train
from encnn.network import training as network
from encnn.report import bench_figures
from encnn.schemes import ClearParameters, fv
from encnn.schemes.bootstrapped import BOOTSTRAP_TOY, noise
from encnn.schemes.clear import ClearEvaluator
from encnn.schemes.integer_vector import COMPACT_128, PAPER

pytestmark = pytest.mark.usefixtures("checked_figures")

ROOT = Path(__file__).parent.parent
ADDITIVE_TOY = COMPACT_128.updated(d=64, name="additive-toy-INSECURE")
FV_TOY = fv.FRACTIONAL_128.updated(N=256, name="fv-small-INSECURE")


@pytest.fixture(scope="module")
def data() -> Dataset:
    return words_dataset(load_reviews("toy"))


@pytest.mark.parametrize("batch", [1, 64])
@pytest.mark.parametrize("degree", [1, 5, 7])
def test_the_hand_written_loop_is_the_clear_twin(data: Dataset, degree: int, batch: int) -> None:
    start = Network.initial(Architecture(data.X.shape[1]), np.random.default_rng(0))
    W1, W2 = twin.hand_written(data.X, data.y, start.W2, 0.01, degree, batch)
    network = start.copy()
    train(ClearEvaluator(), network, data.X, data.y, TrainingPlan(taylor(degree), 0.01, batch_size=batch))
    np.testing.assert_allclose(network.W1, W1, atol=1e-12)
    np.testing.assert_allclose(network.W2, W2, atol=1e-12)


def test_a_measurement_has_all_columns(data: Dataset) -> None:
    line = twin.measure(data, degree=1, batch=1, reviews=50, rounds=1)
    assert line["clear_us"] > 0 and line["encrypted_us"] > 0 and line["times_ancestor"] > 0


@pytest.mark.slow
def test_workers_are_timed_against_one(data: Dataset, tool: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "SCORES_PER_REPORT", 4)
    table = workers.scaling(data, BOOTSTRAP_TOY, batches=(4,), reviews=12, rounds=1)
    assert table["workers"].tolist() == [1, 2] and (table["wall_ms"] > 0).all()
    assert table["times_as_fast"].iloc[0] == 1 and (table["bytes_per_review"] == 0).all()
    assert "| 4 | 2 |" in tool.workers(table)


# -- the suite

PLAN = TrainingPlan(taylor(3), 0.01, batch_size=2)
LINEAR = Architecture(40, hidden=0, pooling="sum")
TINY = (
    cases.BenchmarkCase("clear", Task(Architecture(40, hidden=2), PLAN, 8, 4.0), ClearParameters()),
    cases.BenchmarkCase("paper", Task(Architecture(40, hidden=2), PLAN, 8, 4.0), PAPER),
    cases.BenchmarkCase("assisted", Task(LINEAR, TrainingPlan(ExactSigmoid(), 0.01), 8, 4.0), ADDITIVE_TOY),
    cases.BenchmarkCase("bootstrapped", Task(LINEAR, TrainingPlan(ExactSigmoid(), 0.01, batch_size=2), 4, 4.0), BOOTSTRAP_TOY),
    cases.BenchmarkCase("fv", Task(LINEAR, TrainingPlan(taylor(1), 0.25, batch_size=2), 4, 4.0), FV_TOY),
)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One call a measurement and small calibrations: the numbers mean nothing."""
    monkeypatch.setattr(suite, "AT_LEAST_S", 1e-9)
    monkeypatch.setattr(rehearsal, "SMALL_MODEL_BYTES", 1 << 16)
    for name, value in {"RUN_S": 1e-3, "STEP_S": 1e-3, "MAX_REVIEWS": 8}.items():
        monkeypatch.setattr(calibration, name, value)
    yield
    estimate.calibrate.cache_clear()


@pytest.mark.parametrize("case", [TINY[0], *(pytest.param(case, marks=pytest.mark.slow) for case in TINY[1:])])
def test_every_operation_has_a_line(case: cases.BenchmarkCase, short: None) -> None:
    table = suite.results((case,), batch_sizes=(1, 2), memory=False)
    assert list(table.columns) == suite.COLUMNS
    assert set(table["scheme"]) == {case.scheme} and set(table["parameters"]) == {case.parameters.name}
    timed = table.dropna(subset="cpu_ms").set_index(["benchmark", "n"])["cpu_ms"]
    assert (timed > 0).all()
    names = {name for name, _ in timed.index}
    assert {"key generation", "encryption", "decryption", "addition", "gather", "scatter", "prediction", "epoch"} <= names
    assert {("training step", 1), ("training step", 2), ("epoch", case.task.reviews)} <= set(timed.index)
    assert any(name.startswith("sigmoid") for name in names)
    compared = table[~table["benchmark"].isin(["key generation", "refresh of weights"]) & table["cpu_ms"].notna()]
    assert (compared["ratio_to_clear"] > 0).all()
    sizes = table.dropna(subset="bytes").set_index("benchmark")["bytes"]
    assert sizes["trained model file"] >= sizes["fresh model file"] > 0


def test_schemes_with_products_have_lines_for_them(short: None) -> None:
    table = pd.DataFrame(suite.product_lines("fv", fv.TOY))
    assert set(table["benchmark"]) == {"encryption", "decryption", "addition", "product of all slots"}
    assert set(table["n"]) == {fv.TOY.N // 2}


@pytest.mark.slow
def test_peak_memory_is_that_of_a_process_of_its_own() -> None:
    clear, paper = (suite.peak_memory(cases.named(name)) for name in ("clear", "integer vectors, assisted"))
    assert 20 < clear < paper


def test_names_of_cases_are_one_to_one() -> None:
    assert len({case.name for case in cases.CASES}) == len(cases.CASES)
    assert {case.scheme for case in cases.CASES} == {"clear", "integer_vector", "bootstrapped", "fv", "yashe", "ckks"}


# -- growth


def test_exponents_and_lines_are_those_of_the_numbers() -> None:
    sizes = np.array([10, 20, 40, 80])
    tables = [
        pd.DataFrame({"against": "reviews", "series": "a", "size": sizes, "cpu_ms": 3.0 * sizes, "formula": 1.0}),
        pd.DataFrame({"against": "words", "series": "a", "size": sizes, "cpu_ms": 5 + 0.5 * sizes, "formula": 1.0}),
        pd.DataFrame({"against": "vocabulary", "series": "a", "size": sizes, "cpu_ms": [1, 1.3, 1, 1], "formula": 0.0}),
    ]
    fits = growth.fits(pd.concat(tables)).set_index("against")
    assert fits.loc["reviews", "exponent"] == pytest.approx(1.0)
    assert fits.loc["words", "base_ms"] == pytest.approx(5) and fits.loc["words", "slope_ms"] == pytest.approx(0.5)
    assert fits.loc["words", "off_percent"] == 0 and fits.loc["vocabulary", "spread_percent"] == pytest.approx(30)
    told = suite_door.verdicts(fits.reset_index()).splitlines()
    assert [line.split()[0] for line in told] == ["reached", "reached", "MISSED"]


def test_what_counts_is_the_least_round_after_the_first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every size is called once to warm up, then in every round; what a slow moment adds is not kept."""
    monkeypatch.setattr(growth, "JOB_S", 0.0)
    added = {size: iter([100.0, 5.0, 0.0, 7.0]) for size in (1, 2, 4)}
    series = growth.Series("reviews", "sleep", (1, 2, 4), 1.0, lambda size: lambda: size + next(added[size]))
    assert growth.growth([series], rounds=3)["cpu_ms"].tolist() == [1000.0, 2000.0, 4000.0]
    assert all(next(rest, None) is None for rest in added.values())


def test_a_measurement_repeats_a_short_job() -> None:
    calls: list[int] = []
    series = growth.Series("reviews", "short", (1,), 1.0, lambda size: lambda: calls.append(1) or 1.0)  # type: ignore[func-returns-value]
    growth.growth([series], rounds=1)
    assert len(calls) > 10


@pytest.mark.slow
def test_all_series_can_be_measured(short: None) -> None:
    for series in growth.all_series():
        assert series.prepare(series.sizes[0])() > 0


@pytest.mark.slow
def test_cost_is_linear_in_reviews_and_blind_to_the_vocabulary() -> None:
    chosen = [s for s in growth.all_series() if s.name == "clear" and s.against in ("reviews", "vocabulary")]
    for _ in range(5):  # machines are noisy
        fits = growth.fits(growth.growth(chosen)).set_index("against")
        if abs(fits.loc["reviews", "exponent"] - 1) < 0.1 and fits.loc["vocabulary", "spread_percent"] < 50:
            break
    assert abs(fits.loc["reviews", "exponent"] - 1) < 0.1 and fits.loc["vocabulary", "spread_percent"] < 50


# -- profile, plan, figures, pages


def test_a_profile_adds_up(short: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "named", {case.name: case for case in TINY}.get)
    rates = dict.fromkeys(machine.UNITS, 1e9)
    table = parts.profile(rates, (("paper", 2), ("assisted", 1), ("bootstrapped", 2)), rounds=1)
    for _, of in table.groupby(["scheme", "batch"]):
        whole = of[of["part"] == "whole step"]["cpu_us"].item()
        assert whole > 0 and (of["share_percent"] <= of["cpu_us"] / whole * 100 + 1).all()
        assert {"sum of rows", "update of rows", "rest"} <= set(of["part"])
    assert (table["of_peak"].dropna() > 0).all()
    assert {"key switch", "blind rotation", "trace", "trip to the owner, trainer's part"} <= set(table["part"])


@pytest.mark.slow
def test_the_peaks_of_the_machine_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    monkeypatch.setattr(machine, "ARRAY_BYTES", 1 << 20)
    table = machine.machine(rounds=1)
    assert list(table["peak"]) == list(machine.UNITS) and (table["rate"] > 0).all()
    assert machine.peaks(table)["read"] == pytest.approx(1e9 * table.set_index("peak").loc["read", "rate"])


def test_the_plan_on_paper_grows_with_the_documents(short: None) -> None:
    one, two = (plan.scale(TINY[1:2], documents, vocabulary=1000).iloc[0] for documents in (10**6, 2 * 10**6))
    assert two["trainers_cpu_h"] == pytest.approx(2 * one["trainers_cpu_h"], rel=0.01)
    assert one["model_bytes"] == two["model_bytes"] and one["features"] == 1000
    dense = plan.large(cases.PACKED_TASK, 10**6)
    assert dense.architecture == cases.PACKED_TASK.architecture and dense.reviews == 10**6


@pytest.mark.slow
def test_operations_stand_beside_those_of_seal() -> None:
    pytest.importorskip("tenseal.sealapi")
    table, published = peers.table(rounds=1), pd.read_csv(ROOT / "benchmarks" / "peers.csv")
    assert set(table["operation"]) == set(published[published["peer"] == "SEAL"]["operation"])
    assert (table[["ours_ms", "peer_ms", "ours_to_peer"]] > 0).all(axis=None)


def peer_program(folder: Path, first_line: str) -> str:
    """Return a program that describes itself by this line and says that a bootstrap takes 250 s."""
    program = folder / "peer"
    program.write_text(
        f"#!{sys.executable}\nprint({first_line!r}, flush=True)\nwhile True: print(250 * int(input()), flush=True)\n"
    )
    program.chmod(0o755)
    return str(program)


def test_bootstraps_stand_beside_those_of_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstraps, "BATCHES", (1, 2))
    described = {"n": 820, "k": 2, "N": 1024, "block": 4, "lwe_sigma": 2.5e-6, "glwe_sigma": 2.8e-15, "deviation": 2.0**-15}
    program = peer_program(tmp_path, json.dumps(described))
    table = bootstraps.table(program, (BOOTSTRAP_TOY,), rounds=1)
    assert list(table["operation"]) == ["bootstrap, 1 at a time"] * 2 + ["bootstrap, 2 at a time"] * 2
    assert set(table["peer"]) == {"TFHE-go, n = 820"} and (table["peer_ms"] == 250e3).all()
    np.testing.assert_allclose(table["ours_to_peer"] * 250e3, table["ours_ms"], atol=250)
    assert (table["peer_bits"] == 117).all() and (table["peer_noise"] == -15).all()
    assert (table["bits"] < 80).all()
    assert table["noise"].to_numpy() == pytest.approx(math.log2(noise.rotation(BOOTSTRAP_TOY)) / 2, abs=0.3)
    published = pd.read_csv(ROOT / "benchmarks" / "peers.csv")
    assert set(table.columns) == set(published.columns)


@pytest.mark.parametrize("first_line", ["", "[]", "no JSON", '{"n": 820}'])
def test_another_program_is_refused(tmp_path: Path, first_line: str) -> None:
    with pytest.raises(DataError, match=r"does not answer like the program of benchmarks/tfhe_go/main\.go.*build it"):
        bootstraps.Peer([peer_program(tmp_path, first_line)], "peer")
    with pytest.raises(DataError, match="build it as the file says"):
        bootstraps.Peer([str(tmp_path / "missing")], "peer")


def test_without_the_program_a_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    measured = pd.DataFrame({"operation": ["a"], "parameters": ["b"], "peer": ["SEAL"], "ours_ms": [1.0]})
    monkeypatch.setattr(peers, "table", lambda: measured)
    monkeypatch.delenv(bootstraps.PROGRAM, raising=False)
    assert suite_door.main(["--only", "peers", "--folder", str(tmp_path)]) == 0
    assert "no bootstraps beside TFHE-go: ENCNN_TFHE_GO names no program" in capsys.readouterr().out
    monkeypatch.setenv(bootstraps.PROGRAM, "program")
    monkeypatch.setattr(bootstraps, "table", lambda program: measured.assign(peer=program))
    assert suite_door.main(["--only", "peers", "--folder", str(tmp_path)]) == 0
    assert list(pd.read_csv(tmp_path / "peers.csv")["peer"]) == ["SEAL", "program"]


def test_the_door_runs_what_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = [10, 20, 40]
    measured = pd.DataFrame({"against": "words", "series": "a", "size": sizes, "cpu_ms": [1.0, 2.0, 4.0], "formula": 1.0})
    monkeypatch.setattr(growth, "growth", lambda: measured)
    assert suite_door.main(["--only", "growth", "--folder", str(tmp_path)]) == 0
    assert pd.read_csv(tmp_path / "growth.csv").equals(measured)
    assert (tmp_path / "bench_growth.png").exists()


def test_all_figures_are_drawn_from_the_stored_tables(tmp_path: Path) -> None:
    names = {path.name for path in suite_door.draw(ROOT / "benchmarks", tmp_path)}
    assert names == {path.name for path in (ROOT / "figures").glob("bench_*.png")}
    assert set(pd.read_csv(ROOT / "benchmarks" / "growth.csv")["against"]) == set(bench_figures.GROWTH)


def test_measured_tables_are_compared_and_published_by_their_keys() -> None:
    for name, keys in suite_door.KEYS.items():
        table = pd.read_csv(ROOT / "benchmarks" / f"{name}.csv")
        assert not table.duplicated(list(keys)).any()
        assert difference(table, table, keys).startswith(f"the same in all {len(table)} lines")


def grown(sizes: list[int], ms: list[float], against: str = "reviews") -> pd.DataFrame:
    return pd.DataFrame({"against": against, "series": "a", "size": sizes, "cpu_ms": ms, "formula": 1.0})


def test_marked_sizes_do_not_touch() -> None:
    sizes = [250, 500, 1000, 1024, 2000, 2048]
    points = grown(sizes, [3.0 * size for size in sizes])
    axes = bench_figures.growth(points, growth.fits(points)).axes[0]
    assert axes.get_xticks().tolist() == [250, 500, 1000, 2000]
    assert axes.lines[0].get_ydata().tolist() == points["cpu_ms"].tolist()


def test_the_curve_is_fitted_to_all_points_and_says_how_far_they_are_off() -> None:
    """Points that lie alternately above and below a power of the size: its curve passes none of them."""
    sizes, off = np.array([1, 2, 4, 8]), np.array([1.1, 1 / 1.1, 1 / 1.1, 1.1])
    points = grown(sizes.tolist(), (5.0 * sizes**2 * off).tolist())
    fit = growth.fits(points).iloc[0]
    assert fit["exponent"] == pytest.approx(2.0) and fit["factor_ms"] == pytest.approx(5.0)
    assert fit["residual_percent"] == pytest.approx(10.0) and (fit["from_size"], fit["to_size"]) == (1, 8)
    axes = bench_figures.growth(points, growth.fits(points)).axes[0]
    assert axes.lines[1].get_ydata() == pytest.approx(5.0 * sizes**2)
    assert "exponent 2.00 (formula 1),\nfitted from 1 to 8, points off by 10.0 % at most" in str(axes.lines[0].get_label())


def test_a_curve_is_drawn_where_it_is_fitted() -> None:
    points = grown([2, 4, 8, 16, 32, 64], [1.0, 1.0, 1.0, 2.0, 4.0, 8.0], "hidden units")
    axes = bench_figures.growth(points, growth.fits(points)).axes[0]
    assert axes.lines[1].get_xdata().tolist() == [8, 16, 32, 64]
    assert axes.lines[1].get_ydata() == pytest.approx([1.0, 2.0, 4.0, 8.0])


def test_operations_stand_in_order_and_colours_are_schemes() -> None:
    names, sets = ["epoch", "scatter", "addition", "training step", "product vector_matrix:8x1"], ["p", "q"]
    lines = [("integer_vector", s, name, 1, 2.0) for s in sets for name in names] + [("fv", "r", "encryption", 1, 3.0)]
    table = pd.DataFrame(lines, columns=["scheme", "parameters", "benchmark", "n", "ratio_to_clear"])
    axes = bench_figures.operations(table).axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[:4] == ["encryption", "addition", "product of vector and matrix", "update of rows"]
    assert labels[4:] == ["training step, batch 1", "epoch"]
    p, q, r = axes.lines[:3]
    assert p.get_color() == q.get_color() != r.get_color() and p.get_marker() != q.get_marker()
    assert r.get_xdata().tolist() == [3.0] and [line.get_label() for line in (p, r)] == ["integer vectors: p", "FV: r"]


def test_every_part_of_a_step_is_drawn_and_none_is_cut() -> None:
    parts_of = pd.DataFrame({"part": ["sum", "update", "rest", "whole step"], "share_percent": [60.0, 48.5, 0.0, 100.0]})
    left, right = bench_figures.profile(parts_of.assign(scheme="a", batch=1, of_peak=[0.5, None, None, None])).axes
    assert [bar.get_width() for bar in left.patches] == [60.0, 48.5, 0.0]
    assert left.get_xlim()[1] > 108.5
    assert [text.get_text() for text in left.texts] == ["60", "48"]
    assert [bar.get_width() for bar in right.patches] == [50.0]
    assert right.patches[0].get_facecolor() == left.patches[0].get_facecolor()


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_tool", ROOT / "tools" / "docs.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_pages_have_the_stored_numbers(tool: ModuleType) -> None:
    assert tool.main(["check"]) == 0


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("scale", "model_bytes"),
        ("moved", "keys_bytes"),
        ("machine", "rate"),
        ("peers", "peer_ms"),
        ("bootstraps", "ours_to_peer"),
        ("profile", "cpu_us"),
        ("workers", "wall_ms"),
        ("predictions", "predicted trainer CPU ms per review"),
    ],
)
def test_another_number_would_be_noticed(tool: ModuleType, name: str, column: str) -> None:
    page, source, block = tool.BLOCKS[name]
    text, table = (ROOT / "docs" / page).read_text(), pd.read_csv(ROOT / source)
    assert tool.renewed(text, name, source, block(table)) == text
    table[column] = 3 * table[column] + 1
    assert tool.renewed(text, name, source, block(table)) != text
