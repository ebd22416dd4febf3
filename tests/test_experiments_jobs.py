"""The table of jobs, and what holds for every job: one name for one thing, and no job imports another."""

import ast
import subprocess
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest

from encnn.experiments.__main__ import JOBS, main

ROOT = Path(__file__).parent.parent


def imported(path: Path) -> set[str]:
    """Return the modules that a file imports, and those that names may be imported from a package as."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def classes(path: Path) -> list[str]:
    return [node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)]


def test_every_module_with_a_main_is_a_job_in_the_table() -> None:
    modules = [path for path in (ROOT / "encnn" / "experiments").glob("*.py") if path.stem != "__main__"]
    assert {path.stem for path in modules if "\ndef main(" in path.read_text()} == set(JOBS)


@pytest.mark.parametrize("job", JOBS)
def test_no_job_imports_another_one(job: str) -> None:
    found = imported(ROOT / "encnn" / "experiments" / f"{job}.py")
    assert not {f"encnn.experiments.{other}" for other in JOBS} & found


@pytest.mark.parametrize("job", JOBS)
def test_every_job_says_what_its_options_are(job: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([job, "--help"])
    assert capsys.readouterr().out.startswith(f"usage: encnn {job} ")
    assert str(import_module(f"encnn.experiments.{job}").__doc__).count(f"`python -m encnn.experiments {job}`") == 1


def test_a_job_that_is_none_lists_those_that_are(capsys: pytest.CaptureFixture) -> None:
    assert (main([]), main(["nonsense"])) == (0, 2)
    told = capsys.readouterr().out
    assert all(told.count(what) == 2 for what in JOBS.values())


def test_it_runs_as_a_program() -> None:
    command = [sys.executable, "-m", "encnn.experiments", "reproduce", "--help"]
    assert "--first-seed" in subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_makefile_runs_jobs_that_exist() -> None:
    lines = [line.split() for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith("\t$(JOB) ")]
    assert lines and {line[1] for line in lines} <= set(JOBS)


@pytest.mark.parametrize("room", ["encnn/experiments", "encnn/report", "encnn/attacks", "encnn/costs", "benchmarks"])
def test_no_other_class_has_the_name_of_one_in_this_room(room: str) -> None:
    paths = [*(ROOT / "encnn").rglob("*.py"), *(ROOT / "benchmarks").glob("*.py")]
    counts = Counter(name for path in paths for name in classes(path))
    assert not [name for path in (ROOT / room).glob("*.py") for name in classes(path) if counts[name] > 1]


def test_reports_train_nothing_and_read_no_file() -> None:
    trains = tuple(
        f"encnn.{room}" for room in ("experiments", "network", "parties", "assistance", "scaling", "attacks", "costs")
    )
    for path in (ROOT / "encnn" / "report").glob("*.py"):
        found = {name for name in imported(path) if name.startswith(trains) and not name.startswith("encnn.costs.units")}
        assert not found, path.name
        assert "read_csv" not in path.read_text() and "open(" not in path.read_text()


def test_attacks_and_costs_know_no_job() -> None:
    for path in [*(ROOT / "encnn" / "attacks").glob("*.py"), *(ROOT / "encnn" / "costs").glob("*.py")]:
        assert not [name for name in imported(path) if name.startswith(("encnn.experiments", "encnn.report"))], path.name
