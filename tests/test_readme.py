"""The README says what the code gives."""

import doctest
import importlib.util
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("readme_tool", ROOT / "tools" / "readme.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_ten_lines_run_as_printed() -> None:
    assert doctest.testfile(str(ROOT / "README.md"), module_relative=False).failed == 0


def test_the_result_tables_are_the_stored_ones(tool) -> None:
    assert tool.main(["check"]) == 0


def test_runs_of_a_case_are_averaged_over_its_keys(tool) -> None:
    run = {"scheme": "s", "case": "c", "bits": 130.9, "decided by": "BDD, MATZOV", "owner in the loop": False}
    run |= {"epochs": 2, "reviews": 25000, "running accuracy percent": 84.0, "clear twin running percent": 84.5}
    run |= {"test accuracy percent": 87.0, "clear twin test accuracy percent": 87.5, "CPU ms per review": 10.0}
    run |= {"keys MB": 85.7, "model MB": 95.3}
    table = tool.unassisted(pd.DataFrame([run, run | {"running accuracy percent": 85.0}, run | {"case": "d"}]))
    _, _, averaged, single = table.splitlines()
    assert averaged == (
        "| s, c, 2 keys | 130 bits (BDD, MATZOV) | no | 2 x 25,000 "
        "| 84.50 % (84.50 %) | 87.00 % (87.50 %) | 10.0 ms | 86 MB | 95.3 MB |"
    )
    assert single.startswith("| s, d, 1 key |") and "84.00 % (84.50 %)" in single


def test_another_result_would_be_noticed(tool) -> None:
    results = pd.read_csv(ROOT / "figures" / "table3.csv")
    readme = (ROOT / "README.md").read_text()
    assert tool.renewed(readme, "table3", tool.table3(results)) == readme
    results["correct"] += 1
    assert tool.renewed(readme, "table3", tool.table3(results)) != readme
