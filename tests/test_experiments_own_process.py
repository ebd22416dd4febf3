"""Runs in processes of their own, and what is kept of them."""

import os

import numpy as np
import pandas as pd
import pytest

from encnn.costs import peak_memory
from encnn.costs.peak_memory import peak_memory_mb
from encnn.errors import DivergenceError
from encnn.experiments.own_process import in_a_process, kept


def peak_and_process(numbers: np.ndarray) -> tuple[float, int, float]:
    return peak_memory_mb(), os.getpid(), float(numbers.sum())


def diverging() -> None:
    raise DivergenceError("z left the range")


def test_a_run_has_a_peak_of_its_own() -> None:
    held = np.ones(1 << 26)  # 512 MB
    peak, process, total = in_a_process(peak_and_process, held[:1000])
    assert process != os.getpid() and total == 1000
    if peak_memory.STATUS.exists():
        assert 1 < peak < 500 < peak_memory_mb()


def test_what_a_run_raises_reaches_the_job() -> None:
    with pytest.raises(DivergenceError, match="z left the range"):
        in_a_process(diverging)


def test_a_run_is_made_once_and_leaves_no_secret(tmp_path) -> None:
    folder, made = tmp_path / "a run", []

    def run() -> tuple[dict, pd.DataFrame]:
        (folder / "run").mkdir(parents=True)
        (folder / "owner").write_text("secret")
        made.append(1)
        return {"key": 0, "accuracy": 87.5}, pd.DataFrame({"reviews": [1, 2], "right": [1.0, 0.5]})

    for _ in range(2):
        line, curve = kept(folder, run)
        assert line == {"key": 0, "accuracy": 87.5} and list(curve["right"]) == [1.0, 0.5]
    assert made == [1] and sorted(path.name for path in folder.iterdir()) == ["curve.csv", "line.json"]


def test_a_run_cut_short_keeps_its_folder(tmp_path) -> None:
    folder = tmp_path / "a run"

    def cut_short() -> tuple[dict, pd.DataFrame]:
        folder.mkdir()
        (folder / "owner").write_text("secret")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept(folder, cut_short)
    assert (folder / "owner").exists()  # the next start goes on with it
