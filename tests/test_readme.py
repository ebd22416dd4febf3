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


def test_another_result_would_be_noticed(tool) -> None:
    results = pd.read_csv(ROOT / "figures" / "table3.csv")
    readme = (ROOT / "README.md").read_text()
    assert tool.renewed(readme, "table3", tool.table3(results)) == readme
    results["correct"] += 1
    assert tool.renewed(readme, "table3", tool.table3(results)) != readme
