"""How cost grows: growth.csv has one line per measurement, and exponents are fitted to these.

Each series changes one thing and keeps all else fixed: reviews, words per review, vocabulary, hidden units, the LWE dimension,
or the digit base.  `formula` is the exponent that the formulas in the docstrings give for large sizes:

    cost against ...   exponent   since
    reviews            1          every review is one step (`costs.estimate`)
    vocabulary         0          a step touches only the words of its reviews (`costs.estimate`)
    words              1          a + b words, of which the part b words is meant (`costs.estimate`)
    hidden units       1 to 2     a product has (m1 + d)(m2 + d) l (m_out + d) key entries (`costs.by_dimension`)
    LWE dimension      1          a sum is d + 1 additions per word (`costs.by_dimension`)
    digit base         -1         l = 64 / log2(base) digits in every product (`costs.by_dimension`)

With few hidden units the fixed cost of a call dominates, so exponents for hidden units are fitted to the upper half.

The formulas count work and ignore where the rows are stored.  A step with assistance uses many wide rows (4 kB), which memory
delivers more slowly than a cache.  Its vocabulary is therefore varied from 131 MB on, where hardly any weights are in a cache
and the exponent describes the step.  A second series starts at 2 MB and shows what the memory adds.

Other work on a machine can only add time, and may do so for seconds, so a line is the least of several rounds.  Each round
takes all sizes in an order of its own; otherwise a slow minute would look like a slope.  Each measurement repeats its job for a
while, because the least of many short jobs would be below that of a few long ones.  A first round, which makes keys and fills
caches, is not counted.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.cases import ASSISTED_TASK, BenchmarkCase, named
from benchmarks.suite import step_seconds, timed
from encnn.costs import Task
from encnn.costs.rehearsal import Rehearsal
from encnn.costs.task import assistance
from encnn.network import Architecture
from encnn.progress import progress
from encnn.schemes import make_keys
from encnn.schemes.bilinear import elementwise
from encnn.schemes.integer_vector import COMPACT_128, PAPER, IntegerVectorParameters

ROUNDS = 5
JOB_S = 0.15
"""The least CPU seconds for which a measurement repeats its job."""

WIDE = "integer vectors, assisted"
"""The case whose times depend on where its rows are, and two lists of its vocabularies: in memory, and from cache to memory."""
IN_MEMORY, FROM_CACHE = (32_000, 48_000, 64_000), (500, 2000, 8000, 32_000)


@dataclass(frozen=True)
class Series:
    """One curve: the CPU time of a job against its size."""

    against: str  # what the sizes are sizes of
    name: str  # what is measured
    sizes: tuple[int, ...]  # for which it is measured
    formula: float  # the expected exponent
    prepare: Callable[[int], Callable[[], float]]  # returns, for a size, the job, which returns its CPU seconds


def growth(series: Iterable[Series] | None = None, rounds: int = ROUNDS) -> pd.DataFrame:
    """Return columns against, series, size, cpu_ms, formula.  cpu_ms is the least over rounds, which each take all sizes."""
    lines, rng = [], np.random.default_rng(0)
    for s in progress(list(all_series() if series is None else series), "growth", unit="series"):
        jobs = [s.prepare(size) for size in s.sizes]
        for job in jobs:
            job()
        seconds = np.full((rounds, len(jobs)), np.inf)
        for found in seconds:
            for i in rng.permutation(len(jobs)):
                found[i] = _repeated(jobs[i])
        lines += [
            {"against": s.against, "series": s.name, "size": size, "cpu_ms": 1e3 * t, "formula": s.formula}
            for size, t in zip(s.sizes, seconds.min(axis=0), strict=True)
        ]
    return pd.DataFrame(lines).round({"cpu_ms": 6})


def all_series() -> list[Series]:
    """Return all curves that are measured."""
    trains = {
        "clear": (500, 1000, 2000, 4000, 8000),
        "integer vectors, paper": (250, 500, 1000, 2000, 4000),
        "integer vectors, assisted": (1024, 2048, 4096, 8192),
        "bootstrapped": (16, 32, 64, 128),
    }
    found = [Series("reviews", name, sizes, 1.0, _reviews(named(name))) for name, sizes in trains.items()]
    for name in trains:
        found.append(Series("words", name, (20, 40, 80, 160, 320), 1.0, _words(named(name))))
        vocabularies = IN_MEMORY if name == WIDE else (2000, 4000, 8000, 16_000)
        found.append(Series("vocabulary", name, vocabularies, 0.0, _vocabulary(named(name))))
    found.append(Series("vocabulary from cache to memory", WIDE, FROM_CACHE, 0.0, _vocabulary(named(WIDE))))
    for name in ("clear", "integer vectors, paper"):
        found.append(Series("hidden units", name, (2, 4, 8, 16, 32, 64), 1.0 if name == "clear" else 2.0, _hidden(named(name))))
    dimensions = (256, 512, 1024, 2048, 4096)
    found.append(Series("LWE dimension", "sum of rows, and their update", dimensions, 1.0, _dimension))
    found.append(Series("log2 of the digit base", "product of 32 by 32 numbers", (2, 4, 8, 16), -1.0, _digit_base))
    return found


def fits(table: pd.DataFrame) -> pd.DataFrame:
    """Return one line per series, with a power of the size and a straight line that are fitted to all points.

    The power is factor_ms * size ** exponent; formula is the expected exponent.  It is fitted to sizes from from_size to
    to_size (the upper half for hidden units), and its worst point is off by residual_percent.  The line is base_ms + slope_ms
    * size, and its worst point is off by off_percent.  least_ms is the least time; the largest exceeds it by spread_percent.
    """
    lines = []
    for (against, name), s in table.groupby(["against", "series"], sort=False):
        sizes, ms = s["size"].to_numpy(float), s["cpu_ms"].to_numpy()
        line = {"against": against, "series": name, "formula": s["formula"].iloc[0]}
        upper = slice(len(sizes) // 2 - 1, None) if against == "hidden units" else slice(None)
        line |= _power(sizes[upper], ms[upper]) | _straight_line(sizes, ms)
        lines.append(line | {"least_ms": ms.min(), "spread_percent": 100 * (ms.max() / ms.min() - 1)})
    digits = {"exponent": 3, "base_ms": 5, "slope_ms": 7, "least_ms": 5}
    return pd.DataFrame(lines).round(digits | dict.fromkeys(["residual_percent", "off_percent", "spread_percent"], 1))


def _power(sizes: np.ndarray, ms: np.ndarray) -> dict[str, float]:
    """Return the power of the size that is nearest to the points on a logarithmic scale."""
    exponent, constant = np.polyfit(np.log(sizes), np.log(ms), 1)
    factor = float(np.exp(constant))
    off = 100 * np.abs(factor * sizes**exponent / ms - 1).max()
    found = {"exponent": float(exponent), "factor_ms": factor, "residual_percent": float(off)}
    return found | {"from_size": float(sizes.min()), "to_size": float(sizes.max())}


def _straight_line(sizes: np.ndarray, ms: np.ndarray) -> dict[str, float]:
    """Return the straight line that is nearest to the points in relative terms."""
    slope, base = np.polyfit(sizes, ms, 1, w=1 / ms)
    off = 100 * np.abs((base + slope * sizes) / ms - 1).max()
    return {"base_ms": float(base), "slope_ms": float(slope), "off_percent": float(off)}


def _repeated(job: Callable[[], float]) -> float:
    """Return the mean result of a job that is repeated for at least `JOB_S` CPU seconds."""
    results, begun = [job()], time.process_time()
    while time.process_time() - begun < JOB_S:
        results.append(job())
    return float(np.mean(results))


def _reviews(case: BenchmarkCase) -> Callable[[int], Callable[[], float]]:
    rehearsal = cache(case.rehearsal)  # made once, at the first use

    def prepare(size: int) -> Callable[[], float]:
        batch = case.task.plan.batch_size
        return lambda: rehearsal().seconds(round(case.task.words), batch, size // batch)[0]

    return prepare


def _words(case: BenchmarkCase) -> Callable[[int], Callable[[], float]]:
    rehearsal = cache(case.rehearsal)
    return lambda size: lambda: _per_review(rehearsal(), size)


def _vocabulary(case: BenchmarkCase) -> Callable[[int], Callable[[], float]]:
    def prepare(size: int) -> Callable[[], float]:
        task = replace(case.task, architecture=replace(case.task.architecture, features=size))
        rehearsal = Rehearsal(task, case.parameters, assistance(task, case.parameters), rows=size)
        return lambda: _per_review(rehearsal, round(task.words))

    return prepare


def _hidden(case: BenchmarkCase) -> Callable[[int], Callable[[], float]]:
    def prepare(size: int) -> Callable[[], float]:
        task = replace(case.task, architecture=Architecture(1000, hidden=size), words=10.0)
        rehearsal = Rehearsal(task, case.parameters, "none")
        return lambda: _per_review(rehearsal, 10)

    return prepare


def _dimension(d: int) -> Callable[[], float]:
    p = COMPACT_128.updated(d=d, name=f"d{d}-INSECURE")
    task = replace(ASSISTED_TASK, architecture=replace(ASSISTED_TASK.architecture, features=4000))
    r = Rehearsal(task, p, "errors", rows=4000)
    batch = r.batch(16)
    G = r.evaluator.gather(batch, r.network.W1)

    def both() -> None:
        r.evaluator.gather(batch, r.network.W1)
        r.evaluator.scatter_subtract(r.network.W1, batch, G)

    return timed(both)


def _digit_base(bits: int) -> Callable[[], float]:
    p: IntegerVectorParameters = PAPER.updated(base_bits=bits, name=f"base-2^{bits}-INSECURE", w_bits=20, T_high=4)
    f = elementwise(32)
    secret, evaluator = make_keys(p, [32], [f])
    c: Any = secret.encrypt(np.full((1, 32), 0.1))
    return timed(lambda: evaluator.bilinear(f, c, c))


def _per_review(r: Rehearsal, words: int) -> float:
    """Return CPU seconds per review, for mini-batches as in the task."""
    task: Task = r.task
    batch = task.plan.batch_size
    return step_seconds(r, batch, words) / batch
