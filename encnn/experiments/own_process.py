"""Long runs: each has its own process, so that its peak memory is measured alone, and is kept, so that it is made once."""

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import pandas as pd

Result = TypeVar("Result")


def in_a_process(run: Callable[..., Result], *arguments: object) -> Result:
    """Return `run(*arguments)`, or raise what it raises, from a new process that ends with it.

    The process starts empty, imports the module of `run` and receives the arguments.  So `peak_memory_mb` counts this run and
    its data alone, and nothing that the job holds.
    """
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(run, *arguments).result()


def kept(folder: Path, run: Callable[[], tuple[dict[str, object], pd.DataFrame]]) -> tuple[dict[str, object], pd.DataFrame]:
    """Return the line and the curve of a run.  If it is not done yet, run it first, and keep only these two.

    folder: of this run alone, where it may write as it goes on.  Everything else that it writes there, the owner's secret above
    all, is removed when it is done.
    """
    line, curve = folder / "line.json", folder / "curve.csv"
    if not line.exists():
        found, points = run()
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(folder)
        folder.mkdir()
        points.to_csv(curve, index=False)
        line.write_text(json.dumps(found))
    return json.loads(line.read_text()), pd.read_csv(curve)
