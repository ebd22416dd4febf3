"""A plan on paper: scale.csv has the cost of a large task under each scheme, computed by the cost model alone.

The task has 10^8 documents of 90 words and a vocabulary of 10^6 words.  100 trainers take turns in one epoch, each on its own
documents.  The model goes from one trainer to the next, and every trainer gets the keys.  CKKS packs dense features, so its
line is for the same documents with 128 numbers each.
"""

from dataclasses import replace
from typing import Any

import pandas as pd

from benchmarks.cases import CASES, BenchmarkCase
from encnn.costs import Task, estimate_cost
from encnn.progress import progress

DOCUMENTS, VOCABULARY, TRAINERS = 10**8, 10**6, 100
WORDS = 90
HOUR = 3600.0


def scale(cases: tuple[BenchmarkCase, ...] = CASES, documents: int = DOCUMENTS, vocabulary: int = VOCABULARY) -> pd.DataFrame:
    """Return the predicted cost, one line per case."""
    return pd.DataFrame([_line(case, documents, vocabulary) for case in progress(cases, "plan on paper", unit="scheme")])


def large(task: Task, documents: int = DOCUMENTS, vocabulary: int = VOCABULARY) -> Task:
    """Return the task over this many documents, and over this vocabulary unless its features are dense."""
    if task.dense:
        return replace(task, reviews=documents)
    architecture = replace(task.architecture, features=vocabulary)
    return replace(task, architecture=architecture, reviews=documents, words=float(min(WORDS, vocabulary)))


def _line(case: BenchmarkCase, documents: int, vocabulary: int) -> dict[str, Any]:
    task = large(case.task, documents, vocabulary)
    c = estimate_cost(task, case.parameters)
    handed_over = TRAINERS * (c.keys_file_bytes + c.trained_file_bytes)
    return {
        "scheme": case.name,
        "parameters": case.parameters.name,
        "security_bits": round(case.security_bits, 1),
        "features": task.architecture.features,
        "batch": task.plan.batch_size,
        "trainers": TRAINERS,
        "trainers_cpu_h": _short(c.trainer_cpu_s / HOUR),
        "owner_cpu_h": _short((c.owner_cpu_s + c.setup_cpu_s) / HOUR),
        "keys_bytes": c.keys_file_bytes,
        "model_bytes": c.model_bytes,
        "trips": c.trips,
        "owner_bytes": c.bytes_up + c.bytes_down,
        "trainers_bytes": handed_over,
    }


def _short(x: float) -> float:
    return float(f"{x:.3g}")
