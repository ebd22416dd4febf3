"""The job that trains on tables and texts: its data, a line of its table, and the command line."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("sklearn")

from encnn.experiments import tables
from encnn.experiments.results import KEYS


def test_pages_of_scipy_do_not_name_their_part() -> None:
    pages = tables.documentation()
    assert pages.texts and set(pages.y) == set(tables.TOPICS) and len(pages.X) > 500
    assert not [page for page in pages.X if any(topic in page for topic in tables.TOPICS)]
    assert len(set(zip(pages.X, pages.y, strict=True))) == len(pages.X)


def test_a_line_stands_beside_logistic_regression_on_the_same_split() -> None:
    (wine,) = [data for data in tables.data_sets() if data.name == "wine"]
    line = tables.measured(wine, "owner", 1)
    assert set(KEYS["tables"]) <= set(line) and line["owner in the loop"] and line["bits"] >= 128
    assert (line["training rows"], line["test rows"], line["classes"], line["columns"]) == (89, 89, 3, 13)
    assert line["LogisticRegression percent"] > 95 and line["test accuracy percent"] > 90


def test_the_job_writes_its_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = [tables.LabelledData("few", np.eye(4), np.arange(4))]
    monkeypatch.setattr(tables, "data_sets", lambda: few)
    monkeypatch.setattr(tables, "measured", lambda data, help, key: {"data": data.name, "owner in the loop": help, "key": key})
    assert tables.main(["--folder", str(tmp_path), "--keys", "2"]) == 0
    assert len(pd.read_csv(tmp_path / "tables.csv")) == 4
