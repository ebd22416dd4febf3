"""Results of a run stand apart from those that are published, and a run says how they differ."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from encnn.errors import DataError
from encnn.experiments import publish
from encnn.experiments.drawing import PICTURES
from encnn.experiments.results import KEYS, Results, copy_tables, difference

ROOT = Path(__file__).parent.parent
LINES = pd.DataFrame({"seed": [0, 1, 2], "row": ["PP"] * 3, "correct": [10, None, 30], "cpu_seconds": [1.0, 2.0, 3.0]})


def test_equal_tables_are_the_same_whatever_the_machine() -> None:
    told = difference(LINES, LINES.assign(cpu_seconds=[2.0, 4.0, 6.0]), ["seed", "row"])
    assert told == "the same in all 3 lines; times are 50 % of the published ones"


def test_what_differs_is_named_with_the_largest_difference() -> None:
    other = LINES.assign(correct=[12.0, None, 29.0], cpu_seconds=LINES["cpu_seconds"])
    assert "within: correct 2 (in 2 lines);" in difference(LINES, other, ["seed", "row"])
    lost = LINES.assign(correct=[10.0, 20.0, 30.0])
    assert "within: correct (only one has a value in 1 line);" in difference(LINES, lost, ["seed", "row"])
    texts = [LINES.assign(sigmoid=name) for name in ("exact", "Taylor")]
    assert "sigmoid (in 3 lines)" in difference(*texts, ["seed", "row"])


def test_a_published_table_of_an_earlier_form_is_told() -> None:
    table = pd.DataFrame({"case": ["a"], "rate": [0.1]})
    assert difference(table, table.drop(columns="case"), ["case"]).startswith("the published table has other columns")


def test_lines_are_told_by_their_keys_and_counted() -> None:
    assert "the same in 2 lines (2 lines here, 3 published)" in difference(LINES[::-2], LINES, ["seed", "row"])
    assert difference(LINES, LINES.assign(seed=[7, 8, 9]), ["seed"]) == "no line is the same case as a published one"


@pytest.mark.parametrize("name", [name for name in KEYS if (ROOT / "figures" / f"{name}.csv").exists()])
def test_keys_name_one_line_of_each_published_table(name: str) -> None:
    published = pd.read_csv(ROOT / "figures" / f"{name}.csv")
    assert not published.duplicated(list(KEYS[name])).any()
    assert difference(published, published, KEYS[name]).startswith(f"the same in all {len(published)} lines")


def test_every_published_table_has_its_keys() -> None:
    assert {path.stem for path in (ROOT / "figures").glob("*.csv")} <= set(KEYS)


def test_toy_results_stand_apart_and_are_not_compared(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    results = Results(tmp_path, real=False)
    results.store("grid", LINES)
    results.finish(tmp_path)
    assert (tmp_path / "toy" / "grid.csv").exists() and "published" not in capsys.readouterr().out


def test_a_job_says_how_its_tables_differ(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    curve = pd.DataFrame({"review": [50, 100], "PP": [60.0, 70.0]})
    for folder, shift in (("figures", 0.0), ("results", 0.5)):
        results = Results(tmp_path / folder)
        results.store("accuracy", curve.assign(PP=curve["PP"] + shift))
    results.store("grid", LINES)
    results.finish(tmp_path / "figures")
    out = capsys.readouterr().out
    assert "accuracy: the same in all 2 lines within: PP 0.5 (in 2 lines)" in out
    assert "grid: nothing to compare with" in out


def test_publishing_copies_tables_and_draws_their_pictures(tmp_path: Path) -> None:
    fresh, published = tmp_path / "results", tmp_path / "figures"
    fresh.mkdir()
    shutil.copy(ROOT / "figures" / "accuracy.csv", fresh)
    (fresh / "toy").mkdir()
    shutil.copy(ROOT / "figures" / "grid.csv", fresh / "toy")
    assert publish.main(["--folder", str(fresh), "--published", str(published)]) == 0
    assert {path.name for path in published.iterdir()} == {"accuracy.csv", "accuracy.png"}
    with pytest.raises(DataError, match="no grid; run the job"):
        copy_tables(fresh, published, ["grid"])


def test_pictures_are_those_of_the_folder_and_stand_on_a_page() -> None:
    pictures = {path.stem for path in (ROOT / "figures").glob("*.png")}
    assert {name for name in pictures if not name.startswith("bench_")} == set(PICTURES)
    pages = "\n".join(path.read_text() for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
    assert not [name for name in pictures if f"figures/{name}.png)" not in pages]


@pytest.mark.slow
def test_whoever_runs_the_jobs_finds_the_tests_still_passing(tmp_path: Path) -> None:
    """The README's own order: a job on reviews that count as real, then the tests that read published results."""
    for folder in ("figures", "benchmarks", "docs", "tests", "tools"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    before = {path: path.read_bytes() for path in (tmp_path / "figures").iterdir()}
    here = {"cwd": tmp_path, "env": os.environ | {"PYTHONPATH": str(ROOT)}, "check": True, "capture_output": True, "text": True}
    done = subprocess.run([sys.executable, "-c", TOY_AS_REAL], **here)
    assert "Beside those published in figures/" in done.stdout and "table3: " in done.stdout
    assert {path.name for path in (tmp_path / "results").iterdir()} >= {"table3.csv", "grid.csv", "accuracy.png"}
    assert {path: path.read_bytes() for path in (tmp_path / "figures").iterdir()} == before
    subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *READERS], **here)


READERS = [
    "tests/test_readme.py::test_the_result_tables_are_the_stored_ones",
    "tests/test_benchmarks.py::test_the_pages_have_the_stored_numbers",
    "tests/test_experiments_ckks.py::test_the_stored_results_are_as_good_as_their_clear_twins",
]
TOY_AS_REAL = """
from dataclasses import replace
from unittest.mock import patch
from encnn.data.reviews import load_reviews
from encnn.experiments.__main__ import main

toy = replace(load_reviews("toy"), is_real=True)
with patch("encnn.experiments.console.load_reviews", lambda name: toy):
    assert main(["reproduce", "--seeds", "1"]) == 0
"""
