"""The peaks of this machine on one core, as short loops measure them.  Parts of an epoch are compared with them.

    read             GB/s      adds up the rows of an array that is too large for the caches near the core
    update           GB/s      subtracts a row from those rows, so that each entry is read and written
    multiply-add     10^9/s    float64, in registers: each number of an array is multiplied and added to many times
    int32 multiply-add 10^9/s  the same on int32

A peak is the best of some rounds.  The loops need numba.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.suite import timed
from encnn.progress import progress

ROUNDS = 5
ARRAY_BYTES = 128 << 20
ROW = 1025
IN_CACHE = 1024
REPEATS = 200
DEEP = 16
"""How many multiply-adds each number gets before it is stored."""
UNITS = {
    "read": ("GB/s", 1e9),
    "update": ("GB/s", 1e9),
    "multiply-add": ("10^9/s", 1e9),
    "int32 multiply-add": ("10^9/s", 1e9),
}


def machine(rounds: int = ROUNDS) -> pd.DataFrame:
    """Return the peaks as columns peak, rate, unit; a rate is the best of `rounds`."""
    jobs = _jobs()
    for _, job in jobs.values():
        job()  # compiles
    rates = {
        name: amount / min(job() for _ in range(rounds)) for name, (amount, job) in progress(list(jobs.items()), "machine")
    }
    return pd.DataFrame([(n, rates[n] / scale, unit) for n, (unit, scale) in UNITS.items()], columns=["peak", "rate", "unit"])


def peaks(table: pd.DataFrame) -> dict[str, float]:
    """Return the rate of each peak per second, in bytes, operations or transforms."""
    return {str(n): float(r) * UNITS[str(n)][1] for n, r in zip(table["peak"], table["rate"], strict=True)}


def _jobs() -> dict[str, tuple[float, Callable[[], float]]]:
    """Return for each peak (the amount of work, a function that does the work and returns its CPU seconds)."""
    add, subtract, deepen = _loops()
    rows = np.ones((ARRAY_BYTES // (4 * ROW), ROW), np.int32)
    total, x, a = np.zeros(ROW, np.int32), np.ones(IN_CACHE), np.ones(IN_CACHE, np.int32)
    multiply_adds = float(IN_CACHE * REPEATS * DEEP)
    return {
        "read": (rows.nbytes, timed(lambda: add(rows.reshape(-1)))),
        "update": (2 * rows.nbytes, timed(lambda: subtract(rows, total))),
        "multiply-add": (multiply_adds, timed(lambda: deepen(x, 0.5, REPEATS))),
        "int32 multiply-add": (multiply_adds, timed(lambda: deepen(a, np.int32(3), REPEATS))),
    }


def _loops() -> tuple[Any, ...]:
    from numba import njit

    @njit
    def add(numbers):  # type: ignore[no-untyped-def]
        total = np.int32(0)
        for k in range(numbers.shape[0]):
            total += numbers[k]
        return total

    @njit
    def subtract(rows, row):  # type: ignore[no-untyped-def]
        for i in range(rows.shape[0]):
            for k in range(rows.shape[1]):
                rows[i, k] -= row[k]

    @njit(fastmath={"contract"})
    def deepen(x, f, repeats):  # type: ignore[no-untyped-def]
        for _ in range(repeats):
            for k in range(x.shape[0]):
                y = x[k]
                for _ in range(DEEP):
                    y = y * f + f
                x[k] = y

    return add, subtract, deepen
